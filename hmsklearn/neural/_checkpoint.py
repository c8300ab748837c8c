"""The state of a training on disk: written whole or not at all, found by what it is."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
import types
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

__all__ = ["Checkpoint", "fingerprint"]


def fingerprint(params: Mapping[str, Any], X: Any, *arrays: Any) -> str:
    """Name a training by its parameters and data.

    Parameters
    ----------
    params : mapping
        Parameters that the result depends on.
    X : ndarray or mapping of str to ndarray
        Windows: their shape and some of their values count, since reading all of a
        memory map would take as long as an epoch.
    *arrays : ndarray or None
        Targets, weights, rows; all of their values count.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Examples
    --------
    >>> X = np.zeros((3, 2, 4))
    >>> fingerprint({"lr": 0.1}, X) == fingerprint({"lr": 0.2}, X)
    False
    """
    digest = hashlib.sha256()
    for name in sorted(params):
        digest.update(f"{name}={_text_of(params[name])};".encode())
    views = X if isinstance(X, Mapping) else {"X": X}
    for name, view in views.items():
        digest.update(f"{name}{view.shape}{view.dtype}".encode())
        for row in np.unique(np.linspace(0, len(view) - 1, 8).astype(int)):
            digest.update(np.ascontiguousarray(view[row]).tobytes())
    for array in arrays:
        if array is None:
            digest.update(b"None")
            continue
        array = np.asarray(array)
        if array.dtype == object:
            array = array.astype(str)
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _text_of(value: Any) -> str:
    """Text that is the same in another process, for anything a parameter may be."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{k}: {_text_of(v)}" for k, v in sorted(value.items()))
        return f"{{{inside}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_text_of, value))}]"
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    if hasattr(value, "get_params"):
        return f"{type(value).__name__}{_text_of(value.get_params(deep=False))}"
    if isinstance(value, functools.partial):
        return _text_of([value.func, value.args, value.keywords])
    if isinstance(value, types.MethodType):
        return _text_of([value.__self__, value.__func__])
    if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        # The default text of a function holds its address.
        code = getattr(value, "__code__", None)
        does = "" if code is None else f"{code.co_code.hex()}{code.co_names}"
        return f"{value.__module__}.{value.__qualname__}{does}"
    if type(value).__repr__ is object.__repr__:
        return f"{type(value).__qualname__}{_text_of(vars(value))}"
    return repr(value)


class Checkpoint:
    """A file that holds the state of one training.

    Parameters
    ----------
    folder : str or path
        Where it lies. Trainings of several folds may share it.
    name : str
        Class of the estimator.
    mark : str
        The training's fingerprint.

    Attributes
    ----------
    path : Path
        The file.

    Notes
    -----
    The file is written under another name, forced to disk and renamed: whatever kills
    the process, there is the state before or the state after.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(folder, "TimmClassifier", "0123")
    ...     checkpoint.save({"epoch": 3})
    ...     checkpoint.path.name, checkpoint.load()
    ('TimmClassifier-0123.pt', {'epoch': 3})
    """

    def __init__(self, folder: Any, name: str, mark: str) -> None:
        self.name = name
        self.path = Path(folder) / f"{name}-{mark}.pt"

    def save(self, state: Mapping[str, Any]) -> None:
        """Write the state.

        Parameters
        ----------
        state : mapping
            Tensors, numbers, texts and containers of them.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                torch.save(dict(state), file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise

    def load(self) -> dict[str, Any] | None:
        """Read the state of this very training.

        Returns
        -------
        dict or None
            The state; None if there is none yet.

        Raises
        ------
        ValueError
            If the file is damaged.

        Warns
        -----
        UserWarning
            If the folder holds other trainings of this class alone.
        """
        if not self.path.is_file():
            others = sorted(self.path.parent.glob(f"{self.name}-*.pt"))
            if others:
                warnings.warn(
                    f"{self.name}: resume=True, but none of {len(others)} trainings "
                    f"in {str(self.path.parent)!r} has these parameters and data; this "
                    "one starts from the beginning.",
                    UserWarning,
                    stacklevel=4,
                )
            return None
        try:
            return torch.load(self.path, map_location="cpu", weights_only=False)
        except Exception as error:
            raise ValueError(
                f"{self.name}: the checkpoint {str(self.path)!r} cannot be read "
                f"({type(error).__name__}: {error}). Delete it to start anew."
            ) from error
