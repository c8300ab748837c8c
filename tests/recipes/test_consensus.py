"""The safe defaults, one after the other."""

import numpy as np
import pytest
import timm
import torch
from recipe_parts import frontend_output, meta_body, n_params, net_input, pipelines_of
from recipe_tricks import tricks_of

from hmsklearn.recipes import make_recipe

MONTAGE = "double_banana_16"
SEEN = {"raw": (1, 160, 1000), "mel": (1, 512, 512), "signal": (16, 2000)}


@pytest.fixture(scope="module")
def full():
    return make_recipe("consensus", "full")


@pytest.fixture(scope="module")
def small():
    return make_recipe("consensus", "small")


def pipe_of(recipe, name):
    return dict(recipe.estimators)[name].estimator


@pytest.fixture(scope="module")
def signals(full, two_rows):
    return net_input(pipe_of(full, "raw"), two_rows)


def test_sixteen_derivations_clipped_filtered_and_divided(full, signals):
    assert signals.shape == (2, 16, 10_000)
    steps = dict(pipe_of(full, "raw").steps)
    assert steps["montage"].montage == MONTAGE
    assert (steps["clip"].clip, steps["clip"].scale) == (1024, 1)
    assert (steps["filter"].l_freq, steps["filter"].h_freq) == (0.5, 20.0)
    assert steps["scale"].scale == 32
    names = list(steps)
    assert names == ["read", "impute", "montage", "clip", "filter", "scale", "net"]
    # A gap does not spread, and a railing electrode stays in bounds.
    X = np.random.default_rng(0).normal(0, 30, (1, 20, 10_000)).astype("f4")
    X[0, 0, 100:300] = np.nan
    X[0, 5, 4000:5000] = 45_000
    X[0, 19] = 0  # a constant EKG
    clean = pipe_of(full, "raw")[1:-1].fit_transform(X)
    assert np.isfinite(clean).all()
    assert abs(clean).max() <= 1024 / 32


@pytest.mark.parametrize("name", SEEN)
def test_views(full, signals, name):
    assert frontend_output(pipe_of(full, name), signals) == SEEN[name]


def test_raw_image_has_a_row_for_each_channel_and_phase(full, signals):
    image = pipe_of(full, "raw")[-1].frontend.fit_transform(signals)
    expected = signals.reshape(2, 16, 1000, 10).swapaxes(2, 3).reshape(2, 1, 160, 1000)
    np.testing.assert_array_equal(image, expected)


def test_central_seconds_are_magnified(full, signals):
    """The right half changes with the central ten seconds alone."""
    frontend = pipe_of(full, "mel")[-1].frontend
    union = frontend[0]
    wide, zoom = (part.fit_transform(signals) for _, part in union.views)
    # A fifth of the time on as many columns.
    assert wide.shape == (2, 16, 128, 257)
    assert zoom.shape == (2, 16, 128, 251)
    changed = signals.copy()
    changed[..., :3800] = 0
    before, after = frontend.fit_transform(signals), frontend.fit_transform(changed)
    differs = (before != after).any(axis=(0, 1))
    # Two columns of tiles, each with 50 s on its left and 10 s on its right; resizing
    # mixes a few pixels where they meet.
    tiles = differs.reshape(512, 2, 256).any(axis=(0, 1))
    assert tiles[:40].all()
    assert not tiles[136:248].any()


@pytest.mark.parametrize("name", ["raw", "mel"])
def test_image_nets(full, signals, name):
    body = meta_body(pipe_of(full, name), signals)
    assert body.num_features == 1280
    with torch.device("meta"):
        plain = timm.create_model("tf_efficientnetv2_s", num_classes=6, in_chans=1)
    assert n_params(body) == n_params(plain)


def test_signal_net(full, signals):
    assert meta_body(pipe_of(full, "signal"), signals).num_features == 304


@pytest.mark.parametrize("scale", ["small", "full"])
def test_training(scale, request):
    for path, pipe in pipelines_of(request.getfixturevalue(scale)).items():
        net = pipe[-1]
        assert (net.optimizer, net.schedule, net.loss) == ("adamw", "cosine", "kl")
        # Small nets have few steps, and make larger ones.
        rates = {"full": (1e-3, 2e-4), "small": (3e-3, 1e-3)}[scale]
        assert (net.lr, net.stages[1]["lr"]) == rates, path
        assert net.min_lr == 1e-4
        assert net.sampling == "eeg"
        assert [name for name, _ in net.augment] == [
            "left_right_mirror",
            "time_reverse",
            "channel_drop",
            "mixup",
        ]
        everything, many = net.stages
        assert everything["vote_weight"] == "linear"
        assert "min_votes" not in everything
        assert many["min_votes"] == 10
        assert "vote_weight" not in many


def test_averaged_weights(full):
    assert {pipe[-1].ema for pipe in pipelines_of(full).values()} == {0.998}


def test_blend_on_the_simplex_over_patients_with_mirrored_heads(full, small):
    for recipe in (full, small):
        assert [name for name, _ in recipe.estimators] == list(SEEN)
        assert recipe.final_estimator.pool == "linear"
        for _, tta in recipe.estimators:
            assert tta.transforms == ["identity", "left_right_mirror"]
            assert tta.montage == MONTAGE
    assert (full.cv.n_splits, small.cv.n_splits) == (5, 2)


def test_small_keeps_every_trick(full, small):
    assert tricks_of(small) == tricks_of(full)
