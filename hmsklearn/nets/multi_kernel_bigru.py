"""Convolutions of many kernel lengths, residual blocks, then a GRU over time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import (
    MultiKernelMaps1d,
    PreActPoolBlock1d,
    RecurrentPool,
    checkpoint_sequential,
)

__all__ = ["MultiKernelBiGRU"]


@register_net("multi_kernel_bigru")
class MultiKernelBiGRU(BaseNet):
    """Multi-kernel and residual convolutions in front of a bidirectional GRU.

    Parallel convolutions that keep the length are stacked as maps, followed by batch
    norm, SiLU, a convolution of stride 2, pre-activation residual blocks that halve
    the length, batch norm and SiLU. A bidirectional GRU reads the maps step by step.

    Parameters
    ----------
    n_chans : int
        Number of channels.
    n_outputs : int
        Number of classes.
    n_times : int
        Number of samples in time.
    kernels : sequence of int, default=(3, 5, 7, 9, 11)
        Odd lengths of the parallel kernels. The 11th place used 1, 3, ..., 29, 35,
        63, 127, which is ``(*range(1, 30, 2), 35, 63, 127)``.
    kernel_maps : int, default=24
        Number of maps of each kernel length.
    width : int, default=64
        Number of maps from the strided convolution on.
    n_blocks : int, default=5
        Number of residual blocks; each halves the length.
    block_kernel : int, default=5
        Odd kernel length of the strided convolution and of the blocks.
    gru_hidden : int, default=128
        Width of each direction of the GRU.
    gru_layers : int, default=1
        Number of its layers.
    pool : {"final", "last", "mean", "max", "mean_max", "attention"}, default="mean"
        What becomes of its steps, see :class:`hmsklearn.nets.layers.RecurrentPool`.
    dropout : float, default=0.0
        Dropout inside the blocks.

    Attributes
    ----------
    num_features : int
        ``2 * gru_hidden``; twice that for ``pool="mean_max"``.

    Raises
    ------
    ValueError
        If the windows are too short for the number of blocks or a parameter is not
        usable.

    Notes
    -----
    Input ``(n_windows, n_chans, n_times)`` without NaN; output logits ``(n_windows,
    n_outputs)``. Unlike :class:`ResNet1DGRU`, where the GRU reads the raw signal
    beside the convolutions, it reads here what they found: 156 steps of a window of
    10000 samples, 31 of 2000.

    References
    ----------
    11th place of HMS (the kernels); public 1-D convolution and GRU nets of HMS.

    Examples
    --------
    >>> net = MultiKernelBiGRU(4, 6, 200, kernels=(3, 7), kernel_maps=4, width=8,
    ...                        n_blocks=3, gru_hidden=16)
    >>> net.num_features
    32
    >>> net(torch.zeros(2, 4, 200)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        n_times: int,
        *,
        kernels: Sequence[int] = (3, 5, 7, 9, 11),
        kernel_maps: int = 24,
        width: int = 64,
        n_blocks: int = 5,
        block_kernel: int = 5,
        gru_hidden: int = 128,
        gru_layers: int = 1,
        pool: str = "mean",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(n_chans, n_outputs, n_times)
        if min(kernel_maps, width) < 1 or n_blocks < 0:
            raise ValueError(
                "MultiKernelBiGRU: kernel_maps and width must be at least 1 and "
                f"n_blocks at least 0, got kernel_maps={kernel_maps}, width={width}, "
                f"n_blocks={n_blocks}."
            )
        if block_kernel < 1 or block_kernel % 2 == 0:
            raise ValueError(
                f"MultiKernelBiGRU: block_kernel={block_kernel} must be odd and "
                "positive, so that the two paths of a block have the same length."
            )
        # The strided convolution rounds up, the blocks round down.
        if (n_times + 1) // 2 >> n_blocks < 1:
            raise ValueError(
                f"MultiKernelBiGRU: windows of n_times={n_times} samples are too short "
                f"for n_blocks={n_blocks}; at least {2 ** (n_blocks + 1) - 1} are "
                "needed. Give longer windows or fewer blocks."
            )
        self.stem = MultiKernelMaps1d(n_chans, kernel_maps, kernels)
        self.norm1 = nn.BatchNorm1d(self.stem.out_chans)
        self.act = nn.SiLU()
        self.reduce = nn.Conv1d(
            self.stem.out_chans,
            width,
            block_kernel,
            stride=2,
            padding=block_kernel // 2,
            bias=False,
        )
        self.blocks = nn.ModuleList(
            PreActPoolBlock1d(width, block_kernel, dropout) for _ in range(n_blocks)
        )
        self.norm2 = nn.BatchNorm1d(width)
        self.gru = RecurrentPool(width, gru_hidden, n_layers=gru_layers, pool=pool)
        self.num_features = self.gru.num_features
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
            Pooled steps of the GRU.
        """
        maps = self.reduce(self.act(self.norm1(self.stem(x))))
        maps = checkpoint_sequential(self.blocks, maps, enabled=self.grad_checkpointing)
        return self.gru(self.act(self.norm2(maps)))
