"""What a net gives in training beside its logits."""

from __future__ import annotations

from typing import NamedTuple

import torch

__all__ = ["NetOutput"]


class NetOutput(NamedTuple):
    """Logits, and further things to learn from.

    A net whose training has auxiliary parts gives this in training mode, and the
    logits alone otherwise.

    Attributes
    ----------
    logits : Tensor of shape (n_windows, n_outputs)
        What predictions are made of.
    aux : dict of str to Tensor of shape (n_windows, n_outputs)
        Logits of auxiliary heads, which learn the same votes. The loss is
        ``(main + sum(w * aux)) / (1 + sum(w))``, with the estimator's `aux_weight`.
    losses : dict of str to Tensor
        Scalars that are added to the loss as they are: the net has weighted them.

    Examples
    --------
    >>> output = NetOutput(torch.zeros(2, 6), aux={"raw": torch.zeros(2, 6)})
    >>> output.losses
    {}
    """

    logits: torch.Tensor
    aux: dict[str, torch.Tensor] = {}
    losses: dict[str, torch.Tensor] = {}
