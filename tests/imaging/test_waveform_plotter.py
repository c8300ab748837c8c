"""WaveformPlotter."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from hmsklearn.imaging import WaveformPlotter
from hmsklearn.preprocessing import (
    ButterworthFilter,
    CentreCrop,
    MontageTransformer,
    NaNImputer,
)
from hmsklearn.signal import draw_traces


@pytest.mark.parametrize(
    "params",
    [
        {"height": 640, "width": 1600, "overlap": 1.0},  # 16th place
        {"height": 224, "width": 224, "n_planes": 3},  # 8th place
        {"height": 512, "width": 512, "invert": True, "negative_up": True},
    ],
)
def test_published_sizes(rng, params):
    X = rng.normal(0, 40, (2, 20, 2000)).astype(np.float32)
    images = WaveformPlotter(**params).fit_transform(X)
    n_planes = params.pop("n_planes", 1)
    assert images.shape == (2, n_planes, params["height"], params["width"])
    assert images.dtype == np.float32
    for plane in range(n_planes):
        np.testing.assert_array_equal(images[:, plane], draw_traces(X, **params))


def test_defaults(signals):
    step = WaveformPlotter().fit(signals)
    images = step.transform(signals)
    assert images.shape == (6, 1, 512, 512)
    np.testing.assert_array_equal(
        images[:, 0],
        draw_traces(signals, 512, 512, amplitude=100.0, line_width=1.0, overlap=0.0),
    )
    assert step.get_feature_names_out().tolist() == ["traces0"]


def test_polarity():
    """A positive wave points up, unless the convention of EEG is asked for."""
    X = np.zeros((1, 1, 100), dtype=np.float32)
    X[..., 40:60] = 80.0
    up = WaveformPlotter(100, 100).fit_transform(X)[0, 0]
    down = WaveformPlotter(100, 100, negative_up=True).fit_transform(X)[0, 0]
    assert np.flatnonzero(up[:, 50]).max() < 20
    assert np.flatnonzero(down[:, 50]).min() >= 80


def test_channels_from_top_to_bottom():
    X = np.zeros((1, 4, 100), dtype=np.float32)
    X[:, 2] = 60 * np.sin(np.arange(100))
    image = WaveformPlotter(80, 100).fit_transform(X)[0, 0]
    uneven = np.flatnonzero(np.ptp(image, axis=1))
    assert uneven.min() >= 40
    assert uneven.max() < 60


def test_on_real_eeg(real_windows):
    step = make_pipeline(
        NaNImputer(),
        MontageTransformer("double_banana"),
        ButterworthFilter(0.5, 20.0),
        CentreCrop(n_times=2000),
        WaveformPlotter(),
    )
    images = step.fit_transform(real_windows)
    assert images.shape == (len(real_windows), 1, 512, 512)
    assert images.min() == 0
    assert images.max() <= 1
    # Every channel is there in every column, and most of the picture is empty.
    assert (images.sum(axis=2) > 17.9).all()
    assert 0.03 < images.mean() < 0.3


def test_tensors(signals):
    step = WaveformPlotter(120, 90, n_planes=2, overlap=0.5).fit(signals)
    tensor = torch.tensor(signals, requires_grad=True)
    images = step.transform(tensor)
    expected = step.transform(signals)
    assert images.shape == expected.shape
    np.testing.assert_allclose(images.detach().numpy(), expected, atol=1e-5)
    images.square().sum().backward()
    assert torch.isfinite(tensor.grad).all()
    assert tensor.grad.abs().max() > 0


def test_lengths_may_change(signals):
    step = WaveformPlotter(100, 60).fit(signals)
    assert step.transform(signals[..., :37]).shape == (6, 1, 100, 60)
    assert step.transform(signals[..., :1]).shape == (6, 1, 100, 60)


def test_survives_copies(signals):
    step = WaveformPlotter(100, 60, line_width=1.5).fit(signals)
    expected = step.transform(signals)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(step)).transform(signals), expected
    )
    np.testing.assert_array_equal(clone(step).fit_transform(signals), expected)


def test_nan_names_the_imputer(signals):
    X = signals.copy()
    X[1, 2, 34] = np.nan
    with pytest.raises(ValueError, match=r"WaveformPlotter: X contains NaN.*NaNImput"):
        WaveformPlotter().fit(X)
    WaveformPlotter().fit(NaNImputer().fit_transform(X))


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"height": 20}, "20 channels in a height of 20 .* 1 pixels each"),
        ({"height": 100, "line_width": 5}, "not more than line_width=5"),
        ({"height": 0}, "height must be an integer at least 1"),
        ({"width": 1.5}, "width must be an integer"),
        ({"amplitude": 0}, "amplitude must be .*at least 1e-12"),
        ({"amplitude": 1e-300}, "amplitude must be .*at least 1e-12"),
        ({"amplitude": 1e300}, "amplitude must be .*at most 1000000000000.0"),
        ({"line_width": 0.4}, "line_width must be .*at least 0.5"),
        ({"overlap": -0.1}, "overlap must be .*at least 0"),
        ({"negative_up": "yes"}, "negative_up must be True or False, got 'yes'"),
        ({"invert": 1}, "invert must be True or False"),
        ({"n_planes": 0}, "n_planes must be an integer at least 1"),
    ],
)
def test_errors_come_in_fit(signals, params, text):
    with pytest.raises(ValueError, match=f"^WaveformPlotter: .*{text}"):
        WaveformPlotter(**params).fit(signals)


def test_as_many_lanes_as_fit(signals):
    # 20 lanes of 1.05 pixels have room for a line of one: hardly any gap is left.
    assert WaveformPlotter(21, 30).fit_transform(signals).min() > 0.7
