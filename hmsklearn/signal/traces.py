"""Signals drawn as lines, each in its lane, as a plotting library would draw them."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hmsklearn.signal._strokes import fill, fill_tensor, stroke_edges
from hmsklearn.signal.arrays import Array, as_float, is_tensor, refuse_out

__all__ = ["Lanes", "draw_traces", "trace_lanes"]


class Lanes(NamedTuple):
    """Where each channel is drawn, in pixels from the upper edge of the image.

    Attributes
    ----------
    centres : tuple of float
        Height of each lane's centre.
    reach : float
        Largest distance of the line's middle from the centre.
    first : tuple of int
        First row of pixels that each lane touches.
    n_rows : int
        Number of rows that a lane touches at most.

    Examples
    --------
    >>> lanes = trace_lanes(3, 100)
    >>> lanes.first, lanes.n_rows
    ((0, 33, 66), 34)
    """

    centres: tuple[float, ...]
    reach: float
    first: tuple[int, ...]
    n_rows: int


@lru_cache(maxsize=64)
def trace_lanes(
    n_channels: int,
    height: int,
    *,
    line_width: float = 1.0,
    overlap: float = 0.0,
    caller: str = "trace_lanes",
) -> Lanes:
    """Share the height of an image among the channels, from top to bottom.

    Parameters
    ----------
    n_channels : int
        Number of channels.
    height : int
        Height of the image in pixels.
    line_width : float, default=1.0
        Width of the lines in pixels; they stay inside their lanes.
    overlap : float, default=0.0
        Share of the distance between neighbouring centres by which their lanes overlap.
        With 0 they touch, with 1 each lane ends at its neighbours' centres. All lanes
        are equally high and inside the image.
    caller : str, default="trace_lanes"
        Name that starts the error message.

    Returns
    -------
    Lanes
        The lanes.

    Raises
    ------
    ValueError
        If a lane is not higher than the line is wide.

    Examples
    --------
    >>> trace_lanes(2, 100)
    Lanes(centres=(25.0, 75.0), reach=24.5, first=(0, 50), n_rows=50)
    >>> trace_lanes(2, 120, overlap=1.0).centres
    (40.0, 80.0)
    """
    spacing = height / (n_channels + overlap)
    lane = spacing * (1.0 + overlap)
    if lane <= line_width:
        raise ValueError(
            f"{caller}: {n_channels} channels in a height of {height} pixels have "
            f"{lane:.3g} pixels each, not more than line_width={line_width:g}. Give a "
            "greater height or a thinner line."
        )
    tops = [spacing * channel for channel in range(n_channels)]
    # A lane that ends at the edge of a row, but for rounding, does not touch the next.
    first = [math.floor(top + 1e-9) for top in tops]
    last = [math.ceil(top + lane - 1e-9) for top in tops]
    return Lanes(
        centres=tuple(top + lane / 2 for top in tops),
        reach=(lane - line_width) / 2,
        first=tuple(first),
        n_rows=max(b - a for a, b in zip(first, last, strict=True)),
    )


def draw_traces(
    X: Array,
    height: int,
    width: int,
    *,
    amplitude: float = 100.0,
    line_width: float = 1.0,
    overlap: float = 0.0,
    negative_up: bool = False,
    invert: bool = False,
    out: np.ndarray | None = None,
) -> Array:
    """Draw each channel as a line in its own lane of a grey image.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, n_channels, n_times)
        Signals in microvolt, float32 or float64, without NaN.
    height, width : int
        Size of the image in pixels.
    amplitude : float, default=100.0
        Microvolts at which a line reaches the edge of its lane; larger ones are
        clipped.
    line_width : float, default=1.0
        Width of the lines in pixels, at least 0.5.
    overlap : float, default=0.0
        By how much lanes overlap, see :func:`hmsklearn.signal.traces.trace_lanes`.
    negative_up : bool, default=False
        Whether negative voltages point upwards, as readers of EEG are used to.
    invert : bool, default=False
        Whether lines are 0 and the background is 1.
    out : ndarray of shape (n_windows, height, width), optional
        Where to write. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (n_windows, height, width)
        `out`, or a new array of the type of `X`, with values from 0 to 1.

    Raises
    ------
    ValueError
        If lanes are not higher than lines are wide, or `out` is given with a tensor.

    Notes
    -----
    The samples share the width evenly, each in the middle of its part; the line goes
    straight from one to the next, and level to the edges of the image from the first
    and the last. Caps and joins are round. Where lines cross they cover each other like
    ink on film: what one lets through, the next one dims.

    Lines are exactly as wide as asked for where they are level. Along the time axis
    half the width is rounded to a quarter, a fifth or a sixth of a pixel, whichever is
    nearest. The ink of slopes is right to 2 %, from a width of one pixel on.

    Examples
    --------
    >>> draw_traces(np.zeros((1, 1, 7)), 3, 4)
    array([[[0., 0., 0., 0.],
            [1., 1., 1., 1.],
            [0., 0., 0., 0.]]])
    """
    X = as_float(X, "draw_traces")
    refuse_out(X, out, "draw_traces")
    n_windows, n_channels, _ = X.shape
    lanes = trace_lanes(
        n_channels, height, line_width=line_width, overlap=overlap, caller="draw_traces"
    )
    # Rows count downwards.
    factor = lanes.reach / amplitude * (1.0 if negative_up else -1.0)
    if is_tensor(X):
        signals = X.clamp(-amplitude, amplitude).permute(2, 0, 1).contiguous() * factor
        edges = stroke_edges(signals, lanes, width, line_width)
        image = fill_tensor(*edges, lanes, height, width)
        return 1.0 - image if invert else image
    if out is None:
        out = np.empty((n_windows, height, width), dtype=X.dtype)
    for window, image in zip(X, out, strict=True):
        # Time first: the edges are found by gathering moments, all channels at once.
        clipped = np.clip(window, -amplitude, amplitude)
        signals = np.multiply(clipped.T, X.dtype.type(factor), order="C")
        fill(*stroke_edges(signals, lanes, width, line_width), lanes, image)
        if invert:
            np.subtract(1, image, out=image)
    return out
