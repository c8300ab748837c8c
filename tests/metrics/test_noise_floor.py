"""The floor under the divergence, against simulations whose truth is known."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multinomial

from hmsklearn.metrics import kl_divergence, kl_noise_floor
from hmsklearn.metrics._vote_prior import fit_vote_prior
from hmsklearn.votes import VOTE_COLUMNS

METHODS = ("mixture", "dirichlet", "zhang", "miller-madow")


def simulate(n_votes, n_rows=20_000, alpha=0.5, n_classes=6, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.full(n_classes, alpha), size=n_rows)
    return truth, rng.multinomial(n_votes, truth)


@pytest.mark.parametrize(
    ("n_votes", "floor", "within"),
    [(5, 0.39, 0.005), (10, 0.217, 0.002), (20, 0.115, 0.001)],
)
def test_known_floors_of_a_toy_truth(n_votes, floor, within):
    """Dirichlet(0.5): what the truth scores, is expected to score, and the estimate."""
    truth, votes = simulate(n_votes)
    scored = kl_divergence(votes, truth)
    assert scored == pytest.approx(floor, abs=0.004)
    assert kl_noise_floor(votes, truth=truth) == pytest.approx(floor, abs=within)
    for method in ("mixture", "dirichlet"):
        assert kl_noise_floor(votes, method=method) == pytest.approx(scored, abs=0.004)
    assert kl_noise_floor(votes, method="zhang") < 0.8 * scored
    assert kl_noise_floor(votes, method="miller-madow") < 0.75 * scored


def test_exact_floor_is_the_sum_over_all_counts():
    truth = np.array([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    for n in (1, 2, 5):
        every = np.array([v for v in product(range(n + 1), repeat=3) if sum(v) == n])
        expected = [
            multinomial.pmf(every, n, p)
            @ kl_divergence(every, np.tile(p, (len(every), 1)), average=None)
            for p in truth
        ]
        votes = np.tile([n, 0, 0], (3, 1))
        rows = kl_noise_floor(votes, truth=truth, average=None)
        np.testing.assert_allclose(rows, expected, rtol=1e-12, atol=1e-14)
        assert kl_noise_floor(votes, truth=truth) == pytest.approx(np.mean(expected))


def test_exact_floor_in_blocks(monkeypatch):
    truth, votes = simulate(7, n_rows=50)
    whole = kl_noise_floor(votes, truth=truth, average=None)
    monkeypatch.setattr("hmsklearn.metrics._floor_terms._BLOCK", 100)
    np.testing.assert_array_equal(
        kl_noise_floor(votes, truth=truth, average=None), whole
    )


@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda p: sum(p) > 0.1),
    st.integers(1, 12),
)
@settings(max_examples=40, deadline=None)
def test_zhang_is_below_the_floor_whatever_the_truth(truth, n):
    """In expectation, which is summed over every count."""
    truth = np.array(truth) / sum(truth)
    every = np.array([v for v in product(range(n + 1), repeat=3) if sum(v) == n])
    mass = multinomial.pmf(every, n, truth)
    estimate = mass @ kl_noise_floor(every, method="zhang", average=None)
    exact = kl_noise_floor([[n, 0, 0]], truth=truth[None])
    assert estimate <= exact + 1e-12
    # What is missing is the series of counts that n votes are too few for.
    v = np.arange(n, 20_000)[:, None]
    missing = (truth * (1 - truth) ** v / v).sum()
    assert exact - estimate == pytest.approx(missing, abs=1e-4)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "alphas",
    [
        [[0.2] * 6],
        [[4.0, 1, 1, 0.5, 0.5, 8]],
        # Two kinds of rows that one Dirichlet does not describe.
        [[30.0, 0.3, 0.3, 0.3, 0.3, 0.3], [0.3, 0.3, 0.3, 0.3, 5.0, 5.0]],
    ],
)
def test_mixture_finds_the_floor_of_other_truths(alphas, seed):
    rng = np.random.default_rng(seed)
    truth = np.concatenate([rng.dirichlet(alpha, size=4000) for alpha in alphas])
    votes = rng.multinomial(rng.integers(10, 21, len(truth)), truth)
    expected = kl_noise_floor(votes, truth=truth)
    assert kl_noise_floor(votes) == pytest.approx(expected, rel=0.06)
    for method in ("zhang", "miller-madow"):
        assert kl_noise_floor(votes, method=method) < expected


def test_mixture_where_one_dirichlet_is_wrong():
    rng = np.random.default_rng(0)
    easy = rng.dirichlet([60.0, 0.05, 0.05], size=6000)
    hard = rng.dirichlet([6.0, 6.0, 6.0], size=6000)
    truth = np.concatenate([easy, hard])
    votes = rng.multinomial(4, truth)
    expected = kl_noise_floor(votes, truth=truth)
    off = {m: abs(kl_noise_floor(votes, method=m) - expected) for m in METHODS}
    assert off["mixture"] == min(off.values())
    assert off["mixture"] < 0.02 * expected < off["dirichlet"]


def test_rows_of_the_estimate_follow_their_counts():
    _, votes = simulate(10, n_rows=3000)
    rows = kl_noise_floor(votes, method="dirichlet", average=None)
    assert rows.shape == (3000,)
    assert kl_noise_floor(votes, method="dirichlet") == pytest.approx(rows.mean())
    assert (rows > 0).all()


def test_rows_that_look_alike_get_what_their_truths_score():
    """The estimate is right not only on average, but given what was counted."""
    truth, votes = simulate(10, n_rows=40_000)
    scored = kl_divergence(votes, truth, average=None)
    rows = kl_noise_floor(votes, method="dirichlet", average=None)
    for n_voted in (1, 2, 3, 4):
        off = (rows - scored)[(votes > 0).sum(axis=1) == n_voted]
        assert abs(off.mean()) < 4 * off.std() / np.sqrt(off.size)


def test_copies_of_a_rating_are_no_ratings():
    """Rows copied within a recording would look like votes without noise."""
    rng = np.random.default_rng(3)
    truth = rng.dirichlet([2.0, 2.0, 2.0], size=400)
    votes = rng.multinomial(10, truth)
    times = np.where(np.arange(400) < 20, 400, 1)
    copies = np.repeat(np.arange(400), times)
    single = kl_noise_floor(votes, average=None)
    told = kl_noise_floor(votes[copies], groups=copies, average=None)
    np.testing.assert_allclose(told, single[copies], rtol=1e-12)
    untold = kl_noise_floor(votes[copies], average=None)
    assert not np.allclose(untold, single[copies], rtol=0.05)


def test_miller_madow_is_the_formula():
    votes = [[3, 1, 0], [4, 0, 0], [2, 2, 6]]
    rows = kl_noise_floor(votes, method="miller-madow", average=None)
    np.testing.assert_allclose(rows, [1 / 8, 0, 2 / 20])


def test_fractions_with_totals_are_counts():
    _, votes = simulate(12, n_rows=500)
    fractions = np.round(votes / 12, 6)
    totals = np.full(500, 12)
    for method in METHODS[1:]:
        assert kl_noise_floor(
            fractions, total_votes=totals, method=method
        ) == pytest.approx(kl_noise_floor(votes, method=method), rel=1e-9)


def test_weights_and_min_votes_choose_rows():
    truth, votes = simulate(10, n_rows=300)
    votes[:100] = np.eye(6, dtype=int)[truth[:100].argmax(axis=1)] * 3
    kept = kl_noise_floor(votes[100:], average=None)
    np.testing.assert_allclose(
        kl_noise_floor(votes, min_votes=10, average=None), kept, rtol=1e-9
    )
    weight = np.arange(300.0)
    assert kl_noise_floor(votes, min_votes=10, sample_weight=weight) == pytest.approx(
        np.average(kept, weights=weight[100:])
    )
    exact = kl_noise_floor(votes, truth=truth, average=None)
    assert kl_noise_floor(votes, truth=truth, min_votes=10) == pytest.approx(
        exact[100:].mean()
    )


def test_table_of_votes_in_any_order():
    _, votes = simulate(11, n_rows=200)
    truth = pd.DataFrame(np.roll(np.eye(6), 1, 1)[votes.argmax(1)] * 0.4 + 0.1)
    truth.columns = VOTE_COLUMNS
    table = pd.DataFrame(votes, columns=VOTE_COLUMNS)
    turned = list(VOTE_COLUMNS)[::-1]
    assert kl_noise_floor(table[turned], truth=truth[turned]) == pytest.approx(
        kl_noise_floor(table, truth=truth)
    )
    assert kl_noise_floor(table[turned]) == pytest.approx(kl_noise_floor(table))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"method": "chao"}, "method='chao' is not known"),
        ({"average": "macro"}, "average='macro' is not known"),
        ({"votes": ["LPD", "GPD"]}, "no row has two votes"),
        ({"votes": [[0.5, 0.5], [0.2, 0.8]]}, "Pass vote counts, or total_votes"),
        (
            {"votes": [[0.5, 0.5], [0.2, 0.8]], "total_votes": [3, 5]},
            r"no whole votes \(row 0, 1 such rows",
        ),
        ({"truth": [[0.5, 0.5, 0.0]] * 2}, "truth has shape"),
        ({"truth": [[0.9, 0.9]] * 2}, "do not sum to one"),
        ({"groups": [1]}, "groups has shape"),
        ({"min_votes": 30}, "no row has 30 votes"),
        ({"sample_weight": [0.0, 0.0]}, "sum to zero"),
        ({"sample_weight": [1.0, 1.0], "average": None}, "not defined for average"),
    ],
)
def test_says_what_is_wrong(arguments, match):
    arguments = {"votes": [[3, 1], [2, 8]], **arguments}
    with pytest.raises(ValueError, match=rf"^kl_noise_floor.*{match}"):
        kl_noise_floor(arguments.pop("votes"), **arguments)


def test_prior_is_found_again():
    rng = np.random.default_rng(0)
    truth = rng.dirichlet([2.0, 0.5, 0.1], size=30_000)
    prior = fit_vote_prior(rng.multinomial(15, truth), 1)
    np.testing.assert_allclose(prior.concentration, [[2.0, 0.5, 0.1]], rtol=0.05)


def test_likelihood_rises_with_every_step():
    _, votes = simulate(9, n_rows=2000)
    steps = [fit_vote_prior(votes, 6, max_iter=n).log_likelihood for n in range(1, 20)]
    assert (np.diff(steps) > 0).all()
    assert fit_vote_prior(votes, 6).log_likelihood >= steps[-1]


def test_real_floors(hms_data):
    """What the user guide says of the competition's rows."""
    rows = pd.read_csv(hms_data / "train_metadata.csv")
    rows = rows[rows[list(VOTE_COLUMNS)].sum(axis=1) >= 10]
    first = rows.drop_duplicates("eeg_id")
    found = {
        len(part): [
            round(kl_noise_floor(part[list(VOTE_COLUMNS)], method=m, groups=eeg), 3)
            for m in METHODS
        ]
        for part, eeg in ((first, None), (rows, rows["eeg_id"]))
    }
    assert found == {
        5_903: [0.093, 0.095, 0.063, 0.058],
        39_845: [0.102, 0.103, 0.068, 0.062],
    }
