"""StackingKLClassifier: what it learns, what it keeps, what it refuses."""

import operator
import threading

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_html_repr
from skorch.helper import SliceDict
from soft_labels import (
    Attrs,
    Broken,
    SoftForestlike,
    SoftLogistic,
    Spy,
    make_votes,
)

from hmsklearn.ensemble import KLBlender, StackingKLClassifier
from hmsklearn.metrics import kl_divergence, kl_scorer
from hmsklearn.model_selection import oof_predict_proba
from hmsklearn.views import WindowViews
from hmsklearn.votes import CLASSES, VOTE_COLUMNS

X, Y, PATIENT = make_votes(n_rows=160, n_patients=14)


def two_members():
    return [
        ("left", SoftLogistic(columns=[0, 1])),
        ("right", make_pipeline(StandardScaler(), SoftLogistic(columns=[2, 3]))),
    ]


def stack_of(members=None, **kwargs):
    return StackingKLClassifier(members or two_members(), **kwargs)


@pytest.fixture(scope="module")
def fitted():
    return stack_of(cv=GroupKFold(4), store_oof=True).fit(X, Y, groups=PATIENT)


# What it learns ----------------------------------------------------------------------


def test_the_parts_are_what_they_say(fitted):
    cv = GroupKFold(4)
    oof = np.stack(
        [
            oof_predict_proba(member, X, Y, groups=PATIENT, cv=cv)
            for _, member in two_members()
        ],
        axis=1,
    )
    np.testing.assert_array_equal(fitted.oof_, oof)
    blender = KLBlender().fit(oof, Y)
    np.testing.assert_allclose(fitted.weights_, blender.weights_, atol=1e-9)
    assert list(fitted.member_kl_) == ["left", "right"]
    for number, kl in enumerate(fitted.member_kl_.values()):
        assert kl == pytest.approx(kl_divergence(Y, oof[:, number]))
    assert fitted.kl_in_sample_ == pytest.approx(blender.kl_)
    crossed = np.empty((160, 6))
    for train, test in cv.split(X, Y, PATIENT):
        crossed[test] = KLBlender().fit(oof[train], Y[train]).predict_proba(oof[test])
    assert fitted.kl_ == pytest.approx(kl_divergence(Y, crossed))
    full = [member.fit(X, Y).predict_proba(X) for _, member in two_members()]
    np.testing.assert_allclose(
        fitted.predict_proba(X),
        np.einsum("m,mik->ik", fitted.weights_, full),
        rtol=1e-9,
    )


def test_attributes(fitted):
    assert fitted.classes_.tolist() == list(CLASSES)
    assert fitted.n_features_in_ == 4
    assert fitted.weights_.sum() == pytest.approx(1.0)
    assert fitted.named_estimators_["left"] is fitted.estimators_[0]
    assert fitted.named_estimators_.right is fitted.estimators_[1]
    assert isinstance(fitted.final_estimator_, KLBlender)
    assert is_classifier(fitted)
    assert fitted.folds_.shape == (160,)


def test_the_stack_beats_members_with_independent_errors():
    rng = np.random.default_rng(0)
    signal, y, patient = make_votes(n_rows=600, n_patients=30)
    views = [signal + rng.normal(size=signal.shape) for _ in range(2)]
    members = [
        ("a", SoftLogistic(columns=[0, 1, 2, 3])),
        ("b", SoftLogistic(columns=[4, 5, 6, 7])),
    ]
    stack = stack_of(members).fit(np.hstack(views), y, groups=patient)
    assert stack.kl_ < min(stack.member_kl_.values()) - 0.02
    assert stack.kl_in_sample_ <= stack.kl_


def test_table_of_folds(fitted):
    table = pd.DataFrame(fitted.cv_results_)
    assert list(table) == [
        "n_rows",
        "kl",
        "kl_left",
        "seconds_left",
        "weight_left",
        "kl_right",
        "seconds_right",
        "weight_right",
    ]
    assert len(table) == 4
    for name, total in {"": fitted.kl_, "_left": fitted.member_kl_["left"]}.items():
        mean = np.average(table[f"kl{name}"], weights=table["n_rows"])
        assert mean == pytest.approx(total)
    np.testing.assert_allclose(table["weight_left"] + table["weight_right"], 1.0)
    assert (table["seconds_left"] > 0).all()
    for number in range(4):
        rows = fitted.folds_ == number
        assert rows.sum() == table["n_rows"][number]
        kl = kl_divergence(Y[rows], fitted.oof_[rows, 1])
        assert table["kl_right"][number] == pytest.approx(kl)


def test_predict_and_score(fitted):
    proba = fitted.predict_proba(X[:7])
    assert proba.shape == (7, 6)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(
        fitted.predict(X[:7]), np.array(CLASSES)[proba.argmax(axis=1)]
    )
    assert fitted.score(X[:7], Y[:7]) == pytest.approx(-kl_divergence(Y[:7], proba))
    weight = np.arange(7.0)
    assert fitted.score(X[:7], Y[:7], sample_weight=weight) == pytest.approx(
        -kl_divergence(Y[:7], proba, sample_weight=weight)
    )


def test_default_folds():
    by_patient = stack_of(store_oof=True).fit(X, Y, groups=PATIENT)
    expected = oof_predict_proba(
        SoftLogistic(), X, Y, groups=PATIENT, return_folds=True
    )
    np.testing.assert_array_equal(by_patient.folds_, expected.folds)
    plain = stack_of(cv=3, store_oof=True).fit(X, Y)
    assert (np.diff(plain.folds_) >= 0).all()


def test_groups_may_be_positional():
    with pytest.raises(ValueError, match="5 folds need at least 5 groups"):
        stack_of().fit(X, Y, PATIENT == "p1")


@pytest.mark.parametrize("n_jobs", [2])
def test_n_jobs_changes_nothing(n_jobs):
    members = [
        ("a", SoftForestlike(random_state=1)),
        ("b", SoftForestlike(random_state=2)),
    ]
    stacks = [
        stack_of(members, cv=3, store_oof=True, n_jobs=jobs).fit(X, Y, groups=PATIENT)
        for jobs in (None, n_jobs)
    ]
    np.testing.assert_array_equal(stacks[0].oof_, stacks[1].oof_)
    np.testing.assert_array_equal(
        stacks[0].predict_proba(X), stacks[1].predict_proba(X)
    )
    assert stacks[0].kl_ == stacks[1].kl_


def test_folds_of_all_members_wait_in_one_queue():
    """More workers than folds are busy: four fits of two members meet."""
    together = threading.Barrier(4)

    class Meeting(Spy):
        def fit(self, X, y):
            together.wait(timeout=60)
            return super().fit(X, y)

    members = [("a", Meeting()), ("b", Meeting())]
    with joblib.parallel_config(backend="threading", n_jobs=4):
        stack = stack_of(members, cv=2, refit=False).fit(X, Y, groups=PATIENT)
    assert not together.broken
    assert list(stack.member_kl_) == ["a", "b"]


def test_fold_models_instead_of_a_refit():
    stack = stack_of(cv=3, refit=False).fit(X, Y, groups=PATIENT)
    again = stack_of(cv=3).fit(X, Y, groups=PATIENT)
    assert stack.kl_ == again.kl_
    splits = list(GroupKFold(3).split(X, Y, PATIENT))
    for number, (_, member) in enumerate(two_members()):
        models = [clone(member).fit(X[train], Y[train]) for train, _ in splits]
        expected = np.mean([model.predict_proba(X) for model in models], axis=0)
        actual = stack.estimators_[number].predict_proba(X)
        np.testing.assert_allclose(actual, expected, rtol=1e-12)
    assert len(stack.named_estimators_["left"].estimators_) == 3
    assert stack.predict_proba(X).shape == (160, 6)
    assert "FoldAverage of 3" in repr(stack.estimators_[0])


# Forms of X and y --------------------------------------------------------------------


def test_forms_of_y(fitted):
    frame = pd.DataFrame(Y, columns=list(VOTE_COLUMNS)).iloc[:, ::-1]
    for y in (Y[..., None], Y.tolist(), frame):
        stack = stack_of(cv=GroupKFold(4)).fit(X, y, groups=PATIENT)
        np.testing.assert_allclose(stack.weights_, fitted.weights_, atol=1e-6)
        assert stack.kl_ == pytest.approx(fitted.kl_, rel=1e-6)
    shares = Y / Y.sum(axis=1, keepdims=True)
    stack = stack_of(cv=GroupKFold(4)).fit(X, shares, groups=PATIENT)
    assert stack.kl_ == pytest.approx(fitted.kl_, rel=1e-6)


def test_members_get_y_as_it_is():
    for y in (Y, Y[..., None], Y / Y.sum(axis=1, keepdims=True)):
        stack = stack_of([("spy", Spy())], cv=3).fit(X, y)
        np.testing.assert_array_equal(stack.estimators_[0].seen_y_, y)


def _left(views):
    return views["left"]


def _right(views):
    return views["right"]


def test_members_on_different_views(fitted):
    views = SliceDict(left=X, right=X)
    members = [
        (name, make_pipeline(FunctionTransformer(view), member))
        for (name, member), view in zip(two_members(), (_left, _right), strict=True)
    ]
    stack = stack_of(members, cv=GroupKFold(4)).fit(views, Y, groups=PATIENT)
    np.testing.assert_allclose(stack.weights_, fitted.weights_)
    np.testing.assert_allclose(stack.predict_proba(views), fitted.predict_proba(X))


def test_rows_of_a_frame(fitted):
    rows = pd.DataFrame({"window": np.arange(160)}, index=np.arange(160)[::-1])
    rows.attrs["root"] = X
    members = [(name, make_pipeline(Attrs(), member)) for name, member in two_members()]
    stack = stack_of(members, cv=GroupKFold(4)).fit(rows, Y, groups=PATIENT)
    np.testing.assert_allclose(stack.weights_, fitted.weights_)
    np.testing.assert_allclose(
        stack.predict_proba(rows.iloc[5:9]), fitted.predict_proba(X[5:9])
    )


def test_hard_labels_and_scikit_learns_classifiers():
    """Their classes are in alphabetical order, the stack's are not."""
    hard = np.array(CLASSES)[Y.argmax(axis=1)]
    members = [("linear", LogisticRegression()), ("bayes", GaussianNB())]
    stack = stack_of(members, cv=3, store_oof=True).fit(X, hard, groups=PATIENT)
    assert stack.estimators_[0].classes_.tolist() == sorted(CLASSES)
    assert stack.classes_.tolist() == list(CLASSES)
    accuracy = (stack.predict(X) == hard).mean()
    assert accuracy > 0.6
    linear = stack.estimators_[0].predict_proba(X)
    order = [sorted(CLASSES).index(name) for name in CLASSES]
    bayes = stack.estimators_[1].predict_proba(X)
    expected = stack.weights_[0] * linear + stack.weights_[1] * bayes
    np.testing.assert_allclose(stack.predict_proba(X), expected[:, order])


def test_inferred_classes():
    members = [("a", DummyClassifier(strategy="prior")), ("b", LogisticRegression())]
    y = np.resize([3, 7], 160)
    stack = stack_of(members, classes="infer", cv=4).fit(X, y)
    assert stack.classes_.tolist() == [3, 7]
    assert set(stack.predict(X)) <= {3, 7}
    # A class that is missing in the rows of a fold is no trouble for the blend.
    y = np.repeat([0, 1], [130, 30])
    folds = np.arange(160) % 4
    splits = [
        (np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(4)
    ]
    assert np.isfinite(stack_of(members, classes="infer", cv=splits).fit(X, y).kl_)


# Patients ----------------------------------------------------------------------------


def test_a_patient_is_never_on_both_sides():
    ids = np.arange(160)[:, None]
    members = [("a", Spy()), ("b", Spy())]
    blends = []

    class Listening(KLBlender):
        def fit(self, X, y, sample_weight=None):
            blends.append((len(X), np.array(y)))
            return super().fit(X, y, sample_weight)

    stack = stack_of(
        members, cv=5, refit=False, store_oof=True, final_estimator=Listening()
    ).fit(ids, Y, groups=PATIENT)
    for member in stack.estimators_:
        for number, spy in enumerate(member.estimators_):
            trained = set(PATIENT[spy.seen_X_[:, 0]])
            held_out = set(PATIENT[stack.folds_ == number])
            assert trained.isdisjoint(held_out)
            assert trained | held_out == set(PATIENT)
    for number in range(5):
        others = stack.folds_ != number
        n_rows, seen = blends[number]
        assert n_rows == others.sum()
        np.testing.assert_array_equal(np.sort(seen, axis=0), np.sort(Y[others], axis=0))
    assert blends[5][0] == 160


def test_splits_that_divide_a_patient_raise():
    with pytest.raises(
        ValueError, match=r"StackingKLClassifier: group 'p\d+' is on bo"
    ):
        stack_of(cv=KFold(4)).fit(X, Y, groups=PATIENT)
    with pytest.raises(ValueError, match=r"StackingKLClassifier: 20 folds .* only 14"):
        stack_of(cv=20).fit(X, Y, groups=PATIENT)


# Composition -------------------------------------------------------------------------


def test_parameters_of_members():
    stack = stack_of()
    params = stack.get_params()
    assert params["left__C"] == 1.0
    assert params["right__softlogistic__C"] == 1.0
    assert params["left"] is stack.estimators[0][1]
    stack.set_params(left__C=0.1, right__softlogistic__columns=[0], cv=3)
    assert stack.estimators[0][1].C == 0.1
    assert stack.estimators[1][1][-1].columns == [0]
    assert stack.cv == 3
    stack.set_params(right=SoftLogistic(C=9))
    assert stack.estimators[1][1].C == 9
    with pytest.raises(ValueError, match="Invalid parameter"):
        stack.set_params(middle__C=1)
    blended = stack_of(final_estimator=KLBlender())
    blended.set_params(final_estimator__tol=1e-5)
    assert blended.final_estimator.tol == 1e-5


def test_clone():
    stack = stack_of(cv=3, classes="infer", refit=False, store_oof=True, verbose=1)
    copy = clone(stack)
    assert copy.estimators[0][1] is not stack.estimators[0][1]
    assert copy.get_params().keys() == stack.get_params().keys()
    assert copy.refit is False


def test_the_members_that_were_given_are_left_alone():
    members = two_members()
    stack_of(members, cv=3).fit(X, Y)
    assert not hasattr(members[0][1], "coef_")


def test_dropped_members():
    stack = stack_of(cv=3).set_params(left="drop").fit(X, Y)
    assert list(stack.member_kl_) == ["right"]
    assert len(stack.estimators_) == 1
    assert stack.named_estimators_["left"] == "drop"
    assert stack.weights_.tolist() == [1.0]
    alone = make_pipeline(StandardScaler(), SoftLogistic(columns=[2, 3])).fit(X, Y)
    np.testing.assert_allclose(stack.predict_proba(X), alone.predict_proba(X))


def test_grid_search_over_a_members_parameter():
    search = GridSearchCV(
        stack_of(cv=2),
        {"left__C": [1e-4, 1.0], "right": ["drop"]},
        scoring=kl_scorer,
        cv=KFold(2),
    ).fit(X, Y)
    assert search.best_params_["left__C"] == 1.0


def test_html():
    html = estimator_html_repr(stack_of())
    for word in ("left", "right", "StandardScaler", "final_estimator", "KLBlender"):
        assert word in html


def test_tags():
    tags = stack_of().__sklearn_tags__()
    assert tags.estimator_type == "classifier"
    assert tags.target_tags.required
    assert tags.input_tags.two_d_array
    blend = [("blend", KLBlender())]
    tags = StackingKLClassifier(blend).__sklearn_tags__()
    assert tags.input_tags.three_d_array
    assert not tags.input_tags.two_d_array
    assert StackingKLClassifier(None).__sklearn_tags__().input_tags.two_d_array


def test_a_stack_in_a_stack():
    inner = stack_of(cv=2)
    outer = stack_of([("inner", inner), ("whole", SoftLogistic())], cv=3)
    outer.fit(X, Y, groups=PATIENT, inner__groups=PATIENT)
    assert set(outer.member_kl_) == {"inner", "whole"}
    assert outer.named_estimators_["inner"].weights_.shape == (2,)


def test_another_final_estimator():
    class Mean(KLBlender):
        def fit(self, X, y):
            self.n_ = X.shape[1]
            return self

        def predict_proba(self, X):
            return np.mean(X, axis=1)

    stack = stack_of(cv=3, final_estimator=Mean(), store_oof=True).fit(X, Y)
    assert not hasattr(stack, "weights_")
    assert "weight_left" not in stack.cv_results_
    assert stack.kl_ == pytest.approx(kl_divergence(Y, stack.oof_.mean(axis=1)))
    assert stack.kl_ == pytest.approx(stack.kl_in_sample_)


# Persistence -------------------------------------------------------------------------


def test_a_dump_holds_no_training_data(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 50))
    y = rng.multinomial(9, [1 / 6] * 6, size=400)
    patient = np.array([f"patient-{number:03}" for number in np.arange(400) // 20])
    members = [("a", SoftLogistic(columns=[0])), ("b", SoftLogistic(columns=[1]))]
    for refit in (True, False):
        stack = stack_of(members, refit=refit).fit(X, y, groups=patient)
        joblib.dump(stack, tmp_path / "stack.joblib")
        content = (tmp_path / "stack.joblib").read_bytes()
        assert len(content) < 12_000 < X.nbytes / 10
        assert b"patient-" not in content
        assert X[0].tobytes() not in content
        assert not hasattr(stack, "oof_")
        again = joblib.load(tmp_path / "stack.joblib")
        np.testing.assert_array_equal(again.predict_proba(X), stack.predict_proba(X))
    with_oof = stack_of(members, store_oof=True).fit(X, y, groups=patient)
    joblib.dump(with_oof, tmp_path / "stack.joblib")
    assert (tmp_path / "stack.joblib").stat().st_size > with_oof.oof_.nbytes


# Progress ----------------------------------------------------------------------------


def test_progress(capsys):
    stack = stack_of(cv=3, verbose=1, store_oof=True).fit(X, Y, groups=PATIENT)
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("[StackingKLClassifier] ") for line in lines)
    lines = [line.removeprefix("[StackingKLClassifier] ") for line in lines]
    assert lines[0] == "2 members, 3 folds, 160 rows"
    for name, kl in stack.member_kl_.items():
        for fold in range(3):
            fold_kl = stack.cv_results_[f"kl_{name}"][fold]
            start = f"{name}: fold {fold + 1}/3, "
            (line,) = [line for line in lines if line.startswith(start)]
            assert f"KL {fold_kl:.4f}, " in line
            assert line.endswith(" s")
        assert f"{name}: out of fold KL {kl:.4f}" in lines
        assert any(line.startswith(f"{name}: fitted on all rows, ") for line in lines)
    (summary,) = [line for line in lines if line.startswith("stack: ")]
    assert f"KL {stack.kl_:.4f} cross-fitted" in summary
    assert f"left {stack.weights_[0]:.3f}" in summary
    stack_of(cv=3).fit(X, Y)
    assert capsys.readouterr().out == ""


# Errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        ([], ValueError, r"list of \(name, estimator\) pairs .* got \[\]"),
        (None, ValueError, r"list of \(name, estimator\) pairs .* got None"),
        ([SoftLogistic()], ValueError, r"one of them is SoftLogistic\(\)"),
        ([(1, SoftLogistic())], ValueError, r"one of them is \(1, "),
        ([("a", Spy()), ("a", Spy())], ValueError, r"must differ, repeated: \['a'\]"),
        ([("a__b", Spy())], ValueError, r"cannot be called 'a__b'"),
        ([("cv", Spy())], ValueError, r"cannot be called 'cv'.*argument of the cons"),
        ([("", Spy())], ValueError, r"cannot be called ''"),
        ([("a", "drop")], ValueError, r"all members are dropped"),
        ([("a", Spy)], TypeError, r"member 'a': Spy is a class"),
        (
            [("a", StandardScaler())],
            TypeError,
            r"member 'a': StandardScaler has no pred",
        ),
        ([("a", "none")], TypeError, r"member 'a': str has no fit"),
        ([("a", Broken(how="nan"))], ValueError, r"member 'a': .*of Broken gives rows"),
        (
            [("a", SoftLogistic(classes="infer"))],
            ValueError,
            r"member 'a' has the classes \[0, 1, 2, 3, 4, 5\], expected \['Seiz",
        ),
    ],
)
def test_wrong_members(members, error, message):
    with pytest.raises(error, match=f"StackingKLClassifier: .*{message}"):
        StackingKLClassifier(members, cv=3).fit(X, Y)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_wrong_classes_are_noticed_after_the_first_fold(n_jobs):
    members = [("a", SoftLogistic(classes="infer")), ("b", SoftLogistic())]
    with pytest.raises(ValueError, match="member 'a' has the classes"):
        stack_of(members, cv=3, n_jobs=n_jobs).fit(X, Y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "StackingKLClassifier requires y to be passed"),
        (Y[:, :5], "StackingKLClassifier: y has 5 columns, expected 6"),
        (Y[:-1], "StackingKLClassifier: X and y have inconsistent numbers of rows"),
        (-Y, "StackingKLClassifier: y has negative votes"),
    ],
)
def test_wrong_votes(y, message):
    with pytest.raises(ValueError, match=message):
        stack_of().fit(X, y)


def test_wrong_final_estimator():
    with pytest.raises(TypeError, match="final_estimator: StandardScaler has no pred"):
        stack_of(final_estimator=StandardScaler()).fit(X, Y)


def test_not_fitted():
    stack = stack_of()
    with pytest.raises(NotFittedError):
        stack.predict_proba(X)
    assert not hasattr(stack, "n_features_in_")


def test_a_plain_dict_is_refused():
    with pytest.raises(TypeError, match="StackingKLClassifier: X is a plain dict"):
        stack_of().fit({"a": X}, Y)


def test_cross_val_predict_cannot_feed_ranks():
    with pytest.raises(ValueError, match=r"StackingKLClassifier: .*oof_predict_proba"):
        cross_val_predict(stack_of(cv=2), X, Y, method="predict_proba", cv=KFold(2))
    proba = cross_val_predict(
        stack_of(cv=2), X, Y[..., None], method="predict_proba", cv=KFold(2)
    )
    scores = cross_val_score(stack_of(cv=2), X, Y, scoring=kl_scorer, cv=KFold(2))
    expected = [kl_divergence(Y[test], proba[test]) for _, test in KFold(2).split(X)]
    np.testing.assert_allclose(-scores, expected, rtol=1e-6)


def test_a_refit_leaves_nothing_of_the_fit_before():
    stack = stack_of(cv=3, store_oof=True).fit(X, Y)
    stack.set_params(store_oof=False).fit(X[:60], Y[:60])
    assert not hasattr(stack, "oof_")
    assert not hasattr(stack, "folds_")
    assert hasattr(stack, "weights_")


# Views -------------------------------------------------------------------------------


def test_members_pick_their_view(fitted):
    """Pipelines that start with one of several views, sliced with the rows."""
    views = WindowViews(eeg=X.astype(np.float64), picture=X[:, ::-1].copy())
    members = [
        (
            "left",
            make_pipeline(
                FunctionTransformer(operator.itemgetter("eeg")),
                SoftLogistic(columns=[0, 1]),
            ),
        ),
        (
            "right",
            make_pipeline(
                FunctionTransformer(operator.itemgetter("picture")),
                StandardScaler(),
                # The columns 2 and 3 of the other view.
                SoftLogistic(columns=[1, 0]),
            ),
        ),
    ]
    stack = stack_of(members, cv=GroupKFold(4), store_oof=True)
    stack.fit(views, Y, groups=PATIENT)
    np.testing.assert_allclose(stack.oof_, fitted.oof_, atol=1e-6)
    np.testing.assert_allclose(stack.weights_, fitted.weights_, atol=1e-4)
    some = stack.predict_proba(views[20:30])
    np.testing.assert_allclose(some, fitted.predict_proba(X[20:30]), atol=1e-4)
    scores = cross_val_score(
        stack,
        views,
        Y,
        groups=PATIENT,
        cv=GroupKFold(3),
        scoring=kl_scorer,
        params={"groups": PATIENT},
    )
    assert (scores < 0).all()
