"""ImageResizer."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from hmsklearn.imaging import ImageResizer


@pytest.fixture
def images(rng):
    return rng.normal(size=(3, 2, 30, 40)).astype(np.float32)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(64, 17), 51])
def test_equal_to_torch(images, size, mode, antialias):
    step = ImageResizer(size, mode=mode, antialias=antialias).fit(images)
    result = step.transform(images)
    pair = size if isinstance(size, tuple) else (size, size)
    expected = interpolate(
        torch.from_numpy(images).double(),
        pair,
        mode=mode,
        antialias=antialias,
        align_corners=False,
    )
    assert result.shape == (3, 2, *pair)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected.numpy(), rtol=0, atol=2e-6)
    tensor = step.transform(torch.from_numpy(images))
    np.testing.assert_allclose(tensor.numpy(), result, rtol=0, atol=5e-5)
    assert step.get_feature_names_out(["LL", "RL"]).tolist() == ["LL", "RL"]


def test_nearest_repeats_pixels(images):
    result = ImageResizer((60, 80), mode="nearest").fit_transform(images)
    np.testing.assert_array_equal(result[..., ::2, ::2], images)
    np.testing.assert_array_equal(result[..., 1::2, 1::2], images)


def test_default():
    step = ImageResizer()
    assert (step.size, step.mode, step.antialias) == (512, "bilinear", False)
    assert step.fit_transform(np.zeros((1, 1, 8, 8))).shape == (1, 1, 512, 512)


def test_other_sizes_later(images):
    step = ImageResizer((8, 9)).fit(images)
    assert step.transform(images[..., :11]).shape == (3, 2, 8, 9)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"size": 0}, "size .height. must be an integer at least 1, got 0"),
        ({"size": (8, 2.5)}, "size .width. must be an integer"),
        ({"size": (8, 8, 3)}, "a number or a pair"),
        ({"size": None}, "size .height. must be an integer"),
        ({"mode": "linear"}, "mode must be one of.*Did you mean 'bilinear'"),
        ({"antialias": 1}, "antialias must be True or False"),
        ({"mode": "nearest", "antialias": True}, "antialias=True has no meaning"),
    ],
)
def test_errors_come_in_fit(images, params, text):
    with pytest.raises(ValueError, match=f"^ImageResizer: .*{text}"):
        ImageResizer(**params).fit(images)


def test_wrong_number_of_axes(images):
    with pytest.raises(ValueError, match=r"ImageResizer: X has 3 dimensions"):
        ImageResizer().fit(images[0])
