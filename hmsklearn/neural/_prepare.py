"""From what a user hands to ``fit`` to what is trained and validated on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from hmsklearn._groups import check_groups
from hmsklearn.metrics import check_weight
from hmsklearn.neural._data import WindowDataset, split_rows
from hmsklearn.votes import check_votes, resolve_classes

__all__ = ["FitData", "prepare_fit"]


@dataclass
class FitData:
    """Checked data of a training.

    Attributes
    ----------
    X : ndarray of shape (n_windows, ...), or mapping of str to ndarray
        All windows.
    fractions : ndarray of shape (n_windows, n_classes)
        Vote fractions.
    total_votes : ndarray of shape (n_windows,)
        Votes behind each window; NaN where unknown.
    sample_weight : ndarray of shape (n_windows,), or None
        Weights that the user gave.
    eeg_id : ndarray of shape (n_windows,), or None
        EEG that each window is from.
    rows : ndarray of int
        Windows to train on: not those of weight zero, not those validated on.
    valid : WindowDataset or None
        Windows to validate on.
    classes : ndarray of shape (n_classes,)
        Labels in column order.
    given : dict
        What ``fit`` was given besides, as it was given: ``y``, ``sample_weight``,
        ``groups``, ``X_val``, ``y_val`` and the ``random_state`` behind the division.
        Empty in ``partial_fit``.
    parts : dict of str to estimator, or None
        Parts of the net that were trained alone before.
    """

    X: Any
    fractions: np.ndarray
    total_votes: np.ndarray
    sample_weight: np.ndarray | None
    eeg_id: np.ndarray | None
    rows: np.ndarray
    valid: WindowDataset | None
    classes: np.ndarray
    given: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Any] | None = None

    @property
    def votes_known(self) -> bool:
        """Whether the number of votes of every window is known."""
        return not bool(np.isnan(self.total_votes).any())


def prepare_fit(
    X: Any,
    y: Any,
    sample_weight: Any,
    groups: Any,
    X_val: Any,
    y_val: Any,
    eeg_id: Any = None,
    *,
    classes: Any,
    check_X: Callable[..., Any],
    validation_fraction: float | None,
    validation_min_votes: float | None = None,
    random_state: np.random.RandomState,
    caller: str,
) -> FitData:
    """Check targets, weights and groups, and divide the windows.

    Parameters
    ----------
    X : ndarray of shape (n_windows, ...), or mapping of str to ndarray
        Checked windows.
    y, sample_weight, groups, X_val, y_val, eeg_id
        As in ``fit``.
    classes : "hms", "infer", None or sequence of labels
        See :func:`hmsklearn.votes.resolve_classes`.
    check_X : callable
        Checks `X_val`; called as ``check_X(X_val, caller=...)``.
    validation_fraction : float or None
        Share to validate on where `X_val` is not given; None for no validation.
    validation_min_votes : float, optional
        Windows with fewer votes are not validated on.
    random_state : RandomState
        Where the division is drawn from.
    caller : str
        Name that starts the messages.

    Returns
    -------
    FitData
        Checked data.

    Raises
    ------
    ValueError
        If anything does not fit.

    Warns
    -----
    UserWarning
        If there is a class that no window to train on has a vote for.

    Examples
    --------
    >>> data = prepare_fit(
    ...     np.zeros((3, 2, 8)), ["a", "b", "a"], [1, 1, 0], None, None, None,
    ...     classes="infer", check_X=None, validation_fraction=None,
    ...     random_state=np.random.RandomState(0), caller="doctest")
    >>> data.rows.tolist(), data.valid, data.classes.tolist()
    ([0, 1], None, ['a', 'b'])
    """
    n = _length(X)
    inferred = classes is None or (isinstance(classes, str) and classes == "infer")
    labels = resolve_classes(classes, y, caller=caller)
    votes = check_votes(y, classes=classes, n_windows=n, caller=caller)
    weight = None
    if sample_weight is not None:
        weight = check_weight(sample_weight, n, caller)
        if weight is not None and not weight.any():
            raise ValueError(
                f"{caller}: all weights are zero, nothing is left to train on. Check "
                "sample_weight."
            )
    groups = check_groups(groups, n, caller=caller)
    eeg_id = _check_eeg_id(eeg_id, n, caller)
    valid = _given_validation(X, labels, X_val, y_val, check_X, caller)

    rows = np.arange(n) if weight is None else np.flatnonzero(weight)
    present = (votes.fractions[rows] > 0).any(axis=0)
    if inferred and present.sum() < 2:
        raise ValueError(
            f"{caller}: needs samples of at least 2 classes, but the data contains "
            f"only one class: {labels[present].tolist()[0]!r} (windows of weight zero "
            "do not count). Give more data, or name the classes."
        )
    if validation_fraction is not None and valid is None:
        rows, valid_rows = split_rows(
            rows,
            groups,
            eeg_id=eeg_id,
            fraction=validation_fraction,
            random_state=random_state,
            caller=caller,
        )
        valid = WindowDataset(X, votes.fractions, None, valid_rows, votes.total_votes)
    if valid is not None and validation_min_votes is not None:
        _keep_many_votes(valid, validation_min_votes, caller)
    if rows.size < 2:
        raise ValueError(
            f"{caller}: needs at least 2 samples (windows) to train on, got n_samples "
            f"= {rows.size}. Give more data."
        )
    never = labels[~(votes.fractions[rows] > 0).any(axis=0)].tolist()
    if never:
        warnings.warn(
            f"{caller}: no window to train on has a vote for {never}. The net can only "
            "learn that it never occurs: give more data, folds that hold every class, "
            "or other classes.",
            UserWarning,
            stacklevel=4,
        )
    return FitData(
        X, votes.fractions, votes.total_votes, weight, eeg_id, rows, valid, labels
    )


def _length(X: Any) -> int:
    return len(next(iter(X.values()))) if isinstance(X, Mapping) else len(X)


def _check_eeg_id(eeg_id: Any, n: int, caller: str) -> np.ndarray | None:
    if eeg_id is None:
        return None
    values = np.asarray(eeg_id)
    if values.shape != (n,):
        raise ValueError(
            f"{caller}: eeg_id has shape {values.shape}, expected ({n},), the EEG of "
            "each window."
        )
    missing = np.flatnonzero(pd.isna(values))
    if missing.size:
        raise ValueError(
            f"{caller}: eeg_id is missing in {missing.size} rows (first in row "
            f"{missing[0]}), which would all count as one EEG. Give each its own."
        )
    return values


def _keep_many_votes(valid: WindowDataset, min_votes: float, caller: str) -> None:
    assert valid.total_votes is not None  # given wherever a set is made here
    total = valid.total_votes.numpy()[valid.rows]
    if np.isnan(total).any():
        raise ValueError(
            f"{caller}: validation_min_votes={min_votes} needs the number of votes of "
            "every window, and fractions do not tell it. Pass vote counts."
        )
    kept = valid.rows[total >= min_votes]
    if kept.size == 0:
        raise ValueError(
            f"{caller}: none of the {total.size} windows to validate on has "
            f"validation_min_votes={min_votes} votes; the most has {total.max():g}. "
            "Lower it, or validate on more windows."
        )
    valid.rows = kept


def _given_validation(
    X: Any,
    labels: np.ndarray,
    X_val: Any,
    y_val: Any,
    check_X: Callable[..., Any],
    caller: str,
) -> WindowDataset | None:
    if X_val is None and y_val is None:
        return None
    if X_val is None or y_val is None:
        missing = "X_val" if X_val is None else "y_val"
        raise ValueError(
            f"{caller}: X_val and y_val go together, {missing} is missing."
        )
    X_val = check_X(X_val, caller=f"{caller} (X_val)")
    valid = WindowDataset(X_val)
    expected = WindowDataset(X).window_shape
    if valid.window_shape != expected:
        raise ValueError(
            f"{caller}: windows of X_val have shape {valid.window_shape}, those of X "
            f"{expected}. Give X_val the same preprocessing."
        )
    votes = check_votes(
        y_val,
        classes=labels.tolist(),
        n_windows=len(valid),
        caller=f"{caller} (y_val)",
    )
    return WindowDataset(X_val, votes.fractions, total_votes=votes.total_votes)
