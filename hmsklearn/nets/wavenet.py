"""WaveNet on single differences: the public 1-D net of gated, dilated convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import SequencePool, WaveNetStack

__all__ = ["WaveNet"]


@register_net("wavenet")
class WaveNet(BaseNet):
    """One WaveNet on every channel, pooled over time, averaged over regions.

    Parameters
    ----------
    n_chans : int
        Number of channels, region after region.
    n_outputs : int
        Number of classes.
    n_times : int
        Number of samples in time.
    widths : sequence of int, default=(8, 16, 32, 64)
        Number of maps of each block.
    n_dilations : sequence of int, default=(12, 8, 4, 1)
        Number of dilations of each block: 1, 2, 4, ....
    kernel_size : int, default=3
        Odd kernel length of the dilated convolutions.
    group_size : int, default=2
        Number of channels of a region, whose features are averaged; 1 keeps them
        apart.
    gate : sequence of str, default=("tanh", "sigmoid")
        Activations whose product is taken.
    residual : {"skip_sum", "input", "chain"}, default="skip_sum"
        What a block adds, see :class:`hmsklearn.nets.layers.WaveNetBlock`.
    downsample : bool, default=False
        Follow each block by a convolution of length 3 and stride 2, batch norm and
        SiLU.
    pool : {"mean", "max", "mean_max", "last", "attention"}, default="mean"
        What becomes of time, see :class:`hmsklearn.nets.layers.SequencePool`.

    Attributes
    ----------
    num_features : int
        Number of regions times the last width: 256 for 8 channels.

    Raises
    ------
    ValueError
        If `group_size` does not divide `n_chans`, the windows are too short for
        `downsample`, or a parameter is not usable.

    Notes
    -----
    Input ``(n_windows, n_chans, n_times)`` without NaN; output logits ``(n_windows,
    n_outputs)``. The published net reads 8 differences in 4 regions of 2, such as
    Fp1-T3 and T3-O1, of 10000 samples averaged to 2000. The same weights see every
    channel, so the channels' order matters within and between regions alone. Windows
    of any length are taken; a dilation of 2048 sees more than zeros from 2049 samples
    on.

    References
    ----------
    Public WaveNet notebooks of HMS (leaderboard 0.52 alone); A. van den Oord and
    others (2016), WaveNet: a generative model for raw audio. 5th place (discussion
    492652) for the variants.

    Examples
    --------
    >>> net = WaveNet(n_chans=8, n_outputs=6, n_times=2000)
    >>> net.num_features
    256
    >>> small = WaveNet(4, 6, 100, widths=(4, 8), n_dilations=(4, 2))
    >>> small(torch.zeros(2, 4, 100)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        n_times: int,
        *,
        widths: Sequence[int] = (8, 16, 32, 64),
        n_dilations: Sequence[int] = (12, 8, 4, 1),
        kernel_size: int = 3,
        group_size: int = 2,
        gate: Sequence[str] = ("tanh", "sigmoid"),
        residual: str = "skip_sum",
        downsample: bool = False,
        pool: str = "mean",
    ) -> None:
        super().__init__(n_chans, n_outputs, n_times)
        if group_size < 1 or n_chans % group_size:
            raise ValueError(
                f"WaveNet: n_chans={n_chans} is no multiple of group_size={group_size}."
                " Give regions of equal size, or group_size=1 to keep channels apart."
            )
        self.stack = WaveNetStack(
            1,
            widths,
            n_dilations,
            kernel_size,
            gate=gate,
            residual=residual,
            downsample=downsample,
        )
        if self.stack.n_steps(n_times) < 1:
            raise ValueError(
                f"WaveNet: windows of n_times={n_times} samples are too short for "
                f"downsample=True after {len(self.stack.blocks)} blocks; at least "
                f"{self.stack.least_n_times()} are needed. Give longer windows, fewer "
                "blocks or no downsampling."
            )
        self.group_size = group_size
        self.n_groups = n_chans // group_size
        self.pool = SequencePool(self.stack.out_chans, pool)
        self.num_features = self.n_groups * self.pool.num_features
        self.reset_head(n_outputs)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the blocks in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.
        """
        self.grad_checkpointing = enable
        self.stack.grad_checkpointing = enable

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Features of the first region, of the second, and so on.
        """
        n, n_chans, n_times = x.shape
        pooled = self.pool(self.stack(x.reshape(n * n_chans, 1, n_times)))
        regions = pooled.reshape(n, self.n_groups, self.group_size, -1)
        return regions.mean(dim=2).flatten(1)
