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
from scipy.signal import sosfilt

__all__ = ["Realisation", "cross_gramian", "powers", "realise"]

# The impulse response is projected on the states in pieces of this many samples, until
# it has died away. The end stands for an edge of 0.0005 Hz at 200 Hz.
_PIECE = 4096
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


def _lattice(section: np.ndarray) -> np.ndarray | None:
    """All-pass with the poles of one section: orthogonal, [states; output] in rows."""
    _, b1, b2, _, a1, a2 = section
    if a2 != 0 or b2 != 0:
        # Differences of numbers close to each other, so their sums must be exact.
        plus, minus = math.fsum((1, a2, a1)), math.fsum((1, a2, -a1))
        if not (abs(a2) < 1 and plus > 0 and minus > 0):
            raise ValueError("unstable")
        k1, c1 = a1 / (1 + a2), math.sqrt(plus * minus) / (1 + a2)
        k2, c2 = a2, math.sqrt((1 - a2) * (1 + a2))
        return np.array(
            [[-k1, -c1 * k2, c1 * c2], [c1, -k1 * k2, k1 * c2], [0.0, c2, k2]]
        )
    if a1 != 0 or b1 != 0:
        if not abs(a1) < 1:
            raise ValueError("unstable")
        c1 = math.sqrt((1 - a1) * (1 + a1))
        return np.array([[-a1, c1], [c1, a1]])
    return None  # a factor


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


def _with_gain(system: Realisation, sos: np.ndarray) -> Realisation:
    """Correct the output so that constants pass as the sections say.

    The slow end of the impulse response is long and small, and what rounding leaves of
    an offset there would outweigh all other errors.
    """
    gain = math.prod(math.fsum(s[:3]) / math.fsum(s[3:]) for s in sos.tolist())
    rest = system.rest
    missing = gain - system.D - system.C @ rest
    return system._replace(C=system.C + missing * rest / (rest @ rest))


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
    orders. The output is the projection of the impulse response on the states' own
    responses, which are orthonormal.

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
    try:
        lattices = [_lattice(section) for section in sos]
    except ValueError:
        raise ValueError(
            f"{caller}: the filter is unstable, it has poles on or outside the unit "
            "circle. Choose a lower order or edges further from 0 and from Nyquist."
        ) from None
    A, B = _chain([lattice for lattice in lattices if lattice is not None])
    C = np.zeros(len(A))
    impulse = np.zeros(_PIECE + 1)
    impulse[0] = 1.0
    response, memory = sosfilt(sos, impulse, zi=np.zeros((len(sos), 2)))
    D, piece = float(response[0]), response[1:]
    silence = np.zeros(_PIECE)
    of_states = powers(A, B, _PIECE)
    jump = np.linalg.matrix_power(A, _PIECE)
    for _ in range(_LONGEST // _PIECE):
        C += piece @ of_states
        if not np.abs(of_states).max(initial=0.0) > _SILENCE:
            return _with_gain(Realisation(A, B, C, D), sos)
        of_states = of_states @ jump.T
        piece, memory = sosfilt(sos, silence, zi=memory)
    raise ValueError(
        f"{caller}: the filter rings for more than {_LONGEST} samples. Choose an edge "
        "further from 0."
    )


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
