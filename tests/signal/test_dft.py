"""The transform of frames against the FFT of the padded frames."""

import threading
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import detrend as scipy_detrend
from scipy.signal import get_window

from hmsklearn.signal import dft
from hmsklearn.signal.dft import FrameTransform, get_weights
from hmsklearn.signal.frame_power import FramePower, tensor_power
from hmsklearn.signal.frames import FrameLayout

WINDOWS = [
    "hann",
    "hamming",
    "boxcar",
    "cosine",
    ("tukey", 0.25),
    ("exponential", None, 9),
]


def power_of(transform, layout, x, dtype):
    """Power of a single signal."""
    x = np.asarray(x, dtype=dtype)
    return FramePower(transform, layout, np.dtype(dtype))(x[None])[:, 0]


def by_fft(x, layout, window, n_fft, bins, detrend):
    """Frames, without their trend, windowed and zero-padded, one after the other."""
    buffer = np.zeros(layout.stop - layout.first)
    layout.fill(x, buffer)
    frames = layout.frames(buffer).copy()
    if detrend is not None:
        frames = scipy_detrend(frames, type=detrend)
    spectrum = np.fft.rfft(frames * get_window(window, layout.length), n_fft)
    return np.abs(spectrum[:, slice(*bins)].T) ** 2


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_equals_the_fft(data):
    n_fft = data.draw(st.sampled_from([2, 3, 16, 61, 64, 127, 256, 1024]))
    length = data.draw(st.integers(2, min(n_fft, 200)))
    start = data.draw(st.integers(0, n_fft // 2))
    bins = (start, data.draw(st.integers(start + 1, n_fft // 2 + 1)))
    window = data.draw(st.sampled_from(WINDOWS))
    detrend = data.draw(st.sampled_from([None, "constant", "linear"]))
    n_times = data.draw(st.integers(1, 700))
    layout = FrameLayout.make(
        n_times,
        length=length,
        n_fft=n_fft,
        hop_length=data.draw(st.integers(1, 40)),
        pad_mode="constant",
    )
    x = np.random.default_rng(n_times).normal(5, 30, n_times)
    transform = FrameTransform.make(
        window, length, n_fft=n_fft, bins=bins, detrend=detrend
    )
    expected = by_fft(x, layout, window, n_fft, bins, detrend)
    # What rounding goes with: the energy in a frame.
    scale = max(30.0**2 * length**2, expected.max())
    power = power_of(transform, layout, x, np.float64)
    np.testing.assert_allclose(power / scale, expected / scale, rtol=0, atol=1e-12)
    tensor = tensor_power(transform, layout, torch.tensor(x))
    np.testing.assert_allclose(tensor / scale, expected / scale, rtol=0, atol=1e-12)
    single = power_of(transform, layout, x, np.float32)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single / scale, expected / scale, rtol=0, atol=1e-6)
    tensor = tensor_power(transform, layout, torch.tensor(x, dtype=torch.float32))
    assert tensor.dtype == torch.float32
    np.testing.assert_allclose(tensor / scale, expected / scale, rtol=0, atol=1e-6)


def test_the_cheaper_way_is_taken():
    assert not FrameTransform.make("hann", 128, n_fft=1024, bins=(1, 103)).by_fft
    assert FrameTransform.make("hann", 1024, n_fft=1024, bins=(0, 513)).by_fft
    assert FrameTransform.make("hann", 512, n_fft=512, bins=(0, 257)).by_fft
    assert not FrameTransform.make("hann", 509, n_fft=509, bins=(0, 103)).by_fft
    grid = FrameTransform.make("hann", 512, frequencies=np.linspace(0, 0.5, 257))
    assert not grid.by_fft


def test_both_ways_agree_in_long_signals(rng):
    """More frames than are computed at a time, with remainders."""
    x = rng.normal(0, 30, 9000)
    layout = FrameLayout.make(9000, length=64, n_fft=64, hop_length=7)
    assert layout.count > 1024
    for detrend in (None, "constant", "linear"):
        kwargs = {"detrend": detrend, "gain": np.linspace(1, 2, 33)}
        fft = FrameTransform.make("hann", 64, n_fft=64, bins=(0, 33), **kwargs)
        product = FrameTransform.make(
            "hann", 64, frequencies=np.arange(33) / 64, **kwargs
        )
        assert fft.by_fft
        assert not product.by_fft
        for dtype, atol in (("float64", 1e-13), ("float32", 1e-6)):
            a, b = (
                power_of(transform, layout, x, dtype) for transform in (fft, product)
            )
            np.testing.assert_allclose(a, b, rtol=0, atol=atol * b.max())


@pytest.mark.parametrize(
    ("window", "length", "n_fft", "bins"),
    [
        ("hann", 128, 1024, (1, 103)),
        ("hann", 32, 2048, (5, 308)),
        ("hann", 256, 2048, (0, 205)),
        (("tukey", 0.25), 99, 512, (1, 52)),
        ("boxcar", 64, 1024, (0, 150)),
    ],
)
def test_interpolation(window, length, n_fft, bins):
    transform = FrameTransform.make(window, length, n_fft=n_fft, bins=bins)
    exact = transform.matrices()
    largest = np.linalg.norm(exact, axis=-1).max()
    for dtype, limit in (("float32", 5e-7), ("float64", 1e-13)):
        factors = transform.factors(dtype)
        weights, basis = factors.weights.value, factors.basis.value
        assert weights.size + basis.size <= 0.8 * exact.size
        missed = np.linalg.norm(weights @ basis - exact, axis=-1)
        assert missed.max() < limit * largest
        # No node is blown up, nor its rounding with it.
        assert np.abs(weights).max() < 2


def test_float32_is_as_exact_as_the_plain_product(rng):
    """A loud slow wave must not show in the quiet bins."""
    t = np.arange(10_000) / 200
    x = 1000 * np.sin(2 * np.pi * 1.0 * t) + rng.normal(0, 0.1, t.size)
    layout = FrameLayout.make(t.size, length=128, n_fft=1024, hop_length=39)
    transform = FrameTransform.make("hann", 128, n_fft=1024, bins=(1, 103))
    single = x.astype(np.float32)
    power = power_of(transform, layout, single, np.float32)
    exact = power_of(transform, layout, single, np.float64)
    buffer = np.zeros(layout.stop - layout.first, dtype=np.float32)
    layout.fill(single, buffer)
    frames = layout.frames(buffer).copy()
    matrices = transform.matrices().astype(np.float32)
    plain = np.square(matrices @ frames.T).sum(0)
    error, plain_error = (
        np.sqrt(np.mean((np.sqrt(p) - np.sqrt(exact)) ** 2)) for p in (power, plain)
    )
    assert error < 2 * plain_error


@pytest.mark.parametrize("detrend", [None, "constant"])
@pytest.mark.parametrize("bins", [(0, 10), (0, 33)])
@pytest.mark.parametrize("n_times", [100, 5000])
def test_signals_do_not_know_of_each_other(rng, bins, detrend, n_times):
    """Neither of those computed together, nor of those computed before."""
    transform = FrameTransform.make("hann", 64, n_fft=64, bins=bins, detrend=detrend)
    layout = FrameLayout.make(n_times, length=64, n_fft=64, hop_length=7)
    power = FramePower(transform, layout, np.dtype(np.float32), most=5)
    assert power.n_signals == 5
    signals = rng.normal(5, 1, size=(5, n_times)).astype(np.float32)
    together = power(signals).copy()
    assert together.shape == (bins[1], 5, layout.count)
    for n in (1, 2, 4):
        np.testing.assert_array_equal(power(signals[:n]), together[:, :n])
    for i in range(5):
        alone = power_of(transform, layout, signals[i], np.float32)
        np.testing.assert_array_equal(alone, together[:, i])


def test_long_signals_come_alone():
    transform = FrameTransform.make("hann", 128, n_fft=1024, bins=(0, 513))
    layout = FrameLayout.make(60_000, length=128, n_fft=1024, hop_length=10)
    assert FramePower(transform, layout, np.dtype(np.float64), most=18).n_signals == 1


@pytest.mark.parametrize("bins", [(0, 20), (0, 129)])
@pytest.mark.parametrize("detrend", ["constant", "linear"])
def test_an_offset_costs_no_precision_where_it_is_taken_out(rng, bins, detrend):
    x = rng.normal(0, 1, 2000)
    layout = FrameLayout.make(2000, length=256, n_fft=256, hop_length=50, center=False)
    transform = FrameTransform.make("hann", 256, n_fft=256, bins=bins, detrend=detrend)
    expected = power_of(transform, layout, x, np.float64)
    offset = (x + 2.0**17).astype(np.float32)
    exact = power_of(transform, layout, offset, np.float64)
    power = power_of(transform, layout, offset, np.float32)
    np.testing.assert_allclose(power, exact, rtol=0, atol=1e-5 * exact.max())
    np.testing.assert_allclose(power, expected, rtol=0, atol=0.1 * expected.max())
    tensor = tensor_power(transform, layout, torch.from_numpy(offset))
    np.testing.assert_allclose(tensor, exact, rtol=0, atol=1e-5 * exact.max())


def test_tensors_keep_their_precision_under_autocast(rng):
    x = torch.from_numpy(rng.normal(0, 30, 2000).astype(np.float32))
    layout = FrameLayout.make(2000, length=128, n_fft=1024, hop_length=39)
    transform = FrameTransform.make("hann", 128, n_fft=1024, bins=(1, 103))
    expected = tensor_power(transform, layout, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        power = tensor_power(transform, layout, x)
    assert torch.equal(power, expected)


def test_weights():
    for window in ("hann", ("tukey", 0.25), ("kaiser", 4.0)):
        np.testing.assert_array_equal(get_weights(window, 9), get_window(window, 9))


@pytest.mark.parametrize("window", ["bell", None, 3, ["hann"], ("no", 1.0)])
def test_unknown_windows(window):
    with pytest.raises(ValueError, match=r"^Name: window=.* is no window of scipy"):
        get_weights(window, 16, caller="Name")


def test_the_preparation_is_bounded():
    """Systems for every row would take gigabytes and many seconds."""
    transform = FrameTransform.make(
        "hann", 2048, frequencies=np.arange(1025) / 1025 * 0.5
    )
    tracemalloc.start()
    try:
        assert transform.factors("float32").weights is None
        assert tracemalloc.get_traced_memory()[1] < 300e6
    finally:
        tracemalloc.stop()
    # So large a system is left to the FFT, where there is one.
    assert FrameTransform.make("hann", 800, n_fft=8192, bins=(0, 1639)).by_fft


def test_threads_prepare_once(monkeypatch):
    calls = []
    original = dft._factors
    barrier = threading.Barrier(4)

    def counted(*args):
        calls.append(1)
        return original(*args)

    def prepare():
        transform = FrameTransform.make("hann", 121, n_fft=997, bins=(1, 98))
        barrier.wait()
        found.append(transform.factors("float32"))

    found = []
    monkeypatch.setattr(dft, "_factors", counted)
    threads = [threading.Thread(target=prepare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len(found) == 4
    assert all(factors is found[0] for factors in found)
