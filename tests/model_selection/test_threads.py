"""The same seed gives the same bits whatever n_jobs is, and says what it costs."""

import contextlib
import warnings

import numpy as np
import pytest
import torch
from joblib import cpu_count
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from hmsklearn.model_selection import oof_predict_proba
from hmsklearn.neural import WaveformClassifier
from hmsklearn.preprocessing import AmplitudeScaler


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 4, 100)).astype(np.float32)
    return X, rng.multinomial(5, np.full(6, 1 / 6), 24), np.repeat(np.arange(6), 4)


@contextlib.contextmanager
def torch_threads(n):
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def pipeline():
    net = WaveformClassifier(
        architecture_params={"width": 8, "gru_hidden": 8},
        max_epochs=2,
        random_state=0,
        device="cpu",
    )
    return make_pipeline(AmplitudeScaler(), net)


@pytest.mark.parametrize("threads", [1, 2])
def test_bits_do_not_depend_on_n_jobs(data, threads):
    X, y, groups = data
    with torch_threads(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two threads in two folds may be a crowd
        alone, together = (
            oof_predict_proba(pipeline(), X, y, groups=groups, cv=3, n_jobs=n_jobs)
            for n_jobs in (1, 2)
        )
        assert torch.get_num_threads() == threads
    np.testing.assert_array_equal(alone, together)


def test_crowded_cores_are_pointed_out(data):
    X, y, groups = data
    with (
        torch_threads(cpu_count()),
        pytest.warns(UserWarning, match=r"2 folds at a time.*torch.set_num_threads"),
    ):
        oof_predict_proba(pipeline(), X, y, groups=groups, cv=3, n_jobs=2)


def test_other_estimators_are_let_alone(data):
    X, _, groups = data
    y = np.arange(24) % 2
    with torch_threads(cpu_count()):
        oof_predict_proba(
            LogisticRegression(), X[:, 0], y, groups=groups, cv=3, n_jobs=2
        )
