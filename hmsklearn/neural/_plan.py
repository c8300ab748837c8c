"""From parameters to stages that are ready to run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from hmsklearn.augmentation import AugmentationList, WindowJitter
from hmsklearn.neural._callbacks import BestEpoch, Progress
from hmsklearn.neural._checking import check_training
from hmsklearn.neural._course import StageRun
from hmsklearn.neural._data import WindowDataset
from hmsklearn.neural._losses import make_loss
from hmsklearn.neural._net import STAGE_PARAMETERS
from hmsklearn.neural._plan_checks import (
    check_averages,
    check_missing,
    check_rates,
    check_targets,
)
from hmsklearn.neural._prepare import FitData
from hmsklearn.neural._row_weights import (
    epoch_weights,
    is_epoch_dependent,
    row_weights,
)
from hmsklearn.neural._sampling import average_targets, make_sampling
from hmsklearn.neural._schedules import LearningRate
from hmsklearn.neural._stages import parse_stages, stage_rows

__all__ = ["find_jitter", "plan_stages", "plan_update", "trained_rows"]


def plan_stages(
    estimator: Any, data: FitData, *, quiet: bool = False
) -> list[StageRun]:
    """Make the stages of a training, one if the estimator has no curriculum.

    Parameters
    ----------
    estimator : BaseNeuralClassifier
        The estimator.
    data : FitData
        Its data.
    quiet : bool, default=False
        Whether no progress is shown, whatever `verbose` says.

    Returns
    -------
    list of StageRun
        The stages.

    Raises
    ------
    ValueError
        If a stage is not usable; the message names it.

    Warns
    -----
    UserWarning
        If a batch is larger than what an epoch of a stage takes, or a callback sets
        the learning rate beside a schedule that does.
    """
    caller = type(estimator).__name__
    params = estimator.get_params(deep=False)
    stages = parse_stages(estimator.stages, params, caller=caller)
    runs = []
    for number, stage in enumerate(stages, start=1):
        who = caller
        if len(stages) > 1:
            who = (
                f"{caller}: stage {number} ({stage.name})"
                if stage.name
                else (f"{caller}: stage {number}")
            )
        check_training(stage.settings, who)
        _check_start(
            stage.start, None if number == 1 else stages[number - 2].settings, who
        )
        rows = data.rows
        if stage.chooses_rows:
            mask = stage_rows(
                stage, data.fractions[rows], data.total_votes[rows], caller=who
            )
            rows = rows[mask]
        check_averages(stage.settings, data.valid is not None, who)
        train, sampling = _train_set(stage.settings, data, rows, who)
        settings = _settings(stage.settings, data, train.rows, sampling, who)
        check_missing(estimator, settings["augment"], who)
        check_rates(estimator.callbacks, stage.settings, who)
        runs.append(
            StageRun(
                number,
                settings,
                train,
                data.valid,
                _callbacks(estimator, stage.settings, number, len(stages), data, quiet),
                start=stage.start,
                freeze=list(stage.freeze),
            )
        )
    return runs


def plan_update(estimator: Any, data: FitData) -> StageRun:
    """Make the one pass of ``partial_fit``.

    Parameters
    ----------
    estimator : BaseNeuralClassifier
        The estimator.
    data : FitData
        Its data.

    Returns
    -------
    StageRun
        One epoch at a constant rate.

    Raises
    ------
    ValueError
        If a parameter makes no sense for one pass.
    """
    caller = type(estimator).__name__
    params = estimator.get_params(deep=False)
    if params["ema"] is not None:
        raise ValueError(
            f"{caller}: partial_fit does not average weights. Set ema=None, or use fit "
            "with warm_start=True."
        )
    if (params["awp"] or {}).get("start", 0):
        raise ValueError(
            f"{caller}: partial_fit does not know how many passes there will be, and "
            f"awp={params['awp']!r} starts after some of them. Leave start out."
        )
    settings = {**params, "max_epochs": 1, "schedule": "constant", "warmup": 0.0}
    train, sampling = _train_set(settings, data, data.rows, caller)
    chosen = _settings(settings, data, train.rows, sampling, caller)
    check_missing(estimator, chosen["augment"], caller)
    return StageRun(
        1,
        chosen,
        train,
        None,
        [
            LearningRate("constant", 0.0, 0.0),
            *(estimator.callbacks or []),
        ],
    )


def find_jitter(estimator: Any) -> Any:
    """Find the augmentation that cuts windows, which prediction has to follow.

    Parameters
    ----------
    estimator : BaseNeuralClassifier
        The estimator.

    Returns
    -------
    WindowJitter or None
        The one of the estimator or of one of its stages.

    Raises
    ------
    ValueError
        If there are several that cut to different lengths.
    """
    caller = type(estimator).__name__
    lists = [estimator.augment, *(s.get("augment") for s in estimator.stages or ())]
    found = [
        augmentation
        for augment in lists
        for augmentation in _augmentations(augment, caller)
        if isinstance(augmentation, WindowJitter)
    ]
    lengths = {jitter.n_times for jitter in found}
    if len(lengths) > 1:
        raise ValueError(
            f"{caller}: augment holds WindowJitter with n_times {sorted(lengths)}, and "
            "the net takes windows of one length. Give one n_times."
        )
    return found[0] if found else None


def _augmentations(augment: Any, caller: str) -> list[Any]:
    try:
        resolved = AugmentationList(augment or ()).resolve()
        for augmentation in resolved:
            augmentation.check()
    except ValueError as error:
        raise ValueError(f"{caller}: augment: {error}") from error
    return resolved


def trained_rows(runs: list[StageRun]) -> np.ndarray:
    """Windows that any stage trains on.

    Parameters
    ----------
    runs : list of StageRun
        The stages.

    Returns
    -------
    ndarray of int
        Sorted rows.
    """
    return np.unique(np.concatenate([run.train.rows for run in runs]))


def _check_start(start: str | None, before: dict[str, Any] | None, caller: str) -> None:
    if before is None:
        if start in ("ema", "best"):
            raise ValueError(
                f"{caller}: start={start!r} takes weights of the stage before, and "
                "this is the first one. Leave start out."
            )
        return
    if start == "ema" and before["ema"] is None:
        raise ValueError(
            f"{caller}: start='ema', but the stage before averages no weights. Give it "
            "a decay, ema=0.995 for instance, or leave start out."
        )
    if start == "best" and not before["early_stopping"]:
        raise ValueError(
            f"{caller}: start='best', but the stage before remembers no best epoch. "
            "Set early_stopping=True in it, or leave start out."
        )


def _settings(
    settings: dict[str, Any],
    data: FitData,
    rows: np.ndarray,
    sampling: Any,
    caller: str,
) -> dict[str, Any]:
    chosen = {name: settings[name] for name in STAGE_PARAMETERS if name in settings}
    chosen["augment"] = _augmentations(settings["augment"], caller)
    chosen["sampling"] = sampling
    if not (isinstance(settings["schedule"], str) or callable(settings["schedule"])):
        # The highest rate is the list's own: backbone_lr is meant in relation to it.
        chosen["lr"] = float(max(settings["schedule"]))
    loss = make_loss(settings["loss"], settings["loss_params"], caller=caller)
    if getattr(loss, "needs_votes", False) and not data.votes_known:
        raise ValueError(
            f"{caller}: loss={settings['loss']!r} needs the number of votes of every "
            "window, and fractions do not tell it. Pass vote counts as y."
        )
    check_targets(chosen["augment"], loss, settings["loss"], caller)
    chosen["epoch_weight"] = _changing_weight(settings, data, rows, sampling, caller)
    n_rows = rows.size if sampling is None else sampling.n_rows
    if settings["batch_size"] > n_rows:
        drawn = "" if sampling is None else " an epoch, by sampling"
        warnings.warn(
            f"{caller}: batch_size={settings['batch_size']} is larger than the data, "
            f"{n_rows} windows to train on{drawn}: every epoch is one step. Lower "
            "batch_size.",
            UserWarning,
            stacklevel=4,
        )
    return chosen


def _train_set(
    settings: dict[str, Any], data: FitData, rows: np.ndarray, caller: str
) -> tuple[WindowDataset, Any]:
    """Windows to train on, and what draws those of an epoch."""
    weight = None
    vote_weight = settings["vote_weight"]
    if not is_epoch_dependent(vote_weight):
        weight = row_weights(
            data.sample_weight, vote_weight, data.total_votes, caller=caller
        )
    elif data.sample_weight is not None:
        weight = data.sample_weight
    if weight is not None:
        rows = rows[weight[rows] > 0]
        if rows.size < 2:
            raise ValueError(
                f"{caller}: only {rows.size} windows have a weight above zero. Check "
                "sample_weight and vote_weight."
            )
    sampling = make_sampling(
        settings["sampling"],
        eeg_id=data.eeg_id,
        fractions=data.fractions,
        total_votes=data.total_votes,
        rows=rows,
        caller=caller,
    )
    if weight is not None:
        # Mean one over what is trained on: see VoteLoss.
        weight = weight / _mean(weight, rows, sampling)
    fractions = data.fractions
    if settings["target"] != "window":
        fractions = _targets_by_eeg(data, settings["target"], caller)
    votes = data.total_votes
    return WindowDataset(data.X, fractions, weight, rows, votes), sampling


def _mean(weight: np.ndarray, rows: np.ndarray, sampling: Any) -> float:
    """Mean of the weights over what an epoch draws, as far as it is known."""
    return float(weight[rows].mean()) if sampling is None else sampling.mean_of(weight)


def _targets_by_eeg(data: FitData, target: str, caller: str) -> np.ndarray:
    if data.eeg_id is None:
        raise ValueError(
            f"{caller}: target={target!r} needs to know which EEG each window is from. "
            "Pass fit(..., eeg_id=rows['eeg_id'])."
        )
    fractions = data.fractions.copy()
    # Windows that are not trained on, those validated on for instance, stay out.
    rows = data.rows
    votes = data.total_votes[rows] if target == "eeg_votes" else None
    if votes is not None and np.isnan(votes).any():
        raise ValueError(
            f"{caller}: target='eeg_votes' needs the number of votes of every window, "
            "and fractions do not tell it. Pass vote counts, or take target='eeg'."
        )
    fractions[rows] = average_targets(data.fractions[rows], data.eeg_id[rows], votes)
    return fractions


def _changing_weight(
    settings: dict[str, Any],
    data: FitData,
    rows: np.ndarray,
    sampling: Any,
    caller: str,
) -> Callable[[int], np.ndarray] | None:
    vote_weight = settings["vote_weight"]
    if not is_epoch_dependent(vote_weight):
        return None
    n_epochs = settings["max_epochs"]

    def weight_of(epoch: int) -> np.ndarray:
        weight = epoch_weights(
            vote_weight, data.total_votes, epoch, n_epochs, caller=caller
        )
        if data.sample_weight is not None:
            weight = weight * data.sample_weight
        mean = _mean(weight, rows, sampling)
        if not mean > 0:
            raise ValueError(
                f"{caller}: vote_weight gives every window the weight zero in epoch "
                f"{epoch + 1}. Give some votes a floor."
            )
        return weight / mean

    weight_of(0)  # refuses what it cannot use before anything is trained
    return weight_of


def _callbacks(
    estimator: Any,
    settings: dict[str, Any],
    number: int,
    n_stages: int,
    data: FitData,
    quiet: bool,
) -> list[Any]:
    rate = LearningRate(settings["schedule"], settings["warmup"], settings["min_lr"])
    # Without names: any that were given here could be those of the user's.
    callbacks: list[Any] = [rate, *(estimator.callbacks or [])]
    if estimator.verbose and not quiet:
        stage = f"stage {number}/{n_stages}" if n_stages > 1 else ""
        progress = Progress(
            type(estimator).__name__, stage, batches=estimator.verbose > 1
        )
        callbacks.append(progress)
    if settings["early_stopping"] and data.valid is not None:
        callbacks.append(BestEpoch(settings["patience"]))
    return callbacks
