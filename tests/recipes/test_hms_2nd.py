"""The 2nd place: six nets, their published weights, two filters, two stages."""

import numpy as np
import pytest
import timm
import torch
from recipe_parts import frontend_output, meta_body, n_params, net_input, pipelines_of

from hmsklearn.neural._frontend import Frontend
from hmsklearn.preprocessing import ButterworthFilter, FIRFilter
from hmsklearn.recipes import list_recipes, make_recipe

MEMBERS = ["x3d", "oneimage", "raw_mne", "raw_butter", "doublehead", "hgnet"]
RAW = (3, 160, 1000)
# What the net sees, its number of features, its filter.
SEEN = {
    "x3d": ((3, 32, 61, 201), 2048, FIRFilter),
    "oneimage": ((3, 16 * 61, 201), 2048, FIRFilter),
    "raw_mne": (RAW, 2048, FIRFilter),
    "raw_butter": (RAW, 2048, ButterworthFilter),
    "doublehead": ({"raw": RAW, "x3d": (3, 16, 56, 201)}, 4096, ButterworthFilter),
    "hgnet": (RAW, 2048, FIRFilter),
}
BACKBONES = {
    "oneimage": "hgnetv2_b5",
    "raw_mne": "efficientnet_b5",
    "raw_butter": "efficientnet_b5",
    "hgnet": "hgnetv2_b5",
}


@pytest.fixture(scope="module")
def full():
    return make_recipe("hms_2nd", "full")


@pytest.fixture(scope="module")
def small():
    return make_recipe("hms_2nd", "small")


def pipe_of(recipe, name):
    return dict(recipe.estimators)[name].estimator


def drop_rates(body):
    """Rates of dropout, as a layer of its own or a number of a net of timm."""
    rates = {part.p for part in body.modules() if isinstance(part, torch.nn.Dropout)}
    rates |= {getattr(part, "drop_rate", 0.0) for part in body.modules()}
    return rates - {0.0}


def test_members_and_weights(full, small):
    for recipe in (full, small):
        assert [name for name, _ in recipe.estimators] == MEMBERS
        assert recipe.weights == [0.1, 0.1, 0.2, 0.2, 0.2, 0.2]
        assert recipe.average == "probability"
    assert len(pipelines_of(full)) == 6
    # No source states a score of all six together.
    scores = list_recipes().loc["hms_2nd", ["cv", "public", "private"]]
    assert scores.isna().all()


@pytest.mark.parametrize("name", MEMBERS)
def test_what_a_net_sees(full, two_rows, name):
    shape, n_features, band_pass = SEEN[name]
    pipe = pipe_of(full, name)
    assert list(pipe.named_steps)[:-1] == [
        "read",
        "impute",
        "montage",
        "clip",
        "filter",
    ]
    assert isinstance(pipe["filter"], band_pass)
    assert (pipe["filter"].l_freq, pipe["filter"].h_freq) == (0.5, 20.0)
    if band_pass is ButterworthFilter:
        assert (pipe["filter"].order, pipe["filter"].phase) == (2, "causal")
    # Microvolts, clipped before they are filtered.
    assert (pipe["clip"].clip, pipe["clip"].scale) == (1024, 1)
    assert pipe["impute"].strategy == "mean"
    X = net_input(pipe, two_rows)
    assert X.shape == (2, 16, 10_000)
    assert frontend_output(pipe, X) == shape
    body = meta_body(pipe, X)
    assert body.num_features == n_features
    assert drop_rates(body) == {0.5}


@pytest.mark.parametrize("name", BACKBONES)
def test_numbers_of_weights_are_those_of_timm(full, name):
    X = np.broadcast_to(np.float32(0), (1, 16, 10_000))
    body = meta_body(pipe_of(full, name), X)
    with torch.device("meta"):
        plain = timm.create_model(BACKBONES[name], num_classes=6, in_chans=3)
    assert n_params(body) == n_params(plain)


def test_x3d_is_the_large_one(full):
    X = np.broadcast_to(np.float32(0), (1, 16, 10_000))
    for name in ("x3d", "doublehead"):
        body = meta_body(pipe_of(full, name), X)
        [depths] = [
            [len(stage) for stage in part.stages]
            for part in body.modules()
            if type(part).__name__ == "X3D"
        ]
        assert depths == [5, 10, 25, 15]


def spectrogram(x, n_times, win_length, hop_length):
    """Magnitudes as torchaudio's Spectrogram(power=1) makes them."""
    return torch.stft(
        x.reshape(-1, n_times),
        512,
        hop_length,
        win_length,
        torch.hann_window(win_length),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    ).abs()


def test_frames_are_ten_seconds_and_then_fifty(full):
    x = 40 * torch.randn(1, 16, 10_000, generator=torch.Generator().manual_seed(0))
    x[0, 0] += 20_000 * torch.sin(torch.arange(10_000) * 0.2)
    film = Frontend(pipe_of(full, "x3d")["net"].frontend, (16, 10_000))(x)
    near = spectrogram(x[..., 4000:6000], 2000, 128, 10)[:, :61]
    wide = spectrogram(x, 10_000, 128, 50)[:, :61]
    expected = torch.cat([near, wide]).clamp(0, 10_000) / 1000
    assert expected.max() == 10  # some of it is clipped
    for plane in film[0]:
        torch.testing.assert_close(plane, expected, rtol=1e-4, atol=1e-4)


def test_spectra_of_the_double_head_are_logarithms_above_zero(full):
    x = 40 * torch.randn(1, 16, 10_000, generator=torch.Generator().manual_seed(0))
    [frontend] = [
        branch.frontend
        for name, branch in pipe_of(full, "doublehead")["net"].branches
        if name == "x3d"
    ]
    film = Frontend(frontend, (16, 10_000))(x)
    expected = spectrogram(x, 10_000, 512, 50).log10().clamp(min=0)[:, :56]
    for plane in film[0]:
        torch.testing.assert_close(plane, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("scale", ["small", "full"])
def test_training(scale, request):
    recipe = request.getfixturevalue(scale)
    seeds = set()
    for name in MEMBERS:
        net = pipe_of(recipe, name)["net"]
        assert (net.optimizer, net.schedule) == ("adamw", "cosine")
        assert (net.sampling, net.target) == ("eeg", "eeg")
        assert net.augment == [
            ("left_right_mirror", {"montage": "double_banana_16", "p": 0.5})
        ]
        first, second = net.stages
        assert (first["lr"], second["lr"]) == (1e-3, 1e-4)
        votes = np.array([3, 20])
        assert first["vote_weight"](votes).tolist() == [0.15, 1.0]
        assert "min_votes" not in first
        assert second["min_votes"] == 6
        assert "vote_weight" not in second
        seeds.add(net.random_state)
    assert len(seeds) == 6


def test_epochs_at_full_scale(full):
    for pipe in pipelines_of(full).values():
        assert [stage["max_epochs"] for stage in pipe["net"].stages] == [15, 5]


def test_mirrored_at_prediction(full, small):
    for recipe in (full, small):
        for _, tta in recipe.estimators:
            assert (tta.transforms, tta.step) == ("second", "net")


def test_small_keeps_every_kind_of_net(full, small):
    for name in MEMBERS:
        large, little = pipe_of(full, name)["net"], pipe_of(small, name)["net"]
        assert type(large) is type(little)
        assert large.augment == little.augment
        assert [set(stage) for stage in large.stages] == [
            set(stage) for stage in little.stages
        ]
        assert type(pipe_of(small, name)["filter"]) is SEEN[name][2]
