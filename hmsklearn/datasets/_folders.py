"""Folders that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["written_whole"]


@contextmanager
def written_whole(root: Path) -> Iterator[Path]:
    """Write a folder beside its place and rename it when it is complete.

    Parameters
    ----------
    root : Path
        Where the folder shall be. What is there already is replaced.

    Yields
    ------
    Path
        The name to write under; it does not exist yet.

    Notes
    -----
    After an error nothing is left. A process that is killed leaves a hidden folder
    beside `root` whose name ends in ``.partial``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as home:
    ...     with written_whole(Path(home) / "data") as partial:
    ...         partial.mkdir()
    ...         _ = (partial / "a.txt").write_text("a")
    ...     print([path.name for path in Path(home).rglob("*.txt")])
    ['a.txt']
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    partial = root.parent / f".{root.name}.{uuid.uuid4().hex[:8]}.partial"
    try:
        yield partial
        _move_into_place(partial, root)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _move_into_place(partial: Path, root: Path) -> None:
    if not root.exists():
        os.replace(partial, root)
        return
    # An empty folder, or one that may be overwritten: aside first, so that there is
    # no moment at which a half-deleted folder has the name.
    old = partial.with_suffix(".old")
    os.replace(root, old)
    try:
        os.replace(partial, root)
    except OSError:
        os.replace(old, root)
        raise
    shutil.rmtree(old)
