"""Weights of test-time transforms, found on rows that the model has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import indexable

from hmsklearn._compat import safe_indexing, slice_fit_params
from hmsklearn.metrics import kl_divergence
from hmsklearn.votes import Votes

# A weight that is none but for rounding; its transform need not be computed.
_NOTHING = 1e-7

__all__ = [
    "FoundWeights",
    "check_transform_weights",
    "fit_transform_weights",
    "unseen_proba",
]


class FoundWeights(NamedTuple):
    """What :func:`fit_transform_weights` gives.

    Attributes
    ----------
    weights : ndarray of shape (n_transforms,)
        The weights, found on all rows.
    transform_kl : list of float
        Divergence under each transform alone.
    kl : float
        Divergence of the average where the rows of each fold have weights that were
        found on the others.
    kl_in_sample : float
        Divergence of the average with the final weights.
    """

    weights: np.ndarray
    transform_kl: list[float]
    kl: float
    kl_in_sample: float


def fit_transform_weights(
    pool: Any,
    proba: np.ndarray,
    votes: Votes,
    weight: np.ndarray | None,
    splits: list[tuple[np.ndarray, np.ndarray]],
) -> FoundWeights:
    """Find the weights of the transforms, and what they are worth.

    Parameters
    ----------
    pool : KLBlender
        What finds them.
    proba : ndarray of shape (n_rows, n_transforms, n_classes)
        Probabilities of rows that the model has not seen.
    votes : Votes
        Votes about the rows.
    weight : ndarray of shape (n_rows,) or None
        Weights of the rows.
    splits : list of (ndarray, ndarray)
        Row numbers of the folds.

    Returns
    -------
    FoundWeights
        Weights and divergences.

    Examples
    --------
    >>> from hmsklearn.ensemble import KLBlender
    >>> from hmsklearn.votes import check_votes
    >>> proba = np.array([[[0.9, 0.1], [0.5, 0.5]], [[0.2, 0.8], [0.5, 0.5]]])
    >>> votes = check_votes([[9, 1], [2, 8]], classes=[0, 1])
    >>> splits = [(np.array([0]), np.array([1])), (np.array([1]), np.array([0]))]
    >>> pool = KLBlender(classes=[0, 1])
    >>> fit_transform_weights(pool, proba, votes, None, splits).weights
    array([1., 0.])
    """
    target = votes.fractions

    def fitted(rows: Any) -> Any:
        own = {} if weight is None else {"sample_weight": weight[rows]}
        return clone(pool).fit(proba[rows], target[rows], **own)

    def kl(predicted: np.ndarray) -> float:
        return float(kl_divergence(target, predicted, sample_weight=weight))

    crossed = np.empty(target.shape)
    for train, test in splits:
        crossed[test] = fitted(train).predict_proba(proba[test])
    final = fitted(slice(None))
    each = [kl(proba[:, number]) for number in range(proba.shape[1])]
    together = final.predict_proba(proba)
    weights = np.where(final.weights_ < _NOTHING, 0.0, final.weights_)
    return FoundWeights(weights / weights.sum(), each, kl(crossed), kl(together))


def check_transform_weights(
    weights: Any, default: tuple[float, ...] | None, n_transforms: int, caller: str
) -> np.ndarray | None:
    """Check the weights of the transforms and let them sum to one.

    Parameters
    ----------
    weights : None, "fit" or array-like of shape (n_transforms,)
        What the user gave.
    default : tuple of float or None
        What stands for None; None are equal weights.
    n_transforms : int
        Number of transforms.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_transforms,) or None
        The weights; None where they are to be fitted.

    Raises
    ------
    ValueError
        For another number of weights than transforms, for negative, infinite or
        missing ones, and if all are zero.

    Examples
    --------
    >>> check_transform_weights([3, 1], None, 2, "doctest").tolist()
    [0.75, 0.25]
    """
    if isinstance(weights, str):
        if weights != "fit":
            raise ValueError(
                f"{caller}: weights must be 'fit', one number for each transform, or "
                f"None, got {weights!r}."
            )
        return None
    if weights is None:
        weights = np.ones(n_transforms) if default is None else default
    try:
        values = np.array(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{caller}: weights must be numbers, got {weights!r} ({error})."
        ) from None
    if values.shape != (n_transforms,):
        raise ValueError(
            f"{caller}: weights has shape {values.shape}, and there are "
            f"{n_transforms} transforms. Give one weight for each."
        )
    if not np.isfinite(values).all() or (values < 0).any() or values.sum() == 0:
        raise ValueError(
            f"{caller}: weights must be finite and not negative, and one of them above "
            f"zero, got {values.tolist()}."
        )
    return values / values.sum()


def unseen_proba(
    estimator: Any,
    X: Any,
    y: Any,
    splits: list[tuple[np.ndarray, np.ndarray]],
    fit_params: Mapping[str, Any],
    predict: Callable[[Any, Any], tuple[np.ndarray, np.ndarray]],
    caller: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Predict every row, under every transform, by a clone that has not seen it.

    Parameters
    ----------
    estimator : estimator
        Cloned for every fold. A frozen one predicts all rows itself.
    X, y : array-like
        Data and target, cut by row.
    splits : list of (ndarray, ndarray)
        Row numbers of the folds, a partition.
    fit_params : mapping
        Keyword arguments of ``fit``, cut by row where they have one entry a row.
    predict : callable
        Takes a fitted estimator and rows; gives probabilities of shape
        (n_rows, n_transforms, n_classes) and the classes.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    proba : ndarray of shape (n_rows, n_transforms, n_classes)
        The probabilities, in the order of the rows.
    classes : ndarray of shape (n_classes,)
        The classes of the columns.

    Raises
    ------
    ValueError
        If the folds disagree about the classes.
    """
    if isinstance(estimator, FrozenEstimator):
        return predict(estimator, X)
    # What has no rows to take out, only a conversion to an array, is converted.
    (X,), (y,) = indexable(X), indexable(y)
    parts, known = [], []
    for number, (train, test) in enumerate(splits):
        fitted = clone(estimator).fit(
            safe_indexing(X, train),
            safe_indexing(y, train),
            **slice_fit_params(X, params=fit_params, indices=train),
        )
        part, classes = predict(fitted, safe_indexing(X, test))
        parts.append(part)
        known.append(classes)
        if not np.array_equal(classes, known[0]):
            raise ValueError(
                f"{caller}: the classes are {known[0].tolist()} in fold 0 and "
                f"{classes.tolist()} in fold {number}. Give y as votes of shape "
                "(n, n_classes), or splits in which every class is in every training "
                "part."
            )
    rows = np.concatenate([test for _, test in splits])
    proba = np.empty((rows.size, *parts[0].shape[1:]))
    proba[rows] = np.concatenate(parts)
    return proba, known[0]
