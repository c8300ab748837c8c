"""Short-time power in chosen frequencies, by two small matrix products or by FFT.

A spectrogram of EEG up to 20 Hz needs a tenth of the bins of an FFT, and a frame of
1,024 samples under a window of 128 is zero elsewhere. What is left is small enough to
be a matrix product. Its bins are closer together than the window can resolve: the
amplitudes in 20 of them give all 103 by interpolation, which halves the work again.
Measured from the middle of the frame, the cosines span half of the room that sines and
cosines span together; each half has its own interpolation.

The nodes of the interpolation are bins themselves, and near ones are preferred. In
float32 it is then as exact as the plain product. Singular vectors, fewer by one or two,
mix loud and quiet frequencies, and the rounding of the loud ones shows in the quiet
ones: 10 times the error.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakValueDictionary

import numpy as np
from scipy.fft import next_fast_len, rfft
from scipy.linalg import qr
from scipy.signal import get_window

from hmsklearn.signal.arrays import Constant

__all__ = ["DETRENDS", "Factors", "FrameTransform", "get_weights"]

#: What can be taken out of every frame.
DETRENDS = (None, "constant", "linear")

# An FFT of n samples costs as much time as this times n log2(n) multiplications in a
# matrix product (measured: 8 to 9, float32 and float64 alike), and four times that
# for lengths with a large prime factor.
_FFT_COST = 8.5
# Where the interpolation may stop, relative to the largest row: rounding to float32
# changes the rows themselves as much.
_TOLERANCE = {"float32": 2.0**-24, "float64": 1e-14}
# The interpolation solves one small system for each row. More numbers than this in all
# of them would take many seconds to prepare; this many at a time are solved together.
_MOST_PREPARED = 2_000_000
_PREPARED_TOGETHER = 250_000


def get_weights(
    window: str | tuple, win_length: int, *, caller: str = "get_weights"
) -> np.ndarray:
    """Compute a periodic window.

    Parameters
    ----------
    window : str or tuple
        Name, or name and parameters, for :func:`scipy.signal.get_window`.
    win_length : int
        Number of samples.
    caller : str, default="get_weights"
        Name that starts the error message.

    Returns
    -------
    ndarray of shape (win_length,), float64
        The weights.

    Raises
    ------
    ValueError
        If there is no such window.

    Examples
    --------
    >>> get_weights("hann", 4)
    array([0. , 0.5, 1. , 0.5])
    """
    try:
        if not isinstance(window, (str, tuple)):
            raise TypeError("neither a name nor a tuple")
        weights = np.asarray(get_window(window, win_length, fftbins=True), dtype=float)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{caller}: window={window!r} is no window of scipy.signal.get_window "
            f"({error}). Give a name such as 'hann', or a tuple such as "
            "('tukey', 0.25)."
        ) from None
    return weights


def _trend(length: int, detrend: str | None) -> np.ndarray:
    """Orthonormal rows: what is taken out of every frame."""
    if detrend is None:
        return np.zeros((0, length))
    t = np.arange(length) - (length - 1) / 2
    rows = np.stack([np.ones(length), t])[: 2 if detrend == "linear" and any(t) else 1]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Factors:
    """Two matrices, for real and imaginary parts, as ``weights @ basis``.

    Attributes
    ----------
    basis : Constant of shape (2, rank, length)
        Rows of the matrices.
    weights : Constant of shape (2, n_rows, rank) or None
        How all rows follow from them; None where `basis` is the whole matrices.

    Examples
    --------
    >>> Factors(Constant(np.eye(3)[None]), None).basis
    Constant(shape=(1, 3, 3))
    """

    basis: Constant
    weights: Constant | None


def _is_plain(n_rows: int, length: int, rank: int) -> bool:
    """Whether the whole matrices are cheaper, or the interpolation too dear to find."""
    saves = rank * (n_rows + length) <= 0.8 * n_rows * length
    return not saves or 2 * n_rows * rank**2 > _MOST_PREPARED


def _likely_rank(n_rows: int, length: int, omega: np.ndarray) -> int:
    """Estimate how many rows the interpolation will need."""
    # Half of what a band of this width holds under the window, and a margin.
    band = float(np.ptp(omega)) / (2 * np.pi)
    return min(length, n_rows, int(band * length) + 9)


def _factors(matrices: np.ndarray, omega: np.ndarray, dtype: str) -> Factors:
    """Express the rows of matrices by as few of them as possible, the nodes."""
    n_rows, length = matrices.shape[1:]
    if _is_plain(n_rows, length, _likely_rank(n_rows, length, omega)):
        return Factors(Constant(matrices), None)
    parts = [qr(matrix.T, mode="economic", pivoting=True)[1:] for matrix in matrices]
    sizes = np.abs([np.diag(triangle) for triangle, _ in parts])
    tolerance = _TOLERANCE[dtype] * float(sizes.max())
    rank = min(int((sizes > tolerance).sum(1).max()) + 1, sizes.shape[1])
    if _is_plain(n_rows, length, rank):
        return Factors(Constant(matrices), None)
    weights = np.empty((2, n_rows, rank))
    basis = np.empty((2, rank, length))
    for part, (triangle, order) in enumerate(parts):
        nodes, root = order[:rank], triangle[:rank, :rank]
        target = np.empty((n_rows, rank))
        target[order] = triangle[:rank].T
        distance = np.abs(omega[:, None] - omega[nodes]) * length / (2 * np.pi)
        noise = tolerance * (1 + 2 * distance)
        step = max(1, _PREPARED_TOGETHER // (2 * rank**2))
        for start in range(0, n_rows, step):
            rows = slice(start, start + step)
            weights[part, rows] = _damped(root, target[rows], noise[rows])
        basis[part] = matrices[part, nodes]
    return Factors(Constant(basis), Constant(weights))


def _damped(root: np.ndarray, target: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Solve ``weights @ root.T = target`` by least squares, row by row.

    What is smallest is the sum of the squares of what the interpolation misses and of
    what the rounding of the nodes adds to it: `noise`, for each row and node. That of
    nodes far away counts more, since what is there may be much louder.
    """
    n_rows, rank = target.shape
    system = np.zeros((n_rows, 2 * rank, rank))
    system[:, :rank] = root
    system[:, np.arange(rank, 2 * rank), np.arange(rank)] = noise
    q, r = np.linalg.qr(system)
    right = np.swapaxes(q[:, :rank], -1, -2) @ target[:, :, None]
    return np.linalg.solve(r, right)[..., 0]


# Threads that come together prepare a transform once, even if each made its own: the
# first one does it, and the others take what it has found.
_PREPARING = threading.Lock()
_PREPARED: WeakValueDictionary[tuple, Factors] = WeakValueDictionary()


@dataclass(frozen=True, eq=False)
class FrameTransform:
    """Power of windowed frames in chosen frequencies.

    Attributes
    ----------
    window : ndarray of shape (length,), float64
        Weights of the samples of a frame.
    omega : ndarray of shape (n_bins,), float64
        Frequencies in radians for each sample.
    trend : ndarray of shape (n, length), float64
        Orthonormal rows that are taken out of every frame before the window.
    gain : ndarray of shape (n_bins,), float64
        What the squared magnitude is multiplied by.
    n_fft : int
        Length of the FFT that has these frequencies as its bins; 0 where none has.
    first_bin : int
        The first of them.

    Examples
    --------
    >>> transform = FrameTransform.make("hann", 128, n_fft=1024, bins=(1, 103))
    >>> factors = transform.factors("float32")
    >>> factors.weights.value.shape, factors.basis.value.shape
    ((2, 102, 21), (2, 21, 128))
    """

    window: np.ndarray
    omega: np.ndarray
    trend: np.ndarray
    gain: np.ndarray
    n_fft: int = 0
    first_bin: int = 0

    @classmethod
    def make(
        cls,
        window: str | tuple,
        length: int,
        *,
        n_fft: int = 0,
        bins: tuple[int, int] = (0, 0),
        frequencies: np.ndarray | None = None,
        detrend: str | None = None,
        gain: np.ndarray | float = 1.0,
        caller: str = "FrameTransform",
    ) -> FrameTransform:
        """Derive the constants.

        Parameters
        ----------
        window : str or tuple
            Window of :func:`scipy.signal.get_window`.
        length : int
            Samples under it.
        n_fft : int, optional
            Length of the transform, at least `length`.
        bins : tuple of int, optional
            First bin of it, and the bin after the last one.
        frequencies : ndarray, optional
            Any frequencies instead of bins, in cycles for each sample.
        detrend : {None, "constant", "linear"}, default=None
            What is taken out of every frame.
        gain : ndarray or float, default=1.0
            What the squared magnitude is multiplied by, for each frequency.
        caller : str, default="FrameTransform"
            Name that starts the error messages.

        Returns
        -------
        FrameTransform
            The transform.
        """
        weights = get_weights(window, length, caller=caller)
        if frequencies is None:
            omega = 2 * np.pi * np.arange(*bins) / n_fft
        else:
            omega = 2 * np.pi * np.asarray(frequencies, dtype=float)
            n_fft = 0
        return cls(
            weights,
            omega,
            _trend(length, detrend),
            np.broadcast_to(np.asarray(gain, dtype=float), omega.shape),
            n_fft,
            bins[0],
        )

    @property
    def bins(self) -> slice:
        """Where the frequencies are in an FFT."""
        return slice(self.first_bin, self.first_bin + len(self.omega))

    @cached_property
    def _factored(self) -> dict[str, Factors]:
        return {}

    @cached_property
    def constants(self) -> tuple[Constant, Constant, Constant]:
        """Window, trend, and root of the gain as a column, for tensors."""
        root = np.sqrt(self.gain)[:, None]
        return Constant(self.window), Constant(self.trend), Constant(root)

    @cached_property
    def of_one(self) -> Constant:
        """Transform of a frame of ones: (2, n_bins, 1), real and imaginary part."""
        if not self.by_fft:
            return Constant(self.matrices().sum(-1, keepdims=True))
        one = np.ones(len(self.window))
        one -= (one @ self.trend.T) @ self.trend
        spectrum = rfft(one * self.window, self.n_fft)[self.bins] * np.sqrt(self.gain)
        return Constant(np.stack([spectrum.real, spectrum.imag])[..., None])

    @property
    def power(self) -> float:
        """Root of the mean squared weight, and of the largest gain."""
        return math.sqrt(float(np.square(self.window).mean() * self.gain.max()))

    def matrices(self) -> np.ndarray:
        """Compute what a frame is multiplied by, for real and imaginary parts.

        Returns
        -------
        ndarray of shape (2, n_bins, length), float64
            The matrices.
        """
        t = np.arange(len(self.window)) - len(self.window) / 2
        phase = self.omega[:, None] * t
        weights = self.window * np.sqrt(self.gain)[:, None]
        matrices = weights * np.stack([np.cos(phase), np.sin(phase)])
        return matrices - (matrices @ self.trend.T) @ self.trend

    def factors(self, dtype: str) -> Factors:
        """Return the matrices as products of smaller ones.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            What will be computed in.

        Returns
        -------
        Factors
            The products.
        """
        if dtype not in self._factored:
            made_of = (self.window, self.omega, self.trend, self.gain)
            key = (dtype, *(array.tobytes() for array in made_of))
            with _PREPARING:
                factors = _PREPARED.get(key)
                if factors is None:
                    factors = _factors(self.matrices(), self.omega, dtype)
                    _PREPARED[key] = factors
            self._factored[dtype] = factors
        return self._factored[dtype]

    @cached_property
    def by_fft(self) -> bool:
        """Whether an FFT is cheaper than the matrices."""
        if self.n_fft == 0:
            return False
        length, n_bins = len(self.window), len(self.omega)
        rank = _likely_rank(n_bins, length, self.omega)
        matrices = 2 * length * n_bins
        if not _is_plain(n_bins, length, rank):
            matrices = 2 * rank * (length + n_bins)
        slow = 1 if next_fast_len(self.n_fft, real=True) == self.n_fft else 4
        return matrices > slow * _FFT_COST * self.n_fft * math.log2(self.n_fft)
