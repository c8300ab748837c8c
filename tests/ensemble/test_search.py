"""The general solvers: they reach known optima, and say what they cannot use."""

import logging
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.ensemble import _search_optuna
from hmsklearn.ensemble._search_lbfgsb import minimise_lbfgsb
from hmsklearn.ensemble._search_nelder_mead import minimise_nelder_mead
from hmsklearn.ensemble._search_optuna import minimise_optuna
from hmsklearn.ensemble._simplex import solve_linear_pool

OPTUNA_BOX = [(0.0, 1.0)] * 2


def quadratic(x, centre):
    return float(((x - centre) ** 2).sum())


def bowl(x, centre, matrix):
    """A convex function whose curvature differs between directions."""
    gradient = matrix @ (x - centre)
    return float(gradient @ (x - centre)) / 2, gradient


def pool(seed, n_models, n_entries=200):
    rng = np.random.default_rng(seed)
    prob = rng.beta(4, 2, size=(n_models, n_entries))
    return prob, rng.dirichlet(np.ones(n_entries))


def pool_value(weights, prob, share):
    return float(-share @ np.log(weights @ prob) + weights.sum() - 1)


def pool_value_and_gradient(weights, prob, share):
    """The pool with its constraint exchanged for the term that has its multiplier."""
    pooled = weights @ prob
    value = float(-share @ np.log(pooled) + weights.sum() - 1)
    return value, 1 - prob @ (share / pooled)


# Nelder-Mead


def test_nelder_mead_finds_the_minimum():
    centre = np.array([0.2, 0.7, 0.4])
    result = minimise_nelder_mead(
        partial(quadratic, centre=centre),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        max_iter=500,
        tol=1e-8,
    )
    np.testing.assert_allclose(result.x, centre, atol=1e-6)
    assert result.value == quadratic(result.x, centre)
    assert result.converged
    assert result.n_evaluations > result.n_iter > 10


def test_nelder_mead_on_a_pool_of_three():
    prob, share = pool(0, 3)
    best = solve_linear_pool(prob, share, tol=1e-12, max_iter=100)
    result = minimise_nelder_mead(
        partial(pool_value, prob=prob, share=share),
        np.full(3, 1 / 3),
        bounds=[(1e-9, 1)] * 3,
        max_iter=2000,
        tol=1e-8,
    )
    np.testing.assert_allclose(result.x, best.weights, atol=1e-4)


def test_nelder_mead_ends_at_a_bound():
    result = minimise_nelder_mead(
        partial(quadratic, centre=np.array([-0.5, 0.5])),
        [0.5, 0.2],
        bounds=[(0, 1), (None, None)],
        max_iter=400,
    )
    assert result.x[0] == 0
    assert result.x[1] == pytest.approx(0.5, abs=1e-3)


def test_nelder_mead_keeps_to_its_budget_and_says_so():
    result = minimise_nelder_mead(
        partial(quadratic, centre=np.zeros(2)), [1.0, 1.0], max_iter=3
    )
    assert result.n_iter == 3
    assert not result.converged
    assert "iterations" in result.message
    assert result.value < 2


def test_nelder_mead_walks_around_infinity():
    def fenced(x):
        return np.inf if x[0] + x[1] > 1 else quadratic(x, np.array([0.2, 0.3]))

    result = minimise_nelder_mead(fenced, [0.9, 0.9], max_iter=400, tol=1e-6)
    # From a start where nothing is better than anything else it goes nowhere.
    assert result.value == np.inf
    result = minimise_nelder_mead(fenced, [0.5, 0.49], max_iter=400, tol=1e-6)
    np.testing.assert_allclose(result.x, [0.2, 0.3], atol=1e-5)


# L-BFGS-B


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), n_parameters=st.integers(1, 12))
def test_property_lbfgsb_solves_bowls(seed, n_parameters):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_parameters, n_parameters))
    matrix = root @ root.T + 0.1 * np.eye(n_parameters)
    centre = rng.normal(size=n_parameters)
    result = minimise_lbfgsb(
        partial(bowl, centre=centre, matrix=matrix),
        np.zeros(n_parameters),
        max_iter=1000,
        tol=1e-8,
    )
    np.testing.assert_allclose(result.x, centre, atol=1e-6)
    assert result.value == bowl(result.x, centre, matrix)[0]


def test_lbfgsb_reaches_the_optimum_of_a_pool():
    for seed in range(5):
        prob, share = pool(seed, 12)
        best = solve_linear_pool(prob, share, tol=1e-12, max_iter=100)
        result = minimise_lbfgsb(
            partial(pool_value_and_gradient, prob=prob, share=share),
            np.full(12, 1 / 12),
            bounds=[(0, None)] * 12,
            max_iter=1000,
            tol=1e-9,
        )
        assert result.converged
        lowest = pool_value(best.weights, prob, share)
        assert result.value - lowest <= 1e-8 * lowest
        np.testing.assert_allclose(result.x, best.weights, atol=1e-4)
        # It selects: what is not used is exactly zero.
        assert ((result.x > 0) == (best.weights > 1e-6)).all()


def test_lbfgsb_keeps_to_its_budget_and_says_so():
    prob, share = pool(0, 12)
    result = minimise_lbfgsb(
        partial(pool_value_and_gradient, prob=prob, share=share),
        np.full(12, 1 / 12),
        bounds=[(0, None)] * 12,
        max_iter=2,
    )
    assert result.n_iter == 2
    assert not result.converged


@pytest.mark.parametrize(
    ("gradient", "message"),
    [
        (np.zeros(3), r"gradient has shape \(3,\), expected \(2,\)"),
        (np.array([0.0, np.nan]), r"gradient is not finite at \[1.0, 2.0\]"),
    ],
)
def test_lbfgsb_refuses_gradients_that_are_none(gradient, message):
    with pytest.raises(ValueError, match=message):
        minimise_lbfgsb(lambda x: (0.0, gradient), [1.0, 2.0], max_iter=5)


def test_lbfgsb_refuses_infinity():
    with pytest.raises(ValueError, match=r"objective is inf at .* a finite number"):
        minimise_lbfgsb(lambda x: (np.inf, np.zeros(1)), [1.0], max_iter=5)


# Optuna


def test_optuna_comes_close():
    centre = np.array([0.2, 0.7])
    result = minimise_optuna(
        partial(quadratic, centre=centre), OPTUNA_BOX, n_trials=60, random_state=0
    )
    np.testing.assert_allclose(result.x, centre, atol=0.1)
    assert result.value == quadratic(result.x, centre)
    assert (result.n_evaluations, result.n_iter) == (60, 60)
    assert result.converged


def test_optuna_is_better_than_chance():
    centre = np.full(3, 0.35)
    draws = np.random.default_rng(0).uniform(size=(40, 3))
    chance = min(quadratic(draw, centre) for draw in draws)
    found = [
        minimise_optuna(
            partial(quadratic, centre=centre),
            [(0, 1)] * 3,
            n_trials=40,
            random_state=seed,
        ).value
        for seed in range(3)
    ]
    assert np.median(found) < chance


def test_optuna_is_reproducible():
    def trials(random_state):
        seen = []

        def objective(x):
            seen.append(x.copy())
            return quadratic(x, np.array([0.1, 0.9]))

        minimise_optuna(objective, OPTUNA_BOX, n_trials=25, random_state=random_state)
        return np.array(seen)

    np.random.seed(0)  # noqa: NPY002
    first = trials(7)
    np.random.seed(1)  # noqa: NPY002
    np.testing.assert_array_equal(trials(7), first)
    assert not np.array_equal(trials(8), first)
    state = np.random.RandomState(3)
    assert not np.array_equal(trials(state), trials(state))


def test_optuna_tries_the_start_first():
    seen = []

    def objective(x):
        seen.append(x.copy())
        return quadratic(x, np.array([0.25, 0.5]))

    result = minimise_optuna(
        objective, OPTUNA_BOX, n_trials=5, random_state=0, start=[0.25, 0.5]
    )
    assert seen[0].tolist() == [0.25, 0.5]
    assert len(seen) == 5
    assert result.value == 0


def test_optuna_allows_infinity_and_fixed_parameters():
    result = minimise_optuna(
        lambda x: np.inf, [(0, 1), (2, 2)], n_trials=3, random_state=0
    )
    assert result.value == np.inf
    assert result.x[1] == 2


def test_optuna_is_quiet_and_leaves_its_logging_as_it_was(capfd):
    optuna = pytest.importorskip("optuna")
    before = optuna.logging.get_verbosity()
    try:
        optuna.logging.set_verbosity(logging.DEBUG)
        minimise_optuna(
            lambda x: float(x[0]), [(0, 1)], n_trials=12, random_state=0, start=[0.5]
        )
        assert optuna.logging.get_verbosity() == logging.DEBUG
        with pytest.raises(ZeroDivisionError):
            minimise_optuna(lambda x: 1 / 0, [(0, 1)], n_trials=2)
        assert optuna.logging.get_verbosity() == logging.DEBUG
    finally:
        optuna.logging.set_verbosity(before)
    assert capfd.readouterr() == ("", "")


def test_without_optuna_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r'pip install "hmsklearn\[optuna\]"'):
        minimise_optuna(lambda x: 0.0, [(0, 1)], n_trials=1)


def test_importing_the_solver_does_not_import_optuna():
    code = f"import sys, {_search_optuna.__name__}; sys.exit('optuna' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# All of them


def nelder_mead(objective, start, bounds=None, **budget):
    budget = {"max_iter": 5, **budget}
    return minimise_nelder_mead(objective, start, bounds=bounds, **budget)


def lbfgsb(objective, start, bounds=None, **budget):
    budget = {"max_iter": 5, **budget}
    return minimise_lbfgsb(
        lambda x: (objective(x), np.zeros_like(x)), start, bounds=bounds, **budget
    )


def with_optuna(objective, start, bounds=((0, 9), (0, 9)), max_iter=5):
    return minimise_optuna(
        objective, bounds, n_trials=max_iter, random_state=0, start=start
    )


SOLVERS = pytest.mark.parametrize("solve", [nelder_mead, lbfgsb, with_optuna])


@SOLVERS
@pytest.mark.parametrize(
    ("start", "message"),
    [
        ([], r"start has shape \(0,\), expected a vector"),
        ([[1.0, 2.0]], r"start has shape \(1, 2\), expected a vector"),
        ([1.0, np.nan], r"start\[1\] is nan"),
        ([np.inf, 0.0], r"start\[0\] is inf"),
    ],
)
def test_starts_that_are_none(solve, start, message):
    with pytest.raises(ValueError, match=message):
        solve(lambda x: 0.0, start)


@SOLVERS
@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ([(0, 1)], "1 pairs of bounds for 2 parameters"),
        ([(0, 1), (3, 2)], r"bounds\[1\] is \(3.0, 2.0\), expected .*low <= high"),
        ([(0, 1), (0, np.nan)], r"bounds\[1\] is \(0.0, nan\)"),
        ([0, 1], r"bounds must be pairs \(low, high\)"),
        ([(0, 1), (0, 0.2)], r"start\[1\] is 0.5, outside of bounds \(0.0, 0.2\)"),
    ],
)
def test_bounds_that_are_none(solve, bounds, message):
    with pytest.raises(ValueError, match=message):
        solve(lambda x: 0.0, [0.5, 0.5], bounds=bounds)


@pytest.mark.parametrize("pair", [(0, None), (0, np.inf), (-np.inf, 1)])
def test_optuna_needs_finite_bounds(pair):
    with pytest.raises(ValueError, match=r"bounds\[0\] is .*, expected finite numbers"):
        minimise_optuna(lambda x: 0.0, [pair], n_trials=3)
    with pytest.raises(ValueError, match="0 pairs of bounds for no parameters"):
        minimise_optuna(lambda x: 0.0, [], n_trials=3)


@SOLVERS
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_objectives_that_are_not_numbers(solve, value):
    with pytest.raises(ValueError, match=rf"objective is {value} at \[1.0, 2.0\]"):
        solve(lambda x: value, [1.0, 2.0])


@SOLVERS
def test_budgets_that_are_none(solve):
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        solve(lambda x: 0.0, [1.0, 2.0], max_iter=0)


@pytest.mark.parametrize("solve", [nelder_mead, lbfgsb])
@pytest.mark.parametrize("tol", [0, -1.0, np.nan])
def test_tolerances_that_are_none(solve, tol):
    with pytest.raises(ValueError, match="tol must be positive"):
        solve(lambda x: 0.0, [1.0, 2.0], tol=tol)


@SOLVERS
def test_the_objective_cannot_disturb_the_search(solve):
    """What it does to the vector it is given, and to the start, stays its own."""
    start = np.array([0.5, 0.4])

    def rude(x):
        value = quadratic(x, np.array([0.2, 0.3]))
        x[:] = np.nan
        return value

    quiet = solve(lambda x: quadratic(x, np.array([0.2, 0.3])), start)
    result = solve(rude, start)
    np.testing.assert_array_equal(result.x, quiet.x)
    assert start.tolist() == [0.5, 0.4]
