"""The skorch net that the neural estimators hold: votes, weights, mixed precision."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from skorch.callbacks import EpochTimer, PassthroughScoring
from torch import nn

from hmsklearn.neural._batches import BatchIterator
from hmsklearn.neural._callbacks import BestEpoch
from hmsklearn.neural._data import WindowDataset, gather
from hmsklearn.neural._ema import WeightEMA, make_ema
from hmsklearn.neural._engine import Engine, make_engine
from hmsklearn.neural._epochs import Epochs
from hmsklearn.neural._losses import VoteLoss, make_loss
from hmsklearn.neural._module import NormalizedNet
from hmsklearn.neural._one_process import OneProcess
from hmsklearn.neural._optimizers import make_optimizer
from hmsklearn.neural._persistence import PackedNet
from hmsklearn.neural._steps import BatchSteps
from hmsklearn.neural._updates import Updates, same_settings

__all__ = ["STAGE_PARAMETERS", "VoteNet"]


class VoteNet(PackedNet, Updates, Epochs, BatchSteps):
    """Train a backbone on vote fractions, one small step after the other.

    Everything is skorch's but the steps below: batches are dicts that are gathered
    without a DataLoader, weights stay out of ``forward``, a half-precision step scales
    its gradients, losses are fetched from a GPU once an epoch, and what is pickled is
    how to build the module and its weights.

    Parameters
    ----------
    factory : callable
        Builds the backbone, see :class:`hmsklearn.neural._module.NormalizedNet`.
    factory_params : dict
        Keyword arguments of `factory`.
    input_norm : {"global", "window"}, dict or None
        Normalisation in front of it.
    caller : str
        Name of the estimator, for messages.
    frontend : torch.nn.Module, optional
        What runs in front of the normalisation.
    head : dict, optional
        Parameters of the head that the backbone gets in the place of its own.
    jitter : WindowJitter, optional
        Cuts windows to the length that the net is built for.
    channels_last : bool, default=False
        Whether images are laid out channels last, which convolutions on 2-D data
        run faster on.
    amp_dtype : torch.dtype, optional
        Type of the mixed-precision training.
    compiled : bool, default=False
        Whether to train through ``torch.compile``.
    **kwargs : dict
        What may differ between stages, see ``set_stage``, and further parameters of
        :class:`skorch.NeuralNet`.

    Notes
    -----
    The entries ``train_loss`` and ``valid_loss`` of a batch are numbers on the CPU;
    on a GPU they are tensors until the end of the epoch.

    Examples
    --------
    >>> net = VoteNet(nn.Linear, {"in_features": 2, "out_features": 3}, None,
    ...               caller="doctest", max_epochs=1)
    >>> data = WindowDataset(np.zeros((4, 2), dtype="f4"), np.eye(3)[[0, 1, 2, 0]])
    >>> net.initialize().fit_datasets(data).history[-1]["train_batch_count"]
    1
    """

    def __init__(
        self,
        factory: Callable[..., nn.Module],
        factory_params: dict[str, Any],
        input_norm: Any,
        *,
        caller: str,
        frontend: nn.Module | None = None,
        head: dict[str, Any] | None = None,
        jitter: Any = None,
        channels_last: bool = False,
        amp_dtype: torch.dtype | None = None,
        compiled: bool = False,
        **kwargs: Any,
    ) -> None:
        self.factory = factory
        self.factory_params = factory_params
        self.input_norm = input_norm
        self.caller = caller
        self.frontend = frontend
        self.head = head
        self.jitter = jitter
        self.channels_last = channels_last
        self.amp_dtype = amp_dtype
        self.compiled = compiled
        self.reader_: VoteLoss | None = None
        self.loss_: nn.Module | None = None
        self.loss_from_: tuple[Any, Any] | None = None
        self.checkpointing_ = False
        self.ema_: WeightEMA | None = None
        self.compiled_: Any = None
        self.engine_: Engine | None = None
        settings = {
            name: kwargs.pop(name, value) for name, value in STAGE_PARAMETERS.items()
        }
        fixed = {
            "dataset": WindowDataset,
            "iterator_train": BatchIterator,
            "iterator_valid": BatchIterator,
            "iterator_train__shuffle": True,
            "train_split": None,
            "predict_nonlinearity": None,
            "verbose": 0,
        }
        super().__init__(NormalizedNet, VoteLoss, **{**fixed, **kwargs})
        self.set_stage(settings)

    def set_stage(self, settings: Mapping[str, Any]) -> VoteNet:
        """Take the parameters of a stage of the training.

        Parameters
        ----------
        settings : mapping
            ``lr``, ``max_epochs``, ``batch_size``, ``optimizer``, ``loss`` and so on,
            by their names in the estimators. Those that are not given keep their
            values.

        Returns
        -------
        self : VoteNet
            The net.
        """
        for name in STAGE_PARAMETERS:
            if name in settings:
                self.__dict__[name] = settings[name]
        return self

    # -- building ---------------------------------------------------------------

    def initialize_module(self) -> VoteNet:
        """Build the module.

        Returns
        -------
        self : VoteNet
            The net.
        """
        module = NormalizedNet(
            self.factory,
            self.factory_params,
            self.input_norm,
            frontend=self.frontend,
            head=self.head,
            jitter=self.jitter,
        )
        if self.channels_last:
            # Not module.to(memory_format=...), which refuses the kernels of films
            # that one branch of several may have.
            for kernel in module.parameters():
                if kernel.ndim == 4:
                    kernel.data = kernel.data.contiguous(
                        memory_format=torch.channels_last
                    )
        self.module_ = module
        return self

    def initialize_criterion(self) -> VoteNet:
        """Build the loss.

        Returns
        -------
        self : VoteNet
            The net.
        """
        self.criterion_ = make_loss(self.loss, self.loss_params, caller=self.caller)
        if self.loss_ is not None and same_settings(
            (self.loss, self.loss_params), self.loss_from_
        ):
            self.criterion_.load_state_dict(self.loss_.state_dict())
        # What the probabilities of the logits are is up to the loss, also when it is
        # gone: only where it is something else than the softmax need it be kept.
        own = getattr(type(self.criterion_), "probabilities", None)
        plain = own is None or own is VoteLoss.probabilities
        self._keep(reader_=None if plain else self.criterion_)
        return self

    def initialize_optimizer(self, triggered_directly: bool | None = None) -> VoteNet:
        """Build the optimizer and, for float16, the gradient scaler.

        Parameters
        ----------
        triggered_directly : bool, optional
            Ignored.

        Returns
        -------
        self : VoteNet
            The net.
        """
        self.optimizer_ = self.build_optimizer()
        self.scaler_: Any = torch.amp.GradScaler(
            "cuda", enabled=self.amp_dtype == torch.float16
        )
        return self

    def build_optimizer(self) -> torch.optim.Optimizer:
        """Build the optimizer of the settings.

        Returns
        -------
        torch.optim.Optimizer
            It, with nothing learned yet.
        """
        return make_optimizer(
            self.module_,
            self.optimizer,
            lr=self.lr,
            weight_decay=self.weight_decay,
            optimizer_params=self.optimizer_params,
            backbone_lr=self.backbone_lr,
            layer_decay=self.layer_decay,
            criterion=self.criterion_,
            caller=self.caller,
        )

    def remember_loss(self) -> None:
        """Keep what the loss has learned, on the CPU: ``loss_``, if there is any."""
        learned = self.criterion_.state_dict()
        loss, loss_from = None, None
        if learned:
            loss_from = (self.loss, copy.deepcopy(self.loss_params))
            loss = make_loss(self.loss, self.loss_params, caller=self.caller)
            # What a loss registers on its way is not learned: no optimizer has it.
            known = loss.state_dict()
            loss.load_state_dict({name: learned[name] for name in known})
            loss.requires_grad_(False)  # it may take part in predictions
            if self.reader_ is not None:
                self._keep(reader_=loss)
        self._keep(loss_=loss, loss_from_=loss_from)

    def take_loss(self, other: VoteNet) -> None:
        """Start with the loss as another net has learned it.

        Parameters
        ----------
        other : VoteNet
            The net; its loss counts if it is of the same kind and parameters.
        """
        self._keep(loss_=other.loss_, loss_from_=other.loss_from_)

    def forget_loss(self) -> None:
        """Let the next training start with the loss as its parameters make it."""
        self._keep(loss_=None, loss_from_=None)

    def _keep(self, **modules: Any) -> None:
        # Not as attributes: skorch would take them for parts that it trains.
        self.__dict__.update(modules)

    def get_default_callbacks(self) -> list[tuple[str, Any]]:
        """Callbacks that run before the user's.

        Returns
        -------
        list of (str, skorch.callbacks.Callback)
            Epoch timer and the means of the losses over an epoch.
        """
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring("train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring("valid_loss")),
        ]

    def get_split_datasets(
        self, X: Any, y: Any = None, **fit_params: Any
    ) -> tuple[WindowDataset, WindowDataset | None]:
        """Training and validation windows, as handed to ``fit_datasets``.

        Parameters
        ----------
        X : WindowDataset
            Training windows.
        y : object, optional
            Ignored.
        **fit_params : dict
            Ignored.

        Returns
        -------
        tuple of (WindowDataset, WindowDataset or None)
            Both sets.
        """
        return X, self.valid_dataset_

    def _get_predict_nonlinearity(self) -> Callable[..., torch.Tensor]:
        return self.probabilities

    def _set_training(self, training: bool = True) -> None:
        # Asked before every batch, and a deep net takes a millisecond to walk through.
        if self.module_.training == training:
            return
        super()._set_training(training)
        for part in self.frozen_:
            part.eval()

    # -- training ---------------------------------------------------------------

    def fit_datasets(
        self, train: WindowDataset, valid: WindowDataset | None = None
    ) -> VoteNet:
        """Train in one stage, then let go of what prediction does not need.

        Parameters
        ----------
        train : WindowDataset
            What to train on.
        valid : WindowDataset, optional
            What to validate on after every epoch.

        Returns
        -------
        self : VoteNet
            The net; ``interrupted_`` tells whether the user stopped it (Ctrl-C), in
            which case it holds what was learned until then.
        """
        try:
            return self.run_stage(train, valid)
        finally:
            self.finish()

    def run_stage(
        self,
        train: WindowDataset,
        valid: WindowDataset | None = None,
        *,
        saved: Mapping[str, Any] | None = None,
    ) -> VoteNet:
        """Train with the settings as they are, with a new optimizer.

        Parameters
        ----------
        train : WindowDataset
            What to train on.
        valid : WindowDataset, optional
            What to validate on.
        saved : mapping, optional
            State of this stage after some of its epochs, see ``stage_state``.

        Returns
        -------
        self : VoteNet
            The net. Its weights are those to predict with: averaged ones, or the best
            epoch's. ``raw_state_`` holds those of the last step where they differ,
            ``averaged_state_`` the averages.
        """
        self.valid_dataset_ = valid
        self._keep(engine_=None)
        self._initialize_criterion()
        self.workers_.copy_from_main(self.module_, self.criterion_)
        self._initialize_optimizer()
        self.ema_ = make_ema(self.module_, self.ema, caller=self.caller)
        if self.compiled and self.compiled_ is None:
            self._keep(compiled_=torch.compile(self.module_))
        # What is frozen may be other parts than before.
        self.module_.eval()
        self.initialize_callbacks()
        self.count_steps(self.training_batches(train))
        self.first_epoch_ = 0
        self.interrupted_ = self.stopped_by_callback_ = False
        self.raw_state_: dict[str, torch.Tensor] | None = None
        self.averaged_state_: dict[str, torch.Tensor] | None = None
        self.notify("on_train_begin", X=train, y=None)
        if saved is not None:
            self.load_stage_state(saved)
        # skorch ends the training quietly, whether a callback or the user asks.
        with contextlib.suppress(KeyboardInterrupt):
            self.fit_loop(train)
        if self.ema_ is not None or self.best_epoch_ is not None:
            self.raw_state_ = self._copy_of_state()
        if self.ema_ is not None:
            self.ema_.copy_to(self.module_)
            self.averaged_state_ = self._copy_of_state()
        self.notify("on_train_end", X=train, y=None)
        self.remember_loss()
        return self

    @property
    def best_epoch_(self) -> Any:
        """The callback that remembers the best epoch, or None."""
        # By what it is: a user's callback may have the same name.
        found = (one for _, one in self.callbacks_ if isinstance(one, BestEpoch))
        return next(found, None)

    def finish(self) -> None:
        """Let go of everything that prediction does not need."""
        self._forget_data()
        self.workers_ = OneProcess()
        self.optimizer_ = self.criterion_ = None  # type: ignore[assignment]
        self.scaler_ = self.ema_ = None
        self.compiled_ = self.raw_state_ = self.averaged_state_ = None
        self.augment: list[Any] = []
        self.frozen_: list[nn.Module] = []
        self.callbacks = None  # type: ignore[assignment]
        self.callbacks_ = []
        self._trimmed_for_prediction = True
        self.module_.eval()
        self.module_.zero_grad(set_to_none=True)

    def _copy_of_state(self) -> dict[str, torch.Tensor]:
        return {
            name: value.detach().clone()
            for name, value in self.module_.state_dict().items()
        }

    def _forget_data(self) -> None:
        self.kept_ = ()  # a step may have been broken off
        self.valid_dataset_ = self.valid_batches_ = None
        self.sampling = self.epoch_weight = None

    def check_loss(self, loss: float, batch: int, prefix: str) -> float:
        """Return a loss, or refuse one that is not finite.

        Parameters
        ----------
        loss : float
            The loss.
        batch : int
            Number of the batch in the epoch, from 0.
        prefix : {"train", "valid"}
            Where it comes from.

        Returns
        -------
        float
            The loss.

        Raises
        ------
        ValueError
            If it is NaN or infinite.
        """
        if math.isfinite(loss):
            return loss
        epoch = len(self.history)
        where = "validation" if prefix == "valid" else "training"
        step = f" (step {self.step_offset_ + batch + 1})" if prefix == "train" else ""
        raise ValueError(
            f"{self.caller}: the {where} loss became {loss} in epoch {epoch}, batch "
            f"{batch + 1}{step}. Training has diverged: lower lr (now {self.lr:g}), "
            f"add warmup or clip_grad, check the scale of X (input_norm="
            f"{self.input_norm!r})"
            + (", or use amp='bf16'." if self.amp_dtype == torch.float16 else ".")
            + (
                ""
                if self.frontend is None
                else " NaN that the frontend leaves in the windows, from X or from an "
                "augmentation, does the same: let a step of it fill them."
            )
        )

    # -- prediction -------------------------------------------------------------

    def predict_logits(
        self,
        X: Any,
        batch_size: int,
        *,
        engine: str = "torch",
        name: str = "the net",
    ) -> np.ndarray:
        """Logits of windows, batch by batch, without a DataLoader.

        Parameters
        ----------
        X : ndarray of shape (n_windows, ...), or mapping of str to ndarray
            Windows of any number type.
        batch_size : int
            Number of windows at a time.
        engine : {"torch", "onnx"}, default="torch"
            What the net runs on, see :mod:`hmsklearn.neural._engine`.
        name : str, default="the net"
            How messages call the architecture.

        Returns
        -------
        ndarray of shape (n_windows, n_classes), float32
            Logits.
        """
        self.module_.eval()
        n = len(next(iter(X.values())) if isinstance(X, Mapping) else X)
        parts = []
        with torch.inference_mode():
            for start in range(0, n, batch_size):
                rows = np.arange(start, min(start + batch_size, n))
                x = self._on_device({"x": gather(X, rows)})["x"]
                x = self._images_last(self.module_.prepare(x))
                if start == 0:
                    logits_of = make_engine(self, engine, x, name=name)
                parts.append(logits_of(x))
            return torch.cat(parts).float().cpu().numpy()


#: What may differ between the stages of a training, and its defaults.
STAGE_PARAMETERS: dict[str, Any] = {
    "max_epochs": 10,
    "batch_size": 32,
    "accumulate": 1,
    "loss": "kl",
    "loss_params": None,
    "aux_weight": 1.0,
    "optimizer": "adamw",
    "optimizer_params": None,
    "lr": 1e-3,
    "backbone_lr": None,
    "layer_decay": None,
    "weight_decay": 0.0,
    "clip_grad": None,
    "awp": None,
    "ema": None,
    "augment": (),
    "evaluations_per_epoch": 1,
    "sampling": None,
    "epoch_weight": None,
    "frozen_": (),
    "stage_number": 0,
}
