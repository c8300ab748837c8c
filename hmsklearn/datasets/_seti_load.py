"""The table of a SETI folder: cadences and whether they hold a needle."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from hmsklearn.datasets._seti_layout import ID_COLUMN, TABLES, TARGET_COLUMN

__all__ = ["load_seti"]

_DESCR = """\
SETI Breakthrough Listen - E.T. Signal Search
---------------------------------------------
Each row of `data` is one cadence: six observations of a radio telescope, 273 moments
of 256 frequencies each, of which the first, third and fifth point at a star and the
others elsewhere. The target is 1 where a simulated signal, the needle, was added to
the observations of the star, and 0 elsewhere. The score is the area under the ROC
curve.

data: table of the cadences; its attrs["root"] tells readers where the files are
target: 0 or 1 for each row (None for the test split)
"""


def load_seti(root: str | os.PathLike[str], split: str = "train") -> Bunch:
    """Load the table of a folder of the SETI competition.

    No cadence is read: :class:`hmsklearn.datasets.SETIReader`, the first step of a
    pipeline, does that for the rows it is given.

    Parameters
    ----------
    root : str or path
        The folder with ``train_labels.csv``, ``train`` and so on, as Kaggle hands it
        out or as :func:`hmsklearn.datasets.make_seti` writes it.
    split : {"train", "test"}, default="train"
        Which table to load; that of the test set is ``sample_submission.csv``.

    Returns
    -------
    Bunch
        With the entries

        data : DataFrame
            The column ``id``, one row for each cadence. ``data.attrs["root"]`` is the
            folder; pandas keeps it when rows are selected.
        target : ndarray of shape (n,), int64, or None
            1 for a needle, 0 for none; None for the test split.
        root : Path
            The folder.
        DESCR : str
            What this is.

    Raises
    ------
    FileNotFoundError
        If the folder, its table or the folder of its cadences is missing.
    ValueError
        If `split` is unknown, the table cannot be parsed, is empty or lacks columns,
        ids repeat, or a target is neither 0 nor 1.

    References
    ----------
    Kaggle, SETI Breakthrough Listen - E.T. Signal Search, data page.

    Examples
    --------
    >>> import tempfile
    >>> from hmsklearn.datasets import make_seti
    >>> folder = tempfile.TemporaryDirectory()
    >>> seti = load_seti(make_seti(folder.name, 4, n_test=1, random_state=0))
    >>> seti.data.shape, seti.target
    ((4, 1), array([1, 0, 1, 0]))
    >>> folder.cleanup()
    """
    if split not in TABLES:
        raise ValueError(
            f"load_seti: split={split!r} is not known. Give 'train' or 'test'."
        )
    root = Path(root).expanduser().absolute()
    if not root.is_dir():
        raise FileNotFoundError(
            f"load_seti: there is no folder {root}. Give the folder that holds "
            f"{TABLES[split]}, or let hmsklearn.datasets.make_seti simulate one."
        )
    path = root / TABLES[split]
    table = _read_table(path)
    if not (root / split).is_dir():
        raise FileNotFoundError(
            f"load_seti: {root} holds no folder {split!r}. Unpack the cadences next to "
            "the table."
        )
    data = table[[ID_COLUMN]]
    data.attrs["root"] = str(root)
    return Bunch(
        data=data,
        target=_read_target(table, path) if split == "train" else None,
        root=root,
        DESCR=_DESCR,
    )


def _read_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        beside = sorted(entry.name for entry in path.parent.glob("*.csv"))
        found = f"It holds {', '.join(beside)}." if beside else "It holds no table."
        raise FileNotFoundError(
            f"load_seti: there is no {path.name} in {path.parent}. {found} Give the "
            "competition folder itself."
        )
    try:
        # As text: an id such as 123e45 or 000123 would be read as a number.
        table = pd.read_csv(path, dtype={ID_COLUMN: str})
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise ValueError(
            f"load_seti: {path} cannot be read as a CSV table ({error}). Download it "
            "again."
        ) from error
    missing = [name for name in (ID_COLUMN, TARGET_COLUMN) if name not in table.columns]
    if missing:
        raise ValueError(
            f"load_seti: {path} lacks the columns {missing}; it has "
            f"{table.columns.tolist()}. Use the competition's own table."
        )
    if table.empty:
        raise ValueError(f"load_seti: {path} has no rows. Download it again.")
    nameless = np.flatnonzero(table[ID_COLUMN].isna())
    if nameless.size:
        raise ValueError(
            f"load_seti: {path} has no id in row {nameless[0]} ({nameless.size} in "
            "all). Download it again."
        )
    repeated = table[ID_COLUMN].duplicated()
    if repeated.any():
        raise ValueError(
            f"load_seti: {path} names the cadence {table[ID_COLUMN][repeated].iloc[0]} "
            f"more than once ({int(repeated.sum())} rows repeat an earlier one). "
            "Copies of a row in training and validation inflate the score: drop them."
        )
    return table


def _read_target(table: pd.DataFrame, path: Path) -> np.ndarray:
    column = table[TARGET_COLUMN]
    bad = np.flatnonzero(~column.isin([0, 1]))
    if bad.size:
        raise ValueError(
            f"load_seti: {path} has the target {column.iloc[bad[0]]!s} in row "
            f"{bad[0]} ({bad.size} such rows). It must be 0 or 1."
        )
    return column.to_numpy(dtype=np.int64)
