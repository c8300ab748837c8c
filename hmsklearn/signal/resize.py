"""Images in another size, as ``torch.nn.functional.interpolate`` draws them.

Interpolation is separable: every new row is a weighted sum of a few old rows, every new
column of a few old columns. Which ones, and with what weights, depends on the sizes
alone and is worked out once. The sums are additions of whole rows then, several times
fewer operations than the product with a matrix that is nearly all zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from torch.nn import functional

from hmsklearn.signal.arrays import Array, Constant, as_float, is_tensor, refuse_out

__all__ = ["RESIZE_MODES", "resize_images"]

#: Ways to interpolate, see :func:`resize_images`.
RESIZE_MODES = ("nearest", "bilinear", "bicubic")

# A gather of columns takes about as long as three of rows of the same size.
_COLUMN_COST = 3


@dataclass(frozen=True)
class _Taps:
    """What each new position is made of: old positions and weights, (n_taps, n_out)."""

    index: np.ndarray
    weight: Constant | None

    @property
    def n_taps(self) -> int:
        return len(self.index)


def resize_images(
    X: Array,
    size: tuple[int, int],
    mode: str = "bilinear",
    *,
    antialias: bool = False,
    out: np.ndarray | None = None,
) -> Array:
    """Resize images to a height and a width.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., height, width)
        Images, float32 or float64.
    size : (int, int)
        New height and width.
    mode : {"nearest", "bilinear", "bicubic"}, default="bilinear"
        What lies between the old pixels.
    antialias : bool, default=False
        Whether images are smoothed where they get smaller, as PIL does, so that every
        old pixel counts. Without it pixels are skipped. Not with ``"nearest"``.
    out : ndarray of shape (..., size[0], size[1]), optional
        Where to write; must not overlap `X`. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new array of the type of `X`.

    Raises
    ------
    ValueError
        If `mode` is unknown or `antialias` comes with ``"nearest"``, or `out` is given
        with a tensor.

    Notes
    -----
    The numbers are those of ``torch.nn.functional.interpolate`` with
    ``align_corners=False``, which is also what OpenCV draws with its bilinear mode.
    Arrays get positions and weights from double precision, tensors from their own:
    float32 differs by less than 1e-5 of the contrast up to widths of 100, 1e-4 at
    1,000. A pixel that uses a NaN is NaN.

    Examples
    --------
    >>> resize_images(np.array([[0.0, 1.0]]), (1, 4))
    array([[0.  , 0.25, 0.75, 1.  ]])
    >>> resize_images(np.array([[0.0, 1.0]]), (2, 4), "nearest")
    array([[0., 0., 1., 1.],
           [0., 0., 1., 1.]])
    """
    X = as_float(X, "resize_images")
    if mode not in RESIZE_MODES:
        raise ValueError(
            f"resize_images: mode must be one of {', '.join(RESIZE_MODES)}, got "
            f"{mode!r}."
        )
    if antialias and mode == "nearest":
        raise ValueError(
            "resize_images: antialias=True has no meaning with mode='nearest'. Give "
            "'bilinear' or 'bicubic'."
        )
    refuse_out(X, out, "resize_images")
    if is_tensor(X):
        return _resize_tensor(X, size, mode, antialias)
    height, width = X.shape[-2:]
    if out is None:
        out = np.empty((*X.shape[:-2], *size), dtype=X.dtype)
    rows = _taps(height, size[0], mode, antialias)
    columns = _taps(width, size[1], mode, antialias)
    _Resizer(rows, columns, (height, width), size, X.dtype).run(X, out)
    return out


def _resize_tensor(
    X: Array, size: tuple[int, int], mode: str, antialias: bool
) -> Array:
    images = X if X.ndim == 4 else X.reshape(-1, 1, *X.shape[-2:])
    if tuple(images.shape[-2:]) == tuple(size):
        return X.clone()
    if mode == "bicubic" and not antialias:
        # torch would weigh the neighbours along an axis that stays as it is with
        # zeros, by which a NaN gets into them.
        for axis in (-2, -1):
            if images.shape[axis] == size[axis]:
                return _stretch_lines(X, axis, size)
    # On the CPU, torch 2.11 mixes up the rows of smoothed images that are one column
    # wide; as one row they are right.
    turn = antialias and size[1] == 1
    resized = functional.interpolate(
        images.mT if turn else images,
        size=(size[1], size[0]) if turn else tuple(size),
        mode=mode,
        antialias=antialias,
        align_corners=None if mode == "nearest" else False,
    )
    return (resized.mT if turn else resized).reshape(*X.shape[:-2], *size)


def _stretch_lines(X: Array, kept: int, size: tuple[int, int]) -> Array:
    """Interpolate along one of the last two axes alone; `kept` is the other one."""
    lines = X if kept == -2 else X.mT
    flat = functional.interpolate(
        lines.reshape(-1, 1, 1, lines.shape[-1]),
        size=(1, size[-3 - kept]),
        mode="bicubic",
        align_corners=False,
    )
    stretched = flat.reshape(*lines.shape[:-1], -1)
    return stretched if kept == -2 else stretched.mT.contiguous()


class _Resizer:
    """The two passes over one image after the other, in the cheaper order."""

    def __init__(
        self,
        rows: _Taps | None,
        columns: _Taps | None,
        old: tuple[int, int],
        new: tuple[int, int],
        dtype: np.dtype,
    ) -> None:
        self.rows, self.columns = rows, columns
        (height, width), (new_height, new_width) = old, new
        n_rows = rows.n_taps if rows else 0
        n_columns = _COLUMN_COST * (columns.n_taps if columns else 0)
        self.columns_first = (
            n_columns * height * new_width + n_rows * new_height * new_width
            <= n_rows * new_height * width + n_columns * new_height * new_width
        )
        shape = (height, new_width) if self.columns_first else (new_height, width)
        self.half_way = np.empty(shape, dtype=dtype)
        self.scratch = [np.empty(shape, dtype=dtype), np.empty(new, dtype=dtype)]

    def run(self, X: np.ndarray, out: np.ndarray) -> None:
        first, second = (self.columns, 1), (self.rows, 0)
        if not self.columns_first:
            first, second = second, first
        for where in np.ndindex(X.shape[:-2]):
            image = X[where]
            if first[0] is not None and second[0] is not None:
                _weigh(image, *first, self.half_way, self.scratch[0])
                _weigh(self.half_way, *second, out[where], self.scratch[1])
            else:
                _weigh(
                    image,
                    *(first if first[0] is not None else second),
                    out[where],
                    self.scratch[1],
                )


def _weigh(
    image: np.ndarray,
    taps: _Taps | None,
    axis: int,
    out: np.ndarray,
    scratch: np.ndarray,
) -> None:
    """Weighted sums along one axis of an image; a copy where there are no taps."""
    if taps is None:
        np.copyto(out, image)
        return
    # The indices are in range. "wrap" is the fastest way to say that none is to be
    # looked for, and takes `out` without a copy.
    np.take(image, taps.index[0], axis=axis, out=out, mode="wrap")
    if taps.weight is None:
        return
    weights = taps.weight.like(image)
    if axis == 0:
        weights = weights[:, :, None]
    out *= weights[0]
    for index, weight in zip(taps.index[1:], weights[1:], strict=True):
        np.take(image, index, axis=axis, out=scratch, mode="wrap")
        np.multiply(scratch, weight, out=scratch)
        out += scratch


@lru_cache(maxsize=256)
def _taps(n_in: int, n_out: int, mode: str, antialias: bool) -> _Taps | None:
    """Positions and weights along one axis; None where nothing changes."""
    if n_in == n_out:
        return None
    if mode == "nearest":
        return _Taps(_nearest(n_in, n_out)[None], None)
    if antialias:
        index, weight = _smooth(n_in, n_out, mode)
    elif mode == "bilinear":
        index, weight = _bilinear(n_in, n_out)
    else:
        index, weight = _bicubic(n_in, n_out)
    index.setflags(write=False)
    return _Taps(index, Constant(weight))


def _nearest(n_in: int, n_out: int) -> np.ndarray:
    # In single precision, as in torch: the floor of a rounded product decides.
    ratio = np.float32(n_in) / np.float32(n_out)
    place = np.floor(np.arange(n_out, dtype=np.float32) * ratio).astype(np.intp)
    return np.minimum(place, n_in - 1)


def _centres(n_in: int, n_out: int) -> np.ndarray:
    """Where the centres of the new pixels lie among those of the old ones."""
    return (np.arange(n_out) + 0.5) * (n_in / n_out) - 0.5


def _bilinear(n_in: int, n_out: int) -> tuple[np.ndarray, np.ndarray]:
    place = np.maximum(_centres(n_in, n_out), 0.0)
    left = np.minimum(place.astype(np.intp), n_in - 1)
    share = place - left
    index = np.stack([left, np.minimum(left + 1, n_in - 1)])
    return index, np.stack([1.0 - share, share])


def _bicubic(n_in: int, n_out: int) -> tuple[np.ndarray, np.ndarray]:
    place = _centres(n_in, n_out)
    left = np.floor(place).astype(np.intp)
    offsets = np.arange(-1, 3)[:, None]
    weight = _keys(place - left - offsets, -0.75)
    return np.clip(left + offsets, 0, n_in - 1), weight


def _keys(x: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution kernel."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _smooth(n_in: int, n_out: int, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Taps of the antialiased modes: the kernel grows as the image shrinks."""
    ratio = n_in / n_out
    stretch = max(ratio, 1.0)
    support = stretch * (1.0 if mode == "bilinear" else 2.0)
    centre = ratio * (np.arange(n_out) + 0.5)
    first = np.maximum((centre - support + 0.5).astype(np.intp), 0)
    last = np.minimum((centre + support + 0.5).astype(np.intp), n_in)
    offsets = np.arange(int((last - first).max()))[:, None]
    x = (first + offsets - centre + 0.5) / stretch
    weight = np.maximum(1 - np.abs(x), 0) if mode == "bilinear" else _keys(x, -0.5)
    inside = first + offsets < last
    weight = np.where(inside, weight, 0.0)
    # Places after the last one repeat it, with weight zero.
    return np.where(inside, first + offsets, last - 1), weight / weight.sum(axis=0)
