"""Bilinear resizing as two matrix products."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

__all__ = ["ResizeMap"]


class ResizeMap(nn.Module):
    """Resize images of one size to another, with smoothing where they shrink.

    Parameters
    ----------
    in_size : tuple of (int, int)
        Height and width of the images.
    out_size : tuple of (int, int)
        Height and width that they get.

    Attributes
    ----------
    out_size : tuple of int
        As given.

    Raises
    ------
    ValueError
        If `out_size` is no height and width.

    Notes
    -----
    Input ``(..., *in_size)``, output ``(..., *out_size)``, equal to torch's bilinear
    interpolation with ``antialias=True``. As products with fixed matrices it has a
    gradient that is the same in every run on a GPU, and exports to ONNX.

    Examples
    --------
    >>> ResizeMap((2, 6), (4, 3))(torch.zeros(1, 1, 2, 6)).shape
    torch.Size([1, 1, 4, 3])
    """

    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(self, in_size: Sequence[int], out_size: Sequence[int]) -> None:
        super().__init__()
        self.in_size, self.out_size = tuple(in_size), tuple(out_size)
        if len(self.out_size) != 2 or min(self.out_size) < 1:
            raise ValueError(
                f"ResizeMap: out_size={out_size!r} must be a height and a width of at "
                "least one pixel."
            )
        self.register_buffer(
            "rows", _matrix(self.in_size[0], self.out_size[0]), persistent=False
        )
        self.register_buffer(
            "columns", _matrix(self.in_size[1], self.out_size[1]).T, persistent=False
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Resize images.

        Parameters
        ----------
        x : Tensor of shape (..., *in_size)
            Images.

        Returns
        -------
        Tensor of shape (..., *out_size)
            Images.
        """
        return self.rows.to(x.dtype) @ (x @ self.columns.to(x.dtype))

    def extra_repr(self) -> str:
        """Text inside the parentheses of ``repr``.

        Returns
        -------
        str
            The sizes.
        """
        return f"{self.in_size} -> {self.out_size}"


def _matrix(n_in: int, n_out: int) -> torch.Tensor:
    """Interpolate the unit vectors, one in a column."""
    return functional.interpolate(
        torch.eye(n_in)[None, None],
        size=(n_out, n_in),
        mode="bilinear",
        antialias=True,
    )[0, 0]
