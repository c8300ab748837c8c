"""How much each training window counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hmsklearn.metrics import check_weight

__all__ = ["row_weights"]

VoteWeight = str | Callable[[np.ndarray], Any] | None


def row_weights(
    sample_weight: Any,
    vote_weight: VoteWeight,
    total_votes: np.ndarray,
    *,
    caller: str,
) -> np.ndarray | None:
    """Combine the weights given by the user with those that votes imply.

    Parameters
    ----------
    sample_weight : array-like of shape (n_windows,), or None
        Weights given to ``fit``.
    vote_weight : {"linear", "log"}, callable or None
        ``"linear"`` is in proportion to the number of votes, ``"log"`` to its
        logarithm, ``log(votes + 1)``. A callable maps the array of totals to weights.
    total_votes : ndarray of shape (n_windows,)
        Votes behind each window; NaN where unknown.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_windows,) or None
        Product of both, not normalised; None when all windows count the same.

    Raises
    ------
    ValueError
        If weights are of the wrong shape, negative, not finite or all zero, or if
        votes are needed and unknown.

    Notes
    -----
    Only relations matter, since the estimator divides by the mean: votes / 20 and
    votes / 28 are the same thing.

    References
    ----------
    "linear": 2nd place of HMS (votes / 20, discussion 492254) and bilzard of the 4th
    (votes / 28, discussion 492240). "log": 15th place.

    Examples
    --------
    >>> votes = np.array([1.0, 3.0])
    >>> row_weights(None, "linear", votes, caller="doctest").tolist()
    [1.0, 3.0]
    >>> row_weights([2, 0], None, votes, caller="doctest").tolist()
    [2.0, 0.0]
    """
    weight = None
    if sample_weight is not None:
        weight = check_weight(sample_weight, total_votes.shape[0], caller)
    if vote_weight is not None:
        by_votes = _weight_of_votes(vote_weight, total_votes, caller)
        weight = by_votes if weight is None else weight * by_votes
    if weight is not None and not weight.any():
        raise ValueError(
            f"{caller}: all weights are zero, nothing is left to train on. Check "
            "sample_weight and vote_weight."
        )
    return weight


def _weight_of_votes(
    vote_weight: str | Callable[[np.ndarray], Any], total_votes: np.ndarray, caller: str
) -> np.ndarray:
    if not callable(vote_weight) and vote_weight not in ("linear", "log"):
        raise ValueError(
            f"{caller}: vote_weight={vote_weight!r} is not known. Give 'linear', "
            "'log', a callable of the number of votes, or None."
        )
    if np.isnan(total_votes).any():
        raise ValueError(
            f"{caller}: vote_weight={vote_weight!r} needs the number of votes of every "
            "window, and fractions do not tell it. Pass vote counts as y, or the "
            "weights as sample_weight together with vote_weight=None."
        )
    if callable(vote_weight):
        weight = vote_weight(total_votes.copy())
        checked = check_weight(
            np.asarray(weight), total_votes.shape[0], caller, what="vote_weight"
        )
        assert checked is not None  # it was given
        return checked
    if vote_weight == "linear":
        return total_votes.astype(np.float64)
    return np.log1p(total_votes)
