"""Mel spectrograms of EEG: librosa's numbers, an order of magnitude sooner."""

from __future__ import annotations

import math
import warnings
from functools import lru_cache, partial

import numpy as np
from scipy.sparse import csr_matrix

from hmsklearn.signal.blas import one_blas_thread
from hmsklearn.signal.decibel import db_floor, power_to_db
from hmsklearn.signal.dft import TruncatedDFT, n_frames

__all__ = ["mel_decibels", "mel_filterbank", "mel_frequencies", "mel_spectrogram"]

# The scale is a straight line up to 1 kHz and logarithmic above (Slaney's Auditory
# Toolbox); EEG only ever sees the straight part.
_LINEAR_STEP = 200.0 / 3.0
_KNEE = 1000.0
_LOG_STEP = np.log(6.4) / 27.0

# Rounding in float32 goes with the largest sample, times its weight in a cell. Where
# this share of that reaches the floor of the decibels, quiet cells would be wrong by
# several thousandths of a dB: mains and artefacts many times the size of what lies in
# the bands, or a floor far down. Such a channel is transformed in float64.
_ROUNDING = 2.5e-5


def _to_mel(hertz: float) -> float:
    if hertz < _KNEE:
        return hertz / _LINEAR_STEP
    return _KNEE / _LINEAR_STEP + np.log(hertz / _KNEE) / _LOG_STEP


def mel_frequencies(n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Return frequencies that are equally far apart on the mel scale.

    Parameters
    ----------
    n_mels : int
        Number of frequencies.
    fmin, fmax : float
        The first and the last one, in Hz.

    Returns
    -------
    ndarray of shape (n_mels,), float64
        Frequencies in Hz.

    Examples
    --------
    >>> mel_frequencies(3, 0.0, 20.0)
    array([ 0., 10., 20.])
    """
    mels = np.linspace(_to_mel(fmin), _to_mel(fmax), n_mels)
    knee = _KNEE / _LINEAR_STEP
    logarithmic = _KNEE * np.exp(_LOG_STEP * (np.maximum(mels, knee) - knee))
    return np.where(mels < knee, mels * _LINEAR_STEP, logarithmic)


def mel_filterbank(
    sfreq: float, n_fft: int, n_mels: int = 128, fmin: float = 0.0, fmax: float = 20.0
) -> np.ndarray:
    """Compute triangular filters on the mel scale, of equal area.

    Parameters
    ----------
    sfreq : float
        Sampling frequency in Hz.
    n_fft : int
        Length of the transform.
    n_mels : int, default=128
        Number of filters.
    fmin, fmax : float, default=0.0 and 20.0
        Lower edge of the first and upper edge of the last filter, in Hz.

    Returns
    -------
    ndarray of shape (n_mels, n_fft // 2 + 1), float64
        Weights of the bins of a power spectrum.

    Warns
    -----
    UserWarning
        If a filter falls between two bins and is therefore zero.

    References
    ----------
    M. Slaney, Auditory Toolbox, 1998; the same filters as ``librosa.filters.mel``.

    Examples
    --------
    >>> bank = mel_filterbank(200.0, 1024)
    >>> bank.shape, int((bank > 0).sum(axis=1).max())
    ((128, 513), 2)
    """
    bins = np.arange(n_fft // 2 + 1) * (sfreq / n_fft)
    edges = mel_frequencies(n_mels + 2, fmin, fmax)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rise = (bins - low) / (centre - low)
    fall = (high - bins) / (high - centre)
    bank = np.maximum(0.0, np.minimum(rise, fall)) * (2.0 / (high - low))
    empty = np.flatnonzero(~bank.any(axis=1))
    if empty.size:
        warnings.warn(
            f"{empty.size} of {n_mels} mel filters lie between two bins of the "
            f"transform and give rows without content (first: {empty[0]}). Use fewer "
            f"n_mels, a larger n_fft than {n_fft} or a wider range than "
            f"{fmin:g}-{fmax:g} Hz.",
            UserWarning,
            stacklevel=2,
        )
    return bank


@lru_cache(maxsize=16)
def _constants(
    sfreq: float,
    n_fft: int,
    win_length: int,
    window: str,
    n_mels: int,
    fmin: float,
    fmax: float,
    dtype: str,
) -> tuple[TruncatedDFT, csr_matrix]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # said by mel_filterbank
        bank = mel_filterbank(sfreq, n_fft, n_mels, fmin, fmax)
    used = np.flatnonzero(bank.any(axis=0))
    bins = np.arange(used[0], used[-1] + 1) if used.size else np.arange(1)
    dft = TruncatedDFT.make(window, win_length, n_fft, bins)
    return dft, csr_matrix(bank[:, bins].astype(dtype))


class _MelPower:
    """Mel power of one signal at a time."""

    def __init__(
        self,
        n_times: int,
        dtype: np.dtype,
        *,
        sfreq: float,
        n_fft: int,
        win_length: int,
        hop_length: int,
        window: str,
        n_mels: int,
        fmin: float,
        fmax: float,
    ) -> None:
        dft, self._bank = _constants(
            float(sfreq),
            int(n_fft),
            int(win_length),
            window,
            int(n_mels),
            float(fmin),
            float(fmax),
            np.dtype(dtype).name,
        )
        self._frames = dft.plan(n_times, hop_length, np.dtype(dtype))
        # Amplitude, in the loudest cell, of a sine of amplitude one.
        self.gain = float(dft.window.sum() / 2 * np.sqrt(self._bank.max()))

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        # Below 20 Hz a filter touches two bins at most: sparse beats dense 7 times.
        return self._bank @ self._frames(signal)


@one_blas_thread()
def mel_spectrogram(
    X: np.ndarray,
    *,
    sfreq: float = 200.0,
    n_fft: int = 1024,
    win_length: int = 128,
    hop_length: int = 39,
    window: str = "hann",
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float = 20.0,
) -> np.ndarray:
    """Compute the power in mel bands over time.

    Parameters
    ----------
    X : ndarray of shape (n_windows, n_channels, n_times)
        Signals, float32 or float64.
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    n_fft : int, default=1024
        Length of the transform.
    win_length : int, default=128
        Length of the window, at most `n_fft`.
    hop_length : int, default=39
        Samples from frame to frame.
    window : str, default="hann"
        Name of a symmetric window of :func:`scipy.signal.get_window`.
    n_mels : int, default=128
        Number of bands.
    fmin, fmax : float, default=0.0 and 20.0
        Range of the bands in Hz.

    Returns
    -------
    ndarray of shape (n_windows, n_channels, n_mels, n_frames)
        Power, of the dtype of `X`; frequency from low to high. ``n_frames`` is
        ``1 + n_times // hop_length`` for an even `n_fft`.

    Notes
    -----
    The definition is that of ``librosa.feature.melspectrogram`` with ``center=True``
    and padding by zeros. Computed in float64, whatever the dtype of `X`.

    Examples
    --------
    >>> mel_spectrogram(np.ones((2, 3, 1000))).shape
    (2, 3, 128, 26)
    """
    power = _MelPower(
        X.shape[-1],
        np.dtype(np.float64),
        sfreq=sfreq,
        n_fft=n_fft,
        win_length=win_length,
        hop_length=hop_length,
        window=window,
        n_mels=n_mels,
        fmin=fmin,
        fmax=fmax,
    )
    width = n_frames(X.shape[-1], n_fft, hop_length)
    out = np.empty((*X.shape[:-1], n_mels, width), dtype=X.dtype)
    for where in np.ndindex(X.shape[:-1]):
        out[where] = power(X[where])
    return out


@one_blas_thread()
def mel_decibels(
    X: np.ndarray,
    *,
    width: int | None = None,
    ref: str | float = "max",
    amin: float = 1e-10,
    top_db: float | None = 80.0,
    offset: float = 0.0,
    scale: float = 1.0,
    sfreq: float = 200.0,
    n_fft: int = 1024,
    win_length: int = 128,
    hop_length: int = 39,
    window: str = "hann",
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float = 20.0,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Compute mel spectrograms in decibel, one image for each channel.

    Parameters
    ----------
    X : ndarray of shape (n_windows, n_channels, n_times)
        Signals, float32 or float64.
    width : int, optional
        Number of frames to keep, from the first. The reference and the floor of the
        decibels are taken from all frames.
    ref, amin, top_db, offset, scale : optional
        As in :func:`hmsklearn.signal.power_to_db`.
    sfreq, n_fft, win_length, hop_length, window, n_mels, fmin, fmax : optional
        As in :func:`mel_spectrogram`.
    out : ndarray of shape (n_windows, n_channels, n_mels, width), optional
        Where to write.

    Returns
    -------
    ndarray of shape (n_windows, n_channels, n_mels, width)
        `out`, or a new array of the dtype of `X`; frequency from low to high.

    Notes
    -----
    float32 signals are transformed in float32, and a channel again in float64 where
    the first rounding would show above the floor: where much of its energy lies
    outside the bands (unfiltered mains), or where the floor is further down than 80 dB.
    One channel's image stays in the cache from the frames to the decibels.

    Examples
    --------
    >>> images = mel_decibels(np.zeros((1, 2, 10_000), dtype="float32"), width=256)
    >>> images.shape, float(images.min()), float(images.max())
    ((1, 2, 128, 256), 0.0, 0.0)
    """
    make = partial(
        _MelPower,
        X.shape[-1],
        sfreq=sfreq,
        n_fft=n_fft,
        win_length=win_length,
        hop_length=hop_length,
        window=window,
        n_mels=n_mels,
        fmin=fmin,
        fmax=fmax,
    )
    single = make(dtype=X.dtype)
    double = single if X.dtype == np.float64 else None
    frames = n_frames(X.shape[-1], n_fft, hop_length)
    width = frames if width is None else width
    if out is None:
        out = np.empty((*X.shape[:-1], n_mels, width), dtype=X.dtype)
    for where in np.ndindex(X.shape[:-1]):
        signal = X[where]
        image = single(signal)
        if single is not double:
            largest = max(float(signal.max()), -float(signal.min()))
            floor = db_floor(float(image.max()), amin=amin, top_db=top_db)
            if _ROUNDING * single.gain * largest > math.sqrt(floor):
                double = make(dtype=np.dtype(np.float64)) if double is None else double
                image = double(signal)
        power_to_db(
            image,
            ref=ref,
            amin=amin,
            top_db=top_db,
            offset=offset,
            scale=scale,
            out=image,
        )
        out[where] = image[:, :width]
    return out
