"""The models of the folds, kept and averaged, in place of one refitted model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["FoldAverage"]


class FoldAverage:
    """Average the probabilities of fitted estimators with equal classes.

    Parameters
    ----------
    estimators : sequence of fitted estimators
        The estimators of the folds.

    Attributes
    ----------
    estimators_ : list
        The estimators.
    classes_ : ndarray of shape (n_classes,)
        Their classes.

    Notes
    -----
    Rows that the estimators were trained on are not predicted out of fold: each has
    been seen by all the estimators but one.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> first = DummyClassifier().fit([[0]] * 4, [0, 1, 1, 1])
    >>> second = DummyClassifier().fit([[0]] * 4, [0, 0, 1, 1])
    >>> FoldAverage([first, second]).predict_proba([[0]]).tolist()
    [[0.375, 0.625]]
    """

    def __init__(self, estimators: Sequence[Any]) -> None:
        self.estimators_ = list(estimators)
        self.classes_ = self.estimators_[0].classes_

    def predict_proba(self, X: Any) -> np.ndarray:
        """Average the estimators' probabilities.

        Parameters
        ----------
        X : array-like
            Data as the estimators take it.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Mean probabilities.
        """
        total = np.asarray(self.estimators_[0].predict_proba(X))
        for estimator in self.estimators_[1:]:
            total = total + estimator.predict_proba(X)
        return total / len(self.estimators_)

    def __repr__(self) -> str:
        return f"FoldAverage of {len(self.estimators_)} x {self.estimators_[0]!r}"
