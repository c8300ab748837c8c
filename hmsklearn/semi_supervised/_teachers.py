"""Teachers: fitted so that none labels rows of a patient that it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from hmsklearn.model_selection._folds import Fold, run_folds
from hmsklearn.model_selection._splits import fold_numbers, resolve_splits
from hmsklearn.semi_supervised._columns import proba_in_order
from hmsklearn.semi_supervised._material import Material

__all__ = ["Lesson", "fold_of_rows", "refuse_frozen", "teach"]


class Lesson(NamedTuple):
    """What a round of teachers gave.

    Attributes
    ----------
    proba : ndarray of shape (n_all, n_teachers, n_classes)
        Probabilities of the rows by each teacher, the mean of those of its folds that
        have not seen the row's patient. NaN in rows that nobody was asked about.
    estimators : list of estimators
        The fitted teachers, fold after fold of the first, then of the next.
    names : list of str
        What they are called.
    trained : list of ndarray
        Row numbers that each was trained on.
    asked : list of ndarray
        Row numbers that each has labelled.
    """

    proba: np.ndarray
    estimators: list[Any]
    names: list[str]
    trained: list[np.ndarray]
    asked: list[np.ndarray]


def refuse_frozen(estimator: Any, *, caller: str) -> None:
    """Raise for a teacher that was trained elsewhere.

    Parameters
    ----------
    estimator : estimator
        The teacher.
    caller : str
        Name that starts the error message.

    Raises
    ------
    ValueError
        If it is frozen, or a pipeline that ends in what is frozen.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> refuse_frozen(GaussianNB(), caller="doctest")
    """
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if isinstance(last, FrozenEstimator):
        raise ValueError(
            f"{caller} is frozen, and what it was trained on is not known: it may have "
            "seen patients that this fold holds out. Give it unfitted, or label rows "
            "with hmsklearn.semi_supervised.blend_pseudo_labels yourself."
        )


def fold_of_rows(
    teacher_cv: Any, material: Material, *, caller: str
) -> np.ndarray | None:
    """Give the number of the fold that keeps each row from its teachers.

    Parameters
    ----------
    teacher_cv : None, "all", int, splitter or iterable of (train, test)
        How teachers are fitted. None stands for five folds by group, and for "all"
        where groups are not known.
    material : Material
        The rows.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_all,) or None
        Numbers of the folds; None for teachers that are fitted on all labelled rows.

    Raises
    ------
    ValueError
        If the splits are not usable.

    Notes
    -----
    The splits are of the rows of ``X``. Unlabelled rows go with their patient; those of
    other patients are dealt out to the folds in turn.

    Examples
    --------
    >>> from hmsklearn.semi_supervised._material import prepare_material
    >>> from hmsklearn.votes import check_votes
    >>> votes = check_votes([[12, 0], [0, 11], [1, 2]], classes="infer")
    >>> material = prepare_material(
    ...     np.eye(3), votes, ["a", "b", "a"], None, np.ones((2, 3)), ["b", "c"],
    ...     min_votes=10, caller="doctest")
    >>> fold_of_rows(2, material, caller="doctest").tolist()
    [0, 1, 0, 1, 0]
    """
    if isinstance(teacher_cv, str):
        if teacher_cv != "all":
            raise ValueError(
                f"{caller}: teacher_cv={teacher_cv!r} is not known. Give 'all', a "
                "number of folds, a splitter, or None."
            )
        return None
    if teacher_cv is None and material.groups is None:
        return None
    n_rows = material.n_rows
    mine = np.arange(n_rows)
    X = material.X if material.n_all == n_rows else mine
    groups = None if material.groups is None else material.codes[:n_rows]
    splits = resolve_splits(
        teacher_cv,
        X,
        material.table[:n_rows],
        groups,
        caller=f"{caller}: teacher_cv",
    )
    folds = fold_numbers(splits)
    if material.n_all == n_rows:
        return folds
    fold_of_group = dict(zip(material.codes[:n_rows].tolist(), folds, strict=True))
    for code in material.codes[n_rows:].tolist():
        fold_of_group.setdefault(code, len(fold_of_group) % len(splits))
    more = [fold_of_group[code] for code in material.codes[n_rows:].tolist()]
    return np.append(folds, more).astype(np.intp)


def teach(
    teachers: Sequence[tuple[str, Any]],
    material: Material,
    folds: np.ndarray | None,
    *,
    targets: np.ndarray,
    rows: np.ndarray,
    fit_params: Mapping[str, Mapping[str, Any]],
    classes: np.ndarray,
    n_jobs: int | None,
    report: Callable[[str], None],
    caller: str,
) -> Lesson:
    """Fit teachers on some rows and let them label the others.

    Parameters
    ----------
    teachers : sequence of (str, estimator)
        The teachers.
    material : Material
        All rows.
    folds : ndarray of shape (n_all,) or None
        What :func:`fold_of_rows` gave.
    targets : ndarray of shape (n_all, n_classes)
        What teachers learn.
    rows : ndarray of int
        Which rows they learn from; may repeat some.
    fit_params : mapping of str to mapping
        Arguments of each teacher's ``fit``.
    classes : ndarray of shape (n_classes,)
        Labels in column order.
    n_jobs : int or None
        Number of folds at a time.
    report : callable
        Takes a line about what was done.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    Lesson
        What they say, and who they are.

    Raises
    ------
    ValueError
        If a fold leaves a teacher nothing to learn from.

    Examples
    --------
    >>> from hmsklearn.semi_supervised._material import prepare_material
    >>> from hmsklearn.testing import ChannelPowerClassifier, make_check_data
    >>> from hmsklearn.votes import CLASSES, check_votes
    >>> data = make_check_data(n_windows=30)
    >>> material = prepare_material(
    ...     data.X, check_votes(data.votes), data.groups, None, None, None,
    ...     min_votes=8, caller="doctest")
    >>> lesson = teach(
    ...     [("power", ChannelPowerClassifier())], material,
    ...     fold_of_rows(2, material, caller="doctest"), targets=material.table,
    ...     rows=np.flatnonzero(material.labeled), fit_params={"power": {}},
    ...     classes=np.asarray(CLASSES), n_jobs=None, report=len, caller="doctest")
    >>> lesson.names, lesson.proba.shape
    (['power, fold 0', 'power, fold 1'], (30, 1, 6))
    """
    splits = _splits(material, folds, rows, caller)
    total = np.zeros((material.n_all, len(teachers), classes.size))
    times = np.zeros((material.n_all, len(teachers), 1))
    fitted: list[Any] = []
    names: list[str] = []
    for place, (name, estimator) in enumerate(teachers):
        who = f"{caller}: {name}"
        found = run_folds(
            estimator,
            material.X,
            targets,
            splits,
            fit_params=fit_params[name],
            n_jobs=n_jobs,
            keep_estimators=True,
            report=partial(_tell, report, name, splits),
            caller=who,
        )
        for (_, asked), fold in zip(splits, found, strict=True):
            proba = proba_in_order(fold.proba, fold.classes, classes, who)
            total[asked, place] += proba
            times[asked, place] += 1
            fitted.append(fold.estimator)
        names += (
            [name]
            if folds is None
            else [f"{name}, fold {number}" for number in range(len(splits))]
        )
    with np.errstate(invalid="ignore"):
        proba = np.where(times > 0, total / times, np.nan)
    proba /= proba.sum(axis=2, keepdims=True)  # float32 nets are off in the 8th digit
    return Lesson(
        proba,
        fitted,
        names,
        [train for train, _ in splits] * len(teachers),
        [asked for _, asked in splits] * len(teachers),
    )


def _splits(
    material: Material, folds: np.ndarray | None, rows: np.ndarray, caller: str
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Find what each fold's teacher learns from, and whom it may be asked about."""
    if folds is None:
        return [(rows, np.flatnonzero(~material.labeled))]
    codes = material.codes
    splits = []
    for number in range(folds.max() + 1):
        train = rows[folds[rows] != number]
        if not material.labeled[train].any():
            raise ValueError(
                f"{caller}: teacher_cv leaves the teacher of fold {number} no row with "
                "enough votes. Give fewer folds, or lower min_votes."
            )
        asked = np.flatnonzero(~np.isin(codes, codes[train]))
        splits.append((train, asked))
    return splits


def _tell(
    report: Callable[[str], None],
    name: str,
    splits: list[tuple[np.ndarray, np.ndarray]],
    number: int,
    fold: Fold,
) -> None:
    train, asked = splits[number]
    report(
        f"{name}: fold {number + 1}/{len(splits)}, trained on {train.size} rows, asked "
        f"about {asked.size}, {fold.seconds:.1f} s"
    )
