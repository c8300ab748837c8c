"""Reliability curves of soft labels: what was said against what was voted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hmsklearn.metrics._bins import Bins, check_binning, cut_into_bins, resampled_gaps
from hmsklearn.metrics._bootstrap import (
    check_resampling,
    number_groups,
    percentile_interval,
)
from hmsklearn.metrics._rows import check_rows

__all__ = ["reliability_curve"]


def reliability_curve(
    y_true: Any,
    y_pred: Any,
    *,
    groups: Any = None,
    kind: str = "classwise",
    n_bins: int = 15,
    strategy: str = "uniform",
    sample_weight: Any = None,
    min_votes: float | None = None,
    total_votes: Any = None,
    n_boot: int = 1000,
    confidence_level: float = 0.95,
    random_state: Any = None,
    classes: str | Sequence[Any] | np.ndarray | None = None,
) -> pd.DataFrame:
    """Mean vote fraction against predicted probability, bin by bin.

    Parameters
    ----------
    y_true : array-like of shape (n, n_classes) or (n,)
        Vote counts, fractions or hard labels.
    y_pred : array-like of shape (n, n_classes)
        Predicted probabilities.
    groups : array-like of shape (n,), optional
        Patient of each row, for the intervals. Without them there are none.
    kind : {"classwise", "top-label"}, default="classwise"
        See :func:`expected_calibration_error`.
    n_bins : int, default=15
        Number of bins.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or of equal weight of rows.
    sample_weight : array-like of shape (n,), optional
        Weights of the rows.
    min_votes : float, optional
        Use only rows with at least this many votes.
    total_votes : array-like of shape (n,), optional
        Votes behind each row, where `y_true` holds fractions.
    n_boot : int, default=1000
        Number of resamples of the patients.
    confidence_level : float, default=0.95
        Coverage of the intervals.
    random_state : int, RandomState or None, default=None
        Seed of the resamples.
    classes : "hms", "infer", None or sequence of labels, default=None
        Labels in column order, see :func:`kl_divergence`.

    Returns
    -------
    DataFrame
        A line for each bin that holds rows, with the columns ``class`` ("top label"
        for that kind), ``left`` and ``right`` (edges of the bin), ``n_rows``,
        ``n_patients`` (missing without groups), ``share`` (of the weight of all
        rows), ``predicted``, ``voted`` (means), ``low`` and ``high`` (interval of
        ``voted - predicted`` over patients, laid around ``predicted``; NaN without
        groups and in bins of one patient).

    Raises
    ------
    ValueError
        If the rows, the groups or the arguments are not usable.

    Notes
    -----
    The interval holds all that makes a bin's mean uncertain: the noise of few votes,
    and that windows of one patient resemble each other. Where it crosses the
    diagonal, the gap may be chance.

    Examples
    --------
    >>> from hmsklearn.metrics import reliability_curve
    >>> p = [[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8]]
    >>> votes = [[7, 3], [8, 2], [2, 8], [2, 8]]
    >>> curve = reliability_curve(votes, p, n_bins=2)
    >>> print(curve[["class", "left", "right", "predicted", "voted"]].to_string())
       class  left  right  predicted  voted
    0      0   0.0    0.5        0.2   0.20
    1      0   0.5    1.0        0.9   0.75
    2      1   0.0    0.5        0.1   0.25
    3      1   0.5    1.0        0.8   0.80
    """
    name = "reliability_curve"
    check_binning(kind, strategy, n_bins, name)
    check_resampling(n_boot, confidence_level, name)
    rows = check_rows(
        y_true,
        y_pred,
        sample_weight=sample_weight,
        min_votes=min_votes,
        total_votes=total_votes,
        classes=classes,
        name=name,
    )
    patient = None
    if groups is not None:
        patient = number_groups(groups, len(y_pred), name)[rows.kept]
        patient = np.unique(patient, return_inverse=True)[1].reshape(-1)
    tables = []
    for bins in cut_into_bins(rows, kind, n_bins, strategy):
        table = _means(bins)
        if patient is not None:
            n_patients = _count_patients(bins, patient)
            low, high = np.full((2, n_patients.size), np.nan)
            if n_boot:
                gaps = resampled_gaps(bins, patient, n_boot, random_state)
                low, high = percentile_interval(gaps, confidence_level, n_patients)
            table["low"] = table["predicted"] + low
            table["high"] = table["predicted"] + high
            table.insert(4, "n_patients", n_patients)
        tables.append(table[table["n_rows"] > 0])
    return pd.concat(tables, ignore_index=True)


def _means(bins: Bins) -> pd.DataFrame:
    used = bins.weight > 0
    return pd.DataFrame(
        {
            "class": [bins.label] * (bins.edges.size - 1),
            "left": bins.edges[:-1],
            "right": bins.edges[1:],
            "n_rows": np.bincount(bins.place[used], minlength=bins.edges.size - 1),
            "share": bins.mass / bins.mass.sum(),
            "predicted": bins.mean(bins.predicted),
            "voted": bins.mean(bins.voted),
            "low": np.nan,
            "high": np.nan,
        }
    )


def _count_patients(bins: Bins, patient: np.ndarray) -> np.ndarray:
    used = bins.weight > 0
    pairs = np.unique(np.stack([bins.place[used], patient[used]]), axis=1)
    return np.bincount(pairs[0], minlength=bins.edges.size - 1)
