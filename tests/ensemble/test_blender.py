"""KLBlender: the best linear pool, certified, and clear about bad input."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import KFold, cross_val_predict, cross_val_score

from hmsklearn.ensemble import KLBlender
from hmsklearn.metrics import kl_divergence, kl_scorer
from hmsklearn.votes import CLASSES, VOTE_COLUMNS


def members(seed=0, n=200, n_models=5, n_classes=6, zeros=False):
    """Votes of a hidden truth and noisy models of it, some better than others."""
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.full(n_classes, 0.4), size=n)
    total = rng.integers(1, 20, size=n)
    y = np.array([rng.multinomial(t, p) for t, p in zip(total, truth, strict=True)])
    noise = np.linspace(0.4, 1.5, n_models)[:, None]
    X = np.log(truth + 0.02)[:, None] + noise * rng.normal(
        size=(n, n_models, n_classes)
    )
    X = np.exp(X)
    if zeros:
        X[rng.random(X.shape) < 0.3] = 0
        X[..., 0] += 1e-6
    return X / X.sum(axis=2, keepdims=True), y


X, Y = members()


def test_attributes():
    blender = KLBlender().fit(X, Y)
    assert blender.weights_.shape == (5,)
    assert blender.weights_.sum() == pytest.approx(1.0, rel=1e-12)
    assert (blender.weights_ >= 0).all()
    assert blender.classes_.tolist() == list(CLASSES)
    assert blender.n_features_in_ == 5
    assert 0 <= blender.gap_ <= 1e-8 * blender.kl_
    assert blender.kkt_residual_ < 1e-7
    assert 1 <= blender.n_iter_ < 20
    assert blender.kl_ == pytest.approx(kl_divergence(Y, blender.predict_proba(X)))


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 60),
    n_models=st.integers(1, 8),
    n_classes=st.integers(2, 7),
    zeros=st.booleans(),
)
def test_property_never_worse_than_any_member_or_equal_weights(
    seed, n, n_models, n_classes, zeros
):
    X, y = members(seed, n, n_models, n_classes, zeros)
    blender = KLBlender(classes="infer").fit(X, y)
    single = [kl_divergence(y, X[:, model]) for model in range(n_models)]
    mean = kl_divergence(y, X.mean(axis=1))
    slack = 1e-8 * blender.kl_ + 1e-11
    assert blender.kl_ <= min(*single, mean) + slack
    assert blender.gap_ <= max(1e-8 * blender.kl_, 1e-12)


def test_the_certificate_by_its_formula():
    blender = KLBlender(tol=1e-3).fit(X, Y)
    share = Y / Y.sum(axis=1, keepdims=True)
    pool = np.einsum("imk,m->ik", X, blender.weights_)
    gain = np.einsum("ik,imk->m", share / pool, X) / len(X)
    assert blender.gap_ == pytest.approx(np.log(gain.max()), abs=1e-13)
    exact = KLBlender().fit(X, Y)
    assert 0 <= blender.kl_ - exact.kl_ <= blender.gap_


def test_predictions_are_the_weighted_mean():
    blender = KLBlender().fit(X, Y)
    proba = blender.predict_proba(X)
    expected = sum(w * X[:, m] for m, w in enumerate(blender.weights_))
    np.testing.assert_allclose(proba, expected, rtol=1e-13)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    assert proba.max() <= 1
    np.testing.assert_array_equal(
        blender.predict(X), np.array(CLASSES)[proba.argmax(axis=1)]
    )
    assert blender.score(X, Y) == pytest.approx(-blender.kl_)
    weight = np.arange(200.0)
    assert blender.score(X, Y, sample_weight=weight) == pytest.approx(
        -kl_divergence(Y, proba, sample_weight=weight)
    )


@pytest.mark.parametrize(
    "y",
    [
        Y / Y.sum(axis=1, keepdims=True),
        Y[..., None],
        Y.tolist(),
        pd.DataFrame(Y, columns=list(VOTE_COLUMNS)).iloc[:, ::-1],
    ],
)
def test_forms_of_votes(y):
    expected = KLBlender().fit(X, Y).weights_
    np.testing.assert_allclose(KLBlender().fit(X, y).weights_, expected, atol=1e-7)


def test_hard_labels():
    hard = Y.argmax(axis=1)
    expected = KLBlender().fit(X, np.eye(6)[hard]).weights_
    for y in (hard, np.array(CLASSES)[hard]):
        np.testing.assert_allclose(KLBlender().fit(X, y).weights_, expected, atol=1e-9)


def test_float32_probabilities():
    blender = KLBlender().fit(X.astype(np.float32), Y)
    np.testing.assert_allclose(
        blender.weights_, KLBlender().fit(X, Y).weights_, atol=1e-4
    )
    assert blender.gap_ <= 1e-8 * blender.kl_
    assert blender.predict_proba(X.astype(np.float32)).dtype == np.float64


def test_sample_weight():
    whole = np.random.default_rng(0).integers(0, 4, size=200)
    repeated = np.repeat(np.arange(200), whole)
    plain = KLBlender().fit(X[repeated], Y[repeated])
    for scale in (1.0, 1e-8, 1e8):
        weighted = KLBlender().fit(X, Y, sample_weight=scale * whole)
        np.testing.assert_allclose(weighted.weights_, plain.weights_, atol=1e-6)
        assert weighted.kl_ == pytest.approx(plain.kl_, rel=1e-8)


def test_weights_are_taken_through_routing_without_asking():
    weight = np.random.default_rng(0).uniform(size=200)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = cross_val_predict(
            KLBlender(), X, Y, cv=KFold(3), params={"sample_weight": weight}
        )
    for train, test in KFold(3).split(X):
        fitted = KLBlender().fit(X[train], Y[train], sample_weight=weight[train])
        np.testing.assert_array_equal(routed[test], fitted.predict(X[test]))


def test_one_model_and_identical_models():
    one = KLBlender().fit(X[:, :1], Y)
    assert one.weights_.tolist() == [1.0]
    assert one.kl_ == pytest.approx(kl_divergence(Y, X[:, 0]))
    same = KLBlender().fit(X[:, [0, 0, 0]], Y)
    assert same.kl_ == pytest.approx(one.kl_, rel=1e-10)
    twice = KLBlender().fit(X[:, [0, 1, 2, 3, 4, 0, 1]], Y)
    assert twice.kl_ == pytest.approx(KLBlender().fit(X, Y).kl_, rel=1e-8)
    assert twice.gap_ <= 1e-8 * twice.kl_


def test_a_model_that_gives_zero_where_votes_are():
    sure = np.zeros((200, 1, 6))
    sure[np.arange(200), 0, Y.argmax(axis=1)] = 1.0
    assert np.isfinite(KLBlender().fit(sure, Y).kl_)
    both = KLBlender().fit(np.concatenate([X[:, :1], sure], axis=1), Y)
    assert both.kl_ < kl_divergence(Y, X[:, 0])
    assert 0 < both.weights_[1] < 1
    wrong = np.zeros((200, 1, 6))
    wrong[np.arange(200), 0, Y.argmin(axis=1)] = 1.0
    useless = KLBlender().fit(np.concatenate([X[:, :1], wrong], axis=1), Y)
    assert useless.weights_[1] == pytest.approx(0.0, abs=0.01)


def test_perfect_members():
    share = Y / Y.sum(axis=1, keepdims=True)
    blender = KLBlender().fit(np.stack([X[:, 0], share], axis=1), Y)
    assert blender.weights_[1] == pytest.approx(1.0, abs=1e-6)
    assert blender.kl_ == pytest.approx(0.0, abs=1e-10)


def test_order_of_rows_and_members_does_not_matter():
    rng = np.random.default_rng(0)
    rows, models = rng.permutation(200), rng.permutation(5)
    blender = KLBlender().fit(X, Y)
    shuffled = KLBlender().fit(X[rows][:, models], Y[rows])
    np.testing.assert_allclose(shuffled.weights_, blender.weights_[models], atol=1e-6)


def test_large_problem_is_quick_to_converge():
    X, y = members(0, n=12_000, n_models=12)
    blender = KLBlender().fit(X, y)
    assert blender.n_iter_ <= 6
    assert blender.gap_ <= 1e-8 * blender.kl_


def test_warns_where_the_certificate_fails():
    with pytest.warns(
        ConvergenceWarning, match=r"KLBlender: after 1 Newton steps .*max_"
    ):
        blender = KLBlender(max_iter=1, tol=1e-12).fit(X, Y)
    assert blender.gap_ > 1e-12 * blender.kl_
    with pytest.warns(ConvergenceWarning, match="certified to"):
        KLBlender(max_iter=1).fit(*members(3, n_models=20))


def test_input_is_not_written_to_and_not_kept():
    x, y = X.copy(), Y.copy()
    x.flags.writeable = y.flags.writeable = False
    blender = KLBlender().fit(x, y)
    blender.predict_proba(x)
    sizes = [np.size(value) for value in vars(blender).values()]
    assert max(sizes) <= 6


def test_other_classes():
    x, y = members(n_classes=3)
    assert KLBlender(classes="infer").fit(x, y).classes_.tolist() == [0, 1, 2]
    named = KLBlender(classes=["a", "b", "c"]).fit(x, y)
    assert set(named.predict(x)) <= {"a", "b", "c"}
    assert named.score(x, y) == pytest.approx(-named.kl_)


def test_clone_and_params():
    blender = KLBlender(tol=1e-6, max_iter=7, classes="infer")
    params = clone(blender).get_params()
    assert params == blender.get_params()
    assert (params["tol"], params["max_iter"], params["classes"]) == (1e-6, 7, "infer")
    tags = blender.__sklearn_tags__()
    assert tags.input_tags.three_d_array
    assert not tags.input_tags.two_d_array
    assert tags.estimator_type == "classifier"


# Errors ------------------------------------------------------------------------------


def _with(row, model, values):
    x = X.copy()
    x[row, model] = values
    return x


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (_with(7, 3, np.nan), r"NaN or infinite prob.* \(first in row 7 of model 3: "),
        (_with(7, 3, np.inf), r"NaN or infinite prob.* \(first in row 7 of model 3: "),
        (_with(9, 1, [-0.5, 1.5, 0, 0, 0, 0]), r"negative .* row 9 of model 1"),
        (
            _with(2, 0, 0.1),
            r"do not sum to one \(first in row 2 of model 0: .*; 1 such",
        ),
        (np.log(X), r"negative probabilities \(first in row 0 of model 0"),
        (X[:, 0], r"X has 2 dimensions .*np\.stack\(\[p1, p2, \.\.\.\], axis=1\)"),
        (X[..., None], r"X has 4 dimensions"),
        (X[:0], r"shape \(0, 5, 6\) and so no windows"),
        (X[:, :0], r"shape \(200, 0, 6\)"),
        (
            X[:, :, :5] / X[:, :, :5].sum(2, keepdims=True),
            r"X has 5 classes .* y has 6",
        ),
        (X[:199], r"inconsistent numbers of rows: X has 199 windows, y has 200"),
        ("votes", r"X is not an array of numbers"),
    ],
)
def test_wrong_probabilities(x, message):
    with pytest.raises(ValueError, match=f"KLBlender: .*{message}"):
        KLBlender().fit(x, Y)


def test_wrong_probabilities_in_predict():
    blender = KLBlender().fit(X, Y)
    with pytest.raises(
        ValueError, match=r"X has 4 models and 6 classes, .* expecting 5"
    ):
        blender.predict_proba(X[:, :4])
    with pytest.raises(ValueError, match="row 7 of model 3"):
        blender.predict_proba(_with(7, 3, np.nan))
    with pytest.raises(NotFittedError):
        KLBlender().predict_proba(X)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(3), r"sample_weight has shape \(3,\)"),
        (np.r_[-1, np.ones(199)], r".*it is -1\.0 in row 0"),
        (np.zeros(200), r"sample_weight is zero in every row"),
    ],
)
def test_wrong_weights(weight, message):
    with pytest.raises(ValueError, match=f"KLBlender: {message}"):
        KLBlender().fit(X, Y, sample_weight=weight)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tol": 0}, "tol must be positive, got 0"),
        ({"tol": float("nan")}, "tol must be positive"),
        ({"max_iter": 0}, "max_iter must be at least 1, got 0"),
        ({"classes": "kaggle"}, "classes='kaggle' is not known"),
    ],
)
def test_wrong_parameters(params, message):
    with pytest.raises(ValueError, match=f"KLBlender: {message}"):
        KLBlender(**params).fit(X, Y)


def test_wrong_votes():
    with pytest.raises(ValueError, match=r"KLBlender: y has rows without any vote"):
        KLBlender().fit(X, np.where(np.arange(200)[:, None] == 3, 0, Y))
    with pytest.raises(ValueError, match="KLBlender requires y"):
        KLBlender().fit(X, None)


def test_encoded_votes_are_refused():
    with pytest.raises(ValueError, match=r"KLBlender: .*oof_predict_proba"):
        cross_val_predict(KLBlender(), X, Y, method="predict_proba", cv=KFold(3))
    proba = cross_val_predict(
        KLBlender(), X, Y[..., None], method="predict_proba", cv=KFold(3)
    )
    scores = cross_val_score(KLBlender(), X, Y, scoring=kl_scorer, cv=KFold(3))
    parts = [kl_divergence(Y[test], proba[test]) for _, test in KFold(3).split(X)]
    np.testing.assert_allclose(-scores, parts, rtol=1e-12)
