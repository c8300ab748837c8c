"""From signals to images: the loop that mel and STFT spectrograms share.

One channel's image stays in the cache from the frames to the last line of the recipe
and is written once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.sparse import csr_matrix

from hmsklearn.signal.arrays import Array, Constant, is_tensor, refuse_out
from hmsklearn.signal.blas import one_blas_thread
from hmsklearn.signal.decibel import db_floor
from hmsklearn.signal.derivations import group_means
from hmsklearn.signal.dft import FrameTransform
from hmsklearn.signal.frame_power import FramePower, tensor_power
from hmsklearn.signal.frames import FrameLayout
from hmsklearn.signal.levels import Levels

__all__ = ["Bank", "ShortTimeImages"]

# Rounding in float32 goes with the root of the sum of squares in the largest frame
# (under a window of 128 samples; it grows slowly with their number). Where this share
# of it reaches the floor of the decibels, quiet cells may be wrong by more than 0.005
# dB: mains, artefacts and square waves many times the size of what lies in the bands,
# or a floor far down. Such a channel is transformed in float64. Square waves need 3e-4,
# or 5e-4 under 1,024 samples; EEG would be transformed twice from 6e-4.
_ROUNDING = 5e-4
_ROUNDING_LENGTH = 128


class Bank:
    """Filters that add up bins to bands, most of whose weights are zero.

    Parameters
    ----------
    weights : ndarray of shape (n_bands, n_bins)
        The filters.

    Examples
    --------
    >>> bank = Bank(np.eye(3)[:2])
    >>> bank.of_array(np.dtype("float32")) @ np.ones((3, 4), dtype="float32")
    array([[1., 1., 1., 1.],
           [1., 1., 1., 1.]], dtype=float32)
    """

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = Constant(weights)
        self.largest = float(weights.max(initial=0.0))
        self._sparse: dict[str, csr_matrix] = {}

    def of_array(self, dtype: np.dtype) -> csr_matrix:
        """Return the filters as a sparse matrix: 7 times faster than a dense one.

        Parameters
        ----------
        dtype : dtype
            Type of the weights.

        Returns
        -------
        csr_matrix
            The filters.
        """
        if dtype.name not in self._sparse:
            self._sparse[dtype.name] = csr_matrix(self.weights.value.astype(dtype))
        return self._sparse[dtype.name]


@dataclass(frozen=True, eq=False)
class ShortTimeImages:
    """From signals to images, one for each channel or for each group of channels.

    Attributes
    ----------
    transform : FrameTransform
        What is done to a frame.
    layout : FrameLayout
        Where the frames lie.
    bank : Bank, optional
        What adds up the bins.
    levels : Levels, optional
        What the power is turned into; power stays power without.
    width : int, optional
        Number of frames to keep, from the first; all of them by default.
    exact : bool
        Whether arrays of float32 are transformed in float64. Decibels decide it channel
        by channel.
    groups : sequence of sequences of int, optional
        Channels whose images are averaged.
    caller : str
        Name that starts the error messages.

    Examples
    --------
    >>> transform = FrameTransform.make("hann", 128, n_fft=1024, bins=(1, 103))
    >>> layout = FrameLayout.make(10_000, length=128, n_fft=1024, hop_length=39)
    >>> images = ShortTimeImages(transform, layout, levels=Levels(), width=256)
    >>> images(np.ones((2, 3, 10_000))).shape
    (2, 3, 102, 256)
    """

    transform: FrameTransform
    layout: FrameLayout
    bank: Bank | None = None
    levels: Levels | None = None
    width: int | None = None
    exact: bool = False
    groups: Sequence[Sequence[int]] | None = None
    caller: str = "ShortTimeImages"

    def __call__(self, X: Array, out: np.ndarray | None = None) -> Array:
        """Compute the images.

        Parameters
        ----------
        X : ndarray or Tensor of shape (n_windows, n_channels, n_times)
            Signals.
        out : ndarray, optional
            Where to write. For arrays only.

        Returns
        -------
        ndarray or Tensor of shape (n_windows, n_channels or n_groups, height, width)
            `out`, or new images of the kind and type of `X`.
        """
        refuse_out(X, out, self.caller)
        if is_tensor(X):
            return self._of_tensor(X)
        if out is None:
            n_planes = X.shape[1] if self.groups is None else len(self.groups)
            out = np.empty((len(X), n_planes, *self._size()), dtype=X.dtype)
        with one_blas_thread():
            self._of_array(X, out)
        return out

    def _size(self) -> tuple[int, int]:
        rows = self.transform.omega if self.bank is None else self.bank.weights.value
        return len(rows), self.layout.count if self.width is None else self.width

    def _of_tensor(self, X: torch.Tensor) -> torch.Tensor:
        images = tensor_power(self.transform, self.layout, X)
        if self.bank is not None:
            with torch.autocast(X.device.type, enabled=False):
                images = self.bank.weights.like(X) @ images
        width = self._size()[1]
        if self.levels is None:
            images = images[..., :width]
        else:
            loudest = self.levels.maxima(images) if self.levels.is_db else None
            images = self.levels.of_tensor(images[..., :width], loudest)
        return images if self.groups is None else group_means(images, self.groups)

    def _of_array(self, X: np.ndarray, out: np.ndarray) -> None:
        groups = self.groups
        shared = self.levels is not None and self.levels.is_shared
        if groups is None or shared:
            work = _Work(self, X.dtype, range(X.shape[1]))
        else:
            work = _Work(self, X.dtype, sorted(set().union(*groups)), n_copies=2)
        if groups is None:
            for window, planes in zip(X, out, strict=True):
                work.write(window, planes)
        elif shared:
            # The maximum of a window is known when all its images have been made.
            planes = np.empty((X.shape[1], *self._size()), dtype=X.dtype)
            for window, means in zip(X, out, strict=True):
                work.write(window, planes)
                group_means(planes[None], groups, out=means[None])
        else:
            for window, means in zip(X, out, strict=True):
                work.write_means(window, groups, means)


class _Work:
    """The memory of one call, and what is done in it to one window."""

    def __init__(
        self,
        images: ShortTimeImages,
        dtype: np.dtype,
        channels: Sequence[int],
        n_copies: int = 1,
    ) -> None:
        self._images = images
        self._levels = levels = images.levels
        # Decibels in float32 are checked and, where need be, computed again.
        self._checked = levels is not None and levels.is_db and dtype == np.float32
        if self._checked and images.transform.by_fft:
            # An FFT spreads the rounding of a sine over all bins: nearly every signal
            # would be transformed again.
            self._checked, exact = False, True
        else:
            exact = images.exact and not self._checked
        single = np.dtype(np.float64) if exact else dtype
        self._power = self._make(single, len(channels), n_copies)
        self._double: FramePower | None = None
        weight = 1.0 if images.bank is None else math.sqrt(images.bank.largest)
        longer = len(images.transform.window) / _ROUNDING_LENGTH
        self._rounding = _ROUNDING * longer**0.25 * images.transform.power * weight
        self._batches = _batches(channels, self._power.n_signals)
        height, self._width = images._size()
        shape = (self._power.n_signals if n_copies > 1 else 0, height, self._width)
        self._tiles = np.empty(shape, dtype=dtype)

    def _make(self, dtype: np.dtype, most: int, n_copies: int = 1) -> FramePower:
        images = self._images
        n_rows = n_copies * images._size()[0] if images.bank is not None else 0
        return FramePower(images.transform, images.layout, dtype, most, n_rows)

    def write(self, window: np.ndarray, planes: np.ndarray) -> None:
        """Write the images of one window."""
        maxima = [self._write(window[b], planes[b]) for b in self._batches]
        levels = self._levels
        if levels is not None and levels.is_shared:
            loudest = max(float(own.max()) for own in maxima)
            for batch in self._batches:
                out = planes[batch]
                levels.write(out, out, np.full(len(out), loudest))

    def write_means(
        self, window: np.ndarray, groups: Sequence[Sequence[int]], means: np.ndarray
    ) -> None:
        """Write the means of the images of one window, group by group."""
        means.fill(0)
        for batch in self._batches:
            tiles = self._tiles[: batch.stop - batch.start]
            self._write(window[batch], tiles)
            for group, mean in zip(groups, means, strict=True):
                for channel in group:
                    if batch.start <= channel < batch.stop:
                        mean += tiles[channel - batch.start]
        for group, mean in zip(groups, means, strict=True):
            mean /= len(group)

    def _write(self, signals: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Write images and return the maxima that decibels refer to.

        Where these are shared by a window, the images stay power.
        """
        levels = self._levels
        images = self._summed(self._power, signals)
        if levels is None or not levels.is_db:
            self._finish(images, out)
            return np.zeros(0)
        maxima = images.max(axis=1).max(axis=-1).astype(np.float64)
        shared = levels.is_shared
        self._finish(images, out, None if shared else maxima)
        if self._checked:
            rounding = self._rounding * self._power.norms()
            floor = db_floor(maxima, amin=levels.amin, top_db=levels.top_db)
            for i in np.flatnonzero(rounding > np.sqrt(floor)):
                if self._double is None:
                    self._double = self._make(np.dtype(np.float64), 1)
                one = slice(i, i + 1)
                images = self._summed(self._double, signals[one])
                maxima[i] = images.max()
                self._finish(images, out[one], None if shared else maxima[one])
        return maxima

    def _finish(
        self, images: np.ndarray, out: np.ndarray, maxima: np.ndarray | None = None
    ) -> None:
        """Write images as levels, or as power where decibels lack the maxima."""
        levels, kept = self._levels, images[..., : self._width]
        if levels is None or (levels.is_db and maxima is None):
            out[...] = kept
        elif kept.dtype == out.dtype:
            levels.write(kept, out, maxima)
        else:
            levels.write(kept, kept, maxima)
            out[...] = kept

    def _summed(self, power: FramePower, signals: np.ndarray) -> np.ndarray:
        """Return images of shape (n, height, n_frames), not contiguous."""
        bins = power(signals)
        bank = self._images.bank
        if bank is not None:
            n_bins, *shape = bins.shape
            summed = bank.of_array(bins.dtype) @ bins.reshape(n_bins, -1)
            bins = summed.reshape(-1, *shape)
        return bins.swapaxes(0, 1)


def _batches(channels: Sequence[int], most: int) -> list[slice]:
    """Cut channels into runs of neighbours, about equally long, `most` at most."""
    batches = []
    start = 0
    for stop in range(1, len(channels) + 1):
        if stop < len(channels) and channels[stop] == channels[stop - 1] + 1:
            continue
        n = stop - start
        cuts = (
            np.linspace(0, n, -(-n // most) + 1).round().astype(int) + channels[start]
        )
        batches += [slice(int(a), int(b)) for a, b in pairwise(cuts)]
        start = stop
    return batches
