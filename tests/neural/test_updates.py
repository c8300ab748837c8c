"""partial_fit follows the parameters, the device and what has been trained before."""

import contextlib
import copy
import os
import pickle
import signal

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from hmsklearn.neural import MultiViewClassifier, TimmClassifier, WaveformClassifier
from hmsklearn.neural._updates import same_settings
from hmsklearn.views import WindowViews

pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")

SMALL = {"width": 8, "kernels": (3,), "n_blocks": 1, "gru_hidden": 0}


def make(**params):
    settings = {
        "architecture_params": SMALL,
        "batch_size": 16,
        "max_epochs": 2,
        "lr": 1e-2,
        "weight_decay": 0.0,
        "device": "cpu",
        "random_state": 0,
    }
    return WaveformClassifier(**{**settings, **params})


class Net(nn.Module):
    """Two layers without anything that depends on how windows fall into batches."""

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.stem = nn.Linear(n_chans * n_times, 8)
        self.head = nn.Linear(8, n_outputs)

    def forward(self, x):
        return self.head(self.stem(x.flatten(1)))

    def layer_groups(self):
        return [
            [name for name, _ in self.named_parameters() if name.startswith(layer)]
            for layer in ("stem", "head")
        ]


class ExplodesLate(Net):
    calls = 0

    def forward(self, x):
        out = super().forward(x)
        if self.training:
            type(self).calls += 1
        # On the way to the NaN the weights move.
        return out * float("nan") if self.training and self.calls > 3 else out


class PartlyFixed(Net):
    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__(n_chans, n_outputs, n_times)
        self.stem.requires_grad_(False)


LINEAR = {"architecture": Net, "architecture_params": None, "batch_size": 96}


def weights(clf):
    return {k: v.clone() for k, v in clf.net_.module_.state_dict().items()}


def same(one, other, atol=0.0):
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=0, atol=atol)


def saved(clf):
    return pickle.loads(pickle.dumps(clf))


def rates(clf):
    return [(g["lr"], g["weight_decay"]) for g in clf.net_.optimizer_.param_groups]


class Recorder(Callback):
    """Keep what a net trains with."""

    def initialize(self):
        if not hasattr(self, "seen_"):
            self.seen_ = []
        return self

    def on_grad_computed(self, net, **kwargs):
        module = net.module_
        self.seen_.append(
            {
                "amp": net.amp_dtype,
                "compiled": net.compiled_ is not None,
                "recomputes": getattr(module.body, "grad_checkpointing", None),
                "device": net.device,
            }
        )


class TestParameters:
    def test_rate_as_in_one_training(self, data):
        clf = make(**LINEAR, optimizer="adam")
        for lr in (1e-2, 1e-2, 1e-3, 1e-3):
            clf.set_params(lr=lr).partial_fit(data.X, data.votes)
        whole = make(**LINEAR, optimizer="adam", max_epochs=4)
        whole.set_params(schedule=[1e-2, 1e-2, 1e-3, 1e-3]).fit(data.X, data.votes)
        same(weights(clf), weights(whole), atol=1e-5)
        assert clf.history_["lr"].tolist() == [1e-2, 1e-2, 1e-3, 1e-3]

    def test_rates_keep_the_moments(self, data):
        clf = make(backbone_lr=5e-3).partial_fit(data.X, data.votes)
        optimizer = clf.net_.optimizer_
        assert rates(clf) == [(1e-2, 0.0)] * 2 + [(5e-3, 0.0)] * 2
        clf.set_params(lr=2e-2, weight_decay=0.3).partial_fit(data.X, data.votes)
        assert clf.net_.optimizer_ is optimizer
        assert rates(clf) == [(2e-2, 0.3), (2e-2, 0.0), (5e-3, 0.3), (5e-3, 0.0)]
        assert {int(state["step"]) for state in optimizer.state.values()} == {12}

    def test_a_callback_does_not_change_the_next_pass(self, data):
        clf = make(**LINEAR).partial_fit(data.X, data.votes)
        clf.net_.optimizer_.param_groups[0]["lr"] = 5.0
        clf.partial_fit(data.X, data.votes)
        assert clf.history_["lr"].tolist() == [1e-2, 1e-2]

    @pytest.mark.parametrize(
        "params",
        [
            {"optimizer": "sgd"},
            {"optimizer_params": {"eps": 1e-2}},
            {"backbone_lr": 1e-3},
            {"layer_decay": 0.5},
            {"loss": "bce"},
            {"loss": "focal", "loss_params": {"gamma": 1.0}},
        ],
    )
    def test_others_as_if_loaded(self, data, params):
        # A net that was saved has no optimizer: it builds one from what is asked for.
        clf = make(**LINEAR).partial_fit(data.X, data.votes)
        other = saved(clf)
        for one in (clf, other):
            one.set_params(**params).partial_fit(data.X, data.votes)
        same(weights(clf), weights(other))
        unchanged = make(**LINEAR)
        for _ in range(2):
            unchanged.partial_fit(data.X, data.votes)
        moved = weights(unchanged)["body.head.weight"]
        assert not torch.equal(moved, weights(clf)["body.head.weight"])

    def test_a_dict_that_is_changed_in_place(self, data):
        clf = make(loss="focal", loss_params={"gamma": 0.0})
        clf.partial_fit(data.X, data.votes)
        clf.loss_params["gamma"] = 4.0
        clf.partial_fit(data.X, data.votes)
        assert clf.net_.criterion_.gamma == 4.0

    def test_refused_ones_leave_the_training_as_it_was(self, data):
        clf = make().partial_fit(data.X, data.votes)
        before, net = weights(clf), clf.net_
        optimizer, criterion = net.optimizer_, net.criterion_
        with pytest.raises(ValueError, match="optimizer='adan_w' is not known"):
            clf.set_params(optimizer="adan_w", loss="bce").partial_fit(
                data.X, data.votes
            )
        same(before, weights(clf))
        clf.set_params(optimizer="adamw", loss="kl").partial_fit(data.X, data.votes)
        assert net.optimizer_ is optimizer
        assert net.criterion_ is criterion

    def test_what_is_frozen_later_is_left_alone(self, data):
        clf = make(**LINEAR).partial_fit(data.X, data.votes)
        before = weights(clf)
        clf.net_.module_.body.stem.requires_grad_(False)
        clf.partial_fit(data.X, data.votes)
        assert torch.equal(before["body.stem.weight"], weights(clf)["body.stem.weight"])

    def test_how_settings_are_compared(self):
        array = np.zeros(2)
        assert same_settings(("kl", {"a": (1, array)}), ("kl", {"a": (1, array)}))
        assert not same_settings({"a": array}, {"a": array.copy()})
        assert not same_settings({"a": 1}, {"b": 1})
        assert not same_settings((1, 2), (1,))


class TestFrozen:
    def test_parameters_that_a_net_is_built_without(self, data):
        clf = make(**{**LINEAR, "architecture": PartlyFixed}).fit(data.X, data.votes)
        before = weights(clf)
        clf.partial_fit(data.X, data.votes)
        after = weights(clf)
        assert torch.equal(before["body.stem.weight"], after["body.stem.weight"])
        assert not torch.equal(before["body.head.weight"], after["body.head.weight"])

    def test_branches(self, data):
        X = WindowViews(raw=data.X, image=data.images)
        raw = make(max_epochs=1).fit(data.X, data.votes)
        branches = [("raw", raw), ("image", TimmClassifier("test_efficientnet"))]
        clf = MultiViewClassifier(
            branches, frozen=["raw"], max_epochs=1, device="cpu", random_state=0
        ).fit(X, data.votes)
        before = weights(clf)
        clf.partial_fit(X, data.votes)
        after = weights(clf)
        names = [name for name in before if ".raw.body." in name]
        assert len(names) > 5
        still = [name for name in names if torch.equal(before[name], after[name])]
        assert still == names

    def test_what_a_callback_froze_is_free_again(self, data):
        class Freezes(Callback):
            def on_train_begin(self, net, **kwargs):
                net.module_.body.stem.requires_grad_(False)

        clf = make(**LINEAR, callbacks=[Freezes()]).fit(data.X, data.votes)
        assert all(p.requires_grad for p in clf.net_.module_.parameters())


class TestHistory:
    def test_goes_on_after_loading(self, data):
        params = {"early_stopping": True, "evaluations_per_epoch": 2, "max_epochs": 3}
        clf = make(**params).fit(data.X, data.votes, groups=data.groups)
        history, evaluations = clf.history_, clf.evaluations_
        assert len(evaluations) == 6
        clf = saved(clf)
        for n in (4, 5, 6):
            clf.partial_fit(data.X, data.votes)
            assert clf.n_iter_ == len(clf.history_) == n
        clf = saved(clf).partial_fit(data.X, data.votes)
        assert clf.history_["epoch"].tolist() == [1, 2, 3, 4, 5, 6, 7]
        assert clf.history_[:3].equals(history)
        assert clf.evaluations_.equals(evaluations)

    def test_no_pass_repeats_another(self, data, monkeypatch):
        seeds = []

        def recorded(seed, device):
            seeds.append(seed)
            return contextlib.nullcontext()

        monkeypatch.setattr("hmsklearn.neural._base.seeded", recorded)
        clf = make(**LINEAR, max_epochs=3).fit(data.X, data.votes)
        for _ in range(2):
            clf.partial_fit(data.X, data.votes)
            clf = saved(clf).partial_fit(data.X, data.votes)
        first = seeds[0]
        assert seeds == [first, *(first + n for n in (3, 4, 5, 6))]

    def test_pass_that_was_broken_off(self, data, monkeypatch):
        seeds = []

        def recorded(seed, device):
            seeds.append(seed)
            return contextlib.nullcontext()

        monkeypatch.setattr("hmsklearn.neural._base.seeded", recorded)
        clf = make().partial_fit(data.X, data.votes)
        clf.set_params(callbacks=[Stops()]).partial_fit(data.X, data.votes)
        assert clf.n_iter_ == 1
        clf = saved(clf).set_params(callbacks=None).partial_fit(data.X, data.votes)
        assert clf.history_["epoch"].tolist() == [1, 3]
        assert len(set(seeds)) == 3


class Stops(Callback):
    """End a training as skorch's callbacks do."""

    def on_batch_end(self, net, training=False, **kwargs):
        raise KeyboardInterrupt


class Presses(Net):
    """Ctrl-C in the third step."""

    calls = 0

    def forward(self, x):
        if self.training:
            type(self).calls += 1
            if type(self).calls == 3:
                os.kill(os.getpid(), signal.SIGINT)
        return super().forward(x)


class TestStops:
    def test_callback(self, data):
        clf = make(callbacks=[Stops()]).partial_fit(data.X, data.votes)
        assert clf.n_iter_ == 0
        assert clf.predict_proba(data.X).shape == (96, 6)

    @pytest.mark.parametrize("first", [True, False])
    def test_ctrl_c(self, data, first):
        clf = make(architecture=Presses, architecture_params=None)
        if not first:
            Presses.calls = -1000
            clf.partial_fit(data.X, data.votes)
            before = weights(clf)
        Presses.calls = 0
        with pytest.raises(KeyboardInterrupt):
            clf.partial_fit(data.X, data.votes)
        assert clf.n_iter_ == (0 if first else 1)
        if not first:
            # What was learned until then stays.
            assert not torch.equal(
                before["body.head.weight"], weights(clf)["body.head.weight"]
            )
        assert clf.net_.callbacks_ == []
        clf.partial_fit(data.X, data.votes)
        assert clf.n_iter_ == (1 if first else 2)


class TestFailure:
    def test_nan_leaves_the_net_as_it_was(self, data):
        clf = make(architecture=ExplodesLate, architecture_params=None)
        ExplodesLate.calls = -6
        clf.partial_fit(data.X, data.votes)
        before, history = weights(clf), clf.history_
        ExplodesLate.calls = 0
        with pytest.raises(ValueError, match="training loss became nan"):
            clf.partial_fit(data.X, data.votes)
        same(before, weights(clf))
        assert clf.history_.equals(history)
        ExplodesLate.calls = -1000
        again = copy.deepcopy(clf).partial_fit(data.X, data.votes)
        clf.partial_fit(data.X, data.votes)
        assert clf.history_["epoch"].tolist() == [1, 2]
        assert np.isfinite(clf.predict_proba(data.X)).all()
        same(weights(again), weights(clf))

    def test_nan_in_the_last_stage_of_a_first_pass(self, data):
        clf = make(architecture=ExplodesLate, architecture_params=None)
        ExplodesLate.calls = 0
        with pytest.raises(ValueError, match="training loss became nan"):
            clf.partial_fit(data.X, data.votes)
        assert not hasattr(clf, "net_")


class TestMachine:
    def test_device_of_this_pass(self, data, monkeypatch):
        clf = make().partial_fit(data.X, data.votes)
        optimizer = clf.net_.optimizer_

        @contextlib.contextmanager
        def other(device, *, caller):
            yield "cpu:0"

        monkeypatch.setattr("hmsklearn.neural._base.training_device", other)
        recorder = Recorder()
        clf.set_params(callbacks=[recorder]).partial_fit(data.X, data.votes)
        assert {row["device"] for row in recorder.seen_} == {"cpu:0"}
        assert clf.device_ == clf.net_.device == "cpu:0"
        assert clf.net_.optimizer_ is optimizer
        assert {int(state["step"]) for state in optimizer.state.values()} == {12}

    @pytest.mark.gpu
    def test_to_the_gpu_and_back(self, data):
        clf = make(loss="dirichlet_multinomial").partial_fit(data.X, data.votes)
        optimizer = clf.net_.optimizer_
        for device in ("cuda", "cpu", "cuda"):
            clf.set_params(device=device).partial_fit(data.X, data.votes)
            assert clf.device_ == device
            assert clf.net_.optimizer_ is optimizer
            assert clf.loss_.log_concentration.device.type == "cpu"
            assert clf.predict_proba(data.X).shape == (96, 6)
        loaded = saved(clf).partial_fit(data.X, data.votes)
        assert loaded.net_.amp_dtype is clf.net_.amp_dtype
        assert loaded.net_.iterator_train__pin_memory

    def test_precision(self, data, monkeypatch):
        recorder = Recorder()
        clf = make(max_epochs=1).fit(data.X, data.votes)
        monkeypatch.setattr(
            "hmsklearn.neural._net_steps.resolve_amp", lambda *a, **k: torch.bfloat16
        )
        for one in (saved(clf), clf):
            one.set_params(callbacks=[recorder]).partial_fit(data.X, data.votes)
        assert [row["amp"] for row in recorder.seen_] == [torch.bfloat16] * 12

    def test_memory_that_a_gpu_reads(self, data):
        net = saved(make(max_epochs=1).fit(data.X, data.votes)).net_
        for pinned in (True, False):
            net.train_with(None, compiled=False, pin_memory=pinned)
            for which in ("iterator_train", "iterator_valid"):
                assert net.get_params_for(which)["pin_memory"] is pinned

    def test_recomputed_activations(self, data):
        recorder = Recorder()
        clf = make(grad_checkpointing=True, max_epochs=1).fit(data.X, data.votes)
        clf = saved(clf).set_params(callbacks=[recorder])
        clf.partial_fit(data.X, data.votes)
        assert all(row["recomputes"] for row in recorder.seen_)
        clf.set_params(grad_checkpointing=False).partial_fit(data.X, data.votes)
        assert not recorder.seen_[-1]["recomputes"]
        fixed = make(**LINEAR).partial_fit(data.X, data.votes)
        with pytest.raises(ValueError, match="has no set_grad_checkpointing"):
            fixed.set_params(grad_checkpointing=True).partial_fit(data.X, data.votes)

    def test_compiled(self, data, monkeypatch):
        compiled = []

        def recorded(module, **kwargs):
            compiled.append(module)
            return module

        monkeypatch.setattr(torch, "compile", recorded)
        recorder = Recorder()
        clf = make(compile=True, callbacks=[recorder]).partial_fit(data.X, data.votes)
        clf.partial_fit(data.X, data.votes)
        assert compiled == [clf.net_.module_]  # once for both passes
        assert all(row["compiled"] for row in recorder.seen_)
        loaded = saved(clf).partial_fit(data.X, data.votes)
        assert compiled[1:] == [loaded.net_.module_]
        clf.set_params(compile=False).partial_fit(data.X, data.votes)
        assert not recorder.seen_[-1]["compiled"]


class TestEEG:
    def test_sampling(self, data):
        eeg = np.arange(96) // 4
        clf = make(sampling="eeg").partial_fit(data.X, data.votes, eeg_id=eeg)
        # 24 EEGs in batches of 16.
        assert clf.net_.history[-1, "train_batch_count"] == 2
        with pytest.raises(ValueError, match="eeg_id"):
            clf.partial_fit(data.X, data.votes)

    def test_target(self, data):
        eeg = np.arange(96) // 4
        one = make(**LINEAR, target="eeg").partial_fit(
            data.X, data.fractions, eeg_id=eeg
        )
        mean = data.fractions.reshape(24, 4, 6).mean(axis=1).repeat(4, axis=0)
        other = make(**LINEAR).partial_fit(data.X, mean)
        same(weights(one), weights(other), atol=1e-6)

    def test_is_routed(self):
        request = make().get_metadata_routing().partial_fit
        assert request.requests["eeg_id"] is True


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"engine": "foo"}, r"WaveformClassifier: engine .*'foo'"),
        ({"batch_size": 0}, r"WaveformClassifier: batch_size must be .*0"),
    ],
)
def test_predict_checks_what_it_uses(data, params, message):
    clf = make(max_epochs=1).fit(data.X, data.votes).set_params(**params)
    with pytest.raises(ValueError, match=message):
        clf.predict_proba(data.X)
