"""Small tools shared by the checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils import get_tags

from hmsklearn.testing._data import CheckData
from hmsklearn.views import WindowViews

__all__ = [
    "accepts",
    "assert_close",
    "assert_raises",
    "assert_same_outputs",
    "fit",
    "fresh",
    "is_stateless",
    "joined",
    "names_of",
    "outputs",
    "predictors",
]

_METHODS = ("transform", "predict_proba", "predict")


def fresh(estimator: Any, random_state: int = 0) -> Any:
    """Clone an estimator and pin every ``random_state`` in it."""
    estimator = clone(estimator)
    pinned = {
        name: random_state
        for name in estimator.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    }
    return estimator.set_params(**pinned)


def accepts(estimator: Any, parameter: str, method: str = "fit") -> bool:
    """Tell whether a method has a parameter of this name."""
    return parameter in signature(getattr(estimator, method)).parameters


def fit(estimator: Any, data: CheckData, y: Any = None, **kwargs: Any) -> Any:
    """Fit as a user would: votes for a classifier, groups where they are taken."""
    if accepts(estimator, "groups"):
        kwargs.setdefault("groups", data.groups)
    if y is None and is_classifier(estimator):
        y = data.votes
    return estimator.fit(data.X, y, **kwargs)


def outputs(estimator: Any, X: Any) -> dict[str, np.ndarray]:
    """Return what every output method of a fitted estimator says about `X`."""
    return {
        method: joined(getattr(estimator, method)(X))
        for method in _METHODS
        if hasattr(estimator, method)
    }


def joined(result: Any) -> Any:
    """Put several views into one array, plane after plane; leave other results alone.

    Planes are flattened and padded with zeros to the longest of them, so that axis 1
    of the array counts the planes of all views.
    """
    if not isinstance(result, WindowViews):
        return result
    flat = []
    for name, view in result.items():
        assert isinstance(view, np.ndarray), f"view {name!r} is no ndarray"
        assert view.ndim >= 2, f"view {name!r} has {view.ndim} axes"
        flat.append(view.reshape(*view.shape[:2], int(np.prod(view.shape[2:]))))
    longest = max(view.shape[2] for view in flat)
    return np.concatenate(
        [np.pad(view, ((0, 0), (0, 0), (0, longest - view.shape[2]))) for view in flat],
        axis=1,
    )


def assert_close(
    actual: Any, desired: Any, message: str, *, rtol: float = 1e-5
) -> None:
    """Compare two results, relative to the largest entry of the second.

    NaN and infinities must sit at the same places.
    """
    actual, desired = np.asarray(actual), np.asarray(desired)
    assert actual.shape == desired.shape, (
        f"{message}: shapes {actual.shape} and {desired.shape} differ"
    )
    if desired.dtype.kind not in "fc":
        assert np.array_equal(actual, desired), message
        return
    finite = np.isfinite(desired)
    assert np.array_equal(finite, np.isfinite(actual)), (
        f"{message}: NaN or infinity at different places"
    )
    if not finite.any():
        return
    scale = max(float(np.abs(desired[finite]).max()), 1e-37)
    worst = float(
        np.abs(actual[finite].astype(float) - desired[finite].astype(float)).max()
    )
    assert worst <= rtol * scale, (
        f"{message}: the largest difference is {worst:.3g} where the largest value is "
        f"{scale:.3g} (allowed: {rtol:g} of it)"
    )


def assert_same_outputs(
    actual: dict[str, np.ndarray],
    desired: dict[str, np.ndarray],
    message: str,
    *,
    rtol: float = 0.0,
) -> None:
    """Compare the results of :func:`outputs`, method by method."""
    assert actual.keys() == desired.keys(), message
    for method, result in desired.items():
        if method == "predict" and rtol > 0:
            continue  # a tie may fall to either side; the probabilities tell
        assert_close(actual[method], result, f"{message} ({method})", rtol=rtol)


def names_of(estimator: Any) -> set[str]:
    """Class names of an estimator and of the estimators inside it."""
    names = {type(estimator).__name__}
    for value in estimator.get_params(deep=True).values():
        if hasattr(value, "get_params"):
            names.add(type(value).__name__)
    return names


def assert_raises(
    call: Callable[[], Any],
    message: str,
    *,
    errors: tuple[type[Exception], ...] = (ValueError,),
    match: Iterable[str] = (),
    named: Any = None,
) -> None:
    """Assert that a call raises one of `errors`, and that the text is of use.

    `match` lists patterns of which all must be found; `named` is the estimator whose
    class (or that of a part of it) the message has to name.
    """
    try:
        call()
    except errors as error:
        text = str(error)
        for pattern in match:
            assert re.search(pattern, text), (
                f"{message}: the error does not match {pattern!r}: {text}"
            )
        if named is not None:
            assert any(name in text for name in names_of(named)), (
                f"{message}: the error does not name the estimator: {text}"
            )
        return
    except Exception as error:
        raise AssertionError(
            f"{message}: raised {type(error).__name__} instead of "
            f"{' or '.join(e.__name__ for e in errors)}: {error}"
        ) from error
    raise AssertionError(f"{message}: nothing was raised")


def _joined_output(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda X: joined(call(X))


def predictors(estimator: Any) -> list[tuple[str, Callable[[Any], Any]]]:
    """Output methods of a fitted estimator, by name."""
    found: list[tuple[str, Callable[[Any], Any]]] = []
    for method in _METHODS:
        with suppress(AttributeError):
            found.append((method, _joined_output(getattr(estimator, method))))
    return found


def is_stateless(estimator: Any) -> bool:
    """Tell whether an estimator says that it works without ``fit``."""
    return not get_tags(estimator).requires_fit
