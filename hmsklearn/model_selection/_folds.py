"""Fitting and predicting the folds, and checking what they give.

Shared by :func:`hmsklearn.model_selection.oof_predict_proba` and the stacking
classifier: the target is cut by row and otherwise left alone.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils import indexable

from hmsklearn._compat import num_samples, safe_indexing, slice_fit_params
from hmsklearn.model_selection._parallel import Record, in_parallel, on_this_machine
from hmsklearn.model_selection._threads import (
    torch_threads,
    torch_threads_set_to,
    warn_if_crowded,
)

__all__ = [
    "Fold",
    "FoldJob",
    "check_can_predict_proba",
    "check_estimator_proba",
    "in_row_order",
    "run_folds",
    "run_jobs",
]


class Fold(NamedTuple):
    """What one fold gave.

    Attributes
    ----------
    proba : ndarray of shape (n_held_out, n_classes)
        Probabilities of the held-out rows.
    classes : ndarray of shape (n_classes,)
        The fold estimator's ``classes_``.
    seconds : float
        Time for fitting and predicting.
    estimator : object
        The fitted estimator, None if it was not to be kept.
    from_disk : bool
        Whether it is the record of an earlier run.
    """

    proba: np.ndarray
    classes: np.ndarray
    seconds: float
    estimator: Any
    from_disk: bool = False


class FoldJob(NamedTuple):
    """One estimator that is to be run over all folds.

    Attributes
    ----------
    estimator : estimator
        Cloned for every fold.
    fit_params : mapping
        Keyword arguments of ``fit``, cut by row where they have one entry a row.
    caller : str
        Name that starts the error messages.
    report : callable or None
        Called with the number of each fold and the fold, in order, as they finish.
    records : sequence of Record or None
        One for each split: a fold that is found there is not run again, and one that
        was run is kept there.
    """

    estimator: Any
    fit_params: Mapping[str, Any]
    caller: str
    report: Callable[[int, Fold], None] | None = None
    records: Sequence[Record | None] | None = None


def run_jobs(
    jobs: Sequence[FoldJob],
    X: Any,
    y: Any,
    splits: list[tuple[np.ndarray, np.ndarray]],
    *,
    n_jobs: int | None,
    keep_estimators: bool,
) -> list[list[Fold]]:
    """Fit and predict every fold of several estimators, all in one queue.

    Parameters
    ----------
    jobs : sequence of FoldJob
        The estimators and what belongs to them.
    X, y : array-like
        Data and target, both cut by row and otherwise untouched.
    splits : list of (ndarray, ndarray)
        What :func:`hmsklearn.model_selection._splits.resolve_splits` returned.
    n_jobs : int or None
        Number of folds at a time.
    keep_estimators : bool
        Whether the folds keep their fitted estimators.

    Returns
    -------
    list of list of Fold
        For each estimator one for each split.

    Raises
    ------
    ValueError
        If the folds of an estimator disagree about the classes, or their
        probabilities are none.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> splits = [(np.array([0, 1]), np.array([2])), (np.array([1, 2]), np.array([0]))]
    >>> jobs = [FoldJob(DummyClassifier(), {}, "doctest")] * 3
    >>> runs = run_jobs(jobs, [[0], [0], [0]], [0, 1, 0], splits,
    ...                 n_jobs=None, keep_estimators=False)
    >>> len(runs), runs[0][1].classes.tolist()
    (3, [0, 1])
    """
    # What has no rows to take out, only a conversion to an array, is converted.
    (X,), (y,) = indexable(X), indexable(y)
    threads = torch_threads()
    records = [job.records or [None] * len(splits) for job in jobs]
    # In this process: a class of a script or notebook is found by name only here.
    kept = [[None if r is None else r.load() for r in row] for row in records]
    to_do = [
        (at, number)
        for at, row in enumerate(kept)
        for number, fold in enumerate(row)
        if fold is None
    ]
    arguments = (
        (
            clone(jobs[at].estimator),
            X,
            y,
            *splits[number],
            jobs[at].fit_params,
            keep_estimators,
            jobs[at].caller,
            threads,
            records[at][number],
        )
        for at, number in to_do
    )

    def save(place: int, result: tuple[Fold, bool]) -> None:
        at, number = to_do[place]
        record, (fold, saved) = records[at][number], result
        if record is not None and not saved:
            record.save(fold)

    running = in_parallel(_run_fold, arguments, n_jobs=n_jobs, arrived=save)
    runs: list[list[Fold]] = []
    try:
        for job, found in zip(jobs, kept, strict=True):
            folds: list[Fold] = []
            for number, fold in enumerate(found):
                if fold is None:
                    folds.append(next(running)[0])
                else:
                    folds.append(fold._replace(from_disk=True))
                _check_same_classes(job.estimator, folds, job.caller)
                if job.report is not None:
                    job.report(number, folds[-1])
            runs.append(folds)
    except BaseException:
        with warnings.catch_warnings():
            # joblib warns that folds under way are given up: that is what is meant.
            warnings.simplefilter("ignore")
            running.close()
        raise
    if to_do:
        # To its end, so that joblib takes leave of its workers.
        next(running, None)
    return runs


def run_folds(
    estimator: Any,
    X: Any,
    y: Any,
    splits: list[tuple[np.ndarray, np.ndarray]],
    *,
    fit_params: Mapping[str, Any],
    n_jobs: int | None,
    keep_estimators: bool,
    report: Callable[[int, Fold], None] | None,
    caller: str,
) -> list[Fold]:
    """Fit and predict every fold.

    Parameters
    ----------
    estimator : estimator
        Cloned for every fold.
    X, y : array-like
        Data and target, both cut by row and otherwise untouched.
    splits : list of (ndarray, ndarray)
        What :func:`hmsklearn.model_selection._splits.resolve_splits` returned.
    fit_params : mapping
        Keyword arguments of ``fit``, cut by row where they have one entry a row.
    n_jobs : int or None
        Number of folds at a time.
    keep_estimators : bool
        Whether the folds keep their fitted estimators.
    report : callable or None
        Called with the number of each fold and the fold, in order, as they finish.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of Fold
        One for each split.

    Raises
    ------
    ValueError
        If the folds disagree about the classes, or their probabilities are none.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> splits = [(np.array([0, 1]), np.array([2])), (np.array([1, 2]), np.array([0])),
    ...           (np.array([0, 2]), np.array([1]))]
    >>> folds = run_folds(DummyClassifier(), [[0], [0], [0]], [0, 1, 1], splits[:1],
    ...                   fit_params={}, n_jobs=None, keep_estimators=False,
    ...                   report=None, caller="doctest")
    >>> folds[0].proba.shape, folds[0].classes.tolist()
    ((1, 2), [0, 1])
    """
    if on_this_machine():
        warn_if_crowded(estimator, n_jobs, torch_threads(), caller)
    [folds] = run_jobs(
        [FoldJob(estimator, fit_params, caller, report)],
        X,
        y,
        splits,
        n_jobs=n_jobs,
        keep_estimators=keep_estimators,
    )
    return folds


def in_row_order(
    folds: list[Fold], splits: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Put the held-out probabilities of all folds back into the order of the rows.

    Parameters
    ----------
    folds : list of Fold
        What :func:`run_folds` returned.
    splits : list of (ndarray, ndarray)
        The splits that it was given.

    Returns
    -------
    ndarray of shape (n_rows, n_classes)
        Out-of-fold probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> folds = [Fold(np.array([[0.2, 0.8]]), np.arange(2), 0.0, None),
    ...          Fold(np.array([[0.6, 0.4]]), np.arange(2), 0.0, None)]
    >>> splits = [(np.array([0]), np.array([1])), (np.array([1]), np.array([0]))]
    >>> in_row_order(folds, splits).tolist()
    [[0.6, 0.4], [0.2, 0.8]]
    """
    proba = np.concatenate([fold.proba for fold in folds])
    rows = np.concatenate([test for _, test in splits])
    ordered = np.empty_like(proba)
    ordered[rows] = proba
    return ordered


def check_can_predict_proba(estimator: Any, caller: str) -> None:
    """Raise if an estimator cannot give probabilities.

    Parameters
    ----------
    estimator : object
        The estimator, not fitted.
    caller : str
        Name that starts the error message.

    Raises
    ------
    TypeError
        If it is a class instead of an instance, or has no ``fit`` or
        ``predict_proba``.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> check_can_predict_proba(LinearRegression(), "doctest")
    Traceback (most recent call last):
        ...
    TypeError: doctest: LinearRegression has no predict_proba, so it cannot give \
probabilities. Use a classifier that has it, or one that is set to give them \
(probability=True).
    """
    if isinstance(estimator, type):
        raise TypeError(
            f"{caller}: {estimator.__name__} is a class, expected an instance: "
            f"{estimator.__name__}()."
        )
    for method in ("fit", "predict_proba"):
        if not hasattr(estimator, method):
            raise TypeError(
                f"{caller}: {type(estimator).__name__} has no {method}, so it cannot "
                "give probabilities. Use a classifier that has it, or one that is set "
                "to give them (probability=True)."
            )


def check_estimator_proba(
    estimator: Any, proba: Any, n_rows: int, caller: str
) -> tuple[np.ndarray, np.ndarray]:
    """Check what an estimator's ``predict_proba`` gave.

    Parameters
    ----------
    estimator : object
        The fitted estimator.
    proba : object
        What its ``predict_proba`` returned.
    n_rows : int
        Number of rows that it was given.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    proba : ndarray of shape (n_rows, n_classes)
        The probabilities, float32 or float64.
    classes : ndarray of shape (n_classes,)
        The classes of the columns.

    Raises
    ------
    TypeError
        For a list of arrays and for an estimator without ``classes_``.
    ValueError
        For a wrong shape and for rows that are no probabilities.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> clf = DummyClassifier().fit([[0], [0]], ["a", "b"])
    >>> check_estimator_proba(clf, [[0.5, 0.5]], 1, "doctest")[1].tolist()
    ['a', 'b']
    """
    name = type(estimator).__name__
    if isinstance(proba, list) and proba and np.ndim(proba[0]) == 2:
        raise TypeError(
            f"{caller}: {name} gives a list of {len(proba)} arrays: it takes the "
            "columns of y for separate targets instead of shares of one vote. Use an "
            "estimator that learns from vote fractions, or give it hard labels."
        )
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        raise TypeError(
            f"{caller}: {name} has no classes_ after fit, so the columns of its "
            "predict_proba have no names. Set classes_ in fit."
        )
    classes = np.asarray(classes)
    values = np.asarray(proba)
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    if values.shape != (n_rows, classes.shape[0]):
        raise ValueError(
            f"{caller}: predict_proba of {name} has shape {values.shape}, expected "
            f"({n_rows}, {classes.shape[0]}), a row for each row of X and a column "
            "for each of its classes_."
        )
    bad = np.flatnonzero(~(np.abs(values.sum(axis=1) - 1.0) <= 1e-4))
    what = "do not sum to one"
    if bad.size == 0:
        bad, what = np.flatnonzero((values < 0).any(axis=1)), "are negative somewhere"
    if bad.size:
        raise ValueError(
            f"{caller}: predict_proba of {name} gives rows that {what} (first in "
            f"held-out row {bad[0]}: {values[bad[0]].tolist()}; {bad.size} of "
            f"{n_rows} in all). A network that diverged gives NaN; lower its learning "
            "rate or look at its input."
        )
    return values, classes


def _check_same_classes(estimator: Any, folds: list[Fold], caller: str) -> None:
    first, last = folds[0].classes, folds[-1].classes
    if not np.array_equal(first, last):
        raise ValueError(
            f"{caller}: {type(estimator).__name__} knows the classes {first.tolist()} "
            f"in fold 0 and {last.tolist()} in fold {len(folds) - 1}, so their columns "
            "cannot be put together. Give y as votes of shape (n, n_classes) to an "
            "estimator that takes them, or splits in which every class is in every "
            "training part."
        )


def _run_fold(
    estimator: Any,
    X: Any,
    y: Any,
    train: np.ndarray,
    test: np.ndarray,
    fit_params: Mapping[str, Any],
    keep_estimator: bool,
    caller: str,
    threads: int | None,
    record: Record | None,
) -> tuple[Fold, bool]:
    """Run a fold, and tell whether it is kept already."""
    with torch_threads_set_to(threads):
        fold = _fit_and_predict_fold(
            estimator, X, y, train, test, fit_params, keep_estimator, caller
        )
    # In the worker, so that what many processes have fitted is written by many.
    return fold, record is not None and record.save_if_known(fold)


def _fit_and_predict_fold(
    estimator: Any,
    X: Any,
    y: Any,
    train: np.ndarray,
    test: np.ndarray,
    fit_params: Mapping[str, Any],
    keep_estimator: bool,
    caller: str,
) -> Fold:
    start = time.perf_counter()
    estimator.fit(
        safe_indexing(X, train),
        safe_indexing(y, train),
        **slice_fit_params(X, params=fit_params, indices=train),
    )
    held_out = safe_indexing(X, test)
    proba, classes = check_estimator_proba(
        estimator, estimator.predict_proba(held_out), num_samples(held_out), caller
    )
    seconds = time.perf_counter() - start
    return Fold(proba, classes, seconds, estimator if keep_estimator else None)
