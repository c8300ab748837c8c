"""Checkpoints: written whole, found again, going on to the very same result."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler
from torch import nn

from hmsklearn.neural import DecayingVoteWeight, FocalLoss, WaveformClassifier
from hmsklearn.neural._checkpoint import Checkpoint
from hmsklearn.neural._fingerprint import fingerprint

# No class has votes in some of the small parts.
pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")


class Small(nn.Module):
    """With what depends on the course of a training: batch norm and dropout."""

    head_prefixes = ("head",)

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.stem = nn.Linear(n_chans * n_times, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(8, n_outputs)

    def forward(self, x):
        return self.head(self.drop(torch.relu(self.norm(self.stem(x.flatten(1))))))


class Stop(Callback):
    """End the training from outside, as a crash would, with a step of some epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, net, training=None, **kwargs):
        if training and len(net.history) == self.epoch:
            raise Crash


class Crash(Exception):
    pass


class Steps(Callback):
    """Count training steps."""

    def __init__(self):
        self.n_ = 0

    def on_batch_end(self, net, training=None, **kwargs):
        self.n_ += bool(training)


@pytest.fixture
def make(waveform, tmp_path):
    def make(**params):
        settings = {
            "architecture": Small,
            "architecture_params": None,
            "max_epochs": 5,
            "checkpoint": tmp_path,
        }
        return waveform(**{**settings, **params})

    return make


def state_of(clf):
    return clf.net_.module_.state_dict()


def assert_same(one, other, X):
    """Compare weights, histories and predictions bit for bit."""
    for name, value in state_of(one).items():
        assert torch.equal(value, state_of(other)[name]), name
    assert np.array_equal(one.predict_proba(X), other.predict_proba(X))
    columns = ["stage", "epoch", "train_loss", "valid_kl", "lr"]
    assert one.history_[columns].equals(other.history_[columns])
    assert one.evaluations_.equals(other.evaluations_)
    assert one.best_epoch_ == other.best_epoch_
    assert one.n_iter_ == other.n_iter_


EEG = np.arange(96) // 2


def halves(step, n_steps):
    """A rate that is halved ten times over the training."""
    return 0.5 ** (10 * step // n_steps)


TRAININGS = {
    "plain": {},
    "every second epoch": {"checkpoint_every": 2},
    "averaged": {"ema": {"decay": 0.9, "warmup": True}},
    "stages from current weights": {
        "ema": 0.8,
        "stages": [
            {"max_epochs": 2},
            {"max_epochs": 3, "lr": 3e-3, "min_votes": 6, "start": "current"},
        ],
    },
    "stages from the average": {
        "stages": [
            {"max_epochs": 3, "ema": 0.8},
            {"max_epochs": 2, "start": "ema", "freeze": "backbone"},
        ],
    },
    "stages anew": {
        "stages": [{"max_epochs": 3}, {"max_epochs": 2, "start": "fresh"}],
    },
    "stages from the best": {
        "early_stopping": True,
        "patience": 9,
        "lr": 0.2,
        "stages": [{"max_epochs": 3}, {"max_epochs": 2, "start": "best"}],
    },
    "stopped early": {
        "early_stopping": True,
        "patience": 2,
        "lr": 0.3,
        "schedule": "constant",
        "max_epochs": 12,
        "evaluations_per_epoch": 2,
        "ema": 0.5,
    },
    "drawn and augmented": {
        "sampling": "eeg",
        "target": "eeg",
        "augment": ["mixup", ("gaussian_noise", {"p": 0.5}), "label_smoothing"],
        "vote_weight": DecayingVoteWeight(),
    },
    "accumulated": {
        "accumulate": 2,
        "clip_grad": 0.5,
        "awp": {"start": 2},
        "schedule": "one_cycle",
        "optimizer": "adan",
    },
    "learned concentration": {"loss": "dirichlet_multinomial", "warmup": 1},
    "look ahead": {"optimizer": "lookahead_adamw", "schedule": [0.01] * 3 + [1e-3] * 2},
    "a function of the step": {
        "schedule": halves,
        "backbone_lr": {"backbone": 1e-3, "stem": 1e-4},
    },
    "focal loss, linear rate": {
        "loss": "focal",
        "schedule": "linear",
        "optimizer": "madgrad",
        "backbone_lr": 1e-3,
    },
}


@pytest.mark.gpu
class TestResumeOnAGpu:
    @pytest.mark.parametrize("amp", ["bf16", "fp16", None])
    @pytest.mark.parametrize("name", TRAININGS)
    def test_same_result(self, make, data, tmp_path, name, amp):
        fit_params = {"groups": data.groups, "eeg_id": EEG}
        params = {**TRAININGS[name], "device": "cuda", "amp": amp}
        whole = make(**params, checkpoint=tmp_path / "whole")
        whole.fit(data.X, data.votes, **fit_params)
        cut = make(**params, checkpoint=tmp_path / "cut", callbacks=[Stop(3)])
        with pytest.raises(Crash):
            cut.fit(data.X, data.votes, **fit_params)
        resumed = make(**params, checkpoint=tmp_path / "cut", resume=True)
        # The state of the process does not matter.
        torch.rand(7, device="cuda")
        resumed.fit(data.X, data.votes, **fit_params)
        # Other dropout, order or moments would differ by a hundred times as much.
        np.testing.assert_allclose(
            resumed.predict_proba(data.X), whole.predict_proba(data.X), atol=1e-4
        )
        np.testing.assert_allclose(
            resumed.history_["train_loss"], whole.history_["train_loss"], rtol=1e-4
        )
        assert resumed.best_epoch_ == whole.best_epoch_

    @pytest.mark.parametrize("devices", [("cuda", "cpu"), ("cpu", "cuda")])
    def test_goes_on_elsewhere(self, make, data, devices):
        first, second = devices
        with pytest.raises(Crash):
            make(device=first, ema=0.9, callbacks=[Stop(3)]).fit(data.X, data.votes)
        steps = Steps()
        clf = make(device=second, ema=0.9, resume=True, callbacks=[steps])
        clf.fit(data.X, data.votes)
        assert steps.n_ == 3 * 6  # epochs 3, 4 and 5
        assert clf.device_ == second
        assert np.isfinite(clf.predict_proba(data.X)).all()


class TestResume:
    @pytest.mark.parametrize("name", TRAININGS)
    def test_same_result_bit_for_bit(self, make, data, tmp_path, name):
        fit_params = {"groups": data.groups, "eeg_id": EEG}
        params = TRAININGS[name]
        whole = make(**params, checkpoint=tmp_path / "whole")
        whole.fit(data.X, data.votes, **fit_params)
        for epoch in (2, 4):
            folder = tmp_path / f"cut{epoch}"
            cut = make(**params, checkpoint=folder, callbacks=[Stop(epoch)])
            with pytest.raises(Crash):
                cut.fit(data.X, data.votes, **fit_params)
            resumed = make(**params, checkpoint=folder, resume=True)
            torch.rand(7)  # the state of the process does not matter
            resumed.fit(data.X, data.votes, **fit_params)
            assert_same(whole, resumed, data.X)

    def test_writing_changes_nothing(self, make, data):
        with_file = make().fit(data.X, data.votes)
        without = make(checkpoint=None).fit(data.X, data.votes)
        assert_same(with_file, without, data.X)

    def test_only_what_is_left_is_trained(self, make, data):
        with pytest.raises(Crash):
            make(callbacks=[Stop(4)]).fit(data.X, data.votes)
        steps = Steps()
        make(resume=True, callbacks=[steps]).fit(data.X, data.votes)
        assert steps.n_ == 2 * 6  # epochs 4 and 5

    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"checkpoint_every": 3},
            {"stages": [{"ema": 0.9}, {"start": "current"}], "max_epochs": 2},
            {
                "early_stopping": True,
                "lr": 0.3,
                "schedule": "constant",
                "patience": 1,
                "max_epochs": 12,
            },
        ],
    )
    def test_nothing_after_the_end(self, make, data, params):
        first = make(**params).fit(data.X, data.votes, groups=data.groups)
        steps = Steps()
        again = make(resume=True, callbacks=[steps], **params)
        again.fit(data.X, data.votes, groups=data.groups)
        assert steps.n_ == 0
        assert_same(first, again, data.X)

    def test_after_ctrl_c(self, make, data, monkeypatch):
        whole = make(checkpoint=None).fit(data.X, data.votes)
        monkeypatch.setattr(Presses, "calls", 0)
        with pytest.raises(KeyboardInterrupt):
            make(architecture=Presses).fit(data.X, data.votes)
        assert Presses.calls == 17  # in the third epoch
        monkeypatch.setattr(Presses, "limit", 10**9)
        steps = Steps()
        resumed = make(architecture=Presses, resume=True, callbacks=[steps])
        resumed.fit(data.X, data.votes)
        assert steps.n_ == 18
        for name, value in state_of(whole).items():
            assert torch.equal(value, state_of(resumed)[name]), name

    def test_before_the_first_epoch_is_over(self, make, data):
        with pytest.raises(Crash):
            make(callbacks=[Stop(1)]).fit(data.X, data.votes)
        resumed = make(resume=True).fit(data.X, data.votes)
        assert_same(make(checkpoint=None).fit(data.X, data.votes), resumed, data.X)

    def test_in_the_last_stage_with_few_epochs_between(self, make, data):
        # The last epoch of a stage is written whatever checkpoint_every says.
        stages = {"stages": [{"max_epochs": 3}, {"max_epochs": 2}]}
        params = {**stages, "checkpoint_every": 100}
        with pytest.raises(Crash):
            make(**params, callbacks=[Stop(4)]).fit(data.X, data.votes)
        steps = Steps()
        resumed = make(**params, resume=True, callbacks=[steps])
        resumed.fit(data.X, data.votes)
        assert steps.n_ == 2 * 6
        whole = make(**params, checkpoint=None).fit(data.X, data.votes)
        assert_same(whole, resumed, data.X)


class Gathers(Callback):
    """Of everything that a callback may gather; its limit is the user's."""

    def __init__(self, limit=0):
        self.limit = limit
        self.losses = []
        self.total_ = torch.zeros(1)

    def on_epoch_end(self, net, **kwargs):
        self.losses.append(net.history[-1, "train_loss"])
        self.total_ = self.total_ + net.history[-1, "train_loss"]


class Counts:
    """Has a state of its own, as torch's schedulers have."""

    def __init__(self, n=0):
        self.n = n

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


class HoldsWhatCannotBeWritten(Callback):
    def on_train_begin(self, net, **kwargs):
        self.n_epochs_ = 0
        self.lock_ = threading.Lock()
        self.counts_ = Counts()

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs_ += 1
        self.counts_.n += 1
        self.late_ = Counts(self.n_epochs_)


CALLBACKS = {
    "steps of the rate": lambda: [LRScheduler("StepLR", step_size=2, gamma=0.3)],
    "rate by the batch": lambda: [
        LRScheduler("CosineAnnealingLR", T_max=20, step_every="batch")
    ],
    "rate by the loss": lambda: [
        LRScheduler(
            "ReduceLROnPlateau", monitor="train_loss", patience=1, threshold=9.0
        )
    ],
    # Stops in the fourth epoch.
    "early stopping": lambda: [
        EarlyStopping("train_loss", patience=3, threshold=99.0, threshold_mode="abs")
    ],
    "back to the best": lambda: [
        EarlyStopping("train_loss", lower_is_better=False, patience=9, load_best=True)
    ],
    "scores": lambda: [
        EpochScoring(lambda net, X, y: len(net.history), name="age", on_train=True)
    ],
}


class TestCallbacks:
    @pytest.mark.parametrize("name", CALLBACKS)
    def test_same_result_bit_for_bit(self, make, data, tmp_path, name):
        callbacks = CALLBACKS[name]
        params = {"schedule": "constant", "lr": 3e-3}
        whole = make(**params, checkpoint=None, callbacks=callbacks())
        whole.fit(data.X, data.votes)
        cut = make(**params, callbacks=[*callbacks(), Stop(3)])
        with pytest.raises(Crash):
            cut.fit(data.X, data.votes)
        resumed = make(**params, resume=True, callbacks=callbacks())
        resumed.fit(data.X, data.votes)
        assert_same(whole, resumed, data.X)
        ignored = {"dur", "batches"}
        for one, other in zip(whole.net_.history, resumed.net_.history, strict=True):
            for key in set(one) - ignored:
                assert one[key] == other[key], key

    def test_goes_on_with_what_was_gathered(self, make, data):
        whole, cut, resumed = Gathers(), Gathers(limit=1), Gathers(limit=2)
        make(checkpoint=None, callbacks=[whole]).fit(data.X, data.votes)
        with pytest.raises(Crash):
            make(callbacks=[cut, Stop(3)]).fit(data.X, data.votes)
        make(resume=True, callbacks=[resumed]).fit(data.X, data.votes)
        assert len(resumed.losses) == 5
        assert resumed.losses == whole.losses
        assert torch.equal(resumed.total_, whole.total_)
        assert resumed.limit == 2

    def test_says_what_starts_anew(self, make, data):
        cut, resumed = HoldsWhatCannotBeWritten(), HoldsWhatCannotBeWritten()
        with pytest.raises(Crash):
            make(callbacks=[cut, Stop(3)]).fit(data.X, data.votes)
        clf = make(resume=True, callbacks=[resumed])
        with pytest.warns(
            UserWarning,
            match=r"WaveformClassifier: the callback 'HoldsWhatCannotBeWritten' starts "
            r"anew with lock_, late_, which the checkpoint does not hold",
        ) as caught:
            clf.fit(data.X, data.votes)
        assert [Path(one.filename).name for one in caught] == [Path(__file__).name]
        assert resumed.n_epochs_ == resumed.counts_.n == 5

    def test_another_class_under_the_same_name(self, make, data):
        with pytest.raises(Crash):
            make(callbacks=[("one", Gathers()), Stop(3)]).fit(data.X, data.votes)
        steps = Steps()
        clf = make(resume=True, callbacks=[("one", steps)])
        with pytest.warns(UserWarning, match="callback 'one' starts anew with everyth"):
            clf.fit(data.X, data.votes)
        assert steps.n_ == 18


class Presses(Small):
    calls, limit = 0, 16

    def forward(self, x):
        if self.training:
            type(self).calls += 1
            if type(self).calls > type(self).limit:
                raise KeyboardInterrupt
        return super().forward(x)


SCRIPT = """
    import sys, time
    import numpy as np, torch
    from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler
    from hmsklearn.neural import WaveformClassifier

    torch.set_num_threads(1)
    folder, out, pause = sys.argv[1], sys.argv[2], float(sys.argv[3])

    class Slow(Callback):
        def on_batch_end(self, net, **kwargs):
            time.sleep(pause)

    data = np.load(folder + "/data.npz")
    clf = WaveformClassifier(
        architecture_params={"width": 8, "kernels": (3, 9), "n_blocks": 3,
                             "gru_hidden": 4},
        head={"drop_rate": 0.3}, augment=["mixup"], sampling="eeg", ema=0.9,
        stages=[{"max_epochs": 3}, {"max_epochs": 3, "min_votes": 6}],
        batch_size=8, accumulate=2, lr=1e-2, random_state=3, device="cpu",
        checkpoint=folder + "/checkpoints", resume=True, callbacks=[Slow()],
    )
    clf.fit(data["X"], data["votes"], eeg_id=data["eeg_id"])
    np.savez(out, proba=clf.predict_proba(data["X"]),
             loss=clf.history_["train_loss"].to_numpy())
"""


def test_kill_9(data, tmp_path):
    """A process that is killed in the middle, and one that takes over."""
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT))
    np.savez(tmp_path / "data.npz", X=data.X, votes=data.votes, eeg_id=EEG)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}

    def start(out, pause):
        command = [sys.executable, str(script), str(tmp_path), str(out), pause]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)

    out = tmp_path / "killed.npz"
    process = start(out, "0.1")
    deadline = time.monotonic() + 120
    folder = tmp_path / "checkpoints"
    while not (files := list(folder.glob("*.pt"))):
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # A little into an epoch, at whatever batch it is.
    time.sleep(0.4)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    assert not out.exists()
    saved = torch.load(files[0], weights_only=False)
    assert (saved["stage"], saved["state"]["epoch"]) < (2, 3)

    out = tmp_path / "resumed.npz"
    process = start(out, "0")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
    resumed = np.load(out)

    clf = WaveformClassifier(
        architecture_params={
            "width": 8,
            "kernels": (3, 9),
            "n_blocks": 3,
            "gru_hidden": 4,
        },
        head={"drop_rate": 0.3},
        augment=["mixup"],
        sampling="eeg",
        ema=0.9,
        stages=[{"max_epochs": 3}, {"max_epochs": 3, "min_votes": 6}],
        batch_size=8,
        accumulate=2,
        lr=1e-2,
        random_state=3,
        device="cpu",
    )
    clf.fit(data.X, data.votes, eeg_id=EEG)
    assert np.array_equal(resumed["proba"], clf.predict_proba(data.X))
    assert np.array_equal(resumed["loss"], clf.history_["train_loss"].to_numpy())


class TestFile:
    def test_one_for_each_training(self, make, data, tmp_path):
        make().fit(data.X, data.votes)
        make().fit(data.X, data.votes)
        assert len(list(tmp_path.iterdir())) == 1
        make(lr=2e-3).fit(data.X, data.votes)
        names = sorted(path.name for path in tmp_path.iterdir())
        assert len(names) == 2
        for name in names:
            assert name.startswith("WaveformClassifier-")
            assert name.endswith(".pt")

    def test_folds_share_a_folder(self, make, data, tmp_path):
        folds = [np.arange(96) % 3 != fold for fold in range(3)]
        alone = [
            make(checkpoint=None).fit(data.X[f], data.votes[f]).predict_proba(data.X)
            for f in folds
        ]
        for fold in folds:
            with pytest.raises(Crash):
                make(callbacks=[Stop(3)]).fit(data.X[fold], data.votes[fold])
        assert len(list(tmp_path.iterdir())) == 3
        for fold, expected in zip(folds, alone, strict=True):
            clf = make(resume=True).fit(data.X[fold], data.votes[fold])
            assert np.array_equal(clf.predict_proba(data.X), expected)

    def test_whole_or_not_at_all(self, tmp_path, monkeypatch):
        checkpoint = Checkpoint(tmp_path, "Net", "0")
        checkpoint.save({"epoch": 1})

        def half(state, file):
            file.write(b"half of it")
            raise OSError("no space left on device")

        monkeypatch.setattr(torch, "save", half)
        with pytest.raises(OSError, match="no space left"):
            checkpoint.save({"epoch": 2})
        assert checkpoint.load() == {"epoch": 1}
        assert [path.name for path in tmp_path.iterdir()] == ["Net-0.pt"]

    def test_in_place_only_when_complete(self, tmp_path, monkeypatch):
        checkpoint = Checkpoint(tmp_path, "Net", "0")
        checkpoint.save({"epoch": 1})
        events = []
        replace, fsync = os.replace, os.fsync

        def noted_replace(source, target):
            events.append("replace")
            # Complete under its other name, the old one still in place.
            assert torch.load(source, weights_only=False) == {"epoch": 2}
            assert torch.load(target, weights_only=False) == {"epoch": 1}
            replace(source, target)

        def noted_fsync(handle):
            events.append("fsync")
            fsync(handle)

        monkeypatch.setattr(os, "replace", noted_replace)
        monkeypatch.setattr(os, "fsync", noted_fsync)
        checkpoint.save({"epoch": 2})
        assert events == ["fsync", "replace"]
        assert checkpoint.load() == {"epoch": 2}

    def test_damaged(self, make, data, tmp_path):
        make().fit(data.X, data.votes)
        [path] = tmp_path.iterdir()
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(
            ValueError,
            match=r"WaveformClassifier: the checkpoint .* cannot be read .*Delete it",
        ):
            make(resume=True).fit(data.X, data.votes)

    def test_every(self, make, data, monkeypatch):
        epochs = []
        save = Checkpoint.save

        def noted(self, state):
            epochs.append((state["stage"], state["state"]["epoch"]))
            save(self, state)

        monkeypatch.setattr(Checkpoint, "save", noted)
        make(checkpoint_every=2).fit(data.X, data.votes)
        assert epochs == [(1, 2), (1, 4), (1, 5)]
        epochs.clear()
        stages = [{"max_epochs": 3}, {"max_epochs": 2}]
        make(checkpoint_every=2, stages=stages).fit(data.X, data.votes)
        assert epochs == [(1, 2), (1, 3), (2, 2)]


class TestWhichTraining:
    @pytest.mark.parametrize(
        "change",
        [
            {"lr": 5e-3},
            {"random_state": 1},
            {"stages": [{}, {"lr": 1e-4}]},
            {"vote_weight": DecayingVoteWeight(speed=1.0)},
            {"augment": [("mixup", {"alpha": 0.3})]},
            {"loss": FocalLoss(gamma=1.0)},
        ],
    )
    def test_changed_parameters_start_anew(self, make, data, change):
        before = {
            "vote_weight": DecayingVoteWeight(),
            "augment": [("mixup", {"alpha": 0.2})],
            "loss": FocalLoss(gamma=2.0),
        }
        make(**before).fit(data.X, data.votes)
        steps = Steps()
        clf = make(**{**before, **change}, resume=True, callbacks=[steps])
        with pytest.warns(
            UserWarning,
            match=r"WaveformClassifier: resume=True, but none of 1 trainings in "
            r".*starts from the beginning",
        ):
            clf.fit(data.X, data.votes)
        assert steps.n_ == 6 * clf.n_iter_

    def test_changed_data_start_anew(self, make, data, more_data):
        make().fit(data.X, data.votes)
        other_votes = data.votes.copy()
        other_votes[17, 2] += 1
        weight = np.linspace(1, 2, 96)
        for X, y, fit_params in (
            (more_data.X, data.votes, {}),
            (data.X, other_votes, {}),
            (data.X, data.votes, {"sample_weight": weight}),
        ):
            steps = Steps()
            clf = make(resume=True, callbacks=[steps])
            with pytest.warns(UserWarning, match="starts from the beginning"):
                clf.fit(X, y, **fit_params)
            assert steps.n_ == 30

    def test_other_weights_to_start_from(self, make, waveform, data, more_data):
        # The same parameters by their text, but another estimator.
        def source(windows):
            clf = make(checkpoint=None, max_epochs=1)
            return clf.fit(windows.X, windows.votes)

        make(weights=source(data)).fit(data.X, data.votes)
        clf = make(weights=source(more_data), resume=True)
        with pytest.warns(UserWarning, match="starts from the beginning"):
            clf.fit(data.X, data.votes)

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (
                {"vote_weight": lambda votes: (votes >= 5) * 1.0},
                {"vote_weight": lambda votes: (votes >= 9) * 1.0},
            ),
            ({"loss": (1.0, 0.5)}, {"loss": (2.0, 0.5)}),
        ],
        ids=["function", "module"],
    )
    def test_what_only_code_or_attributes_tell(self, make, data, before, after):
        if "loss" in before:
            before, after = ({"loss": Scaled(*p["loss"])} for p in (before, after))
        make(**before).fit(data.X, data.votes)
        steps = Steps()
        make(**before, resume=True, callbacks=[steps]).fit(data.X, data.votes)
        assert steps.n_ == 0
        clf = make(**after, resume=True, callbacks=[steps])
        with pytest.warns(UserWarning, match="starts from the beginning"):
            clf.fit(data.X, data.votes)
        assert steps.n_ > 0

    def test_other_windows_to_validate_on(self, make, data, more_data):
        params = {"early_stopping": True, "patience": 9}
        clf = make(**params)
        clf.fit(data.X, data.votes, X_val=data.X, y_val=data.votes)
        steps = Steps()
        clf = make(**params, resume=True, callbacks=[steps])
        with pytest.warns(UserWarning, match="starts from the beginning"):
            clf.fit(data.X, data.votes, X_val=more_data.X, y_val=data.votes)
        assert steps.n_ == 30

    def test_warm_start_is_a_new_training(self, make, data):
        clf = make(warm_start=True, max_epochs=2).fit(data.X, data.votes)
        steps = Steps()
        clf.set_params(resume=True, callbacks=[steps])
        with pytest.warns(UserWarning, match="starts from the beginning"):
            clf.fit(data.X, data.votes)
        assert steps.n_ == 12

    def test_how_it_is_come_by_does_not_matter(self, make, data):
        whole = make(checkpoint=None).fit(data.X, data.votes)
        with pytest.raises(Crash):
            make(callbacks=[Stop(3)], checkpoint_every=2).fit(data.X, data.votes)
        steps = Steps()
        clf = make(resume=True, verbose=0, callbacks=[steps], checkpoint_every=1)
        clf.fit(data.X, data.votes)
        assert steps.n_ == 18
        assert_same(whole, clf, data.X)

    def test_no_warning_in_an_empty_folder(self, make, data):
        make(resume=True).fit(data.X, data.votes)


class TestFingerprint:
    def mark(self, value):
        return fingerprint({"value": value}, np.zeros((3, 2, 4)))

    def test_of_objects(self):
        same = [
            (DecayingVoteWeight(), DecayingVoteWeight()),
            (FocalLoss(1.0), FocalLoss(1.0)),
            (partial(np.maximum, 3), partial(np.maximum, 3)),
            ({"a": 1, "b": [2]}, {"b": [2], "a": 1}),
            (np.arange(3), np.arange(3)),
            (np.log1p, np.log1p),
            (Plain(1), Plain(1)),
            (Plain(1).method, Plain(1).method),
        ]
        for one, other in same:
            assert self.mark(one) == self.mark(other), one

    def test_of_different_objects(self):
        different = [
            DecayingVoteWeight(),
            DecayingVoteWeight(speed=1.0),
            FocalLoss(1.0),
            FocalLoss(2.0),
            partial(np.maximum, 3),
            partial(np.maximum, 4),
            np.arange(3),
            np.arange(4),
            np.log1p,
            np.sqrt,
            lambda total: total,
            lambda total: total + np.sqrt(total),
            Plain(1),
            Plain(2),
            Plain(1).method,
            Small,
            Presses,
            np.zeros((2, 3)),
            np.zeros((3, 2)),
            np.array(["a", None], dtype=object),
            torch.zeros(2),
            torch.zeros(2, dtype=torch.bfloat16),
            pd.Series(np.arange(999)),
            pd.Series(np.where(np.arange(999) == 500, 0, np.arange(999))),
            {"a": 1, 2: {3}},
        ]
        marks = [self.mark(value) for value in different]
        assert len(set(marks)) == len(marks)

    def test_of_what_functions_do(self):
        different = [
            lambda votes: (votes >= 5) * 1.0,
            lambda votes: (votes >= 9) * 1.0,
            lambda votes: np.array([v in {"a", "b"} for v in votes]),
            lambda votes: np.array([v in {"a", "c"} for v in votes]),
            lambda votes, least=5: votes >= least,
            lambda votes, least=9: votes >= least,
            lambda votes, *, least=5: votes >= least,
            lambda votes, *, least=9: votes >= least,
            at_least(5),
            at_least(9),
            at_least(np.array([5])),
            at_least(np.array([9])),
            lambda votes: [v for v in votes if v >= 5],
            lambda votes: [v for v in votes if v >= 9],
        ]
        marks = [self.mark(value) for value in different]
        assert len(set(marks)) == len(marks)
        assert self.mark(at_least(5)) == self.mark(at_least(5))

    def test_of_what_functions_find_by_name(self, monkeypatch):
        before = self.mark(finds_by_name)
        assert self.mark(finds_by_name) == before
        monkeypatch.setattr(sys.modules[__name__], "LEAST", 9)
        assert self.mark(finds_by_name) != before

    def test_of_functions_that_call_themselves(self):
        assert self.mark(calls_itself(3)) == self.mark(calls_itself(3))
        assert self.mark(calls_itself(3)) != self.mark(calls_itself(4))

    def test_of_modules(self):
        same = (Scaled(1.0, 0.5), Scaled(1.0, 0.5))
        assert self.mark(same[0]) == self.mark(same[1])
        # All of them have one and the same text.
        different = [Scaled(1.0, 0.5), Scaled(2.0, 0.5), Scaled(1.0, 0.7)]
        inner = nn.Sequential(Scaled(1.0, 0.5)), nn.Sequential(Scaled(2.0, 0.5))
        marks = [self.mark(value) for value in (*different, *inner)]
        assert len({repr(value) for value in different}) == 1
        assert len(set(marks)) == len(marks)

    def test_same_in_another_process(self, tmp_path):
        script = tmp_path / "mark.py"
        script.write_text(textwrap.dedent(MARKS))
        root = Path(__file__).parents[2]
        printed = set()
        for seed in "12":  # of the hashes that order sets
            environment = {
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": str(root),
                "PYTHONHASHSEED": seed,
            }
            done = subprocess.run(
                [sys.executable, str(script)],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            printed.add(done.stdout)
        [marks] = printed
        assert len(set(marks.split())) == 6

    def test_of_windows_to_validate_on(self):
        X, more = np.zeros((3, 2, 4)), np.ones((3, 2, 4))
        marks = {
            fingerprint({}, X),
            fingerprint({}, X, X_val=X),
            fingerprint({}, X, X_val=more),
            fingerprint({}, X, X_val={"a": more}),
        }
        assert len(marks) == 4


MARKS = """
    from dataclasses import dataclass
    from typing import Any
    import numpy as np, pandas as pd, torch
    from hmsklearn.neural._fingerprint import fingerprint

    class Loss(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.names = {"a", "b", "c"}
            self.weight = torch.nn.Parameter(torch.ones(2))

    @dataclass
    class Holder:
        inside: Any

    values = [
        lambda votes: votes in {"a", "b", "c"},
        Loss(),
        Holder(lambda votes: votes),
        Holder(object()),
        pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        {"b": {"x", "y", "z"}, 1: np.array(["x", None], dtype=object)},
    ]
    for value in values:
        print(fingerprint({"value": value}, np.zeros((3, 2, 4))))
"""

LEAST = 5


def finds_by_name(votes):
    return calls_by_name(votes)


def calls_by_name(votes):
    return [vote >= LEAST for vote in votes]


def at_least(least):
    return lambda votes: votes >= least


def calls_itself(n):
    def again(votes):
        return votes if votes > n else again(votes + 1)

    return again


class Scaled(nn.Module):
    """Its text names none of what it does."""

    def __init__(self, scale, start):
        super().__init__()
        self.scale = scale
        self.offset = nn.Parameter(torch.tensor(start))

    def forward(self, logits, fractions, *, sample_weight=None, total_votes=None):
        gap = logits.softmax(dim=1) - fractions
        return self.scale * gap.square().mean() + 0 * self.offset


class Plain:
    """Its default text holds its address."""

    def __init__(self, value):
        self.value = value

    def method(self, total):
        return total


class TestUnusable:
    @pytest.mark.parametrize("seed", [None, np.random.RandomState(0), True])
    def test_needs_a_seed(self, make, data, seed):
        with pytest.raises(
            ValueError,
            match=r"WaveformClassifier: checkpoint=.* needs a whole number as random_",
        ):
            make(random_state=seed).fit(data.X, data.votes)

    def test_resume_needs_a_folder(self, make, data):
        with pytest.raises(ValueError, match="resume=True needs the folder"):
            make(checkpoint=None, resume=True).fit(data.X, data.votes)

    def test_every_zero(self, make, data):
        with pytest.raises(ValueError, match="checkpoint_every must be an integer at"):
            make(checkpoint_every=0).fit(data.X, data.votes)

    def test_numpy_integers_are_seeds(self, make, data):
        make(random_state=np.int64(3), max_epochs=1).fit(data.X, data.votes)
