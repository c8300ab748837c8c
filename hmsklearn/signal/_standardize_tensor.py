"""The standardisations of :mod:`hmsklearn.signal.standardize` for tensors.

Nothing is asked of the values on the way, since that would make a GPU wait: NaN is
masked whether there is any or not.
"""

from __future__ import annotations

import torch

__all__ = ["range_tensor", "zscore_tensor"]


def zscore_tensor(x: torch.Tensor, *, eps: float, fill: float) -> torch.Tensor:
    """Standardise along the last axis."""
    gaps = torch.isnan(x)
    count = (~gaps).sum(dim=-1, keepdim=True).clamp(min=1)
    pivot = torch.where(gaps, torch.inf, x.detach()).amin(dim=-1, keepdim=True)
    y = torch.where(gaps, 0.0, x - pivot)
    y = y - y.sum(dim=-1, keepdim=True) / count
    y = torch.where(gaps, 0.0, y)
    variance = y.square().sum(dim=-1, keepdim=True) / count
    # The root of zero has no derivative: constants pass none, as they should.
    some = variance > 0
    spread = torch.where(some, torch.where(some, variance, 1.0).sqrt(), 0.0) + eps
    y = y / torch.where(spread == 0, 1.0, spread)
    return torch.where(gaps, fill, y)


def range_tensor(
    x: torch.Tensor,
    *,
    eps: float,
    fill: float,
    quantiles: tuple[float, float] | None,
    ends: tuple[float, float],
) -> torch.Tensor:
    """Bring the last axis from its range, or from its quantiles, to another range."""
    gaps = torch.isnan(x)
    x = torch.where(gaps, 0.0, x)
    above = torch.where(gaps, torch.inf, x)
    if quantiles is None:
        low = above.amin(dim=-1, keepdim=True)
        high = torch.where(gaps, -torch.inf, x).amax(dim=-1, keepdim=True)
    else:
        # NaN sorts behind everything, and the places are counted without it.
        ordered = above.sort(dim=-1).values
        count = (~gaps).sum(dim=-1, keepdim=True)
        low, high = (_at(ordered, share, count) for share in quantiles)
    low, high = (torch.where(torch.isinf(end), 0.0, end) for end in (low, high))
    if quantiles is not None:
        x = torch.minimum(torch.maximum(x, low), high)
    width = high - low + eps
    width = torch.where(width == 0, 1.0, width)
    y = (x - low) * ((ends[1] - ends[0]) / width) + ends[0]
    return torch.where(gaps, fill, y)


def _at(ordered: torch.Tensor, share: float, count: torch.Tensor) -> torch.Tensor:
    """Quantile of the first `count` of ordered values, interpolated."""
    last = (count - 1).clamp(min=0)
    place = last.to(torch.float64) * share
    left = place.floor()
    part = (place - left).to(ordered.dtype)
    left = left.to(torch.int64)
    right = torch.minimum(left + 1, last)
    one, other = ordered.gather(-1, left), ordered.gather(-1, right)
    # The infinity that stands for nothing must not meet itself.
    gap = torch.where(torch.isinf(one) | torch.isinf(other), 0.0, other - one)
    return one + gap * part
