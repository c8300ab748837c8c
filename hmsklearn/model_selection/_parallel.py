"""Running fits side by side, and finding again those that another run has finished."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, Protocol

from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel, delayed

__all__ = ["Record", "in_parallel", "on_this_machine"]


class Record(Protocol):
    """Where the result of one fit is kept, so that another run finds it."""

    def load(self) -> Any:
        """Give what was kept, None where there is nothing."""

    def save(self, value: Any) -> None:
        """Keep a value, which is not None."""


def in_parallel(
    function: Any, arguments: Iterable[tuple], *, n_jobs: int | None
) -> Generator[Any, None, None]:
    """Call a function many times and hand over the results in order.

    Parameters
    ----------
    function : callable
        What is called.
    arguments : iterable of tuple
        Its positional arguments, for each call.
    n_jobs : int or None
        Number of calls at a time, as in joblib.

    Returns
    -------
    generator
        The results, as they finish, so that progress can be told from this process,
        where a notebook shows it. Where joblib's active backend cannot hand them over
        one by one (``multiprocessing`` cannot), they come all at the end.

    Examples
    --------
    >>> list(in_parallel(abs, [(-1,), (-2,)], n_jobs=None))
    [1, 2]
    """
    backend, _ = get_active_backend()
    one_by_one = getattr(backend, "supports_return_generator", False)
    how = "generator" if one_by_one else "list"
    tasks = (delayed(function)(*each) for each in arguments)
    running = Parallel(n_jobs=n_jobs, return_as=how)(tasks)
    return running if one_by_one else (result for result in running)


def on_this_machine() -> bool:
    """Tell whether joblib's active backend uses the cores of this machine.

    Returns
    -------
    bool
        False for a Dask cluster.

    Examples
    --------
    >>> on_this_machine()
    True
    """
    return not hasattr(get_active_backend()[0], "client")
