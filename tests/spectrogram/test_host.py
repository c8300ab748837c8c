"""HostSpectrogramizer."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from hmsklearn.montage import CH_NAMES
from hmsklearn.signal.host_spectrogram import host_spectrogram
from hmsklearn.spectrogram import HostSpectrogramizer


@pytest.fixture
def X(rng):
    return rng.normal(0, 20, (3, 20, 1600)).cumsum(axis=-1).astype(np.float32)


def test_fifty_seconds(rng):
    X = rng.normal(0, 30, (1, 20, 10_000)).astype(np.float32)
    step = HostSpectrogramizer().fit(X)
    panels = step.transform(X)
    assert panels.shape == (1, 4, 100, 24)
    assert panels.dtype == np.float32
    assert step.get_feature_names_out().tolist() == ["LL", "RL", "LP", "RP"]
    assert step.frequencies_[[0, -1]].tolist() == [0.5859375, 19.921875]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"decimals": 2},
        {"first_sample": 100, "n_columns": 2},
        {"mains": "stop", "mains_freq": 50},
        {"mains": None, "ends": "whole"},
    ],
)
def test_equals_its_function(X, dtype, params):
    X = X.astype(dtype)
    # Rows of a spectrogram file are columns of the images.
    names = {"n_columns": "n_rows"}
    given = {names.get(name, name): value for name, value in params.items()}
    expected = host_spectrogram(X, **given)
    step = HostSpectrogramizer(**params)
    panels = step.fit_transform(X)
    assert panels.dtype == dtype
    np.testing.assert_array_equal(panels, expected)
    tensors = step.transform(torch.from_numpy(X))
    # What is near a half may be rounded the other way.
    atol = 0.0101 if params.get("decimals") else 0
    np.testing.assert_allclose(tensors.numpy(), expected, rtol=1e-4, atol=atol)


def test_channels_by_name(X):
    order = np.random.default_rng(0).permutation(20)
    names = [CH_NAMES[i] for i in order]
    step = HostSpectrogramizer(ch_names=[f"EEG {name}-REF" for name in names])
    np.testing.assert_array_equal(
        step.fit_transform(X[:, order]), HostSpectrogramizer().fit_transform(X)
    )
    without = [i for i, name in enumerate(CH_NAMES) if name not in ("EKG", "Cz")]
    step = HostSpectrogramizer(ch_names=[CH_NAMES[i] for i in without])
    np.testing.assert_array_equal(
        step.fit_transform(X[:, without]), HostSpectrogramizer().fit_transform(X)
    )


def test_gaps_count_as_zero(X):
    X[0, 2, 50:900] = np.nan
    X[1, 7] = np.nan
    panels = HostSpectrogramizer().fit_transform(X)
    assert np.isfinite(panels).all()
    np.testing.assert_array_equal(
        panels, HostSpectrogramizer().fit_transform(np.nan_to_num(X))
    )


def test_stages_of_life(X):
    step = HostSpectrogramizer(decimals=2, mains="stop")
    expected = step.fit_transform(X)
    for other in (clone(step), pickle.loads(pickle.dumps(step)), copy.deepcopy(step)):
        np.testing.assert_array_equal(other.fit(X).transform(X), expected)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(step)).transform(X), expected
    )


def test_more_samples_than_in_fit(X):
    step = HostSpectrogramizer().fit(X)
    assert step.transform(np.tile(X, 3)).shape == (3, 4, 100, 11)
    with pytest.raises(ValueError, match=r"^HostSpectrogramizer: .* into 700 samples"):
        step.transform(X[..., :700])


def test_the_public_test_file(hms_data):
    eeg = pd.read_parquet(hms_data / "hms/test_eegs/3911565283.parquet")
    X = eeg.to_numpy(np.float32).T[None]
    panels = HostSpectrogramizer(mains="stop", decimals=2).fit_transform(X)[0]
    table = pd.read_parquet(hms_data / "hms/test_spectrograms/853520.parquet")
    official = table.iloc[138:162, 1:].to_numpy().reshape(24, 4, 100)
    official = official.transpose(1, 2, 0)
    equal = np.abs(panels - official) < 0.005
    assert equal[..., 2:-2].mean() > 0.99
    assert equal.mean() > 0.95


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"ch_names": "Fp1"}, "ch_names must be a list of names, got the text 'Fp1'"),
        ({"ch_names": ["Fp1", "F7"]}, "20 channels .*but ch_names has 2 names"),
        ({"ch_names": ["A1", *CH_NAMES[1:]]}, "electrode 'Fp1' is not among"),
        ({"first_sample": -1}, "first_sample must be an integer at least 0"),
        ({"first_sample": 1000}, "do not fit into 1600 samples"),
        ({"n_columns": 4}, "4 columns of 800 samples .* do not fit.* fewer columns"),
        ({"n_columns": 1.5}, "n_columns must be an integer"),
        ({"decimals": -2}, "decimals must be an integer at least 0"),
        ({"mains": "filter"}, "mains must be one of 'notch', 'stop', None"),
        ({"mains_freq": 0}, "mains_freq must be .*Give 50 or 60"),
        ({"ends": "mirror"}, "ends must be one of 'cut', 'whole'"),
    ],
)
def test_errors_come_in_fit(X, params, text):
    with pytest.raises(ValueError, match=f"^HostSpectrogramizer: .*{text}"):
        HostSpectrogramizer(**params).fit(X)


def test_other_input_is_refused(X):
    with pytest.raises(ValueError, match=r"^HostSpectrogramizer: .*18 channels .*20"):
        HostSpectrogramizer().fit(X[:, :18])
    X[0, 0, 0] = np.inf
    with pytest.raises(ValueError, match=r"^HostSpectrogramizer: .*infinity"):
        HostSpectrogramizer().fit(X)
