"""SoftLabelClassifier: what any classifier of labels learns from votes."""

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from soft_labels import SoftLogistic, make_votes

from hmsklearn.ensemble import SoftLabelClassifier
from hmsklearn.ensemble._expansion import expand, repeat
from hmsklearn.metrics import kl_divergence, make_kl_scorer
from hmsklearn.testing import ChannelPowerClassifier
from hmsklearn.views import WindowViews
from hmsklearn.votes import CLASSES, VOTE_COLUMNS, check_votes

X, Y, PATIENT = make_votes(n_rows=160, n_patients=14)
WEIGHT = np.random.default_rng(0).uniform(0.1, 3, size=160)
SHARE = Y / Y.sum(axis=1, keepdims=True)
PROBA = np.random.default_rng(1).dirichlet(np.ones(6), size=(160, 3))


class Recorder(GaussianNB):
    """Remembers what it was given."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = X, y, sample_weight
        return super().fit(X, y, sample_weight)


class GroupRecorder(Recorder):
    def fit(self, X, y, sample_weight=None, groups=None):
        self.groups_ = groups
        return super().fit(X, y, sample_weight)


# The expansion -----------------------------------------------------------------------


def test_each_vote_becomes_a_row_of_its_weight():
    clf = SoftLabelClassifier(Recorder()).fit(X, Y, sample_weight=WEIGHT)
    table, codes, weight = clf.estimator_.seen_
    assert len(codes) == (Y > 0).sum()
    assert weight.sum() == pytest.approx(WEIGHT.sum())
    row = 0
    for i in range(160):
        for k in np.flatnonzero(Y[i]):
            np.testing.assert_array_equal(table[row], X[i])
            assert codes[row] == k
            assert weight[row] == pytest.approx(SHARE[i, k] * WEIGHT[i])
            row += 1


def test_rows_without_weight_are_dropped():
    weight = WEIGHT.copy()
    weight[20:] = 0
    clf = SoftLabelClassifier(Recorder()).fit(X, Y, sample_weight=weight)
    assert len(clf.estimator_.seen_[1]) == (Y[:20] > 0).sum()


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_logistic_regression_finds_the_optimum_of_the_cross_entropy(weight):
    """The same optimum as minimising the soft-label loss directly."""
    C = 0.7
    inner = LogisticRegression(C=C, tol=1e-10, max_iter=2000)
    clf = SoftLabelClassifier(inner).fit(X, Y, sample_weight=weight)
    w = np.ones(160) if weight is None else weight

    def loss(flat):
        coef, bias = flat[:24].reshape(4, 6), flat[24:]
        score = X @ coef + bias
        value = -C * (w[:, None] * SHARE * log_softmax(score, axis=1)).sum()
        off = C * w[:, None] * (softmax(score, axis=1) - SHARE)
        slope = np.concatenate([(X.T @ off + coef).ravel(), off.sum(axis=0)])
        return value + 0.5 * (coef**2).sum(), slope

    direct = minimize(
        loss, np.zeros(30), jac=True, options={"gtol": 1e-10, "maxiter": 5000}
    )
    expected = softmax(X @ direct.x[:24].reshape(4, 6) + direct.x[24:], axis=1)
    np.testing.assert_allclose(clf.predict_proba(X), expected, atol=2e-6)
    inner = clf.estimator_
    found = np.concatenate([inner.coef_.T.ravel(), inner.intercept_])
    assert loss(found)[0] == pytest.approx(direct.fun, rel=1e-10)


def test_hard_labels_are_what_they_were():
    hard = Y.argmax(axis=1)
    plain = LogisticRegression().fit(X, hard)
    clf = SoftLabelClassifier(LogisticRegression()).fit(X, np.array(CLASSES)[hard])
    np.testing.assert_allclose(
        clf.predict_proba(X), plain.predict_proba(X), rtol=1e-6, atol=1e-9
    )


def test_boosting_learns_the_shares_of_the_votes():
    """Rows that cannot be told apart: the best answer is their mean share."""
    table = np.repeat([[0.0], [1.0]], 80, axis=0)
    boost = HistGradientBoostingClassifier(max_iter=150, early_stopping=False)
    clf = SoftLabelClassifier(boost).fit(table, Y, sample_weight=WEIGHT)
    means = [
        np.average(SHARE[part], axis=0, weights=WEIGHT[part])
        for part in (slice(80), slice(80, None))
    ]
    np.testing.assert_allclose(clf.predict_proba([[0.0], [1.0]]), means, atol=2e-3)


@pytest.mark.parametrize(
    "inner",
    [
        HistGradientBoostingClassifier(max_iter=5),
        RandomForestClassifier(10, random_state=0),
        DecisionTreeClassifier(max_depth=3, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=lambda inner: type(inner).__name__,
)
def test_copies_weigh_what_the_expansion_says(inner):
    copies = expand(SHARE, WEIGHT)
    clf = SoftLabelClassifier(inner).fit(X, Y, sample_weight=WEIGHT)
    last = inner.steps[-1][0] + "__" if hasattr(inner, "steps") else ""
    by_hand = clone(inner).fit(
        X[copies.rows], copies.columns, **{f"{last}sample_weight": copies.weight}
    )
    np.testing.assert_array_equal(clf.predict_proba(X), by_hand.predict_proba(X))
    assert clf.predict_proba(X).shape == (160, 6)


def test_xgboost():
    xgboost = pytest.importorskip("xgboost")
    params = {"n_estimators": 20, "max_depth": 2, "n_jobs": 1}
    clf = SoftLabelClassifier(xgboost.XGBClassifier(**params)).fit(X, Y)
    copies = expand(SHARE, None)
    by_hand = xgboost.XGBClassifier(**params)
    by_hand.fit(X[copies.rows], copies.columns, sample_weight=copies.weight)
    np.testing.assert_array_equal(clf.predict_proba(X), by_hand.predict_proba(X))
    assert clf.score(X, Y) > -kl_divergence(Y, np.tile(SHARE.mean(axis=0), (160, 1)))
    # Its labels must be numbered without gaps, and a class without votes is one.
    rare = Y.copy()
    rare[:, 0], rare[:, 5] = 0, rare[:, 5] + 1
    clf.fit(X, rare)
    assert (clf.predict_proba(X)[:, 0] == 0).all()


# Classes -----------------------------------------------------------------------------


def test_a_class_without_votes_keeps_its_column():
    rare = Y.copy()
    rare[:, 2], rare[:, 5] = 0, rare[:, 5] + 1
    clf = SoftLabelClassifier(LogisticRegression()).fit(X, rare)
    assert clf.classes_.tolist() == list(CLASSES)
    proba = clf.predict_proba(X)
    assert (proba[:, 2] == 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    others = [0, 1, 3, 4, 5]
    narrow = SoftLabelClassifier(LogisticRegression(), classes="infer")
    np.testing.assert_allclose(
        proba[:, others], narrow.fit(X, rare[:, others]).predict_proba(X)
    )


def test_smallest_probability():
    rare = Y.copy()
    rare[:, 2], rare[:, 5] = 0, rare[:, 5] + 1
    plain = SoftLabelClassifier(RandomForestClassifier(5, random_state=0))
    plain.fit(X, rare)
    lifted = clone(plain).set_params(min_proba=0.01).fit(X, rare)
    expected = np.maximum(plain.predict_proba(X), 0.01)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(lifted.predict_proba(X), expected)
    assert kl_divergence(Y, lifted.predict_proba(X)) < kl_divergence(
        Y, plain.predict_proba(X)
    )


@pytest.mark.parametrize(
    "y",
    [
        Y[..., None],
        Y.tolist(),
        pd.DataFrame(Y, columns=list(VOTE_COLUMNS)).iloc[:, ::-1],
        SHARE,
    ],
    ids=["3-D", "list", "frame", "fractions"],
)
def test_forms_of_y(y):
    expected = SoftLabelClassifier(LogisticRegression()).fit(X, Y).predict_proba(X)
    clf = SoftLabelClassifier(LogisticRegression()).fit(X, y)
    np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=1e-6, atol=1e-9)


def test_predict_and_score():
    clf = SoftLabelClassifier(LogisticRegression()).fit(X, Y)
    proba = clf.predict_proba(X)
    np.testing.assert_array_equal(
        clf.predict(X), np.array(CLASSES)[proba.argmax(axis=1)]
    )
    assert clf.score(X, Y, sample_weight=WEIGHT) == pytest.approx(
        -kl_divergence(Y, proba, sample_weight=WEIGHT)
    )
    assert clf.n_features_in_ == 4


# Forms of X --------------------------------------------------------------------------


def test_probabilities_of_several_models():
    for how, table in (
        ("log", np.log(np.maximum(PROBA, 1e-7)).reshape(160, 18)),
        ("raw", PROBA.reshape(160, 18)),
    ):
        clf = SoftLabelClassifier(Recorder(), probabilities=how).fit(PROBA, Y)
        copies = expand(SHARE, None)
        np.testing.assert_array_equal(clf.estimator_.seen_[0], table[copies.rows])
        assert clf.n_features_in_ == 3
        again = clf.predict_proba(PROBA.tolist())
        np.testing.assert_array_equal(again, clf.predict_proba(PROBA))
    certain = PROBA.copy()
    certain[0] = np.eye(6)[:3]
    assert np.isfinite(clf.fit(certain, Y).estimator_.seen_[0]).all()


def test_probabilities_beside_features():
    features = np.random.default_rng(0).normal(size=(160, 2))
    views = WindowViews(probabilities=PROBA, features=features)
    rows = expand(SHARE, None).rows
    clf = SoftLabelClassifier(Recorder(), probabilities="raw").fit(views, Y)
    table = np.hstack([PROBA.reshape(160, 18), features])
    np.testing.assert_array_equal(clf.estimator_.seen_[0], table[rows])
    clf = SoftLabelClassifier(Recorder(), probabilities="drop").fit(views, Y)
    np.testing.assert_array_equal(clf.estimator_.seen_[0], features[rows])
    with pytest.raises(ValueError, match="nothing is left of X"):
        clf.fit(PROBA, Y)


def test_frames_stay_frames_and_nan_are_the_classifiers_affair():
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame.loc[3, "b"] = np.nan
    clf = SoftLabelClassifier(HistGradientBoostingClassifier(max_iter=3)).fit(frame, Y)
    assert clf.estimator_.feature_names_in_.tolist() == list("abcd")
    assert np.isfinite(clf.predict_proba(frame)).all()


def test_windows_go_to_classifiers_of_windows():
    """Three axes are probabilities only to those that know tables."""
    windows = np.random.default_rng(0).normal(size=(160, 4, 50)).astype("f4")
    clf = SoftLabelClassifier(ChannelPowerClassifier(classes="infer")).fit(windows, Y)
    assert clf.predict_proba(windows).shape == (160, 6)


def test_wrong_probabilities():
    clf = SoftLabelClassifier(LogisticRegression(max_iter=1000)).fit(PROBA, Y)
    with pytest.raises(ValueError, match=r"X has 2 models, but .* expecting 3 models"):
        clf.predict_proba(PROBA[:, :2])
    with pytest.raises(ValueError, match="SoftLabelClassifier: X has probabilities"):
        clf.fit(2 * PROBA, Y)
    views = WindowViews(probabilities=PROBA, features=np.array(["a"] * 160))
    with pytest.raises(ValueError, match=r"view 'features' has shape \(160,\)"):
        clf.fit(views, Y)


# Classifiers without weights ---------------------------------------------------------


def test_without_weights_it_says_so():
    with pytest.raises(TypeError, match=r"KNeighborsClassifier takes no sample_weight"):
        SoftLabelClassifier(KNeighborsClassifier()).fit(X, Y)


def test_copies_by_count():
    totals = np.full(160, 10)
    rng = np.random.default_rng(0)
    y = np.array([rng.multinomial(t, s) for t, s in zip(totals, SHARE, strict=True)])
    clf = SoftLabelClassifier(KNeighborsClassifier(30), repeats=10).fit(X, y)
    rows = np.repeat(np.arange(160), 10)
    labels = np.concatenate([np.repeat(np.arange(6), row) for row in y])
    by_hand = KNeighborsClassifier(30).fit(X[rows], labels)
    np.testing.assert_array_equal(clf.predict_proba(X), by_hand.predict_proba(X))
    # The ten nearest copies of a row are its own.
    own = SoftLabelClassifier(KNeighborsClassifier(10), repeats=10).fit(X, y)
    np.testing.assert_allclose(own.predict_proba(X), y / 10)


def test_copies_reach_classifiers_with_weights_too():
    clf = SoftLabelClassifier(Recorder(), repeats=4).fit(X, Y)
    assert clf.estimator_.seen_[2] is None
    assert len(clf.estimator_.seen_[1]) == 640


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1),
    st.integers(1, 30),
)
@settings(deadline=None, max_examples=60)
def test_copies_are_the_nearest_whole_numbers(votes, repeats):
    table = np.array(votes) + np.eye(3, dtype=int)[np.arange(len(votes)) % 3]
    share = table / table.sum(axis=1, keepdims=True)
    copies = repeat(share, None, repeats)
    counts = np.zeros(share.shape)
    np.add.at(counts, (copies.rows, copies.columns), 1)
    np.testing.assert_array_equal(counts.sum(axis=1), repeats)
    assert (np.abs(counts - share * repeats) < 1).all()
    assert (np.diff(copies.rows) >= 0).all()


def test_copies_by_weight():
    weight = np.array([2.0, 0.5, 0.0])
    copies = repeat(np.eye(3), weight, 4)
    assert copies.rows.tolist() == [0] * 8 + [1] * 2
    assert copies.weight is None


# Groups, routing, searches -----------------------------------------------------------


def test_groups_go_to_those_that_take_them():
    rows = expand(SHARE, None).rows
    clf = SoftLabelClassifier(GroupRecorder()).fit(X, Y, groups=PATIENT)
    np.testing.assert_array_equal(clf.estimator_.groups_, PATIENT[rows])
    SoftLabelClassifier(LogisticRegression()).fit(X, Y, groups=PATIENT)
    with pytest.raises(ValueError, match="groups has shape"):
        clf.fit(X, Y, groups=PATIENT[:-1])


@pytest.mark.parametrize("routing", [False, True])
def test_a_search_inside_keeps_patients_whole(routing):
    seen = []

    class Listening(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            seen.append(set(X[:, -1]))
            assert sample_weight is not None
            assert np.ptp(sample_weight) > 0
            return super().fit(X, y, sample_weight)

    number = np.unique(PATIENT, return_inverse=True)[1].astype(float)
    table = np.column_stack([X, number])
    search = GridSearchCV(
        make_pipeline(Listening()), {"listening__C": [0.1, 1.0]}, cv=GroupKFold(2)
    )
    with sklearn.config_context(enable_metadata_routing=routing):
        clf = SoftLabelClassifier(search).fit(table, Y, groups=PATIENT)
    assert len(seen) == 5
    for first, second in (seen[:2], seen[2:4]):
        assert first.isdisjoint(second)
    assert clf.predict_proba(table).shape == (160, 6)


@pytest.mark.parametrize("routing", [False, True])
def test_pipelines_get_weights_with_routing_and_without(routing):
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    expected = SoftLabelClassifier(pipe).fit(X, Y, sample_weight=WEIGHT)
    with sklearn.config_context(enable_metadata_routing=routing):
        clf = SoftLabelClassifier(pipe).fit(X, Y, sample_weight=WEIGHT)
    np.testing.assert_array_equal(clf.predict_proba(X), expected.predict_proba(X))


def test_cross_validation_with_routed_weights():
    clf = SoftLabelClassifier(LogisticRegression())
    with sklearn.config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            clf,
            X,
            Y,
            cv=GroupKFold(3),
            scoring=make_kl_scorer().set_score_request(sample_weight=True),
            params={"groups": PATIENT, "sample_weight": WEIGHT},
        )
    expected = [
        -kl_divergence(
            Y[test],
            clone(clf)
            .fit(X[train], Y[train], sample_weight=WEIGHT[train])
            .predict_proba(X[test]),
            sample_weight=WEIGHT[test],
        )
        for train, test in GroupKFold(3).split(X, Y, PATIENT)
    ]
    np.testing.assert_allclose(scores, expected)


# Errors and persistence --------------------------------------------------------------


@pytest.mark.parametrize(
    ("clf", "error", "message"),
    [
        (SoftLabelClassifier(LinearSVC()), TypeError, "LinearSVC has no predict_proba"),
        (SoftLabelClassifier(GaussianNB), TypeError, "GaussianNB is a class"),
        (
            SoftLabelClassifier(GaussianNB(), probabilities="logit"),
            ValueError,
            "probabilities must be one of 'log', 'raw', 'drop'",
        ),
        (SoftLabelClassifier(GaussianNB(), repeats=0), ValueError, "repeats must be"),
        (
            SoftLabelClassifier(GaussianNB(), min_proba=0.1),
            ValueError,
            r"min_proba must be a finite number at least 0.0 and below 0.1",
        ),
        (
            SoftLabelClassifier(SoftLogistic()),
            ValueError,
            r"SoftLogistic was given the labels .* learns from votes itself",
        ),
    ],
)
def test_wrong_parameters(clf, error, message):
    with pytest.raises(error, match=f"SoftLabelClassifier: .*{message}"):
        clf.fit(X, Y)


def test_one_class_only():
    y = np.zeros((160, 6), dtype=int)
    y[:, 1] = 3
    with pytest.raises(ValueError, match=r"votes for 1 class only \(\['LPD'\]\)"):
        SoftLabelClassifier(LogisticRegression()).fit(X, y)


def test_not_fitted_and_left_alone():
    inner = LogisticRegression()
    clf = SoftLabelClassifier(inner)
    with pytest.raises(NotFittedError):
        clf.predict_proba(X)
    assert not hasattr(clf, "n_features_in_")
    clf.fit(X, Y)
    assert not hasattr(inner, "coef_")
    clf.set_params(estimator__C=0.5)
    assert inner.C == 0.5


def test_dump(tmp_path):
    clf = SoftLabelClassifier(LogisticRegression(max_iter=1000)).fit(PROBA, Y)
    joblib.dump(clf, tmp_path / "clf.joblib")
    again = joblib.load(tmp_path / "clf.joblib")
    np.testing.assert_array_equal(again.predict_proba(PROBA), clf.predict_proba(PROBA))


def test_expansion_keeps_the_mass():
    votes = check_votes(Y)
    copies = expand(votes.fractions, WEIGHT)
    mass = np.zeros(Y.shape)
    np.add.at(mass, (copies.rows, copies.columns), copies.weight)
    np.testing.assert_allclose(mass, votes.fractions * WEIGHT[:, None])


@pytest.mark.parametrize("wrap", [lambda clf: clf, make_pipeline], ids=["bare", "pipe"])
def test_early_stopping_must_not_divide_copies(wrap):
    """Half of the copies of a row would validate what the others taught."""
    fast = {"max_iter": 1, "max_leaf_nodes": 2}
    hist = HistGradientBoostingClassifier
    message = r"SoftLabelClassifier: HistGradient.* copies .*early_stopping=False"
    with pytest.raises(ValueError, match=message):
        SoftLabelClassifier(wrap(hist(early_stopping=True, **fast))).fit(X, Y)

    share = np.tile(np.repeat([0.5, 0.0, 0.0], 2), (5001, 1))
    many = np.random.default_rng(0).normal(size=(5001, 1))
    auto = SoftLabelClassifier(wrap(hist(**fast)))
    with pytest.raises(ValueError, match=r"'auto', and with 10002 copies"):
        auto.fit(many, share)
    # scikit-learn's limit itself, and rows that have one copy each, are let pass.
    auto.fit(many[:5000], share[:5000])
    hard = np.resize(CLASSES[:2], 10_002)
    auto.fit(np.resize(many, (10_002, 1)), hard)
    off = SoftLabelClassifier(wrap(hist(early_stopping=False, **fast)))
    off.fit(many, share)
