"""Names, lists of augmentations and choices between them."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hmsklearn import augmentation
from hmsklearn.augmentation import (
    AUGMENTATIONS,
    AugmentationList,
    GaussianNoise,
    HorizontalFlip,
    Mixup,
    OneOf,
    PolarityFlip,
    TimeCutMix,
    TimeReverse,
    WindowJitter,
    XYMasking,
    apply_all,
    create_augmentation,
    list_augmentations,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_names_lead_to_classes():
    assert list_augmentations() == sorted(AUGMENTATIONS)
    after = list_augmentations(after_frontend=True)
    assert {"xy_masking", "cut_mix", "horizontal_flip"} <= set(after)
    assert set(after) | set(list_augmentations(after_frontend=False)) == set(
        AUGMENTATIONS
    )
    mixup = create_augmentation("mixup", alpha=0.2, mode="or")
    assert isinstance(mixup, Mixup)
    assert (mixup.alpha, mixup.mode) == (0.2, "or")


def test_unknown_names_list_the_nearest():
    with pytest.raises(ValueError, match=r"'mixupp' is not known\. .*'mixup'"):
        create_augmentation("mixupp")
    with pytest.raises(ValueError, match=r"Mixup has no parameter 'alhpa'\..*alpha"):
        create_augmentation("mixup", alhpa=1)


def test_list_takes_objects_names_and_pairs():
    reverse = TimeReverse()
    found = AugmentationList(
        [reverse, "polarity_flip", ("mixup", {"alpha": 0.2})]
    ).resolve()
    assert found[0] is reverse
    assert isinstance(found[1], PolarityFlip)
    assert found[2].alpha == 0.2
    for alone in ("mixup", ("mixup", {"alpha": 0.2}), Mixup()):
        (one,) = AugmentationList(alone).resolve()
        assert isinstance(one, Mixup)
    assert AugmentationList().resolve() == []
    with pytest.raises(ValueError, match="3 is no augmentation"):
        AugmentationList([3]).check()
    with pytest.raises(ValueError, match="Mixup: alpha must be"):
        AugmentationList([("mixup", {"alpha": -1})]).check()


def test_list_applies_in_order():
    x = torch.tensor([[[1.0, 2.0, 3.0]]])
    jitter = WindowJitter(1, max_shift=0)
    both = [TimeReverse(p=1.0), PolarityFlip(p=1.0), jitter]
    assert AugmentationList(both)(x).tolist() == [[[-2.0]]]
    X, y = AugmentationList(both, random_state=0)(x.numpy(), ["LPD"])
    assert X.tolist() == [[[-2.0]]]
    assert y.tolist() == [[0, 1, 0, 0, 0, 0]]


def test_list_is_applied_on_one_side_of_the_frontend():
    augmentations = [PolarityFlip(p=1.0), HorizontalFlip(p=1.0), XYMasking(p=1.0)]
    signals = {"x": torch.ones(2, 1, 4)}
    out = apply_all(augmentations, signals, after_frontend=False)
    assert (out["x"] == -1).all()
    images = {"x": torch.ones(2, 1, 32, 32)}
    out = AugmentationList(augmentations).apply(images, seeded(), after_frontend=True)
    assert (out["x"] == 0).any()
    assert (out["x"] >= 0).all()


def test_list_is_seeded():
    X = np.zeros((4, 2, 8))
    noise = AugmentationList(["gaussian_noise", GaussianNoise()], random_state=3)
    np.testing.assert_array_equal(noise(X), noise(X))
    noise.set_params(random_state=np.random.RandomState(3))
    assert not np.array_equal(noise(X), noise(X))


def test_choice_follows_the_weights():
    x = torch.tensor([[[1.0, 2.0]]]).repeat(2000, 1, 1)
    choice = OneOf(
        [PolarityFlip(p=1.0), TimeReverse(p=0.5), GaussianNoise(p=1.0)],
        weights=[3, 1, 0],
    )
    out = choice.apply({"x": x}, seeded())["x"][:, 0]
    negative = (out == torch.tensor([-1.0, -2.0])).all(dim=1).float().mean()
    reversed_ = (out == torch.tensor([2.0, 1.0])).all(dim=1).float().mean()
    same = (out == torch.tensor([1.0, 2.0])).all(dim=1).float().mean()
    assert abs(negative - 0.75) < 0.04
    assert abs(reversed_ - 0.125) < 0.03
    assert negative + reversed_ + same == 1


def test_choice_between_mixtures_takes_partners_as_they_were():
    n = 200
    ids = torch.arange(n, dtype=torch.float64)
    batch = {
        "x": ids.reshape(n, 1, 1).expand(n, 1, 50).contiguous(),
        "fractions": torch.nn.functional.one_hot(torch.arange(n) % 6, 6).double(),
        "sample_weight": ids,
    }
    choice = OneOf([Mixup(p=1.0), TimeCutMix(1.0, p=1.0)])
    out = choice.apply(batch, seeded())
    cut = (out["x"] == out["x"].round()).all(dim=2)[:, 0]
    # A cut window holds whole windows' values alone: no mixture had come before.
    assert 70 < cut.sum() < 130
    # What is in the window is in its weight, whichever was chosen.
    torch.testing.assert_close(
        out["x"].mean(dim=(1, 2)), out["sample_weight"], atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        out["fractions"].sum(dim=1), torch.ones(n, dtype=torch.float64)
    )


def test_choice_acts_where_its_augmentations_do():
    assert OneOf([HorizontalFlip()]).after_frontend is True
    assert OneOf([TimeReverse()]).after_frontend is False
    with pytest.raises(ValueError, match="before and some after the frontend"):
        OneOf([TimeReverse(), HorizontalFlip()]).check()


@pytest.mark.parametrize(
    ("augmentations", "weights", "message"),
    [
        ([], None, "list of one or more"),
        (["mixup"], None, "list of one or more"),
        ([TimeReverse()], [1, 2], "weights must be 1 numbers"),
        ([TimeReverse()], [0], "weights must be 1 numbers"),
        ([TimeReverse(p=2)], None, "p must be a finite number"),
        ([WindowJitter(2)], None, "WindowJitter changes the size"),
    ],
)
def test_unusable_choices(augmentations, weights, message):
    with pytest.raises(ValueError, match=message):
        OneOf(augmentations, weights=weights)(np.zeros((1, 1, 4)))


def test_the_room_needs_no_networks():
    """It imports the rooms below alone, which are tested to import none."""
    taken = set()
    for path in Path(augmentation.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                taken |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                parts = node.module.split(".")
                taken.add(".".join(parts[:2]) if parts[0] == "hmsklearn" else parts[0])
    assert taken - set(sys.stdlib_module_names) == {
        *("numpy", "sklearn", "torch"),
        *("hmsklearn._params", "hmsklearn.augmentation"),
        *("hmsklearn.montage", "hmsklearn.votes"),
    }
