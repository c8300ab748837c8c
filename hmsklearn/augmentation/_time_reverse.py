"""TimeReverse: signals played backwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn.augmentation._base import BaseAugmentation

__all__ = ["TimeReverse"]


class TimeReverse(BaseAugmentation):
    """Reverse the time axis.

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

    See Also
    --------
    HorizontalFlip : The same for images behind the frontend.

    Notes
    -----
    The last axis is the time. NaN is reversed like everything else.

    References
    ----------
    HMS: p 0.5 (3rd place, discussion 492471); 4th and 5th (492240, 492652).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import TimeReverse
    >>> TimeReverse(p=1.0)(np.arange(3.0).reshape(1, 1, 3)).ravel().tolist()
    [2.0, 1.0, 0.0]
    """

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
        return x.flip(-1)
