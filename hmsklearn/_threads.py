"""Work shared among threads, as many as torch has."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

from hmsklearn.signal.blas import one_blas_thread

__all__ = ["in_threads"]

_T = TypeVar("_T")

# Whether this thread is one of those started here.
_here = threading.local()


class _Pool:
    """The threads, shared by all who call: there are never more of them than asked."""

    lock = threading.Lock()
    executor: ThreadPoolExecutor | None = None
    n_threads = 0

    @classmethod
    def submit(
        cls, n_threads: int, function: Callable[[_T], object], item: _T
    ) -> Future[object]:
        # In one go: nobody shuts the executor down between the two.
        with cls.lock:
            if cls.executor is None or cls.n_threads != n_threads:
                if cls.executor is not None:
                    cls.executor.shutdown(wait=False)  # what runs there goes on
                cls.executor = ThreadPoolExecutor(n_threads, "hmsklearn", _enter)
                cls.n_threads = n_threads
            return cls.executor.submit(function, item)

    @classmethod
    def forget(cls) -> None:
        # A forked process has the executor, but not its threads.
        cls.lock, cls.executor, cls.n_threads = threading.Lock(), None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Pool.forget)


def _enter() -> None:
    _here.busy = True


def in_threads(function: Callable[[_T], object], items: Sequence[_T]) -> None:
    """Call a function for each item, in ``torch.get_num_threads()`` threads.

    One number for all that computes: who sets torch's threads, be it the user,
    ``OMP_NUM_THREADS`` or joblib in its workers, sets these. Each has one BLAS thread,
    so that the cores are not asked for twice and results do not depend on their number.
    A call from within such a thread starts no others, and calls from several threads
    at once share them.

    Parameters
    ----------
    function : callable
        Takes one item. Should spend its time where NumPy lets go of the interpreter.
    items : sequence
        What it is called with, in order.

    Raises
    ------
    Exception
        What `function` raised, for the first item for which it did. Items that were
        not begun by then are left out.

    Examples
    --------
    >>> squares = {}
    >>> in_threads(lambda i: squares.update({i: i * i}), range(3))
    >>> sorted(squares.items())
    [(0, 0), (1, 1), (2, 4)]
    """
    n_threads = torch.get_num_threads()
    alone = n_threads < 2 or len(items) < 2 or getattr(_here, "busy", False)
    with one_blas_thread():
        if alone:
            for item in items:
                function(item)
            return
        futures = []
        try:
            for item in items:
                futures.append(_Pool.submit(n_threads, function, item))
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()
            wait(futures)  # none still writes when the caller goes on
