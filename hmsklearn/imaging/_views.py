"""The views of a union: checking, fitting and feeding them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from hmsklearn import _base
from hmsklearn._compat import num_samples
from hmsklearn._windows import WindowError, check_windows, float_dtype
from hmsklearn.signal.arrays import Array

__all__ = [
    "admit_input",
    "chunks_of",
    "first_step",
    "fit_view",
    "kept_views",
    "learns",
    "naming",
    "take",
    "view_output",
]

# Rows of a table say nothing about what is read for them. With fifty seconds of
# twenty channels for each, this many keep a file open that several of them share, and
# take little memory.
_CHUNK_ROWS = 16


def kept_views(views: Any, *, caller: str) -> list[tuple[str, Any]]:
    """Check a list of named views, and leave out what is dropped.

    Parameters
    ----------
    views : object
        What the user gave.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of (str, transformer)
        Those that are not ``"drop"``.

    Raises
    ------
    ValueError
        If it is no such list, a view cannot transform, or none is left.
    """
    pairs = isinstance(views, (list, tuple)) and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str)
        for pair in views
    )
    if not pairs or not views:
        raise ValueError(
            f"{caller}: views must be a list of (name, transformer), got {views!r}."
        )
    for name, view in views:
        if isinstance(view, str) and view in ("passthrough", "drop"):
            continue
        if isinstance(view, type) or not (
            hasattr(view, "fit") and hasattr(view, "transform")
        ):
            raise ValueError(
                f"{caller}: view {name!r} must be an instance with fit and transform, "
                f"'passthrough' or 'drop', got {view!r}."
            )
    kept = [(name, view) for name, view in views if not _is(view, "drop")]
    if not kept:
        raise ValueError(f"{caller}: all views are dropped. Keep one.")
    return kept


def _is(view: Any, word: str) -> bool:
    return isinstance(view, str) and view == word


def _steps(view: Any) -> list[Any]:
    """List the transformers of a view, in order, without what does nothing."""
    if not isinstance(view, Pipeline):
        return [] if isinstance(view, str) or view is None else [view]
    return [one for _, step in view.steps for one in _steps(step)]


def first_step(view: Any) -> Any:
    """Return the transformer that `X` meets first; None where there is none."""
    steps = _steps(view)
    return steps[0] if steps else None


def learns(view: Any) -> bool:
    """Tell whether a step of a view must see the data that it is to transform."""
    return any(get_tags(step).requires_fit for step in _steps(view))


def fit_view(view: Any, X: Any, y: Any, params: dict[str, Any], *, look: bool) -> Any:
    """Return a fitted clone of a view.

    Parameters
    ----------
    view : transformer or "passthrough"
        The view.
    X : object
        Windows or rows.
    y : object
        Passed on to what learns.
    params : dict
        Passed on to ``fit``.
    look : bool
        Whether the first step checks all of `X` where the rest needs one window.

    Returns
    -------
    object
        The clone, or ``"passthrough"``.
    """
    if isinstance(view, str):
        return view
    view = clone(view)
    if learns(view):
        return view.fit(X, y, **params)
    if look and isinstance(view, Pipeline):
        first = first_step(view)
        if first is not None:
            clone(first).fit(X)
    return view.fit(
        X if look and not isinstance(view, Pipeline) else take(X, slice(0, 1)), **params
    )


def view_output(view: Any, X: Any) -> Array:
    """Transform by a view, in the precision that the package computes in."""
    result = X if isinstance(view, str) else view.transform(X)
    if isinstance(result, np.ndarray):
        return result.astype(float_dtype(result), copy=False)
    return result


def admit_input(X: Any, *, caller: str) -> Any:
    """Check windows by their shape alone; let tables pass.

    Parameters
    ----------
    X : array-like, Tensor, DataFrame or mapping that is cut by row
        What the user gave.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    object
        An array, a tensor, or `X` itself.

    Raises
    ------
    ValueError
        If it is no array of windows, or holds none.
    """
    if not _is_table(X):
        return check_windows(X, caller=caller, ndim=(3, 4), allow_nan=True, lazy=True)
    if num_samples(X) == 0:
        raise ValueError(
            f"{caller}: Found array with 0 sample(s) while a minimum of 1 is required: "
            "the table has no rows."
        )
    return X


def _is_table(X: Any) -> bool:
    return hasattr(X, "iloc") or isinstance(X, Mapping)


def take(X: Any, where: slice) -> Any:
    """Return windows or rows by position."""
    return X.iloc[where] if hasattr(X, "iloc") else X[where]


def chunks_of(X: Any) -> list[slice]:
    """Cut windows or rows into chunks whose size depends on nothing but theirs."""
    n = num_samples(X)
    step = _CHUNK_ROWS
    if not _is_table(X):
        step = max(1, _base._CHUNK_BYTES // X[:1].nbytes)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


@contextmanager
def naming(name: str, caller: str, first: int = 0) -> Iterator[None]:
    """Say in errors which view they come from, and which window of `X` they mean.

    Parameters
    ----------
    name : str
        Name of the view.
    caller : str
        Name that starts the error messages.
    first : int, default=0
        Number of the first window that the view is given, in `X`.

    Yields
    ------
    None
        Once, for the view to be called.
    """
    try:
        yield
    except WindowError as error:
        before = f"{caller}: view {name!r}: {error.before}"
        raise WindowError(before, error.window + first, error.after) from error
    except (ValueError, TypeError, FileNotFoundError) as error:
        if type(error) not in (ValueError, TypeError, FileNotFoundError):
            raise
        raise type(error)(f"{caller}: view {name!r}: {error}") from error
