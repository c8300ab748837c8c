"""Where in a pipeline test-time transforms act, and how it is run from there on."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from hmsklearn.ensemble._tta_base import Identity, Transform
from hmsklearn.imaging import ViewUnion, WindowUnion
from hmsklearn.views import WindowViews

__all__ = [
    "Place",
    "before_place",
    "find_place",
    "names_before",
    "predict_each",
    "unwrap",
]


@dataclass(frozen=True, order=True)
class Place:
    """A place in front of a step of a pipeline, or inside one view of a union.

    Attributes
    ----------
    index : int
        Position of the step in the pipeline; 0 also where there is no pipeline.
    view : str
        Name of the view, where the step is a union of views and the place is in it.
    inner : int
        Position of the step within that view.
    """

    index: int = 0
    view: str = ""
    inner: int = 0


class _Applied(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """A transform as a step of a pipeline."""

    def __init__(self, change: Transform) -> None:
        self.change = change

    def fit(self, X: Any, y: Any = None) -> _Applied:
        return self

    def transform(self, X: Any) -> Any:
        return self.change(X)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def unwrap(estimator: Any) -> Any:
    """Return what a frozen estimator holds, anything else as it is.

    Parameters
    ----------
    estimator : estimator
        The estimator.

    Returns
    -------
    estimator
        The one inside.
    """
    while isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    return estimator


def find_place(step: str | None, estimator: Any, caller: str) -> Place:
    """Find the place that a step's name means.

    Parameters
    ----------
    step : str or None
        Name of a step of the pipeline; ``union__view`` and ``union__view__step``
        mean places inside one view of a union. None is in front of everything.
    estimator : estimator
        The pipeline, fitted or not.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    Place
        The place.

    Raises
    ------
    ValueError
        If there is no such step.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> pipe = Pipeline([("same", "passthrough"), ("clf", DummyClassifier())])
    >>> find_place("clf", pipe, "doctest")
    Place(index=1, view='', inner=0)
    """
    if step is None:
        return Place()
    pipeline = unwrap(estimator)
    if not isinstance(pipeline, Pipeline):
        raise ValueError(
            f"{caller}: step={step!r} names a step, and the estimator is a "
            f"{type(pipeline).__name__}, not a Pipeline. Leave step at None."
        )
    name, *path = step.split("__")
    index = _position(name, [key for key, _ in pipeline.steps], step, caller)
    if not path:
        return Place(index)
    union = unwrap(pipeline.steps[index][1])
    if not isinstance(union, (ViewUnion, WindowUnion)) or len(path) > 2:
        raise ValueError(
            f"{caller}: step={step!r} leads into the step {name!r}, a "
            f"{type(union).__name__}. Only ViewUnion and WindowUnion can be entered, "
            "by union__view or union__view__step."
        )
    used = [key for key, view in union.views if not _is_dropped(view)]
    _position(path[0], used, step, caller)
    if len(path) == 1:
        return Place(index, path[0])
    view = unwrap(dict(union.views)[path[0]])
    inner = [key for key, _ in view.steps] if isinstance(view, Pipeline) else []
    return Place(index, path[0], _position(path[1], inner, step, caller))


def _is_dropped(view: Any) -> bool:
    return isinstance(view, str) and view == "drop"


def _position(name: str, names: list[str], step: str, caller: str) -> int:
    if name in names:
        return names.index(name)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"{caller}: step={step!r}: there is no {name!r}, only {names}.{hint}"
    )


def before_place(place: Place, estimator: Any, X: Any) -> tuple[Any, Any] | None:
    """Run what stands before a place, and find what the channels are called there.

    Parameters
    ----------
    place : Place
        The place.
    estimator : estimator
        The estimator, frozen or not fitted.
    X : array-like
        Rows of data, a single one usually.

    Returns
    -------
    (object, object) or None
        What the transforms will get, and the names of its channels; None where
        something on the way must learn first.
    """
    pipeline, names = unwrap(estimator), None
    fitted = pipeline is not estimator
    parts = []
    if place.index:
        parts.append(pipeline[: place.index])
    if place.view:
        parts.append(_part_of_view(place, pipeline))
    for part in parts:
        if part is None:
            continue
        if not fitted:
            if any(_learns(step) for _, step in part.steps):
                return None
            part = clone(part)
            part.fit(X)
        X = part.transform(X)
        names = names_before(part, names)
    return X, names


def _part_of_view(place: Place, pipeline: Any) -> Any:
    """Return the steps of the view in front of the place; None if there are none."""
    union = unwrap(pipeline.steps[place.index][1])
    view = dict(getattr(union, "views_", None) or union.views)[place.view]
    return unwrap(view)[: place.inner] if place.inner else None


def _learns(step: Any) -> bool:
    return not isinstance(step, str) and get_tags(step).requires_fit


def names_before(part: Any, names: Any = None) -> Any:
    """Ask the steps before a place for the names of the channels that they give.

    Parameters
    ----------
    part : Pipeline
        The fitted steps.
    names : list of str, optional
        Names of their input.

    Returns
    -------
    list of str, dict of str to list of str, or None
        Names of the channels or planes; by view where there are several; None where
        the steps do not tell.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.preprocessing import MontageTransformer
    >>> part = Pipeline([("montage", MontageTransformer("double_banana"))])
    >>> names_before(part.fit(np.zeros((1, 20, 9), "f4")))[:2]
    ['Fp1-F7', 'F7-T3']
    """
    try:
        found = [str(name) for name in part.get_feature_names_out(names)]
    except (AttributeError, NotFittedError, TypeError, ValueError):
        return None
    last = unwrap(part.steps[-1][1])
    if isinstance(last, ViewUnion):
        by_view: dict[str, list[str]] = {}
        for name in found:
            view, _, plane = name.partition("__")
            by_view.setdefault(view, []).append(plane)
        return by_view
    # Numbered for want of names: they say nothing about the head.
    return None if found and found == [f"x{i}" for i in range(len(found))] else found


def predict_each(
    estimator: Any, X: Any, work: Sequence[tuple[int, Place, Transform]]
) -> Iterator[tuple[int, Any]]:
    """Predict under each transform; what the places have in common runs once.

    Parameters
    ----------
    estimator : estimator
        The fitted estimator.
    X : array-like, DataFrame, list or WindowViews
        The rows.
    work : sequence of (int, Place, Transform)
        Number, place and transform of each prediction.

    Yields
    ------
    (int, array-like)
        Number and probabilities, place after place.
    """
    pipeline, at = unwrap(estimator), 0
    for place in sorted({place for _, place, _ in work}):
        if place.index > at:
            X = pipeline[at : place.index].transform(X)
            at = place.index
        here = [(number, each) for number, where, each in work if where == place]
        if place.view:
            yield from _predict_in_view(pipeline, place, X, here)
            continue
        rest = pipeline[at:] if at else pipeline
        for number, transform in here:
            yield number, rest.predict_proba(transform(X))


def _predict_in_view(
    pipeline: Pipeline, place: Place, X: Any, here: list[tuple[int, Transform]]
) -> Iterator[tuple[int, Any]]:
    (name, step), *tail = pipeline.steps[place.index :]
    union = unwrap(step)
    alone = isinstance(union, ViewUnion)
    # The other views are the same each time.
    whole: Any = union.transform(X) if alone else None
    for number, transform in here:
        if not alone:
            changed = _with_transform(union, place, transform, only=False)
            rest = Pipeline([(name, changed), *tail])
            yield number, rest.predict_proba(X)
            continue
        views = whole
        if not isinstance(transform, Identity):
            changed = _with_transform(union, place, transform, only=True)
            views = WindowViews({**dict(whole.items()), **changed.transform(X)})
        yield number, Pipeline(tail).predict_proba(views)


def _with_transform(
    union: Any, place: Place, transform: Transform, *, only: bool
) -> Any:
    """Return a copy of a fitted union in one view of which a transform is a step."""
    views = []
    for name, view in union.views_:
        if name == place.view:
            inner = unwrap(view)
            steps = (
                list(inner.steps) if isinstance(inner, Pipeline) else [("view", inner)]
            )
            steps.insert(place.inner, ("test_time_transform", _Applied(transform)))
            views.append((name, Pipeline(steps)))
        elif not only:
            views.append((name, view))
    changed = copy.copy(union)
    changed.views_ = views
    return changed
