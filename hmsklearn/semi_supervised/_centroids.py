"""Pseudo-labels by the nearest class centroid in feature space."""

from __future__ import annotations

import numpy as np

from hmsklearn._params import check_choice

__all__ = ["centroid_labels"]


def centroid_labels(
    features: np.ndarray, proba: np.ndarray, *, kind: str = "soft"
) -> tuple[np.ndarray, np.ndarray]:
    """Label windows by the class centroids of their features.

    Parameters
    ----------
    features : ndarray of shape (n_windows, n_features)
        What enters the head of a net.
    proba : ndarray of shape (n_windows, n_classes)
        What the head makes of it.
    kind : {"soft", "hard"}, default="soft"
        ``"hard"`` gives the class of the nearest centroid. ``"soft"`` gives the mean
        prediction of all windows that are nearest to the same centroid: it says how
        far such windows are disputed.

    Returns
    -------
    targets : ndarray of shape (n_windows, n_classes)
        Pseudo-labels; rows sum to one.
    nearest : ndarray of shape (n_windows,), int
        Number of the class whose centroid is nearest.

    Notes
    -----
    Centroids are first means weighted by the predictions, then, once, the plain means
    of the windows next to them. Distances are by cosine. A class that is the most
    probable one of no window has no centroid.

    References
    ----------
    J. Liang, D. Hu and J. Feng (2020), Do we really need to access the source data?
    Source hypothesis transfer for unsupervised domain adaptation, ICML.

    Examples
    --------
    >>> features = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    >>> proba = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    >>> targets, nearest = centroid_labels(features, proba, kind="hard")
    >>> nearest.tolist()  # the second window looks like the first one
    [0, 0, 1]
    >>> centroid_labels(features, proba)[0].round(2).tolist()
    [[0.65, 0.35], [0.65, 0.35], [0.2, 0.8]]
    """
    check_choice(kind, "centroid_labels", ("soft", "hard"), caller="centroid_labels")
    features = _unit(np.asarray(features, dtype=np.float64))
    proba = np.asarray(proba, dtype=np.float64)
    n_classes = proba.shape[1]
    present = np.flatnonzero(np.bincount(proba.argmax(axis=1), minlength=n_classes))
    nearest = present[_nearest(features, proba[:, present].T @ features)]
    own = np.eye(n_classes)[nearest]
    present = np.flatnonzero(own.any(axis=0))
    nearest = present[_nearest(features, own[:, present].T @ features)]
    own = np.eye(n_classes)[nearest]
    if kind == "hard":
        return own, nearest
    count = np.maximum(own.sum(axis=0), 1.0)
    means = (own.T @ proba) / count[:, None]
    targets = means[nearest]
    return targets / targets.sum(axis=1, keepdims=True), nearest


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)


def _nearest(features: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    # A mean and a sum point the same way, and cosine does not look at lengths.
    return (features @ _unit(centroids).T).argmax(axis=1)
