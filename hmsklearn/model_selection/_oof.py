"""Out-of-fold predictions for targets that scikit-learn would re-encode.

``sklearn.model_selection.cross_val_predict(method="predict_proba")`` turns every
column of a two-dimensional target into ranks before any estimator sees it. The
function here does the same job with the target left alone, the groups kept whole and
the columns checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import (
    MetadataRequest,
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from hmsklearn._compat import routing_enabled, safe_indexing
from hmsklearn.metrics import kl_divergence
from hmsklearn.model_selection._folds import (
    Fold,
    check_can_predict_proba,
    in_row_order,
    run_folds,
)
from hmsklearn.model_selection._splits import fold_numbers, resolve_splits

__all__ = ["oof_predict_proba"]


def oof_predict_proba(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    groups: Any = None,
    cv: Any = None,
    n_jobs: int | None = None,
    params: Mapping[str, Any] | None = None,
    return_folds: bool = False,
    return_estimators: bool = False,
    verbose: int = 0,
) -> np.ndarray | Bunch:
    """Predict every row by a clone of the estimator that has not seen it.

    The safe counterpart of ``cross_val_predict(method="predict_proba")``, which
    label-encodes a two-dimensional `y` column by column: here `y` goes to the
    estimator as it came.

    Parameters
    ----------
    estimator : estimator
        A classifier with ``predict_proba`` and ``classes_``; it is cloned for every
        fold and itself left alone.
    X : array-like, DataFrame, list or WindowViews
        The data, cut by row. The ``attrs`` of a DataFrame survive the cut.
    y : array-like
        The target in any form that the estimator takes: vote counts or fractions
        of shape (n, n_classes), labels of shape (n,), a DataFrame, a list.
    groups : array-like of shape (n,), optional
        Group of each row, usually the patient. No group may be on both sides of
        any split. Without them, the column ``patient_id`` of a DataFrame `X` that has
        one, such as the rows of ``train.csv``.
    cv : None, int, splitter or iterable of (train, test), default=None
        None stands for ``GroupKFold(5)`` where `groups` are given and ``KFold(5)``
        where not, a number for that many folds of the same kind. The held-out parts
        must be a partition of the rows.
    n_jobs : int, optional
        Number of folds at a time, as in joblib. The result does not depend on it.
    params : dict, optional
        Keyword arguments of the estimator's ``fit``; those with one entry for each
        row are cut along with `X`. With metadata routing switched on they are routed
        and must be requested.
    return_folds : bool, default=False
        Whether to return the number of each row's fold as well.
    return_estimators : bool, default=False
        Whether to return the fitted fold estimators as well.
    verbose : int, default=0
        Above zero, print a line for each fold: rows, KL divergence (where `y` is a
        target that :func:`hmsklearn.metrics.kl_divergence` takes), seconds.

    Returns
    -------
    ndarray of shape (n, n_classes), or Bunch
        Probabilities in the order of the rows, columns in the order of the fold
        estimators' ``classes_``. With `return_folds` or `return_estimators` a
        :class:`sklearn.utils.Bunch` with

        proba : ndarray of shape (n, n_classes)
            The probabilities.
        classes : ndarray of shape (n_classes,)
            The classes of the columns.
        folds : ndarray of shape (n,)
            With `return_folds`: number of the fold that held each row out.
        estimators : list
            With `return_estimators`: the fitted estimators, by fold.

    Raises
    ------
    ValueError
        If the splits are no partition, divide a group or are more than the groups
        allow; if the fold estimators disagree about the classes; if their
        probabilities are not finite or do not sum to one.
    TypeError
        If the estimator has no ``predict_proba``, or gives a list of arrays (one
        for each column of `y`, as multi-output classifiers do).

    Notes
    -----
    `groups` always decide the splits. They reach the estimator's ``fit`` only if it
    asks for them: by metadata request where routing is switched on, by
    ``params={"net__groups": groups}`` where it is off.

    NaN in `X` is the estimator's affair; NaN in its probabilities is an error.

    References
    ----------
    The encoding is in ``sklearn/model_selection/_validation.py``,
    ``cross_val_predict``, "we need to manually encode classes".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.array([[-2.0], [1.0], [-1.0], [2.0], [-3.0], [3.0]])
    >>> y = np.array([0, 1, 0, 1, 0, 1])
    >>> patient = ["a", "a", "b", "b", "c", "c"]
    >>> proba = oof_predict_proba(LogisticRegression(), X, y, groups=patient, cv=3)
    >>> proba.argmax(axis=1).tolist()
    [0, 1, 0, 1, 0, 1]
    """
    name = "oof_predict_proba"
    check_can_predict_proba(estimator, name)
    params = dict(params or {})
    if routing_enabled() and "groups" in params:
        if groups is not None:
            raise ValueError(
                f"{name}: groups is given twice, as groups= and in params. Give one."
            )
        groups = params.pop("groups")
    splits = resolve_splits(cv, X, y, groups, caller=name)
    fit_params = _route(estimator, groups, params, name)

    def report(number: int, fold: Fold) -> None:
        test = splits[number][1]
        kl = _kl_or_nothing(safe_indexing(y, test), fold)
        print(
            f"[{name}] fold {number + 1}/{len(splits)}: {test.size} rows held out, "
            f"{kl}{fold.seconds:.1f} s",
            flush=True,
        )

    folds = run_folds(
        estimator,
        X,
        y,
        splits,
        fit_params=fit_params,
        n_jobs=n_jobs,
        keep_estimators=return_estimators,
        report=report if verbose > 0 else None,
        caller=name,
    )
    proba = in_row_order(folds, splits)
    if not (return_folds or return_estimators):
        return proba
    result = Bunch(proba=proba, classes=folds[0].classes)
    if return_folds:
        result.folds = fold_numbers(splits)
    if return_estimators:
        result.estimators = [fold.estimator for fold in folds]
    return result


def _route(
    estimator: Any, groups: Any, params: dict[str, Any], name: str
) -> dict[str, Any]:
    """Decide which of the parameters reach the estimator's ``fit``."""
    if not routing_enabled():
        return params
    if groups is not None:
        params = {**params, "groups": groups}
    # The splits use the groups in any case: to the router this function is a consumer
    # of them, so that an estimator without any use for groups is no error.
    own = MetadataRequest(owner=name)
    own.fit.add_request(param="groups", alias=True)
    router = (
        MetadataRouter(owner=name)
        .add_self_request(own)
        .add(
            estimator=estimator,
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )
    )
    return process_routing(router, "fit", **params)["estimator"]["fit"]


def _kl_or_nothing(y: Any, fold: Fold) -> str:
    """Format the fold's KL; empty where `y` is not a target that has one."""
    try:
        kl = kl_divergence(y, fold.proba, classes=fold.classes)
    except (TypeError, ValueError):
        return ""
    return f"KL {kl:.4f}, "
