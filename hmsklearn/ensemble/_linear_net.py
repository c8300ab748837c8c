"""The 3rd place's blend: a linear layer over the models' logits, trained by SGD.

One weight for each model, shared by the classes, and one bias for each class. The net
is so small that its gradient is written down: products with the batch and a softmax,
where automatic differentiation would spend most of the time on its own book-keeping.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from sklearn.model_selection import KFold
from sklearn.utils import check_random_state

from hmsklearn.ensemble._greedy_pools import check_log_pool
from hmsklearn.model_selection._threads import torch_threads_set_to

__all__ = ["LinearNet", "fit_linear_net"]


class LinearNet(NamedTuple):
    """Weights and bias of a log pool, averaged over folds.

    Attributes
    ----------
    weights : ndarray of shape (n_models,)
        Weight of each model's logits; of any sign and sum.
    bias : ndarray of shape (n_classes,)
        What is added to the logits of each class.
    history : dict of str to ndarray
        ``"train_kl"`` and ``"valid_kl"`` of shape (n_folds, n_epochs): mean KL
        divergence over the batches of each epoch, and of the rows left out after it
        (NaN where no rows are left out); ``"weights"`` of shape (n_folds, n_models)
        and ``"bias"`` of shape (n_folds, n_classes), those of each fold.
    """

    weights: np.ndarray
    bias: np.ndarray
    history: dict[str, np.ndarray]


class _Rows(NamedTuple):
    """Rows of the training data as tensors in single precision."""

    logits: torch.Tensor
    fractions: torch.Tensor
    weight: torch.Tensor


def fit_linear_net(
    log_prob: np.ndarray,
    fractions: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    n_epochs: int = 801,
    lr: float = 0.1,
    batch_size: int = 1024,
    step_size: int = 10,
    gamma: float = 0.95,
    l1: float = 0.0,
    n_folds: int = 5,
    random_state: int | np.random.RandomState | None = None,
) -> LinearNet:
    """Train a linear layer over logits by stochastic gradient descent.

    Parameters
    ----------
    log_prob : ndarray of shape (n, n_models, n_classes), float64
        Logarithms of the models' probabilities, which are logits as good as any.
    fractions : ndarray of shape (n, n_classes), float64
        Vote fractions; rows sum to one.
    weight : ndarray of shape (n,), optional
        Weights of the rows; only their ratios matter.
    n_epochs : int, default=801
        Passes over the rows.
    lr : float, default=0.1
        Learning rate at the start.
    batch_size : int, default=1024
        Rows in a batch; the last one of an epoch has what is left.
    step_size : int, default=10
        The learning rate falls after so many epochs each.
    gamma : float, default=0.95
        Factor by which it falls.
    l1 : float, default=0.0
        Penalty on the sum of the weights' absolute values.
    n_folds : int, default=5
        Number of trainings, each without one fold of the rows; their weights and
        biases are averaged. 1 trains once on all rows.
    random_state : int, RandomState instance or None, default=None
        Draws the folds and the order of the rows in every epoch.

    Returns
    -------
    LinearNet
        Weights, bias and what happened on the way.

    Raises
    ------
    ValueError
        If the shapes do not fit, a number is not finite, a setting is out of range,
        or the training diverges.

    Notes
    -----
    Every weight starts at one over the number of models, and the bias at zero. The
    loss is the KL divergence from the votes to the softmax of the weighted logits,
    averaged over the batch. The defaults are the published recipe; the rate falls by
    so much that the result depends little on the order of the rows. With thousands of
    rows it ends close to the optimum of the log pool with class bias, with fewer rows
    it takes fewer steps and stops on the way from equal weights.

    The folds are folds of rows, as published: rows of one patient fall on both sides,
    and the divergence of the rows left out is no estimate for new patients.

    Computed in single precision, in one thread, with a generator of its own: the
    result depends on `random_state` alone.

    References
    ----------
    The 3rd place of HMS (Kaggle discussion 492471) published weights from 0.094 to
    0.153, which sum to 1.07, and biases from -0.098 to 0.060.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.dirichlet(np.ones(3), size=200)
    >>> good, poor = truth + 0.01, rng.dirichlet(np.ones(3), size=200) + 0.01
    >>> log_prob = np.log(np.stack([good, poor], axis=1))
    >>> net = fit_linear_net(log_prob, truth, n_epochs=50, random_state=0)
    >>> bool(net.weights[0] > 0.5 > net.weights[1]), net.bias.shape
    (True, (3,))
    """
    caller = "fit_linear_net"
    log_prob, fractions, weight = check_log_pool(log_prob, fractions, weight, caller)
    n, n_models, n_classes = log_prob.shape
    for name, number in (
        ("n_epochs", n_epochs),
        ("batch_size", batch_size),
        ("step_size", step_size),
        ("n_folds", n_folds),
    ):
        if not number >= 1:
            raise ValueError(f"{caller}: {name} must be at least 1, got {number!r}.")
    for name, rate in (("lr", lr), ("gamma", gamma)):
        if not rate > 0:
            raise ValueError(f"{caller}: {name} must be positive, got {rate!r}.")
    if not l1 >= 0:
        raise ValueError(f"{caller}: l1 must not be negative, got {l1!r}.")
    if n_folds > n:
        raise ValueError(f"{caller}: {n} rows do not fill n_folds={n_folds} folds.")
    random = check_random_state(random_state)
    folds = [(np.arange(n), np.arange(0))]
    if n_folds > 1:
        folds = list(KFold(n_folds, shuffle=True, random_state=random).split(log_prob))
    for train, _ in folds:
        if not weight[train].any():
            raise ValueError(
                f"{caller}: the rows with weight fill one fold of {n_folds}. Lower "
                "n_folds."
            )
    # Logits with the largest at zero make the same softmax and cannot overflow it.
    logits = np.ascontiguousarray(log_prob.transpose(0, 2, 1))
    logits -= logits.max(axis=1, keepdims=True)

    def rows(chosen: np.ndarray) -> _Rows:
        mean = max(float(weight[chosen].mean()) if chosen.size else 0.0, 1e-300)
        return _Rows(
            torch.from_numpy(logits[chosen].astype(np.float32)),
            torch.from_numpy(fractions[chosen].astype(np.float32)),
            torch.from_numpy((weight[chosen] / mean).astype(np.float32)),
        )

    history = {
        "train_kl": np.full((n_folds, n_epochs), np.nan),
        "valid_kl": np.full((n_folds, n_epochs), np.nan),
        "weights": np.empty((n_folds, n_models)),
        "bias": np.empty((n_folds, n_classes)),
    }
    rates = [lr * gamma ** (epoch // step_size) for epoch in range(n_epochs)]
    # One thread, and none of the modes that the caller may have set for nets.
    plain = torch.autocast("cpu", enabled=False)
    with torch_threads_set_to(1), torch.inference_mode(), plain:
        for fold, (train, valid) in enumerate(folds):
            history["weights"][fold], history["bias"][fold] = _train(
                rows(train),
                rows(valid),
                rates,
                batch_size,
                l1,
                int(random.randint(2**31 - 1)),
                history["train_kl"][fold],
                history["valid_kl"][fold],
            )
    if not all(
        np.isfinite(history[name]).all() for name in ("weights", "bias", "train_kl")
    ):
        raise ValueError(f"{caller}: the training diverged with lr={lr:g}. Lower it.")
    return LinearNet(
        history["weights"].mean(axis=0), history["bias"].mean(axis=0), history
    )


def _train(
    train: _Rows,
    valid: _Rows,
    rates: list[float],
    batch_size: int,
    l1: float,
    seed: int,
    train_kl: np.ndarray,
    valid_kl: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Train on one fold's rows; write the divergences of every epoch."""
    n, n_classes, n_models = train.logits.shape
    generator = torch.Generator(device="cpu").manual_seed(seed)
    weights = torch.full((n_models,), 1.0 / n_models, dtype=torch.float32, device="cpu")
    bias = torch.zeros(n_classes, dtype=torch.float32, device="cpu")
    # One copy for each batch instead of two.
    targets = torch.cat([train.fractions, train.weight.unsqueeze(1)], dim=1)
    entropy, valid_entropy = _entropy(train), _entropy(valid)
    for epoch, rate in enumerate(rates):
        order = torch.randperm(n, generator=generator, device="cpu")
        total = 0.0
        for batch in order.split(batch_size):
            logits = train.logits.index_select(0, batch).view(-1, n_models)
            target = targets.index_select(0, batch)
            fractions, weight = target[:, :-1], target[:, -1]
            prob, loss = _forward(logits, weights, bias, fractions)
            total += float(weight @ loss)
            error = prob.sub_(fractions).mul_(target[:, -1:])
            slope = torch.mv(logits.t(), error.view(-1))
            if l1:
                slope.add_(weights.sign(), alpha=l1 * len(batch))
            weights.sub_(slope, alpha=rate / len(batch))
            bias.sub_(error.sum(dim=0), alpha=rate / len(batch))
        train_kl[epoch] = (total - entropy) / n
        if len(valid.weight):
            logits = valid.logits.view(-1, n_models)
            _, loss = _forward(logits, weights, bias, valid.fractions)
            total = float(valid.weight @ loss)
            valid_kl[epoch] = (total - valid_entropy) / len(valid.weight)
    return weights.double().numpy(), bias.double().numpy()


def _entropy(rows: _Rows) -> float:
    return float(rows.weight @ torch.special.entr(rows.fractions).sum(dim=1))


def _forward(
    logits: torch.Tensor,
    weights: torch.Tensor,
    bias: torch.Tensor,
    fractions: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities, and the cross-entropy of every row."""
    scores = torch.mv(logits, weights).view(fractions.shape).add_(bias)
    scores.sub_(scores.amax(dim=1, keepdim=True))
    prob = scores.exp()
    # A product with ones is several times faster than a sum over six values.
    ones = torch.ones_like(bias)
    sums = torch.mv(prob, ones)
    loss = sums.log().sub_(torch.mv(scores.mul_(fractions), ones))
    return prob.div_(sums.unsqueeze(1)), loss
