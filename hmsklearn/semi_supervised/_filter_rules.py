"""Rules for pseudo-labels: what teachers have said, and whether to believe it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hmsklearn._params import check_real

__all__ = [
    "AgreeingTeachers",
    "ClassBelow",
    "ConfidentTeachers",
    "PseudoLabels",
    "VotedClass",
]


class PseudoLabels(NamedTuple):
    """Rows that teachers have labelled, as a filter sees them.

    Attributes
    ----------
    proba : ndarray of shape (n, n_classes)
        Mean of the teachers' probabilities.
    teachers : ndarray of shape (n, n_teachers, n_classes)
        Those of each teacher.
    old : ndarray of shape (n, n_classes)
        Vote fractions; NaN in rows that nobody rated.
    total_votes : ndarray of shape (n,)
        Number of votes; 0 in rows that nobody rated.
    classes : ndarray of shape (n_classes,)
        Labels of the columns.

    Examples
    --------
    >>> proba = np.array([[0.9, 0.1], [0.4, 0.6]])
    >>> candidates = PseudoLabels(
    ...     proba, proba[:, None], np.eye(2), np.array([3, 1]), np.array(["a", "b"])
    ... )
    >>> candidates.proba.argmax(axis=1).tolist()
    [0, 1]
    """

    proba: np.ndarray
    teachers: np.ndarray
    old: np.ndarray
    total_votes: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True)
class ClassBelow:
    """Keep rows where the teachers' probability of one class is low.

    Parameters
    ----------
    label : object, default="Other"
        The class.
    threshold : float, default=0.8
        Its probability must be below this.

    References
    ----------
    16th place of HMS: pseudo-labels only where "Other" is below .8, since a model that
    sees nothing says "Other".

    Examples
    --------
    >>> proba = np.array([[0.9, 0.1], [0.7, 0.3]])
    >>> candidates = PseudoLabels(
    ...     proba, proba[:, None], proba, np.ones(2), np.array(["Other", "GPD"])
    ... )
    >>> ClassBelow()(candidates).tolist()
    [False, True]
    """

    label: Any = "Other"
    threshold: float = 0.8

    def __post_init__(self) -> None:
        """Check the parameters."""
        _check_share(self, "threshold")

    def __call__(self, candidates: PseudoLabels) -> np.ndarray:
        """Tell which rows to keep.

        Parameters
        ----------
        candidates : PseudoLabels
            The rows.

        Returns
        -------
        ndarray of shape (n,), bool
            True for those to keep.

        Raises
        ------
        ValueError
            If there is no such class.
        """
        labels = candidates.classes.tolist()
        if self.label not in labels:
            raise ValueError(
                f"ClassBelow: there is no class {self.label!r} among {labels}. Give "
                "label one of them."
            )
        return candidates.proba[:, labels.index(self.label)] < self.threshold


@dataclass(frozen=True)
class ConfidentTeachers:
    """Keep rows where the teachers are sure of some class.

    Parameters
    ----------
    threshold : float, default=0.5
        The largest mean probability must reach this.

    Examples
    --------
    >>> proba = np.array([[0.9, 0.1], [0.6, 0.4]])
    >>> candidates = PseudoLabels(
    ...     proba, proba[:, None], proba, np.ones(2), np.array(["a", "b"])
    ... )
    >>> ConfidentTeachers(0.8)(candidates).tolist()
    [True, False]
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        """Check the parameter."""
        _check_share(self, "threshold")

    def __call__(self, candidates: PseudoLabels) -> np.ndarray:
        """Tell which rows to keep.

        Parameters
        ----------
        candidates : PseudoLabels
            The rows.

        Returns
        -------
        ndarray of shape (n,), bool
            True for those to keep.
        """
        return candidates.proba.max(axis=1) >= self.threshold


@dataclass(frozen=True)
class AgreeingTeachers:
    """Keep rows that most teachers put into the same class.

    Parameters
    ----------
    share : float, default=1.0
        At least this share of the teachers must have the mean's largest class as
        their own; 1 asks all of them.

    Notes
    -----
    A single teacher agrees with itself: with one, and where a student teaches in later
    rounds, every row is kept.

    Examples
    --------
    >>> teachers = np.array([[[0.9, 0.1], [0.6, 0.4]], [[0.9, 0.1], [0.4, 0.6]]])
    >>> candidates = PseudoLabels(
    ...     teachers.mean(axis=1), teachers, np.eye(2), np.ones(2), np.arange(2)
    ... )
    >>> AgreeingTeachers()(candidates).tolist()
    [True, False]
    """

    share: float = 1.0

    def __post_init__(self) -> None:
        """Check the parameter."""
        _check_share(self, "share")

    def __call__(self, candidates: PseudoLabels) -> np.ndarray:
        """Tell which rows to keep.

        Parameters
        ----------
        candidates : PseudoLabels
            The rows.

        Returns
        -------
        ndarray of shape (n,), bool
            True for those to keep.
        """
        own = candidates.teachers.argmax(axis=2)
        together = own == candidates.proba.argmax(axis=1)[:, None]
        return together.mean(axis=1) >= self.share - 1e-9


@dataclass(frozen=True)
class VotedClass:
    """Keep rows where somebody voted for the class that the teachers find.

    Parameters
    ----------
    min_share : float, default=0.0
        The class must have more than this share of the votes. Rows that nobody rated
        are kept: there is no vote against them.

    Examples
    --------
    >>> proba = np.array([[0.9, 0.1], [0.9, 0.1]])
    >>> old = np.array([[0.5, 0.5], [0.0, 1.0]])
    >>> candidates = PseudoLabels(proba, proba[:, None], old, np.ones(2), np.arange(2))
    >>> VotedClass()(candidates).tolist()
    [True, False]
    """

    min_share: float = 0.0

    def __post_init__(self) -> None:
        """Check the parameter."""
        _check_share(self, "min_share")

    def __call__(self, candidates: PseudoLabels) -> np.ndarray:
        """Tell which rows to keep.

        Parameters
        ----------
        candidates : PseudoLabels
            The rows.

        Returns
        -------
        ndarray of shape (n,), bool
            True for those to keep.
        """
        found = candidates.proba.argmax(axis=1)
        share = candidates.old[np.arange(found.size), found]
        return np.isnan(share) | (share > self.min_share)


def _check_share(rule: Any, parameter: str) -> None:
    value = getattr(rule, parameter)
    check_real(value, parameter, caller=type(rule).__name__, low=0, high=1)
