"""Running fits side by side, and finding again those that another run has finished."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
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

    def save_if_known(self, value: Any) -> bool:
        """Keep it where its classes can be found by name; tell whether that was so."""


def in_parallel(
    function: Any,
    arguments: Iterable[tuple],
    *,
    n_jobs: int | None,
    arrived: Callable[[int, Any], None] | None = None,
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
    arrived : callable or None
        Called in this process with the number of each call and its result, as soon as
        it is there, which may be before that of an earlier call.

    Yields
    ------
    object
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
    how = "generator_unordered" if one_by_one else "list"
    tasks = (
        delayed(_numbered)(number, function, each)
        for number, each in enumerate(arguments)
    )
    running = Parallel(n_jobs=n_jobs, return_as=how)(tasks)
    waiting: dict[int, Any] = {}
    turn = 0
    try:
        for number, result in running:
            if arrived is not None:
                arrived(number, result)
            waiting[number] = result
            while turn in waiting:
                yield waiting.pop(turn)
                turn += 1
    finally:
        if one_by_one:
            running.close()


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


def _numbered(number: int, function: Any, arguments: tuple) -> tuple[int, Any]:
    return number, function(*arguments)
