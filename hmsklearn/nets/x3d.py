"""X3D: the video net that reads the spectra of the channels as frames."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hmsklearn._params import check_integer, check_real
from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import X3DBlock, checkpoint_sequential

__all__ = ["X3D"]

#: Maps and blocks of the four stages at factors of one.
_WIDTHS = (24, 48, 96, 192)
_DEPTHS = (1, 2, 5, 3)


@register_net("x3d_xs", ndim=5, depth_factor=2.2)
@register_net("x3d_s", ndim=5, depth_factor=2.2)
@register_net("x3d_m", ndim=5, depth_factor=2.2)
@register_net("x3d_l", ndim=5, depth_factor=5.0)
class X3D(BaseNet):
    """Narrow, deep video net of depth-wise 3-D convolutions.

    A stem (3x3 in space with stride 2, then 5 in time map by map), four stages of
    residual blocks that each halve height and width and keep every frame, a 1x1x1
    convolution, the average over everything and a linear layer with ReLU.

    Parameters
    ----------
    n_chans : int
        Number of planes.
    n_outputs : int
        Number of classes.
    input_size : tuple of (int, int, int)
        Number of frames, height, width. Any size will do; 32 pixels become one.
    depth_factor : float, default=2.2
        Multiplies the blocks of the stages, 1, 2, 5 and 3, rounded up. 2.2 is X3D-XS,
        -S and -M, which differ in what they were trained on; 5.0 is X3D-L.
    width_factor : float, default=1.0
        Multiplies the maps, 24, 24, 48, 96 and 192, rounded to multiples of 8. It
        counts as the paper does; PyTorchVideo and SlowFast name twice the number.
    bottleneck_factor : float, default=2.25
        Maps inside a block for each map outside.
    squeeze_factor : float, default=0.0625
        Hidden width of squeeze and excitation, in every second block from the first,
        for each map inside the block; rounded to a multiple of 8. 0 leaves it out.
    head_width : int, default=2048
        Number of features.
    drop_rate : float, default=0.5
        Dropout in front of the logits.

    Attributes
    ----------
    num_features : int
        `head_width`.

    Raises
    ------
    ValueError
        If a factor is not positive or the input is no film.

    Notes
    -----
    Input ``(n_windows, n_planes, n_frames, height, width)`` without NaN; output logits
    ``(n_windows, n_outputs)``. No weights are downloaded; see
    :func:`hmsklearn.nets.convert_pytorchvideo_state` for trained ones.

    The 2nd place gives 32 frames, the 16 spectra of 10 s and then those of 50 s, each
    repeated to 3 planes. One plane with the trained stem's planes summed gives the
    same and costs less.

    References
    ----------
    C. Feichtenhofer (2020), X3D: expanding architectures for efficient video
    recognition. On EEG: 2nd place of HMS (discussion 492254), which uses X3D-L.

    Examples
    --------
    >>> net = X3D(n_chans=3, n_outputs=6, input_size=(32, 61, 201), depth_factor=5.0)
    >>> net.num_features, [len(stage) for stage in net.stages]
    (2048, [5, 10, 25, 15])
    >>> small = X3D(1, 6, (4, 16, 24), depth_factor=0.4, width_factor=0.4)
    >>> small(torch.zeros(2, 1, 4, 16, 24)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        input_size: Sequence[int],
        *,
        depth_factor: float = 2.2,
        width_factor: float = 1.0,
        bottleneck_factor: float = 2.25,
        squeeze_factor: float = 0.0625,
        head_width: int = 2048,
        drop_rate: float = 0.5,
    ) -> None:
        super().__init__(n_chans, n_outputs, input_size)
        if len(self.input_size) != 3:
            raise ValueError(
                f"X3D: input_size={input_size!r} must be the number of frames, height "
                "and width. Give films of shape (n, planes, frames, height, width)."
            )
        bound: dict[str, Any] = {"caller": "X3D", "low": 0, "low_open": True}
        check_real(depth_factor, "depth_factor", **bound)
        check_real(width_factor, "width_factor", **bound)
        check_real(bottleneck_factor, "bottleneck_factor", **bound)
        check_real(squeeze_factor, "squeeze_factor", caller="X3D", low=0)
        check_integer(head_width, "head_width", caller="X3D", low=1)

        widths = [_to_eights(width * width_factor) for width in _WIDTHS]
        self.stem_space = nn.Conv3d(
            n_chans, widths[0], (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False
        )
        self.stem_time = nn.Conv3d(
            widths[0],
            widths[0],
            (5, 1, 1),
            padding=(2, 0, 0),
            groups=widths[0],
            bias=False,
        )
        self.stem_norm = nn.BatchNorm3d(widths[0])
        self.act = nn.ReLU(inplace=True)
        self.stages = nn.ModuleList()
        before, inner = widths[0], 0
        for width, depth in zip(widths, _DEPTHS, strict=True):
            inner = max(int(bottleneck_factor * width), 1)
            squeeze = _to_eights(inner * squeeze_factor) if squeeze_factor else 0
            self.stages.append(
                nn.Sequential(
                    *(
                        X3DBlock(
                            width if i else before,
                            width,
                            inner,
                            stride=1 if i else 2,
                            squeeze_width=0 if i % 2 else squeeze,
                        )
                        for i in range(math.ceil(depth * depth_factor))
                    )
                )
            )
            before = width
        self.head_conv = nn.Conv3d(before, inner, 1, bias=False)
        self.head_norm = nn.BatchNorm3d(inner)
        self.head_linear = nn.Linear(inner, head_width, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.num_features = head_width
        self.reset_head(n_outputs, drop_rate=drop_rate)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the residual blocks in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.
        """
        self.grad_checkpointing = enable

    def forward_maps(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to maps that still know time and place.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_frames, height, width)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, 432, n_frames, height / 32, width / 32)
            Maps before the average, sizes rounded up.
        """
        maps = self.act(self.stem_norm(self.stem_time(self.stem_space(x))))
        maps = checkpoint_sequential(
            itertools.chain(*self.stages),
            maps,
            enabled=self.grad_checkpointing,
        )
        return self.act(self.head_norm(self.head_conv(maps)))

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_frames, height, width)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Features.
        """
        return self.act(self.head_linear(self.forward_maps(x).mean(dim=(2, 3, 4))))


def _to_eights(width: float) -> int:
    """Nearest multiple of 8, at least 8, and not below nine tenths of the width."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * width else rounded + 8
