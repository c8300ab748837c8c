"""AmplitudeScaler: clip, divide and compress by fixed numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_real
from hmsklearn.signal.amplitude import clip_and_divide, mu_law
from hmsklearn.signal.arrays import Array

__all__ = ["AmplitudeScaler"]

# Bounds that neither vanish nor overflow in float32.
_SMALLEST, _LARGEST = 1e-12, 1e12


class AmplitudeScaler(BaseSignalTransformer):
    """Clip amplitudes to a range, divide them, and optionally compress them.

    Parameters
    ----------
    clip : float, sequence of float, or None, default=1024.0
        Samples are clipped to ``[-clip, clip]``, in microvolt. None does not clip.
    scale : float or sequence of float, default=32.0
        Divisor, in microvolt.
    offset : float or sequence of float, default=0.0
        Added after clipping and before the division, in microvolt: with ``offset=clip``
        and ``scale=2 * clip`` the result lies in [0, 1].
    mu : float, default=None
        Strength of a mu-law, ``sign(x) log(1 + mu |x|) / log(1 + mu)``, which
        compresses large values and maps [-1, 1] to itself; 1e-6 to 1e6. None leaves
        the values alone.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if `clip`, `scale` or `mu` is not a positive number, `offset` is not
        a number, or there is not one number for each channel.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in and out, same dtype; microvolt in, a pure
    number out. The order is clip, add, divide, mu-law; where a filter belongs between
    two of them, use two scalers. Each of the first three is one number, or one for each
    channel in the order of the data.

    The constants are fixed, not learned: amplitude in microvolt means something to the
    classes, and standardising each window throws it away. NaN stays NaN.

    References
    ----------
    Clipping at 1,024 and dividing by 32 is common to most of the top solutions of HMS,
    among them the 3rd place (discussion 492471); the 6th place divides by 104. The 16th
    place maps a fixed range of each channel to [0, 1]; Team Epoch applies a mu-law with
    ``mu=1`` after the filter.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.preprocessing import AmplitudeScaler
    >>> X = np.array([[[-64.0, 5000.0]]])
    >>> AmplitudeScaler().fit_transform(X)
    array([[[-2., 32.]]])
    >>> AmplitudeScaler(64, 128, offset=64).fit_transform(X)
    array([[[0., 1.]]])
    >>> AmplitudeScaler(None, 64, mu=1).fit_transform(np.array([[[-64.0, 448.0]]]))
    array([[[-1.,  3.]]])
    """

    _allow_nan = True

    def __init__(
        self,
        clip: Any = 1024.0,
        scale: Any = 32.0,
        *,
        offset: Any = 0.0,
        mu: float | None = None,
    ) -> None:
        self.clip = clip
        self.scale = scale
        self.offset = offset
        self.mu = mu

    def _fit(self, X: Array) -> None:
        caller = type(self).__name__
        self._clip = None
        if self.clip is not None:
            remedy = "None does not clip."
            self._clip = self._check_magnitude(
                "clip", X.shape[1], low=_SMALLEST, remedy=remedy
            )
        self._scale = self._check_magnitude("scale", X.shape[1], low=_SMALLEST)
        self._offset = self._check_magnitude("offset", X.shape[1], low=-_LARGEST)
        if self.mu is not None:
            check_real(
                self.mu,
                "mu",
                caller=caller,
                low=1e-6,
                high=1e6,
                remedy="None does not compress.",
            )

    def _check_magnitude(self, name: str, n_channels: int, **bounds: Any) -> Any:
        """Check one number, or one for each channel."""
        given, caller = getattr(self, name), type(self).__name__
        one = isinstance(given, np.ndarray) and given.ndim == 0
        if one or not isinstance(given, (list, tuple, np.ndarray)):
            return check_real(given, name, caller=caller, high=_LARGEST, **bounds)
        if len(given) != n_channels:
            raise ValueError(
                f"{caller}: {name} has {len(given)} numbers, but X has {n_channels} "
                "channels (axis 1). Give one number, or one for each channel."
            )
        return tuple(
            check_real(value, f"{name}[{i}]", caller=caller, high=_LARGEST, **bounds)
            for i, value in enumerate(given)
        )

    def _output_shape(self, X: Array) -> tuple[int, ...]:
        return X.shape[1:]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        X = clip_and_divide(X, self._clip, self._scale, offset=self._offset, out=out)
        return X if self.mu is None else mu_law(X, self.mu, out=out)
