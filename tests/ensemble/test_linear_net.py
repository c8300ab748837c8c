"""The 3rd place's linear net: the published recipe, and how close it comes."""

import inspect

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.model_selection import KFold

from hmsklearn.ensemble._linear_net import fit_linear_net
from hmsklearn.metrics import kl_divergence

SHORT = {"n_epochs": 12, "batch_size": 32, "random_state": 0}


def problem(seed=0, n=150, n_models=4, n_classes=6, noise=0.8):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, 1, n_classes)) + 0.3 * np.arange(n_classes)
    scale = np.linspace(0.5, 1.5, n_models)[:, None]
    logits = truth + noise * scale * rng.normal(size=(n, n_models, n_classes))
    # The models do not know how often the classes are voted for.
    logits -= 0.3 * np.arange(n_classes)
    log_prob = logits - np.logaddexp.reduce(logits, axis=2, keepdims=True)
    prob = np.exp(truth[:, 0])
    prob /= prob.sum(axis=1, keepdims=True)
    fractions = np.stack([rng.multinomial(12, row) / 12 for row in prob])
    return log_prob, fractions


def pooled(log_prob, weights, bias):
    scores = np.einsum("imk,m->ik", log_prob, weights) + bias
    return np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))


def optimum(log_prob, fractions):
    n_models = log_prob.shape[1]

    def loss(x):
        prob = pooled(log_prob, x[:n_models], x[n_models:])
        error = (prob - fractions) / len(prob)
        gradient = np.einsum("imk,ik->m", log_prob, error), error.sum(axis=0)
        return kl_divergence(fractions, prob), np.concatenate(gradient)

    start = np.r_[np.full(n_models, 1 / n_models), np.zeros(log_prob.shape[2])]
    return minimize(loss, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-9})


def with_torch(log_prob, fractions, weight=None, **recipe):
    """The recipe as it is written with torch's layers, losses and optimisers."""
    n, n_models, n_classes = log_prob.shape
    logits = torch.tensor(log_prob.transpose(0, 2, 1), dtype=torch.float32)
    target = torch.tensor(fractions, dtype=torch.float32)
    weight = np.ones(n) if weight is None else weight
    random = np.random.RandomState(recipe["random_state"])
    all_weights, all_biases, train_kl, valid_kl = [], [], [], []
    for train, valid in KFold(
        recipe["n_folds"], shuffle=True, random_state=random
    ).split(fractions):
        layer = torch.nn.Linear(n_models, 1, bias=False)
        torch.nn.init.constant_(layer.weight, 1 / n_models)
        bias = torch.nn.Parameter(torch.zeros(n_classes))
        optimiser = torch.optim.SGD([*layer.parameters(), bias], lr=recipe["lr"])
        schedule = torch.optim.lr_scheduler.StepLR(
            optimiser, recipe["step_size"], recipe["gamma"]
        )
        generator = torch.Generator().manual_seed(int(random.randint(2**31 - 1)))
        in_fold = torch.tensor(
            weight[train] / weight[train].mean(), dtype=torch.float32
        )
        each, left_out = [], []
        for _ in range(recipe["n_epochs"]):
            order, total = torch.randperm(len(train), generator=generator), 0.0
            for batch in order.split(recipe["batch_size"]):
                rows = torch.from_numpy(train)[batch]
                scores = layer(logits[rows]).squeeze(2) + bias
                losses = torch.nn.functional.kl_div(
                    scores.log_softmax(dim=1), target[rows], reduction="none"
                ).sum(dim=1)
                loss = (losses * in_fold[batch]).mean()
                total += float(loss.detach()) * len(batch)
                loss = loss + recipe["l1"] * layer.weight.abs().sum()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            schedule.step()
            each.append(total / len(train))
            now = layer.weight[0].detach().double().numpy(), bias.detach().numpy()
            left_out.append(
                kl_divergence(
                    fractions[valid],
                    pooled(log_prob[valid], *now),
                    sample_weight=weight[valid],
                )
            )
        all_weights.append(now[0])
        all_biases.append(now[1].copy())
        train_kl.append(each)
        valid_kl.append(left_out)
    return tuple(
        np.array(each) for each in (all_weights, all_biases, train_kl, valid_kl)
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("l1", [0.0, 0.05])
def test_the_recipe_is_that_of_torch(weighted, l1):
    log_prob, fractions = problem()
    weight = np.linspace(0.2, 3.0, 150) if weighted else None
    recipe = {
        "n_epochs": 25,
        "lr": 0.1,
        "batch_size": 32,
        "step_size": 10,
        "gamma": 0.5,
        "l1": l1,
        "n_folds": 3,
        "random_state": 0,
    }
    net = fit_linear_net(log_prob, fractions, weight, **recipe)
    weights, bias, train_kl, valid_kl = with_torch(
        log_prob, fractions, weight, **recipe
    )
    np.testing.assert_allclose(net.history["weights"], weights, atol=2e-6)
    np.testing.assert_allclose(net.history["bias"], bias, atol=2e-6)
    np.testing.assert_allclose(net.history["train_kl"], train_kl, atol=2e-6)
    np.testing.assert_allclose(net.history["valid_kl"], valid_kl, atol=2e-6)
    np.testing.assert_allclose(net.weights, weights.mean(axis=0), atol=2e-6)
    np.testing.assert_allclose(net.bias, bias.mean(axis=0), atol=2e-6)


def test_the_defaults_are_as_published():
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(fit_linear_net).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert defaults == {
        "n_epochs": 801,
        "lr": 0.1,
        "batch_size": 1024,
        "step_size": 10,
        "gamma": 0.95,
        "l1": 0.0,
        "n_folds": 5,
        "random_state": None,
    }


def test_close_to_the_optimum_of_the_log_pool():
    log_prob, fractions = problem(n=2000)
    best = optimum(log_prob, fractions)
    net = fit_linear_net(log_prob, fractions, n_folds=1, batch_size=256, random_state=0)
    kl = kl_divergence(fractions, pooled(log_prob, net.weights, net.bias))
    assert best.fun - 1e-9 <= kl <= best.fun * (1 + 1e-4)
    np.testing.assert_allclose(net.weights, best.x[:4], atol=0.01)
    # The bias of all classes together does nothing.
    np.testing.assert_allclose(
        net.bias - net.bias.mean(), best.x[4:] - best.x[4:].mean(), atol=0.03
    )
    assert np.ptp(net.bias) > 0.5


def test_starts_from_equal_weights_and_no_bias():
    log_prob, fractions = problem()
    net = fit_linear_net(log_prob, fractions, lr=1e-30, n_epochs=1, random_state=0)
    np.testing.assert_allclose(net.weights, 1 / 4, rtol=1e-7)
    assert np.abs(net.bias).max() < 1e-30
    kl = kl_divergence(fractions, pooled(log_prob, net.weights, net.bias))
    assert net.history["train_kl"].mean() == pytest.approx(kl, rel=1e-5)
    assert net.history["valid_kl"].mean() == pytest.approx(kl, rel=1e-5)


def test_one_fold_is_all_rows():
    log_prob, fractions = problem()
    net = fit_linear_net(log_prob, fractions, n_folds=1, **SHORT)
    assert net.history["weights"].shape == (1, 4)
    np.testing.assert_array_equal(net.history["weights"][0], net.weights)
    assert np.isnan(net.history["valid_kl"]).all()
    assert (np.diff(net.history["train_kl"]) < 0).all()


def test_rows_without_weight_are_not_there():
    log_prob, fractions = problem(n=60)
    weight = np.ones(80)
    weight[60:] = 0
    log_prob = np.concatenate([log_prob, log_prob[:20] - 1])
    more = np.concatenate([fractions, fractions[20:40]])
    setting = {**SHORT, "n_folds": 1, "batch_size": 80}
    with_them = fit_linear_net(log_prob, more, weight, **setting)
    without = fit_linear_net(log_prob[:60], fractions, **setting)
    np.testing.assert_allclose(with_them.weights, without.weights, atol=1e-6)
    np.testing.assert_allclose(with_them.bias, without.bias, atol=1e-6)
    # Only the ratios of the weights matter.
    again = fit_linear_net(log_prob, more, 17 * weight, **setting)
    np.testing.assert_allclose(again.weights, with_them.weights, atol=1e-6)


def test_l1_shrinks_the_weights():
    problem_ = problem(n_models=8)
    sums = [
        np.abs(fit_linear_net(*problem_, l1=l1, **SHORT).weights).sum()
        for l1 in (0.0, 0.05, 0.2)
    ]
    assert sums[0] > sums[1] > sums[2]


def test_reproducible_whatever_the_global_state():
    log_prob, fractions = problem(n=500, n_models=12)

    def fit():
        net = fit_linear_net(log_prob, fractions, **SHORT)
        return np.concatenate([net.weights, net.bias, net.history["valid_kl"].ravel()])

    torch.manual_seed(0)
    first = fit()
    state = torch.random.get_rng_state()
    np.testing.assert_array_equal(fit(), first)
    assert torch.equal(torch.random.get_rng_state(), state)
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    try:
        torch.set_num_threads(2)
        torch.set_default_dtype(torch.float64)
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.device("meta"):
            second = fit()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
    np.testing.assert_array_equal(second, first)
    other = fit_linear_net(log_prob, fractions, **{**SHORT, "random_state": 1})
    assert not np.array_equal(other.weights, first[:12])


def test_inputs_stay_as_they_are():
    log_prob, fractions = problem()
    weight = np.ones(150)
    inputs = (log_prob, fractions, weight)
    before = [each.copy() for each in inputs]
    for each in inputs:
        each.setflags(write=False)
    fit_linear_net(*inputs, **SHORT)
    for old, new in zip(before, inputs, strict=True):
        np.testing.assert_array_equal(old, new)


def test_very_small_probabilities():
    log_prob, fractions = problem()
    log_prob[::3, 0, 0] = np.log(1e-15)
    log_prob[::4, 1] = [-700, -800, -900, -700, -700, -700]
    net = fit_linear_net(log_prob, fractions, **SHORT)
    assert np.isfinite(net.weights).all()
    assert np.isfinite(net.history["valid_kl"]).all()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"n_epochs": 0}, "n_epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"step_size": 0}, "step_size must be at least 1, got 0"),
        ({"n_folds": 0}, "n_folds must be at least 1, got 0"),
        ({"n_folds": 151}, "150 rows do not fill n_folds=151 folds"),
        ({"lr": 0.0}, "lr must be positive, got 0.0"),
        ({"gamma": -0.5}, "gamma must be positive, got -0.5"),
        ({"l1": -1.0}, "l1 must not be negative, got -1.0"),
    ],
)
def test_settings_out_of_range(setting, message):
    with pytest.raises(ValueError, match=f"fit_linear_net: {message}"):
        fit_linear_net(*problem(), **{**SHORT, **setting})


def test_a_training_that_diverges():
    log_prob, fractions = problem()
    setting = {**SHORT, "lr": 1e38, "gamma": 1.0}
    with pytest.raises(ValueError, match=r"diverged with lr=1e\+38. Lower it"):
        fit_linear_net(log_prob, fractions, **setting)


def test_weights_in_one_fold_only():
    log_prob, fractions = problem(n=50)
    weight = np.zeros(50)
    weight[3] = 1
    with pytest.raises(ValueError, match="rows with weight fill one fold of 5"):
        fit_linear_net(log_prob, fractions, weight, **SHORT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, f: (p[0], f), "log_prob has shape"),
        (lambda p, f: (p, f[:, :2]), "fractions have shape"),
        (lambda p, f: (p, 2 * f), ".* each row must sum to one"),
        (lambda p, f: (p, f, np.ones(3)), "weight has shape"),
        (lambda p, f: (p, f, -np.ones(150)), "weight must hold"),
    ],
)
def test_data_that_do_not_fit(change, message):
    with pytest.raises(ValueError, match=f"fit_linear_net: {message}"):
        fit_linear_net(*change(*problem()), **SHORT)
