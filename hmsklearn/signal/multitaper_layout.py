"""Parameters of a multitaper spectrogram: checks, and what they are in samples."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hmsklearn._params import check_choice, check_integer, check_real

__all__ = [
    "DETRENDS",
    "SCALINGS",
    "WEIGHTINGS",
    "MultitaperLayout",
    "check_multitaper",
    "multitaper_layout",
]

#: What can be removed from every window before the tapers.
DETRENDS = ("linear", "constant", None)
#: How tapers can be combined, see :func:`multitaper_power`.
WEIGHTINGS = ("unity", "eigen", "adaptive", "adaptive_mne")
#: Conventions of the power, see :func:`multitaper_power`.
SCALINGS = ("density", "two-sided", "length")


def check_multitaper(
    *,
    detrend: Any,
    weighting: Any,
    adaptive_steps: Any,
    periodic: Any,
    scaling: Any,
    caller: str,
) -> None:
    """Check the parameters that are not about seconds and Hertz.

    Parameters
    ----------
    detrend, weighting, adaptive_steps, periodic, scaling : object
        See :func:`multitaper_power`.
    caller : str
        Name that starts the error messages.

    Raises
    ------
    ValueError
        If one is unusable.

    Examples
    --------
    >>> given = dict(detrend=None, weighting="unity", adaptive_steps=10)
    >>> check_multitaper(**given, periodic="no", scaling="length", caller="doctest")
    Traceback (most recent call last):
        ...
    ValueError: doctest: periodic must be True or False, got 'no'.
    """
    check_choice(detrend, "detrend", DETRENDS, caller=caller)
    check_choice(weighting, "weighting", WEIGHTINGS, caller=caller)
    check_integer(adaptive_steps, "adaptive_steps", caller=caller, low=1)
    if not isinstance(periodic, (bool, np.bool_)):
        raise ValueError(f"{caller}: periodic must be True or False, got {periodic!r}.")
    check_choice(scaling, "scaling", SCALINGS, caller=caller)


class MultitaperLayout(NamedTuple):
    """A multitaper spectrogram's parameters in samples and bins.

    Attributes
    ----------
    length : int
        Samples of a window.
    step : int
        Samples from window to window.
    n_fft : int
        Length of the Fourier transform.
    bins : tuple of int
        First bin and the one after the last.
    n_tapers : int
        Number of tapers.
    sfreq : float
        Sampling frequency in Hz.

    Examples
    --------
    >>> layout = MultitaperLayout(800, 100, 1024, (3, 103), 9, 200.0)
    >>> layout.frequencies[[0, -1]].round(2).tolist(), layout.times(1000).tolist()
    ([0.59, 19.92], [2.0, 2.5, 3.0])
    """

    length: int
    step: int
    n_fft: int
    bins: tuple[int, int]
    n_tapers: int
    sfreq: float

    @property
    def frequencies(self) -> np.ndarray:
        """Frequencies of the bins in Hz."""
        return np.arange(*self.bins) * self.sfreq / self.n_fft

    def times(self, n_times: int) -> np.ndarray:
        """Return the middles of the windows in seconds after the first sample.

        Parameters
        ----------
        n_times : int
            Number of samples.

        Returns
        -------
        ndarray of shape (n_frames,)
            Seconds.
        """
        starts = np.arange(self.n_frames(n_times)) * self.step
        return (starts + self.length / 2) / self.sfreq

    def n_frames(self, n_times: int, *, caller: str = "multitaper_layout") -> int:
        """Count the windows that fit into a signal.

        Parameters
        ----------
        n_times : int
            Number of samples.
        caller : str, default="multitaper_layout"
            Name that starts the error message.

        Returns
        -------
        int
            Number of windows.

        Raises
        ------
        ValueError
            If the signal is shorter than a window.
        """
        if n_times < self.length:
            raise ValueError(
                f"{caller}: X has {n_times} samples in time (last axis), at least "
                f"{self.length} are needed for a window. Give longer signals or fewer "
                "window_seconds."
            )
        return (n_times - self.length) // self.step + 1


def multitaper_layout(
    *,
    sfreq: float = 200.0,
    window_seconds: float = 4.0,
    step_seconds: float = 0.5,
    time_bandwidth: float = 5.0,
    n_tapers: int | None = None,
    n_fft: int | None = None,
    fmin: float = 0.5,
    fmax: float = 20.0,
    caller: str = "multitaper_layout",
) -> MultitaperLayout:
    """Check parameters and turn seconds and Hertz into samples and bins.

    Parameters
    ----------
    sfreq, window_seconds, step_seconds : float
        See :func:`multitaper_power`.
    time_bandwidth, n_tapers, n_fft, fmin, fmax : float or int
        See :func:`multitaper_power`.
    caller : str, default="multitaper_layout"
        Name that starts the error messages.

    Returns
    -------
    MultitaperLayout
        The numbers.

    Raises
    ------
    ValueError
        If a parameter is unusable.

    Examples
    --------
    >>> layout = multitaper_layout()
    >>> layout.length, layout.step, layout.n_fft, layout.bins, layout.n_tapers
    (800, 100, 1024, (3, 103), 9)
    >>> layout.n_frames(10_000)
    93
    """
    sfreq = check_real(sfreq, "sfreq", caller=caller, low=0, low_open=True)
    length, step = (
        round(check_real(value, name, caller=caller, low=0, low_open=True) * sfreq)
        for name, value in (
            ("window_seconds", window_seconds),
            ("step_seconds", step_seconds),
        )
    )
    if length < 4 or step < 1:
        raise ValueError(
            f"{caller}: window_seconds={window_seconds} and step_seconds="
            f"{step_seconds} are {length} and {step} samples at {sfreq:g} Hz; at least "
            "4 and 1 are needed. Give more seconds."
        )
    check_real(
        time_bandwidth,
        "time_bandwidth",
        caller=caller,
        low=0.5,
        high=length / 2,
        high_open=True,
        remedy=f"(Half of the {length} samples of a window.)",
    )
    if n_tapers is None:
        n_tapers = max(1, int(2 * time_bandwidth) - 1)
    check_integer(n_tapers, "n_tapers", caller=caller, low=1, high=length)
    if n_fft is None:
        n_fft = 1 << (length - 1).bit_length()
    check_integer(
        n_fft, "n_fft", caller=caller, low=length, remedy="(The window's samples.)"
    )
    fmin = check_real(fmin, "fmin", caller=caller, low=0)
    fmax = check_real(fmax, "fmax", caller=caller, high=sfreq / 2)
    if fmin >= fmax:
        raise ValueError(
            f"{caller}: fmin={fmin:g} must be below fmax={fmax:g}. Swap them."
        )
    grid = np.arange(n_fft // 2 + 1) * sfreq / n_fft
    inside = np.flatnonzero((grid >= fmin) & (grid <= fmax))
    if inside.size == 0:
        raise ValueError(
            f"{caller}: no bin lies between fmin={fmin:g} and fmax={fmax:g} Hz, they "
            f"are {sfreq / n_fft:g} Hz apart. Give a wider range or a larger n_fft."
        )
    bins = int(inside[0]), int(inside[-1]) + 1
    return MultitaperLayout(length, step, int(n_fft), bins, int(n_tapers), sfreq)
