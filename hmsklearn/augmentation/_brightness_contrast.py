"""BrightnessContrast: images a little brighter, darker, harder or softer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn._params import check_real
from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._random import spread, uniform

__all__ = ["BrightnessContrast"]


class BrightnessContrast(BaseAugmentation):
    """Change brightness and contrast of images.

    Parameters
    ----------
    brightness : float, default=0.2
        Largest change of the mean, either way, in standard deviations of the image.
    contrast : float, default=0.2
        Factors of the distance from the mean are drawn from 1 - contrast to
        1 + contrast.
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
    ``mean + (x - mean) * factor + change * std``: it does the same to images in
    decibels and in shares of one, and nothing is clipped. Mean and standard deviation
    are those of all planes of an image, without NaN, which stays NaN.

    References
    ----------
    HMS: 16th place; contrast in the 5th (discussion 492652), where amounts are not
    published; brightness reported as harmful in 479776 or 469953 by one user.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import BrightnessContrast
    >>> X = np.array([0.0, 2.0]).reshape(1, 1, 1, 2)
    >>> out = BrightnessContrast(0.0, 0.5, p=1.0, random_state=0)(X)
    >>> print(f"{out.mean():.3f}", bool(0.5 <= np.ptp(out) / 2 <= 1.5))
    1.000 True
    """

    after_frontend = True
    _ndim = (4, 5)

    def __init__(
        self,
        brightness: float = 0.2,
        contrast: float = 0.2,
        *,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.brightness = brightness
        self.contrast = contrast

    def _check(self) -> None:
        check_real(self.brightness, "brightness", caller=self._name, low=0)
        check_real(self.contrast, "contrast", caller=self._name, low=0, high=1)

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        n, b, c = len(x), self.brightness, self.contrast
        return {
            "brightness": uniform(n, x, generator, -b, b),
            "contrast": uniform(n, x, generator, 1 - c, 1 + c),
        }

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        # Sums of many pixels need more than 16 bits.
        wide = x if x.dtype == torch.float64 else x.float()
        axes = tuple(range(1, x.ndim))
        mean = wide.nanmean(dim=axes, keepdim=True)
        deviation = wide - mean
        std = deviation.square().nanmean(dim=axes, keepdim=True).sqrt()
        contrast, brightness = (
            spread(params[name], x) for name in ("contrast", "brightness")
        )
        return mean + deviation * contrast + std * brightness
