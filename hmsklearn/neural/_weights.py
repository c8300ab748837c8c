"""Weights to start from: a file's, timm's, another estimator's, never almost."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from timm.models import load_state_dict
from torch import nn

from hmsklearn.nets import TimmNet
from hmsklearn.nets.layers import TripletAttention

__all__ = [
    "SpentWeights",
    "adapt_input_channels",
    "copy_statistics",
    "fitted_source",
    "load_weights",
]

_SUFFIXES = (".pt", ".pth", ".safetensors", ".bin")
# How files keep a state dict of ours, or one that was trained in parallel.
_PREFIXES = ("module.", "body.", "net_.module_.body.")


@dataclass(frozen=True)
class SpentWeights:
    """What a saved estimator has in the place of the one it started from.

    Attributes
    ----------
    source : str
        The class of that one.
    """

    source: str


def load_weights(
    body: nn.Module,
    weights: Any,
    *,
    name: str,
    caller: str,
    backbone_params: dict[str, Any] | None = None,
) -> None:
    """Put weights into a freshly built net.

    Parameters
    ----------
    body : torch.nn.Module
        The net.
    weights : None, "pretrained", path or fitted estimator
        As the estimator's parameter.
    name : str
        Name of the architecture, by which a folder's file is found.
    caller : str
        Name that starts the error messages.
    backbone_params : dict, optional
        What a backbone of timm was built with, to ask timm for the same.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not of a known kind or does not fit the net, beyond the first
        convolution's channels and the head's classes; if the estimator is not fitted.
    RuntimeError
        If timm's weights cannot be had.
    TypeError
        If `weights` is none of these.

    Examples
    --------
    >>> load_weights(nn.Linear(2, 6), None, name="linear", caller="doctest")
    """
    if weights is None:
        return
    if isinstance(weights, SpentWeights):
        raise ValueError(
            f"{caller}: started from a fitted {weights.source}, which was not saved "
            "with it. Set weights again before another fit."
        )
    if isinstance(weights, str) and weights == "pretrained":
        _load_pretrained(body, backbone_params or {}, caller)
        return
    source = fitted_source(weights, caller=caller)
    if source is not None:
        state = source.module_.body.state_dict()
        _fit_state(body, dict(state), f"those of the fitted {source.caller}", caller)
        return
    path = _find_file(weights, name, caller)
    state = _read(path, caller)
    what = f"the weights in {str(path)!r}"
    if isinstance(body, TimmNet) and not _is_ours(body, state):
        _fit_to_backbone(body, state, what, caller)
    else:
        _fit_state(body, state, what, caller)


def fitted_source(weights: Any, *, caller: str) -> Any:
    """Net of the fitted estimator that weights are to be taken from.

    Parameters
    ----------
    weights : object
        The estimator's parameter: an estimator, a pipeline that ends in one, or one in
        a ``FrozenEstimator``.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    VoteNet or None
        Its net; None if `weights` is no estimator.

    Raises
    ------
    ValueError
        If it is an estimator and not fitted.

    Examples
    --------
    >>> fitted_source("weights.pt", caller="doctest") is None
    True
    """
    if isinstance(weights, FrozenEstimator):
        weights = weights.estimator
    if isinstance(weights, Pipeline):
        weights = weights[-1]
    if not hasattr(weights, "get_params") or isinstance(weights, type):
        return None
    if not hasattr(weights, "net_"):
        raise ValueError(
            f"{caller}: weights is a {type(weights).__name__} that is not fitted. "
            "scikit-learn's clone, which cross-validation uses, forgets what an "
            "estimator has learned: give sklearn.frozen.FrozenEstimator(estimator)."
        )
    return weights.net_


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


def copy_statistics(source: nn.Module, norm: nn.Module) -> None:
    """Take over the mean and deviation of another net's normalisation.

    Parameters
    ----------
    source : torch.nn.Module
        Normalisation of the net that weights come from.
    norm : torch.nn.Module
        Normalisation of the net that they go to; left alone if it is of another kind.

    Examples
    --------
    >>> from hmsklearn.nets.layers import InputNorm
    >>> source, norm = InputNorm("global"), InputNorm("global")
    >>> source.set_statistics(3.0, 2.0)
    >>> copy_statistics(source, norm)
    >>> norm.mean.item()
    3.0
    """
    if source.state_dict().keys() == norm.state_dict().keys():
        norm.load_state_dict(source.state_dict())


def _load_pretrained(
    body: nn.Module, backbone_params: dict[str, Any], caller: str
) -> None:
    """Copy timm's own weights into a backbone, from its cache or by download."""
    if not isinstance(body, TimmNet):
        raise ValueError(
            f"{caller}: weights='pretrained' takes timm's, and {type(body).__name__} "
            "is no model of timm. Give the path of a file, or a fitted estimator."
        )
    params = dict(backbone_params)
    config = timm.models.get_pretrained_cfg(body.backbone_name)
    if config is not None and config.fixed_input_size:
        params.setdefault("img_size", body.input_size)
    try:
        pretrained = timm.create_model(
            body.backbone_name,
            pretrained=True,
            num_classes=1,
            in_chans=body.n_chans,
            **params,
        )
        state = pretrained.state_dict()
    except Exception as error:
        raise RuntimeError(
            f"{caller}: the pretrained weights of {body.backbone_name!r} could not be "
            f"loaded ({type(error).__name__}: {error}). Without a network, download "
            "the file elsewhere and give its path as weights; weights=None starts from "
            "random ones."
        ) from error
    what = f"timm's weights of {body.backbone_name!r}"
    _fit_to_backbone(body, state, what, caller)


def _find_file(weights: Any, name: str, caller: str) -> Path:
    try:
        path = Path(weights)
    except TypeError:
        raise TypeError(
            f"{caller}: weights must be None, 'pretrained', a path or a fitted "
            f"estimator, got {type(weights).__name__}."
        ) from None
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix in _SUFFIXES)
        named = [p for p in files if p.stem == name]
        chosen = named or files
        if len(chosen) == 1:
            return chosen[0]
        found = (
            f"{len(files)} files: {[p.name for p in files[:5]]}" if files else "none"
        )
        raise FileNotFoundError(
            f"{caller}: the folder of weights {str(path)!r} must hold one "
            f"{', '.join(_SUFFIXES)} file, or one named {name!r}; it has {found}. Give "
            "the file's path."
        )
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
    return path


def _read(path: Path, caller: str) -> dict[str, torch.Tensor]:
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
    return dict(state)


def _is_ours(body: nn.Module, state: dict[str, torch.Tensor]) -> bool:
    """Whether most of a state's names are this net's, perhaps under a prefix."""
    names = set(_without_prefix(state, body))
    return len(names & set(body.state_dict())) > len(names) // 2


def _without_prefix(
    state: dict[str, torch.Tensor], body: nn.Module
) -> dict[str, torch.Tensor]:
    expected = set(body.state_dict())
    for prefix in _PREFIXES:
        cut = {
            name.removeprefix(prefix): value
            for name, value in state.items()
            if name.startswith(prefix)
        }
        if len(expected & set(cut)) > len(expected & set(state)):
            return cut
    return state


def _fit_state(
    body: nn.Module, state: dict[str, torch.Tensor], what: str, caller: str
) -> None:
    """Load a state dict of this architecture; the head may differ."""
    state = _without_prefix(state, body)
    expected = body.state_dict()
    for name, new in expected.items():
        old = state.get(name)
        if old is None or old.shape == new.shape or old.ndim < 3:
            continue
        same_but_channels = (*old.shape[:1], *old.shape[2:]) == (
            *new.shape[:1],
            *new.shape[2:],
        )
        if same_but_channels and new.shape[1] == getattr(body, "n_chans", None):
            state = {**state, name: adapt_input_channels(old, new.shape[1])}
    _load_all_but_head(body, state, ("head.",), what, caller)


def _load_all_but_head(
    body: nn.Module,
    state: dict[str, torch.Tensor],
    heads: tuple[str, ...],
    what: str,
    caller: str,
) -> None:
    expected = body.state_dict()
    wrong = _differences(state, expected, heads)
    if wrong:
        raise ValueError(
            f"{caller}: {what} do not fit the backbone: {'; '.join(wrong)}. Were they "
            "saved from another model, or with other parameters?"
        )
    # Only the head may be missing or of another width: it keeps its random weights.
    usable = {
        name: value
        for name, value in state.items()
        if name in expected and value.shape == expected[name].shape
    }
    head_names = [name for name in expected if heads and name.startswith(heads)]
    if not all(name in usable for name in head_names):
        usable = {name: v for name, v in usable.items() if name not in head_names}
    body.load_state_dict(usable, strict=False)


def _fit_to_backbone(
    body: TimmNet, state: dict[str, torch.Tensor], what: str, caller: str
) -> None:
    """Load a state dict in timm's own layout into the net that holds the backbone."""
    backbone: Any = body.backbone
    expected = backbone.state_dict()
    config = getattr(backbone, "pretrained_cfg", None) or {}
    classifiers = _names(config.get("classifier"))
    heads = tuple(f"{name}." for name in classifiers)
    if _differences(state, expected, heads):
        # Files in the layout of a model's authors, or position embeddings of another
        # image size: timm keeps a converter beside the model.
        convert = getattr(
            sys.modules[type(backbone).__module__], "checkpoint_filter_fn", None
        )
        if convert is not None:
            state = convert(dict(state), backbone)
    firsts = {f"{name}.weight" for name in _names(config.get("first_conv"))}
    # What the net has put into the backbone keeps its own weights.
    state = {**state, **{name: expected[name] for name in _added(body, expected)}}
    for key in firsts:
        old, new = state.get(key), expected.get(key)
        if old is None or new is None or old.ndim != 4 or old.shape == new.shape:
            continue
        if (*old.shape[:1], *old.shape[2:]) == (*new.shape[:1], *new.shape[2:]):
            state = {**state, key: adapt_input_channels(old, new.shape[1])}
    _load_all_but_head(backbone, state, heads, what, caller)
    _load_classifier(body, state, classifiers)


def _added(body: TimmNet, expected: dict[str, torch.Tensor]) -> list[str]:
    """Names in the backbone that timm's model does not have, or has otherwise."""
    added = [
        name
        for name, part in body.backbone.named_modules()
        if isinstance(part, TripletAttention)
    ]
    if getattr(body, "fresh_stem", False):
        added += _names(body.backbone.pretrained_cfg.get("first_conv"))
    return [
        name for name in expected if name.startswith(tuple(f"{one}." for one in added))
    ]


def _load_classifier(
    body: TimmNet, state: dict[str, torch.Tensor], classifiers: tuple[str, ...]
) -> None:
    """Take timm's last layer too, where it has as many classes."""
    if len(classifiers) != 1 or not isinstance(body.head, nn.Linear):
        return
    own = {
        part: state.get(f"{classifiers[0]}.{part}") for part in body.head.state_dict()
    }
    fits = all(
        value is not None and value.shape == getattr(body.head, part).shape
        for part, value in own.items()
    )
    if fits:
        body.head.load_state_dict(own)  # type: ignore[arg-type]


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
