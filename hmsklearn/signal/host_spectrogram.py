"""The spectrogram that the organisers computed, from the EEG it was computed from.

The competition ships ten-minute spectrograms of recordings of which it ships only
the labelled part as EEG. The recipe behind them is that of the organisers' public
tools; found out in every detail, it reproduces the shipped files to the last printed
digit, so it can extend any other EEG by the same view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hmsklearn._params import check_integer
from hmsklearn.montage import CH_NAMES, get_montage
from hmsklearn.signal.arrays import Array, as_float, is_tensor, namespace, refuse_out
from hmsklearn.signal.derivations import group_means, pair_differences
from hmsklearn.signal.host_filter import check_host_filter, host_filter
from hmsklearn.signal.multitaper import multitaper_power

__all__ = [
    "HOST_PANELS",
    "host_alignment",
    "host_frequencies",
    "host_rows",
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
_BANDWIDTH = 2.0
_N_TAPERS = 3

_MONTAGE = get_montage("double_banana_16")

# The 50 s window of the EEG starts at this second of the 600 s window.
_EEG_START = 275


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
    n_rows: int | None = None,
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
    n_rows : int, optional
        Number of rows of the spectrogram file. Without it the last rows may lie
        behind the end of a spectrogram that ends before its EEG.

    Returns
    -------
    rows : ndarray of int, shape (n,)
        Rows of the spectrogram file, consecutive; none if the files do not overlap.
    samples : ndarray of int, shape (n,)
        First of the 800 samples, in the EEG file, that each row was computed from.

    Raises
    ------
    ValueError
        If `n_times` is shorter than one row's four seconds, or `n_rows` is unusable.

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
    if n_rows is not None:
        check_integer(n_rows, "n_rows", caller="host_alignment", low=1)
    # Second of the spectrogram file at which the EEG file starts.
    start = _EEG_START + spectrogram_offset_seconds - eeg_offset_seconds
    shift = round((1 - start) * _SFREQ) - _WINDOW // 2
    first = max(0, -(shift // _STEP))
    last = (n_times - _WINDOW - shift) // _STEP
    if n_rows is not None:
        last = min(last, n_rows - 1)
    rows = np.arange(first, last + 1)
    return rows, rows * _STEP + shift


def host_rows(
    n_times: int,
    first_sample: int = 0,
    n_rows: int | None = None,
    *,
    caller: str = "host_rows",
    unit: str = "rows",
) -> int:
    """Count the rows of a spectrogram, and check that they fit into the EEG.

    Parameters
    ----------
    n_times : int
        Number of samples of the EEG, at 200 Hz.
    first_sample : int, default=0
        First sample of the first row.
    n_rows : int, optional
        Number of rows that are wanted; all that fit by default.
    caller : str, default="host_rows"
        Name that starts the error message.
    unit : {"rows", "columns"}, default="rows"
        What the message calls them: rows of a file, columns of an image.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    ValueError
        If they do not fit, or a number is unusable.

    Examples
    --------
    >>> host_rows(10_000)
    24
    """
    check_integer(first_sample, "first_sample", caller=caller, low=0)
    fitting = (n_times - first_sample - _WINDOW) // _STEP + 1
    if n_rows is None:
        n_rows = fitting
    else:
        check_integer(n_rows, f"n_{unit}", caller=caller, low=1)
    if not 1 <= n_rows <= fitting:
        raise ValueError(
            f"{caller}: {max(n_rows, 1)} {unit} of {_WINDOW} samples every {_STEP} "
            f"from sample {first_sample} on do not fit into {n_times} samples. Give a "
            f"longer EEG (4 s at least) or fewer {unit}."
        )
    return int(n_rows)


def host_spectrogram(
    eeg: Array,
    *,
    ch_names: Sequence[str] = CH_NAMES,
    first_sample: int = 0,
    n_rows: int | None = None,
    decimals: int | None = None,
    mains: str | None = "notch",
    mains_freq: float = 60.0,
    ends: str = "cut",
    out: np.ndarray | None = None,
) -> Array:
    """Compute the organisers' spectrogram of EEG at 200 Hz.

    Parameters
    ----------
    eeg : ndarray or Tensor of shape (n_channels, n_times) or (n, n_channels, n_times)
        Referential EEG in microvolt, float32 or float64; other arrays of numbers
        become float32. NaN counts as zero, as it did for the organisers; infinite
        values are an error in an array.
    ch_names : sequence of str, default=CH_NAMES
        Names of the channels; the 16 electrodes of the four chains must be there.
    first_sample : int, default=0
        First sample of the first row; what lies before serves the filter alone.
        :func:`host_alignment` gives the value that meets a file's rows.
    n_rows : int, optional
        Number of rows of a spectrogram file, one for each step of 400 samples, which
        are columns of the result. All that fit by default.
    decimals : int, optional
        Round to so many decimals; the files have 2.
    mains : {"notch", "stop", None}, default="notch"
        What is done about mains hum, see
        :func:`hmsklearn.signal.host_filter.host_filter`. The spectrograms of training
        are those of ``"notch"``, the public one of the test set is that of ``"stop"``.
    mains_freq : float, default=60.0
        Frequency of the mains in Hz.
    ends : {"cut", "whole"}, default="cut"
        Whether the EEG was cut out of a longer recording, as the files of the
        competition, or is the whole recording.
    out : ndarray of the result's shape, optional
        Where to write. For arrays only.

    Returns
    -------
    ndarray or Tensor of shape (4, 100, n_rows) or (n, 4, 100, n_rows)
        Power in microvolt squared per hertz, one-sided without doubling: panels
        :data:`HOST_PANELS`, frequency low to high, time. float64 for float64 input,
        else float32. Arrays are computed in float64 throughout, tensors in their own
        type: float32 was within 5e-5 on raw EEG.

    Raises
    ------
    ValueError
        If the shape does not fit the channel names, an electrode is missing, there
        are infinite values, a parameter is unusable, or the rows asked for do not fit
        into the EEG, or `eeg` is no array of real numbers or tensor of float32 or
        float64.

    Notes
    -----
    The bipolar differences of the four chains; a notch at 60 Hz of quality 35 and a
    band-pass of 0.5 to 40 Hz (Butterworth, order 3), both forwards and backwards;
    windows of 4 s every 2 s with their linear trend removed, multiplied by three
    Slepian tapers (time-bandwidth product 2), transformed with 1,024 points, power
    averaged over the tapers; mean over the four differences of a chain; the 100 bins
    from 0.5 to 20 Hz.

    On the four pairs of files at hand every value agrees within 0.005 + 0.1 %, except
    in the first and last two rows of an EEG: the organisers filtered the whole
    recording, of which the EEG file is a cut. Of the values rounded to two decimals
    99.9, 98.7, 99.3 and 99.2 % are equal. The first of these recordings was stored in
    hundredths of a microvolt before the organisers used it: away from its ends all of
    11,200 values are equal. The others lost their digits when the EEG files were
    written, and rounding noise of that size moves as many values as differ. The user
    guide has the experiments.

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
    >>> bool(abs(host_frequencies()[power[0, :, 12].argmax()] - 10) < 0.5)
    True
    >>> bool(power[1].any())  # nothing on the right
    False
    """
    caller = "host_spectrogram"
    eeg = as_float(eeg, caller)
    if eeg.ndim not in (2, 3) or eeg.shape[-2] != len(ch_names):
        raise ValueError(
            f"{caller}: eeg has shape {tuple(eeg.shape)}, expected ({len(ch_names)}, "
            f"n_times) or (n, {len(ch_names)}, n_times): one row for each of ch_names."
        )
    n_rows = host_rows(eeg.shape[-1], first_sample, n_rows, caller=caller)
    check_host_filter(mains, mains_freq, ends, caller=caller)
    if decimals is not None:
        check_integer(decimals, "decimals", caller=caller, low=0, high=12)
    refuse_out(eeg, out, caller)
    pairs = _MONTAGE.indices(ch_names, caller=caller)
    filters = dict(mains=mains, mains_freq=mains_freq, ends=ends)
    options = (pairs, first_sample, n_rows, decimals, filters)
    records = eeg if eeg.ndim == 3 else eeg[None]
    if is_tensor(eeg):
        panels = _panels(records, *options)
        return panels if eeg.ndim == 3 else panels[0]
    if out is None:
        shape = (*eeg.shape[:-2], len(HOST_PANELS), len(_BINS), n_rows)
        out = np.empty(shape, dtype=eeg.dtype)
    results = out if eeg.ndim == 3 else out[None]
    for record, panels in zip(records, results, strict=True):
        exact = np.asarray(record, dtype=np.float64)
        if np.isinf(exact).any():
            raise ValueError(
                f"{caller}: eeg contains infinity. Repair the recording first."
            )
        panels[...] = _panels(exact[None], *options)[0]
    return out


def _panels(
    eeg: Array,
    pairs: tuple[np.ndarray, np.ndarray],
    first_sample: int,
    n_rows: int,
    decimals: int | None,
    filters: dict[str, Any],
) -> Array:
    """Compute the panels of EEG of shape (n, n_channels, n_times), in its type."""
    xp = namespace(eeg)
    filled = xp.where(xp.isnan(eeg), xp.zeros_like(eeg[:1, :1, :1]), eeg)
    bipolar = host_filter(pair_differences(filled, *pairs), **filters)
    last = first_sample + (n_rows - 1) * _STEP + _WINDOW
    power = multitaper_power(
        bipolar[..., first_sample:last],
        sfreq=_SFREQ,
        window_seconds=_WINDOW / _SFREQ,
        step_seconds=_STEP / _SFREQ,
        time_bandwidth=_BANDWIDTH,
        n_tapers=_N_TAPERS,
        n_fft=_N_FFT,
        fmin=0.5,
        fmax=20.0,
        scaling="two-sided",
    )
    panels = group_means(power, [_MONTAGE.chains[panel] for panel in HOST_PANELS])
    return panels if decimals is None else panels.round(decimals=decimals)
