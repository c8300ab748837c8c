"""Recursive filters as matrix products: blocks of samples and states between them.

A recursion goes sample by sample, which neither a GPU nor NumPy does well. Cut into
blocks, a filter's output is (input of the block) x (impulse response as a matrix) +
(state at the block's start) x (how that state dies away), all blocks at once; only the
states have to be handed on, by :class:`hmsklearn.signal.scan.Scan`.

Forward and backward together are one such step: the impulse response becomes its
autocorrelation, and a second state comes from the right. In the equations of the
filter that runs backward over the forward filter's output the two are coupled, but
``r - P s`` (`P`: the cross Gramian) is driven by the input alone. So both sides are
computed from the same samples, and meet only at the right end of the signal, where
padding and initial conditions turn one into the other.

Where the filter blocks constants, each block is taken relative to its mean, and only
the steps from mean to mean move the states: they never hold the offset and the drift
that such a filter is there to remove, and float32 suffices.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from hmsklearn.signal.arrays import Array
from hmsklearn.signal.block_matrices import BlockMatrices
from hmsklearn.signal.scan import Scan

__all__ = ["BlockFilter", "BlockScratch", "block_filter"]


class BlockFilter(BlockMatrices):
    """A filter for signals of one length.

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
    caller : str, default="BlockFilter"
        Name that starts the error messages.

    Notes
    -----
    :meth:`run` takes arrays, :meth:`tensor` tensors; both compute in the dtype that
    they are given.

    Examples
    --------
    >>> from scipy.signal import butter, sosfiltfilt
    >>> x = np.random.default_rng(0).normal(size=(2, 333))
    >>> sos = butter(4, [0.5, 20], "bandpass", fs=200, output="sos")
    >>> block = BlockFilter(sos, 333, padlen=27)
    >>> y = block.run(x, np.empty_like(x), block.scratch(2, x.dtype))
    >>> bool(abs(y - sosfiltfilt(sos, x)).max() < 1e-12)
    True
    """

    def __init__(
        self,
        sos: np.ndarray,
        n_times: int,
        padlen: int | None,
        *,
        caller: str = "BlockFilter",
    ) -> None:
        super().__init__(sos, n_times, padlen, caller=caller)
        if self.n_blocks:
            self.forward = Scan(self.jump.T, self.n_blocks + 1)
        if self.n_blocks and self.both:
            self.backward = Scan(self.jump.T, self.n_blocks, backward=True)

    def scratch(self, n_rows: int, dtype: np.dtype) -> BlockScratch:
        """Allocate what :meth:`run` needs.

        Parameters
        ----------
        n_rows : int
            Number of rows.
        dtype : dtype
            Type in which to compute.

        Returns
        -------
        BlockScratch
            Memory, for one thread at a time.
        """
        return BlockScratch(self, n_rows, dtype)

    def run(self, x: np.ndarray, out: np.ndarray, scratch: BlockScratch) -> np.ndarray:
        """Filter an array.

        Parameters
        ----------
        x : ndarray of shape (n_rows, n_times)
            Signals. Both arrays are contiguous.
        out : ndarray of shape (n_rows, n_times)
            Where to write; may be `x` itself.
        scratch : BlockScratch
            From :meth:`scratch`, for that many rows and of the dtype of both.

        Returns
        -------
        ndarray
            `out`.
        """
        n, n_blocks, tail = self.n, self.n_blocks, self.tail
        whole = n_blocks * self.length
        shape = (len(x), n_blocks, self.length)
        table, last = scratch.table, scratch.last
        samples = table[..., : self.width]
        blocks = x[:, :whole].reshape(shape)
        if self.centred:
            means = scratch.means
            np.matmul(blocks, scratch.mean, out=means[:, :-1, None])
            means[:, -1] = x[:, whole:].mean(axis=1)
            np.subtract(blocks, means[:, :-1, None], out=samples[..., 1:])
            np.subtract(means[:, 1:], means[:, :-1], out=samples[..., 0])
            reference = means[:, -1:]
        else:
            samples[...] = blocks
            reference = means = scratch.zeros
        np.subtract(x[:, whole:], reference, out=last[:, :tail])
        state = self._start(x, means[:, :1], scratch.head)
        if n_blocks:
            drives = scratch.forward_drives
            drives[:, 0] = state
            np.matmul(samples, scratch.into[0], out=drives[:, 1 : n_blocks + 1])
            states = self.forward(drives, scratch.forward)
            table[..., self.width : self.width + n] = states[:, :n_blocks]
            state = states[:, n_blocks]
        last[:, tail : tail + n] = state
        if self.both:
            entering = last[:, tail + n :]
            reached = x[:, -self.reach :] - reference
            np.matmul(reached, scratch.end_signal, out=entering)
            entering += state @ scratch.end_state
        done = np.matmul(last, scratch.into_last, out=scratch.done)
        if n_blocks and self.both:
            drives = scratch.backward_drives
            np.matmul(samples[:, 1:], scratch.into[1], out=drives[:, : n_blocks - 1])
            drives[:, n_blocks - 1] = done[:, tail:]
            states = self.backward(drives, scratch.backward)
            table[..., self.width + n :] = states[:, :n_blocks]
        if n_blocks:
            np.matmul(table, scratch.out_of, out=out[:, :whole].reshape(shape))
        out[:, whole:] = done[:, :tail]
        return out

    def tensor(self, x: Array) -> Array:
        """Filter a tensor, with gradient.

        Parameters
        ----------
        x : Tensor of shape (n_rows, n_times)
            Signals.

        Returns
        -------
        Tensor of shape (n_rows, n_times)
            The filtered signals.
        """
        n_rows, n_blocks = len(x), self.n_blocks
        whole = n_blocks * self.length
        blocks = x[:, :whole].reshape(n_rows, n_blocks, self.length)
        if self.centred:
            of_tail = x[:, whole:].mean(dim=1, keepdim=True)
            means = torch.cat([blocks.mean(dim=2), of_tail], dim=1)
            steps = means[:, 1:] - means[:, :-1]
            blocks = blocks - means[:, :-1, None]
            blocks = torch.cat([steps[..., None], blocks], dim=-1)
        else:
            means = x.new_zeros(n_rows, 1)
        reference = means[:, -1:]
        state = self._start(x, means[:, :1], self.head.like(x))
        columns = [blocks]
        if n_blocks:
            drives = [state[:, None], blocks @ self.into[0].like(x)]
            states = self.forward.tensor(torch.cat(drives, dim=1))
            columns.append(states[:, :-1])
            state = states[:, -1]
        last = [x[:, whole:] - reference, state]
        if self.both:
            entering = (x[:, -self.reach :] - reference) @ self.end_signal.like(x)
            last.append(entering + state @ self.end_state.like(x))
        done = torch.cat(last, dim=1) @ self.last.like(x)
        done, leaving = done[:, : self.tail], done[:, self.tail :]
        if not n_blocks:
            return done
        if self.both:
            drives = [blocks[:, 1:] @ self.into[1].like(x), leaving[:, None]]
            columns.append(self.backward.tensor(torch.cat(drives, dim=1)))
        out = torch.cat(columns, dim=-1) @ self.out_of.like(x)
        return torch.cat([out.reshape(n_rows, whole), done], dim=1)

    def _start(self, x: Array, reference: Array, head: Array) -> Array:
        """State before the first sample, relative to the first block's mean."""
        if self.both:
            return (x[:, : len(head)] - reference) @ head
        return reference * head


class BlockScratch:
    """Memory of :meth:`BlockFilter.run`.

    Parameters
    ----------
    block : BlockFilter
        The filter.
    n_rows : int
        Number of rows.
    dtype : dtype
        Type in which to compute.

    Examples
    --------
    >>> block = BlockFilter(np.array([[0.5, 0, 0, 1, -0.5, 0]]), 120, None)
    >>> block.scratch(3, np.dtype("float32")).table.shape
    (3, 3, 37)
    """

    def __init__(self, block: BlockFilter, n_rows: int, dtype: np.dtype) -> None:
        n, n_blocks, n_sides = block.n, block.n_blocks, 1 + block.both
        kind = np.empty(0, dtype)
        self.head, self.mean = block.head.like(kind), block.mean.like(kind)
        self.into = [matrix.like(kind) for matrix in block.into]
        self.out_of, self.into_last = block.out_of.like(kind), block.last.like(kind)
        if block.both:
            self.end_signal = block.end_signal.like(kind)
            self.end_state = block.end_state.like(kind)
        #: Samples and states of the blocks, side by side: one product makes the output.
        self.table = np.empty((n_rows, n_blocks, block.width + n_sides * n), dtype)
        self.means = np.empty((n_rows, n_blocks + 1), dtype)
        self.zeros = np.zeros((n_rows, 1), dtype)
        self.last = np.empty((n_rows, block.tail + n_sides * n), dtype)
        self.done = np.empty((n_rows, block.tail + n * block.both), dtype)
        if n_blocks:
            shape = (n_rows, block.forward.n_slots, n)
            self.forward_drives = np.zeros(shape, dtype)
            self.forward = block.forward.scratch(n_rows, dtype)
        if n_blocks and block.both:
            shape = (n_rows, block.backward.n_slots, n)
            self.backward_drives = np.zeros(shape, dtype)
            self.backward = block.backward.scratch(n_rows, dtype)


@lru_cache(maxsize=8)
def block_filter(
    sections: tuple[tuple[float, ...], ...],
    n_times: int,
    padlen: int | None,
    caller: str = "block_filter",
) -> BlockFilter:
    """Return the filter for signals of one length, derived once.

    Parameters
    ----------
    sections : tuple of tuple of float
        Second-order sections.
    n_times : int
        Number of samples of the signals.
    padlen : int or None
        Samples of padding; None filters forward only.
    caller : str, default="block_filter"
        Name that starts the error messages.

    Returns
    -------
    BlockFilter
        The filter.

    Examples
    --------
    >>> block_filter(((0.5, 0.0, 0.0, 1.0, -0.5, 0.0),), 120, None).n_blocks
    3
    """
    return BlockFilter(np.array(sections), n_times, padlen, caller=caller)
