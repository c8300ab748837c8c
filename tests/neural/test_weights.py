"""Weights to start from: taken over exactly, or refused with a reason."""

import pickle
import re
import subprocess
import sys

import joblib
import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback
from small_nets import SMALL
from torch import nn

from hmsklearn.nets import create_net, list_nets, net_config
from hmsklearn.neural import (
    ImageClassifier,
    TimmClassifier,
    VideoClassifier,
    WaveformClassifier,
    _weights,
)
from hmsklearn.neural._weight_fit import fit_own
from hmsklearn.neural._weights import SpentWeights, adapt_input_channels, load_weights

BACKBONE = "test_efficientnet"

# Small parts of the data hold no votes for some classes, and less than a batch.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
]


@pytest.fixture
def source():
    """A backbone that someone else trained, on three planes and ten classes."""
    torch.manual_seed(7)
    body = timm.create_model(BACKBONE, num_classes=10)
    for value in body.state_dict().values():
        if value.dtype.is_floating_point:
            value.add_(0.01 * torch.rand_like(value))
    return body


@pytest.fixture
def start(timm_classifier, data):
    """Fit for nothing: what comes out is the backbone it started from."""

    def fit(weights, X=data.images, y=data.votes, backbone=BACKBONE, **params):
        clf = timm_classifier(
            backbone,
            weights=weights,
            max_epochs=1,
            lr=1e-30,
            weight_decay=0.0,
            batch_size=96,
            **params,
        )
        return clf.fit(X[:12], y[:12]).net_.module_.body.backbone

    return fit


def parameters_of_body(body):
    """Parameters but those of the head; running statistics move in training."""
    head = body.pretrained_cfg["classifier"]
    return {
        name: value.detach()
        for name, value in body.named_parameters()
        if not name.startswith(f"{head}.")
    }


def assert_taken_over(body, source):
    expected = parameters_of_body(source)
    actual = parameters_of_body(body)
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, msg=name, rtol=0, atol=1e-9)


def save_plain(state, folder):
    torch.save(state, folder / "weights.pt")
    return folder / "weights.pt"


def save_checkpoint(state, folder):
    state = {f"module.{name}": value for name, value in state.items()}
    torch.save({"state_dict": state, "epoch": 3}, folder / "weights.pth")
    return str(folder / "weights.pth")


def save_safetensors(state, folder):
    safetensors.torch.save_file(state, folder / "weights.safetensors")
    return folder / "weights.safetensors"


@pytest.mark.parametrize("save", [save_plain, save_checkpoint, save_safetensors])
def test_files(start, source, save, tmp_path):
    body = start(save(source.state_dict(), tmp_path))
    assert_taken_over(body, source)


def test_head_of_the_same_width_is_kept(timm_classifier, data, source, tmp_path):
    still = {"lr": 1e-30, "weight_decay": 0.0, "max_epochs": 1}
    for n_classes in (6, 10):
        source.reset_classifier(n_classes)
        path = save_plain(source.state_dict(), tmp_path)
        clf = timm_classifier(weights=path, **still).fit(data.images, data.votes)
        head = clf.net_.module_.body.head
        assert head.out_features == 6
        if n_classes == 6:
            torch.testing.assert_close(head.weight, source.get_classifier().weight)


def test_head_may_be_missing(start, source, tmp_path):
    state = parameters_of_body(source)
    state |= {k: v for k, v in source.named_buffers() if "num_batches" not in k}
    assert_taken_over(start(save_plain(state, tmp_path)), source)


@pytest.mark.parametrize("n_planes", [1, 2, 4, 6])
def test_first_convolution_is_adapted(start, data, source, tmp_path, n_planes):
    X = data.images[:, [0] * n_planes]
    body = start(save_plain(source.state_dict(), tmp_path), X=X)
    old, new = (b.conv_stem.weight.detach() for b in (source, body))
    assert new.shape[1] == n_planes
    torch.testing.assert_close(new, adapt_input_channels(old, n_planes))
    if n_planes in (1, 6):
        # One picture in every plane is seen as before.
        torch.testing.assert_close(new.sum(dim=1), old.sum(dim=1))


def test_first_convolution_of_other_widths():
    weight = torch.randn(2, 18, 3, 3)
    torch.testing.assert_close(
        adapt_input_channels(weight, 36).sum(dim=1), weight.sum(dim=1)
    )
    assert torch.equal(adapt_input_channels(weight, 18), weight)


def test_position_embeddings_are_resized(start, data, tmp_path):
    source = timm.create_model("test_vit", num_classes=10)
    path = save_plain(source.state_dict(), tmp_path)
    body = start(path, backbone="test_vit")
    assert body.pos_embed.shape != source.pos_embed.shape
    torch.testing.assert_close(
        body.blocks[0].attn.qkv.weight, source.blocks[0].attn.qkv.weight
    )
    # Interpolated, not random.
    torch.testing.assert_close(
        body.pos_embed[0, 1:].mean(dim=0),
        source.pos_embed[0, 1:].mean(dim=0),
        atol=0.05,
        rtol=0,
    )


class TestRefused:
    def test_missing_and_unexpected_keys(self, start, source, tmp_path):
        state = source.state_dict()
        state["blocks.0.0.wrong.weight"] = state.pop("conv_stem.weight")
        del state["bn1.bias"]
        with pytest.raises(
            ValueError,
            match=r"TimmClassifier: .* do not fit the backbone: missing: bn1\.bias, "
            r"conv_stem\.weight; unexpected: blocks\.0\.0\.wrong\.weight",
        ):
            start(save_plain(state, tmp_path))

    def test_another_model(self, start, tmp_path):
        other = timm.create_model("resnet10t", num_classes=6)
        with pytest.raises(ValueError, match=r"missing: .* and \d+ more; unexpected"):
            start(save_plain(other.state_dict(), tmp_path))

    def test_another_shape(self, start, source, tmp_path):
        state = source.state_dict()
        state["conv_head.weight"] = state["conv_head.weight"][:5]
        with pytest.raises(
            ValueError, match=r"another shape: conv_head\.weight is \(5"
        ):
            start(save_plain(state, tmp_path))

    def test_no_file(self, start, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"TimmClassifier: .*nowhere\.pt"):
            start(tmp_path / "nowhere.pt")
        with pytest.raises(FileNotFoundError, match="does not exist"):
            start("pretraind")

    def test_wrong_kinds(self, start, tmp_path):
        (tmp_path / "weights.npz").touch()
        with pytest.raises(
            ValueError, match=r"no \.pt or \.pth or \.safetensors or \.bin file"
        ):
            start(tmp_path / "weights.npz")
        with pytest.raises(TypeError, match="weights must be None, 'pretrained'"):
            start(3)

    @pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
    def test_damaged_file(self, start, tmp_path, name):
        (tmp_path / name).write_bytes(b"not weights at all")
        with pytest.raises(ValueError, match="cannot be read"):
            start(tmp_path / name)

    def test_no_state_dict(self, start, tmp_path):
        with pytest.raises(ValueError, match=r"holds no state dict \(found \['a'\]\)"):
            start(save_plain({"a": 1}, tmp_path))

    def test_a_pickled_model_is_not_run(self, start, source, tmp_path):
        torch.save(source, tmp_path / "model.pt")
        with pytest.raises(ValueError, match="cannot be read"):
            start(tmp_path / "model.pt")


class TestPretrained:
    def test_none_never_asks(self, start, monkeypatch):
        def asked(*args, **kwargs):
            raise AssertionError("asked for pretrained weights")

        monkeypatch.setattr("timm.models._builder.load_pretrained", asked)
        start(None)

    def test_taken_from_timm(self, start, source, data, monkeypatch):
        state = source.state_dict()

        def cached(model, pretrained_cfg=None, num_classes=0, in_chans=3, **kwargs):
            own = dict(model.state_dict())
            for name, value in state.items():
                if value.shape == own[name].shape:
                    own[name] = value
            model.load_state_dict(own)

        monkeypatch.setattr("timm.models._builder.load_pretrained", cached)
        body = start("pretrained")
        assert_taken_over(body, source)

    def test_no_network(self, start, monkeypatch):
        def offline(*args, **kwargs):
            raise OSError("no route to host")

        monkeypatch.setattr("timm.models._builder.load_pretrained", offline)
        with pytest.raises(RuntimeError, match=r"TimmClassifier: .*no route to host"):
            start("pretrained")

    def test_model_without_weights(self, start):
        with pytest.raises(RuntimeError, match="No pretrained weights exist"):
            start("pretrained", backbone="mobilenetv2_035")


class TestBackbone:
    def test_unknown(self, timm_classifier, data):
        with pytest.raises(
            ValueError, match=r"no model 'efficientnet_b00'.*'efficientnet_b0'"
        ):
            timm_classifier("efficientnet_b00").fit(data.images, data.votes)

    @pytest.mark.parametrize("name", ["hf-hub:timm/resnet18.a1_in1k", "local-dir:/x"])
    def test_places(self, timm_classifier, data, name):
        with pytest.raises(ValueError, match="names a place"):
            timm_classifier(name).fit(data.images, data.votes)

    def test_not_a_name(self, timm_classifier, data):
        with pytest.raises(TypeError, match="must be the name of a model of timm"):
            timm_classifier(nn.Identity()).fit(data.images, data.votes)

    def test_unknown_parameter(self, timm_classifier, data):
        clf = timm_classifier(backbone_params={"no_such_parameter": 1})
        with pytest.raises(ValueError, match=r"cannot be built.*no_such_parameter"):
            clf.fit(data.images, data.votes)

    def test_parameters_of_the_estimator_itself(self, timm_classifier, data):
        clf = timm_classifier(backbone_params={"num_classes": 3})
        with pytest.raises(ValueError, match=r"must not hold \['num_classes'\]"):
            clf.fit(data.images, data.votes)

    def test_parameters_reach_timm(self, timm_classifier, data):
        clf = timm_classifier(
            backbone_params={"global_pool": "max"}, drop_rate=0.25, max_epochs=1
        )
        body = clf.fit(data.images, data.votes).net_.module_.body.backbone
        assert body.global_pool.pool_type == "max"
        assert body.drop_rate == 0.25

    def test_image_that_does_not_fit(self, timm_classifier, data):
        clf = timm_classifier("maxvit_rmlp_pico_rw_256", max_epochs=1)
        with pytest.raises(
            ValueError, match=r"'maxvit_rmlp_pico_rw_256'.* input_size=\(30, 30\)"
        ):
            clf.fit(data.images[..., :30, :30], data.votes)

    def test_convolutions_run_channels_last(self, timm_classifier, data):
        seen = []

        def look(module, inputs, output):
            seen.append(
                output.is_contiguous(memory_format=torch.channels_last)
                and not output.is_contiguous()
            )

        clf = timm_classifier(max_epochs=1).fit(data.images, data.votes)
        clf.net_.module_.body.backbone.conv_stem.register_forward_hook(look)
        clf.predict_proba(data.images)
        assert all(seen)

    def test_name_of_the_default(self):
        assert timm.is_model(TimmClassifier().backbone)
        assert _weights.__all__


def test_prediction_does_not_depend_on_memory_format(timm_classifier, data):
    clf = timm_classifier(max_epochs=1).fit(data.images, data.votes)
    body = clf.net_.module_.to(memory_format=torch.contiguous_format).eval()
    with torch.inference_mode():
        logits = body(torch.from_numpy(data.images))
    np.testing.assert_allclose(
        clf.predict_proba(data.images), torch.softmax(logits, 1).numpy(), atol=1e-5
    )


class StillNorms(Callback):
    """Batch norms whose running statistics stay, as the weights do at a tiny rate."""

    def on_train_begin(self, net, **kwargs):
        for module in net.module_.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = 0.0


#: With these a fit changes nothing: what predicts is what it started from.
STILL = {"lr": 1e-30, "weight_decay": 0.0, "max_epochs": 1}


def estimator_for(name, **params):
    kind = {3: WaveformClassifier, 4: ImageClassifier, 5: VideoClassifier}
    settings = {"max_epochs": 1, "lr": 1e-3, "batch_size": 6, "device": "cpu"}
    return kind[net_config(name).ndim](
        name,
        architecture_params=SMALL[name].params,
        callbacks=[StillNorms()],
        **{**settings, **params},
    )


class TestEveryNet:
    """What any registered net has learned can be saved and started from."""

    @pytest.mark.parametrize("name", sorted(SMALL))
    def test_round_trip(self, name, tmp_path):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((6, *SMALL[name].shape)).astype("float32")
        y = np.arange(6)
        source = estimator_for(name, random_state=0).fit(X, y)
        expected = source.predict_proba(X)
        state = {
            key: value.contiguous()
            for key, value in source.net_.module_.body.state_dict().items()
        }
        safetensors.torch.save_file(state, tmp_path / f"{name}.safetensors")
        torch.save(state, tmp_path / "weights.pth")
        for weights in (tmp_path, str(tmp_path / "weights.pth")):
            clf = estimator_for(name, weights=weights, random_state=1, **STILL)
            np.testing.assert_allclose(
                clf.fit(X, y).predict_proba(X), expected, rtol=0, atol=1e-6
            )
        fresh = estimator_for(name, random_state=1, **STILL).fit(X, y)
        assert np.abs(fresh.predict_proba(X) - expected).max() > 1e-4

    @pytest.mark.parametrize("name", sorted(SMALL))
    def test_refused(self, name, tmp_path):
        state = dict(SMALL[name].make(name).state_dict())
        names = [k for k, v in state.items() if v.ndim and not k.startswith("head.")]
        path = tmp_path / "weights.pth"
        net = SMALL[name].make(name)
        before = {k: v.clone() for k, v in net.state_dict().items()}

        torch.save({k: v for k, v in state.items() if k != names[0]}, path)
        with pytest.raises(ValueError, match=r"me: .*\.pth' do not fit .*missing"):
            load_weights(net, path, name=name, caller="me")
        wide = torch.cat([state[names[-1]]] * 2)
        torch.save({**state, names[-1]: wide}, path)
        with pytest.raises(ValueError, match=f"another shape: .*{wide.shape[0]}"):
            load_weights(net, path, name=name, caller="me")
        torch.save({**state, "strange.weight": torch.ones(1)}, path)
        with pytest.raises(ValueError, match=r"unexpected: strange\.weight"):
            load_weights(net, path, name=name, caller="me")
        # Whatever was wrong, nothing has been changed.
        assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())

    def test_all_are_here(self):
        registered = {n for n in list_nets() if not n.startswith("doctest")}
        assert registered <= set(SMALL)

    @pytest.mark.parametrize("name", ["eegnet", "x3d_s", "ast_tiny"])
    def test_pretrained_is_for_models_of_timm(self, name):
        net = SMALL[name].make(name)
        with pytest.raises(ValueError, match="no model of timm and holds none"):
            load_weights(net, "pretrained", name=name, caller="me")


class TestFittedEstimator:
    @pytest.fixture
    def fitted(self, waveform, data):
        return waveform(max_epochs=1).fit(data.X, data.votes)

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda clf: clf,
            FrozenEstimator,
            lambda clf: Pipeline([("same", FunctionTransformer()), ("net", clf)]),
            lambda clf: FrozenEstimator(make_pipeline(FunctionTransformer(), clf)),
            lambda clf: make_pipeline(FunctionTransformer(), FrozenEstimator(clf)),
        ],
        ids=["itself", "frozen", "pipeline", "frozen pipeline", "pipeline of frozen"],
    )
    def test_is_gone_on_from(self, waveform, data, more_data, fitted, wrap):
        expected = fitted.predict_proba(more_data.X)
        before = {k: v.clone() for k, v in fitted.net_.module_.state_dict().items()}
        clf = waveform(weights=wrap(fitted), callbacks=[StillNorms()], **STILL)
        # Other windows, of another scale: the normalisation goes with the weights.
        clf.fit(3 * more_data.X + 5, more_data.votes)
        got = clf.predict_proba(more_data.X)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
        after = fitted.net_.module_.state_dict()
        assert all(torch.equal(before[k], v) for k, v in after.items())
        waveform(weights=wrap(fitted), lr=0.1).fit(data.X, data.votes)
        np.testing.assert_array_equal(fitted.predict_proba(more_data.X), expected)

    def test_not_fitted(self, waveform, data):
        for wrap in (lambda clf: clf, FrozenEstimator, make_pipeline):
            clf = waveform(weights=wrap(waveform()))
            with pytest.raises(
                ValueError, match=r"weights is a WaveformClassifier that is not fitted"
            ):
                clf.fit(data.X, data.votes)

    def test_no_net(self, waveform, data):
        other = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
        with pytest.raises(TypeError, match="a LogisticRegression, which has no net"):
            waveform(weights=other).fit(data.X, data.votes)

    def test_another_architecture(self, waveform, data, fitted):
        clf = waveform(
            architecture="eegnet", architecture_params={"sfreq": 50.0}, weights=fitted
        )
        with pytest.raises(
            ValueError,
            match=r"WaveformClassifier: those of the fitted WaveformClassifier, of a "
            r"ResNet1DGRU, do not fit the backbone: missing: .*this EEGNet",
        ):
            clf.fit(data.X, data.votes)

    def test_other_parameters(self, waveform, data, fitted):
        params = {"width": 4, "kernels": (3, 9), "n_blocks": 3, "gru_hidden": 0}
        clf = waveform(architecture_params=params, weights=fitted)
        with pytest.raises(ValueError, match=r"of another shape: .* is \(.*, not \("):
            clf.fit(data.X, data.votes)

    def test_other_classes(self, waveform, data, fitted):
        clf = waveform(weights=fitted, classes="infer", **STILL)
        clf.fit(data.X, np.where(data.label < 3, "low", "high"))
        body, source = (e.net_.module_.body for e in (clf, fitted))
        assert body.head.out_features == 2
        for name, value in source.named_parameters():
            if not name.startswith("head."):
                assert torch.equal(body.get_parameter(name), value), name

    @pytest.mark.parametrize("name", ["resnet1d_gru", "ast_tiny", "x3d_s"])
    @pytest.mark.parametrize("n_chans", [1, 5])
    def test_other_channels(self, name, n_chans):
        """Kernels over one, two and three axes."""
        small = SMALL[name]
        X = np.random.default_rng(0).standard_normal((6, *small.shape))
        params = dict(small.params)
        if name == "resnet1d_gru":
            params["gru_hidden"] = 0  # its GRU reads the channels themselves
        source = estimator_for(name, random_state=0)
        source.set_params(architecture_params=params).fit(X, np.arange(6))
        wide = np.repeat(X[:, :1], n_chans, axis=1)
        clf = estimator_for(name, weights=source, random_state=1, **STILL)
        clf.set_params(architecture_params=params).fit(wide, np.arange(6))
        old, new = (dict(e.net_.module_.body.named_parameters()) for e in (source, clf))
        changed = {k for k in old if old[k].shape != new[k].shape}
        assert bool(changed) == (n_chans != small.shape[0])
        for key, value in old.items():
            if key in changed:
                value = adapt_input_channels(value, n_chans)
            torch.testing.assert_close(new[key], value, msg=key, rtol=0, atol=1e-6)

    @pytest.mark.parametrize(("old", "new"), [(3, 8), (8, 3), (8, 1), (1, 8)])
    def test_convolutions_inside_stay_as_they_are(self, old, new):
        """Some have as many inputs as the net has channels before or after."""
        params = {"gru_hidden": 0, "width": 8}
        source = create_net("resnet1d_gru", old, 6, (128,), **params)
        net = create_net("resnet1d_gru", new, 6, (128,), **params)
        fit_own(net, source.state_dict(), "these", "me")
        same_width = 0
        for name, value in source.state_dict().items():
            got = net.state_dict()[name]
            if got.shape != value.shape:
                assert value.shape[1] == old
                value = adapt_input_channels(value, new)
            elif value.ndim == 3 and value.shape[1] == 8:
                same_width += 1
            assert torch.equal(got, value), name
        assert same_width > 0

    def test_other_widths_inside_are_another_architecture(self):
        """Kernels that differ as those of the first do, without the first one."""
        source, net = (
            create_net("resnet1d_gru", 3, 6, (128,), gru_hidden=0, width=width)
            for width in (8, 3)
        )
        with pytest.raises(ValueError, match=r"me: these do not fit .*another shape"):
            fit_own(net, source.state_dict(), "these", "me")

    def test_cross_validation(self, waveform, data, fitted):
        clf = waveform(weights=FrozenEstimator(fitted), **STILL)
        clf.set_params(callbacks=[StillNorms()])
        assert clone(clf).weights.estimator is fitted
        scores = cross_val_score(clf, data.X, data.votes, cv=3)
        half = [slice(0, 32), slice(32, 64), slice(64, 96)]
        expected = [fitted.score(data.X[s], data.votes[s]) for s in half]
        np.testing.assert_allclose(scores, expected, rtol=1e-5)
        with pytest.raises(ValueError, match="clone, which cross-validation uses"):
            clone(waveform(weights=fitted)).fit(data.X, data.votes)


class TestOtherLayouts:
    def test_checkpoint_of_a_training(self, waveform, data, tmp_path):
        source = waveform(checkpoint=tmp_path).fit(data.X, data.votes)
        clf = waveform(weights=tmp_path, callbacks=[StillNorms()], **STILL)
        clf.fit(data.X, data.votes)
        np.testing.assert_allclose(
            clf.predict_proba(data.X), source.predict_proba(data.X), rtol=0, atol=1e-6
        )

    @pytest.mark.parametrize("part", ["module_", "module_.body"])
    def test_state_dicts_of_the_fitted_net(self, waveform, data, tmp_path, part):
        source = waveform().fit(data.X, data.votes)
        module = source.net_.module_ if part == "module_" else source.net_.module_.body
        torch.save(module.state_dict(), tmp_path / "a.pt")
        clf = waveform(
            weights=tmp_path / "a.pt", callbacks=[StillNorms()], **STILL
        ).fit(data.X, data.votes)
        np.testing.assert_allclose(
            clf.predict_proba(data.X), source.predict_proba(data.X), rtol=0, atol=1e-6
        )

    @pytest.mark.parametrize("n_chans", [1, 2, 3])
    def test_x3d_of_pytorchvideo(self, tmp_path, n_chans):
        source = create_net("x3d_xs", 3, 6, (4, 32, 32), depth_factor=0.2)
        torch.save({"model_state": as_pytorchvideo(source)}, tmp_path / "a.pyth.pth")
        net = create_net("x3d_xs", n_chans, 6, (4, 32, 32), depth_factor=0.2)
        load_weights(net, tmp_path, name="x3d_xs", caller="me")
        for name, value in source.state_dict().items():
            got = net.state_dict()[name]
            if name == "stem_space.weight":
                value = adapt_input_channels(value, n_chans)
            if not name.startswith("head."):
                torch.testing.assert_close(got, value, msg=name)

    def test_incomplete_x3d_of_pytorchvideo(self, tmp_path):
        source = create_net("x3d_xs", 3, 6, (4, 32, 32), depth_factor=0.2)
        state = as_pytorchvideo(source)
        del state["blocks.0.norm.weight"]
        torch.save(state, tmp_path / "a.pth")
        with pytest.raises(ValueError, match=r"missing: stem_norm\.weight"):
            load_weights(source, tmp_path, name="x3d_xs", caller="me")

    def test_vision_transformer_for_an_ast(self, tmp_path):
        vit = timm.create_model("vit_tiny_patch16_224", img_size=48, depth=2)
        torch.save(vit.state_dict(), tmp_path / "vit.pth")
        net = create_net("ast_tiny", 1, 6, (32, 64), depth=2)
        load_weights(net, tmp_path / "vit.pth", name="ast_tiny", caller="me")
        for i in range(2):
            qkv = f"blocks.{i}.attn.qkv.weight"
            assert torch.equal(net.get_parameter(qkv), vit.get_parameter(qkv))
        net = create_net("ast_tiny", 1, 6, (32, 64), depth=3)
        with pytest.raises(ValueError, match=r"me: .*vit\.pth' do not fit.*is missing"):
            load_weights(net, tmp_path / "vit.pth", name="ast_tiny", caller="me")


def as_pytorchvideo(net):
    """Weights of an X3D under the names that PyTorchVideo has for them."""
    names = {
        "stem_space.": "blocks.0.conv.conv_t.",
        "stem_time.": "blocks.0.conv.conv_xy.",
        "stem_norm.": "blocks.0.norm.",
        "head_conv.": "blocks.5.pool.pre_conv.",
        "head_norm.": "blocks.5.pool.pre_norm.",
        "head_linear.": "blocks.5.pool.post_conv.",
        "shortcut.": "branch1_conv.",
        "shortcut_norm.": "branch1_norm.",
        "widen.": "branch2.conv_a.",
        "norm1.": "branch2.norm_a.",
        "look.": "branch2.conv_b.",
        "norm2.": "branch2.norm_b.0.",
        "squeeze.reduce.": "branch2.norm_b.1.block.0.",
        "squeeze.expand.": "branch2.norm_b.1.block.2.",
        "narrow.": "branch2.conv_c.",
        "norm3.": "branch2.norm_c.",
    }
    state = {"blocks.5.proj.weight": torch.ones(400, 2048)}
    for name, value in net.state_dict().items():
        if name.startswith("head."):
            continue
        stage = re.match(r"stages\.(\d+)\.(\d+)\.(.+)", name)
        start = f"blocks.{int(stage[1]) + 1}.res_blocks.{stage[2]}." if stage else ""
        rest = stage[3] if stage else name
        [theirs] = [v for k, v in names.items() if rest.startswith(k)]
        [ours] = [k for k in names if rest.startswith(k)]
        if theirs == "blocks.5.pool.post_conv." and value.ndim == 2:
            value = value[:, :, None, None, None]
        state[start + theirs + rest.removeprefix(ours)] = value.clone()
    return state


OFFLINE = """
import socket
import sys

def refuse(*args, **kwargs):
    raise OSError("no network here")

socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse

import joblib
import numpy as np
import torch

torch.set_num_threads(1)
dump, windows, out = sys.argv[1:]
classifiers = joblib.load(dump)
X = np.load(windows)
np.savez(out, **{name: clf.predict_proba(X) for name, clf in classifiers.items()})
"""


class TestDumps:
    def test_without_what_it_started_from(self, waveform, data):
        source = waveform().fit(data.X, data.votes)
        plain = waveform().fit(data.X, data.votes)
        for weights in (source, FrozenEstimator(source), make_pipeline(source)):
            clf = waveform(weights=weights).fit(data.X, data.votes)
            dump = pickle.dumps(clf)
            assert len(dump) < len(pickle.dumps(plain)) + 500
            loaded = pickle.loads(dump)
            assert loaded.weights == SpentWeights(type(weights).__name__)
            assert clf.weights is weights
            with pytest.raises(
                ValueError, match=f"started from a fitted {type(weights).__name__}"
            ):
                loaded.fit(data.X, data.votes)

    def test_warm_start_goes_on_without_them(self, waveform, data, tmp_path):
        source = waveform().fit(data.X, data.votes)
        torch.save(source.net_.module_.state_dict(), tmp_path / "a.pt")
        for weights in (source, tmp_path / "a.pt"):
            clf = waveform(weights=weights).fit(data.X, data.votes)
            loaded = pickle.loads(pickle.dumps(clf))
            loaded.set_params(warm_start=True, callbacks=[StillNorms()], **STILL)
            if weights is not source:
                weights.unlink()
            np.testing.assert_allclose(
                loaded.fit(data.X, data.votes).predict_proba(data.X),
                clf.predict_proba(data.X),
                rtol=0,
                atol=1e-6,
            )

    def test_without_network(self, timm_classifier, data, tmp_path, monkeypatch):
        def cached(model, *args, **kwargs):
            for parameter in model.parameters():
                nn.init.normal_(parameter, std=0.1)

        source = timm_classifier(max_epochs=1).fit(data.images, data.votes)
        with monkeypatch.context() as patch:
            patch.setattr("timm.models._builder.load_pretrained", cached)
            classifiers = {
                "pretrained": timm_classifier(weights="pretrained", max_epochs=1),
                "fitted": timm_classifier(weights=source, max_epochs=1),
            }
            for clf in classifiers.values():
                clf.fit(data.images, data.votes)
        joblib.dump(classifiers, tmp_path / "dump.joblib")
        np.save(tmp_path / "windows.npy", data.images)
        paths = [
            str(tmp_path / name) for name in ("dump.joblib", "windows.npy", "out.npz")
        ]
        subprocess.run(
            [sys.executable, "-c", OFFLINE, *paths],
            check=True,
            env={"CUDA_VISIBLE_DEVICES": "", "PATH": "", "OMP_NUM_THREADS": "1"},
            timeout=120,
        )
        out = np.load(tmp_path / "out.npz")
        for name, clf in classifiers.items():
            expected = clf.predict_proba(data.images)
            np.testing.assert_allclose(out[name], expected, rtol=0, atol=1e-6)
