"""How the learning rate changes over a training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from skorch import NeuralNet
from skorch.callbacks import Callback

from hmsklearn._params import check_choice, check_integer, check_real

__all__ = [
    "SCHEDULES",
    "LearningRate",
    "check_schedule",
    "check_warmup",
    "schedule_factor",
    "schedule_rate",
]

#: Names of the shapes.
SCHEDULES = ("cosine", "constant", "linear", "one_cycle")

# torch.optim.lr_scheduler.OneCycleLR's defaults.
_CYCLE_RISE = 0.3
_CYCLE_START = 1 / 25
_CYCLE_END = _CYCLE_START / 1e4

#: A name, a function of the step and the number of all, or rates of the epochs.
Schedule = str | Callable[[int, int], float] | Sequence[float]


def check_schedule(schedule: Any, max_epochs: int, *, caller: str) -> Schedule:
    """Check the shape of the learning rate.

    Parameters
    ----------
    schedule : str, callable or sequence of float
        Name, function of the step, or the rates of the epochs.
    max_epochs : int
        Number of epochs.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    str, callable or tuple of float
        The schedule.

    Raises
    ------
    ValueError
        If the name is not known, a rate is not above zero, there is not one rate for
        every epoch, or the first step of a function is not between 0 and 1.

    Examples
    --------
    >>> check_schedule([1e-3] * 4 + [5e-4] * 2, 6, caller="doctest")
    (0.001, 0.001, 0.001, 0.001, 0.0005, 0.0005)
    """
    if callable(schedule) and not isinstance(schedule, type):
        # Fails before anything is trained; the others are seen to when they come.
        _called(schedule, 0, max_epochs, caller)
        return schedule
    if not isinstance(schedule, (list, tuple, np.ndarray)):
        return check_choice(schedule, "schedule", SCHEDULES, caller=caller)
    rates = tuple(
        check_real(rate, f"schedule[{i}]", caller=caller, low=0, low_open=True)
        for i, rate in enumerate(schedule)
    )
    if len(rates) != max_epochs:
        raise ValueError(
            f"{caller}: schedule holds {len(rates)} rates for max_epochs={max_epochs}. "
            "Give one for every epoch."
        )
    return rates


def check_warmup(warmup: Any, max_epochs: int, *, caller: str) -> float | int:
    """Check the length of the warm-up.

    Parameters
    ----------
    warmup : float or int
        Share of all steps, or a number of epochs.
    max_epochs : int
        Number of epochs.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    float or int
        The warm-up: a float is a share, an int a number of epochs.

    Raises
    ------
    ValueError
        If it is neither, or nothing is left of the training.

    Examples
    --------
    >>> check_warmup(3, 30, caller="doctest"), check_warmup(0.02, 30, caller="doctest")
    (3, 0.02)
    """
    if _counts_epochs(warmup):
        remedy = "A share of the training is a float below 1."
        return check_integer(
            warmup,
            "warmup",
            caller=caller,
            low=1,
            high=max_epochs - 1,
            remedy=f"The training has max_epochs={max_epochs}. {remedy}",
        )
    return check_real(warmup, "warmup", caller=caller, low=0, high=1, high_open=True)


def schedule_factor(
    schedule: str | Callable[[int, int], float],
    step: int,
    n_steps: int,
    warmup: float = 0.0,
    *,
    n_epochs: int | None = None,
) -> float:
    """Where between the lowest rate (0) and the highest (1) a step is.

    Parameters
    ----------
    schedule : {"cosine", "constant", "linear", "one_cycle"} or callable
        Shape after the warm-up; or a function of `step` and `n_steps`, which a warm-up
        is multiplied with.
    step : int
        Number of the step, from 0.
    n_steps : int
        Number of all steps.
    warmup : float or int, default=0.0
        A share of all steps (float below 1), or a number of epochs (int of at least
        1), in which the rate rises in a straight line. For ``"one_cycle"`` the share
        in which it rises in half a cosine; 0.0 stands for torch's 0.3.
    n_epochs : int, default=None
        Number of epochs, where `warmup` counts them.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If a function gives anything else.

    Notes
    -----
    Cosine and straight line reach 0 one step after the last, so that no step is
    without effect. ``"one_cycle"`` begins at 1 / 25 and ends at 1 / 250000 with the
    last step, as :class:`torch.optim.lr_scheduler.OneCycleLR` does. Only the rate
    follows a cycle: by default torch's class also moves the momentum, or the first
    beta, from 0.95 down to 0.85 and back, and here it stays as `optimizer_params` has
    it.

    References
    ----------
    I. Loshchilov and F. Hutter (2017), SGDR. L. Smith and N. Topin (2019),
    Super-convergence; 6th place of HMS (discussion 492619).

    Examples
    --------
    >>> [round(schedule_factor("cosine", step, 4), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    >>> [schedule_factor("linear", step, 6, 2, n_epochs=6) for step in range(6)]
    [0.3333333333333333, 0.6666666666666666, 1.0, 0.75, 0.5, 0.25]
    """
    if schedule == "one_cycle":
        return _one_cycle(step, n_steps, warmup, n_epochs)
    n_warmup = _n_warmup(n_steps, warmup, n_epochs)
    rise = (step + 1) / (n_warmup + 1) if step < n_warmup else 1.0
    if callable(schedule):
        return rise * _called(schedule, step, n_steps, "schedule")
    if step < n_warmup:
        return rise
    if schedule == "constant":
        return 1.0
    done = (step - n_warmup) / max(1, n_steps - n_warmup)
    if schedule == "linear":
        return 1.0 - done
    return 0.5 * (1.0 + math.cos(math.pi * done))


def schedule_rate(
    schedule: Schedule,
    step: int,
    n_steps: int,
    *,
    lr: float,
    min_lr: float = 0.0,
    warmup: float = 0.0,
    n_epochs: int | None = None,
) -> float:
    """Learning rate of a step.

    Parameters
    ----------
    schedule : str, callable or sequence of float
        Shape, see :func:`schedule_factor`, or the rates of the epochs, of which there
        are as many as the sequence is long.
    step : int
        Number of the step, from 0.
    n_steps : int
        Number of all steps.
    lr : float
        Highest rate; not used where the epochs have rates of their own.
    min_lr : float, default=0.0
        Rate that a shape ends at; not used either.
    warmup : float or int, default=0.0
        See :func:`schedule_factor`.
    n_epochs : int, default=None
        Number of epochs, where `warmup` counts them.

    Returns
    -------
    float
        The rate.

    References
    ----------
    Rates of epochs: public two-stage trainings of HMS (discussion 477461), with 1e-3
    for four epochs, 5e-4 for two, 1e-4 for two, 5e-5 and 1e-5.

    Examples
    --------
    >>> [schedule_rate([1e-3, 1e-4], step, 4, lr=1.0) for step in range(4)]
    [0.001, 0.001, 0.0001, 0.0001]
    """
    if isinstance(schedule, str) or callable(schedule):
        factor = schedule_factor(schedule, step, n_steps, warmup, n_epochs=n_epochs)
        return min_lr + (lr - min_lr) * factor
    epochs = len(schedule)
    rate = float(schedule[min(step * epochs // n_steps, epochs - 1)])
    return rate * schedule_factor("constant", step, n_steps, warmup, n_epochs=epochs)


class LearningRate(Callback):
    """Set the learning rate before every step.

    Parameters
    ----------
    schedule : {"cosine", "constant", "linear", "one_cycle"}, callable or sequence
        Shape after the warm-up, a function of the step, or the rates of the epochs.
    warmup : float or int
        Share of all steps, or number of epochs, in which the rate rises.
    min_lr : float
        Rate that the schedule ends at.

    Notes
    -----
    Groups of parameters with an entry ``"lr_scale"`` get the rate times that. A
    constant rate without warm-up is never touched, so that another callback may set
    it. Writes the rate of an epoch's last step to the history as ``"lr"``: that of the
    groups whose scale is one, the head's.

    Examples
    --------
    >>> rate = LearningRate("cosine", warmup=0.0, min_lr=0.0)
    >>> [round(rate.factor(step, 4), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """

    def __init__(self, schedule: Schedule, warmup: float, min_lr: float) -> None:
        self.schedule = schedule
        self.warmup = warmup
        self.min_lr = min_lr

    def factor(self, step: int, n_steps: int, n_epochs: int | None = None) -> float:
        """Where between `min_lr` (0) and the full rate (1) a step is.

        Parameters
        ----------
        step : int
            Number of the step, from 0.
        n_steps : int
            Number of all steps.
        n_epochs : int, optional
            Number of epochs, where the warm-up counts them.

        Returns
        -------
        float
            Between 0 and 1; with rates of epochs, the share of the warm-up.
        """
        own = isinstance(self.schedule, str) or callable(self.schedule)
        shape: Any = self.schedule if own else "constant"
        return schedule_factor(shape, step, n_steps, self.warmup, n_epochs=n_epochs)

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

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Count from where a training goes on.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net; its attribute ``step_offset_``, if there is one, tells the number
            of steps before this epoch.
        **kwargs : dict
            Ignored.
        """
        self.step_ = getattr(net, "step_offset_", self.step_)

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
        still = isinstance(self.schedule, str) and self.schedule == "constant"
        if not still or self.warmup > 0:
            rate = schedule_rate(
                self.schedule,
                self.step_,
                net.n_steps_,
                lr=net.lr,
                min_lr=self.min_lr,
                warmup=self.warmup,
                n_epochs=net.max_epochs,
            )
            for group in net.optimizer_.param_groups:
                group["lr"] = rate * group.get("lr_scale", 1.0)
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
        groups = net.optimizer_.param_groups
        full = [group for group in groups if group.get("lr_scale", 1.0) == 1.0]
        net.history.record("lr", float((full or groups)[0]["lr"]))


def _called(
    schedule: Callable[[int, int], float], step: int, n_steps: int, caller: str
) -> float:
    factor = schedule(step, n_steps)
    return check_real(
        float(factor) if isinstance(factor, np.generic) else factor,
        f"schedule({step}, {n_steps})",
        caller=caller,
        low=0,
        high=1,
        remedy="A function as schedule gives the share of lr that a step has.",
    )


def _counts_epochs(warmup: Any) -> bool:
    return (
        isinstance(warmup, Integral)
        and not isinstance(warmup, (bool, np.bool_))
        and warmup != 0
    )


def _n_warmup(n_steps: int, warmup: float, n_epochs: int | None) -> int:
    if _counts_epochs(warmup):
        if n_epochs is None:
            raise ValueError(
                f"schedule_factor: warmup={warmup!r} counts epochs, and their number "
                "is not given. Pass n_epochs."
            )
        return int(warmup * n_steps) // n_epochs
    return int(warmup * n_steps)


def _one_cycle(step: int, n_steps: int, warmup: float, n_epochs: int | None) -> float:
    if _counts_epochs(warmup):
        rise = float(_n_warmup(n_steps, warmup, n_epochs))
    else:
        rise = (warmup or _CYCLE_RISE) * n_steps
    top, last = rise - 1.0, n_steps - 1.0
    if last == 0:
        return 1.0
    if step <= top and top > 0:
        return _half_cosine(_CYCLE_START, 1.0, step / top)
    return _half_cosine(1.0, _CYCLE_END, (step - top) / (last - top))


def _half_cosine(start: float, end: float, done: float) -> float:
    return end + 0.5 * (start - end) * (1.0 + math.cos(math.pi * done))
