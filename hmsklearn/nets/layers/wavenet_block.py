"""A block of gated, dilated convolutions whose dilations double."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["WaveNetBlock"]

_ACTIVATIONS = {
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "mish": nn.Mish,
    "silu": nn.SiLU,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
}
_RESIDUALS = ("skip_sum", "input", "chain")


class WaveNetBlock(nn.Module):
    """A 1x1 convolution, then gated convolutions of dilation 1, 2, 4, ...

    A layer convolves what it reads once for every activation of `gate`, multiplies
    the activated results and sends the product through a 1x1 convolution.

    Parameters
    ----------
    in_chans : int
        Number of maps that enter.
    width : int
        Number of maps that leave.
    n_dilations : int
        Number of layers; their dilations are 1, 2, ..., ``2 ** (n_dilations - 1)``.
    kernel_size : int, default=3
        Odd kernel length of the dilated convolutions.
    gate : sequence of str, default=("tanh", "sigmoid")
        Activations whose product is taken: "tanh", "sigmoid", "mish", "silu", "relu"
        or "gelu".
    residual : {"skip_sum", "input", "chain"}, default="skip_sum"
        What is added. ``"skip_sum"``: a layer reads the output of the one before, and
        the block gives the sum of all outputs and of the first 1x1 convolution.
        ``"input"``: every output has that of the first 1x1 convolution added, and the
        block gives the last one. ``"chain"``: a layer reads the sum of everything
        before it, as in the first WaveNet, and the block gives the whole sum.
    xavier : bool, default=True
        Draw the weights as Xavier's uniform ones times the square root of two, with
        biases of zero; otherwise as torch does.

    Raises
    ------
    ValueError
        If a parameter is not usable.

    Notes
    -----
    Input ``(n, in_chans, n_times)``, output ``(n, width, n_times)``: the length stays.
    A dilation beyond the length reads zeros beside the centre, which is legal. NaN
    spreads.

    References
    ----------
    A. van den Oord and others (2016), WaveNet: a generative model for raw audio.
    Public WaveNet notebooks of HMS (``"skip_sum"``); 5th place (discussion 492652);
    15th place (three gates, ``"input"``).

    Examples
    --------
    >>> WaveNetBlock(1, 8, n_dilations=4)(torch.zeros(2, 1, 50)).shape
    torch.Size([2, 8, 50])
    """

    def __init__(
        self,
        in_chans: int,
        width: int,
        n_dilations: int,
        kernel_size: int = 3,
        *,
        gate: Sequence[str] = ("tanh", "sigmoid"),
        residual: str = "skip_sum",
        xavier: bool = True,
    ) -> None:
        super().__init__()
        gate = (gate,) if isinstance(gate, str) else tuple(gate)
        if min(in_chans, width, n_dilations) < 1:
            raise ValueError(
                "WaveNetBlock: in_chans, width and n_dilations must be at least 1, got "
                f"in_chans={in_chans}, width={width}, n_dilations={n_dilations}."
            )
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"WaveNetBlock: kernel_size={kernel_size} must be odd and positive, so "
                "that the length stays."
            )
        if not gate or any(name not in _ACTIVATIONS for name in gate):
            raise ValueError(
                f"WaveNetBlock: gate={gate!r} must name one activation or more out of "
                f"{sorted(_ACTIVATIONS)}."
            )
        if residual not in _RESIDUALS:
            raise ValueError(
                f"WaveNetBlock: residual={residual!r} is not known. Give one of "
                f"{_RESIDUALS}."
            )
        self.residual = residual
        self.project = nn.Conv1d(in_chans, width, 1)
        # The convolutions of one layer read the same maps: one call for all of them.
        self.dilated = nn.ModuleList(
            nn.Conv1d(
                width,
                width * len(gate),
                kernel_size,
                padding=2**i * (kernel_size // 2),
                dilation=2**i,
            )
            for i in range(n_dilations)
        )
        self.gate = nn.ModuleList(_ACTIVATIONS[name]() for name in gate)
        self.mix = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(n_dilations))
        if xavier:
            self._draw_xavier()

    def _draw_xavier(self) -> None:
        gain = nn.init.calculate_gain("relu")
        for conv in (self.project, *self.dilated, *self.mix):
            n_parts = len(self.gate) if conv in self.dilated else 1
            for part in conv.weight.chunk(n_parts):
                nn.init.xavier_uniform_(part, gain=gain)
            nn.init.zeros_(conv.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block.

        Parameters
        ----------
        x : Tensor of shape (n, in_chans, n_times)
            Maps.

        Returns
        -------
        Tensor of shape (n, width, n_times)
            Maps.
        """
        x = first = total = self.project(x)
        for dilated, mix in zip(self.dilated, self.mix, strict=True):
            gated: torch.Tensor | None = None
            parts = dilated(x).chunk(len(self.gate), dim=1)
            for activation, part in zip(self.gate, parts, strict=True):
                part = activation(part)
                gated = part if gated is None else gated * part
            x = mix(gated)
            if self.residual == "input":
                total = x = x + first
            else:
                total = total + x
                if self.residual == "chain":
                    x = total
        return total
