"""4th place: what the nets see, how they train, and what joins them."""

import numpy as np
import pytest
import timm
import torch
from gappy_rows import gappy_rows
from recipe_parts import frontend_output, meta_body, n_params, net_input, pipelines_of

from hmsklearn.augmentation import create_augmentation
from hmsklearn.montage import get_montage
from hmsklearn.recipes import list_recipes, make_recipe
from hmsklearn.recipes.hms_4th import LEFT_BESIDE_RIGHT, OTHER_SIDE, ROWS, SIDES

# What goes in behind the frontend, features of the net.
SIZES = {
    "chains": ((16, 2000), 384),
    "swin": ((1, 512, 512), 1536),
    "sides": ((40, 512), 192),
    "tiny_vit": ((20, 96, 192), 1024),
    "convnext": ((20, 96, 192), 1024),
    "full_tiling": ((12, 64, 256), 1024),
    "slices": ((4, 4, 256, 256), 1024),
    "tall_slices": ((1, 4, 384, 384), 1024),
}
# Backbone, planes of its images and their size.
BACKBONES = {
    "tiny_vit": ("tiny_vit_21m_384", 4, (384, 384)),
    "convnext": ("convnext_large", 4, (384, 384)),
    "full_tiling": ("tiny_vit_21m_384", 1, (512, 512)),
    "slices": ("caformer_s18", 4, (256, 256)),
    "tall_slices": ("caformer_s18", 1, (384, 384)),
}
TATTAKA = list(BACKBONES)


def pipelines(scale):
    found = pipelines_of(make_recipe("hms_4th", scale))
    return {path.partition("__")[0]: pipe for path, pipe in found.items()}


@pytest.fixture(scope="module")
def full():
    return pipelines("full")


@pytest.fixture(scope="module")
def small():
    return pipelines("small")


@pytest.fixture(scope="module")
def rows_with_gaps(tmp_path_factory):
    return gappy_rows(tmp_path_factory.mktemp("gaps") / "hms")


def net_of(pipe):
    return pipe.steps[-1][1]


def meta_timm(backbone, **params):
    with torch.device("meta"):
        return timm.create_model(backbone, **params)


@pytest.mark.parametrize("member", SIZES)
def test_sizes(member, full, two_rows):
    shape, num_features = SIZES[member]
    X = net_input(full[member], two_rows)
    assert X.dtype == np.float32
    assert np.isfinite(X).all()
    assert frontend_output(full[member], X) == shape
    body = meta_body(full[member], X)
    assert body.num_features == num_features
    if member in BACKBONES:
        backbone, in_chans, size = BACKBONES[member]
        own = meta_timm(backbone, in_chans=in_chans, num_classes=0)
        # Maps are taken, so that what stands behind them does not matter.
        own.head, body.encoder.backbone.head = torch.nn.Identity(), torch.nn.Identity()
        assert n_params(body.encoder) == n_params(own)
        if hasattr(body, "draw"):
            assert (body.draw.out_chans, tuple(body.draw.out_size)) == (in_chans, size)
    elif member == "swin":
        own = meta_timm(
            "swinv2_large_window12to16_192to256",
            in_chans=1,
            num_classes=6,
            img_size=512,
        )
        assert n_params(body) == n_params(own)
    elif member == "sides":
        assert n_params(body.encoder) == 863_504
    else:
        stages = [body.encoder.stem, *body.encoder.stages]
        maps = []
        for stage in stages:
            stage.register_forward_hook(lambda net, x, out: maps.append(out.shape[1]))
        last = body.eval().forward_maps(torch.zeros(1, 16, 1920, device="meta"))
        assert maps == [64, 96, 128, 192, 256, 384]
        assert last.shape[1:] == (384, 4, 60)
        assert body.head.hidden[0].out_features == 384


def test_eight_members_and_what_joins_them(full):
    recipe = make_recipe("hms_4th")
    assert [member for member, _ in recipe.estimators] == list(SIZES)
    assert set(full) == set(SIZES)
    assert len(full) == 8
    assert set(recipe.upsample) == {"Seizure", "LRDA", "GRDA"}
    assert min(recipe.upsample.values()) > 1
    # A linear layer over all logits is what logistic regression is.
    linear = recipe.final_estimator
    assert type(linear.estimator).__name__ == "LogisticRegression"
    assert linear.probabilities == "log"
    assert recipe.cv.n_splits == 5
    tta = dict(recipe.estimators)["chains"]
    assert (tta.transforms, tta.average, tta.step) == ("fourth_yu4u", "log", "net")
    listed = list_recipes().loc["hms_4th"]
    assert listed["rank"] == "4"
    assert listed[["cv", "public", "private"]].isna().all()


@pytest.mark.parametrize("member", ["chains", "swin"])
def test_many_votes_from_the_middle_on(member, full, small):
    net = net_of(full[member])
    votes = np.array([3, 7, 8, 14])
    assert net.max_epochs == 64
    assert net.vote_weight(votes, 30, 64).tolist() == [1, 1, 1, 1]
    assert net.vote_weight(votes, 31, 64).tolist() == [0, 0, 1, 1]
    brief = net_of(small[member])
    assert brief.vote_weight(votes, 0, brief.max_epochs).all()
    assert not brief.vote_weight(votes, brief.max_epochs - 1, brief.max_epochs).all()


def test_training_of_yu4u(full):
    net = net_of(full["chains"])
    assert (net.lr, net.weight_decay, net.batch_size) == (2e-3, 1e-5, 96)
    augment = dict(net.augment)
    assert augment["window_jitter"]["n_times"] == 1920
    assert augment["chain_permutation"]["p"] == 1.0
    assert augment["mixup"] == {"alpha": 1.0, "p": 0.5}


def test_training_of_bilzard(full, small):
    net = net_of(full["sides"])
    assert (net.lr, net.max_epochs, net.batch_size) == (1e-3, 24, 32)
    assert net.optimizer_params == {"eps": 1e-4}
    rule = net.vote_weight
    assert (rule.epoch, rule.minimum, rule.full_votes) == (16, 0.3, 28)
    # The small one has an epoch of each kind too.
    brief = net_of(small["sides"])
    assert 0 < brief.vote_weight.epoch < brief.max_epochs
    assert dict(net.augment)["time_cut_mix"] == {"alpha": 0.2, "p": 0.5}


@pytest.mark.parametrize("member", TATTAKA)
def test_training_of_tattaka(member, full):
    net = net_of(full[member])
    assert (net.lr, net.weight_decay) == (1e-3, 1e-4)
    assert (net.ema, net.warmup, net.clip_grad) == (0.998, 0.02, 1.0)
    assert net.backbone_lr == {"encoder": 5e-4}
    epochs = {"slices": 100, "tall_slices": 100}.get(member, 50)
    assert net.stages[-1]["max_epochs"] == epochs
    assert net.stages[-1]["min_votes"] == 8
    drop_path = 0.2 if member in ("tiny_vit", "convnext") else 0.3
    assert net.architecture_params["drop_path_rate"] == drop_path
    if member == "convnext":
        first, last = net.stages
        assert first == {"max_epochs": 25, "target": "eeg"}
        assert (last["lr"], last["backbone_lr"]) == (5e-4, {"encoder": 2e-4})
    else:
        assert len(net.stages) == 1
    augment = dict(net.augment)
    assert augment["mixup"]["alpha"] == 0.2
    assert augment["random_resized_crop"]["zoom"] == (0.75, 1.25)
    most, size = (15, 1 / 32) if member == "full_tiling" else (7, 1 / 16)
    assert augment["xy_masking"]["n_masks_x"] == (0, most)
    assert augment["xy_masking"]["size_x"] == (0.0, size)


def test_the_small_scale_keeps_stages_and_tricks(full, small):
    assert list(small) == list(full)
    for member, pipe in small.items():
        net, whole = net_of(pipe), net_of(full[member])
        assert type(net) is type(whole)
        assert [name for name, _ in net.augment] == [name for name, _ in whole.augment]
        assert [sorted(stage) for stage in net.stages or []] == [
            sorted(stage) for stage in whole.stages or []
        ]
        for name in ("ema", "sampling", "backbone_lr", "warmup", "clip_grad", "lr"):
            assert getattr(net, name) == getattr(whole, name)


def test_a_signal_keeps_its_quality():
    n = len(ROWS)
    X = np.arange(n, dtype=float).reshape(1, n, 1)
    permute = create_augmentation(
        "chain_permutation", montage=ROWS, p=1.0, random_state=0
    )
    moved = permute(X).ravel().astype(int)
    assert moved.tolist() != list(range(n))
    # Row by row: left, right, quality of left, quality of right.
    blocks = moved.reshape(4, 10)
    assert (blocks // 10 == np.arange(4)[:, None]).all()
    assert (blocks % 10 == blocks[0] % 10).all()


def test_the_sides_are_mirror_images():
    mirror = SIDES.mirror()
    assert list(mirror.permutation) == OTHER_SIDE[:20]
    assert [place - 20 for place in OTHER_SIDE[20:]] == OTHER_SIDE[:20]
    assert set(mirror.signs) == {1}


def test_left_beside_right():
    by_side = get_montage("by_side_16")
    planes = np.arange(16.0).reshape(1, 16, 1, 1)
    pairs = LEFT_BESIDE_RIGHT.fit_transform(planes)[0, :, 0].astype(int)
    permutation = by_side.mirror().permutation
    assert [(left, permutation[left]) for left in range(8)] == [
        tuple(pair) for pair in pairs
    ]


@pytest.mark.parametrize("member", ["swin", "tiny_vit", "full_tiling"])
def test_chains_and_panels_trade_for_themselves(member, full):
    trades = [
        create_augmentation(name, **{**params, "p": 1.0, "random_state": 1})
        for name, params in net_of(full[member]).augment
        if name == "chain_permutation"
    ]
    assert len(trades) == 2
    n = len(trades[0].montage)
    X = np.arange(n, dtype=float).reshape(1, n, 1, 1)
    for trade, own in zip(trades, (range(n - 4), range(n - 4, n)), strict=True):
        moved = trade(X).ravel().astype(int)
        own = list(own)
        rest = [i for i in range(n) if i not in own]
        assert sorted(moved[own]) == own
        assert moved[rest].tolist() == rest
        lengths = {len(trade.montage.chains[chain]) for chain in trade.chains}
        [length] = lengths
        # The order inside a chain stays.
        runs = (moved[own] - own[0]).reshape(-1, length) % length
        assert (runs == np.arange(length)).all()


@pytest.mark.parametrize("member", SIZES)
def test_lost_samples_and_a_silent_ekg(member, small, rows_with_gaps):
    X = net_input(small[member], rows_with_gaps)
    assert np.isfinite(X).all()
