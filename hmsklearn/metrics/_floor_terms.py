"""What each class adds to the divergence of the true distribution, row by row."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import digamma, gammaln, xlog1py, xlogy

from hmsklearn.metrics._rows import EPSILON
from hmsklearn.metrics._vote_prior import fit_vote_prior

__all__ = ["check_method", "expected_terms", "floor_terms", "whole_counts"]

_METHODS = ("mixture", "dirichlet", "zhang", "miller-madow")

# Entries of one block of rows x counts x classes, which bounds the memory.
_BLOCK = 4_000_000


def check_method(method: str, name: str) -> None:
    """Raise if the method is not known.

    Parameters
    ----------
    method : str
        See :func:`kl_noise_floor`.
    name : str
        Name that starts the error message.

    Raises
    ------
    ValueError
        With the methods that are known.
    """
    if method not in _METHODS:
        raise ValueError(
            f"{name}: method={method!r} is not known. Give one of {list(_METHODS)}."
        )


def floor_terms(
    fractions: np.ndarray,
    totals: np.ndarray,
    *,
    method: str,
    groups: np.ndarray | None,
    name: str,
) -> np.ndarray:
    """Estimate the terms of the true distribution's divergence, by row and class.

    Parameters
    ----------
    fractions : ndarray of shape (n, n_classes)
        Vote fractions.
    totals : ndarray of shape (n,)
        Votes behind each row.
    method : str
        See :func:`kl_noise_floor`.
    groups : ndarray of shape (n,) or None
        Groups within which equal counts are copies.
    name : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n, n_classes)
        Their row sums are the floor.
    """
    check_method(method, name)
    counts = whole_counts(fractions, totals, name)
    if method == "miller-madow":
        # By class, what the row's formula is the sum of: half a degree of freedom
        # for each class that was voted for, less the one that the total takes.
        voted = counts > 0
        return (voted - fractions) / (2.0 * counts.sum(axis=1, keepdims=True))
    if method == "zhang":
        with np.errstate(invalid="ignore"):
            log_theta = digamma(counts) - digamma(counts.sum(axis=1, keepdims=True))
    else:
        if counts.sum(axis=1).max() < 2:
            raise ValueError(
                f"{name}: no row has two votes, and one vote a row does not tell noise "
                "from disagreement. Give rows with more votes, or noise_floor=None to "
                "a report, or truth= to kl_noise_floor."
            )
        n_components = 1 if method == "dirichlet" else counts.shape[1]
        prior = fit_vote_prior(_one_of_each(counts, groups), n_components)
        log_theta = prior.expected_log(counts)
    # In log space: a probability below the smallest float would divide by zero.
    voted = counts > 0
    terms = np.zeros(counts.shape)
    share = counts[voted] / counts.sum(axis=1).repeat(voted.sum(axis=1))
    terms[voted] = share * (np.log(share) - log_theta[voted])
    return terms


def whole_counts(fractions: np.ndarray, totals: np.ndarray, name: str) -> np.ndarray:
    """Turn fractions and totals back into vote counts, int64.

    Parameters
    ----------
    fractions : ndarray of shape (n, n_classes)
        Vote fractions.
    totals : ndarray of shape (n,)
        Votes behind each row.
    name : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n, n_classes)
        Whole numbers of votes.

    Raises
    ------
    ValueError
        If totals are unknown or the products are not whole; the message names the
        first row.
    """
    if np.isnan(totals).any():
        raise ValueError(
            f"{name}: the noise depends on the number of votes of every row, and "
            "fractions do not tell it. Pass vote counts, or total_votes."
        )
    exact = fractions * totals[:, None]
    counts = np.rint(exact)
    # Files carry fractions with six digits or more.
    bad = np.flatnonzero((np.abs(exact - counts) > 0.01).any(axis=1) | (totals < 1))
    if bad.size:
        row = bad[0]
        raise ValueError(
            f"{name}: fractions {fractions[row].tolist()} of {totals[row]:g} votes are "
            f"no whole votes (row {row}, {bad.size} such rows in all). total_votes "
            "must be the totals that the fractions were made with."
        )
    return counts.astype(np.int64)


def _one_of_each(counts: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    if groups is None:
        return counts
    table = pd.DataFrame(counts).assign(group=pd.factorize(groups)[0])
    return counts[~table.duplicated().to_numpy()]


def expected_terms(totals: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Compute the exact expectation of each class's term.

    Parameters
    ----------
    totals : ndarray of shape (n,), int
        Votes of each row.
    truth : ndarray of shape (n, n_classes)
        Distributions that the votes are drawn from.

    Returns
    -------
    ndarray of shape (n, n_classes)
        Their row sums are the expected divergence.
    """
    truth = truth / truth.sum(axis=1, keepdims=True)
    terms = -truth * np.log(np.clip(truth, EPSILON, 1.0 - EPSILON))
    for n in np.unique(totals):
        rows = np.flatnonzero(totals == n)
        count = np.arange(n + 1)
        value = xlogy(count / n, count / n)
        choose = gammaln(n + 1) - gammaln(count + 1) - gammaln(n - count + 1)
        size = max(1, _BLOCK // ((n + 1) * truth.shape[1]))
        for start in range(0, rows.size, size):
            some = rows[start : start + size]
            p = truth[some][:, :, None]
            log_mass = choose + xlogy(count, p) + xlog1py(n - count, -p)
            terms[some] += np.exp(log_mass) @ value
    return terms
