"""EEG traces the way readers see them: derivations in chains, front to back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hmsklearn.montage import CH_NAMES, get_montage
from hmsklearn.plotting._figure import get_axes
from hmsklearn.signal.derivations import derive

__all__ = ["TracesDisplay"]

# Left warm, right cold, midline grey: the sides are told apart at a glance, also
# by colour-blind readers (Okabe-Ito palette).
_CHAIN_COLOURS = {
    "LL": "#d55e00",
    "LP": "#e69f00",
    "RL": "#0072b2",
    "RP": "#56b4e9",
    "Z": "#555555",
}


class TracesDisplay:
    """Traces of one window, one line a channel.

    Use :meth:`from_window` to build it from referential channels through a montage.

    Parameters
    ----------
    signals : ndarray of shape (n_channels, n_times)
        Signals in microvolt.
    ch_names : sequence of str
        Names of the channels, top to bottom.
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    chains : mapping of str to sequence of int, optional
        Positions of the channels of each chain; chains are coloured and set apart.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that was drawn into.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib Line2D
        One line a channel, top to bottom.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(0, 20, (20, 2000))
    >>> display = TracesDisplay.from_window(X)
    >>> display.ch_names[0], len(display.plot().lines_)
    ('Fp1-F7', 18)
    """

    def __init__(
        self,
        signals: np.ndarray,
        ch_names: Sequence[str],
        *,
        sfreq: float = 200.0,
        chains: Any = None,
    ) -> None:
        self.signals = signals
        self.ch_names = ch_names
        self.sfreq = sfreq
        self.chains = chains

    @classmethod
    def from_window(
        cls,
        window: Any,
        *,
        montage: Any = "double_banana",
        ch_names: Sequence[str] = CH_NAMES,
        sfreq: float = 200.0,
    ) -> TracesDisplay:
        """Build the display from one referential window.

        Parameters
        ----------
        window : array-like of shape (n_channels, n_times)
            Referential signals in microvolt; NaN leave gaps in the lines.
        montage : str, Montage or sequence of pairs, default="double_banana"
            Derivations to draw, see :func:`hmsklearn.montage.get_montage`.
        ch_names : sequence of str, default=CH_NAMES
            Names of the rows of `window`.
        sfreq : float, default=200.0
            Sampling frequency in Hz.

        Returns
        -------
        TracesDisplay
            The display; call :meth:`plot`.

        Raises
        ------
        ValueError
            If `window` is not (n_channels, n_times) for these names.
        """
        window = np.asarray(window, dtype=np.float64)
        if window.ndim != 2 or window.shape[0] != len(ch_names):
            raise ValueError(
                f"TracesDisplay: window has shape {window.shape}, expected "
                f"({len(ch_names)}, n_times), one row for each of ch_names. Pass one "
                "window, X[i], of unmontaged channels."
            )
        montage = get_montage(montage, caller="TracesDisplay")
        montage = montage.take(montage.plot_order)
        matrix = montage.matrix(ch_names, caller="TracesDisplay")
        return cls(
            derive(window[None], matrix)[0],
            montage.names,
            sfreq=sfreq,
            chains=montage.chains or None,
        )

    def plot(
        self,
        ax: Any = None,
        *,
        spacing: float | None = None,
        label_seconds: float | None = 10.0,
        title: str | None = None,
    ) -> TracesDisplay:
        """Draw the traces.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure without it.
        spacing : float, optional
            Distance between neighbouring lines in microvolt; without it, three
            times the median over channels of the traces' interquartile range.
        label_seconds : float, optional
            Length of the shaded centre, which the experts rated; None shades nothing.
        title : str, optional
            Title of the axes.

        Returns
        -------
        TracesDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = get_axes(ax, figsize=(11, 7), needed_by="TracesDisplay")
        signals = np.asarray(self.signals, dtype=np.float64)
        seconds = np.arange(signals.shape[1]) / self.sfreq
        with np.errstate(invalid="ignore"):
            low, high = np.nanpercentile(
                np.nan_to_num(signals, nan=0.0), [25, 75], axis=1
            )
        if spacing is None:
            spacing = 3.0 * float(np.median(high - low)) or 1.0
        chain_of = {}
        for chain, members in (self.chains or {}).items():
            chain_of.update(dict.fromkeys(members, chain))
        offset, offsets, previous = 0.0, [], chain_of.get(0)
        for channel in range(signals.shape[0]):
            # A gap between chains is what makes a banana readable.
            offset -= spacing * (1.0 if chain_of.get(channel) == previous else 1.8)
            previous = chain_of.get(channel)
            offsets.append(offset)
        if label_seconds is not None:
            centre = seconds[-1] / 2
            ax.axvspan(
                centre - label_seconds / 2,
                centre + label_seconds / 2,
                color="#009e73",
                alpha=0.12,
                lw=0,
            )
        self.lines_ = [
            ax.plot(
                seconds,
                # Clipped to two lanes, so that one artefact does not hide the rest.
                np.clip(trace - np.nanmedian(trace), -2 * spacing, 2 * spacing) + offset
                if np.isfinite(trace).any()
                else np.full_like(trace, np.nan),
                lw=0.5,
                color=_CHAIN_COLOURS.get(chain_of.get(channel, ""), "#222222"),
            )[0]
            for channel, (trace, offset) in enumerate(
                zip(signals, offsets, strict=True)
            )
        ]
        ax.set_yticks(offsets, self.ch_names, fontsize=8)
        ax.set_xlim(seconds[0], seconds[-1])
        ax.set_ylim(offsets[-1] - 2 * spacing, offsets[0] + 2 * spacing)
        ax.set_xlabel("time (s)")
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.annotate(
            f"line spacing {spacing:.0f} µV",
            (1.0, 1.0),
            xycoords="axes fraction",
            ha="right",
            va="bottom",
            fontsize=8,
        )
        if title is not None:
            ax.set_title(title, loc="left", fontsize=10)
        self.ax_, self.figure_ = ax, ax.figure
        return self
