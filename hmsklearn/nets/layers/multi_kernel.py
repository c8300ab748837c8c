"""Several kernel lengths on the same signal, laid end to end in time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["MultiKernelConv1d"]


class MultiKernelConv1d(nn.Module):
    """Parallel 1-D convolutions, concatenated along time.

    Parameters
    ----------
    n_chans : int
        Number of input channels.
    width : int
        Number of output maps of each convolution.
    kernels : sequence of int
        Kernel lengths.

    Notes
    -----
    No padding and no bias: input of length t gives ``sum(t - k + 1 for k in
    kernels)`` steps of `width` maps. Laying the outputs end to end instead of
    stacking maps lets the following layers share weights over kernel lengths.

    References
    ----------
    Public ResNet1D-GRU notebook of HMS.

    Examples
    --------
    >>> MultiKernelConv1d(2, 4, (3, 5))(torch.zeros(1, 2, 10)).shape
    torch.Size([1, 4, 14])
    """

    def __init__(self, n_chans: int, width: int, kernels: Sequence[int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv1d(n_chans, width, kernel, bias=False) for kernel in kernels
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve windows.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, width, n_steps)
            Maps.
        """
        return torch.cat([conv(x) for conv in self.convs], dim=2)
