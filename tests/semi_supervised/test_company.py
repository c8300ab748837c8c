"""PseudoLabelClassifier in pipelines, stacks and cross-validation; metadata."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from rated_rows import Recorder, two_populations
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from soft_labels import Attrs, SoftLogistic

from hmsklearn.ensemble import SoftLabelClassifier, StackingKLClassifier
from hmsklearn.metrics import kl_divergence, kl_scorer
from hmsklearn.model_selection import oof_predict_proba
from hmsklearn.semi_supervised import PseudoLabelClassifier
from hmsklearn.views import WindowViews

X, Y, PATIENT, X_TEST, TRUTH = two_populations(n_many=60, n_few=140, n_test=40)
ROWS = np.column_stack([np.arange(200.0), X])
MANY = Y.sum(axis=1) >= 10


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def either_routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def quiet(recorder):
    """Under routing a part must say what it asks for."""
    if sklearn.get_config()["enable_metadata_routing"]:
        recorder.set_fit_request(groups=False, sample_weight=False)
    return recorder


class Rec(Recorder):
    """A recorder whose requests survive cloning."""

    def __sklearn_clone__(self):
        copy = Rec(self.log, self.who, self.classes)
        if hasattr(self, "_metadata_request"):
            copy._metadata_request = self._metadata_request
        return copy


# Cross-validation ---------------------------------------------------------------------


def test_teachers_see_the_training_fold_alone(either_routing):
    log = []
    clf = PseudoLabelClassifier(
        quiet(Rec(log)), teachers=quiet(Rec(log, "teacher")), n_iter=2, teacher_cv=3
    )
    outer = {} if either_routing else {"groups": PATIENT}
    scores = cross_val_score(
        clf,
        ROWS,
        Y,
        cv=GroupKFold(4),
        scoring=kl_scorer,
        params={"groups": PATIENT},
        error_score="raise",
        **outer,
    )
    assert np.isfinite(scores).all()
    assert len(log) == 4 * (3 + 3 + 1)
    for number, (train, test) in enumerate(GroupKFold(4).split(ROWS, Y, PATIENT)):
        *taught, student = log[number * 7 : (number + 1) * 7]
        for entry in taught:
            assert np.isin(entry["rows"], train).all()
            assert np.isin(entry["asked"], train).all()
            patients = PATIENT[entry["rows"]]
            assert not np.isin(patients, PATIENT[test]).any()
            assert not np.isin(PATIENT[entry["asked"]], patients).any()
        assert set(student["rows"]) == set(train)
        np.testing.assert_array_equal(student["asked"], test)


def test_out_of_fold_predictions_equal_hand_made_ones():
    clf = PseudoLabelClassifier(SoftLogistic(), teacher_cv=3)
    oof = oof_predict_proba(
        clf, X, Y, groups=PATIENT, cv=GroupKFold(3), params={"groups": PATIENT}
    )
    for train, test in GroupKFold(3).split(X, Y, PATIENT):
        fitted = clf.fit(X[train], Y[train], groups=PATIENT[train])
        np.testing.assert_array_equal(oof[test], fitted.predict_proba(X[test]))


def test_ranks_of_votes_are_refused():
    with pytest.raises(ValueError, match="oof_predict_proba"):
        cross_val_predict(
            PseudoLabelClassifier(SoftLogistic()), X, Y, method="predict_proba"
        )


def test_unlabelled_rows_pass_through_cross_validation(either_routing):
    log = []
    clf = PseudoLabelClassifier(quiet(Rec(log)), teacher_cv=2)
    more = np.column_stack([200 + np.arange(40.0), X_TEST])
    outer = {} if either_routing else {"groups": PATIENT}
    cross_val_score(
        clf,
        ROWS,
        Y,
        cv=GroupKFold(2),
        scoring=kl_scorer,
        params={"groups": PATIENT, "X_unlabeled": more},
        error_score="raise",
        **outer,
    )
    students = log[2::3]
    assert len(students) == 2
    for entry in students:
        assert np.isin(200 + np.arange(40), entry["rows"]).all()


# Pipelines, stacks, forms of X --------------------------------------------------------


def test_inside_a_pipeline():
    clf = PseudoLabelClassifier(SoftLogistic())
    pipe = make_pipeline(StandardScaler(), clf)
    pipe.fit(X, Y, pseudolabelclassifier__groups=PATIENT)
    scaled = StandardScaler().fit(X)
    alone = clf.fit(scaled.transform(X), Y, groups=PATIENT)
    np.testing.assert_allclose(
        pipe.predict_proba(X_TEST), alone.predict_proba(scaled.transform(X_TEST))
    )


@pytest.mark.usefixtures("routing")
def test_a_pipeline_can_prepare_unlabelled_rows():
    clf = PseudoLabelClassifier(SoftLogistic())
    pipe = Pipeline(
        [("scale", StandardScaler()), ("clf", clf)], transform_input=["X_unlabeled"]
    )
    pipe.fit(X, Y, groups=PATIENT, X_unlabeled=X_TEST)
    scaled = StandardScaler().fit(X)
    alone = clf.fit(
        scaled.transform(X), Y, groups=PATIENT, X_unlabeled=scaled.transform(X_TEST)
    )
    np.testing.assert_allclose(
        pipe.predict_proba(X_TEST), alone.predict_proba(scaled.transform(X_TEST))
    )


def test_a_pipeline_inside():
    table = pd.DataFrame({"window": np.arange(200), "patient_id": PATIENT})
    more = pd.DataFrame({"patient_id": [900] * 40, "window": np.arange(200, 240)})
    root = np.vstack([X, X_TEST])
    for rows in (table, more):
        rows.attrs["root"] = root
    clf = PseudoLabelClassifier(Pipeline([("read", Attrs()), ("net", SoftLogistic())]))
    clf.fit(table, Y, X_unlabeled=more)
    plain = PseudoLabelClassifier(SoftLogistic()).fit(
        X, Y, groups=PATIENT, X_unlabeled=X_TEST
    )
    np.testing.assert_array_equal(clf.predict_proba(more), plain.predict_proba(X_TEST))
    assert {900} <= set(clf.pseudo_groups_[0])


def test_as_a_member_of_a_stack():
    pseudo = PseudoLabelClassifier(SoftLogistic(), teacher_cv=2)
    stack = StackingKLClassifier(
        [("pseudo", pseudo), ("plain", SoftLogistic())], cv=GroupKFold(3)
    )
    stack.fit(X, Y, groups=PATIENT, pseudo__groups=PATIENT)
    assert set(stack.member_kl_) == {"pseudo", "plain"}
    assert stack.named_estimators_["pseudo"].teacher_groups_ is not None
    assert stack.predict_proba(X_TEST).shape == (40, 6)


def test_classifiers_of_single_labels():
    student = SoftLabelClassifier(LogisticRegression())
    clf = PseudoLabelClassifier(student, pseudo_weight=0.5)
    clf.fit(X, Y, groups=PATIENT, X_unlabeled=X_TEST)
    assert clf.n_pseudo_ == 180
    assert clf.score(X_TEST, TRUTH) > -0.5  # equal shares reach -0.66


class OneView(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.hstack([np.asarray(X["left"]), np.asarray(X["right"])])

    def __sklearn_is_fitted__(self):
        return True


def test_several_views():
    def views(X):
        return WindowViews(left=X[:, :8], right=X[:, 8:])

    clf = PseudoLabelClassifier(make_pipeline(OneView(), SoftLogistic()))
    clf.fit(views(X), Y, groups=PATIENT, X_unlabeled=views(X_TEST))
    plain = PseudoLabelClassifier(SoftLogistic()).fit(
        X, Y, groups=PATIENT, X_unlabeled=X_TEST
    )
    np.testing.assert_array_equal(
        clf.predict_proba(views(X_TEST)), plain.predict_proba(X_TEST)
    )
    with pytest.raises(ValueError, match="same views"):
        clf.fit(views(X), Y, groups=PATIENT, X_unlabeled=WindowViews(left=X_TEST))


def test_lists_and_read_only_arrays():
    expected = PseudoLabelClassifier(SoftLogistic()).fit(X, Y, groups=PATIENT)
    closed = X.copy()
    closed.setflags(write=False)
    for form, y in ((list(X), Y.tolist()), (closed, pd.DataFrame(Y))):
        fitted = PseudoLabelClassifier(SoftLogistic()).fit(form, y, groups=PATIENT)
        np.testing.assert_array_equal(
            fitted.predict_proba(X_TEST), expected.predict_proba(X_TEST)
        )
    with pytest.raises(TypeError, match="same form"):
        expected.fit(X, Y, groups=PATIENT, X_unlabeled=pd.DataFrame(X_TEST))
    with pytest.raises(TypeError, match="same form"):
        expected.fit(pd.DataFrame(X), Y, groups=PATIENT, X_unlabeled=X_TEST)
    other = pd.DataFrame(X_TEST).add_prefix("x")
    with pytest.raises(ValueError, match="none of the columns"):
        expected.fit(pd.DataFrame(X), Y, groups=PATIENT, X_unlabeled=other)


def test_numbered_classes():
    """Labels of the user's, whatever the parts call their columns."""
    clf = PseudoLabelClassifier(
        SoftLogistic(classes="infer"), classes=list("abcdef"), teacher_cv=3
    ).fit(X, Y, groups=PATIENT)
    assert clf.classes_.tolist() == list("abcdef")
    assert set(clf.predict(X_TEST)) <= set("abcdef")
    hms = PseudoLabelClassifier(SoftLogistic(), teacher_cv=3).fit(X, Y, groups=PATIENT)
    np.testing.assert_array_equal(clf.predict_proba(X_TEST), hms.predict_proba(X_TEST))
    assert clf.score(X_TEST, TRUTH) == pytest.approx(
        -kl_divergence(TRUTH, clf.predict_proba(X_TEST), classes=list("abcdef"))
    )
    with pytest.raises(ValueError, match="has the classes"):
        PseudoLabelClassifier(SoftLogistic(), classes=list("abcdef")).fit(
            X, Y, groups=PATIENT
        )


# Metadata -----------------------------------------------------------------------------


@pytest.mark.usefixtures("either_routing")
def test_groups_do_not_reach_the_parts_unasked():
    log = []
    PseudoLabelClassifier(quiet(Rec(log))).fit(ROWS, Y, groups=PATIENT)
    assert all(entry["groups"] is None for entry in log)


def test_groups_for_the_parts():
    log = []
    more = np.column_stack([200 + np.arange(40.0), X_TEST])
    clf = PseudoLabelClassifier(Rec(log), teachers=[("t", Rec(log, "teacher"))])
    clf.fit(
        ROWS,
        Y,
        groups=PATIENT,
        X_unlabeled=more,
        estimator__groups=PATIENT,
        t__groups=PATIENT,
    )
    for entry in log:
        known = entry["rows"] < 200
        told, expected = entry["groups"], PATIENT[entry["rows"][known]]
        # The same rows together; numbers need not be those that were given.
        same = told[known][:, None] == told[known]
        np.testing.assert_array_equal(same, expected[:, None] == expected)
        assert not np.isin(told[~known], told[known]).any()


@pytest.mark.usefixtures("routing")
def test_groups_for_parts_that_request_them():
    log = []
    asking = Rec(log).set_fit_request(groups=True, sample_weight=True)
    deaf = Rec(log, "teacher").set_fit_request(groups=False, sample_weight=False)
    clf = PseudoLabelClassifier(asking, teachers=deaf)
    clf.set_fit_request(sample_weight=True)
    weight = np.linspace(1, 2, 200)
    clf.fit(ROWS, Y, groups=PATIENT, sample_weight=weight)
    *teachers, student = log
    assert all(entry["groups"] is None for entry in teachers)
    assert all(entry["weight"] is None for entry in teachers)
    np.testing.assert_array_equal(student["groups"], PATIENT[student["rows"]])
    np.testing.assert_array_equal(student["weight"], weight[student["rows"]])
    with pytest.raises(UnsetMetadataPassedError):
        PseudoLabelClassifier(Rec(log)).fit(ROWS, Y, groups=PATIENT)


@pytest.mark.usefixtures("either_routing")
def test_weights_reach_the_last_step_of_a_pipeline(either_routing):
    log = []
    inner = quiet(Rec(log))
    if either_routing:
        inner.set_fit_request(sample_weight=True)
    student = Pipeline([("same", "passthrough"), ("last", inner)])
    clf = PseudoLabelClassifier(student, teachers=quiet(Rec([])), pseudo_weight=0.5)
    clf.fit(ROWS, Y, groups=PATIENT)
    np.testing.assert_array_equal(log[-1]["weight"][120:], 0.5)


def test_weights_of_the_rows_reach_everyone():
    log = []
    weight = np.linspace(1, 3, 200)
    clf = PseudoLabelClassifier(Rec(log))
    clf.fit(ROWS, Y, groups=PATIENT, sample_weight=weight, X_unlabeled=ROWS[:9] + 300)
    for entry in log:
        known = entry["rows"] < 200
        np.testing.assert_array_equal(
            entry["weight"][known], weight[entry["rows"][known]]
        )
        np.testing.assert_allclose(entry["weight"][~known], weight.mean())


def test_unknown_arguments_of_fit():
    clf = PseudoLabelClassifier(SoftLogistic())
    with pytest.raises(TypeError, match="unexpected argument 'eeg_id'"):
        clf.fit(X, Y, groups=PATIENT, eeg_id=PATIENT)
    with pytest.raises(ValueError, match="colour has one entry for each row"):
        clf.fit(
            X, Y, groups=PATIENT, X_unlabeled=X_TEST, estimator__colour=np.arange(200)
        )
