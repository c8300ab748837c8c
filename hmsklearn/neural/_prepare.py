"""From what a user hands to ``fit`` to what is trained and validated on."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmsklearn._groups import check_groups
from hmsklearn.neural._data import WindowDataset, check_batchable, split_rows
from hmsklearn.neural._row_weights import VoteWeight, row_weights
from hmsklearn.votes import check_votes, resolve_classes

__all__ = ["prepare_fit"]


def prepare_fit(
    X: np.ndarray,
    y: Any,
    sample_weight: Any,
    groups: Any,
    X_val: Any,
    y_val: Any,
    *,
    classes: Any,
    vote_weight: VoteWeight,
    validation_fraction: float | None,
    random_state: np.random.RandomState,
    caller: str,
) -> tuple[WindowDataset, WindowDataset | None, np.ndarray]:
    """Check targets, weights and groups, and divide the windows.

    Parameters
    ----------
    X : ndarray of shape (n_windows, ...)
        Checked windows.
    y, sample_weight, groups, X_val, y_val
        As in ``fit``.
    classes : "hms", "infer", None or sequence of labels
        See :func:`hmsklearn.votes.resolve_classes`.
    vote_weight : {"linear", "log"}, callable or None
        See :func:`hmsklearn.neural._row_weights.row_weights`.
    validation_fraction : float or None
        Share to validate on where `X_val` is not given; None for no validation.
    random_state : RandomState
        Where the division is drawn from.
    caller : str
        Name that starts the messages.

    Returns
    -------
    train : WindowDataset
        Windows to train on, none of weight zero; weights have mean one.
    valid : WindowDataset or None
        Windows to validate on.
    classes : ndarray of shape (n_classes,)
        Labels in column order.

    Raises
    ------
    ValueError
        If anything does not fit.

    Examples
    --------
    >>> train, valid, classes = prepare_fit(
    ...     np.zeros((3, 2, 8)), ["LPD", "GPD", "LPD"], [1, 1, 0], None, None, None,
    ...     classes="hms", vote_weight=None, validation_fraction=None,
    ...     random_state=np.random.RandomState(0), caller="doctest")
    >>> len(train), valid, len(classes)
    (2, None, 6)
    """
    inferred = classes is None or (isinstance(classes, str) and classes == "infer")
    labels = resolve_classes(classes, y, caller=caller)
    votes = check_votes(y, classes=classes, n_windows=X.shape[0], caller=caller)
    weight = row_weights(sample_weight, vote_weight, votes.total_votes, caller=caller)
    groups = check_groups(groups, X.shape[0], caller=caller)
    valid = _given_validation(X, labels, X_val, y_val, caller)

    rows = np.arange(X.shape[0]) if weight is None else np.flatnonzero(weight)
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
            fraction=validation_fraction,
            random_state=random_state,
            caller=caller,
        )
        valid = WindowDataset(X, votes.fractions, rows=valid_rows)
    if rows.size < 2:
        raise ValueError(
            f"{caller}: needs at least 2 samples (windows) to train on, got n_samples "
            f"= {rows.size}. Give more data."
        )
    if weight is not None:
        # Mean one over what is trained on: see VoteKLLoss.
        weight = weight / weight[rows].mean()
    return WindowDataset(X, votes.fractions, weight, rows), valid, labels


def _given_validation(
    X: np.ndarray, labels: np.ndarray, X_val: Any, y_val: Any, caller: str
) -> WindowDataset | None:
    if X_val is None and y_val is None:
        return None
    if X_val is None or y_val is None:
        missing = "X_val" if X_val is None else "y_val"
        raise ValueError(
            f"{caller}: X_val and y_val go together, {missing} is missing."
        )
    X_val = check_batchable(X_val, caller=f"{caller} (X_val)", ndim=(X.ndim,))
    if X_val.shape[1:] != X.shape[1:]:
        raise ValueError(
            f"{caller}: windows of X_val have shape {X_val.shape[1:]}, those of X "
            f"{X.shape[1:]}. Give X_val the same preprocessing."
        )
    votes = check_votes(
        y_val,
        classes=labels.tolist(),
        n_windows=X_val.shape[0],
        caller=f"{caller} (y_val)",
    )
    return WindowDataset(X_val, votes.fractions)
