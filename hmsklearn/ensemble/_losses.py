"""The KL divergence of a linear and of a logarithmic pool, as convex losses.

A linear pool mixes probabilities and is convex in its weights. A logarithmic pool
mixes log-probabilities, with a bias for each class, and is a softmax regression with
few parameters: convex in weights and biases.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["LinearPoolLoss", "LogPoolLoss", "centred_logs"]

# Rows whose curvature is summed up at a time, so that they stay in cache.
_CHUNK_ELEMENTS = 131_072

# Curvatures of fewer log-probabilities than these are summed in float64: it is quick.
_SMALL = 1_000_000


class _LinearPoint(NamedTuple):
    x: np.ndarray
    value: float
    gradient: np.ndarray
    pooled: np.ndarray


class LinearPoolLoss:
    """Divergence of ``x @ prob``.

    Parameters
    ----------
    prob : ndarray of shape (n_models, n_entries)
        Probability that each model gives to each entry that was voted for, over the
        voted fraction; positive.
    share : ndarray of shape (n_entries,)
        Share of all the votes in each entry; positive, summing to one.

    Examples
    --------
    >>> loss = LinearPoolLoss(np.array([[0.8, 0.2], [0.2, 0.8]]), np.array([0.5, 0.5]))
    >>> round(loss.value(np.array([0.5, 0.5])), 4)
    0.6931
    """

    def __init__(self, prob: np.ndarray, share: np.ndarray) -> None:
        self.prob = prob
        self.share = share

    def value(self, x: np.ndarray) -> float:
        """Return the divergence."""
        return -float(self.share @ np.log(x @ self.prob))

    def at(self, x: np.ndarray) -> _LinearPoint:
        """Return value and gradient."""
        pooled = x @ self.prob
        value = -float(self.share @ np.log(pooled))
        return _LinearPoint(x, value, -(self.prob @ (self.share / pooled)), pooled)

    def hessian(self, point: _LinearPoint, *, precise: bool = False) -> np.ndarray:
        """Return the second derivatives."""
        scaled = self.prob * (np.sqrt(self.share) / point.pooled)
        return scaled @ scaled.T

    def tangent(
        self, point: _LinearPoint, step: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Return the tangent at the point itself, which every step leads close to."""
        return point.value - float(point.gradient @ point.x), point.gradient


class _LogPoint(NamedTuple):
    x: np.ndarray
    value: float
    gradient: np.ndarray
    proba: np.ndarray


class LogPoolLoss:
    """Divergence of the softmax of weighted log-probabilities plus biases.

    The parameters are the weights, model by model (and within a model class by class
    where every class has its own), then the biases where there are any.

    Parameters
    ----------
    logs : ndarray of shape (n_models, n_rows, n_classes)
        Log-probabilities, see :func:`centred_logs`.
    fractions : ndarray of shape (n_rows, n_classes)
        Vote fractions.
    share : ndarray of shape (n_rows,)
        Weights of the rows, summing to one.
    bias : bool
        Whether there is a bias for each class.
    per_class : bool, default=False
        Whether every class has weights of its own.

    Examples
    --------
    >>> logs = centred_logs(np.array([[[0.8, 0.2], [0.5, 0.5]]]), 1e-15)
    >>> loss = LogPoolLoss(logs, np.array([[0.8, 0.2]]), np.ones(1), bias=False)
    >>> loss.n_params, float(loss.proba(np.array([1.0, 0.0]))[0, 0].round(6))
    (2, 0.8)
    """

    def __init__(
        self,
        logs: np.ndarray,
        fractions: np.ndarray,
        share: np.ndarray,
        *,
        bias: bool,
        per_class: bool = False,
    ) -> None:
        self.logs = logs
        self.fractions = fractions
        self.share = share
        self.bias = bias
        self.per_class = per_class
        self.n_models, self.n_rows, self.n_classes = logs.shape
        self.n_weights = self.n_models * (self.n_classes if per_class else 1)
        self.n_params = self.n_weights + (self.n_classes if bias else 0)
        self._flat = logs.reshape(self.n_models, -1)
        voted = fractions > 0
        entropies = np.zeros_like(fractions)
        entropies[voted] = fractions[voted] * np.log(fractions[voted])
        self._constant = float(share @ entropies.sum(axis=1))

    def part(self, stride: int) -> LogPoolLoss:
        """Return the loss of every so manieth row, to start from its optimum.

        Parameters
        ----------
        stride : int
            Distance of the rows that are kept.

        Returns
        -------
        LogPoolLoss
            With the same parameters.
        """
        share = self.share[::stride]
        return LogPoolLoss(
            np.ascontiguousarray(self.logs[:, ::stride]),
            self.fractions[::stride],
            share / share.sum(),
            bias=self.bias,
            per_class=self.per_class,
        )

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Return the pooled logits; linear in the parameters."""
        weights = x[: self.n_weights]
        if self.per_class:
            table = weights.reshape(self.n_models, self.n_classes)
            pooled = np.einsum("mnk,mk->nk", self.logs, table)
        else:
            pooled = (weights @ self._flat).reshape(self.n_rows, self.n_classes)
        return pooled + x[self.n_weights :] if self.bias else pooled

    def proba(self, x: np.ndarray) -> np.ndarray:
        """Return the pooled probabilities."""
        return _softmax(self.logits(x))[1]

    def value(self, x: np.ndarray) -> float:
        """Return the divergence."""
        return self._divergence(self.logits(x))[0]

    def at(self, x: np.ndarray) -> _LogPoint:
        """Return value and gradient."""
        value, proba = self._divergence(self.logits(x))
        return _LogPoint(x, value, self._slope(proba), proba)

    def hessian(self, point: _LogPoint, *, precise: bool = False) -> np.ndarray:
        """Return the second derivatives, of many rows in float32 unless precise."""
        precise = precise or self.logs.size < _SMALL
        dtype: Any = np.float64 if precise else np.float32
        n_models, n_rows, n_classes = self.logs.shape
        total = np.zeros((self.n_params, self.n_params))
        n_columns = self.n_params if self.per_class else n_models + n_classes
        chunk = max(1, _CHUNK_ELEMENTS // (n_columns * n_classes))
        identity = np.eye(n_classes, dtype=dtype)
        for first in range(0, n_rows, chunk):
            rows = slice(first, first + chunk)
            proba = point.proba[rows].astype(dtype)
            share = self.share[rows].astype(dtype)
            logs = self.logs[:, rows].astype(dtype)
            if self.per_class:
                parts = np.einsum("mnk,kj->mknj", logs, identity)
                parts = parts.reshape(self.n_weights, -1, n_classes)
            else:
                parts = logs
            if self.bias:
                ones = np.broadcast_to(
                    identity[:, None, :], (n_classes, proba.shape[0], n_classes)
                )
                parts = np.concatenate([parts, ones])
            mean = np.einsum("dnk,nk->dn", parts, proba)
            parts = parts - mean[:, :, None]
            parts *= np.sqrt(proba * share[:, None])
            flat = parts.reshape(self.n_params, -1)
            total += flat @ flat.T
        return total

    def tangent(self, point: _LogPoint, step: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the lower bound by the distributions that the step leads to.

        The logarithm of a sum of exponentials is at least ``r @ z`` plus the entropy
        of r, for any distribution r. With the first-order change of the
        probabilities along the step, the slope is what the quadratic model makes it.
        """
        moved = self.logits(step)
        moved -= (point.proba * moved).sum(axis=1, keepdims=True)
        # Far from the optimum first order leaves the simplex.
        reached = np.maximum(point.proba * (1.0 + moved), 0.0)
        reached /= reached.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(reached > 0, reached * np.log(reached), 0.0)
        entropy = -float(self.share @ terms.sum(axis=1))
        return entropy + self._constant, self._slope(reached)

    def _divergence(self, logits: np.ndarray) -> tuple[float, np.ndarray]:
        normaliser, proba = _softmax(logits)
        rows = normaliser - (self.fractions * logits).sum(axis=1)
        return float(self.share @ rows) + self._constant, proba

    def _slope(self, proba: np.ndarray) -> np.ndarray:
        excess = (proba - self.fractions) * self.share[:, None]
        if self.per_class:
            weights = np.einsum("mnk,nk->mk", self.logs, excess).ravel()
        else:
            weights = self._flat @ excess.ravel()
        return np.append(weights, excess.sum(axis=0)) if self.bias else weights


def centred_logs(prob: np.ndarray, clip: float) -> np.ndarray:
    """Take logarithms and subtract their mean over the classes.

    Parameters
    ----------
    prob : ndarray of shape (n_rows, n_models, n_classes)
        Probabilities.
    clip : float
        Smaller probabilities count as this.

    Returns
    -------
    ndarray of shape (n_models, n_rows, n_classes)
        Centred log-ratios, float64, contiguous model by model.

    Examples
    --------
    >>> centred_logs(np.array([[[0.5, 0.5]]]), 1e-15).tolist()
    [[[0.0, 0.0]]]
    """
    logs = np.empty((prob.shape[1], prob.shape[0], prob.shape[2]))
    mean = np.full((prob.shape[2], 1), 1.0 / prob.shape[2])
    for model in range(prob.shape[1]):
        part = np.maximum(prob[:, model], clip, out=logs[model], dtype=np.float64)
        np.log(part, out=part)
        part -= part @ mean
    return logs


def _softmax(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the logarithms of the normalisers and the probabilities."""
    largest = logits.max(axis=1)
    proba = np.exp(logits - largest[:, None])
    sums = proba.sum(axis=1)
    proba /= sums[:, None]
    return largest + np.log(sums), proba
