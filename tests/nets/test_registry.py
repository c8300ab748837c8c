import pytest
import torch
from small_nets import SMALL
from torch import nn

from hmsklearn.nets import (
    BaseNet,
    NetOutput,
    ResNet1DGRU,
    _registry,
    create_net,
    get_net,
    list_nets,
    net_config,
    register_net,
)


@pytest.fixture
def clean_registry(monkeypatch):
    monkeypatch.setattr(_registry, "_NETS", dict(_registry._NETS))


def test_names_lead_to_classes():
    assert get_net("resnet1d_gru") is ResNet1DGRU
    assert "resnet1d_gru" in list_nets()
    assert list_nets("no_such_*") == []


def test_unknown_name_lists_the_nearest():
    with pytest.raises(ValueError, match=r"'resnet1d_gr' is not known.*'resnet1d_gru'"):
        get_net("resnet1d_gr")


def test_unknown_parameter_lists_the_nearest():
    with pytest.raises(ValueError, match=r"no parameter 'widht'\. Did you mean width"):
        create_net("resnet1d_gru", 4, 6, 500, widht=8)


def test_sizes_are_not_parameters():
    with pytest.raises(ValueError, match="n_times is taken from the data"):
        _registry.check_net_params(ResNet1DGRU, {"n_times": 4}, caller="test")


def test_registering(clean_registry):
    @register_net("flat")
    class Flat(nn.Linear):
        def __init__(self, n_chans, n_outputs, n_times, **kwargs):
            super().__init__(n_chans * n_times, n_outputs, **kwargs)

    assert isinstance(create_net("flat", 2, 3, 4, bias=False), Flat)
    register_net("flat")(Flat)  # the same class again is fine
    with pytest.raises(ValueError, match="'flat' is taken"):
        register_net("flat")(nn.Linear)


def test_every_net_has_a_small_form():
    assert set(SMALL) == set(list_nets())


def test_variants_of_one_class(clean_registry):
    @register_net("flat_biased")
    @register_net("flat", bias=False)
    class Flat(nn.Linear):
        def __init__(self, n_chans, n_outputs, n_times, bias=True):
            super().__init__(n_chans * n_times, n_outputs, bias=bias)

    assert create_net("flat", 2, 3, 4).bias is None
    assert create_net("flat", 2, 3, 4, bias=True).bias is not None
    assert create_net("flat_biased", 2, 3, (4,)).bias is not None
    assert net_config("flat").params == {"bias": False}


def test_number_of_axes(clean_registry):
    @register_net("picture", ndim=4)
    class Picture(nn.Linear):
        def __init__(self, n_chans, n_outputs, input_size):
            super().__init__(n_chans * input_size[0] * input_size[1], n_outputs)

    assert create_net("picture", 2, 3, (4, 5)).in_features == 40
    assert "picture" in list_nets(ndim=4)
    assert "picture" not in list_nets(ndim=3)
    with pytest.raises(ValueError, match="takes input of 4 axes, input_size=7 makes 3"):
        create_net("picture", 2, 3, 7)


@pytest.mark.parametrize("name", list_nets())
class TestEveryNet:
    def make(self, name, n_outputs=6):
        return SMALL[name].make(name, n_outputs)

    def windows(self, name, n):
        generator = torch.Generator().manual_seed(0)
        return torch.randn(n, *SMALL[name].shape, generator=generator)

    def test_gives_logits(self, name):
        net = self.make(name).eval()
        x = self.windows(name, 3)
        logits = net(x)
        assert logits.shape == (3, 6)
        features = net.forward_features(x)
        assert features.shape == (3, net.num_features)
        torch.testing.assert_close(net.forward_head(features), logits)
        assert net.forward_head(features, pre_logits=True).shape[0] == 3
        # Not probabilities: nothing keeps rows at a sum of one.
        assert not torch.allclose(logits.sum(dim=1), torch.ones(3))

    def test_initialisation_depends_on_the_seed_alone(self, name):
        states = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            states.append(self.make(name).state_dict())
        first, again, other = states
        assert all(torch.equal(first[key], again[key]) for key in first)
        assert any(not torch.equal(first[key], other[key]) for key in first)

    def test_reset_head(self, name):
        net = self.make(name).eval()
        x = self.windows(name, 2)
        features = net.forward_features(x)
        net.reset_head(3)
        assert net(x).shape == (2, 3)
        assert net.n_outputs == 3
        net.reset_head(4, drop_rate=0.5, n_samples=3, vote_threshold=10)
        net.eval()
        assert net(x, total_votes=torch.tensor([3.0, 12.0])).shape == (2, 4)
        net.reset_head(0)
        torch.testing.assert_close(net(x), features)

    def test_learns_eight_windows_by_heart(self, name):
        torch.manual_seed(0)
        net = self.make(name, n_outputs=2)
        x, y = self.windows(name, 8), torch.arange(8) % 2
        optimizer = torch.optim.AdamW(net.parameters(), lr=SMALL[name].lr)
        losses = []
        for _ in range(40):
            output = net(x)
            logits = output.logits if isinstance(output, NetOutput) else output
            loss = nn.functional.cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.1 * losses[0]

    def test_gradient_checkpointing_changes_nothing(self, name):
        if not SMALL[name].checkpointing:
            with pytest.raises(ValueError, match="has no gradient checkpointing"):
                self.make(name).set_grad_checkpointing()
            return
        torch.manual_seed(0)
        plain = self.make(name)
        saving = self.make(name)
        saving.load_state_dict(plain.state_dict())
        saving.set_grad_checkpointing()
        x = self.windows(name, 3)
        for net in (plain, saving):
            torch.manual_seed(1)  # dropout, if there is any
            output = net(x)
            logits = output.logits if isinstance(output, NetOutput) else output
            logits.square().sum().backward()
        for (key, a), (_, b) in zip(
            plain.named_parameters(), saving.named_parameters(), strict=True
        ):
            torch.testing.assert_close(a.grad, b.grad, msg=key)
        # The second forward pass must not count the batch twice.
        for (key, a), (_, b) in zip(
            plain.named_buffers(), saving.named_buffers(), strict=True
        ):
            assert torch.equal(a, b), key

    def test_wrong_shape(self, name):
        shape = list(SMALL[name].shape)
        shape[-1] += 32
        with pytest.raises(ValueError, match=r"got input of shape \(2, "):
            self.make(name)(torch.zeros(2, *shape))


def test_base_net_without_checkpointing():
    class Mean(BaseNet):
        def __init__(self, n_chans, n_outputs, n_times):
            super().__init__(n_chans, n_outputs, n_times)
            self.num_features = n_chans
            self.reset_head(n_outputs)

    with pytest.raises(ValueError, match="Mean has no gradient checkpointing"):
        Mean(1, 2, 3).set_grad_checkpointing()
    with pytest.raises(ValueError, match="Mean: n_chans=0"):
        Mean(0, 2, 3)
