"""Transforms inside pipelines: behind the reader, before the crop, in one view."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from hmsklearn.augmentation import WindowJitter
from hmsklearn.datasets import HMSReader, load_hms
from hmsklearn.ensemble import TestTimeAugmenter
from hmsklearn.imaging import ChainMean, ViewUnion, WaveformImager, WindowUnion
from hmsklearn.montage import CH_NAMES
from hmsklearn.neural import WaveformClassifier
from hmsklearn.preprocessing import (
    ButterworthFilter,
    CentreCrop,
    Decimator,
    MontageTransformer,
    NaNImputer,
)
from hmsklearn.spectrogram import MelSpectrogramizer
from hmsklearn.testing import ChannelPowerClassifier
from hmsklearn.views import WindowViews

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
]


@pytest.fixture(scope="module")
def simulated(hms_root):
    data = load_hms(hms_root)
    return data.data.iloc[:6], data.target[:6]


def rows_pipeline(clf=None):
    return Pipeline(
        [
            ("read", HMSReader()),
            ("nan", NaNImputer()),
            ("montage", MontageTransformer("double_banana")),
            ("filter", ButterworthFilter(0.5, 20.0)),
            ("crop", CentreCrop(10)),
            ("clf", clf or ChannelPowerClassifier()),
        ]
    )


class Counting(FunctionTransformer):
    """A step that changes nothing and counts how often it runs."""

    calls = 0

    def transform(self, X):
        type(self).calls += 1
        return X


# Rows of the table -------------------------------------------------------------------


def check_shifts_of_the_crop(rows, votes):
    given = ["identity", "mirror", ("shift", -2.0), ("shift", 2.0)]
    fitted = TestTimeAugmenter(rows_pipeline(), given, step="crop").fit(rows, votes)
    each = fitted.predict_proba_by_transform(rows)
    filtered = rows_pipeline()[:4].fit_transform(rows)
    clf = fitted.estimator_["clf"]
    middle = filtered[..., 4000:6000]
    order = [*range(4, 8), *range(4), *range(12, 16), *range(8, 12), 16, 17]
    for number, seen in enumerate(
        [middle, middle[:, order], filtered[..., 3600:5600], filtered[..., 4400:6400]]
    ):
        np.testing.assert_allclose(each[:, number], clf.predict_proba(seen), rtol=1e-9)
    np.testing.assert_allclose(fitted.predict_proba(rows), each.mean(axis=1))
    return fitted


def test_shifts_take_the_neighbouring_samples_of_the_record(simulated):
    check_shifts_of_the_crop(*simulated)


def test_on_real_files(hms_data):
    data = load_hms(hms_data / "hms")
    fitted = check_shifts_of_the_crop(data.data.iloc[:7], data.target[:7])
    test = load_hms(hms_data / "hms", split="test").data
    each = fitted.predict_proba_by_transform(test)
    assert each.shape == (len(test), 4, 6)
    np.testing.assert_allclose(fitted.predict_proba(test), each.mean(axis=1))
    np.testing.assert_allclose(each[:, 0], fitted.estimator_.predict_proba(test))


def test_mirrored_electrodes_and_mirrored_derivations_agree(hms_data):
    data = load_hms(hms_data / "hms")
    rows, votes = data.data.iloc[::3], data.target[::3]
    given = ["mirror"]
    first, second, third = (
        TestTimeAugmenter(rows_pipeline(), given, step=step).fit(rows, votes)
        for step in ("nan", "filter", "clf")
    )
    proba = first.predict_proba(rows)
    assert not np.allclose(proba, first.estimator_.predict_proba(rows), atol=1e-3)
    np.testing.assert_allclose(second.predict_proba(rows), proba, atol=1e-4)
    np.testing.assert_allclose(third.predict_proba(rows), proba, atol=1e-4)


def test_fifth_place_on_rows(simulated):
    rows, votes = simulated
    five = TestTimeAugmenter(
        rows_pipeline(), "fifth_uemu", average="log", step="crop"
    ).fit(rows, votes)
    filtered = rows_pipeline()[:4].fit_transform(rows)
    parts = [
        np.log(five.estimator_["clf"].predict_proba(part))
        for part in np.split(filtered, 5, axis=-1)
    ]
    pooled = np.exp(np.tensordot([0.05, 0.2, 0.5, 0.2, 0.05], parts, axes=1))
    expected = pooled / pooled.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(five.predict_proba(rows), expected, rtol=1e-6)


def test_longer_windows_of_the_reader_keep_the_fifty_seconds_full(hms_data):
    """Windows of 54 s leave room for 2 s; here the record goes on around the rows."""
    data = load_hms(hms_data / "hms")
    inside = data.data["eeg_label_offset_seconds"].between(2, 20)
    rows, votes = data.data[inside].iloc[:3], data.target[inside.to_numpy()][:3]
    pipe = Pipeline(
        [
            ("read", HMSReader(window_seconds=54)),
            ("crop", CentreCrop(50)),
            ("nan", NaNImputer()),
            ("clf", ChannelPowerClassifier()),
        ]
    )
    later = TestTimeAugmenter(pipe, [("shift", 2.0)], step="crop").fit(rows, votes)
    moved = rows.assign(eeg_label_offset_seconds=rows["eeg_label_offset_seconds"] + 2)
    moved.attrs = rows.attrs
    np.testing.assert_allclose(
        later.predict_proba(rows), later.estimator_.predict_proba(moved)
    )


def test_panels_of_the_organisers_are_mirrored_by_the_names_of_the_reader(hms_data):
    data = load_hms(hms_data / "hms")
    rows, votes = data.data.iloc[::4], data.target[::4]
    read = HMSReader(view="spectrogram", window_seconds=60)
    level = FunctionTransformer(np.nan_to_num, feature_names_out="one-to-one")
    pipe = Pipeline([("read", read), ("nan", level), ("clf", ChannelPowerClassifier())])
    both = TestTimeAugmenter(pipe, ["mirror", "time_reverse"], step="nan")
    both.fit(rows, votes)
    panels = np.nan_to_num(read.fit_transform(rows))
    clf = both.estimator_["clf"]
    each = both.predict_proba_by_transform(rows)
    expected = clf.predict_proba(panels[:, [1, 0, 3, 2]])
    np.testing.assert_allclose(each[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(each[:, 1], clf.predict_proba(panels), rtol=1e-4)


def test_rows_without_a_step_are_an_error(simulated):
    for step in (None, "read"):
        both = TestTimeAugmenter(rows_pipeline(), step=step)
        with pytest.raises(ValueError, match="X is a DataFrame, a table of rows"):
            both.fit(*simulated)


def test_a_function_may_change_rows(simulated):
    rows, votes = simulated
    own = TestTimeAugmenter(rows_pipeline(), ["identity", lambda rows: rows])
    own.fit(rows, votes)
    alone = own.estimator_.predict_proba(rows)
    np.testing.assert_allclose(own.predict_proba(rows), alone)


# What runs how often -----------------------------------------------------------------


def test_steps_in_front_run_once(signals, votes):
    class First(Counting):
        pass

    class Second(Counting):
        pass

    pipe = Pipeline(
        [("one", First()), ("two", Second()), ("clf", ChannelPowerClassifier())]
    )
    given = ["identity", "mirror", "time_reverse"]
    fitted = TestTimeAugmenter(pipe, given, step="two", ch_names=CH_NAMES)
    fitted.fit(signals, votes)
    First.calls = Second.calls = 0
    fitted.predict_proba(signals)
    assert (First.calls, Second.calls) == (1, 3)


def test_transforms_may_have_steps_of_their_own(signals, votes):
    class Between(Counting):
        pass

    pipe = Pipeline(
        [
            ("montage", MontageTransformer("double_banana")),
            ("same", Between()),
            ("crop", CentreCrop(n_times=100)),
            ("clf", ChannelPowerClassifier()),
        ]
    )
    electrodes = ("mirror", {"step": "montage", "montage": CH_NAMES})
    given = ["identity", electrodes, ("shift", {"seconds": 0.2, "step": "crop"})]
    fitted = TestTimeAugmenter(pipe, given).fit(signals, votes)
    Between.calls = 0
    each = fitted.predict_proba_by_transform(signals)
    # Once for the mirror, once for the shift and the identity.
    assert Between.calls == 2
    derived = MontageTransformer("double_banana").fit_transform(signals)
    clf = fitted.estimator_["clf"]
    np.testing.assert_allclose(each[:, 0], clf.predict_proba(derived[..., 150:250]))
    np.testing.assert_allclose(each[:, 2], clf.predict_proba(derived[..., 190:290]))
    order = [*range(4, 8), *range(4), *range(12, 16), *range(8, 12), 16, 17]
    expected = clf.predict_proba(derived[:, order, 150:250])
    np.testing.assert_allclose(each[:, 1], expected, rtol=1e-4)


# Views -------------------------------------------------------------------------------


def two_views(union):
    zoom = Pipeline([("crop", CentreCrop(n_times=100)), ("image", WaveformImager())])
    return union([("whole", WaveformImager()), ("zoom", zoom)])


class OfViews(ChannelPowerClassifier):
    """The classifier of images for two of them, one above the other."""

    @staticmethod
    def _one(X):
        return np.concatenate(
            [view.reshape(len(X), 20, -1)[..., :10] for view in X.values()], axis=1
        )

    def fit(self, X, y):
        return super().fit(self._one(X), y)

    def predict_proba(self, X):
        return super().predict_proba(self._one(X))


@pytest.mark.parametrize("frozen", [False, True])
def test_only_the_ten_second_view_is_moved(signals, votes, frozen):
    pipe = Pipeline([("views", two_views(ViewUnion)), ("clf", OfViews())])
    if frozen:
        pipe = FrozenEstimator(clone(pipe).fit(signals, votes))
    given = ["identity", ("shift", 0.25)]
    fitted = TestTimeAugmenter(pipe, given, step="views__zoom__crop")
    fitted.fit(signals, votes)
    each = fitted.predict_proba_by_transform(signals)
    views = two_views(ViewUnion).fit_transform(signals)
    moved = WaveformImager().fit_transform(signals[..., 200:300])
    clf = fitted.estimator_["clf"]
    np.testing.assert_allclose(each[:, 0], clf.predict_proba(views))
    expected = clf.predict_proba(WindowViews(whole=views["whole"], zoom=moved))
    np.testing.assert_allclose(each[:, 1], expected)
    assert not np.allclose(each[:, 0], each[:, 1])


def test_the_other_views_are_computed_once(signals, votes):
    class Whole(Counting):
        pass

    zoom = Pipeline([("crop", CentreCrop(n_times=100)), ("image", WaveformImager())])
    whole = Pipeline([("count", Whole()), ("image", WaveformImager())])
    union = ViewUnion([("whole", whole), ("zoom", zoom)])
    pipe = Pipeline([("views", union), ("clf", OfViews())])
    given = [("shift", 0.1), ("shift", 0.2), "identity"]
    fitted = TestTimeAugmenter(pipe, given, step="views__zoom").fit(signals, votes)
    Whole.calls = 0
    fitted.predict_proba(signals)
    assert Whole.calls == 1


def test_a_view_inside_an_image_of_several(signals, votes):
    pipe = Pipeline(
        [("views", two_views(WindowUnion)), ("clf", ChannelPowerClassifier())]
    )
    given = ["identity", ("shift", 0.25)]
    fitted = TestTimeAugmenter(pipe, given, step="views__zoom__crop")
    fitted.fit(signals, votes)
    each = fitted.predict_proba_by_transform(signals)
    image = two_views(WindowUnion).fit_transform(signals)
    clf = fitted.estimator_["clf"]
    np.testing.assert_allclose(each[:, 0], clf.predict_proba(image))
    moved = two_views(WindowUnion).fit_transform(signals[..., 100:])
    width = WaveformImager().fit_transform(signals).shape[-1]
    image = np.concatenate(
        [image[..., :width], moved[..., -(image.shape[-1] - width) :]], -1
    )
    np.testing.assert_allclose(each[:, 1], clf.predict_proba(image))


def test_mirror_of_the_views_by_the_names_that_the_union_tells(signals, votes):
    union = ViewUnion([("half", Decimator(2)), ("third", CentreCrop(n_times=200))])
    pipe = Pipeline([("views", union), ("clf", OfViews())])
    names = [("names", FunctionTransformer(feature_names_out=lambda *_: CH_NAMES))]
    fitted = TestTimeAugmenter(Pipeline([*names, *pipe.steps]), ["mirror"], step="clf")
    fitted.fit(signals, votes)
    order = [*range(11, 19), *range(8, 11), *range(8), 19]
    expected = fitted.estimator_.predict_proba(signals[:, order])
    np.testing.assert_allclose(fitted.predict_proba(signals), expected)


# Nets --------------------------------------------------------------------------------

TINY = {
    "architecture_params": {"width": 8, "gru_hidden": 0, "n_blocks": 2},
    **{"device": "cpu", "random_state": 0, "max_epochs": 1},
}


def test_a_net_that_cuts_its_windows_itself(signals, votes):
    """Trained on random 100 of 400 samples, asked about three places."""
    net = WaveformClassifier(**TINY, augment=[WindowJitter(100)])
    with pytest.raises(ValueError, match=r"'ends': 'edge'"):
        TestTimeAugmenter(net, ["identity", ("shift", 0.2)]).fit(signals, votes)
    given = ["identity", ("shift", {"seconds": 0.2, "ends": "edge"})]
    fitted = TestTimeAugmenter(net, given).fit(signals, votes)
    each = fitted.predict_proba_by_transform(signals)
    moved = np.zeros_like(signals)
    moved[..., 150:250] = signals[..., 190:290]
    np.testing.assert_array_equal(each[:, 1], fitted.estimator_.predict_proba(moved))


# Errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "match"),
    [
        ("cropp", "there is no 'cropp', only .*Did you mean 'crop'"),
        ("views__zom", "there is no 'zom', only \\['whole', 'zoom'\\]"),
        ("views__zoom__cut", "there is no 'cut', only \\['crop', 'image'\\]"),
        ("views__whole__crop", "there is no 'crop', only \\[\\]"),
        ("views__zoom__crop__x", "Only ViewUnion and WindowUnion can be entered"),
        ("clf__alpha", "Only ViewUnion and WindowUnion can be entered"),
    ],
)
def test_steps_that_are_not_there(step, match, signals, votes):
    steps = [
        ("crop", "passthrough"),
        ("views", two_views(ViewUnion)),
        ("clf", OfViews()),
    ]
    both = TestTimeAugmenter(Pipeline(steps), ["time_reverse"], step=step)
    with pytest.raises(ValueError, match=match):
        both.fit(signals, votes)


def test_a_view_that_is_dropped_is_not_there(signals, votes):
    union = two_views(ViewUnion).set_params(zoom="drop")
    pipe = Pipeline([("views", union), ("clf", OfViews())])
    with pytest.raises(ValueError, match="there is no 'zoom', only \\['whole'\\]"):
        TestTimeAugmenter(pipe, ["time_reverse"], step="views__zoom").fit(
            signals, votes
        )


def test_names_that_say_nothing_are_no_names(signals, votes):
    pipe = Pipeline([("crop", CentreCrop(1)), ("clf", ChannelPowerClassifier())])
    with pytest.raises(ValueError, match="names of the channels are not known"):
        TestTimeAugmenter(pipe, ["mirror"], step="clf").fit(signals, votes)


def test_names_that_have_no_side(signals, votes):
    pipe = Pipeline([("image", WaveformImager()), ("clf", ChannelPowerClassifier())])
    match = r"the steps in front call the channels \['waveform0'\]: .* Give montage"
    with pytest.raises(ValueError, match=match):
        TestTimeAugmenter(pipe, ["mirror"], step="clf").fit(signals, votes)


@pytest.mark.parametrize("chains", [False, True])
def test_planes_of_spectrograms_are_mirrored_by_their_names(chains, rng, votes):
    X = rng.normal(0, 30, (6, 20, 1000)).astype("float32")
    tail = [("chain", ChainMean())] if chains else []
    pipe = Pipeline(
        [
            ("montage", MontageTransformer("double_banana")),
            ("mel", MelSpectrogramizer()),
            *tail,
            ("clf", ChannelPowerClassifier()),
        ]
    )
    behind = TestTimeAugmenter(pipe, ["mirror"], step="clf").fit(X, votes)
    before = TestTimeAugmenter(pipe, ["mirror"], ch_names=CH_NAMES).fit(X, votes)
    proba = behind.predict_proba(X)
    np.testing.assert_allclose(proba, before.predict_proba(X), rtol=1e-4)
    assert not np.allclose(proba, behind.estimator_.predict_proba(X))


def test_behind_a_step_that_learns(signals, votes):
    class Learns(FunctionTransformer):
        def fit(self, X, y=None):
            self.mean_ = X.mean()
            return self

        def transform(self, X):
            return X - self.mean_

        def __sklearn_is_fitted__(self):
            return hasattr(self, "mean_")

        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.requires_fit = True
            return tags

    pipe = Pipeline([("mean", Learns()), ("clf", ChannelPowerClassifier())])
    params = {"step": "clf", "ch_names": CH_NAMES}
    fitted = TestTimeAugmenter(pipe, ["mirror"], **params).fit(signals, votes)
    order = [*range(11, 19), *range(8, 11), *range(8), 19]
    expected = fitted.estimator_.predict_proba(signals[:, order])
    np.testing.assert_allclose(fitted.predict_proba(signals), expected, rtol=1e-6)
    fitted.set_params(weights="fit", cv=2).fit(signals, votes)
    assert fitted.weights_.tolist() == [1.0]
    with pytest.raises(ValueError, match="too short"):
        fitted.set_params(transforms=[("shift", 3.0)]).fit(signals, votes)
