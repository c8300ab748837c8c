"""The list of recipes by name; a new one is one file and one decorator."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

__all__ = ["Recipe", "find_recipe", "list_recipes", "register_recipe"]

Builder = Callable[..., Any]


@dataclass(frozen=True)
class Recipe:
    """What a registered name stands for.

    Attributes
    ----------
    name : str
        The name.
    builder : callable
        Takes a :class:`Scale`, returns an unfitted estimator. Further parameters are
        options of the recipe and have defaults.
    rank : str
        Place in the competition, empty for systems without one.
    inputs : str
        What the nets look at.
    nets : str
        The nets.
    cv, public, private : float or None
        Published KL (for ``seti`` AUC) of the system as a whole: of the team's own
        cross-validation, and on the two parts of the test set. None where no source
        states it.
    source : str
        Kaggle discussion, repository or report.
    family : str
        Which page of the gallery shows it.

    Examples
    --------
    >>> find_recipe("hms_7th").rank
    '7'
    """

    name: str
    builder: Builder
    rank: str
    inputs: str
    nets: str
    cv: float | None
    public: float | None
    private: float | None
    source: str
    family: str

    @property
    def options(self) -> list[str]:
        """Names of the parameters that the builder has beside the scale."""
        return list(inspect.signature(self.builder).parameters)[1:]


_RECIPES: dict[str, Recipe] = {}


def register_recipe(
    name: str,
    *,
    inputs: str,
    nets: str,
    source: str,
    family: str,
    rank: str = "",
    cv: float | None = None,
    public: float | None = None,
    private: float | None = None,
) -> Callable[[Builder], Builder]:
    """Register a recipe under a name; a function decorator.

    Parameters
    ----------
    name : str
        Name by which :func:`make_recipe` finds it.
    inputs : str
        What the nets look at, in a few words.
    nets : str
        The nets, in a few words.
    source : str
        Kaggle discussion, repository or report.
    family : str
        Which page of the gallery shows it.
    rank : str, default=""
        Place in the competition.
    cv, public, private : float, optional
        Published scores of the system as a whole, where a source states them.

    Returns
    -------
    callable
        Decorator that returns the function unchanged. It is called with a
        :class:`Scale` and returns an unfitted estimator.

    Raises
    ------
    ValueError
        If another function has the name already.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> @register_recipe("doctest_dummy", inputs="nothing", nets="none",
    ...                  source="this example", family="none")
    ... def dummy(s):
    ...     return DummyClassifier()
    >>> find_recipe("doctest_dummy").builder is dummy
    True
    >>> del _RECIPES["doctest_dummy"]
    """

    def decorate(builder: Builder) -> Builder:
        known = _RECIPES.get(name)
        if known is not None and known.builder.__qualname__ != builder.__qualname__:
            raise ValueError(
                f"register_recipe: {name!r} is the name of {known.builder.__name__} "
                "already. Choose another."
            )
        _RECIPES[name] = Recipe(
            name, builder, rank, inputs, nets, cv, public, private, source, family
        )
        return builder

    return decorate


def find_recipe(name: str) -> Recipe:
    """Find a recipe by its name.

    Parameters
    ----------
    name : str
        The name.

    Returns
    -------
    Recipe
        What is registered under it.

    Raises
    ------
    ValueError
        If there is no such recipe; the message names the closest.

    Examples
    --------
    >>> find_recipe("concensus")
    Traceback (most recent call last):
        ...
    ValueError: make_recipe: there is no recipe 'concensus'. Did you mean \
'consensus'? list_recipes() shows all.
    """
    if isinstance(name, str) and name in _RECIPES:
        return _RECIPES[name]
    close = difflib.get_close_matches(str(name), list(_RECIPES), n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"make_recipe: there is no recipe {name!r}.{hint} list_recipes() shows all."
    )


def list_recipes() -> pd.DataFrame:
    """List the recipes.

    Returns
    -------
    DataFrame
        A row for each recipe, the name as its index: ``rank`` in the competition,
        ``inputs`` and ``nets`` in words, published KL (for ``seti`` AUC) as ``cv``,
        ``public`` and ``private`` with NaN where no source states it, ``source`` and
        ``family``, the page of the gallery that shows it.

    See Also
    --------
    make_recipe : Builds one.

    Examples
    --------
    >>> recipes = list_recipes()
    >>> recipes.loc["hms_7th", ["rank", "nets"]].tolist()
    ['7', 'ConvNeXt-Base, MaxViT-Tiny']
    """
    columns = ["rank", "inputs", "nets", "cv", "public", "private", "source", "family"]
    table = pd.DataFrame(
        [[getattr(recipe, column) for column in columns] for recipe in _ordered()],
        index=pd.Index([recipe.name for recipe in _ordered()], name="name"),
        columns=columns,
    )
    scores = ["cv", "public", "private"]
    table[scores] = table[scores].astype(float)
    return table


def _ordered() -> list[Recipe]:
    """Recipes with a rank by it, then the others by name."""
    return sorted(
        _RECIPES.values(),
        key=lambda recipe: (int(recipe.rank) if recipe.rank else 10**6, recipe.name),
    )
