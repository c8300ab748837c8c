"""9th place: encoders pooled by attention, and LSTM and WaveNet beside ResNet18d."""

import numpy as np
import pytest
import timm
import torch
from recipe_parts import frontend_output, meta_body, n_params, net_input

from hmsklearn.ensemble import StackingKLClassifier
from hmsklearn.model_selection import VoteStratifiedGroupKFold
from hmsklearn.recipes import Scale, make_recipe
from hmsklearn.recipes.hms_9th import FIFTY, hms_9th
from hmsklearn.semi_supervised import PseudoLabelClassifier
from hmsklearn.views import WindowViews

FIRST = [
    f"encoders_{backbone}_{seconds}s_seed0"
    for backbone in ("tf_efficientnetv2_s", "tf_efficientnetv2_m", "resnet34d")
    for seconds in (50, 40)
]
SECOND = [
    f"drawn_{backbone}_{seconds}s_seed0"
    for backbone in ("tf_efficientnetv2_s", "tf_efficientnet_b0")
    for seconds in (50, 40)
]


@pytest.fixture(scope="module")
def full():
    return make_recipe("hms_9th", n_seeds=1)


@pytest.fixture(scope="module")
def views(full, two_rows):
    """What is read, gaps included."""
    return net_input(full.estimators[0][1].estimator, two_rows)


def student_of(stack, name):
    return dict(stack.estimators)[name].estimator


def nets_of(stack):
    """Nets of the first two stages and of the third, of every member."""
    return [
        (member.teachers.steps[-1][1], member.estimator.steps[-1][1])
        for _, member in stack.estimators
    ]


def test_members(full):
    assert isinstance(full, StackingKLClassifier)
    names = [name for name, _ in full.estimators]
    assert names == FIRST + SECOND
    blender = full.final_estimator
    assert (blender.solver, blender.max_models) == ("l-bfgs-b", 30)
    assert isinstance(full.cv, VoteStratifiedGroupKFold)
    assert full.cv.n_splits == 5
    small = make_recipe("hms_9th", "small")
    assert [name for name, _ in small.estimators] == [FIRST[0], SECOND[-1]]


def test_as_many_nets_as_they_chose_from():
    stack = hms_9th(Scale("full"))
    assert len(dict(stack.estimators)) == len(stack.estimators) == 150
    states = [net.random_state for pair in nets_of(stack) for net in pair]
    assert len(set(states)) == 300


def test_fifty_channels():
    assert len(FIFTY) == 50
    assert len(set(FIFTY.names)) == 50
    assert "EKG" in FIFTY.names


@pytest.mark.parametrize(
    ("name", "seconds"), [(FIRST[0], 50), (FIRST[3], 40), (FIRST[4], 50)]
)
def test_encoders(full, views, name, seconds):
    student = student_of(full, name)
    assert frontend_output(student, views) == {
        "raw": (50, 200 * seconds),
        "raw_10s": (50, 2000),
        "spectrogram": (1, 512, 512),
        "kaggle": (1, 400, 256),
    }
    body = meta_body(student, views)
    assert body.num_features == 512  # the common width
    backbone = name.removeprefix("encoders_").rsplit("_", 2)[0]
    expected = {"spectrogram": backbone, "kaggle": "resnet34d"}
    for branch, net in expected.items():
        with torch.device("meta"):
            timms = timm.create_model(net, num_classes=0, in_chans=1)
        assert n_params(body.branches[branch].body) == n_params(timms)


@pytest.mark.parametrize(("name", "seconds"), [(SECOND[0], 50), (SECOND[3], 40)])
def test_drawn(full, views, name, seconds):
    student = student_of(full, name)
    assert frontend_output(student, views) == {
        "lstm": (50, 2000),
        "wavenet": (50, 40 * seconds),
        "spectrogram": (1, 512, 512),
    }
    body = meta_body(student, views)
    assert body.num_features == 256 + 1280 + 512
    # What the WaveNet draws, for an EfficientNet
    assert body.branches["wavenet"].body.draw.out_size == (8 * seconds, 400)


@pytest.mark.parametrize("scale", ["full", "small"])
def test_three_stages(scale):
    stack = make_recipe("hms_9th", scale, n_seeds=1)
    for _, member in stack.estimators:
        assert isinstance(member, PseudoLabelClassifier)
        assert member.min_votes == 4
    for two, third in nets_of(stack):
        assert [stage["min_votes"] for stage in two.stages] == [4, 10]
        assert third.stages is None
        assert two.sampling == third.sampling == "eeg"
        # Else they are the same net.
        same = third.get_params(deep=False)
        for key, value in two.get_params(deep=False).items():
            if isinstance(value, (bool, int, float, str)) and key != "random_state":
                assert same[key] == value or key == "max_epochs", key


@pytest.mark.parametrize("scale", ["full", "small"])
def test_losses_and_augmentations(scale):
    kinds = {"encoders": 0, "drawn": 0}
    stack = make_recipe("hms_9th", scale, n_seeds=1)
    for (name, _), nets in zip(stack.estimators, nets_of(stack), strict=True):
        kind = name.split("_")[0]
        kinds[kind] += 1
        for net in nets:
            assert {augmentation for augmentation, _ in net.augment} == {
                "mixup",
                "polarity_flip",
                "random_nan_blocks",
                "channel_shuffle",
                "channel_drop",
                "vote_jitter",
            }
            samples = {"encoders": ["raw", "raw_10s"], "drawn": ["lstm", "wavenet"]}
            assert net.nan_loss == samples[kind]
            if kind == "encoders":
                assert net.contrastive == ("raw", "spectrogram")
                assert net.fusion == "attention"
    assert min(kinds.values()) > 0


@pytest.mark.filterwarnings("ignore:.*is larger than the data")
def test_gaps_come_in_and_are_learned():
    """NaN of electrodes and panels, and a constant EKG, reach the small nets."""
    rng = np.random.default_rng(0)
    eeg = rng.normal(scale=30, size=(2, 20, 10_000)).astype("float32")
    eeg[0, 2] = np.nan
    eeg[1, :, :300] = np.nan
    eeg[:, 19] = 7.0
    kaggle = rng.gamma(0.5, size=(2, 4, 100, 300)).astype("float32")
    kaggle[0, :, :, :40] = np.nan
    X = WindowViews(eeg=eeg, kaggle=kaggle)
    votes = np.array([[2, 1, 3, 1, 4, 3], [1, 1, 1, 1, 1, 9]])
    for _, third in nets_of(make_recipe("hms_9th", "small", device="cpu")):
        third.fit(X, votes, eeg_id=[0, 1])
        assert np.isfinite(third.predict_proba(X)).all()
        assert np.isfinite(third.history_["train_loss"]).all()
