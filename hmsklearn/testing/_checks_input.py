"""Checks of what may enter an estimator, and of what it says about the rest."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import scipy.sparse
from sklearn.base import is_classifier
from sklearn.utils import get_tags

from hmsklearn.testing._data import CheckData
from hmsklearn.testing._helpers import (
    accepts,
    assert_close,
    assert_raises,
    assert_same_outputs,
    fit,
    fresh,
    outputs,
    predictors,
)

_REFUSALS = (ValueError, TypeError)


def _with(data: CheckData, X: Any) -> CheckData:
    return CheckData(data.kind, X, data.votes, data.groups)


def _assert_refused(
    name: str,
    estimator: Any,
    data: CheckData,
    X: Any,
    what: str,
    *,
    errors: tuple[type[Exception], ...] = (ValueError,),
    match: tuple[str, ...] = (),
    in_fit: bool = True,
    named: bool = True,
) -> None:
    """Assert that ``fit`` and every method after it refuse this `X`."""
    who = estimator if named else None
    if in_fit:
        n = X.shape[0] if getattr(X, "ndim", 0) else 0
        votes = data.votes[:n] if n else data.votes
        bad = CheckData(data.kind, X, votes, data.groups[: len(votes)])
        assert_raises(
            lambda: fit(fresh(estimator), bad),
            f"{name}: fit with {what}",
            errors=errors,
            match=match,
            named=who,
        )
    fitted = fit(fresh(estimator), data)
    for method, call in predictors(fitted):
        assert_raises(
            partial(call, X),
            f"{name}: {method} with {what}",
            errors=errors,
            match=match,
            named=who,
        )


def check_input_not_written(name: str, estimator: Any, data: CheckData) -> None:
    """Check that `X`, `y`, `groups` and `sample_weight` are read, never written.

    The caller's array is often the only copy of an hour of reading files, and other
    branches of an ensemble read the same one.
    """
    mine = data.take(slice(None))
    given: dict[str, Any] = {"X": mine.X, "y": mine.votes, "groups": mine.groups}
    kwargs = {}
    if accepts(estimator, "sample_weight"):
        kwargs["sample_weight"] = given["sample_weight"] = np.linspace(1, 2, len(mine))
    before = {key: joblib.hash(value) for key, value in given.items()}
    fitted = fit(fresh(estimator), mine, **kwargs)
    outputs(fitted, mine.X)
    if hasattr(fitted, "score"):
        fitted.score(mine.X, mine.votes)
    if hasattr(fitted, "fit_transform"):
        fresh(estimator).fit_transform(mine.X, mine.votes)
    for key, value in given.items():
        assert joblib.hash(value) == before[key], f"{name}: writes into {key}"


def check_read_only_input(name: str, estimator: Any, data: CheckData) -> None:
    """Check that read-only arrays are as good as others.

    joblib hands such arrays to its workers.
    """
    expected = outputs(fit(fresh(estimator), data), data.X)
    mine = data.take(slice(None))
    for array in (mine.X, mine.votes, mine.groups):
        array.setflags(write=False)
    actual = outputs(fit(fresh(estimator), mine), mine.X)
    assert_same_outputs(actual, expected, f"{name}: read-only X changes the result")


def check_memmap_input(name: str, estimator: Any, data: CheckData) -> None:
    """Check that a memory-mapped file is as good as an array in memory."""
    expected = outputs(fit(fresh(estimator), data), data.X)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        np.save(path, data.X)
        X = np.load(path, mmap_mode="r")
        actual = outputs(fit(fresh(estimator), _with(data, X)), X)
        actual = {method: np.array(result) for method, result in actual.items()}
        X._mmap.close()
    assert_same_outputs(actual, expected, f"{name}: memory-mapped X changes the result")


def check_memory_layout(name: str, estimator: Any, data: CheckData) -> None:
    """Check that views, Fortran order and reversed axes give the same numbers.

    Slices of a longer recording and transposed arrays are what users have.
    """
    fitted = fit(fresh(estimator), data)
    expected = outputs(fitted, data.X)
    wide = np.repeat(data.X, 2, axis=-1)[..., ::2]
    layouts = {
        "in Fortran order": np.asfortranarray(data.X),
        "that is a strided view": wide,
        "that is a reversed view": np.ascontiguousarray(data.X[::-1])[::-1],
    }
    for what, X in layouts.items():
        actual = outputs(fitted, X)
        assert_same_outputs(
            actual, expected, f"{name}: X {what} changes the result", rtol=1e-5
        )
        fit(fresh(estimator), _with(data, X))


def check_integer_input(name: str, estimator: Any, data: CheckData) -> None:
    """Check that integers are taken as float32, as recordings often come."""
    lowest, highest = data.X.min(), data.X.max()
    if data.kind == "probabilities":
        whole = (data.X.max(axis=2, keepdims=True) == data.X).astype(np.int16)
    else:
        shift = 100 if lowest < 0 else 0
        whole = np.round((data.X - lowest) / (highest - lowest) * 200 - shift)
        whole = whole.astype(np.int16)
    as_float = whole.astype(np.float32)
    expected = outputs(fit(fresh(estimator), _with(data, as_float)), as_float)
    actual = outputs(fit(fresh(estimator), _with(data, whole)), whole)
    assert_same_outputs(actual, expected, f"{name}: int16 differs from float32")
    if "transform" in actual:
        assert actual["transform"].dtype == np.float32, (
            f"{name}: integers become {actual['transform'].dtype}, not float32"
        )


def check_nan_policy(name: str, estimator: Any, data: CheckData) -> None:
    """Check that NaN is refused with a remedy, or taken without harm to other windows.

    Which of the two is what the tag ``input_tags.allow_nan`` says. Recordings of
    the competition have gaps, and a network trains on NaN without complaint.
    """
    X = data.X.copy()
    X[1, 0, ..., 2:5] = np.nan
    if not get_tags(estimator).input_tags.allow_nan:
        remedy = ("NaNImputer",) if data.kind == "windows" else ()
        _assert_refused(name, estimator, data, X, "NaN in X", match=("NaN", *remedy))
        return
    clean = np.arange(len(data)) != 1
    expected = outputs(fit(fresh(estimator), data), data.X)
    fitted = fit(fresh(estimator), _with(data, X))
    for method, result in outputs(fitted, X).items():
        assert result.shape == expected[method].shape, (
            f"{name}: NaN in X changes the shape of {method}"
        )
        if method == "transform":
            assert_close(
                result[clean],
                expected[method][clean],
                f"{name}: NaN in one window changes the others",
            )
    every = X.copy()
    every[1] = np.nan
    outputs(fitted, every)


def check_infinity(name: str, estimator: Any, data: CheckData) -> None:
    """Check that infinite values are always an error, in one window of many too."""
    for value in (np.inf, -np.inf):
        X = data.X.copy()
        X[len(X) // 2, -1, ..., -1] = value
        _assert_refused(name, estimator, data, X, f"{value} in X", match=("[Ii]nf",))


def check_wrong_ndim(name: str, estimator: Any, data: CheckData) -> None:
    """Check that a wrong number of axes is refused, such as a window without axis 0."""
    tags = get_tags(estimator).input_tags
    one_axis = data.X.reshape(len(data), -1)[:, 0]
    wrong = {"one axis": one_axis, "six axes or more": data.X[(..., *[None] * 3)]}
    single = data.X[0]
    if not (single.ndim == 2 and tags.two_d_array) and not (
        single.ndim == 3 and tags.three_d_array
    ):
        wrong["one axis less"] = single
    for what, X in wrong.items():
        _assert_refused(
            name, estimator, data, X, f"X of {what}", match=("dim|shape|axes",)
        )


def check_wrong_channels(name: str, estimator: Any, data: CheckData) -> None:
    """Check that another number of channels is refused with both numbers."""
    n = data.X.shape[1]
    for X in (data.X[:, : n - 1], np.concatenate([data.X, data.X[:, :1]], axis=1)):
        _assert_refused(
            name,
            estimator,
            data,
            X,
            f"{X.shape[1]} channels after {n}",
            match=(rf"\b{n}\b", rf"\b{X.shape[1]}\b"),
            in_fit=False,
        )


def check_no_windows(name: str, estimator: Any, data: CheckData) -> None:
    """Check that an empty `X` is an error.

    A mask that keeps no window is a mistake upstream.
    """
    fitted = fit(fresh(estimator), data)
    empty = data.take(slice(0, 0))
    for method, call in [("fit", None), *predictors(fitted)]:
        run = call or (lambda X: fit(fresh(estimator), empty))
        assert_raises(
            partial(run, empty.X),
            f"{name}: {method} without windows",
            match=("0 |empty|no windows|no rows",),
            named=estimator,
        )


def check_not_numbers(name: str, estimator: Any, data: CheckData) -> None:
    """Check that text, objects and complex numbers are refused by name."""
    words = data.X.astype(object)
    words[0, 0, ..., 0] = "Fp1"
    _assert_refused(name, estimator, data, words, "text in X", errors=_REFUSALS)
    things = data.X.astype(object)
    things[0, 0, ..., 0] = {"channel": 1}
    _assert_refused(name, estimator, data, things, "objects in X", errors=_REFUSALS)
    _assert_refused(
        name, estimator, data, data.X + 1j, "complex X", match=("[Cc]omplex",)
    )


def check_sparse(name: str, estimator: Any, data: CheckData) -> None:
    """Check that a sparse matrix is refused as such."""
    X = scipy.sparse.csr_matrix(data.X.reshape(len(data), -1))
    _assert_refused(
        name,
        estimator,
        data,
        X,
        "sparse X",
        errors=_REFUSALS,
        match=("[Ss]parse",),
    )


def check_rows_refused(name: str, estimator: Any, data: CheckData) -> None:
    """Check that a reader refuses what is not a table with the columns it needs."""
    fitted = fit(fresh(estimator), data)
    wrong = {
        "an array": np.zeros((3, 4), dtype=np.float32),
        "a table without columns it knows": data.X[[]].assign(nothing=1.0),
    }
    for what, X in wrong.items():
        for method, call in [
            ("fit", lambda X: fresh(estimator).fit(X)),
            *predictors(fitted),
        ]:
            assert_raises(
                partial(call, X),
                f"{name}: {method} with {what}",
                errors=_REFUSALS,
                named=estimator,
            )


def check_row_labels(name: str, estimator: Any, data: CheckData) -> None:
    """Check that the index of a table and the order of its columns mean nothing."""
    fitted = fit(fresh(estimator), data)
    expected = outputs(fitted, data.X)
    other = data.X.set_axis(np.arange(len(data))[::-1] * 7, axis=0)
    other = other[list(other.columns)[::-1]]
    assert_same_outputs(
        outputs(fit(fresh(estimator), _with(data, other)), other),
        expected,
        f"{name}: index or order of columns change the result",
    )
    assert not is_classifier(estimator), f"{name}: a reader is a transformer"
