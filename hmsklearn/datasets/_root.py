"""Which folder rows of a table belong to."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["find_root"]


def find_root(
    X: pd.DataFrame, root: Any, *, what: str, loader: str, caller: str
) -> tuple[Path, str]:
    """Find the folder that the files of rows are in.

    Parameters
    ----------
    X : DataFrame
        Rows, which may carry their folder in ``X.attrs["root"]``.
    root : str, path or None
        Folder, for rows that carry none.
    what : str
        What the files are, for messages: "recordings".
    loader : str
        Function that loads such rows.
    caller : str
        Name that starts the messages.

    Returns
    -------
    base : Path
        The folder. Nobody has looked whether it exists.
    source : str
        Words for where its name comes from.

    Raises
    ------
    ValueError
        If nothing tells the folder, or what does is no path.

    Warns
    -----
    UserWarning
        If `root` names another folder than the rows do.

    Examples
    --------
    >>> rows = pd.DataFrame({"id": ["a"]})
    >>> find_root(rows, "here", what="recordings", loader="load_hms", caller="doctest")
    (PosixPath('here'), 'root')
    """
    carried = X.attrs.get("root")
    source = f"X.attrs['root'], set by {loader}" if carried is not None else "root"
    folder = carried if carried is not None else root
    if folder is None:
        raise ValueError(
            f"{caller}: nothing says where the {what} are: root is None and the rows "
            f"carry no attrs['root'] ({loader} sets it; pandas.concat and merge may "
            f"lose it). Give {caller}(root=...) or set X.attrs['root']."
        )
    if not isinstance(folder, (str, os.PathLike)):
        raise ValueError(f"{caller}: {source} must be a path, got {folder!r}.")
    base = Path(folder).expanduser()
    given = isinstance(root, (str, os.PathLike))
    if given and Path(root).expanduser().resolve() != base.resolve():
        warnings.warn(
            f"{caller}: the rows were read from {base} (X.attrs['root'], set by "
            f"{loader}), so root={str(root)!r} is not used. To read the {what} of that "
            f"folder load the rows from it, {loader}(root), or delete X.attrs['root'].",
            UserWarning,
            stacklevel=5,
        )
    return base, source
