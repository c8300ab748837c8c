import pytest
import torch
from onnx_run import run_exported
from torch import nn
from torch.nn import functional

from hmsklearn.nets import MobileNet1D
from hmsklearn.nets.layers import ChannelMixer, InvertedResidual1d

SMALL = {"n_chains": 2, "width": 4, "kernels": (3, 5), "n_blocks": 1}


def test_published_maps_and_features():
    net = MobileNet1D(16, 6, 1920).eval()
    shapes = []
    for stage in [net.encoder.stem, *net.encoder.stages]:
        stage.register_forward_hook(
            lambda module, args, out: shapes.append(tuple(out.shape[1:]))
        )
    with torch.no_grad():
        features = net.forward_features(torch.zeros(1, 16, 1920))
    assert shapes == [
        (64, 4, 1920),
        (96, 4, 960),
        (128, 4, 480),
        (192, 4, 240),
        (256, 4, 120),
        (384, 4, 60),
    ]
    assert features.shape == (1, 384)
    assert net.num_features == 384


def test_published_head():
    net = MobileNet1D(16, 6, 1920)
    hidden, norm, act = net.head.hidden
    assert (hidden.in_features, hidden.out_features) == (384, 384)
    assert isinstance(norm, nn.BatchNorm1d)
    assert isinstance(act, nn.ReLU)
    assert net.head.linear.out_features == 6
    net.reset_head(3)
    assert isinstance(net.head, nn.Linear)


def test_published_blocks():
    net = MobileNet1D(16, 6, 1920)
    assert net.encoder.stem.conv.in_channels == 4
    assert net.encoder.stem.conv.kernel_size == (1, 3)
    for stage, kernel, width in zip(
        net.encoder.stages, (3, 3, 5, 5, 3), (96, 128, 192, 256, 384), strict=True
    ):
        *blocks, mixer = stage.layers
        assert len(blocks) == 3
        for block in blocks:
            _, depthwise, narrow, squeeze = block.layers
            assert depthwise.conv.kernel_size == (1, kernel)
            assert depthwise.conv.groups == width
            assert depthwise.conv.out_channels == 4 * width
            assert isinstance(narrow.act, nn.ELU)
            assert squeeze.reduce.out_features == width // 4
        assert mixer.layers[0].conv.kernel_size == (3, 1)
        assert mixer.layers[0].conv.groups == width
        assert stage.shortcut.kernel_size == stage.shortcut.stride == (1, 2)


def test_chains_become_rows():
    net = MobileNet1D(6, 6, 64, **SMALL)
    kept = []
    net.encoder.register_forward_hook(lambda *args: kept.append(args[1][0]))
    x = torch.randn(2, 6, 64)
    net.forward_maps(x)
    # Chain after chain: channels 0 to 2 are the planes of row 0.
    torch.testing.assert_close(kept[0][:, :, 0], x[:, :3])
    torch.testing.assert_close(kept[0][:, :, 1], x[:, 3:])


def test_rows_meet_in_mixers_and_squeezes_only():
    net = MobileNet1D(4, 6, 64, **SMALL, mixer_kernel=0, se_ratio=0).eval()
    x = torch.randn(1, 4, 64)
    other = x.clone()
    other[:, 2:] += 1.0
    with torch.no_grad():
        a, b = net.forward_maps(x), net.forward_maps(other)
        torch.testing.assert_close(a[:, :, 0], b[:, :, 0])
        assert not torch.allclose(a[:, :, 1], b[:, :, 1])
        mixing = MobileNet1D(4, 6, 64, **SMALL, se_ratio=0).eval()
        a, b = mixing.forward_maps(x), mixing.forward_maps(other)
        assert not torch.allclose(a[:, :, 0], b[:, :, 0])


def test_similarity_of_chains():
    # Six pairs of four chains at 60 steps are 360 features.
    assert MobileNet1D(16, 6, 1920, similarity=True).num_features == 384 + 360
    params = {**SMALL, "n_chains": 3}
    net = MobileNet1D(6, 6, 64, **params, similarity=True).eval()
    x = torch.randn(2, 6, 64)
    maps, features = net.forward_maps(x), net.forward_features(x)
    assert features.shape == (2, net.num_features) == (2, 8 + 3 * 16)
    similar = features[:, 8:].unflatten(1, (3, 16))
    for row, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
        expected = functional.cosine_similarity(maps[:, :, i], maps[:, :, j], dim=1)
        torch.testing.assert_close(similar[:, row], expected)
    assert similar.abs().max() <= 1 + 1e-5


@pytest.mark.parametrize("n_times", [7, 8, 9, 30])
def test_lengths_are_as_computed(n_times):
    for stride in (1, 2):
        net = MobileNet1D(4, 6, n_times, **SMALL, stem_stride=stride).eval()
        maps = net.forward_maps(torch.randn(1, 4, n_times))
        assert maps.shape == (1, 8, 2, net.encoder.n_steps(n_times))


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_too_short(stride):
    needed = 3 * stride + 1
    params = {**SMALL, "stem_stride": stride}
    with pytest.raises(ValueError, match=f"MobileNet1D: .*at least {needed} are"):
        MobileNet1D(4, 6, needed - 1, **params)
    net = MobileNet1D(4, 6, needed, **params).eval()
    assert net(torch.randn(2, 4, needed)).shape == (2, 6)


def test_chains_of_unequal_length():
    with pytest.raises(ValueError, match="n_chans=18 channels cannot be 4 chains"):
        MobileNet1D(18, 6, 1920)


@pytest.mark.parametrize(
    "params",
    [
        {"n_chains": 0},
        {"width": 1},
        {"width": 2},
        {"kernels": ()},
        {"kernels": (3, 4)},
        {"stem_kernel": 2},
        {"mixer_kernel": 2},
        {"n_blocks": 0},
        {"expansion": 0},
        {"se_ratio": -1},
        {"stem_stride": 0},
        {"drop_path": 1.0},
        {"n_chains": 1, "similarity": True},
    ],
)
def test_wrong_parameters(params):
    with pytest.raises(ValueError, match="MobileNet1D: "):
        MobileNet1D(4, 6, 64, **{**SMALL, **params})


def test_drop_path_in_training_alone():
    net = MobileNet1D(4, 6, 64, **SMALL, drop_path=0.5)
    x = torch.randn(4, 4, 64)
    torch.manual_seed(0)
    outs = [net.forward_maps(x) for _ in range(4)]
    assert any(not torch.equal(outs[0], out) for out in outs[1:])
    net.eval()
    torch.testing.assert_close(net.forward_maps(x), net.forward_maps(x))


def test_mixers_are_never_left_out():
    net = MobileNet1D(4, 6, 64, **SMALL, drop_path=0.5)
    parts = dict(net.named_modules())
    rates = {
        name.removesuffix(".drop_path"): part.drop_prob
        for name, part in parts.items()
        if type(part).__name__ == "DropPath"
    }
    kinds = {ChannelMixer: set(), InvertedResidual1d: set()}
    for name, rate in rates.items():
        kinds[type(parts[name])].add(rate)
    assert kinds == {ChannelMixer: {0.0}, InvertedResidual1d: {0.5}}


def test_exported_net_takes_any_number_of_windows():
    net = MobileNet1D(4, 6, 64, **SMALL, similarity=True).eval()
    x = torch.randn(5, 4, 64)
    with torch.no_grad():
        torch.testing.assert_close(run_exported(net, x[:2], x), net(x))
