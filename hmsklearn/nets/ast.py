"""Audio Spectrogram Transformer: a vision transformer on overlapping patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from timm.models.vision_transformer import Block
from torch import nn

from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import checkpoint_sequential

__all__ = ["AST"]

#: Layer norm as vision transformers have it.
_norm = partial(nn.LayerNorm, eps=1e-6)


@register_net("ast_base", embed_dim=768, n_heads=12, ndim=4)
@register_net("ast_small", embed_dim=384, n_heads=6, ndim=4)
@register_net("ast_tiny", embed_dim=192, n_heads=3, ndim=4)
class AST(BaseNet):
    """Transformer on overlapping patches of a spectrogram.

    A convolution cuts the spectrogram into patches, each a token; a class token and, as
    in DeiT, a distillation token join them, and all get learned positions. After the
    blocks of a vision transformer and layer norm the mean of the two tokens, once more
    normalised, is the features.

    Parameters
    ----------
    n_chans : int
        Number of planes.
    n_outputs : int
        Number of classes.
    input_size : tuple of int
        Number of frequencies and of steps in time.
    embed_dim : int, default=768
        Width of a token: 192, 384 and 768 for the registered ``ast_tiny``,
        ``ast_small`` and ``ast_base``.
    depth : int, default=12
        Number of blocks.
    n_heads : int, default=12
        Attention heads: 3, 6 and 12 for the registered nets.
    patch_size : int or pair of int, default=16
        Frequencies and steps of a patch.
    stride : int or pair of int, default=10
        From one patch to the next; smaller than the patch, they overlap.
    distilled : bool, default=True
        Whether there is a distillation token beside the class token.
    drop_rate : float, default=0.0
        Dropout of the tokens after the positions and in the blocks.
    drop_path_rate : float, default=0.0
        Stochastic depth of the last block; it rises linearly from 0.

    Attributes
    ----------
    num_features : int
        ``embed_dim``.
    grid_size : tuple of int
        Number of patches over frequency and time.

    Raises
    ------
    ValueError
        If the spectrogram is smaller than a patch or a parameter is not usable.

    Notes
    -----
    Input ``(n_windows, n_chans, n_freqs, n_times)`` without NaN; output logits
    ``(n_windows, n_outputs)``. Patches number ``((n - patch_size) // stride + 1)`` over
    each axis, 12 x 101 for 128 frequencies and 1024 steps; what is left over at the end
    is not seen. The paper scales spectrograms to mean 0 and standard deviation 0.5.
    Weights are drawn at random; :func:`hmsklearn.nets.load_vit_weights` takes those of
    vision transformers and of ASTs that were trained on AudioSet.

    References
    ----------
    Y. Gong, Y.-A. Chung and J. Glass (2021), AST: Audio Spectrogram Transformer. Tried
    on the spectrograms of HMS in public notes of the competition.

    Examples
    --------
    >>> net = AST(1, 6, (32, 64), embed_dim=48, depth=2, n_heads=3).eval()
    >>> net.grid_size
    (2, 5)
    >>> net(torch.zeros(2, 1, 32, 64)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        input_size: Sequence[int],
        *,
        embed_dim: int = 768,
        depth: int = 12,
        n_heads: int = 12,
        patch_size: int | Sequence[int] = 16,
        stride: int | Sequence[int] = 10,
        distilled: bool = True,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__(n_chans, n_outputs, input_size)
        if len(self.input_size) != 2:
            raise ValueError(
                f"AST: input_size={self.input_size} must be the number of frequencies "
                "and of steps in time."
            )
        patch, step = _pair(patch_size, "patch_size"), _pair(stride, "stride")
        if min(depth, n_heads, embed_dim) < 1 or embed_dim % n_heads:
            raise ValueError(
                f"AST: embed_dim={embed_dim} must be a multiple of n_heads={n_heads}, "
                f"and depth={depth} at least 1."
            )
        for name, rate in (
            ("drop_rate", drop_rate),
            ("drop_path_rate", drop_path_rate),
        ):
            if not 0 <= rate < 1:
                raise ValueError(
                    f"AST: {name}={rate!r} must be at least 0 and below 1."
                )
        if any(n < size for n, size in zip(self.input_size, patch, strict=True)):
            raise ValueError(
                f"AST: spectrograms of input_size={self.input_size} are smaller than a "
                f"patch; at least {patch} is needed. Give larger spectrograms or a "
                "smaller patch_size."
            )
        n_freqs, n_times = self.input_size
        self.grid_size = (
            (n_freqs - patch[0]) // step[0] + 1,
            (n_times - patch[1]) // step[1] + 1,
        )
        n_tokens = self.grid_size[0] * self.grid_size[1] + 1 + distilled
        self.patch_embed = nn.Conv2d(n_chans, embed_dim, patch, stride=step)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.dist_token = (
            nn.Parameter(torch.zeros(1, 1, embed_dim)) if distilled else None
        )
        self.pos_embed = nn.Parameter(torch.zeros(1, n_tokens, embed_dim))
        self.drop = nn.Dropout(drop_rate)
        self.blocks = nn.ModuleList(
            Block(
                embed_dim,
                n_heads,
                qkv_bias=True,
                proj_drop=drop_rate,
                drop_path=drop_path_rate * i / max(depth - 1, 1),
                norm_layer=_norm,  # type: ignore[arg-type]
            )
            for i in range(depth)
        )
        self.norm = _norm(embed_dim)
        self.head_norm = nn.LayerNorm(embed_dim)
        self._init_weights()
        self.num_features = embed_dim
        self.reset_head(n_outputs)

    def _init_weights(self) -> None:
        for name, parameter in self.named_parameters():
            is_matrix = name.startswith("blocks") and parameter.ndim == 2
            if is_matrix or name in ("cls_token", "dist_token", "pos_embed"):
                nn.init.trunc_normal_(parameter, std=0.02)
            elif name.startswith("blocks") and name.endswith("bias"):
                nn.init.zeros_(parameter)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the blocks in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.
        """
        self.grad_checkpointing = enable

    def no_weight_decay(self) -> set[str]:
        """Names of the parameters that are trained without weight decay.

        Returns
        -------
        set of str
            The tokens and the positions.
        """
        names = {"cls_token", "dist_token", "pos_embed"}
        return {name for name, _ in self.named_parameters() if name in names}

    def group_matcher(self, coarse: bool = False) -> Callable[[str], int]:
        """Depth of every parameter, in the form that timm's optimisers ask for.

        Parameters
        ----------
        coarse : bool, default=False
            Of no effect: the blocks are not grouped.

        Returns
        -------
        callable
            From the name of a parameter to the number of its group.
        """
        depths = {
            name: depth
            for depth, names in enumerate(self.layer_groups(coarse=coarse))
            for name in names
        }
        return lambda name: depths[name]

    def layer_groups(self, coarse: bool = False) -> list[list[str]]:
        """Names of the parameters from the patches to the head.

        Parameters
        ----------
        coarse : bool, default=False
            Of no effect: the blocks are not grouped.

        Returns
        -------
        list of list of str
            Patches, tokens and positions; each block; norms and head.
        """
        groups: list[list[str]] = [[] for _ in range(len(self.blocks) + 2)]
        for name, _ in self.named_parameters():
            if name.startswith("blocks."):
                groups[int(name.split(".")[1]) + 1].append(name)
            elif name.startswith(("norm.", "head_norm.", "head.")):
                groups[-1].append(name)
            else:
                groups[0].append(name)
        return groups

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map spectrograms to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_freqs, n_times)
            Spectrograms.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Normalised mean of class and distillation token.
        """
        tokens = [self.cls_token.expand(x.shape[0], -1, -1)]
        if self.dist_token is not None:
            tokens.append(self.dist_token.expand(x.shape[0], -1, -1))
        n_prefix = len(tokens)
        patches = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = self.drop(torch.cat([*tokens, patches], dim=1) + self.pos_embed)
        x = checkpoint_sequential(self.blocks, x, enabled=self.grad_checkpointing)
        return self.head_norm(self.norm(x[:, :n_prefix]).mean(dim=1))


def _pair(value: int | Sequence[int], name: str) -> tuple[int, int]:
    """Value for frequency and time."""
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(v, int) and v > 0 for v in pair):
        raise ValueError(
            f"AST: {name}={value!r} must be one or two positive whole numbers, for "
            "frequency and time."
        )
    return pair  # type: ignore[return-value]
