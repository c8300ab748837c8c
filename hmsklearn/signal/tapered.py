"""Tapered Fourier transforms of overlapping windows, the faster way of two.

Where many bins are wanted, the fast Fourier transform is hard to beat. For the fifth
of them that lies below 20 Hz, :mod:`hmsklearn.signal.tapered_blocks` is faster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.fft import next_fast_len, rfft

from hmsklearn.signal.arrays import Array, Constant, is_tensor, namespace
from hmsklearn.signal.slepian import detrended_frames, trend_rows
from hmsklearn.signal.tapered_blocks import BlockTransform

__all__ = ["FastTransform", "tapered_transform"]

# What the functions of a block leave out of the matrix, relative to its largest
# singular value. It has to stay below the rounding of the type where a tone is eight
# orders of magnitude louder; 1e-6 would save three functions of sixty.
_TOLERANCE = {"float32": 1e-8, "float64": 1e-13}
# A fast Fourier transform of n samples takes as long as this times n log2(n)
# multiplications in a matrix product (measured: 4 to 9).
_FFT_COST = 6.5
# Matrices with more numbers are not made, whatever they would save.
_LARGEST = 2**24
# Blocks of fewer samples save nothing.
_SHORTEST = 8


@dataclass(frozen=True, eq=False)
class FastTransform:
    """Tapered transforms by FFT, for many bins.

    Attributes
    ----------
    tapers : Constant of shape (n_tapers, length)
        Tapers.
    scale : Constant of shape (n_bins,)
        Factor of every bin.
    trend : Constant of shape (n, length)
        What is removed from every window, see
        :func:`hmsklearn.signal.slepian.trend_rows`.
    step : int
        Samples from window to window.
    n_fft : int
        Length of the transform.
    bins : tuple of int
        First bin and the one after the last.

    Notes
    -----
    Arrays are transformed in float64: in float32 quiet bins beside loud ones would be
    wrong by several times 1e-4.

    Examples
    --------
    >>> constants = np.ones((1, 8)), np.ones(5), np.zeros((0, 8))
    >>> transform = FastTransform(*map(Constant, constants), 8, 8, (0, 5))
    >>> real, imaginary = transform(np.ones(16))
    >>> real[0, :, 0].round(2).tolist()
    [8.0, 0.0, 0.0, 0.0, 0.0]
    """

    tapers: Constant
    scale: Constant
    trend: Constant
    step: int
    n_fft: int
    bins: tuple[int, int]

    def __call__(self, X: Array) -> tuple[Array, Array]:
        """Transform the windows of signals.

        Parameters
        ----------
        X : ndarray or Tensor of shape (..., n_times)
            Signals.

        Returns
        -------
        real, imaginary : ndarray or Tensor of shape (n_tapers, n_bins, ..., n_frames)
            The spectra.
        """
        signals = X if is_tensor(X) else np.asarray(X, dtype=np.float64)
        frames = detrended_frames(signals, self.step, self.trend)
        transform = torch.fft.rfft if is_tensor(X) else rfft
        scale, bins = self.scale.like(signals), slice(*self.bins)
        xp = namespace(X)
        spectra = [
            xp.moveaxis(transform(frames * taper, self.n_fft)[..., bins] * scale, -1, 0)
            for taper in self.tapers.like(signals)
        ]
        real = xp.stack([spectrum.real for spectrum in spectra])
        imaginary = xp.stack([spectrum.imag for spectrum in spectra])
        if is_tensor(X):
            return real, imaginary
        return real.astype(X.dtype, copy=False), imaginary.astype(X.dtype, copy=False)


def _n_functions(block: int, highest: float, tolerance: float) -> float:
    """About how many functions describe a block up to a frequency, per sample."""
    return min(block, 2 * highest * block - np.log10(tolerance) + 1)


def _best_block(
    length: int, step: int, n_rows: int, highest: float, tolerance: float
) -> tuple[int, float]:
    """Find the block with the fewest multiplications, and count them."""
    costs = {}
    for block in range(1, length + 1):
        if length % block or (block < _SHORTEST and block != length):
            continue
        n = _n_functions(block, highest, tolerance)
        blocks = length // block
        products = min(step // math.gcd(step, block), blocks) * block
        costs[block] = products * n + blocks * n * n_rows / 2
    block = min(costs, key=lambda block: costs[block])
    return block, costs[block]


def tapered_transform(
    tapers: np.ndarray,
    step: int,
    n_fft: int,
    bins: tuple[int, int],
    *,
    half_bandwidth: float = 0.0,
    symmetric: bool = True,
    detrend: str | None = "linear",
    scale: np.ndarray | None = None,
    precision: str = "float64",
) -> BlockTransform | FastTransform:
    """Choose and build the transform of the windows of signals.

    Parameters
    ----------
    tapers : ndarray of shape (n_tapers, length), float64
        Tapers.
    step : int
        Samples from window to window.
    n_fft : int
        Length of the Fourier transform, at least `length`.
    bins : tuple of int
        First bin and the one after the last.
    half_bandwidth : float, default=0.0
        Of the tapers, per sample.
    symmetric : bool, default=True
        Whether the tapers are even, odd, even, ... about the middle.
    detrend : {"linear", "constant", None}, default="linear"
        What is removed from every window.
    scale : ndarray of shape (n_bins,), optional
        Factors of the bins.
    precision : {"float64", "float32"}, default="float64"
        How exact the transform has to be.

    Returns
    -------
    BlockTransform or FastTransform
        A callable that takes signals and returns two arrays of shape ``(n_tapers,
        n_bins, ..., n_frames)``, of which the sum of squares is the power.

    Examples
    --------
    >>> from hmsklearn.signal.slepian import slepian_tapers
    >>> tapers, _ = slepian_tapers(800, 5.0, 9)
    >>> transform = tapered_transform(tapers, 100, 1024, (3, 103))
    >>> one, other = transform(np.zeros((2, 10_000)))
    >>> one.shape
    (9, 100, 2, 93)
    """
    n_tapers, length = tapers.shape
    n_bins = bins[1] - bins[0]
    scale = np.ones(n_bins) if scale is None else np.asarray(scale, dtype=np.float64)
    trend = trend_rows(length, detrend)
    tolerance = _TOLERANCE[precision]
    highest = bins[1] / n_fft + half_bandwidth
    n_rows = 2 * n_tapers * n_bins * (1 if symmetric else 2)
    block, cost = _best_block(length, step, n_rows, highest, tolerance)
    fast = _FFT_COST * n_tapers * n_fft * np.log2(n_fft)
    if next_fast_len(n_fft, real=True) != n_fft:
        fast *= 4  # a large prime factor
    if cost > fast or length * n_rows > _LARGEST:
        constants = Constant(tapers), Constant(scale), Constant(trend)
        return FastTransform(*constants, step, n_fft, bins)
    time = np.arange(length) - (length - 1) / 2
    angle = 2 * np.pi * np.outer(np.arange(*bins) / n_fft, time)
    waves = np.stack([np.cos(angle), np.sin(angle)]) * scale[:, None]
    # (2, n_tapers, n_bins, length)
    matrices = waves[:, None] * tapers[:, None]
    matrices -= (matrices @ trend.T) @ trend
    return BlockTransform.make(
        matrices,
        symmetric=symmetric,
        block=block,
        step=step,
        detrended=detrend is not None,
        tolerance=tolerance,
    )
