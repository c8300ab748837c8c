"""Which pattern when, which windows are labelled, and how experts vote on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmsklearn.votes import CLASSES

__all__ = ["Episode", "LabelledEEG", "draw_eeg", "draw_votes"]

# Second of the 600 s window at which the 50 s window starts, and seconds into the
# latter at which the ten rated seconds start.
EEG_START = 275
RATED_START = 20
RATED = 10

_INDEX = {name: index for index, name in enumerate(CLASSES)}

# What experts call a pattern when they do not agree on it.
_CONFUSED_WITH = {
    "Seizure": ("LPD", "GPD", "LRDA", "Other"),
    "LPD": ("Other", "Seizure", "GPD", "LRDA"),
    "GPD": ("Other", "GRDA", "LPD", "Seizure"),
    "LRDA": ("Other", "LPD", "GRDA"),
    "GRDA": ("Other", "GPD", "LRDA"),
    "Other": ("GRDA", "LRDA", "GPD", "LPD"),
}

# The competition's rows have 1 to 7 votes, nearly always 3, or 10 and more.
_FEW = (1, 2, 3, 4, 5, 6, 7)
_FEW_SHARE = (0.06, 0.04, 0.77, 0.05, 0.06, 0.01, 0.01)


@dataclass(frozen=True)
class Episode:
    """A stretch of a recording during which experts would vote alike.

    Attributes
    ----------
    start, stop : float
        Seconds of the spectrogram file between which its rated parts lie.
    share : ndarray of shape (6,)
        Probability that an expert names each class.
    """

    start: float
    stop: float
    share: np.ndarray


@dataclass(frozen=True)
class LabelledEEG:
    """One EEG file: where it is cut from the recording, its windows and votes.

    Attributes
    ----------
    shift : int
        Label offset, in the spectrogram file, of the EEG's own second zero.
    offsets : list of int
        Starts of the labelled windows in the EEG file, in seconds.
    votes : list of ndarray
        Votes of each window.
    episodes : tuple of Episode
        One, or two where the pattern changes on the way.
    """

    shift: int
    offsets: list[int]
    votes: list[np.ndarray]
    episodes: tuple[Episode, ...]

    @property
    def n_seconds(self) -> int:
        """Length of the EEG file."""
        return self.offsets[-1] + 50


def _draw_share(rng: np.random.Generator, main: str, many: bool) -> np.ndarray:
    """Draw how likely an expert is to name each class.

    Rows with few votes are mostly clear cases; those that many experts were asked
    about are mostly not.
    """
    if many:
        top = rng.uniform(0.45, 0.98)
    else:
        top = rng.uniform(0.96, 1.0) if rng.uniform() < 0.72 else rng.uniform(0.5, 0.9)
    others = _CONFUSED_WITH[main]
    second = others[int(rng.integers(len(others)))]
    rest = rng.dirichlet(np.full(len(CLASSES), 0.3))
    share = np.zeros(len(CLASSES))
    share[_INDEX[main]] = top
    share[_INDEX[second]] += 0.8 * (1 - top)
    share += 0.2 * (1 - top) * rest
    return share / share.sum()


def draw_votes(rng: np.random.Generator, share: np.ndarray, many: bool) -> np.ndarray:
    """Draw the votes of a group of experts.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    share : ndarray of shape (6,)
        Probability that an expert names each class.
    many : bool
        Whether ten or more were asked, or one to seven.

    Returns
    -------
    ndarray of shape (6,), int64
        Counts.
    """
    if many:
        n = int(np.clip(np.round(rng.normal(14.3, 2.6)), 10, 28))
    else:
        n = int(rng.choice(_FEW, p=_FEW_SHARE))
    return rng.multinomial(n, share)


def _draw_offsets(rng: np.random.Generator, n_windows: int) -> list[int]:
    """Even offsets from zero on, neighbours 2 to 48 s apart, mostly few."""
    steps = 2 * np.clip(rng.geometric(0.3, n_windows - 1), 1, 24)
    return [0, *np.cumsum(steps).tolist()]


def draw_eeg(
    rng: np.random.Generator,
    *,
    main: str,
    many: bool,
    n_windows: int,
    shift: int,
    may_change: bool,
) -> LabelledEEG:
    """Draw the windows of an EEG file and what experts say about them.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    main : str
        Class that most experts name.
    many : bool
        Whether ten or more experts were asked.
    n_windows : int
        Number of labelled windows.
    shift : int
        Label offset, in the spectrogram file, of the EEG's second zero.
    may_change : bool
        Whether the pattern may change half-way, as it does in one EEG of ten.

    Returns
    -------
    LabelledEEG
        The plan.
    """
    offsets = _draw_offsets(rng, n_windows)
    share = _draw_share(rng, main, many)
    rated = EEG_START + shift + RATED_START
    change = may_change and n_windows >= 4 and rng.uniform() < 0.3
    if not change:
        only = Episode(rated, rated + offsets[-1] + RATED, share)
        votes = [draw_votes(rng, share, many)] * n_windows
        return LabelledEEG(shift, offsets, votes, (only,))
    # The rated parts before and after the change must not overlap.
    half = n_windows // 2
    late = max(0, RATED + 2 - (offsets[half] - offsets[half - 1]))
    offsets = offsets[:half] + [offset + late for offset in offsets[half:]]
    later = _draw_share(rng, "Other" if main != "Other" else "GRDA", many)
    episodes = (
        Episode(rated, rated + offsets[half - 1] + RATED, share),
        Episode(rated + offsets[half], rated + offsets[-1] + RATED, later),
    )
    first, second = draw_votes(rng, share, many), draw_votes(rng, later, many)
    votes = [first] * half + [second] * (n_windows - half)
    return LabelledEEG(shift, offsets, votes, episodes)
