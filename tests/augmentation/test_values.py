"""Noise, amplitude, brightness, contrast and zoom."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.augmentation import (
    AmplitudeScale,
    BrightnessContrast,
    GaussianNoise,
    RandomResizedCrop,
)


def test_noise_has_its_deviation():
    x = np.full((20, 3, 5000), 7.0)
    noise = GaussianNoise(0.5, p=1.0, random_state=0)(x) - x
    np.testing.assert_allclose(noise.std(axis=2), 0.5, rtol=0.06)
    np.testing.assert_allclose(noise.mean(axis=2), 0.0, atol=0.04)
    assert abs(np.corrcoef(noise.reshape(60, -1)) - np.eye(60)).max() < 0.08


def test_noise_of_a_range():
    noise = GaussianNoise((0.1, 0.9), p=1.0, random_state=0)(np.zeros((200, 1, 500)))
    std = noise.std(axis=(1, 2))
    assert 0.09 < std.min() < 0.15
    assert 0.85 < std.max() < 1.0


def test_noise_relative_to_each_channel(rng):
    x = rng.normal(0, 1, (4, 3, 4000)) * np.array([1.0, 10.0, 100.0])[:, None]
    x[0, 1, :100] = np.nan
    noise = GaussianNoise(0.2, relative=True, p=1.0, random_state=0)(x) - x
    ratio = np.nanstd(noise, axis=2) / np.nanstd(x, axis=2)
    np.testing.assert_allclose(ratio, 0.2, rtol=0.06)
    assert np.isnan(noise).sum() == 100


def test_noise_of_views_that_differ():
    batch = {"x": {"one": torch.zeros(2, 3, 4), "two": torch.zeros(2, 3, 5)}}
    with pytest.raises(ValueError, match="views differ in shape"):
        GaussianNoise().apply(batch)


def test_amplitude_of_windows_and_channels():
    x = np.ones((500, 4, 3))
    window = AmplitudeScale(p=1.0, random_state=0)(x)
    assert (window == window[:, :1, :1]).all()
    assert 0.925 <= window.min() < 0.93
    assert 1.07 < window.max() <= 1.075
    channel = AmplitudeScale(0.5, per="channel", p=1.0, random_state=0)(x)
    assert (channel == channel[:, :, :1]).all()
    assert (np.ptp(channel[:, :, 0], axis=1) > 0).all()


def test_brightness_moves_the_mean_by_deviations(rng):
    x = rng.normal(5, 3, (300, 2, 8, 8))
    mean, std = (f(x, axis=(1, 2, 3), keepdims=True) for f in (np.mean, np.std))
    out = BrightnessContrast(0.4, 0.0, p=1.0, random_state=0)(x)
    moved = (out - x) / std
    assert np.ptp(moved, axis=(1, 2, 3)).max() < 1e-6
    assert -0.4 <= moved.min() < -0.35
    assert 0.35 < moved.max() <= 0.4
    harder = BrightnessContrast(0.0, 0.5, p=1.0, random_state=0)(x)
    factor = (harder - mean) / (x - mean)
    np.testing.assert_allclose(
        factor, np.broadcast_to(factor[:, :1, :1, :1], x.shape), rtol=1e-4
    )
    assert 0.5 <= factor.min() < 0.55
    assert 1.45 < factor.max() <= 1.5001


def test_brightness_looks_past_nan():
    x = np.array([0.0, np.nan, 2.0, 4.0]).reshape(1, 1, 1, 4)
    params = {
        "active": torch.tensor([True]),
        "brightness": torch.tensor([0.0]),
        "contrast": torch.tensor([0.5]),
    }
    out = BrightnessContrast().transform(torch.from_numpy(x), params)
    np.testing.assert_allclose(out.ravel(), [1.0, np.nan, 2.0, 3.0])


def zoomed(image, size, place):
    """What a zoom to `size` of the image (width, height) around `place` shows."""
    params = {
        "active": torch.tensor([True]),
        "size": torch.tensor([size]),
        "place": torch.tensor([place]),
    }
    x = torch.as_tensor(image, dtype=torch.float64)[None, None]
    return RandomResizedCrop().transform(x, params)[0, 0].numpy()


def test_zoom_by_hand():
    image = np.add.outer(10.0 * np.arange(4), np.arange(8))
    np.testing.assert_allclose(zoomed(image, (1.0, 1.0), (0.0, 0.0)), image)
    # The right half, at twice the width: quarters and three quarters between pixels.
    right = zoomed(image, (0.5, 1.0), (0.5, 0.0))
    np.testing.assert_allclose(
        right[0], [3.75, 4.25, 4.75, 5.25, 5.75, 6.25, 6.75, 7.0], atol=1e-9
    )
    upper = zoomed(np.ones((4, 8)), (1.0, 2.0), (0.0, -1.0))
    # Half as high, at the far end of a field of zeros.
    np.testing.assert_allclose(upper, [[0.0] * 8] * 2 + [[1.0] * 8] * 2, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(zoom=st.floats(0.3, 1.0), seed=st.integers(0, 99))
def test_zooming_out_keeps_the_whole_image(zoom, seed):
    x = np.ones((6, 1, 40, 40))
    out = RandomResizedCrop(zoom, p=1.0, random_state=seed)(x)
    for axis in (2, 3):
        sizes = out.max(axis=axis).sum(axis=(1, 2))
        # Whole pixels, as many as have their middle inside.
        assert (np.abs(sizes - zoom * 40) < 1 + 1e-3).all()
    assert set(np.unique(out.round(5))) <= {0.0, 1.0}


def test_zooming_in_shows_no_field():
    out = RandomResizedCrop((1.0, 4.0), p=1.0, random_state=0)(np.ones((50, 2, 32, 32)))
    assert (out > 1 - 1e-5).all()


def test_zoom_of_axes():
    x = np.ones((200, 1, 40, 40))
    for separate in (False, True):
        out = RandomResizedCrop(
            (0.5, 1.0), separate_axes=separate, p=1.0, random_state=0
        )(x)
        height = (out[:, 0].max(axis=2) > 0.5).sum(axis=1)
        width = (out[:, 0].max(axis=1) > 0.5).sum(axis=1)
        apart = np.abs(height - width)
        assert (apart.max() > 8) if separate else (apart.max() <= 1)


@pytest.mark.parametrize(("axis", "still"), [("time", 0), ("frequency", 1)])
def test_zoom_of_one_axis(axis, still):
    ramps = np.stack(np.meshgrid(np.arange(30.0), np.arange(40.0), indexing="ij"))
    x = np.tile(ramps[None], (50, 1, 1, 1))
    zoom = RandomResizedCrop((1.2, 2.0), axes=[axis], p=1.0, random_state=0)
    out = zoom(x)
    np.testing.assert_allclose(out[:, still], x[:, still], atol=1e-5)
    step = np.diff(out[:, 1 - still], axis=2 - still)[:, 1:-1, 1:-1]
    assert step.min() > 0.49
    assert step.max() < 1 / 1.2 + 0.01
    assert np.unique(step.mean(axis=(1, 2)).round(3)).size > 30


def test_zoom_of_signals_by_hand():
    zoom = RandomResizedCrop(axes=["time"], after_frontend=False)
    x = torch.arange(8.0, dtype=torch.float64).repeat(2, 3, 1)
    x[:, 1] *= 10
    params = {
        "active": torch.tensor([True, True]),
        "size": torch.tensor([[0.5, 1.0], [2.0, 1.0]]),
        "place": torch.tensor([[0.5, 0.0], [-1.0, 0.0]]),
    }
    out = zoom.transform(x, params)
    expected = [3.75, 4.25, 4.75, 5.25, 5.75, 6.25, 6.75, 7.0]
    for channel, factor in enumerate((1, 10, 1)):
        np.testing.assert_allclose(out[0, channel], factor * np.array(expected))
        # At half the length, behind a stretch of zeros.
        np.testing.assert_allclose(
            out[1, channel], factor * np.array([0, 0, 0, 0, 0.5, 2.5, 4.5, 6.5])
        )


def test_signals_have_no_frequency():
    with pytest.raises(ValueError, match=r"RandomResizedCrop: signals .*\['time'\]"):
        RandomResizedCrop()(np.zeros((2, 3, 8)))


def test_zoom_of_films_is_that_of_each_frame(rng):
    film = torch.from_numpy(rng.normal(size=(3, 2, 4, 8, 8)))
    zoom = RandomResizedCrop(p=1.0)
    params = zoom.draw(film, torch.Generator().manual_seed(0))
    out = zoom.transform(film, params)
    for frame in range(4):
        torch.testing.assert_close(
            out[:, :, frame], zoom.transform(film[:, :, frame], params)
        )


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        (GaussianNoise(-0.1), "std must be a finite number at least 0"),
        (GaussianNoise(relative=1), "relative must be True or False"),
        (AmplitudeScale(2.0), "scale must be a finite number"),
        (AmplitudeScale(per="head"), "per must be one of"),
        (BrightnessContrast(-1.0), "brightness must be a finite number"),
        (BrightnessContrast(0.2, 3.0), "contrast must be a finite number"),
        (RandomResizedCrop(0.0), "zoom must be a finite number above 0"),
        (RandomResizedCrop(separate_axes=2), "separate_axes must be True or False"),
        (RandomResizedCrop(axes="time"), "axes must be a list"),
        (RandomResizedCrop(axes=[]), "axes must be a list"),
        (RandomResizedCrop(axes=["width"]), "axes must be a list"),
        (RandomResizedCrop(axes=["time"], separate_axes=True), "separate_axes=True"),
        (RandomResizedCrop(after_frontend=1), "after_frontend must be True or False"),
    ],
)
def test_unusable_parameters(augmentation, message):
    with pytest.raises(ValueError, match=f"{type(augmentation).__name__}: {message}"):
        augmentation.check()
