"""NotchFilter: the mains and other single frequencies out of a window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hmsklearn._params import check_choice
from hmsklearn.preprocessing._fir import check_kernel_fits
from hmsklearn.preprocessing._recursive import BaseRecursiveFilter
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.fir import filter_fir
from hmsklearn.signal.fir_design import fir_notch_kernel
from hmsklearn.signal.notch_design import notch_sos

__all__ = ["NotchFilter"]

_METHODS = ("butterworth", "resonator", "fir")


class NotchFilter(BaseRecursiveFilter):
    """Remove the mains and its harmonics.

    Parameters
    ----------
    freqs : float or sequence of float, default=60.0
        What to remove, in Hz, each between 0 and the Nyquist frequency: 60 in the
        Americas, 50 elsewhere, and multiples of it. Several are filtered one after the
        other.
    method : {"butterworth", "resonator", "fir"}, default="butterworth"
        ``"butterworth"``: band-stop of `order`, flat outside. ``"resonator"``: the
        narrow notch of second order of :func:`scipy.signal.iirnotch`. ``"fir"``: the
        windowed-sinc band-stop that is the default of ``mne.filter.notch_filter``.
    width : float or sequence of float, default=None
        Width of the notch in Hz, one for all or one for each of `freqs`: for the
        recursive filters from edge to edge, where half the power passes in one
        direction (a quarter with ``phase="zero"``); for ``"fir"`` what is stopped
        between the transitions. None takes 5 Hz (``"butterworth"``), ``freq / 30``
        (``"resonator"``, a quality of 30) or ``freq / 200`` (``"fir"``, as MNE).
    order : int, default=3
        Order of the Butterworth band-stop, 1 to 8; it has twice as many poles.
    trans_bandwidth : float, default=1.0
        With ``"fir"``, the width in Hz of both transitions of a notch together.
    sfreq : float, default=200.0
        Sampling frequency of the data in Hz.
    phase : {"zero", "causal"}, default="zero"
        As in :class:`ButterworthFilter`; ``"fir"`` has zero phase only.
    padlen : int or "mne", default=None
        As in :class:`ButterworthFilter`; None with ``"fir"``.

    Attributes
    ----------
    sos_ : ndarray of shape (n_sections, 6), float64
        All notches as second-order sections; not with ``method="fir"``.
    padlen_ : int
        Samples of padding at each end; not with ``method="fir"``.
    kernel_ : ndarray of shape (n_taps,), float64
        The symmetric kernel; with ``method="fir"`` only.
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if a notch does not fit between 0 and the Nyquist frequency, two of
        them overlap, a parameter is unusable, the windows are too short, or `X`
        contains NaN.

    See Also
    --------
    ButterworthFilter : Band-stops of any edges, with ``btype="bandstop"``.
    hmsklearn.spectrogram.HostSpectrogramizer : The organisers' spectrograms, with such
        a notch (``mains="notch"``) or band-stop (``mains="stop"``) before.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in and out, same unit, same dtype. NaN is an
    error: put :class:`hmsklearn.preprocessing.NaNImputer` before.

    What was used: the organisers ``NotchFilter()``, 57.5-62.5 Hz of order 3; the 16th
    place ``NotchFilter(width=2.0, order=5, phase="causal")``; the 8th and 9th place
    MNE's notch, ``NotchFilter(method="fir")``. Below a low-pass at 20 Hz none of them
    matters.

    References
    ----------
    8th, 9th and 16th place of HMS; code of the organisers' labelling tool.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.preprocessing import NotchFilter
    >>> t = np.arange(10_000) / 200
    >>> alpha, mains = np.sin(2 * np.pi * 10 * t), np.sin(2 * np.pi * 60 * t)
    >>> filtered = NotchFilter(60.0).fit_transform((alpha + mains)[None, None])
    >>> bool(abs(filtered - alpha)[..., 1000:-1000].max() < 0.01)
    True
    """

    def __init__(
        self,
        freqs: float | Sequence[float] = 60.0,
        *,
        method: str = "butterworth",
        width: float | Sequence[float] | None = None,
        order: int = 3,
        trans_bandwidth: float = 1.0,
        sfreq: float = 200.0,
        phase: str = "zero",
        padlen: int | str | None = None,
    ) -> None:
        self.freqs = freqs
        self.method = method
        self.width = width
        self.order = order
        self.trans_bandwidth = trans_bandwidth
        self.sfreq = sfreq
        self.phase = phase
        self.padlen = padlen

    def _fit(self, X: np.ndarray) -> None:
        caller = type(self).__name__
        check_choice(self.method, "method", _METHODS, caller=caller)
        if self.method == "fir":
            self._check_phase()
            if self.phase != "zero" or self.padlen is not None:
                raise ValueError(
                    f"{caller}: method='fir' has phase='zero' and padlen=None, got "
                    f"phase={self.phase!r}, padlen={self.padlen!r}. Choose another "
                    "method for these."
                )
            kernel = fir_notch_kernel(
                self.freqs,
                width=self.width,
                trans_bandwidth=self.trans_bandwidth,
                sfreq=self.sfreq,
                caller=caller,
            )
            check_kernel_fits(X, kernel, caller=caller)
            self.kernel_ = kernel
            return
        sos = notch_sos(
            self.freqs,
            width=self.width,
            method=self.method,
            order=self.order,
            sfreq=self.sfreq,
            caller=caller,
        )
        self._fit_sections(X, sos)

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        if self.method != "fir":
            return super()._output_shape(X)
        check_kernel_fits(X, self.kernel_, caller=type(self).__name__)
        return X.shape[1:]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        if self.method != "fir":
            return super()._transform(X, out)
        return filter_fir(X, self.kernel_, out=out)
