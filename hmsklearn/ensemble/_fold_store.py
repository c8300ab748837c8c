"""Results of finished fits on disk, so that a run that was killed goes on."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tempfile
import warnings
from pathlib import Path
from typing import Any

import joblib

__all__ = ["DiskRecord", "record_folder"]

#: Folder, inside the one that the user names, that holds the records.
_FOLDER = "hmsklearn-stacking"

#: What pickle raises for a class that it does not find by name.
_UNKNOWN = (pickle.PicklingError, AttributeError)


def record_folder(memory: Any, caller: str) -> Path | None:
    """Find the folder that the records go to.

    Parameters
    ----------
    memory : None, str, path or joblib.Memory
        What the user gave.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    Path or None
        A folder inside the given one; None where nothing is to be kept.

    Raises
    ------
    TypeError
        If `memory` is nothing of the kind.

    Examples
    --------
    >>> record_folder("cache", "doctest").as_posix()
    'cache/hmsklearn-stacking'
    """
    if isinstance(memory, joblib.Memory):
        memory = memory.location
    if memory is None:
        return None
    if not isinstance(memory, (str, os.PathLike)):
        raise TypeError(
            f"{caller}: memory must be a folder or a joblib.Memory, got {memory!r}."
        )
    return Path(memory) / _FOLDER


class DiskRecord:
    """The place of one result on disk.

    Parameters
    ----------
    folder : Path
        Folder of the records; it is made when the first one is saved.
    key : str
        Name of the result: what it depends on, as digits.
    caller : str
        Name that starts the warnings.

    Notes
    -----
    A file appears under its name when it is complete and on disk, and it starts with
    a checksum: a process that is killed while it writes, or a disk that is full,
    leaves nothing that could be taken for a result. The files are pickles, so the
    folder must be one that is trusted.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     record = DiskRecord(Path(folder), "0123", "doctest")
    ...     print(record.load())
    ...     record.save([1, 2])
    ...     print(DiskRecord(Path(folder), "0123", "doctest").load())
    None
    [1, 2]
    """

    def __init__(self, folder: Path, key: str, caller: str) -> None:
        self.path = Path(folder) / f"{key}.joblib"
        self.caller = caller

    def load(self) -> Any:
        """Give what was kept.

        Returns
        -------
        object
            The value; None where there is none.

        Warns
        -----
        UserWarning
            If the file is damaged. It counts as none, and is written anew.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        digest, data = content[:32], content[32:]
        try:
            if hashlib.sha256(data).digest() != digest:
                raise ValueError("its checksum is wrong")
            return joblib.load(io.BytesIO(data))
        except Exception as error:  # a pickle can fail in any way
            warnings.warn(
                f"{self.caller}: the record {self.path} cannot be used ({error}). It "
                "is fitted again.",
                UserWarning,
                stacklevel=2,
            )
            return None

    def save(self, value: Any) -> None:
        """Keep a value.

        Parameters
        ----------
        value : object
            Anything that can be pickled, but None.

        Warns
        -----
        UserWarning
            If a class of the value cannot be found by its name, so that no later
            process could read it. Then nothing is kept.
        """
        try:
            data = _pickled(value)
        except _UNKNOWN as error:
            warnings.warn(
                f"{self.caller}: this fit cannot be kept on disk ({error}). A later "
                "run fits it again. Put the class into a module that can be imported.",
                UserWarning,
                stacklevel=2,
            )
        else:
            self._write(data)

    def save_if_known(self, value: Any) -> bool:
        """Keep a value if its classes can be found by name in this process.

        Parameters
        ----------
        value : object
            Anything that can be pickled, but None.

        Returns
        -------
        bool
            Whether it was kept. joblib's workers do not know the classes of a script
            or notebook by name; the process that runs it does, and can read them.
        """
        try:
            data = _pickled(value)
        except _UNKNOWN:
            return False
        self._write(data)
        return True

    def _write(self, data: memoryview) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder, since files are renamed at once only within one disk.
        handle, partial = tempfile.mkstemp(
            dir=self.path.parent, prefix=f"{self.path.stem}-", suffix=".partial"
        )
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(data).digest())
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise


def _pickled(value: Any) -> memoryview:
    buffer = io.BytesIO()
    joblib.dump(value, buffer)
    return buffer.getbuffer()
