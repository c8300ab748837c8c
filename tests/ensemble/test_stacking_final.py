"""Other final estimators of a stack, and what they are given beside predictions."""

import operator

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_html_repr
from soft_labels import SoftLogistic, make_votes

from hmsklearn.ensemble import KLBlender, SoftLabelClassifier, StackingKLClassifier
from hmsklearn.metrics import kl_divergence
from hmsklearn.views import WindowViews
from hmsklearn.votes import CLASSES, VOTE_COLUMNS

X, Y, PATIENT = make_votes(n_rows=160, n_patients=14)
FRAME = pd.DataFrame(X, columns=list("abcd"))


class Recorder(KLBlender):
    """Keeps what it is given; takes views beside the probabilities."""

    def fit(self, X, y, sample_weight=None):
        self.seen_X_, self.seen_y_, self.seen_weight_ = X, y, sample_weight
        proba = X["probabilities"] if isinstance(X, WindowViews) else X
        return super().fit(proba, y, sample_weight)

    def predict_proba(self, X):
        self.asked_X_ = X
        return super().predict_proba(
            X["probabilities"] if isinstance(X, WindowViews) else X
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.dict = True
        return tags


class InFrame(SoftLogistic):
    """Takes the columns a to d of a DataFrame."""

    def _design(self, X):
        return super()._design(X[list("abcd")] if hasattr(X, "columns") else X)


def stack_of(**kwargs):
    members = [("left", InFrame(columns=[0, 1])), ("right", InFrame(columns=[2, 3]))]
    return StackingKLClassifier(members, cv=GroupKFold(4), store_oof=True, **kwargs)


def features_of(stack):
    return stack.final_estimator_.seen_X_["features"]


# Any classifier ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "final",
    [
        LogisticRegression(max_iter=1000),
        HistGradientBoostingClassifier(max_iter=10, early_stopping=False),
        RandomForestClassifier(10, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=lambda final: type(final).__name__,
)
@pytest.mark.parametrize("routing", [False, True])
def test_a_classifier_of_labels_is_taught_by_votes(final, routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        stack = stack_of(final_estimator=final).fit(X, Y, groups=PATIENT)
    assert isinstance(stack.final_estimator_, SoftLabelClassifier)
    by_hand = SoftLabelClassifier(final).fit(stack.oof_, Y)
    members = np.stack([m.predict_proba(X) for m in stack.estimators_], axis=1)
    np.testing.assert_array_equal(
        stack.predict_proba(X), by_hand.predict_proba(members)
    )
    crossed = np.empty((160, 6))
    for train, test in GroupKFold(4).split(X, Y, PATIENT):
        fold = SoftLabelClassifier(final).fit(stack.oof_[train], Y[train])
        crossed[test] = fold.predict_proba(stack.oof_[test])
    assert stack.kl_ == pytest.approx(kl_divergence(Y, crossed))
    assert not hasattr(stack, "weights_")
    assert stack.get_params()["final_estimator"] is final


def test_xgboost_on_top():
    xgboost = pytest.importorskip("xgboost")
    final = xgboost.XGBClassifier(n_estimators=10, max_depth=2, n_jobs=1)
    stack = stack_of(final_estimator=final, prediction_features=["std"])
    stack.fit(X, Y, groups=PATIENT)
    assert stack.predict_proba(X).shape == (160, 6)
    assert stack.kl_ < kl_divergence(Y, np.full((160, 6), 1 / 6))


def test_a_class_that_is_missing_in_a_fold():
    y = Y.copy()
    y[:, 0], y[:, 5] = 0, y[:, 5] + 1
    first = PATIENT[0] == PATIENT
    y[first, 0] = 4
    stack = stack_of(final_estimator=SoftLabelClassifier(GaussianNB(), min_proba=1e-3))
    stack.fit(X, y, groups=PATIENT)
    assert stack.classes_.tolist() == list(CLASSES)
    assert stack.predict_proba(X).shape == (160, 6)
    assert np.isfinite(stack.kl_)


def test_infer_and_hard_labels():
    members = [("a", LogisticRegression()), ("b", GaussianNB())]
    final = LogisticRegression(max_iter=1000)
    stack = StackingKLClassifier(members, final_estimator=final, classes="infer", cv=4)
    stack.fit(X, np.resize([3, 7], 160))
    assert set(stack.predict(X)) <= {3, 7}


def test_a_final_estimator_without_weights():
    with pytest.raises(TypeError, match=r"KNeighborsClassifier takes no sample_weight"):
        stack_of(final_estimator=KNeighborsClassifier()).fit(X, Y, groups=PATIENT)
    final = SoftLabelClassifier(KNeighborsClassifier(40), repeats=10)
    stack = stack_of(final_estimator=final).fit(X, Y, groups=PATIENT)
    assert np.isfinite(stack.kl_)


def test_repr_and_parameters_of_a_wrapped_classifier():
    stack = stack_of(final_estimator=LogisticRegression())
    stack.set_params(final_estimator__C=0.1)
    assert stack.final_estimator.C == 0.1
    assert "LogisticRegression" in estimator_html_repr(stack)


# Passthrough -------------------------------------------------------------------------


def test_columns_of_a_table():
    stack = stack_of(final_estimator=Recorder(), passthrough=True)
    stack.fit(X, Y, groups=PATIENT)
    np.testing.assert_array_equal(features_of(stack), X)
    seen = stack.final_estimator_.seen_X_["probabilities"]
    np.testing.assert_array_equal(seen, stack.oof_)
    assert len(stack.meta_features_) == 4
    stack.predict_proba(X[:5])
    np.testing.assert_array_equal(stack.final_estimator_.asked_X_["features"], X[:5])


def test_columns_of_a_frame_that_are_no_target():
    votes = pd.DataFrame(Y, columns=list(VOTE_COLUMNS))
    rows = pd.concat([FRAME, votes], axis=1)
    rows["patient_id"] = PATIENT
    rows["eeg_id"] = np.arange(160)
    rows["expert_consensus"] = "LPD"
    rows["site"] = "boston"
    rows["total_votes"] = Y.sum(axis=1)
    stack = stack_of(final_estimator=Recorder(), passthrough=True).fit(rows, Y)
    assert stack.meta_features_ == list("abcd")
    np.testing.assert_array_equal(features_of(stack), X)
    with pytest.raises(ValueError, match=r"takes \['a', .* and X lacks \['d'\]"):
        stack._blend.given(stack.oof_[:5], FRAME[["a", "b", "c"]][:5])
    with pytest.raises(ValueError, match=r"votes, identifiers or no numbers"):
        stack._blend.taken.fit(rows[["eeg_id", "lpd_vote", "site"]])


@pytest.mark.parametrize(
    "column", ["lpd_vote", "Seizure", "expert_consensus", "total_votes", "n_vote"]
)
def test_votes_are_refused(column):
    rows = FRAME.assign(**{column: 1})
    stack = stack_of(final_estimator=Recorder(), passthrough=["a", column])
    with pytest.raises(ValueError, match=rf"passthrough names \['{column}'\], which"):
        stack.fit(rows, Y, groups=PATIENT)
    stack.set_params(passthrough=operator.itemgetter(["a", column]))
    with pytest.raises(ValueError, match="which tell the votes"):
        stack.fit(rows, Y, groups=PATIENT)


@pytest.mark.parametrize("column", ["lpd_vote", "Seizure", "expert_consensus"])
def test_votes_through_a_transformer_are_refused(column):
    rows = FRAME.assign(**{column: 1.0})
    keep = ColumnTransformer([("kept", "passthrough", ["a", column])])
    stack = stack_of(final_estimator=Recorder(), passthrough=keep)
    with pytest.raises(ValueError, match=rf"names \['kept__{column}'\], which tell"):
        stack.fit(rows, Y, groups=PATIENT)
    stack.set_params(passthrough=StandardScaler())
    with pytest.raises(ValueError, match="which tell the votes"):
        stack.fit(rows, Y, groups=PATIENT)
    stack.set_params(passthrough__with_mean=False)
    stack.fit(FRAME, Y, groups=PATIENT)


def test_named_columns_and_views():
    stack = stack_of(final_estimator=Recorder(), passthrough=["c", "a"])
    stack.fit(FRAME, Y, groups=PATIENT)
    np.testing.assert_array_equal(features_of(stack), X[:, [2, 0]])
    assert stack.meta_features_ == ["c", "a"]

    views = WindowViews(eeg=X, age=np.arange(160.0), quality=X[:, :2])
    pick = FunctionTransformer(operator.itemgetter("eeg"))
    members = [("left", make_pipeline(pick, SoftLogistic()))]
    stack = StackingKLClassifier(
        members, cv=3, final_estimator=Recorder(), passthrough=["quality", "age"]
    ).fit(views, Y, groups=PATIENT)
    expected = np.column_stack([X[:, :2], np.arange(160.0)])
    np.testing.assert_array_equal(features_of(stack), expected)
    assert stack.meta_features_ == ["quality_0", "quality_1", "age_0"]


def test_a_callable():
    stack = stack_of(final_estimator=Recorder(), passthrough=np.abs)
    stack.fit(X, Y, groups=PATIENT)
    np.testing.assert_array_equal(features_of(stack), np.abs(X))
    stack.set_params(passthrough=lambda rows: np.asarray(rows)[:, 0])
    stack.fit(X, Y, groups=PATIENT)
    np.testing.assert_array_equal(features_of(stack), X[:, :1])


class MeanSpy(TransformerMixin, BaseEstimator):
    """A transformer that remembers, and counts, what it was fitted on."""

    fits = []

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        type(self).fits.append((len(X), np.array(y)))
        return self

    def transform(self, X):
        return X - self.mean_


def test_a_transformer_is_fitted_in_the_fold():
    MeanSpy.fits = []
    spy = MeanSpy()
    stack = stack_of(final_estimator=LogisticRegression(max_iter=2000), passthrough=spy)
    stack.fit(X, Y, groups=PATIENT)
    assert not hasattr(spy, "mean_")
    folds = list(GroupKFold(4).split(X, Y, PATIENT))
    # Once before the members are fitted, so that its errors come early.
    assert [n for n, _ in MeanSpy.fits] == [160, *(len(t) for t, _ in folds), 160]
    for (_, seen), (train, _) in zip(MeanSpy.fits[1:], folds, strict=False):
        np.testing.assert_array_equal(seen, Y[train])
    crossed = np.empty((160, 6))
    for train, test in folds:
        fold = SoftLabelClassifier(LogisticRegression(max_iter=2000))
        parts = [
            WindowViews(p=stack.oof_[rows], f=X[rows] - X[train].mean(axis=0))
            for rows in (train, test)
        ]
        crossed[test] = fold.fit(parts[0], Y[train]).predict_proba(parts[1])
    assert stack.kl_ == pytest.approx(kl_divergence(Y, crossed), rel=1e-6)


def test_features_help_where_they_tell_something():
    """Members that know half the features, and a blend that gets the rest."""
    members = [("half", SoftLogistic(columns=[0, 1]))]
    final = LogisticRegression(max_iter=2000)
    plain, more = (
        StackingKLClassifier(
            members, cv=4, final_estimator=final, passthrough=passthrough
        ).fit(X, Y, groups=PATIENT)
        for passthrough in (False, True)
    )
    assert more.kl_ < plain.kl_ - 0.1


@pytest.mark.parametrize(
    ("passthrough", "message"),
    [
        ("a", r"must be a truth value, a list of column names, .* got 'a'"),
        (3, r"must be a truth value, a list of column names, .* got 3"),
        ([], r"Give one name or more"),
        (["z"], r"X lacks \['z'\]"),
        (lambda rows: rows[:-1], r"of 160 rows have shape \(159, 4\)"),
        (lambda rows: np.array(["x"] * len(rows)), r"are no numbers"),
    ],
)
def test_wrong_passthrough(passthrough, message):
    stack = stack_of(final_estimator=Recorder(), passthrough=passthrough)
    with pytest.raises(ValueError, match=f"StackingKLClassifier: .*{message}"):
        stack.fit(FRAME, Y, groups=PATIENT)


def test_passthrough_of_what_has_no_columns():
    stack = stack_of(final_estimator=Recorder(), passthrough=True)
    views = WindowViews(eeg=X)
    pick = FunctionTransformer(operator.itemgetter("eeg"))
    stack.set_params(left=make_pipeline(pick, SoftLogistic()), right="drop")
    with pytest.raises(ValueError, match=r"X is a WindowViews of shape \(160,\)"):
        stack.fit(views, Y, groups=PATIENT)
    stack.set_params(passthrough=["a"], left=SoftLogistic())
    with pytest.raises(ValueError, match=r"names columns, and X is a ndarray"):
        stack.fit(X, Y, groups=PATIENT)


@pytest.mark.parametrize(
    "asked", [{"passthrough": True}, {"prediction_features": ["mean"]}]
)
def test_a_pool_takes_no_features(asked):
    with pytest.raises(
        ValueError, match=r"KLBlender blends probabilities .*HistGradientBoosting"
    ):
        stack_of(**asked).fit(X, Y, groups=PATIENT)


# Features of the predictions ---------------------------------------------------------


def test_features_of_predictions():
    names = ["mean", "max", "min", "std", "delta", "count", "entropy", "disagreement"]
    stack = stack_of(final_estimator=Recorder(), prediction_features=names)
    stack.fit(X, Y, groups=PATIENT)
    oof = stack.oof_
    mean = oof.mean(axis=1)
    votes = np.stack([(oof.argmax(axis=2) == k).sum(axis=1) for k in range(6)], axis=1)
    entropy = -(mean * np.log(mean)).sum(axis=1)
    spread = np.mean(
        [(oof[:, m] * np.log(oof[:, m] / mean)).sum(axis=1) for m in range(2)], axis=0
    )
    expected = np.column_stack(
        [
            mean,
            oof.max(axis=1),
            oof.min(axis=1),
            oof.std(axis=1),
            np.ptp(oof, axis=1),
            votes,
            entropy,
            spread,
        ]
    )
    np.testing.assert_allclose(features_of(stack), expected, atol=1e-12)
    assert stack.meta_features_[0] == "mean_Seizure"
    assert stack.meta_features_[-2:] == ["entropy", "disagreement"]
    assert len(stack.meta_features_) == 38


def test_statistics_alone_as_the_5th_place_had_them():
    statistics = ["mean", "max", "min", "std", "count", "delta"]
    final = SoftLabelClassifier(
        make_pipeline(StandardScaler(), LogisticRegression()), probabilities="drop"
    )
    stack = stack_of(final_estimator=final, prediction_features=statistics)
    stack.fit(X, Y, groups=PATIENT)
    assert stack.final_estimator_.estimator_[0].n_features_in_ == 36
    again = stack.set_params(passthrough=True).fit(X, Y, groups=PATIENT)
    assert again.final_estimator_.estimator_[0].n_features_in_ == 40


def test_features_are_vote_free():
    """The features of a row do not change with its votes."""
    other = Y[::-1].copy()
    both = []
    for y in (Y, other):
        stack = stack_of(
            final_estimator=Recorder(),
            prediction_features=["mean"],
            passthrough=True,
        ).fit(X, y, groups=PATIENT)
        both.append(stack)
    np.testing.assert_array_equal(features_of(both[0])[:, 6:], X)
    np.testing.assert_array_equal(features_of(both[1])[:, 6:], X)


@pytest.mark.parametrize("names", [["median"], ["mean", "mean"], "variance"])
def test_wrong_features(names):
    stack = stack_of(final_estimator=Recorder(), prediction_features=names)
    with pytest.raises(ValueError, match="prediction_features must be different names"):
        stack.fit(X, Y, groups=PATIENT)
