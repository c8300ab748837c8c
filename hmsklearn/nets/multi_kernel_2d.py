"""Multi-kernel maps of the chains as an image for a 2-D backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hmsklearn.nets._composite import DrawnNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import MultiKernelSE

__all__ = ["MultiKernel2d"]


@register_net("multi_kernel_2d")
class MultiKernel2d(DrawnNet):
    """Convolutions of several kernel lengths on every channel, a 2-D backbone.

    The maps of the channels of a chain are averaged, the chains lie below one another,
    the image is resized.

    Parameters
    ----------
    n_chans : int
        Number of channels, chain after chain.
    n_outputs : int
        Number of classes.
    n_times : int
        Number of samples in time.
    backbone : str, default="maxxvitv2_nano_rw_256"
        Model of timm.
    kernels : sequence of int, default=(5, 9, 13, 19)
        Odd lengths of the parallel kernels.
    kernel_maps : int, default=4
        Number of maps of each.
    widths : sequence of int, default=(32, 64, 64)
        Number of maps of each stage, which halves the length.
    n_blocks : int, default=3
        Number of residual blocks with squeeze and excitation in each branch and stage.
    block_kernel : int, default=4
        Their kernel length.
    group_size : int, default=4
        Number of channels of a chain; 1 keeps the channels apart.
    image_size : tuple of (int, int) or None, default=(256, 256)
        Size that the image gets; None leaves it as it is.
    planes : bool, default=False
        Whether chains become planes of the image instead of lying below one another.
    pool : str, optional
        Pooling of the backbone, see :class:`hmsklearn.nets.TimmNet`.
    drop_rate : float, default=0.0
        Dropout in front of the logits.
    drop_path_rate : float, default=0.0
        Stochastic depth of the backbone.
    backbone_params : dict, optional
        Further parameters of ``timm.create_model``.

    Attributes
    ----------
    draw : hmsklearn.nets.layers.MultiKernelSE
        What draws the image: 256 x 1250 for 16 channels of 10000 samples.
    backbone : TimmNet
        What reads it.
    num_features : int
        Features of the backbone: 768.

    Raises
    ------
    ValueError
        If `group_size` does not divide `n_chans` or a size is not usable.

    Notes
    -----
    Input ``(n_windows, n_chans, n_times)`` without NaN; output logits ``(n_windows,
    n_outputs)``.

    References
    ----------
    5th place of HMS, UEMU (discussion 492652).

    Examples
    --------
    >>> net = MultiKernel2d(4, 6, 200, widths=(8, 16), n_blocks=1, group_size=2,
    ...                     image_size=(32, 64), backbone="test_efficientnet").eval()
    >>> net.draw.out_size
    (32, 50)
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
        backbone: str = "maxxvitv2_nano_rw_256",
        kernels: Sequence[int] = (5, 9, 13, 19),
        kernel_maps: int = 4,
        widths: Sequence[int] = (32, 64, 64),
        n_blocks: int = 3,
        block_kernel: int = 4,
        group_size: int = 4,
        image_size: Sequence[int] | None = (256, 256),
        planes: bool = False,
        pool: str | None = None,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        backbone_params: dict[str, Any] | None = None,
    ) -> None:
        draw = MultiKernelSE(
            n_chans,
            n_times,
            kernels=kernels,
            kernel_maps=kernel_maps,
            widths=widths,
            n_blocks=n_blocks,
            block_kernel=block_kernel,
            group_size=group_size,
            planes=planes,
        )
        super().__init__(
            n_chans,
            n_outputs,
            n_times,
            draw,
            resize=image_size,
            backbone=backbone,
            pool=pool,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
            backbone_params=backbone_params,
        )
