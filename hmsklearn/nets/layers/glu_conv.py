"""Convolution module with a gated linear unit, as in Conformer and Squeezeformer."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["GLUConv1d"]


class GLUConv1d(nn.Module):
    """Widen and gate, look along time map by map, mix.

    A 1x1 convolution to `expansion` times the width, of which one half gates the other;
    a depth-wise convolution without bias, batch norm, SiLU, a 1x1 convolution, dropout.

    Parameters
    ----------
    width : int
        Width of a step.
    kernel_size : int
        Odd length of the depth-wise convolution.
    expansion : int, default=2
        Even factor; with 2 the gate brings the width back.
    dropout : float, default=0.0
        Dropout at the end.

    Notes
    -----
    Input and output ``(n_windows, n_steps, width)``; time is padded with zeros.

    References
    ----------
    A. Gulati and others (2020), Conformer; S. Kim and others (2022), Squeezeformer.
    Kernel 51: 3rd place of HMS (discussion 492471).

    Examples
    --------
    >>> GLUConv1d(8, 5)(torch.zeros(2, 30, 8)).shape
    torch.Size([2, 30, 8])
    """

    def __init__(
        self, width: int, kernel_size: int, expansion: int = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"GLUConv1d: kernel_size={kernel_size} must be odd and positive, so "
                "that the number of steps stays."
            )
        if expansion < 2 or expansion % 2:
            raise ValueError(
                f"GLUConv1d: expansion={expansion} must be even and positive: one half "
                "gates the other."
            )
        inner = width * expansion // 2
        self.widen = nn.Conv1d(width, 2 * inner, 1)
        self.look = nn.Conv1d(
            inner,
            inner,
            kernel_size,
            padding=kernel_size // 2,
            groups=inner,
            bias=False,
        )
        self.norm = nn.BatchNorm1d(inner)
        self.act = nn.SiLU()
        self.mix = nn.Conv1d(inner, width, 1)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve along time.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_steps, width)
            Steps.

        Returns
        -------
        Tensor of shape (n_windows, n_steps, width)
            Steps.
        """
        out = functional.glu(self.widen(x.transpose(1, 2)), dim=1)
        out = self.mix(self.act(self.norm(self.look(out))))
        return self.drop(out).transpose(1, 2)
