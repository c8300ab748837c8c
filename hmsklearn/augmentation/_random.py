"""Random numbers and masks, one row for each window, on the device of the data.

Nothing here asks the device for a value: what depends on chance stays in tensors, so
that the host never waits.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch

__all__ = [
    "beta",
    "coin",
    "constant",
    "draw_spans",
    "inside",
    "partners",
    "shuffled",
    "spread",
    "subset",
    "uniform",
    "whole",
]

Generator = torch.Generator | None
Shape = int | tuple[int, ...]


def _shape(shape: Shape) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else shape


def uniform(
    shape: Shape, x: torch.Tensor, generator: Generator, low: Any = 0.0, high: Any = 1.0
) -> torch.Tensor:
    """Real numbers between two bounds, each a number or a tensor."""
    draws = torch.rand(_shape(shape), generator=generator, device=x.device)
    return low + (high - low) * draws


def whole(
    shape: Shape, x: torch.Tensor, generator: Generator, low: int, high: int
) -> torch.Tensor:
    """Whole numbers, both bounds included."""
    return torch.randint(
        low, high + 1, _shape(shape), generator=generator, device=x.device
    )


def coin(n: int, p: float, x: torch.Tensor, generator: Generator) -> torch.Tensor:
    """Throw coins: True with probability `p`, always for 1, never for 0."""
    return uniform(n, x, generator) < p


def beta(n: int, alpha: float, x: torch.Tensor, generator: Generator) -> torch.Tensor:
    """Draw from the symmetric beta distribution.

    By a transformation of two uniform numbers (Devroye, Random variate generation in
    one line of code, 1996), since torch's distributions take no generator.
    """
    angle = torch.cos(2 * torch.pi * uniform(n, x, generator))
    radius = uniform(n, x, generator) ** (-1 / alpha) - 1
    # Written so that an infinite radius is not divided by itself.
    distance = (1 + 1 / (radius * angle.square())).rsqrt()
    return 0.5 + 0.5 * angle.sign() * distance


def shuffled(n: int, k: int, x: torch.Tensor, generator: Generator) -> torch.Tensor:
    """Put the numbers 0 .. k - 1 into `n` random orders, shape (n, k)."""
    return uniform((n, k), x, generator).argsort(dim=1)


def subset(
    k: int, counts: torch.Tensor, x: torch.Tensor, generator: Generator
) -> torch.Tensor:
    """Mark ``counts[i]`` of `k` things at random in row i, shape (n, k)."""
    return shuffled(len(counts), k, x, generator) < counts[:, None]


def partners(
    n: int,
    x: torch.Tensor,
    generator: Generator,
    fractions: torch.Tensor | None = None,
) -> torch.Tensor:
    """Another window for each; of the same first class where fractions are given.

    A window that is alone in its class is its own partner.
    """
    if fractions is None:
        return shuffled(1, n, x, generator)[0]
    first = fractions.argmax(dim=1).to(x.device)
    own = torch.arange(n, device=x.device)
    alike = (first[:, None] == first) & (own[:, None] != own)
    scores = uniform((n, n), x, generator).where(alike, -1.0)
    return torch.where(alike.any(dim=1), scores.argmax(dim=1), own)


def spread(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Append axes, so that values for windows (and channels) meet those of `x`."""
    return values.reshape(values.shape + (1,) * (x.ndim - values.ndim))


def draw_spans(
    n: int,
    k: int,
    lengths: tuple[int, int] | tuple[float, float],
    size: int,
    x: torch.Tensor,
    generator: Generator,
    *,
    caller: str,
) -> torch.Tensor:
    """`k` stretches of an axis for each window: starts and stops as shares of it.

    Shares, since other views of the window may have another number of samples. On
    an axis of `size` they are whole samples. Shape (2, n, k).
    """
    low, high = lengths
    if isinstance(low, int):
        if high > size and k > 0:
            raise ValueError(
                f"{caller}: a stretch of {high} does not fit into an axis of {size}. "
                "Give a shorter one, or a share of the axis as a float."
            )
        length = whole((n, k), x, generator, low, int(high)).float()
    else:
        length = (uniform((n, k), x, generator, low, high) * size).round()
    room = size - length + 1
    start = (uniform((n, k), x, generator) * room).floor().minimum(room - 1)
    return torch.stack([start, start + length]) / size


def inside(size: int, spans: torch.Tensor) -> torch.Tensor:
    """Mark the samples whose middle lies in a stretch, shape (n, k, size)."""
    middles = (torch.arange(size, device=spans.device) + 0.5) / size
    start, stop = spans[..., None]
    return (middles >= start) & (middles < stop)


def constant(values: tuple[Any, ...], device: torch.device) -> torch.Tensor:
    """Keep numbers on a device, to which they are sent once."""
    return _constant(values, tuple(map(type, values)), device)


@lru_cache(maxsize=64)
def _constant(
    values: tuple[float, ...], types: tuple[type, ...], device: torch.device
) -> torch.Tensor:
    # (1, 0) and (1.0, 0.0) are equal, and one key, but not one tensor.
    return torch.tensor(values, device=device)
