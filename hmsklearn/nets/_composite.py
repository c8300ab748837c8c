"""Nets that are made of parts: what draws an image, backbones, what joins them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hmsklearn.nets._base import BaseNet
from hmsklearn.nets.layers import ResizeMap
from hmsklearn.nets.timm_net import TimmNet

__all__ = ["CompositeNet", "DrawnNet", "build_encoder", "encode_maps"]


class CompositeNet(BaseNet):
    """Base class of nets whose modules stand in the order from input to head.

    Notes
    -----
    Gradient checkpointing is asked of every part that has it. Layer groups are those
    of the parts, one after the other; a part without groups of its own is one group.
    """

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the parts in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.

        Raises
        ------
        ValueError
            If timm has no checkpointing for a backbone.
        """
        for part in self.children():
            switch = getattr(part, "set_grad_checkpointing", None)
            if switch is not None:
                switch(enable)
        self.grad_checkpointing = enable

    def layer_groups(self, coarse: bool = False) -> list[list[str]]:
        """Names of the parameters from the input to the head.

        Parameters
        ----------
        coarse : bool, default=False
            Whether backbones are grouped by stages instead of blocks.

        Returns
        -------
        list of list of str
            One list for every depth; every parameter is in one of them.

        Raises
        ------
        ValueError
            If timm does not order the layers of a backbone.
        """
        groups: list[list[str]] = []
        for name, part in self.named_children():
            inner = (
                part.layer_groups(coarse=coarse)
                if isinstance(part, TimmNet)
                else [[path for path, _ in part.named_parameters()]]
            )
            groups += [[f"{name}.{path}" for path in group] for group in inner]
        return [group for group in groups if group]


class DrawnNet(CompositeNet):
    """Base class of nets that draw an image and give it to a backbone of timm.

    Parameters
    ----------
    n_chans : int
        Number of channels or planes.
    n_outputs : int
        Number of classes.
    input_size : int or sequence of int
        What follows the channels.
    draw : torch.nn.Module
        What draws; ``out_chans`` and ``out_size`` are planes and size of the image.
    resize : tuple of (int, int), optional
        Size that the image gets before the backbone.
    **params : object
        Parameters of :class:`hmsklearn.nets.TimmNet`.
    """

    # Any: what draws has two attributes that torch.nn.Module does not know.
    draw: Any

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        input_size: int | Sequence[int],
        draw: Any,
        *,
        resize: Sequence[int] | None = None,
        **params: Any,
    ) -> None:
        super().__init__(n_chans, n_outputs, input_size)
        self.draw = draw
        self.resize: nn.Module = nn.Identity()
        size = tuple(draw.out_size)
        if resize is not None:
            self.resize = ResizeMap(size, resize)
            size = self.resize.out_size
        self.backbone = TimmNet(draw.out_chans, 1, size, **params)
        self.backbone.reset_head(0)
        self.num_features = self.backbone.num_features
        self.reset_head(n_outputs)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, *input_size)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Features.
        """
        return self.backbone.forward_features(self.resize(self.draw(x)))


def build_encoder(
    caller: str, n_chans: int, input_size: Sequence[int], **params: Any
) -> TimmNet:
    """Build a backbone of timm whose maps are wanted instead of its features.

    Parameters
    ----------
    caller : str
        Name that starts the error message.
    n_chans : int
        Number of planes.
    input_size : sequence of int
        Height and width.
    **params : object
        Parameters of :class:`hmsklearn.nets.TimmNet`.

    Returns
    -------
    TimmNet
        The encoder, without a head; ``backbone.num_features`` maps.

    Raises
    ------
    ValueError
        If the backbone gives tokens.
    """
    net = TimmNet(n_chans, 1, input_size, **params)
    if hasattr(net.backbone, "num_prefix_tokens"):
        raise ValueError(
            f"{caller}: {net.backbone_name!r} gives tokens, which have no height and "
            "width. Take a convolutional or hierarchical backbone."
        )
    net.reset_head(0)
    return net


def encode_maps(net: TimmNet, x: torch.Tensor) -> torch.Tensor:
    """Run an encoder and put its maps on the second axis.

    Parameters
    ----------
    net : TimmNet
        What ``build_encoder`` gave.
    x : Tensor of shape (n, n_chans, height, width)
        Images.

    Returns
    -------
    Tensor of shape (n, n_maps, h, w)
        Maps.

    Raises
    ------
    ValueError
        If the backbone gives something else.
    """
    maps = net.backbone.forward_features(x)
    if str(getattr(net.backbone, "output_fmt", "NCHW")).endswith("NHWC"):
        maps = maps.permute(0, 3, 1, 2)
    if maps.ndim != 4 or maps.shape[1] != net.backbone.num_features:
        raise ValueError(
            f"TimmNet: {net.backbone_name!r} gives maps of shape {tuple(maps.shape)}, "
            f"whose second axis is not the {net.backbone.num_features} maps. Take "
            "another backbone."
        )
    return maps
