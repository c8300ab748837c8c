"""What a step does: accumulation, clipping, averages, rates, precision, losses."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from hmsklearn.metrics import kl_divergence
from hmsklearn.nets import NetOutput
from hmsklearn.nets.layers import VoteHead
from hmsklearn.neural import DirichletMultinomialLoss, SoftBCELoss, VoteKLLoss
from hmsklearn.neural._data import WindowDataset
from hmsklearn.neural._net import VoteNet

# No class has votes in some of the small parts.
pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")


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
    """Keep rates, gradients and weights of every step."""

    def on_train_begin(self, net, **kwargs):
        self.weights_ = [copied(net)]
        self.rates_, self.gradients_, self.losses_ = [], [], []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        grads = {name: p.grad.clone() for name, p in named_parameters}
        self.gradients_.append(grads)

    def on_batch_end(self, net, training=None, loss=None, **kwargs):
        if training:
            self.weights_.append(copied(net))
            self.losses_.append(loss.item())
            self.rates_.append([g["lr"] for g in net.optimizer_.param_groups])


def copied(net):
    return {name: p.detach().clone() for name, p in net.module_.named_parameters()}


@pytest.fixture
def make(waveform):
    def make(**params):
        settings = {
            "architecture": Plain,
            "architecture_params": None,
            "weight_decay": 0.0,
        }
        return waveform(**{**settings, **params})

    return make


SGD = {"optimizer": torch.optim.SGD, "lr": 0.1, "schedule": "constant"}


class TestAccumulation:
    # 96 windows: the last step is smaller in the last two, in the last one also its
    # last batch.
    @pytest.mark.parametrize(
        ("batch_size", "accumulate"), [(8, 4), (16, 2), (20, 2), (15, 3), (25, 3)]
    )
    def test_same_as_large_batches(self, make, data, batch_size, accumulate):
        parts, whole = Steps(), Steps()
        make(
            **SGD, batch_size=batch_size, accumulate=accumulate, callbacks=[parts]
        ).fit(data.X, data.votes)
        make(**SGD, batch_size=batch_size * accumulate, callbacks=[whole]).fit(
            data.X, data.votes
        )
        n = 2 * math.ceil(96 / (batch_size * accumulate))
        assert len(parts.gradients_) == len(whole.gradients_) == n
        for one, other in zip(parts.gradients_, whole.gradients_, strict=True):
            for name, grad in one.items():
                torch.testing.assert_close(grad, other[name], rtol=1e-4, atol=1e-6)
        for name, value in parts.weights_[-1].items():
            torch.testing.assert_close(
                value, whole.weights_[-1][name], rtol=1e-4, atol=1e-6
            )

    def test_weights_move_only_then(self, make, data):
        steps = Steps()
        make(**SGD, accumulate=4, max_epochs=1, callbacks=[steps]).fit(
            data.X, data.votes
        )
        name = "body.head.weight"
        moved = [
            not torch.equal(before[name], after[name])
            for before, after in zip(steps.weights_, steps.weights_[1:], strict=False)
        ]
        assert moved == [False, False, False, True, False, True]  # six batches

    def test_average_is_taken_with_the_steps(self, make, data):
        steps = Steps()
        clf = make(**SGD, accumulate=3, ema=0.5, max_epochs=1, callbacks=[steps])
        clf.fit(data.X, data.votes)
        start, first, last = (steps.weights_[i] for i in (0, 3, 6))
        for name, p in clf.net_.module_.named_parameters():
            expected = 0.25 * start[name] + 0.25 * first[name] + 0.5 * last[name]
            torch.testing.assert_close(p.detach(), expected, rtol=1e-5, atol=1e-7)


class TestClipping:
    def moves(self, make, data, **params):
        steps = Steps()
        make(**SGD, callbacks=[steps], **params).fit(data.X, data.votes)
        norms, grads = [], []
        for before, after, grad in zip(
            steps.weights_, steps.weights_[1:], steps.gradients_, strict=False
        ):
            squares = [(after[k] - before[k]).square().sum() for k in before]
            norms.append(torch.stack(squares).sum().sqrt().item() / 0.1)
            squares = [g.square().sum() for g in grad.values()]
            grads.append(torch.stack(squares).sum().sqrt().item())
        return np.array(norms), np.array(grads)

    def test_bounds_the_norm(self, make, data):
        norms, grads = self.moves(make, data, clip_grad=0.2)
        assert (grads > 0.2).any()  # what callbacks see is not clipped
        np.testing.assert_allclose(norms, np.minimum(grads, 0.2), rtol=1e-3)

    def test_off(self, make, data):
        norms, grads = self.moves(make, data)
        np.testing.assert_allclose(norms, grads, rtol=1e-3)

    def test_of_the_accumulated_gradient(self, make, data):
        whole = self.moves(make, data, clip_grad=0.2, batch_size=32)[1]
        steps = Steps()
        make(**SGD, callbacks=[steps], clip_grad=0.2, batch_size=16, accumulate=2).fit(
            data.X, data.votes
        )
        grads = [
            torch.stack([g.square().sum() for g in grad.values()]).sum().sqrt().item()
            for grad in steps.gradients_
        ]
        np.testing.assert_allclose(grads, whole, rtol=1e-3)


class TestAverages:
    def test_by_hand(self, make, data):
        steps = Steps()
        clf = make(ema=0.8, callbacks=[steps]).fit(data.X, data.votes)
        average = steps.weights_[0]
        for weights in steps.weights_[1:]:
            average = {k: 0.8 * v + 0.2 * weights[k] for k, v in average.items()}
        for name, p in clf.net_.module_.named_parameters():
            torch.testing.assert_close(p.detach(), average[name], rtol=1e-4, atol=1e-6)
        # Predictions are those of the averages, by hand.
        module = copy.deepcopy(clf.net_.module_)
        module.load_state_dict({**module.state_dict(), **average})
        with torch.no_grad():
            logits = module(torch.from_numpy(data.X))
        np.testing.assert_allclose(
            clf.predict_proba(data.X), logits.softmax(dim=1), atol=1e-5
        )

    def test_by_epoch_and_with_warm_up(self, make, data):
        for ema, decays in (
            ({"decay": 0.8, "per": "epoch"}, [0.8] * 3),
            ({"decay": 0.8, "per": "epoch", "warmup": True}, [1 / 10, 2 / 11, 3 / 12]),
        ):
            steps = Steps()
            clf = make(ema=ema, max_epochs=3, callbacks=[steps])
            clf.fit(data.X, data.votes)
            average = steps.weights_[0]
            for decay, weights in zip(decays, steps.weights_[6::6], strict=True):
                average = {
                    k: decay * v + (1 - decay) * weights[k] for k, v in average.items()
                }
            for name, p in clf.net_.module_.named_parameters():
                torch.testing.assert_close(
                    p.detach(), average[name], rtol=1e-4, atol=1e-6
                )

    def test_validation_is_that_of_the_average(self, make, data, more_data):
        clf = make(ema=0.9, max_epochs=3)
        clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        expected = kl_divergence(more_data.votes, clf.predict_proba(more_data.X))
        assert clf.history_["valid_kl"].iloc[-1] == pytest.approx(expected, abs=1e-5)
        plain = make(max_epochs=3)
        plain.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        # The training is the same; what is validated is not.
        assert clf.history_["train_loss"].equals(plain.history_["train_loss"])
        assert clf.history_["valid_kl"].iloc[-1] != plain.history_["valid_kl"].iloc[-1]

    def test_best_epoch_of_the_average(self, make, data, more_data):
        clf = make(
            ema=0.7,
            lr=0.3,
            schedule="constant",
            max_epochs=8,
            early_stopping=True,
        )
        clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        kl = kl_divergence(more_data.votes, clf.predict_proba(more_data.X))
        assert clf.history_["valid_kl"].min() == pytest.approx(kl, abs=1e-5)


class TestRates:
    def test_backbone_and_head(self, make, data):
        steps = Steps()
        clf = make(lr=1e-2, backbone_lr=1e-3, schedule="linear", callbacks=[steps])
        clf.fit(data.X, data.votes)
        rates = np.array(steps.rates_)
        factor = 1 - np.arange(12) / 12
        # Head and backbone, each with a group for matrices and one for the others.
        np.testing.assert_allclose(
            rates, factor[:, None] * np.array([1e-2, 1e-2, 1e-3, 1e-3])
        )
        # Adam's first step is as long as the rate.
        first, second = steps.weights_[:2]
        step = {k: (second[k] - first[k]).abs().max().item() for k in first}
        assert step["body.head.weight"] == pytest.approx(1e-2, rel=1e-2)
        assert step["body.stem.weight"] == pytest.approx(1e-3, rel=1e-2)
        assert clf.history_["lr"].iloc[-1] == pytest.approx(1e-2 / 12)

    def test_backbone_above_the_head(self, make, data):
        steps = Steps()
        clf = make(lr=1e-3, backbone_lr=1e-2, schedule="constant", callbacks=[steps])
        clf.fit(data.X, data.votes)
        first, second = steps.weights_[:2]
        step = {k: (second[k] - first[k]).abs().max().item() for k in first}
        assert step["body.head.weight"] == pytest.approx(1e-3, rel=1e-2)
        assert step["body.stem.weight"] == pytest.approx(1e-2, rel=1e-2)
        assert clf.history_["lr"].tolist() == [1e-3] * 2

    def test_layer_by_layer(self, timm_classifier, data):
        groups = []

        class Groups(Callback):
            def on_train_begin(self, net, **kwargs):
                names = {p: n for n, p in net.module_.named_parameters()}
                for group in net.optimizer_.param_groups:
                    groups.extend(
                        (names[p], group["lr_scale"]) for p in group["params"]
                    )

        clf = timm_classifier(layer_decay=0.5, max_epochs=1, callbacks=[Groups()])
        clf.fit(data.images, data.votes)
        scales = dict(groups)
        assert len(scales) == len(list(clf.net_.module_.parameters()))

        def of(part):
            found = {s for name, s in scales.items() if part in name}
            assert len(found) == 1, (part, found)
            return found.pop()

        assert of("body.head") == 1.0
        stem, first, last = of("conv_stem"), of("blocks.0.0"), of("conv_head")
        assert stem < first < last <= 1.0
        assert {math.log2(s) % 1 for s in scales.values()} == {0.0}

    def test_one_cycle(self, make, data):
        steps = Steps()
        make(schedule="one_cycle", lr=1e-2, max_epochs=3, callbacks=[steps]).fit(
            data.X, data.votes
        )
        parameter = nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.AdamW([parameter], lr=1e-2)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=1e-2, total_steps=18
        )
        expected = []
        for _ in range(18):
            expected.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            cycle.step() if len(expected) < 18 else None
        np.testing.assert_allclose([r[0] for r in steps.rates_], expected, rtol=1e-6)

    def test_list_of_epochs(self, make, data):
        steps = Steps()
        rates = [1e-2, 5e-3, 1e-4]
        clf = make(schedule=rates, max_epochs=3, callbacks=[steps])
        clf.fit(data.X, data.votes)
        np.testing.assert_allclose(
            [r[0] for r in steps.rates_], np.repeat(rates, 6), rtol=1e-12
        )
        assert clf.history_["lr"].tolist() == pytest.approx(rates)

    def test_backbone_beside_a_list_of_epochs(self, make, data):
        steps = Steps()
        clf = make(
            schedule=[4e-3, 1e-2, 1e-3],
            backbone_lr=2e-3,
            lr=0.5,  # not used
            max_epochs=3,
            callbacks=[steps],
        )
        clf.fit(data.X, data.votes)
        rates = np.array(steps.rates_)
        assert rates[:, -1].max() == pytest.approx(2e-3)
        np.testing.assert_allclose(
            rates[:, [0, -1]],
            np.repeat([[4e-3, 8e-4], [1e-2, 2e-3], [1e-3, 2e-4]], 6, axis=0),
        )

    def test_warm_up_of_epochs(self, make, data):
        steps = Steps()
        make(warmup=1, schedule="constant", max_epochs=3, callbacks=[steps]).fit(
            data.X, data.votes
        )
        rates = [r[0] for r in steps.rates_]
        np.testing.assert_allclose(rates[:6], 1e-2 * np.arange(1, 7) / 7)
        np.testing.assert_allclose(rates[6:], 1e-2)

    @pytest.mark.parametrize("optimizer", ["adamw", "adam", "adan", "madgrad", "sgd"])
    def test_optimizers_learn(self, make, data, optimizer):
        clf = make(optimizer=optimizer, max_epochs=6).fit(data.X, data.votes)
        loss = clf.history_["train_loss"]
        assert loss.iloc[-1] < 0.8 * loss.iloc[0]


class TestPrecision:
    def net(self, data, dtype, **kwargs):
        params = {"n_chans": 3, "n_outputs": 6, "n_times": 128}
        net = VoteNet(
            Plain,
            params,
            "global",
            caller="test",
            amp_dtype=dtype,
            lr=1e-2,
            max_epochs=4,
            batch_size=16,
            **kwargs,
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net.initialize()
            train = WindowDataset(data.X / 20, data.fractions)
            return net.fit_datasets(train, train)

    def test_autocast(self, data):
        # On a CPU by the class itself; the estimator wants a GPU for it.
        types = []

        class Types(Callback):
            def on_batch_end(self, net, y_pred=None, training=None, **kwargs):
                types.append((training, y_pred.dtype))

        half = self.net(data, torch.bfloat16, callbacks=[Types()])
        full = self.net(data, None)
        assert set(types) == {(True, torch.bfloat16), (False, torch.float32)}
        one, other = half.history[:, "train_loss"], full.history[:, "train_loss"]
        np.testing.assert_allclose(one, other, rtol=0.02)
        assert one != other
        assert one[-1] < 0.8 * one[0]
        for p in half.module_.parameters():
            assert p.dtype == torch.float32

    def test_average_and_accumulation_in_half_precision(self, data):
        net = self.net(data, torch.bfloat16, ema=0.9, accumulate=2, clip_grad=1.0)
        loss = net.history[:, "train_loss"]
        assert loss[-1] < loss[0]
        assert all(p.isfinite().all() for p in net.module_.parameters())


class TestCompiled:
    @pytest.mark.parametrize("backend", ["eager", "aot_eager"])
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_same_result(self, make, data, monkeypatch, backend):
        compiled = []
        original = torch.compile

        def quick(module, **kwargs):
            compiled.append(module)
            return original(module, backend=backend)

        monkeypatch.setattr(torch, "compile", quick)
        stages = [{"max_epochs": 2}, {"freeze": "stem", "max_epochs": 1}]
        params = {"ema": 0.9, "stages": stages}
        torch._dynamo.reset()
        with_it = make(compile=True, **params).fit(data.X, data.votes)
        assert len(compiled) == 1  # once for all stages
        without = make(**params).fit(data.X, data.votes)
        np.testing.assert_allclose(
            with_it.predict_proba(data.X), without.predict_proba(data.X), atol=1e-5
        )
        assert with_it.net_.compiled_ is None
        torch._dynamo.reset()

    def test_is_not_in_the_pickle(self, make, data, monkeypatch):
        monkeypatch.setattr(torch, "compile", lambda module, **kwargs: module)
        clf = make(compile=True).fit(data.X, data.votes)
        loaded = pickle.loads(pickle.dumps(clf))
        assert np.array_equal(loaded.predict_proba(data.X), clf.predict_proba(data.X))


class TestCheckpointing:
    @pytest.mark.parametrize("head", [None, {"drop_rate": 0.3}])
    def test_same_result_bit_for_bit(self, waveform, data, head):
        one, other = (
            waveform(grad_checkpointing=on, head=head).fit(data.X, data.votes)
            for on in (True, False)
        )
        assert np.array_equal(one.predict_proba(data.X), other.predict_proba(data.X))
        assert one.net_.module_.body.grad_checkpointing
        assert not other.net_.module_.body.grad_checkpointing

    def test_of_timm(self, timm_classifier, data):
        one, other = (
            timm_classifier(
                "resnet10t", grad_checkpointing=on, max_epochs=1, batch_size=12
            ).fit(data.images[:24], data.votes[:24])
            for on in (True, False)
        )
        # Batch norms see a batch twice there, as timm's checkpointing has it.
        tensors = dict(one.net_.module_.named_parameters())
        for name, p in other.net_.module_.named_parameters():
            assert torch.equal(p, tensors[name]), name

    def test_without(self, make, data):
        with pytest.raises(
            ValueError,
            match=r"WaveformClassifier: grad_checkpointing=True, but architecture "
            r"'Plain' has no set_grad_checkpointing",
        ):
            make(grad_checkpointing=True).fit(data.X, data.votes)


class Auxiliary(Plain):
    """Two further heads and a loss of its own."""

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__(n_chans, n_outputs, n_times)
        self.raw = nn.Linear(8, n_outputs)
        self.spec = nn.Linear(8, n_outputs)

    def forward(self, x):
        features = torch.tanh(self.stem(x.flatten(1)))
        logits = self.head(features)
        if not self.training:
            return logits
        aux = {"raw": self.raw(features), "spec": self.spec(features)}
        return NetOutput(logits, aux, {"small": 0.1 * features.square().mean()})


class TestAuxiliary:
    @pytest.mark.parametrize(
        ("aux_weight", "of"),
        [
            (1.0, {"raw": 1.0, "spec": 1.0}),
            (0.25, {"raw": 0.25, "spec": 0.25}),
            ({"raw": 0.5}, {"raw": 0.5, "spec": 0.0}),
            ({"raw": 2.0, "spec": 0.5}, {"raw": 2.0, "spec": 0.5}),
        ],
    )
    def test_formula(self, make, data, aux_weight, of):
        # Nothing moves at this rate, so the loss is that of the fitted net.
        weight = np.random.default_rng(0).uniform(0.5, 2, 96)
        clf = make(
            architecture=Auxiliary,
            aux_weight=aux_weight,
            lr=1e-30,
            max_epochs=1,
            batch_size=96,
        )
        clf.fit(data.X, data.votes, sample_weight=weight)
        module = clf.net_.module_.train()
        with torch.no_grad():
            output = module(torch.from_numpy(data.X))
        module.eval()

        def kl(logits):
            prob = logits.softmax(dim=1)
            return kl_divergence(data.votes, prob.numpy(), sample_weight=weight)

        expected = kl(output.logits) + sum(of[k] * kl(v) for k, v in output.aux.items())
        expected = expected / (1 + sum(of.values())) + output.losses["small"].item()
        assert clf.history_["train_loss"][0] == pytest.approx(expected, rel=1e-4)

    def test_learn(self, make, data):
        clf = make(architecture=Auxiliary, max_epochs=8).fit(data.X, data.votes)
        module = clf.net_.module_.train()
        with torch.no_grad():
            output = module(torch.from_numpy(data.X))
        module.eval()
        for logits in (output.logits, *output.aux.values()):
            kl = kl_divergence(data.votes, logits.softmax(dim=1).numpy())
            assert kl < data.baseline_kl

    def test_weight_zero(self, make, data):
        steps = Steps()
        clf = make(architecture=Auxiliary, aux_weight=0.0, callbacks=[steps])
        clf.fit(data.X, data.votes)
        for name in ("raw", "spec"):
            key = f"body.{name}.weight"
            assert torch.equal(steps.weights_[0][key], steps.weights_[-1][key])

    def test_predictions_are_those_of_the_main_head(self, make, data):
        clf = make(architecture=Auxiliary).fit(data.X, data.votes)
        assert clf.predict_proba(data.X).shape == (96, 6)


class TestTwoPopulations:
    def test_each_head_trains_on_its_own(self, waveform, data):
        # One window of the other population, with next to no weight.
        order = np.argsort(data.votes.sum(axis=1) >= 8, kind="stable")
        n_few = int((data.votes.sum(axis=1) < 8).sum())
        name = "body.head.linear{}.weight"
        for rows, moves, stays in (
            (order[: n_few + 1], "_few", ""),
            (order[n_few - 1 :], "", "_few"),
        ):
            odd = -1 if moves else 0
            weight = np.ones(len(rows))
            weight[odd] = 1e-30
            steps = Steps()
            waveform(
                head={"vote_threshold": 8},
                weight_decay=0.0,
                max_epochs=1,
                callbacks=[steps],
                optimizer=torch.optim.SGD,
                lr=0.1,
            ).fit(data.X[rows], data.votes[rows], sample_weight=weight)
            first, last = steps.weights_[0], steps.weights_[-1]
            assert torch.equal(first[name.format("")], first[name.format("_few")])
            assert not torch.equal(first[name.format(moves)], last[name.format(moves)])
            assert torch.equal(first[name.format(stays)], last[name.format(stays)])

    @pytest.mark.parametrize(
        ("ema", "start"), [(None, {}), (0.9, {}), (0.9, {"start": "current"})]
    )
    def test_a_curriculum_from_few_to_many(self, waveform, data, ema, start):
        clf = waveform(
            head={"vote_threshold": 8},
            stages=[{"max_epochs": 4, "max_votes": 7}, {"max_epochs": 1, **start}],
            lr=3e-2,
            ema=ema,
        )
        began, ends = [], []

        class Watch(Callback):
            def on_train_begin(self, net, **kwargs):
                began.append(copied(net))

            def on_train_end(self, net, **kwargs):
                ends.append(copied(net))

        clf.set_params(callbacks=[Watch()]).fit(data.X, data.votes)
        few, many = "body.head.linear_few.weight", "body.head.linear.weight"
        assert torch.equal(began[0][few], began[0][many])
        # The head that predicts has learned from the few, and hands it on.
        assert not torch.equal(began[0][many], ends[0][many])
        assert torch.equal(began[1][few], began[1][many])
        assert not torch.equal(began[1][few], began[0][few])
        # Apart again, each from its own.
        assert not torch.equal(ends[1][few], ends[1][many])
        assert not clf.net_.module_.body.head.together

    def test_heads_that_both_learned_are_not_made_alike(self, waveform, data):
        began = []

        class Watch(Callback):
            def on_train_begin(self, net, **kwargs):
                began.append(copied(net))

        stages = [{}, {"min_votes": 8}, {}]
        clf = waveform(
            head={"vote_threshold": 8},
            max_epochs=1,
            stages=stages,
            callbacks=[Watch()],
            warm_start=True,
        )
        clf.fit(data.X, data.votes)
        clf.fit(data.X, data.votes)
        few, many = "body.head.linear_few.weight", "body.head.linear.weight"
        assert torch.equal(began[0][few], began[0][many])
        assert len(began) == 6
        for weights in began[1:]:
            assert not torch.equal(weights[few], weights[many])

    @pytest.mark.parametrize(
        ("stages", "message"),
        [
            ([{"max_votes": 7}], "all windows to train on have fewer votes"),
            ([{"min_votes": 8}, {"max_votes": 7}], "the last stage trains on windows"),
        ],
    )
    def test_the_head_that_predicts_must_learn(self, waveform, data, stages, message):
        clf = waveform(head={"vote_threshold": 8}, max_epochs=1, stages=stages)
        with pytest.raises(
            ValueError, match=rf"WaveformClassifier: .*{message}.*eave .*out"
        ):
            clf.fit(data.X, data.votes)

    def test_unknown_votes(self, waveform, data):
        clf = waveform(head={"vote_threshold": 8}, max_epochs=1)
        message = "WaveformClassifier: vote_threshold=8 needs the number of votes"
        with pytest.raises(ValueError, match=message):
            clf.fit(data.X, data.fractions)
        with pytest.raises(ValueError, match=message):
            clf.partial_fit(data.X, data.fractions)

    def test_a_threshold_without_effect(self, waveform, data):
        clf = waveform(head={"vote_threshold": 2}, max_epochs=1)
        with pytest.warns(UserWarning, match="vote_threshold=2 has no effect"):
            clf.fit(data.X, data.votes)

    def test_one_pass_of_few_votes(self, waveform, data):
        clf = waveform(head={"vote_threshold": 20})
        with pytest.warns(UserWarning, match="head that predicts learns nothing"):
            clf.partial_fit(data.X, data.votes)

    def test_unusable_threshold(self, waveform, data):
        for threshold in (0, -3, "ten", float("nan")):
            with pytest.raises(
                (TypeError, ValueError), match="VoteHead: vote_threshold must be"
            ):
                VoteHead(4, 6, vote_threshold=threshold)

    def test_gradients_come_from_their_windows(self, waveform, data):
        # Opposite votes for few and many voters: each head learns its own answer.
        label = np.where(np.arange(96) % 2, 0, 1)
        votes = np.zeros((96, 6), dtype=int)
        votes[np.arange(96), label] = np.where(label == 0, 3, 12)
        clf = waveform(head={"vote_threshold": 10}, max_epochs=8, lr=3e-2)
        X = np.repeat(data.X[:1], 96, axis=0)
        clf.fit(X, votes)
        # Predictions come from the head of the many.
        assert clf.predict_proba(X)[:, 1].min() > 0.9
        head = clf.net_.module_.body.head
        head.linear.load_state_dict(head.linear_few.state_dict())
        assert clf.predict_proba(X)[:, 0].min() > 0.9

    def test_a_net_without_that_head(self, make, data):
        with pytest.raises(
            ValueError, match=r"WaveformClassifier: .*Plain.*reset_head"
        ):
            make(head={"drop_rate": 0.5}).fit(data.X, data.votes)

    def test_unknown_parameter_of_the_head(self, waveform, data):
        with pytest.raises(ValueError, match=r"WaveformClassifier: .*drp_rate"):
            waveform(head={"drp_rate": 0.5}).fit(data.X, data.votes)


class TestMultiSampleDropout:
    def test_samples_by_hand(self):
        torch.manual_seed(0)
        head = VoteHead(16, 6, drop_rate=0.5, n_samples=3)
        x = torch.randn(4, 16)
        torch.manual_seed(1)
        samples = head(x)
        assert samples.shape == (4, 3, 6)
        torch.manual_seed(1)
        masks = [nn.functional.dropout(torch.ones(4, 16), 0.5) for _ in range(3)]
        assert not torch.equal(masks[0], masks[1])
        for i, mask in enumerate(masks):
            expected = (x * mask) @ head.linear.weight.T + head.linear.bias
            torch.testing.assert_close(samples[:, i], expected)
        torch.testing.assert_close(head.eval()(x), head.linear(x))

    @pytest.mark.parametrize("votes", [None, torch.tensor([3.0, 12.0])])
    def test_samples_of_two_populations(self, votes):
        torch.manual_seed(0)
        head = VoteHead(8, 6, drop_rate=0.5, n_samples=2, vote_threshold=10)
        nn.init.ones_(head.linear_few.bias)
        x = torch.zeros(2, 8)
        few = head(x, total_votes=votes)[0]
        expected = head.linear.bias if votes is None else head.linear_few.bias
        torch.testing.assert_close(few, expected.expand(2, 6))

    @pytest.mark.parametrize("loss", ["kl", "bce"])
    def test_losses_are_averaged(self, waveform, data, loss):
        # Nothing moves at this rate, so the masks of the one step can be drawn again.
        states, seen = [], []

        class State(Callback):
            def on_batch_begin(self, net, batch=None, training=None, **kwargs):
                states.append((torch.get_rng_state(), batch))

            def on_batch_end(self, net, y_pred=None, **kwargs):
                seen.append(y_pred.detach())

        weight = np.random.default_rng(0).uniform(0.5, 2, 96)
        clf = waveform(
            head={"drop_rate": 0.5, "n_samples": 4},
            loss=loss,
            lr=1e-30,
            max_epochs=1,
            batch_size=96,
            callbacks=[State()],
        ).fit(data.X, data.votes, sample_weight=weight)
        net = clf.net_
        module = net.module_.train()
        state, (inputs, y) = states[0]
        torch.set_rng_state(state)
        with torch.no_grad():
            logits = module(inputs)
        module.eval()
        assert logits.shape == (96, 4, 6)
        of_class = {"kl": VoteKLLoss, "bce": SoftBCELoss}[loss]()
        weight = inputs["sample_weight"]
        each = [of_class(logits[:, i], y, sample_weight=weight) for i in range(4)]
        of_mean = of_class(logits.mean(dim=1), y, sample_weight=weight)
        got = clf.history_["train_loss"][0]
        assert got == pytest.approx(torch.stack(each).mean().item(), rel=1e-4)
        assert abs(got - of_mean.item()) > 1e-3
        assert seen[0].shape == (96, 6)
        assert clf.predict_proba(data.X).shape == (96, 6)


class TestLosses:
    @pytest.mark.parametrize(
        ("loss", "params"),
        [
            ("kl", None),
            ("bce", None),
            ("focal", {"gamma": 0.5}),
            ("dirichlet_multinomial", None),
            ("dirichlet_multinomial", {"per_vote": True, "learn": False}),
            (DirichletMultinomialLoss(5.0), None),
            (DirichletMultinomialLoss, {"concentration": 5.0}),
        ],
    )
    def test_trains_and_predicts(self, make, data, loss, params):
        clf = make(loss=loss, loss_params=params, max_epochs=10)
        clf.fit(data.X, data.votes)
        assert clf.history_["train_loss"].is_monotonic_decreasing
        prob = clf.predict_proba(data.X)
        np.testing.assert_allclose(prob.sum(axis=1), 1.0, atol=1e-12)
        assert prob.min() >= 0
        assert -clf.score(data.X, data.votes) < data.baseline_kl

    @pytest.mark.parametrize("loss", ["bce", "focal"])
    def test_sigmoids(self, make, data, loss):
        clf = make(loss=loss).fit(data.X, data.votes)
        logits = clf.predict_logits(data.X).astype(np.float64)
        sigmoid = 1 / (1 + np.exp(-logits))
        expected = sigmoid / sigmoid.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(clf.predict_proba(data.X), expected, rtol=1e-9)

    def test_validation_is_the_kl_of_what_is_predicted(self, make, data, more_data):
        for loss in ("bce", "dirichlet_multinomial"):
            clf = make(loss=loss)
            clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
            expected = kl_divergence(more_data.votes, clf.predict_proba(more_data.X))
            assert clf.history_["valid_kl"].iloc[-1] == pytest.approx(
                expected, abs=1e-5
            )

    def test_concentration_is_learned(self, make, data):
        seen = []

        class Concentration(Callback):
            def on_epoch_end(self, net, **kwargs):
                seen.append(net.criterion_.log_concentration.exp().item())

        loss = DirichletMultinomialLoss(10.0)
        make(loss=loss, max_epochs=3, callbacks=[Concentration()]).fit(
            data.X, data.votes
        )
        assert len(set(seen)) == 3
        assert abs(seen[-1] - 10.0) > 0.1
        # The instance given is not touched.
        assert loss.log_concentration.exp().item() == pytest.approx(10.0)
        seen.clear()
        make(
            loss="dirichlet_multinomial",
            loss_params={"learn": False},
            callbacks=[Concentration()],
        ).fit(data.X, data.votes)
        assert seen == pytest.approx([10.0, 10.0])

    def test_needs_counts(self, make, data):
        with pytest.raises(ValueError, match="needs the number of votes of every"):
            make(loss="dirichlet_multinomial").fit(data.X, data.fractions)
