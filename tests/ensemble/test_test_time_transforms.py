"""What the transforms do to arrays, images, tensors and views, exactly."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.augmentation import LeftRightMirror, Mixup, PolarityFlip, TimeReverse
from hmsklearn.ensemble import TEST_TIME_SCHEMES, TEST_TIME_TRANSFORMS, _tta_base
from hmsklearn.ensemble._tta_registry import Surroundings, parse_entries
from hmsklearn.montage import CH_NAMES, get_montage
from hmsklearn.preprocessing import CentreCrop, MontageTransformer
from hmsklearn.views import WindowViews

PANELS = ["LL", "RL", "LP", "RP"]


def built(given, montage=None, sfreq=200.0):
    [entry] = parse_entries([given], "test")
    return entry.build(Surroundings(montage, sfreq))


# Mirrors -----------------------------------------------------------------------------


def test_mirror_of_electrodes_is_the_permutation_of_the_columns(signals):
    order = [*range(11, 19), *range(8, 11), *range(8), 19]
    mirror = built("mirror", CH_NAMES)
    np.testing.assert_array_equal(mirror(signals), signals[:, order])


@pytest.mark.parametrize(
    "names", [CH_NAMES, get_montage("double_banana").names, get_montage("15th").names]
)
@pytest.mark.parametrize("name", ["left_right_mirror", "time_reverse", "polarity_flip"])
def test_twice_is_the_identity(name, names, rng):
    X = rng.normal(size=(3, len(names), 40)).astype("float32")
    once = built(name, names)(X)
    assert not np.array_equal(once, X)
    np.testing.assert_array_equal(built(name, names)(once), X)


def test_mirror_before_and_behind_the_montage_agree(signals):
    montage = MontageTransformer("double_banana")
    before = montage.fit_transform(built("mirror", CH_NAMES)(signals))
    behind = built("mirror", "double_banana")(montage.transform(signals))
    np.testing.assert_allclose(behind, before, rtol=0, atol=1e-4)


def test_modern_names_and_one_side_alone():
    X = np.arange(8.0).reshape(1, 4, 2)
    out = built("mirror", ["T7", "T4", "cz", "ECG"])(X)
    np.testing.assert_array_equal(out, X[:, [1, 0, 2, 3]])
    with pytest.raises(ValueError, match="not closed under the left-right mirror"):
        built("mirror", ["Fp1", "Cz"])(X[:, :2])


@pytest.mark.parametrize("chains", [PANELS, ["LL", "LP", "RL", "RP"]])
def test_panels_of_the_host_change_sides(chains, rng):
    X = rng.normal(size=(2, 4, 5, 6))
    out = built("mirror", chains)(X)
    twin = {"LL": "RL", "RL": "LL", "LP": "RP", "RP": "LP"}
    for place, chain in enumerate(chains):
        np.testing.assert_array_equal(out[:, place], X[:, chains.index(twin[chain])])


def test_views_are_mirrored_alike_each_by_its_own_names(signals, rng):
    host = rng.normal(size=(6, 4, 3, 8))
    X = WindowViews(eeg=signals, host=host)
    mirror = built("mirror", {"eeg": CH_NAMES, "host": PANELS})
    out = mirror(X)
    assert isinstance(out, WindowViews)
    assert list(out) == ["eeg", "host"]
    np.testing.assert_array_equal(out["eeg"], built("mirror", CH_NAMES)(signals))
    np.testing.assert_array_equal(out["host"], host[:, [1, 0, 3, 2]])
    only = built(("mirror", {"views": ["host"]}), {"host": PANELS})(X)
    assert only["eeg"] is X["eeg"]
    np.testing.assert_array_equal(only["host"], out["host"])


def test_front_back_mirror_and_tiles(rng):
    X = rng.normal(size=(2, 3, 5))
    out = built("front_back_mirror", ["Fp1-F7", "Cz", "T5-O1"])(X)
    np.testing.assert_allclose(out, -X[:, [2, 1, 0]] * np.array([1, -1, 1])[:, None])
    images = rng.normal(size=(2, 1, 4, 6))
    given = ("mirror", {"tiles": [["LL", "RL"]]})
    swapped = np.concatenate([images[..., 3:], images[..., :3]], axis=-1)
    np.testing.assert_array_equal(built(given)(images), swapped)


# Time --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 3, 8), (2, 3, 4, 8), (2, 3, 2, 4, 8)])
def test_time_runs_backwards_on_the_last_axis(shape, rng):
    X = rng.normal(size=shape)
    np.testing.assert_array_equal(built("time_flip")(X), X[..., ::-1])


def test_images_are_flipped_along_either_axis(rng):
    X = rng.normal(size=(2, 3, 4, 8))
    np.testing.assert_array_equal(built("horizontal_flip")(X), X[..., ::-1])
    np.testing.assert_array_equal(built("vertical_flip")(X), X[..., ::-1, :])


@settings(max_examples=60, deadline=None)
@given(size=st.integers(20, 90), samples=st.integers(-8, 8), length=st.integers(1, 4))
def test_crop_behind_a_shift_is_the_shifted_crop(size, samples, length):
    X = np.arange(float(size)).reshape(1, 1, size)
    crop = CentreCrop(n_times=length)
    start = (size - length) // 2 + samples
    for ends in ("cut", "edge", "reflect", "roll", "zero"):
        moved = built(("shift", {"seconds": samples / 10, "ends": ends}), sfreq=10)(X)
        out = crop.fit_transform(moved)
        np.testing.assert_array_equal(out, X[..., start : start + length])
        assert moved.shape[-1] == (size - 2 * abs(samples) if ends == "cut" else size)


def test_two_seconds_of_the_ten_second_view():
    X = np.arange(10_000.0)[None, None]
    later = CentreCrop(10).fit_transform(built(("shift", 2.0))(X))
    earlier = CentreCrop(10).fit_transform(built(("shift", -2.0))(X))
    assert later[0, 0, [0, -1]].tolist() == [4400, 6399]
    assert earlier[0, 0, [0, -1]].tolist() == [3600, 5599]


def test_five_segments_are_the_parts_of_the_window():
    X = np.arange(10_000.0)[None, None]
    parts = [built(("segment", i))(X) for i in range(5)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=-1), X)
    np.testing.assert_array_equal(parts[2], CentreCrop(10).fit_transform(X))


@settings(max_examples=40, deadline=None)
@given(size=st.integers(10, 60), n=st.integers(1, 6), data=st.data())
def test_segments_in_the_middle_are_the_segments(size, n, data):
    index = data.draw(st.integers(0, n - 1))
    X = np.arange(float(size)).reshape(1, 1, size)
    part = built(("segment", {"index": index, "n_segments": n}))(X)
    assert part.shape[-1] == size // n
    whole = {"index": index, "n_segments": n, "ends": "edge"}
    moved = built(("segment", whole))(X)
    assert moved.shape == X.shape
    cropped = CentreCrop(n_times=size // n).fit_transform(moved)
    np.testing.assert_array_equal(cropped, part)


def test_seconds_are_columns_where_views_differ(rng):
    X = WindowViews(
        eeg=rng.normal(size=(2, 3, 400)), host=rng.normal(size=(2, 4, 5, 30))
    )
    shift = built(("shift", 4.0), sfreq={"eeg": 20.0, "host": 0.5})
    out = shift(X)
    np.testing.assert_array_equal(out["eeg"], X["eeg"][..., 160:])
    np.testing.assert_array_equal(out["host"], X["host"][..., 4:])
    with pytest.raises(ValueError, match="no entry for the view 'host'"):
        built(("shift", 4.0), sfreq={"eeg": 20.0})(X)
    one = built(("shift", {"seconds": 4.0, "views": ["eeg"]}), sfreq={"eeg": 20.0})(X)
    assert one["host"] is X["host"]


# Numbers of any kind -----------------------------------------------------------------


def test_types_stay_and_nothing_is_written(signals):
    signals.setflags(write=False)
    kept = signals.copy()
    for name in TEST_TIME_TRANSFORMS:
        given = (name, 0.5) if name == "shift" else name
        given = (name, 1) if name == "segment" else given
        if name.endswith("al_flip"):  # of images
            continue
        transform = built(given, CH_NAMES if "back" not in name else range(20))
        for dtype in ("float64", "float16", ">f4"):
            out = transform(signals.astype(dtype))
            assert (out.dtype.kind, out.dtype.itemsize) == (
                "f",
                np.dtype(dtype).itemsize,
            )
        tensor = transform(torch.tensor(signals))
        assert isinstance(tensor, torch.Tensor)
        np.testing.assert_array_equal(tensor.numpy(), transform(signals))
    np.testing.assert_array_equal(signals, kept)


def test_integers_become_float32():
    out = built("polarity_flip")(np.ones((1, 2, 3), dtype="int16"))
    assert out.dtype == np.float32
    assert (out == -1).all()


def test_nan_moves_with_its_sample():
    X = np.ones((1, 2, 9), dtype="float32")
    X[0, 0, 1] = np.nan
    mirrored = built("mirror", ["T3", "T4"])(X)
    assert np.argwhere(np.isnan(mirrored)).tolist() == [[0, 1, 1]]
    reverse = built("time_reverse")(X)
    assert np.argwhere(np.isnan(reverse)).tolist() == [[0, 0, 7]]


def test_chunks_make_no_difference(signals, monkeypatch):
    given = ["mirror", "time_reverse", ("shift", {"seconds": 0.2, "ends": "reflect"})]
    whole = built(given, CH_NAMES)(signals)
    monkeypatch.setattr(_tta_base, "_CHUNK_BYTES", 1)
    np.testing.assert_array_equal(built(given, CH_NAMES)(signals), whole)


def test_cuts_share_memory_and_identity_is_the_object(signals):
    assert built("identity")(signals) is signals
    assert np.shares_memory(built(("shift", 0.5))(signals), signals)
    assert np.shares_memory(built(("segment", 3))(signals), signals)


# Lists -------------------------------------------------------------------------------


def test_a_list_is_applied_in_turn(signals):
    both = built(["mirror", "time_reverse"], CH_NAMES)
    by_hand = built("mirror", CH_NAMES)(signals)[..., ::-1]
    np.testing.assert_array_equal(both(signals), by_hand)


def test_labels_tell_the_parameters_and_differ():
    given = [
        *("identity", ("shift", -2.0), ("shift", {"seconds": 1.0, "ends": "edge"})),
        *(["mirror", ("segment", 0)], np.negative, np.negative),
        *(TimeReverse(p=1.0), LeftRightMirror(["T3", "T4"])),
    ]
    labels = [entry.label for entry in parse_entries(given, "test")]
    assert labels == [
        *("identity", "shift(-2.0)", "shift(1.0, ends='edge')"),
        *("left_right_mirror+segment(0)", "negative", "negative#2"),
        *("time_reverse", "left_right_mirror"),
    ]


def test_an_augmentation_is_applied_with_certainty(signals):
    given = PolarityFlip(p=0.0)
    np.testing.assert_array_equal(built(given)(signals), -signals)
    mirror = built(LeftRightMirror(CH_NAMES))
    np.testing.assert_array_equal(mirror(signals), built("mirror", CH_NAMES)(signals))


def test_schemes_are_those_of_the_places():
    weights = TEST_TIME_SCHEMES["fifth_uemu"].weights
    assert weights == (0.05, 0.2, 0.5, 0.2, 0.05)
    assert TEST_TIME_SCHEMES["sixth"].transforms == (
        *("identity", ("shift", -2.0), ("shift", 2.0)),
    )
    for scheme in TEST_TIME_SCHEMES.values():
        entries = parse_entries(scheme.transforms, "test")
        assert scheme.weights is None or len(scheme.weights) == len(entries)
        for entry in entries:
            assert entry.build(Surroundings(CH_NAMES, 200.0))


# Errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ([], "is empty"),
        (3, "must be a list of transforms"),
        (("shift", 2.0), "must be a list of transforms"),
        (["miror"], "'miror' is not known. Did you mean 'mirror'"),
        ([("shift", {"second": 1})], "no parameter 'second'. Did you mean 'seconds'"),
        ([("mirror", 2.0)], "takes no number"),
        ([("mirror", {"p": 0.5})], "no parameter 'p'"),
        ([2.0], "2.0 is no transform"),
        ([[]], "an empty list"),
        ([Mixup()], "Mixup draws random numbers or changes targets"),
        ([("mirror", {"step": 3})], "step must be the name of a step"),
        (
            [[("mirror", {"step": "a"}), ("time_reverse", {"step": "b"})]],
            "name different steps",
        ),
    ],
)
def test_lists_that_are_none(given, match):
    with pytest.raises(ValueError, match=match):
        parse_entries(given, "test")


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (("shift", {}), "seconds"),
        (("shift", float("nan")), "finite number"),
        (("shift", {"seconds": 1.0, "ends": "mirror"}), "ends must be one of"),
        (("shift", {"seconds": 1.0, "sfreq": 0}), "sfreq must be"),
        (("segment", 5), "at most 4"),
        (("segment", 1.5), "index must be an integer"),
        (("segment", {"index": 0, "views": "eeg"}), "views must be a list"),
        ("mirror", "names of the channels are not known"),
    ],
)
def test_parameters_that_are_none(given, match):
    with pytest.raises(ValueError, match=match):
        built(given)


@pytest.mark.parametrize(
    ("given", "shape", "match"),
    [
        (("shift", 1.0), (2, 3, 400), "too short"),
        (("shift", 0.001), (2, 3, 400), "whole number of samples"),
        (("segment", 0), (2, 3, 4), "cannot be cut into 5 parts"),
        ("time_reverse", (2, 30), "3, 4 or 5 axes"),
        ("horizontal_flip", (2, 3, 400), "takes windows of 4 or 5 axes"),
        ("mirror", (2, 3, 400), "does not hold the 20 derivations"),
        (("time_reverse", {"views": ["eeg"]}), (2, 3, 400), "only one"),
    ],
)
def test_shapes_that_do_not_suit(given, shape, match):
    transform = built(given, CH_NAMES)
    with pytest.raises(ValueError, match=match):
        transform(np.zeros(shape))


def test_views_that_are_not_there(signals):
    with pytest.raises(ValueError, match="there is no view 'eg', only \\['eeg'\\]"):
        built(("time_reverse", {"views": ["eg"]}))(WindowViews(eeg=signals))


def test_a_function_must_keep_the_windows(signals):
    assert built(np.negative)(signals)[0, 0, 0] == -signals[0, 0, 0]
    with pytest.raises(ValueError, match="gave 5 windows for 6"):
        built(lambda X: X[1:])(signals)
    with pytest.raises(ValueError, match="gave None windows for 6"):
        built(lambda X: None)(signals)
