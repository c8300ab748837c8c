import pytest
import torch
from torch import nn

from hmsklearn.nets.layers import (
    WaveNetBlock,
    WaveNetImage,
    WaveNetMaps,
    WaveNetStack,
)


def linspace(first, last, n):
    """As the 15th place counts: a line of floats, cut to whole numbers."""
    return torch.linspace(first, last, n, dtype=torch.float64).long().tolist()


class TestBlock:
    def by_hand(self, block, x, activations):
        """The block, one convolution and one map after the other."""
        conv = nn.functional.conv1d
        first = out = total = conv(x, block.project.weight, block.project.bias)
        for i, (dilated, mix) in enumerate(zip(block.dilated, block.mix, strict=True)):
            d = 2**i
            width = first.shape[1]
            gated = 1.0
            for j, activation in enumerate(activations):
                own = slice(j * width, (j + 1) * width)
                padded = nn.functional.pad(out, (d, d))
                gated = gated * activation(
                    conv(padded, dilated.weight[own], dilated.bias[own], dilation=d)
                )
            out = conv(gated, mix.weight, mix.bias)
            total = total + out
            if block.residual == "input":
                total = out = out + first
            elif block.residual == "chain":
                out = total
        return total

    @pytest.mark.parametrize("residual", ["skip_sum", "input", "chain"])
    def test_equals_the_sum_by_hand(self, residual):
        torch.manual_seed(0)
        x = torch.randn(2, 3, 40)
        block = WaveNetBlock(3, 4, 3, residual=residual, xavier=False)
        torch.testing.assert_close(
            block(x), self.by_hand(block, x, (torch.tanh, torch.sigmoid))
        )
        gate = ("sigmoid", "tanh", "mish")
        block = WaveNetBlock(3, 4, 3, gate=gate, residual=residual)
        mish = nn.functional.mish
        torch.testing.assert_close(
            block(x), self.by_hand(block, x, (torch.sigmoid, torch.tanh, mish))
        )

    def test_dilations_double(self):
        block = WaveNetBlock(1, 2, 5)
        assert [conv.dilation for conv in block.dilated] == [
            (1,),
            (2,),
            (4,),
            (8,),
            (16,),
        ]
        # A pulse reaches as far as the dilations add up to.
        block = WaveNetBlock(1, 1, 3, xavier=False)
        x = torch.zeros(1, 1, 41)
        x[..., 20] = 1
        with torch.no_grad():
            moved = (block(x) - block(torch.zeros_like(x))).abs()[0, 0] > 1e-9
        assert moved.nonzero().flatten().tolist() == list(range(13, 28))

    def test_xavier_bounds_and_zero_biases(self):
        torch.manual_seed(0)
        block = WaveNetBlock(8, 16, 2)
        # Each gate's convolution is drawn as one of its own: 48 in, 48 out.
        bound = 2**0.5 * (6 / (48 + 48)) ** 0.5
        weight = block.dilated[0].weight.abs().max().item()
        assert 0.95 * bound < weight <= bound
        assert all(not p.any() for n, p in block.named_parameters() if "bias" in n)

    def test_windows_shorter_than_the_dilation(self):
        assert WaveNetBlock(1, 2, 6)(torch.randn(1, 1, 3)).isfinite().all()

    @pytest.mark.parametrize(
        ("params", "match"),
        [
            ({"width": 0}, "must be at least 1"),
            ({"n_dilations": 0}, "must be at least 1"),
            ({"kernel_size": 4}, "must be odd"),
            ({"gate": ("tanh", "sigmod")}, "gate="),
            ({"gate": ()}, "gate="),
            ({"residual": "none"}, "residual='none' is not known"),
        ],
    )
    def test_wrong_parameters(self, params, match):
        with pytest.raises(ValueError, match=match):
            WaveNetBlock(**{"in_chans": 1, "width": 2, "n_dilations": 2, **params})


class TestStack:
    def test_published_widths_and_dilations(self):
        stack = WaveNetStack()
        assert [b.project.out_channels for b in stack.blocks] == [8, 16, 32, 64]
        assert [len(b.dilated) for b in stack.blocks] == [12, 8, 4, 1]
        assert [b.project.in_channels for b in stack.blocks] == [1, 8, 16, 32]
        assert stack.out_chans == 64
        assert stack.n_steps(2000) == 2000

    def test_length_with_downsampling(self):
        # 10000 samples of the 5th place: 4999, 2499, 1249, 624.
        stack = WaveNetStack(widths=(2, 2, 2, 2), n_dilations=(1,) * 4, downsample=True)
        assert stack.n_steps(10000) == 624
        least = stack.least_n_times()
        assert stack.n_steps(least) == 1
        assert stack.n_steps(least - 1) == 0
        for n_times in (least, 100):
            out = stack(torch.randn(2, 1, n_times))
            assert out.shape == (2, 2, stack.n_steps(n_times))

    def test_last_stride(self):
        stack = WaveNetStack(widths=(3,), n_dilations=(1,), last_stride=5)
        assert stack(torch.randn(1, 1, 23)).shape == (1, 3, 4)
        assert stack.n_steps(23) == 4
        assert stack.least_n_times(4) == 20

    def test_wrong_parameters(self):
        with pytest.raises(ValueError, match="one number for each block"):
            WaveNetStack(widths=(4, 8), n_dilations=(3,))
        with pytest.raises(ValueError, match="last_stride=0"):
            WaveNetStack(last_stride=0)


class TestMaps:
    small = {"widths": (3, 4), "n_dilations": (2, 1)}

    def test_published_size(self):
        # 4 chains of 64 maps, one below the other.
        maps = WaveNetMaps(16, 10000)
        assert (maps.out_chans, maps.out_size) == (1, (256, 320))
        assert (
            WaveNetMaps(24, 10000, n_steps=256).out_size[0] == 6 * 64
        )  # "double" montage
        assert WaveNetMaps(8, 10000, group_size=2).out_size == (256, 320)
        assert WaveNetMaps(16, 10000, downsample=True).out_size == (256, 320)

    @pytest.mark.parametrize("downsample", [False, True])
    def test_rows_are_the_means_of_chains(self, downsample):
        torch.manual_seed(0)
        layer = WaveNetMaps(6, 50, **self.small, group_size=3, n_steps=5).eval()
        x = torch.randn(2, 6, 50)
        image = layer(x)
        assert image.shape == (2, 1, 8, 5)
        assert layer.out_size == (8, 5)
        alone = [layer.stack(x[:, [i]]).reshape(2, 4, 5, 10).mean(3) for i in range(6)]
        torch.testing.assert_close(image[:, 0, :4], sum(alone[:3]) / 3)
        torch.testing.assert_close(image[:, 0, 4:], sum(alone[3:]) / 3)

    def test_planes(self):
        torch.manual_seed(0)
        stacked = WaveNetMaps(4, 40, **self.small, group_size=2, n_steps=7)
        planes = WaveNetMaps(4, 40, **self.small, group_size=2, n_steps=7, planes=True)
        planes.load_state_dict(stacked.state_dict())
        assert (planes.out_chans, planes.out_size) == (2, (4, 7))
        x = torch.randn(1, 4, 40)
        torch.testing.assert_close(planes(x).reshape(1, 1, 8, 7), stacked(x))

    def test_too_short(self):
        with pytest.raises(ValueError, match=r"n_times=40 .* at least 43 are needed"):
            WaveNetMaps(4, 40, **self.small, n_steps=10, downsample=True)
        assert WaveNetMaps(4, 43, **self.small, n_steps=10, downsample=True)(
            torch.zeros(1, 4, 43)
        ).shape == (1, 1, 4, 10)
        with pytest.raises(ValueError, match="n_steps=0 must be at least 1"):
            WaveNetMaps(4, 40, n_steps=0)

    def test_chains_of_unequal_length(self):
        with pytest.raises(ValueError, match="n_chans=18 is no multiple"):
            WaveNetMaps(18, 100)


class TestImage:
    small = {"width": 6, "n_blocks": 3, "max_dilations": 4, "group_size": 2}

    @pytest.mark.parametrize(("n_blocks", "width"), [(7, 24), (8, 28)])
    def test_published_blocks(self, n_blocks, width):
        image = WaveNetImage(24, 10000, n_blocks=n_blocks, width=width)
        assert len(image.stacks) == 3
        blocks = image.stacks[0].blocks
        chans = linspace(1, width, n_blocks)
        assert [b.project.in_channels for b in blocks] == chans
        assert [b.project.out_channels for b in blocks] == [*chans[1:], width]
        assert [len(b.dilated) for b in blocks] == linspace(15, 1, n_blocks)
        assert image.out_size == (2000, 24 * width)

    def test_published_size(self):
        assert WaveNetImage(24, 10000).out_size == (2000, 576)

    def test_columns(self):
        torch.manual_seed(0)
        layer = WaveNetImage(4, 33, **self.small)
        x = torch.randn(2, 4, 33)
        image = layer(x)
        assert image.shape == (2, 1, 6, 24) == (2, 1, *layer.out_size)
        for channel in range(4):
            maps = layer.stacks[channel // 2](x[:, [channel]])
            own = image[:, 0].transpose(1, 2)
            torch.testing.assert_close(
                own[:, channel * 4 : channel * 4 + 4], maps[:, :4]
            )
            edge = 16 + 2 * channel
            torch.testing.assert_close(own[:, edge : edge + 2], maps[:, 4:])

    @pytest.mark.parametrize("n_last", [0, 6])
    def test_no_edge_or_only_edge(self, n_last):
        torch.manual_seed(0)
        layer = WaveNetImage(2, 20, **self.small, n_last=n_last)
        x = torch.randn(1, 2, 20)
        maps = layer.stacks[0](x.reshape(2, 1, 20))
        torch.testing.assert_close(layer(x)[0, 0].T, maps.flatten(0, 1))

    @pytest.mark.parametrize(
        ("params", "match"),
        [
            ({"n_chans": 5}, "n_chans=5 is no multiple of group_size=2"),
            ({"n_times": 4}, "n_times=4 samples are too short .* at least 5"),
            ({"n_last": 7}, "n_last=7"),
            ({"n_blocks": 0}, "n_blocks=0"),
            ({"last_stride": 0}, "last_stride=0"),
        ],
    )
    def test_wrong_parameters(self, params, match):
        with pytest.raises(ValueError, match=match):
            WaveNetImage(**{"n_chans": 4, "n_times": 100, **self.small, **params})


@pytest.mark.parametrize(
    "make",
    [
        lambda: WaveNetMaps(
            4, 60, widths=(3, 4), n_dilations=(2, 1), n_steps=5, downsample=True
        ),
        lambda: WaveNetImage(4, 60, width=6, n_blocks=3, max_dilations=4, group_size=2),
    ],
)
def test_gradient_checkpointing_changes_nothing(make):
    torch.manual_seed(0)
    plain, saving = make(), make()
    saving.load_state_dict(plain.state_dict())
    saving.set_grad_checkpointing()
    x = torch.randn(2, 4, 60)
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
