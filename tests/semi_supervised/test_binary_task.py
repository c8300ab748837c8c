"""Two classes given as 0 and 1, scored by the area under the ROC curve.

The task of the SETI competition: every trick that HMS took over from it works on it,
and unlabelled windows can be found by the estimators themselves.
"""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score

from hmsklearn.ensemble import SoftLabelClassifier, StackingKLClassifier
from hmsklearn.neural import TimmClassifier
from hmsklearn.semi_supervised import PseudoLabelClassifier, SHOTClassifier

FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def task():
    """Images with a bright band, or none."""
    rng = np.random.default_rng(5)
    y = np.arange(48) % 2
    X = rng.normal(size=(48, 1, 32, 32)).astype(np.float32)
    X[y == 1, :, 8:24] += 1.5
    return X, y


def net(backbone="test_efficientnet", **params):
    common = {"classes": [0, 1], "max_epochs": 4, "batch_size": 8, "lr": 5e-3}
    return TimmClassifier(
        backbone, **{**common, "device": "cpu", "random_state": 0, **params}
    )


TRICKS = {
    "mixup, alpha 1.5": {"augment": [("mixup", {"alpha": 1.5})]},
    "OR-mixup": {"augment": [("mixup", {"mode": "or"})], "loss": "bce"},
    "GeM, p = 4": {"pool": "gem", "pool_params": {"p": 4.0}},
    "triplet attention": {"attention": "triplet"},
    "focal, gamma .5": {"loss": "focal", "loss_params": {"gamma": 0.5}},
    "focal, gamma 2, alpha .7": {
        "loss": "focal",
        "loss_params": {"gamma": 2.0, "alpha": 0.7},
    },
    "MADGRAD, linear warm-up of 5 epochs, cosine": {
        "optimizer": "madgrad",
        "weight_decay": 0.0,
        "warmup": 5,
        "max_epochs": 8,
        "schedule": "cosine",
    },
    "stride (1, 2)": {"stem_stride": (1, 2)},
}


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("form", ["labels", "fractions"])
def test_trick(task, trick, form):
    X, y = task
    target = y if form == "labels" else np.eye(2)[y]
    clf = net(**TRICKS[trick]).fit(X[:32], target[:32])
    assert clf.classes_.tolist() == [0, 1]
    proba = clf.predict_proba(X[32:])
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert roc_auc_score(y[32:], proba[:, 1]) > 0.8


def test_scored_by_the_area_under_the_roc_curve(task):
    X, y = task
    scores = cross_val_score(
        net(), X, y, cv=FOLDS, scoring="roc_auc", error_score="raise"
    )
    assert (scores > 0.8).all()


def test_stack_with_gradient_boosting(task):
    X, y = task
    boosting = HistGradientBoostingClassifier(
        max_iter=20, min_samples_leaf=4, early_stopping=False, random_state=0
    )
    for final in (boosting, SoftLabelClassifier(boosting, classes=[0, 1])):
        stack = StackingKLClassifier(
            [("a", net()), ("b", net("test_resnet"))],
            final_estimator=final,
            cv=FOLDS,
            classes=[0, 1],
        )
        stack.fit(X[:32], y[:32])
        assert roc_auc_score(y[32:], stack.predict_proba(X[32:])[:, 1]) > 0.8


def test_shot_finds_its_target(task):
    X, y = task
    asked = []

    def others(known):
        asked.append(len(known))
        return X[32:] + 0.5

    clf = SHOTClassifier(net(), max_epochs=2, batch_size=8, random_state=0)
    given = clone(clf).fit(X[:32], y[:32], X_target=X[32:] + 0.5)
    found = clone(clf).set_params(find_target=others).fit(X[:32], y[:32])
    assert asked == [32]
    assert len(found.history_) == 2
    np.testing.assert_array_equal(given.predict_proba(X), found.predict_proba(X))
    # Windows that are given count.
    clone(found).fit(X[:32], y[:32], X_target=X[32:] + 0.5)
    assert asked == [32]


def test_pseudo_labels_of_rows_that_are_found(task):
    X, y = task
    asked = []

    def others(known):
        asked.append(len(known))
        return X[32:]

    clf = PseudoLabelClassifier(
        net(), min_votes=None, teacher_cv="all", classes=[0, 1], random_state=0
    )
    given = clone(clf).fit(X[:32], y[:32], X_unlabeled=X[32:])
    found = clone(clf).set_params(find_unlabeled=others).fit(X[:32], y[:32])
    assert asked == [32]
    assert found.n_pseudo_ == given.n_pseudo_ == 16
    np.testing.assert_array_equal(given.predict_proba(X), found.predict_proba(X))
    assert roc_auc_score(y[32:], found.predict_proba(X[32:])[:, 1]) > 0.8
    # Rows that are given count.
    again = clone(found).fit(X[:32], y[:32], X_unlabeled=X[32:40])
    assert again.n_pseudo_ == 8
    assert asked == [32]


def test_shot_as_the_teacher_of_pseudo_labels(task):
    """Both find the same rows: the 5th place of SETI in one fit of rows and labels."""
    X, y = task

    def others(known):
        return X[32:]

    teacher = SHOTClassifier(
        net(), max_epochs=1, batch_size=8, find_target=others, random_state=0
    )
    clf = PseudoLabelClassifier(
        net("test_resnet"),
        teachers=[("shot", teacher)],
        min_votes=None,
        teacher_cv="all",
        find_unlabeled=others,
        classes=[0, 1],
    ).fit(X[:32], y[:32])
    [fitted] = clf.teachers_
    assert len(fitted.history_) == 1
    assert clf.n_pseudo_ == 16
    assert roc_auc_score(y[32:], clf.predict_proba(X[32:])[:, 1]) > 0.8
