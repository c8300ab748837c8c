"""Time-frequency images of one window, plane above plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hmsklearn.plotting._figure import get_axes

__all__ = ["SpectrogramDisplay"]


class SpectrogramDisplay:
    """Spectrogram planes of one window, stacked top to bottom.

    Parameters
    ----------
    image : ndarray of shape (n_planes, height, width)
        Values; frequency on height from low to high, time on width.
    plane_names : sequence of str, optional
        Names of the planes, for instance from ``get_feature_names_out``.
    n_seconds : float, default=50.0
        Time that the width covers, in seconds.
    frequency_range : (float, float), default=(0.0, 20.0)
        Frequencies at the lower and upper edge of each plane, in Hz.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that was drawn into.
    figure_ : matplotlib Figure
        Its figure.
    image_ : matplotlib AxesImage
        The drawn image.

    Examples
    --------
    >>> import numpy as np
    >>> display = SpectrogramDisplay(np.zeros((2, 8, 16)), plane_names=["LL", "RL"])
    >>> display.plot().image_.get_array().shape
    (17, 16)
    """

    def __init__(
        self,
        image: np.ndarray,
        *,
        plane_names: Sequence[str] | None = None,
        n_seconds: float = 50.0,
        frequency_range: tuple[float, float] = (0.0, 20.0),
    ) -> None:
        self.image = image
        self.plane_names = plane_names
        self.n_seconds = n_seconds
        self.frequency_range = frequency_range

    def plot(
        self, ax: Any = None, *, cmap: str = "magma", title: str | None = None
    ) -> SpectrogramDisplay:
        """Draw the planes.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure without it.
        cmap : str, default="magma"
            Colour map.
        title : str, optional
            Title of the axes.

        Returns
        -------
        SpectrogramDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the image is not (n_planes, height, width).
        ImportError
            If matplotlib is not installed.
        """
        image = np.asarray(self.image, dtype=np.float64)
        if image.ndim != 3:
            raise ValueError(
                f"SpectrogramDisplay: image has shape {image.shape}, expected "
                "(n_planes, height, width). Pass one window, images[i]."
            )
        ax = get_axes(ax, figsize=(6, 7), needed_by="SpectrogramDisplay")
        n_planes, height, width = image.shape
        gap = np.full((1, width), np.nan)
        rows = []
        for plane in image:
            rows += [plane[::-1], gap]  # matplotlib draws row 0 at the top
        stacked = np.concatenate(rows[:-1])
        self.image_ = ax.imshow(
            stacked,
            aspect="auto",
            cmap=cmap,
            interpolation="nearest",
            extent=(0, self.n_seconds, stacked.shape[0], 0),
        )
        names = self.plane_names
        if names is None:
            names = [str(plane) for plane in range(n_planes)]
        ax.set_yticks([(height + 1) * i + height / 2 for i in range(n_planes)], names)
        ax.tick_params(axis="y", length=0)
        low, high = self.frequency_range
        for i in range(n_planes):
            top = (height + 1) * i
            for row, frequency, side in (
                (top, high, "top"),
                (top + height, low, "bottom"),
            ):
                ax.annotate(
                    f"{frequency:g} Hz",
                    (1.01, row),
                    xycoords=("axes fraction", "data"),
                    fontsize=7,
                    va=side,
                )
        ax.set_xlabel("time (s)")
        if title is not None:
            ax.set_title(title, loc="left", fontsize=10)
        self.ax_, self.figure_ = ax, ax.figure
        return self
