"""Every form that votes come in, and every form that they must not come in."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    cross_val_predict,
    cross_val_score,
)

from hmsklearn.votes import (
    CLASSES,
    VOTE_COLUMNS,
    Votes,
    check_votes,
    in_class_order,
    names_hms_classes,
    refuse_encoded_votes,
    resolve_classes,
)

COUNTS = np.array([[3, 0, 0, 0, 0, 1], [0, 0, 12, 3, 0, 0], [1, 1, 1, 1, 1, 5]])
FRACTIONS = COUNTS / COUNTS.sum(axis=1, keepdims=True)


def test_constants_are_the_competitions():
    assert CLASSES == ("Seizure", "LPD", "GPD", "LRDA", "GRDA", "Other")
    assert VOTE_COLUMNS == (
        "seizure_vote",
        "lpd_vote",
        "gpd_vote",
        "lrda_vote",
        "grda_vote",
        "other_vote",
    )


# Accepted forms ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, np.float32, float])
def test_counts(dtype):
    votes = check_votes(COUNTS.astype(dtype))
    assert isinstance(votes, Votes)
    assert votes.fractions.dtype == np.float64
    np.testing.assert_allclose(votes.fractions, FRACTIONS, rtol=0, atol=1e-15)
    assert votes.total_votes.tolist() == [4.0, 15.0, 10.0]


@pytest.mark.parametrize(
    "form",
    [
        COUNTS.tolist(),
        COUNTS[..., None],
        pd.DataFrame(COUNTS),
        pd.DataFrame(COUNTS, columns=list(VOTE_COLUMNS)),
        pd.DataFrame(COUNTS, columns=list(CLASSES)),
        pd.DataFrame(COUNTS, columns=list(VOTE_COLUMNS)).iloc[:, [5, 1, 0, 3, 4, 2]],
        pd.DataFrame(COUNTS, columns=list(CLASSES)).iloc[:, ::-1],
        pd.DataFrame(COUNTS, columns=list(VOTE_COLUMNS), index=[7, 7, 3]),
        COUNTS.astype(object),
    ],
    ids=[
        "list",
        "(n, 6, 1)",
        "nameless frame",
        "vote frame",
        "class frame",
        "shuffled vote frame",
        "reversed class frame",
        "frame with an odd index",
        "objects",
    ],
)
def test_counts_in_other_containers(form):
    votes = check_votes(form, n_windows=3)
    np.testing.assert_allclose(votes.fractions, FRACTIONS, rtol=0, atol=1e-15)
    assert votes.total_votes.tolist() == [4.0, 15.0, 10.0]


@pytest.mark.parametrize("shape", [(3, 6), (3, 6, 1)])
def test_fractions_do_not_tell_totals(shape):
    votes = check_votes(FRACTIONS.reshape(shape))
    np.testing.assert_allclose(votes.fractions, FRACTIONS, rtol=0, atol=1e-15)
    assert np.isnan(votes.total_votes).all()


def test_fractions_are_normalised_within_the_tolerance():
    rounded = FRACTIONS.round(3)
    rounded[0] = [0.3333, 0.3333, 0.3333, 0.0, 0.0, 0.0]
    np.testing.assert_allclose(
        check_votes(rounded).fractions.sum(axis=1), 1, rtol=1e-15
    )


def test_whole_rows_of_a_float_table():
    one_hot = np.eye(6)[[0, 3]]
    assert np.isnan(check_votes(one_hot).total_votes).all()
    assert check_votes(one_hot.astype(int)).total_votes.tolist() == [1.0, 1.0]
    assert check_votes(one_hot.astype(bool)).total_votes.tolist() == [1.0, 1.0]
    assert check_votes(
        [[1.0, 0, 0, 0, 0, 0], [2.0, 1, 0, 0, 0, 0]]
    ).total_votes.tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    "labels",
    [
        ["LPD", "Other", "Seizure"],
        np.array(["LPD", "Other", "Seizure"]),
        np.array(["LPD", "Other", "Seizure"], dtype=object),
        pd.Series(["LPD", "Other", "Seizure"], index=[4, 2, 9]),
        pd.Series(["LPD", "Other", "Seizure"], dtype="category"),
        [1, 5, 0],
        np.array([1.0, 5.0, 0.0]),
        np.array([[1], [5], [0]]),
        np.array([["LPD"], ["Other"], ["Seizure"]]),
        np.array(["LPD", "Other", "Seizure"])[:, None, None],
        pd.DataFrame({"expert_consensus": ["LPD", "Other", "Seizure"]}),
    ],
)
def test_hard_labels(labels):
    votes = check_votes(labels)
    assert votes.fractions.tolist() == np.eye(6)[[1, 5, 0]].tolist()
    assert votes.total_votes.tolist() == [1.0, 1.0, 1.0]


def test_missing_classes_keep_their_columns():
    assert check_votes(["LPD", "LPD"]).fractions.shape == (2, 6)


def test_results_are_new_arrays():
    y = FRACTIONS.copy()
    y.flags.writeable = False
    votes = check_votes(y)
    votes.fractions[0] = 0
    np.testing.assert_array_equal(y, FRACTIONS)


def test_own_classes():
    votes = check_votes(pd.DataFrame({"b": [1, 2], "a": [3, 0]}), classes=["a", "b"])
    assert votes.fractions.tolist() == [[0.75, 0.25], [0.0, 1.0]]
    assert check_votes([7, 9], classes=[9, 7]).fractions.tolist() == [[0, 1], [1, 0]]


def test_inferred_classes():
    assert check_votes(["b", "a"], classes="infer").fractions.tolist() == [
        [0, 1],
        [1, 0],
    ]
    assert check_votes([[1, 3], [2, 2]], classes=None).fractions.tolist() == [
        [0.25, 0.75],
        [0.5, 0.5],
    ]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.lists(st.integers(0, 28), min_size=6, max_size=6).filter(any),
        min_size=1,
        max_size=8,
    )
)
def test_property_every_form_agrees(rows):
    counts = np.array(rows)
    votes = check_votes(counts)
    np.testing.assert_allclose(votes.fractions.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_array_equal(votes.total_votes, counts.sum(axis=1))
    again = check_votes(votes.fractions)
    np.testing.assert_allclose(again.fractions, votes.fractions, rtol=1e-14)
    frame = pd.DataFrame(counts, columns=list(VOTE_COLUMNS)).iloc[:, ::-1]
    np.testing.assert_array_equal(check_votes(frame).fractions, votes.fractions)


# Refused forms -----------------------------------------------------------------------


def _with(value, row=1, column=2, base=FRACTIONS):
    table = np.array(base, dtype=float)
    table[row, column] = value
    return table


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, r"Clf requires y to be passed, but the target y is None"),
        (_with(np.nan), r"Clf: y has NaN or infinite votes \(row 1\)"),
        (_with(np.inf), r"Clf: y has NaN or infinite votes \(row 1\)"),
        (_with(-0.1), r"Clf: y has negative votes \(row 1\)"),
        (_with(-1, base=COUNTS), r"Clf: y has negative votes \(row 1\)"),
        (np.zeros((3, 6)), r"without any vote \(rows 0, 1, 2\)\. Drop them"),
        (np.zeros((8, 6), int), r"without any vote \(rows 0, 1, 2, 3, 4 and 3 more\)"),
        (
            _with(0.5),
            r"neither whole vote counts nor fractions that sum to one \(row 1\)",
        ),
        (
            _with(2.5, base=COUNTS),
            r"neither whole vote counts nor fractions .* \(row 1\)\. Divide every row",
        ),
        (FRACTIONS * 0.97, r"neither whole vote counts nor fractions"),
        (COUNTS[:, :5], r"Clf: y has 5 columns, expected 6, one for each of \['Seiz"),
        (np.ones((3, 7), int), r"y has 7 columns, expected 6"),
        (np.ones((3, 6, 2)), r"y has shape \(3, 6, 2\); expected \(n_windows, 6\)"),
        (np.float64(3), r"y has shape \(\); expected"),
        (np.zeros((0, 6)), r"Clf: y is empty \(0 rows\)"),
        ([], r"y is empty"),
        ([[1, 2, 3], [1, 2]], r"Clf: y is not a table: its rows differ in length"),
        ([["a"] * 6] * 2, r"holds values that are not numbers"),
        (["LPD", "lpd"], r"label 'lpd' in row 1 .* Did you mean LPD or GPD\?"),
        (["seizur"], r"label 'seizur' in row 0 .* Did you mean Seizure\?"),
        (["xyzzy!"], r"nor an index 0 \.\. 5\.$"),
        ([0, 6], r"label 6 in row 1"),
        ([-1, 3], r"label -1 in row 0"),
        ([0.0, np.nan], r"NaN or infinite labels \(row 1\)"),
        (np.array(["LPD", None], dtype=object), r"label None in row 1"),
        ([0.25, 0.75], r"Unknown label type: continuous.* give all 6 columns"),
    ],
)
def test_refused(y, message):
    with pytest.raises(ValueError, match=message):
        check_votes(y, caller="Clf")


def test_wrong_number_of_rows():
    with pytest.raises(
        ValueError, match=r"Clf: X and y have inconsistent .* X has 4 win"
    ):
        check_votes(COUNTS, n_windows=4, caller="Clf")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["seizure_vote", "lpd_vote", "a", "b", "c", "d"], r"unexpected \['a', 'b'"),
        ([*VOTE_COLUMNS[:5], "n"], r"missing \['other_vote'\], unexpected \['n'\]"),
        ([*VOTE_COLUMNS[:5], "lpd_vote"], r"repeated \['lpd_vote'\]"),
        ([*CLASSES[:5], "other_vote"], r"do not match the classes"),
    ],
)
def test_frames_with_other_columns(columns, message):
    with pytest.raises(ValueError, match=message):
        check_votes(pd.DataFrame(COUNTS, columns=columns))


def test_frames_with_more_columns():
    frame = pd.DataFrame(COUNTS, columns=list(VOTE_COLUMNS))
    with pytest.raises(ValueError, match=r"unexpected \['eeg_id'\].*Select y\["):
        check_votes(frame.assign(eeg_id=1))
    twice = pd.concat([frame, frame[["lpd_vote"]]], axis=1)
    with pytest.raises(ValueError, match=r"repeated \['lpd_vote'\]"):
        check_votes(twice)


# Classes -----------------------------------------------------------------------------


def test_resolve_classes():
    assert resolve_classes("hms", None).tolist() == list(CLASSES)
    assert resolve_classes("infer", [2, 0, 2]).tolist() == [0, 2]
    assert resolve_classes(None, np.zeros((2, 4))).tolist() == [0, 1, 2, 3]
    assert resolve_classes("infer", np.zeros((2, 4, 1))).tolist() == [0, 1, 2, 3]
    assert resolve_classes("infer", [["b"], ["a"]]).tolist() == ["a", "b"]
    assert resolve_classes(np.array([3, 1]), None).tolist() == [3, 1]


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("kaggle", r"Clf: classes='kaggle' is not known\. Give 'hms'"),
        (["a"], r"at least two different labels, got \['a'\]"),
        (["a", "b", "a"], r"at least two different labels"),
        ([], r"at least two different labels"),
    ],
)
def test_wrong_classes(classes, message):
    with pytest.raises(ValueError, match=message):
        resolve_classes(classes, None, caller="Clf")


def test_in_class_order_passes_other_things_through():
    labels = np.asarray(CLASSES)
    frame = pd.DataFrame({"a": [1], "b": [2]})
    for table in (COUNTS, [1, 2], frame, frame["a"], None):
        assert in_class_order(table, labels, "Clf") is table
    with pytest.raises(ValueError, match="Clf: y_pred is a DataFrame"):
        in_class_order(pd.DataFrame({"LPD": [1], "b": [2]}), labels, "Clf", "y_pred")


def test_names_hms_classes():
    assert names_hms_classes(pd.DataFrame(columns=["Other", "x"]))
    assert not names_hms_classes(pd.DataFrame({"a": [1]}))
    assert not names_hms_classes(COUNTS)


# The trap ----------------------------------------------------------------------------


class Guarded(ClassifierMixin, BaseEstimator):
    def __init__(self, classes="hms", guard=True):
        self.classes = classes
        self.guard = guard

    def fit(self, X, y):
        if self.guard:
            refuse_encoded_votes("Guarded", classes=self.classes)
        self.seen_ = np.array(y)
        self.classes_ = resolve_classes(self.classes, y)
        return self

    def predict_proba(self, X):
        n_classes = len(self.classes_)
        return np.full((len(X), n_classes), 1 / n_classes)

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y):
        return 0.0


X = np.zeros((12, 2))
VOTES = np.random.default_rng(0).multinomial(9, [1 / 6] * 6, size=12)
NAMES = np.array(CLASSES)[VOTES.argmax(axis=1)]
PATIENT = np.arange(12) // 3


@pytest.mark.parametrize(
    "y", [VOTES, VOTES / 9, NAMES], ids=["counts", "shares", "hard"]
)
def test_encoded_votes_are_refused(y):
    with pytest.raises(ValueError, match=r"Guarded: scikit-learn's cross_val_predict"):
        cross_val_predict(Guarded(), X, y, method="predict_proba", cv=KFold(3))


def test_the_error_names_both_remedies():
    with pytest.raises(ValueError, match=r"oof_predict_proba\(estimator, X, y.*, 1\)"):
        cross_val_predict(Guarded(), X, VOTES, method="predict_proba", cv=KFold(3))


def test_harmless_calls_pass():
    for y in (VOTES, VOTES / 9, NAMES):
        Guarded().fit(X, y)
        cross_val_score(Guarded(), X, y, cv=GroupKFold(3), groups=PATIENT)
        cross_val_predict(Guarded(), X, y, cv=KFold(3))
    untouched = VOTES[..., None]
    cross_val_predict(Guarded(), X, untouched, method="predict_proba", cv=KFold(3))


def test_inferred_labels_survive_the_encoding():
    names = np.resize(["a", "b"], 12)
    cross_val_predict(Guarded("infer"), X, names, method="predict_proba", cv=KFold(3))
    with pytest.raises(ValueError, match="label-encodes"):
        cross_val_predict(
            Guarded("infer"), X, VOTES, method="predict_proba", cv=KFold(3)
        )


def test_a_function_of_the_same_name_elsewhere_is_no_trap():
    def _fit_and_predict(y, method):
        return Guarded().fit(X, y)

    assert _fit_and_predict(VOTES, "predict_proba").seen_.shape == VOTES.shape


def test_the_trap_is_still_there():
    """What the guard is for: without it, ranks arrive instead of votes."""
    seen = []

    class Unguarded(Guarded):
        def fit(self, X, y):
            seen.append(np.array(y))
            return super().fit(X, y)

    y = np.tile([[8, 0, 0, 0, 0, 1], [0, 0, 5, 0, 0, 8]], (6, 1))
    cross_val_predict(Unguarded(guard=False), X, y, method="predict_proba", cv=KFold(3))
    assert {int(part.max()) for part in seen} == {1}


def test_scikit_learns_own_labels_are_none_of_our_business():
    rng = np.random.default_rng(0)
    proba = cross_val_predict(
        LogisticRegression(),
        rng.normal(size=(12, 2)),
        np.resize(["a", "b"], 12),
        method="predict_proba",
        cv=KFold(3),
    )
    assert proba.shape == (12, 2)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.ma.masked_values([[1, 2, 0, 0, 0, 99]], 99), "masked entries"),
        (np.array([True, False]), "truth values"),
        (pd.Series([np.ones(6), np.ones(6)]), r"np\.stack\(y\)"),
        (csr_matrix(np.eye(6)), "y is a csr_matrix"),
        ({"Seizure": [1]}, "y is a dict"),
        (iter([[1, 0, 0, 0, 0, 0]]), "y is a list_iterator"),
        ("LPD", "y is a str"),
    ],
)
def test_what_numpy_would_misread(y, message):
    with pytest.raises(ValueError, match=f"check_votes: .*{message}"):
        check_votes(y)


def test_a_masked_array_without_masked_entries_is_an_array():
    assert check_votes(np.ma.array(np.eye(6))).fractions.tolist() == np.eye(6).tolist()
