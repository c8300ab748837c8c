"""Out-of-fold predictions: the target untouched, patients whole, columns right."""

import inspect

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from skorch.helper import SliceDict
from soft_labels import (
    Attrs,
    Broken,
    SoftForestlike,
    SoftLogistic,
    Spy,
    make_votes,
)

from hmsklearn.metrics import kl_divergence, make_kl_scorer
from hmsklearn.model_selection import oof_predict_proba
from hmsklearn.votes import CLASSES, VOTE_COLUMNS

X, Y, PATIENT = make_votes()
SHARES = Y / Y.sum(axis=1, keepdims=True)


def by_hand(estimator, X, y, splits):
    proba = np.empty((len(X), 6))
    for train, test in splits:
        proba[test] = estimator.fit(X[train], y[train]).predict_proba(X[test])
    return proba


# The trap ----------------------------------------------------------------------------


@pytest.mark.parametrize("y", [Y, SHARES], ids=["counts", "fractions"])
def test_cross_val_predict_corrupts_votes_and_oof_predict_proba_does_not(y):
    seen = []

    class Listening(Spy):
        def fit(self, X, y):
            seen.append(np.array(y))
            return super().fit(X, y)

    ids = np.arange(len(y))[:, None]
    cross_val_predict(Listening(), ids, y, method="predict_proba", cv=KFold(4))
    trains = [train for train, _ in KFold(4).split(ids)]
    for part, train in zip(seen, trains, strict=True):
        # Ranks of the values of each column instead of the values.
        ranks = np.stack(
            [np.unique(column, return_inverse=True)[1] for column in y.T], axis=1
        )
        np.testing.assert_array_equal(part, ranks[train])
        assert part.dtype.kind == "i"
        assert not np.array_equal(part, y[train])

    seen.clear()
    oof_predict_proba(Listening(), ids, y, cv=KFold(4))
    for part, train in zip(seen, trains, strict=True):
        np.testing.assert_array_equal(part, y[train])
        assert part.dtype == y.dtype


def test_what_the_ranks_cost():
    """An estimator without a guard trains on ranks happily, and is worse."""

    class Unguarded(SoftLogistic):
        guard = False

        def fit(self, X, y):
            y = np.asarray(y, dtype=float)
            return super().fit(X, (y / y.sum(axis=1, keepdims=True))[..., None])

    shares = np.maximum(SHARES, 1e-3)
    shares /= shares.sum(axis=1, keepdims=True)
    cv = GroupKFold(4)
    wrong = cross_val_predict(
        Unguarded(), X, shares, groups=PATIENT, cv=cv, method="predict_proba"
    )
    right = oof_predict_proba(SoftLogistic(), X, shares, groups=PATIENT, cv=cv)
    assert kl_divergence(shares, right) < 0.8 * kl_divergence(shares, wrong)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_guarded_estimator_raises_under_cross_val_predict(n_jobs):
    for y in (Y, SHARES):
        with pytest.raises(ValueError, match=r"SoftLogistic: .*oof_predict_proba"):
            cross_val_predict(
                SoftLogistic(), X, y, method="predict_proba", cv=3, n_jobs=n_jobs
            )


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_votes_with_a_third_axis_pass_through_cross_val_predict(n_jobs):
    cv = GroupKFold(3)
    proba = cross_val_predict(
        SoftLogistic(),
        X,
        Y[..., None],
        groups=PATIENT,
        method="predict_proba",
        cv=cv,
        n_jobs=n_jobs,
    )
    expected = oof_predict_proba(SoftLogistic(), X, Y, groups=PATIENT, cv=cv)
    np.testing.assert_allclose(proba, expected, rtol=1e-12)


# The result --------------------------------------------------------------------------


def test_equals_a_loop_by_hand():
    splits = list(GroupKFold(5).split(X, Y, PATIENT))
    expected = by_hand(SoftLogistic(), X, Y, splits)
    actual = oof_predict_proba(SoftLogistic(), X, Y, groups=PATIENT)
    np.testing.assert_array_equal(actual, expected)
    assert actual.shape == (120, 6)


def test_rows_keep_their_order_under_shuffled_folds():
    cv = KFold(4, shuffle=True, random_state=3)
    expected = by_hand(SoftLogistic(), X, Y, list(cv.split(X)))
    np.testing.assert_array_equal(
        oof_predict_proba(SoftLogistic(), X, Y, cv=cv), expected
    )


@pytest.mark.parametrize("splitter_state", [0, np.random.RandomState(0)])
def test_n_jobs_changes_nothing(splitter_state):
    results = []
    for n_jobs in (None, 2):
        if not isinstance(splitter_state, int):
            splitter_state = np.random.RandomState(0)
        results.append(
            oof_predict_proba(
                SoftForestlike(random_state=7),
                X,
                Y,
                cv=KFold(4, shuffle=True, random_state=splitter_state),
                n_jobs=n_jobs,
                return_folds=True,
            )
        )
    np.testing.assert_array_equal(results[0].proba, results[1].proba)
    np.testing.assert_array_equal(results[0].folds, results[1].folds)


def test_returned_folds_and_estimators():
    splits = list(GroupKFold(3).split(X, Y, PATIENT))
    result = oof_predict_proba(
        SoftLogistic(),
        X,
        Y,
        groups=PATIENT,
        cv=3,
        return_folds=True,
        return_estimators=True,
    )
    assert sorted(result) == ["classes", "estimators", "folds", "proba"]
    assert result.classes.tolist() == list(CLASSES)
    for number, (estimator, (_, test)) in enumerate(
        zip(result.estimators, splits, strict=True)
    ):
        assert (result.folds[test] == number).all()
        np.testing.assert_array_equal(
            estimator.predict_proba(X[test]), result.proba[test]
        )
    only = oof_predict_proba(SoftLogistic(), X, Y, cv=3, return_estimators=True)
    assert sorted(only) == ["classes", "estimators", "proba"]
    assert len({id(estimator) for estimator in only.estimators}) == 3


def test_the_estimator_itself_is_left_alone():
    estimator = SoftLogistic(C=0.5)
    oof_predict_proba(estimator, X, Y, cv=3)
    assert vars(estimator) == {"C": 0.5, "classes": "hms", "columns": None}


def test_float32_stays_float32():
    class Single(Spy):
        def predict_proba(self, X):
            return super().predict_proba(X).astype(np.float32)

    assert oof_predict_proba(Single(), X, Y, cv=3).dtype == np.float32


# Containers --------------------------------------------------------------------------


def test_forms_of_y():
    expected = oof_predict_proba(SoftLogistic(), X, Y, groups=PATIENT)
    frame = pd.DataFrame(Y, columns=list(VOTE_COLUMNS))
    for y in (Y.tolist(), Y[..., None], frame.iloc[:, ::-1], frame.set_index(PATIENT)):
        actual = oof_predict_proba(SoftLogistic(), X, y, groups=PATIENT)
        np.testing.assert_allclose(actual, expected, rtol=1e-10)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_attrs_of_a_frame_survive(n_jobs):
    rows = pd.DataFrame({"window": np.arange(120)}, index=np.arange(120)[::-1])
    rows.attrs["root"] = X
    pipe = make_pipeline(Attrs(), SoftLogistic())
    actual = oof_predict_proba(pipe, rows, Y, groups=PATIENT, n_jobs=n_jobs)
    expected = oof_predict_proba(SoftLogistic(), X, Y, groups=PATIENT)
    np.testing.assert_array_equal(actual, expected)


def _features_of(views):
    return views["features"]


def test_slice_dict_and_list():
    pipe = make_pipeline(FunctionTransformer(_features_of), SoftLogistic())
    views = SliceDict(features=X, spectrogram=np.zeros((120, 2, 2)))
    expected = oof_predict_proba(SoftLogistic(), X, Y, groups=PATIENT)
    for n_jobs in (None, 2):
        actual = oof_predict_proba(pipe, views, Y, groups=PATIENT, n_jobs=n_jobs)
        np.testing.assert_array_equal(actual, expected)
    actual = oof_predict_proba(SoftLogistic(), X.tolist(), Y, groups=PATIENT)
    np.testing.assert_array_equal(actual, expected)
    with pytest.raises(TypeError, match="oof_predict_proba: X is a plain dict"):
        oof_predict_proba(pipe, dict(views), Y, groups=PATIENT)


def test_three_axes():
    windows = X[:, :, None] + np.zeros((1, 1, 5))
    flat = make_pipeline(FunctionTransformer(_first_sample), SoftLogistic())
    np.testing.assert_array_equal(
        oof_predict_proba(flat, windows, Y, groups=PATIENT),
        oof_predict_proba(SoftLogistic(), X, Y, groups=PATIENT),
    )


def _first_sample(windows):
    return windows[:, :, 0]


def test_hard_labels_of_scikit_learns_classifiers():
    hard = np.resize(["b", "a", "c"], 120)
    cv = StratifiedKFold(3)
    expected = cross_val_predict(
        LogisticRegression(), X, hard, cv=cv, method="predict_proba"
    )
    splits = list(cv.split(X, hard))
    result = oof_predict_proba(
        LogisticRegression(), X, hard, cv=splits, return_folds=True
    )
    np.testing.assert_allclose(result.proba, expected, rtol=1e-12)
    assert result.classes.tolist() == ["a", "b", "c"]


# Patients ----------------------------------------------------------------------------


def test_a_patient_is_never_on_both_sides():
    ids = np.arange(120)[:, None]
    result = oof_predict_proba(
        Spy(), ids, Y, groups=PATIENT, return_folds=True, return_estimators=True
    )
    for number, spy in enumerate(result.estimators):
        trained = set(PATIENT[spy.seen_X_[:, 0]])
        asked = set(PATIENT[spy.asked_X_[:, 0]])
        assert trained.isdisjoint(asked)
        assert trained | asked == set(PATIENT)
        assert asked == set(PATIENT[result.folds == number])


def test_leaking_splits_raise():
    with pytest.raises(ValueError, match=r"group 'p\d+' is on both sides of split"):
        oof_predict_proba(Spy(), X, Y, groups=PATIENT, cv=KFold(5))
    with pytest.raises(ValueError, match=r"13 folds need at least 13 groups.* only 12"):
        oof_predict_proba(Spy(), X, Y, groups=PATIENT, cv=13)


# fit parameters and routing ----------------------------------------------------------


def test_groups_do_not_reach_the_estimator_unasked():
    result = oof_predict_proba(
        Spy(), X, Y, groups=PATIENT, cv=3, return_estimators=True
    )
    assert all(spy.seen_groups_ is None for spy in result.estimators)


def test_params_are_cut_by_row():
    weight = np.arange(120.0)
    splits = list(GroupKFold(3).split(X, Y, PATIENT))
    result = oof_predict_proba(
        Spy(),
        X,
        Y,
        groups=PATIENT,
        cv=3,
        params={"groups": PATIENT, "sample_weight": pd.Series(weight)},
        return_estimators=True,
    )
    for spy, (train, _) in zip(result.estimators, splits, strict=True):
        np.testing.assert_array_equal(spy.seen_groups_, PATIENT[train])
        np.testing.assert_array_equal(spy.seen_weight_, weight[train])


def test_params_of_a_pipelines_step():
    pipe = make_pipeline(StandardScaler(), Spy())
    result = oof_predict_proba(
        pipe,
        X,
        Y,
        groups=PATIENT,
        cv=3,
        params={"spy__groups": PATIENT},
        return_estimators=True,
        n_jobs=2,
    )
    for fitted, (train, _) in zip(
        result.estimators, GroupKFold(3).split(X, Y, PATIENT), strict=True
    ):
        np.testing.assert_array_equal(fitted[-1].seen_groups_, PATIENT[train])


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_requested_groups_reach_the_estimator(n_jobs):
    asking = Spy().set_fit_request(groups=True, sample_weight=False)
    pipe = make_pipeline(StandardScaler(), asking)
    for estimator in (asking, pipe):
        for given in ({"groups": PATIENT}, {"params": {"groups": PATIENT}}):
            result = oof_predict_proba(
                estimator,
                X,
                Y,
                cv=GroupKFold(3),
                return_estimators=True,
                n_jobs=n_jobs,
                **given,
            )
            for fitted, (train, test) in zip(
                result.estimators, GroupKFold(3).split(X, Y, PATIENT), strict=True
            ):
                spy = fitted if isinstance(fitted, Spy) else fitted[-1]
                np.testing.assert_array_equal(spy.seen_groups_, PATIENT[train])
                assert len(spy.asked_X_) == len(test)


@pytest.mark.usefixtures("routing")
def test_refused_and_unset_requests():
    deaf = Spy().set_fit_request(groups=False, sample_weight=False)
    result = oof_predict_proba(deaf, X, Y, groups=PATIENT, cv=3, return_estimators=True)
    assert all(spy.seen_groups_ is None for spy in result.estimators)
    with pytest.raises(UnsetMetadataPassedError, match="groups"):
        oof_predict_proba(Spy(), X, Y, groups=PATIENT, cv=3)
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        oof_predict_proba(
            deaf.set_fit_request(sample_weight=None),
            X,
            Y,
            cv=3,
            params={"sample_weight": np.ones(120)},
        )
    with pytest.raises(TypeError, match="unexpected argument"):
        oof_predict_proba(deaf, X, Y, cv=3, params={"nonsense": 1})
    with pytest.raises(ValueError, match="groups is given twice"):
        oof_predict_proba(deaf, X, Y, groups=PATIENT, params={"groups": PATIENT})


@pytest.mark.usefixtures("routing")
def test_an_estimator_without_use_for_groups_is_no_error():
    proba = oof_predict_proba(SoftLogistic(), X, Y, groups=PATIENT, cv=3)
    with sklearn.config_context(enable_metadata_routing=False):
        expected = oof_predict_proba(SoftLogistic(), X, Y, groups=PATIENT, cv=3)
    np.testing.assert_array_equal(proba, expected)


def test_meta_estimators_inside():
    search = GridSearchCV(
        SoftLogistic(), {"C": [1e-3, 1.0]}, cv=2, scoring=make_kl_scorer()
    )
    proba = oof_predict_proba(search, X, Y, groups=PATIENT, cv=3)
    assert kl_divergence(Y, proba) < kl_divergence(Y, np.full((120, 6), 1 / 6))


# Errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LinearRegression(), "LinearRegression has no predict_proba"),
        (make_pipeline(StandardScaler(), LinearRegression()), "Pipeline has no pred"),
        (SVC(), "SVC has no predict_proba"),
        (SoftLogistic, r"SoftLogistic is a class, expected an instance: SoftLog"),
        ("drop", "str has no fit"),
        (RandomForestClassifier(n_estimators=2), "gives a list of 6 arrays"),
        (Broken(how="nameless"), "Broken has no classes_ after fit"),
    ],
)
def test_wrong_estimators(estimator, message):
    with pytest.raises(TypeError, match=f"oof_predict_proba: .*{message}"):
        oof_predict_proba(estimator, X, Y, cv=3)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            "nan",
            r"do not sum to one \(first in held-out row 1: \[nan.*; 1 of 40 in all",
        ),
        ("logits", r"do not sum to one \(first in held-out row 1"),
        ("negative", r"are negative somewhere \(first in held-out row 1"),
        ("width", r"has shape \(40, 5\), expected \(40, 6\)"),
        ("rows", r"has shape \(39, 6\), expected \(40, 6\)"),
    ],
)
def test_wrong_probabilities(how, message):
    with pytest.raises(ValueError, match=f"predict_proba of Broken .*{message}"):
        oof_predict_proba(Broken(how=how), X, Y, cv=3)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_folds_that_disagree_about_the_classes(n_jobs):
    hard = np.repeat(["a", "b", "c"], 40)
    with pytest.raises(
        ValueError, match=r"LogisticRegression knows the classes \['b', "
    ):
        oof_predict_proba(LogisticRegression(), X, hard, cv=KFold(3), n_jobs=n_jobs)


def test_wrong_lengths():
    with pytest.raises(ValueError, match="X has 120 rows, y has 119"):
        oof_predict_proba(Spy(), X, Y[:-1])
    with pytest.raises(ValueError, match=r"groups has shape \(119,\)"):
        oof_predict_proba(Spy(), X, Y, groups=PATIENT[:-1])


# Progress ----------------------------------------------------------------------------


def test_progress_names_fold_rows_divergence_and_seconds(capsys):
    result = oof_predict_proba(
        SoftLogistic(), X, Y, groups=PATIENT, cv=3, verbose=1, return_folds=True
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for number, line in enumerate(lines):
        held_out = result.folds == number
        kl = kl_divergence(Y[held_out], result.proba[held_out])
        start = f"[oof_predict_proba] fold {number + 1}/3: {held_out.sum()} rows held "
        assert line.startswith(f"{start}out, KL {kl:.4f}, ")
        assert line.endswith(" s")


def test_progress_without_a_divergence(capsys):
    class Wider(Spy):
        def predict_proba(self, X):
            self.classes_ = np.arange(7)
            return np.full((len(X), 7), 1 / 7)

    oof_predict_proba(Wider(), X, Y, cv=3, verbose=1)
    assert "KL" not in capsys.readouterr().out
    oof_predict_proba(Spy(), X, Y, cv=3)
    assert capsys.readouterr().out == ""


def test_keywords_only_after_y():
    kinds = [p.kind for p in inspect.signature(oof_predict_proba).parameters.values()]
    assert kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) == 3


class _Stateful(TransformerMixin, ClassifierMixin, BaseEstimator):
    """Would carry one fold's state into the next if it were not cloned."""

    def __init__(self, seen=()):
        self.seen = seen

    def fit(self, X, y):
        assert not hasattr(self, "fitted_")
        self.fitted_ = True
        self.classes_ = np.array(CLASSES)
        return self

    def predict_proba(self, X):
        return np.full((len(X), 6), 1 / 6)


def test_every_fold_gets_a_clone():
    oof_predict_proba(_Stateful(), X, Y, cv=4)
