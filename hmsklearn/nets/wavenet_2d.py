"""WaveNet-2D: WaveNet maps of the chains as an image for a 2-D backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hmsklearn.nets._composite import DrawnNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import WaveNetMaps

__all__ = ["WaveNet2d"]


@register_net("wavenet_2d")
class WaveNet2d(DrawnNet):
    """WaveNet on every channel, chains below one another, a 2-D backbone.

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
    widths : sequence of int, default=(8, 16, 32, 64)
        Number of maps of each WaveNet block.
    n_dilations : sequence of int, default=(12, 8, 4, 1)
        Number of dilations of each block.
    kernel_size : int, default=3
        Odd kernel length.
    group_size : int, default=4
        Number of channels of a chain, whose maps are averaged; 1 keeps them apart.
    n_steps : int, default=256
        Width of the image; the published nets take 256 to 320.
    downsample : bool, default=False
        Follow each block by a strided convolution, batch norm and SiLU.
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
    draw : hmsklearn.nets.layers.WaveNetMaps
        What draws the image: 256 x 256 for 16 channels and the default parameters.
    backbone : TimmNet
        What reads it.
    num_features : int
        Features of the backbone: 768.

    Raises
    ------
    ValueError
        If `group_size` does not divide `n_chans`, the windows are too short, or the
        backbone does not take the size of the image.

    Notes
    -----
    Input ``(n_windows, n_chans, n_times)`` without NaN; output logits ``(n_windows,
    n_outputs)``. The first blocks run on every sample of every channel; gradient
    checkpointing makes long windows fit.

    References
    ----------
    5th place of HMS, T.H. (discussion 492652): CV 0.244 and public score 0.25 alone.

    Examples
    --------
    >>> net = WaveNet2d(4, 6, 200, widths=(4, 16), n_dilations=(3, 1), group_size=2,
    ...                 n_steps=32, backbone="test_efficientnet").eval()
    >>> net.draw.out_size
    (32, 32)
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
        widths: Sequence[int] = (8, 16, 32, 64),
        n_dilations: Sequence[int] = (12, 8, 4, 1),
        kernel_size: int = 3,
        group_size: int = 4,
        n_steps: int = 256,
        downsample: bool = False,
        planes: bool = False,
        pool: str | None = None,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        backbone_params: dict[str, Any] | None = None,
    ) -> None:
        draw = WaveNetMaps(
            n_chans,
            n_times,
            widths=widths,
            n_dilations=n_dilations,
            kernel_size=kernel_size,
            group_size=group_size,
            n_steps=n_steps,
            downsample=downsample,
            planes=planes,
        )
        super().__init__(
            n_chans,
            n_outputs,
            n_times,
            draw,
            backbone=backbone,
            pool=pool,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
            backbone_params=backbone_params,
        )
