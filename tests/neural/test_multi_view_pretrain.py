"""MultiViewClassifier(pretrain=...): branches that fit trains alone before it joins."""

import io

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold, cross_val_score
from skorch.callbacks import Callback

from hmsklearn.augmentation import BaseAugmentation
from hmsklearn.neural import MultiViewClassifier, TimmClassifier, WaveformClassifier
from hmsklearn.preprocessing import CentreCrop, Decimator, NaNImputer
from hmsklearn.views import WindowViews
from hmsklearn.votes import VOTE_COLUMNS

pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")

SMALL_NET = {"width": 8, "kernels": (3, 9), "n_blocks": 3, "gru_hidden": 0}
ALONE = {"max_epochs": 2, "batch_size": 8, "lr": 5e-3}
# Nothing moves in the joint training.
JOINT = {
    "max_epochs": 1,
    "batch_size": 16,
    "lr": 1e-30,
    "weight_decay": 0.0,
    "device": "cpu",
    "random_state": 0,
}


def raw_branch(**params):
    settings = {**ALONE, "random_state": 3, **params}
    return WaveformClassifier(architecture_params=SMALL_NET, **settings)


def image_branch(**params):
    settings = {**ALONE, "random_state": 4, **params}
    return TimmClassifier("test_efficientnet", **settings)


def joined(branches=None, **params):
    branches = branches or [("raw", raw_branch()), ("image", image_branch())]
    return MultiViewClassifier(branches, **{**JOINT, "pretrain": True, **params})


def assert_starts_from(clf, name, alone, x):
    """What the joined net takes from a branch is what that gives alone."""
    alone, module = alone.net_.module_.eval(), clf.net_.module_.eval()
    norm = module.norm[name]
    with torch.no_grad():
        x = torch.from_numpy(np.asarray(x, dtype=np.float32))
        expected = alone.body.forward_features(alone.norm(x))
        actual = module.body.branches[name](norm(x))
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


@pytest.fixture(scope="module")
def data(data):
    return type(data)(n=48)


@pytest.fixture(scope="module")
def views(data):
    return WindowViews(raw=data.X, image=data.images)


@pytest.fixture(scope="module")
def alone(data):
    """The same branches, trained by hand."""
    return {
        "raw": raw_branch(device="cpu").fit(data.X, data.votes),
        "image": image_branch(device="cpu").fit(data.images, data.votes),
    }


@pytest.fixture(scope="module")
def fitted(views, data):
    """Do not fit it again."""
    return joined(frozen=["raw", "image"]).fit(views, data.votes)


class TestStart:
    def test_weights_and_statistics(self, fitted, alone, data):
        assert_starts_from(fitted, "raw", alone["raw"], data.X)
        assert_starts_from(fitted, "image", alone["image"], data.images)
        for name, single in alone.items():
            actual = fitted.pretrained_[name].drop(columns="duration")
            expected = single.history_.drop(columns="duration")
            pd.testing.assert_frame_equal(actual, expected)

    def test_the_same_as_fitted_branches(self, fitted, alone, views, data):
        branches = [(name, FrozenEstimator(clf)) for name, clf in alone.items()]
        by_hand = MultiViewClassifier(branches, frozen=["raw", "image"], **JOINT)
        by_hand.fit(views, data.votes)
        assert np.array_equal(by_hand.predict_proba(views), fitted.predict_proba(views))

    def test_named(self, alone, views, data):
        clf = joined(pretrain=["image"], frozen=["image"]).fit(views, data.votes)
        assert list(clf.pretrained_) == ["image"]
        assert_starts_from(clf, "image", alone["image"], data.images)
        with pytest.raises(AssertionError):
            assert_starts_from(clf, "raw", alone["raw"], data.X)
