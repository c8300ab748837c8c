"""Trainings that two processes do together, and that a test repeats in one.

Run as a script, with a folder as its argument, by every process of a launcher. What
each process ends up with is written there. With ``lose_one`` and a port, it starts two
processes of which one dies.
"""

import os
import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn

from hmsklearn.augmentation import Mixup
from hmsklearn.neural import WaveformClassifier

torch.set_num_threads(1)


class Plain(nn.Module):
    """A net without batch norm, and without random numbers in training."""

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(n_chans, 8, 9, stride=4), nn.GELU(), nn.AdaptiveAvgPool1d(4)
        )
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(32, n_outputs)

    def forward(self, x):
        return self.head(self.norm(self.features(x).flatten(1)))


class Normed(Plain):
    """The same with batch norm and dropout."""

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__(n_chans, n_outputs, n_times)
        self.norm = nn.Sequential(nn.BatchNorm1d(32), nn.Dropout(0.3))


class Optional(Plain):
    """A net that passes a layer by for small parts, and another one always.

    The last batch of 11 windows is one part of six and one of five.
    """

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__(n_chans, n_outputs, n_times)
        self.sometimes, self.never = nn.Linear(32, 32), nn.Linear(32, 32)

    def forward(self, x):
        x = self.norm(self.features(x).flatten(1))
        if not self.training or len(x) > 5:
            x = x + self.sometimes(x)
        return self.head(x)


class Draws(Callback):
    """Note which random number comes next at every batch, and how large it is."""

    def on_train_begin(self, net, **kwargs):
        self.next_, self.sizes_ = [], []

    def on_batch_end(self, net, batch=None, training=None, **kwargs):
        generator = torch.Generator()
        generator.set_state(torch.get_rng_state())
        self.next_.append(torch.rand((), generator=generator).item())
        self.sizes_.append(len(batch[1]))


class StopsIn(Callback):
    """End the training after two epochs, in one of the processes."""

    def __init__(self, rank):
        self.rank = rank

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2 and net.workers_.rank == self.rank:
            raise KeyboardInterrupt


class FailsAfter(Callback):
    """Fail in an epoch, in all processes or with the whole process in one."""

    def __init__(self, n_epochs, kill=None):
        self.n_epochs = n_epochs
        self.kill = kill

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) <= self.n_epochs:
            return
        if self.kill is None:
            raise OSError("the disk is full")
        if net.workers_.rank == self.kill:
            os.kill(os.getpid(), 9)


def windows():
    """Noise with a wave in it whose frequency tells the class; votes; patients."""
    rng = np.random.default_rng(0)
    label = np.arange(96) % 6
    hertz = np.array([3, 6, 10, 15, 21, 28])[label]
    wave = np.sin(2 * np.pi * hertz[:, None, None] * np.arange(64) / 100)
    X = (wave + rng.standard_normal((96, 3, 64))).astype(np.float32)
    votes = rng.multinomial(2, np.full(6, 1 / 6), 96) + 6 * np.eye(6, dtype=int)[label]
    return X, votes, np.arange(96) // 4


def classifier(distributed, **params):
    settings = {
        "architecture": Plain,
        "max_epochs": 3,
        "batch_size": 17,  # 96 windows: a last batch of 11
        "lr": 3e-3,
        "device": "cpu",
        "random_state": 0,
        "distributed": distributed,
    }
    return WaveformClassifier(**{**settings, **params})


def equal_cases():
    """Trainings that must come to what one process comes to: parameters, and data."""
    weight = np.random.default_rng(1).uniform(0.1, 5, 96)
    weight[::7] = 0
    groups = windows()[2]
    curriculum = [
        {"max_epochs": 2, "min_votes": 8, "lr": 1e-2},
        {"max_epochs": 1, "start": "fresh", "loss": "bce"},
        {"max_epochs": 1, "batch_size": 24, "ema": 0.5, "freeze": ["features.*"]},
    ]
    stops = {"max_epochs": 12, "patience": 1, "lr": 3e-2, "evaluations_per_epoch": 2}
    return {
        "plain": ({}, {}),
        "last batch of three": ({"batch_size": 31}, {}),
        "batches of one": ({"batch_size": 1, "max_epochs": 1}, {}),
        "accumulate": ({"accumulate": 4, "clip_grad": 0.1}, {}),
        "moved weights": ({"accumulate": 2, "awp": {"lr": 0.1, "eps": 0.1}}, {}),
        "average": ({"ema": {"decay": 0.8, "warmup": True}}, {}),
        "stages": ({"stages": curriculum}, {}),
        "weights": ({"vote_weight": "linear"}, {"sample_weight": weight}),
        "stops early": (
            {"early_stopping": True, "validation_fraction": 0.3, **stops},
            {"groups": groups},
        ),
        "sampling": ({"sampling": "eeg", "batch_size": 5}, {"eeg_id": groups}),
        "learned loss": ({"loss": "dirichlet_multinomial"}, {}),
    }


def own_cases():
    """Trainings whose random numbers or statistics depend on the processes."""
    random = {
        "architecture": Normed,
        "augment": [Mixup(alpha=0.4)],
        "ema": 0.5,
        "early_stopping": True,
        "validation_fraction": 0.3,
    }
    return {
        "batch norm": ({**random, "callbacks": [Draws()]}, {"groups": windows()[2]}),
        "again": ({**random, "callbacks": [Draws()]}, {"groups": windows()[2]}),
        "stopped by the second": ({"callbacks": [StopsIn(1)]}, {}),
        "layers left out": ({"architecture": Optional}, {}),
    }


def result(clf, X):
    """What a fitted classifier has learned."""
    state = clf.net_.module_.state_dict()
    layer = getattr(clf.net_.module_.body, "never", None)
    return {
        "never": None if layer is None else layer.weight.detach().numpy(),
        "prob": clf.predict_proba(X),
        "weights": np.concatenate([v.numpy().ravel() for v in state.values()]),
        "history": clf.history_.drop(columns="duration"),
        "evaluations": clf.evaluations_,
        "best_epoch": clf.best_epoch_,
        "draws": [
            (c.next_, c.sizes_) for c in clf.callbacks or () if isinstance(c, Draws)
        ],
    }


def fit(case, distributed):
    params, data = case
    X, votes, _ = windows()
    return result(classifier(distributed, **params).fit(X, votes, **data), X)


def fit_in_parts(distributed):
    """Three calls of partial_fit."""
    X, votes, _ = windows()
    clf = classifier(distributed)
    for _ in range(3):
        clf.partial_fit(X, votes)
    return result(clf, X)


def resume(folder, **crash):
    """Fit four epochs, at one go and with a failure in between."""
    X, votes, _ = windows()
    params = {"architecture": Normed, "max_epochs": 4}
    whole = classifier(True, **params).fit(X, votes)
    params["checkpoint"] = folder
    crashes = classifier(True, **params, callbacks=[FailsAfter(2)])
    failure = error_of(crashes, X, votes)
    files = sorted(path.name for path in Path(folder).iterdir())
    resumed = classifier(True, **params, resume=True, callbacks=[FailsAfter(9)])
    resumed.fit(X, votes)
    return {
        "whole": result(whole, X),
        "resumed": result(resumed, X),
        "failure": failure,
        "files": files,
    }


def error_of(clf, X, votes):
    try:
        clf.fit(X, votes)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def main(folder):
    warnings.simplefilter("ignore")
    rank = int(os.environ["RANK"])
    X, votes, _ = windows()
    results = {
        "cases": {
            name: fit(case, True)
            for name, case in {**equal_cases(), **own_cases()}.items()
        },
        "parts": fit_in_parts(True),
        "resume": resume(folder / "checkpoints"),
        "diverges": error_of(classifier(True, lr=1e30), X, votes),
        "other data": error_of(classifier(True), X + rank, votes),
        "other parameters": error_of(classifier(True, lr=1e-3 * (rank + 1)), X, votes),
        "bars": classifier(True, verbose=rank * 2).fit(X, votes).n_iter_,
    }
    (folder / f"{rank}.pkl").write_bytes(pickle.dumps(results))


def lose_one(port):
    """Connect two processes by hand, without a launcher that would stop the other."""
    children = []
    for rank in (0, 1):
        child = os.fork()
        if child == 0:
            os.environ |= {
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": "2",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port,
            }
            X, votes, _ = windows()
            clf = classifier(True, callbacks=[FailsAfter(1, kill=1)])
            print(rank, error_of(clf, X, votes), flush=True)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    if sys.argv[1] == "lose_one":
        lose_one(sys.argv[2])
    else:
        main(Path(sys.argv[1]))
