"""Which windows an epoch trains on, and what they learn where an EEG has several."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

__all__ = [
    "SAMPLINGS",
    "GroupSampling",
    "WeightedSampling",
    "average_targets",
    "make_sampling",
    "stationary_periods",
]

#: Names of the ways to draw.
SAMPLINGS = (
    "eeg",
    "eeg_by_votes",
    "period",
    "pattern",
    "votes",
    "class",
    "top_class",
)

_NEED_EEG = ("eeg", "eeg_by_votes", "period", "pattern")
_NEED_VOTES = ("eeg_by_votes", "votes")


class GroupSampling:
    """Draw one window of every group.

    Parameters
    ----------
    rows : ndarray of int, shape (n_windows,)
        Windows to draw from.
    group : ndarray of int, shape (n_windows,)
        Group of each of them.
    weight : ndarray of shape (n_windows,), default=None
        How likely each is within its group, in proportion; all alike without.

    Attributes
    ----------
    n_rows : int
        Number of windows in an epoch.

    Examples
    --------
    >>> sampling = GroupSampling(np.array([4, 7, 9]), np.array([0, 0, 1]))
    >>> sampling.draw()[1], sampling.n_rows
    (np.int64(9), 2)
    """

    def __init__(
        self, rows: np.ndarray, group: np.ndarray, weight: np.ndarray | None = None
    ) -> None:
        order = np.argsort(group, kind="stable")
        self._rows = np.asarray(rows, dtype=np.int64)[order]
        _, self._first, counts = np.unique(
            group[order], return_index=True, return_counts=True
        )
        self._last = self._first + counts - 1
        weights = np.ones(order.size) if weight is None else weight[order]
        self._weights = weights.astype(np.float64)
        self._ends = np.cumsum(self._weights)
        self._begin = np.concatenate([[0.0], self._ends])[self._first]
        self._width = self._ends[self._last] - self._begin
        self.n_rows = counts.size

    def draw(self, generator: torch.Generator | None = None) -> np.ndarray:
        """Rows of one epoch.

        Parameters
        ----------
        generator : torch.Generator, optional
            Random state; torch's global one without.

        Returns
        -------
        ndarray of shape (n_rows,), int64
            One row of every group.
        """
        u = torch.rand(self.n_rows, dtype=torch.float64, generator=generator).numpy()
        # Where a number falls among the ends is which window it stands for.
        found = np.searchsorted(self._ends, self._begin + u * self._width, side="right")
        return self._rows[np.clip(found, self._first, self._last)]

    def mean_of(self, values: np.ndarray) -> float:
        """Mean over what is drawn, as it is to be expected.

        Parameters
        ----------
        values : ndarray of shape (n_all,)
            One number for each window that there is.

        Returns
        -------
        float
            The mean.
        """
        sums = np.add.reduceat(self._weights * values[self._rows], self._first)
        return float((sums / self._width).mean())


class WeightedSampling:
    """Draw as many windows as there are, some more often than others.

    Parameters
    ----------
    rows : ndarray of int, shape (n_windows,)
        Windows to draw from, with replacement.
    weight : ndarray of shape (n_windows,)
        How likely each is, in proportion.

    Attributes
    ----------
    n_rows : int
        Number of windows in an epoch.

    Examples
    --------
    >>> WeightedSampling(np.array([4, 7]), np.array([0.0, 1.0])).draw()
    array([7, 7])
    """

    def __init__(self, rows: np.ndarray, weight: np.ndarray) -> None:
        self._rows = np.asarray(rows, dtype=np.int64)
        self._weight = torch.as_tensor(weight, dtype=torch.float64)
        self.n_rows = self._rows.size

    def draw(self, generator: torch.Generator | None = None) -> np.ndarray:
        """Rows of one epoch.

        Parameters
        ----------
        generator : torch.Generator, optional
            Random state; torch's global one without.

        Returns
        -------
        ndarray of shape (n_rows,), int64
            Rows, of which some may come several times.
        """
        drawn = torch.multinomial(
            self._weight, self.n_rows, replacement=True, generator=generator
        )
        return self._rows[drawn.numpy()]

    def mean_of(self, values: np.ndarray) -> float:
        """Mean over what is drawn, as it is to be expected.

        Parameters
        ----------
        values : ndarray of shape (n_all,)
            One number for each window that there is.

        Returns
        -------
        float
            The mean.
        """
        return float(np.average(values[self._rows], weights=self._weight.numpy()))


class _OwnSampling:
    """What a user's function draws, checked."""

    def __init__(
        self, function: Callable[..., Any], given: dict[str, Any], caller: str
    ) -> None:
        self._function = function
        self._given = given
        self._caller = caller
        # A generator of its own: finding out how many there are is not a draw.
        self.n_rows = -1
        self.n_rows = self.draw(torch.Generator().manual_seed(0)).size

    def draw(self, generator: torch.Generator | None = None) -> np.ndarray:
        """Rows of one epoch.

        Parameters
        ----------
        generator : torch.Generator, optional
            Random state; torch's global one without.

        Returns
        -------
        ndarray of shape (n_rows,), int64
            Rows.
        """
        drawn = np.asarray(self._function(**self._given, generator=generator))
        if drawn.ndim != 1 or drawn.dtype.kind not in "iu" or drawn.size < 2:
            raise ValueError(
                f"{self._caller}: sampling must return at least two numbers of rows, "
                f"got shape {drawn.shape} of {drawn.dtype}."
            )
        strange = np.setdiff1d(drawn, self._given["rows"])
        if strange.size:
            raise ValueError(
                f"{self._caller}: sampling returned row {int(strange[0])}, which is "
                "not among the rows to draw from."
            )
        if self.n_rows not in (-1, drawn.size):
            raise ValueError(
                f"{self._caller}: sampling returned {drawn.size} rows, and "
                f"{self.n_rows} at first. Return equally many for every epoch."
            )
        return drawn.astype(np.int64)

    def mean_of(self, values: np.ndarray) -> float:
        """Mean over the windows that there are: what is drawn is not known.

        Parameters
        ----------
        values : ndarray of shape (n_all,)
            One number for each window that there is.

        Returns
        -------
        float
            The mean.
        """
        return float(values[self._given["rows"]].mean())


def make_sampling(
    sampling: str | Callable[..., Any] | None,
    *,
    eeg_id: np.ndarray | None,
    fractions: np.ndarray,
    total_votes: np.ndarray,
    rows: np.ndarray,
    caller: str,
) -> Any:
    """Prepare the draws of the epochs.

    Parameters
    ----------
    sampling : str, callable or None
        What an epoch trains on:

        * None: all windows.
        * ``"eeg"``: one window of every EEG, at random; ``"eeg_by_votes"``: in
          proportion to the votes.
        * ``"period"``: one window of every stationary period, see
          :func:`stationary_periods`; ``"pattern"``: of every set of windows of an EEG
          with the same vote fractions, wherever they are.
        * ``"votes"``: as many windows as there are, in proportion to their votes.
        * ``"class"``: as many as there are: first a class, all alike, then one of the
          votes for it; ``"top_class"``: then one of the windows where it has most.
        * A callable, as ``sampling(rows=, fractions=, total_votes=, eeg_id=,
          generator=)``: an array of rows for one epoch, equally many each time. The
          generator is torch's, None for its global state.
    eeg_id : ndarray of shape (n_all,), or None
        EEG that each window is from. Windows of an EEG stand in the order of time.
    fractions : ndarray of shape (n_all, n_classes)
        Vote fractions.
    total_votes : ndarray of shape (n_all,)
        Votes behind each window; NaN where unknown.
    rows : ndarray of int
        Windows to draw from.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    object or None
        ``draw(generator=None)`` gives the rows of an epoch, ``n_rows`` how many,
        ``mean_of(values)`` the mean to be expected over them. None for all windows.

    Raises
    ------
    ValueError
        If the name is not known, the EEGs or votes that it needs are not, or fewer
        than two windows are drawn.
    TypeError
        If `sampling` is something else.

    References
    ----------
    ``"eeg"``: 2nd, 6th and 15th place of HMS (discussions 492254, 492619);
    ``"eeg_by_votes"``: 10th (492207); ``"period"``: 7th (492281); ``"pattern"``: public
    two-stage trainings; classes drawn more often: 4th (492240).

    Examples
    --------
    >>> sampling = make_sampling(
    ...     "eeg", eeg_id=np.array([5, 5, 8]), fractions=np.eye(3),
    ...     total_votes=np.full(3, np.nan), rows=np.arange(3), caller="doctest")
    >>> sampling.n_rows
    2
    """
    if sampling is None:
        return None
    rows = np.asarray(rows)
    if callable(sampling):
        given = {
            "rows": rows,
            "fractions": fractions,
            "total_votes": total_votes,
            "eeg_id": eeg_id,
        }
        return _OwnSampling(sampling, given, caller)
    if not isinstance(sampling, str):
        raise TypeError(
            f"{caller}: sampling must be one of {list(SAMPLINGS)}, a callable or None, "
            f"got {sampling!r}."
        )
    _check_name(sampling, eeg_id, total_votes[rows], caller)
    weight = None
    if sampling in _NEED_VOTES:
        weight = total_votes[rows]
    elif sampling == "class":
        # Every vote for a class is as likely as the others for it.
        weight = (fractions[rows] / _mass(fractions[rows])).sum(axis=1)
    elif sampling == "top_class":
        top = fractions[rows].argmax(axis=1)
        weight = 1.0 / np.bincount(top)[top]
    if sampling not in _NEED_EEG:
        assert weight is not None  # one of the three above
        return WeightedSampling(rows, weight)
    assert eeg_id is not None  # checked above
    group = _groups(sampling, eeg_id, fractions, total_votes)[rows]
    made = GroupSampling(rows, group, weight)
    if made.n_rows < 2:
        raise ValueError(
            f"{caller}: sampling={sampling!r} leaves one window for an epoch, since "
            "all are of one group. Check eeg_id, or use sampling=None."
        )
    return made


def stationary_periods(
    eeg_id: np.ndarray, fractions: np.ndarray, total_votes: np.ndarray
) -> np.ndarray:
    """Find the runs of windows of an EEG that have the same votes.

    Parameters
    ----------
    eeg_id : ndarray of shape (n_windows,)
        EEG that each window is from. Windows of an EEG stand in the order of time; they
        need not stand side by side.
    fractions : ndarray of shape (n_windows, n_classes)
        Vote fractions.
    total_votes : ndarray of shape (n_windows,)
        Votes behind each window; NaN where unknown.

    Returns
    -------
    ndarray of shape (n_windows,), int64
        Number of the period, from 0.

    Notes
    -----
    The experts of HMS saw one segment of each period; its votes were given to all
    windows of it.

    References
    ----------
    7th place of HMS (discussion 492281).

    Examples
    --------
    >>> votes = np.array([3.0, 3, 4, 3, 3])
    >>> stationary_periods(np.array([1, 1, 1, 1, 2]), np.eye(6)[[0] * 5], votes)
    array([0, 0, 1, 2, 3])
    """
    eeg = np.unique(eeg_id, return_inverse=True)[1]
    order = np.argsort(eeg, kind="stable")
    pattern = np.column_stack([eeg, fractions, np.nan_to_num(total_votes, nan=-1.0)])
    pattern = pattern[order]
    starts = np.ones(order.size, dtype=bool)
    starts[1:] = (pattern[1:] != pattern[:-1]).any(axis=1)
    period = np.empty(order.size, dtype=np.int64)
    period[order] = np.cumsum(starts) - 1
    return period


def average_targets(
    fractions: np.ndarray, eeg_id: np.ndarray, total_votes: np.ndarray | None = None
) -> np.ndarray:
    """Give every window the mean target of its EEG.

    Parameters
    ----------
    fractions : ndarray of shape (n_windows, n_classes)
        Vote fractions.
    eeg_id : ndarray of shape (n_windows,)
        EEG that each window is from.
    total_votes : ndarray of shape (n_windows,), default=None
        Votes behind each window. With them votes are summed, so that a window with
        more of them counts more; without, the fractions are averaged.

    Returns
    -------
    ndarray of shape (n_windows, n_classes), float64
        Fractions, the same for all windows of an EEG; rows sum to one.

    Raises
    ------
    ValueError
        If the numbers of votes are not known, or there is not one EEG for each window.

    References
    ----------
    2nd place of HMS (discussion 492254).

    Examples
    --------
    >>> fractions = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> average_targets(fractions, np.array([7, 7, 8])).tolist()
    [[0.5, 0.5], [0.5, 0.5], [0.0, 1.0]]
    >>> votes = np.array([3.0, 1.0, 2.0])
    >>> average_targets(fractions, np.array([7, 7, 8]), votes)[0].tolist()
    [0.75, 0.25]
    """
    eeg_id = np.asarray(eeg_id)
    if eeg_id.shape != fractions.shape[:1]:
        raise ValueError(
            f"average_targets: eeg_id has shape {eeg_id.shape}, expected "
            f"({fractions.shape[0]},)."
        )
    weight = np.ones(fractions.shape[0])
    if total_votes is not None:
        if np.isnan(total_votes).any():
            raise ValueError(
                "average_targets: votes can only be summed where their number is "
                "known, and fractions do not tell it. Pass vote counts as y."
            )
        weight = np.asarray(total_votes, dtype=np.float64)
    inverse = np.unique(eeg_id, return_inverse=True)[1]
    sums = np.stack(
        [np.bincount(inverse, weight * column) for column in fractions.T], axis=1
    )
    return (sums / np.bincount(inverse, weight)[:, None])[inverse]


def _check_name(
    sampling: str, eeg_id: np.ndarray | None, total_votes: np.ndarray, caller: str
) -> None:
    if sampling not in SAMPLINGS:
        close = difflib.get_close_matches(sampling, SAMPLINGS, n=2, cutoff=0.4)
        hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
        raise ValueError(
            f"{caller}: sampling={sampling!r} is not known. {hint}Known are "
            f"{list(SAMPLINGS)}, a callable, and None for all windows."
        )
    if sampling in _NEED_EEG and eeg_id is None:
        raise ValueError(
            f"{caller}: sampling={sampling!r} needs to know which EEG each window is "
            "from. Pass fit(..., eeg_id=rows['eeg_id'])."
        )
    if sampling in _NEED_VOTES and np.isnan(total_votes).any():
        raise ValueError(
            f"{caller}: sampling={sampling!r} needs the number of votes of every "
            "window, and fractions do not tell it. Pass vote counts as y."
        )


def _groups(
    sampling: str, eeg_id: np.ndarray, fractions: np.ndarray, total_votes: np.ndarray
) -> np.ndarray:
    # Over all windows: one that is left out between two others separates them still.
    if sampling == "period":
        return stationary_periods(eeg_id, fractions, total_votes)
    eeg = np.unique(eeg_id, return_inverse=True)[1]
    if sampling == "pattern":
        # Rounded, since 1 / 3 and 5 / 15 may differ in the last digit.
        pattern = np.column_stack([eeg, fractions.round(9)])
        return np.unique(pattern, axis=0, return_inverse=True)[1].ravel()
    return eeg


def _mass(fractions: np.ndarray) -> np.ndarray:
    mass = fractions.sum(axis=0)
    return np.where(mass > 0, mass, 1.0)  # a class without votes cannot be drawn
