"""Band-stops around single frequencies, the mains above all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.signal import iirnotch

from hmsklearn._params import check_choice, check_real
from hmsklearn.signal.filter_design import butterworth_sos, check_edge

__all__ = ["NOTCH_WIDTHS", "check_notches", "notch_sos"]

#: Width of a notch in Hz at `freq`, by method: what their first users chose.
NOTCH_WIDTHS: dict[str, Callable[[float], float]] = {
    "butterworth": lambda freq: 5.0,
    "resonator": lambda freq: freq / 30,
    "fir": lambda freq: freq / 200,
}


def check_notches(
    freqs: float | Sequence[float],
    width: float | Sequence[float] | None,
    *,
    method: str,
    sfreq: float,
    margin: float = 0.0,
    caller: str = "check_notches",
) -> list[tuple[float, float]]:
    """Check the frequencies and widths of notches.

    Parameters
    ----------
    freqs : float or sequence of float
        Centres in Hz.
    width : float, sequence of float or None
        Widths in Hz, one for all or one for each; None takes those of `method`.
    method : {"butterworth", "resonator", "fir"}
        A key of ``NOTCH_WIDTHS``.
    sfreq : float
        Sampling frequency in Hz.
    margin : float, default=0.0
        What a notch needs on each side of its width, in Hz.
    caller : str, default="check_notches"
        Name that starts the error messages.

    Returns
    -------
    list of (float, float)
        Centre and width of each notch, by frequency.

    Raises
    ------
    ValueError
        If there is none, if a notch does not lie between 0 and half the sampling
        frequency, or if two of them overlap.

    Examples
    --------
    >>> check_notches([50, 25], None, method="butterworth", sfreq=200.0)
    [(25.0, 5.0), (50.0, 5.0)]
    """
    sfreq = check_real(sfreq, "sfreq", caller=caller, low=0, low_open=True)
    centres = np.ravel(np.asarray(freqs, dtype=object)).tolist()
    if not centres:
        raise ValueError(
            f"{caller}: freqs is empty, there is nothing to remove. Give at least one "
            "frequency."
        )
    centres = [check_edge(freq, "freqs", sfreq, caller=caller) for freq in centres]
    if width is None:
        widths = [NOTCH_WIDTHS[method](freq) for freq in centres]
    else:
        widths = np.ravel(np.asarray(width, dtype=object)).tolist()
        widths = widths * len(centres) if len(widths) == 1 else widths
        if len(widths) != len(centres):
            raise ValueError(
                f"{caller}: width has {len(widths)} entries for {len(centres)} freqs. "
                "Give one width, or one for each frequency."
            )
        widths = [
            check_real(value, "width", caller=caller, low=0, low_open=True)
            for value in widths
        ]
    notches = sorted(zip(centres, widths, strict=True))
    end = 0.0
    for freq, extent in notches:
        low, high = freq - extent / 2 - margin, freq + extent / 2 + margin
        if low <= 0 or high >= sfreq / 2:
            raise ValueError(
                f"{caller}: a notch at {freq:g} Hz reaches from {low:g} to {high:g} "
                f"Hz, beyond 0 or the Nyquist frequency of {sfreq / 2:g} Hz. Make it "
                "narrower, or set sfreq to the sampling frequency of the data."
            )
        if low < end:
            raise ValueError(
                f"{caller}: the notch at {freq:g} Hz overlaps the one before it. Make "
                "them narrower, or leave one out."
            )
        end = high
    return notches


def notch_sos(
    freqs: float | Sequence[float] = 60.0,
    *,
    width: float | Sequence[float] | None = None,
    method: str = "butterworth",
    order: int = 3,
    sfreq: float = 200.0,
    caller: str = "notch_sos",
) -> np.ndarray:
    """Design band-stops around single frequencies as second-order sections.

    Parameters
    ----------
    freqs : float or sequence of float, default=60.0
        What to remove, in Hz: the mains, and harmonics of it below Nyquist.
    width : float or sequence of float, optional
        Distance in Hz of the edges, where half the power passes; one for all or one
        for each. None takes 5 Hz for ``"butterworth"`` and ``freq / 30`` for
        ``"resonator"``.
    method : {"butterworth", "resonator"}, default="butterworth"
        A Butterworth band-stop, or a notch of second order as
        :func:`scipy.signal.iirnotch` designs it with ``Q = freq / width``.
    order : int, default=3
        Order of the Butterworth band-stop, which has twice as many poles.
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    caller : str, default="notch_sos"
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_sections, 6), float64
        All notches in a row.

    Raises
    ------
    ValueError
        If a notch does not fit between 0 and half the sampling frequency, if two of
        them overlap, or if a parameter is unknown.

    Examples
    --------
    >>> notch_sos(60.0).shape, notch_sos((50.0, 75.0), method="resonator").shape
    ((3, 6), (2, 6))
    """
    check_choice(method, "method", ("butterworth", "resonator"), caller=caller)
    notches = check_notches(freqs, width, method=method, sfreq=sfreq, caller=caller)
    sections = []
    for freq, extent in notches:
        if method == "resonator":
            b, a = iirnotch(freq, freq / extent, fs=sfreq)
            sections.append(np.concatenate([b, a])[None])
        else:
            edges = freq - extent / 2, freq + extent / 2
            sections.append(
                butterworth_sos(
                    *edges, order=order, btype="bandstop", sfreq=sfreq, caller=caller
                )
            )
    return np.concatenate(sections)
