"""What happens around the training steps: learning rate, best epoch, progress."""

from __future__ import annotations

import math
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from tqdm.auto import tqdm

__all__ = ["BestEpoch", "LearningRate", "Progress"]


class LearningRate(Callback):
    """Set the learning rate before every step: warm-up, then half a cosine.

    Parameters
    ----------
    schedule : {"cosine", "constant"}
        Shape after the warm-up.
    warmup : float
        Share of all steps in which the rate rises in a straight line.
    min_lr : float
        Rate that the cosine ends at, one step after the last.

    Notes
    -----
    Writes the rate of an epoch's last step to the history as ``"lr"``.

    References
    ----------
    I. Loshchilov and F. Hutter (2017), SGDR.

    Examples
    --------
    >>> rate = LearningRate("cosine", warmup=0.0, min_lr=0.0)
    >>> [round(rate.factor(step, 4), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """

    def __init__(self, schedule: str, warmup: float, min_lr: float) -> None:
        self.schedule = schedule
        self.warmup = warmup
        self.min_lr = min_lr

    def factor(self, step: int, n_steps: int) -> float:
        """Where between `min_lr` (0) and the full rate (1) a step is.

        Parameters
        ----------
        step : int
            Number of the step, from 0.
        n_steps : int
            Number of all steps.

        Returns
        -------
        float
            Between 0 and 1.
        """
        n_warmup = int(self.warmup * n_steps)
        if step < n_warmup:
            return (step + 1) / (n_warmup + 1)
        if self.schedule == "constant":
            return 1.0
        # Reaches the end one step after the last, so that no step is without effect.
        done = (step - n_warmup) / max(1, n_steps - n_warmup)
        return 0.5 * (1.0 + math.cos(math.pi * done))

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Start counting.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net.
        **kwargs : dict
            Ignored.
        """
        self.step_ = 0

    def on_batch_begin(
        self, net: NeuralNet, training: bool = False, **kwargs: Any
    ) -> None:
        """Set the rate of the coming step.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net; its attribute ``n_steps_`` tells the number of all steps.
        training : bool, default=False
            Whether a training step comes.
        **kwargs : dict
            Ignored.
        """
        if not training:
            return
        if self.schedule != "constant" or self.warmup > 0:
            factor = self.factor(self.step_, net.n_steps_)
            for group in net.optimizer_.param_groups:
                group["lr"] = self.min_lr + (net.lr - self.min_lr) * factor
        self.step_ += 1

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Write the rate to the history.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net.
        **kwargs : dict
            Ignored.
        """
        net.history.record("lr", float(net.optimizer_.param_groups[0]["lr"]))


class BestEpoch(Callback):
    """Stop when the validation KL no longer falls; put the best weights back.

    Parameters
    ----------
    patience : int
        Number of epochs without improvement after which training stops.

    Attributes
    ----------
    epoch_ : int
        The best epoch, from 1; 0 before the first validation.
    kl_ : float
        Its validation KL.

    Notes
    -----
    The best weights are kept in memory, on the net's device, and let go at the end.

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
        self.epoch_ = 0
        self.kl_ = math.inf
        self.state_: dict[str, torch.Tensor] = {}

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
        if kl < self.kl_:
            self.epoch_, self.kl_ = epoch, kl
            self.state_ = {
                name: value.detach().clone()
                for name, value in net.module_.state_dict().items()
            }
        elif epoch - self.epoch_ >= self.patience:
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


class Progress(Callback):
    """One bar for the whole training that names loss, KL and validation KL.

    The loss is weighted by `sample_weight` and `vote_weight`, the KL is not.

    Parameters
    ----------
    caller : str
        Name that starts the line.

    Examples
    --------
    >>> Progress("WaveformClassifier").caller
    'WaveformClassifier'
    """

    def __init__(self, caller: str) -> None:
        self.caller = caller

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Open the bar.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net; its attribute ``n_steps_`` tells the number of all steps.
        **kwargs : dict
            Ignored.
        """
        self.bar_ = tqdm(total=net.n_steps_, desc=self.caller, unit="batch")

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
        epoch = len(net.history)
        self.bar_.set_description(f"{self.caller} epoch {epoch}/{net.max_epochs}")

    def on_batch_end(
        self,
        net: NeuralNet,
        batch: Any = None,
        training: bool = False,
        y_pred: Any = None,
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
        **kwargs : dict
            Ignored.
        """
        if training:
            fractions = batch[1].to(y_pred.device)
            # A tensor until the epoch's end: a GPU need not wait for every batch.
            self.kl_ += net.criterion_(y_pred.detach(), fractions) * len(fractions)
            self.n_windows_ += len(fractions)
            self.bar_.update()

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

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Close the bar.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net.
        **kwargs : dict
            Ignored.
        """
        self.bar_.close()
