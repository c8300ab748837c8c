"""CutMix: a box of one image inside another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn.augmentation._partner import PartnerAugmentation
from hmsklearn.augmentation._random import inside, uniform

__all__ = ["CutMix"]


class CutMix(PartnerAugmentation):
    """Replace a box of each image by the same place of another image.

    Parameters
    ----------
    alpha : float, default=1.0
        The share that an image keeps is drawn from Beta(alpha, alpha). The box has the
        proportions of the image and lies around a random place; what of it is outside
        is lost.
    lam_range : (float, float), default=None
        Draw the share evenly between these bounds instead.
    same_class : bool, default=False
        Whether partners come from windows with the same first class; a window that is
        alone stays as it is.
    after_frontend : bool, default=True
        Whether it acts behind the frontend. False is for windows that are images
        already.
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
    TimeCutMix : The same along the time alone.

    Notes
    -----
    Targets, weights and numbers of votes are mixed by the share of pixels that is
    really kept. NaN stays where it is in the two images.

    References
    ----------
    S. Yun et al., CutMix: Regularization Strategy to Train Strong Classifiers with
    Localizable Features, ICCV 2019.
    HMS: between windows of one class, discussion 479446; 1st place, 492560.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import CutMix
    >>> X = np.ones((2, 1, 8, 8)) * np.array([0.0, 1.0]).reshape(2, 1, 1, 1)
    >>> cut, fractions = CutMix(p=1.0, random_state=0)(X, [[1.0, 0.0], [0.0, 1.0]])
    >>> np.allclose(cut.mean(axis=(1, 2, 3)), fractions[:, 1])
    True
    """

    _ndim = (4, 5)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        lam_range: tuple[float, float] | None = None,
        same_class: bool = False,
        after_frontend: bool = True,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            alpha,
            lam_range=lam_range,
            same_class=same_class,
            after_frontend=after_frontend,
            p=p,
            views=views,
            random_state=random_state,
        )

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, torch.Tensor]:
        params = super()._draw(x, generator, context)
        half = ((1 - params["lam"]).clamp(min=0).sqrt() / 2)[:, None]
        middles = uniform((2, len(x), 1), x, generator)
        boxes = torch.stack([middles - half, middles + half], dim=1)
        # Pixels count, not areas: a small image has few of them.
        height, width = (
            inside(size, box)[:, 0].sum(dim=1)
            for size, box in zip(x.shape[-2:], boxes, strict=True)
        )
        params["lam"] = 1 - height * width / (x.shape[-2] * x.shape[-1])
        return {**params, "boxes": boxes}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        rows, columns = (
            inside(size, box)[:, 0]
            for size, box in zip(x.shape[-2:], params["boxes"], strict=True)
        )
        box = rows[:, :, None] & columns[:, None, :]
        box = box.reshape(len(x), *(1,) * (x.ndim - 3), *x.shape[-2:])
        return torch.where(box, x.index_select(0, params["partner"]), x)
