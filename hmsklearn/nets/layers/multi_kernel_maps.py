"""Several kernel lengths on the same signal, as maps of one length."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["MultiKernelMaps1d"]


class MultiKernelMaps1d(nn.Module):
    """Parallel 1-D convolutions that keep the length, stacked as maps.

    Parameters
    ----------
    n_chans : int
        Number of input channels.
    width : int
        Number of output maps of each convolution.
    kernels : sequence of int
        Odd kernel lengths.

    Attributes
    ----------
    out_chans : int
        Number of maps that leave: ``width * len(kernels)``.

    Raises
    ------
    ValueError
        If a kernel length is even, or there is none.

    Notes
    -----
    Input ``(n, n_chans, n_times)``, output ``(n, out_chans, n_times)``. No bias. The
    counterpart of :class:`MultiKernelConv1d` for nets that go on along time.

    References
    ----------
    11th place of HMS: kernels 1, 3, ..., 29, 35, 63, 127. C. Szegedy and others
    (2015), Going deeper with convolutions, for the idea.

    Examples
    --------
    >>> MultiKernelMaps1d(2, 4, (1, 3, 127))(torch.zeros(1, 2, 10)).shape
    torch.Size([1, 12, 10])
    """

    def __init__(self, n_chans: int, width: int, kernels: Sequence[int]) -> None:
        super().__init__()
        kernels = tuple(kernels)
        if not kernels or any(kernel < 1 or kernel % 2 == 0 for kernel in kernels):
            raise ValueError(
                f"MultiKernelMaps1d: kernels={kernels} must be odd and positive, so "
                "that all maps have the length of the signal."
            )
        self.out_chans = width * len(kernels)
        self.convs = nn.ModuleList(
            nn.Conv1d(n_chans, width, kernel, padding=kernel // 2, bias=False)
            for kernel in kernels
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve windows.

        Parameters
        ----------
        x : Tensor of shape (n, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n, out_chans, n_times)
            Maps, those of the first kernel first.
        """
        return torch.cat([conv(x) for conv in self.convs], dim=1)
