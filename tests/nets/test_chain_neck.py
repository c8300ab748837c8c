import pytest
import torch

from hmsklearn.nets import ChainNeck

SMALL = {
    "backbone": "test_efficientnet",
    "neck": "test_resnet",
    "group_size": 2,
    "neck_size": (32, 32),
}


def test_published_sizes():
    with torch.device("meta"):
        net = ChainNeck(16, 6, (102, 84)).eval()
        x = torch.zeros(2, 16, 102, 84)
        assert net.picture(x).shape == (2, 1, 256, 4 * 3)
        assert net.resize(net.picture(x)).shape == (2, 1, 256, 256)
        assert net(x).shape == (2, 6)
    assert net.encoder.backbone.num_features == 1280
    assert net.num_features == 768


def test_picture_averages_channels_and_neighbouring_maps():
    torch.manual_seed(0)
    net = ChainNeck(4, 6, (64, 96), **SMALL, n_rows=64).eval()
    x = torch.randn(2, 4, 64, 96)
    maps = [net.encoder.backbone.forward_features(x[:, i : i + 1]) for i in range(4)]
    first = (maps[0] + maps[1]) / 2
    second = (maps[2] + maps[3]) / 2
    rows = torch.stack([first, second], dim=1).reshape(2, 2, 64, 4, 6).mean(dim=3)
    expected = rows.reshape(2, 1, 128, 6)
    torch.testing.assert_close(net.picture(x), expected)


def test_building_leaves_the_encoder_in_training_mode():
    assert all(m.training for m in ChainNeck(2, 6, (32, 32), **SMALL).modules())


def test_dropout_and_its_absence():
    assert isinstance(ChainNeck(2, 6, (32, 32), **SMALL).head, torch.nn.Linear)
    net = ChainNeck(2, 6, (32, 32), **SMALL, drop_rate=0.3)
    assert net.head.drop.p == 0.3


@pytest.mark.parametrize(
    ("n_chans", "params", "message"),
    [
        (3, {}, "no multiple of group_size=2"),
        (2, {"group_size": 0}, "group_size must be"),
        (2, {"n_rows": 0}, "n_rows must be"),
        (2, {"n_rows": 60}, "n_rows=60 does not divide the 256 maps"),
    ],
)
def test_wrong_parameters(n_chans, params, message):
    with pytest.raises(ValueError, match=f"ChainNeck: .*{message}"):
        ChainNeck(n_chans, 6, (32, 32), **{**SMALL, **params})
