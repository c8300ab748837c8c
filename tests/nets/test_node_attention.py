import pytest
import torch
from torch import nn

from hmsklearn.nets import NodeAttention
from hmsklearn.nets.layers import NodeAttentionBlock, NodeEncoder, ResidualPool1d

SMALL = {"widths": (4, 6), "kernels": (3,), "hidden_size": 8}


def make(**params):
    torch.manual_seed(0)
    return NodeAttention(5, 6, 40, **SMALL, **params).eval()


def test_published_sizes():
    net = NodeAttention(19, 6, 2500, ekg=True)
    assert net.num_features == 256
    convs = [block.convs[0] for block in net.encoder.blocks]
    assert [net.encoder.stem.out_channels] + [c.out_channels for c in convs] == [
        16,
        24,
        32,
        48,
        64,
        96,
    ]
    assert net.encoder.gru.rnn.hidden_size == 256
    steps = []
    net.encoder.gru.register_forward_pre_hook(
        lambda module, args: steps.append(args[0].shape)
    )
    with torch.no_grad():
        net.encoder.eval()(torch.zeros(1, 1, 2500))
    assert steps == [(1, 96, 79)]


def test_logits_are_divided_by_the_windows_own_temperature():
    net = make()
    x = torch.randn(3, 5, 40)
    features = net.forward_features(x)
    temperature = nn.functional.softplus(net.temperature(features))
    assert temperature.shape == (3, 1)
    assert temperature.std() > 0
    torch.testing.assert_close(net(x), net.head(features) / temperature)


def test_temperature_is_bounded():
    net = make(min_temperature=0.5)
    nn.init.constant_(net.temperature.bias, -50.0)
    features = torch.randn(3, 8)
    torch.testing.assert_close(net.forward_head(features), net.head(features) / 0.5)


def test_reset_head_draws_the_temperature_anew():
    net = make()
    before = net.temperature
    net.reset_head(3)
    assert net.temperature is not before
    assert net(torch.randn(2, 5, 40)).shape == (2, 3)
    net.reset_head(0)
    assert net.temperature is None
    assert net(torch.randn(2, 5, 40)).shape == (2, 8)


def test_parts_that_optimisers_treat_apart():
    net = make()
    names = [name for name, _ in net.named_parameters()]
    assert [name for name in names if name.startswith(net.head_prefixes)] == [
        "head.weight",
        "head.bias",
        "temperature.weight",
        "temperature.bias",
    ]
    block = net.attention[0]
    assert block.no_weight_decay() <= dict(block.named_parameters()).keys()


def test_without_temperature():
    net = make(temperature=False)
    assert net.temperature is None
    features = torch.randn(3, 8)
    assert torch.equal(net.forward_head(features), net.head(features))
    net.reset_head(4)
    assert net.temperature is None


def test_nodes_are_averaged_with_softmax_weights():
    net = make(n_layers=0)
    x = torch.randn(2, 5, 40)
    nodes = torch.stack([net.encoder(x[:, [i]]) for i in range(5)], dim=1)
    scores = net.node_score(nodes).exp()
    expected = (nodes * scores).sum(dim=1) / scores.sum(dim=1)
    torch.testing.assert_close(net.forward_features(x), expected)
    # Without attention no channel knows its place.
    torch.testing.assert_close(net(x[:, [4, 2, 0, 1, 3]]), net(x))


def test_nodes_know_their_places():
    net = make()
    x = torch.randn(2, 5, 40)
    assert not torch.allclose(net(x[:, [4, 2, 0, 1, 3]]), net(x))


def test_ekg_has_its_own_encoder():
    net = make(ekg=True, n_layers=0)
    x = torch.randn(2, 5, 40)
    nodes = [net.encoder(x[:, [i]]) for i in range(4)] + [net.ekg_encoder(x[:, [4]])]
    nodes = torch.stack(nodes, dim=1)
    scores = net.node_score(nodes).exp()
    expected = (nodes * scores).sum(dim=1) / scores.sum(dim=1)
    torch.testing.assert_close(net.forward_features(x), expected)
    net.set_grad_checkpointing()
    assert net.ekg_encoder.grad_checkpointing


@pytest.mark.parametrize("n_times", [1, 2, 33])
def test_windows_of_any_length(n_times):
    net = NodeAttention(3, 6, n_times, **SMALL).eval()
    assert net(torch.randn(2, 3, n_times)).shape == (2, 6)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"n_chans": 1, "ekg": True}, "n_chans=1 channels and leaves none"),
        ({"n_layers": -1}, "n_layers=-1"),
        ({"min_temperature": 0.0}, "min_temperature=0.0"),
        ({"n_heads": 3}, "n_heads=3 must divide width=8"),
        ({"kernels": (3, 3)}, "kernels one fewer"),
        ({"kernels": (4,)}, "kernel_size=4 must be odd"),
    ],
)
def test_wrong_parameters(params, match):
    with pytest.raises(ValueError, match=match):
        NodeAttention(
            **{"n_chans": 4, "n_outputs": 6, "n_times": 40, **SMALL, **params}
        )


def test_attention_equals_torch():
    torch.manual_seed(0)
    block = NodeAttentionBlock(5, 8, n_heads=2)
    reference = nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        reference.in_proj_weight.copy_(block.qkv.weight)
        reference.in_proj_bias.copy_(block.qkv.bias)
        reference.out_proj.weight.copy_(block.mix.weight)
        reference.out_proj.bias.copy_(block.mix.bias)
    x = torch.randn(3, 5, 8)
    placed = block.norm1(block.project(x) + block.places)
    seen = block.norm2(placed + reference(placed, placed, placed)[0])
    torch.testing.assert_close(block(x), seen + block.mlp(seen))


def test_residual_pool_adds_its_paths():
    torch.manual_seed(0)
    block = ResidualPool1d(3, 4).eval()
    x = torch.randn(2, 3, 11)
    total = (block.convs(x) + block.shortcut(x)).relu()
    padded = nn.functional.pad(total, (0, 1), value=-1.0)
    expected = padded.reshape(2, 4, 6, 2).amax(dim=3)
    torch.testing.assert_close(block(x), expected)


def test_encoder_drops_whole_maps():
    torch.manual_seed(0)
    drop = NodeEncoder((4, 6), (3,), 8, drop_rate=0.5).blocks[0].convs[3]
    out = drop(torch.ones(8, 6, 20))
    assert set(out.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(out.amin(dim=2), out.amax(dim=2))
