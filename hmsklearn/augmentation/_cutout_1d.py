"""Cutout1d: short stretches of signals blanked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn._params import check_integer, check_real
from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_span
from hmsklearn.augmentation._random import draw_spans, inside

__all__ = ["Cutout1d"]


class Cutout1d(BaseAugmentation):
    """Blank a few short stretches of all channels at once.

    Parameters
    ----------
    n_holes : int, default=4
        Number of stretches. They may overlap.
    size : int, float or pair of them, default=(1, 128)
        Length of a stretch, or the range from which it is drawn: whole numbers are
        samples, floats shares of the window.
    fill : float, default=0.0
        Value inside the stretches.
    p : float, default=0.3
        Probability that a window is changed.
    views : sequence of str, default=None
        Names of the views that are changed, where windows have several; all of them by
        default.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier. In a classifier's ``fit`` torch's generator
        is used instead, which ``fit`` seeds.

    See Also
    --------
    TimeMask : One long stretch.
    RandomNaNBlocks : Stretches of single channels.

    Notes
    -----
    NaN outside the stretches stays.

    References
    ----------
    T. DeVries and G. W. Taylor, Improved Regularization of Convolutional Neural
    Networks with Cutout, 2017.
    HMS: 4 stretches of at most 128 samples at 40 Hz, p 0.3 (4th place, discussion
    492240).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import Cutout1d
    >>> cutout = Cutout1d(1, size=10, p=1.0, random_state=0)
    >>> (cutout(np.ones((2, 3, 100))) == 0).sum(axis=2).tolist()
    [[10, 10, 10], [10, 10, 10]]
    """

    _ndim = (3,)

    def __init__(
        self,
        n_holes: int = 4,
        *,
        size: Any = (1, 128),
        fill: float = 0.0,
        p: float = 0.3,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.n_holes = n_holes
        self.size = size
        self.fill = fill

    def _check(self) -> None:
        check_integer(self.n_holes, "n_holes", caller=self._name, low=1)
        check_span(self.size, "size", caller=self._name)
        check_real(self.fill, "fill", caller=self._name)

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        lengths = check_span(self.size, "size", caller=self._name)
        spans = draw_spans(
            len(x),
            self.n_holes,
            lengths,
            x.shape[-1],
            x,
            generator,
            caller=self._name,
        )
        return {"spans": spans}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        holes = inside(x.shape[-1], params["spans"]).any(dim=1)
        return x.masked_fill(holes[:, None], self.fill)
