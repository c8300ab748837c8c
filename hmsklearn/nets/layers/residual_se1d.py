"""Residual block of two convolutions with squeeze and excitation, one length."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["ResidualSE1d"]


class ResidualSE1d(nn.Module):
    """Convolution, batch norm, ReLU, twice; scaled map by map; added to the input.

    Parameters
    ----------
    width : int
        Number of maps, in and out.
    kernel_size : int, default=4
        Kernel length of both convolutions; an even one reads one sample more after
        than before.
    se_ratio : int, default=4
        What `width` is divided by in the hidden layer of squeeze and excitation.

    Raises
    ------
    ValueError
        If `se_ratio` leaves no hidden layer, or the kernel length is not positive.

    Notes
    -----
    Input and output ``(n, width, n_times)``.

    References
    ----------
    J. Hu and others (2018), Squeeze-and-excitation networks. 5th place, UEMU's 1-D
    net (discussion 492652).

    Examples
    --------
    >>> ResidualSE1d(8)(torch.zeros(2, 8, 50)).shape
    torch.Size([2, 8, 50])
    """

    def __init__(self, width: int, kernel_size: int = 4, se_ratio: int = 4) -> None:
        super().__init__()
        if kernel_size < 1 or se_ratio < 1 or width // se_ratio < 1:
            raise ValueError(
                f"ResidualSE1d: kernel_size={kernel_size} and width={width} divided by "
                f"se_ratio={se_ratio} must be at least 1."
            )
        before = (kernel_size - 1) // 2
        pad = (before, kernel_size - 1 - before)
        self.convs = nn.Sequential(
            *(
                layer
                for _ in range(2)
                for layer in (
                    nn.ConstantPad1d(pad, 0.0),
                    nn.Conv1d(width, width, kernel_size),
                    nn.BatchNorm1d(width),
                    nn.ReLU(),
                )
            )
        )
        self.scale = nn.Sequential(
            nn.Linear(width, width // se_ratio),
            nn.ReLU(),
            nn.Linear(width // se_ratio, width),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block.

        Parameters
        ----------
        x : Tensor of shape (n, width, n_times)
            Maps.

        Returns
        -------
        Tensor of shape (n, width, n_times)
            Maps.
        """
        out = self.convs(x)
        return x + out * self.scale(out.mean(dim=2)).unsqueeze(2)
