"""Many wavelets over few columns: fold the spectrum, then transform what is left.

A wavelet transform multiplies the spectrum of the signal by that of each wavelet and
transforms back. To keep every `hop`-th sample of the result is to add up its spectrum
in pieces: decimation in time is aliasing in frequency, exactly. So the product is
folded to the number of columns first, and the inverse transform is that short. The
spectrum of a Morlet wavelet is a Gaussian, of which only the part that differs from
zero is touched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import scipy.fft

from hmsklearn.signal.arrays import Constant
from hmsklearn.signal.wavelet_bank import Wavelets

__all__ = ["PAD_MODES", "REACH", "FoldPlan", "Support", "make_plan"]

#: How the signal goes on beyond its ends.
PAD_MODES = ("constant", "reflect", "wrap")

#: Where a Gaussian counts as zero, in standard deviations: at the far side of the
#: padding, in time, and at the ends of a wavelet's band, in frequency, where silent
#: rows meet loud neighbours. 1.5e-8 and 7e-10 of the peak for float32, 1.3e-14 for
#: float64.
REACH = {"float32": (6.0, 6.5), "float64": (8.0, 8.0)}


@dataclass(frozen=True)
class Support:
    """Where the spectrum of one wavelet is, and its weights.

    Attributes
    ----------
    start : int
        First position in the extended spectrum.
    stop : int
        Position behind the last.
    blocks : int
        Into how many pieces of the output's length it is folded. The weights of a
        single piece end where the Gaussian does, several are filled up with zeros.
    offset : int
        Position of the first weight among those of all wavelets.

    Examples
    --------
    >>> Support(start=3, stop=8, blocks=1, offset=0).stop
    8
    """

    start: int
    stop: int
    blocks: int
    offset: int


@dataclass(frozen=True, eq=False)
class FoldPlan:
    """Everything that the transform of signals of one length needs.

    Attributes
    ----------
    wavelets : Wavelets
        The wavelets.
    rows : tuple of int
        Where several wavelets make one row of the output: the row of each wavelet.
        Empty where each wavelet is a row.
    exponents : Constant
        Exponent of each wavelet's power in the product that is its row.
    n_times : int
        Number of samples.
    n_columns : int
        Number of columns.
    hop : int
        Samples from column to column.
    pad_mode : str
        One of `PAD_MODES`.
    margin : int
        Samples of the continued signal, on each side, with ``pad_mode="reflect"``.
    length : int
        Length of the Fourier transform of the signal, ``hop * n_points``.
    n_points : int
        Length of the inverse transforms, at least `n_columns`.
    first : int
        First bin of the extended spectrum, perhaps a negative one.
    n_bins : int
        Length of the extended spectrum.
    runs : tuple of (int, int, bool)
        First and last bin of the pieces of the spectrum that make the extended one,
        and whether they are mirrored (backwards and conjugate).
    supports : tuple of Support
        One for each wavelet.
    weights : Constant
        Of all wavelets, one after the other, divided by `length`.

    Examples
    --------
    >>> from hmsklearn.signal.wavelets import morlet_plan
    >>> plan = morlet_plan(1000, "float64", [5.0, 10.0], n_columns=100)
    >>> plan.n_rows, plan.phases.value.shape
    (2, (2, 2, 100))
    """

    wavelets: Wavelets
    rows: tuple[int, ...]
    exponents: Constant = field(repr=False)
    n_times: int
    n_columns: int
    hop: int
    pad_mode: str
    margin: int
    length: int
    n_points: int
    first: int
    n_bins: int
    runs: tuple[tuple[int, int, bool], ...]
    supports: tuple[Support, ...] = field(repr=False)
    weights: Constant = field(repr=False)

    @property
    def n_rows(self) -> int:
        """Height of the output."""
        return self.rows[-1] + 1 if self.rows else len(self.supports)

    @cached_property
    def phases(self) -> Constant:
        """Turns the coefficients back, which folding from the first bin has turned.

        Real and imaginary parts of factors of absolute value one, of shape
        (2, n_wavelets, n_columns).
        """
        starts = np.array([self.first + support.start for support in self.supports])
        turns = np.multiply.outer(starts % self.n_points, np.arange(self.n_columns))
        angles = (turns % self.n_points) * (2 * np.pi / self.n_points)
        return Constant([np.cos(angles), np.sin(angles)])


@lru_cache(maxsize=8)
def make_plan(
    wavelets: Wavelets,
    n_times: int,
    hop: int,
    n_columns: int,
    pad_mode: str,
    dtype: str,
    *,
    rows: tuple[int, ...] = (),
    exponents: tuple[float, ...] = (),
    caller: str,
) -> FoldPlan:
    """Lay out the transform.

    Parameters
    ----------
    wavelets : Wavelets
        The wavelets.
    n_times : int
        Number of samples.
    hop, n_columns : int
        Column k is sample ``k * hop`` of the full transform.
    pad_mode : {"constant", "reflect", "wrap"}
        How the signal goes on beyond its ends.
    dtype : {"float32", "float64"}
        Says how small is zero.
    rows : tuple of int, optional
        See :class:`FoldPlan`.
    exponents : tuple of float, optional
        Likewise.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    FoldPlan
        The layout.

    Raises
    ------
    ValueError
        If a wavelet's envelope is longer than the signal, or the signal cannot be
        continued periodically.

    Examples
    --------
    >>> wavelets = Wavelets(200.0, (10.0,), (0.1,), "amplitude", False)
    >>> plan = make_plan(
    ...     wavelets, 10_000, 39, 256, "constant", "float32", caller="doctest"
    ... )
    >>> plan.n_points, plan.length
    (264, 10296)
    """
    reach_time, reach = REACH[dtype]
    longest = int(np.argmax(wavelets.sigmas))
    duration = n_times / wavelets.sfreq
    if wavelets.sigmas[longest] > duration * (1 + 1e-9):
        raise ValueError(
            f"{caller}: the wavelet at {wavelets.centres[longest]:.4g} Hz, of scale "
            f"{wavelets.sigmas[longest]:.4g} s, is longer than a window of "
            f"{n_times} samples ({duration:.4g} s). Leave out the lowest frequencies, "
            "use fewer cycles, or give longer windows."
        )
    margin = math.ceil(reach_time * wavelets.sigmas[longest] * wavelets.sfreq)
    n_points = _n_points(n_times, hop, pad_mode, margin, caller)
    length = hop * n_points
    step = wavelets.sfreq / length
    bands = [wavelets.band(index, reach) for index in range(len(wavelets.centres))]
    starts = [math.ceil(low / step) for low, _ in bands]
    first, last = min(starts), 0
    supports, weights, offset = [], [], 0
    for index, (start, (_, high)) in enumerate(zip(starts, bands, strict=True)):
        size = math.floor(high / step) - start + 1
        blocks = -(-size // n_points)
        stop = start + (size if blocks == 1 else blocks * n_points)
        values = wavelets.spectrum(index, np.arange(start, stop) * step) / length
        values[size:] = 0.0
        weights.append(values)
        supports.append(Support(start - first, stop - first, blocks, offset))
        offset += stop - start
        last = max(last, stop)
    return FoldPlan(
        wavelets=wavelets,
        rows=rows,
        exponents=Constant(exponents),
        n_times=n_times,
        n_columns=n_columns,
        hop=hop,
        pad_mode=pad_mode,
        margin=margin if pad_mode == "reflect" else 0,
        length=length,
        n_points=n_points,
        first=first,
        n_bins=last - first,
        runs=tuple(_runs(first, last, length)),
        supports=tuple(supports),
        weights=Constant(np.concatenate(weights)),
    )


def _n_points(n_times: int, hop: int, pad_mode: str, margin: int, caller: str) -> int:
    if pad_mode == "wrap":
        if n_times % hop:
            raise ValueError(
                f"{caller}: pad_mode='wrap' needs a number of samples that is a "
                f"multiple of the {hop} samples between columns, got {n_times}. Crop "
                f"the windows to {n_times - n_times % hop}, or "
                "choose another pad_mode."
            )
        return n_times // hop
    needed = margin * 2 if pad_mode == "reflect" else margin
    return int(scipy.fft.next_fast_len(-(-(n_times + needed) // hop)))


def _runs(first: int, stop: int, length: int) -> list[tuple[int, int, bool]]:
    """Write bins first .. stop of a real signal's spectrum as pieces of its half."""
    half = length // 2 + 1
    runs = []
    while first < stop:
        position = first % length
        mirrored = position >= half
        size = min(stop - first, (length if mirrored else half) - position)
        if mirrored:
            runs.append((length - position - size + 1, length - position + 1, True))
        else:
            runs.append((position, position + size, False))
        first += size
    return runs
