"""Torch's threads in worker processes: the same number, so the same bits.

The last bits of what torch computes on a CPU depend on its number of threads, and
joblib's workers would get a share of the cores each. So that the same seed gives the
same predictions whatever ``n_jobs`` is, workers run with the calling process's number.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from joblib import cpu_count, effective_n_jobs

__all__ = ["torch_threads", "torch_threads_set_to", "warn_if_crowded"]


def torch_threads() -> int | None:
    """Tell torch's number of threads.

    Returns
    -------
    int or None
        The number; None where torch has not been imported.

    Examples
    --------
    >>> import torch
    >>> torch_threads() == torch.get_num_threads()
    True
    """
    torch = sys.modules.get("torch")
    return None if torch is None else torch.get_num_threads()


@contextlib.contextmanager
def torch_threads_set_to(threads: int | None) -> Iterator[None]:
    """Run a block with another number of torch threads.

    Parameters
    ----------
    threads : int or None
        The number; None changes nothing, and neither does a process without torch.

    Examples
    --------
    >>> import torch
    >>> before = torch.get_num_threads()
    >>> with torch_threads_set_to(1):
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True
    """
    torch = sys.modules.get("torch")
    before = torch_threads()
    if torch is None or threads is None or threads == before:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def warn_if_crowded(
    estimator: Any, n_jobs: int | None, threads: int | None, caller: str
) -> None:
    """Warn if the folds of a neural estimator ask for more threads than cores.

    Parameters
    ----------
    estimator : object
        What is fitted in every fold.
    n_jobs : int or None
        Number of folds at a time, as in joblib.
    threads : int or None
        Torch threads of each.
    caller : str
        Name that starts the warning.

    Warns
    -----
    UserWarning
        If folds at a time and threads multiply to more than the cores.

    Examples
    --------
    >>> warn_if_crowded(object(), 2, 1000, "doctest")  # not a neural estimator
    """
    neural = sys.modules.get("hmsklearn.neural")
    at_a_time, cores = effective_n_jobs(n_jobs), cpu_count()
    if (
        neural is None
        or threads is None
        or at_a_time == 1
        or at_a_time * threads <= cores
    ):
        return
    parts = [estimator]
    if hasattr(estimator, "get_params"):
        parts += estimator.get_params(deep=True).values()
    if any(isinstance(part, neural.BaseNeuralClassifier) for part in parts):
        remedies = []
        if at_a_time > cores:
            remedies.append(f"lower n_jobs to {cores}")
        if threads > 1:
            fitting = max(1, cores // at_a_time)
            remedies.append(
                f"call torch.set_num_threads({fitting}) first (predictions depend on "
                "that number in their last digits, never on n_jobs)"
            )
        remedy = " and ".join(remedies)
        warnings.warn(
            f"{caller}: {at_a_time} folds at a time with {threads} torch thread"
            f"{'s' * (threads > 1)} each on {cores} core{'s' * (cores > 1)} will slow "
            f"one another down. {remedy[0].upper()}{remedy[1:]}.",
            UserWarning,
            stacklevel=4,
        )
