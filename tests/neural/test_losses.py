"""Losses: against formulas written out in float64, and what they must not do."""

import math

import numpy as np
import pytest
import torch
from scipy.special import gammaln
from scipy.stats import dirichlet_multinomial, multinomial
from torch import nn

from hmsklearn.metrics import kl_divergence
from hmsklearn.neural._losses import (
    DirichletMultinomialLoss,
    FocalLoss,
    SoftBCELoss,
    VoteKLLoss,
    VoteLoss,
    make_loss,
)

NAMES = ("kl", "bce", "focal", "dirichlet_multinomial")


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    counts = rng.multinomial([3, 14, 1, 20, 7], [0.3, 0.3, 0.2, 0.2])
    total = counts.sum(axis=1)
    logits = rng.normal(0, 2, (5, 4))
    return (
        torch.tensor(logits, dtype=torch.float64),
        torch.tensor(counts / total[:, None]),
        torch.tensor(total, dtype=torch.float64),
    )


def numpy(*tensors):
    return [tensor.detach().numpy() for tensor in tensors]


class TestValues:
    def test_kl_is_the_metric(self, batch):
        logits, fractions, _ = batch
        expected = kl_divergence(
            fractions.numpy(), torch.softmax(logits, 1).numpy(), classes=None
        )
        assert VoteKLLoss()(logits, fractions).item() == pytest.approx(expected)

    def test_bce(self, batch):
        logits, fractions, _ = batch
        z, y = numpy(logits, fractions)
        s = 1 / (1 + np.exp(-z))
        expected = -(y * np.log(s) + (1 - y) * np.log(1 - s)).mean(axis=1)
        np.testing.assert_allclose(SoftBCELoss().cost(logits, fractions), expected)

    @pytest.mark.parametrize(("gamma", "alpha"), [(0.5, None), (2.0, 0.7), (0, 0.3)])
    def test_focal(self, batch, gamma, alpha):
        logits, fractions, _ = batch
        z, y = numpy(logits, fractions)
        s = 1 / (1 + np.exp(-z))
        a, b = (1, 1) if alpha is None else (alpha, 1 - alpha)
        expected = -(
            a * y * (1 - s) ** gamma * np.log(s)
            + b * (1 - y) * s**gamma * np.log(1 - s)
        ).mean(axis=1)
        loss = FocalLoss(gamma, alpha)
        np.testing.assert_allclose(loss.cost(logits, fractions), expected)

    def test_focal_without_gamma_is_bce(self, batch):
        logits, fractions, _ = batch
        torch.testing.assert_close(
            FocalLoss(0).cost(logits, fractions), SoftBCELoss().cost(logits, fractions)
        )

    def test_focal_of_hard_votes_averages_to_that_of_soft_labels(self):
        logits = torch.tensor([[0.3, -1.0, 2.0]]).double()
        votes = torch.eye(3).double()[[0, 0, 2, 1]]
        one_by_one = FocalLoss(2, 0.7).cost(logits.expand(4, 3), votes).mean()
        together = FocalLoss(2, 0.7)(logits, votes.mean(dim=0, keepdim=True))
        torch.testing.assert_close(one_by_one, together)

    @pytest.mark.parametrize("concentration", [0.3, 5.0, 200.0])
    def test_dirichlet_multinomial(self, batch, concentration):
        logits, fractions, total = batch
        prob, y, n = numpy(torch.softmax(logits, 1), fractions, total)
        counts = np.rint(y * n[:, None]).astype(int)
        expected = []
        for p, k in zip(prob, counts, strict=True):
            m = k.sum()
            orders = gammaln(m + 1) - gammaln(k + 1).sum()
            best = multinomial.logpmf(k, m, k / m) - orders
            log_p = dirichlet_multinomial.logpmf(k, concentration * p, m) - orders
            expected.append(best - log_p)
        loss = DirichletMultinomialLoss(concentration)
        cost = loss.cost(logits, fractions, total)
        np.testing.assert_allclose(cost.detach(), expected, rtol=1e-6)
        assert (cost >= 0).all()
        per_vote = DirichletMultinomialLoss(concentration, per_vote=True)
        np.testing.assert_allclose(
            per_vote.cost(logits, fractions, total).detach(), expected / n, rtol=1e-6
        )

    @pytest.mark.parametrize("per_vote", [False, True])
    def test_large_concentration_is_the_kl(self, batch, per_vote):
        logits, fractions, total = batch
        ours, kl = (logits.clone().requires_grad_() for _ in range(2))
        loss = DirichletMultinomialLoss(1e7, learn=False, per_vote=per_vote)
        a = loss(ours, fractions, total_votes=total)
        weight = torch.ones_like(total) if per_vote else total
        b = VoteKLLoss()(kl, fractions, sample_weight=weight)
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
        a.backward()
        b.backward()
        torch.testing.assert_close(ours.grad, kl.grad, rtol=1e-5, atol=1e-5)

    def test_small_concentration_hardly_counts_votes(self):
        # With c going to 0 one vote says all: the second to twentieth add nothing.
        loss = DirichletMultinomialLoss(1e-4, learn=False)
        logits = torch.tensor([[0.2, -0.4, 1.0]]).expand(2, 3)
        fractions = torch.eye(3)[[0, 0]]
        few, many = loss.cost(logits, fractions, torch.tensor([1.0, 20.0]))
        assert many.item() == pytest.approx(few.item(), abs=1e-3)

    def test_concentration_is_learned_from_votes(self):
        # Votes drawn with a concentration of 4 around one distribution.
        rng = np.random.default_rng(0)
        prob = np.array([0.5, 0.3, 0.2])
        counts = np.stack(
            [rng.multinomial(15, q) for q in rng.dirichlet(4 * prob, 4000)]
        )
        fractions = torch.tensor(counts / 15, dtype=torch.float32)
        total = torch.full((4000,), 15.0)
        logits = torch.tensor(prob).log().float().expand(4000, 3)
        loss = DirichletMultinomialLoss(concentration=50.0)
        optimizer = torch.optim.LBFGS(loss.parameters(), max_iter=50)

        def step():
            optimizer.zero_grad()
            value = loss(logits, fractions, total_votes=total)
            value.backward()
            return value

        optimizer.step(step)
        assert loss.log_concentration.exp().item() == pytest.approx(4.0, rel=0.06)


class TestEveryLoss:
    @pytest.mark.parametrize("name", NAMES)
    def test_gradients(self, batch, name):
        logits, fractions, total = batch
        logits.requires_grad_()
        loss = make_loss(name, None, caller="test").double()
        weight = torch.arange(1.0, 6.0).double()
        assert torch.autograd.gradcheck(
            lambda z: loss(z, fractions, weight, total), (logits,)
        )

    @pytest.mark.parametrize("name", NAMES)
    def test_weights(self, batch, name):
        logits, fractions, total = batch
        loss = make_loss(name, None, caller="test")
        weight = torch.tensor([2.0, 0.0, 1.0, 0.5, 1.5])
        cost = loss.cost(logits, fractions, total)
        assert cost.shape == (5,)
        torch.testing.assert_close(
            loss(logits, fractions, sample_weight=weight, total_votes=total),
            (cost * weight).sum() / 5,
        )
        torch.testing.assert_close(
            loss(logits, fractions, total_votes=total), cost.mean()
        )

    @pytest.mark.parametrize("name", NAMES)
    def test_half_precision_is_computed_in_float32(self, batch, name):
        logits, fractions, total = (x.float() for x in batch)
        loss = make_loss(name, None, caller="test")
        half = logits.bfloat16()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(half, fractions, total_votes=total)
        assert value.dtype == torch.float32
        assert value == loss(half.float(), fractions, total_votes=total)

    @pytest.mark.parametrize("name", NAMES)
    def test_extreme_logits_have_finite_gradients(self, name):
        logits = torch.tensor([[2000.0, -2000.0, 0.0], [-2000.0, 2000.0, 0.0]])
        logits.requires_grad_()
        fractions = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.9, 0.1]])
        loss = make_loss(name, None, caller="test")
        value = loss(logits, fractions, total_votes=torch.tensor([3.0, 10.0]))
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(logits.grad).all()
        for parameter in loss.parameters():
            assert torch.isfinite(parameter.grad).all()

    @pytest.mark.parametrize("name", NAMES)
    def test_probabilities_sum_to_one(self, batch, name):
        loss = make_loss(name, None, caller="test")
        for logits in (batch[0].float(), torch.full((2, 6), -900.0)):
            prob = loss.probabilities(logits)
            assert prob.dtype == torch.float64
            torch.testing.assert_close(prob.sum(dim=1), torch.ones(len(prob)).double())

    @pytest.mark.parametrize("name", ["kl", "bce", "dirichlet_multinomial"])
    def test_probabilities_of_the_best_logits_are_the_fractions(self, name):
        # Twelve windows with the same input: the best net gives their mean.
        counts = np.random.default_rng(1).multinomial(12, [0.5, 0.3, 0.2], 12)
        fractions = torch.tensor(counts / 12)
        total = torch.full((12,), 12.0)
        loss = make_loss(name, None, caller="test")
        if name == "dirichlet_multinomial":  # where it is a KL
            loss = make_loss(
                name, {"concentration": 1e6, "learn": False}, caller="test"
            )
        z = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([z], max_iter=200, tolerance_change=1e-14)

        def step():
            optimizer.zero_grad()
            value = loss(z.expand(12, 3), fractions, total_votes=total)
            value.backward()
            return value

        optimizer.step(step)
        prob = loss.probabilities(z.detach()[None])[0]
        torch.testing.assert_close(prob, fractions.mean(dim=0), atol=1e-4, rtol=0)

    def test_bce_predictions_are_sigmoids_over_their_sum(self, batch):
        s = torch.sigmoid(batch[0])
        expected = s / s.sum(dim=1, keepdim=True)
        torch.testing.assert_close(SoftBCELoss().probabilities(batch[0]), expected)
        torch.testing.assert_close(FocalLoss().probabilities(batch[0]), expected)


class WithoutVotes(nn.Module):
    def forward(self, logits, fractions, sample_weight=None):
        return logits.sum()


class Own(nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, logits, fractions, **batch):
        return self.scale * logits.sum()


class TestMakeLoss:
    def test_names(self):
        made = [type(make_loss(name, caller="test")) for name in NAMES]
        assert made == [VoteKLLoss, SoftBCELoss, FocalLoss, DirichletMultinomialLoss]
        loss = make_loss("focal", {"gamma": 0.5, "alpha": 0.7}, caller="test")
        assert (loss.gamma, loss.alpha) == (0.5, 0.7)

    def test_class_and_instance(self):
        assert make_loss(Own, {"scale": 3.0}, caller="test").scale.item() == 3.0
        own = Own(2.0)
        made = make_loss(own, caller="test")
        assert made.scale.item() == 2.0
        with torch.no_grad():
            made.scale.fill_(5.0)
        assert own.scale.item() == 2.0

    @pytest.mark.parametrize(
        ("loss", "params", "error", "message"),
        [
            ("focall", None, ValueError, "loss='focall' .* mean 'focal'"),
            ("focal", {"gama": 1}, ValueError, "FocalLoss: .*mean gamma"),
            ("kl", {"gamma": 1}, ValueError, "do not fit VoteKLLoss"),
            ("focal", {"gamma": -1}, ValueError, "gamma must be .*, got -1"),
            ("focal", {"alpha": 1.5}, ValueError, "alpha must be .*, got 1.5"),
            (
                "dirichlet_multinomial",
                {"concentration": 0},
                ValueError,
                "concentration must be .* above 0, got 0",
            ),
            (VoteKLLoss(), {"a": 1}, ValueError, "an instance of VoteKLLoss"),
            (3, None, TypeError, "loss must be one of .*, got 3"),
            (None, None, TypeError, "loss must be one of .*, got None"),
            (WithoutVotes, None, TypeError, "WithoutVotes cannot be called .*VoteLoss"),
            (WithoutVotes(), None, TypeError, "total_votes"),
        ],
    )
    def test_unusable(self, loss, params, error, message):
        with pytest.raises(error, match=message):
            make_loss(loss, params, caller="test")

    @pytest.mark.parametrize("votes", [None, torch.tensor([3.0, math.nan])])
    def test_votes_are_needed(self, votes):
        loss = DirichletMultinomialLoss()
        assert loss.needs_votes
        assert not VoteLoss.needs_votes
        with pytest.raises(
            ValueError, match=r"needs the number of votes .*counts as y"
        ):
            loss(torch.zeros(2, 3), torch.eye(3)[:2], total_votes=votes)
