"""The best temperature and biases: found, certified, never worse than none."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning

from hmsklearn.calibration import fit_temperature, scale_temperature
from hmsklearn.metrics import EPSILON, kl_divergence
from hmsklearn.votes import VOTE_COLUMNS


def problem(seed=0, n=400, n_classes=6, temperature=0.5, bias=None):
    """Votes, and probabilities that are too sure (or unsure) by a known amount."""
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.full(n_classes, 0.7), size=n)
    votes = rng.multinomial(15, truth)
    shift = np.zeros(n_classes) if bias is None else np.asarray(bias)
    proba = softmax((np.log(truth + 1e-12) - shift) / temperature, axis=1)
    return votes, proba


def test_known_temperature_and_biases_are_found():
    bias = np.array([0.8, -0.5, 0.3, 0.0, -0.4, -0.2])
    # Votes in numbers: what is left is the rounding of the truth.
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.full(6, 0.7), size=500)
    # softmax((log t - b) / 0.5) scaled by 1 / T and b' gives t again for T = 2.
    proba = softmax((np.log(truth) - bias) / 0.5, axis=1)
    fit = fit_temperature(proba, truth, bias=True)
    assert fit.temperature == pytest.approx(2.0, rel=1e-6)
    np.testing.assert_allclose(fit.bias, bias - bias.mean(), atol=1e-6)
    assert fit.kl_after == pytest.approx(0, abs=1e-9)
    alone = fit_temperature(softmax(np.log(truth) / 0.5, axis=1), truth)
    assert alone.temperature == pytest.approx(2.0, rel=1e-6)
    assert (alone.bias == 0).all()


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_optimum_is_that_of_another_solver(with_bias, temperature):
    votes, proba = problem(1, temperature=temperature)
    weight = np.random.default_rng(0).uniform(0, 2, len(votes))
    share = votes / 15

    def loss(point):
        bias = np.append(point[1:], -point[1:].sum()) if with_bias else 0.0
        log_q = log_softmax(point[0] * np.log(proba) + bias, axis=1)
        return -(weight @ (share * log_q).sum(axis=1)) / weight.sum()

    start = np.r_[1.0, np.zeros(5 if with_bias else 0)]
    found = minimize(loss, start, method="BFGS", options={"gtol": 1e-9})
    fit = fit_temperature(proba, votes, bias=with_bias, sample_weight=weight)
    assert 1 / fit.temperature == pytest.approx(found.x[0], rel=1e-4)
    if with_bias:
        np.testing.assert_allclose(fit.bias[:-1], found.x[1:], atol=1e-4)
        assert fit.bias.sum() == pytest.approx(0, abs=1e-9)
    assert (
        fit.kl_after
        <= kl_divergence(
            votes,
            scale_temperature(
                proba,
                1 / found.x[0],
                np.append(found.x[1:], -found.x[1:].sum()) if with_bias else None,
            ),
            sample_weight=weight,
        )
        + 1e-12
    )
    assert fit.grad_norm <= 1e-9
    assert fit.n_iter <= 15


@given(
    st.integers(2, 6),
    st.integers(1, 30),
    st.sampled_from([0.05, 0.5, 5.0]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 1e-3, 1.0]),
    st.integers(0, 2**31),
)
@settings(max_examples=150, deadline=None)
def test_never_worse_than_it_was(n_classes, n, alpha, hard, with_bias, l2, seed):
    """On the rows of the fit, whatever the predictions: zeros, certainties, one row."""
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_classes, alpha), size=n)
    proba[rng.random(n) < 0.2] = np.eye(n_classes)[0]
    votes = rng.multinomial(1 if hard else 7, rng.dirichlet(np.ones(n_classes), n))
    votes[rng.random(n) < 0.1] = np.eye(n_classes, dtype=int)[-1]
    if with_bias and l2 == 0:
        votes = np.vstack([votes, np.ones((1, n_classes), dtype=int)])
        proba = np.vstack([proba, np.full((1, n_classes), 1 / n_classes)])
    fit = fit_temperature(proba, votes, bias=with_bias, l2=l2, tol=1e-7, max_iter=500)
    assert fit.kl_after <= fit.kl_before + 1e-12
    assert fit.kl_before == pytest.approx(kl_divergence(votes, proba), abs=1e-9)
    assert fit.kl_after == pytest.approx(kl_divergence(votes, fit.transform(proba)))
    assert fit.grad_norm <= 1e-7
    assert 0.01 - 1e-12 <= fit.temperature <= 100 + 1e-9
    np.testing.assert_allclose(fit.transform(proba).sum(axis=1), 1)


@given(st.integers(0, 2**31), st.booleans())
@settings(max_examples=25, deadline=None)
def test_no_neighbour_is_better(seed, with_bias):
    votes, proba = problem(seed, n=60)
    votes = votes + 1
    fit = fit_temperature(proba, votes, bias=with_bias)
    rng = np.random.default_rng(seed)
    for size in (1e-3, 1e-2, 0.3):
        slope = 1 / fit.temperature * (1 + size * rng.normal())
        bias = fit.bias + with_bias * size * rng.normal(size=6)
        there = kl_divergence(votes, scale_temperature(proba, 1 / slope, bias))
        assert there >= fit.kl_after - 1e-13


def test_second_fit_changes_nothing():
    votes, proba = problem(2)
    once = fit_temperature(proba, votes, bias=True)
    again = fit_temperature(once.transform(proba), votes, bias=True)
    assert again.temperature == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(again.bias, 0, atol=1e-6)
    assert again.kl_after == pytest.approx(once.kl_after, abs=1e-12)


def test_zero_probabilities_are_clipped_as_in_the_metric():
    proba = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    votes = np.array([[9, 1], [1, 9], [5, 5]])
    fit = fit_temperature(proba, votes)
    assert fit.kl_before == kl_divergence(votes, proba)
    # Two rows, one number: the best odds of 1 : EPSILON are nine to one.
    assert fit.temperature == pytest.approx(-np.log(EPSILON) / np.log(9), rel=1e-6)


def test_bounds_hold_where_there_is_no_best_temperature():
    proba = np.array([[0.6, 0.4], [0.3, 0.7]])
    right = fit_temperature(proba, [0, 1], classes=[0, 1])
    assert 0.01 <= right.temperature < 0.03
    assert right.kl_after < 1e-8
    wrong = fit_temperature(proba, [1, 0], classes=[0, 1])
    assert wrong.temperature == pytest.approx(100)
    assert wrong.grad_norm == 0
    narrow = fit_temperature(proba, [1, 0], classes=[0, 1], bounds=(0.5, 2.0))
    assert narrow.temperature == pytest.approx(2)
    # At the bound, the biases are still at their best.
    votes, sure = problem(3)
    held = fit_temperature(sure, votes, bias=True, bounds=(0.5, 1.2))
    assert held.temperature == pytest.approx(1.2)
    assert held.grad_norm <= 1e-9
    free = fit_temperature(sure, votes, bias=True)
    assert free.temperature > 1.5
    assert free.kl_after < held.kl_after < held.kl_before


def test_bias_mends_a_class_that_is_predicted_too_often():
    votes, proba = problem(4, temperature=1.0, bias=[-1.5, 0, 0, 0, 0, 0.5])
    without = fit_temperature(proba, votes)
    mended = fit_temperature(proba, votes, bias=True)
    assert mended.kl_after < without.kl_after
    assert mended.bias[0] < -1
    # The mean prediction of every class is its mean vote.
    np.testing.assert_allclose(
        mended.transform(proba).mean(axis=0), votes.mean(axis=0) / 15, atol=1e-9
    )


def test_penalty_draws_biases_to_zero():
    votes, proba = problem(5, bias=[-1.0, 0, 0, 0, 0, 1.0])
    sizes = [
        np.abs(fit_temperature(proba, votes, bias=True, l2=l2).bias).sum()
        for l2 in (0.0, 0.01, 0.1, 1.0, 1e6)
    ]
    assert (np.diff(sizes) < 0).all()
    assert sizes[-1] < 1e-4


def test_weights_are_copies():
    votes, proba = problem(6, n=90)
    times = np.arange(90) % 3
    copies = np.repeat(np.arange(90), times)
    weighted = fit_temperature(proba, votes, bias=True, sample_weight=times)
    copied = fit_temperature(proba[copies], votes[copies], bias=True)
    assert weighted.temperature == pytest.approx(copied.temperature, rel=1e-9)
    np.testing.assert_allclose(weighted.bias, copied.bias, atol=1e-9)
    assert weighted.kl_before == pytest.approx(copied.kl_before)
    # A scale changes nothing.
    scaled = fit_temperature(proba, votes, bias=True, sample_weight=times * 1e-6)
    assert scaled.temperature == pytest.approx(weighted.temperature, rel=1e-9)


def test_tables_in_any_order():
    votes, proba = problem(7)
    turned = list(VOTE_COLUMNS)[::-1]
    y = pd.DataFrame(votes, columns=VOTE_COLUMNS)
    p = pd.DataFrame(proba, columns=VOTE_COLUMNS)
    fit = fit_temperature(p[turned], y, bias=True)
    plain = fit_temperature(proba, votes, bias=True)
    np.testing.assert_allclose(fit.bias, plain.bias, atol=1e-9)
    assert fit.temperature == pytest.approx(plain.temperature)


def test_input_is_left_alone():
    votes, proba = problem(8)
    proba[0] = [1, 0, 0, 0, 0, 0]
    before = proba.copy()
    fit_temperature(proba, votes, bias=True).transform(proba)
    np.testing.assert_array_equal(proba, before)


def test_float32_rows():
    votes, proba = problem(9)
    single = fit_temperature(proba.astype(np.float32), votes)
    assert single.temperature == pytest.approx(
        fit_temperature(proba, votes).temperature, rel=1e-5
    )
    assert single.transform(proba.astype(np.float32)).dtype == np.float64


def test_class_without_votes_has_no_best_bias():
    votes, proba = problem(10)
    votes[:, 2] = 0
    votes[:, 0] += 1
    with pytest.raises(ValueError, match=r"columns \[2\].*Set l2 above zero"):
        fit_temperature(proba, votes, bias=True)
    assert fit_temperature(proba, votes, bias=True, l2=0.01).bias[2] < -0.5
    assert fit_temperature(proba, votes).temperature > 1


def test_says_when_it_has_not_arrived():
    votes, proba = problem(11)
    with pytest.warns(ConvergenceWarning, match=r"fit_temperature: after 1 Newton"):
        fit = fit_temperature(proba, votes, bias=True, max_iter=1)
    assert fit.grad_norm > 1e-9
    assert fit.kl_after < fit.kl_before


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"bias": 1.5}, "bias must be True or False"),
        ({"l2": -1}, "l2 must not be negative"),
        ({"bounds": (2, 3)}, "enclose 1"),
        ({"bounds": (0, 3)}, "enclose 1"),
        ({"tol": 0}, "tol must be positive"),
        ({"max_iter": 0}, "max_iter must be at least 1"),
        ({"sample_weight": [0, 0]}, "sum to zero"),
        ({"proba": [[0.5, 0.9]] * 2}, "do not sum to one"),
        ({"proba": [[0.2, 0.3, 0.5]] * 2}, "3"),
    ],
)
def test_says_what_is_wrong(options, match):
    arguments = {"proba": [[0.5, 0.5]] * 2, "y": [[3, 1], [1, 2]], **options}
    with pytest.raises(ValueError, match=rf"^fit_temperature: .*{match}"):
        fit_temperature(**arguments)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([[0.5, 0.5]], 0.0), "temperature must be positive"),
        (([[0.5, 0.5]], np.nan), "temperature must be positive"),
        (([[0.5, 0.5]], 1.0, [1.0]), "2 finite numbers"),
        (([[0.5, 0.5]], 1.0, [1.0, np.inf]), "2 finite numbers"),
        (([0.5, 0.5],), "has shape"),
    ],
)
def test_scaling_says_what_is_wrong(arguments, match):
    with pytest.raises(ValueError, match=f"^scale_temperature: .*{match}"):
        scale_temperature(*arguments)


def test_scaling_by_one_changes_nothing():
    _, proba = problem(12)
    np.testing.assert_allclose(scale_temperature(proba), proba, rtol=1e-12)
    flat = scale_temperature(proba, 1e6)
    np.testing.assert_allclose(flat, 1 / 6, atol=1e-4)
