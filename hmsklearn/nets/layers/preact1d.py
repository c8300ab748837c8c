"""Pre-activation residual block that halves the length by max-pooling."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["PreActPoolBlock1d"]


class PreActPoolBlock1d(nn.Module):
    """Two convolutions, each after batch norm and SiLU; max-pool 2 in both paths.

    Parameters
    ----------
    width : int
        Number of maps, in and out.
    kernel_size : int
        Odd kernel length of both convolutions.
    dropout : float, default=0.0
        Dropout before the second convolution.

    Notes
    -----
    Input ``(n_windows, width, n)``, output ``(n_windows, width, n // 2)``.

    References
    ----------
    K. He and others (2016), Identity mappings in deep residual networks; public
    ResNet1D-GRU notebook of HMS.

    Examples
    --------
    >>> PreActPoolBlock1d(4, 5)(torch.zeros(2, 4, 11)).shape
    torch.Size([2, 4, 5])
    """

    def __init__(self, width: int, kernel_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.norm1 = nn.BatchNorm1d(width)
        self.conv1 = nn.Conv1d(width, width, kernel_size, padding=padding, bias=False)
        self.norm2 = nn.BatchNorm1d(width)
        self.drop = nn.Dropout(dropout)
        self.conv2 = nn.Conv1d(width, width, kernel_size, padding=padding, bias=False)
        self.act = nn.SiLU()
        self.pool = nn.MaxPool1d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block.

        Parameters
        ----------
        x : Tensor of shape (n_windows, width, n)
            Maps.

        Returns
        -------
        Tensor of shape (n_windows, width, n // 2)
            Maps of half the length.
        """
        out = self.conv1(self.act(self.norm1(x)))
        out = self.conv2(self.drop(self.act(self.norm2(out))))
        return self.pool(out) + self.pool(x)
