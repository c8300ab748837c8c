"""2.5-D net: a 2-D encoder for every slice, 3-D convolutions across them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hmsklearn._params import check_integer
from hmsklearn.nets._composite import CompositeNet, build_encoder, encode_maps
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import ResidualConv3d, checkpoint_sequential

__all__ = ["Residual3d"]


@register_net("encoder_2_5d", ndim=5)
class Residual3d(CompositeNet):
    """One 2-D encoder on the image of every chain, residual 3-D convolutions between.

    The encoder's maps of the slices are laid behind one another, residual blocks look
    across them, a 1x1x1 convolution narrows, and average and maximum over everything
    stand side by side.

    Parameters
    ----------
    n_chans : int
        Number of planes of a slice.
    n_outputs : int
        Number of classes.
    input_size : tuple of (int, int, int)
        Number of slices, height, width.
    backbone : str, default="caformer_s18"
        Encoder, a model of timm that gives maps.
    n_blocks : int, default=3
        Number of residual blocks.
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
    encoder : TimmNet
        The encoder, shared by the slices.
    num_features : int
        ``2 * width``: 1024.

    Raises
    ------
    ValueError
        If the input is no film, a number is not positive, or the encoder gives tokens.

    Notes
    -----
    Input ``(n_windows, n_planes, n_slices, height, width)`` without NaN; output logits
    ``(n_windows, n_outputs)``. The published net takes four slices of one plane, the
    four spectrograms of a chain below one another and the host's spectrogram on the
    right: ``(n, 1, 4, 384, 384)``.

    References
    ----------
    4th place of HMS, tattaka's experiment 146 (discussion 492240).

    Examples
    --------
    >>> net = Residual3d(1, 6, (4, 32, 64), backbone="test_convnext", width=16).eval()
    >>> net.num_features
    32
    >>> net(torch.zeros(2, 1, 4, 32, 64)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        input_size: Sequence[int],
        *,
        backbone: str = "caformer_s18",
        n_blocks: int = 3,
        width: int = 512,
        drop_rate: float = 0.5,
        drop_path_rate: float = 0.0,
        backbone_params: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(n_chans, n_outputs, input_size)
        if len(self.input_size) != 3:
            raise ValueError(
                f"Residual3d: input_size={input_size!r} must be the number of slices, "
                "height and width. Give films of shape (n, planes, slices, height, "
                "width)."
            )
        check_integer(n_blocks, "n_blocks", caller="Residual3d", low=0)
        check_integer(width, "width", caller="Residual3d", low=1)
        self.encoder = build_encoder(
            "Residual3d",
            n_chans,
            self.input_size[1:],
            backbone=backbone,
            drop_path_rate=drop_path_rate,
            backbone_params=backbone_params,
        )
        n_maps = self.encoder.backbone.num_features
        self.blocks = nn.ModuleList(ResidualConv3d(n_maps) for _ in range(n_blocks))
        self.narrow = nn.Conv3d(n_maps, width, 1)
        self.num_features = 2 * width
        self.reset_head(n_outputs, drop_rate=drop_rate)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_planes, n_slices, height, width)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Averages, then maxima.
        """
        n, n_planes, n_slices, height, width = x.shape
        slices = x.transpose(1, 2).reshape(n * n_slices, n_planes, height, width)
        maps = encode_maps(self.encoder, slices)
        maps = maps.reshape(n, n_slices, *maps.shape[1:]).transpose(1, 2)
        maps = checkpoint_sequential(self.blocks, maps, enabled=self.grad_checkpointing)
        maps = self.narrow(maps)
        return torch.cat([maps.mean(dim=(2, 3, 4)), maps.amax(dim=(2, 3, 4))], dim=1)
