"""The organisers' spectrogram, against its definition and against their files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, detrend, filtfilt
from scipy.signal.windows import dpss

from hmsklearn.montage import CH_NAMES, MONTAGES
from hmsklearn.signal.host_spectrogram import (
    HOST_PANELS,
    host_alignment,
    host_frequencies,
    host_spectrogram,
)

needs_data = pytest.mark.skipif(
    "HMS_DATA" not in os.environ,
    reason="HMS_DATA is not set: the real competition files are not here",
)


def by_definition(eeg, first_sample=0):
    """The recipe step by step, one window after the other, with full transforms."""
    b, a = butter(3, [0.5, 40], btype="bandpass", fs=200)
    bipolar = MONTAGES["double_banana_16"].matrix() @ np.nan_to_num(eeg)
    bipolar = filtfilt(b, a, bipolar, axis=-1)[:, first_sample:]
    tapers = dpss(800, 2, 3)
    rows = []
    for start in range(0, bipolar.shape[1] - 799, 400):
        window = detrend(bipolar[:, start : start + 800], axis=-1)
        spectrum = np.fft.rfft(window[:, None] * tapers, 1024, axis=-1)
        rows.append((np.abs(spectrum) ** 2 / 200).mean(axis=1)[:, 3:103])
    return np.stack(rows, axis=-1).reshape(4, 4, 100, -1).mean(axis=1)


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
        (np.zeros((20, 4000)), {"first_sample": -1}, "from sample -1"),
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


def test_alignment_never_leaves_either_file():
    # An EEG that begins before its spectrogram does.
    rows, samples = host_alignment(100_000, eeg_offset_seconds=300)
    assert rows[0] == 0
    assert samples[0] == 25 * 200 + 0 - 200
    assert samples[-1] + 800 <= 100_000


# Shares of values equal at two decimals that are really reached.
PAIRS = [
    ("train", 722738444, 999431, 0.990),
    ("train", 1628180742, 353733, 0.976),
    ("train", 2277392603, 924234, 0.992),
    ("test", 3911565283, 853520, 0.990),
]


@needs_data
@pytest.mark.parametrize(("split", "eeg_id", "spectrogram_id", "floor"), PAIRS)
def test_reproduces_the_real_files(split, eeg_id, spectrogram_id, floor):
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
    ours = host_spectrogram(eeg, first_sample=samples[0])
    np.testing.assert_array_equal(table.time.to_numpy()[rows], 2 * rows + 1)
    # The organisers filtered the whole recording: its cut differs at both ends.
    interior = slice(2, len(rows) - 2)
    ours, official = ours[..., interior], official[..., rows[interior]]
    assert official.shape[-1] >= 20
    error = np.abs(ours - official)
    assert (error <= 0.005 + 0.001 * official).all()
    equal = np.abs(np.round(ours, 2) - official) < 0.005
    assert equal.mean() >= floor
