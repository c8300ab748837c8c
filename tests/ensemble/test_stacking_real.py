"""Stacks on the real out-of-fold predictions of a top-10 team, by patient."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hmsklearn.ensemble import SoftLabelClassifier, StackingKLClassifier
from hmsklearn.metrics import kl_divergence
from hmsklearn.votes import CLASSES, VOTE_COLUMNS

GUIDE = Path(__file__).parents[2] / "docs" / "user_guide" / "stacking.rst"


@pytest.fixture(scope="module")
def real(hms_data):
    targets = pd.read_parquet(hms_data / "oof" / "targets.parquet")
    predictions = pd.read_parquet(hms_data / "oof" / "predictions.parquet")
    rows = (targets["total_votes"] >= 10).to_numpy()
    chosen = [column for column in predictions.columns if "quality_2" in column]
    oof = predictions.loc[rows, chosen]
    return targets[rows].reset_index(drop=True), oof.reset_index(drop=True)


def stack_of(oof, **kwargs):
    """Members that stand for the models, whose predictions are all that is known."""
    member = DummyClassifier(strategy="prior").fit(np.zeros((6, 1)), CLASSES)
    names = list(dict.fromkeys(column.rpartition("/")[0] for column in oof.columns))
    members = [(name.replace("__", "-"), member) for name in names]
    return StackingKLClassifier(members, cv="prefit", random_state=0, **kwargs)


def fit(stack, targets, oof):
    y = targets[list(VOTE_COLUMNS)].to_numpy()
    oof = oof.rename(columns=lambda name: name.replace("__", "-"))
    return stack.fit(np.zeros((len(y), 1)), y, oof=oof, folds=targets["fold"])


def test_reference_figures(real):
    targets, oof = real
    stack = fit(stack_of(oof), targets, oof)
    assert round(stack.kl_, 4) == 0.2132
    assert round(stack.gain_.kl_mean, 4) == 0.2138
    # The blend beats every single model by far, and the plain mean by little: the
    # interval over rows holds zero.
    assert stack.gain_.over_best_member_interval[0] > 0.01
    low, high = stack.gain_.over_mean_interval
    assert low < stack.gain_.over_mean < high
    assert 0 < stack.gain_.over_mean < 0.001


def test_a_linear_layer_by_soft_labels(real):
    """Rounds of 4th place: a layer on all outputs, taught by votes."""
    targets, oof = real
    layer = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=500))
    final = SoftLabelClassifier(layer)
    stack = fit(stack_of(oof, final_estimator=final), targets, oof)
    y = targets[list(VOTE_COLUMNS)].to_numpy()
    constant = np.tile(y.mean(axis=0), (len(y), 1))
    assert stack.kl_ < 0.25 < kl_divergence(y, constant)
    assert stack.kl_in_sample_ < stack.kl_


def boosted(targets, oof):
    """SETI's stacker: gradient boosting, here on the mean of the members."""
    boosting = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=8, early_stopping=False, random_state=0
    )
    stack = stack_of(
        oof,
        final_estimator=SoftLabelClassifier(boosting, probabilities="drop"),
        prediction_features=["mean"],
        n_bootstrap=0,
    )
    return fit(stack, targets, oof)


def test_gradient_boosting_blends(real):
    targets, oof = (part.iloc[::3].reset_index(drop=True) for part in real)
    stack = boosted(targets, oof)
    final = stack.final_estimator_.estimator_
    assert isinstance(final, HistGradientBoostingClassifier)
    assert final.n_iter_ == 40
    # Better than the best single model, and trees still do not reach a few weights.
    assert stack.kl_in_sample_ < stack.kl_ < stack.gain_.kl_best_member
    assert stack.kl_ > fit(stack_of(oof, n_bootstrap=0), targets, oof).kl_
    proba = stack.predict_proba(np.zeros((3, 1)))
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)


@pytest.mark.slow
def test_the_guide_tells_what_boosting_gives(real):
    targets, oof = real
    kl = [fit(stack_of(oof, n_bootstrap=0), targets, oof).kl_, boosted(*real).kl_]
    text = " ".join(GUIDE.read_text(encoding="utf-8").split())
    pool, boosting = (f"{value:.4f}" for value in kl)
    assert f"(40 rounds of 8 leaves) has a KL of {boosting}, cross-fitted" in text
    assert f"and ``KLBlender`` {pool}." in text
