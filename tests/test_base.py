"""The base transformer: chunks, memory, state, names, scikit-learn's manners."""

import pickle
import tracemalloc

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from hmsklearn import _base
from hmsklearn._base import BaseSignalTransformer


class Doubler(BaseSignalTransformer):
    """Writes into the output that it is given, and remembers how it was called."""

    def __init__(self, factor=2):
        self.factor = factor

    def _fit(self, X):
        if self.factor < 0:
            raise ValueError("Doubler: factor must not be negative.")
        self.calls_ = []

    def _output_shape(self, X):
        return X.shape[1:]

    def _transform(self, X, out=None):
        self.calls_.append(X.shape[0])
        if isinstance(X, torch.Tensor):
            return X * self.factor
        return np.multiply(X, self.factor, out=out)


class Summer(BaseSignalTransformer):
    """Gives a new array for each chunk."""

    _allow_nan = True

    def _transform(self, X):
        return X.sum(axis=1, keepdims=True)

    def _feature_names_out(self, names):
        return ["+".join(names)]


X = np.random.default_rng(0).normal(size=(7, 3, 50)).astype(np.float32)


@pytest.mark.parametrize("n_bytes", [1, 2 * X[:1].nbytes, 3 * X[:1].nbytes, 10**9])
def test_chunks_make_no_difference(n_bytes, monkeypatch):
    monkeypatch.setattr(_base, "_CHUNK_BYTES", n_bytes)
    np.testing.assert_array_equal(Doubler().fit_transform(X), 2 * X)
    np.testing.assert_array_equal(
        Summer().fit_transform(X), X.sum(axis=1, keepdims=True)
    )


def test_chunks_are_as_large_as_they_may_be(monkeypatch):
    monkeypatch.setattr(_base, "_CHUNK_BYTES", 3 * X[:1].nbytes)
    doubler = Doubler().fit(X)
    doubler.transform(X)
    assert doubler.calls_ == [3, 3, 1]


def test_memory_is_the_output_and_a_constant(tmp_path, monkeypatch):
    monkeypatch.setattr(_base, "_CHUNK_BYTES", 2**16)
    path = tmp_path / "X.npy"
    np.save(path, np.ones((400, 4, 1000), dtype=np.int16))
    extra = {}
    for n_windows in (100, 400):
        given = np.load(path, mmap_mode="r")[:n_windows]
        tracemalloc.start()
        out = Doubler().fit(given).transform(given)
        extra[n_windows] = tracemalloc.get_traced_memory()[1] - out.nbytes
        tracemalloc.stop()
        assert out.dtype == np.float32
        assert (out == 2).all()
    assert max(extra.values()) < 2**20  # the output of 400 windows: 6.4 MB


def test_works_without_fit_and_stays_without_state():
    summer = Summer()
    np.testing.assert_array_equal(summer.transform(X), summer.fit_transform(X))
    fresh = Doubler()
    fresh.transform(X)
    assert not hasattr(fresh, "n_features_in_")
    with pytest.raises(ValueError, match=r"factor"):
        Doubler(factor=-1).transform(X)


def test_fit_returns_self_and_keeps_no_data():
    doubler = Doubler().fit(X)
    assert doubler.n_features_in_ == 3
    assert len(pickle.dumps(doubler)) < 500
    assert not any(isinstance(v, np.ndarray) for v in vars(doubler).values())


def test_errors_reach_fit_transform_and_transform_alike():
    bad = X.copy()
    bad[5, 2, 0] = np.nan
    for call in (Doubler().fit, Doubler().fit(X).transform, Doubler().fit_transform):
        with pytest.raises(ValueError, match=r"Doubler: X contains NaN.*window 5"):
            call(bad)
    assert np.isnan(Summer().fit_transform(bad)).sum() == 1
    with pytest.raises(ValueError, match=r"Doubler: X has 2 channels.*expecting 3"):
        Doubler().fit(X).transform(X[:, :2])


def test_window_number_in_a_later_chunk(monkeypatch):
    monkeypatch.setattr(_base, "_CHUNK_BYTES", 2 * X[:1].nbytes)
    bad = X.copy()
    bad[5, 2, 0] = np.inf
    with pytest.raises(ValueError, match=r"window 5, channel 2"):
        Doubler().fit(bad)


def test_input_of_any_layout_is_read_only():
    for given in (X.copy(), np.asfortranarray(X), X[::-1], X[..., ::2]):
        given.setflags(write=False)
        before = given.copy()
        np.testing.assert_array_equal(Doubler().fit_transform(given), 2 * before)
        np.testing.assert_array_equal(given, before)


def test_dtypes():
    kept = [("f4", "f4"), ("f8", "f8"), (">f4", "f4"), (">f8", "f8")]
    for dtype, expected in [*kept, ("i2", "f4"), ("f2", "f4")]:
        assert Doubler().fit_transform(X.astype(dtype)).dtype == np.dtype(expected)


def test_tensors_stay_tensors_in_one_piece_and_keep_the_gradient(monkeypatch):
    monkeypatch.setattr(_base, "_CHUNK_BYTES", 1)
    tensor = torch.tensor(X, requires_grad=True)
    fitted = Doubler().fit(X)
    for result in (
        fitted.transform(tensor),
        Doubler().fit(tensor).transform(tensor),
        Doubler().fit_transform(tensor),
        Doubler().transform(tensor),
    ):
        assert torch.equal(result, 2 * tensor)
    assert fitted.calls_ == [len(X)]
    fitted.transform(tensor).sum().backward()
    assert torch.equal(tensor.grad, torch.full_like(tensor, 2))
    pipe = make_pipeline(Doubler(), Doubler()).fit(X)
    assert torch.equal(pipe.transform(tensor), 4 * tensor)


def test_the_values_of_tensors_are_not_looked_at():
    bad = torch.full((1, 3, 50), torch.nan)
    assert torch.isnan(Doubler().fit(X).transform(bad)).all()


def test_names():
    summer = Summer().fit(X)
    assert summer.get_feature_names_out().tolist() == ["x0+x1+x2"]
    assert summer.get_feature_names_out(["a", "b", "c"]).tolist() == ["a+b+c"]
    assert Doubler().fit(X).get_feature_names_out(["a", "b", "c"]).dtype == object
    with pytest.raises(ValueError, match=r"length equal to the number of channels \(3"):
        summer.get_feature_names_out(["a"])
    with pytest.raises(ValueError, match=r"not fitted"):
        Summer().get_feature_names_out()
    pipe = make_pipeline(Doubler(), Summer()).fit(X)
    assert pipe.get_feature_names_out(["a", "b", "c"]).tolist() == ["a+b+c"]


def test_set_output_changes_nothing():
    pipe = make_pipeline(Doubler(), Summer()).set_output(transform="pandas")
    assert isinstance(pipe.fit_transform(X), np.ndarray)


def test_tags_and_clone():
    tags = get_tags(Summer())
    assert tags.input_tags.three_d_array
    assert tags.input_tags.allow_nan
    assert not tags.requires_fit
    assert not get_tags(Doubler()).input_tags.allow_nan
    assert clone(Doubler(factor=5).fit(X)).get_params() == {"factor": 5}


def test_a_subclass_has_to_say_what_it_does():
    with pytest.raises(NotImplementedError):
        BaseSignalTransformer().fit_transform(X)


def test_a_subclass_with_its_own_transform_keeps_its_array():
    class Own(BaseSignalTransformer):
        def transform(self, X):
            return np.asarray(X) + 1

        def fit_transform(self, X, y=None):
            return self.fit(X).transform(X)

    X = np.zeros((1, 2, 3))
    with config_context(transform_output="pandas"):
        assert type(Own().fit_transform(X)) is np.ndarray
        assert type(Own().fit(X).transform(X)) is np.ndarray
