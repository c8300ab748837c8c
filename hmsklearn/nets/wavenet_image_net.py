"""The 15th place's branch on raw signals: a WaveNet image for a 2-D backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hmsklearn.nets._composite import DrawnNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import WaveNetImage

__all__ = ["WaveNetImageNet"]


@register_net("wavenet_image")
class WaveNetImageNet(DrawnNet):
    """A WaveNet for each group of channels, their maps side by side, a 2-D backbone.

    Parameters
    ----------
    n_chans : int
        Number of channels, group after group.
    n_outputs : int
        Number of classes.
    n_times : int
        Number of samples in time.
    backbone : str, default="hgnetv2_b4"
        Model of timm.
    stem_stride : tuple of (int, int), optional
        Stride of the backbone's first convolution over time and columns. The published
        EfficientNetV2-S takes (1, 2), HGNetV2 its own.
    width : int, default=24
        Number of maps of a channel.
    n_blocks : int, default=7
        Number of WaveNet blocks; the widths grow to `width` in equal steps.
    max_dilations : int, default=15
        Number of dilations of the first block; it falls to one in equal steps.
    kernel_size : int, default=3
        Odd kernel length.
    last_stride : int, default=5
        Length and stride of the convolution at the end.
    group_size : int, default=8
        Number of channels that share a WaveNet.
    n_last : int, default=2
        Number of maps of each channel that stand at the right edge.
    pool : str, optional
        Pooling of the backbone, see :class:`hmsklearn.nets.TimmNet`.
    drop_rate : float, default=0.1
        Dropout in front of the logits.
    drop_path_rate : float, default=0.0
        Stochastic depth of the backbone.
    backbone_params : dict, optional
        Further parameters of ``timm.create_model``.

    Attributes
    ----------
    draw : hmsklearn.nets.layers.WaveNetImage
        What draws the image: 2000 x 576 for 24 channels of 10000 samples.
    backbone : TimmNet
        What reads it.
    num_features : int
        Features of the backbone: 2048.

    Raises
    ------
    ValueError
        If `group_size` does not divide `n_chans`, the windows are too short, or the
        backbone does not take the size of the image.

    Notes
    -----
    Input ``(n_windows, n_chans, n_times)`` without NaN; output logits ``(n_windows,
    n_outputs)``. Gradient checkpointing makes long windows fit.

    References
    ----------
    15th place of HMS: one of three branches.

    Examples
    --------
    >>> net = WaveNetImageNet(4, 6, 200, width=8, n_blocks=3, max_dilations=3,
    ...                       group_size=2, backbone="test_efficientnet").eval()
    >>> net.draw.out_size
    (40, 32)
    >>> import torch
    >>> net(torch.zeros(2, 4, 200)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        n_times: int,
        *,
        backbone: str = "hgnetv2_b4",
        stem_stride: Sequence[int] | None = None,
        width: int = 24,
        n_blocks: int = 7,
        max_dilations: int = 15,
        kernel_size: int = 3,
        last_stride: int = 5,
        group_size: int = 8,
        n_last: int = 2,
        pool: str | None = None,
        drop_rate: float = 0.1,
        drop_path_rate: float = 0.0,
        backbone_params: dict[str, Any] | None = None,
    ) -> None:
        draw = WaveNetImage(
            n_chans,
            n_times,
            width=width,
            n_blocks=n_blocks,
            max_dilations=max_dilations,
            kernel_size=kernel_size,
            last_stride=last_stride,
            group_size=group_size,
            n_last=n_last,
        )
        super().__init__(
            n_chans,
            n_outputs,
            n_times,
            draw,
            backbone=backbone,
            stem_stride=stem_stride,
            pool=pool,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
            backbone_params=backbone_params,
        )
