"""Recipes on real recordings, from train.csv to a submission."""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from hmsklearn.datasets import load_hms, write_submission
from hmsklearn.recipes import make_recipe

# Three patients with one EEG each, two of them with ten votes and more. One window of
# each EEG is no batch, so that all windows are taken, and no patient is spared to find
# the best epoch on. 24 patients are enough for what the recipes say, in batches that
# half of those with ten votes still fill.
FEW = {"sampling": None, "batch_size": 2}
OVERRIDES = {
    # Five folds of patients to find how much the blend is shrunk are not there either.
    ("consensus", "hms"): {**FEW, "final_estimator__alpha": 0.0},
    ("mkanna", "hms"): FEW,
    ("hms_7th", "hms"): {**FEW, "early_stopping": False},
    ("consensus", "iiic24"): {"batch_size": 4},
    ("mkanna", "iiic24"): {},
    ("hms_7th", "iiic24"): {"batch_size": 4},
}

# What half of three patients cannot teach, and says so.
WARNINGS = {("consensus", "hms"): "no window to train on has a vote for"}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("folder", ["hms", "iiic24"])
@pytest.mark.parametrize("name", ["consensus", "mkanna", "hms_7th"])
def test_from_real_recordings_to_a_submission(name, folder, hms_data, tmp_path):
    train, test = load_hms(hms_data / folder), load_hms(hms_data / "hms", "test")
    recipe = make_recipe(name, "small", device="cpu", **OVERRIDES[name, folder])
    message = WARNINGS.get((name, folder))
    with pytest.warns(UserWarning, match=message) if message else nullcontext():
        recipe.fit(train.data, train.target)
    proba = recipe.predict_proba(test.data)

    sample = hms_data / "hms" / "sample_submission.csv"
    write_submission(tmp_path / "submission.csv", test.data, proba, sample=sample)
    written = pd.read_csv(tmp_path / "submission.csv")
    expected = pd.read_csv(sample)
    assert list(written) == list(expected)
    assert written["eeg_id"].tolist() == expected["eeg_id"].tolist() == [3911565283]
    numbers = written.iloc[:, 1:].to_numpy()
    np.testing.assert_allclose(numbers.sum(axis=1), 1, atol=1e-6)
    assert (numbers >= 0).all()
    np.testing.assert_allclose(numbers, proba, atol=1e-6)
    # Not a constant: the windows that it has seen are told apart.
    seen = recipe.predict_proba(train.data.iloc[[0, -1]])
    assert abs(seen[0] - seen[1]).max() > 1e-4
