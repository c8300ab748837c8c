"""The recipe of another competition: every published trick is switched on and runs."""

import os
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import timm
import torch
from recipe_parts import meta_body, n_params, pipelines_of
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, cross_val_score

from hmsklearn.datasets import SETIReader, load_seti, make_seti
from hmsklearn.ensemble import AveragingKLClassifier, SoftLabelClassifier
from hmsklearn.nets.layers import GeM, TripletAttention
from hmsklearn.recipes import make_recipe
from hmsklearn.recipes.seti import unlabeled_rows
from hmsklearn.semi_supervised import PseudoLabelClassifier, SHOTClassifier

PARTS = ["write_up", "first", "second", "third", "fourth", "fifth"]


@pytest.fixture(scope="module")
def full():
    return make_recipe("seti", "full")


@pytest.fixture(scope="module")
def small():
    return make_recipe("seti", "small", device="cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Needles that a tiny net can learn in a minute."""
    home = tmp_path_factory.mktemp("recipe") / "seti"
    return make_seti(home, 60, n_test=12, snr=(40, 200), random_state=0)


def part(recipe, name):
    return dict(recipe.estimators)[name]


def nets_of(estimator):
    return [pipe[-1] for pipe in pipelines_of(estimator).values()]


def mixup_of(net):
    [params] = [params for name, params in net.augment if name == "mixup"]
    return params


# ------------------------------------------------------------------ what it contains


def test_parts(full, small):
    for recipe in (full, small):
        assert isinstance(recipe, AveragingKLClassifier)
        assert [name for name, _ in recipe.estimators] == PARTS
        assert recipe.classes == [0, 1]
        for net in nets_of(recipe):
            assert net.classes == [0, 1]


def test_thirteen_nets_of_the_report(full):
    stack = part(full, "write_up")
    backbones = [pipe[-1].backbone for _, pipe in stack.estimators]
    assert backbones == [
        *["tf_efficientnet_b3"] * 6,
        *["tf_efficientnet_b0"] * 3,
        *["resnet34d"] * 2,
        "tf_efficientnet_b1",
        "tf_efficientnet_b5",
    ]
    alphas = [mixup_of(pipe[-1])["alpha"] for _, pipe in stack.estimators]
    assert min(alphas) == 1
    assert max(alphas) == 1.5
    assert len({pipe[-1].random_state for _, pipe in stack.estimators}) == 13


def test_mean_of_the_nets_and_of_a_stack_by_boosting(full, small):
    for recipe, n_members in ((full, 13), (small, 3)):
        stack = part(recipe, "write_up")
        assert len(stack.estimators) == n_members
        final = stack.final_estimator
        assert final.weights == [n_members, 1]
        mean, boosting = (estimator for _, estimator in final.estimators)
        assert isinstance(boosting, SoftLabelClassifier)
        assert "GradientBoosting" in type(boosting.estimator).__name__
        # All members alike, whatever they say.
        rng = np.random.default_rng(0)
        proba = rng.dirichlet([1, 1], (40, n_members))
        proba[:, 0] = 0.01 + 0.98 * np.eye(2)[np.arange(40) % 2]
        fitted = clone(mean).fit(proba, np.arange(40) % 2)
        np.testing.assert_allclose(
            fitted.predict_proba(proba), proba.mean(axis=1), atol=1e-6
        )


@pytest.mark.parametrize("scale", ["small", "full"])
def test_tricks_of_the_first_five(scale, request):
    recipe = request.getfixturevalue(scale)
    [first] = nets_of(part(recipe, "first"))
    assert (first.stem_stride, first.pool) == ((1, 2), "gem")
    assert "backgroundnormalizer" in first.frontend.named_steps
    assert "sine_needle" in dict(first.augment)

    [second] = nets_of(part(recipe, "second"))
    assert mixup_of(second)["mode"] == "or"
    assert second.loss == "bce"  # linear in the target, which sums to more than one

    for third in nets_of(part(recipe, "third")):
        assert third.attention == "triplet"
        assert (third.pool, third.pool_params) == ("gem", {"p": 4.0})
        assert (third.loss, third.loss_params) == ("focal", {"gamma": 0.5})
        assert (third.optimizer, third.schedule) == ("madgrad", "cosine")
        assert isinstance(third.warmup, int)

    for fourth in nets_of(part(recipe, "fourth")):
        assert fourth.loss == "focal"
        assert fourth.loss_params == {"gamma": 2, "alpha": 0.7}
        assert [name for name, _ in fourth.augment] == ["mixup", "cut_mix"]
        assert fourth.ema is not None

    fifth = part(recipe, "fifth")
    assert not fifth.refit  # fold models are averaged
    for _, member in fifth.estimators:
        assert isinstance(member, PseudoLabelClassifier)
        assert member.min_votes is None
        [(_, teacher)] = member.teachers
        assert isinstance(teacher, SHOTClassifier)
        assert teacher.find_target is member.find_unlabeled is unlabeled_rows


def test_published_sizes(full):
    def backbones(name):
        return [net.backbone for net in nets_of(part(full, name))]

    assert backbones("first") == ["eca_nfnet_l2"]
    assert backbones("third") == [f"tf_efficientnet_b{size}" for size in (1, 2, 3, 4)]
    assert set(backbones("fourth")) == {"nf_regnet_b1", "hrnet_w18"}
    assert len(part(full, "fourth").estimators) == 3
    assert set(backbones("fifth")) == {"eca_nfnet_l2", "tf_efficientnetv2_m"}
    assert part(full, "fifth").cv.n_splits == 4
    [first, *others] = nets_of(part(full, "third"))
    assert (first.lr, first.warmup) == (1e-4, 5)
    assert all((net.lr, net.warmup) == (1e-4, 5) for net in others)


def test_image(full, root):
    """Observations of the star on top of each other, in the published size."""
    rows = load_seti(root).data.iloc[:2]
    for pipe in pipelines_of(full).values():
        assert isinstance(pipe[0], SETIReader)
        X = pipe[0].fit_transform(rows)
        assert X.shape == (2, 3, 273, 256)
        steps = clone(pipe[-1].frontend)
        names = [name for name, _ in steps.steps if name != "backgroundnormalizer"]
        assert names == ["imagetiler", "imageresizer", "imagestandardizer"]
        assert steps["imagetiler"].fit_transform(X).shape == (2, 1, 819, 256)
        assert steps["imageresizer"].size == 512


# Millions of weights of timm's models with their head for 1000 classes.
MILLIONS = {
    "tf_efficientnet_b0": 5.3,
    "tf_efficientnet_b1": 7.8,
    "tf_efficientnet_b2": 9.1,
    "tf_efficientnet_b3": 12.2,
    "tf_efficientnet_b4": 19.3,
    "tf_efficientnet_b5": 30.4,
    "resnet34d": 21.8,
    "eca_nfnet_l2": 56.7,
    "nf_regnet_b1": 10.2,
    "hrnet_w18": 21.3,
    "tf_efficientnetv2_m": 54.1,
}


def test_nets_on_the_meta_device(full):
    image = np.zeros((1, 1, 512, 512), np.float32)
    seen = set()
    for path, pipe in pipelines_of(full).items():
        net = pipe[-1]
        key = (net.backbone, net.attention, net.pool, str(net.stem_stride))
        if key in seen:
            continue
        seen.add(key)
        body = meta_body(pipe, image)
        with torch.device("meta"):
            published = timm.create_model(net.backbone)
            plain = timm.create_model(net.backbone, in_chans=1, num_classes=6)
        assert n_params(published) == pytest.approx(
            1e6 * MILLIONS[net.backbone], rel=0.01
        )
        n_attention = sum(
            n_params(module)
            for module in body.modules()
            if isinstance(module, TripletAttention)
        )
        assert (n_attention > 0) == (net.attention == "triplet"), path
        assert n_params(body) - n_attention == n_params(plain), path
        pools = [module for module in body.modules() if isinstance(module, GeM)]
        assert bool(pools) == (net.pool == "gem")
        if net.stem_stride is None:
            X = torch.zeros(2, 1, 512, 512, device="meta")
            assert body.eval()(X).shape == (2, 6)
    assert {key[0] for key in seen} == set(MILLIONS)


def test_the_first_place_keeps_the_height(full):
    [pipe] = pipelines_of(part(full, "first")).values()
    body = meta_body(pipe, np.zeros((1, 1, 512, 512), np.float32))
    assert body.reduction == (16, 32)  # timm's own is 32 both ways
    assert body.num_features == 3072


# ------------------------------------------------------------------ what it does


def test_small_keeps_every_trick(full, small):
    assert [name for name, _ in small.estimators] == PARTS
    stack = part(small, "write_up")
    alphas = {mixup_of(pipe[-1])["alpha"] for _, pipe in stack.estimators}
    assert alphas == {1, 1.5}
    assert len(nets_of(part(small, "fourth"))) == 2


def test_it_is_said_where_the_test_set_is_missing(root):
    rows, test = load_seti(root).data, load_seti(root, "test").data
    assert unlabeled_rows(rows).equals(test)
    message = r"seti: .*set X.attrs\['root'\].*fifth='drop'"
    with pytest.raises(ValueError, match=message):
        unlabeled_rows(pd.DataFrame({"id": rows["id"].to_numpy()}))


@pytest.mark.parametrize("name", ["first", "second", "third"])
def test_a_part_fits_and_predicts(small, root, name):
    train = load_seti(root)
    keep = np.r_[:16]
    clf = clone(part(small, name)).fit(train.data.iloc[keep], train.target[keep])
    proba = clf.predict_proba(load_seti(root, "test").data)
    assert proba.shape == (12, 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert np.std(proba[:, 1]) > 0


OFFLINE = """
import json, socket, sys

def refuse(*args):
    raise RuntimeError("the network is not there")

socket.socket.connect = socket.socket.connect_ex = refuse
import joblib, numpy as np
from hmsklearn.datasets import load_seti
recipe = joblib.load(sys.argv[1])
np.save(sys.argv[3], recipe.predict_proba(load_seti(sys.argv[2], "test").data))
"""


@pytest.mark.slow(seconds=150)
@pytest.mark.timeout(1200)
def test_fits_predicts_cross_validates_dumps_and_loads(small, root, tmp_path):
    train, test = load_seti(root), load_seti(root, "test")
    scores = cross_val_score(
        small,
        train.data,
        train.target,
        cv=StratifiedKFold(2, shuffle=True, random_state=0),
        scoring="roc_auc",
        error_score="raise",
    )
    assert scores.shape == (2,)
    assert scores.mean() > 0.6  # chance is 0.5

    fitted = clone(small).fit(train.data, train.target)
    assert fitted.classes_.tolist() == [0, 1]
    for stack in (fitted.named_estimators_.write_up, fitted.named_estimators_.fifth):
        assert np.isfinite(stack.kl_)
    for fold in fitted.named_estimators_.fifth.estimators_:
        for model in getattr(fold, "estimators_", [fold]):
            assert model.n_pseudo_ == 12  # all of the test set
            [teacher] = model.teachers_
            assert len(teacher.history_) == 1  # SHOT has moved it

    proba = fitted.predict_proba(test.data)
    assert proba.shape == (12, 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    path, there = tmp_path / "recipe.joblib", tmp_path / "proba.npy"
    joblib.dump(fitted, path)
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(path), str(root), str(there)],
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    np.testing.assert_allclose(np.load(there), proba, atol=1e-5)
