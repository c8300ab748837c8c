"""Blending the probabilities of several models, at the optimum and with a proof."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from hmsklearn.ensemble._simplex import solve_linear_pool
from hmsklearn.metrics import EPSILON, check_weight, kl_divergence
from hmsklearn.votes import check_votes, refuse_encoded_votes, resolve_classes

__all__ = ["KLBlender"]

# The same tolerance as in kl_divergence: float32 softmax rows miss one by 1e-7.
_SUM_TOLERANCE = 1e-4


class KLBlender(ClassifierMixin, BaseEstimator):
    """Linear pool of models: the weights that minimise the KL divergence.

    The pool is ``sum_m w_m p_m`` with weights that are not negative and sum to one.
    The divergence to the votes is convex in them, so there is one best value; it is
    found by Newton steps with exact derivatives, and a bound on the distance to it
    is reported.

    Parameters
    ----------
    classes : "hms", "infer", None or sequence of labels, default="hms"
        Labels in the order of the probabilities' last axis, see
        :func:`hmsklearn.votes.resolve_classes`.
    tol : float, default=1e-8
        Relative accuracy: stop when the certified distance of the divergence to its
        optimum is at most `tol` times the divergence (or 1e-12 nat, which is
        rounding).
    max_iter : int, default=100
        Largest number of Newton steps; five are typical.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,)
        Weight of each model.
    gap_ : float
        Certificate in nat: the divergence that `weights_` reach on the training
        rows is at most this far above the smallest possible.
    kkt_residual_ : float
        Largest violation of the optimality conditions, ``max_m |min(w_m, g_m)|``
        with g the gradient; zero at the optimum only.
    kl_ : float
        The (weighted) divergence on the training rows.
    n_iter_ : int
        Newton steps taken.
    classes_ : ndarray of shape (n_classes,)
        Class labels in column order.
    n_features_in_ : int
        Number of models.

    See Also
    --------
    StackingKLClassifier : Makes the out-of-fold probabilities and blends them.

    Notes
    -----
    `X` has shape (n, n_models, n_classes): out-of-fold probabilities, float32 or
    float64, without NaN. They are clipped to [1e-15, 1 - 1e-15] as in the
    competition's metric, so that a model which gives zero to a class that was voted
    for costs much instead of everything. float64 is used throughout the fit.

    The certificate is Jensen's inequality: no weights can do better than those at
    hand by more than ``log max_m sum_i q_i p_mi / (P w)_i``, the sum taken over all
    rows and classes, q being the vote fractions over the number of rows.

    Where members are copies of each other, the best weights are not unique; the
    divergence and the certificate are.

    References
    ----------
    The blends of most top solutions of HMS are linear pools, with weights found by
    hand, Nelder-Mead or Optuna. For the solver see Kim, Carbonetto, Stephens and
    Anitescu, "A fast algorithm for maximum likelihood estimation of mixture
    proportions using sequential quadratic programming" (2020).

    Examples
    --------
    >>> import numpy as np
    >>> good = np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    >>> poor = np.array([[0.5, 0.5], [0.1, 0.9], [0.2, 0.8]])
    >>> votes = np.array([[8, 2], [2, 8], [5, 5]])
    >>> blender = KLBlender(classes="infer").fit(np.stack([good, poor], axis=1), votes)
    >>> blender.weights_.round(3).tolist()
    [0.799, 0.201]
    >>> blender.gap_ < 1e-8 * blender.kl_
    True
    """

    # A blender asks for the weights of the rows wherever metadata is routed.
    __metadata_request__fit = {"sample_weight": True}

    def __init__(
        self,
        *,
        classes: str | Sequence[Any] | None = "hms",
        tol: float = 1e-8,
        max_iter: int = 100,
    ) -> None:
        self.classes = classes
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KLBlender:
        """Find the weights.

        Parameters
        ----------
        X : array-like of shape (n, n_models, n_classes)
            Out-of-fold probabilities of the models.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels, see :func:`hmsklearn.votes.check_votes`.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        self : KLBlender
            The fitted blender.

        Raises
        ------
        ValueError
            If `X` holds anything but probabilities (the message names row and
            model), or `y` or the weights are not usable.

        Warns
        -----
        ConvergenceWarning
            If the certificate is not as small as `tol` asks for.
        """
        name = type(self).__name__
        refuse_encoded_votes(name, classes=self.classes)
        self._check_parameters()
        prob = _check_member_probabilities(X, name)
        votes = check_votes(
            y, classes=self.classes, n_windows=prob.shape[0], caller=name
        )
        classes = resolve_classes(self.classes, y, caller=name)
        if classes.size < 2:
            raise ValueError(
                f"{name}: y holds 1 class, {classes.tolist()[0]!r}; a blend needs at "
                "least two. Name the classes."
            )
        if prob.shape[2] != classes.size:
            raise ValueError(
                f"{name}: X has {prob.shape[2]} classes on its last axis, and y has "
                f"{classes.size}: {classes.tolist()}. Set classes to the labels of "
                "the probabilities."
            )
        weight = check_weight(sample_weight, prob.shape[0], name)
        if weight is not None and weight.sum() == 0:
            raise ValueError(f"{name}: sample_weight is zero in every row.")

        solution = solve_linear_pool(
            *_voted_entries(prob, votes.fractions, weight),
            tol=self.tol,
            max_iter=self.max_iter,
        )
        self.classes_ = classes
        self.n_features_in_ = prob.shape[1]
        self.weights_ = solution.weights
        self.gap_ = solution.gap
        self.kkt_residual_ = solution.kkt_residual
        self.n_iter_ = solution.n_iter
        self.kl_ = kl_divergence(
            votes.fractions, _pool(prob, self.weights_), sample_weight=weight
        )
        if not solution.converged:
            warnings.warn(
                f"{name}: after {self.n_iter_} Newton steps the divergence "
                f"{self.kl_:.6g} is certified to {self.gap_:.2g} nat only, tol="
                f"{self.tol:g} asks for {self.tol * self.kl_:.2g}. Raise max_iter or "
                "tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Blend the models' probabilities.

        Parameters
        ----------
        X : array-like of shape (n, n_models, n_classes)
            Probabilities of the models, in the order of ``fit``.

        Returns
        -------
        ndarray of shape (n, n_classes)
            The weighted mean, float64; rows sum to one.

        Raises
        ------
        ValueError
            If `X` does not hold probabilities of as many models and classes as in
            ``fit``.
        """
        check_is_fitted(self)
        name = type(self).__name__
        prob = _check_member_probabilities(X, name)
        expected = (self.n_features_in_, self.classes_.size)
        if prob.shape[1:] != expected:
            raise ValueError(
                f"{name}: X has {prob.shape[1]} models and {prob.shape[2]} classes, "
                f"but {name} is expecting {expected[0]} models and {expected[1]} "
                "classes as input."
            )
        return _pool(prob, self.weights_)

    def predict(self, X: Any) -> np.ndarray:
        """Name the most probable class.

        Parameters
        ----------
        X : array-like of shape (n, n_models, n_classes)
            Probabilities of the models.

        Returns
        -------
        ndarray of shape (n,)
            Labels out of ``classes_``.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Negative KL divergence of the blend; greater is better.

        Parameters
        ----------
        X : array-like of shape (n, n_models, n_classes)
            Probabilities of the models.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        float
            The negative divergence in nat.
        """
        proba = self.predict_proba(X)
        return -float(
            kl_divergence(y, proba, sample_weight=sample_weight, classes=self.classes_)
        )

    def _check_parameters(self) -> None:
        name = type(self).__name__
        if not self.tol > 0:
            raise ValueError(f"{name}: tol must be positive, got {self.tol!r}.")
        if not self.max_iter >= 1:
            raise ValueError(
                f"{name}: max_iter must be at least 1, got {self.max_iter!r}."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


def _check_member_probabilities(X: Any, name: str) -> np.ndarray:
    try:
        if scipy.sparse.issparse(X):
            raise TypeError("sparse input is not supported")
        prob = np.asarray(X)
        if prob.dtype.kind == "c":
            raise TypeError("complex data not supported")
        if prob.dtype not in (np.float32, np.float64):
            prob = prob.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: X is not an array of numbers ({error}). Stack the models' "
            "probabilities: np.stack([p1, p2, ...], axis=1)."
        ) from None
    if prob.ndim != 3:
        raise ValueError(
            f"{name}: X has {prob.ndim} dimensions and shape {prob.shape}, expected "
            "(n_windows, n_models, n_classes). Stack the models' probabilities: "
            "np.stack([p1, p2, ...], axis=1)."
        )
    if 0 in prob.shape:
        raise ValueError(
            f"{name}: X has shape {prob.shape} and so no windows, models or classes. "
            "At least one of each is required."
        )
    # A product with ones is several times faster than a sum over six values.
    sums = np.ascontiguousarray(prob).reshape(-1, prob.shape[2]) @ np.ones(
        prob.shape[2], dtype=prob.dtype
    )
    if (np.abs(sums - 1.0) <= _SUM_TOLERANCE).all() and prob.min() >= 0:
        return prob
    for what, bad in (
        ("NaN or infinite probabilities", ~np.isfinite(prob).all(axis=2)),
        ("negative probabilities", (prob < 0).any(axis=2)),
        (
            "probabilities that do not sum to one",
            ~(np.abs(prob.sum(axis=2) - 1.0) <= _SUM_TOLERANCE),
        ),
    ):
        places = np.argwhere(bad)
        if places.size:
            row, model = places[0]
            raise ValueError(
                f"{name}: X has {what} (first in row {row} of model {model}: "
                f"{prob[row, model].tolist()}; {len(places)} such rows in all). Give "
                "softmax probabilities of every model for every row."
            )
    return prob


def _voted_entries(
    prob: np.ndarray, fractions: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the entries that were voted for: nothing else enters the divergence.

    The probabilities are divided by the voted fractions, which makes the objective
    of the solver the divergence itself.
    """
    mass = fractions if weight is None else fractions * (weight / weight.max())[:, None]
    rows, columns = np.nonzero(mass)
    share = mass[rows, columns]
    n_models, n_classes = prob.shape[1:]
    flat = np.ascontiguousarray(prob).reshape(-1)
    first = rows * (n_models * n_classes) + columns
    fraction = fractions[rows, columns]
    entries = np.empty((n_models, rows.size))
    for model in range(n_models):
        entries[model] = flat[first + model * n_classes]
    np.clip(entries, EPSILON, 1.0 - EPSILON, out=entries)
    entries /= fraction
    return entries, share / share.sum()


def _pool(prob: np.ndarray, weights: np.ndarray) -> np.ndarray:
    # Weights that sum to one up to rounding can lift a certain class above one.
    return np.minimum(weights @ prob, 1.0)
