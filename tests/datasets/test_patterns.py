"""The simulated patterns have the properties that define them, and can be learned."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import find_peaks
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hmsklearn.datasets._background import burst_suppression, ekg, pink_noise
from hmsklearn.datasets._fields import (
    SCALP,
    both_sides,
    eye_field,
    one_sided,
)
from hmsklearn.datasets._patient import draw_patient
from hmsklearn.datasets._patterns import (
    discharges,
    evolving_seizure,
    rhythmic_delta,
    slow_noise,
    smooth_steps,
)
from hmsklearn.datasets._plan import Episode
from hmsklearn.datasets._recording import simulate_recording
from hmsklearn.metrics import kl_divergence
from hmsklearn.montage import MONTAGES
from hmsklearn.votes import CLASSES

SECONDS = 50
BIPOLAR = MONTAGES["double_banana"]


def share_of(**shares):
    out = np.zeros(6)
    for name, share in shares.items():
        out[CLASSES.index(name)] = share
    return out


def recording(rng, patient, share, seconds=SECONDS):
    middle = seconds / 2
    return simulate_recording(
        rng, patient, [Episode(middle - 10, middle + 10, share)], seconds * 200
    )


def power(signals, low, high):
    """Power of 20 s in the middle in a band."""
    middle = signals.shape[-1] // 2
    part = signals[..., middle - 2000 : middle + 2000] * np.hanning(4000)
    spectrum = np.abs(np.fft.rfft(part, axis=-1)) ** 2
    freqs = np.fft.rfftfreq(4000, 1 / 200)
    return spectrum[..., (freqs >= low) & (freqs < high)].sum(axis=-1)


def chain_power(eeg, low, high):
    """Power on the left and on the right."""
    by_pair = power(BIPOLAR.matrix() @ eeg, low, high)
    chains = {
        name: by_pair[list(pairs)].mean() for name, pairs in BIPOLAR.chains.items()
    }
    return chains["LL"] + chains["LP"], chains["RL"] + chains["RP"]


# ------------------------------------------------------------------ fields


def test_fields_respect_sides_and_symmetry():
    at = {name: i for i, name in enumerate(SCALP)}
    other_side = str.maketrans("12345678", "21436587")
    mirror = [at[name.translate(other_side)] for name in SCALP]
    field = one_sided(-1, 0.2, 0.5, 0.1)
    np.testing.assert_allclose(one_sided(1, 0.2, 0.5, 0.1)[mirror], field, atol=1e-12)
    assert field.max() == 1
    assert field[at["C3"]] > 5 * field[at["C4"]]
    frontal = both_sides(0.8, 0.6)
    np.testing.assert_allclose(frontal[mirror], frontal, atol=1e-12)
    assert frontal[at["F3"]] > 3 * frontal[at["O1"]]
    assert both_sides(0.8, 0.6, 0.1)[at["F4"]] > both_sides(0.8, 0.6, 0.1)[at["F3"]]
    blink = eye_field()
    assert set(np.argsort(blink)[-2:]) == {at["Fp1"], at["Fp2"]}
    assert blink[at["Cz"]] < 0.05


# ------------------------------------------------------------------ waveforms


def test_discharges_come_at_nearly_regular_intervals_and_are_sharp():
    course = discharges(
        np.random.default_rng(0), 60 * 200, freq=1.2, jitter=0.08, sharpness=1.0
    )
    peaks, found = find_peaks(-course, height=0.5, distance=60, width=1)
    intervals = np.diff(peaks) / 200
    assert 1 / intervals.mean() == pytest.approx(1.2, rel=0.12)
    assert 0.03 < intervals.std() / intervals.mean() < 0.2
    assert (np.abs(np.diff(intervals)) < 0.5 * intervals[:-1]).mean() > 0.9
    assert np.median(found["widths"]) / 200 < 0.2  # sharp: under 200 ms


def test_rhythmic_delta_is_one_line_in_the_spectrum():
    course, later = rhythmic_delta(np.random.default_rng(0), 12_000, freq=2.0, lag=0.1)
    assert power(course, 1.6, 2.4) > 0.7 * power(course, 0.2, 20)
    lags = np.arange(-40, 41)
    match = [np.dot(course[100:-100], np.roll(later, -lag)[100:-100]) for lag in lags]
    assert lags[np.argmax(match)] / 200 == pytest.approx(0.1, abs=0.02)


def test_a_seizure_slows_grows_and_spreads():
    focus, hemisphere, other = evolving_seizure(
        np.random.default_rng(0),
        60 * 200,
        start=5,
        stop=55,
        fast=6.0,
        slow=3.0,
        spread_lag=0.02,
    )

    def main_frequency(second):
        part = focus[second * 200 : (second + 6) * 200]
        spectrum = np.abs(np.fft.rfft(part - part.mean()))
        return np.fft.rfftfreq(part.size, 1 / 200)[spectrum.argmax()]

    early, late = main_frequency(7), main_frequency(47)
    assert 4.8 < early < 6.5
    assert 2.5 < late < 3.6
    size = [np.abs(focus[a * 200 : (a + 5) * 200]).mean() for a in (6, 45)]
    assert size[1] > 1.5 * size[0]
    onset = [
        np.flatnonzero(np.abs(course) > 0.5)[0] for course in (focus, hemisphere, other)
    ]
    assert onset[0] < onset[1] < onset[2]
    for course in (focus, hemisphere, other):
        assert not course[: 5 * 200].any()
        assert not course[55 * 200 :].any()


def test_pink_noise_has_its_slope_and_scale():
    noise = pink_noise(np.random.default_rng(0), 8, 40_000, 1.6)
    spectrum = (np.abs(np.fft.rfft(noise, axis=1)) ** 2).mean(axis=0)
    freqs = np.fft.rfftfreq(40_000, 1 / 200)
    band = (freqs > 1) & (freqs < 30)
    slope = np.polyfit(np.log(freqs[band]), np.log(spectrum[band]), 1)[0]
    assert slope == pytest.approx(-1.6, abs=0.15)
    inside = (freqs >= 0.5) & (freqs <= 40)
    variance = 2 * spectrum[inside].sum() / 40_000**2
    assert variance == pytest.approx(1, abs=0.1)


def test_slow_noise_and_steps():
    curves = slow_noise(np.random.default_rng(0), 200_000, 1.0, 5)
    assert curves.std() == pytest.approx(1, abs=0.1)
    steps = smooth_steps([2, 4], [0, 3, 1], 1200)
    assert steps[[0, 600, 1199]].tolist() == [0, 3, 1]
    assert steps[400] == pytest.approx(1.5)


def test_burst_suppression_and_heart():
    gain = burst_suppression(np.random.default_rng(0), 60_000)
    assert 0.4 < (gain < 0.2).mean() < 0.9
    assert gain.max() > 1.2
    patient = replace(
        draw_patient(np.random.default_rng(0)),
        heart_rate=75.0,
        ekg_height=800.0,
        has_ekg=True,
    )
    channel, trace = ekg(np.random.default_rng(0), patient, 12_000)
    beats, _ = find_peaks(channel, height=500, distance=60)
    assert len(beats) == pytest.approx(75, abs=5)
    assert trace.max() == pytest.approx(1, abs=0.05)
    off, _ = ekg(np.random.default_rng(0), replace(patient, has_ekg=False), 2000)
    assert not off.any()


# ------------------------------------------------------------------ recordings


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("name", ["LPD", "LRDA"])
def test_lateralised_patterns_are_on_their_side(name, side):
    rng = np.random.default_rng(0)
    for _ in range(4):
        patient = replace(draw_patient(rng), side=side, blinks=0.0, muscle=0.0)
        left, right = chain_power(
            recording(rng, patient, share_of(**{name: 1.0})), 1, 8
        )
        ratio = np.log(right / left) * side
        assert ratio > 0.7


@pytest.mark.parametrize("name", ["GPD", "GRDA"])
def test_generalised_patterns_are_on_both_sides(name):
    rng = np.random.default_rng(0)
    for _ in range(4):
        patient = replace(draw_patient(rng), slowing=2.0, blinks=0.0, muscle=0.0)
        eeg = recording(rng, patient, share_of(**{name: 1.0}))
        left, right = chain_power(eeg, 1, 8)
        assert abs(np.log(right / left)) < 0.7
        none = recording(rng, patient, share_of(Other=1.0))
        assert left + right > 3 * sum(chain_power(none, 1, 8))


def test_split_votes_mean_a_fainter_pattern():
    heights = []
    for share in (1.0, 0.6, 0.3, 0.0):
        rng = np.random.default_rng(3)
        patient = replace(draw_patient(rng), blinks=0.0, muscle=0.0, suppressed=False)
        eeg = recording(rng, patient, share_of(GRDA=share, Other=1 - share))
        f = patient.delta_freq
        heights.append(sum(chain_power(eeg, 0.8 * f, 1.2 * f)))
    assert heights == sorted(heights, reverse=True)
    assert heights[0] > 5 * heights[-1]


def test_recording_is_reproducible_and_rounded():
    def make():
        rng = np.random.default_rng(9)
        return recording(rng, draw_patient(rng), share_of(LPD=0.6, GPD=0.4), 30)

    eeg = make()
    assert eeg.shape == (20, 6000)
    assert eeg.dtype == np.float32
    assert np.isfinite(eeg).all()
    np.testing.assert_array_equal(make(), eeg)


def look(eeg):
    """What a reader sees at a glance: power by band, side and region; sharpness."""
    middle = eeg.shape[1] // 2
    bipolar = BIPOLAR.matrix() @ eeg[:, middle - 1000 : middle + 1000]
    spectrum = np.abs(np.fft.rfft(bipolar * np.hanning(2000), axis=1)) ** 2
    freqs = np.fft.rfftfreq(2000, 1 / 200)
    edges = (0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 20, 30)
    bands = np.stack(
        [
            np.log(1 + spectrum[:, (freqs >= a) & (freqs < b)].mean(axis=1))
            for a, b in pairwise(edges)
        ],
        axis=1,
    )
    steps = np.diff(bipolar, axis=1)
    peaked = np.log((steps**4).mean(axis=1) / (steps**2).mean(axis=1) ** 2)
    values = np.column_stack([bands, peaked])
    left = values[[*BIPOLAR.chains["LL"], *BIPOLAR.chains["LP"]]]
    right = values[[*BIPOLAR.chains["RL"], *BIPOLAR.chains["RP"]]]
    both = (left + right) / 2
    return np.concatenate(
        [
            np.maximum(left.mean(axis=0), right.mean(axis=0)),
            np.abs(left.mean(axis=0) - right.mean(axis=0)),
            both[0] - both[3],
            values[list(BIPOLAR.chains["Z"])].mean(axis=0),
        ]
    )


def test_a_simple_reader_learns_the_patterns_across_patients():
    features, votes, groups = [], [], []
    for patient_number in range(12):
        rng = np.random.default_rng([4, patient_number])
        patient = draw_patient(rng)
        for name in CLASSES:
            share = share_of(**{name: 0.9}) + 0.1 / 6
            features.append(look(recording(rng, patient, share, 30)))
            votes.append(rng.multinomial(5, share))
            groups.append(patient_number)
    X, y = np.array(features), np.array(votes)
    truth = y.argmax(axis=1)
    fractions = y / y.sum(axis=1, keepdims=True)
    proba = np.empty(y.shape)
    baseline = np.empty(y.shape)
    for train, test in GroupKFold(4).split(X, groups=groups):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        proba[test] = model.fit(X[train], truth[train]).predict_proba(X[test])
        baseline[test] = fractions[train].mean(axis=0)
    assert (proba.argmax(axis=1) == truth).mean() > 0.75
    kl = kl_divergence(fractions, proba)
    assert kl < 0.6 * kl_divergence(fractions, baseline)
