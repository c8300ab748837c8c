"""What a simulated recording holds beside the patterns: brain, body and room."""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len

from hmsklearn.datasets._fields import (
    SCALP,
    both_sides,
    eye_field,
    muscle_gain,
    one_sided,
    smoothing,
)
from hmsklearn.datasets._patient import Patient
from hmsklearn.datasets._patterns import SFREQ, slow_noise

__all__ = ["add_artefacts", "add_rhythms", "burst_suppression", "ekg", "pink_noise"]

_VIGILANCE = 4.0  # seconds between independent levels of vigilance


def pink_noise(
    rng: np.random.Generator, n: int, n_times: int, slope: float
) -> np.ndarray:
    """Draw noise whose power falls with frequency to the power of `slope`.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    n : int
        Number of independent signals.
    n_times : int
        Number of samples.
    slope : float
        Exponent; flat below 0.4 Hz.

    Returns
    -------
    ndarray of shape (n, n_times), float32
        Standard deviation one between 0.5 and 40 Hz.
    """
    length = next_fast_len(n_times, real=True)
    freqs = np.fft.rfftfreq(length, 1 / SFREQ)
    height = (0.4**2 + freqs**2) ** (-slope / 4)
    height[0] = 0
    # Part of the acquisition: what an amplifier for EEG lets through.
    height *= 1 / np.sqrt(1 + (freqs / 70) ** 8)
    band = (freqs >= 0.5) & (freqs <= 40)
    # Each bin adds 2 * height^2 * 2 / length^2 to the variance.
    height *= length / np.sqrt(4 * np.sum(height[band] ** 2))
    parts = rng.standard_normal((n, freqs.size, 2), dtype=np.float32)
    parts *= height.astype(np.float32)[:, None]
    spectrum = parts.view(np.complex64)[..., 0]
    return irfft(spectrum, length, axis=-1)[:, :n_times]


def _band_noise(
    rng: np.random.Generator, n: int, n_times: int, centre: float, width: float
) -> np.ndarray:
    """Noise of unit variance around a frequency: an idling rhythm."""
    length = next_fast_len(n_times, real=True)
    freqs = np.fft.rfftfreq(length, 1 / SFREQ)
    height = np.exp(-0.5 * ((freqs - centre) / width) ** 2)
    near = np.flatnonzero(height > 1e-4)
    height *= length / np.sqrt(4 * np.sum(height**2))
    parts = np.zeros((n, freqs.size), dtype=np.complex64)
    noise = rng.standard_normal((n, near.size, 2), dtype=np.float32)
    parts[:, near] = noise.view(np.complex64)[..., 0] * height[near].astype(np.float32)
    return irfft(parts, length, axis=-1)[:, :n_times]


def add_rhythms(rng: np.random.Generator, patient: Patient, eeg: np.ndarray) -> None:
    """Add the background of a patient's brain to the scalp.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    patient : Patient
        Amplitudes and frequencies.
    eeg : ndarray of shape (19, n_times), float32
        Written to.

    Notes
    -----
    Pink noise shared by neighbours, the posterior rhythm on either side, theta, and
    slow waves of changing shape, which make a record encephalopathic and are what
    rhythmic delta must be told from.
    """
    n_times = eeg.shape[1]
    noise = pink_noise(rng, len(SCALP), n_times, patient.slope)
    eeg += np.float32(patient.background) * (smoothing(0.45).astype(np.float32) @ noise)
    fields, courses = [], []
    vigilance = np.clip(0.8 + 0.5 * slow_noise(rng, n_times, _VIGILANCE)[0], 0, 1.6)
    for side in (-1, 1):
        fields.append(patient.alpha * one_sided(side, -1.0, 0.42, 0.25))
    courses.append(_band_noise(rng, 2, n_times, patient.alpha_freq, 0.5) * vigilance)
    fields.append(patient.theta * both_sides(0.2, 0.7))
    fields.append(patient.theta * one_sided(1, -0.1, 0.6, 0.4))
    courses.append(_band_noise(rng, 2, n_times, 5.5, 1.1))
    for forward in (0.6, -0.3):
        fields.append(patient.slowing * both_sides(forward, 0.6))
    for side in (-1, 1):
        worse = 1.3 if side == patient.side else 0.7
        fields.append(patient.slowing * worse * one_sided(side, 0.0, 0.55, 0.2))
    courses.append(_band_noise(rng, 4, n_times, 1.4, 0.75))
    eeg += np.stack(fields, axis=1).astype(np.float32) @ np.concatenate(courses)


def burst_suppression(rng: np.random.Generator, n_times: int) -> np.ndarray:
    """Draw the gain of a background that comes in bursts.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    n_times : int
        Number of samples.

    Returns
    -------
    ndarray of shape (n_times,), float32
        Near 0.12 for 2 to 7 s, above one for 0.7 to 2.5 s, in turn.
    """
    times: list[float] = []
    values = [0.12]
    now = rng.uniform(0, 4)
    while now < n_times / SFREQ:
        times.append(now)
        values.append(rng.uniform(1.3, 2.4))
        now += rng.uniform(0.7, 2.5)
        times.append(now)
        values.append(0.12)
        now += rng.uniform(2.0, 7.0)
    seconds = np.arange(n_times, dtype=np.float32) / SFREQ
    knots, heights = [0.0], [values[0]]
    for time, before, after in zip(times, values[:-1], values[1:], strict=True):
        knots += [time, time + 0.25]
        heights += [before, after]
    return np.interp(seconds, knots, heights).astype(np.float32)


def _events(rng: np.random.Generator, n_times: int, per_minute: float) -> np.ndarray:
    n_events = rng.poisson(per_minute * n_times / SFREQ / 60)
    return np.sort(rng.integers(0, n_times, n_events))


def add_artefacts(rng: np.random.Generator, patient: Patient, eeg: np.ndarray) -> None:
    """Add eyes, muscle, mains, heart beats' trace, loose electrodes and offsets.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    patient : Patient
        Rates and amplitudes.
    eeg : ndarray of shape (19, n_times), float32
        Written to.
    """
    n_times = eeg.shape[1]
    _add_blinks(rng, patient, eeg)
    _add_muscle(rng, patient, eeg)
    _add_pops(rng, eeg)
    seconds = np.arange(n_times) / SFREQ
    phase = rng.uniform(0, 2 * np.pi)
    line = np.sin(2 * np.pi * 60 * seconds + phase).astype(np.float32)
    line *= 1 + 0.2 * slow_noise(rng, n_times, 20.0)[0]
    gain = patient.line * np.exp(0.5 * rng.standard_normal(len(SCALP)))
    eeg += gain[:, None].astype(np.float32) * line
    # The reference electrode's own activity is in every channel alike.
    reference = pink_noise(rng, 1, n_times, patient.slope)
    eeg += np.float32(patient.reference) * reference
    drift = slow_noise(rng, n_times, 12.0, len(SCALP))
    eeg += np.float32(patient.drift) * drift
    eeg += patient.offsets[:, None].astype(np.float32)


def _add_blinks(rng: np.random.Generator, patient: Patient, eeg: np.ndarray) -> None:
    time = np.arange(int(0.6 * SFREQ)) / SFREQ
    # Lids close faster than they open; the cornea's charge makes Fp positive.
    shape = np.where(time < 0.13, np.sin(np.pi * time / 0.26), 0.0)
    shape += np.where(time >= 0.13, np.exp(-0.5 * ((time - 0.13) / 0.085) ** 2), 0.0)
    shape -= 0.12 * np.exp(-0.5 * ((time - 0.42) / 0.06) ** 2)
    course = np.zeros(eeg.shape[1] + time.size, dtype=np.float32)
    for event in _events(rng, eeg.shape[1], patient.blinks):
        height = patient.blink_height * rng.uniform(0.6, 1.3)
        course[event : event + time.size] += (height * shape).astype(np.float32)
    eeg += eye_field()[:, None].astype(np.float32) * course[: eeg.shape[1]]


def _add_muscle(rng: np.random.Generator, patient: Patient, eeg: np.ndarray) -> None:
    n_times = eeg.shape[1]
    gain = muscle_gain()
    for event in _events(rng, n_times, patient.muscle):
        n = min(int(rng.uniform(0.4, 5.0) * SFREQ), n_times - event)
        seen = gain * np.exp(0.7 * rng.standard_normal(len(SCALP)))
        noise = rng.standard_normal((len(SCALP), n + 1), dtype=np.float32)
        # Differences have their power at high frequencies, as muscle has.
        burst = np.diff(noise, axis=1) * np.hanning(n).astype(np.float32)
        eeg[:, event : event + n] += (rng.uniform(2, 9) * seen)[:, None].astype(
            np.float32
        ) * burst


def _add_pops(rng: np.random.Generator, eeg: np.ndarray) -> None:
    """Electrodes that lose contact: a jump that decays, in one channel."""
    for event in _events(rng, eeg.shape[1], 0.25):
        channel = rng.integers(len(SCALP))
        n = min(3 * SFREQ, eeg.shape[1] - event)
        height = rng.choice([-1, 1]) * rng.uniform(60, 250)
        decay = np.exp(-np.arange(n) / (rng.uniform(0.15, 0.8) * SFREQ))
        eeg[channel, event : event + n] += (height * decay).astype(np.float32)


def ekg(
    rng: np.random.Generator, patient: Patient, n_times: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw heart beats, as the EKG channel and as what of them reaches the scalp.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    patient : Patient
        Heart rate, and whether the channel was connected.
    n_times : int
        Number of samples.

    Returns
    -------
    channel : ndarray of shape (n_times,), float32
        The EKG: P, QRS and T waves, breathing and noise; zero if not connected.
    trace : ndarray of shape (n_times,), float32
        QRS complexes of height one.
    """
    n_beats = int(n_times / SFREQ * patient.heart_rate / 60 * 1.4) + 5
    interval = 60 / patient.heart_rate
    wave = 0.04 * np.sin(np.arange(n_beats) * rng.uniform(1.0, 1.6))
    steps = interval * (1 + wave + 0.015 * rng.standard_normal(n_beats))
    samples = (np.cumsum(steps) * SFREQ).astype(np.int64)
    time = np.arange(int(0.62 * SFREQ)) / SFREQ - 0.2

    def bump(at: float, width: float) -> np.ndarray:
        return np.exp(-0.5 * ((time - at) / width) ** 2)

    qrs = bump(0, 0.010) - 0.18 * bump(-0.025, 0.008) - 0.25 * bump(0.028, 0.010)
    shape = qrs + 0.12 * bump(-0.15, 0.022) + 0.24 * bump(0.26, 0.045)
    channel = np.zeros(n_times + time.size, dtype=np.float32)
    trace = np.zeros_like(channel)
    for sample in samples[samples < n_times]:
        channel[sample : sample + time.size] += shape.astype(np.float32)
        trace[sample : sample + time.size] += qrs.astype(np.float32)
    trace = trace[:n_times]
    if not patient.has_ekg:
        return np.zeros(n_times, dtype=np.float32), trace
    channel = np.float32(patient.ekg_height) * channel[:n_times]
    channel += 12 * slow_noise(rng, n_times, 3.0)[0]
    channel += 4 * rng.standard_normal(n_times, dtype=np.float32)
    return channel, trace
