"""The mean of the past that forgets: exponential weights, from the first sample on."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from scipy.signal import lfilter

from hmsklearn.signal.arrays import Array, Constant, as_float, is_tensor, refuse_out

__all__ = ["exponential_mean"]


def exponential_mean(
    X: Array, half_life: float, *, out: np.ndarray | None = None
) -> Array:
    """Average each sample and those before it, with weights that halve in a given time.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_times)
        Signals, float32 or float64.
    half_life : float
        Number of samples after which a sample weighs half, above 0.
    out : ndarray of the shape of `X`, optional
        Where to write; may be `X` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new array of the type of `X`. The first sample is itself.

    Raises
    ------
    ValueError
        If `half_life` is not above 0, or `out` is given with a tensor.

    Notes
    -----
    The weights of the samples that there are sum to one at every moment, as in pandas'
    ``ewm(halflife=half_life, adjust=True).mean()``. Nothing of the future enters. NaN
    makes NaN of all that follows.

    Arrays go through SciPy's recursion in float64. Tensors are cut into blocks: within
    a block and among the blocks the mean is a triangular matrix, so that no loop runs
    over samples.

    Examples
    --------
    >>> exponential_mean(np.array([3.0, 0.0, 0.0]), half_life=1.0)
    array([3.        , 1.        , 0.42857143])
    """
    X = as_float(X, "exponential_mean")
    if not half_life > 0:
        raise ValueError(
            f"exponential_mean: half_life must be above 0, got {half_life!r}."
        )
    refuse_out(X, out, "exponential_mean")
    n_times = X.shape[-1]
    total = _total_weight(n_times, float(half_life))
    if is_tensor(X):
        return _sum_tensor(X, float(half_life)) / total.like(X)
    if out is None:
        out = np.empty(X.shape, dtype=X.dtype)
    decay = 0.5 ** (1 / half_life)
    for where in np.ndindex(X.shape[:-2]):
        sums = lfilter([1.0], [1.0, -decay], X[where].astype(np.float64), axis=-1)
        np.divide(sums, total.value, out=out[where], casting="same_kind")
    return out


@lru_cache(maxsize=8)
def _total_weight(n_times: int, half_life: float) -> Constant:
    """Sum of the weights at each sample: 1, 1 + d, 1 + d + d ** 2, ..."""
    sums = np.expm1(math.log(0.5) / half_life * np.arange(1, n_times + 1))
    return Constant(sums / sums[0])


@lru_cache(maxsize=8)
def _blocks(n_times: int, half_life: float) -> tuple[int, Constant, Constant, Constant]:
    """Length of a block, and the weights within it, of the blocks before, of those now.

    Sample i of a block gets ``d ** (i - j)`` of sample j of the same block, and
    ``d ** (i + 1)`` of the sum with which the block before it ended.
    """
    length = max(1, math.isqrt(n_times))
    n_blocks = -(-n_times // length)
    age = np.arange(length)[:, None] - np.arange(length)
    within = np.where(age >= 0, 0.5 ** (np.maximum(age, 0) / half_life), 0.0)
    age = np.arange(n_blocks)[:, None] - 1 - np.arange(n_blocks)
    among = np.where(age >= 0, 0.5 ** (length * np.maximum(age, 0) / half_life), 0.0)
    fade = 0.5 ** (np.arange(1, length + 1) / half_life)
    return length, Constant(within.T), Constant(among.T), Constant(fade)


def _sum_tensor(X: torch.Tensor, half_life: float) -> torch.Tensor:
    n_times = X.shape[-1]
    length, within, among, fade = _blocks(n_times, half_life)
    padded = torch.nn.functional.pad(X, (0, -n_times % length))
    sums = padded.unflatten(-1, (-1, length)) @ within.like(X)
    before = sums[..., -1] @ among.like(X)
    sums = sums + before[..., None] * fade.like(X)
    return sums.flatten(-2)[..., :n_times]
