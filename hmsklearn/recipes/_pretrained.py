"""Weights that the backbones of a recipe start from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from hmsklearn.neural import TimmClassifier

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
    nets = list(_timm_nets(estimator))
    if pretrained is True:
        for net in nets:
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
    files = {net.backbone: _find(folder, net.backbone) for net in nets}
    missing = sorted(backbone for backbone, path in files.items() if path is None)
    if missing:
        raise FileNotFoundError(
            f"make_recipe: {folder} has no weights of {', '.join(missing)}. Put "
            f"{missing[0]}.safetensors (or .pt, .pth) there."
        )
    for net in nets:
        net.set_params(weights=files[net.backbone])


def _find(folder: Path, backbone: str) -> Path | None:
    names = (folder / f"{backbone}{suffix}" for suffix in _SUFFIXES)
    return next((path for path in names if path.is_file()), None)


def _timm_nets(estimator: BaseEstimator) -> Iterator[TimmClassifier]:
    if isinstance(estimator, TimmClassifier):
        yield estimator
    for value in estimator.get_params(deep=True).values():
        if isinstance(value, TimmClassifier):
            yield value
