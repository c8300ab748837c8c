"""Parameters of a training that do not go together."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from skorch.callbacks import LRScheduler

from hmsklearn.augmentation import Mixup, OneOf, RandomNaNBlocks
from hmsklearn.neural._losses import DirichletMultinomialLoss, VoteKLLoss

__all__ = ["check_averages", "check_missing", "check_rates", "check_targets"]


def check_averages(settings: dict[str, Any], validates: bool, caller: str) -> None:
    """Refuse to validate averages more often than they change.

    Parameters
    ----------
    settings : dict
        Parameters of the stage.
    validates : bool
        Whether there are windows to validate on.
    caller : str
        Name that starts the message.

    Raises
    ------
    ValueError
        If averages of epochs are validated within an epoch.
    """
    ema, n = settings["ema"], settings["evaluations_per_epoch"]
    by_epoch = isinstance(ema, Mapping) and ema.get("per") == "epoch"
    if by_epoch and n > 1 and validates:
        raise ValueError(
            f"{caller}: evaluations_per_epoch={n} would validate the same averaged "
            f"weights {n} times, since ema={dict(ema)!r} changes them once an epoch. "
            "Average by step, ema=0.995 for instance, or set evaluations_per_epoch=1."
        )


def check_missing(estimator: Any, augment: list[Any], caller: str) -> None:
    """Refuse to mark samples as missing where nothing fills them.

    Parameters
    ----------
    estimator : BaseNeuralClassifier
        The estimator, for what stands in front of its net.
    augment : list of augmentations
        Those of the stage.
    caller : str
        Name that starts the message.

    Raises
    ------
    ValueError
        If the net would get NaN.
    """
    by_view = getattr(estimator, "_fills", None)
    for augmentation, views in _one_by_one(augment):
        if not isinstance(augmentation, RandomNaNBlocks):
            continue
        if not math.isnan(augmentation.fill):
            continue
        if by_view is None:
            filled = estimator.frontend is not None
        else:
            filled = all(by_view(view) for view in views or [None])
        if not filled:
            raise ValueError(
                f"{caller}: augment holds RandomNaNBlocks, which puts NaN into the "
                "windows, and there is no frontend to fill it: the loss would be NaN. "
                "Give a frontend that does, NaNImputer() for instance, or "
                "RandomNaNBlocks(fill=0.0)."
            )


def check_targets(augment: list[Any], loss: Any, name: Any, caller: str) -> None:
    """Refuse targets that do not sum to one for a loss that compares with softmax.

    Parameters
    ----------
    augment : list of augmentations
        Those of the stage.
    loss : torch.nn.Module
        Its loss.
    name : object
        The parameter that describes the loss.
    caller : str
        Name that starts the message.

    Raises
    ------
    ValueError
        If they do not go together.
    """
    if not isinstance(loss, (VoteKLLoss, DirichletMultinomialLoss)):
        return
    for augmentation, _ in _one_by_one(augment):
        if isinstance(augmentation, Mixup) and augmentation.mode != "linear":
            raise ValueError(
                f"{caller}: augment holds Mixup(mode={augmentation.mode!r}), whose "
                f"targets sum to more than one, and loss={name!r} compares them with "
                "probabilities that sum to one. Set loss='bce' or 'focal', or "
                "mode='linear'."
            )


def _one_by_one(augment: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Augmentations, also those to choose from, with the views that they change."""
    for augmentation in augment:
        if isinstance(augmentation, OneOf):
            for item in augmentation.augmentations:
                yield item, augmentation.views
        else:
            yield augmentation, getattr(augmentation, "views", None)


def check_rates(callbacks: Any, settings: dict[str, Any], caller: str) -> None:
    """Warn of a callback whose rates are overwritten before every step.

    Parameters
    ----------
    callbacks : list or None
        The user's callbacks.
    settings : dict
        Parameters of the stage.
    caller : str
        Name that starts the message.

    Warns
    -----
    UserWarning
        If there is one, and the schedule is not constant.
    """
    schedule, warmup = settings["schedule"], settings["warmup"]
    constant = isinstance(schedule, str) and schedule == "constant"
    if constant and not warmup > 0:
        return
    for item in callbacks or ():
        callback = item[1] if isinstance(item, tuple) else item
        kind = callback if isinstance(callback, type) else type(callback)
        if issubclass(kind, LRScheduler):
            warmed = f" and warmup={warmup!r}" if warmup else ""
            warnings.warn(
                f"{caller}: the rates of the callback {kind.__name__} have no effect, "
                f"since schedule={schedule!r}{warmed} set the rate of every step. "
                "Set schedule='constant' and warmup=0.0, or leave the callback out.",
                UserWarning,
                stacklevel=4,
            )
