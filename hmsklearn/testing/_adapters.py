"""Adapters that let scikit-learn's own checks reach estimators of windows.

scikit-learn's checks bring tables of 20 to 300 rows and a few features, and skip an
estimator that says it does not take tables. An adapter takes the table, turns each
row into what the estimator wants, and hands the answer back. It checks nothing about
the numbers itself, so that what an error check sees is the estimator's own error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from hmsklearn.testing._helpers import joined

__all__ = ["BaseAdapter", "WeightedWindowAdapter", "WindowAdapter"]


def _inner_has(method: str) -> Callable[[Any], bool]:
    def check(self: Any) -> bool:
        return hasattr(self.estimator, method)

    return check


class BaseAdapter(BaseEstimator):
    """What the adapters share: validation of the table, delegation, tags."""

    estimator: Any

    def _hand_over(self, X: np.ndarray) -> Any:
        raise NotImplementedError

    def _learn(self, X: np.ndarray, y: Any, weight: Any) -> None:
        """Learn from the table what ``_hand_over`` needs."""

    def _table(self, X: Any, *, reset: bool) -> np.ndarray:
        return validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
        )

    def _fit(self, X: Any, y: Any, **kwargs: Any) -> Any:
        if self.estimator is None:
            raise ValueError(f"{type(self).__name__}: estimator is None. Give one.")
        X = self._table(X, reset=True)
        self._learn(X, y, kwargs.get("sample_weight"))
        self.estimator_ = clone(self.estimator).fit(self._hand_over(X), y, **kwargs)
        if hasattr(self.estimator_, "classes_"):
            self.classes_ = self.estimator_.classes_
        return self

    def _ask(self, method: str, X: Any, *args: Any) -> Any:
        if get_tags(self).requires_fit:
            check_is_fitted(self)
        inner = self.estimator_ if hasattr(self, "estimator_") else self.estimator
        X = self._hand_over(self._table(X, reset=False))
        return getattr(inner, method)(X, *args)

    def fit(self, X: Any, y: Any = None) -> Any:
        """Fit the estimator on what the table is turned into.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table.
        y : array-like, optional
            Target, passed on.

        Returns
        -------
        self : object
            The adapter.
        """
        return self._fit(X, y)

    @available_if(_inner_has("transform"))
    def transform(self, X: Any) -> np.ndarray:
        """Transform, and flatten each window of the output.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            The flattened output.
        """
        out = joined(self._ask("transform", X))
        return out.reshape(len(out), -1)

    @available_if(_inner_has("transform"))
    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit, then transform.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table.
        y : array-like, optional
            Target, passed on.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            The flattened output.
        """
        return self.fit(X, y).transform(X)

    @available_if(_inner_has("predict"))
    def predict(self, X: Any) -> np.ndarray:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table.

        Returns
        -------
        ndarray of shape (n_samples,)
            The labels.
        """
        return self._ask("predict", X)

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            The probabilities.
        """
        return self._ask("predict_proba", X)

    @available_if(_inner_has("score"))
    def score(self, X: Any, y: Any = None) -> float:
        """Score of the estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table.
        y : array-like, optional
            Target, passed on.

        Returns
        -------
        float
            The score.
        """
        return self._ask("score", X, y)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.estimator is None:
            return tags
        inner = get_tags(self.estimator)
        for name in (
            "estimator_type",
            "target_tags",
            "classifier_tags",
            "regressor_tags",
            "transformer_tags",
            "requires_fit",
            "non_deterministic",
        ):
            setattr(tags, name, getattr(inner, name))
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        tags.input_tags.positive_only = inner.input_tags.positive_only
        return tags


class WindowAdapter(BaseAdapter):
    """Run an estimator of windows or images on a table.

    Each row becomes one window of the given shape: a channel carries one feature (or
    the mean of several, where there are more features than channels) as the height
    of a fixed positive wave. Rows do not influence each other, classes that the
    features separate stay separable, NaN and infinity stay what they are, and
    float32 stays float32.

    Parameters
    ----------
    estimator : estimator instance, default=None
        What to run; required by ``fit``. It is cloned.
    shape : tuple of int, default=(4, 200)
        (n_channels, n_times) of a window or (n_planes, height, width) of an image.

    Attributes
    ----------
    estimator_ : estimator instance
        The fitted clone.
    classes_ : ndarray
        Classes of a fitted classifier.
    n_features_in_ : int
        Number of columns of the table.
    feature_names_in_ : ndarray of str
        Names of the columns, where the table has them.

    See Also
    --------
    WeightedWindowAdapter : For estimators whose ``fit`` takes `sample_weight`.
    check_signal_estimator : The checks on three axes.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.testing import ChannelPowerClassifier, WindowAdapter
    >>> X = np.array([[0.0, 1.0], [0.1, 0.9], [1.0, 0.0], [0.9, 0.1]])
    >>> inner = ChannelPowerClassifier(classes="infer")
    >>> WindowAdapter(inner, shape=(2, 50)).fit(X, [0, 0, 1, 1]).predict(X)
    array([0, 0, 1, 1])
    """

    def __init__(
        self, estimator: Any = None, *, shape: tuple[int, ...] = (4, 200)
    ) -> None:
        self.estimator = estimator
        self.shape = shape

    def _hand_over(self, X: np.ndarray) -> np.ndarray:
        n_channels, trailing = self.shape[0], self.shape[1:]
        n_features = X.shape[1]
        # Column by column, so that a row's numbers do not depend on the other rows
        # as they would, in the last bit, with a matrix product.
        heights = np.zeros((len(X), n_channels), dtype=X.dtype)
        with np.errstate(invalid="ignore", over="ignore"):
            shares = np.zeros(n_channels, dtype=X.dtype)
            for k in range(max(n_channels, n_features)):
                heights[:, k % n_channels] += X[:, k % n_features]
                shares[k % n_channels] += 1
            heights /= shares
            return heights.reshape(-1, n_channels, *[1] * len(trailing)) * _wave(
                n_channels, trailing
            ).astype(X.dtype)


class WeightedWindowAdapter(WindowAdapter):
    """A :class:`WindowAdapter` whose ``fit`` takes weights.

    scikit-learn looks at the signature of ``fit`` to decide whether weights are
    checked, hence a class of its own.

    Parameters
    ----------
    estimator : estimator instance, default=None
        What to run; required by ``fit``. It is cloned.
    shape : tuple of int, default=(4, 200)
        (n_channels, n_times) of a window or (n_planes, height, width) of an image.

    Attributes
    ----------
    estimator_ : estimator instance
        The fitted clone.
    classes_ : ndarray
        Classes of a fitted classifier.
    n_features_in_ : int
        Number of columns of the table.
    feature_names_in_ : ndarray of str
        Names of the columns, where the table has them.

    See Also
    --------
    WindowAdapter : For estimators without weights.

    Examples
    --------
    >>> from hmsklearn.testing import ChannelPowerClassifier, WeightedWindowAdapter
    >>> inner = ChannelPowerClassifier(classes="infer")
    >>> adapter = WeightedWindowAdapter(inner, shape=(2, 50))
    >>> X, y = [[0.0, 1.0], [1.0, 0.0]], ["a", "b"]
    >>> adapter.fit(X, y, sample_weight=[1.0, 2.0]).predict(X).tolist()
    ['a', 'b']
    """

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Fit the estimator on windows, with weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table.
        y : array-like, optional
            Target, passed on.
        sample_weight : array-like of shape (n_samples,), optional
            Weights, passed on.

        Returns
        -------
        self : object
            The adapter.
        """
        return self._fit(X, y, sample_weight=sample_weight)


def _wave(n_channels: int, trailing: tuple[int, ...]) -> np.ndarray:
    """Return fixed waves between 0.5 and 1.5, another one on every channel."""
    place = np.linspace(0.0, 1.0, int(np.prod(trailing)), endpoint=False)
    cycles = 2.0 + np.arange(n_channels)[:, None]
    return (1.0 + 0.5 * np.sin(2 * np.pi * cycles * place)).reshape(
        n_channels, *trailing
    )
