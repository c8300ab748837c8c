"""WindowUnion: what FeatureUnion is for tables, for images."""

import pickle
import threading
import tracemalloc

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
    ImageResizer,
    ImageTiler,
    KaggleSpectrogramImager,
    WaveformImager,
    WindowUnion,
)
from hmsklearn.imaging._join import plan_join
from hmsklearn.preprocessing import CentreCrop, NaNImputer


class Images(TransformerMixin, BaseEstimator):
    """Gives images of a shape that depends on nothing, from the window's mean."""

    def __init__(self, shape=(2, 3, 4), value=1.0):
        self.shape = shape
        self.value = value

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        means = X.reshape(len(X), -1).mean(1)
        means = means.reshape(-1, *[1] * len(self.shape)) * self.value
        ramp = np.arange(np.prod(self.shape), dtype=np.float32).reshape(self.shape)
        if isinstance(X, torch.Tensor):
            return means * torch.from_numpy(ramp).to(X.dtype)
        return means * ramp.astype(X.dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        return tags


class Learner(Images):
    """Remembers how many windows it learned from."""

    def fit(self, X, y=None, sample_weight=None):
        self.seen_ = len(X)
        self.weight_ = sample_weight
        self.y_ = y
        return self

    def transform(self, X):
        return super().transform(X) + self.seen_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        return tags


def outputs(union, X):
    return [view.transform(X) for _, view in union.views_]


@pytest.fixture
def X(rng):
    return rng.normal(0, 30, (7, 4, 200)).astype(np.float32)


@pytest.mark.parametrize(
    ("join", "shapes", "axis"),
    [
        ("width", [(2, 3, 4), (2, 3, 1), (2, 3, 6)], 3),
        ("height", [(2, 3, 4), (2, 5, 4)], 2),
        ("planes", [(2, 3, 4), (1, 3, 4)], 1),
        ("frames", [(2, 1, 3, 4), (2, 5, 3, 4)], 2),
        ("width", [(2, 3), (2, 9)], 2),  # signals
        ("planes", [(5,), (3,)], 1),  # tables
        ("width", [(3, 2, 3, 4), (3, 2, 3, 5)], 4),  # films
    ],
)
def test_is_a_concatenation(X, join, shapes, axis):
    views = [(f"v{i}", Images(shape, i + 1)) for i, shape in enumerate(shapes)]
    union = WindowUnion(views, join=join)
    result = union.fit_transform(X)
    expected = np.concatenate(outputs(union, X), axis=axis)
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(union.transform(X), expected)
    assert result.dtype == np.float32
    tensor = union.transform(torch.from_numpy(X))
    np.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-5, atol=1e-4)


def test_frames_of_pictures(X):
    union = WindowUnion([("a", Images()), ("b", Images(value=2))], join="frames")
    result = union.fit_transform(X)
    assert result.shape == (7, 2, 2, 3, 4)
    np.testing.assert_array_equal(result, np.stack(outputs(union, X), axis=2))


@pytest.mark.parametrize(
    ("replace", "start", "stop"),
    [(62, 125, 187), (0.2, 125, 187), (63, 125, 188), (0.5, 78, 234), (1.0, 0, 313)],
)
@pytest.mark.parametrize("zoom", [351, 601, 1201, 5])
def test_centre(X, replace, start, stop, zoom):
    views = [("whole", Images((1, 2, 313))), ("zoom", Images((1, 2, zoom), -1))]
    union = WindowUnion(views, join="centre", replace=replace)
    whole, closer = outputs(union.fit(X), X)
    expected = np.concatenate([whole[..., :start], closer, whole[..., stop:]], axis=3)
    np.testing.assert_array_equal(union.transform(X), expected)
    tensor = union.transform(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(tensor, expected, rtol=1e-5, atol=1e-3)


def test_widths_of_the_3rd_place():
    for zoom, width in ((351, 602), (601, 852), (1201, 1452)):
        shapes = [(16, 64, 313), (16, 64, zoom)]
        plan = plan_join("ab", shapes, "centre", 0.2, caller="test")
        assert plan.shape == (16, 64, width)


def test_share_is_rounded_down_but_not_by_rounding_errors():
    shapes = [(1, 1, 10), (1, 1, 1)]
    for share, left in ((0.3, 7), (0.29, 8), (0.7, 3)):
        plan = plan_join("ab", shapes, "centre", share, caller="test")
        assert plan.shape[-1] == left + 1


def test_views_of_three_lengths(X):
    union = WindowUnion(
        [
            ("50", make_pipeline(CentreCrop(n_times=200), WaveformImager())),
            ("30", make_pipeline(CentreCrop(n_times=120), WaveformImager())),
            ("10", make_pipeline(CentreCrop(n_times=40), WaveformImager())),
        ]
    )
    result = union.fit_transform(X)
    parts = [X, X[..., 40:160], X[..., 80:120]]
    expected = [WaveformImager().fit_transform(part) for part in parts]
    np.testing.assert_array_equal(result, np.concatenate(expected, axis=-1))
    assert result.shape == (7, 1, 40, 36)


def two_views():
    zoom = Pipeline([("crop", CentreCrop(n_times=100)), ("image", WaveformImager())])
    return WindowUnion([("whole", WaveformImager()), ("zoom", zoom)])


def test_parameters_of_views():
    union = two_views()
    params = union.get_params()
    assert params["zoom__crop__n_times"] == 100
    assert params["whole"] is union.views[0][1]
    assert set(union.get_params(deep=False)) == {"views", "join", "replace"}
    union.set_params(zoom__crop__n_times=40, join="height", whole="drop")
    assert union.views[1][1]["crop"].n_times == 40
    assert union.views[0] == ("whole", "drop")
    again = clone(union)
    assert again.get_params()["zoom__crop__n_times"] == 40
    assert again.views[1][1] is not union.views[1][1]


def test_fit_clones_the_views(X):
    union = two_views().fit(X)
    assert not hasattr(union.views[0][1], "n_features_in_")
    assert [name for name, _ in union.views_] == ["whole", "zoom"]
    assert union.n_features_in_ == 4
    with pytest.raises(AttributeError, match="not fitted"):
        two_views().n_features_in_
    again = pickle.loads(pickle.dumps(union))
    np.testing.assert_array_equal(again.transform(X), union.transform(X))


def test_html_shows_the_views_side_by_side(X):
    html = estimator_html_repr(two_views().fit(X))
    assert "sk-parallel" in html
    for name in ("whole", "zoom", "CentreCrop"):
        assert name in html


def test_dropped_and_passed_through(X):
    images = X.reshape(7, 4, 10, 20)
    union = WindowUnion(
        [("a", "passthrough"), ("b", "drop"), ("c", ImageTiler("planes", trim=1))]
    )
    result = union.fit_transform(images)
    expected = np.concatenate([images, images[..., 1:-1]], axis=-1)
    np.testing.assert_array_equal(result, expected)
    assert union.get_feature_names_out().tolist() == ["x0", "x1", "x2", "x3"]
    assert not np.shares_memory(
        WindowUnion([("a", "passthrough")]).fit_transform(images), images
    )
    for kind in (np.int16, np.float16, np.longdouble):
        numbers = images.astype(kind)
        whole = WindowUnion([("a", "passthrough")]).fit_transform(numbers)
        assert whole.dtype == np.float32
        np.testing.assert_array_equal(whole, numbers.astype(np.float32))
    double = WindowUnion([("a", "passthrough")]).fit_transform(images.astype(float))
    assert double.dtype == np.float64


def test_names(X):
    images = X.reshape(7, 4, 10, 20)
    views = [("a", ImageTiler("planes")), ("b", ImageTiler("row", trim=0))]
    names = list("wxyz")
    union = WindowUnion([views[0], ("c", ImageTiler("planes"))]).fit(images)
    assert union.get_feature_names_out(names).tolist() == names
    views[1] = ("b", ImageTiler([[0]]))
    union = WindowUnion(views, join="planes").fit(images)
    expected = ["a__w", "a__x", "a__y", "a__z", "b__mosaic0"]
    assert union.get_feature_names_out(names).tolist() == expected
    with pytest.raises(NotFittedError):
        WindowUnion(views).get_feature_names_out()
    silent = WindowUnion([("a", Images())]).fit(X)
    with pytest.raises(AttributeError, match=r"view 'a' has no get_feature_names_out"):
        silent.get_feature_names_out()


@pytest.mark.parametrize("n_threads", [1, 3])
def test_chunks_and_threads_make_no_difference(X, monkeypatch, n_threads):
    union = two_views().fit(X)
    expected = union.transform(X)
    monkeypatch.setattr(_base, "_CHUNK_BYTES", 2 * X[:1].nbytes)
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        np.testing.assert_array_equal(union.transform(X), expected)
        np.testing.assert_array_equal(two_views().fit_transform(X), expected)
    finally:
        torch.set_num_threads(before)


class ThreadCounter(_base.BaseSignalTransformer):
    """Gives the number of this package's threads for each window."""

    def _output_shape(self, X):
        return (1, 1)

    def _transform(self, X, out=None):
        names = [thread.name for thread in threading.enumerate()]
        out[...] = sum(name.startswith("hmsklearn") for name in names)


def ten_times_longer(X):
    return np.tile(X, 10)


def test_views_start_no_threads_in_threads(X, monkeypatch):
    """Longer windows make several chunks of what was one, for which threads serve."""
    monkeypatch.setattr(_base, "_CHUNK_BYTES", 3 * X[:1].nbytes)
    step = make_pipeline(FunctionTransformer(ten_times_longer), ThreadCounter())
    union = WindowUnion([("a", step), ("b", step)]).fit(X)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        counts = union.transform(np.repeat(X, 5, axis=0))
    finally:
        torch.set_num_threads(before)
    # The first chunk, which tells what comes out, is alone and may use threads.
    assert 1 <= counts[3:].max() <= 2


def test_memory_is_the_output_and_a_constant(tmp_path, monkeypatch):
    monkeypatch.setattr(_base, "_CHUNK_BYTES", 2**16)
    path = tmp_path / "X.npy"
    np.save(path, np.ones((400, 4, 1000), dtype=np.int16))
    extra = {}
    for n_windows in (100, 400):
        X = np.load(path, mmap_mode="r")[:n_windows]
        for run in ("fit_transform", "fit, transform"):
            union = two_views()
            tracemalloc.start()
            out = union.fit_transform(X) if "_" in run else union.fit(X).transform(X)
            extra[run, n_windows] = tracemalloc.get_traced_memory()[1] - out.nbytes
            tracemalloc.stop()
            assert out.dtype == np.float32
    assert max(extra.values()) < 2**20  # the output of 400 windows: 7 MB


def test_only_what_learns_sees_all_windows(X):
    union = WindowUnion(
        [("a", Images()), ("b", make_pipeline(Images(), Learner(value=0)))]
    )
    y = np.arange(7)
    assert union.fit(X, y) is union
    learner = union.views_[1][1][-1]
    assert learner.seen_ == 7
    np.testing.assert_array_equal(learner.y_, y)
    assert get_tags(union).requires_fit
    with pytest.raises(NotFittedError, match="WindowUnion"):
        clone(union).transform(X)
    stateless = two_views()
    assert not get_tags(stateless).requires_fit
    np.testing.assert_array_equal(stateless.transform(X), two_views().fit_transform(X))
    assert not hasattr(stateless, "views_")
    nested = WindowUnion([("a", two_views()), ("b", two_views())])
    assert not get_tags(nested).requires_fit
    assert get_tags(nested).input_tags.three_d_array


def test_metadata_go_where_they_are_asked_for(X):
    weight = np.linspace(1, 2, 7)
    with pytest.raises(ValueError, match=r"\['sample_weight'\].*metadata routing"):
        WindowUnion([("a", Learner())]).fit(X, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        asks = Learner().set_fit_request(sample_weight=True)
        refuses = Learner().set_fit_request(sample_weight=False)
        views = [("a", Images()), ("b", asks), ("c", make_pipeline(refuses))]
        union = WindowUnion(views)
        assert union.fit(X).views_[1][1].weight_ is None
        union.fit(X, sample_weight=weight)
        np.testing.assert_array_equal(union.views_[1][1].weight_, weight)
        assert union.views_[2][1][-1].weight_ is None
        pipe = make_pipeline(clone(union), ImageTiler())
        pipe.fit(X, sample_weight=weight)
        np.testing.assert_array_equal(pipe[0].views_[1][1].weight_, weight)


def test_gradient(X):
    tensor = torch.tensor(X, requires_grad=True)
    union = two_views().set_params(join="centre", replace=10).fit(X)
    union.transform(tensor).sum().backward()
    # 20 columns of ten samples, the central ten of which the zoom shows instead.
    np.testing.assert_array_equal(tensor.grad.numpy(), np.ones_like(X))


def test_tensors_in_fit(X):
    union = two_views().fit(torch.from_numpy(X))
    np.testing.assert_array_equal(
        union.transform(torch.from_numpy(X)).numpy(), two_views().fit_transform(X)
    )


def test_rows_of_a_table(hms_root):
    """EEG beside the organisers' spectrogram, each read by its own reader."""
    rows = load_hms(hms_root, "train").data
    eeg = make_pipeline(
        HMSReader(window_seconds=10, ch_names=["C3", "C4"]),
        NaNImputer(),
        WaveformImager(20),
    )
    spectrogram = make_pipeline(
        HMSReader(view="spectrogram"),
        KaggleSpectrogramImager(width=100),
        ImageTiler([[0]]),
        ImageResizer((40, 100), mode="nearest"),
    )
    union = WindowUnion([("eeg", eeg), ("spectrogram", spectrogram)])
    many = rows.iloc[np.resize(np.arange(len(rows)), 40)]  # several chunks
    result = union.fit(many).transform(many)
    assert result.shape == (40, 1, 40, 200)
    np.testing.assert_array_equal(result[..., :100], eeg.fit_transform(many))
    np.testing.assert_array_equal(result[..., 100:], spectrogram.fit_transform(many))
    assert get_tags(union).input_tags.string
    with pytest.raises(ValueError, match=r"^WindowUnion: Found array with 0 sample"):
        union.transform(rows.iloc[:0])
    missing = rows.assign(eeg_id=1)
    with pytest.raises(FileNotFoundError, match=r"^WindowUnion: view 'eeg': HMSReader"):
        clone(union).fit(missing)


def test_a_mapping_that_is_cut_by_row(X):
    skorch = pytest.importorskip("skorch.helper")
    views = skorch.SliceDict(signal=X, image=X.reshape(7, 4, 10, 20))

    union = WindowUnion(
        [
            (
                "signal",
                make_pipeline(FunctionTransformer(take_signal), WaveformImager(5)),
            ),
            (
                "image",
                make_pipeline(FunctionTransformer(take_image), ImageTiler((2, 2))),
            ),
        ]
    )
    assert union.fit_transform(views).shape == (7, 1, 20, 80)


def take_signal(views):
    return views["signal"]


def take_image(views):
    return views["image"]


def test_nan_is_the_views_business(X):
    bad = X.copy()
    bad[5, 2, 100] = np.nan
    images = WindowUnion([("a", WaveformImager()), ("b", WaveformImager())])
    assert np.isnan(images.fit_transform(bad)).sum() == 2
    assert get_tags(images).input_tags.allow_nan
    strict = make_pipeline(FunctionTransformer(), Strict())
    strict_first = make_pipeline(Strict(), WaveformImager())
    union = WindowUnion([("a", WaveformImager()), ("b", strict_first)])
    assert not get_tags(union).input_tags.allow_nan
    text = r"^WindowUnion: view 'b': Strict: X contains NaN .*window 5, channel 2"
    for call in (union.fit, union.fit_transform, clone(union).fit(X).transform):
        with pytest.raises(ValueError, match=text):
            call(bad)
    # Behind a first step that takes everything, NaN is met when it is transformed.
    late = WindowUnion([("a", strict)]).fit(bad)
    with pytest.raises(ValueError, match=r"Strict: X contains NaN"):
        late.transform(bad)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_errors_have_the_number_of_the_window_in_X(
    X, monkeypatch, n_threads, value, word
):
    """Not that in the chunk which the view is given."""
    monkeypatch.setattr(_base, "_CHUNK_BYTES", X[:1].nbytes)
    bad = X.copy()
    bad[3, 2, 100] = value
    union = WindowUnion([("a", "passthrough"), ("b", Strict())])
    late = WindowUnion(
        [("a", "passthrough"), ("b", make_pipeline(FunctionTransformer(), Strict()))]
    )
    nested = WindowUnion([("outer", union), ("plain", Strict())], join="planes")
    nested.set_params(plain="drop")
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        for each, view in ((union, "'b'"), (late, "'b'"), (nested, "'outer'.*'b'")):
            text = (
                f"^WindowUnion: view {view}: Strict: X contains {word} .*window 3, ch"
            )
            for call in (clone(each).fit(X).transform, each.fit_transform):
                with pytest.raises(ValueError, match=text):
                    call(bad)
    finally:
        torch.set_num_threads(before)


def test_windows_of_a_nested_chunk(X, monkeypatch):
    """Numbers add up where both the union and its view work in chunks."""
    monkeypatch.setattr(_base, "_CHUNK_BYTES", 3 * X[:1].nbytes)
    bad = np.repeat(X, 3, axis=0)
    bad[17, 0, 0] = np.nan
    step = make_pipeline(FunctionTransformer(ten_times_longer), Strict())
    union = WindowUnion([("a", WindowUnion([("b", step)]))]).fit(X)
    with pytest.raises(ValueError, match=r"window 17, channel 0") as caught:
        union.transform(bad)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


class Strict(_base.BaseSignalTransformer):
    """Takes no NaN, and changes nothing."""

    def _output_shape(self, X):
        return X.shape[1:]

    def _transform(self, X, out=None):
        out[...] = X


def not_an_array(X):
    return [1] * len(X)


def fewer(X):
    return X[1:]


@pytest.mark.parametrize(
    ("views", "params", "text"),
    [
        ([], {}, "views must be a list of .name, transformer."),
        (Images(), {}, "views must be a list"),
        ([Images()], {}, "views must be a list"),
        ([("a", Images)], {}, "view 'a' must be an instance"),
        ([("a", "pass")], {}, "view 'a' must be an instance"),
        ([("a", "drop")], {}, "all views are dropped"),
        ([("a", Images())], {"join": "side"}, "join must be one of"),
        ([("a", Images())], {"replace": 0}, "replace must be an integer at least 1"),
        ([("a", Images())], {"replace": 1.5}, "replace must be .*at most 1"),
        (
            [("a", Images((2, 3, 4))), ("b", Images((2, 5, 4)))],
            {},
            r"shapes 'a' \(2, 3, 4\), 'b' \(2, 5, 4\) for one window; with join='width'"
            ".*axis 2.*ImageTiler.*ImageResizer",
        ),
        (
            [("a", Images((2, 3, 4))), ("b", Images((2, 3, 5)))],
            {"join": "planes"},
            r"'a' \(2, 3, 4\), 'b' \(2, 3, 5\).*nothing but axis 0",
        ),
        (
            [("a", Images((2, 3, 4))), ("b", Images((2, 3)))],
            {},
            r"'a' \(2, 3, 4\), 'b' \(2, 3\).*equally many",
        ),
        ([("a", Images((2, 3)))], {"join": "height"}, "needs 3 axes or more"),
        ([("a", Images((3,)))], {"join": "frames"}, "needs 3 axes or more"),
        ([("a", Images())], {"join": "centre"}, "one view into another, got 1 views"),
        (
            [("a", Images()), ("b", Images())],
            {"join": "centre", "replace": 5},
            "replace=5 is 5 columns.*Give 1 to 4 columns",
        ),
        (
            [("a", Images()), ("b", Images())],
            {"join": "centre", "replace": 0.1},
            "replace=0.1 is 0 columns",
        ),
        (
            [("a", FunctionTransformer(not_an_array))],
            {},
            "view 'a': gave a list, not an array",
        ),
        ([("a", FunctionTransformer(fewer))], {}, "view 'a': gave 0 windows for 1"),
        ([("a", CentreCrop(n_times=500))], {}, "view 'a': CentreCrop: "),
    ],
)
def test_errors_come_in_fit(X, views, params, text):
    union = WindowUnion(views, **params)
    for call in (union.fit, union.fit_transform):
        with pytest.raises((ValueError, TypeError), match=f"^WindowUnion: .*{text}"):
            call(X)


@pytest.mark.parametrize("name", ["a__b", "join"])
def test_names_that_parameters_cannot_have(X, name):
    with pytest.raises(ValueError, match=r"must not contain __|conflict"):
        WindowUnion([(name, Images())]).fit(X)
    with pytest.raises(ValueError, match=r"not unique"):
        WindowUnion([("a", Images()), ("a", Images())]).fit(X)


def test_errors_of_arrays(X):
    union = two_views()
    with pytest.raises(ValueError, match=r"^WindowUnion: X has 2 dimensions"):
        union.fit(X[0])
    with pytest.raises(ValueError, match=r"^WindowUnion: Found array with 0 sample"):
        union.fit(X[:0])
    with pytest.raises(ValueError, match=r"view 'whole': WaveformImager: X has 3 chan"):
        union.fit(X).transform(X[:, :3])


def test_shapes_that_differ_later(X):
    """Longer windows are fine where the views still fit together."""
    union = two_views().fit(X)
    longer = np.tile(X, 2)
    assert union.transform(longer).shape == (7, 1, 40, 50)
    whole = WindowUnion([("a", CentreCrop(n_times=100)), ("b", "passthrough")])
    whole.set_params(join="planes").fit(X[..., :100])
    for data in (X, torch.from_numpy(X)):
        with pytest.raises(ValueError, match=r"'a' \(4, 100\), 'b' \(4, 200\)"):
            whole.transform(data)
