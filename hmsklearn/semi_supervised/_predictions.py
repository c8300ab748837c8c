"""What a classifier owes that predicts through ``estimator_``."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from hmsklearn._predicting import PredictsVotes
from hmsklearn._wrapping import FeaturesOfEstimator
from hmsklearn.model_selection._folds import check_estimator_proba
from hmsklearn.model_selection._splits import count_rows
from hmsklearn.semi_supervised._columns import proba_in_order

__all__ = ["PredictionsOfEstimator"]


class PredictionsOfEstimator(PredictsVotes, FeaturesOfEstimator, ClassifierMixin):
    """Methods of a classifier whose fitted ``estimator_`` predicts.

    Subclasses set ``estimator_`` and ``classes_`` in ``fit``.
    """

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

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")
