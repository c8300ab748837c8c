"""Drawn traces, beside matplotlib's Agg backend on the same geometry.

The neighbour draws bare lines: no labels, no ticks, no file. One draws a new figure
for each window, as the published solutions do, the other moves the lines of one figure.
"""

import numpy as np
from harness import Contender, Job
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from simulated import eeg

from hmsklearn.imaging import WaveformPlotter

AMPLITUDE = 100.0


class Picture:
    """A figure with one line for each channel, filling its lane."""

    def __init__(self, n_channels, n_times, height, width):
        self.lane = height / n_channels
        figure = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor="k")
        self.canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        at = (np.arange(n_times) + 0.5) * width / n_times
        self.lines = [
            axes.plot(at, at, color="w", lw=0.72, solid_joinstyle="round")[0]
            for _ in range(n_channels)
        ]

    def draw(self, window):
        heights = np.clip(window / AMPLITUDE, -1, 1) * (self.lane - 1) / 2
        for channel, (line, y) in enumerate(zip(self.lines, heights, strict=True)):
            line.set_ydata((channel + 0.5) * self.lane - y)
        self.canvas.draw()
        grey = np.asarray(self.canvas.buffer_rgba())[..., 0]
        return grey.astype(np.float32) / 255


def agree(ours, theirs):
    """Hardly a pixel differs; matplotlib counts ink twice where waves touch."""
    for one, other in zip(ours[:, 0], theirs, strict=False):
        assert np.abs(one - other).mean() < 0.03
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.97


def job(n_channels, seconds, height, width, target):
    n_windows, n_times = 10, 200 * seconds
    X = eeg(n_windows, n_channels, n_times)
    X -= np.median(X, axis=-1, keepdims=True)
    shape = (n_channels, n_times, height, width)
    plotter = WaveformPlotter(height, width, amplitude=AMPLITUDE).fit(X)
    kept = Picture(*shape)
    return Job(
        f"traces {n_channels} x {seconds} s -> {height} x {width}",
        Contender("WaveformPlotter", lambda: plotter.transform(X), n_windows),
        [
            Contender(
                "matplotlib, a new figure",
                lambda: [Picture(*shape).draw(window) for window in X[:2]],
                2,
                agrees=agree,
                target=target,
            ),
            Contender(
                "matplotlib, the same figure",
                lambda: [kept.draw(window) for window in X[:2]],
                2,
                agrees=agree,
            ),
        ],
    )


def jobs():
    return [
        job(18, 50, 512, 512, target=25.0),
        job(16, 10, 224, 224, target=25.0),
        job(20, 20, 640, 1600, target=5.0),
    ]
