"""Windows out of one parquet file, straight into the output array."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hmsklearn.datasets._layout import View
from hmsklearn.montage import canonical_name

__all__ = ["FileJob", "read_windows"]


class FileJob(NamedTuple):
    """The windows that are wanted from one file.

    Attributes
    ----------
    path : Path
        The file.
    positions : ndarray of int
        Rows of the table, hence of the output.
    starts : ndarray of int
        First row, in the file, of the whole labelled window of each.
    labels : sequence of str
        How error messages call those rows.
    """

    path: Path
    positions: np.ndarray
    starts: np.ndarray
    labels: Sequence[str]

    def __str__(self) -> str:
        return f"{self.path} (needed by {self.labels[0]})"


def read_windows(
    job: FileJob,
    out: np.ndarray,
    *,
    view: View,
    columns: Sequence[str],
    crop: int,
    caller: str,
) -> None:
    """Read a file once and write its windows where they belong.

    Parameters
    ----------
    job : FileJob
        File and windows.
    out : ndarray of shape (n_rows, n_columns, width), float32
        The output; only the rows ``job.positions`` are written.
    view : View
        Kind of file.
    columns : sequence of str
        Columns to read, in the order of axis 1 of `out`.
    crop : int
        Rows to skip at the start of each labelled window; negative where the output
        starts before it. What lies outside the file becomes NaN.
    caller : str
        Name that starts the error messages.

    Raises
    ------
    ValueError
        If the file is no parquet file or damaged, lacks columns, holds anything but
        numbers, or ends before a window does. The message names file and row.
    """
    try:
        file = pq.ParquetFile(job.path, memory_map=True, pre_buffer=False)
    except PermissionError as error:
        raise PermissionError(
            f"{caller}: {job} may not be read ({error}). Change its permissions."
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(caller, job, error) from error
    with file:
        names = _find_columns(file.schema_arrow.names, columns, view, job, caller)
        _check_ends(job, file.metadata.num_rows, view, caller)
        try:
            table = file.read(columns=names, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(caller, job, error) from error
    first = job.starts + crop
    begin = np.maximum(first, 0)
    end = np.minimum(first + out.shape[-1], table.num_rows)
    places = list(zip(job.positions, begin, end, begin - first, strict=True))
    for position, low, high, before in places:
        out[position, :, :before] = np.nan
        out[position, :, before + high - low :] = np.nan
    for index, name in enumerate(names):
        column = table.column(name)
        kind = column.type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise ValueError(
                f"{caller}: column {name!r} of {job} holds {kind}, not numbers. "
                "Download the file again."
            )
        values = column.to_numpy()
        for position, low, high, before in places:
            out[position, index, before : before + high - low] = values[low:high]


def _find_columns(
    present: list[str], wanted: Sequence[str], view: View, job: FileJob, caller: str
) -> list[str]:
    have = set(present)
    if len(have) == len(present) and have.issuperset(wanted):
        return list(wanted)
    # Second look, through aliases: T7 for T3 and the like.
    by_name: dict[str, list[str]] = {}
    for name in present:
        key = canonical_name(name) if view.name == "eeg" else name
        by_name.setdefault(key, []).append(name)
    missing = [name for name in wanted if name not in by_name]
    if missing:
        shown = ", ".join(missing[:8]) + (", ..." if len(missing) > 8 else "")
        raise ValueError(
            f"{caller}: {job} lacks {len(missing)} of the columns that are to be "
            f"read: {shown}. Download the file again, or name the electrodes that "
            "all files have in ch_names."
        )
    twice = [by_name[name] for name in wanted if len(by_name[name]) > 1]
    if twice:
        raise ValueError(
            f"{caller}: {job} has several columns for one electrode: {twice[0]}. "
            "Drop all but one."
        )
    return [by_name[name][0] for name in wanted]


def _check_ends(job: FileJob, n_rows: int, view: View, caller: str) -> None:
    late = np.flatnonzero(job.starts + view.window > n_rows)
    if late.size:
        start = int(job.starts[late[0]])
        raise ValueError(
            f"{caller}: the window of {job.labels[late[0]]} needs rows {start} to "
            f"{start + view.window} of {job.path}, which has only {n_rows} "
            f"({n_rows * view.step:g} s; the offset is {start * view.step:g} s and the "
            f"window {view.seconds:g} s long). Table and file do not belong together: "
            "check the offset, or download the file again."
        )


def _unreadable(caller: str, job: FileJob, error: Exception) -> ValueError:
    size = job.path.stat().st_size if job.path.exists() else 0
    return ValueError(
        f"{caller}: {job} is not a readable parquet file: it is {size} bytes long and "
        f"the reader says: {str(error).strip().splitlines()[0]} The file is truncated "
        "or of another kind (a CSV under this name, say): download it again."
    )
