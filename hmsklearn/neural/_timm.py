"""The classifier of images: any 2-D backbone of timm."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
from torch import nn

from hmsklearn.neural._base import BaseNeuralClassifier
from hmsklearn.neural._timm_weights import load_file_weights, load_pretrained_weights

__all__ = ["TimmClassifier"]


class TimmClassifier(BaseNeuralClassifier):
    """Train a 2-D backbone of timm on images and the votes about them.

    Parameters
    ----------
    backbone : str, default="tf_efficientnet_b0"
        Name of a model of timm, ``timm.list_models()``.
    weights : None, "pretrained" or path, default=None
        Weights to start from. None draws them at random and never uses the network.
        A ``.pt``, ``.pth`` or ``.safetensors`` file holds a state dict of the
        backbone (also inside a training checkpoint). ``"pretrained"`` takes timm's
        own, from its cache or by download. The first convolution is adapted to the
        number of planes, and a head for another number of classes is replaced.
    drop_rate : float, default=0.0
        Dropout in front of the head.
    drop_path_rate : float, default=0.0
        Stochastic depth.
    backbone_params : dict, optional
        Further parameters of ``timm.create_model``, for instance
        ``{"global_pool": "max"}``.
    classes : "hms", "infer" or sequence of labels, default="hms"
        Labels in column order: the six patterns, those found in `y`, or a list.
    max_epochs : int, default=10
        Number of passes over the training windows.
    batch_size : int, default=32
        Number of windows in a batch, in training and prediction.
    lr : float, default=1e-3
        Highest learning rate of AdamW.
    weight_decay : float, default=1e-2
        Weight decay of AdamW, on kernels and matrices alone.
    schedule : {"cosine", "constant"}, default="cosine"
        How the learning rate goes on after the warm-up, step by step.
    warmup : float, default=0.0
        Share of all steps in which the rate rises.
    min_lr : float, default=0.0
        Rate at the end of the cosine.
    vote_weight : {"linear", "log"}, callable or None, default=None
        Weight of a window by its number of votes: in proportion, ``log(votes + 1)``,
        or a function of the array of totals. Only relations matter. Needs counts.
    input_norm : {"global", "window"} or None, default="global"
        Subtract mean and divide by standard deviation: one number each, learned from
        the training windows; those of each window; or not at all.
    early_stopping : bool, default=False
        Whether to validate after every epoch, stop when it no longer improves, and
        return to the best epoch's weights.
    validation_fraction : float, default=0.1
        Share of the groups (of the windows without groups) to validate on when
        `early_stopping` is on and ``fit`` gets no `X_val`.
    patience : int, default=5
        Number of epochs without improvement after which training stops.
    amp : {"auto", "bf16", "fp16"} or None, default="auto"
        Mixed precision of the training on a CUDA device.
    device : str, default="auto"
        ``"auto"`` (GPU if there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
    callbacks : list of skorch callbacks, optional
        Used as they are, so that what they record can be read after ``fit``; a saved
        estimator carries them without it.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, order of batches, dropout and validation split.
    verbose : int, default=0
        1 shows a progress bar with training loss and validation KL.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; timm's module is ``net_.module_.body``.
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
    best_epoch_ : int or None
        Epoch whose weights were taken, with early stopping.
    history_ : list of dict
        For every epoch ``epoch``, ``train_loss`` (weighted KL), ``valid_kl`` (KL as
        the competition counts it, NaN without validation), ``lr`` and ``duration``
        in seconds.

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
        weights: str | Path | None = None,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        backbone_params: dict[str, Any] | None = None,
        classes: str | Sequence[Any] | None = "hms",
        max_epochs: int = 10,
        batch_size: int = 32,
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        schedule: str = "cosine",
        warmup: float = 0.0,
        min_lr: float = 0.0,
        vote_weight: str | Callable[[np.ndarray], Any] | None = None,
        input_norm: str | None = "global",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5,
        amp: str | None = "auto",
        device: str = "auto",
        callbacks: list[Any] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.drop_rate = drop_rate
        self.drop_path_rate = drop_path_rate
        self.backbone_params = backbone_params
        self.classes = classes
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.warmup = warmup
        self.min_lr = min_lr
        self.vote_weight = vote_weight
        self.input_norm = input_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.amp = amp
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

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
        n_planes, height, width = input_shape
        params = {
            "backbone": self.backbone,
            "in_chans": n_planes,
            "num_classes": n_outputs,
        }
        if self.drop_rate:
            params["drop_rate"] = self.drop_rate
        if self.drop_path_rate:
            params["drop_path_rate"] = self.drop_path_rate
        config = timm.models.get_pretrained_cfg(self.backbone)
        if config is not None and config.fixed_input_size:
            # Transformers with position embeddings are built for one image size.
            params["img_size"] = (height, width)
        return build_backbone, {**params, **extra}

    def _architecture_name(self) -> str:
        return f"backbone {self.backbone!r}"

    def _load_weights(self, body: nn.Module, factory_params: dict[str, Any]) -> None:
        caller = type(self).__name__
        if self.weights is None:
            return
        if isinstance(self.weights, str) and self.weights == "pretrained":
            load_pretrained_weights(body, factory_params, caller=caller)
        else:
            load_file_weights(body, self.weights, caller=caller)


def build_backbone(
    backbone: str, in_chans: int, num_classes: int, **params: Any
) -> nn.Module:
    """Build a backbone with random weights; never touches the network.

    Parameters
    ----------
    backbone : str
        Name of the model.
    in_chans : int
        Number of planes.
    num_classes : int
        Number of classes.
    **params : object
        Further parameters of ``timm.create_model``.

    Returns
    -------
    torch.nn.Module
        The model.

    Examples
    --------
    >>> build_backbone("test_efficientnet", 1, 6).num_classes
    6
    """
    return timm.create_model(
        backbone,
        pretrained=False,
        in_chans=in_chans,
        num_classes=num_classes,
        **params,
    )


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
