"""Pooling of a set of vectors by weights that they give themselves."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["AttentionPool", "SelfAttentionPool"]


class AttentionPool(nn.Module):
    """Weighted mean of vectors, scored through a tanh layer.

    Parameters
    ----------
    in_features : int
        Length of each vector.
    hidden : int, default=2048
        Width of the hidden layer between a vector and its score.

    Attributes
    ----------
    num_features : int
        ``in_features``.

    Raises
    ------
    ValueError
        If a width is not positive.

    Notes
    -----
    Input ``(n_windows, n_items, in_features)`` without NaN, output ``(n_windows,
    in_features)``. The score of an item is ``v . tanh(W x + b) + c``, and the softmax
    of the scores over the items weighs them; the order of the items plays no part.
    Items may be positions of a feature map, steps in time or instances of a bag.

    References
    ----------
    M. Ilse, J. Tomczak and M. Welling (2018), Attention-based deep multiple instance
    learning. 15th place of HMS: ten spectrogram images, 2048 hidden units. 9th place
    (discussion 492429) pools three encoders by attention.

    Examples
    --------
    >>> pool = AttentionPool(8, hidden=16)
    >>> pool(torch.zeros(2, 10, 8)).shape
    torch.Size([2, 8])
    >>> pool.weights(torch.zeros(1, 4, 8)).squeeze().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    def __init__(self, in_features: int, hidden: int = 2048) -> None:
        super().__init__()
        if in_features < 1 or hidden < 1:
            raise ValueError(
                f"AttentionPool: in_features={in_features} and hidden={hidden} must be "
                "at least 1."
            )
        self.num_features = in_features
        self.hidden = nn.Linear(in_features, hidden)
        self.score = nn.Linear(hidden, 1)

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """Weights of the items.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_items, in_features)
            Items.

        Returns
        -------
        Tensor of shape (n_windows, n_items, 1)
            Weights; their sum over the items is one.
        """
        return self.score(torch.tanh(self.hidden(x))).softmax(dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool items.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_items, in_features)
            Items.

        Returns
        -------
        Tensor of shape (n_windows, in_features)
            Their weighted mean.
        """
        return (x * self.weights(x)).sum(dim=1)


class SelfAttentionPool(nn.Module):
    """Weighted mean over steps; a linear layer and a softmax over time weigh them.

    Parameters
    ----------
    width : int
        Width of a step.

    Notes
    -----
    Input ``(n_windows, n_steps, width)``, output ``(n_windows, width)``.

    References
    ----------
    P. Safari and others (2020), Self-attention encoding and pooling for speaker
    recognition. 6th place of HMS (discussion 492619).

    Examples
    --------
    >>> SelfAttentionPool(8)(torch.zeros(2, 30, 8)).shape
    torch.Size([2, 8])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool steps.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_steps, width)
            Steps.

        Returns
        -------
        Tensor of shape (n_windows, width)
            Their weighted mean.
        """
        return (self.score(x).softmax(dim=1) * x).sum(dim=1)
