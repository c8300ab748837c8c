"""The fit of a stack: members out of fold, the blend, members on all rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import indexable

from hmsklearn.ensemble._blend import FittedBlend
from hmsklearn.ensemble._cross_fit import CrossFit, Target, cross_fit
from hmsklearn.ensemble._fold_average import FoldAverage
from hmsklearn.ensemble._member_fits import fit_on_all_rows, run_members
from hmsklearn.ensemble._plan import Plan, Rows
from hmsklearn.model_selection._folds import Fold, in_row_order

__all__ = ["Learned", "blend_rows", "check_weight_of_folds", "learn"]

Splits = list[tuple[np.ndarray, np.ndarray]]


@dataclass
class Learned:
    """What the fit of a stack gives.

    Attributes
    ----------
    names : list of str
        Names of the members.
    splits : list of (ndarray, ndarray)
        Row numbers of the folds.
    runs : list of list of Fold
        Folds of each member; empty where the members were fitted before.
    oof : ndarray of shape (n, n_members, n_classes)
        Out-of-fold probabilities.
    blend : FittedBlend
        The upper level, fitted on all rows.
    in_sample : ndarray of shape (n, n_classes)
        The rows by the former, which has seen them.
    crossed : CrossFit
        The upper level, cross-fitted.
    estimators : list of estimators
        The members for predictions.
    """

    names: list[str]
    splits: Splits
    runs: list[list[Fold]]
    oof: np.ndarray
    blend: FittedBlend
    in_sample: np.ndarray
    crossed: CrossFit
    estimators: list[Any]


def learn(plan: Plan, rows: Rows, splits: Splits) -> Learned:
    """Fit the members out of fold, blend them, fit them on all rows.

    Parameters
    ----------
    plan : Plan
        How.
    rows : Rows
        On what.
    splits : list of (ndarray, ndarray)
        Row numbers of the folds.

    Returns
    -------
    Learned
        The result.
    """
    check_weight_of_folds(rows.target, splits, plan.caller)
    runs = run_members(plan, rows, splits)
    oof = np.stack([in_row_order(folds, splits) for folds in runs], axis=1)
    oof = oof.astype(np.float64, copy=False)
    blend, in_sample, crossed = blend_rows(plan, rows, oof, splits)
    if plan.refit:
        estimators = fit_on_all_rows(plan, rows)
    else:
        estimators = [FoldAverage([f.estimator for f in folds]) for folds in runs]
    names = [member for member, _ in plan.members]
    return Learned(names, splits, runs, oof, blend, in_sample, crossed, estimators)


def check_weight_of_folds(target: Target, splits: Splits, caller: str) -> None:
    """Raise if the rows that a fold is fitted on have no weight.

    Parameters
    ----------
    target : Target
        Votes and weights of the rows.
    splits : list of (ndarray, ndarray)
        Row numbers of the folds.
    caller : str
        Name that starts the error message.

    Raises
    ------
    ValueError
        If all rows of a training part have weight zero.

    Examples
    --------
    >>> target = Target(None, np.array([0.0, 1.0]))
    >>> splits = [(np.array([0]), np.array([1])), (np.array([1]), np.array([0]))]
    >>> check_weight_of_folds(target, splits, "doctest")
    Traceback (most recent call last):
        ...
    ValueError: doctest: sample_weight is zero in every row that fold 1/2 is fitted \
on. Leave out the rows of weight zero, or take splits with weight in each training part.
    """
    if target.weight is None:
        return
    for number, (train, _) in enumerate(splits):
        if target.weight[train].sum() == 0:
            raise ValueError(
                f"{caller}: sample_weight is zero in every row that fold {number + 1}/"
                f"{len(splits)} is fitted on. Leave out the rows of weight zero, or "
                "take splits with weight in each training part."
            )


def blend_rows(
    plan: Plan, rows: Rows, oof: np.ndarray, splits: Splits
) -> tuple[FittedBlend, np.ndarray, CrossFit]:
    """Fit the upper level: on all rows, and for each fold on the others.

    Parameters
    ----------
    plan : Plan
        How.
    rows : Rows
        On what.
    oof : ndarray of shape (n, n_members, n_classes)
        Out-of-fold probabilities of the members.
    splits : list of (ndarray, ndarray)
        Row numbers of the folds.

    Returns
    -------
    blend : FittedBlend
        Fitted on all rows.
    in_sample : ndarray of shape (n, n_classes)
        Its predictions of the same rows.
    crossed : CrossFit
        Predictions of each fold by the others' blend.
    """
    params = rows.params["final_estimator"]
    (X,) = indexable(rows.X)
    crossed = cross_fit(plan.blend, oof, X, rows.target, splits, params)
    blend = plan.blend.fit(oof, X, rows.target, params)
    return blend, blend.predict_proba(oof, X, params.get("groups")), crossed
