"""Importing what is not a hard dependency, with an error that says what to do."""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["import_optional"]


def import_optional(module: str, *, extra: str, needed_by: str) -> ModuleType:
    """Import an optional dependency or say how to install it.

    Parameters
    ----------
    module : str
        Dotted name of the module.
    extra : str
        The extra of this package that brings it.
    needed_by : str
        What the user called, named in the error.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    ImportError
        If it is not installed, with the pip line that installs it.

    Examples
    --------
    >>> import_optional("math", extra="plot", needed_by="doctest").pi > 3
    True
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{needed_by} needs {module.split('.')[0]}, which is not installed. Run: "
            f'pip install "hmsklearn[{extra}]"'
        ) from error
