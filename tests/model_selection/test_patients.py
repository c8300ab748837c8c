"""Rows that tell their patient are never divided, also where groups do not arrive."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score

from hmsklearn.ensemble import StackingKLClassifier
from hmsklearn.metrics import kl_scorer
from hmsklearn.model_selection import oof_predict_proba
from hmsklearn.votes import CLASSES

PATIENT = np.tile(np.arange(6), 8)
VOTES = np.random.default_rng(0).multinomial(5, np.full(6, 1 / 6), 48)
ROWS = pd.DataFrame({"patient_id": PATIENT, "eeg_id": np.arange(48)})


class Spy(ClassifierMixin, BaseEstimator):
    """Predicts the class mean; notes when it knows a patient from fit."""

    leaks: list = []

    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, X, y):
        self.patients_ = set(X["patient_id"])
        self.mean_ = y.sum(axis=0) / y.sum() + self.shift
        self.classes_ = np.asarray(CLASSES)
        return self

    def predict_proba(self, X):
        Spy.leaks.append(bool(self.patients_ & set(X["patient_id"])))
        return np.tile(self.mean_ / self.mean_.sum(), (len(X), 1))


@pytest.fixture(autouse=True)
def forget():
    Spy.leaks = []


def test_oof_takes_the_patients_of_the_rows():
    oof_predict_proba(Spy(), ROWS, VOTES, cv=3)
    assert Spy.leaks == [False] * 3


def test_stack_inside_a_grid_search_that_keeps_groups_to_itself():
    stack = StackingKLClassifier([("spy", Spy())], cv=2, refit=False)
    search = GridSearchCV(
        stack,
        {"spy__shift": [0.0, 1.0]},
        cv=GroupKFold(2),
        scoring=kl_scorer,
        refit=False,
        error_score="raise",
    )
    search.fit(ROWS, VOTES, groups=PATIENT)
    assert Spy.leaks
    assert not any(Spy.leaks)


def test_stack_inside_cross_val_score_without_params():
    stack = StackingKLClassifier([("spy", Spy())], cv=2, refit=False)
    scores = cross_val_score(
        stack, ROWS, VOTES, groups=PATIENT, cv=GroupKFold(3), scoring=kl_scorer
    )
    assert np.isfinite(scores).all()
    assert not any(Spy.leaks)


def test_a_splitter_that_divides_patients_is_refused():
    with pytest.raises(ValueError, match="both sides"):
        oof_predict_proba(Spy(), ROWS, VOTES, cv=KFold(3))


def test_given_groups_take_precedence():
    row = np.arange(48)
    oof_predict_proba(Spy(), ROWS, VOTES, groups=row, cv=KFold(3))
    assert any(Spy.leaks)


def test_rows_of_unknown_patients_are_refused():
    rows = ROWS.assign(patient_id=ROWS["patient_id"].astype(float))
    rows.loc[4, "patient_id"] = np.nan
    with pytest.raises(ValueError, match="row 4"):
        oof_predict_proba(Spy(), rows, VOTES, cv=3)
