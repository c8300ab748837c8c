"""Thomson's adaptive weights: tapers that leak count less where there is little power.

A taper of high order lets a share of the whole window's power leak into every bin.
Where a bin holds much, that does not matter, and all tapers are averaged; where it
holds little, only the first ones can be trusted. What a bin holds is what is to be
estimated, so the two are found in turns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmsklearn.signal.arrays import Array, Constant
from hmsklearn.signal.slepian import detrended_frames

__all__ = ["Variance", "leakage", "thomson_power", "variance_as_in_mne"]

# Smallest share of a taper's energy outside its band: differences to one of a computed
# ratio are not more exact.
_LEAK = 1e-12
# What counts as silence, where a share would be zero divided by zero.
_TINY = 1e-30


def leakage(ratios: np.ndarray) -> Constant:
    """Return the shares of energy that tapers have within their band and outside.

    Parameters
    ----------
    ratios : ndarray of shape (n_tapers,)
        Share within the band.

    Returns
    -------
    Constant of shape (2, n_tapers)
        Shares within and outside.

    Examples
    --------
    >>> leakage(np.array([1.0, 0.75])).value.ravel().tolist()
    [1.0, 0.75, 1e-12, 0.25]
    """
    return Constant(np.stack([ratios, np.maximum(1 - ratios, _LEAK)]))


def thomson_power(
    powers: Array, variance: Array, ratios: Constant, steps: int
) -> Array:
    """Combine the powers of the tapers.

    Parameters
    ----------
    powers : ndarray or Tensor of shape (n_tapers, n_bins, ..., n_frames)
        Squared magnitudes of the tapered spectra.
    variance : ndarray or Tensor of shape (..., n_frames)
        Mean square of the windows' samples.
    ratios : Constant of shape (2, n_tapers)
        Shares of each taper's energy within its band and outside, see
        :func:`leakage`.
    steps : int
        Steps of the iteration, which begins with the mean of the first two tapers.

    Returns
    -------
    ndarray or Tensor of shape (n_bins, ..., n_frames)
        Power.

    Examples
    --------
    >>> powers = np.array([1.0, 1.0, 4.0])[:, None, None]
    >>> ratios = leakage(np.array([0.999, 0.99, 0.5]))
    >>> for variance in (1e-3, 1e3):
    ...     print(thomson_power(powers, np.array([variance]), ratios, 10).round(3))
    [[2.495]]
    [[1.]]
    """
    axes = (slice(None),) + (None,) * (powers.ndim - 1)
    kept, lost = (shares[axes] for shares in ratios.like(powers))
    power = powers[:2].mean(0)
    for _ in range(steps):
        # A factor that is common to all weights does not matter. Written with the
        # bin's share of bin and background together, and relative to the first taper,
        # nothing overflows or vanishes, nor do gradients.
        total = power + variance
        share = power / (total + (total <= _TINY))
        trust = kept * share + lost * (1 - share)
        weights = kept * (trust[:1] / trust) ** 2
        power = (weights * powers).sum(0) / weights.sum(0)
    return power


@dataclass(frozen=True, eq=False)
class Variance:
    """The mean square of every window.

    Attributes
    ----------
    trend : Constant of shape (n, length)
        What is removed from every window, see
        :func:`hmsklearn.signal.slepian.trend_rows`.
    step : int
        Samples from window to window.
    spectrum : _Integral, optional
        Integrate the multitaper spectrum instead, in MNE's way.

    Examples
    --------
    >>> from hmsklearn.signal.slepian import trend_rows
    >>> Variance(Constant(trend_rows(2, None)), 1)(np.array([1.0, 3, 5]))
    array([ 5., 17.])
    """

    trend: Constant
    step: int
    spectrum: _Integral | None = None

    def __call__(self, X: Array) -> Array:
        """Estimate.

        Parameters
        ----------
        X : ndarray or Tensor of shape (..., n_times)
            Signals.

        Returns
        -------
        ndarray or Tensor of shape (..., n_frames)
            Mean squares.
        """
        frames = detrended_frames(X, self.step, self.trend)
        if self.spectrum is None:
            return (frames * frames).mean(-1)
        return self.spectrum.of_frames(frames)


@dataclass(frozen=True, eq=False)
class _Integral:
    """Integral of a multitaper spectrum by the trapezoidal rule, over 2 pi."""

    energy: Constant
    ends: Constant
    shares: Constant

    @classmethod
    def make(cls, tapers: np.ndarray, ratios: np.ndarray, n_fft: int) -> _Integral:
        # The sum over all bins is the energy of the tapered window (Parseval), of
        # which the rule counts the first and the last bin by half.
        weights = ratios / ratios.sum()
        last, twice = n_fft // 2, 1 + n_fft % 2
        angle = 2 * np.pi * last / n_fft * np.arange(tapers.shape[1])
        ends = np.concatenate([tapers, tapers * np.cos(angle), tapers * np.sin(angle)])
        step = 1 / (2 * (last + 1))
        shares = np.outer([1, twice, twice], weights).ravel() * (step / 2)
        energy = (weights @ tapers**2) * (n_fft * step)
        return cls(Constant(energy), Constant(ends.T), Constant(shares))

    def of_frames(self, frames: Array) -> Array:
        parts = frames @ self.ends.like(frames)
        energy = (frames * frames) @ self.energy.like(frames)
        return energy - (parts * parts) @ self.shares.like(frames)


def variance_as_in_mne(
    trend: Constant, step: int, tapers: np.ndarray, ratios: np.ndarray, n_fft: int
) -> Variance:
    """Return the estimate of the variance that MNE uses.

    Parameters
    ----------
    trend : Constant of shape (n, length)
        What is removed from every window.
    step : int
        Samples from window to window.
    tapers : ndarray of shape (n_tapers, length)
        Tapers.
    ratios : ndarray of shape (n_tapers,)
        Share of each taper's energy within its band.
    n_fft : int
        Length of the Fourier transform.

    Returns
    -------
    Variance
        Half the integral over the positive frequencies: about the mean square, but
        compared with powers that count twice.

    Examples
    --------
    >>> trend = Constant(np.zeros((0, 4)))
    >>> estimate = variance_as_in_mne(trend, 4, np.full((1, 4), 0.5), np.ones(1), 4)
    >>> estimate(np.array([1.0, -1, 1, -1])).round(3)
    array([0.333])
    """
    return Variance(trend, step, _Integral.make(tapers, ratios, n_fft))
