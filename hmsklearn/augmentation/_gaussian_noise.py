"""GaussianNoise: a little noise on every sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_range
from hmsklearn.augmentation._random import spread, uniform

__all__ = ["GaussianNoise"]


class GaussianNoise(BaseAugmentation):
    """Add independent noise of a normal distribution to each value.

    Parameters
    ----------
    std : float or (float, float), default=0.015
        Standard deviation in the unit of the windows, or the range from which it is
        drawn for each window.
    relative : bool, default=False
        Whether `std` is a share of the standard deviation of each channel.
    after_frontend : bool, default=False
        Whether noise is added to images and not to the signals.
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
    NaN stays; `relative` takes the deviation of the other samples. Views that differ in
    shape need noise, and so an augmentation, of their own.

    References
    ----------
    HMS: 15th place, 0.015 on signals that were divided by 32 microvolt.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import GaussianNoise
    >>> noisy = GaussianNoise(0.1, p=1.0, random_state=0)(np.zeros((1, 1, 10_000)))
    >>> print(f"{noisy.std():.2f}")
    0.10
    """

    def __init__(
        self,
        std: float | tuple[float, float] = 0.015,
        *,
        relative: bool = False,
        after_frontend: bool = False,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.std = std
        self.relative = relative
        self.after_frontend = after_frontend

    def _check(self) -> None:
        check_range(self.std, "std", caller=self._name, low=0)
        if not isinstance(self.relative, bool):
            raise ValueError(
                f"{self._name}: relative must be True or False, got {self.relative!r}."
            )

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        low, high = check_range(self.std, "std", caller=self._name, low=0)
        return {
            "std": uniform(len(x), x, generator, low, high),
            "noise": torch.randn(x.shape, generator=generator, device=x.device),
        }

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        noise = params["noise"]
        if noise.shape != x.shape:
            raise ValueError(
                f"{self._name}: views differ in shape, {tuple(noise.shape)} and "
                f"{tuple(x.shape)}, and one draw cannot serve both. Name one of them "
                "in views."
            )
        std = spread(params["std"], x)
        if self.relative:
            flat = x.float().flatten(2)
            deviation = flat - flat.nanmean(dim=2, keepdim=True)
            std = std * spread(deviation.square().nanmean(dim=2).sqrt(), x)
        # The noise of a channel that is all NaN is NaN, as is the channel.
        return x + (std * noise).to(x.dtype)
