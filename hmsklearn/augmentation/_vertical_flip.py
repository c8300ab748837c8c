"""VerticalFlip: images upside down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn.augmentation._base import BaseAugmentation

__all__ = ["VerticalFlip"]


class VerticalFlip(BaseAugmentation):
    """Reverse the height of images, which is the frequency.

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
    HorizontalFlip : Reverses the width, which is the time.

    Notes
    -----
    Low frequencies then lie where high ones did. In an image of stacked signals, or a
    mosaic, rows or tiles change places. NaN moves with its pixel.

    References
    ----------
    HMS: flips in both directions, each with p 0.5 (7th place, discussion 492281).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import VerticalFlip
    >>> VerticalFlip(p=1.0)(np.arange(3.0).reshape(1, 1, 3, 1)).ravel().tolist()
    [2.0, 1.0, 0.0]
    """

    after_frontend = True
    _ndim = (4, 5)

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
        return x.flip(-2)
