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


@pytest.mark.parametrize("p", [1.0, 3.0, 8.0, 20.0])
@pytest.mark.parametrize("level", [0.0, 1e-6, 1.0, 1e6, 1e30])
def test_gradients_are_finite_and_right(p, level):
    """Dead maps and those whose powers float32 cannot hold."""
    x = level * torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    pool = GeM(p=p)
    out = pool(x)
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert torch.isfinite(x.grad).all()
    assert torch.isfinite(pool.p.grad).all()
    if level >= 1.0:
        # The mean is homogeneous: the gradient does not know the level.
        scaled = (x.detach() / level).double().requires_grad_()
        powers = scaled.clamp(min=1e-6 / level).pow(p)
        expected = powers.mean(dim=(2, 3)).pow(1 / p)
        expected.sum().backward()
        torch.testing.assert_close(out, (level * expected).float())
        torch.testing.assert_close(x.grad, scaled.grad.float())
    else:
        torch.testing.assert_close(out.detach(), torch.full((2, 3), 1e-6))


def test_the_exponent_learns_from_dead_maps_nothing():
    pool = GeM(p=8.0)
    pool(torch.zeros(2, 3, 4, 4)).sum().backward()
    assert pool.p.grad.item() == pytest.approx(0.0, abs=1e-9)


def test_published_default_is_the_plain_formula():
    x = torch.rand(8, 16, 7, 9, generator=torch.Generator().manual_seed(0)).relu()
    plain = x.clamp(min=1e-6).pow(3.0).mean(dim=(2, 3)).pow(1 / 3.0)
    torch.testing.assert_close(gem(x), plain, rtol=1e-6, atol=0)
    exact = GeM().double()
    assert torch.autograd.gradcheck(
        lambda maps, exponent: gem(maps, exponent),
        (x[:1, :2].double().requires_grad_(), exact.p),
    )


@pytest.mark.parametrize("params", [{"p": 0}, {"eps": 0}, {"dims": ()}])
def test_wrong_parameters(params):
    with pytest.raises(ValueError, match="GeM: "):
        GeM(**params)
