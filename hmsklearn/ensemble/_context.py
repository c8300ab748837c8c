"""What the other rows of a patient tell: predictions moved towards their mean."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from hmsklearn._groups import balanced_weight, check_groups
from hmsklearn._predicting import LabelsAndScores
from hmsklearn.ensemble._blender import KLBlender, check_member_probabilities
from hmsklearn.ensemble._losses import LogPoolLoss, centred_logs
from hmsklearn.ensemble._newton import minimise
from hmsklearn.ensemble._penalty import Penalty
from hmsklearn.ensemble._pool import FittedPool
from hmsklearn.metrics import check_weight, kl_divergence
from hmsklearn.votes import check_votes, refuse_encoded_votes, resolve_classes

__all__ = ["GroupContextBlender"]


class GroupContextBlender(LabelsAndScores, ClassifierMixin, BaseEstimator):
    r"""Blend, and move every row towards the other rows of its group.

    Windows of one patient look alike and are voted alike, and a test set that names
    its patients tells which windows belong together. Each row's blended probabilities
    p are combined with the mean c of those of the other rows of its group,

    .. math:: \mathrm{softmax}(a \log p + g \log(c / \bar p) + b),

    with the mean prediction :math:`\bar p` of all rows. Votes of the other rows are
    not used, neither in ``fit`` nor later; a row that is alone in its group has c equal
    to :math:`\bar p`, and nothing but the temperature and the biases change it.

    Parameters
    ----------
    blender : estimator, default=None
        Makes one table of probabilities out of several models'; None stands for
        ``KLBlender(classes=classes)``.
    prior_rows : float, default=1.0
        How many rows the mean prediction of all rows counts as in c. With more of
        them small groups have less of a say.
    alpha : float, default=0.1
        Strength of the squares that draw a to one and b to zero.
    group_balance : float, default=0.5
        How much the rows of large groups count less, see :class:`KLBlender`; for a,
        g and b alone.
    clip : float, default=1e-7
        Smaller probabilities count as this.
    classes : "hms", "infer", None or sequence of labels, default="hms"
        Labels in column order, see :func:`hmsklearn.votes.resolve_classes`.
    tol : float, default=1e-8
        Relative accuracy of a, g and b.
    max_iter : int, default=100
        Largest number of Newton steps.

    Attributes
    ----------
    blender_ : estimator
        The fitted blender.
    context_weight_ : float
        The weight g of the other rows; not negative.
    temperature_ : float
        One over a.
    bias_ : ndarray of shape (n_classes,)
        The biases b, their mean being zero.
    prior_ : ndarray of shape (n_classes,)
        Mean prediction of the training rows.
    kl_ : float
        Divergence on the training rows.
    blender_kl_ : float
        The same of the blender alone.
    gap_ : float
        Certificate in nat: the objective is at most this far above its optimum in a,
        g and b.
    kkt_residual_ : float
        Largest violation of their optimality conditions.
    classes_ : ndarray of shape (n_classes,)
        Class labels in column order.
    n_features_in_ : int
        Number of models.

    See Also
    --------
    KLBlender : The blend alone, row by row.

    Notes
    -----
    `X` has shape (n, n_models, n_classes), probabilities without NaN; a single
    model is ``proba[:, None]``. In ``fit`` they must be out of fold, with groups kept
    whole, as everywhere in stacking.

    The prediction of a row depends on which rows of its group are predicted along with
    it. That is right for a test set that is given as a whole, and for recordings that
    are read afterwards; a monitor that sees one window at a time has no such context.

    On the real predictions of 20 models of HMS (rows with ten and more votes, five
    folds of patients) the context is worth about 0.001 nat, more than all that
    weights, temperature and biases gain over a plain mean of the good models.

    References
    ----------
    Windows of a patient share their label more often than not: see the data notes of
    HMS (Kaggle discussion 468010). For mixing a row with its group see Efron and
    Morris, "Stein's estimation rule and its competitors" (1973).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[[0.6, 0.4]], [[0.8, 0.2]], [[0.3, 0.7]], [[0.4, 0.6]]])
    >>> y = [[9, 1], [8, 2], [1, 9], [2, 8]]
    >>> blender = GroupContextBlender(classes="infer")
    >>> blender.fit(X, y, groups=["a", "a", "b", "b"]).context_weight_ > 0
    True
    >>> proba = blender.predict_proba(X, groups=["a", "a", "b", "b"])
    >>> alone = blender.predict_proba(X, groups=["a", "b", "c", "d"])
    >>> bool(proba[0, 0] > alone[0, 0])
    True
    """

    __metadata_request__fit = {"groups": True, "sample_weight": True}
    __metadata_request__predict_proba = {"groups": True}
    __metadata_request__predict = {"groups": True}

    def __init__(
        self,
        blender: Any = None,
        *,
        prior_rows: float = 1.0,
        alpha: float = 0.1,
        group_balance: float = 0.5,
        clip: float = 1e-7,
        classes: str | Sequence[Any] | None = "hms",
        tol: float = 1e-8,
        max_iter: int = 100,
    ) -> None:
        self.blender = blender
        self.prior_rows = prior_rows
        self.alpha = alpha
        self.group_balance = group_balance
        self.clip = clip
        self.classes = classes
        self.tol = tol
        self.max_iter = max_iter

    def fit(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> GroupContextBlender:
        """Fit the blender, then the weight of the context.

        Parameters
        ----------
        X : array-like of shape (n, n_models, n_classes)
            Out-of-fold probabilities of the models.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels, see :func:`hmsklearn.votes.check_votes`.
        groups : array-like of shape (n,)
            Group of each row, usually the patient.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        self : GroupContextBlender
            The fitted blender.

        Raises
        ------
        ValueError
            If `X`, `y`, the groups or the weights are not usable, or if a parameter is
            out of range.

        Warns
        -----
        UserWarning
            If there are no groups: every row then stands alone.
        ConvergenceWarning
            If the certificate is not as small as `tol` asks for.
        """
        name = type(self).__name__
        refuse_encoded_votes(name, classes=self.classes)
        self._check_parameters()
        blender = KLBlender(classes=self.classes)
        if self.blender is not None:
            blender = clone(self.blender)
        X = check_member_probabilities(X, name)
        n_rows = len(X)
        groups = self._groups(groups, n_rows, "fit")
        votes = check_votes(y, classes=self.classes, n_windows=n_rows, caller=name)
        weight = check_weight(sample_weight, n_rows, name)
        if weight is not None and weight.sum() == 0:
            raise ValueError(f"{name}: sample_weight is zero in every row.")
        fit_params = {}
        if has_fit_parameter(blender, "groups"):
            fit_params["groups"] = groups
        if weight is not None:
            fit_params["sample_weight"] = weight
        self.blender_ = blender.fit(X, y, **fit_params)
        self.classes_ = resolve_classes(self.classes, y, caller=name)
        self.n_features_in_ = self.blender_.n_features_in_

        proba = self.blender_.predict_proba(X)
        self.prior_ = np.average(proba, axis=0, weights=weight)
        logs = self._logs(proba, groups)
        share = balanced_weight(groups, self.group_balance, weight)
        n_classes = self.classes_.size
        start = np.concatenate([[1.0, 0.0], np.zeros(n_classes)])
        penalty = Penalty.of(
            start.size,
            centre=start,
            # One number that prior_rows already holds back.
            l2=np.where(np.arange(start.size) == 1, 0.0, self.alpha),
            lower=np.concatenate([[0.0, 0.0], np.full(n_classes, -np.inf)]),
        )
        loss = LogPoolLoss(logs, votes.fractions, share / share.sum(), bias=True)
        found = minimise(loss, penalty, start, tol=self.tol, max_iter=self.max_iter)
        if not found.converged:
            warnings.warn(
                f"{name}: after {found.n_iter} Newton steps the objective "
                f"{found.value:.6g} is certified to {found.gap:.2g} nat only, tol="
                f"{self.tol:g} asks for {self.tol * found.value:.2g}. Raise max_iter "
                "or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self._pool = FittedPool(
            "log",
            found.x[:2],
            1.0,
            found.x[2:] - found.x[2:].mean(),
            self.clip,
        )
        self.context_weight_ = float(found.x[1])
        self.temperature_ = 1.0 / float(found.x[0]) if found.x[0] > 0 else np.inf
        self.bias_ = self._pool.bias
        self.gap_, self.kkt_residual_ = found.gap, found.kkt_residual
        self.blender_kl_ = kl_divergence(votes.fractions, proba, sample_weight=weight)
        self.kl_ = kl_divergence(
            votes.fractions, self._with_context(proba, groups), sample_weight=weight
        )
        return self

    def predict_proba(self, X: Any, groups: Any = None) -> np.ndarray:
        """Blend rows and move them towards the others of their groups.

        Parameters
        ----------
        X : array-like of shape (n, n_models, n_classes)
            Probabilities of the models, in the order of ``fit``.
        groups : array-like of shape (n,)
            Group of each row.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Probabilities; rows sum to one.

        Raises
        ------
        ValueError
            If `X` or the groups are not usable.

        Warns
        -----
        UserWarning
            If there are no groups: every row then stands alone.
        """
        check_is_fitted(self)
        name = type(self).__name__
        X = check_member_probabilities(X, name)
        if X.shape[1:] != (self.n_features_in_, self.classes_.size):
            raise ValueError(
                f"{name}: X has {X.shape[1]} models and {X.shape[2]} classes, but "
                f"{name} is expecting {self.n_features_in_} models and "
                f"{self.classes_.size} classes as input."
            )
        groups = self._groups(groups, len(X), "predict_proba")
        return self._with_context(self.blender_.predict_proba(X), groups)

    def predict(self, X: Any, groups: Any = None) -> np.ndarray:
        """Name the most probable class.

        Parameters
        ----------
        X : array-like of shape (n, n_models, n_classes)
            Probabilities of the models.
        groups : array-like of shape (n,)
            Group of each row.

        Returns
        -------
        ndarray of shape (n,)
            Labels out of ``classes_``.
        """
        return self._label(X, groups=groups)

    def score(
        self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None
    ) -> float:
        """Negative KL divergence; greater is better.

        Parameters
        ----------
        X : array-like of shape (n, n_models, n_classes)
            Probabilities of the models.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels.
        groups : array-like of shape (n,)
            Group of each row.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        float
            The negative divergence in nat.
        """
        return self._negative_kl(X, y, sample_weight, groups=groups)

    def _with_context(self, proba: np.ndarray, groups: np.ndarray) -> np.ndarray:
        logits = self._pool.weights @ self._logs(proba, groups).transpose(1, 0, 2)
        logits = logits + self._pool.bias
        logits -= logits.max(axis=1, keepdims=True)
        moved = np.exp(logits)
        return moved / moved.sum(axis=1, keepdims=True)

    def _logs(self, proba: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return log p and log(c / mean), centred, of shape (2, n, n_classes)."""
        proba = np.asarray(proba, dtype=np.float64)
        _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
        total = np.zeros((counts.size, proba.shape[1]))
        np.add.at(total, inverse, proba)
        n_others = counts[inverse][:, None] - 1.0
        others = total[inverse] - proba + self.prior_rows * self.prior_
        context = others / (n_others + self.prior_rows)
        # Alone in a group: the difference of equal sums is rounding.
        context[n_others[:, 0] == 0] = self.prior_
        logs = centred_logs(np.stack([proba, context], axis=1), self.clip)
        logs[1] -= centred_logs(self.prior_[None, None], self.clip)[0]
        return logs

    def _groups(self, groups: Any, n_rows: int, method: str) -> np.ndarray:
        checked = check_groups(groups, n_rows, caller=type(self).__name__)
        if checked is not None:
            return checked
        warnings.warn(
            f"{type(self).__name__}: {method} got no groups, so that every row stands "
            "alone and there is no context. Give the patient of each row as groups, "
            "or use KLBlender where it is unknown.",
            UserWarning,
            stacklevel=3,
        )
        return np.arange(n_rows)

    def _check_parameters(self) -> None:
        name = type(self).__name__
        if not 0 < self.prior_rows < np.inf:
            raise ValueError(
                f"{name}: prior_rows must be positive and finite, got "
                f"{self.prior_rows!r}."
            )
        if not self.tol > 0:
            raise ValueError(f"{name}: tol must be positive, got {self.tol!r}.")
        if not self.max_iter >= 1:
            raise ValueError(
                f"{name}: max_iter must be at least 1, got {self.max_iter!r}."
            )
        if not self.alpha >= 0:
            raise ValueError(f"{name}: alpha must not be negative, got {self.alpha!r}.")
        if not 0 <= self.group_balance <= 1:
            raise ValueError(
                f"{name}: group_balance={self.group_balance!r} is outside of [0, 1]."
            )
        if not 0 < self.clip < 0.1:
            raise ValueError(f"{name}: clip={self.clip!r} is outside of (0, 0.1).")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags
