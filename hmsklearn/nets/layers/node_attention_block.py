"""Attention between the nodes of a montage, which know their places."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["NodeAttentionBlock"]


class NodeAttentionBlock(nn.Module):
    """Self-attention over a fixed set of nodes, each with an embedding of its own.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    width : int
        Number of features of a node.
    n_heads : int, default=2
        Number of heads; divides `width`.
    mlp_ratio : int, default=4
        Width of the hidden layer, in units of `width`.
    drop_rate : float, default=0.0
        Dropout of the attention weights and of what the two parts add.

    Raises
    ------
    ValueError
        If `n_heads` does not divide `width`.

    Notes
    -----
    Input and output ``(n, n_nodes, width)``. A linear layer and the embeddings of the
    nodes come first, then layer norm, to which attention is added, then layer norm,
    to which a hidden layer with GELU is added.

    References
    ----------
    A. Vaswani and others (2017), Attention is all you need; the node-attention model
    of HMS (discussion 492189).

    Examples
    --------
    >>> NodeAttentionBlock(18, 8)(torch.zeros(2, 18, 8)).shape
    torch.Size([2, 18, 8])
    """

    def __init__(
        self,
        n_nodes: int,
        width: int,
        n_heads: int = 2,
        mlp_ratio: int = 4,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        if n_heads < 1 or width % n_heads:
            raise ValueError(
                f"NodeAttentionBlock: n_heads={n_heads} must divide width={width}."
            )
        self.n_heads = n_heads
        self.project = nn.Linear(width, width)
        self.places = nn.Parameter(torch.randn(n_nodes, width))
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, mlp_ratio * width),
            nn.GELU(),
            nn.Linear(mlp_ratio * width, width),
        )
        self.drop = nn.Dropout(drop_rate)

    def no_weight_decay(self) -> set[str]:
        """Names of the parameters that weight decay leaves alone.

        Returns
        -------
        set of str
            The embeddings of the nodes.
        """
        return {"places"}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Let nodes look at each other.

        Parameters
        ----------
        x : Tensor of shape (n, n_nodes, width)
            Features of the nodes.

        Returns
        -------
        Tensor of shape (n, n_nodes, width)
            Features of the nodes.
        """
        x = self.norm1(self.project(x) + self.places)
        n, n_nodes, width = x.shape
        heads = (n, n_nodes, 3, self.n_heads, width // self.n_heads)
        q, k, v = self.qkv(x).reshape(heads).permute(2, 0, 3, 1, 4).unbind(0)
        scale = (width // self.n_heads) ** -0.5
        weights = self.drop(((q * scale) @ k.transpose(2, 3)).softmax(dim=3))
        seen = (weights @ v).transpose(1, 2).reshape(n, n_nodes, width)
        x = self.norm2(x + self.drop(self.mix(seen)))
        return x + self.drop(self.mlp(x))
