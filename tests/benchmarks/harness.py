"""Our functions beside the neighbours', on the same data, in the same run.

What a benchmark says is a ratio: how many windows a second ours does for each one of
the neighbour's. The contenders take turns, so that a machine that slows down slows
down all of them, and the median over the turns counts. First of all the results must
agree: a fast answer to another question is no answer.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Contender", "Job", "Row", "measure", "table"]


@dataclass(frozen=True)
class Contender:
    """One way to do the job.

    Attributes
    ----------
    name : str
        What the table calls it.
    run : callable
        Does the job on `n_windows` windows and returns the result.
    n_windows : int
        Number of windows that `run` processes; slow neighbours get fewer.
    agrees : callable, optional
        Takes our result and this one, and raises AssertionError where they differ. The
        results may be of different numbers of windows: compare the first ones. None for
        floors, such as copying the data, which compute something else.
    target : float, optional
        How many times faster ours should be, with one thread.
    target_2 : float, optional
        The same with two threads.
    once : bool, default=False
        Whether one turn must do, for those that take a minute.
    gap : callable, optional
        Takes the result, and returns its relative distance to the best possible one:
        for searches, which are compared by that too.
    """

    name: str
    run: Callable[[], Any]
    n_windows: int
    agrees: Callable[[Any, Any], None] | None = None
    target: float | None = None
    target_2: float | None = None
    once: bool = False
    gap: Callable[[Any], float] | None = None


@dataclass(frozen=True)
class Job:
    """A job with our way to do it and those of the neighbours."""

    name: str
    ours: Contender
    neighbours: list[Contender] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """One line of the table: a neighbour, and how ours compares."""

    job: str
    contender: str
    per_second: float
    ratio: float | None
    target: float | None
    gap: float | None = None


def check(job: Job) -> list[tuple[float, float | None]]:
    """Raise AssertionError unless all results agree with ours.

    Parameters
    ----------
    job : Job
        What to do.

    Returns
    -------
    list of (float, float or None)
        Seconds per window of each contender's first run, ours first, and its gap.
    """
    first = []
    for contender in [job.ours, *job.neighbours]:
        result, seconds = _run(contender)
        if not first:
            ours = result
        if contender.agrees is not None:
            contender.agrees(ours, result)
        gap = None if contender.gap is None else contender.gap(result)
        first.append((seconds, gap))
    return first


def _run(contender: Contender) -> tuple[Any, float]:
    start = time.perf_counter()
    result = contender.run()
    return result, (time.perf_counter() - start) / contender.n_windows


def measure(job: Job, *, repeats: int = 7, n_threads: int = 1) -> list[Row]:
    """Check that the results agree, then time the contenders in turns.

    Parameters
    ----------
    job : Job
        What to do.
    repeats : int, default=7
        Number of turns.
    n_threads : int, default=1
        Which of the targets is shown. The process must have been started with so
        many threads.

    Returns
    -------
    list of Row
        Ours first.
    """
    first = check(job)
    contenders = [job.ours, *job.neighbours]
    turns = [
        [
            first[place][0] if contender.once else _run(contender)[1]
            for place, contender in enumerate(contenders)
        ]
        for _ in range(repeats)
    ]
    rows = []
    for place, contender in enumerate(contenders):
        own = statistics.median(turn[place] for turn in turns)
        ratio = statistics.median(turn[place] / turn[0] for turn in turns)
        target = contender.target if n_threads == 1 else contender.target_2
        rows.append(
            Row(
                job.name,
                contender.name,
                1 / own,
                ratio if place else None,
                target,
                first[place][1],
            )
        )
    return rows


def table(rows: list[Row]) -> str:
    """Lay the rows out as text in columns."""
    gaps = any(row.gap is not None for row in rows)
    lines = [
        f"{'job':<34} {'contender':<44} {'windows/s':>10} {'ours is':>9} {'target':>8}"
        + (f" {'gap':>8}" if gaps else "")
    ]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
        target = "" if row.target is None else f"{row.target:g}x"
        lines.append(
            f"{row.job:<34} {row.contender:<44} {row.per_second:>10.4g} {ratio:>9} "
            f"{target:>8}" + ("" if row.gap is None else f" {row.gap:>8.1e}")
        )
    return "\n".join(lines)
