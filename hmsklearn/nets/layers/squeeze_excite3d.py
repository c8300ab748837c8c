"""Squeeze and excitation of films."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["SqueezeExcite3d"]


class SqueezeExcite3d(nn.Module):
    """Scale every map by a number that all maps' averages decide together.

    Parameters
    ----------
    width : int
        Number of maps.
    reduced : int
        Width of the hidden layer.

    Notes
    -----
    Input and output ``(n_windows, width, n_frames, height, width)``. The hidden layer
    ends in ReLU and the outer one in a sigmoid, so that a scale lies between 0 and 1.

    References
    ----------
    J. Hu and others (2018), Squeeze-and-excitation networks.

    Examples
    --------
    >>> SqueezeExcite3d(16, 8)(torch.zeros(2, 16, 3, 4, 5)).shape
    torch.Size([2, 16, 3, 4, 5])
    """

    def __init__(self, width: int, reduced: int) -> None:
        super().__init__()
        self.reduce = nn.Conv3d(width, reduced, 1)
        self.act = nn.ReLU()
        self.expand = nn.Conv3d(reduced, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scale maps.

        Parameters
        ----------
        x : Tensor of shape (n_windows, width, n_frames, height, width)
            Maps.

        Returns
        -------
        Tensor
            Scaled maps of the same shape.
        """
        scale = x.mean(dim=(2, 3, 4), keepdim=True)
        return x * self.expand(self.act(self.reduce(scale))).sigmoid()
