"""Calibration errors and reliability curves of soft labels."""

from inspect import signature
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from hmsklearn.metrics import (
    calibration_report,
    expected_calibration_error,
    reliability_curve,
)
from hmsklearn.votes import CLASSES, VOTE_COLUMNS


@pytest.fixture
def calibrated():
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.ones(6), size=1500)
    return rng.multinomial(12, truth), truth, np.arange(1500) // 5


def sharpened(proba, power=2.5):
    return proba**power / (proba**power).sum(axis=1, keepdims=True)


def by_hand(voted, predicted, edges, weight=None):
    weight = np.ones(len(voted)) if weight is None else weight
    total, gaps = 0.0, []
    for left, right in pairwise(edges):
        inside = (predicted >= left) & (
            (predicted < right) | ((right == 1) & (predicted == 1))
        )
        if inside.any():
            w = weight[inside]
            gap = np.average(voted[inside] - predicted[inside], weights=w)
            total += w.sum() / weight.sum() * abs(gap)
            gaps.append(abs(gap))
    return total, max(gaps)


def test_error_by_hand(calibrated):
    votes, truth, _ = calibrated
    proba = sharpened(truth)
    share = votes / 12
    edges = np.linspace(0, 1, 11)
    expected = [by_hand(share[:, k], proba[:, k], edges) for k in range(6)]
    how = {"n_bins": 10, "classes": "hms"}
    each = expected_calibration_error(votes, proba, average=None, **how)
    np.testing.assert_allclose(each, [ece for ece, _ in expected], rtol=1e-12)
    mean = expected_calibration_error(votes, proba, **how)
    assert mean == pytest.approx(each.mean())
    largest = expected_calibration_error(votes, proba, norm="max", **how)
    assert largest == pytest.approx(np.mean([gap for _, gap in expected]))
    assert largest >= expected_calibration_error(votes, proba, norm="l2", **how) >= mean
    top = proba.argmax(axis=1)
    rows = np.arange(len(top))
    expected_top, _ = by_hand(share[rows, top], proba[rows, top], edges)
    assert expected_calibration_error(
        votes, proba, kind="top-label", **how
    ) == pytest.approx(expected_top)


def test_weights_are_copies(calibrated):
    votes, truth, _ = calibrated
    times = np.arange(len(votes)) % 3
    copies = np.repeat(np.arange(len(votes)), times)
    for strategy in ("uniform", "quantile"):
        for kind in ("classwise", "top-label"):
            how = {"strategy": strategy, "kind": kind}
            assert expected_calibration_error(
                votes, truth, sample_weight=times, **how
            ) == pytest.approx(
                expected_calibration_error(votes[copies], truth[copies], **how)
            )


def test_soft_labels_are_not_rounded():
    """A row voted 6 : 4 and given 0.6 is calibrated, whoever won."""
    votes, proba = [[6, 4]] * 5, [[0.6, 0.4]] * 5
    assert expected_calibration_error(votes, proba) == pytest.approx(0, abs=1e-15)
    hard = [0] * 5
    assert expected_calibration_error(hard, proba, classes=[0, 1]) == pytest.approx(0.4)


def test_hard_labels_of_two_classes_are_scikit_learns_curve():
    rng = np.random.default_rng(0)
    p = rng.random(500)
    y = (rng.random(500) < p**1.5).astype(int)
    for strategy in ("uniform", "quantile"):
        voted, predicted = calibration_curve(y, p, n_bins=8, strategy=strategy)
        curve = reliability_curve(
            y,
            np.column_stack([1 - p, p]),
            classes=[0, 1],
            n_bins=8,
            strategy=strategy,
        )
        curve = curve[curve["class"] == 1]
        np.testing.assert_allclose(curve["voted"], voted, atol=0.02)
        np.testing.assert_allclose(curve["predicted"], predicted, atol=0.01)


@given(st.integers(2, 5), st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_bounds(n_classes, n_rows, n_bins, seed):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_classes, 0.3), size=n_rows)
    votes = rng.multinomial(5, rng.dirichlet(np.ones(n_classes), size=n_rows))
    for strategy in ("uniform", "quantile"):
        how = {"n_bins": n_bins, "strategy": strategy}
        error = expected_calibration_error(votes, proba, **how)
        assert 0 <= error <= 1
        # One bin is the least that any binning shows; each row alone the most.
        gap = np.abs((votes / 5 - proba).mean(axis=0)).mean()
        most = np.abs(votes / 5 - proba).mean()
        assert gap - 1e-12 <= error <= most + 1e-12
        curve = reliability_curve(votes, proba, **how)
        assert (curve.groupby("class")["n_rows"].sum() == n_rows).all()
        np.testing.assert_allclose(curve.groupby("class")["share"].sum(), 1)
        inside = (curve["predicted"] >= curve["left"] - 1e-12) & (
            curve["predicted"] <= curve["right"] + 1e-12
        )
        assert inside.all()
        perfect = expected_calibration_error(proba, proba, **how)
        assert perfect == pytest.approx(0, abs=1e-12)


def test_quantile_bins_hold_equal_weight(calibrated):
    votes, truth, _ = calibrated
    curve = reliability_curve(votes, truth, n_bins=10, strategy="quantile")
    assert (curve["n_rows"] == 150).all()
    # Equal predictions stay together.
    flat = np.full((1500, 6), 1 / 6)
    assert (reliability_curve(votes, flat, strategy="quantile")["n_rows"] == 1500).all()


def test_all_bin_alike_unless_told():
    """A diagram shows the bins of the error that is told beside it."""
    functions = (expected_calibration_error, calibration_report, reliability_curve)
    for name in ("n_bins", "strategy"):
        defaults = {signature(each).parameters[name].default for each in functions}
        assert len(defaults) == 1, name
    votes, proba = [[1, 2], [2, 1]], [[0.3, 0.7], [0.6, 0.4]]
    curve = reliability_curve(votes, proba, classes="infer")
    np.testing.assert_allclose(curve["right"] - curve["left"], 1 / 15)


def test_report_tells_faults_from_chance(calibrated):
    votes, truth, patient = calibrated
    how = {"groups": patient, "classes": "hms", "random_state": 0, "n_boot": 300}
    right = calibration_report(votes, truth, **how).set_index("class")
    wrong = calibration_report(votes, sharpened(truth), **how).set_index("class")
    assert list(right.index) == [*CLASSES, "classwise", "top label"]
    assert (wrong["ece"] > wrong["chance_high"]).all()
    assert right.loc["classwise", "ece"] < right.loc["classwise", "chance_high"]
    assert right.loc["top label", "ece"] < right.loc["top label", "chance_high"]
    assert right.loc["classwise", "ece"] == pytest.approx(
        expected_calibration_error(votes, truth, classes="hms")
    )
    assert right.loc["top label", "ece"] == pytest.approx(
        expected_calibration_error(votes, truth, kind="top-label", classes="hms")
    )
    np.testing.assert_allclose(right["predicted"].iloc[:6], truth.mean(axis=0))
    np.testing.assert_allclose(right["voted"].iloc[:6], votes.mean(axis=0) / 12)
    # What chance does, from the truth itself: draw the votes anew.
    rng = np.random.default_rng(1)
    again = [
        expected_calibration_error(rng.multinomial(12, truth), truth) for _ in range(40)
    ]
    assert right.loc["classwise", "chance"] == pytest.approx(np.mean(again), rel=0.1)


def test_chance_knows_that_patients_windows_are_alike():
    """Copies of a window are no more evidence, and chance does not shrink."""
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.ones(3), size=200)
    votes = rng.multinomial(12, truth)
    copies = np.repeat(np.arange(200), 20)
    how = {"n_boot": 200, "random_state": 0}
    once = calibration_report(votes, truth, groups=np.arange(200), **how)
    many = calibration_report(votes[copies], truth[copies], groups=copies, **how)
    np.testing.assert_allclose(many["chance"], once["chance"], rtol=1e-9)
    naive = calibration_report(
        votes[copies], truth[copies], groups=np.arange(4000), **how
    )
    assert (naive["chance"] < 0.5 * once["chance"]).all()


@pytest.mark.parametrize("n_patients", [10, 30])
def test_a_calibrated_model_is_rarely_blamed(n_patients):
    """Also where a patient's predictions are all alike, and bins hold one patient."""
    patient = np.repeat(np.arange(n_patients), 6)
    n_studies, blamed = 200, []
    for seed in range(n_studies):
        rng = np.random.default_rng(seed)
        truth = rng.dirichlet(np.ones(3), size=n_patients)[patient]
        votes = rng.multinomial(12, truth)
        table = calibration_report(
            votes, truth, groups=patient, n_boot=100, random_state=seed
        ).set_index("class")
        blamed.append(table["ece"] > table["chance_high"])
    rate = np.mean(blamed, axis=0)
    # Three standard deviations of that many studies, on top of a nominal 5 %.
    assert (rate <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_studies)).all()


def test_sign_flips_by_hand(monkeypatch):
    """The signs of all patients of three, and draws that do not depend on blocks."""
    votes, proba = [[3, 1], [1, 3], [2, 2]], [[0.5, 0.5]] * 3
    how = {"groups": ["a", "b", "c"], "n_bins": 1, "random_state": 0}
    table = calibration_report(votes, proba, n_boot=20_000, **how)
    # Gaps of 1/4, -1/4 and 0: their mean is 1/6 or 0, each as often.
    assert table.loc[0, "chance"] == pytest.approx(1 / 12, abs=2e-3)
    assert table.loc[0, "chance_high"] == pytest.approx(1 / 6)
    monkeypatch.setattr("hmsklearn.metrics._bootstrap._BLOCK", 30)
    parts = calibration_report(votes, proba, n_boot=20_000, **how)
    pd.testing.assert_frame_equal(table, parts)


def test_intervals_touch_the_diagonal_where_the_model_is_calibrated():
    touching = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        truth = rng.dirichlet(np.ones(6), size=400)
        votes = rng.multinomial(12, truth)
        curve = reliability_curve(
            votes,
            truth,
            groups=np.arange(400) // 5,
            n_bins=5,
            n_boot=300,
            random_state=seed,
        )
        busy = curve[curve["n_patients"] >= 20]
        inside = (busy["low"] <= busy["predicted"]) & (
            busy["predicted"] <= busy["high"]
        )
        touching.append(inside.mean())
    assert 0.90 <= np.mean(touching) <= 0.99


def test_intervals_of_the_curve(calibrated):
    votes, truth, patient = calibrated
    how = {"n_bins": 5, "n_boot": 400, "random_state": 0}
    curve = reliability_curve(votes, truth, groups=patient, **how)
    around = curve[curve["n_patients"] > 1]
    inside = (around["low"] <= around["voted"]) & (around["voted"] <= around["high"])
    assert inside.all()
    off = reliability_curve(votes, sharpened(truth), groups=patient, **how)
    busy = off[off["n_patients"] > 50]
    touching = (busy["low"] <= busy["predicted"]) & (busy["predicted"] <= busy["high"])
    assert touching.mean() < 0.3
    assert reliability_curve(votes, truth)[["low", "high"]].isna().all(axis=None)
    pair = reliability_curve(votes[:2], truth[:2], groups=["a", "a"])
    assert pair[["low", "high"]].isna().all(axis=None)
    assert (pair["n_patients"] == 1).all()


def test_tables_and_min_votes(calibrated):
    votes, truth, patient = calibrated
    votes = votes.copy()
    votes[::2] = np.eye(6, dtype=int)[truth[::2].argmax(axis=1)] * 3
    table = pd.DataFrame(votes, columns=VOTE_COLUMNS)[list(VOTE_COLUMNS)[::-1]]
    how = {"groups": patient, "n_boot": 20, "random_state": 0, "classes": "hms"}
    part = reliability_curve(
        votes[1::2], truth[1::2], **{**how, "groups": patient[1::2]}
    )
    pd.testing.assert_frame_equal(
        reliability_curve(table, truth, min_votes=10, **how), part
    )
    assert expected_calibration_error(table, truth, min_votes=10) == pytest.approx(
        expected_calibration_error(votes[1::2], truth[1::2])
    )


@pytest.mark.parametrize("function", [expected_calibration_error, reliability_curve])
@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"kind": "marginal"}, "kind='marginal' is not known"),
        ({"strategy": "equal"}, "strategy='equal' is not known"),
        ({"n_bins": 0}, "n_bins must be 1 or more"),
        ({"n_bins": 2.5}, "n_bins must be 1 or more"),
    ],
)
def test_says_what_is_wrong(function, options, match):
    with pytest.raises(ValueError, match=f"^{function.__name__}: {match}"):
        function([[3, 1]], [[0.5, 0.5]], **options)


def test_says_what_else_is_wrong():
    y, p = [[3, 1], [2, 2]], [[0.5, 0.5]] * 2
    with pytest.raises(ValueError, match="norm='l3' is not known"):
        expected_calibration_error(y, p, norm="l3")
    with pytest.raises(ValueError, match="average='micro' is not known"):
        expected_calibration_error(y, p, average="micro")
    with pytest.raises(ValueError, match="groups= must tell the patient"):
        calibration_report(y, p, groups=None)
    with pytest.raises(ValueError, match="n_boot must be at least 1"):
        calibration_report(y, p, groups=[1, 2], n_boot=0)
