"""What an audit of splits found, to read, to count and to raise."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

__all__ = ["FINDING_COLUMNS", "REMEDIES", "LeakageError", "LeakageReport"]

#: Columns of the table of findings.
FINDING_COLUMNS = (
    "leak",
    "split",
    "n_train",
    "n_test",
    "share_test",
    "train_row",
    "test_row",
    "detail",
)

#: What is wrong, and what to do about it, for each kind of leak.
REMEDIES: Mapping[str, tuple[str, str]] = {
    "row": (
        "held-out rows are trained on",
        "take the held-out rows out of the training part",
    ),
    "patient": (
        "patients are on both sides",
        "split by patient, for instance with VoteStratifiedGroupKFold or GroupKFold "
        "and groups=rows['patient_id']",
    ),
    "eeg_window": (
        "EEG windows of both sides overlap in time",
        "keep all windows of an EEG on one side: split by patient or by eeg_id",
    ),
    "spectrogram_window": (
        "spectrogram windows of both sides overlap in time",
        "keep all windows of a spectrogram on one side: split by patient or by "
        "spectrogram_id",
    ),
    "signal": (
        "signals of both sides are copies of each other",
        "drop one of the copies, or give both the same group",
    ),
    "inner": (
        "splits within the training part divide patients",
        "give the inner cv groups, or rows with a column patient_id and a splitter by "
        "group",
    ),
    "stopping": (
        "the best epoch is chosen on rows that are scored, or on their patients",
        "stop early on patients of the training part",
    ),
    "pseudo": (
        "pseudo labels come from teachers that have seen held-out patients, or are "
        "labels of held-out patients",
        "make the pseudo labels of each split with teachers trained in its training "
        "part",
    ),
}


class LeakageError(ValueError):
    """Raised for splits that leak.

    Parameters
    ----------
    report : LeakageReport
        What was found.

    Examples
    --------
    >>> from hmsklearn.model_selection import LeakageError
    >>> issubclass(LeakageError, ValueError)
    True
    """

    def __init__(self, report: LeakageReport) -> None:
        super().__init__(report.message())
        self.report = report

    def __reduce__(self) -> tuple[type, tuple[LeakageReport]]:
        return type(self), (self.report,)


class LeakageReport:
    """What an audit of splits found.

    Parameters
    ----------
    findings : sequence of dict
        One for each kind of leak in each split, with the keys of the table's columns.
    checks : mapping of str to str
        What became of each check: ``"clean"``, ``"leaks"``, or why it was not made.
    n_splits : int
        Number of splits.
    copies : DataFrame, optional
        Pairs of windows with the same signal, wherever they are.

    See Also
    --------
    audit_leakage : Makes the report.

    Notes
    -----
    ``findings`` has a row for each kind of leak in each split:

    * ``leak``: ``"row"``, ``"patient"``, ``"eeg_window"``, ``"spectrogram_window"``,
      ``"signal"``, ``"inner"``, ``"stopping"`` or ``"pseudo"``;
    * ``split``: number of the split;
    * ``n_train``, ``n_test``: rows of both sides that take part, ``share_test`` the
      latter as a share of the held-out rows;
    * ``train_row``, ``test_row``: positions of one such pair;
    * ``detail``: which patient or recording they have in common.

    A check that could not be made is named in ``checks`` with the reason; it does not
    count as clean.

    Examples
    --------
    >>> import pandas as pd
    >>> from hmsklearn.model_selection import audit_leakage
    >>> rows = pd.DataFrame({"patient_id": [7, 7, 9]})
    >>> report = audit_leakage(rows, [0, 1, 1])
    >>> report.ok, report.counts.loc["patient", "n_splits"].item()
    (False, 2)
    >>> report.checks["eeg_window"]
    'not made: the rows have no column eeg_id'
    """

    def __init__(
        self,
        findings: Sequence[Mapping[str, Any]],
        checks: Mapping[str, str],
        n_splits: int,
        copies: pd.DataFrame | None = None,
    ) -> None:
        self.findings = pd.DataFrame(list(findings), columns=list(FINDING_COLUMNS))
        self.checks = dict(checks)
        self.n_splits = n_splits
        self.copies = copies

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return self.findings.empty

    @property
    def counts(self) -> pd.DataFrame:
        """Number of splits and of held-out rows, over all splits, for each leak."""
        grouped = self.findings.groupby("leak", sort=False)
        return grouped.agg(n_splits=("split", "nunique"), n_test=("n_test", "sum"))

    def message(self) -> str:
        """Say what is wrong and what to do about it.

        Returns
        -------
        str
            A sentence for each kind of leak.
        """
        if self.ok:
            return f"audit_leakage: no leak found in {self.n_splits} splits."
        parts = []
        for leak, row in self.counts.iterrows():
            first = self.findings[self.findings["leak"] == leak].iloc[0]
            cause, remedy = REMEDIES[str(leak)]
            parts.append(
                f"{cause} in {row['n_splits']} of {self.n_splits} splits "
                f"({row['n_test']} held-out rows; in split {first['split']}: "
                f"{first['detail']}). Remedy: {remedy}."
            )
        return f"audit_leakage: {' Also, '.join(parts)}"

    def raise_if_leaking(self) -> None:
        """Raise if anything was found.

        Raises
        ------
        LeakageError
            With :meth:`message`; its ``report`` is this one.
        """
        if not self.ok:
            raise LeakageError(self)

    def __repr__(self) -> str:
        state = "no leak" if self.ok else f"{len(self.findings)} findings"
        lines = [f"LeakageReport: {state} in {self.n_splits} splits"]
        width = max(map(len, self.checks), default=0)
        for check, outcome in self.checks.items():
            if check in self.counts.index:
                row = self.counts.loc[check]
                outcome = (
                    f"{REMEDIES[check][0]}: {row['n_splits']} splits, "
                    f"{row['n_test']} held-out rows"
                )
            lines.append(f"  {check:<{width}}  {outcome}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head, *lines = (html.escape(line) for line in repr(self).splitlines())
        body = "<br>".join(line.strip() for line in lines)
        table = "" if self.ok else self.findings.to_html(index=False)
        return f"<div><b>{head}</b><p>{body}</p>{table}</div>"
