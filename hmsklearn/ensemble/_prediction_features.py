"""What the members' predictions of a row say together, as a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hmsklearn.metrics import EPSILON

__all__ = ["PREDICTION_FEATURES", "check_prediction_features", "prediction_features"]


def _entropy(proba: np.ndarray) -> np.ndarray:
    """Entropy over the last axis, in nat."""
    return -(proba * np.log(np.maximum(proba, EPSILON))).sum(axis=-1)


def _entropy_of_mean(proba: np.ndarray) -> np.ndarray:
    return _entropy(proba.mean(axis=1))[:, None]


def _disagreement(proba: np.ndarray) -> np.ndarray:
    """Mean divergence of the members from their mean: Jensen and Shannon's."""
    return _entropy_of_mean(proba) - _entropy(proba).mean(axis=1)[:, None]


#: The features by name; each maps (n, n_members, n_classes) to (n, n_columns).
PREDICTION_FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda proba: proba.mean(axis=1),
    "max": lambda proba: proba.max(axis=1),
    "min": lambda proba: proba.min(axis=1),
    "std": lambda proba: proba.std(axis=1),
    "delta": lambda proba: proba.max(axis=1) - proba.min(axis=1),
    "count": lambda proba: np.eye(proba.shape[2])[proba.argmax(axis=2)].sum(axis=1),
    "entropy": _entropy_of_mean,
    "disagreement": _disagreement,
}


def check_prediction_features(names: Any, caller: str) -> list[str]:
    """Check the names of features.

    Parameters
    ----------
    names : None or sequence of str
        What the user gave.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of str
        The names.

    Raises
    ------
    ValueError
        If one is unknown or repeated.

    Examples
    --------
    >>> check_prediction_features(["mean", "std"], "doctest")
    ['mean', 'std']
    """
    if names is None:
        return []
    listed = [names] if isinstance(names, str) else list(names)
    unknown = [name for name in listed if name not in PREDICTION_FEATURES]
    if unknown or len(set(listed)) < len(listed):
        raise ValueError(
            f"{caller}: prediction_features must be different names out of "
            f"{list(PREDICTION_FEATURES)}, got {names!r}."
        )
    return listed


def prediction_features(
    proba: np.ndarray, names: Sequence[str], classes: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Compute features of predictions.

    Parameters
    ----------
    proba : ndarray of shape (n, n_members, n_classes)
        Probabilities of the members.
    names : sequence of str
        Names out of `PREDICTION_FEATURES`.
    classes : ndarray of shape (n_classes,)
        Class labels.

    Returns
    -------
    table : ndarray of shape (n, n_features)
        The features, float64.
    columns : list of str
        Their names: ``mean_LPD`` where there is one a class, else ``entropy``.

    Examples
    --------
    >>> proba = np.array([[[1.0, 0.0], [0.5, 0.5]]])
    >>> prediction_features(proba, ["mean", "count"], np.array(["a", "b"]))
    (array([[0.75, 0.25, 2.  , 0.  ]]), ['mean_a', 'mean_b', 'count_a', 'count_b'])
    """
    proba = np.asarray(proba, dtype=np.float64)
    blocks, columns = [np.empty((len(proba), 0))], []
    for name in names:
        block = PREDICTION_FEATURES[name](proba)
        blocks.append(block)
        one_a_class = block.shape[1] == classes.size
        columns += [f"{name}_{c}" for c in classes.tolist()] if one_a_class else [name]
    return np.concatenate(blocks, axis=1), columns
