"""Convolution along time or rows, batch norm, ELU."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["ConvNormELU"]


class ConvNormELU(nn.Module):
    """Convolution without bias, batch norm and ELU on rows of signals.

    Parameters
    ----------
    in_width, width : int
        Number of maps that come and go.
    kernel_size : tuple of two int, default=(1, 1)
        Odd lengths over rows and over time.
    stride : int, default=1
        Step in time.
    groups : int, default=1
        Number of groups; `in_width` makes the convolution depth-wise.

    Notes
    -----
    Input ``(n_windows, in_width, n_rows, n_times)``, output of as many rows and of
    ``ceil(n_times / stride)`` steps: both axes are padded with zeros. Two-dimensional
    convolutions with kernels of one row serve all rows at once with shared weights.

    References
    ----------
    4th place of HMS (discussion 492240).

    Examples
    --------
    >>> ConvNormELU(4, 8, (1, 3))(torch.zeros(2, 4, 5, 20)).shape
    torch.Size([2, 8, 5, 20])
    """

    def __init__(
        self,
        in_width: int,
        width: int,
        kernel_size: tuple[int, int] = (1, 1),
        *,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_width,
            width,
            kernel_size,
            stride=(1, stride),
            padding=(kernel_size[0] // 2, kernel_size[1] // 2),
            groups=groups,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve, normalise, activate.

        Parameters
        ----------
        x : Tensor of shape (n_windows, in_width, n_rows, n_times)
            Maps.

        Returns
        -------
        Tensor of shape (n_windows, width, n_rows, n_steps)
            Maps.
        """
        return self.act(self.norm(self.conv(x)))
