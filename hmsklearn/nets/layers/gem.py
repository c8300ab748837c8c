"""Generalised mean pooling: between the average and the maximum."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from hmsklearn._params import check_real

__all__ = ["GeM", "gem"]


def gem(
    x: torch.Tensor,
    p: float | torch.Tensor = 3.0,
    eps: float = 1e-6,
    dims: Sequence[int] = (-2, -1),
) -> torch.Tensor:
    """Pool axes by the generalised mean.

    Parameters
    ----------
    x : Tensor
        Maps. Values below `eps` count as `eps`.
    p : float or Tensor of one element, default=3.0
        Exponent: 1 is the average, the larger the closer to the maximum.
    eps : float, default=1e-6
        Floor of the values, above 0, since powers of negative numbers are not defined.
    dims : sequence of int, default=(-2, -1)
        Axes that are pooled away.

    Returns
    -------
    Tensor
        ``mean(max(x, eps) ** p) ** (1 / p)`` over `dims`.

    Notes
    -----
    No NaN. The maximum is taken out of the powers, so that they neither overflow nor
    vanish, whatever the exponent. Half-precision maps are computed in float32, as the
    default `eps` is close to the smallest number that half precision can hold; the
    result has the type of the input.

    References
    ----------
    F. Radenovic, G. Tolias and O. Chum (2019), Fine-tuning CNN image retrieval with no
    human annotation. 3rd place of HMS (discussion 492471): p=3, trainable; 4th place
    (discussion 492240).

    Examples
    --------
    >>> x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    >>> gem(x, p=1.0)
    tensor([2.5000])
    >>> gem(x, p=3.0, dims=(-1,)).shape
    torch.Size([1, 2])
    """
    dtype = x.dtype
    # Half precision has no room for eps; double precision stays as it is.
    x = x.float() if dtype in (torch.float16, torch.bfloat16) else x
    dims = tuple(dims)
    x = x.clamp(min=eps)
    # A factor that cancels out: values and gradients are the same without it, as long
    # as the powers and their mean can be represented.
    largest = x.detach().amax(dim=dims, keepdim=True)
    pooled = (x / largest).pow(p).mean(dim=dims).pow(1.0 / p)
    # No sizes are written down here: an exported net takes any number of windows.
    return (pooled * largest.amax(dim=dims)).to(dtype)


class GeM(nn.Module):
    """Generalised mean pooling with an exponent that may learn.

    Parameters
    ----------
    p : float, default=3.0
        Exponent, or where it starts.
    trainable : bool, default=True
        Whether the exponent is a parameter that learns.
    eps : float, default=1e-6
        Floor of the values.
    dims : sequence of int, default=(-2, -1)
        Axes that are pooled away: height and width of images; ``(-1,)`` for time.

    Attributes
    ----------
    p : Tensor of shape (1,)
        The exponent: a parameter, or a buffer where it does not learn.

    Raises
    ------
    ValueError
        If `p` or `eps` is not above 0 or there is no axis to pool.

    Notes
    -----
    Input of any shape without NaN; output has the axes `dims` less. See
    :func:`hmsklearn.nets.layers.gem`.

    References
    ----------
    As of :func:`hmsklearn.nets.layers.gem`.

    Examples
    --------
    >>> GeM()(torch.ones(2, 8, 4, 5)).shape
    torch.Size([2, 8])
    >>> GeM(p=4, trainable=False, dims=(-1,))(torch.ones(2, 8, 5)).shape
    torch.Size([2, 8])
    """

    p: torch.Tensor

    def __init__(
        self,
        p: float = 3.0,
        trainable: bool = True,
        eps: float = 1e-6,
        dims: Sequence[int] = (-2, -1),
    ) -> None:
        super().__init__()
        p = check_real(p, "p", caller="GeM", low=0, low_open=True)
        self.eps = check_real(eps, "eps", caller="GeM", low=0, low_open=True)
        self.dims = tuple(dims)
        if not self.dims:
            raise ValueError("GeM: dims is empty. Name at least one axis to pool.")
        exponent = torch.full((1,), p)
        if trainable:
            self.p = nn.Parameter(exponent)
        else:
            self.register_buffer("p", exponent)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool maps.

        Parameters
        ----------
        x : Tensor
            Maps.

        Returns
        -------
        Tensor
            Maps without the axes `dims`.
        """
        return gem(x, self.p, self.eps, self.dims)

    def extra_repr(self) -> str:
        """Text inside the parentheses of ``repr``.

        Returns
        -------
        str
            Exponent, whether it learns, and the axes.
        """
        trainable = isinstance(self.p, nn.Parameter)
        return f"p={self.p.item():.3g}, trainable={trainable}, dims={self.dims}"
