"""A classifier whose temperature is found on predictions that it made out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from hmsklearn._compat import slice_fit_params
from hmsklearn._predicting import PredictsVotes
from hmsklearn._wrapping import FeaturesOfEstimator, RoutesToEstimator
from hmsklearn.calibration._temperature import (
    BOUNDS,
    TemperatureFit,
    check_scaling,
    fit_checked,
    scale_temperature,
)
from hmsklearn.metrics import check_weight, kl_divergence
from hmsklearn.model_selection._folds import (
    check_can_predict_proba,
    check_estimator_proba,
    in_row_order,
    run_folds,
)
from hmsklearn.model_selection._splits import count_rows, resolve_splits
from hmsklearn.votes import check_votes, refuse_encoded_votes, resolve_classes

__all__ = ["TemperatureScaledClassifier"]

_Splits = list[tuple[np.ndarray, np.ndarray]]


class TemperatureScaledClassifier(
    PredictsVotes,
    FeaturesOfEstimator,
    RoutesToEstimator,
    ClassifierMixin,
    BaseEstimator,
):
    """Classifier with its probabilities flattened or sharpened to fit the votes.

    The estimator predicts every row out of fold; one temperature (and, if asked for,
    a bias for each class) is found that minimises the KL divergence of those
    predictions; the estimator is fitted once more on all rows, and what it predicts
    is scaled. No group (patient) is on both sides of any split.

    Parameters
    ----------
    estimator : estimator
        A classifier with ``predict_proba``, usually a pipeline.
    cv : None, int, splitter, iterable of (train, test) or "prefit", default=None
        None stands for ``GroupKFold(5)`` where ``fit`` gets groups and ``KFold(5)``
        where not, a number for that many folds of the same kind. ``"prefit"`` takes
        a fitted `estimator` as it is: the rows of ``fit`` must be new to it.
    bias : bool, default=False
        Whether to find a bias for each class as well (vector scaling with one
        temperature), which mends classes that are predicted too often.
    l2 : float, default=0.0
        Penalty of the biases, see :func:`fit_temperature`.
    n_jobs : int, default=None
        Number of folds at a time, as in joblib. The result does not depend on it.
    classes : "hms", "infer", None or sequence of labels, default="hms"
        Labels in column order, see :func:`hmsklearn.votes.resolve_classes`. An
        estimator with the same labels in another order is put into this one.
    tol : float, default=1e-9
        Largest entry of the gradient that is taken for zero.
    max_iter : int, default=100
        Largest number of Newton steps.

    Attributes
    ----------
    estimator_ : estimator
        The estimator, fitted on all rows; with ``cv="prefit"`` the given one itself.
    temperature_ : float
        What logarithms of probabilities are divided by: above one, the estimator was
        too sure of itself.
    bias_ : ndarray of shape (n_classes,)
        What is added to them, sum zero; all zero without `bias`.
    kl_before_, kl_after_ : float
        Divergence of the out-of-fold predictions (with ``cv="prefit"``, of the
        predictions of the rows) before and after scaling, on the rows that the
        temperature was found on.
    kl_ : float
        Divergence after scaling, cross-fitted: each fold's rows are scaled by what was
        found on the other folds' rows. Not set with ``cv="prefit"``.
    grad_norm_ : float
        Certificate: largest entry of the divergence's gradient in the inverse
        temperature and the biases. Zero at the one optimum only.
    n_iter_ : int
        Newton steps taken.
    classes_ : ndarray of shape (n_classes,)
        Class labels in column order.
    n_features_in_ : int
        What the estimator saw; only where it tells.

    See Also
    --------
    fit_temperature : The same for predictions that exist already.
    sklearn.calibration.CalibratedClassifierCV : For hard labels; it refuses votes.

    Notes
    -----
    `X` and `y` go to the estimator as they are, cut by row, see
    :class:`~hmsklearn.ensemble.StackingKLClassifier`. Zero probabilities are clipped
    to 1e-15 as in the competition's metric. The order of a row's probabilities, and
    so ``predict``, changes only with `bias`.

    Groups always decide the splits. They reach the estimator's ``fit`` if it asks: by
    metadata request where routing is switched on, by an argument `groups` of its own
    or of a pipeline's last step where it is off; other steps get them as
    ``fit(..., step__groups=g)``. So do weights of the rows, which enter the
    temperature and the divergences as well.

    In a stack, the members' weights are found on predictions that were scaled; the
    inner folds are cut out of the stack's own.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from hmsklearn.calibration import TemperatureScaledClassifier
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(300, 1))
    >>> y = (x[:, 0] + rng.normal(size=300) > 0).astype(int)
    >>> X = x + 0.1 * rng.normal(size=(300, 8))  # eight copies: too sure of itself
    >>> clf = TemperatureScaledClassifier(GaussianNB(), classes="infer")
    >>> clf = clf.fit(X, y, groups=np.arange(300) // 5)
    >>> clf.temperature_ > 4, clf.kl_ < 0.6 * clf.kl_before_
    (True, True)
    """

    # The inner splits ask for the groups wherever metadata is routed, as the group
    # splitters of scikit-learn do.
    __metadata_request__fit = {"groups": True}

    def __init__(
        self,
        estimator: Any,
        *,
        cv: Any = None,
        bias: bool = False,
        l2: float = 0.0,
        n_jobs: int | None = None,
        classes: str | Sequence[Any] | None = "hms",
        tol: float = 1e-9,
        max_iter: int = 100,
    ) -> None:
        self.estimator = estimator
        self.cv = cv
        self.bias = bias
        self.l2 = l2
        self.n_jobs = n_jobs
        self.classes = classes
        self.tol = tol
        self.max_iter = max_iter

    def fit(
        self,
        X: Any,
        y: Any,
        groups: Any = None,
        sample_weight: Any = None,
        **fit_params: Any,
    ) -> TemperatureScaledClassifier:
        """Find the temperature out of fold, and fit the estimator on all rows.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels, see :func:`hmsklearn.votes.check_votes`.
        groups : array-like of shape (n,), optional
            Group of each row, usually the patient, kept whole by all splits.
            Without them, the column ``patient_id`` of a DataFrame `X` that has one.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.
        **fit_params : dict
            Without metadata routing: keyword arguments of the estimator's ``fit``, cut
            by row where they have one entry a row. With routing: metadata that it
            requests.

        Returns
        -------
        self : TemperatureScaledClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If `y`, the weights, the splits or the parameters are not usable, if the
            estimator's classes are not those of `y`, if `bias` is asked for a class
            without votes, or if a fold's training part has no weight or lacks the
            votes of a class that `bias` is asked for.
        TypeError
            If the estimator gives no probabilities or takes no weights.
        NotFittedError
            If ``cv="prefit"`` and the estimator is not fitted.
        """
        name = type(self).__name__
        refuse_encoded_votes(name, classes=self.classes)
        check_can_predict_proba(self.estimator, f"{name}: estimator")
        check_scaling(self.bias, self.l2, BOUNDS, self.tol, self.max_iter, name)
        n_rows = count_rows(X, caller=name)
        votes = check_votes(y, classes=self.classes, n_windows=n_rows, caller=name)
        classes = resolve_classes(self.classes, y, caller=name)
        if classes.size < 2:
            raise ValueError(
                f"{name}: y holds 1 class, {classes.tolist()[0]!r}; probabilities need "
                "at least two. Name the classes."
            )
        weight = check_weight(sample_weight, n_rows, name)
        if weight is not None and weight.sum() == 0:
            raise ValueError(f"{name}: sample_weight is zero in every row.")

        self.__dict__.pop("kl_", None)  # only some fits set it
        prefit = isinstance(self.cv, str) and self.cv == "prefit"
        if prefit:
            self._check_prefit(fit_params)
            proba = self._proba_of(self.estimator, X, n_rows, classes)
        else:
            params = self._route(groups, weight, fit_params)
            splits = resolve_splits(self.cv, X, y, groups, caller=name)
            self._check_parts(votes.fractions, weight, splits, classes)
            proba = self._out_of_fold(X, y, splits, params, classes)
        found = self._fit_scaling(proba, votes.fractions, weight, slice(None))
        self.classes_ = classes
        self.temperature_, self.bias_ = found.temperature, found.bias
        self.kl_before_, self.kl_after_ = found.kl_before, found.kl_after
        self.grad_norm_, self.n_iter_ = found.grad_norm, found.n_iter
        if prefit:
            self.estimator_ = self.estimator
            return self
        self.kl_ = self._cross_fitted(proba, votes.fractions, weight, splits)
        self.estimator_ = clone(self.estimator).fit(
            X, y, **slice_fit_params(X, params=params)
        )
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Scale the probabilities of the fitted estimator.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows, as in ``fit``.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Probabilities, float64, columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        n_rows = count_rows(X, caller=type(self).__name__)
        proba = self._proba_of(self.estimator_, X, n_rows, self.classes_)
        return scale_temperature(proba, self.temperature_, self.bias_)

    def _check_prefit(self, fit_params: dict[str, Any]) -> None:
        name = type(self).__name__
        if fit_params:
            raise TypeError(
                f"{name}: {sorted(fit_params)} are for the estimator's fit, and "
                "cv='prefit' does not fit it. Leave them out."
            )
        try:
            check_is_fitted(self.estimator)
        except NotFittedError as error:
            raise NotFittedError(
                f"{name}: cv='prefit' takes a fitted estimator, and this "
                f"{type(self.estimator).__name__} is not. Fit it first, or give cv a "
                "number of folds."
            ) from error

    def _check_parts(
        self,
        fractions: np.ndarray,
        weight: np.ndarray | None,
        splits: _Splits,
        classes: np.ndarray,
    ) -> None:
        """Raise if a fold leaves nothing to find its scaling on, before folds are fit.

        The divergence is cross-fitted, so that every training part needs an optimum.
        """
        name = type(self).__name__
        share = np.ones(len(fractions)) if weight is None else weight
        voted = share @ fractions > 0
        for number, (train, _) in enumerate(splits):
            if share[train].sum() == 0:
                raise ValueError(
                    f"{name}: sample_weight is zero in every training row of fold "
                    f"{number} of {len(splits)}: all rows of weight are held out "
                    "there. Give weight to rows of more groups, or leave rows out "
                    "that have none."
                )
            lost = voted & (share[train] @ fractions[train] == 0)
            if self.bias and self.l2 == 0 and lost.any():
                raise ValueError(
                    f"{name}: all votes for {classes[lost].tolist()} are held out in "
                    f"fold {number} of {len(splits)}, as where one group has them all, "
                    "so that the best bias of its training part is minus infinity. Set "
                    "l2 above zero, or bias=False, or give rows of more groups."
                )

    def _out_of_fold(
        self,
        X: Any,
        y: Any,
        splits: _Splits,
        params: dict[str, Any],
        classes: np.ndarray,
    ) -> np.ndarray:
        caller = f"{type(self).__name__}: estimator"
        folds = run_folds(
            self.estimator,
            X,
            y,
            splits,
            fit_params=params,
            n_jobs=self.n_jobs,
            keep_estimators=False,
            report=None,
            caller=caller,
        )
        proba = in_row_order(folds, splits)
        return _in_order(proba, folds[0].classes, classes, caller)

    def _proba_of(
        self, estimator: Any, X: Any, n_rows: int, classes: np.ndarray
    ) -> np.ndarray:
        caller = f"{type(self).__name__}: estimator"
        proba, found = check_estimator_proba(
            estimator, estimator.predict_proba(X), n_rows, caller
        )
        return _in_order(proba, found, classes, caller)

    def _fit_scaling(
        self,
        proba: np.ndarray,
        fractions: np.ndarray,
        weight: np.ndarray | None,
        rows: Any,
    ) -> TemperatureFit:
        return fit_checked(
            proba[rows],
            fractions[rows],
            None if weight is None else weight[rows],
            bias=self.bias,
            l2=self.l2,
            bounds=BOUNDS,
            tol=self.tol,
            max_iter=self.max_iter,
            name=type(self).__name__,
        )

    def _cross_fitted(
        self,
        proba: np.ndarray,
        fractions: np.ndarray,
        weight: np.ndarray | None,
        splits: _Splits,
    ) -> float:
        scaled = np.empty(proba.shape)
        for train, test in splits:
            found = self._fit_scaling(proba, fractions, weight, train)
            scaled[test] = found.transform(proba[test])
        return float(kl_divergence(fractions, scaled, sample_weight=weight))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        try:
            inner = get_tags(self.estimator).input_tags
        except (AttributeError, TypeError, ValueError):
            # No scikit-learn estimator: fit says what is wrong.
            return tags
        for tag in ("two_d_array", "three_d_array", "sparse", "allow_nan"):
            setattr(tags.input_tags, tag, getattr(inner, tag))
        return tags


def _in_order(
    proba: np.ndarray, found: np.ndarray, wanted: np.ndarray, caller: str
) -> np.ndarray:
    """Put the columns of the estimator's probabilities into the order of `classes`."""
    known, labels = found.tolist(), wanted.tolist()
    if known == labels:
        return proba
    if len(known) != len(labels) or set(known) != set(labels):
        raise ValueError(
            f"{caller} has the classes {known}, y has {labels}. Set classes to the "
            "same labels in both (classes='infer' where the columns of y are "
            "numbered), or give an estimator that learns from votes."
        )
    return proba[:, [known.index(label) for label in labels]]
