"""Signals laid out as images: the samples themselves are the pixels."""

from __future__ import annotations

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, as_float, is_tensor, refuse_out

__all__ = ["WAVEFORM_LAYOUTS", "waveform_image"]

#: Ways to fold a channel into rows, see :func:`waveform_image`.
WAVEFORM_LAYOUTS = ("interleaved", "contiguous", "repeated")


def waveform_image(
    X: Array,
    rows: int,
    layout: str = "interleaved",
    *,
    columns: int = 1,
    out: np.ndarray | None = None,
) -> Array:
    """Fold each channel into a tile of `rows` rows and arrange the tiles.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, n_channels, n_times)
        Signals. Unless ``layout="repeated"``, `n_times` must be a multiple of `rows`.
    rows : int
        Number of rows for each channel.
    layout : {"interleaved", "contiguous", "repeated"}, default="interleaved"
        Where sample ``i`` of a channel goes in its tile, as (row, column):
        ``(i % rows, i // rows)``; ``(i // width, i % width)``, ``width`` being
        ``n_times // rows``; or column ``i`` of every row.
    columns : int, default=1
        Number of tiles side by side; `n_channels` must be a multiple. Channels go from
        left to right, then down.
    out : ndarray of shape (n_windows, height, width), optional
        Where to write; must not overlap `X`. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (n_windows, height, width)
        `out`, or a new array of the type of `X`. With tiles of ``rows`` x ``width``
        pixels, ``n_channels // columns * rows`` x ``columns * width``.

    Raises
    ------
    ValueError
        If `layout` is not one of the three, the numbers do not divide, or `out` is
        given with a tensor.

    Examples
    --------
    >>> X = np.arange(12.0).reshape(1, 2, 6)
    >>> waveform_image(X, 2).astype(int)
    array([[[ 0,  2,  4],
            [ 1,  3,  5],
            [ 6,  8, 10],
            [ 7,  9, 11]]])
    >>> waveform_image(X, 2, "contiguous", columns=2).astype(int)
    array([[[ 0,  1,  2,  6,  7,  8],
            [ 3,  4,  5,  9, 10, 11]]])
    """
    X = as_float(X, "waveform_image")
    refuse_out(X, out, "waveform_image")
    if layout not in WAVEFORM_LAYOUTS:
        raise ValueError(
            f"waveform_image: layout must be one of {', '.join(WAVEFORM_LAYOUTS)}, "
            f"got {layout!r}."
        )
    n_windows, n_channels, n_times = X.shape
    if n_channels % columns or (layout != "repeated" and n_times % rows):
        raise ValueError(
            f"waveform_image: {n_channels} channels of {n_times} samples do not fill "
            f"{columns} columns of tiles with {rows} rows each."
        )
    bands = n_channels // columns
    width = n_times if layout == "repeated" else n_times // rows
    # Axes: window, band, row of the band, tile of the band, column of the tile.
    if layout == "interleaved":
        pixels = X.reshape(n_windows, bands, columns, width, rows)
        pixels = pixels.swapaxes(3, 4).swapaxes(2, 3)
    elif layout == "contiguous":
        pixels = X.reshape(n_windows, bands, columns, rows, width).swapaxes(2, 3)
    else:
        pixels = X.reshape(n_windows, bands, 1, columns, width)
    shape = (n_windows, bands, rows, columns, width)
    if is_tensor(X):
        # One copy, also where nothing moves: the result is never a view of the input.
        pixels = pixels.expand(shape).clone(memory_format=torch.contiguous_format)
        return pixels.reshape(n_windows, bands * rows, columns * width)
    if out is None:
        out = np.empty((n_windows, bands * rows, columns * width), dtype=X.dtype)
    # Splitting axes of an array is always a view of it.
    out.reshape(shape)[...] = pixels
    return out
