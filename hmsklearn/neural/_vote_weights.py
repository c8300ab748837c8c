"""Weights of windows by their number of votes, some of which change over a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmsklearn._params import check_integer, check_real

__all__ = ["DecayingVoteWeight", "MinimumVoteWeight", "TwoLevelVoteWeight"]


@dataclass(frozen=True)
class DecayingVoteWeight:
    """Weights that fall over the epochs where windows have few votes.

    Parameters
    ----------
    ranges : sequence of (min_votes, start, floor)
        The weight with which windows of at least so many votes start, and what it
        does not fall below; by number of votes, from 0.
    speed : float or sequence of float, default=1.2
        Share of the starting weight that is lost until the end; one for all ranges or
        one each.
    n_epochs : int, default=None
        Number of epochs until then; by default those of the training.

    Notes
    -----
    In epoch `e`, from 0, the weight is ``max(floor, start * (1 - speed * e /
    n_epochs))``. The estimator divides weights by their mean in the epoch: windows
    with many votes gain what the others lose.

    References
    ----------
    3rd place of HMS (discussion 492471): the defaults, over 30 epochs, are those of
    their code. Their text has .5 to 0 for 1 and 2 votes and .8 to .2 for 3 to 8.

    Examples
    --------
    >>> weight = DecayingVoteWeight(n_epochs=30)
    >>> weight(np.array([2, 5, 14]), 0, 30).tolist()
    [0.3, 0.5, 1.0]
    >>> weight(np.array([2, 5, 14]), 15, 30).round(2).tolist()
    [0.12, 0.2, 1.0]
    >>> text = DecayingVoteWeight(
    ...     ranges=((0, 0.5, 0.0), (3, 0.8, 0.2), (9, 1.0, 1.0)), speed=(1.0, 0.75, 0.0)
    ... )
    >>> text(np.array([2, 5, 14]), 5, 10).tolist()
    [0.25, 0.5, 1.0]
    """

    ranges: Sequence[tuple[float, float, float]] = (
        (0, 0.3, 0.02),
        (3, 0.5, 0.02),
        (8, 1.0, 1.0),
    )
    speed: float | Sequence[float] = 1.2
    n_epochs: int | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        name = type(self).__name__
        lows = [row[0] for row in self.ranges]
        if not lows or lows[0] > 1 or any(np.diff(lows) <= 0):
            raise ValueError(
                f"{name}: the numbers of votes that ranges start at must rise from 0 "
                f"or 1, got {lows}."
            )
        for row in self.ranges:
            for what, value in zip(("start", "floor"), row[1:], strict=True):
                check_real(value, f"{what} of {row}", caller=name, low=0)
        speeds = np.atleast_1d(np.asarray(self.speed, dtype=np.float64))
        if speeds.ndim != 1 or speeds.size not in (1, len(lows)):
            raise ValueError(
                f"{name}: speed={self.speed!r} must be one number, or one for each of "
                f"the {len(lows)} ranges."
            )
        for value in speeds.tolist():
            check_real(value, "speed", caller=name, low=0)
        if self.n_epochs is not None:
            check_integer(self.n_epochs, "n_epochs", caller=name, low=1)

    def __call__(
        self, total_votes: np.ndarray, epoch: int, n_epochs: int
    ) -> np.ndarray:
        """Weights in an epoch.

        Parameters
        ----------
        total_votes : ndarray of shape (n_windows,)
            Votes behind each window.
        epoch : int
            Number of the epoch, from 0.
        n_epochs : int
            Number of epochs of the training.

        Returns
        -------
        ndarray of shape (n_windows,)
            Weights.
        """
        lows, starts, floors = np.asarray(self.ranges, dtype=np.float64).T
        left = 1.0 - np.asarray(self.speed) * epoch / (self.n_epochs or n_epochs)
        weights = np.maximum(floors, starts * left)
        # Fewer votes than the first range (none at all) count as in the first.
        row = np.searchsorted(lows, total_votes, side="right") - 1
        return weights[np.maximum(row, 0)]


@dataclass(frozen=True)
class MinimumVoteWeight:
    """Weights in proportion to votes; from some epoch on, low ones are dropped.

    Parameters
    ----------
    epoch : int, default=16
        The epoch, from 0.
    minimum : float, default=0.3
        The lowest weight that still counts then; those below are zero.
    full_votes : float, default=28
        Number of votes that have weight one.

    References
    ----------
    bilzard of the 4th place of HMS (discussion 492240): with the defaults, over 24
    epochs, only windows with more than 8.4 votes are left in the last third.

    Examples
    --------
    >>> weight = MinimumVoteWeight()
    >>> weight(np.array([7, 14]), 0, 24).tolist()
    [0.25, 0.5]
    >>> weight(np.array([7, 14]), 16, 24).tolist()
    [0.0, 0.5]
    """

    epoch: int = 16
    minimum: float = 0.3
    full_votes: float = 28

    def __post_init__(self) -> None:
        """Check the parameters."""
        name = type(self).__name__
        check_integer(self.epoch, "epoch", caller=name, low=0)
        check_real(self.minimum, "minimum", caller=name, low=0)
        check_real(self.full_votes, "full_votes", caller=name, low=0, low_open=True)

    def __call__(
        self, total_votes: np.ndarray, epoch: int, n_epochs: int
    ) -> np.ndarray:
        """Weights in an epoch.

        Parameters
        ----------
        total_votes : ndarray of shape (n_windows,)
            Votes behind each window.
        epoch : int
            Number of the epoch, from 0.
        n_epochs : int
            Not used.

        Returns
        -------
        ndarray of shape (n_windows,)
            Weights.
        """
        weight = np.asarray(total_votes, dtype=np.float64) / self.full_votes
        if epoch >= self.epoch:
            weight = np.where(weight >= self.minimum, weight, 0.0)
        return weight


@dataclass(frozen=True)
class TwoLevelVoteWeight:
    """One weight for few votes, another one for many.

    Parameters
    ----------
    max_few : float, default=7
        Up to so many votes are few.
    few : float, default=0.25
        Weight of windows with few votes.
    many : float, default=1.0
        Weight of the others.

    References
    ----------
    5th place of HMS (discussion 492652): .25 up to 7 votes. Windows with few votes
    have 3.04 in the mean, those with many 14.29.

    Examples
    --------
    >>> TwoLevelVoteWeight()(np.array([3, 7, 10])).tolist()
    [0.25, 0.25, 1.0]
    """

    max_few: float = 7
    few: float = 0.25
    many: float = 1.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        for value in ("max_few", "few", "many"):
            check_real(getattr(self, value), value, caller=type(self).__name__, low=0)

    def __call__(self, total_votes: np.ndarray) -> np.ndarray:
        """Weights.

        Parameters
        ----------
        total_votes : ndarray of shape (n_windows,)
            Votes behind each window.

        Returns
        -------
        ndarray of shape (n_windows,)
            Weights.
        """
        return np.where(np.asarray(total_votes) <= self.max_few, self.few, self.many)
