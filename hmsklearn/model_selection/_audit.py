"""Looking for ways in which held-out rows have reached the training of their split."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from hmsklearn._compat import safe_indexing
from hmsklearn._groups import check_groups, patients_of
from hmsklearn.model_selection._audit_inner import inner_leaks, splitting_parts
from hmsklearn.model_selection._audit_rows import (
    Finding,
    Splits,
    finding,
    patient_leaks,
    row_leaks,
    window_codes,
    window_leaks,
)
from hmsklearn.model_selection._audit_training import (
    pseudo_leaks,
    read_stopping,
    stopping_leaks,
)
from hmsklearn.model_selection._leakage_report import LeakageReport
from hmsklearn.model_selection._signal_copies import MIN_SECONDS, find_copies
from hmsklearn.model_selection._split_forms import read_splits
from hmsklearn.model_selection._splits import count_rows
from hmsklearn.model_selection._vote_cells import rows_of

__all__ = ["audit_leakage"]


def audit_leakage(
    X: Any,
    splits: Any,
    y: Any = None,
    *,
    groups: Any = None,
    signals: Any = None,
    estimator: Any = None,
    stopping: Any = None,
    pseudo: Any = None,
    on_leak: str = "report",
    eeg_seconds: float = 50.0,
    spectrogram_seconds: float = 600.0,
    sfreq: float = 200.0,
    min_correlation: float = 0.9,
    min_overlap: float = 3.0,
) -> LeakageReport:
    """Look for leaks across splits.

    Parameters
    ----------
    X : DataFrame, array-like, list or WindowViews
        The rows. A DataFrame of rows of ``train.csv``, also as one of several views,
        tells patients and windows; of anything else only `groups` and `signals` are
        looked at.
    splits : array-like of int or str, str, splitter, fitted stack or iterable of pairs
        Fold number (negative ones are never held out) or name of the fold of each row,
        the column of `X` with them, a splitter, a
        :class:`hmsklearn.ensemble.StackingKLClassifier` that was fitted with
        ``store_oof=True``, or (train, test) pairs of row numbers or masks.
    y : array-like, optional
        What splitters are given beside `X`.
    groups : array-like of shape (n,), optional
        Patient of each row. Without it, the column ``patient_id`` of `X`.
    signals : ndarray, transformer or callable, optional
        Signals of shape (n, n_channels, n_times), in which copies are looked for: an
        array, something with ``transform`` that reads them from rows of `X`, such as
        :class:`hmsklearn.datasets.HMSReader`, or a function of row numbers.
    estimator : estimator, optional
        What is fitted in each split: the splits that it makes of the training part, by
        ``cv`` of a stack, a search or a calibration, wherever in it, are looked at too.
    stopping : sequence, optional
        For each split what its early stopping looks at: row numbers, a mask, the number
        of the split whose held-out rows they are, or None.
    pseudo : DataFrame or sequence, optional
        Where pseudo labels come from. A sequence gives for each split the rows that its
        teachers were trained on, or None. A DataFrame has a row for each
        pseudo-labelled window, and the columns ``teacher_patients`` (the patients that
        its teachers were trained on, as a list), ``patient_id`` (its own patient) or
        both; with ``split`` a row is used in the split of that number alone.
    on_leak : {"report", "warn", "raise"}, default="report"
        Whether to warn or to raise if anything is found.
    eeg_seconds, spectrogram_seconds : float, default=50.0, 600.0
        Length of the windows.
    sfreq : float, default=200.0
        Samples a second of `signals`.
    min_correlation : float, default=0.9
        From which correlation on, in magnitude, signals are copies.
    min_overlap : float, default=3.0
        Seconds that copies must have in common. Below about 10 s they are found in
        part: of 28 copies each, all with 10 s in common, 16 with 5 s, one with 3 s.

    Returns
    -------
    LeakageReport
        What was found, and which checks were made.

    Raises
    ------
    LeakageError
        With ``on_leak="raise"``, if anything was found. It is a ``ValueError`` that
        names causes and remedies.
    ValueError
        If the splits or what else is given are not usable.

    Warns
    -----
    UserWarning
        With ``on_leak="warn"``, if anything was found.

    See Also
    --------
    VoteStratifiedGroupKFold : Folds that keep patients whole.

    Notes
    -----
    Looked for are rows and patients on both sides of a split; windows of both sides
    that overlap in time, of the same ``eeg_id`` or the same ``spectrogram_id`` (rows
    without offsets are taken to overlap all of their recording); signals that are
    copies of each other; patients that the estimator's own splits divide; early
    stopping on scored rows, on their patients or on windows that overlap them; pseudo
    labels of held-out patients or from teachers that have seen them. A split may leave
    rows out or hold them out twice: that is no leak.

    Copies are found if shifted in time, rescaled (also channel by channel, also upside
    down) or with a little noise. Windows of the same ``eeg_id`` are not compared, what
    they have in common is known from their offsets. Each window is described by the
    pieces of a mixture of its channels around its peaks, 1 to 12 Hz; windows that share
    two pieces at the same distance in time are then correlated, channel by channel. The
    time grows with the number of windows, not with its square. NaN count as zero.

    References
    ----------
    Overlapping windows, shared patients and a second stage that knew the first one's
    validation patients cost teams of the HMS competition their scores; the user guide
    has the numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.model_selection import GroupKFold, KFold
    >>> from hmsklearn.model_selection import audit_leakage
    >>> rows = pd.DataFrame({"patient_id": [1, 1, 2, 2], "eeg_id": [5, 5, 6, 6],
    ...                      "eeg_label_offset_seconds": [0, 6, 0, 60]})
    >>> report = audit_leakage(rows, KFold(2, shuffle=True, random_state=3))
    >>> report.counts["n_test"].to_dict()
    {'patient': 4, 'eeg_window': 2}
    >>> audit_leakage(rows, GroupKFold(2), on_leak="raise").ok
    True
    """
    name = "audit_leakage"
    if on_leak not in ("report", "warn", "raise"):
        raise ValueError(
            f"{name}: on_leak={on_leak!r}, expected 'report', 'warn' or 'raise'."
        )
    n_rows = count_rows(X, caller=name)
    patient = patients_of(X) if groups is None else groups
    patient = check_groups(patient, n_rows, caller=name)
    pairs = read_splits(splits, X, y, patient, n_rows, caller=name)
    rows = rows_of(X)

    findings = list(row_leaks(pairs))
    checks = {"row": "clean"}
    if patient is None:
        checks["patient"] = "not made: neither groups nor a column patient_id"
    else:
        checks["patient"] = "clean"
        findings += patient_leaks(pairs, patient)
    windows = []
    for leak, key, seconds in (
        ("eeg_window", "eeg", eeg_seconds),
        ("spectrogram_window", "spectrogram", spectrogram_seconds),
    ):
        if rows is None or f"{key}_id" not in rows.columns:
            checks[leak] = f"not made: the rows have no column {key}_id"
            continue
        checks[leak] = "clean"
        offset = f"{key}_label_offset_seconds"
        code, start = window_codes(rows, f"{key}_id", offset, name)
        windows.append((code, start, seconds))
        names = f"{key}_id " + rows[f"{key}_id"].astype(str).to_numpy(dtype=object)
        findings += window_leaks(pairs, code, start, seconds, leak, names)

    copies = None
    if signals is None:
        checks["signal"] = "not made: no signals given"
    else:
        copies, checks["signal"] = _copies(
            signals, X, rows, n_rows, sfreq, min_correlation, min_overlap, name
        )
        findings += _copy_leaks(pairs, copies, n_rows)
    if estimator is None:
        checks["inner"] = "not made: no estimator given"
    elif patient is None:
        checks["inner"] = checks["patient"]
    elif not splitting_parts(estimator):
        checks["inner"] = "not made: no part of the estimator has a cv"
    else:
        checks["inner"] = "clean"
        findings += inner_leaks(estimator, pairs, X, y, patient, caller=name)
    if stopping is None:
        checks["stopping"] = "not made: no stopping given"
    else:
        checks["stopping"] = "clean"
        read = read_stopping(stopping, pairs, n_rows, caller=name)
        findings += stopping_leaks(pairs, read, patient, windows)
    if pseudo is None:
        checks["pseudo"] = "not made: no pseudo given"
    else:
        checks["pseudo"] = "clean"
        findings += pseudo_leaks(pseudo, pairs, patient, n_rows, caller=name)

    for found in findings:
        checks[found["leak"]] = "leaks"
    report = LeakageReport(findings, checks, len(pairs), copies)
    if on_leak == "raise":
        report.raise_if_leaking()
    if on_leak == "warn" and not report.ok:
        warnings.warn(report.message(), UserWarning, stacklevel=2)
    return report


def _copies(
    signals: Any,
    X: Any,
    rows: pd.DataFrame | None,
    n_rows: int,
    sfreq: float,
    min_correlation: float,
    min_overlap: float,
    name: str,
) -> tuple[pd.DataFrame, str]:
    """Look for copies; say what of it was possible."""
    read = _reader(signals, X, n_rows, name)
    shape = read(np.arange(1)).shape
    if len(shape) != 3:
        raise ValueError(
            f"{name}: signals have shape {('n', *shape[1:])}, expected windows, (n, "
            "n_channels, n_times)."
        )
    if not 0 < min_correlation <= 1:
        raise ValueError(
            f"{name}: min_correlation={min_correlation!r}, expected a number up to 1."
        )
    eeg = np.arange(n_rows)
    if rows is not None and "eeg_id" in rows.columns:
        eeg = pd.factorize(rows["eeg_id"])[0]
    copies = find_copies(
        read,
        n_rows,
        eeg,
        sfreq=sfreq,
        min_correlation=min_correlation,
        min_overlap=min_overlap,
    )
    if shape[2] < MIN_SECONDS * sfreq:
        return copies, (
            f"equal signals alone: windows of {shape[2] / sfreq:g} s are too short for "
            "others"
        )
    return copies, "clean"


def _reader(signals: Any, X: Any, n_rows: int, name: str) -> Any:
    if hasattr(signals, "transform"):
        return lambda rows: np.asarray(signals.transform(safe_indexing(X, rows)))
    if callable(signals):
        return lambda rows: np.asarray(signals(rows))
    if np.ndim(signals) == 0 or len(signals) != n_rows:
        raise ValueError(
            f"{name}: signals of type {type(signals).__name__} are no windows of the "
            f"{n_rows} rows. Give an array with one for each, a transformer that reads "
            "them, or a function of row numbers."
        )
    return lambda rows: np.asarray(signals[rows])


def _copy_leaks(splits: Splits, copies: pd.DataFrame, n_rows: int) -> list[Finding]:
    one, other = copies["row"].to_numpy(), copies["other"].to_numpy()
    found = []
    for number, (train, test) in enumerate(splits):
        in_train, in_test = np.zeros((2, n_rows), dtype=bool)
        in_train[train], in_test[test] = True, True
        forth, back = in_train[one] & in_test[other], in_test[one] & in_train[other]
        trained = np.concatenate([one[forth], other[back]])
        tested = np.concatenate([other[forth], one[back]])
        if tested.size:
            which = int(np.flatnonzero(forth | back)[0])
            pair = copies.iloc[which]
            detail = (
                f"rows {one[which]} and {other[which]} are equal"
                if pair["exact"]
                else f"rows {one[which]} and {other[which]} correlate by "
                f"{pair['correlation']:.3f}, {pair['seconds']:g} s apart"
            )
            rows = (int(trained[0]), int(tested[0]))
            found.append(
                finding(
                    "signal",
                    number,
                    test.size,
                    np.unique(trained),
                    np.unique(tested),
                    rows,
                    detail,
                )
            )
    return found
