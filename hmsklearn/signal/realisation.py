"""Recursive filters as state equations that stay exact in single precision.

Second-order sections keep their memory in numbers that nearly cancel: at a 0.1 Hz edge
they are thousands of times larger than the signal. The same filter has another set of
state variables, the outputs of a chain of all-pass lattices with the same poles, for
which the state matrix never lengthens a vector and the states of white noise are
uncorrelated and of its variance (input-normal). In them rounding stays rounding.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from hmsklearn.signal.lattice_taps import lattice_taps

__all__ = ["Realisation", "cross_gramian", "powers", "realise"]

# By then a state must have died away: an edge of 0.0005 Hz at 200 Hz.
_LONGEST = 2**23
_SILENCE = 1e-20


class Realisation(NamedTuple):
    """State equations ``s' = A s + B x``, ``y = C s + D x`` of a filter.

    Attributes
    ----------
    A : ndarray of shape (n, n)
        State matrix; ``A A' + B B'`` is the identity.
    B : ndarray of shape (n,)
        Input.
    C : ndarray of shape (n,)
        Output.
    D : float
        Direct path.

    Examples
    --------
    >>> half = Realisation(np.array([[0.5]]), np.array([0.75**0.5]), np.ones(1), 0.0)
    >>> half.rest.round(3)
    array([1.732])
    """

    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: float

    @property
    def rest(self) -> np.ndarray:
        """State that a constant input of one holds."""
        return np.linalg.solve(np.eye(len(self.A)) - self.A, self.B)


def powers(A: np.ndarray, v: np.ndarray, n: int) -> np.ndarray:
    """Stack ``v, A v, A A v, ...`` as rows.

    Parameters
    ----------
    A : ndarray of shape (m, m)
        Matrix.
    v : ndarray of shape (m,)
        Vector.
    n : int
        Number of rows, at least one.

    Returns
    -------
    ndarray of shape (n, m)
        Row ``k`` is the ``k``-th power of `A` times `v`.

    Examples
    --------
    >>> powers(np.diag([2.0]), np.ones(1), 4).ravel()
    array([1., 2., 4., 8.])
    """
    rows, step = v[None], A
    while len(rows) < n:
        rows = np.concatenate([rows, rows @ step.T])
        step = step @ step
    return rows[:n]


def _lattice(section: np.ndarray) -> np.ndarray:
    """All-pass with the poles of one section: orthogonal, [states; output] in rows."""
    _, a1, *others = section[1]
    if others:
        a2 = others[0]
        # Differences of numbers close to each other, so their sums must be exact.
        plus, minus = math.fsum((1, a2, a1)), math.fsum((1, a2, -a1))
        if not (abs(a2) < 1 and plus > 0 and minus > 0):
            raise ValueError("unstable")
        k1, c1 = a1 / (1 + a2), math.sqrt(plus * minus) / (1 + a2)
        k2, c2 = a2, math.sqrt((1 - a2) * (1 + a2))
        return np.array(
            [[-k1, -c1 * k2, c1 * c2], [c1, -k1 * k2, k1 * c2], [0.0, c2, k2]]
        )
    if not abs(a1) < 1:
        raise ValueError("unstable")
    c1 = math.sqrt((1 - a1) * (1 + a1))
    return np.array([[-a1, c1], [c1, a1]])


def _chain(lattices: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """State matrix and input of all-passes in a row."""
    if not lattices:  # a mere factor: a state that nothing is read from
        return np.zeros((1, 1)), np.ones(1)
    n = sum(len(lattice) - 1 for lattice in lattices)
    A, B = np.zeros((n, n)), np.zeros(n)
    # What reaches the next lattice, as a combination of states and input.
    of_states, of_input, start = np.zeros(n), 1.0, 0
    for lattice in lattices:
        own = slice(start, start + len(lattice) - 1)
        enter, leave = lattice[:-1, -1], lattice[-1]
        A[own, own] = lattice[:-1, :-1]
        A[own] += np.outer(enter, of_states)
        B[own] = enter * of_input
        of_states = of_states * leave[-1]
        of_states[own] += leave[:-1]
        of_input *= leave[-1]
        start = own.stop
    return A, B


def realise(sos: np.ndarray, *, caller: str = "realise") -> Realisation:
    """Find input-normal state equations of second-order sections.

    Parameters
    ----------
    sos : ndarray of shape (n_sections, 6)
        Filter.
    caller : str, default="realise"
        Name that starts the error messages.

    Returns
    -------
    Realisation
        Equations with the same response.

    Raises
    ------
    ValueError
        If the filter is unstable, or rings for more than eight million samples.

    Notes
    -----
    The state matrix is written down from the reflection coefficients of the sections;
    no roots and no Gramian matrices are computed, which could not be inverted for high
    orders. The output is solved for with as many digits as it takes, see
    :mod:`hmsklearn.signal.lattice_taps`. The response is the filter's to 1e-9 of its
    largest value, also where that of :func:`scipy.signal.sosfilt` is off by 1e-5 and
    more: wide band-stops of high order, whose first sections hand on a millionth of
    what comes in.

    References
    ----------
    A. H. Gray and J. D. Markel, "A normalized digital filter structure", IEEE
    Transactions on Acoustics, Speech and Signal Processing 23(3), 1975.

    R. A. Roberts and C. T. Mullis, Digital Signal Processing, 1987, chapter 9.

    Examples
    --------
    >>> from scipy.signal import butter
    >>> system = realise(butter(8, [0.1, 20], "bandpass", fs=200, output="sos"))
    >>> gramian = system.A @ system.A.T + np.outer(system.B, system.B)
    >>> system.A.shape, bool(abs(gramian - np.eye(16)).max() < 1e-14)
    ((16, 16), True)
    """
    sos = np.array(sos, dtype=np.float64)
    shaped = sos.ndim == 2 and sos.shape[1] == 6
    if not (shaped and np.isfinite(sos).all() and (sos[:, 3] != 0).all()):
        raise ValueError(
            f"{caller}: sos must be second-order sections, finite numbers of shape "
            f"(n_sections, 6) whose a0 is not zero, got shape {sos.shape}. Design "
            "with output='sos'."
        )
    sos /= sos[:, 3:4]
    # Numerator and denominator, without what is zero in both of them.
    pairs = [section.reshape(2, 3) for section in sos]
    pairs = [pair[:, : np.flatnonzero(pair.any(axis=0))[-1] + 1] for pair in pairs]
    sections = [pair for pair in pairs if pair.shape[1] > 1]
    factor = math.prod(pair[0, 0] for pair in pairs if pair.shape[1] == 1)
    try:
        A, B = _chain([_lattice(section) for section in sections])
    except ValueError:
        raise ValueError(
            f"{caller}: the filter is unstable, it has poles on or outside the unit "
            "circle. Choose a lower order or edges further from 0 and from Nyquist."
        ) from None
    if np.abs(np.linalg.matrix_power(A, _LONGEST)).max() > _SILENCE:
        raise ValueError(
            f"{caller}: the filter rings for more than {_LONGEST} samples. Choose "
            "edges further from 0, from Nyquist and from one another."
        )
    C = factor * lattice_taps(sections) if sections else np.zeros(1)
    return Realisation(A, B, C, float(np.prod(sos[:, 0])))


def cross_gramian(system: Realisation) -> np.ndarray:
    """Sum ``A^k B C A^k`` over all k.

    Parameters
    ----------
    system : Realisation
        Filter.

    Returns
    -------
    ndarray of shape (n, n)
        No longer than one, as a matrix, for a filter that nowhere amplifies.

    Examples
    --------
    >>> half = Realisation(np.array([[0.5]]), np.array([0.75**0.5]), np.ones(1), 0.0)
    >>> cross_gramian(half).round(4)
    array([[1.1547]])
    """
    total, step = np.outer(system.B, system.C), system.A
    while np.abs(step).max(initial=0.0) > _SILENCE:
        total = total + step @ total @ step
        step = step @ step
    return total
