"""ViewUnion: several views of a window as one container, for nets with branches."""

import operator
import pickle
import tracemalloc

import joblib
import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_html_repr, get_tags

from hmsklearn import _base
from hmsklearn.datasets import HMSReader, load_hms
from hmsklearn.imaging import (
    ImageTiler,
    KaggleSpectrogramImager,
    PanelStatistics,
    ViewUnion,
    WaveformImager,
    WindowUnion,
)
from hmsklearn.preprocessing import CentreCrop, Decimator, NaNImputer
from hmsklearn.views import WindowViews


class Learner(TransformerMixin, BaseEstimator):
    """Adds the number of windows that it learned from."""

    def fit(self, X, y=None, sample_weight=None):
        self.seen_ = len(X)
        self.weight_ = sample_weight
        self.y_ = y
        return self

    def transform(self, X):
        return X + self.seen_


@pytest.fixture
def X(rng):
    return rng.normal(0, 30, (7, 4, 200)).astype(np.float32)


def two_views():
    zoom = Pipeline([("crop", CentreCrop(n_times=100)), ("image", WaveformImager())])
    return ViewUnion([("signal", Decimator(2)), ("zoom", zoom)])


def assert_same(actual, expected):
    assert list(actual) == list(expected)
    for name, view in expected.items():
        assert actual[name].dtype == view.dtype
        np.testing.assert_array_equal(actual[name], view)


def test_every_view_gets_the_same_windows(X):
    result = two_views().fit_transform(X)
    assert type(result) is WindowViews
    crop = make_pipeline(CentreCrop(n_times=100), WaveformImager())
    assert_same(
        result, {"signal": Decimator(2).transform(X), "zoom": crop.fit_transform(X)}
    )
    assert_same(two_views().fit(X).transform(X), result)


def test_the_four_inputs_of_the_6th_place(hms_root):
    """Two spectrograms and two cuts of the raw EEG, each from its own reader."""
    rows = load_hms(hms_root, "train").data
    eeg = HMSReader(window_seconds=50, ch_names=["Fp1", "F3", "C3", "P3"])
    short = HMSReader(window_seconds=10, ch_names=["Fp1", "F3", "C3", "P3"])
    union = ViewUnion(
        [
            (
                "host",
                make_pipeline(
                    HMSReader(view="spectrogram"), KaggleSpectrogramImager(width=40)
                ),
            ),
            ("eeg_image", make_pipeline(eeg, NaNImputer(), WaveformImager(20))),
            ("raw50", make_pipeline(eeg, Decimator(5))),
            ("raw10", make_pipeline(short, Decimator(5))),
        ]
    )
    many = rows.iloc[np.resize(np.arange(len(rows)), 40)]  # several chunks
    result = union.fit(many).transform(many)
    assert {name: view.shape[2:] for name, view in result.items()} == {
        "host": (100, 40),
        "eeg_image": (80, 500),
        "raw50": (2000,),
        "raw10": (400,),
    }
    for name, view in union.views:
        np.testing.assert_array_equal(result[name], clone(view).fit_transform(many))
    assert get_tags(union).input_tags.string
    with pytest.raises(ValueError, match=r"^ViewUnion: Found array with 0 sample"):
        union.transform(rows.iloc[:0])
    missing = rows.assign(eeg_id=1)
    text = r"^ViewUnion: view 'eeg_image': HMSReader"
    with pytest.raises(FileNotFoundError, match=text):
        clone(union).set_params(host="drop").fit(missing)


def test_views_of_views(X):
    """A container goes in; every view takes its part of it."""
    given = WindowViews(eeg=X, image=X.reshape(7, 4, 10, 20))
    union = ViewUnion(
        [
            (
                "a",
                make_pipeline(
                    FunctionTransformer(operator.itemgetter("eeg")), Decimator(2)
                ),
            ),
            ("b", FunctionTransformer(operator.itemgetter("image"))),
        ]
    )
    result = union.fit(given).transform(given)
    assert_same(result, {"a": Decimator(2).transform(X), "b": given["image"]})
    assert not np.shares_memory(result["b"], X)
    tiled = make_pipeline(union, FunctionTransformer(operator.itemgetter("b")))
    assert tiled.fit_transform(given).shape == (7, 4, 10, 20)
    text = r"^ViewUnion: view 'all': gave a WindowViews, not an array"
    with pytest.raises(TypeError, match=text):
        ViewUnion([("all", "passthrough")]).fit(given)


def test_parameters_of_views():
    union = two_views()
    params = union.get_params()
    assert params["zoom__crop__n_times"] == 100
    assert params["signal"] is union.views[0][1]
    assert set(union.get_params(deep=False)) == {"views"}
    union.set_params(zoom__crop__n_times=40, signal="drop")
    assert union.views[1][1]["crop"].n_times == 40
    again = clone(union)
    assert again.get_params()["zoom__crop__n_times"] == 40
    assert again.views[1][1] is not union.views[1][1]


def test_fit_clones_and_pickles(X):
    union = two_views().fit(X)
    assert not hasattr(union.views[0][1], "n_features_in_")
    assert [name for name, _ in union.views_] == ["signal", "zoom"]
    assert union.n_features_in_ == 4
    assert_same(pickle.loads(pickle.dumps(union)).transform(X), union.transform(X))
    assert "sk-parallel" in estimator_html_repr(union)


def test_dropped_and_passed_through(X):
    union = ViewUnion([("a", "passthrough"), ("b", "drop"), ("c", Decimator(2))])
    result = union.fit_transform(X)
    assert_same(result, {"a": X, "c": Decimator(2).transform(X)})
    assert not np.shares_memory(result["a"], X)
    half = union.transform(X.astype(np.float16))
    assert half["a"].dtype == np.float32
    double = union.transform(X.astype(np.float64))
    assert double["a"].dtype == double["c"].dtype == np.float64


def test_tables_of_features(X):
    images = X.reshape(7, 4, 10, 20)
    union = ViewUnion(
        [("table", PanelStatistics(output="table")), ("image", ImageTiler((2, 2)))]
    )
    result = union.fit_transform(images)
    assert result["table"].shape[0] == 7
    assert result["table"].ndim == 2


def test_names(X):
    union = ViewUnion([("a", "passthrough"), ("b", Decimator(2))]).fit(X)
    expected = [f"{view}__{name}" for view in "ab" for name in "wxyz"]
    assert union.get_feature_names_out(list("wxyz")).tolist() == expected
    with pytest.raises(NotFittedError):
        two_views().get_feature_names_out()
    silent = ViewUnion([("a", FunctionTransformer())]).fit(X)
    with pytest.raises(AttributeError, match=r"view 'a' has no get_feature_names_out"):
        silent.get_feature_names_out()


@pytest.mark.parametrize(
    ("views", "text"),
    [
        ([], r"views must be a list of \(name, transformer\)"),
        ({"a": Decimator(2)}, r"views must be a list of \(name, transformer\)"),
        ([("a", Decimator)], "view 'a' must be an instance"),
        ([("a", "drop")], "all views are dropped"),
        ([("a", Decimator(2)), ("a", Decimator(5))], "not unique"),
        ([("a__b", Decimator(2))], "must not contain __"),
        ([("views", Decimator(2))], "conflict with constructor"),
        ([("long", CentreCrop(n_times=900))], "ViewUnion: view 'long': CentreCrop: "),
    ],
)
def test_wrong_views(X, views, text):
    with pytest.raises(ValueError, match=text):
        ViewUnion(views).fit(X)


def shape_of_the_first(X):
    """A transform that breaks the contract: its shape depends on the data."""
    return X[..., : 100 if X[0, 0, 0] > 0 else 50]


def test_shapes_must_not_change(monkeypatch):
    X = np.ones((4, 2, 200), dtype=np.float32)
    X[2:] = -1
    monkeypatch.setattr(_base, "_CHUNK_BYTES", 2 * X[:1].nbytes)
    union = ViewUnion([("odd", FunctionTransformer(shape_of_the_first))])
    text = r"ViewUnion: view 'odd': gave windows of shape \(2, 50\) after .* \(2, 100\)"
    with pytest.raises(ValueError, match=text):
        union.fit_transform(X)


def drop_one(X):
    return X[1:]


def test_windows_must_not_be_lost(X):
    union = ViewUnion([("odd", FunctionTransformer(drop_one))])
    with pytest.raises(ValueError, match=r"view 'odd': gave 0 windows for 1\."):
        union.fit(X)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_chunks_and_threads_make_no_difference(X, monkeypatch, n_threads):
    union = two_views().fit(X)
    expected = union.transform(X)
    monkeypatch.setattr(_base, "_CHUNK_BYTES", 2 * X[:1].nbytes)
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        assert_same(union.transform(X), expected)
        assert_same(two_views().fit_transform(X), expected)
    finally:
        torch.set_num_threads(before)


def test_number_of_the_window_in_errors(X, monkeypatch):
    monkeypatch.setattr(_base, "_CHUNK_BYTES", 2 * X[:1].nbytes)
    X[5, 1, 3] = np.inf
    with pytest.raises(ValueError, match=r"view 'signal': Decimator: .* window 5, "):
        two_views().fit_transform(X)


def test_memory_is_the_output_and_a_constant(tmp_path, monkeypatch):
    monkeypatch.setattr(_base, "_CHUNK_BYTES", 2**16)
    np.save(tmp_path / "x.npy", np.ones((400, 4, 1000), dtype=np.int16))
    for n_windows in (100, 400):
        X = np.load(tmp_path / "x.npy", mmap_mode="r")[:n_windows]
        union = two_views().fit(X)
        tracemalloc.start()
        out = union.transform(X)
        extra = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert extra - sum(view.nbytes for view in out.values()) < 2**20


def test_only_what_learns_sees_all_windows(X):
    union = ViewUnion([("a", Decimator(2)), ("b", make_pipeline(Learner()))])
    y = np.arange(7)
    union.fit(X, y)
    learner = union.views_[1][1][-1]
    assert learner.seen_ == 7
    np.testing.assert_array_equal(learner.y_, y)
    assert get_tags(union).requires_fit
    with pytest.raises(NotFittedError, match="ViewUnion"):
        clone(union).transform(X)
    stateless = two_views()
    assert not get_tags(stateless).requires_fit
    assert_same(stateless.transform(X), two_views().fit_transform(X))
    assert not hasattr(stateless, "views_")


def test_metadata_go_where_they_are_asked_for(X):
    weight = np.linspace(1, 2, 7)
    with pytest.raises(ValueError, match=r"\['sample_weight'\].*metadata routing"):
        ViewUnion([("a", Learner())]).fit(X, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        asks = Learner().set_fit_request(sample_weight=True)
        refuses = Learner().set_fit_request(sample_weight=False)
        union = ViewUnion([("a", asks), ("b", refuses)])
        union.fit(X, sample_weight=weight)
        np.testing.assert_array_equal(union.views_[0][1].weight_, weight)
        assert union.views_[1][1].weight_ is None


def test_tensors(X):
    union = ViewUnion([("same", "passthrough"), *two_views().views])
    tensor = torch.tensor(X, requires_grad=True)
    result = union.fit(tensor).transform(tensor)
    expected = union.fit_transform(X)
    for name, view in result.items():
        np.testing.assert_allclose(view.detach(), expected[name], rtol=1e-5, atol=1e-5)
    assert result["same"] is not tensor
    sum(view.sum() for view in result.values()).backward()
    assert (tensor.grad != 0).all()


def as_tensor(X):
    return torch.from_numpy(np.array(X))


def test_tensors_of_arrays_are_refused(X):
    union = ViewUnion([("a", FunctionTransformer(as_tensor))])
    with pytest.raises(TypeError, match=r"view 'a': gave a tensor for an array"):
        union.fit_transform(X)


def test_inside_a_union_and_a_cached_pipeline(X, tmp_path):
    inner = make_pipeline(two_views(), FunctionTransformer(operator.itemgetter("zoom")))
    outer = WindowUnion([("a", inner), ("b", inner)])
    assert outer.fit_transform(X).shape == (7, 1, 40, 20)
    memory = joblib.Memory(tmp_path, verbose=0)
    take = FunctionTransformer(operator.itemgetter("zoom"))
    pipe = Pipeline([("views", two_views()), ("take", take)], memory=memory)
    first = pipe.fit_transform(X)
    np.testing.assert_array_equal(pipe.fit_transform(X), first)
