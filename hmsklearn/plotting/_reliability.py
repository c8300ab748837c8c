"""Reliability diagrams of soft labels: what was said against what was voted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hmsklearn._optional import import_optional
from hmsklearn._scoring import columns_of
from hmsklearn.metrics import reliability_curve

__all__ = ["ReliabilityDisplay"]

_BLUE, _GREY = "#0072b2", "#999999"


class ReliabilityDisplay:
    """Reliability diagram, one panel for each class or one for the top label.

    Every point is a bin of rows: its mean predicted probability, its mean share of
    the votes, and an interval over patients. On the diagonal, events that are given
    30 % get 30 % of the votes. A model whose points form a line flatter than the
    diagonal is too sure of itself.

    Parameters
    ----------
    curve : DataFrame
        What :func:`hmsklearn.metrics.reliability_curve` gives.
    name : str, optional
        Name of the model, for the legend.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        The panels that were drawn into, in the order of the classes.
    figure_ : matplotlib Figure
        Their figure.
    lines_ : list of matplotlib Line2D
        The line through the points of each panel.

    See Also
    --------
    hmsklearn.metrics.calibration_report : The same as numbers, beside chance.

    Notes
    -----
    Vote fractions of few votes scatter, and a patient's windows scatter together, so
    a point off the diagonal need not be a fault: it is one where its interval does
    not touch the diagonal. Bins of a single patient have no interval; their points
    are hollow. The area of a point grows with the share of the rows in its bin.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.plotting import ReliabilityDisplay
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.dirichlet(np.ones(3), size=200)
    >>> votes = rng.multinomial(12, truth)
    >>> display = ReliabilityDisplay.from_predictions(
    ...     votes, truth, groups=np.arange(200) // 4, n_bins=5, random_state=0
    ... )
    >>> [ax.get_title(loc="left") for ax in display.plot().axes_]
    ['0   ECE 0.021', '1   ECE 0.011', '2   ECE 0.015']
    """

    def __init__(self, curve: pd.DataFrame, *, name: str | None = None) -> None:
        self.curve = curve
        self.name = name

    @classmethod
    def from_predictions(
        cls, y_true: Any, y_pred: Any, *, name: str | None = None, **options: Any
    ) -> ReliabilityDisplay:
        """Make the display from votes and probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n, n_classes) or (n,)
            Vote counts, fractions or hard labels.
        y_pred : array-like of shape (n, n_classes)
            Predicted probabilities.
        name : str, optional
            Name of the model.
        **options : dict
            Arguments of :func:`hmsklearn.metrics.reliability_curve`, ``groups`` above
            all.

        Returns
        -------
        ReliabilityDisplay
            The display; ``plot`` draws it.
        """
        return cls(reliability_curve(y_true, y_pred, **options), name=name)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, name: str | None = None, **options: Any
    ) -> ReliabilityDisplay:
        """Make the display from a fitted classifier and rows that it has not seen.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``predict_proba``.
        X : array-like, DataFrame, list or WindowViews
            The rows.
        y : array-like of shape (n, n_classes) or (n,)
            Vote counts, fractions or hard labels.
        name : str, optional
            Name of the model; that of its class by default.
        **options : dict
            Arguments of :func:`hmsklearn.metrics.reliability_curve`.

        Returns
        -------
        ReliabilityDisplay
            The display; ``plot`` draws it.
        """
        order, labels = columns_of(estimator, options.pop("classes", None))
        proba = np.asarray(estimator.predict_proba(X))[:, order]
        name = type(estimator).__name__ if name is None else name
        return cls.from_predictions(y, proba, name=name, classes=labels, **options)

    def plot(
        self, ax: Any = None, *, color: str = _BLUE, title: str | None = None
    ) -> ReliabilityDisplay:
        """Draw the panels.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, optional
            One for each panel, such as the ``axes_`` of another display, to draw both
            into one picture; a new figure without it.
        color : str, default="#0072b2"
            Colour of the points.
        title : str, optional
            Title of the figure.

        Returns
        -------
        ReliabilityDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` does not hold one axes for each panel.
        """
        labels = list(dict.fromkeys(self.curve["class"]))
        self.axes_ = self._panels(ax, len(labels))
        self.figure_ = self.axes_[0].figure
        self.lines_ = []
        for panel, label in zip(self.axes_, labels, strict=True):
            part = self.curve[self.curve["class"] == label]
            if not panel.lines:
                self._frame(panel)
            self.lines_.append(self._draw(panel, part, color))
            gap = (part["voted"] - part["predicted"]).abs()
            ece = float((part["share"] * gap).sum())
            before = panel.get_title(loc="left")
            text = f"{before} → {ece:.3f}" if before else f"{label}   ECE {ece:.3f}"
            panel.set_title(text, loc="left", fontsize=10)
        for panel in self.axes_:
            panel.label_outer()
        if self.name is not None:
            self.axes_[0].legend(loc="upper left", frameon=False, fontsize=8)
        if title is not None:
            self.figure_.suptitle(title, fontsize=11)
        return self

    def _panels(self, ax: Any, n_panels: int) -> np.ndarray:
        if ax is not None:
            panels = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
            if panels.size != n_panels:
                raise ValueError(
                    f"ReliabilityDisplay: ax holds {panels.size} axes, expected "
                    f"{n_panels}, one for each class. Leave it out for a new figure."
                )
            return panels
        plt = import_optional(
            "matplotlib.pyplot", extra="plot", needed_by="ReliabilityDisplay"
        )
        n_columns = min(3, n_panels)
        n_rows = -(-n_panels // n_columns)
        figure, grid = plt.subplots(
            n_rows,
            n_columns,
            figsize=(3.0 * n_columns + 0.4, 3.0 * n_rows + 0.4),
            squeeze=False,
            layout="constrained",
        )
        for unused in grid.ravel()[n_panels:]:
            figure.delaxes(unused)
        return grid.ravel()[:n_panels]

    @staticmethod
    def _frame(panel: Any) -> None:
        panel.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--", zorder=0)
        panel.set(
            xlim=(-0.03, 1.03),
            ylim=(-0.03, 1.03),
            aspect="equal",
            xlabel="predicted probability",
            ylabel="share of the votes",
        )
        panel.spines[["top", "right"]].set_visible(False)

    def _draw(self, panel: Any, part: pd.DataFrame, color: str) -> Any:
        x, y = part["predicted"].to_numpy(), part["voted"].to_numpy()
        sure = part["low"].notna().to_numpy()
        (line,) = panel.plot(x, y, color=color, linewidth=1, label=self.name)
        panel.vlines(
            x[sure], part["low"][sure], part["high"][sure], color=color, linewidth=1.2
        )
        panel.scatter(
            x,
            y,
            s=12 + 90 * np.sqrt(part["share"].to_numpy()),
            facecolor=np.where(sure, color, "white"),
            edgecolor=color,
            zorder=3,
        )
        return line
