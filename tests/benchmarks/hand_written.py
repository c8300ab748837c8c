"""A training loop written by hand, which does what ``fit`` does and no more."""

import contextlib
import copy
import math

import numpy as np
import torch

__all__ = ["eager", "seed_of", "train"]


def seed_of(random_state):
    """Seed that an estimator draws from its `random_state`."""
    draw = np.random.RandomState(random_state)
    return int(draw.randint(np.iinfo(np.int32).max))


def train(
    make,
    X,
    fractions,
    *,
    seed,
    n_epochs,
    batch_size,
    lr,
    weight_decay=1e-2,
    augment=(),
    decay=None,
    valid=None,
    device="cpu",
    amp=None,
):
    """Train a net; return the losses of the epochs, and the KL of those that validate.

    AdamW, without decay of vectors, cosine schedule, weights averaged after every step;
    windows drawn, normalised, augmented and counted batch by batch. `X` is an array.
    """
    devices = [device] if device != "cpu" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        net = make()
        mean, std = float(X.mean(dtype=np.float64)), float(X.std(dtype=np.float64))
        net = net.to(device)
        parameters = list(net.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim > 1]},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=lr, weight_decay=weight_decay)
        averaged = None if decay is None else copy.deepcopy(net)
        target = torch.from_numpy(fractions)
        cuts = range(0, len(X), batch_size)
        n_steps, step = n_epochs * len(cuts), 0
        history = []
        for _ in range(n_epochs):
            net.train()
            total = 0.0
            order = torch.randperm(len(X)).numpy()
            for start in cuts:
                rows = order[start : start + batch_size]
                for group in optimizer.param_groups:
                    group["lr"] = 0.5 * lr * (1 + math.cos(math.pi * step / n_steps))
                optimizer.zero_grad(set_to_none=True)
                x = torch.from_numpy(X[rows]).to(device, non_blocking=True)
                y = target[torch.from_numpy(rows)].to(device, non_blocking=True)
                batch = {"x": x, "fractions": y}
                for augmentation in augment:
                    with torch.no_grad():
                        batch = augmentation.apply(batch)
                with _precision(device, amp):
                    logits = net((batch["x"] - mean) / std)
                loss = _divergence(logits.float(), batch["fractions"])
                loss.backward()
                optimizer.step()
                if averaged is not None:
                    _average(averaged, net, decay)
                # Fetching every loss from a GPU would make it wait.
                loss = loss.detach()
                total += len(rows) * (loss.item() if device == "cpu" else loss)
                step += 1
            kl = math.nan
            if valid is not None:
                kl = _validate(averaged or net, *valid, mean, std, batch_size, device)
            history.append((float(total) / len(X), kl))
    return history


def eager(net, X, batch_size):
    """Probabilities of a net, batch by batch."""
    net.eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(X), batch_size):
            logits = net(torch.from_numpy(X[start : start + batch_size]))
            parts.append(torch.softmax(logits.double(), dim=1))
    return torch.cat(parts).numpy()


def _precision(device, amp):
    if amp is None:
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=amp)


def _divergence(logits, fractions):
    log_prob = torch.log_softmax(logits, dim=1)
    cost = torch.xlogy(fractions, fractions) - fractions * log_prob
    return cost.sum(dim=1).mean()


def _average(averaged, net, decay):
    with torch.no_grad():
        torch._foreach_lerp_(
            list(averaged.parameters()), list(net.parameters()), weight=1 - decay
        )
        for own, other in zip(averaged.buffers(), net.buffers(), strict=True):
            own.copy_(other)


def _validate(net, X, fractions, mean, std, batch_size, device):
    net.eval()
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(X), batch_size):
            x = torch.from_numpy(X[start : start + batch_size]).to(device)
            y = torch.from_numpy(fractions[start : start + batch_size]).to(device)
            kl = _divergence(net((x - mean) / std).double(), y)
            total += len(y) * float(kl)
    return total / len(X)
