"""What a student learns: labels, copies and weights of the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.metrics import check_weight
from hmsklearn.semi_supervised._blend import blend_pseudo_labels, mean_of_teachers
from hmsklearn.semi_supervised._filter_rules import PseudoLabels
from hmsklearn.semi_supervised._filters import check_filter, select_pseudo_labels
from hmsklearn.semi_supervised._material import Material

__all__ = ["LabelRules", "Labels", "make_labels"]


@dataclass(frozen=True)
class LabelRules:
    """How labels are made; the parameters of the classifier, checked.

    Attributes
    ----------
    old_weight, teacher_weight : float
        Weights of the old label and of the teachers' mean.
    labeled_copies, pseudo_copies : int
        How often rows are taken.
    copies : {"rows", "weights"}
        Whether they are repeated, or weighted.
    pseudo_weight : float or callable
        Weight of a pseudo-labelled row.
    pseudo_probability : float
        How likely a row is to get its pseudo-label.
    filter : str, callable, sequence of them or None
        Which pseudo-labels are taken.
    rejected : {"drop", "old"}
        What becomes of the others.
    caller : str
        Name that starts the error messages.
    """

    old_weight: float
    teacher_weight: float
    labeled_copies: int
    pseudo_copies: int
    copies: str
    pseudo_weight: float | Callable[[PseudoLabels], Any]
    pseudo_probability: float
    filter: Any
    rejected: str
    caller: str

    def __post_init__(self) -> None:
        """Check the parameters."""
        who = self.caller
        check_real(self.old_weight, "old_weight", caller=who, low=0)
        check_real(
            self.teacher_weight, "teacher_weight", caller=who, low=0, low_open=True
        )
        check_integer(self.labeled_copies, "labeled_copies", caller=who, low=1)
        check_integer(self.pseudo_copies, "pseudo_copies", caller=who, low=1)
        check_choice(self.copies, "copies", ("rows", "weights"), caller=who)
        if not callable(self.pseudo_weight):
            check_real(
                self.pseudo_weight, "pseudo_weight", caller=who, low=0, low_open=True
            )
        check_real(
            self.pseudo_probability,
            "pseudo_probability",
            caller=who,
            low=0,
            low_open=True,
            high=1,
        )
        check_filter(self.filter, caller=who)
        check_choice(self.rejected, "rejected", ("drop", "old"), caller=who)


class Labels(NamedTuple):
    """What a student is to learn.

    Attributes
    ----------
    targets : ndarray of shape (n_all, n_classes)
        Fractions of every row.
    rows : ndarray of int
        The rows that it learns from, repeated where they have copies.
    weight : ndarray of shape (n_all,) or None
        Weights of all rows; None where all are one.
    n_pseudo : int
        Number of rows with a pseudo-label.
    shift : float
        Mean total variation between the old and the new label of pseudo-labelled rows
        that had one; NaN if none had.
    """

    targets: np.ndarray
    rows: np.ndarray
    weight: np.ndarray | None
    n_pseudo: int
    shift: float


def make_labels(
    material: Material,
    proba: np.ndarray | None,
    rules: LabelRules,
    classes: np.ndarray,
    random_state: np.random.RandomState,
) -> Labels:
    """Make labels, copies and weights for a student.

    Parameters
    ----------
    material : Material
        All rows.
    proba : ndarray of shape (n_all, n_teachers, n_classes) or None
        What the teachers say; None where there is nothing to label.
    rules : LabelRules
        How.
    classes : ndarray of shape (n_classes,)
        Labels of the columns.
    random_state : RandomState
        Where it is drawn from which rows get their pseudo-label.

    Returns
    -------
    Labels
        What the student is to learn.

    Raises
    ------
    ValueError
        If a filter gives no mask, or a callable weight no weights.

    Examples
    --------
    >>> from hmsklearn.semi_supervised._material import prepare_material
    >>> from hmsklearn.votes import check_votes
    >>> votes = check_votes([[12, 0], [0, 11], [1, 0]], classes="infer")
    >>> material = prepare_material(np.eye(3), votes, None, None, None, None,
    ...                             min_votes=10, caller="doctest")
    >>> rules = LabelRules(0.1, 0.9, 2, 1, "rows", 1.0, 1.0, None, "drop", "doctest")
    >>> labels = make_labels(material, np.full((3, 1, 2), 0.5), rules, np.arange(2),
    ...                      np.random.RandomState(0))
    >>> labels.rows.tolist(), labels.targets[2].round(2).tolist()
    ([0, 1, 0, 1, 2], [0.55, 0.45])
    """
    known = np.flatnonzero(material.labeled)
    few = np.flatnonzero(~material.labeled)
    targets = material.fractions.copy()
    kept, pseudo, weight_of_pseudo = few[:0], few[:0], np.empty(0)
    shift = float("nan")
    if few.size and proba is not None:
        said, before = proba[few], material.fractions[few]
        mean = mean_of_teachers(said, caller=rules.caller)
        candidates = PseudoLabels(
            mean, said, before, material.total_votes[few], classes
        )
        chosen = select_pseudo_labels(candidates, rules.filter, caller=rules.caller)
        old_weight, teacher_weight = rules.old_weight, rules.teacher_weight
        new = blend_pseudo_labels(
            before, said, old_weight=old_weight, teacher_weight=teacher_weight
        )
        unrated = np.isnan(before).all(axis=1)
        drawn = random_state.uniform(size=few.size) < rules.pseudo_probability
        relabel = chosen & (drawn | unrated)
        stay = (chosen & ~drawn) | (~chosen & (rules.rejected == "old"))
        stay &= ~unrated
        targets[few[relabel]] = new[relabel]
        pseudo, kept = few[relabel], few[stay]
        weight_of_pseudo = _pseudo_weight(rules, candidates)[relabel]
        moved = relabel & ~unrated
        if moved.any():
            shift = float(np.abs(new - before)[moved].sum(axis=1).mean() / 2)
    weight = np.ones(material.n_all)
    weight[pseudo] = weight_of_pseudo
    lower = np.sort(np.concatenate([pseudo, kept]))
    if rules.copies == "rows":
        rows = np.concatenate(
            [np.tile(known, rules.labeled_copies), np.tile(lower, rules.pseudo_copies)]
        )
    else:
        rows = np.concatenate([known, lower])
        rows.sort()
        weight[known] *= rules.labeled_copies
        weight[lower] *= rules.pseudo_copies
    plain = bool((weight[rows] == 1).all())
    return Labels(targets, rows, None if plain else weight, pseudo.size, shift)


def _pseudo_weight(rules: LabelRules, candidates: PseudoLabels) -> np.ndarray:
    n_rows = candidates.proba.shape[0]
    if not callable(rules.pseudo_weight):
        return np.full(n_rows, float(rules.pseudo_weight))
    weight = check_weight(
        np.asarray(rules.pseudo_weight(candidates)),
        n_rows,
        rules.caller,
        what="pseudo_weight",
    )
    assert weight is not None  # it was given
    return weight
