import pytest
import torch

from hmsklearn.nets import MILAttention, create_net

SMALL = {"backbone": "test_resnet", "hidden": 16}


def test_published_sizes():
    with torch.device("meta"):
        net = MILAttention(10, 6, (128, 256)).eval()
        assert net.instances(torch.zeros(2, 10, 128, 256)).shape == (2, 10, 2048)
        assert net(torch.zeros(2, 10, 128, 256)).shape == (2, 6)
    assert net.pool.hidden.out_features == 2048
    assert net.drop.p == 0.5
    assert net.num_features == 2048


def test_features_are_the_weighted_mean():
    torch.manual_seed(0)
    net = MILAttention(3, 6, (32, 32), **SMALL).eval()
    x = torch.randn(2, 3, 32, 32)
    each = torch.stack(
        [net.backbone.forward_features(x[:, i : i + 1]) for i in range(3)], dim=1
    )
    scores = net.pool.score(torch.tanh(net.pool.hidden(each)))
    expected = (each * scores.softmax(dim=1)).sum(dim=1)
    torch.testing.assert_close(net.forward_features(x), expected)


def test_order_of_the_images_plays_no_part():
    torch.manual_seed(0)
    net = MILAttention(3, 6, (32, 32), **SMALL).eval()
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(net(x), net(x.flip(1)))


def test_frames_as_instances():
    torch.manual_seed(0)
    net = create_net("mil_attention_films", 2, 6, (4, 32, 32), **SMALL).eval()
    x = torch.randn(2, 2, 4, 32, 32)
    instances = net.instances(x)
    assert instances.shape == (2, 4, net.num_features)
    torch.testing.assert_close(
        instances[:, 1], net.backbone.forward_features(x[:, :, 1])
    )


@pytest.mark.parametrize(
    ("size", "params", "message"),
    [
        ((32,), {}, "must be height and width"),
        ((32, 32), {"drop_rate": 1.0}, "drop_rate=1.0 must be"),
    ],
)
def test_wrong_parameters(size, params, message):
    with pytest.raises(ValueError, match=f"MILAttention: .*{message}"):
        MILAttention(2, 6, size, **{**SMALL, **params})
