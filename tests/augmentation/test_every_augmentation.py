"""What holds for every augmentation: seeds, probability, types, views, devices."""

import copy
import inspect

import numpy as np
import pytest
import torch
from sklearn.base import clone

from hmsklearn.augmentation import (
    AUGMENTATIONS,
    BaseAugmentation,
    PolarityFlip,
    TimeReverse,
    create_augmentation,
)

SIGNALS, IMAGES, PLANES = (24, 18, 64), (24, 3, 16, 24), (24, 18, 8, 8)
FEATURES = (24, 40)

# Parameters that suit the small windows of these tests, and the windows' shape.
CASES = {
    "amplitude_scale": ({}, SIGNALS),
    "brightness_contrast": ({}, IMAGES),
    "centre_shift": ({"max_shift": 20}, SIGNALS),
    "chain_permutation": ({}, SIGNALS),
    "channel_drop": ({}, SIGNALS),
    "channel_shuffle": ({}, SIGNALS),
    "cut_mix": ({}, IMAGES),
    "cutout_1d": ({"size": (1, 20)}, SIGNALS),
    "edge_dropout": ({}, IMAGES),
    "frequency_dropout": ({"size": (1, 4)}, IMAGES),
    "front_back_mirror": ({}, SIGNALS),
    "gaussian_noise": ({"std": 0.5}, SIGNALS),
    "horizontal_flip": ({}, IMAGES),
    "label_smoothing": ({}, SIGNALS),
    "left_right_mirror": ({}, SIGNALS),
    "manifold_mixup": ({}, FEATURES),
    "mixup": ({}, SIGNALS),
    "one_of": (
        {"augmentations": [PolarityFlip(p=1.0), TimeReverse(p=1.0)]},
        SIGNALS,
    ),
    "polarity_flip": ({}, SIGNALS),
    "random_band_pass": ({}, SIGNALS),
    "random_nan_blocks": ({}, SIGNALS),
    "random_resized_crop": ({}, IMAGES),
    "sine_needle": ({"period": (4, 20), "swing": (1, 4), "drift": (0, 9)}, IMAGES),
    "time_cut_mix": ({"alpha": 1.0}, SIGNALS),
    "time_mask": ({"size": (2, 20)}, SIGNALS),
    "time_reverse": ({}, SIGNALS),
    "time_shift": ({"max_shift": 20}, SIGNALS),
    "vertical_flip": ({}, IMAGES),
    "vote_jitter": ({}, SIGNALS),
    "window_jitter": ({"n_times": 48}, SIGNALS),
    "xy_masking": ({"size_x": (2, 4), "size_y": 2}, IMAGES),
}
# Further forms of the same classes.
MORE = {
    "channel_drop of images": ("channel_drop", {"after_frontend": True}, PLANES),
    "channel_drop of a stack": (
        "channel_drop",
        {"n_channels": 2, "stacked": 4, "after_frontend": True},
        IMAGES,
    ),
    "frequency_dropout of signals": (
        "frequency_dropout",
        {"size": (1, 4), "after_frontend": False},
        SIGNALS,
    ),
    "mixup or": ("mixup", {"mode": "or"}, SIGNALS),
    "mixup of one class": ("mixup", {"same_class": True}, SIGNALS),
    "mixup within a range": ("mixup", {"lam_range": (0.4, 0.6)}, SIGNALS),
    "mirror of images": ("left_right_mirror", {"after_frontend": True}, PLANES),
    "mirror of tiles": (
        "left_right_mirror",
        {"tiles": [["LL", "RL"], ["LP", "RP"]], "after_frontend": True},
        IMAGES,
    ),
    "noise, relative": ("gaussian_noise", {"relative": True}, SIGNALS),
    "scale by channel": ("amplitude_scale", {"per": "channel"}, SIGNALS),
    "shift, zeros": ("time_shift", {"max_shift": 20, "ends": "zero"}, SIGNALS),
    "shift, reflected": ("time_shift", {"max_shift": 20, "ends": "reflect"}, SIGNALS),
    "smoothing of few votes": ("label_smoothing", {"max_votes": 12}, SIGNALS),
    "votes of Poisson": ("vote_jitter", {"method": "poisson"}, SIGNALS),
    "zoom of signals": (
        "random_resized_crop",
        {"axes": ["time"], "after_frontend": False},
        SIGNALS,
    ),
    "zoom by axis": ("random_resized_crop", {"separate_axes": True}, IMAGES),
    "one of two mixtures": (
        "one_of",
        {
            "augmentations": [
                create_augmentation("mixup", p=1.0),
                create_augmentation("time_cut_mix", alpha=1.0, p=1.0),
            ]
        },
        SIGNALS,
    ),
}
ALL = {name: (name, *case) for name, case in CASES.items()} | MORE

TARGETS_ONLY = {"label_smoothing", "vote_jitter"}
RESIZES = {"window_jitter"}
PARTNERS = {"manifold_mixup", "mixup", "cut_mix", "time_cut_mix"}
# The same change for all windows that are changed at all.
FIXED = {
    "front_back_mirror",
    "horizontal_flip",
    "label_smoothing",
    "left_right_mirror",
    "polarity_flip",
    "time_reverse",
    "vertical_flip",
}


@pytest.fixture(params=list(ALL))
def case(request):
    return ALL[request.param]


def cases(suits):
    """Run a test for some of them instead."""
    names = [name for name, case in ALL.items() if suits(case)]
    return pytest.mark.parametrize("case", [ALL[name] for name in names], ids=names)


def mixes(case):
    """Whether windows get something of other windows."""
    return case[0] in PARTNERS or any(
        type(item).__name__ == "Mixup" for item in case[1].get("augmentations", [])
    )


def needs_targets(case):
    return case[1].get("same_class") or case[1].get("max_votes") is not None


def build(case, **params):
    name, own, _ = case
    return create_augmentation(name, **{**own, **params})


def batch_of(shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(0, 5, (shape[0], 6), generator=generator) + torch.eye(6)[0]
    return {
        "x": torch.randn(shape, generator=generator).to(dtype),
        "fractions": counts / counts.sum(dim=1, keepdim=True),
        "total_votes": counts.sum(dim=1),
        "sample_weight": torch.rand(shape[0], generator=generator),
    }


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_every_name_has_a_case():
    assert set(CASES) == set(AUGMENTATIONS)


def test_parameters_are_stored_and_nothing_else(case):
    augmentation = build(case)
    names = set(inspect.signature(type(augmentation)).parameters)
    fixed = {
        "centre_shift": {"after_frontend"},
        "manifold_mixup": {"after_frontend", "views"},
    }.get(case[0], set())
    assert set(vars(augmentation)) - fixed == names
    assert "p" in names
    assert "random_state" in names
    assert repr(clone(augmentation)) == repr(augmentation)


def test_probability_zero_changes_nothing(case):
    batch = batch_of(case[2])
    out = build(case, p=0.0).apply(batch, seeded())
    assert set(out) == set(batch)
    if case[0] in RESIZES:
        batch["x"] = build(case).centre(batch["x"])
    for name in batch:
        assert torch.equal(out[name], batch[name]), name


def test_probability_one_changes_all(case):
    batch = batch_of(case[2])
    augmentation = build(case, p=1.0)
    assert augmentation.draw(batch["x"], fractions=batch["fractions"])["active"].all()
    what = "fractions" if case[0] in TARGETS_ONLY else "x"
    out = augmentation.apply(batch, seeded())[what]
    if case[0] in RESIZES:
        batch["x"] = augmentation.centre(batch["x"])
    changed = (out != batch[what]).flatten(1).any(dim=1)
    if what == "x" and case[1].get("same_class") is None:
        # A random shift, order or partner may be the one that was there before.
        assert changed.float().mean() >= 0.8
    else:
        assert changed.any()


def test_probability_is_that_of_a_window(case):
    x = torch.zeros(4000, *[2] * (len(case[2]) - 1))
    if case[0] in (*PARTNERS, "one_of"):
        x = x[:1000]
    active = BaseAugmentation.draw(
        _only_coins(build(case, p=0.3)), x, seeded(), fractions=None
    )["active"]
    # Four standard deviations of the share.
    assert abs(active.float().mean() - 0.3) < 4 * (0.3 * 0.7 / len(x)) ** 0.5


def _only_coins(augmentation):
    augmentation._draw = lambda x, generator, context: {}
    augmentation._check_input = lambda x: None
    return augmentation


@cases(lambda case: case[0] not in FIXED and not mixes(case))
def test_windows_differ_in_what_they_get(case):
    one = batch_of((1, *case[2][1:]))
    batch = {name: value.expand(24, *value.shape[1:]) for name, value in one.items()}
    what = "fractions" if case[0] in TARGETS_ONLY else "x"
    out = build(case, p=1.0).apply(batch, seeded())[what]
    assert len(np.unique(out.flatten(1).numpy(), axis=0)) >= 2


@cases(mixes)
def test_mixtures_differ_in_their_shares(case):
    batch = batch_of(case[2])
    params = build(case, p=1.0).draw(batch["x"], seeded(), fractions=batch["fractions"])
    assert len(_leaf(params, "lam").unique()) > 5


def _leaf(params, name):
    return params["each"][0][name] if "each" in params else params[name]


def test_same_seed_same_result(case):
    batch = batch_of(case[2])
    augmentation = build(case)
    first, again = (augmentation.apply(batch, seeded(3)) for _ in range(2))
    other = augmentation.apply(batch, seeded(4))
    for name in first:
        assert torch.equal(first[name].nan_to_num(9), again[name].nan_to_num(9))
    assert any(
        not torch.equal(first[name].nan_to_num(9), other[name].nan_to_num(9))
        for name in first
    ) or (case[0] == "label_smoothing")


def test_without_generator_torch_is_the_source(case):
    batch = batch_of(case[2])
    augmentation = build(case)
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        results.append(augmentation.apply(batch)["x"].nan_to_num(9))
    assert torch.equal(*results)


def test_random_state_of_a_call(case):
    batch = batch_of(case[2])
    X, y = batch["x"].numpy(), (batch["fractions"] * batch["total_votes"][:, None])
    y = y.round().numpy()
    first, again = (build(case, random_state=0)(X, y) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert isinstance(first[0], np.ndarray)
    assert first[0].dtype == np.float32
    if case[0] == "label_smoothing":
        return
    advancing = build(case, random_state=np.random.RandomState(0))
    assert any(
        not np.array_equal(a, b, equal_nan=True)
        for a, b in zip(advancing(X, y), advancing(X, y), strict=True)
    )


def test_input_is_untouched(case):
    batch = batch_of(case[2])
    before = copy.deepcopy(batch)
    out = build(case, p=1.0).apply(batch, seeded())
    for name in before:
        assert torch.equal(batch[name], before[name]), name
    assert out is not batch
    if case[0] not in TARGETS_ONLY:
        assert out["x"].data_ptr() != batch["x"].data_ptr()


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64]
)
def test_precision_is_kept(case, dtype):
    batch = batch_of(case[2], dtype)
    batch["fractions"] = batch["fractions"].double()
    out = build(case, p=1.0).apply(batch, seeded())
    assert out["x"].dtype == dtype
    assert out["fractions"].dtype == torch.float64
    assert out["total_votes"].dtype == torch.float32
    reference = build(case, p=1.0).apply(batch_of(case[2]), seeded())
    known = ~reference["x"].isnan()
    # Sixteen bits hold two to three digits.
    torch.testing.assert_close(
        out["x"].float()[known],
        reference["x"][known],
        atol=0.06 if dtype in (torch.float16, torch.bfloat16) else 1e-4,
        rtol=0,
    )


@cases(lambda case: case[2] != FEATURES)
def test_views_get_one_draw(case):
    batch = batch_of(case[2])
    x = batch["x"]
    batch["x"] = {"one": x, "two": x.clone(), "left": x.clone()}
    out = build(case, p=1.0, views=["one", "two"]).apply(batch, seeded())["x"]
    alone = build(case, p=1.0).apply({**batch, "x": x}, seeded())["x"]
    assert list(out) == ["one", "two", "left"]
    assert torch.equal(out["one"].nan_to_num(9), out["two"].nan_to_num(9))
    assert torch.equal(out["one"].nan_to_num(9), alone.nan_to_num(9))
    assert out["left"] is batch["x"]["left"]


@cases(lambda case: case[2] != FEATURES)
def test_unknown_view(case):
    batch = batch_of(case[2])
    batch["x"] = {"one": batch["x"]}
    with pytest.raises(ValueError, match=r"no view 'two'.*\['one'\]"):
        build(case, views=["two"]).apply(batch)


@cases(lambda case: not mixes(case) and case[0] != "random_nan_blocks")
def test_nan_stays_in_its_window(case):
    batch = batch_of(case[2])
    batch["x"][0, 0, 5] = np.nan
    out = build(case, p=1.0).apply(batch, seeded())["x"]
    assert not out[1:].isnan().any()


@cases(lambda case: case[1].get("mode") != "or")  # meant for binary cross-entropy
def test_fractions_sum_to_one(case):
    out = build(case, p=1.0).apply(batch_of(case[2]), seeded())
    torch.testing.assert_close(out["fractions"].sum(dim=1), torch.ones(24))
    assert (out["fractions"] >= 0).all()


@cases(lambda case: not needs_targets(case))
def test_batch_may_hold_windows_alone(case):
    batch = batch_of(case[2])
    out = build(case, p=1.0).apply({"x": batch["x"]}, seeded())
    assert list(out) == ["x"]


def test_host_never_waits_for_the_device(case):
    """Tensors without data: whoever asks for a value, or mixes devices, fails."""
    batch = {name: value.to("meta") for name, value in batch_of(case[2]).items()}
    out = build(case).apply(batch)
    assert {value.device.type for value in out.values()} == {"meta"}


@pytest.mark.gpu
def test_host_never_waits_for_the_gpu(case):
    batch = {name: value.cuda() for name, value in batch_of(case[2]).items()}
    augmentation = build(case)
    generator = torch.Generator("cuda").manual_seed(0)
    first = augmentation.apply(batch, generator)  # constants are sent once
    torch.cuda.set_sync_debug_mode("error")
    try:
        again = augmentation.apply(batch, generator.manual_seed(0))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert again["x"].device.type == "cuda"
    assert torch.equal(first["x"].nan_to_num(9), again["x"].nan_to_num(9))


@pytest.mark.parametrize("p", [-0.1, 1.1, "half", None])
def test_probability_is_checked(case, p):
    with pytest.raises(ValueError, match="p must be a finite number"):
        build(case, p=p).apply(batch_of(case[2]))


@cases(lambda case: case[0] not in TARGETS_ONLY)
def test_windows_must_be_floating_point(case):
    with pytest.raises(ValueError, match="floating point"):
        build(case).apply({"x": torch.zeros(case[2], dtype=torch.long)})


@pytest.mark.parametrize("views", ["eeg", [], 3])
def test_views_are_checked(views):
    with pytest.raises(ValueError, match="views must be a list of names"):
        TimeReverse(views=views).check()


def test_images_are_not_signals():
    with pytest.raises(ValueError, match="PolarityFlip: takes windows of 3 axes"):
        PolarityFlip()(np.zeros(IMAGES))
    with pytest.raises(ValueError, match="XYMasking: takes windows of 4 or 5 axes"):
        create_augmentation("xy_masking")(np.zeros(SIGNALS))


def test_call_takes_what_users_have():
    X = np.ones((3, 1, 2), dtype=np.int16)
    reverse = TimeReverse(p=1.0)
    assert reverse(X).dtype == np.float32
    X, y = reverse(X.astype(float), ["LPD", "Seizure", "Other"])
    assert X.dtype == np.float64
    assert y.argmax(axis=1).tolist() == [1, 0, 5]
    tensor, fractions = reverse(torch.ones(2, 1, 4), torch.eye(2))
    assert torch.equal(tensor, torch.ones(2, 1, 4))
    assert torch.equal(fractions, torch.eye(2))
    views = reverse({"eeg": X, "image": torch.ones(3, 1, 2, 2)})
    assert isinstance(views["eeg"], np.ndarray)
    assert isinstance(views["image"], torch.Tensor)
    with pytest.raises(ValueError, match=r"TimeReverse.*rows"):
        reverse(X, np.eye(6))


def test_read_only_arrays_are_taken():
    X = np.ones((2, 1, 3))
    X.setflags(write=False)
    assert TimeReverse(p=1.0)(X).shape == X.shape
