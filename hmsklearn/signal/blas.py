"""One BLAS thread, so that results do not depend on how many there are.

BLAS splits large products among threads, and the last bits of the result depend on the
split. Results would then differ between a process that has all cores and a worker
that joblib gives a share of them. The products here are small enough that more
threads were not faster.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    # Looking for the loaded libraries takes milliseconds, setting their threads
    # microseconds.
    return ThreadpoolController()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Run a block, or as a decorator a function, with one BLAS thread.

    Yields
    ------
    None
        Nothing.

    Notes
    -----
    The number of threads belongs to the process, not to the calling thread.

    Examples
    --------
    >>> import numpy as np
    >>> with one_blas_thread():
    ...     (np.ones((2, 3)) @ np.ones(3)).tolist()
    [3.0, 3.0]
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield
