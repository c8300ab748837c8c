import pytest
import torch

from hmsklearn.nets import StemMergeNet
from hmsklearn.nets.layers import StemMerge


def test_published_sizes():
    with torch.device("meta"):
        net = StemMergeNet(20, 6, (96, 192)).eval()
        x = torch.zeros(2, 20, 96, 192)
        assert net.draw(x).shape == (2, 4, 384, 384)
        assert net(x).shape == (2, 6)
    assert net.num_features == 1024
    assert net.draw.stem[0].weight.shape == (16, 4, 3, 3)
    assert net.head.drop.p == 0.5


def test_place_of_every_spectrogram():
    merge = StemMerge(6, (2, 3), n_panels=1, group_size=3).eval()
    x = torch.randn(1, 7, 2, 3)
    image = merge(x)
    eeg, panels = merge.norm(x[:, :6]), merge.stem(x[:, 6:])
    assert image.shape == (1, 3, 4, 6)
    for channel in range(6):
        chain, place = divmod(channel, 3)
        rows = slice(2 * chain, 2 * chain + 2)
        assert torch.equal(image[0, place, rows, :3], eeg[0, channel])
        assert torch.equal(image[0, place, rows, 3:], panels[0, channel])


def test_features_are_averages_and_maxima():
    torch.manual_seed(0)
    net = StemMergeNet(
        3, 6, (32, 32), backbone="test_resnet", n_panels=1, group_size=1, width=8
    ).eval()
    x = torch.randn(2, 3, 32, 32)
    maps = net.narrow(net.encoder.backbone.forward_features(net.draw(x))).flatten(2)
    expected = torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1)
    torch.testing.assert_close(net.forward_features(x), expected)


@pytest.mark.parametrize(
    ("n_chans", "params"),
    [(7, {}), (8, {"group_size": 3}), (4, {}), (9, {"n_panels": 0})],
)
def test_planes_must_be_chains_and_panels(n_chans, params):
    with pytest.raises(ValueError, match="StemMerge: n_chans="):
        StemMergeNet(n_chans, 6, (32, 32), backbone="test_resnet", **params)


def test_wrong_width():
    with pytest.raises(ValueError, match="StemMergeNet: width must be"):
        StemMergeNet(8, 6, (32, 32), backbone="test_resnet", width=0)
