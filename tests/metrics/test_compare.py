"""Paired comparison over patients: right size, right power, right arithmetic."""

from itertools import product

import numpy as np
import pytest

from hmsklearn.metrics import compare_models, kl_divergence
from hmsklearn.metrics._compare import _sign_flip_test


def study(rng, n_patients=30, per_patient=6, shift=0.0):
    """Two models that miss the truth alike, in a way of their own at each patient."""
    n = n_patients * per_patient
    patient = np.repeat(np.arange(n_patients), per_patient)
    truth = rng.dirichlet(np.ones(4), size=n)
    votes = rng.multinomial(12, truth)
    models = []
    for extra in (0.0, shift):
        # A patient's windows are missed together.
        bend = np.exp(rng.normal(0, 0.5, (n_patients, 4)) * (1 + extra))[patient]
        proba = truth * bend
        models.append(proba / proba.sum(axis=1, keepdims=True))
    return votes, *models, patient


def test_arithmetic():
    votes, a, b, patient = study(np.random.default_rng(0), shift=0.5)
    result = compare_models(votes, a, b, groups=patient, random_state=0)
    rows = [kl_divergence(votes, p, average=None) for p in (a, b)]
    assert result.kl == pytest.approx([row.mean() for row in rows])
    assert result.difference == pytest.approx((rows[0] - rows[1]).mean())
    wins = [(rows[0] - rows[1])[patient == g].mean() < 0 for g in range(30)]
    assert result.win_share == pytest.approx(np.mean(wins))
    assert (result.n_rows, result.n_patients) == (180, 30)
    assert result.low < result.difference < result.high
    other = compare_models(votes, b, a, groups=patient, random_state=0)
    assert other.difference == pytest.approx(-result.difference)
    assert (other.low, other.high) == pytest.approx((-result.high, -result.low))
    assert other.p_value == result.p_value
    assert other.win_share == pytest.approx(1 - result.win_share)


def test_weights_and_min_votes():
    rng = np.random.default_rng(1)
    votes, a, b, patient = study(rng)
    votes[::3] = np.eye(4, dtype=int)[rng.integers(0, 4, 60)] * 3
    few = compare_models(votes, a, b, groups=patient, min_votes=10, random_state=0)
    kept = votes.sum(axis=1) >= 10
    alone = compare_models(
        votes[kept], a[kept], b[kept], groups=patient[kept], random_state=0
    )
    assert few == alone
    assert few.n_rows == kept.sum()
    weighted = compare_models(
        votes, a, b, groups=patient, sample_weight=kept.astype(float), random_state=0
    )
    assert weighted.difference == pytest.approx(alone.difference)
    assert weighted.n_rows == alone.n_rows
    fractions = votes / votes.sum(axis=1, keepdims=True)
    totals = votes.sum(axis=1)
    told = compare_models(
        fractions,
        a,
        b,
        groups=patient,
        min_votes=10,
        total_votes=totals,
        random_state=0,
    )
    assert told.difference == pytest.approx(few.difference)


def test_all_flips_are_tried_where_they_are_few():
    apart = np.array([0.3, -0.1, 0.25, 0.05, 0.4])
    sums = [abs(np.dot(signs, apart)) for signs in product([1, -1], repeat=5)]
    expected = np.mean(np.array(sums) >= abs(apart.sum()) - 1e-12)
    p_value, n = _sign_flip_test(apart, 9999, np.random.RandomState(0))
    assert (p_value, n) == (expected, 32)
    sampled, n = _sign_flip_test(apart, 31, np.random.RandomState(0))
    assert n == 31
    assert sampled >= 1 / 32


def test_blocks_make_no_difference(monkeypatch):
    apart = np.random.default_rng(0).normal(0.2, 1, 40)
    whole = _sign_flip_test(apart, 500, np.random.RandomState(0))
    monkeypatch.setattr("hmsklearn.metrics._compare._BLOCK", 400)
    assert _sign_flip_test(apart, 500, np.random.RandomState(0)) == whole
    assert _sign_flip_test(apart[:8], 500, None)[1] == 256


def test_models_that_are_alike_are_seldom_told_apart():
    """The error of the first kind is what was asked for."""
    n_studies, wrong, outside = 300, 0, 0
    for seed in range(n_studies):
        votes, a, b, patient = study(np.random.default_rng(seed))
        result = compare_models(
            votes,
            a,
            b,
            groups=patient,
            n_permutations=199,
            n_boot=200,
            random_state=seed,
        )
        wrong += result.p_value <= 0.05
        outside += not result.low < 0 < result.high
    # Three standard deviations of that many studies.
    assert wrong / n_studies <= 0.05 + 0.038
    assert wrong > 0
    assert outside / n_studies <= 0.05 + 0.038


def test_rows_in_place_of_patients_would_be_fooled():
    """What the patients are for: with rows as units, alike models differ too often."""
    wrong = {"patients": 0, "rows": 0}
    for seed in range(60):
        votes, a, b, patient = study(np.random.default_rng(seed), 12, 25)
        for units, groups in (("patients", patient), ("rows", np.arange(300))):
            result = compare_models(
                votes,
                a,
                b,
                groups=groups,
                n_permutations=199,
                n_boot=1,
                random_state=seed,
            )
            wrong[units] += result.p_value <= 0.05
    assert wrong["patients"] <= 8
    assert wrong["rows"] >= 18


def test_a_better_model_is_seen():
    votes, a, b, patient = study(np.random.default_rng(0), 60, shift=1.0)
    result = compare_models(
        votes, a, b, groups=patient, names=("new", "old"), random_state=0
    )
    assert result.p_value < 0.01
    assert result.high < 0
    text = repr(result)
    assert "new is better" in text
    assert f"{result.difference:+.4f}" in text
    assert "60 patients" in text
    same = compare_models(votes, a, a, groups=patient, random_state=0)
    assert (same.difference, same.p_value, same.win_share) == (0.0, 1.0, 0.5)
    assert "the interval holds zero" in repr(same)


def test_same_seed_same_result():
    votes, a, b, patient = study(np.random.default_rng(0))
    one, two, other = (
        compare_models(votes, a, b, groups=patient, random_state=seed)
        for seed in (0, 0, 1)
    )
    assert one == two != other


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"groups": None}, "groups= must tell the patient"),
        ({"groups": [1, 1, 1]}, "all rows are of one patient"),
        ({"groups": [1, 2]}, r"groups has shape \(2,\)"),
        ({"proba_b": [[0.5, 0.5]] * 2}, "2"),
        ({"proba_b": [[0.5, 0.9]] * 3}, "proba_b: y_pred has rows that do not sum"),
        ({"n_boot": 0}, "n_boot must be at least 1"),
        ({"n_permutations": 0}, "n_permutations must be at least 1"),
        ({"confidence_level": 1.0}, "between 0 and 1"),
    ],
)
def test_says_what_is_wrong(options, match):
    arguments = {
        "y_true": [[3, 1], [2, 2], [1, 5]],
        "proba_a": [[0.5, 0.5]] * 3,
        "proba_b": [[0.6, 0.4]] * 3,
        "groups": [1, 2, 3],
        **options,
    }
    with pytest.raises(ValueError, match=rf"^compare_models.*{match}"):
        compare_models(**arguments)
