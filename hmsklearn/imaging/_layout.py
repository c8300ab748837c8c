"""Layouts of mosaics: what users may write, and the positions it stands for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

__all__ = ["ORDERS", "resolve_layout"]

#: How the tiles of a grid are filled.
ORDERS = ("rows", "columns")

_WORDS = ("column", "row", "planes")


def resolve_layout(
    layout: Any,
    n_planes: int,
    *,
    order: str = "rows",
    names: Sequence[str] | None = None,
    caller: str,
) -> np.ndarray:
    """Turn a layout into positions of planes.

    Parameters
    ----------
    layout : str, (int, int) or nested sequences
        ``"column"``, ``"row"`` or ``"planes"``; a tuple (rows, columns); or planes by
        position or name, None for an empty tile, as rows of tiles or as several
        mosaics of rows of tiles.
    n_planes : int
        Number of planes at hand.
    order : {"rows", "columns"}, default="rows"
        How the planes fill a grid.
    names : sequence of str, optional
        Names of the planes.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of int, shape (n_mosaics, n_rows, n_columns)
        Positions; -1 where a tile is empty.

    Raises
    ------
    ValueError
        If it is no layout, has too few tiles, or names a plane that is none.

    Examples
    --------
    >>> resolve_layout((2, 2), 3, caller="doctest").tolist()
    [[[0, 1], [2, -1]]]
    >>> resolve_layout([["b", None]], 2, names="ab", caller="doctest").tolist()
    [[[1, -1]]]
    """
    every = np.arange(n_planes)
    if isinstance(layout, str):
        if layout not in _WORDS:
            raise _no_layout(layout, caller)
        shape = {
            "column": (1, n_planes, 1),
            "row": (1, 1, n_planes),
            "planes": (n_planes, 1, 1),
        }[layout]
        return every.reshape(shape)
    if isinstance(layout, tuple) and all(_is_integer(side) for side in layout):
        return _grid(layout, every, order, caller)
    tiles = _nested(layout, caller)
    found = [_position(tile, n_planes, names, caller) for tile in tiles.ravel()]
    positions = np.array(found, dtype=np.intp).reshape(tiles.shape)
    if (positions < 0).all():
        raise ValueError(f"{caller}: layout={layout!r} shows no plane at all.")
    return positions if positions.ndim == 3 else positions[None]


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))


def _no_layout(layout: Any, caller: str) -> ValueError:
    return ValueError(
        f"{caller}: layout must be 'column', 'row', 'planes', a tuple (rows, columns), "
        "or rows of tiles such as [[0, 1], [2, None]] (or several of them), got "
        f"{layout!r}."
    )


def _grid(
    shape: tuple[Any, ...], every: np.ndarray, order: str, caller: str
) -> np.ndarray:
    if len(shape) != 2 or min(shape) < 1:
        raise _no_layout(shape, caller)
    rows, columns = (int(side) for side in shape)
    if rows * columns < len(every):
        raise ValueError(
            f"{caller}: layout={shape!r} has {rows * columns} tiles, X has "
            f"{len(every)} planes (axis 1). Give a larger grid, or say with nested "
            "lists which planes to show."
        )
    tiles = np.full(rows * columns, -1, dtype=np.intp)
    tiles[: len(every)] = every
    return (
        tiles.reshape((1, rows, columns), order="C")
        if order == "rows"
        else (tiles.reshape((columns, rows)).T[None])
    )


def _nested(layout: Any, caller: str) -> np.ndarray:
    """Nested sequences as an array of objects with two or three axes."""
    if isinstance(layout, np.ndarray):
        layout = layout.tolist()
    try:
        rows = [list(row) for row in layout]
        deep = any(
            isinstance(tile, (list, tuple, range)) for row in rows for tile in row
        )
        cubes = [[list(row) for row in mosaic] for mosaic in rows] if deep else [rows]
        shape = (len(cubes), len(cubes[0]), len(cubes[0][0]))
        flat = [tile for mosaic in cubes for row in mosaic for tile in row]
        regular = all(
            len(mosaic) == shape[1] and all(len(row) == shape[2] for row in mosaic)
            for mosaic in cubes
        )
    except (TypeError, IndexError):
        raise _no_layout(layout, caller) from None
    if isinstance(layout, (str, bytes)) or not regular or not flat:
        raise _no_layout(layout, caller)
    tiles = np.empty(len(flat), dtype=object)
    tiles[:] = flat
    return tiles.reshape(shape if deep else shape[1:])


def _position(
    tile: Any, n_planes: int, names: Sequence[str] | None, caller: str
) -> int:
    if tile is None:
        return -1
    if isinstance(tile, str):
        if names is None:
            raise ValueError(
                f"{caller}: layout names the plane {tile!r}. Say with names= what the "
                "planes are called, in order, or use positions."
            )
        if tile not in names:
            close = difflib.get_close_matches(tile, list(names), n=2, cutoff=0.4)
            hint = f" Nearest: {', '.join(close)}." if close else ""
            raise ValueError(
                f"{caller}: layout names the plane {tile!r}, which is not among "
                f"{list(names)}.{hint}"
            )
        return list(names).index(tile)
    if _is_integer(tile) and 0 <= tile < n_planes:
        return int(tile)
    raise ValueError(
        f"{caller}: a tile of the layout must be a position from 0 to {n_planes - 1}, "
        f"a name, or None for an empty one, got {tile!r}."
    )
