"""HMSReader: every window from the right place, every bad file by its name."""

from __future__ import annotations

import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import _safe_indexing, estimator_html_repr
from sklearn.utils.validation import check_is_fitted

from hmsklearn.datasets import HMSReader, _parquet, load_hms
from hmsklearn.datasets._layout import SPECTROGRAM_COLUMNS
from hmsklearn.montage import CH_NAMES

EEG_LENGTHS = {11: 16_000, 12: 10_000}
SPEC_LENGTHS = {21: 330, 22: 300}


def eeg_table(n_times, shift=0):
    """Sample t of channel c is 100,000 c + t + shift, exact in float32."""
    values = np.arange(n_times)[:, None] + 100_000 * np.arange(20) + shift
    return pd.DataFrame(values.astype(np.float32), columns=list(CH_NAMES))


def spectrogram_table(n_rows, shift=0, time=np.int64):
    values = np.arange(n_rows)[:, None] + 1000 * np.arange(400) + shift
    table = pd.DataFrame(values.astype(np.float32), columns=list(SPECTROGRAM_COLUMNS))
    table.insert(0, "time", np.arange(1, 2 * n_rows, 2).astype(time))
    return table


@pytest.fixture
def root(tmp_path):
    for folder in (
        "train_eegs",
        "train_spectrograms",
        "test_eegs",
        "test_spectrograms",
    ):
        (tmp_path / folder).mkdir()
    for eeg_id, n_times in EEG_LENGTHS.items():
        eeg_table(n_times, eeg_id).to_parquet(tmp_path / f"train_eegs/{eeg_id}.parquet")
    for spec_id, n_rows in SPEC_LENGTHS.items():
        path = tmp_path / f"train_spectrograms/{spec_id}.parquet"
        spectrogram_table(n_rows, spec_id).to_parquet(path)
    eeg_table(10_000, 31).to_parquet(tmp_path / "test_eegs/31.parquet")
    spectrogram_table(300, 41, np.int16).to_parquet(
        tmp_path / "test_spectrograms/41.parquet"
    )
    return tmp_path


@pytest.fixture
def rows():
    return pd.DataFrame(
        {
            "eeg_id": [11, 12, 11],
            "eeg_label_offset_seconds": [6.0, 0.0, 30.0],
            "spectrogram_id": [21, 22, 21],
            "spectrogram_label_offset_seconds": [7.0, 0.0, 60.0],
            "patient_id": [1, 2, 1],
        },
        index=[70, 50, 60],
    )


def expected_eeg(eeg_id, start, n=10_000, channels=range(20)):
    return 100_000 * np.asarray(channels)[:, None] + start + eeg_id + np.arange(n)


def expected_spectrogram(spec_id, start, n=300, panels=range(4)):
    columns = np.asarray(panels)[:, None] * 100 + np.arange(100)
    return 1000 * columns[..., None] + start + spec_id + np.arange(n)


# ------------------------------------------------------------------ what it reads


def test_eeg_windows(root, rows):
    X = HMSReader(root).fit_transform(rows)
    assert X.shape == (3, 20, 10_000)
    assert X.dtype == np.float32
    np.testing.assert_array_equal(X[0], expected_eeg(11, 1200))
    np.testing.assert_array_equal(X[1], expected_eeg(12, 0))
    np.testing.assert_array_equal(X[2], expected_eeg(11, 6000))


def test_spectrogram_windows_round_odd_offsets_down(root, rows):
    X = HMSReader(root, view="spectrogram").fit_transform(rows)
    assert X.shape == (3, 4, 100, 300)
    assert X.dtype == np.float32
    np.testing.assert_array_equal(X[0], expected_spectrogram(21, 3))
    np.testing.assert_array_equal(X[1], expected_spectrogram(22, 0))
    np.testing.assert_array_equal(X[2], expected_spectrogram(21, 30))


def test_rows_without_offsets_are_test_rows(root):
    rows = pd.DataFrame({"spectrogram_id": [41], "eeg_id": [31], "patient_id": [9]})
    X = HMSReader(root).fit(rows).transform(rows)
    np.testing.assert_array_equal(X[0], expected_eeg(31, 0))
    X = HMSReader(root, view="spectrogram").transform(rows)
    np.testing.assert_array_equal(X[0], expected_spectrogram(41, 0))


def test_fit_on_train_rows_transform_test_rows(root, rows):
    test = pd.DataFrame({"spectrogram_id": [41], "eeg_id": [31], "patient_id": [9]})
    assert HMSReader(root).fit(rows).transform(test).shape == (1, 20, 10_000)


@settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    offset=st.integers(0, 30 * 200).map(lambda n: n / 200),
    window=st.integers(1, 10_000).map(lambda n: n / 200),
    channels=st.lists(st.integers(0, 19), min_size=1, max_size=4, unique=True),
)
def test_any_window_is_the_centre_of_the_labelled_one(root, offset, window, channels):
    rows = pd.DataFrame({"eeg_id": [11], "eeg_label_offset_seconds": [offset]})
    names = [CH_NAMES[i] for i in channels]
    X = HMSReader(root, window_seconds=window, ch_names=names).transform(rows)
    n = round(window * 200)
    start = round(offset * 200) + (10_000 - n) // 2
    np.testing.assert_array_equal(X[0], expected_eeg(11, start, n, channels))


def test_the_rated_ten_seconds(root, rows):
    X = HMSReader(root, window_seconds=10).transform(rows)
    np.testing.assert_array_equal(X[0], expected_eeg(11, 1200 + 4000, 2000))
    X = HMSReader(root, view="spectrogram", window_seconds=40).transform(rows)
    np.testing.assert_array_equal(X[0], expected_spectrogram(21, 3 + 140, 20))


def expected_around(eeg_id, start, n, channels=range(20)):
    """Samples of a file from `start` on, which may lie before it; NaN outside."""
    place = np.arange(start, start + n)
    inside = (place >= 0) & (place < EEG_LENGTHS[eeg_id])
    return np.where(inside, expected_eeg(eeg_id, start, n, channels), np.nan)


def test_windows_longer_than_the_labelled_one(root, rows):
    X = HMSReader(root, window_seconds=70).fit_transform(rows)
    assert X.shape == (3, 20, 14_000)
    assert X.dtype == np.float32
    # 6 s into a file of 80 s: it starts 800 samples late, and goes on long enough.
    assert np.isnan(X[0]).all(axis=0).nonzero()[0].tolist() == list(range(800))
    np.testing.assert_array_equal(X[0, :, 800:], expected_eeg(11, 0, 13_200))
    # A file of 50 s has nothing around them.
    assert np.isnan(X[1, :, :2000]).all()
    np.testing.assert_array_equal(X[1, :, 2000:12_000], expected_eeg(12, 0))
    assert np.isnan(X[1, :, 12_000:]).all()
    # The last 50 s of a file: no sample follows.
    np.testing.assert_array_equal(X[2, :, :12_000], expected_eeg(11, 4000, 12_000))
    assert np.isnan(X[2, :, 12_000:]).all()


@settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    offset=st.integers(0, 30 * 200).map(lambda n: n / 200),
    extra=st.integers(1, 8000),
    channels=st.lists(st.integers(0, 19), min_size=1, max_size=4, unique=True),
)
def test_any_longer_window_has_the_same_centre(root, offset, extra, channels):
    rows = pd.DataFrame({"eeg_id": [11, 12], "eeg_label_offset_seconds": [offset, 0.0]})
    names = [CH_NAMES[i] for i in channels]
    reader = HMSReader(root, window_seconds=50 + extra / 100, ch_names=names)
    X = reader.transform(rows)
    n = 10_000 + 2 * extra
    start = round(offset * 200)
    np.testing.assert_array_equal(X[0], expected_around(11, start - extra, n, channels))
    np.testing.assert_array_equal(X[1], expected_around(12, -extra, n, channels))
    labelled = HMSReader(root, ch_names=names).transform(rows)
    np.testing.assert_array_equal(X[..., extra:-extra], labelled)


def test_longer_spectrograms(root, rows):
    X = HMSReader(root, view="spectrogram", window_seconds=640).transform(rows)
    assert X.shape == (3, 4, 100, 320)
    # Ten rows on either side: row 3 of 330 is the first of the labelled ones, then 0
    # of 300, then 30 of 330.
    assert np.isnan(X[0, ..., :7]).all()
    np.testing.assert_array_equal(X[0, ..., 7:], expected_spectrogram(21, 0, 313))
    assert np.isnan(X[1, ..., :10]).all()
    np.testing.assert_array_equal(X[1, ..., 10:310], expected_spectrogram(22, 0))
    assert np.isnan(X[1, ..., 310:]).all()
    np.testing.assert_array_equal(X[2, ..., :310], expected_spectrogram(21, 20, 310))
    assert np.isnan(X[2, ..., 310:]).all()


def test_test_rows_have_nothing_around_them(root):
    rows = pd.DataFrame({"spectrogram_id": [41], "eeg_id": [31]})
    X = HMSReader(root, window_seconds=50.02).transform(rows)
    np.testing.assert_array_equal(X[0, :, 2:-2], expected_eeg(31, 0))
    assert np.isnan(X[0, :, [0, 1, -2, -1]]).all()
    X = HMSReader(root, view="spectrogram", window_seconds=604).transform(rows)
    np.testing.assert_array_equal(X[0, ..., 1:-1], expected_spectrogram(41, 0))
    assert np.isnan(X[0, ..., [0, -1]]).all()


def test_threads_change_nothing_in_longer_windows(root, rows):
    many = rows.iloc[[2, 0, 1, 0, 2]]
    one, two = (
        HMSReader(root, window_seconds=120, n_jobs=n).transform(many) for n in (1, 2)
    )
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one[[0, 1]], one[[4, 3]])


def test_channels_by_any_name_and_in_any_order(root, rows):
    reader = HMSReader(root, ch_names=["O2", "T7", "ecg"])
    X = reader.fit_transform(rows)
    np.testing.assert_array_equal(X[1], expected_eeg(12, 0, channels=[18, 5, 19]))
    assert reader.get_feature_names_out().tolist() == ["O2", "T3", "EKG"]
    reader = HMSReader(root, view="spectrogram", ch_names=["RP", "LL"])
    X = reader.fit_transform(rows)
    np.testing.assert_array_equal(X[1], expected_spectrogram(22, 0, panels=[3, 0]))
    assert reader.get_feature_names_out().tolist() == ["RP", "LL"]


def test_feature_names_of_all(root):
    assert HMSReader().get_feature_names_out().tolist() == list(CH_NAMES)
    names = HMSReader(view="spectrogram").get_feature_names_out(["a", "b"])
    assert names.tolist() == ["LL", "RL", "LP", "RP"]
    assert names.dtype == object


def test_only_the_columns_asked_for_are_needed(root, rows):
    eeg_table(16_000, 11)[["O1", "Cz"]].to_parquet(root / "train_eegs/11.parquet")
    X = HMSReader(root, ch_names=["Cz", "O1"]).transform(rows.iloc[:1])
    np.testing.assert_array_equal(X[0], expected_eeg(11, 1200, channels=[9, 7]))


def test_reordered_and_extra_columns_do_no_harm(root, rows):
    table = eeg_table(16_000, 11)
    table["time"] = np.arange(16_000)
    table["comment"] = "x"
    table[list(table.columns[::-1])].to_parquet(root / "train_eegs/11.parquet")
    X = HMSReader(root).transform(rows.iloc[:1])
    np.testing.assert_array_equal(X[0], expected_eeg(11, 1200))

    table = spectrogram_table(330, 21)
    table[list(table.columns[::-1])].to_parquet(root / "train_spectrograms/21.parquet")
    X = HMSReader(root, view="spectrogram").transform(rows.iloc[:1])
    np.testing.assert_array_equal(X[0], expected_spectrogram(21, 3))


def test_modern_electrode_names_in_the_file(root, rows):
    table = eeg_table(16_000, 11).rename(columns={"T3": "T7", "EKG": "ECG"})
    table.to_parquet(root / "train_eegs/11.parquet")
    X = HMSReader(root).transform(rows.iloc[:1])
    np.testing.assert_array_equal(X[0], expected_eeg(11, 1200))


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.int64])
def test_other_number_types_become_float32(root, rows, dtype):
    eeg_table(16_000, 11).astype(dtype).to_parquet(root / "train_eegs/11.parquet")
    X = HMSReader(root).transform(rows.iloc[:1])
    assert X.dtype == np.float32
    np.testing.assert_array_equal(X[0], expected_eeg(11, 1200))


@pytest.mark.parametrize("time", [np.int16, np.int64, np.float64])
def test_the_type_of_time_does_not_matter(root, rows, time):
    table = spectrogram_table(330, 21, time)
    table.to_parquet(root / "train_spectrograms/21.parquet")
    X = HMSReader(root, view="spectrogram").transform(rows.iloc[:1])
    np.testing.assert_array_equal(X[0], expected_spectrogram(21, 3))


def test_nulls_become_nan(root, rows):
    table = eeg_table(16_000, 11)
    table.loc[2000:2099, "F3"] = np.nan  # written as nulls
    table = table.astype({"F4": "Int64"})
    table.loc[2050, "F4"] = pd.NA
    table.to_parquet(root / "train_eegs/11.parquet")
    X = HMSReader(root).transform(rows.iloc[:1])
    missing = np.argwhere(np.isnan(X[0]))
    assert (missing[:100, 0] == CH_NAMES.index("F3")).all()
    np.testing.assert_array_equal(missing[:100, 1], np.arange(800, 900))
    assert missing[100].tolist() == [CH_NAMES.index("F4"), 850]
    assert len(missing) == 101


def test_duplicate_rows_index_and_order(root, rows):
    reader = HMSReader(root)
    X = reader.transform(rows)
    again = rows.iloc[[2, 0, 0, 1]]
    np.testing.assert_array_equal(reader.transform(again), X[[2, 0, 0, 1]])
    again.index = ["a", "a", "b", "c"]
    np.testing.assert_array_equal(reader.transform(again), X[[2, 0, 0, 1]])


@pytest.mark.parametrize("dtype", [np.float64, object, str, "Int64"])
def test_ids_of_other_types(root, rows, dtype):
    X = HMSReader(root).transform(rows)
    other = rows.assign(eeg_id=rows.eeg_id.astype(dtype))
    np.testing.assert_array_equal(HMSReader(root).transform(other), X)


def test_threads_change_nothing(root, rows):
    X = HMSReader(root).transform(rows)
    np.testing.assert_array_equal(HMSReader(root, n_jobs=2).transform(rows), X)
    # Whatever backend the caller prefers, the output is shared.
    with joblib.parallel_config(backend="loky", n_jobs=2):
        np.testing.assert_array_equal(HMSReader(root).transform(rows), X)


def test_each_file_is_opened_once(root, rows, monkeypatch):
    opened = []
    original = _parquet.pq.ParquetFile

    def counting(path, **kwargs):
        opened.append(Path(path).name)
        return original(path, **kwargs)

    monkeypatch.setattr(_parquet.pq, "ParquetFile", counting)
    many = rows.iloc[[0, 1, 2, 0, 1, 2]]
    HMSReader(root).fit(many)
    assert opened == []
    HMSReader(root).transform(many)
    assert sorted(opened) == ["11.parquet", "12.parquet"]
    opened.clear()
    HMSReader(root, window_seconds=70).transform(many)
    assert sorted(opened) == ["11.parquet", "12.parquet"]


# ------------------------------------------------------------------ where it reads


def test_rows_know_where_they_come_from(root, rows, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "train_eegs").mkdir()
    eeg_table(10_000, 7).to_parquet(elsewhere / "train_eegs/12.parquet")
    moved = rows.iloc[[1]]
    moved.attrs["root"] = str(elsewhere)
    reader = HMSReader(root).fit(rows)
    with pytest.warns(UserWarning, match=r"HMSReader: .*root=.* is not used.*load_hms"):
        X = reader.transform(moved)
    np.testing.assert_array_equal(X[0], expected_eeg(7, 0))
    np.testing.assert_array_equal(
        reader.transform(rows.iloc[[1]])[0], expected_eeg(12, 0)
    )


def test_selection_and_pickling_keep_the_root(root, rows):
    rows.attrs["root"] = str(root)
    reader = HMSReader()
    X = reader.transform(rows)
    for part in (
        rows.iloc[[1]],
        rows[rows.patient_id == 2],
        _safe_indexing(rows, np.array([1])),
        _safe_indexing(rows, np.array([False, True, False])),
        pickle.loads(pickle.dumps(rows.iloc[[1]])),
    ):
        np.testing.assert_array_equal(reader.transform(part), X[[1]])


def test_no_root_at_all(rows):
    with pytest.raises(ValueError, match=r"HMSReader: nothing says .*root=\.\.\."):
        HMSReader().fit(rows)


def test_the_root_of_the_rows_is_not_silently_replaced(root, rows, tmp_path):
    rows.attrs["root"] = str(tmp_path / "gone")
    message = r"no folder .*gone\. The folder comes from X\.attrs\['root'\]"
    with (
        pytest.warns(UserWarning, match="is not used"),
        pytest.raises(FileNotFoundError, match=message + ".*load_hms"),
    ):
        HMSReader(root).fit(rows)


def test_root_that_is_no_path(rows):
    with pytest.raises(ValueError, match="HMSReader: root must be a path, got 3"):
        HMSReader(3).fit(rows)


# ------------------------------------------------------------------ what it refuses


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"view": "eegs"}, r"view='eegs' is not known"),
        ({"window_seconds": 0}, "window_seconds=0 is not usable"),
        ({"window_seconds": 49.9999}, r"up to 50 s"),
        ({"window_seconds": 50.005}, r"up to 50 s, or a multiple of 0.01 s beyond"),
        ({"window_seconds": 70.0049}, r"up to 50 s, or a multiple of 0.01 s beyond"),
        ({"window_seconds": float("inf")}, "window_seconds=inf"),
        ({"window_seconds": float("nan")}, "window_seconds=nan"),
        ({"window_seconds": 0.0033}, "window_seconds=0.0033"),
        ({"window_seconds": True}, "window_seconds=True"),
        ({"window_seconds": "all"}, "window_seconds='all'"),
        ({"view": "spectrogram", "window_seconds": 51}, "multiple of 2 s up to 600"),
        ({"view": "spectrogram", "window_seconds": 602}, "a multiple of 4 s beyond"),
        ({"ch_names": "Cz"}, "must be a list of names"),
        ({"ch_names": [1]}, "must be a list of names"),
        ({"ch_names": []}, "empty or names a channel twice"),
        ({"ch_names": ["T3", "T7"]}, "names a channel twice"),
        ({"ch_names": ["Cx"]}, "'Cx' is not among"),
        ({"view": "spectrogram", "ch_names": ["Cz"]}, r"only \['LL', 'RL', 'LP'"),
        ({"n_jobs": 0}, "n_jobs=0"),
        ({"n_jobs": 1.5}, "n_jobs=1.5"),
    ],
)
def test_bad_parameters(root, rows, params, message):
    with pytest.raises(ValueError, match=f"HMSReader: .*{message}"):
        HMSReader(root, **params).fit(rows)


@pytest.mark.parametrize(
    "X", [np.zeros((2, 20, 100)), [[1, 2]], {"eeg_id": [1]}, None, "train.csv"]
)
def test_not_a_table(root, X):
    with pytest.raises(TypeError, match=r"HMSReader: X must be a DataFrame .*load_hms"):
        HMSReader(root).fit(X)


def test_single_row(root, rows):
    with pytest.raises(TypeError, match=r"a pandas Series.*X\.iloc\[\[0\]\]"):
        HMSReader(root).transform(rows.iloc[0])


def test_empty_table(root, rows):
    with pytest.raises(ValueError, match=r"0 sample\(s\).*no rows"):
        HMSReader(root).transform(rows.iloc[:0])


def test_missing_and_repeated_columns_of_the_table(root, rows):
    with pytest.raises(ValueError, match="X lacks the column 'spectrogram_id'"):
        HMSReader(root, view="spectrogram").fit(rows[["eeg_id"]])
    twice = pd.concat([rows, rows[["eeg_id"]]], axis=1)
    with pytest.raises(ValueError, match="several columns 'eeg_id'"):
        HMSReader(root).fit(twice)


@pytest.mark.parametrize("bad", [np.nan, 1.5, np.inf])
def test_bad_ids(root, rows, bad):
    rows["eeg_id"] = rows["eeg_id"].astype(float)
    rows.iloc[1, 0] = bad
    with pytest.raises(ValueError, match=r"HMSReader: eeg_id is .* in row 1\."):
        HMSReader(root).fit(rows)


def test_ids_that_are_words(root, rows):
    rows["eeg_id"] = ["11", "twelve", "11"]
    with pytest.raises(ValueError, match="eeg_id is 'twelve' in row 1"):
        HMSReader(root).fit(rows)


@pytest.mark.parametrize("bad", [-2.0, np.nan, np.inf])
@pytest.mark.parametrize("view", ["eeg", "spectrogram"])
def test_bad_offsets(root, rows, bad, view):
    column = f"{view}_label_offset_seconds"
    rows.loc[50, column] = bad
    shown = "NaN" if np.isnan(bad) else bad
    message = rf"{column} is {shown} in row 1 \({view}_id .*, index 50\)"
    with pytest.raises(ValueError, match=message):
        HMSReader(root, view=view).fit(rows)


def test_offsets_that_are_words(root, rows):
    rows["eeg_label_offset_seconds"] = ["0", "start", "2"]
    with pytest.raises(ValueError, match="eeg_label_offset_seconds holds values"):
        HMSReader(root).fit(rows)


def test_missing_folder(tmp_path, rows):
    message = r"HMSReader: there is no folder .*nowhere\..*has the column"
    with pytest.raises(FileNotFoundError, match=message):
        HMSReader(tmp_path / "nowhere").fit(rows)
    (tmp_path / "train_spectrograms").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no folder .*train_eegs"):
        HMSReader(tmp_path).fit(rows)
    with pytest.raises(FileNotFoundError, match=r"no folder .*test_eegs.*has no col"):
        HMSReader(tmp_path).fit(rows[["eeg_id"]])


def test_missing_files_are_found_in_fit(root, rows):
    rows.loc[70, "eeg_id"] = 13
    rows.loc[60, "eeg_id"] = 14
    message = (
        r"no .*13\.parquet, needed by row 0 \(eeg_id 13, index 70\); 2 of 3 files are "
        r"missing, for 2 of 3 rows"
    )
    with pytest.raises(FileNotFoundError, match=message):
        HMSReader(root).fit(rows)


def as_csv(path):
    eeg_table(10_000).to_csv(path)


def as_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def as_empty(path):
    path.write_bytes(b"")


def as_damaged(path):
    content = bytearray(path.read_bytes())
    content[4:300] = b"\xff" * 296  # the header of the first column's first page
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("spoil", [as_csv, as_half, as_empty, as_damaged])
def test_files_that_are_not_parquet(root, rows, spoil, n_jobs):
    spoil(root / "train_eegs/12.parquet")
    reader = HMSReader(root, n_jobs=n_jobs).fit(rows)
    message = (
        r"HMSReader: .*12\.parquet \(needed by row 1 \(eeg_id 12, index 50\)\) is not "
        r"a readable parquet file: it is \d+ bytes long .*download it again"
    )
    with pytest.raises(ValueError, match=message):
        reader.transform(rows)


def test_missing_columns_of_a_file(root, rows):
    eeg_table(10_000).drop(columns=["Cz", "O2"]).to_parquet(
        root / "train_eegs/12.parquet"
    )
    message = (
        r"12\.parquet \(needed by row 1 .*\) lacks 2 of the columns .*: Cz, O2\. .*"
        "ch_names"
    )
    with pytest.raises(ValueError, match=message):
        HMSReader(root).transform(rows)
    path = root / "train_spectrograms/22.parquet"
    spectrogram_table(300)[["time", "LL_0.59"]].to_parquet(path)
    with pytest.raises(
        ValueError, match=r"22\.parquet .* lacks 399 .*LL_0\.78, .*\.\.\."
    ):
        HMSReader(root, view="spectrogram").transform(rows)


def test_one_electrode_twice_in_a_file(root, rows):
    table = eeg_table(10_000).drop(columns="Cz").assign(CZ=0.0, cz=1.0)
    table.to_parquet(root / "train_eegs/12.parquet")
    with pytest.raises(ValueError, match=r"several columns .*\['CZ', 'cz'\]"):
        HMSReader(root).transform(rows)


def test_words_in_a_file(root, rows):
    eeg_table(10_000).assign(Pz="x").to_parquet(root / "train_eegs/12.parquet")
    with pytest.raises(ValueError, match=r"column 'Pz' of .*12\.parquet .*not numbers"):
        HMSReader(root).transform(rows)


@pytest.mark.parametrize("window_seconds", [None, 10, 70])
def test_offset_past_the_end(root, rows, window_seconds):
    rows.loc[60, "eeg_label_offset_seconds"] = 32.0
    message = (
        r"row 2 \(eeg_id 11, index 60\) needs rows 6400 to 16400 of .*11\.parquet, "
        r"which has only 16000 \(80 s; the offset is 32 s and the window 50 s long\)"
    )
    with pytest.raises(ValueError, match=message):
        HMSReader(root, window_seconds=window_seconds).transform(rows)
    rows.loc[60, "spectrogram_label_offset_seconds"] = 62.0
    with pytest.raises(ValueError, match=r"needs rows 31 to 331 .* only 330 \(660 s"):
        HMSReader(root, view="spectrogram").transform(rows)


# ------------------------------------------------------------------ scikit-learn


def test_parameters_and_clone():
    reader = HMSReader(
        "here", view="spectrogram", window_seconds=20, ch_names=["LL"], n_jobs=2
    )
    copy = clone(reader)
    assert copy.get_params() == reader.get_params()
    copy.set_params(view="eeg")
    assert (reader.view, copy.view) == ("spectrogram", "eeg")
    assert "HMSReader" in estimator_html_repr(reader)
    assert repr(HMSReader("here")) == "HMSReader(root='here')"


def test_is_stateless(root, rows):
    reader = HMSReader(root)
    before = dict(vars(reader))
    check_is_fitted(reader)
    assert reader.fit(rows, y="ignored") is reader
    reader.transform(rows)
    assert vars(reader) == before
    assert reader.set_output(transform="pandas") is reader
    assert isinstance(reader.fit_transform(rows), np.ndarray)
    tags = reader.__sklearn_tags__()
    assert not tags.requires_fit
    assert not tags.target_tags.required


class MeanLevel(ClassifierMixin, BaseEstimator):
    """Remembers the mean of each class."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        levels = X.mean(axis=(1, 2))
        self.level_ = np.array([levels[y == c].mean() for c in self.classes_])
        return self

    def predict(self, X):
        distance = np.abs(X.mean(axis=(1, 2))[:, None] - self.level_)
        return self.classes_[distance.argmin(axis=1)]


def test_pipeline_in_cross_validation(root):
    rows = pd.DataFrame(
        {
            "eeg_id": [11, 12] * 4,
            "eeg_label_offset_seconds": [30.0, 0.0] * 4,
            "patient_id": [1, 1, 2, 2, 3, 3, 4, 4],
        },
    )
    rows.attrs["root"] = str(root)
    pipe = make_pipeline(HMSReader(ch_names=["Fp1"], window_seconds=10), MeanLevel())
    assert isinstance(pipe.set_output(transform="pandas"), Pipeline)
    y = np.array([1, 0] * 4)
    scores = cross_val_score(
        pipe, rows, y, groups=rows.patient_id, cv=GroupKFold(4), error_score="raise"
    )
    assert scores.tolist() == [1.0] * 4


# ------------------------------------------------------------------ real files


def by_pandas(root, rows, view):
    out = []
    for row in rows.itertuples():
        if view == "eeg":
            table = pd.read_parquet(root / f"train_eegs/{row.eeg_id}.parquet")
            start = int(200 * row.eeg_label_offset_seconds)
            out.append(table.to_numpy()[start : start + 10_000].T)
        else:
            path = root / f"train_spectrograms/{row.spectrogram_id}.parquet"
            table = pd.read_parquet(path).iloc[:, 1:]
            start = int(row.spectrogram_label_offset_seconds // 2)
            window = table.to_numpy(np.float32)[start : start + 300]
            out.append(window.T.reshape(4, 100, 300))
    return np.stack(out)


@pytest.mark.parametrize("view", ["eeg", "spectrogram"])
def test_real_folder_end_to_end(hms_data, view):
    train = load_hms(hms_data / "hms")
    assert len(train.data) == 22
    X = HMSReader(view=view).fit_transform(train.data)
    np.testing.assert_array_equal(X, by_pandas(hms_data / "hms", train.data, view))
    test = load_hms(hms_data / "hms", "test")
    X = HMSReader(view=view).transform(test.data)
    assert X.shape[0] == 1
    assert np.isfinite(X).all()


def test_real_lost_rows_are_nan(hms_data):
    rows = pd.DataFrame(
        {"spectrogram_id": [1000086677], "spectrogram_label_offset_seconds": [0]}
    )
    X = HMSReader(hms_data / "hms", view="spectrogram").transform(rows)
    assert np.isnan(X).all(axis=(0, 1, 2)).sum() == 26
    assert np.isnan(X).any(axis=(0, 1, 2)).sum() == 26


def test_real_folder_without_spectrograms(hms_data):
    train = load_hms(hms_data / "iiic24")
    X = HMSReader().fit_transform(train.data)
    assert X.shape == (24, 20, 10_000)
    assert np.abs(X).max() > 10_000  # some of them swing that far
    with pytest.raises(FileNotFoundError, match=r"no folder .*train_spectrograms"):
        HMSReader(view="spectrogram").fit(train.data)
