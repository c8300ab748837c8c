"""Temperature scaling of a classifier: out of fold, by patient, wherever it stands."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from soft_labels import Attrs, Broken, SoftLogistic, Spy, make_votes

from hmsklearn.calibration import TemperatureScaledClassifier, fit_temperature
from hmsklearn.ensemble import StackingKLClassifier
from hmsklearn.metrics import kl_divergence, kl_scorer
from hmsklearn.model_selection import oof_predict_proba
from hmsklearn.semi_supervised import PseudoLabelClassifier
from hmsklearn.votes import CLASSES, VOTE_COLUMNS

X, Y, PATIENT = make_votes(n_rows=160, n_patients=14)
WEIGHT = np.random.default_rng(0).uniform(0.1, 3, size=160)


class Sure(SoftLogistic):
    """Too sure of itself, by a known temperature."""

    def predict_proba(self, X):
        proba = super().predict_proba(X) ** 2
        return proba / proba.sum(axis=1, keepdims=True)


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def either_routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


@pytest.mark.parametrize("bias", [False, True])
def test_temperature_is_that_of_the_out_of_fold_predictions(bias):
    clf = TemperatureScaledClassifier(Sure(), bias=bias).fit(X, Y, groups=PATIENT)
    oof = oof_predict_proba(Sure(), X, Y, groups=PATIENT)
    expected = fit_temperature(oof, Y, bias=bias)
    assert clf.temperature_ == expected.temperature
    np.testing.assert_array_equal(clf.bias_, expected.bias)
    assert clf.kl_before_ == pytest.approx(kl_divergence(Y, oof))
    assert clf.kl_after_ == pytest.approx(kl_divergence(Y, expected.transform(oof)))
    assert clf.kl_after_ < clf.kl_before_
    assert clf.grad_norm_ <= 1e-9
    proba = Sure().fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(clf.predict_proba(X), expected.transform(proba))
    assert clf.classes_.tolist() == list(CLASSES)
    assert clf.n_features_in_ == 4
    assert 1.2 < clf.temperature_ < 3
    assert clf.score(X, Y) == -kl_divergence(Y, clf.predict_proba(X))


def test_honest_divergence_is_cross_fitted():
    clf = TemperatureScaledClassifier(Sure(), cv=4, bias=True).fit(X, Y, groups=PATIENT)
    oof = oof_predict_proba(Sure(), X, Y, groups=PATIENT, cv=4)
    scaled = np.empty_like(oof)
    for train, test in GroupKFold(4).split(X, Y, PATIENT):
        scaled[test] = fit_temperature(oof[train], Y[train], bias=True).transform(
            oof[test]
        )
    assert clf.kl_ == pytest.approx(kl_divergence(Y, scaled))
    assert clf.kl_after_ < clf.kl_ < clf.kl_before_


def test_patients_stay_whole():
    ids = np.arange(len(X))[:, None]
    seen = []

    class Listening(Spy):
        def fit(self, X, y):
            seen.append(set(X[:, 0]))
            return super().fit(X, y)

    TemperatureScaledClassifier(Listening(), cv=5).fit(ids, Y, groups=PATIENT)
    *folds, everything = seen
    assert len(folds) == 5
    assert len(everything) == len(X)
    for trained in folds:
        rows = np.array(sorted(trained))
        held_out = np.setdiff1d(np.arange(len(X)), rows)
        assert not set(PATIENT[rows]) & set(PATIENT[held_out])
    with pytest.raises(ValueError, match="is on both sides of split"):
        TemperatureScaledClassifier(Spy(), cv=KFold(3)).fit(ids, Y, groups=PATIENT)


def test_rows_tell_their_patients():
    rows = pd.DataFrame({"window": np.arange(len(X)), "patient_id": PATIENT})
    rows.attrs["root"] = X
    pipe = make_pipeline(Attrs(), Sure())
    y = pd.DataFrame(Y, columns=VOTE_COLUMNS)[list(VOTE_COLUMNS)[::-1]]
    clf = TemperatureScaledClassifier(pipe).fit(rows, y)
    plain = TemperatureScaledClassifier(Sure()).fit(X, Y, groups=PATIENT)
    assert clf.temperature_ == pytest.approx(plain.temperature_, rel=1e-4)
    assert clf.predict_proba(rows).shape == (len(X), 6)


@pytest.mark.parametrize("bias", [False, True])
def test_prefit(bias):
    half = len(X) // 2
    inner = Sure().fit(X[:half], Y[:half])
    clf = TemperatureScaledClassifier(inner, cv="prefit", bias=bias)
    clf.fit(X[half:], Y[half:], sample_weight=WEIGHT[half:])
    assert clf.estimator_ is inner
    proba = inner.predict_proba(X[half:])
    expected = fit_temperature(proba, Y[half:], bias=bias, sample_weight=WEIGHT[half:])
    assert clf.temperature_ == expected.temperature
    assert clf.kl_before_ == pytest.approx(
        kl_divergence(Y[half:], proba, sample_weight=WEIGHT[half:])
    )
    assert not hasattr(clf, "kl_")
    with pytest.raises(NotFittedError, match="cv='prefit' takes a fitted estimator"):
        TemperatureScaledClassifier(Sure(), cv="prefit").fit(X, Y)
    with pytest.raises(TypeError, match="does not fit it"):
        clf.fit(X, Y, noise=3)
    # The same object fitted both ways keeps nothing of the first.
    both = TemperatureScaledClassifier(inner).fit(X, Y)
    assert hasattr(both, "kl_")
    assert not hasattr(both.set_params(cv="prefit").fit(X, Y), "kl_")


def test_frozen_estimator_survives_cross_validation():
    inner = Sure().fit(X[:80], Y[:80])
    clf = TemperatureScaledClassifier(FrozenEstimator(inner), cv=3)
    scores = cross_val_score(
        clf, X[80:], Y[80:], cv=GroupKFold(3), groups=PATIENT[80:], scoring=kl_scorer
    )
    assert np.isfinite(scores).all()
    clf.fit(X[80:], Y[80:])
    expected = fit_temperature(inner.predict_proba(X[80:]), Y[80:])
    assert clf.temperature_ == pytest.approx(expected.temperature)


def test_order_is_kept_without_biases():
    clf = TemperatureScaledClassifier(Sure()).fit(X, Y)
    np.testing.assert_array_equal(clf.predict(X), clf.estimator_.predict(X))
    assert set(clf.predict(X)) <= set(CLASSES)


def test_clone_pickle_and_repr():
    clf = TemperatureScaledClassifier(
        make_pipeline(StandardScaler(), Sure()), bias=True
    )
    copy = clone(clf)
    assert repr(copy) == repr(clf)
    assert "StandardScaler" in clf._repr_html_()
    clf.fit(X, Y)
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert sum(
        value.size for value in vars(clf).values() if isinstance(value, np.ndarray)
    ) < len(X)
    with pytest.raises(NotFittedError):
        copy.predict_proba(X)
    with pytest.raises(AttributeError, match="has no n_features_in_"):
        copy.n_features_in_


def test_search_over_its_own_and_inner_parameters():
    search = GridSearchCV(
        TemperatureScaledClassifier(Sure(), cv=3),
        {"bias": [False, True], "estimator__C": [0.01, 1.0]},
        cv=GroupKFold(3),
        scoring=kl_scorer,
    ).fit(X, Y, groups=PATIENT)
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_in_a_stack(either_routing):
    """Scaled members are blended by what they predict once scaled."""
    member = TemperatureScaledClassifier(Sure(columns=[0, 1]), cv=3)
    stack = StackingKLClassifier(
        [("scaled", member), ("plain", SoftLogistic(columns=[2, 3]))], cv=4
    ).fit(X, Y, groups=PATIENT)
    unscaled = StackingKLClassifier(
        [("sure", Sure(columns=[0, 1])), ("plain", SoftLogistic(columns=[2, 3]))], cv=4
    ).fit(X, Y, groups=PATIENT)
    assert stack.member_kl_["scaled"] < unscaled.member_kl_["sure"]
    assert stack.predict_proba(X).shape == (len(X), 6)
    if either_routing:
        # The member's inner splits ask for the groups, and the stack hands them on.
        train, test = next(iter(GroupKFold(4).split(X, Y, PATIENT)))
        alone = clone(member).fit(X[train], Y[train], groups=PATIENT[train])
        fold = oof_predict_proba(member, X, Y, groups=PATIENT, cv=4)[test]
        np.testing.assert_allclose(fold, alone.predict_proba(X[test]))


def test_a_stack_inside():
    stack = StackingKLClassifier(
        [("a", Sure(columns=[0, 1])), ("b", SoftLogistic(columns=[2, 3]))], cv=3
    )
    clf = TemperatureScaledClassifier(stack, cv=3).fit(X, Y, groups=PATIENT)
    assert clf.kl_after_ <= clf.kl_before_


def test_groups_in_nested_cross_validation(either_routing):
    outer = {} if either_routing else {"groups": PATIENT}
    scores = cross_val_score(
        TemperatureScaledClassifier(Sure(), cv=3),
        X,
        Y,
        cv=GroupKFold(4),
        scoring=kl_scorer,
        params={"groups": PATIENT},
        **outer,
    )
    expected = []
    for train, test in GroupKFold(4).split(X, Y, PATIENT):
        clf = TemperatureScaledClassifier(Sure(), cv=3)
        clf.fit(X[train], Y[train], groups=PATIENT[train])
        expected.append(-kl_divergence(Y[test], clf.predict_proba(X[test])))
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


def test_weights_enter_estimator_temperature_and_divergences(either_routing):
    inner = Sure()
    if either_routing:
        inner.set_fit_request(sample_weight=True)
    clf = TemperatureScaledClassifier(inner, cv=4)
    clf.fit(X, Y, groups=PATIENT, sample_weight=WEIGHT)
    oof = np.empty(Y.shape)
    for train, test in GroupKFold(4).split(X, Y, PATIENT):
        fold = Sure().fit(X[train], Y[train], sample_weight=WEIGHT[train])
        oof[test] = fold.predict_proba(X[test])
    expected = fit_temperature(oof, Y, sample_weight=WEIGHT)
    assert clf.temperature_ == pytest.approx(expected.temperature, rel=1e-9)
    assert clf.kl_before_ == pytest.approx(expected.kl_before)
    whole = Sure().fit(X, Y, sample_weight=WEIGHT)
    np.testing.assert_allclose(
        clf.predict_proba(X), expected.transform(whole.predict_proba(X))
    )


def test_weights_are_not_silently_left_out(either_routing):
    # Routed, a pipeline wants a request; else its last step must take weights.
    last = Sure() if either_routing else KNeighborsClassifier()
    pipe = make_pipeline(StandardScaler(), last)
    clf = TemperatureScaledClassifier(pipe, cv=3)
    error = UnsetMetadataPassedError if either_routing else TypeError
    with pytest.raises(error):
        clf.fit(X, Y, sample_weight=WEIGHT)


def test_metadata_reach_the_last_step_of_a_pipeline():
    scale = StandardScaler().fit(X)
    pipe = make_pipeline(FrozenEstimator(scale), Sure())
    clf = TemperatureScaledClassifier(pipe, cv=3)
    clf.fit(X, Y, groups=PATIENT, sample_weight=WEIGHT)
    alone = TemperatureScaledClassifier(Sure(), cv=3)
    alone.fit(scale.transform(X), Y, groups=PATIENT, sample_weight=WEIGHT)
    assert clf.temperature_ == alone.temperature_
    np.testing.assert_array_equal(
        clf.predict_proba(X), alone.predict_proba(scale.transform(X))
    )
    # Named for the step, they are not given twice.
    named = clone(clf).fit(
        X, Y, groups=PATIENT, sample_weight=WEIGHT, sure__sample_weight=WEIGHT
    )
    assert named.temperature_ == clf.temperature_
    spy = TemperatureScaledClassifier(make_pipeline(StandardScaler(), Spy()), cv=3)
    spy.fit(X, Y, groups=PATIENT, sample_weight=WEIGHT)
    np.testing.assert_array_equal(spy.estimator_[-1].seen_groups_, PATIENT)
    np.testing.assert_array_equal(spy.estimator_[-1].seen_weight_, WEIGHT)


def test_fit_parameters_reach_the_estimator(either_routing):
    inner = Spy()
    if either_routing:
        inner.set_fit_request(groups=True)
        clf = TemperatureScaledClassifier(inner, cv=3).fit(X, Y, groups=PATIENT)
        np.testing.assert_array_equal(clf.estimator_.seen_groups_, PATIENT)
        return
    clf = TemperatureScaledClassifier(inner, cv=3).fit(X, Y, groups=PATIENT)
    # Whoever takes groups gets them, cut by fold and whole for the last fit.
    np.testing.assert_array_equal(clf.estimator_.seen_groups_, PATIENT)
    pipe = TemperatureScaledClassifier(make_pipeline(StandardScaler(), inner), cv=3)
    pipe.fit(X, Y, groups=PATIENT, spy__groups=PATIENT)
    np.testing.assert_array_equal(pipe.estimator_[-1].seen_groups_, PATIENT)


def test_teachers_inside_know_their_patients():
    """No warning that groups are missing, and no teacher labels who it has seen."""
    inner = PseudoLabelClassifier(SoftLogistic(), teacher_cv=3)
    clf = TemperatureScaledClassifier(inner, cv=3).fit(X, Y, groups=PATIENT)
    pairs = zip(
        clf.estimator_.teacher_groups_, clf.estimator_.pseudo_groups_, strict=True
    )
    assert all(not set(seen) & set(labelled) for seen, labelled in pairs)
    assert set(np.concatenate(clf.estimator_.pseudo_groups_)) <= set(PATIENT)


def test_workers_make_no_difference():
    one = TemperatureScaledClassifier(SoftLogistic(), cv=3).fit(X, Y)
    two = TemperatureScaledClassifier(SoftLogistic(), cv=3, n_jobs=2).fit(X, Y)
    assert one.temperature_ == two.temperature_


def test_labels_and_scikit_learns_classifiers():
    """Hard labels, and columns in an order of the estimator's own."""
    names = np.array(CLASSES)[np.arange(160) % 6]
    shuffled = KFold(4, shuffle=True, random_state=0)
    clf = TemperatureScaledClassifier(KNeighborsClassifier(7), cv=shuffled)
    clf.fit(X, names)
    assert clf.classes_.tolist() == list(CLASSES)
    assert clf.estimator_.classes_.tolist() == sorted(CLASSES)
    order = [sorted(CLASSES).index(name) for name in CLASSES]
    inner = clf.estimator_.predict_proba(X)[:, order]
    for_zero = inner == 0
    assert for_zero.any()  # neighbours give zero, which costs 34 nat where it is wrong
    scaled = clf.predict_proba(X)
    assert (scaled[for_zero] > 1e-6).all()
    assert clf.kl_after_ < 0.5 * clf.kl_before_
    number = (X[:, 0] > 0).astype(int)
    two = TemperatureScaledClassifier(
        LogisticRegression(), cv=shuffled, classes="infer"
    )
    assert two.fit(X, number).predict_proba(X).shape == (160, 2)


@pytest.mark.parametrize(
    ("estimator", "options", "y", "match"),
    [
        (Sure(), {"bias": "yes"}, Y, "bias must be True or False"),
        (Sure(), {"l2": -1.0}, Y, "l2 must not be negative"),
        (Sure(), {"tol": 0}, Y, "tol must be positive"),
        (Sure(), {"max_iter": 0}, Y, "max_iter must be at least 1"),
        (Sure(), {"cv": 1}, Y, "no number of folds"),
        (Sure(), {"cv": "prefitted"}, Y, "neither a number of folds"),
        (Broken(how="nan"), {"cv": 3}, Y, "do not sum to one"),
        (Broken(how="width"), {"cv": 3}, Y, "has shape"),
        (Sure(classes=list("abcdef")), {"cv": 3}, Y, "has the classes"),
        (Sure(classes="infer"), {"classes": "infer"}, np.zeros(160), "1 class"),
        (Sure(), {"cv": 3, "bias": True}, Y * [1, 1, 1, 1, 1, 0], "Set l2 above zero"),
    ],
)
def test_says_what_is_wrong(estimator, options, y, match):
    if np.ndim(y) == 2:
        y = y + [1, 0, 0, 0, 0, 0]
    clf = TemperatureScaledClassifier(estimator, **options)
    with pytest.raises(ValueError, match=rf"^TemperatureScaledClassifier: .*{match}"):
        clf.fit(X, y)


def test_a_class_of_one_patient_is_told_by_its_fold():
    y = np.array(Y)
    y[PATIENT != "p3", 0] = 0
    y[PATIENT == "p3", 0] += 1
    y[:, 1] += 1
    splits = list(GroupKFold(5).split(X, y, PATIENT))
    (fold,) = (k for k, (_, test) in enumerate(splits) if "p3" in PATIENT[test])
    clf = TemperatureScaledClassifier(Sure(), bias=True)
    match = rf"^TemperatureScaledClassifier: all votes for \['Seizure'\].*fold {fold} "
    with pytest.raises(ValueError, match=match):
        clf.fit(X, y, groups=PATIENT)
    assert clf.set_params(l2=1e-3).fit(X, y, groups=PATIENT).kl_ > 0
    plain = TemperatureScaledClassifier(Sure()).fit(X, y, groups=PATIENT)
    assert plain.kl_ > 0


def test_weights_of_one_patient_are_told_by_its_fold():
    weight = (PATIENT == "p3").astype(float)
    splits = list(GroupKFold(5).split(X, Y, PATIENT))
    (fold,) = (k for k, (_, test) in enumerate(splits) if "p3" in PATIENT[test])
    match = rf"^TemperatureScaledClassifier: sample_weight is zero .* fold {fold} of 5"
    with pytest.raises(ValueError, match=match):
        TemperatureScaledClassifier(Sure()).fit(
            X, Y, groups=PATIENT, sample_weight=weight
        )


def test_says_what_it_cannot_take():
    with pytest.raises(TypeError, match="has no predict_proba"):
        TemperatureScaledClassifier(StandardScaler()).fit(X, Y)
    with pytest.raises(TypeError, match="is a class, expected an instance"):
        TemperatureScaledClassifier(Sure).fit(X, Y)
    with pytest.raises(ValueError, match="zero in every row"):
        TemperatureScaledClassifier(Sure()).fit(X, Y, sample_weight=np.zeros(160))
