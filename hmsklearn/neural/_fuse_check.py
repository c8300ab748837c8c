"""Whether a pipeline and its fused form do the same, on a few windows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from hmsklearn._compat import num_samples, safe_indexing
from hmsklearn.neural._frontend import Frontend

__all__ = ["FewWindows", "check_equal", "few_windows"]

#: Enough to see a difference, few enough to take no time.
_N_WINDOWS = 4

_TOLERANCE = 1e-4


class FewWindows(NamedTuple):
    """The first windows of a data set, on their way through a pipeline.

    Attributes
    ----------
    X : object
        What the pipeline is given.
    before : ndarray of shape (n_windows, ...)
        What the moved steps are given.
    after : ndarray of shape (n_windows, ...)
        What they give.
    """

    X: Any
    before: np.ndarray
    after: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one window where the moved steps begin."""
        return self.before.shape[1:]


def few_windows(pipeline: Pipeline, X: Any, start: int, *, fitted: bool) -> FewWindows:
    """Run the first windows through the steps of a pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline, not fused.
    X : array-like or DataFrame
        Its input.
    start : int
        Position of the first step that is moved.
    fitted : bool
        Whether the pipeline is fitted. Otherwise its steps are fitted on the few.

    Returns
    -------
    FewWindows
        The windows before and after the moved steps.

    Raises
    ------
    ValueError
        If the moved steps are not given one array.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from hmsklearn.preprocessing import Decimator
    >>> pipe = make_pipeline(Decimator(2), Decimator(5), "passthrough")
    >>> few_windows(pipe, np.zeros((9, 3, 100)), 1, fitted=False).shape
    (3, 50)
    """
    X = safe_indexing(X, np.arange(min(_N_WINDOWS, num_samples(X))))

    def run(steps: list[tuple[str, Any]], X: Any) -> Any:
        if not steps:
            return X
        if fitted:
            return Pipeline(steps).transform(X)
        return clone(Pipeline(steps)).fit_transform(X)

    before = run(pipeline.steps[:start], X)
    if not hasattr(before, "shape") or hasattr(before, "iloc") or len(before.shape) < 2:
        raise ValueError(
            f"fuse: the moved steps are given a {type(before).__name__}, not an array "
            "of windows. Move fewer steps."
        )
    after = run(pipeline.steps[start:-1], before)
    return FewWindows(X, np.asarray(before), np.asarray(after))


def check_equal(
    pipeline: Pipeline,
    fused: Pipeline,
    few: FewWindows,
    moved: Pipeline,
    *,
    fitted: bool,
) -> None:
    """Compare the steps with the frontend, and predictions if there are any.

    Parameters
    ----------
    pipeline, fused : Pipeline
        Both forms.
    few : FewWindows
        What to compare on.
    moved : Pipeline
        The moved steps.
    fitted : bool
        Whether the pipelines predict.

    Raises
    ------
    ValueError
        If they differ by more than 1e-4 of the peak (probabilities: by 1e-4).

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from hmsklearn.preprocessing import Decimator
    >>> moved = make_pipeline(Decimator(2))
    >>> X = np.ones((1, 3, 4), dtype="float32")
    >>> check_equal(moved, moved, FewWindows(X, X, X[..., :2]), moved, fitted=False)
    >>> check_equal(moved, moved, FewWindows(X, X, X[..., :2] / 2), moved, fitted=False)
    Traceback (most recent call last):
        ...
    ValueError: fuse: what the moved steps ['decimator'] give for arrays and inside \
the net differs by 1 (1e-04 of the peak is allowed), first in window 0. Leave the step \
that behaves differently on tensors in the Pipeline (steps=...).
    """
    frontend = Frontend(moved, few.shape, caller="fuse")
    with torch.no_grad():
        inside = frontend(torch.from_numpy(np.ascontiguousarray(few.before, "f4")))
    names = [name for name, _ in moved.steps]
    _compare(f"what the moved steps {names} give", few.after, inside.numpy())
    if fitted:
        outside, inside = (each.predict_proba(few.X) for each in (pipeline, fused))
        _compare("the probabilities that the pipeline gives", outside, inside, peak=1)


def _compare(
    what: str, expected: np.ndarray, got: np.ndarray, peak: float | None = None
) -> None:
    remedy = (
        "Leave the step that behaves differently on tensors in the Pipeline "
        "(steps=...)."
    )
    if expected.shape != got.shape:
        raise ValueError(
            f"fuse: {what} has shape {expected.shape} for arrays and {got.shape} "
            f"inside the net. {remedy}"
        )
    missing = np.isnan(expected)
    if (missing != np.isnan(got)).any():
        raise ValueError(
            f"fuse: {what} has NaN in other places for arrays than inside the net. "
            f"{remedy}"
        )
    difference = np.where(missing, 0.0, np.abs(got.astype(np.float64) - expected))
    if peak is None:
        peak = float(np.where(missing, 0.0, np.abs(expected)).max())
    relative = difference / peak if peak > 0 else difference
    if relative.max() > _TOLERANCE:
        window = int(np.flatnonzero(relative.reshape(len(relative), -1).max(1))[0])
        raise ValueError(
            f"fuse: {what} for arrays and inside the net differs by "
            f"{relative.max():.3g} ({_TOLERANCE:.0e} of the peak is allowed), first in "
            f"window {window}. {remedy}"
        )
