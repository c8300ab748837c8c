"""The residual block of X3D."""

from __future__ import annotations

import torch
from torch import nn

from hmsklearn.nets.layers.depthwise_conv3d import DepthwiseConv3d
from hmsklearn.nets.layers.squeeze_excite3d import SqueezeExcite3d

__all__ = ["X3DBlock"]


class X3DBlock(nn.Module):
    """Widen, look around in time and space map by map, narrow, add.

    A 1x1x1 convolution with ReLU, a depth-wise 3x3x3 convolution with SiLU, a 1x1x1
    convolution; batch norm after each. ReLU after the sum.

    Parameters
    ----------
    in_width, width : int
        Number of maps that come and go.
    inner_width : int
        Number of maps of the depth-wise convolution.
    stride : int, default=1
        Step in height and width; no frame is ever left out.
    squeeze_width : int, default=0
        Hidden width of squeeze and excitation between the second batch norm and its
        SiLU; 0 leaves it out.

    Notes
    -----
    Input ``(n_windows, in_width, n_frames, h, w)``, output ``(n_windows, width,
    n_frames, ceil(h / stride), ceil(w / stride))``. Where the shortcut changes size it
    is a 1x1x1 convolution, with batch norm only if it changes the number of maps. The
    last batch norm starts at zero, so that a fresh block is its shortcut.

    References
    ----------
    C. Feichtenhofer (2020), X3D: expanding architectures for efficient video
    recognition.

    Examples
    --------
    >>> block = X3DBlock(24, 48, 108, stride=2, squeeze_width=8)
    >>> block(torch.zeros(1, 24, 4, 9, 8)).shape
    torch.Size([1, 48, 4, 5, 4])
    """

    def __init__(
        self,
        in_width: int,
        width: int,
        inner_width: int,
        *,
        stride: int = 1,
        squeeze_width: int = 0,
    ) -> None:
        super().__init__()
        step = (1, stride, stride)
        self.shortcut: nn.Module = nn.Identity()
        self.shortcut_norm: nn.Module = nn.Identity()
        if in_width != width or stride > 1:
            self.shortcut = nn.Conv3d(in_width, width, 1, stride=step, bias=False)
        if in_width != width:
            self.shortcut_norm = nn.BatchNorm3d(width)
        self.widen = nn.Conv3d(in_width, inner_width, 1, bias=False)
        self.norm1 = nn.BatchNorm3d(inner_width)
        self.look = DepthwiseConv3d(inner_width, stride)
        self.norm2 = nn.BatchNorm3d(inner_width)
        self.squeeze: nn.Module = (
            SqueezeExcite3d(inner_width, squeeze_width)
            if squeeze_width
            else nn.Identity()
        )
        self.act2 = nn.SiLU(inplace=True)
        self.narrow = nn.Conv3d(inner_width, width, 1, bias=False)
        self.norm3 = nn.BatchNorm3d(width)
        nn.init.zeros_(self.norm3.weight)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block.

        Parameters
        ----------
        x : Tensor of shape (n_windows, in_width, n_frames, h, w)
            Maps.

        Returns
        -------
        Tensor of shape (n_windows, width, n_frames, h_out, w_out)
            Maps.
        """
        out = self.act(self.norm1(self.widen(x)))
        out = self.act2(self.squeeze(self.norm2(self.look(out))))
        out = self.norm3(self.narrow(out))
        return self.act(out + self.shortcut_norm(self.shortcut(x)))
