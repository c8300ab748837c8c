"""ChannelDrop: channels that are silent for a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn._params import check_integer
from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_counts
from hmsklearn.augmentation._fill import blanked, check_fill
from hmsklearn.augmentation._random import spread, subset, whole

__all__ = ["ChannelDrop"]


class ChannelDrop(BaseAugmentation):
    """Blank random channels of each window.

    Parameters
    ----------
    n_channels : int or (int, int), default=(1, 8)
        Number of channels, or the range from which it is drawn.
    fill : float or "mean", default=0.0
        Value of what is blanked, or the mean of each channel or plane of each window.
    stacked : int, default=None
        Number of channels that stand on top of each other in each plane, as
        :class:`hmsklearn.imaging.ImageTiler` stacks them in a column: the rows of a
        channel are then blanked, in all planes alike.
    after_frontend : bool, default=False
        Whether planes of images are blanked and not channels of the signals.
    p : float, default=0.5
        Probability that a window is changed.
    views : sequence of str, default=None
        Names of the views that are changed, where windows have several; all of them by
        default.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier. In a classifier's ``fit`` torch's generator
        is used instead, which ``fit`` seeds.

    See Also
    --------
    RandomNaNBlocks : Stretches of channels, marked as missing.

    Notes
    -----
    Channels are the axis behind the windows, or bands of as many rows each of the last
    axis but one where they are stacked. NaN in other channels stays.

    Masks act before the net's input is normalised (`input_norm`): zero is the mean
    only of images that are centred already, and far away from all that there is in
    others, such as spectrograms in decibels. Give those ``fill="mean"``.

    References
    ----------
    HMS: 1 to 8 channels, p 0.5 or 0.7 (3rd place, discussion 492471), of signals and of
    the 16 spectrograms in a stack; 4 to 6 channels (5th, 492652).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import ChannelDrop
    >>> drop = ChannelDrop(2, p=1.0, random_state=0)
    >>> (drop(np.ones((3, 5, 10))) == 0).all(axis=2).sum(axis=1).tolist()
    [2, 2, 2]
    """

    def __init__(
        self,
        n_channels: int | tuple[int, int] = (1, 8),
        *,
        fill: float | str = 0.0,
        stacked: int | None = None,
        after_frontend: bool = False,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.n_channels = n_channels
        self.fill = fill
        self.stacked = stacked
        self.after_frontend = after_frontend

    def _check(self) -> None:
        check_counts(self.n_channels, "n_channels", caller=self._name)
        check_fill(self.fill, caller=self._name)
        if self.stacked is not None:
            check_integer(self.stacked, "stacked", caller=self._name, low=1)

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        n, n_chans = len(x), self._n_chans(x)
        low, high = check_counts(self.n_channels, "n_channels", caller=self._name)
        if high > n_chans:
            raise ValueError(
                f"{self._name}: n_channels={self.n_channels} is more than the "
                f"{n_chans} channels of the windows. Give fewer."
            )
        counts = whole(n, x, generator, low, high)
        return {"channels": subset(n_chans, counts, x, generator)}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        channels = params["channels"]
        n_chans = self._n_chans(x)
        self._same_size(n_chans, channels.shape[1], "channels")
        if self.stacked is None:
            return blanked(x, spread(channels, x), self.fill)
        rows = channels.repeat_interleave(x.shape[-2] // n_chans, dim=1)
        axes = (len(x), *(1,) * (x.ndim - 3), x.shape[-2], 1)
        return blanked(x, rows.reshape(axes), self.fill)

    def _n_chans(self, x: torch.Tensor) -> int:
        if self.stacked is None:
            return x.shape[1]
        if x.ndim < 4 or x.shape[-2] % self.stacked:
            raise ValueError(
                f"{self._name}: windows of shape {tuple(x.shape[1:])} are no images of "
                f"stacked={self.stacked} channels, each in as many rows as the others. "
                "Set stacked=None for channels on an axis of their own."
            )
        return self.stacked
