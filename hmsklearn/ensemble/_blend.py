"""The upper level of a stack: what the final estimator is given, and its fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import get_tags

from hmsklearn._groups import patients_of
from hmsklearn.ensemble._cross_fit import Target
from hmsklearn.ensemble._passthrough import Passthrough
from hmsklearn.ensemble._prediction_features import prediction_features
from hmsklearn.ensemble._soft_labels import SoftLabelClassifier
from hmsklearn.ensemble._upsample import upsampled_weight
from hmsklearn.views import WindowViews

__all__ = [
    "Blend",
    "FittedBlend",
    "check_takes_features",
    "taught_by_votes",
]


def taught_by_votes(estimator: Any, classes: Any) -> Any:
    """Wrap a final estimator that knows tables and labels only.

    Parameters
    ----------
    estimator : estimator
        The final estimator that the user gave.
    classes : object
        Parameter `classes` of the stack.

    Returns
    -------
    estimator
        The estimator itself where its tags say that it takes three axes, else a
        :class:`SoftLabelClassifier` around it.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> taught_by_votes(LogisticRegression(), "hms")
    SoftLabelClassifier(estimator=LogisticRegression())
    """
    tags = _input_tags(estimator)
    if tags is None or tags.three_d_array or not hasattr(estimator, "predict_proba"):
        return estimator
    return SoftLabelClassifier(estimator, classes=classes)


def check_takes_features(estimator: Any, caller: str) -> None:
    """Raise if a final estimator takes nothing but probabilities.

    Parameters
    ----------
    estimator : estimator
        The final estimator.
    caller : str
        Name that starts the error message.

    Raises
    ------
    ValueError
        If its tags do not say that it takes several views.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> check_takes_features(SoftLabelClassifier(LogisticRegression()), "doctest")
    """
    tags = _input_tags(estimator)
    if tags is None or not tags.dict:
        raise ValueError(
            f"{caller}: {type(estimator).__name__} blends probabilities and takes no "
            "features beside them. With passthrough or prediction_features, give a "
            "scikit-learn classifier as final_estimator, such as "
            "HistGradientBoostingClassifier(), a SoftLabelClassifier around one, or an "
            "estimator whose tags have input_tags.dict."
        )


@dataclass(frozen=True)
class Blend:
    """How the upper level of a stack is fitted.

    Attributes
    ----------
    final_estimator : estimator
        Cloned by ``fit``.
    classes : ndarray of shape (n_classes,)
        Class labels in column order.
    passthrough : object
        Parameter `passthrough` of the stack.
    features : tuple of str
        Names of features of the predictions.
    upsample : object
        Parameter `upsample` of the stack.
    caller : str
        Name that starts the error messages.
    """

    final_estimator: Any
    classes: np.ndarray
    passthrough: Any = False
    features: tuple[str, ...] = ()
    upsample: Any = None
    caller: str = "Blend"

    @property
    def takes_rows(self) -> bool:
        """Whether the rows themselves are looked at, and not the predictions alone."""
        return self.passthrough is not False and self.passthrough is not None

    def take(self, X: Any, target: Target) -> Passthrough:
        """Learn how features are taken out of the rows.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows.
        target : Target
            Their votes and weights.

        Returns
        -------
        Passthrough
            What takes them.
        """
        return Passthrough(self.passthrough, self.caller).fit(X, target.table)

    def fit(
        self, oof: np.ndarray, X: Any, target: Target, fit_params: Mapping[str, Any]
    ) -> FittedBlend:
        """Fit a clone of the final estimator.

        Parameters
        ----------
        oof : ndarray of shape (n, n_members, n_classes)
            Out-of-fold probabilities of the members.
        X : array-like, DataFrame, list or WindowViews
            The rows.
        target : Target
            Their votes and weights.
        fit_params : mapping
            Keyword arguments of the final estimator's ``fit``.

        Returns
        -------
        FittedBlend
            The fitted upper level.
        """
        taken = self.take(X, target) if self.takes_rows else None
        params = dict(fit_params)
        if self.upsample is not None:
            params["sample_weight"] = upsampled_weight(
                self.upsample,
                self.classes,
                target.votes.fractions,
                params.get("sample_weight"),
            )
        estimator = clone(self.final_estimator)
        fitted = FittedBlend(estimator, self.classes, self.features, taken)
        estimator.fit(fitted.given(oof, X), target.table, **params)
        return fitted


@dataclass(frozen=True)
class FittedBlend:
    """The fitted upper level of a stack.

    Attributes
    ----------
    final_estimator : estimator
        The final estimator.
    classes : ndarray of shape (n_classes,)
        Class labels in column order.
    features : tuple of str
        Names of features of the predictions.
    taken : Passthrough or None
        What takes features out of the rows.
    """

    final_estimator: Any
    classes: np.ndarray
    features: tuple[str, ...]
    taken: Passthrough | None

    def predict_proba(
        self, proba: np.ndarray, X: Any, groups: Any = None
    ) -> np.ndarray:
        """Blend probabilities.

        Parameters
        ----------
        proba : ndarray of shape (n, n_members, n_classes)
            Probabilities of the members.
        X : array-like, DataFrame, list or WindowViews
            The rows.
        groups : array-like of shape (n,), optional
            Groups of the rows, for a final estimator that predicts with them; the
            ``patient_id`` of the rows without.

        Returns
        -------
        ndarray of shape (n, n_classes)
            What the final estimator makes of them.
        """
        given = self.given(proba, X)
        predict = self.final_estimator.predict_proba
        if "groups" not in signature(predict).parameters:
            return predict(given)
        return predict(given, groups=patients_of(X) if groups is None else groups)

    def given(self, proba: np.ndarray, X: Any) -> Any:
        """Put together what the final estimator is given.

        Parameters
        ----------
        proba : ndarray of shape (n, n_members, n_classes)
            Probabilities of the members.
        X : array-like, DataFrame, list or WindowViews
            The rows.

        Returns
        -------
        ndarray or WindowViews
            The probabilities; where there are features, both as views.
        """
        blocks = []
        if self.features:
            blocks.append(prediction_features(proba, self.features, self.classes)[0])
        if self.taken is not None:
            blocks.append(self.taken.transform(X))
        if not blocks:
            return proba
        features = np.concatenate(blocks, axis=1)
        return WindowViews(probabilities=proba, features=features)

    def feature_names(self) -> list[str]:
        """Name what is given beside the probabilities.

        Returns
        -------
        list of str
            The names.
        """
        one = np.full((1, 1, self.classes.size), 1.0 / self.classes.size)
        _, names = prediction_features(one, self.features, self.classes)
        return names + ([] if self.taken is None else self.taken.columns_)


def _input_tags(estimator: Any) -> Any:
    try:
        return get_tags(estimator).input_tags
    except (AttributeError, TypeError, ValueError):
        return None
