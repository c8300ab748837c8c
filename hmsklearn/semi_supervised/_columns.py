"""Columns of a part's probabilities, in the order of the whole's classes."""

from __future__ import annotations

import numpy as np

from hmsklearn.ensemble._members import columns_in_order

__all__ = ["proba_in_order"]


def proba_in_order(
    proba: np.ndarray, found: np.ndarray, wanted: np.ndarray, caller: str
) -> np.ndarray:
    """Put columns into order; those that are merely numbered are in it.

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes)
        Probabilities of an estimator that was fitted on a table of votes.
    found : ndarray of shape (n_classes,)
        Its classes.
    wanted : ndarray of shape (n_classes,)
        Classes in the order wanted.
    caller : str
        Name that starts the error message.

    Returns
    -------
    ndarray of shape (n, n_classes)
        Probabilities, float64.

    Raises
    ------
    ValueError
        If the classes are others.

    Examples
    --------
    >>> proba_in_order(np.array([[0.1, 0.9]]), np.arange(2), np.array(["a", "b"]),
    ...                "doctest").tolist()
    [[0.1, 0.9]]
    """
    if found.tolist() != list(range(wanted.size)):
        proba = columns_in_order(proba, found, wanted, caller)
    return proba.astype(np.float64, copy=False)
