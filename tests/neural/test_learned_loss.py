"""Losses that learn: what they know goes from stage to stage, and stays after fit."""

import pickle

import pytest
import torch
from torch import nn

from hmsklearn.neural import DirichletMultinomialLoss, VoteLoss, WaveformClassifier
from hmsklearn.neural._net import VoteNet

PARAMS = {
    "architecture_params": {
        "width": 8,
        "kernels": (3,),
        "n_blocks": 1,
        "gru_hidden": 0,
    },
    "batch_size": 16,
    "max_epochs": 2,
    "lr": 5e-2,
    "schedule": "constant",
    "loss": "dirichlet_multinomial",
    "device": "cpu",
    "random_state": 0,
}
START = 10.0


def make(**params):
    return WaveformClassifier(**{**PARAMS, **params})


def concentration(loss):
    return float(loss.log_concentration.detach().exp())


class Starts:
    """What a stage's loss knew when the stage began."""

    def __init__(self, monkeypatch):
        self.seen = []
        original = VoteNet.fit_loop

        def fit_loop(net, *args, **kwargs):
            self.seen.append(
                concentration(net.criterion_)
                if hasattr(net.criterion_, "log_concentration")
                else None
            )
            return original(net, *args, **kwargs)

        monkeypatch.setattr(VoteNet, "fit_loop", fit_loop)


@pytest.fixture
def starts(monkeypatch):
    return Starts(monkeypatch).seen


class TestAfterFit:
    def test_is_what_was_trained(self, data):
        clf = make().fit(data.X, data.votes)
        assert isinstance(clf.loss_, DirichletMultinomialLoss)
        assert not clf.loss_.log_concentration.requires_grad
        assert abs(concentration(clf.loss_) - START) > 0.5

    @pytest.mark.parametrize("loss", ["kl", "bce", "focal"])
    def test_nothing_learned(self, data, loss):
        clf = make(loss=loss, max_epochs=1).fit(data.X, data.votes)
        assert clf.loss_ is None
        assert "loss" not in clf.net_.__getstate__()

    def test_not_fitted(self):
        assert not hasattr(make(), "loss_")

    def test_saved(self, data):
        clf = make(loss_params={"per_vote": True}).fit(data.X, data.votes)
        loaded = pickle.loads(pickle.dumps(clf))
        assert concentration(loaded.loss_) == concentration(clf.loss_)
        assert loaded.loss_.per_vote
        again = pickle.loads(pickle.dumps(loaded))
        assert concentration(again.loss_) == concentration(clf.loss_)

    def test_size_of_what_is_saved(self, data):
        clf = make(max_epochs=1).fit(data.X, data.votes)
        plain = make(max_epochs=1, loss="kl").fit(data.X, data.votes)
        assert len(pickle.dumps(clf)) - len(pickle.dumps(plain)) < 600

    def test_instance_is_left_alone(self, data):
        given = DirichletMultinomialLoss()
        clf = make(loss=given).fit(data.X, data.votes)
        assert concentration(given) == pytest.approx(START)
        assert concentration(clf.loss_) != pytest.approx(START)
        loaded = pickle.loads(pickle.dumps(clf))
        assert concentration(loaded.loss_) == concentration(clf.loss_)


class TestGoesOn:
    def test_from_stage_to_stage(self, data, starts):
        clf = make(stages=[{}, {"lr": 1e-2}]).fit(data.X, data.votes)
        assert starts[0] == pytest.approx(START)
        assert abs(starts[1] - START) > 0.5
        assert concentration(clf.loss_) != starts[1]

    def test_not_into_another_loss(self, data, starts):
        other = {"loss_params": {"concentration": 3.0}}
        stages = [{}, other, {"loss": "kl", "loss_params": None}, {}]
        clf = make(stages=stages, max_epochs=1).fit(data.X, data.votes)
        assert starts[1] == pytest.approx(3.0)
        assert starts[2] is None
        assert starts[3] == pytest.approx(START)
        assert concentration(clf.loss_) != starts[3]

    def test_not_into_a_fresh_start(self, data, starts):
        make(stages=[{}, {"start": "fresh"}]).fit(data.X, data.votes)
        assert starts[1] == pytest.approx(START)

    def test_partial_fit(self, data, starts):
        clf = make().fit(data.X, data.votes)
        learned = concentration(clf.loss_)
        loaded = pickle.loads(pickle.dumps(clf))
        for one in (clf, loaded):
            one.partial_fit(data.X, data.votes)
            assert starts[-1] == learned
            assert concentration(one.loss_) != learned
        assert concentration(clf.loss_) == concentration(loaded.loss_)
        # With a new optimizer, what was learned stays all the same.
        learned = concentration(clf.loss_)
        clf.set_params(optimizer="sgd", lr=1e-6).partial_fit(data.X, data.votes)
        assert starts[-1] == pytest.approx(learned)

    def test_warm_start(self, data, starts):
        clf = make(warm_start=True).fit(data.X, data.votes)
        learned = concentration(clf.loss_)
        clf.fit(data.X, data.votes)
        assert starts == [pytest.approx(START), learned]
        clf.set_params(warm_start=False).fit(data.X, data.votes)
        assert starts[-1] == pytest.approx(START)

    def test_failed_pass(self, data):
        clf = make().fit(data.X, data.votes)
        learned = concentration(clf.loss_)
        with pytest.raises(ValueError, match="training loss became"):
            clf.set_params(lr=1e30).partial_fit(data.X, data.votes)
        assert concentration(clf.loss_) == learned


class Tempered(VoteLoss):
    """A loss that reads logits at a temperature which it learns."""

    def __init__(self):
        super().__init__()
        self.log_t = nn.Parameter(torch.zeros(()))

    def cost(self, logits, fractions, total_votes=None):
        log_prob = torch.log_softmax(logits * self.log_t.exp(), dim=1)
        return -(fractions * log_prob).sum(dim=1)

    def probabilities(self, logits):
        return torch.softmax(logits.double() * self.log_t.exp(), dim=1)


def test_loss_that_reads_predictions(data):
    clf = make(loss=Tempered, max_epochs=1).fit(data.X, data.votes)
    assert float(clf.loss_.log_t) != 0
    logits = torch.from_numpy(clf.predict_logits(data.X)).double()
    expected = torch.softmax(logits * clf.loss_.log_t.exp(), dim=1).numpy()
    for one in (clf, pickle.loads(pickle.dumps(clf))):
        assert one.predict_proba(data.X) == pytest.approx(expected, abs=1e-7)
    clf.partial_fit(data.X, data.votes)
    expected = clf.loss_.probabilities(
        torch.from_numpy(clf.predict_logits(data.X))
    ).numpy()
    assert clf.predict_proba(data.X) == pytest.approx(expected, abs=1e-12)


class TemperedByClass(Tempered):
    """The same with a temperature for each class."""

    def __init__(self):
        super().__init__()
        self.log_t = nn.Parameter(torch.zeros(6))


def test_probabilities_where_the_logits_are(data):
    """On a GPU what was learned stays on the CPU, and logits need not."""
    clf = make(loss=TemperedByClass).fit(data.X, data.votes)
    elsewhere = torch.zeros(2, 6, device="meta")
    assert clf.net_.probabilities(elsewhere).device.type == "meta"
    assert clf.loss_.log_t.device.type == "cpu"
    logits = torch.randn(2, 6)
    expected = clf.loss_.probabilities(logits)
    torch.testing.assert_close(clf.net_.probabilities(logits), expected)
