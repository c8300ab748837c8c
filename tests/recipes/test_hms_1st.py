"""The 1st place: what its nets see, what they are, and what small keeps."""

import pytest
import timm
import torch
from recipe_parts import frontend_output, meta_body, n_params, net_input, pipelines_of
from sklearn.pipeline import Pipeline

from hmsklearn.ensemble import KLBlender
from hmsklearn.model_selection import VoteStratifiedGroupKFold
from hmsklearn.pipeline import RowPipeline
from hmsklearn.recipes import list_recipes, make_recipe
from hmsklearn.votes import CLASSES

# Backbone and side of the image of every net of one view, by its path in the stack.
ON_IMAGES = {
    "mel_efficientnet": ("tf_efficientnet_b2", 512),
    "mel_maxvit": ("maxvit_tiny_tf_512", 512),
    "mel_convnext": ("convnext_atto", 512),
    "mel_swin": ("swinv2_tiny_window16_256", 256),
    "wavelets__seed0": ("maxvit_base_tf_512", 512),
    "superlets": ("swinv2_tiny_window16_256", 256),
    "samples__seed0": ("convnext_atto", 512),
    "samples_inception": ("inception_next_tiny", 512),
    "pseudo__estimator": ("swinv2_tiny_window16_256", 256),
    "pseudo__teachers": ("swinv2_tiny_window16_256", 256),
}
TWO = "wavelets_samples__seed0"
ON_WAVES = {"wavenet": (16, 2000), "lstm": (16, 2000)}
TWO_STAGES = [path for path in ON_IMAGES if path != "pseudo__estimator"]


@pytest.fixture(scope="module")
def full():
    return make_recipe("hms_1st", "full")


@pytest.fixture(scope="module")
def small():
    return make_recipe("hms_1st", "small")


def net_of(recipe, path):
    return recipe.get_params(deep=True)[path].steps[-1][1]


def names(augment):
    return [
        [type(one).__name__ for one in params["augmentations"]]
        if name == "one_of"
        else name
        for name, params in augment
    ]


@pytest.fixture(scope="module")
def signals(full, two_rows):
    """What nets are given: eighteen derivations, or sixteen."""
    read = {
        montage: net_input(full.get_params(deep=True)[path], two_rows.iloc[:1])
        for montage, path in (("18", "mel_convnext"), ("16", "superlets"))
    }
    assert {name: X.shape for name, X in read.items()} == {
        "18": (1, 18, 10_000),
        "16": (1, 16, 10_000),
    }
    return read


def signals_of(path, signals):
    # Superlets and what sees no image, 16 derivations.
    sixteen = path in ON_WAVES or path == "superlets" or path.startswith("pseudo")
    return signals["16" if sixteen else "18"]


def test_members(full):
    assert [name for name, _ in full.estimators] == [
        *("mel_efficientnet", "mel_maxvit", "mel_convnext", "mel_swin"),
        *("wavelets", "wavelets_samples", "superlets"),
        *("samples", "samples_inception", "wavenet", "lstm", "pseudo"),
    ]
    for name, n in (("wavelets", 4), ("wavelets_samples", 4), ("samples", 4)):
        assert len(dict(full.estimators)[name].estimators) == n
    assert set(pipelines_of(full)) >= {*ON_IMAGES, TWO, *ON_WAVES} - {
        "pseudo__teachers"
    }
    assert list_recipes().loc["hms_1st", "private"] == 0.272332


def test_weights_are_found_over_patients(full, small):
    assert isinstance(full.final_estimator, KLBlender)
    assert isinstance(full.cv, VoteStratifiedGroupKFold)
    assert (full.cv.n_splits, small.cv.n_splits) == (5, 2)
    # A weighted average of probabilities, before a temperature.
    assert full.final_estimator.pool == "linear"
    assert full.final_estimator.temperature is True


@pytest.mark.parametrize("path", ON_IMAGES)
def test_images_and_nets(full, signals, path):
    backbone, side = ON_IMAGES[path]
    pipe = full.get_params(deep=True)[path]
    assert isinstance(pipe, RowPipeline)
    assert pipe.steps[-1][1].backbone == backbone
    X = signals_of(path, signals)
    assert frontend_output(pipe, X) == (1, side, side)
    with torch.device("meta"):
        in_timm = timm.create_model(backbone, in_chans=1, num_classes=len(CLASSES))
    body = meta_body(pipe, X)
    # What stands in front of the last layer.
    assert body.num_features == in_timm.head_hidden_size
    assert n_params(body) == n_params(in_timm)


def test_net_of_two_inputs(full, signals):
    pipe = full.get_params(deep=True)[TWO]
    assert frontend_output(pipe, signals["18"]) == {
        "wavelets": (1, 512, 512),
        "samples": (1, 512, 512),
    }
    assert meta_body(pipe, signals["18"]).num_features == 768 + 320


@pytest.mark.parametrize("path", ON_WAVES)
def test_nets_of_samples(full, signals, path):
    pipe = full.get_params(deep=True)[path]
    assert frontend_output(pipe, signals["16"]) == ON_WAVES[path]
    assert meta_body(pipe, signals["16"]).num_features == 256


def drawn(full, path, signals, until):
    steps = net_of(full, path).frontend.steps
    last = [name for name, _ in steps].index(until)
    return Pipeline(steps[:last]).fit_transform(signals_of(path, signals))


def test_wavelets_before_they_are_stacked(full, signals):
    assert drawn(full, "wavelets__seed0", signals, "imagetiler").shape == (
        *(1, 18, 40, 625),
    )
    assert drawn(full, "wavelets__seed0", signals, "imageresizer").shape == (
        *(1, 1, 720, 625),
    )


def test_superlets_before_they_are_stacked(full, signals):
    morlet = net_of(full, "superlets").frontend.steps[0][1]
    assert (morlet.order, morlet.n_cycles, morlet.fractional) == ((1, 16), 1.0, False)
    assert len(morlet.freqs) == 32
    assert (morlet.freqs[0], morlet.freqs[-1]) == (0.5, 20.0)
    assert drawn(full, "superlets", signals, "imagetiler-1").shape == (1, 16, 32, 1000)
    assert drawn(full, "superlets", signals, "imageresizer").shape == (1, 16, 32, 512)


def test_samples_of_three_durations(full):
    views = net_of(full, "samples__seed0").frontend.views
    crops = [view.steps[0][1].seconds for _, view in views]
    assert crops == [10, 25, 50]
    sizes = [view.steps[-1][1].size for _, view in views]
    assert sizes == [(170, 512), (170, 512), (172, 512)]


def test_bands_of_the_four_seeds_differ(full):
    params = full.get_params(deep=True)
    bands = {
        (step.l_freq, step.h_freq)
        for step in (params[f"samples__seed{i}"]["filter"] for i in range(4))
    }
    assert len(bands) == 4


@pytest.mark.parametrize("path", [*TWO_STAGES, TWO, *ON_WAVES])
def test_all_windows_then_those_of_many_votes(full, path):
    net = net_of(full, path)
    first, second = net.stages
    assert (first["max_epochs"], second["max_epochs"]) == (5, 15)
    # Superlets leave out windows of a single vote.
    fewest = 2 if path in ("superlets", "pseudo__teachers") else None
    assert (first.get("min_votes"), second["min_votes"]) == (fewest, 10)
    assert (net.lr, net.schedule, net.loss) == (1e-3, "cosine", "kl")
    assert (net.sampling, net.target) == ("eeg", "eeg_votes")


@pytest.mark.parametrize(
    ("path", "optimizer"),
    [
        ("mel_swin", "adamw"),
        ("wavenet", "adamw"),
        ("wavelets__seed0", "adan"),
        (TWO, "adan"),
        ("superlets", "adan"),
        ("pseudo__estimator", "adan"),
    ],
)
def test_optimizers(full, path, optimizer):
    assert net_of(full, path).optimizer == optimizer


def test_pseudo_labels(full):
    pseudo = dict(full.estimators)["pseudo"]
    assert pseudo.min_votes == 10
    student, teacher = net_of(full, "pseudo__estimator"), net_of(full, "superlets")
    assert student.backbone == teacher.backbone
    # Nobody knows how many votes a pseudo-label stands for.
    assert student.stages is None
    stages = pseudo.teachers.steps[-1][1].stages
    assert repr(stages) == repr(teacher.stages)


@pytest.mark.parametrize("path", ["mel_convnext", "wavelets__seed0", TWO])
def test_flips_shifts_masks_mixup_and_cutmix(full, path):
    augment = net_of(full, path).augment
    assert names(augment) == [
        *("left_right_mirror", "polarity_flip", "time_shift", "xy_masking"),
        ["Mixup", "CutMix"],
    ]
    assert dict(augment)["time_shift"]["max_shift"] == 1000  # five seconds
    mixup, cut_mix = dict(augment)["one_of"]["augmentations"]
    assert mixup.after_frontend
    assert cut_mix.after_frontend


def test_bands_where_samples_are_seen(full):
    for path in ("samples__seed0", "samples_inception", *ON_WAVES):
        assert "random_band_pass" in names(net_of(full, path).augment)


@pytest.mark.parametrize("path", ON_WAVES)
def test_what_is_masked_and_mixed_is_what_nets_of_samples_see(full, small, path):
    for recipe in (full, small):
        augment = net_of(recipe, path).augment
        assert names(augment)[-2:] == ["time_mask", ["Mixup", "TimeCutMix"]]
        # LSTM is shown ten seconds of the fifty.
        assert dict(augment)["time_mask"]["after_frontend"] is True
        assert all(
            one.after_frontend for one in dict(augment)["one_of"]["augmentations"]
        )


@pytest.mark.parametrize(("stage", "n_votes"), [(0, 3), (1, 14)])
def test_smoothing_is_that_of_some_more_votes(full, stage, n_votes):
    augment = net_of(full, "superlets").stages[stage]["augment"]
    epsilon = dict(augment)["label_smoothing"]["epsilon"]
    more = 0.02 * len(CLASSES)
    assert epsilon == pytest.approx(more / (n_votes + more), abs=0.002)


def augmentations(net):
    """Names of the augmentations, those of stages of their own too."""
    stages = net.stages or []
    return [
        names(part)
        for part in (net.augment, *(s.get("augment") for s in stages))
        if part
    ]


@pytest.mark.parametrize("path", [*ON_IMAGES, TWO, *ON_WAVES])
def test_small_keeps_stages_and_tricks(full, small, path):
    one, other = net_of(full, path), net_of(small, path)
    assert type(one) is type(other)
    assert augmentations(one) == augmentations(other) != []
    assert [sorted(stage) for stage in one.stages or []] == [
        sorted(stage) for stage in other.stages or []
    ]
    for parameter in ("optimizer", "schedule", "sampling", "target", "lr"):
        assert getattr(one, parameter) == getattr(other, parameter)


def test_small_keeps_every_kind_of_member(full, small):
    kinds = [
        [(name, type(member)) for name, member in recipe.estimators]
        for recipe in (full, small)
    ]
    assert kinds[0] == kinds[1]
