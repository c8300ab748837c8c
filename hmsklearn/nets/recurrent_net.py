"""LSTM or GRU layers on the shortened signal."""

from __future__ import annotations

import torch
from torch import nn

from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import RecurrentPool

__all__ = ["RecurrentNet"]

_STEMS = ("conv", "average")


@register_net("gru", cell="gru")
@register_net("lstm")
class RecurrentNet(BaseNet):
    """Recurrent layers over time behind a stem that shortens the windows.

    Parameters
    ----------
    n_chans : int
        Number of channels.
    n_outputs : int
        Number of classes.
    n_times : int
        Number of samples in time.
    cell : {"lstm", "gru"}, default="lstm"
        Kind of recurrent layers.
    stem : {"conv", "average"}, default="conv"
        How `stride` samples become one step: a convolution twice as long as the
        stride, batch norm and SiLU, or their mean.
    stride : int, default=10
        Number of samples of a step. Recurrent layers run one step after the other, so
        long windows want more: 10000 samples make 1000 steps of 10.
    width : int, default=64
        Number of maps of the convolution.
    hidden_size : int, default=128
        Width of each direction.
    n_layers : int, default=2
        Number of recurrent layers.
    bidirectional : bool, default=True
        Whether a second net reads from the end.
    pool : {"final", "last", "mean", "max", "mean_max", "attention"}, default="mean"
        What becomes of the steps, see :class:`hmsklearn.nets.layers.RecurrentPool`.
    dropout : float, default=0.0
        Dropout between the recurrent layers.

    Attributes
    ----------
    num_features : int
        `hidden_size`, twice that in two directions, twice that again for
        ``pool="mean_max"``.

    Raises
    ------
    ValueError
        If the windows are shorter than a stride or a parameter is not usable.

    Notes
    -----
    Input ``(n_windows, n_chans, n_times)`` without NaN; output logits ``(n_windows,
    n_outputs)``. Samples after the last whole step are not read with
    ``stem="average"``; the convolution pads both ends by half a stride. Frequencies
    above ``sfreq / (2 * stride)`` reach the average as aliases: filter first, or take
    the convolution.

    References
    ----------
    S. Hochreiter and J. Schmidhuber (1997), Long short-term memory; public LSTM and
    GRU nets of HMS.

    Examples
    --------
    >>> net = RecurrentNet(4, 6, 200, width=8, hidden_size=16, pool="attention")
    >>> net.num_features
    32
    >>> net(torch.zeros(2, 4, 200)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        n_times: int,
        *,
        cell: str = "lstm",
        stem: str = "conv",
        stride: int = 10,
        width: int = 64,
        hidden_size: int = 128,
        n_layers: int = 2,
        bidirectional: bool = True,
        pool: str = "mean",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(n_chans, n_outputs, n_times)
        if stem not in _STEMS:
            raise ValueError(
                f"RecurrentNet: stem={stem!r} is not known. Give one of {_STEMS}."
            )
        if min(stride, width) < 1:
            raise ValueError(
                "RecurrentNet: stride and width must be at least 1, got stride="
                f"{stride}, width={width}."
            )
        if n_times < stride:
            raise ValueError(
                f"RecurrentNet: windows of n_times={n_times} samples are too short for "
                f"stride={stride}; at least {stride} are needed. Give longer windows "
                "or a smaller stride."
            )
        self.stem: nn.Module
        if stem == "conv":
            self.stem = nn.Sequential(
                nn.Conv1d(
                    n_chans,
                    width,
                    2 * stride,
                    stride=stride,
                    padding=(stride + 1) // 2,
                    bias=False,
                ),
                nn.BatchNorm1d(width),
                nn.SiLU(),
            )
        else:
            self.stem = nn.AvgPool1d(stride)
        self.rnn = RecurrentPool(
            width if stem == "conv" else n_chans,
            hidden_size,
            cell=cell,
            n_layers=n_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            pool=pool,
        )
        self.num_features = self.rnn.num_features
        self.reset_head(n_outputs)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Pooled steps.
        """
        return self.rnn(self.stem(x))
