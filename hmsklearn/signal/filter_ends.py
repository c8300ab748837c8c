"""The two ends of a signal that is filtered forward and backward.

Padding and initial conditions are linear in the signal's first and last samples, so
they need no filtering of their own: two small matrices give the states there.
"""

from __future__ import annotations

import numpy as np

from hmsklearn.signal.realisation import Realisation, powers

__all__ = ["head_matrix", "right_end"]


def head_matrix(system: Realisation, padlen: int) -> np.ndarray:
    """Find the state before the first sample, after the padding.

    Parameters
    ----------
    system : Realisation
        Filter.
    padlen : int
        Samples by which the signal is continued to the left, point-symmetric to its
        first sample. The filter starts in the steady state of the outermost one.

    Returns
    -------
    ndarray of shape (padlen + 1, n)
        From the first samples to the state.

    Examples
    --------
    >>> half = Realisation(np.array([[0.5]]), np.ones(1), np.ones(1), 0.0)
    >>> head_matrix(half, 0)
    array([[2.]])
    """
    A, B, _, _ = system
    weights = powers(A, B, padlen)[::-1].copy()  # of the padding, outermost first
    matrix = np.zeros((padlen + 1, len(A)))
    if padlen == 0:
        matrix[0] = system.rest
        return matrix
    weights[0] += np.linalg.matrix_power(A, padlen) @ system.rest
    matrix[0] = 2 * weights.sum(axis=0)
    matrix[1:] = -weights[::-1]
    return matrix


def right_end(
    system: Realisation,
    cross: np.ndarray,
    drive: np.ndarray,
    tail: int,
    padlen: int,
    reach: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the state with which the backward filter arrives at the last sample.

    Parameters
    ----------
    system : Realisation
        Filter.
    cross : ndarray of shape (n, n)
        Its cross Gramian: what of the forward state is taken off the backward state.
    drive : ndarray of shape (n,)
        Input of the backward state that remains.
    tail : int
        Number of samples since the forward state.
    padlen : int
        Samples by which the signal is continued to the right. The backward filter
        starts in the steady state of the forward filter's output at the outermost one.
    reach : int
        Number of samples to use, at least `tail` and ``padlen + 1``.

    Returns
    -------
    of_signal : ndarray of shape (reach, n)
        From the last samples to the backward state.
    of_state : ndarray of shape (n, n)
        From the forward state `tail` samples before the end to the backward state.

    Examples
    --------
    >>> half = Realisation(np.array([[0.5]]), np.ones(1), np.ones(1), 0.0)
    >>> of_signal, of_state = right_end(half, np.eye(1), np.ones(1), 1, 0, 1)
    >>> of_signal, of_state
    (array([[-1.]]), array([[1.5]]))
    """
    A, B, C, D = system
    n = len(A)

    def padding(weights: np.ndarray) -> np.ndarray:
        """Weights of the padding, nearest first, as weights of the signal."""
        matrix = np.zeros((reach, *weights.shape[1:]))
        matrix[-1] = 2 * weights.sum(axis=0)
        matrix[reach - 1 - len(weights) : reach - 1] -= weights[::-1]
        return matrix

    def state_after(m: int) -> tuple[np.ndarray, np.ndarray]:
        """Forward state after `m` samples of tail and padding."""
        inside, outside = min(m, tail), max(m - tail, 0)
        matrix = np.zeros((reach, n))
        start = reach - tail
        matrix[start : start + inside] = powers(A, B, inside)[::-1]
        onward = np.linalg.matrix_power(A.T, outside)
        matrix = matrix @ onward + padding(powers(A, B, outside)[::-1])
        return matrix, np.linalg.matrix_power(A.T, inside) @ onward

    last = np.zeros(reach)
    last[-1] = 1.0
    if padlen:
        outermost = np.zeros(padlen)
        outermost[-1] = 1.0
        last = padding(outermost)
    outward = np.linalg.matrix_power(A.T, padlen)
    parts = []
    before = state_after(tail + padlen - 1)
    after = state_after(tail + padlen)
    for of, sample in ((0, last), (1, 0.0)):
        output = before[of] @ C + D * sample
        turned = np.outer(output, system.rest) - after[of] @ cross.T
        parts.append(turned @ outward)
    parts[0] += padding(powers(A, drive, padlen))
    return parts[0], parts[1]
