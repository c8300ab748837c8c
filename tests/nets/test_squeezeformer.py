import pytest
import torch
from onnx_run import run_exported
from torch import nn

from hmsklearn.nets import Squeezeformer, create_net

SMALL = {"width": 8, "n_blocks": 1, "n_heads": 2, "kernel_size": 5}


def test_published_maps():
    net = Squeezeformer(16, 6, 10000).eval()
    x = torch.zeros(1, 1, 16, 10000)
    shapes = []
    with torch.no_grad():
        for block in net.stem:
            x = block(x)
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [
        (64, 16, 1249),
        (128, 16, 624),
        (128, 16, 624),  # attention to maps and places
        (128, 14, 624),
        (128, 14, 312),
    ]


def test_published_tokens_and_numbers():
    net = Squeezeformer(16, 6, 10000).eval()
    kept = []
    net.blocks[0].register_forward_hook(lambda *args: kept.append(args))
    with torch.no_grad():
        x = torch.zeros(1, 16, 10000)
        assert net.forward_tokens(x).shape == (1, 312, 128)
    (_, (tokens,), out) = kept[0]
    assert tokens.shape == out.shape == (1, 312, 128)
    assert net.num_features == net.head.in_features == 128
    assert isinstance(net.head, nn.Linear)
    assert len(net.blocks) == 3
    assert net.gem.p.item() == 3
    assert net.gem.p.requires_grad
    assert net.gem.eps == 1e-6
    assert net.drop.p == 0.1
    attention, forward, conv, again = (part.layer for part in net.blocks[0])
    assert attention.n_heads == 4
    assert attention.dropout == 0.2
    assert [layer.out_features for layer in forward if hasattr(layer, "bias")] == [
        128,
        128,
    ]
    assert forward[2].p == forward[4].p == again[2].p == conv.drop.p == 0.2
    assert conv.widen.out_channels == 256
    assert conv.look.kernel_size == (51,)
    assert conv.look.groups == 128


def test_published_kernels_of_the_stem():
    convs = [
        (m.kernel_size, m.stride, m.groups, m.out_channels)
        for m in Squeezeformer(16, 6, 10000).stem.modules()
        if isinstance(m, nn.Conv2d)
    ]
    assert convs == [
        ((1, 16), (1, 1), 1, 64),
        ((1, 1), (1, 1), 1, 128),
        ((1, 16), (1, 2), 128, 128),
        ((1, 1), (1, 1), 1, 128),
        ((3, 3), (1, 1), 1, 1),
        ((1, 1), (1, 1), 4, 256),
        ((3, 1), (1, 1), 256, 256),
        ((1, 1), (1, 1), 4, 128),
        ((1, 1), (1, 1), 1, 256),
        ((1, 8), (1, 1), 256, 256),
        ((1, 1), (1, 1), 4, 128),
    ]


@pytest.mark.parametrize("n_times", [49, 80, 81, 111, 112, 113, 200, 399])
def test_lengths_are_as_computed(n_times):
    net = Squeezeformer(3, 6, n_times, **SMALL).eval()
    maps = net.forward_maps(torch.randn(1, 3, n_times))
    assert maps.shape == (1, 8, 1, net.stem.n_steps(n_times))


def test_too_short():
    with pytest.raises(ValueError, match=r"n_times=32 .* too short .* at least 33"):
        Squeezeformer(3, 6, 32, **SMALL)
    net = Squeezeformer(3, 6, 33, **SMALL).eval()
    assert net(torch.randn(2, 3, 33)).shape == (2, 6)


def test_generalised_means_share_their_exponent():
    net = Squeezeformer(3, 6, 200, **SMALL)
    net(torch.randn(2, 3, 200)).sum().backward()
    assert [name for name, _ in net.named_parameters() if name.endswith(".p")] == [
        "gem.p"
    ]
    assert net.gem.p.grad.abs().item() > 0
    with torch.no_grad():
        net.eval()
        net.gem.p.fill_(1.0)
        x = torch.randn(2, 3, 200)
        expected = net.forward_tokens(x).clamp(min=1e-6).mean(dim=1)
        torch.testing.assert_close(net.forward_features(x), expected)


def test_sixth_place():
    net = create_net("squeezeformer_196", 16, 6, 400).eval()
    assert isinstance(net, Squeezeformer)
    assert net.num_features == 196
    x = torch.randn(2, 16, 400)
    tokens = net.forward_tokens(x)
    weights = net.attention_pool.score(tokens).softmax(dim=1)
    expected = torch.einsum("nto,ntw->nw", weights, tokens)
    torch.testing.assert_close(net.forward_features(x), expected)


def test_order_of_steps_plays_a_part():
    # Without positions and convolutions a permutation of tokens would change nothing.
    net = Squeezeformer(3, 6, 400, **{**SMALL, "kernel_size": 1}).eval()
    tokens = torch.randn(1, net.stem.n_steps(400), 8)
    with torch.no_grad():
        out, turned = net.blocks[0](tokens), net.blocks[0](tokens.roll(3, dims=1))
    assert not torch.allclose(out.roll(3, dims=1), turned, atol=1e-4)


def test_dropout_of_input_and_blocks():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 200)
    for params in ({"input_dropout": 0.5, "dropout": 0.0}, {"dropout": 0.5}):
        net = Squeezeformer(3, 6, 200, **SMALL, **params)
        assert not torch.equal(net(x), net(x))
        assert torch.equal(net.eval()(x), net(x))


@pytest.mark.parametrize(
    "params",
    [
        {"width": 6, "n_heads": 2},
        {"width": 12, "n_heads": 5},
        {"n_heads": 0},
        {"n_blocks": -1},
        {"ff_expansion": 0},
        {"conv_expansion": 3},
        {"conv_expansion": 0},
        {"kernel_size": 50},
        {"dropout": 1.0},
        {"input_dropout": -0.1},
        {"pool": "mean"},
    ],
)
def test_wrong_parameters(params):
    with pytest.raises(ValueError, match="Squeezeformer: "):
        Squeezeformer(4, 6, 400, **{**SMALL, **params})


def test_too_few_channels():
    with pytest.raises(ValueError, match="n_chans=2 channels are too few"):
        Squeezeformer(2, 6, 400, **SMALL)


def test_bfloat16():
    net = Squeezeformer(4, 6, 400, **SMALL).eval()
    x = torch.randn(2, 4, 400)
    with torch.no_grad():
        expected = net(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = net(x)
    assert torch.isfinite(out).all()
    torch.testing.assert_close(out.float(), expected, atol=0.05, rtol=0.05)


def test_exported_net_takes_any_number_of_windows():
    net = Squeezeformer(4, 6, 200, **SMALL).eval()
    x = torch.randn(5, 4, 200)
    with torch.no_grad():
        torch.testing.assert_close(run_exported(net, x[:2], x), net(x))
