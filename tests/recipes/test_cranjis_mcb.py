"""Cranjis-McB: the experiments of the series, and its two nets."""

import numpy as np
import pytest
import timm
import torch
from recipe_parts import (
    frontend_output,
    meta_body,
    n_params,
    net_input,
    pipelines_of,
    train_on_two,
)
from recipe_tricks import tricks_of

from hmsklearn.ensemble import AveragingKLClassifier, StackingKLClassifier
from hmsklearn.model_selection import VoteStratifiedGroupKFold
from hmsklearn.nets import create_net
from hmsklearn.recipes import list_recipes, make_recipe
from hmsklearn.recipes.cranjis_mcb import EXPERIMENTS

IMAGES = {
    "baseline": (1, 400, 300),
    "global": (1, 400, 300),
    "input_ensemble": (1, 400, 600),
    "eeg_percentiles": (1, 512, 260),
    "eeg_global": (1, 512, 256),
}
ENSEMBLES = {
    "model_ensemble": ("baseline", "global"),
    "eeg_ensemble": ("eeg_percentiles", "eeg_global"),
    "kaggle_eeg": ("model_ensemble", "eeg_ensemble"),
}


def make(experiment, scale="full", **options):
    return make_recipe("cranjis_mcb", scale, experiment=experiment, **options)


def only_pipe(recipe):
    (pipe,) = pipelines_of(recipe).values()
    return pipe


def without_seeds(recipe):
    params = recipe.get_params(deep=True)
    return {
        path: repr(value)
        for path, value in params.items()
        if not hasattr(value, "get_params")
        and "estimators" not in path
        and not path.endswith(("random_state", "steps", "views"))
    }


def test_options_and_their_scores():
    assert set(IMAGES) | set(ENSEMBLES) == set(EXPERIMENTS)
    # The recipe is the last experiment, and its score that of the list.
    assert repr(make_recipe("cranjis_mcb")) == repr(make("kaggle_eeg"))
    assert list_recipes().loc["cranjis_mcb", "public"] == EXPERIMENTS["kaggle_eeg"][1]
    assert EXPERIMENTS == {
        "baseline": (0.7287, 0.45),
        "global": (0.7324, 0.46),
        "model_ensemble": (None, 0.42),
        "input_ensemble": (0.7027, 0.43),
        "eeg_percentiles": (0.7104, 0.45),
        "eeg_global": (0.7537, 0.46),
        "eeg_ensemble": (None, 0.42),
        "kaggle_eeg": (None, 0.38),
    }
    with pytest.raises(ValueError, match=r"no experiment 'x'.*baseline, global"):
        make("x")
    with pytest.raises(ValueError, match=r"no net 'rnn'. Choose one of cnn, trans"):
        make("baseline", net="rnn")


@pytest.mark.parametrize("experiment", IMAGES)
def test_image_and_net(experiment, two_rows):
    pipe = only_pipe(make(experiment))
    X = net_input(pipe, two_rows)
    assert frontend_output(pipe, X) == IMAGES[experiment]
    body = meta_body(pipe, X)
    assert body.num_features == 1408
    with torch.device("meta"):
        plain = timm.create_model("tf_efficientnet_b2", num_classes=6, in_chans=1)
    assert n_params(body) == n_params(plain)


def image(experiment, X):
    frontend = only_pipe(make(experiment)).steps[-1][1].frontend
    return frontend.fit_transform(X)


@pytest.mark.parametrize(
    ("experiment", "view_of"), [("global", "baseline"), ("eeg_global", None)]
)
def test_statistics_over_the_panels(experiment, view_of, two_rows):
    X = net_input(only_pipe(make(experiment)), two_rows)
    if view_of:
        panels = image(view_of, X).reshape(2, 4, 100, 300)
    else:
        # The same panels that the percentiles are appended to.
        panels = image("eeg_percentiles", X).reshape(2, 4, 128, 260)[..., :256]
    low, high = panels.min(axis=1), panels.max(axis=1)
    expected = np.concatenate([low, high, panels.mean(axis=1), high - low], axis=1)
    np.testing.assert_allclose(
        image(experiment, X)[:, 0], expected, rtol=1e-4, atol=1e-4
    )


def test_percentiles_over_time(two_rows):
    X = net_input(only_pipe(make("eeg_percentiles")), two_rows)
    whole = image("eeg_percentiles", X)
    expected = np.percentile(whole[..., :256], [20, 40, 60, 80], axis=-1)
    np.testing.assert_allclose(
        whole[..., 256:], np.moveaxis(expected, 0, -1), rtol=1e-4, atol=1e-4
    )


def test_both_in_one_image(two_rows):
    X = net_input(only_pipe(make("input_ensemble")), two_rows)
    parts = [image(experiment, X) for experiment in ("baseline", "global")]
    np.testing.assert_allclose(
        image("input_ensemble", X), np.concatenate(parts, axis=-1), rtol=1e-6
    )


@pytest.mark.parametrize("experiment", ENSEMBLES)
def test_averages(experiment):
    average = make(experiment)
    assert isinstance(average, AveragingKLClassifier)
    assert average.weights == [0.5, 0.5]
    for (_, member), name in zip(
        average.estimators, ENSEMBLES[experiment], strict=True
    ):
        assert without_seeds(member) == without_seeds(make(name))


@pytest.mark.parametrize("experiment", IMAGES)
def test_configuration(experiment):
    stack = make(experiment)
    assert isinstance(stack, StackingKLClassifier)
    assert isinstance(stack.cv, VoteStratifiedGroupKFold)
    assert (stack.cv.n_splits, stack.refit) == (5, False)
    net = only_pipe(stack)[-1]
    assert (net.max_epochs, net.evaluations_per_epoch) == (6, 2)
    assert (net.optimizer, net.schedule, net.lr) == ("adamw", "one_cycle", 1e-3)
    assert net.loss == "kl"
    # None of the twelve evaluations stops it: the best is kept.
    assert net.early_stopping
    assert net.patience >= net.max_epochs * net.evaluations_per_epoch


@pytest.mark.parametrize("experiment", ["baseline", "eeg_percentiles"])
def test_transformer(experiment, two_rows):
    stack = make(experiment, net="transformer")
    pipe = only_pipe(stack)
    assert (pipe[-1].lr, pipe[-1].schedule) == (1e-4, "one_cycle")
    X = net_input(pipe, two_rows)
    body = meta_body(pipe, X)
    assert body.num_features == 768
    with torch.device("meta"):
        plain = create_net("ast_base", 1, 6, IMAGES[experiment][1:])
    assert n_params(body) == n_params(plain)
    # Apart from the net and its rate it is the same configuration.
    cnn = without_seeds(make(experiment))
    other = without_seeds(stack)
    differ = {
        path.rsplit("__", 1)[-1]
        for path in cnn.keys() & other.keys()
        if cnn[path] != other[path]
    }
    assert differ == {"lr"}


@pytest.mark.parametrize("net", ["cnn", "transformer"])
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_small_keeps_every_trick(experiment, net):
    small, full = (make(experiment, scale, net=net) for scale in ("small", "full"))
    assert tricks_of(small) == tricks_of(full)


def test_small_transformer_learns(two_rows):
    pipe = only_pipe(make("baseline", "small", net="transformer"))
    votes = np.array([[3, 2, 1, 0, 4, 0], [0, 0, 1, 5, 0, 6]])  # some for every class
    loss, proba = train_on_two(pipe, net_input(pipe, two_rows), votes)
    assert np.isfinite(loss)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
