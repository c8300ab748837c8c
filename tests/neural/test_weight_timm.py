"""Weights of timm's models: into changed backbones, and those inside other nets."""

import pytest
import timm
import torch
from torch import nn

from hmsklearn.nets import ChainNeck, TimmNet, WaveNet2d
from hmsklearn.nets.layers import TripletAttention
from hmsklearn.neural._weights import load_weights

SIZE = (32, 32)


def net_of(backbone="test_efficientnet", n_chans=3, n_outputs=6, size=SIZE, **params):
    return TimmNet(n_chans, n_outputs, size, backbone=backbone, **params)


def source_of(backbone="test_efficientnet", **params):
    """Every weight another than that of a fresh model."""
    model = timm.create_model(backbone, **{"num_classes": 10, **params})
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.dtype.is_floating_point:
                value.add_(0.1 * torch.rand_like(value))
    return model


def save(state, folder, name="weights.pth"):
    torch.save(state, folder / name)
    return folder / name


def load(net, weights, name="timm"):
    load_weights(net, weights, name=name, caller="me")
    return net


def same(module, state, but=()):
    """Whether all weights are those of a state dict, except some that are not."""
    own = module.state_dict()
    but = tuple(but)
    for name, value in own.items():
        if but and name.startswith(but):
            assert (
                name not in state
                or state[name].shape != value.shape
                or not (torch.equal(state[name], value))
            ), name
        else:
            assert torch.equal(state[name], value), name
    return True


class TestChangedBackbones:
    @pytest.mark.parametrize("pool", ["avg", "gem_trainable", "attention"])
    @pytest.mark.parametrize(
        "backbone", ["test_efficientnet", "test_resnet", "test_vit", "efficientvit_b0"]
    )
    def test_pool(self, tmp_path, backbone, pool):
        # efficientvit_b0 has layers behind its pooling, which the net leaves out.
        extra = {"img_size": SIZE} if backbone == "test_vit" else {}
        state = source_of(backbone, **extra).state_dict()
        net = load(net_of(backbone, pool=pool), save(state, tmp_path))
        assert same(net.backbone, state)

    def test_every_weight_but_those_left_out_is_asked_for(self, tmp_path):
        state = source_of("efficientvit_b0").state_dict()
        net = net_of("efficientvit_b0", pool="avg")
        state["head.new.weight"] = torch.ones(1)
        with pytest.raises(ValueError, match=r"unexpected: head\.new\.weight\. Were"):
            load(net, save(state, tmp_path))

    def test_fresh_stem(self, tmp_path):
        state = source_of().state_dict()
        net = net_of(stem="fresh")
        assert net.fresh_stem
        assert not net_of().fresh_stem
        before = net.backbone.conv_stem.weight.clone()
        load(net, save(state, tmp_path))
        assert torch.equal(net.backbone.conv_stem.weight, before)
        assert same(net.backbone, state, but=["conv_stem."])

    def test_stride_of_the_stem(self, tmp_path):
        state = source_of().state_dict()
        net = load(net_of(stem_stride=(1, 2)), save(state, tmp_path))
        assert same(net.backbone, state)

    def test_triplet_attention(self, tmp_path):
        state = source_of().state_dict()
        net = net_of(attention="triplet")
        added = [
            f"{path}."
            for path, part in net.backbone.named_modules()
            if isinstance(part, TripletAttention)
        ]
        assert added
        before = {k: v.clone() for k, v in net.backbone.state_dict().items()}
        load(net, save(state, tmp_path))
        assert same(net.backbone, {**before, **state})
        # Attention that was trained is handed on.
        other = load(net_of(attention="triplet"), save(net.state_dict(), tmp_path))
        assert same(other, net.state_dict())
        missing = next(n for n in net.state_dict() if added[0] in n)
        state = {k: v for k, v in net.state_dict().items() if k != missing}
        with pytest.raises(ValueError, match="missing: "):
            load(net_of(attention="triplet"), save(state, tmp_path))

    @pytest.mark.parametrize("head", [{"drop_rate": 0.5}, {"hidden": 8}])
    def test_other_heads(self, tmp_path, head):
        state = source_of().state_dict()
        net = net_of()
        net.reset_head(6, **head)
        before = {k: v.clone() for k, v in net.head.state_dict().items()}
        load(net, save(state, tmp_path))
        assert same(net.backbone, state)
        assert same(net.head, before)
        other = net_of()
        other.reset_head(6, **head)
        load(other, save(net.state_dict(), tmp_path))
        assert same(other, net.state_dict())


class TestLayouts:
    """One net, saved in all the ways that users come by its weights."""

    @pytest.mark.parametrize(
        "prefix", ["", "body.", "module.body.", "model.", "net_.module_.body."]
    )
    @pytest.mark.parametrize("params", [{}, {"pool": "gem_trainable"}])
    def test_prefixes(self, tmp_path, prefix, params):
        source = net_of(**params)
        state = {f"{prefix}{k}": v for k, v in source.state_dict().items()}
        if "body." in prefix:
            state[prefix.replace("body.", "norm.mean")] = torch.zeros(())
        net = load(net_of(**params), save(state, tmp_path))
        assert same(net, source.state_dict())

    def test_of_the_model_inside(self, tmp_path):
        source = net_of()
        net = load(net_of(), save(source.backbone.state_dict(), tmp_path))
        assert same(net.backbone, source.backbone.state_dict())

    def test_without_pooling_to_one_with(self, tmp_path):
        source = net_of()
        net = load(net_of(pool="attention"), save(source.state_dict(), tmp_path))
        assert same(net.backbone, source.backbone.state_dict())

    def test_with_pooling_to_one_without(self, tmp_path):
        source = net_of(pool="attention")
        with pytest.raises(ValueError, match=r"unexpected: pool\."):
            load(net_of(), save(source.state_dict(), tmp_path))

    def test_head_for_other_classes(self, tmp_path):
        source = net_of(n_outputs=4)
        net = load(net_of(), save(source.state_dict(), tmp_path))
        assert same(net.backbone, source.backbone.state_dict())
        assert net.head.out_features == 6

    def test_broken_head(self, tmp_path):
        state = net_of().state_dict()
        del state["head.bias"]
        with pytest.raises(ValueError, match=r"missing: head\.bias"):
            load(net_of(), save(state, tmp_path))

    @pytest.mark.parametrize("whole", [True, False])
    def test_images_of_another_size(self, tmp_path, whole):
        source = net_of("test_vit", size=(64, 64))
        saved = source if whole else source.backbone
        net = load(net_of("test_vit"), save(saved.state_dict(), tmp_path))
        inside = source.backbone.state_dict()
        assert net.backbone.pos_embed.shape != inside["pos_embed"].shape
        assert same(net.backbone, inside, but=["pos_embed"])

    @pytest.mark.parametrize("n_chans", [1, 2, 6])
    def test_channels(self, tmp_path, n_chans):
        source = net_of()
        net = load(net_of(n_chans=n_chans), save(source.state_dict(), tmp_path))
        first = source.backbone.conv_stem.weight
        got = net.backbone.conv_stem.weight
        expected = first[:, torch.arange(n_chans) % 3] * 3 / n_chans
        if n_chans == 1:
            expected = first.sum(dim=1, keepdim=True)
        torch.testing.assert_close(got, expected)

    def test_folder_by_the_name_of_the_backbone(self, tmp_path):
        state = source_of().state_dict()
        save(state, tmp_path, "test_efficientnet.r160_in1k.pth")
        save({}, tmp_path, "resnet18.pth")
        assert same(load(net_of(), tmp_path).backbone, state)


def wavenet(backbone="test_efficientnet"):
    return WaveNet2d(
        4,
        6,
        128,
        backbone=backbone,
        widths=(4, 16),
        n_dilations=(3, 1),
        group_size=2,
        n_steps=32,
    )


def chain_neck(backbone="test_efficientnet"):
    return ChainNeck(
        4,
        6,
        SIZE,
        backbone=backbone,
        neck="test_resnet",
        group_size=2,
        n_rows=16,
        neck_size=SIZE,
    )


@pytest.fixture
def cached(monkeypatch):
    """Stand in for timm's cache: models of weights that are all 0.5."""
    asked = []

    def load_pretrained(model, pretrained_cfg=None, num_classes=0, strict=True, **_):
        # Otherwise timm lets weights be missing.
        assert strict
        assert num_classes == (pretrained_cfg or model.pretrained_cfg)["num_classes"]
        asked.append(model.pretrained_cfg["architecture"])
        for parameter in model.parameters():
            nn.init.constant_(parameter, 0.5)

    monkeypatch.setattr("timm.models._builder.load_pretrained", load_pretrained)
    return asked


class TestInside:
    """Backbones that are parts of other nets."""

    def test_pretrained(self, cached):
        net = wavenet()
        draw = {k: v.clone() for k, v in net.draw.state_dict().items()}
        load(net, "pretrained")
        assert cached == ["test_efficientnet"]
        assert all((p == 0.5).all() for p in net.backbone.parameters())
        assert same(net.draw, draw)

    def test_pretrained_for_all(self, cached):
        net = load(chain_neck(), "pretrained")
        assert cached == ["test_efficientnet", "test_resnet"]
        for part in (net.encoder, net.neck):
            assert all((p == 0.5).all() for p in part.parameters())

    def test_file(self, tmp_path):
        state = source_of("test_efficientnet", in_chans=1).state_dict()
        net = wavenet()
        n_planes = net.backbone.n_chans
        load(net, save(state, tmp_path), "wavenet_2d")
        but = ["conv_stem."] if n_planes > 1 else []
        assert same(net.backbone.backbone, state, but=but)

    def test_file_for_one_of_two(self, tmp_path):
        """The other one would stay random without a word."""
        state = source_of("test_resnet", in_chans=1).state_dict()
        net = chain_neck()
        before = {k: v.clone() for k, v in net.state_dict().items()}
        cause = r"alone, and encoder \(test_efficientnet\) would start at random"
        with pytest.raises(ValueError, match=rf"me: .* are for neck {cause}.*folder"):
            load(net, save(state, tmp_path), "chain_neck")
        assert same(net, before)

    def test_file_for_both(self, tmp_path):
        state = source_of("test_resnet", in_chans=1).state_dict()
        net = chain_neck(backbone="test_resnet")
        load(net, save(state, tmp_path), "chain_neck")
        assert same(net.neck.backbone, state)
        assert same(net.encoder.backbone, state)

    def test_folder_for_both(self, tmp_path):
        states = {}
        for name in ("test_resnet", "test_efficientnet"):
            states[name] = source_of(name, in_chans=1).state_dict()
            save(states[name], tmp_path, f"{name}.pth")
        net = load(chain_neck(), tmp_path, "chain_neck")
        assert same(net.neck.backbone, states["test_resnet"])
        assert same(net.encoder.backbone, states["test_efficientnet"])

    def test_of_a_net_around_the_backbone(self, tmp_path):
        source = net_of(n_chans=wavenet().backbone.n_chans)
        net = load(wavenet(), save(source.state_dict(), tmp_path), "wavenet_2d")
        assert same(net.backbone.backbone, source.backbone.state_dict())

    def test_of_the_whole_net(self, tmp_path):
        source = wavenet()
        net = load(wavenet(), save(source.state_dict(), tmp_path), "wavenet_2d")
        assert same(net, source.state_dict())

    def test_fits_nothing(self, tmp_path):
        state = source_of("test_vit").state_dict()
        with pytest.raises(ValueError, match=r"me: .*weights\.pth' do not fit"):
            load(chain_neck(), save(state, tmp_path), "chain_neck")


class TestPretrained:
    def test_parameters_of_the_backbone_are_kept(self, cached):
        net = load(net_of(backbone_params={"global_pool": "max"}), "pretrained")
        assert cached == ["test_efficientnet"]
        assert (net.backbone.conv_stem.weight == 0.5).all()

    def test_changed_backbone(self, cached):
        net = load(net_of(stem="fresh", attention="triplet"), "pretrained")
        assert not (net.backbone.conv_stem.weight == 0.5).any()
        assert (net.backbone.conv_head.weight == 0.5).all()
