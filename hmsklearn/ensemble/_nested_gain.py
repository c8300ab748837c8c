"""The gain of a stack whose members have not seen the rows that it is scored on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import indexable

from hmsklearn._compat import safe_indexing
from hmsklearn.ensemble._gain import Answers
from hmsklearn.ensemble._learn import learn
from hmsklearn.ensemble._member_fits import member_probabilities
from hmsklearn.ensemble._plan import Plan, Rows
from hmsklearn.model_selection._splits import resolve_splits

__all__ = ["nested_answers"]


def nested_answers(
    plans: list[Plan],
    rows: Rows,
    outer: list[tuple[np.ndarray, np.ndarray]],
    cv: Any,
) -> Answers:
    """Fit a whole stack for each outer fold, and predict the fold by it.

    Parameters
    ----------
    plans : list of Plan
        How the stack of each outer fold is fitted.
    rows : Rows
        All rows.
    outer : list of (ndarray, ndarray)
        Row numbers of the outer folds.
    cv : object
        Inner splits, made anew for the rows of each stack.

    Returns
    -------
    Answers
        Predictions of all rows by stacks whose members, weights and choice of the
        best member come from the other outer folds alone.
    """
    (X,) = indexable(rows.X)
    shape = rows.target.votes.fractions.shape
    stack, member, mean = np.empty(shape), np.empty(shape), np.empty(shape)
    chosen = []
    for plan, (train, test) in zip(plans, outer, strict=True):
        part = rows.cut(train)
        inner = resolve_splits(cv, part.X, part.y, part.groups, caller=plan.caller)
        learned = learn(plan, part, inner)
        asked = safe_indexing(X, test)
        proba = member_probabilities(
            learned.estimators, learned.names, asked, plan.classes, plan.caller
        )
        kl = [part.target.kl(learned.oof[:, n]) for n in range(len(learned.names))]
        best = int(np.argmin(kl))
        groups = None if rows.groups is None else safe_indexing(rows.groups, test)
        stack[test] = learned.blend.predict_proba(proba, asked, groups)
        member[test] = proba[:, best]
        mean[test] = proba.mean(axis=1)
        chosen.append(learned.names[best])
    return Answers(stack, member, mean, chosen)
