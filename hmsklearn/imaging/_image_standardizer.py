"""ImageStandardizer: images on a common scale."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.standardize import METHODS, Per, standardize

__all__ = ["ImageStandardizer"]

_PER = ("window", "plane", "row")


class ImageStandardizer(BaseSignalTransformer):
    """Standardise each window's images, by their own values or by fixed numbers.

    Parameters
    ----------
    method : {"zscore", "minmax", "quantile", "fixed"}, default="zscore"
        ``(x - mean) / (standard deviation + eps)``; the range of the values to
        `value_range`, ``(x - min) / (max - min + eps)`` between its ends; the same
        after clipping to `quantiles`; or ``(x - mean) / std`` with given numbers.
    per : "window", "plane", "row", int or sequence of int sequences, default="window"
        What is standardised together: all planes of a window, each plane, each row
        (each channel of a signal), each band of so many rows of a plane (a stack of
        spectrograms has one for each), or groups of planes by position, such as
        ``[range(18), [18]]`` for an EKG that comes last. Not for ``"fixed"``.
    eps : float, default=1e-6
        Added to what is divided by.
    mean, std : float or sequence of float, default=0.0 and 1.0
        Of ``"fixed"``: one number, or one for each plane.
    quantiles : (float, float), default=(0.01, 0.99)
        Of ``"quantile"``: shares of the values below the lower and the upper end.
    value_range : (float, float), default=(0.0, 1.0)
        Of ``"minmax"`` and ``"quantile"``: the ends of the new scale.
    fill : float, default=0.0
        What NaN becomes.

    Attributes
    ----------
    n_features_in_ : int
        Number of planes seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable, groups of planes do not hold each plane
        once, or the height is not a multiple of the rows in a band.

    Notes
    -----
    Images ``(n_windows, n_planes, height, width)`` or signals ``(n_windows,
    n_channels, n_times)`` in and out, same dtype; planes keep their names. A window's
    result depends on nothing but the window.

    NaN is left out of the statistics and becomes `fill`, so that there is none in the
    output. Where all values are equal, they become 0 with ``"zscore"`` and the lower
    end of `value_range` with ``"minmax"`` and ``"quantile"``.

    References
    ----------
    Each picture with ``eps=1e-6``: the public notebooks of HMS and most solutions.
    ``per="plane"`` after padding: 7th place (discussion 492281). One mean and deviation
    for the EEG and one for the EKG, ``per=[range(18), [18]]``: A. Narai.
    ``"quantile"``: 16th place.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.imaging import ImageStandardizer
    >>> image = np.array([[[[1.0, 2.0, np.nan], [3.0, 4.0, 5.0]]]])
    >>> ImageStandardizer("minmax", value_range=(0, 255), eps=0).fit_transform(image)
    array([[[[  0.  ,  63.75,   0.  ],
             [127.5 , 191.25, 255.  ]]]])
    >>> ImageStandardizer("fixed", mean=2, std=12).fit_transform(image[..., :1, :1])
    array([[[[-0.08333333]]]])
    """

    _ndim = (3, 4)
    _allow_nan = True

    def __init__(
        self,
        method: str = "zscore",
        *,
        per: Per = "window",
        eps: float = 1e-6,
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        quantiles: tuple[float, float] = (0.01, 0.99),
        value_range: tuple[float, float] = (0.0, 1.0),
        fill: float = 0.0,
    ) -> None:
        self.method = method
        self.per = per
        self.eps = eps
        self.mean = mean
        self.std = std
        self.quantiles = quantiles
        self.value_range = value_range
        self.fill = fill

    def _fit(self, X: Array) -> None:
        caller = type(self).__name__
        check_choice(self.method, "method", METHODS, caller=caller)
        check_real(self.eps, "eps", caller=caller, low=0)
        check_real(self.fill, "fill", caller=caller)
        self._check_pair("quantiles", low=0, high=1)
        self._check_pair("value_range")
        self._check_moments("mean", X.shape[1])
        self._check_moments("std", X.shape[1], low=0, low_open=True)
        self._check_per(X)

    def _check_pair(self, name: str, **bounds: Any) -> None:
        caller = type(self).__name__
        pair = getattr(self, name)
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(
                f"{caller}: {name} must be a pair (low, high), got {pair!r}."
            )
        low, high = (
            check_real(end, f"{name}[{i}]", caller=caller, **bounds)
            for i, end in enumerate(pair)
        )
        if low >= high:
            raise ValueError(
                f"{caller}: {name}={pair!r}: the lower end must be below the upper "
                "one. Swap them."
            )

    def _check_moments(self, name: str, n_planes: int, **bounds: Any) -> None:
        caller = type(self).__name__
        value = getattr(self, name)
        if not isinstance(value, (tuple, list, np.ndarray)):
            check_real(value, name, caller=caller, **bounds)
            return
        if len(value) != n_planes:
            raise ValueError(
                f"{caller}: {name} has {len(value)} numbers, X has {n_planes} planes "
                "(axis 1). Give one for each, or a single number."
            )
        for i, number in enumerate(value):
            check_real(number, f"{name}[{i}]", caller=caller, **bounds)

    def _check_per(self, X: Array) -> None:
        caller = type(self).__name__
        per, n_planes = self.per, X.shape[1]
        if isinstance(per, str):
            check_choice(per, "per", _PER, caller=caller)
            return
        if isinstance(per, Integral):
            rows = check_integer(per, "per", caller=caller, low=1)
            height = X.shape[2] if X.ndim > 3 else 1
            if height % rows:
                raise ValueError(
                    f"{caller}: the height of {height} is not a multiple of the "
                    f"per={rows} rows of a band. Give a divisor of it."
                )
            return
        try:
            groups: Any = per
            planes = sorted(int(plane) for group in groups for plane in group)
        except (TypeError, ValueError):
            planes = []
        if planes != list(range(n_planes)):
            raise ValueError(
                f"{caller}: per must be one of {', '.join(map(repr, _PER))}, a number "
                f"of rows, or groups of planes in which each of 0 .. {n_planes - 1} "
                f"occurs once, got {per!r}."
            )

    def _output_shape(self, X: Array) -> tuple[int, ...]:
        self._check_per(X)
        return X.shape[1:]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return standardize(
            X,
            self.method,
            per=self.per,
            eps=self.eps,
            mean=self.mean,
            std=self.std,
            quantiles=self.quantiles,
            value_range=self.value_range,
            fill=self.fill,
            out=out,
        )
