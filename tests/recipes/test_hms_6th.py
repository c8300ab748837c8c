"""The 6th place: sizes, widths and weights of its five nets, and what small keeps."""

import pytest
import timm
import torch
from recipe_parts import frontend_output, meta_body, n_params, net_input, pipelines_of
from sklearn.pipeline import Pipeline

from hmsklearn.ensemble import TEST_TIME_SCHEMES
from hmsklearn.ensemble._tta_places import Place, find_place
from hmsklearn.recipes import make_recipe
from hmsklearn.recipes.hms_6th import eeg_spectrogram

DINO = "vit_{}_patch14_reg4_dinov2.lvd142m"
SMALL, BASE, LARGE = (DINO.format(size) for size in ("small", "base", "large"))
BRANCHES = ["spec", "eeg_spec", "raw_50s", "raw_10s"]

# Backbones, side of each image, number of joined features.
PUBLISHED = {
    "small": ([SMALL] * 4, [518] * 4, 1536),
    "small_ver2": ([SMALL] * 4, [518] * 4, 1536),
    "base": ([SMALL, SMALL, BASE, BASE], [518] * 4, 2304),
    "large": ([SMALL, SMALL, SMALL, LARGE], [518] * 4, 2176),
    "mix": (
        ["convnextv2_nano", "convnext_small", BASE, SMALL],
        [384, 384, 518, 518],
        2560,
    ),
}


@pytest.fixture(scope="module")
def full():
    return make_recipe("hms_6th", "full")


@pytest.fixture(scope="module")
def small():
    return make_recipe("hms_6th", "small")


def pipe_of(recipe, member):
    return dict(recipe.estimators)[member].estimator


def net_of(recipe, member):
    return pipe_of(recipe, member).steps[-1][1]


def weights_in_timm(backbone):
    with torch.device("meta"):
        body = timm.create_model(backbone, in_chans=1, num_classes=0)
    return n_params(body), body.num_features


@pytest.fixture(scope="module")
def views(full, two_rows):
    """What all five nets are given: signals and the organisers' spectrogram."""
    return net_input(pipe_of(full, "small"), two_rows)


def test_five_configurations_weigh_the_same(full):
    assert list(PUBLISHED) == [member for member, _ in full.estimators]
    assert full.weights is None
    assert len(pipelines_of(full)) == 5


def test_views(views):
    assert {name: view.shape[1:] for name, view in views.items()} == {
        "spec": (4, 100, 300),
        "eeg_spec": (16, 10_000),
        "raw_50s": (16, 10_000),
        "raw_10s": (16, 2000),
    }


@pytest.mark.parametrize("member", PUBLISHED)
def test_images_and_nets(full, views, member):
    backbones, sides, num_features = PUBLISHED[member]
    pipe = pipe_of(full, member)
    branches = pipe.steps[-1][1].branches
    assert [branch.backbone for _, branch in branches] == backbones
    assert frontend_output(pipe, views) == {
        name: (1, side, side) for name, side in zip(BRANCHES, sides, strict=True)
    }
    body = meta_body(pipe, views)
    assert body.num_features == num_features
    numbers, widths = zip(*map(weights_in_timm, backbones), strict=True)
    # A head for all features, and one for those of each branch.
    heads = sum(6 * (width + 1) for width in (num_features, *widths))
    assert n_params(body) == sum(numbers) + heads


@pytest.mark.parametrize(
    ("version", "shape"),
    [("ver1", (1, 512, 568)), ("ver2", (1, 512, 1024)), ("ver3", (1, 512, 258))],
)
def test_spectrograms_before_they_are_resized(views, version, shape):
    steps = eeg_spectrogram(version, 518).steps
    names = [name for name, _ in steps]
    drawn = Pipeline(steps[: names.index("imageresizer")])
    assert drawn.fit_transform(views["eeg_spec"]).shape[1:] == shape


def test_three_spectrograms_are_among_the_five(full):
    drawn = {
        repr(dict(net_of(full, member).branches)["eeg_spec"].frontend[:-1])
        for member in ("small", "small_ver2", "large")
    }
    assert len(drawn) == 3


@pytest.mark.parametrize("member", PUBLISHED)
def test_training(full, member):
    net = net_of(full, member)
    assert net.aux
    assert net.aux_weight == 1.0
    assert (net.optimizer, net.lr, net.weight_decay) == ("adan", 1.7e-4, 0.02)
    assert (net.batch_size, net.accumulate, net.ema) == (16, 2, 0.995)
    assert (net.schedule, net.sampling) == ("one_cycle", "eeg")
    assert net.grad_checkpointing
    assert net.stages == [
        {"max_epochs": 6, "max_votes": 9},
        {"max_epochs": 7, "min_votes": 10, "start": "ema"},
    ]


def test_augmentations(full):
    (mixup, mixed), (_, masks), *blanks = net_of(full, "small").augment
    assert (mixup, mixed["alpha"], mixed["p"]) == ("mixup", 1.0, 0.5)
    assert mixed["after_frontend"]
    assert "views" not in mixed
    assert masks["n_masks_x"] == masks["n_masks_y"] == (2, 4)
    assert (masks["size_x"], masks["size_y"]) == ((10, 20), 8)
    assert masks["views"] == ["spec", "eeg_spec"]
    assert [blank["views"] for _, blank in blanks] == [["raw_10s"], ["raw_50s"]]
    assert all(blank["n_masks_y"] == 0 for _, blank in blanks)


@pytest.mark.parametrize("member", PUBLISHED)
def test_ten_seconds_alone_move_at_prediction(full, member):
    augmenter = dict(full.estimators)[member]
    assert augmenter.transforms == "sixth"
    assert TEST_TIME_SCHEMES["sixth"].transforms == (
        *("identity", ("shift", -2.0), ("shift", 2.0)),
    )
    place = find_place(augmenter.step, augmenter.estimator, "test")
    assert place == Place(1, "raw_10s", 4)
    view = dict(augmenter.estimator["views"].views)["raw_10s"]
    assert view.steps[place.inner][0] == "crop"


@pytest.mark.parametrize("member", PUBLISHED)
def test_small_keeps_stages_and_tricks(full, small, member):
    one, other = net_of(full, member), net_of(small, member)
    for net in (other,):
        assert [name for name, _ in net.augment] == [name for name, _ in one.augment]
        assert [sorted(stage) for stage in net.stages] == [
            sorted(stage) for stage in one.stages
        ]
    kept = ("aux", "optimizer", "schedule", "accumulate", "ema", "sampling")
    for parameter in (*kept, "grad_checkpointing"):
        assert getattr(other, parameter) == getattr(one, parameter)
    for (name, branch), (_, reduced) in zip(one.branches, other.branches, strict=True):
        steps = [type(step) for _, step in branch.frontend.steps]
        assert [type(step) for _, step in reduced.frontend.steps] == steps, name
    augmenters = [dict(recipe.estimators)[member] for recipe in (full, small)]
    assert augmenters[0].transforms == augmenters[1].transforms
    assert augmenters[0].step == augmenters[1].step


def test_every_net_has_a_seed_of_its_own(full, small):
    for recipe in (full, small):
        seeds = [net_of(recipe, member).random_state for member in PUBLISHED]
        assert len(set(seeds)) == 5
