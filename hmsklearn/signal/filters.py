"""Butterworth filters as second-order sections, forward and backward or causal.

The design and the recursion are SciPy's, in float64: in float32 the recursion loses
the slow end of a 0.5 Hz high-pass, and as a ratio of two polynomials it can even
blow up. Only the samples that come in and go out are float32.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt, sosfiltfilt

from hmsklearn._params import check_integer, check_real

__all__ = [
    "MAX_ORDER",
    "butterworth_sos",
    "default_padlen",
    "filter_causal",
    "filter_zero_phase",
]

#: Highest order that is offered; all up to it are tested.
MAX_ORDER = 8


def butterworth_sos(
    l_freq: float | None,
    h_freq: float | None,
    *,
    order: int = 4,
    sfreq: float = 200.0,
    caller: str = "butterworth_sos",
) -> np.ndarray:
    """Design a Butterworth filter as second-order sections.

    Parameters
    ----------
    l_freq : float or None
        Lower edge of the pass-band in Hz; None makes a low-pass.
    h_freq : float or None
        Upper edge of the pass-band in Hz; None makes a high-pass.
    order : int, default=4
        Order N as SciPy and MNE count it: a band-pass has 2 N poles.
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    caller : str, default="butterworth_sos"
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_sections, 6), float64
        Sections as :func:`scipy.signal.sosfilt` takes them.

    Raises
    ------
    ValueError
        If an edge is not between 0 and half the sampling frequency, if the edges are
        in the wrong order or both None, or if the order is not 1 .. 8.

    Examples
    --------
    >>> butterworth_sos(0.5, 20.0, order=2).shape
    (2, 6)
    """
    sfreq = check_real(sfreq, "sfreq", caller=caller, low=0, low_open=True)
    order = check_integer(
        order,
        "order",
        caller=caller,
        low=1,
        high=MAX_ORDER,
        remedy="Put two filters in a row for a steeper one.",
    )
    edges = {}
    for name, value in (("l_freq", l_freq), ("h_freq", h_freq)):
        if value is None:
            continue
        edges[name] = check_real(
            value,
            name,
            caller=caller,
            low=0,
            low_open=True,
            remedy=f"Without this edge give {name}=None.",
        )
        if edges[name] >= sfreq / 2:
            raise ValueError(
                f"{caller}: {name}={value} Hz must be below the Nyquist frequency, "
                f"{sfreq / 2:g} Hz at sfreq={sfreq:g}. Lower it, or set sfreq to the "
                "sampling frequency of the data."
            )
    if not edges:
        raise ValueError(
            f"{caller}: l_freq and h_freq are both None, there is nothing to filter. "
            "Give at least one."
        )
    if len(edges) == 2 and edges["l_freq"] >= edges["h_freq"]:
        raise ValueError(
            f"{caller}: l_freq={l_freq} must be below h_freq={h_freq}: they are the "
            "lower and the upper edge of what passes. Swap them."
        )
    if len(edges) == 2:
        corners = [edges["l_freq"], edges["h_freq"]]
        return butter(order, corners, btype="bandpass", fs=sfreq, output="sos")
    kind = "highpass" if "l_freq" in edges else "lowpass"
    (corner,) = edges.values()
    return butter(order, corner, btype=kind, fs=sfreq, output="sos")


def default_padlen(sos: np.ndarray) -> int:
    """Return the padding that ``scipy.signal.sosfiltfilt`` applies by default.

    Parameters
    ----------
    sos : ndarray of shape (n_sections, 6)
        Filter.

    Returns
    -------
    int
        Number of samples at each end: three times the number of coefficients.

    Examples
    --------
    >>> default_padlen(butterworth_sos(0.5, 20.0, order=4))
    27
    """
    n_taps = 2 * len(sos) + 1
    n_taps -= min((sos[:, 2] == 0).sum(), (sos[:, 5] == 0).sum())
    return 3 * int(n_taps)


def filter_zero_phase(
    X: np.ndarray,
    sos: np.ndarray,
    *,
    padlen: int | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Filter forward, then backward.

    Parameters
    ----------
    X : ndarray of shape (n_windows, ..., n_times)
        Signals, float32 or float64, without NaN.
    sos : ndarray of shape (n_sections, 6), float64
        Filter.
    padlen : int, optional
        Number of samples by which each end is continued, point-symmetric to its last
        sample (odd); less than `n_times`. None takes SciPy's :func:`default_padlen`.
    out : ndarray of the shape of `X`, optional
        Where to write; may be `X` itself.

    Returns
    -------
    ndarray
        `out`, or a new array of the dtype of `X`: the filter's squared magnitude, and
        no shift in time. Equal to :func:`scipy.signal.sosfiltfilt` in float64, rounded
        to the dtype of `X`.

    Examples
    --------
    >>> X = np.ones((1, 400), dtype="float32")
    >>> low = filter_zero_phase(X, butterworth_sos(None, 20.0))
    >>> low.dtype, bool(abs(low - X).max() < 1e-6)  # no step at the ends
    (dtype('float32'), True)
    """
    if out is None:
        out = np.empty(X.shape, dtype=X.dtype)
    sos = np.array(sos)  # SciPy refuses read-only sections, as in a memory-mapped file
    for window, result in zip(X, out, strict=True):
        result[...] = sosfiltfilt(sos, window, axis=-1, padlen=padlen)
    return out


def filter_causal(
    X: np.ndarray, sos: np.ndarray, *, out: np.ndarray | None = None
) -> np.ndarray:
    """Filter forward only, from rest.

    Parameters
    ----------
    X : ndarray of shape (n_windows, ..., n_times)
        Signals, float32 or float64, without NaN.
    sos : ndarray of shape (n_sections, 6), float64
        Filter.
    out : ndarray of the shape of `X`, optional
        Where to write; may be `X` itself.

    Returns
    -------
    ndarray
        `out`, or a new array of the dtype of `X`. Equal to
        :func:`scipy.signal.sosfilt` in float64, rounded to the dtype of `X`.

    Notes
    -----
    The initial state is zero, as if the signal had been zero before: a constant
    offset starts with a step, whose response takes about ``1 / l_freq`` to fade.

    Examples
    --------
    >>> filter_causal(np.ones((1, 3)), butterworth_sos(None, 20.0, order=1)).round(3)
    array([[0.245, 0.615, 0.804]])
    """
    if out is None:
        out = np.empty(X.shape, dtype=X.dtype)
    sos = np.array(sos)  # SciPy refuses read-only sections, as in a memory-mapped file
    for window, result in zip(X, out, strict=True):
        result[...] = sosfilt(sos, window, axis=-1)
    return out
