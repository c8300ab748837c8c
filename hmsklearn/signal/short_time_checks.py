"""Checks that mel and STFT spectrograms share, for arrays and tensors alike."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.signal.arrays import Array, as_float
from hmsklearn.signal.dft import DETRENDS, get_weights
from hmsklearn.signal.frames import PAD_MODES
from hmsklearn.signal.mel_bank import MEL_SCALES, NORMS

__all__ = [
    "check_bands",
    "check_detrend",
    "check_flag",
    "check_groups",
    "check_signals",
    "check_width",
    "freeze",
]


def check_signals(X: Any, *, caller: str) -> Array:
    """Check the type and the axes of signals.

    Parameters
    ----------
    X : ndarray or Tensor
        Signals.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray or Tensor
        As float32 or float64, see :func:`hmsklearn.signal.arrays.as_float`.

    Raises
    ------
    ValueError
        If they are not ``(n_windows, n_channels, n_times)``, or no real numbers.

    Examples
    --------
    >>> check_signals(np.ones((1, 2, 3), dtype="int16"), caller="doctest").dtype
    dtype('float32')
    """
    X = as_float(X, caller)
    if X.ndim != 3:
        raise ValueError(
            f"{caller}: X has {X.ndim} dimensions and shape {tuple(X.shape)}, expected "
            "(n_windows, n_channels, n_times). For a single window pass X[None]."
        )
    return X


def check_detrend(detrend: Any, *, caller: str) -> str | None:
    """Check what is taken out of every frame.

    Parameters
    ----------
    detrend : object
        What the user gave. False, SciPy's word for nothing, counts as None.
    caller : str
        Name that starts the error message.

    Returns
    -------
    str or None
        The value.

    Raises
    ------
    ValueError
        If it is not known.

    Examples
    --------
    >>> check_detrend(False, caller="doctest") is None
    True
    """
    if isinstance(detrend, (bool, np.bool_)) and not detrend:
        return None
    return check_choice(detrend, "detrend", DETRENDS, caller=caller)


def check_bands(
    *,
    sfreq: Any,
    n_fft: Any,
    win_length: Any,
    window: Any,
    pad_mode: Any,
    n_mels: Any,
    fmin: Any,
    fmax: Any,
    mel_scale: Any,
    norm: Any,
    caller: str,
) -> dict[str, Any]:
    """Check the parameters that mel bands and their frames have.

    Parameters
    ----------
    sfreq, n_fft, win_length, window, pad_mode : object
        As in :func:`mel_spectrogram`.
    n_mels, fmin, fmax, mel_scale, norm : object
        As in :func:`mel_spectrogram`.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    dict of str to object
        All but `pad_mode`, as plain numbers and words that can be looked up in a cache.

    Raises
    ------
    ValueError
        If one is unusable.

    Examples
    --------
    >>> check_bands(
    ...     sfreq=200,
    ...     n_fft=64,
    ...     win_length=64,
    ...     window="hann",
    ...     pad_mode="reflect",
    ...     n_mels=8,
    ...     fmin=20,
    ...     fmax=10,
    ...     mel_scale="htk",
    ...     norm=None,
    ...     caller="doctest",
    ... )
    Traceback (most recent call last):
        ...
    ValueError: doctest: fmin=20 must be below fmax=10. Swap them.
    """
    sfreq = check_real(sfreq, "sfreq", caller=caller, low=0, low_open=True)
    n_fft = check_integer(n_fft, "n_fft", caller=caller, low=2)
    win_length = check_integer(
        win_length, "win_length", caller=caller, low=1, high=n_fft
    )
    n_mels = check_integer(n_mels, "n_mels", caller=caller, low=1)
    low = check_real(fmin, "fmin", caller=caller, low=0)
    high = check_real(fmax, "fmax", caller=caller, high=sfreq / 2)
    if low >= high:
        raise ValueError(f"{caller}: fmin={fmin} must be below fmax={fmax}. Swap them.")
    get_weights(window, win_length, caller=caller)
    check_choice(pad_mode, "pad_mode", PAD_MODES, caller=caller)
    check_choice(mel_scale, "mel_scale", MEL_SCALES, caller=caller)
    check_choice(norm, "norm", NORMS, caller=caller)
    return {
        "sfreq": sfreq,
        "n_fft": n_fft,
        "win_length": win_length,
        "window": freeze(window),
        "n_mels": n_mels,
        "fmin": low,
        "fmax": high,
        "mel_scale": mel_scale,
        "norm": norm,
    }


def check_flag(value: Any, name: str, *, caller: str, words: str = "") -> bool:
    """Check that a parameter is True or False.

    Parameters
    ----------
    value : object
        What the user gave. Numbers are no flags here.
    name : str
        Name of the parameter.
    caller : str
        Name that starts the error message.
    words : str, optional
        What else the message says to be possible.

    Returns
    -------
    bool
        The value.

    Raises
    ------
    ValueError
        If it is something else.

    Examples
    --------
    >>> check_flag(np.True_, "center", caller="doctest")
    True
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(
            f"{caller}: {name} must be True{', False' if words else ' or False'}"
            f"{words}, got {value!r}."
        )
    return bool(value)


def check_width(width: Any, n_frames: int, *, caller: str) -> int | None:
    """Check how many frames are to be kept.

    Parameters
    ----------
    width : int or None
        What the user gave; None keeps all.
    n_frames : int
        How many there are.
    caller : str
        Name that starts the error message.

    Returns
    -------
    int or None
        The value.

    Raises
    ------
    ValueError
        If there are not so many, or it is no number of frames.

    Examples
    --------
    >>> check_width(32, 257, caller="doctest")
    32
    """
    if width is None:
        return None
    remedy = f"The signals give {n_frames} frames; a smaller hop_length gives more."
    return check_integer(
        width, "width", caller=caller, low=1, high=n_frames, remedy=remedy
    )


def check_groups(
    groups: Any, n_channels: int, *, caller: str, names: Sequence[str] | None = None
) -> list[list[int]] | None:
    """Check groups of channels whose images are averaged.

    Parameters
    ----------
    groups : sequence of sequences of int, or None
        Positions of the members; None is no group at all.
    n_channels : int
        How many channels there are.
    caller : str
        Name that starts the error messages.
    names : sequence of str, optional
        What the messages call the groups; ``group0``, ``group1``, ... by default.

    Returns
    -------
    list of list of int, or None
        The members.

    Raises
    ------
    ValueError
        If there is no group, or one without members or with members that do not exist.
        Positions do not count from the end.

    Examples
    --------
    >>> check_groups([(0, 2), np.array([1])], 3, caller="doctest")
    [[0, 2], [1]]
    """
    if groups is None:
        return None
    lists = (tuple, list, np.ndarray)
    if not isinstance(groups, lists):
        raise ValueError(
            f"{caller}: groups must be a list of lists of positions, got {groups!r}."
        )
    if len(groups) == 0:
        raise ValueError(f"{caller}: groups is empty. Give None for all channels.")
    for i, group in enumerate(groups):
        name = f"group{i}" if names is None else names[i]
        if (
            not isinstance(group, lists)
            or len(group) == 0
            or not all(_is_position(member, n_channels) for member in group)
        ):
            raise ValueError(
                f"{caller}: group {name!r} must be a list of positions 0 .. "
                f"{n_channels - 1} of channels of X, got {group!r}."
            )
    return [[int(member) for member in group] for group in groups]


def _is_position(member: Any, n_channels: int) -> bool:
    good = isinstance(member, Integral) and not isinstance(member, (bool, np.bool_))
    return good and 0 <= member < n_channels


def freeze(window: Any) -> Any:
    """Turn lists and arrays within the description of a window into tuples.

    Parameters
    ----------
    window : str or tuple
        What :func:`scipy.signal.get_window` takes, such as ``("general_cosine", [0.5,
        0.5])``.

    Returns
    -------
    str or tuple
        The same as something to be looked up in a cache. What is no tuple is returned
        as it is: it is for the check of windows to refuse it.

    Examples
    --------
    >>> freeze(("general_cosine", [0.5, 0.5]))
    ('general_cosine', (0.5, 0.5))
    """
    if not isinstance(window, tuple):
        return window
    return tuple(
        freeze(tuple(part.tolist() if isinstance(part, np.ndarray) else part))
        if isinstance(part, (tuple, list))
        or (isinstance(part, np.ndarray) and part.ndim > 0)
        else part
        for part in window
    )
