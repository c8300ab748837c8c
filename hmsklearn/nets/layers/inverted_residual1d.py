"""Inverted residual block on rows of signals, widened by its depth-wise convolution."""

from __future__ import annotations

import torch
from timm.layers import DropPath
from torch import nn

from hmsklearn.nets.layers.conv_norm_elu import ConvNormELU
from hmsklearn.nets.layers.squeeze_excite import SqueezeExcite

__all__ = ["InvertedResidual1d"]


class InvertedResidual1d(nn.Module):
    """A 1x1 convolution, a widening depth-wise one in time, a narrowing 1x1 one.

    Each is followed by batch norm and ELU, the last one too. The depth-wise
    convolution makes `expansion` maps of each map, so that the first 1x1 convolution
    stays narrow.

    Parameters
    ----------
    in_width, width : int
        Number of maps that come and go.
    kernel_size : int
        Odd length in time of the depth-wise convolution.
    expansion : int, default=4
        Number of maps that the depth-wise convolution makes of one.
    se_ratio : int, default=4
        Maps of squeeze and excitation per hidden unit; 0 leaves it out.
    se_inside : bool, default=False
        Whether squeeze and excitation stand behind the depth-wise convolution, on all
        its maps, and not at the end of the block.
    skip : bool, default=True
        Whether the input is added to the output, through a 1x1 convolution where the
        widths differ.
    drop_path : float, default=0.0
        Probability of leaving out the block for a window in training, where there is
        the input to take its place.

    Notes
    -----
    Input ``(n_windows, in_width, n_rows, n_times)``, output ``(n_windows, width,
    n_rows, n_times)``. Rows share weights and meet in squeeze and excitation only.

    References
    ----------
    M. Sandler and others (2018), MobileNetV2: inverted residuals and linear
    bottlenecks. This form: 4th place of HMS (discussion 492240).

    Examples
    --------
    >>> InvertedResidual1d(8, 12, 5)(torch.zeros(2, 8, 4, 30)).shape
    torch.Size([2, 12, 4, 30])
    """

    def __init__(
        self,
        in_width: int,
        width: int,
        kernel_size: int,
        *,
        expansion: int = 4,
        se_ratio: int = 4,
        se_inside: bool = False,
        skip: bool = True,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        inner = width * expansion
        layers: list[nn.Module] = [
            ConvNormELU(in_width, width),
            ConvNormELU(width, inner, (1, kernel_size), groups=width),
            ConvNormELU(inner, width),
        ]
        if se_ratio and se_inside:
            layers.insert(2, SqueezeExcite(inner, inner // se_ratio))
        elif se_ratio:
            layers.append(SqueezeExcite(width, width // se_ratio))
        self.layers = nn.Sequential(*layers)
        self.skip = skip
        self.shortcut: nn.Module = nn.Identity()
        if skip and in_width != width:
            self.shortcut = nn.Conv2d(in_width, width, 1)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block.

        Parameters
        ----------
        x : Tensor of shape (n_windows, in_width, n_rows, n_times)
            Maps.

        Returns
        -------
        Tensor of shape (n_windows, width, n_rows, n_times)
            Maps.
        """
        out = self.layers(x)
        return self.shortcut(x) + self.drop_path(out) if self.skip else out
