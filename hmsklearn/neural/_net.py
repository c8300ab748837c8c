"""The skorch net that the neural estimators hold: votes, weights, mixed precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from skorch.callbacks import EpochTimer, PassthroughScoring
from torch import nn

from hmsklearn.neural._data import BatchIterator, WindowDataset, to_float32
from hmsklearn.neural._losses import VoteKLLoss
from hmsklearn.neural._module import NormalizedNet
from hmsklearn.neural._persistence import PackedNet
from hmsklearn.neural._steps import BatchSteps

__all__ = ["VoteNet"]


def softmax(logits: torch.Tensor) -> torch.Tensor:
    """Probabilities of logits, in float64 so that rows sum to one.

    Parameters
    ----------
    logits : Tensor of shape (n_windows, n_classes)
        Output of a net.

    Returns
    -------
    Tensor of shape (n_windows, n_classes), float64
        Probabilities.

    Examples
    --------
    >>> softmax(torch.zeros(1, 2)).tolist()
    [[0.5, 0.5]]
    """
    return torch.softmax(logits.double(), dim=1)


class VoteNet(PackedNet, BatchSteps):
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
    input_norm : {"global", "window"} or None
        Normalisation in front of it.
    caller : str
        Name of the estimator, for messages.
    channels_last : bool, default=False
        Whether images are laid out channels last, which convolutions on 2-D data
        run faster on.
    amp_dtype : torch.dtype, optional
        Type of the mixed-precision training.
    weight_decay : float, default=0.0
        Weight decay of the matrices and kernels; biases and norms have none.
    **kwargs : dict
        Further parameters of :class:`skorch.NeuralNet`.

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
        input_norm: str | None,
        *,
        caller: str,
        channels_last: bool = False,
        amp_dtype: torch.dtype | None = None,
        weight_decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self.factory = factory
        self.factory_params = factory_params
        self.input_norm = input_norm
        self.caller = caller
        self.channels_last = channels_last
        self.amp_dtype = amp_dtype
        self.weight_decay = weight_decay
        settings = {
            "optimizer": torch.optim.AdamW,
            "dataset": WindowDataset,
            "iterator_train": BatchIterator,
            "iterator_valid": BatchIterator,
            "iterator_train__shuffle": True,
            "train_split": None,
            "predict_nonlinearity": softmax,
            "verbose": 0,
        }
        super().__init__(NormalizedNet, VoteKLLoss, **{**settings, **kwargs})

    # -- building ---------------------------------------------------------------

    def initialize_module(self) -> VoteNet:
        """Build the module.

        Returns
        -------
        self : VoteNet
            The net.
        """
        module = NormalizedNet(self.factory, self.factory_params, self.input_norm)
        if self.channels_last:
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.module_ = module
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
        parameters = [p for p in self.module_.parameters() if p.requires_grad]
        self.optimizer_ = self.optimizer(
            [
                {
                    "params": [p for p in parameters if p.ndim > 1],
                    "weight_decay": self.weight_decay,
                },
                {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=self.lr,
        )
        self.scaler_: Any = torch.amp.GradScaler(
            "cuda", enabled=self.amp_dtype == torch.float16
        )
        return self

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

    # -- training ---------------------------------------------------------------

    def fit_datasets(
        self, train: WindowDataset, valid: WindowDataset | None = None
    ) -> VoteNet:
        """Train, then let go of everything that prediction does not need.

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
        self.valid_dataset_ = valid
        self.n_steps_ = self.max_epochs * len(self.get_iterator(train, training=True))
        self.interrupted_ = self.stopped_by_callback_ = False
        try:
            self.partial_fit(train)
        finally:
            self.valid_dataset_ = None
            self.optimizer_ = self.scaler_ = self.criterion_ = None
            self.callbacks = None
            self.callbacks_: list[Any] = []
            self._trimmed_for_prediction = True
            self.module_.eval()
            self.module_.zero_grad(set_to_none=True)
        return self

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

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call the callbacks; remember if one of them ends the training.

        Parameters
        ----------
        method_name : str
            Name of the event.
        **cb_kwargs : dict
            Arguments of the callbacks.
        """
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt:
            self.stopped_by_callback_ = True
            raise

    def fit_loop(self, *args: Any, **kwargs: Any) -> VoteNet:
        """Run the epochs; tell a user's Ctrl-C from a callback's stop.

        Parameters
        ----------
        *args, **kwargs
            As in skorch.

        Returns
        -------
        self : VoteNet
            The net.
        """
        try:
            return super().fit_loop(*args, **kwargs)
        except KeyboardInterrupt:
            # skorch ends the training quietly for both.
            self.interrupted_ = not self.stopped_by_callback_
            raise

    def run_single_epoch(
        self,
        iterator: BatchIterator | None,
        training: bool,
        prefix: str,
        step_fn: Callable[..., dict[str, torch.Tensor]],
        **fit_params: Any,
    ) -> None:
        """Run all batches of one epoch.

        Parameters
        ----------
        iterator : BatchIterator or None
            The batches; nothing happens without.
        training : bool
            Whether these are training steps.
        prefix : {"train", "valid"}
            Start of the history's keys.
        step_fn : callable
            What to do with a batch.
        **fit_params : dict
            Ignored.

        Raises
        ------
        ValueError
            If a loss is NaN or infinite.
        """
        if iterator is None:
            return
        losses: list[Any] = []
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            loss: Any = step["loss"].detach()
            if loss.device.type == "cpu":
                loss = self._check_loss(loss.item(), len(losses), prefix)
            losses.append(loss)
            self.history.record_batch(f"{prefix}_loss", loss)
            self.history.record_batch(f"{prefix}_batch_size", len(batch[1]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
        if losses and isinstance(losses[0], torch.Tensor):
            # Fetching every loss would make the GPU wait after every step.
            rows = self.history[-1]["batches"][-len(losses) :]
            values = torch.stack(losses).tolist()
            for i, (row, value) in enumerate(zip(rows, values, strict=True)):
                row[f"{prefix}_loss"] = self._check_loss(value, i, prefix)
        self.history.record(f"{prefix}_batch_count", len(losses))

    def _check_loss(self, loss: float, batch: int, prefix: str) -> float:
        if math.isfinite(loss):
            return loss
        where = "validation" if prefix == "valid" else "training"
        raise ValueError(
            f"{self.caller}: the {where} loss became {loss} in epoch "
            f"{len(self.history)}, batch {batch + 1}. Training has diverged: lower lr "
            f"(now {self.lr:g}), add warmup, check the scale of X (input_norm="
            f"{self.input_norm!r})"
            + (", or use amp='bf16'." if self.amp_dtype == torch.float16 else ".")
        )

    # -- prediction -------------------------------------------------------------

    def predict_logits(self, X: np.ndarray, batch_size: int) -> np.ndarray:
        """Logits of windows, batch by batch, without a DataLoader.

        Parameters
        ----------
        X : ndarray of shape (n_windows, ...)
            Windows of any number type.
        batch_size : int
            Number of windows at a time.

        Returns
        -------
        ndarray of shape (n_windows, n_classes), float32
            Logits.
        """
        self.module_.eval()
        parts = []
        with torch.inference_mode():
            for start in range(0, len(X), batch_size):
                windows = to_float32(X[start : start + batch_size])
                parts.append(self.infer(windows))
            return torch.cat(parts).float().cpu().numpy()
