"""The main job on real and on simulated files, as a user runs it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from hmsklearn.augmentation import TimeReverse, WindowJitter
from hmsklearn.datasets import HMSReader, load_hms
from hmsklearn.metrics import kl_scorer
from hmsklearn.neural import WaveformClassifier
from hmsklearn.preprocessing import (
    ButterworthFilter,
    Decimator,
    MontageTransformer,
    NaNImputer,
)
from hmsklearn.votes import VOTE_COLUMNS

EXAMPLES = Path(__file__).parents[1] / "examples"

# The real files have no votes for some patterns, and few windows.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
]


@pytest.fixture(scope="module")
def quickstart():
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location(
        "quickstart", EXAMPLES / "quickstart.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_submission(out, sample):
    submission = pd.read_csv(out / "submission.csv")
    sample = pd.read_csv(sample)
    assert submission.columns.tolist() == sample.columns.tolist()
    assert submission["eeg_id"].tolist() == sample["eeg_id"].tolist()
    np.testing.assert_allclose(submission[list(VOTE_COLUMNS)].sum(axis=1), 1)
    assert (submission[list(VOTE_COLUMNS)] > 0).all(axis=None)


def check_pictures(out):
    import matplotlib.image

    for name in ("kl_by_model.png", "window.png"):
        picture = matplotlib.image.imread(out / name)
        assert min(picture.shape[:2]) > 100
        assert picture[..., :3].std() > 0.05  # not an empty sheet


@pytest.mark.slow(seconds=180)
def test_quickstart_on_simulated_files(quickstart, tmp_path, capsys):
    scores = quickstart.main(["--out", str(tmp_path), "--patients", "24"])
    assert set(scores) == {"uniform", "class mean", "mel", "raw", "stack"}
    # A wide margin over the class mean, by patient-grouped cross-validation.
    for name in ("mel", "raw", "stack"):
        assert scores[name] < 0.75 * scores["class mean"], scores
    root = tmp_path / "simulated_hms"
    check_submission(tmp_path, root / "sample_submission.csv")
    check_pictures(tmp_path)
    printed = capsys.readouterr().out
    for word in (*scores, "submission.csv", "stack.joblib"):
        assert word in printed

    # The folder may move: the rows bring it along.
    moved = tmp_path / "elsewhere"
    root.rename(moved)
    stack = joblib.load(tmp_path / "stack.joblib")
    proba = stack.predict_proba(load_hms(moved, "test").data)
    written = pd.read_csv(tmp_path / "submission.csv")[list(VOTE_COLUMNS)]
    np.testing.assert_allclose(proba, written, atol=1e-6)


@pytest.mark.slow
def test_quickstart_on_real_files(quickstart, hms_data, tmp_path):
    """22 rows of 3 patients, and the competition's public test pair."""
    root = hms_data / "hms"
    scores = quickstart.main(["--root", str(root), "--out", str(tmp_path)])
    assert np.isfinite(list(scores.values())).all()
    check_submission(tmp_path, root / "sample_submission.csv")
    check_pictures(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("member", [0, 1], ids=["mel", "raw"])
def test_cross_val_score_on_real_files(quickstart, hms_data, member):
    data = load_hms(hms_data / "iiic24", "train")
    _, pipe = quickstart.make_pipelines()[member]
    pipe.set_params(net__max_epochs=2)
    scores = cross_val_score(
        pipe,
        data.data,
        data.target,
        groups=data.groups,
        cv=GroupKFold(4),
        scoring=kl_scorer,
        error_score="raise",
    )
    assert scores.shape == (4,)
    assert (scores < 0).all()
    assert np.isfinite(scores).all()


@pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")
def test_windows_that_move_within_their_records(hms_root, monkeypatch):
    """70 s are read, 50 s trained on wherever they fit, the labelled 50 s predicted."""
    cuts = []
    cut = WindowJitter.transform

    def recording(self, x, params, view=None):
        out = cut(self, x, params, view)
        cuts.extend(zip(x.clone(), out.clone(), strict=True))
        return out

    monkeypatch.setattr(WindowJitter, "transform", recording)
    classifier = WaveformClassifier(
        architecture_params={"width": 8, "kernels": (3, 9), "n_blocks": 2},
        frontend=make_pipeline(
            NaNImputer(),
            MontageTransformer("double_banana_16"),
            ButterworthFilter(0.5, 20.0),
            Decimator(5),
        ),
        augment=[WindowJitter(10_000), TimeReverse()],
        max_epochs=2,
        batch_size=8,
        device="cpu",
        random_state=0,
    )
    pipe = make_pipeline(HMSReader(window_seconds=70), classifier)
    train = load_hms(hms_root)
    pipe.fit(train.data, train.target)

    assert len(cuts) == 2 * len(train.data)
    moved = 0
    for x, out in cuts:
        # No sample is missing in these records: NaN can only be outside of them.
        assert out.shape == (20, 10_000)
        assert not out.isnan().any()
        middle = x[:, 2000:12_000]
        moved += not out.equal(middle)
        if x[0, 1999].isnan() and x[0, 12_000].isnan():  # a file of 50 s
            assert out.equal(middle)
    assert len(cuts) / 2 < moved < len(cuts)

    # The labelled window alone decides, read with what is around it or without.
    test = load_hms(hms_root, "test")
    for rows in (train.data[:8], test.data):
        predicted = pipe.predict_proba(rows)
        labelled = HMSReader().fit_transform(rows)
        alone = classifier.net_.predict_logits(labelled, 8)
        long = HMSReader(window_seconds=70).fit_transform(rows)
        np.testing.assert_array_equal(classifier.predict_logits(long), alone)
        margin = np.full((*labelled.shape[:2], 2000), np.nan, labelled.dtype)
        padded = np.concatenate([margin, labelled, margin], axis=2)
        np.testing.assert_array_equal(classifier.predict_proba(padded), predicted)
    # Recordings of the test set are 50 s long: there is nothing else to read.
    np.testing.assert_array_equal(long, padded)
    with pytest.raises(ValueError, match=r"fitted on windows of shape \(20, 14000\)"):
        classifier.predict(labelled)


def test_predict_offline_says_what_is_missing(tmp_path):
    run = subprocess.run(
        [
            sys.executable,
            str(EXAMPLES / "predict_offline.py"),
            *(str(tmp_path / "none.joblib"), str(tmp_path), str(tmp_path / "s.csv")),
        ],
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0
    assert "none.joblib" in run.stderr
