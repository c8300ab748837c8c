"""The 3rd place: nine configurations, 23 nets, a log pool with class biases."""

from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from recipe_parts import frontend_output, meta_body, n_params, net_input, pipelines_of

from hmsklearn.montage import get_montage
from hmsklearn.nets.layers import GeM
from hmsklearn.neural import TimmClassifier, WaveformClassifier
from hmsklearn.neural._frontend import Frontend
from hmsklearn.recipes import list_recipes, make_recipe

# Number of nets, net, image, batch, accumulated batches, epochs, dropout, masks.
MIXNETS = {
    "cfg_1": (2, "mixnet_xl", (1, 2048, 257), 8, 4, 12, 0.2, 0.5),
    "cfg_3": (2, "mixnet_l", (3, 1024, 313), 32, 1, 12, 0.2, 0.5),
    "cfg_4": (2, "mixnet_xl", (3, 1024, 602), 16, 2, 12, 0.2, 0.5),
    "cfg_5a": (3, "mixnet_xl", (3, 1024, 852), 16, 2, 16, 0.2, 0.5),
    "cfg_5b": (3, "mixnet_xl", (3, 1024, 852), 16, 2, 16, 0.3, 0.5),
    "cfg_5c": (3, "mixnet_xl", (3, 1024, 852), 16, 2, 16, 0.2, 0.7),
    "cfg_5d": (3, "mixnet_xl", (3, 1024, 1452), 8, 4, 16, 0.2, 0.5),
}
SQUEEZEFORMERS = {"cfg_2a": (3, 1), "cfg_2b": (2, 2)}  # number of nets, filter's order
CLOSE = ("cfg_4", "cfg_5a", "cfg_5b", "cfg_5c", "cfg_5d")
ALL = [*MIXNETS, *SQUEEZEFORMERS]


@pytest.fixture(scope="module")
def full():
    return make_recipe("hms_3rd", "full")


@pytest.fixture(scope="module")
def small():
    return make_recipe("hms_3rd", "small")


def pipe_of(recipe, name):
    return dict(recipe["stack"].estimators)[f"{name}_1"]


def augmentations(pipe):
    return dict(pipe["net"].augment)


def test_members(full, small):
    names = [name for name, _ in full["stack"].estimators]
    shares = [name.rsplit("_", 1)[0] for name in names]
    assert len(names) == 23
    assert {name: shares.count(name) for name in shares} == {
        **{name: row[0] for name, row in MIXNETS.items()},
        **{name: row[0] for name, row in SQUEEZEFORMERS.items()},
    }
    nets = [type(pipe["net"]) for _, pipe in full["stack"].estimators]
    assert nets.count(TimmClassifier) == 18
    assert nets.count(WaveformClassifier) == 5
    # Nets of one configuration differ in their seed alone.
    assert len(pipelines_of(full)) == 9
    assert len({pipe["net"].random_state for _, pipe in full["stack"].estimators}) == 23
    assert [name for name, _ in small["stack"].estimators] == [f"{n}_1" for n in ALL]
    scores = list_recipes().loc["hms_3rd", ["cv", "public", "private"]]
    assert scores.isna().all()


def test_blend(full, small):
    for recipe in (full, small):
        blender = recipe["stack"].final_estimator
        assert (blender.pool, blender.bias, blender.solver) == (
            *("log", True),
            "linear-net",
        )
    assert full["stack"].cv == 4
    assert full["stack"].refit is True
    assert blender_params(full) == {
        **{"n_epochs": 801, "lr": 0.1, "step_size": 10, "gamma": 0.95},
        **{"batch_size": 1024, "n_folds": 5},
    }


def blender_params(recipe):
    return recipe["stack"].final_estimator.solver_params


def test_rows(full, small):
    for recipe in (full, small):
        assert recipe.deduplicate == "3rd_all"
        for name in MIXNETS:
            assert pipe_of(recipe, name).deduplicate == "3rd"
        for name in SQUEEZEFORMERS:
            assert pipe_of(recipe, name).deduplicate == "3rd_all"


@pytest.mark.parametrize("name", ALL)
def test_what_a_net_sees(full, two_rows, name):
    pipe = pipe_of(full, name)
    X = net_input(pipe, two_rows)
    # What is moved within the record is read with a third of a window on both sides.
    assert X.shape == (2, 16, 10_000 if name in CLOSE else 16_666)
    names = pipe["montage"].fit(np.zeros((1, 20, 4))).get_feature_names_out()
    assert names.tolist() == list(get_montage("3rd").names)
    X = X[..., :10_000]
    X[:, 3, 100:200] = np.nan
    shape = MIXNETS[name][2] if name in MIXNETS else (16, 10_000)
    assert frontend_output(pipe, X) == shape
    out = Frontend(pipe["net"].frontend, X.shape[1:])(torch.from_numpy(X))
    assert out.isfinite().all()


@pytest.mark.parametrize("name", MIXNETS)
def test_mixnet(full, name):
    _, backbone, shape, *_, rate, _ = MIXNETS[name]
    pipe = pipe_of(full, name)
    net = pipe["net"]
    body = meta_body(pipe, np.broadcast_to(np.float32(0), (1, 16, 10_000)))
    assert body.num_features == 1536
    assert (net.backbone, net.drop_rate, net.drop_path_rate) == (backbone, rate, 0.2)
    [pool] = [part for part in body.modules() if isinstance(part, GeM)]
    assert isinstance(pool.p, torch.nn.Parameter)
    with torch.device("meta"):
        plain = timm.create_model(backbone, num_classes=6, in_chans=shape[0])
    # Beside the exponent of the pooling: a fresh first convolution has as many.
    assert n_params(body) == n_params(plain) + 1
    # The first configuration keeps the first convolution that was trained.
    assert net.stem == (None if name == "cfg_1" else "fresh")


@pytest.mark.parametrize("name", SQUEEZEFORMERS)
def test_squeezeformer(full, name):
    pipe = pipe_of(full, name)
    body = meta_body(pipe, np.broadcast_to(np.float32(0), (1, 16, 10_000)))
    assert body.num_features == 128
    assert body.forward_maps(torch.zeros(1, 16, 10_000, device="meta")).shape == (
        *(1, 128, 14, 312),
    )
    filters = [
        step
        for step in pipe["net"].frontend.named_steps.values()
        if type(step).__name__ == "ButterworthFilter"
    ]
    [band] = filters
    assert (band.l_freq, band.h_freq, band.phase) == (1.6, 30.0, "causal")
    assert band.order == SQUEEZEFORMERS[name][1]


@pytest.mark.parametrize("name", MIXNETS)
def test_training_of_mixnets(full, name):
    *_, batch_size, accumulate, epochs, _, masked = MIXNETS[name]
    net = pipe_of(full, name)["net"]
    assert (net.optimizer, net.lr, net.weight_decay) == ("adam", 1.2e-3, 0.0)
    assert (net.schedule, net.warmup, net.clip_grad) == ("cosine", 0.0, 20.0)
    assert (net.batch_size, net.accumulate) == (batch_size, accumulate)
    assert batch_size * accumulate == 32
    assert net.max_epochs == epochs
    tricks = augmentations(pipe_of(full, name))
    assert tricks["channel_drop"] == {
        **{"n_channels": (1, 8), "p": masked, "stacked": 16, "after_frontend": True}
    }
    assert tricks["random_band_pass"] == {
        **{"low": (0.0, 2.0), "high": (10.0, 20.0), "order": 2},
        **{"n_channels": (1, 8), "p": 0.2},
    }
    assert tricks["left_right_mirror"]["p"] == 0.5


def test_training_of_squeezeformers(full):
    for name, (_, order) in SQUEEZEFORMERS.items():
        net = pipe_of(full, name)["net"]
        assert (net.optimizer, net.lr, net.weight_decay) == ("adam", 1e-3, 0.0)
        assert (net.max_epochs, net.batch_size, net.accumulate) == (30, 64, 3)
        assert net.clip_grad == 4.0
        tricks = augmentations(pipe_of(full, name))
        assert list(tricks) == [
            *("window_jitter", "time_reverse", "left_right_mirror"),
            *("random_band_pass", "channel_drop"),
        ]
        assert tricks["random_band_pass"]["low"] == (1.6, 2.0)
        assert tricks["random_band_pass"]["high"] == (10.0, 30.0)
        assert tricks["random_band_pass"]["order"] == order
        # Few votes count less from epoch to epoch.
        votes = np.array([2, 5, 14])
        assert net.vote_weight(votes, 0, 30).tolist() == [0.3, 0.5, 1.0]
        assert net.vote_weight(votes, 29, 30).tolist() == [0.02, 0.02, 1.0]


def test_window_and_centre_move(full):
    jitter = {"n_times": 10_000, "max_shift": 3333}
    for name in ALL:
        tricks = augmentations(pipe_of(full, name))
        if name not in CLOSE:
            assert tricks["window_jitter"] == jitter
            assert not {"time_shift", "centre_shift"} & set(tricks)
            continue
        columns = MIXNETS[name][2][2]
        # A column outside of the centre is 32 samples.
        share = tricks["time_shift"]["max_shift"]
        assert share * columns * 32 == pytest.approx(3333, abs=32)
        assert tricks["time_shift"]["after_frontend"] is True
        assert tricks.get("centre_shift") == (
            None if name == "cfg_4" else {"max_shift": 800, "p": 0.7}
        )


def mel(x, n_fft, win_length, hop_length, n_mels, fmax):
    """Decibels as torchaudio's MelSpectrogram and AmplitudeToDB make them."""
    torchaudio = pytest.importorskip("torchaudio")
    spectrogram = torchaudio.transforms.MelSpectrogram(
        200,
        n_fft=n_fft,
        win_length=win_length,
        hop_length=hop_length,
        f_min=0.53,
        f_max=fmax,
        n_mels=n_mels,
    )
    return torchaudio.transforms.AmplitudeToDB()(spectrogram(x))


@pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values")
def test_planes(full):
    """The spectra, less the mean of the others, less that of the two neighbours."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 16, 10_000, generator=generator)
    names = list(get_montage("3rd").names)
    frontend = pipe_of(full, "cfg_3")["net"].frontend
    image = Frontend(frontend[3:], (16, 10_000))(x)[0]
    spectra = mel(x[0], 512, 128, 32, 64, 30.0)
    others = (spectra.sum(dim=0) - spectra) / 15
    near = {"Fp1-F7": ("F7-T3", "Fp1-F3"), "C4-P4": ("F4-C4", "P4-O2")}
    # All left derivations on top, then all right ones.
    left = names[::2] + names[1::2]
    for name, pair in near.items():
        rows = slice(64 * left.index(name), 64 * left.index(name) + 64)
        number = names.index(name)
        beside = sum(spectra[names.index(one)] for one in pair) / 2
        for plane, expected in zip(
            image,
            (
                spectra[number],
                spectra[number] - others[number],
                spectra[number] - beside,
            ),
            strict=True,
        ):
            torch.testing.assert_close(plane[rows], expected, rtol=0, atol=0.01)


@pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values")
def test_magnified_centre(full):
    x = torch.randn(1, 16, 10_000, generator=torch.Generator().manual_seed(0))
    frontend = pipe_of(full, "cfg_5a")["net"].frontend
    image = Frontend(frontend[3:], (16, 10_000))(x)[0, 0]
    wide = mel(x[0], 512, 128, 32, 64, 30.0).reshape(1024, 313)
    close = mel(x[0, :, 3800:6200], 2048, 16, 4, 64, 30.0).reshape(1024, 601)
    expected = torch.cat([wide[:, :125], close, wide[:, 187:]], dim=1)
    assert image.shape == expected.shape
    # Rows between two bins have no content, and the floor of 100 dB in their place.
    seen = expected > -60
    assert seen.float().mean() > 0.9
    torch.testing.assert_close(image[seen], expected[seen], rtol=0, atol=0.02)


def test_small_keeps_every_kind_and_every_trick(full, small):
    for name in ALL:
        large, little = pipe_of(full, name)["net"], pipe_of(small, name)["net"]
        assert type(large) is type(little)
        assert large.augment == little.augment
        assert type(large.vote_weight) is type(little.vote_weight)
        for key in ("pool", "stem", "optimizer", "lr", "clip_grad", "weight_decay"):
            assert getattr(large, key, None) == getattr(little, key, None)


def test_small_squeezeformer(small):
    pipe = pipe_of(small, "cfg_2a")
    X = np.zeros((1, 16, 10_000), np.float32)
    assert frontend_output(pipe, X) == (16, 2000)
    net = pipe["net"]._new_net(X, SimpleNamespace(classes=np.arange(6)), "cpu")
    assert n_params(net.factory(**net.factory_params)) < 20_000
