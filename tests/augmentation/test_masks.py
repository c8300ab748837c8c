"""What is blanked, where, how much, and with what."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from hmsklearn.augmentation import (
    ChannelDrop,
    Cutout1d,
    EdgeDropout,
    FrequencyDropout,
    RandomNaNBlocks,
    TimeMask,
    XYMasking,
)
from hmsklearn.augmentation._random import draw_spans, inside


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def runs(mask):
    """Lengths of the stretches of True along the last axis."""
    edges = np.diff(np.pad(np.asarray(mask).astype(int), 1))
    return np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 20_000), data=st.data(), seed=st.integers(0, 99))
def test_spans_are_whole_samples_inside_the_axis(size, data, seed):
    low = data.draw(st.integers(1, size))
    high = data.draw(st.integers(low, size))
    spans = draw_spans(
        5, 2, (low, high), size, torch.zeros(5), seeded(seed), caller="test"
    )
    lengths = inside(size, spans).sum(dim=2)
    assert ((lengths >= low) & (lengths <= high)).all()
    assert torch.equal(lengths, ((spans[1] - spans[0]) * size).round().long())


def test_spans_reach_every_place():
    spans = draw_spans(400, 1, (3, 3), 8, torch.zeros(1), seeded(), caller="test")
    starts = (spans[0] * 8).round()
    assert starts.unique().tolist() == [0, 1, 2, 3, 4, 5]


def test_span_longer_than_the_axis():
    with pytest.raises(ValueError, match="TimeMask: a stretch of 11 does not fit"):
        TimeMask(11)(np.zeros((1, 1, 10)))


def test_xy_masking_blanks_stripes():
    masking = XYMasking(1, 1, size_x=3, size_y=2, fill=-1.0, p=1.0, random_state=0)
    out = masking(np.zeros((30, 2, 10, 20), np.float32))
    for image in out:
        assert (image[0] == image[1]).all()
        blank = image[0] == -1
        rows, columns = blank.all(axis=1), blank.all(axis=0)
        assert runs(rows).tolist() == [2]
        assert runs(columns).tolist() == [3]
        assert (blank == (rows[:, None] | columns)).all()
    assert len(np.unique(out, axis=0)) > 20


def test_xy_masking_draws_the_number_of_masks():
    masking = XYMasking((2, 4), 0, size_x=1, p=1.0, random_state=0)
    out = masking(np.ones((400, 1, 10, 400)))
    counts = (out[:, 0, 0] == 0).sum(axis=1)
    # Two masks may fall on one place.
    assert counts.max() == 4
    assert counts.min() >= 1
    assert abs(counts.mean() - 3) < 0.15


def test_xy_masking_of_a_share():
    masking = XYMasking((1, 16), (1, 16), size_x=1 / 32, size_y=1 / 32, p=1.0)
    out = masking(np.ones((20, 1, 64, 96)))
    for image in out[:, 0]:
        rows, columns = (image == 0).all(axis=1), (image == 0).all(axis=0)
        assert (runs(rows) >= 2).all()
        assert (runs(columns) >= 3).all()
        assert rows.sum() <= 16 * 2
        assert columns.sum() <= 16 * 3


def test_xy_masking_of_films():
    out = XYMasking(1, 1, size_x=2, size_y=2, p=1.0)(np.ones((4, 3, 5, 8, 8)))
    assert (out == out[:, :1, :1]).all()
    assert (out == 0).any(axis=(1, 2, 3, 4)).all()


def test_cutout_blanks_all_channels():
    out = Cutout1d(1, size=7, fill=9.0, p=1.0, random_state=0)(np.zeros((20, 3, 50)))
    assert (out == out[:, :1]).all()
    assert all(runs(window[0] == 9).tolist() == [7] for window in out)


def test_cutout_of_the_fourth_place():
    """Four stretches of at most 128 samples."""
    out = Cutout1d(p=1.0, random_state=0)(np.ones((200, 1, 2000)))
    blank = (out == 0).sum(axis=2)
    assert blank.min() >= 4
    assert 300 < blank.max() <= 4 * 128
    assert max(len(runs(window[0] == 0)) for window in out) == 4


def test_time_mask_of_signals_and_images():
    for shape in ((20, 3, 40), (20, 3, 5, 40), (20, 3, 2, 5, 40)):
        out = TimeMask((4, 8), p=1.0, random_state=0)(np.ones(shape))
        flat = out.reshape(20, -1, 40)
        assert (flat == flat[:, :1]).all()
        lengths = [runs(window[0] == 0).item() for window in flat]
        assert min(lengths) >= 4
        assert max(lengths) <= 8
        assert len(set(lengths)) > 2


def test_edge_dropout_keeps_the_middle():
    out = EdgeDropout((0.2, 0.95), p=1.0, random_state=0)(np.ones((50, 1, 2, 100)))
    kept = out[:, 0, 0] == 1
    assert (kept == kept[:, ::-1]).all()
    assert all(len(runs(window)) == 1 for window in kept)
    assert kept.sum(axis=1).max() <= 80
    assert kept.sum(axis=1).min() >= 4
    assert len(set(kept.sum(axis=1))) > 10


def test_channel_drop_draws_how_many():
    out = ChannelDrop((1, 8), p=1.0, random_state=0)(np.ones((400, 18, 4)))
    silent = (out == 0).all(axis=2)
    assert (silent == (out == 0).any(axis=2)).all()
    numbers = np.bincount(silent.sum(axis=1), minlength=9)
    assert numbers[0] == 0
    assert (numbers[1:] > 20).all()
    assert (silent.mean(axis=0) > 0.15).all()


def test_channel_drop_of_planes():
    out = ChannelDrop(2, fill=-3.0, after_frontend=True, p=1.0)(np.ones((5, 4, 3, 3)))
    assert ((out == -3).all(axis=(2, 3)).sum(axis=1) == 2).all()


def test_channel_drop_of_stacked_channels():
    # Five channels of three rows each, in two planes.
    drop = ChannelDrop(2, stacked=5, after_frontend=True, p=1.0, random_state=0)
    x = np.random.default_rng(0).uniform(1, 2, (40, 2, 15, 4)).astype(np.float32)
    out = drop(x)
    blank = (out == 0).reshape(40, 2, 5, 3, 4)
    assert (blank == blank[:, :1, :, :1, :1]).all()
    channels = blank[:, 0, :, 0, 0]
    assert (channels.sum(axis=1) == 2).all()
    assert channels.any(axis=0).all()
    assert np.array_equal(out[out != 0], x[out != 0])


@pytest.mark.parametrize("shape", [(2, 15, 4), (2, 3, 16, 4)])
def test_stack_that_is_none(shape):
    with pytest.raises(ValueError, match=r"no images of stacked=5 channels"):
        ChannelDrop(2, stacked=5)(np.ones(shape))


def test_nan_blocks():
    blocks = RandomNaNBlocks(1, (2, 3), size=(5, 9), p=1.0, random_state=0)
    out = blocks(np.ones((60, 6, 50)))
    missing = np.isnan(out)
    channels = missing.any(axis=2)
    assert set(channels.sum(axis=1)) == {2, 3}
    for window, used in zip(missing, channels, strict=True):
        assert (window[used] == window[used][0]).all()
        assert 5 <= runs(window[used][0]).item() <= 9
    assert (out[~missing] == 1).all()


def test_number_of_nan_blocks():
    blocks = RandomNaNBlocks((1, 4), 1, size=1, fill=0.0, p=1.0, random_state=0)
    numbers = (blocks(np.ones((300, 40, 400))) == 0).sum(axis=(1, 2))
    assert numbers.min() == 1
    assert numbers.max() == 4


def test_nan_outside_the_mask_stays():
    x = np.ones((3, 10, 40))
    x[:, 0] = np.nan
    for augmentation in (Cutout1d(1, size=5, p=1.0), TimeMask(5, p=1.0)):
        out = augmentation(x)
        assert (np.isnan(out).sum(axis=(1, 2)) == 35).all()
        assert (out[np.isnan(x)][~np.isnan(out[np.isnan(x)])] == 0).all()


MASKS_OF_IMAGES = [
    XYMasking(1, 1, size_x=4, size_y=2, p=1.0, random_state=0),
    EdgeDropout(0.5, p=1.0, random_state=0),
    FrequencyDropout(3, p=1.0, random_state=0),
    TimeMask(5, after_frontend=True, p=1.0, random_state=0),
    ChannelDrop(1, after_frontend=True, p=1.0, random_state=0),
]


@pytest.mark.parametrize("mask", MASKS_OF_IMAGES, ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("shape", [(3, 2, 10, 20), (3, 2, 4, 10, 20)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_mean_of_each_plane(mask, shape, dtype):
    # As decibels: zero would be twelve deviations away from all that there is.
    x = np.random.default_rng(0).normal(-40, 3.3, shape).astype(dtype)
    out = clone(mask).set_params(fill="mean")(x)
    zeros = mask(x)
    blank = zeros == 0
    assert blank.any()
    assert out.dtype == dtype
    mean = x.astype(float).mean(axis=(-2, -1), keepdims=True)
    assert np.abs(out - mean)[blank].max() < (0.05 if dtype == np.float16 else 1e-4)
    assert np.array_equal(out[~blank], x[~blank])


def test_mean_is_that_of_what_is_known():
    x = np.full((1, 1, 4, 8), 5.0)
    x[..., 3] = np.nan
    out = EdgeDropout(0.5, fill="mean", p=1.0)(x)
    assert (out[..., [0, 1, 6, 7]] == 5).all()
    assert np.isnan(out[..., 3]).all()


def test_mean_of_each_channel():
    x = np.array([[[1.0, 3.0, 5.0, 7.0], [0.0, 0.0, 2.0, 2.0]]])
    out = TimeMask(1.0, fill="mean", p=1.0)(x)
    assert out.tolist() == [[[4.0] * 4, [1.0] * 4]]


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        (XYMasking((4, 2)), "n_masks_x=.* runs backwards"),
        (XYMasking(-1), "n_masks_x must be an integer at least 0"),
        (XYMasking(size_x=(1, 0.5)), "mixes a whole number"),
        (XYMasking(size_y=1.5), "size_y must be a finite number"),
        (Cutout1d(0), "n_holes must be an integer at least 1"),
        (Cutout1d(size=0), "size must be an integer at least 1"),
        (Cutout1d(fill=np.nan), "fill must be a finite number"),
        (TimeMask("long"), "size must be a finite number"),
        (EdgeDropout(1.2), "share must be a finite number"),
        (EdgeDropout(fill="median"), "fill must be a number or 'mean'"),
        (ChannelDrop((1, 2, 3)), "pair"),
        (RandomNaNBlocks(fill="none"), "fill must be a number or NaN"),
        (RandomNaNBlocks(0), "n_blocks must be an integer at least 1"),
    ],
)
def test_unusable_parameters(augmentation, message):
    with pytest.raises(ValueError, match=f"{type(augmentation).__name__}: .*{message}"):
        augmentation.check()


@pytest.mark.parametrize(
    "augmentation", [ChannelDrop(), RandomNaNBlocks()], ids=lambda a: type(a).__name__
)
def test_more_channels_than_there_are(augmentation):
    with pytest.raises(ValueError, match=r"more than the 4 channels"):
        augmentation(np.ones((2, 4, 50)))


def test_views_with_other_channels():
    batch = {"x": {"eeg": torch.ones(2, 9, 10), "few": torch.ones(2, 3, 10)}}
    with pytest.raises(ValueError, match=r"views differ .* channels, 9 and 3"):
        ChannelDrop(2).apply(batch)
    out = ChannelDrop(2, views=["few"], p=1.0).apply(batch)["x"]
    assert (out["few"] == 0).all(dim=2).sum(dim=1).tolist() == [2, 2]
