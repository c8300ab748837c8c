"""One vector for a signal: residual convolutions, then a recurrent net's last step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from hmsklearn.nets.layers.checkpointing import checkpoint_sequential
from hmsklearn.nets.layers.recurrent_pool import RecurrentPool
from hmsklearn.nets.layers.residual_pool1d import ResidualPool1d

__all__ = ["NodeEncoder"]

_STEM_KERNEL = 5


class NodeEncoder(nn.Module):
    """Encode single signals.

    Parameters
    ----------
    widths : sequence of int, default=(16, 24, 32, 48, 64, 96)
        Number of maps of the first convolution and of each residual block after it,
        which halves the length.
    kernels : sequence of int, default=(5, 5, 3, 3, 3)
        Odd kernel length of each residual block.
    hidden_size : int, default=256
        Width of the GRU.
    drop_rate : float, default=0.4
        Dropout of whole maps inside the blocks.

    Attributes
    ----------
    num_features : int
        `hidden_size`.
    grad_checkpointing : bool
        Whether blocks are recomputed in the backward pass; set it as you like.

    Raises
    ------
    ValueError
        If there is not one kernel for each block, or a size is not usable.

    Notes
    -----
    Input ``(n, 1, n_times)`` of any length, output ``(n, hidden_size)``. The GRU reads
    forwards, one step for ``2 ** len(kernels)`` samples.

    References
    ----------
    Node-attention model of HMS (discussion 492189), on signals of 50 Hz.

    Examples
    --------
    >>> encoder = NodeEncoder(widths=(4, 6), kernels=(3,), hidden_size=8)
    >>> encoder(torch.zeros(2, 1, 50)).shape
    torch.Size([2, 8])
    """

    def __init__(
        self,
        widths: Sequence[int] = (16, 24, 32, 48, 64, 96),
        kernels: Sequence[int] = (5, 5, 3, 3, 3),
        hidden_size: int = 256,
        drop_rate: float = 0.4,
    ) -> None:
        super().__init__()
        widths, kernels = tuple(widths), tuple(kernels)
        if not widths or min(widths) < 1 or len(kernels) != len(widths) - 1:
            raise ValueError(
                "NodeEncoder: widths must be positive and kernels one fewer (the first "
                f"width is that of the stem), got widths={widths}, kernels={kernels}."
            )
        self.grad_checkpointing = False
        self.num_features = hidden_size
        self.stem = nn.Conv1d(1, widths[0], _STEM_KERNEL, padding=_STEM_KERNEL // 2)
        self.blocks = nn.ModuleList(
            ResidualPool1d(before, width, kernel, drop_rate)
            for before, width, kernel in zip(
                widths[:-1], widths[1:], kernels, strict=True
            )
        )
        self.gru = RecurrentPool(widths[-1], hidden_size, bidirectional=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Encode signals.

        Parameters
        ----------
        x : Tensor of shape (n, 1, n_times)
            Signals.

        Returns
        -------
        Tensor of shape (n, num_features)
            Features.
        """
        x = self.stem(x)
        x = checkpoint_sequential(self.blocks, x, enabled=self.grad_checkpointing)
        return self.gru(x)
