"""A stack of members that are fitted already, with their out-of-fold predictions."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from soft_labels import SoftLogistic, make_votes

from hmsklearn.ensemble import KLBlender, StackingKLClassifier
from hmsklearn.metrics import kl_divergence, kl_scorer
from hmsklearn.model_selection import oof_predict_proba
from hmsklearn.votes import CLASSES

X, Y, PATIENT = make_votes(n_rows=160, n_patients=14)
WEIGHT = np.random.default_rng(0).uniform(0.1, 3, size=160)


def members():
    return [
        ("left", SoftLogistic(columns=[0, 1])),
        ("right", SoftLogistic(columns=[2, 3])),
    ]


@pytest.fixture(scope="module")
def usual():
    stack = StackingKLClassifier(members(), cv=GroupKFold(4), store_oof=True)
    return stack.fit(X, Y, groups=PATIENT)


@pytest.fixture
def prefit(usual):
    pairs = [(name, usual.named_estimators_[name]) for name, _ in members()]
    return StackingKLClassifier(pairs, cv="prefit", store_oof=True)


def forms_of(oof):
    tables = {"left": oof[:, 0], "right": oof[:, 1]}
    backwards = [f"{name}/{c}" for name in ("right", "left") for c in CLASSES[::-1]]
    frame = pd.DataFrame(
        {f"{n}/{c}": tables[n][:, CLASSES.index(c)] for n in tables for c in CLASSES}
    )[backwards]
    levels = pd.MultiIndex.from_tuples([tuple(c.split("/")) for c in frame.columns])
    named = pd.DataFrame(tables["left"], columns=list(CLASSES)).iloc[:, ::-1]
    return {
        "array": oof,
        "list": oof.tolist(),
        "dict": tables,
        "dict of frames": {
            "left": named,
            "right": pd.DataFrame(
                tables["right"], columns=[f"{c.lower()}_vote" for c in CLASSES]
            ),
        },
        "frame": frame,
        "frame in small letters": frame.rename(columns=str.lower),
        "frame with two levels": frame.set_axis(levels, axis=1),
    }


@pytest.mark.parametrize("form", forms_of(np.zeros((1, 2, 6))))
def test_the_same_as_a_stack_that_made_them(form, usual, prefit):
    prefit.fit(X, Y, oof=forms_of(usual.oof_)[form], folds=usual.folds_)
    np.testing.assert_array_equal(prefit.oof_, usual.oof_)
    np.testing.assert_array_equal(prefit.folds_, usual.folds_)
    np.testing.assert_allclose(prefit.weights_, usual.weights_, atol=1e-12)
    assert prefit.kl_ == pytest.approx(usual.kl_, rel=1e-12)
    assert prefit.member_kl_ == pytest.approx(usual.member_kl_)
    assert prefit.gain_.over_mean == pytest.approx(usual.gain_.over_mean)
    np.testing.assert_allclose(prefit.predict_proba(X), usual.predict_proba(X))
    assert "seconds_left" not in prefit.cv_results_
    assert "weight_left" in prefit.cv_results_


def test_members_are_not_fitted_again(usual, prefit):
    prefit.fit(X, Y, oof=usual.oof_, folds=usual.folds_)
    assert prefit.estimators_[0] is usual.named_estimators_["left"]


def test_folds_by_patient(usual, prefit):
    prefit.fit(X, Y, groups=PATIENT, oof=usual.oof_)
    crossed = np.empty((160, 6))
    for train, test in GroupKFold(5).split(X, Y, PATIENT):
        blender = KLBlender().fit(usual.oof_[train], Y[train])
        crossed[test] = blender.predict_proba(usual.oof_[test])
    assert prefit.kl_ == pytest.approx(kl_divergence(Y, crossed))
    rows = pd.DataFrame({"patient_id": PATIENT})
    # Rows that tell their patient need no groups.
    again = clone(prefit).set_params(
        estimators=[(n, FrozenEstimator(e)) for n, e in prefit.estimators]
    )
    again.fit(rows, Y, oof=usual.oof_)
    assert again.kl_ == prefit.kl_


def test_folds_may_have_names(usual, prefit):
    names = np.array(["w", "x", "y", "z"])[usual.folds_]
    prefit.fit(X, Y, groups=PATIENT, oof=usual.oof_, folds=names)
    assert prefit.kl_ == pytest.approx(usual.kl_)


def test_members_with_classes_in_another_order():
    """A table of such a member has its own columns; an array has the stack's."""
    hard = np.array(CLASSES)[Y.argmax(axis=1)]
    member = LogisticRegression().fit(X, hard)
    oof = oof_predict_proba(LogisticRegression(), X, hard, groups=PATIENT, cv=3)
    stack = StackingKLClassifier([("a", member)], cv="prefit", store_oof=True)
    stack.fit(X, hard, groups=PATIENT, oof={"a": oof})
    order = [sorted(CLASSES).index(c) for c in CLASSES]
    np.testing.assert_array_equal(stack.oof_[:, 0], oof[:, order])
    np.testing.assert_allclose(
        stack.predict_proba(X), member.predict_proba(X)[:, order]
    )


@pytest.mark.parametrize("routing", [False, True])
def test_weights_and_other_blenders(routing, usual, prefit):
    with sklearn.config_context(enable_metadata_routing=routing):
        prefit.fit(X, Y, PATIENT, WEIGHT, oof=usual.oof_, folds=usual.folds_)
    expected = KLBlender().fit(usual.oof_, Y, sample_weight=WEIGHT).weights_
    np.testing.assert_allclose(prefit.weights_, expected, atol=1e-9)
    final = LogisticRegression(max_iter=1000)
    prefit.set_params(final_estimator=final, upsample="balanced")
    prefit.fit(X, Y, oof=usual.oof_, folds=usual.folds_)
    assert np.isfinite(prefit.kl_)
    assert not hasattr(prefit, "weights_")


def test_dropped_members(usual, prefit):
    prefit.set_params(left="drop")
    prefit.fit(X, Y, oof={"right": usual.oof_[:, 1]}, folds=usual.folds_)
    assert prefit.weights_.tolist() == [1.0]


def test_cross_validation_of_frozen_members(usual):
    """What the folds of the outer splits blend differs, the members do not."""
    pairs = [(n, FrozenEstimator(e)) for n, e in usual.named_estimators_.items()]
    stack = StackingKLClassifier(pairs, cv="prefit")
    scores = cross_val_score(
        stack,
        X,
        Y,
        groups=PATIENT,
        cv=GroupKFold(3),
        scoring=kl_scorer,
        params={"oof": usual.oof_, "folds": usual.folds_},
        error_score="raise",
    )
    assert scores.shape == (3,)
    plain = StackingKLClassifier(list(usual.named_estimators_.items()), cv="prefit")
    with pytest.raises(NotFittedError, match=r"member 'left', .*FrozenEstimator"):
        cross_val_score(
            plain,
            X,
            Y,
            cv=3,
            params={"oof": usual.oof_, "folds": usual.folds_},
            error_score="raise",
        )


# Errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda oof: None, r"needs the out-of-fold predictions .* blend the .*KLBlend"),
        (lambda oof: oof[:-1], r"oof has shape \(159, 2, 6\), expected \(160, 2, 6\)"),
        (lambda oof: oof[:, :1], r"oof has shape \(160, 1, 6\)"),
        (lambda oof: oof * 2, r"oof of 'left' holds no probabilities in row 0"),
        (lambda oof: "oof.csv", r"oof is no array of numbers"),
        (lambda oof: {"left": oof[:, 0]}, r"Missing: \['right'\], not members: \[\]"),
        (
            lambda oof: {"left": oof[:, 0], "right": oof[:, 1], "mid": oof[:, 1]},
            r"not members: \['mid'\]",
        ),
        (
            lambda oof: {"left": oof[:, 0], "right": oof[:-1, 1]},
            r"X has 160 rows, and the tables of oof have {'left': 160, 'right': 159}",
        ),
        (
            lambda oof: {"left": oof[:, 0, :5], "right": oof[:, 1]},
            r"oof of 'left' has shape \(160, 5\)",
        ),
        (
            lambda oof: pd.DataFrame(oof.reshape(160, 12)),
            r"columns of oof must be called member/class",
        ),
        (
            lambda oof: pd.DataFrame(
                oof.reshape(160, 12),
                columns=[f"{m}/{k}" for m in ("left", "right") for k in "uvwxyz"],
            ),
            r"oof of 'left' has the columns \['u', .* expected one for each of the cl",
        ),
    ],
)
def test_wrong_predictions(change, message, usual, prefit):
    with pytest.raises(ValueError, match=f"StackingKLClassifier: .*{message}"):
        prefit.fit(X, Y, oof=change(usual.oof_), folds=usual.folds_)


def test_missing_predictions_are_named(usual, prefit):
    oof = usual.oof_.copy()
    oof[7, 1] = np.nan
    with pytest.raises(ValueError, match=r"oof of 'right' holds no .* in row 7: \[nan"):
        prefit.fit(X, Y, oof=oof, folds=usual.folds_)


def test_wrong_folds(usual, prefit):
    with pytest.raises(ValueError, match=r"cv='prefit' needs folds=, .*or groups="):
        prefit.fit(X, Y, oof=usual.oof_)
    with pytest.raises(ValueError, match=r"folds must hold the fold of each of the 1"):
        prefit.fit(X, Y, oof=usual.oof_, folds=usual.folds_[:-1])
    with pytest.raises(ValueError, match=r"folds names 1 fold"):
        prefit.fit(X, Y, oof=usual.oof_, folds=np.zeros(160))
    with pytest.raises(ValueError, match=r"is on both sides of split"):
        prefit.fit(X, Y, groups=PATIENT, oof=usual.oof_, folds=np.arange(160) % 4)


def test_what_does_not_go_together(usual, prefit):
    fresh = StackingKLClassifier(members(), cv=4)
    for given in ({"oof": usual.oof_}, {"folds": usual.folds_}):
        with pytest.raises(ValueError, match=r"oof and folds go with cv='prefit'"):
            fresh.fit(X, Y, **given)
    with pytest.raises(ValueError, match=r"nested_cv fits the members anew"):
        prefit.set_params(nested_cv=3).fit(X, Y, oof=usual.oof_, folds=usual.folds_)
    with pytest.raises(TypeError, match=r"unexpected argument 'left__groups'"):
        prefit.set_params(nested_cv=None).fit(
            X, Y, oof=usual.oof_, folds=usual.folds_, left__groups=PATIENT
        )


def test_members_must_be_fitted_on_the_stacks_classes(usual):
    stack = StackingKLClassifier(members(), cv="prefit")
    with pytest.raises(NotFittedError, match=r"member 'left', SoftLogistic, is not f"):
        stack.fit(X, Y, oof=usual.oof_, folds=usual.folds_)
    other = SoftLogistic(classes="infer").fit(X, Y)
    stack = StackingKLClassifier([("a", other)], cv="prefit")
    with pytest.raises(ValueError, match=r"member 'a' has the classes \[0, 1, 2, 3, 4"):
        stack.fit(X, Y, oof=usual.oof_[:, :1], folds=usual.folds_)


@pytest.mark.parametrize("form", ["frame", "dict of frames"])
def test_rows_in_another_order_are_refused(form, usual, prefit):
    """They are read by position: the labels would be silently wrong."""
    frame = pd.DataFrame(X, index=np.random.default_rng(0).permutation(160))
    given = forms_of(usual.oof_)[form]

    def each(change):
        if isinstance(given, dict):
            return {member: change(table) for member, table in given.items()}
        return change(given)

    in_order = each(lambda table: table.set_axis(frame.index))
    prefit.fit(frame, Y, oof=in_order, folds=usual.folds_)
    np.testing.assert_array_equal(prefit.oof_, usual.oof_)
    mixed = each(lambda table: table.set_axis(frame.index).sort_index())
    message = r"StackingKLClassifier: oof.* another order.*oof.*\.loc\[X\.index\]"
    with pytest.raises(ValueError, match=message):
        prefit.fit(frame, Y, oof=mixed, folds=usual.folds_)
    # Other labels tell nothing about the order.
    other = each(lambda table: table.set_axis(np.arange(1000, 1160)))
    prefit.fit(frame, Y, oof=other, folds=usual.folds_)
    np.testing.assert_array_equal(prefit.oof_, usual.oof_)
