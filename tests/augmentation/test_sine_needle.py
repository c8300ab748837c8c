"""SineNeedle."""

import numpy as np
import pytest
import torch

from hmsklearn.augmentation import SineNeedle


@pytest.fixture
def noise(rng):
    return torch.from_numpy(rng.normal(size=(5, 3, 60, 80)).astype(np.float32))


def drawn(noise, **params):
    needle = SineNeedle(p=1.0, random_state=3, **params)
    return (needle(noise) - noise).numpy()


def test_height_in_standard_deviations(noise):
    """At the track itself, whatever the scale of the plane is."""
    for scale in (1.0, 50.0):
        added = drawn(scale * noise, height=4.0, width=20.0, swing=0.0, period=10.0)
        spread = scale * noise.std(dim=(2, 3)).numpy()
        top = added.max(axis=(2, 3))
        np.testing.assert_allclose(top, 4 * spread, rtol=0.01)
        assert (added > -1e-3 * scale).all()


def test_wave_about_a_line_that_goes_on_between_the_planes(noise):
    period, swing = 40.0, 6.0
    added = drawn(
        noise, height=5.0, period=period, swing=swing, drift=(8.0, 20.0), width=1.0
    )
    # Three observations of 60 rows, with one of 60 rows between each two.
    rows = np.concatenate([start + np.arange(60) for start in (0, 120, 240)])
    cycle = 2 * np.pi * rows / period
    basis = np.stack([np.ones(180), rows, np.sin(cycle), np.cos(cycle)], axis=1)
    for window in added:
        flat = window.reshape(180, 80)
        seen = flat.max(axis=1) > 3  # else it is outside of the band
        track = (flat @ np.arange(80)) / flat.sum(axis=1)
        inside = seen & (track > 5) & (track < 75)
        assert inside.sum() > 60
        fit, *_ = np.linalg.lstsq(basis[inside], track[inside], rcond=None)
        assert np.abs(basis[inside] @ fit - track[inside]).max() < 0.3
        assert np.hypot(fit[2], fit[3]) == pytest.approx(swing, rel=0.05)
        assert 8 / 299 * 0.9 < abs(fit[1]) < 20 / 299 * 1.1


def test_straight_lines_stay_in_the_band(noise):
    """Even those that would drift further than the band is wide."""
    added = drawn(noise, height=5.0, swing=0.0, drift=500.0, width=0.7)
    assert (added.max(axis=3) > 2).all()


def test_target_becomes_the_class(noise):
    y = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [1.0, 0.0], [1.0, 0.0]])
    for label in (0, 1):
        _, new = SineNeedle(label=label, p=1.0, random_state=0)(noise, y)
        np.testing.assert_array_equal(new, np.tile(np.eye(2)[label], (5, 1)))
    changed, new = SineNeedle(p=0.5, random_state=0)(noise, y)
    same = np.asarray(changed == noise).all(axis=(1, 2, 3))
    assert 0 < same.sum() < 5
    np.testing.assert_array_equal(new[same], y[same])
    np.testing.assert_array_equal(new[~same], np.tile([0.0, 1.0], (5 - same.sum(), 1)))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"height": -1}, "height must be .*at least 0"),
        ({"period": 1}, "period must be .*at least 2"),
        ({"width": (2, 1)}, "width=.* runs backwards"),
        ({"width": 0}, "width must be .*at least 0.1"),
        ({"gap": -1}, "gap must be an integer at least 0"),
        ({"label": 0.5}, "label must be an integer"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=f"SineNeedle: {message}"):
        SineNeedle(**params).check()


def test_what_it_cannot_change(noise):
    with pytest.raises(ValueError, match="SineNeedle: takes windows of 4 axes"):
        SineNeedle(p=1.0)(noise[:, 0])
    with pytest.raises(ValueError, match="label=2 is no position of 2 classes"):
        SineNeedle(label=2, p=1.0)(noise, np.eye(2)[[0, 1, 0, 1, 0]])
