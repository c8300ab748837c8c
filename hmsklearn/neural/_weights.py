"""Weights to start from: a file's, timm's, another estimator's, never almost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from torch import nn

from hmsklearn.nets import (
    AST,
    X3D,
    TimmNet,
    convert_pytorchvideo_state,
    load_vit_weights,
)
from hmsklearn.nets._ast_names import is_hugging_face_ast
from hmsklearn.neural._weight_files import find_files, read_state
from hmsklearn.neural._weight_fit import (
    adapt_input_channels,
    fit_own,
    is_own,
    without_prefix,
)
from hmsklearn.neural._weight_timm import (
    find_timm_nets,
    fit_inner,
    fit_timm_net,
    pretrained_state,
    refuse_rest,
)

__all__ = [
    "SpentWeights",
    "adapt_input_channels",
    "copy_statistics",
    "fitted_source",
    "load_weights",
]


@dataclass(frozen=True)
class SpentWeights:
    """What a saved estimator has in the place of the one it started from.

    Attributes
    ----------
    source : str
        The class of that one.
    """

    source: str


def load_weights(body: nn.Module, weights: Any, *, name: str, caller: str) -> None:
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

    Raises
    ------
    FileNotFoundError
        If there is no such file, or a folder has several that could be meant.
    ValueError
        If it is not of a known kind or does not fit the net, beyond the first
        convolution's channels and the head's classes; if it would leave a backbone at
        random that it is not for; if the estimator is not fitted; if timm's weights
        are asked for and nothing of the net is timm's.
    RuntimeError
        If timm's weights cannot be had.
    TypeError
        If `weights` is none of these.

    Notes
    -----
    A file may hold the state dict of the net, of the module around it, of the model of
    timm in it, or a checkpoint with one of these. In the layout of their authors are
    read what timm converts, the X3D of PyTorchVideo for :class:`hmsklearn.nets.X3D`
    and, for :class:`hmsklearn.nets.AST`, vision transformers of timm and the AST of
    Transformers.

    A net that has models of timm inside takes weights of timm for these:
    ``"pretrained"`` for all, a file if it fits all, a folder with one file for each, by
    their names. The rest of such a net starts at random, as do a new stem,
    attention, pooling and head: nobody has trained these.

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
    parts = find_timm_nets(body)
    if isinstance(weights, str) and weights == "pretrained":
        if not parts:
            raise ValueError(
                f"{caller}: weights='pretrained' takes timm's, and "
                f"{type(body).__name__} is no model of timm and holds none. Give the "
                "path of a file, or a fitted estimator."
            )
        # All of them before any is changed.
        states = {
            key: pretrained_state(net, caller=caller) for key, net in parts.items()
        }
        for place, net in parts.items():
            what = f"timm's weights of {net.backbone_name!r}"
            fit_timm_net(net, states[place], what, caller)
        return
    source = fitted_source(weights, caller=caller)
    if source is not None:
        kind = type(source.module_.body).__name__
        what = f"those of the fitted {source.caller}, of a {kind},"
        _fit(body, dict(source.module_.body.state_dict()), what, caller)
        return
    names = [name]
    if isinstance(body, TimmNet):
        names = list(dict.fromkeys([name, body.backbone_name]))
    inside = {place: net.backbone_name for place, net in parts.items() if place}
    files = find_files(weights, names, inside, caller=caller)
    if "" not in files:
        refuse_rest(body, files, (), f"the weights in {str(weights)!r}", caller)
    for place, path in files.items():
        what = f"the weights in {str(path)!r}"
        _fit(
            parts[place] if place else body,
            read_state(path, caller=caller),
            what,
            caller,
        )


def _fit(
    body: nn.Module, state: dict[str, torch.Tensor], what: str, caller: str
) -> None:
    """Load a state dict in any layout that is known for a net."""
    of_ast = "patch_embed.proj.weight" in state or is_hugging_face_ast(state)
    if isinstance(body, AST) and of_ast:
        try:
            load_vit_weights(body, state)
        except ValueError as error:
            raise ValueError(f"{caller}: {what} do not fit. {error}") from None
        return
    if isinstance(body, X3D) and any(n.startswith("blocks.0.conv.") for n in state):
        try:
            state = convert_pytorchvideo_state(state, n_chans=body.n_chans)
        except ValueError as error:
            raise ValueError(f"{caller}: {what} do not fit. {error}") from None
    own = is_own(body, without_prefix(state, set(body.state_dict())))
    if isinstance(body, TimmNet):
        fit_timm_net(body, state, what, caller)
    elif find_timm_nets(body) and not own:
        fit_inner(body, state, what, caller)
    else:
        fit_own(body, state, what, caller)


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
    TypeError
        If it is an estimator without a net.

    Examples
    --------
    >>> fitted_source("weights.pt", caller="doctest") is None
    True
    """
    while isinstance(weights, (FrozenEstimator, Pipeline)):
        frozen = isinstance(weights, FrozenEstimator)
        weights = weights.estimator if frozen else weights[-1]
    if not hasattr(weights, "get_params") or isinstance(weights, type):
        return None
    kind = type(weights).__name__
    if hasattr(weights, "net_"):
        return weights.net_
    if not hasattr(weights, "predict_logits"):
        raise TypeError(
            f"{caller}: weights is a {kind}, which has no net. Give a fitted neural "
            "classifier, or a pipeline that ends in one."
        )
    raise ValueError(
        f"{caller}: weights is a {kind} that is not fitted. "
        "scikit-learn's clone, which cross-validation uses, forgets what an "
        "estimator has learned: give sklearn.frozen.FrozenEstimator(estimator)."
    )


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
