"""Parameter groups by hand, and steps against formulas written out."""

import fnmatch

import numpy as np
import pytest
import timm
import timm.optim
import torch
from small_nets import SMALL
from torch import nn

from hmsklearn.nets import list_nets
from hmsklearn.neural._freezing import freeze_parameters
from hmsklearn.neural._losses import DirichletMultinomialLoss
from hmsklearn.neural._module import NormalizedNet
from hmsklearn.neural._optimizers import make_optimizer
from hmsklearn.neural._parameter_groups import head_names, parameter_groups


class Body(nn.Module):
    """Three layers, a position embedding and a head."""

    def __init__(self):
        super().__init__()
        self.position = nn.Parameter(torch.ones(2, 2))
        self.stem = nn.Linear(2, 2)
        self.block = nn.Linear(2, 2)
        self.norm = nn.BatchNorm1d(2)
        self.head = nn.Linear(2, 3)

    def forward(self, x):
        return self.head(self.norm(self.block(self.stem(x))) + self.position[0])

    def no_weight_decay(self):
        return {"position"}

    def layer_groups(self):
        names = [name for name, _ in self.named_parameters()]
        return [
            [n for n in names if n.startswith(("position", "stem"))],
            [n for n in names if n.startswith(("block", "norm"))],
            [n for n in names if n.startswith("head")],
        ]


class Plain(nn.Module):
    def __init__(self, name="fc"):
        super().__init__()
        self.stem = nn.Linear(2, 2)
        setattr(self, name, nn.Linear(2, 3))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return NormalizedNet(Body, {}, None)


def described(net, groups):
    """The groups with names for parameters."""
    names = {id(p): n.removeprefix("body.") for n, p in net.named_parameters()}
    return [
        (
            pytest.approx(g["lr"]),
            g["weight_decay"],
            sorted(names[id(p)] for p in g["params"]),
        )
        for g in groups
    ]


class TestGroups:
    def test_decay_of_matrices_alone(self, net):
        groups = parameter_groups(net, lr=0.1, weight_decay=0.5, caller="test")
        few = ["block.bias", "head.bias", "norm.bias", "norm.weight", "position"]
        assert described(net, groups) == [
            (0.1, 0.5, ["block.weight", "head.weight", "stem.weight"]),
            (0.1, 0.0, [*few, "stem.bias"]),
        ]
        assert [g["lr_scale"] for g in groups] == [1.0, 1.0]

    def test_backbone_rate(self, net):
        groups = parameter_groups(
            net, lr=0.1, weight_decay=0.5, backbone_lr=0.02, caller="test"
        )
        few = ["block.bias", "norm.bias", "norm.weight", "position", "stem.bias"]
        assert described(net, groups) == [
            (0.1, 0.5, ["head.weight"]),
            (0.1, 0.0, ["head.bias"]),
            (0.02, 0.5, ["block.weight", "stem.weight"]),
            (0.02, 0.0, few),
        ]
        assert [g["lr_scale"] for g in groups] == pytest.approx([1, 1, 0.2, 0.2])

    def test_rates_of_parts(self, net):
        rates = {"backbone": 0.02, "stem": 0.01, "norm.b*": 0.05}
        expected = [
            (0.1, 0.5, ["head.weight"]),
            (0.1, 0.0, ["head.bias"]),
            (0.05, 0.0, ["norm.bias"]),
            (0.02, 0.5, ["block.weight"]),
            (0.02, 0.0, ["block.bias", "norm.weight", "position"]),
            (0.01, 0.5, ["stem.weight"]),
            (0.01, 0.0, ["stem.bias"]),
        ]
        for given in (rates, dict(reversed(rates.items()))):
            groups = parameter_groups(
                net, lr=0.1, weight_decay=0.5, backbone_lr=given, caller="test"
            )
            assert described(net, groups) == expected

    def test_what_no_name_fits_has_the_full_rate(self, net):
        groups = parameter_groups(
            net, lr=0.1, backbone_lr={"stem": 0.05, "head": 0.2}, caller="test"
        )
        few = ["block.bias", "norm.bias", "norm.weight", "position"]
        assert described(net, groups) == [
            (0.2, 0.0, ["head.weight"]),
            (0.2, 0.0, ["head.bias"]),
            (0.1, 0.0, ["block.weight"]),
            (0.1, 0.0, few),
            (0.05, 0.0, ["stem.weight"]),
            (0.05, 0.0, ["stem.bias"]),
        ]
        # A layer decay comes on top.
        groups = parameter_groups(
            net, lr=0.1, backbone_lr={"stem": 0.05}, layer_decay=0.5, caller="test"
        )
        of_stem = [g["lr"] for g in groups if net.body.stem.weight is g["params"][0]]
        assert of_stem == pytest.approx([0.05 * 0.25])

    @pytest.mark.parametrize(
        ("rates", "message"),
        [
            ({"neck": 0.1}, r"'neck', which fits no parameter.*'stem'"),
            ({"stem": 0.1, "st*": 0.2}, r"two of the names .* 'body.stem"),
            ({"stem": 0.0}, r"backbone_lr\['stem'\] must be .*freeze it"),
            ({"stem": "low"}, r"backbone_lr\['stem'\] must be"),
        ],
    )
    def test_rates_of_no_part(self, net, rates, message):
        with pytest.raises(ValueError, match=f"test: .*{message}"):
            make_optimizer(net, "adamw", lr=0.1, backbone_lr=rates, caller="test")

    def test_layer_decay(self, net):
        groups = parameter_groups(
            net, lr=0.1, weight_decay=0.5, layer_decay=0.5, caller="test"
        )
        assert described(net, groups) == [
            (0.1, 0.5, ["head.weight"]),
            (0.1, 0.0, ["head.bias"]),
            (0.05, 0.5, ["block.weight"]),
            (0.05, 0.0, ["block.bias", "norm.bias", "norm.weight"]),
            (0.025, 0.5, ["stem.weight"]),
            (0.025, 0.0, ["position", "stem.bias"]),
        ]

    def test_layer_decay_below_a_backbone_rate(self, net):
        groups = parameter_groups(
            net, lr=0.1, backbone_lr=0.02, layer_decay=0.5, caller="test"
        )
        assert [g["lr"] for g in groups] == pytest.approx(
            [0.1, 0.1, 0.01, 0.01, 0.005, 0.005]
        )

    def test_frozen_parameters_are_left_out(self, net):
        net.body.stem.requires_grad_(False)
        net.body.position.requires_grad_(False)
        groups = parameter_groups(net, lr=0.1, layer_decay=0.5, caller="test")
        held = {name for *_, names in described(net, groups) for name in names}
        expected = {"block.weight", "block.bias", "norm.weight", "norm.bias"}
        assert held == expected | {"head.weight", "head.bias"}
        # The depth of what is left does not change.
        assert [g["lr_scale"] for g in groups] == [1.0, 1.0, 0.5, 0.5]
        net.requires_grad_(False)
        with pytest.raises(ValueError, match=r"test: all parameters .* frozen"):
            parameter_groups(net, lr=0.1, caller="test")

    def test_parameters_of_the_loss(self, net):
        loss = DirichletMultinomialLoss()
        groups = parameter_groups(
            net,
            lr=0.1,
            weight_decay=0.5,
            backbone_lr=0.02,
            criterion=loss,
            caller="test",
        )
        [held] = [
            g for g in groups if any(p is loss.log_concentration for p in g["params"])
        ]
        assert (held["lr"], held["weight_decay"]) == (0.1, 0.0)
        fixed = DirichletMultinomialLoss(learn=False)
        groups = parameter_groups(net, lr=0.1, criterion=fixed, caller="test")
        assert sum(len(g["params"]) for g in groups) == len(list(net.parameters()))

    @pytest.mark.parametrize(
        ("backbone", "head"),
        [
            ("test_efficientnet", {"classifier.weight", "classifier.bias"}),
            ("test_vit", {"head.weight", "head.bias"}),
            ("test_resnet", {"fc.weight", "fc.bias"}),
        ],
    )
    def test_backbones_of_timm(self, backbone, head):
        net = nn.Module()
        net.body = timm.create_model(backbone)
        assert head_names(net) == {f"body.{name}" for name in head}
        groups = parameter_groups(
            net, lr=1.0, weight_decay=0.5, layer_decay=0.9, caller="test"
        )
        theirs = (
            timm.optim.param_groups_layer_decay
            if hasattr(timm.optim, "param_groups_layer_decay")
            else None
        )
        if theirs is None:
            pytest.skip("this release of timm does not show its groups")
        expected = theirs(
            net.body,
            weight_decay=0.5,
            no_weight_decay_list=getattr(net.body, "no_weight_decay", set)(),
            layer_decay=0.9,
        )
        ours, others = (
            {
                id(p): (g["lr_scale"], g["weight_decay"])
                for g in made
                for p in g["params"]
            }
            for made in (groups, expected)
        )
        assert ours.keys() == others.keys()
        for key, value in ours.items():
            assert value == pytest.approx(others[key])

    def test_nested_names_without_decay(self):
        net = nn.Module()
        net.body = nn.ModuleDict({"a": timm.create_model("test_vit"), "b": Body()})
        groups = parameter_groups(net, lr=0.1, weight_decay=0.5, caller="test")
        decayed = [n for g in described(net, groups) if g[1] for n in g[2]]
        assert not fnmatch.filter(decayed, "*position")
        assert not fnmatch.filter(decayed, "*pos_embed")
        assert "a.blocks.0.attn.qkv.weight" in decayed

    @pytest.mark.parametrize("name", list_nets())
    def test_heads_of_the_registered_nets(self, name):
        net = nn.Module()
        net.body = SMALL[name].make(name)
        parts = ["head", *(["temperature"] if name == "node_attention" else [])]
        expected = {
            f"body.{part}.{key}"
            for part in parts
            for key, _ in getattr(net.body, part).named_parameters()
        }
        assert head_names(net) == expected
        undo, _ = freeze_parameters(net, ["backbone"], caller="test")
        assert {n for n, p in net.named_parameters() if p.requires_grad} == expected
        undo()

    def test_names_of_the_head(self):
        net = nn.Module()
        net.body = Plain("out")
        with pytest.raises(ValueError, match=r"backbone_lr=0.1 needs to know the head"):
            parameter_groups(net, lr=1.0, backbone_lr=0.1, caller="test")
        net.body.head_prefixes = ("out",)
        expected = {"body.out.weight", "body.out.bias"}
        assert head_names(net) == expected
        del net.body.head_prefixes
        assert head_names(net, ("body.out",)) == expected

    def test_unknown_order_of_layers(self, net):
        plain = nn.Module()
        plain.body = Plain()
        with pytest.raises(ValueError, match=r"test: layer_decay .* Plain does not"):
            parameter_groups(plain, lr=1.0, layer_decay=0.5, caller="test")
        net.body.layer_groups = lambda: [["stem.weight", "stem.bias"]]
        with pytest.raises(ValueError, match=r"Body leaves out .*position.*\(7 in all"):
            parameter_groups(net, lr=1.0, layer_decay=0.5, caller="test")


class TestSteps:
    def step(self, net, *args, **kwargs):
        """One step with known gradients; what moved, by name."""
        before = {n: p.detach().clone() for n, p in net.named_parameters()}
        optimizer = make_optimizer(net, *args, caller="test", **kwargs)
        for parameter in net.parameters():
            parameter.grad = torch.full_like(parameter, 0.3)
        optimizer.step()
        return {
            name: (before[name], parameter.detach())
            for name, parameter in net.named_parameters()
        }

    def test_adamw(self, net):
        moved = self.step(
            net,
            "adamw",
            lr=0.1,
            weight_decay=0.5,
            backbone_lr=0.02,
            optimizer_params={"eps": 0.2},
        )
        # The first step of Adam is lr * g / (|g| + eps) after lr * decay * weight.
        for name, (old, new) in moved.items():
            lr = 0.1 if "head" in name else 0.02
            decay = 0.5 if old.ndim > 1 and "position" not in name else 0.0
            torch.testing.assert_close(
                new, old * (1 - lr * decay) - lr * 0.3 / (0.3 + 0.2)
            )

    def test_sgd(self, net):
        moved = self.step(
            net,
            torch.optim.SGD,
            lr=0.1,
            weight_decay=0.5,
            layer_decay=0.5,
            optimizer_params={"momentum": 0.9},
        )
        for name, (old, new) in moved.items():
            depth = next(
                i
                for i, group in enumerate(net.body.layer_groups())
                if name.removeprefix("body.") in group
            )
            decay = 0.5 if old.ndim > 1 and "position" not in name else 0.0
            lr = 0.1 * 0.5 ** (2 - depth)
            torch.testing.assert_close(new, old - lr * (0.3 + decay * old))

    @pytest.mark.parametrize(
        "name",
        ["adam", "adamw", "adan", "lamb", "lion", "lookahead_adamw", "madgrad", "sgd"],
    )
    def test_names_learn(self, net, name):
        x = torch.randn(32, 2)
        y = torch.stack([x[:, 0], -x[:, 1], x[:, 0] + x[:, 1]], dim=1)
        optimizer = make_optimizer(
            net, name, lr=1e-2, weight_decay=1e-4, backbone_lr=5e-3, caller="test"
        )
        losses = []
        for _ in range(60):
            optimizer.zero_grad()
            loss = (net({"x": x}) - y).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.7 * losses[0]
        assert [g["lr_scale"] for g in optimizer.param_groups] == [1.0, 1.0, 0.5, 0.5]

    def test_adamw_is_torch_s(self, net):
        # What the estimators did before they had a choice.
        other = NormalizedNet(Body, {}, None)
        other.load_state_dict(net.state_dict())
        reference = torch.optim.AdamW(
            [
                {"params": [p for p in other.parameters() if p.ndim > 1]},
                {
                    "params": [p for p in other.parameters() if p.ndim <= 1],
                    "weight_decay": 0.0,
                },
            ],
            lr=0.1,
            weight_decay=0.01,
        )
        net.body.no_weight_decay = set
        ours = make_optimizer(net, "adamw", lr=0.1, weight_decay=0.01, caller="test")
        generator = np.random.default_rng(0)
        for _ in range(5):
            for p, q in zip(net.parameters(), other.parameters(), strict=True):
                grad = generator.standard_normal(p.shape)
                p.grad = torch.tensor(grad, dtype=torch.float32)
                q.grad = p.grad.clone()
            ours.step()
            reference.step()
        for p, q in zip(net.parameters(), other.parameters(), strict=True):
            assert torch.equal(p, q)


class TestErrors:
    @pytest.mark.parametrize(
        ("optimizer", "params", "message"),
        [
            ("adamww", {}, "optimizer='adamww' is not known. Did you mean 'adamw'"),
            ("adahessian", {}, "'adahessian' needs second derivatives"),
            ("sgd", {"optimizer_params": {"eps": 1}}, "'sgd' has no parameter 'eps'"),
            ("lion", {"optimizer_params": {"eps": 1}}, "has no parameter 'eps'"),
            (
                "adamw",
                {"optimizer_params": {"momentum": 0.5}},
                "'adamw' has no parameter 'momentum'",
            ),
            ("adamw", {"optimizer_params": {"epz": 1}}, "could not be built .*epz"),
            ("adamw", {"optimizer_params": {"lr": 1}}, r"must not hold \['lr'\]"),
            (torch.optim.LBFGS, {}, "could not be built"),
            (torch.optim.Rprop, {"weight_decay": 0.1}, "Rprop has no weight decay"),
            ("adamw", {"lr": 0.0}, "lr must be .* above 0, got 0.0"),
            ("adamw", {"backbone_lr": 0.0}, "backbone_lr must be .* freeze it"),
            ("adamw", {"layer_decay": 1.5}, "layer_decay must be .*, got 1.5"),
            ("adamw", {"layer_decay": 0.0}, "layer_decay must be .*, got 0.0"),
            ("adamw", {"weight_decay": -1}, "weight_decay must be .*, got -1"),
        ],
    )
    def test_unusable(self, net, optimizer, params, message):
        with pytest.raises(ValueError, match=f"test: .*{message}"):
            make_optimizer(net, optimizer, **{"lr": 0.1, **params}, caller="test")

    @pytest.mark.parametrize("optimizer", [3, None, nn.Linear])
    def test_no_optimizer(self, net, optimizer):
        with pytest.raises(TypeError, match="optimizer must be a name such as"):
            make_optimizer(net, optimizer, lr=0.1, caller="test")
