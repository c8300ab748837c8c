"""ButterworthFilter: the pass-band of a window, without or with delay."""

from __future__ import annotations

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice, check_integer
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.filters import (
    butterworth_sos,
    default_padlen,
    filter_causal,
    filter_zero_phase,
)

__all__ = ["ButterworthFilter"]


class ButterworthFilter(BaseSignalTransformer):
    """Butterworth low-pass, high-pass or band-pass.

    Parameters
    ----------
    l_freq : float or None, default=0.5
        Lower edge of the pass-band in Hz; None leaves the low end alone (low-pass).
    h_freq : float or None, default=20.0
        Upper edge of the pass-band in Hz; None leaves the high end alone (high-pass).
    order : int, default=4
        Order, 1 to 8, as SciPy and MNE count it: a band-pass has twice as many poles,
        and ``phase="zero"`` applies it twice. 4 is also MNE's default. The organisers
        used 3 (0.5-40 Hz, zero phase), most published solutions 2 (0.5-20 Hz, causal).
    sfreq : float, default=200.0
        Sampling frequency of the data in Hz.
    phase : {"zero", "causal"}, default="zero"
        ``"zero"`` filters forward and backward: squared magnitude, nothing moves in
        time. ``"causal"`` filters forward only, from an initial state of zero: slow
        waves come out later than fast ones, and an offset of the signal starts with
        a step that takes about ``1 / l_freq`` seconds to fade.
    padlen : int, default=None
        With ``phase="zero"``, the number of samples by which both ends are continued
        (point-symmetric to the last sample) before filtering; less than the number
        of samples. None takes SciPy's default, three times the number of filter
        coefficients (27 samples for a band-pass of order 4).

    Attributes
    ----------
    sos_ : ndarray of shape (n_sections, 6), float64
        The filter as second-order sections.
    padlen_ : int
        Samples of padding at each end; 0 with ``phase="causal"``.
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if ``l_freq >= h_freq``, an edge is not between 0 and the Nyquist
        frequency, a parameter is unusable, the windows are not longer than the padding,
        or `X` contains NaN.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in and out, same unit, same dtype. The result
    equals :func:`scipy.signal.sosfiltfilt` or :func:`scipy.signal.sosfilt` in float64;
    float32 windows are rounded once, at the end. NaN is an error, since a recursive
    filter spreads it over the rest of the window: put
    :class:`hmsklearn.preprocessing.NaNImputer` before.

    The padding defines the first and last seconds of a high-passed window. SciPy's 27
    samples, MNE's several hundred for a 0.5 Hz edge and the organisers' filtering of
    the whole recording differ there by as much as the signal itself; choose one with
    `padlen` and stay with it.

    References
    ----------
    Kaggle, HMS, discussion 483839, on the delay of causal filters.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.preprocessing import ButterworthFilter
    >>> t = np.arange(10_000) / 200
    >>> alpha, mains = np.sin(2 * np.pi * 10 * t), np.sin(2 * np.pi * 60 * t)
    >>> X = (alpha + mains)[None, None]
    >>> filtered = ButterworthFilter(0.5, 20.0).fit_transform(X)
    >>> bool(abs(filtered - alpha)[..., 1000:-1000].max() < 0.02)
    True
    """

    def __init__(
        self,
        l_freq: float | None = 0.5,
        h_freq: float | None = 20.0,
        *,
        order: int = 4,
        sfreq: float = 200.0,
        phase: str = "zero",
        padlen: int | None = None,
    ) -> None:
        self.l_freq = l_freq
        self.h_freq = h_freq
        self.order = order
        self.sfreq = sfreq
        self.phase = phase
        self.padlen = padlen

    def _fit(self, X: np.ndarray) -> None:
        caller = type(self).__name__
        check_choice(self.phase, "phase", ("zero", "causal"), caller=caller)
        sos = butterworth_sos(
            self.l_freq, self.h_freq, order=self.order, sfreq=self.sfreq, caller=caller
        )
        if self.phase == "causal":
            if self.padlen is not None:
                raise ValueError(
                    f"{caller}: padlen={self.padlen!r} has no meaning with "
                    "phase='causal', which continues no end. Leave it None."
                )
            padlen = 0
        elif self.padlen is None:
            padlen = default_padlen(sos)
        else:
            padlen = check_integer(self.padlen, "padlen", caller=caller, low=0)
        self._check_length(X, padlen)
        self.sos_ = sos
        self.padlen_ = padlen

    def _check_length(self, X: np.ndarray, padlen: int) -> None:
        if X.shape[-1] <= padlen:
            raise ValueError(
                f"{type(self).__name__}: X has {X.shape[-1]} samples in time (last "
                f"axis), at least {padlen + 1} are needed for a padding of {padlen}. "
                "Give longer windows or a smaller padlen."
            )

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        self._check_length(X, self.padlen_)
        return X.shape[1:]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        if self.phase == "causal":
            return filter_causal(X, self.sos_, out=out)
        return filter_zero_phase(X, self.sos_, padlen=self.padlen_, out=out)
