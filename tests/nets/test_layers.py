import pytest
import torch
from torch import nn

from hmsklearn.nets.layers import (
    InputNorm,
    LastStepBiGRU,
    MultiKernelConv1d,
    PreActPoolBlock1d,
    checkpoint_sequential,
)


def test_last_step_equals_bidirectional_gru():
    torch.manual_seed(0)
    ours = LastStepBiGRU(5, 7)
    full = nn.GRU(5, 7, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            getattr(full, name).copy_(getattr(ours.forward_gru, name))
            getattr(full, f"{name}_reverse").copy_(getattr(ours.backward_gru, name))
    x = torch.randn(3, 5, 40)
    expected = full(x.transpose(1, 2))[0][:, -1]
    torch.testing.assert_close(ours(x), expected)
    assert ours.num_features == 14


def test_gru_stride_averages():
    torch.manual_seed(0)
    strided = LastStepBiGRU(2, 3, stride=4)
    plain = LastStepBiGRU(2, 3)
    plain.load_state_dict(strided.state_dict())
    x = torch.randn(2, 2, 8)
    means = x.reshape(2, 2, 2, 4).mean(dim=3)
    torch.testing.assert_close(strided(x), plain(means))


def test_multi_kernel_lays_outputs_end_to_end():
    layer = MultiKernelConv1d(2, 4, (3, 5))
    x = torch.randn(1, 2, 10)
    out = layer(x)
    assert out.shape == (1, 4, 8 + 6)
    torch.testing.assert_close(out[..., 8:], layer.convs[1](x))


def test_block_is_the_pooled_input_when_its_last_kernel_is_zero():
    block = PreActPoolBlock1d(4, 5)
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 4, 11)
    torch.testing.assert_close(block(x), nn.functional.max_pool1d(x, 2))


class TestInputNorm:
    x = torch.tensor([[[1.0, 3.0], [5.0, 7.0]], [[10.0, 10.0], [10.0, 10.0]]])

    def test_window(self):
        out = InputNorm("window")(self.x)
        assert out[0].mean().item() == pytest.approx(0)
        assert out[0].std(correction=0).item() == pytest.approx(1)
        assert torch.equal(out[1], torch.zeros(2, 2))  # no variance, no NaN

    def test_global(self):
        norm = InputNorm("global")
        assert torch.equal(norm(self.x), self.x)
        norm.set_statistics(1.0, 2.0)
        torch.testing.assert_close(norm(self.x), (self.x - 1) / 2)
        norm.set_statistics(1.0, 0.0)
        torch.testing.assert_close(norm(self.x), self.x - 1)
        assert set(norm.state_dict()) == {"mean", "std"}

    def test_none(self):
        norm = InputNorm(None)
        assert norm(self.x) is self.x
        assert not norm.state_dict()

    def test_unknown(self):
        with pytest.raises(ValueError, match="mode='batch' is not known"):
            InputNorm("batch")


def test_checkpointing_only_where_gradients_are_needed(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "hmsklearn.nets.layers.checkpointing.checkpoint",
        lambda block, x, **kwargs: calls.append(block) or block(x),
    )
    block = nn.Linear(2, 2)
    x = torch.zeros(1, 2)
    checkpoint_sequential([block], x, enabled=False)
    with torch.no_grad():
        checkpoint_sequential([block], x, enabled=True)
    checkpoint_sequential([block.eval()], x, enabled=True)
    assert not calls
    checkpoint_sequential([block.train()], x, enabled=True)
    assert calls == [block]
