"""ImageStandardizer."""

import numpy as np
import pytest
import torch

from hmsklearn.imaging import ImageStandardizer, ImageTiler
from hmsklearn.signal import standardize


@pytest.fixture
def images(rng):
    return rng.normal(3, 5, size=(3, 4, 6, 10)).astype(np.float32)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"per": "plane", "eps": 1e-15},
        {"per": 2},
        {"per": [[0, 1, 2], [3]]},
        {"method": "minmax", "value_range": (0, 255)},
        {"method": "quantile", "quantiles": (0.05, 0.95), "per": "row"},
        {"method": "fixed", "mean": 2, "std": 12},
        {"method": "fixed", "mean": (1, 2, 3, 4), "std": np.arange(1.0, 5)},
    ],
)
def test_the_function_behind_it(images, params):
    images[1, 2, :3] = np.nan
    step = ImageStandardizer(**params).fit(images)
    result = step.transform(images)
    np.testing.assert_array_equal(result, standardize(images, **params))
    assert not np.isnan(result).any()
    assert result.dtype == np.float32
    tensor = step.transform(torch.from_numpy(images))
    np.testing.assert_allclose(tensor.numpy(), result, rtol=1e-4, atol=1e-4)
    assert step.get_feature_names_out("abcd").tolist() == list("abcd")


def test_default_is_the_notebooks(images):
    result = ImageStandardizer().fit_transform(images)
    for x, y in zip(images, result, strict=True):
        np.testing.assert_allclose(y, (x - x.mean()) / (x.std() + 1e-6), atol=1e-5)


def test_seventh_place_standardises_the_padded_image(images):
    """Zeros around the picture count in its mean and deviation."""
    canvas = np.zeros((3, 1, 32, 32), dtype=np.float32)
    canvas[:, 0, 4:28, 11:21] = images.reshape(3, 24, 10)
    mean = canvas.mean(axis=(2, 3), keepdims=True)
    expected = (canvas - mean) / (canvas.std(axis=(2, 3), keepdims=True) + 1e-15)
    step = ImageStandardizer(per="plane", eps=1e-15)
    padded = ImageTiler(size=32).fit_transform(images)
    np.testing.assert_allclose(step.fit_transform(padded), expected, atol=1e-5)


def test_constant_and_missing_channels(images):
    images[0, 1] = 17.3
    images[1, 2] = np.nan
    result = ImageStandardizer(per="plane").fit_transform(images)
    assert (result[0, 1] == 0).all()
    assert (result[1, 2] == 0).all()
    assert np.isfinite(result).all()


def test_signals(images):
    X = images.reshape(3, 4, 60)
    result = ImageStandardizer(per="plane").fit_transform(X)
    np.testing.assert_allclose(result.mean(axis=2), 0, atol=1e-6)
    np.testing.assert_allclose(result.std(axis=2), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"method": "z-score"}, "method must be one of.*Did you mean 'zscore'"),
        ({"per": "windows"}, "per must be one of 'window', 'plane', 'row'.*Did you"),
        ({"per": "image"}, "per must be one of 'window', 'plane', 'row'"),
        ({"per": 4}, "height of 6 is not a multiple of the per=4 rows"),
        ({"per": 0}, "per must be an integer at least 1"),
        ({"per": True}, "per must be an integer"),
        ({"per": 2.0}, "groups of planes in which each of 0 .. 3"),
        ({"per": [[0, 1], [2]]}, "groups of planes in which each of 0 .. 3"),
        ({"per": [[0, 1], [1, 2, 3]]}, "each of 0 .. 3 occurs once"),
        ({"eps": -1}, "eps must be a finite number at least 0"),
        ({"fill": np.nan}, "fill must be a finite number"),
        ({"quantiles": (0.9, 0.1)}, "quantiles=.*must be below"),
        ({"quantiles": (1, 99)}, r"quantiles\[1\] must be .*at most 1"),
        ({"quantiles": 0.1}, "quantiles must be a pair"),
        ({"value_range": (1, 1)}, "value_range=.*must be below"),
        ({"std": 0}, "std must be a finite number above 0"),
        ({"mean": [1, 2]}, "mean has 2 numbers, X has 4 planes"),
        ({"std": [1, 2, 3, -1]}, r"std\[3\] must be .*above 0"),
    ],
)
def test_errors_come_in_fit(images, params, text):
    with pytest.raises(ValueError, match=f"^ImageStandardizer: .*{text}"):
        ImageStandardizer(**params).fit(images)


def test_another_height_later(images):
    step = ImageStandardizer(per=3).fit(images)
    with pytest.raises(ValueError, match=r"height of 4 is not a multiple"):
        step.transform(images[:, :, :4])
