"""From rows of a SETI table to the files of their cadences."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd

from hmsklearn.datasets._root import find_root
from hmsklearn.datasets._seti_layout import ID_COLUMN, SPLITS, cadence_path

__all__ = ["locate_cadences"]

_NAME = re.compile(r"[0-9A-Za-z_-]+")


def locate_cadences(
    X: Any, root: str | os.PathLike[str] | None, *, caller: str
) -> list[tuple[Path, str]]:
    """Find the file of every row.

    Parameters
    ----------
    X : DataFrame
        Rows with the column ``id``.
    root : str, path or None
        Folder, for rows that do not carry one in ``X.attrs["root"]``.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of (Path, str)
        For each row its file, which exists, and how error messages call the row.

    Raises
    ------
    TypeError
        If `X` is not a DataFrame.
    ValueError
        For a missing column, an unusable id, no rows, no root, or an id that both
        splits have.
    FileNotFoundError
        If the folder or a file is missing.
    """
    _check_frame(X, caller)
    folder, source = find_root(
        X, root, what="cadences", loader="load_seti", caller=caller
    )
    splits = [folder / split for split in SPLITS if (folder / split).is_dir()]
    if not splits:
        what = folder if not folder.is_dir() else f"{folder / 'train'} or 'test'"
        raise FileNotFoundError(
            f"{caller}: there is no folder {what}. The folder comes from {source}. If "
            "it has moved, load the rows again with load_seti(new_folder), or set "
            "X.attrs['root'] to it."
        )
    found, missing = [], []
    for position, name in enumerate(X[ID_COLUMN]):
        label = _label(position, X.index[position], name)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            shown = "NaN" if pd.api.types.is_scalar(name) and pd.isna(name) else name
            raise ValueError(
                f"{caller}: the id is {shown!s} in row {position}. It must be text, "
                "the name of a file without its ending; read tables with "
                "load_seti, or with pandas.read_csv(path, dtype={'id': str})."
            )
        paths = [split / cadence_path(name) for split in splits]
        there = [path for path in paths if path.is_file()]
        if len(there) > 1:
            raise ValueError(
                f"{caller}: the cadence of {label} is both {there[0]} and {there[1]}. "
                "An id must belong to one split: remove one of the files."
            )
        if there:
            found.append((there[0], label))
        else:
            missing.append((paths[0], label))
    if missing:
        path, label = missing[0]
        raise FileNotFoundError(
            f"{caller}: there is no {path}, nor a file of that name in another split, "
            f"needed by {label}; the files of {len(missing)} of {len(X)} rows are "
            f"missing. The folder comes from {source}. Complete it, or keep only the "
            "rows whose files are there."
        )
    return found


def _label(position: int, name: Any, cadence_id: Any) -> str:
    other = "" if name == position else f", index {name}"
    return f"row {position} (id {cadence_id}{other})"


def _check_frame(X: Any, caller: str) -> None:
    if isinstance(X, pd.Series):
        raise TypeError(
            f"{caller}: X is a single row or column (a pandas Series). Select it as a "
            "table, with X.iloc[[0]] or X[['id']]."
        )
    if not isinstance(X, pd.DataFrame):
        raise TypeError(
            f"{caller}: X must be a DataFrame of rows of train_labels.csv, got "
            f"{type(X).__name__}. Take hmsklearn.datasets.load_seti(root).data."
        )
    n_columns = int((X.columns == ID_COLUMN).sum())
    if n_columns != 1:
        raise ValueError(
            f"{caller}: X must have one column {ID_COLUMN!r}, it has {n_columns} among "
            f"{X.columns.tolist()}. Pass the rows of train_labels.csv."
        )
    if len(X) == 0:
        raise ValueError(
            f"{caller}: Found array with 0 sample(s) (shape={X.shape}) while a minimum "
            "of 1 is required: X has no rows. Check the selection before it."
        )
