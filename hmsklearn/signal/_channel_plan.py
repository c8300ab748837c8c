"""How to derive channels: which rows are differences, which need a matrix product.

Positions and weights are looked at once; the plan that comes out is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hmsklearn.signal.arrays import Constant

__all__ = ["Common", "Plan", "Run", "Sums", "make_plan", "make_runs"]

# Differences of weights come this close to the whole number or zero that they are.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Run:
    """Pairs that advance in step: one subtraction of two views."""

    out: slice
    anode: slice
    cathode: slice


@dataclass(frozen=True)
class Sums:
    """Rows that need a matrix product, and the channels that they use."""

    rows: tuple[int, ...]
    channels: tuple[int, ...]
    weights: Constant


@dataclass(frozen=True)
class Common:
    """Rows that are one sum of channels for all, and a multiple of a channel each.

    Minus the mean of all, or of all others: a sum instead of a matrix product. Every
    row has a weight for every channel of the sum, so that NaN spoils what it should.
    """

    rows: tuple[int, ...]
    channels: tuple[int, ...]
    weights: Constant
    own_channels: tuple[int, ...]
    own_weights: tuple[float, ...]


@dataclass(frozen=True)
class Plan:
    """How to apply a matrix. The kinds of rows come in any order, `place` undoes it."""

    runs: tuple[Run, ...]
    pairs: tuple[tuple[int, tuple[int, int]], ...]
    singles: tuple[tuple[int, int, float], ...]
    common: Common | None
    sums: Sums | None
    place: tuple[int, ...]


@lru_cache(maxsize=64)
def make_plan(data: bytes, shape: tuple[int, int]) -> Plan:
    """Sort the rows of a float64 matrix, given as bytes, by what they take."""
    matrix = np.frombuffer(data).reshape(shape)
    pairs, singles, rest = [], [], []
    for row, weights in enumerate(matrix):
        used = np.flatnonzero(weights)
        if len(used) == 2 and sorted(weights[used]) == [-1.0, 1.0]:
            pair = int(weights.argmax()), int(weights.argmin())
            pairs.append((row, pair))
        elif len(used) == 1:
            singles.append((row, int(used[0]), float(weights[used[0]])))
        else:
            rest.append(row)
    kinds = [row for row, *_ in (*pairs, *singles)] + rest
    place = tuple(np.argsort(kinds).tolist())
    common = sums = None
    if rest:
        common = _find_common(matrix, rest)
        if common is None:
            channels = np.flatnonzero(matrix[rest].any(axis=0)).tolist()
            part = Constant(matrix[np.ix_(rest, channels)])
            sums = Sums(tuple(rest), tuple(channels), part)
    return Plan(
        make_runs(tuple(pairs)), tuple(pairs), tuple(singles), common, sums, place
    )


def _find_common(matrix: np.ndarray, rows: list[int]) -> Common | None:
    part = matrix[rows]
    usual = np.zeros(part.shape[1])
    for channel in np.flatnonzero((part != 0).all(axis=0)):
        values, counts = np.unique(part[:, channel], return_counts=True)
        usual[channel] = values[counts.argmax()]
    own = part - usual
    own[np.abs(own) < _ROUNDING] = 0.0
    own = np.where(np.abs(own - np.round(own)) < _ROUNDING, np.round(own), own)
    channels = np.flatnonzero(usual).tolist()
    if len(rows) < 3 or len(channels) < 3 or ((own != 0).sum(axis=1) > 1).any():
        return None
    # A row without a channel of its own gets one of the sum, with weight zero.
    chosen = [int(np.flatnonzero(row)[0]) if row.any() else channels[0] for row in own]
    return Common(
        tuple(rows),
        tuple(channels),
        Constant(usual[None, channels]),
        tuple(chosen),
        tuple(float(row[i]) for row, i in zip(own, chosen, strict=True)),
    )


@lru_cache(maxsize=64)
def make_runs(pairs: tuple[tuple[int, tuple[int, int]], ...]) -> tuple[Run, ...]:
    """Cut the pairs into as few runs as a greedy search finds.

    The runs are sorted by the furthest channel that they read, so that a window passes
    through the cache once, front to back.
    """
    left: list[tuple[int, ...]] = [(row, *pair) for row, pair in pairs]
    found: list[list[tuple[int, ...]]] = []
    while left:
        free = set(left)
        for run in sorted(_progressions(left), key=len, reverse=True):
            if free.issuperset(run):
                free.difference_update(run)
                found.append(run)
        left = [triple for triple in left if triple in free]
    found.sort(key=lambda run: max(max(anode, cathode) for _, anode, cathode in run))
    return tuple(Run(*map(_slice, zip(*run, strict=True))) for run in found)


def _progressions(triples: list[tuple[int, ...]]) -> list[list[tuple[int, ...]]]:
    there = set(triples)
    found = [[triple] for triple in triples]
    for i, first in enumerate(triples):
        for second in triples[i + 1 :]:
            step = [b - a for a, b in zip(first, second, strict=True)]
            run, following = [first], second
            while following in there:
                run.append(following)
                following = tuple(a + b for a, b in zip(following, step, strict=True))
            found.append(run)
    return found


def _slice(positions: tuple[int, ...]) -> slice:
    """Make a slice of a progression; of one channel where it stands still."""
    start = positions[0]
    step = positions[1] - start if len(positions) > 1 else 0
    if step == 0:
        return slice(start, start + 1)
    stop = start + step * len(positions)
    return slice(start, stop if stop >= 0 else None, step)
