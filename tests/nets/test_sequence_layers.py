import pytest
import torch
from torch import nn

from hmsklearn.nets.layers import (
    MeanSteps,
    MultiKernelMaps1d,
    RecurrentPool,
    SequencePool,
)


class TestSequencePool:
    x = torch.tensor([[[1.0, 5.0, 3.0], [0.0, -2.0, -4.0]]])

    @pytest.mark.parametrize(
        ("mode", "expected"),
        [
            ("last", [3.0, -4.0]),
            ("mean", [3.0, -2.0]),
            ("max", [5.0, 0.0]),
            ("mean_max", [3.0, -2.0, 5.0, 0.0]),
        ],
    )
    def test_values(self, mode, expected):
        pool = SequencePool(2, mode)
        assert pool(self.x).tolist() == [expected]
        assert pool.num_features == len(expected)

    def test_attention_of_equal_scores_is_the_mean(self):
        pool = SequencePool(2, "attention", attention_width=5)
        assert pool.score[0].out_features == 5
        nn.init.zeros_(pool.score[2].weight)
        torch.testing.assert_close(pool(self.x), torch.tensor([[3.0, -2.0]]))

    def test_attention_of_one_great_score_is_that_step(self):
        pool = SequencePool(2, "attention")
        with torch.no_grad():
            pool.score[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
            pool.score[0].bias.copy_(torch.tensor([-4.0, 0.0]))
            pool.score[2].weight.copy_(torch.tensor([[100.0, 0.0]]))
        torch.testing.assert_close(pool(self.x), self.x[..., 1])

    def test_unknown(self):
        with pytest.raises(ValueError, match="mode='median' is not known"):
            SequencePool(2, "median")


class TestRecurrentPool:
    @pytest.mark.parametrize("cell", ["gru", "lstm"])
    @pytest.mark.parametrize("bidirectional", [False, True])
    def test_final_is_the_last_layer_where_it_has_read_everything(
        self, cell, bidirectional
    ):
        torch.manual_seed(0)
        layer = RecurrentPool(
            3, 4, cell=cell, n_layers=2, bidirectional=bidirectional, pool="final"
        )
        x = torch.randn(2, 3, 9)
        steps, _ = layer.rnn(x.transpose(1, 2))
        expected = steps[:, -1, :4]
        if bidirectional:
            expected = torch.cat([expected, steps[:, 0, 4:]], dim=1)
        torch.testing.assert_close(layer(x), expected)
        assert layer.num_features == expected.shape[1]

    @pytest.mark.parametrize("pool", ["last", "mean", "max", "mean_max", "attention"])
    def test_pooling_of_the_steps(self, pool):
        torch.manual_seed(0)
        layer = RecurrentPool(3, 4, pool=pool)
        x = torch.randn(2, 3, 9)
        steps, _ = layer.rnn(x.transpose(1, 2))
        torch.testing.assert_close(layer(x), layer.pool(steps.transpose(1, 2)))
        assert layer(x).shape == (2, layer.num_features)

    @pytest.mark.parametrize(
        ("params", "match"),
        [
            ({"cell": "rnn"}, "cell='rnn' is not known"),
            ({"hidden_size": 0}, "hidden_size=0"),
            ({"dropout": 0.1}, "there is one layer"),
        ],
    )
    def test_wrong_parameters(self, params, match):
        with pytest.raises(ValueError, match=match):
            RecurrentPool(**{"in_features": 3, "hidden_size": 4, **params})


class TestMultiKernelMaps:
    #: The 11th place's.
    kernels = (*range(1, 30, 2), 35, 63, 127)

    def test_maps_of_one_length(self):
        torch.manual_seed(0)
        layer = MultiKernelMaps1d(2, 3, self.kernels)
        assert len(self.kernels) == 18
        assert layer.out_chans == 54
        x = torch.randn(1, 2, 200)
        out = layer(x)
        assert out.shape == (1, 54, 200)
        torch.testing.assert_close(out[:, 51:], layer.convs[-1](x))

    @pytest.mark.parametrize("kernels", [(), (3, 4), (-1,)])
    def test_wrong_kernels(self, kernels):
        with pytest.raises(ValueError, match="must be odd and positive"):
            MultiKernelMaps1d(2, 3, kernels)


class TestMeanSteps:
    @pytest.mark.parametrize(
        ("n_times", "n_steps"),
        [(10000, 320), (624, 320), (60, 20), (61, 7), (5, 5), (9, 1), (3, 8)],
    )
    def test_equals_adaptive_pooling(self, n_times, n_steps):
        torch.manual_seed(0)
        x = torch.randn(2, 3, n_times)
        steps = MeanSteps(n_times, n_steps)
        torch.testing.assert_close(
            steps(x), nn.functional.adaptive_avg_pool1d(x, n_steps)
        )
        assert not steps.state_dict()

    def test_the_matrix_stays_small(self):
        # 10000 to 320: 80 times 125 samples to 4 steps.
        assert MeanSteps(10000, 320).weight.shape == (125, 4)

    @pytest.mark.parametrize(("n_times", "n_steps"), [(0, 1), (5, 0)])
    def test_wrong_lengths(self, n_times, n_steps):
        with pytest.raises(ValueError, match="must be at least 1"):
            MeanSteps(n_times, n_steps)
