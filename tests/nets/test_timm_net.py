import copy
import pickle

import pytest
import timm
import torch
from timm.layers import ScaledStdConv2d, StdConv2d
from timm.optim import create_optimizer_v2
from torch import nn

from hmsklearn.nets import TimmNet
from hmsklearn.nets.layers import POOLS, GeM, TripletAttention, count_batches_once

# One small model of every family that the solutions used: size of its images, and what
# makes it smaller still.
FAMILIES = {
    "test_efficientnet": (64, {}),
    "mixnet_s": (64, {}),
    "test_convnext": (64, {}),
    "test_vit": (64, {}),
    "vit_small_patch14_reg4_dinov2": (56, {"depth": 2}),
    "swinv2_tiny_window8_256": (64, {"depths": (1, 1, 2, 1)}),
    "maxvit_rmlp_pico_rw_256": (64, {}),
    "tiny_vit_5m_224": (64, {"depths": (1, 1, 2, 1)}),
    "hgnetv2_b0": (64, {}),
    "caformer_s18": (64, {}),
    "efficientvit_b0": (64, {}),
    "inception_next_atto": (64, {}),
    "test_nfnet": (64, {}),
    "eca_nfnet_l0": (64, {}),
    "hrnet_w18_small": (64, {}),
    "test_resnet": (64, {}),
}


def twins(name, size, **params):
    """A model of timm with six classes, and a net that has its weights."""
    own = {key: params.pop(key) for key in list(params) if not key.startswith("drop")}
    config = timm.models.get_pretrained_cfg(name)
    sizes = {"img_size": size} if config.fixed_input_size else {}
    reference = timm.create_model(
        name, in_chans=2, num_classes=6, **sizes, **own, **params
    )
    net = TimmNet(2, 6, (size, size), backbone=name, backbone_params=own, **params)
    state = reference.state_dict()
    head = {key: state.pop(f"{config.classifier}.{key}") for key in ("weight", "bias")}
    net.backbone.load_state_dict(state)
    net.head.load_state_dict(head)
    return reference, net


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_are_those_of_timm(name):
    torch.manual_seed(0)
    size, params = FAMILIES[name]
    reference, net = twins(name, size, **params)
    x = torch.randn(2, 2, size, size)
    with torch.no_grad():
        expected = reference.eval()(x)
        assert torch.equal(net.eval()(x), expected)
    assert expected.std() > 0
    # Features are what the last layer takes, and every parameter has a depth.
    assert net.forward_features(x).shape == (2, net.num_features)
    groups = net.layer_groups()
    names = [n for n, _ in net.named_parameters()]
    assert sorted(n for group in groups for n in group) == sorted(names)
    assert groups[-1] == ["head.weight", "head.bias"]
    stem = net.backbone.pretrained_cfg["first_conv"]
    assert f"backbone.{stem}.weight" in groups[0]


def test_dropout_and_stochastic_depth_are_those_of_timm():
    torch.manual_seed(0)
    reference, net = twins("test_vit", 32, drop_rate=0.5, drop_path_rate=0.3)
    x = torch.randn(4, 2, 32, 32)
    outputs = []
    for model in (reference.train(), net.train()):
        torch.manual_seed(1)
        outputs.append(model(x))
    assert torch.equal(*outputs)
    torch.manual_seed(2)
    assert not torch.equal(net(x), outputs[0])


def test_drop_rates_reach_the_layers():
    net = TimmNet(
        1, 6, (32, 32), backbone="test_vit", drop_rate=0.3, drop_path_rate=0.2
    )
    assert net.backbone.head_drop.p == 0.3
    assert net.backbone.blocks[-1].drop_path1.drop_prob == pytest.approx(0.2)


def test_dropout_behind_the_pooling_is_applied_once():
    torch.manual_seed(0)
    net = TimmNet(
        1, 6, (64, 64), backbone="test_efficientnet", pool="avg", drop_rate=0.25
    )
    assert net.drop.p == 0.25
    for module in net.backbone.modules():  # the same maps in training
        module.eval()
    x = torch.randn(16, 1, 64, 64)
    dropped = net.forward_features(x)
    plain = net.eval().forward_features(x)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], plain[kept] / 0.75)


@pytest.mark.parametrize(
    ("name", "size", "n_features"),
    [
        ("tf_efficientnet_b5", 512, 2048),  # 2nd place
        ("hgnetv2_b5", 512, 2048),
        ("mixnet_xl", 512, 1536),  # 3rd
        ("convnext_large", 384, 1536),  # 4th
        ("tiny_vit_21m_384", 384, 576),
        ("maxxvitv2_nano_rw_256", 256, 768),  # 5th
        ("maxvit_tiny_tf_512", 512, 512),
        ("vit_small_patch14_reg4_dinov2", 518, 384),  # 6th
        ("vit_base_patch14_reg4_dinov2", 518, 768),
        ("vit_large_patch14_reg4_dinov2", 518, 1024),
        ("convnextv2_nano", 384, 640),
        ("convnext_small", 384, 768),
        ("convnext_base", 512, 1024),  # 7th
    ],
)
def test_published_feature_sizes(name, size, n_features):
    with torch.device("meta"):
        net = TimmNet(1, 6, (size, size), backbone=name)
    assert net.num_features == n_features
    assert net.head.in_features == n_features


@pytest.mark.parametrize("n_chans", [1, 3, 5])
def test_number_of_planes(n_chans):
    net = TimmNet(n_chans, 6, (32, 32), backbone="test_efficientnet").eval()
    assert net.backbone.conv_stem.in_channels == n_chans
    assert net(torch.zeros(2, n_chans, 32, 32)).shape == (2, 6)


@pytest.mark.parametrize(
    ("name", "size"),
    [("test_efficientnet", (33, 70)), ("test_vit", (32, 80)), ("test_vit3", (48, 16))],
)
def test_images_that_are_no_squares(name, size):
    net = TimmNet(1, 6, size, backbone=name).eval()
    assert net(torch.zeros(2, 1, *size)).shape == (2, 6)


class TestPool:
    # Maps first, maps last, tokens behind one, two and five others, heads with a norm,
    # with a convolution and with hidden layers that go.
    NAMES = (
        ("test_efficientnet", 256),
        ("test_convnext", 64),
        ("test_mambaout", 256),
        ("test_vit", 64),
        ("deit_tiny_distilled_patch16_224", 192),
        ("vit_small_patch14_reg4_dinov2", 384),
        ("hgnetv2_b0", 2048),
        ("efficientvit_b0", 128),
    )

    @pytest.mark.parametrize(("name", "width"), NAMES)
    def test_every_layout(self, name, width):
        torch.manual_seed(0)
        size = 56 if "patch14" in name else 64
        params = {"depth": 2} if name.startswith(("vit_", "deit_")) else None
        net = TimmNet(
            2, 6, (size, size), backbone=name, pool="avgmax", backbone_params=params
        ).eval()
        assert net.num_features == 2 * width
        x = torch.randn(2, 2, size, size)
        features = net.forward_features(x)
        maps = net.forward_maps(x)
        if maps.ndim == 3:
            maps = maps[:, net.backbone.num_prefix_tokens :]
            assert maps.shape[1] == (size // net.reduction[0]) ** 2
            flat = maps
        elif maps.shape[1] == width:
            flat = maps.flatten(2).transpose(1, 2)
        else:
            flat = maps.flatten(1, 2)
        assert flat.shape[2] == width
        expected = torch.cat([flat.mean(dim=1), flat.max(dim=1).values], dim=1)
        torch.testing.assert_close(features, expected)
        # Nothing is left that does not learn.
        net.train()(x).sum().backward()
        assert all(p.grad is not None for p in net.parameters())

    @pytest.mark.parametrize("pool", POOLS)
    def test_every_name(self, pool):
        net = TimmNet(1, 6, (64, 64), backbone="test_efficientnet", pool=pool)
        assert net.num_features == (512 if pool == "avgmax" else 256)
        assert net(torch.randn(2, 1, 64, 64)).shape == (2, 6)

    def test_average_is_what_timm_does_where_it_averages_last(self):
        torch.manual_seed(0)
        own = TimmNet(1, 6, (64, 64), backbone="test_efficientnet").eval()
        pooled = TimmNet(1, 6, (64, 64), backbone="test_efficientnet", pool="avg")
        pooled.load_state_dict(own.state_dict())
        x = torch.randn(2, 1, 64, 64)
        torch.testing.assert_close(pooled.eval()(x), own(x))

    def test_third_place(self):
        net = TimmNet(
            1, 6, (64, 64), backbone="mixnet_s", pool="gem_trainable", stem="fresh"
        )
        assert isinstance(net.pool.pool, GeM)
        assert net.pool.pool.p.item() == 3.0
        assert "pool.pool.p" in net.layer_groups()[-1]
        assert net.backbone.conv_stem.weight.shape == (16, 1, 3, 3)

    def test_parameters(self):
        # 3rd place of SETI: 4. Attention narrower than the 15th place's of HMS.
        small = {"backbone": "test_efficientnet"}
        net = TimmNet(1, 6, (64, 64), pool="gem", pool_params={"p": 4.0}, **small)
        assert net.pool.pool.p.item() == 4.0
        net = TimmNet(
            1, 6, (64, 64), pool="attention", pool_params={"hidden": 16}, **small
        )
        assert net.pool.pool.hidden.out_features == 16
        with pytest.raises(ValueError, match=r"pool_params=.* without a pool"):
            TimmNet(1, 6, (64, 64), pool_params={"p": 4.0}, **small)
        with pytest.raises(ValueError, match=r"'gem' has no parameters \['q'\]"):
            TimmNet(1, 6, (64, 64), pool="gem", pool_params={"q": 4.0}, **small)

    def test_one_pooling_alone(self):
        with pytest.raises(ValueError, match="name two poolings"):
            TimmNet(1, 6, (64, 64), pool="avg", backbone_params={"global_pool": "max"})

    def test_unknown_name(self):
        with pytest.raises(ValueError, match=r"pool must be one of .*'gme'.*Did .*gem"):
            TimmNet(1, 6, (64, 64), pool="gme")

    def test_several_maps(self):
        net = TimmNet(1, 6, (240, 240), backbone="crossvit_9_240", pool="avg").eval()
        with pytest.raises(ValueError, match="'crossvit_9_240' gives neither one map"):
            net(torch.zeros(1, 1, 240, 240))

    def test_pooling_of_timm(self):
        params = {"global_pool": "max"}
        reference, net = twins("test_efficientnet", 32)
        net = TimmNet(
            2, 6, (32, 32), backbone="test_efficientnet", backbone_params=params
        )
        net.backbone.load_state_dict(
            {k: v for k, v in reference.state_dict().items() if "classifier" not in k}
        )
        x = torch.randn(2, 2, 32, 32)
        expected = reference.eval().forward_features(x).amax(dim=(2, 3))
        torch.testing.assert_close(net.eval().forward_features(x), expected)


class TestStem:
    def test_stride_keeps_the_weights(self):
        torch.manual_seed(0)
        plain = TimmNet(1, 6, (64, 64), backbone="test_efficientnet")
        torch.manual_seed(0)
        net = TimmNet(1, 6, (64, 64), backbone="test_efficientnet", stem_stride=(1, 2))
        assert net.backbone.conv_stem.stride == (1, 2)
        assert torch.equal(
            net.backbone.conv_stem.weight, plain.backbone.conv_stem.weight
        )
        assert net.reduction == (16, 32)
        assert net.forward_maps(torch.zeros(1, 1, 64, 64)).shape[2:] == (4, 2)

    @pytest.mark.parametrize(
        "name", ["test_resnet", "test_nfnet", "hgnetv2_b0", "tf_efficientnetv2_b0"]
    )
    def test_rows_are_those_of_an_image_twice_as_high(self, name):
        # eca_nfnet_l2 of the 1st place of SETI, hgnetv2 and efficientnetv2 of the 15th.
        net = TimmNet(1, 6, (32, 64), backbone=name, stem_stride=(1, 2)).eval()
        assert net.reduction == (16, 32)
        assert net.forward_maps(torch.zeros(1, 1, 32, 64)).shape[2:] == (2, 2)

    def test_one_number(self):
        net = TimmNet(1, 6, (32, 32), backbone="test_efficientnet", stem_stride=1)
        assert net.backbone.conv_stem.stride == (1, 1)
        assert net.reduction == (16, 16)

    def test_fresh(self):
        net = TimmNet(2, 6, (64, 64), backbone="tf_efficientnet_b0", stem="fresh")
        conv = net.backbone.conv_stem
        assert type(conv) is nn.Conv2d
        assert (conv.in_channels, conv.out_channels) == (2, 32)
        assert (conv.kernel_size, conv.stride, conv.padding) == ((3, 3), (2, 2), (1, 1))
        assert conv.bias is None
        assert net.eval()(torch.zeros(1, 2, 64, 64)).shape == (1, 6)

    def test_fresh_in_place_of_patches(self):
        net = TimmNet(1, 6, (64, 64), backbone="test_convnext", stem="fresh")
        assert net.backbone.stem[0].stride == (2, 2)
        assert net.reduction == (16, 16)

    @pytest.mark.parametrize("name", ["test_nfnet", "eca_nfnet_l0", "nf_regnet_b1"])
    def test_fresh_in_nets_without_normalisation(self, name):
        """Standardised weights: the scale of what is drawn plays no part."""
        plain = TimmNet(2, 6, (64, 64), backbone=name)
        net = TimmNet(2, 6, (64, 64), backbone=name, stem="fresh")
        path = net.backbone.pretrained_cfg["first_conv"]
        old, conv = (n.backbone.get_submodule(path) for n in (plain, net))
        assert type(conv) is ScaledStdConv2d
        assert (conv.kernel_size, conv.stride, conv.padding) == ((3, 3), (2, 2), (1, 1))
        assert conv.eps == old.eps
        gamma = old.scale * old.weight[0].numel() ** 0.5
        assert conv.scale == pytest.approx(gamma * (2 * 3 * 3) ** -0.5)
        assert torch.equal(conv.gain, torch.ones_like(conv.gain))
        assert (conv.bias is None) == (old.bias is None)
        x = torch.randn(4, 2, 64, 64)
        with torch.no_grad():
            maps = conv(x)
            conv.weight.mul_(5.0)
            torch.testing.assert_close(conv(x), maps, rtol=1e-3, atol=1e-3)

    def test_fresh_in_place_of_standardised_weights(self):
        with torch.device("meta"):
            net = TimmNet(1, 6, (64, 64), backbone="resnetv2_50x1_bit", stem="fresh")
        assert type(net.backbone.stem.conv) is StdConv2d

    def test_fresh_of_an_unknown_kind(self, monkeypatch):
        class Odd(nn.Conv2d):
            pass

        def with_an_odd_stem(*args, **kwargs):
            model = timm.create_model("test_resnet")
            model.conv1[0] = Odd(1, 32, 3)
            return model

        monkeypatch.setattr("hmsklearn.nets.timm_net.build_backbone", with_an_odd_stem)
        with pytest.raises(ValueError, match="'test_resnet' is a Odd, which stem="):
            TimmNet(1, 6, (64, 64), backbone="test_resnet", stem="fresh")

    @pytest.mark.parametrize("stride", [2, (1, 2), (2, 4)])
    def test_patches_have_no_smaller_stride(self, stride):
        with pytest.raises(
            ValueError, match=r"stem_stride=.*'test_convnext'.* has no padding"
        ):
            TimmNet(1, 6, (64, 64), backbone="test_convnext", stem_stride=stride)

    @pytest.mark.parametrize(
        "name", ["test_convnext", "test_nfnet", "hgnetv2_b0", "tf_efficientnetv2_b0"]
    )
    @pytest.mark.parametrize(
        "params",
        [
            {"stem": "fresh"},
            {"stem": "fresh", "stem_stride": (1, 2)},
            {"stem_stride": (4, 8)},
        ],
    )
    def test_reduction_is_that_of_the_maps(self, name, params):
        with torch.device("meta"):
            net = TimmNet(1, 6, (256, 256), backbone=name, **params)
            for n in (1, 3):
                size = [n * step for step in net.reduction]
                maps = net.eval().forward_maps(torch.zeros(1, 1, *size))
                assert maps.shape[2:] == (n, n)

    def test_no_first_convolution(self):
        with pytest.raises(ValueError, match="'repvgg_b0' has no single first conv"):
            TimmNet(1, 6, (64, 64), backbone="repvgg_b0", stem="fresh")

    @pytest.mark.parametrize("params", [{"stem": "fresh"}, {"stem_stride": 2}])
    def test_models_of_one_size(self, params):
        with pytest.raises(ValueError, match="'test_vit' is made for one size"):
            TimmNet(1, 6, (64, 64), backbone="test_vit", **params)

    @pytest.mark.parametrize("stride", [0, (1, 2, 2), (1.5, 2)])
    def test_wrong_stride(self, stride):
        with pytest.raises(ValueError, match=r"stem_stride=.* must be one or two"):
            TimmNet(1, 6, (64, 64), backbone="test_resnet", stem_stride=stride)

    def test_unknown_stem(self):
        with pytest.raises(ValueError, match=r"stem must be one of 'fresh', None"):
            TimmNet(1, 6, (64, 64), stem="new")


def test_triplet_attention():
    net = TimmNet(1, 6, (64, 64), backbone="test_efficientnet", attention="triplet")
    plain = TimmNet(1, 6, (64, 64), backbone="test_efficientnet")
    n_blocks = sum(isinstance(m, TripletAttention) for m in net.modules())
    assert n_blocks > 3
    added = sum(p.numel() for p in net.parameters())
    assert added == sum(p.numel() for p in plain.parameters()) + 300 * n_blocks
    # Weights of the model without attention keep their names.
    missing, unexpected = net.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert all(".se.triplet." in name for name in missing)
    with pytest.raises(ValueError, match=r"'triplet' does not go with 'test_vit'"):
        TimmNet(1, 6, (64, 64), backbone="test_vit", attention="triplet")
    with pytest.raises(ValueError, match="attention must be one of 'triplet', None"):
        TimmNet(1, 6, (64, 64), attention="eca")


class TestSizes:
    @pytest.mark.parametrize(
        ("name", "size", "reduction"),
        [
            ("test_efficientnet", (64, 31), 32),
            ("test_vit", (8, 64), 16),
            ("efficientvit_b0", (16, 16), 32),
        ],
    )
    def test_too_small(self, name, size, reduction):
        with pytest.raises(
            ValueError,
            match=rf"reduction \({reduction}, {reduction}\) of '{name}'.*minimum",
        ):
            TimmNet(1, 6, size, backbone=name)

    def test_smallest(self):
        net = TimmNet(1, 6, (32, 32), backbone="test_efficientnet").eval()
        assert net.forward_maps(torch.zeros(1, 1, 32, 32)).shape == (1, 256, 1, 1)
        wide = TimmNet(
            1, 6, (16, 32), backbone="test_efficientnet", stem_stride=(1, 2)
        ).eval()
        assert wide.forward_maps(torch.zeros(1, 1, 16, 32)).shape == (1, 256, 1, 1)

    @pytest.mark.parametrize(
        ("name", "step"),
        [("test_vit", 16), ("maxvit_rmlp_pico_rw_256", 32), ("swin_s3_tiny_224", 4)],
    )
    def test_no_multiples(self, name, step):
        with pytest.raises(
            ValueError, match=rf"\(98, 64\) are no multiples of \({step}, {step}\)"
        ):
            TimmNet(1, 6, (98, 64), backbone=name)

    def test_multiples(self):
        net = TimmNet(1, 6, (96, 32), backbone="maxvit_rmlp_pico_rw_256").eval()
        assert net(torch.zeros(1, 1, 96, 32)).shape == (1, 6)

    def test_one_axis(self):
        with pytest.raises(ValueError, match="must be height and width"):
            TimmNet(1, 6, (64,), backbone="test_efficientnet")


class TestWrongParameters:
    def test_unknown_backbone(self):
        with pytest.raises(ValueError, match=r"no model 'efficientnet_bo'.*Did you"):
            TimmNet(1, 6, (64, 64), backbone="efficientnet_bo")

    @pytest.mark.parametrize("name", ["hf-hub:timm/resnet18", "timm/resnet18", None])
    def test_places(self, name):
        with pytest.raises(ValueError, match="must be the name of a model"):
            TimmNet(1, 6, (64, 64), backbone=name)

    def test_parameters_of_the_net(self):
        with pytest.raises(ValueError, match=r"must not hold \['pretrained'\]"):
            TimmNet(1, 6, (64, 64), backbone_params={"pretrained": True})

    def test_parameters_that_timm_does_not_know(self):
        with pytest.raises(ValueError, match=r"'test_vit' cannot be built .*'depht'"):
            TimmNet(1, 6, (64, 64), backbone="test_vit", backbone_params={"depht": 2})

    @pytest.mark.parametrize("rates", [{"drop_rate": 1.0}, {"drop_path_rate": -0.1}])
    def test_rates(self, rates):
        with pytest.raises(ValueError, match="_rate must be a finite number at least"):
            TimmNet(1, 6, (64, 64), **rates)


class TestLayerGroups:
    def test_names_of_no_weight_decay(self):
        net = TimmNet(1, 6, (32, 32), backbone="test_vit")
        names = dict(net.named_parameters())
        assert "backbone.pos_embed" in net.no_weight_decay() & set(names)
        assert not TimmNet(
            1, 6, (32, 32), backbone="test_efficientnet"
        ).no_weight_decay()

    def test_from_the_stem_to_the_head(self):
        groups = TimmNet(1, 6, (32, 32), backbone="test_vit").layer_groups()
        assert "backbone.patch_embed.proj.weight" in groups[0]
        for depth in range(6):
            assert f"backbone.blocks.{depth}.attn.qkv.weight" in groups[depth + 1]
        assert groups[-1] == ["head.weight", "head.bias"]

    def test_coarse(self):
        net = TimmNet(1, 6, (32, 32), backbone="test_efficientnet")
        assert len(net.layer_groups(coarse=True)) <= len(net.layer_groups())
        former = TimmNet(1, 6, (64, 64), backbone="caformer_s18")
        # Stem, 3 + 3 + 9 + 3 blocks or 4 stages, the head of timm and the new one.
        assert len(former.layer_groups()) == 1 + 18 + 2
        assert len(former.layer_groups(coarse=True)) == 1 + 4 + 2
        assert "backbone.stages.1.downsample.conv.weight" in former.layer_groups()[4]

    def test_optimizers_of_timm_take_them(self):
        net = TimmNet(1, 6, (32, 32), backbone="test_vit")
        optimizer = create_optimizer_v2(
            net, opt="adamw", lr=1.0, weight_decay=0.1, layer_decay=0.5
        )
        scale = {
            id(p): group["lr_scale"]
            for group in optimizer.param_groups
            for p in group["params"]
        }
        scales = [
            {scale[id(dict(net.named_parameters())[name])] for name in names}
            for names in net.layer_groups()
        ]
        n = len(scales)
        assert scales == [{0.5 ** (n - 1 - depth)} for depth in range(n)]
        decayed = {
            id(p)
            for group in optimizer.param_groups
            if group["weight_decay"]
            for p in group["params"]
        }
        assert id(net.head.weight) in decayed
        assert id(net.backbone.pos_embed) not in decayed

    def test_without_an_order(self):
        net = TimmNet(1, 6, (32, 32), backbone="test_resnet")
        net.backbone = nn.Linear(2, 2)
        with pytest.raises(ValueError, match="does not order the layers"):
            net.layer_groups()


class TestCheckpointing:
    @pytest.mark.parametrize(
        "name",
        ["test_efficientnet", "test_resnet", "test_vit", "test_convnext"],
    )
    def test_gradients_and_statistics_stay(self, name, monkeypatch):
        calls = []
        recompute = torch.utils.checkpoint.checkpoint
        monkeypatch.setattr(
            torch.utils.checkpoint,
            "checkpoint",
            lambda *args, **kwargs: calls.append(1) or recompute(*args, **kwargs),
        )
        torch.manual_seed(0)
        plain = TimmNet(1, 6, (32, 32), backbone=name, drop_path_rate=0.2)
        saving = copy.deepcopy(plain)
        saving.set_grad_checkpointing()
        saving = pickle.loads(pickle.dumps(saving))
        x = torch.randn(4, 1, 32, 32)
        for net in (plain, saving):
            torch.manual_seed(1)
            net(x).square().sum().backward()
        assert len(calls) > 1
        for (key, a), (_, b) in zip(
            plain.named_parameters(), saving.named_parameters(), strict=True
        ):
            torch.testing.assert_close(a.grad, b.grad, msg=key)
        for (key, a), (_, b) in zip(
            plain.named_buffers(), saving.named_buffers(), strict=True
        ):
            assert torch.equal(a, b), key
        saving.set_grad_checkpointing(False)
        calls.clear()
        saving(x)
        assert not calls

    def test_models_without(self):
        net = TimmNet(1, 6, (32, 32), backbone="hrnet_w18_small")
        with pytest.raises(ValueError, match="'hrnet_w18_small' has no gradient check"):
            net.set_grad_checkpointing()

    def test_without_the_hooks_batches_count_twice(self):
        # What the hooks are for; would timm count right, they could go.
        x = torch.randn(4, 3, 32, 32)
        counts = []
        for hooks in (False, True):
            model = timm.create_model("test_resnet")
            model.set_grad_checkpointing()
            if hooks:
                count_batches_once(model)
                count_batches_once(model)
            model(x).sum().backward()
            counts.append(model.layer1[0].bn1.num_batches_tracked.item())
        assert counts == [2, 1]


def test_channels_last_and_autocast():
    torch.manual_seed(0)
    net = TimmNet(2, 6, (64, 64), backbone="test_efficientnet", pool="gem").eval()
    x = torch.randn(2, 2, 64, 64)
    with torch.no_grad():
        plain = net(x)
        last = net.to(memory_format=torch.channels_last)(
            x.to(memory_format=torch.channels_last)
        )
        torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-5)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.isfinite(net(x)).all()
