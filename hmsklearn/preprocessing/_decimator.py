"""Decimator: fewer samples of a signal that is already slow."""

from __future__ import annotations

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice, check_integer
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.cropping import DECIMATION_METHODS, decimate

__all__ = ["Decimator"]


class Decimator(BaseSignalTransformer):
    """Keep one sample of every few.

    Parameters
    ----------
    factor : int, default=5
        Length of a block; the sampling frequency goes down by it (200 to 40 Hz).
    method : {"stride", "mean"}, default="stride"
        The block's first sample, or its mean.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable or a window is shorter than one block.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in, ``(n_windows, n_channels,
    n_times // factor)`` out, same unit, same dtype. Samples after the last whole block
    are dropped. A block with NaN in it gives NaN (``"mean"``), or does if its first
    sample is NaN (``"stride"``).

    Neither method removes what lies above the new Nyquist frequency, so put
    :class:`hmsklearn.preprocessing.ButterworthFilter` before: a pass-band up to 20 Hz
    fits factor 5 at 200 Hz.

    References
    ----------
    The 4th place of HMS (discussion 492240): every fifth sample in one of its models,
    the mean of five in another. Team Epoch and the public WaveNet: every fifth sample.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.preprocessing import Decimator
    >>> X = np.arange(11.0)[None, None]
    >>> Decimator(5).fit_transform(X), Decimator(5, method="mean").fit_transform(X)
    (array([[[0., 5.]]]), array([[[2., 7.]]]))
    """

    _allow_nan = True

    def __init__(self, factor: int = 5, *, method: str = "stride") -> None:
        self.factor = factor
        self.method = method

    def _fit(self, X: np.ndarray) -> None:
        caller = type(self).__name__
        check_integer(self.factor, "factor", caller=caller, low=1)
        check_choice(self.method, "method", DECIMATION_METHODS, caller=caller)
        self._check_length(X)

    def _check_length(self, X: np.ndarray) -> None:
        if X.shape[-1] < self.factor:
            raise ValueError(
                f"{type(self).__name__}: X has {X.shape[-1]} samples in time (last "
                f"axis), at least {self.factor} are needed for factor={self.factor}. "
                "Give longer windows or a smaller factor."
            )

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        self._check_length(X)
        return X.shape[1], X.shape[2] // self.factor

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return decimate(X, self.factor, self.method, out=out)
