"""What training minimises."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["VoteKLLoss"]


class VoteKLLoss(nn.Module):
    """Kullback-Leibler divergence from vote fractions to the softmax of logits.

    Notes
    -----
    A window costs ``sum_k y_k log(y_k / p_k)`` with ``0 log 0 = 0``, as in the
    competition; the loss is ``mean(weight * cost)`` over the batch. Weights are meant
    to have mean one over the training set, which makes the mean over an epoch the
    weighted mean, whatever falls into which batch. Computed in float32 also where
    the net runs in half precision.

    References
    ----------
    Kaggle, HMS - Harmful Brain Activity Classification, evaluation page; the
    weighting by votes: 2nd place (discussion 492254).

    Examples
    --------
    >>> loss = VoteKLLoss()
    >>> fractions = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    >>> round(loss(torch.zeros(2, 2), fractions).item(), 4)
    0.3466
    >>> weight = torch.tensor([2.0, 0.0])
    >>> round(loss(torch.zeros(2, 2), fractions, sample_weight=weight).item(), 4)
    0.0
    """

    def forward(
        self,
        logits: torch.Tensor,
        fractions: torch.Tensor,
        sample_weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Loss of a batch.

        Parameters
        ----------
        logits : Tensor of shape (n_windows, n_classes)
            Output of the net.
        fractions : Tensor of shape (n_windows, n_classes)
            Vote fractions; rows sum to one.
        sample_weight : Tensor of shape (n_windows,), optional
            Weights.

        Returns
        -------
        Tensor
            Scalar, in nat.
        """
        log_prob = torch.log_softmax(logits.float(), dim=1)
        cost = (torch.xlogy(fractions, fractions) - fractions * log_prob).sum(dim=1)
        if sample_weight is not None:
            cost = cost * sample_weight
        return cost.mean()
