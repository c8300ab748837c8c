import pytest
import torch

from hmsklearn.nets import ResNet1DGRU


@pytest.mark.parametrize(
    ("n_times", "kernels", "n_features"),
    [
        # The figures of the published notebooks.
        (2000, (3, 5, 7, 9, 11), 304),
        (10000, (3, 5, 7, 9, 11), 448),
        (10000, (3, 5, 7, 9), 424),
        # The 280 features of the 6th place's net.
        (2000, (3, 5, 7, 9), 280),
    ],
)
def test_published_feature_sizes(n_times, kernels, n_features):
    net = ResNet1DGRU(18, 6, n_times, kernels=kernels)
    assert net.num_features == n_features
    assert net.head.in_features == n_features
    assert len(net.blocks) == 9
    assert [conv.kernel_size for conv in net.stem.convs] == [(k,) for k in kernels]


def test_features_have_the_size_that_was_computed():
    net = ResNet1DGRU(3, 6, 2000).eval()
    with torch.no_grad():
        assert net.forward_features(torch.zeros(1, 3, 2000)).shape == (1, 304)


@pytest.mark.parametrize("n_times", [12, 40, 77, 200, 415, 416])
def test_short_windows_get_fewer_blocks(n_times):
    net = ResNet1DGRU(2, 6, n_times, width=4, gru_hidden=4).eval()
    assert len(net.blocks) == 9 if n_times >= 416 else len(net.blocks) < 9
    assert net(torch.randn(2, 2, n_times)).shape == (2, 6)


def test_too_short_for_the_blocks_asked_for():
    with pytest.raises(ValueError, match=r"n_times=200 .* too short .* at least 416"):
        ResNet1DGRU(2, 6, 200, n_blocks=9)
    assert len(ResNet1DGRU(2, 6, 416, n_blocks=9).blocks) == 9


def test_too_short_for_the_kernels():
    with pytest.raises(ValueError, match="too short"):
        ResNet1DGRU(2, 6, 10)


@pytest.mark.parametrize(
    "params",
    [
        {"kernels": ()},
        {"width": 0},
        {"gru_stride": 0},
        {"block_kernel": 4},
    ],
)
def test_wrong_parameters(params):
    with pytest.raises(ValueError, match="ResNet1DGRU: "):
        ResNet1DGRU(2, 6, 500, **params)


def test_without_gru():
    net = ResNet1DGRU(2, 6, 500, width=8, gru_hidden=0)
    assert net.gru is None
    assert net.num_features % 8 == 0
    assert net(torch.randn(2, 2, 500)).shape == (2, 6)


def test_gru_stride_keeps_the_sizes():
    full = ResNet1DGRU(2, 6, 500, gru_hidden=8)
    strided = ResNet1DGRU(2, 6, 500, gru_hidden=8, gru_stride=7)
    assert full.num_features == strided.num_features
    assert strided(torch.randn(2, 2, 500)).shape == (2, 6)
