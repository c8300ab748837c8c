"""ButterworthFilter: the pass-band of a window, without or with delay."""

from __future__ import annotations

import numpy as np

from hmsklearn.preprocessing._recursive import BaseRecursiveFilter
from hmsklearn.signal.filter_design import butterworth_sos

__all__ = ["ButterworthFilter"]


class ButterworthFilter(BaseRecursiveFilter):
    """Butterworth low-pass, high-pass, band-pass or band-stop.

    Parameters
    ----------
    l_freq : float or None, default=0.5
        Lower edge of the band in Hz; None leaves the low end alone (low-pass).
    h_freq : float or None, default=20.0
        Upper edge of the band in Hz; None leaves the high end alone (high-pass).
    order : int, default=4
        Order, 1 to 8, as SciPy and MNE count it: a band has twice as many poles, and
        ``phase="zero"`` applies it twice. 4 is also MNE's default. The organisers
        used 3 (0.5-40 Hz, zero phase), most published solutions 2 (0.5-20 Hz, causal).
    btype : {None, "lowpass", "highpass", "bandpass", "bandstop"}, default=None
        What the edges bound. None takes what they suggest: low-pass or high-pass with
        one, the band between two passes. ``"bandstop"`` stops what lies between.
    sfreq : float, default=200.0
        Sampling frequency of the data in Hz.
    phase : {"zero", "causal"}, default="zero"
        ``"zero"`` filters forward and backward: squared magnitude, nothing moves in
        time. ``"causal"`` filters forward only, from an initial state of zero: slow
        waves come out later than fast ones, and an offset of the signal starts with
        a step that takes about ``1 / l_freq`` seconds to fade.
    padlen : int or "mne", default=None
        With ``phase="zero"``, the number of samples by which both ends are continued
        (point-symmetric to the last sample) before filtering; less than the number
        of samples. None takes SciPy's default, three times the number of filter
        coefficients (27 samples for a band-pass of order 4). ``"mne"`` takes that of
        ``mne.filter.filter_data(method="iir")``, as long as the filter rings (632
        samples for the same filter), and in shorter windows all there is.

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

    See Also
    --------
    NotchFilter : Removes single frequencies such as the mains.
    FIRFilter : Filter of finite response, as MNE's default.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in and out, same unit, same dtype. The result
    is that of :func:`scipy.signal.sosfiltfilt` or :func:`scipy.signal.sosfilt` in
    float64, to 1e-9 of each channel's largest value in `X` for float64 windows and to
    2e-6 of it for float32; on EEG to 2e-5 of the largest value that comes out. See
    :func:`hmsklearn.signal.filter_zero_phase` for where that is a larger share, and
    where SciPy is less exact. NaN is an error, since a recursive filter spreads it over
    the rest of the window: put :class:`hmsklearn.preprocessing.NaNImputer` before.

    The padding defines the first and last seconds of a high-passed window. SciPy's 27
    samples, MNE's several hundred for a 0.5 Hz edge and the organisers' filtering of
    the whole recording differ there by as much as the signal itself; choose one with
    `padlen` and stay with it.

    Speed comes from filtering in blocks, see :mod:`hmsklearn.signal.statespace`.

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
        btype: str | None = None,
        sfreq: float = 200.0,
        phase: str = "zero",
        padlen: int | str | None = None,
    ) -> None:
        self.l_freq = l_freq
        self.h_freq = h_freq
        self.order = order
        self.btype = btype
        self.sfreq = sfreq
        self.phase = phase
        self.padlen = padlen

    def _fit(self, X: np.ndarray) -> None:
        sos = butterworth_sos(
            self.l_freq,
            self.h_freq,
            order=self.order,
            btype=self.btype,
            sfreq=self.sfreq,
            caller=type(self).__name__,
        )
        self._fit_sections(X, sos)
