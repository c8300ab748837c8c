"""RandomResizedCrop: images or signals zoomed in or out at a random place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import grid_sample

from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_range
from hmsklearn.augmentation._random import constant, uniform

__all__ = ["RandomResizedCrop"]

AXES = ("time", "frequency")


class RandomResizedCrop(BaseAugmentation):
    """Cut a random part out of windows and stretch it to their size, or shrink them.

    Parameters
    ----------
    zoom : float or (float, float), default=(0.75, 1.25)
        Magnification, or the range from which it is drawn. Above one, a part of the
        image fills all of it; below one, the whole image lies somewhere in a field of
        zeros.
    axes : sequence of {"time", "frequency"}, default=("time", "frequency")
        What is zoomed: the last axis, the time of signals and width of images; the
        height of images; or both.
    separate_axes : bool, default=False
        Whether height and width have zooms of their own.
    after_frontend : bool, default=True
        Whether it acts on images behind the frontend. False is for signals, with
        ``axes=["time"]``, and for windows that are images already.
    p : float, default=0.5
        Probability that a window is changed.
    views : sequence of str, default=None
        Names of the views that are changed, where windows have several; all of them by
        default.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier. In a classifier's ``fit`` torch's generator
        is used instead, which ``fit`` seeds.

    Notes
    -----
    Pixels are interpolated linearly, also where an image shrinks. All planes and frames
    of an image, all channels of a signal are treated alike. NaN spreads to the
    neighbours of its pixel. The field of zeros is made before the net's input is
    normalised (`input_norm`): with images that are not centred, such as spectrograms in
    decibels, zooms of at least one are safe.

    References
    ----------
    HMS: zoom of the time by up to 25 % either way, p 0.5 (tattaka of the 4th place,
    discussion 492240); crop and resize of signals in time (8th, 492482).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import RandomResizedCrop
    >>> half = RandomResizedCrop(0.5, p=1.0, random_state=0)(np.ones((1, 1, 8, 8)))
    >>> print(f"{half.mean():.2f}")
    0.25
    >>> slow = RandomResizedCrop(
    ...     (0.8, 1.25), axes=["time"], after_frontend=False, p=1.0, random_state=0
    ... )
    >>> slow(np.ones((2, 16, 400))).shape
    (2, 16, 400)
    """

    _ndim = (3, 4, 5)

    def __init__(
        self,
        zoom: float | tuple[float, float] = (0.75, 1.25),
        *,
        axes: Sequence[str] = AXES,
        separate_axes: bool = False,
        after_frontend: bool = True,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.zoom = zoom
        self.axes = axes
        self.separate_axes = separate_axes
        self.after_frontend = after_frontend

    def _check(self) -> None:
        check_range(self.zoom, "zoom", caller=self._name, low=0, low_open=True)
        if not isinstance(self.separate_axes, bool):
            raise ValueError(
                f"{self._name}: separate_axes must be True or False, got "
                f"{self.separate_axes!r}."
            )
        named = not isinstance(self.axes, str) and isinstance(self.axes, Sequence)
        if not named or not set(self.axes) or not set(self.axes) <= set(AXES):
            raise ValueError(
                f"{self._name}: axes must be a list with one or both of {list(AXES)}, "
                f"got {self.axes!r}."
            )
        if self.separate_axes and len(set(self.axes)) < 2:
            raise ValueError(
                f"{self._name}: separate_axes=True needs both axes, got "
                f"axes={self.axes!r}. Leave it out."
            )

    def _check_input(self, x: torch.Tensor) -> None:
        super()._check_input(x)
        if x.ndim == 3 and "frequency" in self.axes:
            raise ValueError(
                f"{self._name}: signals of shape {tuple(x.shape)} have no frequency "
                "axis. Set axes=['time'], with after_frontend=False where a frontend "
                "follows, or name the views that are images in views."
            )

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        n = len(x)
        low, high = check_range(self.zoom, "zoom", caller=self._name)
        zoom = uniform(
            (n, 2 if self.separate_axes else 1), x, generator, low, high
        ).expand(n, 2)
        # Width before height, as grids have it.
        moves = constant(tuple(float(name in self.axes) for name in AXES), x.device)
        zoom = torch.where(moves > 0, zoom, 1.0)
        # In units of half an image: what is read never leaves it where it is smaller,
        # and holds all of it where it is larger.
        size = 1 / zoom
        place = uniform((n, 2), x, generator, -1, 1) * (1 - size).abs()
        return {"size": size, "place": place}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        wide = x if x.dtype == torch.float64 else x.float()
        # The channels of a signal are planes of one row.
        height = 1 if x.ndim == 3 else x.shape[-2]
        flat = wide.reshape(len(x), -1, height, x.shape[-1])
        size, place = (params[name].to(wide.dtype) for name in ("size", "place"))
        grid = _grid(size, place, height, x.shape[-1])
        # Padding with zeros would fade out the outer half of each border pixel.
        out = grid_sample(flat, grid, padding_mode="border", align_corners=False)
        outside = (grid.abs() > 1).any(dim=-1)
        return out.masked_fill(outside[:, None], 0).reshape(x.shape)


def _grid(
    size: torch.Tensor, place: torch.Tensor, height: int, width: int
) -> torch.Tensor:
    """Lay out where each pixel is read, width before height, in half images."""
    # torch's affine_grid makes a GPU wait where there is one row.
    across, down = (
        (2 * torch.arange(n, dtype=size.dtype, device=size.device) + 1) / n - 1
        for n in (width, height)
    )
    across = across * size[:, :1] + place[:, :1]
    down = down * size[:, 1:] + place[:, 1:]
    n = len(size)
    return torch.stack(
        [
            across[:, None].expand(n, height, width),
            down[:, :, None].expand(n, height, width),
        ],
        dim=-1,
    )
