"""A dumped stack is small, and predicts where there is no network and no GPU."""

import os
import shutil
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline

from hmsklearn.datasets import HMSReader, load_hms
from hmsklearn.ensemble import StackingKLClassifier
from hmsklearn.imaging import ChainMean
from hmsklearn.neural import TimmClassifier, WaveformClassifier
from hmsklearn.preprocessing import (
    AmplitudeScaler,
    Decimator,
    MontageTransformer,
    NaNImputer,
)
from hmsklearn.spectrogram import MelSpectrogramizer

PREDICT = """
import sys, socket
{block}
import joblib, numpy as np
from hmsklearn.datasets import load_hms
stack = joblib.load(sys.argv[1])
rows = load_hms(sys.argv[2], "train").data
np.save(sys.argv[3], stack.predict_proba(rows))
import torch
assert not torch.cuda.is_available()
"""
BLOCK = """
def refuse(*args, **kwargs):
    raise OSError("no network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""

# Few windows have no votes for some patterns, and are less than a batch.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
]


@pytest.fixture(scope="module")
def fitted(hms_root):
    data = load_hms(hms_root, "train")
    clean = [
        ("read", HMSReader(window_seconds=10)),
        ("impute", NaNImputer()),
        ("montage", MontageTransformer()),
    ]
    mel = Pipeline(
        [
            *clean,
            ("mel", MelSpectrogramizer(n_mels=32)),
            ("chains", ChainMean()),
            ("net", TimmClassifier("test_resnet", max_epochs=1, random_state=0)),
        ]
    )
    raw = Pipeline(
        [
            *clean,
            ("decimate", Decimator(10)),
            ("scale", AmplitudeScaler()),
            ("net", WaveformClassifier(max_epochs=1, random_state=0)),
        ]
    )
    stack = StackingKLClassifier([("mel", mel), ("raw", raw)], cv=GroupKFold(2))
    stack.fit(data.data, data.target, groups=data.groups)
    return stack, data


def isolated(command):
    """Run in a network namespace without interfaces where the system allows it."""
    unshare = shutil.which("unshare")
    if unshare:
        probe = subprocess.run([unshare, "-rn", "true"], capture_output=True)
        if probe.returncode == 0:
            return [unshare, "-rn", *command], ""
    return command, BLOCK


def test_predicts_without_network_and_gpu(fitted, hms_root, tmp_path):
    stack, data = fitted
    joblib.dump(stack, tmp_path / "stack.joblib")
    arguments = [
        *(str(tmp_path / "stack.joblib"), str(hms_root)),
        str(tmp_path / "proba.npy"),
    ]
    command, block = isolated([sys.executable, "-c", "pass"])
    script = PREDICT.format(block=block)
    command = [*command[:-1], script, *arguments]
    run = subprocess.run(
        command,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    there = np.load(tmp_path / "proba.npy")
    # Sums may be split over another number of threads there.
    np.testing.assert_allclose(there, stack.predict_proba(data.data), atol=1e-6)


def test_dump_is_the_weights_and_little_else(fitted, tmp_path):
    stack, _ = fitted
    joblib.dump(stack, tmp_path / "stack.joblib")
    weights = sum(
        value.numel() * value.element_size()
        for pipe in stack.named_estimators_.values()
        for value in pipe[-1].net_.module_.state_dict().values()
    )
    assert (tmp_path / "stack.joblib").stat().st_size <= 1.1 * weights


def test_dump_holds_no_training_data(fitted, tmp_path):
    stack, data = fitted
    joblib.dump(stack, tmp_path / "stack.joblib")
    content = (tmp_path / "stack.joblib").read_bytes()
    signals = HMSReader().fit_transform(data.data.iloc[:1])
    assert signals[0, 0, 4000:4016].tobytes() not in content
    assert data.data["eeg_id"].to_numpy().tobytes() not in content
    assert data.target.tobytes() not in content
    for pipe in stack.named_estimators_.values():
        # What the net was given: only the transformed windows could be left in it.
        given = np.ascontiguousarray(pipe[:-1].transform(data.data.iloc[:1]))
        assert given.reshape(-1)[-16:].tobytes() not in content
    assert b"exp_avg" not in content  # AdamW's moments


def test_loaded_stack_predicts_the_same(fitted, tmp_path):
    stack, data = fitted
    joblib.dump(stack, tmp_path / "stack.joblib")
    again = joblib.load(tmp_path / "stack.joblib")
    np.testing.assert_array_equal(
        again.predict_proba(data.data), stack.predict_proba(data.data)
    )
