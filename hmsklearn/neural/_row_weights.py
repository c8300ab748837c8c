"""How much each training window counts."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from hmsklearn.metrics import check_weight
from hmsklearn.neural._vote_weights import (
    DecayingVoteWeight,
    MinimumVoteWeight,
    TwoLevelVoteWeight,
)

__all__ = [
    "DecayingVoteWeight",
    "MinimumVoteWeight",
    "TwoLevelVoteWeight",
    "epoch_weights",
    "is_epoch_dependent",
    "row_weights",
]

VoteWeight = str | Callable[..., Any] | None


def row_weights(
    sample_weight: Any,
    vote_weight: VoteWeight,
    total_votes: np.ndarray,
    *,
    caller: str,
    epoch: int | None = None,
    n_epochs: int | None = None,
) -> np.ndarray | None:
    """Combine the weights given by the user with those that votes imply.

    Parameters
    ----------
    sample_weight : array-like of shape (n_windows,), or None
        Weights given to ``fit``.
    vote_weight : {"linear", "log"}, callable or None
        ``"linear"`` is in proportion to the number of votes, ``"log"`` to its
        logarithm, ``log(votes + 1)``. A callable maps the array of totals to weights;
        one with a parameter called ``epoch`` is called as ``vote_weight(total_votes,
        epoch, n_epochs)`` and may change over the training.
    total_votes : ndarray of shape (n_windows,)
        Votes behind each window; NaN where unknown.
    caller : str
        Name that starts the error messages.
    epoch, n_epochs : int, optional
        Number of the epoch, from 0, and of all epochs. Without, weights that depend on
        them are left out of the product: a window that counts for nothing now may
        count later.

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
        _check_vote_weight(vote_weight, total_votes, caller)
        if epoch is not None or not is_epoch_dependent(vote_weight):
            by_votes = epoch_weights(
                vote_weight, total_votes, epoch or 0, n_epochs or 1, caller=caller
            )
            weight = by_votes if weight is None else weight * by_votes
    if weight is not None and not weight.any():
        raise ValueError(
            f"{caller}: all weights are zero, nothing is left to train on. Check "
            "sample_weight and vote_weight."
        )
    return weight


def epoch_weights(
    vote_weight: str | Callable[..., Any],
    total_votes: np.ndarray,
    epoch: int,
    n_epochs: int,
    *,
    caller: str,
) -> np.ndarray:
    """Weights that votes imply in one epoch.

    Parameters
    ----------
    vote_weight : {"linear", "log"} or callable
        See :func:`row_weights`.
    total_votes : ndarray of shape (n_windows,)
        Votes behind each window.
    epoch : int
        Number of the epoch, from 0.
    n_epochs : int
        Number of all epochs.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_windows,), float64
        Weights, not normalised.

    Raises
    ------
    ValueError
        If `vote_weight` is not known, votes are not, or the weights are of the wrong
        shape, negative or not finite.

    Examples
    --------
    >>> weight = DecayingVoteWeight()
    >>> epoch_weights(weight, np.array([3.0, 14.0]), 5, 10, caller="doctest").tolist()
    [0.2, 1.0]
    """
    _check_vote_weight(vote_weight, total_votes, caller)
    if callable(vote_weight):
        more = (epoch, n_epochs) if is_epoch_dependent(vote_weight) else ()
        weight = vote_weight(total_votes.copy(), *more)
        checked = check_weight(
            np.asarray(weight), total_votes.shape[0], caller, what="vote_weight"
        )
        assert checked is not None  # it was given
        return checked
    if vote_weight == "linear":
        return total_votes.astype(np.float64)
    return np.log1p(total_votes)


def is_epoch_dependent(vote_weight: VoteWeight) -> bool:
    """Whether weights may change from epoch to epoch.

    Parameters
    ----------
    vote_weight : str, callable or None
        See :func:`row_weights`.

    Returns
    -------
    bool
        True for a callable with a parameter called ``epoch``.

    Examples
    --------
    >>> is_epoch_dependent("linear"), is_epoch_dependent(DecayingVoteWeight())
    (False, True)
    """
    if not callable(vote_weight):
        return False
    try:
        return "epoch" in inspect.signature(vote_weight).parameters
    except ValueError:  # functions of NumPy tell nothing
        return False


def _check_vote_weight(
    vote_weight: str | Callable[..., Any], total_votes: np.ndarray, caller: str
) -> None:
    if not callable(vote_weight) and vote_weight not in ("linear", "log"):
        raise ValueError(
            f"{caller}: vote_weight={vote_weight!r} is not known. Give 'linear', "
            "'log', a callable of the number of votes, or None."
        )
    if isinstance(vote_weight, type):
        raise ValueError(
            f"{caller}: vote_weight is the class {vote_weight.__name__}; give an "
            f"instance, {vote_weight.__name__}()."
        )
    if np.isnan(total_votes).any():
        raise ValueError(
            f"{caller}: vote_weight={vote_weight!r} needs the number of votes of every "
            "window, and fractions do not tell it. Pass vote counts as y, or the "
            "weights as sample_weight together with vote_weight=None."
        )
