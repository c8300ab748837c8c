"""The table of a competition folder: rows, votes, patients."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from hmsklearn.datasets._layout import TEST_COLUMNS, VIEWS
from hmsklearn.votes import CLASSES, VOTE_COLUMNS, check_votes

__all__ = ["load_hms"]

_NEEDED = {
    "train": (
        *(view.id_column for view in VIEWS.values()),
        *(view.offset_column for view in VIEWS.values()),
        "patient_id",
        *VOTE_COLUMNS,
    ),
    "test": TEST_COLUMNS,
}

_DESCR = """\
HMS - Harmful Brain Activity Classification
-------------------------------------------
Each row of `data` is one labelled window: 50 s of EEG (20 channels, 200 Hz,
microvolt) and the 600 s of spectrogram around it, of which experts rated the central
10 s. Up to a few dozen experts gave one vote each to one of six patterns: seizure,
lateralised or generalised periodic discharges (LPD, GPD), lateralised or generalised
rhythmic delta activity (LRDA, GRDA), or anything else. Neighbouring rows of one
recording overlap, and a patient has several recordings: cross-validate by patient.

data: table of the rows; its attrs["root"] tells readers where the files are
target: votes, one column for each of target_names (None for the test split)
groups: patient of each row
"""


def load_hms(root: str | os.PathLike[str], split: str = "train") -> Bunch:
    """Load the table of a competition folder.

    No signal is read: :class:`hmsklearn.datasets.HMSReader`, the first step of a
    pipeline, does that for the rows it is given.

    Parameters
    ----------
    root : str or path
        The folder with ``train.csv``, ``train_eegs`` and so on, as Kaggle hands it
        out or as :func:`hmsklearn.datasets.make_hms` writes it.
    split : {"train", "test"}, default="train"
        Which table to load.

    Returns
    -------
    Bunch
        With the entries

        data : DataFrame
            All columns of ``train.csv`` or ``test.csv``, one row for each labelled
            window. ``data.attrs["root"]`` is the folder; pandas keeps it when rows
            are selected.
        target : ndarray of shape (n, 6), int64, or None
            Votes in the order of `target_names`; None for the test split.
        groups : ndarray of shape (n,)
            ``patient_id`` of each row.
        target_names : list of str
            :data:`hmsklearn.votes.CLASSES`.
        root : Path
            The folder.
        DESCR : str
            What this is.

    Raises
    ------
    FileNotFoundError
        If the folder, its table, or both folders of recordings are missing.
    ValueError
        If `split` is unknown, the table cannot be parsed, is empty or lacks columns,
        or votes are not non-negative whole numbers.

    References
    ----------
    Kaggle, HMS - Harmful Brain Activity Classification, data page.

    Examples
    --------
    >>> import tempfile
    >>> from hmsklearn.datasets import make_hms
    >>> folder = tempfile.TemporaryDirectory()
    >>> root = make_hms(folder.name, n_patients=1, n_test=1, random_state=0)
    >>> hms = load_hms(root)
    >>> hms.target.shape == (len(hms.data), 6), hms.data.shape[1]
    (True, 15)
    >>> load_hms(root, "test").data.columns.tolist()
    ['spectrogram_id', 'eeg_id', 'patient_id']
    >>> folder.cleanup()
    """
    if split not in _NEEDED:
        raise ValueError(
            f"load_hms: split={split!r} is not known. Give 'train' or 'test'."
        )
    root = Path(root).expanduser().absolute()
    if not root.is_dir():
        raise FileNotFoundError(
            f"load_hms: there is no folder {root}. Give the folder that holds "
            f"{split}.csv, or let hmsklearn.datasets.make_hms simulate one."
        )
    path = root / f"{split}.csv"
    data = _read_table(path, split)
    folders = [root / f"{split}_{view.folder}" for view in VIEWS.values()]
    if not any(folder.is_dir() for folder in folders):
        raise FileNotFoundError(
            f"load_hms: {root} holds neither {folders[0].name} nor {folders[1].name}. "
            "Unpack the recordings next to the table."
        )
    data.attrs["root"] = str(root)
    return Bunch(
        data=data,
        target=_read_votes(data, path) if split == "train" else None,
        groups=data["patient_id"].to_numpy(),
        target_names=list(CLASSES),
        root=root,
        DESCR=_DESCR,
    )


def _read_table(path: Path, split: str) -> pd.DataFrame:
    if not path.is_file():
        beside = sorted(entry.name for entry in path.parent.glob("*.csv"))
        found = f"It holds {', '.join(beside)}." if beside else "It holds no table."
        raise FileNotFoundError(
            f"load_hms: there is no {path.name} in {path.parent}. {found} Give the "
            "competition folder itself."
        )
    try:
        data = pd.read_csv(path)
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise ValueError(
            f"load_hms: {path} cannot be read as a CSV table ({error}). Download it "
            "again."
        ) from error
    missing = [column for column in _NEEDED[split] if column not in data.columns]
    if missing:
        raise ValueError(
            f"load_hms: {path} lacks the columns {missing}; it has "
            f"{data.columns.tolist()}. Use the competition's own table."
        )
    if data.empty:
        raise ValueError(f"load_hms: {path} has no rows. Download it again.")
    nobody = np.flatnonzero(data["patient_id"].isna())
    if nobody.size:
        raise ValueError(
            f"load_hms: {path} has no patient_id in row {nobody[0]} ({nobody.size} in "
            "all). Windows without a patient cannot be split by patient: fill or drop "
            "them."
        )
    return data


def _read_votes(data: pd.DataFrame, path: Path) -> np.ndarray:
    table: Any = data[list(VOTE_COLUMNS)]
    try:
        table = table.to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"load_hms: {path} holds votes that are not numbers ({error}). Repair "
            "the vote columns."
        ) from None
    fractional = np.flatnonzero((np.isfinite(table) & (table % 1 != 0)).any(axis=1))
    if fractional.size:
        raise ValueError(
            f"load_hms: {path} has votes that are not whole numbers (first in row "
            f"{fractional[0]}). The table must hold counts; pass fractions to "
            "estimators directly."
        )
    if np.isfinite(table).all():
        table = table.astype(np.int64)
    check_votes(table, caller=f"load_hms: {path}")
    return table
