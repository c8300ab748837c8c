"""Carrying out what a plan says about channels, on arrays and on tensors."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np
import torch

from hmsklearn.signal._channel_plan import Common, Plan, Run, Sums
from hmsklearn.signal.arrays import Constant

__all__ = ["add_common", "blocks", "derive_tensor", "gather", "multiply", "subtract"]

# So many bytes of windows at a time: what one run has read is in the cache for the
# next, and short windows share the price of a call.
_BLOCK_BYTES = 2**20


def blocks(X: np.ndarray) -> list[slice]:
    step = max(1, _BLOCK_BYTES // max(1, X[:1].nbytes))
    return [slice(start, start + step) for start in range(0, len(X), step)]


def subtract(X: np.ndarray, runs: tuple[Run, ...], out: np.ndarray) -> None:
    # Without the axis of one window, NumPy sees that neighbouring rows are one vector.
    alone = len(X) == 1
    for run in runs:
        anode, cathode, result = (
            (X[0, run.anode], X[0, run.cathode], out[0, run.out])
            if alone
            else (X[:, run.anode], X[:, run.cathode], out[:, run.out])
        )
        np.subtract(anode, cathode, out=result)


def add_common(X: np.ndarray, common: Common, out: np.ndarray) -> None:
    weights, channels = common.weights.like(X)[0], _slice_or_list(common.channels)
    rows, own = _slice_or_list(common.rows), _slice_or_list(common.own_channels)
    factor = np.array(common.own_weights, X.dtype).reshape(-1, *(1,) * (X.ndim - 2))
    plain = bool((factor == 1).all())
    with np.errstate(invalid="ignore", over="ignore"):
        for x, target in zip(X, out, strict=True):
            used = x[channels].reshape(len(common.channels), prod(x.shape[1:]))
            total = (weights @ used).reshape(x.shape[1:])
            # A list of rows, unlike a slice, would not let us write into them.
            result = target[rows]
            np.add(x[own] if plain else x[own] * factor, total, out=result)
            if isinstance(rows, list):
                target[rows] = result


def multiply(X: np.ndarray, sums: Sums, out: np.ndarray) -> None:
    weights = sums.weights.like(X)
    rows, channels = _slice_or_list(sums.rows), _slice_or_list(sums.channels)
    result = None
    for x, target in zip(X, out, strict=True):
        used = x[channels].reshape(len(sums.channels), prod(x.shape[1:]))
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(np.vdot(used, used))
        missing = None if finite else ~np.isfinite(used)
        if missing is not None:
            used = np.where(missing, X.dtype.type(0), used)
        result = np.matmul(weights, used, out=result)
        if missing is not None:
            for channel in np.flatnonzero(missing.any(axis=1)):
                users = np.flatnonzero(weights[:, channel])
                result[np.ix_(users, missing[channel])] = np.nan
        target[rows] = result.reshape(len(sums.rows), *x.shape[1:])


def _slice_or_list(positions: tuple[int, ...]) -> slice | list[int]:
    first = positions[0] if positions else 0
    neighbours = slice(first, first + len(positions))
    if positions == tuple(range(neighbours.start, neighbours.stop)):
        return neighbours
    return list(positions)


# -- tensors ---------------------------------------------------------------------------


def derive_tensor(X: torch.Tensor, plan: Plan) -> torch.Tensor:
    parts = []
    if plan.pairs:
        anodes, cathodes = zip(*(pair for _, pair in plan.pairs), strict=True)
        parts.append(gather(X, anodes) - gather(X, cathodes))
    if plan.singles:
        _, channels, weights = zip(*plan.singles, strict=True)
        part = X.index_select(1, _index(channels, X.device))
        if any(weight != 1 for weight in weights):
            part = part * _column(weights, X)
        parts.append(part)
    if plan.common is not None:
        used = gather(X, plan.common.channels).flatten(2)
        total = (plan.common.weights.like(X) @ used).unflatten(2, X.shape[2:])
        own = gather(X, plan.common.own_channels)
        parts.append(own * _column(plan.common.own_weights, X) + total)
    if plan.sums is not None:
        used = gather(X, plan.sums.channels).flatten(2)
        missing = ~torch.isfinite(used)
        weights = plan.sums.weights.like(X)
        part = weights @ used.masked_fill(missing, 0)
        spoilt = (weights != 0).to(X.dtype) @ missing.to(X.dtype) > 0
        part = part.masked_fill(spoilt, torch.nan)
        parts.append(part.unflatten(2, X.shape[2:]))
    whole = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    return gather(whole, plan.place)


def _column(weights: tuple[float, ...], X: torch.Tensor) -> torch.Tensor:
    return _constant(weights).like(X).reshape(-1, *(1,) * (X.ndim - 2))


@lru_cache(maxsize=64)
def _constant(weights: tuple[float, ...]) -> Constant:
    return Constant(weights)


def gather(X: torch.Tensor, positions: tuple[int, ...]) -> torch.Tensor:
    """Pick channels; a run of neighbours is a view."""
    where = _slice_or_list(positions)
    if isinstance(where, slice):
        return X[:, where]
    return X.index_select(1, _index(positions, X.device))


@lru_cache(maxsize=256)
def _index(positions: tuple[int, ...], device: torch.device) -> torch.Tensor:
    # Kept on the device, so that a GPU does not wait for the same numbers each batch.
    with torch.inference_mode(False):
        return torch.tensor(positions, device=device)
