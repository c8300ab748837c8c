"""Convolution whose filters cannot grow beyond a length."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["MaxNormConv2d"]


class MaxNormConv2d(nn.Conv2d):
    """2-D convolution that uses filters of bounded Euclidean norm.

    Parameters
    ----------
    *args : object
        Parameters of :class:`torch.nn.Conv2d`.
    max_norm : float, default=1.0
        Bound of the norm of each filter; None sets none.
    **kwargs : object
        Further parameters of :class:`torch.nn.Conv2d`.

    Raises
    ------
    ValueError
        If `max_norm` is not positive.

    Notes
    -----
    A longer filter is scaled down where it is used; the parameter itself stays, so
    that no step between the optimiser's is needed.

    References
    ----------
    V. Lawhern and others (2018), EEGNet: a compact convolutional neural network for
    EEG-based brain-computer interfaces.

    Examples
    --------
    >>> conv = MaxNormConv2d(2, 4, (3, 1), groups=2, bias=False, max_norm=0.5)
    >>> conv(torch.zeros(1, 2, 3, 10)).shape
    torch.Size([1, 4, 1, 10])
    >>> bool((conv.bounded_weight().flatten(1).norm(dim=1) <= 0.5001).all())
    True
    """

    def __init__(
        self, *args: object, max_norm: float | None = 1.0, **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        if max_norm is not None and max_norm <= 0:
            raise ValueError(f"MaxNormConv2d: max_norm={max_norm} must be above 0.")
        self.max_norm = max_norm

    def bounded_weight(self) -> torch.Tensor:
        """Weights that the convolution uses.

        Returns
        -------
        Tensor
            Of the shape of ``weight``.
        """
        if self.max_norm is None:
            return self.weight
        square = self.weight.square().sum(dim=(1, 2, 3), keepdim=True)
        # The smallest normal number keeps the gradient of a filter of zeros finite.
        norm = square.clamp_min(torch.finfo(square.dtype).tiny).sqrt()
        return self.weight * (self.max_norm / norm).clamp_max(1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve.

        Parameters
        ----------
        x : Tensor of shape (n, in_channels, height, width)
            Maps.

        Returns
        -------
        Tensor of shape (n, out_channels, height, width)
            Maps.
        """
        return self._conv_forward(x, self.bounded_weight(), self.bias)
