"""partial_fit and warm_start: going on from where a net is."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from hmsklearn.neural import WaveformClassifier

# Parts of the data hold no votes for some classes.
pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")


def make(**params):
    settings = {
        "architecture_params": {
            "width": 8,
            "kernels": (3,),
            "n_blocks": 1,
            "gru_hidden": 0,
        },
        "batch_size": 16,
        "lr": 1e-2,
        "weight_decay": 0.0,
        "device": "cpu",
        "random_state": 0,
    }
    return WaveformClassifier(**{**settings, **params})


class Net(nn.Module):
    """Without anything that depends on how windows fall into batches."""

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.head = nn.Linear(n_chans * n_times, n_outputs)

    def forward(self, x):
        return self.head(x.flatten(1))


LINEAR = {"architecture": Net, "architecture_params": None, "batch_size": 96}


def weights(clf):
    return {k: v.clone() for k, v in clf.net_.module_.state_dict().items()}


def assert_equal(one, other, atol=0.0):
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=0, atol=atol)


class TestPartialFit:
    def test_first_call_builds(self, data):
        clf = make().partial_fit(data.X, data.votes)
        assert clf.n_iter_ == 1
        assert clf.best_epoch_ is None
        assert clf.history_["lr"].tolist() == [1e-2]
        prob = clf.predict_proba(data.X)
        np.testing.assert_allclose(prob.sum(axis=1), 1.0)

    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"lr": 3e-3},
            {"optimizer": "adan"},
            {"optimizer": "adam", "optimizer_params": {"eps": 1e-3}},
            {"optimizer": torch.optim.SGD, "optimizer_params": {"momentum": 0.9}},
            {"loss": "bce"},
            {"weight_decay": 0.5},
        ],
    )
    def test_as_one_optimizer_goes_on(self, data, params):
        # One batch an epoch, so that the order of the windows matters to nothing.
        clf = make(**LINEAR, **params)
        for _ in range(4):
            clf.partial_fit(data.X, data.votes)
        same = make(**LINEAR, **params, schedule="constant", max_epochs=4)
        same.fit(data.X, data.votes)
        assert_equal(weights(clf), weights(same), atol=1e-5)
        assert clf.n_iter_ == 4
        np.testing.assert_allclose(
            clf.history_["train_loss"], same.history_["train_loss"], rtol=1e-4
        )
        # A new optimizer for each pass is something else, where there are moments.
        restarted = make(**LINEAR, **params, schedule="constant", max_epochs=1)
        restarted.set_params(warm_start=True)
        for _ in range(4):
            restarted.fit(data.X, data.votes)
        difference = (
            weights(restarted)["body.head.weight"] - weights(same)["body.head.weight"]
        )
        assert difference.abs().max() > 1e-4

    def test_optimizer_is_the_same_object(self, data):
        clf = make().partial_fit(data.X, data.votes)
        first = clf.net_.optimizer_
        clf.partial_fit(data.X[:40], data.votes[:40])
        assert clf.net_.optimizer_ is first
        steps = {int(state["step"]) for state in first.state.values()}
        assert steps == {6 + 3}

    def test_learns_from_parts(self, data):
        clf = make()
        order = np.random.default_rng(0).permutation(96)
        for _ in range(20):
            for rows in np.split(order, 3):
                clf.partial_fit(data.X[rows], data.votes[rows])
        assert -clf.score(data.X, data.votes) < 0.5 * data.baseline_kl

    def test_after_fit(self, data):
        clf = make(max_epochs=2).fit(data.X, data.votes)
        before = weights(clf)
        clf.partial_fit(data.X, data.votes)
        assert clf.n_iter_ == 3
        assert clf.history_["epoch"].tolist() == [1, 2, 3]
        moved = weights(clf)["body.head.weight"] - before["body.head.weight"]
        # From there, not from anew: Adam's steps are as long as the rate.
        assert 0 < moved.abs().max() < 6 * 1.5e-2

    def test_normalisation_stays(self, data):
        clf = make().partial_fit(data.X, data.votes)
        mean, std = clf.net_.module_.norm.mean.item(), clf.net_.module_.norm.std.item()
        clf.partial_fit(100 * data.X + 5, data.votes)
        assert clf.net_.module_.norm.mean.item() == mean
        assert clf.net_.module_.norm.std.item() == std

    def test_after_loading(self, data):
        clf = make(max_epochs=1).fit(data.X, data.votes)
        loaded = pickle.loads(pickle.dumps(clf))
        clf.partial_fit(data.X, data.votes)
        loaded.partial_fit(data.X, data.votes)
        assert_equal(weights(clf), weights(loaded))
        assert np.array_equal(clf.predict_proba(data.X), loaded.predict_proba(data.X))

    def test_can_be_saved_between(self, data):
        clf = make().partial_fit(data.X, data.votes)
        loaded = pickle.loads(pickle.dumps(clf))
        assert np.array_equal(clf.predict_proba(data.X), loaded.predict_proba(data.X))
        loaded.partial_fit(data.X, data.votes)
        # The caller's own goes on with its optimizer all the same.
        first = clf.net_.optimizer_
        clf.partial_fit(data.X, data.votes)
        assert clf.net_.optimizer_ is first

    def test_from_the_seed(self, data):
        one, other = make(), make()
        for clf in (one, other):
            clf.partial_fit(data.X, data.votes).partial_fit(data.X, data.votes)
        assert_equal(weights(one), weights(other))
        # The second pass is in another order than the first.
        first = make().partial_fit(data.X, data.votes).history_["train_loss"][0]
        assert first == one.history_["train_loss"][0]

    def test_random_state_of_the_process_is_left_alone(self, data):
        torch.manual_seed(5)
        state = torch.get_rng_state()
        make().partial_fit(data.X, data.votes).partial_fit(data.X, data.votes)
        assert torch.equal(state, torch.get_rng_state())

    def test_weights(self, data):
        weight = np.where(np.arange(96) < 48, 1.0, 0.0)
        params = {**LINEAR, "batch_size": 48}
        clf = make(**params).partial_fit(data.X, data.votes, sample_weight=weight)
        part = make(**params).partial_fit(data.X[:48], data.votes[:48])
        assert clf.history_["train_loss"][0] == pytest.approx(
            part.history_["train_loss"][0], rel=1e-5
        )

    def test_classes(self, data):
        names = ["Seizure", "LPD", "GPD", "LRDA", "GRDA", "Other"]
        clf = make().partial_fit(data.X, data.votes, classes=names)
        assert clf.classes_.tolist() == names
        with pytest.raises(
            ValueError,
            match=r"WaveformClassifier: partial_fit got classes=\['a', 'b'\], but",
        ):
            clf.partial_fit(data.X, data.votes, classes=["a", "b"])

    def test_inferred_classes_are_those_of_the_first_call(self, data):
        y = np.array(["b", "a", "c"])[np.arange(96) % 3]
        clf = make(classes="infer").partial_fit(data.X, y)
        clf.partial_fit(data.X[y != "a"], y[y != "a"])
        assert clf.classes_.tolist() == ["a", "b", "c"]
        assert clf.predict_proba(data.X).shape == (96, 3)
        with pytest.raises(ValueError, match="'d'"):
            clf.partial_fit(data.X, np.where(y == "a", "d", y))

    def test_unusable(self, data):
        with pytest.raises(
            ValueError, match=r"partial_fit does not average weights\. Set ema=None"
        ):
            make(ema=0.9).partial_fit(data.X, data.votes)
        clf = make().partial_fit(data.X, data.votes)
        with pytest.raises(ValueError, match=r"2 channels .* is expecting 3 channels"):
            clf.partial_fit(data.X[:, :2], data.votes)
        with pytest.raises(ValueError, match="was fitted on windows of shape"):
            clf.partial_fit(data.X[..., :100], data.votes)
        assert clf.n_iter_ == 1

    def test_a_failure_leaves_a_usable_estimator(self, data):
        clf = make(architecture=Explodes, architecture_params=None)
        clf.partial_fit(data.X, data.votes)
        Explodes.now = True
        try:
            with pytest.raises(ValueError, match="training loss became nan"):
                clf.partial_fit(data.X, data.votes)
        finally:
            Explodes.now = False
        assert not clf.net_.module_.training
        assert clf.net_.callbacks_ == []


class Explodes(Net):
    now = False

    def forward(self, x):
        out = super().forward(x)
        return out * float("nan") if self.now else out


class TestWarmStart:
    def test_goes_on(self, data):
        clf = make(warm_start=True, max_epochs=3).fit(data.X, data.votes)
        after = clf.history_["train_loss"].iloc[-1]
        before = weights(clf)
        clf.set_params(lr=1e-30, schedule="constant").fit(data.X, data.votes)
        assert_equal(
            {
                k: v
                for k, v in weights(clf).items()
                if "running" not in k and "num" not in k
            },
            before,
            atol=1e-7,
        )
        clf.set_params(lr=1e-2).fit(data.X, data.votes)
        assert clf.history_["train_loss"].iloc[-1] < after
        # The history is that of the last fit.
        assert clf.n_iter_ == 3

    def test_off_starts_anew(self, data):
        clf = make(max_epochs=2).fit(data.X, data.votes)
        first = weights(clf)
        assert_equal(first, weights(clf.fit(data.X, data.votes)))
        clf.set_params(warm_start=True).fit(data.X, data.votes)
        assert not torch.equal(
            first["body.head.weight"], weights(clf)["body.head.weight"]
        )

    def test_first_fit_is_a_plain_one(self, data):
        assert_equal(
            weights(make(warm_start=True).fit(data.X, data.votes)),
            weights(make().fit(data.X, data.votes)),
        )

    def test_normalises_as_before(self, data):
        clf = make(warm_start=True, max_epochs=1).fit(data.X, data.votes)
        mean = clf.net_.module_.norm.mean.item()
        clf.fit(data.X + 50, data.votes)
        assert clf.net_.module_.norm.mean.item() == mean

    def test_other_shapes(self, data):
        clf = make(warm_start=True, max_epochs=1).fit(data.X, data.votes)
        kept = weights(clf)
        with pytest.raises(
            ValueError,
            match=r"WaveformClassifier: warm_start=True goes on from a fit to windows "
            r"of shape \(3, 128\) .*warm_start=False",
        ):
            clf.fit(data.X[..., :100], data.votes)
        with pytest.raises(ValueError, match="warm_start=True goes on"):
            clf.fit(data.X[:, :2], data.votes)
        clf.set_params(classes="infer")
        with pytest.raises(ValueError, match="warm_start=True goes on"):
            clf.fit(data.X, np.arange(96) % 3)
        assert_equal(kept, weights(clf))

    def test_other_parameters_of_the_net(self, data):
        clf = make(warm_start=True, max_epochs=1).fit(data.X, data.votes)
        clf.set_params(architecture_params={"width": 4, "gru_hidden": 0})
        with pytest.raises(
            ValueError,
            match=r"(?s)WaveformClassifier: warm_start=True goes on from the weights.*"
            r"do not fit architecture 'resnet1d_gru' as it is now.*warm_start=False",
        ):
            clf.fit(data.X, data.votes)

    def test_after_ctrl_c(self, data):
        clf = make(architecture=Presses, architecture_params=None, warm_start=True)
        Presses.calls = 0
        with pytest.raises(KeyboardInterrupt):
            clf.fit(data.X, data.votes)
        before = weights(clf)["body.head.weight"]
        clf.set_params(lr=1e-30, schedule="constant", max_epochs=1)
        Presses.calls = -1000
        clf.fit(data.X, data.votes)
        assert_equal({"body.head.weight": before}, weights(clf), atol=1e-7)

    def test_with_stages(self, data):
        clf = make(warm_start=True, max_epochs=1, stages=[{}, {"min_votes": 6}])
        clf.fit(data.X, data.votes)
        first = clf.history_["train_loss"].iloc[0]
        assert clf.fit(data.X, data.votes).history_["train_loss"].iloc[0] < first


class Presses(Net):
    calls = 0

    def forward(self, x):
        if self.training:
            type(self).calls += 1
            if type(self).calls > 8:
                raise KeyboardInterrupt
        return super().forward(x)


def test_parameters_are_left_alone(data):
    clf = make(warm_start=True, max_epochs=1, stages=[{"lr": 1e-3}])
    before = {name: repr(value) for name, value in clf.get_params().items()}
    clf.fit(data.X, data.votes)
    clf.partial_fit(data.X, data.votes)
    after = {name: repr(value) for name, value in clf.get_params().items()}
    assert before == after
    fresh = clone(clf)
    assert not hasattr(fresh, "net_")
    assert {name: repr(v) for name, v in fresh.get_params().items()} == before
