"""RandomResizedCrop: images zoomed in or out at a random place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import affine_grid, grid_sample

from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_range
from hmsklearn.augmentation._random import uniform

__all__ = ["RandomResizedCrop"]


class RandomResizedCrop(BaseAugmentation):
    """Cut a random part out of images and stretch it to their size, or shrink them.

    Parameters
    ----------
    zoom : float or (float, float), default=(0.75, 1.25)
        Magnification, or the range from which it is drawn. Above one, a part of the
        image fills all of it; below one, the whole image lies somewhere in a field of
        zeros.
    separate_axes : bool, default=False
        Whether height and width have zooms of their own.
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
    of an image are treated alike. NaN spreads to the neighbours of its pixel. The field
    of zeros is made before the net's input is normalised (`input_norm`): with images
    that are not centred, such as spectrograms in decibels, zooms of at least one are
    safe.

    References
    ----------
    HMS: zoom of 25 % either way, p 0.5 (4th place, discussion 492240); crop and resize
    (8th, 492482).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import RandomResizedCrop
    >>> half = RandomResizedCrop(0.5, p=1.0, random_state=0)(np.ones((1, 1, 8, 8)))
    >>> print(f"{half.mean():.2f}")
    0.25
    """

    after_frontend = True
    _ndim = (4, 5)

    def __init__(
        self,
        zoom: float | tuple[float, float] = (0.75, 1.25),
        *,
        separate_axes: bool = False,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.zoom = zoom
        self.separate_axes = separate_axes

    def _check(self) -> None:
        check_range(self.zoom, "zoom", caller=self._name, low=0, low_open=True)
        if not isinstance(self.separate_axes, bool):
            raise ValueError(
                f"{self._name}: separate_axes must be True or False, got "
                f"{self.separate_axes!r}."
            )

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        n = len(x)
        low, high = check_range(self.zoom, "zoom", caller=self._name)
        zoom = uniform(
            (n, 2 if self.separate_axes else 1), x, generator, low, high
        ).expand(n, 2)
        # In units of half an image: what is read never leaves it where it is smaller,
        # and holds all of it where it is larger.
        size = 1 / zoom
        place = uniform((n, 2), x, generator, -1, 1) * (1 - size).abs()
        return {"size": size, "place": place}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        wide = x if x.dtype == torch.float64 else x.float()
        flat = wide.reshape(len(x), -1, *x.shape[-2:])
        theta = torch.cat(
            [torch.diag_embed(params["size"]), params["place"][:, :, None]], dim=2
        ).to(wide.dtype)
        grid = affine_grid(theta, list(flat.shape), align_corners=False)
        # Padding with zeros would fade out the outer half of each border pixel.
        out = grid_sample(flat, grid, padding_mode="border", align_corners=False)
        outside = (grid.abs() > 1).any(dim=-1)
        return out.masked_fill(outside[:, None], 0).reshape(x.shape)
