"""Four families of models on simulated files, as a user compares them."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from hmsklearn.datasets import load_hms, make_hms
from hmsklearn.metrics import kl_divergence
from hmsklearn.votes import VOTE_COLUMNS

EXAMPLES = Path(__file__).parents[1] / "examples"
FAMILIES = ("mel image", "raw image", "waveform", "multi-view")


@pytest.fixture(scope="module")
def four_families():
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location(
        "four_families", EXAMPLES / "four_families.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_table(path, root, scores):
    table = pd.read_csv(path)
    assert table["eeg_id"].is_unique
    assert set(table["eeg_id"]) == set(load_hms(root).data["eeg_id"])
    # No patient is on both sides of a fold.
    assert (table.groupby("patient_id")["fold"].nunique() == 1).all()
    votes = table[list(VOTE_COLUMNS)].to_numpy()
    for name in FAMILIES:
        proba = table[[f"{name}: {column}" for column in VOTE_COLUMNS]].to_numpy()
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        assert kl_divergence(votes, proba) == pytest.approx(scores[name])


@pytest.mark.slow(seconds=160)
def test_each_family_is_below_half_of_the_class_mean(
    four_families, tmp_path, capsys, monkeypatch
):
    import matplotlib.image

    make_families = four_families.make_families

    def more_steps(max_epochs):
        families = make_families(max_epochs)
        # The quickest net to train is the one that needs most steps.
        families["waveform"].set_params(net__max_epochs=24, net__batch_size=8)
        return families

    monkeypatch.setattr(four_families, "make_families", more_steps)
    # One window of each of many patients teaches most for the time it takes.
    root = make_hms(
        *(tmp_path / "hms", 72),
        records_per_patient=1,
        windows_per_record=1,
        n_test=1,
        random_state=0,
    )
    out = tmp_path / "out"
    scores = four_families.main(
        ["--root", str(root), "--epochs", "16", "--out", str(out)]
    )
    assert set(scores) == {"uniform", "class mean", *FAMILIES}
    for name in FAMILIES:
        assert scores[name] < 0.5 * scores["class mean"], scores
    check_table(out / "oof.csv", root, scores)
    picture = matplotlib.image.imread(out / "kl_by_family.png")
    assert min(picture.shape[:2]) > 100
    assert picture[..., :3].std() > 0.05  # not an empty sheet
    printed = capsys.readouterr().out
    for word in (*scores, "oof.csv", "kl_by_family.png"):
        assert word in printed


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    root = tmp_path_factory.mktemp("few") / "hms"
    make_hms(
        *(root, 3),
        records_per_patient=1,
        windows_per_record=(2, 4),
        n_test=1,
        random_state=0,
    )
    return load_hms(root).data


def test_a_window_does_not_depend_on_what_is_read_with_it(four_families, rows):
    together = four_families.read_windows(rows)
    assert together.shape == (len(rows), 18, 2000)
    np.testing.assert_array_equal(four_families.read_windows(rows, block=2), together)
    alone = four_families.make_cleaning().fit_transform(rows.iloc[-1:])
    np.testing.assert_array_equal(alone, together[-1:])


def test_nothing_that_learns_may_be_read_ahead(four_families, rows, monkeypatch):
    from sklearn.preprocessing import StandardScaler

    cleaning = four_families.make_cleaning()
    learning = Pipeline([*cleaning.steps, ("learns", StandardScaler())])
    monkeypatch.setattr(four_families, "make_cleaning", lambda: learning)
    with pytest.raises(ValueError, match="'learns'"):
        four_families.read_windows(rows)


def test_the_middle_window_of_every_eeg_is_kept(four_families):
    table = pd.DataFrame({"eeg_id": [7, 7, 7, 3, 5, 5, 5, 5]}, index=range(10, 18))
    assert four_families.middle_rows(table).tolist() == [1, 3, 5]
