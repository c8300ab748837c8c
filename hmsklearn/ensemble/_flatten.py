"""Probabilities of several models, and features beside them, as one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hmsklearn.ensemble._blender import check_member_probabilities

__all__ = ["count_models", "flatten"]

#: A float32 softmax is not known more finely than this near zero.
_SMALLEST = 1e-7


def flatten(X: Any, probabilities: str, caller: str) -> np.ndarray:
    """Make a table of probabilities of several models and of features.

    Parameters
    ----------
    X : array-like, or mapping of str to array-like
        Probabilities of shape (n, n_models, n_classes), or several views of the same
        rows: such probabilities and tables of features.
    probabilities : {"log", "raw", "drop"}
        What becomes of the probabilities.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n, n_features)
        Model by model, class by class, then the features.

    Raises
    ------
    ValueError
        If probabilities are none, if a view is no table, or if nothing is left.

    Examples
    --------
    >>> proba = np.array([[[0.5, 0.5], [1.0, 0.0]]])
    >>> flatten(proba, "raw", "doctest").tolist()
    [[0.5, 0.5, 1.0, 0.0]]
    >>> flatten({"proba": proba, "age": np.array([[7.0]])}, "raw", "doctest").tolist()
    [[0.5, 0.5, 1.0, 0.0, 7.0]]
    """
    views = X if isinstance(X, Mapping) else {"X": X}
    tables = [_table(name, view, probabilities, caller) for name, view in views.items()]
    kept = [table for table in tables if table is not None]
    if kept:
        return np.concatenate(kept, axis=1)
    raise ValueError(
        f"{caller}: with probabilities='drop' nothing is left of X. Give features "
        "beside the probabilities, or keep these."
    )


def count_models(X: Any) -> int | None:
    """Count the models whose probabilities are in the data.

    Parameters
    ----------
    X : object
        The data.

    Returns
    -------
    int or None
        Number of models of an array with three axes, or of the first view that is
        one; None for anything else.

    Examples
    --------
    >>> count_models(np.ones((5, 3, 6))), count_models(np.ones((5, 3)))
    (3, None)
    """
    if isinstance(X, Mapping):
        sizes = [count_models(view) for view in X.values()]
        return next((size for size in sizes if size is not None), None)
    return len(X[0]) if _is_deep(X) else None


def _is_deep(X: Any) -> bool:
    if hasattr(X, "shape"):
        return len(X.shape) == 3
    return isinstance(X, list) and len(X) > 0 and np.ndim(X[0]) == 2


def _of_probabilities(X: Any, probabilities: str, caller: str) -> np.ndarray | None:
    proba = check_member_probabilities(X, caller)
    if probabilities == "drop":
        return None
    table = proba.reshape(len(proba), -1).astype(np.float64, copy=False)
    return np.log(np.maximum(table, _SMALLEST)) if probabilities == "log" else table


def _table(name: str, view: Any, probabilities: str, caller: str) -> np.ndarray | None:
    if _is_deep(view):
        return _of_probabilities(view, probabilities, caller)
    table = np.asarray(view)
    if table.ndim != 2 or table.dtype.kind not in "iufb":
        raise ValueError(
            f"{caller}: view {name!r} has shape {table.shape} and dtype {table.dtype}; "
            "expected a table of numbers, or probabilities of several models."
        )
    return table
