"""Gradient checkpointing that leaves batch normalisation's statistics right.

Recomputing a block in the backward pass runs its batch norms a second time, which
would count every batch twice in their running averages. Here the second run updates
copies of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

__all__ = ["checkpoint_sequential"]


@contextlib.contextmanager
def _spare_statistics(module: nn.Module) -> Iterator[None]:
    """Let batch norms update copies of their buffers, which are then forgotten."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm)]
    kept = [dict(m._buffers) for m in norms]
    for m in norms:
        for name, buffer in m._buffers.items():
            m._buffers[name] = None if buffer is None else buffer.clone()
    try:
        yield
    finally:
        for m, buffers in zip(norms, kept, strict=True):
            m._buffers.update(buffers)


def _contexts(block: nn.Module) -> tuple[Any, Any]:
    """Contexts of the forward pass and of its repetition."""
    return contextlib.nullcontext(), _spare_statistics(block)


def _options(block: nn.Module) -> dict[str, Any]:
    # Compiled graphs write statistics in the forward pass alone and take no contexts.
    if torch.compiler.is_compiling():
        return {}
    return {"context_fn": partial(_contexts, block)}


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
    Outputs, gradients and running statistics equal those of the plain run, compiled by
    ``torch.compile`` or not.

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
            x = checkpoint(block, x, use_reentrant=False, **_options(block))
        else:
            x = block(x)
    return x
