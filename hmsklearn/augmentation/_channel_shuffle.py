"""ChannelShuffle: channels in a random order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._random import shuffled, spread

__all__ = ["ChannelShuffle"]


class ChannelShuffle(BaseAugmentation):
    """Put the channels of each window into a random order.

    Parameters
    ----------
    after_frontend : bool, default=False
        Whether planes of images are shuffled and not channels of the signals.
    p : float, default=0.3
        Probability that a window is changed.
    views : sequence of str, default=None
        Names of the views that are changed, where windows have several; all of them by
        default.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier. In a classifier's ``fit`` torch's generator
        is used instead, which ``fit`` seeds.

    See Also
    --------
    ChainPermutation : Moves whole chains.

    Notes
    -----
    Channels are the axis behind the windows. NaN moves with its channel.

    References
    ----------
    HMS: p 0.3 (4th place, discussion 492240); channel swaps of the 9th (492429).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import ChannelShuffle
    >>> X = np.arange(5.0).reshape(1, 5, 1)
    >>> sorted(ChannelShuffle(p=1.0, random_state=0)(X).ravel().tolist())
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """

    def __init__(
        self,
        *,
        after_frontend: bool = False,
        p: float = 0.3,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.after_frontend = after_frontend

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        return {"order": shuffled(len(x), x.shape[1], x, generator)}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        self._same_size(x.shape[1], params["order"].shape[1], "channels")
        return x.gather(1, spread(params["order"], x).expand_as(x))
