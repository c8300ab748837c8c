"""How far an electrode is from those nearest to it in what it records.

An electrode that came off or was touched records something that no other one does. The
distance of two electrodes is the recent mean square of their difference; a good
one has a few others close by.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, as_float, is_tensor, refuse_out
from hmsklearn.signal.exponential import exponential_mean

__all__ = ["QUALITIES", "channel_quality", "combine_quality"]

#: What :func:`channel_quality` can return.
QUALITIES = ("quality", "mask", "gof")


def channel_quality(
    X: Array,
    output: str = "quality",
    *,
    half_life: float = 65.0,
    eps: float = 100.0,
    n_nearest: int = 3,
    threshold: float = 10.0,
    out: np.ndarray | None = None,
) -> Array:
    """Judge each electrode at each moment by the electrodes that are nearest to it.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_electrodes, n_times)
        Signals against one common reference, float32 or float64, without NaN.
    output : {"quality", "mask", "gof"}, default="quality"
        ``"gof"``: how many times farther than the best electrodes this one is from its
        nearest. ``"quality"``: ``1 / (1 + gof / threshold)``, between 0 and 1.
        ``"mask"``: 1 where `gof` is below `threshold`, else 0.
    half_life : float, default=65.0
        Number of samples after which a difference weighs half.
    eps : float, default=100.0
        Added to every distance, in the squared unit of `X`.
    n_nearest : int, default=3
        Number of electrodes that count as near, less than `n_electrodes`.
    threshold : float, default=10.0
        Where quality is one half and the mask ends.
    out : ndarray of the shape of `X`, optional
        Where to write; not `X` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor of the shape of `X`
        `out`, or a new array of the type of `X`.

    Raises
    ------
    ValueError
        If `output` is not one of the three, if there are not more electrodes than
        `n_nearest`, or if `out` is given with a tensor.

    Notes
    -----
    With ``d`` the :func:`hmsklearn.signal.exponential_mean` of the squared difference
    of two electrodes, plus `eps`: an electrode's distance is the mean of its
    `n_nearest` smallest ``d``, and ``gof`` is that distance divided by (`eps` plus) the
    mean of the `n_nearest` smallest distances of all electrodes at this moment.

    All pairs are looked at, a few at a time: the memory is a few times that of one
    window.

    Examples
    --------
    >>> t = np.linspace(0, 1, 200)
    >>> X = np.stack([30 * np.sin(20 * t + phase) for phase in (0.0, 0.1, 0.2, 0.3)])
    >>> X = np.concatenate([X, [1000 * np.sin(60 * t)]])
    >>> channel_quality(X, n_nearest=2)[:, -1].round(2)
    array([0.95, 0.95, 0.95, 0.95, 0.  ])
    """
    X = as_float(X, "channel_quality")
    if output not in QUALITIES:
        raise ValueError(
            f"channel_quality: output must be one of {', '.join(QUALITIES)}, got "
            f"{output!r}."
        )
    if not 1 <= n_nearest < X.shape[-2]:
        raise ValueError(
            f"channel_quality: n_nearest={n_nearest} must be at least 1 and less than "
            f"the number of electrodes, {X.shape[-2]}."
        )
    refuse_out(X, out, "channel_quality")
    if is_tensor(X):
        local = _distances_tensor(X, half_life, eps, n_nearest)
        best = local.topk(n_nearest, dim=-2, largest=False).values
        gof = local / (best.mean(dim=-2, keepdim=True) + eps)
        if output == "gof":
            return gof
        if output == "mask":
            return (gof < threshold).to(X.dtype)
        return 1 / (gof / threshold + 1)
    if out is None:
        out = np.empty(X.shape, dtype=X.dtype)
    for where in np.ndindex(X.shape[:-2]):
        _judge(X[where], out[where], output, half_life, eps, n_nearest, threshold)
    return out


def combine_quality(
    quality: Array,
    groups: Sequence[Sequence[int]],
    output: str = "quality",
    *,
    out: np.ndarray | None = None,
) -> Array:
    """Judge derivations by the electrodes that they are made of.

    Parameters
    ----------
    quality : ndarray or Tensor of shape (..., n_electrodes, n_times)
        Result of :func:`channel_quality`.
    groups : sequence of sequences of int
        Positions of the electrodes of each derivation.
    output : {"quality", "mask", "gof"}, default="quality"
        What `quality` holds: the first two are multiplied, of the last the largest
        counts.
    out : ndarray of shape (..., len(groups), n_times), optional
        Where to write; must not overlap `quality`. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (..., len(groups), n_times)
        `out`, or a new array of the type of `quality`. A derivation without an
        electrode that was judged has quality 1 (``gof`` 0).

    Raises
    ------
    ValueError
        If `out` is given with a tensor.

    Examples
    --------
    >>> combine_quality(np.array([[1.0], [0.5], [0.8]]), [(0, 1), (1, 2), ()]).ravel()
    array([0.5, 0.4, 1. ])
    """
    quality = as_float(quality, "combine_quality")
    refuse_out(quality, out, "combine_quality")
    if is_tensor(quality):
        merge = torch.maximum if output == "gof" else torch.mul
        rows = quality.unbind(dim=-2)
        start = torch.full_like(rows[0], 0.0 if output == "gof" else 1.0)
        merged = [reduce(merge, [rows[i] for i in group], start) for group in groups]
        return torch.stack(merged, dim=-2)
    if out is None:
        shape = (*quality.shape[:-2], len(groups), quality.shape[-1])
        out = np.empty(shape, dtype=quality.dtype)
    out[...] = 0 if output == "gof" else 1
    into = np.maximum if output == "gof" else np.multiply
    for where in np.ndindex(quality.shape[:-2]):
        for row, group in zip(out[where], groups, strict=True):
            for member in group:
                into(row, quality[where][member], out=row)
    return out


def _distances_tensor(
    X: torch.Tensor, half_life: float, eps: float, n_nearest: int
) -> torch.Tensor:
    n = X.shape[-2]
    best: list[torch.Tensor] = []
    for step in range(1, n // 2 + 1):
        ahead = exponential_mean((X - X.roll(-step, dims=-2)).square(), half_life) + eps
        behind = [ahead.roll(step, dims=-2)] if 2 * step < n else []
        for distance in [ahead, *behind]:
            rest = distance
            for rank, held in enumerate(best):
                best[rank], rest = torch.minimum(held, rest), torch.maximum(held, rest)
            if len(best) < n_nearest:
                best.append(rest)
    return torch.stack(best).mean(dim=0)


def _judge(
    x: np.ndarray,
    out: np.ndarray,
    output: str,
    half_life: float,
    eps: float,
    n_nearest: int,
    threshold: float,
) -> None:
    kind = x.dtype.type
    local = _distances(x, half_life, eps, n_nearest)
    reference = np.sort(local, axis=0)[:n_nearest].mean(axis=0)
    reference += kind(eps)
    np.divide(local, reference, out=out)
    if output == "mask":
        np.less(out, kind(threshold), out=out, casting="unsafe")
    elif output == "quality":
        out /= kind(threshold)
        out += 1
        np.divide(1, out, out=out)


def _distances(
    x: np.ndarray, half_life: float, eps: float, n_nearest: int
) -> np.ndarray:
    n = len(x)
    best = np.full((n_nearest, *x.shape), np.inf, dtype=x.dtype)
    distance, behind, spare = (np.empty(x.shape, dtype=x.dtype) for _ in range(3))
    for step in range(1, n // 2 + 1):
        np.subtract(x[:-step], x[step:], out=distance[:-step])
        np.subtract(x[-step:], x[:step], out=distance[-step:])
        np.square(distance, out=distance)
        exponential_mean(distance, half_life, out=distance)
        distance += x.dtype.type(eps)
        # The distance to the electrode so many places ahead is also that one's distance
        # to the one so many behind.
        if 2 * step < n:
            behind[step:], behind[:step] = distance[:-step], distance[-step:]
            _keep_smallest(best, behind, spare)
        _keep_smallest(best, distance, spare)
    return best.mean(axis=0)


def _keep_smallest(best: np.ndarray, value: np.ndarray, spare: np.ndarray) -> None:
    """Sort values in among the smallest so far; `value` and `spare` are overwritten."""
    for held in best:
        np.maximum(held, value, out=spare)
        np.minimum(held, value, out=held)
        value, spare = spare, value
