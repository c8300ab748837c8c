"""The solver of the linear pool: the optimum, whatever the members look like."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from hmsklearn.ensemble import _simplex
from hmsklearn.ensemble._simplex import solve_linear_pool


def problem(seed, n_models=6, n_entries=60, spread=1.0):
    rng = np.random.default_rng(seed)
    prob = np.clip(rng.beta(spread, spread, size=(n_models, n_entries)), 1e-15, 1)
    share = rng.dirichlet(np.ones(n_entries))
    return prob, share


def objective(weights, prob, share):
    return -share @ np.log(weights @ prob)


def solve(prob, share, tol=1e-10, max_iter=100, **kwargs):
    return solve_linear_pool(prob, share, tol=tol, max_iter=max_iter, **kwargs)


def test_two_models_in_closed_form():
    solution = solve(np.array([[0.8, 0.2], [0.2, 0.8]]), np.array([0.75, 0.25]))
    # d/dw of 3 log(0.2 + 0.6 w) + log(0.8 - 0.6 w) vanishes at 11/12.
    np.testing.assert_allclose(solution.weights, [11 / 12, 1 / 12], rtol=1e-9)
    assert solution.converged


def test_agrees_with_a_general_solver():
    for seed in range(5):
        prob, share = problem(seed)
        ours = solve(prob, share)
        theirs = minimize(
            objective,
            np.full(6, 1 / 6),
            args=(prob, share),
            jac=lambda w, p, s: -p @ (s / (w @ p)),
            method="SLSQP",
            bounds=[(0, 1)] * 6,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert objective(ours.weights, prob, share) <= theirs.fun + 1e-12
        np.testing.assert_allclose(ours.weights, theirs.x, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_models=st.integers(1, 25),
    n_entries=st.integers(1, 120),
    spread=st.sampled_from([0.02, 0.2, 1.0, 20.0]),
)
def test_property_the_gap_bounds_every_other_point(seed, n_models, n_entries, spread):
    prob, share = problem(seed, n_models, n_entries, spread)
    solution = solve(prob, share)
    assert solution.converged
    assert (solution.weights >= 0).all()
    assert solution.weights.sum() == pytest.approx(1.0, rel=1e-12)
    value = objective(solution.weights, prob, share)
    assert solution.gap <= max(1e-10 * value, 1e-12)
    rng = np.random.default_rng(seed)
    others = [np.full(n_models, 1 / n_models), *np.eye(n_models)]
    others += list(rng.dirichlet(np.full(n_models, 0.3), size=20))
    for other in others:
        slack = 1e-13 * max(1.0, abs(value))
        assert objective(other, prob, share) >= value - solution.gap - slack


def test_the_gap_is_honest_away_from_the_optimum():
    prob, share = problem(0)
    best = objective(solve(prob, share).weights, prob, share)
    rough = solve(prob, share, tol=1e-2)
    short = solve(prob, share, max_iter=1)
    for solution in (rough, short):
        distance = objective(solution.weights, prob, share) - best
        assert 0 <= distance <= solution.gap
    assert short.gap > 1e-8
    assert not short.converged
    assert short.n_iter <= 1


def test_residual_is_that_of_the_optimality_conditions():
    prob, share = problem(3, n_models=10)
    solution = solve(prob, share)
    gradient = 1 - prob @ (share / (solution.weights @ prob))
    expected = np.abs(np.minimum(solution.weights, gradient)).max()
    assert solution.kkt_residual == pytest.approx(expected, abs=1e-15)
    assert solution.kkt_residual < 1e-9
    used = solution.weights > 0
    assert np.abs(gradient[used]).max() < 1e-9
    assert gradient[~used].min() > -1e-9


def test_one_model():
    solution = solve(np.full((1, 4), 0.3), np.full(4, 0.25))
    assert solution.weights.tolist() == [1.0]
    assert solution.gap < 1e-12
    assert solution.n_iter == 0


def test_copies_and_mixtures_of_members():
    prob, share = problem(1, n_models=4)
    plain = objective(solve(prob, share).weights, prob, share)
    for extra in (prob, prob[:1], prob.mean(axis=0, keepdims=True), prob[[0, 0, 0]]):
        more = np.concatenate([prob, extra])
        solution = solve(more, share)
        assert solution.converged
        assert objective(solution.weights, more, share) == pytest.approx(
            plain, rel=1e-9
        )
    same = np.repeat(prob[:1], 7, axis=0)
    assert solve(same, share).converged


def test_more_models_than_entries():
    for seed in range(20):
        prob, share = problem(seed, n_models=36, n_entries=3, spread=0.1)
        assert solve(prob, share).converged


def test_a_member_that_alone_covers_some_votes():
    """Its weight must not be lost on the way: the way back would take forever."""
    rng = np.random.default_rng(0)
    prob = np.clip(rng.beta(4, 2, size=(5, 3000)), 1e-3, 1)
    prob[:, :4] = 1e-15
    prob[4] = 0.05
    share = np.full(3000, 1 / 3000)
    solution = solve(prob, share)
    assert solution.converged
    assert solution.n_iter < 30
    assert solution.weights[4] == pytest.approx(4 / 3000, rel=0.2)


def test_warm_start_finds_the_same(monkeypatch):
    prob, share = problem(5, n_models=8, n_entries=4000)
    cold = solve(prob, share)
    monkeypatch.setattr(_simplex, "_WARM_MIN_ENTRIES", 1000)
    warm = solve(prob, share)
    assert warm.converged
    assert warm.n_iter <= cold.n_iter
    np.testing.assert_allclose(warm.weights, cold.weights, atol=1e-6)
    # The part that the warm start looks at says nothing about the last model.
    prob[:, ::8] = 0.5
    prob[7, ::8] = 1e-9
    assert solve(prob, share).converged


def test_scaling_an_entry_changes_nothing():
    prob, share = problem(2)
    scaled = prob * np.random.default_rng(0).uniform(1, 20, size=prob.shape[1])
    np.testing.assert_allclose(
        solve(scaled, share).weights, solve(prob, share).weights, atol=1e-7
    )
