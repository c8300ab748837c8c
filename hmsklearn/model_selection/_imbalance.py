"""How far folds are from equal shares of rows, classes and vote populations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hmsklearn._compat import num_samples
from hmsklearn._groups import patients_of
from hmsklearn.model_selection._split_forms import read_splits
from hmsklearn.model_selection._vote_cells import vote_cells

__all__ = ["fold_imbalance"]


def fold_imbalance(
    splits: Any,
    X: Any,
    y: Any = None,
    *,
    groups: Any = None,
    vote_edges: Sequence[float] | None = (10,),
    classes: str | Sequence[Any] | None = "hms",
) -> pd.DataFrame:
    """Compare the held-out parts of splits with equal shares.

    Parameters
    ----------
    splits : array-like of int, str, splitter or iterable of (train, test)
        Fold number of each row, the column of `X` with them, a splitter, or pairs of
        row numbers.
    X : array-like, DataFrame, list or WindowViews
        The rows.
    y : array-like of shape (n, n_classes) or (n,), optional
        Votes, fractions or labels. Without it, the vote columns of `X`.
    groups : array-like of shape (n,), optional
        What a splitter keeps whole. Without it, the column ``patient_id`` of `X`.
    vote_edges : sequence of float or None, default=(10,)
        Vote numbers at which a population of rows begins.
    classes : "hms", "infer", None or sequence of labels, default="hms"
        Labels in column order.

    Returns
    -------
    DataFrame of shape (n_splits, n_cells)
        Relative deviation from the mean over folds: 0.1 where a fold has ten percent
        more, -1 where it has nothing. The columns name the population (``"all"``,
        ``"<10"``, ``">=10"``) and what is summed (``"rows"`` or the votes' shares for
        a class). NaN where no fold has any.

    Raises
    ------
    ValueError
        If the splits or the target are not usable.

    See Also
    --------
    VoteStratifiedGroupKFold : Makes folds for which this is small.

    Notes
    -----
    The largest entry in magnitude is the *imbalance* of the folds that the user guide
    quotes: ``fold_imbalance(...).abs().max(axis=None)``.

    Examples
    --------
    >>> from hmsklearn.model_selection import fold_imbalance
    >>> y = [[2, 0, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0], [0, 2, 0, 0, 0, 0]]
    >>> table = fold_imbalance([0, 0, 1], y, y, vote_edges=None)
    >>> table["all"][["rows", "Seizure"]].round(3).to_numpy().tolist()
    [[0.333, 1.0], [-0.333, -1.0]]
    """
    caller = "fold_imbalance"
    n_rows = int(num_samples(X))
    groups = patients_of(X) if groups is None else groups
    pairs = read_splits(splits, X, y, groups, n_rows, caller=caller)
    cells = vote_cells(y, X, vote_edges, classes, caller=caller)
    if cells.values.shape[0] != n_rows:
        raise ValueError(
            f"{caller}: X and y have inconsistent numbers of rows: X has {n_rows} "
            f"rows, y has {cells.values.shape[0]}."
        )
    sums = np.stack([cells.values[test].sum(axis=0) for _, test in pairs])
    mean = sums.mean(axis=0)
    share = np.divide(sums, mean, out=np.full(sums.shape, np.nan), where=mean > 0)
    index = pd.RangeIndex(len(pairs), name="split")
    return pd.DataFrame(share - 1.0, index=index, columns=cells.names)
