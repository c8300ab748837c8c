"""The forms of a blend: pools, biases, penalties, few models, several pools."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GroupKFold

from hmsklearn.ensemble import KLBlender
from hmsklearn.metrics import kl_divergence


def members(n=300, n_models=4, n_classes=6, seed=0, n_groups=30):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 1, n_classes)) * 1.5
    spread = rng.uniform(0.4, 1.2, size=(1, n_models, 1))
    prior = np.linspace(-0.5, 0.5, n_classes)  # what the models have wrong
    z = logits + rng.normal(size=(n, n_models, n_classes)) * spread + prior
    prob = np.exp(z)
    prob /= prob.sum(axis=2, keepdims=True)
    truth = np.exp(logits[:, 0])
    truth /= truth.sum(axis=1, keepdims=True)
    votes = np.array([rng.multinomial(10, each) for each in truth])
    return prob, votes, rng.integers(0, n_groups, size=n)


X, Y, G = members()
FORMS = [
    {},
    {"alpha": 0.1},
    {"penalty": "l1", "alpha": 0.01},
    {"bias": True},
    {"temperature": True},
    {"bias": True, "temperature": True, "alpha": 0.05},
    {"per_class": True},
    {"per_class": True, "alpha": 0.5, "bias": True},
    {"pool": "log"},
    {"pool": "log", "bias": True},
    {"pool": "log", "bias": True, "nonnegative": True},
    {"pool": "log", "temperature": False},
    {"pool": "log", "temperature": False, "nonnegative": True, "bias": True},
    {"pool": "log", "alpha": 0.1},
    {"pool": "log", "alpha": 0.1, "shrink_to": "zero"},
    {"pool": "log", "alpha": 0.02, "penalty": "l1"},
    {"pool": "log", "alpha": 0.02, "penalty": "l1", "shrink_to": "zero", "bias": True},
    {"pool": "log", "per_class": True, "bias": True, "alpha": 0.1},
    {"pool": ("linear", "log")},
    {"pool": ("linear", "log"), "pool_weights": (3, 1), "bias": True},
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_form(form):
    blender = KLBlender(**form).fit(X, Y)
    proba = blender.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-12)
    assert (proba >= 0).all()
    assert blender.kl_ == pytest.approx(kl_divergence(Y, proba), abs=1e-12)
    if form.get("per_class") and form.get("pool") != "log":
        assert np.isnan(blender.gap_)
        assert blender.kkt_residual_ < 1e-5
    else:
        assert blender.gap_ <= 2e-8 * blender.kl_
        assert blender.kkt_residual_ < 1e-6
    again = clone(blender).fit(X, Y)
    assert np.array_equal(again.predict_proba(X), proba)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_weights_of_two_are_two_rows(form):
    weight = np.random.default_rng(0).integers(0, 3, size=len(X))
    weighted = KLBlender(**form).fit(X, Y, sample_weight=weight)
    repeated = KLBlender(**form).fit(X.repeat(weight, axis=0), Y.repeat(weight, axis=0))
    np.testing.assert_allclose(
        weighted.predict_proba(X), repeated.predict_proba(X), atol=3e-4
    )


def best_member(X, y):
    return min(kl_divergence(y, X[:, m]) for m in range(X.shape[1]))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 60),
    n_models=st.integers(1, 6),
    n_classes=st.integers(2, 6),
    bias=st.booleans(),
    temperature=st.booleans(),
)
def test_in_sample_a_linear_pool_is_never_worse_than_members_or_mean(
    seed, n, n_models, n_classes, bias, temperature
):
    prob, votes, _ = members(n, n_models, n_classes, seed)
    prob[:, -1] = np.random.default_rng(seed).dirichlet(np.ones(n_classes), size=n)
    blender = KLBlender(bias=bias, temperature=temperature, classes="infer")
    blender.fit(prob, votes)
    bound = min(best_member(prob, votes), kl_divergence(votes, prob.mean(axis=1)))
    assert blender.kl_ <= bound * (1 + 1e-8) + 1e-11


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 60),
    n_models=st.integers(1, 6),
    n_classes=st.integers(2, 6),
    bias=st.booleans(),
    nonnegative=st.booleans(),
    temperature=st.booleans(),
)
def test_in_sample_a_log_pool_is_never_worse_than_members_or_geometric_mean(
    seed, n, n_models, n_classes, bias, nonnegative, temperature
):
    prob, votes, _ = members(n, n_models, n_classes, seed)
    blender = KLBlender(
        "log",
        bias=bias,
        nonnegative=nonnegative,
        temperature=temperature,
        classes="infer",
    )
    blender.fit(prob, votes)
    geometric = np.exp(np.log(prob).mean(axis=1))
    geometric /= geometric.sum(axis=1, keepdims=True)
    bound = min(best_member(prob, votes), kl_divergence(votes, geometric))
    assert blender.kl_ <= bound * (1 + 1e-8) + 1e-11


def test_more_freedom_never_fits_worse():
    def kl(**form):
        return KLBlender(**form).fit(X, Y).kl_

    assert kl(bias=True, temperature=True) < kl(bias=True) < kl()
    assert kl(pool="log", bias=True, per_class=True) < kl(pool="log", bias=True)
    assert (
        kl(pool="log", bias=True) < kl(pool="log") < kl(pool="log", temperature=False)
    )
    assert kl(per_class=True) < kl()
    assert kl() <= kl(alpha=0.01) <= kl(alpha=0.1) <= kl(alpha=10)


def test_a_strong_penalty_leaves_equal_weights():
    for pool in ("linear", "log"):
        for penalty in ("l1", "l2"):
            blender = KLBlender(pool, alpha=1e4, penalty=penalty).fit(X, Y)
            np.testing.assert_allclose(blender.weights_, 0.25, atol=1e-4)
    zero = KLBlender("log", alpha=1e3, penalty="l1", shrink_to="zero").fit(X, Y)
    assert (zero.weights_ == 0).all()
    some = KLBlender("log", alpha=0.05, penalty="l1", shrink_to="zero").fit(X, Y)
    assert some.weights_.any()


def test_weights_by_class_are_drawn_to_shared_ones():
    shared = KLBlender("log", bias=True, alpha=0.1).fit(X, Y)
    tight = KLBlender("log", bias=True, alpha=1e3, per_class=True)
    loose = KLBlender("log", bias=True, alpha=0.0, per_class=True).fit(X, Y)
    tight.fit(X, Y)
    assert tight.weights_.shape == loose.weights_.shape == (4, 6)
    assert np.ptp(tight.weights_, axis=1).max() < 1e-2
    assert np.ptp(loose.weights_, axis=1).max() > 0.05
    assert shared.weights_.shape == (4,)


def test_bias_and_temperature_undo_what_was_done():
    truth = X[:, :1]
    bias = np.array([0.4, -0.2, 0.1, 0.0, -0.5, 0.2])
    done = np.exp(0.5 * np.log(truth) + bias)
    done /= done.sum(axis=2, keepdims=True)
    for pool in ("linear", "log"):
        blender = KLBlender(pool, bias=True, temperature=True).fit(done, truth[:, 0])
        assert blender.temperature_ == pytest.approx(0.5, abs=1e-6)
        np.testing.assert_allclose(blender.bias_, -2 * (bias - bias.mean()), atol=1e-5)
        assert blender.kl_ < 1e-10


def test_temperature_of_a_log_pool_is_one_where_weights_sum_to_one():
    blender = KLBlender("log", temperature=False).fit(X, Y)
    assert blender.weights_.sum() == pytest.approx(1.0, abs=1e-12)
    assert blender.temperature_ == pytest.approx(1.0)


def test_several_pools_are_averaged():
    both = KLBlender(("linear", "log"), pool_weights=(3, 1)).fit(X, Y)
    parts = [KLBlender(pool).fit(X, Y).predict_proba(X) for pool in ("linear", "log")]
    np.testing.assert_allclose(
        both.predict_proba(X), 0.75 * parts[0] + 0.25 * parts[1], atol=1e-12
    )
    assert len(both.pools_) == len(both.objective_) == 2
    assert not hasattr(both, "weights_")
    same = KLBlender(("linear", "linear")).fit(X, Y)
    assert same.weights_.sum() == pytest.approx(1.0)


# Choosing the strength ---------------------------------------------------------------


def test_alpha_by_cross_validation():
    blender = KLBlender("log", bias=True, alpha="cv", alphas=[0, 0.1, 100.0])
    blender.fit(X, Y, groups=G)
    table = blender.cv_results_
    assert table["alpha"].tolist() == [0.0, 0.1, 100.0]
    assert blender.alpha_ == table["alpha"][table["kl"].argmin()]
    assert {f"kl_fold{fold}" for fold in range(5)} < set(table)
    fixed = KLBlender("log", bias=True, alpha=blender.alpha_).fit(X, Y)
    np.testing.assert_allclose(
        fixed.predict_proba(X), blender.predict_proba(X), atol=1e-9
    )


def test_the_score_of_an_alpha_is_that_of_held_out_groups():
    cv = GroupKFold(3)
    blender = KLBlender(alpha="cv", alphas=[0.05], cv=cv, bias=True)
    blender.fit(X, Y, groups=G)
    proba = np.empty(Y.shape)
    for train, test in cv.split(X, Y, G):
        part = KLBlender(alpha=0.05, bias=True).fit(X[train], Y[train])
        proba[test] = part.predict_proba(X[test])
    assert blender.cv_results_["kl"][0] == pytest.approx(
        kl_divergence(Y, proba), abs=1e-7
    )


def test_useless_members_ask_for_a_penalty():
    rng = np.random.default_rng(0)
    noise = rng.dirichlet(np.ones(6), size=(len(X), 30))
    few = np.arange(60)
    crowd = np.concatenate([X, 0.8 * X.mean(axis=1, keepdims=True) + 0.2 * noise], 1)
    blender = KLBlender("log", bias=True, alpha="cv").fit(
        crowd[few], Y[few], groups=G[few]
    )
    plain = KLBlender("log", bias=True).fit(crowd[few], Y[few])
    assert blender.alpha_ > 0
    rest = np.arange(60, len(X))
    assert blender.score(crowd[rest], Y[rest]) > plain.score(crowd[rest], Y[rest])


def test_groups_stay_whole_in_the_folds_of_alpha():
    with pytest.raises(ValueError, match="both sides of split"):
        KLBlender(
            alpha="cv",
            cv=[
                (np.arange(150), np.arange(150, 300)),
                (np.arange(150, 300), np.arange(150)),
            ],
        ).fit(X, Y, groups=G)


def test_balanced_groups():
    sizes = np.bincount(G)
    by_hand = KLBlender().fit(X, Y, sample_weight=sizes[G] ** -0.5)
    blender = KLBlender(group_balance=0.5).fit(X, Y, groups=G)
    np.testing.assert_allclose(blender.weights_, by_hand.weights_, atol=1e-9)
    assert blender.kl_ == pytest.approx(
        kl_divergence(Y, blender.predict_proba(X)), abs=1e-12
    )
    with pytest.raises(ValueError, match="needs the group of each row"):
        KLBlender(group_balance=0.5).fit(X, Y)


def test_rows_without_weight_do_not_make_a_group_large():
    weight = np.ones(len(X))
    weight[::3] = 0
    kept = weight > 0
    blender = KLBlender("log", bias=True, group_balance=1.0)
    zero = clone(blender).fit(X, Y, sample_weight=weight, groups=G)
    dropped = clone(blender).fit(X[kept], Y[kept], groups=G[kept])
    np.testing.assert_allclose(zero.weights_, dropped.weights_, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.001, 0.003])
def test_a_perfect_member_among_distances_is_certified(alpha):
    """Of straight lines the bound is sought at their corners, not between them."""
    truth = Y / Y.sum(axis=1, keepdims=True)
    perfect = np.concatenate([X, 0.99 * truth[:, None] + 0.01 / 6], axis=1)
    blender = KLBlender(alpha=alpha, penalty="l1").fit(perfect, Y)
    assert blender.gap_ <= 1e-8 * blender.objective_


def test_few_models():
    for form in ({}, {"pool": "log", "bias": True}, {"pool": "log", "per_class": True}):
        blender = KLBlender(max_models=2, **form).fit(X, Y)
        used = np.abs(blender.weights_).reshape(4, -1).max(axis=1) > 0
        assert used.sum() == 2
        kept = KLBlender(**form).fit(X[:, used], Y)
        assert blender.kl_ == pytest.approx(kept.kl_, abs=1e-9)


# Other solvers -----------------------------------------------------------------------


SOLVERS = [
    ("l-bfgs-b", {}, {}, 1e-9),
    ("l-bfgs-b", {"pool": "log", "bias": True}, {}, 1e-8),
    ("l-bfgs-b", {"pool": "log", "nonnegative": True, "alpha": 0.1}, {}, 1e-8),
    ("l-bfgs-b", {"bias": True, "temperature": True, "alpha": 0.1}, {}, 1e-8),
    ("nelder-mead", {}, {}, 1e-4),
    ("nelder-mead", {"pool": "log", "temperature": False}, {}, 1e-3),
    ("optuna", {}, {"n_trials": 30}, 0.1),
    ("optuna", {"pool": "log"}, {"n_trials": 30}, 1.0),
    ("greedy", {}, {}, 1e-3),
    ("greedy", {"pool": "log", "temperature": False}, {}, 0.1),
    ("linear-net", {"pool": "log", "bias": True}, {"n_epochs": 60}, 0.1),
]


@pytest.mark.parametrize(("solver", "form", "params", "limit"), SOLVERS, ids=str)
def test_other_solvers_tell_what_they_left(solver, form, params, limit):
    if solver == "optuna":
        pytest.importorskip("optuna")
    best = KLBlender(**form).fit(X, Y)
    other = KLBlender(solver=solver, solver_params=params, random_state=0, **form)
    other.fit(X, Y)
    assert other.objective_ >= best.objective_ - 1e-10
    left = other.objective_ - best.objective_
    if not (form.get("bias") and form.get("pool") != "log"):
        assert left <= other.gap_ + 1e-12
        assert other.gap_ <= left + 2e-8 * best.objective_
    assert other.gap_ <= limit
    again = clone(other).fit(X, Y)
    assert np.array_equal(again.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"pool": "mean"}, "pool='mean' is not known"),
        ({"pool": ()}, r"pool=\(\) is not known"),
        ({"penalty": "l3"}, "penalty='l3' is not known"),
        ({"shrink_to": "one"}, "shrink_to='one' is not known"),
        ({"temperature": "yes"}, "temperature='yes' is not known"),
        ({"alpha": -1}, "alpha=-1 must be a number"),
        ({"alpha": "best"}, "alpha='best' must be a number"),
        ({"alpha": float("nan")}, "alpha=nan must be a number"),
        ({"alpha": "cv", "alphas": []}, "alphas must hold one or more"),
        ({"group_balance": 2}, "group_balance=2 is outside"),
        ({"clip": 0}, "clip=0 is outside"),
        ({"max_models": 0}, "max_models must be an integer at least 1"),
        ({"max_models": 2.5}, "max_models must be an integer at least 1"),
        ({"pool": ("linear", "log"), "pool_weights": [1]}, "must be 2 numbers"),
        ({"penalty": "l1", "shrink_to": "zero", "alpha": 1}, "Set max_models"),
        ({"per_class": True, "penalty": "l1", "alpha": 1}, "take penalty='l2' only"),
        ({"solver": "sgd"}, "solver='sgd' is not known"),
        ({"solver": "greedy", "alpha": 0.1}, "knows no penalty"),
        ({"solver": "greedy", "alpha": "cv"}, "alpha='cv' needs solver='newton'"),
        ({"solver": "linear-net"}, "is a logarithmic pool with biases"),
        ({"solver": "optuna", "per_class": True}, "knows no weights by class"),
        ({"solver_params": {"n_trials": 3}}, "takes no solver_params"),
    ],
    ids=str,
)
def test_parameters_that_do_not_go_together(params, message):
    with pytest.raises(ValueError, match=message):
        KLBlender(**params).fit(X, Y)


def test_classes_that_only_models_believe_in_are_no_division_by_zero():
    X = np.eye(3)[[[0, 0], [1, 1], [2, 2], [0, 1]]]
    votes = np.array([[2, 1, 0], [1, 3, 0], [1, 1, 0], [1, 1, 0]])
    blender = KLBlender(per_class=True, classes="infer").fit(X, votes)
    shared = KLBlender(classes="infer").fit(X, votes)
    np.testing.assert_allclose(blender.predict_proba(X).sum(axis=1), 1.0)
    assert blender.kl_ <= shared.kl_ + 1e-9


def test_a_fold_without_weight_is_named():
    X, votes = members(n=40)[:2]
    halves = [np.arange(20), np.arange(20, 40)]
    blender = KLBlender(alpha="cv", cv=[(halves[0], halves[1]), (halves[1], halves[0])])
    weight = np.repeat([0.0, 1.0], 20)
    with pytest.raises(ValueError, match="every training row of fold 0"):
        blender.fit(X, votes, sample_weight=weight)
