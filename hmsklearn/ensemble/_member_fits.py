"""The members of a stack or an average: out of fold, on all rows, their answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import clone

from hmsklearn._compat import num_samples, slice_fit_params
from hmsklearn.ensemble._fold_store import DiskRecord
from hmsklearn.ensemble._members import columns_in_order
from hmsklearn.ensemble._plan import MemberPlan, Plan, Rows
from hmsklearn.model_selection._folds import (
    Fold,
    FoldJob,
    check_estimator_proba,
    run_jobs,
)
from hmsklearn.model_selection._parallel import in_parallel, on_this_machine
from hmsklearn.model_selection._threads import (
    torch_threads,
    torch_threads_set_to,
    warn_if_crowded,
)

__all__ = [
    "each_probabilities",
    "fit_on_all_rows",
    "member_probabilities",
    "run_members",
]

Splits = list[tuple[np.ndarray, np.ndarray]]


def run_members(plan: Plan, rows: Rows, splits: Splits) -> list[list[Fold]]:
    """Run all members over the folds; their columns come back in stack order.

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
    list of list of Fold
        The folds of each member.
    """
    if on_this_machine():
        for _, estimator in plan.members:
            warn_if_crowded(estimator, plan.n_jobs, torch_threads(), plan.caller)
    jobs = [_job(plan, rows, member, splits) for member, _ in plan.members]
    runs = run_jobs(
        jobs,
        rows.X,
        rows.y,
        splits,
        n_jobs=plan.n_jobs,
        keep_estimators=not plan.refit,
    )
    return [
        [fold._replace(proba=_in_stack_order(plan, job.caller, fold)) for fold in folds]
        for job, folds in zip(jobs, runs, strict=True)
    ]


def _job(plan: Plan, rows: Rows, member: str, splits: Splits) -> FoldJob:
    caller = f"{plan.caller}: member {member!r}"
    done = np.empty(rows.target.votes.fractions.shape)

    def report(number: int, fold: Fold) -> None:
        test = splits[number][1]
        done[test] = _in_stack_order(plan, caller, fold)
        took = "from disk" if fold.from_disk else f"{fold.seconds:.1f} s"
        plan.say(
            f"{member}: fold {number + 1}/{len(splits)}, {test.size} rows held "
            f"out, KL {rows.target.kl(done[test], test):.4f}, {took}"
        )
        if number == len(splits) - 1:
            plan.say(f"{member}: out of fold KL {rows.target.kl(done):.4f}")

    records = [
        plan.record(rows, member, "fold", train, test, not plan.refit)
        for train, test in splits
    ]
    estimator = dict(plan.members)[member]
    return FoldJob(estimator, rows.params[member], caller, report, records)


def _in_stack_order(plan: Plan, caller: str, fold: Fold) -> np.ndarray:
    return columns_in_order(fold.proba, fold.classes, plan.classes, caller)


def fit_on_all_rows(plan: MemberPlan, rows: Rows) -> list[Any]:
    """Fit every member on all rows.

    Parameters
    ----------
    plan : MemberPlan
        How.
    rows : Rows
        On what.

    Returns
    -------
    list of estimators
        The fitted members.
    """
    threads = torch_threads()
    records = [plan.record(rows, member, "all rows") for member, _ in plan.members]
    # In this process: a class of a script or notebook is found by name only here.
    kept = [None if record is None else record.load() for record in records]
    to_do = [at for at, found in enumerate(kept) if found is None]
    arguments = (
        (
            clone(plan.members[at][1]),
            rows.X,
            rows.y,
            rows.params[plan.members[at][0]],
            records[at],
            threads,
        )
        for at in to_do
    )

    def save(place: int, result: tuple[Any, float, bool]) -> None:
        record, (estimator, seconds, saved) = records[to_do[place]], result
        if record is not None and not saved:
            record.save((estimator, seconds))

    running = in_parallel(_fit, arguments, n_jobs=plan.n_jobs, arrived=save)
    fitted = []
    for (member, _), found in zip(plan.members, kept, strict=True):
        if found is None:
            estimator, seconds, _ = next(running)
            took = f"{seconds:.1f} s"
        else:
            estimator, _ = found
            took = "from disk"
        plan.say(f"{member}: fitted on all rows, {took}")
        fitted.append(estimator)
    if to_do:
        # To its end, so that joblib takes leave of its workers.
        next(running, None)
    return fitted


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
    tables = each_probabilities(learned, names, X, classes, caller)
    return np.stack(list(tables), axis=1)


def each_probabilities(
    learned: Any, names: list[str], X: Any, classes: np.ndarray, caller: str
) -> Iterator[np.ndarray]:
    """Predict by one member after the other.

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

    Yields
    ------
    ndarray of shape (n, n_classes)
        The probabilities of each member, columns in the order of `classes`.
    """
    n_rows = num_samples(X)
    for name, estimator in zip(names, learned, strict=True):
        where = f"{caller}: member {name!r}"
        proba, found = check_estimator_proba(
            estimator, estimator.predict_proba(X), n_rows, where
        )
        yield columns_in_order(proba, found, classes, where)


def _fit(
    estimator: Any,
    X: Any,
    y: Any,
    fit_params: dict[str, Any],
    record: DiskRecord | None,
    threads: int | None,
) -> tuple[Any, float, bool]:
    """Fit a member, and tell whether it is kept already."""
    start = time.perf_counter()
    with torch_threads_set_to(threads):
        estimator.fit(X, y, **slice_fit_params(X, params=fit_params))
    seconds = time.perf_counter() - start
    saved = record is not None and record.save_if_known((estimator, seconds))
    return estimator, seconds, saved
