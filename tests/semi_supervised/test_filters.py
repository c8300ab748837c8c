"""Filters of pseudo-labels."""

import numpy as np
import pytest

from hmsklearn.semi_supervised import (
    PSEUDO_LABEL_FILTERS,
    AgreeingTeachers,
    ClassBelow,
    ConfidentTeachers,
    PseudoLabels,
    VotedClass,
    select_pseudo_labels,
)
from hmsklearn.votes import CLASSES


@pytest.fixture
def candidates(rng):
    teachers = rng.dirichlet([0.3] * 5 + [3.0], size=(200, 3))
    old = rng.multinomial(3, np.full(6, 1 / 6), size=200) / 3
    old[:50] = np.nan
    votes = np.where(np.arange(200) < 50, 0.0, 3.0)
    return PseudoLabels(
        teachers.mean(axis=1), teachers, old, votes, np.asarray(CLASSES)
    )


def test_the_16th_place_looks_at_other_alone(candidates):
    keep = select_pseudo_labels(candidates, "not_other")
    np.testing.assert_array_equal(keep, candidates.proba[:, 5] < 0.8)
    assert 0 < keep.sum() < 200
    seizures = select_pseudo_labels(candidates, ClassBelow("Seizure", 0.3))
    np.testing.assert_array_equal(seizures, candidates.proba[:, 0] < 0.3)


def test_confidence(candidates):
    keep = select_pseudo_labels(candidates, ConfidentTeachers(0.7))
    np.testing.assert_array_equal(keep, candidates.proba.max(axis=1) >= 0.7)
    default = select_pseudo_labels(candidates, "confident")
    np.testing.assert_array_equal(default, candidates.proba.max(axis=1) >= 0.5)


def test_agreement(candidates):
    own = candidates.teachers.argmax(axis=2)
    unanimous = (own == own[:, :1]).all(axis=1)
    best = candidates.proba.argmax(axis=1)
    every = select_pseudo_labels(candidates, "agreeing")
    np.testing.assert_array_equal(every, unanimous & (own[:, 0] == best))
    two = select_pseudo_labels(candidates, AgreeingTeachers(2 / 3))
    np.testing.assert_array_equal(two, (own == best[:, None]).sum(axis=1) >= 2)
    assert every.sum() < two.sum() < 200


def test_a_vote_for_the_class(candidates):
    best = candidates.proba.argmax(axis=1)
    share = candidates.old[np.arange(200), best]
    keep = select_pseudo_labels(candidates, "voted")
    assert keep[:50].all()  # nobody has voted against it
    np.testing.assert_array_equal(keep[50:], share[50:] > 0)
    most = select_pseudo_labels(candidates, VotedClass(0.5))
    np.testing.assert_array_equal(most[50:], share[50:] > 0.5)


def test_all_of_several_must_pass(candidates):
    both = select_pseudo_labels(candidates, ["not_other", ConfidentTeachers(0.6)])
    one = select_pseudo_labels(candidates, "not_other")
    other = select_pseudo_labels(candidates, ConfidentTeachers(0.6))
    np.testing.assert_array_equal(both, one & other)
    assert select_pseudo_labels(candidates, None).all()
    assert select_pseudo_labels(candidates, []).all()


def test_own_functions(candidates):
    keep = select_pseudo_labels(candidates, lambda rows: rows.total_votes > 0)
    np.testing.assert_array_equal(keep, np.arange(200) >= 50)


def test_registry_is_sorted_and_callable(candidates):
    assert list(PSEUDO_LABEL_FILTERS) == sorted(PSEUDO_LABEL_FILTERS)
    for rule in PSEUDO_LABEL_FILTERS.values():
        mask = rule(candidates)
        assert mask.dtype == bool
        assert 0 < mask.sum() < 200


def test_refusals(candidates):
    with pytest.raises(ValueError, match="not_other"):
        select_pseudo_labels(candidates, "no_other", caller="doctest")
    with pytest.raises(ValueError, match="instance"):
        select_pseudo_labels(candidates, ClassBelow)
    with pytest.raises(ValueError, match="mask"):
        select_pseudo_labels(candidates, lambda rows: rows.proba[:, 0])
    with pytest.raises(ValueError, match="mask"):
        select_pseudo_labels(candidates, lambda rows: np.ones(3, dtype=bool))
    with pytest.raises(ValueError, match="no class 'other'"):
        select_pseudo_labels(candidates, ClassBelow("other"))
    for rule, bad in [(ClassBelow, {"threshold": 1.5}), (VotedClass, {"min_share": 2})]:
        with pytest.raises(ValueError, match=rule.__name__):
            rule(**bad)
    with pytest.raises(ValueError, match="ConfidentTeachers"):
        ConfidentTeachers(-1)
    with pytest.raises(ValueError, match="AgreeingTeachers"):
        AgreeingTeachers(80)
