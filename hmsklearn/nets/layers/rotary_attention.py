"""Self-attention of several heads with rotary positions."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from hmsklearn.nets.layers.rotary import rotary_angles, rotate

__all__ = ["RotaryAttention"]


class RotaryAttention(nn.Module):
    """Every step asks all steps; positions enter by turning queries and keys.

    Parameters
    ----------
    width : int
        Width of a step, a multiple of `n_heads`.
    n_heads : int
        Number of heads.
    n_steps : int
        Number of steps; the angles for them are made once.
    dropout : float, default=0.0
        Dropout of the attention weights.

    Notes
    -----
    Input and output ``(n_windows, n_steps, width)``. No layer has a bias. PyTorch
    chooses the kernel (flash attention on GPUs where the type allows).

    References
    ----------
    A. Vaswani and others (2017), Attention is all you need; J. Su and others (2021),
    RoFormer. Without biases: 3rd place of HMS (discussion 492471).

    Examples
    --------
    >>> RotaryAttention(8, 2, 30)(torch.zeros(2, 30, 8)).shape
    torch.Size([2, 30, 8])
    """

    cos: torch.Tensor
    sin: torch.Tensor

    def __init__(
        self, width: int, n_heads: int, n_steps: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if n_heads < 1 or width % n_heads:
            raise ValueError(
                f"RotaryAttention: width={width} cannot be shared by n_heads={n_heads} "
                "heads. Give a number of heads that divides the width."
            )
        self.n_heads = n_heads
        self.dropout = dropout
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        cos, sin = rotary_angles(n_steps, width // n_heads)
        # Made anew with the net, so that weights of other lengths can be loaded.
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attend.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_steps, width)
            Steps.

        Returns
        -------
        Tensor of shape (n_windows, n_steps, width)
            Steps.
        """
        query, key, value = (
            layer(x).unflatten(2, (self.n_heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        out = functional.scaled_dot_product_attention(
            rotate(query, self.cos, self.sin),
            rotate(key, self.cos, self.sin),
            value,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(out.transpose(1, 2).flatten(2))
