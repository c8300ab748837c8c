"""The competition folder's layout: names of files and columns, lengths, rates."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hmsklearn.montage import CH_NAMES
from hmsklearn.signal.host_spectrogram import HOST_PANELS, host_frequencies
from hmsklearn.votes import VOTE_COLUMNS

__all__ = [
    "SPECTROGRAM_COLUMNS",
    "TEST_COLUMNS",
    "TRAIN_COLUMNS",
    "VIEWS",
    "View",
]


def _suffix(freq: float) -> str:
    # As in the files: halves rounded up and no trailing zeros (3.125 is "3.13",
    # 4.1015625 is "4.1"), which neither round() nor a format string gives.
    return f"{math.floor(freq * 100 + 0.5) / 100:g}"


#: The 400 columns of a spectrogram file that follow ``time``.
SPECTROGRAM_COLUMNS: tuple[str, ...] = tuple(
    f"{panel}_{_suffix(freq)}" for panel in HOST_PANELS for freq in host_frequencies()
)

#: The columns of ``train.csv``.
TRAIN_COLUMNS: tuple[str, ...] = (
    "eeg_id",
    "eeg_sub_id",
    "eeg_label_offset_seconds",
    "spectrogram_id",
    "spectrogram_sub_id",
    "spectrogram_label_offset_seconds",
    "label_id",
    "patient_id",
    "expert_consensus",
    *VOTE_COLUMNS,
)

#: The columns of ``test.csv``.
TEST_COLUMNS: tuple[str, ...] = ("spectrogram_id", "eeg_id", "patient_id")


@dataclass(frozen=True)
class View:
    """What one kind of file holds and how a row of the table refers to it.

    Attributes
    ----------
    name : str
        What the reader's parameter `view` calls it.
    folder : str
        Second half of the folder's name, after ``train_`` or ``test_``.
    id_column, offset_column : str
        Columns of ``train.csv`` with the file's name and the window's start.
    columns : tuple of str
        Columns that a file must have, in the order of the output.
    channels : tuple of str
        Names of axis 1 of the output.
    window : int
        Rows of the file in one labelled window.
    step : float
        Seconds from one row of the file to the next.
    """

    name: str
    folder: str
    id_column: str
    offset_column: str
    columns: tuple[str, ...]
    channels: tuple[str, ...]
    window: int
    step: float

    @property
    def seconds(self) -> float:
        """Length of the labelled window in seconds."""
        return self.window * self.step


#: The two views of a labelled window.
VIEWS: dict[str, View] = {
    "eeg": View(
        name="eeg",
        folder="eegs",
        id_column="eeg_id",
        offset_column="eeg_label_offset_seconds",
        columns=CH_NAMES,
        channels=CH_NAMES,
        window=10_000,
        step=1 / 200,
    ),
    "spectrogram": View(
        name="spectrogram",
        folder="spectrograms",
        id_column="spectrogram_id",
        offset_column="spectrogram_label_offset_seconds",
        columns=SPECTROGRAM_COLUMNS,
        channels=HOST_PANELS,
        window=300,
        step=2.0,
    ),
}
