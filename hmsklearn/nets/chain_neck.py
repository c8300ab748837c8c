"""Chain neck: one encoder on every channel's image, a backbone on all their maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn._params import check_integer
from hmsklearn.nets._composite import CompositeNet, build_encoder, encode_maps
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import ResizeMap
from hmsklearn.nets.timm_net import TimmNet

__all__ = ["ChainNeck"]


@register_net("chain_neck", ndim=4)
class ChainNeck(CompositeNet):
    """One encoder on every channel's image, and a backbone that reads their maps.

    The maps of the channels of a chain are averaged, neighbouring maps too until
    `n_rows` are left; every map is laid out as one row, the chains below one another;
    the picture is resized and goes through a second backbone.

    Parameters
    ----------
    n_chans : int
        Number of channels, each an image of one plane, chain after chain.
    n_outputs : int
        Number of classes.
    input_size : tuple of (int, int)
        Height and width of a channel's image.
    backbone : str, default="tf_efficientnet_b0"
        Encoder, a model of timm that gives maps.
    neck : str, default="maxxvitv2_nano_rw_256"
        Model of timm that reads the picture.
    group_size : int, default=4
        Number of channels of a chain.
    n_rows : int, default=64
        Rows of each chain in the picture; must divide the number of the encoder's maps.
    neck_size : tuple of (int, int), default=(256, 256)
        Size that the picture gets.
    drop_rate : float, default=0.0
        Dropout in front of the logits.
    drop_path_rate : float, default=0.0
        Stochastic depth of both.
    backbone_params, neck_params : dict, optional
        Further parameters of ``timm.create_model``.

    Attributes
    ----------
    encoder, neck : TimmNet
        The two backbones.
    num_features : int
        Features of the neck: 768.

    Raises
    ------
    ValueError
        If `group_size` does not divide `n_chans`, `n_rows` does not divide the
        encoder's maps, or the encoder gives tokens.

    Notes
    -----
    Input ``(n_windows, n_chans, height, width)`` without NaN; output logits
    ``(n_windows, n_outputs)``. The four chains of 16 differences and the 1280 maps of
    EfficientNet-B0 make a picture of 256 rows, its columns being the places of a map.

    References
    ----------
    5th place of HMS (discussion 492652): UEMU's and kazumax' nets; the latter trains
    the neck at 5e-5.

    Examples
    --------
    >>> net = ChainNeck(4, 6, (64, 64), backbone="test_efficientnet",
    ...                 neck="test_resnet", group_size=2, neck_size=(64, 64)).eval()
    >>> net.picture(torch.zeros(2, 4, 64, 64)).shape
    torch.Size([2, 1, 128, 4])
    >>> net(torch.zeros(2, 4, 64, 64)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        input_size: Sequence[int],
        *,
        backbone: str = "tf_efficientnet_b0",
        neck: str = "maxxvitv2_nano_rw_256",
        group_size: int = 4,
        n_rows: int = 64,
        neck_size: Sequence[int] = (256, 256),
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        backbone_params: dict[str, Any] | None = None,
        neck_params: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(n_chans, n_outputs, input_size)
        check_integer(group_size, "group_size", caller="ChainNeck", low=1)
        check_integer(n_rows, "n_rows", caller="ChainNeck", low=1)
        if n_chans % group_size:
            raise ValueError(
                f"ChainNeck: n_chans={n_chans} is no multiple of group_size="
                f"{group_size}. Give chains of equal length, or group_size=1."
            )
        self.encoder = build_encoder(
            "ChainNeck",
            1,
            self.input_size,
            backbone=backbone,
            drop_path_rate=drop_path_rate,
            backbone_params=backbone_params,
        )
        n_maps = self.encoder.backbone.num_features
        if n_maps % n_rows:
            raise ValueError(
                f"ChainNeck: n_rows={n_rows} does not divide the {n_maps} maps of "
                f"{backbone!r}. Give a divisor or another backbone."
            )
        self.n_groups = n_chans // group_size
        self.group_size, self.n_rows = group_size, n_rows
        self.resize = ResizeMap(
            (self.n_groups * n_rows, self._n_places()), tuple(neck_size)
        )
        self.neck = TimmNet(
            1,
            1,
            tuple(neck_size),
            backbone=neck,
            drop_path_rate=drop_path_rate,
            backbone_params=neck_params,
        )
        self.neck.reset_head(0)
        self.num_features = self.neck.num_features
        self.reset_head(n_outputs, **({"drop_rate": drop_rate} if drop_rate else {}))

    def _n_places(self) -> int:
        """Count the places of the encoder's maps."""
        training = self.encoder.training
        device = next(self.encoder.parameters()).device
        with torch.no_grad():
            image = torch.zeros(1, 1, *self.input_size, device=device)
            maps = encode_maps(self.encoder.eval(), image)
        self.encoder.train(training)
        return maps.shape[2] * maps.shape[3]

    def picture(self, x: torch.Tensor) -> torch.Tensor:
        """Lay the maps of the channels out as one picture.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, height, width)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, 1, n_chains * n_rows, n_places)
            The picture before it is resized.
        """
        n, n_chans, height, width = x.shape
        maps = encode_maps(self.encoder, x.reshape(n * n_chans, 1, height, width))
        maps = maps.reshape(
            n, self.n_groups, self.group_size, self.n_rows, -1, self.resize.in_size[1]
        )
        return maps.mean(dim=(2, 4)).flatten(1, 2).unsqueeze(1)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, height, width)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Features.
        """
        return self.neck.forward_features(self.resize(self.picture(x)))
