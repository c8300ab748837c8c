"""From power to the values of a picture: magnitude, decibel or logarithm, then a scale.

Every published solution has its own last line after the spectrogram. They differ in a
logarithm, a floor, a clip and two numbers, which are the parameters here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from hmsklearn.signal.arrays import Array, as_float, is_tensor, refuse_out
from hmsklearn.signal.decibel import convert_db, convert_db_tensor
from hmsklearn.signal.level_checks import OUTPUTS, check_images, check_levels

__all__ = ["OUTPUTS", "Levels", "power_to_levels"]


@dataclass(frozen=True)
class Levels:
    """What is done to power, as one object.

    Attributes
    ----------
    output : {"linear", "db", "log", "log10", "log1p"}
        As the others, an argument of :func:`power_to_levels`.
    exponent : float
        2 for power, 1 for magnitude.
    ref : "max" or float
        Power that is 0 dB.
    amin : float
        Power below this counts as this in decibels.
    top_db : float or None
        Distance of the floor from the maximum.
    eps : float
        Added before ``log`` and ``log10``.
    clip : (float or None, float or None) or None
        Bounds of the values.
    offset : float
        Added to them.
    scale : float
        What they are divided by then.
    per : {"plane", "window"}
        Whose maximum counts in decibels.

    Notes
    -----
    Nothing is checked here, see :meth:`make`.

    Examples
    --------
    >>> image = np.array([[1.0, 100.0]])
    >>> Levels(ref=1.0).write(image, image)
    >>> image
    array([[ 0., 20.]])
    """

    output: str = "db"
    exponent: float = 2.0
    ref: str | float = "max"
    amin: float = 1e-10
    top_db: float | None = 80.0
    eps: float = 1e-6
    clip: tuple[float | None, float | None] | None = None
    offset: float = 0.0
    scale: float = 1.0
    per: str = "plane"

    @classmethod
    def make(cls, given: Any, *, caller: str) -> Levels:
        """Check arguments and take them.

        Parameters
        ----------
        given : mapping of str to object
            Arguments of :func:`power_to_levels` by name.
        caller : str
            Name that starts the error messages.

        Returns
        -------
        Levels
            The levels.

        Raises
        ------
        ValueError
            If an argument is not known or unusable.
        """
        return cls(**check_levels(given, caller=caller))

    @property
    def is_db(self) -> bool:
        """Whether the maximum has to be known."""
        return self.output == "db"

    @property
    def is_shared(self) -> bool:
        """Whether it is the maximum of a window that has to be known."""
        return self.is_db and self.per == "window"

    @property
    def decibel(self) -> dict[str, Any]:
        """The parameters that only concern decibels."""
        return {"ref": self.ref, "amin": self.amin, "top_db": self.top_db}

    def write(self, power: np.ndarray, out: np.ndarray, loudest: Any = None) -> None:
        """Turn images into levels.

        Parameters
        ----------
        power : ndarray of shape (..., height, width)
            Power.
        out : ndarray of the shape and dtype of `power`
            Where to write; may be `power` itself.
        loudest : array-like of shape (...), optional
            Maxima that the decibels refer to, those of the images by default.
        """
        offset, scale = self.offset, self.scale
        if self.is_db:
            loudest = power.max(axis=(-2, -1)) if loudest is None else loudest
            if self.clip is None:
                convert_db(
                    power, out, loudest, offset=offset, scale=scale, **self.decibel
                )
                return
            convert_db(power, out, loudest, **self.decibel)
        else:
            self._write_logarithm(power, out)
        kind = out.dtype.type
        low, high = self.clip or (None, None)
        if low is not None:
            np.maximum(out, kind(low), out=out)
        if high is not None:
            np.minimum(out, kind(high), out=out)
        if offset:
            out += kind(offset)
        if scale != 1:
            out /= kind(scale)

    def _write_logarithm(self, power: np.ndarray, out: np.ndarray) -> None:
        if self.exponent == 1:
            np.sqrt(power, out=out)
        elif self.exponent == 2:
            np.copyto(out, power)
        else:
            np.power(power, power.dtype.type(self.exponent / 2), out=out)
        if self.output == "log1p":
            np.log1p(out, out=out)
        elif self.output != "linear":
            out += power.dtype.type(self.eps)
            # Without eps a power of 0 is -inf by definition, or the lower bound.
            with np.errstate(divide="ignore"):
                (np.log if self.output == "log" else np.log10)(out, out=out)

    def of_tensor(
        self, power: torch.Tensor, loudest: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Turn images into levels.

        Parameters
        ----------
        power : Tensor of shape (..., height, width)
            Power.
        loudest : Tensor, optional
            Maxima that the decibels refer to, those of `power` by default.

        Returns
        -------
        Tensor
            Levels.
        """
        if self.is_db:
            loudest = self.maxima(power) if loudest is None else loudest
            values = convert_db_tensor(power, loudest, **self.decibel)
        else:
            values = _power(power, self.exponent / 2)
            if self.output == "log1p":
                values = values.log1p()
            elif self.output != "linear":
                values = _logarithm(values + self.eps, self.output)
        if self.clip is not None:
            values = values.clamp(*self.clip)
        return (values + self.offset) / self.scale

    def maxima(self, power: torch.Tensor) -> torch.Tensor:
        """Return the maxima that decibels refer to, with axes of length one.

        Parameters
        ----------
        power : Tensor of shape (..., height, width)
            Power.

        Returns
        -------
        Tensor
            One maximum for each image or window.
        """
        axes = min(2 if self.per == "plane" else 3, power.ndim)
        return power.amax(dim=tuple(range(-axes, 0)), keepdim=True)


def power_to_levels(
    power: Array,
    output: str = "db",
    *,
    exponent: float = 2.0,
    ref: str | float = "max",
    amin: float = 1e-10,
    top_db: float | None = 80.0,
    eps: float = 1e-6,
    clip: tuple[float | None, float | None] | None = None,
    offset: float = 0.0,
    scale: float = 1.0,
    per: str = "plane",
    out: np.ndarray | None = None,
) -> Array:
    """Turn power into what a network is shown.

    Parameters
    ----------
    power : ndarray or Tensor of shape (..., height, width)
        Power (squared magnitude), not negative, float32 or float64; arrays of other
        numbers become float32. Each pair of last axes is one image.
    output : {"linear", "db", "log", "log10", "log1p"}, default="db"
        With ``x = power ** (exponent / 2)``: ``x`` itself; decibel of the power;
        ``log(x + eps)``; ``log10(x + eps)``; ``log(1 + x)``.
    exponent : float, default=2.0
        2 for power, 1 for magnitude. Decibels are always those of the power.
    ref, amin, top_db : optional
        Of the decibels, see :func:`hmsklearn.signal.power_to_db`.
    eps : float, default=1e-6
        Added before ``log`` and ``log10``. Without it a power of 0 is minus infinity,
        or the lower bound of `clip`.
    clip : (float or None, float or None), optional
        Bounds of the values, applied before `offset` and `scale`.
    offset, scale : float, default=0.0 and 1.0
        The result is ``(value + offset) / scale``.
    per : {"plane", "window"}, default="plane"
        Of the decibels: whose maximum counts.
    out : ndarray of the shape of `power`, optional
        Where to write; may be `power` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new array of the type of `power`.

    Raises
    ------
    ValueError
        If a parameter is unusable, `power` has no images or holds no real numbers, or
        `out` is given with a tensor.

    Notes
    -----
    The gradient of a power of zero is zero, that of magnitudes included.

    Examples
    --------
    >>> power = np.array([[1.0, 100.0]])
    >>> power_to_levels(power, "db", ref=1.0)
    array([[ 0., 20.]])
    >>> power_to_levels(power, "log10", exponent=1, eps=0)
    array([[0., 1.]])
    >>> power_to_levels(power, "linear", clip=(None, 50), offset=-1, scale=7)
    array([[0., 7.]])
    """
    caller = "power_to_levels"
    power = as_float(power, caller)
    levels = Levels.make(
        {
            "output": output,
            "exponent": exponent,
            "ref": ref,
            "amin": amin,
            "top_db": top_db,
            "eps": eps,
            "clip": clip,
            "offset": offset,
            "scale": scale,
            "per": per,
        },
        caller=caller,
    )
    check_images(power, caller=caller)
    refuse_out(power, out, caller)
    if is_tensor(power):
        return levels.of_tensor(power)
    if out is None:
        out = np.empty(power.shape, dtype=power.dtype)
    axes = min(2 if per == "plane" else 3, power.ndim)
    # Image by image: the passes after the first find it in the cache.
    for where in np.ndindex(power.shape[:-axes]):
        loudest = power[where].max() if levels.is_db else None
        for image in np.ndindex(power.shape[len(where) : -2]):
            place = (*where, *image)
            levels.write(power[place], out[place], loudest)
    return out


def _power(x: torch.Tensor, exponent: float) -> torch.Tensor:
    """Power whose gradient at zero is zero, where a root's is infinite."""
    if exponent == 1:
        return x
    positive = x > 0
    safe = torch.where(positive, x, 1.0)
    root = safe.sqrt() if exponent == 0.5 else safe**exponent
    return torch.where(positive, root, 0.0)


def _logarithm(x: torch.Tensor, output: str) -> torch.Tensor:
    """Logarithm whose gradient at zero is zero, where the formula's is infinite."""
    positive = x > 0
    safe = torch.where(positive, x, 1.0)
    value = safe.log() if output == "log" else safe.log10()
    return torch.where(positive, value, -torch.inf)
