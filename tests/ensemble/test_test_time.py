"""TestTimeAugmenter: what it averages, what it keeps, what it refuses."""

import pickle

import joblib
import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.utils import estimator_html_repr, get_tags

from hmsklearn.ensemble import StackingKLClassifier, TestTimeAugmenter
from hmsklearn.metrics import kl_divergence, kl_scorer
from hmsklearn.montage import CH_NAMES
from hmsklearn.testing import ChannelPowerClassifier, make_check_data
from hmsklearn.views import WindowViews
from hmsklearn.votes import CLASSES

DATA = make_check_data("windows", shape=(4, 60), n_windows=36)
X, Y, PATIENT = DATA.X, DATA.votes, DATA.groups
NAMES = ["T3", "T4", "Cz", "EKG"]


class Reader(ClassifierMixin, BaseEstimator):
    """Probabilities that are a plain function of the first samples; counts calls."""

    def __init__(self, where=(0, 0), log=None):
        self.where = where
        self.log = log

    def fit(self, X, y):
        self.classes_ = np.array(CLASSES)
        return self

    def _values(self, X):
        channel, start = self.where
        return X[:, channel, start : start + 6]

    def predict_proba(self, X):
        if self.log is not None:
            self.log.append(X)
        return softmax(np.asarray(self._values(X), dtype=float) / 30, axis=1)


class Symmetric(Reader):
    """One that cannot tell left from right, nor the direction of time."""

    def _values(self, X):
        both = np.abs(X[:, 0]) + np.abs(X[:, 1])
        return np.sort(both, axis=1)[:, :6]


def augmenter(*transforms, estimator=None, **params):
    params = {"ch_names": NAMES, **params}
    return TestTimeAugmenter(estimator or Reader(), list(transforms), **params)


# What it averages --------------------------------------------------------------------


def test_a_classifier_that_reads_one_side_sees_the_other():
    mirrored = augmenter("mirror").fit(X, Y)
    other_side = Reader(where=(1, 0)).fit(X, Y)
    np.testing.assert_array_equal(
        mirrored.predict_proba(X), other_side.predict_proba(X)
    )
    backwards = augmenter("time_reverse").fit(X, Y).predict_proba(X)
    expected = softmax(X[:, 0, ::-1][:, :6].astype(float) / 30, axis=1)
    np.testing.assert_allclose(backwards, expected, rtol=1e-12)


def test_probabilities_are_averaged_with_weights():
    fitted = augmenter("identity", "mirror", weights=[3, 1]).fit(X, Y)
    one, other = (Reader(where=(i, 0)).fit(X, Y).predict_proba(X) for i in range(2))
    np.testing.assert_allclose(
        fitted.predict_proba(X), 0.75 * one + 0.25 * other, rtol=1e-12
    )
    assert fitted.weights_.tolist() == [0.75, 0.25]
    each = fitted.predict_proba_by_transform(X)
    np.testing.assert_array_equal(each, np.stack([one, other], axis=1))


def test_logarithms_are_averaged_as_logits_are():
    fitted = augmenter("identity", "mirror", weights=[3, 1], average="log").fit(X, Y)
    logits = 0.75 * X[:, 0, :6].astype(float) + 0.25 * X[:, 1, :6]
    expected = softmax(logits / 30, axis=1)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-6)


def test_equal_weights_by_default():
    fitted = augmenter("identity", "mirror", "time_reverse").fit(X, Y)
    np.testing.assert_allclose(fitted.weights_, 1 / 3)
    each = fitted.predict_proba_by_transform(X)
    np.testing.assert_allclose(fitted.predict_proba(X), each.mean(axis=1))


@pytest.mark.parametrize("average", ["probability", "log"])
def test_a_symmetric_classifier_is_not_changed(average):
    given = ["identity", "mirror", "time_reverse", "polarity_flip"]
    fitted = augmenter(*given, estimator=Symmetric(), average=average).fit(X, Y)
    alone = Symmetric().fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(fitted.predict_proba(X), alone, rtol=1e-12)


def test_the_mirror_makes_any_classifier_symmetric():
    fitted = augmenter("identity", "mirror", estimator=ChannelPowerClassifier())
    fitted.fit(X, Y)
    mirrored = X[:, [1, 0, 2, 3]]
    assert not np.allclose(
        fitted.estimator_.predict_proba(X), fitted.estimator_.predict_proba(mirrored)
    )
    np.testing.assert_allclose(
        fitted.predict_proba(X), fitted.predict_proba(mirrored), rtol=1e-12
    )


def test_five_segments_have_the_weights_of_the_fifth_place():
    fitted = augmenter(average="log").set_params(transforms="fifth_uemu").fit(X, Y)
    starts = [0, 12, 24, 36, 48]
    parts = [X[:, 0, start : start + 6].astype(float) for start in starts]
    logits = sum(
        w * part for w, part in zip((0.05, 0.2, 0.5, 0.2, 0.05), parts, strict=True)
    )
    expected = softmax(logits / 30, axis=1)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-6)
    own = augmenter(weights=[0, 0, 1, 0, 0]).set_params(transforms="fifth_uemu")
    assert own.fit(X, Y).weights_.tolist() == [0, 0, 1, 0, 0]


# What is not computed ----------------------------------------------------------------


def test_identity_is_the_array_itself_and_nothing_runs_twice():
    log = []
    fitted = augmenter("identity", "mirror", estimator=Reader(log=log)).fit(X, Y)
    log = fitted.estimator_.log
    log.clear()
    fitted.predict_proba(X)
    assert [seen is X for seen in log] == [True, False]


def test_what_has_no_weight_does_not_run():
    fitted = augmenter(
        "identity",
        "mirror",
        ("shift", 0.1),
        estimator=Reader(log=[]),
        weights=[1, 0, 0],
    ).fit(X, Y)
    fitted.estimator_.log.clear()
    fitted.predict_proba(X)
    assert len(fitted.estimator_.log) == 1


def test_fit_sees_the_data_as_they_are():
    class Remembers(Reader):
        def fit(self, X, y):
            self.seen_ = X, y
            return super().fit(X, y)

    fitted = augmenter("mirror", estimator=Remembers()).fit(X, Y)
    assert fitted.estimator_.seen_[0] is X
    assert fitted.estimator_.seen_[1] is Y


# A classifier that is fitted already -------------------------------------------------


def test_a_frozen_classifier_is_used_as_it_is():
    ready = ChannelPowerClassifier().fit(X, Y)
    fitted = augmenter("identity", "mirror", estimator=FrozenEstimator(ready)).fit(X)
    assert fitted.estimator_.estimator is ready
    expected = (ready.predict_proba(X) + ready.predict_proba(X[:, [1, 0, 2, 3]])) / 2
    np.testing.assert_allclose(fitted.predict_proba(X), expected)
    again = clone(fitted).fit(X, Y)
    assert again.estimator_.estimator is ready


def test_a_frozen_classifier_must_be_fitted():
    with pytest.raises(NotFittedError):
        augmenter("mirror", estimator=FrozenEstimator(ChannelPowerClassifier())).fit(X)


# Views -------------------------------------------------------------------------------


class ReadsTwoViews(Reader):
    def predict_proba(self, X):
        side = X["eeg"][:, 0, :6] / 30 + X["host"][:, 0, 0, :6]
        return softmax(np.asarray(side, dtype=float), axis=1)


def test_views_are_mirrored_together(rng):
    host = rng.normal(size=(len(X), 4, 3, 9))
    names = {"eeg": NAMES, "host": ["LL", "RL", "LP", "RP"]}
    views = WindowViews(eeg=X, host=host)
    fitted = augmenter("mirror", estimator=ReadsTwoViews(), ch_names=names)
    fitted.fit(views, Y)
    expected = X[:, 1, :6] / 30 + host[:, 1, 0, :6]
    np.testing.assert_allclose(
        fitted.predict_proba(views), softmax(expected, axis=1), rtol=1e-6
    )
    eeg_only = augmenter(
        ("mirror", {"views": ["eeg"]}), estimator=ReadsTwoViews(), ch_names=names
    ).fit(views, Y)
    expected = X[:, 1, :6] / 30 + host[:, 0, 0, :6]
    np.testing.assert_allclose(
        eeg_only.predict_proba(views), softmax(expected, axis=1), rtol=1e-6
    )


def test_a_view_without_names_is_an_error(rng):
    views = WindowViews(eeg=X, host=rng.normal(size=(len(X), 4, 3, 9)))
    with pytest.raises(ValueError, match="the windows are the view 'host'"):
        augmenter("mirror", ch_names={"eeg": NAMES}).fit(views, Y)


# scikit-learn ------------------------------------------------------------------------


def power(*transforms, **params):
    return augmenter(*transforms, estimator=ChannelPowerClassifier(), **params)


def test_it_is_a_classifier_with_the_tags_of_its_own():
    both = power("identity", "mirror")
    assert is_classifier(both)
    assert get_tags(both).input_tags.three_d_array
    assert both.fit(X, Y).n_features_in_ == 4
    assert both.classes_.tolist() == list(CLASSES)
    assert set(both.predict(X)) <= set(CLASSES)
    assert both.score(X, Y) == pytest.approx(-kl_divergence(Y, both.predict_proba(X)))
    assert "ChannelPowerClassifier" in estimator_html_repr(both)
    assert not TestTimeAugmenter.__test__
    with pytest.raises(AttributeError, match="has no n_features_in_"):
        _ = power("identity").n_features_in_


def test_parameters_are_reached_and_cloned():
    both = power("identity", "mirror").set_params(estimator__alpha=0.5, weights=[1, 2])
    copied = clone(both)
    assert copied.estimator.alpha == 0.5
    assert copied.get_params()["weights"] == [1, 2]
    assert copied.estimator is not both.estimator


@pytest.mark.parametrize("how", ["pickle", "joblib"])
def test_a_copy_from_disk_predicts_the_same(how, tmp_path):
    fitted = power("identity", ["mirror", ("shift", 0.05)], np.negative).fit(X, Y)
    if how == "pickle":
        copied = pickle.loads(pickle.dumps(fitted))
    else:
        joblib.dump(fitted, tmp_path / "both.joblib")
        copied = joblib.load(tmp_path / "both.joblib")
    np.testing.assert_array_equal(copied.predict_proba(X), fitted.predict_proba(X))


def test_in_cross_validation_and_search():
    both = power("identity", "mirror")
    scores = cross_val_score(
        both, X, Y, groups=PATIENT, cv=GroupKFold(3), scoring=kl_scorer
    )
    assert np.isfinite(scores).all()
    grid = {"transforms": [["identity"], ["identity", "mirror"]]}
    search = GridSearchCV(both, grid, cv=3, scoring=kl_scorer).fit(X, Y)
    assert search.predict_proba(X).shape == (36, 6)


def test_as_a_member_of_a_stack():
    members = [("plain", ChannelPowerClassifier()), ("both", power("mirror"))]
    stack = StackingKLClassifier(members, cv=3).fit(X, Y, groups=PATIENT)
    assert list(stack.member_kl_) == ["plain", "both"]
    assert stack.predict_proba(X).shape == (36, 6)
    nested = [("both", power("identity", "mirror", weights="fit", cv=2))]
    stack = StackingKLClassifier(nested, cv=3)
    stack.fit(X, Y, groups=PATIENT, both__sample_weight=np.ones(36))
    assert stack.estimators_[0].weights_.sum() == pytest.approx(1)


def test_a_second_fit_forgets_the_first():
    both = power("identity", "mirror", weights="fit", cv=3).fit(X, Y)
    assert hasattr(both, "kl_")
    both.set_params(weights=None).fit(X, Y)
    for name in ("kl_", "kl_in_sample_", "transform_kl_"):
        assert not hasattr(both, name)


# Errors, before anything is fitted ---------------------------------------------------


class MustNotFit(Reader):
    def fit(self, X, y):
        raise AssertionError("fitted before the parameters were checked")


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"transforms": ["miror"]}, "'miror' is not known"),
        ({"transforms": "mirror"}, "no published combination"),
        ({"transforms": [("shift", 9.0)]}, "transform 'shift\\(9.0\\)': .*too short"),
        ({"transforms": [("segment", {"index": 0, "n_segments": 99})]}, "99 parts"),
        ({"transforms": ["horizontal_flip"]}, "takes windows of 4 or 5 axes"),
        ({"weights": [1]}, "weights has shape \\(1,\\), and there are 2"),
        ({"weights": [1, -1]}, "not negative"),
        ({"weights": [0, 0]}, "above zero"),
        ({"weights": [1, np.nan]}, "finite"),
        ({"weights": ["a", 1]}, "weights must be numbers"),
        ({"weights": "best"}, "'fit', one number for each transform, or None"),
        ({"average": "logit"}, "average must be one of"),
        ({"ch_names": None}, "names of the channels are not known"),
        ({"ch_names": ["Fp1", "Fp2", "Cz"]}, "does not hold the 3 derivations"),
        ({"ch_names": ["Fp1", "Fp2", "Cz", "left"]}, "side of 'left' is not known"),
        ({"ch_names": CH_NAMES}, "does not hold the 20 derivations"),
        ({"ch_names": None, "montage": "banana"}, "montage 'banana' is not known"),
        ({"montage": "double_banana"}, "montage and ch_names both"),
        ({"sfreq": -1.0, "transforms": [("shift", 0.1)]}, "sfreq must be"),
        ({"step": "crop"}, "not a Pipeline"),
    ],
)
def test_unusable_parameters(params, match):
    both = augmenter("identity", "mirror", estimator=MustNotFit())
    with pytest.raises(ValueError, match=match) as error:
        both.set_params(**params).fit(X, Y)
    assert "TestTimeAugmenter" in str(error.value)


def test_no_classifier_and_a_class():
    with pytest.raises(TypeError, match="no predict_proba"):
        TestTimeAugmenter(LinearRegression()).fit(X, Y)
    with pytest.raises(TypeError, match="is a class"):
        TestTimeAugmenter(ChannelPowerClassifier).fit(X, Y)


class InsistsOnLength(Reader):
    def predict_proba(self, X):
        if X.shape[-1] != 60:
            raise ValueError(f"windows of {X.shape[-1]} samples.")
        return super().predict_proba(X)


def test_a_classifier_that_insists_on_the_length_says_so_in_fit():
    with pytest.raises(ValueError, match=r"cannot take what .*'shift\(0.1\)' gives"):
        augmenter(("shift", 0.1), estimator=InsistsOnLength()).fit(X, Y)
    kept = ("shift", {"seconds": 0.1, "ends": "edge"})
    fitted = augmenter(kept, estimator=InsistsOnLength()).fit(X, Y)
    expected = softmax(X[:, 0, 20:26].astype(float) / 30, axis=1)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-12)


def test_broken_probabilities_are_refused():
    class Broken(Reader):
        def predict_proba(self, X):
            return 2 * super().predict_proba(X)

    fitted = augmenter("identity", estimator=Broken()).fit(X, Y)
    with pytest.raises(ValueError, match=r"TestTimeAugmenter: .*do not sum to one"):
        fitted.predict_proba(X)


def test_a_fit_that_failed_is_none():
    both = augmenter("identity", estimator=MustNotFit())
    with pytest.raises(AssertionError, match="fitted before"):
        both.fit(X, Y)
    with pytest.raises(NotFittedError):
        both.predict_proba(X)


def test_unfitted():
    with pytest.raises(NotFittedError):
        augmenter("mirror").predict_proba(X)
