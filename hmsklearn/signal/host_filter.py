"""The filters that the organisers applied before their spectrograms."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.signal import butter, iirnotch

from hmsklearn._params import check_choice, check_real
from hmsklearn.signal.arrays import Array, as_float, namespace
from hmsklearn.signal.filters import filter_zero_phase

__all__ = ["ENDS", "MAINS", "check_host_filter", "host_filter"]

#: What is done about mains hum, see :func:`host_filter`.
MAINS = ("notch", "stop", None)
#: What the ends of a signal are, see :func:`host_filter`.
ENDS = ("cut", "whole")

_SFREQ = 200.0
_PASSBAND = (0.5, 40.0)
_ORDER = 3
_QUALITY = 35.0  # of the notch: its frequency divided by its width
_STOP_WIDTH = 2.5  # Hz to either side
# MATLAB's filtfilt continues by three times the order of the filter.
_PADDING = {"notch": 6, "stop": 18, "band": 18}
# Two seconds: more changed nothing.
_MIRRORED = 400


def check_host_filter(
    mains: str | None, mains_freq: float, ends: str, *, caller: str
) -> None:
    """Check the parameters of :func:`host_filter`.

    Parameters
    ----------
    mains, mains_freq, ends : str or None, float, str
        See :func:`host_filter`.
    caller : str
        Name that starts the error messages.

    Raises
    ------
    ValueError
        If one is unusable.

    Examples
    --------
    >>> check_host_filter("notch", 0, "cut", caller="doctest")
    Traceback (most recent call last):
        ...
    ValueError: doctest: mains_freq must be a finite number at least 45 and at most \
95, got 0. Give 50 or 60.
    """
    check_choice(mains, "mains", MAINS, caller=caller)
    check_choice(ends, "ends", ENDS, caller=caller)
    check_real(
        mains_freq,
        "mains_freq",
        caller=caller,
        low=45,
        high=95,
        remedy="Give 50 or 60.",
    )


@lru_cache(maxsize=16)
def _sections(mains: str | None, mains_freq: float) -> tuple[np.ndarray, np.ndarray]:
    """Second-order sections of the filter against mains hum and of the band-pass."""
    against = np.zeros((0, 6))
    if mains == "notch":
        numerator, denominator = iirnotch(mains_freq, _QUALITY, _SFREQ)
        against = np.concatenate([numerator, denominator])[None]
    elif mains == "stop":
        edges = [mains_freq - _STOP_WIDTH, mains_freq + _STOP_WIDTH]
        against = butter(_ORDER, edges, "bandstop", fs=_SFREQ, output="sos")
    band = butter(_ORDER, _PASSBAND, "bandpass", fs=_SFREQ, output="sos")
    for sections in (against, band):
        sections.setflags(write=False)
    return against, band


def host_filter(
    X: Array,
    *,
    mains: str | None = "notch",
    mains_freq: float = 60.0,
    ends: str = "cut",
) -> Array:
    """Filter EEG at 200 Hz as the organisers did.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, ..., n_times)
        Signals without NaN, more than 400 samples with ``ends="cut"``, else more than
        18. Float32 or float64; other arrays of numbers become float32.
    mains : {"notch", "stop", None}, default="notch"
        Against mains hum: a notch of quality 35, found in the spectrograms of
        training; a Butterworth band-stop of order 3, 2.5 Hz to either side, as in the
        organisers' published tools and in the public test file; or nothing. Below
        20 Hz the notch takes away up to 0.04 % of the power.
    mains_freq : float, default=60.0
        Frequency of the mains in Hz.
    ends : {"cut", "whole"}, default="cut"
        What the ends are. The files of the competition are ``"cut"`` out of
        recordings that were filtered before: they are continued by a mirror image of
        two seconds, which comes closest. A ``"whole"`` recording is continued as the
        organisers' was, by MATLAB's ``filtfilt``: point-symmetric to the last sample,
        by 6 or 18 samples for each filter.

    Returns
    -------
    ndarray or Tensor
        Signals between 0.5 and 40 Hz (Butterworth, order 3, forwards and backwards),
        of the type of `X`.

    Raises
    ------
    ValueError
        If a parameter is unusable, the signals are too short, or `X` is no array of
        real numbers or tensor of float32 or float64.

    See Also
    --------
    hmsklearn.preprocessing.NotchFilter : Other notches (``method="resonator"``) and
        band-stops (``method="butterworth"``), at any sampling frequency.

    Examples
    --------
    >>> t = np.arange(4000) / 200
    >>> X = 20 * np.sin(2 * np.pi * 60 * t) + np.sin(2 * np.pi * 10 * t) + 100
    >>> quiet = host_filter(X[None])
    >>> bool(abs(quiet[0] - np.sin(2 * np.pi * 10 * t))[1000:-1000].max() < 0.01)
    True
    """
    caller = "host_filter"
    check_host_filter(mains, mains_freq, ends, caller=caller)
    X = as_float(X, caller)
    shortest = 1 + (_MIRRORED if ends == "cut" else _PADDING["band"])
    if X.ndim == 0 or X.shape[-1] < shortest:
        raise ValueError(
            f"{caller}: X has shape {tuple(X.shape)}; with ends={ends!r}, at least "
            f"{shortest} samples in time (last axis) are needed. Give longer signals."
        )
    against, band = _sections(mains, float(mains_freq))
    if ends == "whole":
        if len(against):
            X = filter_zero_phase(X, against, padlen=_PADDING[str(mains)])
        return filter_zero_phase(X, band, padlen=_PADDING["band"])
    xp = namespace(X)
    before = xp.flip(X[..., 1 : _MIRRORED + 1], (-1,))
    after = xp.flip(X[..., -_MIRRORED - 1 : -1], (-1,))
    continued = xp.concatenate([before, X, after], -1)
    both = np.concatenate([against, band])
    return filter_zero_phase(continued, both)[..., _MIRRORED:-_MIRRORED]
