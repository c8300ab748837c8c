"""One row for several that are shifted copies of each other."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np
import pandas as pd

from hmsklearn.model_selection._window_recipes import RECIPES, WindowRecipe, Windows
from hmsklearn.votes import VOTE_COLUMNS, check_votes

__all__ = ["deduplicate_windows"]

_EEG_START = "eeg_label_offset_seconds"
_SPECTROGRAM_START = "spectrogram_label_offset_seconds"


def deduplicate_windows(
    rows: pd.DataFrame,
    recipe: str = "7th",
    *,
    min_votes: int | None = None,
    min_gap: float = 25.0,
    eeg_nan_share: Any = None,
    spectrogram_nan_share: Any = None,
    max_eeg_nan_share: float = 0.2,
    max_spectrogram_nan_share: float = 0.5,
    keep: str = "recipe",
    period_column: str | None = None,
) -> pd.DataFrame:
    """Keep one of those rows that are shifted copies of each other.

    A label that experts gave to ten seconds was copied to all windows of the same
    stretch of the recording. These rows of ``train.csv`` are 2 to 48 s apart and tell
    the same thing many times. Published solutions picked among them in several ways.

    Parameters
    ----------
    rows : DataFrame
        Rows of ``train.csv`` with ``eeg_id``, the six vote counts, and the offsets that
        the recipe needs.
    recipe : str, default="7th"
        One of

        * ``"3rd"``: of the rows of an EEG with the same six counts, the one whose 600 s
          window the others cover most; rows of more than eight votes alone;
        * ``"3rd_validation"``: of these the first of each EEG;
        * ``"3rd_all"``: as ``"3rd"``, with rows of any number of votes;
        * ``"7th"``: of rows that follow each other in an EEG with the same six counts
          (a stationary period) the middle one, the later one of two;
        * ``"lhwcv"``: of the rows of an EEG with the same vote fractions the first of
          those with most votes;
        * ``"15th"``: of every EEG the rows with most votes, those left out that begin
          less than `min_gap` after the last that is kept;
        * ``"public"``: one row for each EEG with the votes of all its rows added, and
          offsets halfway between the smallest and the largest.
    min_votes : int, optional
        Least number of votes of a row; rows with fewer are dropped. The recipe's own
        without: nine for ``"3rd"`` and ``"3rd_validation"``, one for the others.
    min_gap : float, default=25.0
        Seconds from start to start, for ``"15th"``.
    eeg_nan_share, spectrogram_nan_share : array-like of shape (n,) or str, optional
        Share of missing values in each row's window, or the column that holds it. Rows
        above the largest share allowed are dropped. ``"lhwcv"`` did so; any recipe can.
    max_eeg_nan_share : float, default=0.2
        Largest share of the EEG.
    max_spectrogram_nan_share : float, default=0.5
        Largest share of the spectrogram.
    keep : {"recipe", "all"}, default="recipe"
        ``"all"`` keeps every row of the periods of which the recipe keeps one, for
        drawing another window of the same period in each epoch, as the 7th did.
    period_column : str, optional
        Name of a column to add that numbers the periods: rows with the same number are
        copies of each other to the recipe.

    Returns
    -------
    DataFrame
        A new table of the rows that are kept, in their order, with their index, columns
        and ``attrs``.

    Raises
    ------
    TypeError
        If `rows` is no DataFrame.
    ValueError
        For an unknown recipe, missing columns, votes that are no counts, missing
        offsets, or parameters that are not usable.

    See Also
    --------
    VoteStratifiedGroupKFold : Folds of what is kept.

    Notes
    -----
    Periods are found in all rows, before any is dropped for its votes, and rows of an
    EEG are taken in the order of their offsets, whatever their order in the table;
    among equals the first wins. Offsets are seconds, and starts.

    ``"public"`` changes what it keeps: the votes, ``spectrogram_label_offset_seconds``
    and ``eeg_label_offset_seconds`` are the period's, everything else is its first
    row's. It cannot be had with ``keep="all"``.

    Without shares of missing values none is known, and the rule about them is not
    applied.

    References
    ----------
    3rd place: Kaggle discussion 492471 of the HMS competition, 6,351, 5,940 and 20,184
    rows. 7th place: 492281, 21,490 rows. The user guide compares what the rows that are
    known give.

    Examples
    --------
    >>> import pandas as pd
    >>> from hmsklearn.votes import VOTE_COLUMNS
    >>> counts = [[3, 0, 0, 0, 0, 0]] * 3 + [[0, 0, 0, 0, 0, 12]]
    >>> rows = pd.DataFrame(counts, columns=list(VOTE_COLUMNS))
    >>> rows["eeg_id"] = 7
    >>> rows["eeg_label_offset_seconds"] = [0, 6, 8, 20]
    >>> deduplicate_windows(rows, "7th").index.tolist()
    [1, 3]
    >>> drawn = deduplicate_windows(rows, "7th", keep="all", period_column="period")
    >>> drawn["period"].tolist()
    [0, 0, 0, 1]
    """
    name = "deduplicate_windows"
    if not isinstance(rows, pd.DataFrame):
        raise TypeError(
            f"{name}: rows is a {type(rows).__name__}, expected a DataFrame of rows of "
            "train.csv."
        )
    how = _find_recipe(recipe, name)
    least = _check_parameters(how, recipe, min_votes, min_gap, keep, name)
    if len(rows) == 0:
        raise ValueError(f"{name}: rows is empty.")
    if period_column is not None and period_column in rows.columns:
        raise ValueError(
            f"{name}: rows has a column {period_column!r}, which would be lost. Give "
            "period_column another name."
        )
    windows, order = _read(rows, how, float(min_gap), name)
    known = _few_missing(rows, eeg_nan_share, max_eeg_nan_share, "eeg", name)
    known &= _few_missing(
        rows, spectrogram_nan_share, max_spectrogram_nan_share, "spectrogram", name
    )

    period = how.period(windows)
    use = known[order] & (windows.total >= least)
    kept = np.zeros(order.size, dtype=bool)
    if use.any():
        kept[use] = how.keep(_cut(windows, use), period[use])
    if how.one_per_eeg:
        kept = _first_of_each(windows.eeg, kept)
    chosen = np.flatnonzero(kept)
    if keep == "all":
        chosen = np.flatnonzero(use & np.isin(period, period[kept]))
    positions = order[chosen]
    back = np.argsort(positions)
    taken = rows.iloc[positions[back]].copy()
    if how.merge:
        _merge(taken, windows, use, period, chosen[back])
    if period_column is not None:
        taken[period_column] = period[chosen[back]]
    taken.attrs = dict(rows.attrs)
    return taken


def _find_recipe(recipe: str, name: str) -> WindowRecipe:
    if isinstance(recipe, str) and recipe in RECIPES:
        return RECIPES[recipe]
    close = difflib.get_close_matches(str(recipe), list(RECIPES), n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"{name}: recipe={recipe!r} is not known. Give one of {sorted(RECIPES)}.{hint}"
    )


def _check_parameters(
    how: WindowRecipe,
    recipe: str,
    min_votes: int | None,
    min_gap: float,
    keep: str,
    name: str,
) -> int:
    if keep not in ("recipe", "all"):
        raise ValueError(f"{name}: keep={keep!r}, expected 'recipe' or 'all'.")
    if keep == "all" and how.merge:
        raise ValueError(
            f"{name}: {recipe!r} merges the rows of a period into one, so there is no "
            "keep='all'. Give keep='recipe'."
        )
    if not min_gap >= 0:
        raise ValueError(
            f"{name}: min_gap={min_gap!r}, expected seconds, none negative."
        )
    least = how.min_votes if min_votes is None else min_votes
    if not least >= 0:
        raise ValueError(f"{name}: min_votes={min_votes!r}, expected a vote number.")
    return least


def _read(
    rows: pd.DataFrame, how: WindowRecipe, min_gap: float, name: str
) -> tuple[Windows, np.ndarray]:
    """Check the columns; return the windows in the order of time, and that order."""
    needed = ["eeg_id", _EEG_START, *VOTE_COLUMNS]
    if how.spectrogram or how.merge:
        needed.append(_SPECTROGRAM_START)
    missing = [column for column in needed if column not in rows.columns]
    if missing:
        raise ValueError(
            f"{name}: rows has no column {missing}. Give rows of train.csv."
        )
    for column in needed:
        empty = np.flatnonzero(rows[column].isna())
        if empty.size:
            raise ValueError(
                f"{name}: {column} is missing in {empty.size} rows (first in row "
                f"{empty[0]}). Drop them."
            )
    table = rows[list(VOTE_COLUMNS)]
    votes = check_votes(table, caller=name)
    if np.isnan(votes.total_votes).any():
        raise ValueError(
            f"{name}: the vote columns hold fractions, which do not tell how many "
            "votes there were. Give the counts of train.csv."
        )
    starts = rows[_EEG_START].to_numpy(dtype=float)
    spectrogram = np.full(len(rows), np.nan)
    if _SPECTROGRAM_START in needed:
        spectrogram = rows[_SPECTROGRAM_START].to_numpy(dtype=float)
        if how.merge:
            _check_one_spectrogram(rows, name)
    eeg, _ = pd.factorize(rows["eeg_id"])
    order = np.lexsort((starts, eeg))
    windows = Windows(
        eeg=eeg[order],
        votes=table.to_numpy(dtype=float).astype(np.int64)[order],
        start=starts[order],
        spectrogram_start=spectrogram[order],
        min_gap=min_gap,
    )
    return windows, order


def _check_one_spectrogram(rows: pd.DataFrame, name: str) -> None:
    if "spectrogram_id" not in rows.columns:
        return
    number = rows.groupby("eeg_id")["spectrogram_id"].nunique()
    if (number > 1).any():
        raise ValueError(
            f"{name}: EEG {number.index[number > 1][0]} has windows in several "
            "spectrograms, so that there is no middle of their offsets. Use another "
            "recipe."
        )


def _few_missing(
    rows: pd.DataFrame, share: Any, largest: float, what: str, name: str
) -> np.ndarray:
    if share is None:
        return np.ones(len(rows), dtype=bool)
    if not 0 <= largest <= 1:
        raise ValueError(
            f"{name}: max_{what}_nan_share={largest!r}, expected a share from 0 to 1."
        )
    if isinstance(share, str):
        if share not in rows.columns:
            raise ValueError(
                f"{name}: {what}_nan_share={share!r} names no column of rows."
            )
        share = rows[share]
    values = np.asarray(share, dtype=float)
    if values.shape != (len(rows),) or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"{name}: {what}_nan_share has shape {values.shape}, expected a share from "
            f"0 to 1 for each of the {len(rows)} rows."
        )
    return values <= largest


def _cut(windows: Windows, use: np.ndarray) -> Windows:
    return Windows(
        eeg=windows.eeg[use],
        votes=windows.votes[use],
        start=windows.start[use],
        spectrogram_start=windows.spectrogram_start[use],
        min_gap=windows.min_gap,
    )


def _first_of_each(eeg: np.ndarray, kept: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(kept)
    first = np.zeros(kept.size, dtype=bool)
    first[rows[np.unique(eeg[rows], return_index=True)[1]]] = True
    return first


def _merge(
    taken: pd.DataFrame,
    windows: Windows,
    use: np.ndarray,
    period: np.ndarray,
    chosen: np.ndarray,
) -> None:
    """Write what a period comes to into the row that stands for it."""
    table = pd.DataFrame(windows.votes[use]).groupby(period[use]).sum()
    taken[list(VOTE_COLUMNS)] = table.loc[period[chosen]].to_numpy()
    for column, starts in (
        (_EEG_START, windows.start),
        (_SPECTROGRAM_START, windows.spectrogram_start),
    ):
        grouped = pd.Series(starts[use]).groupby(period[use])
        middle = (grouped.min() + grouped.max()) / 2
        taken[column] = middle.loc[period[chosen]].to_numpy()
