"""Groups: which rows belong together, usually because they are one patient's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hmsklearn.views import WindowViews

__all__ = ["balanced_weight", "check_groups", "patients_of"]


def balanced_weight(
    groups: np.ndarray, power: float, weight: np.ndarray | None
) -> np.ndarray:
    """Weigh the rows of large groups down.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,)
        Group of each row.
    power : float
        Every row counts the size of its group to the minus this.
    weight : ndarray of shape (n_rows,) or None
        Weights of the rows, multiplied with it. Rows without weight are as if they
        were not there.

    Returns
    -------
    ndarray of shape (n_rows,)
        The weights.

    Examples
    --------
    >>> balanced_weight(np.array(["a", "a", "b"]), 1.0, None).tolist()
    [0.5, 0.5, 1.0]
    """
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if weight is not None:
        counts = np.maximum(np.bincount(inverse, weight > 0), 1.0)
    balance = counts[inverse].astype(np.float64) ** -power
    return balance if weight is None else balance * weight


def check_groups(groups: Any, n_rows: int, *, caller: str) -> np.ndarray | None:
    """Check the group labels of the rows.

    Parameters
    ----------
    groups : array-like of shape (n_rows,) or None
        Group (patient) of each row.
    n_rows : int
        Number of rows of the data.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_rows,) or None
        The labels, None if there were none.

    Raises
    ------
    ValueError
        For a wrong shape or missing labels; the message names the first row.

    Examples
    --------
    >>> check_groups(["a", "a", "b"], 3, caller="doctest").tolist()
    ['a', 'a', 'b']
    >>> check_groups(["a", None, "b"], 3, caller="doctest")
    Traceback (most recent call last):
        ...
    ValueError: doctest: groups are missing in 1 rows (first in row 1). A row of an \
unknown patient can leak into any fold: drop it or give it a group of its own.
    """
    if groups is None:
        return None
    values = np.asarray(groups)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (n_rows,):
        raise ValueError(
            f"{caller}: groups has shape {values.shape}, expected ({n_rows},), one "
            "label for each row of X."
        )
    missing = np.flatnonzero(pd.isna(values))
    if missing.size:
        raise ValueError(
            f"{caller}: groups are missing in {missing.size} rows (first in row "
            f"{missing[0]}). A row of an unknown patient can leak into any fold: drop "
            "it or give it a group of its own."
        )
    return values


def patients_of(X: Any) -> np.ndarray | None:
    """Return the patients that the rows themselves tell.

    Parameters
    ----------
    X : object
        The data.

    Returns
    -------
    ndarray of shape (n_rows,) or None
        The column ``patient_id`` of a DataFrame, or of the first of several views that
        is one and has it; None for anything else.

    Examples
    --------
    >>> import pandas as pd
    >>> patients_of(pd.DataFrame({"patient_id": [7, 7, 9]})).tolist()
    [7, 7, 9]
    """
    if isinstance(X, WindowViews):
        found = [patients_of(view) for view in X.values()]
        return next((patients for patients in found if patients is not None), None)
    columns = getattr(X, "columns", None)
    if columns is None or "patient_id" not in columns:
        return None
    return X["patient_id"].to_numpy()
