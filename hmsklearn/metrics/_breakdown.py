"""The lines of a report: which rows each is about, and with what weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hmsklearn.metrics._bootstrap import group_sums
from hmsklearn.metrics._rows import ScoredRows

__all__ = ["LINES", "Line", "Scored", "lines_by_votes", "table_by_recording"]


class Scored(NamedTuple):
    """What the lines are made of."""

    rows: ScoredRows
    weight: np.ndarray
    terms: np.ndarray
    floor: np.ndarray
    patient: np.ndarray
    recording: np.ndarray | None


class Line(NamedTuple):
    """One line: weight of every row in it, what is averaged, and its noise floor."""

    by: str
    level: Any
    weight: np.ndarray
    kl: np.ndarray
    floor: np.ndarray


def _overall(scored: Scored) -> list[Line]:
    kl, floor = scored.terms.sum(axis=1), scored.floor.sum(axis=1)
    units = {"recordings": scored.recording, "patients": scored.patient}
    lines = [Line("overall", "rows", scored.weight, kl, floor)]
    for level, unit in units.items():
        if unit is not None:
            once = _each_once(scored.weight, unit)
            lines.append(Line("overall", level, once, kl, floor))
    return lines


def _each_once(weight: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Weights with which every unit counts once; units of no weight not at all."""
    number = np.unique(unit, return_inverse=True)[1].reshape(-1)
    whole = group_sums(number, weight)[number]
    return np.divide(weight, whole, out=np.zeros_like(weight), where=whole > 0)


def _by_class(scored: Scored) -> list[Line]:
    kl, floor = scored.terms.sum(axis=1), scored.floor.sum(axis=1)
    consensus = scored.rows.fractions.argmax(axis=1)
    return [
        Line("class", label, scored.weight * (consensus == k), kl, floor)
        for k, label in enumerate(scored.rows.labels.tolist())
    ]


def _by_term(scored: Scored) -> list[Line]:
    terms, floor = scored.terms, scored.floor
    return [
        Line("term", label, scored.weight, terms[:, k], floor[:, k])
        for k, label in enumerate(scored.rows.labels.tolist())
    ]


LINES: dict[str, Callable[[Scored], list[Line]]] = {
    "overall": _overall,
    "class": _by_class,
    "term": _by_term,
}


def lines_by_votes(scored: Scored, vote_bins: Sequence[int], name: str) -> list[Line]:
    edges, totals = np.asarray(vote_bins), scored.rows.total_votes
    if edges.ndim != 1 or edges.size == 0 or (np.diff(edges) <= 0).any():
        raise ValueError(
            f"{name}: vote_bins must ascend, such as (1, 3, 10, 15), got {vote_bins}."
        )
    if totals.min() < edges[0]:
        raise ValueError(
            f"{name}: vote_bins start at {edges[0]} and a row has {totals.min():g} "
            "votes. Start lower, or set min_votes."
        )
    place = np.searchsorted(edges, totals, side="right") - 1
    kl, floor = scored.terms.sum(axis=1), scored.floor.sum(axis=1)
    return [
        Line("votes", _name_of_bin(edges, k), scored.weight * (place == k), kl, floor)
        for k in range(edges.size)
    ]


def _name_of_bin(edges: np.ndarray, k: int) -> str:
    if k == edges.size - 1:
        return f"{edges[k]}+"
    last = edges[k + 1] - 1
    return f"{edges[k]}" if last == edges[k] else f"{edges[k]}-{last}"


def table_by_recording(scored: Scored) -> pd.DataFrame:
    """One line a recording, made at once: there can be thousands."""
    names, number = np.unique(np.asarray(scored.recording), return_inverse=True)
    number, weight = number.reshape(-1), scored.weight
    whole = group_sums(number, weight)

    def mean(values: np.ndarray) -> np.ndarray:
        out = np.full(names.size, np.nan)
        np.divide(group_sums(number, weight * values), whole, out=out, where=whole > 0)
        return out

    used = weight > 0
    pairs = pd.DataFrame({"recording": number[used], "patient": scored.patient[used]})
    patients = pairs.groupby("recording")["patient"].nunique()
    return pd.DataFrame(
        {
            "by": "recording",
            "level": names,
            "n_rows": np.bincount(number[used], minlength=names.size),
            "n_patients": patients.reindex(range(names.size), fill_value=0).to_numpy(),
            "kl": mean(scored.terms.sum(axis=1)),
            "low": np.nan,
            "high": np.nan,
            "noise_floor": mean(scored.floor.sum(axis=1)),
            "floor_low": np.nan,
            "floor_high": np.nan,
        }
    )
