"""Squeezeformer on raw signals: a convolutional stem, attention over time."""

from __future__ import annotations

import torch
from torch import nn

from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import (
    ElectrodeStem,
    GeM,
    SelfAttentionPool,
    SqueezeformerBlock,
    checkpoint_sequential,
    gem,
)

__all__ = ["Squeezeformer"]


@register_net("squeezeformer_196", width=196, pool="attention")
@register_net("squeezeformer")
class Squeezeformer(BaseNet):
    """Convolutions turn 32 samples into a step; Squeezeformer blocks relate the steps.

    The stem keeps electrodes apart but for one convolution over three neighbours. A
    generalised mean over electrodes gives one token a step; blocks of rotary
    self-attention, feed-forward, gated convolution and feed-forward follow, without
    reducing time; tokens are pooled over time.

    Parameters
    ----------
    n_chans : int
        Number of channels, at least 3.
    n_outputs : int
        Number of classes.
    n_times : int
        Number of samples in time.
    width : int, default=128
        Width of the tokens, and number of maps of the stem; a multiple of 4 and of
        `n_heads`.
    n_blocks : int, default=3
        Number of Squeezeformer blocks.
    n_heads : int, default=4
        Number of heads of the attention.
    ff_expansion : int, default=1
        The hidden layers of the feed-forwards are this many times as wide.
    conv_expansion : int, default=2
        Even factor of the gated convolution.
    kernel_size : int, default=51
        Odd length of the depth-wise convolution of the blocks.
    input_dropout : float, default=0.1
        Dropout of the tokens that enter the blocks.
    dropout : float, default=0.2
        Dropout of attention weights, in feed-forwards and after convolutions.
    pool : {"gem", "attention"}, default="gem"
        Pooling over time: the generalised mean, or weights that the tokens give
        themselves.

    Attributes
    ----------
    num_features : int
        `width`.

    Raises
    ------
    ValueError
        If there are too few channels, the windows are too short for the stem, or a
        parameter is not usable.

    Notes
    -----
    Input ``(n_windows, n_chans, n_times)`` without NaN, output logits
    ``(n_windows, n_outputs)``. Channels next to each other are neighbours of the
    convolution over electrodes; the published order is that of the montage
    ``"interleaved_16"``. 16 channels of 10000 samples give maps ``(128, 14, 312)`` and
    312 tokens. Both generalised means share one trainable exponent, which starts at 3,
    with ``eps=1e-6``.

    The published configuration names the dropout of input and attention, but its net
    applies only that of feed-forwards and convolutions. Here all of them are applied.

    ``"squeezeformer_196"`` is the form with 196 features and self-attention pooling
    that the 6th place lists beside its nets; what is not stated of it is as in the
    other. Heads are 49 wide then, of which 48 numbers turn with the position.

    References
    ----------
    3rd place of HMS (discussion 492471); 6th place (discussion 492619). S. Kim and
    others (2022), Squeezeformer: an efficient transformer for automatic speech
    recognition.

    Examples
    --------
    >>> net = Squeezeformer(n_chans=16, n_outputs=6, n_times=10000)
    >>> net.num_features
    128
    >>> small = Squeezeformer(4, 6, 400, width=8, n_blocks=1, n_heads=2, kernel_size=5)
    >>> small.forward_maps(torch.zeros(2, 4, 400)).shape
    torch.Size([2, 8, 2, 12])
    >>> small(torch.zeros(2, 4, 400)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        n_times: int,
        *,
        width: int = 128,
        n_blocks: int = 3,
        n_heads: int = 4,
        ff_expansion: int = 1,
        conv_expansion: int = 2,
        kernel_size: int = 51,
        input_dropout: float = 0.1,
        dropout: float = 0.2,
        pool: str = "gem",
    ) -> None:
        super().__init__(n_chans, n_outputs, n_times)
        name = "Squeezeformer"
        check_choice(pool, "pool", ("gem", "attention"), caller=name)
        check_integer(n_blocks, "n_blocks", caller=name, low=0)
        check_integer(ff_expansion, "ff_expansion", caller=name, low=1)
        for label, value in (("input_dropout", input_dropout), ("dropout", dropout)):
            check_real(value, label, caller=name, low=0, high=1, high_open=True)
        if width < 4 or width % 4 or n_heads < 1 or width % n_heads:
            raise ValueError(
                f"Squeezeformer: width={width} must be a multiple of 4, the groups of "
                f"the stem, and of n_heads={n_heads}."
            )
        gated = conv_expansion >= 2 and conv_expansion % 2 == 0
        if kernel_size < 1 or kernel_size % 2 == 0 or not gated:
            raise ValueError(
                f"Squeezeformer: kernel_size={kernel_size} must be odd, so that the "
                f"number of tokens stays, and conv_expansion={conv_expansion} even and "
                "positive, as one half gates the other."
            )
        if n_chans < 3:
            raise ValueError(
                f"Squeezeformer: n_chans={n_chans} channels are too few for the "
                "convolution over three neighbours. Give at least 3."
            )
        n_steps = ElectrodeStem.n_steps(n_times)
        if n_steps < 1:
            needed = n_times
            while ElectrodeStem.n_steps(needed) < 1:
                needed += 1
            raise ValueError(
                f"Squeezeformer: windows of n_times={n_times} samples are too short "
                f"for the stem; at least {needed} are needed. Give longer windows."
            )
        self.stem = ElectrodeStem(width)
        self.gem = GeM(dims=(2,))
        self.drop = nn.Dropout(input_dropout)
        self.blocks = nn.ModuleList(
            SqueezeformerBlock(
                width,
                n_heads,
                n_steps,
                ff_expansion=ff_expansion,
                conv_expansion=conv_expansion,
                kernel_size=kernel_size,
                dropout=dropout,
            )
            for _ in range(n_blocks)
        )
        self.attention_pool = SelfAttentionPool(width) if pool == "attention" else None
        self.num_features = width
        self.reset_head(n_outputs)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute stem and blocks in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.
        """
        self.grad_checkpointing = enable

    def forward_maps(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to the maps of the stem.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, width, n_chans - 2, n_steps)
            Maps of electrodes and time.
        """
        return checkpoint_sequential(
            self.stem, x.unsqueeze(1), enabled=self.grad_checkpointing
        )

    def forward_tokens(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to what is pooled over time.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, n_steps, width)
            Tokens after the last block.
        """
        tokens = self.drop(self.gem(self.forward_maps(x)).transpose(1, 2))
        return checkpoint_sequential(
            self.blocks, tokens, enabled=self.grad_checkpointing
        )

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Tokens pooled over time.
        """
        tokens = self.forward_tokens(x)
        if self.attention_pool is not None:
            return self.attention_pool(tokens)
        return gem(tokens, self.gem.p, self.gem.eps, dims=(1,))
