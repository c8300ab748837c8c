"""RandomBandPass: some channels seen through a narrower filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import pad

from hmsklearn._params import check_integer, check_real
from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_counts, check_range
from hmsklearn.augmentation._random import spread, subset, uniform, whole

__all__ = ["RandomBandPass"]


class RandomBandPass(BaseAugmentation):
    """Filter random channels of each window with a random band-pass.

    Parameters
    ----------
    low : float or (float, float), default=(0.0, 2.0)
        Lower edge in hertz, or the range from which it is drawn. Zero passes what is
        slow.
    high : float or (float, float), default=(10.0, 20.0)
        Upper edge in hertz, or the range from which it is drawn.
    width : float, default=None
        Width of the band in hertz: the upper edge is then the lower one plus this, and
        `high` is not used.
    n_channels : int or (int, int), default=(1, 8)
        Number of channels that are filtered, or the range from which it is drawn; None
        filters all.
    sfreq : float, default=200.0
        Sampling frequency in hertz.
    order : int, default=2
        Order of the Butterworth characteristic.
    p : float, default=0.2
        Probability that a window is changed.
    views : sequence of str, default=None
        Names of the views that are changed, where windows have several; all of them by
        default.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier. In a classifier's ``fit`` torch's generator
        is used instead, which ``fit`` seeds.

    See Also
    --------
    FrequencyDropout : Removes a band.
    hmsklearn.preprocessing.ButterworthFilter : One band for all.

    Notes
    -----
    Zero phase: the spectrum is multiplied by the amplitude of an analogue Butterworth
    band-pass, which is one inside the band and 0.707 at either edge, so that each
    window can have edges of its own. With a lower edge of zero it is a low-pass.
    Windows are continued by reflection for up to two seconds at both ends. A filtered
    channel with NaN becomes NaN; others stay.

    References
    ----------
    HMS: upper edge 10 to 20, lower 0 to 2 Hz on 1 to 8 channels, p 0.2 (3rd place,
    discussion 492471). The two-stage pipeline known as LB 0.25 takes a band of 1 Hz
    between 10 and 20 Hz with p 0.1:
    ``RandomBandPass((10, 19), width=1, n_channels=None, p=0.1)``.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import RandomBandPass
    >>> t = np.arange(2000) / 200
    >>> X = np.sin(2 * np.pi * np.array([[5.0], [60.0]]) * t)[None]
    >>> out = RandomBandPass(n_channels=None, p=1.0, random_state=0)(X)
    >>> np.round(out.std(axis=2) / X.std(axis=2), 1).tolist()
    [[1.0, 0.1]]
    """

    _ndim = (3,)

    def __init__(
        self,
        low: float | tuple[float, float] = (0.0, 2.0),
        high: float | tuple[float, float] = (10.0, 20.0),
        *,
        width: float | None = None,
        n_channels: int | tuple[int, int] | None = (1, 8),
        sfreq: float = 200.0,
        order: int = 2,
        p: float = 0.2,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.low = low
        self.high = high
        self.width = width
        self.n_channels = n_channels
        self.sfreq = sfreq
        self.order = order

    def _check(self) -> None:
        self._edges()
        check_integer(self.order, "order", caller=self._name, low=1)
        if self.n_channels is not None:
            check_counts(self.n_channels, "n_channels", caller=self._name, low=1)

    def _edges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        name = self._name
        sfreq = check_real(self.sfreq, "sfreq", caller=name, low=0, low_open=True)
        low = check_range(self.low, "low", caller=name, low=0, high=sfreq / 2)
        if self.width is None:
            high = check_range(self.high, "high", caller=name, low=0, high=sfreq / 2)
            if low[1] >= high[0]:
                raise ValueError(
                    f"{name}: low={self.low} reaches up to high={self.high}, so that a "
                    "band could be empty. Keep the two ranges apart, or give a width."
                )
            return low, high
        width = check_real(self.width, "width", caller=name, low=0, low_open=True)
        return low, (low[0] + width, low[1] + width)

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        n, n_chans = x.shape[:2]
        (low_from, low_to), (high_from, high_to) = self._edges()
        low = uniform(n, x, generator, low_from, low_to)
        if self.width is None:
            high = uniform(n, x, generator, high_from, high_to)
        else:
            high = low + self.width
        if self.n_channels is None:
            channels = torch.ones((n, n_chans), dtype=torch.bool, device=x.device)
        else:
            fewest, most = check_counts(
                self.n_channels, "n_channels", caller=self._name
            )
            if most > n_chans:
                raise ValueError(
                    f"{self._name}: n_channels={self.n_channels} is more than the "
                    f"{n_chans} channels of the windows. Give fewer, or None for all."
                )
            counts = whole(n, x, generator, fewest, most)
            channels = subset(n_chans, counts, x, generator)
        return {"low": low, "high": high, "channels": channels}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        self._same_size(x.shape[1], params["channels"].shape[1], "channels")
        n_times = x.shape[-1]
        ends = min(n_times - 1, round(2 * self.sfreq))
        wide = x if x.dtype == torch.float64 else x.float()
        wide = pad(wide, (ends, ends), mode="reflect")
        size = wide.shape[-1]
        freqs = torch.fft.rfftfreq(size, 1 / self.sfreq, device=x.device)
        low, high = (params[name][:, None] for name in ("low", "high"))
        power = 2 * self.order
        # The distance from the middle of the band, 1 at either edge. At 0 Hz the tiny
        # number keeps 0 / 0, a lower edge of zero, from being NaN.
        freqs = freqs.clamp(min=1e-12)
        distance = (freqs.square() - low * high) / (freqs * (high - low))
        gain = (1 + distance**power).rsqrt()[:, None]
        spectrum = torch.fft.rfft(wide) * gain.to(wide.dtype)
        filtered = torch.fft.irfft(spectrum, size)[..., ends : ends + n_times]
        return torch.where(spread(params["channels"], x), filtered.to(x.dtype), x)
