"""The organisers' spectrogram, against its definition and against their files."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, detrend, filtfilt, iirnotch, sosfiltfilt
from scipy.signal.windows import dpss

from hmsklearn.montage import CH_NAMES, MONTAGES
from hmsklearn.signal.host_filter import host_filter
from hmsklearn.signal.host_spectrogram import (
    HOST_PANELS,
    host_alignment,
    host_frequencies,
    host_rows,
    host_spectrogram,
)

needs_data = pytest.mark.skipif(
    "HMS_DATA" not in os.environ,
    reason="HMS_DATA is not set: the real competition files are not here",
)


def filtered(X, mains="notch", mains_freq=60, ends="cut"):
    """Filter after filter as the organisers did, or a mirrored cut in one go."""
    band = butter(3, [0.5, 40], btype="bandpass", fs=200, output="sos")
    against = np.zeros((0, 6))
    if mains == "notch":
        against = np.concatenate(iirnotch(mains_freq, 35, 200))[None]
    elif mains == "stop":
        edges = [mains_freq - 2.5, mains_freq + 2.5]
        against = butter(3, edges, btype="bandstop", fs=200, output="sos")
    if ends == "whole":
        if mains == "notch":
            X = filtfilt(against[0, :3], against[0, 3:], X, padlen=6)
        elif mains == "stop":
            X = sosfiltfilt(against, X, padlen=18)
        return sosfiltfilt(band, X, padlen=18)
    X = np.pad(X, [(0, 0)] * (X.ndim - 1) + [(400, 400)], mode="reflect")
    return sosfiltfilt(np.concatenate([against, band]), X)[..., 400:-400]


def by_definition(eeg, first_sample=0, **filters):
    """The recipe step by step, one window after the other, with full transforms."""
    bipolar = MONTAGES["double_banana_16"].matrix() @ np.nan_to_num(eeg)
    bipolar = filtered(bipolar, **filters)[:, first_sample:]
    tapers = dpss(800, 2, 3)
    rows = []
    for start in range(0, bipolar.shape[1] - 799, 400):
        window = detrend(bipolar[:, start : start + 800], axis=-1)
        spectrum = np.fft.rfft(window[:, None] * tapers, 1024, axis=-1)
        rows.append((np.abs(spectrum) ** 2 / 200).mean(axis=1)[:, 3:103])
    return np.stack(rows, axis=-1).reshape(4, 4, 100, -1).mean(axis=1)


FILTERS = [
    {},
    {"ends": "whole"},
    {"mains": "stop"},
    {"mains": "stop", "ends": "whole"},
    {"mains": None},
    {"mains": None, "ends": "whole"},
    {"mains_freq": 50.0},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_filter_equals_scipy(rng, filters):
    X = rng.normal(0, 20, (2, 16, 3000)).cumsum(axis=-1) + 500
    expected = filtered(X, **filters)
    peak = np.abs(expected).max()
    np.testing.assert_allclose(host_filter(X, **filters), expected, atol=1e-9 * peak)
    tensor = host_filter(torch.from_numpy(X), **filters)
    np.testing.assert_allclose(tensor.numpy(), expected, atol=1e-9 * peak)


@pytest.mark.parametrize(
    ("shape", "kwargs", "message"),
    [
        ((1, 400), {}, r"shape \(1, 400\); with ends='cut', at least 401 samples"),
        ((2, 0), {}, "at least 401 samples"),
        ((), {}, "at least 401 samples"),
        ((1, 18), {"ends": "whole"}, "with ends='whole', at least 19 samples"),
        ((1, 18), {"ends": "whole", "mains": None}, "at least 19 samples"),
        ((1, 900), {"mains": "comb"}, "mains must be one of 'notch', 'stop', None"),
        ((1, 900), {"ends": "x"}, "ends must be one of 'cut', 'whole', got 'x'"),
        ((1, 900), {"mains_freq": 16}, "mains_freq must be .* Give 50 or 60"),
    ],
)
@pytest.mark.parametrize("make", [np.zeros, torch.zeros])
def test_filter_names_bad_input(make, shape, kwargs, message):
    with pytest.raises(ValueError, match=f"^host_filter: .*{message}"):
        host_filter(make(shape), **kwargs)


@pytest.mark.parametrize(("ends", "n_times"), [("cut", 401), ("whole", 19)])
@pytest.mark.parametrize("mains", ["notch", "stop", None])
def test_filter_of_the_shortest_signals(rng, ends, n_times, mains):
    X = rng.normal(0, 20, (2, n_times))
    expected = filtered(X, mains=mains, ends=ends)
    actual = host_filter(X, mains=mains, ends=ends)
    assert actual.shape == X.shape
    np.testing.assert_allclose(actual, expected, atol=1e-9 * np.abs(expected).max())


def test_filter_of_whole_numbers(rng):
    X = rng.integers(-100, 100, (2, 900))
    filtered_ = host_filter(X)
    assert filtered_.dtype == np.float32
    np.testing.assert_array_equal(filtered_, host_filter(X.astype(np.float32)))


@pytest.mark.parametrize("function", [host_filter, host_spectrogram])
@pytest.mark.parametrize(
    "eeg",
    [
        np.zeros((20, 1200)).tolist(),
        np.zeros((20, 1200), dtype=complex),
        torch.zeros(20, 1200, dtype=torch.int64),
        torch.zeros(20, 1200, dtype=torch.bfloat16),
    ],
    ids=lambda eeg: str(getattr(eeg, "dtype", "list")),
)
def test_other_input_is_refused(function, eeg):
    with pytest.raises(ValueError, match=f"^{function.__name__}: .*"):
        function(eeg)


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_equals_the_definition_with_every_filter(rng, filters):
    eeg = rng.normal(size=(20, 4000)).cumsum(axis=-1)
    expected = by_definition(eeg, **filters)
    np.testing.assert_allclose(host_spectrogram(eeg, **filters), expected, rtol=1e-9)


@settings(deadline=None, max_examples=8)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_times=st.integers(800, 3000),
    drift=st.floats(0, 3),
)
def test_equals_the_definition(seed, n_times, drift):
    rng = np.random.default_rng(seed)
    eeg = rng.normal(0, 30, (20, n_times)) + drift * np.arange(n_times)
    expected = by_definition(eeg)
    assert host_spectrogram(eeg).shape == expected.shape
    np.testing.assert_allclose(host_spectrogram(eeg), expected, rtol=1e-8, atol=1e-12)


def test_equals_the_definition_to_nine_digits_on_a_pink_signal():
    eeg = np.random.default_rng(0).normal(size=(20, 10_000)).cumsum(axis=-1)
    np.testing.assert_allclose(host_spectrogram(eeg), by_definition(eeg), rtol=1e-9)


def test_first_sample_moves_the_rows_and_keeps_the_filter():
    eeg = np.random.default_rng(1).normal(size=(20, 4000))
    np.testing.assert_allclose(
        host_spectrogram(eeg, first_sample=150), by_definition(eeg, 150), rtol=1e-8
    )
    everything = host_spectrogram(eeg)
    np.testing.assert_allclose(
        host_spectrogram(eeg, first_sample=400), everything[..., 1:], rtol=1e-12
    )
    np.testing.assert_allclose(
        host_spectrogram(eeg, n_rows=3), everything[..., :3], rtol=1e-12
    )


def test_batch_equals_single_and_dtype_follows_the_input():
    eeg = np.random.default_rng(2).normal(0, 40, (3, 20, 2000))
    batch = host_spectrogram(eeg)
    assert batch.dtype == np.float64
    assert batch.shape == (3, 4, 100, 4)
    for one, many in zip(eeg, batch, strict=True):
        np.testing.assert_array_equal(host_spectrogram(one), many)
    single = host_spectrogram(eeg.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, batch, rtol=1e-4)
    whole = host_spectrogram(np.round(eeg).astype(np.int16))
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(
        whole, host_spectrogram(np.round(eeg)).astype(np.float32)
    )


def test_input_is_not_written_to_and_nan_counts_as_zero():
    eeg = np.random.default_rng(3).normal(0, 40, (20, 2000))
    eeg[4, 100:900] = np.nan
    before = eeg.copy()
    eeg.setflags(write=False)
    with_nan = host_spectrogram(eeg)
    np.testing.assert_array_equal(eeg, before)
    np.testing.assert_array_equal(with_nan, host_spectrogram(np.nan_to_num(before)))


def test_a_sine_has_its_power_at_its_frequency_in_its_panels():
    time = np.arange(6000) / 200
    eeg = np.zeros((20, 6000))
    eeg[CH_NAMES.index("T4")] = 40 * np.sin(2 * np.pi * 5 * time)
    power = host_spectrogram(eeg)
    peak = host_frequencies()[power[HOST_PANELS.index("RL"), :, 6].argmax()]
    assert abs(peak - 5) < 0.3
    assert power[[0, 2, 3]].max() == 0
    # Two of the four differences see the sine; its power is A^2 / 2, half of it on
    # either side of the spectrum.
    band = power[1, :, 6].sum() * 200 / 1024
    assert band == pytest.approx(0.5 * 40**2 / 4, rel=0.01)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors(dtype):
    eeg = np.random.default_rng(6).normal(0, 30, (2, 20, 2400)).cumsum(axis=-1)
    eeg[0, 3, 500:600] = np.nan
    tensor = torch.tensor(eeg, dtype=dtype, requires_grad=True)
    panels = host_spectrogram(tensor)
    assert panels.dtype == dtype
    expected = host_spectrogram(tensor.detach().numpy())
    rtol = 1e-9 if dtype == torch.float64 else 1e-4
    np.testing.assert_allclose(panels.detach().numpy(), expected, rtol=rtol)
    rounded = host_spectrogram(tensor[0], decimals=2).detach()
    np.testing.assert_array_equal(rounded, torch.round(panels[0].detach(), decimals=2))
    panels.sum().backward()
    gradient = tensor.grad
    assert torch.isfinite(gradient).all()
    # Neither the midline nor the heart is in any panel, nor what is missing.
    unused = [CH_NAMES.index(name) for name in ("Fz", "Cz", "Pz", "EKG")]
    assert not gradient[:, unused].any()
    assert not gradient[0, 3, 500:600].any()
    assert gradient[:, 0].abs().max() > 0


@pytest.mark.gpu
def test_cuda():
    eeg = np.random.default_rng(7).normal(0, 30, (2, 20, 2400)).cumsum(axis=-1)
    panels = host_spectrogram(torch.from_numpy(eeg).cuda())
    assert panels.is_cuda
    np.testing.assert_allclose(panels.cpu().numpy(), host_spectrogram(eeg), rtol=1e-8)


def test_out():
    eeg = np.random.default_rng(8).normal(0, 30, (2, 20, 2000))
    expected = host_spectrogram(eeg)
    out = np.empty(expected.shape)
    assert host_spectrogram(eeg, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert host_spectrogram(eeg[0], out=out[1]) is not None
    np.testing.assert_array_equal(out[1], expected[0])


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**16), scale=st.floats(0.01, 100))
def test_scaling_and_polarity(seed, scale):
    eeg = np.random.default_rng(seed).normal(0, 30, (20, 1600))
    power = host_spectrogram(eeg)
    np.testing.assert_allclose(
        host_spectrogram(scale * eeg), scale**2 * power, rtol=1e-8
    )
    np.testing.assert_allclose(host_spectrogram(-eeg), power, rtol=1e-12)


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 2**16))
def test_two_seconds_later_is_one_row_further(seed):
    # Long enough for the filter to forget the ends.
    eeg = np.random.default_rng(seed).normal(0, 30, (20, 12_000))
    power, later = host_spectrogram(eeg), host_spectrogram(eeg[:, 400:])
    np.testing.assert_allclose(later[..., 10:-10], power[..., 11:-10], rtol=1e-6)


def test_left_and_right_swap_panels():
    eeg = np.random.default_rng(9).normal(0, 30, (20, 1600))
    sides = ["Fp1 Fp2", "F3 F4", "C3 C4", "P3 P4", "F7 F8", "T3 T4", "T5 T6", "O1 O2"]
    names = list(CH_NAMES)
    for pair in sides:
        left, right = (CH_NAMES.index(name) for name in pair.split())
        names[left], names[right] = CH_NAMES[right], CH_NAMES[left]
    panels, mirrored = host_spectrogram(eeg), host_spectrogram(eeg, ch_names=names)
    order = [HOST_PANELS.index(panel) for panel in ("RL", "LL", "RP", "LP")]
    np.testing.assert_array_equal(mirrored, panels[order])


def test_an_offset_changes_nothing():
    eeg = np.random.default_rng(10).normal(0, 30, (20, 1600))
    offsets = np.linspace(-5000, 5000, 20)[:, None]
    for ends in ("cut", "whole"):
        np.testing.assert_allclose(
            host_spectrogram(eeg + offsets, ends=ends),
            host_spectrogram(eeg, ends=ends),
            rtol=1e-6,
        )


def test_flat_channels_have_no_power():
    power = host_spectrogram(np.full((20, 1200), 7.0))
    assert np.isfinite(power).all()
    assert power.max() < 1e-12


def test_mains_do_not_reach_the_panels():
    time = np.arange(6000) / 200
    eeg = np.zeros((20, 6000))
    eeg[0] = 1000 * np.sin(2 * np.pi * 60 * time)
    loud, stopped, notched = (
        host_spectrogram(eeg, mains=mains)[..., 3:-3].max()
        for mains in (None, "stop", "notch")
    )
    assert max(stopped, notched) < loud / 1000


def test_channels_are_found_by_name():
    eeg = np.random.default_rng(4).normal(0, 40, (20, 1600))
    order = np.random.default_rng(5).permutation(20)
    names = [CH_NAMES[i].replace("T3", "T7") for i in order]
    np.testing.assert_array_equal(
        host_spectrogram(eeg[order], ch_names=names), host_spectrogram(eeg)
    )


def test_frequencies_are_those_of_the_column_names():
    freqs = host_frequencies()
    assert freqs.shape == (100,)
    assert freqs[0] == 0.5859375
    assert freqs[-1] == 19.921875


@pytest.mark.parametrize(
    ("eeg", "kwargs", "message"),
    [
        (np.zeros((18, 4000)), {}, r"shape \(18, 4000\), expected \(20"),
        (np.zeros(4000), {}, r"shape \(4000,\)"),
        (np.zeros((20, 799)), {}, "do not fit into 799 samples"),
        (np.zeros((20, 4000)), {"n_rows": 10}, "10 rows .* do not fit"),
        (np.zeros((20, 4000)), {"n_rows": 0}, "n_rows must be an integer at least 1"),
        (np.zeros((20, 4000)), {"first_sample": -1}, "first_sample must be an integer"),
        (np.zeros((20, 4000)), {"first_sample": 3300}, "from sample 3300 on do not"),
        (np.zeros((20, 4000)), {"mains": "comb"}, "mains must be one of 'notch'"),
        (np.zeros((20, 4000)), {"mains_freq": 16}, "mains_freq must be .* Give 50"),
        (np.zeros((20, 4000)), {"ends": "mirror"}, "ends must be one of 'cut'"),
        (np.zeros((20, 4000)), {"decimals": -1}, "decimals must be an integer"),
        (torch.zeros(20, 4000), {"out": torch.zeros(1)}, "out= is for NumPy arrays"),
        (np.full((20, 4000), np.inf), {}, "infinity"),
        (np.zeros((2, 4000)), {"ch_names": ["Fp1", "F7"]}, "'T3' is not among"),
    ],
)
def test_bad_input_is_named(eeg, kwargs, message):
    with pytest.raises(ValueError, match=f"host_spectrogram: .*{message}"):
        host_spectrogram(eeg, **kwargs)


def test_alignment():
    rows, samples = host_alignment(10_000)
    assert (rows[0], rows[-1], samples[0], samples[-1]) == (138, 161, 0, 9200)
    # A second EEG of a spectrogram, cut 60 s later: 30 rows further on.
    later, same = host_alignment(10_000, spectrogram_offset_seconds=60)
    np.testing.assert_array_equal(later, rows + 30)
    np.testing.assert_array_equal(same, samples)
    # Both offsets of one label move together.
    rows_of_label, _ = host_alignment(
        12_000, eeg_offset_seconds=10, spectrogram_offset_seconds=10
    )
    np.testing.assert_array_equal(rows_of_label, np.arange(138, 167))
    # An odd offset shifts the samples by one second, never out of the file.
    odd_rows, odd_samples = host_alignment(10_000, spectrogram_offset_seconds=1)
    assert odd_samples[0] == 200
    assert odd_samples[-1] + 800 <= 10_000
    assert odd_rows[0] == 139
    with pytest.raises(ValueError, match="host_alignment: n_times=100 is shorter"):
        host_alignment(100)


def test_alignment_of_an_eeg_that_begins_before_its_spectrogram():
    rows, samples = host_alignment(100_000, eeg_offset_seconds=300)
    assert rows[0] == 0
    assert samples[0] == 25 * 200 + 0 - 200
    assert samples[-1] + 800 <= 100_000


def test_alignment_ends_with_the_spectrogram():
    rows, samples = host_alignment(10_000)
    for n_rows, n in ((300, 24), (162, 24), (161, 23), (140, 2), (138, 0), (1, 0)):
        inside, starts = host_alignment(10_000, n_rows=n_rows)
        np.testing.assert_array_equal(inside, rows[:n])
        np.testing.assert_array_equal(starts, samples[:n])
    with pytest.raises(ValueError, match="host_alignment: n_rows must be an integer"):
        host_alignment(10_000, n_rows=0)


@settings(deadline=None, max_examples=25)
@given(
    n_times=st.integers(800, 200_000),
    eeg_offset=st.integers(0, 2000),
    spectrogram_offset=st.integers(0, 2000),
    n_rows=st.integers(1, 1000),
)
def test_alignment_never_leaves_either_file(
    n_times, eeg_offset, spectrogram_offset, n_rows
):
    rows, samples = host_alignment(
        n_times,
        eeg_offset_seconds=eeg_offset,
        spectrogram_offset_seconds=spectrogram_offset,
        n_rows=n_rows,
    )
    assert ((rows >= 0) & (rows < n_rows)).all()
    assert ((samples >= 0) & (samples + 800 <= n_times)).all()
    # No row that lies within both is missing: its first sample follows from its time.
    start = 275 + spectrogram_offset - eeg_offset
    first = (2 * np.arange(n_rows) - 1 - start) * 200
    np.testing.assert_array_equal(
        samples, first[(first >= 0) & (first + 800 <= n_times)]
    )


def test_rows():
    assert [host_rows(n) for n in (800, 1199, 1200, 10_000)] == [1, 1, 2, 24]
    assert host_rows(10_000, 400, 3) == 3
    with pytest.raises(ValueError, match=r"^host_rows: 1 rows of 800 samples"):
        host_rows(799)
    with pytest.raises(ValueError, match=r"^host_rows: 9 columns .* fewer columns"):
        host_rows(800, n_rows=9, unit="columns")


# EEG and spectrogram that belong together; what was done against mains; how many of
# the values, rounded to two decimals, are equal but for the first and last two rows.
PAIRS = [
    ("train", 722738444, 999431, "notch", 0.998),
    ("train", 1628180742, 353733, "notch", 0.986),
    ("train", 2277392603, 924234, "notch", 0.992),
    ("test", 3911565283, 853520, "stop", 0.991),
]
pairs = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair[1]))


@lru_cache
def load_pair(split, eeg_id, spectrogram_id):
    """EEG in hundredths of a microvolt, first sample, and the rows of the file."""
    root = Path(os.environ["HMS_DATA"]) / "hms"
    offsets = {}
    if split == "train":
        table = pd.read_csv(root / "train.csv")
        row = table[table.eeg_id == eeg_id].iloc[-1]
        assert row.spectrogram_id == spectrogram_id
        offsets = {
            "eeg_offset_seconds": row.eeg_label_offset_seconds,
            "spectrogram_offset_seconds": row.spectrogram_label_offset_seconds,
        }
    eeg = pd.read_parquet(root / f"{split}_eegs/{eeg_id}.parquet")
    eeg = eeg.to_numpy(np.float64).T
    table = pd.read_parquet(root / f"{split}_spectrograms/{spectrogram_id}.parquet")
    official = table.iloc[:, 1:].to_numpy(np.float64)
    official = official.reshape(-1, 4, 100).transpose(1, 2, 0)
    rows, samples = host_alignment(eeg.shape[1], **offsets)
    np.testing.assert_array_equal(table.time.to_numpy()[rows], 2 * rows + 1)
    assert np.abs(eeg - np.round(eeg, 2)).max() < 1e-3  # what float32 shows of it
    return np.round(eeg, 2), samples[0], np.round(official[..., rows], 2)


def missed(power, official, margin):
    """Which values, `margin` rows from the ends, round to something else."""
    inner = slice(margin, -margin)
    return np.abs(np.round(power[..., inner], 2) - official[..., inner]) > 0.005


@needs_data
@pairs
def test_reproduces_the_real_files(pair):
    *key, mains, floor = pair
    eeg, first, official = load_pair(*key)
    ours = host_spectrogram(eeg, first_sample=first, mains=mains)
    # The organisers filtered the whole recording: its cut differs at both ends.
    inner = slice(2, -2)
    assert official[..., inner].shape[-1] >= 20
    error = np.abs(ours - official)[..., inner]
    assert (error <= 0.005 + 0.001 * official[..., inner]).all()
    assert 1 - missed(ours, official, 2).mean() >= floor
    # What the file holds, float32, gives the same.
    single = host_spectrogram(
        eeg.astype(np.float32), first_sample=first, mains=mains, decimals=2
    )
    assert single.dtype == np.float32
    assert 1 - missed(single.astype(np.float64), official, 2).mean() >= floor


@needs_data
def test_the_recording_stored_in_hundredths_is_reproduced_in_every_value():
    eeg, first, official = load_pair("train", 722738444, 999431)
    power = host_spectrogram(eeg, first_sample=first)
    assert not missed(power, official, 4).any()
    assert missed(power, official, 4).size == 11_200
    # Its amplifier counted in steps of a quarter of a microvolt, which shows that the
    # organisers had it in hundredths already: from the steps themselves, hundreds of
    # values come out otherwise.
    quantum = 8711 * 64 / (2**21 - 0.5)
    exact = np.round(eeg / quantum) * quantum
    assert np.abs(exact - eeg)[:19].max() < 0.005
    from_steps = host_spectrogram(exact, first_sample=first)
    assert missed(from_steps, official, 4).sum() > 100


@needs_data
@pairs
def test_training_had_a_notch_and_the_test_file_a_band_stop(pair):
    *key, mains, _ = pair
    eeg, first, official = load_pair(*key)
    count = {
        kind: missed(
            host_spectrogram(eeg, first_sample=first, mains=kind), official, 4
        ).sum()
        for kind in ("notch", "stop")
    }
    other = "stop" if mains == "notch" else "notch"
    assert count[mains] <= count[other]
    if key[1] in (722738444, 1628180742):
        assert count["stop"] - count["notch"] > 50


@needs_data
@pytest.mark.parametrize("pair", PAIRS[1:], ids=lambda pair: str(pair[1]))
def test_rounding_of_the_eeg_explains_the_other_values(pair):
    """As many values move when noise of the size of that rounding is added."""
    *key, mains, _ = pair
    eeg, first, official = load_pair(*key)
    power = host_spectrogram(eeg, first_sample=first, mains=mains)
    observed = missed(power, official, 4)
    rng = np.random.default_rng(0)
    simulated = []
    for _ in range(4):
        noisy = eeg + rng.uniform(-0.005, 0.005, eeg.shape)
        moved = host_spectrogram(noisy, first_sample=first, mains=mains)
        simulated.append(missed(moved, np.round(power, 2), 4).sum())
    expected = np.mean(simulated)
    assert abs(observed.sum() - expected) <= 4 * np.sqrt(expected)


@needs_data
@pairs
def test_mirrored_ends_come_closer(pair):
    *key, mains, _ = pair
    eeg, first, official = load_pair(*key)
    equal = {}
    for ends in ("cut", "whole"):
        power = host_spectrogram(eeg, first_sample=first, mains=mains, ends=ends)
        error = np.abs(np.round(power, 2) - official)[..., [0, -1]]
        equal[ends] = (error < 0.005).mean()
    assert equal["cut"] > equal["whole"]
    if key[1] != 2277392603:
        assert equal["cut"] > equal["whole"] + 0.1
