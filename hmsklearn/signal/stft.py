"""Short-time Fourier power as torch, librosa, SciPy and nnAudio define it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.dft import FrameTransform, get_weights
from hmsklearn.signal.frames import FRAMINGS, PAD_MODES, FrameLayout
from hmsklearn.signal.levels import Levels
from hmsklearn.signal.short_time import ShortTimeImages
from hmsklearn.signal.short_time_checks import (
    check_detrend,
    check_flag,
    check_signals,
    freeze,
)

__all__ = ["GRIDS", "SCALINGS", "stft_frequencies", "stft_power"]

#: Which frequencies are computed.
GRIDS = ("bins", "linear")
#: What the squared magnitude is divided by.
SCALINGS = (None, "density", "spectrum", "window", "frame_length")


def _selection(
    sfreq: float,
    n_fft: int,
    fmin: float | None,
    fmax: float | None,
    n_bins: int | None,
    grid: str,
    caller: str,
) -> tuple[tuple[int, int], np.ndarray]:
    """Find the first bin and the one after the last, and the frequencies in Hz."""
    check_choice(grid, "grid", GRIDS, caller=caller)
    sfreq = check_real(sfreq, "sfreq", caller=caller, low=0, low_open=True)
    n_fft = check_integer(n_fft, "n_fft", caller=caller, low=2)
    low = 0.0 if fmin is None else check_real(fmin, "fmin", caller=caller, low=0)
    high = sfreq / 2
    if fmax is not None:
        high = check_real(fmax, "fmax", caller=caller, high=sfreq / 2)
    if low >= high:
        raise ValueError(
            f"{caller}: fmin={fmin} must be below fmax={fmax}, and both at most "
            f"{sfreq / 2:g} Hz, half of sfreq. Swap them or raise sfreq."
        )
    if n_bins is not None:
        n_bins = check_integer(n_bins, "n_bins", caller=caller, low=1)
    if grid == "linear":
        n_bins = n_fft // 2 + 1 if n_bins is None else n_bins
        return (0, 0), low + (high - low) / n_bins * np.arange(n_bins)
    step = sfreq / n_fft
    # 20 Hz must count as at most 20 Hz however it was computed.
    first = int(np.ceil(low / step * (1 - 1e-9)))
    stop = min(int(np.floor(high / step * (1 + 1e-9))), n_fft // 2) + 1
    if n_bins is not None and first + n_bins > stop:
        raise ValueError(
            f"{caller}: n_bins={n_bins} is more than the {stop - first} bins of the "
            f"transform from {low:g} to {high:g} Hz. Give a larger n_fft or range."
        )
    if first >= stop:
        raise ValueError(
            f"{caller}: the bins of the transform are {step:g} Hz apart and none is "
            f"between {low:g} and {high:g} Hz. Give a larger n_fft or range."
        )
    if n_bins is not None:
        stop = first + n_bins
    return (first, stop), np.arange(first, stop) * step


def stft_frequencies(
    *,
    sfreq: float = 200.0,
    n_fft: int = 512,
    fmin: float | None = None,
    fmax: float | None = None,
    n_bins: int | None = None,
    grid: str = "bins",
    caller: str = "stft_frequencies",
) -> np.ndarray:
    """Return the frequencies of the rows of :func:`stft_power`.

    Parameters
    ----------
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    n_fft : int, default=512
        Length of the transform.
    fmin, fmax : float, optional
        Range in Hz, both ends included; from 0 to half of `sfreq` by default.
    n_bins : int, optional
        How many to keep, from the lowest.
    grid : {"bins", "linear"}, default="bins"
        ``"bins"``: those of an FFT of `n_fft` samples. ``"linear"``: `n_bins` (or
        ``n_fft // 2 + 1``) frequencies from `fmin`, in equal steps that would reach
        `fmax` with the next one, as in nnAudio.
    caller : str, default="stft_frequencies"
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_bins,), float64
        Frequencies in Hz.

    Raises
    ------
    ValueError
        If no frequency is left, or a parameter is unusable.

    Examples
    --------
    >>> stft_frequencies(n_fft=100, fmin=0.5, fmax=10)
    array([ 2.,  4.,  6.,  8., 10.])
    >>> stft_frequencies(n_fft=100, fmax=10, n_bins=4, grid="linear")
    array([0. , 2.5, 5. , 7.5])
    """
    return _selection(sfreq, n_fft, fmin, fmax, n_bins, grid, caller)[1]


@lru_cache(maxsize=32)
def _constants(
    sfreq: float,
    n_fft: int,
    win_length: int,
    window: str | tuple,
    detrend: str | None,
    scaling: str | None,
    doubled: bool,
    fmin: float | None,
    fmax: float | None,
    n_bins: int | None,
    grid: str,
    caller: str,
) -> FrameTransform:
    bins, frequencies = _selection(sfreq, n_fft, fmin, fmax, n_bins, grid, caller)
    weights = get_weights(window, win_length, caller=caller)
    gain = np.full(len(frequencies), 1.0)
    if scaling is not None:
        gain /= {
            "density": sfreq * (weights**2).sum(),
            "spectrum": weights.sum() ** 2,
            "window": (weights**2).sum(),
            "frame_length": n_fft,
        }[scaling]
    if doubled:
        edge = np.isclose(frequencies, 0) | np.isclose(frequencies, sfreq / 2)
        gain[~edge] *= 2
    chosen: dict[str, Any] = {"n_fft": n_fft, "bins": bins}
    if grid == "linear":
        chosen = {"frequencies": frequencies / sfreq}
    return FrameTransform.make(
        window, win_length, detrend=detrend, gain=gain, caller=caller, **chosen
    )


def stft_power(
    X: Array,
    *,
    sfreq: float = 200.0,
    n_fft: int = 512,
    win_length: int | None = None,
    hop_length: int | None = None,
    window: str | tuple = "hann",
    center: bool = True,
    pad_mode: str = "reflect",
    framing: str = "torch",
    detrend: str | bool | None = None,
    scaling: str | None = None,
    doubled: bool = False,
    fmin: float | None = None,
    fmax: float | None = None,
    n_bins: int | None = None,
    grid: str = "bins",
    levels: Mapping[str, Any] | None = None,
    caller: str = "stft_power",
    out: np.ndarray | None = None,
) -> Array:
    """Compute the squared magnitude of the short-time Fourier transform.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_windows, n_channels, n_times)
        Signals, float32 or float64; arrays of other numbers become float32.
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    n_fft : int, default=512
        Length of the transform.
    win_length : int, optional
        Length of the window, at most `n_fft`, which is the default.
    hop_length : int, optional
        Samples from frame to frame. By default a quarter of `n_fft`, as in
        ``torch.stft``, or of `win_length` with ``framing="scipy"``. Others differ:
        librosa takes a quarter of `win_length`, torchaudio half of it.
    window : str or tuple, default="hann"
        Periodic window of :func:`scipy.signal.get_window`; parameters may be lists.
    center : bool, default=True
        Whether half a frame is added at both ends.
    pad_mode : {"reflect", "constant"}, default="reflect"
        What is added: the mirrored signal, or zeros.
    framing : {"torch", "scipy"}, default="torch"
        ``"torch"``, and librosa: a frame has `n_fft` samples with the window in their
        middle, and what is too short for one at the end is left out. ``"scipy"``: a
        frame has `win_length` samples; with `center` the end is filled with zeros.
    detrend : {None, False, "constant", "linear"}, default=None
        What is taken out of every frame before the window: nothing (False
        is SciPy's word for it), the mean, or the straight line that fits it best.
    scaling : {None, "density", "spectrum", "window", "frame_length"}, default=None
        What the power is divided by: nothing; ``sfreq * sum(window ** 2)``, the power
        of 1 Hz; ``sum(window) ** 2``, which makes sines comparable;
        ``sum(window ** 2)`` and `n_fft`, the two normalisations of torchaudio.
    doubled : bool, default=False
        Whether the power of negative frequencies is added to that of their positive
        twins, which doubles all rows but 0 Hz and half of `sfreq`. The rows are those
        of the positive frequencies either way, so this is not what torch calls
        ``onesided`` and SciPy ``return_onesided``.
    fmin, fmax, n_bins, grid : optional
        Which frequencies, see :func:`stft_frequencies`.
    levels : mapping, optional
        Arguments of :func:`hmsklearn.signal.power_to_levels`, applied to each image.
        None leaves the power.
    caller : str, default="stft_power"
        Name that starts the error messages.
    out : ndarray, optional
        Where to write. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (n_windows, n_channels, n_bins, n_frames)
        Power or levels, of the type of `X`; frequency from low to high.

    Raises
    ------
    ValueError
        If a parameter is unusable, `X` has other axes or types, `X` is too short, or
        `out` is given with a tensor.

    Notes
    -----
    The defaults are those of ``torch.stft`` with a Hann window and of
    ``torchaudio.transforms.Spectrogram``; with ``pad_mode="constant"`` those of
    ``librosa.stft``. ``scipy.signal.spectrogram`` is ``framing="scipy", center=False,
    detrend="constant", scaling="density", doubled=True`` and ``scipy.signal.stft`` is
    ``framing="scipy", pad_mode="constant", scaling="spectrum"``. nnAudio's is
    ``grid="linear"``.

    Few frequencies are computed by matrix products, many by FFT, whichever is cheaper.
    float32 is computed in float32: errors are about 1e-6 of a channel's largest
    amplitude, not counting a constant offset. For arrays, decibels are exact to 0.005
    dB: by FFT they are computed in float64, by matrix products again in float64 where
    rounding would show above the floor, see :func:`mel_decibels`.

    Examples
    --------
    >>> stft_power(np.ones((2, 3, 1000)), hop_length=50, fmax=40).shape
    (2, 3, 103, 21)
    """
    X = check_signals(X, caller=caller)
    n_fft = check_integer(n_fft, "n_fft", caller=caller, low=2)
    win_length = n_fft if win_length is None else win_length
    win_length = check_integer(
        win_length, "win_length", caller=caller, low=1, high=n_fft
    )
    check_choice(pad_mode, "pad_mode", PAD_MODES, caller=caller)
    check_choice(framing, "framing", FRAMINGS, caller=caller)
    if hop_length is None:
        hop_length = max(1, (n_fft if framing == "torch" else win_length) // 4)
    hop_length = check_integer(hop_length, "hop_length", caller=caller, low=1)
    center = check_flag(center, "center", caller=caller)
    doubled = check_flag(doubled, "doubled", caller=caller)
    detrend = check_detrend(detrend, caller=caller)
    check_choice(scaling, "scaling", SCALINGS, caller=caller)
    get_weights(window, win_length, caller=caller)
    _selection(sfreq, n_fft, fmin, fmax, n_bins, grid, caller)
    chosen = None if levels is None else Levels.make(levels, caller=caller)
    transform = _constants(
        sfreq,
        n_fft,
        win_length,
        freeze(window),
        detrend,
        scaling,
        doubled,
        fmin,
        fmax,
        n_bins,
        grid,
        caller,
    )
    layout = FrameLayout.make(
        X.shape[-1],
        length=win_length,
        n_fft=n_fft,
        hop_length=hop_length,
        center=center,
        pad_mode=pad_mode,
        framing=framing,
        caller=caller,
    )
    images = ShortTimeImages(
        transform,
        layout,
        levels=chosen,
        caller=caller,
    )
    return images(X, out)
