"""The same seed gives the same bits whatever n_jobs is, and says what it costs."""

import contextlib
import re
import warnings

import numpy as np
import pytest
import torch
from joblib import cpu_count
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from hmsklearn.model_selection import _threads, oof_predict_proba
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


@pytest.mark.parametrize(
    ("n_jobs", "threads", "cores", "remedy"),
    [
        (2, 4, 4, "Call torch.set_num_threads(2) first (predictions"),
        (3, 2, 4, "Call torch.set_num_threads(1) first (predictions"),
        (8, 1, 4, "Lower n_jobs to 4."),
        (8, 3, 4, "Lower n_jobs to 4 and call torch.set_num_threads(1) first"),
        (2, 1, 1, "Lower n_jobs to 1."),
    ],
)
def test_remedy_is_one_that_helps(monkeypatch, n_jobs, threads, cores, remedy):
    monkeypatch.setattr(_threads, "cpu_count", lambda: cores)
    with pytest.warns(UserWarning, match=re.escape(remedy)):
        _threads.warn_if_crowded(pipeline(), n_jobs, threads, "me")
    if "n_jobs to" in remedy:
        n_jobs = cores
    if "set_num_threads" in remedy:
        threads = int(re.search(r"set_num_threads\((\d+)\)", remedy).group(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _threads.warn_if_crowded(pipeline(), n_jobs, threads, "me")


def test_other_estimators_are_let_alone(data):
    X, _, groups = data
    y = np.arange(24) % 2
    with torch_threads(cpu_count()):
        oof_predict_proba(
            LogisticRegression(), X[:, 0], y, groups=groups, cv=3, n_jobs=2
        )
