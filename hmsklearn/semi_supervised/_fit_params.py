"""What reaches the ``fit`` of teachers and student: metadata, and weights of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.metadata_routing import process_routing

from hmsklearn._compat import num_samples, routing_enabled
from hmsklearn._fit_key import fit_key
from hmsklearn.ensemble._members import split_fit_params

__all__ = ["extend_params", "route_params", "with_weight"]


def route_params(
    owner: Any,
    targets: Mapping[str, Any],
    *,
    groups: Any,
    sample_weight: np.ndarray | None,
    fit_params: Mapping[str, Any],
    caller: str,
) -> dict[str, dict[str, Any]]:
    """Decide what reaches the ``fit`` of each part.

    Parameters
    ----------
    owner : estimator
        The meta-estimator, a router.
    targets : mapping of str to estimator
        Its parts by the names that the router knows them by.
    groups, sample_weight
        Metadata that its ``fit`` got.
    fit_params : mapping
        Further arguments of its ``fit``.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    dict of str to dict
        Arguments for each part. Where weights go to a part, they are under the key
        that :func:`~hmsklearn._fit_key.fit_key` tells.

    Raises
    ------
    TypeError
        If an argument belongs to no part, or a part takes no weights.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> clf = LogisticRegression()
    >>> route_params(None, {"estimator": clf}, groups=None, sample_weight=None,
    ...              fit_params={"estimator__x": 1}, caller="doctest")
    {'estimator': {'x': 1}}
    """
    if routing_enabled():
        metadata = {"groups": groups, "sample_weight": sample_weight, **fit_params}
        given = {key: value for key, value in metadata.items() if value is not None}
        routed = process_routing(owner, "fit", **given)
        return {name: dict(routed[name]["fit"]) for name in targets}
    params = split_fit_params(fit_params, list(targets), set(), caller)
    for name, estimator in targets.items():
        explicit = any(key.endswith("sample_weight") for key in params[name])
        if sample_weight is not None and not explicit:
            params[name] = with_weight(
                estimator, params[name], sample_weight, f"{caller}: {name}"
            )
    return params


def with_weight(
    estimator: Any, params: Mapping[str, Any], weight: np.ndarray | None, caller: str
) -> dict[str, Any]:
    """Multiply the weights that an estimator gets, or give it some.

    Parameters
    ----------
    estimator : estimator
        What is fitted.
    params : mapping
        Its arguments of ``fit`` so far.
    weight : ndarray of shape (n_rows,) or None
        Weights; None changes nothing.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    dict
        The arguments with the weights.

    Raises
    ------
    TypeError
        If it takes no weights: they are not silently left out.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> with_weight(LogisticRegression(), {"sample_weight": [1, 2]},
    ...             np.array([2.0, 2.0]), "doctest")["sample_weight"].tolist()
    [2.0, 4.0]
    """
    merged = dict(params)
    if weight is None:
        return merged
    key = fit_key(estimator)
    if key is None:
        raise TypeError(
            f"{caller}: fit of {type(estimator).__name__} takes no sample_weight, "
            "which the weights of the rows need. Leave sample_weight out, set "
            "pseudo_weight=1 and copies='rows', or (where scikit-learn's metadata "
            "routing is on) request it in the step that takes it."
        )
    before = merged.get(key)
    merged[key] = weight if before is None else np.asarray(before, float) * weight
    return merged


def extend_params(
    params: Mapping[str, Any],
    n_rows: int,
    groups: np.ndarray | None,
    codes: np.ndarray,
    *,
    caller: str,
) -> dict[str, Any]:
    """Give arguments with one entry a row entries for the unlabelled rows as well.

    Parameters
    ----------
    params : mapping
        Arguments of a part's ``fit``.
    n_rows : int
        Number of rows of ``X``.
    groups : ndarray of shape (n_all,) or None
        Groups of all rows.
    codes : ndarray of shape (n_all,)
        Numbers of the groups, which take the place of those of the rows of ``X``.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    dict
        The arguments. Weights are one in the mean of those given.

    Raises
    ------
    ValueError
        If there is an argument whose entries for unlabelled rows nobody knows.

    Examples
    --------
    >>> extend_params({"sample_weight": [1.0, 3.0], "deep": True}, 2, None,
    ...               np.arange(3), caller="doctest")
    {'sample_weight': array([1., 3., 2.]), 'deep': True}
    """
    extended = {}
    n_more = codes.size - n_rows
    for key, value in params.items():
        if n_more == 0 or not _is_by_row(value, n_rows):
            extended[key] = value
        elif key.endswith("sample_weight"):
            weight = np.asarray(value, dtype=np.float64)
            extended[key] = np.append(weight, np.full(n_more, weight.mean()))
        elif groups is not None and np.array_equal(np.asarray(value), groups[:n_rows]):
            extended[key] = codes
        else:
            raise ValueError(
                f"{caller}: {key} has one entry for each row of X, and none for those "
                "of X_unlabeled, which the student learns from as well. Leave one of "
                "the two out."
            )
    return extended


def _is_by_row(value: Any, n_rows: int) -> bool:
    if isinstance(value, (str, bytes, Mapping)) or not (
        hasattr(value, "__len__") or hasattr(value, "shape")
    ):
        return False
    try:
        return num_samples(value) == n_rows
    except TypeError:
        return False
