"""The student team: eight models on images and signals, ten folds, two stages."""

import numpy as np
import pytest
import timm
import torch
from recipe_parts import frontend_output, meta_body, n_params, net_input, pipelines_of
from recipe_tricks import tricks_of

from hmsklearn.datasets import load_hms
from hmsklearn.model_selection import VoteStratifiedGroupKFold
from hmsklearn.recipes import make_recipe

IMAGES = {"kaggle": (1, 512, 384), "eeg": (1, 512, 384), "both": (1, 512, 768)}
BACKBONES = {"v2": ("tf_efficientnetv2_s", 1280), "b4": ("efficientnet_b4", 1792)}
PAIRS = [(net, image) for image in IMAGES for net in BACKBONES]


@pytest.fixture(scope="module")
def full():
    return make_recipe("eight_models", "full")


@pytest.fixture(scope="module")
def small():
    return make_recipe("eight_models", "small")


def test_eight_members_over_ten_folds(full):
    names = [name for name, _ in full.estimators]
    assert names == [f"{net}_{image}" for net, image in PAIRS] + ["eegnet", "eegnet_v2"]
    assert isinstance(full.cv, VoteStratifiedGroupKFold)
    assert full.cv.n_splits == 10
    assert len(pipelines_of(full)) == 8


@pytest.mark.parametrize(("net", "image"), PAIRS)
def test_image_nets(full, two_rows, net, image):
    pipe = dict(full.estimators)[f"{net}_{image}"]
    X = net_input(pipe, two_rows)
    assert X.shape == (2, *IMAGES[image])
    assert frontend_output(pipe, X) == IMAGES[image]
    backbone, n_features = BACKBONES[net]
    body = meta_body(pipe, X)
    assert body.num_features == n_features
    with torch.device("meta"):
        plain = timm.create_model(backbone, num_classes=6, in_chans=1)
    assert n_params(body) == n_params(plain)


def test_durations_out_of_the_ten_minutes(full, two_rows):
    """Each third of the width is a duration, and shows its own minutes alone."""
    pipe = dict(full.estimators)["v2_kaggle"]
    durations = pipe.steps[0][1].steps[1][1]
    panels = np.random.default_rng(0).gamma(0.5, 2.0, (1, 4, 100, 300)).astype("f4")
    before = durations.fit_transform(panels)
    for name, start, part in (("600s", 0, 0), ("240s", 90, 1), ("60s", 135, 2)):
        assert durations.views[part][0] == name
        # Outside of the central columns nothing can be seen.
        changed = panels.copy()
        changed[..., :start] = 1.0
        after = durations.fit_transform(changed)
        own = slice(128 * part, 128 * (part + 1))
        np.testing.assert_array_equal(after[..., own], before[..., own])
        changed[..., start : start + 3] = 1.0
        after = durations.fit_transform(changed)
        assert (after[..., own] != before[..., own]).any()


def test_signal_nets(full, two_rows):
    pipe = dict(full.estimators)["eegnet"]
    X = net_input(pipe, two_rows)
    assert X.shape == (2, 8, 2000)
    assert meta_body(pipe, X).num_features == 304
    pipe = dict(full.estimators)["eegnet_v2"]
    X = net_input(pipe, two_rows)
    assert frontend_output(pipe, X) == {"signal": (8, 2000), "image": IMAGES["kaggle"]}
    assert meta_body(pipe, X).num_features == 304 + 1280


@pytest.mark.parametrize("scale", ["small", "full"])
def test_two_stages_and_masks(scale, request):
    for path, pipe in pipelines_of(request.getfixturevalue(scale)).items():
        first, second = pipe[-1].stages
        # The second learns from what the first left out.
        assert first["max_votes"] + 1 == second["min_votes"] == 10, path
        masks = [name for name, _ in pipe[-1].augment]
        assert masks == (
            ["time_mask", "channel_drop"] if path == "eegnet" else ["xy_masking"]
        )


def test_copies_are_left_out_and_windows_with_gaps_may_be(two_rows, hms_root):
    pipe = dict(make_recipe("eight_models", "full").estimators)["eegnet"]
    rows = load_hms(hms_root).data
    kept = pipe._kept(rows)
    assert 0 < len(kept) <= len(rows)
    pipe = dict(make_recipe("eight_models", "full", missing="dropped").estimators)[
        "eegnet"
    ]
    shares = np.zeros(len(rows))
    shares[kept[0]] = 1e-4
    with_gaps = rows.assign(eeg_nan_share=shares, spectrogram_nan_share=0.0)
    assert kept[0] not in pipe._kept(with_gaps)
    with pytest.raises(ValueError, match="eeg_nan_share='eeg_nan_share' names no"):
        pipe._kept(rows)
    with pytest.raises(ValueError, match="has no missing='ignored'"):
        make_recipe("eight_models", missing="ignored")


def test_small_keeps_every_trick(full, small):
    assert [name for name, _ in small.estimators] == [n for n, _ in full.estimators]
    assert tricks_of(small) == tricks_of(full)
    assert small.cv.n_splits == 2
