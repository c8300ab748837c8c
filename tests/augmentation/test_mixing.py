"""Mixup, CutMix and TimeCutMix: windows, targets and weights mixed alike."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta as beta_distribution
from scipy.stats import kstest

from hmsklearn.augmentation import CutMix, ManifoldMixup, Mixup, OneOf, TimeCutMix
from hmsklearn.augmentation._random import beta, partners
from hmsklearn.neural import VoteKLLoss


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5, 1.0, 1.5, 8.0])
def test_beta_is_the_beta_distribution(alpha):
    draws = beta(20_000, alpha, torch.zeros(1), seeded(1)).double().numpy()
    assert np.isfinite(draws).all()
    assert draws.min() >= 0
    assert draws.max() <= 1
    # Single precision lays many draws on the ends where alpha is small.
    inner = (draws > 1e-4) & (draws < 1 - 1e-4)
    law = beta_distribution(alpha, alpha)
    low, high = law.cdf(1e-4), law.cdf(1 - 1e-4)
    assert abs(inner.mean() - (high - low)) < 0.015
    inside = kstest(draws[inner], lambda q: (law.cdf(q) - low) / (high - low))
    assert inside.pvalue > 0.01


def test_partners_are_a_permutation():
    x = torch.zeros(50, 1)
    found = partners(50, x, seeded())
    assert sorted(found.tolist()) == list(range(50))
    assert not torch.equal(found, partners(50, x, seeded(1)))


def test_partners_of_one_class():
    first = torch.tensor([0, 0, 0, 1, 1, 2])
    for seed in range(20):
        found = partners(6, torch.zeros(6, 1), seeded(seed), torch.eye(3)[first])
        assert torch.equal(first[found], first)
        assert found[5] == 5
        assert (found[:5] != torch.arange(5)).all()


def hand_made(mode="linear"):
    x = torch.tensor([[[1.0, 2.0]], [[5.0, 10.0]]])
    y = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.75, 0.25]])
    params = {
        "active": torch.tensor([True, True]),
        "partner": torch.tensor([1, 0]),
        "lam": torch.tensor([0.75, 0.5]),
    }
    return Mixup(mode=mode), x, y, params


def test_mixup_by_hand():
    mixup, x, y, params = hand_made()
    assert mixup.transform(x, params).tolist() == [[[2.0, 4.0]], [[3.0, 6.0]]]
    assert mixup.transform_target(y, params).tolist() == [
        [0.375, 0.5625, 0.0625],
        [0.25, 0.625, 0.125],
    ]
    votes = torch.tensor([4.0, 12.0])
    assert mixup.transform_row(votes, params).tolist() == [6.0, 8.0]


def test_mixup_or_is_that_of_seti():
    """The probability of either of two independent events: y + y' - y y'."""
    mixup, x, y, params = hand_made("or")
    either = [0.5, 0.5 + 0.75 - 0.5 * 0.75, 0.25]
    assert mixup.transform_target(y, params).tolist() == [either, either]
    assert mixup.transform(x, params).tolist() == [[[2.0, 4.0]], [[3.0, 6.0]]]


def test_mixup_add_is_clipped():
    mixup, _, y, params = hand_made("add")
    assert mixup.transform_target(y, params).tolist() == [[0.5, 1.0, 0.25]] * 2


def test_features_are_mixed_by_hand():
    _, x, y, params = hand_made()
    mixup = ManifoldMixup()
    assert mixup.transform(x[:, 0], params).tolist() == [[2.0, 4.0], [3.0, 6.0]]
    assert mixup.transform_target(y, params).tolist() == [
        [0.375, 0.5625, 0.0625],
        [0.25, 0.625, 0.125],
    ]
    assert mixup.transform_row(torch.tensor([4.0, 12.0]), params).tolist() == [6.0, 8.0]


def test_features_are_no_windows():
    with pytest.raises(ValueError, match=r"ManifoldMixup: takes features.*Mixup on"):
        ManifoldMixup()(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="OneOf: ManifoldMixup acts on features"):
        OneOf([ManifoldMixup(), CutMix()]).check()


@pytest.mark.parametrize("cls", [Mixup, CutMix, TimeCutMix, ManifoldMixup])
def test_every_row_teaches_what_its_weight_says(cls):
    """The gradient is lam w (p - y) + (1 - lam) w' (p - y'), summed over the batch."""
    n = 12
    generator = seeded(3)
    shape = (n, 5) if cls is ManifoldMixup else (n, 1, 8, 9)
    x = torch.randn(shape, generator=generator)
    y = torch.eye(3)[torch.arange(n) % 3]
    weight = torch.rand(n, generator=generator) + 0.2
    weight[::4] = 0.0
    batch = {"x": x, "fractions": y, "sample_weight": weight}
    augmentation = cls(1.0, p=1.0)
    state = generator.get_state()
    out = augmentation.apply(batch, generator)
    generator.set_state(state)
    params = augmentation.draw(x, generator, fractions=y)
    lam, partner = params["lam"][:, None], params["partner"]
    assert ((lam > 0.05) & (lam < 0.95) & (weight[:, None] > 0)).any()

    logits = torch.zeros(n, 3, requires_grad=True)
    VoteKLLoss()(
        logits, out["fractions"], sample_weight=out["sample_weight"]
    ).backward()
    prob = torch.full((n, 3), 1 / 3)
    own = weight[:, None]
    expected = lam * own * (prob - y) + (1 - lam) * own[partner] * (prob - y[partner])
    torch.testing.assert_close(logits.grad, expected / n)
    assert not out["fractions"].isnan().any()


def test_targets_of_weights_by_hand():
    mixup, _, y, params = hand_made()
    params["sample_weight"] = torch.tensor([1.0, 3.0])
    # 0.75 of weight 1 beside 0.25 of weight 3: half and half.
    first, second = mixup.transform_target(y, params)
    assert first.tolist() == [0.25, 0.625, 0.125]
    torch.testing.assert_close(second, 0.75 * y[1] + 0.25 * y[0])
    params["sample_weight"] = torch.tensor([0.0, 3.0])
    assert torch.equal(mixup.transform_target(y, params), y[[1, 1]])
    params["sample_weight"] = torch.zeros(2)
    assert mixup.transform_target(y, params).tolist() == [
        [0.375, 0.5625, 0.0625],
        [0.25, 0.625, 0.125],
    ]


@pytest.mark.parametrize("mode", ["or", "add"])
def test_rows_of_no_weight_do_not_join(mode):
    mixup, _, y, params = hand_made(mode)
    params["sample_weight"] = torch.tensor([0.0, 3.0])
    assert torch.equal(mixup.transform_target(y, params), y[[1, 1]])


def test_windows_that_are_not_drawn_stay():
    mixup, x, y, params = hand_made()
    params["active"] = torch.tensor([False, True])
    assert torch.equal(mixup.transform(x, params)[0], x[0])
    assert torch.equal(mixup.transform_target(y, params)[0], y[0])
    assert mixup.transform_row(torch.tensor([1.0, 3.0]), params).tolist() == [1.0, 2.0]


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 12),
    alpha=st.floats(0.05, 5),
    seed=st.integers(0, 1000),
    cls=st.sampled_from([Mixup, TimeCutMix, CutMix]),
    same_class=st.booleans(),
)
def test_mixtures_lie_between_their_windows(n, alpha, seed, cls, same_class):
    generator = seeded(seed)
    x = torch.randn(n, 2, 6, 8, generator=generator)
    y = torch.rand(n, 6, generator=generator)
    y = y / y.sum(dim=1, keepdim=True)
    augmentation = cls(alpha, p=1.0, same_class=same_class)
    params = augmentation.draw(x, generator, fractions=y)
    assert ((params["lam"] >= 0) & (params["lam"] <= 1)).all()
    partner = params["partner"]
    for values, new in (
        (x, augmentation.transform(x, params)),
        (y, augmentation.transform_target(y, params)),
    ):
        low, high = (
            torch.minimum(values, values[partner]),
            values.maximum(values[partner]),
        )
        assert ((new >= low - 1e-6) & (new <= high + 1e-6)).all()
    total = augmentation.transform_target(y, params).sum(dim=1)
    torch.testing.assert_close(total, torch.ones(n))


@pytest.mark.parametrize("cls", [CutMix, TimeCutMix])
def test_the_target_counts_what_is_kept(cls):
    """Windows of zeros and ones tell by their mean how much of each they hold."""
    n = 60
    x = torch.arange(n).float().reshape(n, 1, 1, 1).expand(n, 2, 7, 11).contiguous()
    augmentation = cls(1.0, p=1.0)
    params = augmentation.draw(x, seeded())
    out = augmentation.transform(x, params)
    partner = params["partner"]
    moved = partner != torch.arange(n)
    kept = (out == x).float().mean(dim=(1, 2, 3))
    torch.testing.assert_close(params["lam"][moved], kept[moved])
    from_partner = out == x[partner]
    assert ((out == x) | from_partner).all()


def test_cut_mix_cuts_one_box_of_all_planes():
    x = torch.arange(30.0).reshape(30, 1, 1, 1).expand(30, 3, 16, 20).contiguous()
    cut_mix = CutMix(1.0, p=1.0)
    params = cut_mix.draw(x, seeded())
    out = cut_mix.transform(x, params)
    for i in range(30):
        changed = out[i] != x[i]
        assert (changed == changed[:1]).all()
        rows, columns = changed[0].any(dim=1), changed[0].any(dim=0)
        assert changed[0].sum() == rows.sum() * columns.sum()
        assert np.abs(np.diff(np.flatnonzero(rows)) - 1).sum() == 0


def test_time_cut_mix_cuts_all_channels_at_once():
    x = torch.arange(30.0).reshape(30, 1, 1).expand(30, 4, 100).contiguous()
    augmentation = TimeCutMix(p=1.0, lam_range=(0.7, 0.7))
    params = augmentation.draw(x, seeded())
    out = augmentation.transform(x, params)
    changed = (out != x)[params["partner"] != torch.arange(30)]
    assert (changed.sum(dim=2) == 30).all()
    assert (changed == changed[:, :1]).all()
    starts = changed[:, 0].int().argmax(dim=1)
    assert len(starts.unique()) > 10
    assert ((changed[:, 0].int().diff(dim=1) != 0).sum(dim=1) <= 2).all()


def test_share_is_drawn_between_bounds():
    x = torch.zeros(500, 1, 1)
    lam = Mixup(lam_range=(0.4, 0.6)).draw(x, seeded())["lam"]
    assert 0.4 <= lam.min() < 0.42
    assert 0.58 < lam.max() <= 0.6


@pytest.mark.parametrize("cls", [Mixup, CutMix, TimeCutMix])
def test_same_class_partners(cls):
    n = 24
    first = torch.arange(n) % 4
    x = first.float().reshape(n, 1, 1, 1).expand(n, 1, 8, 8).contiguous()
    y = torch.eye(4)[first]
    out, fractions = cls(same_class=True, p=1.0, random_state=0)(x, y)
    torch.testing.assert_close(out, x)
    torch.testing.assert_close(fractions, y)
    with pytest.raises(ValueError, match="needs the targets"):
        cls(same_class=True)(x)


def test_views_of_other_sizes_are_cut_at_the_same_time():
    n = 20
    ids = torch.arange(n).float()
    batch = {
        "x": {
            "eeg": ids.reshape(n, 1, 1).expand(n, 2, 200).contiguous(),
            "image": ids.reshape(n, 1, 1, 1).expand(n, 1, 4, 20).contiguous(),
        }
    }
    out = TimeCutMix(1.0, p=1.0).apply(batch, seeded())["x"]
    changed = (out["eeg"] != batch["x"]["eeg"])[:, 0].reshape(n, 20, 10)
    columns = (out["image"] != batch["x"]["image"])[:, 0, 0]
    # A column is cut where most of its samples are.
    assert (changed.float().mean(dim=2) - columns.float()).abs().max() <= 0.55


def test_nan_spoils_the_mixture_and_nothing_else():
    x = torch.zeros(20, 1, 4)
    x[0, 0, 0] = np.nan
    mixup = Mixup(p=1.0)
    params = mixup.draw(x, seeded())
    out = mixup.transform(x, params)
    spoilt = out.isnan().any(dim=2)[:, 0]
    expected = (torch.arange(20) == 0) | (params["partner"] == 0)
    assert torch.equal(spoilt, expected)
    assert out.isnan().sum() == expected.sum()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": 0}, "alpha must be a finite number above 0"),
        ({"lam_range": (0.6, 0.4)}, "runs backwards"),
        ({"lam_range": (0.4, 1.4)}, "lam_range must be a finite number"),
        ({"lam_range": (0.4, 0.5, 0.6)}, "pair"),
        ({"mode": "xor"}, "mode must be one of"),
        ({"same_class": 1}, "same_class must be True or False"),
        ({"after_frontend": "yes"}, "after_frontend must be True or False"),
    ],
)
def test_unusable_parameters(params, message):
    with pytest.raises(ValueError, match=f"Mixup: .*{message}"):
        Mixup(**params).check()
