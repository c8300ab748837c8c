"""Recursive filters against SciPy in double precision, edges included."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import ellip, sosfilt, sosfiltfilt

from hmsklearn.signal import (
    butterworth_sos,
    default_padlen,
    filter_causal,
    filter_zero_phase,
    notch_sos,
    single_precision_suffices,
)
from hmsklearn.signal.filter_design import MAX_ORDER

BANDS = [
    (0.5, 20.0, None),
    (None, 20.0, None),
    (0.5, None, None),
    (1.6, 30.0, None),
    (0.5, 40.0, None),
    (57.5, 62.5, "bandstop"),
]
ORDERS = range(1, MAX_ORDER + 1)
#: What is hard on a recursion: poles close to one another and to the unit circle.
HARD = {
    "0.1-20 Hz, order 8": butterworth_sos(0.1, 20.0, order=8),
    "0.1 Hz high-pass": butterworth_sos(0.1, None, order=8),
    "0.1 Hz low-pass": butterworth_sos(None, 0.1, order=8),
    "59-61 Hz stop": butterworth_sos(59.0, 61.0, order=8, btype="bandstop"),
    "0.1-0.5 Hz": butterworth_sos(0.1, 0.5, order=8),
    "0.01-0.1 Hz": butterworth_sos(0.01, 0.1, order=8),
    "0.01 Hz high-pass": butterworth_sos(0.01, None, order=4),
    "90 Hz high-pass": butterworth_sos(90.0, None, order=2),
    "9-11 Hz": butterworth_sos(9.0, 11.0, order=8),
}
#: Of what the first sections let through the last ones make a hundred thousand times as
#: much: SciPy's recursion in double precision is off by up to 5e-4.
WIDE_STOPS = {
    f"{low}-{high} Hz stop, order {order}, {sfreq} Hz": butterworth_sos(
        low, high, order=order, btype="bandstop", sfreq=sfreq
    )
    for low, high, order, sfreq in [
        (0.1, 40.0, 6, 200),
        (0.1, 40.0, 8, 200),
        (0.16, 85.6, 7, 200),
        (0.16, 85.6, 8, 200),
        (0.1, 60.0, 6, 200),
        (0.1, 80.9, 8, 256),
        (0.12, 37.6, 8, 100),
    ]
}
ALL_HARD = HARD | WIDE_STOPS
RUNS = {filter_zero_phase: sosfiltfilt, filter_causal: sosfilt}
both = pytest.mark.parametrize("run", RUNS)


def design(band, order):
    return butterworth_sos(*band[:2], order=order, btype=band[2])


def assert_close_to_peak(actual, expected, limit=2e-5):
    """Within a share of each channel's largest value, everywhere."""
    peak = np.abs(expected).max(axis=-1, keepdims=True)
    assert (np.abs(actual - expected) <= limit * peak).all()


def eeg_like(rng, *shape):
    """Pink noise, a drift, an offset, mains and an electrode that jumps."""
    t = np.arange(shape[-1]) / 200
    X = 5 * rng.normal(size=shape).cumsum(axis=-1) + 40 * np.sin(2 * np.pi * 60 * t)
    X += rng.normal(0, 300, (*shape[:-1], 1)) + 10 * t
    X[..., shape[-1] // 3 :] += rng.normal(0, 1000, (*shape[:-1], 1))
    return X.astype(np.float32)


def awkward(rng, n_times):
    """Channels on which little is left of much: offsets, drifts, mains."""
    t = np.arange(n_times) / 200
    noise = 20 * rng.normal(size=(6, n_times))
    rest = [0 * t, 5000 + 0 * t, -8000 + 100 * t, 2000 * np.sin(0.3 * t)]
    rest += [500 * np.sin(2 * np.pi * 60 * t), 9000 - 300 * t]
    return (noise + rest).astype(np.float32)[None]


def balanced(sos):
    """The sections in an order in which what they hand on stays about as large.

    In that of the design, wide band-stops spoil even extended precision by 1e-7.
    """
    gains = sos[:, :3].sum(axis=1) / sos[:, 3:].sum(axis=1)
    if not (gains > 0).all():
        return sos
    levels, order, level = np.log(gains), [], 0.0
    while len(order) < len(sos):
        left = [i for i in range(len(sos)) if i not in order]
        order.append(min(left, key=lambda i: abs(level + levels[i])))
        level += levels[order[-1]]
    return sos[order]


def long_double(sos, x, padlen):
    """The recursion in extended precision: where SciPy itself is not exact enough."""

    def one_way(x, from_rest):
        y, gain, memory = np.empty_like(x), np.longdouble(1), []
        for b0, b1, b2, _, a1, a2 in coefficients:
            ratio = (b0 + b1 + b2) / (1 + a1 + a2)
            second = b2 - a2 * ratio
            first = b1 - a1 * ratio + second
            scale = 0 * x[:, 0] if from_rest else gain * x[:, 0]
            memory.append([first * scale, second * scale])
            gain = gain * ratio
        for t in range(x.shape[1]):
            value = x[:, t]
            for state, (b0, b1, b2, _, a1, a2) in zip(
                memory, coefficients, strict=True
            ):
                passed = b0 * value + state[0]
                state[0] = b1 * value - a1 * passed + state[1]
                state[1] = b2 * value - a2 * passed
                value = passed
            y[:, t] = value
        return y

    coefficients = balanced(sos).astype(np.longdouble)
    x = x.astype(np.longdouble)
    if padlen is None:
        return one_way(x, True)
    left = 2 * x[:, :1] - x[:, padlen:0:-1]
    right = 2 * x[:, -1:] - x[:, -2 : -padlen - 2 : -1]
    forward = one_way(np.concatenate([left, x, right], axis=1), False)
    return one_way(forward[:, ::-1], False)[:, ::-1][:, padlen : padlen + x.shape[1]]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_to_scipy_in_double_precision(rng, band, order, dtype):
    X = eeg_like(rng, 2, 2, 1000).astype(dtype)
    exact = X.astype(np.float64)
    sos = design(band, order)
    limit = 2e-5 if dtype == np.float32 else 1e-11
    zero = filter_zero_phase(X, sos)
    causal = filter_causal(X, sos)
    assert zero.dtype == causal.dtype == dtype
    assert_close_to_peak(zero, sosfiltfilt(sos, exact), limit)
    assert_close_to_peak(causal, sosfilt(sos, exact), limit)


@both
@pytest.mark.parametrize("sos", ALL_HARD.values(), ids=list(ALL_HARD))
def test_hard_designs(rng, sos, run):
    X = awkward(rng, 1500)
    exact = X.astype(np.float64)
    padlen = default_padlen(sos) if run is filter_zero_phase else None
    expected = long_double(sos, X[0], padlen)[None]
    assert_close_to_peak(run(exact, sos), expected, 1e-9)
    assert_close_to_peak(run(X, sos), expected)
    tensor = run(torch.from_numpy(X), sos)
    assert tensor.dtype == torch.float32
    assert_close_to_peak(tensor.numpy(), expected)


@settings(deadline=None, max_examples=25)
@given(
    run=st.sampled_from(list(RUNS)),
    btype=st.sampled_from(["lowpass", "highpass", "bandpass", "bandstop"]),
    order=st.integers(1, MAX_ORDER),
    sfreq=st.sampled_from([100.0, 200.0, 256.0, 512.0]),
    edges=st.tuples(st.floats(-2.3, 3.8), st.floats(0.1, 3.0)),
    seed=st.integers(0, 2**16),
)
def test_share_of_the_input_by_which_any_design_is_off(
    run, btype, order, sfreq, edges, seed
):
    low = np.exp(edges[0])
    high = min(low * np.exp(edges[1]), 90.0, 0.48 * sfreq)
    edges = {"lowpass": (None, low), "highpass": (low, None)}.get(btype, (low, high))
    sos = butterworth_sos(*edges, order=order, btype=btype, sfreq=sfreq)
    rng = np.random.default_rng(seed)
    X = awkward(rng, 300)[0]
    X[0] = rng.normal(size=300) + 500 * np.sin(np.arange(300) / 100)
    padlen = default_padlen(sos) if run is filter_zero_phase else None
    expected = long_double(sos, X, padlen).astype(np.float64)
    peak = np.abs(X).max(axis=-1, keepdims=True)
    for kind, limit in ((np.float64, 1e-9), (np.float32, 2e-6)):
        error = np.abs(run(X.astype(kind), sos) - expected)
        assert (error <= limit * peak).all()


@pytest.mark.parametrize(
    ("sos", "share"),
    [
        (butterworth_sos(9.9, None, order=8), 1e-4),
        (butterworth_sos(8.1, 13.0, order=6), 2e-4),
    ],
)
def test_little_that_is_left_of_slow_waves(rng, sos, share):
    """What the documentation owns up to, and its remedy."""
    t = np.arange(10_000) / 200
    X = 500 * np.sin(2 * np.pi * 0.3 * t) + rng.normal(size=(1, 4, 10_000))
    X = X.astype(np.float32)
    expected = sosfiltfilt(sos, X.astype(np.float64))
    assert_close_to_peak(filter_zero_phase(X, sos), expected, share)
    assert_close_to_peak(filter_zero_phase(X.astype(float), sos), expected, 1e-9)


@both
@pytest.mark.parametrize("dtype", ["int16", "uint8", "int64", "float16", "bool"])
def test_other_numbers_are_filtered_in_single_precision(rng, run, dtype):
    X = (100 * rng.random(size=(2, 3, 400))).astype(dtype)
    sos = butterworth_sos(0.5, 20.0)
    result = run(X, sos)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, run(X.astype(np.float32), sos))
    assert run(X[:0], sos).dtype == np.float32


@both
@pytest.mark.parametrize("X", [[[1.0] * 99], torch.ones(1, 99, dtype=torch.int16)])
def test_signals_that_are_no_numbers(run, X):
    with pytest.raises(ValueError, match=rf"^{run.__name__}: .*Convert it"):
        run(X, butterworth_sos(0.5, 20.0))


@both
@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("order", [1, 2, 4])
def test_offsets_and_drifts(rng, band, order, run):
    X = awkward(rng, 10_000)
    sos = design(band, order)
    expected = RUNS[run](sos, X.astype(np.float64))
    assert_close_to_peak(run(X, sos), expected, 1e-5)


def test_which_designs_need_double_precision():
    needs = [name for name, sos in HARD.items() if not single_precision_suffices(sos)]
    assert needs == ["0.01-0.1 Hz", "0.01 Hz high-pass", "90 Hz high-pass"]
    for band in BANDS:
        for order in ORDERS:
            assert single_precision_suffices(design(band, order))
            assert single_precision_suffices(design(band, order), causal=True)


@pytest.mark.parametrize("n_times", [28, 63, 64, 65, 128, 999, 1000, 1001])
def test_any_length(rng, n_times):
    X = eeg_like(rng, 2, 3, n_times)
    sos = butterworth_sos(0.5, 20.0)
    exact = X.astype(np.float64)
    assert_close_to_peak(filter_zero_phase(X, sos), sosfiltfilt(sos, exact))
    for n in (n_times, 1, 2, 27):
        causal = filter_causal(X[..., :n], sos)
        assert_close_to_peak(causal, sosfilt(sos, exact[..., :n]))


@pytest.mark.parametrize("padlen", [0, 1, 27, 632, 999])
def test_paddings(rng, padlen):
    X = eeg_like(rng, 2, 2, 1000)
    sos = butterworth_sos(0.5, 20.0)
    assert_close_to_peak(
        filter_zero_phase(X, sos, padlen=padlen),
        sosfiltfilt(sos, X.astype(np.float64), padlen=padlen),
    )


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_default_padding_is_scipys(rng, band, order):
    X = eeg_like(rng, 1, 1, 200).astype(np.float64)
    sos = design(band, order)
    np.testing.assert_array_equal(
        sosfiltfilt(sos, X), sosfiltfilt(sos, X, padlen=default_padlen(sos))
    )


@pytest.mark.parametrize(
    "sos",
    [
        butterworth_sos(0.5, 20.0),
        butterworth_sos(0.1, 20.0, order=8),
        butterworth_sos(90.0, None, order=2),
        notch_sos(60.0),
        notch_sos(60.0, width=2.0, order=5),
        notch_sos((50.0, 60.0), method="resonator"),
        ellip(4, 0.5, 50, [3, 30], "band", fs=200, output="sos"),
    ],
    ids=["0.5-20", "0.1-20", "90-", "host", "16th", "resonators", "elliptic"],
)
def test_on_real_eeg(real_windows, sos):
    X = np.nan_to_num(real_windows[::4])
    exact = X.astype(np.float64)
    zero, causal = sosfiltfilt(sos, exact), sosfilt(sos, exact)
    assert_close_to_peak(filter_zero_phase(X, sos), zero)
    assert_close_to_peak(filter_causal(X, sos), causal)
    assert_close_to_peak(filter_zero_phase(exact, sos), zero, 1e-9)
    assert_close_to_peak(filter_causal(exact, sos), causal, 1e-9)
    assert_close_to_peak(filter_zero_phase(torch.from_numpy(X), sos).numpy(), zero)


filters = st.sampled_from([filter_zero_phase, filter_causal])


@settings(deadline=None, max_examples=25)
@given(
    run=filters,
    band=st.sampled_from(BANDS),
    order=st.integers(1, 6),
    seed=st.integers(0, 2**16),
    a=st.floats(-5, 5),
    b=st.floats(-5, 5),
)
def test_linear(run, band, order, seed, a, b):
    A, B = np.random.default_rng(seed).normal(size=(2, 1, 2, 300))
    sos = design(band, order)
    np.testing.assert_allclose(
        run(a * A + b * B, sos), a * run(A, sos) + b * run(B, sos), atol=1e-8
    )


@settings(deadline=None, max_examples=25)
@given(run=filters, band=st.sampled_from(BANDS), seed=st.integers(0, 2**16))
def test_powers_of_two_scale_exactly(run, band, seed):
    X = np.random.default_rng(seed).normal(size=(1, 2, 300)).astype(np.float32)
    sos = design(band, 4)
    np.testing.assert_array_equal(run(1024 * X, sos), 1024 * run(X, sos))
    np.testing.assert_array_equal(run(-X, sos), -run(X, sos))


@settings(deadline=None, max_examples=25)
@given(shift=st.integers(1, 100), order=st.integers(1, 6), seed=st.integers(0, 2**16))
def test_causal_filters_move_with_the_signal(shift, order, seed):
    x = np.random.default_rng(seed).normal(size=(1, 1, 300))
    later = np.concatenate([np.zeros((1, 1, shift)), x], axis=-1)
    sos = butterworth_sos(0.5, 20.0, order=order)
    result = filter_causal(later, sos)
    np.testing.assert_allclose(result[..., :shift], 0, atol=1e-12)
    np.testing.assert_allclose(result[..., shift:], filter_causal(x, sos), atol=1e-10)


@settings(deadline=None, max_examples=25)
@given(shift=st.integers(1, 99), seed=st.integers(0, 2**16))
def test_zero_phase_moves_with_the_signal_far_from_the_ends(shift, seed):
    x = np.random.default_rng(seed).normal(size=(1, 1, 3100))
    sos = butterworth_sos(2.0, 20.0)
    early = filter_zero_phase(x[..., : 3100 - shift], sos)
    late = filter_zero_phase(x[..., shift:], sos)
    np.testing.assert_allclose(
        early[..., 1500:1600], late[..., 1500 - shift : 1600 - shift], atol=1e-8
    )


@settings(deadline=None, max_examples=25)
@given(band=st.sampled_from(BANDS), order=st.integers(1, 6), seed=st.integers(0, 99))
def test_zero_phase_runs_backward_in_time_as_well(band, order, seed):
    """Exactly so but for the initial conditions, which come one after the other."""
    x = np.random.default_rng(seed).normal(size=(1, 1, 8000))
    sos = design(band, order)
    result = filter_zero_phase(x, sos)
    mirrored = filter_zero_phase(x[..., ::-1], sos)[..., ::-1]
    middle = slice(3900, 4100)
    np.testing.assert_allclose(result[..., middle], mirrored[..., middle], atol=1e-6)


def test_zero_phase_does_not_move_peaks_and_causal_does():
    t = np.arange(8000) / 200
    X = np.sin(2 * np.pi * 10 * t)[None, None]
    sos = butterworth_sos(0.5, 20.0)
    middle = slice(3000, 5000)
    zero = filter_zero_phase(X, sos)[..., middle]
    causal = filter_causal(X, sos)[..., middle]
    np.testing.assert_allclose(zero, X[..., middle], atol=0.01)
    assert np.abs(causal - X[..., middle]).max() > 0.5


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5, 3, 400), (3, 20, 10_000), (5, 400)])
def test_windows_do_not_know_of_each_other(rng, run, dtype, shape):
    X = eeg_like(rng, *shape).astype(dtype)
    sos = butterworth_sos(0.5, 20.0)
    whole = run(X, sos)
    for window in range(len(X)):
        np.testing.assert_array_equal(
            run(X[window : window + 1], sos)[0], whole[window]
        )
    reordered = run(X[::-1, ::-1] if X.ndim == 3 else X[::-1], sos)
    reordered = reordered[::-1, ::-1] if X.ndim == 3 else reordered[::-1]
    assert_close_to_peak(reordered, whole, 1e-6)


@both
def test_many_rows_take_turns(rng, run):
    """A window beyond what is computed at a time, and rows that do not divide."""
    X = eeg_like(rng, 1, 7, 90_000)
    sos = butterworth_sos(0.5, 20.0)
    expected = RUNS[run](sos, X.astype(np.float64))
    assert_close_to_peak(run(X, sos), expected)


@both
@pytest.mark.parametrize("band", [(0.5, 20.0), (90.0, None)])
def test_layout_of_memory_changes_nothing(rng, run, band):
    X = eeg_like(rng, 2, 3, 400)
    sos = butterworth_sos(*band, order=2)
    expected = run(X, sos)
    wide = np.zeros((4, 6, 800), np.float32)
    wide[::2, ::2, ::2] = X
    fortran = np.asfortranarray(X)
    swapped = X.astype(X.dtype.newbyteorder())
    for other in (
        wide[::2, ::2, ::2],
        fortran,
        swapped,
        X[:, :, ::-1].copy()[..., ::-1],
    ):
        np.testing.assert_array_equal(run(other, sos), expected)
    target = np.full((4, 6, 800), 7, np.float32)
    run(X, sos, out=target[::2, ::2, ::2])
    np.testing.assert_array_equal(target[::2, ::2, ::2], expected)
    assert (target[1::2] == 7).all()
    assert (target[:, :, 1::2] == 7).all()
    assert run(X, sos, out=np.empty(X.shape)).dtype == np.float64


@both
def test_any_number_of_axes(rng, run):
    X = eeg_like(rng, 4, 3, 200)
    sos = butterworth_sos(0.5, 20.0)
    expected = run(X, sos)
    np.testing.assert_array_equal(run(X.reshape(2, 2, 3, 200), sos)[1, 1], expected[3])
    for other in (run(X[:, 1], sos), run(X[0, 1], sos)[None]):
        assert_close_to_peak(other, expected[: len(other), 1], 1e-6)
    assert run(X[0, 0], sos).shape == (200,)
    assert run(X[:0], sos).shape == (0, 3, 200)
    assert run(X[:, :0], sos).shape == (4, 0, 200)
    assert run(torch.zeros(0, 3, 200), sos).shape == (0, 3, 200)
    assert run(torch.zeros(200), sos).shape == (200,)


def test_nothing_to_filter():
    sos = butterworth_sos(0.5, 20.0)
    assert filter_causal(np.zeros((2, 3, 0)), sos).shape == (2, 3, 0)
    assert filter_causal(torch.zeros(2, 3, 0), sos).shape == (2, 3, 0)


@both
def test_out_may_be_the_input(rng, run):
    X = eeg_like(rng, 2, 3, 400)
    X.setflags(write=False)
    sos = butterworth_sos(0.5, 20.0)
    expected = run(X, sos)
    copy = X.copy()
    assert run(copy, sos, out=copy) is copy
    np.testing.assert_array_equal(copy, expected)


@both
def test_out_is_for_arrays(run):
    with pytest.raises(ValueError, match="out= is for NumPy arrays"):
        run(torch.zeros(1, 1, 400), butterworth_sos(0.5, 20.0), out=torch.zeros(1))


@both
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_stays_in_its_channel(rng, run, bad):
    X = eeg_like(rng, 2, 3, 400)
    sos = butterworth_sos(0.5, 20.0)
    expected = run(X, sos)
    X[1, 2, 200] = bad
    with np.errstate(invalid="ignore"):
        result = run(X, sos)
    assert np.isnan(result[1, 2]).all()
    X[1, 2] = expected[1, 2] = result[1, 2] = 0
    np.testing.assert_array_equal(result, expected)


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silence_stays_silent(run, dtype):
    X = np.zeros((1, 2, 400), dtype=dtype)
    assert (run(X, butterworth_sos(0.5, 20.0)) == 0).all()


def test_a_constant_is_removed_by_zero_phase_high_passes():
    X = np.full((1, 1, 400), 1000.0, dtype=np.float32)
    assert np.abs(filter_zero_phase(X, butterworth_sos(0.5, 20.0))).max() < 1e-6


@both
def test_training_with_rounded_products_changes_nothing(rng, run):
    X = torch.from_numpy(eeg_like(rng, 2, 3, 1000))
    sos = butterworth_sos(0.5, 20.0)
    expected = run(X, sos)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = run(X, sos)
    finally:
        torch.set_float32_matmul_precision(before)
    assert result.dtype == torch.float32
    assert_close_to_peak(result.numpy(), expected.numpy(), 1e-6)


@pytest.mark.parametrize("kind", [np.zeros, torch.zeros])
def test_errors(kind):
    sos = butterworth_sos(0.5, 20.0)
    with pytest.raises(
        ValueError, match=r"^filter_zero_phase: signals of 27 samples .* padlen=27"
    ):
        filter_zero_phase(kind((1, 1, 27)), sos)
    with pytest.raises(ValueError, match=r"padlen=-1.*at least 0"):
        filter_zero_phase(kind((1, 1, 27)), sos, padlen=-1)
    unstable = np.array([[1, 0, 0, 1, -2.0, 1.1]])
    for run in RUNS:
        with pytest.raises(
            ValueError, match=f"^{run.__name__}: the filter is unstable"
        ):
            run(kind((1, 1, 50)), unstable)


@pytest.mark.gpu
@both
@pytest.mark.parametrize("sos", HARD.values(), ids=list(HARD))
def test_cuda_is_as_exact(rng, sos, run):
    X = awkward(rng, 10_000)
    exact = run(X.astype(np.float64), sos)
    before = torch.get_float32_matmul_precision()
    try:
        for precision in ("highest", "high"):
            torch.set_float32_matmul_precision(precision)
            result = run(torch.from_numpy(X).cuda(), sos).cpu().numpy()
            assert_close_to_peak(result, exact)
    finally:
        torch.set_float32_matmul_precision(before)
