"""Planes laid side by side and on top of each other, and images put on a canvas.

A network for pictures reads one to three planes. What has twenty, one for each
derivation, is tiled: as a stack, as a mosaic, or as the frames of a film. Every value
is moved once, from its plane to its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, as_float, is_tensor, refuse_out

__all__ = ["ALIGNMENTS", "tile_planes", "tiled_shape"]

#: Where a picture lies on a larger canvas, see :func:`tile_planes`.
ALIGNMENTS = ("centre", "start")


def tile_planes(
    X: Array,
    layout: Sequence[Sequence[Sequence[int]]] | np.ndarray,
    *,
    trim: tuple[int, int] = (0, 0),
    fold: int = 1,
    size: tuple[int, int] | None = None,
    align: str = "centre",
    fill: float = 0.0,
    out: np.ndarray | None = None,
) -> Array:
    """Lay planes out as mosaics.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, n_planes, height, width)
        Images.
    layout : array-like of int, shape (n_mosaics, n_rows, n_columns)
        Which plane each tile shows; -1 leaves it empty.
    trim : (int, int), default=(0, 0)
        Columns cut off each tile at the left and at the right.
    fold : int, default=1
        So many rows of pixels that follow each other are joined side by side, which
        makes mosaics that are tall wider.
    size : (int, int), optional
        Height and width of the canvas; that of the mosaic by default.
    align : {"centre", "start"}, default="centre"
        Whether the mosaic is in the middle of the canvas (the odd pixel below and at
        the right) or in its upper left corner, at the first row and column.
    fill : float, default=0.0
        Value of empty tiles and of the canvas around.
    out : ndarray, optional
        Where to write; must not overlap `X`. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (n_windows, n_mosaics, canvas height, canvas width)
        `out`, or a new array of the type of `X`.

    Raises
    ------
    ValueError
        If nothing is left of a tile, `fold` does not divide the height of the mosaic,
        the canvas is too small, or `out` is given with a tensor.

    Examples
    --------
    >>> X = np.array([[[[1.0, 2.0]], [[3.0, 4.0]], [[5.0, 6.0]]]])
    >>> tile_planes(X, [[[0, 1], [2, -1]]]).astype(int)
    array([[[[1, 2, 3, 4],
             [5, 6, 0, 0]]]])
    >>> tile_planes(X, [[[0], [1]]], trim=(1, 0), size=(4, 1), fill=-1).astype(int)
    array([[[[-1],
             [ 2],
             [ 4],
             [-1]]]])
    """
    X = as_float(X, "tile_planes")
    refuse_out(X, out, "tile_planes")
    tiles = np.asarray(layout, dtype=np.intp)
    height, width = X.shape[-2:]
    inner = tiled_shape((height, width), tiles.shape, trim=trim, fold=fold)
    canvas = inner if size is None else (int(size[0]), int(size[1]))
    top, left = _corner(inner, canvas, align)
    X = X[..., trim[0] : width - trim[1]]
    if is_tensor(X):
        return _tile_tensor(X, tiles, inner, canvas, (top, left), fill)
    if out is None:
        out = np.empty((len(X), len(tiles), *canvas), dtype=X.dtype)
    if canvas != inner or (tiles < 0).any():
        out.fill(fill)
    inside = out[..., top : top + inner[0], left : left + inner[1]]
    for x, result in zip(X, inside, strict=True):
        for grid, mosaic in zip(tiles, result, strict=True):
            _tile(x, grid, fold, fill, mosaic)
    return out


def tiled_shape(
    tile: tuple[int, int],
    layout: tuple[int, ...],
    *,
    trim: tuple[int, int] = (0, 0),
    fold: int = 1,
    caller: str = "tile_planes",
) -> tuple[int, int]:
    """Return height and width of a mosaic.

    Parameters
    ----------
    tile : (int, int)
        Height and width of a plane.
    layout : tuple of int
        Shape of the layout; the last two entries are rows and columns of tiles.
    trim : (int, int), default=(0, 0)
        Columns cut off each tile at the left and at the right.
    fold : int, default=1
        Rows of pixels that are joined side by side.
    caller : str, default="tile_planes"
        Name that starts the error messages.

    Returns
    -------
    (int, int)
        Height and width.

    Raises
    ------
    ValueError
        If nothing is left of a tile, or `fold` does not divide the height.

    Examples
    --------
    >>> tiled_shape((56, 431), (1, 24, 1), fold=2)
    (672, 862)
    """
    width = tile[1] - trim[0] - trim[1]
    if width < 1:
        raise ValueError(
            f"{caller}: trim={tuple(trim)!r} leaves nothing of images of {tile[1]} "
            "columns. Cut off less."
        )
    height = tile[0] * layout[-2]
    if height % fold:
        raise ValueError(
            f"{caller}: fold={fold} does not divide the {height} rows of the mosaic. "
            "Give a divisor of it."
        )
    return height // fold, width * layout[-1] * fold


def _corner(
    inner: tuple[int, int], canvas: tuple[int, int], align: str
) -> tuple[int, int]:
    if align not in ALIGNMENTS:
        raise ValueError(
            f"tile_planes: align must be one of {', '.join(ALIGNMENTS)}, got {align!r}."
        )
    spare = canvas[0] - inner[0], canvas[1] - inner[1]
    if min(spare) < 0:
        raise ValueError(
            f"tile_planes: size={canvas} is smaller than the mosaic, which is {inner}. "
            "Give a larger one, or trim or resize."
        )
    return (spare[0] // 2, spare[1] // 2) if align == "centre" else (0, 0)


def _tile(
    x: np.ndarray, grid: np.ndarray, fold: int, fill: float, mosaic: np.ndarray
) -> None:
    """Copy the planes of one window to their places in one mosaic."""
    height, width = x.shape[-2:]
    tall = (height * grid.shape[0], width * grid.shape[1])
    whole = mosaic.flags.c_contiguous
    if whole:
        target = mosaic.reshape(tall)  # the same memory, before it is folded
    else:
        target = np.full(tall, fill, dtype=x.dtype) if fold > 1 else mosaic
    for (row, column), plane in np.ndenumerate(grid):
        if plane >= 0:
            target[
                row * height : (row + 1) * height, column * width : (column + 1) * width
            ] = x[plane]
    if fold > 1 and not whole:
        mosaic[...] = target.reshape(mosaic.shape)


def _tile_tensor(
    X: torch.Tensor,
    tiles: np.ndarray,
    inner: tuple[int, int],
    canvas: tuple[int, int],
    corner: tuple[int, int],
    fill: float,
) -> torch.Tensor:
    n, _, height, width = X.shape
    mosaics, rows, columns = tiles.shape
    empty = X.new_full((n, height, width), fill) if (tiles < 0).any() else None
    # Views and not an index: an index would be copied to the GPU, which has to wait.
    order = [empty if i < 0 else X[:, i] for i in tiles.ravel().tolist()]
    planes = torch.stack(order, dim=1)  # type: ignore[arg-type]
    grid = planes.reshape(n, mosaics, rows, columns, height, width)
    picture = grid.transpose(3, 4).reshape(n, mosaics, *inner)
    top, left = corner
    bottom, right = canvas[0] - inner[0] - top, canvas[1] - inner[1] - left
    if canvas == inner:
        return picture
    return torch.nn.functional.pad(picture, (left, right, top, bottom), value=fill)
