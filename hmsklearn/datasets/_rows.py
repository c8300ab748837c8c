"""From rows of the table to files and positions in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hmsklearn.datasets._layout import View
from hmsklearn.datasets._parquet import FileJob
from hmsklearn.datasets._root import find_root

__all__ = ["locate_windows"]


def locate_windows(
    X: Any, root: str | os.PathLike[str] | None, *, view: View, caller: str
) -> list[FileJob]:
    """Find the file and the position of every row's window.

    Parameters
    ----------
    X : DataFrame
        Rows of ``train.csv``, or of ``test.csv`` (without a column of offsets).
    root : str, path or None
        Folder, for rows that do not carry one in ``X.attrs["root"]``.
    view : View
        Kind of file.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of FileJob
        One for each file, in the order of first appearance. Every file exists.

    Raises
    ------
    TypeError
        If `X` is not a DataFrame.
    ValueError
        For missing columns, unusable ids or offsets, no rows, no root.
    FileNotFoundError
        If the folder or a file is missing.
    """
    _check_frame(X, view, caller)
    base, source = find_root(
        X, root, what="recordings", loader="load_hms", caller=caller
    )
    folder, why = _split_folder(X, base, source, view, caller)
    ids = _file_names(X, view, caller)
    starts = _starts(X, view, caller)
    codes, names = pd.factorize(ids)
    order = np.argsort(codes, kind="stable")
    jobs = [
        FileJob(
            path=folder / f"{name}.parquet",
            positions=positions,
            starts=starts[positions],
            labels=_Labels(X, positions, view),
        )
        for name, positions in zip(
            names, np.split(order, np.cumsum(np.bincount(codes))[:-1]), strict=True
        )
    ]
    missing = [job for job in jobs if not job.path.is_file()]
    if missing:
        n_rows = sum(job.positions.size for job in missing)
        raise FileNotFoundError(
            f"{caller}: there is no {missing[0].path}, needed by "
            f"{missing[0].labels[0]}; {len(missing)} of {len(jobs)} files are missing, "
            f"for {n_rows} of {len(X)} rows. {why} Complete the folder, or keep only "
            "the rows whose files are there."
        )
    return jobs


class _Labels(Sequence):
    """Names of rows for error messages, made only when one is raised."""

    def __init__(self, X: pd.DataFrame, positions: np.ndarray, view: View) -> None:
        self._index = X.index
        self._positions = positions
        self._ids = X[view.id_column]
        self._column = view.id_column

    def __getitem__(self, item: Any) -> str:
        return _label(int(self._positions[item]), self._index, self._ids, self._column)

    def __len__(self) -> int:
        return self._positions.size


def _label(position: int, index: pd.Index, ids: pd.Series, column: str) -> str:
    name = index[position]
    other = "" if name == position else f", index {name}"
    return f"row {position} ({column} {ids.iloc[position]}{other})"


def _check_frame(X: Any, view: View, caller: str) -> None:
    if isinstance(X, pd.Series):
        raise TypeError(
            f"{caller}: X is a single row (a pandas Series). Select it as a table, "
            "with X.iloc[[0]] instead of X.iloc[0]."
        )
    if not isinstance(X, pd.DataFrame):
        raise TypeError(
            f"{caller}: X must be a DataFrame of rows of train.csv or test.csv, got "
            f"{type(X).__name__}. Take hmsklearn.datasets.load_hms(root).data or "
            "pandas.read_csv."
        )
    if view.id_column not in X.columns:
        raise ValueError(
            f"{caller}: X lacks the column {view.id_column!r}; it has "
            f"{X.columns.tolist()}. Pass the rows of train.csv or test.csv."
        )
    for column in (view.id_column, view.offset_column):
        if (X.columns == column).sum() > 1:
            raise ValueError(f"{caller}: X has several columns {column!r}. Keep one.")
    if len(X) == 0:
        raise ValueError(
            f"{caller}: Found array with 0 sample(s) (shape={X.shape}) while a minimum "
            "of 1 is required: X has no rows. Check the selection before it."
        )


def _split_folder(
    X: pd.DataFrame, base: Path, source: str, view: View, caller: str
) -> tuple[Path, str]:
    """Return the folder of the files and a sentence saying why this one."""
    if view.offset_column in X.columns:
        split, because = "train", f"has the column {view.offset_column!r}"
    else:
        split, because = "test", f"has no column {view.offset_column!r}"
    folder = base / f"{split}_{view.folder}"
    why = f"The folder comes from {source}, its name from the fact that X {because}."
    if not folder.is_dir():
        what = f"no folder {folder}" if base.is_dir() else f"no folder {base}"
        raise FileNotFoundError(
            f"{caller}: there is {what}. {why} If the folder has moved, load the rows "
            "again with load_hms(new_folder), or set X.attrs['root'] to it."
        )
    return folder, why


def _file_names(X: pd.DataFrame, view: View, caller: str) -> np.ndarray:
    ids = X[view.id_column]
    values = ids.to_numpy()
    if values.dtype.kind in "iu":
        return values
    try:
        if pd.isna(ids).any():
            raise ValueError
        if values.dtype.kind == "f":
            if np.isinf(values).any() or (values % 1 != 0).any():
                raise ValueError
            return values.astype(np.int64)
        return np.asarray([_id_from_text(value) for value in values], dtype=object)
    except ValueError:
        bad = next(i for i, value in enumerate(values) if not _is_id(value))
        raise ValueError(
            f"{caller}: {view.id_column} is {values[bad]!r} in row {bad}. It must be a "
            "whole number, the name of a file."
        ) from None


def _is_id(value: Any) -> bool:
    try:
        _id_from_text(value)
    except ValueError:
        return False
    return True


def _id_from_text(value: Any) -> int:
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value) or value % 1 != 0:
            raise ValueError
        return int(value)
    try:
        return int(value)
    except TypeError:
        raise ValueError from None


def _starts(X: pd.DataFrame, view: View, caller: str) -> np.ndarray:
    if view.offset_column not in X.columns:
        return np.zeros(len(X), dtype=np.int64)
    column = X[view.offset_column]
    try:
        seconds = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{caller}: {view.offset_column} holds values that are not numbers "
            f"({error}). It must hold seconds."
        ) from None
    bad = np.flatnonzero(~np.isfinite(seconds) | (seconds < 0))
    if bad.size:
        label = _label(int(bad[0]), X.index, X[view.id_column], view.id_column)
        first = "NaN" if np.isnan(seconds[bad[0]]) else seconds[bad[0]]
        raise ValueError(
            f"{caller}: {view.offset_column} is {first} in {label}, and "
            f"unusable in {bad.size} rows in all. It must be zero or more seconds. "
            "For windows at the start of their files, as in test.csv, drop the column."
        )
    if view.name == "spectrogram":
        # An odd offset lies half-way between two rows; the earlier one counts.
        return (seconds // view.step).astype(np.int64)
    return np.rint(seconds / view.step).astype(np.int64)
