"""RobustChannelScaler: each window centred and scaled by its own quantiles."""

from __future__ import annotations

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice, check_real
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.robust import ACROSS, CENTRES, robust_scale

__all__ = ["RobustChannelScaler"]


class RobustChannelScaler(BaseSignalTransformer):
    """Subtract the median of each window and divide by a range of its quantiles.

    Parameters
    ----------
    center : {"median", "mean"} or None, default="median"
        What is subtracted; None subtracts nothing.
    quantile_range : (float, float), default=(25.0, 75.0)
        Percentiles whose distance is the divisor, the interquartile range by default.
        None does not divide.
    across : {"channel", "window", "electrodes"}, default="channel"
        What one median and one range are taken over. ``"channel"``: the samples of
        each channel. ``"window"``: all samples of the window. ``"electrodes"``: all
        channels at each moment, which makes their median (or mean) the reference.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable, if neither centring nor scaling is
        asked for, or if `X` contains NaN.

    See Also
    --------
    hmsklearn.preprocessing.AmplitudeScaler : Divides by fixed numbers.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in and out, same dtype; a pure number out where
    something is divided, else the unit of the input.

    Unlike :class:`sklearn.preprocessing.RobustScaler`, which learns one median and one
    range for each feature from the training rows, this transformer is stateless: the
    statistics are those of each window itself. What a window's amplitude was is lost;
    where that matters, use :class:`hmsklearn.preprocessing.AmplitudeScaler`.

    Where the quantiles coincide (within 1e-12), the divisor is 1: constant channels
    become 0. NaN is an error: put :class:`hmsklearn.preprocessing.NaNImputer` before.

    References
    ----------
    The 9th place of HMS (discussion 492429) scales by median and interquartile range;
    the 4th place (discussion 492240) subtracts each channel's mean in one model and the
    median of the 19 electrodes in another.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.preprocessing import RobustChannelScaler
    >>> X = np.array([[[0.0, 1.0, 2.0, 3.0, 900.0], [5.0, 5.0, 5.0, 5.0, 5.0]]])
    >>> RobustChannelScaler().fit_transform(X)
    array([[[ -1. ,  -0.5,   0. ,   0.5, 449. ],
            [  0. ,   0. ,   0. ,   0. ,   0. ]]])
    """

    def __init__(
        self,
        *,
        center: str | None = "median",
        quantile_range: tuple[float, float] | None = (25.0, 75.0),
        across: str = "channel",
    ) -> None:
        self.center = center
        self.quantile_range = quantile_range
        self.across = across

    def _fit(self, X: Array) -> None:
        caller = type(self).__name__
        check_choice(self.center, "center", CENTRES, caller=caller)
        check_choice(self.across, "across", ACROSS, caller=caller)
        self._range = self._check_range()
        if self.center is None and self._range is None:
            raise ValueError(
                f"{caller}: center and quantile_range are both None, there is nothing "
                "to do. Give at least one."
            )

    def _check_range(self) -> tuple[float, float] | None:
        given = self.quantile_range
        if given is None:
            return None
        caller = type(self).__name__
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise ValueError(
                f"{caller}: quantile_range must be a pair of percentiles such as "
                f"(25, 75), or None, got {given!r}."
            )
        low, high = (
            check_real(value, f"quantile_range[{i}]", caller=caller, low=0, high=100)
            for i, value in enumerate(given)
        )
        if low >= high:
            raise ValueError(
                f"{caller}: quantile_range={given!r}: the first percentile must be "
                "below the second. Swap them."
            )
        return low, high

    def _output_shape(self, X: Array) -> tuple[int, ...]:
        return X.shape[1:]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return robust_scale(
            X,
            across=self.across,
            center=self.center,
            quantile_range=self._range,
            out=out,
        )
