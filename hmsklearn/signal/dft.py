"""Short-time power in a few low bins, as two small matrix products.

A spectrogram of EEG up to 20 Hz needs a tenth of the bins of an FFT, and a frame of
1,024 samples under a window of 128 is zero elsewhere. What is left is small enough to
be a matrix product. Measured from the middle of the frame, cosines are even and sines
odd, as the window is: folding the frame there halves the work once more.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy.signal import get_window

__all__ = ["FramePower", "TruncatedDFT", "n_frames"]


def n_frames(n_times: int, n_fft: int, hop_length: int) -> int:
    """Count the frames of a centred short-time transform.

    Parameters
    ----------
    n_times : int
        Number of samples.
    n_fft : int
        Length of the transform; half of it is added in zeros at both ends.
    hop_length : int
        Samples from frame to frame.

    Returns
    -------
    int
        Number of frames; the first is centred at sample 0.

    Examples
    --------
    >>> n_frames(10_000, 1024, 39)
    257
    """
    return 1 + (n_times + 2 * (n_fft // 2) - n_fft) // hop_length


@dataclass(frozen=True)
class TruncatedDFT:
    """Discrete Fourier transform of windowed frames, in chosen bins only.

    Attributes
    ----------
    window : ndarray of shape (win_length,), float64
        Window, periodic and symmetric; zero-padded to `n_fft` on both sides.
    n_fft : int
        Length of the transform, at least `win_length`.
    bins : ndarray of int
        The bins, out of 0 .. n_fft // 2.
    cosines : ndarray of shape (n_bins, n_even), float64
        What the even part of the folded frames is multiplied by.
    sines : ndarray of shape (n_bins, n_odd), float64
        What the odd part is multiplied by.

    Examples
    --------
    >>> dft = TruncatedDFT.make("hann", 128, 1024, np.arange(1, 103))
    >>> dft.cosines.shape, dft.sines.shape
    ((102, 64), (102, 63))
    """

    window: np.ndarray
    n_fft: int
    bins: np.ndarray
    cosines: np.ndarray = field(repr=False)
    sines: np.ndarray = field(repr=False)

    @classmethod
    def make(
        cls, window: str, win_length: int, n_fft: int, bins: np.ndarray
    ) -> TruncatedDFT:
        """Compute the matrices.

        Parameters
        ----------
        window : str
            Name of a window that :func:`scipy.signal.get_window` knows.
        win_length : int
            Length of the window.
        n_fft : int
            Length of the transform.
        bins : ndarray of int
            The bins to compute.

        Returns
        -------
        TruncatedDFT
            The transform.

        Raises
        ------
        ValueError
            If the window is not symmetric.
        """
        weights = get_window(window, win_length, fftbins=True).astype(np.float64)
        if not np.allclose(weights[1:], weights[:0:-1], rtol=0, atol=1e-12):
            raise ValueError(
                f"TruncatedDFT: window {window!r} is not symmetric, give one that is, "
                "such as 'hann'."
            )
        # One row of the matrices for each: the samples right of the middle (folded
        # onto those left of it), the middle itself, the first sample, which has no
        # partner in a periodic window. A row of zeros is left out.
        right = np.arange(win_length - _n_pairs(win_length), win_length)
        middle = [win_length // 2] if win_length % 2 == 0 else []
        first = [0] if weights[0] != 0 and win_length > 1 else []
        even = np.concatenate([right, middle, first]).astype(int)
        odd = np.concatenate([right, first]).astype(int)
        omega = 2 * np.pi * np.asarray(bins)[:, None] / n_fft
        return cls(
            weights,
            n_fft,
            np.asarray(bins),
            np.cos(omega * (even - win_length / 2)) * weights[even],
            np.sin(omega * (odd - win_length / 2)) * weights[odd],
        )

    def plan(self, n_times: int, hop_length: int, dtype: np.dtype) -> FramePower:
        """Prepare the work memory for signals of one length.

        Parameters
        ----------
        n_times : int
            Number of samples.
        hop_length : int
            Samples from frame to frame.
        dtype : dtype
            What is computed in, float32 or float64.

        Returns
        -------
        FramePower
            A callable that turns one signal into the power of its frames.
        """
        return FramePower(self, n_times, hop_length, np.dtype(dtype))


def _n_pairs(win_length: int) -> int:
    return (win_length - 1) // 2


class FramePower:
    """Power of the frames of one signal at a time, in memory that is used again.

    Parameters
    ----------
    dft : TruncatedDFT
        The transform.
    n_times : int
        Number of samples of the signals.
    hop_length : int
        Samples from frame to frame.
    dtype : dtype
        Either float32 or float64.

    Notes
    -----
    Signals are continued by zeros and frames centred, as in ``librosa.stft``.

    Examples
    --------
    >>> dft = TruncatedDFT.make("hann", 128, 1024, np.arange(1, 103))
    >>> frames = dft.plan(10_000, 39, np.float32)
    >>> frames(np.ones(10_000, dtype="float32")).shape
    (102, 257)
    """

    def __init__(
        self, dft: TruncatedDFT, n_times: int, hop_length: int, dtype: np.dtype
    ) -> None:
        length = len(dft.window)
        pairs = _n_pairs(length)
        frames = n_frames(n_times, dft.n_fft, hop_length)
        # The window sits in the middle of the n_fft samples of a frame.
        before = dft.n_fft // 2 - (dft.n_fft - length) // 2
        size = max((frames - 1) * hop_length + length, before + n_times)
        self.n_frames = frames
        self._signal = np.zeros(size, dtype=dtype)
        self._middle = self._signal[before : before + n_times]
        # Left halves run backwards. Reading them forwards out of a reversed copy
        # keeps the additions vectorised.
        self._reversed = np.zeros(size, dtype=dtype)
        item = self._signal.itemsize
        step = hop_length * item
        self._right = as_strided(
            self._signal[length - pairs :], (frames, pairs), (step, item)
        )
        last = size - 1 - pairs  # position, in the reversed copy, of sample `pairs`
        self._left = as_strided(
            self._reversed[last - (frames - 1) * hop_length :],
            (frames, pairs),
            (step, item),
        )[::-1]
        self._singles = []
        if length % 2 == 0:
            self._singles.append(self._signal[length // 2 :: hop_length][:frames])
        n_even, n_odd = dft.cosines.shape[1], dft.sines.shape[1]
        self._first = self._signal[::hop_length][:frames] if n_odd > pairs else None
        self._pairs = pairs
        self._even = np.empty((frames, n_even), dtype=dtype)
        self._odd = np.empty((frames, n_odd), dtype=dtype)
        self._cosines = dft.cosines.astype(dtype)
        self._sines = dft.sines.astype(dtype)
        self._power = np.empty((len(dft.bins), frames), dtype=dtype)
        self._imaginary = np.empty_like(self._power)

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        """Compute the power of one signal.

        Parameters
        ----------
        signal : ndarray of shape (n_times,)
            The signal.

        Returns
        -------
        ndarray of shape (n_bins, n_frames)
            Squared magnitude. The next call writes over it.
        """
        self._middle[...] = signal
        self._reversed[...] = self._signal[::-1]
        even, odd, pairs = self._even, self._odd, self._pairs
        np.add(self._right, self._left, out=even[:, :pairs])
        np.subtract(self._right, self._left, out=odd[:, :pairs])
        column = pairs
        for single in self._singles:
            even[:, column] = single
            column += 1
        if self._first is not None:
            even[:, column] = self._first
            odd[:, pairs] = self._first
        power, imaginary = self._power, self._imaginary
        np.matmul(self._cosines, even.T, out=power)
        np.matmul(self._sines, odd.T, out=imaginary)
        np.square(power, out=power)
        np.square(imaginary, out=imaginary)
        power += imaginary
        return power
