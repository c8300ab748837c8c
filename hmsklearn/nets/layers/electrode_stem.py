"""Separable convolutions from raw channels to maps of electrodes and time."""

from __future__ import annotations

from torch import nn

from hmsklearn.nets.layers.cbam import CBAM

__all__ = ["ElectrodeStem"]


class ElectrodeStem(nn.Sequential):
    """Four convolutional blocks and attention: 32 samples become a step.

    1. Convolution over 16 samples to ``width // 2`` maps, batch norm, ReLU, mean of 8.
    2. 1x1 to `width`, SiLU, depth-wise over 16 samples with a step of 2, batch norm,
       SiLU, 1x1, batch norm.
    3. CBAM, ratio 4, kernel 3.
    4. 1x1 in four groups to ``2 * width``, SiLU, depth-wise over 3 electrodes without
       padding, batch norm, SiLU, 1x1 in four groups to `width`, batch norm.
    5. 1x1 to ``2 * width``, SiLU, depth-wise over 8 samples, batch norm, SiLU, 1x1 in
       four groups to `width`, batch norm, mean of 2.

    Parameters
    ----------
    width : int, default=128
        Number of maps at the end, a multiple of 4.

    Raises
    ------
    ValueError
        If `width` is not a multiple of 4.

    Notes
    -----
    Input ``(n_windows, 1, n_chans, n_times)``, output ``(n_windows, width, n_chans -
    2, n_steps(n_times))``. No convolution has a bias. With 16 channels of 10000
    samples and 128 maps the blocks give ``(64, 16, 1249)``, twice ``(128, 16, 624)``,
    ``(128, 14, 624)`` and ``(128, 14, 312)``.

    References
    ----------
    3rd place of HMS (discussion 492471). V. J. Lawhern and others (2018), EEGNet, for
    the idea of separating time from electrodes.

    Examples
    --------
    >>> import torch
    >>> stem = ElectrodeStem(8)
    >>> stem(torch.zeros(2, 1, 5, 200)).shape
    torch.Size([2, 8, 3, 6])
    >>> stem.n_steps(200)
    6
    """

    def __init__(self, width: int = 128) -> None:
        if width < 4 or width % 4:
            raise ValueError(
                f"ElectrodeStem: width={width} must be a multiple of 4, the number of "
                "groups of its convolutions."
            )
        wide = 2 * width
        super().__init__(
            nn.Sequential(
                nn.Conv2d(1, width // 2, (1, 16), padding=(0, 7), bias=False),
                nn.BatchNorm2d(width // 2),
                nn.ReLU(inplace=True),
                nn.AvgPool2d((1, 8)),
            ),
            nn.Sequential(
                nn.Conv2d(width // 2, width, 1, bias=False),
                nn.SiLU(inplace=True),
                nn.Conv2d(
                    width,
                    width,
                    (1, 16),
                    stride=(1, 2),
                    padding=(0, 7),
                    groups=width,
                    bias=False,
                ),
                nn.BatchNorm2d(width),
                nn.SiLU(inplace=True),
                nn.Conv2d(width, width, 1, bias=False),
                nn.BatchNorm2d(width),
            ),
            CBAM(width, ratio=4, kernel_size=3),
            nn.Sequential(
                nn.Conv2d(width, wide, 1, groups=4, bias=False),
                nn.SiLU(inplace=True),
                nn.Conv2d(wide, wide, (3, 1), groups=wide, bias=False),
                nn.BatchNorm2d(wide),
                nn.SiLU(inplace=True),
                nn.Conv2d(wide, width, 1, groups=4, bias=False),
                nn.BatchNorm2d(width),
            ),
            nn.Sequential(
                nn.Conv2d(width, wide, 1, bias=False),
                nn.SiLU(inplace=True),
                nn.ZeroPad2d((4, 3, 0, 0)),  # an even kernel that keeps the length
                nn.Conv2d(wide, wide, (1, 8), groups=wide, bias=False),
                nn.BatchNorm2d(wide),
                nn.SiLU(inplace=True),
                nn.Conv2d(wide, width, 1, groups=4, bias=False),
                nn.BatchNorm2d(width),
                nn.AvgPool2d((1, 2)),
            ),
        )

    @staticmethod
    def n_steps(n_times: int) -> int:
        """Length of the output.

        Parameters
        ----------
        n_times : int
            Number of samples in time.

        Returns
        -------
        int
            Number of steps; less than one if the windows are too short.
        """
        n = (n_times + 14 - 15) // 8
        n = (n + 14 - 16) // 2 + 1
        return n // 2
