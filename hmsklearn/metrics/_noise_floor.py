"""What the true vote distribution would score: the floor under every divergence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import digamma, gammaln, xlog1py, xlogy

from hmsklearn._groups import check_groups
from hmsklearn.metrics._rows import (
    EPSILON,
    check_probabilities,
    check_weight,
    enough_votes,
    known_totals,
    target_classes,
)
from hmsklearn.metrics._vote_prior import fit_vote_prior
from hmsklearn.votes import check_votes, in_class_order

__all__ = ["check_method", "floor_terms", "kl_noise_floor", "whole_counts"]

_METHODS = ("mixture", "dirichlet", "zhang", "miller-madow")

# Entries of one block of rows x counts x classes, which bounds the memory.
_BLOCK = 4_000_000


def kl_noise_floor(
    votes: Any,
    *,
    truth: Any = None,
    method: str = "mixture",
    groups: Any = None,
    sample_weight: Any = None,
    min_votes: float | None = None,
    total_votes: Any = None,
    average: str | None = "micro",
    classes: str | Sequence[Any] | np.ndarray | None = None,
) -> float | np.ndarray:
    r"""Divergence that the true vote distribution of each row would score.

    Fractions of few votes scatter around the distribution that the votes were drawn
    from, so even a model that knows it does not reach zero in
    :func:`kl_divergence`. This is how far from zero it stays: what no model can be
    expected to pass on these rows.

    Parameters
    ----------
    votes : array-like of shape (n, n_classes) or (n,)
        Vote counts, or fractions with `total_votes`.
    truth : array-like of shape (n, n_classes), optional
        Distributions taken to be the true ones, such as those of a simulation or a
        model's calibrated probabilities. The floor is then exact (see Notes) and
        `method` is not used.
    method : str, default="mixture"
        How to estimate the floor where the truth is not known:

        * ``"mixture"``: empirical Bayes. A mixture of Dirichlet distributions, one
          around each class, is fitted to all counts; the floor is the posterior mean
          of the divergence.
        * ``"dirichlet"``: the same with one Dirichlet distribution.
        * ``"zhang"``: no assumption about the truth; a lower bound in expectation.
        * ``"miller-madow"``: (voted classes - 1) / (2 votes), the asymptotic formula;
          too low where rare classes went unseen, so for a rough figure only.
    groups : array-like of shape (n,), optional
        Recording (or patient) of each row. Rows of one group with equal counts are
        taken as copies of one rating, and enter the fit of the prior once. Needed
        wherever a rating was copied to many windows, as in ``train.csv``: copies
        look like ratings without noise.
    sample_weight : array-like of shape (n,), optional
        Weights of the rows in the mean. They do not enter the fit of the prior.
    min_votes : float, optional
        Use only rows with at least this many votes, as in :func:`kl_divergence`.
    total_votes : array-like of shape (n,), optional
        Votes behind each row where `votes` holds fractions.
    average : {"micro", None}, default="micro"
        ``"micro"`` is the mean over rows, to set beside :func:`kl_divergence`; None
        the expectation for each row.
    classes : "hms", "infer", None or sequence of labels, default=None
        Labels in column order, see :func:`kl_divergence`.

    Returns
    -------
    float or ndarray of shape (n_scored,)
        The floor in nat; an array with ``average=None``.

    Raises
    ------
    ValueError
        If `method` is not known, if the totals are not known or do not turn the
        fractions into whole counts, if no row has two votes (one vote a row does not
        tell noise from disagreement), or if `truth` is no table of probabilities.

    Notes
    -----
    With f the fractions of n votes drawn from :math:`\theta`, the expected
    divergence is the bias of the plain entropy estimate,
    :math:`E\,KL(f \| \theta) = H(\theta) - E\,H(f)`: the noise floor and the
    problem of estimating an entropy from few draws are one.

    With `truth`, :math:`\sum_k E[f_k \log f_k] - \theta_k \log \theta_k` is summed
    over the binomial distribution of every count. It depends on the number of votes,
    not on the counts.

    Without it, the truth is averaged over what the counts leave possible. For a
    Dirichlet prior :math:`\alpha`, and each component of a mixture,
    :math:`E[\log \theta_k | v] = \psi(\alpha_k + v_k) - \psi(\sum \alpha + n)`,
    so nothing is simulated. ``"zhang"`` is the limit :math:`\alpha = 0`; its
    expectation is below the floor whatever the truth is, by the part of the entropy
    that lies in classes too rare to be seen in n votes.

    The floor takes votes to be independent draws. Experts with habits of their own,
    of which each votes once, scatter a little less. Floors of rows that other people
    rated, such as those below and above ten votes in the competition, are better
    estimated apart. A model fitted to these same votes can score below the floor; one
    that has not seen them cannot be expected to.

    References
    ----------
    Miller, "Note on the bias of information estimates" (1955). Zhang, "Entropy
    estimation in Turing's perspective", Neural Computation 24 (2012). Minka,
    "Estimating a Dirichlet distribution" (2000). Nemenman, Shafee and Bialek,
    "Entropy and inference, revisited" (2002). Kaggle, HMS - Harmful Brain Activity
    Classification, discussions 466731 (the metric) and 477135 (two populations).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.metrics import kl_divergence, kl_noise_floor
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.dirichlet(np.full(6, 0.5), size=5000)
    >>> votes = rng.multinomial(10, truth)
    >>> round(kl_divergence(votes, truth), 3)  # what the truth scores
    0.217
    >>> round(kl_noise_floor(votes, truth=truth), 3)  # what it is expected to score
    0.217
    >>> round(kl_noise_floor(votes), 3)  # the estimate without the truth
    0.215
    >>> round(kl_noise_floor(votes, method="zhang"), 3)  # not above, on average
    0.134
    """
    name = "kl_noise_floor"
    check_method(method, name)
    if average not in ("micro", None):
        raise ValueError(
            f"{name}: average={average!r} is not known. Give 'micro' or None."
        )
    labels = target_classes(votes, truth, classes, name)
    checked = check_votes(votes, classes=labels, caller=name)
    n_rows = len(checked.fractions)
    totals = known_totals(checked.total_votes, total_votes, name)
    weight = check_weight(sample_weight, n_rows, name)
    groups = check_groups(groups, n_rows, caller=name)
    if weight is not None and average is None:
        raise ValueError(
            f"{name}: sample_weight is not defined for average=None. Use 'micro'."
        )
    kept = np.arange(n_rows)
    if min_votes is not None:
        kept = np.flatnonzero(enough_votes(totals, min_votes, name))
    if truth is not None:
        prob = check_probabilities(in_class_order(truth, labels, name, "truth"), name)
        if prob.shape != checked.fractions.shape:
            raise ValueError(
                f"{name}: truth has shape {prob.shape}, votes have "
                f"{checked.fractions.shape}."
            )
        counts = whole_counts(checked.fractions[kept], totals[kept], name)
        terms = _expected_terms(counts.sum(axis=1), prob[kept])
    else:
        terms = floor_terms(
            checked.fractions[kept],
            totals[kept],
            method=method,
            groups=None if groups is None else groups[kept],
            name=name,
        )
    rows = terms.sum(axis=1)
    if average is None:
        return rows
    if weight is not None:
        weight = weight[kept]
        if weight.sum() == 0:
            raise ValueError(f"{name}: the weights of the scored rows sum to zero.")
    return float(np.average(rows, weights=weight))


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
                "from disagreement. Give rows with more votes, or truth=."
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


def _expected_terms(totals: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Exact expectation of each class's term, the votes drawn from `truth`."""
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
