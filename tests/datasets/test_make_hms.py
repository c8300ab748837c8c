"""make_hms: the competition's layout, reproducible, written whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from hmsklearn.datasets import HMSReader, _simulate, load_hms, make_hms
from hmsklearn.datasets._layout import (
    SPECTROGRAM_COLUMNS,
    TEST_COLUMNS,
    TRAIN_COLUMNS,
)
from hmsklearn.datasets._plan import draw_eeg, draw_votes
from hmsklearn.signal.host_spectrogram import host_alignment, host_spectrogram
from hmsklearn.votes import CLASSES, VOTE_COLUMNS

SMALL = {"n_test": 1, "records_per_patient": 1, "windows_per_record": (1, 3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight patients with lost samples in most recordings; do not write into it."""
    root = tmp_path_factory.mktemp("make") / "hms"
    return make_hms(root, 8, n_test=2, missing=0.7, random_state=1)


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_every_row_has_its_files_and_no_file_is_left_over(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "sample_submission.csv",
        "test.csv",
        "test_eegs",
        "test_spectrograms",
        "train.csv",
        "train_eegs",
        "train_spectrograms",
    ]
    for split in ("train", "test"):
        data = load_hms(folder, split).data
        for kind in ("eeg", "spectrogram"):
            names = {path.stem for path in (folder / f"{split}_{kind}s").iterdir()}
            assert names == set(data[f"{kind}_id"].astype(str))


def test_table_of_the_training_set(folder):
    data = load_hms(folder).data
    assert data.columns.tolist() == list(TRAIN_COLUMNS)
    assert data.patient_id.nunique() == 8
    assert data.label_id.is_unique
    votes = data[list(VOTE_COLUMNS)].to_numpy()
    total = votes.sum(axis=1)
    assert ((total <= 7) | (total >= 10)).all()
    assert (total <= 7).any()
    assert (total >= 10).any()
    assert data.expert_consensus.tolist() == [CLASSES[i] for i in votes.argmax(axis=1)]
    for _, rows in data.groupby("eeg_id"):
        assert rows.eeg_sub_id.tolist() == list(range(len(rows)))
        assert rows.spectrogram_id.nunique() == rows.patient_id.nunique() == 1
        offsets = rows.eeg_label_offset_seconds.to_numpy()
        assert offsets[0] == 0
        assert (offsets % 2 == 0).all()
        assert np.isin(np.diff(offsets), np.arange(2, 50, 2)).all()
        # Both offsets of a row belong to one instant of one recording.
        shift = rows.spectrogram_label_offset_seconds - rows.eeg_label_offset_seconds
        assert shift.nunique() == 1
    for _, rows in data.groupby("spectrogram_id"):
        assert rows.spectrogram_sub_id.tolist() == list(range(len(rows)))


def test_some_recordings_have_two_eegs_and_some_patients_several_recordings(folder):
    data = load_hms(folder).data
    assert data.groupby("spectrogram_id").eeg_id.nunique().max() == 2
    assert data.groupby("patient_id").spectrogram_id.nunique().max() >= 2


def test_test_set(folder):
    test = pd.read_csv(folder / "test.csv")
    assert test.columns.tolist() == list(TEST_COLUMNS)
    assert test.patient_id.nunique() == 2
    assert not set(test.patient_id) & set(load_hms(folder).groups)
    sample = pd.read_csv(folder / "sample_submission.csv")
    assert sample.columns.tolist() == ["eeg_id", *VOTE_COLUMNS]
    assert sample.eeg_id.tolist() == test.eeg_id.tolist()
    # pandas before 2.2 reads floats to the last bit but one.
    np.testing.assert_allclose(sample[list(VOTE_COLUMNS)], 1 / 6, rtol=1e-15)
    rows = load_hms(folder, "test").data
    X = HMSReader().fit_transform(rows)
    assert X.shape == (2, 20, 10_000)
    assert np.isfinite(X).all()
    for eeg_id in rows.eeg_id:
        assert pq.read_metadata(folder / f"test_eegs/{eeg_id}.parquet").num_rows == 1e4
    for spectrogram_id in rows.spectrogram_id:
        path = folder / f"test_spectrograms/{spectrogram_id}.parquet"
        assert pq.read_metadata(path).num_rows == 300


def test_lengths_follow_from_the_offsets(folder):
    data = load_hms(folder).data
    for eeg_id, rows in data.groupby("eeg_id"):
        n_times = pq.read_metadata(folder / f"train_eegs/{eeg_id}.parquet").num_rows
        assert n_times == (rows.eeg_label_offset_seconds.max() + 50) * 200
    for spectrogram_id, rows in data.groupby("spectrogram_id"):
        path = folder / f"train_spectrograms/{spectrogram_id}.parquet"
        last = rows.spectrogram_label_offset_seconds.max()
        assert pq.read_metadata(path).num_rows == (last + 600) // 2


def test_spectrograms_are_those_of_the_eegs(folder):
    data = load_hms(folder).data
    for row in data.groupby("eeg_id").first().reset_index().itertuples():
        eeg = pd.read_parquet(folder / f"train_eegs/{row.eeg_id}.parquet")
        eeg = eeg.to_numpy(np.float64).T
        path = folder / f"train_spectrograms/{row.spectrogram_id}.parquet"
        table = pd.read_parquet(path).iloc[:, 1:].to_numpy(np.float64)
        table = table.reshape(-1, 4, 100).transpose(1, 2, 0)
        rows, samples = host_alignment(
            eeg.shape[1],
            eeg_offset_seconds=row.eeg_label_offset_seconds,
            spectrogram_offset_seconds=row.spectrogram_label_offset_seconds,
        )
        interior = slice(3, len(rows) - 3)
        ours = host_spectrogram(eeg, first_sample=samples[0])[..., interior]
        theirs = table[..., rows[interior]]
        lost = np.isnan(theirs).all(axis=(0, 1))
        assert np.isfinite(theirs[..., ~lost]).all()
        error = np.abs(ours - theirs)[..., ~lost]
        # Filtered as a cut here, as a whole there: the ends still differ a little.
        tolerance = 0.005 + 0.002 * theirs[..., ~lost]
        assert (error <= tolerance).mean() > 0.999


def test_lost_samples(folder):
    data = load_hms(folder).data
    share = [
        np.isnan(pd.read_parquet(path).to_numpy()).mean()
        for path in sorted((folder / "train_eegs").iterdir())
    ]
    assert 0.2 < np.mean(np.array(share) > 0) < 1
    assert max(share) < 0.2
    X = HMSReader(view="spectrogram").fit_transform(data)
    lost = np.isnan(X)
    assert lost.any()
    assert (lost.all(axis=(1, 2)) == lost.any(axis=(1, 2))).all()


def test_values_look_like_microvolt(folder):
    X = HMSReader().fit_transform(load_hms(folder).data)
    np.testing.assert_allclose(X * 100, np.round(X * 100), atol=0.01)  # two decimals
    scalp = X[:, :19]
    spread = np.nanstd(scalp, axis=2)
    assert 5 < np.nanmedian(spread) < 100
    assert np.nanmax(np.abs(scalp)) < 2000


def test_layout_is_that_of_the_real_files(folder, hms_data):
    real = hms_data / "hms"
    for name in ("train.csv", "test.csv", "sample_submission.csv"):
        ours, theirs = pd.read_csv(folder / name), pd.read_csv(real / name)
        assert ours.columns.tolist() == theirs.columns.tolist()
        assert (ours.dtypes == theirs.dtypes).all()
    for kind in ("train_eegs", "train_spectrograms", "test_eegs", "test_spectrograms"):
        schemas = [
            pq.read_schema(next((root / kind).glob("*.parquet"))).remove_metadata()
            for root in (folder, real)
        ]
        assert schemas[0].equals(schemas[1])
        frames = [
            pd.read_parquet(next((root / kind).glob("*.parquet")))
            for root in (folder, real)
        ]
        assert type(frames[0].index) is type(frames[1].index)
        assert (frames[0].dtypes == frames[1].dtypes).all()


def test_column_names():
    assert len(SPECTROGRAM_COLUMNS) == 400
    assert SPECTROGRAM_COLUMNS[0] == "LL_0.59"
    assert SPECTROGRAM_COLUMNS[13] == "LL_3.13"
    assert SPECTROGRAM_COLUMNS[-1] == "RP_19.92"


# ------------------------------------------------------------------ reproducible


def test_same_seed_same_bytes_and_more_patients_change_nothing(tmp_path):
    first = contents(make_hms(tmp_path / "a", 2, random_state=5, **SMALL))
    again = make_hms(
        tmp_path / "b", 3, random_state=5, n_jobs=2, **SMALL | {"n_test": 2}
    )
    second = contents(again)
    tables = ("train.csv", "test.csv", "sample_submission.csv")
    for name, content in first.items():
        assert (
            second[name].startswith(content)
            if name in tables
            else (second[name] == content)
        )
    assert len(second) == len(first) + 4  # two files of a patient, two of a test row
    other = contents(make_hms(tmp_path / "c", 2, random_state=6, **SMALL))
    assert not (set(other) - set(tables)) & set(first)
    assert other["train.csv"] != first["train.csv"]


def test_random_state_may_be_an_instance(tmp_path):
    a = make_hms(tmp_path / "a", 1, random_state=np.random.RandomState(3), **SMALL)
    b = make_hms(tmp_path / "b", 1, random_state=np.random.RandomState(3), **SMALL)
    assert contents(a) == contents(b)


def test_main_patterns_go_through_the_classes(folder):
    data = load_hms(folder).data
    # Votes are drawn, so a favourite may lose; it mostly does not.
    first = data.groupby("patient_id", sort=False).first()
    expected = [CLASSES[i % 6] for i in range(8)]
    assert (first.expert_consensus == expected).sum() >= 6


# ------------------------------------------------------------------ safe


def test_an_empty_folder_is_taken(tmp_path):
    root = make_hms(tmp_path, 1, random_state=0, **SMALL)
    assert root == tmp_path
    assert (tmp_path / "train.csv").is_file()


def test_other_folders_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r"make_hms: .*thesis"):
            make_hms(tmp_path, 1, overwrite=overwrite)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    with pytest.raises(NotADirectoryError, match="is a file"):
        make_hms(tmp_path / "thesis.tex", 1)


def test_overwriting_a_simulation(tmp_path):
    root = tmp_path / "hms"
    make_hms(root, 1, random_state=0, **SMALL)
    before = contents(root)
    with pytest.raises(FileExistsError, match=r"not empty .*pass overwrite=True"):
        make_hms(root, 1, random_state=1, **SMALL)
    assert contents(root) == before
    make_hms(root, 1, random_state=1, overwrite=True, **SMALL)
    assert not (set(contents(root)) & set(before)) - {
        "train.csv",
        "test.csv",
        "sample_submission.csv",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["hms"]


def test_recordings_that_were_not_simulated_are_never_replaced(tmp_path):
    root = make_hms(tmp_path / "hms", 1, random_state=0, **SMALL)
    path = next((root / "train_eegs").iterdir())
    pd.read_parquet(path).to_parquet(path)  # as if it came from elsewhere
    before = contents(root)
    with pytest.raises(FileExistsError, match="not simulated ones"):
        make_hms(root, 1, overwrite=True)
    assert contents(root) == before


def test_an_error_half_way_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(_simulate, "_write_tables", fail)
    with pytest.raises(KeyboardInterrupt):
        make_hms(tmp_path / "hms", 1, random_state=0, **SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_run_leaves_no_half_folder(tmp_path):
    root = tmp_path / "hms"
    code = f"from hmsklearn.datasets import make_hms; make_hms({str(root)!r}, 5000)"
    process = subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ))
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob(".hms.*.partial/train_eegs/*.parquet")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    assert not root.exists()
    make_hms(root, 1, random_state=0, **SMALL)
    assert len(load_hms(root).data) >= 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_patients": 0}, "n_patients=0 is out of range"),
        ({"n_patients": 2.5}, "n_patients=2.5"),
        ({"n_test": -1}, "n_test=-1"),
        ({"records_per_patient": 0}, "records_per_patient=0"),
        ({"records_per_patient": (3, 1)}, "neither a number nor a pair"),
        ({"windows_per_record": (1, 2, 3)}, "windows_per_record=.1, 2, 3"),
        ({"windows_per_record": 1000}, "from 1 to 256"),
        ({"missing": 2}, "missing=2 is not a probability"),
    ],
)
def test_bad_parameters(tmp_path, params, message):
    with pytest.raises(ValueError, match=f"make_hms: .*{message}"):
        make_hms(tmp_path / "hms", **params)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------ votes


def test_the_two_populations_of_votes():
    rng = np.random.default_rng(0)
    for many, least, most in ((False, 0.55, 0.95), (True, 0.0, 0.25)):
        unanimous, counts = [], []
        for i in range(300):
            eeg = draw_eeg(
                rng,
                main=CLASSES[i % 6],
                many=many,
                n_windows=1,
                shift=0,
                may_change=False,
            )
            unanimous.append(np.count_nonzero(eeg.votes[0]) == 1)
            counts.append(eeg.votes[0].sum())
        assert least <= np.mean(unanimous) <= most
        assert (min(counts) >= 10) if many else (max(counts) <= 7)
    assert draw_votes(rng, np.eye(6)[2], many=True)[2] >= 10


def test_a_pattern_that_changes_changes_the_votes_at_the_right_window():
    rng = np.random.default_rng(1)
    changed = 0
    for _ in range(60):
        eeg = draw_eeg(
            rng, main="LPD", many=True, n_windows=6, shift=100, may_change=True
        )
        assert eeg.offsets == sorted(set(eeg.offsets))
        if len(eeg.episodes) == 1:
            continue
        changed += 1
        before, after = eeg.episodes
        assert before.stop < after.start
        for offset, votes in zip(eeg.offsets, eeg.votes, strict=True):
            rated = 275 + 100 + offset + 20
            episode = after if rated >= after.start else before
            assert episode.start <= rated <= rated + 10 <= episode.stop
            assert votes is eeg.votes[0 if episode is before else -1]
    assert 5 < changed < 40
