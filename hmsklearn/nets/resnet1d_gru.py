"""ResNet1D-GRU: the 1-D net of the competition's public notebooks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import (
    LastStepBiGRU,
    MultiKernelConv1d,
    PreActPoolBlock1d,
    checkpoint_sequential,
)

__all__ = ["ResNet1DGRU"]

_PUBLISHED_BLOCKS = 9
_POOL, _POOL_PADDING = 6, 2


@register_net("resnet1d_gru")
class ResNet1DGRU(BaseNet):
    """Multi-kernel residual 1-D convolutions beside a GRU on the raw signal.

    Parallel convolutions of several lengths are laid end to end in time, followed by
    batch norm, SiLU, a strided convolution, pre-activation residual blocks that halve
    the length, batch norm, SiLU and average pooling; the flattened maps and the last
    step of a bidirectional GRU over the input are the features.

    Parameters
    ----------
    n_chans : int
        Number of channels.
    n_outputs : int
        Number of classes.
    n_times : int
        Number of samples in time.
    width : int, default=24
        Number of maps (the 6th place's copy uses 64).
    kernels : sequence of int, default=(3, 5, 7, 9, 11)
        Lengths of the parallel kernels.
    n_blocks : int, default=None
        Number of residual blocks; each halves the length. None takes the nine of the
        published net, or as many as shorter windows allow.
    block_kernel : int, default=5
        Kernel length of the strided convolution and of the blocks, odd.
    gru_hidden : int, default=128
        Width of each direction of the GRU; 0 leaves the GRU out.
    gru_stride : int, default=1
        Average this many samples into one before the GRU. The published net uses
        one; the GRU is what takes the time on a CPU, so small versions want more.
    dropout : float, default=0.0
        Dropout inside the blocks.

    Attributes
    ----------
    num_features : int
        Width of the features: 304 for 2000 samples and 448 for 10000 with the
        default parameters.

    Raises
    ------
    ValueError
        If the windows are too short for the number of blocks or a parameter is not
        usable.

    Notes
    -----
    Input ``(n_windows, n_chans, n_times)`` without NaN; output logits
    ``(n_windows, n_outputs)``.

    References
    ----------
    Public "ResNet1D-GRU" notebooks of the HMS competition (leaderboard 0.37 to 0.44
    alone); 6th place (discussion 492619) for the wide form.

    Examples
    --------
    >>> net = ResNet1DGRU(n_chans=18, n_outputs=6, n_times=2000)
    >>> net.num_features
    304
    >>> small = ResNet1DGRU(4, 6, 200, width=8, kernels=(3, 7), n_blocks=4,
    ...                     gru_hidden=16, gru_stride=5)
    >>> small(torch.zeros(2, 4, 200)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        n_times: int,
        *,
        width: int = 24,
        kernels: Sequence[int] = (3, 5, 7, 9, 11),
        n_blocks: int | None = None,
        block_kernel: int = 5,
        gru_hidden: int = 128,
        gru_stride: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(n_chans, n_outputs, n_times)
        kernels = tuple(kernels)
        if not kernels or min(kernels) < 1 or width < 1 or gru_stride < 1:
            raise ValueError(
                "ResNet1DGRU: kernels, width and gru_stride must be positive, got "
                f"kernels={kernels}, width={width}, gru_stride={gru_stride}."
            )
        if block_kernel < 1 or block_kernel % 2 == 0:
            raise ValueError(
                f"ResNet1DGRU: block_kernel={block_kernel} must be odd and positive, "
                "so that the two paths of a block have the same length."
            )
        if n_blocks is None:
            n_blocks = _PUBLISHED_BLOCKS
            while n_blocks and _n_steps(n_times, kernels, n_blocks, block_kernel) < 1:
                n_blocks -= 1
        n_steps = _n_steps(n_times, kernels, n_blocks, block_kernel)
        if n_steps < 1:
            needed = n_times
            while _n_steps(needed, kernels, n_blocks, block_kernel) < 1:
                needed += 1
            raise ValueError(
                f"ResNet1DGRU: windows of n_times={n_times} samples are too short for "
                f"kernels={kernels} and n_blocks={n_blocks}; at least {needed} are "
                "needed. Give longer windows, shorter kernels or fewer blocks."
            )
        self.stem = MultiKernelConv1d(n_chans, width, kernels)
        self.norm1 = nn.BatchNorm1d(width)
        self.act = nn.SiLU()
        self.reduce = nn.Conv1d(
            width, width, block_kernel, stride=2, padding=block_kernel // 2, bias=False
        )
        self.blocks = nn.ModuleList(
            PreActPoolBlock1d(width, block_kernel, dropout) for _ in range(n_blocks)
        )
        self.norm2 = nn.BatchNorm1d(width)
        self.pool = nn.AvgPool1d(_POOL, padding=_POOL_PADDING)
        self.gru = (
            LastStepBiGRU(n_chans, gru_hidden, gru_stride) if gru_hidden else None
        )
        self.num_features = n_steps * width + (2 * gru_hidden if gru_hidden else 0)
        self.reset_head(n_outputs)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the residual blocks in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.
        """
        self.grad_checkpointing = enable

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Flattened maps, then the GRU's last step.
        """
        maps = self.reduce(self.act(self.norm1(self.stem(x))))
        maps = checkpoint_sequential(self.blocks, maps, enabled=self.grad_checkpointing)
        maps = self.pool(self.act(self.norm2(maps))).flatten(1)
        return maps if self.gru is None else torch.cat([maps, self.gru(x)], dim=1)


def _n_steps(
    n_times: int, kernels: Sequence[int], n_blocks: int, block_kernel: int
) -> int:
    """Length after the last pooling; less than one if the windows are too short."""
    if n_times < max(kernels):
        return 0
    n = sum(n_times - kernel + 1 for kernel in kernels)
    n = (n + 2 * (block_kernel // 2) - block_kernel) // 2 + 1
    n >>= n_blocks
    if n < 1:
        return 0
    return (n + 2 * _POOL_PADDING - _POOL) // _POOL + 1
