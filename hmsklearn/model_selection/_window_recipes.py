"""Which windows published solutions kept of those that are copies of each other.

A recipe sees the rows in their order in time within each EEG. It says which rows belong
together, its *period*, and which of each period it keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

__all__ = ["RECIPES", "WindowRecipe", "Windows"]

# Seconds that a spectrogram window lasts.
_SPECTROGRAM_SECONDS = 600


@dataclass(frozen=True)
class Windows:
    """What recipes look at, sorted by EEG and by time.

    Attributes
    ----------
    eeg : ndarray of int
        Number of each row's EEG, by first appearance.
    votes : ndarray of int of shape (n, 6)
        Vote counts.
    start : ndarray of float
        Start of the EEG window in seconds.
    spectrogram_start : ndarray of float
        Start of the spectrogram window in seconds; of NaN where there is none.
    min_gap : float
        Seconds between the starts of windows that are kept for themselves.
    """

    eeg: np.ndarray
    votes: np.ndarray
    start: np.ndarray
    spectrogram_start: np.ndarray
    min_gap: float

    @property
    def total(self) -> np.ndarray:
        """Votes of each row."""
        return self.votes.sum(axis=1)


@dataclass(frozen=True)
class WindowRecipe:
    """How rows are grouped and which of a group are kept.

    Attributes
    ----------
    period : callable
        Gives the number of each row's period.
    keep : callable
        Given the windows and the numbers of periods, gives a mask of the rows to keep.
    min_votes : int
        Least number of votes of a row that is looked at.
    one_per_eeg : bool
        Whether of every EEG the first row that is kept stays alone.
    merge : bool
        Whether the row that is kept stands for all rows of its period: their votes are
        added, and its offsets are the middle of theirs.
    spectrogram : bool
        Whether the starts of the spectrogram windows are needed.
    """

    period: Callable[[Windows], np.ndarray]
    keep: Callable[[Windows, np.ndarray], np.ndarray]
    min_votes: int = 1
    one_per_eeg: bool = False
    merge: bool = False
    spectrogram: bool = False


def _by_pattern(windows: Windows) -> np.ndarray:
    """Rows of an EEG with the same six vote counts."""
    return _number(np.column_stack([windows.eeg, windows.votes]))


def _by_shares(windows: Windows) -> np.ndarray:
    """Rows of an EEG with the same vote fractions, whatever the number of votes."""
    smallest = windows.votes // np.gcd.reduce(windows.votes, axis=1)[:, None]
    return _number(np.column_stack([windows.eeg, smallest]))


def _by_run(windows: Windows) -> np.ndarray:
    """Rows that follow each other in an EEG with the same six vote counts."""
    keys = np.column_stack([windows.eeg, windows.votes])
    changes = (keys[1:] != keys[:-1]).any(axis=1)
    return np.concatenate([[0], np.cumsum(changes)])


def _by_eeg(windows: Windows) -> np.ndarray:
    return windows.eeg


def _keep_most_covered(windows: Windows, period: np.ndarray) -> np.ndarray:
    """Keep the row whose spectrogram window the others of its period overlap most."""
    starts = np.floor(windows.spectrogram_start)
    keep = np.zeros(period.size, dtype=bool)
    for rows in _members(period):
        apart = np.abs(starts[rows][:, None] - starts[rows])
        covered = np.maximum(_SPECTROGRAM_SECONDS - apart, 0.0).sum(axis=1)
        keep[rows[np.argmax(covered)]] = True
    return keep


def _keep_middle(windows: Windows, period: np.ndarray) -> np.ndarray:
    keep = np.zeros(period.size, dtype=bool)
    for rows in _members(period):
        keep[rows[rows.size // 2]] = True
    return keep


def _keep_most_votes(windows: Windows, period: np.ndarray) -> np.ndarray:
    keep = np.zeros(period.size, dtype=bool)
    total = windows.total
    for rows in _members(period):
        keep[rows[np.argmax(total[rows])]] = True
    return keep


def _keep_apart(windows: Windows, period: np.ndarray) -> np.ndarray:
    """Keep rows of most votes, each at least `min_gap` behind the one before."""
    keep = np.zeros(period.size, dtype=bool)
    total = windows.total
    for rows in _members(period):
        last = -np.inf
        for row in rows[total[rows] == total[rows].max()]:
            if windows.start[row] - last >= windows.min_gap:
                keep[row] = True
                last = windows.start[row]
    return keep


def _keep_first(windows: Windows, period: np.ndarray) -> np.ndarray:
    keep = np.zeros(period.size, dtype=bool)
    keep[np.unique(period, return_index=True)[1]] = True
    return keep


def _number(keys: np.ndarray) -> np.ndarray:
    """Give equal rows of a table the same number, by first appearance."""
    _, first, number = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    rank = np.empty(first.size, dtype=np.intp)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[number.ravel()]


def _members(period: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(period, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(period[order])) + 1)


#: Recipes by name.
RECIPES: Mapping[str, WindowRecipe] = MappingProxyType(
    {
        "3rd": WindowRecipe(_by_pattern, _keep_most_covered, 9, spectrogram=True),
        "3rd_validation": WindowRecipe(
            _by_pattern, _keep_most_covered, 9, one_per_eeg=True, spectrogram=True
        ),
        "3rd_all": WindowRecipe(_by_pattern, _keep_most_covered, spectrogram=True),
        "7th": WindowRecipe(_by_run, _keep_middle),
        "15th": WindowRecipe(_by_eeg, _keep_apart),
        "lhwcv": WindowRecipe(_by_shares, _keep_most_votes),
        "public": WindowRecipe(_by_eeg, _keep_first, merge=True),
    }
)
