import pytest
import torch

from hmsklearn.nets.layers import GeM, gem


def test_between_mean_and_maximum():
    x = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) + 0.1
    torch.testing.assert_close(gem(x, p=1.0), x.mean(dim=(2, 3)))
    torch.testing.assert_close(gem(x, p=2.0, dims=(1,)), x.square().mean(dim=1).sqrt())
    torch.testing.assert_close(
        gem(x.double(), p=400.0), x.double().amax(dim=(2, 3)), rtol=0.01, atol=0
    )


def test_negative_values_count_as_the_floor():
    torch.testing.assert_close(
        gem(torch.tensor([[-5.0, -1.0]]), eps=0.25, dims=(-1,)), torch.tensor([0.25])
    )


def test_exponent_learns_or_does_not():
    x = torch.tensor([[[1.0, 2.0], [3.0, 5.0]]])
    learning, fixed = GeM(p=3), GeM(p=3, trainable=False)
    learning(x).sum().backward()
    assert learning.p.grad.item() > 0  # a larger exponent is closer to the maximum
    assert not list(fixed.parameters())
    assert "p" in fixed.state_dict()
    torch.testing.assert_close(learning(x), fixed(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_small_values(dtype):
    x = torch.full((1, 2, 4), 0.001, dtype=dtype)
    out = GeM(dims=(-1,))(x)
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), x[..., 0].float(), rtol=0.01, atol=0)


def test_autocast_does_not_reach_the_powers():
    x = torch.full((1, 2, 4), 0.001)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(GeM(dims=(-1,))(x), x[..., 0])


@pytest.mark.parametrize("params", [{"p": 0}, {"eps": 0}, {"dims": ()}])
def test_wrong_parameters(params):
    with pytest.raises(ValueError, match="GeM: "):
        GeM(**params)
