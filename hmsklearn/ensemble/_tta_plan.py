"""Test-time transforms made ready for the places where they act."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from hmsklearn.ensemble._tta_base import (
    Identity,
    Transform,
    label_transform,
    naming_transform,
)
from hmsklearn.ensemble._tta_places import Place, before_place, find_place, predict_each
from hmsklearn.ensemble._tta_registry import Entry, Surroundings
from hmsklearn.model_selection._folds import check_estimator_proba
from hmsklearn.model_selection._splits import count_rows

__all__ = ["Plan", "Ready", "find_places"]


@dataclass(frozen=True)
class Ready:
    """Transforms that can be predicted under.

    Attributes
    ----------
    caller : str
        Name that starts the error messages.
    labels : tuple of str
        Names of the transforms.
    items : tuple of (int, Place, Transform)
        Number, place and transform of each.
    """

    caller: str
    labels: tuple[str, ...]
    items: tuple[tuple[int, Place, Transform], ...]

    def each(
        self, estimator: Any, X: Any, numbers: Any = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Predict under each transform in turn.

        Parameters
        ----------
        estimator : estimator
            The fitted classifier.
        X : array-like, DataFrame, list or WindowViews
            The rows.
        numbers : set of int, optional
            Which transforms; all by default.

        Yields
        ------
        (int, ndarray of shape (n, n_classes))
            Number and probabilities, float64.
        """
        n_rows = count_rows(X, caller=self.caller)
        work = [item for item in self.items if numbers is None or item[0] in numbers]
        for number, proba in predict_each(estimator, X, work):
            checked, _ = check_estimator_proba(estimator, proba, n_rows, self.caller)
            yield number, checked.astype(np.float64, copy=False)

    def stack(self, estimator: Any, X: Any) -> np.ndarray:
        """Predict under all transforms.

        Parameters
        ----------
        estimator : estimator
            The fitted classifier.
        X : array-like, DataFrame, list or WindowViews
            The rows.

        Returns
        -------
        ndarray of shape (n, n_transforms, n_classes)
            Probabilities, float64.
        """
        parts = dict(self.each(estimator, X))
        return np.stack([parts[number] for number in range(len(parts))], axis=1)

    def try_each(self, estimator: Any, first: Any) -> None:
        """Let a classifier see one row under each transform.

        Parameters
        ----------
        estimator : estimator
            The fitted classifier.
        first : array-like
            The row.

        Raises
        ------
        ValueError
            If it refuses; the message names the transform.
        """
        for number, _, transform in self.items:
            if isinstance(transform, Identity):
                continue
            try:
                list(self.each(estimator, first, {number}))
            except (RuntimeError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{self.caller}: the classifier cannot take what the transform "
                    f"{self.labels[number]!r} gives: {error} Shifts and segments suit "
                    "classifiers that crop longer windows; {'ends': 'edge'} keeps the "
                    "length of the windows."
                ) from error


@dataclass(frozen=True)
class Plan:
    """What is to be done where, as far as the parameters tell.

    Attributes
    ----------
    caller : str
        Name that starts the error messages.
    entries : list of Entry
        The transforms.
    places : list of Place
        The place of each.
    montage : object
        What the channels are; None where the steps in front are to be asked.
    sfreq : float or dict of str to float
        Samples a second.
    """

    caller: str
    entries: list[Entry]
    places: list[Place]
    montage: Any
    sfreq: Any

    def make_ready(self, estimator: Any, first: Any) -> Ready | None:
        """Make the transforms for their places and try each on one row.

        Parameters
        ----------
        estimator : estimator
            The classifier, frozen or not fitted.
        first : array-like or None
            The row; None where there is none, for the classifier to complain about.

        Returns
        -------
        Ready or None
            None where a step in front of a place must learn first.

        Raises
        ------
        ValueError
            If a parameter is unusable or a transform does not suit the row.
        """
        items = []
        pairs = zip(self.entries, self.places, strict=True)
        for number, (entry, place) in enumerate(pairs):
            row, names = None, None
            if first is not None:
                found = before_place(place, estimator, first)
                if found is None:
                    return None
                row, names = found
            if hasattr(row, "iloc") and entry.needs_windows:
                raise ValueError(
                    f"{self.caller}: transform {entry.label!r}: X is a "
                    f"{type(row).__name__}, a table of rows without a time axis. "
                    "Name in step the step of the pipeline before which there are "
                    "windows, the one behind the reader."
                )
            with naming_transform(self.caller, entry.label):
                transform = self._build(entry, names)
            transform = label_transform(self.caller, entry.label, transform)
            if first is not None:
                transform(row)
            items.append((number, place, transform))
        labels = tuple(entry.label for entry in self.entries)
        return Ready(self.caller, labels, tuple(items))

    def _build(self, entry: Entry, names: Any) -> Transform:
        if self.montage is not None:
            return entry.build(Surroundings(self.montage, self.sfreq))
        try:
            return entry.build(Surroundings(names, self.sfreq))
        except ValueError as error:
            if names is None or not entry.asks_for_names:
                raise
            raise ValueError(
                f"the steps in front call the channels {names}: {error} Give montage "
                "or ch_names, or act in front of an earlier step."
            ) from error

    def make_ready_behind(self, fitted: Any, first: Any) -> Ready:
        """Make the transforms where what stands in front of them has learned.

        Parameters
        ----------
        fitted : estimator
            The fitted classifier.
        first : array-like
            One row.

        Returns
        -------
        Ready
            The transforms.
        """
        ready = self.make_ready(FrozenEstimator(fitted), first)
        assert ready is not None  # nothing is left to learn
        return ready


def find_places(
    entries: list[Entry], step: str | None, estimator: Any, caller: str
) -> list[Place]:
    """Find the place of each transform.

    Parameters
    ----------
    entries : list of Entry
        The transforms.
    step : str or None
        The step of those that have none of their own.
    estimator : estimator
        The classifier.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of Place
        The places. The identity is as far behind as any: what stands in front has run
        by then.
    """
    places = [find_place(entry.step or step, estimator, caller) for entry in entries]
    pairs = list(zip(entries, places, strict=True))
    changed = [place for entry, place in pairs if not entry.is_identity]
    last = max(changed, default=Place())
    return [
        last if entry.is_identity and entry.step is None else place
        for entry, place in pairs
    ]
