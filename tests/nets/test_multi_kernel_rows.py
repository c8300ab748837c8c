import pytest
import torch
from torch import nn
from torch.nn import functional

from hmsklearn.nets.layers import MultiKernelRows


def in_long(layer, x, tile_height):
    """One convolution for each kernel, then the one that joins their maps."""
    n_planes, height = x.shape[1:3]
    planes = []
    for plane in range(n_planes):
        tiles = []
        for top in range(0, height, tile_height):
            tile = x[:, plane : plane + 1, top : top + tile_height]
            maps = []
            for conv in layer.convs:
                own = slice(plane * layer.n_maps, (plane + 1) * layer.n_maps)
                maps.append(
                    functional.conv2d(
                        tile, conv.weight[own], conv.bias[own], padding="same"
                    )
                )
            join = layer.join.weight[plane : plane + 1]
            tiles.append(
                functional.conv2d(
                    torch.cat(maps, dim=1), join, layer.join.bias[plane : plane + 1]
                )
            )
        planes.append(torch.cat(tiles, dim=2))
    return torch.cat(planes, dim=1)


@pytest.mark.parametrize("tile_height", [4, 12, None])
def test_one_kernel_equals_all_of_them(tile_height):
    torch.manual_seed(0)
    layer = MultiKernelRows(3, (12, 30), tile_height=tile_height).double()
    x = torch.randn(2, 3, 12, 30, dtype=torch.float64)
    expected = in_long(layer, x, tile_height or 12)
    torch.testing.assert_close(layer(x), expected)
    parameters = list(layer.parameters())
    target = torch.randn_like(expected)
    ours = torch.autograd.grad((layer(x) * target).sum(), parameters)
    theirs = torch.autograd.grad((expected * target).sum(), parameters)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_published_kernels():
    layer = MultiKernelRows(3, (1536, 304), tile_height=128)
    assert [conv.kernel_size for conv in layer.convs] == [
        (3, k) for k in (1, 3, 5, 7, 9, 11)
    ]
    one_plane = 8 * 3 * (1 + 3 + 5 + 7 + 9 + 11) + 6 * 8 + 6 * 8 + 1
    assert sum(p.numel() for p in layer.parameters()) == 3 * one_plane
    assert layer.out_size == (1536, 304)
    # As of independent convolutions: uniform within one over the root of the inputs.
    assert layer.convs[5].weight.abs().max() <= 33**-0.5
    assert layer.join.weight.abs().max() <= 48**-0.5


def test_tiles_do_not_see_each_other():
    torch.manual_seed(0)
    layer = MultiKernelRows(1, (8, 20), tile_height=4)
    x = torch.randn(1, 1, 8, 20)
    other = x.clone()
    other[:, :, 4:] += 1
    assert torch.equal(layer(x)[:, :, :4], layer(other)[:, :, :4])
    assert not torch.allclose(layer(x)[:, :, 4:], layer(other)[:, :, 4:])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"kernels": ()}, "must be odd"),
        ({"kernels": (1, 4)}, "must be odd"),
        ({"row_kernel": 2}, "must be odd"),
        ({"n_maps": 0}, "n_maps=0 must be"),
        ({"tile_height": 5}, "no multiple of tile_height=5"),
        ({"tile_height": 0}, "no multiple of tile_height=0"),
    ],
)
def test_wrong_parameters(params, message):
    with pytest.raises(ValueError, match=f"MultiKernelRows: .*{message}"):
        MultiKernelRows(1, (8, 20), **params)


def test_is_a_module_of_convolutions():
    # Optimizers and weight decay find ordinary layers.
    layer = MultiKernelRows(2, (8, 20))
    assert all(isinstance(part, nn.Conv2d) for part in (*layer.convs, layer.join))
