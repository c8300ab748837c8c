"""MobileNet1D: inverted residual blocks in time that mix the chains of a montage."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from hmsklearn._params import check_integer
from hmsklearn.nets._base import BaseNet
from hmsklearn.nets._registry import register_net
from hmsklearn.nets.layers import GeM, RowEncoder

__all__ = ["MobileNet1D"]


@register_net("mobilenet1d")
class MobileNet1D(BaseNet):
    """One-dimensional EfficientNet whose rows are the chains of a montage.

    The differences of a chain are the planes of one row; rows share weights. After a
    stem, each of the stages has inverted residual blocks in time, a depth-wise
    separable convolution across rows (the channel mixer), and max-pool 2 beside a
    strided convolution. Generalised means over chains and time are the features.

    Parameters
    ----------
    n_chans : int
        Number of channels, a multiple of `n_chains`.
    n_outputs : int
        Number of classes.
    n_times : int
        Number of samples in time.
    n_chains : int, default=4
        Number of chains. Channels come chain after chain, in the order of the montage
        ``"double_banana_16"``: four of LL, four of RL, four of LP, four of RP.
    width : int, default=64
        Number of maps of the stem. Stages have 1.5, 2, 3, 4, 6, ... times as many.
    kernels : sequence of int, default=(3, 3, 5, 5, 3)
        Odd kernel length of each stage.
    n_blocks : int, default=3
        Inverted residual blocks of a stage.
    expansion : int, default=4
        Number of maps that a depth-wise convolution makes of one.
    se_ratio : int, default=4
        Maps of squeeze and excitation per hidden unit; 0 leaves it out.
    stem_kernel : int, default=3
        Odd kernel length of the stem.
    stem_stride : int, default=1
        Step in time of the stem.
    mixer_kernel : int, default=3
        Odd number of chains that a chain sees in each mixer; 0 leaves mixers out.
    drop_path : float, default=0.0
        Probability of leaving out a block for a window in training.
    similarity : bool, default=False
        Whether the cosine similarities of all pairs of chains at all steps are further
        features: how much the maps of two chains look alike at the same time. Four
        chains make 6 pairs, and 1920 samples 60 steps: 360 features.

    Attributes
    ----------
    num_features : int
        384 with the default parameters; 744 with similarities of 1920 samples.
    head : torch.nn.Module
        The published one: linear layer to `num_features`, batch norm, ReLU, linear
        layer. ``reset_head(n_outputs, hidden=net.num_features)`` puts a fresh one on.

    Raises
    ------
    ValueError
        If channels do not divide into chains, the windows are too short for the
        stages, or a parameter is not usable.

    Notes
    -----
    Input ``(n_windows, n_chans, n_times)`` without NaN, output logits
    ``(n_windows, n_outputs)``. The published input is the central 9600 samples,
    filtered 0.5 to 20 Hz and decimated by 5 to 40 Hz. The last maps of 16 channels
    and 1920 samples are ``(384, 4, 60)``, pooled over 240.

    References
    ----------
    4th place of HMS, yu4u (discussion 492240). M. Sandler and others (2018),
    MobileNetV2.

    Examples
    --------
    >>> net = MobileNet1D(n_chans=16, n_outputs=6, n_times=1920)
    >>> net.num_features
    384
    >>> small = MobileNet1D(4, 6, 64, n_chains=2, width=4, kernels=(3, 5), n_blocks=1)
    >>> small.eval()(torch.zeros(2, 4, 64)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        n_chans: int,
        n_outputs: int,
        n_times: int,
        *,
        n_chains: int = 4,
        width: int = 64,
        kernels: Sequence[int] = (3, 3, 5, 5, 3),
        n_blocks: int = 3,
        expansion: int = 4,
        se_ratio: int = 4,
        stem_kernel: int = 3,
        stem_stride: int = 1,
        mixer_kernel: int = 3,
        drop_path: float = 0.0,
        similarity: bool = False,
    ) -> None:
        super().__init__(n_chans, n_outputs, n_times)
        check_integer(n_chains, "n_chains", caller="MobileNet1D", low=1)
        if n_chans % n_chains:
            raise ValueError(
                f"MobileNet1D: n_chans={n_chans} channels cannot be {n_chains} chains "
                "of equal length. Choose a montage of whole chains "
                "('double_banana_16') or give n_chains."
            )
        check_integer(
            width,
            "width",
            caller="MobileNet1D",
            low=2,
            remedy="A stage has one and a half times as many maps.",
        )
        if similarity and n_chains < 2:
            raise ValueError(
                "MobileNet1D: similarity=True compares chains, of which there is one. "
                "Give n_chains or similarity=False."
            )
        self.n_chains = n_chains
        self.similarity = similarity
        widths = [_stage_width(width, i) for i in range(len(kernels) + 1)]
        self.encoder = RowEncoder(
            n_chans // n_chains,
            widths,
            kernels,
            stem_kernel=stem_kernel,
            stem_stride=stem_stride,
            n_blocks=n_blocks,
            expansion=expansion,
            se_ratio=se_ratio,
            mixer_kernel=mixer_kernel,
            drop_path=drop_path,
            caller="MobileNet1D",
        )
        self.encoder.check_length(n_times, caller="MobileNet1D")
        self.pool = GeM(eps=1e-4)
        self.num_features = widths[-1]
        if similarity:
            n_pairs = n_chains * (n_chains - 1) // 2
            self.num_features += n_pairs * self.encoder.n_steps(n_times)
        self.reset_head(n_outputs, hidden=self.num_features)

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
        """Map windows to what is pooled.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, n_maps, n_chains, n_steps)
            Maps of the last stage.
        """
        rows = x.unflatten(1, (self.n_chains, self.n_chans // self.n_chains))
        return self.encoder(rows.transpose(1, 2))

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows to features.

        Parameters
        ----------
        x : Tensor of shape (n_windows, n_chans, n_times)
            Windows.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Pooled maps, then the similarities, pair after pair, if there are any.
        """
        maps = self.forward_maps(x)
        features = self.pool(maps)
        if not self.similarity:
            return features
        similar = [
            functional.cosine_similarity(maps[:, :, i], maps[:, :, j], dim=1)
            for i in range(self.n_chains)
            for j in range(i + 1, self.n_chains)
        ]
        return torch.cat([features, *similar], dim=1)


def _stage_width(width: int, i: int) -> int:
    """Return maps of the stem (0) or of stage i: times 1.5 and 4/3 in turn."""
    doubled = width << (i // 2)
    return doubled if i % 2 == 0 else doubled * 3 // 2
