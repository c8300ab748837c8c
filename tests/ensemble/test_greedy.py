"""Greedy forward selection: every pick is the best one, and the blend is good."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold

from hmsklearn.ensemble import _greedy_pools
from hmsklearn.ensemble._greedy import select_greedily, select_greedily_log
from hmsklearn.ensemble._greedy_pools import LinearPicks, LogPicks
from hmsklearn.ensemble._simplex import solve_linear_pool
from hmsklearn.metrics import kl_divergence


def linear_problem(seed, n_models=8, n_entries=300):
    rng = np.random.default_rng(seed)
    entries = rng.beta(3, 2, size=(n_models, n_entries)) + 1e-6
    return entries, rng.dirichlet(np.ones(n_entries))


def log_problem(seed, n_models=8, n=120, n_classes=6, noise=1.0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, 1, n_classes))
    logits = truth + noise * rng.normal(size=(n, n_models, n_classes))
    log_prob = logits - np.logaddexp.reduce(logits, axis=2, keepdims=True)
    prob = np.exp(truth[:, 0])
    fractions = np.stack(
        [rng.multinomial(10, row) / 10 for row in prob / prob.sum(axis=1)[:, None]]
    )
    return log_prob, fractions, rng.uniform(0, 2, size=n)


def linear_value(weights, entries, share):
    return -share @ np.log(weights @ entries)


def log_value(weights, log_prob, fractions, weight=None):
    pooled = np.exp(np.einsum("imk,m->ik", log_prob, weights))
    pooled /= pooled.sum(axis=1, keepdims=True)
    return kl_divergence(fractions, pooled, sample_weight=weight)


def by_hand(value, n_models, n_steps, limit, with_replacement=True, n_first=1):
    """Pick by the definition: try every model, keep the best."""
    alone = [value(np.eye(n_models)[model]) for model in range(n_models)]
    order = list(np.argsort(alone, kind="stable")[:n_first])
    path = [
        value(np.bincount(order[:k], minlength=n_models) / k)
        for k in range(1, n_first + 1)
    ]
    while len(order) < n_steps:
        tried = {}
        for model in range(n_models):
            if model in order and not with_replacement:
                continue
            if model not in order and len(set(order)) == limit:
                continue
            picks = np.bincount([*order, model], minlength=n_models)
            tried[model] = value(picks / picks.sum())
        if not tried:
            break
        order.append(min(tried, key=tried.get))
        path.append(tried[order[-1]])
    return np.array(order), np.array(path)


SETTINGS = pytest.mark.parametrize(
    "setting",
    [
        {},
        {"max_models": 3},
        {"max_models": None},
        {"with_replacement": False},
        {"with_replacement": False, "max_models": 5},
        {"start_from_best": 4},
        {"start_from_best": 3, "max_models": 3},
        {"n_steps": 1},
    ],
    ids=str,
)


def expected(value, setting):
    limit = setting.get("max_models", 30)
    return by_hand(
        value,
        8,
        setting.get("n_steps", 20),
        8 if limit is None else min(8, limit),
        setting.get("with_replacement", True),
        setting.get("start_from_best", 1),
    )


def check(picks, value, order, path):
    np.testing.assert_array_equal(picks.order, order)
    np.testing.assert_allclose(picks.path, path, rtol=1e-12)
    n_kept = picks.counts.sum()
    assert picks.path.argmin() == n_kept - 1
    np.testing.assert_array_equal(
        picks.counts, np.bincount(order[:n_kept], minlength=picks.counts.size)
    )
    np.testing.assert_allclose(picks.weights, picks.counts / n_kept, rtol=1e-12)
    assert picks.value == pytest.approx(value(picks.weights), rel=1e-12)


@SETTINGS
@pytest.mark.parametrize("seed", range(3))
def test_every_pick_is_the_best_one(seed, setting):
    entries, share = linear_problem(seed)

    def value(weights):
        return linear_value(weights, entries, share)

    picks = select_greedily(entries, share, **{"n_steps": 20, **setting})
    check(picks, value, *expected(value, setting))


@SETTINGS
@pytest.mark.parametrize("seed", range(3))
def test_every_pick_is_the_best_one_for_the_log_pool(seed, setting):
    problem = log_problem(seed)

    def value(weights):
        return log_value(weights, *problem)

    picks = select_greedily_log(*problem, **{"n_steps": 20, **setting})
    check(picks, value, *expected(value, setting))


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_models=st.integers(1, 12),
    n_entries=st.integers(1, 60),
    n_steps=st.integers(1, 30),
    with_replacement=st.booleans(),
)
def test_property_between_the_optimum_and_the_best_model(
    seed, n_models, n_entries, n_steps, with_replacement
):
    entries, share = linear_problem(seed, n_models, n_entries)
    picks = select_greedily(
        entries, share, n_steps=n_steps, with_replacement=with_replacement
    )
    alone = [linear_value(one, entries, share) for one in np.eye(n_models)]
    best = solve_linear_pool(entries, share, tol=1e-10, max_iter=100)
    assert picks.path[0] == pytest.approx(min(alone), rel=1e-12)
    assert picks.value <= picks.path[0]
    lowest = linear_value(best.weights, entries, share)
    assert picks.value >= lowest - best.gap - 1e-12
    assert picks.weights.sum() == pytest.approx(1)
    assert (picks.weights >= 0).all()
    assert picks.value == picks.path.min()
    if with_replacement:
        # The second pick can be the first once more, which changes nothing.
        assert (picks.path[1:2] <= picks.path[0] * (1 + 1e-14)).all()
        assert picks.order.size == n_steps
    else:
        assert np.unique(picks.order).size == picks.order.size


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), n_models=st.integers(2, 12))
def test_property_many_picks_come_close_to_the_optimum(seed, n_models):
    """A pick moves the mean by one over their number, as Frank-Wolfe does."""
    entries, share = linear_problem(seed, n_models, 60)
    solution = solve_linear_pool(entries, share, tol=1e-10, max_iter=100)
    lowest = linear_value(solution.weights, entries, share)
    picks = select_greedily(entries, share, n_steps=200, max_models=None)
    first, last = picks.path[0] - lowest, picks.value - lowest
    assert last <= 0.02 * first + 1e-5


def bounds_and_values(pool, n_before, seed):
    rng = np.random.default_rng(seed)
    total = pool.nothing()
    for model in rng.integers(pool.n_models, size=n_before):
        total = pool.add(total, model)
    models = np.arange(pool.n_models)
    bounds = pool.lower_bounds(total, n_before + 1, models)
    values = [pool.value(pool.add(total, model), n_before + 1) for model in models]
    return bounds, np.array(values)


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_entries=st.integers(1, 3000),
    n_before=st.integers(0, 60),
    spread=st.sampled_from([0.02, 0.2, 1.0, 20.0]),
)
def test_property_no_candidate_is_better_than_its_bound(
    seed, n_entries, n_before, spread
):
    rng = np.random.default_rng(seed)
    entries = np.clip(rng.beta(spread, spread, size=(7, n_entries)), 1e-15, 1)
    entries *= rng.uniform(1, 20, size=n_entries)
    share = rng.dirichlet(np.ones(n_entries))
    bounds, values = bounds_and_values(
        LinearPicks(entries, share, "test"), n_before, seed
    )
    assert (bounds <= values).all()
    if n_before > 10 and spread >= 1:
        # They are close enough to tell most of the models apart.
        assert (values - bounds < 1e-3).all()


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_before=st.integers(0, 60),
    noise=st.sampled_from([0.1, 1.0, 5.0, 25.0, 300.0]),
)
def test_property_no_candidate_is_better_than_its_bound_in_the_log_pool(
    seed, n_before, noise
):
    pool = LogPicks(*log_problem(seed, noise=noise), "test")
    bounds, values = bounds_and_values(pool, n_before, seed)
    assert (bounds <= values).all()
    assert (values - bounds < 1e-5 * (1 + noise)).all()


def test_the_path_can_rise_and_the_picks_after_the_best_are_not_kept():
    """Two models, each right where the other is wrong: only even picks are even."""
    entries = np.array([[0.9, 0.1], [0.1, 0.9]])
    picks = select_greedily(entries, np.array([0.5, 0.5]), n_steps=3)
    assert picks.order.tolist()[:2] == [0, 1]
    assert picks.path[2] > picks.path[1]
    assert picks.counts.tolist() == [1, 1]
    assert picks.value == picks.path[1]


def test_of_equal_models_the_first_is_picked():
    entries, share = linear_problem(0, n_models=3)
    best = select_greedily(entries, share, n_steps=1).order[0]
    copies = np.concatenate([entries, entries[[best, best]]])
    picks = select_greedily(copies, share, n_steps=10)
    assert set(picks.order.tolist()) <= {0, 1, 2}


def test_models_that_single_precision_cannot_tell_apart():
    """The best of many near copies is found, not one of those that round to it."""
    rng = np.random.default_rng(0)
    base, share = rng.uniform(0.2, 0.9, size=2000), np.full(2000, 1 / 2000)
    gains = rng.permutation(40) * 1e-10
    entries = base * (1 + gains[:, None])
    assert select_greedily(entries, share, n_steps=1).order[0] == gains.argmax()
    log_prob, fractions, _ = log_problem(0, n_models=1, n=400)
    scales = 1 + rng.permutation(40) * 1e-10
    many = log_prob * scales[:, None]
    alone = [log_value(one, many, fractions) for one in np.eye(40)]
    assert np.ptp(alone) < 1e-7
    picks = select_greedily_log(many, fractions, n_steps=1)
    assert picks.order[0] == np.argmin(alone)


def test_blocks_threads_and_parts_change_nothing(monkeypatch):
    entries, share = linear_problem(0, n_models=9, n_entries=1001)
    problem = log_problem(1, n_models=9, n=501)
    linear = select_greedily(entries, share, n_steps=15)
    log = select_greedily_log(*problem, n_steps=15)
    monkeypatch.setattr(_greedy_pools, "_BLOCK", 100)
    monkeypatch.setattr(_greedy_pools, "_LOG_BLOCK", 100)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        again = select_greedily(entries, share, n_steps=15)
        log_again = select_greedily_log(*problem, n_steps=15)
    finally:
        torch.set_num_threads(before)
    for first, second in ((linear, again), (log, log_again)):
        np.testing.assert_array_equal(first.order, second.order)
        np.testing.assert_array_equal(first.path, second.path)


def test_logarithms_beyond_the_range_of_single_precision():
    log_prob, fractions, weight = log_problem(2)
    log_prob[::7, 0, 2] = -400.0
    log_prob[::5, 1, 3] = -900.0
    # Together they leave nothing that single precision could add up.
    log_prob[3, 0] = [0, -900, -900, -900, -900, -900]
    log_prob[3, 1] = [-900, 0, -900, -900, -900, -900]
    log_prob[3, 2:] = np.log(1 / 6)

    def value(weights):
        scores = np.einsum("imk,m->ik", log_prob, weights)
        scores -= np.logaddexp.reduce(scores, axis=1, keepdims=True)
        voted = np.where(fractions > 0, fractions, 1)
        losses = (fractions * (np.log(voted) - scores)).sum(axis=1)
        return float(np.average(losses, weights=weight))

    picks = select_greedily_log(log_prob, fractions, weight, n_steps=12)
    check(picks, value, *by_hand(value, 8, 12, 8))


def test_weights_of_rows_count_as_copies_of_rows():
    log_prob, fractions, _ = log_problem(3)
    repeats = np.arange(120) % 4
    weighted = select_greedily_log(log_prob, fractions, repeats, n_steps=10)
    copies = select_greedily_log(
        np.repeat(log_prob, repeats, axis=0),
        np.repeat(fractions, repeats, axis=0),
        n_steps=10,
    )
    np.testing.assert_array_equal(weighted.order, copies.order)
    np.testing.assert_allclose(weighted.path, copies.path, rtol=1e-12)


def test_shifted_logarithms_are_the_same_models():
    log_prob, fractions, weight = log_problem(4)
    shift = np.random.default_rng(0).normal(size=(120, 8, 1))
    picks = select_greedily_log(log_prob, fractions, weight, n_steps=10)
    moved = select_greedily_log(log_prob + shift, fractions, weight, n_steps=10)
    np.testing.assert_array_equal(picks.order, moved.order)
    np.testing.assert_allclose(picks.path, moved.path, rtol=1e-12)


def test_bags_average_selections_from_subsets():
    entries, share = linear_problem(0, n_models=10)
    bagged = select_greedily(
        entries, share, n_steps=6, n_bags=4, bag_fraction=0.3, random_state=0
    )
    assert bagged.order.size == bagged.path.size == 24
    mean, counts = np.zeros(10), np.zeros(10, int)
    for order, path in zip(
        bagged.order.reshape(4, 6), bagged.path.reshape(4, 6), strict=True
    ):
        bag = np.unique(order)
        assert bag.size <= 3
        kept = np.bincount(order[: path.argmin() + 1], minlength=10)
        mean += kept / kept.sum() / 4
        counts += kept
    np.testing.assert_allclose(bagged.weights, mean, rtol=1e-12)
    np.testing.assert_array_equal(bagged.counts, counts)
    assert bagged.value == pytest.approx(linear_value(mean, entries, share), rel=1e-12)
    # The blend of the bags is at least as good as they are on average: convexity.
    assert bagged.value <= bagged.path.reshape(4, 6).min(axis=1).mean()


def test_each_bag_is_a_selection_of_its_own():
    problem = log_problem(0, n_models=6)
    everything = select_greedily_log(*problem, n_steps=8)
    bagged = select_greedily_log(*problem, n_steps=8, n_bags=2, bag_fraction=1.0)
    np.testing.assert_array_equal(bagged.order, np.tile(everything.order, 2))
    np.testing.assert_allclose(bagged.weights, everything.weights, rtol=1e-12)
    assert bagged.value == pytest.approx(everything.value, rel=1e-12)


def test_bags_are_reproducible():
    entries, share = linear_problem(1, n_models=20)

    def order(random_state):
        np.random.seed(order.calls)  # noqa: NPY002
        order.calls += 1
        return select_greedily(
            entries, share, n_steps=5, n_bags=3, random_state=random_state
        ).order.tolist()

    order.calls = 0
    assert order(0) == order(0)
    assert order(0) != order(1)


def test_inputs_stay_as_they_are():
    entries, share = linear_problem(0)
    log_prob, fractions, weight = log_problem(0)
    inputs = (entries, share, log_prob, fractions, weight)
    before = [each.copy() for each in inputs]
    for each in inputs:
        each.setflags(write=False)
    select_greedily(entries, share, n_steps=5)
    select_greedily_log(log_prob, fractions, weight, n_steps=5)
    for old, new in zip(before, inputs, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"n_steps": 0}, "n_steps must be at least 1, got 0"),
        ({"max_models": 0}, "max_models must be at least 1, got 0"),
        ({"start_from_best": 0}, "start_from_best must be at least 1, got 0"),
        ({"start_from_best": 9}, "start_from_best=9 models do not fit into 100 steps"),
        ({"start_from_best": 3, "max_models": 2}, "and 2 different models"),
        ({"start_from_best": 3, "n_steps": 2}, "do not fit into 2 steps"),
        ({"n_bags": -1}, "n_bags must be at least 0, got -1"),
        ({"bag_fraction": 0.0}, r"bag_fraction must be in \(0, 1\], got 0.0"),
        ({"bag_fraction": 1.1}, r"bag_fraction must be in \(0, 1\], got 1.1"),
    ],
)
def test_settings_out_of_range(setting, message):
    with pytest.raises(ValueError, match=f"select_greedily: .*{message}"):
        select_greedily(*linear_problem(0), **setting)
    with pytest.raises(ValueError, match=f"select_greedily_log: .*{message}"):
        select_greedily_log(*log_problem(0), **setting)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e, s: (e[0], s), r"entries have shape \(300,\)"),
        (lambda e, s: (e[:0], s), r"entries have shape \(0, 300\)"),
        (lambda e, s: (e, s[:9]), r"share has shape \(9,\), expected \(300,\)"),
        (lambda e, s: (e, 2 * s), "share must hold .* sum to one"),
        (lambda e, s: (e, np.r_[-0.5, s[1:] + 0.5 / 299]), "share must hold"),
        (lambda e, s: (e - 0.5, s), "entries must be positive and finite"),
        (lambda e, s: (e * np.inf, s), "entries must be positive and finite"),
        (lambda e, s: (e * np.nan, s), "entries must be positive and finite"),
    ],
)
def test_entries_that_are_none(change, message):
    with pytest.raises(ValueError, match=f"select_greedily: {message}"):
        select_greedily(*change(*linear_problem(0)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, f, w: (p[0], f, w), r"log_prob has shape \(8, 6\)"),
        (lambda p, f, w: (p[:, :0], f, w), r"log_prob has shape \(120, 0, 6\)"),
        (lambda p, f, w: (p, f[:, :5], w), r"fractions have shape \(120, 5\)"),
        (lambda p, f, w: (np.log(np.exp(p) * 0 + 0.0 * p), f, w), "not finite"),
        (lambda p, f, w: (p, 2 * f, w), "each row must sum to one"),
        (lambda p, f, w: (p, f, w[:3]), r"weight has shape \(3,\), expected \(120,\)"),
        (lambda p, f, w: (p, f, w - 1), "weight must hold finite numbers"),
        (lambda p, f, w: (p, f, 0 * w), "one of them must be positive"),
        (lambda p, f, w: (p, f, w * np.inf), "weight must hold finite numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_logarithms_that_are_none(change, message):
    with pytest.raises(ValueError, match=f"select_greedily_log: .*{message}"):
        select_greedily_log(*change(*log_problem(0)))


@pytest.fixture(scope="module")
def real(hms_data):
    targets = pd.read_parquet(hms_data / "oof" / "targets.parquet")
    predictions = pd.read_parquet(hms_data / "oof" / "predictions.parquet")
    rows = (targets["total_votes"] >= 10).to_numpy()
    prob = predictions.to_numpy(np.float64).reshape(len(predictions), -1, 6)[rows]
    names = [column.removesuffix("/seizure_vote") for column in predictions][::6]
    votes = targets.filter(like="_vote").drop(columns="total_votes")[rows]
    return prob, votes.to_numpy(), targets["fold"][rows].to_numpy(), names


def voted(prob, y):
    rows, columns = np.nonzero(y)
    fractions = y / y.sum(axis=1, keepdims=True)
    entries = prob[rows, :, columns].T.clip(1e-15, 1) / fractions[rows, columns]
    return entries, fractions[rows, columns] / len(y)


def test_real_predictions(real):
    prob, y, folds, names = real
    assert (prob.shape, y.shape, len(names)) == ((6328, 20, 6), (6328, 6), 20)
    entries, share = voted(prob, y)
    best = solve_linear_pool(entries, share, tol=1e-8, max_iter=100)
    lowest = linear_value(best.weights, entries, share)
    picks = select_greedily(entries, share)
    assert round(picks.path[0], 4) == 0.2354
    assert 0 < picks.value - lowest < 1e-5
    fractions = y / y.sum(axis=1, keepdims=True)
    log_prob = np.log(prob.clip(1e-15, 1))
    log_picks = select_greedily_log(log_prob, fractions)
    assert round(log_picks.path[0], 4) == 0.2354
    assert round(log_picks.value, 4) == 0.2122
    for each in (picks, log_picks):
        assert 6 <= (each.counts > 0).sum() <= 15
    # By patient: picked in four folds, scored in the fifth.
    linear, log = np.empty_like(y, float), np.empty_like(y, float)
    for train, test in GroupKFold(5).split(y, groups=folds):
        weights = select_greedily(*voted(prob[train], y[train])).weights
        linear[test] = weights @ prob[test]
        weights = select_greedily_log(log_prob[train], fractions[train]).weights
        pooled = np.exp(np.einsum("imk,m->ik", log_prob[test], weights))
        log[test] = pooled / pooled.sum(axis=1, keepdims=True)
    # As good as the optimum of the other folds, which scores 0.2136.
    assert round(kl_divergence(y, linear), 4) == 0.2135
    assert round(kl_divergence(y, log), 4) == 0.2134
