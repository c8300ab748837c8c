"""Training a fitted net on unlabelled windows, its head left alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from hmsklearn.nets.layers import InputNorm
from hmsklearn.neural._data import gather, mean_and_std
from hmsklearn.neural._device import naming_memory, seeded
from hmsklearn.neural._freezing import freeze_parameters
from hmsklearn.neural._optimizers import make_optimizer
from hmsklearn.semi_supervised._centroids import centroid_labels
from hmsklearn.semi_supervised._information import (
    divergence_from_prior,
    log_of,
    mean_entropy,
)

__all__ = ["AdaptationSettings", "adapt_net"]

# How far the net's own logits and those of its two parts in turn may be apart.
_SAME = 1e-4


@dataclass(frozen=True)
class AdaptationSettings:
    """How a net is adapted; the parameters of the classifier, checked.

    Attributes
    ----------
    beta, entropy_weight, diversity_weight : float
        Weights of the three parts of the loss.
    entropy_floor : float
        Mean entropy below which there is nothing to gain.
    prior : ndarray of shape (n_classes,) or None
        Shares of the classes.
    centroid_labels : {"soft", "hard"}
        Kind of the pseudo-labels.
    max_epochs, batch_size : int
        Length and batches of the training.
    optimizer : str or class
        The optimizer.
    lr, weight_decay : float
        Its highest rate, and decay.
    adapt_input_norm : bool
        Whether the input is normalised by the target's mean and deviation.
    caller : str
        Name that starts the error messages.
    """

    beta: float
    entropy_weight: float
    diversity_weight: float
    entropy_floor: float
    prior: np.ndarray | None
    centroid_labels: str
    max_epochs: int
    batch_size: int
    optimizer: Any
    lr: float
    weight_decay: float
    adapt_input_norm: bool
    caller: str


def adapt_net(
    estimator: Any,
    X: Any,
    settings: AdaptationSettings,
    *,
    seed: int,
    report: Callable[[str], None],
) -> pd.DataFrame:
    """Adapt the backbone of a fitted neural estimator, in place.

    Parameters
    ----------
    estimator : BaseNeuralClassifier
        Fitted; its net is changed.
    X : array-like or WindowViews
        Unlabelled windows of the shape that it was fitted on.
    settings : AdaptationSettings
        How.
    seed : int
        Seed of the order of batches, and of dropout.
    report : callable
        Takes a line about each epoch.

    Returns
    -------
    DataFrame
        One row an epoch.

    Raises
    ------
    ValueError
        If the net has no features to look at, there are fewer than two windows, or the
        loss is not finite.

    Examples
    --------
    >>> from hmsklearn.neural import WaveformClassifier
    >>> from hmsklearn.testing import make_check_data
    >>> data = make_check_data("windows", shape=(4, 64))
    >>> clf = WaveformClassifier(
    ...     architecture_params={"width": 4, "kernels": (3,), "n_blocks": 1,
    ...                          "gru_hidden": 0},
    ...     max_epochs=1, random_state=0, device="cpu", batch_size=8,
    ... ).fit(data.X, data.votes)
    >>> settings = AdaptationSettings(0.3, 1.0, 1.0, 0.0, None, "soft", 2, 8, "sgd",
    ...                               1e-3, 0.0, False, "doctest")
    >>> len(adapt_net(clf, data.X, settings, seed=0, report=len))
    2
    """
    caller, device = settings.caller, estimator.device_
    net = estimator.net_
    module = net.module_
    X = estimator._check_X(X, caller=f"{caller} (X_target)", fitted=True)
    n = len(next(iter(X.values())) if hasattr(X, "keys") else X)
    if n < 2:
        raise ValueError(
            f"{caller}: X_target has {n} windows, and at least 2 are needed to tell "
            "what the target is like. Give more windows."
        )
    _check_parts(estimator, X, settings)
    if settings.adapt_input_norm:
        _normalise_by(module, X, n, caller)
    order = np.random.RandomState(seed)
    # Batch norm needs two windows.
    n_batches = min(math.ceil(n / settings.batch_size), n // 2)
    history: list[tuple[float, ...]] = []
    nearest: np.ndarray | None = None
    undo, frozen_norms = freeze_parameters(module, "head", caller=caller)
    try:
        with seeded(seed, device), naming_memory(caller, settings.batch_size, device):
            optimizer = make_optimizer(
                module,
                settings.optimizer,
                lr=settings.lr,
                weight_decay=settings.weight_decay,
                caller=caller,
            )
            for epoch in range(settings.max_epochs):
                before = nearest
                targets, nearest = centroid_labels(
                    *_look(net, X, n, settings.batch_size),
                    kind=settings.centroid_labels,
                )
                _train_mode(module, frozen_norms)
                batches = np.array_split(order.permutation(n), n_batches)
                means = _run_epoch(net, X, targets, batches, epoch, optimizer, settings)
                moved = np.nan if before is None else float((nearest != before).mean())
                history.append((epoch + 1, *means.tolist(), moved))
                report(
                    f"epoch {epoch + 1}/{settings.max_epochs}: loss {means[0]:.4f}, "
                    f"entropy {means[1]:.4f}, divergence of classes {means[2]:.4f}"
                )
    finally:
        undo()
        module.eval()
        module.zero_grad(set_to_none=True)
        net._keep(engine_=None)  # one that was made of the weights before
    columns = ["epoch", "loss", "entropy", "divergence", "pseudo_loss", "moved"]
    return pd.DataFrame(history, columns=columns)


def _run_epoch(
    net: Any,
    X: Any,
    targets: np.ndarray,
    batches: list[np.ndarray],
    epoch: int,
    optimizer: torch.optim.Optimizer,
    settings: AdaptationSettings,
) -> np.ndarray:
    """Take one step for each batch; return the means of the losses."""
    n_windows = sum(rows.size for rows in batches)
    n_steps = settings.max_epochs * len(batches)
    prior = None
    if settings.prior is not None:
        prior = torch.as_tensor(settings.prior, device=net.device)
    means = np.zeros(4)
    for number, rows in enumerate(batches, start=epoch * len(batches)):
        factor = (1 + 10 * number / n_steps) ** -0.75
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * group.get("lr_scale", 1.0) * factor
        logits = net.module_.body.forward_head(_features(net, X, rows))
        wanted = torch.as_tensor(targets[rows], device=net.device)
        losses = _losses(net.probabilities(logits), wanted, prior, settings)
        optimizer.zero_grad(set_to_none=True)
        losses[0].backward()
        optimizer.step()
        values = np.array([float(loss.detach()) for loss in losses])
        if not np.isfinite(values).all():
            raise ValueError(
                f"{settings.caller}: the loss became {values[0]} in epoch {epoch + 1} "
                f"of the adaptation. Lower lr (now {settings.lr:g})."
            )
        means += values * rows.size / n_windows
    return means


def _check_parts(estimator: Any, X: Any, settings: AdaptationSettings) -> None:
    """Refuse a net that is not its features and its head, one after the other."""
    net = estimator.net_
    body = net.module_.body
    missing = [
        part for part in ("forward_features", "forward_head") if not hasattr(body, part)
    ]
    if missing:
        raise ValueError(
            f"{settings.caller}: {type(body).__name__} has no {missing[0]}, so that "
            "its features and its head cannot be told apart. Derive the net from "
            "hmsklearn.nets.BaseNet."
        )
    few = X[: min(2, len(X))]
    net.module_.eval()
    with torch.inference_mode():
        features = _features(net, few, np.arange(len(few)))
        logits = body.forward_head(features).float().cpu().numpy()
    expected = net.predict_logits(few, len(few))
    scale = max(1.0, float(np.abs(expected).max()))
    if np.abs(logits - expected).max() > _SAME * scale:
        raise ValueError(
            f"{settings.caller}: the logits of {type(body).__name__} are not those of "
            "forward_head(forward_features(x)), so that it cannot be adapted with its "
            "head left alone. Write these two methods so that forward is one after the "
            "other."
        )


def _normalise_by(module: Any, X: Any, n: int, caller: str) -> None:
    several = isinstance(module.norm, torch.nn.ModuleDict)
    norms = dict(module.norm.items()) if several else {"": module.norm}
    usable = all(
        isinstance(norm, InputNorm) and norm.mode == "global" for norm in norms.values()
    )
    if not usable or module.frontend is not None or module.jitter is not None:
        raise ValueError(
            f"{caller}: adapt_input_norm=True needs an estimator with input_norm="
            "'global' and without a frontend or WindowJitter, since only then mean and "
            "deviation of X_target are those of what is normalised. Leave it out."
        )
    for name, norm in norms.items():
        norm.set_statistics(*mean_and_std(X[name] if several else X, np.arange(n)))


def _train_mode(module: Any, frozen_norms: list[Any]) -> None:
    module.train()
    head = getattr(module.body, "head", None)
    if head is not None:
        head.eval()  # no dropout in what is left alone
    for norm in frozen_norms:
        norm.eval()


def _features(net: Any, X: Any, rows: np.ndarray) -> torch.Tensor:
    """Features of windows, in the mode that the module is in."""
    x = net._on_device({"x": gather(X, rows)})["x"]
    x = net._images_last(net.module_.prepare(x))
    return net.module_.body.forward_features(net.module_.normalize(x))


def _look(net: Any, X: Any, n: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and predictions of all windows as the net is now."""
    net.module_.eval()
    body = net.module_.body
    features, proba = [], []
    with torch.inference_mode():
        for start in range(0, n, batch_size):
            rows = np.arange(start, min(start + batch_size, n))
            found = _features(net, X, rows)
            entering = body.forward_head(found, pre_logits=True)
            features.append(entering.flatten(1).double().cpu().numpy())
            logits = body.forward_head(found)
            proba.append(net.probabilities(logits).double().cpu().numpy())
    return np.concatenate(features), np.concatenate(proba)


def _losses(
    proba: torch.Tensor,
    targets: torch.Tensor,
    prior: torch.Tensor | None,
    settings: AdaptationSettings,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Whole loss of a batch, entropy, divergence of the classes, pseudo-label loss."""
    proba = proba.double()
    entropy = mean_entropy(proba)
    divergence = divergence_from_prior(proba, prior)
    pseudo = (torch.xlogy(targets, targets) - targets * log_of(proba)).sum(1).mean()
    loss = (
        settings.entropy_weight * entropy.clamp_min(settings.entropy_floor)
        + settings.diversity_weight * divergence
        + settings.beta * pseudo
    )
    return loss, entropy, divergence, pseudo
