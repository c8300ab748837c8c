"""Predictions moved towards the other rows of a group."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning

from hmsklearn.ensemble import GroupContextBlender, KLBlender, StackingKLClassifier
from hmsklearn.metrics import kl_divergence


def patients(n_groups=60, n_rows=6, n_classes=4, alike=1.5, seed=0):
    """Rows of a patient share what they show, more or less."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), n_rows)
    logits = rng.normal(size=(n_groups, n_classes))[groups] * alike
    logits = logits + rng.normal(size=logits.shape) * 0.5
    truth = np.exp(logits)
    truth /= truth.sum(axis=1, keepdims=True)
    z = logits[:, None] + rng.normal(size=(len(groups), 2, n_classes)) * 1.0
    prob = np.exp(z)
    prob /= prob.sum(axis=2, keepdims=True)
    votes = np.array([rng.multinomial(12, each) for each in truth])
    return prob, votes, groups


X, Y, G = patients()


def make(**params):
    return GroupContextBlender(classes="infer", **params)


def test_context_helps_on_other_patients_where_rows_are_alike():
    blender = make().fit(X, Y, groups=G)
    other = patients(seed=1)
    plain = KLBlender(classes="infer").fit(X, Y)
    with_context = kl_divergence(other[1], blender.predict_proba(other[0], other[2]))
    assert blender.context_weight_ > 0.1
    assert with_context < 0.95 * kl_divergence(other[1], plain.predict_proba(other[0]))
    assert blender.kl_ < blender.blender_kl_
    assert blender.score(other[0], other[1], groups=other[2]) == -with_context
    assert blender.gap_ < 1e-8
    assert blender.kkt_residual_ < 1e-7


def test_it_learns_that_there_is_nothing_to_learn():
    prob, votes, groups = patients(alike=0.0)
    blender = make().fit(prob, votes, groups=groups)
    assert blender.context_weight_ < 0.05


def test_the_formula():
    blender = make(prior_rows=2.0).fit(X, Y, groups=G)
    p = blender.blender_.predict_proba(X)
    rows = np.flatnonzero(G[10] == G)
    others = rows[rows != 10]
    mean = p.mean(axis=0)
    context = (p[others].sum(axis=0) + 2.0 * mean) / (len(others) + 2.0)
    z = np.log(p[10]) / blender.temperature_ + blender.bias_
    z = z + blender.context_weight_ * np.log(context / mean)
    expected = np.exp(z) / np.exp(z).sum()
    np.testing.assert_allclose(blender.predict_proba(X, G)[10], expected, atol=1e-12)
    np.testing.assert_allclose(blender.prior_, mean, atol=1e-12)


def test_a_row_alone_depends_on_nothing_else():
    blender = make().fit(X, Y, groups=G)
    alone = blender.predict_proba(X, groups=np.arange(len(X)))
    few = blender.predict_proba(X[:5], groups=np.arange(5))
    np.testing.assert_allclose(alone[:5], few, atol=1e-12)
    p = blender.blender_.predict_proba(X)
    z = np.log(p) / blender.temperature_ + blender.bias_
    expected = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(alone, expected, atol=1e-9)


def test_order_of_rows_does_not_matter():
    blender = make().fit(X, Y, groups=G)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(
        blender.predict_proba(X[order], G[order]),
        blender.predict_proba(X, G)[order],
        atol=1e-12,
    )


def test_votes_of_other_rows_are_not_used():
    blender = make().fit(X, Y, groups=G)
    before = blender.predict_proba(X, G)
    assert np.array_equal(
        clone(blender).fit(X, Y, groups=G).predict_proba(X, G), before
    )
    # A prediction is a function of probabilities and groups alone.
    names = np.array([f"patient {group}" for group in G])
    np.testing.assert_allclose(blender.predict_proba(X, names), before, atol=1e-12)


def test_never_worse_in_sample_than_its_blender_without_penalty():
    blender = make(alpha=0.0, group_balance=0.0).fit(X, Y, groups=G)
    assert blender.kl_ <= blender.blender_kl_


def test_without_groups_it_says_so():
    with pytest.warns(UserWarning, match="fit got no groups"):
        blender = make().fit(X, Y)
    with pytest.warns(UserWarning, match="predict_proba got no groups"):
        blender.predict_proba(X)


def test_the_blender_gets_the_groups():
    inner = KLBlender(alpha="cv", alphas=[0, 0.1], cv=3, classes="infer")
    blender = make(blender=inner).fit(X, Y, groups=G)
    assert "kl_fold2" in blender.blender_.cv_results_
    assert not hasattr(inner, "weights_")


class Told(ClassifierMixin, BaseEstimator):
    """Says what it is told about a row: a member whose predictions exist already."""

    def __init__(self, model=0):
        self.model = model

    def fit(self, X, y):
        self.classes_ = np.arange(4)
        return self

    def predict_proba(self, X):
        return told(X)[:, self.model]


def told(rows):
    return X[rows["row"].to_numpy()]


def test_as_the_final_estimator_of_a_stack():
    """Rows tell their patients, in the folds, in the whole and later."""
    rows = pd.DataFrame({"row": np.arange(len(X)), "patient_id": G})
    members = [("first", Told(0)), ("second", Told(1))]
    stack = StackingKLClassifier(members, final_estimator=make(), classes="infer", cv=3)
    stack.fit(rows, Y)
    plain = StackingKLClassifier(members, classes="infer", cv=3).fit(rows, Y)
    assert stack.kl_ < 0.97 * plain.kl_
    alone = make().fit(X, Y, groups=G)
    np.testing.assert_allclose(
        stack.predict_proba(rows), alone.predict_proba(X, G), atol=1e-9
    )
    assert stack.kl_in_sample_ == pytest.approx(alone.kl_)
    apart = rows.assign(patient_id=np.arange(len(X)))
    assert not np.allclose(stack.predict_proba(apart), stack.predict_proba(rows))
    with pytest.warns(UserWarning, match="got no groups"):
        stack.predict_proba(rows[["row"]])


def test_groups_given_to_the_stack_reach_it():
    rows = pd.DataFrame({"row": np.arange(len(X))})
    members = [("first", Told(0)), ("second", Told(1))]
    stack = StackingKLClassifier(members, final_estimator=make(), classes="infer", cv=3)
    stack.fit(rows, Y, groups=G)
    assert stack.kl_in_sample_ == pytest.approx(make().fit(X, Y, groups=G).kl_)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"prior_rows": 0}, "prior_rows must be positive"),
        ({"alpha": -1}, "alpha must not be negative"),
        ({"group_balance": 3}, r"group_balance=3 is outside"),
        ({"clip": 1}, "clip=1 is outside"),
    ],
)
def test_parameters_out_of_range(params, message):
    with pytest.raises(ValueError, match=f"GroupContextBlender: {message}"):
        make(**params).fit(X, Y, groups=G)


def test_bad_groups():
    with pytest.raises(ValueError, match="groups has shape"):
        make().fit(X, Y, groups=G[:-1])
    blender = make().fit(X, Y, groups=G)
    with pytest.raises(ValueError, match="is expecting 2 models"):
        blender.predict_proba(X[:, :1], groups=G)


def test_it_says_when_it_did_not_converge():
    with pytest.warns(ConvergenceWarning, match="after 1 Newton steps"):
        make(alpha=0.0, max_iter=1).fit(X, Y, groups=G)


@pytest.mark.parametrize(
    "params", [{"prior_rows": np.inf}, {"tol": 0.0}, {"max_iter": 0}], ids=str
)
def test_parameters_out_of_range_are_named(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        make(**params).fit(X, Y, groups=G)
