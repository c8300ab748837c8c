"""Windowed-sinc kernels of zero phase: the designs of MNE's ``filter_data``.

A low-pass is the sinc of its cut-off under a Hamming window, as long as its transition
band asks; everything else is sums of low-passes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.signal import firwin

from hmsklearn._params import check_real
from hmsklearn.signal.filter_design import check_edge
from hmsklearn.signal.notch_design import check_notches

__all__ = ["fir_kernel", "fir_notch_kernel"]

# Length of a Hamming window, in periods of the transition band's width.
_LENGTH = 3.3


def _lowpass(cutoff: float, width: float, sfreq: float) -> np.ndarray:
    n_taps = round(_LENGTH / (width / sfreq))
    return firwin(n_taps + 1 - n_taps % 2, cutoff, window="hamming", fs=sfreq)


def _assemble(
    lowpasses: list[tuple[float, np.ndarray]], n_taps: int, through: bool
) -> np.ndarray:
    """Sum of low-passes around a common centre, and of what passes unfiltered."""
    kernel = np.zeros(n_taps)
    kernel[n_taps // 2] = float(through)
    for sign, lowpass in lowpasses:
        margin = (n_taps - len(lowpass)) // 2
        kernel[margin : n_taps - margin] += sign * lowpass
    return kernel


def _n_taps(width: float, sfreq: float) -> int:
    n_taps = max(math.ceil(_LENGTH / width * sfreq), 1)
    return n_taps + 1 - n_taps % 2


def fir_kernel(
    l_freq: float | None,
    h_freq: float | None,
    *,
    l_trans_bandwidth: float | None = None,
    h_trans_bandwidth: float | None = None,
    sfreq: float = 200.0,
    caller: str = "fir_kernel",
) -> np.ndarray:
    """Design a windowed-sinc low-pass, high-pass or band-pass.

    Parameters
    ----------
    l_freq : float or None
        Lower edge of the pass-band in Hz; None makes a low-pass.
    h_freq : float or None
        Upper edge of the pass-band in Hz; None makes a high-pass.
    l_trans_bandwidth, h_trans_bandwidth : float, optional
        Width in Hz of the transition below `l_freq` and above `h_freq`; half the
        amplitude passes in its middle. None takes a quarter of the edge, at least
        2 Hz and at most what there is down to 0 or up to Nyquist.
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    caller : str, default="fir_kernel"
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_taps,), float64
        Symmetric kernel of odd length: 3.3 periods of the narrower transition.

    Raises
    ------
    ValueError
        If an edge or a transition does not lie between 0 and half the sampling
        frequency, or if the edges are in the wrong order or both None.

    Notes
    -----
    The kernel of ``mne.filter.create_filter`` with its defaults (``method="fir"``,
    ``fir_design="firwin"``, ``fir_window="hamming"``, ``phase="zero"``).

    Examples
    --------
    >>> fir_kernel(0.5, 20.0).shape  # 6.6 s
    (1321,)
    """
    sfreq = check_real(sfreq, "sfreq", caller=caller, low=0, low_open=True)
    if l_freq is None and h_freq is None:
        raise ValueError(
            f"{caller}: l_freq and h_freq are both None, there is nothing to filter. "
            "Give at least one."
        )
    lowpasses, widths = [], []
    if h_freq is not None:
        high = check_edge(h_freq, "h_freq", sfreq, caller=caller)
        room = sfreq / 2 - high
        width = _transition(
            h_trans_bandwidth, "h_trans_bandwidth", high, room, caller=caller
        )
        lowpasses.append((1.0, _lowpass(high + width / 2, width, sfreq)))
        widths.append(width)
    if l_freq is not None:
        low = check_edge(l_freq, "l_freq", sfreq, caller=caller)
        if h_freq is not None and low >= high:
            raise ValueError(
                f"{caller}: l_freq={l_freq} must be below h_freq={h_freq}: they are "
                "the lower and the upper edge of what passes. Swap them."
            )
        width = _transition(
            l_trans_bandwidth, "l_trans_bandwidth", low, low, caller=caller
        )
        lowpasses.append((-1.0, _lowpass(low - width / 2, width, sfreq)))
        widths.append(width)
    return _assemble(lowpasses, _n_taps(min(widths), sfreq), h_freq is None)


def _transition(
    width: float | None, name: str, edge: float, room: float, *, caller: str
) -> float:
    if width is None:
        return min(max(0.25 * edge, 2.0), room)
    return check_real(
        width,
        name,
        caller=caller,
        low=0,
        low_open=True,
        high=room,
        remedy="A transition ends at 0 or at the Nyquist frequency.",
    )


def fir_notch_kernel(
    freqs: float | Sequence[float] = 60.0,
    *,
    width: float | Sequence[float] | None = None,
    trans_bandwidth: float = 1.0,
    sfreq: float = 200.0,
    caller: str = "fir_notch_kernel",
) -> np.ndarray:
    """Design windowed-sinc band-stops around single frequencies.

    Parameters
    ----------
    freqs : float or sequence of float, default=60.0
        What to remove, in Hz.
    width : float or sequence of float, optional
        Width in Hz of what is stopped; one for all or one for each. None takes
        ``freq / 200``.
    trans_bandwidth : float, default=1.0
        Width in Hz of both transitions of a notch together.
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    caller : str, default="fir_notch_kernel"
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_taps,), float64
        Symmetric kernel of odd length.

    Raises
    ------
    ValueError
        If a notch with its transitions does not fit between 0 and half the sampling
        frequency, or if two of them overlap.

    Notes
    -----
    The kernel of ``mne.filter.notch_filter`` with its defaults.

    Examples
    --------
    >>> fir_notch_kernel(60.0).shape  # 6.6 s
    (1321,)
    """
    width_both = check_real(
        trans_bandwidth, "trans_bandwidth", caller=caller, low=0, low_open=True
    )
    one = width_both / 2
    notches = check_notches(
        freqs, width, method="fir", sfreq=sfreq, margin=one, caller=caller
    )
    lowpasses = []
    for freq, extent in notches:
        for sign in (-1, 1):
            cutoff = freq - sign * (extent + one) / 2
            lowpasses.append((float(sign), _lowpass(cutoff, one, sfreq)))
    return _assemble(lowpasses, _n_taps(one, sfreq), True)
