"""Precision of images in float32, and what it must not depend on."""

import numpy as np
import pytest
import torch

from hmsklearn.signal import mel_decibels, mel_spectrogram, stft_power
from hmsklearn.signal.frame_power import FramePower

TIMES = np.arange(10_000) / 200


def square_wave(rng, frequency, amplitude, noise):
    x = amplitude * np.sign(np.sin(2 * np.pi * frequency * TIMES))
    return (x + noise * rng.normal(size=x.size)).astype(np.float32)[None, None]


def exact(X):
    return X.astype(np.float64)


# One of their harmonics is aliased to just above 0 Hz.
@pytest.mark.parametrize(
    ("frequency", "amplitude", "noise"),
    [
        (79.98303448527547, 973.55, 0.3189),
        (79.9957, 1064.9, 1.03),
        (81.782106, 10.79, 0.0491),
        (39.978351, 2666.0, 0.0423),
    ],
)
def test_square_waves_in_decibels(rng, frequency, amplitude, noise):
    for _ in range(5):
        X = square_wave(rng, frequency, amplitude, noise)
        for kwargs in ({}, {"win_length": 1024}):
            error = mel_decibels(X, **kwargs) - mel_decibels(exact(X), **kwargs)
            assert np.abs(error).max() < 5e-3


def test_filtered_eeg_is_transformed_once(rng, monkeypatch):
    """Pink noise without what is above 20 Hz, and that ten times on one channel."""
    frequencies = np.fft.rfftfreq(TIMES.size, 1 / 200)
    spectrum = np.fft.rfft(rng.normal(size=(20, 1, TIMES.size)))
    gain = 1 / np.maximum(frequencies, 0.5) / np.sqrt(1 + (frequencies / 20) ** 8)
    X = 300 * np.fft.irfft(spectrum * gain)
    X[0] += 1e4 * np.sin(2 * np.pi * 60 * TIMES)
    types = []
    original = FramePower.__call__

    def counted(self, signals):
        types.append(self._dtype)
        return original(self, signals)

    monkeypatch.setattr(FramePower, "__call__", counted)
    mel_decibels(X.astype(np.float32))
    assert types.count(np.float32) == 20
    assert types.count(np.float64) == 1


@pytest.mark.parametrize(
    "kwargs",
    [
        {"hop_length": 50},
        {"hop_length": 50, "detrend": "linear"},
        {"hop_length": 50, "detrend": "linear", "fmax": 20},
        {"n_fft": 509, "hop_length": 50, "detrend": "linear"},
        {"n_fft": 1024, "hop_length": 50, "detrend": "constant", "fmax": 20},
        {"n_fft": 2048, "hop_length": 100},
        {"hop_length": 50, "fmax": 20},
    ],
)
def test_stft_in_decibels(rng, kwargs):
    noise = rng.normal(size=TIMES.size)
    signals = [
        0.01 * noise + np.sin(2 * np.pi * 0.2 * TIMES),
        0.01 * noise + 30 * np.sin(2 * np.pi * 60.3 * TIMES),
        0.01 * noise + 30 * np.sin(2 * np.pi * 7.3 * TIMES),
        0.01 * noise + 30 * (TIMES > 25.3),
        0.1 * noise + 40 * TIMES,
        30 * noise,
    ]
    X = np.array(signals, dtype=np.float32)[None]
    X = np.concatenate([X, square_wave(rng, 79.983, 974, 0.3)], axis=1)
    levels = {"output": "db"}
    error = stft_power(X, levels=levels, **kwargs) - stft_power(
        exact(X), levels=levels, **kwargs
    )
    assert np.abs(error).max() < 5e-3


def test_slopes_are_taken_out_before_the_fft(rng):
    X = 0.01 * rng.normal(size=TIMES.size) + np.sin(2 * np.pi * 0.2 * TIMES)
    X = X.astype(np.float32)[None, None]
    kwargs = {"hop_length": 50, "detrend": "linear", "fmax": 40, "n_fft": 512}
    amplitude, true = (np.sqrt(stft_power(x, **kwargs)) for x in (X, exact(X)))
    # What a slope leaves behind in the quiet bins.
    error = np.abs(amplitude - true)[:, :, 20:]
    assert np.sqrt(np.mean(error**2)) < 6e-9 * true.max()


@pytest.mark.parametrize("kwargs", [{"fmax": 20}, {}], ids=["product", "fft"])
@pytest.mark.parametrize("offset", [1e5, -1e5])
def test_offsets_cost_no_precision(rng, kwargs, offset):
    X = (rng.normal(size=(1, 2, TIMES.size)) + offset).astype(np.float32)
    X[:, 1] -= np.float32(offset)
    expected = stft_power(exact(X), hop_length=50, **kwargs)
    for signals in (X, torch.from_numpy(X)):
        power = np.asarray(stft_power(signals, hop_length=50, **kwargs))
        error = np.abs(power - expected)[:, :, 8:] / expected[:, :, 8:]
        assert np.median(error, axis=(-1, -2)).max() < 2e-6


def test_offsets_cost_mel_spectrograms_no_precision(rng):
    X = (rng.normal(size=(1, 1, TIMES.size)) + 1e5).astype(np.float32)
    expected = mel_spectrogram(exact(X), pad_mode="reflect")
    used = expected[0, 0].max(axis=-1) > 0
    used[:20] = False
    for signals in (X, torch.from_numpy(X)):
        power = np.asarray(mel_spectrogram(signals, pad_mode="reflect"))
        error = np.abs(power - expected)[..., used, :] / expected[..., used, :]
        assert np.median(error) < 2e-6


@pytest.mark.parametrize("detrend", [None, "constant", "linear"])
@pytest.mark.parametrize("fmax", [20, None])
def test_the_layout_in_memory_does_not_matter(rng, detrend, fmax):
    X = rng.normal(30, 1, size=(3, 5, 3000)).astype(np.float32)
    strided = np.repeat(X, 2, axis=-1)[..., ::2]
    for levels in (None, {"output": "db"}):
        images = [
            stft_power(x, detrend=detrend, fmax=fmax, levels=levels)
            for x in (X, np.asfortranarray(X), strided, X[::-1].copy()[::-1])
        ]
        for image in images[1:]:
            np.testing.assert_array_equal(image, images[0])
