"""Features of the rows that reach the final estimator beside the predictions.

Votes are the target and never among them: a blend that saw them would score
wonderfully and predict nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from hmsklearn._compat import num_samples
from hmsklearn.votes import CLASSES

__all__ = ["Passthrough", "refuse_vote_columns"]

_VOTE = re.compile(r"(^|_)votes?(_|$)")
_TARGETS = {"expert_consensus", *(name.lower() for name in CLASSES)}


def _is_target(column: Any) -> bool:
    name = str(column).lower()
    # A ColumnTransformer puts the name of the part, and two underscores, before it.
    return bool(_VOTE.search(name)) or name.rpartition("__")[2] in _TARGETS


def _is_identifier(column: Any) -> bool:
    name = str(column).lower()
    return name == "id" or name.endswith("_id")


def refuse_vote_columns(columns: Any, caller: str) -> None:
    """Raise if columns that tell the votes are to be passed through.

    Parameters
    ----------
    columns : iterable
        Names of columns.
    caller : str
        Name that starts the error message.

    Raises
    ------
    ValueError
        If one of them is the target or made of it.

    Examples
    --------
    >>> refuse_vote_columns(["age", "lpd_vote"], "doctest")
    Traceback (most recent call last):
        ...
    ValueError: doctest: passthrough names ['lpd_vote'], which tell the votes. They \
are the target: a blend that saw them could not predict rows that nobody rated. Leave \
them out.
    """
    told = [column for column in columns if _is_target(column)]
    if told:
        raise ValueError(
            f"{caller}: passthrough names {told}, which tell the votes. They are the "
            "target: a blend that saw them could not predict rows that nobody rated. "
            "Leave them out."
        )


class Passthrough:
    """Takes the features out of the rows, in the same way for all rows.

    Parameters
    ----------
    how : True, list of names, callable or transformer
        What the user gave: all columns that may be features, some columns of a
        DataFrame (or views of several), a function of the rows, or a transformer,
        which is fitted on the rows that the blend is fitted on.
    caller : str
        Name that starts the error messages.

    Attributes
    ----------
    columns_ : list of str
        Names of the features.
    transformer_ : estimator or None
        The fitted transformer.

    Examples
    --------
    >>> rows = pd.DataFrame({"age": [3, 5], "eeg_id": [1, 2], "lpd_vote": [1, 0]})
    >>> taken = Passthrough(True, "doctest").fit(rows)
    >>> taken.columns_, taken.transform(rows).tolist()
    (['age'], [[3.0], [5.0]])
    """

    def __init__(self, how: Any, caller: str) -> None:
        self.how = how
        self.caller = caller

    def fit(self, X: Any, y: Any = None) -> Passthrough:
        """Find the columns, or fit the transformer.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows that the blend is fitted on.
        y : array-like, optional
            Their target, for a transformer that learns from it.

        Returns
        -------
        self : Passthrough
            The object.
        """
        self.transformer_ = None
        self._names: list[str] | None = None
        if self.how is True:
            self._names = self._all_columns(X)
        elif hasattr(self.how, "transform"):
            self.transformer_ = clone(self.how).fit(X, y)
        elif not callable(self.how):
            self._names = self._listed(X)
        table, columns = self._take(X)
        self.columns_ = columns
        self._width = table.shape[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Take the features out of rows.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows.

        Returns
        -------
        ndarray of shape (n, n_features)
            The features, float64; NaN stay.

        Raises
        ------
        ValueError
            If columns are missing or the table is none.
        """
        table, _ = self._take(X)
        if table.shape[1] != self._width:
            raise ValueError(
                f"{self.caller}: passthrough gives {table.shape[1]} features of these "
                f"rows, and gave {self._width} in fit."
            )
        return table

    def _all_columns(self, X: Any) -> list[str] | None:
        if isinstance(X, pd.DataFrame):
            names = [
                column
                for column in X.columns
                if pd.api.types.is_numeric_dtype(X[column])
                and not _is_target(column)
                and not _is_identifier(column)
            ]
            if not names:
                raise ValueError(
                    f"{self.caller}: passthrough=True, and the columns of X are "
                    f"{list(X.columns)}: votes, identifiers or no numbers. Give a "
                    "callable that makes features of the rows."
                )
            return names
        if isinstance(X, Mapping) or len(getattr(X, "shape", (0, 0))) != 2:
            raise ValueError(
                f"{self.caller}: passthrough=True takes the columns of a DataFrame or "
                f"of a table, and X is a {type(X).__name__} of shape "
                f"{getattr(X, 'shape', None)}. Give a callable that makes features of "
                "it, or the names of views."
            )
        return None

    def _listed(self, X: Any) -> list[str]:
        if isinstance(self.how, str) or not isinstance(
            self.how, (list, tuple, np.ndarray, pd.Index)
        ):
            raise ValueError(
                f"{self.caller}: passthrough must be a truth value, a list of column "
                f"names, a callable or a transformer, got {self.how!r}."
            )
        names = list(self.how)
        refuse_vote_columns(names, self.caller)
        if not names or not isinstance(X, (pd.DataFrame, Mapping)):
            raise ValueError(
                f"{self.caller}: passthrough={names} names columns, and X is a "
                f"{type(X).__name__}. Give one name or more of a DataFrame's columns "
                "or of views, or a callable."
            )
        return names

    def _take(self, X: Any) -> tuple[np.ndarray, list[str]]:
        if self._names is not None:
            return self._named(X, self._names)
        if self.transformer_ is not None:
            found = self.transformer_.transform(X)
            refuse_vote_columns(_names_out(self.transformer_), self.caller)
        else:
            found = self.how(X) if callable(self.how) else X
        return self._as_table(found, num_samples(X), "passthrough")

    def _named(self, X: Any, names: list[str]) -> tuple[np.ndarray, list[str]]:
        held = list(X.keys()) if hasattr(X, "keys") else []
        missing = [name for name in names if name not in held]
        if missing:
            raise ValueError(
                f"{self.caller}: passthrough takes {names} of the rows, and X lacks "
                f"{missing}. It has {held}."
            )
        if isinstance(X, pd.DataFrame):
            return self._as_table(X[names], len(X), "passthrough")
        blocks, columns = [], []
        for name in names:
            block, inner = self._as_table(X[name], len(X), name)
            blocks.append(block)
            columns += inner
        return np.concatenate(blocks, axis=1), columns

    def _as_table(self, found: Any, n_rows: int, name: str) -> tuple[np.ndarray, list]:
        if isinstance(found, (pd.DataFrame, pd.Series)):
            named = found.to_frame() if isinstance(found, pd.Series) else found
            columns = [str(column) for column in named.columns]
            refuse_vote_columns(columns, self.caller)
        else:
            columns = []
        if hasattr(found, "toarray"):
            found = found.toarray()
        try:
            table = np.asarray(found, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{self.caller}: the features that passthrough takes of the rows are "
                f"no numbers ({error})."
            ) from None
        if table.ndim == 1:
            table = table[:, None]
        if table.ndim != 2 or len(table) != n_rows:
            raise ValueError(
                f"{self.caller}: the features that passthrough takes of {n_rows} rows "
                f"have shape {table.shape}, expected ({n_rows}, n_features)."
            )
        return table, columns or [f"{name}_{k}" for k in range(table.shape[1])]


def _names_out(transformer: Any) -> list[str]:
    """Names of what a transformer gives, where it tells them."""
    try:
        return [str(name) for name in transformer.get_feature_names_out()]
    except (AttributeError, TypeError, ValueError):
        return []
