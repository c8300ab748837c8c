"""A scorer of probabilities that knows whose columns they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmsklearn._compat import BaseScorer
from hmsklearn.votes import CLASSES, resolve_classes

__all__ = ["ProbabilityScorer", "columns_of"]


class ProbabilityScorer(BaseScorer):
    """Score the probabilities of an estimator, columns put into the target's order.

    ``make_scorer`` hands probabilities over without saying whose columns they are, and
    an estimator that was fitted on names has them in alphabetical order. Built by
    :func:`hmsklearn.metrics.make_kl_scorer`.

    Parameters
    ----------
    score_func : callable
        ``score_func(y_true, proba, *, classes, sample_weight=None, **kwargs)``.
    sign : {1, -1}
        Factor of what it returns.
    kwargs : dict
        Further arguments; ``classes`` among them.
    response_method : str, default="predict_proba"
        Where the probabilities come from.

    Examples
    --------
    >>> from hmsklearn.metrics import make_kl_scorer
    >>> isinstance(make_kl_scorer(), ProbabilityScorer)
    True
    """

    def _score(
        self, method_caller: Any, estimator: Any, X: Any, y_true: Any, **kwargs: Any
    ) -> float:
        proba = np.asarray(method_caller(estimator, self._response_method, X))
        if proba.ndim == 1:
            # With two classes scikit-learn hands over the second column only.
            proba = np.column_stack([1 - proba, proba])
        settings = {**self._kwargs, **kwargs}
        order, labels = columns_of(estimator, settings.get("classes"))
        settings["classes"] = labels
        return self._sign * self._score_func(y_true, proba[:, order], **settings)


def columns_of(estimator: Any, classes: Any) -> tuple[np.ndarray, list[Any]]:
    """Find the order that puts an estimator's columns into that of the target.

    Parameters
    ----------
    estimator : object
        Fitted, with ``classes_``.
    classes : "hms", "infer", None or sequence of labels
        Labels of the target's columns. None and "infer" take the estimator's, in
        the order of :data:`hmsklearn.votes.CLASSES` where they are those six names.

    Returns
    -------
    order : ndarray of int
        Column of the estimator for each column of the target.
    labels : list
        Labels of the target's columns.

    Raises
    ------
    ValueError
        If the estimator knows other classes.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> order, labels = columns_of(SimpleNamespace(classes_=["b", "a"]), ["a", "b"])
    >>> order.tolist(), labels
    ([1, 0], ['a', 'b'])
    """
    columns = np.asarray(estimator.classes_).tolist()
    if classes is None or (isinstance(classes, str) and classes == "infer"):
        labels = list(CLASSES) if set(columns) == set(CLASSES) else columns
    else:
        labels = resolve_classes(classes, None, caller="kl_scorer").tolist()
    if columns == list(range(len(labels))):
        return np.arange(len(labels)), labels  # numbered columns have no other order
    if len(columns) != len(labels) or set(columns) != set(labels):
        raise ValueError(
            f"kl_scorer: {type(estimator).__name__} has probabilities of the classes "
            f"{columns}, the target's are {labels}. Give make_kl_scorer(classes=...) "
            "the labels of the target's columns, or fit on all of them."
        )
    return np.asarray([columns.index(label) for label in labels]), labels
