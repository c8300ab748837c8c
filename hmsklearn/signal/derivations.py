"""Derivations of channels: differences, weighted sums, means over groups.

Fancy indexing copies every channel that it picks. The derivations of a clinical
montage mostly advance in step (F7-T3, T3-T5, T5-O1 are neighbours in memory), so
whole runs of them are one subtraction of two views, written once into the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import torch

from hmsklearn.signal._channel_apply import (
    add_common,
    blocks,
    derive_tensor,
    gather,
    multiply,
    subtract,
)
from hmsklearn.signal._channel_plan import make_plan, make_runs
from hmsklearn.signal.arrays import Array, as_float, is_tensor, refuse_out
from hmsklearn.signal.blas import one_blas_thread

__all__ = ["derive", "group_means", "pair_differences"]


def pair_differences(
    X: Array,
    anodes: Sequence[int] | np.ndarray,
    cathodes: Sequence[int] | np.ndarray,
    *,
    out: np.ndarray | None = None,
) -> Array:
    """Subtract channels pair by pair.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, n_channels, n_times)
        Signals, float32 or float64. Axes after the second may be any.
    anodes, cathodes : sequence of int, length n_pairs
        Positions of the channels: the result is ``X[:, anodes] - X[:, cathodes]``.
    out : ndarray of shape (n_windows, n_pairs, n_times), optional
        Where to write; must not overlap `X`. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (n_windows, n_pairs, n_times)
        `out`, or a new contiguous array or tensor of the dtype of `X`.

    Raises
    ------
    IndexError
        If a position does not exist.

    Notes
    -----
    Bit for bit the difference of the two channels: no matrix product is involved, so
    NaN in one electrode spoils the pairs that use it and no other.

    Examples
    --------
    >>> X = np.array([[[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]]])
    >>> pair_differences(X, [1, 2], [0, 1])
    array([[[  9.,  18.],
            [ 90., 180.]]])
    """
    X = as_float(X, "pair_differences")
    refuse_out(X, out, "pair_differences")
    pairs = _positions(X, anodes), _positions(X, cathodes)
    if len(pairs[0]) != len(pairs[1]):
        raise ValueError(
            f"pair_differences: {len(pairs[0])} anodes and {len(pairs[1])} cathodes "
            "make no pairs. Give as many of the one as of the other."
        )
    if is_tensor(X):
        return gather(X, pairs[0]) - gather(X, pairs[1])
    if out is None:
        out = np.empty((X.shape[0], len(pairs[0]), *X.shape[2:]), dtype=X.dtype)
    runs = make_runs(tuple(enumerate(zip(*pairs, strict=True))))
    for block in blocks(X):
        subtract(X[block], runs, out[block])
    return out


def derive(X: Array, matrix: np.ndarray, *, out: np.ndarray | None = None) -> Array:
    """Apply a derivation matrix to the channels.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, n_channels, n_times)
        Signals, float32 or float64. Axes after the second may be any.
    matrix : ndarray of shape (n_derivations, n_channels)
        Weights, such as :meth:`hmsklearn.montage.Montage.matrix` or the ``matrix`` of
        a :class:`hmsklearn.montage.Flip`.
    out : ndarray of shape (n_windows, n_derivations, n_times), optional
        Where to write; must not overlap `X`. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (n_windows, n_derivations, n_times)
        `out`, or a new array or tensor of the dtype of `X`.

    Raises
    ------
    ValueError
        If the matrix has another number of columns than `X` has channels, or holds a
        row of zeros or a weight that is not finite.

    Notes
    -----
    A channel whose weight is zero is not looked at: NaN in it spoils nothing, as it
    would in a matrix product. Differences of two channels and single channels are
    computed as such, bit for bit; of other sums, a value that is not finite spoils
    those that use it.

    Examples
    --------
    >>> X = np.array([[[1.0], [2.0], [6.0], [np.nan]]])
    >>> mean = np.array([[1, 1, 1, 0]]) / 3
    >>> derive(X, np.concatenate([[[1, -1, 0, 0], [0, 0, 0, 1]], mean])).ravel()
    array([-1., nan,  3.])
    """
    X = as_float(X, "derive")
    refuse_out(X, out, "derive")
    matrix = np.ascontiguousarray(matrix, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != X.shape[1]:
        raise ValueError(
            f"derive: matrix has shape {matrix.shape}, expected (n_derivations, "
            f"{X.shape[1]}), one column for each of the channels (axis 1) of X."
        )
    if not (np.isfinite(matrix).all() and matrix.any(axis=1).all()):
        raise ValueError(
            "derive: matrix must hold finite weights and no row of zeros, which would "
            f"derive nothing, got {matrix.tolist()}."
        )
    plan = make_plan(matrix.tobytes(), matrix.shape)
    if is_tensor(X):
        return derive_tensor(X, plan)
    if out is None:
        out = np.empty((X.shape[0], len(matrix), *X.shape[2:]), dtype=X.dtype)
    for block in blocks(X):
        subtract(X[block], plan.runs, out[block])
        for row, channel, weight in plan.singles:
            np.multiply(X[block, channel], X.dtype.type(weight), out=out[block, row])
    with one_blas_thread() if plan.common or plan.sums else nullcontext():
        if plan.common:
            add_common(X, plan.common, out)
        if plan.sums:
            multiply(X, plan.sums, out)
    return out


def group_means(
    X: Array,
    groups: Sequence[Sequence[int]],
    *,
    out: np.ndarray | None = None,
) -> Array:
    """Average channels or planes group by group.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, n_channels, ...)
        Signals or images, float32 or float64.
    groups : sequence of sequences of int
        Positions, along axis 1, of the members of each group.
    out : ndarray of shape (n_windows, n_groups, ...), optional
        Where to write; must not overlap `X`. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (n_windows, n_groups, ...)
        `out`, or a new array or tensor of the dtype of `X`.

    Raises
    ------
    IndexError
        If a position does not exist.
    ValueError
        If a group is empty.

    Notes
    -----
    NaN in a member is NaN in its group's mean.

    Examples
    --------
    >>> group_means(np.array([[[1.0], [3.0], [5.0]]]), [(0, 1), (2,)]).ravel()
    array([2., 5.])
    """
    X = as_float(X, "group_means")
    refuse_out(X, out, "group_means")
    places = [_positions(X, members) for members in groups]
    if not all(places):
        raise ValueError("group_means: a group has no members, so it has no mean.")
    if is_tensor(X):
        means = [gather(X, members).mean(dim=1) for members in places]
        return torch.stack(means, dim=1)
    if out is None:
        out = np.empty((X.shape[0], len(places), *X.shape[2:]), dtype=X.dtype)
    for x, result in zip(X, out, strict=True):
        for mean, members in zip(result, places, strict=True):
            first, *others = members
            mean[...] = x[first]
            for member in others:
                mean += x[member]
            if others:
                mean /= len(members)
    return out


def _positions(X: Array, positions: Sequence[int] | np.ndarray) -> tuple[int, ...]:
    # Slices, unlike indexing, would pass over a position that does not exist.
    known = range(X.shape[1])
    return tuple(known[i] for i in positions)
