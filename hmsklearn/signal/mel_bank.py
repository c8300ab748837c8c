"""Triangular filters on the mel scale, with librosa's and torchaudio's conventions."""

from __future__ import annotations

import math
import warnings

import numpy as np

__all__ = ["MEL_SCALES", "NORMS", "mel_filterbank", "mel_frequencies"]

#: The two formulas that go by the name of mel scale.
MEL_SCALES = ("slaney", "htk")
#: Filters of equal area, or of equal height.
NORMS = ("slaney", None)

# Slaney's scale is a straight line up to 1 kHz and logarithmic above; EEG only ever
# sees the straight part.
_LINEAR_STEP = 200.0 / 3.0
_KNEE = 1000.0
_LOG_STEP = math.log(6.4) / 27.0


def _to_mel(hertz: float, mel_scale: str) -> float:
    if mel_scale == "htk":
        return 2595.0 * math.log10(1.0 + hertz / 700.0)
    if hertz < _KNEE:
        return hertz / _LINEAR_STEP
    return _KNEE / _LINEAR_STEP + math.log(hertz / _KNEE) / _LOG_STEP


def mel_frequencies(
    n_mels: int, fmin: float, fmax: float, mel_scale: str = "slaney"
) -> np.ndarray:
    """Return frequencies that are equally far apart on the mel scale.

    Parameters
    ----------
    n_mels : int
        Number of frequencies.
    fmin, fmax : float
        The first and the last one, in Hz.
    mel_scale : {"slaney", "htk"}, default="slaney"
        The formula, see :func:`mel_filterbank`.

    Returns
    -------
    ndarray of shape (n_mels,), float64
        Frequencies in Hz.

    Examples
    --------
    >>> mel_frequencies(3, 0.0, 20.0)
    array([ 0., 10., 20.])
    """
    mels = np.linspace(_to_mel(fmin, mel_scale), _to_mel(fmax, mel_scale), n_mels)
    if mel_scale == "htk":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    knee = _KNEE / _LINEAR_STEP
    logarithmic = _KNEE * np.exp(_LOG_STEP * (np.maximum(mels, knee) - knee))
    return np.where(mels < knee, mels * _LINEAR_STEP, logarithmic)


def mel_filterbank(
    sfreq: float,
    n_fft: int,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float = 20.0,
    *,
    mel_scale: str = "slaney",
    norm: str | None = "slaney",
) -> np.ndarray:
    """Compute triangular filters on the mel scale.

    Parameters
    ----------
    sfreq : float
        Sampling frequency in Hz.
    n_fft : int
        Length of the transform.
    n_mels : int, default=128
        Number of filters.
    fmin, fmax : float, default=0.0 and 20.0
        Lower edge of the first and upper edge of the last filter, in Hz.
    mel_scale : {"slaney", "htk"}, default="slaney"
        ``"slaney"`` is a straight line up to 1 kHz: librosa's default. ``"htk"`` is
        ``2595 log10(1 + f / 700)``: torchaudio's default.
    norm : {"slaney", None}, default="slaney"
        Filters of equal area (librosa's default), or of height one (torchaudio's).

    Returns
    -------
    ndarray of shape (n_mels, n_fft // 2 + 1), float64
        Weights of the bins of a power spectrum.

    Raises
    ------
    ValueError
        If `mel_scale` or `norm` is unknown.

    Warns
    -----
    UserWarning
        If a filter falls between two bins and is therefore zero.

    References
    ----------
    M. Slaney, Auditory Toolbox, 1998; the same filters as ``librosa.filters.mel`` and
    ``torchaudio.functional.melscale_fbanks``.

    Examples
    --------
    >>> bank = mel_filterbank(200.0, 1024)
    >>> bank.shape, int((bank > 0).sum(axis=1).max())
    ((128, 513), 2)
    """
    for value, name, known in (
        (mel_scale, "mel_scale", MEL_SCALES),
        (norm, "norm", NORMS),
    ):
        if value not in known:
            raise ValueError(
                f"mel_filterbank: {name} must be one of "
                f"{', '.join(map(repr, known))}, got {value!r}."
            )
    bins = np.arange(n_fft // 2 + 1) * (sfreq / n_fft)
    edges = mel_frequencies(n_mels + 2, fmin, fmax, mel_scale)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rise = (bins - low) / (centre - low)
    fall = (high - bins) / (high - centre)
    bank = np.maximum(0.0, np.minimum(rise, fall))
    if norm == "slaney":
        bank *= 2.0 / (high - low)
    empty = np.flatnonzero(~bank.any(axis=1))
    if empty.size:
        warnings.warn(
            f"{empty.size} of {n_mels} mel filters lie between two bins of the "
            f"transform and give rows without content (first: {empty[0]}). Use fewer "
            f"n_mels, a larger n_fft than {n_fft} or a wider range than "
            f"{fmin:g}-{fmax:g} Hz.",
            UserWarning,
            stacklevel=2,
        )
    return bank
