"""Weights for timm's backbones: from a file or from timm, never almost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import load_state_dict
from torch import nn

__all__ = ["adapt_input_channels", "load_file_weights", "load_pretrained_weights"]

_SUFFIXES = (".pt", ".pth", ".safetensors")


def adapt_input_channels(weight: torch.Tensor, n_channels: int) -> torch.Tensor:
    """Make the kernels of a first convolution fit another number of channels.

    Parameters
    ----------
    weight : Tensor of shape (n_maps, n_old, height, width)
        Kernels.
    n_channels : int
        Number of channels wanted.

    Returns
    -------
    Tensor of shape (n_maps, n_channels, height, width)
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


def load_pretrained_weights(
    body: nn.Module, factory_params: dict[str, Any], *, caller: str
) -> None:
    """Copy timm's own weights into a backbone, from its cache or by download.

    Parameters
    ----------
    body : torch.nn.Module
        The backbone.
    factory_params : dict
        What it was built from.
    caller : str
        Name that starts the error message.

    Raises
    ------
    RuntimeError
        If the model has no weights or they cannot be had.
    """
    params = dict(factory_params)
    backbone = params.pop("backbone")
    try:
        pretrained = timm.create_model(backbone, pretrained=True, **params)
    except Exception as error:
        raise RuntimeError(
            f"{caller}: the pretrained weights of {backbone!r} could not be loaded "
            f"({type(error).__name__}: {error}). Without a network, download the file "
            "elsewhere and give its path as weights; weights=None starts from random "
            "ones."
        ) from error
    body.load_state_dict(pretrained.state_dict())


def load_file_weights(body: nn.Module, path: Any, *, caller: str) -> None:
    """Load a state dict from a file into a backbone.

    Parameters
    ----------
    body : torch.nn.Module
        The backbone.
    path : str or Path
        A ``.pt``, ``.pth`` or ``.safetensors`` file.
    caller : str
        Name that starts the error messages.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not of a known kind or does not fit the backbone, beyond the first
        convolution's channels and the head's classes.
    TypeError
        If `path` is not a path.
    """
    try:
        path = Path(path)
    except TypeError:
        raise TypeError(
            f"{caller}: weights must be None, 'pretrained' or a path, got "
            f"{type(path).__name__}."
        ) from None
    if not path.is_file():
        raise FileNotFoundError(
            f"{caller}: the file of weights {str(path)!r} does not exist. Give None "
            "for random weights, 'pretrained' for timm's, or the path of a "
            f"{', '.join(_SUFFIXES)} file."
        )
    if path.suffix not in _SUFFIXES:
        raise ValueError(
            f"{caller}: weights {str(path)!r} is no {' or '.join(_SUFFIXES)} file."
        )
    try:
        state = load_state_dict(str(path), device="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{caller}: the weights in {str(path)!r} cannot be read "
            f"({type(error).__name__}: {error}). Save model.state_dict() alone."
        ) from error
    strangers = [name for name, value in state.items() if not torch.is_tensor(value)]
    if strangers or not state:
        raise ValueError(
            f"{caller}: {str(path)!r} holds no state dict (found {strangers[:5]}). "
            "Save model.state_dict() alone."
        )
    _fit_to_body(body, state, path, caller)


def _fit_to_body(
    body: nn.Module, state: dict[str, torch.Tensor], path: Path, caller: str
) -> None:
    expected = body.state_dict()
    config = getattr(body, "pretrained_cfg", None) or {}
    heads = tuple(f"{name}." for name in _names(config.get("classifier")))
    if _differences(state, expected, heads):
        # Files in the layout of a model's authors, or position embeddings of another
        # image size: timm keeps a converter beside the model.
        convert = getattr(
            sys.modules[type(body).__module__], "checkpoint_filter_fn", None
        )
        if convert is not None:
            state = convert(dict(state), body)
    for name in _names(config.get("first_conv")):
        key = f"{name}.weight"
        old, new = state.get(key), expected.get(key)
        if old is None or new is None or old.ndim != 4 or old.shape == new.shape:
            continue
        if (*old.shape[:1], *old.shape[2:]) == (*new.shape[:1], *new.shape[2:]):
            state = {**state, key: adapt_input_channels(old, new.shape[1])}
    wrong = _differences(state, expected, heads)
    if wrong:
        raise ValueError(
            f"{caller}: the weights in {str(path)!r} do not fit the backbone: "
            f"{'; '.join(wrong)}. Were they saved from another model, or with other "
            "backbone_params?"
        )
    # Only the head may be missing or of another width: it keeps its random weights.
    usable = {
        name: value
        for name, value in state.items()
        if name in expected and value.shape == expected[name].shape
    }
    head_names = [name for name in expected if name.startswith(heads)]
    if heads and not all(name in usable for name in head_names):
        usable = {name: v for name, v in usable.items() if name not in head_names}
    body.load_state_dict(usable, strict=False)


def _differences(
    state: dict[str, torch.Tensor],
    expected: dict[str, torch.Tensor],
    heads: tuple[str, ...],
) -> list[str]:
    """Say what does not fit; the head may differ."""

    # torch itself counts from zero where old files lack a norm's batch counter.
    def body_of(names: Any) -> set[str]:
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
        ("missing", sorted(want - have)),
        ("unexpected", sorted(have - want)),
        ("of another shape", shapes),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            found.append(f"{what}: {', '.join(names[:5])}{more}")
    return found


def _names(value: Any) -> tuple[str, ...]:
    if not value:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
