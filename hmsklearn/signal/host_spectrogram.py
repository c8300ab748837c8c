"""The spectrogram that the organisers computed, from the EEG it was computed from.

The competition ships ten-minute spectrograms of recordings of which it ships only
the labelled part as EEG. The recipe behind them is that of the organisers' public
labelling tool; it reproduces the shipped files to the last printed digit wherever
the EEG is at hand, so it can extend any other EEG by the same view.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.signal import butter, sosfiltfilt
from scipy.signal.windows import dpss

from hmsklearn.montage import CH_NAMES, get_montage
from hmsklearn.signal.blas import one_blas_thread

__all__ = [
    "HOST_PANELS",
    "host_alignment",
    "host_frequencies",
    "host_spectrogram",
]

#: The four panels of a spectrogram file: left and right lateral chain, left and
#: right parasagittal chain.
HOST_PANELS: tuple[str, ...] = ("LL", "RL", "LP", "RP")

_SFREQ = 200
_N_FFT = 1024
_WINDOW = 800  # 4 s
_STEP = 400  # 2 s
_BINS = np.arange(3, 103)  # 0.5 Hz <= f <= 20 Hz
_PASSBAND = (0.5, 40.0)
_ORDER = 3
_BANDWIDTH = 2.0
_N_TAPERS = 3

# The 50 s window of the EEG starts at this second of the 600 s window.
_EEG_START = 275
# So many windows of a signal at a time stay in the cache between the products.
_BLOCK = 256


def host_frequencies() -> np.ndarray:
    """Frequencies of the 100 rows of a panel, low to high.

    Returns
    -------
    ndarray of shape (100,), float64
        Hertz: ``k * 200 / 1024`` for k = 3 .. 102. The column names of the files
        carry them rounded to two decimals.

    Examples
    --------
    >>> host_frequencies()[[0, 1, -1]].round(2).tolist()
    [0.59, 0.78, 19.92]
    """
    return _BINS * (_SFREQ / _N_FFT)


def host_alignment(
    n_times: int,
    *,
    eeg_offset_seconds: float = 0.0,
    spectrogram_offset_seconds: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Say which rows of a spectrogram file lie wholly within an EEG file.

    Row r of a spectrogram file shows the four seconds centred at its second
    ``2 r + 1``; the labelled 50 s of an EEG start 275 s into the labelled 600 s of
    its spectrogram.

    Parameters
    ----------
    n_times : int
        Number of samples of the EEG file, at 200 Hz.
    eeg_offset_seconds, spectrogram_offset_seconds : float, default=0.0
        The two label offsets of any one row of ``train.csv`` that names the two
        files; zero for a row of ``test.csv``.

    Returns
    -------
    rows : ndarray of int, shape (n,)
        Rows of the spectrogram file, consecutive.
    samples : ndarray of int, shape (n,)
        First of the 800 samples, in the EEG file, that each row was computed from.

    Raises
    ------
    ValueError
        If `n_times` is shorter than one row's four seconds.

    Examples
    --------
    >>> rows, samples = host_alignment(10_000)
    >>> rows[[0, -1]].tolist(), samples[[0, -1]].tolist()
    ([138, 161], [0, 9200])
    """
    if n_times < _WINDOW:
        raise ValueError(
            f"host_alignment: n_times={n_times} is shorter than the {_WINDOW} samples "
            "(4 s) of one spectrogram row. Give a longer EEG."
        )
    # Second of the spectrogram file at which the EEG file starts.
    start = _EEG_START + spectrogram_offset_seconds - eeg_offset_seconds
    shift = round((1 - start) * _SFREQ) - _WINDOW // 2
    first = max(0, -(shift // _STEP))
    last = (n_times - _WINDOW - shift) // _STEP
    rows = np.arange(first, last + 1)
    return rows, rows * _STEP + shift


@one_blas_thread()
def host_spectrogram(
    eeg: Any,
    *,
    ch_names: Sequence[str] = CH_NAMES,
    first_sample: int = 0,
    n_rows: int | None = None,
    decimals: int | None = None,
) -> np.ndarray:
    """Compute the organisers' spectrogram of EEG at 200 Hz.

    Parameters
    ----------
    eeg : array-like of shape (n_channels, n_times) or (n, n_channels, n_times)
        Referential EEG in microvolt. NaN counts as zero, as it did for the
        organisers; infinite values are an error.
    ch_names : sequence of str, default=CH_NAMES
        Names of the channels; the 16 electrodes of the four chains must be there.
    first_sample : int, default=0
        First sample of the first row; what lies before serves the filter alone.
        :func:`host_alignment` gives the value that meets a file's rows.
    n_rows : int, optional
        Number of rows, one for each step of 400 samples. All that fit by default.
    decimals : int, optional
        Round to so many decimals; the files have 2.

    Returns
    -------
    ndarray of shape (4, 100, n_rows) or (n, 4, 100, n_rows)
        Power in microvolt squared per hertz, one-sided without doubling: panels
        :data:`HOST_PANELS`, frequency low to high, time. float64 for float64 input,
        else float32; computed in float64 throughout.

    Raises
    ------
    ValueError
        If the shape does not fit the channel names, an electrode is missing, there
        are infinite values, or the rows asked for do not fit into the EEG.

    Notes
    -----
    Band-pass 0.5 to 40 Hz (Butterworth, order 3, forwards and backwards); the
    bipolar differences of the four chains; of each, windows of 4 s every 2 s with
    their linear trend removed, multiplied by three Slepian tapers (time-bandwidth
    product 2), transformed with 1,024 points, power averaged over the tapers; mean
    over the four differences of a chain; the 100 bins from 0.5 to 20 Hz.

    Trend removal, taper and transform are linear, so they are one matrix, of which
    only 100 of 513 bins are formed. About the middle of the window the tapers are
    even or odd, as are cosine and sine, so the even and the odd half of a window
    each need half a matrix: exact, at half the work.

    On the files of the competition every value agrees within 0.005 + 0.1 %, except
    in the first and last two rows of an EEG: the organisers filtered the whole
    recording, of which the EEG file is a cut. Rounded to two decimals, 1 to 2 % of
    the values differ by 0.01, as they must: the EEG files are rounded to 0.01
    microvolt, which moves a power of 20 by about one part in ten thousand.

    References
    ----------
    Organisers' labelling tool, Rapid_IIIC_Labeling_GUI, step 5 (spectrograms), and
    the data page of the competition. D. J. Thomson, Spectrum estimation and harmonic
    analysis, Proc. IEEE 70, 1982.

    Examples
    --------
    >>> import numpy as np
    >>> eeg = np.zeros((20, 10_000))
    >>> eeg[0] = 50 * np.sin(2 * np.pi * 10 * np.arange(10_000) / 200)  # Fp1
    >>> power = host_spectrogram(eeg, decimals=2)
    >>> power.shape
    (4, 100, 24)
    >>> float(host_frequencies()[power[0, :, 12].argmax()].round(1))
    10.0
    >>> bool(power[1].any())  # nothing on the right
    False
    """
    eeg = np.asarray(eeg)
    out_dtype = np.float64 if eeg.dtype == np.float64 else np.float32
    if eeg.ndim not in (2, 3) or eeg.shape[-2] != len(ch_names):
        raise ValueError(
            f"host_spectrogram: eeg has shape {eeg.shape}, expected ({len(ch_names)}, "
            f"n_times) or (n, {len(ch_names)}, n_times): one row for each of ch_names."
        )
    fitting = (eeg.shape[-1] - first_sample - _WINDOW) // _STEP + 1
    if n_rows is None:
        n_rows = fitting
    if first_sample < 0 or not 1 <= n_rows <= fitting:
        raise ValueError(
            f"host_spectrogram: {n_rows} rows of {_WINDOW} samples every {_STEP} from "
            f"sample {first_sample} on do not fit into {eeg.shape[-1]} samples. Give a "
            "longer EEG (4 s at least) or fewer rows."
        )
    montage = get_montage("double_banana_16")
    anodes, cathodes = montage.indices(ch_names, caller="host_spectrogram")
    n_records = eeg.shape[0] if eeg.ndim == 3 else 1
    out = np.empty((n_records, len(HOST_PANELS), _BINS.size, n_rows), dtype=out_dtype)
    for record, panels in zip(eeg if eeg.ndim == 3 else eeg[None], out, strict=True):
        signals = np.asarray(record, dtype=np.float64)
        if np.isinf(signals).any():
            raise ValueError(
                "host_spectrogram: eeg contains infinity. Repair the recording first."
            )
        signals = np.nan_to_num(signals, nan=0.0)
        bipolar = signals[anodes] - signals[cathodes]
        bipolar = sosfiltfilt(_bandpass(), bipolar, axis=-1)
        power = _multitaper_power(bipolar[:, first_sample:], n_rows)
        for panel, chain in enumerate(HOST_PANELS):
            mean = power[list(montage.chains[chain])].mean(axis=0).T
            panels[panel] = mean if decimals is None else np.round(mean, decimals)
    return out if eeg.ndim == 3 else out[0]


@lru_cache(maxsize=1)
def _bandpass() -> np.ndarray:
    return butter(_ORDER, _PASSBAND, btype="bandpass", fs=_SFREQ, output="sos")


@lru_cache(maxsize=1)
def _half_matrices() -> tuple[np.ndarray, np.ndarray]:
    """Detrend, taper and Fourier matrix for the even and the odd half of a window.

    Returns
    -------
    even, odd : ndarray of shape (400, 300)
        To be multiplied by sum and difference of a window's mirrored samples.
        Each holds, for every taper and bin, the one of cosine and sine that does
        not vanish by symmetry, scaled so that the sum of the squares is the power.
    """
    half = _WINDOW // 2
    tapers = dpss(_WINDOW, _BANDWIDTH, Kmax=_N_TAPERS)
    time = np.arange(_WINDOW) - (_WINDOW - 1) / 2
    angle = 2 * np.pi * np.outer(_BINS / _N_FFT, time)
    even, odd = [], []
    for taper in tapers:
        # Order 0, 2, ... are even about the middle, order 1, 3, ... odd.
        is_even = np.dot(taper[:half], taper[::-1][:half]) > 0
        same, other = np.cos(angle) * taper, np.sin(angle) * taper
        even.append(same if is_even else other)
        odd.append(other if is_even else same)
    # Removing the mean acts on the even half, removing the slope on the odd one.
    slope = time / np.sqrt(np.sum(time**2))
    even_matrix = np.concatenate(even)
    even_matrix = even_matrix - even_matrix.mean(axis=1, keepdims=True)
    odd_matrix = np.concatenate(odd)
    odd_matrix = odd_matrix - np.outer(odd_matrix @ slope, slope)
    # Tapers have unit energy, so the power is |J|^2 / fs; mean over the tapers.
    scale = 1 / np.sqrt(_SFREQ * _N_TAPERS)
    return (
        np.ascontiguousarray(even_matrix[:, half:].T * scale),
        np.ascontiguousarray(odd_matrix[:, half:].T * scale),
    )


def _multitaper_power(bipolar: np.ndarray, n_rows: int) -> np.ndarray:
    """Power of shape (n_signals, n_rows, n_bins) of filtered signals."""
    even, odd = _half_matrices()
    half = _WINDOW // 2
    n_bins = _BINS.size
    frames = np.lib.stride_tricks.sliding_window_view(bipolar, _WINDOW, axis=-1)
    frames = frames[:, : (n_rows - 1) * _STEP + 1 : _STEP]
    out = np.empty((bipolar.shape[0], n_rows, n_bins))
    for signal, power in zip(frames, out, strict=True):
        for start in range(0, n_rows, _BLOCK):
            block = signal[start : start + _BLOCK]
            after, before = block[:, half:], block[:, half - 1 :: -1]
            total = np.square((after + before) @ even)
            total += np.square((after - before) @ odd)
            power[start : start + _BLOCK] = total.reshape(-1, _N_TAPERS, n_bins).sum(
                axis=1
            )
    return out
