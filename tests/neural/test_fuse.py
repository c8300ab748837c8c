"""Steps of a pipeline inside the net: the same predictions, and the way back."""

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from hmsklearn.augmentation import HorizontalFlip, PolarityFlip, WindowJitter
from hmsklearn.datasets import HMSReader, load_hms
from hmsklearn.imaging import ImageTiler, WindowUnion
from hmsklearn.metrics import kl_scorer
from hmsklearn.neural import Frontend, MultiViewClassifier, fuse, unfuse
from hmsklearn.preprocessing import (
    AmplitudeScaler,
    ButterworthFilter,
    CentreCrop,
    Decimator,
    MontageTransformer,
    NaNImputer,
    NotchFilter,
)
from hmsklearn.spectrogram import MelSpectrogramizer, STFTSpectrogramizer
from hmsklearn.views import WindowViews


class Learner(TransformerMixin, BaseEstimator):
    """Subtracts what it has seen."""

    def fit(self, X, y=None):
        self.mean_ = np.float32(np.nanmean(X))
        return self

    def transform(self, X):
        return X - self.mean_


class OtherOnTensors(AmplitudeScaler):
    """A step with a mistake: a little more for tensors."""

    def transform(self, X):
        result = super().transform(X)
        return result * 1.01 if isinstance(result, torch.Tensor) else result


class GappyOnTensors(AmplitudeScaler):
    def transform(self, X):
        result = super().transform(X)
        return torch.sqrt(result) if isinstance(result, torch.Tensor) else result


class WithoutFrontend(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        return self


def names(pipeline):
    return [name for name, _ in pipeline.steps]


def halve(X):
    return X / 2


@pytest.fixture(scope="module")
def data(data):
    """Few windows: what is tested here is not how well a net learns."""
    return SimpleNamespace(
        X=data.X[:24], votes=data.votes[:24], groups=data.groups[:24]
    )


@pytest.fixture
def signal_pipe(waveform):
    """Waves, filtered and scaled, into a net of signals."""
    return Pipeline(
        [
            ("impute", NaNImputer()),
            ("centre", Learner()),
            ("notch", NotchFilter(freqs=40.0, sfreq=100.0)),
            ("halve", Decimator(2, method="mean")),
            ("scale", AmplitudeScaler(clip=60, scale=20)),
            ("net", waveform(batch_size=8)),
        ]
    )


@pytest.fixture
def image_pipe(timm_classifier):
    """Spectrograms of the waves, stacked, into a net of images."""
    stft = STFTSpectrogramizer(sfreq=100.0, n_fft=32, hop_length=4, fmax=50.0)
    return Pipeline(
        [
            ("stft", stft),
            ("tile", ImageTiler(n_planes=3)),
            ("net", timm_classifier(batch_size=8)),
        ]
    )


@pytest.fixture
def union_pipe(timm_classifier):
    """Two views side by side."""
    stft = STFTSpectrogramizer(sfreq=100.0, n_fft=64, hop_length=4, fmax=50.0)
    zoom = make_pipeline(CentreCrop(n_times=64), clone(stft))
    union = WindowUnion([("whole", stft), ("zoom", zoom)])
    return Pipeline([("views", union), ("net", timm_classifier(batch_size=8))])


PIPES = ("signal_pipe", "image_pipe", "union_pipe")


@pytest.fixture(params=PIPES)
def pipe(request):
    return request.getfixturevalue(request.param)


# -- not fitted -----------------------------------------------------------------


def test_as_many_steps_as_possible(signal_pipe):
    fused = fuse(signal_pipe)
    assert names(fused) == ["impute", "centre", "net"]
    assert names(fused[-1].frontend) == ["notch", "halve", "scale"]
    assert names(signal_pipe)[2] == "notch"
    assert signal_pipe[-1].frontend is None
    assert fused[-1].frontend[0] is not signal_pipe[2]


def test_all_steps(image_pipe):
    fused = fuse(image_pipe)
    assert names(fused) == ["net"]
    assert names(fused[-1].frontend) == ["stft", "tile"]


def test_readers_stay(waveform):
    pipe = make_pipeline(HMSReader("x"), NaNImputer(), MontageTransformer(), waveform())
    fused = fuse(pipe)
    assert names(fused) == ["hmsreader", "waveformclassifier"]
    inner = make_pipeline(HMSReader("x"), NaNImputer())
    assert names(fuse(make_pipeline(inner, NotchFilter(), waveform()))) == [
        "pipeline",
        "waveformclassifier",
    ]


@pytest.mark.parametrize("steps", [["scale", "halve"], ["scale"], "scale"])
def test_chosen_steps(signal_pipe, steps):
    fused = fuse(signal_pipe, steps=steps)
    moved = [steps] if isinstance(steps, str) else sorted(steps)
    assert names(fused[-1].frontend) == moved
    assert names(fused) == [n for n in names(signal_pipe) if n not in moved]


def test_a_step_of_others_has_to_be_named(waveform):
    pipe = make_pipeline(NotchFilter(), FunctionTransformer(halve), waveform())
    with pytest.raises(ValueError, match=r"'functiontransformer'.*Name it in steps"):
        fuse(pipe)
    fused = fuse(pipe, steps=["notchfilter", "functiontransformer"])
    assert names(fused) == ["waveformclassifier"]


def test_a_frontend_is_extended_at_its_start(signal_pipe):
    once = fuse(signal_pipe, steps=["scale"])
    twice = fuse(once)
    assert names(twice[-1].frontend) == ["notch", "halve", "scale"]
    assert repr(twice) == repr(fuse(signal_pipe))
    assert names(once[-1].frontend) == ["scale"]


def test_a_single_transformer_is_extended_under_its_own_name(waveform):
    net = waveform(frontend=NotchFilter())
    fused = fuse(make_pipeline(NotchFilter(freqs=50.0), net))
    assert names(fused[-1].frontend) == ["notchfilter", "notchfilter-2"]
    assert [step.freqs for step in fused[-1].frontend] == [50.0, 60.0]


def test_back_again(pipe):
    assert repr(unfuse(fuse(pipe))) == repr(pipe)


def test_taken_names_get_a_number(waveform):
    net = waveform(frontend=NotchFilter(freqs=50.0))
    split = unfuse(make_pipeline(NotchFilter(), net))
    assert names(split) == ["notchfilter", "notchfilter-2", "waveformclassifier"]
    assert split[-1].frontend is None
    assert net.frontend is not None


def test_parameters_are_reached(image_pipe, data):
    fused = fuse(image_pipe)
    fused.set_params(net__frontend__stft__hop_length=2)
    assert unfuse(fused)["stft"].hop_length == 2
    grid = {"net__frontend__tile__n_planes": [1, 2], "net__max_epochs": [1]}
    search = GridSearchCV(fused, grid, cv=2, scoring=kl_scorer, error_score="raise")
    search.fit(data.X, data.votes)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_other_settings_of_the_pipeline_stay(image_pipe):
    image_pipe.verbose = True
    assert fuse(image_pipe).verbose
    assert unfuse(fuse(image_pipe)).verbose


def test_fused_and_then_fitted(pipe, data):
    fused = fuse(pipe, check_on=data.X).fit(data.X, data.votes)
    assert isinstance(fused[-1].net_.module_.frontend, Frontend)
    eager = clone(pipe).fit(data.X, data.votes)
    # The same training, up to rounding and what it grows to in two epochs.
    difference = np.abs(fused.predict_proba(data.X) - eager.predict_proba(data.X))
    assert difference.max() < 0.05


def test_cross_validation(image_pipe, data):
    scores = cross_val_score(
        fuse(image_pipe),
        data.X,
        data.votes,
        groups=data.groups,
        cv=GroupKFold(2),
        error_score="raise",
        scoring=kl_scorer,
    )
    assert np.isfinite(scores).all()


# -- fitted ---------------------------------------------------------------------


@pytest.fixture
def fitted(pipe, data):
    return pipe.fit(data.X, data.votes)


def test_a_fitted_pipeline_predicts_the_same(fitted, data):
    expected = fitted.predict_proba(data.X)
    for fused in (
        fuse(fitted, check_on=data.X),
        fuse(fitted, input_shape=data.X.shape[1:]),
    ):
        assert len(fused.steps) < len(fitted.steps)
        np.testing.assert_allclose(fused.predict_proba(data.X), expected, atol=1e-4)
        assert fused[-1].input_shape_ == data.X.shape[1:]
        assert fused[-1].n_features_in_ == data.X.shape[1]
    # Nothing happened to what was given.
    np.testing.assert_array_equal(fitted.predict_proba(data.X), expected)
    assert fitted[-1].net_.module_.frontend is None


def test_a_fitted_pipeline_and_back(fitted, data):
    expected = fitted.predict_proba(data.X)
    fused = fuse(fitted, check_on=data.X)
    back = unfuse(fused)
    assert repr(back) == repr(fitted)
    np.testing.assert_array_equal(back.predict_proba(data.X), expected)
    assert back[-1].input_shape_ == fitted[-1].input_shape_
    assert back[-1].net_.module_.frontend is None
    assert fused[-1].net_.module_.frontend is not None


def test_a_fitted_frontend_is_extended(signal_pipe, data):
    signal_pipe.fit(data.X, data.votes)
    expected = signal_pipe.predict_proba(data.X)
    once = fuse(signal_pipe, steps=["scale"], check_on=data.X)
    twice = fuse(once, check_on=data.X)
    assert names(twice) == ["impute", "centre", "net"]
    assert len(twice[-1].net_.module_.frontend.transformer.steps) == 3
    np.testing.assert_allclose(twice.predict_proba(data.X), expected, atol=1e-4)


def test_saved_and_copied(fitted, data):
    fused = fuse(fitted, check_on=data.X)
    expected = fused.predict_proba(data.X)
    for again in (pickle.loads(pickle.dumps(fused)), copy.deepcopy(fused)):
        np.testing.assert_array_equal(again.predict_proba(data.X), expected)
        np.testing.assert_allclose(
            unfuse(again).predict_proba(data.X), expected, atol=1e-4
        )


def test_rows_of_the_competition(hms_root, waveform):
    rows = load_hms(hms_root, "train")
    # What is voted does not matter here, only that every pattern is.
    X, y = rows.data.iloc[:6], np.eye(6, dtype=int)
    pipe = make_pipeline(
        HMSReader(),
        NaNImputer(),
        MontageTransformer(),
        ButterworthFilter(0.5, 20.0),
        Decimator(10, method="mean"),
        AmplitudeScaler(clip=1024, scale=32),
        waveform(max_epochs=1, batch_size=3),
    ).fit(X, y)
    fused = fuse(pipe, check_on=X)
    assert names(fused) == ["hmsreader", "waveformclassifier"]
    assert fused[-1].input_shape_ == (20, 10_000)
    np.testing.assert_allclose(fused.predict_proba(X), pipe.predict_proba(X), atol=1e-4)


def test_real_windows(real_windows, timm_classifier):
    y = np.eye(6, dtype=int)[np.arange(6) % 6]
    X = real_windows[:6]
    pipe = make_pipeline(
        NaNImputer(),
        MontageTransformer("double_banana_16"),
        ButterworthFilter(0.5, 20.0),
        MelSpectrogramizer(n_mels=32),
        ImageTiler((4, 4)),
        timm_classifier(max_epochs=1, batch_size=3),
    ).fit(X, y)
    fused = fuse(pipe, check_on=X)
    np.testing.assert_allclose(fused.predict_proba(X), pipe.predict_proba(X), atol=1e-4)


@pytest.mark.gpu
def test_on_a_gpu(data, image_pipe):
    image_pipe.set_params(net__device="cuda").fit(data.X, data.votes)
    fused = fuse(image_pipe, check_on=data.X)
    np.testing.assert_allclose(
        fused.predict_proba(data.X), image_pipe.predict_proba(data.X), atol=1e-4
    )
    trained = fuse(clone(image_pipe)).fit(data.X, data.votes)
    assert np.isfinite(trained.predict_proba(data.X)).all()


# -- the check ------------------------------------------------------------------


@pytest.mark.parametrize("with_net", [False, True])
@pytest.mark.parametrize(
    ("step", "cause"),
    [(OtherOnTensors(), r"differs by 0\.01"), (GappyOnTensors(), "NaN in other")],
)
def test_the_check_finds_a_difference(waveform, data, step, cause, with_net):
    pipe = make_pipeline(step, waveform(max_epochs=1))
    if with_net:
        pipe.fit(data.X, data.votes)
    with pytest.raises(ValueError, match=f"^fuse: .*{cause}"):
        fuse(pipe, check_on=data.X)


def test_the_check_says_what_does_not_fit(image_pipe, data):
    with pytest.raises(ValueError, match="STFTSpectrogramizer"):
        fuse(image_pipe, check_on=data.X[..., :16])


# -- errors ---------------------------------------------------------------------


def test_no_pipeline(waveform):
    for function in (fuse, unfuse):
        with pytest.raises(TypeError, match=f"{function.__name__}: expected a scikit"):
            function(waveform())


def test_no_frontend_in_the_last_step():
    for last in (WithoutFrontend(), NotchFilter(), "passthrough"):
        for function in (fuse, unfuse):
            with pytest.raises(TypeError, match="parameter frontend"):
                function(make_pipeline(NaNImputer(), last))


def test_nothing_to_move(waveform):
    for pipe in (
        make_pipeline(waveform()),
        make_pipeline("passthrough", waveform()),
        make_pipeline(NotchFilter(), Learner(), waveform()),
        make_pipeline(HMSReader("x"), waveform()),
    ):
        with pytest.raises(ValueError, match="fuse: nothing to move"):
            fuse(pipe)
    with pytest.raises(ValueError, match="has no frontend"):
        unfuse(make_pipeline(NotchFilter(), waveform()))


@pytest.mark.parametrize(
    ("steps", "cause"),
    [
        (["notch"], "not the last ones.*'scale'"),
        (["halve", "nothing"], "not the last ones"),
        (list("abcdefgh"), "not the last ones"),
        (["centre", "notch", "halve", "scale"], "'centre'.*learns"),
        ([], "nothing to move"),
    ],
)
def test_unusable_choice(signal_pipe, steps, cause):
    with pytest.raises(ValueError, match=cause):
        fuse(signal_pipe, steps=steps)


def test_a_fitted_pipeline_needs_a_shape(image_pipe, data):
    image_pipe.fit(data.X, data.votes)
    with pytest.raises(ValueError, match=r"fitted.*check_on.*input_shape"):
        fuse(image_pipe)
    with pytest.raises(ValueError, match="trained on"):
        fuse(image_pipe, input_shape=(3, 256))


def test_frontends_by_view_are_left_to_the_user(waveform):
    net = waveform(frontend={"a": NotchFilter()})
    for function in (fuse, unfuse):
        with pytest.raises(ValueError, match=r"each of the views \['a'\]"):
            function(make_pipeline(NotchFilter(), net))


# -- augmentations --------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"augment": ["mixup"]}, "Mixup"),
        ({"augment": "mixup"}, "Mixup"),
        ({"augment": [HorizontalFlip(), ("mixup", {"p": 1.0})]}, "Mixup"),
        ({"stages": [{}, {"augment": [PolarityFlip()]}]}, "PolarityFlip"),
    ],
)
def test_augmentations_would_change_their_place(waveform, params, name):
    cause = rf"{name} in augment of WaveformClassifier changed what the moved steps"
    pipe = make_pipeline(NotchFilter(), NotchFilter(freqs=50.0), waveform(**params))
    with pytest.warns(UserWarning, match=rf"^fuse: {cause} gave"):
        fused = fuse(pipe, steps=["notchfilter-2"])
    # Those between the moved steps and a frontend that is there move as well.
    with pytest.warns(UserWarning, match=rf"^fuse: {cause} gave"):
        fuse(fused)
    with pytest.warns(UserWarning, match=rf"^unfuse: {cause} were given"):
        unfuse(fused)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"augment": ["horizontal_flip"]},
        {"augment": [HorizontalFlip(), ("mixup", {"after_frontend": True})]},
        {"stages": [{"augment": ("mixup", {"after_frontend": True})}]},
    ],
)
def test_augmentations_behind_the_frontend_stay(waveform, params):
    unfuse(fuse(make_pipeline(NotchFilter(), waveform(**params))))


def test_unknown_augmentations(waveform):
    pipe = make_pipeline(NotchFilter(), waveform(augment=["mixdown"]))
    with pytest.raises(ValueError, match=r"fuse: augment of WaveformC.*mixdown"):
        fuse(pipe)


class TestJitter:
    """A net that predicts from the middle of its windows."""

    @pytest.fixture
    def fit(self, waveform, data):
        def fit(*steps, n_times=100, **params):
            params["augment"] = [WindowJitter(n_times)]
            pipe = make_pipeline(*steps, waveform(max_epochs=1, **params))
            return pipe.fit(data.X, data.votes)

        return fit

    @pytest.mark.filterwarnings("ignore:fuse. WindowJitter")
    @pytest.mark.parametrize("frontend", [None, NotchFilter(freqs=40.0, sfreq=100.0)])
    @pytest.mark.parametrize("how", ["check_on", "input_shape"])
    def test_steps_sample_by_sample(self, fit, data, frontend, how):
        pipe = fit(AmplitudeScaler(clip=60, scale=20), frontend=frontend)
        expected = pipe.predict_proba(data.X)
        given = {"check_on": data.X, "input_shape": data.X.shape[1:]}
        fused = fuse(pipe, **{how: given[how]})
        assert fused[-1].input_shape_ == (3, 128)
        assert fused[-1].net_.module_.frontend.input_shape == (3, 100)
        np.testing.assert_allclose(fused.predict_proba(data.X), expected, atol=1e-4)
        again = pickle.loads(pickle.dumps(fused))
        np.testing.assert_allclose(again.predict_proba(data.X), expected, atol=1e-4)
        fused[-1].partial_fit(data.X, data.votes)

    @pytest.mark.parametrize(
        ("steps", "n_times"),
        [
            ([NotchFilter(freqs=40.0, sfreq=100.0)], 100),
            ([NaNImputer("mean")], 100),
            ([NaNImputer("linear")], 100),
            ([Decimator(2, method="mean")], 50),
            ([CentreCrop(n_times=90)], 80),
        ],
    )
    @pytest.mark.filterwarnings("ignore:fuse. WindowJitter")
    def test_steps_that_see_what_is_cut_off(self, fit, data, steps, n_times):
        pipe = fit(*steps, n_times=n_times)
        with pytest.raises(
            ValueError,
            match=rf"fuse: WindowJitter\(n_times={n_times}\) cut.* before fit",
        ):
            fuse(pipe, input_shape=data.X.shape[1:])

    def test_not_fitted(self, waveform, data):
        pipe = make_pipeline(NotchFilter(), waveform(augment=[WindowJitter(100)]))
        with pytest.warns(UserWarning, match="fuse: WindowJitter in augment"):
            fused = fuse(pipe, check_on=data.X)
        fused.fit(data.X, data.votes)
        assert fused[-1].input_shape_ == (3, 128)
        with pytest.raises(ValueError, match=r"unfuse: WindowJitter .* before the"):
            unfuse(fused)

    def test_no_way_back(self, fit, waveform, data):
        pipe = fit(frontend=NotchFilter())
        # The net cuts, whatever the parameter has become.
        pipe[-1].set_params(augment=None)
        with pytest.raises(ValueError, match=r"unfuse: WindowJitter .* before the"):
            unfuse(pipe)
        net = waveform(stages=[{"augment": "polarity_flip"}], frontend=NotchFilter())
        with pytest.warns(UserWarning, match="unfuse: PolarityFlip"):
            unfuse(make_pipeline(net))
        net.set_params(stages=[{}, {"augment": [("window_jitter", {"n_times": 50})]}])
        with pytest.raises(ValueError, match=r"unfuse: WindowJitter .* before the"):
            unfuse(make_pipeline(net))


# -- several branches -----------------------------------------------------------


class TestBranches:
    @pytest.fixture
    def pipe(self, waveform):
        """One array that two branches look at, one of them through a frontend."""
        branches = [("a", waveform()), ("b", waveform(frontend=Decimator(2)))]
        net = MultiViewClassifier(
            branches, max_epochs=1, batch_size=8, device="cpu", random_state=0
        )
        return Pipeline(
            [
                ("notch", NotchFilter(freqs=40.0, sfreq=100.0)),
                ("crop", CentreCrop(n_times=100)),
                ("net", net),
            ]
        )

    def test_fitted_and_back(self, pipe, data):
        expected = pipe.fit(data.X, data.votes).predict_proba(data.X)
        fused = fuse(pipe, check_on=data.X)
        assert names(fused) == ["net"]
        assert fused[-1].input_shape_ == (3, 128)
        twice = fuse(fuse(pipe, steps=["crop"], check_on=data.X), check_on=data.X)
        for each in (fused, twice, pickle.loads(pickle.dumps(fused))):
            np.testing.assert_allclose(each.predict_proba(data.X), expected, atol=1e-4)
            back = unfuse(each)
            assert repr(back) == repr(pipe)
            assert back[-1].input_shape_ == (3, 100)
            np.testing.assert_array_equal(back.predict_proba(data.X), expected)
        np.testing.assert_array_equal(pipe.predict_proba(data.X), expected)
        assert pipe[-1].net_.module_.frontend.shared is None
        fused[-1].partial_fit(data.X, data.votes)

    def test_fused_and_then_fitted(self, pipe, data):
        fused = fuse(pipe, check_on=data.X).fit(data.X, data.votes)
        expected = fused.predict_proba(data.X)
        back = unfuse(fused)
        np.testing.assert_allclose(back.predict_proba(data.X), expected, atol=1e-4)

    def test_another_shape(self, pipe, data):
        pipe.fit(data.X, data.votes)
        with pytest.raises(ValueError, match=r"trained on \(3, 100\)"):
            fuse(pipe, input_shape=(4, 128))

    def test_views_by_name(self, pipe, data):
        net = pipe[-1].fit(WindowViews(a=data.X, b=data.X), data.votes)
        fitted = make_pipeline(NotchFilter(), net)
        with pytest.raises(ValueError, match=r"fuse: .*views \['a', 'b'\].*frontend"):
            fuse(fitted, input_shape=(3, 128))

    def test_what_was_missing(self, waveform, data):
        """The share of NaN is that of the channels where the frontend begins."""
        net = MultiViewClassifier(
            [("a", waveform(frontend=NaNImputer()))],
            nan_loss=["a"],
            **{"max_epochs": 1, "batch_size": 8, "device": "cpu", "random_state": 0},
        )
        montage = MontageTransformer([("Fp1", "F7")], ch_names=["Fp1", "F7", "T3"])
        pipe = make_pipeline(montage, net).fit(data.X, data.votes)
        with pytest.raises(ValueError, match=r"nan_loss .* in 1 channels.* get 3"):
            fuse(pipe, input_shape=(3, 128))
        pipe = fuse(clone(pipe)).fit(data.X, data.votes)
        with pytest.raises(ValueError, match=r"nan_loss .* in 3 channels.* get 1"):
            unfuse(pipe)


def test_a_frontend_that_came_after_fit(waveform, data):
    pipe = make_pipeline(waveform(max_epochs=1)).fit(data.X, data.votes)
    pipe[-1].set_params(frontend=NotchFilter())
    with pytest.raises(ValueError, match=r"unfuse: .* fitted without a frontend"):
        unfuse(pipe)
