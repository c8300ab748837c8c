"""Checks of the parameters that all neural classifiers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from skorch.callbacks import Callback

from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.neural._schedules import check_schedule, check_warmup
from hmsklearn.neural._weight_perturbation import read_awp

__all__ = ["check_parameters"]


def check_parameters(estimator: Any) -> None:
    """Check what does not need the data; what the stages change is checked there too.

    Parameters
    ----------
    estimator : BaseNeuralClassifier
        The estimator.

    Raises
    ------
    ValueError
        If a parameter is not usable.
    TypeError
        If it is of a wrong type.
    """
    caller = type(estimator).__name__
    check_training(estimator.get_params(deep=False), caller)
    check_integer(estimator.checkpoint_every, "checkpoint_every", caller=caller, low=1)
    check_real(
        estimator.validation_fraction,
        "validation_fraction",
        caller=caller,
        low=0,
        high=1,
        low_open=True,
        high_open=True,
    )
    if estimator.validation_min_votes is not None:
        check_real(
            estimator.validation_min_votes, "validation_min_votes", caller=caller, low=0
        )
    check_choice(
        estimator.input_norm, "input_norm", ("global", "window", None), caller=caller
    )
    check_choice(estimator.engine, "engine", ("torch", "onnx"), caller=caller)
    if estimator.head is not None and not isinstance(estimator.head, Mapping):
        raise TypeError(
            f"{caller}: head must be a dict of parameters of VoteHead, got "
            f"{type(estimator.head).__name__}."
        )
    if estimator.resume and estimator.checkpoint is None:
        raise ValueError(
            f"{caller}: resume=True needs the folder of the checkpoints. Give "
            "checkpoint=..."
        )
    seed = estimator.random_state
    if estimator.checkpoint is not None and not (
        isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    ):
        raise ValueError(
            f"{caller}: checkpoint={str(estimator.checkpoint)!r} needs a whole number "
            f"as random_state, so that a resumed training draws the same; got {seed!r}."
        )
    _check_callbacks(estimator.callbacks, caller)


def check_training(params: Mapping[str, Any], caller: str) -> None:
    """Check the parameters that a stage may change.

    Parameters
    ----------
    params : mapping
        Parameters by name; those that are absent are not checked.
    caller : str
        Name that starts the error messages.

    Raises
    ------
    ValueError
        If a parameter is not usable.
    TypeError
        If it is of a wrong type.
    """
    for name in (
        "max_epochs",
        "batch_size",
        "accumulate",
        "patience",
        "evaluations_per_epoch",
    ):
        check_integer(params[name], name, caller=caller, low=1)
    check_real(params["lr"], "lr", caller=caller, low=0, low_open=True)
    check_real(params["min_lr"], "min_lr", caller=caller, low=0, high=params["lr"])
    check_real(params["weight_decay"], "weight_decay", caller=caller, low=0)
    check_schedule(params["schedule"], params["max_epochs"], caller=caller)
    check_warmup(params["warmup"], params["max_epochs"], caller=caller)
    if params["clip_grad"] is not None:
        check_real(
            params["clip_grad"], "clip_grad", caller=caller, low=0, low_open=True
        )
    read_awp(params["awp"], params["max_epochs"], caller=caller)
    targets = ("window", "eeg", "eeg_votes")
    check_choice(params["target"], "target", targets, caller=caller)
    weights = params["aux_weight"]
    of_one = weights.values() if isinstance(weights, Mapping) else [weights]
    for weight in of_one:
        check_real(weight, "aux_weight", caller=caller, low=0)


def _check_callbacks(callbacks: Any, caller: str) -> None:
    if callbacks is None:
        return
    if not isinstance(callbacks, (list, tuple)):
        raise TypeError(
            f"{caller}: callbacks must be a list of skorch callbacks or of (name, "
            f"callback) pairs, got {type(callbacks).__name__}."
        )
    for item in callbacks:
        callback = item[1] if isinstance(item, tuple) and len(item) == 2 else item
        is_class = isinstance(callback, type) and issubclass(callback, Callback)
        if not (is_class or isinstance(callback, Callback)):
            raise TypeError(
                f"{caller}: callbacks holds {item!r}, which is neither a skorch "
                "callback nor a (name, callback) pair."
            )
