"""Weights to start from: taken over exactly, or refused with a reason."""

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from torch import nn

from hmsklearn.neural import TimmClassifier, _weights
from hmsklearn.neural._weights import adapt_input_channels

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
