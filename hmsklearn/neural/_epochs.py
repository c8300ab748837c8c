"""What happens in an epoch: batches, evaluations, who may end it; and its state."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from skorch import NeuralNet

from hmsklearn.neural._batches import BatchIterator
from hmsklearn.neural._callback_state import callback_state, restore_callback
from hmsklearn.neural._ctrl_c import CtrlC
from hmsklearn.neural._data import WindowDataset
from hmsklearn.neural._device import random_state, set_random_state
from hmsklearn.neural._one_process import OneProcess

__all__ = ["Epochs"]


class Epochs(NeuralNet):
    """The part of :class:`hmsklearn.neural._net.VoteNet` that runs the epochs.

    Notes
    -----
    A stage of the training is ``max_epochs`` epochs. What it needs to go on after any
    of them is its ``stage_state``.

    Examples
    --------
    >>> issubclass(Epochs, NeuralNet)
    True
    """

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
            # The user may have pressed Ctrl-C while a callback was at work.
            self.stopped_by_callback_ = not self.ctrl_c_.pressed
            raise

    def fit_loop(self, X: Any, y: Any = None, epochs: Any = None, **kwargs: Any) -> Any:
        """Run the epochs; tell a user's Ctrl-C from a callback's stop.

        Parameters
        ----------
        X : WindowDataset
            Training windows.
        y : object, optional
            Ignored.
        epochs : int, optional
            Ignored: ``max_epochs`` and ``first_epoch_`` count.
        **kwargs : dict
            Ignored.

        Returns
        -------
        self : VoteNet
            The net.
        """
        self.check_training_readiness()
        with CtrlC() as self.ctrl_c_:
            try:
                self._run_epochs(X, self.valid_dataset_)
            except KeyboardInterrupt:
                self.interrupted_ = not self.stopped_by_callback_
                raise
        return self

    def _run_epochs(self, train: WindowDataset, valid: WindowDataset | None) -> None:
        both = {"dataset_train": train, "dataset_valid": valid}
        batches = self.training_batches(train)
        self.valid_batches_ = None
        if valid is not None:
            self.valid_batches_ = self.get_iterator(valid, training=False)
            self.valid_batches_.workers = self.workers_
        self.count_steps(batches)
        for epoch in range(self.first_epoch_, self.max_epochs):
            self.step_offset_ = epoch * self.n_batches_
            if self.epoch_weight is not None:
                train.set_weight(self.epoch_weight(epoch))
            self.notify("on_epoch_begin", **both)
            self.history.record("stage", self.stage_number)
            self.run_single_epoch(
                batches, training=True, prefix="train", step_fn=self.train_step
            )
            if self.ema_ is not None and self.ema_.per == "epoch":
                self.ema_.update(self.module_)
            with self.evaluated():
                self.run_single_epoch(
                    self.valid_batches_,
                    training=False,
                    prefix="valid",
                    step_fn=self.validation_step,
                )
            self._end_epoch(both, epoch + 1)

    def training_batches(self, train: WindowDataset) -> BatchIterator:
        """Return what cuts the training windows into batches.

        Parameters
        ----------
        train : WindowDataset
            What to train on.

        Returns
        -------
        BatchIterator
            The batches of an epoch, of the windows that ``sampling`` draws.
        """
        batches = self.get_iterator(train, training=True)
        batches.sampling = self.sampling
        batches.workers = self.workers_
        return batches

    def count_steps(self, batches: BatchIterator) -> None:
        """Note how many batches a stage has, and how many windows each of an epoch.

        Parameters
        ----------
        batches : BatchIterator
            The batches.
        """
        self.batch_sizes_ = batches.sizes
        self.n_batches_ = len(batches)
        self.n_steps_ = self.max_epochs * self.n_batches_

    def _end_epoch(self, both: dict[str, Any], epoch: int) -> None:
        stop = False
        try:
            self.notify("on_epoch_end", **both)
        except KeyboardInterrupt:
            stop = True
        # A callback may have judged by what its process has seen.
        stop = self.workers_.any(stop)
        if stop and self.workers_.any(self.ctrl_c_.pressed):
            # Not every callback has seen this epoch: it is not one to go on from.
            self.stopped_by_callback_ = False
            raise KeyboardInterrupt
        # Another callback's stop is not the end: without it, training would go on.
        over = epoch == self.max_epochs or (stop and self._is_out_of_patience())
        if self.after_epoch is not None and (over or not stop):
            self.after_epoch(self, epoch, over)
        if stop:
            self.stopped_by_callback_ = True
            raise KeyboardInterrupt

    def _is_out_of_patience(self) -> bool:
        return self.best_epoch_ is not None and self.best_epoch_.stopped_

    #: The processes that train together.
    workers_ = OneProcess()
    #: Whether the user wants to end the training.
    ctrl_c_ = CtrlC()
    #: Number of steps of the stage before this epoch.
    step_offset_ = 0
    #: Called with the net, the number of epochs that the stage has behind it, and
    #: whether they were its last.
    after_epoch: Callable[[Any, int, bool], None] | None = None

    def evaluated(self) -> Any:
        """Return a context in which the module has the weights that will predict.

        Returns
        -------
        context manager
            Averaged weights where there are any.
        """
        if self.ema_ is None:
            return contextlib.nullcontext()
        return self.ema_.swapped(self.module_)

    def run_single_epoch(
        self,
        iterator: Any,
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
        stops = self._evaluate_after(len(iterator)) if training else set()
        self.batch_in_epoch_ = 0
        parts = zip(iterator, iterator.sizes, iterator.weights, strict=True)
        for batch, size, self.part_ in parts:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            loss: Any = self.workers_.mean(step["loss"].detach(), self.part_)
            if loss.device.type == "cpu":
                loss = self.check_loss(loss.item(), len(losses), prefix)
            losses.append(loss)
            self.history.record_batch(f"{prefix}_loss", loss)
            self.history.record_batch(f"{prefix}_batch_size", size)
            self.notify("on_batch_end", batch=batch, training=training, **step)
            if len(losses) in stops:
                self._evaluate_within(len(losses) / len(iterator))
        if losses and isinstance(losses[0], torch.Tensor):
            # Fetching every loss would make the GPU wait after every step.
            rows = self.history[-1]["batches"][-len(losses) :]
            values = torch.stack(losses).tolist()
            for i, (row, value) in enumerate(zip(rows, values, strict=True)):
                row[f"{prefix}_loss"] = self.check_loss(value, i, prefix)
        self.history.record(f"{prefix}_batch_count", len(losses))

    # -- evaluations within an epoch --------------------------------------------

    def _evaluate_after(self, n_batches: int) -> set[int]:
        """Numbers of batches after which to validate; the epoch's end is not one."""
        if self.evaluations_per_epoch == 1 or self.valid_batches_ is None:
            return set()
        n = self.evaluations_per_epoch
        return {round(i * n_batches / n) for i in range(1, n)} - {0, n_batches}

    def _evaluate_within(self, share: float) -> None:
        with self.evaluated(), torch.no_grad():
            self._set_training(False)
            total, n = 0.0, 0
            batches: Any = self.valid_batches_
            for batch, size, part in zip(
                batches, batches.sizes, batches.weights, strict=True
            ):
                inputs, fractions = batch
                kl = self.get_loss(self.infer(inputs), fractions)
                total, n = total + self.workers_.mean(kl, part) * size, n + size
            kl = self.check_loss(float(total) / n, 0, "valid")
        done = len(self.history) - 1 + share
        seen = self.history[-1].setdefault("evaluations", [])
        seen.append((done, kl))
        if self.best_epoch_ is not None:
            self.best_epoch_.consider(self, done, kl)

    # -- the state of a stage ---------------------------------------------------

    def stage_state(self, epoch: int) -> dict[str, Any]:
        """Everything that the rest of a stage depends on.

        Parameters
        ----------
        epoch : int
            Number of epochs that the stage has behind it.

        Returns
        -------
        dict
            Weights, optimizer, averages, rates, random state.
        """
        return {
            "epoch": epoch,
            "module": self.module_.state_dict(),
            "criterion": self.criterion_.state_dict(),
            "optimizer": self.optimizer_.state_dict(),
            "scaler": self.scaler_.state_dict(),
            "ema": None if self.ema_ is None else self.ema_.state_dict(),
            "callbacks": {
                name: callback_state(callback) for name, callback in self.callbacks_
            },
            "rng": self.workers_.gather(random_state(self.device)),
            "history": list(self.history),
        }

    def load_stage_state(self, state: Mapping[str, Any]) -> None:
        """Go back to where a stage was.

        Parameters
        ----------
        state : mapping
            What ``stage_state`` gave.

        Warns
        -----
        UserWarning
            If a callback starts anew with what could not be written.
        """
        self.first_epoch_ = state["epoch"]
        self.module_.load_state_dict(state["module"])
        self.criterion_.load_state_dict(state["criterion"])
        self.optimizer_.load_state_dict(state["optimizer"])
        self.scaler_.load_state_dict(state["scaler"])
        if self.ema_ is not None:
            self.ema_.load_state_dict(state["ema"])
        for name, callback in self.callbacks_:
            if name in state["callbacks"]:
                self._restore(name, callback, state["callbacks"][name])
        if self._is_out_of_patience():
            self.first_epoch_ = self.max_epochs
        self.history.clear()
        self.history.extend(state["history"])
        rank, states = self.workers_.rank, state["rng"]
        set_random_state(states[rank % len(states)], self.device)
        if rank >= len(states):
            # More processes than before: the new ones start streams of their own.
            seed = int(torch.randint(2**62, ()))
            self.workers_.draw_apart(seed, self.device)

    def _restore(self, name: str, callback: Any, saved: Mapping[str, Any]) -> None:
        lost = restore_callback(callback, saved, self.device)
        if lost:
            warnings.warn(
                f"{self.caller}: the callback {name!r} starts anew with "
                f"{', '.join(lost)}, which the checkpoint does not hold, and may end "
                "otherwise than in one go. Give it what can be pickled, or the methods "
                "state_dict and load_state_dict.",
                UserWarning,
                stacklevel=8,
            )
