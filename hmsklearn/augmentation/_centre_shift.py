"""CentreShift: the labelled seconds a little off the middle of the window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hmsklearn.augmentation._time_shift import TimeShift

__all__ = ["CentreShift"]


class CentreShift(TimeShift):
    """Move the labelled centre of a window away from its middle.

    Parameters
    ----------
    max_shift : int or float, default=200
        Largest distance of the labelled centre from the middle: a whole number is
        samples, a float a share of the window.
    ends : {"roll", "zero", "edge", "reflect"}, default="reflect"
        What comes in where the window was left empty, see :class:`TimeShift`.
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
    TimeShift : Larger shifts, also of images.
    WindowJitter : Cuts shifted windows out of longer ones.

    Notes
    -----
    It makes a difference where a frontend or net looks closer at the middle, such as
    the magnified centre of a spectrogram: what is magnified is then a neighbourhood of
    the labelled seconds, and the net must find them. NaN moves with its sample.

    References
    ----------
    HMS: 3rd place (discussion 492471), which magnifies 2,400 samples, and in training
    with p 0.7 those up to 800 samples away.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import CentreShift
    >>> X = np.arange(9.0).reshape(1, 1, 9)
    >>> CentreShift(2, p=1.0, random_state=3)(X).ravel().tolist()
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 7.0]
    """

    _ndim = (3,)

    def __init__(
        self,
        max_shift: float = 200,
        *,
        ends: str = "reflect",
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            max_shift, ends=ends, p=p, views=views, random_state=random_state
        )
