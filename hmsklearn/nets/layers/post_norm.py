"""A layer beside a shortcut, normalised after the sum."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["PostNorm"]


class PostNorm(nn.Module):
    """Scale and shift what enters a layer, add it to the shortcut, normalise.

    Parameters
    ----------
    layer : torch.nn.Module
        What stands beside the shortcut.
    width : int
        Width of a step.

    Notes
    -----
    Input and output ``(..., width)``: ``norm(x + layer(scale * x + bias))``. The scale
    and bias of every number are learned, starting at 1 and 0; they do the work of the
    layer norm that Conformer has in front of a layer.

    References
    ----------
    S. Kim and others (2022), Squeezeformer: an efficient transformer for automatic
    speech recognition.

    Examples
    --------
    >>> PostNorm(nn.Linear(8, 8), 8)(torch.zeros(2, 30, 8)).shape
    torch.Size([2, 30, 8])
    """

    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.layer = layer
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the layer beside the shortcut.

        Parameters
        ----------
        x : Tensor of shape (..., width)
            Steps.

        Returns
        -------
        Tensor of shape (..., width)
            Steps.
        """
        return self.norm(x + self.layer(x * self.scale + self.bias))
