"""Differences of channels and means over groups of them, without gathering.

Fancy indexing copies every channel that it picks. The derivations of a clinical
montage mostly advance together (F7-T3, T3-T5, T5-O1 are neighbours in memory), so
whole runs of them are one subtraction of two slices, written once into the result.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["group_means", "pair_differences"]


def _runs(
    anodes: Sequence[int], cathodes: Sequence[int]
) -> list[tuple[slice, slice, slice]]:
    """Cut the pairs into runs in which both electrodes advance by one."""
    runs = []
    start, n_pairs = 0, len(anodes)
    for stop in range(1, n_pairs + 1):
        goes_on = (
            stop < n_pairs
            and anodes[stop] == anodes[stop - 1] + 1
            and cathodes[stop] == cathodes[stop - 1] + 1
        )
        if not goes_on:
            length = stop - start
            runs.append(
                (
                    slice(start, stop),
                    slice(anodes[start], anodes[start] + length),
                    slice(cathodes[start], cathodes[start] + length),
                )
            )
            start = stop
    return runs


def pair_differences(
    X: np.ndarray,
    anodes: Sequence[int] | np.ndarray,
    cathodes: Sequence[int] | np.ndarray,
    *,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Subtract channels pair by pair.

    Parameters
    ----------
    X : ndarray of shape (n_windows, n_channels, n_times)
        Signals, float32 or float64. Axes after the second may be any.
    anodes, cathodes : sequence of int, length n_pairs
        Positions of the channels: the result is ``X[:, anodes] - X[:, cathodes]``.
    out : ndarray of shape (n_windows, n_pairs, n_times), optional
        Where to write; must not overlap `X`.

    Returns
    -------
    ndarray of shape (n_windows, n_pairs, n_times)
        `out`, or a new contiguous array of the dtype of `X`.

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
    # Slices, unlike indexing, would pass over a position that does not exist.
    positions = range(X.shape[1])
    anodes = [positions[i] for i in anodes]
    cathodes = [positions[i] for i in cathodes]
    if out is None:
        out = np.empty((X.shape[0], len(anodes), *X.shape[2:]), dtype=X.dtype)
    views = [
        (X[:, anode], X[:, cathode], out[:, pair])
        for pair, anode, cathode in _runs(anodes, cathodes)
    ]
    # Window by window: what one chain has read is in the cache for the next.
    for window in range(X.shape[0]):
        for anode, cathode, pair in views:
            np.subtract(anode[window], cathode[window], out=pair[window])
    return out


def group_means(
    X: np.ndarray,
    groups: Sequence[Sequence[int]],
    *,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Average channels or planes group by group.

    Parameters
    ----------
    X : ndarray of shape (n_windows, n_channels, ...)
        Signals or images, float32 or float64.
    groups : sequence of sequences of int
        Positions, along axis 1, of the members of each group.
    out : ndarray of shape (n_windows, n_groups, ...), optional
        Where to write; must not overlap `X`.

    Returns
    -------
    ndarray of shape (n_windows, n_groups, ...)
        `out`, or a new array of the dtype of `X`.

    Notes
    -----
    NaN in a member is NaN in its group's mean.

    Examples
    --------
    >>> group_means(np.array([[[1.0], [3.0], [5.0]]]), [(0, 1), (2,)]).ravel()
    array([2., 5.])
    """
    if out is None:
        out = np.empty((X.shape[0], len(groups), *X.shape[2:]), dtype=X.dtype)
    for x, result in zip(X, out, strict=True):
        for mean, members in zip(result, groups, strict=True):
            first, *others = members
            mean[...] = x[first]
            for member in others:
                mean += x[member]
            if others:
                mean /= len(members)
    return out
