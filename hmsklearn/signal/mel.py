"""Mel spectrograms of EEG: librosa's numbers, an order of magnitude sooner."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from hmsklearn._params import check_integer
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.dft import FrameTransform
from hmsklearn.signal.frames import FrameLayout
from hmsklearn.signal.levels import Levels
from hmsklearn.signal.mel_bank import mel_filterbank, mel_frequencies
from hmsklearn.signal.short_time import Bank, ShortTimeImages
from hmsklearn.signal.short_time_checks import (
    check_bands,
    check_groups,
    check_signals,
    check_width,
)

__all__ = ["mel_decibels", "mel_filterbank", "mel_frequencies", "mel_spectrogram"]


@lru_cache(maxsize=16)
def _constants(
    sfreq: float,
    n_fft: int,
    win_length: int,
    window: str | tuple,
    n_mels: int,
    fmin: float,
    fmax: float,
    mel_scale: str,
    norm: str | None,
) -> tuple[FrameTransform, Bank, bool]:
    """Derive the transform, the filters, and whether one of them is empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # once: mel_spectrogram says it
        weights = mel_filterbank(
            sfreq, n_fft, n_mels, fmin, fmax, mel_scale=mel_scale, norm=norm
        )
    used = np.flatnonzero(weights.any(axis=0))
    start, stop = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)
    transform = FrameTransform.make(
        window, win_length, n_fft=n_fft, bins=(start, stop), caller="mel_spectrogram"
    )
    return transform, Bank(weights[:, start:stop]), not weights.any(axis=1).all()


def mel_spectrogram(
    X: Array,
    *,
    sfreq: float = 200.0,
    n_fft: int = 1024,
    win_length: int = 128,
    hop_length: int = 39,
    window: str | tuple = "hann",
    pad_mode: str = "constant",
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float = 20.0,
    mel_scale: str = "slaney",
    norm: str | None = "slaney",
    width: int | None = None,
    levels: Mapping[str, Any] | None = None,
    groups: Sequence[Sequence[int]] | None = None,
    warn_empty: bool = True,
    caller: str = "mel_spectrogram",
    out: np.ndarray | None = None,
) -> Array:
    """Compute the power in mel bands over time.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, n_channels, n_times)
        Signals, float32 or float64; arrays of other numbers become float32.
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    n_fft : int, default=1024
        Length of the transform.
    win_length : int, default=128
        Length of the window, at most `n_fft`.
    hop_length : int, default=39
        Samples from frame to frame.
    window : str or tuple, default="hann"
        Periodic window of :func:`scipy.signal.get_window`; parameters may be lists.
    pad_mode : {"constant", "reflect"}, default="constant"
        What lies before the first and after the last sample: zeros, as in librosa, or
        the mirrored signal, as in torchaudio.
    n_mels : int, default=128
        Number of bands.
    fmin, fmax : float, default=0.0 and 20.0
        Range of the bands in Hz.
    mel_scale, norm : optional
        Shape of the bands, see :func:`mel_filterbank`. The defaults are librosa's;
        torchaudio's are ``"htk"`` and None.
    width : int, optional
        Number of frames to keep, from the first; all by default. Maxima that decibels
        refer to are taken from all frames.
    levels : mapping, optional
        Arguments of :func:`hmsklearn.signal.power_to_levels`, applied to each image.
        None leaves the power.
    groups : sequence of sequences of int, optional
        Channels whose images are averaged in the end, without ever holding all of them.
    warn_empty : bool, default=True
        Whether bands without content are worth a warning.
    caller : str, default="mel_spectrogram"
        Name that starts the error messages.
    out : ndarray, optional
        Where to write. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (n_windows, n_channels or n_groups, n_mels, width)
        Power or levels, of the type of `X`; frequency from low to high. There are
        ``1 + n_times // hop_length`` frames for an even `n_fft`.

    Raises
    ------
    ValueError
        If a parameter is unusable, `X` has other axes or types, `X` is too short to be
        mirrored, or `out` is given with a tensor.

    Warns
    -----
    UserWarning
        If a band lies between two bins of the transform, so that its row has no
        content.

    Notes
    -----
    The definition is that of ``librosa.feature.melspectrogram`` with ``center=True``.
    Arrays are transformed in float64, whatever their type, except for decibels, see
    :func:`mel_decibels`; tensors in their own type.

    Examples
    --------
    >>> mel_spectrogram(np.ones((2, 3, 1000))).shape
    (2, 3, 128, 26)
    """
    X = check_signals(X, caller=caller)
    bands = check_bands(
        sfreq=sfreq,
        n_fft=n_fft,
        win_length=win_length,
        window=window,
        pad_mode=pad_mode,
        n_mels=n_mels,
        fmin=fmin,
        fmax=fmax,
        mel_scale=mel_scale,
        norm=norm,
        caller=caller,
    )
    layout = FrameLayout.make(
        X.shape[-1],
        length=bands["win_length"],
        n_fft=bands["n_fft"],
        hop_length=check_integer(hop_length, "hop_length", caller=caller, low=1),
        pad_mode=pad_mode,
        caller=caller,
    )
    width = check_width(width, layout.count, caller=caller)
    groups = check_groups(groups, X.shape[1], caller=caller)
    chosen = None if levels is None else Levels.make(levels, caller=caller)
    transform, bank, empty = _constants(**bands)
    if empty and warn_empty:
        for name in ("win_length", "window"):
            del bands[name]
        mel_filterbank(**bands)
    images = ShortTimeImages(
        transform,
        layout,
        bank,
        levels=chosen,
        width=width,
        exact=True,
        groups=groups,
        caller=caller,
    )
    return images(X, out)


def mel_decibels(
    X: Array,
    *,
    width: int | None = None,
    ref: str | float = "max",
    amin: float = 1e-10,
    top_db: float | None = 80.0,
    offset: float = 0.0,
    scale: float = 1.0,
    per: str = "plane",
    out: np.ndarray | None = None,
    **kwargs: Any,
) -> Array:
    """Compute mel spectrograms in decibel, one image for each channel.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, n_channels, n_times)
        Signals, float32 or float64; arrays of other numbers become float32.
    width : int, optional
        Number of frames to keep, from the first. The reference and the floor of the
        decibels are taken from all frames.
    ref, amin, top_db, offset, scale, per : optional
        As in :func:`hmsklearn.signal.power_to_db`.
    out : ndarray of shape (n_windows, n_channels, n_mels, width), optional
        Where to write. For arrays only.
    **kwargs : optional
        As in :func:`mel_spectrogram`.

    Returns
    -------
    ndarray or Tensor of shape (n_windows, n_channels, n_mels, width)
        `out`, or a new array of the type of `X`; frequency from low to high.

    Notes
    -----
    Arrays of float32 are transformed in float32, and a channel again in float64 where
    the first rounding would show above the floor: where much of its energy lies
    outside the bands (unfiltered mains), or where the floor is further down than 80 dB.
    The result is within 0.005 dB of ``librosa.power_to_db`` in float64.

    Tensors of float32 are transformed in float32 only, since deciding by the values
    would make a GPU wait. An offset costs no precision; mains a thousand times what
    lies in the bands costs a tenth of a dB in cells near the floor. Give float64 where
    that matters.

    Examples
    --------
    >>> images = mel_decibels(np.zeros((1, 2, 10_000), dtype="float32"), width=256)
    >>> images.shape, float(images.min()), float(images.max())
    ((1, 2, 128, 256), 0.0, 0.0)
    """
    levels = dict(
        output="db",
        ref=ref,
        amin=amin,
        top_db=top_db,
        offset=offset,
        scale=scale,
        per=per,
    )
    kwargs = {"caller": "mel_decibels", **kwargs}
    return mel_spectrogram(X, width=width, levels=levels, out=out, **kwargs)
