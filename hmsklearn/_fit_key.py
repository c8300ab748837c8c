"""Under which name a classifier, or a pipeline that ends in one, takes metadata."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from hmsklearn._compat import routing_enabled

__all__ = ["fit_key"]


def fit_key(estimator: Any, parameter: str = "sample_weight") -> str | None:
    """Tell under which name an estimator's ``fit`` takes metadata of the rows.

    Parameters
    ----------
    estimator : estimator
        A classifier, or a pipeline that ends in one.
    parameter : str, default="sample_weight"
        What the classifier calls it.

    Returns
    -------
    str or None
        The parameter itself, or ``"step__sample_weight"``; None if it takes none.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> fit_key(make_pipeline(LogisticRegression()))
    'logisticregression__sample_weight'
    """
    if not isinstance(estimator, Pipeline):
        return parameter if has_fit_parameter(estimator, parameter) else None
    if routing_enabled():
        routing = get_routing_for_object(estimator)
        return parameter if parameter in routing.consumes("fit", [parameter]) else None
    name, last = estimator.steps[-1]
    inner = fit_key(last, parameter)
    return None if inner is None else f"{name}__{inner}"
