"""Branches whose frontends work on what readers give: EEG and host's spectrogram."""

import io

import joblib
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from hmsklearn.datasets import HMSReader, load_hms
from hmsklearn.imaging import (
    ImageResizer,
    KaggleSpectrogramImager,
    ViewUnion,
    WaveformImager,
)
from hmsklearn.neural import MultiViewClassifier, TimmClassifier
from hmsklearn.preprocessing import MontageTransformer, NaNImputer
from hmsklearn.views import WindowViews

pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")

TRAINING = {"max_epochs": 1, "batch_size": 4, "device": "cpu", "random_state": 0}


def both_branches(**params):
    waves = make_pipeline(
        NaNImputer(),
        MontageTransformer("double_banana_16"),
        WaveformImager(rows=20),
        ImageResizer((32, 64)),
    )
    panels = make_pipeline(KaggleSpectrogramImager(), ImageResizer((32, 64)))
    branches = [
        ("spec", TimmClassifier("test_efficientnet", frontend=panels, **TRAINING)),
        ("raw", TimmClassifier("test_efficientnet", frontend=waves, **TRAINING)),
    ]
    return MultiViewClassifier(branches, **{**TRAINING, **params})


@pytest.fixture(scope="module")
def hms(hms_root):
    return load_hms(hms_root, "train")


@pytest.fixture(scope="module")
def union():
    return ViewUnion([("raw", HMSReader()), ("spec", HMSReader(view="spectrogram"))])


@pytest.fixture(scope="module")
def gappy(union, hms):
    """What the readers give, with gaps of every kind."""
    views = union.fit_transform(hms.data[:12])
    raw, spec = (np.array(views[name]) for name in ("raw", "spec"))
    assert raw.shape == (12, 20, 10_000)
    assert spec.shape == (12, 4, 100, 300)
    raw[0, 3, 100:900] = np.nan
    raw[1, 5] = np.nan
    raw[2] = np.nan
    spec[0, 1, :, 40:60] = np.nan
    spec[1, 2] = np.nan
    spec[2] = np.nan
    spec[3, :, 7] = np.nan
    return WindowViews(raw=raw, spec=spec)


@pytest.mark.parametrize("pretrain", [False, True])
def test_from_rows_of_the_table(pretrain, union, hms):
    pipe = make_pipeline(union, both_branches(pretrain=pretrain))
    pipe.fit(hms.data[:12], hms.target[:12])
    shapes = {"spec": (4, 100, 300), "raw": (20, 10_000)}
    assert pipe[-1].input_shape_ == shapes
    prob = pipe.predict_proba(hms.data[:12])
    np.testing.assert_allclose(prob.sum(axis=1), 1)
    file = io.BytesIO()
    joblib.dump(pipe, file)
    file.seek(0)
    again = joblib.load(file).predict_proba(hms.data[:12])
    np.testing.assert_allclose(again, prob, atol=1e-6)


@pytest.mark.parametrize("pretrain", [False, True])
def test_gaps_in_both_views(pretrain, gappy, hms):
    clf = both_branches(pretrain=pretrain).fit(gappy, hms.target[:12])
    assert np.isfinite(clf.history_["train_loss"]).all()
    assert np.isfinite(clf.predict_proba(gappy)).all()
    # Images of the same windows that are made before.
    images = WindowViews(
        {
            name: branch.frontend.fit_transform(gappy[name])
            for name, branch in clf.branches
        }
    )
    assert not any(np.isnan(image).any() for image in images.values())
    plain = both_branches(pretrain=pretrain)
    plain.set_params(raw__frontend=None, spec__frontend=None)
    plain.fit(images, hms.target[:12])
    np.testing.assert_allclose(
        plain.predict_proba(images), clf.predict_proba(gappy), atol=1e-3
    )
