"""Products of float32 tensors in float32, whatever the surroundings ask for.

Training speeds matrix products up by rounding their factors: ``torch.autocast`` to 16
bits, ``torch.set_float32_matmul_precision`` to TF32 or bfloat16. Activations of a net
bear that. A filter does not: microvolts that ride on millivolts would be gone.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import torch

from hmsklearn.signal.arrays import Array

__all__ = ["full_precision"]


class _Setting:
    """Which setting was in force before the first of those who overlap."""

    lock = threading.Lock()
    depth = 0
    before: Any = None


def _raise() -> Any:
    """Ask torch for exact products; returns what was set before, None for that."""
    try:
        before = torch.get_float32_matmul_precision()
    except RuntimeError:
        # torch refuses the old way once somebody has used the new one.
        backends: Any = torch.backends
        backends = backends.cuda.matmul, backends.mkldnn.matmul
        kept = [(backend, backend.fp32_precision) for backend in backends]
        for backend in backends:
            backend.fp32_precision = "ieee"
        return kept
    if before == "highest":
        return None
    torch.set_float32_matmul_precision("highest")
    return before


def _restore(before: Any) -> None:
    if isinstance(before, str):
        torch.set_float32_matmul_precision(before)
    elif before is not None:
        for backend, precision in before:
            backend.fp32_precision = precision


@contextlib.contextmanager
def full_precision(X: Array) -> Iterator[None]:
    """Run a block in which products of tensors are as exact as their type.

    Parameters
    ----------
    X : Tensor
        The data: autocast is switched off for its kind of device.

    Yields
    ------
    None
        Nothing.

    Notes
    -----
    The precision of products belongs to the process. The thread that comes first
    raises it, the last one to leave sets it back. Gradients are computed later, with
    the precision that holds then.

    Examples
    --------
    >>> X = torch.ones(2, 2)
    >>> with torch.autocast("cpu", dtype=torch.bfloat16):
    ...     with full_precision(X):
    ...         (X @ X).dtype
    torch.float32
    """
    with torch.autocast(X.device.type, enabled=False):
        with _Setting.lock:
            if _Setting.depth == 0:
                _Setting.before = _raise()
            _Setting.depth += 1
        try:
            yield
        finally:
            with _Setting.lock:
                _Setting.depth -= 1
                if _Setting.depth == 0:
                    _restore(_Setting.before)
                    _Setting.before = None
