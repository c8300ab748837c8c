"""A fitted pool: how the probabilities of several models become one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hmsklearn.ensemble._losses import centred_logs
from hmsklearn.metrics import EPSILON

__all__ = ["FittedPool", "MeanOfPools"]


@dataclass(frozen=True)
class FittedPool:
    """Weights of the models and what follows the mixing.

    Attributes
    ----------
    kind : {"linear", "log"}
        Whether probabilities or log-probabilities are mixed.
    weights : ndarray of shape (n_models,) or (n_models, n_classes)
        Weights of the models, class by class where they differ.
    slope : float
        Factor of the log-probabilities after mixing: one over the temperature.
    bias : ndarray of shape (n_classes,)
        What is added to them.
    clip : float
        Smaller probabilities count as this wherever logarithms are taken.
    value : float
        Objective of the weights: divergence and penalty on the rows of the fit.
    gap : float
        How far above its optimum `value` is at most; NaN where nothing bounds it.
    kkt_residual : float
        Largest violation of the optimality conditions.
    n_iter : int
        Steps of the solver.
    converged : bool
        Whether the solver reached what was asked for.

    Examples
    --------
    >>> pool = FittedPool("linear", np.array([0.5, 0.5]), 1.0, np.zeros(2), 1e-7)
    >>> pool.proba(np.array([[[0.2, 0.8], [0.6, 0.4]]])).tolist()
    [[0.4, 0.6000000000000001]]
    """

    kind: str
    weights: np.ndarray
    slope: float
    bias: np.ndarray
    clip: float
    value: float = np.nan
    gap: float = np.nan
    kkt_residual: float = np.nan
    n_iter: int = 0
    converged: bool = True

    @property
    def temperature(self) -> float:
        """One over what the log-probabilities of agreeing models are multiplied by."""
        total = self.slope
        if self.kind == "log":
            total = float(self.weights.sum(axis=0).mean())
        return 1.0 / total if total != 0 else np.inf

    def mixed(self, prob: np.ndarray) -> np.ndarray:
        """Mix probabilities without slope and bias; linear pools only.

        Parameters
        ----------
        prob : ndarray of shape (n, n_models, n_classes)
            Probabilities of the models.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Their weighted mean.
        """
        if self.weights.ndim == 1:
            # Weights that sum to one up to rounding can lift a certain class above.
            return np.minimum(self.weights @ prob, 1.0)
        # Clipped as in the fit: a class whose weights are all zero may be the only one
        # that the models believe in, and their sum then has nothing to divide by.
        clipped = np.clip(prob, EPSILON, 1.0 - EPSILON, dtype=np.float64)
        mixed = np.einsum("nmk,mk->nk", clipped, self.weights)
        return mixed / mixed.sum(axis=1, keepdims=True)

    def proba(self, prob: np.ndarray) -> np.ndarray:
        """Blend probabilities.

        Parameters
        ----------
        prob : ndarray of shape (n, n_models, n_classes)
            Probabilities of the models.

        Returns
        -------
        ndarray of shape (n, n_classes)
            The blend, float64; rows sum to one.
        """
        if self.kind == "linear":
            mixed = self.mixed(prob)
            if self.slope == 1.0 and not self.bias.any():
                return mixed
            logits = self.slope * np.log(np.maximum(mixed, self.clip))
        else:
            return self.proba_of_logs(centred_logs(prob, self.clip))
        return _softmax(logits + self.bias)

    def proba_of_logs(self, logs: np.ndarray) -> np.ndarray:
        """Blend logarithms that exist already; logarithmic pools only.

        Parameters
        ----------
        logs : ndarray of shape (n_models, n, n_classes)
            What :func:`hmsklearn.ensemble._losses.centred_logs` gave.

        Returns
        -------
        ndarray of shape (n, n_classes)
            The blend, float64; rows sum to one.
        """
        if self.weights.ndim == 1:
            flat = self.weights @ logs.reshape(len(logs), -1)
            logits = flat.reshape(logs.shape[1:])
        else:
            logits = np.einsum("mnk,mk->nk", logs, self.weights)
        return _softmax(logits + self.bias)


def _softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits - logits.max(axis=1, keepdims=True)
    proba = np.exp(logits, out=logits)
    proba /= proba.sum(axis=1, keepdims=True)
    return proba


@dataclass(frozen=True)
class MeanOfPools:
    """The weighted mean of several pools' probabilities.

    Attributes
    ----------
    pools : list of FittedPool
        The pools.
    weights : ndarray of shape (n_pools,)
        Their weights, summing to one.

    Examples
    --------
    >>> first = FittedPool("linear", np.array([1.0, 0.0]), 1.0, np.zeros(2), 1e-7)
    >>> second = FittedPool("linear", np.array([0.0, 1.0]), 1.0, np.zeros(2), 1e-7)
    >>> mean = MeanOfPools([first, second], np.array([0.25, 0.75]))
    >>> mean.proba(np.array([[[1.0, 0.0], [0.0, 1.0]]])).tolist()
    [[0.25, 0.75]]
    """

    pools: list[FittedPool] = field(default_factory=list)
    weights: np.ndarray = field(default_factory=lambda: np.ones(1))

    def proba(self, prob: np.ndarray) -> np.ndarray:
        """Blend probabilities.

        Parameters
        ----------
        prob : ndarray of shape (n, n_models, n_classes)
            Probabilities of the models.

        Returns
        -------
        ndarray of shape (n, n_classes)
            The mean of the pools, float64; rows sum to one.
        """
        return self.mean([pool.proba(prob) for pool in self.pools])

    def mean(self, parts: list[np.ndarray]) -> np.ndarray:
        """Average what the pools gave.

        Parameters
        ----------
        parts : list of ndarray of shape (n, n_classes)
            Probabilities of each pool.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Their weighted mean.
        """
        if len(parts) == 1:
            return parts[0]
        total = sum(
            weight * part for weight, part in zip(self.weights, parts, strict=True)
        )
        return np.minimum(total, 1.0)
