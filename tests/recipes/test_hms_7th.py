"""The 7th place: nine images, two nets, two stages, weights .2, .65 and .15."""

import pytest
import timm
import torch
from recipe_parts import frontend_output, meta_body, n_params, net_input, pipelines_of
from recipe_tricks import steps_to_the_net, training_of

from hmsklearn.recipes import make_recipe

SIZES = {
    "raw": {"50": (384, 512), "50_10": (448, 512), "50_30_10": (672, 512)},
    "stft": dict.fromkeys(("50", "50_10", "30_10", "50_30_10"), (512, 512)),
    "multitaper": {"50": (512, 384), "50_10": (512, 448)},
}
IMAGES = [(kind, seconds) for kind, sizes in SIZES.items() for seconds in sizes]
BACKBONES = {"convnext": ("convnext_base", 1024), "maxvit": ("maxvit_tiny_tf_512", 512)}


@pytest.fixture(scope="module")
def full():
    return make_recipe("hms_7th", "full")


@pytest.fixture(scope="module")
def small():
    return make_recipe("hms_7th", "small")


def member(recipe, kind, name):
    return dict(dict(recipe.estimators)[kind].estimators)[name]


def test_members_and_weights(full):
    assert [kind for kind, _ in full.estimators] == list(SIZES)
    assert full.weights == [0.2, 0.65, 0.15]
    for kind, sizes in SIZES.items():
        names = [name for name, _ in dict(full.estimators)[kind].estimators]
        assert names == [f"{net}_{image}" for image in sizes for net in BACKBONES]
        # Their weights within a kind are not published.
        assert dict(full.estimators)[kind].weights is None
    assert len(pipelines_of(full)) == 18


@pytest.mark.parametrize(("kind", "seconds"), IMAGES)
def test_image(full, two_rows, kind, seconds):
    pipe = member(full, kind, f"convnext_{seconds}").estimator
    X = net_input(pipe, two_rows)
    assert X.shape == (2, 1, *SIZES[kind][seconds])
    assert frontend_output(pipe, X) == X.shape[1:]
    # Standardised as a whole.
    assert X.mean(axis=(1, 2, 3)) == pytest.approx([0, 0], abs=1e-4)
    assert X.std(axis=(1, 2, 3)) == pytest.approx([1, 1], abs=1e-3)


@pytest.mark.parametrize("net", BACKBONES)
def test_net(full, net):
    backbone, n_features = BACKBONES[net]
    pipe = member(full, "stft", f"{net}_50_10").estimator
    body = meta_body(pipe, torch.zeros(1, 1, 512, 512).numpy())
    assert body.num_features == n_features
    with torch.device("meta"):
        plain = timm.create_model(backbone, num_classes=6, in_chans=1)
    assert n_params(body) == n_params(plain)


@pytest.mark.parametrize("scale", ["small", "full"])
def test_training(scale, request):
    recipe = request.getfixturevalue(scale)
    for path, pipe in pipelines_of(recipe).items():
        net = pipe.steps[-1][1]
        assert net.loss == "bce", path
        assert (net.optimizer, net.weight_decay, net.batch_size) == ("adamw", 1e-4, 16)
        assert (net.drop_rate, net.drop_path_rate) == (0.1, 0.1)
        assert net.sampling == "period"
        assert (net.early_stopping, net.validation_min_votes) == (True, 10)
        assert [name for name, _ in net.augment] == [
            "horizontal_flip",
            "vertical_flip",
            "mixup",
        ]
        assert net.augment[2][1] == {"lam_range": (0.4, 0.6), "p": 0.05}
        first, second = net.stages
        assert (first["lr"], second["lr"], second["min_lr"]) == (2.5e-4, 1e-4, 1e-5)
        assert "min_votes" not in first
        assert second["min_votes"] == 10
        # Cosines of lengths of their own, not the training's.
        assert first["schedule"](2000, 7) == pytest.approx(0.5)
        assert second["schedule"](1000, 7) == pytest.approx(0.5)


def test_epochs_at_full_scale(full):
    for pipe in pipelines_of(full).values():
        assert [stage["max_epochs"] for stage in pipe[-1].stages] == [5, 10]


def test_three_flips_at_prediction(full, small):
    for recipe in (full, small):
        for kind in SIZES:
            for _, tta in dict(recipe.estimators)[kind].estimators:
                assert tta.transforms == [
                    "identity",
                    "horizontal_flip",
                    "vertical_flip",
                    ["horizontal_flip", "vertical_flip"],
                ]


def test_small_keeps_every_image_and_every_trick(full, small):
    assert small.weights == full.weights
    for kind, sizes in SIZES.items():
        names = [name for name, _ in dict(small.estimators)[kind].estimators]
        nets, images = zip(*(name.split("_", 1) for name in names), strict=True)
        assert list(images) == list(sizes)
        assert set(nets) == set(BACKBONES)
    parts = [pipelines_of(recipe).values() for recipe in (full, small)]
    for of in (steps_to_the_net, training_of):
        of_full, of_small = ({of(pipe) for pipe in pipes} for pipes in parts)
        assert of_small == of_full
