"""AmplitudeScale: signals a little larger or smaller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn._params import check_choice, check_real
from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._random import spread, uniform

__all__ = ["AmplitudeScale"]


class AmplitudeScale(BaseAugmentation):
    """Multiply windows by a random factor near one.

    Parameters
    ----------
    scale : float, default=0.075
        Factors are drawn from 1 - scale to 1 + scale.
    per : {"window", "channel"}, default="window"
        Whether a window has one factor or each of its channels has its own.
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
    NaN stays NaN.

    References
    ----------
    HMS: 15th place, scale 0.075 for the whole head.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import AmplitudeScale
    >>> scaled = AmplitudeScale(0.5, p=1.0, random_state=0)(np.ones((2, 3, 4)))
    >>> bool((abs(scaled - 1) <= 0.5).all()), np.ptp(scaled, axis=(1, 2)).tolist()
    (True, [0.0, 0.0])
    """

    _ndim = (3,)

    def __init__(
        self,
        scale: float = 0.075,
        *,
        per: str = "window",
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.scale = scale
        self.per = per

    def _check(self) -> None:
        check_real(self.scale, "scale", caller=self._name, low=0, high=1)
        check_choice(self.per, "per", ("window", "channel"), caller=self._name)

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        shape = x.shape[:1] if self.per == "window" else x.shape[:2]
        low, high = 1 - self.scale, 1 + self.scale
        return {"factor": uniform(tuple(shape), x, generator, low, high)}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        factor = params["factor"]
        if factor.ndim == 2:
            self._same_size(x.shape[1], factor.shape[1], "channels")
        return x * spread(factor, x).to(x.dtype)
