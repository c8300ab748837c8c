"""ImageResizer: images in the size that a network likes."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice, check_integer
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.resize import RESIZE_MODES, resize_images

__all__ = ["ImageResizer", "check_size"]


def check_size(size: Any, *, caller: str) -> tuple[int, int]:
    """Check a height and a width; one number stands for both."""
    pair = size if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2:
        raise ValueError(
            f"{caller}: size must be a number or a pair (height, width), got {size!r}."
        )
    height = check_integer(pair[0], "size (height)", caller=caller, low=1)
    width = check_integer(pair[1], "size (width)", caller=caller, low=1)
    return height, width


class ImageResizer(BaseSignalTransformer):
    """Resize images.

    Parameters
    ----------
    size : int or (int, int), default=512
        Height and width of the output, or one number for both.
    mode : {"nearest", "bilinear", "bicubic"}, default="bilinear"
        What lies between the old pixels. ``"nearest"`` repeats or skips pixels.
    antialias : bool, default=False
        Whether images are smoothed where they get smaller, as PIL does. Without it
        pixels are skipped, as OpenCV and torch do by default. Not with ``"nearest"``.

    Attributes
    ----------
    n_features_in_ : int
        Number of planes seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable.

    See Also
    --------
    ImageTiler : Pads images to a size without changing their pixels.

    Notes
    -----
    ``(n_windows, n_planes, height, width)`` in, ``(n_windows, n_planes, *size)`` out,
    same dtype; planes keep their names. The numbers are those of
    ``torch.nn.functional.interpolate(..., align_corners=False)``. NaN spreads to the
    pixels that are made of it, no further.

    References
    ----------
    Images of 512 x 256 (4th place of HMS, discussion 492240), 518 x 518 (6th, 492619)
    and 320 x 320 (16th); nearest for panels beside spectrograms of another size (4th).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.imaging import ImageResizer
    >>> image = np.array([[[[0.0, 1.0], [2.0, 3.0]]]])
    >>> ImageResizer((2, 4)).fit_transform(image)
    array([[[[0.  , 0.25, 0.75, 1.  ],
             [2.  , 2.25, 2.75, 3.  ]]]])
    """

    _ndim = (4,)
    _allow_nan = True

    def __init__(
        self,
        size: int | tuple[int, int] = 512,
        *,
        mode: str = "bilinear",
        antialias: bool = False,
    ) -> None:
        self.size = size
        self.mode = mode
        self.antialias = antialias

    def _fit(self, X: Array) -> None:
        caller = type(self).__name__
        size = check_size(self.size, caller=caller)
        check_choice(self.mode, "mode", RESIZE_MODES, caller=caller)
        if not isinstance(self.antialias, (bool, np.bool_)):
            raise ValueError(
                f"{caller}: antialias must be True or False, got {self.antialias!r}."
            )
        if self.antialias and self.mode == "nearest":
            raise ValueError(
                f"{caller}: antialias=True has no meaning with mode='nearest'. Give "
                "mode='bilinear' or 'bicubic', or antialias=False."
            )
        self._size = size

    def _output_shape(self, X: Array) -> tuple[int, ...]:
        return X.shape[1], *self._size

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return resize_images(
            X, self._size, self.mode, antialias=bool(self.antialias), out=out
        )
