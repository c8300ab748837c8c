"""Trained weights of X3D as PyTorchVideo stores them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["convert_pytorchvideo_state"]

#: Beginnings of names outside the stages; PyTorchVideo's stem calls the convolution in
#: space conv_t and the one in time conv_xy.
_OUTSIDE = {
    "blocks.0.conv.conv_t.": "stem_space.",
    "blocks.0.conv.conv_xy.": "stem_time.",
    "blocks.0.norm.": "stem_norm.",
    "blocks.5.pool.pre_conv.": "head_conv.",
    "blocks.5.pool.pre_norm.": "head_norm.",
    "blocks.5.pool.post_conv.": "head_linear.",
}
_INSIDE = {
    "branch1_conv": "shortcut",
    "branch1_norm": "shortcut_norm",
    "branch2.conv_a": "widen",
    "branch2.norm_a": "norm1",
    "branch2.conv_b": "look",
    "branch2.norm_b.0": "norm2",
    "branch2.norm_b.1.block.0": "squeeze.reduce",
    "branch2.norm_b.1.block.2": "squeeze.expand",
    "branch2.conv_c": "narrow",
    "branch2.norm_c": "norm3",
}
_BLOCK = re.compile(r"blocks\.([1-4])\.res_blocks\.(\d+)\.(.+)\.(\w+)")
_HEAD = "blocks.5.proj."


def convert_pytorchvideo_state(
    state: Mapping[str, Any], *, n_chans: int | None = None
) -> dict[str, torch.Tensor]:
    """Give the weights of a PyTorchVideo X3D the names of :class:`X3D`.

    Parameters
    ----------
    state : mapping of str to Tensor
        State dict of ``x3d_xs``, ``x3d_s``, ``x3d_m`` or ``x3d_l``, or the checkpoint
        that holds it as ``model_state``.
    n_chans : int, optional
        Number of planes of the net that will take the weights. Fewer or more than the
        trained planes take their weights in turn, scaled so that equal planes give
        what they gave; one plane takes the sum. None keeps the trained planes.

    Returns
    -------
    dict of str to Tensor
        Weights for ``net.load_state_dict(weights, strict=False)``. The last layer,
        which knows the classes of another task, is left out, so that ``head.`` is all
        that may be missing.

    Raises
    ------
    ValueError
        If a name is none of PyTorchVideo's X3D.

    References
    ----------
    PyTorchVideo, whose weights were trained on Kinetics-400: the names.

    Examples
    --------
    >>> state = {
    ...     "blocks.0.conv.conv_t.weight": torch.ones(24, 3, 1, 3, 3),
    ...     "blocks.1.res_blocks.0.branch2.conv_a.weight": torch.ones(54, 24, 1, 1, 1),
    ... }
    >>> weights = convert_pytorchvideo_state(state, n_chans=1)
    >>> for name, weight in weights.items():
    ...     print(name, tuple(weight.shape))
    stem_space.weight (24, 1, 1, 3, 3)
    stages.0.0.widen.weight (54, 24, 1, 1, 1)
    """
    state = state.get("model_state", state)
    weights: dict[str, torch.Tensor] = {}
    for name, weight in state.items():
        if name.startswith(_HEAD):
            continue
        weights[_rename(name)] = weight
    # A convolution of one number per map, after the average: a linear layer.
    if "head_linear.weight" in weights:
        weights["head_linear.weight"] = weights["head_linear.weight"].flatten(1)
    stem = weights.get("stem_space.weight")
    if stem is not None and n_chans is not None and n_chans != stem.shape[1]:
        trained = stem.shape[1]
        if n_chans == 1:
            stem = stem.sum(dim=1, keepdim=True)
        else:
            turns = torch.arange(n_chans) % trained
            stem = stem[:, turns] * (trained / n_chans)
        weights["stem_space.weight"] = stem
    return weights


def _rename(name: str) -> str:
    for theirs, ours in _OUTSIDE.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    match = _BLOCK.fullmatch(name)
    if match and match[3] in _INSIDE:
        return f"stages.{int(match[1]) - 1}.{match[2]}.{_INSIDE[match[3]]}.{match[4]}"
    raise ValueError(
        f"convert_pytorchvideo_state: {name!r} is no weight of PyTorchVideo's X3D. "
        "Give the state dict of one of its X3D models, or the checkpoint around it."
    )
