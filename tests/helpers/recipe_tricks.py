"""What a recipe does to rows and to nets, whatever the size."""

from __future__ import annotations

from recipe_parts import pipelines_of
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hmsklearn.imaging import ImageResizer
from hmsklearn.neural import BaseNeuralClassifier

_OF_THE_NET = (
    "loss",
    "optimizer",
    "schedule",
    "sampling",
    "target",
    "head",
    "vote_weight",
    "augment",
    "early_stopping",
    "validation_min_votes",
    "evaluations_per_epoch",
    "aux",
    "pretrain",
)


def steps_to_the_net(pipe):
    """Names of the transformers in a pipeline and its frontend, in order.

    Resizers do not count: they are what makes images small.
    """
    return tuple(
        type(part).__name__
        for _, part in sorted(pipe.get_params(deep=True).items())
        if isinstance(part, BaseEstimator)
        and not isinstance(part, (BaseNeuralClassifier, ImageResizer, Pipeline))
    )


def training_of(pipe):
    """How the net at the end of a pipeline is trained, without numbers of epochs."""
    clf = pipe.steps[-1][1]
    params = clf.get_params(deep=False)
    said = {key: repr(params[key]) for key in _OF_THE_NET if key in params}
    said["classifier"] = type(clf).__name__
    said["averages"] = str(params["ema"] is not None)
    said["stages"] = str([sorted(stage) for stage in params["stages"] or []])
    return tuple(sorted(said.items()))


def tricks_of(estimator):
    """Steps and training of every pipeline of a recipe, each kind once."""
    return {
        (steps_to_the_net(pipe), training_of(pipe))
        for pipe in pipelines_of(estimator).values()
    }
