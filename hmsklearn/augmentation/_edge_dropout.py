"""EdgeDropout: images whose early and late ends are blank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_range
from hmsklearn.augmentation._fill import blanked, check_fill
from hmsklearn.augmentation._random import inside, uniform

__all__ = ["EdgeDropout"]


class EdgeDropout(BaseAugmentation):
    """Blank both ends of the time axis of images; the middle, which is labelled, stays.

    Parameters
    ----------
    share : float or (float, float), default=(0.0, 0.95)
        Share of the width that is blanked, half of it at each end, or the range from
        which it is drawn.
    fill : float or "mean", default=0.0
        Value of what is blanked, or the mean of each plane of each window.
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
    All rows, planes and frames of an image lose the same columns. NaN in the middle
    stays.

    Masks act before the net's input is normalised (`input_norm`): zero is the mean
    only of images that are centred already, and far away from all that there is in
    others, such as spectrograms in decibels. Give those ``fill="mean"``.

    References
    ----------
    HMS: 15th place, 0 to 95 % of the edges of spectrograms.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import EdgeDropout
    >>> EdgeDropout(0.5, p=1.0)(np.ones((1, 1, 1, 8)))[0, 0, 0].tolist()
    [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """

    after_frontend = True
    _ndim = (4, 5)

    def __init__(
        self,
        share: float | tuple[float, float] = (0.0, 0.95),
        *,
        fill: float | str = 0.0,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.share = share
        self.fill = fill

    def _check(self) -> None:
        check_range(self.share, "share", caller=self._name, low=0, high=1)
        check_fill(self.fill, caller=self._name)

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        low, high = check_range(self.share, "share", caller=self._name)
        return {"share": uniform(len(x), x, generator, low, high)}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        start = params["share"][:, None] / 2
        kept = inside(x.shape[-1], torch.stack([start, 1 - start]))[:, 0]
        kept = kept.reshape(len(x), *(1,) * (x.ndim - 2), -1)
        return blanked(x, ~kept, self.fill)
