"""MultitaperSpectrogramizer."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from hmsklearn.preprocessing import MontageTransformer, NaNImputer
from hmsklearn.signal import multitaper_power, power_to_levels
from hmsklearn.spectrogram import MultitaperSpectrogramizer


@pytest.fixture
def X(rng):
    return rng.normal(0, 20, (3, 4, 2000)).cumsum(axis=-1).astype(np.float32)


def test_the_7th_places_images(rng):
    X = rng.normal(0, 30, (1, 18, 10_000)).astype(np.float32)
    step = MultitaperSpectrogramizer().fit(X)
    images = step.transform(X)
    assert images.shape == (1, 18, 100, 93)
    assert images.dtype == np.float32
    assert step.n_tapers_ == 9
    assert step.frequencies_[[0, -1]].tolist() == [0.5859375, 19.921875]


def test_times_are_the_middles_of_the_columns():
    # A click in the middle of column 7's window is loudest there.
    X = np.zeros((1, 1, 2000))
    step = MultitaperSpectrogramizer(
        sfreq=100.0, step_seconds=1.0, output="linear", fmax=40.0
    ).fit(X)
    assert step.times_.tolist() == [2.0 + k for k in range(17)]
    X[0, 0, round(step.times_[7] * 100)] = 1.0
    image = step.transform(X)[0, 0]
    assert image.shape[1] == len(step.times_)
    assert image.sum(axis=0).argmax() == 7


def test_the_organisers_transform(rng):
    X = rng.normal(0, 30, (1, 16, 10_000))
    step = MultitaperSpectrogramizer(
        time_bandwidth=2, step_seconds=2, scaling="two-sided", output="linear"
    ).fit(X)
    assert step.transform(X).shape == (1, 16, 100, 24)
    assert step.n_tapers_ == 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("power", "levels"),
    [
        ({}, {}),
        ({"time_bandwidth": 2, "n_tapers": 3}, {"output": "log1p"}),
        ({"weighting": "adaptive"}, {"ref": 1.0, "top_db": None, "clip": (-20, 30)}),
        ({"weighting": "eigen"}, {"per": "window", "offset": 40, "scale": 40}),
        ({"detrend": None, "scaling": "length"}, {"output": "log", "eps": 1e-3}),
        ({"periodic": True, "n_fft": 800}, {"output": "linear", "exponent": 1}),
    ],
)
def test_equals_its_functions(X, dtype, power, levels):
    X = X.astype(dtype)
    expected = power_to_levels(
        multitaper_power(X, **power), **{"output": "db", **levels}
    )
    step = MultitaperSpectrogramizer(**power, **levels)
    images = step.fit_transform(X)
    assert images.dtype == dtype
    np.testing.assert_array_equal(images, expected)
    tensors = step.transform(torch.from_numpy(X))
    assert isinstance(tensors, torch.Tensor)
    np.testing.assert_allclose(tensors.numpy(), expected, rtol=1e-4, atol=1e-3)


def test_stages_of_life(X):
    step = MultitaperSpectrogramizer(time_bandwidth=3, output="log1p")
    expected = step.fit_transform(X)
    for other in (clone(step), pickle.loads(pickle.dumps(step)), copy.deepcopy(step)):
        np.testing.assert_array_equal(other.fit(X).transform(X), expected)
    fitted = pickle.loads(pickle.dumps(step))
    np.testing.assert_array_equal(fitted.transform(X), expected)
    assert fitted.get_feature_names_out(["a", "b", "c", "d"]).tolist() == list("abcd")


def test_in_a_pipeline(real_windows):
    X = real_windows[:2]
    pipeline = make_pipeline(
        NaNImputer(),
        MontageTransformer("double_banana"),
        MultitaperSpectrogramizer(),
    )
    images = pipeline.fit_transform(X)
    assert images.shape == (2, 18, 100, 93)
    assert np.isfinite(images).all()
    assert images.max() == 0
    assert images.min() >= -80
    assert pipeline.get_feature_names_out()[0] == "Fp1-F7"


def test_other_windows_than_in_fit(X):
    step = MultitaperSpectrogramizer().fit(X)
    assert step.transform(X[..., :800]).shape == (3, 4, 100, 1)
    with pytest.raises(
        ValueError,
        match=r"^MultitaperSpectrogramizer: X has 799 samples .*at least 800 are",
    ):
        step.transform(X[..., :799])


def test_nan_names_the_imputer(X):
    X[1, 2, 3] = np.nan
    with pytest.raises(
        ValueError, match=r"MultitaperSpectrogramizer: X contains NaN.*NaNImputer"
    ):
        MultitaperSpectrogramizer().fit(X)


def test_silence():
    for weighting in ("unity", "adaptive"):
        step = MultitaperSpectrogramizer(weighting=weighting)
        images = step.fit_transform(np.full((1, 2, 1000), 5.0, dtype=np.float32))
        assert (images == 0).all()


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"sfreq": -1}, "sfreq must be"),
        ({"window_seconds": 11}, "at least 2200 are needed for a window"),
        ({"step_seconds": 0}, "step_seconds must be .*above 0"),
        ({"time_bandwidth": 0}, "time_bandwidth must be"),
        ({"n_tapers": 0}, "n_tapers must be an integer"),
        ({"n_fft": 100}, "n_fft must be an integer at least 800"),
        ({"fmin": 20, "fmax": 2}, "fmin=20 must be below fmax=2"),
        ({"fmax": 150}, "fmax must be .*at most 100"),
        ({"detrend": "line"}, "detrend must be one of .*Did you mean 'linear'"),
        ({"weighting": "mean"}, "weighting must be one of 'unity'"),
        ({"adaptive_steps": 1.5}, "adaptive_steps must be an integer"),
        ({"scaling": None}, "scaling must be one of 'density'"),
        ({"periodic": "yes"}, "periodic must be True or False, got 'yes'"),
        ({"output": "decibel"}, "output must be one of"),
        ({"clip": (3, 1)}, "lower bound must be below"),
        ({"scale": 0}, "scale must be .*above 0"),
    ],
)
def test_errors_come_in_fit(X, params, text):
    with pytest.raises(ValueError, match=f"^MultitaperSpectrogramizer: .*{text}"):
        MultitaperSpectrogramizer(**params).fit(X)
