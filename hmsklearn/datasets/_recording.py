"""A simulated recording: patterns by their share of the votes, on a background."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from hmsklearn.datasets._background import (
    add_artefacts,
    add_rhythms,
    burst_suppression,
    ekg,
)
from hmsklearn.datasets._fields import SCALP, both_sides, one_sided
from hmsklearn.datasets._patient import Patient
from hmsklearn.datasets._patterns import (
    SFREQ,
    discharges,
    evolving_seizure,
    rhythmic_delta,
    smooth_steps,
)
from hmsklearn.datasets._plan import Episode
from hmsklearn.votes import CLASSES

__all__ = ["simulate_recording"]

# A pattern goes on for so many seconds before and after its rated part.
_BEYOND = (12.0, 120.0)
# Height of each pattern relative to the patient's strength.
_HEIGHT = {"Seizure": 0.85, "LPD": 1.3, "GPD": 1.5, "LRDA": 0.68, "GRDA": 0.78}


def simulate_recording(
    rng: np.random.Generator,
    patient: Patient,
    episodes: Sequence[Episode],
    n_times: int,
    *,
    lead: float = 0.0,
) -> np.ndarray:
    """Simulate a recording from patient and plan.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    patient : Patient
        What stays the same in all recordings of a patient.
    episodes : sequence of Episode
        What experts would say when, in order of time.
    n_times : int
        Number of samples at 200 Hz.
    lead : float, default=0.0
        Seconds that the recording starts before the episodes' second zero.

    Returns
    -------
    ndarray of shape (20, n_times), float32
        Microvolt, rounded to two decimals as the competition's files are; no NaN.

    Notes
    -----
    A pattern's height grows with the share of experts who name it: votes are split
    because the signal is faint or a mixture.
    """
    scalp = np.zeros((len(SCALP), n_times), dtype=np.float32)
    add_rhythms(rng, patient, scalp)
    quiet = min(episode.share[CLASSES.index("Other")] for episode in episodes)
    if patient.suppressed and quiet > 0.7:
        scalp *= burst_suppression(rng, n_times)
    _add_patterns(rng, patient, episodes, scalp, lead)
    channel, trace = ekg(rng, patient, n_times)
    scalp += np.float32(rng.uniform(0, 6)) * trace
    add_artefacts(rng, patient, scalp)
    out = np.concatenate([scalp, channel[None]])
    return np.round(out, 2, out=out)


def _add_patterns(
    rng: np.random.Generator,
    patient: Patient,
    episodes: Sequence[Episode],
    scalp: np.ndarray,
    lead: float,
) -> None:
    n_times = scalp.shape[1]
    gains = _gains(rng, patient, episodes, n_times, lead)
    fields: list[np.ndarray] = []
    courses: list[np.ndarray] = []

    def add(field: np.ndarray, course: np.ndarray, gain: Any) -> None:
        fields.append(field)
        courses.append(course * gain)

    side, focus, leak = patient.side, patient.focus, patient.leak
    freq = float(np.clip(patient.periodic_freq * rng.uniform(0.9, 1.1), 0.5, 2.0))
    if {"LPD", "GPD"} & gains.keys():
        # Where experts hesitate between the two, one train has an uneven field.
        train = discharges(
            rng,
            n_times,
            freq=freq,
            jitter=patient.jitter,
            sharpness=patient.sharpness,
            triphasic=patient.triphasic if "GPD" in gains else 0.0,
        )
        if "LPD" in gains:
            add(one_sided(side, focus, 0.55, leak), train, gains["LPD"])
        if "GPD" in gains:
            late = np.roll(train, int((0.02 + 0.08 * patient.triphasic) * SFREQ))
            add(both_sides(0.7, 0.6, patient.tilt), train, 1.15 * gains["GPD"])
            add(0.6 * both_sides(-0.6, 0.6, patient.tilt), late, gains["GPD"])
    if {"LRDA", "GRDA"} & gains.keys():
        delta = float(np.clip(patient.delta_freq * rng.uniform(0.9, 1.1), 1.0, 3.0))
        first, second = rhythmic_delta(rng, n_times, freq=delta, lag=0.06)
        if "LRDA" in gains:
            add(one_sided(side, focus, 0.55, leak), first, gains["LRDA"])
            back = one_sided(side, focus - 0.8, 0.45, leak)
            add(0.45 * back, second, gains["LRDA"])
        if "GRDA" in gains:
            add(both_sides(0.85, 0.55, patient.tilt), first, gains["GRDA"])
            back = both_sides(-0.5, 0.55, patient.tilt)
            add(0.4 * back, second, gains["GRDA"])
    for start, stop, gain in _seizures(rng, patient, episodes, lead):
        near, far, other = evolving_seizure(
            rng,
            n_times,
            start=start,
            stop=stop,
            fast=patient.seizure_fast,
            slow=patient.seizure_slow,
            spread_lag=patient.spread_lag,
        )
        add(one_sided(side, focus, 0.40, 0.05), near, gain)
        add(one_sided(side, focus - 0.4, 0.60, leak), far, gain)
        add(one_sided(-side, focus - 0.1, 0.60, leak), other, gain)
    if fields:
        scalp += np.stack(fields, axis=1).astype(np.float32) @ np.stack(courses)


def _height(patient: Patient, name: str, share: float) -> float:
    """Height in microvolt of a pattern that a share of the experts names."""
    return patient.strength * _HEIGHT[name] * share**0.8 if share > 0.02 else 0.0


def _extents(
    rng: np.random.Generator, episodes: Sequence[Episode], lead: float
) -> list[tuple[float, float]]:
    """Seconds of the recording between which each episode's patterns last."""
    starts = [episode.start - rng.uniform(*_BEYOND) for episode in episodes]
    stops = [episode.stop + rng.uniform(*_BEYOND) for episode in episodes]
    for i, (before, after) in enumerate(pairwise(episodes)):
        middle = (before.stop + after.start) / 2
        stops[i] = min(stops[i], middle)
        starts[i + 1] = max(starts[i + 1], middle)
    return [(a + lead, b + lead) for a, b in zip(starts, stops, strict=True)]


def _gains(
    rng: np.random.Generator,
    patient: Patient,
    episodes: Sequence[Episode],
    n_times: int,
    lead: float,
) -> dict[str, np.ndarray]:
    """Height over time of each pattern that is there, seizures apart."""
    extents = _extents(rng, episodes, lead)
    gains = {}
    for name in ("LPD", "GPD", "LRDA", "GRDA"):
        times: list[float] = []
        values = [0.0]
        for (start, stop), episode in zip(extents, episodes, strict=True):
            times += [start, stop]
            values += [_height(patient, name, episode.share[CLASSES.index(name)]), 0.0]
        if any(values):
            gains[name] = smooth_steps(times, values, n_times, ramp=2.0)
    return gains


def _seizures(
    rng: np.random.Generator,
    patient: Patient,
    episodes: Sequence[Episode],
    lead: float,
) -> list[tuple[float, float, np.float32]]:
    """Onset, end and height of each episode's seizure."""
    out = []
    for i, episode in enumerate(episodes):
        height = _height(patient, "Seizure", episode.share[CLASSES.index("Seizure")])
        start = episode.start - rng.uniform(5, 12)
        stop = episode.stop + rng.uniform(4, 15)
        if i > 0:
            start = max(start, (episodes[i - 1].stop + episode.start) / 2)
        if i + 1 < len(episodes):
            stop = min(stop, (episode.stop + episodes[i + 1].start) / 2)
        if height:
            out.append((start + lead, stop + lead, np.float32(height)))
    return out
