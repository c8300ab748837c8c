"""Groups and weights of a stack: to whom they go, with metadata routing and without."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from soft_labels import SoftLogistic, Spy, make_votes

from hmsklearn.ensemble import KLBlender, StackingKLClassifier
from hmsklearn.metrics import kl_divergence, kl_scorer, make_kl_scorer
from hmsklearn.model_selection import oof_predict_proba
from hmsklearn.neural import WaveformClassifier
from hmsklearn.preprocessing import AmplitudeScaler

X, Y, PATIENT = make_votes(n_rows=160, n_patients=14)
WEIGHT = np.random.default_rng(0).uniform(0.1, 3, size=160)


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def either_routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def stack_of(*members, **kwargs):
    names = "abcdef"[: len(members)]
    return StackingKLClassifier(list(zip(names, members, strict=True)), **kwargs)


def nested_by_hand(weight=None):
    scores = []
    for train, test in GroupKFold(4).split(X, Y, PATIENT):
        stack = stack_of(SoftLogistic(columns=[0, 1]), SoftLogistic(columns=[2]), cv=3)
        stack.fit(X[train], Y[train], groups=PATIENT[train])
        scores.append(-kl_divergence(Y[test], stack.predict_proba(X[test])))
    return scores


@pytest.mark.usefixtures("either_routing")
def test_groups_reach_the_splits():
    stack = stack_of(SoftLogistic(), cv=GroupKFold(5), store_oof=True)
    stack.fit(X, Y, groups=PATIENT)
    expected = oof_predict_proba(SoftLogistic(), X, Y, groups=PATIENT)
    np.testing.assert_array_equal(stack.oof_[:, 0], expected)


def test_nested_cross_validation_by_patient(either_routing):
    stack = stack_of(SoftLogistic(columns=[0, 1]), SoftLogistic(columns=[2]), cv=3)
    outer = {} if either_routing else {"groups": PATIENT}
    scores = cross_val_score(
        stack,
        X,
        Y,
        cv=GroupKFold(4),
        scoring=kl_scorer,
        params={"groups": PATIENT},
        **outer,
    )
    np.testing.assert_allclose(scores, nested_by_hand(), rtol=1e-9)


def test_patients_stay_whole_in_nested_cross_validation(either_routing):
    seen = []

    class Listening(Spy):
        def fit(self, X, y):
            self.trained = set(PATIENT[X[:, 0]])
            seen.append(self.trained)
            return super().fit(X, y)

        def predict_proba(self, X):
            asked = set(PATIENT[X[:, 0]])
            assert asked.isdisjoint(self.trained)
            return super().predict_proba(X)

    ids = np.arange(160)[:, None]
    outer = {} if either_routing else {"groups": PATIENT}
    scores = cross_val_score(
        stack_of(Listening(), cv=3),
        ids,
        Y,
        cv=GroupKFold(4),
        scoring=kl_scorer,
        params={"groups": PATIENT},
        error_score="raise",
        **outer,
    )
    assert np.isfinite(scores).all()
    assert len(seen) == 4 * (3 + 1)


def test_grid_search_by_patient(either_routing):
    stack = stack_of(SoftLogistic(), cv=GroupKFold(2))
    search = GridSearchCV(
        stack, {"a__C": [1e-5, 1.0]}, cv=GroupKFold(3), scoring=kl_scorer
    )
    if either_routing:
        search.fit(X, Y, groups=PATIENT)
        assert search.best_params_ == {"a__C": 1.0}
    else:
        # Without routing scikit-learn keeps the groups for the outer splits.
        search.set_params(estimator__cv=KFold(2)).fit(X, Y, groups=PATIENT)
        assert search.best_params_ == {"a__C": 1.0}


# Groups of the members ---------------------------------------------------------------


@pytest.mark.usefixtures("either_routing")
def test_groups_do_not_reach_members_unasked():
    spy = Spy()
    if sklearn.get_config()["enable_metadata_routing"]:
        spy.set_fit_request(groups=False, sample_weight=False)
    stack = stack_of(spy, cv=3, refit=False).fit(X, Y, groups=PATIENT)
    assert all(each.seen_groups_ is None for each in stack.estimators_[0].estimators_)


def test_groups_for_one_member_without_routing():
    stack = stack_of(Spy(), make_pipeline(StandardScaler(), Spy()), cv=3, refit=False)
    stack.fit(X, Y, groups=PATIENT, b__spy__groups=PATIENT)
    splits = list(GroupKFold(3).split(X, Y, PATIENT))
    plain, pipe = (member.estimators_ for member in stack.estimators_)
    for number, (train, _) in enumerate(splits):
        assert plain[number].seen_groups_ is None
        np.testing.assert_array_equal(pipe[number][-1].seen_groups_, PATIENT[train])
    stack.set_params(refit=True).fit(X, Y, groups=PATIENT, b__spy__groups=PATIENT)
    np.testing.assert_array_equal(stack.estimators_[1][-1].seen_groups_, PATIENT)


@pytest.mark.usefixtures("routing")
def test_groups_for_members_that_request_them():
    asking = Spy().set_fit_request(groups=True, sample_weight=False)
    deaf = Spy().set_fit_request(groups=False, sample_weight=False)
    pipe = make_pipeline(StandardScaler(), asking)
    stack = stack_of(asking, deaf, pipe, cv=3, refit=False)
    stack.fit(X, Y, groups=PATIENT)
    heard, nothing, piped = (member.estimators_ for member in stack.estimators_)
    for number, (train, _) in enumerate(GroupKFold(3).split(X, Y, PATIENT)):
        np.testing.assert_array_equal(heard[number].seen_groups_, PATIENT[train])
        np.testing.assert_array_equal(piped[number][-1].seen_groups_, PATIENT[train])
        assert nothing[number].seen_groups_ is None
    with pytest.raises(UnsetMetadataPassedError, match="groups"):
        stack_of(Spy(), cv=3).fit(X, Y, groups=PATIENT)


@pytest.mark.usefixtures("routing")
def test_a_stack_in_a_stack_asks_for_its_groups():
    class Listening(StackingKLClassifier):
        def fit(self, X, y, groups=None, sample_weight=None, **fit_params):
            assert groups is not None
            assert len(groups) == len(X)
            return super().fit(X, y, groups, sample_weight, **fit_params)

    inner = Listening([("x", SoftLogistic())], cv=2)
    stack = stack_of(inner, SoftLogistic(), cv=3).fit(X, Y, groups=PATIENT)
    assert stack.weights_.shape == (2,)


# Weights -----------------------------------------------------------------------------


def test_weights_enter_members_blend_and_divergences(either_routing):
    members = [SoftLogistic(columns=[0, 1]), SoftLogistic(columns=[2])]
    if either_routing:
        for member in members:
            member.set_fit_request(sample_weight=True)
    stack = stack_of(*members, cv=3, store_oof=True)
    stack.fit(X, Y, groups=PATIENT, sample_weight=WEIGHT)
    with sklearn.config_context(enable_metadata_routing=False):
        oof = [
            oof_predict_proba(
                member,
                X,
                Y,
                groups=PATIENT,
                cv=3,
                params={"sample_weight": WEIGHT},
            )
            for member in members
        ]
    np.testing.assert_array_equal(stack.oof_, np.stack(oof, axis=1))
    blender = KLBlender().fit(stack.oof_, Y, sample_weight=WEIGHT)
    np.testing.assert_allclose(stack.weights_, blender.weights_, atol=1e-9)
    for kl, proba in zip(stack.member_kl_.values(), oof, strict=True):
        assert kl == pytest.approx(kl_divergence(Y, proba, sample_weight=WEIGHT))
    crossed = np.empty((160, 6))
    for train, test in GroupKFold(3).split(X, Y, PATIENT):
        fold = KLBlender().fit(stack.oof_[train], Y[train], sample_weight=WEIGHT[train])
        crossed[test] = fold.predict_proba(stack.oof_[test])
    assert stack.kl_ == pytest.approx(kl_divergence(Y, crossed, sample_weight=WEIGHT))
    refitted = members[0].fit(X, Y, sample_weight=WEIGHT).predict_proba(X)
    np.testing.assert_array_equal(stack.estimators_[0].predict_proba(X), refitted)


def test_weights_for_members_that_take_none_are_an_error():
    class Unweighted(SoftLogistic):
        def fit(self, X, y):
            return super().fit(X, y)

    with pytest.raises(
        TypeError, match=r"member 'a': fit of Unweighted takes no sampl"
    ):
        stack_of(Unweighted(), cv=3).fit(X, Y, sample_weight=WEIGHT)
    pipe = make_pipeline(StandardScaler(), SoftLogistic())
    with pytest.raises(TypeError, match=r"fit of Pipeline takes no sample_weight"):
        stack_of(pipe, cv=3).fit(X, Y, sample_weight=WEIGHT)


def test_weights_for_a_step_of_a_member():
    pipe = make_pipeline(StandardScaler(), Spy())
    stack = stack_of(pipe, cv=3).fit(
        X, Y, sample_weight=WEIGHT, a__spy__sample_weight=2 * WEIGHT
    )
    np.testing.assert_array_equal(stack.estimators_[0][-1].seen_weight_, 2 * WEIGHT)
    assert stack.member_kl_["a"] == pytest.approx(
        np.average(stack.cv_results_["kl_a"], weights=_fold_weights())
    )


def _fold_weights():
    return [WEIGHT[test].sum() for _, test in KFold(3).split(X)]


@pytest.mark.usefixtures("routing")
def test_weights_are_routed_on_request():
    asking = SoftLogistic().set_fit_request(sample_weight=True)
    deaf = SoftLogistic().set_fit_request(sample_weight=False)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipe = make_pipeline(scaler, asking)
    stack = stack_of(asking, deaf, pipe, cv=3)
    stack.fit(X, Y, groups=PATIENT, sample_weight=WEIGHT)
    weighted = SoftLogistic().fit(X, Y, sample_weight=WEIGHT).predict_proba(X)
    plain = SoftLogistic().fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(stack.estimators_[0].predict_proba(X), weighted)
    np.testing.assert_array_equal(stack.estimators_[1].predict_proba(X), plain)
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        stack_of(SoftLogistic(), cv=3).fit(X, Y, sample_weight=WEIGHT)


@pytest.mark.usefixtures("routing")
def test_weights_and_groups_through_cross_val_score():
    asking = SoftLogistic().set_fit_request(sample_weight=True)
    stack = stack_of(asking, cv=3).set_fit_request(sample_weight=True)
    scores = cross_val_score(
        stack,
        X,
        Y,
        cv=GroupKFold(3),
        scoring=make_kl_scorer().set_score_request(sample_weight=True),
        params={"groups": PATIENT, "sample_weight": WEIGHT},
    )
    expected = []
    for train, test in GroupKFold(3).split(X, Y, PATIENT):
        clf = SoftLogistic().fit(X[train], Y[train], sample_weight=WEIGHT[train])
        proba = clf.predict_proba(X[test])
        expected.append(-kl_divergence(Y[test], proba, sample_weight=WEIGHT[test]))
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


def test_rows_without_weight():
    weight = WEIGHT.copy()
    test = next(GroupKFold(3).split(X, Y, PATIENT))[1]
    weight[test] = 0
    stack = stack_of(SoftLogistic(), cv=3)
    stack.fit(X, Y, groups=PATIENT, sample_weight=weight)
    assert np.isnan(stack.cv_results_["kl"]).tolist() == [True, False, False]
    assert np.isfinite(stack.kl_)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(3), r"sample_weight has shape \(3,\), expected \(160,\)"),
        (-WEIGHT, r"sample_weight must be finite and not negative, .* in row 0"),
        (np.zeros(160), r"sample_weight is zero in every row"),
    ],
)
def test_wrong_weights(weight, message):
    with pytest.raises(ValueError, match=f"StackingKLClassifier: {message}"):
        stack_of(SoftLogistic(), cv=3).fit(X, Y, sample_weight=weight)


class NeverFitted(SoftLogistic):
    """Must not be reached."""

    def fit(self, X, y, sample_weight=None):
        raise AssertionError("fitted")


def test_a_fold_is_fitted_on_rows_without_weight():
    """Told before a member is fitted, by the stack and with the number of the fold."""
    splits = list(GroupKFold(3).split(X, groups=PATIENT))
    weight = np.ones(160)
    weight[splits[1][0]] = 0
    message = r"sample_weight is zero in every row that fold 2/3 is fitted on"
    never = NeverFitted()
    with pytest.raises(ValueError, match=f"^StackingKLClassifier: {message}"):
        stack_of(never, cv=splits).fit(X, Y, groups=PATIENT, sample_weight=weight)
    with pytest.raises(
        ValueError, match=f"^StackingKLClassifier: nested_cv: {message}"
    ):
        stack_of(never, cv=GroupKFold(4), nested_cv=splits).fit(
            X, Y, groups=PATIENT, sample_weight=weight
        )
    fitted = stack_of(SoftLogistic(), cv=3, store_oof=True).fit(X, Y, groups=PATIENT)
    prefit = stack_of(fitted.named_estimators_["a"], cv="prefit")
    folds = np.empty(160, dtype=int)
    for number, (_, test) in enumerate(splits):
        folds[test] = number
    with pytest.raises(ValueError, match=f"^StackingKLClassifier: {message}"):
        prefit.fit(X, Y, oof=fitted.oof_, folds=folds, sample_weight=weight)


def test_parameters_without_a_member():
    stack = stack_of(SoftLogistic(), SoftLogistic(), cv=3)
    with pytest.raises(TypeError, match=r"unexpected argument 'c__groups'.*a__groups"):
        stack.fit(X, Y, c__groups=PATIENT)
    with pytest.raises(TypeError, match=r"unexpected argument 'epochs'.*a__epochs"):
        stack.fit(X, Y, epochs=3)
    stack.set_params(b="drop").fit(X, Y, b__groups=PATIENT)
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(TypeError, match="unexpected argument"),
    ):
        stack.fit(X, Y, epochs=3)


@pytest.mark.usefixtures("routing")
def test_routing_describes_members_and_blender():
    asking = LogisticRegression().set_fit_request(sample_weight=True)
    router = stack_of(asking, Spy(), cv=3).set_params(b="drop").get_metadata_routing()
    consumed = router.consumes("fit", ["groups", "sample_weight", "nonsense"])
    assert consumed == {"groups", "sample_weight"}


def test_neural_members_take_routed_groups():
    """Every line of the README that takes groups runs with routing on."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 4, 100)).astype(np.float32)
    y, patient = rng.multinomial(5, np.full(6, 1 / 6), 24), np.repeat(np.arange(6), 4)
    net = WaveformClassifier(
        architecture_params={"width": 8, "gru_hidden": 0},
        max_epochs=1,
        batch_size=4,
        random_state=0,
        device="cpu",
    )
    pipe = make_pipeline(AmplitudeScaler(), net)
    with sklearn.config_context(enable_metadata_routing=True):
        oof = oof_predict_proba(pipe, X, y, groups=patient, cv=2)
        stack = StackingKLClassifier([("raw", pipe)], cv=2).fit(X, y, groups=patient)
        scores = cross_val_score(
            stack,
            X,
            y,
            params={"groups": patient},
            cv=GroupKFold(2),
            scoring=kl_scorer,
            error_score="raise",
        )
    assert oof.shape == (24, 6)
    assert stack.predict_proba(X).shape == (24, 6)
    assert np.isfinite(scores).all()


# Nested, with everything at once -----------------------------------------------------


def test_rows_groups_and_weights_stay_together_in_nested_splits(either_routing):
    """Patients are whole at both levels, and each row keeps its own weight."""
    fits = []

    class Listening(Spy):
        def fit(self, X, y, groups=None, sample_weight=None):
            ids = X[:, 0]
            np.testing.assert_array_equal(sample_weight, WEIGHT[ids])
            np.testing.assert_array_equal(groups, PATIENT[ids])
            np.testing.assert_array_equal(y, Y[ids])
            self.trained = set(PATIENT[ids])
            fits.append(self.trained)
            return super().fit(X, y)

        def predict_proba(self, X):
            assert self.trained.isdisjoint(PATIENT[X[:, 0]])
            return super().predict_proba(X)

    class Blender(KLBlender):
        def fit(self, X, y, sample_weight=None, groups=None):
            assert len(X) == len(sample_weight) == len(groups)
            pairs = dict(zip(WEIGHT, PATIENT, strict=True))
            # Weights name the rows: all of them differ.
            assert [pairs[w] for w in sample_weight] == list(groups)
            return super().fit(X, y, sample_weight)

    ids = np.arange(160)[:, None]
    member = Listening()
    stack = stack_of(member, cv=3, final_estimator=Blender())
    params = {"groups": PATIENT, "sample_weight": WEIGHT}
    outer = {}
    if either_routing:
        member.set_fit_request(groups=True, sample_weight=True)
        stack.set_fit_request(sample_weight=True)
        stack.final_estimator.set_fit_request(groups=True, sample_weight=True)
    else:
        params |= {"a__groups": PATIENT}
        outer = {"groups": PATIENT}
    scorer = make_kl_scorer()
    if either_routing:
        scorer.set_score_request(sample_weight=True)
    scores = cross_val_score(
        stack,
        ids,
        Y,
        cv=GroupKFold(4),
        scoring=scorer,
        params=params,
        error_score="raise",
        **outer,
    )
    assert np.isfinite(scores).all()
    assert len(fits) == 4 * (3 + 1)
    for number, (train, _) in enumerate(GroupKFold(4).split(ids, Y, PATIENT)):
        inner = fits[4 * number : 4 * number + 4]
        assert inner[3] == set(PATIENT[train])
        assert set.union(*inner[:3]) == set(PATIENT[train])


def test_groups_reach_a_blender_that_takes_them(either_routing):
    class Blender(KLBlender):
        def fit(self, X, y, sample_weight=None, groups=None):
            self.seen_groups_ = groups
            return super().fit(X, y, sample_weight)

    for asked in (True, False):
        member, blender = Spy(), Blender()
        if either_routing:
            member.set_fit_request(groups=False)
            blender.set_fit_request(groups=asked)
        stack = stack_of(member, cv=3, final_estimator=blender)
        # Without routing, groups that are there reach all blenders that take them.
        stack.fit(X, Y, groups=PATIENT if asked or either_routing else None)
        seen = stack.final_estimator_.seen_groups_
        if asked:
            np.testing.assert_array_equal(seen, PATIENT)
        else:
            assert seen is None


def test_patients_of_the_rows_reach_the_blender(either_routing):
    class Blender(KLBlender):
        def fit(self, X, y, sample_weight=None, groups=None):
            self.seen_groups_ = groups
            return super().fit(X, y, sample_weight)

    rows = pd.DataFrame({"patient_id": PATIENT})
    member, blender = Spy(), Blender()
    if either_routing:
        member.set_fit_request(groups=False)
        blender.set_fit_request(groups=True)
    stack = stack_of(member, cv=3, final_estimator=blender).fit(rows, Y)
    np.testing.assert_array_equal(stack.final_estimator_.seen_groups_, PATIENT)


@pytest.mark.usefixtures("either_routing")
def test_the_penalty_of_the_pool_is_chosen_by_patient():
    """KLBlender(alpha="cv") gets the groups from the stack."""
    pool = KLBlender("log", alpha="cv")
    members = [SoftLogistic(columns=[0, 1]), SoftLogistic(columns=[2])]
    stack = stack_of(*members, cv=3, final_estimator=pool, store_oof=True)
    stack.fit(X, Y, groups=PATIENT)
    by_hand = KLBlender("log", alpha="cv").fit(stack.oof_, Y, groups=PATIENT)
    np.testing.assert_array_equal(stack.weights_, by_hand.weights_)
    assert stack.final_estimator_.alpha_ == by_hand.alpha_
