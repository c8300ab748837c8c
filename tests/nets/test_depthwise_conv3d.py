import pytest
import torch
from torch import nn

from hmsklearn.nets.layers import DepthwiseConv3d


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("n_frames", [1, 2, 5])
def test_equals_torch_with_its_gradients(stride, n_frames):
    torch.manual_seed(0)
    ours = DepthwiseConv3d(4, stride).double()
    plain = nn.Conv3d(
        4, 4, 3, stride=(1, stride, stride), padding=1, groups=4, bias=False
    ).double()
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, 4, n_frames, 7, 6, dtype=torch.float64, requires_grad=True)
    expected = plain(x)
    torch.testing.assert_close(ours(x), expected)
    target = torch.randn_like(expected)
    results = [
        torch.autograd.grad((net(x) * target).sum(), [x, net.weight])
        for net in (ours, plain)
    ]
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)
    with torch.no_grad():
        assert torch.equal(ours(x), plain(x))


def test_takes_films_in_any_memory_format():
    torch.manual_seed(0)
    layer = DepthwiseConv3d(4)
    x = torch.randn(2, 4, 3, 5, 6)
    turned = x.contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(layer(turned), layer(x))
