"""One branch of a net of several views: frontend, normalisation, backbone, no head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from hmsklearn.nets._base import BaseNet
from hmsklearn.nets.layers import InputNorm

__all__ = ["ViewBranch"]


class ViewBranch(nn.Module):
    """A backbone that gives features, behind what its view needs.

    Parameters
    ----------
    name : str
        Name of the branch, for messages.
    body : torch.nn.Module
        A :class:`hmsklearn.nets.BaseNet`, or another module with the methods
        ``forward_features`` and ``forward_head(x, pre_logits=True)`` and
        ``num_features``, such as timm's models. Its head is taken off.
    input_norm : {"global", "window"} or None, default=None
        Mode of :class:`hmsklearn.nets.layers.InputNorm`.
    frontend : torch.nn.Module, optional
        What turns a batch of the view into what `body` takes, before the
        normalisation.

    Attributes
    ----------
    num_features : int
        Number of features.
    head_keys : frozenset of str
        Names of the weights of the head that was taken off.
    """

    def __init__(
        self,
        name: str,
        body: nn.Module,
        input_norm: str | None = None,
        frontend: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if not hasattr(body, "forward_features") or not hasattr(body, "num_features"):
            raise TypeError(
                f"MultiViewNet: branch {name!r} is a {type(body).__name__}, which has "
                "no forward_features and num_features. Give a net of this package or a "
                "model of timm."
            )
        self.frontend = frontend
        self.norm = InputNorm(input_norm)
        with_head = set(body.state_dict())
        if isinstance(body, BaseNet):
            body.reset_head(0)
        elif hasattr(body, "reset_classifier"):
            body.reset_classifier(0)  # type: ignore[operator]
        self.body: Any = body
        self.head_keys = frozenset(with_head - set(body.state_dict()))
        # Some models of timm have a hidden layer between pooling and classifier.
        hidden = getattr(body, "head_hidden_size", None)
        self.num_features = int(hidden or body.num_features)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows of the view to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, ...)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Features.
        """
        if self.frontend is not None:
            x = self.frontend(x)
        x = self.norm(x)
        if isinstance(self.body, BaseNet):
            self.body.check_input(x)
        return self.body.forward_head(self.body.forward_features(x), pre_logits=True)

    def load(self, state: Mapping[str, torch.Tensor], name: str) -> None:
        """Take over weights of a net that was trained alone.

        Parameters
        ----------
        state : mapping of str to Tensor
            State dict of the backbone, or of the module of a fitted estimator, whose
            names start with ``body.`` and ``norm.``. Weights of a head are left out.
        name : str
            Name of the branch, for messages.

        Raises
        ------
        ValueError
            If names or shapes do not fit.
        """
        whole = any(key.startswith("body.") for key in state)
        body = {
            key.removeprefix("body.") if whole else key: value
            for key, value in state.items()
            if not whole or key.startswith("body.")
        }
        body = {key: value for key, value in body.items() if not self._of_head(key)}
        own = self.body.state_dict()
        problems = [f"{key} is missing" for key in own if key not in body]
        problems += [f"{key} is unknown" for key in body if key not in own]
        problems += [
            f"{key} has shape {tuple(value.shape)} instead of {tuple(own[key].shape)}"
            for key, value in body.items()
            if key in own and value.shape != own[key].shape
        ]
        if problems:
            raise ValueError(
                f"MultiViewNet: the weights do not fit branch {name!r}: "
                f"{'; '.join(problems[:3])} ({len(problems)} such in all). Give those "
                "of a net that was built with the same parameters."
            )
        self.body.load_state_dict(body)
        if self.norm.mode == "global" and "norm.mean" in state:
            self.norm.set_statistics(
                float(state["norm.mean"]), float(state["norm.std"])
            )

    def _of_head(self, key: str) -> bool:
        # A net of this package may have been trained with another kind of head.
        replaced = isinstance(self.body, BaseNet) and key.startswith("head.")
        return replaced or key in self.head_keys
