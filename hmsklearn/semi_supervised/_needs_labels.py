"""Classifiers that learn from one label a row, where shares of votes are learned."""

from __future__ import annotations

from typing import Any

from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline

__all__ = ["refuse_label_learners"]


def refuse_label_learners(estimator: Any, *, caller: str) -> None:
    """Raise if a student or teacher is a classifier of scikit-learn's own.

    These take labels only. Said before the teachers are trained, and with what to do,
    which their own message about the shape of ``y`` does not tell.

    Parameters
    ----------
    estimator : estimator
        The classifier, a pipeline that ends in one, or a search around one.
    caller : str
        Name that starts the error message.

    Raises
    ------
    TypeError
        If it does not learn from votes.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from hmsklearn.ensemble import SoftLabelClassifier
    >>> refuse_label_learners(SoftLabelClassifier(GaussianNB()), caller="doctest")
    """
    inner = estimator
    while isinstance(inner, (Pipeline, GridSearchCV, RandomizedSearchCV)):
        inner = inner.steps[-1][1] if isinstance(inner, Pipeline) else inner.estimator
    kind = type(inner)
    # What is frozen learns nothing at all.
    if isinstance(inner, FrozenEstimator) or not kind.__module__.startswith("sklearn."):
        return
    if is_classifier(inner):
        raise TypeError(
            f"{caller}: {kind.__name__} learns from one label a row, and here it has "
            "to learn shares of votes. Give "
            f"hmsklearn.ensemble.SoftLabelClassifier({kind.__name__}(...)) in its "
            "place."
        )
