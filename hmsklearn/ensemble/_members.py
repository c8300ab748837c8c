"""Named members: their names, their parameters of ``fit``, their columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from hmsklearn.model_selection._folds import check_can_predict_proba

__all__ = [
    "check_fitted_members",
    "check_members",
    "columns_in_order",
    "member_fit_params",
    "params_without_routing",
    "split_fit_params",
    "weighted_fit_params",
]


def check_members(
    estimators: Any, reserved: set[str], caller: str
) -> list[tuple[str, Any]]:
    """Check a list of named estimators and leave out the dropped ones.

    Parameters
    ----------
    estimators : list of (str, estimator)
        The list as the user gave it; an estimator may be ``"drop"``.
    reserved : set of str
        Names that members must not have, those of the constructor's arguments.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of (str, estimator)
        The members that are not dropped.

    Raises
    ------
    ValueError
        For an empty list, wrong names, or if all members are dropped.
    TypeError
        For members that are not classifiers with probabilities.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> members = [("a", LogisticRegression()), ("b", "drop")]
    >>> check_members(members, {"cv"}, "doctest")
    [('a', LogisticRegression())]
    """
    if not isinstance(estimators, (list, tuple)) or not estimators:
        raise ValueError(
            f"{caller}: estimators must be a list of (name, estimator) pairs with at "
            f"least one member, got {estimators!r}."
        )
    for item in estimators:
        if (
            not isinstance(item, (list, tuple))
            or len(item) != 2
            or not isinstance(item[0], str)
        ):
            raise ValueError(
                f"{caller}: estimators must be a list of (name, estimator) pairs, one "
                f"of them is {item!r}."
            )
    names = [name for name, _ in estimators]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{caller}: the names of the members must differ, repeated: {twice}."
        )
    for name in names:
        if name in reserved or "__" in name or not name:
            raise ValueError(
                f"{caller}: a member cannot be called {name!r}: names must not be "
                "empty, contain a double underscore or equal an argument of the "
                f"constructor ({', '.join(sorted(reserved))})."
            )
    members = [
        (name, estimator)
        for name, estimator in estimators
        if not (isinstance(estimator, str) and estimator == "drop")
    ]
    if not members:
        raise ValueError(
            f"{caller}: all members are dropped. At least one must be an estimator."
        )
    for name, estimator in members:
        check_can_predict_proba(estimator, f"{caller}: member {name!r}")
    return members


def check_fitted_members(
    members: list[tuple[str, Any]],
    classes: np.ndarray,
    caller: str,
    because: str = "cv='prefit'",
) -> None:
    """Check that members are fitted, on the classes that are asked for.

    Parameters
    ----------
    members : list of (str, estimator)
        The members.
    classes : ndarray of shape (n_classes,)
        The classes.
    caller : str
        Name that starts the error messages.
    because : str, default="cv='prefit'"
        What asks for fitted members.

    Raises
    ------
    NotFittedError
        If one is not fitted.
    ValueError
        If one has other classes.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> clf = DummyClassifier().fit([[0], [0]], ["a", "b"])
    >>> check_fitted_members([("dummy", clf)], np.array(["b", "a"]), "doctest")
    """
    for name, estimator in members:
        try:
            check_is_fitted(estimator)
        except NotFittedError as error:
            raise NotFittedError(
                f"{caller}: member {name!r}, {type(estimator).__name__}, is not "
                f"fitted, and {because} takes members as they are. Fit it first. "
                "Where scikit-learn clones what holds it, as cross_val_score does, "
                "wrap it: sklearn.frozen.FrozenEstimator(member)."
            ) from error
        known = np.asarray(estimator.classes_)
        nothing = np.empty((0, known.size))
        columns_in_order(nothing, known, classes, f"{caller}: member {name!r}")


def split_fit_params(
    fit_params: Mapping[str, Any], names: list[str], dropped: set[str], caller: str
) -> dict[str, dict[str, Any]]:
    """Hand ``name__parameter`` to the member of that name.

    Parameters
    ----------
    fit_params : mapping
        Keyword arguments of the stack's ``fit``.
    names : list of str
        Names of the members.
    dropped : set of str
        Names of the dropped members, whose parameters are dropped with them.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    dict of str to dict
        Keyword arguments of each member's ``fit``.

    Raises
    ------
    TypeError
        If a parameter starts with no member's name.

    Examples
    --------
    >>> split_fit_params({"mel__net__groups": 1}, ["mel", "raw"], set(), "doctest")
    {'mel': {'net__groups': 1}, 'raw': {}}
    """
    params: dict[str, dict[str, Any]] = {name: {} for name in names}
    for key, value in fit_params.items():
        name, _, parameter = key.partition("__")
        if name in dropped and parameter:
            continue
        if name not in params or not parameter:
            raise TypeError(
                f"{caller}.fit got an unexpected argument {key!r}. Parameters of a "
                "member's fit start with its name and two underscores, such as "
                f"{names[0]}__{parameter or key}; the members are {names}."
            )
        params[name][parameter] = value
    return params


def weighted_fit_params(
    estimator: Any, params: dict[str, Any], sample_weight: Any, caller: str
) -> dict[str, Any]:
    """Add the weights of the rows to a member's parameters of ``fit``.

    Parameters
    ----------
    estimator : estimator
        The member.
    params : dict
        Its parameters so far. Where they hold a ``sample_weight``, or one for a step
        of a pipeline, nothing is added.
    sample_weight : array-like or None
        The weights.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    dict
        The parameters with the weights.

    Raises
    ------
    TypeError
        If the member's ``fit`` takes no weights: they are not silently left out.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> weighted_fit_params(LogisticRegression(), {}, [1, 2], "doctest")
    {'sample_weight': [1, 2]}
    """
    if sample_weight is None or any(key.endswith("sample_weight") for key in params):
        return params
    if not has_fit_parameter(estimator, "sample_weight"):
        raise TypeError(
            f"{caller}: fit of {type(estimator).__name__} takes no sample_weight. Name "
            "the step of a pipeline that takes it (member__step__sample_weight=...), "
            "or switch on scikit-learn's metadata routing and request it there."
        )
    return {**params, "sample_weight": sample_weight}


def member_fit_params(
    members: list[tuple[str, Any]],
    weight: np.ndarray | None,
    fit_params: Mapping[str, Any],
    dropped: set[str],
    caller: str,
) -> dict[str, dict[str, Any]]:
    """Decide what reaches each member's ``fit`` where no metadata is routed.

    Parameters
    ----------
    members : list of (str, estimator)
        The members that are fitted.
    weight : ndarray of shape (n,) or None
        Weights of the rows, for all of them.
    fit_params : mapping
        Keyword arguments ``name__parameter``.
    dropped : set of str
        Names of the dropped members.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    dict of str to dict
        Keyword arguments by member.

    Raises
    ------
    TypeError
        If a parameter belongs to no member, or one takes no weights.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> member_fit_params([("a", LogisticRegression())], [1, 2], {}, set(), "doctest")
    {'a': {'sample_weight': [1, 2]}}
    """
    params = split_fit_params(
        fit_params, [name for name, _ in members], dropped, caller
    )
    return {
        name: weighted_fit_params(
            estimator, params[name], weight, f"{caller}: member {name!r}"
        )
        for name, estimator in members
    }


def params_without_routing(
    members: list[tuple[str, Any]],
    blender: Any,
    groups: np.ndarray | None,
    weight: np.ndarray | None,
    fit_params: Mapping[str, Any],
    dropped: set[str],
    caller: str,
) -> dict[str, dict[str, Any]]:
    """Decide what reaches each ``fit`` where no metadata is routed.

    Parameters
    ----------
    members : list of (str, estimator)
        The members that are fitted.
    blender : estimator
        The final estimator.
    groups : ndarray of shape (n,) or None
        Groups of the rows, for a final estimator whose ``fit`` takes them.
    weight : ndarray of shape (n,) or None
        Weights of the rows, for all of them.
    fit_params : mapping
        Keyword arguments of the stack's ``fit``.
    dropped : set of str
        Names of the dropped members.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    dict of str to dict
        Keyword arguments by member, and for ``final_estimator``.

    Raises
    ------
    TypeError
        If a parameter belongs to no member, or one takes no weights.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> params_without_routing([("a", LogisticRegression())], LogisticRegression(),
    ...                        None, [1, 2], {}, set(), "doctest")
    {'a': {'sample_weight': [1, 2]}, 'final_estimator': {'sample_weight': [1, 2]}}
    """
    if not members and fit_params:
        raise TypeError(
            f"{caller}.fit got an unexpected argument {next(iter(fit_params))!r}: with "
            "cv='prefit' no member is fitted."
        )
    params = member_fit_params(members, weight, fit_params, dropped, caller)
    final = weighted_fit_params(blender, {}, weight, f"{caller}: final_estimator")
    if groups is not None and has_fit_parameter(blender, "groups"):
        final = {**final, "groups": groups}
    return {**params, "final_estimator": final}


def columns_in_order(
    proba: np.ndarray, found: np.ndarray, wanted: np.ndarray, caller: str
) -> np.ndarray:
    """Put the columns of a member's probabilities into the order that is asked for.

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes)
        The member's probabilities.
    found : ndarray of shape (n_classes,)
        The member's classes.
    wanted : ndarray of shape (n_classes,)
        The classes that are asked for.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n, n_classes)
        The probabilities with the columns of `wanted`.

    Raises
    ------
    ValueError
        If the classes are not the same.

    Examples
    --------
    >>> columns_in_order(np.array([[0.1, 0.9]]), np.array(["b", "a"]),
    ...                  np.array(["a", "b"]), "doctest").tolist()
    [[0.9, 0.1]]
    """
    found_list, wanted_list = found.tolist(), wanted.tolist()
    if found_list == wanted_list:
        return proba
    if len(found_list) != len(wanted_list) or set(found_list) != set(wanted_list):
        raise ValueError(
            f"{caller} has the classes {found_list}, expected {wanted_list}. Set "
            "classes of all members, and of what combines them, to the same labels "
            "(classes='infer' where the columns of y are numbered)."
        )
    return proba[:, [found_list.index(label) for label in wanted_list]]
