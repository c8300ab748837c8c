"""Simulated competition folders for the checks, made once for each process."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hmsklearn.votes import VOTE_COLUMNS

__all__ = ["simulated_cadences", "simulated_folder", "simulated_rows"]


@cache
def simulated_folder() -> Path:
    """Write the simulated folder at the first call.

    Returns
    -------
    Path
        The folder, removed when the process ends.
    """
    from hmsklearn.datasets import make_hms

    home = tempfile.TemporaryDirectory(prefix="hmsklearn-checks-")
    atexit.register(home.cleanup)
    root = Path(home.name) / "hms"
    make_hms(root, n_patients=4, n_test=1, random_state=0)
    return root


def simulated_rows(n_rows: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """Rows of the simulated folder's ``train.csv``, which know their folder.

    Parameters
    ----------
    n_rows : int
        Number of rows; rows are repeated where the folder has fewer.

    Returns
    -------
    rows : DataFrame
        The rows, numbered from zero, with the folder in ``attrs["root"]``.
    votes : ndarray of shape (n_rows, 6)
        Vote counts.
    groups : ndarray of shape (n_rows,)
        Patients.
    """
    import pandas as pd

    root = simulated_folder()
    table = pd.read_csv(root / "train.csv")
    rows = table.iloc[np.arange(n_rows) % len(table)].reset_index(drop=True)
    rows.attrs["root"] = str(root)
    votes = rows[list(VOTE_COLUMNS)].to_numpy()
    return rows, votes, rows["patient_id"].to_numpy()


@cache
def _seti_folder() -> Path:
    """Write the simulated folder of cadences at the first call."""
    from hmsklearn.datasets import make_seti

    home = tempfile.TemporaryDirectory(prefix="hmsklearn-checks-")
    atexit.register(home.cleanup)
    return make_seti(Path(home.name) / "seti", 6, n_test=1, random_state=0)


def simulated_cadences(n_rows: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """Rows of a simulated ``train_labels.csv``, which know their folder.

    Parameters
    ----------
    n_rows : int
        Number of rows; rows are repeated where the folder has fewer.

    Returns
    -------
    rows : DataFrame
        The rows, numbered from zero, with the folder in ``attrs["root"]``.
    votes : ndarray of shape (n_rows, 6)
        One vote each, for the first two classes.
    groups : ndarray of shape (n_rows,)
        A number for each cadence.
    """
    from hmsklearn.datasets import load_seti

    seti = load_seti(_seti_folder())
    pick = np.arange(n_rows) % len(seti.data)
    rows = seti.data.iloc[pick].reset_index(drop=True)
    return rows, np.eye(len(VOTE_COLUMNS), dtype=np.int64)[seti.target[pick]], pick
