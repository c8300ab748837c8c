"""Tapered Fourier transforms of overlapping windows as products of small matrices.

A multitaper spectrogram removes the trend of every window, multiplies it by several
tapers, transforms each product and keeps a few low bins: all of it linear, so one
matrix. Four ideas keep it small.

* A signal that matters up to 20 Hz needs few numbers for half a second: every window
  is cut into blocks, and a block is described by its products with some 35 functions
  that span what any taper and bin can see of it.
* Windows that overlap have blocks in common, which are computed once.
* About the middle of the window the tapers are even or odd, as are cosine and sine.
  The even and the odd part of a window each need half a matrix.
* An offset of the electrode is taken out of the blocks before the products and comes
  back as a difference between blocks, so that float32 never subtracts two large
  numbers to get a small one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hmsklearn.signal.arrays import Array, Constant, is_tensor, namespace
from hmsklearn.signal.slepian import cut_frames, trend_rows

__all__ = ["BlockTransform"]


def _fold(rows: np.ndarray, sign: int) -> np.ndarray:
    """Even (1) or odd (-1) part of rows, as half as many coordinates."""
    half = rows.shape[1] // 2
    after, before = rows[:, -half:], rows[:, half - 1 :: -1]
    folded = (after + sign * before) / np.sqrt(2)
    if sign > 0 and rows.shape[1] % 2:
        folded = np.concatenate([rows[:, half : half + 1], folded], axis=1)
    return folded


def _unfold(folded: np.ndarray, length: int, sign: int) -> np.ndarray:
    """Even or odd rows with these coordinates."""
    half = length // 2
    after = folded[:, folded.shape[1] - half :] / np.sqrt(2)
    middle = folded[:, :1] if sign > 0 else np.zeros_like(folded[:, :1])
    return np.concatenate(
        [sign * after[:, ::-1], middle[:, : length % 2], after], axis=1
    )


def _span(matrix: np.ndarray, sign: int, tolerance: float) -> np.ndarray:
    """Orthonormal even or odd rows that span those parts of the rows of a matrix.

    The constant is the first of the even and the slope the first of the odd ones, so
    that what removes a trend does so exactly.
    """
    length = matrix.shape[1]
    folded = _fold(matrix, sign)
    line = _fold(trend_rows(length, "linear"), sign)[0 if sign > 0 else 1 :][:1]
    rest = np.linalg.qr(folded - (folded @ line.T) @ line, mode="r")
    _, values, rows = np.linalg.svd(rest, full_matrices=False)
    largest = np.sqrt(np.linalg.norm(matrix.T @ matrix, 2))
    rows = rows[values > tolerance * largest]
    # Where next to nothing is left, rounding turns rows towards the line.
    rows = np.linalg.qr(np.concatenate([line, rows]).T)[0].T
    rows[0] = line[0]
    return _unfold(rows, length, sign)


@dataclass(frozen=True, eq=False)
class BlockTransform:
    """Tapered transforms as products with matrices, block by block.

    Attributes
    ----------
    block : int
        Samples of a block.
    n_blocks : int
        Blocks of a window.
    step : int
        Samples from window to window.
    n_even : int
        How many of the functions are even about the middle of a block.
    basis : Constant of shape (block, n_functions)
        What a block is multiplied by: the even functions, of which the constant is the
        first, then the odd ones.
    signs : Constant of shape (n_functions,)
        1 for the even and -1 for the odd functions.
    one : Constant of shape (n_tapers * n_bins, n_features)
        Matrix for the even part of the windows, or, for tapers that are neither even
        nor odd, for the windows themselves.
    other : Constant of shape (n_tapers * n_bins, n_features)
        The same for the odd part.
    symmetric : bool
        Whether the tapers are even or odd.
    detrended : bool
        Whether the matrices ignore an offset.
    shape : tuple of int
        Numbers of tapers and bins.

    Examples
    --------
    >>> time = np.arange(800) - 399.5
    >>> waves = np.stack([np.cos(0.1 * time), np.sin(0.1 * time)])[:, None, None]
    >>> transform = BlockTransform.make(
    ...     waves, symmetric=True, block=100, step=100, detrended=False, tolerance=1e-13
    ... )
    >>> one, other = transform(np.ones(1000))
    >>> one.shape, bool(np.allclose(one, waves[0].sum()))
    ((1, 1, 3), True)
    """

    block: int
    n_blocks: int
    step: int
    n_even: int
    basis: Constant
    signs: Constant
    one: Constant
    other: Constant
    symmetric: bool
    detrended: bool
    shape: tuple[int, int]

    @classmethod
    def make(
        cls,
        matrices: np.ndarray,
        *,
        symmetric: bool,
        block: int,
        step: int,
        detrended: bool,
        tolerance: float,
    ) -> BlockTransform:
        """Factorise the matrices.

        Parameters
        ----------
        matrices : ndarray of shape (2, n_tapers, n_bins, length), float64
            Products of trend removal and tapers with cosines and with sines, measured
            from the middle of the window.
        symmetric : bool
            Whether the tapers are even, odd, even, ... about the middle.
        block : int
            Samples of a block, a divisor of the length.
        step : int
            Samples from window to window.
        detrended : bool
            Whether the matrices ignore an offset.
        tolerance : float
            Largest singular value, relative, that may be left out.

        Returns
        -------
        BlockTransform
            The transform.
        """
        n_tapers, n_bins, length = matrices.shape[1:]
        if symmetric:
            # Even products together and odd ones: an odd taper swaps the two.
            swap = (np.arange(n_tapers) % 2 == 1)[:, None, None]
            matrices = np.where(swap, matrices[::-1], matrices)
        n_blocks = length // block
        pieces = matrices.reshape(2, n_tapers * n_bins, n_blocks, block)
        even, odd = (
            _span(pieces.reshape(-1, block), sign, tolerance) for sign in (1, -1)
        )
        basis = np.concatenate([even, odd])
        factors = pieces @ basis.T
        half = n_blocks // 2 if symmetric else n_blocks
        own = (slice(len(even)), slice(len(even), None))
        parts = []
        for factor, functions in zip(factors, own, strict=True):
            columns = [factor[:, :half].reshape(len(factor), -1)]
            if detrended:
                columns.append(factor[:, :half, 0] * np.sqrt(block))
            if symmetric and n_blocks % 2:
                columns.append(factor[:, half, functions])
            parts.append(Constant(np.concatenate(columns, axis=1)))
        one, other = parts
        return cls(
            block,
            n_blocks,
            step,
            len(even),
            Constant(basis.T),
            Constant(np.repeat([1.0, -1.0], [len(even), len(odd)])),
            one,
            other,
            symmetric,
            detrended,
            (n_tapers, n_bins),
        )

    def __call__(self, X: Array) -> tuple[Array, Array]:
        """Transform the windows of signals.

        Parameters
        ----------
        X : ndarray or Tensor of shape (..., n_times)
            Signals.

        Returns
        -------
        one, other : ndarray or Tensor of shape (n_tapers, n_bins, ..., n_frames)
            Real and imaginary part of the spectra, in either order, with the phase
            measured from the middle of the window.
        """
        blocks, places = self._blocks(X)
        offsets = None
        if self.detrended:
            # Any number near a block's will do, as it comes back in full.
            offsets = blocks.mean(-1)
            if is_tensor(X):
                offsets = offsets.detach()
            blocks = blocks - offsets[..., None]
        elif not is_tensor(X):
            blocks = np.ascontiguousarray(blocks)  # they overlap
        values = blocks @ self.basis.like(X)
        features = self._halves if self.symmetric else self._whole
        one, other = features(values, offsets, places)
        shape = *self.shape, *one.shape[:-1]
        # One product for all signals: the larger, the better the cores are used.
        return (
            (self.one.like(X) @ one.reshape(-1, one.shape[-1]).T).reshape(shape),
            (self.other.like(X) @ other.reshape(-1, other.shape[-1]).T).reshape(shape),
        )

    def _blocks(self, X: Array) -> tuple[Array, list[slice]]:
        """Cut the signals; say where each of a window's blocks is among the pieces."""
        length = self.n_blocks * self.block
        n_frames = (X.shape[-1] - length) // self.step + 1
        hop = math.gcd(self.step, self.block)
        stride, apart = self.step // hop, self.block // hop
        if stride < self.n_blocks:
            last = (n_frames - 1) * self.step + length
            blocks = cut_frames(X[..., :last], self.block, hop)
            stop = (n_frames - 1) * stride + 1
            starts = [j * apart for j in range(self.n_blocks)]
            return blocks, [slice(start, start + stop, stride) for start in starts]
        frames = cut_frames(X, length, self.step)
        blocks = frames.reshape(*X.shape[:-1], -1, self.block)
        return blocks, [slice(j, None, self.n_blocks) for j in range(self.n_blocks)]

    def _whole(
        self, values: Array, offsets: Array | None, places: list[slice]
    ) -> tuple[Array, Array]:
        """Return all of a window's numbers, twice."""
        columns = [values[..., place, :] for place in places]
        if offsets is not None:
            own = [offsets[..., place] for place in places]
            middle = own[len(own) // 2]
            columns += [(offset - middle)[..., None] for offset in own]
        together = namespace(values).concatenate(columns, -1)
        return together, together

    def _halves(
        self, values: Array, offsets: Array | None, places: list[slice]
    ) -> tuple[Array, Array]:
        """Add and subtract what lies opposite about a window's middle."""
        mirrored = values * self.signs.like(values)
        half, odd = divmod(len(places), 2)
        pairs = list(zip(places[:half], places[::-1][:half], strict=True))
        sums = [values[..., a, :] + mirrored[..., b, :] for a, b in pairs]
        differences = [values[..., a, :] - mirrored[..., b, :] for a, b in pairs]
        if offsets is not None:
            middle = offsets[..., places[half]]
            for a, b in pairs:
                before, after = offsets[..., a], offsets[..., b]
                sums.append(((before - middle) + (after - middle))[..., None])
                differences.append((before - after)[..., None])
        if odd:
            own = values[..., places[half], :]
            sums.append(own[..., : self.n_even])
            differences.append(own[..., self.n_even :])
        concatenate = namespace(values).concatenate
        return concatenate(sums, -1), concatenate(differences, -1)
