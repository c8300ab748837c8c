"""Frequencies for wavelets, and where their edges reach.

Two conventions are in use for the frequency of a Morlet wavelet. Torrence and Compo
give it by its scale and call the frequency that of the sine wave with the largest
response; neuroscience (MNE) gives the frequency of the oscillation under the envelope
and how many cycles of it fit. At ``omega0 = 6`` the two are 1.4 % apart.
"""

from __future__ import annotations

import math

import numpy as np

from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.signal.wavelet_shapes import (
    OMEGA0,
    check_columns,
    fourier_factor,
    wavelet_shapes,
)

__all__ = [
    "SPACINGS",
    "cone_of_influence",
    "torrence_compo_frequencies",
    "wavelet_frequencies",
]

#: Equal ratios or equal differences of frequency.
SPACINGS = ("log", "linear")


def wavelet_frequencies(
    fmin: float = 0.5,
    fmax: float = 20.0,
    n_freqs: int | None = None,
    *,
    dj: float | None = None,
    spacing: str = "log",
    caller: str = "wavelet_frequencies",
) -> np.ndarray:
    """Lay frequencies between two ends.

    Parameters
    ----------
    fmin, fmax : float, default=0.5 and 20.0
        The ends in Hz.
    n_freqs : int, optional
        How many, both ends included; 64 without `dj`.
    dj : float, optional
        Distance in octaves instead of a number: from `fmax` downwards, as far as
        `fmin` allows. With ``spacing="log"`` only.
    spacing : {"log", "linear"}, default="log"
        Equal ratios or equal differences.
    caller : str, default="wavelet_frequencies"
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_freqs,), float64
        Frequencies in Hz, from low to high.

    Raises
    ------
    ValueError
        If the ends are not in order, or the parameters contradict each other.

    Notes
    -----
    A wavelet's band is a constant part of its frequency, so equal ratios give equal
    overlap: linear spacing crowds the high end and leaves gaps at the low one.

    Examples
    --------
    >>> wavelet_frequencies(1.0, 16.0, 5).round(6)
    array([ 1.,  2.,  4.,  8., 16.])
    >>> wavelet_frequencies(1.0, 10.0, dj=1).round(6)
    array([ 1.25,  2.5 ,  5.  , 10.  ])
    """
    check_choice(spacing, "spacing", SPACINGS, caller=caller)
    fmin = check_real(fmin, "fmin", caller=caller, low=0, low_open=True)
    fmax = check_real(fmax, "fmax", caller=caller, low=0, low_open=True)
    if fmin >= fmax:
        raise ValueError(
            f"{caller}: fmin={fmin:g} must be below fmax={fmax:g}. Swap them, or list "
            "the frequencies one by one."
        )
    if dj is None:
        number = 64 if n_freqs is None else n_freqs
        number = check_integer(number, "n_freqs", caller=caller, low=2)
        if spacing == "linear":
            return np.linspace(fmin, fmax, number)
        return np.geomspace(fmin, fmax, number)
    dj = check_real(dj, "dj", caller=caller, low=0, low_open=True)
    if n_freqs is not None or spacing == "linear":
        raise ValueError(
            f"{caller}: dj={dj:g} is a distance in octaves and sets the number of "
            f"frequencies, got n_freqs={n_freqs!r} and spacing={spacing!r} with it. "
            "Leave out dj, or n_freqs, and keep spacing='log'."
        )
    # 1e-9 of a step: the lower end belongs to the range where the steps meet it.
    steps = np.arange(math.floor(math.log2(fmax / fmin) / dj + 1e-9) + 1)
    return (fmax * 2.0 ** (-dj * steps))[::-1].copy()


def torrence_compo_frequencies(
    n_times: int,
    *,
    sfreq: float = 200.0,
    dj: float = 0.25,
    s0: float | None = None,
    n_scales: int | None = None,
    omega0: float = OMEGA0,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> np.ndarray:
    """Frequencies of the scales ``s0 * 2 ** (j * dj)``, j = 0 .. J.

    Parameters
    ----------
    n_times : int
        Number of samples of a window: the largest scale is not longer.
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    dj : float, default=0.25
        Distance of the scales in octaves.
    s0 : float, optional
        Smallest scale in seconds. Without it the one whose Fourier period is two
        samples, so that the highest frequency is the Nyquist frequency.
    n_scales : int, optional
        Number of scales, J + 1. Without it ``J = log2(n_times / sfreq / s0) / dj``,
        rounded down.
    omega0 : float, default=6.0
        Angular frequency of the wavelet at scale one.
    fmin, fmax : float, default=0.0 and None
        Frequencies outside are left out; None stands for the Nyquist frequency.

    Returns
    -------
    ndarray, float64
        Frequencies in Hz, from low to high, ``1 / Fourier period`` of the scales.

    Raises
    ------
    ValueError
        If no frequency is left, or a parameter is unusable.

    References
    ----------
    C. Torrence and G. P. Compo, A practical guide to wavelet analysis, Bulletin of
    the American Meteorological Society 79, 1998: equations 9 and 10, table 1.

    Examples
    --------
    >>> freqs = torrence_compo_frequencies(10_000, dj=0.081, fmax=50.0)
    >>> len(freqs), round(float(freqs[-1]), 2)
    (140, 48.2)
    """
    caller = "torrence_compo_frequencies"
    n_times = check_integer(n_times, "n_times", caller=caller, low=2)
    sfreq = check_real(sfreq, "sfreq", caller=caller, low=0, low_open=True)
    dj = check_real(dj, "dj", caller=caller, low=0, low_open=True)
    omega0 = check_real(omega0, "omega0", caller=caller, low=1)
    factor = fourier_factor(omega0)
    smallest = 2 / sfreq / factor
    if s0 is not None:
        smallest = check_real(s0, "s0", caller=caller, low=smallest * (1 - 1e-9))
    if n_scales is None:
        n_scales = math.floor(math.log2(n_times / sfreq / smallest) / dj + 1e-9) + 1
    else:
        n_scales = check_integer(n_scales, "n_scales", caller=caller, low=1)
    freqs = 1 / (factor * smallest * 2.0 ** (dj * np.arange(n_scales)))[::-1]
    fmin = check_real(fmin, "fmin", caller=caller, low=0)
    fmax = sfreq / 2 if fmax is None else check_real(fmax, "fmax", caller=caller, low=0)
    # The first scale is the Nyquist frequency but for rounding.
    freqs = np.minimum(freqs, sfreq / 2)
    freqs = freqs[(freqs >= fmin) & (freqs <= fmax)]
    if not len(freqs):
        raise ValueError(
            f"{caller}: none of the {n_scales} scales lies between fmin={fmin:g} and "
            f"fmax={fmax:g} Hz. Widen the range, or give a smaller dj."
        )
    return freqs


def cone_of_influence(
    n_times: int,
    *,
    sfreq: float = 200.0,
    omega0: float | None = None,
    n_cycles: float | None = None,
    n_columns: int | None = None,
    hop_length: int | None = None,
) -> np.ndarray:
    """Longest period, column by column, that the edges do not influence.

    Parameters
    ----------
    n_times : int
        Number of samples of the window.
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    omega0, n_cycles : float, optional
        Width of the wavelets, as in :func:`morlet_power`.
    n_columns, hop_length : int, optional
        Place of the columns, as in :func:`morlet_power`.

    Returns
    -------
    ndarray of shape (n_columns,), float64
        Periods in seconds, 0 at the edges. ``freqs[:, None] < 1 / cone`` marks the
        cells inside the cone of influence: what lies beyond the edge has more than
        exp(-2) of its power there.

    Raises
    ------
    ValueError
        If a parameter is unusable.

    References
    ----------
    C. Torrence and G. P. Compo, 1998, section 3g: the e-folding time of a Morlet
    wavelet of scale s is ``sqrt(2) s``.

    Examples
    --------
    >>> cone_of_influence(1001, n_columns=5, omega0=6.0).round(2)
    array([0.  , 0.73, 1.46, 1.46, 0.73])
    """
    caller = "cone_of_influence"
    n_times = check_integer(n_times, "n_times", caller=caller, low=2)
    sfreq = check_real(sfreq, "sfreq", caller=caller, low=0, low_open=True)
    if n_cycles is not None:
        check_real(n_cycles, "n_cycles", caller=caller, low=1)
    _, sigmas = wavelet_shapes(
        np.ones(1), omega0=omega0, n_cycles=n_cycles, caller=caller
    )
    hop, width = check_columns(n_times, n_columns, hop_length, caller=caller)
    times = np.arange(width) * hop
    distance = np.minimum(times, n_times - 1 - times) / sfreq
    # A width in seconds at 1 Hz is one in periods.
    return distance / (math.sqrt(2) * sigmas[0])
