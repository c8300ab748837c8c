"""The table that a stack keeps of its folds."""

from __future__ import annotations

import numpy as np

from hmsklearn.ensemble._cross_fit import Target
from hmsklearn.ensemble._learn import Learned

__all__ = ["table_of_folds"]


def table_of_folds(learned: Learned, target: Target) -> dict[str, np.ndarray]:
    """Make ``cv_results_``: one entry a fold.

    Parameters
    ----------
    learned : Learned
        What the stack's fit gave.
    target : Target
        Votes and weights of the rows.

    Returns
    -------
    dict of str to ndarray
        Rows and divergences, and for each member its divergence, its seconds where
        it was fitted, and its weight where the blend has one weight a member.
    """
    tests = [test for _, test in learned.splits]
    crossed = learned.crossed
    table = {
        "n_rows": np.array([test.size for test in tests]),
        "kl": np.array([target.kl(crossed.proba[test], test) for test in tests]),
    }
    weights = [
        np.asarray(getattr(blender, "weights_", None)) for blender in crossed.blenders
    ]
    weighted = all(each.shape == (len(learned.names),) for each in weights)
    for number, name in enumerate(learned.names):
        kl = [target.kl(learned.oof[test, number], test) for test in tests]
        table[f"kl_{name}"] = np.array(kl)
        if learned.runs:
            seconds = [fold.seconds for fold in learned.runs[number]]
            table[f"seconds_{name}"] = np.array(seconds)
        if weighted:
            table[f"weight_{name}"] = np.array([each[number] for each in weights])
    return table
