"""Node attention: channels encoded one by one, then looking at each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import NodeAttentionBlock, NodeEncoder

__all__ = ["NodeAttention"]


@register_net("node_attention")
class NodeAttention(BaseNet):
    """One encoder for all channels, attention between them, logits with a temperature.

    Every channel is encoded by the same residual 1-D convolutions and GRU. Blocks of
    attention let the nodes of the montage look at each other; a mean of the nodes with
    learned weights gives the features. A linear layer on the features and softplus give
    each window a temperature of its own, by which its logits are divided.

    Parameters
    ----------
    n_chans : int
        Number of channels.
    n_outputs : int
        Number of classes.
    n_times : int
        Number of samples in time.
    ekg : bool, default=False
        Whether the last channel is an electrocardiogram, with an encoder of its own.
    widths : sequence of int, default=(16, 24, 32, 48, 64, 96)
        Number of maps of the first convolution and of each residual block.
    kernels : sequence of int, default=(5, 5, 3, 3, 3)
        Odd kernel length of each residual block.
    hidden_size : int, default=256
        Width of the GRU and of the nodes.
    n_layers : int, default=2
        Number of attention blocks.
    n_heads : int, default=2
        Number of heads of each; divides `hidden_size`.
    drop_rate : float, default=0.4
        Dropout of whole maps inside the encoder.
    attention_drop_rate : float, default=0.0
        Dropout inside the attention blocks.
    temperature : bool, default=True
        Whether logits are divided by a temperature.
    min_temperature : float, default=0.01
        Lower bound of the temperature, so that none divides by zero.

    Attributes
    ----------
    num_features : int
        `hidden_size`.
    temperature : torch.nn.Linear or None
        What gives the temperature; part of the head, so that ``reset_head`` draws it
        anew and ``reset_head(0)`` removes it.
    head_prefixes : tuple of str
        Starts of the names of the head's parameters, the temperature's among them.

    Raises
    ------
    ValueError
        If `ekg` leaves no other channel or a parameter is not usable.

    Notes
    -----
    Input ``(n_windows, n_chans, n_times)`` of any length, without NaN; output logits
    ``(n_windows, n_outputs)``. The published net reads 18 differences and the
    electrocardiogram at 50 Hz, 2500 samples, which the encoder makes 79 steps. At 200
    Hz the GRU takes four times as long: decimate first.

    References
    ----------
    Multimodal node-attention model of HMS (discussion 492189); C. Guo and others
    (2017), On calibration of modern neural networks, for the temperature.

    Examples
    --------
    >>> net = NodeAttention(5, 6, 100, ekg=True, widths=(4, 6), kernels=(3,),
    ...                     hidden_size=8)
    >>> net(torch.zeros(2, 5, 100)).shape
    torch.Size([2, 6])
    """

    #: What a smaller learning rate for the backbone leaves out.
    head_prefixes = ("head", "temperature")

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        n_times: int,
        *,
        ekg: bool = False,
        widths: Sequence[int] = (16, 24, 32, 48, 64, 96),
        kernels: Sequence[int] = (5, 5, 3, 3, 3),
        hidden_size: int = 256,
        n_layers: int = 2,
        n_heads: int = 2,
        drop_rate: float = 0.4,
        attention_drop_rate: float = 0.0,
        temperature: bool = True,
        min_temperature: float = 0.01,
    ) -> None:
        super().__init__(n_chans, n_outputs, n_times)
        if ekg and n_chans < 2:
            raise ValueError(
                f"NodeAttention: ekg=True takes the last of n_chans={n_chans} channels "
                "and leaves none. Give the montage's channels in front of it."
            )
        if n_layers < 0 or min_temperature <= 0:
            raise ValueError(
                "NodeAttention: n_layers must be at least 0 and min_temperature above "
                f"0, got n_layers={n_layers}, min_temperature={min_temperature}."
            )
        self.encoder = NodeEncoder(widths, kernels, hidden_size, drop_rate)
        self.ekg_encoder = (
            NodeEncoder(widths, kernels, hidden_size, drop_rate) if ekg else None
        )
        self.attention = nn.Sequential(
            *(
                NodeAttentionBlock(
                    n_chans, hidden_size, n_heads, drop_rate=attention_drop_rate
                )
                for _ in range(n_layers)
            )
        )
        self.node_score = nn.Linear(hidden_size, 1)
        self.use_temperature = temperature
        self.min_temperature = min_temperature
        self.num_features = hidden_size
        self.reset_head(n_outputs)

    def reset_head(self, n_outputs: int, **params: Any) -> None:
        """Put a freshly initialised head on the net, with its temperature.

        Parameters
        ----------
        n_outputs : int
            Number of classes; 0 removes the head, so that the net gives features.
        **params : object
            Parameters of :class:`hmsklearn.nets.layers.VoteHead`; a linear layer
            without any.
        """
        super().reset_head(n_outputs, **params)
        self.temperature = (
            nn.Linear(self.num_features, 1)
            if self.use_temperature and n_outputs
            else None
        )

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the encoder's blocks in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.
        """
        self.grad_checkpointing = enable
        self.encoder.grad_checkpointing = enable
        if self.ekg_encoder is not None:
            self.ekg_encoder.grad_checkpointing = enable

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Weighted mean of the nodes.
        """
        n, n_chans, n_times = x.shape
        n_shared = n_chans if self.ekg_encoder is None else n_chans - 1
        nodes = self.encoder(x[:, :n_shared].reshape(n * n_shared, 1, n_times))
        nodes = nodes.reshape(n, n_shared, self.num_features)
        if self.ekg_encoder is not None:
            heart = self.ekg_encoder(x[:, n_shared:])
            nodes = torch.cat([nodes, heart.unsqueeze(1)], dim=1)
        nodes = self.attention(nodes)
        weights = self.node_score(nodes).softmax(dim=1)
        return (nodes * weights).sum(dim=1)

    def forward_head(
        self,
        x: torch.Tensor,
        pre_logits: bool = False,
        total_votes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Map features to logits and divide them by the window's temperature.

        Parameters
        ----------
        x : Tensor of shape (n_windows, num_features)
            What ``forward_features`` gave.
        pre_logits : bool, default=False
            Whether to stop before the head.
        total_votes : Tensor of shape (n_windows,), optional
            Votes behind each window, for heads that tell few from many.

        Returns
        -------
        Tensor of shape (n_windows, n_outputs)
            Logits, or what enters the head.
        """
        logits = super().forward_head(x, pre_logits, total_votes)
        if pre_logits or self.temperature is None:
            return logits
        # In single precision, since a half would round small temperatures coarsely.
        temperature = nn.functional.softplus(self.temperature(x).float())
        temperature = temperature.clamp_min(self.min_temperature)
        # One for all samples of a window's dropout.
        return logits / (temperature[:, None] if logits.ndim == 3 else temperature)
