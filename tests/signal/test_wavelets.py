"""Morlet wavelets: by definition, and beside MNE, PyWavelets, Torrence and Compo."""

from inspect import signature

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal import morlet_power, morlet_transform
from hmsklearn.signal.wavelet_fold import make_plan
from hmsklearn.signal.wavelets import morlet_plan

SFREQ = 200.0


@pytest.fixture
def drifting(rng):
    """Pink noise with offsets and a drift: (2, 3, 10000) float64."""
    spectrum = rng.normal(size=(2, 3, 5001, 2)) @ [1, 1j]
    X = np.fft.irfft(spectrum / np.maximum(np.arange(5001), 4.0), 10_000)
    X *= 40 / X.std()
    return X + rng.normal(0, 100, (2, 3, 1)) + np.linspace(-80, 120, 10_000)


def shapes(freqs, omega0=None, n_cycles=None):
    """Centre and scale by either convention, written out again."""
    if n_cycles is not None:
        return freqs, n_cycles / (2 * np.pi * freqs)
    omega0 = 6.0 if omega0 is None else omega0
    period = 1 / freqs
    scales = period * (omega0 + np.sqrt(2 + omega0**2)) / (4 * np.pi)
    return omega0 / (2 * np.pi * scales), scales


def wavelet(times, centre, sigma, scaling, zero_mean):
    """One wavelet, sampled at `times` in seconds."""
    oscillation = np.exp(2j * np.pi * centre * times)
    offset = np.exp(-((2 * np.pi * centre * sigma) ** 2) / 2) if zero_mean else 0.0
    psi = (oscillation - offset) * np.exp(-(times**2) / (2 * sigma**2))
    if scaling == "amplitude":
        area = np.sqrt(2 * np.pi) * sigma * SFREQ
        return psi * 2 / area / (1 - offset**2)
    psi /= np.linalg.norm(psi)
    return psi * np.sqrt(2) if scaling == "mne" else psi


def by_definition(x, freqs, hop, width, pad_mode="constant", *, demean=True, **options):
    """Sum over all samples, and those that the padding adds."""
    shape = {name: options.pop(name, None) for name in ("omega0", "n_cycles")}
    scaling = options.pop("scaling", "amplitude")
    zero_mean = options.pop("zero_mean", False)
    assert not options
    centres, sigmas = shapes(np.asarray(freqs), **shape)
    if demean:
        x = x - x.mean()
    reach = int(np.ceil(9 * sigmas.max() * SFREQ))
    padded = np.pad(x, reach, mode=pad_mode)
    out = np.empty((len(freqs), width), dtype=complex)
    lags = np.arange(-reach, reach + 1)
    for row, (centre, sigma) in enumerate(zip(centres, sigmas, strict=True)):
        psi = wavelet(lags / SFREQ, centre, sigma, scaling, zero_mean)
        for column in range(width):
            piece = padded[column * hop : column * hop + 2 * reach + 1]
            out[row, column] = piece @ psi.conj()
    return out


@pytest.mark.parametrize(
    ("n_times", "options"),
    [
        (1000, {"n_columns": 50}),
        (1003, {"n_columns": 50}),
        (1003, {"n_columns": 7, "pad_mode": "reflect"}),
        (
            1001,
            {
                "hop_length": 33,
                "pad_mode": "constant",
                "zero_mean": True,
                "n_cycles": 2,
            },
        ),
        (999, {"hop_length": 1, "omega0": 5.3, "scaling": "torrence-compo"}),
        (660, {"hop_length": 33, "pad_mode": "wrap", "scaling": "mne"}),
        (660, {"n_columns": 20, "pad_mode": "wrap", "n_cycles": 1.5}),
        (997, {"n_columns": 1, "n_cycles": [3, 4, 5, 6, 7, 8.5, 9, 2]}),
        (512, {"n_columns": 256, "demean": False, "zero_mean": True, "omega0": 3}),
        (300, {"n_columns": 300, "pad_mode": "reflect", "scaling": "mne"}),
    ],
)
def test_is_the_sum_by_definition(rng, n_times, options):
    # The last rows are so near the Nyquist frequency that their bands pass it, the
    # first ones so broad that theirs pass zero.
    freqs = [1.0, 1.3, 2.5, 6.0, 13.0, 40.0, 90.0, 100.0]
    X = rng.normal(0, 30, (1, 2, n_times)).cumsum(axis=-1) / 5 + 300
    result = morlet_transform(X, freqs, **options)
    power = morlet_power(X, freqs, **options)
    width = result.shape[-1]
    hop = options.pop("hop_length", n_times // options.pop("n_columns", n_times))
    for channel, (one, squared) in enumerate(zip(result[0], power[0], strict=True)):
        expected = by_definition(X[0, channel], freqs, hop, width, **options)
        peak = np.abs(expected).max()
        assert np.abs(one - expected).max() < 1e-9 * peak
        assert np.abs(squared - np.abs(expected) ** 2).max() < 1e-9 * peak**2


def test_a_window_shorter_than_its_mirror_images(rng):
    X = rng.normal(size=(1, 1, 60))
    for freqs, options in [([4.0], {"omega0": 6.0}), ([3.5, 20.0], {"n_cycles": 6})]:
        got = morlet_transform(X, freqs, pad_mode="reflect", **options)[0, 0]
        expected = by_definition(X[0, 0], freqs, 1, 60, "reflect", **options)
        assert np.abs(got - expected).max() < 1e-9 * np.abs(expected).max()


def test_decimation_has_no_error(drifting):
    freqs = [0.5, 3.0, 9.0, 60.0]
    full = morlet_transform(drifting, freqs)
    assert full.shape == (2, 3, 4, 10_000)
    few = morlet_transform(drifting, freqs, n_columns=256)
    peak = np.abs(full).max()
    assert np.abs(few - full[..., : 39 * 256 : 39]).max() < 1e-13 * peak
    many = morlet_transform(drifting, freqs, hop_length=14)
    assert many.shape[-1] == 715
    assert np.abs(many - full[..., ::14]).max() < 1e-13 * peak


@pytest.mark.parametrize("zero_mean", [False, True])
@pytest.mark.parametrize("n_cycles", [3.0, 7.0, np.linspace(3, 9, 28)])
def test_equal_to_mne(drifting, n_cycles, zero_mean):
    mne = pytest.importorskip("mne")
    freqs = np.arange(0.8, 20.4, 0.7)
    options = {"n_cycles": n_cycles, "zero_mean": zero_mean}
    ours = {"scaling": "mne", "hop_length": 14, "demean": False, **options}
    for output, function in [("complex", morlet_transform), ("power", morlet_power)]:
        theirs = mne.time_frequency.tfr_array_morlet(
            drifting, SFREQ, freqs, decim=14, output=output, verbose="error", **options
        )
        result = function(drifting, freqs, **ours)
        assert result.dtype == theirs.dtype
        # They end their wavelets at 5 sigma, where 4e-6 of the peak is left: a step,
        # through which offset and drift, stronger than many rows, leak into all.
        peak = np.abs(theirs).max(axis=(-2, -1), keepdims=True)
        assert np.abs(result - theirs).max() <= 1e-5 * peak.max()
        row = np.abs(theirs).max(axis=-1, keepdims=True)
        interior = slice(60, -60)
        assert (np.abs(result - theirs) <= 1e-4 * row)[..., interior].all()


@pytest.mark.parametrize(("bandwidth", "centre"), [(2.0, 0.95492966), (1.5, 1.0)])
def test_equal_to_pywavelets(drifting, bandwidth, centre):
    """PyWavelets transforms the running mean of the signal over one sample.

    It differentiates the convolution with the integrated wavelet, which is the
    convolution with means of the wavelet from sample to sample, and the wavelet starts
    at -8 scales, so that its middle is mostly between two samples. Both are undone on
    the signal here. The wavelet itself is looked up in a table of 2 ** precision
    entries.
    """
    pywt = pytest.importorskip("pywt")
    if "precision" not in signature(pywt.cwt).parameters:
        pytest.skip("this PyWavelets has a coarse table of the wavelet only")
    name = f"cmor{bandwidth}-{centre}"
    x = drifting[0] - drifting[0].mean(axis=-1, keepdims=True)
    n_cycles = 2 * np.pi * centre * np.sqrt(bandwidth / 2)
    hertz = np.fft.rfftfreq(20_000, 1 / SFREQ)
    _, table = pywt.integrate_wavelet(name, precision=20)
    for freq in (0.9, 3.3, 10.0, 37.0):
        scale = SFREQ * centre / freq
        steps = np.arange(scale * (table[-1] - table[0]) + 1)
        size = int(((steps / (scale * (table[1] - table[0]))) < len(table)).sum())
        shift = (size - 2) // 2 + 8 * scale - size + 1.5
        response = np.sinc(hertz / SFREQ) * np.exp(2j * np.pi * hertz / SFREQ * shift)
        moved = np.fft.irfft(np.fft.rfft(x, 20_000) * response)[:, :10_000]
        ours = morlet_transform(
            moved,
            [freq],
            n_cycles=n_cycles,
            scaling="torrence-compo",
            hop_length=39,
            demean=False,
        )[:, 0] * (2 * np.pi * bandwidth) ** (-0.25)
        theirs, _ = pywt.cwt(x, scale, name, 1 / SFREQ, "fft", precision=20)
        theirs = theirs[0][:, ::39]
        interior = slice(40, -40)
        error = np.abs(ours - theirs)[:, interior].max()
        assert error < 1e-4 * np.abs(theirs).max()


def test_equal_to_torrence_and_compo(drifting):
    """Equations 4 and 6 of the paper: a sum over the positive angular frequencies."""
    x = drifting[0, 0] - drifting[0, 0].mean()
    length, step = 2**15, 1 / SFREQ
    omega = 2 * np.pi * np.fft.fftfreq(length, step)
    scales = 2 * step * 2.0 ** (0.5 * np.arange(14))
    daughters = np.where(
        omega > 0,
        np.pi**-0.25 * np.exp(-((np.outer(scales, omega) - 6) ** 2) / 2),
        0.0,
    ) * np.sqrt(2 * np.pi * scales / step).reshape(-1, 1)
    expected = np.fft.ifft(np.fft.fft(x, length) * daughters)[:, :10_000]
    freqs = 1 / (4 * np.pi / (6 + np.sqrt(2 + 6**2)) * scales)  # table 1: 1.03 s
    given = morlet_transform(x[None], freqs, scaling="torrence-compo")[0]
    # They leave out the negative frequencies, exp(-18) of the peak and less. The first
    # bands pass the Nyquist frequency.
    error = np.abs(given - expected)[3:].max()
    assert error < 1e-7 * np.abs(expected).max()


def test_scalings(rng):
    t = np.arange(4000) / SFREQ
    freqs = [4.0, 8.0, 16.0]
    for row, freq in enumerate(freqs):
        x = 3 * np.cos(2 * np.pi * freq * t + 0.7)[None]
        for zero_mean in (False, True):
            z = morlet_transform(x, freqs, n_cycles=4, zero_mean=zero_mean)
            np.testing.assert_allclose(z[0, row, 2000], 3 * np.exp(0.7j), rtol=1e-6)
    # The Fourier frequency of a sine is where its power is largest.
    near = np.linspace(7.8, 8.2, 401)
    x = np.cos(2 * np.pi * 8.0 * t)[None]
    for omega0 in (4.0, 6.0):
        power = morlet_power(x, near, scaling="torrence-compo", omega0=omega0)
        assert near[power[0, :, 2000].argmax()] == pytest.approx(8.0, abs=1e-9)
    noise = rng.normal(0, 2.0, (300, 2000))
    power = morlet_power(
        noise, freqs, scaling="torrence-compo", pad_mode="wrap", n_columns=5
    )
    np.testing.assert_allclose(power.mean(axis=(0, 2)), 4.0, rtol=0.15)
    twice = morlet_power(
        noise, shapes(np.array(freqs))[0], n_cycles=6, scaling="mne", n_columns=5
    )
    single = morlet_power(noise, freqs, scaling="torrence-compo", n_columns=5)
    np.testing.assert_allclose(twice, 2 * single, rtol=1e-9)


def check_single_precision(X, **options):
    freqs = np.geomspace(0.5, 20, 64)
    single = morlet_power(X, freqs, n_columns=256, **options)
    double = morlet_power(X.astype(np.float64), freqs, n_columns=256, **options)
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    largest = double.max(axis=(-2, -1), keepdims=True)
    error = np.abs(single - double)
    assert (error <= 1e-6 * largest).all()
    visible = double > 1e-6 * largest
    assert visible.mean() > 0.9
    assert (error[visible] <= 1e-5 * double[visible]).all()


def test_float32_is_as_good_as_float64(drifting):
    check_single_precision(drifting.astype(np.float32))
    check_single_precision(drifting.astype(np.float32), pad_mode="reflect", n_cycles=7)


def test_float32_on_real_eeg(real_windows):
    X = np.nan_to_num(real_windows[::9, ::4])
    check_single_precision(X[:, X.std(axis=(0, 2)) > 0])


def test_float32_tensors_are_as_good_as_the_guide_says(drifting, real_windows):
    real = np.nan_to_num(real_windows[::3, ::2])
    freqs = np.geomspace(0.5, 20, 64)
    for X in (drifting.astype(np.float32), real[:, real.std(axis=(0, 2)) > 0]):
        tensor = morlet_power(torch.from_numpy(X), freqs, n_columns=256)
        assert tensor.dtype == torch.float32
        double = morlet_power(X.astype(np.float64), freqs, n_columns=256)
        error = np.abs(tensor.numpy() - double)
        largest = double.max(axis=(-2, -1), keepdims=True)
        for decibel, bound in ((40, 5e-4), (60, 5e-3)):
            seen = double > 10 ** (-decibel / 10) * largest
            assert (error[seen] <= bound * double[seen]).all()


@given(
    factor=st.floats(-1e3, 1e3).filter(lambda value: abs(value) > 1e-3),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=20)
def test_linear_and_quadratic(factor, seed):
    x, y = np.random.default_rng(seed).normal(size=(2, 1, 300))
    freqs = [8.0, 20.0, 70.0]
    one, other = morlet_transform(x, freqs), morlet_transform(y, freqs)
    both = morlet_transform(factor * x + y, freqs)
    size = np.abs(factor * one).max() + np.abs(other).max()
    assert np.abs(both - factor * one - other).max() < 1e-12 * size
    power = morlet_power(x, freqs)
    scaled = morlet_power(factor * x, freqs)
    np.testing.assert_allclose(scaled, factor**2 * power, rtol=1e-9, atol=1e-200)
    np.testing.assert_allclose(morlet_power(-x, freqs), power, rtol=1e-12)


@given(steps=st.integers(-30, 30), hop=st.sampled_from([1, 7, 20]))
@settings(deadline=None, max_examples=20)
def test_shifts_by_columns_when_wrapped(steps, hop):
    x = np.random.default_rng(abs(steps)).normal(size=(1, 840))
    options = {"freqs": [3.0, 9.0, 33.0], "hop_length": hop, "pad_mode": "wrap"}
    power = morlet_power(x, **options)
    moved = morlet_power(np.roll(x, steps * hop, axis=-1), **options)
    expected = np.roll(power, steps, axis=-1)
    np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-12 * power.max())


def test_reversed_time_reverses_columns(drifting):
    x = drifting[0, :, :9985]  # columns at 0, 39, .. 9984, both ends included
    power = morlet_power(x, [1.0, 5.0, 15.0], hop_length=39)
    back = morlet_power(x[:, ::-1], [1.0, 5.0, 15.0], hop_length=39)
    assert power.shape[-1] == 257
    np.testing.assert_allclose(back[..., ::-1], power, atol=1e-12 * power.max())


def test_only_the_number_of_samples_a_cycle_counts(drifting):
    one = morlet_power(drifting, [1.0, 5.0], sfreq=200.0, n_columns=50)
    other = morlet_power(drifting, [2.0, 10.0], sfreq=400.0, n_columns=50)
    np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pad_mode", ["constant", "reflect", "wrap"])
def test_a_constant_channel_has_no_power(pad_mode, dtype):
    X = np.array([0.0, 1.0, -300.1, 1e6 / 3], dtype=dtype)[None, :, None]
    X = np.repeat(X, 1000, axis=-1)
    assert (morlet_power(X, [2.0, 20.0], n_columns=10, pad_mode=pad_mode) == 0).all()
    tensor = torch.from_numpy(X)
    assert (
        morlet_power(tensor, [2.0, 20.0], n_columns=10, pad_mode=pad_mode) == 0
    ).all()


def test_offset_and_nan_stay_where_they_are(drifting):
    freqs = [1.0, 5.0, 20.0]
    clean = morlet_power(drifting, freqs, n_columns=20)
    shifted = morlet_power(drifting + 1e5, freqs, n_columns=20)
    np.testing.assert_allclose(shifted, clean, rtol=1e-6)
    kept = morlet_power(drifting + 1e5, freqs, n_columns=20, demean=False)
    assert (kept[..., 0, 0] > 1e4 * clean[..., 0, 0]).all()  # the edge of the offset
    drifting[0, 1, 77] = np.nan
    spoilt = morlet_power(drifting, freqs, n_columns=20)
    assert np.isnan(spoilt[0, 1]).all()
    spoilt[0, 1] = clean[0, 1]
    np.testing.assert_array_equal(spoilt, clean)


@pytest.mark.parametrize("function", [morlet_power, morlet_transform])
def test_windows_do_not_meet(drifting, function):
    X = drifting.astype(np.float32)
    X.setflags(write=False)
    together = function(X, [1.0, 5.0, 20.0], n_columns=256)
    for index in range(2):
        alone = function(X[index], [1.0, 5.0, 20.0], n_columns=256)
        np.testing.assert_array_equal(alone, together[index])
    strided = np.asfortranarray(X)[:, :, ::1]
    np.testing.assert_array_equal(
        function(strided, [1.0, 5.0, 20.0], n_columns=256), together
    )
    assert function(X[:0], [5.0], n_columns=10).shape == (0, 3, 1, 10)


@pytest.mark.parametrize("function", [morlet_power, morlet_transform])
def test_out(drifting, function):
    expected = function(drifting, [5.0, 9.0], n_columns=20)
    buffer = np.full((2, 3, 4, 20), np.nan, dtype=expected.dtype)
    out = buffer[:, :, 1:3]
    assert function(drifting, [5.0, 9.0], n_columns=20, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert np.isnan(buffer[:, :, [0, 3]]).all()
    tensor = torch.from_numpy(drifting)
    with pytest.raises(ValueError, match=r"out= is for NumPy arrays"):
        function(tensor, [5.0], out=torch.empty(2, 3, 1, 10_000))


def test_equal_plans_are_made_once():
    make_plan.cache_clear()
    options = {"n_columns": 20, "n_cycles": 7}
    one = morlet_plan(1000, "float32", np.array([5.0, 10.0]), **options)
    other = morlet_plan(1000, "float32", [5, 10], **options)
    assert one is other
    assert morlet_plan(1000, "float64", [5, 10], **options) is not one


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"freqs": [0.0, 5.0]}, "above 0 and at most the Nyquist.*100 Hz.*got 0"),
        ({"freqs": [5.0, 100.1]}, "at most the Nyquist frequency .*got 100.1"),
        ({"freqs": [np.nan]}, "got nan"),
        ({"freqs": []}, "freqs must be a list of frequencies"),
        ({"freqs": 5.0}, "freqs must be a list of frequencies in Hz, got 5.0"),
        ({"freqs": ["alpha"]}, "freqs must be a list of frequencies"),
        ({"sfreq": 0}, "sfreq must be .*above 0"),
        ({"omega0": 6, "n_cycles": 7}, "omega0=6 and n_cycles=7 both say"),
        ({"omega0": 0.5}, "omega0 must be .*at least 1"),
        ({"n_cycles": 0.5}, "n_cycles must be finite and at least 1, got 0.5"),
        ({"n_cycles": np.inf}, "n_cycles must be"),
        (
            {"n_cycles": [3.0, np.nan]},
            "n_cycles must be finite and at least 1, got nan",
        ),
        ({"n_cycles": [3.0, 4.0, 5.0]}, r"shape \(3,\), expected one .* 2 frequencies"),
        (
            {"n_cycles": ["x", "y"]},
            r"n_cycles must be .*2 frequencies, got \['x', 'y'\]",
        ),
        ({"pad_mode": ["wrap"]}, "pad_mode must be one of"),
        ({"pad_mode": "periodic"}, "pad_mode must be one of 'constant'.*'periodic'"),
        ({"n_columns": 10, "hop_length": 9}, "n_columns=10 and hop_length=9 both say"),
        ({"n_columns": 0}, "n_columns must be an integer at least 1"),
        ({"n_columns": 1001}, "1000 samples .*at least 1001 are needed.*hop_length"),
        ({"hop_length": 2.0}, "hop_length must be an integer"),
        ({"scaling": "energy"}, "scaling must be one of"),
        (
            {"pad_mode": "mirror"},
            "pad_mode must be one of 'constant', 'reflect', 'wrap'",
        ),
        ({"pad_mode": "wrap", "hop_length": 33}, "multiple of the 33.* to 990"),
        (
            {"freqs": [0.19]},
            "wavelet at 0.18.* Hz, of scale 5.0.* longer .*1000 samples",
        ),
    ],
)
@pytest.mark.parametrize("function", [morlet_power, morlet_transform])
def test_errors(function, options, text):
    X = np.zeros((1, 1, 1000))
    options = {"freqs": [5.0, 10.0], **options}
    with pytest.raises(ValueError, match=f"^{function.__name__}: .*{text}"):
        function(X, **options)


@pytest.mark.parametrize("function", [morlet_power, morlet_transform])
def test_unusable_arrays(function):
    with pytest.raises(ValueError, match=r"expected a NumPy array .* got list"):
        function([[0.0] * 1000], [5.0])
    with pytest.raises(ValueError, match=r"float32 or float64, got torch.float16"):
        function(torch.zeros((1, 1000), dtype=torch.float16), [5.0])
    with pytest.raises(ValueError, match=r"X has 1 dimensions.*pass X\[None\]"):
        function(np.zeros(1000), [5.0])
    assert function(np.zeros((0, 1000)), [5.0], n_columns=3).shape == (0, 1, 3)


def test_the_longest_wavelet_is_as_long_as_the_window(rng):
    X = rng.normal(size=(1, 1000))
    lowest = 0.2 * 6 / (2 * np.pi) * (1 + 1e-12)  # scale 5 s, Morlet frequency
    power = morlet_power(X, [lowest], n_cycles=6, n_columns=10)
    assert np.isfinite(power).all()
    with pytest.raises(ValueError, match="longer than a window"):
        morlet_power(X, [lowest * 0.999], n_cycles=6, n_columns=10)
