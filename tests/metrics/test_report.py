"""The divergence broken down, against slow and obvious ways to do the same."""

import numpy as np
import pandas as pd
import pytest

from hmsklearn.metrics import kl_divergence, kl_noise_floor, kl_report
from hmsklearn.metrics._bootstrap import percentile_interval, resampled_ratios
from hmsklearn.votes import CLASSES

N = 240


@pytest.fixture
def data():
    rng = np.random.default_rng(5)
    truth = rng.dirichlet(np.full(6, 0.6), size=N)
    votes = rng.multinomial(rng.choice([2, 5, 12, 16], N), truth)
    proba = 0.7 * truth + 0.3 / 6
    patient = np.sort(rng.integers(0, 40, N))
    recording = patient * 10 + rng.integers(0, 3, N)
    return votes, proba, patient, recording


def report(data, **options):
    votes, proba, patient, recording = data
    options = {"classes": "hms", "random_state": 0, "n_boot": 50, **options}
    options.setdefault("noise_floor", "dirichlet")
    return kl_report(votes, proba, groups=patient, recordings=recording, **options)


def test_lines(data):
    votes, proba, patient, recording = data
    table = report(data).set_index(["by", "level"])
    row = kl_divergence(votes, proba, average=None)
    assert table.index[0] == ("overall", "rows")
    assert table.loc[("overall", "rows"), "kl"] == pytest.approx(row.mean())
    by_recording = pd.Series(row).groupby(recording).mean()
    assert table.loc[("overall", "recordings"), "kl"] == pytest.approx(
        by_recording.mean()
    )
    by_patient = pd.Series(row).groupby(patient).mean()
    assert table.loc[("overall", "patients"), "kl"] == pytest.approx(by_patient.mean())
    consensus = votes.argmax(axis=1)
    for k, name in enumerate(CLASSES):
        line = table.loc[("class", name)]
        assert line["kl"] == pytest.approx(row[consensus == k].mean())
        assert line["n_rows"] == (consensus == k).sum()
        assert line["n_patients"] == np.unique(patient[consensus == k]).size
    terms = table.loc["term"]
    assert terms["kl"].sum() == pytest.approx(row.mean())
    share = votes / votes.sum(axis=1, keepdims=True)
    log_ratio = np.log(np.where(share > 0, share, 1) / np.where(share > 0, proba, 1))
    np.testing.assert_allclose(terms["kl"], (share * log_ratio).mean(axis=0))
    total = votes.sum(axis=1)
    for level, rows in {
        "1-2": total < 3,
        "3-9": (total >= 3) & (total < 10),
        "10-14": (total >= 10) & (total < 15),
        "15+": total >= 15,
    }.items():
        assert table.loc[("votes", level), "kl"] == pytest.approx(row[rows].mean())
        assert table.loc[("votes", level), "n_rows"] == rows.sum()
    lines = table.loc["recording"]
    pd.testing.assert_series_equal(
        lines["kl"], by_recording, check_names=False, check_index_type=False
    )
    assert (lines["n_patients"] == 1).all()
    assert lines[["low", "high"]].isna().all(axis=None)


def test_floor_stands_beside_every_line(data):
    votes, _, patient, recording = data
    table = report(data, noise_floor="mixture").set_index(["by", "level"])
    floor = kl_noise_floor(votes, groups=recording, average=None)
    assert table.loc[("overall", "rows"), "noise_floor"] == pytest.approx(floor.mean())
    assert table.loc["term", "noise_floor"].sum() == pytest.approx(floor.mean())
    lpd = votes.argmax(axis=1) == 1
    assert table.loc[("class", "LPD"), "noise_floor"] == pytest.approx(
        floor[lpd].mean()
    )
    pd.testing.assert_series_equal(
        table.loc["recording", "noise_floor"],
        pd.Series(floor).groupby(recording).mean(),
        check_names=False,
        check_index_type=False,
    )
    np.testing.assert_allclose(table["excess"], table["kl"] - table["noise_floor"])
    around = table[table.index.get_level_values("by") != "recording"]
    inside = (around["floor_low"] < around["noise_floor"]) & (
        around["noise_floor"] < around["floor_high"]
    )
    assert inside.all()
    zhang = report(data, noise_floor="zhang")
    assert zhang.loc[0, "noise_floor"] == pytest.approx(
        kl_noise_floor(votes, method="zhang")
    )
    without = report(data, noise_floor=None)
    columns = ["noise_floor", "floor_low", "floor_high", "excess"]
    assert without[columns].isna().all(axis=None)
    alone = kl_report(votes, data[1], groups=patient, n_boot=0)
    assert alone.loc[0, "noise_floor"] == pytest.approx(kl_noise_floor(votes))


def test_windows_of_a_patient_that_are_rated_alike_are_no_copies():
    """Each window rated on its own: the floor is what the truth scores."""
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(30), 80)
    truth = rng.dirichlet(np.full(6, 0.3), size=30)[patient]
    votes = rng.multinomial(12, truth)
    how = {"groups": patient, "by": "overall", "n_boot": 0}
    exact = kl_noise_floor(votes, truth=truth)
    alone = kl_report(votes, truth, **how).loc[0, "noise_floor"]
    assert alone == pytest.approx(exact, rel=0.05)
    as_copies = kl_report(votes, truth, recordings=patient, **how)
    assert as_copies.loc[0, "noise_floor"] > 1.1 * exact


def test_copies_within_a_recording_count_once():
    rng = np.random.default_rng(1)
    votes = rng.multinomial(12, rng.dirichlet(np.full(6, 0.3), size=150))
    times = np.where(votes.max(axis=1) >= 11, 40, 2)
    recording = np.repeat(np.arange(150), times)
    how = {"groups": recording // 5, "by": "overall", "n_boot": 0}
    proba = np.full((len(recording), 6), 1 / 6)
    table = kl_report(votes[recording], proba, recordings=recording, **how)
    once = np.average(kl_noise_floor(votes, average=None), weights=times)
    assert table.loc[0, "noise_floor"] == pytest.approx(once)
    unknown = kl_report(votes[recording], proba, **how)
    assert unknown.loc[0, "noise_floor"] < 0.9 * once


def test_interval_is_that_of_a_loop_over_patients(data):
    votes, proba, patient, _ = data
    table = report(data, n_boot=4000)
    row = kl_divergence(votes, proba, average=None)
    rng = np.random.default_rng(1)
    names = np.unique(patient)
    rows_of = [np.flatnonzero(patient == name) for name in names]
    means = []
    for _ in range(4000):
        drawn = rng.integers(0, names.size, names.size)
        means.append(row[np.concatenate([rows_of[g] for g in drawn])].mean())
    n = np.array([names.size])
    (low,), (high,) = percentile_interval(np.array(means)[:, None], 0.95, n)
    width = high - low
    assert table.loc[0, "low"] == pytest.approx(low, abs=0.06 * width)
    assert table.loc[0, "high"] == pytest.approx(high, abs=0.06 * width)


def test_patients_are_resampled_not_rows():
    """Twenty copies of every row make no interval narrower."""
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.ones(3), size=60)
    votes = rng.multinomial(12, truth)
    proba = np.full((60, 3), 1 / 3)
    how = {"n_boot": 500, "random_state": 0, "by": "overall"}
    once = kl_report(votes, proba, groups=np.arange(60), **how)
    copies = np.repeat(np.arange(60), 20)
    many = kl_report(votes[copies], proba[copies], groups=copies, **how)
    np.testing.assert_allclose(once[["low", "high"]], many[["low", "high"]], rtol=1e-12)


def test_interval_covers_what_it_says():
    """Over simulated studies, near 95 % of the intervals hold the true mean."""
    rng = np.random.default_rng(0)
    held, n_studies, forty = 0, 1000, np.array([40])
    for seed in range(n_studies):
        level = np.repeat(rng.normal(size=40), 5) + 0.3 * rng.normal(size=200)
        sums = level.reshape(40, 5).sum(axis=1)[:, None]
        ratios = resampled_ratios(
            sums, np.full((40, 1), 5.0), n_boot=500, random_state=seed
        )
        low, high = percentile_interval(ratios, 0.95, forty)
        held += low[0] < 0 < high[0]
    # Two standard deviations of that many studies are 0.014.
    assert held / n_studies == pytest.approx(0.95, abs=0.02)


def test_draws_do_not_depend_on_blocks(monkeypatch):
    top, bottom = np.arange(12.0).reshape(6, 2), np.ones((6, 2))
    whole = resampled_ratios(top, bottom, n_boot=30, random_state=0)
    monkeypatch.setattr("hmsklearn.metrics._bootstrap._BLOCK", 12)
    parts = resampled_ratios(top, bottom, n_boot=30, random_state=0)
    np.testing.assert_array_equal(whole, parts)


def test_same_seed_same_table(data):
    pd.testing.assert_frame_equal(report(data), report(data))
    assert not report(data).equals(report(data, random_state=1))


def test_weights(data):
    votes, proba, patient, _ = data
    weight = np.where(np.arange(N) % 3 == 0, 0.0, 1.0 + patient)
    table = report(data, sample_weight=weight).set_index(["by", "level"])
    assert table.loc[("overall", "rows"), "kl"] == pytest.approx(
        kl_divergence(votes, proba, sample_weight=weight)
    )
    assert table.loc[("overall", "rows"), "n_rows"] == (weight > 0).sum()
    used = weight > 0
    row = kl_divergence(votes, proba, average=None)
    mean = pd.Series(row[used]).groupby(patient[used]).mean().mean()
    assert table.loc[("overall", "patients"), "kl"] == pytest.approx(mean)


def test_min_votes_and_fractions_with_totals(data):
    votes, proba = data[:2]
    total = votes.sum(axis=1)
    table = report(data, min_votes=10, by=["overall", "votes"])
    assert table.loc[0, "kl"] == pytest.approx(
        kl_divergence(votes, proba, min_votes=10)
    )
    assert table.set_index("level").loc["1-2", "n_rows"] == 0
    assert np.isnan(table.set_index("level").loc["1-2", "kl"])
    fractions = votes / total[:, None]
    same = report((fractions, *data[1:]), total_votes=total, min_votes=10)
    pd.testing.assert_frame_equal(same, report(data, min_votes=10))
    unknown = report((fractions, *data[1:]), noise_floor=None)
    assert "votes" not in set(unknown["by"])


def test_a_level_of_one_patient_has_no_interval(data):
    votes, proba, _, _ = data
    patient = np.where(votes.argmax(axis=1) == 2, "alone", "others")
    patient[::5] = "third"
    votes[::5, 0] += 40
    table = kl_report(votes, proba, groups=patient, classes="hms", n_boot=20)
    line = table.set_index(["by", "level"]).loc[("class", "GPD")]
    assert line["n_patients"] == 1
    assert np.isnan(line["low"])
    assert not np.isnan(table.loc[0, "low"])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"by": "weekday"}, "by='weekday' is not known"),
        ({"n_boot": -1}, "n_boot must be at least 0"),
        ({"n_boot": 1.5}, "n_boot must be a whole number"),
        ({"confidence_level": 95}, "between 0 and 1"),
        ({"vote_bins": (3, 1)}, "vote_bins must ascend"),
        ({"vote_bins": (3, 10)}, "vote_bins start at 3 and a row has 2 votes"),
        ({"noise_floor": "x"}, "method='x' is not known"),
    ],
)
def test_says_what_is_wrong(data, options, match):
    with pytest.raises(ValueError, match=f"^kl_report.*{match}"):
        report(data, **options)


def test_patients_must_be_told(data):
    votes, proba, _, _ = data
    with pytest.raises(ValueError, match="groups= must tell the patient"):
        kl_report(votes, proba, groups=None)
    with pytest.raises(ValueError, match="recordings= is not given"):
        kl_report(votes, proba, groups=np.arange(N), by="recording")
    fractions = votes / votes.sum(axis=1, keepdims=True)
    with pytest.raises(ValueError, match="Pass vote counts, or total_votes"):
        kl_report(fractions, proba, groups=np.arange(N))
    with pytest.raises(ValueError, match="votes is not known; give total_votes="):
        kl_report(fractions, proba, groups=np.arange(N), by="votes", noise_floor=None)
    labels = votes.argmax(axis=1)
    with pytest.raises(ValueError, match=r"no row has two votes.*noise_floor=None"):
        kl_report(labels, proba, groups=np.arange(N))
    plain = kl_report(labels, proba, groups=np.arange(N), noise_floor=None, n_boot=0)
    assert plain["kl"][0] == pytest.approx(kl_divergence(labels, proba))


def test_memory_of_many_recordings():
    """A line for each of many recordings costs no table of rows by recordings."""
    n = 20_000
    votes = np.tile([[3, 1], [2, 5]], (n // 2, 1))
    proba = np.full((n, 2), 0.5)
    table = kl_report(
        votes, proba, groups=np.arange(n) // 10, recordings=np.arange(n), n_boot=10
    )
    assert (table["by"] == "recording").sum() == n
