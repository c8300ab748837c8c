"""What the two flips of the head share: who trades places with whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from numbers import Integral
from typing import Any

import numpy as np
import torch

from hmsklearn._params import check_integer
from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._random import constant
from hmsklearn.montage import Flip, Montage, get_montage

__all__ = ["HeadFlip"]


class HeadFlip(BaseAugmentation):
    """Base of flips of the head: channels, panels or tiles trade places."""

    #: The method of a montage that finds the flip.
    _flip = "mirror"

    def __init__(
        self,
        montage: Any = "double_banana",
        *,
        panels: Any = None,
        tiles: Any = None,
        axis: Any = 1,
        after_frontend: bool = False,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.montage = montage
        self.panels = panels
        self.tiles = tiles
        self.axis = axis
        self.after_frontend = after_frontend

    def _check(self) -> None:
        for montage in _each(self.montage):
            self._find(montage)
        for axis in _each(self.axis):
            check_integer(axis, "axis", caller=self._name, low=1, high=2)

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        montage, panels, tiles, axis = (
            self._of_view(name, view) for name in ("montage", "panels", "tiles", "axis")
        )
        flip, names = self._find(montage)
        if tiles is not None:
            return self._exchange_tiles(x, tiles, flip, names)
        if panels is not None:
            order = self._order(list(panels), flip, names)
        else:
            order = flip.permutation
        if x.shape[axis] != len(order):
            what = "derivations of the montage" if panels is None else "panels"
            raise ValueError(
                f"{self._name}: axis {axis} of windows of shape {tuple(x.shape)} does "
                f"not hold the {len(order)} {what}. Give the montage that the windows "
                "have at this point, or name the panels or tiles of images."
            )
        x = x.index_select(axis, constant(order, x.device))
        if panels is None and x.ndim == 3 and min(flip.signs) < 0:
            x = x * constant(flip.signs, x.device).to(x.dtype)[:, None]
        return x

    def _of_view(self, name: str, view: str | None) -> Any:
        value = getattr(self, name)
        if not isinstance(value, Mapping):
            return value
        if view in value:
            return value[view]
        if name != "montage":
            return 1 if name == "axis" else None
        raise ValueError(
            f"{self._name}: montage names {list(value)}, the windows are the view "
            f"{view!r}. Give each view a montage, or name those to flip in views."
        )

    def _find(self, montage: Any) -> tuple[Flip, tuple[str, ...]]:
        """Find the flip of a montage, and the names of its derivations."""
        if isinstance(montage, Flip):
            return montage, ()
        if _is_permutation(montage):
            order = tuple(map(int, montage))
            if sorted(order) != list(range(len(order))):
                raise ValueError(
                    f"{self._name}: montage={montage!r} is no permutation. Each of "
                    f"0 .. {len(order) - 1} must occur once."
                )
            return Flip(order, (1,) * len(order)), ()
        found = montage if isinstance(montage, Montage) else get_montage(montage)
        return _flip_of(found, self._flip), found.names

    def _order(
        self, panels: Sequence[Any], flip: Flip, names: tuple[str, ...]
    ) -> tuple[int, ...]:
        """Say which panel comes to the place of which, by their names."""
        seen: dict[Any, int] = {}
        places = {}
        keys = []
        for i, panel in enumerate(panels):
            # The first panel of a name trades places with the first of the other, the
            # second with the second: some films show each derivation twice.
            seen[panel] = seen.get(panel, -1) + 1
            keys.append((panel, seen[panel]))
            places[keys[-1]] = i
        order = []
        for panel, count in keys:
            image = self._image(panel, flip, names)
            if (image, count) not in places:
                raise ValueError(
                    f"{self._name}: the panel {panel!r} becomes {image!r}, of which "
                    f"there are fewer among {list(panels)}. Name all panels as the "
                    "montage does."
                )
            order.append(places[image, count])
        return tuple(order)

    def _image(self, panel: Any, flip: Flip, names: tuple[str, ...]) -> Any:
        if panel is None:
            return None
        if isinstance(panel, Integral) and int(panel) in flip.permutation:
            return flip.permutation[int(panel)]
        if panel in flip.chains:
            return flip.chains[panel]
        if panel in names:
            return names[flip.permutation[names.index(panel)]]
        raise ValueError(
            f"{self._name}: the panel {panel!r} is not known. Name chains "
            f"{list(flip.chains)}, derivations {list(names)} or their positions."
        )

    def _exchange_tiles(
        self, x: torch.Tensor, tiles: Any, flip: Flip, names: tuple[str, ...]
    ) -> torch.Tensor:
        rows = [[row] if isinstance(row, (str, int)) else list(row) for row in tiles]
        n_rows, n_columns = len(rows), len(rows[0])
        height, width = x.shape[-2:]
        if any(len(row) != n_columns for row in rows):
            raise ValueError(
                f"{self._name}: the rows of tiles={tiles!r} differ in length. Write "
                "None for empty tiles."
            )
        if x.ndim < 4 or height % n_rows or width % n_columns:
            raise ValueError(
                f"{self._name}: windows of shape {tuple(x.shape)} cannot be cut into "
                f"{n_rows} x {n_columns} equal tiles. Flip before tiling, or give the "
                "tiles of these images."
            )
        order = self._order([tile for row in rows for tile in row], flip, names)
        grid = x.unflatten(-1, (n_columns, -1)).unflatten(-3, (n_rows, -1))
        # (..., rows, height, columns, width) -> (..., tiles, height, width)
        flat = grid.transpose(-3, -2).flatten(-4, -3)
        flat = flat.index_select(-3, constant(order, x.device))
        grid = flat.unflatten(-3, (n_rows, n_columns)).transpose(-3, -2)
        return grid.flatten(-4, -3).flatten(-2, -1)


@lru_cache(maxsize=64)
def _flip_of(montage: Montage, which: str) -> Flip:
    return getattr(montage, which)()


def _is_permutation(montage: Any) -> bool:
    listed = isinstance(montage, (Sequence, np.ndarray)) and len(montage) > 0
    return listed and all(isinstance(place, Integral) for place in montage)


def _each(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else [value]
