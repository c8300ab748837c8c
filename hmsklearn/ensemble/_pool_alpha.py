"""The strength of the penalty, chosen by cross-validation with groups kept whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hmsklearn.ensemble._pool import FittedPool
from hmsklearn.ensemble._pool_fit import PoolData, PoolSettings, changed, fit_pool
from hmsklearn.metrics import kl_divergence

__all__ = ["ALPHAS", "AlphaChoice", "choose_alpha"]

#: Strengths that are tried: none, and two for each power of ten.
ALPHAS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


class AlphaChoice:
    """What the cross-validation found.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        The strengths, ascending.
    kl : ndarray of shape (n_alphas, n_folds)
        Divergence on the held-out rows of every fold.
    mean_kl : ndarray of shape (n_alphas,)
        Divergence on all held-out rows together.

    Attributes
    ----------
    alpha : float
        The strength with the smallest `mean_kl`; of equal ones the largest.

    Examples
    --------
    >>> AlphaChoice(np.array([0.0, 1.0]), np.zeros((2, 3)), np.array([0.2, 0.2])).alpha
    1.0
    """

    def __init__(self, alphas: np.ndarray, kl: np.ndarray, mean_kl: np.ndarray) -> None:
        self.alphas, self.kl, self.mean_kl = alphas, kl, mean_kl
        best = alphas.size - 1 - int(np.argmin(mean_kl[::-1]))
        self.alpha = float(alphas[best])

    def table(self) -> dict[str, np.ndarray]:
        """Return the columns of a table with a row for each strength."""
        columns = {"alpha": self.alphas, "kl": self.mean_kl}
        for fold in range(self.kl.shape[1]):
            columns[f"kl_fold{fold}"] = self.kl[:, fold]
        return columns


def choose_alpha(
    prob: np.ndarray,
    fractions: np.ndarray,
    fit_weight: np.ndarray | None,
    score_weight: np.ndarray | None,
    settings: PoolSettings,
    alphas: Sequence[float],
    splits: list[tuple[np.ndarray, np.ndarray]],
) -> AlphaChoice:
    """Score every strength on rows that the pool was not fitted on.

    Parameters
    ----------
    prob : ndarray of shape (n, n_models, n_classes)
        Probabilities of the models.
    fractions : ndarray of shape (n, n_classes)
        Vote fractions.
    fit_weight, score_weight : ndarray of shape (n,) or None
        Weights of the rows in the fit and in the score.
    settings : PoolSettings
        What is fitted.
    alphas : sequence of float
        The strengths.
    splits : list of (ndarray, ndarray)
        Row numbers of the folds.

    Returns
    -------
    AlphaChoice
        The scores and the choice.

    Raises
    ------
    ValueError
        If the training rows of a fold have no weight.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> prob = rng.dirichlet(np.ones(2), size=(40, 3))
    >>> votes = rng.dirichlet(np.ones(2), size=40)
    >>> halves = np.arange(40).reshape(2, 20)
    >>> splits = [(halves[0], halves[1]), (halves[1], halves[0])]
    >>> choice = choose_alpha(prob, votes, None, None, PoolSettings(), [0, 1], splits)
    >>> choice.kl.shape
    (2, 2)
    """
    strengths = np.unique(np.asarray(alphas, dtype=np.float64))
    kl = np.empty((strengths.size, len(splits)))
    rows_of = np.full((strengths.size, len(fractions)), np.nan)
    for fold, (train, test) in enumerate(splits):
        weight = None if fit_weight is None else fit_weight[train]
        if weight is not None and not weight.any():
            raise ValueError(
                f"KLBlender: sample_weight is zero in every training row of fold {fold}"
                " of alpha='cv'. Give folds whose training rows have weight, or a "
                "number as alpha."
            )
        data = PoolData(prob[train], fractions[train], weight, settings.clip)
        held_out = prob[test]
        pool: FittedPool | None = None
        # From strong to weak: every fit starts close to its end.
        for number in range(strengths.size - 1, -1, -1):
            alpha = float(strengths[number])
            pool = fit_pool(data, changed(settings, alpha=alpha), pool)
            rows = np.asarray(
                kl_divergence(fractions[test], pool.proba(held_out), average=None)
            )
            rows_of[number, test] = rows
            kl[number, fold] = _mean(rows, score_weight, test)
    everything = np.flatnonzero(~np.isnan(rows_of[0]))
    mean = [_mean(rows[everything], score_weight, everything) for rows in rows_of]
    return AlphaChoice(strengths, kl, np.array(mean))


def _mean(values: np.ndarray, weight: np.ndarray | None, rows: np.ndarray) -> float:
    if weight is None:
        return float(values.mean())
    total = weight[rows].sum()
    return float(values @ weight[rows] / total) if total > 0 else np.nan
