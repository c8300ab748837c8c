"""A net of left and right that cannot tell which side is which."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import GeM, RowEncoder, SideMerge

__all__ = ["SymmetricNet"]


@register_net("symmetric_net")
class SymmetricNet(BaseNet):
    """One encoder for either side of the head; what it sees is merged without order.

    Each difference of a side is a row of a one-dimensional EfficientNet, with the
    signal and its quality as planes; neighbouring rows meet in channel mixers. The
    maps of left and right are merged by their maxima, minima and cosine similarity,
    so that exchanging the sides changes nothing; generalised means over rows and time
    are the features.

    Parameters
    ----------
    n_chans : int
        Number of channels: twice those of a side, and twice as many again with
        `quality_mask`.
    n_outputs : int
        Number of classes.
    n_times : int
        Number of samples in time.
    quality_mask : bool, default=True
        Whether the second half of the channels is the quality of the first half, 1 for
        good samples (see :class:`hmsklearn.preprocessing.ChannelQuality`).
    width : int, default=64
        Number of maps, the same in all stages.
    kernels : sequence of int, default=(3, 3, 5, 5, 3)
        Odd kernel length of each stage, which halves the length.
    n_blocks : int, default=3
        Inverted residual blocks of a stage.
    expansion : int, default=4
        Number of maps that a depth-wise convolution makes of one.
    se_ratio : int, default=4
        Maps of squeeze and excitation per hidden unit; 0 leaves it out.
    mixer_kernel : int, default=3
        Odd number of rows that a row sees in each mixer; 0 leaves mixers out.
    similarity_width : int, default=64
        Number of maps made of the similarity.
    bottleneck : int, default=4
        The hidden layer of the head has ``num_features // bottleneck`` units.
    drop_path : float, default=0.0
        Probability of leaving out a mixer for a window in training.

    Attributes
    ----------
    encoder : torch.nn.Module
        What both sides share. With the default parameters it has exactly the 863,504
        parameters of the published one.
    num_features : int
        ``2 * width + similarity_width``: 192 with the default parameters.
    head : torch.nn.Module
        Linear layer to ``num_features // bottleneck``, batch norm, ReLU, linear layer.

    Raises
    ------
    ValueError
        If the channels are not two sides of equal size, the windows are too short for
        the stages, or a parameter is not usable.

    Notes
    -----
    Input ``(n_windows, n_chans, n_times)`` without NaN: the left side, then its mirror
    image on the right in the same order, as in the montage ``"left_right_20"`` (chains
    LL, LP, midline; RL, RP, midline); with `quality_mask` the qualities of all of them
    follow. Output logits ``(n_windows, n_outputs)``. Published input: 512 samples of
    40 Hz, high-passed at 0.5 Hz.

    The published count leaves open what it counts. Of the open choices - mask or not,
    squeeze and excitation behind the depth-wise convolution, at the end of the block
    or not at all, mixers or not - one gives 863,504: with mask, behind the depth-wise
    convolution, with mixers, blocks without an inner shortcut, max-pooled shortcuts of
    the stages, and the encoder alone being counted. Merging, pooling and head add
    9,848 to it: the whole net has 873,352. The published head has PReLU in the place of
    ReLU, and a second set of logits for the mean votes of the recording.

    References
    ----------
    4th place of HMS, bilzard (discussions 492240 and 492388).

    Examples
    --------
    >>> net = SymmetricNet(n_chans=40, n_outputs=6, n_times=512)
    >>> net.num_features
    192
    >>> small = SymmetricNet(8, 6, 64, quality_mask=False, width=4, kernels=(3, 5),
    ...                      n_blocks=1, similarity_width=4)
    >>> small.eval()(torch.zeros(2, 8, 64)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        n_times: int,
        *,
        quality_mask: bool = True,
        width: int = 64,
        kernels: Sequence[int] = (3, 3, 5, 5, 3),
        n_blocks: int = 3,
        expansion: int = 4,
        se_ratio: int = 4,
        mixer_kernel: int = 3,
        similarity_width: int = 64,
        bottleneck: int = 4,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__(n_chans, n_outputs, n_times)
        n_planes = 2 if quality_mask else 1
        if n_chans % (2 * n_planes):
            raise ValueError(
                f"SymmetricNet: n_chans={n_chans} channels are not two sides of equal "
                f"size{' with as many qualities' if quality_mask else ''}. Choose a "
                "montage of left and right ('left_right_20') and set quality_mask to "
                "what is in the data."
            )
        features = 2 * width + similarity_width
        if similarity_width < 1 or not 1 <= bottleneck <= features:
            raise ValueError(
                f"SymmetricNet: similarity_width={similarity_width} must be at least "
                f"1 and bottleneck={bottleneck} between 1 and the {features} features."
            )
        self.n_planes = n_planes
        self.encoder = RowEncoder(
            n_planes,
            [width] * (len(kernels) + 1),
            kernels,
            n_blocks=n_blocks,
            expansion=expansion,
            se_ratio=se_ratio,
            se_inside=True,
            skip=False,
            conv_shortcut=False,
            mixer_kernel=mixer_kernel,
            mixer_drop_path=drop_path,
            caller="SymmetricNet",
        )
        self.encoder.check_length(n_times, caller="SymmetricNet")
        self.merge = SideMerge(similarity_width)
        self.pool: nn.Module = GeM(eps=1e-4)
        self.num_features = features
        self.reset_head(n_outputs, hidden=features // bottleneck)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the stages in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.
        """
        self.grad_checkpointing = enable
        self.encoder.grad_checkpointing = enable

    def forward_maps(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to the maps of either side.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, 2, width, n_rows, n_steps)
            Maps of left and right.
        """
        n_rows = self.n_chans // (2 * self.n_planes)
        x = x.unflatten(1, (self.n_planes, 2, n_rows)).transpose(1, 2)
        return self.encoder(x.flatten(0, 1)).unflatten(0, (-1, 2))

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Pooled minima, maxima and similarities of left and right.
        """
        left, right = self.forward_maps(x).unbind(1)
        return self.pool(self.merge(left, right))
