"""Weights of a vision transformer as the start of an AST."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from timm.models import adapt_input_conv
from torch import nn

from hmsklearn.nets._ast_names import is_hugging_face_ast, rename_hugging_face_ast
from hmsklearn.nets.ast import AST

__all__ = ["load_vit_weights"]

#: Mel bands of the spectrograms of AudioSet that published ASTs were trained on.
_N_MELS = 128


def load_vit_weights(net: AST, state_dict: Mapping[str, torch.Tensor]) -> None:
    """Start an AST from a ViT or DeiT of photographs, or from an AST of sounds.

    Parameters
    ----------
    net : AST
        The net, changed in place. Its head stays, and so does the norm in front of it
        unless the weights are of an AST.
    state_dict : dict of str to Tensor
        Weights of a vision transformer in timm's naming, or of an AST as Transformers
        names those of its ``ASTForAudioClassification``; of the same patch size, width
        and depth.

    Raises
    ------
    ValueError
        If the weights are of another architecture.

    Notes
    -----
    Kernels of three planes are summed for one plane, or repeated and scaled for others,
    as timm does. The square grid of position embeddings is brought to the net's grid:
    an axis that is longer than needed is cut to its middle, a shorter one is
    interpolated linearly. A distillation token that the weights lack starts as a copy
    of the class token; one that the net lacks is left out.

    The positions of an AST are taken for those of 128 mel bands, cut into patches with
    the net's stride: 12 x 101 for the published ones, whose stride is 10.

    References
    ----------
    Y. Gong, Y.-A. Chung and J. Glass (2021), AST: Audio Spectrogram Transformer: from
    DeiT with 24 x 24 positions to 12 x 101, by cutting and bilinear interpolation.

    Examples
    --------
    >>> import timm
    >>> vit = timm.create_model("vit_tiny_patch16_224", img_size=48, depth=1)
    >>> net = AST(1, 6, (32, 64), embed_dim=192, depth=1, n_heads=3)
    >>> load_vit_weights(net, vit.state_dict())
    >>> torch.equal(net.blocks[0].attn.qkv.weight, vit.blocks[0].attn.qkv.weight)
    True
    """
    of_sounds = is_hugging_face_ast(state_dict)
    named = rename_hugging_face_ast(state_dict) if of_sounds else state_dict
    source = {k: v for k, v in named.items() if not k.startswith("head")}
    source.pop("fc_norm.weight", None)
    source.pop("fc_norm.bias", None)
    own = net.state_dict()
    weights = {k: v for k, v in own.items() if k.startswith("head")}
    if of_sounds:
        weights |= {k: v for k, v in named.items() if k.startswith("head_norm.")}
    try:
        kernel = source.pop("patch_embed.proj.weight")
        weights["patch_embed.bias"] = source.pop("patch_embed.proj.bias")
        positions = source.pop("pos_embed")
        tokens = [source.pop("cls_token")]
    except KeyError as error:
        raise ValueError(
            f"load_vit_weights: the weights have no {error}, so they are not those of "
            "a vision transformer of timm with a class token. Give such a state dict."
        ) from None
    if kernel.shape[1] != net.n_chans:
        if kernel.shape[1] != 3:
            raise ValueError(
                f"load_vit_weights: kernels of {kernel.shape[1]} planes cannot be "
                f"adapted to {net.n_chans}. Give weights of three planes or as many as "
                "the net has."
            )
        kernel = adapt_input_conv(net.n_chans, kernel)
    weights["patch_embed.weight"] = kernel
    if "dist_token" in source:
        tokens.append(source.pop("dist_token"))
    n_patches = positions.shape[1] - len(tokens)
    n_rows = math.isqrt(max(n_patches, 0))
    n_columns = n_rows
    if of_sounds:
        n_rows = (_N_MELS - kernel.shape[2]) // int(net.patch_embed.stride[0]) + 1
        n_columns = n_patches // max(n_rows, 1)
        if n_patches < 1 or n_rows * n_columns != n_patches:
            raise ValueError(
                f"load_vit_weights: {n_patches} patches do not fill {n_rows} rows, "
                f"those of {_N_MELS} mel bands with the net's stride "
                f"{net.patch_embed.stride}. Give the net the stride of the weights."
            )
    if n_rows < 1 or n_rows * n_columns != n_patches:
        raise ValueError(
            f"load_vit_weights: {positions.shape[1]} position embeddings are not those "
            f"of {len(tokens)} token(s) and a square grid of patches. Give the weights "
            "of a vision transformer for square images, without register tokens."
        )
    # One token more or less: both stand for the whole image.
    chosen = [0, len(tokens) - 1] if net.dist_token is not None else [0]
    for name, i in zip(("cls_token", "dist_token"), chosen, strict=False):
        weights[name] = tokens[i]
    grid = positions[:, len(tokens) :]
    grid = grid.reshape(1, n_rows, n_columns, -1).permute(0, 3, 1, 2)
    grid = _fit(grid, net.grid_size).flatten(2).transpose(1, 2)
    weights["pos_embed"] = torch.cat([positions[:, chosen], grid], dim=1)
    weights.update(source)
    _check(own, weights)
    net.load_state_dict(weights)


def _fit(grid: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Cut axes that are too long to their middle, interpolate those too short."""
    for axis, wanted in ((2, size[0]), (3, size[1])):
        have = grid.shape[axis]
        if have > wanted:
            grid = grid.narrow(axis, (have - wanted) // 2, wanted)
    if grid.shape[2:] == size:
        return grid
    return nn.functional.interpolate(grid, size, mode="bilinear", align_corners=False)


def _check(
    own: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]
) -> None:
    """Refuse weights of another architecture, naming the first differences."""
    wrong = [f"{k} is missing" for k in own if k not in weights]
    wrong += [f"{k} has no place" for k in weights if k not in own]
    wrong += [
        f"{k} has shape {tuple(v.shape)} in place of {tuple(own[k].shape)}"
        for k, v in weights.items()
        if k in own and v.shape != own[k].shape
    ]
    if wrong:
        raise ValueError(
            "load_vit_weights: the weights are of another architecture: "
            f"{', '.join(wrong[:3])}. Give weights of the same patch_size, embed_dim "
            "and depth as the net's."
        )
