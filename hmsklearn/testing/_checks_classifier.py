"""Checks of classifiers: votes in, probabilities out."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, cross_val_predict, cross_val_score

from hmsklearn.metrics import kl_divergence, kl_scorer
from hmsklearn.testing._data import CheckData
from hmsklearn.testing._helpers import (
    accepts,
    assert_close,
    assert_raises,
    assert_same_outputs,
    fit,
    fresh,
    outputs,
)
from hmsklearn.votes import CLASSES, VOTE_COLUMNS


def check_classes(name: str, estimator: Any, data: CheckData) -> None:
    """Check that ``classes_`` are the six patterns in the competition's order.

    Also where one of them never occurs in `y`, as happens in a fold: columns that
    move with the data cannot be averaged.
    """
    fitted = fit(fresh(estimator), data)
    assert np.array_equal(fitted.classes_, CLASSES), (
        f"{name}: classes_ is {fitted.classes_}, not {CLASSES}"
    )
    rare = data.votes.copy()
    rare[:, 0] = 0
    rare[:, 5] += 1
    fitted = fit(fresh(estimator), data, y=rare)
    assert np.array_equal(fitted.classes_, CLASSES), (
        f"{name}: a class without votes is missing from classes_"
    )
    assert fitted.predict_proba(data.X).shape == (len(data), len(CLASSES))


def check_vote_forms(name: str, estimator: Any, data: CheckData) -> None:
    """Check that votes are accepted in every form, and that the forms agree."""
    votes = data.votes
    counts = outputs(fit(fresh(estimator), data), data.X)
    hard = votes.argmax(axis=1)
    table = pd.DataFrame(votes, columns=list(VOTE_COLUMNS))
    same_as_counts = {
        "(n, 6, 1) counts": votes[..., None],
        "a table in another order": table[list(VOTE_COLUMNS)[::-1]],
        "float counts": votes.astype(np.float64),
        "a list of lists": votes.tolist(),
    }
    for what, y in same_as_counts.items():
        actual = outputs(fit(fresh(estimator), data, y=y), data.X)
        assert_same_outputs(actual, counts, f"{name}: {what} differ from counts")
    indices = outputs(fit(fresh(estimator), data, y=hard), data.X)
    names = outputs(fit(fresh(estimator), data, y=np.array(CLASSES)[hard]), data.X)
    assert_same_outputs(names, indices, f"{name}: names differ from indices")
    fractions = votes / votes.sum(axis=1, keepdims=True)
    for y in (fractions, fractions.astype(np.float32)):
        fitted = fit(fresh(estimator), data, y=y)
        assert np.array_equal(fitted.classes_, CLASSES), (
            f"{name}: classes_ of fractions are {fitted.classes_}"
        )
        assert fitted.predict_proba(data.X).shape == votes.shape


def check_probabilities(name: str, estimator: Any, data: CheckData) -> None:
    """Check that probabilities sum to one and ``predict`` takes the largest."""
    fitted = fit(fresh(estimator), data)
    proba = fitted.predict_proba(data.X)
    assert isinstance(proba, np.ndarray), f"{name}: predict_proba gives no ndarray"
    assert proba.dtype in (np.float32, np.float64), f"{name}: dtype {proba.dtype}"
    assert proba.shape == (len(data), len(fitted.classes_)), (
        f"{name}: predict_proba has shape {proba.shape}"
    )
    assert np.isfinite(proba).all(), f"{name}: predict_proba is not finite"
    assert (proba >= 0).all(), f"{name}: negative probabilities"
    assert (proba <= 1 + 1e-6).all(), f"{name}: probabilities above one"
    worst = np.abs(proba.sum(axis=1) - 1.0).max()
    assert worst < 1e-5, f"{name}: a row of predict_proba is off one by {worst:.2g}"
    predicted = fitted.predict(data.X)
    assert np.array_equal(predicted, fitted.classes_[proba.argmax(axis=1)]), (
        f"{name}: predict is not the class of the largest probability"
    )


def check_score(name: str, estimator: Any, data: CheckData) -> None:
    """Check that ``score`` is the negative KL divergence: greater is better."""
    fitted = fit(fresh(estimator), data)
    expected = -kl_divergence(data.votes, fitted.predict_proba(data.X))
    actual = fitted.score(data.X, data.votes)
    assert np.isscalar(actual), f"{name}: score is no number"
    assert_close(actual, expected, f"{name}: score is not the negative KL", rtol=1e-6)
    hard = np.array(CLASSES)[data.votes.argmax(axis=1)]
    expected = -kl_divergence(hard, fitted.predict_proba(data.X))
    actual = fitted.score(data.X, hard)
    assert_close(actual, expected, f"{name}: score of hard labels", rtol=1e-6)


def check_wrong_votes(name: str, estimator: Any, data: CheckData) -> None:
    """Check that targets that are no votes are refused before any training."""
    votes = data.votes.astype(float)
    nan, negative, zero, torn = (votes.copy() for _ in range(4))
    nan[2, 3], negative[2, 3], zero[2], torn[2, 3] = np.nan, -1.0, 0.0, 0.37
    wrong = {
        "NaN": (nan, "NaN"),
        "negative votes": (negative, "negative"),
        "a row without votes": (zero, "without any vote"),
        "rows that are neither counts nor fractions": (torn, "neither"),
        "five columns": (votes[:, :5], "5"),
        "one row less": (votes[:-1], str(len(data))),
        "an unknown name": (np.array(["LPD"] * (len(data) - 1) + ["lpd?"]), "lpd"),
    }
    for what, (y, match) in wrong.items():
        assert_raises(
            partial(fit, fresh(estimator), data, y=y),
            f"{name}: fit with {what} in y",
            match=(match,),
            named=estimator,
        )
    kwargs = {"groups": data.groups} if accepts(estimator, "groups") else {}
    assert_raises(
        lambda: fresh(estimator).fit(data.X, None, **kwargs),
        f"{name}: fit without y",
        match=("requires y",),
        named=estimator,
    )


def check_encoded_votes_refused(name: str, estimator: Any, data: CheckData) -> None:
    """Check that ``cross_val_predict`` cannot feed ranks instead of votes.

    With ``method="predict_proba"`` scikit-learn replaces each column of `y` by the
    ranks of its values, silently.
    """
    hard = np.array(CLASSES)[data.votes.argmax(axis=1)]
    for y in (data.votes, hard):
        assert_raises(
            partial(
                cross_val_predict,
                fresh(estimator),
                data.X,
                y,
                groups=data.groups,
                cv=GroupKFold(2),
                method="predict_proba",
            ),
            f"{name}: cross_val_predict re-encodes y unnoticed",
            match=("oof_predict_proba",),
        )


def check_cross_val_score(name: str, estimator: Any, data: CheckData) -> None:
    """Check that ``cross_val_score`` by patient gives finite scores of KL."""
    params = {"groups": data.groups} if accepts(estimator, "groups") else None
    how: dict[str, Any] = {"groups": data.groups}
    if params is not None and "groups" in params:
        # Without metadata routing the groups reach the splitter and not fit.
        how["params"] = params
    scores = cross_val_score(
        fresh(estimator),
        data.X,
        data.votes,
        cv=GroupKFold(2),
        scoring=kl_scorer,
        error_score="raise",
        **how,
    )
    assert np.isfinite(scores).all(), f"{name}: cross_val_score gives {scores}"


def check_sample_weight(name: str, estimator: Any, data: CheckData) -> None:
    """Check that equal weights are no weights and wrong ones are refused."""
    plain = outputs(fit(fresh(estimator), data), data.X)
    ones = fit(fresh(estimator), data, sample_weight=np.ones(len(data)))
    assert_same_outputs(
        outputs(ones, data.X),
        plain,
        f"{name}: weights of one differ from no weights",
        rtol=1e-5,
    )
    uneven = np.where(np.arange(len(data)) % 2, 20.0, 0.01)
    other = fit(fresh(estimator), data, sample_weight=uneven).predict_proba(data.X)
    assert not np.array_equal(other, plain["predict_proba"]), (
        f"{name}: sample_weight is ignored"
    )
    wrong = {
        "one weight less": np.ones(len(data) - 1),
        "NaN": np.full(len(data), np.nan),
        "negative weights": -np.ones(len(data)),
        "only zeros": np.zeros(len(data)),
    }
    for what, weight in wrong.items():
        assert_raises(
            partial(fit, fresh(estimator), data, sample_weight=weight),
            f"{name}: sample_weight with {what}",
            match=("weight",),
            named=estimator,
        )
