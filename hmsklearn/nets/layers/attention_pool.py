"""Pooling by weights that the steps give themselves."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["SelfAttentionPool"]


class SelfAttentionPool(nn.Module):
    """Weighted mean over steps; a linear layer and a softmax over time weigh them.

    Parameters
    ----------
    width : int
        Width of a step.

    Notes
    -----
    Input ``(n_windows, n_steps, width)``, output ``(n_windows, width)``.

    References
    ----------
    P. Safari and others (2020), Self-attention encoding and pooling for speaker
    recognition. 6th place of HMS (discussion 492619).

    Examples
    --------
    >>> SelfAttentionPool(8)(torch.zeros(2, 30, 8)).shape
    torch.Size([2, 8])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool steps.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_steps, width)
            Steps.

        Returns
        -------
        Tensor of shape (n_windows, width)
            Their weighted mean.
        """
        return (self.score(x).softmax(dim=1) * x).sum(dim=1)
