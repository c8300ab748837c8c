"""Triplet attention: gates over every pair of a map's three axes."""

from __future__ import annotations

import torch
from timm.models import _efficientnet_blocks as efficientnet_blocks
from timm.models import resnet
from torch import nn

__all__ = ["TripletAttention", "add_triplet_attention"]

_BLOCKS = (
    efficientnet_blocks.DepthwiseSeparableConv,
    efficientnet_blocks.EdgeResidual,
    efficientnet_blocks.InvertedResidual,
    resnet.BasicBlock,
    resnet.Bottleneck,
)


class TripletAttention(nn.Module):
    """Mean of three gated copies of a map, one for each pair of axes.

    Parameters
    ----------
    kernel_size : int, default=7
        Odd size of the three convolutions.

    Raises
    ------
    ValueError
        If the size is even or not positive.

    Notes
    -----
    Input and output ``(n_windows, n_maps, height, width)``. A gate leaves out one axis:
    the maximum and the mean over it, a convolution of these two planes over the other
    two axes, batch norm, sigmoid. Its weights number ``3 * (2 * kernel_size ** 2 +
    2)``, however wide the map is.

    References
    ----------
    D. Misra and others (2021), Rotate to attend: convolutional triplet attention
    module. 3rd place of the SETI competition, inside EfficientNet-B1 to -B4.

    Examples
    --------
    >>> attention = TripletAttention()
    >>> attention(torch.ones(2, 8, 5, 6)).shape
    torch.Size([2, 8, 5, 6])
    >>> sum(p.numel() for p in attention.parameters())
    300
    """

    def __init__(self, kernel_size: int = 7) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"TripletAttention: kernel_size={kernel_size} must be odd and "
                "positive, so that the gates have the size of the map."
            )
        self.without_height = _gate(kernel_size)
        self.without_width = _gate(kernel_size)
        self.without_maps = _gate(kernel_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Gate maps.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_maps, height, width)
            Maps.

        Returns
        -------
        Tensor of the same shape
            Gated maps.
        """
        gates = (
            # (n, 1, maps, width), (n, 1, height, maps) and (n, 1, height, width)
            self.without_height(_extremes(x, 2)).transpose(1, 2),
            self.without_width(_extremes(x, 3).transpose(2, 3)).permute(0, 3, 2, 1),
            self.without_maps(_extremes(x, 1)),
        )
        return x * ((gates[0] + gates[1] + gates[2]) / 3)


def _gate(kernel_size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(1, momentum=0.01),
        nn.Sigmoid(),
    )


def _extremes(x: torch.Tensor, axis: int) -> torch.Tensor:
    """Maximum and mean over an axis as two planes of the other two."""
    return torch.stack([x.amax(dim=axis), x.mean(dim=axis)], dim=1)


def _gate_output(
    module: nn.Module, _inputs: object, output: torch.Tensor
) -> torch.Tensor:
    return module.triplet(output)  # type: ignore[operator]


def add_triplet_attention(
    model: nn.Module, *, kernel_size: int = 7, replace: bool = False
) -> int:
    """Put triplet attention into the residual blocks of a model of timm.

    Parameters
    ----------
    model : torch.nn.Module
        Model of timm with the blocks of EfficientNet (MixNet, MobileNet) or ResNet.
        Changed in place.
    kernel_size : int, default=7
        Odd size of the convolutions.
    replace : bool, default=False
        Whether it takes the place of squeeze-and-excitation. Otherwise it comes after
        it, and the names of the model's own weights stay as they are.

    Returns
    -------
    int
        Number of blocks.

    Raises
    ------
    ValueError
        If the model has no such block.

    Notes
    -----
    The attention sits where a block has squeeze-and-excitation, or would have it: after
    the depth-wise convolution of an inverted residual block, in front of the addition
    of a residual one.

    References
    ----------
    As of :class:`TripletAttention`.

    Examples
    --------
    >>> import timm
    >>> add_triplet_attention(timm.create_model("test_resnet"))
    4
    """
    blocks = [module for module in model.modules() if isinstance(module, _BLOCKS)]
    if not blocks:
        raise ValueError(
            f"add_triplet_attention: {type(model).__name__} has no residual blocks of "
            "the EfficientNet or ResNet kind. Take such a backbone, or leave the "
            "attention out."
        )
    for block in blocks:
        attention = TripletAttention(kernel_size)
        if replace or block.se is None:
            block.se = attention
        else:
            # A child and a hook instead of a wrapper, which would rename weights. The
            # hook is a function of this file, so that the model can be pickled.
            block.se.triplet = attention
            block.se.register_forward_hook(_gate_output)
    return len(blocks)
