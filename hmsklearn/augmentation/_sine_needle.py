"""SineNeedle: a wave drawn into spectra over time, and the label that goes with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn._params import check_integer
from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_range
from hmsklearn.augmentation._random import uniform

__all__ = ["SineNeedle"]


class SineNeedle(BaseAugmentation):
    """Draw a narrow signal whose frequency swings about a drifting line.

    Planes are observations of one place, time on the height and frequency on the
    width. The signal goes on from one to the next, and through the time between them.
    The window becomes one of the class `label`.

    Parameters
    ----------
    height : float or (float, float), default=(0.4, 2.0)
        Height of the signal above the rest, in standard deviations of the plane, or
        the range from which it is drawn.
    period : float or (float, float), default=(60.0, 400.0)
        Rows of one swing.
    swing : float or (float, float), default=(4.0, 20.0)
        Columns to either side.
    drift : float or (float, float), default=(0.0, 190.0)
        Columns of the line from the first row to the last, to the left or the right.
    width : float or (float, float), default=(0.6, 1.6)
        Standard deviation of the signal across, in columns.
    gap : int, default=1
        Observations between two planes that are not among them.
    label : int, default=1
        Position of the class that the window becomes.
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
    Windows are ``(n_windows, n_planes, n_times, n_freqs)`` and are changed in front of
    the frontend. The line starts and ends within the band; where the swing or a drift
    wider than the band leads out of it, the signal is not seen. Targets of changed
    windows are 1 for `label` and 0 for the others.

    References
    ----------
    The 1st place of SETI Breakthrough Listen (Kaggle discussion 266385) trained on
    sine waves that it had drawn, since they occurred in the test set alone. How they
    were drawn is not published.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import SineNeedle
    >>> noise = np.random.default_rng(0).normal(size=(2, 3, 64, 32)).astype("float32")
    >>> drawn, y = SineNeedle(9.0, p=1.0, random_state=0)(noise, np.eye(2))
    >>> bool((drawn >= noise).all()), y.tolist()
    (True, [[0.0, 1.0], [0.0, 1.0]])
    """

    _ndim = (4,)

    def __init__(
        self,
        height: float | tuple[float, float] = (0.4, 2.0),
        *,
        period: float | tuple[float, float] = (60.0, 400.0),
        swing: float | tuple[float, float] = (4.0, 20.0),
        drift: float | tuple[float, float] = (0.0, 190.0),
        width: float | tuple[float, float] = (0.6, 1.6),
        gap: int = 1,
        label: int = 1,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.height = height
        self.period = period
        self.swing = swing
        self.drift = drift
        self.width = width
        self.gap = gap
        self.label = label

    def _check(self) -> None:
        for name in ("height", "swing", "drift"):
            check_range(getattr(self, name), name, caller=self._name, low=0)
        for name, low in (("period", 2), ("width", 0.1)):
            check_range(getattr(self, name), name, caller=self._name, low=low)
        check_integer(self.gap, "gap", caller=self._name, low=0)
        check_integer(self.label, "label", caller=self._name, low=0)

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        def drawn(name: str, *shape: int) -> torch.Tensor:
            low, high = check_range(getattr(self, name), name, caller=self._name, low=0)
            return uniform((len(x), *shape), x, generator, low, high)

        places = uniform((len(x), 3), x, generator)
        names = ("height", "period", "swing", "drift", "width")
        return {"places": places, **{name: drawn(name, 1) for name in names}}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        _, n_planes, n_times, n_freqs = x.shape
        steps = torch.arange(n_times, device=x.device, dtype=torch.float32)
        starts = torch.arange(n_planes, device=x.device) * ((self.gap + 1) * n_times)
        rows = (starts[:, None] + steps).flatten()
        start, turn, phase = params["places"].split(1, dim=1)
        drift = params["drift"].clamp(max=float(n_freqs - 1)) * torch.where(
            turn < 0.5, -1.0, 1.0
        )
        # Where the line starts, so that it ends within the band.
        first = (n_freqs - 1 - drift.abs()) * start - drift.clamp(max=0.0)
        cycle = 2 * math.pi * (rows / params["period"] + phase)
        line = first + drift * rows / rows[-1].clamp(min=1.0)
        track = line + params["swing"] * torch.sin(cycle)
        columns = torch.arange(n_freqs, device=x.device, dtype=torch.float32)
        away = (columns - track[..., None]) / params["width"][..., None]
        needle = torch.exp(-0.5 * away.square()).reshape(x.shape)
        spread = x.float().std(dim=(2, 3), keepdim=True)
        return x + params["height"][..., None, None] * spread * needle

    def _transform_target(
        self,
        fractions: torch.Tensor,
        params: dict[str, Any],
        total_votes: torch.Tensor | None,
    ) -> torch.Tensor:
        n_classes = fractions.shape[1]
        if self.label >= n_classes:
            raise ValueError(
                f"{self._name}: label={self.label} is no position of {n_classes} "
                f"classes. Give 0 .. {n_classes - 1}."
            )
        new = torch.zeros_like(fractions)
        new[:, self.label] = 1
        return new
