"""Pooling of all positions of a feature map by name."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hmsklearn._params import check_choice
from hmsklearn.nets.layers.attention_pool import AttentionPool
from hmsklearn.nets.layers.gem import GeM

__all__ = ["POOLS", "GlobalPool", "create_pool"]

#: Names that ``create_pool`` knows.
POOLS = ("avg", "max", "avgmax", "gem", "gem_trainable", "attention")

#: Parameters of the poolings that have some.
_PARAMS = {
    "gem": ("p", "eps"),
    "gem_trainable": ("p", "eps"),
    "attention": ("hidden",),
}


class GlobalPool(nn.Module):
    """Features of a map, whatever its number of axes.

    Parameters
    ----------
    name : {"avg", "max", "avgmax", "gem", "gem_trainable", "attention"}
        Mean; maximum; both, the mean first; generalised mean with the exponent 3, fixed
        or trainable; attention with a tanh layer of 2048.
    n_features : int
        Number of maps.
    **params : float
        Other numbers than these: ``p`` and ``eps`` of the generalised mean, see
        :class:`GeM`; ``hidden`` of the attention, see :class:`AttentionPool`.

    Attributes
    ----------
    num_features : int
        Width of the output: twice `n_features` for ``"avgmax"``, else `n_features`.

    Raises
    ------
    ValueError
        If the name is not known, or the pooling has no such parameter.

    Notes
    -----
    Input ``(n_windows, n_features, *positions)`` with one position axis or more, no
    NaN; output ``(n_windows, num_features)``. The order of the positions plays no part.
    The generalised mean takes values below 1e-6 for 1e-6: it is meant for maps that
    come from a ReLU or its smooth relatives.

    References
    ----------
    3rd place of HMS (discussion 492471): trainable generalised mean. 4th place
    (discussion 492240): mean beside maximum. 15th place: attention. 3rd place of SETI:
    generalised mean with p=4.

    Examples
    --------
    >>> pool = GlobalPool("avgmax", 8)
    >>> pool(torch.zeros(2, 8, 4, 5)).shape
    torch.Size([2, 16])
    >>> GlobalPool("gem", 8, p=4.0).pool.p
    tensor([4.])
    """

    def __init__(self, name: str, n_features: int, **params: Any) -> None:
        super().__init__()
        self.name = check_choice(name, "pool", POOLS, caller="GlobalPool")
        known = _PARAMS.get(name, ())
        unknown = sorted(set(params) - set(known))
        if unknown:
            raise ValueError(
                f"GlobalPool: the pooling {name!r} has no parameters {unknown}, "
                f"{f'only {list(known)}' if known else 'and no others'}. Leave them "
                "out or name another pooling."
            )
        self.num_features = n_features * (2 if name == "avgmax" else 1)
        self.pool: nn.Module | None = None
        if name in ("gem", "gem_trainable"):
            self.pool = GeM(trainable=name == "gem_trainable", dims=(-1,), **params)
        elif name == "attention":
            self.pool = AttentionPool(n_features, **params)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool maps.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_features, *positions)
            Maps.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Features.
        """
        positions = tuple(range(2, x.ndim))
        if self.name == "avg":
            return x.mean(dim=positions)
        if self.name == "max":
            return x.amax(dim=positions)
        if self.name == "avgmax":
            return torch.cat([x.mean(dim=positions), x.amax(dim=positions)], dim=1)
        x = x.flatten(2)
        if self.name == "attention":
            x = x.transpose(1, 2)
        return self.pool(x)  # type: ignore[misc]

    def extra_repr(self) -> str:
        """Text inside the parentheses of ``repr``.

        Returns
        -------
        str
            The name.
        """
        return repr(self.name)


def create_pool(name: str, n_features: int, **params: Any) -> GlobalPool:
    """Build a pooling by name.

    Parameters
    ----------
    name : {"avg", "max", "avgmax", "gem", "gem_trainable", "attention"}
        Its name, see :class:`GlobalPool`.
    n_features : int
        Number of maps.
    **params : float
        Parameters of the pooling, see :class:`GlobalPool`.

    Returns
    -------
    GlobalPool
        The pooling; ``num_features`` is the width of what it gives.

    Raises
    ------
    ValueError
        If the name is not known, or the pooling has no such parameter.

    Examples
    --------
    >>> create_pool("gem", 8)(torch.ones(2, 8, 7)).shape
    torch.Size([2, 8])
    """
    return GlobalPool(name, n_features, **params)
