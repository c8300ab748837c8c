"""Splits fit for out-of-fold predictions: a partition, groups whole, clear errors."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedKFold,
    StratifiedGroupKFold,
    TimeSeriesSplit,
)
from skorch.helper import SliceDict

from hmsklearn.model_selection._splits import (
    check_groups,
    count_rows,
    fold_numbers,
    resolve_splits,
)
from hmsklearn.views import WindowViews

X = np.zeros((20, 3))
Y = np.ones((20, 6), dtype=int)
PATIENT = np.repeat(np.arange(10), 2)


def splits_of(cv=None, groups=None, X=X, y=Y):
    return resolve_splits(cv, X, y, groups, caller="Clf")


def assert_same(splits, expected):
    assert len(splits) == len(expected)
    for (train, test), (train_expected, test_expected) in zip(
        splits, expected, strict=True
    ):
        np.testing.assert_array_equal(train, train_expected)
        np.testing.assert_array_equal(test, test_expected)


def test_defaults():
    assert_same(splits_of(), list(KFold(5).split(X)))
    assert_same(splits_of(groups=PATIENT), list(GroupKFold(5).split(X, Y, PATIENT)))


def test_numbers():
    assert_same(splits_of(4), list(KFold(4).split(X)))
    assert_same(splits_of(3, PATIENT), list(GroupKFold(3).split(X, Y, PATIENT)))
    assert_same(splits_of(np.int64(4)), list(KFold(4).split(X)))


def test_splitters_and_lists():
    expected = list(LeaveOneGroupOut().split(X, Y, PATIENT))
    assert_same(splits_of(LeaveOneGroupOut(), PATIENT), expected)
    assert_same(splits_of(expected, PATIENT), expected)
    assert_same(splits_of((pair for pair in expected), PATIENT), expected)
    fold = PATIENT % 2
    assert_same(
        splits_of(PredefinedSplit(fold), PATIENT), list(PredefinedSplit(fold).split())
    )
    masks = [(fold == 0, fold == 1), (fold == 1, fold == 0)]
    numbers = [(np.flatnonzero(a), np.flatnonzero(b)) for a, b in masks]
    assert_same(splits_of(masks, PATIENT), numbers)


def test_a_plain_kfold_may_serve_where_it_keeps_groups_whole():
    assert_same(splits_of(KFold(5), PATIENT), list(KFold(5).split(X)))


def test_purged_training_parts_are_allowed():
    purged = [(train[2:], test) for train, test in KFold(5).split(X)]
    assert_same(splits_of(purged), purged)


@pytest.mark.parametrize(
    "groups",
    [
        PATIENT.astype(str),
        PATIENT.tolist(),
        pd.Series(PATIENT, index=np.arange(20) + 7),
        pd.Series(PATIENT).astype("Int64"),
        pd.Series(PATIENT.astype(str)).astype("category"),
        PATIENT[:, None],
        pd.DataFrame({"patient_id": PATIENT}),
    ],
)
def test_forms_of_groups(groups):
    expected = list(GroupKFold(5).split(X, Y, PATIENT))
    assert_same(splits_of(groups=groups), expected)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(0, 12), min_size=6, max_size=40).filter(
        lambda g: len(set(g)) >= 3
    )
)
def test_property_patients_are_whole_and_rows_held_out_once(groups):
    groups = np.array(groups)
    rows = np.zeros((groups.size, 1))
    splits = resolve_splits(3, rows, None, groups, caller="Clf")
    held_out = np.concatenate([test for _, test in splits])
    assert sorted(held_out.tolist()) == list(range(groups.size))
    for train, test in splits:
        assert set(groups[train]).isdisjoint(groups[test])
    folds = fold_numbers(splits)
    for number, (_, test) in enumerate(splits):
        assert (folds[test] == number).all()


@pytest.mark.parametrize(
    ("cv", "groups", "message"),
    [
        (
            5,
            PATIENT // 4,
            r"Clf: 5 folds need at least 5 groups, .* only 3\. Give cv=3",
        ),
        (
            None,
            PATIENT // 5,
            r"5 folds need at least 5 groups, and groups holds only 2",
        ),
        (GroupKFold(12), PATIENT, r"12 folds need at least 12 groups.* only 10"),
        (None, np.zeros(20), r"all 20 rows belong to one group"),
        (30, None, r"cannot split the 20 rows: .*n_splits=30"),
        (GroupKFold(5), None, r"cannot split .* Pass groups=, the patient of each row"),
        (StratifiedGroupKFold(3), PATIENT, r"cannot split the 20 rows: "),
        (KFold(3), PATIENT, r"group .* on both sides of split 0 .*cv=GroupKFold\(5\)"),
        (TimeSeriesSplit(4), None, r"no partition of the 20 rows: row 0 is in none"),
        (RepeatedKFold(n_splits=2, n_repeats=2), None, r"row 0 is in 2 of them \(20 "),
        (
            GroupShuffleSplit(1, random_state=0),
            PATIENT,
            r"no partition .*GroupKFold or KFold",
        ),
        (1, None, r"cv=1 is no number of folds"),
        (True, None, r"cv=True is no number of folds"),
        (0, PATIENT, r"cv=0 is no number of folds"),
        ("five", None, r"cv='five' is neither a number of folds, nor a splitter"),
        (3.5, None, r"cv=3\.5 is neither"),
        ([], None, r"cv yields no splits"),
        ([([0], [1], [2])], None, r"split 0 of cv has 3 parts"),
        ([([0, 1], [])], None, r"split 0 .* expected one or more row numbers"),
        ([([], [0, 1])], None, r"split 0 .* expected one or more row numbers"),
        ([([0.5], [1])], None, r"split 0 .* dtype float64"),
        ([([0], [20])], None, r"split 0 of cv names row 20, and X has rows 0 \.\. 19"),
        ([([0], [-1])], None, r"names row -1"),
        (
            [(np.arange(20), np.arange(10)), (np.arange(10), np.arange(10, 20))],
            None,
            r"row 0 is on both sides of split 0 of cv \(10 such rows",
        ),
    ],
)
def test_errors(cv, groups, message):
    with pytest.raises(ValueError, match=message):
        splits_of(cv, groups)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (PATIENT[:19], r"groups has shape \(19,\), expected \(20,\)"),
        (np.zeros((20, 2)), r"groups has shape \(20, 2\)"),
        (
            np.where(PATIENT == 3, np.nan, PATIENT),
            r"missing in 2 rows \(first in row 6",
        ),
        (pd.Series(PATIENT, dtype="Int64").where(PATIENT != 4), r"first in row 8"),
        ([None] + ["p"] * 19, r"missing in 1 rows \(first in row 0\)"),
    ],
)
def test_wrong_groups(groups, message):
    with pytest.raises(ValueError, match=f"Clf: .*{message}"):
        check_groups(groups, 20, caller="Clf")


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="X has 20 rows, y has 19"):
        splits_of(y=Y[:19])


def test_count_rows():
    views = {"eeg": np.zeros((4, 2)), "spectrogram": np.zeros((4, 3, 3))}
    for X in (
        SliceDict(**views),
        WindowViews(views),
        np.zeros((4, 1)),
        [1] * 4,
        pd.DataFrame({"a": [1] * 4}),
    ):
        assert count_rows(X, caller="Clf") == 4
    with pytest.raises(TypeError, match=r"Clf: X is a plain dict.*WindowViews\(X\)"):
        count_rows(views, caller="Clf")
    with pytest.raises(TypeError, match="Clf: X of type int has no rows"):
        count_rows(3, caller="Clf")
