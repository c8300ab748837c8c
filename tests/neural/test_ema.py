"""Averaged weights: numbers by hand, swaps bit for bit, checkpoints."""

import copy
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from hmsklearn.neural._ema import WeightEMA, make_ema


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 3)
        self.norm = nn.BatchNorm1d(3)
        self.gru = nn.GRU(3, 2, batch_first=True)
        self.head = nn.Linear(2, 4)

    def forward(self, x):
        x = self.norm(self.conv(x))
        return self.head(self.gru(x.mT)[0][:, -1])


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


def train_a_step(net):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    net.train()
    net(torch.randn(4, 2, 9)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def state(net):
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


class TestUpdate:
    @pytest.mark.parametrize("warmup", [False, True])
    def test_recursion(self, net, warmup):
        ema = WeightEMA(net, 0.9, warmup=warmup)
        expected = {n: p.detach().double().numpy() for n, p in net.named_parameters()}
        for n in range(20):
            train_a_step(net)
            ema.update(net)
            decay = min(0.9, (1 + n) / (10 + n)) if warmup else 0.9
            for name, p in net.named_parameters():
                new = p.detach().double().numpy()
                expected[name] = decay * expected[name] + (1 - decay) * new
        assert ema.n_updates == 20
        held = ema.state_dict()["parameters"]
        for name, value in expected.items():
            np.testing.assert_allclose(held[name], value, rtol=1e-5, atol=1e-6)

    def test_buffers_are_copied(self, net):
        ema = WeightEMA(net, 0.9)
        for _ in range(3):
            train_a_step(net)
        ema.update(net)
        held = ema.state_dict()["buffers"]
        assert torch.equal(held["norm.running_mean"], net.norm.running_mean)
        assert held["norm.num_batches_tracked"] == 3

    def test_no_decay_is_the_last_step(self, net):
        ema = WeightEMA(net, 0.0)
        train_a_step(net)
        ema.update(net)
        before = state(net)
        ema.copy_to(net)
        assert same(state(net), before)

    def test_frozen_weights_stay_exactly(self, net):
        net.conv.requires_grad_(False)
        ema = WeightEMA(net, 0.3)
        before = net.conv.weight.detach().clone()
        for _ in range(5):
            train_a_step(net)
            ema.update(net)
        assert torch.equal(ema.state_dict()["parameters"]["conv.weight"], before)

    def test_does_not_touch_the_module(self, net):
        ema = WeightEMA(net, 0.9)
        train_a_step(net)
        before = state(net)
        ema.update(net)
        assert same(state(net), before)
        assert all(p.requires_grad for p in net.parameters())


class TestSwap:
    def test_in_and_back(self, net):
        ema = WeightEMA(net, 0.9)
        train_a_step(net)
        ema.update(net)
        train_a_step(net)
        before = state(net)
        pointers = [p.data_ptr() for p in net.parameters()]
        other = Net()
        ema.copy_to(other)
        x = torch.randn(3, 2, 9)
        with ema.swapped(net) as swapped, warnings.catch_warnings():
            warnings.simplefilter("error")
            assert swapped is net
            assert not same(state(net), before)
            assert same(state(net), state(other))
            assert torch.equal(net.eval()(x), other.eval()(x))
        assert same(state(net), before)
        assert [p.data_ptr() for p in net.parameters()] == pointers

    def test_back_after_an_error(self, net):
        ema = WeightEMA(net, 0.9)
        train_a_step(net)
        before = state(net)
        with pytest.raises(KeyboardInterrupt), ema.swapped(net):
            raise KeyboardInterrupt
        assert same(state(net), before)

    def test_what_happens_inside_does_not_reach_the_average(self, net):
        ema = WeightEMA(net, 0.9)
        before = ema.state_dict()
        with ema.swapped(net):
            train_a_step(net)
        after = ema.state_dict()
        assert same(before["parameters"], after["parameters"])
        assert same(before["buffers"], after["buffers"])

    def test_channels_last_stays(self):
        net = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        ema = WeightEMA(net, 0.9)
        ema.update(net)
        with ema.swapped(net):
            assert net.weight.is_contiguous(memory_format=torch.channels_last)


class TestCheckpoint:
    def test_goes_on_bit_for_bit(self, net):
        torch.manual_seed(1)
        ema = WeightEMA(net, 0.99, warmup=True)
        for _ in range(4):
            train_a_step(net)
            ema.update(net)
        saved = copy.deepcopy(ema.state_dict())
        resumed = WeightEMA(Net(), 0.99, warmup=True)
        resumed.load_state_dict(saved)
        for _ in range(4):
            train_a_step(net)
            ema.update(net)
            resumed.update(net)
        assert resumed.n_updates == 8
        a, b = ema.state_dict(), resumed.state_dict()
        assert same(a["parameters"], b["parameters"])
        assert same(a["buffers"], b["buffers"])

    def test_state_is_a_copy(self, net):
        ema = WeightEMA(net, 0.5)
        saved = ema.state_dict()
        before = saved["parameters"]["head.weight"].clone()
        train_a_step(net)
        ema.update(net)
        assert torch.equal(saved["parameters"]["head.weight"], before)

    def test_of_another_module(self, net):
        ema = WeightEMA(net, 0.5)
        with pytest.raises(ValueError, match=r"of another module: parameters \['bias"):
            ema.load_state_dict(WeightEMA(nn.Linear(1, 1), 0.5).state_dict())
        with pytest.raises(ValueError, match="other parameters or buffers"):
            ema.update(nn.Linear(1, 1))


class TestMake:
    def test_forms(self, net):
        assert make_ema(net, None, caller="test") is None
        ema = make_ema(net, 0.998, caller="test")
        assert (ema.decay, ema.per, ema.warmup) == (0.998, "step", False)
        ema = make_ema(net, {"decay": 0.8, "per": "epoch"}, caller="test")
        assert (ema.decay, ema.per) == (0.8, "epoch")
        assert make_ema(net, {"decay": 0.8, "warmup": True}, caller="test").warmup

    @pytest.mark.parametrize(
        ("ema", "message"),
        [
            (1.0, "test: ema must be .* below 1, got 1.0"),
            (-0.1, "test: ema must be .*, got -0.1"),
            ("fast", "test: ema must be .*, got 'fast'"),
            ({"per": "epoch"}, "test: ema must be a decay or a dict with 'decay'"),
            ({"decay": 0.9, "each": 1}, "ema must be a decay or a dict"),
            ({"decay": 0.9, "per": "batch"}, "per must be one of 'step', 'epoch'"),
        ],
    )
    def test_unusable(self, net, ema, message):
        with pytest.raises(ValueError, match=message):
            make_ema(net, ema, caller="test")
