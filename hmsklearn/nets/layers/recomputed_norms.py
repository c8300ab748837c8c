"""Batch norms that count a batch once though somebody else's code recomputes them.

Models of other packages bring their own gradient checkpointing, which runs batch norms
again in the backward pass and so moves their running averages twice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["count_batches_once"]

_KEPT = "_buffers_before_recomputation"


def _recomputing() -> bool:
    """Whether a backward pass is what runs this module."""
    # The question that torch.utils.checkpoint itself asks. Compiled graphs decide what
    # to recompute on their own, after the buffers were written.
    return not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1


def _lend_copies(module: nn.Module, _inputs: Any) -> None:
    if module.training and _recomputing():
        module.__dict__[_KEPT] = dict(module._buffers)
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.clone()


def _take_back(module: nn.Module, _inputs: Any, _output: Any) -> None:
    if torch.compiler.is_compiling():
        return
    kept = module.__dict__.pop(_KEPT, None)
    if kept is not None:
        module._buffers.update(kept)


def count_batches_once(module: nn.Module) -> None:
    """Let the batch norms of a module forget what they see in a backward pass.

    Parameters
    ----------
    module : torch.nn.Module
        Module whose parts are recomputed by checkpointing. Changed in place; calling
        it twice does no harm.

    Notes
    -----
    The norms get hooks that are functions of this file, so that the module can still
    be copied and pickled. Without checkpointing the hooks change nothing.

    Examples
    --------
    >>> norm = nn.BatchNorm1d(2)
    >>> count_batches_once(norm)
    >>> x = torch.ones(3, 2, requires_grad=True)
    >>> out = torch.utils.checkpoint.checkpoint(norm, x, use_reentrant=False)
    >>> out.sum().backward()
    >>> norm.num_batches_tracked.item()
    1
    """
    for norm in module.modules():
        if (
            isinstance(norm, _BatchNorm)
            and _lend_copies not in norm._forward_pre_hooks.values()
        ):
            norm.register_forward_pre_hook(_lend_copies)
            # Checkpointing leaves a block by an exception once it has all it needs.
            norm.register_forward_hook(_take_back, always_call=True)
