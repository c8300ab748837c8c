"""One more pass for a net that has been trained, which is what ``partial_fit`` runs."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import torch
from skorch import NeuralNet

from hmsklearn.neural._data import WindowDataset
from hmsklearn.neural._one_process import OneProcess

__all__ = ["Updates", "same_settings"]

# With another one of these the optimizer has nothing to go on from.
_BUILT_FROM = (
    "loss",
    "loss_params",
    "optimizer",
    "optimizer_params",
    "backbone_lr",
    "layer_decay",
)


class Updates(NeuralNet):
    """The part of :class:`hmsklearn.neural._net.VoteNet` that trains it further.

    Notes
    -----
    The optimizer is kept from one pass to the next. Rates and weight decay are those
    of the settings in every pass; where anything else that the loss or the optimizer
    is made of has changed, both are built anew.

    Examples
    --------
    >>> issubclass(Updates, NeuralNet)
    True
    """

    amp_dtype: torch.dtype | None
    compiled: bool
    criterion_: Any
    optimizer_: Any
    valid_dataset_: WindowDataset | None
    workers_: Any
    #: What loss and optimizer were built from.
    built_from_: dict[str, Any] | None = None

    def run_update(self, train: WindowDataset, callbacks: list[Any]) -> Updates:
        """Go through the windows once and keep the optimizer for the next time.

        Parameters
        ----------
        train : WindowDataset
            What to train on.
        callbacks : list
            Callbacks.

        Returns
        -------
        self : VoteNet
            The net; ``interrupted_`` tells whether the user stopped it (Ctrl-C), in
            which case it holds what was learned until then. After an error it has the
            weights and the history of before, and no optimizer.
        """
        self._trimmed_for_prediction = False
        self._keep(engine_=None)
        self._follow_settings()
        if not self.compiled:
            self._keep(compiled_=None)
        elif self.compiled_ is None:
            self._keep(compiled_=torch.compile(self.module_))
        self.callbacks = callbacks
        self.workers_.copy_from_main(self.module_, self.criterion_)
        self.valid_dataset_ = None
        before, n_rows = self._copy_of_state(), len(self.history)
        self.first_epoch_ = 0
        self.interrupted_ = self.stopped_by_callback_ = False
        try:
            self.initialize_callbacks()
            self.notify("on_train_begin", X=train, y=None)
            # As in a stage: a callback's stop ends the pass, and so does the user's.
            with contextlib.suppress(KeyboardInterrupt):
                self.fit_loop(train)
            self.notify("on_train_end", X=train, y=None)
            self.remember_loss()
        except Exception:
            self.module_.load_state_dict(before)
            del self.history[n_rows:]
            # Its moments may hold the NaN that the weights are spared.
            self.optimizer_ = None
            raise
        finally:
            self._forget_data()
            self.workers_ = OneProcess()
            self.callbacks = None  # type: ignore[assignment]
            self.callbacks_: list[Any] = []
            self.module_.eval()
        return self

    def train_with(
        self, amp_dtype: torch.dtype | None, *, compiled: bool, pin_memory: bool
    ) -> None:
        """Take how steps are computed; a net that was saved does not know.

        Parameters
        ----------
        amp_dtype : torch.dtype or None
            Type of the mixed precision.
        compiled : bool
            Whether to train through ``torch.compile``.
        pin_memory : bool
            Whether batches are gathered in memory that a GPU reads faster.
        """
        if amp_dtype != self.amp_dtype:
            self.amp_dtype = amp_dtype
            enabled = amp_dtype == torch.float16
            self.scaler_ = torch.amp.GradScaler("cuda", enabled=enabled)
        self.compiled = compiled
        self.iterator_train__pin_memory = self.iterator_valid__pin_memory = pin_memory

    def bring_training_along(self) -> None:
        """Move loss and optimizer to where the module is."""
        if getattr(self, "optimizer_", None) is None:
            return
        self.criterion_ = self.criterion_.to(self.device)
        # Loading a state puts it beside the parameters that it belongs to.
        self.optimizer_.load_state_dict(self.optimizer_.state_dict())

    def _follow_settings(self) -> None:
        settings = {name: getattr(self, name) for name in _BUILT_FROM}
        kept = getattr(self, "optimizer_", None)
        if kept is not None and same_settings(settings, self.built_from_):
            # Also where parameters have been frozen or let go since.
            wanted = self.build_optimizer()
            if not _retune(kept, wanted):
                self.optimizer_ = wanted
            return
        old = {
            name: getattr(self, name, None)
            for name in ("criterion_", "reader_", "scaler_")
        }
        try:
            self._initialize_criterion()
            self._initialize_optimizer()
        except Exception:
            # With the parameters put back, training goes on as if nothing had been.
            self._keep(**old)
            raise
        self._keep(
            built_from_={
                name: copy.deepcopy(value) if isinstance(value, dict) else value
                for name, value in settings.items()
            }
        )


def same_settings(one: Any, other: Any) -> bool:
    """Whether two values of parameters mean the same, as far as they can tell.

    Parameters
    ----------
    one, other : object
        Values, also in dicts and tuples.

    Returns
    -------
    bool
        Whether they are equal; arrays only if they are the same one.

    Examples
    --------
    >>> same_settings({"gamma": 2.0}, {"gamma": 2})
    True
    """
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same_settings, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            same_settings(value, other[name]) for name, value in one.items()
        )
    if one is other:
        return True
    try:
        return bool(one == other)
    except (RuntimeError, TypeError, ValueError):
        return False  # arrays and tensors with several elements


def _retune(optimizer: Any, wanted: torch.optim.Optimizer) -> bool:
    """Give an optimizer the rates of one for the same groups, if they are the same."""
    groups = {
        frozenset(map(id, group["params"])): group for group in wanted.param_groups
    }
    own = [frozenset(map(id, group["params"])) for group in optimizer.param_groups]
    if set(own) != groups.keys():
        return False
    for key, group in zip(own, optimizer.param_groups, strict=True):
        for name in ("lr", "weight_decay", "lr_scale"):
            group[name] = groups[key][name]
    return True
