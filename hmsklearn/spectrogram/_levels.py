"""The parameters that say how power becomes pixels, shared by all spectrogramizers."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmsklearn.signal.level_checks import check_levels

__all__ = ["LevelsMixin"]

# What is added is added in float32 as a rule.
_TINY = float(np.finfo(np.float32).tiny)


class LevelsMixin:
    """Checks the parameters of :func:`hmsklearn.signal.power_to_levels`.

    A class that mixes it in has the parameters `exponent`, `output`, `ref`, `amin`,
    `top_db`, `eps`, `clip`, `offset` and `scale`, maybe `per`, and passes
    ``self._levels()`` on. The logarithm of a power of 0 has to be finite: `eps`, or a
    lower bound, sees to that.
    """

    def _check_levels(self) -> None:
        caller = type(self).__name__
        levels = check_levels(self._levels(), caller=caller)
        if levels["output"] not in ("log", "log10") or levels["eps"] >= _TINY:
            return
        if levels["clip"] is None or levels["clip"][0] is None:
            raise ValueError(
                f"{caller}: output={levels['output']!r} of power that is 0 is infinite "
                f"with eps={levels['eps']!r}, and silent channels have no other. Give "
                "eps, or a lower bound in clip."
            )

    def _levels(self) -> dict[str, Any]:
        given = vars(self)
        names: tuple[str, ...] = ("exponent", "output", "ref", "amin", "top_db", "eps")
        names += ("offset", "scale", "per")
        levels = {name: given[name] for name in names if name in given}
        return {**levels, "clip": self._bounds()}

    def _bounds(self) -> Any:
        """Return the bounds of the levels, the parameter `clip` as a rule."""
        return vars(self)["clip"]
