import pytest
import torch
from torch import nn

from hmsklearn.nets import EEGNet
from hmsklearn.nets.layers import MaxNormConv2d


def n_params(net):
    return sum(p.numel() for p in net.parameters())


def published_count(C, T, N, F1, D, F2, kernel=64, separable=16):
    """Sum over the table of layers in Lawhern and others (2018), with a dense bias."""
    return (
        kernel * F1
        + 2 * F1
        + C * D * F1
        + 2 * D * F1
        + separable * D * F1
        + F2 * D * F1
        + 2 * F2
        + N * (F2 * (T // 32))
        + N
    )


@pytest.mark.parametrize(
    ("C", "T", "N", "F1", "D", "F2"),
    [
        (64, 128, 2, 8, 2, 16),
        (64, 128, 2, 4, 2, 8),
        (22, 256, 4, 8, 2, 16),
        (18, 1280, 6, 8, 2, 16),
        (18, 1280, 6, 16, 3, 20),
    ],
)
def test_published_number_of_parameters(C, T, N, F1, D, F2):
    net = EEGNet(C, N, T, sfreq=128.0, n_filters=F1, depth=D, n_pointwise=F2)
    assert n_params(net) == published_count(C, T, N, F1, D, F2)
    assert net.num_features == F2 * (T // 32)


def test_eegnet_8_2_of_one_second():
    # 64 channels, 128 samples, two classes, by hand: 512 + 16, 1024 + 32,
    # 256 + 256 + 32, 130.
    assert n_params(EEGNet(64, 2, 128, sfreq=128.0)) == 2258
    assert n_params(EEGNet(64, 2, 128, sfreq=128.0, n_filters=4)) == 1066


@pytest.mark.parametrize(
    ("sfreq", "kernel", "separable"), [(128.0, 64, 16), (200.0, 100, 25), (40.0, 20, 5)]
)
def test_kernels_last_half_a_second(sfreq, kernel, separable):
    net = EEGNet(4, 6, 400, sfreq=sfreq)
    assert net.temporal_spatial[1].kernel_size == (1, kernel)
    assert net.separable[1].kernel_size == (1, separable)


def test_given_kernels():
    net = EEGNet(4, 6, 400, kernel_size=7, separable_kernel=3, pool_size=2)
    assert net.temporal_spatial[1].kernel_size == (1, 7)
    assert net.separable[1].kernel_size == (1, 3)
    assert net.num_features == 16 * 25


@pytest.mark.parametrize("kernel", [1, 6, 7])
def test_convolution_keeps_the_length(kernel):
    net = EEGNet(1, 6, 64, kernel_size=kernel)
    pad, conv = net.temporal_spatial[0], net.temporal_spatial[1]
    x = torch.zeros(1, 1, 1, 64)
    x[..., 30] = 1
    out = conv(pad(x))
    assert out.shape == (1, 8, 1, 64)
    # One sample more after than before where the kernel is even.
    reached = out[0].abs().sum(dim=(0, 1)).nonzero().flatten().tolist()
    first = 30 - (kernel - 1 - (kernel - 1) // 2)
    assert reached == list(range(first, first + kernel))


def test_features_by_hand():
    """Means over time and channels of a net whose filters are ones."""
    net = EEGNet(
        3, 6, 64, kernel_size=1, separable_kernel=1, max_norm=None, drop_rate=0.0
    ).eval()
    for name, p in net.named_parameters():
        if "head" not in name and p.ndim == 4:
            nn.init.ones_(p)
    x = torch.rand(2, 3, 64)  # not negative: ELU changes nothing
    features = net.forward_features(x).reshape(2, 16, 2)
    expected = 16 * x.sum(dim=1).reshape(2, 1, 2, 32).mean(dim=3)
    torch.testing.assert_close(
        features, expected.expand(2, 16, 2), rtol=1e-4, atol=1e-4
    )


def test_spatial_filters_are_bounded():
    torch.manual_seed(0)
    bounded = EEGNet(4, 6, 64).eval()
    free = EEGNet(4, 6, 64, max_norm=None).eval()
    free.load_state_dict(bounded.state_dict())
    x = torch.randn(2, 4, 64)
    with torch.no_grad():
        for net in (bounded, free):
            net.temporal_spatial[3].weight.mul_(100.0)
        norms = bounded.temporal_spatial[3].bounded_weight().flatten(1).norm(dim=1)
        torch.testing.assert_close(norms, torch.ones(16))
        assert not torch.allclose(bounded(x), free(x))
        free.temporal_spatial[3].weight.copy_(
            bounded.temporal_spatial[3].bounded_weight()
        )
        torch.testing.assert_close(bounded(x), free(x))


class TestMaxNormConv:
    def test_short_filters_stay(self):
        torch.manual_seed(0)
        conv = MaxNormConv2d(1, 3, (4, 1), max_norm=50.0)
        assert torch.equal(conv.bounded_weight(), conv.weight)
        plain = nn.Conv2d(1, 3, (4, 1))
        plain.load_state_dict(conv.state_dict())
        x = torch.randn(2, 1, 4, 7)
        torch.testing.assert_close(conv(x), plain(x))

    def test_filter_of_zeros_has_a_gradient(self):
        conv = MaxNormConv2d(1, 2, (3, 1), bias=False)
        nn.init.zeros_(conv.weight)
        conv(torch.ones(1, 1, 3, 5)).sum().backward()
        torch.testing.assert_close(conv.weight.grad, torch.full((2, 1, 3, 1), 5.0))

    @pytest.mark.parametrize("max_norm", [0, -1.0])
    def test_wrong_norm(self, max_norm):
        with pytest.raises(ValueError, match="must be above 0"):
            MaxNormConv2d(1, 2, (3, 1), max_norm=max_norm)


def test_too_short():
    with pytest.raises(ValueError, match=r"n_times=31 .* too short .* at least 32"):
        EEGNet(4, 6, 31)
    net = EEGNet(4, 6, 32).eval()
    assert net.num_features == 16
    assert net(torch.zeros(1, 4, 32)).shape == (1, 6)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"sfreq": 0.0}, "sfreq=0.0 must be above 0"),
        ({"depth": 0}, "depth=0"),
        ({"pool_size": 0}, "pool_size=0"),
        ({"kernel_size": 0}, "kernel_size=0"),
        ({"max_norm": 0.0}, "max_norm=0.0"),
    ],
)
def test_wrong_parameters(params, match):
    with pytest.raises(ValueError, match=match):
        EEGNet(4, 6, 200, **params)
