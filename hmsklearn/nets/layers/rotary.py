"""Rotary position embedding: queries and keys turn with their position."""

from __future__ import annotations

import torch

__all__ = ["rotary_angles", "rotate"]


def rotary_angles(
    n_steps: int, width: int, base: float = 10000.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines by which pairs of numbers turn at each step.

    Parameters
    ----------
    n_steps : int
        Number of positions.
    width : int
        Width of a head. Of an odd one the last number is left alone.
    base : float, default=10000.0
        The slowest pair turns about this many times more slowly than the first one,
        which turns by one radian a step.

    Returns
    -------
    cos, sin : Tensor of shape (n_steps, width // 2)
        Of step times ``base ** (-2 * pair / (2 * (width // 2)))``.

    References
    ----------
    J. Su and others (2021), RoFormer: enhanced transformer with rotary position
    embedding.

    Examples
    --------
    >>> cos, sin = rotary_angles(5, 8)
    >>> cos.shape
    torch.Size([5, 4])
    """
    n_pairs = width // 2
    speeds = base ** (-torch.arange(n_pairs, dtype=torch.float64) / max(n_pairs, 1))
    angles = torch.arange(n_steps, dtype=torch.float64)[:, None] * speeds
    return angles.cos().float(), angles.sin().float()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn pairs of numbers; afterwards products know the distance of positions alone.

    Parameters
    ----------
    x : Tensor of shape (..., n_steps, width)
        Queries or keys.
    cos, sin : Tensor of shape (n_steps, width // 2)
        What :func:`hmsklearn.nets.layers.rotary_angles` gave.

    Returns
    -------
    Tensor
        Turned numbers of the same shape and type. Number i of the first half and
        number i of the second half are a pair.

    References
    ----------
    As of :func:`hmsklearn.nets.layers.rotary_angles`; pairs of halves as in GPT-NeoX.

    Examples
    --------
    >>> cos, sin = rotary_angles(3, 2)
    >>> rotate(torch.tensor([[1.0, 0.0]] * 3), cos, sin)
    tensor([[ 1.0000,  0.0000],
            [ 0.5403,  0.8415],
            [-0.4161,  0.9093]])
    """
    n_pairs = cos.shape[-1]
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    first, second = x[..., :n_pairs], x[..., n_pairs : 2 * n_pairs]
    turned = [first * cos - second * sin, second * cos + first * sin]
    return torch.cat([*turned, x[..., 2 * n_pairs :]], dim=-1)
