import numpy as np
import pandas as pd
import pytest

from hmsklearn.datasets._submission import write_submission
from hmsklearn.votes import VOTE_COLUMNS

IDS = [30, 10, 20]


@pytest.fixture
def rows():
    return pd.DataFrame({"eeg_id": IDS, "patient_id": [1, 2, 3]})


@pytest.fixture
def proba():
    return np.random.default_rng(0).dirichlet(np.ones(6), 3)


@pytest.fixture
def sample():
    table = pd.DataFrame(np.full((3, 6), 1 / 6), columns=list(VOTE_COLUMNS))
    table.insert(0, "eeg_id", [10, 20, 30])
    return table


def test_round_trip(tmp_path, rows, proba):
    path = tmp_path / "submission.csv"
    write_submission(path, rows, proba)
    back = pd.read_csv(path)
    assert back.columns.tolist() == ["eeg_id", *VOTE_COLUMNS]
    assert back["eeg_id"].tolist() == IDS
    np.testing.assert_allclose(back[list(VOTE_COLUMNS)], proba, atol=1e-15)


def test_takes_the_order_of_the_sample(tmp_path, rows, proba, sample):
    table = write_submission(tmp_path / "s.csv", rows, proba, sample=sample)
    assert table["eeg_id"].tolist() == [10, 20, 30]
    np.testing.assert_allclose(table.iloc[2, 1:].astype(float), proba[0])


def test_float32_rows_sum_to_one_in_double_precision(tmp_path, rows, proba):
    table = write_submission(tmp_path / "s.csv", rows, proba.astype(np.float32))
    np.testing.assert_allclose(table.iloc[:, 1:].sum(axis=1), 1, atol=1e-15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r, p: (r, p[:2]), r"shape \(2, 6\)"),
        (lambda r, p: (r, p * 2), "first: row 0"),
        (lambda r, p: (r, np.where(p == p[1, 0], np.nan, p)), "first: row 1"),
        (lambda r, p: (r.assign(eeg_id=[1, 1, 2]), p), "eeg_id 1 occurs more"),
        (lambda r, p: (r.drop(columns="eeg_id"), p), "eeg_id column"),
    ],
)
def test_bad_input_writes_nothing(tmp_path, rows, proba, change, message):
    with pytest.raises(ValueError, match=message):
        write_submission(tmp_path / "s.csv", *change(rows, proba))
    assert list(tmp_path.iterdir()) == []


def test_ids_must_be_the_samples(tmp_path, rows, proba, sample):
    sample.loc[0, "eeg_id"] = 99
    with pytest.raises(ValueError, match=r"1 missing \(such as \[99\]\), 1 unexpected"):
        write_submission(tmp_path / "s.csv", rows, proba, sample=sample)
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_survives_a_failed_write(tmp_path, rows, proba, monkeypatch):
    path = tmp_path / "s.csv"
    path.write_text("old")

    def broken(self, *args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", broken)
    with pytest.raises(OSError, match="disk full"):
        write_submission(path, rows, proba)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["s.csv"]
