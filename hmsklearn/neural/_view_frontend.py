"""What stands between the views of a window and the branches of a net."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from hmsklearn.nets.layers import missing_share

__all__ = ["ViewFrontend"]


class ViewFrontend(nn.Module):
    """Give every branch its view, through its frontend.

    Parameters
    ----------
    branches : mapping of str to (str or None, torch.nn.Module or None)
        For every branch the name of its view, None where there is one array for all
        of them, and its frontend, None where the view is taken as it is.
    input_shape : dict of str to tuple of int, or tuple of int
        Shape of one window of each view, or of the one array.
    shared : torch.nn.Module, optional
        What the one array goes through before the branches get it.

    Attributes
    ----------
    output_shape : dict of str to tuple of int
        Shape of one window of what each branch gets.

    Examples
    --------
    >>> frontend = ViewFrontend({"raw": ("eeg", None)}, {"eeg": (18, 2000)})
    >>> frontend.output_shape
    {'raw': (18, 2000)}
    >>> list(frontend({"eeg": torch.zeros(2, 18, 2000)}))
    ['raw']
    """

    def __init__(
        self,
        branches: Mapping[str, tuple[str | None, nn.Module | None]],
        input_shape: Any,
        shared: Any = None,
    ) -> None:
        super().__init__()
        self.views = {name: view for name, (view, _) in branches.items()}
        self.frontends = nn.ModuleDict(
            {name: part for name, (_, part) in branches.items() if part is not None}
        )
        self.shared = shared
        self.input_shape = input_shape
        behind = input_shape if shared is None else shared.output_shape
        self.output_shape = {
            name: (
                self.frontends[name].output_shape
                if name in self.frontends
                else tuple(behind if view is None else behind[view])
            )
            for name, view in self.views.items()
        }

    def forward(self, x: Any) -> dict[str, torch.Tensor]:
        """Prepare a batch.

        Parameters
        ----------
        x : mapping of str to Tensor, or Tensor
            The views, or the one array.

        Returns
        -------
        dict of str to Tensor
            What each branch takes, by its name.
        """
        if self.shared is not None:
            x = self.shared(x)
        out = {}
        for name, view in self.views.items():
            value = x if view is None else x[view]
            out[name] = self.frontends[name](value) if name in self.frontends else value
        return out

    def with_shared(self, shared: Any, input_shape: tuple[int, ...]) -> ViewFrontend:
        """Put another module in front of the same branches.

        Parameters
        ----------
        shared : torch.nn.Module or None
            What the one array goes through before the branches get it.
        input_shape : tuple of int
            Shape of one window of that array.

        Returns
        -------
        ViewFrontend
            A new one, which has the frontends of the branches in common with this one.
        """
        frontends = dict(self.frontends.items())
        parts = {name: (v, frontends.get(name)) for name, v in self.views.items()}
        return ViewFrontend(parts, input_shape, shared)

    def missing(self, x: Any) -> dict[str, torch.Tensor]:
        """Share of NaN in every channel of what the branches look at.

        Parameters
        ----------
        x : mapping of str to Tensor, or Tensor
            The views before anything fills them.

        Returns
        -------
        dict of str to Tensor of shape (n_windows, n_chans)
            Shares by branch.
        """
        return {
            name: missing_share(x if view is None else x[view])
            for name, view in self.views.items()
        }
