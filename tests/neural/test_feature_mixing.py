"""ManifoldMixup within a classifier: between the features of a net and its head."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hmsklearn.augmentation import ManifoldMixup
from hmsklearn.nets import BaseNet
from hmsklearn.neural import MultiViewClassifier, TimmClassifier, WaveformClassifier
from hmsklearn.neural._feature_mixing import forward_mixed

# Small parts of the data hold no votes for some classes.
pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")

# Nothing moves, so that the epoch's loss is that of the fitted net.
STILL = {"max_epochs": 1, "batch_size": 96, "lr": 1e-30, "weight_decay": 0.0}


class Fixed(ManifoldMixup):
    """Two windows, of which the first keeps three quarters and the second a half."""

    def _draw(self, x, generator, context):
        return {"partner": torch.tensor([1, 0]), "lam": torch.tensor([0.75, 0.5])}


class Kept(ManifoldMixup):
    """Keep what comes in and what goes out, also of clones."""

    seen: list = []

    def apply(self, batch, generator=None):
        out = super().apply(batch, generator)
        detached = [
            {k: v.detach().clone() for k, v in one.items()} for one in (batch, out)
        ]
        self.seen.append(detached)
        return out


@pytest.fixture
def seen():
    Kept.seen.clear()
    yield Kept.seen
    Kept.seen.clear()


class Flat(BaseNet):
    """Features are the windows' samples, in a precision of its own."""

    dtype = torch.float32

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__(n_chans, n_outputs, n_times)
        self.num_features = n_chans * n_times
        self.reset_head(n_outputs)

    def forward_features(self, x):
        return x.flatten(1).to(self.dtype)

    def forward_head(self, x, pre_logits=False, total_votes=None):
        self.head_got = x, total_votes
        return super().forward_head(x, pre_logits, total_votes)


class Own(nn.Module):
    """A net that knows nothing of this package."""

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.head = nn.Linear(n_chans * n_times, n_outputs)

    def forward(self, x):
        return self.head(x.flatten(1))


class NoHead(Flat):
    """A net that goes past its own head."""

    def forward(self, x):
        return self.head(self.forward_features(x))


class Wrapped(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, batch, prepared=False):
        assert prepared
        assert "fractions" not in batch
        return self.body(batch["x"], total_votes=batch.get("total_votes"))


def batch():
    return {
        "x": torch.tensor([[[1.0, 2.0]], [[5.0, 10.0]]]),
        "fractions": torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.75, 0.25]]),
        "sample_weight": torch.tensor([1.0, 3.0]),
        "total_votes": torch.tensor([4.0, 12.0]),
    }


class TestForward:
    def test_by_hand(self):
        net = Wrapped(Flat(1, 3, 2))
        output, mixed = forward_mixed(net, batch(), [Fixed(p=1.0)])
        features, votes = net.body.head_got
        assert features.tolist() == [[2.0, 4.0], [3.0, 6.0]]
        assert votes.tolist() == [6.0, 8.0]
        assert torch.equal(output, net.body.head(features))
        assert mixed["fractions"].tolist() == [
            [0.375, 0.5625, 0.0625],
            [0.25, 0.625, 0.125],
        ]
        assert mixed["sample_weight"].tolist() == [1.5, 2.0]
        assert mixed["total_votes"].tolist() == [6.0, 8.0]
        assert torch.equal(mixed["x"], batch()["x"])
        before = batch()
        before.pop("x")
        assert mixed["unmixed"].keys() == before.keys()
        for name, value in before.items():
            assert torch.equal(mixed["unmixed"][name], value)

    def test_gradients_reach_both_windows(self):
        net, given = Wrapped(Flat(1, 3, 2)), batch()
        given["x"].requires_grad_()
        output, _ = forward_mixed(net, given, [Fixed(p=1.0)])
        output[0].sum().backward()
        ones = net.body.head.weight.detach().sum(dim=0)
        expected = torch.stack([0.75 * ones, 0.25 * ones])[:, None]
        torch.testing.assert_close(given["x"].grad, expected)

    def test_one_after_the_other(self):
        net = Wrapped(Flat(1, 3, 2))
        _, mixed = forward_mixed(net, batch(), [Fixed(p=1.0), Fixed(p=1.0)])
        # 0.75 * 2 + 0.25 * 3 and the mean of 2 and 3.
        assert net.body.head_got[0][:, 0].tolist() == [2.25, 2.5]
        assert mixed["sample_weight"].tolist() == [1.625, 1.75]
        assert mixed["unmixed"]["sample_weight"].tolist() == [1.0, 3.0]

    def test_sixteen_bits_are_mixed_in_single_precision(self):
        class Halves(ManifoldMixup):
            def _draw(self, x, generator, context):
                return {
                    "partner": torch.tensor([1, 0]),
                    "lam": torch.full((2,), 0.7001),
                }

        net = Wrapped(Flat(1, 3, 2))
        net.body.dtype = torch.bfloat16
        forward_mixed(net, batch(), [Halves(p=1.0)])
        features, _ = net.body.head_got
        assert features.dtype == torch.float32
        expected = 0.7001 * 1 + 0.2999 * 5
        assert features[0, 0].item() == pytest.approx(expected, rel=1e-6)

    def test_the_net_is_as_it_was(self):
        net = Wrapped(Flat(1, 3, 2))
        forward_mixed(net, batch(), [Fixed(p=1.0)])
        assert "forward_head" not in vars(net.body)
        with pytest.raises(ValueError, match="p must be a finite number"):
            forward_mixed(net, batch(), [Fixed(p=3.0)])
        assert "forward_head" not in vars(net.body)


def kl(logits, y):
    log = functional.log_softmax(logits.double(), dim=1)
    return (torch.xlogy(y, y) - y * log).sum(dim=1).mean().item()


class TestTraining:
    def test_loss_is_that_of_the_mixtures(self, data, seen):
        clf = WaveformClassifier(
            Flat, augment=[Kept(0.4, p=1.0)], **STILL, device="cpu"
        )
        clf.set_params(random_state=0).fit(data.X, data.votes)
        [(before, after)] = seen
        assert before["x"].shape == (96, 3 * 128)
        assert not torch.equal(before["x"], after["x"])
        with torch.no_grad():
            logits = clf.net_.module_.body.head(after["x"])
        expected = kl(logits, after["fractions"])
        assert clf.history_["train_loss"][0] == pytest.approx(expected, rel=1e-4)

    def test_not_in_validation_nor_prediction(self, data, seen, waveform):
        clf = waveform(augment=[Kept(p=1.0)])
        clf.fit(data.X, data.votes, X_val=data.X[:30], y_val=data.votes[:30])
        n_steps = 2 * 6
        assert len(seen) == n_steps
        clf.predict_proba(data.X)
        assert len(seen) == n_steps

    def test_several_views(self, data, seen):
        """The head learns mixtures of joined features, each branch's own head none."""
        branches = [
            ("raw", WaveformClassifier(Flat)),
            ("image", TimmClassifier("test_efficientnet")),
        ]
        clf = MultiViewClassifier(
            branches,
            aux=True,
            aux_weight=0.5,
            augment=[Kept(p=1.0)],
            **STILL,
            device="cpu",
            random_state=0,
        )
        X = {"raw": data.X, "image": data.images}
        clf.fit(X, data.votes)
        [(before, after)] = seen
        module = clf.net_.module_.train()
        body = module.body
        assert before["x"].shape == (96, body.num_features)
        with torch.no_grad():
            tensors = {name: torch.from_numpy(np.asarray(x)) for name, x in X.items()}
            features = body.branch_features(module.normalize(module.prepare(tensors)))
            main = kl(body.head(after["x"]), after["fractions"])
            y = torch.from_numpy(data.fractions)
            aux = [kl(body.aux_heads[name](features[name]), y) for name in X]
        expected = (main + 0.5 * sum(aux)) / 2
        assert clf.history_["train_loss"][0] == pytest.approx(expected, rel=1e-3)

    def test_mixed_precision(self, data, timm_classifier):
        clf = timm_classifier(augment=["manifold_mixup"], head={"vote_threshold": 6})
        clf.fit(data.images, data.votes)
        net = clf.net_
        net.amp_dtype = torch.bfloat16
        net.set_stage({"augment": [ManifoldMixup(p=1.0)]})
        module = net.module_.train()
        given = {
            "x": torch.from_numpy(data.images[:8]),
            "fractions": torch.from_numpy(data.fractions[:8]).float(),
            "total_votes": torch.arange(8.0) + 2,
        }
        with net._precision():
            output, mixed = net._train_forward(given)
        assert output.dtype == torch.bfloat16
        assert mixed["fractions"].dtype == torch.float32
        assert not torch.equal(mixed["total_votes"], given["total_votes"])
        output.float().sum().backward()
        assert all(p.grad is not None for p in module.body.head.parameters())

    def test_is_not_compiled(self, data, waveform, monkeypatch):
        ran = []

        def compiled(module, **kwargs):
            def run(*args, **kwargs):
                ran.append(1)
                return module(*args, **kwargs)

            return run

        monkeypatch.setattr(torch, "compile", compiled)
        stages = [{"max_epochs": 1}, {"max_epochs": 1, "augment": ["manifold_mixup"]}]
        waveform(compile=True, stages=stages).fit(data.X, data.votes)
        assert len(ran) == 6  # the steps of the first stage

    def test_with_moved_weights_and_accumulation(self, data, waveform, seen):
        clf = waveform(
            augment=[Kept(p=1.0)], awp={"lr": 0.05}, accumulate=2, max_epochs=1
        ).fit(data.X, data.votes)
        assert len(seen) == 2 * 6  # every batch is gone through twice
        assert np.isfinite(clf.history_["train_loss"]).all()

    @pytest.mark.parametrize(
        ("architecture", "cause"),
        [
            (Own, "Own has not both of them"),
            (NoHead, "NoHead does not call the second"),
        ],
    )
    def test_nets_without_features(self, data, architecture, cause):
        clf = WaveformClassifier(
            architecture, augment=["manifold_mixup"], device="cpu", random_state=0
        )
        message = (
            f"ManifoldMixup: mixes .*{cause}.*hmsklearn.nets.BaseNet, or use Mixup"
        )
        with pytest.raises(ValueError, match=message):
            clf.fit(data.X, data.votes)
