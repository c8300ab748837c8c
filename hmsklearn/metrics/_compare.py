"""Two models on the same rows, compared patient by patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from hmsklearn.metrics._bootstrap import (
    check_resampling,
    group_sums,
    number_groups,
    percentile_interval,
    resampled_ratios,
)
from hmsklearn.metrics._rows import check_rows, kl_terms

__all__ = ["ModelComparison", "compare_models"]

# Entries of one block of sign flips x patients, which bounds the memory.
_BLOCK = 4_000_000


@dataclass(frozen=True, repr=False)
class ModelComparison:
    """Paired comparison of two models over patients.

    Attributes
    ----------
    names : tuple of str
        Names of the models, the first and the second.
    kl : tuple of float
        Divergence of each, in nat.
    difference : float
        First minus second: negative where the first model is better.
    low : float
        Lower end of the interval of the difference over resampled patients.
    high : float
        Its upper end.
    p_value : float
        Two-sided probability of a difference this large if the models were
        exchangeable within every patient.
    n_permutations : int
        Sign flips that `p_value` rests on; two to the number of patients if all were
        tried.
    win_share : float
        Share of the patients for whom the first model is better; ties count half.
    n_rows : int
        Number of rows that were compared.
    n_patients : int
        Number of their patients.
    confidence_level : float
        Coverage of the interval.

    Examples
    --------
    >>> from hmsklearn.metrics import compare_models
    >>> y, p = [[3, 1], [1, 3], [2, 2]], [[0.7, 0.3], [0.3, 0.7], [0.6, 0.4]]
    >>> uniform = [[0.5, 0.5]] * 3
    >>> result = compare_models(y, p, uniform, groups=[1, 2, 3], random_state=0)
    >>> round(result.difference, 4), round(result.win_share, 4)
    (-0.0763, 0.6667)
    """

    names: tuple[str, str]
    kl: tuple[float, float]
    difference: float
    low: float
    high: float
    p_value: float
    n_permutations: int
    win_share: float
    n_rows: int
    n_patients: int
    confidence_level: float

    def __repr__(self) -> str:
        first, second = self.names
        better = first if self.difference < 0 else second
        verdict = (
            f"{better} is better"
            if self.low > 0 or self.high < 0
            else "the interval holds zero"
        )
        return (
            f"{first} {self.kl[0]:.4f}, {second} {self.kl[1]:.4f} nat on "
            f"{self.n_rows} rows of {self.n_patients} patients\n"
            f"{first} - {second}: {self.difference:+.4f}, {self.confidence_level:.0%} "
            f"interval over patients [{self.low:+.4f}, {self.high:+.4f}]: {verdict}\n"
            f"p = {self.p_value:.2g} ({self.n_permutations} sign flips); {first} is "
            f"better for {self.win_share:.1%} of the patients"
        )


def compare_models(
    y_true: Any,
    proba_a: Any,
    proba_b: Any,
    *,
    groups: Any,
    names: tuple[str, str] = ("a", "b"),
    sample_weight: Any = None,
    min_votes: float | None = None,
    total_votes: Any = None,
    n_boot: int = 2000,
    n_permutations: int = 9999,
    confidence_level: float = 0.95,
    random_state: Any = None,
    classes: str | Sequence[Any] | np.ndarray | None = None,
) -> ModelComparison:
    """Compare two models' divergences on the same rows, patient by patient.

    Parameters
    ----------
    y_true : array-like of shape (n, n_classes) or (n,)
        Vote counts, fractions or hard labels.
    proba_a, proba_b : array-like of shape (n, n_classes)
        Probabilities of the models for the same rows, out of fold.
    groups : array-like of shape (n,)
        Patient of each row.
    names : tuple of str, default=("a", "b")
        What to call the models.
    sample_weight : array-like of shape (n,), optional
        Weights of the rows.
    min_votes : float, optional
        Compare only on rows with at least this many votes.
    total_votes : array-like of shape (n,), optional
        Votes behind each row, where `y_true` holds fractions.
    n_boot : int, default=2000
        Number of resamples of the patients for the interval.
    n_permutations : int, default=9999
        Number of random sign flips for the p-value. All are tried instead where there
        are no more than that.
    confidence_level : float, default=0.95
        Coverage of the interval.
    random_state : int, RandomState or None, default=None
        Seed.
    classes : "hms", "infer", None or sequence of labels, default=None
        Labels in column order, see :func:`kl_divergence`.

    Returns
    -------
    ModelComparison
        Difference, interval, p-value, share of the patients won. It shows itself in
        three lines.

    Raises
    ------
    ValueError
        If the tables do not fit each other, or there are fewer than two patients.

    Notes
    -----
    The two models see the same votes, so what they share (difficult patients, the
    noise of the votes) drops out of the difference, and its interval is far narrower
    than those of the two scores.

    The test swaps the models within whole patients: under the hypothesis that nothing
    but the name tells them apart, every combination of swaps is as likely. It is
    exact whatever the distribution of the differences, as long as patients are
    independent. It says nothing about the choice of the better of many models on the
    same rows, which needs rows that were not used to choose.

    Two sets of rows (say, all rows, and those with ten votes or more) are two calls.

    References
    ----------
    Good, "Permutation, parametric and bootstrap tests of hypotheses" (2005). Field
    and Welsh, "Bootstrapping clustered data", JRSS B 69 (2007).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.metrics import compare_models
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.dirichlet(np.ones(3), size=400)
    >>> votes = rng.multinomial(12, truth)
    >>> flat = 0.8 * truth + 0.2 / 3
    >>> compare_models(votes, truth, flat, groups=np.arange(400) // 8,
    ...                names=("truth", "flat"), random_state=0)
    truth 0.0995, flat 0.1185 nat on 400 rows of 50 patients
    truth - flat: -0.0191, 95% interval over patients [-0.0252, -0.0131]: truth is \
better
    p = 0.0001 (9999 sign flips); truth is better for 82.0% of the patients
    """
    name = "compare_models"
    check_resampling(n_boot, confidence_level, name, smallest=1)
    if not n_permutations >= 1:
        raise ValueError(
            f"{name}: n_permutations must be at least 1, got {n_permutations!r}."
        )
    first, second = (
        check_rows(
            y_true,
            proba,
            sample_weight=sample_weight,
            min_votes=min_votes,
            total_votes=total_votes,
            classes=classes,
            name=f"{name}: {which}",
        )
        for which, proba in (("proba_a", proba_a), ("proba_b", proba_b))
    )
    patient = number_groups(groups, len(proba_a), name)[first.kept]
    patient = np.unique(patient, return_inverse=True)[1].reshape(-1)
    weight = np.ones(len(patient)) if first.weight is None else first.weight
    rows = np.column_stack(
        [kl_terms(each.fractions, each.proba).sum(axis=1) for each in (first, second)]
    )
    whole = group_sums(patient, weight)
    sums = group_sums(patient, weight[:, None] * rows)[whole > 0]
    whole = whole[whole > 0]
    if whole.size < 2:
        raise ValueError(
            f"{name}: all rows are of one patient. A comparison over patients needs "
            "two or more."
        )
    rng = check_random_state(random_state)
    apart = sums[:, 0] - sums[:, 1]
    ratios = resampled_ratios(
        apart[:, None], whole[:, None], n_boot=n_boot, random_state=rng
    )
    low, high = percentile_interval(ratios, confidence_level, np.array([whole.size]))
    p_value, n_flips = _sign_flip_test(apart, n_permutations, rng)
    kl = sums.sum(axis=0) / whole.sum()
    return ModelComparison(
        names=(str(names[0]), str(names[1])),
        kl=(float(kl[0]), float(kl[1])),
        difference=float(apart.sum() / whole.sum()),
        low=float(low[0]),
        high=float(high[0]),
        p_value=p_value,
        n_permutations=n_flips,
        win_share=float(np.mean((apart < 0) + 0.5 * (apart == 0))),
        n_rows=int((weight > 0).sum()),
        n_patients=int(whole.size),
        confidence_level=confidence_level,
    )


def _sign_flip_test(
    apart: np.ndarray, n_permutations: int, rng: Any
) -> tuple[float, int]:
    """Two-sided p-value of the sum, and the number of flips it rests on."""
    # Sums that are equal but for the order of addition are as extreme.
    observed = abs(apart.sum()) - 1e-12 * np.abs(apart).sum()
    n = apart.size
    every = n < 63 and 2**n <= n_permutations
    n_flips = 2**n if every else n_permutations
    extreme, size = 0, max(1, _BLOCK // n)
    for start in range(0, n_flips, size):
        stop = min(start + size, n_flips)
        if every:
            swapped = (np.arange(start, stop)[:, None] >> np.arange(n)) & 1
        else:
            swapped = rng.randint(2, size=(stop - start, n))
        extreme += int((np.abs((1.0 - 2.0 * swapped) @ apart) >= observed).sum())
    if every:
        return extreme / n_flips, n_flips
    # The arrangement at hand is one of those that could have been.
    return (extreme + 1) / (n_flips + 1), n_flips
