"""Information maximisation: sure about each window, spread over all of them."""

from __future__ import annotations

import math

import torch

__all__ = ["divergence_from_prior", "mean_entropy"]

# Below every probability that a float32 softmax gives for logits 80 apart.
_TINY = 1e-35


def mean_entropy(proba: torch.Tensor) -> torch.Tensor:
    """Mean entropy of the predictions of windows.

    Parameters
    ----------
    proba : Tensor of shape (n_windows, n_classes)
        Probabilities.

    Returns
    -------
    Tensor
        Scalar, in nat.

    Examples
    --------
    >>> mean_entropy(torch.tensor([[0.5, 0.5], [1.0, 0.0]])).item()  # log(2) / 2
    0.3465735912322998
    """
    return -(proba * log_of(proba)).sum(dim=1).mean()


def divergence_from_prior(
    proba: torch.Tensor, prior: torch.Tensor | None = None
) -> torch.Tensor:
    """Divergence of the mean prediction from how often classes should occur.

    Parameters
    ----------
    proba : Tensor of shape (n_windows, n_classes)
        Probabilities.
    prior : Tensor of shape (n_classes,), optional
        Shares of the classes; equal ones without it, and then minimising this is
        maximising the entropy of the mean prediction.

    Returns
    -------
    Tensor
        ``KL(mean || prior)``, in nat.

    Examples
    --------
    >>> divergence_from_prior(torch.tensor([[1.0, 0.0], [0.0, 1.0]])).item()
    0.0
    """
    mean = proba.mean(dim=0)
    log_prior = -math.log(mean.numel()) if prior is None else prior.log()
    return (mean * (log_of(mean) - log_prior)).sum()


def log_of(proba: torch.Tensor) -> torch.Tensor:
    """Logarithm that stays finite at zero, where it is multiplied by zero."""
    return proba.clamp_min(_TINY).log()
