"""Squeeze and excitation of signals and of rows of signals."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["SqueezeExcite"]


class SqueezeExcite(nn.Module):
    """Scale every map by a number that all maps' averages decide together.

    Parameters
    ----------
    width : int
        Number of maps.
    reduced : int
        Width of the hidden layer, which ends in ELU.

    Notes
    -----
    Input and output ``(n_windows, width, ...)`` with any number of axes after the
    maps, over all of which the average goes. A scale lies between 0 and 1.

    References
    ----------
    J. Hu and others (2018), Squeeze-and-excitation networks. ELU inside: 4th place of
    HMS (discussion 492240).

    Examples
    --------
    >>> SqueezeExcite(8, 2)(torch.zeros(2, 8, 50)).shape
    torch.Size([2, 8, 50])
    """

    def __init__(self, width: int, reduced: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(width, reduced)
        self.act = nn.ELU()
        self.expand = nn.Linear(reduced, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scale maps.

        Parameters
        ----------
        x : Tensor of shape (n_windows, width, ...)
            Maps.

        Returns
        -------
        Tensor
            Scaled maps of the same shape.
        """
        scale = self.expand(self.act(self.reduce(x.flatten(2).mean(dim=2)))).sigmoid()
        return x * scale[(..., *(None,) * (x.ndim - 2))]
