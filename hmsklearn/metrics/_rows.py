"""What every score of probabilities checks first: rows, weights, vote totals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hmsklearn.votes import (
    check_votes,
    in_class_order,
    names_hms_classes,
    resolve_classes,
)

__all__ = [
    "EPSILON",
    "ScoredRows",
    "check_probabilities",
    "check_rows",
    "check_weight",
    "default_classes",
    "enough_votes",
    "kl_terms",
    "known_totals",
    "target_classes",
]

#: Predictions are clipped to [EPSILON, 1 - EPSILON], as the competition did.
EPSILON = 1e-15

# A blend of probabilities whose weights sum to one up to rounding can exceed one.
_ROUNDING = 1e-6


class ScoredRows(NamedTuple):
    """Targets and predictions of the rows that are scored.

    Attributes
    ----------
    fractions : ndarray of shape (n, n_classes)
        Vote fractions.
    total_votes : ndarray of shape (n,)
        Votes behind each row, NaN where they are not known.
    proba : ndarray of shape (n, n_classes)
        Predicted probabilities, as they came.
    weight : ndarray of shape (n,) or None
        Weights of the rows.
    labels : ndarray of shape (n_classes,)
        Class labels in column order.
    kept : ndarray of int
        Which of the rows given these are.
    """

    fractions: np.ndarray
    total_votes: np.ndarray
    proba: np.ndarray
    weight: np.ndarray | None
    labels: np.ndarray
    kept: np.ndarray


def check_rows(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    min_votes: float | None = None,
    total_votes: Any = None,
    classes: str | Sequence[Any] | np.ndarray | None = None,
    name: str,
) -> ScoredRows:
    """Check targets, predictions and weights, and keep the rows with enough votes.

    Parameters
    ----------
    y_true : array-like of shape (n, n_classes) or (n,)
        Vote counts, fractions or hard labels.
    y_pred : array-like of shape (n, n_classes)
        Predicted probabilities.
    sample_weight : array-like of shape (n,), optional
        Weights of the rows.
    min_votes : float, optional
        Keep only rows with at least this many votes.
    total_votes : array-like of shape (n,), optional
        Votes behind each row, where `y_true` holds fractions.
    classes : "hms", "infer", None or sequence of labels, default=None
        Labels in column order, see :func:`kl_divergence`.
    name : str
        Name that starts the error messages.

    Returns
    -------
    ScoredRows
        The rows to score.

    Raises
    ------
    ValueError
        As :func:`kl_divergence` says.
    """
    labels = target_classes(y_true, y_pred, classes, name)
    prob = check_probabilities(in_class_order(y_pred, labels, name, "y_pred"), name)
    votes = check_votes(y_true, classes=labels, n_windows=prob.shape[0], caller=name)
    truth = votes.fractions
    if truth.shape != prob.shape:
        raise ValueError(
            f"{name}: y_true has {truth.shape[1]} classes, y_pred has "
            f"{prob.shape[1]} columns."
        )
    weight = check_weight(sample_weight, prob.shape[0], name)
    totals = known_totals(votes.total_votes, total_votes, name)
    kept = np.arange(prob.shape[0])
    if min_votes is not None:
        kept = np.flatnonzero(enough_votes(totals, min_votes, name))
    if weight is not None:
        weight = weight[kept]
        if weight.sum() == 0:
            raise ValueError(f"{name}: the weights of the scored rows sum to zero.")
    return ScoredRows(truth[kept], totals[kept], prob[kept], weight, labels, kept)


def kl_terms(fractions: np.ndarray, proba: np.ndarray) -> np.ndarray:
    """Split the divergence of each row into what each class adds to it.

    Parameters
    ----------
    fractions : ndarray of shape (n, n_classes)
        Vote fractions.
    proba : ndarray of shape (n, n_classes)
        Predictions; they are clipped as the competition did.

    Returns
    -------
    ndarray of shape (n, n_classes)
        ``y log(y / p)``, zero where nobody voted; negative where a class was
        predicted more often than voted for.
    """
    prob = np.clip(proba, EPSILON, 1.0 - EPSILON)
    voted = fractions > 0
    terms = np.zeros_like(fractions)
    terms[voted] = fractions[voted] * np.log(fractions[voted] / prob[voted])
    return terms


def known_totals(counted: np.ndarray, given: Any, name: str) -> np.ndarray:
    """Take the votes behind each row from the caller, else from the counts."""
    if given is None:
        return counted
    totals = np.asarray(given, dtype=np.float64)
    if totals.shape != counted.shape:
        raise ValueError(
            f"{name}: total_votes has shape {totals.shape}, expected {counted.shape}."
        )
    return totals


def target_classes(
    y_true: Any,
    y_pred: Any,
    classes: str | Sequence[Any] | np.ndarray | None,
    name: str,
) -> np.ndarray:
    """Resolve the labels of the columns; None chooses by what the tables look like."""
    if classes is None:
        classes = default_classes(y_true, y_pred)
    return resolve_classes(classes, y_true, caller=name)


def check_weight(
    sample_weight: Any, n_rows: int, name: str, *, what: str = "sample_weight"
) -> np.ndarray | None:
    """Check the weights of the rows.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,) or None
        The weights.
    n_rows : int
        Number of rows of the data.
    name : str
        Name that starts the error messages.
    what : str, default="sample_weight"
        What the messages call the weights.

    Returns
    -------
    ndarray of shape (n_rows,) or None
        The weights as float64, None if there were none.

    Raises
    ------
    ValueError
        For a wrong shape, negative, NaN or infinite weights; the message names the
        first row.

    Examples
    --------
    >>> check_weight([1, 2], 2, "doctest")
    array([1., 2.])
    >>> check_weight([1, -2], 2, "doctest")
    Traceback (most recent call last):
        ...
    ValueError: doctest: sample_weight must be finite and not negative, it is -2.0 in \
row 1.
    """
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_rows,):
        raise ValueError(
            f"{name}: {what} has shape {weight.shape}, expected ({n_rows},)."
        )
    bad = np.flatnonzero(~(np.isfinite(weight) & (weight >= 0)))
    if bad.size:
        raise ValueError(
            f"{name}: {what} must be finite and not negative, it is "
            f"{weight[bad[0]]} in row {bad[0]}."
        )
    return weight


def default_classes(y_true: Any, y_pred: Any) -> str:
    """Choose between the six patterns and numbered columns."""
    if names_hms_classes(y_true) or names_hms_classes(y_pred):
        return "hms"
    try:
        shape = np.shape(y_true)
    except ValueError:  # rows of different lengths, which check_votes explains
        return "infer"
    return "infer" if len(shape) > 1 and shape[1] > 1 else "hms"


def check_probabilities(y_pred: Any, name: str) -> np.ndarray:
    """Return predictions as float64, or say what is wrong with the first bad row."""
    try:
        prob = np.asarray(y_pred, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: y_pred is not a table of numbers ({error}). Pass probabilities "
            "of shape (n, n_classes) (predict_proba, not predict)."
        ) from None
    if prob.ndim != 2:
        raise ValueError(
            f"{name}: y_pred has shape {prob.shape}, expected (n, n_classes) "
            "probabilities (predict_proba, not predict)."
        )
    outside = (prob < 0) | (prob > 1 + _ROUNDING)
    for what, bad in (
        ("NaN or infinite entries", ~np.isfinite(prob).all(axis=1)),
        ("entries outside [0, 1]", outside.any(axis=1)),
        ("rows that do not sum to one", np.abs(prob.sum(axis=1) - 1) > 1e-4),
    ):
        rows = np.flatnonzero(bad)
        if rows.size:
            raise ValueError(
                f"{name}: y_pred has {what} (first in row {rows[0]}, {rows.size} in "
                "all). Pass softmax probabilities, not logits or clipped values."
            )
    return prob


def enough_votes(totals: np.ndarray, min_votes: float, name: str) -> np.ndarray:
    """Tell which rows have as many votes as are asked for."""
    if np.isnan(totals).any():
        raise ValueError(
            f"{name}: min_votes={min_votes} needs the number of votes of every row, "
            "and fractions do not tell it. Pass vote counts as y_true, or total_votes."
        )
    keep = totals >= min_votes
    if not keep.any():
        raise ValueError(
            f"{name}: no row has {min_votes} votes or more (the largest total is "
            f"{totals.max():g}). Lower min_votes."
        )
    return keep
