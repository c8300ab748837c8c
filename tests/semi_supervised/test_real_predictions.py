"""Pseudo-labels of real windows: a model's real predictions as features, real votes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from soft_labels import SoftLogistic

from hmsklearn.metrics import kl_divergence
from hmsklearn.semi_supervised import PseudoLabelClassifier
from hmsklearn.votes import VOTE_COLUMNS

MODEL = "spectrogram_50_maxvittiny_512x512_quality_012_pretraining"


@pytest.fixture(scope="module")
def real(hms_data):
    """Log probabilities, counts, patients, and the team's folds."""
    targets = pd.read_parquet(hms_data / "oof" / "targets.parquet")
    predictions = pd.read_parquet(hms_data / "oof" / "predictions.parquet")
    rows = (targets["total_votes"] > 0) & targets["patient_id"].notna()
    targets = targets[rows].reset_index(drop=True)
    columns = [name for name in predictions if name.startswith(f"{MODEL}/")]
    assert len(columns) == 6
    proba = predictions.loc[rows, columns].to_numpy(np.float64)
    total = targets["total_votes"].to_numpy()
    y = np.rint(targets[list(VOTE_COLUMNS)].to_numpy() * total[:, None]).astype(int)
    patient = targets["patient_id"].to_numpy()
    return np.log(np.clip(proba, 1e-4, 1)), y, patient, targets["fold"].to_numpy()


def test_where_few_patients_are_well_rated(real):
    """The well rated rows of 3 % of the patients, and all rows with few votes."""
    X, y, patient, fold = real
    many = y.sum(axis=1) >= 10
    known = np.unique(patient[many])
    rng = np.random.default_rng(0)
    chosen = rng.choice(known, int(0.03 * known.size), replace=False)
    train = (fold != 0) & (~many | np.isin(patient, chosen))
    test = (fold == 0) & many
    base = SoftLogistic()
    alone = clone(base).fit(X[train & many], y[train & many])
    together = clone(base).fit(X[train], y[train])
    clf = PseudoLabelClassifier(base).fit(X[train], y[train], groups=patient[train])
    share = y / y.sum(axis=1, keepdims=True)
    kl = {
        name: kl_divergence(share[test], fitted.predict_proba(X[test]))
        for name, fitted in (("alone", alone), ("all", together), ("pseudo", clf))
    }
    assert kl["pseudo"] < kl["alone"] - 0.01
    assert kl["pseudo"] < kl["all"] - 0.1
    assert clf.n_labeled_ == (train & many).sum()
    assert clf.n_pseudo_ == (train & ~many).sum()
    seen = set().union(*clf.teacher_groups_)
    assert len(seen & set(patient[train & ~many])) > 5  # patients of both kinds
    for trained, labelled in zip(clf.teacher_groups_, clf.pseudo_groups_, strict=True):
        assert not set(trained) & set(labelled)
