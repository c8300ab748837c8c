"""The module that a neural estimator trains: frontend, normalisation, backbone."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from hmsklearn.nets.layers import InputNorm, VoteHead

__all__ = ["NormalizedNet"]

Views = dict[str, torch.Tensor]


class NormalizedNet(nn.Module):
    """A backbone behind a frontend and an input normalisation.

    Parameters
    ----------
    factory : callable
        Function or class that builds the backbone; importable by its name, because
        a fitted estimator is saved as this and the weights.
    params : dict
        Keyword arguments of `factory`.
    input_norm : {"global", "window"}, dict or None
        Mode of :class:`hmsklearn.nets.layers.InputNorm`; with several views, one for
        each by name.
    frontend : torch.nn.Module, optional
        What turns a batch of windows into what the backbone takes. It has no weights.
    head : dict, optional
        Parameters of the head that the backbone gets in the place of its own.
    jitter : WindowJitter, optional
        Cuts the middle out of windows that are longer than what the net was built
        for; in training it has cut them already.

    Attributes
    ----------
    frontend : torch.nn.Module or None
        The frontend.
    norm : InputNorm or ModuleDict of them
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
        input_norm: Any,
        *,
        frontend: nn.Module | None = None,
        head: dict[str, Any] | None = None,
        jitter: Any = None,
    ) -> None:
        super().__init__()
        self.frontend = frontend
        self.jitter = jitter
        self.norm: nn.Module = (
            nn.ModuleDict({name: InputNorm(mode) for name, mode in input_norm.items()})
            if isinstance(input_norm, Mapping)
            else InputNorm(input_norm)
        )
        self.body = factory(**params)
        if head:
            reset_head: Any = getattr(self.body, "reset_head", None)
            if reset_head is None:
                raise ValueError(
                    f"head={head!r} needs the method reset_head, and "
                    f"{type(self.body).__name__} has none. Set head=None, or derive "
                    "the class from hmsklearn.nets.BaseNet."
                )
            try:
                reset_head(self.body.n_outputs, **head)
            except TypeError as error:
                known = list(inspect.signature(VoteHead).parameters)[2:]
                close = [
                    match
                    for name in head.keys() - set(known)
                    for match in difflib.get_close_matches(name, known, n=1)
                ]
                hint = f"Did you mean {' or '.join(close)}? " if close else ""
                raise ValueError(
                    f"head={head!r}: {error}. {hint}VoteHead has {known}."
                ) from error
        parameters = list(inspect.signature(self.body.forward).parameters.values())
        self.extra_inputs = frozenset(
            parameter.name
            for parameter in parameters[1:]
            if parameter.kind
            in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        )

    def prepare(self, x: Any) -> Any:
        """Run the frontend, without gradient.

        Parameters
        ----------
        x : Tensor or dict of str to Tensor
            Windows as they are given to the estimator.

        Returns
        -------
        Tensor or dict of str to Tensor
            What the normalisation and the backbone take.
        """
        if self.jitter is not None:
            x = self.jitter.centre(x)
        if self.frontend is None:
            return x
        with torch.no_grad():
            return self.frontend(x)

    def normalize(self, x: Any) -> Any:
        """Subtract means and divide by standard deviations.

        Parameters
        ----------
        x : Tensor or dict of str to Tensor
            What ``prepare`` gave.

        Returns
        -------
        Tensor or dict of str to Tensor
            The same in the backbone's range. Views without a normalisation of their
            own pass.
        """
        if not isinstance(self.norm, nn.ModuleDict):
            return self.norm(x)
        return {
            name: self.norm[name](value) if name in self.norm else value
            for name, value in x.items()
        }

    def forward(
        self, batch: torch.Tensor | Mapping[str, Any], prepared: bool = False
    ) -> Any:
        """Map a batch to logits.

        Parameters
        ----------
        batch : Tensor or mapping of str to Tensor
            Windows, or a batch dict with the windows under ``"x"``; its other entries
            reach the backbone only if its ``forward`` asks for them by name.
        prepared : bool, default=False
            Whether the windows have been through ``prepare``.

        Returns
        -------
        Tensor of shape (n_windows, n_classes), or NetOutput
            Logits; in training also what the backbone gives beside them.
        """
        if isinstance(batch, torch.Tensor):
            batch = {"x": batch}
        x = batch["x"] if prepared else self.prepare(batch["x"])
        extra = {
            name: value for name, value in batch.items() if name in self.extra_inputs
        }
        extra.pop("x", None)
        return self.body(self.normalize(x), **extra)
