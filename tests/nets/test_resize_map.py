import pytest
import torch
from torch.nn import functional

from hmsklearn.nets.layers import ResizeMap


@pytest.mark.parametrize(
    ("in_size", "out_size"),
    [((256, 1250), (256, 256)), ((256, 12), (256, 256)), ((7, 9), (3, 20))],
)
def test_equals_bilinear_interpolation(in_size, out_size):
    torch.manual_seed(0)
    x = torch.randn(2, 1, *in_size)
    expected = functional.interpolate(x, size=out_size, mode="bilinear", antialias=True)
    resize = ResizeMap(in_size, out_size)
    torch.testing.assert_close(resize(x), expected, rtol=1e-5, atol=1e-5)
    assert not resize.state_dict()


def test_same_size_changes_nothing():
    x = torch.randn(1, 5, 6)
    torch.testing.assert_close(ResizeMap((5, 6), (5, 6))(x), x)


def test_half_precision():
    x = torch.randn(1, 5, 6).bfloat16()
    assert ResizeMap((5, 6), (4, 4))(x).dtype == torch.bfloat16


@pytest.mark.parametrize("out_size", [(4,), (0, 4)])
def test_wrong_size(out_size):
    with pytest.raises(ValueError, match="ResizeMap: out_size="):
        ResizeMap((5, 6), out_size)
