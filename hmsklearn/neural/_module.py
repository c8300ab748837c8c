"""The module that a neural estimator trains: input normalisation, then a backbone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from hmsklearn.nets.layers import InputNorm

__all__ = ["NormalizedNet"]


class NormalizedNet(nn.Module):
    """A backbone behind an input normalisation.

    Parameters
    ----------
    factory : callable
        Function or class that builds the backbone; importable by its name, because
        a fitted estimator is saved as this and the weights.
    params : dict
        Keyword arguments of `factory`.
    input_norm : {"global", "window"} or None
        Mode of :class:`hmsklearn.nets.layers.InputNorm`.

    Attributes
    ----------
    norm : InputNorm
        The normalisation.
    body : torch.nn.Module
        The backbone.
    extra_inputs : frozenset of str
        What the backbone's ``forward`` asks for by name beside the windows.

    Examples
    --------
    >>> net = NormalizedNet(nn.Linear, {"in_features": 3, "out_features": 2}, None)
    >>> net({"x": torch.zeros(1, 3), "sample_weight": torch.ones(1)}).shape
    torch.Size([1, 2])
    """

    def __init__(
        self,
        factory: Callable[..., nn.Module],
        params: dict[str, Any],
        input_norm: str | None,
    ) -> None:
        super().__init__()
        self.norm = InputNorm(input_norm)
        self.body = factory(**params)
        parameters = list(inspect.signature(self.body.forward).parameters.values())
        self.extra_inputs = frozenset(
            parameter.name
            for parameter in parameters[1:]
            if parameter.kind
            in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        )

    def forward(self, batch: torch.Tensor | Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Map a batch to logits.

        Parameters
        ----------
        batch : Tensor or mapping of str to Tensor
            Windows, or a batch dict with the windows under ``"x"``; its other entries
            reach the backbone only if its ``forward`` asks for them by name.

        Returns
        -------
        Tensor of shape (n_windows, n_classes)
            Logits.
        """
        if isinstance(batch, torch.Tensor):
            return self.body(self.norm(batch))
        extra = {
            name: value for name, value in batch.items() if name in self.extra_inputs
        }
        return self.body(self.norm(batch["x"]), **extra)
