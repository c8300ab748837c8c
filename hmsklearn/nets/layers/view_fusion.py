"""Joining the features of several views of a window."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from hmsklearn._params import check_choice, check_integer
from hmsklearn.nets.layers.attention_pool import AttentionPool

__all__ = ["ViewFusion"]


class ViewFusion(nn.Module):
    """Make one vector of the vectors of several views.

    Parameters
    ----------
    widths : mapping of str to int
        Number of features of each view, by name, in order.
    mode : {"concat", "attention"}, default="concat"
        Side by side; or each projected linearly to a common width, then their mean
        with weights that they give themselves.
    width : int, default=512
        The common width; also that of the hidden layer that scores.

    Attributes
    ----------
    num_features : int
        Width of the result.

    Raises
    ------
    ValueError
        If the mode is unknown or the width is not positive.

    Notes
    -----
    Input is a mapping of names to ``(n_windows, widths[name])``, without NaN; output is
    ``(n_windows, num_features)``.

    References
    ----------
    Side by side: 2nd place of HMS (discussion 492254), 6th (492619), 8th (492482) and
    15th. Attention over encoders: 9th (492429).

    Examples
    --------
    >>> features = {"raw": torch.zeros(2, 5), "image": torch.zeros(2, 7)}
    >>> ViewFusion({"raw": 5, "image": 7})(features).shape
    torch.Size([2, 12])
    >>> ViewFusion({"raw": 5, "image": 7}, "attention", width=4)(features).shape
    torch.Size([2, 4])
    """

    def __init__(
        self, widths: Mapping[str, int], mode: str = "concat", width: int = 512
    ) -> None:
        super().__init__()
        check_choice(mode, "mode", ("concat", "attention"), caller="ViewFusion")
        check_integer(width, "width", caller="ViewFusion", low=1)
        self.names = tuple(widths)
        self.num_features = sum(widths.values())
        self.project: nn.ModuleDict | None = None
        if mode == "attention":
            self.num_features = width
            self.project = nn.ModuleDict(
                {name: nn.Linear(n, width) for name, n in widths.items()}
            )
            self.pool = AttentionPool(width, hidden=width)

    def weights(self, features: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Weights of the views in each window.

        Parameters
        ----------
        features : mapping of str to Tensor of shape (n_windows, widths[name])
            Features by view.

        Returns
        -------
        Tensor of shape (n_windows, n_views)
            Weights; their sum is one.

        Raises
        ------
        ValueError
            If the views are put side by side, where they have none.
        """
        if self.project is None:
            raise ValueError(
                "ViewFusion: there are no weights with mode='concat'. Use 'attention'."
            )
        return self.pool.weights(self._common(self.project, features)).squeeze(2)

    def forward(self, features: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Join features.

        Parameters
        ----------
        features : mapping of str to Tensor of shape (n_windows, widths[name])
            Features by view.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Joined features.
        """
        if self.project is None:
            return torch.cat([features[name] for name in self.names], dim=1)
        return self.pool(self._common(self.project, features))

    def _common(
        self, project: nn.ModuleDict, features: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        return torch.stack(
            [project[name](features[name]) for name in self.names], dim=1
        )
