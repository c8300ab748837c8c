"""The 5th place's other image of a window: multi-kernel maps of the chains."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from hmsklearn.nets.layers.checkpointing import checkpoint_sequential
from hmsklearn.nets.layers.residual_se1d import ResidualSE1d

__all__ = ["MultiKernelSE"]

_DOWN_KERNEL, _DOWN_STRIDE, _DOWN_PADDING = 3, 2, 1


class MultiKernelSE(nn.Module):
    """One net of several kernels on every channel, averaged over the chains.

    Branches of different kernel lengths, each followed by residual blocks with squeeze
    and excitation, are stacked as maps; stages of a strided convolution and such
    blocks shorten them; the maps of the channels of a chain are averaged.

    Parameters
    ----------
    n_chans : int
        Number of channels, chain after chain.
    n_times : int
        Number of samples in time.
    kernels : sequence of int, default=(5, 9, 13, 19)
        Kernel lengths of the branches, odd.
    kernel_maps : int, default=4
        Number of maps of each branch.
    widths : sequence of int, default=(32, 64, 64)
        Number of maps of each stage; each halves the length, rounding up.
    n_blocks : int, default=3
        Number of residual blocks in each branch and stage.
    block_kernel : int, default=4
        Kernel length of the residual blocks.
    stem_se_ratio, se_ratio : int, default=1 and 4
        What the number of maps is divided by in squeeze and excitation, in branches
        and in stages.
    group_size : int, default=4
        Number of channels of a chain, whose maps are averaged; 1 keeps them apart.
    planes : bool, default=False
        Whether chains become planes of the image, instead of lying one below the
        other in one plane.

    Attributes
    ----------
    out_chans : int
        Number of planes of the image.
    out_size : tuple of int
        Its height and width.

    Raises
    ------
    ValueError
        If `group_size` does not divide `n_chans` or a size is not usable.

    Notes
    -----
    Input ``(n, n_chans, n_times)`` without NaN, output ``(n, out_chans, *out_size)``.
    Row ``group * widths[-1] + map`` of the one plane holds a chain's map, the first
    chain on top: 256 x 1250 for 16 differences of 10000 samples. All channels share
    the weights. Windows of any length are taken.

    References
    ----------
    5th place, UEMU's net of raw signals (discussion 492652): resized to 256 x 256,
    maxxvitv2_nano_rw_256 behind it.

    Examples
    --------
    >>> maps = MultiKernelSE(8, 200, widths=(6, 8), n_blocks=1)
    >>> maps.out_chans, maps.out_size
    (1, (16, 50))
    >>> maps(torch.zeros(2, 8, 200)).shape
    torch.Size([2, 1, 16, 50])
    """

    def __init__(
        self,
        n_chans: int,
        n_times: int,
        *,
        kernels: Sequence[int] = (5, 9, 13, 19),
        kernel_maps: int = 4,
        widths: Sequence[int] = (32, 64, 64),
        n_blocks: int = 3,
        block_kernel: int = 4,
        stem_se_ratio: int = 1,
        se_ratio: int = 4,
        group_size: int = 4,
        planes: bool = False,
    ) -> None:
        super().__init__()
        kernels, widths = tuple(kernels), tuple(widths)
        if group_size < 1 or n_chans % group_size:
            raise ValueError(
                f"MultiKernelSE: n_chans={n_chans} is no multiple of group_size="
                f"{group_size}. Give chains of equal length, or group_size=1."
            )
        if not kernels or any(kernel < 1 or kernel % 2 == 0 for kernel in kernels):
            raise ValueError(
                f"MultiKernelSE: kernels={kernels} must be odd and positive, so that "
                "all branches have the length of the signal."
            )
        if not widths or min(*widths, kernel_maps, n_times) < 1 or n_blocks < 0:
            raise ValueError(
                "MultiKernelSE: widths, kernel_maps and n_times must be at least 1 and "
                f"n_blocks at least 0, got widths={widths}, kernel_maps={kernel_maps}, "
                f"n_times={n_times}, n_blocks={n_blocks}."
            )
        self.branches = nn.ModuleList(
            nn.Sequential(
                *_conv_norm_relu(1, kernel_maps, kernel, 1, kernel // 2),
                *(
                    ResidualSE1d(kernel_maps, block_kernel, stem_se_ratio)
                    for _ in range(n_blocks)
                ),
            )
            for kernel in kernels
        )
        self.stages = nn.ModuleList()
        width = kernel_maps * len(kernels)
        n_steps = n_times
        for wider in widths:
            self.stages.append(
                nn.Sequential(
                    *_conv_norm_relu(
                        width, wider, _DOWN_KERNEL, _DOWN_STRIDE, _DOWN_PADDING
                    ),
                    *(
                        ResidualSE1d(wider, block_kernel, se_ratio)
                        for _ in range(n_blocks)
                    ),
                )
            )
            width = wider
            n_steps = (n_steps + 1) // _DOWN_STRIDE
        self.group_size = group_size
        self.n_groups = n_chans // group_size
        self.grad_checkpointing = False
        self.out_chans = self.n_groups if planes else 1
        self.out_size = (width if planes else self.n_groups * width, n_steps)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute branches and stages in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.
        """
        self.grad_checkpointing = enable

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Draw the image of windows.

        Parameters
        ----------
        x : Tensor of shape (n, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n, out_chans, height, width)
            Images.
        """
        n, n_chans, n_times = x.shape
        signals = x.reshape(n * n_chans, 1, n_times)
        maps = torch.cat(
            [
                checkpoint_sequential(
                    [branch], signals, enabled=self.grad_checkpointing
                )
                for branch in self.branches
            ],
            dim=1,
        )
        maps = checkpoint_sequential(self.stages, maps, enabled=self.grad_checkpointing)
        maps = maps.reshape(n, self.n_groups, self.group_size, *maps.shape[1:])
        return maps.mean(dim=2).reshape(n, self.out_chans, *self.out_size)


def _conv_norm_relu(
    in_chans: int, width: int, kernel_size: int, stride: int, padding: int
) -> tuple[nn.Module, ...]:
    """Convolution with bias, batch norm and ReLU."""
    return (
        nn.Conv1d(in_chans, width, kernel_size, stride=stride, padding=padding),
        nn.BatchNorm1d(width),
        nn.ReLU(),
    )
