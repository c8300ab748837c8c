"""Adversarial weight perturbation: learn where the weights would be worse."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from hmsklearn._params import check_integer, check_real

__all__ = ["WeightPerturbation", "read_awp"]


@dataclass(frozen=True)
class WeightPerturbation:
    """How far the weights are moved up the loss before they learn.

    Parameters
    ----------
    lr : float, default=1e-2
        Length of the move of every kernel or matrix, as a share of its norm.
    eps : float, default=1e-2
        Largest move of a single weight, as a share of its size.
    start : float or int, default=0.0
        Share of all steps (below 1), or number of epochs, that are trained without.

    References
    ----------
    D. Wu, S.-T. Xia and Y. Wang, Adversarial Weight Perturbation Helps Robust
    Generalization, NeurIPS 2020; here without adversarial windows. HMS: zdhdream.

    Examples
    --------
    >>> net = nn.Linear(1, 2, bias=False)
    >>> net.weight.data = torch.tensor([[3.0], [-4.0]])
    >>> net.weight.grad = torch.tensor([[0.0], [2.0]])
    >>> with WeightPerturbation(lr=0.1, eps=0.05).applied(net):
    ...     moved = net.weight.detach().flatten().clone()
    >>> [round(value, 3) for value in moved.tolist()], net.weight.flatten().tolist()
    ([3.0, -3.8], [3.0, -4.0])
    """

    lr: float = 1e-2
    eps: float = 1e-2
    start: float = 0.0

    def is_on(self, step: int, n_steps: int, n_epochs: int) -> bool:
        """Whether a step is trained with it.

        Parameters
        ----------
        step : int
            Number of the step, from 0.
        n_steps : int
            Number of all steps.
        n_epochs : int
            Number of epochs.

        Returns
        -------
        bool
            Whether `start` is over.
        """
        if isinstance(self.start, Integral):
            return step * n_epochs >= self.start * n_steps
        return step >= self.start * n_steps

    @contextlib.contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """Move the weights along their gradients, and back to where they were.

        Parameters
        ----------
        module : torch.nn.Module
            The net. Its kernels and matrices that have a gradient are moved, biases
            and norms are not. The gradients may be scaled; where one is not finite the
            weights stay.

        Yields
        ------
        None
            Afterwards weights are the very numbers that they were, and running
            statistics of batch norms too: the moved net is not the one that predicts.
        """
        weights = [
            parameter
            for parameter in module.parameters()
            if parameter.requires_grad
            and parameter.grad is not None
            and parameter.ndim > 1
        ]
        statistics = [
            buffer
            for part in module.modules()
            if isinstance(part, _NormBase)
            for buffer in part.buffers(recurse=False)
        ]
        before = [(one, one.detach().clone()) for one in (*weights, *statistics)]
        try:
            with torch.no_grad():
                for weight in weights:
                    weight.add_(self._move(weight))
            yield
        finally:
            with torch.no_grad():
                for one, value in before:
                    one.copy_(value)

    def _move(self, weight: torch.Tensor) -> torch.Tensor:
        # Nothing here waits for a GPU: a norm of zero or infinity gives NaN, then 0.
        gradient: Any = weight.grad
        move = gradient * (self.lr * weight.norm() / gradient.norm())
        limit = self.eps * weight.abs()
        return move.nan_to_num(0.0, 0.0, 0.0).clamp(-limit, limit)


def read_awp(awp: Any, max_epochs: int, *, caller: str) -> WeightPerturbation | None:
    """Read the estimators' parameter `awp`.

    Parameters
    ----------
    awp : None or dict
        ``lr``, ``eps`` and ``start`` of :class:`WeightPerturbation`; those that are
        not given have its defaults.
    max_epochs : int
        Number of epochs.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    WeightPerturbation or None
        None without.

    Raises
    ------
    TypeError
        If it is no dict.
    ValueError
        If a key or a value is not usable.

    Examples
    --------
    >>> read_awp({"eps": 0.005, "start": 2}, 5, caller="doctest")
    WeightPerturbation(lr=0.01, eps=0.005, start=2)
    """
    if awp is None:
        return None
    if not isinstance(awp, Mapping):
        raise TypeError(
            f"{caller}: awp must be a dict such as {{'lr': 0.01, 'eps': 0.01, 'start': "
            f"2}}, or None, got {awp!r}."
        )
    known = [field.name for field in fields(WeightPerturbation)]
    for key in awp:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"{caller}: awp has no key {key!r}.{hint} Known are {known}."
            )
    read = WeightPerturbation(**awp)
    for name in ("lr", "eps"):
        check_real(
            getattr(read, name), f"awp[{name!r}]", caller=caller, low=0, low_open=True
        )
    if isinstance(read.start, Integral) and not isinstance(
        read.start, (bool, np.bool_)
    ):
        remedy = f"The training has max_epochs={max_epochs}."
        check_integer(
            read.start,
            "awp['start']",
            caller=caller,
            low=0,
            high=max_epochs - 1,
            remedy=f"{remedy} A share of the training is a float below 1.",
        )
    else:
        check_real(
            read.start, "awp['start']", caller=caller, low=0, high=1, high_open=True
        )
    return read
