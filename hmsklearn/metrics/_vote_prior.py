"""How the true vote distributions of many rows are spread: a mixture of Dirichlets.

Each row was read by few experts, so its own counts say little about its true
distribution. All rows together say how such distributions are spread, and that is
what a row's counts are weighed against (empirical Bayes).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse
from scipy.special import digamma, gammaln, logsumexp

__all__ = ["VotePrior", "fit_vote_prior"]

# Concentrations are kept in a range where gammaln still tells neighbours apart. A
# class that a component never saw has the lower one, a component that is a point the
# upper.
_SMALLEST, _LARGEST = 1e-6, 1e6


class VotePrior(NamedTuple):
    """Mixture of Dirichlet distributions over the classes.

    Attributes
    ----------
    weights : ndarray of shape (n_components,)
        Share of the rows that come from each component.
    concentration : ndarray of shape (n_components, n_classes)
        Parameters of the Dirichlet distributions.
    log_likelihood : float
        Mean log likelihood of the counts it was fitted to, without the multinomial
        coefficient.
    n_iter : int
        Steps of expectation maximisation.
    """

    weights: np.ndarray
    concentration: np.ndarray
    log_likelihood: float
    n_iter: int

    def expected_log(self, counts: np.ndarray) -> np.ndarray:
        """Posterior mean of the logarithm of each row's true distribution.

        Parameters
        ----------
        counts : ndarray of shape (n, n_classes)
            Vote counts.

        Returns
        -------
        ndarray of shape (n, n_classes)
            ``E[log theta_k | counts]``.
        """
        share = np.exp(self._log_posterior(counts))
        totals = counts.sum(axis=1)
        expected = np.zeros(counts.shape)
        for part, concentration in zip(share.T, self.concentration, strict=True):
            whole = digamma(concentration.sum() + totals)
            log_theta = digamma(concentration + counts) - whole[:, None]
            expected += part[:, None] * log_theta
        return expected

    def _log_posterior(self, counts: np.ndarray) -> np.ndarray:
        table = _Patterns(counts, np.ones(len(counts)))
        joint = table.log_likelihood(self.concentration) + np.log(self.weights)
        return joint - logsumexp(joint, axis=1, keepdims=True)


def fit_vote_prior(
    counts: np.ndarray, n_components: int, *, max_iter: int = 2000, tol: float = 1e-6
) -> VotePrior:
    """Fit the prior to vote counts by maximum likelihood.

    Parameters
    ----------
    counts : ndarray of shape (n, n_classes)
        Vote counts, whole numbers; no row without votes.
    n_components : int
        Number of Dirichlet distributions: one, or one around each class.
    max_iter : int, default=2000
        Largest number of steps of expectation maximisation.
    tol : float, default=1e-6
        Stop when a step gains less log likelihood per row.

    Returns
    -------
    VotePrior
        The prior. Without randomness: the components start around the classes.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.dirichlet([2.0, 1.0], size=20_000)
    >>> prior = fit_vote_prior(rng.multinomial(12, truth), 1)
    >>> prior.concentration.round(1).tolist()
    [[2.0, 1.0]]
    """
    patterns, times = np.unique(counts, axis=0, return_counts=True)
    table = _Patterns(patterns, times / times.sum())
    weights, concentration = _start(patterns, times, n_components)
    before, n_iter = -np.inf, 0
    while n_iter < max_iter:
        n_iter += 1
        joint = table.log_likelihood(concentration) + np.log(weights)
        row = logsumexp(joint, axis=1)
        now = float(table.mass @ row)
        if now - before < tol:
            break
        before = now
        share = np.exp(joint - row[:, None]) * table.mass[:, None]
        weights = np.maximum(share.sum(axis=0), 1e-300)
        concentration = table.step(concentration, share)
    return VotePrior(weights / weights.sum(), concentration, now, n_iter)


def _start(
    patterns: np.ndarray, times: np.ndarray, n_components: int
) -> tuple[np.ndarray, np.ndarray]:
    fractions = patterns / patterns.sum(axis=1, keepdims=True)
    mean = times @ fractions / times.sum()
    # Never zero: a class that one component rules out cannot come back.
    mean = 0.98 * mean + 0.02 / mean.size
    if n_components == 1:
        return np.ones(1), mean[None] * 2.0
    centres = 0.7 * np.eye(mean.size) + 0.3 * mean
    return mean / mean.sum(), centres * 3.0


class _Patterns:
    """Distinct rows of counts, laid out so that a step costs two matrix products.

    The likelihood depends on a count through ``gammaln(a + count)`` alone, so the
    function is evaluated once for each distinct count and class, not for each row.
    """

    def __init__(self, patterns: np.ndarray, mass: np.ndarray) -> None:
        self.mass = mass
        self.values, place = np.unique(patterns, return_inverse=True)
        self.totals, self.place_of_total = np.unique(
            patterns.sum(axis=1), return_inverse=True
        )
        n, n_classes = patterns.shape
        column = place.reshape(n, n_classes) + np.arange(n_classes) * self.values.size
        self.shape = (n_classes, self.values.size)
        self.one_hot = scipy.sparse.csr_matrix(
            (np.ones(n * n_classes), column.ravel(), np.arange(n + 1) * n_classes),
            shape=(n, n_classes * self.values.size),
        )

    def log_likelihood(self, concentration: np.ndarray) -> np.ndarray:
        """Log likelihood of each row under each component."""
        a, whole = concentration[:, :, None], concentration.sum(axis=1)[:, None]
        classes = gammaln(a + self.values) - gammaln(a)
        totals = gammaln(whole) - gammaln(whole + self.totals)
        rows = self.one_hot @ classes.reshape(len(concentration), -1).T
        return rows + totals.T[self.place_of_total]

    def step(self, concentration: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Raise the expected log likelihood by Minka's fixed point, a few times."""
        of_counts = np.asarray(self.one_hot.T @ share).T.reshape(-1, *self.shape)
        of_totals = np.stack(
            [
                np.bincount(self.place_of_total, part, self.totals.size)
                for part in share.T
            ]
        )
        for _ in range(5):
            a, whole = concentration[:, :, None], concentration.sum(axis=1)[:, None]
            seen = (of_counts * (digamma(a + self.values) - digamma(a))).sum(axis=2)
            drawn = of_totals * (digamma(whole + self.totals) - digamma(whole))
            ratio = seen / np.maximum(drawn.sum(axis=1, keepdims=True), 1e-300)
            concentration = np.clip(concentration * ratio, _SMALLEST, _LARGEST)
        return concentration
