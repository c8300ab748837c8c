"""Bins of predicted probability: what is in them, and how sure one can be of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from hmsklearn.metrics._bootstrap import resampled_ratios, signs_of_groups
from hmsklearn.metrics._rows import ScoredRows

__all__ = [
    "KINDS",
    "Bins",
    "check_binning",
    "cut_into_bins",
    "flipped_gaps",
    "resampled_gaps",
]

KINDS = ("classwise", "top-label")
_STRATEGIES = ("uniform", "quantile")


class Bins(NamedTuple):
    """The rows' probabilities of one class, sorted into bins.

    Attributes
    ----------
    label : object
        The class, or "top label".
    edges : ndarray of shape (n_bins + 1,)
        Edges of the bins, from zero to one.
    place : ndarray of shape (n,)
        Number of each row's bin.
    predicted, voted : ndarray of shape (n,)
        Probability of each row, and the share of votes that it speaks of.
    weight : ndarray of shape (n,)
        Weights of the rows.
    """

    label: Any
    edges: np.ndarray
    place: np.ndarray
    predicted: np.ndarray
    voted: np.ndarray
    weight: np.ndarray

    @property
    def mass(self) -> np.ndarray:
        """Weight in each bin."""
        return self._sum(self.weight)

    @property
    def gap(self) -> np.ndarray:
        """Mean vote fraction less mean probability of each bin, zero if empty."""
        return self.mean(self.voted) - self.mean(self.predicted)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Weighted mean in each bin, zero in empty ones."""
        mass, out = self.mass, np.zeros(self.edges.size - 1)
        np.divide(self._sum(self.weight * values), mass, out=out, where=mass > 0)
        return out

    def _sum(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.place, values, self.edges.size - 1)


def check_binning(kind: str, strategy: str, n_bins: Any, name: str) -> None:
    """Raise if the bins are not described by known words and a number.

    Parameters
    ----------
    kind, strategy : str
        What is binned, and how.
    n_bins : int
        Number of bins.
    name : str
        Name that starts the error messages.

    Raises
    ------
    ValueError
        If one of them is not known.
    """
    if kind not in KINDS:
        raise ValueError(f"{name}: kind={kind!r} is not known. Give one of {KINDS}.")
    if strategy not in _STRATEGIES:
        raise ValueError(
            f"{name}: strategy={strategy!r} is not known. Give one of {_STRATEGIES}."
        )
    whole = isinstance(n_bins, (int, np.integer)) and not isinstance(n_bins, bool)
    if not whole or n_bins < 1:
        raise ValueError(f"{name}: n_bins must be 1 or more, got {n_bins!r}.")


def cut_into_bins(
    rows: ScoredRows, kind: str, n_bins: int, strategy: str
) -> list[Bins]:
    """Sort the rows into bins, once for each class or once for the top label.

    Parameters
    ----------
    rows : ScoredRows
        Targets and predictions.
    kind : {"classwise", "top-label"}
        What to look at.
    n_bins : int
        Number of bins; equal probabilities are never divided, so ``"quantile"`` may
        make fewer.
    strategy : {"uniform", "quantile"}
        Bins of equal width, or of equal weight.

    Returns
    -------
    list of Bins
        One for each class, or one.
    """
    weight = np.ones(len(rows.proba)) if rows.weight is None else rows.weight
    if kind == "top-label":
        each, top = np.arange(len(rows.proba)), rows.proba.argmax(axis=1)
        looked_at = [("top label", rows.proba[each, top], rows.fractions[each, top])]
    else:
        looked_at = [
            (label, rows.proba[:, k], rows.fractions[:, k])
            for k, label in enumerate(rows.labels.tolist())
        ]
    bins = []
    for label, predicted, voted in looked_at:
        inner = np.linspace(0.0, 1.0, n_bins + 1)[1:-1]
        if strategy == "quantile":
            inner = _quantiles(predicted, weight, inner)
        edges = np.concatenate([[0.0], inner, [1.0]])
        place = np.searchsorted(inner, predicted, side="right")
        bins.append(Bins(label, edges, place, predicted, voted, weight))
    return bins


def resampled_gaps(
    bins: Bins, patient: np.ndarray, n_boot: int, random_state: Any
) -> np.ndarray:
    """Gaps of the bins over resampled patients.

    Parameters
    ----------
    bins : Bins
        The bins.
    patient : ndarray of shape (n,)
        Number of each row's patient, from zero on without holes.
    n_boot : int
        Number of resamples.
    random_state : int, RandomState or None
        Seed.

    Returns
    -------
    ndarray of shape (n_boot, n_bins)
        Mean vote fraction less mean probability, NaN where a resample has an empty
        bin.
    """
    apart = bins.weight * (bins.voted - bins.predicted)
    above = _by_patient(bins, patient, apart)
    below = _by_patient(bins, patient, bins.weight)
    return resampled_ratios(above, below, n_boot=n_boot, random_state=random_state)


def flipped_gaps(
    bins: Bins, patient: np.ndarray, n_boot: int, random_state: Any
) -> np.ndarray:
    """Gaps of the bins with the signs of whole patients flipped at random.

    Parameters
    ----------
    bins : Bins
        The bins.
    patient : ndarray of shape (n,)
        Number of each row's patient, from zero on without holes.
    n_boot : int
        Number of arrangements of signs.
    random_state : int, RandomState or None
        Seed.

    Returns
    -------
    ndarray of shape (n_boot, n_bins)
        Gaps as they are if votes lie above predictions as often as below, zero in
        empty bins.
    """
    above = _by_patient(bins, patient, bins.weight * (bins.voted - bins.predicted))
    full = np.flatnonzero(bins.mass > 0)
    above = above[:, full] / bins.mass[full]
    gaps = np.zeros((n_boot, bins.edges.size - 1))
    start = 0
    for signs in signs_of_groups(len(above), n_boot, check_random_state(random_state)):
        gaps[start : start + len(signs), full] = signs @ above
        start += len(signs)
    return gaps


def _by_patient(bins: Bins, patient: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum values by patient and bin."""
    shape = (int(patient.max()) + 1, bins.edges.size - 1)
    cell = patient * shape[1] + bins.place
    return np.bincount(cell, values, shape[0] * shape[1]).reshape(shape)


def _quantiles(
    values: np.ndarray, weight: np.ndarray, levels: np.ndarray
) -> np.ndarray:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    # The first value beyond each share of the weight opens a bin.
    first = np.searchsorted(reached, levels * reached[-1], side="right")
    return np.unique(values[order][np.minimum(first, values.size - 1)])
