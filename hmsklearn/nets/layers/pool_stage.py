"""A stage of layers that ends in max-pooling, with a shortcut of half the length."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

__all__ = ["PoolStage"]


class PoolStage(nn.Module):
    """Layers, max-pool 2 in time, and a shortcut from the beginning to the end.

    Parameters
    ----------
    layers : iterable of torch.nn.Module
        What the stage does before pooling; it keeps rows and times.
    in_width, width : int
        Number of maps that come and go.
    conv_shortcut : bool, default=True
        Whether the shortcut is a convolution over two samples with a step of two; a
        max-pool 2 otherwise, for which both widths must be equal.

    Notes
    -----
    Input ``(n_windows, in_width, n_rows, n_times)``, output ``(n_windows, width,
    n_rows, n_times // 2)``.

    References
    ----------
    4th place of HMS (discussion 492240): the convolution in MobileNet1D, the pooling
    in the net of left and right.

    Examples
    --------
    >>> stage = PoolStage([nn.Conv2d(4, 6, 1)], 4, 6)
    >>> stage(torch.zeros(2, 4, 3, 21)).shape
    torch.Size([2, 6, 3, 10])
    """

    def __init__(
        self,
        layers: Iterable[nn.Module],
        in_width: int,
        width: int,
        conv_shortcut: bool = True,
    ) -> None:
        super().__init__()
        if not conv_shortcut and in_width != width:
            raise ValueError(
                f"PoolStage: a pooled shortcut cannot turn {in_width} maps into "
                f"{width}. Keep the width or give conv_shortcut=True."
            )
        self.layers = nn.Sequential(*layers)
        self.pool = nn.MaxPool2d((1, 2))
        self.shortcut: nn.Module = (
            nn.Conv2d(in_width, width, (1, 2), stride=(1, 2))
            if conv_shortcut
            else nn.MaxPool2d((1, 2))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the stage.

        Parameters
        ----------
        x : Tensor of shape (n_windows, in_width, n_rows, n_times)
            Maps.

        Returns
        -------
        Tensor of shape (n_windows, width, n_rows, n_times // 2)
            Maps of half the length.
        """
        return self.shortcut(x) + self.pool(self.layers(x))
