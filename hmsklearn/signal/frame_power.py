"""Power of the frames of signals: arrays in reused memory, tensors in one piece."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.fft import rfft

from hmsklearn.signal.dft import FrameTransform
from hmsklearn.signal.frames import FrameLayout

__all__ = ["FramePower", "tensor_power"]

# Frames of a signal at a time, and bytes for the signals that are transformed together.
# Threads wait for each other at every call of NumPy. Few calls with much work each make
# two threads 1.7 times as fast as one; signal by signal they were 1.2 times as fast.
_BLOCK = 512
_FFT_BLOCK = 128
_BATCH_BYTES = 3_200_000


class FramePower:
    """Power of the frames of a few signals at a time, in memory that is used again.

    Parameters
    ----------
    transform : FrameTransform
        What is done to a frame.
    layout : FrameLayout
        Where the frames lie.
    dtype : dtype
        What is computed in, float32 or float64.
    most : int, default=1
        Signals that there will be at most.
    n_rows : int, default=0
        Rows that the caller makes of the bins, which take memory as well.

    Attributes
    ----------
    n_signals : int
        Signals to give at most: `most`, or fewer where they are long.

    Notes
    -----
    Each signal has its own matrix products: what comes out does not depend on which
    others are given with it, nor on how they lie in memory.

    A mean that is large next to what varies is taken out of the signal before, and its
    part of the transform, which is known exactly, is added afterwards: an offset costs
    no precision.

    Examples
    --------
    >>> transform = FrameTransform.make("hann", 128, n_fft=1024, bins=(1, 103))
    >>> layout = FrameLayout.make(10_000, length=128, n_fft=1024, hop_length=39)
    >>> power = FramePower(transform, layout, np.dtype("float32"), most=2)
    >>> power(np.ones((2, 10_000), dtype="float32")).shape
    (102, 2, 257)
    """

    def __init__(
        self,
        transform: FrameTransform,
        layout: FrameLayout,
        dtype: np.dtype,
        most: int = 1,
        n_rows: int = 0,
    ) -> None:
        self._layout, self._dtype = layout, np.dtype(dtype)
        self._detrended = len(transform.trend) > 0
        size = _FFT_BLOCK if transform.by_fft else _BLOCK
        starts = range(0, layout.count, size)
        self._blocks = [slice(i, min(i + size, layout.count)) for i in starts]
        n_bins = self._n_bins = len(transform.omega)
        size = min(size, layout.count)
        make: Any = _FFTStep if transform.by_fft else _ProductStep
        self._step = make(transform, size, self._dtype)
        # The frames are done with when the power of the last block is written.
        n_rows += 0 if len(self._blocks) == 1 else n_bins
        n_frames = max(self._step.n_frames, n_bins * layout.count)
        numbers = n_frames + self._step.n_others + n_rows * layout.count
        self.n_signals = _BATCH_BYTES // (numbers * self._dtype.itemsize)
        self.n_signals = max(1, min(self.n_signals, most))
        shape = (self.n_signals, layout.stop - layout.first)
        self._buffer = np.zeros(shape, dtype=self._dtype)
        self._memory = np.empty(self.n_signals * n_frames, self._dtype)
        self._power = self._memory
        if len(self._blocks) > 1:
            self._power = np.empty(self.n_signals * n_bins * layout.count, self._dtype)
        self._step.allocate(self.n_signals)

    def __call__(self, signals: np.ndarray) -> np.ndarray:
        """Compute the power of signals.

        Parameters
        ----------
        signals : ndarray of shape (n, n_times)
            As many signals as ``n_signals``, or fewer.

        Returns
        -------
        ndarray of shape (n_bins, n, n_frames)
            Squared magnitude, contiguous. The next call writes over it.
        """
        n, layout = len(signals), self._layout
        # The last bits of a mean depend on how the numbers lie in memory.
        signals = np.ascontiguousarray(signals, dtype=self._dtype)
        means = self._means(signals)
        self._filled = buffer = self._buffer[:n]
        buffer.fill(0)
        layout.fill(signals, buffer)
        for i in np.flatnonzero(means):
            buffer[i] -= means[i]
        if self._detrended:
            # What is taken out of every frame anyway need not be added again.
            means[:] = 0
        # BLAS takes no overlapping rows, and copying them here is faster than there.
        frames = layout.frames(buffer)
        power = _room(self._power, self._n_bins, n, layout.count)
        for block in self._blocks:
            rows = _room(self._memory, *frames[:, block].shape)
            np.copyto(rows, frames[:, block])
            self._step(rows, means, power[..., block])
        return power

    def norms(self) -> np.ndarray:
        """Return how large the frames of the last signals are: rounding goes with it.

        Returns
        -------
        ndarray of shape (n,), float64
            Root of the largest sum of squares in as many samples as a frame has, of
            what was transformed: without a large mean.
        """
        length, buffer = self._layout.length, self._filled
        whole = buffer.shape[1] // length * length
        blocks = buffer[:, :whole].reshape(len(buffer), -1, length)
        largest = np.einsum("nij,nij->ni", blocks, blocks).max(axis=1, initial=0)
        rest = buffer[:, whole:]
        largest = np.maximum(largest, np.einsum("nj,nj->n", rest, rest))
        return np.sqrt(largest.astype(np.float64))

    def _means(self, signals: np.ndarray) -> np.ndarray:
        """Return what to take out before: the means, or 0 where it makes no odds."""
        means = signals.mean(axis=-1)
        if not self._detrended:
            for i, signal in enumerate(signals):
                # What varies is more than a third of it, maybe a step: as it was, its
                # quiet part is small.
                energy = float(np.dot(signal, signal))
                if not len(signal) * float(means[i]) ** 2 > 0.9 * energy:
                    means[i] = 0
        return means


def _room(memory: np.ndarray, *shape: int) -> np.ndarray:
    """Take an array from the beginning of a piece of memory."""
    return memory[: math.prod(shape)].reshape(shape)


class _ProductStep:
    """Frames times matrices."""

    def __init__(self, transform: FrameTransform, size: int, dtype: np.dtype) -> None:
        like = np.empty(0, dtype=dtype)
        factors = transform.factors(dtype.name)
        basis = factors.basis.like(like)
        self._rank = basis.shape[1]
        self._basis = basis.reshape(-1, basis.shape[-1])
        self._weights: np.ndarray | None = None
        if factors.weights is not None:
            self._weights = factors.weights.like(like)
        self._n_bins = len(transform.omega)
        self._of_one = transform.of_one.like(like)
        self._dtype = dtype
        self.n_frames = size * basis.shape[-1]
        self._sizes = [size * 2 * self._n_bins, 0]
        if self._weights is not None:
            self._sizes[1] = size * 2 * self._rank
        self.n_others = sum(self._sizes)

    def allocate(self, n_signals: int) -> None:
        self._memory = [np.empty(n_signals * n, self._dtype) for n in self._sizes]

    def __call__(self, rows: np.ndarray, means: np.ndarray, out: np.ndarray) -> None:
        n, size, _ = rows.shape
        parts, nodes = self._memory
        parts = _room(parts, n, 2, self._n_bins, size)
        nodes = parts if self._weights is None else _room(nodes, n, 2, self._rank, size)
        product = nodes.reshape(n, -1, size)
        np.matmul(self._basis, rows.swapaxes(1, 2), out=product)
        if self._weights is not None:
            np.matmul(self._weights, nodes, out=parts)
        for i in np.flatnonzero(means):
            parts[i] += means[i] * self._of_one
        np.square(parts, out=parts)
        np.add(parts[:, 0], parts[:, 1], out=out.swapaxes(0, 1))


class _FFTStep:
    """Frames through an FFT."""

    def __init__(self, transform: FrameTransform, size: int, dtype: np.dtype) -> None:
        self._n_fft = transform.n_fft
        self._bins = transform.bins
        self._window = transform.window.astype(dtype)
        self._trend = transform.trend.astype(dtype)
        # What is taken out of a frame can be taken out of its transform instead, which
        # is less work where few bins are kept. The mean of all frames is out already;
        # a slope is not, and costs seven times the precision that way.
        waves = rfft(transform.trend * transform.window, self._n_fft)[:, self._bins]
        self._waves = waves.astype(np.result_type(dtype, np.complex64))
        few = 4 * waves.shape[1] <= self._n_fft and len(self._trend) == 1
        self._early = len(self._trend) > 0 and not few
        self._late = len(self._trend) > 0 and not self._early
        of_one = rfft(transform.window, self._n_fft)[self._bins]
        self._of_one = of_one.astype(self._waves.dtype)
        self._gain = transform.gain.astype(dtype)[:, None, None]
        self._dtype = dtype
        self.n_frames = size * len(self._window)
        self._size = size * 2 * len(self._gain)
        # The FFT takes memory of its own.
        self.n_others = self._size + size * (self._n_fft + 2)

    def allocate(self, n_signals: int) -> None:
        self._memory = np.empty(n_signals * self._size, self._dtype)

    def __call__(self, rows: np.ndarray, means: np.ndarray, out: np.ndarray) -> None:
        real, imaginary = _room(self._memory, 2, *rows.shape[:2], len(out))
        trend = rows @ self._trend.T
        if self._early:
            rows -= trend @ self._trend
        rows *= self._window
        spectrum = rfft(rows, self._n_fft, axis=-1)[..., self._bins]
        if self._late:
            spectrum -= trend @ self._waves
        for i in np.flatnonzero(means):
            spectrum[i] += means[i] * self._of_one
        np.square(spectrum.real, out=real)
        np.square(spectrum.imag, out=imaginary)
        real += imaginary
        np.multiply(np.moveaxis(real, -1, 0), self._gain, out=out)


def tensor_power(
    transform: FrameTransform, layout: FrameLayout, X: torch.Tensor
) -> torch.Tensor:
    """Compute the power of the frames of tensors.

    Parameters
    ----------
    transform : FrameTransform
        What is done to a frame.
    layout : FrameLayout
        Where the frames lie.
    X : Tensor of shape (..., n_times)
        Signals.

    Returns
    -------
    Tensor of shape (..., n_bins, n_frames)
        Power.

    Notes
    -----
    The mean of a signal is taken out before and its part of the transform, which is
    known exactly, is added afterwards: an offset costs no precision, and nothing has to
    look at the values to decide so, which would make a GPU wait.

    Examples
    --------
    >>> transform = FrameTransform.make("hann", 128, n_fft=1024, bins=(1, 103))
    >>> layout = FrameLayout.make(10_000, length=128, n_fft=1024, hop_length=39)
    >>> tensor_power(transform, layout, torch.ones(2, 10_000)).shape
    torch.Size([2, 102, 257])
    """
    # Half precision would not do, not even where a network runs in it.
    with torch.autocast(X.device.type, enabled=False):
        mean = X.mean(-1, keepdim=True)
        length, hop_length = len(transform.window), layout.hop_length
        frames = (layout.continued(X) - mean).unfold(-1, length, hop_length)
        parts = (_fft_parts if transform.by_fft else _product_parts)(transform, frames)
        parts = parts + mean[..., None, None] * transform.of_one.like(X)
        return parts.square().sum(-3)


def _product_parts(transform: FrameTransform, frames: torch.Tensor) -> torch.Tensor:
    factors = transform.factors(str(frames.dtype).removeprefix("torch."))
    basis = factors.basis.like(frames)
    parts = (frames @ basis.flatten(0, 1).T).transpose(-1, -2).unflatten(-2, (2, -1))
    return parts if factors.weights is None else factors.weights.like(frames) @ parts


def _fft_parts(transform: FrameTransform, frames: torch.Tensor) -> torch.Tensor:
    window, trend, root = (constant.like(frames) for constant in transform.constants)
    if len(trend):
        frames = frames - (frames @ trend.T) @ trend
    spectrum = torch.fft.rfft(frames * window, transform.n_fft)[..., transform.bins]
    return torch.view_as_real(spectrum).transpose(-3, -1) * root
