"""Weights of timm's models for the nets that hold one, from files or from timm."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import timm
import torch
from torch import nn

from hmsklearn.nets import MultiViewNet, TimmNet
from hmsklearn.nets.layers import TripletAttention
from hmsklearn.neural._weight_check import check_state, differences
from hmsklearn.neural._weight_fit import adapt_input_channels, without_prefix

__all__ = [
    "find_timm_nets",
    "fit_inner",
    "fit_timm_net",
    "pretrained_state",
    "refuse_rest",
]

State = dict[str, torch.Tensor]


def find_timm_nets(net: nn.Module) -> dict[str, TimmNet]:
    """Find the nets around a model of timm: the net itself, or parts of it.

    Parameters
    ----------
    net : torch.nn.Module
        The net.

    Returns
    -------
    dict of str to TimmNet
        Them, by their place.

    Examples
    --------
    >>> list(find_timm_nets(nn.Linear(1, 1)))
    []
    """
    return {
        place: part for place, part in net.named_modules() if isinstance(part, TimmNet)
    }


def pretrained_state(net: TimmNet, *, caller: str) -> State:
    """Get the weights that timm has for a backbone, from its cache or by download.

    Parameters
    ----------
    net : TimmNet
        The net around it.
    caller : str
        Name that starts the error message.

    Returns
    -------
    dict of str to Tensor
        Weights, for as many input channels as the net has.

    Raises
    ------
    RuntimeError
        If they cannot be had.
    """
    params = dict(net.backbone_params)
    config = timm.models.get_pretrained_cfg(net.backbone_name)
    if config is not None and config.fixed_input_size:
        params.setdefault("img_size", net.input_size)
    try:
        # With timm's own number of classes: with another one, timm would not mind
        # weights that are missing.
        pretrained = timm.create_model(
            net.backbone_name, pretrained=True, in_chans=net.n_chans, **params
        )
    except Exception as error:
        raise RuntimeError(
            f"{caller}: the pretrained weights of {net.backbone_name!r} could not be "
            f"loaded ({type(error).__name__}: {error}). Without a network, download "
            "the file elsewhere and give its path as weights; weights=None starts from "
            "random ones."
        ) from error
    return dict(pretrained.state_dict())


def fit_inner(net: nn.Module, state: State, what: str, caller: str) -> None:
    """Load a state dict of one backbone into those inside of a net, all or none.

    Parameters
    ----------
    net : torch.nn.Module
        The net, changed in place.
    state : dict of str to Tensor
        State dict of a model of timm, or of the net around one.
    what : str
        What it is called in error messages.
    caller : str
        Name that starts them.

    Raises
    ------
    ValueError
        If it does not fit all of the backbones: the others would stay random.
    """
    errors, chosen = {}, {}
    parts = find_timm_nets(net)
    for place, part in parts.items():
        try:
            chosen[place] = _choose(part, state, what, caller)
        except ValueError as error:
            errors[place] = error
    if not chosen:
        raise next(iter(errors.values()))
    left = [f"{place} ({parts[place].backbone_name})" for place in errors]
    refuse_rest(net, chosen, left, what, caller)
    for place, (usable, around) in chosen.items():
        _load(parts[place], usable, around)


def refuse_rest(
    net: nn.Module,
    filled: Iterable[str],
    left: Iterable[str],
    what: str,
    caller: str,
) -> None:
    """Refuse weights that are not for all backbones inside of a net.

    Parameters
    ----------
    net : torch.nn.Module
        The net.
    filled : iterable of str
        Places of the backbones that they are for.
    left : iterable of str
        Models of timm that they are not for. Branches of another kind are found here.
    what : str
        What the weights are called in error messages.
    caller : str
        Name that starts them.

    Raises
    ------
    ValueError
        If something would stay random.

    Examples
    --------
    >>> refuse_rest(nn.Linear(1, 1), ["encoder"], ["neck (test_resnet)"],
    ...             "the weights in 'a.pth'", "me")
    Traceback (most recent call last):
    ValueError: me: the weights in 'a.pth' are for encoder alone, and neck \
(test_resnet) would start at random. Give a folder with a file for each, by their names.
    """
    filled, left = list(filled), list(left)
    remedy = "a folder with a file for each, by their names"
    if isinstance(net, MultiViewNet):
        remedy = "each branch weights of its own (name__weights)"
        left += [
            f"branches.{name}"
            for name, branch in net.branches.items()
            if not find_timm_nets(branch)
        ]
    if left:
        raise ValueError(
            f"{caller}: {what} are for {', '.join(filled)} alone, and "
            f"{', '.join(left)} would start at random. Give {remedy}."
        )


def fit_timm_net(net: TimmNet, state: State, what: str, caller: str) -> None:
    """Load a state dict of a model of timm, or of a net around one.

    Parameters
    ----------
    net : TimmNet
        The net, changed in place if all fits.
    state : dict of str to Tensor
        State dict.
    what : str
        What it is called in error messages.
    caller : str
        Name that starts them.

    Raises
    ------
    ValueError
        If anything differs beyond the head, the number of input channels, the size of
        the images and what the net has put into or taken out of timm's model.

    Examples
    --------
    >>> net = TimmNet(1, 6, (32, 32), backbone="test_resnet")
    >>> source = timm.create_model("test_resnet")
    >>> fit_timm_net(net, source.state_dict(), "these", "doctest")
    >>> torch.equal(net.backbone.conv1[3].weight, source.conv1[3].weight)
    True
    """
    _load(net, *_choose(net, state, what, caller))


def _choose(net: TimmNet, state: State, what: str, caller: str) -> tuple[State, State]:
    """Choose what goes into timm's model and around it, or refuse the state dict."""
    backbone: Any = net.backbone
    own_names = {*net.state_dict(), *(f"backbone.{name}" for name in net.timm_names)}
    state = without_prefix(state, own_names | set(net.timm_names))
    inside = {
        name.removeprefix("backbone."): value
        for name, value in state.items()
        if name.startswith("backbone.")
    }
    if not inside:
        heads, names = {}, _paths(backbone, "classifier")
        if len(names) == 1:
            start = f"{names[0]}."
            heads = {
                f"head.{name.removeprefix(start)}": value
                for name, value in state.items()
                if name.startswith(start)
            }
        usable = _check_backbone(net, state, what, caller, ours=False)
        return usable, _same_head(net, heads)
    usable = _check_backbone(net, inside, what, caller, ours=True)
    outside = {n: v for n, v in state.items() if not n.startswith("backbone.")}
    shell = nn.ModuleDict({"head": net.head})
    if net.pool is not None:
        shell["pool"] = net.pool
    pooled = any(name.startswith("pool.") for name in outside)
    fresh = [] if pooled else [n for n in shell.state_dict() if n.startswith("pool.")]
    around = check_state(shell, outside, what, caller, heads=("head.",), optional=fresh)
    return usable, around


def _load(net: TimmNet, backbone: State, around: State) -> None:
    named = {f"backbone.{name}": value for name, value in backbone.items()}
    net.load_state_dict({**named, **around}, strict=False)


def _same_head(net: TimmNet, heads: State) -> State:
    """Take timm's last layer where it is for as many classes."""
    own = {n: v for n, v in net.state_dict().items() if n.startswith("head.")}
    fits = own.keys() == heads.keys() and all(
        heads[name].shape == value.shape for name, value in own.items()
    )
    return heads if fits else {}


def _check_backbone(
    net: TimmNet, state: State, what: str, caller: str, *, ours: bool
) -> State:
    """Choose what goes into timm's model, or refuse the state dict."""
    backbone: Any = net.backbone
    expected = backbone.state_dict()
    fresh = _fresh(net, state, expected, ours=ours)
    classifiers = tuple(f"{name}." for name in _paths(backbone, "classifier"))
    left_out = {
        name
        for name in {*net.timm_names, *state}
        if name not in expected
        and (name in net.timm_names or name.startswith(classifiers))
    }
    spared = fresh | left_out
    state = {name: value for name, value in state.items() if name not in fresh}
    if differences(state, expected, optional=spared):
        state = _converted(backbone, state, fresh)
    for path in _paths(backbone, "first_conv"):
        name = f"{path}.weight"
        old, new = state.get(name), expected.get(name)
        if old is None or new is None or old.ndim != 4 or old.shape == new.shape:
            continue
        if (*old.shape[:1], *old.shape[2:]) == (*new.shape[:1], *new.shape[2:]):
            state = {**state, name: adapt_input_channels(old, new.shape[1])}
    return check_state(backbone, state, what, caller, optional=spared)


def _fresh(net: TimmNet, state: State, expected: State, *, ours: bool) -> set[str]:
    """Names of weights that stay as they are: what the net has put into the model."""
    fresh = set()
    for path, part in net.backbone.named_modules():
        if isinstance(part, TripletAttention):
            names = {name for name in expected if name.startswith(f"{path}.")}
            # A model that was trained with it hands it on.
            fresh |= names if not names & set(state) else set()
    if net.fresh_stem:
        for path in _paths(net.backbone, "first_conv"):
            name = f"{path}.weight"
            old, new = state.get(name), expected[name]
            same = ours and old is not None and old.shape[2:] == new.shape[2:]
            if not same:
                fresh |= {n for n in expected if n.startswith(f"{path}.")}
    return fresh


def _converted(backbone: Any, state: State, fresh: set[str]) -> State:
    """Bring a state dict to the layout of timm and to the size of the images.

    Files in the layout of a model's authors, and position embeddings for other images:
    timm keeps a converter beside the model.
    """
    convert = getattr(
        sys.modules[type(backbone).__module__], "checkpoint_filter_fn", None
    )
    if convert is None:
        return state
    try:
        return {
            n: v for n, v in convert(dict(state), backbone).items() if n not in fresh
        }
    except Exception:
        # Not a file that it knows; what differs is said by whoever checks it.
        return state


def _paths(backbone: Any, what: str) -> tuple[str, ...]:
    config = getattr(backbone, "pretrained_cfg", None) or {}
    value = config.get(what)
    if not value:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
