"""Pools as convex losses: derivatives, bounds, and Newton's method on them."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.ensemble._losses import LinearPoolLoss, LogPoolLoss, centred_logs
from hmsklearn.ensemble._newton import minimise
from hmsklearn.ensemble._penalty import Penalty
from hmsklearn.ensemble._pool_fit import PoolData
from hmsklearn.metrics import kl_divergence


def rows(n=40, n_models=4, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 1, n_classes)) * 1.5
    members = logits + rng.normal(size=(n, n_models, n_classes)) * 0.7
    prob = np.exp(members)
    prob /= prob.sum(axis=2, keepdims=True)
    truth = np.exp(logits[:, 0])
    truth /= truth.sum(axis=1, keepdims=True)
    votes = np.array([rng.multinomial(8, each) for each in truth]) / 8
    return prob, votes


def make(kind, seed=0, **kwargs):
    prob, votes = rows(seed=seed, **kwargs)
    weight = np.random.default_rng(seed + 1).uniform(0.5, 2.0, size=len(prob))
    data = PoolData(prob, votes, weight, 1e-7)
    if kind == "linear":
        return LinearPoolLoss(*data.entries), data
    return LogPoolLoss(
        data.logs,
        votes,
        data.share,
        bias="bias" in kind,
        per_class="class" in kind,
    ), data


KINDS = ["linear", "log", "log_bias", "log_class", "log_class_bias"]


def a_point(loss, seed=0):
    rng = np.random.default_rng(seed)
    n = loss.prob.shape[0] if isinstance(loss, LinearPoolLoss) else loss.n_params
    return rng.dirichlet(np.ones(n))


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives(kind):
    loss, _ = make(kind)
    x = a_point(loss)
    point = loss.at(x)
    assert point.value == pytest.approx(loss.value(x), abs=1e-14)
    numeric = scipy.optimize.approx_fprime(x, loss.value, 1e-7)
    np.testing.assert_allclose(point.gradient, numeric, atol=1e-6)
    columns = [
        (loss.at(x + h).gradient - loss.at(x - h).gradient) / 2e-6
        for h in 1e-6 * np.eye(x.size)
    ]
    np.testing.assert_allclose(loss.hessian(point), np.array(columns), atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**5))
def test_tangents_are_lower_bounds_whatever_the_step(kind, seed):
    loss, _ = make(kind, seed=3)
    rng = np.random.default_rng(seed)
    x = a_point(loss, seed)
    step = rng.normal(size=x.size) * rng.choice([1e-3, 0.1, 3.0])
    intercept, slope = loss.tangent(loss.at(x), step)
    for _ in range(10):
        other = np.abs(rng.normal(size=x.size))
        assert intercept + slope @ other <= loss.value(other) + 1e-10


def test_values_are_the_metric():
    prob, votes = rows()
    data = PoolData(prob, votes, None, 1e-12)
    w = np.array([0.1, 0.2, 0.3, 0.4])
    linear = LinearPoolLoss(*data.entries)
    assert linear.value(w) == pytest.approx(kl_divergence(votes, w @ prob), abs=1e-12)
    log = LogPoolLoss(data.logs, votes, data.share, bias=True)
    x = np.r_[2 * w, 0.1, -0.2, 0.1]
    expected = prob.transpose(0, 2, 1) ** (2 * w)
    expected = expected.prod(axis=2) * np.exp(x[4:])
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(log.proba(x), expected, atol=1e-12)
    assert log.value(x) == pytest.approx(kl_divergence(votes, expected), abs=1e-12)


def test_what_all_classes_share_does_not_count():
    prob, _ = rows()
    np.testing.assert_allclose(
        centred_logs(prob, 1e-12), centred_logs(prob * 0.5, 1e-12), atol=1e-12
    )
    assert np.abs(centred_logs(prob, 1e-12).sum(axis=2)).max() < 1e-12


@pytest.mark.parametrize("kind", ["log", "log_bias", "log_class_bias"])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_newton_finds_what_bfgs_finds_and_proves_it(kind, alpha):
    loss, _ = make(kind, n=300)
    penalty = Penalty.of(loss.n_params, l2=alpha, centre=0.25)
    found = minimise(loss, penalty, np.zeros(loss.n_params), tol=1e-10, max_iter=50)
    assert found.converged
    assert found.gap <= 1e-10 * found.value + 1e-12
    assert found.kkt_residual < 1e-7

    def objective(x):
        point = loss.at(x)
        slope = point.gradient + alpha * (x - 0.25)
        return point.value + penalty.value(x), slope

    other = scipy.optimize.minimize(
        objective,
        np.zeros(loss.n_params),
        jac=True,
        method="BFGS",
        options={"gtol": 1e-9},
    )
    assert found.value == pytest.approx(other.fun, abs=1e-10)
    assert found.value <= other.fun + found.gap + 1e-14


def test_the_gap_is_honest_where_the_solver_is_stopped():
    loss, _ = make("log_bias", n=200)
    penalty = Penalty.of(loss.n_params)
    start = np.full(loss.n_params, 2.0)
    best = minimise(loss, penalty, start, tol=1e-12, max_iter=50)
    stopped = minimise(loss, penalty, start, tol=1e-12, max_iter=1)
    assert not stopped.converged
    assert stopped.value - best.value <= stopped.gap
    assert stopped.value > best.value + 1e-9


def test_copies_share_their_weight():
    prob, votes = rows(n=200, n_models=2)
    prob = prob[:, [0, 1, 1, 1]]
    data = PoolData(prob, votes, None, 1e-7)
    loss = LogPoolLoss(data.logs, votes, data.share, bias=False)
    found = minimise(loss, Penalty.of(4), np.full(4, 0.25), tol=1e-9, max_iter=30)
    assert found.converged
    np.testing.assert_allclose(found.x[1:], found.x[1], atol=1e-4)


def test_a_perfect_fit_at_infinity_ends():
    prob = np.array([[[0.7, 0.3]], [[0.3, 0.7]]])
    votes = np.array([[1.0, 0.0], [0.0, 1.0]])
    data = PoolData(prob, votes, None, 1e-7)
    loss = LogPoolLoss(data.logs, votes, data.share, bias=True)
    found = minimise(loss, Penalty.of(3), np.zeros(3), tol=1e-8, max_iter=100)
    assert found.converged
    assert found.gap <= found.value < 1e-8


def test_a_bias_of_a_class_without_votes_ends():
    prob, votes = rows(n=200)
    votes = votes.copy()
    votes[:, 0] = 0
    votes[:, 1] += votes.sum(axis=1) == 0
    votes /= votes.sum(axis=1, keepdims=True)
    data = PoolData(prob, votes, None, 1e-7)
    loss = LogPoolLoss(data.logs, votes, data.share, bias=True)
    found = minimise(
        loss, Penalty.of(loss.n_params), np.zeros(loss.n_params), tol=1e-8, max_iter=100
    )
    assert found.converged
    assert loss.proba(found.x)[:, 0].max() < 1e-6


@pytest.mark.parametrize("l1", [0.0, 0.01])
@pytest.mark.parametrize("lower", [-np.inf, 0.0])
@pytest.mark.parametrize("max_iter", [2, 3])
def test_the_gap_is_honest_where_the_optimum_is_far_away(l1, lower, max_iter):
    prob, _ = rows(n=60, n_models=5)
    # The first member is right everywhere: the more it is trusted, the better.
    certain = np.eye(3)[prob[:, 0].argmax(axis=1)]
    data = PoolData(prob, certain, None, 1e-7)
    loss = LogPoolLoss(data.logs, certain, data.share, bias=False)
    penalty = Penalty.of(5, l1=l1, lower=lower)
    start = np.full(5, 0.2)
    best = minimise(loss, penalty, start, tol=1e-10, max_iter=100)
    stopped = minimise(loss, penalty, start, tol=1e-10, max_iter=max_iter)
    assert not stopped.converged
    assert stopped.value - best.value <= stopped.gap + 1e-12


def test_a_perfect_fit_takes_no_further_step():
    prob = np.array([[[0.7, 0.3]], [[0.3, 0.7]]])
    votes = np.array([[1.0, 0.0], [0.0, 1.0]])
    data = PoolData(prob, votes, None, 1e-7)
    loss = LogPoolLoss(data.logs, votes, data.share, bias=False)
    found = minimise(loss, Penalty.of(1), np.array([40.0]), tol=1e-8, max_iter=100)
    assert found.x.tolist() == [40.0]


def test_members_that_say_nothing_go_where_the_penalty_draws():
    votes = np.array([[1.0, 0.0], [0.5, 0.5]])
    data = PoolData(np.full((2, 3, 2), 0.5), votes, None, 1e-7)
    loss = LogPoolLoss(data.logs, votes, data.share, bias=False)
    found = minimise(
        loss, Penalty.of(3, l1=0.1), np.full(3, 1 / 3), tol=1e-8, max_iter=9
    )
    assert found.converged
    assert found.x.tolist() == [0.0, 0.0, 0.0]
