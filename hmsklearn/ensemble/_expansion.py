"""Vote fractions as weighted rows with one label each.

A classifier that takes one label a row minimises the same loss on these rows as one
that takes fractions would: the logarithmic loss is linear in the target.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Expansion", "expand", "repeat"]


class Expansion(NamedTuple):
    """Rows with one label each.

    Attributes
    ----------
    rows : ndarray of shape (n_expanded,)
        Number of the row that each came from, ascending.
    columns : ndarray of shape (n_expanded,)
        Number of its class.
    weight : ndarray of shape (n_expanded,) or None
        Its weight; None where all weigh the same.
    """

    rows: np.ndarray
    columns: np.ndarray
    weight: np.ndarray | None


def expand(fractions: np.ndarray, weight: np.ndarray | None) -> Expansion:
    """Give each row one copy for every class that it has a share of.

    Parameters
    ----------
    fractions : ndarray of shape (n_rows, n_classes)
        Shares of the classes.
    weight : ndarray of shape (n_rows,) or None
        Weights of the rows, which their copies share.

    Returns
    -------
    Expansion
        The copies; those of weight zero are left out.

    Examples
    --------
    >>> copies = expand(np.array([[0.75, 0.25], [0.0, 1.0]]), np.array([2.0, 1.0]))
    >>> copies.rows.tolist(), copies.columns.tolist(), copies.weight.tolist()
    ([0, 0, 1], [0, 1, 1], [1.5, 0.5, 1.0])
    """
    mass = fractions if weight is None else fractions * weight[:, None]
    rows, columns = np.nonzero(mass)
    return Expansion(rows, columns, mass[rows, columns])


def repeat(fractions: np.ndarray, weight: np.ndarray | None, repeats: int) -> Expansion:
    """Give each row as many equal copies as its shares ask for.

    Parameters
    ----------
    fractions : ndarray of shape (n_rows, n_classes)
        Shares of the classes.
    weight : ndarray of shape (n_rows,) or None
        Weights of the rows.
    repeats : int
        Copies of a row of weight one.

    Returns
    -------
    Expansion
        The copies, without weights. A row of weight w has ``repeats * w`` of them,
        rounded; they go to the classes in whole numbers, the last ones to where
        most is left over.

    Examples
    --------
    >>> copies = repeat(np.array([[0.7, 0.3], [0.0, 1.0]]), None, 2)
    >>> copies.rows.tolist(), copies.columns.tolist()
    ([0, 0, 1, 1], [0, 1, 1, 1])
    """
    weight = np.ones(len(fractions)) if weight is None else weight
    totals = np.floor(repeats * weight + 0.5).astype(np.intp)
    wanted = fractions * totals[:, None]
    # A tiny step up, so that 0.3 x 10 counts as three whole copies.
    counts = np.floor(wanted + 1e-9).astype(np.intp)
    left = totals - counts.sum(axis=1)
    order = np.argsort(counts - wanted, axis=1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(order.shape[1])[None], axis=1)
    counts += place < left[:, None]
    rows, columns = np.indices(counts.shape)
    copies = counts.ravel()
    return Expansion(
        np.repeat(rows.ravel(), copies), np.repeat(columns.ravel(), copies), None
    )
