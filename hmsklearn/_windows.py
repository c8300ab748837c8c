"""Checking arrays of windows: axes, type of the numbers, finiteness, size.

Whatever takes windows, transformer or classifier, takes them through here, so that
the same mistake gets the same answer everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils import check_array

from hmsklearn.signal.arrays import is_tensor

__all__ = ["WindowError", "admit", "check_windows", "float_dtype"]

_NAN_REMEDY = "Fill them first, for instance with hmsklearn.preprocessing.NaNImputer."
_DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]

_AXES = {
    3: "(n_windows, n_channels, n_times)",
    4: "(n_windows, n_planes, height, width)",
    5: "(n_windows, n_planes, n_frames, height, width)",
}


class WindowError(ValueError):
    """Something is wrong with one window, whose number stands in the message.

    Who passed on a part of the windows can say the number that it has in the whole.

    Parameters
    ----------
    before : str
        The message up to the number.
    window : int
        Number of the window.
    after : str
        The rest of the message.

    Examples
    --------
    >>> print(WindowError("X is wrong (window ", 3, ")."))
    X is wrong (window 3).
    """

    def __init__(self, before: str, window: int, after: str) -> None:
        super().__init__(before, window, after)
        self.before, self.window, self.after = before, window, after

    def __str__(self) -> str:
        return f"{self.before}{self.window}{self.after}"


def check_windows(
    X: Any,
    *,
    caller: str,
    ndim: tuple[int, ...] = (3,),
    allow_nan: bool = False,
    n_channels: int | None = None,
    min_times: int = 1,
    nan_remedy: str = _NAN_REMEDY,
    lazy: bool = False,
) -> np.ndarray:
    """Check an array of windows: shape, dtype, finiteness, size.

    Parameters
    ----------
    X : array-like or Tensor
        Windows, time (or width) last. A tensor stays one with `lazy` only.
    caller : str
        Name that starts the error messages, usually the estimator's class.
    ndim : tuple of int, default=(3,)
        Accepted numbers of axes: 3 for signals, 4 for images.
    allow_nan : bool, default=False
        Whether NaN may pass. Infinite values never do.
    n_channels : int, optional
        Number of channels (axis 1) that `X` must have.
    min_times : int, default=1
        Smallest length of the last axis.
    nan_remedy : str, optional
        What the error about NaN advises.
    lazy : bool, default=False
        Leave the values of an array of numbers alone: neither their type is changed
        nor their finiteness looked at. :func:`admit` does both, chunk by chunk, so
        that a memory-mapped file of integers is never in memory as a whole. The values
        of a tensor are nobody's business: a GPU would have to wait.

    Returns
    -------
    ndarray or Tensor
        `X` itself where it is float32 or float64, else converted to float32.

    Raises
    ------
    ValueError
        For anything that does not fit, with cause and remedy.
    TypeError
        For sparse input.

    Examples
    --------
    >>> check_windows([[[1, 2, 3]]], caller="doctest").dtype
    dtype('float32')
    >>> check_windows([[1, 2, 3]], caller="doctest")
    Traceback (most recent call last):
        ...
    ValueError: doctest: X has 2 dimensions and shape (1, 3), expected (n_windows, \
n_channels, n_times). For a single window pass X[None].
    """
    if lazy and is_tensor(X):
        _check_tensor(X, caller)
    else:
        X = _as_array(X, caller, lazy)
    if X.ndim not in ndim:
        expected = " or ".join(_AXES[n] for n in ndim)
        remedy = (
            "For a single window pass X[None]."
            if X.ndim == min(ndim) - 1
            else "Check the order of the pipeline's steps."
        )
        raise ValueError(
            f"{caller}: X has {X.ndim} dimensions and shape {X.shape}, expected "
            f"{expected}. {remedy}"
        )
    if X.shape[0] == 0:
        raise ValueError(
            f"{caller}: Found array with 0 sample(s) (shape={X.shape}) while a minimum "
            "of 1 is required."
        )
    if X.shape[1] == 0:
        raise ValueError(
            f"{caller}: Found array with 0 feature(s) (shape={X.shape}) while a "
            "minimum of 1 is required: there are no channels."
        )
    if n_channels is not None and X.shape[1] != n_channels:
        raise ValueError(
            f"{caller}: X has {X.shape[1]} channels (axis 1), but {caller} is "
            f"expecting {n_channels} channels as input."
        )
    if 0 in X.shape[2:-1]:
        raise ValueError(
            f"{caller}: X has shape {X.shape}, there are no values in it. Give images "
            "with a height."
        )
    if X.shape[-1] < min_times:
        raise ValueError(
            f"{caller}: X has {X.shape[-1]} samples in time (last axis), at least "
            f"{min_times} are needed. Give longer windows."
        )
    if not lazy:
        _check_finite(X, caller, allow_nan, nan_remedy)
    return X


def _check_tensor(X: Any, caller: str) -> None:
    if X.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"{caller}: X is a tensor of {X.dtype}, expected torch.float32 or "
            "torch.float64. Convert it, for instance with X.float()."
        )


def _as_array(X: Any, caller: str, lazy: bool) -> np.ndarray:
    numbers = isinstance(X, np.ndarray) and X.dtype.kind in "biuf"
    try:
        return check_array(
            X,
            dtype=None if lazy and numbers else _DTYPES,
            ensure_2d=False,
            allow_nd=True,
            ensure_all_finite=False,
            ensure_min_samples=0,
            ensure_min_features=0,
            estimator=caller,
            input_name="X",
        )
    except (TypeError, ValueError) as error:
        # What scikit-learn says of text, objects, complex and sparse input is right,
        # only it does not say who was called.
        if caller in str(error):
            raise
        raise type(error)(f"{caller}: {error}") from None


def float_dtype(X: np.ndarray) -> np.dtype:
    """Return the type in which an array's windows are computed.

    Parameters
    ----------
    X : ndarray
        Windows.

    Returns
    -------
    dtype
        float64 for float64, else float32.

    Examples
    --------
    >>> float_dtype(np.zeros(1, dtype="int16"))
    dtype('float32')
    """
    # Whatever the order of the bytes.
    double = X.dtype.newbyteorder("=") == np.float64
    return np.dtype(np.float64 if double else np.float32)


def admit(
    X: np.ndarray,
    *,
    caller: str,
    allow_nan: bool = False,
    first: int = 0,
    nan_remedy: str = _NAN_REMEDY,
) -> np.ndarray:
    """Convert a chunk of windows to float and check that it is finite.

    Parameters
    ----------
    X : ndarray
        Windows that :func:`check_windows` let pass with ``lazy=True``.
    caller : str
        Name that starts the error messages.
    allow_nan : bool, default=False
        Whether NaN may pass. Infinite values never do.
    first : int, default=0
        Number of the chunk's first window, for the error messages.
    nan_remedy : str, optional
        What the error about NaN advises.

    Returns
    -------
    ndarray
        `X` itself where it is float32 or float64, else converted to float32.

    Raises
    ------
    ValueError
        If a value is infinite, or NaN without `allow_nan`.

    Examples
    --------
    >>> admit(np.ones((1, 2, 3), dtype="int16"), caller="doctest").dtype
    dtype('float32')
    """
    X = np.asarray(X, dtype=float_dtype(X))
    _check_finite(X, caller, allow_nan, nan_remedy, first)
    return X


def _check_finite(
    X: np.ndarray, caller: str, allow_nan: bool, remedy: str, first: int = 0
) -> None:
    # NaN and infinity show in the sum of squares: one pass at the speed of memory,
    # without a mask the size of X. Only when it is not finite (or overflows) does the
    # exact search run, window by window.
    with np.errstate(over="ignore", invalid="ignore"):
        flat = X.reshape(-1) if X.flags.c_contiguous else None
        probe = X.max() - X.min() if flat is None else np.dot(flat, flat)
        if np.isfinite(probe):
            return
    for window, values in enumerate(X, start=first):
        if np.isinf(values).any():
            channel = int(np.argwhere(np.isinf(values))[0][0])
            raise WindowError(
                f"{caller}: X contains infinity (first in window ",
                window,
                f", channel {channel}). No transform is defined for it: repair the "
                "recording.",
            )
        if not allow_nan and np.isnan(values).any():
            channel = int(np.argwhere(np.isnan(values))[0][0])
            raise WindowError(
                f"{caller}: X contains NaN (first in window ",
                window,
                f", channel {channel}). {remedy}",
            )
