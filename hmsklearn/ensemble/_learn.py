"""The fit of a stack: members out of fold, the blend, members on all rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import indexable
from sklearn.utils.parallel import delayed

from hmsklearn._compat import num_samples, safe_indexing, slice_fit_params
from hmsklearn.ensemble._blend import Blend, FittedBlend
from hmsklearn.ensemble._cross_fit import CrossFit, Target, cross_fit
from hmsklearn.ensemble._fold_average import FoldAverage
from hmsklearn.ensemble._fold_key import digest_data, digest_estimator, join_digests
from hmsklearn.ensemble._fold_store import DiskRecord
from hmsklearn.ensemble._members import columns_in_order
from hmsklearn.model_selection._folds import (
    Fold,
    check_estimator_proba,
    in_parallel,
    in_row_order,
    run_folds,
)
from hmsklearn.model_selection._threads import torch_threads, torch_threads_set_to

__all__ = ["Learned", "Plan", "Rows", "blend_rows", "learn", "member_probabilities"]

Splits = list[tuple[np.ndarray, np.ndarray]]


@dataclass
class Rows:
    """What a stack is fitted on.

    Attributes
    ----------
    X, y : object
        Data and target, as they came.
    groups : ndarray of shape (n,) or None
        Groups of the rows.
    target : Target
        Votes and weights of the rows.
    params : dict of str to dict
        Keyword arguments of ``fit``, by member and for ``final_estimator``.
    """

    X: Any
    y: Any
    groups: np.ndarray | None
    target: Target
    params: dict[str, dict[str, Any]]

    def cut(self, rows: np.ndarray) -> Rows:
        """Take some of the rows of everything."""
        (X,), (y,) = indexable(self.X), indexable(self.y)
        return Rows(
            safe_indexing(X, rows),
            safe_indexing(y, rows),
            None if self.groups is None else self.groups[rows],
            self.target.cut(rows),
            {
                name: slice_fit_params(X, params=params, indices=rows)
                for name, params in self.params.items()
            },
        )

    @cached_property
    def digest(self) -> str:
        """Name of data and target."""
        return join_digests(digest_data(self.X), digest_data(self.y))


@dataclass(frozen=True)
class Plan:
    """How a stack is fitted.

    Attributes
    ----------
    members : list of (str, estimator)
        The members that are not dropped.
    classes : ndarray of shape (n_classes,)
        Class labels in column order.
    blend : Blend
        The upper level, not fitted.
    n_jobs : int or None
        Number of folds at a time.
    refit : bool
        Whether members are fitted once more on all rows.
    folder : Path or None
        Folder of the records of finished fits.
    caller : str
        Name that starts messages.
    say : callable
        What a line of progress is given to.
    """

    members: list[tuple[str, Any]]
    classes: np.ndarray
    blend: Blend
    n_jobs: int | None
    refit: bool
    folder: Path | None
    caller: str
    say: Callable[[str], None]

    def record(self, rows: Rows, member: str, *what: Any) -> DiskRecord | None:
        """Find the place of one fit on disk."""
        if self.folder is None:
            return None
        estimator = dict(self.members)[member]
        key = join_digests(
            rows.digest,
            digest_data(rows.params[member]),
            digest_estimator(estimator),
            *what,
        )
        return DiskRecord(self.folder, key, f"{self.caller}: member {member!r}")


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
    runs = []
    oof = np.empty(
        (num_samples(rows.X), len(plan.members), plan.classes.size), dtype=np.float64
    )
    for number, (member, estimator) in enumerate(plan.members):
        folds = _run_member(plan, rows, member, estimator, splits)
        oof[:, number] = in_row_order(folds, splits)
        kl = rows.target.kl(oof[:, number])
        plan.say(f"{member}: out of fold KL {kl:.4f}")
        runs.append(folds)
    blend, in_sample, crossed = blend_rows(plan, rows, oof, splits)
    if plan.refit:
        estimators = _fit_on_all_rows(plan, rows)
    else:
        estimators = [FoldAverage([f.estimator for f in folds]) for folds in runs]
    names = [member for member, _ in plan.members]
    return Learned(names, splits, runs, oof, blend, in_sample, crossed, estimators)


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
    return blend, blend.predict_proba(oof, X), crossed


def member_probabilities(
    learned: Any, names: list[str], X: Any, classes: np.ndarray, caller: str
) -> np.ndarray:
    """Predict by every member.

    Parameters
    ----------
    learned : list of estimators
        The fitted members.
    names : list of str
        Their names.
    X : array-like, DataFrame, list or WindowViews
        The rows.
    classes : ndarray of shape (n_classes,)
        Class labels in column order.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n, n_members, n_classes)
        Their probabilities.
    """
    n_rows = num_samples(X)
    tables = []
    for name, estimator in zip(names, learned, strict=True):
        where = f"{caller}: member {name!r}"
        proba, found = check_estimator_proba(
            estimator, estimator.predict_proba(X), n_rows, where
        )
        tables.append(columns_in_order(proba, found, classes, where))
    return np.stack(tables, axis=1)


def _run_member(
    plan: Plan, rows: Rows, member: str, estimator: Any, splits: Splits
) -> list[Fold]:
    """Run one member over the folds; its columns come back in stack order."""
    caller = f"{plan.caller}: member {member!r}"

    def report(number: int, fold: Fold) -> None:
        test = splits[number][1]
        proba = columns_in_order(fold.proba, fold.classes, plan.classes, caller)
        took = "from disk" if fold.from_disk else f"{fold.seconds:.1f} s"
        plan.say(
            f"{member}: fold {number + 1}/{len(splits)}, {test.size} rows held "
            f"out, KL {rows.target.kl(proba, test):.4f}, {took}"
        )

    records = [
        plan.record(rows, member, "fold", train, test, not plan.refit)
        for train, test in splits
    ]
    folds = run_folds(
        estimator,
        rows.X,
        rows.y,
        splits,
        fit_params=rows.params[member],
        n_jobs=plan.n_jobs,
        keep_estimators=not plan.refit,
        report=report,
        caller=caller,
        records=records,
    )
    return [
        fold._replace(
            proba=columns_in_order(fold.proba, fold.classes, plan.classes, caller)
        )
        for fold in folds
    ]


def _fit_on_all_rows(plan: Plan, rows: Rows) -> list[Any]:
    threads = torch_threads()
    running = in_parallel(
        (
            delayed(_fit)(
                clone(estimator),
                rows.X,
                rows.y,
                rows.params[member],
                plan.record(rows, member, "all rows"),
                threads,
            )
            for member, estimator in plan.members
        ),
        n_jobs=plan.n_jobs,
    )
    fitted = []
    for (member, _), (estimator, seconds, from_disk) in zip(
        plan.members, running, strict=True
    ):
        took = "from disk" if from_disk else f"{seconds:.1f} s"
        plan.say(f"{member}: fitted on all rows, {took}")
        fitted.append(estimator)
    return fitted


def _fit(
    estimator: Any,
    X: Any,
    y: Any,
    fit_params: dict[str, Any],
    record: DiskRecord | None,
    threads: int | None,
) -> tuple[Any, float, bool]:
    kept = None if record is None else record.load()
    if kept is not None:
        return (*kept, True)
    start = time.perf_counter()
    with torch_threads_set_to(threads):
        estimator.fit(X, y, **slice_fit_params(X, params=fit_params))
    seconds = time.perf_counter() - start
    if record is not None:
        record.save((estimator, seconds))
    return estimator, seconds, False
