"""A bar chart that puts models and baselines on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hmsklearn.plotting._figure import get_axes

__all__ = ["KLBarDisplay"]


class KLBarDisplay:
    """Horizontal bars of KL divergence by model, best at the top.

    Parameters
    ----------
    kl : mapping of str to float
        KL divergence of each model, in nat.
    baselines : sequence of str, default=()
        Names in `kl` that are baselines; they are drawn in grey.
    highlight : sequence of str, default=()
        Names in `kl` to draw in the accent colour, such as the stack.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that was drawn into.
    figure_ : matplotlib Figure
        Its figure.
    bars_ : matplotlib BarContainer
        The bars, best first.

    Examples
    --------
    >>> display = KLBarDisplay({"mel": 0.6, "stack": 0.5}, highlight=["stack"])
    >>> [float(bar.get_width()) for bar in display.plot().bars_]
    [0.5, 0.6]
    """

    def __init__(
        self,
        kl: Mapping[str, float],
        *,
        baselines: Sequence[str] = (),
        highlight: Sequence[str] = (),
    ) -> None:
        self.kl = kl
        self.baselines = baselines
        self.highlight = highlight

    def plot(self, ax: Any = None, *, title: str | None = None) -> KLBarDisplay:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure without it.
        title : str, optional
            Title of the axes.

        Returns
        -------
        KLBarDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = get_axes(
            ax, figsize=(7, 0.7 + 0.45 * len(self.kl)), needed_by="KLBarDisplay"
        )
        names = sorted(self.kl, key=self.kl.__getitem__)
        values = [self.kl[name] for name in names]
        colours = [
            "#999999"
            if name in self.baselines
            else "#009e73"
            if name in self.highlight
            else "#0072b2"
            for name in names
        ]
        self.bars_ = ax.barh(names, values, color=colours)
        ax.bar_label(self.bars_, fmt="%.3f", padding=3)
        ax.invert_yaxis()
        ax.set_xlim(0, 1.12 * max(values))
        ax.set_xlabel("KL divergence (nat), lower is better")
        ax.spines[["top", "right"]].set_visible(False)
        if title is not None:
            ax.set_title(title, loc="left", fontsize=10)
        self.ax_, self.figure_ = ax, ax.figure
        return self
