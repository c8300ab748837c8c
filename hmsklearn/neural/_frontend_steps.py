"""The steps of a frontend: taken apart, named, and asked whether they fit in one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from hmsklearn.imaging import WindowUnion
from hmsklearn.imaging._view_composition import ViewComposition

__all__ = ["learning_step", "named_steps", "runs_on_tensors"]


def _does_nothing(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step in ("passthrough", "drop"))


def named_steps(transformer: Any, name: str = "") -> list[tuple[str, Any]]:
    """List the transformers of a pipeline in the order in which they run.

    Parameters
    ----------
    transformer : transformer or Pipeline
        What to take apart; pipelines within pipelines too.
    name : str, default=""
        Name of the whole; its class without.

    Returns
    -------
    list of (str, transformer)
        Names as scikit-learn spells parameters, ``outer__inner``. What does nothing
        is left out.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from hmsklearn.preprocessing import NaNImputer, NotchFilter
    >>> inner = make_pipeline(NotchFilter(), "passthrough")
    >>> [name for name, _ in named_steps(make_pipeline(NaNImputer(), inner))]
    ['nanimputer', 'pipeline__notchfilter']
    """
    if _does_nothing(transformer):
        return []
    if isinstance(transformer, Pipeline):
        before = f"{name}__" if name else ""
        return [
            pair
            for own, step in transformer.steps
            for pair in named_steps(step, before + own)
        ]
    return [(name or type(transformer).__name__.lower(), transformer)]


def _leaves(transformer: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Walk through pipelines and the views of unions down to what computes."""
    for own, step in named_steps(transformer, name):
        if isinstance(step, ViewComposition):
            for view_name, view in step.views:
                yield from _leaves(view, f"{own}__{view_name}")
        else:
            yield own, step


def learning_step(transformer: Any) -> tuple[str, Any] | None:
    """Find a step that learns from the data, which a frontend has no place for.

    Parameters
    ----------
    transformer : transformer or Pipeline
        Where to look.

    Returns
    -------
    tuple of (str, transformer) or None
        The first step with the tag ``requires_fit``. What is no scikit-learn estimator
        has no tags and is taken to learn nothing.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from hmsklearn.preprocessing import NaNImputer
    >>> learning_step(make_pipeline(NaNImputer(), StandardScaler()))
    ('standardscaler', StandardScaler())
    """
    for name, step in _leaves(transformer):
        if isinstance(step, BaseEstimator) and get_tags(step).requires_fit:
            return name, step
    return None


def runs_on_tensors(transformer: Any) -> bool:
    """Tell whether all steps are known to map tensors to tensors and learn nothing.

    Parameters
    ----------
    transformer : transformer or Pipeline
        What is asked about.

    Returns
    -------
    bool
        Whether each step is a transformer of this package that takes tensors. False
        where only an attempt could tell.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> from hmsklearn.preprocessing import NaNImputer
    >>> runs_on_tensors(NaNImputer()), runs_on_tensors(StandardScaler())
    (True, False)
    """
    if learning_step(transformer) is not None:
        return False
    # Other unions than that into one image give no tensor.
    return all(
        not isinstance(step, ViewComposition) or isinstance(step, WindowUnion)
        for _, step in named_steps(transformer)
    ) and all(
        getattr(step, "_takes_tensors", False) for _, step in _leaves(transformer)
    )
