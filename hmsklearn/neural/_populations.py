"""Heads for few and for many votes: each must have windows to learn from."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hmsklearn.nets.layers import VoteHead

__all__ = ["Populations", "check_populations"]


class Populations:
    """The two heads of a net in the course of its stages.

    Parameters
    ----------
    module : torch.nn.Module
        The net; nothing is checked or done if it has no head with a `vote_threshold`.
    runs : sequence of StageRun
        The stages.
    caller : str
        Name that starts the messages.

    Raises
    ------
    ValueError
        If the votes of a window are unknown, or the last stage has no windows for the
        head that predicts.

    Warns
    -----
    UserWarning
        If no stage has windows for the head of the few.

    Notes
    -----
    A stage with few-vote windows alone trains the head that predicts: there is nothing
    to keep apart, and what it validates and leaves behind has learned. The first stage
    with both populations starts both heads from that one.

    Examples
    --------
    >>> Populations(nn.Linear(2, 6), [], caller="doctest").heads
    []
    """

    def __init__(self, module: nn.Module, runs: Sequence[Any], *, caller: str) -> None:
        self.heads = _heads(module)
        self.learns: list[list[tuple[bool, bool]]] = []
        for head in self.heads:
            threshold = head.vote_threshold
            learns = [_learns(run.train, threshold, caller) for run in runs]
            self.learns.append(learns)
            if not any(many for _, many in learns):
                raise ValueError(
                    f"{caller}: vote_threshold={threshold!r}, and all windows to train "
                    "on have fewer votes: the head that predicts would learn nothing. "
                    "Lower it, or leave it out."
                )
            if not learns[-1][1]:
                raise ValueError(
                    f"{caller}: the last stage trains on windows of fewer votes than "
                    f"vote_threshold={threshold!r} alone, and predictions are for the "
                    "others. Put a stage with those behind it, or leave vote_threshold "
                    "out."
                )
            if not any(few for few, _ in learns):
                warnings.warn(
                    f"{caller}: vote_threshold={threshold!r} has no effect, since no "
                    "window to train on has fewer votes. Leave it out.",
                    UserWarning,
                    stacklevel=5,
                )

    def start_stage(self, index: int, *, fresh: bool) -> None:
        """Prepare the heads for a stage.

        Parameters
        ----------
        index : int
            Its number, from 0.
        fresh : bool
            Whether it starts, or goes on from a checkpoint.
        """
        for head, learns in zip(self.heads, self.learns, strict=True):
            few, many = learns[index]
            head.together = not many
            first = few and many and not any(map(all, learns[:index]))
            # Heads of a warm start, or from a file, may both have learned already.
            if fresh and index > 0 and first:
                head.align()

    def finish(self) -> None:
        """Keep the populations apart again."""
        for head in self.heads:
            head.together = False


def check_populations(module: nn.Module, data: Any, *, caller: str) -> None:
    """Check the windows of one pass of ``partial_fit``.

    Parameters
    ----------
    module : torch.nn.Module
        The net.
    data : WindowDataset
        What it is to learn.
    caller : str
        Name that starts the messages.

    Raises
    ------
    ValueError
        If a head tells few votes from many, and they are not known.

    Warns
    -----
    UserWarning
        If there is nothing for the head that predicts.

    Examples
    --------
    >>> check_populations(nn.Linear(2, 6), None, caller="doctest")
    """
    for head in _heads(module):
        if not _learns(data, head.vote_threshold, caller)[1]:
            warnings.warn(
                f"{caller}: all windows have fewer votes than vote_threshold="
                f"{head.vote_threshold!r}, and the head that predicts learns nothing "
                "from them. Pass windows of both kinds.",
                UserWarning,
                stacklevel=3,
            )


def _heads(module: nn.Module) -> list[VoteHead]:
    return [
        part
        for part in module.modules()
        if isinstance(part, VoteHead) and part.linear_few is not None
    ]


def _learns(data: Any, threshold: float | None, caller: str) -> tuple[bool, bool]:
    """Whether there are windows of few votes, and of many."""
    votes = None if data.total_votes is None else data.total_votes[data.rows]
    if votes is None or bool(torch.isnan(votes).any()):
        raise ValueError(
            f"{caller}: vote_threshold={threshold!r} needs the number of votes of "
            "every window, and fractions do not tell it. Pass vote counts as y, or "
            "leave vote_threshold out."
        )
    few = votes < threshold
    return bool(few.any()), not bool(few.all())
