"""What stands in the place of what is blanked."""

from __future__ import annotations

from typing import Any

import torch

from hmsklearn._params import check_real

__all__ = ["blanked", "check_fill"]


def check_fill(fill: Any, *, caller: str) -> None:
    """Check the value of what is blanked: a number or ``"mean"``."""
    if isinstance(fill, str):
        if fill != "mean":
            raise ValueError(
                f"{caller}: fill must be a number or 'mean', got {fill!r}."
            )
        return
    check_real(fill, "fill", caller=caller)


def blanked(x: torch.Tensor, mask: torch.Tensor, fill: float | str) -> torch.Tensor:
    """Put a number, or the mean of each plane or channel, where a mask is True."""
    if not isinstance(fill, str):
        return x.masked_fill(mask, fill)
    wide = x if x.dtype == torch.float64 else x.float()
    axes = (-1,) if x.ndim == 3 else (-2, -1)
    # NaN that stays outside the mask must not spread into it.
    mean = wide.nanmean(dim=axes, keepdim=True)
    return torch.where(mask, mean.to(x.dtype), x)
