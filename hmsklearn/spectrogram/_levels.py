"""The parameters that say how power becomes pixels, shared by all spectrogramizers."""

from __future__ import annotations

from typing import Any

from hmsklearn._params import check_choice, check_real
from hmsklearn.signal.decibel import EXTENTS
from hmsklearn.signal.levels import OUTPUTS

__all__ = ["LevelsMixin", "check_clip"]


def check_clip(
    clip: Any, *, caller: str, name: str = "clip"
) -> tuple[float | None, float | None] | None:
    """Check a pair of bounds.

    Parameters
    ----------
    clip : object
        None, or two bounds of which each may be None.
    caller : str
        Name that starts the error message.
    name : str, default="clip"
        Name of the parameter.

    Returns
    -------
    (float or None, float or None) or None
        The bounds.

    Raises
    ------
    ValueError
        If they are not such a pair, or not in order.

    Examples
    --------
    >>> check_clip((0, None), caller="doctest")
    (0.0, None)
    """
    if clip is None:
        return None
    if not isinstance(clip, (tuple, list)) or len(clip) != 2:
        raise ValueError(
            f"{caller}: {name} must be a pair (low, high), each of which may be None, "
            f"got {clip!r}."
        )
    low, high = (
        None if bound is None else check_real(bound, f"{name}[{i}]", caller=caller)
        for i, bound in enumerate(clip)
    )
    if low is not None and high is not None and low >= high:
        raise ValueError(
            f"{caller}: {name}={clip!r}: the lower bound must be below the upper one. "
            "Swap them."
        )
    return low, high


class LevelsMixin:
    """Checks the parameters of :func:`hmsklearn.signal.power_to_levels`.

    A class that mixes it in has the parameters `exponent`, `output`, `ref`, `amin`,
    `top_db`, `eps`, `clip`, `offset` and `scale`, maybe `per`, and passes
    ``self._levels()`` on.
    """

    def _check_levels(self) -> None:
        given = vars(self)
        caller = type(self).__name__
        check_choice(given["output"], "output", OUTPUTS, caller=caller)
        check_real(given["exponent"], "exponent", caller=caller, low=0, low_open=True)
        if given["ref"] != "max":
            check_real(
                given["ref"],
                "ref",
                caller=caller,
                low=0,
                low_open=True,
                remedy="Or give 'max', each image's maximum.",
            )
        check_real(given["amin"], "amin", caller=caller, low=1e-30)
        if given["top_db"] is not None:
            check_real(given["top_db"], "top_db", caller=caller, low=0)
        check_real(given["eps"], "eps", caller=caller, low=0)
        check_clip(self._bounds(), caller=caller)
        check_real(given["offset"], "offset", caller=caller)
        check_real(given["scale"], "scale", caller=caller, low=0, low_open=True)
        if "per" in given:
            check_choice(given["per"], "per", EXTENTS, caller=caller)

    def _levels(self) -> dict[str, Any]:
        given = vars(self)
        names: tuple[str, ...]
        names = ("exponent", "output", "ref", "amin", "top_db", "eps", "clip")
        names += ("offset", "scale", "per")
        levels = {name: given[name] for name in names if name in given}
        return {**levels, "clip": self._bounds()}

    def _bounds(self) -> Any:
        """Return the bounds of the levels, the parameter `clip` as a rule."""
        return vars(self)["clip"]
