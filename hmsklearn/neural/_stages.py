"""A curriculum: stages of a training that differ in data, parameters, weights."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hmsklearn._params import check_choice, check_real
from hmsklearn.neural._freezing import freeze_parameters
from hmsklearn.neural._stage_rows import (
    ROW_RULES,
    check_rule,
    choose_rows,
    several_classes,
)

__all__ = [
    "OVERRIDABLE",
    "ROW_RULES",
    "STARTS",
    "Stage",
    "freeze_parameters",
    "parse_stages",
    "several_classes",
    "stage_rows",
]

#: Parameters of an estimator that a stage may have in another way.
OVERRIDABLE = (
    "max_epochs",
    "batch_size",
    "accumulate",
    "lr",
    "backbone_lr",
    "layer_decay",
    "min_lr",
    "weight_decay",
    "schedule",
    "warmup",
    "loss",
    "loss_params",
    "aux_weight",
    "vote_weight",
    "sampling",
    "target",
    "augment",
    "ema",
    "clip_grad",
    "awp",
    "optimizer",
    "optimizer_params",
    "early_stopping",
    "patience",
    "evaluations_per_epoch",
)

#: Weights that a stage may start from.
STARTS = ("current", "ema", "best", "fresh")

_OWN = ("name", "min_votes", "max_votes", "rows", "freeze", "start")


@dataclass(frozen=True)
class Stage:
    """One stage of a training.

    Parameters
    ----------
    settings : dict
        Parameters of the estimator as they are in this stage.
    name : str or None
        How messages call it.
    min_votes, max_votes : float or None
        Fewest and most votes of the windows that it takes, both included.
    rows : str, callable or None
        Further rule for its windows, see :func:`stage_rows`.
    freeze : tuple of str
        What does not learn, see :func:`freeze_parameters`.
    start : {"current", "ema", "best", "fresh"} or None
        Weights that it starts from, of the stage before: those of its last step, the
        averaged ones, the best epoch's; or those of a net that has seen nothing. None
        for the ones that the stage before would predict with.

    Examples
    --------
    >>> Stage({"lr": 1e-3}, min_votes=10).chooses_rows
    True
    """

    settings: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    min_votes: float | None = None
    max_votes: float | None = None
    rows: Any = None
    freeze: tuple[str, ...] = ()
    start: str | None = None

    @property
    def chooses_rows(self) -> bool:
        """Whether it takes only some of the windows."""
        rules = (self.min_votes, self.max_votes, self.rows)
        return any(rule is not None for rule in rules)


def parse_stages(
    stages: Sequence[Mapping[str, Any]] | None,
    defaults: Mapping[str, Any],
    *,
    caller: str,
) -> list[Stage]:
    """Read the stages that an estimator's parameter describes.

    Parameters
    ----------
    stages : list of dict, or None
        One dict a stage: parameters that differ in it (:data:`OVERRIDABLE`), and
        ``name``, ``min_votes``, ``max_votes``, ``rows``, ``freeze``, ``start``, see
        :class:`Stage`. None is one stage without changes.
    defaults : mapping
        Parameters of the estimator.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of Stage
        The stages.

    Raises
    ------
    ValueError
        If a key or a value is not usable; the message has the number of the stage. The
        values of the estimator's own parameters are not looked at.
    TypeError
        If it is no list of dicts.

    References
    ----------
    Two stages, all windows and then those with at least 10 votes: 1st, 5th, 6th and
    7th place of HMS (discussions 492560, 492652, 492619, 492281); from averaged
    weights: 6th; votes of at least 6: 2nd (492254).

    Examples
    --------
    >>> stages = parse_stages(
    ...     [{"max_epochs": 15}, {"max_epochs": 5, "lr": 1e-4, "min_votes": 10}],
    ...     {"max_epochs": 10, "lr": 1e-3}, caller="doctest")
    >>> [stage.settings for stage in stages]
    [{'max_epochs': 15, 'lr': 0.001}, {'max_epochs': 5, 'lr': 0.0001}]
    """
    if stages is None:
        return [Stage(dict(defaults))]
    if not isinstance(stages, (list, tuple)) or not stages:
        raise TypeError(
            f"{caller}: stages must be a list of one dict or more, one for each stage, "
            f"got {stages!r}."
        )
    return [
        _parse(stage, number, defaults, caller)
        for number, stage in enumerate(stages, start=1)
    ]


def stage_rows(stage: Stage, fractions: Any, total_votes: Any, *, caller: str) -> Any:
    """Find the windows that a stage takes.

    Parameters
    ----------
    stage : Stage
        The stage. Its ``rows`` is None, a name out of :data:`ROW_RULES`, or a callable
        that maps ``(fractions, total_votes)`` to a mask:

        * ``"several_classes"``: votes for at least three classes.
        * ``"agreed_or_many"``: more than 5 votes where all agree, more than 10 where
          they do not.
    fractions : ndarray of shape (n_windows, n_classes)
        Vote fractions.
    total_votes : ndarray of shape (n_windows,)
        Votes behind each window; NaN where unknown.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    ndarray of shape (n_windows,), bool
        True for the windows that it takes.

    Raises
    ------
    ValueError
        If votes are needed and not known, or fewer than two windows are left; the
        message says how many have how many votes.

    References
    ----------
    Kaggle, HMS discussion 477461, for ``"several_classes"``: there the divergence of
    the uniform distribution from the votes is asked to be below 5.5, which is the
    same. ``"agreed_or_many"``: a public two-stage training.

    Examples
    --------
    >>> import numpy as np
    >>> votes = np.array([3.0, 12.0, 14.0])
    >>> stage_rows(Stage(min_votes=10), np.eye(3), votes, caller="doctest").tolist()
    [False, True, True]
    """
    return choose_rows(
        fractions,
        total_votes,
        min_votes=stage.min_votes,
        max_votes=stage.max_votes,
        rows=stage.rows,
        caller=caller,
    )


def _parse(stage: Any, number: int, defaults: Mapping[str, Any], caller: str) -> Stage:
    who = f"{caller}: stage {number}"
    if not isinstance(stage, Mapping):
        raise TypeError(f"{who} must be a dict, got {stage!r}.")
    for key in stage:
        _check_key(key, defaults, who)
    own = {key: stage[key] for key in _OWN if stage.get(key) is not None}
    for key in ("min_votes", "max_votes"):
        if key in own:
            check_real(own[key], key, caller=who, low=0)
    if own.get("min_votes", 0) > own.get("max_votes", float("inf")):
        raise ValueError(
            f"{who}: min_votes={own['min_votes']!r} is above max_votes="
            f"{own['max_votes']!r}, so that no window is left."
        )
    check_rule(own.get("rows"), caller=who)
    check_choice(own.get("start"), "start", (*STARTS, None), caller=who)
    freeze = own.pop("freeze", ())
    freeze = (freeze,) if isinstance(freeze, str) else freeze
    if not isinstance(freeze, (list, tuple)) or not all(
        isinstance(pattern, str) for pattern in freeze
    ):
        raise TypeError(
            f"{who}: freeze must be a list of names or patterns, got {freeze!r}."
        )
    changed = {key: stage[key] for key in stage if key in OVERRIDABLE}
    return Stage({**defaults, **changed}, freeze=tuple(freeze), **own)


def _check_key(key: Any, defaults: Mapping[str, Any], who: str) -> None:
    known = (*OVERRIDABLE, *_OWN)
    if key in known:
        return
    if key in defaults:
        raise ValueError(
            f"{who}: {key!r} is the same in all stages. Give it to the estimator; a "
            f"stage may change {list(OVERRIDABLE)}."
        )
    close = difflib.get_close_matches(str(key), known, n=2, cutoff=0.4)
    hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise ValueError(f"{who}: {key!r} is not known. {hint}Known are {list(known)}.")
