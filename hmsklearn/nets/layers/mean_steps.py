"""Means of equal stretches of time, whatever the two lengths."""

from __future__ import annotations

import math

import torch
from torch import nn

__all__ = ["MeanSteps"]


class MeanSteps(nn.Module):
    """Average maps to a given number of steps.

    Parameters
    ----------
    n_times : int
        Length of the input.
    n_steps : int
        Length of the output.

    Raises
    ------
    ValueError
        If a length is below one.

    Notes
    -----
    Input ``(..., n_times)``, output ``(..., n_steps)``. Step ``i`` is the mean of the
    samples from ``floor(i * n_times / n_steps)`` to ``ceil((i + 1) * n_times /
    n_steps)``, so that stretches overlap by one sample where the lengths do not divide,
    as in :class:`torch.nn.AdaptiveAvgPool1d`, which cannot be exported to ONNX. The
    pattern repeats ``gcd(n_times, n_steps)`` times, and one small matrix product with
    constants does the work.

    Examples
    --------
    >>> MeanSteps(6, 4)(torch.tensor([[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]])).tolist()
    [[0.5, 1.5, 3.5, 4.5]]
    """

    weight: torch.Tensor

    def __init__(self, n_times: int, n_steps: int) -> None:
        super().__init__()
        if min(n_times, n_steps) < 1:
            raise ValueError(
                f"MeanSteps: n_times={n_times} and n_steps={n_steps} must be at least "
                "1."
            )
        self.n_steps = n_steps
        self.n_repeats = math.gcd(n_times, n_steps)
        n_in, n_out = n_times // self.n_repeats, n_steps // self.n_repeats
        weight = torch.zeros(n_in, n_out)
        for i in range(n_out):
            first, last = i * n_in // n_out, -(-(i + 1) * n_in // n_out)
            weight[first:last, i] = 1 / (last - first)
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Average maps.

        Parameters
        ----------
        x : Tensor of shape (..., n_times)
            Maps.

        Returns
        -------
        Tensor of shape (..., n_steps)
            Means.
        """
        parts = x.reshape(*x.shape[:-1], self.n_repeats, self.weight.shape[0])
        return (parts @ self.weight).reshape(*x.shape[:-1], self.n_steps)

    def extra_repr(self) -> str:
        """Text inside the parentheses of ``repr``.

        Returns
        -------
        str
            The lengths.
        """
        n_times = self.n_repeats * self.weight.shape[0]
        return f"n_times={n_times}, n_steps={self.n_steps}"
