"""Weights that are found out of fold, and the metadata that fit hands on."""

import numpy as np
import pytest
import sklearn
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from soft_labels import SoftLogistic, Spy, make_votes

from hmsklearn.ensemble import KLBlender, StackingKLClassifier, TestTimeAugmenter
from hmsklearn.metrics import kl_divergence, kl_scorer
from hmsklearn.model_selection import oof_predict_proba
from hmsklearn.testing import ChannelPowerClassifier, make_check_data
from hmsklearn.votes import CLASSES

X, Y, PATIENT = make_votes(n_rows=160, n_patients=14)
WEIGHT = np.random.default_rng(0).uniform(0.1, 3, size=160)


def noisy(X):
    """Give a worse look at the rows: half of what tells the class is hidden."""
    return np.where(np.arange(X.shape[1]) % 2, 0.0, X)


def opposite(X):
    """Give a look that misleads."""
    return -X


def looks(*given, estimator=None, **params):
    params = {"weights": "fit", **params}
    given = ["identity", *(given or (noisy, opposite))]
    return TestTimeAugmenter(estimator or SoftLogistic(), given, **params)


@pytest.fixture(scope="module")
def oof():
    cv = GroupKFold(4)
    views = {"identity": lambda X: X, "noisy": noisy, "opposite": opposite}
    out = np.empty((160, 3, 6))
    for train, test in cv.split(X, Y, PATIENT):
        clf = SoftLogistic().fit(X[train], Y[train])
        for number, view in enumerate(views.values()):
            out[test, number] = clf.predict_proba(view(X[test]))
    return out


# What is found -----------------------------------------------------------------------


def test_weights_are_those_of_the_blender_out_of_fold(oof):
    fitted = looks(cv=GroupKFold(4)).fit(X, Y, groups=PATIENT)
    blender = KLBlender().fit(oof, Y)
    np.testing.assert_allclose(fitted.weights_, blender.weights_, atol=1e-7)
    assert fitted.kl_in_sample_ == pytest.approx(blender.kl_, rel=1e-9)
    for number, name in enumerate(["identity", "noisy", "opposite"]):
        expected = kl_divergence(Y, oof[:, number])
        assert fitted.transform_kl_[name] == pytest.approx(expected)
    crossed = np.empty((160, 6))
    for train, test in GroupKFold(4).split(X, Y, PATIENT):
        of_the_others = KLBlender().fit(oof[train], Y[train])
        crossed[test] = of_the_others.predict_proba(oof[test])
    assert fitted.kl_ == pytest.approx(kl_divergence(Y, crossed))


@pytest.mark.parametrize("average", ["probability", "log"])
def test_they_are_at_least_as_good_as_equal_ones(average, oof):
    fitted = looks(cv=GroupKFold(4), average=average).fit(X, Y, groups=PATIENT)
    assert fitted.weights_.sum() == pytest.approx(1)
    assert (fitted.weights_ >= 0).all()
    if average == "log":
        equal = softmax(np.log(oof).mean(axis=1), axis=1)
    else:
        equal = oof.mean(axis=1)
    assert fitted.kl_in_sample_ <= kl_divergence(Y, equal) - 0.01
    assert fitted.kl_in_sample_ <= min(fitted.transform_kl_.values()) + 1e-9
    # What misleads is left out, and then not computed.
    assert fitted.weights_[2] < 0.01


def test_the_final_classifier_has_seen_all_rows():
    fitted = looks(cv=4).fit(X, Y, groups=PATIENT)
    alone = SoftLogistic().fit(X, Y)
    np.testing.assert_array_equal(fitted.estimator_.coef_, alone.coef_)
    each = fitted.predict_proba_by_transform(X)
    np.testing.assert_allclose(
        fitted.predict_proba(X), np.tensordot(each, fitted.weights_, axes=(1, 0))
    )


def test_patients_stay_whole():
    seen = []

    class Watches(SoftLogistic):
        def fit(self, X, y):
            seen.append(X[:, -1])
            return super().fit(X[:, :-1], y)

        def predict_proba(self, X):
            return super().predict_proba(X[:, :-1])

    numbers = np.unique(PATIENT, return_inverse=True)[1]
    table = np.column_stack([X, numbers])
    looks(np.copy, estimator=Watches(), cv=5).fit(table, Y, groups=PATIENT)
    assert len(seen) == 6
    for part in seen[:5]:
        inside = set(part)
        outside = [n for n in numbers if n not in inside]
        assert len(outside) + part.size == 160


def test_a_frozen_classifier_predicts_the_rows_itself():
    ready = SoftLogistic().fit(X[:80], Y[:80])
    fitted = looks(estimator=FrozenEstimator(ready), cv=4)
    fitted.fit(X[80:], Y[80:], groups=PATIENT[80:])
    parts = [ready.predict_proba(view(X[80:])) for view in (np.copy, noisy, opposite)]
    blender = KLBlender().fit(np.stack(parts, axis=1), Y[80:])
    np.testing.assert_allclose(fitted.weights_, blender.weights_, atol=1e-7)
    with pytest.raises(ValueError, match="requires y"):
        looks(estimator=FrozenEstimator(ready)).fit(X[80:])


def test_labels_of_any_kind():
    labels = np.where(X[:, 0] > 0, "high", "low")
    clf = LogisticRegression()
    fitted = looks(estimator=clf, cv=4).fit(X, labels, groups=PATIENT)
    assert fitted.classes_.tolist() == ["high", "low"]
    proba = oof_predict_proba(clf, X, labels, groups=PATIENT, cv=4)
    expected = kl_divergence(labels, proba, classes=["high", "low"])
    assert fitted.transform_kl_["identity"] == pytest.approx(expected)


def test_windows_are_mirrored_in_the_folds():
    data = make_check_data("windows", shape=(4, 60), n_windows=42)
    both = TestTimeAugmenter(
        ChannelPowerClassifier(alpha=0.01),
        weights="fit",
        ch_names=["T3", "T4", "Cz", "EKG"],
        cv=3,
    ).fit(data.X, data.votes, groups=data.groups)
    assert set(both.transform_kl_) == {"identity", "left_right_mirror"}
    assert both.kl_in_sample_ <= both.transform_kl_["identity"] + 1e-9


def test_folds_that_disagree_about_the_classes():
    labels = np.repeat(["a", "b", "c"], [60, 60, 40])
    first, last = np.arange(60), np.arange(60, 160)
    split = looks(estimator=Dummy(), cv=[(last, first), (first, last)])
    with pytest.raises(ValueError, match=r"the classes are \['b', 'c'\] in fold 0"):
        split.fit(X, labels)


class Dummy(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


# Logarithms --------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_weights_of_logarithms_are_at_their_optimum(oof, weight):
    clf = SoftLogistic()
    fitted = looks(estimator=clf, cv=GroupKFold(4), average="log")
    if weight is not None:
        # The classifier shall be the same; only the search is weighted.
        clf = FixedByFolds(oof)
        fitted.set_params(estimator=FrozenEstimator(clf.fit(X, Y)))
    fitted.fit(X, Y, groups=PATIENT, sample_weight=weight)
    rng = np.random.default_rng(0)

    def kl(weights):
        proba = softmax(np.tensordot(np.log(oof), weights, axes=(1, 0)), axis=1)
        return kl_divergence(Y, proba, sample_weight=weight)

    best = kl(fitted.weights_)
    assert best == pytest.approx(fitted.kl_in_sample_, rel=1e-5)
    for size in (1.0, 0.1, 0.001):
        for _ in range(30):
            other = (1 - size) * fitted.weights_ + size * rng.dirichlet(np.ones(3))
            assert kl(other) >= best - 1e-7


class FixedByFolds(ClassifierMixin, BaseEstimator):
    """Answers with given probabilities, told apart by what was done to the rows."""

    def __init__(self, oof):
        self.oof = oof

    def fit(self, X, y):
        self.classes_ = np.array(CLASSES)
        self.seen_ = [view(X) for view in (np.copy, noisy, opposite)]
        return self

    def predict_proba(self, X):
        same = (np.array_equal(seen[: len(X)], X) for seen in self.seen_)
        return self.oof[: len(X), next(i for i, found in enumerate(same) if found)]


# Metadata ----------------------------------------------------------------------------


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def either_routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


def test_groups_and_weights_reach_the_classifier(either_routing):
    spy = Spy()
    if either_routing:
        spy.set_fit_request(groups=True, sample_weight=True)
    fitted = looks(estimator=spy, weights=None)
    if either_routing:
        fitted.set_fit_request(sample_weight=True)
    fitted.fit(X, Y, groups=PATIENT, sample_weight=WEIGHT)
    np.testing.assert_array_equal(fitted.estimator_.seen_groups_, PATIENT)
    np.testing.assert_array_equal(fitted.estimator_.seen_weight_, WEIGHT)
    assert fitted.estimator_.seen_X_ is X
    assert fitted.estimator_.seen_y_ is Y


def test_weights_of_rows_enter_the_search(either_routing, oof):
    clf = SoftLogistic()
    fitted = looks(estimator=clf, cv=GroupKFold(4))
    if either_routing:
        clf.set_fit_request(sample_weight=True)
        fitted.set_fit_request(sample_weight=True)
    fitted.fit(X, Y, groups=PATIENT, sample_weight=WEIGHT)
    parts = np.empty((160, 3, 6))
    for train, test in GroupKFold(4).split(X, Y, PATIENT):
        one = SoftLogistic().fit(X[train], Y[train], sample_weight=WEIGHT[train])
        for number, view in enumerate((np.copy, noisy, opposite)):
            parts[test, number] = one.predict_proba(view(X[test]))
    blender = KLBlender().fit(parts, Y, sample_weight=WEIGHT)
    np.testing.assert_allclose(fitted.weights_, blender.weights_, atol=1e-7)
    expected = kl_divergence(Y, parts[:, 1], sample_weight=WEIGHT)
    assert fitted.transform_kl_["noisy"] == pytest.approx(expected)


def test_parameters_of_a_step_without_routing():
    pipe = make_pipeline(FunctionTransformer(), Spy())
    fitted = looks(estimator=pipe, weights=None)
    fitted.fit(X, Y, groups=PATIENT, spy__groups=PATIENT, spy__sample_weight=WEIGHT)
    spy = fitted.estimator_["spy"]
    np.testing.assert_array_equal(spy.seen_groups_, PATIENT)
    np.testing.assert_array_equal(spy.seen_weight_, WEIGHT)
    with pytest.raises(TypeError, match="fit of Pipeline takes no sample_weight"):
        clone(fitted).fit(X, Y, sample_weight=WEIGHT)


def test_parameters_are_cut_with_the_rows_of_a_fold():
    sizes = []

    class Measures(Spy):
        def fit(self, X, y, groups=None, sample_weight=None):
            sizes.append((len(X), len(groups), len(sample_weight)))
            return super().fit(X, y, groups, sample_weight)

    looks(estimator=Measures(), cv=4).fit(X, Y, groups=PATIENT, sample_weight=WEIGHT)
    assert len(sizes) == 5
    assert all(len(set(each)) == 1 for each in sizes)


def test_metadata_that_nobody_asked_for():
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(UnsetMetadataPassedError),
    ):
        looks(weights=None).fit(X, Y, sample_weight=WEIGHT)


def test_groups_through_a_search_with_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        grid = {"estimator__C": [0.1, 1.0]}
        search = GridSearchCV(looks(cv=3), grid, cv=GroupKFold(3), scoring=kl_scorer)
        search.fit(X, Y, groups=PATIENT)
        expected = looks(cv=3).set_params(**search.best_params_)
        expected.fit(X, Y, groups=PATIENT)
        found = search.best_estimator_.weights_
        np.testing.assert_allclose(found, expected.weights_)


def test_groups_through_a_stack(either_routing):
    members = [("both", looks(noisy, cv=3)), ("plain", SoftLogistic())]
    stack = StackingKLClassifier(members, cv=GroupKFold(4))
    own = {} if either_routing else {"both__groups": PATIENT}
    stack.fit(X, Y, groups=PATIENT, **own)
    alone = looks(noisy, cv=3).fit(X, Y, groups=PATIENT)
    np.testing.assert_allclose(stack.estimators_[0].weights_, alone.weights_)
