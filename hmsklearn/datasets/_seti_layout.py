"""The layout of the SETI competition's folder: names, shapes, order of observations."""

from __future__ import annotations

__all__ = [
    "CADENCE",
    "CADENCE_SHAPE",
    "ID_COLUMN",
    "OFF",
    "ON",
    "SPLITS",
    "TABLES",
    "TARGET_COLUMN",
    "cadence_path",
]

#: The observations of a cadence in time: the star, then another place, in turn.
CADENCE: tuple[str, ...] = ("A1", "B", "A2", "C", "A3", "D")

#: Positions of the observations that point at the star.
ON: tuple[int, ...] = (0, 2, 4)

#: Positions of those that point elsewhere.
OFF: tuple[int, ...] = (1, 3, 5)

#: Observations, moments and frequencies of one file.
CADENCE_SHAPE: tuple[int, int, int] = (6, 273, 256)

#: Folders of the files.
SPLITS: tuple[str, ...] = ("train", "test")

#: The table that lists the files of each folder.
TABLES: dict[str, str] = {"train": "train_labels.csv", "test": "sample_submission.csv"}

#: Columns of the tables.
ID_COLUMN, TARGET_COLUMN = "id", "target"


def cadence_path(cadence_id: str) -> str:
    """Path of a cadence's file within the folder of its split.

    Parameters
    ----------
    cadence_id : str
        Hexadecimal name.

    Returns
    -------
    str
        First digit, slash, name.

    Examples
    --------
    >>> cadence_path("0a3f")
    '0/0a3f.npy'
    """
    return f"{cadence_id[:1]}/{cadence_id}.npy"
