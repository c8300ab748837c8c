"""Smoothing and jitter of targets."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, poisson

from hmsklearn.augmentation import LabelSmoothing, VoteJitter

WINDOWS = torch.zeros(4, 1, 2)


def apply(augmentation, fractions, votes=None, seed=0):
    batch = {"x": torch.zeros(len(fractions), 1, 2), "fractions": fractions}
    if votes is not None:
        batch["total_votes"] = votes
    out = augmentation.apply(batch, torch.Generator().manual_seed(seed))
    assert out["x"] is batch["x"]
    if votes is not None:
        assert out["total_votes"] is votes
    return out["fractions"]


def test_smoothing_by_hand():
    fractions = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0]])
    out = apply(LabelSmoothing(0.2), fractions)
    expected = torch.tensor([[0.85, 0.05, 0.05, 0.05], [0.45, 0.45, 0.05, 0.05]])
    torch.testing.assert_close(out, expected)


def test_smoothing_of_few_votes():
    fractions = torch.eye(4)
    votes = torch.tensor([1.0, 3.0, 4.0, np.nan])
    out = apply(LabelSmoothing(max_votes=3), fractions, votes)
    torch.testing.assert_close(out[0], torch.tensor([0.9625, *[0.0125] * 3]))
    torch.testing.assert_close(out[1].max(), torch.tensor(0.9625))
    assert torch.equal(out[2:], fractions[2:])
    with pytest.raises(ValueError, match="max_votes=3 needs the number of votes"):
        apply(LabelSmoothing(max_votes=3), fractions)


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, "little"])
def test_epsilon_is_checked(epsilon):
    with pytest.raises(ValueError, match="LabelSmoothing: epsilon must be"):
        LabelSmoothing(epsilon).check()


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(
        st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any),
        min_size=1,
        max_size=6,
    ),
    method=st.sampled_from(["multinomial", "poisson"]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 99),
)
def test_jitter_gives_vote_fractions(counts, method, dtype, seed):
    counts = torch.tensor(counts, dtype=dtype)
    votes = counts.sum(dim=1)
    fractions = counts / votes[:, None]
    out = apply(VoteJitter(method, p=1.0), fractions, votes, seed)
    torch.testing.assert_close(out.sum(dim=1), torch.ones_like(votes))
    # Nobody votes for what nobody had voted for.
    assert (out[counts == 0] == 0).all()
    if method == "multinomial":
        new = out * votes[:, None]
        torch.testing.assert_close(new, new.round(), atol=1e-5, rtol=0)


def test_multinomial_votes_are_binomial():
    n = 20_000
    fractions = torch.tensor([[0.3, 0.0, 0.7]]).expand(n, 3)
    out = apply(VoteJitter(p=1.0), fractions, torch.full((n,), 10.0))
    found = np.bincount((out[:, 0] * 10).round().long().numpy(), minlength=11) / n
    np.testing.assert_allclose(found, binom(10, 0.3).pmf(np.arange(11)), atol=0.015)


def test_number_of_votes_is_that_of_poisson():
    n, mean = 20_000, 4.0
    jitter = VoteJitter("poisson", p=1.0)
    params = jitter.draw(torch.zeros(n, 1, 2), torch.Generator().manual_seed(0))
    fractions = torch.tensor([[1.0, 0.0]]).expand(n, 2)
    numbers = jitter._numbers(fractions, params, torch.full((n,), mean))
    found = np.bincount(numbers.numpy(), minlength=20)[:20] / n
    np.testing.assert_allclose(found, poisson(mean).pmf(np.arange(20)), atol=0.015)


def test_rows_without_new_votes_stay():
    n = 400
    fractions = torch.tensor([[0.25, 0.75]]).repeat(n, 1)
    votes = torch.full((n,), 1.0)
    votes[:100] = np.nan
    out = apply(VoteJitter("poisson", p=1.0), fractions, votes)
    assert torch.equal(out[:100], fractions[:100])
    stayed = (out[100:] == fractions[100:]).all(dim=1)
    # Poisson's number of votes with mean 1 is 0 with probability 0.37; else the row
    # changes, or an equal row of 4 votes comes up (with probability 0.006).
    assert abs(stayed.float().mean() - 0.374) < 0.09


def test_number_of_votes_where_it_is_not_known():
    fractions = torch.tensor([[0.5, 0.5]]).repeat(200, 1)
    out = apply(VoteJitter(n_votes=3, p=1.0), fractions, torch.full((200,), np.nan))
    assert sorted(set((out[:, 0] * 3).round().tolist())) == [0, 1, 2, 3]
    same = apply(VoteJitter(n_votes=3, p=1.0), fractions)
    assert torch.equal(out, same)
    with pytest.raises(ValueError, match="VoteJitter: needs the number of votes"):
        apply(VoteJitter(), fractions)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"method": "dirichlet"}, "method must be one of"),
        ({"n_votes": 0}, "n_votes must be a finite number at least 1"),
        ({"max_votes": 0}, "max_votes must be an integer at least 1"),
    ],
)
def test_unusable_jitter(params, message):
    with pytest.raises(ValueError, match=f"VoteJitter: {message}"):
        VoteJitter(**params).check()
