"""A simulated competition folder for the checks, made once for each process."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hmsklearn.votes import VOTE_COLUMNS

__all__ = ["simulated_folder", "simulated_rows"]


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
