"""Leaks across splits: each kind is found, named, counted and raised."""

import pickle
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, RepeatedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from soft_labels import SoftLogistic

from hmsklearn.datasets import HMSReader, load_hms
from hmsklearn.ensemble import StackingKLClassifier
from hmsklearn.model_selection import (
    LeakageError,
    LeakageReport,
    VoteStratifiedGroupKFold,
    audit_leakage,
    deduplicate_windows,
)
from hmsklearn.views import WindowViews

ROWS = pd.DataFrame(
    {
        "patient_id": [1, 1, 2, 2, 3, 3],
        "eeg_id": [10, 10, 20, 21, 30, 30],
        "eeg_label_offset_seconds": [0, 6, 0, 0, 0, 50],
        "spectrogram_id": [100, 100, 200, 200, 300, 300],
        "spectrogram_label_offset_seconds": [0, 6, 0, 599, 0, 600],
    }
)
BY_PATIENT = [0, 0, 1, 1, 2, 2]


def leaks(report):
    return report.counts["n_test"].to_dict()


class TestRowsAndWindows:
    def test_whole_patients_are_clean(self):
        report = audit_leakage(ROWS, BY_PATIENT, on_leak="raise")
        assert report.ok
        assert report.findings.empty
        assert report.counts.empty
        made = {check for check, outcome in report.checks.items() if outcome == "clean"}
        assert made == {"row", "patient", "eeg_window", "spectrogram_window"}

    def test_one_patient_divided(self):
        report = audit_leakage(ROWS, [0, 1, 1, 1, 2, 2])
        assert leaks(report) == {
            "patient": 2,
            "eeg_window": 2,
            "spectrogram_window": 2,
        }
        first = report.findings.iloc[0]
        assert first[["leak", "split", "n_train", "n_test"]].tolist() == [
            "patient",
            0,
            1,
            1,
        ]
        assert (first["share_test"], first["train_row"], first["test_row"]) == (1, 1, 0)
        assert first["detail"] == "1 patients, such as 1"

    @pytest.mark.parametrize(
        ("folds", "found"),
        [
            # Windows 50 s apart have nothing in common, and 600 s for spectrograms.
            ([0, 0, 1, 1, 2, 3], {"patient": 2}),
            # Another EEG of the same spectrogram, 599 s later.
            ([0, 0, 1, 2, 3, 3], {"patient": 2, "spectrogram_window": 2}),
        ],
    )
    def test_which_windows_overlap(self, folds, found):
        assert leaks(audit_leakage(ROWS, folds)) == found

    def test_lengths_of_windows(self):
        report = audit_leakage(
            ROWS, [0, 0, 1, 1, 2, 3], eeg_seconds=51, spectrogram_seconds=601
        )
        assert leaks(report) == {
            "patient": 2,
            "eeg_window": 2,
            "spectrogram_window": 2,
        }

    def test_rows_without_offsets_overlap_their_recording(self):
        rows = ROWS[["eeg_id"]]
        report = audit_leakage(rows, [0, 0, 1, 1, 2, 3])
        assert leaks(report) == {"eeg_window": 2}
        assert report.checks["patient"].startswith("not made")
        assert "no column spectrogram_id" in report.checks["spectrogram_window"]

    def test_rows_on_both_sides(self):
        splits = [([0, 1, 2], [2, 3]), ([0, 1], [4, 5])]
        report = audit_leakage(np.zeros((6, 1)), splits)
        assert report.findings[["leak", "split", "test_row"]].to_numpy().tolist() == [
            ["row", 0, 2]
        ]

    def test_patients_given(self):
        assert leaks(audit_leakage(ROWS, BY_PATIENT, groups=[1, 1, 1, 2, 3, 4])) == {
            "patient": 3
        }
        assert leaks(audit_leakage([[0]] * 4, [0, 1, 0, 1], groups=list("aabb"))) == {
            "patient": 4
        }

    def test_views(self):
        views = WindowViews(eeg=np.zeros((6, 2, 4)), rows=ROWS)
        assert leaks(audit_leakage(views, [0, 1, 1, 1, 2, 2]))["eeg_window"] == 2

    @settings(deadline=None, max_examples=60)
    @given(st.integers(0, 10_000))
    def test_same_as_pair_by_pair(self, seed):
        rng = np.random.default_rng(seed)
        n = 25
        rows = pd.DataFrame(
            {
                "patient_id": rng.integers(0, 8, n),
                "eeg_id": rng.integers(0, 5, n),
                "eeg_label_offset_seconds": rng.integers(0, 200, n),
            }
        )
        folds = rng.integers(-1, 3, n)
        report = audit_leakage(rows, folds)
        found = {
            (leak, split): row
            for leak, split, *row in report.findings.drop(
                columns=["share_test", "detail"]
            ).itertuples(index=False)
        }
        for number, fold in enumerate(np.unique(folds[folds >= 0])):
            for leak, column, reach in (
                ("patient", "patient_id", np.inf),
                ("eeg_window", "eeg_id", 50),
            ):
                same = rows[column].to_numpy()[:, None] == rows[column].to_numpy()
                at = rows["eeg_label_offset_seconds"].to_numpy()
                near = np.abs(at[:, None] - at) < reach
                hit = same & near & (folds[:, None] != fold) & (folds == fold)
                assert ((leak, number) in found) == hit.any()
                if hit.any():
                    n_train, n_test, train_row, test_row = found[leak, number]
                    assert n_test == hit.any(axis=0).sum()
                    assert n_train == hit.any(axis=1).sum()
                    assert hit[train_row, test_row]


class TestFormsOfSplits:
    def test_all_say_the_same(self):
        fold = np.array([0, 1, 1, 1, 2, 2])
        masks = [(fold != k, fold == k) for k in range(3)]
        rows = ROWS.assign(fold=fold, name=[f"f{k}" for k in fold])
        expected = audit_leakage(ROWS, fold).findings
        forms = [
            fold.tolist(),
            fold.astype(float),
            pd.Series(fold, index=list("abcdef")),
            [f"f{k}" for k in fold],
            np.array([f"f{k}" for k in fold]),
            pd.Series([f"f{k}" for k in fold], dtype="category"),
            "fold",
            "name",
            masks,
            (pair for pair in masks),
            [(np.flatnonzero(a), np.flatnonzero(b)) for a, b in masks],
        ]
        for form in forms:
            pd.testing.assert_frame_equal(audit_leakage(rows, form).findings, expected)

    def test_splitters(self):
        assert audit_leakage(ROWS, GroupKFold(3)).ok
        assert not audit_leakage(ROWS, KFold(4)).ok
        repeated = audit_leakage(ROWS, RepeatedKFold(n_splits=2, n_repeats=3))
        assert repeated.n_splits == 6

    def test_rows_of_negative_folds_are_trained_on(self):
        report = audit_leakage(ROWS, [-1, 0, -1, -1, -1, -1])
        assert report.n_splits == 1
        assert report.counts.loc["patient", "n_test"] == 1

    def test_stack(self):
        rng = np.random.default_rng(0)
        votes = rng.multinomial(9, np.full(6, 1 / 6), 24)
        X, patient = rng.normal(size=(24, 2)), np.repeat(np.arange(8), 3)
        stack = StackingKLClassifier([("a", SoftLogistic())], cv=3, store_oof=True)
        fitted = stack.fit(X, votes, groups=patient)
        assert audit_leakage(X, fitted, groups=patient).ok
        assert not audit_leakage(X, stack.fit(X, votes), groups=patient).ok

    @pytest.mark.parametrize(
        ("splits", "message"),
        [
            ("fold", r"splits='fold' names no column"),
            ([], r"splits is empty|fold numbers have shape \(0,\)"),
            ([0, 1], r"fold numbers have shape \(2,\)"),
            (["a", "b"], r"there are 2 fold names and 0 other entries, .* 6 rows"),
            (["a", None] * 3, r"there are 3 fold names and 3 other entries"),
            ([0.5] * 6, r"dtype float64, expected a whole number"),
            ([([0], [1], [2])], r"split 0 has 3 parts"),
            ([([0], [6])], r"split 0 names row 6, and the rows are 0 \.\. 5"),
            ([([0], [-1])], r"names row -1"),
            ([([0], [0.5])], r"expected row numbers, or a mask"),
            (KFold, r"KFold is a class"),
            (3, r"splits of type int"),
            (KFold(9), r"KFold.* cannot split the rows"),
            (StackingKLClassifier([]), r"splits of type StackingKLClassifier"),
        ],
    )
    def test_no_splits(self, splits, message):
        with pytest.raises(ValueError, match=message):
            audit_leakage(ROWS, splits)


class TestInnerSplits:
    X = np.random.default_rng(0).normal(size=(24, 2))
    patient = np.arange(24) // 2
    outer = GroupKFold(3)

    def audit(self, estimator, X=None, y=None):
        X = self.X if X is None else X
        return audit_leakage(X, self.outer, y, groups=self.patient, estimator=estimator)

    def stack(self, cv):
        return StackingKLClassifier([("a", SoftLogistic())], cv=cv)

    def test_stack(self):
        report = self.audit(self.stack(KFold(3, shuffle=True, random_state=0)))
        assert report.findings["leak"].tolist() == ["inner"] * 3
        first = report.findings.iloc[0]
        assert first["detail"].startswith("cv=KFold(n_splits=3, random_state=0,")
        rows = [first["train_row"], first["test_row"]]
        assert np.unique(self.patient[rows]).size == 1
        train, _ = next(iter(self.outer.split(self.X, groups=self.patient)))
        assert np.isin(rows, train).all()
        with pytest.raises(LeakageError, match="Remedy: give the inner cv groups"):
            report.raise_if_leaking()
        assert self.audit(self.stack(GroupKFold(2))).checks["inner"] == "clean"

    def test_numbers(self):
        # Rows as they come; by patient where the rows tell them.
        assert not self.audit(self.stack(5)).ok
        assert not self.audit(self.stack(None)).ok
        rows = pd.DataFrame({"patient_id": self.patient})
        assert self.audit(self.stack(5), rows).ok

    def test_other_estimators(self):
        y = np.random.default_rng(1).integers(0, 2, 24)
        calibrated = CalibratedClassifierCV(LogisticRegression(), cv=2)
        report = self.audit(make_pipeline(StandardScaler(), calibrated), y=y)
        assert "calibratedclassifiercv__cv=2 divides" in report.findings["detail"][0]
        search = GridSearchCV(self.stack(GroupKFold(2)), {}, cv=KFold(5))
        report = self.audit(search)
        assert report.findings["detail"].str.startswith("cv=KFold(n_splits=5").all()

    def test_what_is_not_looked_at(self):
        report = self.audit(LogisticRegression())
        assert report.checks["inner"] == "not made: no part of the estimator has a cv"
        report = audit_leakage(self.X, KFold(2), estimator=self.stack(2))
        assert report.checks["inner"].startswith("not made: neither groups")


class TestStopping:
    rows = ROWS
    folds = BY_PATIENT

    def audit(self, stopping, rows=None):
        rows = self.rows if rows is None else rows
        return audit_leakage(rows, self.folds, stopping=stopping)

    def test_stopping_in_the_training_part(self):
        report = self.audit([[2, 3], [4, 5], [0, 1]])
        assert report.ok
        assert report.checks["stopping"] == "clean"
        assert self.audit([1, 2, 0]).ok
        assert self.audit([None, None, np.zeros(6, dtype=bool)]).ok

    def test_stopping_on_the_scored_fold(self):
        report = self.audit([0, 2, [0, 4]])
        found = report.findings
        assert found[["leak", "split", "n_test"]].to_numpy().tolist() == [
            ["stopping", 0, 2],
            ["stopping", 2, 1],
        ]
        with pytest.raises(LeakageError, match="best epoch is chosen on rows that are"):
            audit_leakage(
                self.rows, self.folds, stopping=[0, None, None], on_leak="raise"
            )

    def test_stopping_on_a_scored_patient(self):
        splits = [([2, 3], [0])]
        report = audit_leakage(ROWS, splits, stopping=[[1]])
        assert report.findings["detail"].tolist() == [
            "1 patients are stopped on and scored, such as 1"
        ]

    def test_stopping_on_windows_that_overlap(self):
        rows = ROWS.drop(columns="patient_id")
        report = audit_leakage(rows, [([2, 3], [0])], stopping=[[1]])
        assert report.findings["detail"].tolist() == [
            "row 1 is stopped on and overlaps the scored row 0"
        ]

    @pytest.mark.parametrize(
        ("stopping", "message"),
        [
            ([0, 1], r"stopping has 2 entries and there are 3 splits"),
            (0, r"stopping has 0 entries"),
            ([0, 1, 3], r"stopping\[2\]=3 is no number of a split"),
            ([0, 1, [6]], r"stopping\[2\] names row 6"),
        ],
    )
    def test_wrong_stopping(self, stopping, message):
        with pytest.raises(ValueError, match=message):
            self.audit(stopping)


class TestPseudoLabels:
    def audit(self, pseudo, **params):
        return audit_leakage(ROWS, BY_PATIENT, pseudo=pseudo, **params)

    def test_rows_of_the_teachers(self):
        inside = [[2, 3, 4, 5], [0, 1, 4, 5], [0, 1, 2, 3]]
        assert self.audit(inside).ok
        assert self.audit([None, inside[1], None]).checks["pseudo"] == "clean"
        report = self.audit([inside[0], inside[0], inside[2]])
        assert report.findings[["leak", "split", "n_test"]].to_numpy().tolist() == [
            ["pseudo", 1, 2]
        ]
        assert report.findings["detail"].tolist() == [
            "teachers saw 1 held-out patients, such as 2"
        ]
        # One window of a held-out patient is enough.
        assert self.audit([[1], None, None]).counts.loc["pseudo", "n_test"] == 2

    def test_table(self):
        table = pd.DataFrame({"teacher_patients": [[1, 2], [2]]})
        report = self.audit(table)
        assert report.findings["split"].tolist() == [0, 1]
        assert report.findings["n_train"].tolist() == [1, 2]
        clean = table.assign(split=2)
        assert self.audit(clean).ok
        bad = self.audit(table.assign(split=[2, 1]))
        assert bad.findings[["split", "train_row"]].to_numpy().tolist() == [[1, 1]]

    def test_labels_of_held_out_patients(self):
        table = pd.DataFrame({"patient_id": [3, 9], "split": [0, 0]})
        assert self.audit(table).ok
        report = self.audit(table.assign(split=2))
        assert report.findings["detail"].tolist() == [
            "1 pseudo-labelled rows are of 1 held-out patients, such as 3"
        ]
        with pytest.raises(LeakageError, match="Remedy: make the pseudo labels"):
            self.audit(table.assign(split=2), on_leak="raise")

    def test_without_patients_rows_count(self):
        report = audit_leakage(np.zeros((4, 1)), [0, 0, 1, 1], pseudo=[[0], [0]])
        assert report.findings["split"].tolist() == [0]
        assert "held-out rows, such as 0" in report.findings["detail"][0]

    @pytest.mark.parametrize(
        ("pseudo", "message"),
        [
            ([[0]], r"pseudo has 1 entries and there are 3 splits"),
            ([[0], [9], None], r"pseudo\[1\] names row 9"),
            (pd.DataFrame({"eeg_id": [1]}), r"neither a column teacher_patients"),
            (pd.DataFrame({"patient_id": [1], "split": [3]}), r"names split 3"),
            (pd.DataFrame({"patient_id": ["3"]}), r"names '3' in row 0 as text"),
            (pd.DataFrame({"patient_id": [3, None]}), r"is missing in row 1"),
            (
                pd.DataFrame({"teacher_patients": [[1], "[1, 3]"]}),
                r"teacher_patients of pseudo names '\[1, 3\]' in row 1 as text",
            ),
            (pd.DataFrame({"teacher_patients": [["1"]]}), r"names '1' in row 0"),
            (pd.DataFrame({"teacher_patients": [None]}), r"is missing in row 0"),
        ],
    )
    def test_wrong_pseudo(self, pseudo, message):
        with pytest.raises(ValueError, match=message):
            self.audit(pseudo)

    def test_patients_as_texts_and_no_teachers(self):
        table = pd.DataFrame({"teacher_patients": [[], ["b", "a"]]})
        report = audit_leakage(
            np.zeros((4, 1)), [0, 0, 1, 1], groups=list("aabb"), pseudo=table[:1]
        )
        assert report.checks["pseudo"] == "clean"
        report = audit_leakage(
            np.zeros((4, 1)), [0, 0, 1, 1], groups=list("aabb"), pseudo=table
        )
        assert report.findings["split"].tolist() == [0, 1]

    def test_table_needs_patients(self):
        with pytest.raises(ValueError, match="those of the rows are not known"):
            audit_leakage([[0]] * 2, [0, 1], pseudo=pd.DataFrame({"patient_id": [1]}))


@pytest.fixture(scope="module")
def records():
    noise = np.random.default_rng(0).normal(size=(24, 4, 4000))
    return (20 * lfilter([1.0], [1.0, -0.95], noise)).astype(np.float32)


class TestSignals:
    """Copies among windows of 25 s, 4 electrodes, at 100 Hz."""

    sfreq, n_times = 100.0, 2500

    def audit(self, windows, **params):
        n = len(windows)
        params = {"sfreq": self.sfreq, "signals": windows, **params}
        return audit_leakage(np.zeros((n, 1)), np.arange(n) % 2, **params)

    def windows(self, records, copy):
        windows = records[:, :, : self.n_times].copy()
        windows[7] = copy
        return windows

    def test_no_copies(self, records):
        report = self.audit(records[:, :, : self.n_times])
        assert report.ok
        assert report.checks["signal"] == "clean"
        assert report.copies.empty

    @pytest.mark.parametrize(
        ("start", "gain", "noise"),
        [
            (300, 1.0, 0.0),
            (1234, 7.0, 0.0),
            (0, 0.01, 0.0),
            (500, -2.0, 0.0),
            (0, 1.0, 0.1),
            (900, 3.0, 0.05),
            (700, "channels", 0.0),
        ],
    )
    def test_copy(self, records, rng, start, gain, noise):
        if gain == "channels":
            gain = np.array([[0.5], [3.0], [1.0], [1.5]])
        copy = records[2, :, start : start + self.n_times]
        copy = gain * (copy + noise * copy.std() * rng.normal(size=copy.shape))
        report = self.audit(self.windows(records, copy))
        assert report.copies[["row", "other", "exact"]].to_numpy().tolist() == [
            [2, 7, False]
        ]
        [pair] = report.copies.to_dict("records")
        assert pair["seconds"] == pytest.approx(-start / self.sfreq, abs=0.02)
        assert abs(pair["correlation"]) > 0.97
        assert (pair["correlation"] < 0) == (np.min(gain) < 0)
        assert report.findings["leak"].tolist() == ["signal", "signal"]
        with pytest.raises(LeakageError, match="rows 2 and 7 correlate by"):
            report.raise_if_leaking()

    def test_equal_windows(self, records):
        report = self.audit(self.windows(records, records[2, :, : self.n_times]))
        assert report.copies[["row", "other", "exact"]].to_numpy().tolist() == [
            [2, 7, True]
        ]
        assert "rows 2 and 7 are equal" in report.findings["detail"][0]

    def test_part_in_common(self, records):
        copy = records[7, :, : self.n_times].copy()
        copy[:, :1000] = records[2, :, 1500:2500]
        report = self.audit(self.windows(records, copy))
        assert report.copies[["row", "other"]].to_numpy().tolist() == [[2, 7]]
        assert self.audit(self.windows(records, copy), min_overlap=11).ok

    def test_copies_on_one_side_are_no_leak(self, records):
        windows = records[:, :, : self.n_times].copy()
        windows[8] = windows[2]
        report = self.audit(windows)
        assert report.ok
        assert len(report.copies) == 1

    def test_an_artefact_elsewhere_does_not_hide_a_copy(self, records):
        copy = records[2, :, 600 : 600 + self.n_times].copy()
        copy[:, -200:] *= 1000
        report = self.audit(self.windows(records, copy))
        assert report.copies[["row", "other"]].to_numpy().tolist() == [[2, 7]]

    def test_one_eeg_is_not_compared_with_itself(self, records):
        copy = records[2, :, 300 : 300 + self.n_times]
        rows = pd.DataFrame({"eeg_id": np.arange(24)})
        windows = self.windows(records, copy)
        folds = np.arange(24) % 2
        params = {"signals": windows, "sfreq": self.sfreq}
        assert not audit_leakage(rows, folds, **params).ok
        rows.loc[7, "eeg_id"] = 2
        assert audit_leakage(rows, folds, **params).copies.empty

    @pytest.mark.parametrize("noise", [0.0, 0.02])
    def test_many_copies_of_one_signal(self, records, rng, monkeypatch, noise):
        """Not pair by pair, but every one of them is seen."""
        # Wherever it is: collecting doctests may have imported the module twice.
        module = audit_leakage.__globals__["find_copies"].__globals__
        monkeypatch.setitem(module, "_LARGEST_BUCKET", 5)
        n, one = 20, records[2, :, : self.n_times]
        windows = np.repeat(one[None], n, axis=0)
        windows = windows + noise * one.std() * rng.normal(size=windows.shape)
        report = self.audit(windows)
        seen = set(report.copies["row"]) | set(report.copies["other"])
        assert seen == set(range(n))
        assert report.findings["n_test"].tolist() == [n // 2, n // 2]
        monkeypatch.setitem(module, "_LARGEST_BUCKET", 200)
        assert len(self.audit(windows).copies) == n * (n - 1) // 2
        assert len(report.copies) < n * (n - 1) // 2

    def test_missing_values_and_flat_windows(self, records):
        windows = records[:, :, : self.n_times].copy()
        windows[[3, 4]] = np.nan
        windows[[5, 6]] = 12.0
        windows[7] = windows[2]
        windows[[2, 7], 1, 100:700] = np.nan
        report = self.audit(windows)
        assert report.copies[["row", "other"]].to_numpy().tolist() == [[2, 7]]

    def test_short_windows(self, records):
        windows = records[:, :, :300].copy()
        windows[7] = windows[2]
        report = self.audit(windows)
        assert report.copies["exact"].tolist() == [True]
        windows[7] = 0
        assert "too short for others" in self.audit(windows).checks["signal"]

    def test_functions_and_readers(self, records, hms_root):
        copy = records[2, :, 300 : 300 + self.n_times]
        windows = self.windows(records, copy)
        expected = self.audit(windows).findings
        got = self.audit(windows, signals=lambda rows: windows[rows]).findings
        pd.testing.assert_frame_equal(got, expected)
        rows = load_hms(hms_root).data.iloc[:12]
        report = audit_leakage(rows, np.arange(12) % 2, signals=HMSReader())
        assert report.checks["signal"] in ("clean", "leaks")

    def test_input_is_left_alone(self, records):
        windows = records[:, :, : self.n_times].copy()
        windows[0, 0, :9] = np.nan
        windows.setflags(write=False)
        self.audit(windows)

    def test_real_windows(self, real_windows):
        """Copies of real EEGs, some of them full of artefacts, and no others."""
        real_windows = real_windows[::2]
        n = len(real_windows)
        windows = np.concatenate(
            [real_windows[:, :, :8000], 2.5 * real_windows[:, :, 1234 : 1234 + 8000]]
        )
        report = audit_leakage(
            np.zeros((2 * n, 1)), np.repeat([0, 1], n), signals=windows
        )
        copies = report.copies
        assert copies["row"].tolist() == list(range(n))
        assert (copies["other"] == copies["row"] + n).all()
        assert (copies["seconds"] == -6.17).all()

    @pytest.mark.parametrize(
        ("signals", "params", "message"),
        [
            (np.zeros((5, 2, 900)), {}, r"signals of type ndarray are no windows"),
            (np.zeros((6, 900)), {}, r"signals have shape \('n', 900\)"),
            (np.zeros((6, 2, 900)), {"min_correlation": 0}, r"min_correlation=0"),
        ],
    )
    def test_wrong_signals(self, signals, params, message):
        with pytest.raises(ValueError, match=message):
            audit_leakage(ROWS, BY_PATIENT, signals=signals, **params)


class TestReport:
    bad = [0, 1, 1, 1, 2, 2]

    def test_raise_and_warn(self):
        with pytest.raises(
            LeakageError, match="patients are on both sides in 2 of 3"
        ) as e:
            audit_leakage(ROWS, self.bad, on_leak="raise")
        assert "Remedy: split by patient" in str(e.value)
        assert "EEG windows of both sides overlap" in str(e.value)
        assert isinstance(e.value, ValueError)
        assert not e.value.report.ok
        with pytest.warns(UserWarning, match="audit_leakage: patients are on both"):
            audit_leakage(ROWS, self.bad, on_leak="warn")
        audit_leakage(ROWS, BY_PATIENT, on_leak="warn")

    def test_repr(self):
        report = audit_leakage(ROWS, self.bad)
        lines = repr(report).splitlines()
        assert lines[0] == "LeakageReport: 6 findings in 3 splits"
        assert lines[2].split(maxsplit=1) == [
            "patient",
            "patients are on both sides: 2 splits, 2 held-out rows",
        ]
        assert lines[1].split() == ["row", "clean"]
        assert "<table" in report._repr_html_()
        clean = audit_leakage(ROWS, BY_PATIENT)
        assert repr(clean).startswith("LeakageReport: no leak in 3 splits")
        assert "<table" not in clean._repr_html_()
        assert clean.message() == "audit_leakage: no leak found in 3 splits."

    def test_pickle(self):
        with pytest.raises(LeakageError) as error:
            audit_leakage(ROWS, self.bad, on_leak="raise")
        again = pickle.loads(pickle.dumps(error.value))
        assert str(again) == str(error.value)
        assert isinstance(again.report, LeakageReport)

    def test_wrong_parameters(self):
        with pytest.raises(ValueError, match="on_leak='stop', expected"):
            audit_leakage(ROWS, BY_PATIENT, on_leak="stop")
        rows = ROWS.assign(eeg_id=[10, 10, np.nan, 21, 30, 30])
        with pytest.raises(ValueError, match=r"eeg_id is missing in 1 .*in row 2"):
            audit_leakage(rows, BY_PATIENT)
        with pytest.raises(ValueError, match="groups are missing in 1 rows"):
            audit_leakage(ROWS.assign(patient_id=[1, None, 2, 2, 3, 3]), BY_PATIENT)


class TestRealRows:
    @pytest.fixture
    def rows(self, hms_data):
        return pd.read_csv(hms_data / "train_metadata.csv")

    def test_rows_cut_in_order(self, rows):
        start = time.process_time()
        report = audit_leakage(rows, KFold(5))
        assert time.process_time() - start < 4  # 0.6 s
        assert leaks(report) == {
            "patient": 98_440,
            "eeg_window": 26,
            "spectrogram_window": 39,
        }

    def test_rows_at_random(self, rows):
        report = audit_leakage(rows, KFold(5, shuffle=True, random_state=0))
        assert leaks(report) == {
            "patient": 106_462,
            "eeg_window": 99_020,
            "spectrogram_window": 103_344,
        }
        with pytest.raises(LeakageError):
            report.raise_if_leaking()

    def test_whole_eegs_divide_patients(self, rows):
        splits = list(GroupKFold(5).split(rows, groups=rows["eeg_id"]))
        assert leaks(audit_leakage(rows, splits)) == {
            "patient": 101_405,
            "spectrogram_window": 34_043,
        }

    def test_whole_patients(self, rows):
        for cv in (GroupKFold(5), VoteStratifiedGroupKFold(5)):
            report = audit_leakage(rows, cv, on_leak="raise")
            assert set(list(report.checks.values())[:4]) == {"clean"}

    def test_one_row_for_each_period_still_leaks(self, rows):
        kept = deduplicate_windows(rows, "7th")
        report = audit_leakage(kept, KFold(5, shuffle=True, random_state=0))
        assert report.counts.loc["eeg_window", "n_test"] > 4000

    def test_folds_of_the_7th(self, hms_data):
        targets = pd.read_parquet(hms_data / "oof" / "targets.parquet")
        known = targets[targets["patient_id"].notna()].astype({"patient_id": int})
        assert audit_leakage(known, "fold").ok
