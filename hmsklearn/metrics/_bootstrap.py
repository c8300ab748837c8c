"""Resampling patients, not rows: a patient's rows are no independent evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import ndtr, stdtrit
from sklearn.utils import check_random_state

from hmsklearn._groups import check_groups

__all__ = [
    "check_resampling",
    "group_sums",
    "number_groups",
    "percentile_interval",
    "resampled_ratios",
    "signs_of_groups",
]

# Entries of one block of draws x groups, which bounds the memory.
_BLOCK = 4_000_000


def check_resampling(
    n_boot: Any, confidence_level: Any, name: str, *, smallest: int = 0
) -> None:
    """Check how often to resample and how wide an interval to give.

    Parameters
    ----------
    n_boot : int
        Number of resamples.
    confidence_level : float
        Between zero and one.
    name : str
        Name that starts the error messages.
    smallest : int, default=0
        Smallest allowed `n_boot`.

    Raises
    ------
    ValueError
        If one of them is out of range.
    """
    if isinstance(n_boot, bool) or not isinstance(n_boot, (int, np.integer)):
        raise ValueError(f"{name}: n_boot must be a whole number, got {n_boot!r}.")
    if n_boot < smallest:
        raise ValueError(f"{name}: n_boot must be at least {smallest}, got {n_boot}.")
    if not 0 < confidence_level < 1:
        raise ValueError(
            f"{name}: confidence_level must lie between 0 and 1, got "
            f"{confidence_level!r}."
        )


def number_groups(groups: Any, n_rows: int, name: str) -> np.ndarray:
    """Give every group a number from zero on, and every row that of its group.

    Parameters
    ----------
    groups : array-like of shape (n_rows,)
        Group of each row.
    n_rows : int
        Number of rows.
    name : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_rows,)
        Numbers of the groups.

    Raises
    ------
    ValueError
        If the groups are missing or not usable.
    """
    checked = check_groups(groups, n_rows, caller=name)
    if checked is None:
        raise ValueError(
            f"{name}: intervals resample patients, so groups= must tell the patient of "
            "each row. Rows of one patient are no independent evidence; give every "
            "row a group of its own only where they are."
        )
    return np.unique(checked, return_inverse=True)[1].reshape(-1)


def group_sums(number: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum the rows of each group.

    Parameters
    ----------
    number : ndarray of shape (n_rows,)
        Number of each row's group.
    values : ndarray of shape (n_rows, ...)
        What to sum.

    Returns
    -------
    ndarray of shape (n_groups, ...)
        The sums.

    Examples
    --------
    >>> group_sums(np.array([0, 1, 0]), np.array([1.0, 2.0, 3.0])).tolist()
    [4.0, 2.0]
    """
    sums = np.zeros((int(number.max()) + 1, *values.shape[1:]))
    np.add.at(sums, number, values)
    return sums


def draws_of_groups(n_groups: int, n_boot: int, rng: Any) -> Iterator[np.ndarray]:
    """Yield how often each group is drawn, in blocks of resamples."""
    size = max(1, _BLOCK // n_groups)
    for start in range(0, n_boot, size):
        n = min(size, n_boot - start)
        picks = rng.randint(n_groups, size=(n, n_groups))
        picks += np.arange(n)[:, None] * n_groups
        drawn = np.bincount(picks.ravel(), minlength=n * n_groups)
        yield drawn.reshape(n, n_groups).astype(np.float64)


def signs_of_groups(n_groups: int, n_flips: int, rng: Any) -> Iterator[np.ndarray]:
    """Yield random signs of the groups, in blocks of flips."""
    size = max(1, _BLOCK // n_groups)
    for start in range(0, n_flips, size):
        n = min(size, n_flips - start)
        yield 1.0 - 2.0 * rng.randint(2, size=(n, n_groups))


def resampled_ratios(
    numerator: np.ndarray, denominator: np.ndarray, *, n_boot: int, random_state: Any
) -> np.ndarray:
    """Ratios of sums over resampled groups.

    Parameters
    ----------
    numerator, denominator : ndarray of shape (n_groups, n_statistics)
        What each group adds to both sums.
    n_boot : int
        Number of resamples: as many groups as there are, with replacement.
    random_state : int, RandomState or None
        Seed. All statistics share the draws, so that they can be compared.

    Returns
    -------
    ndarray of shape (n_boot, n_statistics)
        The ratios, NaN where a resample holds nothing of a statistic.

    Examples
    --------
    >>> ratios = resampled_ratios(np.array([[2.0], [2.0]]), np.array([[1.0], [1.0]]),
    ...                           n_boot=3, random_state=0)
    >>> ratios.ravel().tolist()
    [2.0, 2.0, 2.0]
    """
    rng = check_random_state(random_state)
    blocks = []
    for drawn in draws_of_groups(len(numerator), n_boot, rng):
        below = drawn @ denominator
        ratio = np.full(below.shape, np.nan)
        np.divide(drawn @ numerator, below, out=ratio, where=below > 0)
        blocks.append(ratio)
    return np.concatenate(blocks)


def percentile_interval(
    ratios: np.ndarray, confidence_level: float, n_groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take the central interval of each column, widened where groups are few.

    Parameters
    ----------
    ratios : ndarray of shape (n_boot, n_statistics)
        Resampled values, NaN in empty resamples.
    confidence_level : float
        Nominal coverage.
    n_groups : ndarray of shape (n_statistics,)
        Number of groups that each statistic rests on. Plain percentiles of few groups
        are too narrow, as a normal interval with the standard deviation of the sample
        would be; the tails are those that Student's t asks for.

    Returns
    -------
    low, high : ndarray of shape (n_statistics,)
        Ends of the interval; NaN with fewer than two groups or no resample.

    References
    ----------
    Hesterberg, "What teachers should know about the bootstrap", The American
    Statistician 69 (2015), expanded percentile interval.

    Examples
    --------
    >>> values = np.linspace(0, 1, 10_001)[:, None]
    >>> [float(np.round(end[0], 3))
    ...  for end in percentile_interval(values, 0.95, np.array([10_000]))]
    [0.025, 0.975]
    >>> [float(np.round(end[0], 3))
    ...  for end in percentile_interval(values, 0.95, np.array([10]))]
    [0.009, 0.991]
    """
    low, high = np.full((2, ratios.shape[1]), np.nan)
    for column, n in enumerate(n_groups):
        values = ratios[:, column]
        values = values[~np.isnan(values)]
        if n < 2 or values.size == 0:
            continue
        reach = stdtrit(n - 1, 0.5 + confidence_level / 2)
        tail = ndtr(-reach * np.sqrt(n / (n - 1)))
        low[column], high[column] = np.quantile(values, [tail, 1.0 - tail])
    return low, high
