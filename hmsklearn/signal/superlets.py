"""Superlets: several Morlet wavelets for each frequency, joined by a geometric mean.

A wavelet of few cycles is sharp in time, one of many cycles is sharp in frequency.
Their geometric mean is large only where all of them are, so that it is sharp in both.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hmsklearn._params import check_choice, check_real
from hmsklearn.signal.arrays import Array, as_float, refuse_out
from hmsklearn.signal.wavelet_bank import Wavelets
from hmsklearn.signal.wavelet_fold import PAD_MODES, FoldPlan, make_plan
from hmsklearn.signal.wavelet_run import folded_power
from hmsklearn.signal.wavelet_shapes import check_columns, check_freqs
from hmsklearn.signal.wavelets import check_signals

__all__ = ["KINDS", "check_order", "superlet_plan", "superlet_power"]

#: How the cycles grow within a superlet, see :func:`superlet_power`.
KINDS = ("multiplicative", "additive")


def check_order(order: Any, *, caller: str) -> tuple[float, float]:
    """Check the order of superlets.

    Parameters
    ----------
    order : float or pair of float
        One order, or that of the lowest and of the highest frequency.
    caller : str
        Name that starts the error message.

    Returns
    -------
    low, high : float
        The pair.

    Raises
    ------
    ValueError
        If it is neither, or an order is below 1.

    Examples
    --------
    >>> check_order(5, caller="doctest")
    (5.0, 5.0)
    """
    try:
        pair = (order, order) if np.ndim(order) == 0 else tuple(order)
    except ValueError:  # rows of unequal length
        pair = ()
    if len(pair) != 2:
        raise ValueError(
            f"{caller}: order must be a number, or a pair (lowest, highest frequency), "
            f"got {order!r}."
        )
    low, high = (check_real(value, "order", caller=caller, low=1) for value in pair)
    return low, high


def superlet_plan(
    n_times: int,
    dtype: str,
    freqs: Any,
    *,
    order: Any = (1, 16),
    n_cycles: float = 3.0,
    kind: str = "multiplicative",
    fractional: bool = True,
    sfreq: float = 200.0,
    n_columns: int | None = None,
    hop_length: int | None = None,
    pad_mode: str = "constant",
    zero_mean: bool = False,
    caller: str = "superlet_plan",
) -> FoldPlan:
    """Check the parameters of :func:`superlet_power` and lay out its transform.

    Parameters
    ----------
    n_times : int
        Number of samples.
    dtype : {"float32", "float64"}
        Type of the data.
    freqs, order, n_cycles, kind, fractional, sfreq, n_columns, hop_length, pad_mode, \
zero_mean : optional
        As in :func:`superlet_power`.
    caller : str, default="superlet_plan"
        Name that starts the error messages.

    Returns
    -------
    FoldPlan
        The layout.

    Examples
    --------
    >>> plan = superlet_plan(2000, "float32", [5.0, 10.0], order=(1, 2.5))
    >>> plan.rows, plan.exponents.value
    ((0, 1, 1, 1), array([1. , 0.4, 0.4, 0.2]))
    """
    sfreq = check_real(sfreq, "sfreq", caller=caller, low=0, low_open=True)
    check_choice(kind, "kind", KINDS, caller=caller)
    check_choice(pad_mode, "pad_mode", PAD_MODES, caller=caller)
    low, high = check_order(order, caller=caller)
    first = check_real(n_cycles, "n_cycles", caller=caller, low=1)
    values = check_freqs(freqs, sfreq, caller=caller)
    span = values.max() - values.min()
    share = (values - values.min()) / span if span else np.zeros(len(values))
    orders = low + (high - low) * share
    if not fractional:
        orders = np.rint(orders)
    centres, sigmas, rows, exponents = [], [], [], []
    for row, (freq, whole) in enumerate(zip(values, orders, strict=True)):
        for member in range(1, math.ceil(whole) + 1):
            cycles = first * member if kind == "multiplicative" else first + member - 1
            centres.append(float(freq))
            # Five standard deviations hold the cycles, not 2 pi as in MNE.
            sigmas.append(float(cycles / (5 * freq)))
            rows.append(row)
            exponents.append(float(min(1.0, whole - member + 1) / whole))
    hop, width = check_columns(n_times, n_columns, hop_length, caller=caller)
    wavelets = Wavelets(
        sfreq, tuple(centres), tuple(sigmas), "amplitude", bool(zero_mean)
    )
    return make_plan(
        wavelets,
        n_times,
        hop,
        width,
        pad_mode,
        dtype,
        rows=tuple(rows),
        exponents=tuple(exponents),
        caller=caller,
    )


def superlet_power(
    X: Array,
    freqs: Any,
    *,
    order: Any = (1, 16),
    n_cycles: float = 3.0,
    kind: str = "multiplicative",
    fractional: bool = True,
    sfreq: float = 200.0,
    n_columns: int | None = None,
    hop_length: int | None = None,
    pad_mode: str = "constant",
    zero_mean: bool = False,
    demean: bool = True,
    out: np.ndarray | None = None,
) -> Array:
    r"""Compute the power of a superlet transform.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_channels, n_times)
        Signals, float32 or float64.
    freqs : array-like of shape (n_freqs,)
        Frequencies in Hz, above 0 and at most the Nyquist frequency.
    order : float or (float, float), default=(1, 16)
        Number of wavelets in a superlet. A pair gives that of the lowest and of the
        highest frequency, and those between grow linearly with the frequency
        (adaptive superlets).
    n_cycles : float, default=3.0
        Cycles of the shortest wavelet, c. Here cycles are counted within five
        standard deviations of the envelope, ``sigma = c / (5 f)``.
    kind : {"multiplicative", "additive"}, default="multiplicative"
        Cycles of the i-th wavelet: ``i * c`` or ``c + i - 1``.
    fractional : bool, default=True
        Whether orders stay fractions, the last wavelet counting for what is left, or
        are rounded to the nearest integer.
    sfreq, n_columns, hop_length, pad_mode, zero_mean, demean : optional
        As in :func:`morlet_power`.
    out : ndarray of shape (..., n_channels, n_freqs, n_columns), optional
        Where to write. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (..., n_channels, n_freqs, n_columns)
        `out`, or a new array of the type of `X`; rows in the order of `freqs`. A sine
        of amplitude A has power A ** 2 at its frequency; the authors' programs give
        half of that.

    Raises
    ------
    ValueError
        If a parameter is unusable, or the window is shorter than the scale (standard
        deviation) of the longest wavelet.

    Notes
    -----
    With P_i the power of the i-th wavelet, o the order and k its whole part,

    .. math::

        P = \left( P_1 \cdots P_k \, P_{k+1}^{\,o - k} \right)^{1 / o} .

    References
    ----------
    V. V. Moca, H. Barzan, A. Nagy-Dabacan, R. C. Muresan, Time-frequency
    super-resolution with superlets, Nature Communications 12, 2021.

    H. Barzan, V. V. Moca, A.-M. Ichim, R. C. Muresan, Fractional superlets, EUSIPCO,
    2021.

    Examples
    --------
    >>> t = np.arange(2000) / 200
    >>> X = 3 * np.sin(2 * np.pi * 10 * t)[None]
    >>> power = superlet_power(X, [5.0, 10.0, 15.0], order=4, n_columns=5)
    >>> [round(float(v), 3) for v in power[0, :, 2]]
    [0.0, 9.0, 0.0]
    """
    X = as_float(X, "superlet_power")
    refuse_out(X, out, "superlet_power")
    dtype = check_signals(X, caller="superlet_power")
    plan = superlet_plan(
        X.shape[-1],
        dtype,
        freqs,
        order=order,
        n_cycles=n_cycles,
        kind=kind,
        fractional=fractional,
        sfreq=sfreq,
        n_columns=n_columns,
        hop_length=hop_length,
        pad_mode=pad_mode,
        zero_mean=zero_mean,
        caller="superlet_power",
    )
    return folded_power(X, plan, demean=demean, out=out)
