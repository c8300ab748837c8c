"""Prediction on a CPU: estimators against plain inference with the same net."""

import copy
from functools import partial

import numpy as np
import torch
from hand_written import eager
from harness import Contender, Job
from simulated import eeg

from hmsklearn.neural import TimmClassifier, WaveformClassifier


def agree(ours, theirs, limit=1e-4):
    """In every probability."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=limit)


class Plain(torch.nn.Module):
    """The fitted net as it is, in torch's own layout."""

    def __init__(self, clf):
        super().__init__()
        self.module = copy.deepcopy(clf.net_.module_)
        self.module.to(memory_format=torch.contiguous_format)

    def forward(self, x):
        return self.module({"x": x})


def job(name, clf, X, targets):
    """One job for every engine of which there is a target."""
    n = len(X)
    batch_size = clf.batch_size
    clf.set_params(batch_size=2).fit(X[:4], np.arange(4) % 2)
    clf.set_params(batch_size=batch_size)
    plain = Plain(clf)
    return [
        Job(
            f"{name}, {engine}",
            Contender(
                f"predict_proba, engine={engine!r}",
                partial(copy.deepcopy(clf).set_params(engine=engine).predict_proba, X),
                n,
            ),
            [
                Contender(
                    "plain loop, contiguous",
                    partial(eager, plain, X, batch_size),
                    n,
                    agrees=agree,
                    target=target,
                    target_2=target,
                )
            ],
        )
        for engine, target in targets.items()
    ]


def jobs():
    shared = {"classes": "infer", "max_epochs": 1, "device": "cpu", "random_state": 0}
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((16, 1, 128, 256)).astype(np.float32)
    square = rng.standard_normal((4, 3, 512, 512)).astype(np.float32)
    waves = eeg(64, 18, 2000)
    b0 = partial(TimmClassifier, "tf_efficientnet_b0", **shared)
    return [
        *job(
            "EfficientNet-B0, 1 x 128 x 256",
            b0(batch_size=16),
            wide,
            {"torch": 1.2, "onnx": 2.5},
        ),
        *job(
            "EfficientNet-B0, 3 x 512 x 512",
            b0(batch_size=4),
            square,
            {"torch": 1.2, "onnx": 2.5},
        ),
        *job(
            "EEGNet, 18 x 2000",
            WaveformClassifier("eegnet", batch_size=32, **shared),
            waves,
            {"torch": 0.97},
        ),
    ]
