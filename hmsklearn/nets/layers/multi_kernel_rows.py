"""Time kernels of several lengths on the spectrogram of every channel, as one kernel.

Parallel convolutions and the 1x1 convolution that joins their maps have nothing but
sums between them, so they are one convolution whose kernel is a sum of theirs. Working
with that kernel gives the same numbers and gradients and needs none of the maps, which
for the published net are 48 times the size of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

__all__ = ["MultiKernelRows"]


class MultiKernelRows(nn.Module):
    """Parallel convolutions over time of each tile, joined to one map.

    Parameters
    ----------
    n_planes : int
        Number of planes; each has kernels of its own.
    input_size : tuple of (int, int)
        Height and width of the image.
    kernels : sequence of int, default=(1, 3, 5, 7, 9, 11)
        Odd lengths in time.
    row_kernel : int, default=3
        Odd length over the rows (frequency) of a tile.
    n_maps : int, default=8
        Number of maps of each kernel before they are joined.
    tile_height : int, default=None
        Rows of one channel's spectrogram; the convolutions do not look beyond. None
        takes the whole image as one tile.

    Attributes
    ----------
    out_chans : int
        `n_planes`.
    out_size : tuple of int
        `input_size`.

    Raises
    ------
    ValueError
        If a kernel is even, or `tile_height` does not divide the height.

    Notes
    -----
    Input and output ``(n, n_planes, height, width)``, tiles below one another, time on
    width. All tiles of a plane share the kernels.

    References
    ----------
    The "lhwcv" solution of HMS, whose three planes are mel spectrograms of three
    frequency ranges.

    Examples
    --------
    >>> rows = MultiKernelRows(3, (8, 20), kernels=(1, 3), tile_height=4)
    >>> rows(torch.zeros(2, 3, 8, 20)).shape
    torch.Size([2, 3, 8, 20])
    >>> rows.folded()[0].shape
    torch.Size([3, 1, 3, 3])
    """

    def __init__(
        self,
        n_planes: int,
        input_size: Sequence[int],
        *,
        kernels: Sequence[int] = (1, 3, 5, 7, 9, 11),
        row_kernel: int = 3,
        n_maps: int = 8,
        tile_height: int | None = None,
    ) -> None:
        super().__init__()
        kernels = tuple(kernels)
        if not kernels or any(k < 1 or k % 2 == 0 for k in (*kernels, row_kernel)):
            raise ValueError(
                f"MultiKernelRows: kernels={kernels} and row_kernel={row_kernel} must "
                "be odd and positive, so that the image keeps its size."
            )
        if n_maps < 1:
            raise ValueError(f"MultiKernelRows: n_maps={n_maps} must be at least 1.")
        height = input_size[0]
        tile_height = height if tile_height is None else tile_height
        if tile_height < 1 or height % tile_height:
            raise ValueError(
                f"MultiKernelRows: images of height {height} are no multiple of "
                f"tile_height={tile_height}. Give the rows of one channel's "
                "spectrogram, or None for an image that is one tile."
            )
        self.n_planes, self.n_maps = n_planes, n_maps
        self.kernels, self.row_kernel = kernels, row_kernel
        self.tile_height = tile_height
        self.out_chans, self.out_size = n_planes, tuple(input_size)
        self.padding = (row_kernel // 2, max(kernels) // 2)
        self.convs: Any = nn.ModuleList(
            nn.Conv2d(
                n_planes, n_planes * n_maps, (row_kernel, kernel), groups=n_planes
            )
            for kernel in kernels
        )
        self.join: Any = nn.Conv2d(
            n_planes * len(kernels) * n_maps, n_planes, 1, groups=n_planes
        )

    def folded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Kernel and bias of the one convolution that equals all of them.

        Returns
        -------
        kernel : Tensor of shape (n_planes, 1, row_kernel, max(kernels))
            The kernel of each plane.
        bias : Tensor of shape (n_planes,)
            Their bias.
        """
        n_kernels = len(self.kernels)
        weights = self.join.weight.reshape(self.n_planes, n_kernels, self.n_maps)
        kernels, biases = [], [self.join.bias]
        for i, (size, conv) in enumerate(zip(self.kernels, self.convs, strict=True)):
            maps = conv.weight.reshape(self.n_planes, self.n_maps, self.row_kernel, -1)
            # Sums of products instead of einsum, which autocast would round.
            kernel = (weights[:, i, :, None, None] * maps).sum(dim=1)
            pad = self.padding[1] - size // 2
            kernels.append(functional.pad(kernel, (pad, pad)))
            bias = conv.bias.reshape(self.n_planes, self.n_maps)
            biases.append((weights[:, i] * bias).sum(dim=1))
        # A shape in plain numbers, which exporters ask of kernels.
        shape = (self.n_planes, 1, self.row_kernel, max(self.kernels))
        return torch.stack(kernels).sum(dim=0).reshape(shape), torch.stack(biases).sum(
            dim=0
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve images.

        Parameters
        ----------
        x : Tensor of shape (n, n_planes, height, width)
            Images.

        Returns
        -------
        Tensor
            Images of the same shape.
        """
        n, n_planes, height, width = x.shape
        n_tiles = height // self.tile_height
        tiles = x.reshape(n, n_planes, n_tiles, self.tile_height, width)
        tiles = tiles.transpose(1, 2).flatten(0, 1)
        kernel, bias = self.folded()
        out = functional.conv2d(
            tiles, kernel, bias, padding=self.padding, groups=n_planes
        )
        out = out.reshape(n, n_tiles, n_planes, self.tile_height, width)
        return out.transpose(1, 2).reshape(n, n_planes, height, width)
