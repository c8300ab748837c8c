"""EEGNet: the compact net of temporal, spatial and separable convolutions."""

from __future__ import annotations

import torch
from torch import nn

from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import MaxNormConv2d, checkpoint_sequential

__all__ = ["EEGNet"]


@register_net("eegnet")
class EEGNet(BaseNet):
    """Filters in time, filters over channels for each, then separable convolutions.

    Parameters
    ----------
    n_chans : int
        Number of channels.
    n_outputs : int
        Number of classes.
    n_times : int
        Number of samples in time.
    sfreq : float, default=200.0
        Samples per second, from which the default kernel lengths follow.
    n_filters : int, default=8
        Number of temporal filters (F1).
    depth : int, default=2
        Number of spatial filters for each temporal one (D).
    n_pointwise : int, default=None
        Number of maps of the separable convolution (F2); None takes ``n_filters *
        depth``.
    kernel_size : int, default=None
        Length of the temporal filters; None takes half a second.
    separable_kernel : int, default=None
        Length of the separable convolution, in steps of `pool_size` samples; None
        takes half a second.
    pool_size : int, default=4
        Samples averaged into one after the spatial filters.
    separable_pool : int, default=8
        Steps averaged into one at the end.
    drop_rate : float, default=0.5
        Dropout after each of the two poolings; 0.25 is advised across subjects.
    max_norm : float, default=1.0
        Bound of the norm of the spatial filters; None sets none.

    Attributes
    ----------
    num_features : int
        ``n_pointwise * (n_times // pool_size // separable_pool)``.

    Raises
    ------
    ValueError
        If the windows are too short for the two poolings or a parameter is not
        usable.

    Notes
    -----
    Input ``(n_windows, n_chans, n_times)`` without NaN; output logits ``(n_windows,
    n_outputs)``. With the default parameters this is EEGNet-8,2; at 128 Hz the kernels
    are the published 64 and 16. The published bound on the norm of the dense layer is
    left to weight decay, since every net here has the same heads.

    The net that the competition called "EEGNet", the 6th place's of 280 features
    among them, is :class:`ResNet1DGRU`: 280 is its width for ``kernels=(3, 5, 7, 9)``
    on 2000 samples.

    References
    ----------
    V. Lawhern and others (2018), EEGNet: a compact convolutional neural network for
    EEG-based brain-computer interfaces, Journal of Neural Engineering 15, 056013.

    Examples
    --------
    >>> net = EEGNet(18, 6, 2000)
    >>> net.num_features
    992
    >>> net(torch.zeros(2, 18, 2000)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        n_times: int,
        *,
        sfreq: float = 200.0,
        n_filters: int = 8,
        depth: int = 2,
        n_pointwise: int | None = None,
        kernel_size: int | None = None,
        separable_kernel: int | None = None,
        pool_size: int = 4,
        separable_pool: int = 8,
        drop_rate: float = 0.5,
        max_norm: float | None = 1.0,
    ) -> None:
        super().__init__(n_chans, n_outputs, n_times)
        if sfreq <= 0:
            raise ValueError(f"EEGNet: sfreq={sfreq} must be above 0.")
        if kernel_size is None:
            kernel_size = max(1, round(sfreq / 2))
        if separable_kernel is None:
            separable_kernel = max(1, round(sfreq / 2 / max(pool_size, 1)))
        n_spatial = n_filters * depth
        if n_pointwise is None:
            n_pointwise = n_spatial
        sizes = {
            "n_filters": n_filters,
            "depth": depth,
            "n_pointwise": n_pointwise,
            "kernel_size": kernel_size,
            "separable_kernel": separable_kernel,
            "pool_size": pool_size,
            "separable_pool": separable_pool,
        }
        if min(sizes.values()) < 1:
            given = ", ".join(f"{name}={value}" for name, value in sizes.items())
            raise ValueError(f"EEGNet: sizes must be at least 1, got {given}.")
        n_steps = n_times // pool_size // separable_pool
        if n_steps < 1:
            raise ValueError(
                f"EEGNet: windows of n_times={n_times} samples are too short for "
                f"pool_size={pool_size} and separable_pool={separable_pool}; at least "
                f"{pool_size * separable_pool} are needed. Give longer windows or "
                "smaller poolings."
            )
        self.temporal_spatial = nn.Sequential(
            _same_padding(kernel_size),
            nn.Conv2d(1, n_filters, (1, kernel_size), bias=False),
            nn.BatchNorm2d(n_filters),
            MaxNormConv2d(
                n_filters,
                n_spatial,
                (n_chans, 1),
                groups=n_filters,
                bias=False,
                max_norm=max_norm,
            ),
            nn.BatchNorm2d(n_spatial),
            nn.ELU(),
            nn.AvgPool2d((1, pool_size)),
            nn.Dropout(drop_rate),
        )
        self.separable = nn.Sequential(
            _same_padding(separable_kernel),
            nn.Conv2d(
                n_spatial,
                n_spatial,
                (1, separable_kernel),
                groups=n_spatial,
                bias=False,
            ),
            nn.Conv2d(n_spatial, n_pointwise, 1, bias=False),
            nn.BatchNorm2d(n_pointwise),
            nn.ELU(),
            nn.AvgPool2d((1, separable_pool)),
            nn.Dropout(drop_rate),
        )
        self.num_features = n_pointwise * n_steps
        self.reset_head(n_outputs)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the two halves of the net in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.
        """
        self.grad_checkpointing = enable

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Flattened maps.
        """
        blocks = (self.temporal_spatial, self.separable)
        maps = checkpoint_sequential(
            blocks, x.unsqueeze(1), enabled=self.grad_checkpointing
        )
        return maps.flatten(1)


def _same_padding(kernel_size: int) -> nn.Module:
    """Zeros around a window, so that the convolution keeps its length."""
    before = (kernel_size - 1) // 2
    return nn.ZeroPad2d((before, kernel_size - 1 - before, 0, 0))
