"""Drawn traces against matplotlib: its picture, and its larger one made smaller."""

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hmsklearn.preprocessing import ButterworthFilter, MontageTransformer
from hmsklearn.signal import draw_traces
from hmsklearn.signal.traces import trace_lanes


def eeg_like(rng, *shape):
    """Pink noise of about 30 microvolt with alpha waves on top."""
    t = np.arange(shape[-1]) / 200
    X = rng.normal(size=shape).cumsum(axis=-1)
    X -= X.mean(axis=-1, keepdims=True)
    X *= 30 / X.std()
    X += 15 * np.sin(2 * np.pi * 10 * t + rng.uniform(0, 6, (*shape[:-1], 1)))
    return X.astype(np.float32)


def matplotlibs(window, height, width, *, times=1, **params):
    """The picture that matplotlib draws, or the means of one `times` as large."""
    amplitude = params.pop("amplitude", 100.0)
    line_width = params.pop("line_width", 1.0)
    lanes = trace_lanes(len(window), height, line_width=line_width, **params)
    dots = 100 * times
    figure = Figure(figsize=(width / 100, height / 100), dpi=dots, facecolor="black")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    # Level to the edges of the image from the first and the last sample.
    at = (np.arange(window.shape[1]) + 0.5) * width / window.shape[1]
    at = np.concatenate([[-9.0], at, [width + 9.0]])
    clipped = np.clip(np.pad(window, [(0, 0), (1, 1)], mode="edge") / amplitude, -1, 1)
    for centre, trace in zip(lanes.centres, clipped, strict=True):
        y = centre - trace * lanes.reach
        # Without snapping, which moves level lines to where they are sharp.
        line = {"lw": line_width * 0.72, "solid_joinstyle": "round", "snap": False}
        axes.plot(at, y, color="white", **line)
    with rc_context({"path.simplify": times == 1}):
        canvas.draw()
    image = np.asarray(canvas.buffer_rgba())[..., 0] / 255
    return image.reshape(height, times, width, times).mean(axis=(1, 3))


def difference(ours, theirs):
    """Mean absolute difference of the pixels, and their correlation."""
    together = np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]
    return np.abs(ours - theirs).mean(), together


# Height, width, seconds: many samples a column, and fewer than columns. Then by how
# much EEG may differ from matplotlib, and from its larger picture made smaller. It is
# most where waves touch: there, matplotlib counts the ink of a pixel twice.
SIZES = [
    (224, 224, 10, 0.025, 0.015),
    (512, 512, 10, 0.015, 0.010),
    (512, 512, 50, 0.045, 0.031),
    (640, 1600, 10, 0.005, 0.005),
]
sizes = pytest.mark.parametrize(
    ("height", "width", "seconds", "limit", "limit_large"), SIZES
)


@sizes
def test_matplotlib_draws_the_same(rng, height, width, seconds, limit, limit_large):
    window = eeg_like(rng, 18, seconds * 200)
    ours = draw_traces(window[None], height, width)[0]
    gap, together = difference(ours, matplotlibs(window, height, width))
    assert gap < limit
    assert together > 0.99


@pytest.fixture(scope="module")
def filtered(real_windows):
    X = MontageTransformer().fit_transform(np.nan_to_num(real_windows[::4]))
    return ButterworthFilter(0.5, 20.0).fit_transform(X)


@sizes
def test_matplotlib_draws_the_same_on_real_eeg(
    filtered, height, width, seconds, limit, limit_large
):
    start = (10_000 - seconds * 200) // 2
    X = filtered[..., start : start + seconds * 200]
    for number, window in enumerate(X):
        ours = draw_traces(window[None], height, width)[0]
        gap, together = difference(ours, matplotlibs(window, height, width))
        assert gap < limit
        assert together > 0.98
        if number % 3 == 0:
            large = matplotlibs(window, height, width, times=4)
            gap, together = difference(ours, large)
            assert gap < limit_large
            assert together > 0.99


@pytest.mark.parametrize(
    ("params", "limit"),
    [
        ({}, 0.006),
        ({"line_width": 2.0}, 0.004),
        ({"line_width": 3.3, "overlap": 1.0}, 0.004),
        ({"line_width": 0.75}, 0.006),
        # Most of each line is at the edge of its lane, and on its way there.
        ({"line_width": 0.75, "amplitude": 30.0}, 0.02),
    ],
)
def test_a_large_picture_made_small_is_the_same(rng, params, limit):
    """With eight times the dots, what matplotlib does within a pixel averages out."""
    for n_times, width in [(2000, 224), (300, 224), (5000, 100)]:
        window = eeg_like(rng, 8, n_times)
        ours = draw_traces(window[None], 168, width, **params)[0]
        exact = matplotlibs(window, 168, width, times=8, **params)
        gap, together = difference(ours, exact)
        assert gap < limit
        assert together > 0.996
        assert ours.mean() == pytest.approx(exact.mean(), rel=0.05)
