"""The competition's metric, to the digit, and everything that it must refuse."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hmsklearn.metrics import (
    EPSILON,
    check_weight,
    kl_divergence,
    kl_scorer,
    make_kl_scorer,
)
from hmsklearn.votes import CLASSES, VOTE_COLUMNS

RNG = np.random.default_rng(0)
COUNTS = RNG.multinomial(11, [0.3, 0.1, 0.1, 0.1, 0.1, 0.3], size=9)
COUNTS[:3] = RNG.multinomial(4, [1 / 6] * 6, size=3)
FRACTIONS = COUNTS / COUNTS.sum(axis=1, keepdims=True)
PROBA = RNG.dirichlet(np.ones(6), size=9)
ROWS = rel_entr(FRACTIONS, PROBA).sum(axis=1)


# The published test vectors ----------------------------------------------------------


def test_first_published_vector():
    y = [[0, 1], [1, 0], [1, 0], [0, 1]]
    p = [[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.35, 0.65]]
    expected = -(2 * np.log(0.9) + np.log(0.8) + np.log(0.65)) / 4
    assert kl_divergence(y, p) == pytest.approx(expected, rel=1e-14)
    assert kl_divergence(y, p) == pytest.approx(0.216161, abs=1e-6)


@pytest.mark.parametrize(
    "y", [[[0, 1], [1, 0]], [[0.0, 0.1, 0.9], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]]
)
def test_second_published_vector_is_zero(y):
    assert kl_divergence(y, y) == pytest.approx(0.0, abs=2e-15)


def test_third_published_vector():
    y = [[0, 0.1, 0.9], [0.5, 0.5, 0], [0.5, 0.5, 0]]
    p = [[0.2, 0.1, 0.7], [0.3, 0.5, 0.2], [0.5, 0.5, 0]]
    expected = (0.9 * np.log(9 / 7) + 0.5 * np.log(5 / 3)) / 3
    assert kl_divergence(y, p) == pytest.approx(expected, rel=1e-14)
    assert kl_divergence(y, p) == pytest.approx(0.160531, abs=1e-6)


# Values ------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(2, 8))
def test_property_is_scipys_relative_entropy(seed, n, k):
    rng = np.random.default_rng(seed)
    votes = rng.integers(0, 9, size=(n, k))
    votes[:, 0] += votes.sum(axis=1) == 0
    share = votes / votes.sum(axis=1, keepdims=True)
    proba = rng.dirichlet(np.full(k, 0.7), size=n)
    clipped = np.clip(proba, EPSILON, 1 - EPSILON)
    expected = rel_entr(share, clipped).sum(axis=1)
    np.testing.assert_allclose(
        kl_divergence(votes, proba, average=None), expected, rtol=1e-10, atol=1e-12
    )
    assert kl_divergence(votes, proba) == pytest.approx(expected.mean(), rel=1e-10)
    assert kl_divergence(votes, proba) >= -1e-9


def test_predictions_are_clipped_and_not_renormalised():
    assert kl_divergence([[1, 0]], [[0.0, 1.0]]) == pytest.approx(-np.log(1e-15))
    whole = kl_divergence([[1, 0]], [[0.99995, 0.0]])
    assert whole == pytest.approx(-np.log(0.99995), rel=1e-9)


def test_micro_is_the_mean_of_rows_and_macro_of_columns():
    assert kl_divergence(COUNTS, PROBA) == pytest.approx(ROWS.mean(), rel=1e-12)
    columns = rel_entr(FRACTIONS, PROBA).mean(axis=0)
    macro = kl_divergence(COUNTS, PROBA, average="macro")
    assert isinstance(macro, float)
    assert macro == pytest.approx(columns.mean(), rel=1e-12)
    assert macro == pytest.approx(ROWS.mean() / 6, rel=1e-12)


def test_rows():
    rows = kl_divergence(COUNTS, PROBA, average=None)
    assert rows.shape == (9,)
    np.testing.assert_allclose(rows, ROWS, rtol=1e-12)


def test_sample_weight():
    weight = RNG.uniform(size=9)
    weight[4] = 0
    expected = (weight * ROWS).sum() / weight.sum()
    for scale in (1, 1e-9, 1e6):
        actual = kl_divergence(COUNTS, PROBA, sample_weight=scale * weight)
        assert actual == pytest.approx(expected, rel=1e-12)
    whole = np.array([2, 0, 1, 1, 3, 1, 1, 1, 1])
    repeated = np.repeat(np.arange(9), whole)
    assert kl_divergence(COUNTS, PROBA, sample_weight=whole) == pytest.approx(
        kl_divergence(COUNTS[repeated], PROBA[repeated]), rel=1e-12
    )


def test_min_votes():
    many = COUNTS.sum(axis=1) >= 10
    assert many.tolist() == [False] * 3 + [True] * 6
    expected = ROWS[many].mean()
    totals = COUNTS.sum(axis=1)
    assert kl_divergence(COUNTS, PROBA, min_votes=10) == pytest.approx(expected)
    assert kl_divergence(
        FRACTIONS, PROBA, min_votes=10, total_votes=totals
    ) == pytest.approx(expected)
    assert kl_divergence(COUNTS, PROBA, min_votes=11) == pytest.approx(expected)
    assert kl_divergence(COUNTS, PROBA, min_votes=10, average=None).shape == (6,)
    weight = np.arange(9.0)
    assert kl_divergence(
        COUNTS, PROBA, min_votes=10, sample_weight=weight
    ) == pytest.approx(np.average(ROWS[many], weights=weight[many]))


def test_given_totals_win_over_counted_ones():
    totals = np.zeros(9)
    totals[2] = 10
    assert kl_divergence(
        COUNTS, PROBA, min_votes=10, total_votes=totals
    ) == pytest.approx(ROWS[2])


# Forms -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "y",
    [
        COUNTS.tolist(),
        FRACTIONS,
        COUNTS[..., None],
        FRACTIONS[..., None],
        pd.DataFrame(COUNTS),
        pd.DataFrame(COUNTS, columns=list(VOTE_COLUMNS)),
        pd.DataFrame(COUNTS, columns=list(VOTE_COLUMNS)).iloc[:, ::-1],
        pd.DataFrame(COUNTS, columns=list(CLASSES)).iloc[:, [1, 0, 2, 5, 3, 4]],
    ],
)
@pytest.mark.parametrize("classes", [None, "hms"])
def test_forms_of_votes(y, classes):
    actual = kl_divergence(y, PROBA, classes=classes)
    assert actual == pytest.approx(ROWS.mean(), rel=1e-12)


def test_frames_of_predictions_are_put_into_class_order():
    proba = pd.DataFrame(PROBA, columns=list(VOTE_COLUMNS)).iloc[:, ::-1]
    votes = pd.DataFrame(COUNTS, columns=list(VOTE_COLUMNS)).iloc[:, [2, 1, 0, 3, 5, 4]]
    for y in (COUNTS, votes):
        assert kl_divergence(y, proba) == pytest.approx(ROWS.mean(), rel=1e-12)
    with pytest.raises(ValueError, match=r"y_pred is a DataFrame .* \['eeg_id'\]"):
        kl_divergence(COUNTS, proba.assign(eeg_id=1))


def test_hard_labels():
    hard = COUNTS.argmax(axis=1)
    expected = -np.log(PROBA[np.arange(9), hard]).mean()
    names = np.array(CLASSES)[hard]
    for y in (hard, names, names.tolist(), names[:, None], names[:, None, None]):
        assert kl_divergence(y, PROBA) == pytest.approx(expected, rel=1e-12)


def test_other_classes():
    y = ["b", "a"]
    p = [[0.2, 0.8], [0.5, 0.5]]
    expected = -(np.log(0.8) + np.log(0.5)) / 2
    assert kl_divergence(y, p, classes="infer") == pytest.approx(expected)
    assert kl_divergence(y, p, classes=["a", "b"]) == pytest.approx(expected)
    swapped = kl_divergence(y, p, classes=["b", "a"])
    assert swapped == pytest.approx(-(np.log(0.2) + np.log(0.5)) / 2)


def test_rounding_above_one_is_no_error():
    p = [[1 + 2e-16, 0.0], [np.float32(1.0000001), 0.0]]
    assert kl_divergence([[1, 0], [1, 0]], p) == pytest.approx(0.0, abs=1e-14)


def test_float16_and_integers_are_probabilities_too():
    assert kl_divergence([[1, 0]], np.array([[0.5, 0.5]], np.float16)) == pytest.approx(
        np.log(2)
    )
    assert kl_divergence([[1, 0]], [[1, 0]]) == pytest.approx(0.0, abs=2e-15)


def test_inputs_are_not_written_to():
    y, p = FRACTIONS.copy(), PROBA.copy()
    y.flags.writeable = p.flags.writeable = False
    kl_divergence(y, p, sample_weight=np.ones(9), min_votes=None)


# Errors ------------------------------------------------------------------------------


def _bad(row, values):
    p = PROBA.copy()
    p[row] = values
    return p


@pytest.mark.parametrize(
    ("p", "message"),
    [
        (_bad(3, np.nan), r"NaN or infinite entries \(first in row 3, 1 in all\)"),
        (_bad(3, np.inf), r"NaN or infinite entries \(first in row 3"),
        (_bad(5, [2, -1, 0, 0, 0, 0]), r"entries outside \[0, 1\] \(first in row 5"),
        (_bad(5, [1.1, 0, 0, 0, 0, 0]), r"entries outside \[0, 1\]"),
        (_bad(2, 0.1), r"rows that do not sum to one \(first in row 2, 1 in all\)"),
        (np.log(PROBA), r"outside \[0, 1\] .* not logits"),
        (PROBA[:, 0], r"y_pred has shape \(9,\).*predict_proba, not predict"),
        (PROBA[..., None], r"y_pred has shape \(9, 6, 1\)"),
        (np.array(CLASSES)[[0] * 9], r"not a table of numbers.*predict_proba, not pre"),
        (PROBA[:8], r"inconsistent numbers of rows: X has 8 windows, y has 9 rows"),
        (PROBA[:, :5] / PROBA[:, :5].sum(1, keepdims=True), r"6 classes, .* 5 columns"),
    ],
)
def test_wrong_predictions(p, message):
    with pytest.raises(ValueError, match=f"kl_divergence: .*{message}"):
        kl_divergence(COUNTS, p)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        (
            np.where(np.arange(9)[:, None] == 4, 0, COUNTS),
            r"without any vote \(row 4\)",
        ),
        (np.where(np.arange(9)[:, None] == 4, -1, COUNTS), r"negative votes \(row 4\)"),
        (np.where(np.arange(9)[:, None] == 4, np.nan, COUNTS), r"NaN .* \(row 4\)"),
        ([[1, 2], [1]], "its rows differ in length"),
        (["LPD"] * 8 + ["LPG"], "label 'LPG' in row 8"),
    ],
)
def test_wrong_votes(y, message):
    with pytest.raises(ValueError, match=f"kl_divergence.*{message}"):
        kl_divergence(y, PROBA)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(8), r"sample_weight has shape \(8,\), expected \(9,\)"),
        (np.ones((9, 1)), r"has shape \(9, 1\)"),
        (np.r_[np.ones(8), -1], r"not negative, it is -1.0 in row 8"),
        (np.r_[np.nan, np.ones(8)], r"it is nan in row 0"),
        (np.r_[np.inf, np.ones(8)], r"it is inf in row 0"),
        (np.zeros(9), r"the weights of the scored rows sum to zero"),
    ],
)
def test_wrong_weights(weight, message):
    with pytest.raises(ValueError, match=message):
        kl_divergence(COUNTS, PROBA, sample_weight=weight)


def test_weights_all_zero_among_the_scored_rows():
    weight = np.r_[np.ones(3), np.zeros(6)]
    with pytest.raises(ValueError, match="scored rows sum to zero"):
        kl_divergence(COUNTS, PROBA, sample_weight=weight, min_votes=10)


@pytest.mark.parametrize("average", ["macro", None])
def test_weights_without_a_weighted_mean(average):
    with pytest.raises(ValueError, match=f"not defined for average={average!r}"):
        kl_divergence(COUNTS, PROBA, sample_weight=np.ones(9), average=average)


def test_wrong_average():
    with pytest.raises(ValueError, match="average='weighted' is not known"):
        kl_divergence(COUNTS, PROBA, average="weighted")


def test_min_votes_needs_totals_and_rows():
    with pytest.raises(ValueError, match="min_votes=10 needs the number of votes"):
        kl_divergence(FRACTIONS, PROBA, min_votes=10)
    with pytest.raises(ValueError, match=r"no row has 12 votes.*largest total is 11"):
        kl_divergence(COUNTS, PROBA, min_votes=12)
    with pytest.raises(ValueError, match=r"total_votes has shape \(3,\)"):
        kl_divergence(COUNTS, PROBA, min_votes=10, total_votes=[1, 2, 3])


def test_check_weight():
    assert check_weight(None, 3, "Clf") is None
    assert check_weight([1, 2, 3], 3, "Clf").dtype == np.float64


# Scorers -----------------------------------------------------------------------------


class _Constant(DummyClassifier):
    """Class means of votes, for any y."""

    def __init__(self, shift=0.0):
        super().__init__()
        self.shift = shift

    def fit(self, X, y, sample_weight=None):
        table = np.asarray(y, dtype=float).reshape(len(y), -1)
        mean = (table / table.sum(axis=1, keepdims=True)).mean(axis=0) + self.shift
        self.mean_ = mean / mean.sum()
        self.classes_ = np.array(CLASSES)
        return self

    def predict_proba(self, X):
        return np.tile(self.mean_, (len(X), 1))


X = np.zeros((9, 1))
PATIENT = np.arange(9) // 2


@pytest.mark.parametrize("y", [COUNTS, FRACTIONS, COUNTS[..., None]])
def test_scorer_is_the_negative_divergence(y):
    clf = _Constant().fit(X, y)
    expected = -kl_divergence(y, clf.predict_proba(X))
    assert kl_scorer(clf, X, y) == pytest.approx(expected, rel=1e-14)


def test_scorer_in_cross_val_score():
    scores = cross_val_score(
        _Constant(), X, COUNTS, groups=PATIENT, cv=GroupKFold(3), scoring=kl_scorer
    )
    expected = []
    for train, test in GroupKFold(3).split(X, COUNTS, PATIENT):
        proba = _Constant().fit(X[train], COUNTS[train]).predict_proba(X[test])
        expected.append(-kl_divergence(COUNTS[test], proba))
    np.testing.assert_allclose(scores, expected, rtol=1e-14)


def test_scorer_in_grid_search():
    search = GridSearchCV(
        _Constant(), {"shift": [0.0, 0.05, 5.0]}, scoring=kl_scorer, cv=GroupKFold(3)
    )
    search.fit(X, COUNTS, groups=PATIENT)
    assert search.best_params_["shift"] in (0.0, 0.05)
    assert search.best_score_ < 0
    assert search.score(X, COUNTS) == pytest.approx(
        -kl_divergence(COUNTS, search.predict_proba(X))
    )


def test_scorer_in_parallel():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), np.resize(list(CLASSES), 40)
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    scorer = make_kl_scorer(classes=sorted(CLASSES))
    serial = cross_val_score(pipe, X, y, cv=3, scoring=scorer)
    parallel = cross_val_score(pipe, X, y, cv=3, scoring=scorer, n_jobs=2)
    np.testing.assert_array_equal(serial, parallel)
    assert (serial < -1).all()


def test_scorer_of_two_classes():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), np.resize([0, 1], 40)
    clf = LogisticRegression().fit(X, y)
    expected = -kl_divergence(y, clf.predict_proba(X), classes="infer")
    assert make_kl_scorer(classes="infer")(clf, X, y) == pytest.approx(expected)


def test_scorer_options():
    clf = _Constant().fit(X, COUNTS)
    proba = clf.predict_proba(X)
    for options in ({"min_votes": 10}, {"average": "macro"}, {"classes": "hms"}):
        expected = -kl_divergence(COUNTS, proba, **options)
        assert make_kl_scorer(**options)(clf, X, COUNTS) == pytest.approx(expected)


def test_scorer_takes_weights_through_routing():
    weight = np.arange(9.0)
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_kl_scorer().set_score_request(sample_weight=True)
        scores = cross_val_score(
            _Constant().set_fit_request(sample_weight=False),
            X,
            COUNTS,
            cv=[(np.arange(4), np.arange(4, 9))],
            scoring=scorer,
            params={"sample_weight": weight},
        )
    proba = _Constant().fit(X[:4], COUNTS[:4]).predict_proba(X[4:])
    expected = -kl_divergence(COUNTS[4:], proba, sample_weight=weight[4:])
    assert scores[0] == pytest.approx(expected)


def test_scorer_survives_pickling():
    clf = _Constant().fit(X, COUNTS)
    again = pickle.loads(pickle.dumps(kl_scorer))
    assert again(clf, X, COUNTS) == kl_scorer(clf, X, COUNTS)


def test_scorer_needs_probabilities():
    from sklearn.svm import LinearSVC

    clf = LinearSVC().fit(RNG.normal(size=(9, 2)), np.resize([0, 1, 2], 9))
    with pytest.raises(AttributeError, match="predict_proba"):
        kl_scorer(clf, RNG.normal(size=(9, 2)), np.resize([0, 1, 2], 9))


def test_scorer_reads_the_estimators_class_order():
    """Fitted on names, scikit-learn's classifiers have alphabetical columns."""
    y = np.repeat(CLASSES, 5)
    X = np.eye(6)[np.repeat(np.arange(6), 5)] * 20
    clf = LogisticRegression(C=100, max_iter=1000).fit(X, y)
    assert clf.classes_.tolist() != list(CLASSES)
    expected = kl_divergence(y, clf.predict_proba(X), classes=clf.classes_.tolist())
    assert expected < 0.01
    assert kl_scorer(clf, X, y) == pytest.approx(-expected)
    counts = np.eye(6, dtype=int)[np.repeat(np.arange(6), 5)] * 3
    for table in (counts, pd.DataFrame(counts, columns=list(VOTE_COLUMNS))):
        assert kl_scorer(clf, X, table) == pytest.approx(-expected)


def test_scorer_refuses_other_classes():
    y = np.resize(["a", "b", "c"], 9)
    clf = LogisticRegression().fit(np.eye(3)[np.arange(9) % 3], y)
    with pytest.raises(ValueError, match=r"kl_scorer: LogisticRegression .*classes="):
        make_kl_scorer(classes="hms")(clf, np.eye(3), y[:3])
