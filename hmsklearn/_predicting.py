"""Labels and scores of whatever predicts the distribution of votes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hmsklearn.metrics import kl_divergence

__all__ = ["LabelsAndScores", "PredictsVotes"]


class LabelsAndScores:
    """What ``predict`` and ``score`` do, for classes that describe them themselves.

    Those are classes whose `X` is no rows, or whose ``predict_proba`` takes more than
    `X`: further arguments are handed to it.
    """

    classes_: np.ndarray
    predict_proba: Callable[..., np.ndarray]

    def _label(self, X: Any, **beside: Any) -> np.ndarray:
        best = self.predict_proba(X, **beside).argmax(axis=1)
        return self.classes_[best]

    def _negative_kl(self, X: Any, y: Any, sample_weight: Any, **beside: Any) -> float:
        proba = self.predict_proba(X, **beside)
        return -float(
            kl_divergence(y, proba, sample_weight=sample_weight, classes=self.classes_)
        )


class PredictsVotes(LabelsAndScores):
    """Mixin of classifiers: ``predict`` and ``score`` from ``predict_proba``.

    It stands before :class:`sklearn.base.ClassifierMixin`, whose score is accuracy.
    """

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the distribution of the votes.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows, as in ``fit``.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Probabilities, columns in the order of ``classes_``.
        """
        raise NotImplementedError

    def predict(self, X: Any) -> np.ndarray:
        """Name the most probable class.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows, as in ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Labels out of ``classes_``.
        """
        return self._label(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Negative KL divergence; greater is better.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        float
            The negative divergence in nat.
        """
        return self._negative_kl(X, y, sample_weight)
