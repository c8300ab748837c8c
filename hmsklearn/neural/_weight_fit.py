"""State dicts for nets of the same architecture; classes and channels may differ."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import nn

from hmsklearn.neural._weight_check import check_state

__all__ = [
    "adapt_input_channels",
    "fit_own",
    "is_own",
    "without_prefix",
]

State = dict[str, torch.Tensor]

#: How the names start of what depends on the classes.
HEADS = ("head.", "aux_heads.")
# How files call the net inside of what was saved.
_PREFIXES = ("body.", "module_.body.", "net_.module_.body.", "model.", "net.")
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def adapt_input_channels(weight: torch.Tensor, n_channels: int) -> torch.Tensor:
    """Make the kernels of a first convolution fit another number of channels.

    Parameters
    ----------
    weight : Tensor of shape (n_maps, n_old, ...)
        Kernels, over one, two or three axes.
    n_channels : int
        Number of channels wanted.

    Returns
    -------
    Tensor of shape (n_maps, n_channels, ...)
        The old channels repeated in turn and scaled by ``n_old / n_channels``, or
        their sum for a single one: the same picture in every channel gives the same
        output as before when the numbers divide.

    References
    ----------
    R. Wightman, PyTorch Image Models (timm), for the idea.

    Examples
    --------
    >>> adapt_input_channels(torch.ones(1, 3, 1, 1), 1).flatten().tolist()
    [3.0]
    >>> adapt_input_channels(torch.ones(1, 3, 1, 1), 6).flatten().tolist()
    [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    """
    n_old = weight.shape[1]
    if n_channels == 1:
        return weight.sum(dim=1, keepdim=True)
    turn = torch.arange(n_channels) % n_old
    return weight[:, turn] * (n_old / n_channels)


def without_prefix(state: State, expected: Collection[str]) -> State:
    """Take away what a file has in front of the names of a net, if it has.

    Parameters
    ----------
    state : dict of str to Tensor
        State dict.
    expected : collection of str
        Names in the net.

    Returns
    -------
    dict of str to Tensor
        The part of the state dict that is about the net, by its names; the state dict
        as it is, if no known prefix makes more names fit.

    Examples
    --------
    >>> state = {"norm.mean": torch.zeros(()), "body.bias": torch.zeros(2)}
    >>> list(without_prefix(state, ["bias"]))
    ['bias']
    """
    names = set(expected)
    best, most = state, len(names & set(state))
    for prefix in _PREFIXES:
        cut = {
            name.removeprefix(prefix): value
            for name, value in state.items()
            if name.startswith(prefix)
        }
        if len(names & set(cut)) > most:
            best, most = cut, len(names & set(cut))
    return best


def is_own(net: nn.Module, state: State) -> bool:
    """Tell whether most names of a state dict are those of a net.

    Parameters
    ----------
    net : torch.nn.Module
        The net.
    state : dict of str to Tensor
        State dict, without prefix.

    Returns
    -------
    bool
        Whether they are.

    Examples
    --------
    >>> is_own(nn.Linear(1, 1), {"bias": torch.zeros(1)})
    True
    """
    return 2 * len(set(state) & set(net.state_dict())) > len(state)


def fit_own(net: nn.Module, state: State, what: str, caller: str) -> None:
    """Load a state dict of the same architecture.

    Parameters
    ----------
    net : torch.nn.Module
        The net, changed in place.
    state : dict of str to Tensor
        State dict.
    what : str
        What it is called in error messages.
    caller : str
        Name that starts them.

    Raises
    ------
    ValueError
        If anything differs beyond the head and the number of input channels.

    Examples
    --------
    >>> net = nn.Linear(2, 1)
    >>> fit_own(net, {"weight": torch.ones(1, 2), "bias": torch.ones(1)}, "these",
    ...         "doctest")
    >>> net.weight.tolist()
    [[1.0, 1.0]]
    """
    expected = net.state_dict()
    state = _adapt_first(net, without_prefix(state, expected), expected)
    usable = check_state(net, state, what, caller, heads=HEADS)
    net.load_state_dict(usable, strict=False)


def _adapt_first(
    net: nn.Module, state: State, expected: Mapping[str, torch.Tensor]
) -> State:
    """Adapt the convolutions that read the input to its number of channels."""
    n_chans = getattr(net, "n_chans", None)
    adapted: State = {}
    before = set()
    for path, part in net.named_modules():
        name = f"{path}.weight"
        reads = isinstance(part, _CONVOLUTIONS) and part.groups == 1
        if not reads or part.in_channels != n_chans or name not in state:
            continue
        old, new = state[name], expected[name]
        # One further inside may have as many inputs, and fits as it is.
        if old.shape != new.shape and _kernels(old) == _kernels(new):
            before.add(old.shape[1])
            adapted[name] = adapt_input_channels(old, new.shape[1])
    # Convolutions of several widths are not all the first one: another architecture.
    return {**state, **adapted} if len(before) == 1 else state


def _kernels(weight: torch.Tensor) -> tuple[int, ...]:
    return (weight.shape[0], *weight.shape[2:])
