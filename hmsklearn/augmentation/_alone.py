"""Augmentations outside a classifier: arrays in, arrays out, seeded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

from hmsklearn.votes import check_votes

__all__ = ["apply_alone"]


def apply_alone(
    apply: Callable[[dict[str, Any], torch.Generator], dict[str, Any]],
    X: Any,
    y: Any,
    random_state: Any,
    caller: str,
) -> Any:
    """Run `apply` on what a user has: arrays, tensors or a dict of views."""
    views = (
        {name: _tensor(view) for name, view in X.items()}
        if isinstance(X, Mapping)
        else _tensor(X)
    )
    first = next(iter(views.values())) if isinstance(views, dict) else views
    batch: dict[str, Any] = {"x": views}
    if y is not None:
        batch |= _targets(y, len(first), first.device, caller)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    generator = torch.Generator(device=first.device).manual_seed(seed)
    batch = apply(batch, generator)
    if isinstance(X, Mapping):
        out: Any = {name: _like(batch["x"][name], view) for name, view in X.items()}
    else:
        out = _like(batch["x"], X)
    return out if y is None else (out, _like(batch["fractions"], y))


def _tensor(X: Any) -> torch.Tensor:
    if isinstance(X, torch.Tensor):
        return X
    X = np.asarray(X)
    # A copy: torch would warn about an array that must not be written to.
    return torch.tensor(X if X.dtype.kind == "f" else X.astype(np.float32))


def _like(result: torch.Tensor, given: Any) -> Any:
    return result if isinstance(given, torch.Tensor) else result.numpy()


def _targets(
    y: Any, n_windows: int, device: torch.device, caller: str
) -> dict[str, torch.Tensor]:
    if isinstance(y, torch.Tensor):
        return {"fractions": y}
    shape = np.shape(y)
    n_classes = shape[1] if len(shape) > 1 else 6
    classes = "hms" if n_classes == 6 else range(n_classes)
    votes = check_votes(y, classes=classes, n_windows=n_windows, caller=caller)
    return {
        "fractions": torch.from_numpy(votes.fractions).to(device),
        "total_votes": torch.from_numpy(votes.total_votes).to(device),
    }
