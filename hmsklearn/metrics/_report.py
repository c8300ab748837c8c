"""Where a model loses: the divergence by class, vote count, recording and patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hmsklearn._groups import check_groups
from hmsklearn.metrics._bootstrap import (
    check_resampling,
    group_sums,
    number_groups,
    percentile_interval,
    resampled_ratios,
)
from hmsklearn.metrics._breakdown import (
    LINES,
    Line,
    Scored,
    lines_by_votes,
    table_by_recording,
)
from hmsklearn.metrics._floor_terms import floor_terms
from hmsklearn.metrics._rows import check_rows, kl_terms

__all__ = ["kl_report"]

_BY = ("overall", "class", "term", "votes", "recording")


def kl_report(
    y_true: Any,
    y_pred: Any,
    *,
    groups: Any,
    recordings: Any = None,
    by: str | Sequence[str] | None = None,
    vote_bins: Sequence[int] = (1, 3, 10, 15),
    sample_weight: Any = None,
    min_votes: float | None = None,
    total_votes: Any = None,
    noise_floor: str | Any = "mixture",
    n_boot: int = 1000,
    confidence_level: float = 0.95,
    random_state: Any = None,
    classes: str | Sequence[Any] | np.ndarray | None = None,
) -> pd.DataFrame:
    """Break the KL divergence down, with intervals and the noise floor beside it.

    Parameters
    ----------
    y_true : array-like of shape (n, n_classes) or (n,)
        Vote counts, fractions or hard labels.
    y_pred : array-like of shape (n, n_classes)
        Predicted probabilities.
    groups : array-like of shape (n,)
        Patient of each row. The intervals resample patients with all their rows.
    recordings : array-like of shape (n,), optional
        Recording of each row, such as ``eeg_id``. The floor needs them wherever a
        rating was copied to many windows of a recording, as in ``train.csv``.
    by : str or sequence of str, optional
        What to break down by; all of these that the arguments allow by default:

        * ``"overall"``: the mean over rows (the competition's), and the means in
          which every patient and every recording counts once;
        * ``"class"``: rows by the class with the most votes, the first of several;
        * ``"term"``: what each class's ``y log(y / p)`` adds to the mean over all
          rows; these sum to the overall divergence, and can be negative where a
          class is predicted too often;
        * ``"votes"``: rows by the number of votes, if it is known;
        * ``"recording"``: a line for each recording.
    vote_bins : sequence of int, default=(1, 3, 10, 15)
        Smallest number of votes of each bin, ascending.
    sample_weight : array-like of shape (n,), optional
        Weights of the rows.
    min_votes : float, optional
        Report only rows with at least this many votes.
    total_votes : array-like of shape (n,), optional
        Votes behind each row, where `y_true` holds fractions.
    noise_floor : str or None, default="mixture"
        Method of :func:`kl_noise_floor`; None leaves the floor out, which also is
        what to give where the numbers of votes are not known.
    n_boot : int, default=1000
        Number of resamples; zero for no intervals.
    confidence_level : float, default=0.95
        Coverage of the intervals.
    random_state : int, RandomState or None, default=None
        Seed of the resamples. All lines share them.
    classes : "hms", "infer", None or sequence of labels, default=None
        Labels in column order, see :func:`kl_divergence`.

    Returns
    -------
    DataFrame
        A line for each level, with the columns

        * ``by``, ``level``: what the line is about;
        * ``n_rows``, ``n_patients``: rows of weight above zero, and their patients;
        * ``kl``: mean divergence in nat;
        * ``low``, ``high``: percentile interval over patients. NaN with fewer than
          two patients, which is every single recording: there is nobody to resample;
        * ``noise_floor``: what the true distribution would score on these rows, and
          ``floor_low``, ``floor_high``: its interval over the same resamples;
        * ``excess``: ``kl - noise_floor``, what a better model could gain at most.

    Raises
    ------
    ValueError
        If the rows, the groups or the arguments are not usable.

    Notes
    -----
    A resample draws as many patients as there are, with replacement, and recomputes
    each line's ratio of sums; resamples without any row of a level are left out of
    its interval. Percentiles of few patients would be too narrow, so the tails are
    those that Student's t asks for.

    The floor's prior is fitted to all reported rows together, equal counts within one
    recording taken as copies; without `recordings`, every row is a rating of its own,
    since windows of a patient that were rated one by one are often rated alike. The
    floor's interval takes that prior as given. Rows below and above ten votes in the
    competition were rated by other people: report them apart, by `min_votes`, where
    the floor matters. The floor of ``"class"`` lines is that of rows chosen by what
    their votes happened to be, and ``"term"`` floors sum to the overall one.

    References
    ----------
    Field and Welsh, "Bootstrapping clustered data", JRSS B 69 (2007). Hesterberg,
    "What teachers should know about the bootstrap", The American Statistician 69
    (2015), for the widened percentiles. Kaggle, HMS -
    Harmful Brain Activity Classification, discussions 466731 (the metric) and 477135
    (two populations of rows).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.metrics import kl_report
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.dirichlet(np.ones(3), size=300)
    >>> votes = rng.multinomial(12, truth)
    >>> patient = np.arange(300) // 5
    >>> table = kl_report(votes, truth, groups=patient, random_state=0)
    >>> columns = ["level", "n_patients", "kl", "low", "high", "noise_floor"]
    >>> print(table[columns].round(3).head(2).to_string())
          level  n_patients     kl    low  high  noise_floor
    0      rows          60  0.091  0.081   0.1        0.088
    1  patients          60  0.091  0.081   0.1        0.088
    """
    name = "kl_report"
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
    n_given = len(y_pred)
    patient = number_groups(groups, n_given, name)[rows.kept]
    patient = np.unique(patient, return_inverse=True)[1].reshape(-1)
    recording = check_groups(recordings, n_given, caller=f"{name}: recordings")
    recording = None if recording is None else recording[rows.kept]
    terms = kl_terms(rows.fractions, rows.proba)
    floor = np.full(terms.shape, np.nan)
    if noise_floor is not None:
        floor = floor_terms(
            rows.fractions,
            rows.total_votes,
            method=noise_floor,
            groups=recording,
            name=name,
        )
    weight = np.ones(len(terms)) if rows.weight is None else rows.weight
    scored = Scored(rows, weight, terms, floor, patient, recording)
    tables = []
    for what in _what(by, recording, rows.total_votes, name):
        if what == "recording":
            tables.append(table_by_recording(scored))
            continue
        lines = (
            lines_by_votes(scored, vote_bins, name)
            if what == "votes"
            else (LINES[what](scored))
        )
        tables.append(_table(lines, patient, n_boot, confidence_level, random_state))
    table = pd.concat(tables, ignore_index=True)
    table["excess"] = table["kl"] - table["noise_floor"]
    return table


def _what(
    by: str | Sequence[str] | None,
    recording: np.ndarray | None,
    totals: np.ndarray,
    name: str,
) -> list[str]:
    impossible = {}
    if recording is None:
        impossible["recording"] = "recordings= is not given"
    if np.isnan(totals).any():
        impossible["votes"] = "the number of votes is not known; give total_votes="
    if by is None:
        return [what for what in _BY if what not in impossible]
    wanted = [by] if isinstance(by, str) else list(by)
    for what in wanted:
        if what not in _BY:
            raise ValueError(f"{name}: by={what!r} is not known. Give some of {_BY}.")
        if what in impossible:
            raise ValueError(
                f"{name}: by={what!r} is asked for, but {impossible[what]}."
            )
    return wanted


def _table(
    lines: list[Line],
    patient: np.ndarray,
    n_boot: int,
    confidence_level: float,
    random_state: Any,
) -> pd.DataFrame:
    weights = np.column_stack([line.weight for line in lines])
    kl = np.column_stack([line.kl for line in lines])
    floor = np.column_stack([line.floor for line in lines])
    whole = group_sums(patient, weights)
    n_patients = (group_sums(patient, (weights > 0).astype(float)) > 0).sum(axis=0)
    ends = np.full((4, len(lines)), np.nan)
    for row, values in ((0, kl), (2, floor)):
        if n_boot and not np.isnan(values).all():
            sums = group_sums(patient, weights * values)
            ratios = resampled_ratios(
                sums, whole, n_boot=n_boot, random_state=random_state
            )
            ends[row : row + 2] = percentile_interval(
                ratios, confidence_level, n_patients
            )
    total = weights.sum(axis=0)
    with np.errstate(invalid="ignore"):  # a level without rows has no mean
        return pd.DataFrame(
            {
                "by": [line.by for line in lines],
                "level": [line.level for line in lines],
                "n_rows": (weights > 0).sum(axis=0),
                "n_patients": n_patients,
                "kl": (weights * kl).sum(axis=0) / total,
                "low": ends[0],
                "high": ends[1],
                "noise_floor": (weights * floor).sum(axis=0) / total,
                "floor_low": ends[2],
                "floor_high": ends[3],
            }
        )
