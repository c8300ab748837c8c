"""Complex Morlet wavelet transform, with as many columns as an image is wide."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmsklearn._params import check_choice, check_real
from hmsklearn.signal.arrays import Array, as_float, refuse_out
from hmsklearn.signal.wavelet_bank import SCALINGS, Wavelets
from hmsklearn.signal.wavelet_fold import PAD_MODES, REACH, FoldPlan, make_plan
from hmsklearn.signal.wavelet_run import folded_power, folded_transform
from hmsklearn.signal.wavelet_shapes import check_columns, check_freqs, wavelet_shapes

__all__ = ["check_signals", "morlet_plan", "morlet_power", "morlet_transform"]


def check_signals(X: Array, *, caller: str) -> str:
    """Check type and number of axes, and return the name of the type.

    Parameters
    ----------
    X : ndarray or Tensor
        Signals.
    caller : str
        Name that starts the error message.

    Returns
    -------
    {"float32", "float64"}
        The name.

    Raises
    ------
    ValueError
        If it is another type, or there is no axis of channels.

    Examples
    --------
    >>> check_signals(np.zeros((1, 5)), caller="doctest")
    'float64'
    """
    name = str(X.dtype).removeprefix("torch.")
    if name not in REACH:
        raise ValueError(
            f"{caller}: X must be float32 or float64, got {name}. Convert it."
        )
    if X.ndim < 2:
        raise ValueError(
            f"{caller}: X has {X.ndim} dimensions, expected (..., n_channels, n_times)."
            " For a single channel pass X[None]."
        )
    return name


def morlet_plan(
    n_times: int,
    dtype: str,
    freqs: Any,
    *,
    sfreq: float = 200.0,
    omega0: float | None = None,
    n_cycles: Any = None,
    n_columns: int | None = None,
    hop_length: int | None = None,
    scaling: str = "amplitude",
    pad_mode: str = "constant",
    zero_mean: bool = False,
    caller: str = "morlet_plan",
) -> FoldPlan:
    """Check the parameters of :func:`morlet_power` and lay out its transform.

    Parameters
    ----------
    n_times : int
        Number of samples.
    dtype : {"float32", "float64"}
        Type of the data.
    freqs, sfreq, omega0, n_cycles, n_columns, hop_length, scaling, pad_mode, \
zero_mean : optional
        As in :func:`morlet_power`.
    caller : str, default="morlet_plan"
        Name that starts the error messages.

    Returns
    -------
    FoldPlan
        The layout.

    Examples
    --------
    >>> morlet_plan(1000, "float32", [5.0, 10.0], n_columns=50).hop
    20
    """
    sfreq = check_real(sfreq, "sfreq", caller=caller, low=0, low_open=True)
    check_choice(scaling, "scaling", SCALINGS, caller=caller)
    check_choice(pad_mode, "pad_mode", PAD_MODES, caller=caller)
    centres, sigmas = wavelet_shapes(
        check_freqs(freqs, sfreq, caller=caller),
        omega0=omega0,
        n_cycles=n_cycles,
        caller=caller,
    )
    hop, width = check_columns(n_times, n_columns, hop_length, caller=caller)
    wavelets = Wavelets(
        sfreq,
        tuple(centres.tolist()),
        tuple(sigmas.tolist()),
        scaling,
        bool(zero_mean),
    )
    return make_plan(wavelets, n_times, hop, width, pad_mode, dtype, caller=caller)


def morlet_transform(
    X: Array,
    freqs: Any,
    *,
    sfreq: float = 200.0,
    omega0: float | None = None,
    n_cycles: Any = None,
    n_columns: int | None = None,
    hop_length: int | None = None,
    scaling: str = "amplitude",
    pad_mode: str = "constant",
    zero_mean: bool = False,
    demean: bool = True,
    out: np.ndarray | None = None,
) -> Array:
    """Compute complex Morlet wavelet coefficients.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_channels, n_times)
        Signals, float32 or float64.
    freqs, sfreq, omega0, n_cycles, n_columns, hop_length, scaling, pad_mode, \
zero_mean, demean : optional
        As in :func:`morlet_power`.
    out : ndarray of shape (..., n_channels, n_freqs, n_columns), optional
        Where to write, complex. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (..., n_channels, n_freqs, n_columns)
        `out`, or a new complex array of the precision of `X`. The phase of a cosine
        is that of its coefficient.

    Raises
    ------
    ValueError
        As in :func:`morlet_power`.

    Examples
    --------
    >>> t = np.arange(2000) / 200
    >>> X = 3 * np.cos(2 * np.pi * 10 * t + 1)[None]
    >>> z = morlet_transform(X, [10.0], n_cycles=7, n_columns=5)[0, 0, 2]  # at 4 s
    >>> round(float(abs(z)), 6), round(float(np.angle(z)), 6)
    (3.0, 1.0)
    """
    X = as_float(X, "morlet_transform")
    refuse_out(X, out, "morlet_transform")
    dtype = check_signals(X, caller="morlet_transform")
    plan = morlet_plan(
        X.shape[-1],
        dtype,
        freqs,
        sfreq=sfreq,
        omega0=omega0,
        n_cycles=n_cycles,
        n_columns=n_columns,
        hop_length=hop_length,
        scaling=scaling,
        pad_mode=pad_mode,
        zero_mean=zero_mean,
        caller="morlet_transform",
    )
    return folded_transform(X, plan, demean=demean, out=out)


def morlet_power(
    X: Array,
    freqs: Any,
    *,
    sfreq: float = 200.0,
    omega0: float | None = None,
    n_cycles: Any = None,
    n_columns: int | None = None,
    hop_length: int | None = None,
    scaling: str = "amplitude",
    pad_mode: str = "constant",
    zero_mean: bool = False,
    demean: bool = True,
    out: np.ndarray | None = None,
) -> Array:
    r"""Compute the power of a complex Morlet wavelet transform.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_channels, n_times)
        Signals, float32 or float64.
    freqs : array-like of shape (n_freqs,)
        Frequencies in Hz, above 0 and at most the Nyquist frequency. See
        :func:`wavelet_frequencies` and :func:`torrence_compo_frequencies`.
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    omega0 : float, optional
        Width of the wavelets as Torrence and Compo give it, at least 1; 6 where
        `n_cycles` is not given either. `freqs` are then Fourier frequencies: the scale
        is ``(omega0 + sqrt(2 + omega0 ** 2)) / (4 pi f)``.
    n_cycles : float or array-like of shape (n_freqs,), optional
        Width as MNE gives it, for all frequencies or for each, at least 1: the
        oscillation has frequency f, and the standard deviation of its envelope is
        ``n_cycles / (2 pi f)``.
    n_columns : int, optional
        Width of the result: one column every ``n_times // n_columns`` samples.
    hop_length : int, optional
        Or the number of samples from column to column, and as many columns as begin
        in the window. Without either, a column for every sample.
    scaling : {"amplitude", "torrence-compo", "mne"}, default="amplitude"
        ``"amplitude"``: a sine of amplitude A has power A ** 2 at its frequency.
        ``"torrence-compo"``: wavelets of energy one; white noise of variance v has
        power v at every frequency. ``"mne"``: twice that power, as in
        ``mne.time_frequency.tfr_array_morlet``.
    pad_mode : {"constant", "reflect", "wrap"}, default="constant"
        How the signal goes on beyond its ends: zeros, as in Torrence and Compo; mirrors
        at the first and the last sample; or again from the other end, where `n_times`
        must be a multiple of the hop.
    zero_mean : bool, default=False
        Whether a small offset is taken off the oscillation so that the wavelet's mean
        is zero ("complete" wavelet). It matters below about 5 cycles.
    demean : bool, default=True
        Whether each channel's mean is subtracted first. An offset has no frequency
        but ends with a step where zeros begin.
    out : ndarray of shape (..., n_channels, n_freqs, n_columns), optional
        Where to write. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (..., n_channels, n_freqs, n_columns)
        `out`, or a new array of the type of `X`; rows in the order of `freqs`. Column k
        is centred at sample ``k * hop``. NaN spoils its whole channel.

    Raises
    ------
    ValueError
        If a parameter is unusable, or the window is shorter than the scale (standard
        deviation) of the longest wavelet.

    Notes
    -----
    What is computed is

    .. math::

        W(t) = c \sum_n x_n \,
        e^{-(n \delta t - t)^2 / 2 \sigma^2} e^{-2 \pi i f (n \delta t - t)}

    over all samples and with the whole of the Gaussian: what is left out is 1.5e-8 of
    the largest contribution for float32 and 1.3e-14 for float64. (MNE ends its wavelets
    at 5 sigma, 4e-6 of their peak. Torrence and Compo drop the wavelet's negative
    frequencies, which are ``exp(-omega0 ** 2 / 2)`` and less.)

    No column is computed that is not returned: the spectrum times the wavelet is folded
    to the length of the result before it is transformed back, which is decimation
    without an error. Arrays are computed in float64 and rounded at the end, tensors in
    their own type.

    References
    ----------
    C. Torrence and G. P. Compo, A practical guide to wavelet analysis, Bulletin of
    the American Meteorological Society 79, 1998.

    C. Tallon-Baudry et al., Oscillatory gamma-band activity induced by a visual search
    task in humans, Journal of Neuroscience 17, 1997 (the wavelets of MNE).

    Examples
    --------
    >>> t = np.arange(10_000) / 200
    >>> X = 3 * np.sin(2 * np.pi * 10 * t, dtype="float32")[None, None]
    >>> power = morlet_power(X, [5.0, 10.0, 15.0], n_cycles=7, n_columns=256)
    >>> power.shape, [round(float(v), 3) for v in power[0, 0, :, 128]]
    ((1, 1, 3, 256), [0.0, 9.0, 0.039])
    """
    X = as_float(X, "morlet_power")
    refuse_out(X, out, "morlet_power")
    dtype = check_signals(X, caller="morlet_power")
    plan = morlet_plan(
        X.shape[-1],
        dtype,
        freqs,
        sfreq=sfreq,
        omega0=omega0,
        n_cycles=n_cycles,
        n_columns=n_columns,
        hop_length=hop_length,
        scaling=scaling,
        pad_mode=pad_mode,
        zero_mean=zero_mean,
        caller="morlet_power",
    )
    return folded_power(X, plan, demean=demean, out=out)
