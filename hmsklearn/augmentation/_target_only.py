"""What augmentations of the target share: windows stay as they are."""

from __future__ import annotations

from typing import Any

import torch

from hmsklearn.augmentation._base import BaseAugmentation

__all__ = ["TargetAugmentation"]


class TargetAugmentation(BaseAugmentation):
    """Base of what changes targets and no windows."""

    def transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None = None
    ) -> torch.Tensor:
        """Leave windows as they are.

        Parameters
        ----------
        x : Tensor of shape (n_windows, ...)
            Windows.
        params : dict
            What :meth:`draw` gave.
        view : str, optional
            Name of the view that the windows are.

        Returns
        -------
        Tensor of shape (n_windows, ...)
            `x` itself: a copy would cost time and show nothing.
        """
        return x

    def _check_input(self, x: torch.Tensor) -> None:
        """Accept windows of any kind."""
