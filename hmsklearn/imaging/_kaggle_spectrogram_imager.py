"""KaggleSpectrogramImager: the competition's spectrograms as images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice, check_integer
from hmsklearn._windows import WindowError
from hmsklearn.imaging._image_standardizer import ImageStandardizer
from hmsklearn.imaging._panel_checks import check_zero_power, resolve_panels
from hmsklearn.imaging._panel_images import (
    BASES,
    DIFFERENCES,
    MISSING,
    panel_images,
    without_nan,
)
from hmsklearn.signal.arrays import Array, is_tensor
from hmsklearn.signal.tiling import tile_planes
from hmsklearn.spectrogram._levels import LevelsMixin

__all__ = ["KaggleSpectrogramImager"]

_STANDARDS = (None, "window", "plane")

# Of the public notebooks, for natural logarithms.
_CLIP = (-4.0, 8.0)


class KaggleSpectrogramImager(LevelsMixin, BaseSignalTransformer):
    """Turn the organisers' spectrograms into images, as the published solutions do.

    The defaults are those of the public notebooks: the central 256 of 300 columns,
    power clipped to ``exp(-4)`` and ``exp(8)``, natural logarithm, each panel
    standardised by itself, NaN to 0.

    Parameters
    ----------
    panels : sequence of int or str, default=None
        Which panels, in which order: positions, or LL, RL, LP, RP where `X` has these
        four in this order, as the files do. All of them by default.
    width : int or None, default=256
        Number of columns to keep, from the centre (the first one is
        ``(n - width) // 2``); None keeps all.
    height : int or None, default=None
        Rows of the output; rows of zeros above and below fill 100 up to 128.
    differences : {None, "power", "levels"}, default=None
        Whether the differences of all pairs of panels follow as further planes: of the
        power, where what is negative ends at the lower bound of `clip`, or of the
        levels.
    output : {"log", "log10", "db", "linear", "log1p"}, default="log"
        With ``x = power ** (exponent / 2)``: ``log(x + eps)``, ``log10(x + eps)``,
        decibel of the power, ``x`` itself, ``log(1 + x)``.
    exponent : float, default=2.0
        2 for power, 1 for magnitude.
    ref, amin, top_db : optional
        Of the decibels, see :func:`hmsklearn.signal.power_to_db`; each panel is an
        image of its own.
    eps : float, default=0.0
        Added before ``log`` and ``log10``.
    clip : "auto", (float or None, float or None) or None, default="auto"
        Bounds of the levels, before `offset` and `scale`. ``"auto"`` is ``(-4, 8)``
        with ``output="log"``, the notebooks' bounds (those of power are e to the -4 and
        to the 8), and None with every other output, whose numbers mean something else.
    offset, scale : float, default=0.0 and 1.0
        The levels are ``(value + offset) / scale``.
    standardize : None, "window", "plane" or ImageStandardizer, default="plane"
        What follows: nothing; zero mean and unit deviation of all planes of a window
        together or of each plane; or any other :class:`ImageStandardizer`.
    missing : {"output", "levels", "power"}, default="output"
        Where NaN becomes 0: at the end, left out of mean and deviation; in the levels,
        before the standardisation; or in the power, before everything.

    Attributes
    ----------
    standardizer_ : ImageStandardizer or None
        What standardises.
    n_features_in_ : int
        Number of panels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: for an unusable parameter, windows narrower than `width` or higher
        than `height`, a logarithm that could meet 0, or infinite values. In ``fit`` and
        ``transform``: for negative power.

    Notes
    -----
    ``(n_windows, n_panels, 100, n_columns)`` power in, as
    ``HMSReader(view="spectrogram")`` reads it, ``(n_windows, n_planes, height, width)``
    out, same dtype, never NaN. A panel without any value is 0 throughout, one that is
    constant as well with the default standardisation. Differences follow in the order
    0 - 1, 0 - 2, 0 - 3, 1 - 2, 1 - 3, 2 - 3.

    Negative power does not exist, so that arrays with some are refused: they hold
    levels, or something else. Of tensors, whose values are not looked at, it counts as
    no power at all.

    References
    ----------
    Default: the public notebooks of C. Deotte and T. Tawara for HMS. ``offset=-2,
    scale=12, standardize=None``: 5th place (discussion 492652). ``width=100,
    output="db", standardize=None``, and ``output="log10", eps=1e-4, offset=-3,
    scale=0.1, standardize=None``: 4th (492240). ``width=None, differences="power",
    clip=(-7, 10), standardize="window"``: 15th. ``output="log10", eps=1e-6,
    standardize=ImageStandardizer("quantile")``: 16th.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.imaging import KaggleSpectrogramImager
    >>> power = np.random.default_rng(0).gamma(0.5, size=(2, 4, 100, 300))
    >>> power[0, 1] = np.nan
    >>> images = KaggleSpectrogramImager(height=128).fit_transform(power)
    >>> images.shape, float(abs(images[0, 1]).max()), float(images[0, 0].std().round(2))
    ((2, 4, 128, 256), 0.0, 0.88)
    >>> step = KaggleSpectrogramImager(("LL", "LP"), differences="levels").fit(power)
    >>> step.get_feature_names_out(["LL", "RL", "LP", "RP"]).tolist()
    ['LL', 'LP', 'LL-LP']
    """

    _ndim = (4,)
    _allow_nan = True

    def __init__(
        self,
        panels: Sequence[int | str] | None = None,
        *,
        width: int | None = 256,
        height: int | None = None,
        differences: str | None = None,
        output: str = "log",
        exponent: float = 2.0,
        ref: str | float = "max",
        amin: float = 1e-10,
        top_db: float | None = 80.0,
        eps: float = 0.0,
        clip: str | tuple[float | None, float | None] | None = "auto",
        offset: float = 0.0,
        scale: float = 1.0,
        standardize: str | ImageStandardizer | None = "plane",
        missing: str = "output",
    ) -> None:
        self.panels = panels
        self.width = width
        self.height = height
        self.differences = differences
        self.output = output
        self.exponent = exponent
        self.ref = ref
        self.amin = amin
        self.top_db = top_db
        self.eps = eps
        self.clip = clip
        self.offset = offset
        self.scale = scale
        self.standardize = standardize
        self.missing = missing

    def _fit(self, X: Array) -> None:
        caller = type(self).__name__
        self._check_levels()
        check_choice(self.differences, "differences", DIFFERENCES, caller=caller)
        check_choice(self.missing, "missing", MISSING, caller=caller)
        self._panels = resolve_panels(self.panels, X.shape[1], caller=caller)
        for name in ("width", "height"):
            if getattr(self, name) is not None:
                check_integer(getattr(self, name), name, caller=caller, low=1)
        self._check_size(X)
        check_zero_power(
            self.output, self.eps, self.exponent, self._bounds(), caller=caller
        )
        if self.differences == "power" and not (self.output in BASES and self.eps == 0):
            raise ValueError(
                f"{caller}: differences='power' are negative in part. Give "
                "output='log' with eps=0 and a lower bound in clip, or "
                "differences='levels'."
            )
        self.standardizer_ = self._make_standardizer(X)

    def _bounds(self) -> Any:
        if not isinstance(self.clip, str):
            return self.clip
        if self.clip != "auto":
            raise ValueError(
                f"{type(self).__name__}: clip must be 'auto', None or a pair (low, "
                f"high), got {self.clip!r}."
            )
        return _CLIP if self.output == "log" else None

    def _check_size(self, X: Array) -> None:
        caller = type(self).__name__
        height, width = X.shape[-2:]
        if self.width is not None and width < self.width:
            raise ValueError(
                f"{caller}: X has {width} columns (last axis), fewer than "
                f"width={self.width}. Give longer windows, or width=None."
            )
        if self.height is not None and height > self.height:
            raise ValueError(
                f"{caller}: X has {height} rows (axis 2), more than "
                f"height={self.height}. Rows are added, not cut: give a larger height."
            )

    def _make_standardizer(self, X: Array) -> ImageStandardizer | None:
        caller = type(self).__name__
        given = self.standardize
        if given is None:
            return None
        if isinstance(given, ImageStandardizer):
            standardizer = clone(given)
        elif isinstance(given, str):
            check_choice(given, "standardize", _STANDARDS, caller=caller)
            standardizer = ImageStandardizer(per=given)
        else:
            raise ValueError(
                f"{caller}: standardize must be None, 'window', 'plane' or an "
                f"ImageStandardizer, got {given!r}."
            )
        # It must suit the planes, of which there is none yet.
        shape = (1, self._n_planes(), *self._inner(X))
        return standardizer.fit(np.broadcast_to(np.float32(0), shape))

    def _n_planes(self) -> int:
        n_panels = len(self._panels)
        return n_panels + (
            0 if self.differences is None else n_panels * (n_panels - 1) // 2
        )

    def _inner(self, X: Array) -> tuple[int, int]:
        height, width = X.shape[-2:]
        return height, width if self.width is None else self.width

    def _output_shape(self, X: Array) -> tuple[int, ...]:
        self._check_size(X)
        height, width = self._inner(X)
        return self._n_planes(), self.height or height, width

    def _admit(self, X: np.ndarray, where: slice) -> np.ndarray:
        power = super()._admit(X, where)
        negative = power < 0
        if negative.any():
            window, panel = np.argwhere(negative)[0][:2]
            raise WindowError(
                f"{type(self).__name__}: Negative values in data: X holds power, which "
                "cannot be negative (first in window ",
                where.start + int(window),
                f", panel {panel}). Give the power itself, as HMSReader reads it, not "
                "levels of it.",
            )
        return power

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        start = (X.shape[-1] - self._inner(X)[1]) // 2
        columns = slice(start, start + self._inner(X)[1])
        if is_tensor(X):
            self._check_size(X)
            picked = torch.stack([X[:, i, :, columns] for i in self._panels], dim=1)
            return self._pad(self._image(picked.clamp(min=0)), None)
        assert out is not None
        for x, y in zip(X, out, strict=True):
            # A copy, which the levels may be written into.
            self._pad(self._image(x[self._panels][None, ..., columns]), y[None])
        return out

    def _image(self, power: Array) -> Array:
        """Images of windows that are cropped already, and may be written into."""
        images = panel_images(
            power,
            self._levels(),
            missing=self.missing,
            differences=self.differences,
        )
        if self.standardizer_ is None:
            return without_nan(images)
        in_place = None if is_tensor(images) else images
        return self.standardizer_._transform(images, in_place)

    def _pad(self, images: Array, out: np.ndarray | None) -> Array:
        if self.height is None or self.height == images.shape[-2]:
            if out is None:
                return images
            np.copyto(out, images)
            return out
        each = np.arange(images.shape[1]).reshape(-1, 1, 1)
        size = (self.height, images.shape[-1])
        return tile_planes(images, each, size=size, out=out)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    def _feature_names_out(self, names: list[str]) -> list[str]:
        picked = [names[i] for i in self._panels]
        if self.differences is None:
            return picked
        return picked + [f"{one}-{other}" for one, other in combinations(picked, 2)]
