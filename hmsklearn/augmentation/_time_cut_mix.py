"""TimeCutMix: a stretch of time of one window inside another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn.augmentation._partner import PartnerAugmentation
from hmsklearn.augmentation._random import inside, uniform

__all__ = ["TimeCutMix"]


class TimeCutMix(PartnerAugmentation):
    """Replace a stretch of time of each window by that of another one.

    Parameters
    ----------
    alpha : float, default=0.2
        The share of time that a window keeps is drawn from Beta(alpha, alpha).
    lam_range : (float, float), default=None
        Draw the share evenly between these bounds instead.
    same_class : bool, default=False
        Whether partners come from windows with the same first class; a window that is
        alone stays as it is.
    after_frontend : bool, default=False
        Whether columns of images are replaced and not samples of the signals.
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
    CutMix : Replaces a box of images.

    Notes
    -----
    All channels are cut at the same samples, the last axis is the time. The stretch
    lies inside the window as a whole. Targets, weights and numbers of votes are mixed
    by the share of samples that is really kept. NaN stays where it is in the two
    windows.

    References
    ----------
    HMS: p 0.5, alpha 0.2 (4th place, discussion 492240); p 0.25 to 0.5 (5th, 492652).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import TimeCutMix
    >>> X = np.ones((2, 3, 100)) * np.array([0.0, 1.0]).reshape(2, 1, 1)
    >>> cut, fractions = TimeCutMix(1.0, p=1.0, random_state=0)(
    ...     X, [[1.0, 0.0], [0.0, 1.0]]
    ... )
    >>> np.allclose(cut.mean(axis=(1, 2)), fractions[:, 1])
    True
    """

    def __init__(
        self,
        alpha: float = 0.2,
        *,
        lam_range: tuple[float, float] | None = None,
        same_class: bool = False,
        after_frontend: bool = False,
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
        size = x.shape[-1]
        length = ((1 - params["lam"]) * size).round()
        start = (uniform(len(x), x, generator) * (size - length + 1)).floor()
        start = start.minimum(size - length)
        spans = torch.stack([start, start + length])[..., None] / size
        return {**params, "lam": 1 - length / size, "spans": spans}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        cut = inside(x.shape[-1], params["spans"])[:, 0]
        cut = cut.reshape(len(x), *(1,) * (x.ndim - 2), -1)
        return torch.where(cut, x.index_select(0, params["partner"]), x)
