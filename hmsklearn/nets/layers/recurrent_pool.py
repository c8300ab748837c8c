"""A recurrent net over time and one vector from what it gives."""

from __future__ import annotations

import torch
from torch import nn

from hmsklearn.nets.layers.sequence_pool import SequencePool

__all__ = ["RecurrentPool"]

_CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentPool(nn.Module):
    """GRU or LSTM layers, then pooling of their steps.

    Parameters
    ----------
    in_features : int
        Number of maps.
    hidden_size : int
        Width of each direction.
    cell : {"gru", "lstm"}, default="gru"
        Kind of recurrent net.
    n_layers : int, default=1
        Number of layers.
    bidirectional : bool, default=True
        Whether a second net reads from the end.
    dropout : float, default=0.0
        Dropout between layers; needs two of them or more.
    pool : {"final", "last", "mean", "max", "mean_max", "attention"}, default="final"
        ``"final"`` takes each direction of the last layer where it has read
        everything, ``"last"`` both directions at the last step, where the one from
        the end has read one step; the others are those of :class:`SequencePool`.

    Attributes
    ----------
    num_features : int
        Number of features that leave.

    Raises
    ------
    ValueError
        If a parameter is not usable.

    Notes
    -----
    Input ``(n, in_features, n_steps)``, output ``(n, num_features)``. The steps run
    one after the other: time grows with their number, whatever the device.

    References
    ----------
    K. Cho and others (2014), Learning phrase representations using RNN
    encoder-decoder; S. Hochreiter and J. Schmidhuber (1997), Long short-term memory.

    Examples
    --------
    >>> layer = RecurrentPool(4, 8, pool="mean")
    >>> layer(torch.zeros(2, 4, 10)).shape
    torch.Size([2, 16])
    """

    def __init__(
        self,
        in_features: int,
        hidden_size: int,
        *,
        cell: str = "gru",
        n_layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
        pool: str = "final",
    ) -> None:
        super().__init__()
        if cell not in _CELLS:
            raise ValueError(
                f"RecurrentPool: cell={cell!r} is not known. Give one of "
                f"{sorted(_CELLS)}."
            )
        if min(hidden_size, n_layers) < 1:
            raise ValueError(
                "RecurrentPool: hidden_size and n_layers must be at least 1, got "
                f"hidden_size={hidden_size}, n_layers={n_layers}."
            )
        if dropout and n_layers == 1:
            raise ValueError(
                f"RecurrentPool: dropout={dropout} acts between layers, and there is "
                "one layer. Give n_layers=2 or more, or no dropout."
            )
        self.rnn = _CELLS[cell](
            in_features,
            hidden_size,
            n_layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout,
        )
        self.n_directions = 2 if bidirectional else 1
        width = self.n_directions * hidden_size
        self.pool = None if pool == "final" else SequencePool(width, pool)
        self.num_features = width if self.pool is None else self.pool.num_features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Summarise sequences.

        Parameters
        ----------
        x : Tensor of shape (n, in_features, n_steps)
            Maps.

        Returns
        -------
        Tensor of shape (n, num_features)
            Features.
        """
        # Without a copy in the order of steps cuDNN would make one at every call.
        steps, state = self.rnn(x.transpose(1, 2).contiguous())
        if self.pool is not None:
            return self.pool(steps.transpose(1, 2))
        hidden = state[0] if isinstance(state, tuple) else state
        return torch.cat(hidden[-self.n_directions :].unbind(0), dim=1)
