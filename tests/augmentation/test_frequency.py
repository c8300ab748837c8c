"""Bands of frequencies that pass or are missing."""

import numpy as np
import pytest
import torch
from scipy.signal import butter, sosfreqz
from scipy.signal import freqs as freqs_response

from hmsklearn.augmentation import FrequencyDropout, RandomBandPass

SFREQ = 200.0


def tones(freqs, n_times=4000):
    t = np.arange(n_times) / SFREQ
    return np.sin(2 * np.pi * np.asarray(freqs)[:, None, None] * t)


def gains(augmentation, freqs, low, high):
    """What is left of tones, away from the ends, for edges that are given."""
    x = torch.from_numpy(tones(freqs))
    n = len(freqs)
    params = {
        "active": torch.ones(n, dtype=torch.bool),
        "low": torch.full((n,), low),
        "high": torch.full((n,), high),
        "channels": torch.ones((n, 1), dtype=torch.bool),
    }
    out = augmentation.transform(x, params)
    inner = slice(1000, -1000)
    return (out[..., inner].std(dim=2) / x[..., inner].std(dim=2))[:, 0].numpy()


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize(("low", "high"), [(0.0, 10.0), (2.0, 15.0), (1.0, 20.0)])
def test_gain_is_that_of_butterworth(order, low, high):
    """The amplitude of SciPy's analogue filter of the same edges."""
    freqs = np.array([0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 40.0])
    edges, kind = ([low, high], "bandpass") if low else (high, "lowpass")
    b, a = butter(order, edges, kind, analog=True)
    expected = np.abs(freqs_response(b, a, freqs)[1])
    found = gains(RandomBandPass(order=order), freqs, low, high)
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("low", [0.0, 2.0])
def test_gain_is_near_the_digital_filter(low):
    """Well below half of the sampling rate, both are nearly the same."""
    freqs = np.array([1.0, 2.0, 5.0, 10.0, 15.0, 20.0])
    edges, kind = ([low, 15.0], "bandpass") if low else (15.0, "lowpass")
    sos = butter(2, edges, kind, fs=SFREQ, output="sos")
    digital = np.abs(sosfreqz(sos, freqs, fs=SFREQ)[1])
    found = gains(RandomBandPass(), freqs, low, 15.0)
    np.testing.assert_allclose(found, digital, atol=0.025)


def test_zero_low_edge_keeps_the_offset():
    x = torch.full((1, 1, 1000), 5.0)
    out = RandomBandPass(low=0.0, n_channels=None, p=1.0, random_state=0)(x)
    torch.testing.assert_close(out, x)
    out = RandomBandPass(low=1.0, n_channels=None, p=1.0, random_state=0)(x)
    assert out.abs().max() < 1e-4


def test_phase_is_zero():
    x = torch.from_numpy(tones([5.0]))
    out = RandomBandPass(n_channels=None, p=1.0, random_state=0)(x)
    inner = slice(1000, -1000)
    correlation = np.corrcoef(x[0, 0, inner], out[0, 0, inner])[0, 1]
    assert correlation > 0.9999


def test_edges_are_drawn_for_each_window():
    params = RandomBandPass().draw(torch.zeros(2000, 8, 4), torch.Generator())
    for name, low, high in (("low", 0, 2), ("high", 10, 20)):
        values = params[name]
        assert low <= values.min() < low + 0.05
        assert high - 0.05 < values.max() <= high
        assert abs(values.mean() - (low + high) / 2) < 0.15
    numbers = torch.bincount(params["channels"].sum(dim=1), minlength=9)
    assert numbers[0] == 0
    assert (numbers[1:] > 150).all()


def test_band_of_one_hertz():
    """The narrow band of the two-stage pipeline: 1 Hz somewhere from 10 to 20 Hz."""
    band = RandomBandPass((10, 19), width=1, n_channels=None, order=4)
    params = band.draw(torch.zeros(1000, 2, 4), torch.Generator())
    torch.testing.assert_close(params["high"] - params["low"], torch.ones(1000))
    assert params["high"].max() <= 20
    assert params["channels"].all()
    freqs = np.array([8.0, 13.5, 20.0])
    left = gains(band, freqs, 13.0, 14.0)
    assert left[1] > 0.99
    assert left[0] < 0.01
    assert left[2] < 0.01


def test_only_the_drawn_channels_are_filtered(rng):
    x = torch.from_numpy(rng.normal(size=(30, 10, 300)))
    band = RandomBandPass(n_channels=3, p=1.0)
    params = band.draw(x, torch.Generator())
    out = band.transform(x, params)
    changed = (out != x).any(dim=2)
    assert torch.equal(changed, params["channels"])
    assert (changed.sum(dim=1) == 3).all()


def test_nan_spoils_filtered_channels_alone(rng):
    x = torch.from_numpy(rng.normal(size=(20, 4, 100)))
    x[:, :, 10] = np.nan
    band = RandomBandPass(n_channels=2, p=1.0)
    params = band.draw(x, torch.Generator())
    missing = band.transform(x, params).isnan().sum(dim=2)
    assert torch.equal(missing == 100, params["channels"])
    assert torch.equal(missing == 1, ~params["channels"])


def test_dropped_rows_of_images():
    drop = FrequencyDropout((2, 4), fill=-1.0, p=1.0, random_state=0)
    out = drop(np.zeros((50, 2, 16, 5)))
    rows = (out == -1).all(axis=(1, 3))
    assert (out[:, :, :, :1] == out).all()
    assert set(rows.sum(axis=1)) == {2, 3, 4}
    # Rows of one band follow each other.
    assert (np.abs(np.diff(np.pad(rows, ((0, 0), (1, 1))))).sum(axis=1) == 2).all()


def test_dropped_bins_of_signals(rng):
    x = rng.normal(size=(30, 3, 64))
    drop = FrequencyDropout(5, after_frontend=False, p=1.0, random_state=0)
    out = drop(x)
    before, after = (np.abs(np.fft.rfft(value)) for value in (x, out))
    gone = after < 1e-9
    assert (gone.sum(axis=2) == 5).all()
    assert (gone == gone[:, :1]).all()
    np.testing.assert_allclose(after[~gone], before[~gone], rtol=1e-6)
    assert len(np.unique(gone[:, 0], axis=0)) > 10


def test_several_bands():
    drop = FrequencyDropout(1, n_bands=3, p=1.0, random_state=0)
    rows = (drop(np.ones((200, 1, 64, 2))) == 0).all(axis=(1, 3)).sum(axis=1)
    assert rows.max() == 3
    assert rows.min() >= 1


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        (RandomBandPass((0, 12)), "could be empty"),
        (RandomBandPass(high=150), "high must be a finite number .* at most 100"),
        (RandomBandPass(width=0), "width must be a finite number above 0"),
        (RandomBandPass(order=0), "order must be an integer at least 1"),
        (RandomBandPass(sfreq=0), "sfreq must be a finite number above 0"),
        (RandomBandPass(n_channels=0), "n_channels must be an integer at least 1"),
        (FrequencyDropout(n_bands=0), "n_bands must be an integer at least 1"),
        (FrequencyDropout(2.5), "size must be a finite number"),
    ],
)
def test_unusable_parameters(augmentation, message):
    with pytest.raises(ValueError, match=f"{type(augmentation).__name__}: .*{message}"):
        augmentation.check()


def test_more_channels_than_there_are():
    with pytest.raises(ValueError, match="more than the 4 channels"):
        RandomBandPass()(np.zeros((1, 4, 100)))
