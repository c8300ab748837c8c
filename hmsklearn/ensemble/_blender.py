"""Blending the probabilities of several models, at the optimum and with a proof."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from hmsklearn._groups import balanced_weight, check_groups
from hmsklearn._params import check_integer
from hmsklearn._predicting import LabelsAndScores
from hmsklearn.ensemble._pool import FittedPool, MeanOfPools
from hmsklearn.ensemble._pool_alpha import ALPHAS, choose_alpha
from hmsklearn.ensemble._pool_fit import PoolData, PoolSettings
from hmsklearn.ensemble._pool_members import fit_few_models
from hmsklearn.ensemble._pool_search import check_solver, search_pool
from hmsklearn.metrics import check_weight, kl_divergence
from hmsklearn.model_selection._splits import resolve_splits
from hmsklearn.votes import check_votes, refuse_encoded_votes, resolve_classes

__all__ = ["KLBlender", "check_member_probabilities"]

# The same tolerance as in kl_divergence: float32 softmax rows miss one by 1e-7.
_SUM_TOLERANCE = 1e-4

_POOLS = ("linear", "log")


class KLBlender(LabelsAndScores, ClassifierMixin, BaseEstimator):
    r"""Pool of models: the weights that minimise the KL divergence.

    A linear pool is ``sum_m w_m p_m`` with weights that are not negative and sum to
    one. A logarithmic pool is the softmax of ``sum_m w_m log p_m``, a weighted
    geometric mean. Either can be followed by a temperature and a bias for each class.
    The divergence to the votes is convex in all of them, so there is one best value;
    it is found by Newton steps with exact derivatives, and a bound on the distance to
    it is reported.

    Parameters
    ----------
    pool : {"linear", "log"} or tuple of them, default="linear"
        What is pooled, probabilities or their logarithms. A tuple fits each of its
        pools and averages their probabilities by `pool_weights`.
    bias : bool, default=False
        Whether to fit a bias for each class, added to the logarithms of the pooled
        probabilities: what the models' prior lacks to that of the votes.
    temperature : "auto" or bool, default="auto"
        Whether to fit the temperature of the pool. In a linear pool it follows the
        mixing. In a logarithmic pool, where it is one over the sum of the weights,
        False keeps that sum at one. "auto" is False for a linear pool and True for a
        logarithmic one.
    per_class : bool, default=False
        Whether every class has weights of its own, drawn by `alpha` to those that all
        classes share.
    nonnegative : bool, default=False
        Whether the weights of a logarithmic pool must not be negative. Those of a
        linear pool never are.
    penalty : {"l2", "l1"}, default="l2"
        Measure of how far the weights are from where `shrink_to` draws them: half the
        sum of squares, or the sum of distances, which leaves some weights exactly
        there. Biases and the temperature of a linear pool are always drawn to zero
        and one by squares.
    shrink_to : {"uniform", "zero"}, default="uniform"
        Where the penalty draws the weights: to equal ones, or, in a logarithmic pool,
        to none. On the simplex the sum of the weights is one: distances from zero are
        constant there and squares the same as those from uniform weights. For few
        models in a linear pool set `max_models`.
    alpha : float or "cv", default=0.0
        Strength of the penalty, in nat per unit. "cv" chooses it among `alphas`
        by cross-validation inside of ``fit``, with groups kept whole.
    alphas : sequence of float, optional
        Strengths that ``alpha="cv"`` tries; none and two for each power of ten from
        0.001 to 1 without it.
    cv : None, int, splitter or iterable of (train, test), default=None
        Folds of ``alpha="cv"``, see
        :func:`hmsklearn.model_selection.oof_predict_proba`.
    group_balance : float, default=0.0
        How much the rows of large groups count less in the fit: every row counts
        ``n_rows_of_its_group ** -group_balance``. With 0 all rows count alike, with 1
        all groups. Weights that are found on few patients with hundreds of rows are
        those patients' weights; 0.5 is a good choice for HMS.
    max_models : int, optional
        Largest number of models with weight. Models are dropped one after the other,
        always the one with the least weight, and the others fitted again.
    clip : float, default=1e-7
        Smaller probabilities count as this wherever logarithms are pooled, so that a
        zero does not veto all other models. Linear pools clip at 1e-15 as the metric.
    pool_weights : sequence of float, optional
        Weights of several pools; equal ones without it.
    solver : str, default="newton"
        "newton" is exact. For comparison and for habits: "l-bfgs-b", "nelder-mead",
        "optuna" (sampling that learns, needs the extra of that name), "greedy" (forward
        selection with replacement) and "linear-net" (stochastic gradient descent on
        a logarithmic pool with biases). `gap_` tells how much they left.
    solver_params : dict, optional
        Further arguments of these: ``max_iter`` and ``tol`` of "l-bfgs-b" and
        "nelder-mead", ``n_trials`` of "optuna", ``n_steps``, ``max_models``,
        ``n_bags`` of "greedy", ``n_epochs``, ``lr``, ``l1`` and more of "linear-net".
    random_state : int, RandomState instance or None, default=None
        For the solvers that draw; the exact one does not.
    classes : "hms", "infer", None or sequence of labels, default="hms"
        Labels in the order of the probabilities' last axis, see
        :func:`hmsklearn.votes.resolve_classes`.
    tol : float, default=1e-8
        Relative accuracy: stop when the certified distance of the objective to its
        optimum is at most `tol` times the objective (or 1e-12 nat, which is
        rounding).
    max_iter : int, default=100
        Largest number of Newton steps; three to five are typical.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,) or (n_models, n_classes)
        Weight of each model, with `per_class` in each class. Of several pools only
        where all have weights on the simplex: their mean.
    bias_ : ndarray of shape (n_classes,)
        Bias of each class, their mean being zero; zeros without `bias`. Of a single
        pool only.
    temperature_ : float
        Temperature of the pool; one where it was not fitted. Of a single pool only.
    pools_ : list of FittedPool
        The pools with all that belongs to them.
    alpha_ : float or list of float
        Strength of the penalty, of each pool where there are several.
    cv_results_ : dict of str to ndarray
        With ``alpha="cv"``: ``alpha``, ``kl`` on all held-out rows and on those of
        each fold, a row for each strength; a list of such where there are several
        pools. Made for ``pandas.DataFrame(blender.cv_results_)``.
    gap_ : float
        Certificate in nat: the objective that was reached is at most this far above
        the smallest possible. Where temperature and biases follow a linear pool they
        are a second problem, with the weights given, and this is the sum of both
        certificates. NaN for a linear pool with weights by class, which is not
        convex. The largest of several pools.
    kkt_residual_ : float
        Largest violation of the optimality conditions; zero at the optimum only.
    objective_ : float
        Divergence on the training rows, weighted as in the fit, and penalty. A list
        for several pools.
    kl_ : float
        The divergence on the training rows, weighted by `sample_weight` alone.
    n_iter_ : int
        Newton steps taken, or those of the solver.
    classes_ : ndarray of shape (n_classes,)
        Class labels in column order.
    n_features_in_ : int
        Number of models.

    See Also
    --------
    StackingKLClassifier : Makes the out-of-fold probabilities and blends them.
    GroupContextBlender : Adds what the other rows of a patient tell.

    Notes
    -----
    `X` has shape (n, n_models, n_classes): out-of-fold probabilities, float32 or
    float64, without NaN. They are clipped to [1e-15, 1 - 1e-15] as in the
    competition's metric, so that a model which gives zero to a class that was voted
    for costs much instead of everything. float64 is used throughout the fit; only
    curvatures are summed in float32, which changes the way to the optimum and not the
    optimum.

    The certificates do not trust the solver. For a linear pool the tangent of the
    divergence is a lower bound of it everywhere, and its smallest value under the
    penalty is known in closed form. For a logarithmic pool any distributions r of
    the rows bound the divergence from below by their entropy, if their mean
    log-probabilities agree with those of the votes; those that the last Newton step
    leads to are used. Where nothing holds its weights back, what rounding leaves of
    that agreement is charged as if the optimum were no further away than the weights
    are large. Without temperature and biases the certificate of a linear pool without
    penalty is Jensen's inequality: no weights do better than those at hand by more than
    :math:`\log \max_m \sum_i q_i p_{mi} / (P w)_i`.

    Where models are copies of each other, the best weights are not unique; the
    divergence and the certificate are. Logarithmic pools share weight equally among
    copies.

    Without penalty a linear pool is never worse, on the rows of the fit, than its best
    member or their mean; a logarithmic pool never worse than its best member (clipped)
    or their geometric mean.

    References
    ----------
    The blends of most top solutions of HMS are linear pools, with weights found by
    hand, Nelder-Mead or Optuna (4th, discussion 492240; 5th, 492652; 10th, 492207);
    the 3rd place (492471) pools logits with class biases by a small net, the 9th
    (492429) selects models by L-BFGS-B. For the solver see Kim, Carbonetto, Stephens
    and Anitescu, "A fast algorithm for maximum likelihood estimation of mixture
    proportions using sequential quadratic programming" (2020); for pools Genest and
    Zidek, "Combining probability distributions" (1986); for temperatures Guo, Pleiss,
    Sun and Weinberger, "On calibration of modern neural networks" (2017).

    Examples
    --------
    >>> import numpy as np
    >>> good = np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    >>> poor = np.array([[0.5, 0.5], [0.1, 0.9], [0.2, 0.8]])
    >>> votes = np.array([[8, 2], [2, 8], [5, 5]])
    >>> X = np.stack([good, poor], axis=1)
    >>> blender = KLBlender(classes="infer").fit(X, votes)
    >>> blender.weights_.round(3).tolist()
    [0.799, 0.201]
    >>> blender.gap_ < 1e-8 * blender.kl_
    True

    A logarithmic pool with biases, drawn to equal weights:

    >>> blender = KLBlender("log", bias=True, alpha=0.1, classes="infer").fit(X, votes)
    >>> blender.weights_.round(3).tolist(), blender.bias_.round(3).tolist()
    ([0.685, 0.464], [0.136, -0.136])
    """

    # A blender asks for the weights and groups of the rows wherever metadata is routed.
    __metadata_request__fit = {"sample_weight": True, "groups": True}

    def __init__(
        self,
        pool: str | tuple[str, ...] = "linear",
        *,
        bias: bool = False,
        temperature: str | bool = "auto",
        per_class: bool = False,
        nonnegative: bool = False,
        penalty: str = "l2",
        shrink_to: str = "uniform",
        alpha: float | str = 0.0,
        alphas: Sequence[float] | None = None,
        cv: Any = None,
        group_balance: float = 0.0,
        max_models: int | None = None,
        clip: float = 1e-7,
        pool_weights: Sequence[float] | None = None,
        solver: str = "newton",
        solver_params: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        classes: str | Sequence[Any] | None = "hms",
        tol: float = 1e-8,
        max_iter: int = 100,
    ) -> None:
        self.pool = pool
        self.bias = bias
        self.temperature = temperature
        self.per_class = per_class
        self.nonnegative = nonnegative
        self.penalty = penalty
        self.shrink_to = shrink_to
        self.alpha = alpha
        self.alphas = alphas
        self.cv = cv
        self.group_balance = group_balance
        self.max_models = max_models
        self.clip = clip
        self.pool_weights = pool_weights
        self.solver = solver
        self.solver_params = solver_params
        self.random_state = random_state
        self.classes = classes
        self.tol = tol
        self.max_iter = max_iter

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> KLBlender:
        """Find the weights.

        Parameters
        ----------
        X : array-like of shape (n, n_models, n_classes)
            Out-of-fold probabilities of the models.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels, see :func:`hmsklearn.votes.check_votes`.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.
        groups : array-like of shape (n,), optional
            Group of each row, usually the patient: kept whole by the folds of
            ``alpha="cv"``, and what `group_balance` counts. Nothing else uses them.

        Returns
        -------
        self : KLBlender
            The fitted blender.

        Raises
        ------
        ValueError
            If `X` holds anything but probabilities (the message names row and
            model), if `y` or the weights are not usable, or if parameters do not go
            together.

        Warns
        -----
        ConvergenceWarning
            If the certificate is not as small as `tol` asks for (exact solver).
        """
        name = type(self).__name__
        refuse_encoded_votes(name, classes=self.classes)
        kinds = self._check_parameters()
        prob = check_member_probabilities(X, name)
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
        groups = check_groups(groups, prob.shape[0], caller=name)
        fit_weight = self._balanced(weight, groups)

        for stale in ("weights_", "bias_", "temperature_", "cv_results_"):
            self.__dict__.pop(stale, None)
        data = PoolData(prob, votes.fractions, fit_weight, self.clip)
        splits = None
        if self.alpha == "cv":
            splits = resolve_splits(self.cv, prob, votes.fractions, groups, caller=name)
        pools, chosen = [], []
        for kind in kinds:
            settings = self._settings(kind)
            if splits is not None:
                choice = choose_alpha(
                    prob,
                    votes.fractions,
                    fit_weight,
                    weight,
                    settings,
                    ALPHAS if self.alphas is None else self.alphas,
                    splits,
                )
                chosen.append(choice)
                settings = self._settings(kind, choice.alpha)
            pools.append(self._fit_one(data, settings))
        self.classes_ = classes
        self.n_features_in_ = prob.shape[1]
        self._set_pools(pools, [choice.table() for choice in chosen])
        self.alpha_ = _single(
            [choice.alpha for choice in chosen]
            if chosen
            else [float(self.alpha)] * len(kinds)
        )
        fitted = self._blend.mean([data.proba(pool) for pool in pools])
        self.kl_ = kl_divergence(votes.fractions, fitted, sample_weight=weight)
        self._warn_if_not_converged()
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
            The blend, float64; rows sum to one (those of a linear pool as exactly
            as the models' rows do).

        Raises
        ------
        ValueError
            If `X` does not hold probabilities of as many models and classes as in
            ``fit``.
        """
        check_is_fitted(self)
        name = type(self).__name__
        prob = check_member_probabilities(X, name)
        expected = (self.n_features_in_, self.classes_.size)
        if prob.shape[1:] != expected:
            raise ValueError(
                f"{name}: X has {prob.shape[1]} models and {prob.shape[2]} classes, "
                f"but {name} is expecting {expected[0]} models and {expected[1]} "
                "classes as input."
            )
        return self._blend.proba(prob)

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
        return self._label(X)

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
        return self._negative_kl(X, y, sample_weight)

    @property
    def _blend(self) -> MeanOfPools:
        return MeanOfPools(self.pools_, self._pool_weights(len(self.pools_)))

    def _fit_one(self, data: PoolData, settings: PoolSettings) -> FittedPool:
        def fit(part: PoolData) -> FittedPool:
            return search_pool(
                part, settings, self.solver, self.solver_params or {}, self.random_state
            )

        if self.max_models is None:
            return fit(data)
        return fit_few_models(data, fit, self.max_models)

    def _set_pools(
        self, pools: list[FittedPool], tables: list[dict[str, np.ndarray]]
    ) -> None:
        self.pools_ = pools
        if tables:
            self.cv_results_ = _single(tables)
        if len(pools) == 1:
            self.weights_ = pools[0].weights
            self.bias_ = pools[0].bias
            self.temperature_ = pools[0].temperature
        elif all(pool.weights.ndim == 1 for pool in pools):
            simplex = all(
                abs(pool.weights.sum() - 1.0) < 1e-9 and pool.weights.min() >= 0
                for pool in pools
            )
            if simplex:
                parts = np.stack([pool.weights for pool in pools])
                self.weights_ = self._pool_weights(len(pools)) @ parts
        self.gap_ = float(np.max([pool.gap for pool in pools]))
        self.kkt_residual_ = float(max(pool.kkt_residual for pool in pools))
        self.objective_ = _single([pool.value for pool in pools])
        self.n_iter_ = int(sum(pool.n_iter for pool in pools))

    def _warn_if_not_converged(self) -> None:
        if self.solver != "newton" or all(pool.converged for pool in self.pools_):
            return
        name = type(self).__name__
        worst = max(self.pools_, key=lambda pool: not pool.converged)
        warnings.warn(
            f"{name}: after {self.n_iter_} Newton steps the objective "
            f"{worst.value:.6g} is certified to {worst.gap:.2g} nat only, tol="
            f"{self.tol:g} asks for {self.tol * worst.value:.2g}. Raise max_iter or "
            "tol.",
            ConvergenceWarning,
            stacklevel=3,
        )

    def _settings(self, kind: str, alpha: float | None = None) -> PoolSettings:
        if alpha is None:
            alpha = 0.0 if self.alpha == "cv" else float(self.alpha)
        temperature = self.temperature
        if isinstance(temperature, str):
            temperature = kind == "log"
        return PoolSettings(
            kind=kind,
            bias=bool(self.bias),
            temperature=bool(temperature),
            per_class=bool(self.per_class),
            nonnegative=bool(self.nonnegative),
            penalty=self.penalty,
            shrink_to=self.shrink_to,
            alpha=alpha,
            clip=self.clip,
            tol=self.tol,
            max_iter=self.max_iter,
        )

    def _balanced(
        self, weight: np.ndarray | None, groups: np.ndarray | None
    ) -> np.ndarray | None:
        """Weigh the rows of large groups down."""
        if self.group_balance == 0:
            return weight
        if groups is None:
            raise ValueError(
                f"{type(self).__name__}: group_balance={self.group_balance!r} needs "
                "the group of each row. Give groups to fit, or set group_balance=0."
            )
        return balanced_weight(groups, self.group_balance, weight)

    def _pool_weights(self, n_pools: int) -> np.ndarray:
        if self.pool_weights is None:
            return np.full(n_pools, 1.0 / n_pools)
        weights = np.asarray(self.pool_weights, dtype=np.float64)
        return weights / weights.sum()

    def _check_parameters(self) -> tuple[str, ...]:
        name = type(self).__name__
        if not self.tol > 0:
            raise ValueError(f"{name}: tol must be positive, got {self.tol!r}.")
        if not self.max_iter >= 1:
            raise ValueError(
                f"{name}: max_iter must be at least 1, got {self.max_iter!r}."
            )
        kinds = (self.pool,) if isinstance(self.pool, str) else tuple(self.pool)
        if not kinds or any(kind not in _POOLS for kind in kinds):
            raise ValueError(
                f"{name}: pool={self.pool!r} is not known. Give 'linear', 'log' or a "
                "tuple of them."
            )
        for parameter, allowed in (
            ("penalty", ("l2", "l1")),
            ("shrink_to", ("uniform", "zero")),
            ("temperature", ("auto", True, False)),
        ):
            if getattr(self, parameter) not in allowed:
                raise ValueError(
                    f"{name}: {parameter}={getattr(self, parameter)!r} is not known. "
                    f"Give one of {list(allowed)}."
                )
        if self.alpha != "cv" and (isinstance(self.alpha, str) or not self.alpha >= 0):
            raise ValueError(
                f"{name}: alpha={self.alpha!r} must be a number that is not negative, "
                "or 'cv'."
            )
        if self.alphas is not None and not (
            len(self.alphas) > 0 and np.all(np.asarray(self.alphas) >= 0)
        ):
            raise ValueError(
                f"{name}: alphas must hold one or more numbers that are not negative, "
                f"got {self.alphas!r}."
            )
        if not 0 <= self.group_balance <= 1:
            raise ValueError(
                f"{name}: group_balance={self.group_balance!r} is outside of [0, 1]."
            )
        if not 0 < self.clip < 0.1:
            raise ValueError(f"{name}: clip={self.clip!r} is outside of (0, 0.1).")
        if self.max_models is not None:
            check_integer(self.max_models, "max_models", caller=name, low=1)
        if self.pool_weights is not None:
            weights = np.asarray(self.pool_weights, dtype=np.float64)
            if weights.shape != (len(kinds),) or not (
                (weights >= 0).all() and weights.sum() > 0
            ):
                raise ValueError(
                    f"{name}: pool_weights={self.pool_weights!r} must be {len(kinds)} "
                    "numbers that are not negative, one for each pool."
                )
        for kind in kinds:
            self._check_form(kind, name)
        return kinds

    def _check_form(self, kind: str, name: str) -> None:
        penalised = self.alpha != 0.0
        form = (kind, self.penalty, self.shrink_to)
        if form == ("linear", "l1", "zero") and penalised:
            raise ValueError(
                f"{name}: the weights of a linear pool sum to one, so their distances "
                "from zero do too and penalty='l1' with shrink_to='zero' changes "
                "nothing. Set max_models for fewer models, or pool='log'."
            )
        if kind == "linear" and self.per_class and self.penalty == "l1" and penalised:
            raise ValueError(
                f"{name}: weights by class of a linear pool take penalty='l2' only."
            )
        if self.alpha == "cv" and self.solver != "newton":
            raise ValueError(
                f"{name}: alpha='cv' needs solver='newton', got {self.solver!r}."
            )
        alpha = 1.0 if penalised else 0.0
        check_solver(self.solver, self._settings(kind, alpha), name)
        if self.solver == "newton" and self.solver_params:
            raise ValueError(
                f"{name}: solver='newton' takes no solver_params, got "
                f"{dict(self.solver_params)}. Set tol and max_iter."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


def check_member_probabilities(X: Any, name: str) -> np.ndarray:
    """Check the probabilities of several models.

    Parameters
    ----------
    X : array-like of shape (n, n_models, n_classes)
        The probabilities.
    name : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n, n_models, n_classes)
        The probabilities, float32 or float64.

    Raises
    ------
    ValueError
        For anything else; the message names row and model.

    Examples
    --------
    >>> check_member_probabilities([[[0.2, 0.8]]], "doctest").shape
    (1, 1, 2)
    """
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


def _single(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items
