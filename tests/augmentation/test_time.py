"""Shifts and cuts along the time axis."""

import numpy as np
import pytest
import torch

from hmsklearn.augmentation import CentreShift, TimeShift, WindowJitter


def ramp(n=200, size=9):
    return np.tile(np.arange(1.0, size + 1), (n, 2, 1))


EXPECTED = {
    "roll": {2: [8, 9, 1, 2, 3, 4, 5, 6, 7], -2: [3, 4, 5, 6, 7, 8, 9, 1, 2]},
    "zero": {2: [0, 0, 1, 2, 3, 4, 5, 6, 7], -2: [3, 4, 5, 6, 7, 8, 9, 0, 0]},
    "edge": {2: [1, 1, 1, 2, 3, 4, 5, 6, 7], -2: [3, 4, 5, 6, 7, 8, 9, 9, 9]},
    "reflect": {2: [3, 2, 1, 2, 3, 4, 5, 6, 7], -2: [3, 4, 5, 6, 7, 8, 9, 8, 7]},
}


@pytest.mark.parametrize("ends", EXPECTED)
def test_shift_by_hand(ends):
    shift = TimeShift(2, ends=ends)
    for samples, expected in EXPECTED[ends].items():
        params = {
            "active": torch.ones(2, dtype=torch.bool),
            "shift": torch.full((2,), samples / 9),
        }
        out = shift.transform(torch.from_numpy(ramp(2)), params)
        assert out.tolist() == [[expected] * 2] * 2


def test_shifts_are_drawn_both_ways():
    out = TimeShift(2, ends="zero", p=1.0, random_state=0)(ramp())
    assert (out[:, 0] == out[:, 1]).all()
    shifts = 5 - out[:, 0, 4]
    assert sorted(set(shifts)) == [-2, -1, 0, 1, 2]
    assert (np.bincount((shifts + 2).astype(int)) > 20).all()


def test_shift_of_a_share():
    out = TimeShift(0.25, p=1.0, random_state=0)(ramp(300, 40))
    shifts = (1 - out[:, 0, 0] + 20) % 40 - 20
    assert -10 <= shifts.min() < -8
    assert 8 < shifts.max() <= 10


def test_shift_of_images():
    x = ramp(20, 30)[:, :, None].repeat(3, axis=2)
    out = TimeShift(5, after_frontend=True, p=1.0, random_state=0)(x)
    assert (out == out[:, :1, :1]).all()
    assert (np.sort(out) == x).all()


def test_views_of_other_lengths_shift_by_the_same_time():
    batch = {
        "x": {
            "eeg": torch.from_numpy(ramp(30, 400)),
            "image": torch.from_numpy(ramp(30, 40))[:, :, None],
        }
    }
    out = TimeShift(100, p=1.0).apply(batch, torch.Generator().manual_seed(0))["x"]
    first = (1 - out["eeg"][:, 0, 0]) % 400
    image = (1 - out["image"][:, 0, 0, 0]) % 40
    apart = (first / 10 - image).abs()
    assert torch.minimum(apart, 40 - apart).max() <= 0.5


def test_centre_shift_is_small_and_reflects():
    shift = CentreShift(20, p=1.0, random_state=0)
    assert not shift.after_frontend
    out = shift(ramp(300, 101))
    moved = 51 - out[:, 0, 50]
    assert moved.min() == -20
    assert moved.max() == 20
    assert out.min() >= 1
    assert (np.abs(np.diff(out)) == 1).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"max_shift": 0}, "max_shift must be an integer at least 1"),
        ({"max_shift": 1.5}, "max_shift must be a finite number"),
        ({"ends": "wrap"}, "ends must be one of"),
    ],
)
def test_unusable_shifts(params, message):
    with pytest.raises(ValueError, match=f"TimeShift: {message}"):
        TimeShift(**params).check()


def test_shift_longer_than_the_window():
    with pytest.raises(ValueError, match=r"max_shift=3333 is longer than .* 9 samples"):
        TimeShift()(ramp())


def test_window_is_cut_everywhere():
    out = WindowJitter(4, random_state=0)(ramp(600))
    assert out.shape == (600, 2, 4)
    assert (out[:, 0] == out[:, 1]).all()
    assert (np.diff(out) == 1).all()
    starts = np.bincount(out[:, 0, 0].astype(int) - 1, minlength=6)
    assert len(starts) == 6
    assert (starts > 60).all()


def test_window_stays_near_the_middle():
    out = WindowJitter(3, max_shift=1, random_state=0)(ramp(200))
    assert sorted(set(out[:, 0, 1])) == [4, 5, 6]


def test_window_is_central_where_it_is_not_drawn():
    jitter = WindowJitter(4, p=0.5, random_state=0)
    x = ramp(400)
    out = jitter(x)
    assert jitter.centre(x)[0, 0].tolist() == [3, 4, 5, 6]
    central = (out == jitter.centre(x)).all(axis=(1, 2)).mean()
    # Half of them, and a sixth of the other half by chance.
    assert abs(central - 7 / 12) < 0.1
    assert (WindowJitter(4, p=0.0)(x) == jitter.centre(x)).all()


def test_centre_of_views():
    views = {"eeg": torch.zeros(2, 3, 20), "other": torch.zeros(2, 3, 5)}
    out = WindowJitter(10, views=["eeg"]).centre(views)
    assert out["eeg"].shape == (2, 3, 10)
    assert out["other"] is views["other"]


def test_whole_window_is_kept_as_it_is():
    np.testing.assert_array_equal(WindowJitter(9, random_state=0)(ramp()), ramp())


def recorded(first, last, n=400, size=12):
    """Ramps of two channels that are NaN outside the samples first to last."""
    x = ramp(n, size)
    x[..., : first - 1] = np.nan
    x[..., last:] = np.nan
    return x


@pytest.mark.parametrize(
    ("first", "last", "starts"),
    [
        (4, 12, [4, 5, 6, 7, 8, 9]),
        (1, 9, [1, 2, 3, 4, 5, 6]),
        (4, 9, [4, 5, 6]),
        (5, 8, [5]),
        # Shorter than a window: the middle, 5 to 8, with what there is of it.
        (6, 8, [5]),
        (5, 7, [5]),
    ],
)
def test_window_stays_within_the_record(first, last, starts):
    x = recorded(first, last)
    out = WindowJitter(4, random_state=0)(x)
    assert out.shape == (400, 2, 4)
    if last - first < 3:
        np.testing.assert_array_equal(out, x[..., 4:8])
        return
    assert (np.diff(out) == 1).all()
    found, counts = np.unique(out[:, 0, 0], return_counts=True)
    assert found.tolist() == starts
    assert (counts > 200 / len(starts)).all()


def test_every_window_has_its_own_record():
    x = np.concatenate([recorded(6, 12, 100), recorded(1, 8, 100), ramp(100, 12)])
    x[0] = np.nan
    out = WindowJitter(4, random_state=0)(x)[:, 0, 0]
    assert np.isnan(out[0])
    assert sorted(set(out[1:100])) == [6, 7, 8, 9]
    assert sorted(set(out[100:200])) == [1, 2, 3, 4, 5]
    assert sorted(set(out[200:])) == list(range(1, 10))


def test_record_ends_and_largest_shift():
    jitter = WindowJitter(4, max_shift=2, random_state=0)
    starts = jitter(recorded(4, 12))[:, 0, 0]
    assert sorted(set(starts)) == [4, 5, 6, 7]
    # The record begins behind all that the shift allows.
    x = recorded(8, 12)
    np.testing.assert_array_equal(jitter(x), jitter.centre(x))


def test_windows_that_are_not_drawn_are_central_whatever_the_record():
    x = recorded(7, 12)
    np.testing.assert_array_equal(WindowJitter(4, p=0.0)(x), x[..., 4:8])


def test_lost_samples_are_no_end_of_the_record():
    x = ramp(400, 12)
    x[:, 0, :5] = np.nan  # one channel alone
    x[:, :, 8] = np.nan  # all of them, within the record
    out = WindowJitter(4, random_state=0)(x)[:, 1]
    starts = np.nanmin(out - np.arange(4), axis=1)
    assert sorted(set(starts)) == list(range(1, 10))


def test_windows_without_nan_are_cut_as_ever():
    """By the numbers that were drawn, over all places, to the sample."""
    x = torch.from_numpy(ramp(500, 5000).astype(np.float32))
    for max_shift, low, high in [(None, 0, 4000), (300, 1700, 2300)]:
        jitter = WindowJitter(1000, max_shift=max_shift)
        params = jitter.draw(x, torch.Generator().manual_seed(0))
        start = low + (params["place"] * (high - low + 1)).floor()
        assert jitter.transform(x, params)[:, 1, 0].tolist() == (start + 1).tolist()


def test_views_of_one_length_are_cut_at_one_place():
    x = torch.from_numpy(recorded(4, 12))
    # The other view has lost the start of all that it shows; the record has not.
    other = x.masked_fill(x < 8, torch.nan)
    longer = torch.from_numpy(recorded(11, 20, size=40))
    batch = {"x": {"other": other, "eeg": x, "longer": longer}}
    generator = torch.Generator().manual_seed(0)
    out = WindowJitter(4).apply(batch, generator)["x"]
    starts = out["eeg"][:, 0, 0]
    assert starts.unique().tolist() == [4, 5, 6, 7, 8, 9]
    last = torch.tensor([4.0, 5, 6, 7, 8, 9]) + 3
    kept = torch.where(last < 8, torch.nan, last)
    for start, end in zip(range(4, 10), kept, strict=True):
        ends = out["other"][starts == start, 0, -1].float()
        torch.testing.assert_close(ends, end.expand(len(ends)), equal_nan=True)
    assert out["longer"][:, 0, 0].unique().tolist() == list(range(11, 18))


def test_images_have_ends_too():
    x = recorded(4, 9)[:, :, None].repeat(3, axis=2)
    x[:, 0, 0, :] = np.nan  # a row of one plane
    out = WindowJitter(4, random_state=0)(x)
    assert np.unique(out[:, 1, 2, 0]).tolist() == [4, 5, 6]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_times": 10}, "windows of 9 samples are shorter than n_times=10"),
        ({"n_times": 0}, "n_times must be an integer at least 1"),
        ({"n_times": 4, "max_shift": -1}, "max_shift must be an integer at least 0"),
    ],
)
def test_unusable_windows(params, message):
    with pytest.raises(ValueError, match=f"WindowJitter: {message}"):
        WindowJitter(**params)(ramp())
