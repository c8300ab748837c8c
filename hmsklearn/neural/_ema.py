"""A running mean of the weights, which predicts better than those of the last step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from hmsklearn._params import check_choice, check_real

__all__ = ["WeightEMA", "make_ema"]


class WeightEMA:
    """Exponential moving average of a module's weights.

    Parameters
    ----------
    module : torch.nn.Module
        The module; the average starts from its weights.
    decay : float
        How much of the average an update keeps.
    per : {"step", "epoch"}, default="step"
        When updates are meant to happen. Whoever trains calls ``update`` accordingly.
    warmup : bool, default=False
        Whether the first updates keep less: the `n`-th, from 0, at most ``(1 + n) /
        (10 + n)``. An average with a decay of .999 otherwise holds its random start
        for thousands of steps.

    Attributes
    ----------
    n_updates : int
        Number of updates so far.

    Notes
    -----
    Parameters are averaged; buffers, such as the statistics of batch norms, are running
    means already and are copied. The average lives on the module's device, in its
    number types.

    References
    ----------
    B. Polyak and A. Juditsky (1992), Acceleration of stochastic approximation by
    averaging. In HMS a decay per step of .998 (4th place, discussion 492240) and .995
    (6th, discussion 492619), and of .8 per epoch (16th).

    Examples
    --------
    >>> net = nn.Linear(1, 1, bias=False)
    >>> _ = net.weight.data.fill_(1.0)
    >>> ema = WeightEMA(net, decay=0.75)
    >>> _ = net.weight.data.fill_(5.0)
    >>> ema.update(net)
    >>> with ema.swapped(net):
    ...     print(net.weight.item())
    2.0
    >>> net.weight.item()
    5.0
    """

    def __init__(
        self,
        module: nn.Module,
        decay: float,
        *,
        per: str = "step",
        warmup: bool = False,
    ) -> None:
        self.decay = check_real(
            decay, "decay", caller="WeightEMA", low=0, high=1, high_open=True
        )
        self.per = check_choice(per, "per", ("step", "epoch"), caller="WeightEMA")
        self.warmup = bool(warmup)
        self.n_updates = 0
        parameters, buffers = _tensors(module)
        self._parameters = {n: p.detach().clone() for n, p in parameters.items()}
        self._buffers = {n: b.detach().clone() for n, b in buffers.items()}

    def update(self, module: nn.Module) -> None:
        """Take a module's weights into the average.

        Parameters
        ----------
        module : torch.nn.Module
            The module, with the parameters it had at the start.
        """
        decay = self.decay
        if self.warmup:
            decay = min(decay, (1 + self.n_updates) / (10 + self.n_updates))
        self.n_updates += 1
        parameters, buffers = self._matching(module)
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self._parameters.values()), parameters, weight=1.0 - decay
            )
            _copy(list(self._buffers.values()), buffers)

    def copy_to(self, module: nn.Module) -> None:
        """Put the average into a module.

        Parameters
        ----------
        module : torch.nn.Module
            The module.
        """
        parameters, buffers = self._matching(module)
        with torch.no_grad():
            _copy(
                [*parameters, *buffers],
                [*self._parameters.values(), *self._buffers.values()],
            )

    @contextlib.contextmanager
    def swapped(self, module: nn.Module) -> Iterator[nn.Module]:
        """Put the average into a module for a while.

        The module's own weights are back afterwards bit for bit, also after an error.
        The tensors themselves stay where they are, so that optimizers, compiled code
        and recurrent layers, whose weights lie in one piece of memory, do not notice.

        Parameters
        ----------
        module : torch.nn.Module
            The module.

        Yields
        ------
        torch.nn.Module
            The same module.
        """
        parameters, buffers = self._matching(module)
        tensors = [*parameters, *buffers]
        own = [tensor.detach().clone() for tensor in tensors]
        self.copy_to(module)
        try:
            yield module
        finally:
            with torch.no_grad():
                _copy(tensors, own)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a checkpoint needs.

        Returns
        -------
        dict
            Number of updates, averaged parameters and copied buffers.
        """
        return {
            "n_updates": self.n_updates,
            "parameters": {n: p.clone() for n, p in self._parameters.items()},
            "buffers": {n: b.clone() for n, b in self._buffers.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint.

        Parameters
        ----------
        state : mapping
            What ``state_dict`` gave.

        Raises
        ------
        ValueError
            If it belongs to another module.
        """
        for kind, held in (
            ("parameters", self._parameters),
            ("buffers", self._buffers),
        ):
            shapes = {name: tuple(value.shape) for name, value in held.items()}
            given = {name: tuple(value.shape) for name, value in state[kind].items()}
            if shapes != given:
                wrong = sorted(
                    n for n in shapes | given if shapes.get(n) != given.get(n)
                )
                raise ValueError(
                    f"WeightEMA: the state is that of another module: {kind} "
                    f"{wrong[:3]} are missing, new or of another shape "
                    f"({len(wrong)} in all)."
                )
        self.n_updates = int(state["n_updates"])
        for name, value in self._parameters.items():
            value.copy_(state["parameters"][name])
        for name, value in self._buffers.items():
            value.copy_(state["buffers"][name])

    def _matching(
        self, module: nn.Module
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        parameters, buffers = _tensors(module)
        if (
            parameters.keys() != self._parameters.keys()
            or buffers.keys() != self._buffers.keys()
        ):
            raise ValueError(
                "WeightEMA: the module has other parameters or buffers than the one "
                "the average was started from."
            )
        return (
            [parameters[name].detach() for name in self._parameters],
            [buffers[name] for name in self._buffers],
        )


def make_ema(module: nn.Module, ema: Any, *, caller: str) -> WeightEMA | None:
    """Start the average that an estimator's parameter describes.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    ema : float, dict or None
        Decay per step, or parameters of :class:`WeightEMA`, such as ``{"decay": 0.8,
        "per": "epoch"}``.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    WeightEMA or None
        The average; None without.

    Raises
    ------
    ValueError
        If a parameter is not known or not usable.

    Examples
    --------
    >>> make_ema(nn.Linear(1, 1), {"decay": 0.8, "per": "epoch"}, caller="doctest").per
    'epoch'
    """
    if ema is None:
        return None
    params = dict(ema) if isinstance(ema, Mapping) else {"decay": ema}
    known = ("decay", "per", "warmup")
    if "decay" not in params or params.keys() - set(known):
        raise ValueError(
            f"{caller}: ema must be a decay or a dict with 'decay' and, if need be, "
            f"'per' and 'warmup', got {ema!r}."
        )
    check_real(params["decay"], "ema", caller=caller, low=0, high=1, high_open=True)
    return WeightEMA(module, **params)


def _tensors(
    module: nn.Module,
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    return dict(module.named_parameters()), dict(module.named_buffers())


def _copy(to: list[torch.Tensor], source: list[torch.Tensor]) -> None:
    if to:
        torch._foreach_copy_(to, source)
