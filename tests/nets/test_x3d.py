import pytest
import torch

from hmsklearn.nets import X3D, create_net
from hmsklearn.nets.layers import SqueezeExcite3d, X3DBlock


def n_parameters(net):
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("name", "n", "depths"),
    [
        # The sums of PyTorchVideo's hub models with the 400 classes of Kinetics.
        ("x3d_xs", 3_794_274, [3, 5, 11, 7]),
        ("x3d_s", 3_794_274, [3, 5, 11, 7]),
        ("x3d_m", 3_794_274, [3, 5, 11, 7]),
        ("x3d_l", 6_153_384, [5, 10, 25, 15]),
    ],
)
def test_published_sizes(name, n, depths):
    with torch.device("meta"):
        net = create_net(name, 3, 400, (16, 224, 224))
    assert n_parameters(net) == n
    assert [len(stage) for stage in net.stages] == depths
    assert net.num_features == 2048
    assert [stage[0].widen.out_channels for stage in net.stages] == [54, 108, 216, 432]
    assert [stage[0].squeeze.reduce.out_channels for stage in net.stages] == [
        8,
        8,
        16,
        32,
    ]


def test_every_second_block_squeezes():
    with torch.device("meta"):
        net = create_net("x3d_m", 3, 6, (16, 224, 224))
    for stage in net.stages:
        found = [isinstance(block.squeeze, SqueezeExcite3d) for block in stage]
        assert found == [i % 2 == 0 for i in range(len(stage))]


def test_input_of_the_second_place():
    with torch.device("meta"):
        net = create_net("x3d_l", 3, 6, (32, 61, 201))
        x = torch.zeros(2, 3, 32, 61, 201)
        assert net.forward_maps(x).shape == (2, 432, 32, 2, 7)
        assert net(x).shape == (2, 6)


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 31, 33), (5, 64, 20)])
def test_any_number_of_frames_and_any_crop(size):
    net = X3D(1, 6, size, depth_factor=0.2, width_factor=0.34).eval()
    x = torch.randn(2, 1, *size)
    maps = net.forward_maps(x)
    assert maps.shape[2:] == (size[0], -(-size[1] // 32), -(-size[2] // 32))
    assert net(x).shape == (2, 6)


def test_frames_are_in_order():
    # The average over time forgets the order; the convolutions over it must not.
    torch.manual_seed(0)
    net = X3D(1, 6, (8, 16, 16), depth_factor=0.2, width_factor=0.34).eval()
    x = torch.randn(2, 1, 8, 16, 16)
    assert not torch.allclose(net.forward_features(x), net.forward_features(x.flip(2)))


def test_a_fresh_block_is_its_shortcut():
    block = X3DBlock(8, 8, 16, squeeze_width=8)
    x = torch.randn(2, 8, 3, 5, 5)
    torch.testing.assert_close(block(x), x.relu())


@pytest.mark.parametrize(
    ("in_width", "stride", "convolution", "norm"),
    [(8, 1, False, False), (8, 2, True, False), (4, 1, True, True)],
)
def test_shortcut(in_width, stride, convolution, norm):
    block = X3DBlock(in_width, 8, 16, stride=stride)
    assert isinstance(block.shortcut, torch.nn.Conv3d) == convolution
    assert isinstance(block.shortcut_norm, torch.nn.BatchNorm3d) == norm


def test_squeeze_scales_by_what_the_averages_say():
    torch.manual_seed(0)
    layer = SqueezeExcite3d(6, 3)
    x = torch.randn(2, 6, 3, 4, 5)
    hidden = torch.relu(
        x.mean(dim=(2, 3, 4)) @ layer.reduce.weight.flatten(1).T + layer.reduce.bias
    )
    scale = torch.sigmoid(hidden @ layer.expand.weight.flatten(1).T + layer.expand.bias)
    torch.testing.assert_close(layer(x), x * scale[:, :, None, None, None])


@pytest.mark.parametrize(
    ("size", "params", "message"),
    [
        ((61, 201), {}, "number of frames, height and width"),
        ((4, 16, 16), {"depth_factor": 0}, "depth_factor must be"),
        ((4, 16, 16), {"width_factor": -1.0}, "width_factor must be"),
        ((4, 16, 16), {"bottleneck_factor": 0}, "bottleneck_factor must be"),
        ((4, 16, 16), {"squeeze_factor": -0.1}, "squeeze_factor must be"),
        ((4, 16, 16), {"head_width": 0}, "head_width must be"),
    ],
)
def test_wrong_parameters(size, params, message):
    with pytest.raises(ValueError, match=f"X3D: .*{message}"):
        X3D(1, 6, size, **params)


def test_without_squeezing():
    net = X3D(1, 6, (2, 8, 8), depth_factor=0.2, width_factor=0.34, squeeze_factor=0)
    assert not any(isinstance(m, SqueezeExcite3d) for m in net.modules())
