"""Morlet wavelets and their spectra."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["SCALINGS", "Wavelets"]

#: What the size of a wavelet is measured by.
SCALINGS = ("amplitude", "torrence-compo", "mne")


@dataclass(frozen=True)
class Wavelets:
    """Morlet wavelets, as plain numbers that can be compared.

    Attributes
    ----------
    sfreq : float
        Sampling frequency in Hz.
    centres : tuple of float
        Frequency under the envelope of each wavelet, in Hz.
    sigmas : tuple of float
        Standard deviation of each envelope, in seconds.
    scaling : {"amplitude", "torrence-compo", "mne"}
        Size of the wavelets, see :func:`hmsklearn.signal.morlet_power`.
    zero_mean : bool
        Whether a real offset is taken off the oscillation so that the mean is zero.

    Examples
    --------
    >>> Wavelets(200.0, (10.0,), (0.1,), "amplitude", False).gain(0)
    2.0
    """

    sfreq: float
    centres: tuple[float, ...]
    sigmas: tuple[float, ...]
    scaling: str
    zero_mean: bool

    def offset(self, index: int) -> float:
        """Offset under the envelope that makes the mean zero, or 0.

        Parameters
        ----------
        index : int
            Which wavelet.

        Returns
        -------
        float
            Offset, where the oscillation has size one.
        """
        omega = 2 * math.pi * self.centres[index] * self.sigmas[index]
        return math.exp(-(omega**2) / 2) if self.zero_mean else 0.0

    def gain(self, index: int) -> float:
        """Peak of the Gaussian that is the wavelet's spectrum.

        Parameters
        ----------
        index : int
            Which wavelet.

        Returns
        -------
        float
            Response to a complex oscillation of size one, at the centre.
        """
        offset = self.offset(index)
        if self.scaling == "amplitude":
            # A real sine is two complex oscillations of half its size.
            return 2.0 / (1.0 - offset**2)
        sigma = self.sigmas[index] * self.sfreq
        omega = 2 * math.pi * self.centres[index] * self.sigmas[index]
        energy = sigma * math.sqrt(math.pi)
        energy *= 1 + offset**2 - 2 * offset * math.exp(-(omega**2) / 4)
        if self.scaling == "mne":
            energy /= 2
        return sigma * math.sqrt(2 * math.pi / energy)

    def band(self, index: int, reach: float) -> tuple[float, float]:
        """Frequencies between which the spectrum is not zero.

        Parameters
        ----------
        index : int
            Which wavelet.
        reach : float
            Where a Gaussian ends, in standard deviations.

        Returns
        -------
        low, high : float
            Hz; the lower one may be negative.
        """
        centre, width = self.centres[index], 1 / (2 * math.pi * self.sigmas[index])
        low, high = centre - reach * width, centre + reach * width
        if self.zero_mean and low < 0:
            # The offset is a second, lower Gaussian around 0 Hz.
            low = min(low, -width * math.sqrt(reach**2 - (centre / width) ** 2))
        return low, high

    def spectrum(self, index: int, freqs: np.ndarray) -> np.ndarray:
        """Spectrum of one wavelet.

        Parameters
        ----------
        index : int
            Which wavelet.
        freqs : ndarray of float
            Hz, negative ones too.

        Returns
        -------
        ndarray of float64
            Real, as the wavelets are centred.
        """
        width = 1 / (2 * math.pi * self.sigmas[index])
        bell = np.exp(-0.5 * ((freqs - self.centres[index]) / width) ** 2)
        if self.zero_mean:
            bell -= self.offset(index) * np.exp(-0.5 * (freqs / width) ** 2)
        return self.gain(index) * bell
