"""From windows to a trained net: checks, warm starts, stages, checkpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from hmsklearn.neural._build import build_net, net_shape
from hmsklearn.neural._checkpoint import Checkpoint
from hmsklearn.neural._course import Course, StageRun
from hmsklearn.neural._data import check_batchable
from hmsklearn.neural._device import naming_memory
from hmsklearn.neural._distributed import find_workers
from hmsklearn.neural._fingerprint import fingerprint
from hmsklearn.neural._history import histories
from hmsklearn.neural._net import VoteNet
from hmsklearn.neural._net_steps import NetSteps
from hmsklearn.neural._one_process import OneProcess
from hmsklearn.neural._persistence import pack_weights
from hmsklearn.neural._plan import find_jitter, trained_rows
from hmsklearn.neural._prepare import FitData, prepare_fit

__all__ = ["FitSteps"]

# Parameters that change how the result is come by, and not the result.
_NOT_OF_THE_RESULT = (
    "callbacks",
    "checkpoint",
    "checkpoint_every",
    "compile",
    "device",
    "engine",
    "resume",
    "verbose",
)


# Filled in front of the classifier, the ends of the record could not be told.
_JITTER_REMEDY = (
    "With WindowJitter give frontend=NaNImputer(), or a pipeline that begins with it, "
    "so that windows are filled behind the cut."
)


class FitSteps(NetSteps):
    """The steps of ``fit`` that see the data.

    Examples
    --------
    >>> FitSteps(stages=[{"early_stopping": True}])._validates()
    True
    """

    evaluations_: pd.DataFrame
    history_: pd.DataFrame
    n_iter_: int

    def _check_X(
        self, X: Any, *, caller: str | None = None, fitted: bool = False
    ) -> Any:
        """Check windows, against those of ``fit`` if it has been."""
        caller = caller or type(self).__name__
        given = self.frontend is not None
        X = check_batchable(
            X,
            caller=caller,
            ndim=(3, 4, 5) if given else self._ndim,
            n_channels=self.n_features_in_ if fitted else None,
            allow_nan=given,
            nan_remedy=None if given or find_jitter(self) is None else _JITTER_REMEDY,
        )
        if fitted and X.shape[1:] != self.input_shape_:
            raise ValueError(
                f"{caller}: windows of X have shape {X.shape[1:]}, but {caller} was "
                f"fitted on windows of shape {self.input_shape_}. Give them the same "
                "length and preprocessing."
            )
        return X

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        groups: Any,
        X_val: Any,
        y_val: Any,
        eeg_id: Any,
        random_state: np.random.RandomState,
        *,
        validate: bool = True,
        labels: np.ndarray | None = None,
    ) -> FitData:
        fraction = self.validation_fraction if self._validates() and validate else None
        data = prepare_fit(
            X,
            y,
            sample_weight,
            groups,
            X_val,
            y_val,
            eeg_id,
            classes=self.classes if labels is None else labels.tolist(),
            check_X=self._check_X,
            validation_fraction=fraction,
            validation_min_votes=self.validation_min_votes,
            random_state=random_state,
            caller=type(self).__name__,
        )
        if validate:
            data.given = {
                "y": y,
                "sample_weight": sample_weight,
                "groups": groups,
                "X_val": X_val,
                "y_val": y_val,
                "random_state": random_state,
            }
        return data

    def _validates(self) -> bool:
        """Whether any stage stops early."""
        return self.early_stopping or any(
            stage.get("early_stopping", False) for stage in self.stages or ()
        )

    def _naming_memory(self, device: str, net: VoteNet | None = None) -> Any:
        def batch_size() -> int:
            # A stage may have one of its own.
            return self.batch_size if net is None else net.batch_size

        return naming_memory(type(self).__name__, batch_size, device)

    def _workers(self) -> OneProcess:
        return find_workers(
            self.distributed,
            self.device,
            self.random_state,
            caller=type(self).__name__,
        )

    def _weights_before(self, data: FitData) -> dict[str, torch.Tensor] | None:
        """Weights that a warm start goes on from."""
        if not (self.warm_start and hasattr(self, "net_")):
            return None
        same = np.array_equal(data.classes, self.classes_)
        if not same or _shape_of(data.X) != self.input_shape_:
            raise ValueError(
                f"{type(self).__name__}: warm_start=True goes on from a fit to windows "
                f"of shape {self.input_shape_} and classes {self.classes_.tolist()}, "
                f"but got {_shape_of(data.X)} and {data.classes.tolist()}. Give the "
                "same ones, or set warm_start=False."
            )
        return self.net_.module_.state_dict()

    def _go_on_from(self, net: VoteNet, before: dict[str, torch.Tensor]) -> None:
        try:
            net.module_.load_state_dict(before)
        except RuntimeError as error:
            raise ValueError(
                f"{type(self).__name__}: warm_start=True goes on from the weights of "
                f"the fit before, and they do not fit {self._architecture_name()} as "
                f"it is now ({error}). Set warm_start=False, or put its parameters "
                "back."
            ) from error
        net.take_loss(self.net_)

    def _run(self, net: VoteNet, runs: list[StageRun], data: FitData) -> None:
        """Run the stages, from a checkpoint where one is asked for and there."""
        checkpoint = self._checkpoint(net, data)
        saved = None
        if checkpoint is not None and self.resume:
            # Processes on other machines need not see the folder.
            saved = checkpoint.load() if net.workers_.is_main else None
            saved = net.workers_.from_main(saved)
        course = Course(
            net,
            runs,
            checkpoint=checkpoint,
            every=self.checkpoint_every,
            rebuild=lambda: self._fresh_state(net, data, trained_rows(runs)),
        )
        try:
            course.run(saved)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise ValueError(
                f"{type(self).__name__}: {self._architecture_name()} shrinks windows "
                f"of shape {net_shape(net, data)} to one point, and batch "
                "normalisation cannot train on a batch of one (batch_size="
                f"{self.batch_size}). Raise batch_size or give larger windows."
            ) from error

    def _fresh_state(
        self, net: VoteNet, data: FitData, rows: np.ndarray
    ) -> dict[str, torch.Tensor]:
        """Weights of a net that has not seen the data, for stages that start anew."""
        trained = net.module_
        try:
            build_net(self, net, data, rows, again=True)
            return net.module_.state_dict()
        finally:
            net.module_ = trained

    def _checkpoint(self, net: VoteNet, data: FitData) -> Checkpoint | None:
        if self.checkpoint is None:
            return None
        # Those of an estimator or a file, or of the fit before.
        start = [net.module_.body, *([] if net.loss_ is None else [net.loss_])]
        mark = self._mark(data, *(pack_weights(one.state_dict()).data for one in start))
        return Checkpoint(self.checkpoint, type(self).__name__, mark)

    def _mark(self, data: FitData, *more: np.ndarray) -> str:
        """Name a training by everything that its result depends on."""
        params = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in _NOT_OF_THE_RESULT
        }
        valid = data.valid
        return fingerprint(
            params,
            data.X,
            data.fractions,
            data.total_votes,
            data.sample_weight,
            data.eeg_id,
            data.rows,
            None if valid is None else valid.y,
            *more,
            X_val=None if valid is None else valid.windows,
        )

    def _take(self, net: VoteNet, data: FitData, device: str) -> None:
        self.net_ = net
        self.device_ = device
        self.classes_ = data.classes
        self.input_shape_ = _shape_of(data.X)
        self.n_features_in_ = _n_channels(data.X)
        self.history_, self.evaluations_ = histories(net)
        self.n_iter_ = len(self.history_)
        # With those that were broken off: no two passes draw the same.
        self._n_begun = len(net.history)


def _shape_of(X: Any) -> Any:
    if hasattr(X, "keys"):
        return {name: tuple(view.shape[1:]) for name, view in X.items()}
    return tuple(X.shape[1:])


def _n_channels(X: Any) -> int:
    if hasattr(X, "keys"):
        return sum(view.shape[1] for view in X.values())
    return X.shape[1]
