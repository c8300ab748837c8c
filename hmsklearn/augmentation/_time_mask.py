"""TimeMask: one stretch of time blanked, in signals or images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_span
from hmsklearn.augmentation._fill import blanked, check_fill
from hmsklearn.augmentation._random import draw_spans, inside

__all__ = ["TimeMask"]


class TimeMask(BaseAugmentation):
    """Blank one stretch of time of each window.

    Parameters
    ----------
    size : int, float or pair of them, default=(0.0, 0.1)
        Length of the stretch, or the range from which it is drawn: whole numbers are
        samples, floats shares of the window.
    fill : float or "mean", default=0.0
        Value inside the stretch, or the mean of each channel or plane of each window.
    after_frontend : bool, default=False
        Whether columns of images are blanked and not samples of the signals.
    p : float, default=0.5
        Probability that a window is changed.
    views : sequence of str, default=None
        Names of the views that are changed, where windows have several; all of them by
        default.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier. In a classifier's ``fit`` torch's generator
        is used instead, which ``fit`` seeds.

    See Also
    --------
    Cutout1d : Several short stretches.
    XYMasking : Stripes of time and of frequency.

    Notes
    -----
    The last axis is the time; all channels are blanked alike. NaN outside the stretch
    stays.

    Masks act before the net's input is normalised (`input_norm`): zero is the mean
    only of images that are centred already, and far away from all that there is in
    others, such as spectrograms in decibels. Give those ``fill="mean"``.

    References
    ----------
    HMS: third most useful of the augmentations of the 5th place (discussion 492652),
    whose lengths are not published.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import TimeMask
    >>> mask = TimeMask(0.25, p=1.0, random_state=0)
    >>> (mask(np.ones((2, 1, 100))) == 0).sum(axis=(1, 2)).tolist()
    [25, 25]
    """

    def __init__(
        self,
        size: Any = (0.0, 0.1),
        *,
        fill: float | str = 0.0,
        after_frontend: bool = False,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.size = size
        self.fill = fill
        self.after_frontend = after_frontend

    def _check(self) -> None:
        check_span(self.size, "size", caller=self._name)
        check_fill(self.fill, caller=self._name)

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        lengths = check_span(self.size, "size", caller=self._name)
        spans = draw_spans(
            len(x), 1, lengths, x.shape[-1], x, generator, caller=self._name
        )
        return {"spans": spans}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        mask = inside(x.shape[-1], params["spans"])[:, 0]
        mask = mask.reshape(len(x), *(1,) * (x.ndim - 2), -1)
        return blanked(x, mask, self.fill)
