"""WaveformImager."""

import numpy as np
import pytest

from hmsklearn.imaging import WaveformImager


def test_second_place(rng):
    X = rng.normal(size=(2, 16, 10_000)).astype(np.float32)
    step = WaveformImager(n_planes=3).fit(X)
    images = step.transform(X)
    assert images.shape == (2, 3, 160, 1000)
    assert images.dtype == np.float32
    expected = X.reshape(2, 16, 1000, 10).transpose(0, 1, 3, 2).reshape(2, 160, 1000)
    for plane in range(3):
        np.testing.assert_array_equal(images[:, plane], expected)
    assert step.get_feature_names_out().tolist() == [f"waveform{i}" for i in range(3)]


def test_one_plane_by_default(signals):
    images = WaveformImager().fit_transform(signals)
    assert images.shape == (6, 1, 200, 40)
    assert images[2, 0, 5 * 10 + 3, 7] == signals[2, 5, 73]


@pytest.mark.parametrize("phases", [1, 4, 400])
def test_other_phases_lose_nothing(signals, phases):
    images = WaveformImager(phases).fit_transform(signals)
    assert images.shape == (6, 1, 20 * phases, 400 // phases)
    back = images.reshape(6, 20, phases, -1).transpose(0, 1, 3, 2).reshape(6, 20, 400)
    np.testing.assert_array_equal(back, signals)


def test_nan_stays_one_pixel(signals):
    X = signals.copy()
    X[1, 2, 34] = np.nan
    images = WaveformImager().fit_transform(X)
    assert np.argwhere(np.isnan(images)).tolist() == [[1, 0, 24, 3]]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"phases": 7}, "400 samples.*not a multiple of phases=7.*n_times=399"),
        ({"phases": 401}, "fewer than phases=401.*smaller phases"),
        ({"phases": 0}, "phases must be an integer at least 1"),
        ({"phases": 10.0}, "phases must be an integer"),
        ({"n_planes": 0}, "n_planes must be an integer at least 1"),
    ],
)
def test_errors_come_in_fit(signals, params, text):
    with pytest.raises(ValueError, match=f"^WaveformImager: .*{text}"):
        WaveformImager(**params).fit(signals)


def test_other_windows_later(signals):
    step = WaveformImager().fit(signals)
    assert step.transform(signals[..., :390]).shape[-1] == 39
    with pytest.raises(ValueError, match=r"395 samples.*not a multiple"):
        step.transform(signals[..., :395])
