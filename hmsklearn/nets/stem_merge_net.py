"""2-D net on the spectrograms of the EEG and of the host, joined by a stem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hmsklearn._params import check_integer
from hmsklearn.nets._composite import CompositeNet, build_encoder, encode_maps
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import StemMerge

__all__ = ["StemMergeNet"]


@register_net("stem_merge", ndim=4)
class StemMergeNet(CompositeNet):
    """Channels' spectrograms and host's panels in one image, a 2-D encoder.

    A 1x1 convolution narrows the encoder's maps; their averages and maxima stand side
    by side.

    Parameters
    ----------
    n_chans : int
        Number of planes: the channels, chain after chain, then the panels.
    n_outputs : int
        Number of classes.
    input_size : tuple of (int, int)
        Height and width of every spectrogram.
    backbone : str, default="tiny_vit_21m_384"
        Encoder, a model of timm that gives maps.
    n_panels : int, default=4
        How many of the planes are panels of the host's spectrogram.
    group_size : int, default=4
        Number of channels of a chain.
    width : int, default=512
        Number of maps that are pooled; there are twice as many features.
    drop_rate : float, default=0.5
        Dropout in front of the logits.
    drop_path_rate : float, default=0.0
        Stochastic depth of the encoder.
    backbone_params : dict, optional
        Further parameters of ``timm.create_model``.

    Attributes
    ----------
    draw : hmsklearn.nets.layers.StemMerge
        What joins the spectrograms: 4 x 384 x 384 for 16 channels of 96 x 192.
    encoder : TimmNet
        The encoder.
    num_features : int
        ``2 * width``: 1024.

    Raises
    ------
    ValueError
        If the planes are not whole chains and panels, a number is not positive, or
        the encoder gives tokens.

    Notes
    -----
    Input ``(n_windows, n_planes, height, width)`` without NaN; output logits
    ``(n_windows, n_outputs)``. The published net brings the panels to the size of the
    spectrograms by nearest neighbours behind the stem; here they come in that size.

    References
    ----------
    4th place of HMS, tattaka's experiments 92, 107 and 108 (discussion 492240).

    Examples
    --------
    >>> net = StemMergeNet(8, 6, (32, 32), backbone="test_resnet", group_size=2,
    ...                    width=16).eval()
    >>> net.draw.out_chans, net.draw.out_size
    (2, (64, 64))
    >>> net(torch.zeros(2, 8, 32, 32)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        input_size: Sequence[int],
        *,
        backbone: str = "tiny_vit_21m_384",
        n_panels: int = 4,
        group_size: int = 4,
        width: int = 512,
        drop_rate: float = 0.5,
        drop_path_rate: float = 0.0,
        backbone_params: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(n_chans, n_outputs, input_size)
        check_integer(width, "width", caller="StemMergeNet", low=1)
        self.draw = StemMerge(
            n_chans - n_panels,
            self.input_size,
            n_panels=n_panels,
            group_size=group_size,
        )
        self.encoder = build_encoder(
            "StemMergeNet",
            self.draw.out_chans,
            self.draw.out_size,
            backbone=backbone,
            drop_path_rate=drop_path_rate,
            backbone_params=backbone_params,
        )
        self.narrow = nn.Conv2d(self.encoder.backbone.num_features, width, 1)
        self.num_features = 2 * width
        self.reset_head(n_outputs, drop_rate=drop_rate)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_planes, height, width)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Averages, then maxima.
        """
        maps = self.narrow(encode_maps(self.encoder, self.draw(x)))
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)
