"""MelSpectrogramizer: the image that most published solutions start from."""

from __future__ import annotations

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_integer, check_real
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.dft import TruncatedDFT, n_frames
from hmsklearn.signal.mel import mel_decibels, mel_filterbank

__all__ = ["MelSpectrogramizer"]

_COLUMNS = 256


class MelSpectrogramizer(BaseSignalTransformer):
    """Mel spectrograms in decibel, one image for each channel.

    The defaults turn 50 s at 200 Hz into images of 128 x 256.

    Parameters
    ----------
    sfreq : float, default=200.0
        Sampling frequency of the data in Hz.
    n_fft : int, default=1024
        Length of the Fourier transform in samples.
    win_length : int, default=128
        Length of the window in samples, at most `n_fft`; the rest of a frame is zeros.
    hop_length : int, default=None
        Samples from column to column. None takes ``n_times // 256`` of the windows
        seen in ``fit``, 39 for 10,000 samples.
    n_mels : int, default=128
        Number of bands, the image's height.
    fmin, fmax : float, default=0.0 and 20.0
        Range of the bands in Hz.
    window : str, default="hann"
        Name of a symmetric window of :func:`scipy.signal.get_window`.
    ref : "max" or float, default="max"
        Power that is 0 dB: each image's own maximum, or a fixed one in the square of
        the unit of the data.
    amin : float, default=1e-10
        Power below this counts as this.
    top_db : float or None, default=80.0
        Cells further below their image's maximum are raised to that distance; None
        leaves them.
    offset, scale : float, default=40.0 and 40.0
        The output is ``(decibel + offset) / scale``: from -1 to 1 by default. For
        plain decibel give 0 and 1.
    width_multiple : int, default=32
        The width is cut down to a multiple of this (257 columns to 256), at the end of
        the window. 1 keeps every column.

    Attributes
    ----------
    hop_length_ : int
        Samples from column to column.
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable, the windows are too short for one
        multiple of columns, or `X` contains NaN.

    Warns
    -----
    UserWarning
        In ``fit``: if a band lies between two bins of the transform, so that its row
        has no content.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in, ``(n_windows, n_channels, n_mels, width)``
    out, same dtype; frequency from low to high on height, time on width. Channels
    become planes and keep their names. The numbers are those of
    ``librosa.feature.melspectrogram`` followed by ``librosa.power_to_db``, within
    0.005 dB for float32. A silent channel is 0 dB throughout, as in librosa. NaN is an
    error: put :class:`hmsklearn.preprocessing.NaNImputer` before.

    Transform every derivation and average the images of a chain then
    (:class:`hmsklearn.imaging.ChainMean`), not the other way round.

    References
    ----------
    C. Deotte's public notebook for HMS ("magic formula", discussion 469760), reused by
    the 4th, 5th and 16th places among others.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.spectrogram import MelSpectrogramizer
    >>> t = np.arange(10_000) / 200
    >>> X = np.sin(2 * np.pi * 10 * t, dtype="float32")[None, None]
    >>> image = MelSpectrogramizer().fit_transform(X)
    >>> image.shape, int(image[0, 0, :, 100].argmax())  # 10 Hz is half way up
    ((1, 1, 128, 256), 62)
    """

    def __init__(
        self,
        *,
        sfreq: float = 200.0,
        n_fft: int = 1024,
        win_length: int = 128,
        hop_length: int | None = None,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float = 20.0,
        window: str = "hann",
        ref: str | float = "max",
        amin: float = 1e-10,
        top_db: float | None = 80.0,
        offset: float = 40.0,
        scale: float = 40.0,
        width_multiple: int = 32,
    ) -> None:
        self.sfreq = sfreq
        self.n_fft = n_fft
        self.win_length = win_length
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.window = window
        self.ref = ref
        self.amin = amin
        self.top_db = top_db
        self.offset = offset
        self.scale = scale
        self.width_multiple = width_multiple

    def _fit(self, X: np.ndarray) -> None:
        self._check_bands()
        self._check_decibels()
        caller = type(self).__name__
        check_integer(self.width_multiple, "width_multiple", caller=caller, low=1)
        if self.hop_length is not None:
            hop = check_integer(self.hop_length, "hop_length", caller=caller, low=1)
        else:
            hop = X.shape[-1] // _COLUMNS
            if hop == 0:
                raise ValueError(
                    f"{caller}: X has {X.shape[-1]} samples in time (last axis), at "
                    f"least {_COLUMNS} are needed for {_COLUMNS} columns. Give longer "
                    "windows, or a hop_length."
                )
        self._width(X, hop)
        mel_filterbank(self.sfreq, self.n_fft, self.n_mels, self.fmin, self.fmax)
        self.hop_length_ = hop

    def _check_bands(self) -> None:
        caller = type(self).__name__
        sfreq = check_real(self.sfreq, "sfreq", caller=caller, low=0, low_open=True)
        check_integer(self.n_fft, "n_fft", caller=caller, low=2)
        check_integer(
            self.win_length, "win_length", caller=caller, low=2, high=self.n_fft
        )
        check_integer(self.n_mels, "n_mels", caller=caller, low=1)
        fmin = check_real(self.fmin, "fmin", caller=caller, low=0)
        fmax = check_real(self.fmax, "fmax", caller=caller, high=sfreq / 2)
        if fmin >= fmax:
            raise ValueError(
                f"{caller}: fmin={self.fmin} must be below fmax={self.fmax}. Swap them."
            )
        try:
            TruncatedDFT.make(self.window, self.win_length, self.n_fft, np.arange(1))
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"{caller}: window={self.window!r} is not the name of a symmetric "
                f"window of scipy.signal.get_window ({error}). Give one such as 'hann'."
            ) from None

    def _check_decibels(self) -> None:
        caller = type(self).__name__
        if self.ref != "max":
            check_real(
                self.ref,
                "ref",
                caller=caller,
                low=0,
                low_open=True,
                remedy="Or give 'max', each image's maximum.",
            )
        check_real(self.amin, "amin", caller=caller, low=1e-30)
        if self.top_db is not None:
            check_real(self.top_db, "top_db", caller=caller, low=0)
        check_real(self.offset, "offset", caller=caller)
        check_real(self.scale, "scale", caller=caller, low=0, low_open=True)

    def _width(self, X: np.ndarray, hop_length: int) -> int:
        columns = n_frames(X.shape[-1], self.n_fft, hop_length)
        width = columns // self.width_multiple * self.width_multiple
        if width == 0:
            raise ValueError(
                f"{type(self).__name__}: X has {X.shape[-1]} samples in time (last "
                f"axis), which give {columns} columns at hop_length={hop_length}, "
                f"fewer than width_multiple={self.width_multiple}. Give longer "
                "windows, or a smaller hop_length or width_multiple."
            )
        return width

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        return X.shape[1], self.n_mels, self._width(X, self.hop_length_)

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return mel_decibels(
            X,
            width=out.shape[-1],
            ref=self.ref,
            amin=self.amin,
            top_db=self.top_db,
            offset=self.offset,
            scale=self.scale,
            sfreq=self.sfreq,
            n_fft=self.n_fft,
            win_length=self.win_length,
            hop_length=self.hop_length_,
            window=self.window,
            n_mels=self.n_mels,
            fmin=self.fmin,
            fmax=self.fmax,
            out=out,
        )
