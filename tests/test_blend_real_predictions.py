"""The example that blends a team's predictions, on a small simulated table."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hmsklearn.metrics import kl_divergence
from hmsklearn.votes import VOTE_COLUMNS

PATH = Path(__file__).parents[1] / "examples" / "blend_real_predictions.py"


@pytest.fixture(scope="module")
def example():
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("blend_real_predictions", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path):
    """Predictions of four models, the last one useless; some rows to leave out."""
    rng = np.random.default_rng(0)
    n, names = 160, ["good", "fair", "other", "noise"]
    truth = 1.5 * rng.normal(size=(n, 6))
    columns = {}
    for name, noise in zip(names, (0.5, 0.9, 0.7, 9.0), strict=True):
        signal = 0 if name == "noise" else truth
        prob = np.exp(signal + noise * rng.normal(size=(n, 6)))
        prob /= prob.sum(axis=1, keepdims=True)
        columns |= {f"{name}/{k}": prob[:, k] for k in range(6)}
    chances = np.exp(truth) / np.exp(truth).sum(axis=1, keepdims=True)
    targets = pd.DataFrame(rng.multinomial(12, chances) / 12, columns=VOTE_COLUMNS)
    targets["total_votes"] = np.where(np.arange(n) % 8 == 0, 3, 12)
    targets["patient_id"] = pd.array(np.arange(n) // 4, dtype="Int64")
    targets["fold"] = np.arange(n) // 4 % 5
    targets.loc[targets.index[:9], "patient_id"] = pd.NA
    (tmp_path / "oof").mkdir()
    targets.to_parquet(tmp_path / "oof" / "targets.parquet")
    pd.DataFrame(columns).to_parquet(tmp_path / "oof" / "predictions.parquet")
    return tmp_path


def test_the_rows_with_enough_votes_are_read(example, root):
    data = example.load(root)
    assert data.names == ["good", "fair", "other", "noise"]
    assert data.prob.shape == (140, 4, 6)
    np.testing.assert_allclose(data.prob.sum(axis=2), 1)
    # Of the nine rows without a patient seven have the votes: each counts as one.
    assert np.char.startswith(data.patients, "row ").sum() == 7
    assert np.unique(data.patients).size == 7 + 38
    assert set(data.folds) == set(range(5))


def test_one_table_of_all_pools_and_solvers(example, root, capsys):
    out = root / "out"
    short = ["--trials", "8", "--epochs", "60"]
    table = example.main(["--root", str(root), *short, "--out", str(out)])
    data = example.load(root)
    by_name = table.set_index(["pool", "solver"])
    assert by_name.index.is_unique
    solvers = {"newton", "l-bfgs-b", "nelder-mead", "optuna"}
    assert solvers | {"greedy"} <= set(by_name.loc["linear"].index)
    assert solvers | {"greedy"} <= set(by_name.loc["log"].index)
    assert solvers | {"linear-net"} <= set(by_name.loc["log, bias"].index)
    for pool in ("linear", "log", "log, bias"):
        rows = by_name.loc[pool]
        exact = rows.loc["newton"]
        assert exact["gap"] <= 1e-8 * exact["in-sample"]
        unpenalised = rows.index.intersection([*solvers, "greedy", "linear-net"])
        assert (rows.loc[unpenalised, "in-sample"] >= exact["in-sample"] - 1e-9).all()
        assert (rows.loc[unpenalised, "gap"] >= 0).all()
    mean = by_name.loc[("linear", "equal weights"), "cross-fitted"]
    assert mean == pytest.approx(kl_divergence(data.y, data.prob.mean(axis=1)))
    assert by_name.loc[("linear", "newton"), "cross-fitted"] < mean
    # The printed table is the returned one, and the files are there.
    printed = capsys.readouterr().out
    assert all(f"{kl:.5f}" in printed for kl in table["cross-fitted"])
    saved = pd.read_csv(out / "blends.csv", keep_default_na=False, na_values=[""])
    assert len(saved) == len(table)
    assert (out / "blends.png").stat().st_size > 10_000


def test_weights_come_from_other_patients(example, root):
    """A fold that the others say nothing about is scored by what they say."""
    data = example.load(root)
    blender = example.KLBlender()
    before = example.cross_fitted(blender, data, 1)
    blend = np.empty_like(data.y)
    for fold in range(5):
        train, test = data.folds != fold, data.folds == fold
        fitted = example.KLBlender().fit(data.prob[train], data.y[train])
        blend[test] = fitted.predict_proba(data.prob[test])
    assert before == pytest.approx(kl_divergence(data.y, blend), rel=1e-9)
    assert not hasattr(blender, "weights_")


def test_without_a_folder_it_says_what_to_give(example, monkeypatch, capsys):
    monkeypatch.delenv("HMS_DATA", raising=False)
    with pytest.raises(SystemExit):
        example.main([])
    assert "give --root FOLDER, or set HMS_DATA" in capsys.readouterr().err
