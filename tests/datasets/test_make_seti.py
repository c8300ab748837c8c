"""make_seti: the competition's layout, needles in their places, whole or not at all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.metrics import roc_auc_score

from hmsklearn.datasets import (
    SETIReader,
    _seti_cadence,
    _seti_simulate,
    load_seti,
    make_seti,
)
from hmsklearn.datasets._seti_cadence import simulate_cadence
from hmsklearn.datasets._seti_signals import (
    NEEDLES,
    draw_blob,
    draw_interference,
    draw_needle,
)
from hmsklearn.signal import normalize_background

TABLES = ("sample_submission.csv", "train_labels.csv")


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("make") / "seti"
    return make_seti(root, 9, n_test=4, positive=1 / 3, random_state=1)


# ------------------------------------------------------------------ layout


def test_layout(folder):
    visible = sorted(path.name for path in folder.glob("[!.]*"))
    assert visible == ["sample_submission.csv", "test", "train", "train_labels.csv"]
    digits = sorted("0123456789abcdef")
    for split, table, n_rows in (
        ("train", "train_labels.csv", 9),
        ("test", "sample_submission.csv", 4),
    ):
        assert sorted(path.name for path in (folder / split).iterdir()) == digits
        rows = pd.read_csv(folder / table, dtype={"id": str})
        assert rows.columns.tolist() == ["id", "target"]
        assert len(rows) == n_rows
        assert rows["id"].str.fullmatch("[0-9a-f]{15}").all()
        files = {f"{name[0]}/{name}.npy" for name in rows["id"]}
        found = (folder / split).rglob("*.npy")
        assert files == {str(path.relative_to(folder / split)) for path in found}


def test_files(folder):
    for path in folder.rglob("*.npy"):
        cadence = np.load(path)
        assert cadence.shape == (6, 273, 256)
        assert cadence.dtype == np.float16
        assert np.isfinite(cadence).all()
        values = cadence.astype(np.float64)
        np.testing.assert_allclose(values.mean(axis=(1, 2)), 0, atol=1e-2)
        np.testing.assert_allclose(values.std(axis=(1, 2)), 1, atol=1e-2)


def test_targets(folder):
    target = load_seti(folder).target
    assert target.sum() == 3
    assert pd.read_csv(folder / "sample_submission.csv").target.tolist() == [0.5] * 4


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.1, 2), (1.0, 20)])
def test_share_of_positives(tmp_path, monkeypatch, share, expected):
    def quick(rng, *, positive, snr, shapes):
        return np.zeros((1, 1, 1), np.float16)

    monkeypatch.setattr(_seti_simulate, "simulate_cadence", quick)
    root = make_seti(tmp_path, 20, positive=share, n_test=1, random_state=0)
    target = load_seti(root).target
    assert target.sum() == expected
    for n_rows in range(1, 21):
        assert abs(target[:n_rows].sum() - share * n_rows) <= 0.5 + 1e-9


# ------------------------------------------------------------------ signals


@pytest.mark.parametrize("shape", NEEDLES)
def test_a_needle_is_in_the_observations_of_the_star_alone(rng, shape):
    missed = 0
    for _ in range(40):
        needle = draw_needle(rng, shape)
        assert needle.shape == (6, 273, 256)
        assert needle.dtype == np.float32
        assert (needle >= 0).all()
        assert (needle[1::2] == 0).all()
        assert np.sum(needle.astype(np.float64) ** 2) == pytest.approx(1, abs=1e-5)
        seen = needle[::2].max(axis=(1, 2)) > 0
        missed += 3 - seen.sum()
        assert seen.sum() >= 2
        # It stays within the band: each row that has any of it has its top.
        rows = needle.max(axis=2)
        assert rows[rows > 0].min() > 0.7 * rows.max()
    assert 1 <= missed <= 16


def middle_of(needle):
    """Mean column of each row of the whole cadence that has a signal, and the row."""
    flat = needle.reshape(-1, 256)
    rows = np.flatnonzero(flat.max(axis=1) > 0)
    weight = flat[rows] / flat[rows].sum(axis=1, keepdims=True)
    return rows, weight @ np.arange(256)


def test_a_line_is_straight_and_a_wave_is_not(rng):
    for shape, straight in (("line", True), ("pulsed", True), ("sine", False)):
        for _ in range(10):
            rows, column = middle_of(draw_needle(rng, shape))
            off = column - np.polyval(np.polyfit(rows, column, 1), rows)
            assert (np.abs(off).max() < 0.2) == straight, shape


def test_pulses_come_and_go(rng):
    for _ in range(10):
        rows = draw_needle(rng, "pulsed").reshape(-1, 256).max(axis=1) > 0
        on = rows.reshape(6, 273)[::2]
        share = on[on.any(axis=1)].mean()
        assert 0.2 < share < 0.85
        assert np.abs(np.diff(on.astype(int))).sum() >= 6


def test_interference_comes_from_everywhere(rng):
    """What is on Earth is seen beside the star too."""
    for _ in range(60):
        seen = draw_interference(rng).max(axis=(1, 2)) > 0
        first, last = np.flatnonzero(seen)[[0, -1]]
        assert seen[first : last + 1].all()
        assert last > first
        assert draw_blob(rng).max() <= 1.2


@pytest.mark.parametrize("ratio", [20.0, 80.0])
def test_signal_to_noise(monkeypatch, ratio):
    """A filter that knows the needle finds it as far above the noise as was asked."""
    # So fast across the band that it does not move the median of any column.
    track = np.linspace(20, 236, 6 * 273).reshape(6, 273, 1)
    needle = np.exp(-0.5 * (np.arange(256) - track) ** 2).astype(np.float32)
    needle[1::2] = 0
    needle /= np.linalg.norm(needle)
    monkeypatch.setattr(_seti_cadence, "draw_needle", lambda *args: needle)
    found = []
    for seed in range(9):
        cadence = simulate_cadence(
            np.random.default_rng(seed),
            positive=True,
            snr=(ratio, ratio),
            shapes=("line",),
        )
        flat = normalize_background(cadence.astype(np.float32))
        found.append(np.sum(flat * needle))
    assert np.median(found) == pytest.approx(ratio, rel=0.2)


def brightest_line(observation):
    """Best mean along a straight line through one observation, in its background."""
    flat = normalize_background(observation[None], clip=8)[0]
    # Means of 13 moments: fewer lines to try.
    padded = np.pad(flat.reshape(21, 13, 256).mean(axis=1), ((0, 0), (60, 60)))
    rows = np.arange(21)[:, None]
    best = -np.inf
    for drift in range(-50, 51, 2):
        shift = np.rint(drift * (rows - 10) / 21).astype(int)
        line = padded[rows, 60 + shift + np.arange(256)].mean(axis=0)
        best = max(best, (line[1:] + line[:-1]).max())
    return best


def test_who_looks_for_lines_finds_many_and_not_all():
    """A statistic that knows what to look for: well above chance, below certainty."""
    brightest, positive = [], []
    for index in range(80):
        rng = np.random.default_rng([7, index])
        positive.append(index % 2)
        cadence = simulate_cadence(
            rng, positive=bool(index % 2), snr=(15.0, 120.0), shapes=NEEDLES
        )
        brightest.append([brightest_line(x.astype(np.float32)) for x in cadence])
    on, off = np.array(brightest)[:, ::2], np.array(brightest)[:, 1::2]
    score = roc_auc_score(positive, on.mean(axis=1) - off.mean(axis=1))
    assert 0.75 < score < 0.99


# ------------------------------------------------------------------ reproducible


def test_same_seed_same_bytes_and_more_cadences_change_nothing(tmp_path):
    first = contents(make_seti(tmp_path / "a", 2, n_test=1, random_state=5))
    with parallel_config(backend="threading"):
        root = make_seti(tmp_path / "b", 3, n_test=2, n_jobs=2, random_state=5)
    again = contents(root)
    for name, content in first.items():
        if name in TABLES:
            assert again[name].startswith(content)
        else:
            assert again[name] == content
    assert len(again) == len(first) + 2
    other = contents(make_seti(tmp_path / "c", 2, n_test=1, random_state=6))
    assert not [name for name in other if name in first and name.endswith("npy")]


def test_shapes_of_the_test_set(tmp_path, monkeypatch):
    asked = []

    def note(rng, *, positive, snr, shapes):
        asked.append(shapes)
        return np.zeros((1, 1, 1), np.float16)

    monkeypatch.setattr(_seti_simulate, "simulate_cadence", note)
    make_seti(tmp_path, 2, n_test=1, shapes=["line"], test_shapes=["sine"])
    assert asked == [("line",), ("line",), ("sine",)]


# ------------------------------------------------------------------ safe


@pytest.fixture
def quick(monkeypatch):
    def empty(rng, **params):
        return np.zeros((6, 273, 256), np.float16)

    monkeypatch.setattr(_seti_simulate, "simulate_cadence", empty)


def test_other_folders_are_left_alone(tmp_path, quick):
    (tmp_path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r"make_seti: .*thesis"):
            make_seti(tmp_path, 1, n_test=1, overwrite=overwrite)
    with pytest.raises(NotADirectoryError, match="is a file"):
        make_seti(tmp_path / "thesis.tex", 1, n_test=1)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_overwriting_a_simulation_and_nothing_else(tmp_path, quick):
    root = make_seti(tmp_path / "seti", 1, n_test=1, random_state=0)
    with pytest.raises(FileExistsError, match=r"not empty .*pass overwrite=True"):
        make_seti(root, 1, n_test=1, random_state=1)
    make_seti(root, 2, n_test=1, random_state=1, overwrite=True)
    assert len(load_seti(root).data) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["seti"]
    (root / ".hmsklearn-simulated").unlink()  # as if it came from elsewhere
    with pytest.raises(FileExistsError, match="lacks the file"):
        make_seti(root, 1, n_test=1, overwrite=True)
    assert SETIReader().fit_transform(load_seti(root).data).shape[0] == 2


def test_an_error_half_way_leaves_nothing(tmp_path, monkeypatch, quick):
    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(_seti_simulate, "_write_tables", fail)
    with pytest.raises(KeyboardInterrupt):
        make_seti(tmp_path / "seti", 1, n_test=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_train": 0}, "n_train must be an integer at least 1"),
        ({"n_test": 1.5}, "n_test must be an integer"),
        ({"positive": 1.5}, "positive must be .*at most 1"),
        ({"snr": 3}, "snr must be a pair"),
        ({"snr": (0, 3)}, r"snr\[0\] must be .*above 0"),
        ({"snr": (4, 3)}, "the lower bound comes first"),
        ({"shapes": "line"}, "shapes must be a list"),
        ({"shapes": []}, "shapes must be a list"),
        ({"shapes": ["wave"]}, "shapes must be one of"),
        ({"test_shapes": ["sines"]}, "test_shapes must be one of.*'sine'"),
    ],
)
def test_bad_parameters(tmp_path, params, message):
    with pytest.raises(ValueError, match=f"make_seti: .*{message}"):
        make_seti(tmp_path / "seti", **params)
    assert list(tmp_path.iterdir()) == []
