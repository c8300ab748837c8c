"""Prediction: folded weights and ONNX Runtime give what the net gives."""

import pickle
import re
import sys

import numpy as np
import pytest
import torch
from torch import nn

from hmsklearn.nets import list_nets, net_config
from hmsklearn.neural import ImageClassifier, VideoClassifier, WaveformClassifier
from hmsklearn.neural._engine import check_engine
from tests.helpers.small_nets import SMALL

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
]

CLASSIFIERS = {3: WaveformClassifier, 4: ImageClassifier, 5: VideoClassifier}


def fitted(name, n=5, **params):
    """Fit the small form of a registered net for one epoch."""
    small = SMALL[name]
    rng = np.random.default_rng(0)
    X = (3 * rng.standard_normal((n, *small.shape)) + 1).astype(np.float32)
    clf = CLASSIFIERS[net_config(name).ndim](
        name,
        architecture_params=small.params,
        classes="infer",
        max_epochs=1,
        batch_size=4,
        device="cpu",
        random_state=0,
        **params,
    )
    return clf.fit(X, np.arange(n) % 2), X


def plain_logits(clf, X):
    """What the module itself gives, without any engine."""
    with torch.no_grad():
        return clf.net_.infer({"x": torch.from_numpy(X)}).numpy()


@pytest.mark.parametrize("name", list_nets())
def test_both_engines_give_what_the_net_gives(name):
    clf, X = fitted(name)
    expected = plain_logits(clf, X)
    # Two batches, of four and of one.
    np.testing.assert_allclose(clf.predict_logits(X), expected, rtol=0, atol=1e-5)
    prob = clf.predict_proba(X)
    clf.set_params(engine="onnx")
    np.testing.assert_allclose(clf.predict_proba(X), prob, rtol=0, atol=1e-4)
    # Any number of windows, in the same session.
    engine = clf.net_.engine_
    for n in (1, 3):
        np.testing.assert_allclose(
            clf.predict_proba(X[:n]), prob[:n], rtol=0, atol=1e-4
        )
    assert clf.net_.engine_ is engine


@pytest.mark.parametrize("engine", ["torch", "onnx"])
class TestEngines:
    @pytest.fixture
    def clf(self, engine, data, timm_classifier):
        clf = timm_classifier(max_epochs=1, engine=engine)
        return clf.fit(data.images[:24], data.votes[:24])

    def test_an_engine_is_made_once(self, clf, data):
        clf.predict_proba(data.images[:3])
        engine = clf.net_.engine_
        clf.predict_proba(data.images[:24])
        assert clf.net_.engine_ is engine

    def test_pickles_hold_no_engine(self, clf, data):
        before = len(pickle.dumps(clf))
        prob = clf.predict_proba(data.images[:24])
        dumped = pickle.dumps(clf)
        # The parameters' names may be interned otherwise, nothing more.
        assert abs(len(dumped) - before) < 100
        loaded = pickle.loads(dumped)
        assert loaded.net_.engine_ is None
        np.testing.assert_array_equal(loaded.predict_proba(data.images[:24]), prob)

    def test_training_on_drops_the_old_graph(self, clf, data):
        X = data.images[:24]
        before = clf.predict_proba(X)
        clf.partial_fit(X, data.votes[:24])
        assert clf.net_.engine_ is None
        after = clf.predict_logits(X)
        np.testing.assert_allclose(after, plain_logits(clf, X), rtol=0, atol=1e-5)
        assert np.abs(clf.predict_proba(X) - before).max() > 1e-3

    def test_a_warm_start_drops_the_old_graph(self, clf, data):
        X = data.images[:24]
        clf.predict_proba(X)
        clf.set_params(warm_start=True, lr=1e-3).fit(X, data.votes[:24])
        np.testing.assert_allclose(
            clf.predict_logits(X), plain_logits(clf, X), rtol=0, atol=1e-5
        )

    @pytest.mark.parametrize(
        "change",
        [
            lambda module: module.body.backbone.blocks[0][0].bn1.running_mean.add_(1.0),
            lambda module: module.body.backbone.conv_stem.weight.mul_(0.5),
            lambda module: module.load_state_dict(
                {name: 0.9 * value for name, value in module.state_dict().items()}
            ),
            lambda module: module.norm.set_statistics(1.0, 2.0),
        ],
        ids=["norm", "convolution", "all weights", "input norm"],
    )
    def test_changed_weights_are_noticed(self, clf, data, change):
        X = data.images[:24]
        before = clf.predict_logits(X)
        with torch.no_grad():
            change(clf.net_.module_)
        after = clf.predict_logits(X)
        assert np.abs(after - before).max() > 1e-3
        np.testing.assert_allclose(after, plain_logits(clf, X), rtol=0, atol=1e-5)

    def test_the_random_state_is_left_alone(self, clf, data):
        state = torch.get_rng_state()
        clf.predict_proba(data.images[:24])
        assert torch.equal(torch.get_rng_state(), state)

    def test_no_gradient_is_left(self, clf, data):
        clf.predict_proba(data.images[:24])
        module = clf.net_.module_
        assert all(p.grad is None and p.requires_grad for p in module.parameters())
        assert any(isinstance(one, nn.BatchNorm2d) for one in module.modules())


def test_switching_engines_makes_new_ones(data, timm_classifier):
    clf = timm_classifier(max_epochs=1).fit(data.images[:24], data.votes[:24])
    prob = clf.predict_proba(data.images[:24])
    clf.set_params(engine="onnx").predict_proba(data.images[:24])
    of_onnx = clf.net_.engine_
    clf.set_params(engine="torch")
    np.testing.assert_array_equal(clf.predict_proba(data.images[:24]), prob)
    assert clf.net_.engine_ is not of_onnx


def test_a_session_has_as_many_threads_as_torch(data, timm_classifier, monkeypatch):
    runtime = pytest.importorskip("onnxruntime")
    clf = timm_classifier(max_epochs=1, engine="onnx").fit(
        data.images[:24], data.votes[:24]
    )
    seen = []
    opened = runtime.InferenceSession

    def open_session(model, options, **kwargs):
        seen.append(options.intra_op_num_threads)
        return opened(model, options, **kwargs)

    monkeypatch.setattr(runtime, "InferenceSession", open_session)
    one = clf.predict_proba(data.images[:24])
    clf.predict_proba(data.images[:24])
    try:
        torch.set_num_threads(2)
        two = clf.predict_proba(data.images[:24])
    finally:
        torch.set_num_threads(1)
    assert seen == [1, 2]
    np.testing.assert_allclose(two, one, rtol=0, atol=1e-5)


def test_hooks_see_the_net_that_they_are_put_on(data, timm_classifier):
    clf = timm_classifier(max_epochs=1).fit(data.images[:24], data.votes[:24])
    prob = clf.predict_proba(data.images[:4])
    seen = []
    norm = clf.net_.module_.body.backbone.bn1
    handle = norm.register_forward_hook(lambda module, x, out: seen.append(out.shape))
    np.testing.assert_allclose(
        clf.predict_proba(data.images[:4]), prob, rtol=0, atol=1e-5
    )
    assert len(seen) == 1
    handle.remove()
    np.testing.assert_array_equal(clf.predict_proba(data.images[:4]), prob)
    assert len(seen) == 1


def test_losses_with_their_own_probabilities(data, waveform):
    clf = waveform(max_epochs=1, loss="bce").fit(data.X, data.votes)
    prob = clf.predict_proba(data.X)
    clf.set_params(engine="onnx")
    np.testing.assert_allclose(clf.predict_proba(data.X), prob, rtol=0, atol=1e-4)


class Looping(nn.Module):
    """Does as many steps as a window's numbers say, which no graph can hold."""

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.linear = nn.Linear(n_chans, n_outputs)

    def forward(self, x):
        x = x.mean(dim=2)
        for _ in range(2 if float(x[0, 0]) > 0 else 1):
            x = x + x.tanh()
        return self.linear(3 * x)


class Inverting(Looping):
    """Uses what the exchange format has no word for."""

    def forward(self, x):
        x = x.mean(dim=2)
        gram = torch.linalg.eigh(x[:, :, None] * x[:, None])[0]
        return self.linear(gram)


class TestErrors:
    def test_a_net_that_cannot_be_exported(self, waveform, data):
        clf = waveform(architecture=Inverting, architecture_params=None, max_epochs=1)
        clf.fit(data.X, data.votes).set_params(engine="onnx")
        message = r"WaveformClassifier: .*Inverting.* cannot be exported .*eigh"
        with pytest.raises(RuntimeError, match=message) as caught:
            clf.predict_proba(data.X)
        assert "Set engine='torch'" in str(caught.value)
        assert clf.set_params(engine="torch").predict_proba(data.X).shape == (96, 6)

    def test_a_graph_that_gives_something_else(self, waveform, data):
        clf = waveform(
            architecture=Looping, architecture_params=None, max_epochs=1, lr=0.5
        )
        clf.fit(data.X, data.votes).set_params(engine="onnx")
        message = r"WaveformClassifier: .*probabilities of .*Looping.* differ"
        with pytest.raises(RuntimeError, match=message):
            clf.predict_proba(data.X)

    def test_missing_packages_are_named(self, waveform, data, monkeypatch):
        clf = waveform(max_epochs=1).fit(data.X, data.votes).set_params(engine="onnx")
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(ImportError, match=re.escape('"hmsklearn[onnx]"')):
            clf.predict_proba(data.X)

    def test_a_gpu_is_refused(self):
        with pytest.raises(ValueError, match=r"predicts on the CPU.*'cuda:0'.*device"):
            check_engine("onnx", "cuda:0", caller="TimmClassifier")

    def test_unknown_engine(self, waveform, data):
        with pytest.raises(ValueError, match="engine"):
            waveform(engine="tensorrt").fit(data.X, data.votes)
