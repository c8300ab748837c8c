"""Progress bars, and Ctrl-C in the middle of a curriculum."""

import re
import signal
import threading

import joblib
import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from hmsklearn.neural._ctrl_c import CtrlC
from hmsklearn.neural._net import VoteNet

# No class has votes in some of the small parts.
pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")


class Net(nn.Module):
    """Press Ctrl-C at a training step."""

    calls, limit = 0, None

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.head = nn.Linear(n_chans * n_times, n_outputs)

    def forward(self, x):
        if self.training:
            type(self).calls += 1
            if type(self).calls == type(self).limit:
                raise KeyboardInterrupt
        return self.head(x.flatten(1))


@pytest.fixture
def make(waveform, monkeypatch):
    def make(limit=None, **params):
        monkeypatch.setattr(Net, "calls", 0)
        monkeypatch.setattr(Net, "limit", limit)
        return waveform(architecture=Net, architecture_params=None, **params)

    return make


def lines_of(capsys):
    """What was printed, each state of a bar as a line."""
    captured = capsys.readouterr()
    assert captured.out == ""
    return [line for line in re.split(r"[\r\n]+", captured.err) if line.strip()]


class TestBars:
    def test_none(self, make, data, capsys):
        make(verbose=0).fit(data.X, data.votes)
        assert lines_of(capsys) == []

    def test_one(self, make, data, capsys):
        make(verbose=1, max_epochs=3).fit(data.X, data.votes)
        lines = lines_of(capsys)
        assert all(line.startswith("WaveformClassifier") for line in lines)
        assert "epoch 3/3: 100%" in lines[-1]
        assert "18/18" in lines[-1]
        assert re.search(r"train loss \d+\.\d{4}, train KL \d+\.\d{4}", lines[-1])

    def test_one_for_the_batches_too(self, make, data, capsys, monkeypatch):
        # Bars refresh by the clock: here, with every batch.
        monkeypatch.setenv("TQDM_MININTERVAL", "0")
        make(verbose=2, max_epochs=2).fit(data.X, data.votes)
        lines = lines_of(capsys)
        outer = [line for line in lines if line.startswith("WaveformClassifier")]
        inner = [line for line in lines if "batches:" in line]
        assert outer
        assert inner
        # The inner one counts the batches of an epoch, the outer one all.
        assert any("/6 " in line for line in inner)
        assert not any("/12 " in line for line in inner)
        assert any("12/12 " in line for line in outer)

    def test_stages_are_named(self, make, data, capsys):
        stages = [{"max_epochs": 1}, {"max_epochs": 2, "min_votes": 6}]
        make(verbose=1, stages=stages).fit(data.X, data.votes)
        printed = "\n".join(lines_of(capsys))
        assert "WaveformClassifier stage 1/2 epoch 1/1" in printed
        assert "WaveformClassifier stage 2/2 epoch 1/2" in printed
        assert "WaveformClassifier stage 2/2 epoch 2/2" in printed

    def test_counts_what_is_drawn(self, make, data, capsys):
        clf = make(verbose=1, sampling="eeg", batch_size=8, max_epochs=2)
        clf.fit(data.X, data.votes, eeg_id=np.arange(96) // 6)
        lines = lines_of(capsys)
        # Sixteen EEGs, eight at a time, also before the first epoch.
        assert lines
        totals = {
            total for line in lines for total in re.findall(r"\d+/(\d+) \[", line)
        }
        assert totals == {"4"}

    def test_goes_on_where_a_resumed_training_does(self, make, data, capsys, tmp_path):
        params = {"checkpoint": tmp_path, "max_epochs": 4}
        with pytest.raises(KeyboardInterrupt):
            make(limit=15, **params).fit(data.X, data.votes)
        make(resume=True, verbose=1, **params).fit(data.X, data.votes)
        lines = lines_of(capsys)
        assert not any("epoch 1/4" in line or "epoch 2/4" in line for line in lines)
        assert "epoch 4/4: 100%" in lines[-1]
        assert "24/24" in lines[-1]

    @pytest.mark.parametrize("verbose", [1, 2])
    def test_closed_after_ctrl_c(self, make, data, capsys, verbose):
        clf = make(limit=9, verbose=verbose)
        with pytest.raises(KeyboardInterrupt):
            clf.fit(data.X, data.votes)
        assert clf.net_.callbacks_ == []
        assert lines_of(capsys)


class TestCtrlC:
    stages = [{"max_epochs": 2}, {"max_epochs": 5, "lr": 1e-3}, {"max_epochs": 1}]

    def test_in_the_second_stage(self, make, data):
        # Twelve steps of the first stage, six of an epoch of the second, two more.
        clf = make(limit=21, stages=self.stages)
        with pytest.raises(KeyboardInterrupt):
            clf.fit(data.X, data.votes)
        assert clf.history_["stage"].tolist() == [1, 1, 2]
        assert clf.history_["epoch"].tolist() == [1, 2, 3]
        assert clf.n_iter_ == 3
        assert clf.best_epoch_ is None
        prob = clf.predict_proba(data.X)
        np.testing.assert_allclose(prob.sum(axis=1), 1.0)
        assert -clf.score(data.X, data.votes) < data.baseline_kl
        assert clf.net_.optimizer_ is None
        assert all(p.requires_grad for p in clf.net_.module_.parameters())
        # The third stage has not begun.
        assert Net.calls == 21

    def test_holds_what_was_learned_until_then(self, make, data):
        clf = make(limit=13, stages=self.stages)
        with pytest.raises(KeyboardInterrupt):
            clf.fit(data.X, data.votes)
        first = make(stages=self.stages[:1]).fit(data.X, data.votes)
        for name, value in first.net_.module_.state_dict().items():
            assert torch.equal(value, clf.net_.module_.state_dict()[name]), name
        assert len(clf.history_) == 2

    def test_averages(self, make, data):
        clf = make(limit=13, stages=[{**self.stages[0], "ema": 0.9}, {}])
        with pytest.raises(KeyboardInterrupt):
            clf.fit(data.X, data.votes)
        first = make(stages=[{**self.stages[0], "ema": 0.9}]).fit(data.X, data.votes)
        assert np.array_equal(clf.predict_proba(data.X), first.predict_proba(data.X))

    @pytest.mark.parametrize("limit", [4, 21])
    def test_with_early_stopping(self, make, data, limit):
        # Before the last stage there is no best epoch of it yet.
        clf = make(limit=limit, stages=self.stages, early_stopping=True)
        with pytest.raises(KeyboardInterrupt):
            clf.fit(data.X, data.votes, groups=data.groups)
        assert clf.best_epoch_ is None
        assert clf.predict_proba(data.X).shape == (96, 6)

    def test_frozen_parts_are_free_again(self, waveform, data, monkeypatch):

        clf = waveform(stages=[{}, {"freeze": "backbone"}])
        step, calls = VoteNet.train_step, []

        def interrupted(self, batch, **kwargs):
            calls.append(1)
            if len(calls) == 15:
                raise KeyboardInterrupt
            return step(self, batch, **kwargs)

        monkeypatch.setattr(VoteNet, "train_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            clf.fit(data.X, data.votes)
        assert all(p.requires_grad for p in clf.net_.module_.parameters())
        assert clf.net_.frozen_ == []

    def test_can_be_saved_and_trained_on(self, make, data):
        clf = make(limit=21, stages=self.stages)
        with pytest.raises(KeyboardInterrupt):
            clf.fit(data.X, data.votes)
        clf.partial_fit(data.X, data.votes)
        assert clf.n_iter_ >= 4


class PressesInCallback(Callback):
    """Press Ctrl-C while a callback is at work, in the second epoch."""

    def __init__(self, event):
        self.event = event

    def on_epoch_begin(self, net, **kwargs):
        self.press(net, "on_epoch_begin")

    def on_batch_begin(self, net, **kwargs):
        self.press(net, "on_batch_begin")

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.press(net, "on_grad_computed")

    def on_batch_end(self, net, **kwargs):
        self.press(net, "on_batch_end")

    def on_epoch_end(self, net, **kwargs):
        self.press(net, "on_epoch_end")

    def press(self, net, event):
        if event == self.event and len(net.history) == 2:
            signal.raise_signal(signal.SIGINT)


class EndsByItself(Callback):
    def __init__(self, event="on_batch_end"):
        self.event = event

    def on_batch_end(self, net, **kwargs):
        self.end(net, "on_batch_end")

    def on_epoch_end(self, net, **kwargs):
        self.end(net, "on_epoch_end")

    def end(self, net, event):
        if event == self.event and len(net.history) == 2:
            raise KeyboardInterrupt


EVENTS = [
    "on_epoch_begin",
    "on_batch_begin",
    "on_grad_computed",
    "on_batch_end",
    "on_epoch_end",
]


class TestCtrlCInCallbacks:
    @pytest.mark.parametrize("event", EVENTS)
    def test_reaches_the_script(self, make, data, event):
        clf = make(
            stages=[{"max_epochs": 2}, {"max_epochs": 1}],
            callbacks=[PressesInCallback(event)],
        )
        with pytest.raises(KeyboardInterrupt):
            clf.fit(data.X, data.votes)
        assert clf.predict_proba(data.X).shape == (96, 6)
        assert set(clf.history_["stage"]) == {1}
        assert Net.calls <= 12

    @pytest.mark.parametrize("event", ["on_batch_end", "on_epoch_end"])
    def test_a_callbacks_own_stop_is_quiet(self, make, data, event):
        clf = make(max_epochs=4, callbacks=[EndsByItself(event)])
        clf.fit(data.X, data.votes)
        assert clf.n_iter_ == (1 if event == "on_batch_end" else 2)

    def test_a_handler_of_the_users_that_does_not_raise(self, make, data):
        # Such as one that notes the wish for a callback to act on.
        presses = []
        former = signal.signal(signal.SIGINT, lambda *args: presses.append(args))
        try:
            callbacks = [PressesInCallback("on_batch_begin"), EndsByItself()]
            make(max_epochs=4, callbacks=callbacks).fit(data.X, data.votes)
        finally:
            signal.signal(signal.SIGINT, former)
        assert len(presses) == 1

    def test_goes_on_from_an_epoch_that_all_callbacks_saw(self, make, data, tmp_path):
        params = {"max_epochs": 2, "early_stopping": True, "patience": 1}
        given = {"X_val": data.X, "y_val": data.votes}
        whole = make(**params).fit(data.X, data.votes, **given)
        callbacks = [PressesInCallback("on_epoch_end")]
        cut = make(**params, checkpoint=tmp_path, callbacks=callbacks)
        with pytest.raises(KeyboardInterrupt):
            cut.fit(data.X, data.votes, **given)
        resumed = make(**params, checkpoint=tmp_path, resume=True)
        resumed.fit(data.X, data.votes, **given)
        assert resumed.best_epoch_ == whole.best_epoch_ == 2
        assert np.array_equal(
            resumed.predict_proba(data.X), whole.predict_proba(data.X)
        )


class Notes(Callback):
    """Look at who handles Ctrl-C during the training."""

    def on_batch_end(self, net, **kwargs):
        self.handler_ = signal.getsignal(signal.SIGINT)


class Raises(Callback):
    def on_batch_end(self, net, **kwargs):
        raise LookupError


class TestHandler:
    @pytest.mark.parametrize(
        ("callback", "error"),
        [
            (Notes(), None),
            (EndsByItself(), None),
            (PressesInCallback("on_epoch_begin"), KeyboardInterrupt),
            (Raises(), LookupError),
        ],
        ids=["to the end", "stopped", "Ctrl-C", "error"],
    )
    def test_the_former_one_is_back(self, make, data, callback, error):
        notes = Notes()
        former = signal.signal(signal.SIGINT, press := Pressed())
        try:
            clf = make(callbacks=[notes, callback])
            if error is None:
                clf.fit(data.X, data.votes)
            else:
                with pytest.raises(error):
                    clf.fit(data.X, data.votes)
            assert signal.getsignal(signal.SIGINT) is press
            assert notes.handler_ is not press
        finally:
            signal.signal(signal.SIGINT, former)

    def test_threads_leave_it_alone(self, make, data):
        before, notes = signal.getsignal(signal.SIGINT), Notes()
        clf = make(callbacks=[notes])
        thread = threading.Thread(target=clf.fit, args=(data.X, data.votes))
        thread.start()
        thread.join()
        assert clf.n_iter_ == 2
        assert notes.handler_ is before

    def test_workers_leave_it_alone(self):
        calls = [joblib.delayed(leaves_it_alone)()] * 2
        assert joblib.Parallel(n_jobs=2)(calls) == [True, True]
        assert not leaves_it_alone()

    @pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
    def test_not_one_of_python(self, handler):
        former = signal.signal(signal.SIGINT, handler)
        try:
            assert leaves_it_alone()
            assert signal.getsignal(signal.SIGINT) is handler
        finally:
            signal.signal(signal.SIGINT, former)

    def test_one_within_the_other(self):
        before = signal.getsignal(signal.SIGINT)
        with CtrlC() as outer:
            with pytest.raises(KeyboardInterrupt), CtrlC() as inner:
                signal.raise_signal(signal.SIGINT)
            assert inner.pressed
            assert outer.pressed
        assert signal.getsignal(signal.SIGINT) is before
        with CtrlC() as again:
            pass
        assert not again.pressed


class Pressed:
    def __call__(self, number, frame):
        raise KeyboardInterrupt


def leaves_it_alone():
    before = signal.getsignal(signal.SIGINT)
    with CtrlC():
        return signal.getsignal(signal.SIGINT) is before
