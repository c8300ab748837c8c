"""Radio signals as they cross the band: tracks over time, drawn with a width."""

from __future__ import annotations

import numpy as np

from hmsklearn.datasets._seti_layout import CADENCE_SHAPE, ON

__all__ = [
    "NEEDLES",
    "N_ROWS",
    "draw_blob",
    "draw_interference",
    "draw_needle",
    "draw_track",
]

_N_OBSERVATIONS, _N_TIMES, _N_FREQS = CADENCE_SHAPE

#: Moments of a whole cadence, one observation after the other.
N_ROWS = _N_OBSERVATIONS * _N_TIMES

#: Shapes of a needle.
NEEDLES = ("line", "pulsed", "sine")

# Columns that a track keeps clear of at either end of the band.
_MARGIN = 6.0


def draw_track(
    rng: np.random.Generator, most_drift: float, wiggle: bool = False
) -> np.ndarray:
    """Draw the column at which a signal is at each moment of the cadence.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    most_drift : float
        Most columns from the first moment to the last, to either side.
    wiggle : bool, default=False
        Whether a sine wave is added to the straight line.

    Returns
    -------
    ndarray of shape (1638,)
        Within the band at all times.

    Notes
    -----
    Transmitter and receiver are accelerated against each other by the rotation of
    their planets, which changes the frequency steadily.
    """
    rows = np.arange(N_ROWS)
    track = rng.uniform(-most_drift, most_drift) * rows / N_ROWS
    if wiggle:
        period = np.exp(rng.uniform(np.log(60), np.log(400)))
        phase = rng.uniform(0, 2 * np.pi)
        track = track + rng.uniform(4, 20) * np.sin(2 * np.pi * rows / period + phase)
    low, high = _MARGIN - track.min(), _N_FREQS - 1 - _MARGIN - track.max()
    return track + rng.uniform(low, high)


def _pulses(rng: np.random.Generator) -> np.ndarray:
    """Draw when a beacon is on: zeros and ones for each moment."""
    period = rng.uniform(20, 90)
    duty = rng.uniform(0.3, 0.7)
    phase = rng.uniform()
    return ((np.arange(N_ROWS) / period + phase) % 1 < duty).astype(np.float64)


def _render(track: np.ndarray, height: np.ndarray, width: float) -> np.ndarray:
    """Picture a track, (6, 273, 256)."""
    columns = np.arange(_N_FREQS, dtype=np.float32)
    away = (columns - track.astype(np.float32)[:, None]) / np.float32(width)
    picture = height.astype(np.float32)[:, None] * np.exp(-0.5 * away**2)
    return picture.reshape(CADENCE_SHAPE)


def draw_needle(rng: np.random.Generator, shape: str) -> np.ndarray:
    """Draw a signal that is there only while the telescope points at the star.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    shape : {"line", "pulsed", "sine"}
        A line that drifts, the same switched on and off, or a wave about a line.

    Returns
    -------
    ndarray of shape (6, 273, 256), float32
        Power, with a sum of squares of one; zero in the observations 1, 3 and 5.

    Notes
    -----
    One needle of six is missing from one of the three observations.
    """
    track = draw_track(rng, 190.0, wiggle=shape == "sine")
    height = _pulses(rng) if shape == "pulsed" else np.ones(N_ROWS)
    seen = np.zeros((_N_OBSERVATIONS, 1))
    seen[list(ON)] = 1
    if rng.uniform() < 1 / 6:
        seen[ON[int(rng.integers(len(ON)))]] = 0
    height = (height.reshape(_N_OBSERVATIONS, -1) * seen).ravel()
    needle = _render(track, height, rng.uniform(0.6, 1.6))
    return needle / np.sqrt(np.sum(needle**2, dtype=np.float64)).astype(np.float32)


def draw_interference(rng: np.random.Generator) -> np.ndarray:
    """Draw a narrow signal from Earth, which is there wherever the telescope points.

    Parameters
    ----------
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (6, 273, 256), float32
        Power in units of the noise's standard deviation, in two observations or more
        that follow each other.
    """
    first = int(rng.integers(0, 3)) if rng.uniform() < 0.3 else 0
    last = int(rng.integers(first + 2, _N_OBSERVATIONS + 1))
    last = last if rng.uniform() < 0.3 else _N_OBSERVATIONS
    seen = np.zeros((_N_OBSERVATIONS, 1))
    seen[first:last] = 1
    height = np.exp(rng.uniform(np.log(0.3), np.log(6)))
    course = _pulses(rng) if rng.uniform() < 0.25 else np.ones(N_ROWS)
    course = (course.reshape(_N_OBSERVATIONS, -1) * seen).ravel()
    # Most transmitters stand still with respect to the telescope.
    drift = 0.0 if rng.uniform() < 0.6 else 80.0
    return _render(draw_track(rng, drift), height * course, rng.uniform(0.5, 2.5))


def draw_blob(rng: np.random.Generator) -> np.ndarray:
    """Draw a broad signal that comes, drifts and goes.

    Parameters
    ----------
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (6, 273, 256), float32
        Power in units of the noise's standard deviation, as long as the cadence or
        a third of it.
    """
    rows = np.arange(N_ROWS)
    centre = rng.uniform(0, N_ROWS)
    length = N_ROWS * rng.uniform(0.15, 1.0)
    height = rng.uniform(0.2, 1.2) * np.exp(-0.5 * ((rows - centre) / length) ** 2)
    return _render(draw_track(rng, 120.0), height, rng.uniform(10, 45))
