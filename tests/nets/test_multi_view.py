"""MultiViewNet: what goes in and out, its losses by hand, and how it is rebuilt."""

import copy
import math
import pickle
from functools import cache, partial

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torch.nn import functional

from hmsklearn.nets import (
    BaseNet,
    BranchSpec,
    MultiViewNet,
    NetOutput,
    ResNet1DGRU,
    TimmNet,
    build_multi_view,
    create_net,
)
from hmsklearn.nets.layers import InfoNCE, MissingShareHead, ViewFusion, missing_share
from hmsklearn.neural import Frontend
from hmsklearn.neural._module import NormalizedNet
from hmsklearn.neural._persistence import pack_weights, unpack_weights
from hmsklearn.preprocessing import NaNImputer

RAW = {"n_chans": 3, "n_outputs": 6, "n_times": 120, "width": 8, "gru_hidden": 4}
IMAGE = {"n_chans": 1, "n_outputs": 6, "input_size": (32, 32)}
BRANCHES = (
    ("raw", ResNet1DGRU, RAW),
    ("image", TimmNet, {**IMAGE, "backbone": "test_efficientnet"}),
)


class Mean(BaseNet):
    """Means over time; one weight for each channel, a batch norm and dropout."""

    def __init__(self, n_chans, n_outputs=6, n_times=8):
        super().__init__(n_chans, n_outputs, n_times)
        self.scale = nn.Parameter(torch.linspace(1, 2, n_chans))
        self.norm = nn.BatchNorm1d(n_chans)
        self.drop = nn.Dropout(0.5)
        self.num_features = n_chans
        self.reset_head(n_outputs)

    def forward_features(self, x):
        return self.drop(self.norm(x.mean(dim=2) * self.scale))


def windows(n=4, seed=0):
    draw = partial(torch.randn, generator=torch.Generator().manual_seed(seed))
    return {"raw": draw(n, 3, 120), "image": draw(n, 1, 32, 32)}


def two_means(**params):
    torch.manual_seed(0)
    return MultiViewNet({"a": Mean(3), "b": Mean(5)}, 6, **params)


def mean_windows(n=4, seed=0):
    draw = partial(torch.randn, generator=torch.Generator().manual_seed(seed))
    return {"a": draw(n, 3, 8), "b": draw(n, 5, 8)}


# Shapes -------------------------------------------------------------------------------


@pytest.mark.parametrize("fusion", ["concat", "attention"])
def test_shapes(fusion):
    net = build_multi_view(BRANCHES, 6, fusion=fusion, fusion_width=16)
    x = windows()
    output = net(x)
    assert isinstance(output, NetOutput)
    assert output.logits.shape == (4, 6)
    assert {name: aux.shape for name, aux in output.aux.items()} == {
        "raw": (4, 6),
        "image": (4, 6),
    }
    assert output.losses == {}
    net.eval()
    logits = net(x)
    features = net.forward_features(x)
    n_joined = sum(branch.num_features for branch in net.branches.values())
    assert net.num_features == (n_joined if fusion == "concat" else 16)
    assert features.shape == (4, net.num_features)
    torch.testing.assert_close(net.forward_head(features), logits)
    assert net.forward_head(features, pre_logits=True) is features


@cache  # the small one is a branch eight times
def on_meta(name, n_chans, size, **params):
    with torch.device("meta"):
        return create_net(name, n_chans, 6, size, **params)


def vit(size):
    backbone = f"vit_{size}_patch14_reg4_dinov2"
    return on_meta("timm", 1, (518, 518), backbone=backbone)


PUBLISHED = {
    "6th, small": (1536, lambda: [vit("small") for _ in range(4)]),
    "6th, base for the raw branches": (
        2304,
        lambda: [vit("small"), vit("small"), vit("base"), vit("base")],
    ),
    "6th, one large": (
        2176,
        lambda: [vit("small"), vit("small"), vit("small"), vit("large")],
    ),
    "6th, mix": (
        2560,
        lambda: [
            on_meta("timm", 1, (384, 384), backbone="convnextv2_nano"),
            on_meta("timm", 1, (384, 384), backbone="convnext_small"),
            vit("base"),
            vit("small"),
        ],
    ),
    "2nd, double head": (
        4096,
        lambda: [
            on_meta("x3d_l", 3, (32, 61, 201)),
            on_meta("timm", 1, (256, 256), backbone="tf_efficientnet_b5"),
        ],
    ),
}


@pytest.mark.parametrize("who", PUBLISHED)
def test_published_feature_sizes(who):
    n_features, make = PUBLISHED[who]
    branches = {f"branch{i}": net for i, net in enumerate(make())}
    with torch.device("meta"):
        net = MultiViewNet(branches, 6)
    assert net.num_features == n_features
    assert net.head.in_features == n_features
    for name, net_of_one in branches.items():
        assert net.aux_heads[name].in_features == net_of_one.num_features


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_vit", "test_mambaout"])
def test_models_of_timm_are_branches(backbone):
    body = timm.create_model(backbone, in_chans=1, num_classes=6)
    alone = timm.create_model(backbone, in_chans=1, num_classes=6)
    alone.load_state_dict(body.state_dict())
    size = body.default_cfg["input_size"][1:]
    net = MultiViewNet({"image": body}, 6).eval()
    x = torch.randn(2, 1, *size)
    expected = alone.eval().forward_head(alone.forward_features(x), pre_logits=True)
    torch.testing.assert_close(net.forward_features({"image": x}), expected)
    assert net.num_features == expected.shape[1]


def test_views_of_another_name():
    """Two branches of one view, with a frontend of its own each; others are ignored."""
    frontend = nn.AvgPool1d(2)
    net = MultiViewNet(
        {"whole": Mean(3, n_times=8), "coarse": Mean(3, n_times=4)},
        6,
        views={"whole": "eeg", "coarse": "eeg"},
        frontend={"coarse": frontend},
        input_norm={"coarse": "window"},
    ).eval()
    x = {"eeg": torch.randn(2, 3, 8), "unused": torch.randn(2, 1)}
    half = functional.avg_pool1d(x["eeg"], 2)
    std, mean = torch.std_mean(half, dim=(1, 2), correction=0, keepdim=True)
    features = net.branch_features(x)
    assert list(features) == ["whole", "coarse"]
    torch.testing.assert_close(
        features["coarse"],
        net.branches["coarse"].body.forward_features((half - mean) / std),
    )
    torch.testing.assert_close(
        features["whole"], net.branches["whole"].body.forward_features(x["eeg"])
    )


def test_global_normalisation_of_a_branch():
    net = two_means(input_norm={"a": "global"}).eval()
    net.branches["a"].norm.set_statistics(2.0, 4.0)
    x = mean_windows()
    expected = net.branches["a"].body.forward_features((x["a"] - 2) / 4)
    torch.testing.assert_close(net.branch_features(x)["a"], expected)


def test_heads_of_the_branches_are_gone():
    net = build_multi_view(BRANCHES, 6)
    keys = net.state_dict()
    assert not [key for key in keys if ".body.head" in key or "classifier" in key]


def test_reset_head():
    net = two_means()
    net.reset_head(4, drop_rate=0.5, n_samples=3, hidden=7, vote_threshold=10)
    output = net(mean_windows(), total_votes=torch.tensor([3.0, 12.0, torch.nan, 2.0]))
    assert output.logits.shape == (4, 3, 4)  # one for each sample of the dropout
    assert output.aux["a"].shape == (4, 4)
    assert net.n_outputs == 4
    assert net.head.linear_few is not None
    net.reset_head(0)
    output = net(mean_windows())
    assert output.logits.shape == (4, 8)
    assert output.aux == {}


# Losses -------------------------------------------------------------------------------


def test_auxiliary_logits_and_the_loss_of_the_6th_place():
    net = two_means().eval()
    x = mean_windows()
    features = net.branch_features(x)
    net.train()
    for branch in net.branches.values():
        branch.eval()  # no dropout, so that the features are the same again
    output = net(x)
    joined = torch.cat([features["a"], features["b"]], dim=1)
    torch.testing.assert_close(output.logits, net.head(joined))
    target = torch.softmax(torch.randn(4, 6), dim=1)

    def kl(logits):
        return functional.kl_div(
            logits.log_softmax(dim=1), target, reduction="batchmean"
        )

    by_hand = kl(net.head(joined))
    for name in ("a", "b"):
        logits = features[name] @ net.aux_heads[name].weight.T
        logits = logits + net.aux_heads[name].bias
        torch.testing.assert_close(output.aux[name], logits)
        by_hand = by_hand + kl(logits)
    # (main + sum(w * aux)) / (1 + sum(w)) with w = 1, and the published (..) / n.
    loss = (kl(output.logits) + sum(map(kl, output.aux.values()))) / 3
    torch.testing.assert_close(loss * 3 / 2, by_hand / 2)


def test_without_auxiliary_heads():
    output = two_means(aux=False)(mean_windows())
    assert output.aux == {}
    assert len(two_means(aux=False).aux_heads) == 0


def test_info_nce_by_hand():
    torch.manual_seed(0)
    loss = InfoNCE(3, 4, width=2, temperature=0.5)
    a, b = torch.randn(5, 3), torch.randn(5, 4)
    first = loss.project_a(a).detach().numpy()
    second = loss.project_b(b).detach().numpy()
    cosines = np.empty((5, 5))
    for i in range(5):
        for j in range(5):
            lengths = np.linalg.norm(first[i]) * np.linalg.norm(second[j])
            cosines[i, j] = first[i] @ second[j] / lengths
    weights = np.exp(cosines / 0.5)
    rows = -np.log(np.diag(weights) / weights.sum(axis=1)).mean()
    columns = -np.log(np.diag(weights) / weights.sum(axis=0)).mean()
    assert loss(a, b).item() == pytest.approx((rows + columns) / 2, rel=1e-5)
    assert loss(a[:1], b[:1]).item() == 0.0


def test_info_nce_of_what_says_nothing():
    loss = InfoNCE(3, 4)
    value = loss(torch.ones(8, 3), torch.ones(8, 4)).item()
    assert value == pytest.approx(math.log(8), rel=1e-5)


def test_info_nce_learns_which_belong_together():
    torch.manual_seed(0)
    loss = InfoNCE(6, 6, width=6, temperature=0.1)
    a = torch.randn(16, 6)
    b = a @ torch.linalg.qr(torch.randn(6, 6))[0]
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.02)
    values = []
    for _ in range(100):
        values.append(loss(a, b))
        optimizer.zero_grad()
        values[-1].backward()
        optimizer.step()
    assert values[-1].item() < 0.05 * values[0].item()


def test_info_nce_in_half_precision():
    torch.manual_seed(0)
    loss = InfoNCE(64, 64, temperature=0.01)
    a, b = torch.randn(8, 64), torch.randn(8, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(a, b)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(a, b), rtol=0.2, atol=0)


def test_contrastive_loss_is_weighted():
    net = two_means(contrastive=("b", "a"), contrastive_weight=0.25, temperature=0.2)
    x = mean_windows()
    for branch in net.branches.values():
        branch.eval()
    features = net.branch_features(x)
    expected = 0.25 * net.info_nce(features["b"], features["a"])
    assert net.info_nce.temperature == 0.2
    torch.testing.assert_close(net(x).losses["contrastive"], expected)
    assert list(net(x).losses) == ["contrastive"]


def test_missing_share():
    x = torch.zeros(2, 3, 4, 5)
    x[0, 1, :2] = torch.nan
    x[1, 2] = torch.nan
    assert missing_share(x).tolist() == [[0, 0.5, 0], [0, 0, 1]]
    assert missing_share(torch.zeros(1, 2, 4)).tolist() == [[0, 0]]


def test_missing_share_head_by_hand():
    torch.manual_seed(0)
    head = MissingShareHead(3, 2)
    features, share = torch.randn(4, 3), torch.rand(4, 2)
    p = torch.sigmoid(features @ head.linear.weight.T + head.linear.bias)
    expected = -(share * p.log() + (1 - share) * (1 - p).log()).mean()
    torch.testing.assert_close(head(features, share), expected)
    with pytest.raises(ValueError, match=r"MissingShareHead: .* shape \(4, 3\), exp"):
        head(features, torch.zeros(4, 3))


def test_nan_loss_sees_the_input_before_it_is_filled():
    frontend = Frontend(NaNImputer(), (3, 8))
    net = two_means(frontend={"a": frontend}, nan_loss={"a": 3, "b": 5}, nan_weight=0.5)
    x = mean_windows()
    x["a"][1, 2, :4] = torch.nan
    x["a"][3, 0] = torch.nan
    for branch in net.branches.values():
        branch.eval()
    output = net(x)
    assert torch.isfinite(output.logits).all()
    share = torch.zeros(4, 3)
    share[1, 2], share[3, 0] = 0.5, 1.0
    features = net.branch_features(x)
    parts = [
        net.nan_heads["a"](features["a"], share),
        net.nan_heads["b"](features["b"], torch.zeros(4, 5)),
    ]
    torch.testing.assert_close(output.losses["nan"], 0.5 * (parts[0] + parts[1]) / 2)
    # Filled beforehand, the shares come along.
    filled = {**x, "a": frontend(x["a"])}
    told = net(filled, nan_share={"a": share})
    torch.testing.assert_close(told.losses["nan"], output.losses["nan"])
    assert net(filled).losses["nan"] != output.losses["nan"]


def test_gradient_reaches_every_parameter():
    torch.manual_seed(0)
    net = build_multi_view(
        BRANCHES,
        6,
        fusion="attention",
        fusion_width=16,
        contrastive=("raw", "image"),
        nan_loss={"raw": 3},
    )
    output = net(windows())
    loss = output.logits.square().mean() + sum(output.losses.values())
    loss = loss + sum(aux.square().mean() for aux in output.aux.values())
    loss.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    for branch in net.branches.values():
        assert any(p.grad.abs().max() > 0 for p in branch.parameters())


def test_main_head_alone_reaches_both_branches():
    net = build_multi_view(BRANCHES, 6, aux=False)
    net(windows()).logits.square().sum().backward()
    for name, branch in net.branches.items():
        assert all(p.grad is not None for p in branch.parameters()), name


def test_learns_from_both_views():
    """The sum of two signs, of which each view knows one."""
    torch.manual_seed(0)
    net = MultiViewNet({"a": Mean(3), "b": Mean(5)}, 2, contrastive=("a", "b"))
    x = mean_windows(64)
    left, right = (x["a"][:, 0].mean(1) > 0).float(), (x["b"][:, 0].mean(1) > 0).float()
    x["a"][:, 0] += 4 * left[:, None]
    x["b"][:, 0] += 4 * right[:, None]
    y = (left + right >= 2).long()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(80):
        output = net(x)
        loss = functional.cross_entropy(output.logits, y)
        optimizer.zero_grad()
        (loss + 0.01 * output.losses["contrastive"]).backward()
        optimizer.step()
    assert (net.eval()(x).argmax(1) == y).float().mean() > 0.95


# Attention ----------------------------------------------------------------------------


def test_attention_by_hand():
    torch.manual_seed(0)
    fusion = ViewFusion({"a": 3, "b": 5}, "attention", width=4)
    features = {"b": torch.randn(2, 5), "a": torch.randn(2, 3)}
    common = torch.stack(
        [fusion.project["a"](features["a"]), fusion.project["b"](features["b"])], dim=1
    )
    hidden = torch.tanh(fusion.pool.hidden(common))
    weights = fusion.pool.score(hidden)[..., 0].exp()
    weights = weights / weights.sum(dim=1, keepdim=True)
    torch.testing.assert_close(fusion.weights(features), weights)
    expected = weights[:, :1] * common[:, 0] + weights[:, 1:] * common[:, 1]
    torch.testing.assert_close(fusion(features), expected)
    with pytest.raises(ValueError, match="no weights with mode='concat'"):
        ViewFusion({"a": 3}).weights(features)


# Freezing, loading, groups ------------------------------------------------------------


def test_freeze_branch():
    net = two_means(frozen=["a"])
    x = mean_windows()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1)
    for _ in range(2):
        net.train()  # as a training loop does
        output = net(x)
        optimizer.zero_grad()
        (output.logits.square().sum() + output.aux["a"].square().sum()).backward()
        optimizer.step()
    changed = {
        key
        for key, value in net.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert not [key for key in changed if key.startswith("branches.a.")]
    assert "branches.b.body.norm.running_mean" in changed
    assert {"branches.b.body.scale", "aux_heads.a.weight", "head.weight"} <= changed
    assert not net.branches["a"].training
    assert net.branches["b"].training
    net.freeze_branch("a", False)
    assert net.branches["a"].training
    assert all(p.requires_grad for p in net.parameters())


def test_freezing_forgets_nothing():
    """What did not learn before does not learn after."""
    net = two_means()
    net.branches["a"].body.scale.requires_grad_(False)
    net.freeze_branch("a")
    net.freeze_branch("a")
    net.eval()
    net.freeze_branch("a", False)
    net.freeze_branch("b", False)
    assert not net.branches["a"].body.scale.requires_grad
    assert net.branches["a"].body.norm.weight.requires_grad
    assert not net.branches["a"].training


def test_load_branch():
    torch.manual_seed(1)
    alone = Mean(3)
    alone.reset_head(6, drop_rate=0.5, hidden=4)
    nn.init.normal_(alone.scale)
    net = two_means(input_norm={"a": "global"})
    net.load_branch("a", alone.state_dict())
    assert torch.equal(net.branches["a"].body.scale, alone.scale)
    alone.reset_head(0)
    net = two_means()
    net.load_branch("a", alone.state_dict())
    assert torch.equal(net.branches["a"].body.scale, alone.scale)


def test_load_branch_of_a_fitted_module():
    torch.manual_seed(1)
    module = NormalizedNet(Mean, {"n_chans": 3}, "global")
    module.norm.set_statistics(3.0, 2.0)
    nn.init.normal_(module.body.scale)
    module.eval()
    net = two_means(input_norm={"a": "global"}).eval()
    net.load_branch("a", module.state_dict())
    x = mean_windows()
    expected = module.body.forward_features(module.norm(x["a"]))
    torch.testing.assert_close(net.branch_features(x)["a"], expected)
    without = two_means()
    without.load_branch("a", module.state_dict())
    assert torch.equal(without.branches["a"].body.scale, module.body.scale)


@pytest.mark.parametrize("factory", [timm.create_model, None])
def test_load_branch_of_timm(factory):
    def make():
        if factory is None:
            return TimmNet(1, 6, (32, 32), backbone="test_efficientnet")
        return factory("test_efficientnet", in_chans=1, num_classes=6)

    alone = make().eval()
    net = MultiViewNet({"image": make()}, 3).eval()
    net.load_branch("image", alone.state_dict())
    x = torch.randn(2, 1, 32, 32)
    expected = alone.forward_head(alone.forward_features(x), pre_logits=True)
    torch.testing.assert_close(net.forward_features({"image": x}), expected)


def test_weights_that_do_not_fit():
    net = two_means()
    text = r"do not fit branch 'a': scale has shape \(5,\) instead of \(3,\)"
    with pytest.raises(ValueError, match=text):
        net.load_branch("a", Mean(5).state_dict())
    state = Mean(3).state_dict()
    scale = state.pop("scale")
    with pytest.raises(ValueError, match=r"scale is missing; scales is unknown"):
        net.load_branch("a", {**state, "scales": scale})
    with pytest.raises(ValueError, match=r"there are no branches \['c'\], only"):
        net.load_branch("c", state)
    with pytest.raises(ValueError, match=r"there are no branches \['c'\], only"):
        net.freeze_branch("c")


def test_layer_groups_are_aligned_at_the_fusion():
    frontend = nn.Conv1d(3, 3, 1)
    net = MultiViewNet(
        {
            "image": TimmNet(1, 6, (32, 32), backbone="test_efficientnet"),
            "raw": Mean(3),
            "seen": Mean(3),
        },
        6,
        frontend={"raw": frontend},
    )
    groups = net.layer_groups()
    names = [name for group in groups for name in group]
    assert sorted(names) == sorted(name for name, _ in net.named_parameters())
    assert all(not name.startswith("branches.") for name in groups[-1])
    assert {"head.weight", "aux_heads.raw.bias"} <= set(groups[-1])
    depth = {name: i for i, group in enumerate(groups) for name in group}
    image = [group for group in net.branches["image"].body.layer_groups() if group]
    assert len(groups) == len(image) + 1
    for i, group in enumerate(image):
        assert {depth[f"branches.image.body.{name}"] for name in group} == {i}
    # A branch without an order of its own is next to the fusion, as a whole.
    assert depth["branches.raw.body.scale"] == len(groups) - 2
    assert depth["branches.raw.frontend.weight"] == len(groups) - 2


def test_layer_groups_of_a_model_of_timm():
    body = timm.create_model("test_vit", in_chans=1)
    net = MultiViewNet({"image": body}, 6)
    groups = net.layer_groups()
    names = [name for group in groups for name in group]
    assert sorted(names) == sorted(name for name, _ in net.named_parameters())
    assert "branches.image.body.patch_embed.proj.weight" in groups[0]
    depth = {name: i for i, group in enumerate(groups) for name in group}
    blocks = [depth[f"branches.image.body.blocks.{i}.norm1.weight"] for i in range(3)]
    assert blocks == [blocks[0], blocks[0] + 1, blocks[0] + 2]


def test_what_belongs_to_the_head():
    net = two_means(fusion="attention", contrastive=("a", "b"), nan_loss={"a": 3})
    net.reset_head(6, hidden=4)
    for name, _ in net.named_parameters():
        assert name.startswith(net.head_prefixes) != name.startswith("branches."), name


def test_gradient_checkpointing():
    torch.manual_seed(0)
    plain = build_multi_view(BRANCHES, 6)
    saving = build_multi_view(BRANCHES, 6)
    saving.load_state_dict(plain.state_dict())
    saving.set_grad_checkpointing()
    assert saving.branches["raw"].body.grad_checkpointing
    x = windows()
    for net in (plain, saving):
        net(x).logits.square().sum().backward()
    for (name, a), (_, b) in zip(
        plain.named_parameters(), saving.named_parameters(), strict=True
    ):
        if a.grad is None:  # auxiliary heads
            assert b.grad is None
        else:
            torch.testing.assert_close(a.grad, b.grad, msg=name)
    same_buffers(plain, saving)


def same_buffers(plain, saving):
    """Running statistics after one step: a batch counts once."""
    for (name, a), (_, b) in zip(
        plain.named_buffers(), saving.named_buffers(), strict=True
    ):
        assert torch.equal(a, b), name
    counts = [b for n, b in saving.named_buffers() if n.endswith("batches_tracked")]
    assert counts
    assert all(count == 1 for count in counts)


def test_gradient_checkpointing_of_models_of_timm():
    torch.manual_seed(0)
    body = timm.create_model("test_efficientnet", in_chans=1)
    plain = MultiViewNet({"image": copy.deepcopy(body)}, 6)
    saving = copy.deepcopy(plain)
    saving.set_grad_checkpointing()
    x = {"image": torch.randn(4, 1, 32, 32)}
    for net in (plain, saving):
        net(x).logits.square().sum().backward()
        torch.optim.SGD(net.parameters(), lr=0.1).step()
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(saving.state_dict()[key], value, msg=key)
    same_buffers(plain, saving)


class WithoutSwitch(nn.Module):
    """A module of somebody else that has features and nothing more."""

    num_features = 3

    def forward_features(self, x):
        return x.mean(dim=2)


def broken(enable):
    raise AttributeError("a mistake in somebody's code")


def test_gradient_checkpointing_of_some_branches():
    mixed = MultiViewNet({"a": Mean(3), "raw": ResNet1DGRU(**RAW)}, 6)
    with pytest.warns(UserWarning, match=r"MultiViewNet: the branches \['a'\] have no"):
        mixed.set_grad_checkpointing()
    mixed.set_grad_checkpointing(False)  # as it was: nothing to say
    mixed.branches["a"].body.set_grad_checkpointing = broken
    with pytest.raises(AttributeError, match="a mistake"):
        mixed.set_grad_checkpointing()
    mixed = MultiViewNet({"a": WithoutSwitch(), "raw": ResNet1DGRU(**RAW)}, 6)
    with pytest.warns(UserWarning, match=r"the branches \['a'\] have no"):
        mixed.set_grad_checkpointing()
    assert mixed.branches["raw"].body.grad_checkpointing
    with pytest.raises(ValueError, match=r"no branch of \['a', 'b'\] has gradient"):
        two_means().set_grad_checkpointing()


# The factory --------------------------------------------------------------------------


def full_description():
    filled = Frontend(NaNImputer(), (3, 120))
    return {
        "branches": [
            BranchSpec("raw", ResNet1DGRU, RAW, "global", filled),
            ("image", create_net, {"name": "timm", "backbone": "test_vit", **IMAGE}),
            BranchSpec(
                "coarse",
                ResNet1DGRU,
                {**RAW, "n_times": 60},
                frontend=nn.AvgPool1d(2),
                view="raw",
            ),
        ],
        "n_outputs": 6,
        "fusion": "attention",
        "fusion_width": 8,
        "contrastive": ("coarse", "image"),
        "nan_loss": {"raw": 3},
        "frozen": ["image"],
    }


def test_rebuilt_from_a_pickle():
    """What a saved estimator holds: factory, arguments, weights."""
    torch.manual_seed(0)
    params = full_description()
    net = build_multi_view(**params)
    net.branches["raw"].norm.set_statistics(1.0, 3.0)
    saved = pickle.dumps((build_multi_view, params, pack_weights(net.state_dict())))
    factory, params, weights = pickle.loads(saved)
    again = factory(**params)
    again.load_state_dict(unpack_weights(weights))
    x = windows()
    torch.testing.assert_close(again.eval()(x), net.eval()(x), rtol=0, atol=0)
    assert again.branches["raw"].norm.std == 3.0
    assert not again.branches["image"].body.head.training
    whole = pickle.loads(pickle.dumps(net))
    torch.testing.assert_close(whole(x), net(x), rtol=0, atol=0)


def test_weights_depend_on_the_seed_alone():
    params = full_description()
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(build_multi_view(**params).state_dict())
    first, again, other = states
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_frontends_with_weights_are_not_shared():
    frontend = nn.Conv1d(3, 3, 1)
    branches = [("raw", Mean, {"n_chans": 3}, None, frontend)]
    nets = [build_multi_view(branches, 6) for _ in range(2)]
    weights = [net.branches["raw"].frontend.weight for net in nets]
    assert weights[0] is not weights[1]
    assert weights[0] is not frontend.weight
    assert torch.equal(weights[0], frontend.weight)


def test_inside_the_module_of_an_estimator():
    net = NormalizedNet(build_multi_view, {"branches": BRANCHES, "n_outputs": 6}, None)
    assert {"total_votes", "nan_share"} <= net.extra_inputs
    net.body.reset_head(6, vote_threshold=10)
    nn.init.ones_(net.body.head.linear_few.bias)
    votes = torch.tensor([3.0, 12.0, 20.0, 1.0])
    batch = {"x": windows(), "total_votes": votes, "sample_weight": torch.ones(4)}
    output = net(batch)
    assert isinstance(output, NetOutput)
    output.logits.sum().backward()
    few = net.body.head.linear_few.bias.grad
    torch.testing.assert_close(few, torch.full((6,), 2.0))
    assert net.eval()(batch).shape == (4, 6)


def test_autocast_and_export():
    net = build_multi_view(BRANCHES, 6, contrastive=("raw", "image"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = net(windows())
    assert output.losses["contrastive"].dtype == torch.float32
    net = two_means(fusion="attention", fusion_width=4).eval()
    exported = torch.export.export(net, (mean_windows(),))
    x = mean_windows(seed=1)
    torch.testing.assert_close(exported.module()(x), net(x))


# Refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"views": {"c": "a"}}, r"views: there are no branches \['c'\], only"),
        ({"input_norm": {"c": None}}, r"input_norm: there are no branches \['c'\]"),
        ({"frontend": {"c": None}}, r"frontend: there are no branches \['c'\]"),
        ({"contrastive": ("a", "c")}, r"contrastive: there are no branches \['c'\]"),
        ({"contrastive": ("a", "a")}, "must name two branches"),
        ({"nan_loss": {"c": 3}}, r"nan_loss: there are no branches \['c'\]"),
        ({"nan_loss": {"a": 0}}, "n_chans=0"),
        ({"frozen": ["c"]}, r"frozen: there are no branches \['c'\]"),
        ({"fusion": "sum"}, "'sum'"),
        ({"fusion": "attention", "fusion_width": 0}, "width"),
        ({"contrastive": ("a", "b"), "temperature": 0.0}, "temperature=0.0"),
        ({"input_norm": {"a": "other"}}, "'other' is not known"),
    ],
)
def test_wrong_parameters(params, text):
    with pytest.raises(ValueError, match=text):
        two_means(**params)


def test_wrong_branches():
    for branches in ({}, [Mean(3)], None):
        with pytest.raises(ValueError, match="must be a mapping of one name or more"):
            MultiViewNet(branches, 6)
    for name in ("", "a.b", "keys", "half", 3):
        with pytest.raises(ValueError, match=r"MultiViewNet: .* the name of a branch"):
            MultiViewNet({name: Mean(3)}, 6)
    with pytest.raises(TypeError, match="branch 'a' is a Linear, which has no forward"):
        MultiViewNet({"a": nn.Linear(3, 2)}, 6)


def test_wrong_descriptions():
    branch = ("a", Mean, {"n_chans": 3})
    with pytest.raises(ValueError, match=r"several branches have the names \['a'\]"):
        build_multi_view([branch, branch], 6)
    with pytest.raises(ValueError, match=r"\['views'\] are said in the branches"):
        build_multi_view([branch], 6, views={"a": "b"})
    for wrong in (("a",), "ab" * 4, {"name": "a"}, (*branch, None, None, None, 1)):
        with pytest.raises(TypeError, match="describes no branch"):
            build_multi_view([wrong], 6)


def test_wrong_input():
    net = two_means().eval()
    x = mean_windows()
    with pytest.raises(TypeError, match="got a Tensor, expected a mapping"):
        net(x["a"])
    with pytest.raises(ValueError, match=r"views \['b'\] are missing; there are"):
        net({"a": x["a"]})
    with pytest.raises(ValueError, match=r"different numbers of windows: {'a': 2, 'b'"):
        net({**x, "a": x["a"][:2]})
    with pytest.raises(ValueError, match=r"Mean: got input of shape \(4, 4, 8\)"):
        net({**x, "a": torch.zeros(4, 4, 8)})
