"""AmplitudeScaler: clip and divide by fixed numbers."""

from __future__ import annotations

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_real
from hmsklearn.signal.amplitude import clip_and_divide
from hmsklearn.signal.arrays import Array

__all__ = ["AmplitudeScaler"]


class AmplitudeScaler(BaseSignalTransformer):
    """Clip amplitudes to a range, then divide them.

    Parameters
    ----------
    clip : float or None, default=1024.0
        Samples are clipped to ``[-clip, clip]``, in microvolt. None does not clip.
    scale : float, default=32.0
        Divisor, in microvolt.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if `clip` or `scale` is not a positive number.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in and out, same dtype; microvolt in, a pure
    number out. The constants are fixed, not learned: amplitude in microvolt means
    something to the classes, and standardising each window throws it away. NaN stays
    NaN.

    References
    ----------
    Clipping at 1,024 and dividing by 32 is common to most of the top solutions of HMS,
    among them the 3rd place (discussion 492471); the 6th place divides by 104.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.preprocessing import AmplitudeScaler
    >>> AmplitudeScaler().fit_transform(np.array([[[-64.0, 5000.0]]]))
    array([[[-2., 32.]]])
    """

    _allow_nan = True

    def __init__(self, clip: float | None = 1024.0, scale: float = 32.0) -> None:
        self.clip = clip
        self.scale = scale

    def _fit(self, X: np.ndarray) -> None:
        caller = type(self).__name__
        # Bounds that neither vanish nor overflow in float32.
        low, high = 1e-12, 1e12
        if self.clip is not None:
            check_real(
                self.clip,
                "clip",
                caller=caller,
                low=low,
                high=high,
                remedy="None does not clip.",
            )
        check_real(self.scale, "scale", caller=caller, low=low, high=high)

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        return X.shape[1:]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return clip_and_divide(X, self.clip, self.scale, out=out)
