"""WaveformImager."""

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline

from hmsklearn.imaging import WaveformImager
from hmsklearn.preprocessing import CentreCrop, Decimator


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


@pytest.mark.parametrize(
    ("n_channels", "steps", "shape"),
    [
        (18, [WaveformImager(20)], (360, 500)),
        (18, [CentreCrop(n_times=2000), WaveformImager(4)], (72, 500)),
        (18, [CentreCrop(n_times=6000), WaveformImager(12)], (216, 500)),
        (16, [WaveformImager(200, "contiguous", columns=16)], (200, 800)),
        (
            16,
            [CentreCrop(n_times=2000), WaveformImager(200, "contiguous", columns=16)],
            (200, 160),
        ),
        (
            16,
            [CentreCrop(n_times=4000), WaveformImager(200, "contiguous", columns=16)],
            (200, 320),
        ),
        (
            16,
            [
                CentreCrop(n_times=2000),
                Decimator(4, method="mean"),
                WaveformImager(8, "repeated"),
            ],
            (128, 500),
        ),
    ],
)
def test_sizes_of_the_published_images(rng, n_channels, steps, shape):
    X = rng.normal(size=(1, n_channels, 10_000)).astype(np.float32)
    assert make_pipeline(*steps).fit_transform(X).shape == (1, 1, *shape)


def test_fifth_place_repeats_means_of_four(rng):
    X = rng.normal(size=(2, 16, 2000))
    pipe = make_pipeline(Decimator(4, method="mean"), WaveformImager(8, "repeated"))
    expected = np.repeat(X.reshape(2, 16, 500, 4).mean(axis=-1), 8, axis=1)
    np.testing.assert_allclose(pipe.fit_transform(X)[:, 0], expected, atol=1e-12)


def test_one_plane_by_default(signals):
    images = WaveformImager().fit_transform(signals)
    assert images.shape == (6, 1, 200, 40)
    assert images[2, 0, 5 * 10 + 3, 7] == signals[2, 5, 73]


@pytest.mark.parametrize("rows", [1, 4, 400])
def test_other_numbers_of_rows_lose_nothing(signals, rows):
    images = WaveformImager(rows).fit_transform(signals)
    assert images.shape == (6, 1, 20 * rows, 400 // rows)
    back = images.reshape(6, 20, rows, -1).transpose(0, 1, 3, 2).reshape(6, 20, 400)
    np.testing.assert_array_equal(back, signals)


@pytest.mark.parametrize("layout", ["interleaved", "contiguous", "repeated"])
def test_tensors(signals, layout):
    step = WaveformImager(4, layout, columns=5, n_planes=2).fit(signals)
    tensor = torch.tensor(signals, requires_grad=True)
    images = step.transform(tensor)
    np.testing.assert_array_equal(images.detach().numpy(), step.transform(signals))
    images.sum().backward()
    # Each sample is in two planes, and in all rows where they are repeated.
    assert (tensor.grad == (8 if layout == "repeated" else 2)).all()


def test_nan_stays_one_pixel(signals):
    X = signals.copy()
    X[1, 2, 34] = np.nan
    images = WaveformImager().fit_transform(X)
    assert np.argwhere(np.isnan(images)).tolist() == [[1, 0, 24, 3]]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"rows": 7}, "400 samples.*not a multiple of rows=7.*n_times=399"),
        ({"rows": 7, "layout": "contiguous"}, "not a multiple of rows=7"),
        ({"rows": 401}, "fewer than rows=401.*fewer rows"),
        ({"rows": 0}, "rows must be an integer at least 1"),
        ({"rows": 10.0}, "rows must be an integer"),
        ({"layout": "interleave"}, "layout must be .*Did you mean 'interleaved'"),
        ({"columns": 3}, "20 channels .*not a multiple of columns=3"),
        ({"columns": 0}, "columns must be an integer at least 1"),
        ({"n_planes": 0}, "n_planes must be an integer at least 1"),
    ],
)
def test_errors_come_in_fit(signals, params, text):
    with pytest.raises(ValueError, match=f"^WaveformImager: .*{text}"):
        WaveformImager(**params).fit(signals)


def test_repeated_rows_need_no_divisor(signals):
    images = WaveformImager(7, "repeated").fit_transform(signals)
    assert images.shape == (6, 1, 140, 400)


def test_other_windows_later(signals):
    step = WaveformImager().fit(signals)
    assert step.transform(signals[..., :390]).shape[-1] == 39
    with pytest.raises(ValueError, match=r"395 samples.*not a multiple"):
        step.transform(signals[..., :395])
