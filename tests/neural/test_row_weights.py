"""Weights of windows: numbers of the published trainings, epoch by epoch."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from hmsklearn.neural import WaveformClassifier
from hmsklearn.neural._row_weights import (
    DecayingVoteWeight,
    MinimumVoteWeight,
    TwoLevelVoteWeight,
    epoch_weights,
    is_epoch_dependent,
    row_weights,
)

VOTES = np.array([1.0, 2, 3, 7, 10, 20])


class TestDecaying:
    @pytest.mark.parametrize("epoch", [0, 1, 10, 20, 23, 24, 25, 29])
    def test_third_place(self, epoch):
        factor = 1 - epoch / 30 * 1.2
        expected = [
            max(0.02, 0.3 * factor),
            max(0.02, 0.3 * factor),
            max(0.02, 0.5 * factor),
            max(0.02, 0.5 * factor),
            1.0,
            1.0,
        ]
        np.testing.assert_allclose(DecayingVoteWeight()(VOTES, epoch, 30), expected)
        fixed = DecayingVoteWeight(n_epochs=30)
        np.testing.assert_allclose(fixed(VOTES, epoch, 99), expected)

    def test_their_text(self):
        weight = DecayingVoteWeight(
            ranges=((1, 0.5, 0.0), (3, 0.8, 0.2), (9, 1.0, 1.0)), speed=(1, 0.75, 0)
        )
        np.testing.assert_allclose(weight(VOTES, 0, 10), [0.5, 0.5, 0.8, 0.8, 1.0, 1.0])
        np.testing.assert_allclose(
            weight(VOTES, 10, 10), [0.0, 0.0, 0.2, 0.2, 1.0, 1.0], atol=1e-12
        )

    def test_boundaries(self):
        votes = np.array([0.0, 2, 2.5, 3, 7.9, 8])
        assert DecayingVoteWeight()(votes, 0, 1).tolist() == [
            0.3,
            0.3,
            0.3,
            0.5,
            0.5,
            1.0,
        ]

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"ranges": ((3, 1, 0),)}, r"must rise from 0 or 1, got \[3\]"),
            ({"ranges": ((0, 1, 0), (0, 1, 0))}, "must rise"),
            ({"ranges": ()}, "must rise"),
            ({"ranges": ((0, -1, 0),)}, "start of .* must be .*, got -1"),
            ({"speed": (1, 2)}, "one for each of the 3 ranges"),
            ({"speed": -1}, "speed must be .*, got -1"),
            ({"n_epochs": 0}, "n_epochs must be .*, got 0"),
        ],
    )
    def test_unusable(self, params, message):
        with pytest.raises(ValueError, match=f"DecayingVoteWeight: .*{message}"):
            DecayingVoteWeight(**params)


class TestMinimum:
    def test_fourth_place(self):
        weight = MinimumVoteWeight()
        for epoch in (0, 15):
            np.testing.assert_allclose(weight(VOTES, epoch, 24), VOTES / 28)
        for epoch in (16, 23):
            expected = np.where(VOTES > 8.4, VOTES / 28, 0)
            np.testing.assert_allclose(weight(VOTES, epoch, 24), expected)

    @pytest.mark.parametrize(
        "params", [{"epoch": -1}, {"minimum": -0.1}, {"full_votes": 0}]
    )
    def test_unusable(self, params):
        with pytest.raises(ValueError, match=r"MinimumVoteWeight: .* must be"):
            MinimumVoteWeight(**params)


class TestTwoLevels:
    def test_fifth_place(self):
        expected = [0.25, 0.25, 0.25, 0.25, 1, 1]
        assert TwoLevelVoteWeight()(VOTES).tolist() == expected
        other = TwoLevelVoteWeight(max_few=2, few=0, many=3)
        assert other(VOTES).tolist() == [0, 0, 3, 3, 3, 3]

    def test_unusable(self):
        with pytest.raises(ValueError, match="TwoLevelVoteWeight: few must be"):
            TwoLevelVoteWeight(few=-1)


class Growing:
    """Counts windows with few votes only later."""

    def __call__(self, total_votes, epoch, n_epochs):
        return np.where(total_votes > 5, 1.0, epoch / n_epochs)


class TestRowWeights:
    def test_which_depend_on_the_epoch(self):
        for weight in (DecayingVoteWeight(), MinimumVoteWeight(), Growing()):
            assert is_epoch_dependent(weight)
        for weight in (
            None,
            "linear",
            "log",
            TwoLevelVoteWeight(),
            np.log1p,
            np.sqrt,
            lambda v: v,
            lambda v, power=2: v**power,
        ):
            assert not is_epoch_dependent(weight)

    @pytest.mark.parametrize(
        ("weight", "expected"),
        [
            ("linear", VOTES),
            ("log", np.log(VOTES + 1)),
            (np.sqrt, np.sqrt(VOTES)),
            (lambda v: v > 5, VOTES > 5),
            (Growing(), [0.3, 0.3, 0.3, 1, 1, 1]),
        ],
    )
    def test_of_an_epoch(self, weight, expected):
        got = epoch_weights(weight, VOTES, 3, 10, caller="test")
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, expected)
        given = np.arange(6.0)
        both = row_weights(given, weight, VOTES, caller="test", epoch=3, n_epochs=10)
        np.testing.assert_allclose(both, given * expected)

    def test_without_an_epoch(self):
        # Windows that count for nothing in the first epoch are not lost.
        assert row_weights(None, Growing(), VOTES, caller="test") is None
        given = row_weights([0, 1, 1, 1, 1, 1], Growing(), VOTES, caller="test")
        assert given.tolist() == [0, 1, 1, 1, 1, 1]
        fixed = row_weights(None, TwoLevelVoteWeight(), VOTES, caller="test")
        assert fixed.tolist() == [0.25] * 4 + [1, 1]

    def test_totals_are_not_written_to(self):
        def greedy(total_votes, epoch, n_epochs):
            total_votes *= 0
            return total_votes + 1

        epoch_weights(greedy, VOTES, 0, 1, caller="test")
        assert VOTES[0] == 1

    @pytest.mark.parametrize(
        ("weight", "message"),
        [
            ("square", "vote_weight='square' is not known"),
            (3, "vote_weight=3 is not known"),
            (DecayingVoteWeight, r"is the class .*give an instance, Decaying.*\(\)"),
            (lambda v: v[:2], r"vote_weight has shape \(2,\)"),
            (lambda v, epoch, n: v - 5, "vote_weight must be finite and not negative"),
            (lambda v, epoch, n: v * np.nan, "vote_weight must be finite"),
        ],
    )
    def test_unusable(self, weight, message):
        with pytest.raises(ValueError, match=f"test: .*{message}"):
            epoch_weights(weight, VOTES, 0, 1, caller="test")

    def test_unknown_totals(self):
        unknown = np.array([3.0, np.nan])
        for weight in ("linear", DecayingVoteWeight()):
            with pytest.raises(ValueError, match="needs the number of votes of every"):
                row_weights(None, weight, unknown, caller="test")
            with pytest.raises(ValueError, match="needs the number of votes of every"):
                epoch_weights(weight, unknown, 0, 1, caller="test")

    def test_nothing_left(self):
        weight = MinimumVoteWeight(minimum=5, epoch=2)
        with pytest.raises(ValueError, match="test: all weights are zero"):
            row_weights(None, weight, VOTES, caller="test", epoch=2, n_epochs=3)

    @pytest.mark.parametrize(
        "weight", [DecayingVoteWeight(), MinimumVoteWeight(), TwoLevelVoteWeight()]
    )
    def test_copies(self, weight):
        assert copy.deepcopy(weight) == pickle.loads(pickle.dumps(weight)) == weight
        clf = WaveformClassifier(vote_weight=weight)
        assert clone(clf).vote_weight == weight
        assert type(weight).__name__ in repr(weight)
