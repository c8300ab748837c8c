"""One backbone on a set of images, pooled by attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hmsklearn.nets._composite import CompositeNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import AttentionPool
from hmsklearn.nets.timm_net import TimmNet

__all__ = ["MILAttention"]


@register_net("mil_attention", ndim=4)
@register_net("mil_attention_films", ndim=5)
class MILAttention(CompositeNet):
    """Multiple-instance learning: a window is a set of images, weighed by attention.

    Parameters
    ----------
    n_chans : int
        Number of planes.
    n_outputs : int
        Number of classes.
    input_size : tuple of int
        Height and width: every plane is an instance, an image of one plane. Number of
        frames, height and width: every frame is an instance, with all planes.
    backbone : str, default="hgnetv2_b2"
        Model of timm that all instances share.
    hidden : int, default=2048
        Width of the tanh layer between features and score.
    pool : str, optional
        Pooling of the backbone, see :class:`hmsklearn.nets.TimmNet`.
    drop_rate : float, default=0.5
        Dropout of the instances' features, in front of attention.
    drop_path_rate : float, default=0.0
        Stochastic depth of the backbone.
    backbone_params : dict, optional
        Further parameters of ``timm.create_model``.

    Attributes
    ----------
    backbone : TimmNet
        The backbone.
    pool : hmsklearn.nets.layers.AttentionPool
        The pooling; its method ``weights`` tells what counted.
    num_features : int
        Features of the backbone: 2048.

    Raises
    ------
    ValueError
        If the input is neither image nor film, or a number is not usable.

    Notes
    -----
    Input ``(n_windows, n_planes, height, width)`` or ``(n_windows, n_planes, n_frames,
    height, width)`` without NaN; output logits ``(n_windows, n_outputs)``. The order
    of the instances plays no part.

    References
    ----------
    15th place of HMS: ten images of the host's spectrogram, the four panels and their
    six differences. Z. Lin and others (2017), A structured self-attentive sentence
    embedding, for the pooling.

    Examples
    --------
    >>> net = MILAttention(10, 6, (64, 64), backbone="test_resnet", hidden=32).eval()
    >>> net(torch.zeros(2, 10, 64, 64)).shape
    torch.Size([2, 6])
    >>> net.instances(torch.zeros(2, 10, 64, 64)).shape
    torch.Size([2, 10, 96])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        input_size: Sequence[int],
        *,
        backbone: str = "hgnetv2_b2",
        hidden: int = 2048,
        pool: str | None = None,
        drop_rate: float = 0.5,
        drop_path_rate: float = 0.0,
        backbone_params: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(n_chans, n_outputs, input_size)
        if len(self.input_size) not in (2, 3):
            raise ValueError(
                f"MILAttention: input_size={input_size!r} must be height and width, or "
                "number of frames, height and width. Give images or films."
            )
        if not 0 <= drop_rate < 1:
            raise ValueError(
                f"MILAttention: drop_rate={drop_rate!r} must be at least 0 and below 1."
            )
        self.backbone = TimmNet(
            1 if len(self.input_size) == 2 else n_chans,
            1,
            self.input_size[-2:],
            backbone=backbone,
            pool=pool,
            drop_path_rate=drop_path_rate,
            backbone_params=backbone_params,
        )
        self.backbone.reset_head(0)
        self.num_features = self.backbone.num_features
        self.drop = nn.Dropout(drop_rate)
        self.pool = AttentionPool(self.num_features, hidden)
        self.reset_head(n_outputs)

    def instances(self, x: torch.Tensor) -> torch.Tensor:
        """Features of every image of the set.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, *input_size)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, n_instances, num_features)
            Features, before dropout and attention.
        """
        # Frames first, or every plane as a set of one.
        x = x.transpose(1, 2) if x.ndim == 5 else x.unsqueeze(2)
        n, n_instances = x.shape[:2]
        features = self.backbone.forward_features(x.flatten(0, 1))
        return features.reshape(n, n_instances, self.num_features)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, *input_size)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Weighted means of the features.
        """
        return self.pool(self.drop(self.instances(x)))
