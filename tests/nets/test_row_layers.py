import pytest
import torch
from torch import nn
from torch.nn import functional

from hmsklearn.nets.layers import (
    ChannelMixer,
    ConvNormELU,
    InvertedResidual1d,
    PoolStage,
    RowEncoder,
    SideMerge,
    SqueezeExcite,
)


@pytest.mark.parametrize("places", [(1,), (7,), (4, 7)])
def test_squeeze_excite_takes_any_number_of_axes(places):
    layer = SqueezeExcite(6, 2)
    x = torch.randn(3, 6, *places)
    means = x.flatten(2).mean(dim=2)
    scale = layer.expand(functional.elu(layer.reduce(means))).sigmoid()
    expected = x * scale.reshape(3, 6, *[1] * (x.ndim - 2))
    torch.testing.assert_close(layer(x), expected)


def test_conv_norm_elu():
    layer = ConvNormELU(4, 8, (3, 5), stride=2, groups=4).eval()
    x = torch.randn(2, 4, 6, 11)
    out = layer(x)
    assert out.shape == (2, 8, 6, 6)
    expected = functional.elu(layer.norm(layer.conv(x)))
    torch.testing.assert_close(out, expected)
    assert layer.conv.bias is None


def test_inverted_residual_starts_narrow():
    block = InvertedResidual1d(4, 6, 5, expansion=3, se_ratio=2)
    first, depthwise, narrow, squeeze = block.layers
    assert first.conv.weight.shape == (6, 4, 1, 1)
    assert depthwise.conv.weight.shape == (18, 1, 1, 5)
    assert narrow.conv.weight.shape == (6, 18, 1, 1)
    assert (squeeze.reduce.in_features, squeeze.reduce.out_features) == (6, 3)
    inside = InvertedResidual1d(4, 6, 5, expansion=3, se_ratio=2, se_inside=True)
    assert inside.layers[2].reduce.in_features == 18
    assert len(InvertedResidual1d(4, 6, 5, se_ratio=0).layers) == 3


@pytest.mark.parametrize(("in_width", "shortcut"), [(6, nn.Identity), (4, nn.Conv2d)])
def test_inverted_residual_adds_its_input(in_width, shortcut):
    block = InvertedResidual1d(in_width, 6, 5).eval()
    x = torch.randn(2, in_width, 3, 10)
    assert isinstance(block.shortcut, shortcut)
    torch.testing.assert_close(block(x), block.shortcut(x) + block.layers(x))
    bare = InvertedResidual1d(in_width, 6, 5, skip=False).eval()
    torch.testing.assert_close(bare(x), bare.layers(x))
    assert not list(bare.shortcut.parameters())


def test_channel_mixer_sees_neighbouring_rows_at_one_time():
    mixer = ChannelMixer(4, 3, se_ratio=0).eval()
    x = torch.randn(1, 4, 5, 8)
    other = x.clone()
    other[:, :, 0, 2] += 1.0
    changed = (mixer(x) - mixer(other)).abs().amax(dim=1)[0] > 1e-6
    assert changed.nonzero().tolist() == [[0, 2], [1, 2]]


def test_channel_mixer_squeeze():
    squeezes = [
        [type(layer) for layer in ChannelMixer(4, se_inside=inside).layers]
        for inside in (False, True)
    ]
    assert squeezes == [
        [ConvNormELU, ConvNormELU, SqueezeExcite],
        [ConvNormELU, SqueezeExcite, ConvNormELU],
    ]


def test_pool_stage():
    x = torch.randn(2, 4, 3, 11)
    pooled = PoolStage([nn.Identity()], 4, 4, conv_shortcut=False)
    torch.testing.assert_close(pooled(x), 2 * functional.max_pool2d(x, (1, 2)))
    stage = PoolStage([nn.Conv2d(4, 6, 1)], 4, 6)
    expected = functional.max_pool2d(stage.layers(x), (1, 2)) + stage.shortcut(x)
    torch.testing.assert_close(stage(x), expected)
    with pytest.raises(ValueError, match="cannot turn 4 maps into 6"):
        PoolStage([nn.Conv2d(4, 6, 1)], 4, 6, conv_shortcut=False)


def test_row_encoder_widths():
    with pytest.raises(ValueError, match="RowEncoder: 2 kernels need as many widths"):
        RowEncoder(2, (4, 4), (3, 3))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("n_times", [8, 9, 23, 24])
def test_row_encoder_length(stride, n_times):
    encoder = RowEncoder(1, (4, 4), (3,), n_blocks=1, stem_stride=stride).eval()
    out = encoder(torch.randn(1, 1, 2, n_times))
    assert out.shape == (1, 4, 2, encoder.n_steps(n_times))


def test_side_merge_forgets_which_side_is_which():
    merge = SideMerge(3).eval()
    left, right = torch.randn(2, 2, 4, 5, 6)
    out = merge(left, right)
    torch.testing.assert_close(out, merge(right, left))
    assert torch.equal(out[:, :4], torch.minimum(left, right))
    assert torch.equal(out[:, 4:8], torch.maximum(left, right))
    cosine = (left * right).sum(1) / (left.norm(dim=1) * right.norm(dim=1))
    expected = merge.act(merge.norm(merge.conv(cosine[:, None])))
    torch.testing.assert_close(out[:, 8:], expected)
    assert sum(p.numel() for p in merge.parameters()) == 3 + 2 * 3 + 1
