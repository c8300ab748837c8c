"""XYMasking: stripes of images blanked, in time and in frequency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_counts, check_span
from hmsklearn.augmentation._fill import blanked, check_fill
from hmsklearn.augmentation._random import draw_spans, inside, whole

__all__ = ["XYMasking"]


class XYMasking(BaseAugmentation):
    """Blank stripes of images over their whole height and width.

    Parameters
    ----------
    n_masks_x, n_masks_y : int or (int, int), default=(2, 4)
        Number of stripes across the width (time) and the height (frequency), or the
        range from which it is drawn.
    size_x : int, float or pair of them, default=(10, 20)
        Width of a stripe of time: whole numbers are pixels, floats shares of the
        image's width.
    size_y : int, float or pair of them, default=8
        Height of a stripe of frequency.
    fill : float or "mean", default=0.0
        Value inside the stripes, or the mean of each plane of each window.
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
    The masks of time and frequency of SpecAugment. All planes and frames of an image
    are blanked alike; stripes may overlap. NaN outside the stripes stays.

    Masks act before the net's input is normalised (`input_norm`): zero is the mean
    only of images that are centred already, and far away from all that there is in
    others, such as spectrograms in decibels. Give those ``fill="mean"``.

    References
    ----------
    D. S. Park et al., SpecAugment, Interspeech 2019.
    HMS: 2 to 4 masks, 10 to 20 wide and 8 high (6th place, discussion 492619); up to 16
    in each direction of 1/32 of the image, ``n_masks_x=(1, 16), size_x=1 / 32`` (4th,
    492240).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import XYMasking
    >>> masking = XYMasking(1, 0, size_x=5, p=1.0, random_state=0)
    >>> (masking(np.ones((2, 1, 4, 20))) == 0).sum(axis=(1, 2, 3)).tolist()
    [20, 20]
    """

    after_frontend = True
    _ndim = (4, 5)

    def __init__(
        self,
        n_masks_x: int | tuple[int, int] = (2, 4),
        n_masks_y: int | tuple[int, int] = (2, 4),
        *,
        size_x: Any = (10, 20),
        size_y: Any = 8,
        fill: float | str = 0.0,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.n_masks_x = n_masks_x
        self.n_masks_y = n_masks_y
        self.size_x = size_x
        self.size_y = size_y
        self.fill = fill

    def _check(self) -> None:
        for name in ("n_masks_x", "n_masks_y"):
            check_counts(getattr(self, name), name, caller=self._name)
        for name in ("size_x", "size_y"):
            check_span(getattr(self, name), name, caller=self._name)
        check_fill(self.fill, caller=self._name)

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        params = {}
        for axis, size in (("y", x.shape[-2]), ("x", x.shape[-1])):
            counts = getattr(self, f"n_masks_{axis}")
            low, high = check_counts(counts, "n_masks", caller=self._name)
            lengths = check_span(
                getattr(self, f"size_{axis}"), f"size_{axis}", caller=self._name
            )
            n = len(x)
            spans = draw_spans(n, high, lengths, size, x, generator, caller=self._name)
            used = torch.arange(high, device=x.device) < whole(
                (n, 1), x, generator, low, high
            )
            # A mask that is not used ends where it starts.
            params[axis] = torch.stack([spans[0], spans[1].where(used, spans[0])])
        return params

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        rows = inside(x.shape[-2], params["y"]).any(dim=1)
        columns = inside(x.shape[-1], params["x"]).any(dim=1)
        mask = rows[:, :, None] | columns[:, None, :]
        mask = mask.reshape(len(x), *(1,) * (x.ndim - 3), *x.shape[-2:])
        return blanked(x, mask, self.fill)
