"""Move steps of a pipeline into the net and back."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from hmsklearn.neural._frontend_steps import (
    learning_step,
    named_steps,
    runs_on_tensors,
)
from hmsklearn.neural._fuse_augment import refuse_jitter, warn_of_places
from hmsklearn.neural._fuse_check import check_equal, few_windows
from hmsklearn.neural._fuse_net import give_frontend, take_frontend

__all__ = ["fuse", "unfuse"]

Steps = list[tuple[str, Any]]


def fuse(
    pipeline: Pipeline,
    *,
    steps: Sequence[str] | None = None,
    check_on: Any = None,
    input_shape: tuple[int, ...] | None = None,
) -> Pipeline:
    """Move a pipeline's last transformers into its net, to run on the net's device.

    Parameters
    ----------
    pipeline : Pipeline
        Transformers, and at the end a neural estimator: one with the parameter
        ``frontend``. Fitted or not.
    steps : sequence of str, optional
        Names of the steps to move, the last ones before the estimator. By default as
        many as are known to work on tensors and learn nothing: transformers of this
        package, in pipelines and unions too, but no readers. Others that map tensors
        to tensors have to be named.
    check_on : array-like or DataFrame, optional
        Input of the pipeline, on whose first few windows both ways are compared:
        what the moved steps give and, of a fitted pipeline, the probabilities.
    input_shape : tuple of int, optional
        Shape of one window where the moved steps begin. A fitted pipeline needs it,
        unless `check_on` shows it.

    Returns
    -------
    Pipeline
        A new pipeline: a clone, or, of a fitted one, a copy with the same trained net,
        which predicts the same. `pipeline` itself is left alone.

    Raises
    ------
    TypeError
        If `pipeline` is no Pipeline or ends without such an estimator.
    ValueError
        If there is nothing to move, `steps` are not the last ones or not usable, the
        shape is missing or wrong, or both ways differ on `check_on` by more than 1e-4
        of the peak; of a fitted pipeline also if the net takes several views, or if a
        ``WindowJitter`` cut what the moved steps gave and they would give something
        else for windows that are cut before.

    Warns
    -----
    UserWarning
        If the estimator, or a stage of its training, augments its input: what was done
        to the images is done to the signals then, in the next ``fit``.

    See Also
    --------
    unfuse : The way back.
    Frontend : What the net gets.

    Notes
    -----
    Steps that are already in the frontend follow the moved ones. Their parameters are
    reached as ``net__frontend__step__parameter``.

    Fused, windows are transformed batch by batch in every epoch, on the GPU where the
    net is there: signals can be augmented before, and the images of all windows are
    never in memory together. Not fused, they are transformed once for all epochs,
    which is faster where nothing is augmented before and memory suffices, above all
    without a GPU.

    The two ways agree to 1e-4 of the peak, not bit by bit, so a training that follows
    is not the same to the last digit.

    References
    ----------
    3rd place of HMS (discussion 492471) and 4th place (492240): spectrograms made on
    the GPU from augmented signals.

    Examples
    --------
    >>> from sklearn.pipeline import Pipeline
    >>> from hmsklearn.datasets import HMSReader
    >>> from hmsklearn.neural import TimmClassifier, fuse, unfuse
    >>> from hmsklearn.preprocessing import MontageTransformer
    >>> from hmsklearn.spectrogram import MelSpectrogramizer
    >>> pipe = Pipeline([
    ...     ("read", HMSReader("hms")), ("montage", MontageTransformer()),
    ...     ("mel", MelSpectrogramizer()), ("net", TimmClassifier())])
    >>> fused = fuse(pipe)
    >>> [name for name, _ in fused.steps]
    ['read', 'net']
    >>> [name for name, _ in fused[-1].frontend.steps]
    ['montage', 'mel']
    >>> [name for name, _ in unfuse(fused).steps]
    ['read', 'montage', 'mel', 'net']
    """
    estimator = _final_estimator(pipeline, "fuse")
    start = _start_of_moved(pipeline, steps)
    moved: Steps = [(name, clone(step, safe=False)) for name, step in pipeline.steps]
    moved = moved[start:-1]
    fitted = hasattr(estimator, "net_")
    few = None
    if check_on is not None:
        few = few_windows(pipeline, check_on, start, fitted=fitted)
        input_shape = few.shape
    fused = copy.deepcopy(pipeline) if fitted else clone(pipeline)
    name, estimator = fused.steps[-1]
    warn_of_places(estimator, "fuse")
    estimator.set_params(frontend=_extended(moved, estimator.frontend))
    if fitted:
        give_frontend(estimator, Pipeline(moved), input_shape)
    fused.steps = [*fused.steps[:start], (name, estimator)]
    if few is not None:
        check_equal(pipeline, fused, few, Pipeline(moved), fitted=fitted)
    return fused


def unfuse(pipeline: Pipeline) -> Pipeline:
    """Move a net's frontend out of it, as steps of the pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        A pipeline that ends in a neural estimator with a ``frontend``. Fitted or not.

    Returns
    -------
    Pipeline
        A new pipeline with the frontend's steps in front of the estimator: a clone, or,
        of a fitted one, a copy with the same trained net. A name that is taken gets a
        number.

    Raises
    ------
    TypeError
        If `pipeline` is no Pipeline or ends without such an estimator.
    ValueError
        If there is no frontend, or one for each of several views; if a
        ``WindowJitter`` cuts windows before the frontend sees them.

    Warns
    -----
    UserWarning
        If the estimator, or a stage of its training, augments what its frontend is
        given: what was done to the signals is done to the images then, in the next
        ``fit``.

    See Also
    --------
    fuse : The way there.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from hmsklearn.neural import WaveformClassifier, unfuse
    >>> from hmsklearn.preprocessing import NotchFilter
    >>> pipe = make_pipeline(WaveformClassifier(frontend=NotchFilter()))
    >>> [name for name, _ in unfuse(pipe).steps]
    ['notchfilter', 'waveformclassifier']
    """
    estimator = _final_estimator(pipeline, "unfuse")
    if estimator.frontend is None:
        raise ValueError(
            f"unfuse: {type(estimator).__name__} has no frontend, there is nothing to "
            "move."
        )
    fitted = hasattr(estimator, "net_")
    refuse_jitter(estimator)
    warn_of_places(estimator, "unfuse")
    split = copy.deepcopy(pipeline) if fitted else clone(pipeline)
    name, estimator = split.steps[-1]
    frontend = estimator.frontend
    if fitted:
        frontend = take_frontend(estimator)
    taken = [own for own, _ in split.steps]
    moved = _distinct(_steps_of(frontend, "unfuse"), taken)
    estimator.set_params(frontend=None)
    split.steps = [*split.steps[:-1], *moved, (name, estimator)]
    return split


def _final_estimator(pipeline: Any, caller: str) -> Any:
    if not isinstance(pipeline, Pipeline):
        raise TypeError(
            f"{caller}: expected a scikit-learn Pipeline that ends in a neural "
            f"estimator, got {type(pipeline).__name__}."
        )
    estimator = pipeline.steps[-1][1]
    has_one = hasattr(estimator, "get_params") and not isinstance(estimator, type)
    if not has_one or "frontend" not in estimator.get_params(deep=False):
        raise TypeError(
            f"{caller}: the last step of the pipeline must be an estimator with the "
            "parameter frontend, such as TimmClassifier, got "
            f"{type(estimator).__name__}."
        )
    return estimator


def _start_of_moved(pipeline: Pipeline, steps: Sequence[str] | None) -> int:
    """Return the position of the first step to move."""
    before = pipeline.steps[:-1]
    names = [name for name, _ in before]
    if steps is None:
        start = len(before)
        while start > 0 and runs_on_tensors(before[start - 1][1]):
            start -= 1
    else:
        chosen = [steps] if isinstance(steps, str) else list(steps)
        start = len(before) - len(chosen)
        if start < 0 or set(names[start:]) != set(chosen):
            raise ValueError(
                f"fuse: steps={chosen!r} are not the last ones before the estimator, "
                f"which alone can be moved; those before it are {names}."
            )
        found = learning_step(Pipeline(before[start:])) if chosen else None
        if found is not None:
            raise ValueError(
                f"fuse: step {found[0]!r} ({type(found[1]).__name__}) learns from the "
                "data, which cannot be done batch by batch inside the net. Leave it "
                "out of steps."
            )
    if not any(named_steps(step) for _, step in before[start:]):
        why = "there are no transformers before the estimator"
        if before:
            name, step = before[-1]
            why = (
                f"step {name!r} ({type(step).__name__}) before the estimator is not "
                "known to map tensors to tensors without learning. Name it in steps "
                "if it does"
            )
        raise ValueError(f"fuse: nothing to move: {why}.")
    return start


def _steps_of(frontend: Any, caller: str) -> Steps:
    if isinstance(frontend, dict):
        raise ValueError(
            f"{caller}: the estimator has a frontend for each of the views "
            f"{sorted(frontend)}; steps of a pipeline see all of them. Set frontend "
            "by hand."
        )
    if isinstance(frontend, Pipeline):
        return list(frontend.steps)
    return [(type(frontend).__name__.lower(), frontend)]


def _extended(moved: Steps, frontend: Any) -> Pipeline:
    if frontend is None:
        return Pipeline(moved)
    names = [name for name, _ in moved]
    return Pipeline([*moved, *_distinct(_steps_of(frontend, "fuse"), names)])


def _distinct(steps: Steps, taken: Sequence[str]) -> Steps:
    """Give names that are taken a number, as scikit-learn's make_pipeline does."""
    known, renamed = set(taken), []
    for name, step in steps:
        number, own = 2, name
        while own in known:
            own = f"{name}-{number}"
            number += 1
        known.add(own)
        renamed.append((own, step))
    return renamed
