"""The 10th place: one image, two nets, two heads, about twenty members."""

import pytest
import timm
import torch
from recipe_parts import frontend_output, meta_body, n_params, net_input, pipelines_of
from recipe_tricks import tricks_of

from hmsklearn.neural import TwoLevelVoteWeight
from hmsklearn.recipes import make_recipe

N_FEATURES = {"efficientvit_b2": 2560, "mixnet_xl": 1536}


@pytest.fixture(scope="module")
def full():
    return make_recipe("hms_10th", "full")


def test_twenty_members_differ_in_seeds_alone(full):
    nets = [pipe.steps[-1][1] for _, pipe in full.estimators]
    assert [net.backbone for net in nets] == list(N_FEATURES) * 10
    assert len({net.random_state for net in nets}) == 20
    assert len(pipelines_of(full)) == 2


def test_optuna_weighs_them_over_folds_of_patients(full):
    assert full.final_estimator.solver == "optuna"
    assert full.cv == 5


@pytest.fixture(scope="module")
def signals(full, two_rows):
    return net_input(full.estimators[0][1], two_rows)


def test_the_image_holds_spectra_of_50_and_10_s_and_the_samples(full, signals):
    assert signals.shape == (2, 19, 10_000)
    pipe = full.estimators[0][1]
    assert frontend_output(pipe, signals) == (1, 512, 1024)
    image = pipe.steps[-1][1].frontend
    assert [name for name, _ in image.views] == ["50", "10", "raw"]
    whole = image.fit_transform(signals)
    for number, shape in (("50", (512, 256)), ("10", (512, 256)), ("raw", (512, 512))):
        part = dict(image.views)[number]
        assert part.fit_transform(signals).shape == (2, 1, *shape)
    # The ten seconds alone decide the second part, and all fifty the other two.
    changed = signals.copy()
    changed[:, :, :3000] = 0
    other = image.fit_transform(changed)
    same = (whole == other).all(axis=(0, 1, 2))
    assert same[256:512].all()
    assert not same[:64].any()
    assert not same[512:640].any()


@pytest.mark.parametrize("number", [0, 1])
def test_net(full, signals, number):
    pipe = full.estimators[number][1]
    backbone = pipe.steps[-1][1].backbone
    body = meta_body(pipe, signals)
    assert body.num_features == N_FEATURES[backbone]
    with torch.device("meta"):
        plain = timm.create_model(backbone, num_classes=6, in_chans=1)
    # A second head for windows of few votes.
    assert n_params(body) == n_params(plain) + 6 * (N_FEATURES[backbone] + 1)
    assert body.head.vote_threshold == 10


def test_one_stage_for_which_many_votes_count_more(full):
    net = full.estimators[0][1].steps[-1][1]
    assert net.stages is None
    assert (net.optimizer, net.loss, net.sampling) == ("adan", "kl", "eeg_by_votes")
    assert isinstance(net.vote_weight, TwoLevelVoteWeight)
    assert net.vote_weight([9, 10]).tolist() == [0.25, 1.0]


def test_small_keeps_every_trick(full):
    small = make_recipe("hms_10th", "small")
    assert tricks_of(small) == tricks_of(full)
    assert [name for name, _ in small.estimators] == ["efficientvit_0", "mixnet_0"]
    assert small.final_estimator.solver == "optuna"
