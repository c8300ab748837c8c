"""Residual block that changes the number of maps and halves the length."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["ResidualPool1d"]


class ResidualPool1d(nn.Module):
    """Two convolutions beside a 1x1 convolution, ReLU, max-pool 2.

    Parameters
    ----------
    in_chans : int
        Number of maps that enter.
    width : int
        Number of maps that leave.
    kernel_size : int, default=3
        Odd kernel length of the two convolutions.
    drop_rate : float, default=0.0
        Dropout of whole maps between them.

    Raises
    ------
    ValueError
        If the kernel length is even.

    Notes
    -----
    Input ``(n, in_chans, n_times)``, output ``(n, width, (n_times + 1) // 2)``: the
    pooling rounds up. Batch norm follows each convolution.

    References
    ----------
    K. He and others (2016), Deep residual learning for image recognition; the
    node-attention model of HMS (discussion 492189).

    Examples
    --------
    >>> ResidualPool1d(4, 6)(torch.zeros(2, 4, 11)).shape
    torch.Size([2, 6, 6])
    """

    def __init__(
        self, in_chans: int, width: int, kernel_size: int = 3, drop_rate: float = 0.0
    ) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"ResidualPool1d: kernel_size={kernel_size} must be odd and positive, "
                "so that the two paths have the same length."
            )
        padding = kernel_size // 2
        self.convs = nn.Sequential(
            nn.Conv1d(in_chans, width, kernel_size, padding=padding, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout1d(drop_rate),
            nn.Conv1d(width, width, kernel_size, padding=padding, bias=False),
            nn.BatchNorm1d(width),
        )
        self.shortcut = nn.Sequential(
            nn.Conv1d(in_chans, width, 1, bias=False), nn.BatchNorm1d(width)
        )
        self.act = nn.ReLU()
        self.pool = nn.MaxPool1d(2, ceil_mode=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block.

        Parameters
        ----------
        x : Tensor of shape (n, in_chans, n_times)
            Maps.

        Returns
        -------
        Tensor of shape (n, width, (n_times + 1) // 2)
            Maps of half the length.
        """
        return self.pool(self.act(self.convs(x) + self.shortcut(x)))
