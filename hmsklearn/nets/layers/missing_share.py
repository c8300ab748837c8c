"""Learning which channels were missing, as an auxiliary task."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["MissingShareHead", "missing_share"]


def missing_share(x: torch.Tensor) -> torch.Tensor:
    """Share of NaN in every channel of every window.

    Parameters
    ----------
    x : Tensor of shape (n_windows, n_chans, ...)
        Windows as they were recorded, before NaN are filled.

    Returns
    -------
    Tensor of shape (n_windows, n_chans), float32
        Shares from 0 to 1.

    Examples
    --------
    >>> missing_share(torch.tensor([[[1.0, torch.nan], [2.0, 3.0]]])).tolist()
    [[0.5, 0.0]]
    """
    return torch.isnan(x).flatten(2).float().mean(dim=2)


class MissingShareHead(nn.Module):
    """Predict the share of missing samples of every channel; gives the loss.

    Parameters
    ----------
    in_features : int
        Number of features.
    n_chans : int
        Number of channels of the recording.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    The loss is the binary cross-entropy of a linear layer's logits against the shares,
    averaged over windows and channels, in float32. A net that has filled gaps in front
    of it learns so to tell them from a flat signal.

    References
    ----------
    9th place of HMS: an auxiliary loss for NaN (discussion 492429). Its form is not
    published; this one is ours.

    Examples
    --------
    >>> head = MissingShareHead(8, n_chans=20)
    >>> head(torch.zeros(3, 8), torch.zeros(3, 20)).shape
    torch.Size([])
    """

    def __init__(self, in_features: int, n_chans: int) -> None:
        super().__init__()
        if in_features < 1 or n_chans < 1:
            raise ValueError(
                f"MissingShareHead: in_features={in_features} and n_chans={n_chans} "
                "must be at least 1."
            )
        self.linear = nn.Linear(in_features, n_chans)

    def forward(self, features: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """Compare predicted with true shares.

        Parameters
        ----------
        features : Tensor of shape (n_windows, in_features)
            Features of the windows.
        share : Tensor of shape (n_windows, n_chans)
            True shares, see :func:`missing_share`.

        Returns
        -------
        Tensor
            The loss, a scalar.

        Raises
        ------
        ValueError
            If there is another number of channels.
        """
        logits = self.linear(features).float()
        if share.shape != logits.shape:
            raise ValueError(
                f"MissingShareHead: the shares have shape {tuple(share.shape)}, "
                f"expected {tuple(logits.shape)}, one for each window and channel. "
                "Give the number of channels of the recording as n_chans."
            )
        return functional.binary_cross_entropy_with_logits(logits, share.float())
