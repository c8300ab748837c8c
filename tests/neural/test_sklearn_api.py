"""The classifiers among scikit-learn's tools."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_html_repr, get_tags

from hmsklearn.metrics import kl_scorer, make_kl_scorer
from hmsklearn.neural import BaseNeuralClassifier, TimmClassifier, WaveformClassifier


@pytest.fixture
def pipe(waveform):
    half = FunctionTransformer(lambda X: X[..., ::2], validate=False)
    return Pipeline([("half", half), ("net", waveform())])


def test_cross_val_score_by_patient(pipe, data):
    scores = cross_val_score(
        pipe,
        data.X,
        data.votes,
        groups=data.groups,
        cv=GroupKFold(3),
        scoring=kl_scorer,
        error_score="raise",
    )
    assert scores.shape == (3,)
    assert (scores < 0).all()
    again = cross_val_score(
        pipe, data.X, data.votes, groups=data.groups, cv=GroupKFold(3)
    )
    np.testing.assert_allclose(again, scores)  # score is the negative KL


def test_grid_search(pipe, data):
    search = GridSearchCV(
        pipe,
        {"net__lr": [1e-6, 1e-2], "net__architecture_params": [{"gru_hidden": 0}]},
        cv=GroupKFold(2),
        scoring=kl_scorer,
        error_score="raise",
    )
    search.fit(data.X, data.votes, groups=data.groups)
    assert search.best_params_["net__lr"] == 1e-2
    assert search.best_estimator_.predict_proba(data.X).shape == (96, 6)


def test_fit_parameters_through_a_pipeline(pipe, data):
    pipe.set_params(net__early_stopping=True)
    pipe.fit(
        data.X,
        data.votes,
        net__groups=data.groups,
        net__sample_weight=np.ones(len(data.X)),
    )
    assert pipe["net"].best_epoch_ >= 1


def test_metadata_routing(pipe, data):
    with sklearn.config_context(enable_metadata_routing=True):
        net = pipe["net"].set_params(early_stopping=True)
        net.set_fit_request(groups=True, sample_weight=True)
        scores = cross_val_score(
            pipe,
            data.X,
            data.votes,
            cv=GroupKFold(2),
            scoring=make_kl_scorer().set_score_request(sample_weight=True),
            params={"groups": data.groups, "sample_weight": np.ones(96)},
            error_score="raise",
        )
    assert np.isfinite(scores).all()


def test_routing_inside_the_net_stays_inside(waveform, data):
    with sklearn.config_context(enable_metadata_routing=True):
        clf = waveform(early_stopping=True)
        clf.fit(data.X, data.votes, groups=data.groups)
    assert clf.predict(data.X).shape == (96,)


def test_encoded_votes_are_refused(each, data):
    make, X = each
    for y in (data.votes, data.fractions):
        with pytest.raises(ValueError, match="oof_predict_proba"):
            cross_val_predict(make(), X, y, cv=2, method="predict_proba")


def test_votes_in_any_form(waveform, data):
    prob = waveform().fit(data.X, data.votes).predict_proba(data.X)
    for y in (data.fractions, data.votes[..., None], data.votes.astype(float)):
        other = waveform().fit(data.X, y).predict_proba(data.X)
        np.testing.assert_allclose(other, prob, atol=1e-6)


@pytest.mark.parametrize("cls", [TimmClassifier, WaveformClassifier])
class TestConventions:
    def test_clone_and_params(self, cls):
        clf = cls(max_epochs=3, classes="infer", callbacks=[])
        params = clf.get_params()
        assert params["max_epochs"] == 3
        assert clone(clf).get_params() == params
        assert clf.set_params(lr=0.5).lr == 0.5
        with pytest.raises(ValueError, match="Invalid parameter 'epochs'"):
            clf.set_params(epochs=3)
        assert set(vars(cls())) == set(params)

    def test_only_the_first_parameter_is_positional(self, cls):
        with pytest.raises(TypeError):
            cls("resnet1d_gru", {})

    def test_tags(self, cls):
        tags = get_tags(cls())
        assert is_classifier(cls())
        assert tags.target_tags.required
        assert tags.target_tags.multi_output
        assert not tags.input_tags.two_d_array
        assert tags.input_tags.three_d_array == (cls is WaveformClassifier)

    def test_repr(self, cls):
        assert repr(cls(lr=0.5)) == f"{cls.__name__}(lr=0.5)"
        assert cls.__name__ in estimator_html_repr(cls())

    def test_unfitted(self, cls, data):
        X = data.X if cls is WaveformClassifier else data.images
        for method in ("predict", "predict_proba"):
            with pytest.raises(NotFittedError):
                getattr(cls(), method)(X)

    def test_shared_parameters_have_the_same_defaults(self, cls):
        own = {"architecture", "architecture_params"} | {
            "backbone",
            "drop_rate",
            "drop_path_rate",
            "backbone_params",
            "pool",
            "pool_params",
            "stem",
            "stem_stride",
            "attention",
        }
        params, reference = cls().get_params(), WaveformClassifier().get_params()
        for name in set(params) - own:
            assert params[name] == reference[name], name


def test_base_class_needs_an_architecture(data):
    class Bare(BaseNeuralClassifier):
        pass

    bare = Bare()
    vars(bare).update(WaveformClassifier().get_params())
    with pytest.raises(NotImplementedError):
        bare.fit(data.X, data.votes)


def test_refit_forgets(waveform, data):
    clf = waveform(early_stopping=True)
    clf.fit(data.X, data.votes, groups=data.groups)
    clf.set_params(early_stopping=False, classes="infer", max_epochs=1)
    clf.fit(data.X[:, :2], data.label)
    assert clf.best_epoch_ is None
    assert clf.n_features_in_ == 2
    assert clf.n_iter_ == 1
    assert clf.classes_.tolist() == list(range(6))
    fresh = waveform(classes="infer", max_epochs=1).fit(data.X[:, :2], data.label)
    assert np.array_equal(
        clf.predict_proba(data.X[:, :2]), fresh.predict_proba(data.X[:, :2])
    )


def test_failed_fit_changes_nothing(waveform, data):
    clf = waveform().fit(data.X, data.votes)
    before = clf.predict_proba(data.X)
    with pytest.raises(ValueError, match="negative"):
        clf.fit(data.X, -data.votes)
    assert np.array_equal(clf.predict_proba(data.X), before)


def test_input_norm(waveform, data):
    # Signals in volt: without normalisation the net sees nothing but zeros.
    volt = data.X * 1e-6
    clf = waveform(max_epochs=1).fit(volt, data.votes)
    norm = clf.net_.module_.norm
    assert norm.std.item() == pytest.approx(volt.std(dtype=np.float64), rel=1e-5)
    microvolt = waveform(max_epochs=1).fit(data.X, data.votes)
    np.testing.assert_allclose(
        clf.predict_proba(volt), microvolt.predict_proba(data.X), atol=1e-4
    )
    window = waveform(max_epochs=1, input_norm="window").fit(data.X, data.votes)
    np.testing.assert_allclose(
        window.predict_proba(7 * data.X + 3), window.predict_proba(data.X), atol=1e-4
    )
    raw = waveform(max_epochs=1, input_norm=None).fit(data.X, data.votes)
    assert raw.net_.module_.norm.mode is None
