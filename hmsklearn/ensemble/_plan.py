"""What named members are fitted on, alone and in a stack, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import indexable

from hmsklearn._compat import safe_indexing, slice_fit_params
from hmsklearn.ensemble._blend import Blend
from hmsklearn.ensemble._cross_fit import Target
from hmsklearn.ensemble._fold_key import digest_data, digest_estimator, join_digests
from hmsklearn.ensemble._fold_store import DiskRecord

__all__ = ["MemberPlan", "Plan", "Rows"]


@dataclass
class Rows:
    """What members, and a blend of them, are fitted on.

    Attributes
    ----------
    X, y : object
        Data and target, as they came.
    groups : ndarray of shape (n,) or None
        Groups of the rows.
    target : Target
        Votes and weights of the rows.
    params : dict of str to dict
        Keyword arguments of ``fit``, by member and for ``final_estimator``.
    """

    X: Any
    y: Any
    groups: np.ndarray | None
    target: Target
    params: dict[str, dict[str, Any]]

    def cut(self, rows: np.ndarray) -> Rows:
        """Take some of the rows of everything."""
        (X,), (y,) = indexable(self.X), indexable(self.y)
        return Rows(
            safe_indexing(X, rows),
            safe_indexing(y, rows),
            None if self.groups is None else self.groups[rows],
            self.target.cut(rows),
            {
                name: slice_fit_params(X, params=params, indices=rows)
                for name, params in self.params.items()
            },
        )

    @cached_property
    def digest(self) -> str:
        """Name of data and target."""
        return join_digests(digest_data(self.X), digest_data(self.y))


@dataclass(frozen=True)
class MemberPlan:
    """How members are fitted.

    Attributes
    ----------
    members : list of (str, estimator)
        The members that are not dropped.
    classes : ndarray of shape (n_classes,)
        Class labels in column order.
    n_jobs : int or None
        Number of fits at a time.
    folder : Path or None
        Folder of the records of finished fits.
    caller : str
        Name that starts messages.
    say : callable
        What a line of progress is given to.
    """

    members: list[tuple[str, Any]]
    classes: np.ndarray
    n_jobs: int | None
    folder: Path | None
    caller: str
    say: Callable[[str], None]

    def record(self, rows: Rows, member: str, *what: Any) -> DiskRecord | None:
        """Find the place of one fit on disk."""
        if self.folder is None:
            return None
        estimator = dict(self.members)[member]
        key = join_digests(
            rows.digest,
            digest_data(rows.params[member]),
            digest_estimator(estimator),
            *what,
        )
        return DiskRecord(self.folder, key, f"{self.caller}: member {member!r}")


@dataclass(frozen=True)
class Plan(MemberPlan):
    """How a stack is fitted.

    Attributes
    ----------
    blend : Blend
        The upper level, not fitted.
    refit : bool
        Whether members are fitted once more on all rows.
    """

    blend: Blend
    refit: bool
