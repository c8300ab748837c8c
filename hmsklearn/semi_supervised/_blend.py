"""New labels out of old ones and of what teachers say."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmsklearn._params import check_real

__all__ = ["blend_pseudo_labels", "mean_of_teachers"]


def blend_pseudo_labels(
    old: Any,
    teachers: Any,
    *,
    old_weight: float = 0.1,
    teacher_weight: float = 0.9,
    normalize: bool = True,
) -> np.ndarray:
    """Mix the old labels of rows with the mean of the teachers' probabilities.

    Parameters
    ----------
    old : array-like of shape (n, n_classes) or None
        Vote fractions of the rows. A row of NaN has no label yet and gets the
        teachers' alone; None stands for rows that are all without.
    teachers : array-like of shape (n, n_classes) or (n, n_teachers, n_classes)
        Probabilities of one teacher, or of several. NaN where a teacher does not speak
        about a row; the others' mean counts there.
    old_weight : float, default=0.1
        Weight `a` of the old label.
    teacher_weight : float, default=0.9
        Weight `b` of the mean of the teachers.
    normalize : bool, default=True
        Whether to divide each new label by its sum. Without, rows sum to
        ``old_weight + teacher_weight``.

    Returns
    -------
    ndarray of shape (n, n_classes)
        ``a * old + b * mean(teachers)``; a new float64 array.

    Raises
    ------
    ValueError
        If shapes do not fit, a row has no teacher, numbers are negative or infinite, or
        both weights are zero.

    Notes
    -----
    With `normalize` only the relation of the two weights matters.

    References
    ----------
    8th place of HMS (discussion 492482): ``.1 * old + .3 * (m1 + m2 + m3)``, which is
    the default with three teachers.

    Examples
    --------
    >>> three = [[[0.5, 0.5], [0.8, 0.2], [0.8, 0.2]]]
    >>> blend_pseudo_labels([[0.0, 1.0]], three).round(2).tolist()
    [[0.63, 0.37]]
    >>> blend_pseudo_labels(None, [[0.25, 0.75]]).tolist()
    [[0.25, 0.75]]
    """
    name = "blend_pseudo_labels"
    a = check_real(old_weight, "old_weight", caller=name, low=0)
    b = check_real(teacher_weight, "teacher_weight", caller=name, low=0)
    if a + b == 0:
        raise ValueError(
            f"{name}: old_weight and teacher_weight are both zero, so that no label is "
            "left. Raise one of them."
        )
    mean = mean_of_teachers(teachers, caller=name)
    before = np.full(mean.shape, np.nan) if old is None else _checked_old(old, mean)
    unlabelled = np.isnan(before).all(axis=1)
    if unlabelled.any() and b == 0:
        raise ValueError(
            f"{name}: {unlabelled.sum()} rows have no old label, and teacher_weight=0 "
            "leaves them none. Raise it, or leave those rows out."
        )
    new = a * np.where(unlabelled[:, None], 0.0, before) + b * mean
    if not normalize:
        new[unlabelled] = (a + b) * mean[unlabelled]
        return new
    return new / new.sum(axis=1, keepdims=True)


def mean_of_teachers(teachers: Any, *, caller: str) -> np.ndarray:
    """Check the probabilities of teachers and take their mean.

    Parameters
    ----------
    teachers : array-like of shape (n, n_classes) or (n, n_teachers, n_classes)
        Probabilities; NaN where a teacher does not speak about a row.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n, n_classes)
        Their mean over those who speak.

    Raises
    ------
    ValueError
        For a wrong number of axes, rows without teacher, or what is no probability.

    Examples
    --------
    >>> two = np.array([[[0.2, 0.8], [0.4, 0.6]], [[0.1, 0.9], [np.nan, np.nan]]])
    >>> mean_of_teachers(two, caller="doctest").round(2).tolist()
    [[0.3, 0.7], [0.1, 0.9]]
    """
    values = np.asarray(teachers, dtype=np.float64)
    if values.ndim == 2:
        values = values[:, None, :]
    if values.ndim != 3 or 0 in values.shape[1:]:
        raise ValueError(
            f"{caller}: teachers has shape {np.shape(teachers)}, expected (n, "
            "n_classes) or (n, n_teachers, n_classes)."
        )
    silent = np.all(np.isnan(values), axis=2)
    positive = np.all(values >= 0, axis=2)
    good = silent | (positive & (np.abs(values.sum(axis=2) - 1.0) <= 1e-3))
    wrong = np.flatnonzero(~good.all(axis=1))
    if wrong.size:
        raise ValueError(
            f"{caller}: teachers gives {wrong.size} rows that are no probabilities "
            f"(first in row {wrong[0]}: {values[wrong[0]].tolist()}). Rows must be "
            "positive and sum to one, or be NaN where a teacher does not speak."
        )
    alone = np.flatnonzero(silent.all(axis=1))
    if alone.size:
        raise ValueError(
            f"{caller}: no teacher speaks about {alone.size} rows (first: row "
            f"{alone[0]}). Leave them out."
        )
    spoken = np.where(silent[:, :, None], 0.0, values).sum(axis=1)
    return spoken / spoken.sum(axis=1, keepdims=True)


def _checked_old(old: Any, mean: np.ndarray) -> np.ndarray:
    values = np.asarray(old, dtype=np.float64)
    if values.shape != mean.shape:
        raise ValueError(
            f"blend_pseudo_labels: old has shape {values.shape}, the teachers' "
            f"probabilities {mean.shape}. Give one row for each and the same classes."
        )
    nothing = np.isnan(values).all(axis=1)
    fine = (values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1.0) <= 1e-3)
    wrong = np.flatnonzero(~(nothing | fine))
    if wrong.size:
        raise ValueError(
            f"blend_pseudo_labels: old has {wrong.size} rows that are no fractions "
            f"(first in row {wrong[0]}: {values[wrong[0]].tolist()}). Divide counts by "
            "their sum (hmsklearn.votes.check_votes); give NaN for rows without label."
        )
    return values
