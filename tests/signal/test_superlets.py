"""Superlets by definition, and what they are for."""

import numpy as np
import pytest
import torch

from hmsklearn.signal import morlet_power, superlet_power

SFREQ = 200.0
FREQS = np.array([2.0, 3.5, 8.0, 20.0])


def response(x, freq, cycles, times):
    """Power of one wavelet: envelope of area one, a real sine of amplitude A gives A^2.

    Moca et al.: the cycles lie within five standard deviations.
    """
    sigma = cycles / (5 * freq)
    lag = np.arange(len(x)) / SFREQ - times[:, None] / SFREQ
    envelope = np.exp(-(lag**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma * SFREQ)
    return 4 * np.abs((envelope * np.exp(-2j * np.pi * freq * lag)) @ x) ** 2


def by_definition(x, freqs, orders, n_cycles, kind, times):
    """Geometric mean of the responses, the last one for what is left of the order."""
    rows = []
    for freq, order in zip(freqs, orders, strict=True):
        product = np.ones(len(times))
        for member in range(1, int(np.ceil(order)) + 1):
            step = (
                n_cycles * member if kind == "multiplicative" else n_cycles + member - 1
            )
            exponent = 1.0 if member <= order else order - np.floor(order)
            product *= response(x, freq, step, times) ** exponent
        rows.append(product ** (1 / order))
    return np.stack(rows)


@pytest.mark.parametrize(
    ("options", "orders"),
    [
        ({"order": 1}, [1, 1, 1, 1]),
        ({"order": 4, "n_cycles": 2}, [4, 4, 4, 4]),
        ({"order": 2.3}, [2.3, 2.3, 2.3, 2.3]),
        ({"order": (1, 10)}, [1, 1.75, 4, 10]),
        ({"order": (1, 10), "fractional": False}, [1, 2, 4, 10]),
        ({"order": (3, 3), "kind": "additive", "n_cycles": 5.5}, [3, 3, 3, 3]),
        ({"order": (8, 1), "kind": "additive"}, [8, 8 - 7 / 12, 8 - 7 / 3, 1]),
    ],
)
def test_is_the_geometric_mean_by_definition(rng, options, orders):
    x = rng.normal(0, 30, (2, 1200)).cumsum(axis=-1) / 5
    power = superlet_power(x, FREQS, n_columns=40, demean=False, **options)
    assert power.shape == (2, 4, 40)
    times = np.arange(40) * 30.0
    n_cycles = options.get("n_cycles", 3)
    kind = options.get("kind", "multiplicative")
    for channel, got in zip(x, power, strict=True):
        expected = by_definition(channel, FREQS, orders, n_cycles, kind, times)
        assert np.abs(got - expected).max() < 1e-9 * expected.max()
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_order_one_is_a_morlet_wavelet(rng):
    x = rng.normal(0, 30, (3, 2, 1000))
    superlet = superlet_power(x, FREQS, order=1, n_cycles=4, hop_length=7)
    # sigma = c / (5 f) here, n / (2 pi f) there.
    wavelet = morlet_power(x, FREQS, n_cycles=4 * 2 * np.pi / 5, hop_length=7)
    np.testing.assert_allclose(superlet, wavelet, rtol=1e-9)


def test_fractions_lie_between_whole_orders(rng):
    t = np.arange(4000) / SFREQ
    x = np.sin(2 * np.pi * 10 * t)[None]
    near = np.array([9.0, 10.0, 10.5])
    at = [
        superlet_power(x, near, order=order)[0, :, 2000]
        for order in (2, 2.25, 2.5, 2.75, 3)
    ]
    assert (np.diff(np.array(at)[:, [0, 2]], axis=0) < 0).all()
    np.testing.assert_allclose(np.array(at)[:, 1], 1.0, rtol=1e-4)


def test_sharper_than_either_of_its_wavelets():
    """Two tones close together, and two bursts close together."""
    t = np.arange(4000) / SFREQ
    tones = (np.sin(2 * np.pi * 10 * t) + np.sin(2 * np.pi * 12 * t))[None]
    bursts = (
        np.sin(2 * np.pi * 10 * t)
        * (np.exp(-(((t - 9.7) / 0.1) ** 2)) + np.exp(-(((t - 10.3) / 0.1) ** 2)))
    )[None]
    wide, narrow = {"n_cycles": 3}, {"n_cycles": 15}

    def dip_in_frequency(order, options):
        power = superlet_power(tones, [10.0, 11.0], order=order, **options)[0]
        return power[1, 1000:3000].mean() / power[0, 1000:3000].mean()

    def dip_in_time(order, options):
        power = superlet_power(bursts, [10.0], order=order, **options)[0, 0]
        return power[2000] / power[1940]

    # Each wavelet sees the gap in one of the two, and none in the other.
    assert dip_in_frequency(1, wide) > 1
    assert dip_in_time(1, wide) < 0.01
    assert dip_in_frequency(1, narrow) < 0.2
    assert dip_in_time(1, narrow) > 1
    # The superlet of 3, 6, .. 15 cycles sees it in both.
    assert dip_in_frequency(5, wide) < 0.6
    assert dip_in_time(5, wide) < 0.1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silence_stays_silent(dtype):
    X = np.full((1, 2, 1000), 77.7, dtype=dtype)
    X[0, 1] = 0.0
    power = superlet_power(X, FREQS, order=(1, 3.5), n_columns=10)
    assert power.dtype == dtype
    assert (power == 0).all()
    tensor = torch.from_numpy(X).requires_grad_()
    power = superlet_power(tensor, FREQS, order=(1, 3.5), n_columns=10)
    assert (power == 0).all()
    power.sum().backward()
    assert torch.isfinite(tensor.grad).all()


def test_float32_and_volts(rng):
    X = rng.normal(0, 30, (1, 3, 4000)).cumsum(axis=-1).astype(np.float32)
    options = {"freqs": FREQS, "order": (1, 16), "n_columns": 100}
    double = superlet_power(X.astype(np.float64), **options)
    largest = double.max()
    error = np.abs(superlet_power(X, **options) - double)
    assert error.max() < 1e-6 * largest
    seen = double > 1e-6 * largest
    assert (error[seen] < 1e-5 * double[seen]).all()
    volts = superlet_power(X * np.float32(1e-6), **options)
    np.testing.assert_allclose(volts[seen], 1e-12 * double[seen], rtol=1e-4)


def test_polarity_scale_nan_and_out(rng):
    X = rng.normal(0, 30, (2, 3, 1000))
    options = {"freqs": FREQS, "order": (1, 4), "n_columns": 20}
    power = superlet_power(X, **options)
    np.testing.assert_allclose(superlet_power(-3 * X, **options), 9 * power, rtol=1e-9)
    out = np.empty((2, 3, 4, 20))
    assert superlet_power(X, out=out, **options) is out
    np.testing.assert_array_equal(out, power)
    np.testing.assert_array_equal(superlet_power(X[1], **options), power[1])
    X[0, 1, 5] = np.nan
    spoilt = superlet_power(X, **options)
    assert np.isnan(spoilt[0, 1]).all()
    assert not np.isnan(spoilt[0, [0, 2]]).any()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"order": 0.5}, "order must be .*at least 1"),
        ({"order": (1, 2, 3)}, r"order must be a number, or a pair .*\(1, 2, 3\)"),
        ({"order": [[1], [2, 3]]}, r"order must be a number, or a pair"),
        ({"order": (1, None)}, "order must be a finite number"),
        ({"n_cycles": 0}, "n_cycles must be .*at least 1"),
        ({"n_cycles": [3, 4]}, "n_cycles must be a finite number"),
        ({"kind": "multiply"}, "Did you mean 'multiplicative'"),
        ({"freqs": [200.0]}, "Nyquist"),
        ({"sfreq": -1}, "sfreq must be"),
        ({"order": 40, "freqs": [0.5]}, "longer than a window of 1000 samples"),
        ({"n_columns": 2000}, "1000 samples"),
        ({"pad_mode": ["wrap"]}, "pad_mode must be one of"),
        ({"pad_mode": "odd"}, "pad_mode must be one of"),
    ],
)
def test_errors(options, text):
    options = {"freqs": FREQS, "order": 2, **options}
    with pytest.raises(ValueError, match=f"^superlet_power: .*{text}"):
        superlet_power(np.zeros((1, 1000)), **options)
