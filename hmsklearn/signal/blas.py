"""One BLAS thread, so that results do not depend on how many there are.

BLAS splits large products among threads, and the last bits of the result depend on the
split. Results would then differ between a process that has all cores and a worker
that joblib gives a share of them. The products here are small enough that more
threads were not faster.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]


class _Limit:
    """The limit in force, and the thread that set it and alone may end it."""

    lock = threading.Lock()
    owner: int | None = None
    depth = 0
    limiter: Any = None
    # Looking for the loaded libraries takes milliseconds, setting their threads
    # microseconds. NumPy's is there already, and it is the one that is used here.
    controller: ThreadpoolController | None = None


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Run a block, or as a decorator a function, with one BLAS thread.

    Yields
    ------
    None
        Nothing.

    Notes
    -----
    The number of BLAS threads belongs to the process. The thread that comes first
    sets it and sets it back; others that overlap with it run as it is. Use processes,
    not threads, where the last bits matter.

    Examples
    --------
    >>> import numpy as np
    >>> with one_blas_thread():
    ...     (np.ones((2, 3)) @ np.ones(3)).tolist()
    [3.0, 3.0]
    """
    me = threading.get_ident()
    with _Limit.lock:
        mine = _Limit.owner in (None, me)
        if _Limit.owner is None:
            if _Limit.controller is None:
                _Limit.controller = ThreadpoolController()
            _Limit.limiter = _Limit.controller.limit(limits=1, user_api="blas")
            _Limit.limiter.__enter__()
            _Limit.owner = me
        _Limit.depth += mine
    try:
        yield
    finally:
        if mine:
            with _Limit.lock:
                _Limit.depth -= 1
                if _Limit.depth == 0:
                    _Limit.limiter.__exit__(None, None, None)
                    _Limit.limiter = _Limit.owner = None
