"""FIRFilter: the pass-band of a window, by a kernel of finite length."""

from __future__ import annotations

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.fir import filter_fir
from hmsklearn.signal.fir_design import fir_kernel

__all__ = ["FIRFilter", "check_kernel_fits"]


def check_kernel_fits(X: Array, kernel: np.ndarray, *, caller: str) -> None:
    """Refuse windows that are shorter than a kernel.

    Parameters
    ----------
    X : ndarray or Tensor
        Windows.
    kernel : ndarray of shape (n_taps,)
        Kernel.
    caller : str
        Name that starts the error message.

    Raises
    ------
    ValueError
        If they are.
    """
    if X.shape[-1] < len(kernel):
        raise ValueError(
            f"{caller}: X has {X.shape[-1]} samples in time (last axis), fewer than "
            f"the {len(kernel)} taps of the filter, which would distort all of them. "
            "Give longer windows or wider transitions, or use ButterworthFilter."
        )


class FIRFilter(BaseSignalTransformer):
    """Windowed-sinc low-pass, high-pass or band-pass of zero phase, as in MNE.

    Parameters
    ----------
    l_freq : float or None, default=0.5
        Lower edge of the pass-band in Hz; None leaves the low end alone (low-pass).
    h_freq : float or None, default=20.0
        Upper edge of the pass-band in Hz; None leaves the high end alone (high-pass).
    l_trans_bandwidth, h_trans_bandwidth : float, default=None
        Width in Hz of the transition below `l_freq` and above `h_freq`, in the middle
        of which half the amplitude passes. None takes a quarter of the edge, at least
        2 Hz and at most what there is down to 0 or up to Nyquist: MNE's ``"auto"``.
    sfreq : float, default=200.0
        Sampling frequency of the data in Hz.

    Attributes
    ----------
    kernel_ : ndarray of shape (n_taps,), float64
        The symmetric kernel: 3.3 periods of the narrower transition, 6.6 s for an
        edge at 0.5 Hz.
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if ``l_freq >= h_freq``, an edge or a transition does not lie
        between 0 and the Nyquist frequency, the windows are shorter than the kernel,
        or `X` contains NaN.

    See Also
    --------
    ButterworthFilter : Recursive filter, for short windows too.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in and out, same unit, same dtype. The result
    is that of ``mne.filter.filter_data(X, sfreq, l_freq, h_freq)``: Hamming window,
    ends continued point-symmetric to their last sample. MNE warns that windows shorter
    than the kernel come out distorted; here they are an error
    (:func:`hmsklearn.signal.filter_fir` filters them all the same). NaN is an error,
    since it would spread over its whole channel: put
    :class:`hmsklearn.preprocessing.NaNImputer` before.

    References
    ----------
    A. Widmann, E. Schroeger and B. Maess, "Digital filter design for
    electrophysiological data", Journal of Neuroscience Methods 250, 2015.

    2nd place of HMS (0.5-20 Hz) and 8th place (0.5-40 Hz).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.preprocessing import FIRFilter
    >>> t = np.arange(10_000) / 200
    >>> alpha, mains = np.sin(2 * np.pi * 10 * t), np.sin(2 * np.pi * 60 * t)
    >>> step = FIRFilter(0.5, 20.0)
    >>> filtered = step.fit_transform((alpha + mains + 300)[None, None])
    >>> bool(abs(filtered - alpha)[..., 1000:-1000].max() < 0.005)
    True
    """

    def __init__(
        self,
        l_freq: float | None = 0.5,
        h_freq: float | None = 20.0,
        *,
        l_trans_bandwidth: float | None = None,
        h_trans_bandwidth: float | None = None,
        sfreq: float = 200.0,
    ) -> None:
        self.l_freq = l_freq
        self.h_freq = h_freq
        self.l_trans_bandwidth = l_trans_bandwidth
        self.h_trans_bandwidth = h_trans_bandwidth
        self.sfreq = sfreq

    def _fit(self, X: np.ndarray) -> None:
        caller = type(self).__name__
        kernel = fir_kernel(
            self.l_freq,
            self.h_freq,
            l_trans_bandwidth=self.l_trans_bandwidth,
            h_trans_bandwidth=self.h_trans_bandwidth,
            sfreq=self.sfreq,
            caller=caller,
        )
        check_kernel_fits(X, kernel, caller=caller)
        self.kernel_ = kernel

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        check_kernel_fits(X, self.kernel_, caller=type(self).__name__)
        return X.shape[1:]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return filter_fir(X, self.kernel_, out=out)
