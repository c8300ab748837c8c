"""Depth-wise 3-D convolution that trains at a bearable pace without a GPU.

On a CPU torch has fast depth-wise convolutions of images but not of films: the
gradients of the latter take most of the time of a training step. A film is a stack of
images, and a kernel over frames is a sum of kernels over images, so there the images do
the work.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["DepthwiseConv3d"]


class DepthwiseConv3d(nn.Conv3d):
    """A 3x3x3 kernel for every map, without bias; the size stays.

    Parameters
    ----------
    width : int
        Number of maps.
    stride : int, default=1
        Step in height and width.

    Notes
    -----
    Input ``(n_windows, width, n_frames, h, w)``, output ``(n_windows, width, n_frames,
    ceil(h / stride), ceil(w / stride))``. Equal to ``nn.Conv3d(width, width, 3,
    padding=1, groups=width, bias=False)`` up to rounding. Where gradients are wanted
    on a CPU, frames and maps together become the channels of 2-D convolutions.

    Examples
    --------
    >>> DepthwiseConv3d(8, stride=2)(torch.zeros(2, 8, 4, 5, 6)).shape
    torch.Size([2, 8, 4, 3, 3])
    """

    def __init__(self, width: int, stride: int = 1) -> None:
        super().__init__(
            width,
            width,
            3,
            stride=(1, stride, stride),
            padding=1,
            groups=width,
            bias=False,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve films.

        Parameters
        ----------
        x : Tensor of shape (n_windows, width, n_frames, h, w)
            Maps.

        Returns
        -------
        Tensor of shape (n_windows, width, n_frames, h_out, w_out)
            Maps.
        """
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(x)
        width, n_frames = x.shape[1:3]
        images = x.flatten(1, 2)
        before, now, after = (
            functional.conv2d(
                images,
                self.weight[:, :, i].repeat_interleave(n_frames, dim=0),
                stride=self.stride[1:],
                padding=1,
                groups=width * n_frames,
            ).unflatten(1, (width, n_frames))
            for i in range(3)
        )
        # A frame sees the one before it through the first kernel; none outside.
        before = functional.pad(before[:, :, :-1], (0, 0, 0, 0, 1, 0))
        after = functional.pad(after[:, :, 1:], (0, 0, 0, 0, 0, 1))
        return before + now + after
