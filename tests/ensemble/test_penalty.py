"""The penalty of a blend: quadratic models, floors, residuals."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.ensemble._penalty import Penalty

KINDS = ["free", "bounded", "l2", "l1", "l1_at_bound", "simplex", "simplex_l1", "mixed"]


def make(kind, n):
    return {
        "free": Penalty.of(n),
        "bounded": Penalty.of(n, lower=0.0),
        "l2": Penalty.of(n, l2=0.7, centre=0.3, lower=0.0),
        "l1": Penalty.of(n, l1=0.4, centre=0.2),
        "l1_at_bound": Penalty.of(n, l1=0.4, lower=0.0),
        "simplex": Penalty.of(n, lower=0.0, whole=True),
        "simplex_l1": Penalty.of(n, lower=0.0, whole=True, l1=0.2, centre=1 / n),
        "mixed": Penalty.of(
            n,
            lower=np.r_[np.zeros(n - 1), -np.inf],
            whole=np.r_[np.ones(n - 1, bool), False],
            l2=0.1,
        ),
    }[kind]


def draw_model(seed, n):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n + 3, n))
    return root.T @ root + 0.05 * np.eye(n), rng.normal(size=n) * 2


def model_value(hessian, linear, penalty, x):
    return 0.5 * x @ hessian @ x - linear @ x + penalty.value(x)


def start_of(penalty, n):
    return penalty.inside(np.full(n, 1.0 / max(penalty.whole.sum(), 1)))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 9))
def test_model_minimum_satisfies_the_optimality_conditions(kind, seed, n):
    penalty = make(kind, n)
    hessian, linear = draw_model(seed, n)
    x = penalty.model_minimum(hessian, linear, start_of(penalty, n))
    assert (x >= penalty.lower).all()
    if penalty.whole.any():
        assert x[penalty.whole].sum() == pytest.approx(1.0, abs=1e-12)
    assert penalty.residual(x, hessian @ x - linear) < 1e-8


@pytest.mark.parametrize("kind", KINDS)
def test_model_minimum_is_that_of_a_general_solver(kind):
    n = 5
    penalty = make(kind, n)
    for seed in range(5):
        hessian, linear = draw_model(seed, n)
        ours = penalty.model_minimum(hessian, linear, start_of(penalty, n))
        value = model_value(hessian, linear, penalty, ours)
        reached = by_slsqp(hessian, linear, penalty, n)
        assert value <= reached + 1e-9
        assert value == pytest.approx(reached, abs=1e-6)


def by_slsqp(hessian, linear, penalty, n):
    """Distances become smooth when each is split into its two directions."""

    def whole(v):
        return penalty.centre + v[:n] - v[n:]

    def objective(v):
        x = whole(v)
        smooth = 0.5 * x @ hessian @ x - linear @ x
        smooth += 0.5 * (penalty.l2 * (x - penalty.centre) ** 2).sum()
        return smooth + (penalty.l1 * (v[:n] + v[n:])).sum()

    constraints = [
        {"type": "ineq", "fun": lambda v, j=j: whole(v)[j]}
        for j in np.flatnonzero(np.isfinite(penalty.lower))
    ]
    if penalty.whole.any():
        constraints.append(
            {"type": "eq", "fun": lambda v: whole(v)[penalty.whole].sum() - 1}
        )
    away = start_of(penalty, n) - penalty.centre
    found = scipy.optimize.minimize(
        objective,
        np.r_[np.maximum(away, 0), np.maximum(-away, 0)],
        bounds=[(0, None)] * (2 * n),
        constraints=constraints,
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    return found.fun


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 7))
def test_floor_is_a_lower_bound_and_tight_at_the_optimum(kind, seed, n):
    penalty = make(kind, n)
    hessian, linear = draw_model(seed, n)
    x = penalty.model_minimum(hessian, linear, start_of(penalty, n))
    value = model_value(hessian, linear, penalty, x)
    slope = hessian @ x - linear
    intercept = 0.5 * x @ hessian @ x - linear @ x - slope @ x
    floor = intercept + penalty.floor(slope, x)
    assert floor <= value + 1e-10
    assert floor == pytest.approx(value, abs=1e-7)


@pytest.mark.parametrize("kind", ["l2", "simplex", "simplex_l1", "l1_at_bound"])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 7))
def test_floor_bounds_every_point(kind, seed, n):
    penalty = make(kind, n)
    rng = np.random.default_rng(seed)
    slope = np.abs(rng.normal(size=n)) if kind == "l1_at_bound" else rng.normal(size=n)
    at = start_of(penalty, n)
    floor = penalty.floor(slope, at)
    for _ in range(20):
        x = penalty.inside(rng.exponential(size=n))
        assert slope @ x + penalty.value(x) >= floor - 1e-9


def test_rounding_in_a_slope_that_nothing_holds_is_charged():
    penalty = Penalty.of(2)
    assert penalty.floor(np.array([1e-9, -1e-9]), np.array([1.0, 3.0])) == (
        pytest.approx(1e-9 - 3e-9 - (2e-9 + 4e-9) * (1.0 + 1e-9 / 1e-10))
    )


def test_part_of_a_penalty():
    penalty = Penalty.of(3, l2=np.array([1.0, 2.0, 3.0]))
    assert penalty.take(np.array([2, 0])).l2.tolist() == [3.0, 1.0]


@pytest.mark.parametrize("n", [2, 4, 5])
def test_two_may_leave_their_kinks_at_once(n):
    penalty = make("simplex_l1", n)
    for seed in range(200):
        hessian, linear = draw_model(seed, n)
        x = penalty.model_minimum(hessian, linear, start_of(penalty, n))
        assert penalty.residual(x, hessian @ x - linear) < 1e-7
