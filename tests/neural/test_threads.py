"""Threads that predict or load while another trains: nobody's draws are disturbed."""

import pickle
import threading

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from hmsklearn.neural._device import leaving_random_state, seeded
from hmsklearn.neural._fold import fold_batch_norms

# Much longer than anything here takes: a thread that waits for this has been shut out.
TIMEOUT = 60

SMALL = {"width": 4, "kernels": (3,), "n_blocks": 2, "gru_hidden": 0}


class Rendezvous:
    """Lets a training draw while another thread is in the middle of its work."""

    def __init__(self):
        self.inside, self.drawn = threading.Event(), threading.Event()
        self.thread = None

    def wait_inside(self):
        """Stand still in the other thread until the training has drawn."""
        if threading.current_thread() is self.thread:
            self.inside.set()
            assert self.drawn.wait(TIMEOUT)


meeting = Rendezvous()


class MeetingNet(nn.Module):
    """A net that draws in training, and stands still where another thread runs it."""

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.convolution = nn.Conv1d(n_chans, 4, 5)
        meeting.wait_inside()
        self.norm = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(4, n_outputs)

    def forward(self, x):
        meeting.wait_inside()
        x = self.norm(self.convolution(x)).relu().mean(dim=2)
        return self.head(self.drop(x))


class Starts(Callback):
    """Starts a thread in the middle of a training."""

    def __init__(self, work, seconds):
        self.work = work
        self.seconds = seconds
        self.met_ = None

    def on_batch_begin(self, net, training=False, **kwargs):
        if self.met_ is None:
            meeting.thread = threading.Thread(target=self.work)
            meeting.thread.start()
            self.met_ = meeting.inside.wait(self.seconds)

    def on_epoch_end(self, net, **kwargs):
        meeting.drawn.set()


def net_of(waveform, **params):
    return waveform(architecture=MeetingNet, architecture_params={}, **params)


def weights_of(clf):
    return {k: v.clone() for k, v in clf.net_.module_.state_dict().items()}


@pytest.fixture(autouse=True)
def fresh_meeting():
    meeting.__init__()
    yield
    meeting.drawn.set()
    if meeting.thread is not None:
        meeting.thread.join()


@pytest.fixture
def alone(waveform, data):
    """Weights of a training that no other thread accompanies, and its classifier."""
    clf = net_of(waveform).fit(data.X, data.votes)
    return weights_of(clf), clf


def train_beside(work, waveform, data, *, seconds):
    """Train as `alone`, while a thread works; return weights and whether they met."""
    starts = Starts(work, seconds)
    state = torch.get_rng_state()
    clf = net_of(waveform, callbacks=[starts]).fit(data.X, data.votes)
    meeting.thread.join(TIMEOUT)
    assert not meeting.thread.is_alive()
    assert torch.equal(torch.get_rng_state(), state)
    return weights_of(clf), starts.met_


def assert_equal(weights, expected):
    assert weights.keys() == expected.keys()
    for name, value in weights.items():
        assert torch.equal(value, expected[name]), name


def test_predicting_neither_waits_nor_disturbs(waveform, data, alone):
    expected, other = alone
    prob = other.predict_proba(data.X)
    found = []

    def predict():
        other.net_._keep(engine_=None)  # so that the net is folded now
        found.append(other.predict_proba(data.X))

    weights, met = train_beside(predict, waveform, data, seconds=TIMEOUT)
    assert met
    assert_equal(weights, expected)
    np.testing.assert_array_equal(found[0], prob)


def test_loading_does_not_disturb(waveform, data, alone):
    expected, other = alone
    prob, dump = other.predict_proba(data.X), pickle.dumps(other)
    found = []

    def load():
        loaded = pickle.loads(dump)
        found.append(loaded.predict_proba(data.X))

    # It waits for the training, which goes on without meeting it.
    weights, met = train_beside(load, waveform, data, seconds=0.5)
    assert not met
    assert_equal(weights, expected)
    np.testing.assert_array_equal(found[0], prob)


def test_many_threads_predict_while_others_train(waveform, data):
    X, votes = data.X[:48], data.votes[:48]

    def train():
        clf = waveform(architecture_params={**SMALL, "dropout": 0.5}, max_epochs=1)
        return clf.fit(X, votes)

    clf = train()
    expected = clf.predict_proba(X)
    dump = pickle.dumps(clf)
    results = []

    def fit_and_predict():
        results.append(train().predict_proba(X))

    def load_and_predict():
        loaded = pickle.loads(dump)
        for _ in range(5):
            loaded.net_._keep(engine_=None)
            results.append(loaded.predict_proba(X))

    work = (fit_and_predict, load_and_predict) * 2
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 12
    for result in results:
        np.testing.assert_array_equal(result, expected)


class Noisy(nn.Module):
    """Draws whenever it runs."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4)

    def forward(self, x):
        return self.norm(self.convolution(x)) + torch.rand(())


def test_folding_a_net_that_draws_leaves_the_random_state():
    state = torch.get_rng_state()
    net = Noisy().eval()
    torch.set_rng_state(state)
    fold_batch_norms(net, torch.zeros(1, 2, 9))
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_is_put_back_while_another_thread_draws():
    ready, done = threading.Event(), threading.Event()
    drawn = []

    def train():
        with seeded(0, "cpu"):
            ready.set()
            assert done.wait(TIMEOUT)
            drawn.append(torch.rand(3))

    with seeded(0, "cpu"):
        expected = torch.rand(4)[1:]
    thread = threading.Thread(target=train)
    thread.start()
    assert ready.wait(TIMEOUT)
    with leaving_random_state():
        torch.rand(1)
    done.set()
    thread.join()
    torch.testing.assert_close(drawn[0], expected, rtol=0, atol=0)
