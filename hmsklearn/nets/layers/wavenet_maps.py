"""The 5th place's image of a window: WaveNet maps of the chains, one above another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from hmsklearn.nets.layers.mean_steps import MeanSteps
from hmsklearn.nets.layers.wavenet_stack import WaveNetStack

__all__ = ["WaveNetMaps"]


class WaveNetMaps(nn.Module):
    """One WaveNet on every channel, averaged in time and over the channels of a chain.

    Parameters
    ----------
    n_chans : int
        Number of channels, chain after chain.
    n_times : int
        Number of samples in time.
    widths : sequence of int, default=(8, 16, 32, 64)
        Number of maps of each block.
    n_dilations : sequence of int, default=(12, 8, 4, 1)
        Number of dilations of each block.
    kernel_size : int, default=3
        Odd kernel length.
    group_size : int, default=4
        Number of channels of a chain, whose maps are averaged; 1 keeps them apart.
    n_steps : int, default=320
        Width of the image: average so many equal stretches of time.
    downsample : bool, default=False
        Follow each block by a strided convolution, batch norm and SiLU.
    gate : sequence of str, default=("tanh", "sigmoid")
        Activations whose product is taken.
    residual : {"skip_sum", "input", "chain"}, default="skip_sum"
        What a block adds, see :class:`WaveNetBlock`.
    planes : bool, default=False
        Whether chains become planes of the image, instead of lying one below the
        other in one plane.

    Attributes
    ----------
    out_chans : int
        Number of planes of the image.
    out_size : tuple of int
        Its height and width.

    Raises
    ------
    ValueError
        If `group_size` does not divide `n_chans` or the windows are too short for
        `n_steps`.

    Notes
    -----
    Input ``(n, n_chans, n_times)`` without NaN, output ``(n, out_chans, *out_size)``.
    Row ``group * width + map`` of the one plane holds a chain's map, the first chain
    on top. The weights are shared by all channels, so that the time and memory of a
    batch are those of ``n * n_chans`` signals; ``set_grad_checkpointing`` trades one
    for the other.

    References
    ----------
    5th place, "WaveNet-2D" of T.H. (discussion 492652): 16 differences of length
    10000, n_steps of 256 to 320, maxxvitv2_nano_rw_256 behind it.

    Examples
    --------
    >>> maps = WaveNetMaps(16, 2000, widths=(4, 8), n_dilations=(3, 1), n_steps=256)
    >>> maps.out_chans, maps.out_size
    (1, (32, 256))
    >>> maps(torch.zeros(2, 16, 2000)).shape
    torch.Size([2, 1, 32, 256])
    """

    def __init__(
        self,
        n_chans: int,
        n_times: int,
        *,
        widths: Sequence[int] = (8, 16, 32, 64),
        n_dilations: Sequence[int] = (12, 8, 4, 1),
        kernel_size: int = 3,
        group_size: int = 4,
        n_steps: int = 320,
        downsample: bool = False,
        gate: Sequence[str] = ("tanh", "sigmoid"),
        residual: str = "skip_sum",
        planes: bool = False,
    ) -> None:
        super().__init__()
        if group_size < 1 or n_chans % group_size:
            raise ValueError(
                f"WaveNetMaps: n_chans={n_chans} is no multiple of group_size="
                f"{group_size}. Give chains of equal length, or group_size=1."
            )
        if n_steps < 1:
            raise ValueError(f"WaveNetMaps: n_steps={n_steps} must be at least 1.")
        self.stack = WaveNetStack(
            1,
            widths,
            n_dilations,
            kernel_size,
            gate=gate,
            residual=residual,
            downsample=downsample,
        )
        if self.stack.n_steps(n_times) < n_steps:
            raise ValueError(
                f"WaveNetMaps: windows of n_times={n_times} samples are too short for "
                f"n_steps={n_steps}; at least {self.stack.least_n_times(n_steps)} are "
                "needed. Give longer windows, fewer steps or no downsampling."
            )
        self.group_size = group_size
        self.n_groups = n_chans // group_size
        self.pool = MeanSteps(self.stack.n_steps(n_times), n_steps)
        width = self.stack.out_chans
        self.out_chans = self.n_groups if planes else 1
        self.out_size = (width if planes else self.n_groups * width, n_steps)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the blocks in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.
        """
        self.stack.grad_checkpointing = enable

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Draw the image of windows.

        Parameters
        ----------
        x : Tensor of shape (n, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n, out_chans, height, width)
            Images.
        """
        n, n_chans, n_times = x.shape
        maps = self.pool(self.stack(x.reshape(n * n_chans, 1, n_times)))
        maps = maps.reshape(n, self.n_groups, self.group_size, *maps.shape[1:])
        return maps.mean(dim=2).reshape(n, self.out_chans, *self.out_size)
