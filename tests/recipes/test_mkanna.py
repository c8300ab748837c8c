"""MohammadMkanna: scalograms of complex wavelets, EfficientNetV2-B2."""

import numpy as np
import pytest
import timm
import torch
from recipe_parts import frontend_output, meta_body, n_params, net_input
from recipe_tricks import tricks_of

from hmsklearn.recipes import list_recipes, make_recipe


@pytest.fixture(scope="module")
def full():
    return make_recipe("mkanna", "full")


def test_score():
    assert list_recipes().loc["mkanna", "public"] == 0.40


def test_image(full, two_rows):
    X = net_input(full, two_rows)
    assert X.shape == (2, 16, 10_000)  # EEG alone, no table of the organisers
    assert frontend_output(full, X) == (4, 128, 256)


@pytest.mark.parametrize("scale", ["full", "small"])
def test_scales_are_equal_ratios_apart(scale, two_rows):
    pipe = make_recipe("mkanna", scale)
    scalograms = pipe[-1].frontend[0].fit(net_input(pipe, two_rows))
    freqs = np.sort(scalograms.frequencies_)
    assert (freqs[0], freqs[-1]) == pytest.approx((0.5, 20.0))
    assert np.ptp(np.diff(np.log(freqs))) < 1e-6
    # 128 scales cost memory and gave nothing.
    assert len(freqs) < 128


def test_net(full, two_rows):
    body = meta_body(full, net_input(full, two_rows))
    assert body.num_features == 1408
    with torch.device("meta"):
        plain = timm.create_model("tf_efficientnetv2_b2", num_classes=6, in_chans=4)
    assert n_params(body) == n_params(plain)


def test_small_keeps_every_trick(full):
    assert tricks_of(make_recipe("mkanna", "small")) == tricks_of(full)
