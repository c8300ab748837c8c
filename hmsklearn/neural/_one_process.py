"""What a training in several processes asks of them, answered for a single one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["OneProcess"]


class OneProcess:
    """A training that this process does alone.

    Attributes
    ----------
    size : int
        Number of processes.
    rank : int
        Number of this one, from 0.

    Notes
    -----
    The net asks this object, or a
    :class:`hmsklearn.neural._distributed.Processes`, at every place where a training
    in several processes differs, and does not ask how many there are.

    Examples
    --------
    >>> OneProcess().part(np.array([3, 1, 2])), OneProcess().weight(3)
    (array([3, 1, 2]), 1.0)
    """

    size = 1
    rank = 0

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def device(self, device: Any) -> Any:
        """Tell the device that this process trains on.

        Parameters
        ----------
        device : str or torch.device
            The estimator's parameter.

        Returns
        -------
        str or torch.device
            The same, or the one of this process.
        """
        return device

    def check_same(self, mark: Callable[[], str], *, caller: str) -> None:
        """Refuse processes that were given other data or parameters.

        Parameters
        ----------
        mark : callable
            Gives a text that tells data and parameters.
        caller : str
            Name that starts the error message.

        Raises
        ------
        ValueError
            If the texts of the processes differ.
        """

    def naming_loss(self, caller: str) -> contextlib.AbstractContextManager[None]:
        """Return a context that says so where another process was lost.

        Parameters
        ----------
        caller : str
            Name that starts the error message.

        Returns
        -------
        context manager
            Raises RuntimeError in the place of torch's own.
        """
        return contextlib.nullcontext()

    def draw_apart(self, seed: int, device: str) -> None:
        """Let this process draw other random numbers than the others.

        Parameters
        ----------
        seed : int
            Seed of the training, the same everywhere.
        device : str
            Device whose generator is seeded too.
        """

    def part(self, rows: np.ndarray) -> np.ndarray:
        """Take the part of this process out of a batch.

        Parameters
        ----------
        rows : ndarray of int
            The whole batch.

        Returns
        -------
        ndarray of int
            The part, never empty.
        """
        return rows

    def weight(self, n_rows: int) -> float:
        """Tell how large the part of this process in a batch is.

        Parameters
        ----------
        n_rows : int
            Number of windows in the whole batch.

        Returns
        -------
        float
            Its share; over all processes these sum to one. Zero if its part is one
            that another process has too.
        """
        return 1.0

    def same(self, rows: np.ndarray) -> np.ndarray:
        """Agree on an order of rows.

        Parameters
        ----------
        rows : ndarray of int
            What this process has drawn, everywhere equally many.

        Returns
        -------
        ndarray of int
            What the main process has drawn.
        """
        return rows

    def mean(self, value: torch.Tensor, weight: float) -> torch.Tensor:
        """Mean over a batch out of the means over its parts.

        Parameters
        ----------
        value : Tensor
            Mean over the part of this process; a scalar.
        weight : float
            Its share of the batch.

        Returns
        -------
        Tensor
            Mean over the batch, the same everywhere.
        """
        return value

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Put the sum of all processes' gradients in the place of this one's.

        Parameters
        ----------
        parameters : sequence of Parameter
            What is trained.
        """

    def average_statistics(self, module: nn.Module, weight: float) -> None:
        """Give all processes the same running statistics of batch norms.

        Parameters
        ----------
        module : torch.nn.Module
            The net.
        weight : float
            How much this process has seen since the last time.
        """

    def copy_from_main(self, *modules: nn.Module) -> None:
        """Give all processes the main one's parameters and buffers.

        Parameters
        ----------
        *modules : torch.nn.Module
            Modules.
        """

    def from_main(self, value: Any) -> Any:
        """Give all processes an object of the main one.

        Parameters
        ----------
        value : object
            Anything that can be pickled; only the main process's counts.

        Returns
        -------
        object
            That one.
        """
        return value

    def gather(self, value: Any) -> list[Any]:
        """Give all processes the objects of all.

        Parameters
        ----------
        value : object
            Anything that can be pickled.

        Returns
        -------
        list
            One object a process.
        """
        return [value]

    def any(self, flag: bool) -> bool:
        """Tell whether something holds in any process.

        Parameters
        ----------
        flag : bool
            Whether it does in this one.

        Returns
        -------
        bool
            Whether it does in any.
        """
        return flag
