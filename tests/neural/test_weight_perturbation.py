"""Adversarial weight perturbation: where weights move, and what is learned there."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from hmsklearn.neural._weight_perturbation import WeightPerturbation, read_awp

# No class has votes in some of the small parts.
pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")


def layer(weight, gradient):
    net = nn.Linear(2, 2)
    net.weight.data = torch.tensor(weight)
    net.weight.grad = torch.tensor(gradient)
    net.bias.grad = torch.ones(2)
    return net


class TestMove:
    def test_by_hand(self):
        """Norm 5 of the weights and 10 of the gradient: moves are a tenth of half."""
        net = layer([[3.0, 0.0], [0.0, -4.0]], [[6.0, 1e-9], [0.0, 8.0]])
        bias = net.bias.detach().clone()
        with WeightPerturbation(lr=0.1, eps=1.0).applied(net):
            moved = net.weight.detach().tolist()
            assert torch.equal(net.bias, bias)
        assert moved[0] == pytest.approx([3.3, 0.0], abs=1e-6)
        assert moved[1] == pytest.approx([0.0, -3.6], abs=1e-6)

    def test_no_weight_moves_further_than_eps_of_its_size(self):
        net = layer([[3.0, 0.0], [0.0, -4.0]], [[6.0, 6.0], [0.0, 8.0]])
        with WeightPerturbation(lr=0.1, eps=0.02).applied(net):
            moved = net.weight.detach().flatten().tolist()
        assert moved == pytest.approx([3.06, 0.0, 0.0, -3.92])

    def test_scaled_gradients_move_it_alike(self):
        moved = []
        for scale in (1.0, 65536.0):
            net = layer([[3.0, 1.0], [2.0, -4.0]], [[6.0, 1.0], [0.5, 8.0]])
            net.weight.grad *= scale
            with WeightPerturbation(lr=0.1, eps=0.1).applied(net):
                moved.append(net.weight.detach().clone())
        assert torch.equal(*moved)

    @pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 0.0])
    def test_without_a_direction_it_stays(self, value):
        net = layer([[3.0, 1.0], [2.0, -4.0]], [[value, 0.0], [0.0, 0.0]])
        before = net.weight.detach().clone()
        with WeightPerturbation(lr=0.1, eps=0.1).applied(net):
            assert torch.equal(net.weight, before)

    def test_everything_is_back_to_the_bit(self):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv1d(3, 7, 5), nn.BatchNorm1d(7), nn.Conv1d(7, 2, 3))
        x = torch.randn(4, 3, 20)
        net(x).square().sum().backward()
        before = {name: value.clone() for name, value in net.state_dict().items()}
        with WeightPerturbation(lr=0.3, eps=0.3).applied(net):
            assert not torch.equal(net[0].weight, before["0.weight"])
            net(x)  # moves the running statistics
        after = net.state_dict()
        assert all(torch.equal(after[name], before[name]) for name in before)

    def test_back_also_after_an_error(self):
        net = layer([[3.0, 1.0], [2.0, -4.0]], [[6.0, 1.0], [0.5, 8.0]])
        before = net.weight.detach().clone()
        with pytest.raises(KeyError), WeightPerturbation().applied(net):
            raise KeyError
        assert torch.equal(net.weight, before)

    def test_what_is_frozen_stays(self):
        net = layer([[3.0, 1.0], [2.0, -4.0]], [[6.0, 1.0], [0.5, 8.0]])
        net.weight.requires_grad_(False)
        before = net.weight.detach().clone()
        with WeightPerturbation(lr=0.1).applied(net):
            assert torch.equal(net.weight, before)


class TestStart:
    def test_share_of_the_steps_or_epochs(self):
        for start, first in ((0, 0), (0.0, 0), (0.5, 10), (0.3, 6), (1, 4), (3, 12)):
            awp = WeightPerturbation(start=start)
            on = [awp.is_on(step, 20, 5) for step in range(20)]
            assert on == [step >= first for step in range(20)], start

    @pytest.mark.parametrize(
        ("awp", "error", "message"),
        [
            (0.01, TypeError, "awp must be a dict such as"),
            ({"rl": 0.1}, ValueError, r"awp has no key 'rl'.*'lr', 'eps', 'start'"),
            ({"lr": 0}, ValueError, r"awp\['lr'\] must be .* above 0"),
            ({"eps": -1}, ValueError, r"awp\['eps'\] must be .* above 0"),
            ({"start": 1.0}, ValueError, r"awp\['start'\] must be .* below 1"),
            ({"start": 4}, ValueError, r"awp\['start'\] must .* max_epochs=4"),
            ({"start": True}, ValueError, r"awp\['start'\] must be"),
        ],
    )
    def test_what_is_refused(self, awp, error, message):
        with pytest.raises(error, match=f"Net: .*{message}"):
            read_awp(awp, 4, caller="Net")

    def test_an_estimator_refuses_it_before_training(self, waveform, data):
        with pytest.raises(ValueError, match=r"WaveformClassifier: awp\['lr'\]"):
            waveform(awp={"lr": -1}).fit(data.X, data.votes)
        stages = [{"max_epochs": 1}, {"max_epochs": 1, "awp": {"start": 1}}]
        with pytest.raises(ValueError, match=r"stage 2: awp\['start'\]"):
            waveform(stages=stages).fit(data.X, data.votes)
        with pytest.raises(ValueError, match=r"partial_fit .*awp.*start"):
            waveform(awp={"start": 1}).partial_fit(data.X, data.votes)


class Plain(nn.Module):
    """Two layers, nothing that depends on how windows fall into batches."""

    head_prefixes = ("head",)

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.stem = nn.Linear(n_chans * n_times, 8)
        self.head = nn.Linear(8, n_outputs)

    def forward(self, x):
        return self.head(torch.tanh(self.stem(x.flatten(1))))


class Steps(Callback):
    """Keep gradients and weights of every step."""

    def on_train_begin(self, net, **kwargs):
        self.weights_, self.gradients_ = [copied(net)], []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        grads = {name: p.grad.clone() for name, p in named_parameters}
        self.gradients_.append(grads)
        self.weights_.append(copied(net))

    def on_epoch_end(self, net, **kwargs):
        self.last_ = copied(net)


def copied(net):
    return {name: p.detach().clone() for name, p in net.module_.named_parameters()}


AWP = {"lr": 0.2, "eps": 0.1}


@pytest.fixture
def steps(waveform, data):
    def steps(**params):
        recorder = Steps()
        settings = {
            **{"architecture": Plain, "architecture_params": None, "weight_decay": 0.0},
            **{"optimizer": torch.optim.SGD, "lr": 0.1, "schedule": "constant"},
            **{"batch_size": 96, "max_epochs": 1, "callbacks": [recorder]},
        }
        recorder.fitted = waveform(**{**settings, **params}).fit(data.X, data.votes)
        return recorder

    return steps


class TestTraining:
    def test_the_gradient_is_that_of_the_moved_weights(self, steps, data):
        done = steps(awp=AWP)
        start, [gradient] = done.weights_[0], done.gradients_
        module = done.fitted.net_.module_
        x, y = torch.from_numpy(data.X), torch.from_numpy(data.fractions).float()

        def gradients(weights):
            weights = {k: v.clone().requires_grad_() for k, v in weights.items()}
            state = {**dict(module.named_buffers()), **weights}
            logits = torch.func.functional_call(module, state, (x,))
            loss = -(y * logits.log_softmax(dim=1)).sum(dim=1).mean()
            grads = torch.autograd.grad(loss, list(weights.values()))
            return dict(zip(weights, grads, strict=True))

        plain = gradients(start)
        moved = {}
        for name, weight in start.items():
            moved[name] = weight
            if weight.ndim > 1:
                move = 0.2 * weight.norm() * plain[name] / plain[name].norm()
                limit = 0.1 * weight.abs()
                moved[name] = weight + torch.min(torch.max(move, -limit), limit)
        expected = gradients(moved)
        for name, grad in gradient.items():
            torch.testing.assert_close(grad, expected[name], rtol=1e-4, atol=1e-6)
            assert not torch.allclose(grad, plain[name], rtol=1e-2, atol=1e-4)

    def test_weights_step_from_where_they_were(self, steps):
        done = steps(awp=AWP)
        [gradient] = done.gradients_
        before, at_step = done.weights_
        for name, weight in before.items():
            assert torch.equal(at_step[name], weight)
            expected = weight - 0.1 * gradient[name]
            torch.testing.assert_close(done.last_[name], expected, rtol=0, atol=1e-7)

    # 96 windows: the last step is smaller in the last one, and its last batch.
    @pytest.mark.parametrize(("batch_size", "accumulate"), [(16, 2), (25, 3)])
    def test_accumulated_as_in_one_batch(self, steps, batch_size, accumulate):
        params = {"awp": AWP, "max_epochs": 2}
        parts = steps(**params, batch_size=batch_size, accumulate=accumulate)
        whole = steps(**params, batch_size=batch_size * accumulate)
        assert len(parts.gradients_) == len(whole.gradients_)
        for one, other in zip(parts.gradients_, whole.gradients_, strict=True):
            for name, grad in one.items():
                torch.testing.assert_close(grad, other[name], rtol=1e-3, atol=1e-5)

    def test_it_begins_when_it_should(self, steps):
        plain = steps(max_epochs=3, batch_size=32)
        late = steps(max_epochs=3, batch_size=32, awp={**AWP, "start": 2})
        same = [
            all(torch.equal(one[name], other[name]) for name in one)
            for one, other in zip(plain.gradients_, late.gradients_, strict=True)
        ]
        assert same == [True] * 6 + [False] * 3

    def test_a_stage_may_have_it_alone(self, steps):
        stages = [{"max_epochs": 1}, {"max_epochs": 1, "awp": AWP}]
        done = steps(stages=stages)
        plain = steps(stages=[{"max_epochs": 1}] * 2)
        for name, weight in done.weights_[0].items():
            assert torch.equal(weight, plain.weights_[0][name])
        name = "body.head.weight"
        assert not torch.equal(done.gradients_[0][name], plain.gradients_[0][name])

    def test_partial_fit_has_it_too(self, steps, waveform, data):
        settings = {**steps().fitted.get_params(), "callbacks": None}
        weights = []
        for awp in (None, AWP):
            clf = waveform(**{**settings, "awp": awp}).partial_fit(data.X, data.votes)
            weights.append(copied(clf.net_)["body.stem.weight"])
        assert not torch.equal(*weights)
