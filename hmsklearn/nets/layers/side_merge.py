"""Merge the maps of left and right so that their order does not matter."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["SideMerge"]


class SideMerge(nn.Module):
    """Minimum, maximum, and maps of the cosine similarity of two sides.

    Parameters
    ----------
    similarity_width : int
        Number of maps that a 1x1 convolution without bias, batch norm and PReLU make
        of the similarity.

    Notes
    -----
    Both inputs ``(n_windows, width, n_rows, n_times)``, output ``(n_windows,
    2 * width + similarity_width, n_rows, n_times)``. Exchanging the inputs changes
    nothing. The similarity is that of all maps at one row and time, between -1 and 1.

    References
    ----------
    4th place of HMS, bilzard (discussion 492388).

    Examples
    --------
    >>> merge = SideMerge(16)
    >>> left, right = torch.zeros(2, 8, 5, 10), torch.ones(2, 8, 5, 10)
    >>> merge(left, right).shape
    torch.Size([2, 32, 5, 10])
    """

    def __init__(self, similarity_width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, similarity_width, 1, bias=False)
        self.norm = nn.BatchNorm2d(similarity_width)
        self.act = nn.PReLU()

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Merge two sides.

        Parameters
        ----------
        left, right : Tensor of shape (n_windows, width, n_rows, n_times)
            Maps.

        Returns
        -------
        Tensor of shape (n_windows, 2 * width + similarity_width, n_rows, n_times)
            Minima, maxima, maps of the similarity.
        """
        similar = functional.cosine_similarity(left, right, dim=1, eps=1e-4)
        similar = self.act(self.norm(self.conv(similar.unsqueeze(1))))
        return torch.cat(
            [torch.minimum(left, right), torch.maximum(left, right), similar], dim=1
        )
