"""Bring windows to the scale that initial weights expect."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["InputNorm"]


class InputNorm(nn.Module):
    """Subtract a mean and divide by a standard deviation.

    Parameters
    ----------
    mode : {"global", "window"} or None
        ``"global"`` uses one mean and one standard deviation, the buffers ``mean``
        and ``std``, for everything, so that the relations between channels stay.
        ``"window"`` uses those of each window, over all its axes, which forgets its
        amplitude. None changes nothing.

    Attributes
    ----------
    mean, std : Tensor
        Scalars; 0 and 1 until ``set_statistics``. With ``mode="global"`` they are
        buffers and travel in the state dict; otherwise they do not exist.

    Notes
    -----
    Input may have any number of axes, the first being windows; no NaN. A window or
    data set without variance is divided by one.

    Examples
    --------
    >>> InputNorm("window")(torch.tensor([[[1.0, 3.0]]])).tolist()
    [[[-1.0, 1.0]]]
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mode: str | None = "global") -> None:
        super().__init__()
        if mode not in ("global", "window", None):
            raise ValueError(
                f"InputNorm: mode={mode!r} is not known. Give 'global', 'window' or "
                "None."
            )
        self.mode = mode
        if mode == "global":
            self.register_buffer("mean", torch.zeros(()))
            self.register_buffer("std", torch.ones(()))

    def set_statistics(self, mean: float, std: float) -> None:
        """Set what ``mode="global"`` subtracts and divides by.

        Parameters
        ----------
        mean : float
            Mean of the training windows.
        std : float
            Their standard deviation; 0 counts as 1.
        """
        self.mean.fill_(mean)
        self.std.fill_(std if std > 0 else 1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise a batch.

        Parameters
        ----------
        x : Tensor of shape (n_windows, ...)
            Windows.

        Returns
        -------
        Tensor
            Normalised windows of the same shape.
        """
        if self.mode is None:
            return x
        if self.mode == "global":
            return (x - self.mean) / self.std
        axes = tuple(range(1, x.ndim))
        std, mean = torch.std_mean(x, dim=axes, correction=0, keepdim=True)
        return (x - mean) / torch.where(std > 0, std, torch.ones_like(std))

    def extra_repr(self) -> str:
        """Text inside the parentheses of ``repr``.

        Returns
        -------
        str
            The mode.
        """
        return f"mode={self.mode!r}"
