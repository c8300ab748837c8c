import pytest
import torch
from onnx_run import run_exported
from torch import nn

from hmsklearn.montage import get_montage
from hmsklearn.nets import SymmetricNet
from hmsklearn.nets.layers import ChannelMixer

SMALL = {"width": 8, "kernels": (3, 5), "n_blocks": 1, "similarity_width": 4}


def n_parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_published_count():
    net = SymmetricNet(40, 6, 512)
    assert n_parameters(net.encoder) == 863_504
    assert n_parameters(net) == 873_352


def test_drop_path_is_that_of_the_mixers():
    net = SymmetricNet(8, 6, 64, quality_mask=False, **SMALL, drop_path=0.5)
    rates = {
        name: part.drop_prob
        for name, part in net.named_modules()
        if type(part).__name__ == "DropPath"
    }
    mixers = [
        f"{name}.drop_path"
        for name, part in net.named_modules()
        if isinstance(part, ChannelMixer)
    ]
    assert len(mixers) == 2
    assert all(rates[name] == 0.5 for name in mixers)


def test_published_maps_and_features():
    net = SymmetricNet(40, 6, 512).eval()
    shapes = []
    for stage in [net.encoder.stem, *net.encoder.stages]:
        stage.register_forward_hook(
            lambda module, args, out: shapes.append(tuple(out.shape[1:]))
        )
    with torch.no_grad():
        features = net.forward_features(torch.zeros(1, 40, 512))
    assert shapes == [(64, 10, 512 >> i) for i in range(6)]
    assert features.shape == (1, net.num_features) == (1, 2 * 64 + 64)
    hidden, norm, _ = net.head.hidden
    assert (hidden.in_features, hidden.out_features) == (192, 192 // 4)
    assert isinstance(norm, nn.BatchNorm1d)


@pytest.mark.parametrize("quality_mask", [True, False])
def test_sides_can_be_exchanged(quality_mask):
    torch.manual_seed(0)
    n_chans = 40 if quality_mask else 20
    net = SymmetricNet(n_chans, 6, 64, quality_mask=quality_mask, **SMALL).eval()
    x = torch.randn(3, n_chans, 64)
    swapped = x.unflatten(1, (-1, 2, 10)).flip(2).flatten(1, 3)
    with torch.no_grad():
        torch.testing.assert_close(net(x), net(swapped))
        assert not torch.allclose(net(x), net(x.roll(1, dims=1)), atol=1e-5)


def test_order_is_that_of_the_montage():
    # Exchanging the sides is the mirror image of the head.
    names = list(get_montage("left_right_20").names)
    assert names[:4] == ["Fp1-F7", "F7-T3", "T3-T5", "T5-O1"]
    assert names[10:14] == ["Fp2-F8", "F8-T4", "T4-T6", "T6-O2"]
    net = SymmetricNet(40, 6, 64, **SMALL)
    kept = []
    net.encoder.register_forward_hook(lambda *args: kept.append(args[1][0]))
    x = torch.randn(2, 40, 64)
    assert net.forward_maps(x).shape == (2, 2, 8, 10, 16)
    rows = kept[0].unflatten(0, (2, 2))  # window, side, plane, row, time
    torch.testing.assert_close(rows[:, 0, 0], x[:, :10])
    torch.testing.assert_close(rows[:, 1, 0], x[:, 10:20])
    torch.testing.assert_close(rows[:, 0, 1], x[:, 20:30])
    torch.testing.assert_close(rows[:, 1, 1], x[:, 30:])


def test_quality_plays_a_part():
    net = SymmetricNet(8, 6, 64, **SMALL).eval()
    x = torch.randn(2, 8, 64)
    bad = x.clone()
    bad[:, 4:] = 0.0
    assert not torch.allclose(net(x), net(bad), atol=1e-5)


def test_channels_that_are_no_sides():
    with pytest.raises(ValueError, match=r"n_chans=18 .* with as many qualities"):
        SymmetricNet(18, 6, 64, **SMALL)
    assert SymmetricNet(18, 6, 64, quality_mask=False, **SMALL).n_planes == 1
    with pytest.raises(ValueError, match=r"n_chans=19 .* equal size\. Choose"):
        SymmetricNet(19, 6, 64, quality_mask=False, **SMALL)


def test_too_short():
    with pytest.raises(ValueError, match=r"SymmetricNet: .*at least 4 are needed"):
        SymmetricNet(8, 6, 3, **SMALL)
    net = SymmetricNet(8, 6, 4, **SMALL).eval()
    assert net(torch.randn(2, 8, 4)).shape == (2, 6)


@pytest.mark.parametrize(
    "params",
    [
        {"width": 0},
        {"width": 2},
        {"similarity_width": 0},
        {"bottleneck": 0},
        {"bottleneck": 21},
        {"kernels": (3, 2)},
        {"mixer_kernel": 4},
        {"n_blocks": 0},
    ],
)
def test_wrong_parameters(params):
    with pytest.raises(ValueError, match="SymmetricNet: "):
        SymmetricNet(8, 6, 64, **{**SMALL, **params})


def test_exported_net_takes_any_number_of_windows():
    net = SymmetricNet(8, 6, 64, **SMALL).eval()
    x = torch.randn(5, 8, 64)
    with torch.no_grad():
        torch.testing.assert_close(run_exported(net, x[:2], x), net(x))
