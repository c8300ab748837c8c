"""Where frames lie, against padded copies of the signal."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal.frames import FrameLayout


def padded_frames(x, *, length, n_fft, hop_length, center, pad_mode, framing):
    """Pad as torch.stft and scipy.signal.stft do, cut, keep what the window covers."""
    span = n_fft if framing == "torch" else length
    if center:
        x = np.pad(x, span // 2, mode=pad_mode)
        if framing == "scipy":
            x = np.pad(x, (0, -(len(x) - span) % hop_length))
    starts = range(0, len(x) - span + 1, hop_length)
    left = (span - length) // 2
    return np.stack([x[i + left : i + left + length] for i in starts])


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_equal_to_padded_copies(data):
    n_fft = data.draw(st.integers(1, 40))
    n_times = data.draw(st.integers(n_fft, 120))
    kwargs = {
        "length": data.draw(st.integers(1, n_fft)),
        "n_fft": n_fft,
        "hop_length": data.draw(st.integers(1, 20)),
        "center": data.draw(st.booleans()),
        "pad_mode": data.draw(st.sampled_from(["constant", "reflect"])),
        "framing": data.draw(st.sampled_from(["torch", "scipy"])),
    }
    x = np.random.default_rng(n_times).normal(size=n_times)
    expected = padded_frames(x, **kwargs)
    layout = FrameLayout.make(n_times, **kwargs)
    assert layout.count == len(expected)
    buffer = np.zeros(layout.stop - layout.first)
    layout.fill(x, buffer)
    np.testing.assert_array_equal(layout.frames(buffer), expected)
    # A second signal leaves nothing of the first.
    layout.fill(-x, buffer)
    np.testing.assert_array_equal(layout.frames(buffer), -expected)
    whole = layout.continued(torch.tensor(np.stack([x, -x])))
    frames = whole.unfold(-1, kwargs["length"], kwargs["hop_length"])
    np.testing.assert_array_equal(frames.numpy(), np.stack([expected, -expected]))


def test_count():
    assert FrameLayout.make(10_000, length=128, n_fft=1024, hop_length=39).count == 257


def test_signals_shorter_than_half_a_transform():
    """Only what the window covers is ever mirrored."""
    layout = FrameLayout.make(
        100, length=32, n_fft=2048, hop_length=8, pad_mode="reflect"
    )
    assert layout.count == 13
    assert (layout.first, layout.stop) == (-16, 112)


@pytest.mark.parametrize(
    ("n_times", "kwargs", "text"),
    [
        (49, {"center": False}, "49 samples .*at least 50 are needed for one frame"),
        (
            39,
            {"center": False, "framing": "scipy"},
            "39 samples .*at least 40 are needed for one frame",
        ),
        (39, {"framing": "scipy"}, "39 samples .*at least 40 are needed for one frame"),
        (
            20,
            {"pad_mode": "reflect"},
            "20 samples .*at least 21 are needed to mirror 20 of them",
        ),
    ],
)
def test_too_few_samples(n_times, kwargs, text):
    make = {"length": 40, "n_fft": 50, "hop_length": 10, "caller": "Name", **kwargs}
    with pytest.raises(ValueError, match=f"^Name: X has {text}"):
        FrameLayout.make(n_times, **make)
    FrameLayout.make(n_times + 1, **make)
