"""Lines of a given width, as edges, and the ink between the edges.

A stroke of width ``w`` with round joins and caps is the line widened by a disc of that
diameter. Since a signal has one height at each moment, the part of its stroke above a
point of the time axis is one interval, from the lowest ``line - disc`` to the highest
``line + disc`` within half a line width to both sides. So a picture of it is described
by two edges. They are found at four to six points in each column of pixels; a pixel's
ink is the mean, over these, of the share of its height that lies between the edges.
Heights are exact, and no sample is skipped, however many fall into one column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, Constant, is_tensor, namespace

if TYPE_CHECKING:
    from hmsklearn.signal.traces import Lanes

__all__ = ["fill", "fill_tensor", "stroke_edges"]

# Numbers of points, in each column of pixels, at which the edges may be found.
_POINTS = (4, 5, 6)
# So much is filled at a time: two arrays of this size stay in the cache.
_SCRATCH_BYTES = 2**18


class _Indices:
    """Arrays of positions, and their copies on the devices they are asked for."""

    def __init__(self, arrays: Iterable[np.ndarray]) -> None:
        self.arrays = list(arrays)
        self._copies: dict[torch.device, list[torch.Tensor]] = {}

    def like(self, X: Array) -> list[Array]:
        if not is_tensor(X):
            return self.arrays
        if X.device not in self._copies:
            with torch.inference_mode(False):
                self._copies[X.device] = [
                    torch.tensor(array, device=X.device) for array in self.arrays
                ]
        return self._copies[X.device]


class _Sampling:
    """Which samples make the line at the points of the time axis, and between them.

    There are points beyond both ends of the image, so that half a line width can be
    seen to both sides of each column. Between two points lies the piece of the line
    that begins and ends there and runs through the samples in between.
    """

    def __init__(self, n_times: int, width: int, line_width: float) -> None:
        # Half the line width should be a whole number of steps from point to point.
        self.per_column = min(
            _POINTS, key=lambda n: abs(_steps(line_width, n) / n - line_width / 2)
        )
        self.margin = margin = _steps(line_width, self.per_column)
        self.n_points = width * self.per_column
        points = (np.arange(-margin, self.n_points + margin) + 0.5) / self.per_column
        at = np.clip(points * n_times / width - 0.5, 0.0, n_times - 1.0)
        before = np.floor(at).astype(np.intp)
        self.share = Constant(at - before)
        first = before[:-1] + 1
        n_between = np.maximum(np.ceil(at[1:]).astype(np.intp) - first, 0)
        # Positions in the middles of the pieces and the samples, put one after the
        # other. A piece with fewer samples than others takes its last one again, one
        # without any its middle.
        steps = np.arange(max(1, n_between.max()), dtype=np.intp)[:, None]
        between = len(first) + first + np.minimum(steps, n_between - 1)
        between = np.where(n_between > 0, between, np.arange(len(first)))
        after = np.minimum(before + 1, n_times - 1)
        self.indices = _Indices([before, after, *between])


def _steps(line_width: float, per_column: int) -> int:
    return max(1, round(line_width / 2 * per_column))


@lru_cache(maxsize=32)
def _sampling(n_times: int, width: int, line_width: float) -> _Sampling:
    return _Sampling(n_times, width, line_width)


@lru_cache(maxsize=64)
def _offsets(lanes: Lanes) -> Constant:
    # From the first row of each lane: small numbers are precise ones.
    return Constant(np.subtract(lanes.centres, lanes.first))


def _pick(values: Array, indices: Array) -> Array:
    if is_tensor(values):
        return values.index_select(0, indices)
    return values.take(indices, axis=0)


def stroke_edges(
    signals: Array, lanes: Lanes, width: int, line_width: float
) -> tuple[Array, Array]:
    """Find the upper and the lower edge of each stroke.

    Time, the first axis, becomes points; the last axis is the channels. Signals are
    pixels below the lane's centre, at most ``lanes.reach``; edges are pixels below the
    lane's first row.
    """
    xp = namespace(signals)
    sampling = _sampling(signals.shape[0], width, line_width)
    before, after, *between = sampling.indices.like(signals)
    line = signals + _offsets(lanes).like(signals)
    share = sampling.share.like(signals).reshape(-1, *[1] * (signals.ndim - 1))
    start = _pick(line, before)
    points = start + (_pick(line, after) - start) * share
    line = xp.concatenate(((points[:-1] + points[1:]) / 2, line))
    low = high = _pick(line, between[0])
    for index in between[1:]:
        samples = _pick(line, index)
        low, high = xp.minimum(low, samples), xp.maximum(high, samples)

    def disc(steps: float) -> float:
        across = steps / sampling.per_column
        return math.sqrt(max(0.0, (line_width / 2) ** 2 - across**2))

    def at(values: Array, steps: int) -> Array:
        start = sampling.margin + steps
        return values[start : start + sampling.n_points]

    upper, lower = at(points, 0) - disc(0), at(points, 0) + disc(0)
    for step in range(1, sampling.margin + 1):
        # Where in its piece a sample is, is not looked at: with the disc's height at
        # seven tenths of the way, strokes get neither wider nor narrower on average.
        for lows, highs, right, rim in (
            (points, points, step, disc(step)),
            (low, high, step - 1, disc(step - 0.3)),
        ):
            lowest = xp.minimum(at(lows, -step), at(lows, right))
            highest = xp.maximum(at(highs, -step), at(highs, right))
            upper = xp.minimum(upper, lowest - rim)
            lower = xp.maximum(lower, highest + rim)
    return upper, lower


def fill(upper: np.ndarray, lower: np.ndarray, lanes: Lanes, out: np.ndarray) -> None:
    """Fill between the edges of one window, each of shape (n_points, n_channels)."""
    height, width = out.shape
    n_channels, n_rows = upper.shape[1], lanes.n_rows
    per_column = len(upper) // width
    edges = np.empty((2, n_channels, per_column, width), dtype=upper.dtype)
    for edge, values in zip(edges, (upper, lower), strict=True):
        edge[...] = values.reshape(width, per_column, n_channels).transpose(2, 1, 0)
    rows = np.arange(n_rows, dtype=upper.dtype)[:, None]
    lane_bytes = n_rows * width * upper.itemsize
    at_once = max(1, min(n_channels, _SCRATCH_BYTES // lane_bytes))
    scratch = np.empty((2, at_once, n_rows, width), dtype=upper.dtype)
    done = 0
    for start in range(0, n_channels, at_once):
        tops, bottoms = edges[:, start : start + at_once]
        # Rows above and below all of these lines stay empty.
        begin = max(0, math.floor(tops.min()))
        end = min(n_rows, math.ceil(bottoms.max()))
        ink, share = scratch[:, : len(tops), : end - begin]
        for point in range(per_column):
            target = share if point else ink
            np.subtract(bottoms[:, point, None], rows[begin:end], out=target)
            np.clip(target, 0, 1, out=target)
            if point:
                ink += share
            np.subtract(tops[:, point, None], rows[begin:end], out=share)
            ink -= np.clip(share, 0, 1, out=share)
        ink *= upper.dtype.type(1 / per_column)
        for first, lane in zip(lanes.first[start:], ink, strict=False):
            done = _lay_over(out, lane[: height - first - begin], first + begin, done)
    out[done:] = 0


def _lay_over(out: np.ndarray, ink: np.ndarray, begin: int, done: int) -> int:
    """Lay a lane over the rows that are done already, and put it into those after."""
    end = begin + len(ink)
    if begin > done:
        out[done:begin] = 0
        done = begin
    shared = max(0, min(done, end) - begin)
    if shared:
        below = out[begin : begin + shared]
        below += (1 - below) * ink[:shared]
    if end > done:
        out[done:end] = ink[shared:]
    return max(done, end)


def fill_tensor(
    upper: torch.Tensor, lower: torch.Tensor, lanes: Lanes, height: int, width: int
) -> torch.Tensor:
    """Fill between the edges, each of shape (n_points, n_windows, n_channels)."""
    edges = [
        edge.unflatten(0, (width, -1)).permute(1, 2, 3, 0) for edge in (upper, lower)
    ]
    clear = upper.new_ones(())
    which, rows = _layers(lanes, height)
    for channel, row in zip(which.like(upper), rows.like(upper), strict=True):
        ink = upper.new_zeros(())
        for top, bottom in zip(*edges, strict=True):
            below_top = (top[:, channel] - row[:, None]).clamp(0, 1)
            below_bottom = (bottom[:, channel] - row[:, None]).clamp(0, 1)
            ink = ink + (below_bottom - below_top)
        clear = clear * (1 - ink / len(edges[0]))
    return 1 - clear


@lru_cache(maxsize=64)
def _layers(lanes: Lanes, height: int) -> tuple[_Indices, Constant]:
    """Channel of each row of the image, and its row there, layer by layer.

    Lanes that share no row are in one layer. Rows without a lane are far below one.
    """
    first, n_rows = lanes.first, lanes.n_rows
    n_layers = 1
    while any(
        later < earlier + n_rows
        for earlier, later in zip(first, first[n_layers:], strict=False)
    ):
        n_layers += 1
    channels = np.zeros((n_layers, height), dtype=np.intp)
    rows = np.full((n_layers, height), 2.0 * height)
    for channel, start in enumerate(first):
        layer, part = channel % n_layers, slice(start, start + n_rows)
        channels[layer, part] = channel
        rows[layer, part] = np.arange(height)[part] - start
    return _Indices(channels), Constant(rows)
