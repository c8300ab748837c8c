"""Calibration error of soft labels: one number for each class, and what chance does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hmsklearn.metrics._bins import (
    KINDS,
    Bins,
    check_binning,
    cut_into_bins,
    flipped_gaps,
)
from hmsklearn.metrics._bootstrap import check_resampling, number_groups
from hmsklearn.metrics._rows import check_rows

__all__ = ["calibration_report", "expected_calibration_error"]

_NORMS = ("l1", "l2", "max")


def expected_calibration_error(
    y_true: Any,
    y_pred: Any,
    *,
    kind: str = "classwise",
    n_bins: int = 15,
    strategy: str = "uniform",
    norm: str = "l1",
    average: str | None = "macro",
    sample_weight: Any = None,
    min_votes: float | None = None,
    total_votes: Any = None,
    classes: str | Sequence[Any] | np.ndarray | None = None,
) -> float | np.ndarray:
    """Gap between predicted probabilities and vote fractions, over bins.

    Rows are sorted into bins by their predicted probability of a class; in each bin
    the mean prediction is compared with the mean vote fraction, and the gaps are
    averaged by the weight of the bins.

    Parameters
    ----------
    y_true : array-like of shape (n, n_classes) or (n,)
        Vote counts, fractions or hard labels.
    y_pred : array-like of shape (n, n_classes)
        Predicted probabilities.
    kind : {"classwise", "top-label"}, default="classwise"
        ``"classwise"`` looks at the probabilities of every class, ``"top-label"`` at
        the largest of each row, against the share of votes for that class.
    n_bins : int, default=15
        Number of bins.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or of equal weight of rows.
    norm : {"l1", "l2", "max"}, default="l1"
        Mean gap, root mean squared gap, or largest gap.
    average : {"macro", None}, default="macro"
        Mean over the classes, or each class. ``"top-label"`` has one value anyway.
    sample_weight : array-like of shape (n,), optional
        Weights of the rows.
    min_votes : float, optional
        Use only rows with at least this many votes.
    total_votes : array-like of shape (n,), optional
        Votes behind each row, where `y_true` holds fractions.
    classes : "hms", "infer", None or sequence of labels, default=None
        Labels in column order, see :func:`kl_divergence`.

    Returns
    -------
    float or ndarray of shape (n_classes,)
        The error, between zero and one; an array with ``average=None`` and
        ``kind="classwise"``.

    Raises
    ------
    ValueError
        If the rows or the arguments are not usable.

    Notes
    -----
    Vote fractions are compared, not winners, so that a row voted 6 : 4 counts as
    0.6 and no votes are rounded away. With hard labels this is the usual error.

    The error of a perfectly calibrated model is not zero on finitely many rows, and
    grows with the number of bins: :func:`calibration_report` gives what chance alone
    would show, over patients.

    References
    ----------
    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using
    Bayesian binning" (2015). Kull et al., "Beyond temperature scaling" (2019), for
    the classwise form.

    Examples
    --------
    >>> from hmsklearn.metrics import expected_calibration_error
    >>> p = [[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8]]
    >>> votes = [[7, 3], [8, 2], [2, 8], [2, 8]]  # 0.9 is said where 0.75 is so
    >>> round(expected_calibration_error(votes, p), 4)
    0.075
    """
    name = "expected_calibration_error"
    check_binning(kind, strategy, n_bins, name)
    if norm not in _NORMS:
        raise ValueError(f"{name}: norm={norm!r} is not known. Give one of {_NORMS}.")
    if average not in ("macro", None):
        raise ValueError(
            f"{name}: average={average!r} is not known. Give 'macro' or None."
        )
    rows = check_rows(
        y_true,
        y_pred,
        sample_weight=sample_weight,
        min_votes=min_votes,
        total_votes=total_votes,
        classes=classes,
        name=name,
    )
    errors = np.array(
        [_norm(bins, norm) for bins in cut_into_bins(rows, kind, n_bins, strategy)]
    )
    if average is None and kind == "classwise":
        return errors
    return float(errors.mean())


def calibration_report(
    y_true: Any,
    y_pred: Any,
    *,
    groups: Any,
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
    """Calibration errors beside what a calibrated model would show by chance.

    Parameters
    ----------
    y_true : array-like of shape (n, n_classes) or (n,)
        Vote counts, fractions or hard labels.
    y_pred : array-like of shape (n, n_classes)
        Predicted probabilities.
    groups : array-like of shape (n,)
        Patient of each row.
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
        Number of random sign flips of the patients.
    confidence_level : float, default=0.95
        Quantile of chance that ``chance_high`` gives.
    random_state : int, RandomState or None, default=None
        Seed of the sign flips.
    classes : "hms", "infer", None or sequence of labels, default=None
        Labels in column order, see :func:`kl_divergence`.

    Returns
    -------
    DataFrame
        One line for each class, one for their mean ("classwise") and one for the
        largest probability ("top label"), with the columns ``class``, ``ece`` (as
        :func:`expected_calibration_error` gives it), ``chance`` (its mean if the
        model were calibrated), ``chance_high`` (a quantile of the same: an error
        above it is more than chance), ``predicted`` and ``voted`` (means over all
        rows).

    Raises
    ------
    ValueError
        If the rows, the groups or the arguments are not usable.

    Notes
    -----
    Chance is measured by flipping signs of whole patients, as
    :func:`~hmsklearn.metrics.compare_models` does: were the model calibrated, a
    patient's votes would lie as often above as below what was predicted, so that each
    arrangement of signs is as likely as the one at hand. Both the noise of few votes
    and the likeness of a patient's windows are in it, also in bins of few patients or
    one, which resampling patients would take for free of chance.

    References
    ----------
    Broecker and Smith, "Increasing the reliability of reliability diagrams", Weather
    and Forecasting 22 (2007), for the idea of a band around calibration.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.metrics import calibration_report
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.dirichlet(np.ones(3), size=600)
    >>> votes = rng.multinomial(12, truth)
    >>> sharp = truth**2 / (truth**2).sum(axis=1, keepdims=True)
    >>> for p in (truth, sharp):
    ...     table = calibration_report(votes, p, groups=np.arange(600) // 3,
    ...                                random_state=0).set_index("class")
    ...     line = table.loc["classwise", ["ece", "chance", "chance_high"]]
    ...     print(line.astype(float).round(3).tolist())
    [0.016, 0.014, 0.016]
    [0.089, 0.02, 0.025]
    """
    name = "calibration_report"
    check_binning("classwise", strategy, n_bins, name)
    check_resampling(n_boot, confidence_level, name, smallest=1)
    rows = check_rows(
        y_true,
        y_pred,
        sample_weight=sample_weight,
        min_votes=min_votes,
        total_votes=total_votes,
        classes=classes,
        name=name,
    )
    patient = number_groups(groups, len(y_pred), name)[rows.kept]
    patient = np.unique(patient, return_inverse=True)[1].reshape(-1)
    lines: list[tuple[Any, ...]] = []
    chances: list[np.ndarray] = []
    for kind in KINDS:
        for bins in cut_into_bins(rows, kind, n_bins, strategy):
            share = bins.mass / bins.mass.sum()
            gaps = flipped_gaps(bins, patient, n_boot, random_state)
            chances.append(np.abs(gaps) @ share)
            means = (share @ bins.mean(bins.predicted), share @ bins.mean(bins.voted))
            lines.append((bins.label, _norm(bins, "l1"), *means))
    # The mean over the classes, its chance from the same sign flips.
    n = len(lines) - 1
    mean = tuple(np.mean([line[1:] for line in lines[:n]], axis=0))
    lines.insert(n, ("classwise", *mean))
    chances.insert(n, np.mean(chances[:n], axis=0))
    table = pd.DataFrame(lines, columns=["class", "ece", "predicted", "voted"])
    table.insert(2, "chance", [chance.mean() for chance in chances])
    high = [float(np.quantile(chance, confidence_level)) for chance in chances]
    table.insert(3, "chance_high", high)
    return table


def _norm(bins: Bins, norm: str) -> float:
    gap, share = np.abs(bins.gap), bins.mass / bins.mass.sum()
    if norm == "max":
        return float(gap.max())
    if norm == "l2":
        return float(np.sqrt(share @ gap**2))
    return float(share @ gap)
