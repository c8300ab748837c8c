import pytest
import torch

from hmsklearn.nets import WaveNet


def test_published_size():
    net = WaveNet(8, 6, 2000)
    assert net.num_features == 4 * 64 == net.head.in_features
    assert [block.project.out_channels for block in net.stack.blocks] == [8, 16, 32, 64]
    assert [len(block.dilated) for block in net.stack.blocks] == [12, 8, 4, 1]
    # A block of width w with n dilations: w * in + w for the first 1x1 convolution;
    # for each dilation two convolutions of length 3 and one of length 1, with biases.
    expected, n_in = 0, 1
    for w, n in zip((8, 16, 32, 64), (12, 8, 4, 1), strict=True):
        expected += w * n_in + w + n * (2 * (3 * w * w + w) + w * w + w)
        n_in = w
    assert sum(p.numel() for p in net.parameters()) == expected + 256 * 6 + 6


def test_features_of_a_region_are_the_mean_over_its_channels():
    torch.manual_seed(0)
    net = WaveNet(6, 6, 40, widths=(3, 4), n_dilations=(2, 1), group_size=3)
    x = torch.randn(2, 6, 40)
    alone = [net.stack(x[:, [i]]).mean(dim=2) for i in range(6)]
    features = net.forward_features(x)
    assert features.shape == (2, 8)
    torch.testing.assert_close(features[:, :4], sum(alone[:3]) / 3)
    torch.testing.assert_close(features[:, 4:], sum(alone[3:]) / 3)


def test_order_matters_between_regions_alone():
    torch.manual_seed(0)
    net = WaveNet(4, 6, 40, widths=(4,), n_dilations=(3,))
    x = torch.randn(2, 4, 40)
    torch.testing.assert_close(net(x[:, [1, 0, 3, 2]]), net(x))
    assert not torch.allclose(net(x[:, [0, 2, 1, 3]]), net(x))


@pytest.mark.parametrize(
    ("params", "n_features"),
    [
        ({"pool": "mean_max"}, 16),
        ({"pool": "attention"}, 8),
        ({"group_size": 1}, 16),
        ({"group_size": 4}, 4),
        ({"residual": "chain", "gate": ("sigmoid", "tanh", "mish")}, 8),
        ({"downsample": True}, 8),
    ],
)
def test_variants(params, n_features):
    torch.manual_seed(0)
    net = WaveNet(4, 6, 40, widths=(3, 4), n_dilations=(2, 1), **params)
    assert net.num_features == n_features
    x = torch.randn(3, 4, 40)
    net(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert net.forward_features(x).shape == (3, n_features)


@pytest.mark.parametrize("n_times", [1, 7, 200])
def test_windows_of_any_length(n_times):
    net = WaveNet(2, 6, n_times, widths=(3, 4), n_dilations=(5, 2))
    assert net(torch.randn(2, 2, n_times)).shape == (2, 6)


def test_too_short_for_downsampling():
    params = {"widths": (3, 4), "n_dilations": (2, 1), "downsample": True}
    with pytest.raises(ValueError, match=r"n_times=6 .* too short .* at least 7 are"):
        WaveNet(2, 6, 6, **params)
    assert WaveNet(2, 6, 7, **params).eval()(torch.zeros(1, 2, 7)).shape == (1, 6)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"group_size": 3}, "n_chans=8 is no multiple of group_size=3"),
        ({"group_size": 0}, "group_size=0"),
        ({"pool": "median"}, "mode='median' is not known"),
        ({"widths": (8,)}, "one number for each block"),
    ],
)
def test_wrong_parameters(params, match):
    with pytest.raises(ValueError, match=match):
        WaveNet(8, 6, 100, **params)
