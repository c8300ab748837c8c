"""load_hms: the table as it is, or an error that names the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hmsklearn.datasets import load_hms
from hmsklearn.votes import CLASSES, VOTE_COLUMNS


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "eeg_id": [1, 1, 2],
            "eeg_label_offset_seconds": [0.0, 2.0, 0.0],
            "spectrogram_id": [5, 5, 6],
            "spectrogram_label_offset_seconds": [0.0, 2.0, 0.0],
            "patient_id": [7, 7, 8],
            **{name: [1, 2, 3] for name in VOTE_COLUMNS},
        }
    )


@pytest.fixture
def root(tmp_path, table):
    table.to_csv(tmp_path / "train.csv", index=False)
    (tmp_path / "train_eegs").mkdir()
    return tmp_path


def test_simulated_folder(hms_root):
    train = load_hms(hms_root)
    assert train.data.equals(pd.read_csv(hms_root / "train.csv"))
    assert train.data.attrs == {"root": str(hms_root)}
    assert train.target.shape == (len(train.data), 6)
    assert train.target.dtype == np.int64
    assert (train.target.sum(axis=1) > 0).all()
    assert train.target_names == list(CLASSES)
    assert (train.groups == train.data.patient_id).all()
    assert train.root == hms_root
    assert isinstance(train.root, Path)
    assert "patient" in train.DESCR
    test = load_hms(str(hms_root), split="test")
    assert test.target is None
    assert test.data.attrs == {"root": str(hms_root)}
    assert not set(test.groups) & set(train.groups)


def test_votes_come_in_class_order_whatever_the_order_of_columns(root, table):
    table["lpd_vote"] = [9, 0, 4]
    table[list(table.columns[::-1])].to_csv(root / "train.csv", index=False)
    train = load_hms(root)
    assert train.target[:, 1].tolist() == [9, 0, 4]
    assert train.target[:, 0].tolist() == [1, 2, 3]


def test_whole_floats_are_counts(root, table):
    table = table.astype(dict.fromkeys(VOTE_COLUMNS, float))
    table.loc[0, list(VOTE_COLUMNS)] = [1.0, 0, 0, 0, 0, 0]
    table.iloc[[0]].to_csv(root / "train.csv", index=False)
    target = load_hms(root).target
    assert target.tolist() == [[1, 0, 0, 0, 0, 0]]
    assert target.dtype == np.int64


def test_relative_path_becomes_absolute(root, monkeypatch):
    monkeypatch.chdir(root.parent)
    train = load_hms(root.name)
    monkeypatch.chdir("/")
    assert train.data.attrs["root"] == str(root)


def test_missing_things(tmp_path, root):
    with pytest.raises(ValueError, match="load_hms: split='valid' is not known"):
        load_hms(root, "valid")
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere.*make_hms"):
        load_hms(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no test\.csv .*It holds train\.csv"):
        load_hms(root, "test")
    (root / "train_eegs").rmdir()
    with pytest.raises(FileNotFoundError, match="neither train_eegs nor train_spec"):
        load_hms(root)
    (root / "train_spectrograms").mkdir()
    assert len(load_hms(root).data) == 3
    (root / "train.csv").unlink()
    with pytest.raises(FileNotFoundError, match="It holds no table"):
        load_hms(root)


def test_missing_columns(root, table):
    table.drop(columns=["patient_id", "lpd_vote"]).to_csv(root / "train.csv")
    message = r"train\.csv lacks the columns \['patient_id', 'lpd_vote'\]"
    with pytest.raises(ValueError, match=message):
        load_hms(root)


@pytest.mark.parametrize(
    "content",
    [b"", b'a,b\n"1,2\n3,4,5,6\n', b"PAR1\x00\xff\xfe\x80", b"a\n1,2\n1,2,3\n"],
)
def test_unreadable_table(root, content):
    (root / "train.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"load_hms: .*train\.csv "):
        load_hms(root)


def test_table_without_rows(root, table):
    table.iloc[:0].to_csv(root / "train.csv", index=False)
    with pytest.raises(ValueError, match=r"train\.csv has no rows"):
        load_hms(root)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1, "y has negative votes .row 1"),
        (0.5, "not whole numbers .first in row 1"),
        (np.nan, "y has NaN"),
        ("many", "votes that are not numbers"),
    ],
)
def test_bad_votes(root, table, value, message):
    table["grda_vote"] = table["grda_vote"].astype(object)
    table.loc[1, "grda_vote"] = value
    table.to_csv(root / "train.csv", index=False)
    with pytest.raises(ValueError, match=rf"load_hms: .*train\.csv.*{message}"):
        load_hms(root)


def test_rows_nobody_voted_on(root, table):
    table.loc[2, list(VOTE_COLUMNS)] = 0
    table.to_csv(root / "train.csv", index=False)
    with pytest.raises(ValueError, match=r"train\.csv: y has rows without any vote"):
        load_hms(root)


def test_rows_without_a_patient(root, table):
    table["patient_id"] = ["7", "", ""]
    table.to_csv(root / "train.csv", index=False)
    with pytest.raises(ValueError, match=r"no patient_id in row 1 \(2 in all\)"):
        load_hms(root)


def test_real_folders(hms_data):
    train = load_hms(hms_data / "hms")
    assert train.target.shape == (22, 6)
    assert np.unique(train.groups).size == 3
    external = load_hms(hms_data / "iiic24")
    assert external.target.shape == (24, 6)
    assert "source" in external.data
    assert load_hms(hms_data / "hms", "test").data.eeg_id.tolist() == [3911565283]
