"""Draws of the epochs: what must be in them, and how often."""

import numpy as np
import pytest
import torch

from hmsklearn.neural._sampling import (
    SAMPLINGS,
    average_targets,
    make_sampling,
    stationary_periods,
)

#            0    1    2    3    4    5    6    7    8    9
EEG = np.array([30, 30, 10, 30, 10, 10, 30, 20, 10, 30])
COUNTS = np.array(
    [
        [3, 0, 0],  # 30
        [3, 0, 0],  # 30
        [0, 2, 0],  # 10
        [0, 3, 0],  # 30
        [0, 4, 0],  # 10: as before, with more votes
        [0, 0, 6],  # 10
        [3, 0, 0],  # 30: the first pattern again
        [1, 1, 8],  # 20
        [0, 0, 6],  # 10
        [0, 3, 0],  # 30
    ]
)
TOTAL = COUNTS.sum(axis=1).astype(float)
FRACTIONS = COUNTS / TOTAL[:, None]
ALL = np.arange(10)


def make(sampling, rows=ALL, **changed):
    given = {"eeg_id": EEG, "fractions": FRACTIONS, "total_votes": TOTAL}
    return make_sampling(sampling, **{**given, **changed}, rows=rows, caller="test")


def shares(sampling, n=4000):
    """How often each row comes in an epoch, in the mean."""
    generator = torch.Generator().manual_seed(0)
    drawn = [sampling.draw(generator) for _ in range(n)]
    assert {d.shape for d in drawn} == {(sampling.n_rows,)}
    assert all(d.dtype == np.int64 for d in drawn)
    return np.bincount(np.concatenate(drawn), minlength=10) / n, drawn


def assert_shares(sampling, expected):
    # Five standard errors of a share of 4000 draws.
    np.testing.assert_allclose(shares(sampling)[0], expected, atol=5 * 0.5 / 4000**0.5)


class TestGroups:
    def test_one_of_every_eeg(self):
        sampling = make("eeg")
        assert sampling.n_rows == 3
        expected = np.select([EEG == 30, EEG == 10], [1 / 5, 1 / 4], 1.0)
        assert_shares(sampling, expected)
        for drawn in shares(sampling, 50)[1]:
            assert sorted(EEG[drawn]) == [10, 20, 30]

    def test_likelier_with_more_votes(self):
        sampling = make("eeg_by_votes")
        sums = {eeg: TOTAL[eeg == EEG].sum() for eeg in (10, 20, 30)}
        assert_shares(sampling, TOTAL / [sums[eeg] for eeg in EEG])

    def test_one_of_every_period(self):
        sampling = make("period")
        periods = [[0, 1], [3], [6], [9], [2], [4], [5, 8], [7]]
        assert sampling.n_rows == len(periods)
        expected = np.ones(10)
        expected[[0, 1, 5, 8]] = 0.5
        assert_shares(sampling, expected)
        for drawn in shares(sampling, 50)[1]:
            assert all(len(set(drawn) & set(period)) == 1 for period in periods)

    def test_one_of_every_pattern(self):
        sampling = make("pattern")
        expected = np.ones(10)
        expected[[0, 1, 6]] = 1 / 3
        expected[[3, 9, 2, 4, 5, 8]] = 1 / 2
        assert sampling.n_rows == 5
        assert_shares(sampling, expected)

    def test_period_is_that_of_all_windows(self):
        # Row 3 lies between 1 and 6, also where it is not trained on.
        assert make("period", rows=np.array([1, 6, 7])).n_rows == 3
        assert make("pattern", rows=np.array([1, 6, 7])).n_rows == 2

    @pytest.mark.parametrize("sampling", SAMPLINGS)
    def test_only_rows_that_are_given(self, sampling):
        rows = np.array([8, 1, 7, 3])
        for drawn in shares(make(sampling, rows=rows), 100)[1]:
            assert set(drawn) <= set(rows)

    def test_many_windows(self):
        # Cumulated weights of many windows must not leak into the next EEG.
        rng = np.random.default_rng(0)
        eeg = rng.integers(0, 2000, 100_000)
        votes = rng.integers(1, 20, 100_000).astype(float)
        fractions = np.full((100_000, 2), 0.5)
        sampling = make_sampling(
            "eeg_by_votes",
            eeg_id=eeg,
            fractions=fractions,
            total_votes=votes,
            rows=np.arange(100_000),
            caller="test",
        )
        drawn = sampling.draw(torch.Generator().manual_seed(0))
        assert np.array_equal(np.sort(eeg[drawn]), np.unique(eeg))


class TestWeights:
    def test_votes(self):
        sampling = make("votes")
        assert sampling.n_rows == 10
        share, _ = shares(sampling)
        np.testing.assert_allclose(share, 10 * TOTAL / TOTAL.sum(), atol=0.1)

    def test_class(self):
        share, _ = shares(make("class"))
        mass = FRACTIONS.sum(axis=0)
        expected = 10 / 3 * (FRACTIONS / mass).sum(axis=1)
        np.testing.assert_allclose(share, expected, atol=0.1)

    def test_top_class(self):
        share, _ = shares(make("top_class"))
        top = FRACTIONS.argmax(axis=1)
        np.testing.assert_allclose(
            np.bincount(top, weights=share), [10 / 3] * 3, atol=0.1
        )
        np.testing.assert_allclose(share[[0, 1, 6]], 10 / 9, atol=0.1)

    @pytest.mark.parametrize("sampling", ["class", "top_class"])
    def test_a_class_without_votes(self, sampling):
        fractions = np.insert(FRACTIONS, 1, 0.0, axis=1)
        share, _ = shares(make(sampling, fractions=fractions), 200)
        assert share.sum() == pytest.approx(10)


class TestRandomState:
    @pytest.mark.parametrize("sampling", SAMPLINGS)
    def test_torch_s_alone(self, sampling):
        made = make(sampling)
        torch.manual_seed(3)
        a = [made.draw() for _ in range(3)]
        np.random.seed(0)  # noqa: NPY002
        torch.manual_seed(3)
        b = [make(sampling).draw(), made.draw(), made.draw()]
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))

    def test_generator(self):
        made = make("votes")
        before = torch.get_rng_state()
        a = made.draw(torch.Generator().manual_seed(1))
        assert torch.equal(before, torch.get_rng_state())
        assert np.array_equal(a, made.draw(torch.Generator().manual_seed(1)))


class TestMeans:
    """The mean to be expected over an epoch, as many epochs have it."""

    @pytest.mark.parametrize("sampling", SAMPLINGS)
    def test_of_many_epochs(self, sampling):
        rng = np.random.default_rng(0)
        n = 60
        fractions = rng.dirichlet(np.full(3, 0.3), n)
        made = make_sampling(
            sampling,
            eeg_id=rng.integers(0, 12, n),
            fractions=fractions,
            total_votes=rng.integers(1, 20, n).astype(float),
            rows=np.arange(5, n),
            caller="test",
        )
        values = rng.uniform(0, 1, n)
        values[:5] = 1e6  # not among the rows
        generator = torch.Generator().manual_seed(0)
        means = [values[made.draw(generator)].mean() for _ in range(600)]
        error = np.std(means) / np.sqrt(len(means))
        assert abs(np.mean(means) - made.mean_of(values)) < 4 * error + 1e-9

    def test_of_a_function(self):
        made = make_sampling(
            lambda rows, generator, **kwargs: rows[:2],
            eeg_id=None,
            fractions=np.eye(4),
            total_votes=np.ones(4),
            rows=np.array([0, 1, 3]),
            caller="test",
        )
        assert made.mean_of(np.array([1.0, 2.0, 100.0, 6.0])) == 3.0


class TestOwn:
    def test_callable(self):
        def half(rows, fractions, total_votes, eeg_id, generator):
            assert len(fractions) == len(total_votes) == len(eeg_id) == 10
            order = torch.randperm(len(rows), generator=generator).numpy()
            return rows[order[: len(rows) // 2]]

        before = torch.get_rng_state()
        sampling = make(half, rows=np.arange(2, 8))
        assert torch.equal(before, torch.get_rng_state())
        assert sampling.n_rows == 3
        share, drawn = shares(sampling, 500)
        assert all(len(set(d)) == 3 for d in drawn)
        np.testing.assert_allclose(share[2:8], 0.5, atol=0.15)

    @pytest.mark.parametrize(
        ("returned", "message"),
        [
            ([0.5, 1.0], r"at least two numbers of rows, got shape \(2,\) of float64"),
            ([[1, 2]], r"got shape \(1, 2\)"),
            ([1], "at least two"),
            ([1, 99], "returned row 99, which is not among"),
        ],
    )
    def test_unusable(self, returned, message):
        with pytest.raises(ValueError, match=f"test: sampling .*{message}"):
            make(lambda **given: np.array(returned))

    def test_changing_numbers(self):
        lengths = iter([3, 4])
        sampling = make(lambda rows, **given: rows[: next(lengths)])
        with pytest.raises(ValueError, match="returned 4 rows, and 3 at first"):
            sampling.draw()


class TestErrors:
    def test_all(self):
        assert make(None) is None

    @pytest.mark.parametrize("sampling", ["eeg", "eeg_by_votes", "period", "pattern"])
    def test_eegs_are_needed(self, sampling):
        with pytest.raises(ValueError, match=f"test: sampling='{sampling}' .*eeg_id="):
            make(sampling, eeg_id=None)

    @pytest.mark.parametrize("sampling", ["eeg_by_votes", "votes"])
    def test_votes_are_needed(self, sampling):
        unknown = np.full(10, np.nan)
        with pytest.raises(ValueError, match="needs the number of votes"):
            make(sampling, total_votes=unknown)

    @pytest.mark.parametrize("sampling", ["eeg", "period", "class", "top_class"])
    def test_votes_are_not_needed(self, sampling):
        assert make(sampling, total_votes=np.full(10, np.nan)).n_rows > 2

    def test_unknown(self):
        with pytest.raises(ValueError, match=r"'periods' is not known. .*'period'"):
            make("periods")
        with pytest.raises(TypeError, match=r"sampling must be one of .*, got 3"):
            make(3)

    def test_one_eeg(self):
        with pytest.raises(ValueError, match="leaves one window for an epoch"):
            make("eeg", eeg_id=np.zeros(10))


class TestPeriods:
    def test_runs(self):
        period = stationary_periods(EEG, FRACTIONS, TOTAL)
        together = [set(np.flatnonzero(period == p)) for p in np.unique(period)]
        expected = [{2}, {4}, {5, 8}, {7}, {0, 1}, {3}, {6}, {9}]
        assert together == expected
        assert period.max() == 7

    def test_names_and_unknown_votes(self):
        names = np.array([f"eeg {i}" for i in EEG])
        period = stationary_periods(names, FRACTIONS, np.full(10, np.nan))
        # Without totals, two and four votes for one class look alike.
        assert period[2] == period[4]
        assert period.max() == 6


class TestTargets:
    def test_means_of_fractions(self):
        got = average_targets(FRACTIONS, EEG)
        for eeg in (10, 20, 30):
            mean = FRACTIONS[eeg == EEG].mean(axis=0)
            np.testing.assert_allclose(
                got[eeg == EEG], np.tile(mean, (sum(eeg == EEG), 1))
            )
        np.testing.assert_allclose(got.sum(axis=1), 1)

    def test_sums_of_votes(self):
        got = average_targets(FRACTIONS, EEG, TOTAL)
        for eeg in (10, 20, 30):
            votes = COUNTS[eeg == EEG].sum(axis=0)
            np.testing.assert_allclose(got[eeg == EEG][0], votes / votes.sum())
        np.testing.assert_allclose(got.sum(axis=1), 1)

    def test_unusable(self):
        with pytest.raises(ValueError, match=r"eeg_id has shape \(9,\), expected"):
            average_targets(FRACTIONS, EEG[1:])
        with pytest.raises(ValueError, match="votes can only be summed where"):
            average_targets(FRACTIONS, EEG, np.full(10, np.nan))
