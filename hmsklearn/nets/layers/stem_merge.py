"""Spectrograms of the EEG and of the host side by side in one image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["StemMerge"]


class StemMerge(nn.Module):
    """Host's panels through a small stem, to the right of the channels' spectrograms.

    The stem makes as many maps of the panels as there are channels: a 3x3 convolution,
    GELU and batch norm, a 1x1 convolution, GELU and batch norm. The channels go
    through batch norm. Chains lie below one another; the place in the chain is the
    plane.

    Parameters
    ----------
    n_chans : int
        Number of channels, chain after chain.
    input_size : tuple of (int, int)
        Height and width of every spectrogram.
    n_panels : int, default=4
        Number of panels of the host's spectrogram.
    group_size : int, default=4
        Number of channels of a chain.

    Attributes
    ----------
    out_chans : int
        Number of planes of the image: `group_size`.
    out_size : tuple of int
        Its height, that of all chains, and width, twice that of a spectrogram.

    Raises
    ------
    ValueError
        If `group_size` does not divide `n_chans` or there is no panel.

    Notes
    -----
    Input ``(n, n_chans + n_panels, height, width)`` without NaN, the panels last;
    output ``(n, group_size, n_chains * height, 2 * width)``.

    References
    ----------
    4th place of HMS, tattaka's experiments 92, 107 and 108 (discussion 492240).

    Examples
    --------
    >>> merge = StemMerge(16, (96, 192))
    >>> merge.out_chans, merge.out_size
    (4, (384, 384))
    >>> merge(torch.zeros(2, 20, 96, 192)).shape
    torch.Size([2, 4, 384, 384])
    """

    def __init__(
        self,
        n_chans: int,
        input_size: Sequence[int],
        *,
        n_panels: int = 4,
        group_size: int = 4,
    ) -> None:
        super().__init__()
        if n_chans < 1 or n_panels < 1 or group_size < 1 or n_chans % group_size:
            raise ValueError(
                f"StemMerge: n_chans={n_chans} beside n_panels={n_panels} panels must "
                f"be a multiple of group_size={group_size}, and all at least 1. Give "
                "the channels of whole chains, then the panels."
            )
        self.n_chans, self.group_size = n_chans, group_size
        height, width = input_size
        self.out_chans = group_size
        self.out_size = (n_chans // group_size * height, 2 * width)
        self.norm = nn.BatchNorm2d(n_chans)
        self.stem = nn.Sequential(
            nn.Conv2d(n_panels, n_chans, 3, padding=1),
            nn.GELU(),
            nn.BatchNorm2d(n_chans),
            nn.Conv2d(n_chans, n_chans, 1),
            nn.GELU(),
            nn.BatchNorm2d(n_chans),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Join spectrograms.

        Parameters
        ----------
        x : Tensor of shape (n, n_chans + n_panels, height, width)
            Spectrograms of the channels, then the panels.

        Returns
        -------
        Tensor of shape (n, group_size, n_chains * height, 2 * width)
            Images.
        """
        eeg = self.norm(x[:, : self.n_chans])
        both = torch.cat([eeg, self.stem(x[:, self.n_chans :])], dim=3)
        n, n_chans, height, width = both.shape
        chains = both.reshape(n, n_chans // self.group_size, -1, height, width)
        return chains.transpose(1, 2).flatten(2, 3)
