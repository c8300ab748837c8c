import pytest
import torch
from torch import nn

from hmsklearn.nets import (
    MultiKernel2d,
    MultiKernelStem,
    WaveNet2d,
    WaveNetImageNet,
    create_net,
)
from hmsklearn.nets.layers import ResizeMap


@pytest.mark.parametrize(
    ("name", "n_chans", "size", "drawn", "read", "n_features"),
    [
        # 5th place, T.H.: four chains of 64 maps.
        ("wavenet_2d", 16, 10_000, (1, 256, 256), (256, 256), 768),
        # 15th place: 24 differences of 24 maps, five samples into one.
        ("wavenet_image", 24, 10_000, (1, 2000, 576), (2000, 576), 2048),
        # 5th place, UEMU: three halvings of the length.
        ("multi_kernel_2d", 16, 10_000, (1, 256, 1250), (256, 256), 768),
        # "lhwcv": 12 channels of 128 mel bins in three planes.
        ("multi_kernel_stem", 3, (1536, 304), (3, 1536, 304), (1536, 304), 1280),
    ],
)
def test_published_sizes(name, n_chans, size, drawn, read, n_features):
    with torch.device("meta"):
        net = create_net(name, n_chans, 6, size).eval()
        x = torch.zeros(2, n_chans, *net.input_size)
        assert net.draw(x).shape == (2, *drawn)
        assert net(x).shape == (2, 6)
    assert (net.draw.out_chans, *net.draw.out_size) == drawn
    assert net.backbone.input_size == read
    assert net.num_features == n_features


@pytest.mark.parametrize(
    ("backbone", "n_steps"),
    [("maxxvitv2_nano_rw_256", 320), ("tf_efficientnet_b4", 300)],
)
def test_other_backbones_and_widths_of_the_fifth_place(backbone, n_steps):
    with torch.device("meta"):
        net = WaveNet2d(16, 6, 10_000, backbone=backbone, n_steps=n_steps).eval()
        assert net(torch.zeros(1, 16, 10_000)).shape == (1, 6)
    assert net.backbone.input_size == (256, n_steps)


def test_stride_of_the_first_convolution():
    with torch.device("meta"):
        net = WaveNetImageNet(
            24, 6, 10_000, backbone="efficientnetv2_s", stem_stride=(1, 2)
        )
        maps = net.backbone.forward_maps(torch.zeros(1, 1, 2000, 576))
    assert net.backbone.backbone.conv_stem.stride == (1, 2)
    assert maps.shape == (1, 1280, 125, 18)


def test_backbone_reads_what_was_drawn():
    torch.manual_seed(0)
    net = MultiKernel2d(
        4,
        6,
        100,
        backbone="test_efficientnet",
        widths=(8, 16),
        n_blocks=1,
        group_size=2,
        image_size=(32, 48),
    ).eval()
    x = torch.randn(2, 4, 100)
    image = net.resize(net.draw(x))
    assert isinstance(net.resize, ResizeMap)
    assert image.shape == (2, 1, 32, 48)
    torch.testing.assert_close(
        net.forward_features(x), net.backbone.forward_features(image)
    )


def test_image_may_keep_its_size():
    net = MultiKernel2d(
        4,
        6,
        256,
        backbone="test_efficientnet",
        widths=(8, 16),
        n_blocks=1,
        group_size=2,
        image_size=None,
    )
    assert isinstance(net.resize, nn.Identity)
    assert net.backbone.input_size == net.draw.out_size == (32, 64)


def test_chains_as_planes():
    params = {"widths": (4, 32), "n_dilations": (2, 1), "n_steps": 32, "planes": True}
    net = WaveNet2d(8, 6, 100, backbone="test_efficientnet", **params)
    assert net.backbone.n_chans == 2
    assert net(torch.randn(2, 8, 100)).shape == (2, 6)


@pytest.mark.parametrize("drop_rate", [0.0, 0.4])
def test_dropout_and_pooling_reach_the_backbone(drop_rate):
    torch.manual_seed(0)
    net = MultiKernelStem(
        1, 6, (32, 32), backbone="test_efficientnet", pool="avgmax", drop_rate=drop_rate
    )
    assert net.num_features == 512
    net.backbone.eval()
    x = torch.randn(1, 1, 32, 32)
    same = torch.equal(net(x), net(x))
    assert same  # everything that is random sits in the backbone
    net.train()
    net.backbone.backbone.requires_grad_(False)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    assert torch.equal(net(x), net(x)) == (drop_rate == 0.0)


def test_errors_of_the_parts_come_through():
    with pytest.raises(ValueError, match="n_chans=3 is no multiple of group_size=4"):
        WaveNet2d(3, 6, 1000)
    with pytest.raises(ValueError, match="timm has no model 'no_such_net'"):
        MultiKernelStem(3, 6, (64, 64), backbone="no_such_net")
