"""Mixup: weighted means of two windows and of their targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn._params import check_choice
from hmsklearn.augmentation._partner import PartnerAugmentation

__all__ = ["Mixup"]

MODES = ("linear", "or", "add")


class Mixup(PartnerAugmentation):
    """Mix each window with another one of its batch.

    Parameters
    ----------
    alpha : float, default=1.0
        The share that a window keeps is drawn from Beta(alpha, alpha): 1 makes all
        shares alike, less makes mostly one of the two windows visible.
    lam_range : (float, float), default=None
        Draw the share evenly between these bounds instead.
    mode : {"linear", "or", "add"}, default="linear"
        What becomes of the targets y and y' of the two windows: their mean, weighted as
        the windows are; the probability of either, ``y + y' - y * y'``; their sum, at
        most one.
    same_class : bool, default=False
        Whether partners come from windows with the same first class; a window that is
        alone stays as it is.
    after_frontend : bool, default=False
        Whether images are mixed and not the signals.
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
    CutMix : Puts a box of one image into another.
    TimeCutMix : Puts a stretch of one signal into another.

    Notes
    -----
    Weights and numbers of votes are mixed like the windows in every mode. Rows of
    targets keep summing to one in the mode ``"linear"`` alone. The two others are
    meant for binary cross-entropy, which takes each class for itself. NaN in a window
    spoils what is mixed with it.

    Where windows have weights, each of the two targets counts by its share times its
    weight, so that a row teaches its label as much as it does unmixed, and one of
    weight zero not at all. CutMix, TimeCutMix and ManifoldMixup do the same.

    References
    ----------
    H. Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018.
    HMS: p 0.5, alpha 1 (4th and 6th place, discussions 492240 and 492619) or 0.2 (4th,
    2-D); p 0.05 with shares of 0.4 to 0.6 (7th, 492281); sums of targets (a switch of
    the 3rd, 492471). The mode "or" is from the 2nd place of SETI, where alpha was 0.5
    to 1.5.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import Mixup
    >>> X = np.array([[[0.0, 0.0]], [[1.0, 1.0]]])
    >>> mixup = Mixup(lam_range=(0.75, 0.75), same_class=False, p=1.0, random_state=1)
    >>> mixed, fractions = mixup(X, [[1.0, 0.0], [0.0, 1.0]])
    >>> np.allclose(mixed[:, 0, 0], fractions[:, 1])
    True
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        lam_range: tuple[float, float] | None = None,
        mode: str = "linear",
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
        self.mode = mode

    def _check(self) -> None:
        super()._check()
        check_choice(self.mode, "mode", MODES, caller=self._name)

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        return self._mix(x, params)

    def _transform_target(
        self,
        fractions: torch.Tensor,
        params: dict[str, Any],
        total_votes: torch.Tensor | None,
    ) -> torch.Tensor:
        if self.mode == "linear":
            return self._mix_target(fractions, params)
        if "sample_weight" in params:
            # Rows of no weight do not teach their labels.
            fractions = fractions * (params["sample_weight"] > 0)[:, None]
        other = fractions.index_select(0, params["partner"])
        if self.mode == "or":
            return fractions + other - fractions * other
        return (fractions + other).clamp(0, 1)
