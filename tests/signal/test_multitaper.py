"""Multitaper power against its definition and against MNE."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.fft import rfft
from scipy.signal import detrend as remove_trend
from scipy.signal.windows import dpss

from hmsklearn.signal import multitaper_power
from hmsklearn.signal.multitaper_layout import WEIGHTINGS, multitaper_layout
from hmsklearn.signal.slepian import slepian_tapers
from hmsklearn.signal.tapered import FastTransform, tapered_transform
from hmsklearn.signal.tapered_blocks import BlockTransform

LAYOUT = dict(
    sfreq=200.0,
    window_seconds=4.0,
    step_seconds=0.5,
    time_bandwidth=5.0,
    n_tapers=None,
    n_fft=None,
    fmin=0.5,
    fmax=20.0,
)


def frames_of(X, detrend, window_seconds, step_seconds, sfreq):
    length, step = round(window_seconds * sfreq), round(step_seconds * sfreq)
    starts = range(0, X.shape[-1] - length + 1, step)
    frames = np.stack([X[..., s : s + length] for s in starts], axis=-2)
    return remove_trend(frames, type=detrend) if detrend else frames


def by_definition(X, detrend="linear", weighting="unity", scaling="density", **given):
    """Window by window and taper by taper, with full transforms, in float64."""
    p = {**LAYOUT, **given}
    periodic, steps = p.pop("periodic", False), p.pop("adaptive_steps", 10)
    NW, fs = p["time_bandwidth"], p["sfreq"]
    frames = frames_of(
        X.astype(np.float64), detrend, p["window_seconds"], p["step_seconds"], fs
    )
    length = frames.shape[-1]
    n_fft = p["n_fft"] or 2 ** int(np.ceil(np.log2(length)))
    n_tapers = p["n_tapers"] or int(2 * NW) - 1
    tapers, ratios = dpss(
        length, NW, n_tapers, sym=not periodic, norm=2, return_ratios=True
    )
    spectra = [np.abs(rfft(frames * taper, n_fft)) ** 2 for taper in tapers]
    spectra = np.stack(spectra, axis=-2)  # (..., frames, tapers, bins)
    if weighting == "unity":
        power = spectra.mean(axis=-2)
    elif weighting == "eigen":
        power = (spectra * ratios[:, None]).sum(axis=-2) / ratios.sum()
    else:
        variance = np.mean(frames**2, axis=-1)[..., None, None]
        lam = ratios[:, None]
        power = spectra[..., :2, :].mean(axis=-2, keepdims=True)
        for _ in range(steps):
            b = power / (lam * power + (1 - lam) * variance)
            w = b**2 * lam
            power = (w * spectra).sum(axis=-2, keepdims=True)
            power /= w.sum(axis=-2, keepdims=True)
        power = power[..., 0, :]
    freqs = np.fft.rfftfreq(n_fft, 1 / fs)
    if scaling != "two-sided":
        power[..., 1:] *= 2
        if n_fft % 2 == 0:
            power[..., -1] /= 2
    if scaling != "length":
        power /= fs
    keep = (freqs >= p["fmin"] - 1e-9) & (freqs <= p["fmax"] + 1e-9)
    return power[..., keep].swapaxes(-1, -2)


def eeg_like(rng, *shape):
    """Pink noise on an offset and a drift, with mains."""
    t = np.arange(shape[-1]) / 200
    X = rng.normal(0, 10, shape).cumsum(axis=-1) / 3 + rng.normal(0, 5, shape)
    return X + 2000 + 30 * t + 40 * np.sin(2 * np.pi * 60 * t)


VARIANTS = {
    "7th place": {},
    "organisers": dict(
        time_bandwidth=2, step_seconds=2, scaling="two-sided", n_tapers=3
    ),
    "blocks that overlap": dict(time_bandwidth=2, step_seconds=0.75),
    "no common blocks": dict(time_bandwidth=2, step_seconds=0.455),
    "gaps between windows": dict(time_bandwidth=3, step_seconds=5.0),
    "odd number of blocks": dict(window_seconds=3.5, time_bandwidth=2.5),
    "odd window": dict(window_seconds=3.995, time_bandwidth=2, step_seconds=0.2),
    "prime window": dict(window_seconds=3.985, time_bandwidth=2, step_seconds=0.2),
    "short": dict(window_seconds=0.1, time_bandwidth=2, step_seconds=0.05, fmax=60),
    "odd transform": dict(n_fft=801, fmax=100.0),
    "all bins": dict(fmin=0, fmax=100.0, time_bandwidth=3),
    "from zero": dict(fmin=0, fmax=12.0, detrend="constant"),
    "one taper": dict(time_bandwidth=1.0, n_tapers=1),
    "as in MNE": dict(
        periodic=True, weighting="eigen", detrend="constant", n_fft=800, n_tapers=10
    ),
    "raw": dict(detrend=None, time_bandwidth=4),
    "length": dict(scaling="length", weighting="eigen"),
    "adaptive": dict(weighting="adaptive"),
    "adaptive, all bins": dict(weighting="adaptive", fmin=0, fmax=100.0),
    "other rate": dict(sfreq=256.0, window_seconds=2.0, fmax=25.0, time_bandwidth=3),
}
variants = pytest.mark.parametrize("kwargs", VARIANTS.values(), ids=VARIANTS.keys())


@variants
def test_equals_the_definition(rng, kwargs):
    X = eeg_like(rng, 2, 3, 2400)
    expected = by_definition(X, **kwargs)
    actual = multitaper_power(X, **kwargs)
    assert actual.shape == expected.shape
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual, expected, rtol=1e-9)


@variants
def test_single_precision_beside_offsets(rng, kwargs):
    X = eeg_like(rng, 2, 3, 2400).astype(np.float32)
    expected = by_definition(X, **kwargs)
    actual = multitaper_power(X, **kwargs)
    assert actual.dtype == np.float32
    # One taper alone has zeros in its spectrum, of which no digit is right.
    atol = 1e-6 * np.median(expected) if kwargs.get("n_tapers") == 1 else 0
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=atol)


@variants
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors(rng, kwargs, dtype):
    X = torch.from_numpy(eeg_like(rng, 2, 3, 2400)).to(dtype)
    actual = multitaper_power(X, **kwargs)
    assert actual.dtype == dtype
    expected = multitaper_power(X.double().numpy(), **kwargs)
    single = dtype == torch.float32
    # One taper alone has zeros in its spectrum, of which no digit is right.
    zeros = single and kwargs.get("n_tapers") == 1
    np.testing.assert_allclose(
        actual.numpy(),
        expected,
        rtol=1e-4 if single else 1e-9,
        atol=1e-6 * np.median(expected) if zeros else 0,
    )


@pytest.mark.parametrize("detrend", ["linear", "constant"])
@pytest.mark.parametrize("weighting", ["unity", "adaptive"])
@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        dict(fmin=0, fmax=100.0),
        dict(fmin=0, fmax=100.0, time_bandwidth=2),
        dict(window_seconds=4.01, fmin=0, fmax=40.0, time_bandwidth=2),
    ],
    ids=str,
)
def test_noise_on_an_offset_of_ten_millivolt(rng, detrend, weighting, kwargs):
    X = (1e4 + rng.normal(0, 10, (1, 2, 3000))).astype(np.float32)
    kwargs = dict(kwargs, detrend=detrend, weighting=weighting)
    expected = multitaper_power(X.astype(np.float64), **kwargs)
    np.testing.assert_allclose(multitaper_power(X, **kwargs), expected, rtol=2e-5)
    tensors = multitaper_power(torch.from_numpy(X), **kwargs)
    np.testing.assert_allclose(tensors.numpy(), expected, rtol=2e-5)


def test_single_precision_on_raw_eeg(real_windows):
    # Eight orders of magnitude between the loudest and the quietest bin.
    X = np.nan_to_num(real_windows)[:, ::3]
    single = multitaper_power(X, time_bandwidth=2)
    double = multitaper_power(X.astype(np.float64), time_bandwidth=2)
    audible = double > 1e-20
    error = np.abs(single[audible] / double[audible] - 1)
    assert error.max() <= 1e-4
    assert np.quantile(error, 0.9999) <= 3e-5


def tones(loud):
    """A tone of 15 Hz beside others of eight orders of magnitude more power."""
    t = np.arange(1200) / 200
    loud = np.asarray(loud, dtype=np.float64)[:, None]
    return np.sin(2 * np.pi * loud * t + 0.3) + 1e-4 * np.sin(2 * np.pi * 15 * t)


# The bins about 15 Hz, and where a loud tone does not reach them by the tapers.
QUIET = slice(71, 78)
LOUD = np.r_[0.5:9:0.1, 21:31:0.1, 31:100:1.0]


@pytest.mark.parametrize("time_bandwidth", [2, 5])
def test_eight_orders_of_magnitude(time_bandwidth):
    kwargs = dict(time_bandwidth=time_bandwidth)
    for loud, most in (([1.0], 5e-5), (LOUD, 5e-4)):
        X = tones(loud).astype(np.float32)
        expected = multitaper_power(X.astype(np.float64), **kwargs)[..., QUIET, :]
        for signals in (X, torch.from_numpy(X)):
            power = np.asarray(multitaper_power(signals, **kwargs))
            np.testing.assert_allclose(power[..., QUIET, :], expected, rtol=most)


@pytest.mark.parametrize("time_bandwidth", [2, 5])
def test_what_blocks_leave_out_is_below_the_rounding(time_bandwidth):
    """The matrices of float32, in float64: nothing but what they leave out."""
    tapers, _ = slepian_tapers(800, time_bandwidth, 2 * time_bandwidth - 1)
    powers = []
    for precision in ("float32", "float64"):
        transform = tapered_transform(
            tapers,
            100,
            1024,
            (3, 103),
            half_bandwidth=time_bandwidth / 800,
            precision=precision,
        )
        assert isinstance(transform, BlockTransform)
        one, other = transform(tones(LOUD))
        powers.append((one**2 + other**2).mean(axis=0)[QUIET])
    np.testing.assert_allclose(*powers, rtol=3e-6)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("detrend", ["linear", None])
@pytest.mark.parametrize("n_tapers", [11, 30, 80])
def test_more_tapers_than_the_band_holds(rng, weighting, detrend, n_tapers):
    # The shares of the last ones are zero but for rounding, of either sign.
    kwargs = dict(
        window_seconds=0.4,
        time_bandwidth=2,
        n_tapers=n_tapers,
        weighting=weighting,
        detrend=detrend,
    )
    X = rng.normal(0, 10, (1, 2, 400))
    power = multitaper_power(X, **kwargs)
    assert np.isfinite(power).all()
    assert power.min() > 0
    if weighting != "adaptive_mne":
        expected = by_definition(X, **kwargs)
        np.testing.assert_allclose(power, expected, rtol=1e-9)
    tensors = multitaper_power(torch.from_numpy(X), **kwargs)
    np.testing.assert_allclose(tensors.numpy(), power, rtol=1e-9)
    if weighting == "eigen":
        few = multitaper_power(X, **{**kwargs, "n_tapers": 11})
        np.testing.assert_allclose(power, few, rtol=1e-3)


@pytest.mark.parametrize(
    ("length", "time_bandwidth", "n_tapers"), [(80, 2, 80), (800, 2, 40), (99, 5, 30)]
)
def test_shares_of_energy_lie_between_zero_and_one(length, time_bandwidth, n_tapers):
    _, ratios = slepian_tapers(length, time_bandwidth, n_tapers)
    _, raw = dpss(length, time_bandwidth, n_tapers, return_ratios=True)
    assert raw.min() < 0 or raw.max() > 1  # what SciPy returns
    assert ratios.min() >= 0
    assert ratios.max() <= 1
    np.testing.assert_allclose(ratios, raw, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.uint8, np.float16, bool])
def test_other_numbers_become_float32(rng, dtype):
    X = (rng.normal(100, 20, (1, 2, 1000)) % 200).astype(dtype)
    power = multitaper_power(X)
    assert power.dtype == np.float32
    np.testing.assert_array_equal(power, multitaper_power(X.astype(np.float32)))


@pytest.mark.parametrize(
    "X",
    [
        [[0.0] * 1000],
        np.zeros((1, 1000), dtype=complex),
        torch.zeros(1, 1000, dtype=torch.int16),
        torch.zeros(1, 1000, dtype=torch.float16),
    ],
    ids=lambda X: str(getattr(X, "dtype", "list")),
)
def test_other_input_is_refused(X):
    with pytest.raises(ValueError, match=r"^multitaper_power: .*"):
        multitaper_power(X)


def test_output_size_of_the_7th_place(rng):
    X = rng.normal(size=(1, 2, 10_000)).astype(np.float32)
    assert multitaper_power(X).shape == (1, 2, 100, 93)


def test_organisers_size(rng):
    X = rng.normal(size=(1, 1, 10_000))
    power = multitaper_power(X, time_bandwidth=2, step_seconds=2)
    assert power.shape == (1, 1, 100, 24)


def mne_power(X, seconds, step, *, half_bandwidth, **kwargs):
    """MNE's spectrum of every window, and the number of tapers that it takes."""
    mne = pytest.importorskip("mne")
    from mne.time_frequency.multitaper import dpss_windows

    length = round(200 * seconds)
    frames = np.lib.stride_tricks.sliding_window_view(X, length, axis=-1)
    frames = frames[..., :: round(200 * step), :]
    NW = half_bandwidth * seconds
    power, freqs = mne.time_frequency.psd_array_multitaper(
        frames,
        200.0,
        fmin=0.5,
        fmax=20.0,
        bandwidth=2 * half_bandwidth,
        verbose="error",
        **kwargs,
    )
    low_bias = kwargs.get("low_bias", True)
    _, ratios = dpss_windows(length, NW, int(2 * NW), sym=False, low_bias=low_bias)
    return power.swapaxes(-1, -2), freqs, len(ratios)


@pytest.mark.parametrize("low_bias", [False, True])
@pytest.mark.parametrize("normalization", ["full", "length"])
@pytest.mark.parametrize("half_bandwidth", [0.5, 1.0, 1.25])
def test_equals_mne_on_sliding_windows(rng, low_bias, normalization, half_bandwidth):
    X = eeg_like(rng, 2, 2, 3000)
    expected, freqs, n_tapers = mne_power(
        X,
        4.0,
        0.5,
        half_bandwidth=half_bandwidth,
        low_bias=low_bias,
        normalization=normalization,
    )
    kwargs = dict(
        time_bandwidth=4 * half_bandwidth,
        n_tapers=n_tapers,
        n_fft=800,
        detrend="constant",
        weighting="eigen",
        periodic=True,
        scaling={"full": "density", "length": "length"}[normalization],
    )
    np.testing.assert_allclose(multitaper_power(X, **kwargs), expected, rtol=1e-9)
    np.testing.assert_allclose(
        multitaper_power(X.astype(np.float32), **kwargs), expected, rtol=1e-4
    )
    layout = multitaper_layout(n_fft=800)
    np.testing.assert_allclose(layout.frequencies, freqs)


@pytest.mark.parametrize("seconds", [2.0, 4.0, 4.005])
@pytest.mark.parametrize("low_bias", [False, True])
def test_adaptive_equals_mne(rng, seconds, low_bias):
    X = rng.normal(0, 10, (1, 3, 3000)).cumsum(axis=-1)
    X -= X.mean(axis=-1, keepdims=True)
    NW = 5.0
    expected, _, n_tapers = mne_power(
        X,
        seconds,
        0.5,
        half_bandwidth=NW / seconds,
        low_bias=low_bias,
        adaptive=True,
        normalization="full",
    )
    actual = multitaper_power(
        X,
        window_seconds=seconds,
        time_bandwidth=NW,
        n_tapers=n_tapers,
        n_fft=round(200 * seconds),
        detrend="constant",
        weighting="adaptive_mne",
        adaptive_steps=60,
        periodic=True,
    )
    # MNE stops when the weights move by less than 1e-5.
    np.testing.assert_allclose(actual, expected, rtol=1e-4)


def test_ten_steps_are_nearly_all(rng):
    X = eeg_like(rng, 1, 4, 3000)
    ten = multitaper_power(X, weighting="adaptive")
    many = multitaper_power(X, weighting="adaptive", adaptive_steps=200)
    error = np.abs(ten / many - 1)
    assert np.quantile(error, 0.999) < 1e-4
    one = multitaper_power(X, weighting="adaptive", adaptive_steps=1)
    assert np.abs(one / many - 1).max() > 0.01


def test_adaptive_weights_protect_quiet_bins():
    # Below 3 Hz a giant, above 10 Hz next to nothing: the last tapers leak.
    t = np.arange(2400) / 200
    X = 1000 * np.sin(2 * np.pi * 1.0 * t)[None, None]
    quiet = [
        multitaper_power(X, weighting=weighting, fmin=12.0, n_tapers=10).max()
        for weighting in ("unity", "eigen", "adaptive")
    ]
    assert quiet[2] < quiet[1] / 10
    assert quiet[1] < quiet[0]


def test_the_power_of_a_sine_and_of_noise(rng):
    t = np.arange(4000) / 200
    sine = 40 * np.sin(2 * np.pi * 10 * t)[None, None]
    power = multitaper_power(sine, fmin=0, fmax=100)
    np.testing.assert_allclose(power.sum(axis=-2) * 200 / 1024, 800, rtol=1e-3)
    noise = rng.normal(0, 3, (1, 50, 8000))
    for scaling, level in (("density", 2), ("two-sided", 1), ("length", 400)):
        power = multitaper_power(noise, scaling=scaling)
        assert power.mean() == pytest.approx(level * 9 / 200, rel=0.02)


scales = st.floats(1e-3, 1e3).map(lambda a: round(a, 4))
kinds = st.sampled_from(["unity", "eigen", "adaptive", "adaptive_mne"])


@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.data_too_large],  # old releases count mapping
)
@given(seed=st.integers(0, 2**16), scale=scales, kind=kinds)
def test_scaling_and_polarity(seed, scale, kind):
    X = np.random.default_rng(seed).normal(size=(1, 2, 1200)).cumsum(axis=-1)
    power = multitaper_power(X, weighting=kind)
    np.testing.assert_allclose(
        multitaper_power(scale * X, weighting=kind), scale**2 * power, rtol=1e-7
    )
    np.testing.assert_allclose(multitaper_power(-X, weighting=kind), power, rtol=1e-12)


@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 2**16),
    step=st.integers(20, 500),
    kind=kinds,
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_one_step_later_is_one_column_further(seed, step, kind, dtype):
    X = np.random.default_rng(seed).normal(size=(1, 1, 2500)).astype(dtype)
    kwargs = dict(step_seconds=step / 200, weighting=kind)
    whole = multitaper_power(X, **kwargs)
    later = multitaper_power(X[..., step:], **kwargs)
    rtol = 1e-9 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(later, whole[..., 1:], rtol=rtol)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**16), kind=kinds)
def test_backwards_in_time(seed, kind):
    X = np.random.default_rng(seed).normal(size=(1, 2, 1500)).cumsum(axis=-1)
    forwards = multitaper_power(X, weighting=kind, n_tapers=6)
    backwards = multitaper_power(X[..., ::-1], weighting=kind, n_tapers=6)
    np.testing.assert_allclose(backwards, forwards[..., ::-1], rtol=1e-8)


@settings(deadline=None, max_examples=10)
@given(
    seed=st.integers(0, 2**16), offset=st.floats(-1e4, 1e4), slope=st.floats(-50, 50)
)
def test_lines_are_removed(seed, offset, slope):
    X = np.random.default_rng(seed).normal(0, 20, (1, 1, 1600))
    line = offset + slope * np.arange(1600) / 200
    power = multitaper_power(X)
    np.testing.assert_allclose(multitaper_power(X + line), power, rtol=1e-8)
    shifted = (X + offset).astype(np.float32)
    exact = multitaper_power(shifted.astype(np.float64) - offset, detrend="constant")
    single = multitaper_power(shifted, detrend="constant")
    np.testing.assert_allclose(single, exact, rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_windows_do_not_know_of_each_other(rng, dtype):
    X = eeg_like(rng, 5, 7, 1600).astype(dtype)
    whole = multitaper_power(X)
    for window in range(5):
        alone = multitaper_power(X[window : window + 1])
        np.testing.assert_array_equal(alone[0], whole[window])


@pytest.mark.parametrize("weighting", ["unity", "eigen", "adaptive", "adaptive_mne"])
@pytest.mark.parametrize("value", [0.0, 1234.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_channels_have_no_power(weighting, value, dtype):
    X = np.full((1, 2, 1000), value, dtype=dtype)
    power = multitaper_power(X, weighting=weighting)
    assert np.isfinite(power).all()
    assert power.max() <= 1e-18 * max(value, 1.0) ** 2
    tensor = torch.from_numpy(X).requires_grad_()
    multitaper_power(tensor, weighting=weighting).sum().backward()
    assert torch.isfinite(tensor.grad).all()


def test_out_and_unusual_memory(rng):
    X = eeg_like(rng, 2, 3, 1500)
    expected = multitaper_power(X)
    strided = np.empty((*expected.shape, 2))[..., 0]
    assert multitaper_power(X, out=strided) is strided
    np.testing.assert_array_equal(strided, expected)
    wide = np.repeat(X, 2, axis=-1)[..., ::2]
    wide.setflags(write=False)
    np.testing.assert_allclose(multitaper_power(wide), expected, rtol=1e-12)
    np.testing.assert_array_equal(multitaper_power(X[0, 0]), expected[0, 0])
    images = multitaper_power(X.reshape(2, 3, 1, 1500))
    np.testing.assert_array_equal(images[:, :, 0], expected)
    with pytest.raises(ValueError, match="multitaper_power: out= is for NumPy arrays"):
        multitaper_power(torch.from_numpy(X), out=strided)


def test_autocast_does_not_round(rng):
    X = torch.from_numpy(eeg_like(rng, 1, 2, 1600).astype(np.float32))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = multitaper_power(X)
    np.testing.assert_array_equal(rounded.numpy(), multitaper_power(X).numpy())


def test_the_two_ways_agree(rng):
    X = eeg_like(rng, 3, 2000)
    tapers, _ = slepian_tapers(800, 5.0, 9)
    few = tapered_transform(tapers, 100, 1024, (3, 103))
    all_bins = tapered_transform(tapers, 100, 1024, (0, 513))
    assert isinstance(few, BlockTransform)
    assert isinstance(all_bins, FastTransform)
    power, whole = (sum(part**2 for part in run(X)) for run in (few, all_bins))
    np.testing.assert_allclose(power, whole[:, 3:103], rtol=1e-8)


def test_a_block_needs_few_numbers():
    tapers, _ = slepian_tapers(800, 5.0, 9)
    for precision, most in (("float32", 62), ("float64", 72)):
        run = tapered_transform(tapers, 100, 1024, (3, 103), precision=precision)
        basis = run.basis.value
        assert basis.shape[1] <= most * run.block / 200 + 8
        np.testing.assert_allclose(
            basis.T @ basis, np.eye(basis.shape[1]), rtol=0, atol=1e-13
        )


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"sfreq": 0}, "sfreq must be .*above 0"),
        ({"window_seconds": 0}, "window_seconds must be .*above 0"),
        ({"window_seconds": 0.01}, "are 2 and 100 samples.*at least 4 and 1"),
        ({"step_seconds": 0.001}, "are 800 and 0 samples"),
        ({"step_seconds": "1"}, "step_seconds must be"),
        ({"time_bandwidth": 0.2}, "time_bandwidth must be .*at least 0.5"),
        ({"time_bandwidth": 400}, r"below 400.*, got 400. \(Half of the 800"),
        ({"n_tapers": 0}, "n_tapers must be an integer at least 1"),
        ({"n_tapers": 2.0}, "n_tapers must be an integer"),
        ({"n_fft": 512}, "n_fft must be an integer at least 800"),
        ({"fmin": -1}, "fmin must be .*at least 0"),
        ({"fmax": 101}, "fmax must be .*at most 100"),
        ({"fmin": 20, "fmax": 20}, "fmin=20 must be below fmax=20. Swap"),
        ({"fmin": 10, "fmax": 10.1}, "no bin lies between fmin=10 and fmax=10.1 Hz"),
        ({"detrend": "quadratic"}, "detrend must be one of 'linear'"),
        ({"weighting": "eigenvalue"}, "weighting must be one of .*mean 'eigen'"),
        ({"adaptive_steps": 0}, "adaptive_steps must be an integer at least 1"),
        ({"scaling": "full"}, "scaling must be one of 'density'"),
        ({"periodic": "no"}, "periodic must be True or False, got 'no'"),
        ({"periodic": 1}, "periodic must be True or False, got 1"),
        ({"window_seconds": 6}, "1000 samples in time.*1200 are needed"),
    ],
)
def test_errors(kwargs, text):
    with pytest.raises(ValueError, match=f"^multitaper_power: .*{text}"):
        multitaper_power(np.zeros((1, 2, 1000)), **kwargs)
