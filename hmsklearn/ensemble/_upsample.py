"""Rare classes that count more in the fit of a blend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hmsklearn._params import check_real

__all__ = ["check_upsample", "upsampled_weight"]


def check_upsample(upsample: Any, classes: np.ndarray, caller: str) -> None:
    """Check how classes are to be upsampled.

    Parameters
    ----------
    upsample : None, "balanced" or mapping of label to number
        What the user gave.
    classes : ndarray of shape (n_classes,)
        Class labels.
    caller : str
        Name that starts the error messages.

    Raises
    ------
    ValueError
        For unknown words and labels, and for factors that are not positive.

    Examples
    --------
    >>> check_upsample({"a": 2.0}, np.array(["a", "b"]), "doctest")
    >>> check_upsample({"c": 2.0}, np.array(["a", "b"]), "doctest")
    Traceback (most recent call last):
        ...
    ValueError: doctest: upsample names 'c', which is none of the classes ['a', 'b'].
    """
    if upsample is None or (isinstance(upsample, str) and upsample == "balanced"):
        return
    if not isinstance(upsample, Mapping):
        raise ValueError(
            f"{caller}: upsample must be None, 'balanced' or a dict of labels and "
            f"factors, got {upsample!r}."
        )
    known = classes.tolist()
    for label, factor in upsample.items():
        if label not in known:
            raise ValueError(
                f"{caller}: upsample names {label!r}, which is none of the classes "
                f"{known}."
            )
        check_real(
            factor, f"upsample[{label!r}]", caller=caller, low=0.0, low_open=True
        )


def upsampled_weight(
    upsample: Any,
    classes: np.ndarray,
    fractions: np.ndarray,
    weight: np.ndarray | None,
) -> np.ndarray | None:
    """Weigh the rows by the classes that were voted for.

    Parameters
    ----------
    upsample : None, "balanced" or mapping of label to number
        What :func:`check_upsample` accepts.
    classes : ndarray of shape (n_classes,)
        Class labels.
    fractions : ndarray of shape (n_rows, n_classes)
        Vote fractions of the rows that a blend is fitted on.
    weight : ndarray of shape (n_rows,) or None
        Weights of the rows.

    Returns
    -------
    ndarray of shape (n_rows,) or None
        ``weight_i * sum_k fraction_ik * factor_k``, scaled so that the sum of the
        weights stays what it was. "balanced" takes factors that give every class the
        same weight of votes, those that nobody voted for left out. None where there
        are neither weights nor factors.

    Examples
    --------
    >>> fractions = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    >>> labels = np.array(["rare", "common"])
    >>> upsampled_weight({"rare": 3.0}, labels, fractions, None).round(3).tolist()
    [2.0, 0.667, 0.667, 0.667]
    >>> upsampled_weight("balanced", labels, fractions, None).round(3).tolist()
    [2.0, 0.667, 0.667, 0.667]
    """
    if upsample is None:
        return weight
    base = np.ones(len(fractions)) if weight is None else weight
    if isinstance(upsample, Mapping):
        factors = np.array(
            [float(upsample.get(label, 1)) for label in classes.tolist()]
        )
    else:
        mass = base @ fractions
        factors = np.divide(1.0, mass, out=np.zeros_like(mass), where=mass > 0)
    raised = base * (fractions @ factors)
    return raised * (base.sum() / raised.sum())
