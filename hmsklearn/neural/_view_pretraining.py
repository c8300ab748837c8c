"""Branches of several views that are trained alone before they are joined."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from hmsklearn._compat import safe_indexing
from hmsklearn.neural._build import build_net
from hmsklearn.neural._checking import check_parameters
from hmsklearn.neural._device import seeded
from hmsklearn.neural._prepare import FitData

__all__ = ["branches_to_pretrain", "train_alone"]

# What a branch that is left at its default takes from the classifier. The result does
# not depend on these, but for the rounding of another device.
_FOLLOWS = ("device", "amp", "verbose", "distributed")


def branches_to_pretrain(
    pretrain: Any, branches: Sequence[tuple[str, Any]], *, caller: str
) -> list[str]:
    """List the branches that are trained alone, in the order of the branches.

    Parameters
    ----------
    pretrain : bool or sequence of str
        The parameter of the classifier.
    branches : list of (str, estimator)
        Its branches, checked.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of str
        Their names.

    Raises
    ------
    ValueError
        If a name is no branch's, or that of a branch that is fitted; if a branch may
        not be trained and has not been.
    TypeError
        If `pretrain` is neither a bool nor names.

    Examples
    --------
    >>> from hmsklearn.neural import TimmClassifier
    >>> branches = [("a", TimmClassifier()), ("b", TimmClassifier())]
    >>> branches_to_pretrain(True, branches, caller="doctest")
    ['a', 'b']
    >>> branches_to_pretrain(["b"], branches, caller="doctest")
    ['b']
    """
    if isinstance(pretrain, (bool, np.bool_)):
        named = [
            name
            for name, branch in branches
            if pretrain and not hasattr(_unwrapped(branch), "net_")
        ]
    else:
        named = _names(pretrain, dict(branches), caller)
    frozen = [n for n, b in branches if n in named and isinstance(b, FrozenEstimator)]
    if frozen:
        raise ValueError(
            f"{caller}: pretrain={pretrain!r} would train the branch {frozen[0]!r}, "
            "which is not fitted and is in a FrozenEstimator, which keeps it from "
            "that. Give the estimator without it."
        )
    return [name for name, _ in branches if name in named]


def _names(pretrain: Any, branches: Mapping[str, Any], caller: str) -> list[str]:
    if isinstance(pretrain, (str, Mapping)) or not isinstance(pretrain, Sequence):
        raise TypeError(
            f"{caller}: pretrain must be True, False or a list of names of branches, "
            f"got {pretrain!r}."
        )
    unknown = [name for name in pretrain if name not in branches]
    if unknown:
        raise ValueError(
            f"{caller}: pretrain names {unknown}, which are no branches. Known are "
            f"{list(branches)}."
        )
    fitted = [name for name in pretrain if hasattr(_unwrapped(branches[name]), "net_")]
    if fitted:
        raise ValueError(
            f"{caller}: pretrain names {fitted}, which are fitted already and would "
            "forget what they have learned. Leave them out, or give estimators that "
            "are not fitted."
        )
    return list(pretrain)


def _unwrapped(branch: Any) -> Any:
    return branch.estimator if isinstance(branch, FrozenEstimator) else branch


def train_alone(classifier: Any, data: FitData, names: Sequence[str]) -> dict[str, Any]:
    """Train branches one after the other, each on its own view.

    Parameters
    ----------
    classifier : MultiViewClassifier
        The classifier.
    data : FitData
        Its data.
    names : sequence of str
        Which branches.

    Returns
    -------
    dict of str to estimator
        Fitted estimators by name, on the CPU. Those of the classifier stay as they
        are.

    Raises
    ------
    ValueError, TypeError, RuntimeError
        What a branch raises, with its name.

    Notes
    -----
    Windows that the classifier keeps to validate on are kept from the branches too:
    they validate on the same ones. Otherwise the best epoch of the joined net would be
    chosen on windows that a part of it was trained on.
    """
    branches = classifier._branches()
    views = classifier._views_of(branches)
    caller = type(classifier).__name__
    # One for every branch, so that none depends on which others are trained.
    random_state, largest = data.given["random_state"], np.iinfo(np.int32).max
    seeds = {name: int(random_state.randint(largest)) for name in branches}
    alone = {
        name: _estimator_of(classifier, name, branches[name], seeds[name], data)
        for name in names
    }
    several = isinstance(data.X, Mapping)
    seen = {name: views[name] if several else None for name in names}
    _rehearse(classifier, data, alone, seen)
    for name, estimator in alone.items():
        with _naming(name, caller):
            estimator.fit(_view(data.X, seen[name]), **_rest(data, seen[name]))
        # No room for it is needed on the device before it is joined.
        estimator.net_.move_to("cpu")
    return alone


def _rehearse(
    classifier: Any, data: FitData, alone: dict[str, Any], seen: dict[str, Any]
) -> None:
    """Build and join everything once, so that what does not fit is found at once.

    Otherwise it would be found when the branches have been trained, perhaps for days.
    """
    few = data.rows[:2]
    with seeded(0, "cpu"):
        parts = {}
        for name, estimator in alone.items():
            part = _on_cpu(estimator)
            X = _view(data.X, seen[name])
            with _naming(name, type(classifier).__name__):
                check_parameters(part)
                own = replace(data, X=part._check_X(X))
                part.net_ = part._new_net(own.X, own, "cpu")
                build_net(part, part.net_, own, few)
            parts[name] = part
        whole = _on_cpu(classifier)
        net = whole._new_net(data.X, replace(data, parts=parts), "cpu")
        build_net(whole, net, data, few)


def _on_cpu(estimator: Any) -> Any:
    params = estimator.get_params(deep=False)
    return type(estimator)(**{**params, "device": "cpu", "amp": None})


@contextlib.contextmanager
def _naming(name: str, caller: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, RuntimeError) as error:
        # Others have constructors of their own, and say enough.
        if type(error) not in (ValueError, TypeError, RuntimeError):
            raise
        raise type(error)(
            f"{caller}: branch {name!r}, trained alone: {error}"
        ) from error


def _view(X: Any, view: str | None) -> Any:
    return X if view is None else X[view]


def _estimator_of(
    classifier: Any, name: str, branch: Any, seed: int, data: FitData
) -> Any:
    """Make an estimator with the parameters of a branch and what it follows in."""
    params = branch.get_params(deep=False)
    # By reference, as if the branch itself was fitted: a clone would empty a fitted
    # estimator in `weights` and the callbacks that are read after fit.
    defaults = inspect.signature(type(branch)).parameters
    for parameter in _FOLLOWS:
        if params[parameter] == defaults[parameter].default:
            params[parameter] = getattr(classifier, parameter)
    params["classes"] = data.classes.tolist()
    if params["random_state"] is None:
        params["random_state"] = seed
    if params["checkpoint"] is None and classifier.checkpoint is not None:
        # A folder each: nobody is told that it holds the trainings of others.
        params["checkpoint"] = f"{classifier.checkpoint}/{name}"
        params["checkpoint_every"] = classifier.checkpoint_every
        params["resume"] = classifier.resume
    if classifier.frontend is not None:
        params["frontend"] = Pipeline(
            [("shared", classifier.frontend), ("own", branch.frontend)]
        )
    return type(branch)(**params)


def _rest(data: FitData, view: str | None) -> dict[str, Any]:
    """Make what ``fit`` takes besides the windows."""
    given = data.given
    weight, X_val, y_val = given["sample_weight"], None, None
    if data.valid is not None:
        X_val = _view(data.valid.windows, view)
        y_val = given["y_val"]
        if given["X_val"] is None:
            # Left out by their weight: no copy of the others is needed.
            before = 1.0 if weight is None else np.asarray(weight)[data.rows]
            weight = np.zeros(len(data.fractions))
            weight[data.rows] = before
            X_val = X_val[data.valid.rows]
            y_val = safe_indexing(given["y"], data.valid.rows)
    return {
        "y": given["y"],
        "sample_weight": weight,
        "groups": given["groups"],
        "eeg_id": data.eeg_id,
        "X_val": X_val,
        "y_val": y_val,
    }
