"""Flips of the head, of time and of polarity, and channels that trade places."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.augmentation import (
    ChainPermutation,
    ChannelShuffle,
    FrontBackMirror,
    HorizontalFlip,
    LeftRightMirror,
    PolarityFlip,
    TimeReverse,
    VerticalFlip,
)
from hmsklearn.montage import CH_NAMES, MONTAGES, get_montage
from hmsklearn.signal import derive

CLOSED = {}
for _cls, _method in ((LeftRightMirror, "mirror"), (FrontBackMirror, "front_back")):
    for _name in sorted(MONTAGES):
        try:
            CLOSED[_cls, _name] = getattr(get_montage(_name), _method)()
        except ValueError:
            continue


def channels(n, *tail):
    """Windows whose channels are numbered from one."""
    numbers = np.arange(1.0, n + 1).reshape(1, n, *(1,) * len(tail))
    return np.broadcast_to(numbers, (3, n, *tail)).copy()


def test_some_montages_can_be_flipped():
    assert (LeftRightMirror, "double_banana_16") in CLOSED
    assert (FrontBackMirror, "transverse_24") in CLOSED


@pytest.mark.parametrize(
    ("cls", "name"), CLOSED, ids=lambda value: getattr(value, "__name__", value)
)
def test_flipped_signals_are_those_of_the_flipped_head(cls, name):
    """The montage of flipped electrodes, and the flipped montage of electrodes."""
    rng = np.random.default_rng(0)
    eeg = rng.normal(size=(2, 20, 5))
    matrix = get_montage(name).matrix(CH_NAMES)
    turned = cls(CH_NAMES, p=1.0)(eeg)
    out = cls(name, p=1.0)(derive(eeg, matrix))
    np.testing.assert_allclose(out, derive(turned, matrix), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(case=st.sampled_from(list(CLOSED)), seed=st.integers(0, 99))
def test_twice_is_nothing(case, seed):
    cls, name = case
    n_chans = len(get_montage(name))
    x = torch.randn(4, n_chans, 6, generator=torch.Generator().manual_seed(seed))
    flip = cls(name, p=1.0)
    assert torch.equal(flip(flip(x)), x)
    for other in (TimeReverse(p=1.0), PolarityFlip(p=1.0)):
        assert torch.equal(other(other(x)), x)
    image = x[:, :, None]
    for of_image in (HorizontalFlip(p=1.0), VerticalFlip(p=1.0)):
        assert torch.equal(of_image(of_image(image)), image)


def test_images_are_flipped_by_width_or_by_height():
    image = np.array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    assert HorizontalFlip(p=1.0)(image).tolist() == [[[[3, 2, 1], [6, 5, 4]]]]
    assert VerticalFlip(p=1.0)(image).tolist() == [[[[4, 5, 6], [1, 2, 3]]]]
    film = image[:, :, None]
    assert VerticalFlip(p=1.0)(film).tolist() == [[[[[4, 5, 6], [1, 2, 3]]]]]
    assert VerticalFlip().after_frontend
    with pytest.raises(ValueError, match="VerticalFlip: takes windows of 4 or 5 axes"):
        VerticalFlip()(np.zeros((1, 2, 3)))


def test_left_and_right_of_the_electrodes():
    out = LeftRightMirror(CH_NAMES, p=1.0)(channels(20, 2))
    order = [11, 12, 13, 14, 15, 16, 17, 18, 8, 9, 10, 0, 1, 2, 3, 4, 5, 6, 7, 19]
    assert out[0, :, 0].tolist() == [i + 1 for i in order]


def test_left_and_right_of_sixteen_differences():
    out = LeftRightMirror("double_banana_16", p=1.0)(channels(16, 2))
    order = [5, 6, 7, 8, 1, 2, 3, 4, 13, 14, 15, 16, 9, 10, 11, 12]
    assert out[0, :, 0].tolist() == order
    interleaved = LeftRightMirror("interleaved_16", p=1.0)(channels(16, 2))
    assert interleaved[0, :4, 0].tolist() == [2.0, 1.0, 4.0, 3.0]


def test_a_permutation_or_flip_is_taken_as_it_is():
    x = channels(3, 4)
    assert LeftRightMirror([2, 1, 0], p=1.0)(x)[0, :, 0].tolist() == [3, 2, 1]
    assert LeftRightMirror(np.array([1, 0, 2]), p=1.0)(x)[0, :, 0].tolist() == [2, 1, 3]
    flip = get_montage(["F3-F4", "P3-P4"]).mirror()
    assert flip.signs == (-1, -1)
    assert LeftRightMirror(flip, p=1.0)(x[:, :2])[0, :, 0].tolist() == [-1, -2]


def test_images_have_no_sign():
    x = channels(2, 3, 4)
    assert (LeftRightMirror(["F3-F4", "P3-P4"], p=1.0)(x) == x).all()


def test_panels_by_chain():
    x = channels(4, 2, 3)
    for panels, order in (
        (["LL", "RL", "LP", "RP"], [2, 1, 4, 3]),
        (["LL", "LP", "RL", "RP"], [3, 4, 1, 2]),
    ):
        out = LeftRightMirror(panels=panels, p=1.0)(x)
        assert out[0, :, 0, 0].tolist() == order


def test_panels_by_derivation_and_position():
    x = channels(3, 2, 2)
    for panels in (["Fp1-F7", "Cz-Pz", "Fp2-F8"], [0, 17, 4]):
        out = LeftRightMirror(panels=panels, p=1.0)(x)
        assert out[0, :, 0, 0].tolist() == [3, 2, 1]


def test_frames_of_films():
    """As the second place has them: 16 spectra of 10 s, then 16 of 50 s."""
    film = channels(32, 1, 2).reshape(3, 1, 32, 1, 2)
    panels = list(range(16)) * 2
    out = LeftRightMirror("double_banana_16", panels=panels, axis=2, p=1.0)(film)
    order = [5, 6, 7, 8, 1, 2, 3, 4, 13, 14, 15, 16, 9, 10, 11, 12]
    assert out[0, 0, :, 0, 0].tolist() == order + [i + 16 for i in order]


def test_tiles():
    tiles = [["LL", "RL", None], ["LP", "RP", "Z"]]
    numbers = np.arange(6.0).reshape(2, 3)
    rng = np.random.default_rng(0)
    tile = rng.random((4, 5))
    image = np.kron(numbers + 1, tile)[None, None]
    out = LeftRightMirror(tiles=tiles, after_frontend=True, p=1.0)(image)
    expected = np.kron(np.array([[2.0, 1.0, 3.0], [5.0, 4.0, 6.0]]), tile)
    np.testing.assert_allclose(out[0, 0], expected)


def test_a_column_of_tiles():
    image = np.repeat(np.arange(4.0), 3).reshape(1, 1, 12, 1)
    out = LeftRightMirror(tiles=["LL", "LP", "RL", "RP"], p=1.0)(image)
    assert out[0, 0, ::3, 0].tolist() == [2, 3, 0, 1]


def test_signals_and_images_of_a_window_flip_together():
    n = 40
    batch = {
        "x": {
            "eeg": torch.from_numpy(channels(16, 4)[:1]).repeat(n, 1, 1),
            "host": torch.from_numpy(channels(4, 2, 2)[:1]).repeat(n, 1, 1, 1),
        }
    }
    mirror = LeftRightMirror(
        {"eeg": "double_banana_16", "host": "double_banana"},
        panels={"host": ["LL", "RL", "LP", "RP"]},
    )
    out = mirror.apply(batch, torch.Generator().manual_seed(0))["x"]
    eeg, host = out["eeg"][:, 0, 0] == 5, out["host"][:, 0, 0, 0] == 2
    assert torch.equal(eeg, host)
    assert 5 < eeg.sum() < 35
    with pytest.raises(ValueError, match=r"montage names \['eeg'\].*'host'"):
        LeftRightMirror({"eeg": "double_banana_16"}).apply(batch)


def test_front_and_back():
    out = FrontBackMirror("double_banana", p=1.0)(channels(18, 2))[0, :, 0]
    assert out.tolist() == [
        *(-4, -3, -2, -1, -8, -7, -6, -5),
        *(-12, -11, -10, -9, -16, -15, -14, -13),
        *(-18, -17),
    ]


def test_nan_moves_with_its_channel():
    x = channels(16, 2)
    x[:, 0] = np.nan
    out = LeftRightMirror("double_banana_16", p=1.0)(x)
    assert np.isnan(out[:, 4]).all()
    assert np.isnan(out).sum() == np.isnan(x).sum()


def test_only_the_drawn_windows_flip():
    x = np.tile(np.array([1.0, 2.0, 3.0]), (400, 1, 1))
    out = TimeReverse(random_state=0)(x)
    flipped = (out[:, 0] == [3, 2, 1]).all(axis=1)
    assert ((out[:, 0] == [1, 2, 3]).all(axis=1) == ~flipped).all()
    assert 160 < flipped.sum() < 240


@pytest.mark.parametrize(
    ("params", "shape", "message"),
    [
        ({}, (2, 17, 4), "axis 1 .* does not hold the 18 derivations"),
        ({"panels": ["LL", "RL"]}, (2, 4, 3, 3), "does not hold the 2 panels"),
        ({"panels": ["LL", "LP"]}, (2, 2, 3, 3), "'LL' becomes 'RL'"),
        ({"panels": ["Q", "LL"]}, (2, 2, 3, 3), "'Q' is not known"),
        ({"tiles": [["LL", "RL"]]}, (2, 1, 4, 5), "cut into 1 x 2 equal tiles"),
        ({"tiles": [["LL", "RL"], ["Z"]]}, (2, 1, 4, 4), "differ in length"),
        ({"montage": [0, 0, 1]}, (2, 3, 4), "is no permutation"),
        ({"montage": ["Fp1-F7"]}, (2, 1, 4), "not closed under the left-right"),
        ({"axis": 3}, (2, 18, 4), "axis must be an integer"),
    ],
)
def test_what_cannot_be_flipped(params, shape, message):
    with pytest.raises(ValueError, match=message):
        LeftRightMirror(**params)(np.zeros(shape))


def test_chains_trade_places_as_a_whole():
    out = ChainPermutation(p=1.0, random_state=0)(
        np.repeat(channels(18, 2)[:1], 200, axis=0)
    )[:, :, 0]
    assert (out[:, 16:] == [17, 18]).all()
    chains = out[:, :16].reshape(200, 4, 4)
    assert (np.diff(chains, axis=2) == 1).all()
    orders = (chains[:, :, 0] - 1) / 4
    assert (np.sort(orders, axis=1) == np.arange(4)).all()
    assert len(np.unique(orders, axis=0)) == 24


def test_chains_by_name_in_an_interleaved_montage():
    permutation = ChainPermutation(
        "interleaved_16", chains=["LL", "RL"], p=1.0, random_state=0
    )
    out = permutation(np.repeat(channels(16, 2)[:1], 50, axis=0))[:, :, 0]
    swapped = out[:, 0] == 2
    assert 5 < swapped.sum() < 45
    assert (out[swapped, :8] == [2, 1, 4, 3, 6, 5, 8, 7]).all()
    assert (out[~swapped] == np.arange(1, 17)).all()
    assert (out[:, 8:] == np.arange(9, 17)).all()


def test_chains_of_image_planes():
    x = channels(16, 2, 2)
    out = ChainPermutation("double_banana_16", after_frontend=True, p=1.0)(x)
    assert (np.sort(out[:, :, 0, 0]) == np.arange(1, 17)).all()
    assert (out == out[:, :, :1, :1]).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"chains": ["LL", "Z"]}, "two or more chains of one length"),
        ({"chains": ["LL"]}, "two or more chains of one length"),
        ({"chains": ["LL", "LQ"]}, "has no chain 'LQ'"),
        ({"montage": ["Fz", "Cz"]}, "two or more chains"),
    ],
)
def test_chains_that_cannot_trade_places(params, message):
    with pytest.raises(ValueError, match=f"ChainPermutation: .*{message}"):
        ChainPermutation(**params).check()


def test_chains_of_another_montage():
    with pytest.raises(ValueError, match="16 channels, the montage 18 derivations"):
        ChainPermutation()(channels(16, 4))


def test_channels_are_shuffled_and_kept():
    x = np.random.default_rng(0).normal(size=(50, 6, 8))
    out = ChannelShuffle(p=1.0, random_state=0)(x)
    order = (out[:, :, None, 0] == x[:, None, :, 0]).argmax(axis=2)
    np.testing.assert_array_equal(out, np.take_along_axis(x, order[..., None], axis=1))
    assert (np.sort(order, axis=1) == np.arange(6)).all()
    assert len(np.unique(order, axis=0)) > 40
