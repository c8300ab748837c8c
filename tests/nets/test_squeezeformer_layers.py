import pytest
import torch
from torch import nn

from hmsklearn.nets.layers import (
    CBAM,
    ElectrodeStem,
    FeedForward,
    GLUConv1d,
    PostNorm,
    RotaryAttention,
    SelfAttentionPool,
    SqueezeformerBlock,
    rotary_angles,
    rotate,
)


@pytest.mark.parametrize("width", [8, 7])
def test_products_of_rotated_numbers_know_the_distance_alone(width):
    torch.manual_seed(0)
    query, key = torch.randn(2, width)
    cos, sin = rotary_angles(40, width)
    queries = rotate(query.expand(40, width), cos, sin)
    keys = rotate(key.expand(40, width), cos, sin)
    products = queries @ keys.T
    for distance in (0, 3, 17):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along))
    assert (products[0] - products[0, 0]).abs().max() > 0.1
    torch.testing.assert_close(
        queries.norm(dim=1), query.norm().expand(40), msg="lengths stay"
    )


def test_rotary_speeds():
    cos, sin = rotary_angles(3, 4, base=100.0)
    angles = torch.tensor([[0.0, 0.0], [1.0, 0.1], [2.0, 0.2]])
    torch.testing.assert_close(cos, angles.cos())
    torch.testing.assert_close(sin, angles.sin())


def test_odd_head_leaves_its_last_number_alone():
    x = torch.randn(2, 5, 7)
    out = rotate(x, *rotary_angles(5, 7))
    assert torch.equal(out[..., 6], x[..., 6])
    assert not torch.equal(out[:, 1:, 5], x[:, 1:, 5])


def test_attention_is_softmax_of_scaled_products():
    torch.manual_seed(0)
    layer = RotaryAttention(12, 3, 10)
    x = torch.randn(2, 10, 12)
    heads = []
    for i in range(3):
        part = slice(4 * i, 4 * i + 4)
        query = rotate(layer.query(x)[..., part], layer.cos, layer.sin)
        key = rotate(layer.key(x)[..., part], layer.cos, layer.sin)
        weights = (query @ key.transpose(1, 2) / 2).softmax(dim=2)  # sqrt of 4
        heads.append(weights @ layer.value(x)[..., part])
    torch.testing.assert_close(layer(x), layer.out(torch.cat(heads, dim=2)))
    assert all(parameter.ndim == 2 for parameter in layer.parameters())  # no bias


def test_angles_are_no_weights():
    longer = RotaryAttention(8, 2, 20)
    longer.load_state_dict(RotaryAttention(8, 2, 10).state_dict())
    assert longer(torch.randn(1, 20, 8)).shape == (1, 20, 8)


def test_heads_that_do_not_divide_the_width():
    with pytest.raises(ValueError, match="width=8 cannot be shared by n_heads=3"):
        RotaryAttention(8, 3, 10)


def test_post_norm():
    layer = PostNorm(nn.Linear(4, 4), 4)
    x = torch.randn(2, 5, 4)
    plain = layer.norm(x + layer.layer(x))
    torch.testing.assert_close(layer(x), plain)  # starts with scale 1, bias 0
    with torch.no_grad():
        layer.scale.fill_(0.0)
        layer.bias.fill_(2.0)
    constant = layer.layer(torch.full((4,), 2.0))
    torch.testing.assert_close(layer(x), layer.norm(x + constant))


def test_glu_conv_gates_with_the_second_half():
    layer = GLUConv1d(3, 5).eval()
    x = torch.randn(2, 9, 3)
    with torch.no_grad():
        widened = layer.widen(x.transpose(1, 2))
        gated = widened[:, :3] * widened[:, 3:].sigmoid()
        expected = layer.mix(layer.act(layer.norm(layer.look(gated)))).transpose(1, 2)
    torch.testing.assert_close(layer(x), expected)
    assert layer.look.bias is None
    assert layer.mix.bias is not None
    assert GLUConv1d(3, 5, expansion=4)(x).shape == x.shape


@pytest.mark.parametrize("params", [{"kernel_size": 4}, {"expansion": 3}])
def test_glu_conv_wrong_parameters(params):
    with pytest.raises(ValueError, match="GLUConv1d: "):
        GLUConv1d(3, **{"kernel_size": 5, **params})


def test_feed_forward_widths():
    shapes = [m.weight.shape for m in FeedForward(6, 3) if isinstance(m, nn.Linear)]
    assert shapes == [(18, 6), (6, 18)]


def test_block_order():
    layers = [type(part.layer) for part in SqueezeformerBlock(8, 2, 10)]
    assert layers == [RotaryAttention, FeedForward, GLUConv1d, FeedForward]


def test_cbam_scales_maps_then_places():
    layer = CBAM(8, ratio=4, kernel_size=3)
    x = torch.randn(2, 8, 5, 6)
    hidden = [
        layer.expand(layer.reduce(pooled).relu())
        for pooled in (x.mean(dim=(2, 3)), x.amax(dim=(2, 3)))
    ]
    scaled = x * (hidden[0] + hidden[1]).sigmoid()[:, :, None, None]
    planes = torch.stack([scaled.mean(dim=1), scaled.amax(dim=1)], dim=1)
    expected = scaled * layer.places(planes).sigmoid()
    torch.testing.assert_close(layer(x), expected)
    assert layer.reduce.out_features == 2
    assert all(parameter.ndim > 1 for parameter in layer.parameters())  # no bias


@pytest.mark.parametrize("params", [{"kernel_size": 2}, {"ratio": 9}, {"ratio": 0}])
def test_cbam_wrong_parameters(params):
    with pytest.raises(ValueError, match="CBAM: "):
        CBAM(8, **params)


def test_self_attention_pool():
    pool = SelfAttentionPool(4)
    x = torch.randn(2, 7, 4)
    nn.init.zeros_(pool.score.weight)
    torch.testing.assert_close(pool(x), x.mean(dim=1))
    with torch.no_grad():
        pool.score.weight[0, 0] = 1e4  # then the step with the largest first number
    expected = x[torch.arange(2), x[..., 0].argmax(dim=1)]
    torch.testing.assert_close(pool(x), expected)


def test_stem_groups():
    with pytest.raises(ValueError, match="width=6 must be a multiple of 4"):
        ElectrodeStem(6)
    convs = [m for m in ElectrodeStem(8).modules() if isinstance(m, nn.Conv2d)]
    assert all(conv.bias is None for conv in convs)
