"""The competition's score, as a function and as scikit-learn scorers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hmsklearn._scoring import ProbabilityScorer
from hmsklearn.votes import (
    check_votes,
    in_class_order,
    names_hms_classes,
    resolve_classes,
)

__all__ = ["check_weight", "kl_divergence", "kl_scorer", "make_kl_scorer"]

#: Predictions are clipped to [EPSILON, 1 - EPSILON], as the competition did.
EPSILON = 1e-15

# A blend of probabilities whose weights sum to one up to rounding can exceed one.
_ROUNDING = 1e-6


def kl_divergence(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    min_votes: float | None = None,
    total_votes: Any = None,
    average: str | None = "micro",
    classes: str | Sequence[Any] | np.ndarray | None = None,
) -> float | np.ndarray:
    r"""Kullback-Leibler divergence from vote fractions to predictions.

    The metric of the HMS competition: predictions are clipped to
    ``[1e-15, 1 - 1e-15]`` and *not* renormalised, a row costs
    :math:`\sum_k y_k \log(y_k / p_k)` with :math:`0 \log 0 = 0`, and the score is the
    (weighted) mean over rows. Lower is better, zero is perfect.

    Parameters
    ----------
    y_true : array-like of shape (n, n_classes) or (n,)
        Vote counts, fractions or hard labels, see
        :func:`hmsklearn.votes.check_votes`.
    y_pred : array-like of shape (n, n_classes)
        Predicted probabilities; finite, in [0, 1], rows summing to one. Like `y_true`,
        a DataFrame with the vote columns in any order is put into class order.
    sample_weight : array-like of shape (n,), optional
        Weights of the rows; only with ``average="micro"``.
    min_votes : float, optional
        Score only rows with at least this many votes. The test set of the
        competition holds rows of ten and more votes, so ``min_votes=10`` is what
        agrees with its leaderboard.
    total_votes : array-like of shape (n,), optional
        Votes behind each row, needed for `min_votes` when `y_true` holds fractions.
    average : {"micro", "macro", None}, default="micro"
        ``"micro"`` is the mean of the row sums (the competition's), ``"macro"`` the
        mean over classes of the column means, None the row sums themselves.
    classes : "hms", "infer", None or sequence of labels, default=None
        Labels in column order. None takes :data:`hmsklearn.votes.CLASSES` for hard
        labels and for DataFrames that name them, and numbered columns for other
        tables, of any width.

    Returns
    -------
    float or ndarray of shape (n_scored,)
        The divergence in nat; an array with ``average=None``.

    Raises
    ------
    ValueError
        If `y_pred` is not a table of probabilities of the width of `y_true`, if no
        row reaches `min_votes`, if the totals that `min_votes` needs are unknown, or
        if the weights are negative, not finite or all zero, or given where there is
        no weighted mean.

    References
    ----------
    Kaggle, HMS - Harmful Brain Activity Classification, evaluation page and
    discussion 466731.

    Examples
    --------
    >>> y = [[0, 1], [1, 0], [1, 0], [0, 1]]
    >>> p = [[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.35, 0.65]]
    >>> round(kl_divergence(y, p), 6)
    0.216162
    """
    name = "kl_divergence"
    if average not in ("micro", "macro", None):
        raise ValueError(
            f"{name}: average={average!r} is not known. Give 'micro' (the "
            "competition's), 'macro' or None."
        )
    if classes is None:
        classes = _default_classes(y_true, y_pred)
    labels = resolve_classes(classes, y_true, caller=name)
    prob = _check_probabilities(in_class_order(y_pred, labels, name, "y_pred"), name)
    votes = check_votes(y_true, classes=classes, n_windows=prob.shape[0], caller=name)
    truth = votes.fractions
    if truth.shape != prob.shape:
        raise ValueError(
            f"{name}: y_true has {truth.shape[1]} classes, y_pred has "
            f"{prob.shape[1]} columns."
        )
    weight = check_weight(sample_weight, prob.shape[0], name)
    if weight is not None and average != "micro":
        raise ValueError(
            f"{name}: sample_weight is not defined for average={average!r}. Use "
            "average='micro'."
        )
    if min_votes is not None:
        keep = _enough_votes(votes.total_votes, total_votes, min_votes, name)
        truth, prob = truth[keep], prob[keep]
        weight = None if weight is None else weight[keep]

    prob = np.clip(prob, EPSILON, 1.0 - EPSILON)
    voted = truth > 0
    terms = np.zeros_like(truth)
    terms[voted] = truth[voted] * np.log(truth[voted] / prob[voted])
    if average is None:
        return terms.sum(axis=1)
    if average == "macro":
        return float(terms.mean(axis=0).mean())
    rows = terms.sum(axis=1)
    if weight is not None and weight.sum() == 0:
        raise ValueError(f"{name}: the weights of the scored rows sum to zero.")
    return float(np.average(rows, weights=weight))


def make_kl_scorer(
    *,
    min_votes: float | None = None,
    average: str = "micro",
    classes: str | Sequence[Any] | None = None,
) -> Callable[..., float]:
    """Make a scorer of the negative KL divergence for ``scoring=``.

    Parameters
    ----------
    min_votes : float, optional
        Score only rows with at least this many votes; `y` must then hold counts.
    average : {"micro", "macro"}, default="micro"
        See :func:`kl_divergence`.
    classes : "hms", "infer", None or sequence of labels, default=None
        Labels of the target's columns. None and "infer" take the estimator's
        ``classes_``. Its columns are put into that order before they are scored, and
        the six names of :data:`hmsklearn.votes.CLASSES` into the competition's.

    Returns
    -------
    callable
        A scikit-learn scorer, ``scorer(estimator, X, y)``; greater is better, so it
        is the negative divergence. It takes `sample_weight` through metadata routing.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> scorer = make_kl_scorer()
    >>> X, y = [[0], [0], [0], [0]], [0, 1, 1, 1]
    >>> clf = DummyClassifier(strategy="prior").fit(X, y)
    >>> round(scorer(clf, X, y), 4)
    -0.5623
    """
    settings = {"min_votes": min_votes, "average": average, "classes": classes}
    return ProbabilityScorer(kl_divergence, -1, settings, "predict_proba")


#: Negative competition score, for ``scoring=`` in cross_val_score and GridSearchCV.
kl_scorer = make_kl_scorer()


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


def _default_classes(y_true: Any, y_pred: Any) -> str:
    """Choose between the six patterns and numbered columns."""
    if names_hms_classes(y_true) or names_hms_classes(y_pred):
        return "hms"
    try:
        shape = np.shape(y_true)
    except ValueError:  # rows of different lengths, which check_votes explains
        return "infer"
    return "infer" if len(shape) > 1 and shape[1] > 1 else "hms"


def _check_probabilities(y_pred: Any, name: str) -> np.ndarray:
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


def _enough_votes(
    counted: np.ndarray, given: Any, min_votes: float, name: str
) -> np.ndarray:
    totals = counted if given is None else np.asarray(given, dtype=np.float64)
    if totals.shape != counted.shape:
        raise ValueError(
            f"{name}: total_votes has shape {totals.shape}, expected {counted.shape}."
        )
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
