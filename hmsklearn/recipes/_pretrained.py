"""Weights that the backbones of a recipe start from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import timm
from sklearn.base import BaseEstimator

from hmsklearn.neural import TimmClassifier
from hmsklearn.neural._base import BaseNeuralClassifier

__all__ = ["give_weights"]

_SUFFIXES = (".safetensors", ".pt", ".pth")


def give_weights(estimator: BaseEstimator, pretrained: Any) -> None:
    """Let every backbone of timm start from trained weights, in place.

    Parameters
    ----------
    estimator : estimator
        The recipe.
    pretrained : bool, str or path
        False leaves it as it is, True stands for ``weights="pretrained"``, a folder
        holds ``<backbone>.safetensors``, ``.pt`` or ``.pth``.

    Raises
    ------
    FileNotFoundError
        If the folder or the file of a backbone is missing; all that are missing are
        named.
    TypeError
        If `pretrained` is neither.

    Examples
    --------
    >>> net = TimmClassifier("test_resnet")
    >>> give_weights(net, True)
    >>> net.weights
    'pretrained'
    """
    if pretrained is False:
        return
    nets = [(net, names) for net in _nets(estimator) if (names := _backbones(net))]
    if pretrained is True:
        for net, _ in nets:
            net.set_params(weights="pretrained")
        return
    if not isinstance(pretrained, (str, os.PathLike)):
        raise TypeError(
            f"make_recipe: pretrained={pretrained!r} is neither a bool nor a folder."
        )
    folder = Path(pretrained)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"make_recipe: pretrained={str(folder)!r} is not a folder. Give the one "
            "that holds <backbone>.safetensors files."
        )
    wanted = {name for _, names in nets for name in names}
    files = {name: _find(folder, name) for name in wanted}
    missing = sorted(backbone for backbone, path in files.items() if path is None)
    if missing:
        raise FileNotFoundError(
            f"make_recipe: {folder} has no weights of {', '.join(missing)}. Put "
            f"{missing[0]}.safetensors (or .pt, .pth) there."
        )
    for net, names in nets:
        # A net around several backbones looks for their files itself.
        alone = isinstance(net, TimmClassifier)
        net.set_params(weights=files[names[0]] if alone else folder)


def _find(folder: Path, backbone: str) -> Path | None:
    names = (folder / f"{backbone}{suffix}" for suffix in _SUFFIXES)
    return next((path for path in names if path.is_file()), None)


def _nets(estimator: BaseEstimator) -> Iterator[BaseNeuralClassifier]:
    for value in (estimator, *estimator.get_params(deep=True).values()):
        if isinstance(value, BaseNeuralClassifier):
            yield value


def _backbones(net: BaseNeuralClassifier) -> list[str]:
    """Names of the models of timm that a net is, or is built around."""
    if isinstance(net, TimmClassifier):
        return [net.backbone]
    parts = (getattr(net, "architecture_params", None) or {}).values()
    return [part for part in parts if isinstance(part, str) and timm.is_model(part)]
