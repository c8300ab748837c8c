"""Setting parameters in all parts of an estimator that have them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from sklearn.base import BaseEstimator

__all__ = ["override"]


def override(estimator: BaseEstimator, overrides: Mapping[str, Any], name: str) -> None:
    """Set parameters of a recipe, in place.

    Parameters
    ----------
    estimator : estimator
        The recipe.
    overrides : mapping of str to object
        Paths with ``__`` as in ``set_params``, or bare names, which are set wherever
        a part has a parameter of that name.
    name : str
        Name of the recipe, for messages.

    Raises
    ------
    ValueError
        For a parameter that no part has, and for one that stages of a net decide.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import Pipeline
    >>> pipe = Pipeline([("clf", LogisticRegression())])
    >>> override(pipe, {"max_iter": 7, "clf__C": 2.0}, "doctest")
    >>> pipe["clf"].max_iter, pipe["clf"].C
    (7, 2.0)
    """
    paths = {key: value for key, value in overrides.items() if "__" in key}
    for key, value in overrides.items():
        if key not in paths:
            _everywhere(estimator, key, value, name)
    if not paths:
        return
    unknown = sorted(set(paths) - set(estimator.get_params(deep=True)))
    if unknown:
        raise ValueError(
            f"make_recipe: {name} has no parameter {unknown[0]!r}."
            f"{_hint(unknown[0], estimator.get_params(deep=True))} "
            "make_recipe(...).get_params() shows all."
        )
    estimator.set_params(**paths)


def _everywhere(estimator: BaseEstimator, key: str, value: Any, name: str) -> None:
    params = estimator.get_params(deep=True)
    places = [path for path in params if path == key or path.endswith(f"__{key}")]
    if not places:
        names = {path.rsplit("__", 1)[-1] for path in params}
        raise ValueError(
            f"make_recipe: no part of {name} has a parameter {key!r}."
            f"{_hint(key, names)}"
        )
    for path in places:
        stages = params.get(path[: -len(key)] + "stages")
        if stages and any(key in stage for stage in stages):
            raise ValueError(
                f"make_recipe: {key!r} of {path[: -len(key) - 2]} of {name} is what "
                f"its stages say, and {key}={value!r} would change nothing. Override "
                f"{path[: -len(key)]}stages."
            )
    if key == "verbose":
        # A line for each step of each pipeline would hide what the nets say.
        places = [path for path in places if not isinstance(params[path], bool)]
    estimator.set_params(**dict.fromkeys(places, value))


def _hint(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
