"""Getting a matplotlib axes without importing matplotlib at import time."""

from __future__ import annotations

from typing import Any

from hmsklearn._optional import import_optional


def get_axes(ax: Any, *, figsize: tuple[float, float], needed_by: str) -> Any:
    """Return `ax`, or the axes of a new figure of the given size in inches."""
    plt = import_optional("matplotlib.pyplot", extra="plot", needed_by=needed_by)
    if ax is None:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax
