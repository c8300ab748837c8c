"""The end of a net: dropout, linear layers, one or two populations of voters."""

from __future__ import annotations

import torch
from torch import nn

from hmsklearn._params import check_real

__all__ = ["VoteHead"]


class VoteHead(nn.Module):
    """From features to the logits of votes.

    Parameters
    ----------
    in_features : int
        Number of features.
    n_outputs : int
        Number of classes.
    drop_rate : float, default=0.0
        Dropout in front of the last linear layer.
    n_samples : int, default=1
        Multi-sample dropout: so many dropout masks of the same features. Costs next to
        nothing, since only the last layer is repeated.
    hidden : int, default=None
        Width of a hidden layer (linear, batch norm, ReLU) in front.
    vote_threshold : float, default=None
        Two populations: windows with fewer votes than this train a head of their own,
        and predictions come from the head of the others.

    Attributes
    ----------
    together : bool
        Whether all windows train the head that predicts; False at first.

    Raises
    ------
    ValueError
        If a parameter is not usable.

    Notes
    -----
    With `n_samples` above one the output in training is ``(n_windows, n_samples,
    n_outputs)``, and the loss of a classifier is the mean of the losses of the samples.
    In evaluation there is no dropout, and the output is ``(n_windows, n_outputs)`` as
    ever.

    With `vote_threshold`, windows whose number of votes is unknown count as having
    many; a classifier refuses them. Both heads start alike, so that the second one has
    not to learn from nothing where few windows have so many votes.

    References
    ----------
    Multi-sample dropout, whose losses are averaged: H. Inoue (2019). Two heads, for at
    least 10 votes and for fewer: 10th place of HMS (discussion 492207). The hidden
    layer: yu4u of the 4th place (discussion 492240).

    Examples
    --------
    >>> head = VoteHead(8, 6, drop_rate=0.5, n_samples=5, vote_threshold=10)
    >>> head(torch.zeros(3, 8), total_votes=torch.tensor([3.0, 12.0, 14.0])).shape
    torch.Size([3, 5, 6])
    >>> head.eval()(torch.zeros(3, 8)).shape
    torch.Size([3, 6])
    """

    def __init__(
        self,
        in_features: int,
        n_outputs: int,
        *,
        drop_rate: float = 0.0,
        n_samples: int = 1,
        hidden: int | None = None,
        vote_threshold: float | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= drop_rate < 1:
            raise ValueError(
                f"VoteHead: drop_rate={drop_rate!r} must be at least 0 and below 1."
            )
        if n_samples < 1 or (hidden is not None and hidden < 1):
            raise ValueError(
                f"VoteHead: n_samples={n_samples!r} and hidden={hidden!r} must be at "
                "least 1."
            )
        if n_samples > 1 and drop_rate == 0:
            raise ValueError(
                f"VoteHead: n_samples={n_samples} without dropout averages equal "
                "numbers. Give a drop_rate."
            )
        if vote_threshold is not None:
            check_real(
                vote_threshold,
                "vote_threshold",
                caller="VoteHead",
                low=0,
                low_open=True,
            )
        self.n_samples = n_samples
        self.vote_threshold = vote_threshold
        self.together = False
        self.hidden: nn.Module = nn.Identity()
        if hidden is not None:
            self.hidden = nn.Sequential(
                nn.Linear(in_features, hidden), nn.BatchNorm1d(hidden), nn.ReLU()
            )
            in_features = hidden
        self.drop = nn.Dropout(drop_rate)
        self.linear = nn.Linear(in_features, n_outputs)
        self.linear_few: nn.Linear | None = None
        if vote_threshold is not None:
            self.linear_few = nn.Linear(in_features, n_outputs)
            self.align()

    def align(self) -> None:
        """Start the head of the few from the one that predicts."""
        if self.linear_few is not None:
            self.linear_few.load_state_dict(self.linear.state_dict())

    def forward(
        self, x: torch.Tensor, total_votes: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Map features to logits.

        Parameters
        ----------
        x : Tensor of shape (n_windows, in_features)
            Features.
        total_votes : Tensor of shape (n_windows,), optional
            Votes behind each window; NaN where unknown. Only used in training.

        Returns
        -------
        Tensor of shape (n_windows, n_outputs)
            Logits; of every sample, ``(n_windows, n_samples, n_outputs)``, in training
            with several.
        """
        x = self.hidden(x)
        if not self.training or self.n_samples == 1:
            return self._linear(self.drop(x), total_votes)
        samples = [
            self._linear(self.drop(x), total_votes) for _ in range(self.n_samples)
        ]
        return torch.stack(samples, dim=1)

    def _linear(
        self, x: torch.Tensor, total_votes: torch.Tensor | None
    ) -> torch.Tensor:
        logits = self.linear(x)
        apart = self.training and not self.together and total_votes is not None
        if self.linear_few is None or not apart:
            return logits
        assert total_votes is not None
        assert self.vote_threshold is not None  # there is a second layer only with it
        few = (total_votes < self.vote_threshold)[:, None]
        return torch.where(few, self.linear_few(x), logits)
