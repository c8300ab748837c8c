"""Batches, gathered without a DataLoader, and ahead of the GPU that waits for them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch

from hmsklearn.neural._data import WindowDataset
from hmsklearn.neural._one_process import OneProcess

__all__ = ["BatchIterator", "ahead"]

Batch = tuple[dict[str, Any], torch.Tensor]

# Batches that wait for the GPU. One would do if all took equally long to gather.
_N_AHEAD = 2


class BatchIterator:
    """Cut a :class:`WindowDataset` into batches; used in place of a DataLoader.

    Parameters
    ----------
    dataset : WindowDataset
        Windows.
    batch_size : int
        Number of windows in a batch.
    shuffle : bool, default=False
        Whether to draw a new order in each pass, from torch's random state.
    pin_memory : bool, default=False
        Whether to put batches into page-locked memory, from where they reach a GPU
        while it computes, and to gather them in a thread, ahead of it.
    sampling : object, optional
        Draws the rows of each pass: ``draw()`` gives an array of rows, always equally
        many, ``n_rows``.
    workers : OneProcess, optional
        The processes that train together; each gets its part of every batch.

    Notes
    -----
    Every window is in exactly one batch. A last batch of a single window, which
    batch normalisation cannot train on, joins the one before.

    Examples
    --------
    >>> import numpy as np
    >>> data = WindowDataset(np.zeros((5, 2, 4)))
    >>> [len(batch["x"]) for batch, _ in BatchIterator(data, 2)]
    [2, 3]
    """

    def __init__(
        self,
        dataset: WindowDataset,
        batch_size: int,
        shuffle: bool = False,
        pin_memory: bool = False,
        sampling: Any = None,
        workers: OneProcess | None = None,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.pin_memory = pin_memory
        self.sampling = sampling
        self.workers = OneProcess() if workers is None else workers

    @property
    def n_rows(self) -> int:
        """Number of windows in a pass."""
        return len(self.dataset) if self.sampling is None else self.sampling.n_rows

    def __len__(self) -> int:
        n = self.n_rows
        full, rest = divmod(n, self.batch_size)
        return full + (rest > 1 or (rest == 1 and (full == 0 or self.batch_size == 1)))

    @property
    def sizes(self) -> list[int]:
        """Number of windows in each batch of a pass."""
        n = len(self)
        return [self.batch_size] * (n - 1) + [self.n_rows - (n - 1) * self.batch_size]

    @property
    def weights(self) -> list[float]:
        """Share of this process in each batch of a pass."""
        return [self.workers.weight(size) for size in self.sizes]

    def __iter__(self) -> Iterator[Batch]:
        # Drawn here and not in the thread: the caller's random state goes on the same
        # way whether or not somebody gathers ahead.
        rows = self.dataset.rows if self.sampling is None else self.sampling.draw()
        if self.shuffle:
            rows = rows[torch.randperm(len(rows)).numpy()]
        rows = self.workers.same(rows)
        n_batches = len(self)
        cuts = [i * self.batch_size for i in range(n_batches)] + [len(rows)]

        def gather(i: int) -> Batch:
            part = self.workers.part(rows[cuts[i] : cuts[i + 1]])
            inputs, target = self.dataset.batch(part)
            if self.pin_memory:
                inputs = {name: _pinned(value) for name, value in inputs.items()}
                target = target.pin_memory()
            return inputs, target

        if self.pin_memory:
            return ahead(gather, n_batches)
        return map(gather, range(n_batches))


def _pinned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: one.pin_memory() for name, one in value.items()}
    return value.pin_memory()


def ahead(make: Callable[[int], Any], n: int) -> Iterator[Any]:
    """Call ``make(0)`` to ``make(n - 1)`` in a thread, a little ahead of who asks.

    Parameters
    ----------
    make : callable
        Makes an item of its number.
    n : int
        Number of items.

    Yields
    ------
    object
        The items in order. What `make` raises is raised here. Whoever stops asking
        stops the thread.

    Examples
    --------
    >>> list(ahead(lambda i: i * i, 4))
    [0, 1, 4, 9]
    """
    ready: queue.Queue[Any] = queue.Queue(_N_AHEAD)
    stopped = threading.Event()

    def put(item: Any) -> None:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for i in range(n):
                put((make(i), None))
                if stopped.is_set():
                    return
        except BaseException as error:  # handed on, not swallowed
            put((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        for _ in range(n):
            item, error = ready.get()
            if error is not None:
                raise error
            yield item
    finally:
        stopped.set()
        thread.join()
