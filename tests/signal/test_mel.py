"""Mel spectrograms against librosa in double precision."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.montage import MONTAGES
from hmsklearn.signal import (
    butterworth_sos,
    filter_zero_phase,
    mel_decibels,
    mel_filterbank,
    mel_spectrogram,
    pair_differences,
)
from hmsklearn.signal.mel import mel_frequencies

librosa = pytest.importorskip("librosa")

#: What is promised.
DECIBELS = 5e-3


def by_librosa(signal, *, ref=np.max, top_db=80.0, amin=1e-10, **kwargs):
    """The recipe of the public notebooks, in double precision."""
    kwargs = {
        "sr": 200,
        "hop_length": 39,
        "n_fft": 1024,
        "n_mels": 128,
        "fmin": 0,
        "fmax": 20,
        "win_length": 128,
        **kwargs,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short signals, empty filters
        power = librosa.feature.melspectrogram(y=signal.astype(np.float64), **kwargs)
        return librosa.power_to_db(power, ref=ref, top_db=top_db, amin=amin)


def all_by_librosa(X, **kwargs):
    rows = [by_librosa(row, **kwargs) for row in X.reshape(-1, X.shape[-1])]
    return np.reshape(rows, (*X.shape[:-1], *rows[0].shape))


@pytest.mark.parametrize(
    ("sfreq", "n_fft", "n_mels", "fmin", "fmax"),
    [
        (200, 1024, 128, 0, 20),
        (200, 1024, 128, 0.53, 40),
        (200, 512, 64, 0.53, 30),
        (200, 2048, 128, 0, 100),
        (22050, 2048, 128, 0, 11025),
        (16000, 400, 80, 20, 8000),
    ],
)
def test_filterbank_is_librosas(sfreq, n_fft, n_mels, fmin, fmax):
    expected = librosa.filters.mel(
        sr=sfreq, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, dtype=np.float64
    )
    bank = mel_filterbank(sfreq, n_fft, n_mels, fmin, fmax)
    np.testing.assert_allclose(bank, expected, rtol=1e-9, atol=1e-12)


def test_frequencies_are_librosas():
    for fmin, fmax in [(0, 20), (0.5, 100), (0, 8000), (900, 1100), (2000, 4000)]:
        np.testing.assert_allclose(
            mel_frequencies(50, fmin, fmax),
            librosa.mel_frequencies(50, fmin=fmin, fmax=fmax),
            rtol=1e-10,
        )


def test_filters_between_two_bins_are_announced():
    with pytest.warns(UserWarning, match=r"of 128 mel filters .* n_fft than 256"):
        bank = mel_filterbank(200.0, 256)
    assert (bank.sum(axis=1) == 0).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_power_is_librosas(rng, dtype):
    X = (30 * rng.normal(size=(2, 2, 3000))).astype(dtype)
    result = mel_spectrogram(X)
    assert result.dtype == dtype
    for where in np.ndindex(2, 2):
        expected = librosa.feature.melspectrogram(
            y=X[where].astype(np.float64),
            sr=200,
            hop_length=39,
            n_fft=1024,
            n_mels=128,
            fmin=0,
            fmax=20,
            win_length=128,
        )
        # librosa keeps its filters in float32.
        np.testing.assert_allclose(result[where], expected, rtol=1e-5)


def test_real_eeg_raw_and_filtered(real_windows):
    X = np.nan_to_num(real_windows)
    bipolar = pair_differences(X, *MONTAGES["double_banana"].indices())
    filtered = filter_zero_phase(bipolar, butterworth_sos(0.5, 20.0))
    for kind in (bipolar[::2], filtered[1::2]):
        expected = all_by_librosa(kind)
        images = mel_decibels(kind)
        assert images.dtype == np.float32
        assert images.shape == (*kind.shape[:2], 128, 257)
        assert np.abs(images - expected).max() < DECIBELS
    double = mel_decibels(filtered[:2].astype(np.float64))
    np.testing.assert_allclose(double, all_by_librosa(filtered[:2]), atol=1e-6)


def hostile_signals(rng):
    """Signals that a transform in float32 alone gets wrong."""
    t = np.arange(10_000) / 200
    quiet = rng.normal(0, 1, t.size)
    spike = np.zeros(t.size)
    spike[5000] = 1e5
    return {
        "offset": quiet + 1e5,
        "mains": quiet + 3000 * np.sin(2 * np.pi * 60 * t),
        "step": quiet + 45_000 * (t > 25),
        "drift": quiet + 2000 * t,
        "spike": quiet + spike,
        "chirp": 100 * np.sin(2 * np.pi * (0.5 + 0.2 * t) * t),
        "slow": 1000 * np.sin(2 * np.pi * 0.3 * t) + quiet,
        "above the bands": 1000 * np.sin(2 * np.pi * 45 * t) + 0.01 * quiet,
        "small": 1e-6 * quiet,
        "huge": 1e9 * quiet,
    }


@pytest.mark.parametrize("name", hostile_signals(np.random.default_rng(0)))
def test_hostile_signals(rng, name):
    x = hostile_signals(rng)[name].astype(np.float32)
    image = mel_decibels(x[None, None])[0, 0]
    assert np.abs(image - by_librosa(x)).max() < DECIBELS


@pytest.mark.parametrize("top_db", [None, 120.0, 100.0, 60.0, 10.0])
def test_other_floors_are_as_exact(rng, top_db):
    for x in hostile_signals(rng).values():
        x = x.astype(np.float32)
        image = mel_decibels(x[None, None], top_db=top_db)[0, 0]
        assert np.abs(image - by_librosa(x, top_db=top_db)).max() < DECIBELS


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_any_parameters(data):
    n_fft = data.draw(st.sampled_from([64, 127, 256, 1024]))
    kwargs = {
        "n_fft": n_fft,
        "win_length": data.draw(st.sampled_from([n_fft, n_fft // 2, n_fft // 2 - 1])),
        "hop_length": data.draw(st.integers(1, 60)),
        "n_mels": data.draw(st.integers(1, 40)),
        "fmin": data.draw(st.sampled_from([0.0, 0.5, 10.0])),
        "fmax": data.draw(st.sampled_from([20.0, 55.0, 100.0])),
        "window": data.draw(st.sampled_from(["hann", "hamming"])),
    }
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    x = rng.normal(0, 30, data.draw(st.integers(1, 800))).astype(np.float32)
    image = mel_decibels(x[None, None], **kwargs)[0, 0]
    expected = by_librosa(x, **kwargs)
    assert image.shape == expected.shape
    assert np.abs(image - expected).max() < DECIBELS


@pytest.mark.parametrize("ref", [1.0, 1e4])
def test_fixed_reference(rng, ref):
    x = rng.normal(0, 30, 2000).astype(np.float32)
    image = mel_decibels(x[None, None], ref=ref)[0, 0]
    assert np.abs(image - by_librosa(x, ref=ref)).max() < DECIBELS


@pytest.mark.parametrize("value", [0.0, 1.0, -45_000.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silent_and_constant_channels_are_as_librosas(value, dtype):
    X = np.full((1, 1, 10_000), value, dtype=dtype)
    image = mel_decibels(X)[0, 0]
    assert np.isfinite(image).all()
    assert np.abs(image - by_librosa(X[0, 0])).max() < DECIBELS
    if value == 0:
        assert (image == 0).all()


@settings(deadline=None, max_examples=15)
@given(gain=st.floats(1e-3, 1e3), seed=st.integers(0, 2**16))
def test_gain_and_sign_do_not_matter(gain, seed):
    x = np.random.default_rng(seed).normal(0, 30, (1, 1, 2000))
    expected = mel_decibels(x)
    np.testing.assert_allclose(mel_decibels(-gain * x), expected, rtol=0, atol=1e-8)


@settings(deadline=None, max_examples=15)
@given(columns=st.integers(1, 20), seed=st.integers(0, 2**16))
def test_columns_move_with_the_signal(columns, seed):
    x = np.random.default_rng(seed).normal(0, 30, (1, 1, 3000))
    moved = np.concatenate([np.zeros((1, 1, 39 * columns)), x], axis=-1)
    power, later = mel_spectrogram(x), mel_spectrogram(moved)
    np.testing.assert_allclose(later[..., columns:], power, rtol=1e-9, atol=1e-9)


def test_reversed_time_reverses_the_columns(rng):
    x = rng.normal(0, 30, (1, 1, 39 * 60 + 1))
    power = mel_spectrogram(x)
    np.testing.assert_allclose(
        mel_spectrogram(x[..., ::-1]), power[..., ::-1], rtol=1e-8
    )


def test_channels_do_not_know_of_each_other_and_keep_their_precision(rng):
    """One channel that needs float64 changes nothing about its neighbours."""
    calm = rng.normal(0, 30, (2, 3, 2000)).astype(np.float32)
    images = mel_decibels(calm)
    X = calm.copy()
    X[0, 1] += 3000 * np.sin(2 * np.pi * 60 * np.arange(2000) / 200).astype("f4")
    mixed = mel_decibels(X)
    assert (mixed[0, 1] != images[0, 1]).any()
    mixed[0, 1] = images[0, 1]
    np.testing.assert_array_equal(mixed, images)
    np.testing.assert_array_equal(mel_decibels(calm[1:, ::-1]), images[1:, ::-1])


def test_width_out_and_input(rng):
    X = rng.normal(0, 30, (2, 3, 10_000)).astype(np.float32)
    X.setflags(write=False)
    whole = mel_decibels(X)
    out = np.empty((2, 3, 128, 256), dtype=np.float32)
    assert mel_decibels(X, width=256, out=out) is out
    np.testing.assert_array_equal(out, whole[..., :256])
    view = np.repeat(X, 2, axis=-1)[..., ::2]
    np.testing.assert_array_equal(mel_decibels(view), whole)
