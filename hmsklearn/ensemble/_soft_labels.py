"""Any scikit-learn classifier, taught by votes instead of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from hmsklearn._compat import safe_indexing
from hmsklearn._groups import check_groups
from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn._predicting import PredictsVotes
from hmsklearn._wrapping import FeaturesOfEstimator
from hmsklearn.ensemble._expansion import expand, repeat
from hmsklearn.ensemble._flatten import count_models, flatten
from hmsklearn.metrics import check_weight
from hmsklearn.model_selection._folds import (
    check_can_predict_proba,
    check_estimator_proba,
)
from hmsklearn.model_selection._splits import count_rows
from hmsklearn.votes import check_votes, refuse_encoded_votes, resolve_classes

__all__ = ["SoftLabelClassifier"]

_SEARCHES = (GridSearchCV, RandomizedSearchCV)

#: Rows above which scikit-learn's ``early_stopping="auto"`` means True.
_AUTO_ABOVE = 10_000


class SoftLabelClassifier(
    PredictsVotes,
    FeaturesOfEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
    """Classifier of single labels that learns from votes.

    Each row becomes one copy for every class that was voted for, and the copy weighs
    as much as that class's share of the votes. So gradient boosting, logistic
    regression or a forest learn the distribution of the votes. It is the final
    estimator of a stack that gets any of these, and works alone as well.

    Parameters
    ----------
    estimator : estimator
        A classifier with ``predict_proba``, cloned by ``fit``: scikit-learn's, or one
        with the same interface such as ``XGBClassifier``; also a pipeline or a search
        that ends in one.
    classes : "hms", "infer", None or sequence of labels, default="hms"
        Labels in column order, see :func:`hmsklearn.votes.resolve_classes`.
    probabilities : {"log", "raw", "drop"}, default="log"
        What becomes of an `X` of shape (n, n_models, n_classes): a table of logarithms
        (clipped at 1e-7), the table of the probabilities themselves, or, with features
        beside them, nothing.
    repeats : int, default=None
        For classifiers whose ``fit`` takes no weights: the number of equal copies that
        stand for one row, shared out among its classes in whole numbers. None makes
        such a classifier an error.
    min_proba : float, default=0.0
        Smallest probability to give. Smaller ones are lifted to it, and the row is
        divided by its sum.

    Attributes
    ----------
    estimator_ : estimator
        The fitted classifier. It knows the classes as the numbers 0, 1, ... of those
        that were voted for.
    classes_ : ndarray of shape (n_classes,)
        Class labels in column order, also those that nobody voted for in the rows of
        ``fit``.
    n_features_in_ : int
        Number of models for an `X` of probabilities, else what the classifier saw.

    See Also
    --------
    StackingKLClassifier : Wraps its final estimator in this one where that is needed.

    Notes
    -----
    The copies are exact and no approximation where a classifier minimises the
    weighted logarithmic loss, as logistic regression and gradient boosting do: the
    loss is linear in the target, so its sum over the copies of a row is the cross
    entropy to the fractions, and the weights of the copies of a row add up to the
    row's own. Rows without weight are dropped.

    `X` goes to the classifier as it is, cut by row. Two forms are turned into a table
    before: an array of shape (n, n_models, n_classes), and
    :class:`~hmsklearn.views.WindowViews` of such an array and of tables, which are
    put side by side. A classifier that takes windows of three axes itself, such as a
    pipeline that starts with a filter, gets them. NaN in the features are the
    classifier's affair.

    A class that nobody voted for in the rows of ``fit`` gets probability zero, and
    forests give zeros to others too. Under the KL divergence a vote for such a class
    costs 34.5 nat; `min_proba` limits that.

    Copies of one row must not be divided by what happens inside the classifier: switch
    off its early stopping (``early_stopping=False``; ``"auto"`` of histogram boosting
    starts above 10 000 copies, and ``fit`` refuses both), and give a search that splits
    by group the groups, ``fit(X, y, groups=g)``.

    References
    ----------
    Gradient boosting as the stacker is from the SETI Breakthrough Listen competition,
    a linear layer on concatenated outputs from the 4th place of HMS (Kaggle discussion
    492240).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.array([[0.0], [0.0], [1.0], [1.0]])
    >>> votes = np.array([[3, 1], [3, 1], [1, 3], [1, 3]])
    >>> clf = SoftLabelClassifier(LogisticRegression(C=1e6), classes="infer")
    >>> clf.fit(X, votes).predict_proba(X[1:3]).round(3).tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    """

    # Weights and groups are asked for wherever metadata is routed, as by a blender.
    __metadata_request__fit = {"sample_weight": True, "groups": True}

    def __init__(
        self,
        estimator: Any,
        *,
        classes: str | Sequence[Any] | None = "hms",
        probabilities: str = "log",
        repeats: int | None = None,
        min_proba: float = 0.0,
    ) -> None:
        self.estimator = estimator
        self.classes = classes
        self.probabilities = probabilities
        self.repeats = repeats
        self.min_proba = min_proba

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> SoftLabelClassifier:
        """Fit the classifier on the copies of the rows.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows; see the class for probabilities of several models.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels, see :func:`hmsklearn.votes.check_votes`.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.
        groups : array-like of shape (n,), optional
            Group of each row, for a search and for classifiers whose ``fit`` takes
            groups; others are not told.

        Returns
        -------
        self : SoftLabelClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If `y`, the weights or a parameter are not usable, or if the early stopping
            of the classifier would divide the copies of a row.
        TypeError
            If the estimator gives no probabilities, or takes no weights and `repeats`
            is None.
        """
        name = type(self).__name__
        refuse_encoded_votes(name, classes=self.classes)
        weights_as = self._check_parameters()
        if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "iufb":
            raise ValueError(
                f"{name}: Expected 2D array, got 1D array instead. Reshape your data: "
                "X.reshape(-1, 1) for one feature, X[None] for one row."
            )
        n_rows = count_rows(X, caller=name)
        votes = check_votes(y, classes=self.classes, n_windows=n_rows, caller=name)
        classes = resolve_classes(self.classes, y, caller=name)
        weight = check_weight(sample_weight, n_rows, name)
        if weight is not None and weight.sum() == 0:
            raise ValueError(f"{name}: sample_weight is zero in every row.")
        groups = check_groups(groups, n_rows, caller=name)
        n_models = None if _takes_windows(self.estimator) else count_models(X)
        table = X if n_models is None else flatten(X, self.probabilities, name)

        if self.repeats is not None:
            copies = repeat(votes.fractions, weight, self.repeats)
        else:
            copies = expand(votes.fractions, weight)
        voted, codes = np.unique(copies.columns, return_inverse=True)
        if voted.size < 2:
            raise ValueError(
                f"{name}: the rows have votes for {voted.size} class only "
                f"({classes[voted].tolist()}); a classifier needs at least two. Give "
                "more rows, or rows of positive weight."
            )
        params: dict[str, Any] = {}
        if weights_as is not None and copies.weight is not None:
            params[weights_as] = copies.weight
        if groups is not None and _takes_groups(self.estimator):
            params["groups"] = groups[copies.rows]
        if "groups" not in params:
            _check_early_stopping(self.estimator, copies.rows, name)

        estimator = clone(self.estimator)
        with _plain_names(estimator):
            estimator.fit(safe_indexing(table, copies.rows), codes, **params)
        self._voted = _columns_of(estimator, voted, name)
        self._n_models = n_models
        self.estimator_ = estimator
        self.classes_ = classes
        return self

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
        check_is_fitted(self)
        name = type(self).__name__
        n_rows = count_rows(X, caller=name)
        if n_rows == 0:
            raise ValueError(f"{name}: X is empty (0 rows).")
        if self._n_models is not None:
            n_models = count_models(X)
            if n_models is None:
                raise ValueError(
                    f"{name}: X has shape {np.shape(X)}, and {name} was fitted on "
                    f"probabilities of shape (n, {self._n_models}, "
                    f"{self.classes_.size})."
                )
            if n_models != self._n_models:
                raise ValueError(
                    f"{name}: X has {n_models} models, but {name} is expecting "
                    f"{self._n_models} models as input."
                )
            X = flatten(X, self.probabilities, name)
        given = self.estimator_.predict_proba(X)
        found, _ = check_estimator_proba(self.estimator_, given, n_rows, name)
        proba = np.zeros((n_rows, self.classes_.size), dtype=found.dtype)
        proba[:, self._voted] = found
        if self.min_proba > 0:
            proba = np.maximum(proba, self.min_proba)
            proba /= proba.sum(axis=1, keepdims=True)
        return proba

    @property
    def n_features_in_(self) -> int:
        """Number of models, or of features of the classifier."""
        n_models = getattr(self, "_n_models", None)
        if n_models is not None:
            return int(n_models)
        return super().n_features_in_

    def _check_parameters(self) -> str | None:
        """Check the parameters; name the weights for the estimator's ``fit``."""
        name = type(self).__name__
        check_can_predict_proba(self.estimator, f"{name}: estimator")
        choices = ("log", "raw", "drop")
        check_choice(self.probabilities, "probabilities", choices, caller=name)
        if self.repeats is not None:
            check_integer(self.repeats, "repeats", caller=name, low=1)
        check_real(
            self.min_proba, "min_proba", caller=name, low=0.0, high=0.1, high_open=True
        )
        weights_as = _name_of_weights(self.estimator)
        if weights_as is None and self.repeats is None:
            raise TypeError(
                f"{name}: fit of {type(self.estimator).__name__} takes no "
                "sample_weight, so the shares of the votes cannot reach it. Give "
                "repeats=10 for ten copies of each row, shared out among its classes, "
                "or take a classifier with weights."
            )
        return weights_as

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        # A table, the probabilities of several models, or both with their names.
        tags.input_tags.two_d_array = True
        tags.input_tags.three_d_array = True
        tags.input_tags.dict = True
        inner = _input_tags(self.estimator)
        if inner is not None:
            for tag in ("sparse", "categorical", "string", "allow_nan"):
                setattr(tags.input_tags, tag, getattr(inner, tag))
        return tags


def _name_of_weights(estimator: Any) -> str | None:
    """Under which name an estimator's ``fit`` takes weights; None if it does not."""
    if isinstance(estimator, Pipeline):
        step, last = estimator.steps[-1]
        inner = _name_of_weights(last)
        return None if inner is None else f"{step}__{inner}"
    if isinstance(estimator, _SEARCHES):
        return _name_of_weights(estimator.estimator)
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def _takes_windows(estimator: Any) -> bool:
    """Tell whether three axes are the estimator's own affair."""
    tags = _input_tags(estimator)
    return tags is not None and tags.three_d_array


def _input_tags(estimator: Any) -> Any:
    try:
        return get_tags(estimator).input_tags
    except (AttributeError, TypeError, ValueError):  # not scikit-learn's kind
        return None


def _takes_groups(estimator: Any) -> bool:
    return isinstance(estimator, _SEARCHES) or has_fit_parameter(estimator, "groups")


def _check_early_stopping(estimator: Any, rows: np.ndarray, name: str) -> None:
    """Raise if a classifier would validate on copies of rows that it learns from."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    stops = getattr(estimator, "early_stopping", False)
    if isinstance(stops, str):
        stops = stops == "auto" and rows.size > _AUTO_ABOVE
    # Where each row votes for one class, there are no copies to divide.
    if (
        isinstance(stops, (bool, np.bool_))
        and stops
        and np.unique(rows).size < rows.size
    ):
        raise ValueError(
            f"{name}: {type(estimator).__name__} has early_stopping="
            f"{estimator.early_stopping!r}, and with {rows.size} copies of the rows it "
            "holds some of them out at random: copies of one row are learned from and "
            "validated on, so that it stops too late. Set early_stopping=False in it."
        )


def _plain_names(estimator: Any) -> Any:
    """Let a pipeline take its last step's weights as ``step__sample_weight``.

    With metadata routing it would want every step to say whether it takes weights.
    Nothing but the weights goes in here, and they have one destination.
    """
    old = isinstance(estimator, (Pipeline, *_SEARCHES))
    routed = sklearn.get_config()["enable_metadata_routing"]
    return sklearn.config_context(enable_metadata_routing=routed and not old)


def _columns_of(estimator: Any, voted: np.ndarray, name: str) -> np.ndarray:
    known = np.asarray(getattr(estimator, "classes_", None))
    if known.ndim != 1 or not np.array_equal(known, np.arange(voted.size)):
        raise ValueError(
            f"{name}: {type(estimator).__name__} was given the labels "
            f"{list(range(voted.size))} and has the classes_ {known.tolist()}, so its "
            "columns have no names. An estimator that learns from votes itself needs "
            f"no {name}."
        )
    return voted
