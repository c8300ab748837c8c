"""Weights of an AST that was trained on sounds, named as vision transformers are."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

__all__ = ["is_hugging_face_ast", "rename_hugging_face_ast"]

_PREFIX = "audio_spectrogram_transformer."

#: What stands outside the blocks, by the beginning of its name.
_OUTSIDE = {
    f"{_PREFIX}embeddings.cls_token": "cls_token",
    f"{_PREFIX}embeddings.distillation_token": "dist_token",
    f"{_PREFIX}embeddings.position_embeddings": "pos_embed",
    f"{_PREFIX}embeddings.patch_embeddings.projection": "patch_embed.proj",
    f"{_PREFIX}layernorm": "norm",
    "classifier.layernorm": "head_norm",
    "classifier.dense": "head",
}
#: Parts of a block. Queries, keys and values are one layer here.
_INSIDE = {
    "layernorm_before": "norm1",
    "attention.output.dense": "attn.proj",
    "layernorm_after": "norm2",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}
_ATTENTION = tuple(f"attention.attention.{name}" for name in ("query", "key", "value"))
_BLOCK = re.compile(rf"{re.escape(_PREFIX)}encoder\.layer\.(\d+)\.(.+)\.(weight|bias)")


def is_hugging_face_ast(state_dict: Mapping[str, torch.Tensor]) -> bool:
    """Whether names are those of ``ASTForAudioClassification`` of Transformers.

    Parameters
    ----------
    state_dict : mapping of str to Tensor
        Weights.

    Returns
    -------
    bool
        Whether they are.

    Examples
    --------
    >>> is_hugging_face_ast({"cls_token": torch.zeros(1, 1, 2)})
    False
    """
    return f"{_PREFIX}embeddings.position_embeddings" in state_dict


def rename_hugging_face_ast(
    state_dict: Mapping[str, torch.Tensor],
) -> dict[str, torch.Tensor]:
    """Give weights of ``ASTForAudioClassification`` the names of a vision transformer.

    Parameters
    ----------
    state_dict : mapping of str to Tensor
        Weights as Transformers names them.

    Returns
    -------
    dict of str to Tensor
        Weights in timm's naming; ``head_norm`` and ``head`` are the classifier. Names
        that are not known stay.

    Raises
    ------
    ValueError
        If a block lacks queries, keys or values.

    Examples
    --------
    >>> name = "audio_spectrogram_transformer.embeddings.cls_token"
    >>> list(rename_hugging_face_ast({name: torch.zeros(1, 1, 2)}))
    ['cls_token']
    """
    renamed = {}
    joined: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in state_dict.items():
        block = _BLOCK.fullmatch(key)
        if block is None:
            stem = next((s for s in _OUTSIDE if f"{key}.".startswith(f"{s}.")), None)
            new = key if stem is None else _OUTSIDE[stem] + key.removeprefix(stem)
            renamed[new] = value
            continue
        number, part, kind = block.groups()
        if part in _ATTENTION:
            joined.setdefault(f"blocks.{number}.attn.qkv.{kind}", {})[part] = value
        else:
            renamed[f"blocks.{number}.{_INSIDE.get(part, part)}.{kind}"] = value
    for key, parts in joined.items():
        missing = [part for part in _ATTENTION if part not in parts]
        if missing:
            raise ValueError(
                f"load_vit_weights: {missing} are missing for {key}. Give the whole "
                "state dict of ASTForAudioClassification."
            )
        renamed[key] = torch.cat([parts[part] for part in _ATTENTION])
    return renamed
