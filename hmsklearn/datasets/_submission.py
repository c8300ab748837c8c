"""Writing ``submission.csv``: checked first, then written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hmsklearn.votes import VOTE_COLUMNS

__all__ = ["write_submission"]


def write_submission(
    path: str | Path, rows: pd.DataFrame, proba: Any, *, sample: Any = None
) -> pd.DataFrame:
    """Write predicted probabilities in the competition's format.

    Parameters
    ----------
    path : str or Path
        File to write; an existing one is replaced only once the new one is complete.
    rows : DataFrame
        The predicted rows, with an ``eeg_id`` column (``load_hms(root,
        "test").data``).
    proba : array-like of shape (n_rows, 6)
        Probabilities in the order of :data:`hmsklearn.votes.CLASSES`. Rows must sum
        to one within 0.0001; they are divided by their sum in float64, because the
        competition's checker is stricter than float32.
    sample : str, Path or DataFrame, optional
        The competition's ``sample_submission.csv``. When given, the ids must be the
        same set, each once, and the submission takes its order and columns.

    Returns
    -------
    DataFrame
        What was written: ``eeg_id`` and the six vote columns.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not a probability, an id repeats, or the ids
        or columns differ from the sample's. Nothing is written then.

    Examples
    --------
    >>> import tempfile
    >>> rows = pd.DataFrame({"eeg_id": [7, 9]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = write_submission(
    ...         Path(folder) / "submission.csv", rows, np.full((2, 6), 1 / 6)
    ...     )
    >>> table.columns[:3].tolist(), table["eeg_id"].tolist()
    (['eeg_id', 'seizure_vote', 'lpd_vote'], [7, 9])
    """
    name = "write_submission"
    if "eeg_id" not in getattr(rows, "columns", ()):
        raise ValueError(
            f"{name}: rows must be a DataFrame with an eeg_id column, such as "
            "load_hms(root, 'test').data."
        )
    values = np.asarray(proba, dtype=np.float64)
    if values.shape != (len(rows), len(VOTE_COLUMNS)):
        raise ValueError(
            f"{name}: proba has shape {values.shape}, expected ({len(rows)}, "
            f"{len(VOTE_COLUMNS)}): one row for each of rows, one column for each "
            "class."
        )
    total = values.sum(axis=1)
    bad = ~((values >= 0).all(axis=1) & (np.abs(total - 1) <= 1e-4))
    if bad.any():
        raise ValueError(
            f"{name}: {int(bad.sum())} rows of proba are not probabilities that sum "
            f"to one (first: row {int(np.flatnonzero(bad)[0])}). Pass the output of "
            "predict_proba."
        )
    table = pd.DataFrame(values / total[:, None], columns=list(VOTE_COLUMNS))
    table.insert(0, "eeg_id", rows["eeg_id"].to_numpy())
    repeated = table["eeg_id"].duplicated()
    if repeated.any():
        raise ValueError(
            f"{name}: eeg_id {table['eeg_id'][repeated].iloc[0]} occurs more than "
            "once. A submission has one row for each eeg_id: average its rows first."
        )
    if sample is not None:
        table = _in_order_of(table, sample, name)
    path = Path(path)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix="~")
    try:
        with os.fdopen(handle, "w", newline="") as stream:
            table.to_csv(stream, index=False)
        Path(partial).chmod(0o644)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    return table


def _in_order_of(table: pd.DataFrame, sample: Any, name: str) -> pd.DataFrame:
    expected = sample if isinstance(sample, pd.DataFrame) else pd.read_csv(sample)
    if set(expected.columns) != set(table.columns):
        raise ValueError(
            f"{name}: the sample submission has the columns "
            f"{expected.columns.tolist()}, expected {table.columns.tolist()}."
        )
    missing = set(expected["eeg_id"]) - set(table["eeg_id"])
    extra = set(table["eeg_id"]) - set(expected["eeg_id"])
    if missing or extra:
        raise ValueError(
            f"{name}: the predicted eeg_id differ from the sample submission's: "
            f"{len(missing)} missing (such as {sorted(missing)[:3]}), {len(extra)} "
            f"unexpected (such as {sorted(extra)[:3]}). Predict the rows of the same "
            "folder's test.csv."
        )
    ordered = table.set_index("eeg_id").loc[expected["eeg_id"]].reset_index()
    return ordered[expected.columns.tolist()]
