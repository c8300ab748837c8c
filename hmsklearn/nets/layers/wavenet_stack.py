"""WaveNet blocks one after the other, with ways to shorten the signal."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from hmsklearn.nets.layers.checkpointing import checkpoint_sequential
from hmsklearn.nets.layers.wavenet_block import WaveNetBlock

__all__ = ["WaveNetStack"]

_DOWN_KERNEL, _DOWN_STRIDE = 3, 2


class WaveNetStack(nn.Module):
    """Blocks of gated, dilated convolutions on one signal or several maps.

    Parameters
    ----------
    in_chans : int, default=1
        Number of maps that enter.
    widths : sequence of int, default=(8, 16, 32, 64)
        Number of maps of each block.
    n_dilations : sequence of int, default=(12, 8, 4, 1)
        Number of dilations of each block.
    kernel_size : int, default=3
        Odd kernel length of the dilated convolutions.
    gate : sequence of str, default=("tanh", "sigmoid")
        Activations whose product is taken, see :class:`WaveNetBlock`.
    residual : {"skip_sum", "input", "chain"}, default="skip_sum"
        What a block adds, see :class:`WaveNetBlock`.
    xavier : bool, default=True
        How weights are drawn, see :class:`WaveNetBlock`.
    downsample : bool, default=False
        Follow each block by a convolution of length 3 and stride 2 without padding,
        batch norm and SiLU.
    last_stride : int, default=1
        Follow the last block by a convolution of this length and stride.

    Attributes
    ----------
    out_chans : int
        Number of maps that leave.
    grad_checkpointing : bool
        Whether blocks are recomputed in the backward pass; set it as you like.

    Raises
    ------
    ValueError
        If a parameter is not usable.

    Notes
    -----
    Input ``(n, in_chans, n_times)``, output ``(n, out_chans, n_steps(n_times))``.

    References
    ----------
    Public WaveNet notebooks of HMS; 5th place (discussion 492652) for `downsample`;
    15th place for `last_stride`.

    Examples
    --------
    >>> stack = WaveNetStack(widths=(4, 8), n_dilations=(3, 2), downsample=True)
    >>> stack(torch.zeros(2, 1, 50)).shape
    torch.Size([2, 8, 11])
    >>> stack.n_steps(50)
    11
    """

    def __init__(
        self,
        in_chans: int = 1,
        widths: Sequence[int] = (8, 16, 32, 64),
        n_dilations: Sequence[int] = (12, 8, 4, 1),
        kernel_size: int = 3,
        *,
        gate: Sequence[str] = ("tanh", "sigmoid"),
        residual: str = "skip_sum",
        xavier: bool = True,
        downsample: bool = False,
        last_stride: int = 1,
    ) -> None:
        super().__init__()
        widths, n_dilations = tuple(widths), tuple(n_dilations)
        if not widths or len(widths) != len(n_dilations):
            raise ValueError(
                "WaveNetStack: widths and n_dilations must have one number for each "
                f"block, got widths={widths} and n_dilations={n_dilations}."
            )
        if last_stride < 1:
            raise ValueError(
                f"WaveNetStack: last_stride={last_stride} must be at least 1."
            )
        self.out_chans = widths[-1]
        self.downsample = downsample
        self.last_stride = last_stride
        self.grad_checkpointing = False
        self.blocks = nn.ModuleList()
        for width, n in zip(widths, n_dilations, strict=True):
            block: nn.Module = WaveNetBlock(
                in_chans,
                width,
                n,
                kernel_size,
                gate=gate,
                residual=residual,
                xavier=xavier,
            )
            if downsample:
                block = nn.Sequential(
                    block,
                    nn.Conv1d(width, width, _DOWN_KERNEL, stride=_DOWN_STRIDE),
                    nn.BatchNorm1d(width),
                    nn.SiLU(),
                )
            self.blocks.append(block)
            in_chans = width
        self.last = (
            nn.Conv1d(in_chans, in_chans, last_stride, stride=last_stride)
            if last_stride > 1
            else nn.Identity()
        )

    def n_steps(self, n_times: int) -> int:
        """Length of the output.

        Parameters
        ----------
        n_times : int
            Length of the input.

        Returns
        -------
        int
            Number of steps; 0 if the input is too short.
        """
        if self.downsample:
            for _ in self.blocks:
                n_times = max(0, (n_times - _DOWN_KERNEL) // _DOWN_STRIDE + 1)
        return n_times // self.last_stride

    def least_n_times(self, n_steps: int = 1) -> int:
        """Length of input that is needed.

        Parameters
        ----------
        n_steps : int, default=1
            Number of steps that shall come out.

        Returns
        -------
        int
            The shortest input that gives so many.
        """
        n_times = n_steps * self.last_stride
        if self.downsample:
            for _ in self.blocks:
                n_times = (n_times - 1) * _DOWN_STRIDE + _DOWN_KERNEL
        return n_times

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the blocks.

        Parameters
        ----------
        x : Tensor of shape (n, in_chans, n_times)
            Signals.

        Returns
        -------
        Tensor of shape (n, out_chans, n_steps)
            Maps.
        """
        x = checkpoint_sequential(self.blocks, x, enabled=self.grad_checkpointing)
        return self.last(x)
