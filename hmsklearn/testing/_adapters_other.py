"""Adapters for what takes neither windows nor images: blenders and readers."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmsklearn.testing._adapters import BaseAdapter
from hmsklearn.testing._folder import simulated_cadences, simulated_rows

__all__ = ["RowsAdapter", "StackAdapter"]


class StackAdapter(BaseAdapter):
    """Run a blender of probabilities on a table.

    The table is first judged by three simple members, which differ in how sure they
    are: the closer a row is to the centre of a class, the more probable the class.
    The blender gets their probabilities as ``(n_samples, 3, n_classes)``.

    Parameters
    ----------
    estimator : estimator instance, default=None
        What to run; required by ``fit``. It is cloned.

    Attributes
    ----------
    estimator_ : estimator instance
        The fitted clone.
    classes_ : ndarray
        Classes of a fitted classifier.
    centres_ : ndarray of shape (n_classes, n_features)
        Centres of the classes.
    width_ : float
        Mean squared distance of a row to its centre.
    n_features_in_ : int
        Number of columns of the table.
    feature_names_in_ : ndarray of str
        Names of the columns, where the table has them.

    See Also
    --------
    WindowAdapter : For estimators of windows.

    Examples
    --------
    >>> from hmsklearn.ensemble import KLBlender
    >>> from hmsklearn.testing import StackAdapter
    >>> X, y = [[0.0], [0.2], [1.0], [1.2]], ["a", "a", "b", "b"]
    >>> StackAdapter(KLBlender(classes="infer")).fit(X, y).predict(X).tolist()
    ['a', 'a', 'b', 'b']
    """

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Fit the members, then the blender.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table.
        y : array-like, optional
            Target, passed on.
        sample_weight : array-like of shape (n_samples,), optional
            Weights, passed on.

        Returns
        -------
        self : object
            The adapter.
        """
        return self._fit(X, y, sample_weight=sample_weight)

    def _learn(self, X: np.ndarray, y: Any, weight: Any) -> None:
        label = np.asarray(y).ravel()
        if y is None or len(label) != len(X):
            # The blender is to find fault with this target, not the members.
            label = np.arange(len(X)) % 2
        weight = np.ones(len(X)) if weight is None else np.asarray(weight, dtype=float)
        if weight.shape != (len(X),) or not (weight > 0).any():
            weight = np.ones(len(X))
        classes, code = np.unique(label, return_inverse=True)
        member = np.eye(len(classes))[code.ravel()] * weight[:, None]
        with np.errstate(invalid="ignore"):
            total = np.maximum(member.sum(axis=0), 1e-12)
            self.centres_ = (member.T @ X) / total[:, None]
            off = ((X - self.centres_[code.ravel()]) ** 2).sum(axis=1)
        self.width_ = float(np.sum(off * weight) / weight.sum()) + 1e-9

    def _hand_over(self, X: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            off = ((X[:, None, :] - self.centres_) ** 2).sum(axis=2) / self.width_
            off = off - off.min(axis=1, keepdims=True)
            odds = np.exp(-off[:, None, :] * np.array([2.0, 0.5, 0.1])[:, None])
            return odds / odds.sum(axis=2, keepdims=True)


class RowsAdapter(BaseAdapter):
    """Run a reader of rows on a table.

    Each row of the table picks one row of a simulated folder, by its numbers alone.
    Where one of the numbers is NaN or infinite, so is the offset of the window or the
    id of the cadence.

    Parameters
    ----------
    estimator : estimator instance, default=None
        What to run; required by ``fit``. It is cloned.
    n_rows : int, default=12
        Number of rows of the folder to pick from.
    kind : {"rows", "cadences"}, default="rows"
        Whether the folder is that of HMS or that of SETI.

    Attributes
    ----------
    estimator_ : estimator instance
        The fitted clone.
    n_features_in_ : int
        Number of columns of the table.
    feature_names_in_ : ndarray of str
        Names of the columns, where the table has them.

    See Also
    --------
    WindowAdapter : For estimators of windows.

    Examples
    --------
    >>> from hmsklearn.testing import RowsAdapter
    >>> RowsAdapter(n_rows=3)
    RowsAdapter(n_rows=3)
    """

    def __init__(
        self, estimator: Any = None, *, n_rows: int = 12, kind: str = "rows"
    ) -> None:
        self.estimator = estimator
        self.n_rows = n_rows
        self.kind = kind

    def _hand_over(self, X: np.ndarray) -> Any:
        cadences = self.kind == "cadences"
        rows, _, _ = (simulated_cadences if cadences else simulated_rows)(self.n_rows)
        total = (X.astype(np.float64) * np.arange(1, X.shape[1] + 1)).sum(axis=1)
        usable = np.isfinite(total)
        pick = np.round(np.where(usable, total, 0.0) * 10).astype(np.int64)
        rows = rows.iloc[pick % self.n_rows].reset_index(drop=True)
        for column in rows.columns[rows.columns.str.contains("offset_seconds")]:
            rows[column] = np.where(usable, rows[column], total)
        if cadences and not usable.all():
            rows["id"] = [
                name if good else value
                for name, good, value in zip(rows["id"], usable, total, strict=True)
            ]
        return rows
