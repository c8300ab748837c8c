"""The last step of a bidirectional GRU without its wasted half.

At the last step the backward direction has read one sample. Running it over the
whole sequence, as ``GRU(bidirectional=True)(x)[:, -1]`` does, doubles the time and
changes nothing.
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["LastStepBiGRU"]


class LastStepBiGRU(nn.Module):
    """Output of a one-layer bidirectional GRU at the last step.

    Parameters
    ----------
    n_chans : int
        Number of channels.
    hidden_size : int
        Width of each direction.
    stride : int, default=1
        Average this many samples into one before the GRU, which runs one step after
        the other and so takes time in proportion to their number.

    Attributes
    ----------
    num_features : int
        ``2 * hidden_size``.

    Notes
    -----
    Input ``(n_windows, n_chans, n_times)``, output ``(n_windows, num_features)``,
    equal to ``nn.GRU(n_chans, hidden_size, bidirectional=True)`` at its last step.

    References
    ----------
    K. Cho and others (2014), Learning phrase representations using RNN
    encoder-decoder. The last step as feature: public ResNet1D-GRU notebook of HMS.

    Examples
    --------
    >>> LastStepBiGRU(4, 8)(torch.zeros(2, 4, 10)).shape
    torch.Size([2, 16])
    """

    def __init__(self, n_chans: int, hidden_size: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.num_features = 2 * hidden_size
        self.forward_gru = nn.GRU(n_chans, hidden_size, batch_first=True)
        self.backward_gru = nn.GRU(n_chans, hidden_size, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Summarise windows.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Last step of the forward, then of the backward direction.
        """
        if self.stride > 1:
            x = nn.functional.avg_pool1d(x, self.stride, ceil_mode=True)
        steps = x.transpose(1, 2)
        _, last = self.forward_gru(steps)
        _, first_of_backward = self.backward_gru(steps[:, -1:].contiguous())
        return torch.cat([last[0], first_of_backward[0]], dim=1)
