"""SPaRCNet's 35,740 predictions, calibrated over patients: the published figures."""

import re
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold

from hmsklearn.calibration import fit_temperature
from hmsklearn.metrics import (
    compare_models,
    expected_calibration_error,
    kl_divergence,
    kl_noise_floor,
    kl_report,
)
from hmsklearn.votes import VOTE_COLUMNS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "calibrate_sparcnet.py"
GUIDE = ROOT / "docs" / "user_guide" / "evaluation.rst"


@pytest.fixture(scope="module")
def sparcnet(hms_data):
    table = pd.read_parquet(hms_data / "oof" / "sparcnet_35740.parquet")
    votes = table[list(VOTE_COLUMNS)]
    proba = table[[f"pred_{column}" for column in VOTE_COLUMNS]].to_numpy()
    return votes, proba, table["subject"].fillna("unknown").to_numpy(dtype=str)


@pytest.fixture(scope="module")
def scaled(sparcnet):
    votes, proba, patient = sparcnet
    models = {}
    for bias in (False, True):
        models[bias] = np.empty_like(proba)
        for train, test in GroupKFold(5).split(proba, votes, patient):
            fit = fit_temperature(proba[train], votes.iloc[train], bias=bias)
            assert fit.grad_norm <= 1e-9
            models[bias][test] = fit.transform(proba[test])
    return models


def test_reference_figures(sparcnet):
    votes, proba, _ = sparcnet
    assert len(votes) == 35_740
    assert round(kl_divergence(votes, proba), 3) == 0.508
    top = proba.argmax(axis=1) == votes.to_numpy().argmax(axis=1)
    assert round(top.mean(), 3) == 0.648


def test_cross_validation_over_patients_improves_it(sparcnet, scaled):
    votes, proba, patient = sparcnet
    models = (proba, scaled[False], scaled[True])
    kl = [kl_divergence(votes, p) for p in models]
    assert kl == pytest.approx([0.5084, 0.4005, 0.3760], abs=5e-5)
    ece = [expected_calibration_error(votes, p) for p in models]
    assert ece == pytest.approx([0.0604, 0.0332, 0.0159], abs=5e-5)
    for model in scaled.values():
        result = compare_models(
            votes, model, proba, groups=patient, n_boot=500, random_state=0
        )
        assert result.high < 0
        assert result.p_value <= 0.001
        assert result.win_share > 0.6


def test_it_stays_above_the_floor(sparcnet, scaled):
    votes, _, patient = sparcnet
    floor, *others = (
        kl_noise_floor(votes, groups=patient, method=method)
        for method in ("mixture", "dirichlet", "zhang", "miller-madow")
    )
    assert np.round([floor, *others], 3).tolist() == [0.118, 0.124, 0.074, 0.067]
    report = kl_report(
        votes, scaled[True], groups=patient, n_boot=200, random_state=0
    ).set_index(["by", "level"])
    # Nobody tells the recordings, and so the report takes no row for a copy.
    every_row = kl_noise_floor(votes)
    assert round(every_row, 4) == 0.1055
    assert round(floor, 4) == 0.1184
    assert report.loc[("overall", "rows"), "noise_floor"] == pytest.approx(every_row)
    assert (report.loc["class", "excess"] > 0).all()


def test_example_prints_what_the_functions_give(
    sparcnet, scaled, hms_data, tmp_path, monkeypatch, capsys
):
    pytest.importorskip("matplotlib").use("Agg")
    arguments = ["calibrate", "--root", str(hms_data), "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    import matplotlib.pyplot as plt

    plt.close("all")
    printed = capsys.readouterr().out
    votes, proba, patient = sparcnet
    assert (
        f"noise floor: {kl_noise_floor(votes):.4f} nat, and "
        f"{kl_noise_floor(votes, groups=patient):.4f} if"
    ) in printed
    names = ("SPaRCNet", "temperature", "temperature + bias")
    for name, model in zip(names, (proba, *scaled.values()), strict=True):
        kl, ece, top = re.search(
            rf"^{re.escape(name)}: KL (\S+) .*?ECE (\S+) .*?top label (\S+) ",
            printed,
            flags=re.M,
        ).groups()
        assert kl == f"{kl_divergence(votes, model):.4f}"
        assert ece == f"{expected_calibration_error(votes, model):.4f}"
        assert (
            top == f"{expected_calibration_error(votes, model, kind='top-label'):.4f}"
        )
    guide = GUIDE.read_text(encoding="utf-8")
    results = printed[printed.index("noise floor") : printed.index("wrote ")]
    for line in results.splitlines():
        assert line.strip() in guide
    assert (tmp_path / "sparcnet_reliability.png").stat().st_size > 10_000
