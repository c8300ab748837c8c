"""What makes one simulated patient's recordings unlike another's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmsklearn.datasets._fields import SCALP

__all__ = ["Patient", "draw_patient"]


@dataclass(frozen=True)
class Patient:
    """Amplitudes in microvolt, frequencies in hertz, rates per minute.

    Attributes
    ----------
    side : int
        Hemisphere of what is lateralised: -1 left, 1 right.
    focus : float
        Where in it, from occipital (-1) to frontal (1).
    leak : float
        Share of a lateralised pattern that reaches the other side.
    tilt : float
        Asymmetry of generalised patterns.
    strength : float
        Height of patterns that every expert agrees on.
    periodic_freq, jitter, sharpness, triphasic
        Of periodic discharges.
    delta_freq : float
        Of rhythmic delta activity.
    seizure_fast, seizure_slow, spread_lag
        Of seizures: frequency at onset and end, seconds to the other side.
    suppressed : bool
        Whether the background comes in bursts where there is no pattern.
    slope, background, alpha, alpha_freq, theta, slowing
        Of the background: exponent and amplitudes (standard deviations).
    blinks, blink_height, muscle, line, reference, drift, offsets
        Of artefacts.
    heart_rate, has_ekg, ekg_height
        Of the heart.
    """

    side: int
    focus: float
    leak: float
    tilt: float
    strength: float
    periodic_freq: float
    jitter: float
    sharpness: float
    triphasic: float
    delta_freq: float
    seizure_fast: float
    seizure_slow: float
    spread_lag: float
    suppressed: bool
    slope: float
    background: float
    alpha: float
    alpha_freq: float
    theta: float
    slowing: float
    blinks: float
    blink_height: float
    muscle: float
    line: float
    reference: float
    drift: float
    offsets: np.ndarray
    heart_rate: float
    has_ekg: bool
    ekg_height: float


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw a patient.

    Parameters
    ----------
    rng : Generator
        Source of randomness.

    Returns
    -------
    Patient
        The patient.
    """
    # Skull and skin scale brain activity of every kind alike.
    gain = np.exp(0.22 * rng.standard_normal())
    awake = rng.uniform() < 0.6
    return Patient(
        side=int(rng.choice([-1, 1])),
        focus=rng.uniform(-0.4, 0.6),
        leak=rng.uniform(0.03, 0.15),
        tilt=rng.uniform(-0.08, 0.08),
        strength=gain * rng.uniform(80, 120),
        periodic_freq=rng.uniform(0.65, 1.8),
        jitter=rng.uniform(0.03, 0.12),
        sharpness=rng.uniform(0.8, 1.5),
        triphasic=rng.uniform(0, 1),
        delta_freq=rng.uniform(1.2, 2.6),
        seizure_fast=rng.uniform(4.5, 7.0),
        seizure_slow=rng.uniform(2.7, 3.6),
        spread_lag=rng.uniform(0.01, 0.05),
        suppressed=bool(rng.uniform() < 0.25),
        slope=rng.uniform(1.3, 2.2),
        background=gain * rng.uniform(6, 11),
        alpha=gain * (rng.uniform(4, 14) if awake else rng.uniform(0, 3)),
        alpha_freq=rng.uniform(8, 11.5),
        theta=gain * rng.uniform(1.5, 4.5),
        slowing=gain * (rng.uniform(0.5, 3) if awake else rng.uniform(3, 7)),
        blinks=rng.uniform(5, 18) if awake else rng.uniform(0, 2),
        blink_height=rng.uniform(60, 150),
        muscle=rng.uniform(2, 10) if awake else rng.uniform(0, 2),
        line=float(np.exp(rng.normal(-0.5, 1.3))),
        reference=rng.uniform(3, 9),
        drift=rng.uniform(3, 14),
        offsets=rng.normal(rng.normal(-15, 35), 14, len(SCALP)),
        heart_rate=rng.uniform(52, 112),
        has_ekg=bool(rng.uniform() < 0.92),
        ekg_height=float(rng.choice([-1, 1], p=[0.15, 0.85]) * rng.uniform(250, 1200)),
    )
