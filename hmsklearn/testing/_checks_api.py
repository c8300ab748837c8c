"""Checks of the parameters, the state and the company an estimator keeps."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any

import joblib
import numpy as np
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

from hmsklearn.testing._data import CheckData
from hmsklearn.testing._helpers import (
    accepts,
    assert_same_outputs,
    fit,
    fresh,
    is_stateless,
    outputs,
    predictors,
)


def check_init_stores_params(name: str, estimator: Any, data: CheckData) -> None:
    """Check that ``__init__`` stores every argument as it is, without looking at it.

    ``set_params`` writes attributes directly; whatever ``__init__`` did besides
    storing would be skipped in a grid search. An opaque object must therefore pass
    through unharmed and unchecked.
    """
    parameters = signature(type(estimator).__init__).parameters
    names = []
    for parameter in list(parameters.values())[1:]:
        assert parameter.kind not in (
            Parameter.VAR_POSITIONAL,
            Parameter.VAR_KEYWORD,
        ), f"{name}: __init__ takes *{parameter.name}, which get_params cannot list"
        names.append(parameter.name)
    given = {key: object() for key in names}
    try:
        built = type(estimator)(**given)
    except Exception as error:
        raise AssertionError(
            f"{name}: __init__ looks at its arguments ({error}); validate in fit"
        ) from error
    for key, value in given.items():
        assert getattr(built, key, None) is value, (
            f"{name}: __init__ does not store {key} as it is"
        )
    extra = set(vars(built)) - set(names)
    assert not extra, f"{name}: __init__ sets {sorted(extra)}, which are no parameters"


def check_params_round_trip(name: str, estimator: Any, data: CheckData) -> None:
    """Check that ``get_params``, ``set_params`` and ``clone`` agree with each other.

    Grid search, ``Pipeline`` and cross-validation rebuild estimators from them.
    """
    params = estimator.get_params(deep=False)
    again = clone(estimator).set_params(**params).get_params(deep=False)
    assert again.keys() == params.keys(), f"{name}: set_params changes the parameters"
    for parameter, value in params.items():
        assert again[parameter] is value, (
            f"{name}: set_params({parameter}=...) does not store the value as it is"
        )
    marker = object()
    for parameter in params:
        other = clone(estimator)
        other.set_params(**{parameter: marker})
        assert getattr(other, parameter) is marker, (
            f"{name}: set_params looks at {parameter}; validate in fit"
        )


def check_fit_returns_self(name: str, estimator: Any, data: CheckData) -> None:
    """Check that ``fit`` returns the estimator, so that calls can be chained."""
    estimator = fresh(estimator)
    assert fit(estimator, data) is estimator, f"{name}: fit does not return self"


def check_fit_keeps_params(name: str, estimator: Any, data: CheckData) -> None:
    """Check that ``fit`` leaves the parameters alone, also what they contain.

    A parameter changed in ``fit`` makes the second fit another model and every
    clone a different one.
    """
    estimator = fresh(estimator)
    params = estimator.get_params(deep=True)
    before = {parameter: joblib.hash(value) for parameter, value in params.items()}
    fit(estimator, data)
    outputs(estimator, data.X)
    after = estimator.get_params(deep=True)
    assert after.keys() == before.keys(), f"{name}: fit adds or removes parameters"
    for parameter, value in after.items():
        assert joblib.hash(value) == before[parameter], (
            f"{name}: fit changes the parameter {parameter}"
        )


def check_fitted_names(name: str, estimator: Any, data: CheckData) -> None:
    """Check that what ``fit`` adds ends in an underscore, or starts with one."""
    estimator = fresh(estimator)
    before = set(vars(estimator))
    fit(estimator, data)
    wrong = [
        attribute
        for attribute in set(vars(estimator)) - before
        if not attribute.endswith("_") and not attribute.startswith("_")
    ]
    assert not wrong, f"{name}: learned attributes {sorted(wrong)} lack the final _"


def check_methods_keep_state(name: str, estimator: Any, data: CheckData) -> None:
    """Check that predicting and transforming change nothing in the estimator.

    Otherwise results depend on what was asked before, and threads get in each
    other's way.
    """
    estimator = fit(fresh(estimator), data)
    keys = set(vars(estimator))
    before = outputs(estimator, data.X)
    hashes = {key: joblib.hash(value) for key, value in vars(estimator).items()}
    few = data.take(slice(0, 5))
    outputs(estimator, few.X)
    after = outputs(estimator, data.X)
    assert set(vars(estimator)) == keys, (
        f"{name}: predict or transform add attributes "
        f"{sorted(set(vars(estimator)) ^ keys)}"
    )
    for key, value in vars(estimator).items():
        assert joblib.hash(value) == hashes[key], (
            f"{name}: predict or transform change {key}"
        )
    assert_same_outputs(after, before, f"{name}: a second call gives other results")


def check_n_features_in(name: str, estimator: Any, data: CheckData) -> None:
    """Check that ``n_features_in_`` is the length of axis 1, the channels."""
    estimator = fit(fresh(estimator), data)
    assert hasattr(estimator, "n_features_in_"), f"{name}: no n_features_in_ after fit"
    assert estimator.n_features_in_ == data.X.shape[1], (
        f"{name}: n_features_in_ is {estimator.n_features_in_}, X has "
        f"{data.X.shape[1]} entries on axis 1"
    )


def check_unfitted(name: str, estimator: Any, data: CheckData) -> None:
    """Check that without ``fit`` there is a result or a NotFittedError, by tag."""
    estimator = fresh(estimator)
    methods = predictors(estimator)
    if is_stateless(estimator):
        expected = outputs(fit(fresh(estimator), data), data.X)
        assert_same_outputs(
            outputs(estimator, data.X),
            expected,
            f"{name}: unfitted differs from fitted",
        )
        return
    if hasattr(estimator, "score"):
        methods.append(("score", lambda X: estimator.score(X, data.votes)))
    for method, call in methods:
        try:
            call(data.X)
        except NotFittedError:
            continue
        except Exception as error:
            raise AssertionError(
                f"{name}: unfitted {method} raises {type(error).__name__}, not "
                f"NotFittedError: {error}"
            ) from error
        raise AssertionError(f"{name}: unfitted {method} does not raise NotFittedError")
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        pass
    else:
        raise AssertionError(f"{name}: passes check_is_fitted before fit")
    check_is_fitted(fit(estimator, data))


def check_html_repr(name: str, estimator: Any, data: CheckData) -> None:
    """Check that the estimator shows itself as text and as HTML."""
    estimator = fresh(estimator)
    for stage in (estimator, fit(clone(estimator), data)):
        assert name in repr(stage), f"{name}: repr does not name the class"
        assert name in estimator_html_repr(stage), f"{name}: no HTML representation"


def check_metadata_requests(name: str, estimator: Any, data: CheckData) -> None:
    """Check that `groups` and `sample_weight` can be routed to ``fit``."""
    for parameter in ("groups", "sample_weight"):
        if not accepts(estimator, parameter):
            continue
        with config_context(enable_metadata_routing=True):
            if hasattr(estimator, "set_fit_request"):
                asked = clone(estimator).set_fit_request(**{parameter: True})
                routing = asked.get_metadata_routing()
            else:  # routers, which pass it on by themselves
                routing = clone(estimator).get_metadata_routing()
            wanted = routing.consumes("fit", [parameter])
        assert parameter in wanted, f"{name}: fit does not request {parameter}"


def check_pipeline(name: str, estimator: Any, data: CheckData) -> None:
    """Check that a Pipeline with neighbours gives what the estimator gives alone."""
    alone = outputs(fit(fresh(estimator), data), data.X)
    steps = [FunctionTransformer(), fresh(estimator)]
    if not is_classifier(estimator):
        steps.append(FunctionTransformer())
    params = {}
    if accepts(estimator, "groups"):
        params[f"{type(estimator).__name__.lower()}__groups"] = data.groups
    pipe = make_pipeline(*steps).fit(data.X, data.votes, **params)
    assert_same_outputs(outputs(pipe, data.X), alone, f"{name}: differs in a Pipeline")


def check_default_arguments(name: str, estimator: Any, data: CheckData) -> None:
    """Check that defaults are immutable, or two estimators would share them."""
    parameters = list(signature(type(estimator).__init__).parameters.values())[1:]
    allowed = (str, int, float, bool, tuple, type(None), np.generic)
    for parameter in parameters:
        default = parameter.default
        if default is Parameter.empty or callable(default):
            continue
        assert isinstance(default, allowed), (
            f"{name}: the default of {parameter.name} is a mutable "
            f"{type(default).__name__}"
        )
