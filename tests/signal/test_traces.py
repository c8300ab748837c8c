"""Drawn traces: what must hold for any drawing."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal import draw_traces
from hmsklearn.signal.traces import trace_lanes


def eeg_like(rng, *shape):
    """Pink noise of about 30 microvolt."""
    X = rng.normal(size=shape).cumsum(axis=-1)
    X -= X.mean(axis=-1, keepdims=True)
    return (30 / X.std() * X).astype(np.float32)


def test_ink_of_a_slope_is_its_length_times_the_width():
    # 300 pixels to the right while 60 go down: sqrt(300^2 + 60^2) of line.
    for line_width in (1.0, 2.0, 4.5):
        lanes = trace_lanes(1, 100, line_width=line_width)
        ramp = np.linspace(-30, 30, 301)[None, None]
        image = draw_traces(
            ramp, 100, 301, amplitude=lanes.reach, line_width=line_width
        )
        assert image.sum() == pytest.approx(
            line_width * (np.hypot(300, 60) + 1), rel=0.02
        )


@pytest.mark.parametrize("line_width", [1.0, 1.5, 3.0])
def test_a_jump_is_a_vertical_line_without_gaps(line_width):
    X = np.full((1, 1, 200), -80.0)
    X[..., 100:] = 80.0
    image = draw_traces(X, 100, 50, line_width=line_width)[0]
    # In each row between the two levels, the ink is about as wide as the line.
    np.testing.assert_allclose(image[20:80].sum(axis=-1), line_width, rtol=0.15)
    assert np.argwhere(image[20:80])[:, 1].min() >= 25 - line_width / 2 - 1
    assert np.argwhere(image[20:80])[:, 1].max() <= 25 + line_width / 2 + 1


def test_every_sample_shows():
    X = np.zeros((1, 1, 10_000), dtype=np.float32)
    for sample in (0, 37, 5003, 9999):
        X[0, 0, sample] = 90.0
    image = draw_traces(X, 60, 128)[0]
    column_of_spike = [int((sample + 0.5) * 128 / 10_000) for sample in (37, 5003)]
    assert (image[10:25, column_of_spike] > 0.25).all()
    assert (image[10:25, [0, 127]] > 0.1).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_channels_are_level_lines(dtype):
    X = np.zeros((2, 4, 300), dtype=dtype)
    X[1] = 50.0
    images = draw_traces(X, 80, 70, line_width=2.0)
    assert images.dtype == dtype
    expected = np.zeros((80, 70))
    for lane in range(4):
        expected[20 * lane + 9 : 20 * lane + 11] = 1
    np.testing.assert_array_equal(images[0], expected)
    # 50 of 100 microvolt are half of the reach of 9 pixels, upwards.
    centres = (images[1] * (np.arange(80)[:, None] + 0.5)).sum(axis=0) / 8
    np.testing.assert_allclose(centres, 40 - 4.5, atol=1e-5)


#: Any signals of a few channels, and any picture of them.
drawings = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**16),
        "n_channels": st.integers(1, 4),
        "n_times": st.integers(1, 300),
        "height": st.integers(40, 70),
        "width": st.integers(1, 90),
        "line_width": st.floats(0.5, 4.0),
        "overlap": st.sampled_from([0.0, 0.5, 1.0, 2.3]),
    }
)


def make(drawing, scale=60.0):
    drawing = dict(drawing)
    rng = np.random.default_rng(drawing.pop("seed"))
    shape = (1, drawing.pop("n_channels"), drawing.pop("n_times"))
    X = rng.normal(0, scale, shape)
    return X, {"amplitude": 100.0, **drawing}


@settings(deadline=None, max_examples=25)
@given(drawings)
def test_bounds_and_amount_of_ink(drawing):
    X, params = make(drawing)
    before = X.copy()
    image = draw_traces(X, **params)
    assert image.min() >= 0
    assert image.max() <= 1
    # No column is without its piece of line, whatever lies on top of it.
    assert (image.sum(axis=1) > params["line_width"] * 0.999).all()
    if params["overlap"] == 0:
        least = X.shape[1] * params["line_width"]
        assert (image.sum(axis=1) > least * 0.999).all()
    np.testing.assert_array_equal(X, before)


@settings(deadline=None, max_examples=25)
@given(drawings)
def test_polarity_mirrors(drawing):
    X, params = make(drawing)
    image = draw_traces(X, **params)
    turned = draw_traces(-X, **params)
    np.testing.assert_allclose(
        draw_traces(X, **params, negative_up=True), turned, atol=1e-9
    )
    # All lanes upside down is the image upside down, with the channels in reverse.
    np.testing.assert_allclose(
        draw_traces(-X[:, ::-1], **params), image[:, ::-1], atol=1e-9
    )


@settings(deadline=None, max_examples=25)
@given(drawings, st.floats(0.01, 100))
def test_only_the_ratio_to_the_amplitude_counts(drawing, factor):
    X, params = make(drawing)
    image = draw_traces(X, **params)
    amplitude = params.pop("amplitude")
    np.testing.assert_allclose(
        draw_traces(X * factor, **params, amplitude=amplitude * factor),
        image,
        atol=1e-9,
    )


@settings(deadline=None, max_examples=25)
@given(drawings)
def test_time_reversed_is_the_image_reversed(drawing):
    X, params = make(drawing)
    np.testing.assert_allclose(
        draw_traces(X[..., ::-1], **params),
        draw_traces(X, **params)[..., ::-1],
        atol=1e-9,
    )


@settings(deadline=None, max_examples=25)
@given(drawings)
def test_what_is_too_large_is_clipped(drawing):
    X, params = make(drawing, scale=200.0)
    np.testing.assert_array_equal(
        draw_traces(np.clip(X, -100, 100), **params), draw_traces(X, **params)
    )


@settings(deadline=None, max_examples=25)
@given(drawings)
def test_lanes_do_not_know_of_each_other(drawing):
    X, params = make(drawing, scale=200.0)
    lanes = trace_lanes(
        X.shape[1],
        params["height"],
        line_width=params["line_width"],
        overlap=params["overlap"],
    )
    other = X.copy()
    other[:, 0] = 0
    changed = (draw_traces(X, **params) != draw_traces(other, **params)).any(axis=-1)
    end = lanes.centres[0] + lanes.reach + params["line_width"] / 2
    assert not changed[0, int(np.ceil(end + 1e-9)) :].any()


@pytest.mark.parametrize(
    ("n_times", "width", "samples", "columns"),
    [(1000, 100, 30, 3), (10_000, 512, 625, 32), (300, 900, 7, 21), (448, 224, 2, 1)],
)
def test_shifts_by_whole_columns(rng, n_times, width, samples, columns):
    long = eeg_like(rng, 1, 3, n_times + samples).astype(np.float64)
    early = draw_traces(long[..., :n_times], 90, width, line_width=1.5)
    late = draw_traces(long[..., samples:], 90, width, line_width=1.5)
    # At the ends the neighbours are others.
    edge = 2 + width // n_times
    np.testing.assert_allclose(
        late[..., edge : width - columns - edge],
        early[..., edge + columns : width - edge],
        atol=1e-9,
    )


def test_thicker_lines_cover_thinner_ones(rng):
    X = eeg_like(rng, 1, 4, 1000)
    # The same reach, so that the lines are in the same place.
    pictures = [
        draw_traces(
            X,
            200,
            300,
            line_width=line_width,
            amplitude=trace_lanes(4, 200, line_width=line_width).reach,
        )
        for line_width in (1.0, 2.0, 3.0)
    ]
    for thin, thick in pairwise(pictures):
        assert (thick >= thin - 1e-5).all()
        assert thick.sum() > thin.sum()


def test_lines_that_cross_cover_each_other():
    X = np.zeros((1, 2, 50))
    X[0, 0], X[0, 1] = -100, 100
    # Each lane ends at its neighbour's centre: 12 and 24 of 36, less half a line.
    image = draw_traces(X, 36, 20, overlap=1.0, line_width=1.0)[0]
    alone = [np.zeros_like(image), np.zeros_like(image)]
    alone[0][23], alone[1][12] = 1, 1
    np.testing.assert_allclose(image, np.maximum(*alone), atol=1e-12)
    # Two lines that each cover half of a row cover three quarters of it together.
    lanes = trace_lanes(2, 36, overlap=1.0, line_width=1.0)
    X[0, 0], X[0, 1] = -(18 - 12), 24 - 18
    image = draw_traces(X, 36, 20, overlap=1.0, amplitude=lanes.reach)[0]
    np.testing.assert_allclose(image[17:19], 0.75, atol=1e-12)


def test_invert(rng):
    X = eeg_like(rng, 2, 3, 500)
    np.testing.assert_array_equal(
        draw_traces(X, 60, 80, invert=True), 1 - draw_traces(X, 60, 80)
    )


def test_windows_do_not_know_of_each_other(rng):
    X = eeg_like(rng, 5, 3, 400)
    whole = draw_traces(X, 100, 130, overlap=0.7)
    for window in range(5):
        alone = draw_traces(X[window : window + 1], 100, 130, overlap=0.7)
        np.testing.assert_array_equal(alone[0], whole[window])
    X.setflags(write=False)
    np.testing.assert_array_equal(
        draw_traces(X[::-1], 100, 130, overlap=0.7), whole[::-1]
    )
    strided = np.repeat(X, 2, axis=-1)[..., ::2]
    np.testing.assert_array_equal(draw_traces(strided, 100, 130, overlap=0.7), whole)


def test_out(rng):
    X = eeg_like(rng, 2, 3, 400)
    out = np.full((2, 2, 64, 50), np.nan, dtype=np.float32)
    assert draw_traces(X, 64, 50, out=out[:, 1]).base is out
    np.testing.assert_array_equal(out[:, 1], draw_traces(X, 64, 50))
    assert np.isnan(out[:, 0]).all()
    with pytest.raises(ValueError, match="out= is for NumPy arrays"):
        draw_traces(torch.tensor(X), 64, 50, out=out[:, 1])


def test_huge_values_are_clipped_without_a_warning():
    X = np.full((1, 2, 30), np.finfo(np.float32).max, dtype=np.float32)
    X[:, 1] *= -1
    image = draw_traces(X, 40, 30, amplitude=1e-3)[0]
    assert np.flatnonzero(image[:, 5]).tolist() == [0, 39]


def test_gradient_follows_the_line():
    """Ink moves up where the voltage rises: the derivative says by how much."""
    tensor = torch.zeros(1, 1, 60, dtype=torch.float64, requires_grad=True)
    # The line covers 9.75 to 11.25: its edges are in rows 9 and 11.
    image = draw_traces(tensor, 21, 60, line_width=1.5)
    rows = torch.arange(21, dtype=torch.float64)[:, None]
    (image * rows).sum().backward()
    # A microvolt moves each column up by reach / amplitude pixels, and so much ink of
    # row 11 to row 9.
    moved = -2 * 60 * trace_lanes(1, 21, line_width=1.5).reach / 100
    assert tensor.grad.sum().item() == pytest.approx(moved)


def test_tensors_in_inference_and_then_in_training(rng):
    tensor = torch.tensor(eeg_like(rng, 1, 3, 217))
    with torch.inference_mode():
        first = draw_traces(tensor, 61, 83)
    again = tensor.clone().requires_grad_()
    second = draw_traces(again, 61, 83)
    second.sum().backward()
    np.testing.assert_array_equal(first.numpy(), second.detach().numpy())


@pytest.mark.parametrize("overlap", [0.0, 0.4, 1.0, 3.0])
@pytest.mark.parametrize("n_channels", [1, 3, 18])
def test_lanes_are_equal_and_fill_the_image(n_channels, overlap):
    lanes = trace_lanes(n_channels, 100, line_width=1.25, overlap=overlap)
    half = lanes.reach + 1.25 / 2
    centres = np.array(lanes.centres)
    assert centres[0] - half == pytest.approx(0)
    assert centres[-1] + half == pytest.approx(100)
    if n_channels > 1:
        spacing = np.diff(centres)
        np.testing.assert_allclose(spacing, spacing[0])
        assert 2 * half == pytest.approx((1 + overlap) * spacing[0])
    for centre, first in zip(centres, lanes.first, strict=True):
        assert 0 <= first <= centre - half + 1e-6
        assert centre + half <= first + lanes.n_rows + 1e-6


def test_too_many_channels():
    with pytest.raises(ValueError, match=r"^draw_traces: 50 channels in a height"):
        draw_traces(np.zeros((1, 50, 10)), 40, 40)
    with pytest.raises(ValueError, match=r"0.8 pixels each.*greater height or a thin"):
        trace_lanes(50, 40)
