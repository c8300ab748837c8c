"""The block of Squeezeformer: attention and convolution, each with a feed-forward."""

from __future__ import annotations

from torch import nn

from hmsklearn.nets.layers.feed_forward import FeedForward
from hmsklearn.nets.layers.glu_conv import GLUConv1d
from hmsklearn.nets.layers.post_norm import PostNorm
from hmsklearn.nets.layers.rotary_attention import RotaryAttention

__all__ = ["SqueezeformerBlock"]


class SqueezeformerBlock(nn.Sequential):
    """Attention, feed-forward, convolution, feed-forward, normalised after each.

    Parameters
    ----------
    width : int
        Width of a step, a multiple of `n_heads`.
    n_heads : int
        Number of heads of the attention.
    n_steps : int
        Number of steps.
    ff_expansion : int, default=1
        The hidden layers of the feed-forwards are this many times as wide.
    conv_expansion : int, default=2
        Even factor of :class:`hmsklearn.nets.layers.GLUConv1d`.
    kernel_size : int, default=51
        Odd length of the depth-wise convolution.
    dropout : float, default=0.0
        Dropout of attention weights, in feed-forwards and after the convolution.

    Notes
    -----
    Input and output ``(n_windows, n_steps, width)``.

    References
    ----------
    S. Kim and others (2022), Squeezeformer. Rotary attention in the place of relative
    positions: 3rd place of HMS (discussion 492471).

    Examples
    --------
    >>> import torch
    >>> SqueezeformerBlock(8, 2, 30, kernel_size=5)(torch.zeros(2, 30, 8)).shape
    torch.Size([2, 30, 8])
    """

    def __init__(
        self,
        width: int,
        n_heads: int,
        n_steps: int,
        *,
        ff_expansion: int = 1,
        conv_expansion: int = 2,
        kernel_size: int = 51,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            PostNorm(RotaryAttention(width, n_heads, n_steps, dropout), width),
            PostNorm(FeedForward(width, ff_expansion, dropout), width),
            PostNorm(GLUConv1d(width, kernel_size, conv_expansion, dropout), width),
            PostNorm(FeedForward(width, ff_expansion, dropout), width),
        )
