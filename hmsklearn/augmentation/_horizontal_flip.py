"""HorizontalFlip: images with the time running backwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn.augmentation._base import BaseAugmentation

__all__ = ["HorizontalFlip"]


class HorizontalFlip(BaseAugmentation):
    """Reverse the width of images, which is the time.

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
    TimeReverse : Acts on the signals before the frontend.
    VerticalFlip : Reverses the height.

    Notes
    -----
    A mosaic with tiles side by side is flipped as a whole: its tiles change places
    too. NaN moves with its pixel.

    References
    ----------
    HMS: p 0.5 (7th place, discussion 492281), 5th (492652); reported as useful by some
    and harmful by others in 479776 and 469953.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import HorizontalFlip
    >>> HorizontalFlip(p=1.0)(np.arange(3.0).reshape(1, 1, 1, 3)).ravel().tolist()
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
        return x.flip(-1)
