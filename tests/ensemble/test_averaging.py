"""AveragingKLClassifier: given weights, of probabilities and of logarithms."""

import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.special import softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from soft_labels import Broken, SoftLogistic, Spy, make_votes

from hmsklearn.ensemble import AveragingKLClassifier, StackingKLClassifier
from hmsklearn.metrics import kl_divergence, kl_scorer
from hmsklearn.votes import CLASSES, VOTE_COLUMNS

X, Y, PATIENT = make_votes(n_rows=160, n_patients=14)
WEIGHT = np.random.default_rng(0).uniform(0.1, 3, size=160)


def two_members():
    return [
        ("left", SoftLogistic(columns=[0, 1])),
        ("right", make_pipeline(StandardScaler(), SoftLogistic(columns=[2, 3]))),
    ]


def average_of(*members, **kwargs):
    names = "abcdef"[: len(members)]
    return AveragingKLClassifier(list(zip(names, members, strict=True)), **kwargs)


@pytest.fixture(scope="module")
def alone():
    return np.stack([m.fit(X, Y).predict_proba(X) for _, m in two_members()])


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


# The average -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "applied"),
    [
        (None, [0.5, 0.5]),
        ([0.2, 0.6], [0.25, 0.75]),
        (np.array([3, 1]), [0.75, 0.25]),
        ({"right": 0.1, "left": 0.3}, [0.75, 0.25]),
    ],
)
def test_probabilities(weights, applied, alone):
    average = AveragingKLClassifier(two_members(), weights=weights).fit(X, Y)
    np.testing.assert_allclose(average.weights_, applied, rtol=1e-15)
    proba = average.predict_proba(X)
    np.testing.assert_allclose(proba, np.einsum("m,mik->ik", applied, alone))
    assert average.score(X, Y) == pytest.approx(-kl_divergence(Y, proba))
    assert average.predict(X).tolist() == np.array(CLASSES)[proba.argmax(1)].tolist()


@pytest.mark.parametrize(
    ("weights", "applied"),
    [
        (None, [0.5, 0.5]),
        ([0.2, 0.6], [0.2, 0.6]),
        ({"right": 1.0, "left": 0.5}, [0.5, 1.0]),
    ],
)
def test_logarithms_keep_the_sum_of_their_weights(weights, applied, alone):
    average = AveragingKLClassifier(two_members(), weights=weights, average="log")
    average.fit(X, Y)
    np.testing.assert_allclose(average.weights_, applied, rtol=1e-15)
    logits = np.einsum("m,mik->ik", applied, np.log(alone))
    np.testing.assert_allclose(average.predict_proba(X), softmax(logits, axis=1))
    # The sum is one over a temperature of the average with weights that sum to one.
    relative = np.array(applied) / np.sum(applied)
    cold = np.einsum("m,mik->ik", relative, np.log(alone)) * np.sum(applied)
    np.testing.assert_allclose(average.predict_proba(X), softmax(cold, axis=1))


def test_averaging_logarithms_is_averaging_logits(rng):
    logits = rng.normal(size=(2, 160, 6)) * 3

    class Net(Spy):
        def __init__(self, number=0, classes="hms"):
            super().__init__(classes=classes)
            self.number = number

        def predict_proba(self, X):
            return softmax(logits[self.number][: len(X)], axis=1)

    average = average_of(Net(0), Net(1), weights=[0.25, 0.75], average="log").fit(X, Y)
    mean = 0.25 * logits[0] + 0.75 * logits[1]
    np.testing.assert_allclose(average.predict_proba(X), softmax(mean, axis=1))


def test_a_certain_class_stays_certain():
    """Zeros have a logarithm, and weights that sum to one up to rounding one sum."""

    class Certain(Spy):
        def predict_proba(self, X):
            return np.tile(np.eye(6)[0], (len(X), 1))

    third = {"weights": [0.1, 0.1, 0.2, 0.2, 0.2, 0.2]}
    for average in ("probability", "log"):
        members = [Certain() for _ in range(6)]
        fitted = average_of(*members, average=average, **third).fit(X, Y)
        proba = fitted.predict_proba(X)
        assert proba.max() <= 1.0
        np.testing.assert_allclose(proba[0], np.eye(6)[0], atol=1e-14)
        assert proba.dtype == np.float64


def test_published_weights_nest():
    """7th place: .2/.65/.15 of raw, STFT and multitaper, each an average itself."""

    def family(*columns):
        members = [SoftLogistic(columns=[column]) for column in columns]
        return average_of(*members)

    average = AveragingKLClassifier(
        [("raw", family(0, 1)), ("stft", family(2, 3)), ("multitaper", family(1, 2))],
        weights={"raw": 0.2, "stft": 0.65, "multitaper": 0.15},
    ).fit(X, Y)
    assert average.weights_.tolist() == [0.2, 0.65, 0.15]
    single = [SoftLogistic(columns=[k]).fit(X, Y).predict_proba(X) for k in range(4)]
    parts = [0.1, 0.1 + 0.075, 0.325 + 0.075, 0.325]
    expected = np.einsum("m,mik->ik", parts, single)
    np.testing.assert_allclose(average.predict_proba(X), expected)
    changed = clone(average).set_params(stft__b__C=1e-6, stft__weights=[1, 0])
    assert changed.get_params()["stft__b__C"] == 1e-6
    assert changed.fit(X, Y).estimators_[1].weights_.tolist() == [1.0, 0.0]


def test_members_with_classes_in_another_order():
    turned = CLASSES[::-1]

    class Turned(SoftLogistic):
        def fit(self, X, y):
            super().fit(X, y)
            self.classes_ = np.array(turned)
            return self

        def predict_proba(self, X):
            return super().predict_proba(X)[:, ::-1]

    average = average_of(Turned(), SoftLogistic(), weights=[1, 1]).fit(X, Y)
    expected = SoftLogistic().fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(average.predict_proba(X), expected)
    # scikit-learn's own classifiers sort their labels.
    labels = np.array(CLASSES)[Y.argmax(axis=1)]
    plain = LogisticRegression(max_iter=1000)
    average = average_of(plain).fit(X, labels)
    order = [plain.fit(X, labels).classes_.tolist().index(label) for label in CLASSES]
    proba = plain.predict_proba(X)[:, order]
    np.testing.assert_allclose(average.predict_proba(X), proba)
    assert average.classes_.tolist() == list(CLASSES)


def test_dropped_members(alone):
    average = AveragingKLClassifier(two_members(), weights=[0.9, 0.3])
    average.set_params(left="drop").fit(X, Y)
    np.testing.assert_allclose(average.predict_proba(X), alone[1])
    assert average.weights_.tolist() == [1.0]
    assert average.named_estimators_["left"] == "drop"
    assert average.named_estimators_["right"] is average.estimators_[0]
    assert average.n_features_in_ == 4
    # Neither are their weights needed by name, nor their parameters of fit refused.
    average.set_params(weights={"right": 2.0}).fit(X, Y, left__groups=PATIENT)
    average.set_params(average="log").fit(X, Y)
    assert average.weights_.tolist() == [2.0]
    logits = 2.0 * np.log(alone[1])
    np.testing.assert_allclose(average.predict_proba(X), softmax(logits, axis=1))


def test_members_without_weight_are_not_asked(alone):
    class Once(SoftLogistic):
        asked = 0

        def predict_proba(self, X):
            type(self).asked += len(X)
            return super().predict_proba(X)

    members = [two_members()[0], ("never", Once())]
    average = AveragingKLClassifier(members, weights=[1, 0]).fit(X, Y)
    before = Once.asked
    np.testing.assert_allclose(average.predict_proba(X), alone[0])
    assert Once.asked == before <= 1


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_members_side_by_side(n_jobs, alone, capsys):
    average = AveragingKLClassifier(two_members(), n_jobs=n_jobs, verbose=1).fit(X, Y)
    np.testing.assert_array_equal(average.predict_proba(X), alone.mean(axis=0))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "[AveragingKLClassifier] left",
        "[AveragingKLClassifier] right",
    ]


def test_frozen_members(alone):
    inner = SoftLogistic(columns=[0, 1]).fit(X, Y)
    average = average_of(FrozenEstimator(inner), two_members()[1][1])
    average.fit(X[:100], Y[:100])
    assert average.estimators_[0].estimator is inner
    later = two_members()[1][1].fit(X[:100], Y[:100]).predict_proba(X)
    np.testing.assert_allclose(average.predict_proba(X), (alone[0] + later) / 2)
    # They outlive the clones of a cross-validation, and need no weights of rows.
    scores = cross_val_score(
        average_of(FrozenEstimator(inner)), X, Y, cv=3, scoring=kl_scorer
    )
    assert np.isfinite(scores).all()
    average_of(FrozenEstimator(inner)).fit(X, Y, sample_weight=WEIGHT)
    with pytest.raises(TypeError, match="'a__groups', and that member is frozen"):
        average_of(FrozenEstimator(inner)).fit(X, Y, a__groups=PATIENT)
    with pytest.raises(NotFittedError, match="member 'a', FrozenEstimator, is not"):
        average_of(FrozenEstimator(SoftLogistic())).fit(X, Y)
    other = FrozenEstimator(SoftLogistic(classes="infer").fit(X, Y))
    with pytest.raises(ValueError, match=r"member 'b' has the classes \[0, 1, 2, 3"):
        average_of(SoftLogistic(), other).fit(X, Y)


def test_one_table_at_a_time():
    """A member is asked when the table of the one before has been added."""
    alive = []

    class Table(np.ndarray):
        def __del__(self):
            alive.remove(id(self))

    class Big(Spy):
        def predict_proba(self, X):
            if len(X) > 1:
                assert len(alive) <= 1
            table = np.full((len(X), 6), 1 / 6).view(Table)
            alive.append(id(table))
            return table

    average = average_of(*(Big() for _ in range(5))).fit(X, Y)
    assert average.predict_proba(X).shape == (160, 6)


def test_rows_and_votes_of_a_table():
    frame = pd.DataFrame(X, columns=list("abcdefgh")[: X.shape[1]])
    votes = pd.DataFrame(Y, columns=VOTE_COLUMNS)[list(VOTE_COLUMNS)[::-1]]
    average = average_of(SoftLogistic(), SoftLogistic(columns=[1])).fit(frame, votes)
    expected = average_of(SoftLogistic(), SoftLogistic(columns=[1])).fit(X, Y)
    np.testing.assert_allclose(
        average.predict_proba(frame), expected.predict_proba(X), rtol=1e-6
    )


def test_average_and_stack_hold_each_other():
    stack = StackingKLClassifier(two_members(), cv=3)
    outer = average_of(stack, SoftLogistic()).fit(X, Y, a__groups=PATIENT)
    assert outer.estimators_[0].weights_.shape == (2,)
    inner = AveragingKLClassifier(two_members(), weights=[1, 2])
    members = [("average", inner), ("whole", SoftLogistic())]
    stack = StackingKLClassifier(members, cv=3).fit(X, Y, groups=PATIENT)
    assert np.isfinite(stack.kl_)
    assert stack.estimators_[0].weights_ == pytest.approx([1 / 3, 2 / 3])


# What scikit-learn asks --------------------------------------------------------------


def test_dump_holds_no_training_data():
    rows = np.random.default_rng(0).normal(size=(2000, 500))
    votes = np.random.default_rng(1).integers(0, 5, size=(2000, 6)) + 1
    average = average_of(SoftLogistic(columns=[0]), SoftLogistic(columns=[1]))
    average.fit(rows, votes)
    with io.BytesIO() as file:
        joblib.dump(average, file)
        assert file.tell() < 20_000
    again = pickle.loads(pickle.dumps(average))
    np.testing.assert_array_equal(
        again.predict_proba(rows[:9]), average.predict_proba(rows[:9])
    )


def test_representation_has_members_and_no_final_estimator():
    average = AveragingKLClassifier([*two_members(), ("gone", "drop")])
    html = estimator_html_repr(average)
    assert all(name in html for name in ("left", "right", "gone", "StandardScaler"))
    assert "final_estimator" not in html
    assert "KLBlender" not in html


def test_search_over_members_and_weights():
    search = GridSearchCV(
        AveragingKLClassifier(two_members()),
        {"left__C": [1e-6, 1.0], "weights": [[1, 0], [0, 1]]},
        cv=GroupKFold(3),
        scoring=kl_scorer,
    ).fit(X, Y, groups=PATIENT)
    assert search.best_params_ == {"left__C": 1.0, "weights": [1, 0]}


def test_not_fitted():
    average = AveragingKLClassifier(two_members())
    with pytest.raises(NotFittedError):
        average.predict_proba(X)
    assert not hasattr(average, "n_features_in_")


# Groups and weights of the rows ------------------------------------------------------


def test_groups_without_routing():
    pipe = make_pipeline(StandardScaler(), Spy())
    average = average_of(Spy(), pipe).fit(X, Y, groups=PATIENT, b__spy__groups=PATIENT)
    assert average.estimators_[0].seen_groups_ is None
    np.testing.assert_array_equal(average.estimators_[1][-1].seen_groups_, PATIENT)
    # Through a nested average, by name as well.
    nested = average_of(average_of(Spy())).fit(X, Y, a__a__groups=PATIENT)
    spy = nested.estimators_[0].estimators_[0]
    np.testing.assert_array_equal(spy.seen_groups_, PATIENT)


@pytest.mark.usefixtures("routing")
def test_groups_for_members_that_request_them():
    asking = Spy().set_fit_request(groups=True, sample_weight=False)
    deaf = Spy().set_fit_request(groups=False, sample_weight=False)
    frozen = FrozenEstimator(SoftLogistic().fit(X, Y))
    inner = average_of(asking, deaf)
    average = average_of(asking, deaf, frozen, inner).fit(X, Y, groups=PATIENT)
    heard, nothing, _, nested = average.estimators_
    np.testing.assert_array_equal(heard.seen_groups_, PATIENT)
    assert nothing.seen_groups_ is None
    np.testing.assert_array_equal(nested.estimators_[0].seen_groups_, PATIENT)
    with pytest.raises(UnsetMetadataPassedError, match="groups"):
        average_of(Spy()).fit(X, Y, groups=PATIENT)


@pytest.mark.usefixtures("routing")
def test_patients_of_the_rows_and_of_a_cross_validation():
    class Listening(Spy):
        def fit(self, X, y, groups=None, sample_weight=None):
            assert groups is not None
            return super().fit(X, y, groups, sample_weight)

    asking = Listening().set_fit_request(groups=True, sample_weight=False)
    rows = pd.DataFrame({"patient_id": PATIENT})
    fitted = average_of(asking).fit(rows, Y)
    np.testing.assert_array_equal(fitted.estimators_[0].seen_groups_, PATIENT)
    scores = cross_val_score(
        average_of(asking),
        X,
        Y,
        cv=GroupKFold(3),
        scoring=kl_scorer,
        params={"groups": PATIENT},
        error_score="raise",
    )
    assert np.isfinite(scores).all()


def test_weights_of_rows_reach_the_members():
    average = average_of(SoftLogistic(), Spy()).fit(X, Y, sample_weight=WEIGHT)
    expected = SoftLogistic().fit(X, Y, sample_weight=WEIGHT).predict_proba(X)
    np.testing.assert_array_equal(average.estimators_[0].predict_proba(X), expected)
    np.testing.assert_array_equal(average.estimators_[1].seen_weight_, WEIGHT)
    pipe = make_pipeline(StandardScaler(), Spy())
    with pytest.raises(TypeError, match="'a': fit of Pipeline takes no sample_weight"):
        average_of(pipe).fit(X, Y, sample_weight=WEIGHT)
    named = average_of(pipe).fit(
        X, Y, sample_weight=WEIGHT, a__spy__sample_weight=2 * WEIGHT
    )
    np.testing.assert_array_equal(named.estimators_[0][-1].seen_weight_, 2 * WEIGHT)


@pytest.mark.usefixtures("routing")
def test_weights_of_rows_are_routed_on_request():
    asking = SoftLogistic().set_fit_request(sample_weight=True)
    deaf = SoftLogistic().set_fit_request(sample_weight=False)
    average = average_of(asking, deaf).fit(X, Y, sample_weight=WEIGHT)
    with sklearn.config_context(enable_metadata_routing=False):
        weighted = SoftLogistic().fit(X, Y, sample_weight=WEIGHT).predict_proba(X)
        plain = SoftLogistic().fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(average.estimators_[0].predict_proba(X), weighted)
    np.testing.assert_array_equal(average.estimators_[1].predict_proba(X), plain)


# What it refuses ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2, 3], r"one number for each of the 2 members \['left', 'right'\]"),
        (0.5, r"weights must be None, one number .*got 0\.5"),
        ("equal", r"weights must be None, one number .*got 'equal'"),
        ({"left": 1}, r"Without weight: \['right'\], not members: \[\]"),
        ({"left": 1, "right": 1, "up": 1}, r"not members: \['up'\]"),
        ({"left": 1, "rigth": 1}, r"Without weight: \['right'\].*\['rigth'\]"),
        ([1, -0.1], r"finite and not negative.*'right': -0\.1"),
        ([1, np.nan], r"finite and not negative"),
        ([np.inf, 1], r"finite and not negative"),
        ([0, 0], r"one of them above zero"),
        (["a", 1], r"weights must be numbers"),
        ([[1, 2], [3, 4]], r"finite and not negative"),
    ],
)
@pytest.mark.parametrize("average", ["probability", "log"])
def test_wrong_weights(weights, message, average):
    wrong = AveragingKLClassifier(two_members(), weights=weights, average=average)
    with pytest.raises(ValueError, match=f"AveragingKLClassifier: .*{message}"):
        wrong.fit(X, Y)


def test_the_only_weight_is_of_a_dropped_member():
    average = AveragingKLClassifier(two_members(), weights=[1, 0])
    with pytest.raises(ValueError, match=r"one of them above zero, got \{'right': 0"):
        average.set_params(left="drop").fit(X, Y)


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        ([], ValueError, r"list of \(name, estimator\) pairs"),
        ([("a", Spy()), ("a", Spy())], ValueError, r"repeated: \['a'\]"),
        ([("weights", Spy())], ValueError, r"cannot be called 'weights'"),
        ([("a", "drop")], ValueError, r"all members are dropped"),
        ([("a", StandardScaler())], TypeError, r"StandardScaler has no pred"),
        (
            [("a", Broken(how="nameless"))],
            TypeError,
            r"member 'a': .*no classes_",
        ),
        (
            [("a", SoftLogistic(classes="infer"))],
            ValueError,
            r"member 'a' has the classes \[0, 1, 2, 3, 4, 5\], expected \['Seiz",
        ),
    ],
)
def test_wrong_members(members, error, message):
    """All is told by fit, nothing by the first prediction."""
    with pytest.raises(error, match=f"AveragingKLClassifier: .*{message}"):
        AveragingKLClassifier(members).fit(X, Y)


def test_wrong_rows_and_arguments():
    average = AveragingKLClassifier(two_members())
    with pytest.raises(ValueError, match=r"average must be one of .*'probability'"):
        clone(average).set_params(average="logit").fit(X, Y)
    with pytest.raises(ValueError, match="sample_weight is zero in every row"):
        average.fit(X, Y, sample_weight=np.zeros(160))
    with pytest.raises(ValueError, match="groups has shape"):
        average.fit(X, Y, groups=PATIENT[:5])
    with pytest.raises(TypeError, match=r"unexpected argument 'left_groups'"):
        average.fit(X, Y, left_groups=PATIENT)
