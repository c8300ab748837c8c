import pytest
import torch
from torch import nn

from hmsklearn.nets import ChainNeck, Residual3d, WaveNet2d
from hmsklearn.nets._composite import CompositeNet, build_encoder, encode_maps

SMALL = {
    "widths": (4, 16),
    "n_dilations": (3, 1),
    "group_size": 2,
    "n_steps": 32,
    "backbone": "test_efficientnet",
}


def test_layer_groups_run_from_the_input_to_the_head():
    net = WaveNet2d(4, 6, 100, **SMALL)
    groups = net.layer_groups()
    names = [name for group in groups for name in group]
    assert sorted(names) == sorted(name for name, _ in net.named_parameters())
    assert all(name.startswith("draw.") for name in groups[0])
    assert all(name.startswith("backbone.backbone.") for name in groups[1])
    assert groups[-1] == ["head.weight", "head.bias"]
    assert len(net.layer_groups(coarse=True)) <= len(groups)


def test_groups_of_two_backbones():
    net = ChainNeck(
        4,
        6,
        (32, 32),
        backbone="test_efficientnet",
        neck="test_resnet",
        neck_size=(32, 32),
    )
    firsts = [group[0].split(".")[0] for group in net.layer_groups()]
    order = sorted(set(firsts), key=firsts.index)
    assert order == ["encoder", "neck", "head"]
    assert firsts == sorted(firsts, key=order.index)


def test_checkpointing_reaches_every_part():
    net = WaveNet2d(4, 6, 100, **SMALL)
    net.set_grad_checkpointing()
    assert net.draw.stack.grad_checkpointing
    assert net.backbone.grad_checkpointing
    net.set_grad_checkpointing(False)
    assert not net.draw.stack.grad_checkpointing
    assert not net.backbone.grad_checkpointing


def test_part_without_switch_is_left_alone():
    class Plain(CompositeNet):
        def __init__(self):
            super().__init__(2, 3, 4)
            self.layer = nn.Linear(4, 4)
            self.num_features = 4
            self.reset_head(3)

    net = Plain()
    net.set_grad_checkpointing()
    assert net.grad_checkpointing
    assert net.layer_groups() == [
        ["layer.weight", "layer.bias"],
        ["head.weight", "head.bias"],
    ]


@pytest.mark.parametrize(
    ("backbone", "size"),
    [("test_efficientnet", (64, 96)), ("swinv2_cr_tiny_ns_224", (64, 96))],
)
def test_maps_have_their_number_on_the_second_axis(backbone, size):
    net = build_encoder("test", 1, size, backbone=backbone).eval()
    n_maps = net.backbone.num_features
    with torch.no_grad():
        maps = encode_maps(net, torch.zeros(1, 1, *size))
    assert maps.shape == (1, n_maps, 2, 3)


def test_last_maps_of_other_layouts_are_turned():
    net = build_encoder("test", 1, (64, 96), backbone="test_efficientnet")
    maps = torch.randn(2, 2, 3, net.backbone.num_features)  # (n, h, w, maps)
    net.backbone.output_fmt = "NHWC"
    net.backbone.forward_features = lambda x: maps
    assert torch.equal(encode_maps(net, None), maps.permute(0, 3, 1, 2))


@pytest.mark.parametrize("shape", [(2, 2, 3, 256), (2, 6, 256)])
def test_other_layouts_that_the_model_does_not_tell_are_refused(shape):
    net = build_encoder("test", 1, (64, 96), backbone="test_efficientnet")
    net.backbone.forward_features = lambda x: torch.zeros(shape)
    with pytest.raises(ValueError, match="second axis is not the 256 maps"):
        encode_maps(net, None)


def test_maps_of_a_model_that_tells_its_layout():
    net = Residual3d(1, 6, (2, 32, 64), backbone="test_mambaout", width=8).eval()
    assert net.encoder.backbone.output_fmt == "NHWC"
    assert net(torch.zeros(1, 1, 2, 32, 64)).shape == (1, 6)


def test_tokens_are_refused():
    with pytest.raises(ValueError, match=r"Residual3d: 'test_vit' gives tokens"):
        Residual3d(1, 6, (2, 32, 32), backbone="test_vit")
