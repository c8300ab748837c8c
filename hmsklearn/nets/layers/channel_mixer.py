"""Depth-wise separable convolution across channels: where rows meet."""

from __future__ import annotations

import torch
from timm.layers import DropPath
from torch import nn

from hmsklearn.nets.layers.conv_norm_elu import ConvNormELU
from hmsklearn.nets.layers.squeeze_excite import SqueezeExcite

__all__ = ["ChannelMixer"]


class ChannelMixer(nn.Module):
    """Let neighbouring rows look at each other, map by map; then mix maps; add.

    A depth-wise convolution over rows and a 1x1 convolution, each with batch norm and
    ELU, with squeeze and excitation. Rows are chains of electrodes, or pairs of them.

    Parameters
    ----------
    width : int
        Number of maps, in and out.
    kernel_size : int, default=3
        Odd number of rows that a row sees.
    se_ratio : int, default=4
        Maps of squeeze and excitation per hidden unit; 0 leaves it out.
    se_inside : bool, default=False
        Whether squeeze and excitation stand between the two convolutions and not at
        the end.
    drop_path : float, default=0.0
        Probability of leaving out the mixer for a window in training.

    Notes
    -----
    Input and output ``(n_windows, width, n_rows, n_times)``.

    References
    ----------
    4th place of HMS (discussion 492240).

    Examples
    --------
    >>> ChannelMixer(8)(torch.zeros(2, 8, 4, 30)).shape
    torch.Size([2, 8, 4, 30])
    """

    def __init__(
        self,
        width: int,
        kernel_size: int = 3,
        *,
        se_ratio: int = 4,
        se_inside: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            ConvNormELU(width, width, (kernel_size, 1), groups=width),
            ConvNormELU(width, width),
        ]
        if se_ratio:
            squeeze = SqueezeExcite(width, width // se_ratio)
            layers.insert(1 if se_inside else 2, squeeze)
        self.layers = nn.Sequential(*layers)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mix rows.

        Parameters
        ----------
        x : Tensor of shape (n_windows, width, n_rows, n_times)
            Maps.

        Returns
        -------
        Tensor
            Maps of the same shape.
        """
        return x + self.drop_path(self.layers(x))
