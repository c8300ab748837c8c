"""How a round of pseudo-labelling went, in numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmsklearn.metrics import kl_divergence
from hmsklearn.semi_supervised._material import Material
from hmsklearn.semi_supervised._student import Labels
from hmsklearn.semi_supervised._teachers import Lesson

__all__ = ["describe_round"]


def describe_round(
    number: int, material: Material, lesson: Lesson, labels: Labels, seconds: float
) -> dict[str, Any]:
    """Sum up one round.

    Parameters
    ----------
    number : int
        Number of the round, from 1.
    material : Material
        All rows.
    lesson : Lesson
        What the teachers said.
    labels : Labels
        What was made of it.
    seconds : float
        How long it took.

    Returns
    -------
    dict
        One row of ``history_``.

    Examples
    --------
    >>> from hmsklearn.semi_supervised._material import prepare_material
    >>> from hmsklearn.votes import check_votes
    >>> votes = check_votes([[12, 0], [0, 11], [1, 0]], classes="infer")
    >>> material = prepare_material(np.eye(3), votes, None, None, None, None,
    ...                             min_votes=10, caller="doctest")
    >>> proba = np.array([[[np.nan, np.nan]], [[np.nan, np.nan]], [[0.5, 0.5]]])
    >>> lesson = Lesson(proba, [None], ["a"], [np.arange(2)], [np.array([2])])
    >>> labels = Labels(votes.fractions, np.arange(3), None, 1, 0.45)
    >>> row = describe_round(1, material, lesson, labels, 0.1)
    >>> row["n_few"], round(row["teacher_kl"], 4), row["agreement"]
    (1, 0.6931, 1.0)
    """
    mean = lesson.proba.mean(axis=1)  # NaN in rows that nobody was asked about
    asked = ~np.isnan(mean).any(axis=1)
    rated = ~np.isnan(material.fractions).any(axis=1)
    few = asked & rated & ~material.labeled
    known = asked & material.labeled
    return {
        "round": number,
        "n_teachers": len(lesson.names),
        "n_labeled": int(material.labeled.sum()),
        "n_few": int((rated & ~material.labeled).sum()),
        "n_unlabeled": int((~rated).sum()),
        "n_pseudo": int(labels.n_pseudo),
        "teacher_kl": _kl(material.fractions[few], mean[few]),
        "agreement": _agreement(material.fractions[few], mean[few]),
        "labeled_kl": _kl(material.fractions[known], mean[known]),
        "shift": labels.shift,
        "seconds": seconds,
    }


def _kl(truth: np.ndarray, proba: np.ndarray) -> float:
    if truth.shape[0] == 0:
        return float("nan")
    return float(kl_divergence(truth, proba, classes=list(range(truth.shape[1]))))


def _agreement(old: np.ndarray, proba: np.ndarray) -> float:
    """Share of rows where no class has more votes than the teachers' own."""
    if old.shape[0] == 0:
        return float("nan")
    own = old[np.arange(old.shape[0]), proba.argmax(axis=1)]
    return float((own >= old.max(axis=1) - 1e-12).mean())
