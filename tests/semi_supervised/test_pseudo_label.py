"""PseudoLabelClassifier: who sees what, what is learned, and whether it helps."""

import joblib
import numpy as np
import pandas as pd
import pytest
from rated_rows import Recorder, two_populations
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from soft_labels import SoftForestlike, SoftLogistic

from hmsklearn.ensemble import SoftLabelClassifier
from hmsklearn.metrics import kl_divergence
from hmsklearn.semi_supervised import (
    ClassBelow,
    PseudoLabelClassifier,
    blend_pseudo_labels,
)
from hmsklearn.votes import CLASSES

X, Y, PATIENT, X_TEST, TRUTH = two_populations(n_many=60, n_few=140, n_test=40)
ROWS = np.column_stack([np.arange(200.0), X])
TOTAL = Y.sum(axis=1)
MANY = TOTAL >= 10
SHARE = Y / TOTAL[:, None]


def recorded(**params):
    """Fit on rows that are numbered; return what teachers and student saw."""
    log = []
    groups = params.pop("groups", PATIENT)
    fit_params = params.pop("fit_params", {})
    params.setdefault("teachers", Recorder(log, "teacher"))
    clf = PseudoLabelClassifier(Recorder(log), **params)
    clf.fit(ROWS, Y, groups=groups, **fit_params)
    teachers = [entry for entry in log if entry["who"] == "teacher"]
    students = [entry for entry in log if entry["who"] == "student"]
    return clf, teachers, students


# Who sees what ------------------------------------------------------------------------


def test_teachers_see_well_rated_rows_with_their_counts():
    _, teachers, students = recorded()
    assert len(teachers) == 5
    assert len(students) == 1
    for entry in teachers:
        assert (TOTAL[entry["rows"]] >= 10).all()
        np.testing.assert_array_equal(entry["y"], Y[entry["rows"]])
    everyone = np.concatenate([entry["rows"] for entry in teachers])
    np.testing.assert_array_equal(np.unique(everyone), np.flatnonzero(MANY))


def test_no_teacher_labels_a_patient_that_it_saw():
    clf, teachers, _ = recorded()
    both = np.intersect1d(PATIENT[MANY], PATIENT[~MANY])
    assert both.size >= 3  # else there is nothing to get wrong
    times = np.zeros(200, dtype=int)
    for entry in teachers:
        seen = np.unique(PATIENT[entry["rows"]])
        assert not np.isin(PATIENT[entry["asked"]], seen).any()
        times[entry["asked"]] += 1
    assert (times >= 1).all()
    # Patients whom no teacher knows are labelled by all of them.
    np.testing.assert_array_equal(times[~np.isin(PATIENT, PATIENT[MANY])], 5)
    np.testing.assert_array_equal(times[np.isin(PATIENT, both) & ~MANY], 1)
    for seen, labelled, entry in zip(
        clf.teacher_groups_, clf.pseudo_groups_, teachers, strict=True
    ):
        assert set(seen) == set(PATIENT[entry["rows"]])
        asked = entry["asked"]
        assert set(labelled) == set(PATIENT[asked[~MANY[asked]]])
        assert not set(seen) & set(labelled)
    assert clf.teacher_names_[0] == "round 1: teachers, fold 0"
    assert len(clf.teachers_) == len(clf.teacher_names_) == 5


def test_students_that_teach_have_not_seen_the_patient_either():
    clf, teachers, students = recorded(n_iter=3)
    assert len(teachers) == 5
    assert len(students) == 2 * 5 + 1
    for entry in students[:-1]:
        assert not np.isin(PATIENT[entry["asked"]], PATIENT[entry["rows"]]).any()
        assert (~MANY[entry["rows"]]).any()
        assert MANY[entry["rows"]].any()
    asked = np.concatenate([entry["asked"] for entry in students[:5]])
    np.testing.assert_array_equal(np.sort(asked), np.arange(200))
    for seen, labelled in zip(clf.teacher_groups_, clf.pseudo_groups_, strict=True):
        assert not set(seen) & set(labelled)
    assert clf.history_.index.tolist() == [1, 2, 3]
    assert clf.teacher_names_[-1] == "round 3: estimator, fold 4"


def test_teachers_fitted_on_all():
    clf, [teacher], _ = recorded(teacher_cv="all")
    np.testing.assert_array_equal(teacher["rows"], np.flatnonzero(MANY))
    np.testing.assert_array_equal(teacher["asked"], np.flatnonzero(~MANY))
    assert np.isnan(clf.history_["labeled_kl"].item())
    # And this is what an audit can find.
    assert set(clf.teacher_groups_[0]) & set(clf.pseudo_groups_[0])
    _, _, students = recorded(teacher_cv="all", n_iter=3)
    assert len(students) == 3


def test_splits_are_of_the_rows_of_x():
    splits = list(GroupKFold(3).split(X, Y, PATIENT))
    _, teachers, _ = recorded(teacher_cv=splits)
    for entry, (train, _) in zip(teachers, splits, strict=True):
        np.testing.assert_array_equal(entry["rows"], train[MANY[train]])


def test_without_patients_there_is_a_warning():
    with pytest.warns(UserWarning, match="without groups.*Pass"):
        clf, teachers, _ = recorded(groups=None)
    assert len(teachers) == 1
    assert clf.teacher_groups_ is None
    _, teachers, _ = recorded(groups=None, teacher_cv="all")
    assert len(teachers) == 1
    _, teachers, _ = recorded(groups=None, teacher_cv=4)
    assert len(teachers) == 4


def test_patients_of_a_table_need_not_be_told():
    table = pd.DataFrame(ROWS).assign(patient_id=PATIENT)
    table.columns = [str(name) for name in table.columns]
    log = []
    clf = PseudoLabelClassifier(Recorder(log)).fit(table, Y)
    expected = recorded()[0].teacher_groups_
    assert [set(one) for one in clf.teacher_groups_] == [set(one) for one in expected]


# What the student learns --------------------------------------------------------------


def test_copies_and_labels():
    clf, _, [student] = recorded()
    many, few = np.flatnonzero(MANY), np.flatnonzero(~MANY)
    np.testing.assert_array_equal(student["rows"], np.concatenate([many, many, few]))
    np.testing.assert_allclose(student["y"][:60], SHARE[many])
    np.testing.assert_allclose(student["y"][60:120], SHARE[many])
    assert student["weight"] is None
    means = np.full((200, 5, 6), np.nan)
    for number, teacher in enumerate(clf.teachers_):
        unseen = ~np.isin(PATIENT, clf.teacher_groups_[number])
        means[unseen, number] = teacher.mean_
    mean = np.nanmean(means, axis=1)
    expected = blend_pseudo_labels(SHARE[few], mean[few])
    np.testing.assert_allclose(student["y"][120:], expected, rtol=1e-12)
    assert clf.n_labeled_ == 60
    assert clf.n_pseudo_ == 140


def test_the_8th_place():
    """Three teachers, .1 * old + .3 * (m1 + m2 + m3), the student another one."""
    log = []
    teachers = [
        ("m1", SoftLogistic(columns=[1, 2, 3])),
        ("m2", SoftLogistic(columns=[4, 5])),
        ("m3", make_pipeline(StandardScaler(), SoftLogistic())),
    ]
    clf = PseudoLabelClassifier(Recorder(log), teachers=teachers, teacher_cv="all")
    clf.fit(ROWS, Y, groups=PATIENT)
    m1, m2, m3 = (
        clone(one).fit(ROWS[MANY], Y[MANY]).predict_proba(ROWS[~MANY])
        for _, one in teachers
    )
    expected = 0.1 * SHARE[~MANY] + 0.3 * (m1 + m2 + m3)
    np.testing.assert_allclose(log[0]["y"][120:], expected, rtol=1e-9)
    assert clf.teacher_names_ == ["round 1: m1", "round 1: m2", "round 1: m3"]


def test_old_labels_can_be_given_up():
    _, _, [student] = recorded(old_weight=0, teacher_cv="all")
    np.testing.assert_allclose(np.ptp(student["y"][120:], axis=0), 0, atol=1e-12)


def test_other_copies():
    _, _, [student] = recorded(labeled_copies=1, pseudo_copies=3)
    counts = np.bincount(student["rows"], minlength=200)
    np.testing.assert_array_equal(counts, np.where(MANY, 1, 3))


def test_copies_as_weights():
    _, _, [student] = recorded(copies="weights", pseudo_copies=3, pseudo_weight=0.5)
    np.testing.assert_array_equal(student["rows"], np.arange(200))
    np.testing.assert_array_equal(student["weight"], np.where(MANY, 2.0, 1.5))
    as_rows, as_weights = (
        PseudoLabelClassifier(SoftLogistic(), copies=copies, pseudo_weight=0.5)
        .fit(X, Y, groups=PATIENT)
        .predict_proba(X_TEST)
        for copies in ("rows", "weights")
    )
    # The ridge of this classifier counts rows, hence no more digits.
    np.testing.assert_allclose(as_rows, as_weights, atol=0.02)


def test_x_is_handed_on_where_no_row_is_left_out():
    class Owner(Recorder):
        def fit(self, X, y, sample_weight=None):
            self.log.append(X)
            return super().fit(X, y, sample_weight)

        def __sklearn_clone__(self):
            return Owner(self.log, self.who)

    log = []
    teacher = SoftLogistic()
    PseudoLabelClassifier(Owner(log), teachers=teacher, copies="weights").fit(
        ROWS, Y, groups=PATIENT
    )
    assert log[0] is ROWS


def test_weights_of_pseudo_labels():
    _, _, [student] = recorded(pseudo_weight=0.25)
    np.testing.assert_array_equal(student["weight"][:120], 1.0)
    np.testing.assert_array_equal(student["weight"][120:], 0.25)
    given = np.linspace(1, 2, 200)
    _, teachers, [student] = recorded(
        pseudo_weight=lambda rows: rows.total_votes / 10,
        fit_params={"sample_weight": given},
    )
    for entry in teachers:
        np.testing.assert_array_equal(entry["weight"], given[entry["rows"]])
    factor = np.where(MANY, 1.0, TOTAL / 10)
    np.testing.assert_allclose(student["weight"], (given * factor)[student["rows"]])


def test_weights_are_the_same_in_every_round():
    _, _, students = recorded(
        n_iter=4, copies="weights", pseudo_copies=3, pseudo_weight=0.5
    )
    assert len(students) == 3 * 5 + 1
    for entry in students:
        np.testing.assert_array_equal(
            entry["weight"], np.where(MANY, 2.0, 1.5)[entry["rows"]]
        )


def test_filters_leave_rows_out_or_as_they_were():
    rule = ClassBelow("Seizure", 0.5)
    base = SoftLogistic()
    teacher = clone(base).fit(X[MANY], Y[MANY]).predict_proba(X[~MANY])
    keep = teacher[:, 0] < 0.5
    assert 0 < keep.sum() < keep.size
    log = []
    params = {"teacher_cv": "all", "filter": rule, "labeled_copies": 1}

    class Row(SoftLogistic):
        def fit(self, X, y, sample_weight=None):
            log.append((X, y))
            return super().fit(X, y, sample_weight)

    clf = PseudoLabelClassifier(Row(), teachers=base, **params)
    clf.fit(X, Y, groups=PATIENT)
    assert clf.n_pseudo_ == keep.sum()
    np.testing.assert_array_equal(log[0][0], np.vstack([X[MANY], X[~MANY][keep]]))
    clf.set_params(rejected="old").fit(X, Y, groups=PATIENT)
    assert clf.n_pseudo_ == keep.sum()
    few = log[1][1][60:]
    np.testing.assert_allclose(few[~keep], SHARE[~MANY][~keep])
    np.testing.assert_allclose(few[keep], log[0][1][60:])
    named = PseudoLabelClassifier(base, filter=["not_other", rule])
    named.fit(X, Y, groups=PATIENT)
    assert 0 < named.n_pseudo_ < 140


def test_the_15th_place_draws_which_labels_are_new():
    runs = [recorded(pseudo_probability=0.15, random_state=seed) for seed in (0, 0, 1)]
    labels = [students[0]["y"][120:] for _, _, students in runs]
    new = [~np.isclose(label, SHARE[~MANY]).all(axis=1) for label in labels]
    assert 5 <= new[0].sum() <= 45
    assert runs[0][0].n_pseudo_ == new[0].sum()
    np.testing.assert_array_equal(labels[0], labels[1])
    assert (new[0] != new[2]).any()


def test_unlabelled_rows():
    more = np.column_stack([200 + np.arange(40.0), X_TEST])
    clf, teachers, [student] = recorded(fit_params={"X_unlabeled": more})
    counts = np.bincount(student["rows"], minlength=240)
    np.testing.assert_array_equal(counts[200:], 1)
    for entry in teachers:
        assert np.isin(200 + np.arange(40), entry["asked"]).all()
        assert (entry["rows"] < 200).all()
    mean = np.mean([teacher.mean_ for teacher in clf.teachers_], axis=0)
    place = student["rows"] >= 200
    np.testing.assert_allclose(student["y"][place], np.tile(mean, (40, 1)))
    assert clf.history_[["n_few", "n_unlabeled", "n_pseudo"]].values.tolist() == [
        [140, 40, 180]
    ]


def test_unlabelled_rows_of_known_patients_stay_with_them():
    more = np.column_stack([200 + np.arange(40.0), X_TEST])
    theirs = np.where(np.arange(40) < 20, PATIENT[MANY][0], 999)
    clf, teachers, students = recorded(
        n_iter=2, fit_params={"X_unlabeled": more, "groups_unlabeled": theirs}
    )
    patient = np.append(PATIENT, theirs)
    for entry in [*teachers, *students[:-1]]:
        assert not np.isin(patient[entry["asked"]], patient[entry["rows"]]).any()
    for entry in teachers:
        assert np.isin(np.arange(220, 240), entry["asked"]).all()
    labelled = [entry for entry in students[:-1] if 239 in entry["asked"]]
    assert len(labelled) == 1  # in turn, one fold keeps them from its student
    for seen, asked in zip(clf.teacher_groups_, clf.pseudo_groups_, strict=True):
        assert not set(seen) & set(asked)


def test_unlabelled_rows_alone():
    """All of X is labelled, in any form; only X_unlabeled is relabelled."""
    for y in (SHARE, Y.argmax(axis=1), np.array(CLASSES)[Y.argmax(axis=1)]):
        log = []
        clf = PseudoLabelClassifier(Recorder(log), min_votes=None)
        clf.fit(ROWS, y, groups=PATIENT, X_unlabeled=ROWS[:7] + 200)
        np.testing.assert_array_equal(
            log[-1]["rows"], [*range(200), *range(200), *range(200, 207)]
        )
        assert clf.history_[["n_labeled", "n_few"]].values.tolist() == [[200, 0]]


def test_totals_beside_fractions_and_labels():
    expected = recorded()[2][0]["y"]
    log = []
    clf = PseudoLabelClassifier(Recorder(log), teachers=Recorder([], "teacher"))
    clf.fit(ROWS, SHARE, groups=PATIENT, total_votes=TOTAL)
    np.testing.assert_allclose(log[0]["y"], expected, rtol=1e-9)
    hard = Y.argmax(axis=1)
    clf.fit(ROWS, hard, groups=PATIENT, total_votes=TOTAL)
    np.testing.assert_allclose(log[1]["y"][:60], np.eye(6)[hard[MANY]])
    counts = clf.teachers_[0].entry_["y"]
    np.testing.assert_array_equal(counts.sum(axis=1), 14)


# Whether it helps ---------------------------------------------------------------------


def test_beats_few_good_rows_and_all_rows_as_they_are():
    """Over five draws: rows with >= 10 votes alone, all rows, pseudo-labels."""
    base = SoftLogistic(C=10.0)
    scores = []
    for seed in range(5):
        X, y, patient, X_test, truth = two_populations(seed)
        many = y.sum(axis=1) >= 10
        pseudo = PseudoLabelClassifier(base).fit(X, y, groups=patient)
        scores.append(
            [
                kl_divergence(truth, fitted.predict_proba(X_test))
                for fitted in (
                    clone(base).fit(X[many], y[many]),
                    clone(base).fit(X, y),
                    pseudo,
                )
            ]
        )
    alone, together, relabelled = np.array(scores).T
    assert (relabelled < alone).all()
    assert (relabelled < together).all()
    assert relabelled.mean() < 0.9 * alone.mean()
    assert relabelled.mean() < 0.6 * together.mean()


def test_further_rounds_help_here():
    base = SoftLogistic(C=10.0)
    scores = []
    for seed in range(4):
        X, y, patient, X_test, truth = two_populations(seed)
        scores.append(
            [
                kl_divergence(
                    truth,
                    PseudoLabelClassifier(base, n_iter=n_iter)
                    .fit(X, y, groups=patient)
                    .predict_proba(X_test),
                )
                for n_iter in (1, 2)
            ]
        )
    once, twice = np.mean(scores, axis=0)
    assert twice < once


def test_history_tells_how_good_teachers_are():
    X, y, patient, _, _ = two_populations(0)
    clf = PseudoLabelClassifier(SoftLogistic(C=10.0)).fit(X, y, groups=patient)
    row = clf.history_.loc[1]
    many = y.sum(axis=1) >= 10
    share = y / y.sum(axis=1, keepdims=True)
    proba = np.full((720, 5, 6), np.nan)
    for number, teacher in enumerate(clf.teachers_):
        unseen = ~np.isin(patient, clf.teacher_groups_[number])
        proba[unseen, number] = teacher.predict_proba(X[unseen])
    mean = np.nanmean(proba, axis=1)
    assert row["labeled_kl"] == pytest.approx(kl_divergence(share[many], mean[many]))
    assert row["teacher_kl"] == pytest.approx(kl_divergence(share[~many], mean[~many]))
    own = share[np.arange(720), mean.argmax(axis=1)]
    assert row["agreement"] == pytest.approx((own == share.max(axis=1))[~many].mean())
    new = 0.1 * share + 0.9 * mean
    apart = np.abs(new - share)[~many].sum(axis=1).mean() / 2
    assert row["shift"] == pytest.approx(apart)


# The estimator ------------------------------------------------------------------------


def test_parameters_are_reached_by_name():
    clf = PseudoLabelClassifier(
        make_pipeline(StandardScaler(), SoftLogistic()),
        teachers=[("raw", SoftLogistic()), ("mel", SoftLogistic(C=2.0))],
    )
    clf.set_params(estimator__softlogistic__C=3.0, mel__C=4.0, raw="drop")
    assert clf.get_params()["mel__C"] == 4.0
    assert clf.estimator[-1].C == 3.0
    again = clone(clf)
    assert again.teachers[1][1].C == 4.0
    fitted = again.fit(X, Y, groups=PATIENT)
    assert len(fitted.teachers_) == 5
    assert fitted.n_features_in_ == 20
    single = PseudoLabelClassifier(SoftLogistic(), teachers=SoftLogistic())
    assert single.set_params(teachers__C=5.0).teachers.C == 5.0
    for shown in (fitted, single, PseudoLabelClassifier(SoftLogistic())):
        assert "SoftLogistic" in estimator_html_repr(shown)
    assert "mel" in estimator_html_repr(fitted)


def test_result_does_not_depend_on_jobs():
    base = SoftForestlike(random_state=3)
    first, second = (
        PseudoLabelClassifier(base, n_jobs=n_jobs, n_iter=2)
        .fit(X, Y, groups=PATIENT)
        .predict_proba(X_TEST)
        for n_jobs in (None, 2)
    )
    np.testing.assert_array_equal(first, second)


def test_dump_holds_no_data(tmp_path):
    clf = PseudoLabelClassifier(SoftLogistic(), store_teachers=False)
    clf.fit(X, Y, groups=PATIENT)
    assert not hasattr(clf, "teachers_")
    assert len(clf.teacher_groups_) == 5
    joblib.dump(clf, tmp_path / "clf.joblib")
    assert (tmp_path / "clf.joblib").stat().st_size < X.nbytes / 2
    loaded = joblib.load(tmp_path / "clf.joblib")
    np.testing.assert_array_equal(
        loaded.predict_proba(X_TEST), clf.predict_proba(X_TEST)
    )
    kept = clf.set_params(store_teachers=True).fit(X, Y, groups=PATIENT)
    assert len(kept.teachers_) == 5
    kept.set_params(store_teachers=False).fit(X, Y, groups=PATIENT)
    assert not hasattr(kept, "teachers_")


def test_progress_is_told(capsys):
    PseudoLabelClassifier(SoftLogistic(), verbose=1).fit(X, Y, groups=PATIENT)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 + 2
    assert "fold 1/5" in lines[0]
    assert "140 pseudo-labels" in lines[5]


# What it refuses ----------------------------------------------------------------------


def test_nothing_to_label_is_told():
    clf = PseudoLabelClassifier(SoftLogistic())
    with pytest.warns(UserWarning, match="all 60 rows are labelled"):
        clf.fit(X[MANY], Y[MANY], groups=PATIENT[MANY])
    assert clf.n_pseudo_ == 0
    assert clf.teachers_ == []
    expected = SoftLogistic().fit(np.tile(X[MANY], (2, 1)), np.tile(Y[MANY], (2, 1)))
    np.testing.assert_allclose(
        clf.predict_proba(X_TEST), expected.predict_proba(X_TEST), rtol=1e-9
    )
    clf.set_params(filter=ClassBelow("Seizure", 0.0))
    with pytest.warns(UserWarning, match="left no pseudo-label"):
        clf.fit(X, Y, groups=PATIENT)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"min_votes": 15}, "0 of 200 rows.*the most votes are 14"),
        ({"min_votes": 0}, "min_votes"),
        ({"old_weight": -0.1}, "old_weight"),
        ({"teacher_weight": 0}, "teacher_weight"),
        ({"labeled_copies": 0}, "labeled_copies"),
        ({"pseudo_copies": 1.5}, "pseudo_copies"),
        ({"copies": "row"}, "copies.*rows"),
        ({"pseudo_weight": 0}, "pseudo_weight"),
        ({"pseudo_weight": lambda rows: -rows.total_votes}, "pseudo_weight"),
        ({"pseudo_probability": 0}, "pseudo_probability"),
        ({"pseudo_probability": 1.1}, "pseudo_probability"),
        ({"filter": "not_othr"}, "not_other"),
        ({"rejected": "keep"}, "rejected"),
        ({"n_iter": 0}, "n_iter"),
        ({"teacher_cv": "every"}, "teacher_cv"),
        ({"teacher_cv": 300}, "teacher_cv.*300 folds"),
        ({"teachers": []}, "teachers"),
        ({"teachers": [("estimator", SoftLogistic())]}, "cannot be called"),
        ({"teachers": [("copies", SoftLogistic())]}, "cannot be called"),
        ({"classes": list("abcdefg")}, "6 columns"),
    ],
)
def test_wrong_parameters(params, match):
    with pytest.raises(ValueError, match=f"PseudoLabelClassifier.*{match}"):
        PseudoLabelClassifier(SoftLogistic(), **params).fit(X, Y, groups=PATIENT)


@pytest.mark.parametrize(
    ("fit_params", "match"),
    [
        ({"y": SHARE}, "needs the number of votes.*total_votes"),
        ({"total_votes": TOTAL + 1}, "row 0.*votes in y are 14"),
        ({"total_votes": TOTAL[:-1]}, "total_votes has shape"),
        ({"y": SHARE, "total_votes": TOTAL * 0}, "above zero"),
        ({"groups": PATIENT[:-1]}, "groups"),
        ({"sample_weight": np.zeros(200)}, "zero in every row"),
        ({"X_unlabeled": X_TEST[:, :3]}, "X_unlabeled have shape"),
        ({"X_unlabeled": X_TEST[:0]}, "no rows"),
        ({"groups_unlabeled": [1]}, "without X_unlabeled"),
        ({"X_unlabeled": X_TEST, "groups_unlabeled": [1]}, "X_unlabeled.*groups"),
        (
            {"X_unlabeled": X_TEST, "groups_unlabeled": [1] * 40, "groups": None},
            "those of X are not",
        ),
        (
            {"X_unlabeled": X_TEST, "groups_unlabeled": ["1"] * 40},
            "names in one and numbers in the other",
        ),
    ],
)
def test_wrong_data(fit_params, match):
    given = {"y": Y, "groups": PATIENT, **fit_params}
    with pytest.raises(ValueError, match=f"PseudoLabelClassifier.*{match}"):
        PseudoLabelClassifier(SoftLogistic()).fit(X, **given)


def test_a_fold_without_teacher():
    cv = [(np.flatnonzero(~MANY), np.flatnonzero(MANY))]
    cv.append(cv[0][::-1])
    alone = np.arange(200)
    with pytest.raises(ValueError, match="teacher of fold 0 no row"):
        PseudoLabelClassifier(SoftLogistic(), teacher_cv=cv).fit(X, Y, groups=alone)


def test_frozen_teachers_are_refused():
    trained = FrozenEstimator(SoftLogistic().fit(X, Y))
    for teacher in (trained, make_pipeline(StandardScaler(), trained)):
        for teachers in (teacher, [("a", teacher)]):
            clf = PseudoLabelClassifier(SoftLogistic(), teachers=teachers)
            with pytest.raises(ValueError, match="frozen"):
                clf.fit(X, Y, groups=PATIENT)
    with pytest.raises(ValueError, match="frozen"):
        PseudoLabelClassifier(trained).fit(X, Y, groups=PATIENT)


def test_what_is_no_classifier():
    with pytest.raises(TypeError, match="StandardScaler has no predict_proba"):
        PseudoLabelClassifier(StandardScaler()).fit(X, Y, groups=PATIENT)
    with pytest.raises(TypeError, match=r"teachers.*no predict_proba"):
        PseudoLabelClassifier(SoftLogistic(), teachers=StandardScaler()).fit(
            X, Y, groups=PATIENT
        )
    with pytest.raises(NotFittedError):
        PseudoLabelClassifier(SoftLogistic()).predict(X)
    with pytest.raises(AttributeError, match="not fitted"):
        PseudoLabelClassifier(SoftLogistic()).n_features_in_


def test_classifiers_that_learn_from_labels():
    """Told early, by name and with the remedy, which works."""
    plain, soft = GaussianNB(), SoftLabelClassifier(GaussianNB())
    search = GridSearchCV(make_pipeline(StandardScaler(), plain), {})
    remedy = r"GaussianNB learns from one label.*SoftLabelClassifier\(GaussianNB\("
    for student in (plain, make_pipeline(StandardScaler(), plain), search):
        log = []
        clf = PseudoLabelClassifier(student, teachers=Recorder(log))
        match = f"^PseudoLabelClassifier: estimator: {remedy}"
        with pytest.raises(TypeError, match=match):
            clf.fit(X, Y, groups=PATIENT)
        assert not log
    with pytest.raises(TypeError, match=f"^PseudoLabelClassifier: bayes: {remedy}"):
        PseudoLabelClassifier(SoftLogistic(), teachers=[("bayes", plain)]).fit(
            X, Y, groups=PATIENT
        )
    for student in (soft, make_pipeline(StandardScaler(), soft)):
        clf = PseudoLabelClassifier(student).fit(X, Y, groups=PATIENT)
        assert clf.predict_proba(X).shape == (200, 6)


def test_weights_that_nobody_takes():
    class Unweighted(SoftLogistic):
        def fit(self, X, y):
            return super().fit(X, y)

    for params in ({"copies": "weights"}, {"pseudo_weight": 0.5}):
        clf = PseudoLabelClassifier(Unweighted(), **params)
        with pytest.raises(TypeError, match="takes no sample_weight"):
            clf.fit(X, Y, groups=PATIENT)
    with pytest.raises(TypeError, match="takes no sample_weight"):
        PseudoLabelClassifier(Unweighted()).fit(
            X, Y, groups=PATIENT, sample_weight=np.ones(200)
        )
    PseudoLabelClassifier(Unweighted()).fit(X, Y, groups=PATIENT)
