"""What Morlet wavelets a user asks for: frequencies, widths, columns."""

from __future__ import annotations

import math
import reprlib
from typing import Any

import numpy as np

from hmsklearn._params import check_integer, check_real

__all__ = ["OMEGA0", "check_columns", "check_freqs", "fourier_factor", "wavelet_shapes"]

#: Angular frequency at scale one, Torrence and Compo's choice.
OMEGA0 = 6.0


def fourier_factor(omega0: float) -> float:
    """Return the period of the sine with the largest response, for a scale of one.

    Parameters
    ----------
    omega0 : float
        Angular frequency of the wavelet at scale one.

    Returns
    -------
    float
        Period, in units of the scale.

    Examples
    --------
    >>> round(fourier_factor(6.0), 4)
    1.033
    """
    return 4 * math.pi / (omega0 + math.sqrt(2 + omega0**2))


def _numbers(values: Any) -> np.ndarray | None:
    """Convert to float64 what is made of real numbers only; None for all else."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):  # rows of unequal length, tensors of a GPU
        return None
    return array.astype(np.float64) if array.dtype.kind in "iuf" else None


def check_freqs(freqs: Any, sfreq: float, *, caller: str) -> np.ndarray:
    """Check a list of frequencies.

    Parameters
    ----------
    freqs : array-like of float
        Frequencies in Hz.
    sfreq : float
        Sampling frequency in Hz.
    caller : str
        Name that starts the error message.

    Returns
    -------
    ndarray of float64
        The frequencies.

    Raises
    ------
    ValueError
        If it is not a list of frequencies above 0 and up to the Nyquist frequency.

    Examples
    --------
    >>> check_freqs([1, 2], 200.0, caller="doctest")
    array([1., 2.])
    """
    values = _numbers(freqs)
    if values is None or values.ndim != 1 or values.size == 0:
        raise ValueError(
            f"{caller}: freqs must be a list of frequencies in Hz, got "
            f"{reprlib.repr(freqs)}. Give numbers, such as [2.0, 5.0, 10.0]."
        )
    bad = ~((values > 0) & (values <= sfreq / 2))
    if bad.any():
        raise ValueError(
            f"{caller}: frequencies must be above 0 and at most the Nyquist frequency "
            f"({sfreq / 2:g} Hz), got {values[bad][0]:g}. Check fmin, fmax or freqs, "
            "and sfreq."
        )
    return values


def wavelet_shapes(
    freqs: np.ndarray,
    *,
    omega0: float | None,
    n_cycles: Any,
    caller: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Frequency under the envelope, and width of the envelope, of Morlet wavelets.

    Parameters
    ----------
    freqs : ndarray of shape (n_freqs,)
        Frequencies in Hz.
    omega0 : float or None
        Angular frequency at scale one, Torrence and Compo's convention; 6 where both
        are None.
    n_cycles : float, array-like of shape (n_freqs,) or None
        Cycles, MNE's convention: the standard deviation of the envelope is
        ``n_cycles / (2 pi f)``.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    centres, sigmas : ndarray of shape (n_freqs,), float64
        Hz and seconds.

    Raises
    ------
    ValueError
        If both are given, or one is unusable.

    Examples
    --------
    >>> wavelet_shapes(np.ones(1), omega0=None, n_cycles=2 * np.pi, caller="doctest")
    (array([1.]), array([1.]))
    """
    if n_cycles is None:
        omega0 = OMEGA0 if omega0 is None else omega0
        omega0 = check_real(omega0, "omega0", caller=caller, low=1)
        scales = 1 / (fourier_factor(omega0) * freqs)
        return omega0 / (2 * math.pi * scales), scales
    if omega0 is not None:
        raise ValueError(
            f"{caller}: omega0={omega0!r} and n_cycles={n_cycles!r} both say how wide "
            "the wavelets are. Give one of them."
        )
    cycles = _numbers(n_cycles)
    if cycles is None:
        raise ValueError(
            f"{caller}: n_cycles must be a number, or a list of one number for each of "
            f"the {len(freqs)} frequencies, got {reprlib.repr(n_cycles)}. Give numbers "
            "of at least 1."
        )
    if cycles.ndim == 0:
        cycles = np.full(len(freqs), float(cycles))
    else:
        if cycles.shape != freqs.shape:
            raise ValueError(
                f"{caller}: n_cycles has shape {cycles.shape}, expected one number, or "
                f"one for each of the {len(freqs)} frequencies."
            )
    if not (np.isfinite(cycles) & (cycles >= 1)).all():
        raise ValueError(
            f"{caller}: n_cycles must be finite and at least 1, got "
            f"{float(cycles[~(cycles >= 1) | np.isinf(cycles)][0]):g}. Under less the "
            "envelope holds no oscillation."
        )
    return freqs.copy(), cycles / (2 * math.pi * freqs)


def check_columns(
    n_times: int, n_columns: Any, hop_length: Any, *, caller: str
) -> tuple[int, int]:
    """Find the hop and the number of columns of the output.

    Parameters
    ----------
    n_times : int
        Number of samples.
    n_columns : int or None
        Number of columns, ``hop = n_times // n_columns`` samples apart.
    hop_length : int or None
        Or the distance, and as many columns as begin inside the window.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    hop, n_columns : int
        Column k is centred at sample ``k * hop``.

    Raises
    ------
    ValueError
        If both are given, one is unusable, or there are fewer samples than columns.

    Examples
    --------
    >>> check_columns(10_000, 256, None, caller="doctest")
    (39, 256)
    >>> check_columns(10_000, None, 33, caller="doctest")
    (33, 304)
    """
    if n_columns is not None and hop_length is not None:
        raise ValueError(
            f"{caller}: n_columns={n_columns!r} and hop_length={hop_length!r} both say "
            "where the columns are. Give one of them."
        )
    if n_columns is None:
        hop_length = 1 if hop_length is None else hop_length
        hop = check_integer(hop_length, "hop_length", caller=caller, low=1)
        return hop, 1 + (n_times - 1) // hop
    width = check_integer(n_columns, "n_columns", caller=caller, low=1)
    if n_times < width:
        raise ValueError(
            f"{caller}: X has {n_times} samples in time (last axis), at least {width} "
            f"are needed for n_columns={width}. Give longer windows, fewer columns, or "
            "a hop_length."
        )
    return n_times // width, width
