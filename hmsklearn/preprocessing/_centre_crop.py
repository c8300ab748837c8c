"""CentreCrop: the middle of a window, where the label belongs."""

from __future__ import annotations

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_integer, check_real
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.cropping import centre_crop

__all__ = ["CentreCrop"]


class CentreCrop(BaseSignalTransformer):
    """Keep the central part of each window.

    Parameters
    ----------
    seconds : float, default=10.0
        Length to keep; must be a whole number of samples. The default is the part that
        the experts rated.
    n_times : int, default=None
        Length to keep in samples; where given, it decides and `seconds` is not looked
        at.
    sfreq : float, default=200.0
        Sampling frequency of the data in Hz.

    Attributes
    ----------
    n_times_ : int
        Number of samples kept.
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable or the windows are shorter than what is
        to be kept.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in and out, same unit, same dtype; always a
    copy. The crop begins at sample ``(n - n_times_) // 2``: 10 s out of 50 s are the
    samples 4000 to 5999. NaN stays NaN. Filter before cropping, not after, so that the
    filter's edges are cut away.

    References
    ----------
    The public notebooks crop to 10 s, the 4th place of HMS (discussion 492240) to 48,
    40 or 30 s, and to 512 samples at 40 Hz.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.preprocessing import CentreCrop
    >>> X = np.arange(10_000.0)[None, None]
    >>> CentreCrop(10).fit_transform(X)[0, 0, [0, -1]]
    array([4000., 5999.])
    """

    _allow_nan = True

    def __init__(
        self,
        seconds: float = 10.0,
        *,
        n_times: int | None = None,
        sfreq: float = 200.0,
    ) -> None:
        self.seconds = seconds
        self.n_times = n_times
        self.sfreq = sfreq

    def _fit(self, X: np.ndarray) -> None:
        caller = type(self).__name__
        if self.n_times is not None:
            n_times = check_integer(self.n_times, "n_times", caller=caller, low=1)
        else:
            seconds = check_real(
                self.seconds, "seconds", caller=caller, low=0, low_open=True
            )
            sfreq = check_real(self.sfreq, "sfreq", caller=caller, low=0, low_open=True)
            n_times = round(seconds * sfreq)
            if n_times < 1 or abs(n_times - seconds * sfreq) > 1e-6:
                raise ValueError(
                    f"{caller}: seconds={self.seconds} is not a whole number of "
                    f"samples at sfreq={sfreq:g} Hz. Give n_times."
                )
        self._check_length(X, n_times)
        self.n_times_ = n_times

    def _check_length(self, X: np.ndarray, n_times: int) -> None:
        if X.shape[-1] < n_times:
            raise ValueError(
                f"{type(self).__name__}: X has {X.shape[-1]} samples in time (last "
                f"axis), {n_times} are to be kept. Give longer windows, or fewer "
                "seconds (n_times) to keep."
            )

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        self._check_length(X, self.n_times_)
        return X.shape[1], self.n_times_

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return centre_crop(X, self.n_times_, out=out)
