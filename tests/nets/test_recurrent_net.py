import pytest
import torch
from torch import nn

from hmsklearn.nets import RecurrentNet, create_net, net_config


def test_names():
    assert net_config("lstm").net is net_config("gru").net is RecurrentNet
    params = {"width": 4, "hidden_size": 4}
    assert isinstance(create_net("lstm", 2, 6, 100, **params).rnn.rnn, nn.LSTM)
    assert isinstance(create_net("gru", 2, 6, 100, **params).rnn.rnn, nn.GRU)


def test_average_stem_is_the_mean_of_a_stride():
    torch.manual_seed(0)
    net = RecurrentNet(3, 6, 43, stem="average", stride=10, hidden_size=4)
    x = torch.randn(2, 3, 43)
    means = x[..., :40].reshape(2, 3, 4, 10).mean(dim=3)
    torch.testing.assert_close(net.forward_features(x), net.rnn(means))
    assert net.rnn.rnn.input_size == 3


@pytest.mark.parametrize(("n_times", "n_steps"), [(10000, 1000), (2000, 200), (10, 1)])
def test_steps_of_the_convolution(n_times, n_steps):
    net = RecurrentNet(2, 6, n_times, width=4)
    assert net.stem(torch.zeros(2, 2, n_times)).shape == (2, 4, n_steps)


@pytest.mark.parametrize("stride", [1, 3, 7])
@pytest.mark.parametrize("stem", ["conv", "average"])
def test_shortest_windows(stem, stride):
    params = {"stem": stem, "stride": stride, "width": 4, "hidden_size": 4}
    net = RecurrentNet(2, 6, stride, **params).eval()
    assert net(torch.zeros(1, 2, stride)).shape == (1, 6)
    if stride > 1:
        with pytest.raises(ValueError, match=f"too short .* at least {stride} are"):
            RecurrentNet(2, 6, stride - 1, **params)


@pytest.mark.parametrize(
    ("params", "n_features"),
    [
        ({}, 16),
        ({"bidirectional": False}, 8),
        ({"pool": "mean_max"}, 32),
        ({"pool": "final", "cell": "gru"}, 16),
        ({"pool": "attention", "n_layers": 1}, 16),
        ({"dropout": 0.5}, 16),
    ],
)
def test_variants(params, n_features):
    torch.manual_seed(0)
    net = RecurrentNet(2, 6, 50, width=4, hidden_size=8, **params)
    assert net.num_features == n_features
    net(torch.randn(4, 2, 50)).square().sum().backward()
    grads = [p.grad for p in net.parameters()]
    assert all(g is not None and g.isfinite().all() for g in grads)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"stem": "max"}, "stem='max' is not known"),
        ({"stride": 0}, "stride=0"),
        ({"width": 0}, "width=0"),
        ({"cell": "rnn"}, "cell='rnn' is not known"),
        ({"n_layers": 1, "dropout": 0.1}, "there is one layer"),
    ],
)
def test_wrong_parameters(params, match):
    with pytest.raises(ValueError, match=match):
        RecurrentNet(2, 6, 200, **params)
