"""HostSpectrogramizer: the competition's spectrograms, from EEG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_integer
from hmsklearn.montage import CH_NAMES, get_montage
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.host_filter import check_host_filter
from hmsklearn.signal.host_spectrogram import (
    HOST_PANELS,
    host_frequencies,
    host_rows,
    host_spectrogram,
)

__all__ = ["HostSpectrogramizer"]


class HostSpectrogramizer(BaseSignalTransformer):
    """The spectrograms that the competition's organisers computed, from EEG.

    50 s of EEG become the four panels of 100 x 24 that a spectrogram file holds for
    them, so that EEG from elsewhere can be shown to a model that was trained on those
    files.

    Parameters
    ----------
    ch_names : sequence of str, default=None
        Names of the channels of `X`; None takes the 20 columns of a competition file.
        The 16 electrodes of the four chains must be among them.
    first_sample : int, default=0
        First sample of the first column; what lies before serves the filter alone.
    n_columns : int, default=None
        Number of columns of the images, one for each step of 2 s: what a spectrogram
        file calls rows. None takes all that fit.
    decimals : int, default=None
        Round to so many decimals; the files have 2.
    mains : {"notch", "stop", None}, default="notch"
        What is done about mains hum: the notch of the spectrograms of training, the
        band-stop of the public one of the test set, or nothing.
    mains_freq : float, default=60.0
        Frequency of the mains in Hz.
    ends : {"cut", "whole"}, default="cut"
        Whether windows were cut out of longer recordings, or are whole recordings.

    Attributes
    ----------
    frequencies_ : ndarray of shape (100,)
        Frequencies of the image's height in Hz.
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if the channels do not fit their names, an electrode is missing, a
        parameter is unusable, the columns do not fit into the windows, or `X` contains
        infinite values.

    See Also
    --------
    hmsklearn.preprocessing.NotchFilter : Other band-stops, as ``mains="stop"``
        (``method="butterworth"``), and notches, as ``mains="notch"``
        (``method="resonator"``).

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in microvolt at 200 Hz in, ``(n_windows, 4,
    100, n_columns)`` in microvolt squared per Hz out, same dtype: the planes LL, RL, LP
    and RP, frequency from low to high on height, time on width. Arrays are computed in
    float64, tensors in their own type. NaN counts as zero, as it did for the
    organisers.

    The values are raw power. :class:`hmsklearn.imaging.KaggleSpectrogramImager` makes
    images of them, as it does of the files.

    See :func:`hmsklearn.signal.host_spectrogram.host_spectrogram` for the recipe and
    how closely it meets the files, and
    :func:`hmsklearn.signal.host_spectrogram.host_alignment` for which row is which.

    References
    ----------
    Organisers' labelling tool, Rapid_IIIC_Labeling_GUI, step 5 (spectrograms).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.spectrogram import HostSpectrogramizer
    >>> X = np.zeros((1, 20, 10_000), dtype="float32")
    >>> X[0, 16] = 50 * np.sin(2 * np.pi * 3 * np.arange(10_000) / 200)  # T4
    >>> step = HostSpectrogramizer().fit(X)
    >>> panels = step.transform(X)[0]
    >>> panels.shape, step.get_feature_names_out().tolist()
    ((4, 100, 24), ['LL', 'RL', 'LP', 'RP'])
    >>> bool(abs(step.frequencies_[panels[1, :, 10].argmax()] - 3) < 0.5)
    True
    """

    _allow_nan = True

    def __init__(
        self,
        *,
        ch_names: Sequence[str] | None = None,
        first_sample: int = 0,
        n_columns: int | None = None,
        decimals: int | None = None,
        mains: str | None = "notch",
        mains_freq: float = 60.0,
        ends: str = "cut",
    ) -> None:
        self.ch_names = ch_names
        self.first_sample = first_sample
        self.n_columns = n_columns
        self.decimals = decimals
        self.mains = mains
        self.mains_freq = mains_freq
        self.ends = ends

    def _fit(self, X: np.ndarray) -> None:
        caller = type(self).__name__
        if isinstance(self.ch_names, str):
            raise ValueError(
                f"{caller}: ch_names must be a list of names, got the text "
                f"{self.ch_names!r}."
            )
        names = CH_NAMES if self.ch_names is None else tuple(self.ch_names)
        if len(names) != X.shape[1]:
            whose = (
                "the 20 columns of a competition file are expected"
                if self.ch_names is None
                else f"ch_names has {len(names)} names"
            )
            raise ValueError(
                f"{caller}: X has {X.shape[1]} channels (axis 1), but {whose}. Pass "
                "ch_names, one name for each channel in the order of your data."
            )
        get_montage("double_banana_16").indices(names, caller=caller)
        check_host_filter(self.mains, self.mains_freq, self.ends, caller=caller)
        if self.decimals is not None:
            check_integer(self.decimals, "decimals", caller=caller, low=0, high=12)
        self._names = names
        self._output_shape(X)
        self.frequencies_ = host_frequencies()

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        n_columns = host_rows(
            X.shape[-1],
            self.first_sample,
            self.n_columns,
            caller=type(self).__name__,
            unit="columns",
        )
        return len(HOST_PANELS), len(host_frequencies()), n_columns

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return host_spectrogram(
            X,
            ch_names=self._names,
            first_sample=self.first_sample,
            n_rows=self.n_columns,
            decimals=self.decimals,
            mains=self.mains,
            mains_freq=self.mains_freq,
            ends=self.ends,
            out=out,
        )

    def _feature_names_out(self, names: list[str]) -> list[str]:
        return list(HOST_PANELS)
