"""The waveforms of the simulated patterns, by the definitions of the ACNS.

Each function returns time courses of about unit height; where they are seen on the
scalp, and how strongly, is the business of the recording.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve

__all__ = [
    "SFREQ",
    "discharges",
    "evolving_seizure",
    "rhythmic_delta",
    "slow_noise",
    "smooth_steps",
]

#: Samples per second of the recordings.
SFREQ = 200


def slow_noise(
    rng: np.random.Generator, n_times: int, seconds: float, n: int = 1
) -> np.ndarray:
    """Return wandering curves of mean 0 and standard deviation about 1.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    n_times : int
        Number of samples.
    seconds : float
        Time between independent values, joined by straight lines.
    n : int, default=1
        Number of curves.

    Returns
    -------
    ndarray of shape (n, n_times), float32
        The curves.
    """
    n_knots = int(n_times / SFREQ / seconds) + 3
    knots = rng.standard_normal((n, n_knots))
    time = np.arange(n_times) / (SFREQ * seconds) + rng.uniform()
    curves = [np.interp(time, np.arange(n_knots), row) for row in knots]
    # Straight lines between independent values have two thirds of their variance.
    return np.asarray(curves, dtype=np.float32) * np.float32(np.sqrt(1.5))


def smooth_steps(
    times: list[float], values: list[float], n_times: int, ramp: float = 1.0
) -> np.ndarray:
    """Return a curve that is constant between switching times.

    Parameters
    ----------
    times : list of float
        Seconds at which the value changes, increasing.
    values : list of float
        One value more than there are times.
    n_times : int
        Number of samples.
    ramp : float, default=1.0
        Seconds that a change takes.

    Returns
    -------
    ndarray of shape (n_times,), float32
        The curve.
    """
    out = np.full(n_times, values[0], dtype=np.float32)
    seconds = np.arange(n_times, dtype=np.float32) / SFREQ
    for time, before, after in zip(times, values[:-1], values[1:], strict=True):
        if before != after:
            share = np.clip((seconds - time) / ramp + 0.5, 0, 1)
            out += np.float32(after - before) * (share * share * (3 - 2 * share))
    return out


def _discharge_shape(sharpness: float, triphasic: float) -> np.ndarray:
    """One discharge of 0.7 s: a sharp negative wave and what follows it.

    Negative is upwards for a reader, so the sharp wave is below zero.
    """
    time = np.arange(int(0.7 * SFREQ)) / SFREQ - 0.15
    width = 0.034 / sharpness
    sharp = -np.exp(-0.5 * (time / width) ** 2)
    before = 0.30 * np.exp(-0.5 * ((time + 2.4 * width) / (1.2 * width)) ** 2)
    after = (0.38 + 0.35 * triphasic) * np.exp(
        -0.5 * ((time - 0.115) / (0.045 + 0.01 * triphasic)) ** 2
    )
    slow = -(0.22 + 0.1 * triphasic) * np.exp(-0.5 * ((time - 0.30) / 0.08) ** 2)
    return (before + sharp + after + slow).astype(np.float32)


def discharges(
    rng: np.random.Generator,
    n_times: int,
    *,
    freq: float,
    jitter: float,
    sharpness: float,
    triphasic: float = 0.0,
) -> np.ndarray:
    """Draw periodic discharges: alike, sharp, at nearly regular intervals.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    n_times : int
        Number of samples.
    freq : float
        Discharges per second, 0.5 to 2.
    jitter : float
        Standard deviation of the intervals, as a share; periodic means that most
        intervals differ by less than half from one to the next.
    sharpness : float
        One is a sharp wave of about 80 ms at half height; more is sharper.
    triphasic : float, default=0.0
        From 0 (sharp and slow) to 1 (three phases, blunter).

    Returns
    -------
    ndarray of shape (n_times,), float32
        Negative peaks of about one; the background returns in between.
    """
    n_events = int(n_times / SFREQ * freq * 1.5) + 5
    drift = 1 + 0.06 * np.interp(
        np.arange(n_events), np.arange(0, n_events + 20, 20), _knots(rng, n_events, 20)
    )
    steps = drift * np.clip(1 + jitter * rng.standard_normal(n_events), 0.5, 1.5) / freq
    samples = (np.cumsum(steps) * SFREQ).astype(np.int64)
    heights = np.exp(0.13 * rng.standard_normal(n_events)).astype(np.float32)
    keep = samples < n_times
    train = np.zeros(n_times, dtype=np.float32)
    train[samples[keep]] = heights[keep]
    shape = _discharge_shape(sharpness, triphasic)
    return fftconvolve(train, shape)[:n_times].astype(np.float32)


def _knots(rng: np.random.Generator, n: int, step: int) -> np.ndarray:
    return rng.standard_normal(len(range(0, n + step, step)))


def rhythmic_delta(
    rng: np.random.Generator, n_times: int, *, freq: float, lag: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw rhythmic delta activity: one waveform over and over, without intervals.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    n_times : int
        Number of samples.
    freq : float
        Hertz, 1 to 3.
    lag : float, default=0.0
        Seconds by which the second course follows the first.

    Returns
    -------
    first, second : ndarray of shape (n_times,), float32
        Height one, waxing and waning a little.
    """
    wander = slow_noise(rng, n_times, 1.5)[0]
    phase = 2 * np.pi * np.cumsum(freq * (1 + 0.05 * wander)) / SFREQ
    height = np.clip(1 + 0.22 * slow_noise(rng, n_times, 3.0)[0], 0.45, 1.6)
    tilt = rng.uniform(-0.6, 0.6)

    def course(angle: np.ndarray) -> np.ndarray:
        wave = np.sin(angle) + 0.22 * np.sin(2 * angle + tilt)
        return (height * wave).astype(np.float32)

    return course(phase), course(phase - 2 * np.pi * freq * lag)


def evolving_seizure(
    rng: np.random.Generator,
    n_times: int,
    *,
    start: float,
    stop: float,
    fast: float,
    slow: float,
    spread_lag: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a seizure that evolves in frequency, height, shape and place.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    n_times : int
        Number of samples.
    start, stop : float
        Seconds of onset and end.
    fast, slow : float
        Hertz at the onset and at the end; both above 2.5.
    spread_lag : float
        Seconds by which the far field follows the focus.

    Returns
    -------
    focus, hemisphere, other_side : ndarray of shape (n_times,), float32
        Courses of the three fields that join one after the other: low and fast at
        the focus first, then spikes and waves over the hemisphere, at last on both
        sides; a sudden end.
    """
    first, last = max(int(start * SFREQ), 0), min(int(stop * SFREQ), n_times)
    n = last - first
    share = (np.arange(first, last) / SFREQ - start) / (stop - start)
    wander = slow_noise(rng, n, 2.0)[0]
    freq = fast * (slow / fast) ** share * (1 + 0.03 * wander)
    freq = np.maximum(freq, 2.55)
    phase = 2 * np.pi * np.cumsum(freq) / SFREQ
    height = np.clip(1 + 0.15 * slow_noise(rng, n, 1.0)[0], 0.5, 1.5)

    def spike_and_wave(angle: np.ndarray) -> np.ndarray:
        # The longer the cycle, the narrower the spike's share of it.
        spike = np.exp((np.cos(angle) - 1) / (0.02 * freq))
        wave = np.cos(angle - 2.4)
        return 0.42 * wave - 1.2 * (spike - 0.12)

    def joined(at: float, within: float) -> np.ndarray:
        return 1 / (1 + np.exp(-(share - at) / within))

    onset = np.clip(share * (stop - start) / 1.5, 0, 1)
    ending = np.clip((1 - share) * (stop - start) / 0.8, 0, 1)
    height = height * onset * ending
    courses = (
        (0.45 + 0.45 * joined(0.25, 0.10)) * spike_and_wave(phase),
        0.90 * joined(0.30, 0.07) * spike_and_wave(phase - 0.3),
        0.75
        * joined(0.60, 0.06)
        * spike_and_wave(phase - 2 * np.pi * freq * spread_lag),
    )
    out = []
    for course in courses:
        whole = np.zeros(n_times, dtype=np.float32)
        whole[first:last] = height * course
        out.append(whole)
    return out[0], out[1], out[2]
