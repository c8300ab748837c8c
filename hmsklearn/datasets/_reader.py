"""The first step of a pipeline: rows of a table in, signals out."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from hmsklearn.datasets._layout import VIEWS, View
from hmsklearn.datasets._parquet import read_windows
from hmsklearn.datasets._row_reader import RowReader
from hmsklearn.datasets._rows import locate_windows
from hmsklearn.montage import pick_channels

__all__ = ["HMSReader"]


class HMSReader(RowReader, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Read the windows that rows of ``train.csv`` or ``test.csv`` refer to.

    With this as its first step a pipeline takes the table itself as `X`, so that
    cross-validation, grid search and stacking split rows and nothing large is held
    or pickled.

    Parameters
    ----------
    root : str or path, optional
        The competition folder. Rows that :func:`hmsklearn.datasets.load_hms` loaded
        carry their folder in ``X.attrs["root"]``, which takes precedence
        (with a warning where `root` names another one): a
        pipeline fitted in one place reads new rows from where they came from.
    view : {"eeg", "spectrogram"}, default="eeg"
        What to read: the 50 s of EEG, or the 600 s of the organisers' spectrogram.
    window_seconds : float, optional
        Length of the output, around the centre of the labelled window; all of it
        by default (50 s or 600 s). Experts rated the central 10 s. A whole number
        of samples; for spectrograms a multiple of 2 s. Longer than the labelled
        window, it takes in what the file holds before and after, as
        :class:`hmsklearn.augmentation.WindowJitter` needs it; half of what is added
        is then a whole number of samples as well (0.01 s or 4 s more at a time).
    ch_names : sequence of str, optional
        Electrodes to read, in this order, under any of their names (T3 or T7);
        all 20 by default. For spectrograms, panels out of LL, RL, LP, RP. Columns
        that are not asked for are not decoded.
    n_jobs : int, optional
        Number of threads that read files. None means one, unless a
        ``joblib.parallel_config`` says otherwise; -1 means all processors.

    See Also
    --------
    hmsklearn.datasets.load_hms : Loads the table.
    hmsklearn.augmentation.WindowJitter : Cuts windows out of longer ones in training.

    Notes
    -----
    `X` is a DataFrame with the column ``eeg_id`` (or ``spectrogram_id``). If it has
    ``eeg_label_offset_seconds`` (or ``spectrogram_label_offset_seconds``) its rows
    are taken for training rows and read from ``train_eegs`` (``train_spectrograms``)
    at that offset; else for test rows, read from ``test_eegs``
    (``test_spectrograms``) at offset zero. Other columns are ignored; index and
    order are free, rows may repeat, and ``transform`` may be given other columns
    than ``fit``.

    The output is a new float32 array, time last: ``(n, n_channels, n_times)`` in
    microvolt at 200 Hz, 10,000 samples; or ``(n, n_panels, 100, n_rows)`` power,
    frequency low to high, a row every 2 s, 300 of them. NaN and nulls of the files
    become NaN. A spectrogram offset that is odd is rounded down to a row.

    Samples of a longer output that the file does not have, before its start or after
    its end, are NaN in all channels. A file of exactly one labelled window, as those
    of the test set are, has nothing but NaN around it. ``WindowJitter`` stays between
    such ends; any other step of a pipeline would take them for lost samples, so that
    filters refuse them and an imputer fills them in.

    ``fit`` learns nothing: it checks parameters, columns, folder and that every
    file exists. What is in the files is checked when they are read. Each file is
    opened once per call, however many rows refer to it, and only one file for each
    thread is in memory beside the output. The reader keeps no data.

    References
    ----------
    Kaggle, HMS - Harmful Brain Activity Classification, data page. The 3rd place
    (discussion 492471) moved its windows within the record.

    Examples
    --------
    >>> import tempfile
    >>> from hmsklearn.datasets import HMSReader, load_hms, make_hms
    >>> folder = tempfile.TemporaryDirectory()
    >>> root = make_hms(folder.name, n_patients=1, n_test=1, random_state=0)
    >>> rows = load_hms(root).data.iloc[:1]
    >>> HMSReader().fit_transform(rows).shape
    (1, 20, 10000)
    >>> HMSReader(view="spectrogram").fit_transform(rows).shape
    (1, 4, 100, 300)
    >>> HMSReader(window_seconds=10, ch_names=["T7", "T8"]).fit_transform(rows).shape
    (1, 2, 2000)
    >>> HMSReader(window_seconds=83.33).fit_transform(rows).shape
    (1, 20, 16666)
    >>> folder.cleanup()
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        view: str = "eeg",
        window_seconds: float | None = None,
        ch_names: Sequence[str] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.root = root
        self.view = view
        self.window_seconds = window_seconds
        self.ch_names = ch_names
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> HMSReader:
        """Check parameters, columns and that the files exist.

        Parameters
        ----------
        X : DataFrame
            Rows of ``train.csv`` or ``test.csv``.
        y : object, optional
            Ignored.

        Returns
        -------
        self : object
            The reader.

        Raises
        ------
        TypeError
            If `X` is not a DataFrame.
        ValueError
            If a parameter, an id or an offset is not usable, a column is missing,
            there are no rows, or nothing says where the recordings are.
        FileNotFoundError
            If the folder or a file is missing; names the first file and its row.
        """
        view, _, _ = self._check_parameters()
        locate_windows(X, self.root, view=view, caller=type(self).__name__)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Read the windows.

        Parameters
        ----------
        X : DataFrame
            Rows of ``train.csv`` or ``test.csv``.

        Returns
        -------
        ndarray of float32
            Shape (n, n_channels, n_times) or (n, n_panels, 100, n_rows).

        Raises
        ------
        TypeError, ValueError, FileNotFoundError
            As ``fit``; ValueError also if a file cannot be read, lacks columns or
            ends before a window does. The message names file and row.
        """
        caller = type(self).__name__
        view, channels, width = self._check_parameters()
        jobs = locate_windows(X, self.root, view=view, caller=caller)
        per_channel = len(view.columns) // len(view.channels)
        columns = [
            view.columns[channel * per_channel + i]
            for channel in channels
            for i in range(per_channel)
        ]
        out = np.empty((len(X), len(columns), width), dtype=np.float32)
        crop = (view.window - width) // 2  # negative if longer, and then exact
        # Threads share `out`; a process would write into its own copy of it.
        Parallel(n_jobs=self.n_jobs, require="sharedmem")(
            delayed(read_windows)(
                job, out, view=view, columns=columns, crop=crop, caller=caller
            )
            for job in jobs
        )
        if per_channel > 1:
            return out.reshape(len(X), len(channels), per_channel, width)
        return out

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the output's channels or panels (axis 1).

        Parameters
        ----------
        input_features : object, optional
            Ignored: the names do not depend on the columns of the table.

        Returns
        -------
        ndarray of str objects
            One name for each entry of axis 1 of the output.
        """
        view, channels, _ = self._check_parameters()
        return np.asarray([view.channels[i] for i in channels], dtype=object)

    def _check_parameters(self) -> tuple[View, list[int], int]:
        """Return the view, the positions of the channels and the output's width."""
        name = type(self).__name__
        if not isinstance(self.view, str) or self.view not in VIEWS:
            raise ValueError(
                f"{name}: view={self.view!r} is not known. Give 'eeg' or 'spectrogram'."
            )
        view = VIEWS[self.view]
        self._check_n_jobs()
        return view, self._check_channels(view), self._check_width(view)

    def _check_channels(self, view: View) -> list[int]:
        name = type(self).__name__
        if self.ch_names is None:
            return list(range(len(view.channels)))
        wanted = self.ch_names
        if isinstance(wanted, str) or not all(isinstance(c, str) for c in wanted):
            raise ValueError(
                f"{name}: ch_names must be a list of names, got {wanted!r}."
            )
        wanted = list(wanted)
        if view.name == "eeg":
            channels = pick_channels(wanted, view.channels, caller=name).tolist()
        else:
            unknown = [panel for panel in wanted if panel not in view.channels]
            if unknown:
                raise ValueError(
                    f"{name}: ch_names={wanted} names {unknown}; with "
                    f"view='spectrogram' only {list(view.channels)} can be read."
                )
            channels = [view.channels.index(panel) for panel in wanted]
        if not channels or len(set(channels)) != len(channels):
            raise ValueError(
                f"{name}: ch_names={wanted} is empty or names a channel twice. Name "
                "each channel once, or give None for all."
            )
        return channels

    def _check_width(self, view: View) -> int:
        seconds = self.window_seconds
        if seconds is None:
            return view.window
        usable = isinstance(seconds, Real) and not isinstance(seconds, bool)
        if usable and 0 < seconds < math.inf:
            width = round(float(seconds) / view.step)
            # Half a sample more on one side would move the centre.
            centred = width <= view.window or (width - view.window) % 2 == 0
            if width >= 1 and centred and abs(width * view.step - seconds) < 1e-6:
                return width
        raise ValueError(
            f"{type(self).__name__}: window_seconds={seconds!r} is not usable with "
            f"view={view.name!r}. Give None, a multiple of {view.step:g} s up to "
            f"{view.seconds:g} s, or a multiple of {2 * view.step:g} s beyond them, "
            "so that as many samples are added before as after."
        )
