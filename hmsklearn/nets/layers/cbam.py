"""Attention to maps, then to places: the convolutional block attention module."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["CBAM"]


class CBAM(nn.Module):
    """Scale maps by what they are, then places by what all maps say there.

    Averages and maxima of the maps go through the same two linear layers without bias;
    the sigmoid of the sum scales the maps. Mean and maximum over the maps go through
    one convolution without bias; its sigmoid scales the places.

    Parameters
    ----------
    width : int
        Number of maps.
    ratio : int, default=4
        Maps per hidden unit.
    kernel_size : int, default=3
        Odd size of the convolution over places.

    Notes
    -----
    Input and output ``(n_windows, width, height, n_times)``.

    References
    ----------
    S. Woo and others (2018), CBAM: convolutional block attention module. Ratio 4 and
    kernel 3: 3rd place of HMS (discussion 492471).

    Examples
    --------
    >>> CBAM(8)(torch.zeros(2, 8, 4, 30)).shape
    torch.Size([2, 8, 4, 30])
    """

    def __init__(self, width: int, ratio: int = 4, kernel_size: int = 3) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"CBAM: kernel_size={kernel_size} must be odd and positive, so that "
                "there is one number for each place."
            )
        if ratio < 1 or width < ratio:
            raise ValueError(
                f"CBAM: {width} maps with ratio={ratio} leave no hidden unit. Give "
                "more maps or a smaller ratio."
            )
        self.reduce = nn.Linear(width, width // ratio, bias=False)
        self.act = nn.ReLU()
        self.expand = nn.Linear(width // ratio, width, bias=False)
        self.places = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scale maps and places.

        Parameters
        ----------
        x : Tensor of shape (n_windows, width, height, n_times)
            Maps.

        Returns
        -------
        Tensor
            Scaled maps of the same shape.
        """
        both = torch.stack([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))])
        scale = self.expand(self.act(self.reduce(both))).sum(dim=0).sigmoid()
        x = x * scale[:, :, None, None]
        both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
        return x * self.places(both).sigmoid()
