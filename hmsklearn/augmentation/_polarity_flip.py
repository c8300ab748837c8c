"""PolarityFlip: signals upside down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn.augmentation._base import BaseAugmentation

__all__ = ["PolarityFlip"]


class PolarityFlip(BaseAugmentation):
    """Change the sign of all channels.

    Parameters
    ----------
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
    HMS: second most useful of the augmentations of the 5th place (discussion 492652).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import PolarityFlip
    >>> PolarityFlip(p=1.0)(np.arange(1.0, 3.0).reshape(1, 1, 2)).ravel().tolist()
    [-1.0, -2.0]
    """

    _ndim = (3,)

    def __init__(
        self,
        *,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        return -x
