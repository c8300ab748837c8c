"""The classifier of images: any 2-D backbone of timm."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

import timm
from torch import nn

from hmsklearn.nets import TimmNet
from hmsklearn.neural._base import BaseNeuralClassifier

__all__ = ["TimmClassifier"]


class TimmClassifier(BaseNeuralClassifier):
    """Train a 2-D backbone of timm on images and the votes about them.

    Parameters
    ----------
    backbone : str, default="tf_efficientnet_b0"
        Name of a model of timm, ``timm.list_models()``.
    pool : str, default=None
        How the backbone's last map becomes features: ``"avg"``, ``"max"``,
        ``"avgmax"`` (both, one after the other), ``"gem"`` (generalised mean, p = 3),
        ``"gem_trainable"``, ``"attention"``; None is timm's own way.
    pool_params : dict, optional
        Parameters of that pooling: ``{"p": 4.0}`` for another exponent of the
        generalised mean, ``{"hidden": 512}`` for another width of the attention.
    stem : {"fresh"}, default=None
        ``"fresh"`` puts a new 3x3 convolution of stride 2 in the place of the first.
    stem_stride : int or pair of int, default=None
        Other stride of the first convolution, ``(1, 2)`` to keep the height.
    attention : {"triplet"}, default=None
        Attention put into the backbone's blocks.
    drop_rate : float, default=0.0
        Dropout in front of the head. Without `pool` it is timm's own, which models like
        VGG apply twice: to the hidden layer of their head as well.
    drop_path_rate : float, default=0.0
        Stochastic depth.
    backbone_params : dict, optional
        Further parameters of ``timm.create_model``, for instance
        ``{"global_pool": "max"}``.
    %(shared_parameters)s

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; timm's module is
        ``net_.module_.body.backbone``.
    classes_ : ndarray of shape (n_classes,)
        Labels in column order.
    device_ : str
        Device that it trained on, or predicts on after loading.
    n_features_in_ : int
        Number of planes.
    input_shape_ : tuple of int
        Shape of one window.
    n_iter_ : int
        Number of epochs that ran.
    %(shared_attributes)s

    Raises
    ------
    ValueError
        In ``fit``, for an unknown backbone, weights that do not fit, unusable data or
        parameters, and when training diverges.
    FileNotFoundError
        In ``fit``, if the file of weights does not exist.
    RuntimeError
        In ``fit``, if the device is absent or timm's weights cannot be had.

    Notes
    -----
    `X` has shape ``(n_windows, n_planes, height, width)``, any float or whole-number
    type, no NaN; the net computes in float32, channels last. On a CPU the same
    `random_state` gives the same probabilities bit by bit (with the same number of
    torch threads), and the caller's random state is left alone. Pickles hold the
    weights and nothing of the training; they load without a GPU and without a
    network, whatever `weights` was.

    References
    ----------
    R. Wightman, PyTorch Image Models (timm). Spectrogram and raw-waveform images on
    such backbones: nearly every solution of HMS, for instance 2nd place (discussion
    492254) and 7th place (discussion 492281).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(24) % 2
    >>> X = rng.standard_normal((24, 1, 32, 32))
    >>> X[y == 1, :, :16] += 2.0
    >>> clf = TimmClassifier("test_efficientnet", classes="infer", max_epochs=4,
    ...                      batch_size=6, lr=5e-3, random_state=0)
    >>> clf.fit(X, y).predict(X[:4])
    array([0, 1, 0, 1])
    """

    _ndim = (4,)
    _channels_last = True

    def __init__(
        self,
        backbone: str = "tf_efficientnet_b0",
        *,
        pool: str | None = None,
        pool_params: dict[str, Any] | None = None,
        stem: str | None = None,
        stem_stride: int | Sequence[int] | None = None,
        attention: str | None = None,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        backbone_params: dict[str, Any] | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.backbone = backbone
        self.pool = pool
        self.pool_params = pool_params
        self.stem = stem
        self.stem_stride = stem_stride
        self.attention = attention
        self.drop_rate = drop_rate
        self.drop_path_rate = drop_path_rate
        self.backbone_params = backbone_params

    def _architecture(
        self, input_shape: tuple[int, ...], n_outputs: int
    ) -> tuple[Callable[..., nn.Module], dict[str, Any]]:
        caller = type(self).__name__
        _check_backbone(self.backbone, caller)
        extra = dict(self.backbone_params or {})
        own = {"in_chans", "num_classes", "pretrained", "drop_rate", "drop_path_rate"}
        if own & set(extra):
            raise ValueError(
                f"{caller}: backbone_params must not hold {sorted(own & set(extra))}; "
                "the estimator sets them from the data and its own parameters."
            )
        n_planes, *input_size = input_shape
        params: dict[str, Any] = {
            "n_chans": n_planes,
            "n_outputs": n_outputs,
            "input_size": tuple(input_size),
            "backbone": self.backbone,
        }
        for name in (
            "pool",
            "pool_params",
            "stem",
            "stem_stride",
            "attention",
            "drop_rate",
            "drop_path_rate",
            "backbone_params",
        ):
            value = getattr(self, name)
            if value:
                params[name] = value
        return TimmNet, params

    def _architecture_name(self) -> str:
        return f"backbone {self.backbone!r}"


def _check_backbone(backbone: Any, caller: str) -> None:
    if not isinstance(backbone, str):
        raise TypeError(
            f"{caller}: backbone must be the name of a model of timm, got "
            f"{type(backbone).__name__}."
        )
    if ":" in backbone or "/" in backbone:
        raise ValueError(
            f"{caller}: backbone={backbone!r} names a place, which would have to be "
            "reached again whenever the estimator is loaded. Give the model's name as "
            "backbone and the downloaded file as weights."
        )
    if not timm.is_model(backbone):
        known = timm.list_models()
        close = difflib.get_close_matches(backbone.split(".")[0], known, n=3)
        hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
        raise ValueError(
            f"{caller}: timm has no model {backbone!r}. {hint}timm.list_models() lists "
            f"the {len(known)} that it has."
        )
