import pytest
import torch
from torch import nn

from hmsklearn.nets.layers import MultiKernelSE, ResidualSE1d

SMALL = {"kernels": (3, 5), "kernel_maps": 2, "widths": (4, 8), "n_blocks": 1}


def test_published_sizes():
    maps = MultiKernelSE(16, 10000)
    assert (maps.out_chans, maps.out_size) == (1, (256, 1250))
    assert [branch[0].kernel_size[0] for branch in maps.branches] == [5, 9, 13, 19]
    assert [branch[0].out_channels for branch in maps.branches] == [4] * 4
    assert [stage[0].out_channels for stage in maps.stages] == [32, 64, 64]
    assert [stage[0].stride for stage in maps.stages] == [(2,)] * 3
    for part in (*maps.branches, *maps.stages):
        assert [isinstance(layer, ResidualSE1d) for layer in part] == (
            [False] * 3 + [True] * 3
        )


@pytest.mark.parametrize("n_times", [1, 40, 43])
def test_rows_are_the_means_of_chains(n_times):
    torch.manual_seed(0)
    layer = MultiKernelSE(6, n_times, **SMALL, group_size=3).eval()
    x = torch.randn(2, 6, n_times)
    image = layer(x)
    assert image.shape == (2, 1, *layer.out_size)
    alone = []
    for i in range(6):
        maps = torch.cat([branch(x[:, [i]]) for branch in layer.branches], dim=1)
        for stage in layer.stages:
            maps = stage(maps)
        alone.append(maps)
    torch.testing.assert_close(image[:, 0, :8], sum(alone[:3]) / 3)
    torch.testing.assert_close(image[:, 0, 8:], sum(alone[3:]) / 3)


def test_planes():
    torch.manual_seed(0)
    stacked = MultiKernelSE(4, 40, **SMALL, group_size=2).eval()
    planes = MultiKernelSE(4, 40, **SMALL, group_size=2, planes=True).eval()
    planes.load_state_dict(stacked.state_dict())
    assert (planes.out_chans, planes.out_size) == (2, (8, 10))
    x = torch.randn(1, 4, 40)
    torch.testing.assert_close(planes(x).reshape(1, 1, 16, 10), stacked(x))


def test_gradient_checkpointing_changes_nothing():
    torch.manual_seed(0)
    plain = MultiKernelSE(4, 40, **SMALL)
    saving = MultiKernelSE(4, 40, **SMALL)
    saving.load_state_dict(plain.state_dict())
    saving.set_grad_checkpointing()
    x = torch.randn(2, 4, 40)
    for layer in (plain, saving):
        layer(x).square().sum().backward()
    for (key, a), (_, b) in zip(
        plain.named_parameters(), saving.named_parameters(), strict=True
    ):
        torch.testing.assert_close(a.grad, b.grad, msg=key)
    for (key, a), (_, b) in zip(
        plain.named_buffers(), saving.named_buffers(), strict=True
    ):
        assert torch.equal(a, b), key


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"n_chans": 5}, "n_chans=5 is no multiple of group_size=4"),
        ({"kernels": (4,)}, "kernels=\\(4,\\) must be odd"),
        ({"widths": ()}, "widths=\\(\\)"),
        ({"n_times": 0}, "n_times=0"),
        ({"se_ratio": 9}, "se_ratio=9"),
    ],
)
def test_wrong_parameters(params, match):
    with pytest.raises(ValueError, match=match):
        MultiKernelSE(**{"n_chans": 4, "n_times": 40, **SMALL, **params})


class TestResidualSE:
    @pytest.mark.parametrize("kernel_size", [1, 3, 4])
    def test_adds_the_scaled_convolutions(self, kernel_size):
        torch.manual_seed(0)
        block = ResidualSE1d(8, kernel_size, se_ratio=4).eval()
        x = torch.randn(2, 8, 11)
        out = x
        before = (kernel_size - 1) // 2
        for i in (1, 5):
            padded = nn.functional.pad(out, (before, kernel_size - 1 - before))
            out = block.convs[i + 1](block.convs[i](padded)).relu()
        reduced = block.scale[0](out.mean(dim=2)).relu()
        assert reduced.shape == (2, 2)
        scale = block.scale[2](reduced).sigmoid()
        torch.testing.assert_close(block(x), x + out * scale[:, :, None])

    def test_ratio_beyond_the_width(self):
        with pytest.raises(ValueError, match="se_ratio=16"):
            ResidualSE1d(8, se_ratio=16)
