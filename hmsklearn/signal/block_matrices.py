"""The matrices of a filter that works in blocks: derived once, in float64.

What they are for, and why these, is told in :mod:`hmsklearn.signal.statespace`.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import toeplitz

from hmsklearn.signal.arrays import Constant
from hmsklearn.signal.filter_ends import head_matrix, right_end
from hmsklearn.signal.realisation import Realisation, cross_gramian, powers, realise

__all__ = ["BlockMatrices"]

# Samples in a block: these, and so many more for each state. Longer blocks make the
# products larger, shorter ones the recurrence longer.
_SHORTEST, _PER_STATE, _LONGEST = 32, 4, 80


def _into(side: Realisation, length: int) -> np.ndarray:
    """From the samples of a block, the first first, to the state after it."""
    return powers(side.A, side.B, length)[::-1].copy()


def _out_of(side: Realisation, length: int) -> np.ndarray:
    """From the state before a block to its samples."""
    return powers(side.A.T, side.C, length).T


class BlockMatrices:
    """What takes samples and states of blocks to outputs and further states.

    Parameters
    ----------
    sos : ndarray of shape (n_sections, 6)
        Filter.
    n_times : int
        Number of samples of the signals, at least one.
    padlen : int or None
        Samples of odd padding with which forward and backward begin, in the steady
        state of their first sample; less than `n_times`. None filters forward only,
        from rest.
    caller : str, default="BlockMatrices"
        Name that starts the error messages.

    Attributes
    ----------
    n, length, n_blocks, tail : int
        Number of states; samples in a block, number of whole blocks, and samples in
        the last one, which may be shorter, is never empty, and is treated apart.
    both : bool
        Forward and backward.
    centred : bool
        Whether blocks are taken relative to their means.
    width : int
        Columns of a block: its samples, and before them the step to the next block's
        mean where it is centred.
    reach : int
        Number of samples from the right on which the state there depends.
    mean, head, into, out_of, last, end_signal, end_state : Constant
        Samples of a block to its mean; first samples to the first state; blocks to
        states, of each side; blocks with their states to outputs; the same for the
        last block, with the state that enters from the right; last samples, and last
        forward state, to the state at the right end.
    jump : ndarray of shape (n, n)
        From state to state.

    Examples
    --------
    >>> matrices = BlockMatrices(np.array([[0.5, 0, 0, 1, -0.5, 0]]), 120, None)
    >>> matrices.n, matrices.length, matrices.n_blocks, matrices.tail
    (1, 36, 3, 12)
    """

    def __init__(
        self,
        sos: np.ndarray,
        n_times: int,
        padlen: int | None,
        *,
        caller: str = "BlockMatrices",
    ) -> None:
        system = realise(sos, caller=caller)
        A, B, C, D = system
        self.n = len(A)
        self.length = length = min(_SHORTEST + _PER_STATE * self.n, _LONGEST)
        self.n_times = n_times
        self.both = padlen is not None
        self.n_blocks = (n_times - 1) // length
        self.tail = n_times - self.n_blocks * length
        # Exactly zero at 0 Hz, or else something of the mean would pass.
        self.centred = any(math.fsum(section[:3]) == 0 for section in sos)
        self.width = length + self.centred
        self.mean = Constant(np.full((length, 1), 1 / length))
        self.jump = np.linalg.matrix_power(A, length)
        if padlen is None:
            sides = [system]
            self.head = Constant(-system.rest[None])
        else:
            cross = cross_gramian(system)
            direct = D * D + float(C @ cross @ B)
            sides = [
                Realisation(A, B, D * C + C @ cross @ A, direct),
                Realisation(A, A @ cross @ B + D * B, C, 0.0),
            ]
            self.head = Constant(head_matrix(system, padlen))
            self.reach = max(padlen + 1, self.tail)
            of_signal, of_state = right_end(
                system, cross, sides[1].B, self.tail, padlen, self.reach
            )
            self.end_signal, self.end_state = Constant(of_signal), Constant(of_state)
        self._make_blocks(sides)
        self._make_tail(sides)

    def _make_blocks(self, sides: list[Realisation]) -> None:
        into = [_into(side, self.length) for side in sides]
        out_of = [_out_of(side, self.length) for side in sides]
        within = _response_matrix(sides, self.length)
        if self.both:
            into[1], out_of[1] = into[1][::-1], out_of[1][:, ::-1]
        if self.centred:
            # Before the samples stands the step to the next block's mean, by which the
            # zero of the states moves: the forward state is relative to the mean of
            # its own block, the one from the right to that of the next.
            into[0] = np.vstack([-sides[0].rest, into[0]])
            step = np.zeros(self.length)
            if self.both:
                into[1] = np.vstack([self.jump @ sides[1].rest, into[1]])
                step = sides[1].rest @ out_of[1]
            within = np.vstack([step, within])
        self.into = [Constant(matrix) for matrix in into]
        self.out_of = Constant(np.concatenate([within, *out_of]))

    def _make_tail(self, sides: list[Realisation]) -> None:
        """From samples and states of the last block to its output and its left."""
        within = _response_matrix(sides, self.tail)
        rows = [within, _out_of(sides[0], self.tail)]
        if not self.both:
            self.last = Constant(np.concatenate(rows))
            return
        rows.append(_out_of(sides[1], self.tail)[:, ::-1])
        leaving = [
            _into(sides[1], self.tail)[::-1],
            np.zeros((self.n, self.n)),
            np.linalg.matrix_power(sides[1].A.T, self.tail),
        ]
        self.last = Constant(
            np.block([[a, b] for a, b in zip(rows, leaving, strict=True)])
        )


def _response_matrix(sides: list[Realisation], length: int) -> np.ndarray:
    """From the samples of a block to its output, states aside."""
    response = np.append(sides[0].D, sides[0].B @ _out_of(sides[0], length))[:length]
    full = toeplitz(response)
    return full if len(sides) == 2 else np.triu(full)
