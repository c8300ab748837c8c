"""8th place: three nets, the labels that they make, the net of all three."""

import numpy as np
import pytest
import timm
import torch
from recipe_parts import frontend_output, meta_body, n_params, net_input, pipelines_of

from hmsklearn.ensemble import AveragingKLClassifier
from hmsklearn.recipes import list_recipes, make_recipe
from hmsklearn.semi_supervised import PseudoLabelClassifier

SHAPES = {
    "spectrogram": (3, 512, 512),
    "waves": (3, 224, 224),
    "raw": (16, 10_000),
}
BACKBONES = {"spectrogram": "tiny_vit_21m_512", "waves": "tiny_vit_21m_224"}


@pytest.fixture(scope="module")
def full():
    return make_recipe("hms_8th")


@pytest.fixture(scope="module")
def signals(full, two_rows):
    """The filtered signal, which all three make their input of."""
    return net_input(dict(full.estimators)["raw"], two_rows)


def test_three_nets_and_the_one_of_all_three(full):
    assert isinstance(full, AveragingKLClassifier)
    assert [name for name, _ in full.estimators] == ["mega", *SHAPES]
    mega = full.estimators[0][1]
    assert isinstance(mega, PseudoLabelClassifier)
    assert [name for name, _ in mega.teachers] == list(SHAPES)
    # The weights are ours, and the mega model, 14th by itself, has most of it.
    assert full.weights == [0.55, 0.15, 0.15, 0.15]


def test_mega_alone():
    alone = make_recipe("hms_8th", "small", mega_alone=True)
    assert isinstance(alone, PseudoLabelClassifier)
    whole = make_recipe("hms_8th", "small").estimators[0][1]
    alone, whole = alone.get_params(), whole.get_params()
    assert set(alone) == set(whole)
    for key, value in alone.items():
        if isinstance(value, (bool, int, float, str)):
            assert value == whole[key], key


def test_the_published_scores_are_those_of_the_mega_model_alone():
    assert list_recipes().loc["hms_8th", ["cv", "public", "private"]].isna().all()


def test_labels(full):
    mega = full.estimators[0][1]
    # .1 * old + .3 * (m1 + m2 + m3), of three equal teachers
    assert (mega.old_weight, mega.teacher_weight) == (0.1, 0.9)
    assert (mega.min_votes, mega.labeled_copies, mega.pseudo_copies) == (10, 2, 1)
    assert mega.teacher_cv == "all"


def test_signals(signals, full):
    assert signals.shape == (2, 16, 10_000)
    assert np.abs(signals).max() <= 500
    steps = dict(dict(full.estimators)["raw"].steps)
    assert (steps["notch"].freqs, steps["notch"].method) == (60.0, "fir")
    assert (steps["band"].l_freq, steps["band"].h_freq) == (0.5, 40.0)
    power = np.abs(np.fft.rfft(signals[0].mean(axis=0))) ** 2
    freqs = np.fft.rfftfreq(10_000, 1 / 200)
    assert power[freqs > 55].sum() < 0.01 * power[(freqs > 1) & (freqs < 40)].sum()


@pytest.mark.parametrize("name", SHAPES)
def test_input_and_size_of_each(full, signals, name):
    pipe = dict(full.estimators)[name]
    assert frontend_output(pipe, signals) == SHAPES[name]
    body = meta_body(pipe, signals)
    if name == "raw":
        assert body.num_features == 448
    else:
        assert body.num_features == 576
        with torch.device("meta"):
            timms = timm.create_model(BACKBONES[name], num_classes=6)
        assert n_params(body) == n_params(timms)


def test_mega(full, signals):
    student = full.estimators[0][1].estimator
    net = student.steps[-1][1]
    assert frontend_output(student, signals) == SHAPES
    assert meta_body(student, signals).num_features == 576 + 576 + 448
    assert net.pretrain is True
    assert net.aux is False
    assert [name for name, _ in net.branches] == list(SHAPES)
    # All three planes of an image are the same.
    plot = dict(net.branches)["waves"].frontend.fit_transform(signals)
    np.testing.assert_array_equal(plot[:, 0], plot[:, 2])


@pytest.mark.parametrize("scale", ["full", "small"])
def test_training(scale):
    recipe = make_recipe("hms_8th", scale)
    mega = recipe.estimators[0][1]
    singles = [
        pipe.steps[-1][1] for _, pipe in [*recipe.estimators[1:], *mega.teachers]
    ]
    joined = mega.estimator.steps[-1][1]
    branches = [branch for _, branch in joined.branches]
    assert len(singles) == 6
    for net in singles:
        assert [stage["min_votes"] for stage in net.stages] == [10]
    for net in [*branches, joined]:
        # Nobody knows how many votes a pseudo-label stands for.
        assert all("min_votes" not in stage for stage in net.stages or [])
        # Copies of a row count, which they would not, were one drawn of an EEG.
        assert net.sampling is None
    for net in [*singles, *branches, joined]:
        augment = dict(net.augment)
        assert set(augment) == {
            "left_right_mirror",
            "polarity_flip",
            "random_resized_crop",
            "frequency_dropout",
        }
        for params in augment.values():
            assert params.get("after_frontend") in (None, False)
    states = [net.random_state for net in [*singles, *branches, joined]]
    assert len(set(states)) == len(states)


def test_small_has_every_kind_of_net():
    full, small = (pipelines_of(make_recipe("hms_8th", s)) for s in ("full", "small"))
    assert list(full) == list(small)
