"""The matrices of a filter that works in blocks: derived once, in float64.

What they are for, and why these, is told in :mod:`hmsklearn.signal.statespace`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import toeplitz

from hmsklearn.signal.filter_ends import head_matrix, right_end
from hmsklearn.signal.realisation import cross_gramian, powers, realise
from hmsklearn.signal.scan import flush

__all__ = ["BlockMatrices"]

# Samples in a block: these, and so many more for each state. Longer blocks make the
# products larger, shorter ones the recurrence longer.
_SHORTEST, _PER_STATE, _LONGEST = 32, 4, 80


class _Side(NamedTuple):
    """One direction: state matrix, what drives the state, what is read from it."""

    A: np.ndarray
    drive: np.ndarray
    read: np.ndarray

    @property
    def rest(self) -> np.ndarray:
        return np.linalg.solve(np.eye(len(self.A)) - self.A, self.drive)

    def into(self, length: int) -> np.ndarray:
        """From the samples of a block, the first first, to the state after it."""
        return powers(self.A, self.drive, length)[::-1].copy()

    def out_of(self, length: int) -> np.ndarray:
        """From the state before a block to its samples."""
        return powers(self.A.T, self.read, length).T


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
        self.mean = flush(np.full((length, 1), 1 / length))
        self.jump = np.linalg.matrix_power(A, length)
        if padlen is None:
            sides, direct = [_Side(A, B, C)], D
            self.head = flush(-sides[0].rest[None])
        else:
            cross = cross_gramian(system)
            later = _Side(A, A @ cross @ B + D * B, C)
            sides = [_Side(A, B, D * C + C @ cross @ A), later]
            direct = D * D + float(C @ cross @ B)
            self.head = flush(head_matrix(system, padlen))
            self.reach = max(padlen + 1, self.tail)
            of_signal, of_state = right_end(
                system, cross, later.drive, self.tail, padlen, self.reach
            )
            self.end_signal, self.end_state = flush(of_signal), flush(of_state)
        self._make_blocks(sides, direct)
        self._make_tail(sides, direct)

    def _make_blocks(self, sides: list[_Side], direct: float) -> None:
        into = [side.into(self.length) for side in sides]
        out_of = [side.out_of(self.length) for side in sides]
        within = _response_matrix(sides, direct, self.length)
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
        self.into = [flush(matrix) for matrix in into]
        self.out_of = flush(np.concatenate([within, *out_of]))

    def _make_tail(self, sides: list[_Side], direct: float) -> None:
        """From samples and states of the last block to its output and its left."""
        within = _response_matrix(sides, direct, self.tail)
        rows = [within, sides[0].out_of(self.tail)]
        if not self.both:
            self.last = flush(np.concatenate(rows))
            return
        rows.append(sides[1].out_of(self.tail)[:, ::-1])
        leaving = [
            sides[1].into(self.tail)[::-1],
            np.zeros((self.n, self.n)),
            np.linalg.matrix_power(sides[1].A.T, self.tail),
        ]
        self.last = flush(
            np.block([[a, b] for a, b in zip(rows, leaving, strict=True)])
        )


def _response_matrix(sides: list[_Side], direct: float, length: int) -> np.ndarray:
    """From the samples of a block to its output, states aside."""
    response = np.append(direct, sides[0].drive @ sides[0].out_of(length))[:length]
    full = toeplitz(response)
    return full if len(sides) == 2 else np.triu(full)
