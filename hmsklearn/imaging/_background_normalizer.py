"""BackgroundNormalizer: spectra without what is in them all the time."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_real
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.background import normalize_background

__all__ = ["BackgroundNormalizer"]


class BackgroundNormalizer(BaseSignalTransformer):
    """Take level and spread of each frequency out of spectra over time.

    The median of each column over time is subtracted, and the rest divided by its
    median absolute deviation. What is there all the time disappears: the receiver's
    band-pass, its ripple, transmitters that stand still. Drifting and short signals
    hardly move a median, and stand out.

    Parameters
    ----------
    reference : sequence of int, optional
        Planes of which median and deviation are taken, all of them together, for
        every plane alike: the observations beside the star, ``(1, 3, 5)``. By default
        each plane is its own reference.
    clip : float, optional
        Results are limited to this many standard deviations to either side.

    Attributes
    ----------
    n_features_in_ : int
        Number of planes seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable or names a plane that `X` does not have.

    See Also
    --------
    ImageStandardizer : One level and spread for a window, a plane or a row.

    Notes
    -----
    Images ``(n_windows, n_planes, n_times, n_freqs)`` in and out, time on the height
    and frequency on the width, same dtype; planes keep their names. A window's result
    depends on nothing but the window. NaN is refused.

    The deviation is multiplied by 1.4826, so that normal noise has standard deviation
    1. Columns without deviation are divided by 1. With a reference, a signal that
    stays at one frequency is kept if the reference does not have it; without one it
    is taken out like the background.

    ``ImageTiler([[0], [2], [4]])`` afterwards keeps the planes of the star alone.

    References
    ----------
    The 1st place of Kaggle's SETI Breakthrough Listen (discussion 266385) won by
    a reduction of background noise whose details the report does not give. This is a
    robust form of it, not the team's.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.imaging import BackgroundNormalizer
    >>> rng = np.random.default_rng(0)
    >>> band = np.linspace(1, 3, 32)
    >>> image = (band * (10 + rng.normal(size=(1, 1, 200, 32)))).astype("float32")
    >>> flat = BackgroundNormalizer().fit_transform(image)
    >>> round(float(image.std()), 2), round(float(flat.std()), 2)
    (6.31, 1.01)
    """

    _ndim = (4,)

    def __init__(
        self, reference: Sequence[int] | None = None, *, clip: float | None = None
    ) -> None:
        self.reference = reference
        self.clip = clip

    def _fit(self, X: Array) -> None:
        if self.clip is not None:
            caller = type(self).__name__
            check_real(self.clip, "clip", caller=caller, low=0, low_open=True)
        self._planes = self._check_reference(X.shape[1])

    def _check_reference(self, n_planes: int) -> list[int] | None:
        given = self.reference
        if given is None:
            return None
        usable = isinstance(given, (tuple, list, range, np.ndarray)) and len(given)
        planes: list[Any] = list(given) if usable else []
        if (
            not planes
            or any(isinstance(p, bool) or not isinstance(p, Integral) for p in planes)
            or len(set(planes)) != len(planes)
            or not all(0 <= plane < n_planes for plane in planes)
        ):
            raise ValueError(
                f"{type(self).__name__}: reference must name planes out of 0 .. "
                f"{n_planes - 1} by position, each once, or be None, got {given!r}."
            )
        return [int(plane) for plane in planes]

    def _output_shape(self, X: Array) -> tuple[int, ...]:
        return X.shape[1:]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return normalize_background(X, self._planes, clip=self.clip, out=out)
