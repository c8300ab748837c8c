"""What happens around the training steps: best epoch, progress."""

from __future__ import annotations

import math
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from tqdm.auto import tqdm

__all__ = ["BestEpoch", "Progress"]


class BestEpoch(Callback):
    """Stop when the validation KL no longer falls; put the best weights back.

    Parameters
    ----------
    patience : int
        Number of epochs without improvement after which training stops.

    Attributes
    ----------
    epoch_ : int or float
        The best epoch, from 1, or the place in it where an epoch is validated several
        times; 0 before the first validation.
    kl_ : float
        Its validation KL.
    stopped_ : bool
        Whether patience is out.

    Notes
    -----
    The best weights are kept in memory, on the net's device, and let go at the end.
    They are the averaged ones where the net averages.

    Examples
    --------
    >>> BestEpoch(patience=3).patience
    3
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Forget earlier trainings.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net.
        **kwargs : dict
            Ignored.
        """
        self.epoch_: float = 0
        self.kl_ = math.inf
        self.stopped_ = False
        self.state_: dict[str, torch.Tensor] = {}

    def consider(self, net: Any, epoch: float, kl: float) -> bool:
        """Keep the weights if they are the best so far.

        Parameters
        ----------
        net : VoteNet
            The net.
        epoch : int or float
            Where the training is.
        kl : float
            Validation KL.

        Returns
        -------
        bool
            Whether they are.
        """
        if not kl < self.kl_:
            return False
        self.epoch_, self.kl_ = epoch, kl
        with net.evaluated():
            self.state_ = {
                name: value.detach().clone()
                for name, value in net.module_.state_dict().items()
            }
        return True

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Keep the weights if they are the best so far, stop if patience is out.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net.
        **kwargs : dict
            Ignored.

        Raises
        ------
        KeyboardInterrupt
            To end the training, which is how skorch's callbacks do it.
        """
        epoch, kl = net.history[-1, ("epoch", "valid_loss")]
        better = self.consider(net, epoch, kl)
        if not better and epoch - math.ceil(self.epoch_) >= self.patience:
            self.stopped_ = True
            raise KeyboardInterrupt

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Put the best weights back.

        An epoch after which another callback stopped the training was not looked at
        here; if it is the best one, the weights are already there.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net.
        **kwargs : dict
            Ignored.
        """
        row = net.history[-1] if len(net.history) else {}
        if row.get("valid_loss", math.inf) < self.kl_:
            self.epoch_, self.kl_ = row["epoch"], row["valid_loss"]
        elif self.state_:
            net.module_.load_state_dict(self.state_)
        self.state_ = {}

    def state_dict(self) -> dict[str, Any]:
        """Tell what a training that goes on needs to know.

        Returns
        -------
        dict
            Best epoch, its KL and weights, and whether patience is out.
        """
        return {
            "epoch": self.epoch_,
            "kl": self.kl_,
            "stopped": self.stopped_,
            "state": self.state_,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what an interrupted training knew.

        Parameters
        ----------
        state : dict
            What ``state_dict`` gave.
        """
        self.epoch_, self.kl_ = state["epoch"], state["kl"]
        self.stopped_ = state["stopped"]
        self.state_ = dict(state["state"])


class Progress(Callback):
    """A bar for the epochs, that names loss, KL and validation KL; one for the batches.

    The loss is weighted by `sample_weight` and `vote_weight`, the KL is not.

    Parameters
    ----------
    caller : str
        Name that starts the line.
    stage : str, default=""
        What comes after it, where there are several stages.
    batches : bool, default=False
        Whether a second bar counts the batches of the epoch.

    Examples
    --------
    >>> Progress("WaveformClassifier").caller
    'WaveformClassifier'
    """

    def __init__(self, caller: str, stage: str = "", batches: bool = False) -> None:
        self.caller = caller
        self.stage = stage
        self.batches = batches

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Open the bar.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net; its attribute ``n_steps_`` tells the number of all steps.
        **kwargs : dict
            Ignored.
        """
        self.title_ = f"{self.caller} {self.stage}".strip()
        self.bar_ = tqdm(total=net.n_steps_, desc=self.title_, unit="batch")
        self.inner_: Any = None

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Name the epoch.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net.
        **kwargs : dict
            Ignored.
        """
        self.kl_, self.n_windows_ = 0.0, 0
        epoch = net.step_offset_ // net.n_batches_ + 1
        self.bar_.n = net.step_offset_  # further on where a training is resumed
        self.bar_.set_description(f"{self.title_} epoch {epoch}/{net.max_epochs}")
        if self.batches:
            self.inner_ = tqdm(
                total=net.n_batches_, desc="  batches", unit="batch", leave=False
            )

    def on_batch_end(
        self,
        net: NeuralNet,
        batch: Any = None,
        training: bool = False,
        y_pred: Any = None,
        fractions: Any = None,
        **kwargs: Any,
    ) -> None:
        """Move the bar and add up the KL of the training windows.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net.
        batch : tuple of (dict, Tensor)
            Inputs and vote fractions.
        training : bool, default=False
            Whether the step was a training step.
        y_pred : Tensor of shape (n_windows, n_classes)
            Logits.
        fractions : Tensor of shape (n_windows, n_classes)
            What was learned: the votes, after augmentation.
        **kwargs : dict
            Ignored.
        """
        if not training:
            return
        # A tensor until the epoch's end: a GPU need not wait for every batch.
        self.kl_ += net.kl_of(y_pred.detach(), fractions) * len(fractions)
        self.n_windows_ += len(fractions)
        self.bar_.update()
        if self.inner_ is not None:
            self.inner_.update()

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Show what the epoch came to.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net.
        **kwargs : dict
            Ignored.
        """
        row = net.history[-1]
        text = f"train loss {row['train_loss']:.4f}"
        text += f", train KL {float(self.kl_) / max(self.n_windows_, 1):.4f}"
        if "valid_loss" in row:
            text += f", validation KL {row['valid_loss']:.4f}"
        self.bar_.set_postfix_str(text)
        self._close_inner()

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Close the bar.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net.
        **kwargs : dict
            Ignored.
        """
        self._close_inner()
        self.bar_.close()

    def _close_inner(self) -> None:
        if self.inner_ is not None:
            self.inner_.close()
            self.inner_ = None
