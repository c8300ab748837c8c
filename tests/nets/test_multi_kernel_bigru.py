import pytest
import torch

from hmsklearn.nets import MultiKernelBiGRU, ResNet1DGRU

#: The 11th place's kernels.
KERNELS_11TH = (*range(1, 30, 2), 35, 63, 127)


def test_kernels_of_the_11th_place():
    params = {"kernel_maps": 2, "width": 6, "gru_hidden": 4}
    net = MultiKernelBiGRU(3, 6, 400, kernels=KERNELS_11TH, **params).eval()
    assert [conv.kernel_size[0] for conv in net.stem.convs] == list(KERNELS_11TH)
    assert net.norm1.num_features == 18 * 2
    assert net(torch.randn(2, 3, 400)).shape == (2, 6)
    # The public net takes them as well.
    net = ResNet1DGRU(3, 6, 2000, kernels=KERNELS_11TH, gru_hidden=4, width=4).eval()
    assert net(torch.randn(1, 3, 2000)).shape == (1, 6)


@pytest.mark.parametrize(("n_times", "n_steps"), [(10000, 156), (2000, 31)])
def test_steps_that_the_gru_reads(n_times, n_steps):
    net = MultiKernelBiGRU(2, 6, n_times, kernel_maps=1, width=2, gru_hidden=2).eval()
    seen = []
    net.gru.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape))
    net(torch.randn(1, 2, n_times))
    assert seen == [(1, 2, n_steps)]


@pytest.mark.parametrize(
    ("pool", "factor"),
    [("final", 2), ("last", 2), ("mean", 2), ("mean_max", 4), ("attention", 2)],
)
def test_pooling(pool, factor):
    torch.manual_seed(0)
    net = MultiKernelBiGRU(
        2, 6, 64, kernels=(3, 5), kernel_maps=2, width=4, gru_hidden=8, pool=pool
    )
    assert net.num_features == 8 * factor == net.head.in_features
    net(torch.randn(4, 2, 64)).square().sum().backward()
    grads = [p.grad for p in net.parameters()]
    assert all(g is not None and g.isfinite().all() for g in grads)


def test_too_short():
    params = {"kernels": (3,), "kernel_maps": 2, "width": 2, "gru_hidden": 2}
    with pytest.raises(ValueError, match=r"n_times=62 .* too short .* at least 63"):
        MultiKernelBiGRU(2, 6, 62, **params)
    net = MultiKernelBiGRU(2, 6, 63, **params).eval()
    assert net(torch.zeros(1, 2, 63)).shape == (1, 6)
    net = MultiKernelBiGRU(2, 6, 1, n_blocks=0, **params).eval()
    assert net(torch.zeros(1, 2, 1)).shape == (1, 6)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"kernels": (4,)}, "odd and positive"),
        ({"kernel_maps": 0}, "kernel_maps=0"),
        ({"n_blocks": -1}, "n_blocks=-1"),
        ({"block_kernel": 4}, "block_kernel=4"),
        ({"pool": "median"}, "mode='median' is not known"),
    ],
)
def test_wrong_parameters(params, match):
    with pytest.raises(ValueError, match=match):
        MultiKernelBiGRU(2, 6, 200, **params)
