"""Recursive filters, forward and backward or causal, for arrays and tensors.

Signals are filtered in blocks by :mod:`hmsklearn.signal.statespace`, the numbers are
those of SciPy's recursion in double precision or better. float32 signals are computed
in float32, unless the filter leaves so little of an EEG that the rounding would show.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from scipy.signal import lfilter

from hmsklearn.signal.arrays import Array, as_float, is_tensor, refuse_out
from hmsklearn.signal.blas import one_blas_thread
from hmsklearn.signal.filter_padding import default_padlen
from hmsklearn.signal.precision import full_precision
from hmsklearn.signal.realisation import realise
from hmsklearn.signal.statespace import BlockFilter, BlockScratch, block_filter

__all__ = [
    "filter_causal",
    "filter_zero_phase",
    "single_precision_suffices",
]

# Rounding errors, as a share of the largest value that comes out, up to which float32
# is good enough: half of what is promised. And how much memory of the past may be in
# the states, in samples: with more, single samples count for too little.
_ROUNDING = 1e-5
_MEMORY = 10_000
# So much of a window at a time: its blocks and states stay in the cache.
_SAMPLES = 2**18

_SINGLE = (np.float32, torch.float32)


def _sections(sos: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, np.asarray(sos, dtype=np.float64).tolist()))


def _pseudo_eeg() -> np.ndarray:
    """Noise, a random walk, one without high frequencies, a drift, and mains."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(3, 4000))
    t = np.arange(4000)
    walk = noise[1].cumsum()
    smooth = lfilter([1.0], [1.0, -1.6, 0.64], noise[2].cumsum())
    drift = 20 * noise[0] + 5000 + t / 2
    mains = walk + 200 * np.sin(0.6 * np.pi * t)
    return np.stack([noise[0], walk, smooth, drift, mains]).astype(np.float32)


@lru_cache(maxsize=64)
@one_blas_thread()
def _float32_will_do(sections: tuple[tuple[float, ...], ...], both: bool) -> bool:
    sos = np.array(sections)
    if np.square(realise(sos).rest).sum() > _MEMORY:
        return False
    single = _pseudo_eeg()
    double = single.astype(np.float64)
    padlen = default_padlen(sos) if both else None
    block = block_filter(sections, single.shape[1], padlen)
    for X in (single, double):
        block.run(X, X, block.scratch(len(X), X.dtype))
    peaks = np.abs(double).max(axis=1, keepdims=True)
    return bool((np.abs(single - double) <= _ROUNDING * peaks).all())


def single_precision_suffices(sos: np.ndarray, *, causal: bool = False) -> bool:
    """Tell whether float32 signals are filtered in float32.

    Parameters
    ----------
    sos : ndarray of shape (n_sections, 6)
        Filter.
    causal : bool, default=False
        Forward only instead of forward and backward.

    Returns
    -------
    bool
        False for filters whose output is small beside what they remove from an EEG,
        such as high-passes above 30 Hz, and for those that remember more than 10,000
        samples: float32 signals are then converted, filtered in float64, and rounded.

    Notes
    -----
    Decided from the filter alone, by filtering simulated signals in both precisions.

    Examples
    --------
    >>> from hmsklearn.signal import butterworth_sos
    >>> single_precision_suffices(butterworth_sos(0.5, 20.0))
    True
    >>> single_precision_suffices(butterworth_sos(90.0, None))
    False
    """
    return _float32_will_do(_sections(sos), not causal)


def _apply(
    X: Array,
    sos: np.ndarray,
    padlen: int | None,
    out: np.ndarray | None,
    caller: str,
) -> Array:
    X = as_float(X, caller)
    refuse_out(X, out, caller)
    n_times = X.shape[-1]
    sections = _sections(sos)
    if padlen is not None and not 0 <= padlen < n_times:
        raise ValueError(
            f"{caller}: signals of {n_times} samples cannot be continued by "
            f"padlen={padlen}. Give longer signals or a smaller padlen, at least 0."
        )
    if 0 in X.shape:
        return X.clone() if is_tensor(X) else X.copy() if out is None else out
    block = block_filter(sections, n_times, padlen, caller)
    kind = X.dtype if is_tensor(X) else X.dtype.type
    single = kind in _SINGLE and _float32_will_do(sections, block.both)
    if not is_tensor(X):
        out = np.empty(X.shape, dtype=X.dtype) if out is None else out
        _run(X, block, np.dtype(np.float32 if single else np.float64), out)
        return out
    rows = X.reshape(-1, n_times)
    with full_precision(X):
        rows = block.tensor(rows if single else rows.double())
    return rows.to(X.dtype).reshape(X.shape)


@one_blas_thread()
def _run(X: np.ndarray, block: BlockFilter, dtype: np.dtype, out: np.ndarray) -> None:
    """Filter window by window, in `dtype`, and many rows of a long window in turn."""
    if X.ndim < 3:  # windows of one row each
        X, out = np.atleast_2d(X)[:, None], np.atleast_2d(out)[:, None]
    n_rows = X.shape[-2]
    step = max(1, min(n_rows, _SAMPLES // block.n_times))
    scratches: dict[int, BlockScratch] = {}
    one = (0,) * (X.ndim - 2)
    dense = X[one].flags.c_contiguous and out[one].flags.c_contiguous
    direct = dense and X.dtype == out.dtype == dtype
    for where in np.ndindex(X.shape[:-2]):
        window, result = X[where], out[where]
        for start in range(0, n_rows, step):
            rows, written = window[start : start + step], result[start : start + step]
            scratch = scratches.get(len(rows))
            if scratch is None:
                scratch = scratches[len(rows)] = block.scratch(len(rows), dtype)
            if direct:
                block.run(rows, written, scratch)
            else:
                rows = rows.astype(dtype, order="C")
                written[...] = block.run(rows, rows, scratch)


def filter_zero_phase(
    X: Array,
    sos: np.ndarray,
    *,
    padlen: int | None = None,
    out: np.ndarray | None = None,
) -> Array:
    """Filter forward, then backward.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, ..., n_times)
        Signals without NaN, float32 or float64; arrays of other numbers are converted
        to float32.
    sos : ndarray of shape (n_sections, 6), float64
        Filter.
    padlen : int, optional
        Number of samples by which each end is continued, point-symmetric to its last
        sample (odd); less than `n_times`. None takes SciPy's
        default, :func:`hmsklearn.signal.default_padlen`.
    out : ndarray of the shape of `X`, optional
        Where to write; may be `X` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new one of the dtype in which `X` was taken: the filter's squared
        magnitude, and no shift in time.

    Raises
    ------
    ValueError
        If the signals are not longer than the padding or no numbers, or the filter is
        unstable.

    Notes
    -----
    The result of :func:`scipy.signal.sosfiltfilt`, ends included: to 1e-9 of the
    largest value of each signal for float64, to 2e-6 of it for float32. On an EEG that
    is 2e-5 of the largest value that comes out, or better. It is a larger share where
    next to nothing comes out: 4e-5 when a high-pass at 9.9 Hz of order 8 takes 500 uV
    of slow waves off 1 uV of noise, 1e-4 for 8.1-13 Hz of order 6. Give float64 signals
    for such. Some filters take float64 inside, see
    :func:`hmsklearn.signal.single_precision_suffices`. NaN and infinity spoil their
    whole signal.

    Where SciPy's own recursion is less exact, in wide band-stops of high order (5e-4
    with 0.16-85.6 Hz of order 8), the result is that of exact arithmetic.

    Examples
    --------
    >>> from hmsklearn.signal import butterworth_sos
    >>> X = np.ones((1, 400), dtype="float32")
    >>> low = filter_zero_phase(X, butterworth_sos(None, 20.0))
    >>> low.dtype, bool(abs(low - X).max() < 1e-6)  # no step at the ends
    (dtype('float32'), True)
    """
    sos = np.asarray(sos, dtype=np.float64)
    if padlen is None:
        padlen = default_padlen(sos)
    return _apply(X, sos, padlen, out, "filter_zero_phase")


def filter_causal(X: Array, sos: np.ndarray, *, out: np.ndarray | None = None) -> Array:
    """Filter forward only, from rest.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, ..., n_times)
        Signals without NaN, float32 or float64; arrays of other numbers are converted
        to float32.
    sos : ndarray of shape (n_sections, 6), float64
        Filter.
    out : ndarray of the shape of `X`, optional
        Where to write; may be `X` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new one of the dtype in which `X` was taken.

    Raises
    ------
    ValueError
        If the signals are no numbers, or the filter is unstable.

    Notes
    -----
    The numbers of :func:`scipy.signal.sosfilt` in float64, as exactly as
    :func:`filter_zero_phase` has those of ``sosfiltfilt``. The initial state is zero,
    as if the signal had been zero before: a constant offset starts with a step, whose
    response takes about ``1 / l_freq`` to fade.

    Examples
    --------
    >>> from hmsklearn.signal import butterworth_sos
    >>> filter_causal(np.ones((1, 3)), butterworth_sos(None, 20.0, order=1)).round(3)
    array([[0.245, 0.615, 0.804]])
    """
    return _apply(X, np.asarray(sos, dtype=np.float64), None, out, "filter_causal")
