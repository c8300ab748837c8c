"""Leaks within training parts: the splits that an estimator makes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv

from hmsklearn._compat import safe_indexing
from hmsklearn._groups import patients_of
from hmsklearn.model_selection._audit_rows import Finding, Splits, patient_leaks
from hmsklearn.model_selection._split_forms import read_splits

__all__ = ["inner_leaks", "splitting_parts"]


def splitting_parts(estimator: Any) -> list[tuple[str, Any]]:
    """List what makes splits within an estimator, and where in it.

    Parameters
    ----------
    estimator : estimator
        Stack, search, calibrated classifier, or a pipeline with any of them.

    Returns
    -------
    list of (str, object)
        Name of the parameter, and the part that has a parameter ``cv``.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.calibration import CalibratedClassifierCV
    >>> from sklearn.pipeline import make_pipeline
    >>> pipe = make_pipeline(CalibratedClassifierCV(LogisticRegression(), cv=3))
    >>> [name for name, _ in splitting_parts(pipe)]
    ['calibratedclassifiercv__cv']
    """
    params = estimator.get_params(deep=True)
    parts = [("", estimator), *sorted(params.items(), key=lambda item: item[0])]
    return [
        (f"{name}__cv" if name else "cv", part)
        for name, part in parts
        if hasattr(part, "get_params")
        and not isinstance(part, type)
        and "cv" in part.get_params(deep=False)
        and not (isinstance(part.cv, str) and part.cv == "prefit")
    ]


def inner_leaks(
    estimator: Any,
    splits: Splits,
    X: Any,
    y: Any,
    patient: np.ndarray,
    *,
    caller: str,
) -> Iterator[Finding]:
    """Find patients that an estimator divides within the training part of a split.

    Parameters
    ----------
    estimator : estimator
        What is fitted in each split.
    splits : list of (ndarray, ndarray)
        The splits.
    X, y : object
        What it is fitted to; `y` is for splitters that look at it.
    patient : ndarray of shape (n_rows,)
        Patient of each row.
    caller : str
        Name that starts the error messages.

    Yields
    ------
    dict
        A finding for each split and part that divides patients; rows are those of `X`.

    Notes
    -----
    A splitter is given the patients as groups. A number, or None, means what it means
    where it stands: five folds of the rows as they come, or by class; by patient only
    in this package, and there only if the rows tell their patient.

    Examples
    --------
    >>> from sklearn.calibration import CalibratedClassifierCV
    >>> X, y = np.zeros((6, 1)), np.array([0, 0, 1, 1, 0, 1])
    >>> patient = np.array([1, 1, 2, 2, 3, 3])
    >>> splits = [(np.arange(4), np.arange(4, 6))]
    >>> found = inner_leaks(CalibratedClassifierCV(cv=2), splits, X, y, patient,
    ...                     caller="doctest")
    >>> [finding["detail"] for finding in found]
    ['cv=2 divides 2 patients, such as 1']
    """
    for number, (train, _) in enumerate(splits):
        part_of_X = safe_indexing(X, train)
        part_of_y = None if y is None else safe_indexing(y, train)
        for name, part in splitting_parts(estimator):
            inner = _inner_splits(part, part_of_X, part_of_y, patient[train], caller)
            found = list(patient_leaks(inner, patient[train], "inner"))
            if not found:
                continue
            worst = max(found, key=lambda one: one["n_test"])
            yield {
                **worst,
                "split": number,
                "train_row": int(train[worst["train_row"]]),
                "test_row": int(train[worst["test_row"]]),
                "detail": f"{name}={part.cv!r} divides {worst['detail']}",
            }


def _inner_splits(
    part: Any, X: Any, y: Any, patient: np.ndarray, caller: str
) -> Splits:
    cv = part.cv
    if not hasattr(cv, "split"):
        ours = type(part).__module__.startswith("hmsklearn.")
        if ours and patients_of(X) is not None:
            return []  # they stay whole by themselves
        y = None if y is None or np.ndim(y) != 1 else y
        cv = check_cv(cv, y, classifier=is_classifier(part) and not ours)
    return read_splits(cv, X, y, patient, len(patient), caller=caller)
