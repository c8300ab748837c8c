"""Averages of probabilities, or of their logarithms, with given weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy.special import softmax

from hmsklearn.metrics import EPSILON

__all__ = ["AVERAGES", "average_probabilities", "check_member_weights", "log_proba"]

#: What can be averaged.
AVERAGES = ("probability", "log")


def log_proba(proba: np.ndarray) -> np.ndarray:
    """Take the logarithm of probabilities, away from zero as the metric does.

    Parameters
    ----------
    proba : ndarray
        Probabilities.

    Returns
    -------
    ndarray
        Their logarithms, float64.

    Examples
    --------
    >>> log_proba(np.array([0.0, 1.0])).round(1).tolist()
    [-34.5, -0.0]
    """
    clipped = np.clip(np.asarray(proba, dtype=np.float64), EPSILON, 1.0 - EPSILON)
    return np.log(clipped)


def average_probabilities(
    weighted: Iterable[tuple[float, np.ndarray]], average: str
) -> np.ndarray:
    """Average tables of probabilities, one after the other.

    Parameters
    ----------
    weighted : iterable of (float, ndarray of shape (n, n_classes))
        Weight and table of each member. One table exists at a time where the iterable
        makes them as they are asked for.
    average : {"probability", "log"}
        Whether probabilities are averaged, with weights that sum to one, or their
        logarithms, with any weights.

    Returns
    -------
    ndarray of shape (n, n_classes)
        Probabilities, float64.

    Examples
    --------
    >>> tables = [(0.75, np.array([[0.9, 0.1]])), (0.25, np.array([[0.5, 0.5]]))]
    >>> average_probabilities(tables, "probability").round(3).tolist()
    [[0.8, 0.2]]
    >>> average_probabilities(tables, "log").round(3).tolist()
    [[0.839, 0.161]]
    """
    total: Any = 0.0
    for weight, proba in weighted:
        if average == "log":
            total = total + weight * log_proba(proba)
        else:
            total = total + weight * np.asarray(proba, dtype=np.float64)
    if average == "log":
        return softmax(total, axis=1)
    # Weights that sum to one up to rounding can lift a certain class above one.
    return np.minimum(total, 1.0)


def check_member_weights(
    weights: Any, names: list[str], kept: list[str], average: str, caller: str
) -> np.ndarray:
    """Check the weights of named members.

    Parameters
    ----------
    weights : None, sequence of float or mapping of str to float
        What the user gave, for all members; those of dropped ones fall away with
        them, and a mapping need not name them.
    names : list of str
        Names of all members.
    kept : list of str
        Names of those that are not dropped.
    average : {"probability", "log"}
        What is averaged. Weights of probabilities are divided by their sum; the sum of
        weights of logarithms says how sure the average is and is left as it is.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_kept,)
        The weights of the members that are kept, in their order.

    Raises
    ------
    ValueError
        For weights of no member, members without weight, and for numbers that are
        negative, infinite, missing or all zero.

    Examples
    --------
    >>> check_member_weights({"a": 3, "b": 1}, ["a", "b"], ["a", "b"],
    ...                      "probability", "doctest").tolist()
    [0.75, 0.25]
    """
    if weights is None:
        return np.full(len(kept), 1.0 / len(kept))
    if isinstance(weights, Mapping):
        unknown = [key for key in weights if key not in names]
        missing = [name for name in kept if name not in weights]
        if unknown or missing:
            raise ValueError(
                f"{caller}: weights must hold one number for each member. Without "
                f"weight: {missing}, not members: {unknown}."
            )
        given = [weights[name] for name in kept]
    else:
        sized = hasattr(weights, "__len__") and not isinstance(weights, str)
        if not sized or len(weights) != len(names):
            raise ValueError(
                f"{caller}: weights must be None, one number for each of the "
                f"{len(names)} members {names}, dropped ones included, or a dict by "
                f"member, got {weights!r}."
            )
        by_name = dict(zip(names, list(weights), strict=True))
        given = [by_name[name] for name in kept]
    try:
        values = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{caller}: weights must be numbers, got {weights!r} ({error})."
        ) from None
    good = values.shape == (len(kept),) and np.isfinite(values).all()
    if not good or (values < 0).any() or values.sum() == 0:
        raise ValueError(
            f"{caller}: weights must be finite and not negative, and one of them above "
            f"zero, got {dict(zip(kept, values.tolist(), strict=True))}."
        )
    return values if average == "log" else values / values.sum()
