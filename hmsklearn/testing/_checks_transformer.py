"""Checks of transformers: dtype, names, and blindness to the target."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.pipeline import make_pipeline

from hmsklearn.testing._data import CheckData
from hmsklearn.testing._helpers import (
    assert_close,
    assert_raises,
    fit,
    fresh,
    joined,
)
from hmsklearn.views import WindowViews
from hmsklearn.votes import CLASSES


def check_dtype_kept(name: str, estimator: Any, data: CheckData) -> None:
    """Check that float32 and float64 stay what they are, with the same numbers.

    A step that upcasts doubles the memory of everything behind it.
    """
    results = {}
    for dtype in (np.float32, np.float64):
        X = data.X.astype(dtype)
        mine = CheckData(data.kind, X, data.votes, data.groups)
        for how, result in (
            ("transform", fit(fresh(estimator), mine).transform(X)),
            ("fit_transform", fresh(estimator).fit_transform(X)),
        ):
            result = joined(result)
            assert isinstance(result, np.ndarray), f"{name}: {how} gives no ndarray"
            assert result.dtype == dtype, (
                f"{name}: {how} turns {np.dtype(dtype)} into {result.dtype}"
            )
        results[dtype] = result
    assert_close(
        results[np.float32],
        results[np.float64],
        f"{name}: float32 and float64 disagree",
        rtol=1e-3,
    )


def check_output_dtype(name: str, estimator: Any, data: CheckData) -> None:
    """Check that a reader gives float32 arrays, one window for each row."""
    result = joined(fit(fresh(estimator), data).transform(data.X))
    assert isinstance(result, np.ndarray), f"{name}: transform gives no ndarray"
    assert result.dtype == np.float32, f"{name}: gives {result.dtype}, not float32"
    assert result.ndim >= 3, f"{name}: gives {result.ndim} axes"
    assert len(result) == len(data), f"{name}: {len(data)} rows, {len(result)} windows"


def check_output_is_new(name: str, estimator: Any, data: CheckData) -> None:
    """Check that the output owns its memory: writing into it leaves `X` as it was."""
    X = data.X.copy()
    result = fit(fresh(estimator), data).transform(X)
    for part in result.values() if isinstance(result, WindowViews) else [result]:
        assert not np.shares_memory(part, X), f"{name}: the output is a view of X"


def check_y_ignored(name: str, estimator: Any, data: CheckData) -> None:
    """Check that the target changes nothing, whatever it is.

    A transformer that looks at `y` refuses votes, or lets the target leak.
    """
    expected = joined(fit(fresh(estimator), data).transform(data.X))
    targets = {
        "votes": data.votes,
        "fractions": data.votes / data.votes.sum(axis=1, keepdims=True),
        "names": np.array(CLASSES)[data.votes.argmax(axis=1)],
        "shape (n, 6, 1)": data.votes[..., None],
        "all NaN": np.full(len(data), np.nan),
        "a wrong length": np.arange(3),
        "an object": object(),
    }
    for what, y in targets.items():
        for how, run in (
            ("fit", lambda e, y: e.fit(data.X, y).transform(data.X)),
            ("fit_transform", lambda e, y: e.fit_transform(data.X, y)),
        ):
            try:
                result = run(fresh(estimator), y)
            except Exception as error:
                raise AssertionError(
                    f"{name}: {how} looks at y ({what}): {error}"
                ) from error
            assert_close(
                joined(result), expected, f"{name}: y ({what}) matters", rtol=0
            )


def check_feature_names_out(name: str, estimator: Any, data: CheckData) -> None:
    """Check that there is one distinct name for each entry of axis 1 of the output.

    Names given by the caller are used, or are none of the transformer's business;
    a wrong number of them is an error.
    """
    fitted = fit(fresh(estimator), data)
    width = joined(fitted.transform(data.X)).shape[1]
    names = fitted.get_feature_names_out()
    assert isinstance(names, np.ndarray), f"{name}: the names are no ndarray"
    assert names.dtype == object, f"{name}: names of dtype {names.dtype}, not object"
    assert len(names) == width, f"{name}: {len(names)} names for {width} outputs"
    assert all(isinstance(one, str) for one in names), f"{name}: names are not str"
    assert len(set(names)) == width, f"{name}: names repeat"
    if not data.is_array:
        return
    given = [f"given{i}" for i in range(data.X.shape[1])]
    named = fitted.get_feature_names_out(given)
    assert len(named) == width, f"{name}: input_features change the number of names"
    assert list(named) == list(names) or any("given" in one for one in named), (
        f"{name}: input_features are neither used nor ignored"
    )
    assert not any(one.startswith("x0") for one in named if list(named) != list(names))
    assert_raises(
        lambda: fitted.get_feature_names_out(given[:-1]),
        f"{name}: too few input_features",
    )


def check_set_output(name: str, estimator: Any, data: CheckData) -> None:
    """Check that ``set_output`` and the global setting change nothing."""
    expected = joined(fit(fresh(estimator), data).transform(data.X))
    asked = fresh(estimator)
    assert hasattr(asked, "set_output"), f"{name}: no set_output"
    assert asked.set_output(transform="pandas") is asked, (
        f"{name}: set_output does not return self"
    )
    pipe = make_pipeline(fresh(estimator)).set_output(transform="pandas")
    with config_context(transform_output="pandas"):
        configured = fit(fresh(estimator), data)
        results = {
            "set_output": fit(asked, data).transform(data.X),
            "Pipeline.set_output": pipe.fit(data.X).transform(data.X),
            "the global configuration": configured.transform(data.X),
            "fit_transform": fresh(estimator).fit_transform(data.X),
        }
    for what, result in results.items():
        result = joined(result)
        assert isinstance(result, np.ndarray), f"{name}: {what} changes the container"
        assert_close(result, expected, f"{name}: {what} changes values", rtol=0)


def check_fit_transform(name: str, estimator: Any, data: CheckData) -> None:
    """Check that ``fit_transform`` is ``fit`` and then ``transform``."""
    expected = joined(fit(fresh(estimator), data).transform(data.X))
    actual = joined(fresh(estimator).fit_transform(data.X, data.votes))
    assert_close(actual, expected, f"{name}: fit_transform differs", rtol=0)
