"""Blends of 23 and of 150 models, against the searches that people blend with.

The models are simulated: what they know of a window in common, noise that they share,
noise of their own, and sharpness of their own. The votes are drawn from the truth, so
that many fractions are zero. Beside the ratio stands what counts as much, how far each
blend is from the best one: the relative gap between its divergence and the lower bound
that our certificate proves.
"""

import importlib.util
from functools import partial

import numpy as np
import torch
from harness import Contender, Job
from scipy.optimize import minimize
from scipy.special import log_softmax

from hmsklearn.ensemble import KLBlender
from hmsklearn.ensemble._greedy import select_greedily
from hmsklearn.metrics import kl_divergence

N_ROWS = 20_000
N_CLASSES = 6
N_TRIALS = 200
N_EVALUATIONS = 10_000
N_EPOCHS = 100
BATCH = 1024
NELDER_MEAD = f"scipy Nelder-Mead, {N_EVALUATIONS:,} evaluations"


def simulate(n_models, n_rows, seed=0):
    """Probabilities (n, n_models, 6), correlated as real ones are, and fractions."""
    rng = np.random.default_rng(seed)
    truth = 1.6 * rng.normal(size=(n_rows, N_CLASSES))
    shared = truth + 0.8 * rng.normal(size=truth.shape)
    prob = np.empty((n_rows, n_models, N_CLASSES))
    prior = rng.normal(0, 0.1, N_CLASSES)
    for model in range(n_models):
        own = rng.uniform(0.4, 1.0) * rng.normal(size=truth.shape)
        logits = rng.uniform(0.8, 1.3) * (shared + own) + prior
        prob[:, model] = np.exp(log_softmax(logits, axis=1))
    chances = np.exp(log_softmax(truth, axis=1))
    votes = rng.multinomial(rng.integers(3, 20, size=n_rows), chances)
    return prob, votes / votes.sum(axis=1, keepdims=True)


# Each neighbour begins where ours begins, with probabilities and fractions.


def voted(prob, fractions):
    """Only entries with votes enter the divergence."""
    rows, columns = np.nonzero(fractions)
    share = fractions[rows, columns]
    entries = np.clip(prob[rows, :, columns].T, 1e-15, 1 - 1e-15)
    return np.ascontiguousarray(entries), share / len(prob)


def over_sum(weights):
    total = weights.sum()
    n_models = weights.size
    return weights / total if total > 0 else np.full(n_models, 1 / n_models)


class LinearPool:
    """Cross-entropy of a linear pool, in weights that are divided by their sum."""

    def __init__(self, prob, fractions):
        self.entries, self.share = voted(prob, fractions)
        self.start = np.full(len(self.entries), 1 / len(self.entries))

    def value(self, weights):
        return float(-self.share @ np.log(over_sum(weights) @ self.entries))

    def on_simplex(self, weights):
        pooled = weights @ self.entries
        gradient = -self.entries @ (self.share / pooled)
        return float(-self.share @ np.log(pooled)), gradient

    def value_and_gradient(self, weights):
        simplex = over_sum(weights)
        value, gradient = self.on_simplex(simplex)
        return value, (gradient - gradient @ simplex) / weights.sum()


class LogPool:
    """Cross-entropy of a log pool with class biases."""

    def __init__(self, prob, fractions):
        logs = np.log(np.clip(prob, 1e-7, 1))
        self.n_models, self.fractions = prob.shape[1], fractions
        self.logs = np.ascontiguousarray(logs.transpose(0, 2, 1))
        self.start = np.zeros(self.n_models + N_CLASSES)
        self.start[: self.n_models] = 1 / self.n_models

    def scores(self, x):
        return self.logs @ x[: self.n_models] + x[self.n_models :]

    def value(self, x):
        losses = self.fractions * log_softmax(self.scores(x), axis=1)
        return float(-losses.sum() / len(losses))

    def value_and_gradient(self, x):
        log_prob = log_softmax(self.scores(x), axis=1)
        error = (np.exp(log_prob) - self.fractions) / len(log_prob)
        value = -float((self.fractions * log_prob).sum()) / len(log_prob)
        by_model = error.ravel() @ self.logs.reshape(-1, self.n_models)
        return value, np.concatenate([by_model, error.sum(axis=0)])


def slsqp(pool):
    constraint = {
        "type": "eq",
        "fun": lambda w: w.sum() - 1,
        "jac": lambda w: np.ones_like(w),
    }
    return minimize(
        pool.on_simplex,
        pool.start,
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * pool.start.size,
        constraints=constraint,
        options={"ftol": 1e-14, "maxiter": 500},
    ).x


def lbfgsb(pool):
    bounds = [(0, 1)] * pool.start.size if isinstance(pool, LinearPool) else None
    return minimize(
        pool.value_and_gradient,
        pool.start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 2000, "maxfun": 10_000},
    ).x


def nelder_mead(pool):
    """With SciPy's tolerances, and more evaluations than it allows by itself.

    Its own limit, 200 for each parameter, is met long before its tolerances are, at
    a gap of 6e-4 for 23 models.
    """
    bounds = [(0, 1)] * pool.start.size if isinstance(pool, LinearPool) else None
    return minimize(
        pool.value,
        pool.start,
        method="Nelder-Mead",
        bounds=bounds,
        options={"maxiter": N_EVALUATIONS, "maxfev": N_EVALUATIONS},
    ).x


def optuna(pool, n_trials):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    # Up to twice the equal weights: with more, log pools of many models are so sharp
    # that no trial is any good.
    weighted = pool.start > 0
    low = np.where(weighted, 0.0, -0.3).tolist()
    high = np.where(weighted, 2 * pool.start, 0.3).tolist()

    def objective(trial):
        x = [
            trial.suggest_float(f"x{place}", *ends)
            for place, ends in enumerate(zip(low, high, strict=True))
        ]
        return pool.value(np.array(x))

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective, n_trials=n_trials)
    return np.array(list(study.best_params.values()))


def adam_on_softmax(prob, fractions):
    """Logits of the weights, by batches of rows, as a net is trained."""
    torch.manual_seed(0)
    rows = torch.tensor(np.clip(prob, 1e-7, 1), dtype=torch.float32)
    target = torch.tensor(fractions, dtype=torch.float32)
    logits = torch.zeros(prob.shape[1], requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.02)
    for _ in range(N_EPOCHS):
        for batch in torch.randperm(len(rows)).split(BATCH):
            pooled = torch.einsum("imk,m->ik", rows[batch], logits.softmax(dim=0))
            loss = -(target[batch] * pooled.log()).sum() / len(batch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return logits.detach().double().softmax(dim=0).numpy()


def adam_on_entries(pool):
    """The same with all voted entries in every step."""
    entries = torch.tensor(pool.entries, dtype=torch.float32)
    share = torch.tensor(pool.share, dtype=torch.float32)
    logits = torch.zeros(len(entries), requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.1)
    for _ in range(N_EPOCHS):
        loss = -share @ (logits.softmax(dim=0) @ entries).log()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return logits.detach().double().softmax(dim=0).numpy()


def adam_on_layer(prob, fractions):
    """A linear layer over logits and a bias for each class."""
    torch.manual_seed(0)
    logs = np.log(np.clip(prob, 1e-7, 1)).transpose(0, 2, 1)
    rows = torch.tensor(logs, dtype=torch.float32)
    target = torch.tensor(fractions, dtype=torch.float32)
    n_models = prob.shape[1]
    layer = torch.nn.Linear(n_models, 1, bias=False)
    torch.nn.init.constant_(layer.weight, 1 / n_models)
    bias = torch.nn.Parameter(torch.zeros(N_CLASSES))
    optimiser = torch.optim.Adam([layer.weight, bias], lr=0.002)
    for _ in range(N_EPOCHS):
        for batch in torch.randperm(len(rows)).split(BATCH):
            scores = layer(rows[batch]).squeeze(2) + bias
            loss = -(target[batch] * scores.log_softmax(dim=1)).sum() / len(batch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    weights = layer.weight[0].detach().double().numpy()
    return np.concatenate([weights, bias.detach().double().numpy()])


class Race:
    """The divergences of one set of predictions, and how far each is from the best."""

    def __init__(self, n_models, n_rows, pool, **params):
        self.prob, self.fractions = simulate(n_models, n_rows)
        self.pool, self.n_rows = pool, n_rows
        self.blender = KLBlender(pool, classes=None, **params)
        self.lower_bound = np.nan  # known when ours is fitted

    def ours(self):
        return self.blender.fit(self.prob, self.fractions)

    def linear(self, solve):
        return lambda: solve(LinearPool(self.prob, self.fractions))

    def log(self, solve):
        return lambda: solve(LogPool(self.prob, self.fractions))

    def net(self, train):
        return lambda: train(self.prob, self.fractions)

    def divergence(self, found):
        """What a blend scores; not part of the race."""
        if found is self.blender:
            self.lower_bound = found.kl_ - found.gap_
            assert found.gap_ <= 1e-8 * found.kl_
            return found.kl_
        if self.pool == "linear":
            return kl_divergence(self.fractions, over_sum(found) @ self.prob)
        log_prob = log_softmax(LogPool(self.prob, self.fractions).scores(found), axis=1)
        return kl_divergence(self.fractions, np.exp(log_prob))

    def gap(self, found):
        return self.divergence(found) / self.lower_bound - 1

    def exactly(self, ours, theirs):
        """Another exact solver ends where ours does."""
        np.testing.assert_allclose(self.gap(theirs), self.gap(ours), atol=1e-6)

    def roughly(self, ours, theirs):
        """None is better than the bound; what is reported is how much worse."""
        assert self.gap(theirs) > self.gap(ours) - 1e-8
        assert self.divergence(theirs) < 1.0

    def contender(self, name, run, agrees, **kwargs):
        return Contender(name, run, self.n_rows, agrees=agrees, gap=self.gap, **kwargs)


def linear_job(n_models, n_rows, n_trials, targets):
    race = Race(n_models, n_rows, "linear")
    neighbours = [
        ("scipy SLSQP, exact gradient", race.linear(slsqp), race.exactly, {}),
        ("scipy L-BFGS-B, exact gradient", race.linear(lbfgsb), race.exactly, {}),
        (
            f"Adam on all rows, {N_EPOCHS} epochs",
            race.linear(adam_on_entries),
            race.roughly,
            {},
        ),
        (
            f"Adam on batches, {N_EPOCHS} epochs",
            race.net(adam_on_softmax),
            race.roughly,
            {"once": True},
        ),
    ]
    if n_models < 100:
        neighbours += searches(race, race.linear, n_trials)
    return job(f"linear pool, {n_models} models", race, neighbours, targets)


def log_job(n_models, n_rows, n_trials, targets):
    race = Race(n_models, n_rows, "log", bias=True)
    neighbours = [
        ("scipy L-BFGS-B, exact gradient", race.log(lbfgsb), race.exactly, {}),
        (
            f"Adam on a linear layer, {N_EPOCHS} epochs",
            race.net(adam_on_layer),
            race.roughly,
            {"once": True},
        ),
    ]
    if n_models < 100:
        neighbours += searches(race, race.log, n_trials)
    return job(f"log pool with bias, {n_models} models", race, neighbours, targets)


def greedy_by_hand(entries, share, n_steps):
    """Forward selection as it is written down: try every model, take the best."""
    total, order = np.zeros(len(share)), []
    for step in range(1, n_steps + 1):
        values = [-share @ np.log((total + model) / step) for model in entries]
        order.append(int(np.argmin(values)))
        total += entries[order[-1]]
    return np.array(order)


def greedy_job(n_models, n_rows, n_steps=10):
    prob, fractions = simulate(n_models, n_rows)
    entries, share = voted(prob, fractions)

    def ours():
        return select_greedily(entries, share, n_steps=n_steps).order

    return Job(
        f"greedy selection, {n_models} models",
        Contender(f"select_greedily, {n_steps} picks", ours, n_rows),
        [
            Contender(
                "numpy, model by model",
                partial(greedy_by_hand, entries, share, n_steps),
                n_rows,
                agrees=np.testing.assert_array_equal,
                target=3.0,
            )
        ],
    )


def searches(race, of_pool, n_trials):
    """The ones that take long: each runs once."""
    once = {"once": True}
    rows = [(NELDER_MEAD, of_pool(nelder_mead), race.roughly, once)]
    if importlib.util.find_spec("optuna"):
        run = of_pool(partial(optuna, n_trials=n_trials))
        rows.append((f"optuna, {n_trials} trials", run, race.roughly, once))
    return rows


def job(name, race, neighbours, targets):
    return Job(
        name,
        race.contender("KLBlender", race.ours, None),
        [
            race.contender(title, run, agrees, target=targets.get(title), **more)
            for title, run, agrees, more in neighbours
        ],
    )


def jobs(n_rows=N_ROWS, sizes=(23, 150), n_trials=N_TRIALS):
    search = {NELDER_MEAD: 100.0}
    exact = {"scipy L-BFGS-B, exact gradient": 5.0}
    adam = {f"Adam on batches, {N_EPOCHS} epochs": 5.0}
    small, large = sizes
    return [
        linear_job(small, n_rows, n_trials, {**search, **adam}),
        linear_job(large, n_rows, n_trials, adam),
        log_job(small, n_rows, n_trials, {**search, **exact}),
        log_job(large, n_rows, n_trials, exact),
        greedy_job(large, n_rows),
    ]


def small_jobs():
    """The same on so little data that all of them end in seconds."""
    return jobs(n_rows=300, sizes=(4, 100), n_trials=20)
