"""Two linear layers with SiLU between them."""

from __future__ import annotations

from torch import nn

__all__ = ["FeedForward"]


class FeedForward(nn.Sequential):
    """Linear layer, SiLU, dropout, linear layer, dropout.

    Parameters
    ----------
    width : int
        Width that comes and goes.
    expansion : int, default=4
        The hidden layer is this many times as wide.
    dropout : float, default=0.0
        Dropout after either layer.

    Notes
    -----
    Input and output ``(..., width)``.

    References
    ----------
    A. Gulati and others (2020), Conformer. Expansion 1: 3rd place of HMS (discussion
    492471).

    Examples
    --------
    >>> import torch
    >>> FeedForward(8, 1)(torch.zeros(2, 30, 8)).shape
    torch.Size([2, 30, 8])
    """

    def __init__(self, width: int, expansion: int = 4, dropout: float = 0.0) -> None:
        super().__init__(
            nn.Linear(width, width * expansion),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(width * expansion, width),
            nn.Dropout(dropout),
        )
