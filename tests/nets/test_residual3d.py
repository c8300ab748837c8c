import pytest
import torch
from torch import nn

from hmsklearn.nets import Residual3d
from hmsklearn.nets.layers import ResidualConv3d


def test_published_sizes():
    with torch.device("meta"):
        net = Residual3d(1, 6, (4, 384, 384)).eval()
        assert net(torch.zeros(2, 1, 4, 384, 384)).shape == (2, 6)
    assert net.num_features == 1024
    assert len(net.blocks) == 3
    assert net.encoder.backbone.num_features == 512
    assert net.blocks[0].block[0].out_channels == 128
    assert net.head.drop.p == 0.5


def test_features_are_averages_and_maxima():
    torch.manual_seed(0)
    net = Residual3d(
        1, 6, (3, 32, 64), backbone="test_resnet", n_blocks=1, width=8
    ).eval()
    x = torch.randn(2, 1, 3, 32, 64)
    maps = torch.stack(
        [net.encoder.backbone.forward_features(x[:, :, i]) for i in range(3)], dim=2
    )
    maps = net.narrow(net.blocks[0](maps)).flatten(2)
    expected = torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1)
    torch.testing.assert_close(net.forward_features(x), expected)


def test_blocks_look_across_slices():
    torch.manual_seed(0)
    block = ResidualConv3d(4).eval()
    nn.init.ones_(block.block[-1].weight)
    x = torch.randn(1, 4, 3, 2, 2)
    other = x.clone()
    other[:, :, 1] += 1
    assert not torch.allclose(block(x)[:, :, 0], block(other)[:, :, 0])
    assert not torch.allclose(block(x)[:, :, 2], block(other)[:, :, 2])


def test_a_fresh_block_is_its_shortcut():
    block = ResidualConv3d(4).eval()
    x = torch.randn(1, 4, 3, 2, 2)
    torch.testing.assert_close(block(x), nn.functional.gelu(block.shortcut(x)))


@pytest.mark.parametrize(
    ("size", "params", "message"),
    [
        ((32, 32), {}, "number of slices"),
        ((2, 32, 32), {"n_blocks": -1}, "n_blocks must be"),
        ((2, 32, 32), {"width": 0}, "width must be"),
    ],
)
def test_wrong_parameters(size, params, message):
    with pytest.raises(ValueError, match=f"Residual3d: .*{message}"):
        Residual3d(1, 6, size, backbone="test_resnet", **params)
