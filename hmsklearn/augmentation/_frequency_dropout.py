"""FrequencyDropout: bands of frequencies missing, in images or signals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn._params import check_integer
from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_span
from hmsklearn.augmentation._fill import blanked, check_fill
from hmsklearn.augmentation._random import draw_spans, inside

__all__ = ["FrequencyDropout"]


class FrequencyDropout(BaseAugmentation):
    """Remove random bands of frequencies from each window.

    Parameters
    ----------
    size : int, float or pair of them, default=(0.0, 0.1)
        Width of a band, or the range from which it is drawn: whole numbers are rows of
        images or bins of the Fourier transform, floats shares of all of them.
    n_bands : int, default=1
        Number of bands. They may overlap.
    fill : float or "mean", default=0.0
        Value of the removed rows of images, or the mean of each plane of each window.
        Bands of signals become zero.
    after_frontend : bool, default=True
        Whether it acts on images behind the frontend or on the signals.
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
    XYMasking : Stripes of frequency and of time.
    RandomBandPass : Keeps one band.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` are signals, more axes are images. All channels
    or planes lose the same bands. A channel of a signal with NaN becomes NaN, in images
    NaN outside the bands stays.

    Masks act before the net's input is normalised (`input_norm`): zero is the mean
    only of images that are centred already, and far away from all that there is in
    others, such as spectrograms in decibels. Give those ``fill="mean"``.

    References
    ----------
    HMS: 8th place (discussion 492482); widths are not published.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import FrequencyDropout
    >>> drop = FrequencyDropout(3, p=1.0, random_state=0)
    >>> int((drop(np.ones((1, 1, 10, 4))) == 0).sum())
    12
    """

    def __init__(
        self,
        size: Any = (0.0, 0.1),
        *,
        n_bands: int = 1,
        fill: float | str = 0.0,
        after_frontend: bool = True,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.size = size
        self.n_bands = n_bands
        self.fill = fill
        self.after_frontend = after_frontend

    def _check(self) -> None:
        check_span(self.size, "size", caller=self._name)
        check_integer(self.n_bands, "n_bands", caller=self._name, low=1)
        check_fill(self.fill, caller=self._name)

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        lengths = check_span(self.size, "size", caller=self._name)
        n_bins = x.shape[-1] // 2 + 1 if x.ndim == 3 else x.shape[-2]
        spans = draw_spans(
            len(x), self.n_bands, lengths, n_bins, x, generator, caller=self._name
        )
        return {"spans": spans}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        if x.ndim > 3:
            rows = inside(x.shape[-2], params["spans"]).any(dim=1)
            rows = rows.reshape(len(x), *(1,) * (x.ndim - 3), -1, 1)
            return blanked(x, rows, self.fill)
        wide = x if x.dtype == torch.float64 else x.float()
        spectrum = torch.fft.rfft(wide)
        bins = inside(spectrum.shape[-1], params["spans"]).any(dim=1)
        return torch.fft.irfft(spectrum.masked_fill(bins[:, None], 0), x.shape[-1])
