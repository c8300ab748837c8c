"""One vector from a sequence of them."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["SequencePool"]

_MODES = ("last", "mean", "max", "mean_max", "attention")


class SequencePool(nn.Module):
    """Pool maps over time.

    Parameters
    ----------
    in_features : int
        Number of maps.
    mode : {"last", "mean", "max", "mean_max", "attention"}, default="mean"
        The last step; the mean; the maximum; mean and maximum side by side; or a mean
        with weights from the maps themselves: a linear layer, tanh, a linear layer to
        one score for each step, softmax over the steps.
    attention_width : int, default=None
        Width of the hidden layer of the attention; None takes that of the maps.

    Attributes
    ----------
    num_features : int
        Number of features that leave: twice `in_features` for ``"mean_max"``.

    Raises
    ------
    ValueError
        If the mode is not known.

    Notes
    -----
    Input ``(n, in_features, n_steps)``, output ``(n, num_features)``.

    References
    ----------
    Z. Lin and others (2017), A structured self-attentive sentence embedding (with one
    row of weights). Seen in HMS at the 6th (discussion 492619) and the 15th place.

    Examples
    --------
    >>> SequencePool(4, "mean_max")(torch.zeros(2, 4, 10)).shape
    torch.Size([2, 8])
    """

    def __init__(
        self,
        in_features: int,
        mode: str = "mean",
        attention_width: int | None = None,
    ) -> None:
        super().__init__()
        if mode not in _MODES:
            raise ValueError(
                f"SequencePool: mode={mode!r} is not known. Give one of {_MODES}."
            )
        self.mode = mode
        self.num_features = 2 * in_features if mode == "mean_max" else in_features
        if mode == "attention":
            hidden = in_features if attention_width is None else attention_width
            self.score = nn.Sequential(
                nn.Linear(in_features, hidden), nn.Tanh(), nn.Linear(hidden, 1)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool sequences.

        Parameters
        ----------
        x : Tensor of shape (n, in_features, n_steps)
            Maps.

        Returns
        -------
        Tensor of shape (n, num_features)
            Features.
        """
        if self.mode == "last":
            return x[..., -1]
        if self.mode == "mean":
            return x.mean(dim=2)
        if self.mode == "max":
            return x.amax(dim=2)
        if self.mode == "mean_max":
            return torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1)
        weights = self.score(x.transpose(1, 2)).softmax(dim=1)
        return (x @ weights).squeeze(2)

    def extra_repr(self) -> str:
        """Text inside the parentheses of ``repr``.

        Returns
        -------
        str
            The mode.
        """
        return f"mode={self.mode!r}"
