"""WindowJitter: windows cut at random places out of longer ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from hmsklearn._params import check_integer
from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._random import uniform

__all__ = ["WindowJitter"]


class WindowJitter(BaseAugmentation):
    """Cut a shorter window at a random place out of each window.

    Parameters
    ----------
    n_times : int
        Number of samples to keep.
    max_shift : int, default=None
        Largest distance in samples between the middles of the old and the new window;
        any place inside the old window by default.
    p : float, default=1.0
        Probability that a window is changed.
    views : sequence of str, default=None
        Names of the views that are changed, where windows have several; all of them by
        default.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier. In a classifier's ``fit`` torch's generator
        is used instead, which ``fit`` seeds.

    See Also
    --------
    TimeShift : Keeps the length and fills in what is missing.

    Notes
    -----
    Every window becomes shorter: one that is not drawn is cut from the middle, as
    :meth:`centre` does for prediction. All channels are cut alike, and views of one
    length too.

    Samples at the start or at the end of a window that are NaN in all channels, of all
    views of that length, lie outside its record: ``HMSReader(window_seconds=...)``
    gives them. None of them is cut into, and of the places that are left each is
    equally likely. Where none is left within `max_shift`, as in a record shorter than
    `n_times`, the window is cut from the middle. Other NaN stays.

    Give it first among the augmentations: what fills or mixes windows before hides
    where their records end, and after it there are fewer samples to change.

    References
    ----------
    The 3rd place of HMS (discussion 492471): 50 s moved by up to 3,333 samples within
    the record, ``WindowJitter(10_000, max_shift=3333)`` behind
    ``HMSReader(window_seconds=83.33)``. The public ResNet1D-GRU: 2,000 samples, at a
    random place in training and from the middle in validation.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import WindowJitter
    >>> X = np.arange(10.0).reshape(1, 1, 10)
    >>> jitter = WindowJitter(4, random_state=0)
    >>> jitter(X).shape, np.diff(jitter(X)).ravel().tolist()
    ((1, 1, 4), [1.0, 1.0, 1.0])
    >>> jitter.centre(X).ravel().tolist()
    [3.0, 4.0, 5.0, 6.0]
    >>> X = X.repeat(50, axis=0)
    >>> X[..., :5] = np.nan  # the record starts at sample 5
    >>> np.unique(jitter(X)[:, 0, 0]).tolist()
    [5.0, 6.0]
    """

    def __init__(
        self,
        n_times: int,
        *,
        max_shift: int | None = None,
        p: float = 1.0,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.n_times = n_times
        self.max_shift = max_shift

    def centre(self, x: Any) -> Any:
        """Cut the middle out of windows, as prediction needs it.

        Parameters
        ----------
        x : ndarray, Tensor or mapping of them, shape (n_windows, ..., n_times)
            Windows, or views of them.

        Returns
        -------
        ndarray, Tensor or dict of them, shape (n_windows, ..., self.n_times)
            Views into the windows, of whose data nothing is copied.
        """
        self.check()
        if isinstance(x, Mapping):
            chosen = self._choose_views(x)
            return {k: self.centre(v) if k in chosen else v for k, v in x.items()}
        start = self._room(x.shape[-1]) // 2
        return x[..., start : start + self.n_times]

    def transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None = None
    ) -> torch.Tensor:
        """Cut windows.

        Parameters
        ----------
        x : Tensor of shape (n_windows, ..., n_times)
            Windows.
        params : dict
            What :meth:`draw` gave.
        view : str, optional
            Name of the view that the windows are.

        Returns
        -------
        Tensor of shape (n_windows, ..., self.n_times)
            New windows.
        """
        self._check_input(x)
        room = self._room(x.shape[-1])
        middle = room // 2
        most = room if self.max_shift is None else self.max_shift
        begin, end = params["ends"].get(x.shape[-1]) or _ends([x])
        low = begin.clamp(min=max(0, middle - most))
        high = (end - self.n_times).clamp(max=min(room, middle + most))
        choices = high - low + 1
        start = low + (params["place"] * choices).floor().long().minimum(choices - 1)
        start = start.where(params["active"] & (choices > 0), middle)
        index = start[:, None] + torch.arange(self.n_times, device=x.device)
        index = index.reshape(len(x), *(1,) * (x.ndim - 2), self.n_times)
        return x.gather(-1, index.expand(*x.shape[:-1], -1))

    def _check(self) -> None:
        check_integer(self.n_times, "n_times", caller=self._name, low=1)
        if self.max_shift is not None:
            check_integer(self.max_shift, "max_shift", caller=self._name, low=0)

    def _room(self, n_times: int) -> int:
        if n_times < self.n_times:
            raise ValueError(
                f"{self._name}: windows of {n_times} samples are shorter than "
                f"n_times={self.n_times}. Give longer windows, or a smaller n_times."
            )
        return n_times - self.n_times

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        views = context.get("views") or [x]
        # By length: what is cut to the same samples has the same ends.
        ends = {
            length: _ends([view for view in views if view.shape[-1] == length])
            for length in {view.shape[-1] for view in views}
        }
        return {"place": uniform(len(x), x, generator), "ends": ends}


def _ends(views: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """First sample of each record in its window, and the one after its last.

    A window that is all NaN starts at its end and ends at its start.
    """
    n_times = views[0].shape[-1]
    # As bytes: torch takes the least of many rows faster than it combines bools.
    each = [view.isnan().flatten(1, -2).view(torch.uint8).amin(dim=1) for view in views]
    lost = torch.stack(each).amin(dim=0).bool()
    place = torch.arange(n_times, device=lost.device)
    begin = place.masked_fill(lost, n_times).amin(dim=1)
    return begin, (place + 1).masked_fill(lost, 0).amax(dim=1)
