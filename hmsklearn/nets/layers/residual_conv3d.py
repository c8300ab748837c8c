"""Residual block that joins the maps of neighbouring slices."""

from __future__ import annotations

import torch
from torch import nn

from hmsklearn.nets.layers.depthwise_conv3d import DepthwiseConv3d

__all__ = ["ResidualConv3d"]


class ResidualConv3d(nn.Module):
    """Narrow, look around map by map in three dimensions, widen, add.

    A 1x1x1 convolution with batch norm and GELU; a 1x1x1 and a depth-wise 3x3x3
    convolution with batch norm and GELU; a 1x1x1 convolution with batch norm. The
    shortcut is a 1x1x1 convolution with batch norm, the sum goes through GELU.

    Parameters
    ----------
    width : int
        Number of maps, in and out.
    inner_width : int, default=None
        Number of maps inside; a quarter of `width` if None, at least one.

    Notes
    -----
    Input and output ``(n_windows, width, n_slices, height, width)``. The batch norm in
    front of the sum starts at zero, so that a fresh block is its shortcut.

    References
    ----------
    4th place of HMS, tattaka's "2.5D" net (discussion 492240): three such blocks.

    Examples
    --------
    >>> ResidualConv3d(8)(torch.zeros(2, 8, 4, 3, 5)).shape
    torch.Size([2, 8, 4, 3, 5])
    """

    def __init__(self, width: int, inner_width: int | None = None) -> None:
        super().__init__()
        inner = max(width // 4, 1) if inner_width is None else inner_width
        last = nn.BatchNorm3d(width)
        nn.init.zeros_(last.weight)
        self.block = nn.Sequential(
            nn.Conv3d(width, inner, 1, bias=False),
            nn.BatchNorm3d(inner),
            nn.GELU(),
            nn.Conv3d(inner, inner, 1, bias=False),
            DepthwiseConv3d(inner),
            nn.BatchNorm3d(inner),
            nn.GELU(),
            nn.Conv3d(inner, width, 1, bias=False),
            last,
        )
        self.shortcut = nn.Sequential(
            nn.Conv3d(width, width, 1, bias=False), nn.BatchNorm3d(width)
        )
        self.act = nn.GELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block.

        Parameters
        ----------
        x : Tensor of shape (n_windows, width, n_slices, height, width)
            Maps.

        Returns
        -------
        Tensor
            Maps of the same shape.
        """
        return self.act(self.block(x) + self.shortcut(x))
