"""Gradient checkpointing that leaves batch normalisation's statistics right.

Recomputing a block in the backward pass runs its batch norms a second time, which
would count every batch twice in their running averages. Here the second run leaves
them alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

__all__ = ["checkpoint_sequential"]


@contextlib.contextmanager
def _frozen_statistics(module: nn.Module) -> Iterator[None]:
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm)]
    tracked = [(m.track_running_stats, m.running_mean, m.running_var) for m in norms]
    for m in norms:
        # Without buffers a batch norm in training mode uses the batch and stores
        # nothing: the same output, no second update.
        m.track_running_stats = False
        m.running_mean = m.running_var = None
    try:
        yield
    finally:
        for m, (track, mean, var) in zip(norms, tracked, strict=True):
            m.track_running_stats = track
            m.running_mean, m.running_var = mean, var


def checkpoint_sequential(
    blocks: Iterable[nn.Module], x: torch.Tensor, *, enabled: bool
) -> torch.Tensor:
    """Run blocks one after the other, storing only what enters each.

    Parameters
    ----------
    blocks : iterable of torch.nn.Module
        The blocks.
    x : Tensor
        Input of the first.
    enabled : bool
        Whether to recompute inside the blocks in the backward pass; otherwise, and
        where no gradient is asked for, the blocks simply run.

    Returns
    -------
    Tensor
        Output of the last.

    Notes
    -----
    Outputs, gradients and running statistics equal those of the plain run.

    References
    ----------
    T. Chen and others (2016), Training deep nets with sublinear memory cost.

    Examples
    --------
    >>> blocks = [nn.Linear(3, 3), nn.ReLU()]
    >>> checkpoint_sequential(blocks, torch.ones(2, 3), enabled=True).shape
    torch.Size([2, 3])
    """
    for block in blocks:
        if enabled and block.training and torch.is_grad_enabled():
            x = checkpoint(
                block,
                x,
                use_reentrant=False,
                context_fn=lambda block=block: (
                    contextlib.nullcontext(),
                    _frozen_statistics(block),
                ),
            )
        else:
            x = block(x)
    return x
