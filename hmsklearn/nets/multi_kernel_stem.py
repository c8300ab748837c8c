"""Learnable time kernels on every channel's spectrogram in front of a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hmsklearn.nets._composite import DrawnNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import MultiKernelRows

__all__ = ["MultiKernelStem"]


@register_net("multi_kernel_stem", ndim=4)
class MultiKernelStem(DrawnNet):
    """Time kernels of several lengths on the tiles of an image, a 2-D backbone.

    Parameters
    ----------
    n_chans : int
        Number of planes; each has kernels of its own.
    n_outputs : int
        Number of classes.
    input_size : tuple of (int, int)
        Height and width of the images.
    backbone : str, default="efficientnet_b0"
        Model of timm.
    kernels : sequence of int, default=(1, 3, 5, 7, 9, 11)
        Odd lengths in time.
    row_kernel : int, default=3
        Odd length over the rows of a tile.
    n_maps : int, default=8
        Number of maps of each kernel before they are joined to one.
    tile_height : int, default=None
        Rows of one channel's spectrogram, 128 in the published net; the kernels do not
        look beyond. None takes the whole image as one tile.
    pool : str, optional
        Pooling of the backbone, see :class:`hmsklearn.nets.TimmNet`.
    drop_rate : float, default=0.2
        Dropout in front of the logits.
    drop_path_rate : float, default=0.0
        Stochastic depth of the backbone.
    backbone_params : dict, optional
        Further parameters of ``timm.create_model``.

    Attributes
    ----------
    draw : hmsklearn.nets.layers.MultiKernelRows
        The kernels.
    backbone : TimmNet
        What reads the image.
    num_features : int
        Features of the backbone: 1280.

    Raises
    ------
    ValueError
        If a kernel is even or `tile_height` does not divide the height.

    Notes
    -----
    Input ``(n_windows, n_planes, height, width)`` without NaN, time on width; output
    logits ``(n_windows, n_outputs)``. The published planes are three mel spectrograms,
    of 0 to 100, 0.5 to 20 and 0 to 30 Hz, each of 12 to 16 channels of 128 rows below
    one another: 3 x 1536 x 304 for 12.

    References
    ----------
    The "lhwcv" solution of HMS, with EfficientNet-B0 to B3: public score 0.25.

    Examples
    --------
    >>> net = MultiKernelStem(3, 6, (64, 48), backbone="test_efficientnet",
    ...                       tile_height=16).eval()
    >>> import torch
    >>> net(torch.zeros(2, 3, 64, 48)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        input_size: Sequence[int],
        *,
        backbone: str = "efficientnet_b0",
        kernels: Sequence[int] = (1, 3, 5, 7, 9, 11),
        row_kernel: int = 3,
        n_maps: int = 8,
        tile_height: int | None = None,
        pool: str | None = None,
        drop_rate: float = 0.2,
        drop_path_rate: float = 0.0,
        backbone_params: dict[str, Any] | None = None,
    ) -> None:
        draw = MultiKernelRows(
            n_chans,
            input_size,
            kernels=kernels,
            row_kernel=row_kernel,
            n_maps=n_maps,
            tile_height=tile_height,
        )
        super().__init__(
            n_chans,
            n_outputs,
            input_size,
            draw,
            backbone=backbone,
            pool=pool,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
            backbone_params=backbone_params,
        )
