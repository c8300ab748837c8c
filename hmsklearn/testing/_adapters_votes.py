"""An adapter for classifiers that tell rows by how many experts have rated them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmsklearn.testing._adapters import WindowAdapter

__all__ = ["RatedWindowAdapter"]


class RatedWindowAdapter(WindowAdapter):
    """A :class:`WindowAdapter` whose rows have numbers of votes and patients.

    Each row of the table has 12 votes or 3 for its label, and a patient of its own,
    both by its numbers alone, so that copies of a row are rated alike.

    Parameters
    ----------
    estimator : estimator instance, default=None
        What to run; its ``fit`` takes `sample_weight`, `total_votes` and `groups`. It
        is cloned.
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
    WindowAdapter : For estimators to which all rows are alike.

    Examples
    --------
    >>> from hmsklearn.semi_supervised import PseudoLabelClassifier
    >>> from hmsklearn.testing import ChannelPowerClassifier, RatedWindowAdapter
    >>> inner = PseudoLabelClassifier(
    ...     ChannelPowerClassifier(classes="infer"), classes="infer", teacher_cv="all"
    ... )
    >>> X = np.repeat([[0.0, 0.1], [1.0, 0.1]], 8, axis=0) + np.arange(16)[:, None] / 70
    >>> y = np.repeat(["a", "b"], 8)
    >>> adapter = RatedWindowAdapter(inner, shape=(2, 50)).fit(X, y)
    >>> float((adapter.predict(X) == y).mean())
    1.0
    """

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Fit the estimator on windows, with weights, numbers of votes and patients.

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
        table = np.nan_to_num(np.asarray(self._table(X, reset=True), dtype=np.float64))
        total = np.clip(table, -1e6, 1e6) @ np.arange(1, table.shape[1] + 1)
        # Rounded, so that float32 is rated as float64 is.
        few = np.round(total * 100) % 3 == 0
        return self._fit(
            X,
            y,
            sample_weight=sample_weight,
            total_votes=np.where(few, 3.0, 12.0),
            groups=np.unique(table, axis=0, return_inverse=True)[1].ravel(),
        )
