"""The competition's score, as a function and as scikit-learn scorers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hmsklearn._scoring import ProbabilityScorer
from hmsklearn.metrics._rows import check_rows, check_weight, kl_terms

__all__ = ["kl_divergence", "kl_scorer", "make_kl_scorer"]


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
    if sample_weight is not None and average != "micro":
        check_weight(sample_weight, len(sample_weight), name)
        raise ValueError(
            f"{name}: sample_weight is not defined for average={average!r}. Use "
            "average='micro'."
        )
    rows = check_rows(
        y_true,
        y_pred,
        sample_weight=sample_weight,
        min_votes=min_votes,
        total_votes=total_votes,
        classes=classes,
        name=name,
    )
    terms = kl_terms(rows.fractions, rows.proba)
    if average is None:
        return terms.sum(axis=1)
    if average == "macro":
        return float(terms.mean(axis=0).mean())
    return float(np.average(terms.sum(axis=1), weights=rows.weight))


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
