"""The course of a training: stage after stage, with what each leaves to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from hmsklearn.neural._callbacks import BestEpoch
from hmsklearn.neural._checkpoint import Checkpoint
from hmsklearn.neural._data import WindowDataset
from hmsklearn.neural._freezing import freeze_parameters
from hmsklearn.neural._net import VoteNet
from hmsklearn.neural._populations import Populations

__all__ = ["Course", "StageRun"]


@dataclass
class StageRun:
    """One stage, ready to run.

    Attributes
    ----------
    number : int
        Its number, from 1.
    settings : mapping
        What :meth:`hmsklearn.neural._net.VoteNet.set_stage` takes.
    train : WindowDataset
        What to train on.
    valid : WindowDataset or None
        What to validate on.
    callbacks : list
        Callbacks of this stage.
    start : str or None
        Which weights it starts from: None for those that the stage before would
        predict with.
    freeze : list of str
        Patterns of the parameters that do not learn.
    """

    number: int
    settings: Mapping[str, Any]
    train: WindowDataset
    valid: WindowDataset | None
    callbacks: list[Any]
    start: str | None = None
    freeze: list[str] = field(default_factory=list)

    @property
    def best(self) -> BestEpoch | None:
        """The callback that remembers the best epoch."""
        return next((one for one in self.callbacks if isinstance(one, BestEpoch)), None)


class Course:
    """Run the stages of a training, from the beginning or from a checkpoint.

    Parameters
    ----------
    net : VoteNet
        The net, built.
    runs : list of StageRun
        The stages.
    checkpoint : Checkpoint, optional
        Where the state is written to.
    every : int, default=1
        Number of epochs from one writing to the next; the last epoch of a stage is
        always written.
    rebuild : callable, optional
        Gives fresh weights, for stages that start from them.

    Examples
    --------
    >>> import numpy as np
    >>> net = VoteNet(torch.nn.Linear, {"in_features": 2, "out_features": 3}, None,
    ...               caller="doctest").initialize()
    >>> data = WindowDataset(np.zeros((4, 2), dtype="f4"), np.eye(3)[[0, 1, 2, 0]])
    >>> stages = [StageRun(n, {"max_epochs": n}, data, None, []) for n in (1, 2)]
    >>> [row["stage"] for row in Course(net, stages).run().history]
    [1, 2, 2]
    """

    def __init__(
        self,
        net: VoteNet,
        runs: list[StageRun],
        *,
        checkpoint: Checkpoint | None = None,
        every: int = 1,
        rebuild: Callable[[], Mapping[str, torch.Tensor]] | None = None,
    ) -> None:
        self.net = net
        self.runs = runs
        self.checkpoint = checkpoint
        self.every = every
        self.rebuild = rebuild

    def run(self, saved: Mapping[str, Any] | None = None) -> VoteNet:
        """Train.

        Parameters
        ----------
        saved : mapping, optional
            Where to go on, as the checkpoint has it.

        Returns
        -------
        VoteNet
            The net, with nothing left of the training.
        """
        self.populations = Populations(
            self.net.module_, self.runs, caller=self.net.caller
        )
        # Callbacks freeze too, and what was built frozen stays so in what follows.
        learns = [(p, p.requires_grad) for p in self.net.module_.parameters()]
        try:
            for run in self.runs:
                if saved is not None and run.number < saved["stage"]:
                    continue
                here = saved is not None and run.number == saved["stage"]
                self._run_stage(run, saved["state"] if here and saved else None)
                if self.net.interrupted_:
                    break
        finally:
            self.net.finish()
            self.populations.finish()
            for parameter, learned in learns:
                parameter.requires_grad_(learned)
        return self.net

    def _run_stage(self, run: StageRun, saved: Mapping[str, Any] | None) -> None:
        net = self.net
        if saved is None and run.number > 1:
            self._start_from(run.start)
        self.populations.start_stage(self.runs.index(run), fresh=saved is None)
        net.set_stage({**run.settings, "stage_number": run.number})
        net.callbacks = run.callbacks
        net.after_epoch = self._writer(run) if self.checkpoint is not None else None
        undo = None
        if run.freeze:
            undo, net.frozen_ = freeze_parameters(
                net.module_, run.freeze, caller=net.caller
            )
        try:
            net.run_stage(run.train, run.valid, saved=saved)
        finally:
            net.after_epoch = None
            net.frozen_ = []
            if undo is not None:
                undo()

    def _start_from(self, start: str | None) -> None:
        module = self.net.module_
        if start == "current" and self.net.raw_state_ is not None:
            module.load_state_dict(self.net.raw_state_)
        elif start == "ema" and self.net.averaged_state_ is not None:
            module.load_state_dict(self.net.averaged_state_)
        elif start == "fresh" and self.rebuild is not None:
            module.load_state_dict(self.rebuild())
            self.net.forget_loss()

    def _writer(self, run: StageRun) -> Callable[[VoteNet, int, bool], None]:
        def write(net: VoteNet, epoch: int, over: bool) -> None:
            if epoch % self.every == 0 or over:
                assert self.checkpoint is not None
                state = {"stage": run.number, "state": net.stage_state(epoch)}
                if net.workers_.is_main:
                    self.checkpoint.save(state)

        return write
