"""load_seti and SETIReader: the right file for every row, every bad one by its name."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from hmsklearn.datasets import SETIReader, load_seti

TRAIN, TEST = ["0a1", "0b2", "123e45"], ["0c3", "00012"]


def cadence(number):
    """Observation k is 1000 k + number, its first row 1 more; exact in float16."""
    values = np.full((6, 273, 256), number, dtype=np.float16)
    values += 100 * np.arange(6, dtype=np.float16)[:, None, None]
    values[:, 0] += 1
    return values


@pytest.fixture
def root(tmp_path):
    for split, names in (("train", TRAIN), ("test", TEST)):
        for number, name in enumerate(names):
            path = tmp_path / split / name[0] / f"{name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, cadence(number + (50 if split == "test" else 0)))
    labels = pd.DataFrame({"id": TRAIN, "target": [1, 0, 1]})
    labels.to_csv(tmp_path / "train_labels.csv", index=False)
    sample = pd.DataFrame({"id": TEST, "target": 0.5})
    sample.to_csv(tmp_path / "sample_submission.csv", index=False)
    return tmp_path


@pytest.fixture
def rows(root):
    return load_seti(root).data


# ------------------------------------------------------------------ table


def test_table(root):
    train = load_seti(root)
    assert train.data["id"].tolist() == TRAIN  # 123e45 is no number
    assert train.data.attrs == {"root": str(root)}
    assert train.target.tolist() == [1, 0, 1]
    assert train.target.dtype == np.int64
    assert train.root == root
    assert isinstance(train.root, Path)
    assert "needle" in train.DESCR
    test = load_seti(str(root), "test")
    assert test.data["id"].tolist() == TEST
    assert test.data.attrs == {"root": str(root)}
    assert test.target is None


def test_missing_things(tmp_path, root):
    with pytest.raises(ValueError, match="load_seti: split='valid' is not known"):
        load_seti(root, "valid")
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere.*make_seti"):
        load_seti(tmp_path / "nowhere")
    (root / "sample_submission.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"no sample_subm.*holds train_labels"):
        load_seti(root, "test")
    (root / "train").rename(root / "old")
    with pytest.raises(FileNotFoundError, match="holds no folder 'train'"):
        load_seti(root)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read"),
        ("id\n0a1\n", r"lacks the columns \['target'\]"),
        ("id,target\n", "has no rows"),
        ("id,target\n0a1,1\n,0\n", "no id in row 1"),
        ("id,target\n0a1,1\n0a1,0\n", "0a1 more than once"),
        ("id,target\n0a1,1\n0b2,2\n", "target 2 in row 1"),
        ("id,target\n0a1,1\n0b2,\n", "target .*nan.* in row 1"),
    ],
)
def test_bad_tables(root, content, message):
    (root / "train_labels.csv").write_text(content)
    message = rf"load_seti: .*train_labels\.csv .*{message}"
    with pytest.raises(ValueError, match=message):
        load_seti(root)


# ------------------------------------------------------------------ reader


def test_on_and_all(rows):
    on = SETIReader().fit_transform(rows)
    every = SETIReader(channels="all").fit_transform(rows)
    assert on.shape == (3, 3, 273, 256)
    assert every.shape == (3, 6, 273, 256)
    assert on.dtype == every.dtype == np.float32
    for number, window in enumerate(every):
        np.testing.assert_array_equal(window, cadence(number).astype(np.float32))
    np.testing.assert_array_equal(on, every[:, ::2])
    assert SETIReader().get_feature_names_out().tolist() == ["A1", "A2", "A3"]


def test_rows_in_any_order_of_both_splits(root, rows):
    ids = ["00012", "0b2", "0b2", "0c3"]
    table = pd.DataFrame({"id": ids, "more": 1}, index=[9, 9, 3, 1])
    X = SETIReader(root, n_jobs=2).fit(rows).transform(table)
    assert X[:, 0, 1, 0].tolist() == [51, 1, 1, 50]


def test_attrs_take_precedence_over_root(rows, tmp_path):
    reader = SETIReader(tmp_path / "elsewhere")
    with pytest.warns(UserWarning, match="root='.*elsewhere' is not used"):
        assert reader.fit_transform(rows).shape[0] == 3
    assert SETIReader(rows.attrs["root"]).fit_transform(rows).shape[0] == 3


def test_needs_a_folder(root, rows):
    rows.attrs = {}
    with pytest.raises(ValueError, match="nothing says where the cadences are"):
        SETIReader().fit(rows)
    with pytest.raises(ValueError, match="root must be a path"):
        SETIReader(3).fit(rows)
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        SETIReader(root / "nowhere").fit(rows)
    assert SETIReader(root).fit_transform(rows).shape[0] == 3


def test_bad_rows(rows, root):
    reader = SETIReader(root)
    with pytest.raises(TypeError, match="single row or column"):
        reader.fit(rows["id"])
    with pytest.raises(TypeError, match="must be a DataFrame"):
        reader.fit(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="must have one column 'id'"):
        reader.fit(pd.DataFrame({"eeg_id": [1]}))
    with pytest.raises(ValueError, match="has no rows"):
        reader.fit(rows.iloc[:0])
    for name, shown in ((np.nan, "NaN"), (12, "12"), ("../0a1", "../0a1")):
        bad = pd.DataFrame({"id": ["0a1", name]})
        with pytest.raises(ValueError, match=f"the id is .*{shown} in row 1"):
            reader.fit(bad)


def test_missing_file(rows, root):
    (root / "train/0/0b2.npy").unlink()
    message = r"no .*train/0/0b2\.npy.*row 1 \(id 0b2\).*1 of 3 rows"
    with pytest.raises(FileNotFoundError, match=message):
        SETIReader().fit(rows)


def test_an_id_in_both_splits(rows, root):
    np.save(root / "test/0/0a1.npy", cadence(9))
    with pytest.raises(ValueError, match=r"row 0 \(id 0a1\) is both .*train.*test"):
        SETIReader().fit(rows)


def test_bad_files(rows, root):
    path = root / "train/0/0b2.npy"
    whole = path.read_bytes()
    for content in (b"", whole[:500], b"id,target\n" * 20):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"0b2\.npy .*row 1 .*not a readable"):
            SETIReader().fit_transform(rows)
    for array, what in (
        (np.zeros((6, 256, 273)), r"float64 of shape \(6, 256, 273\)"),
        (np.zeros((6, 273, 256), dtype=complex), "complex128"),
    ):
        np.save(path, array)
        with pytest.raises(ValueError, match=f"row 1 .*holds {what}"):
            SETIReader().fit_transform(rows)
    with path.open("wb") as stream:
        np.savez(stream, a=np.zeros(3))
    with pytest.raises(ValueError, match="holds a NpzFile"):
        SETIReader().fit_transform(rows)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"channels": "off"}, "channels must be one of 'on', 'all'"),
        ({"n_jobs": 0}, "n_jobs=0 is not a number of threads"),
        ({"n_jobs": 1.5}, "n_jobs=1.5"),
    ],
)
def test_bad_parameters(rows, params, message):
    with pytest.raises(ValueError, match=f"SETIReader: {message}"):
        SETIReader(**params).fit(rows)


def test_is_a_step_like_any_other(rows):
    pipe = make_pipeline(SETIReader(channels="all", n_jobs=2))
    again = pickle.loads(pickle.dumps(clone(pipe).fit(rows)))
    np.testing.assert_array_equal(again.transform(rows), pipe.fit_transform(rows))
    assert pipe.set_output(transform="pandas").fit_transform(rows).ndim == 4
