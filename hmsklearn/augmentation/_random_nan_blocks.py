"""RandomNaNBlocks: channels that fail for a while."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import torch

from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_counts, check_span
from hmsklearn.augmentation._random import draw_spans, inside, subset, whole

__all__ = ["RandomNaNBlocks"]


class RandomNaNBlocks(BaseAugmentation):
    """Mark random stretches of random channels as missing.

    Parameters
    ----------
    n_blocks : int or (int, int), default=(1, 4)
        Number of blocks, or the range from which it is drawn.
    n_channels : int or (int, int), default=(1, 8)
        Number of channels of one block.
    size : int, float or pair of them, default=(0.02, 0.2)
        Length of a block: whole numbers are samples, floats shares of the window.
    fill : float, default=nan
        Value inside the blocks. Zero is for nets and frontends that cannot see NaN.
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
    ChannelDrop : Whole channels.
    Cutout1d : Stretches of all channels.

    Notes
    -----
    NaN behind it must be filled by the frontend before a net sees the windows. What was
    NaN before stays so outside the blocks.

    References
    ----------
    HMS: the 9th place (discussion 492429) predicts where NaN were, as a second task;
    sizes are not published.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import RandomNaNBlocks
    >>> blocks = RandomNaNBlocks(1, 2, size=10, p=1.0, random_state=0)
    >>> int(np.isnan(blocks(np.ones((1, 5, 100)))).sum())
    20
    """

    _ndim = (3,)

    def __init__(
        self,
        n_blocks: int | tuple[int, int] = (1, 4),
        n_channels: int | tuple[int, int] = (1, 8),
        *,
        size: Any = (0.02, 0.2),
        fill: float = math.nan,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.n_blocks = n_blocks
        self.n_channels = n_channels
        self.size = size
        self.fill = fill

    def _check(self) -> None:
        check_counts(self.n_blocks, "n_blocks", caller=self._name, low=1)
        check_counts(self.n_channels, "n_channels", caller=self._name, low=1)
        check_span(self.size, "size", caller=self._name)
        if not isinstance(self.fill, Real):
            raise ValueError(
                f"{self._name}: fill must be a number or NaN, got {self.fill!r}."
            )

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        n, n_chans, n_times = x.shape
        fewest, most = check_counts(self.n_blocks, "n_blocks", caller=self._name)
        low, high = check_counts(self.n_channels, "n_channels", caller=self._name)
        if high > n_chans:
            raise ValueError(
                f"{self._name}: n_channels={self.n_channels} is more than the "
                f"{n_chans} channels of the windows. Give fewer."
            )
        lengths = check_span(self.size, "size", caller=self._name)
        spans = draw_spans(n, most, lengths, n_times, x, generator, caller=self._name)
        counts = whole(n * most, x, generator, low, high)
        channels = subset(n_chans, counts, x, generator).reshape(n, most, n_chans)
        used = torch.arange(most, device=x.device) < whole(
            (n, 1), x, generator, fewest, most
        )
        return {"spans": spans, "channels": channels & used[..., None]}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        self._same_size(x.shape[1], params["channels"].shape[2], "channels")
        times = inside(x.shape[-1], params["spans"])
        blank = (params["channels"][..., None] & times[:, :, None]).any(dim=1)
        return x.masked_fill(blank, self.fill)
