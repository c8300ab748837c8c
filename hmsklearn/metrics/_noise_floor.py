"""What the true vote distribution would score: the floor under every divergence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hmsklearn._groups import check_groups
from hmsklearn.metrics._floor_terms import (
    check_method,
    expected_terms,
    floor_terms,
    whole_counts,
)
from hmsklearn.metrics._rows import (
    check_probabilities,
    check_weight,
    enough_votes,
    known_totals,
    target_classes,
)
from hmsklearn.votes import check_votes, in_class_order

__all__ = ["kl_noise_floor"]


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
        Recording of each row. Rows of one group with equal counts are taken as copies
        of one rating, and enter the fit of the prior once. Needed wherever a rating
        was copied to many windows, as in ``train.csv``: copies look like ratings
        without noise. Leave it out where every row was rated on its own: ratings of a
        patient that are alike by chance are no copies, and the floor would rise.
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
        terms = expected_terms(counts.sum(axis=1), prob[kept])
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
