"""Work shared among threads, as many as torch has."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from hmsklearn.signal.blas import one_blas_thread

__all__ = ["in_threads"]

_T = TypeVar("_T")

# Whether this thread is one of those started here.
_here = threading.local()


def _enter() -> None:
    _here.busy = True


def in_threads(function: Callable[[_T], object], items: Sequence[_T]) -> None:
    """Call a function for each item, in ``torch.get_num_threads()`` threads.

    One number for all that computes: who sets torch's threads, be it the user,
    ``OMP_NUM_THREADS`` or joblib in its workers, sets these. Each has one BLAS thread,
    so that the cores are not asked for twice and results do not depend on their number.
    A call from within such a thread starts no others.

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
    busy = getattr(_here, "busy", False)
    n_threads = 1 if busy else min(torch.get_num_threads(), len(items))
    with one_blas_thread():
        if n_threads < 2:
            for item in items:
                function(item)
            return
        with ThreadPoolExecutor(n_threads, "hmsklearn", _enter) as pool:
            futures = [pool.submit(function, item) for item in items]
            try:
                for future in futures:
                    future.result()
            finally:
                for future in futures:
                    future.cancel()
