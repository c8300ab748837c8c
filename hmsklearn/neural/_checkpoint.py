"""The state of a training on disk: written whole or not at all, found by what it is."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

__all__ = ["Checkpoint"]


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
