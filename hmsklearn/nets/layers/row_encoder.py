"""EfficientNet in one dimension: rows of signals, shared weights, halving stages."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from hmsklearn._params import check_integer, check_real
from hmsklearn.nets.layers.channel_mixer import ChannelMixer
from hmsklearn.nets.layers.checkpointing import checkpoint_sequential
from hmsklearn.nets.layers.conv_norm_elu import ConvNormELU
from hmsklearn.nets.layers.inverted_residual1d import InvertedResidual1d
from hmsklearn.nets.layers.pool_stage import PoolStage

__all__ = ["RowEncoder"]


class RowEncoder(nn.Module):
    """Stem and stages of inverted residual blocks on rows of signals.

    Every stage is `n_blocks` blocks, a channel mixer over rows, and max-pool 2 beside
    a shortcut.

    Parameters
    ----------
    in_planes : int
        Number of planes of a row.
    widths : sequence of int
        Number of maps of the stem and of each stage.
    kernels : sequence of int
        Odd kernel length of each stage.
    stem_kernel : int, default=3
        Odd kernel length of the stem.
    stem_stride : int, default=1
        Step in time of the stem.
    n_blocks : int, default=3
        Inverted residual blocks of a stage.
    expansion : int, default=4
        See :class:`hmsklearn.nets.layers.InvertedResidual1d`.
    se_ratio : int, default=4
        Maps of squeeze and excitation per hidden unit; 0 leaves it out.
    se_inside : bool, default=False
        Whether squeeze and excitation stand behind the depth-wise convolutions.
    skip : bool, default=True
        Whether blocks add their input. Stages and mixers always do.
    conv_shortcut : bool, default=True
        Whether the shortcut of a stage is a strided convolution, or max-pooling.
    mixer_kernel : int, default=3
        Odd number of rows that a row sees in each mixer; 0 leaves mixers out.
    drop_path : float, default=0.0
        Probability of leaving out a block for a window in training; without effect
        where blocks do not add their input.
    mixer_drop_path : float, default=0.0
        Probability of leaving out a mixer for a window in training. The published
        one-dimensional EfficientNet leaves out blocks alone.
    caller : str, default="RowEncoder"
        Name that starts error messages.

    Raises
    ------
    ValueError
        If a parameter is not usable.

    Notes
    -----
    Input ``(n_windows, in_planes, n_rows, n_times)``, output ``(n_windows,
    widths[-1], n_rows, n_steps(n_times))``.

    References
    ----------
    M. Tan and Q. V. Le (2019), EfficientNet. This form: 4th place of HMS (discussion
    492240).

    Examples
    --------
    >>> encoder = RowEncoder(2, (8, 8, 12), (3, 5), n_blocks=1)
    >>> encoder(torch.zeros(1, 2, 4, 50)).shape
    torch.Size([1, 12, 4, 12])
    >>> encoder.n_steps(50)
    12
    """

    def __init__(
        self,
        in_planes: int,
        widths: Sequence[int],
        kernels: Sequence[int],
        *,
        stem_kernel: int = 3,
        stem_stride: int = 1,
        n_blocks: int = 3,
        expansion: int = 4,
        se_ratio: int = 4,
        se_inside: bool = False,
        skip: bool = True,
        conv_shortcut: bool = True,
        mixer_kernel: int = 3,
        drop_path: float = 0.0,
        mixer_drop_path: float = 0.0,
        caller: str = "RowEncoder",
    ) -> None:
        super().__init__()
        widths, kernels = tuple(widths), tuple(kernels)
        check_integer(n_blocks, "n_blocks", caller=caller, low=1)
        check_integer(expansion, "expansion", caller=caller, low=1)
        check_integer(stem_stride, "stem_stride", caller=caller, low=1)
        check_integer(se_ratio, "se_ratio", caller=caller, low=0)
        for name, value in (
            ("drop_path", drop_path),
            ("mixer_drop_path", mixer_drop_path),
        ):
            check_real(value, name, caller=caller, low=0, high=1, high_open=True)
        if not kernels or len(widths) != len(kernels) + 1:
            raise ValueError(
                f"{caller}: {len(kernels)} kernels need as many widths and one for "
                f"the stem, got widths={widths}. Give at least one kernel."
            )
        odd = (*kernels, stem_kernel, *([mixer_kernel] if mixer_kernel else []))
        if any(kernel < 1 or kernel % 2 == 0 for kernel in odd):
            raise ValueError(
                f"{caller}: kernels={kernels}, stem_kernel={stem_kernel} and "
                f"mixer_kernel={mixer_kernel} must be odd and positive, so that "
                "shortcuts have the length of what they are added to."
            )
        if min(widths) < max(1, se_ratio):
            raise ValueError(
                f"{caller}: the narrowest of widths={widths} has fewer maps than "
                f"se_ratio={se_ratio} asks for. Give more maps or a smaller ratio."
            )
        self.stem_stride = stem_stride
        self.stem = ConvNormELU(
            in_planes, widths[0], (1, stem_kernel), stride=stem_stride
        )
        self.stages = nn.ModuleList()
        for in_width, width, kernel in zip(
            widths[:-1], widths[1:], kernels, strict=True
        ):
            layers: list[nn.Module] = [
                InvertedResidual1d(
                    width if i else in_width,
                    width,
                    kernel,
                    expansion=expansion,
                    se_ratio=se_ratio,
                    se_inside=se_inside,
                    skip=skip,
                    drop_path=drop_path,
                )
                for i in range(n_blocks)
            ]
            if mixer_kernel:
                layers.append(
                    ChannelMixer(
                        width,
                        mixer_kernel,
                        se_ratio=se_ratio,
                        se_inside=se_inside,
                        drop_path=mixer_drop_path,
                    )
                )
            self.stages.append(PoolStage(layers, in_width, width, conv_shortcut))
        self.grad_checkpointing = False

    def n_steps(self, n_times: int) -> int:
        """Length of the output.

        Parameters
        ----------
        n_times : int
            Number of samples in time.

        Returns
        -------
        int
            Number of steps, 0 if the windows are too short.
        """
        return -(-n_times // self.stem_stride) >> len(self.stages)

    def check_length(self, n_times: int, *, caller: str) -> None:
        """Refuse windows that the stages would halve away.

        Parameters
        ----------
        n_times : int
            Number of samples in time.
        caller : str
            Name that starts the error message.

        Raises
        ------
        ValueError
            If nothing would be left of them.
        """
        if self.n_steps(n_times) < 1:
            needed = ((1 << len(self.stages)) - 1) * self.stem_stride + 1
            raise ValueError(
                f"{caller}: windows of n_times={n_times} samples are too short for "
                f"{len(self.stages)} stages that halve them; at least {needed} are "
                "needed. Give longer windows or fewer kernels."
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Encode rows.

        Parameters
        ----------
        x : Tensor of shape (n_windows, in_planes, n_rows, n_times)
            Rows of signals.

        Returns
        -------
        Tensor of shape (n_windows, widths[-1], n_rows, n_steps)
            Maps.
        """
        return checkpoint_sequential(
            self.stages, self.stem(x), enabled=self.grad_checkpointing
        )
