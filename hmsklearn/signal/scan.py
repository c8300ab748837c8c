"""A linear recurrence along an axis, as a few matrix products instead of a loop.

``s_k = s_{k-1} F + u_k`` is a sum over all earlier inputs. Within groups of a few steps
that sum is one product with a triangular matrix; from group to group it is the same
recurrence again, several times shorter. This is how a filter hands its state from
block to block, on a GPU as in NumPy.
"""

from __future__ import annotations

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, Constant

__all__ = ["Scan", "ScanScratch"]

# How many numbers one product spans, and up to how many it is the whole recurrence.
_SPAN = 40
_DENSE = 128


class Scan:
    """The recurrence ``s_k = s_{k-1} F + u_k`` of row vectors, from zero.

    Parameters
    ----------
    step : ndarray of shape (n, n)
        The matrix ``F``.
    n_steps : int
        Number of inputs.
    backward : bool, default=False
        From the last to the first instead: ``s_k = s_{k+1} F + u_k``.

    Attributes
    ----------
    n_slots : int
        Number of steps in memory: `n_steps`, rounded up to whole groups. What is in
        the slots beyond must be zero.

    Examples
    --------
    >>> scan = Scan(np.array([[0.5]]), 3)
    >>> scan(np.ones((1, 3, 1)), scan.scratch(1, np.dtype("float64"))).ravel()
    array([1.  , 1.5 , 1.75])
    """

    def __init__(
        self, step: np.ndarray, n_steps: int, *, backward: bool = False
    ) -> None:
        self.n = n = len(step)
        self.backward = backward
        group = max(5, _SPAN // n)
        self.is_dense = n_steps <= max(group, _DENSE // n)
        self.group = group = n_steps if self.is_dense else group
        self.n_groups = -(-n_steps // group)
        self.n_slots = group * self.n_groups
        jumps = [np.eye(n)]
        for _ in range(group):
            jumps.append(jumps[-1] @ step)
        within = np.zeros((group, n, group, n))
        for late in range(group):
            for early in range(late + 1):
                if backward:
                    pair = group - 1 - early, group - 1 - late
                else:
                    pair = early, late
                within[pair[0], :, pair[1], :] = jumps[late - early]
        self.within = Constant(within.reshape(group * n, group * n))
        if not self.is_dense:
            end = 0 if backward else group - 1
            # What a group hands on, one step further: added to the next one's first.
            self.total = Constant(within[:, :, end].reshape(group * n, n) @ step)
            self.groups = Scan(jumps[group], self.n_groups, backward=backward)

    def scratch(self, n_rows: int, dtype: np.dtype) -> ScanScratch:
        """Allocate what the recurrence of arrays needs.

        Parameters
        ----------
        n_rows : int
            Number of rows that are computed together.
        dtype : dtype
            Their type.

        Returns
        -------
        ScanScratch
            Memory, for one thread at a time.
        """
        return ScanScratch(self, n_rows, dtype)

    def __call__(self, u: np.ndarray, scratch: ScanScratch) -> np.ndarray:
        """Run the recurrence of arrays.

        Parameters
        ----------
        u : ndarray of shape (n_rows, n_slots, n)
            Inputs, contiguous. Overwritten.
        scratch : ScanScratch
            From :meth:`scratch`.

        Returns
        -------
        ndarray of shape (n_rows, n_slots, n)
            States, in the scratch.
        """
        n_rows, n = len(u), self.n
        flat = u.reshape(n_rows * self.n_groups, self.group * n)
        if not self.is_dense:
            groups = u.reshape(n_rows, self.n_groups, self.group * n)
            totals = scratch.totals[:, : self.n_groups]
            np.matmul(groups, scratch.total, out=totals)
            ends = self.groups(scratch.totals, scratch.groups)[:, : self.n_groups]
            slots = u.reshape(n_rows, self.n_groups, self.group, n)
            if self.backward:
                slots[:, :-1, -1] += ends[:, 1:]
            else:
                slots[:, 1:, 0] += ends[:, :-1]
        np.matmul(flat, scratch.within, out=scratch.states)
        return scratch.states.reshape(u.shape)

    def tensor(self, u: Array) -> Array:
        """Run the recurrence of tensors, with gradient.

        Parameters
        ----------
        u : Tensor of shape (n_rows, n_steps, n)
            Inputs.

        Returns
        -------
        Tensor of shape (n_rows, n_steps, n)
            States.
        """
        n_rows, n_steps, n = u.shape
        missing = self.n_slots - n_steps
        slots = torch.nn.functional.pad(u, (0, 0, 0, missing))
        slots = slots.reshape(n_rows, self.n_groups, self.group * n)
        if not self.is_dense:
            ends = self.groups.tensor(slots @ self.total.like(u))
            handed = ends[:, 1:] if self.backward else ends[:, :-1]
            # To the first slot of the next group, or to the last of the one before.
            room = (self.group - 1) * n
            side = (room, 0, 0, 1) if self.backward else (0, room, 1, 0)
            slots = slots + torch.nn.functional.pad(handed, side)
        states = slots @ self.within.like(u)
        return states.reshape(n_rows, self.n_slots, n)[:, :n_steps]


class ScanScratch:
    """Memory of one recurrence of arrays.

    Parameters
    ----------
    scan : Scan
        The recurrence.
    n_rows : int
        Number of rows that are computed together.
    dtype : dtype
        Their type.

    Examples
    --------
    >>> scan = Scan(np.eye(2), 8)
    >>> scan.scratch(3, np.dtype("float32")).states.shape
    (3, 16)
    """

    def __init__(self, scan: Scan, n_rows: int, dtype: np.dtype) -> None:
        n, n_groups = scan.n, scan.n_groups
        kind = np.empty(0, dtype)
        self.within = scan.within.like(kind)
        self.states = np.empty((n_rows * n_groups, scan.group * n), dtype)
        if not scan.is_dense:
            self.total = scan.total.like(kind)
            self.totals = np.zeros((n_rows, scan.groups.n_slots, n), dtype)
            self.groups = scan.groups.scratch(n_rows, dtype)
