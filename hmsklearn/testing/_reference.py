"""A small, exact classifier of windows: a partner for tests and a first baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from hmsklearn._base import check_windows
from hmsklearn.metrics import kl_divergence
from hmsklearn.votes import check_votes, refuse_encoded_votes, resolve_classes

__all__ = ["ChannelPowerClassifier"]


class ChannelPowerClassifier(ClassifierMixin, BaseEstimator):
    """Softmax regression on the mean and the log power of each channel.

    Fitted in milliseconds to the optimum, without randomness: where a test needs
    some classifier of windows, this is it, and a network that does not beat it has
    learned nothing from the shape of the waves.

    Parameters
    ----------
    alpha : float, default=1e-3
        Weight of the squared coefficients in the loss.
    classes : "hms", "infer" or sequence of labels, default="hms"
        Class labels in column order, see :func:`hmsklearn.votes.resolve_classes`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels in the order of the columns of ``predict_proba``.
    coef_ : ndarray of shape (n_classes, 2 * n_channels)
        Coefficients of the standardised features: means, then log powers.
    intercept_ : ndarray of shape (n_classes,)
        Intercepts.
    mean_, scale_ : ndarray of shape (2 * n_channels,)
        What the features are standardised with.
    n_features_in_ : int
        Number of channels or planes.

    Notes
    -----
    `X` is (n_windows, n_channels, n_times) or (n_windows, n_planes, height, width);
    NaN is refused. The loss is the mean KL divergence to the vote fractions.

    Examples
    --------
    >>> from hmsklearn.testing import ChannelPowerClassifier, make_check_data
    >>> data = make_check_data("windows", n_windows=60)
    >>> clf = ChannelPowerClassifier().fit(data.X, data.votes)
    >>> clf.predict_proba(data.X[:2]).shape
    (2, 6)
    >>> clf.score(data.X, data.votes) > -0.75  # the mean vote reaches -1.5
    True
    """

    def __init__(
        self, *, alpha: float = 1e-3, classes: str | Sequence[Any] = "hms"
    ) -> None:
        self.alpha = alpha
        self.classes = classes

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ChannelPowerClassifier:
        """Fit the coefficients.

        Parameters
        ----------
        X : array-like of shape (n_windows, n_channels, n_times)
            Windows in microvolt, or images.
        y : array-like
            Votes, see :func:`hmsklearn.votes.check_votes`.
        sample_weight : array-like of shape (n_windows,), optional
            Weight of each window.

        Returns
        -------
        self : object
            The classifier.

        Raises
        ------
        ValueError
            If `X`, `y` or the weights are not usable.
        """
        name = type(self).__name__
        refuse_encoded_votes(name, classes=self.classes)
        X = check_windows(X, caller=name, ndim=(3, 4))
        truth = check_votes(
            y, classes=self.classes, n_windows=len(X), caller=name
        ).fractions
        weight = _check_weight(sample_weight, len(X), name)
        self.classes_ = resolve_classes(self.classes, y, caller=name)
        features = _features(X)
        self.mean_ = np.average(features, axis=0, weights=weight)
        spread = np.average((features - self.mean_) ** 2, axis=0, weights=weight)
        # The rounding of a constant feature is not a scale.
        self.scale_ = np.where(spread > 1e-12, np.sqrt(spread), 1.0)
        features = (features - self.mean_) / self.scale_
        features = np.column_stack([features, np.ones(len(features))])
        shape = (truth.shape[1], features.shape[1])
        weight = weight / weight.sum()

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            coef = flat.reshape(shape)
            log_p = log_softmax(features @ coef.T, axis=1)
            value = -np.sum(weight[:, None] * truth * log_p)
            slope = (weight[:, None] * (np.exp(log_p) - truth)).T @ features
            penalty = coef.copy()
            penalty[:, -1] = 0.0
            value += 0.5 * self.alpha * np.sum(penalty**2)
            return value, (slope + self.alpha * penalty).ravel()

        options = {"gtol": 1e-8, "ftol": 1e-14, "maxiter": 1000}
        found = minimize(
            loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options=options
        )
        self.coef_ = found.x.reshape(shape)[:, :-1].copy()
        self.intercept_ = found.x.reshape(shape)[:, -1].copy()
        self.n_features_in_ = X.shape[1]
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the distribution of votes.

        Parameters
        ----------
        X : array-like of shape (n_windows, n_channels, n_times)
            Windows in microvolt, or images.

        Returns
        -------
        ndarray of shape (n_windows, n_classes)
            Rows that sum to one.
        """
        check_is_fitted(self)
        X = check_windows(
            X,
            caller=type(self).__name__,
            ndim=(3, 4),
            n_channels=self.n_features_in_,
        )
        features = (_features(X) - self.mean_) / self.scale_
        return softmax(features @ self.coef_.T + self.intercept_, axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_windows, n_channels, n_times)
            Windows in microvolt, or images.

        Returns
        -------
        ndarray of shape (n_windows,)
            Labels out of ``classes_``.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Negative KL divergence to the votes; greater is better.

        Parameters
        ----------
        X : array-like of shape (n_windows, n_channels, n_times)
            Windows in microvolt, or images.
        y : array-like
            Votes.
        sample_weight : array-like of shape (n_windows,), optional
            Weight of each window.

        Returns
        -------
        float
            The score.
        """
        proba = self.predict_proba(X)
        divergence = kl_divergence(
            y, proba, sample_weight=sample_weight, classes=self.classes_
        )
        return -float(divergence)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        return tags


def _features(X: np.ndarray) -> np.ndarray:
    flat = X.reshape(*X.shape[:2], -1)
    mean = flat.mean(axis=2, dtype=np.float64)
    power = np.einsum("nct,nct->nc", flat, flat, dtype=np.float64) / flat.shape[2]
    return np.hstack([mean, np.log1p(power)])


def _check_weight(sample_weight: Any, n_windows: int, name: str) -> np.ndarray:
    if sample_weight is None:
        return np.ones(n_windows)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_windows,):
        raise ValueError(
            f"{name}: sample_weight has shape {weight.shape}, expected ({n_windows},)."
        )
    if not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise ValueError(
            f"{name}: sample_weight must be finite, not negative and not all zero."
        )
    return weight
