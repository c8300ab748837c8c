"""Freed memory that stays with the process, for nets that run on a CPU."""

from __future__ import annotations

import contextlib
import ctypes
import platform
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

__all__ = ["keep_freed_memory"]

# Numbers of mallopt's parameters, from glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4

_MEGABYTE = 2**20
_WITHIN = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1, _TOP_PAD: 64 * _MEGABYTE}
# glibc's own numbers, the two thresholds as they are once large arrays were freed:
# whoever calls mallopt ends their growth.
_AFTER = {
    _MMAP_MAX: 65536,
    _MMAP_THRESHOLD: 32 * _MEGABYTE,
    _TRIM_THRESHOLD: 64 * _MEGABYTE,
    _TOP_PAD: 128 * 1024,
}

_lock = threading.Lock()
_n_within = 0


@contextlib.contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Let the process keep the memory that it frees, while a block runs.

    The maps between the layers of a net are large, and every one is asked of the
    system and given back to it; the system fills each page with zeros before it hands
    it out. On a CPU this is a large part of a prediction's or a training step's time.

    Yields
    ------
    None

    Warns
    -----
    UserWarning
        Where the C library is not glibc (macOS, Windows, musl): nothing is changed.

    Notes
    -----
    This is a setting of the whole process, of all its threads and libraries: it calls
    glibc's ``mallopt`` with ``M_MMAP_MAX=0``, ``M_TRIM_THRESHOLD=-1`` and ``M_TOP_PAD``
    of 64 MB. It costs memory, several hundred megabytes that other processes cannot
    use until the block ends. Memory freed in the block is given back then, as far as
    it lies at the end of the heap. Afterwards glibc's thresholds are fixed numbers (32
    MB and up from the system, 64 MB kept) instead of ones that grow. Results do not
    change. Where another allocator is preloaded (jemalloc, tcmalloc) the setting has
    no effect.

    Examples
    --------
    >>> import torch
    >>> with keep_freed_memory():
    ...     torch.ones(3).sum()
    tensor(3.)
    """
    global _n_within
    libc = _glibc()
    if libc is None:
        warnings.warn(
            f"keep_freed_memory: needs glibc, and this process ({sys.platform}) has "
            "another C library; nothing is changed. Leave the block out here.",
            UserWarning,
            stacklevel=3,
        )
        yield
        return
    with _lock:
        _n_within += 1
        if _n_within == 1:
            _set(libc, _WITHIN)
    try:
        yield
    finally:
        with _lock:
            _n_within -= 1
            if _n_within == 0:
                _set(libc, _AFTER)
                libc.malloc_trim(0)


def _glibc() -> Any:
    """Return the C library if it is glibc."""
    if platform.libc_ver()[0] != "glibc":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") else None


def _set(libc: Any, options: dict[int, int]) -> None:
    for option, value in options.items():
        if libc.mallopt(option, value) != 1:
            raise RuntimeError(
                f"keep_freed_memory: glibc refused mallopt({option}, {value}). Leave "
                "the block out."
            )
