"""The parameters that all neural classifiers share, and their defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

__all__ = ["SharedParameters"]


class SharedParameters(BaseEstimator):
    """Stores what :mod:`hmsklearn.neural._shared` describes.

    Examples
    --------
    >>> SharedParameters(lr=0.1).get_params()["lr"]
    0.1
    """

    def __init__(
        self,
        *,
        classes: str | Sequence[Any] | None = "hms",
        frontend: Any = None,
        input_norm: str | None = "global",
        head: dict[str, Any] | None = None,
        weights: Any = None,
        loss: Any = "kl",
        loss_params: dict[str, Any] | None = None,
        aux_weight: float | dict[str, float] = 1.0,
        max_epochs: int = 10,
        batch_size: int = 32,
        accumulate: int = 1,
        optimizer: Any = "adamw",
        optimizer_params: dict[str, Any] | None = None,
        lr: float = 1e-3,
        backbone_lr: float | dict[str, float] | None = None,
        layer_decay: float | None = None,
        weight_decay: float = 1e-2,
        schedule: str | Callable[[int, int], float] | Sequence[float] = "cosine",
        warmup: float = 0.0,
        min_lr: float = 0.0,
        clip_grad: float | None = None,
        awp: dict[str, float] | None = None,
        ema: Any = None,
        vote_weight: str | Callable[..., Any] | None = None,
        sampling: Any = None,
        target: str = "window",
        augment: Sequence[Any] | None = None,
        stages: Sequence[dict[str, Any]] | None = None,
        grad_checkpointing: bool = False,
        compile: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        validation_min_votes: float | None = None,
        patience: int = 5,
        evaluations_per_epoch: int = 1,
        warm_start: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 1,
        resume: bool = False,
        distributed: bool = False,
        amp: str | None = "auto",
        engine: str = "torch",
        device: str = "auto",
        callbacks: list[Any] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.classes = classes
        self.frontend = frontend
        self.input_norm = input_norm
        self.head = head
        self.weights = weights
        self.loss = loss
        self.loss_params = loss_params
        self.aux_weight = aux_weight
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.optimizer = optimizer
        self.optimizer_params = optimizer_params
        self.lr = lr
        self.backbone_lr = backbone_lr
        self.layer_decay = layer_decay
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.warmup = warmup
        self.min_lr = min_lr
        self.clip_grad = clip_grad
        self.awp = awp
        self.ema = ema
        self.vote_weight = vote_weight
        self.sampling = sampling
        self.target = target
        self.augment = augment
        self.stages = stages
        self.grad_checkpointing = grad_checkpointing
        self.compile = compile
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_min_votes = validation_min_votes
        self.patience = patience
        self.evaluations_per_epoch = evaluations_per_epoch
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.resume = resume
        self.distributed = distributed
        self.amp = amp
        self.engine = engine
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose
