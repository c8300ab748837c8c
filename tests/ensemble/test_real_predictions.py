"""Blending the real out-of-fold predictions of a top-10 team, by patient."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from hmsklearn.ensemble import GroupContextBlender, KLBlender, StackingKLClassifier
from hmsklearn.metrics import kl_divergence
from hmsklearn.votes import VOTE_COLUMNS


@pytest.fixture(scope="module")
def real(hms_data):
    targets = pd.read_parquet(hms_data / "oof" / "targets.parquet")
    predictions = pd.read_parquet(hms_data / "oof" / "predictions.parquet")
    rows = (targets["total_votes"] >= 10).to_numpy()
    names = [column.rpartition("/")[0] for column in predictions.columns[::6]]
    X = predictions.to_numpy(np.float64).reshape(len(predictions), len(names), 6)
    targets = targets[rows].reset_index(drop=True)
    return X[rows], targets, np.array(names)


def cross_fitted(X, y, folds):
    proba, blenders = np.empty_like(y), []
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        blender = KLBlender().fit(X[train], y[train])
        proba[test] = blender.predict_proba(X[test])
        blenders.append(blender)
    return proba, blenders


def test_the_rows(real):
    X, targets, names = real
    assert X.shape == (6328, 20, 6)
    by_patient = targets.dropna(subset="patient_id").groupby("patient_id")["fold"]
    assert (by_patient.nunique() == 1).all()
    assert sum("quality_2" in name for name in names) == 9


def test_reference_figures(real):
    X, targets, names = real
    y = targets[list(VOTE_COLUMNS)].to_numpy()
    chosen = ["quality_2" in name for name in names]
    X = X[:, chosen]
    assert round(kl_divergence(y, X.mean(axis=1)), 4) == 0.2138
    proba, blenders = cross_fitted(X, y, targets["fold"].to_numpy())
    assert round(kl_divergence(y, proba), 4) == 0.2132
    for blender in blenders:
        assert blender.gap_ <= 1e-8 * blender.kl_
        assert blender.kkt_residual_ <= 1e-8


def test_all_twenty_models(real):
    X, targets, _ = real
    y = targets[list(VOTE_COLUMNS)].to_numpy()
    single = [kl_divergence(y, X[:, model]) for model in range(20)]
    assert round(min(single), 4) == 0.2354
    assert round(kl_divergence(y, X.mean(axis=1)), 4) == 0.2449
    proba, blenders = cross_fitted(X, y, targets["fold"].to_numpy())
    assert kl_divergence(y, proba) == pytest.approx(0.21355, abs=5e-6)
    blender = KLBlender().fit(X, y)
    assert blender.kl_ < kl_divergence(y, proba)
    assert (blender.weights_ == 0).sum() >= 5
    for each in (blender, *blenders):
        assert each.gap_ <= 1e-8 * each.kl_


class _Lookup:
    """Member of a stack that predicts what a team predicted for its row."""

    def __init__(self, table=None):
        self.table = table

    def get_params(self, deep=True):
        return {"table": self.table}

    def fit(self, X, y):
        self.classes_ = np.array(["Seizure", "LPD", "GPD", "LRDA", "GRDA", "Other"])
        return self

    def predict_proba(self, X):
        return self.table[X[:, 0]]


def test_a_stack_of_them_gives_the_same_figure(real):
    X, targets, names = real
    y = targets[list(VOTE_COLUMNS)]
    chosen = np.flatnonzero(["quality_2" in name for name in names])
    folds = targets["fold"].to_numpy()
    splits = [
        (np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(5)
    ]
    stack = StackingKLClassifier(
        [(f"m{number}", _Lookup(X[:, number])) for number in chosen], cv=splits
    )
    ids = np.arange(len(y))[:, None]
    patients = targets["patient_id"].astype("string").fillna("unknown ")
    # Rows of unknown patients count as a patient each.
    patients = patients.where(
        patients != "unknown ", patients + targets.index.astype(str)
    )
    stack.fit(ids, y.iloc[:, ::-1], groups=patients)
    assert round(stack.kl_, 4) == 0.2132
    assert round(min(stack.member_kl_.values()), 4) == 0.2354
    assert stack.kl_in_sample_ < stack.kl_


def blended(X, y, targets, blender, **predict_params):
    """Every fold of patients by a blender that was fitted on the other four."""
    folds = targets["fold"].to_numpy()
    patients = targets["patient_id"].astype(str).to_numpy()
    proba = np.empty_like(y)
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        fitted = clone(blender).fit(X[train], y[train], groups=patients[train])
        groups = {"groups": patients[test]} if predict_params else {}
        proba[test] = fitted.predict_proba(X[test], **groups)
        assert fitted.gap_ <= 2e-8 * kl_divergence(y[train], X[train].mean(axis=1))
    return kl_divergence(y, proba)


def test_calibrated_blends_reach_the_references(real):
    """Simplex weights, then one temperature and six biases: 0.2128 or less."""
    X, targets, _ = real
    y = targets[list(VOTE_COLUMNS)].to_numpy()
    form = {"bias": True, "temperature": True}
    assert blended(X, y, targets, KLBlender(**form, alpha=0.1)) < 0.2126
    balanced = KLBlender(**form, alpha="cv", alphas=[0.03, 0.1], group_balance=0.5)
    assert blended(X, y, targets, balanced) < 0.2126
    log = KLBlender("log", bias=True, alpha=0.1)
    assert blended(X, y, targets, log) < 0.2139


def test_the_rest_of_a_patient_is_worth_more_than_all_weights(real):
    X, targets, _ = real
    y = targets[list(VOTE_COLUMNS)].to_numpy()
    blender = GroupContextBlender(KLBlender(alpha=0.05, group_balance=0.5))
    assert blended(X, y, targets, blender, with_groups=True) < 0.2115
