"""The 15th place's image of a window: WaveNet maps side by side, time downwards."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from hmsklearn.nets.layers.wavenet_stack import WaveNetStack

__all__ = ["WaveNetImage"]


class WaveNetImage(nn.Module):
    """One WaveNet for each group of channels; the maps of all channels as columns.

    Parameters
    ----------
    n_chans : int
        Number of channels, group after group.
    n_times : int
        Number of samples in time.
    width : int, default=24
        Number of maps of a channel; the widths of the blocks grow to it from one in
        equal steps, rounded down.
    n_blocks : int, default=7
        Number of blocks.
    max_dilations : int, default=15
        Number of dilations of the first block; it falls to one in equal steps,
        rounded down.
    kernel_size : int, default=3
        Odd kernel length.
    gate : sequence of str, default=("sigmoid", "tanh", "mish")
        Activations whose product is taken.
    residual : {"skip_sum", "input", "chain"}, default="input"
        What a block adds, see :class:`WaveNetBlock`.
    last_stride : int, default=5
        Length and stride of the convolution at the end.
    group_size : int, default=8
        Number of channels that share a WaveNet.
    n_last : int, default=2
        Number of maps of each channel that stand at the right edge, so that those of
        different channels are neighbours.

    Attributes
    ----------
    out_chans : int
        Number of planes of the image: one.
    out_size : tuple of int
        Its height (time) and width (channels and maps).

    Raises
    ------
    ValueError
        If `group_size` does not divide `n_chans`, `n_last` exceeds `width`, the
        windows are too short, or a size is not usable.

    Notes
    -----
    Input ``(n, n_chans, n_times)`` without NaN, output ``(n, 1, n_times //
    last_stride, n_chans * width)``. Columns: the first ``width - n_last`` maps of the
    first channel, of the second, ..., then the last `n_last` maps of the first
    channel, of the second, .... With the default parameters 24 channels of 10000
    samples give an image of 2000 x 576. ``set_grad_checkpointing`` keeps the memory
    of long windows within bounds.

    References
    ----------
    15th place of HMS: 7 blocks to 24 maps or 8 blocks to 28, hgnetv2_b4 or
    efficientnetv2_s behind them.

    Examples
    --------
    >>> image = WaveNetImage(4, 100, width=6, n_blocks=3, max_dilations=4, group_size=2)
    >>> image.out_chans, image.out_size
    (1, (20, 24))
    >>> image(torch.zeros(2, 4, 100)).shape
    torch.Size([2, 1, 20, 24])
    """

    def __init__(
        self,
        n_chans: int,
        n_times: int,
        *,
        width: int = 24,
        n_blocks: int = 7,
        max_dilations: int = 15,
        kernel_size: int = 3,
        gate: Sequence[str] = ("sigmoid", "tanh", "mish"),
        residual: str = "input",
        last_stride: int = 5,
        group_size: int = 8,
        n_last: int = 2,
    ) -> None:
        super().__init__()
        if group_size < 1 or n_chans % group_size:
            raise ValueError(
                f"WaveNetImage: n_chans={n_chans} is no multiple of group_size="
                f"{group_size}. Give groups of equal size."
            )
        if min(width, n_blocks, max_dilations) < 1:
            raise ValueError(
                "WaveNetImage: width, n_blocks and max_dilations must be at least 1, "
                f"got width={width}, n_blocks={n_blocks}, "
                f"max_dilations={max_dilations}."
            )
        if not 0 <= n_last <= width:
            raise ValueError(
                f"WaveNetImage: n_last={n_last} must be at least 0 and at most width="
                f"{width}."
            )
        if n_times < last_stride:
            raise ValueError(
                f"WaveNetImage: windows of n_times={n_times} samples are too short for "
                f"last_stride={last_stride}; at least {last_stride} are needed. Give "
                "longer windows or a smaller stride."
            )
        widths = [*_line(1, width, n_blocks)[1:], width]
        n_dilations = _line(max_dilations, 1, n_blocks)
        self.stacks = nn.ModuleList(
            WaveNetStack(
                1,
                widths,
                n_dilations,
                kernel_size,
                gate=gate,
                residual=residual,
                xavier=False,
                last_stride=last_stride,
            )
            for _ in range(n_chans // group_size)
        )
        self.width, self.n_last = width, n_last
        self.out_chans = 1
        self.out_size = (n_times // last_stride, n_chans * width)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the blocks in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.
        """
        for stack in self.stacks:
            stack.grad_checkpointing = enable  # type: ignore[assignment]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Draw the image of windows.

        Parameters
        ----------
        x : Tensor of shape (n, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n, 1, height, width)
            Images, time on height.
        """
        n, _, n_times = x.shape
        groups = x.chunk(len(self.stacks), dim=1)
        maps = torch.cat(
            [
                stack(group.reshape(-1, 1, n_times)).reshape(
                    n, -1, self.width, self.out_size[0]
                )
                for stack, group in zip(self.stacks, groups, strict=True)
            ],
            dim=1,
        )
        columns = torch.cat(
            [
                maps[:, :, : self.width - self.n_last].flatten(1, 2),
                maps[:, :, self.width - self.n_last :].flatten(1, 2),
            ],
            dim=1,
        )
        return columns.transpose(1, 2).unsqueeze(1)


def _line(first: int, last: int, n: int) -> list[int]:
    """Whole numbers on a line from `first` to `last`, rounded down."""
    steps = max(n - 1, 1)
    return [(first * steps + (last - first) * i) // steps for i in range(n)]
