"""Any 2-D backbone of timm as a net of the package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from timm.models import group_parameters
from torch import nn

from hmsklearn._params import check_choice, check_real
from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets._timm_backbone import (
    build_backbone,
    check_image_size,
    remove_classifier,
    remove_pooling,
)
from hmsklearn.nets._timm_stem import change_stem
from hmsklearn.nets.layers import (
    POOLS,
    add_triplet_attention,
    count_batches_once,
    create_pool,
)

__all__ = ["TimmNet"]


@register_net("timm", ndim=4)
class TimmNet(BaseNet):
    """A 2-D backbone of timm on images.

    Parameters
    ----------
    n_chans : int
        Number of planes.
    n_outputs : int
        Number of classes.
    input_size : tuple of int
        Height and width.
    backbone : str, default="tf_efficientnet_b0"
        Name of a model of timm, ``timm.list_models()``.
    pool : {"avg", "max", "avgmax", "gem", "gem_trainable", "attention"}, default=None
        Pooling of the last maps or tokens, see
        :class:`hmsklearn.nets.layers.GlobalPool`. None leaves timm's own.
    pool_params : dict, optional
        Parameters of that pooling: ``{"p": 4.0}`` for another exponent of the
        generalised mean, ``{"hidden": 512}`` for another width of the attention.
    stem : {"fresh"}, default=None
        ``"fresh"`` replaces the first convolution by a new one of 3 x 3 and stride 2,
        with standardised weights where the old one has them.
    stem_stride : int or pair of int, default=None
        Stride of the first convolution over height and width, its weights staying:
        ``(1, 2)`` keeps twice as many rows. None leaves it as it is. Convolutions that
        cut the image into patches (ConvNeXt) cannot have a smaller one.
    attention : {"triplet"}, default=None
        ``"triplet"`` puts triplet attention after squeeze-and-excitation into the
        residual blocks of models like EfficientNet and ResNet.
    drop_rate : float, default=0.0
        Dropout in front of the head. Without `pool` it is timm's own, which models like
        VGG apply twice: to the hidden layer of their head as well.
    drop_path_rate : float, default=0.0
        Stochastic depth.
    backbone_params : dict, optional
        Further parameters of ``timm.create_model``.

    Attributes
    ----------
    backbone : torch.nn.Module
        timm's model, its last linear layer replaced by the identity; with `pool` its
        pooling too. Weights are drawn at random; nothing is downloaded.
    backbone_name : str
        Its name.
    num_features : int
        Width of the features: what timm's last linear layer takes, or what `pool`
        gives.
    reduction : tuple of int
        Pixels of the image for one of the last map, in height and width.
    fresh_stem : bool
        Whether the first convolution is a new one in the place of timm's.
    backbone_params : dict
        The parameter.
    timm_names : frozenset of str
        Names of the weights of timm's model, with those that the net leaves out.

    Raises
    ------
    ValueError
        If the backbone is unknown, a parameter does not fit, or the images are too
        small or of a size that the backbone cannot take.

    Notes
    -----
    Input ``(n_windows, n_chans, height, width)`` without NaN; output logits
    ``(n_windows, n_outputs)``. Transformers that are made for one size of image are
    built for `input_size`. With the same weights the logits equal those of
    ``timm.create_model(backbone, num_classes=n_outputs)``, except that distilled
    models (DeiT) average their two tokens in front of one head.

    Where `pool` is given, norms and convolutions of timm's head run in front of it;
    hidden linear layers that need pooled features are left out (CAFormer, EfficientViT,
    InceptionNeXt), and so are class and register tokens.

    References
    ----------
    R. Wightman, PyTorch Image Models (timm). Such backbones on spectrogram and
    raw-waveform images: nearly every solution of HMS, for instance 2nd place
    (discussion 492254), 3rd place (492471: MixNet with a fresh stem and trainable
    generalised mean) and 7th place (492281). Stride (1, 2): 1st place of SETI, 15th
    place of HMS. Triplet attention: 3rd place of SETI.

    Examples
    --------
    >>> net = TimmNet(1, 6, (64, 64), backbone="test_efficientnet").eval()
    >>> net.num_features
    256
    >>> net(torch.zeros(2, 1, 64, 64)).shape
    torch.Size([2, 6])
    >>> TimmNet(1, 6, (64, 64), backbone="test_vit", pool="avgmax").num_features
    128
    """

    # Any: models of timm have methods that torch.nn.Module does not know.
    backbone: Any

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        input_size: Sequence[int],
        *,
        backbone: str = "tf_efficientnet_b0",
        pool: str | None = None,
        pool_params: dict[str, Any] | None = None,
        stem: str | None = None,
        stem_stride: int | Sequence[int] | None = None,
        attention: str | None = None,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        backbone_params: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(n_chans, n_outputs, input_size)
        check_choice(pool, "pool", (*POOLS, None), caller="TimmNet")
        check_real(
            drop_rate, "drop_rate", caller="TimmNet", low=0, high=1, high_open=True
        )
        check_choice(attention, "attention", ("triplet", None), caller="TimmNet")
        if pool is not None and "global_pool" in (backbone_params or {}):
            raise ValueError(
                f"TimmNet: pool={pool!r} and global_pool in backbone_params name two "
                "poolings. Give one of them."
            )
        if pool is None and pool_params:
            raise ValueError(
                f"TimmNet: pool_params={pool_params!r} without a pool are of no use. "
                "Name the pool that they are for."
            )
        self.backbone_name = backbone
        self.backbone_params = dict(backbone_params or {})
        self.fresh_stem = stem == "fresh"
        self.backbone = build_backbone(
            backbone,
            n_chans,
            self.input_size,
            # With a pooling of its own the net drops features, not timm maps.
            drop_rate=drop_rate if pool is None else 0.0,
            drop_path_rate=drop_path_rate,
            params=backbone_params,
        )
        self.timm_names = frozenset(self.backbone.state_dict())
        factors = change_stem(self.backbone, backbone, stem=stem, stride=stem_stride)
        reduction = self.backbone.feature_info[-1]["reduction"]
        self.reduction = tuple(round(reduction * factor) for factor in factors)
        if any(
            size < step
            for size, step in zip(self.input_size, self.reduction, strict=True)
        ):
            raise ValueError(
                f"TimmNet: images of input_size={self.input_size} are smaller than the "
                f"reduction {self.reduction} of {backbone!r}; that is the minimum "
                "size. Give larger images or another backbone."
            )
        check_image_size(self.backbone, backbone, self.input_size)
        if attention is not None:
            self._add_attention()
        self.pool: nn.Module | None = None
        self._uses_head = True
        if pool is None:
            self.num_features = remove_classifier(self.backbone, backbone)
        else:
            self._uses_head, self._n_maps = remove_pooling(self.backbone, backbone)
            self.pool = create_pool(pool, self._n_maps, **(pool_params or {}))
            self.num_features = self.pool.num_features
            self.drop = nn.Dropout(drop_rate)
        self.reset_head(n_outputs)

    def _add_attention(self) -> None:
        try:
            add_triplet_attention(self.backbone)
        except ValueError as error:
            raise ValueError(
                f"TimmNet: attention='triplet' does not go with "
                f"{self.backbone_name!r}. {error}"
            ) from error

    def forward_maps(self, x: torch.Tensor) -> torch.Tensor:
        """Run the backbone without pooling.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, height, width)
            Images.

        Returns
        -------
        Tensor
            Maps ``(n_windows, n_maps, h, w)`` or ``(n_windows, h, w, n_maps)``, or
            tokens ``(n_windows, n_tokens, n_maps)``, as timm gives them. Without `pool`
            it is timm's ``forward_features``, with it what enters the pooling.
        """
        maps = self.backbone.forward_features(x)
        if self.pool is not None and self._uses_head:
            maps = self.backbone.forward_head(maps, pre_logits=True)
        return maps

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map images to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, height, width)
            Images.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Features.
        """
        maps = self.forward_maps(x)
        if self.pool is None:
            return self.backbone.forward_head(maps)
        return self.drop(self.pool(self._maps_first(maps)))

    def _maps_first(self, maps: torch.Tensor) -> torch.Tensor:
        """Bring what timm gives to ``(n_windows, n_maps, *positions)``."""
        if isinstance(maps, torch.Tensor) and maps.ndim == 3:
            has_class_token = hasattr(self.backbone, "cls_token")
            n_prefix = getattr(self.backbone, "num_prefix_tokens", int(has_class_token))
            return maps[:, n_prefix:].transpose(1, 2)
        if isinstance(maps, torch.Tensor) and maps.ndim == 4:
            layout = str(getattr(self.backbone, "output_fmt", "NCHW"))
            if layout.endswith("NHWC"):
                maps = maps.permute(0, 3, 1, 2)
            if maps.shape[1] == self._n_maps:  # not every model tells its layout
                return maps
        raise ValueError(
            f"TimmNet: {self.backbone_name!r} gives neither one map nor one sequence "
            "of tokens to pool. Leave pool None or take another backbone."
        )

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the backbone's blocks in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.

        Raises
        ------
        ValueError
            If timm has no checkpointing for this backbone.
        """
        problem = (
            f"TimmNet: {self.backbone_name!r} has no gradient checkpointing. Use "
            "smaller batches or another backbone."
        )
        if not hasattr(self.backbone, "set_grad_checkpointing"):
            raise ValueError(problem)
        try:
            self.backbone.set_grad_checkpointing(enable)
        except AssertionError as error:  # how timm refuses
            raise ValueError(problem) from error
        count_batches_once(self.backbone)
        self.grad_checkpointing = enable

    def no_weight_decay(self) -> set[str]:
        """Names of the parameters that timm trains without weight decay.

        Returns
        -------
        set of str
            Names as in ``named_parameters``.
        """
        names: set[str] = getattr(self.backbone, "no_weight_decay", set)()
        return {f"backbone.{name}" for name in names}

    def group_matcher(self, coarse: bool = False) -> Callable[[str], int]:
        """Depth of every parameter, in the form that timm's optimisers ask for.

        Parameters
        ----------
        coarse : bool, default=False
            Whether to count stages instead of blocks, where timm distinguishes them.

        Returns
        -------
        callable
            From the name of a parameter to the number of its group.

        Raises
        ------
        ValueError
            If timm does not order the layers of this backbone.
        """
        groups = self.layer_groups(coarse=coarse)
        depths = {name: depth for depth, names in enumerate(groups) for name in names}
        return lambda name: depths[name]

    def layer_groups(self, coarse: bool = False) -> list[list[str]]:
        """Names of the parameters from the stem to the head.

        Parameters
        ----------
        coarse : bool, default=False
            Whether to group by stages instead of blocks, where timm distinguishes
            them.

        Returns
        -------
        list of list of str
            One list for every depth. The last holds the head, every parameter is in
            one of them.

        Raises
        ------
        ValueError
            If timm does not order the layers of this backbone.
        """
        if hasattr(self.backbone, "group_matcher"):
            matcher = self.backbone.group_matcher(coarse=coarse)
        elif hasattr(self.backbone, "stem") and hasattr(self.backbone, "stages"):
            # MetaFormers, among others; what joins two stages goes with the later one.
            stages = (r"^stages\.(\d+)", None if coarse else (0,))
            blocks = (r"^stages\.(\d+)\.blocks\.(\d+)", None)
            matcher = {
                "stem": r"^stem",
                "blocks": [stages] if coarse else [blocks, stages],
            }
        else:
            raise ValueError(
                f"TimmNet: timm does not order the layers of {self.backbone_name!r}, "
                "so that they have no rates of their own. Use one learning rate or "
                "another backbone."
            )
        found = group_parameters(self.backbone, matcher)
        groups = [[f"backbone.{name}" for name in found[i]] for i in sorted(found)]
        groups.append(
            [n for n, _ in self.named_parameters() if not n.startswith("backbone.")]
        )
        return [names for names in groups if names]
