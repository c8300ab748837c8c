import copy
import pickle

import pytest
import timm
import torch
from torch import nn

from hmsklearn.nets.layers import TripletAttention, add_triplet_attention


def gate(sequence, planes):
    """Gate over the last two axes of ``(n, first, second, third)``, kept on them."""
    extremes = torch.stack([planes.max(dim=1).values, planes.mean(dim=1)], dim=1)
    return planes * sequence(extremes)


def test_is_the_mean_of_three_rotated_branches():
    # The paper's wording: rotate, pool, convolve, gate, rotate back.
    torch.manual_seed(0)
    attention = TripletAttention(kernel_size=3).eval()
    for sequence in attention.children():
        sequence[1].running_mean.fill_(0.1)
        sequence[1].weight.data.fill_(2.0)
    x = torch.randn(2, 5, 6, 7)
    height = gate(attention.without_height, x.permute(0, 2, 1, 3)).permute(0, 2, 1, 3)
    width = gate(attention.without_width, x.permute(0, 3, 2, 1)).permute(0, 3, 2, 1)
    maps = gate(attention.without_maps, x)
    torch.testing.assert_close(attention(x), (height + width + maps) / 3)


def test_size():
    attention = TripletAttention()
    convs = [m for m in attention.modules() if isinstance(m, nn.Conv2d)]
    assert [conv.kernel_size for conv in convs] == [(7, 7)] * 3
    assert sum(p.numel() for p in attention.parameters()) == 3 * (2 * 49 + 2)


@pytest.mark.parametrize("kernel_size", [0, 4])
def test_wrong_size(kernel_size):
    with pytest.raises(ValueError, match="must be odd and positive"):
        TripletAttention(kernel_size)


def n_attentions(model):
    return sum(isinstance(m, TripletAttention) for m in model.modules())


@pytest.mark.parametrize(
    ("name", "n_blocks"),
    [
        ("efficientnet_b1", 23),  # 3rd place of SETI: B1 to B4
        ("efficientnet_b4", 32),
        ("resnet18", 8),
        ("resnet50", 16),
    ],
)
def test_every_block_has_one(name, n_blocks):
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=0)
        before = sum(p.numel() for p in model.parameters())
        assert add_triplet_attention(model) == n_blocks
    assert n_attentions(model) == n_blocks
    after = sum(p.numel() for p in model.parameters())
    assert after == before + 300 * n_blocks


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("test_efficientnet", {}),
        # Else the last norm of a fresh block is zero, and with it what is gated.
        ("test_resnet", {"zero_init_last": False}),
    ],
)
def test_takes_part_in_the_forward_pass(name, params):
    torch.manual_seed(0)
    model = timm.create_model(name, **params).eval()
    x = torch.randn(1, 3, 64, 64)
    plain = model(x)
    add_triplet_attention(model, kernel_size=3)
    gated = model(x)
    assert not torch.allclose(gated, plain)
    copies = (copy.deepcopy(model), pickle.loads(pickle.dumps(model)))
    for other in copies:
        assert torch.equal(other(x), gated)
    # Gates that are always open leave the model as it was.
    for module in model.modules():
        if isinstance(module, TripletAttention):
            for sequence in module.children():
                nn.init.zeros_(sequence[1].weight)
                nn.init.constant_(sequence[1].bias, 50.0)
    torch.testing.assert_close(model(x), plain)


def test_after_squeeze_and_excitation():
    torch.manual_seed(0)
    model = timm.create_model("tf_efficientnet_b0").eval()
    se = copy.deepcopy(model.blocks[1][0].se)
    add_triplet_attention(model)
    block = model.blocks[1][0]
    x = torch.randn(1, se.conv_reduce.in_channels, 8, 8)
    torch.testing.assert_close(block.se(x), block.se.triplet(se(x)))


def test_in_place_of_squeeze_and_excitation():
    model = timm.create_model("tf_efficientnet_b0")
    n_blocks = add_triplet_attention(model, replace=True)
    assert n_blocks == n_attentions(model) == 16
    assert not any("conv_reduce" in name for name in model.state_dict())
    assert model.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 1000)


def test_models_without_such_blocks():
    with pytest.raises(ValueError, match="VisionTransformer has no residual blocks"):
        add_triplet_attention(timm.create_model("test_vit"))
