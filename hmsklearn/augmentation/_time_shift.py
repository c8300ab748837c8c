"""TimeShift: windows that begin a little earlier or later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmsklearn._params import check_choice
from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._checks import check_span
from hmsklearn.augmentation._random import uniform, whole

__all__ = ["TimeShift"]

ENDS = ("roll", "zero", "edge", "reflect")


class TimeShift(BaseAugmentation):
    """Move each window along the time axis, forwards or backwards.

    Parameters
    ----------
    max_shift : int or float, default=3333
        Largest shift: a whole number is samples, a float a share of the window.
    ends : {"roll", "zero", "edge", "reflect"}, default="roll"
        What comes in where the window was left empty: what fell out at the other end,
        zeros, the first or last sample again, or the signal mirrored there.
    after_frontend : bool, default=False
        Whether columns of images are moved and not samples of the signals.
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
    WindowJitter : Cuts shifted windows out of longer ones; nothing must be filled in.
    CentreShift : Small shifts of the labelled middle.

    Notes
    -----
    The last axis is the time; all channels are moved alike, by whole samples. NaN moves
    with its sample. The zeros of ``ends="zero"`` come in before the net's input is
    normalised (`input_norm`): in images that are not centred, such as spectrograms in
    decibels, they are far away from all that there is.

    References
    ----------
    HMS: up to 3,333 samples either way, but within the record (3rd place, discussion
    492471); 5th (492652).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import TimeShift
    >>> X = np.arange(1.0, 6.0).reshape(1, 1, 5)
    >>> TimeShift(2, ends="zero", p=1.0, random_state=3)(X).ravel().tolist()
    [2.0, 3.0, 4.0, 5.0, 0.0]
    """

    def __init__(
        self,
        max_shift: float = 3333,
        *,
        ends: str = "roll",
        after_frontend: bool = False,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.max_shift = max_shift
        self.ends = ends
        self.after_frontend = after_frontend

    def _check(self) -> None:
        check_span(self.max_shift, "max_shift", caller=self._name)
        check_choice(self.ends, "ends", ENDS, caller=self._name)

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        n, size = len(x), x.shape[-1]
        most = check_span(self.max_shift, "max_shift", caller=self._name)[1]
        if isinstance(most, int):
            if most > size:
                raise ValueError(
                    f"{self._name}: max_shift={most} is longer than the windows of "
                    f"{size} samples. Give a smaller one, or a share as a float."
                )
            return {"shift": whole(n, x, generator, -most, most) / size}
        return {"shift": uniform(n, x, generator, -most, most)}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        size = x.shape[-1]
        shift = (params["shift"] * size).round().long()
        source = torch.arange(size, device=x.device) - shift[:, None]
        outside = (source < 0) | (source >= size)
        if self.ends == "roll":
            source = source % size
        elif self.ends == "reflect":
            period = max(2 * (size - 1), 1)
            source = source % period
            source = torch.minimum(source, period - source)
        source = source.clamp(0, size - 1)
        lead = (len(x), *(1,) * (x.ndim - 2), size)
        moved = x.gather(-1, source.reshape(lead).expand_as(x))
        if self.ends == "zero":
            moved = moved.masked_fill(outside.reshape(lead), 0)
        return moved
