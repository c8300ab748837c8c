"""Frequencies for wavelets, and the cone of influence."""

import numpy as np
import pytest

from hmsklearn.signal import (
    cone_of_influence,
    morlet_power,
    torrence_compo_frequencies,
    wavelet_frequencies,
)


def test_frequencies():
    log = wavelet_frequencies()
    assert (len(log), log[0]) == (64, 0.5)
    assert log[-1] == pytest.approx(20.0)
    np.testing.assert_allclose(log[1:] / log[:-1], 40 ** (1 / 63))
    linear = wavelet_frequencies(1.0, 10.0, 10, spacing="linear")
    np.testing.assert_allclose(linear, np.arange(1, 11))
    octaves = wavelet_frequencies(1.0, 8.0, dj=0.1)
    np.testing.assert_allclose(octaves, 2.0 ** (np.arange(31) / 10))
    assert wavelet_frequencies(1.0001, 8.0, dj=0.1).size == 30


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fmin": 0}, "fmin must be .*above 0"),
        ({"fmin": 20}, "fmin=20 must be below fmax=20"),
        ({"fmax": np.inf}, "fmax must be"),
        ({"n_freqs": 1}, "n_freqs must be an integer at least 2"),
        ({"dj": 0}, "dj must be .*above 0"),
        ({"dj": 0.1, "n_freqs": 7}, "dj=0.1 is a distance in octaves.*n_freqs=7"),
        ({"dj": 0.1, "spacing": "linear"}, "dj=0.1 is a distance in octaves"),
        ({"spacing": "logarithmic"}, "Did you mean 'log'"),
    ],
)
def test_errors_of_frequencies(options, text):
    with pytest.raises(ValueError, match=f"^wavelet_frequencies: .*{text}"):
        wavelet_frequencies(**options)


def test_scales_of_torrence_and_compo():
    """Their own example: 504 quarter years, s0 = 2 dt, dj = 1/4, J1 = 7 / dj."""
    freqs = torrence_compo_frequencies(504, sfreq=4.0, dj=0.25, s0=0.5, n_scales=29)
    period = 4 * np.pi / (6 + np.sqrt(38))
    np.testing.assert_allclose(
        1 / freqs[::-1], period * 0.5 * 2.0 ** (np.arange(29) / 4)
    )
    # Without numbers: from the Nyquist frequency to a scale as long as the window.
    freqs = torrence_compo_frequencies(504, sfreq=4.0, dj=0.5)
    assert freqs[-1] == 2.0
    assert 1 / freqs[0] / period <= 504 / 4 < 1 / freqs[0] / period * 2**0.5
    assert np.isfinite(morlet_power(np.ones((1, 504)), freqs, sfreq=4.0)).all()
    # The best-known trainable wavelets of the competition, and what they left out.
    freqs = torrence_compo_frequencies(10_000, dj=0.081, fmax=50.0)
    smallest = 2 / 200 / period
    scales = smallest * 2 ** (
        0.081 * np.arange(int(np.log2(10_000 / 200 / smallest) / 0.081) + 1)
    )
    expected = 1 / (period * scales)
    np.testing.assert_allclose(freqs, expected[expected <= 50][::-1])
    low = torrence_compo_frequencies(10_000, dj=0.081, fmin=0.5, fmax=50.0)
    np.testing.assert_allclose(low, freqs[freqs >= 0.5])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_times": 1}, "n_times must be an integer at least 2"),
        ({"dj": -1}, "dj must be"),
        ({"s0": 0.001}, "s0 must be .*at least 0.0096"),
        ({"n_scales": 0}, "n_scales must be"),
        ({"omega0": 0.1}, "omega0 must be"),
        ({"fmin": 60.0, "fmax": 61.0}, "none of the .* between fmin=60 and fmax=61"),
    ],
)
def test_errors_of_scales(options, text):
    options = {"n_times": 1000, **options}
    with pytest.raises(ValueError, match=f"^torrence_compo_frequencies: .*{text}"):
        torrence_compo_frequencies(**options)


def test_cone_of_influence():
    cone = cone_of_influence(1000)
    assert cone.shape == (1000,)
    np.testing.assert_allclose(cone, cone[::-1])
    assert cone[0] == 0
    # Section 3g: a wavelet of scale s forgets an edge in sqrt(2) s.
    scale = 1.0
    period = 4 * np.pi * scale / (6 + np.sqrt(38))
    distance = np.sqrt(2) * scale * 200
    assert cone[int(distance)] < period < cone[int(distance) + 1]
    np.testing.assert_array_equal(cone_of_influence(1003, n_columns=100).shape, 100)
    np.testing.assert_allclose(
        cone_of_influence(
            1000, hop_length=33, n_cycles=5
        ),  # 1 / f = 5 sigma / (2 pi) ..
        np.minimum(np.arange(31) * 33, 999 - np.arange(31) * 33)
        / 200
        / np.sqrt(2)
        * (2 * np.pi / 5),
    )


def test_power_of_an_edge_falls_to_exp_minus_two_in_the_cone():
    x = np.zeros((1, 1001))
    x[0, 0] = 1.0
    for options in ({"omega0": 6.0}, {"n_cycles": 4.0}):
        cone = cone_of_influence(1001, **options)[:501]
        freqs = [1.0, 3.0]
        power = morlet_power(x, freqs, demean=False, **options)[0]
        for row, freq in zip(power, freqs, strict=True):
            edge = np.interp(1 / freq, cone, np.arange(501))
            decay = np.interp(edge, np.arange(1001), row) / row[0]
            assert decay == pytest.approx(np.exp(-2), rel=1e-3)


def test_errors_of_the_cone():
    for options, text in [
        ({"n_times": 1}, "n_times"),
        ({"n_cycles": [3, 4]}, "n_cycles must be a finite number"),
        ({"n_cycles": 3, "omega0": 6}, "both say"),
        ({"n_columns": 3, "hop_length": 6}, "both say"),
    ]:
        with pytest.raises(ValueError, match=f"^cone_of_influence: .*{text}"):
            cone_of_influence(**{"n_times": 1000, **options})
