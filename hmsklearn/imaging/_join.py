"""How views of a window are put together: the arithmetic of places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, is_tensor

__all__ = ["JOINS", "JoinPlan", "plan_join"]

#: Ways to put views together, see :class:`hmsklearn.imaging.WindowUnion`.
JOINS = ("width", "height", "planes", "frames", "centre")

_AXES = {"width": -1, "centre": -1, "height": -2, "planes": 1, "frames": 2}


@dataclass(frozen=True)
class JoinPlan:
    """Where each part of each view goes.

    Attributes
    ----------
    axis : int
        The axis, counted from the first, along which pieces follow each other.
    framed : tuple of bool
        Whether each view gets an axis for its one frame.
    shape : tuple of int
        Shape of one window of the result.
    pieces : tuple of (int, slice)
        Which view, and which part of it along the axis, in the order of the result.
    """

    axis: int
    framed: tuple[bool, ...]
    shape: tuple[int, ...]
    pieces: tuple[tuple[int, slice], ...]

    def ready(self, number: int, view: Array) -> Array:
        """Return a view with the axis for its frame where it needs one."""
        return view[:, :, None] if self.framed[number] else view

    def write(self, number: int, view: np.ndarray, out: np.ndarray) -> None:
        """Copy the pieces of one view to their places in the result."""
        view = self.ready(number, view)
        start = 0
        for owner, part in self.pieces:
            stop = start + part.stop - part.start
            if owner == number:
                out[self._along(slice(start, stop))] = view[self._along(part)]
            start = stop

    def concatenate(self, views: Sequence[Array]) -> Array:
        """Put views together in a new array or tensor."""
        ready = [self.ready(number, view) for number, view in enumerate(views)]
        parts = [ready[owner][self._along(part)] for owner, part in self.pieces]
        if all(is_tensor(part) for part in parts):
            return torch.cat(parts, dim=self.axis)
        return np.concatenate(parts, axis=self.axis)

    def _along(self, part: slice) -> tuple[slice, ...]:
        return (slice(None),) * self.axis + (part,)


def plan_join(
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    join: str,
    replace: int | float,
    *,
    caller: str,
) -> JoinPlan:
    """Plan how views of one shape each are put together.

    Parameters
    ----------
    names : sequence of str
        Names of the views, for the error messages.
    shapes : sequence of tuple of int
        Shape of one window of each view.
    join : str
        One of :data:`JOINS`.
    replace : int or float
        With ``"centre"``, the columns of the first view that the second one replaces,
        or their share of its width.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    JoinPlan
        The plan.

    Raises
    ------
    ValueError
        If the views do not fit, with the shape of each.

    Examples
    --------
    >>> plan = plan_join(
    ...     "ab", [(3, 64, 313), (3, 64, 351)], "centre", 62, caller="doctest"
    ... )
    >>> plan.shape
    (3, 64, 602)
    """
    framed = tuple(join == "frames" and len(shape) == 3 for shape in shapes)
    full = [
        (shape[0], 1, *shape[1:]) if one else shape
        for shape, one in zip(shapes, framed, strict=True)
    ]
    listing = ", ".join(
        f"{name!r} {shape}" for name, shape in zip(names, shapes, strict=True)
    )
    n_axes = {len(shape) for shape in full}
    fewest = {"height": 3, "frames": 4, "planes": 1}.get(join, 2)
    if len(n_axes) > 1 or n_axes.pop() < fewest:
        raise ValueError(
            f"{caller}: the views have shapes {listing} for one window, which join="
            f"{join!r} cannot put together: it needs {fewest + (join != 'frames') - 1}"
            " axes or more, equally many in all views."
        )
    axis = _AXES[join] - 1 if _AXES[join] > 0 else len(full[0]) + _AXES[join]
    rest = {shape[:axis] + shape[axis + 1 :] for shape in full}
    if len(rest) > 1:
        raise ValueError(
            f"{caller}: the views have shapes {listing} for one window; with "
            f"join={join!r} they may differ in nothing but axis {axis} (of 0 .. "
            f"{len(full[0]) - 1}). Choose hop lengths and crops that fit, trim them "
            "with ImageTiler, or resize them with ImageResizer."
        )
    lengths = [shape[axis] for shape in full]
    pieces = [(number, slice(0, length)) for number, length in enumerate(lengths)]
    if join == "centre":
        cut = _replaced(lengths, replace, listing, caller)
        start = (lengths[0] - cut) // 2
        pieces = [
            (0, slice(0, start)),
            (1, slice(0, lengths[1])),
            (0, slice(start + cut, lengths[0])),
        ]
        lengths = [lengths[0] - cut, lengths[1]]
    shape = list(full[0])
    shape[axis] = sum(lengths)
    return JoinPlan(axis + 1, framed, tuple(shape), tuple(pieces))


def _replaced(
    lengths: list[int], replace: int | float, listing: str, caller: str
) -> int:
    if len(lengths) != 2:
        raise ValueError(
            f"{caller}: join='centre' puts one view into another, got {len(lengths)} "
            "views. Put a WindowUnion into a WindowUnion for more."
        )
    width = lengths[0]
    # Exact shares must not be lost to rounding: 0.3 * 10 is 3 here, not 2.
    whole = isinstance(replace, Integral)
    cut = int(replace) if whole else int(replace * width + 1e-9)
    if not 0 < cut <= width:
        raise ValueError(
            f"{caller}: replace={replace!r} is {cut} columns of the first view; the "
            f"views have shapes {listing} for one window. Give 1 to {width} columns, "
            "or a share of the width."
        )
    return cut
