"""Whether a state dict fits a net, and what differs if it does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

__all__ = ["check_state", "differences"]

State = dict[str, torch.Tensor]


def check_state(
    net: nn.Module,
    state: State,
    what: str,
    caller: str,
    *,
    heads: tuple[str, ...] = (),
    optional: Iterable[str] = (),
) -> State:
    """Choose what is to be loaded out of a state dict, or refuse it.

    Parameters
    ----------
    net : torch.nn.Module
        The net that is to take it.
    state : dict of str to Tensor
        State dict.
    what : str
        What it is called in error messages.
    caller : str
        Name that starts them.
    heads : tuple of str, default=()
        Starts of the names of heads. One that is missing, of another kind or for other
        classes stays as it is.
    optional : iterable of str, default=()
        Names that may be missing, in the net or in the state dict.

    Returns
    -------
    dict of str to Tensor
        What to load.

    Raises
    ------
    ValueError
        If anything else is missing, unexpected, or of another shape.

    Examples
    --------
    >>> net = nn.Linear(2, 1)
    >>> check_state(net, {"weight": torch.ones(1, 2)}, "the weights in 'a.pth'", "me")
    Traceback (most recent call last):
    ValueError: me: the weights in 'a.pth' do not fit the backbone: missing: bias. \
Were they saved from another model than this Linear, or with other parameters?
    """
    expected = net.state_dict()
    wrong = differences(state, expected, heads, optional)
    for head in heads:
        wrong += _broken_head(state, expected, head)
    if wrong:
        raise ValueError(
            f"{caller}: {what} do not fit the backbone: {'; '.join(wrong)}. Were they "
            f"saved from another model than this {type(net).__name__}, or with other "
            "parameters?"
        )
    usable = {
        name: value
        for name, value in state.items()
        if name in expected and value.shape == expected[name].shape
    }
    for head in heads:
        names = {name for name in expected if name.startswith(head)}
        if names != {name for name in usable if name.startswith(head)}:
            usable = {name: v for name, v in usable.items() if name not in names}
    return usable


def _broken_head(
    state: State, expected: Mapping[str, torch.Tensor], head: str
) -> list[str]:
    """Say what is wrong with a linear head, beyond its number of classes."""
    weight, bias = f"{head}weight", f"{head}bias"
    if weight not in expected or not {weight, bias} & set(state):
        return []
    for name in (weight, bias):
        if name not in state:
            return [f"missing: {name}"]
    have, want = state[weight].shape, expected[weight].shape
    if have[1:] != want[1:]:
        return [f"of another shape: {weight} is {tuple(have)}, not {tuple(want)}"]
    return []


def differences(
    state: State,
    expected: Mapping[str, torch.Tensor],
    heads: tuple[str, ...] = (),
    optional: Iterable[str] = (),
) -> list[str]:
    """Say what does not fit.

    Parameters
    ----------
    state : dict of str to Tensor
        State dict.
    expected : mapping of str to Tensor
        State dict of the net.
    heads : tuple of str, default=()
        Starts of names that may differ.
    optional : iterable of str, default=()
        Names that may be missing.

    Returns
    -------
    list of str
        What is missing, unexpected, of another shape; empty if all fits.

    Examples
    --------
    >>> differences({"a": torch.zeros(1)}, {"a": torch.zeros(2)})
    ['of another shape: a is (1,), not (2,)']
    """
    spared = set(optional)

    # torch itself counts from zero where old files lack a norm's batch counter.
    def body_of(names: Iterable[str]) -> set[str]:
        return {
            name
            for name in names
            if not (heads and name.startswith(heads))
            and not name.endswith("num_batches_tracked")
        }

    have, want = body_of(state), body_of(expected)
    shapes = [
        f"{name} is {tuple(state[name].shape)}, not {tuple(expected[name].shape)}"
        for name in sorted(have & want)
        if state[name].shape != expected[name].shape
    ]
    found = []
    for what, names in (
        ("missing", sorted(want - have - spared)),
        ("unexpected", sorted(have - want - spared)),
        ("of another shape", shapes),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            found.append(f"{what}: {', '.join(names[:5])}{more}")
    return found
