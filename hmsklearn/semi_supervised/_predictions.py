"""What a classifier owes that predicts through ``estimator_``."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from hmsklearn.metrics import kl_divergence
from hmsklearn.model_selection._folds import check_estimator_proba
from hmsklearn.model_selection._splits import count_rows
from hmsklearn.semi_supervised._columns import proba_in_order

__all__ = ["PredictionsOfEstimator"]


class PredictionsOfEstimator(ClassifierMixin):
    """Methods of a classifier whose fitted ``estimator_`` predicts.

    Subclasses set ``estimator_`` and ``classes_`` in ``fit``.
    """

    estimator_: Any
    classes_: np.ndarray

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows, as in ``fit``.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Probabilities, columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        caller = f"{type(self).__name__}: estimator"
        proba, found = check_estimator_proba(
            self.estimator_,
            self.estimator_.predict_proba(X),
            count_rows(X, caller=type(self).__name__),
            caller,
        )
        return proba_in_order(proba, found, self.classes_, caller)

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
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

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
        proba = self.predict_proba(X)
        return -float(
            kl_divergence(y, proba, sample_weight=sample_weight, classes=self.classes_)
        )

    @property
    def n_features_in_(self) -> int:
        """What the estimator saw in ``fit``."""
        try:
            return self.estimator_.n_features_in_
        except AttributeError:
            raise AttributeError(
                f"{type(self).__name__} has no n_features_in_: it is not fitted, or "
                "its estimator does not tell."
            ) from None

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")
