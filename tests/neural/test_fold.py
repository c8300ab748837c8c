"""Batch normalisation folded into convolutions: exact, or left as it is."""

import numpy as np
import pytest
import timm
import torch
from timm.layers import BatchNormAct2d, Conv2dSame
from torch import nn

from hmsklearn.neural._fold import fold_batch_norms

CONVOLUTIONS = {3: nn.Conv1d, 4: nn.Conv2d, 5: nn.Conv3d}
NORMS = {3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}


def trained(module):
    """Give the normalisations statistics and weights as a training leaves them."""
    torch.manual_seed(0)
    for one in module.modules():
        if isinstance(one, nn.modules.batchnorm._BatchNorm):
            if one.running_mean is not None:
                one.running_mean.normal_(0, 0.3)
                one.running_var.uniform_(0.3, 2)
            if one.weight is not None:
                nn.init.uniform_(one.weight, 0.5, 2)
                nn.init.normal_(one.bias, 0, 0.3)
    return module.eval()


def n_norms(module):
    return sum(
        isinstance(one, nn.modules.batchnorm._BatchNorm) for one in module.modules()
    )


def assert_same(one, other, x):
    with torch.no_grad():
        torch.testing.assert_close(one(x), other(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ndim", [3, 4, 5])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
def test_each_number_of_axes(ndim, bias, affine):
    net = nn.Sequential(
        CONVOLUTIONS[ndim](2, 4, 3, bias=bias, padding=1),
        NORMS[ndim](4, affine=affine),
        nn.ReLU(inplace=True),
        CONVOLUTIONS[ndim](4, 4, 3, groups=4, bias=bias, stride=2),
        NORMS[ndim](4, affine=affine, eps=0.1),
    )
    x = torch.randn(2, 2, *(9,) * (ndim - 2))
    folded = fold_batch_norms(trained(net), x[:1])
    assert (n_norms(net), n_norms(folded)) == (2, 0)
    assert_same(net, folded, x)


@pytest.mark.parametrize(
    ("backbone", "left"),
    [
        ("test_efficientnet", 0),
        ("test_resnet", 0),
        ("mobilenetv3_small_050", 0),
        ("regnetx_002", 0),
        # In front of the convolutions: some stay.
        ("test_efficientnet_ln", None),
        ("test_vit", None),
    ],
)
def test_backbones_of_timm(backbone, left):
    net = trained(timm.create_model(backbone, in_chans=1, num_classes=3))
    size = net.pretrained_cfg["input_size"][1] if "vit" in backbone else 64
    x = torch.randn(2, 1, size, size)
    folded = fold_batch_norms(net, x[:1])
    if left is None:
        assert n_norms(net) == 0
        assert folded is None
        return
    assert n_norms(net) > 5
    assert n_norms(folded) == left
    with torch.no_grad():
        expected, got = net(x), folded(x)
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_activation_and_layout_are_kept():
    net = nn.Sequential(Conv2dSame(2, 4, 3, stride=2), BatchNormAct2d(4, inplace=False))
    net = trained(net).to(memory_format=torch.channels_last)
    x = torch.randn(2, 2, 9, 9).contiguous(memory_format=torch.channels_last)
    folded = fold_batch_norms(net, x[:1])
    assert isinstance(folded[1], nn.ReLU)
    assert folded[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert_same(net, folded, x)
    with torch.no_grad():
        assert folded(x).min() == 0


def test_other_weights_are_shared_and_the_net_is_untouched():
    net = trained(
        nn.Sequential(
            nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.Flatten(), nn.Linear(28, 3)
        )
    )
    before = {name: value.clone() for name, value in net.state_dict().items()}
    folded = fold_batch_norms(net, torch.zeros(1, 2, 9))
    assert folded[3].weight is net[3].weight
    assert folded[0].weight is not net[0].weight
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])


class Branch(nn.Module):
    """A convolution and a normalisation, and something between or beside them."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.convolution = nn.Conv1d(2, 2, 3, padding=1)
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x):
        maps = self.convolution(x)
        if self.kind == "read twice":
            return self.norm(maps) + maps
        if self.kind == "read in a list":
            return torch.cat([self.norm(maps), maps])
        if self.kind == "runs twice":
            return self.norm(self.convolution(maps.relu()))
        if self.kind == "norm runs twice":
            return self.norm(self.norm(maps).relu())
        if self.kind == "something between":
            return self.norm(maps.relu())
        return self.norm(maps) + x


@pytest.mark.parametrize(
    "kind",
    [
        "read twice",
        "read in a list",
        "runs twice",
        "norm runs twice",
        "something between",
    ],
)
def test_what_is_no_pair_is_left(kind):
    assert fold_batch_norms(trained(Branch(kind)), torch.zeros(1, 2, 9)) is None


def test_a_pair_with_a_way_around_it_is_folded():
    net = trained(Branch("way around"))
    folded = fold_batch_norms(net, torch.zeros(1, 2, 9))
    assert_same(net, folded, torch.randn(3, 2, 9))


def test_views():
    class Views(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = Branch("way around"), Branch("way around")

        def forward(self, x):
            return self.one(x["one"]).mean(2) + self.two(x["two"]).mean(2)

    net = trained(Views())
    x = {"one": torch.randn(2, 2, 9), "two": torch.randn(2, 2, 5)}
    folded = fold_batch_norms(net, {name: one[:1] for name, one in x.items()})
    assert (n_norms(net), n_norms(folded)) == (2, 0)
    assert_same(net, folded, x)


class Tied(Branch):
    """Uses the convolution's weights somewhere else, where no one sees it."""

    def forward(self, x):
        return super().forward(x) + self.convolution.weight.sum()


class Inspecting(Branch):
    """Asks the normalisation for what a folded net does not have."""

    def forward(self, x):
        return super().forward(x) * self.norm.eps


class NoisyNet(Branch):
    def forward(self, x):
        return super().forward(x) + torch.randn_like(x)


class DivergedNet(Branch):
    def forward(self, x):
        return super().forward(x) * torch.nan


@pytest.mark.parametrize("kind", [Tied, Inspecting, NoisyNet, DivergedNet])
def test_a_copy_that_differs_is_not_used(kind):
    assert fold_batch_norms(trained(kind("way around")), torch.zeros(1, 2, 9)) is None


def test_a_norm_without_statistics_is_left():
    net = nn.Sequential(
        nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4, track_running_stats=False)
    )
    assert fold_batch_norms(trained(net), torch.zeros(1, 2, 9)) is None


def test_hooks_are_respected():
    net = trained(nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4)))
    net[1].register_forward_hook(lambda module, x, out: 2 * out)
    assert fold_batch_norms(net, torch.zeros(1, 2, 9)) is None


def test_weights_that_are_computed_are_left():
    net = nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Conv1d(2, 4, 3)), nn.BatchNorm1d(4)
    )
    x = torch.randn(2, 2, 9)
    folded = fold_batch_norms(trained(net), x[:1])
    assert folded is None or np.allclose(folded(x).detach(), net(x).detach(), atol=1e-5)


def test_the_random_state_is_left_alone():
    net = trained(nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4)))
    state = torch.get_rng_state()
    fold_batch_norms(net, torch.zeros(1, 2, 9))
    assert torch.equal(torch.get_rng_state(), state)
