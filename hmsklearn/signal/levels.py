"""From power to the values of a picture: magnitude, decibel or logarithm, then a scale.

Every published solution has its own last line after the spectrogram. They differ in a
logarithm, a floor, a clip and two numbers, which are the parameters here.
"""

from __future__ import annotations

import numpy as np

from hmsklearn.signal.arrays import Array, is_tensor, namespace, refuse_out
from hmsklearn.signal.decibel import power_to_db

__all__ = ["OUTPUTS", "power_to_levels"]

#: What a spectrogram can be turned into, see :func:`power_to_levels`.
OUTPUTS = ("linear", "db", "log", "log10", "log1p")


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
    out: np.ndarray | None = None,
) -> Array:
    """Turn power into what a network is shown.

    Parameters
    ----------
    power : ndarray or Tensor of shape (..., height, width)
        Power (squared magnitude), not negative, float32 or float64. Each pair of last
        axes is one image.
    output : {"linear", "db", "log", "log10", "log1p"}, default="db"
        With ``x = power ** (exponent / 2)``: ``x`` itself; decibel of the power;
        ``log(x + eps)``; ``log10(x + eps)``; ``log(1 + x)``.
    exponent : float, default=2.0
        2 for power, 1 for magnitude. Decibels are always those of the power.
    ref, amin, top_db : optional
        Of the decibels, see :func:`hmsklearn.signal.power_to_db`.
    eps : float, default=1e-6
        Added before ``log`` and ``log10``.
    clip : (float or None, float or None), optional
        Bounds of the values, applied before `offset` and `scale`.
    offset, scale : float, default=0.0 and 1.0
        The result is ``(value + offset) / scale``.
    out : ndarray of the shape of `power`, optional
        Where to write; may be `power` itself. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new array of the type of `power`.

    Raises
    ------
    ValueError
        If `output` is not one of the five, or `out` is given with a tensor.

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
    if output not in OUTPUTS:
        raise ValueError(
            f"power_to_levels: output must be one of {', '.join(OUTPUTS)}, got "
            f"{output!r}."
        )
    refuse_out(power, out, "power_to_levels")
    if output == "db":
        plain = clip is None
        values = power_to_db(
            power,
            ref=ref,
            amin=amin,
            top_db=top_db,
            offset=offset if plain else 0.0,
            scale=scale if plain else 1.0,
            **({} if is_tensor(power) else {"out": out}),
        )
        if plain:
            return values
    elif is_tensor(power):
        values = _logarithm(power, output, exponent, eps)
    else:
        values = _logarithm_into(power, output, exponent, eps, out)
    return _finish(values, clip, offset, scale)


def _logarithm(power: Array, output: str, exponent: float, eps: float) -> Array:
    xp = namespace(power)
    x = power
    if exponent == 1:
        x = xp.sqrt(power)
    elif exponent != 2:
        x = power ** (exponent / 2)
    if output == "log1p":
        return xp.log1p(x)
    if output == "linear":
        return x
    return getattr(xp, output)(x + eps)


def _logarithm_into(
    power: np.ndarray, output: str, exponent: float, eps: float, out: np.ndarray | None
) -> np.ndarray:
    out = np.empty(power.shape, dtype=power.dtype) if out is None else out
    if exponent == 1:
        np.sqrt(power, out=out)
    elif exponent == 2:
        np.copyto(out, power)
    else:
        np.power(power, power.dtype.type(exponent / 2), out=out)
    if output == "log1p":
        np.log1p(out, out=out)
    elif output != "linear":
        out += power.dtype.type(eps)
        getattr(np, output)(out, out=out)
    return out


def _finish(
    values: Array,
    clip: tuple[float | None, float | None] | None,
    offset: float,
    scale: float,
) -> Array:
    if is_tensor(values):
        if clip is not None:
            values = values.clamp(*clip)
        return (values + offset) / scale
    kind = values.dtype.type
    if clip is not None:
        low, high = clip
        if low is not None:
            np.maximum(values, kind(low), out=values)
        if high is not None:
            np.minimum(values, kind(high), out=values)
    if offset:
        values += kind(offset)
    if scale != 1:
        values /= kind(scale)
    return values
