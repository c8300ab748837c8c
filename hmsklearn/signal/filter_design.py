"""Butterworth pass-bands and stop-bands as second-order sections.

The designs are SciPy's, in float64. The polynomials of a whole filter are never
multiplied out: in single precision they cannot hold the slow end of a 0.5 Hz high-pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import butter

from hmsklearn._params import check_choice, check_integer, check_real

__all__ = [
    "MAX_ORDER",
    "butterworth_sos",
    "check_edge",
]

#: Highest order that is offered; all up to it are tested.
MAX_ORDER = 8

# The edges that each kind of filter has.
_EDGES = {
    "lowpass": ("h_freq",),
    "highpass": ("l_freq",),
    "bandpass": ("l_freq", "h_freq"),
    "bandstop": ("l_freq", "h_freq"),
}


def check_edge(value: Any, name: str, sfreq: float, *, caller: str) -> float:
    """Check that a frequency lies between zero and Nyquist.

    Parameters
    ----------
    value : object
        What the user gave, in Hz.
    name : str
        Name of the parameter.
    sfreq : float
        Sampling frequency in Hz.
    caller : str
        Name that starts the error message.

    Returns
    -------
    float
        The frequency.

    Raises
    ------
    ValueError
        If it does not.

    Examples
    --------
    >>> check_edge(20, "h_freq", 200.0, caller="doctest")
    20.0
    """
    edge = check_real(
        value,
        name,
        caller=caller,
        low=0,
        low_open=True,
        remedy=f"Without this edge give {name}=None." if name.endswith("_freq") else "",
    )
    if edge >= sfreq / 2:
        raise ValueError(
            f"{caller}: {name}={value} Hz must be below the Nyquist frequency, "
            f"{sfreq / 2:g} Hz at sfreq={sfreq:g}. Lower it, or set sfreq to the "
            "sampling frequency of the data."
        )
    return edge


def butterworth_sos(
    l_freq: float | None,
    h_freq: float | None,
    *,
    order: int = 4,
    btype: str | None = None,
    sfreq: float = 200.0,
    caller: str = "butterworth_sos",
) -> np.ndarray:
    """Design a Butterworth filter as second-order sections.

    Parameters
    ----------
    l_freq : float or None
        Lower edge of the band in Hz; None for a low-pass.
    h_freq : float or None
        Upper edge of the band in Hz; None for a high-pass.
    order : int, default=4
        Order N as SciPy and MNE count it: a band has 2 N poles.
    btype : {None, "lowpass", "highpass", "bandpass", "bandstop"}, default=None
        What the edges bound. None takes what they suggest: the band between two
        passes, below `h_freq` alone or above `l_freq` alone. ``"bandstop"`` stops what
        lies between.
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
        in the wrong order, both None or not those of `btype`, or if the order is not
        1 .. 8.

    Examples
    --------
    >>> butterworth_sos(0.5, 20.0, order=2).shape
    (2, 6)
    >>> butterworth_sos(59.0, 61.0, order=5, btype="bandstop").shape
    (5, 6)
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
    check_choice(btype, "btype", (None, *_EDGES), caller=caller)
    edges = {
        name: check_edge(value, name, sfreq, caller=caller)
        for name, value in (("l_freq", l_freq), ("h_freq", h_freq))
        if value is not None
    }
    if not edges:
        raise ValueError(
            f"{caller}: l_freq and h_freq are both None, there is nothing to filter. "
            "Give at least one."
        )
    if btype is not None:
        kind = btype
    elif len(edges) == 2:
        kind = "bandpass"
    else:
        kind = "lowpass" if "h_freq" in edges else "highpass"
    needed = _EDGES[kind]
    if set(needed) != set(edges):
        others = {"l_freq", "h_freq"} - set(needed)
        wanted = " and ".join(needed) + (f", and {others.pop()}=None" if others else "")
        raise ValueError(
            f"{caller}: btype={btype!r} takes {wanted}, got l_freq={l_freq}, "
            f"h_freq={h_freq}."
        )
    corners = [edges[name] for name in needed]
    if corners != sorted(set(corners)):
        verb = "stops" if kind == "bandstop" else "passes"
        raise ValueError(
            f"{caller}: l_freq={l_freq} must be below h_freq={h_freq}: they are the "
            f"lower and the upper edge of what {verb}. Swap them."
        )
    return butter(
        order,
        corners if len(corners) > 1 else corners[0],
        btype=kind,
        fs=sfreq,
        output="sos",
    )
