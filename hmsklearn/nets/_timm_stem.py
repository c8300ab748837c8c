"""Other first convolutions for models of timm."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from timm.layers import (
    Conv2dSame,
    ScaledStdConv2d,
    ScaledStdConv2dSame,
    StdConv2d,
    StdConv2dSame,
)
from torch import nn

from hmsklearn._params import check_choice

__all__ = ["change_stem"]


def change_stem(
    model: Any,
    name: str,
    *,
    stem: str | None = None,
    stride: int | Sequence[int] | None = None,
) -> tuple[float, float]:
    """Replace the first convolution of a model of timm, or change its stride.

    Parameters
    ----------
    model : torch.nn.Module
        Model of timm, changed in place.
    name : str
        Its name, for messages.
    stem : {"fresh"} or None, default=None
        ``"fresh"`` puts a new 3 x 3 convolution of stride 2 in its place, with
        standardised weights where the old one has them.
    stride : int or pair of int, optional
        Stride over height and width; the weights stay.

    Returns
    -------
    tuple of float
        By how much each pixel of the last map covers more of the image than before,
        in height and width.

    Raises
    ------
    ValueError
        If the model has no single first convolution, one that cuts the image into
        patches for position embeddings, one of a kind that cannot be drawn anew, or one
        that does not go with the stride.

    Examples
    --------
    >>> import timm
    >>> model = timm.create_model("test_efficientnet")
    >>> change_stem(model, "test_efficientnet", stride=(1, 2))
    (0.5, 1.0)
    >>> model.conv_stem.stride
    (1, 2)
    """
    check_choice(stem, "stem", ("fresh", None), caller="TimmNet")
    if stride is not None:
        stride = (stride, stride) if isinstance(stride, int) else tuple(stride)
        if len(stride) != 2 or not all(isinstance(s, int) and s > 0 for s in stride):
            raise ValueError(
                f"TimmNet: stem_stride={stride!r} must be one or two positive whole "
                "numbers, for height and width."
            )
    if stem is None and stride is None:
        return 1.0, 1.0
    path = model.pretrained_cfg.get("first_conv")
    conv = _get(model, path)
    if conv is None:
        raise ValueError(
            f"TimmNet: {name!r} has no single first convolution (timm names {path!r}), "
            "so that stem and stem_stride cannot be used. Leave them None or take "
            "another backbone."
        )
    if model.pretrained_cfg.get("fixed_input_size"):
        raise ValueError(
            f"TimmNet: {name!r} is made for one size of its maps, which another stem "
            "would change. Leave stem and stem_stride None or take a convolutional "
            "backbone."
        )
    before = conv.stride
    if stem == "fresh":
        parent, _, last = path.rpartition(".")
        conv = _fresh(conv, name)
        setattr(model.get_submodule(parent), last, conv)
    if stride is not None:
        conv.stride = stride
        _check_stride(conv, name)
    return conv.stride[0] / before[0], conv.stride[1] / before[1]


def _fresh(conv: nn.Conv2d, name: str) -> nn.Conv2d:
    """Draw a convolution of 3 x 3 and stride 2 that treats its weights as `conv`."""
    extra: dict[str, Any] = {}
    if type(conv) in (nn.Conv2d, Conv2dSame):
        kind: Any = nn.Conv2d
    elif isinstance(conv, (StdConv2d, StdConv2dSame)):
        kind, extra = StdConv2d, {"eps": conv.eps}
    elif isinstance(conv, (ScaledStdConv2d, ScaledStdConv2dSame)):
        # Nets without normalisation rely on the scale of their outputs.
        gamma = conv.scale * conv.weight[0].numel() ** 0.5
        kind, extra = ScaledStdConv2d, {"eps": conv.eps, "gamma": gamma}
    else:
        raise ValueError(
            f"TimmNet: the first convolution of {name!r} is a {type(conv).__name__}, "
            "which stem='fresh' cannot draw anew. Leave stem None or take another "
            "backbone."
        )
    return kind(
        conv.in_channels,
        conv.out_channels,
        3,
        stride=2,
        padding=1,
        bias=conv.bias is not None,
        **extra,
    )


def _check_stride(conv: nn.Conv2d, name: str) -> None:
    """Refuse a stride with which a convolution does not divide the size by it."""
    n_steps = 8 * max(conv.kernel_size)
    height, width = (n_steps * step for step in conv.stride)
    x = torch.empty(1, conv.in_channels, height, width, device="meta")
    maps = copy.deepcopy(conv).to("meta")(x)
    if maps.shape[2:] != (n_steps, n_steps):
        raise ValueError(
            f"TimmNet: stem_stride={conv.stride} does not go with {name!r}: its first "
            f"convolution of {conv.kernel_size} has no padding, so that the maps would "
            "lose their edges. Leave stem_stride None, give stem='fresh' too, or take "
            "another backbone."
        )


def _get(model: Any, path: object) -> nn.Conv2d | None:
    if not isinstance(path, str):
        return None
    try:
        module = model.get_submodule(path)
    except AttributeError:
        return None
    return module if isinstance(module, nn.Conv2d) else None
