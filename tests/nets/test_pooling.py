import pytest
import torch

from hmsklearn.nets.layers import POOLS, AttentionPool, GlobalPool, create_pool, gem


@pytest.fixture
def maps():
    return torch.rand(2, 5, 3, 4, generator=torch.Generator().manual_seed(0)) + 0.1


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("shape", [(12,), (3, 4), (2, 3, 2)])
def test_order_and_axes_of_positions_play_no_part(name, shape, maps):
    torch.manual_seed(0)
    pool = create_pool(name, 5)
    expected = pool(maps)
    assert isinstance(pool, GlobalPool)
    assert expected.shape == (2, pool.num_features)
    torch.testing.assert_close(pool(maps.reshape(2, 5, *shape)), expected)
    mixed = maps.flatten(2)[:, :, torch.randperm(12)]
    torch.testing.assert_close(pool(mixed), expected)


def test_values(maps):
    mean, most = maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))
    assert torch.equal(create_pool("avg", 5)(maps), mean)
    assert torch.equal(create_pool("max", 5)(maps), most)
    both = create_pool("avgmax", 5)
    assert both.num_features == 10
    assert torch.equal(both(maps), torch.cat([mean, most], dim=1))
    cubes = maps.pow(3).mean(dim=(2, 3)).pow(1 / 3)
    torch.testing.assert_close(create_pool("gem", 5)(maps), cubes)
    torch.testing.assert_close(create_pool("gem_trainable", 5)(maps), gem(maps))


def test_what_learns():
    assert not list(create_pool("gem", 5).parameters())
    assert [n for n, _ in create_pool("gem_trainable", 5).named_parameters()] == [
        "pool.p"
    ]
    # 15th place: a tanh layer of 2048.
    n_weights = sum(p.numel() for p in create_pool("attention", 5).parameters())
    assert n_weights == 5 * 2048 + 2048 + 2048 + 1


def test_parameters(maps):
    # 3rd place of SETI.
    fourth = maps.pow(4).mean(dim=(2, 3)).pow(1 / 4)
    for name in ("gem", "gem_trainable"):
        torch.testing.assert_close(create_pool(name, 5, p=4.0)(maps), fourth)
    assert list(create_pool("gem_trainable", 5, p=4.0).parameters())
    assert create_pool("gem", 5, eps=0.5).pool.eps == 0.5
    assert create_pool("attention", 5, hidden=7).pool.hidden.out_features == 7


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("avg", {"p": 4.0}, r"'avg' has no parameters \['p'\], and no others"),
        ("gem", {"hidden": 4}, r"no parameters \['hidden'\], only \['p', 'eps'\]"),
        ("gem", {"p": 0.0}, "GeM: p must be"),
        ("attention", {"hidden": 0}, "AttentionPool: .*hidden=0"),
    ],
)
def test_unknown_parameters(name, params, message):
    with pytest.raises(ValueError, match=message):
        create_pool(name, 5, **params)


def test_unknown():
    with pytest.raises(ValueError, match=r"pool must be one of .*'maxx'. Did .*'max'"):
        create_pool("maxx", 5)
    with pytest.raises(ValueError, match="pool must be one of"):
        create_pool(None, 5)


class TestAttentionPool:
    def test_against_the_formula(self, maps):
        torch.manual_seed(0)
        items = maps.flatten(2).transpose(1, 2)
        pool = AttentionPool(5, hidden=7)
        out = pool(items)
        for window, pooled in zip(items, out, strict=True):
            scores = torch.stack(
                [
                    pool.score.weight[0]
                    @ torch.tanh(pool.hidden.weight @ item + pool.hidden.bias)
                    for item in window
                ]
            )
            weights = scores.exp() / scores.exp().sum()
            torch.testing.assert_close(pooled, weights @ window)

    def test_weights(self, maps):
        torch.manual_seed(0)
        items = maps.flatten(2).transpose(1, 2)
        weights = AttentionPool(5, hidden=7).weights(items)
        assert weights.shape == (2, 12, 1)
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, 1))
        assert weights.std() > 0

    def test_finds_the_item_that_matters(self):
        # Bags of ten noise vectors; the target is a number on the one marked vector.
        torch.manual_seed(0)
        x = torch.randn(64, 10, 4)
        y = torch.randn(64, 1)
        place = torch.randint(10, (64,))
        x[:, :, 0] = 0
        x[torch.arange(64), place, 0] = 4
        x[torch.arange(64), place, 1] = y[:, 0]
        pool, head = AttentionPool(4, hidden=16), torch.nn.Linear(4, 1)
        parameters = [*pool.parameters(), *head.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=0.03)
        for _ in range(150):
            loss = torch.nn.functional.mse_loss(head(pool(x)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found = pool.weights(x).squeeze(2).argmax(dim=1)
        assert (found == place).float().mean() > 0.95

    @pytest.mark.parametrize("sizes", [(0, 4), (4, 0)])
    def test_wrong_widths(self, sizes):
        with pytest.raises(ValueError, match="AttentionPool: in_features="):
            AttentionPool(*sizes)
