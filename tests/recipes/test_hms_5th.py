"""5th place: what the nets see, how they train, and the net on top of them."""

import operator

import numpy as np
import pytest
import timm
import torch
from gappy_rows import gappy_rows
from recipe_parts import frontend_output, meta_body, n_params, net_input, pipelines_of
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from hmsklearn.augmentation import create_augmentation
from hmsklearn.ensemble import KLBlender, SoftLabelClassifier, TestTimeAugmenter
from hmsklearn.montage import CH_NAMES, get_montage
from hmsklearn.recipes import list_recipes, make_recipe
from hmsklearn.recipes.hms_5th import HALVES, PLANES, SHOWN, SINGLES, one_image
from hmsklearn.views import WindowViews

MAXXVIT = "maxxvitv2_nano_rw_256"
B0 = "tf_efficientnet_b0.ns_jft_in1k"
# What goes in behind the frontend, features of the net.
SIZES = {
    "wavenet": ((16, 10_000), 768),
    "wavenet_down": ((16, 10_000), 768),
    "wavenet_small": ((16, 10_000), 768),
    "wavenet_b4": ((16, 10_000), 1792),
    "kernels": ((16, 10_000), 768),
    "stft": ((16, 102, 417), 768),
    "spec": ((4, 100, 256), 768),
    "multi": (
        {"spec": (4, 100, 256), "wave": (16, 10_000), "img": (16, 102, 417)},
        3 * 768,
    ),
    "tiles": ((3, 512, 1536), 1536),
    "mean_maps": ((24, 128, 256), 768),
    "all_maps": ((24, 128, 256), 768),
    "maxvit_small": ((1, 512, 512), 768),
    "maxvit_tiny": ((1, 512, 512), 512),
    "convnext": ((1, 512, 512), 768),
    "scalogram": ((16, 64, 256), 768),
}
# Size of what the second net reads, for those that draw it.
PICTURES = {
    "wavenet": (256, 256),
    "wavenet_down": (256, 256),
    "wavenet_small": (256, 256),
    "wavenet_b4": (256, 320),
}
READERS = {
    "wavenet": MAXXVIT,
    "wavenet_down": MAXXVIT,
    "wavenet_small": "maxxvit_rmlp_small_rw_256",
    "wavenet_b4": "tf_efficientnet_b4.ns_jft_in1k",
    "kernels": MAXXVIT,
}
NECKS = ["stft", "spec", "mean_maps", "all_maps", "scalogram"]
WHOLE_IMAGES = {
    "maxvit_small": "maxvit_small_tf_512",
    "maxvit_tiny": "maxvit_tiny_tf_512",
    "convnext": "convnext_small",
}


def pipelines(scale):
    found = pipelines_of(make_recipe("hms_5th", scale))
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


def views_of(X):
    return list(X.values()) if hasattr(X, "keys") else [X]


@pytest.mark.parametrize("member", SIZES)
def test_sizes(member, full, two_rows):
    shape, num_features = SIZES[member]
    X = net_input(full[member], two_rows)
    for view in views_of(X):
        assert view.dtype == np.float32
        assert np.isfinite(view).all()
    assert frontend_output(full[member], X) == shape
    body = meta_body(full[member], X)
    assert body.num_features == num_features
    if member in READERS:
        own = meta_timm(READERS[member], in_chans=1, num_classes=0)
        assert n_params(body.backbone) == n_params(own)
        assert tuple(
            body.resize.out_size if member == "kernels" else body.draw.out_size
        ) == PICTURES.get(member, (256, 256))
    elif member in NECKS:
        own = meta_timm(MAXXVIT, in_chans=1, num_classes=0)
        assert n_params(body.neck) == n_params(own)
        assert tuple(body.resize.out_size) == (256, 256)
        encoder = body.encoder.backbone
        assert encoder.num_features == 1280
    elif member in WHOLE_IMAGES:
        own = meta_timm(WHOLE_IMAGES[member], in_chans=1, num_classes=6)
        assert n_params(body) == n_params(own)


def test_members_and_their_end(full):
    recipe = make_recipe("hms_5th")
    assert [member for member, _ in recipe.estimators] == list(SIZES)
    assert set(full) == set(SIZES)
    features = ["mean", "max", "min", "std", "count", "delta"]
    assert recipe.prediction_features == features
    net = recipe.final_estimator.estimator
    assert net.hidden_layer_sizes == (64, 64)
    assert net.learning_rate_init == 2e-4
    assert recipe.cv.n_splits == 4
    listed = list_recipes().loc["hms_5th"]
    assert listed["rank"] == "5"
    assert listed[["cv", "public", "private"]].isna().all()


def test_five_parts(full):
    members = dict(make_recipe("hms_5th").estimators)
    for member, views in (("kernels", {}), ("stft", {}), ("multi", {"views": ["eeg"]})):
        tta = members[member]
        assert tta.transforms == [
            ("segment", {"index": index, "ends": "edge", **views}) for index in range(5)
        ]
        assert tta.weights == (0.05, 0.2, 0.5, 0.2, 0.05)
        assert (tta.average, tta.step) == ("log", "net")
        # In training any ten seconds but the first and the last five.
        first = net_of(tta.estimator).augment[0]
        assert first == (
            *("window_jitter", {"n_times": 2000, "max_shift": 3000, **views}),
        )
        assert net_of(tta.estimator).sampling == "eeg"
    # Two branches look at the part that is taken, and the third stays as it is.
    net = net_of(members["multi"].estimator)
    assert net.views == {"wave": "eeg", "img": "eeg"}
    for name, branch in net.branches:
        cut = dict(branch.augment).get("window_jitter")
        expected = None if name == "spec" else {"n_times": 2000, "max_shift": 3000}
        assert cut == expected
        assert branch.sampling == "eeg"
    assert net_of(full["spec"]).sampling == "eeg"


def test_what_is_cut_out_at_prediction_is_a_part_of_the_window(full):
    jitter = create_augmentation("window_jitter", n_times=2000, max_shift=3000)
    tta = dict(make_recipe("hms_5th").estimators)["kernels"]
    X = np.arange(10_000.0).reshape(1, 1, 10_000)
    seen = []
    take = FunctionTransformer(lambda x: seen.append(jitter.centre(x)) or x[:, 0])
    tail = SoftLabelClassifier(LogisticRegression())
    # Seconds of the five parts, in order, none of them filled in.
    probe = TestTimeAugmenter(
        Pipeline([("see", take), ("net", tail)]),
        tta.transforms,
        weights=tta.weights,
        step="see",
    )
    probe.fit(np.concatenate([X] * 6), np.eye(6) * 3)
    del seen[:]
    probe.predict_proba(X)
    parts = [part.ravel() for part in seen]
    np.testing.assert_array_equal(np.concatenate(parts), X.ravel())


def test_spectra_do_not_reach_the_ends_of_their_scale(full, two_rows):
    pipe = full["stft"]
    # Microvolts over 32, as for the signals: of microvolts most would be clipped.
    assert [name for name, _ in pipe.steps] == [
        *("read", "impute", "montage", "scale", "net"),
    ]
    assert (pipe["scale"].clip, pipe["scale"].scale) == (1024, 32)
    spectra = clone(net_of(pipe).frontend).fit_transform(net_input(pipe, two_rows))
    # From -6.5 to 7 they are moved to a half on either side of zero.
    assert (np.abs(spectra) < 0.499).mean() > 0.9


@pytest.fixture
def two_of_the_easiest():
    """Two members and rows that can do without a recording."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    odds = np.exp(X @ rng.normal(size=(4, 6)))
    y = np.stack([rng.multinomial(12, p / p.sum()) for p in odds])
    members = [
        (name, SoftLabelClassifier(LogisticRegression(C=C)))
        for name, C in (("weak", 0.01), ("strong", 1.0))
    ]
    return X, y, members


def test_the_small_net_on_top(two_of_the_easiest):
    X, y, members = two_of_the_easiest
    stack = make_recipe("hms_5th", "small").set_params(estimators=members)
    fitted = stack.fit(X, y, groups=np.arange(60) // 3)
    net = fitted.final_estimator_.estimator_
    # Twice six logits and six features of six classes; neither fewer epochs nor more.
    assert net.n_features_in_ == 2 * 6 + 6 * 6
    assert net.n_iter_ == 200
    proba = fitted.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    fractions = y / y.sum(axis=1, keepdims=True)
    prior = np.broadcast_to(fractions.mean(axis=0), proba.shape)

    def kl(p):
        return (fractions * np.log(np.maximum(fractions, 1e-15) / p)).sum(axis=1).mean()

    assert kl(proba) < kl(prior)


def test_the_other_end(two_of_the_easiest):
    pytest.importorskip("optuna")
    X, y, members = two_of_the_easiest
    blender = KLBlender(
        "log", solver="optuna", solver_params={"n_trials": 20}, random_state=0
    )
    stack = make_recipe("hms_5th", "small").set_params(
        estimators=members, final_estimator=blender, prediction_features=None
    )
    fitted = stack.fit(X, y, groups=np.arange(60) // 3)
    assert fitted.weights_.shape == (2,)
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1)


def stages_of(net):
    return [
        (
            stage["max_epochs"],
            stage.get("min_votes"),
            stage.get("lr", net.lr),
        )
        for stage in net.stages
    ]


@pytest.mark.parametrize(
    ("members", "stages"),
    [
        (
            ["wavenet", "wavenet_down", "wavenet_small", "wavenet_b4"],
            [(50, None, 1e-3), (30, 10, 1e-4)],
        ),
        (["kernels"], [(50, None, 1e-3), (30, 8, 1e-4)]),
        (["stft", "spec"], [(50, None, 1e-3), (50, 8, 3e-4)]),
        (["multi"], [(25, None, 5e-4), (30, 8, 2e-4)]),
        (["tiles"], [(10, None, 1e-3), (10, 10, 1e-3)]),
        (["mean_maps", "all_maps"], [(20, None, 1e-3), (20, 10, 1e-3)]),
    ],
)
def test_two_stages(members, stages, full):
    for member in members:
        assert stages_of(net_of(full[member])) == stages


@pytest.mark.parametrize(
    "member", ["wavenet", "wavenet_down", "wavenet_small", "wavenet_b4"]
)
def test_training_of_the_wavenets(member, full):
    net = net_of(full[member])
    assert (net.weight_decay, net.warmup, net.clip_grad) == (1e-2, 3, 0.1)
    assert (net.min_lr, net.batch_size, net.sampling) == (1e-6, 32, "eeg")
    assert dict(net.augment) == {
        "label_smoothing": {"epsilon": 0.05, "max_votes": 3},
        "left_right_mirror": {"montage": "by_side_16", "p": 0.5},
        "polarity_flip": {"p": 0.5},
        "time_mask": {"p": 0.2},
        "time_reverse": {"p": 0.5},
    }
    downsample = net.architecture_params.get("downsample", False)
    assert downsample == (member != "wavenet")


def test_training_of_the_others(full):
    assert dict(net_of(full["kernels"]).augment)["time_cut_mix"]["p"] == 0.5
    spectra = dict(net_of(full["stft"]).augment)
    assert spectra["mixup"]["alpha"] == 1.0
    assert spectra["time_cut_mix"]["p"] == 0.25
    multi = net_of(full["multi"])
    assert multi.pretrain is True
    assert multi.head == {"hidden": 128}
    tiles = net_of(full["tiles"])
    assert tiles.batch_size * tiles.accumulate == 32
    assert (tiles.pool, tiles.drop_rate, tiles.drop_path_rate) == ("gem", 0.1, 0.2)
    assert tiles.head == {"hidden": 256, "drop_rate": 0.2}
    assert dict(tiles.augment)["manifold_mixup"]["alpha"] == 0.4
    assert dict(tiles.augment)["label_smoothing"] == {"epsilon": 0.1, "max_votes": 3}
    assert net_of(full["mean_maps"]).backbone_lr == {"neck": 5e-5}
    for member in WHOLE_IMAGES:
        net = net_of(full[member])
        assert net.stages is None
        assert net.vote_weight(np.array([3, 7, 10])).tolist() == [0.25, 0.25, 1.0]
        assert net.ema


def kind(pipe):
    net = net_of(pipe)
    branches = [type(branch) for _, branch in getattr(net, "branches", [])]
    return type(net), getattr(net, "architecture", ""), tuple(branches)


def test_the_small_scale_keeps_kinds_stages_and_tricks(full, small):
    assert set(small) < set(full)
    assert {kind(pipe) for pipe in small.values()} == {
        kind(pipe) for pipe in full.values()
    }
    for member, pipe in small.items():
        net, whole = net_of(pipe), net_of(full[member])
        assert [name for name, _ in net.augment] == [name for name, _ in whole.augment]
        assert [sorted(stage) for stage in net.stages or []] == [
            sorted(stage) for stage in whole.stages or []
        ]
        for name in ("ema", "clip_grad", "backbone_lr", "sampling"):
            assert getattr(net, name) == getattr(whole, name)
        assert bool(net.warmup) == bool(whole.warmup)
        tta = [type(each).__name__ for each in (pipe, full[member])]
        assert tta[0] == tta[1]


def test_derivations_stay_in_their_chain(full):
    shuffles = [
        create_augmentation(name, **{**params, "p": 1.0, "random_state": 0})
        for name, params in net_of(full["kernels"]).augment
        if name == "chain_permutation"
    ]
    X = np.arange(16.0).reshape(1, 16, 1)
    for shuffle in shuffles:
        X = shuffle(X)
    moved = X.ravel().astype(int)
    assert moved.tolist() != list(range(16))
    assert (moved // 4 == np.arange(16) // 4).all()
    assert sorted(moved) == list(range(16))
    assert SINGLES.names == get_montage("by_side_16").names


def on_arrays(union):
    """The views of a union of rows, from what their readers read."""
    views = []
    for name, view in union.views:
        reader, steps = view.steps[0][1], view.steps[1:]
        take = FunctionTransformer(operator.itemgetter(reader.view))
        views.append((name, make_pipeline(take, Pipeline(steps))))
    return clone(union).set_params(views=views)


@pytest.fixture(scope="module")
def seen_and_mirrored():
    rng = np.random.default_rng(0)
    eeg = rng.normal(0, 30, (1, 20, 10_000)).astype(np.float32)
    power = rng.gamma(0.5, 2.0, (1, 4, 100, 300)).astype(np.float32)
    other = list(range(11, 19)) + [8, 9, 10] + list(range(8)) + [19]
    assert CH_NAMES[other[0]] == "Fp2"
    return (
        WindowViews(eeg=eeg, spectrogram=power),
        WindowViews(eeg=eeg[:, other], spectrogram=power[:, [1, 0, 3, 2]]),
    )


def images(union, seen):
    parts = [view.fit_transform(seen) for _, view in on_arrays(union).views]
    axis = {"planes": 1, "height": -2}[union.join]
    return np.concatenate(parts, axis=axis)


def test_mirror_of_the_one_image(seen_and_mirrored, full):
    seen, mirrored = seen_and_mirrored
    union = one_image(512, 512)
    params = {"montage": "2nd", "tiles": HALVES}
    assert dict(net_of(full["convnext"]).augment)["left_right_mirror"] == {
        **params,
        "p": 0.5,
    }
    mirror = create_augmentation("left_right_mirror", **params, p=1.0)
    image = images(union, seen)
    assert image.shape == (1, 1, 512, 512)
    np.testing.assert_allclose(
        mirror(image), images(union, mirrored), atol=1e-4 * np.abs(image).max()
    )
    assert np.abs(mirror(image) - image).max() > 0.1


def test_mirror_of_the_planes(seen_and_mirrored, full):
    seen, mirrored = seen_and_mirrored
    params = dict(net_of(full["tiles"]).augment)["left_right_mirror"]
    assert params["panels"] == SHOWN
    mirror = create_augmentation("left_right_mirror", **{**params, "p": 1.0})
    planes = images(PLANES, seen)
    assert planes.shape == (1, 24, 128, 256)
    np.testing.assert_allclose(mirror(planes), images(PLANES, mirrored), atol=1e-4)
    assert np.abs(mirror(planes) - planes).max() > 0.1


@pytest.mark.parametrize(
    "member",
    [
        *("wavenet", "wavenet_down", "kernels", "stft", "spec", "multi", "tiles"),
        *("mean_maps", "convnext", "scalogram"),
    ],
)
def test_lost_samples_and_a_silent_ekg(member, small, rows_with_gaps):
    for view in views_of(net_input(small[member], rows_with_gaps)):
        assert np.isfinite(view).all()
