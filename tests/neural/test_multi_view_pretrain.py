"""MultiViewClassifier(pretrain=...): branches that fit trains alone before it joins."""

import io

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold, cross_val_score
from skorch.callbacks import Callback

from hmsklearn.augmentation import BaseAugmentation
from hmsklearn.neural import MultiViewClassifier, TimmClassifier, WaveformClassifier
from hmsklearn.preprocessing import CentreCrop, Decimator, NaNImputer
from hmsklearn.views import WindowViews
from hmsklearn.votes import VOTE_COLUMNS

pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")

SMALL_NET = {"width": 8, "kernels": (3, 9), "n_blocks": 3, "gru_hidden": 0}
ALONE = {"max_epochs": 2, "batch_size": 8, "lr": 5e-3}
# Nothing moves in the joint training.
JOINT = {
    "max_epochs": 1,
    "batch_size": 16,
    "lr": 1e-30,
    "weight_decay": 0.0,
    "device": "cpu",
    "random_state": 0,
}


def raw_branch(**params):
    settings = {**ALONE, "random_state": 3, **params}
    return WaveformClassifier(architecture_params=SMALL_NET, **settings)


def image_branch(**params):
    settings = {**ALONE, "random_state": 4, **params}
    return TimmClassifier("test_efficientnet", **settings)


def joined(branches=None, **params):
    branches = branches or [("raw", raw_branch()), ("image", image_branch())]
    return MultiViewClassifier(branches, **{**JOINT, "pretrain": True, **params})


def assert_starts_from(clf, name, alone, x):
    """What the joined net takes from a branch is what that gives alone."""
    alone, module = alone.net_.module_.eval(), clf.net_.module_.eval()
    norm = module.norm[name]
    with torch.no_grad():
        x = torch.from_numpy(np.asarray(x, dtype=np.float32))
        expected = alone.body.forward_features(alone.norm(x))
        actual = module.body.branches[name](norm(x))
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


@pytest.fixture(scope="module")
def data(data):
    return type(data)(n=48)


@pytest.fixture(scope="module")
def views(data):
    return WindowViews(raw=data.X, image=data.images)


@pytest.fixture(scope="module")
def alone(data):
    """The same branches, trained by hand."""
    return {
        "raw": raw_branch(device="cpu").fit(data.X, data.votes),
        "image": image_branch(device="cpu").fit(data.images, data.votes),
    }


@pytest.fixture(scope="module")
def fitted(views, data):
    """Do not fit it again."""
    return joined(frozen=["raw", "image"]).fit(views, data.votes)


class TestStart:
    def test_weights_and_statistics(self, fitted, alone, data):
        assert_starts_from(fitted, "raw", alone["raw"], data.X)
        assert_starts_from(fitted, "image", alone["image"], data.images)
        for name, single in alone.items():
            actual = fitted.pretrained_[name].drop(columns="duration")
            expected = single.history_.drop(columns="duration")
            pd.testing.assert_frame_equal(actual, expected)

    def test_the_same_as_fitted_branches(self, fitted, alone, views, data):
        branches = [(name, FrozenEstimator(clf)) for name, clf in alone.items()]
        by_hand = MultiViewClassifier(branches, frozen=["raw", "image"], **JOINT)
        by_hand.fit(views, data.votes)
        assert np.array_equal(by_hand.predict_proba(views), fitted.predict_proba(views))

    def test_named(self, alone, views, data):
        clf = joined(pretrain=["image"], frozen=["image"]).fit(views, data.votes)
        assert list(clf.pretrained_) == ["image"]
        assert_starts_from(clf, "image", alone["image"], data.images)
        with pytest.raises(AssertionError):
            assert_starts_from(clf, "raw", alone["raw"], data.X)

    def test_off_by_default(self, views, data):
        assert MultiViewClassifier([]).pretrain is False
        clf = joined(pretrain=False).fit(views, data.votes)
        assert clf.pretrained_ == {}

    def test_the_joined_training_moves_them(self, alone, views, data):
        clf = joined(lr=1e-3, frozen=["raw"]).fit(views, data.votes)
        assert_starts_from(clf, "raw", alone["raw"], data.X)
        with pytest.raises(AssertionError):
            assert_starts_from(clf, "image", alone["image"], data.images)

    def test_a_fitted_branch_is_left_as_it_is(self, alone, views, data):
        branches = [("raw", FrozenEstimator(alone["raw"])), ("image", image_branch())]
        clf = joined(branches, frozen=["raw", "image"])
        clf.fit(views, data.votes)
        assert list(clf.pretrained_) == ["image"]
        assert_starts_from(clf, "raw", alone["raw"], data.X)
        assert_starts_from(clf, "image", alone["image"], data.images)

    def test_two_branches_of_one_array_behind_a_shared_frontend(self, data):
        branches = [
            ("whole", raw_branch()),
            ("short", raw_branch(frontend=Decimator(2), augment=["polarity_flip"])),
        ]
        clf = joined(branches, frontend=CentreCrop(n_times=96))
        clf.set_params(frozen=["whole", "short"]).fit(data.X, data.votes)
        x = data.X[..., 16:112]
        whole = raw_branch(device="cpu").fit(x, data.votes)
        assert_starts_from(clf, "whole", whole, x)
        half = raw_branch(
            device="cpu", augment=["polarity_flip"], frontend=Decimator(2)
        )
        half.fit(x, data.votes)
        assert_starts_from(clf, "short", half, Decimator(2).transform(x))

    def test_views_by_another_name_and_gaps(self, data):
        raw = data.X.copy()
        raw[::3, 1, 10:40] = np.nan
        branches = [("a", raw_branch(frontend=NaNImputer()))]
        clf = joined(branches, views={"a": "eeg"}, frozen=["a"])
        clf.set_params(aux=False).fit({"eeg": raw}, data.votes)
        alone = raw_branch(frontend=NaNImputer(), device="cpu").fit(raw, data.votes)
        assert_starts_from(clf, "a", alone, NaNImputer().transform(raw))

    def test_its_own_stages_optimizer_and_loss(self, views, data):
        own = {
            "stages": [{"max_epochs": 1}, {"max_epochs": 2, "min_votes": 6}],
            "optimizer": "sgd",
            "loss": "focal",
            "ema": 0.9,
        }
        clf = joined([("raw", raw_branch(**own))], frozen=["raw"], aux=False)
        clf.fit(views, data.votes)
        assert clf.pretrained_["raw"]["stage"].tolist() == [1, 2, 2]
        alone = raw_branch(**own, device="cpu").fit(data.X, data.votes)
        assert_starts_from(clf, "raw", alone, data.X)


class TestSeeds:
    def seedless(self, **params):
        branches = [
            ("raw", raw_branch(random_state=None)),
            ("image", image_branch(random_state=None)),
        ]
        return joined(branches, frozen=["raw", "image"], **params)

    def test_reproducible(self, views, data):
        first, second, other, one = [
            self.seedless().fit(views, data.votes),
            self.seedless().fit(views, data.votes),
            self.seedless(random_state=1).fit(views, data.votes),
            self.seedless(pretrain=["image"])
            .set_params(frozen=["image"])
            .fit(views, data.votes),
        ]
        assert np.array_equal(first.predict_proba(views), second.predict_proba(views))
        loss = [clf.pretrained_["image"]["train_loss"] for clf in (first, other, one)]
        assert (loss[0] != loss[1]).all()
        # Whichever others are trained, a branch gets the same seed.
        assert (loss[0] == loss[2]).all()

    def test_of_a_random_state_that_is_shared(self, views, data):
        losses = []
        for _ in range(2):
            clf = self.seedless(random_state=np.random.RandomState(5))
            losses.append(clf.fit(views, data.votes).pretrained_["raw"]["train_loss"])
        assert (losses[0] == losses[1]).all()

    def test_torch_and_numpy_are_left_alone(self, views, data):
        torch_before = torch.get_rng_state()
        numpy_before = np.random.get_state()[1].copy()  # noqa: NPY002
        joined(pretrain=["image"]).fit(views, data.votes)
        assert torch.equal(torch_before, torch.get_rng_state())
        numpy_after = np.random.get_state()[1]  # noqa: NPY002
        assert np.array_equal(numpy_before, numpy_after)


class Recorder(Callback):
    """Keep the parameters of the net and which windows it has seen."""

    def __init__(self):
        self.nets = []

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.nets.append(net)


class Spy(BaseAugmentation):
    """Change nothing and keep what was seen."""

    seen: list = []  # of the class: estimators are built anew, what was seen must stay

    def __init__(self):
        super().__init__(p=1.0)

    def apply(self, batch, generator=None):
        self.seen.append(batch["x"])
        return batch


@pytest.fixture
def spied():
    Spy.seen.clear()
    yield Spy.seen
    Spy.seen.clear()


def windows_of(batches):
    """First samples of the windows in batches, which tell them apart."""
    return sorted({float(x) for batch in batches for x in batch[:, 0, 0]})


def first_samples(X):
    return sorted(float(x) for x in X[:, 0, 0])


class TestRows:
    def test_eeg_id(self, views, data):
        eeg_id = np.arange(48) // 4
        own = {"sampling": "eeg", "target": "eeg"}
        clf = joined([("raw", raw_branch(**own))], frozen=["raw"], aux=False)
        clf.fit(views, data.votes, eeg_id=eeg_id)
        alone = raw_branch(**own, device="cpu").fit(data.X, data.votes, eeg_id=eeg_id)
        assert_starts_from(clf, "raw", alone, data.X)
        with pytest.raises(ValueError, match=r"branch 'raw', trained alone: .*eeg_id"):
            clf.fit(views, data.votes)

    def test_groups(self, views, data):
        own = {"early_stopping": True, "validation_fraction": 0.25}
        clf = joined([("raw", raw_branch(**own))], frozen=["raw"], aux=False)
        clf.fit(views, data.votes, groups=data.groups)
        alone = raw_branch(**own, device="cpu")
        alone.fit(data.X, data.votes, groups=data.groups)
        assert_starts_from(clf, "raw", alone, data.X)
        assert np.isfinite(clf.pretrained_["raw"]["valid_kl"]).all()

    def test_sample_weight(self, views, data, spied):
        weight = np.where(np.arange(48) < 8, 0.0, 1.0 + np.arange(48) % 3)
        own = {"augment": [Spy()], "max_epochs": 1}
        clf = joined([("raw", raw_branch(**own))], frozen=["raw"], aux=False)
        clf.fit(views, data.votes, sample_weight=weight)
        assert windows_of(spied) == first_samples(data.X[8:])
        alone = raw_branch(max_epochs=1, device="cpu")
        alone.fit(data.X, data.votes, sample_weight=weight)
        assert_starts_from(clf, "raw", alone, data.X)

    def test_given_validation(self, views, data, more_data):
        other = WindowViews(raw=more_data.X[:20], image=more_data.images[:20])
        clf = joined(frozen=["raw", "image"])
        clf.fit(views, data.votes, X_val=other, y_val=more_data.votes[:20])
        alone = image_branch(device="cpu").fit(
            data.images,
            data.votes,
            X_val=more_data.images[:20],
            y_val=more_data.votes[:20],
        )
        kl = clf.pretrained_["image"]["valid_kl"]
        np.testing.assert_array_equal(kl, alone.history_["valid_kl"])
        assert np.isfinite(clf.pretrained_["raw"]["valid_kl"]).all()

    @pytest.mark.parametrize("frame", [False, True])
    def test_what_early_stopping_sets_aside_no_branch_trains_on(
        self, frame, views, data, spied
    ):
        own = {"augment": [Spy()], "max_epochs": 2}
        seen = Recorder()
        clf = joined([("raw", raw_branch(**own))], aux=False, early_stopping=True)
        clf.set_params(validation_fraction=0.25, callbacks=[seen])
        y = (
            pd.DataFrame(data.votes, columns=list(VOTE_COLUMNS))
            if frame
            else data.votes
        )
        weight = 1.0 + np.arange(48) % 2
        clf.fit(views, y, groups=data.groups, sample_weight=weight)
        trained = np.isin(data.X[:, 0, 0], np.float32(windows_of(spied)))
        assert trained.sum() == 36
        assert not set(data.groups[trained]) & set(data.groups[~trained])
        alone = raw_branch(max_epochs=2, device="cpu").fit(
            data.X,
            data.votes,
            sample_weight=weight * trained,
            X_val=data.X[~trained],
            y_val=data.votes[~trained],
        )
        np.testing.assert_array_equal(
            clf.pretrained_["raw"]["valid_kl"], alone.history_["valid_kl"]
        )
        # The joined net is validated on these very windows.
        assert clf.evaluations_["valid_kl"].iloc[0] == pytest.approx(
            -clf.score(views[np.flatnonzero(~trained)], data.votes[~trained]), abs=1e-4
        )

    def test_other_classes(self, views, data):
        labels = np.where(data.label < 3, "slow", "fast")
        clf = joined(classes="infer", frozen=["raw", "image"]).fit(views, labels)
        assert (
            clf.predict(views[:3]).tolist()
            == clf.classes_[clf.predict_proba(views[:3]).argmax(axis=1)].tolist()
        )
        alone = raw_branch(classes="infer", device="cpu").fit(data.X, labels)
        assert_starts_from(clf, "raw", alone, data.X)

    def test_augmentations_see_a_plain_array(self, views, data, spied):
        branches = [("image", image_branch(augment=[Spy()], max_epochs=1))]
        joined(branches, aux=False).fit(views, data.votes)
        assert {tuple(x.shape[1:]) for x in spied} == {(3, 32, 32)}
        assert sum(len(x) for x in spied) == 48


class TestWhatTheyFollow:
    def estimator(self, branch, **params):
        from hmsklearn.neural._view_pretraining import _estimator_of

        class Data:
            classes = np.arange(2)

        return _estimator_of(
            joined([("raw", branch)], **params), "raw", branch, 7, Data
        )

    def test_defaults_follow(self):
        own = {"device": "cuda:1", "amp": "fp16", "verbose": 2, "distributed": True}
        followed = self.estimator(raw_branch(random_state=None), **own)
        assert {name: getattr(followed, name) for name in own} == own
        assert followed.random_state == 7

    def test_others_stay(self):
        own = {"device": "cpu", "amp": None, "verbose": 1, "random_state": 3}
        stayed = self.estimator(
            raw_branch(**own), device="cuda", amp="bf16", verbose=2, random_state=1
        )
        assert {name: getattr(stayed, name) for name in own} == own

    def test_callbacks_can_be_read(self, views, data):
        recorder = Recorder()
        branches = [("raw", raw_branch(callbacks=[recorder]))]
        joined(branches, aux=False).fit(views, data.votes)
        assert len(recorder.nets) == 1

    def test_starts_from_its_own_weights(self, alone, views, data):
        # Not wrapped: a clone of the branch would forget them.
        branch = raw_branch(weights=alone["raw"], max_epochs=1, lr=1e-30)
        clf = joined([("raw", branch)], frozen=["raw"], aux=False)
        clf.fit(views, data.votes)
        expected = raw_branch(
            weights=alone["raw"], max_epochs=1, lr=1e-30, device="cpu"
        ).fit(data.X, data.votes)
        assert_starts_from(clf, "raw", expected, data.X)


class TestGoingOn:
    def test_warm_start_trains_no_branch_again(self, views, data):
        clf = joined(warm_start=True, frozen=["raw", "image"]).fit(views, data.votes)
        first = clf.pretrained_
        recorder = Recorder()
        clf.set_params(raw__callbacks=[recorder]).fit(views, data.votes)
        assert recorder.nets == []
        assert clf.pretrained_ is first
        clf.set_params(warm_start=False).fit(views, data.votes)
        assert len(recorder.nets) == 1

    def test_a_fresh_stage_starts_from_them(self, alone, views, data):
        stages = [{"max_epochs": 1, "lr": 1e-2}, {"max_epochs": 1, "start": "fresh"}]
        recorder = Recorder()
        branches = [("raw", raw_branch(callbacks=[recorder]))]
        clf = joined(branches, stages=stages, aux=False, warm_start=True)
        clf.fit(views, data.votes)
        assert len(recorder.nets) == 1
        weights = dict(clf.net_.module_.body.branches["raw"].body.named_parameters())
        for name, value in alone["raw"].net_.module_.body.named_parameters():
            if name in weights:
                torch.testing.assert_close(weights[name], value)
        # Warm as well: that stage starts anew all the same.
        clf.fit(views, data.votes)
        assert len(recorder.nets) == 2

    def test_partial_fit(self, views, data):
        clf = joined()
        with pytest.raises(
            ValueError, match="pretrain=True is for fit, and partial_fi"
        ):
            clf.partial_fit(views, data.votes)
        clf.fit(views, data.votes)
        before = clf.pretrained_
        clf.partial_fit(views, data.votes)
        assert clf.pretrained_ is before
        assert joined(pretrain=False).partial_fit(views, data.votes).pretrained_ == {}

    @pytest.mark.parametrize("where", ["raw", "image", "joined"])
    def test_after_a_crash(self, where, views, data, tmp_path):
        class PowerFailure(Callback):
            def on_epoch_end(self, net, **kwargs):
                if len(net.history) == 2:
                    raise OSError("power failure")

        class Epochs(Callback):
            ran: list = []

            def on_epoch_end(self, net, **kwargs):
                self.ran.append(net.caller)

        def make(callbacks=(), **params):
            branches = [
                (name, kind(max_epochs=3, random_state=None, callbacks=own))
                for name, kind in (("raw", raw_branch), ("image", image_branch))
                for own in [[*(callbacks if name == where else ()), Epochs()]]
            ]
            last = [*(callbacks if where == "joined" else ()), Epochs()]
            training = {"max_epochs": 3, "lr": 1e-3, "callbacks": last}
            return joined(branches, **{**training, **params})

        plain = make().fit(views, data.votes)
        with pytest.raises(OSError, match="power failure"):
            make([PowerFailure()], checkpoint=tmp_path).fit(views, data.votes)
        done = {"raw": [], "image": ["raw"], "joined": ["image", "raw"]}[where]
        there = sorted(p.name for p in tmp_path.iterdir() if p.is_dir())
        assert there == sorted({*done, where} - {"joined"})
        Epochs.ran.clear()
        again = make(checkpoint=tmp_path, resume=True).fit(views, data.votes)
        assert np.array_equal(again.predict_proba(views), plain.predict_proba(views))
        # What was done is not done again.
        assert len(Epochs.ran) == {"raw": 8, "image": 5, "joined": 2}[where]


class TestSaving:
    def test_no_second_copy(self, fitted, alone, views, data):
        branches = [(name, clone(clf)) for name, clf in alone.items()]
        without = joined(branches, pretrain=False).fit(views, data.votes)
        sizes = []
        for clf in (without, fitted):
            file = io.BytesIO()
            joblib.dump(clf, file)
            sizes.append(file.tell())
        weights = sum(
            len(memoryview(value.numpy()).tobytes())
            for value in alone["raw"].net_.module_.state_dict().values()
        )
        # Two tables, no net.
        assert sizes[1] - sizes[0] < 6_000 < weights
        file.seek(0)
        again = joblib.load(file)
        assert np.array_equal(again.predict_proba(views), fitted.predict_proba(views))
        pd.testing.assert_frame_equal(
            again.pretrained_["raw"], fitted.pretrained_["raw"]
        )

    def test_nothing_of_the_data_or_the_branches_is_kept(self, fitted):
        assert fitted.net_.parts_ == {}
        assert all(not hasattr(branch, "net_") for _, branch in fitted.branches)


class TestWithScikitLearn:
    def test_parameters(self):
        clf = clone(joined(pretrain=["raw"]))
        assert clf.get_params()["pretrain"] == ["raw"]
        assert clf.set_params(pretrain=False).pretrain is False

    def test_cross_validation(self, views, data):
        recorder = []

        class Counter(Callback):
            def on_train_begin(self, net, **kwargs):
                recorder.append(net.caller)

        branches = [
            ("raw", raw_branch(max_epochs=6, callbacks=[Counter()])),
            ("image", image_branch(max_epochs=4, callbacks=[Counter()])),
        ]
        scores = cross_val_score(
            joined(branches, lr=1e-3, max_epochs=3),
            views,
            data.votes,
            groups=data.groups,
            cv=GroupKFold(2),
            error_score="raise",
        )
        assert (-scores < data.baseline_kl).all()
        assert recorder == 2 * ["WaveformClassifier", "TimmClassifier"]


class TestErrors:
    @pytest.mark.parametrize(
        ("pretrain", "message"),
        [
            (["spec"], r"pretrain names \['spec'\], which are no branches"),
            (["fitted"], r"names \['fitted'\], which are fitted already"),
            (["plain"], r"names \['plain'\], which are fitted already"),
            (["kept"], "the branch 'kept', which is not fitted and is in a Frozen"),
            (True, "the branch 'kept', which is not fitted and is in a Frozen"),
        ],
    )
    def test_unusable_names(self, pretrain, message, alone, data):
        branches = [
            ("raw", raw_branch()),
            ("fitted", FrozenEstimator(alone["raw"])),
            ("plain", alone["raw"]),
            ("kept", FrozenEstimator(raw_branch())),
        ]
        with pytest.raises(ValueError, match=f"MultiViewClassifier: .*{message}"):
            joined(branches, pretrain=pretrain).fit(data.X, data.votes)

    @pytest.mark.parametrize("pretrain", ["raw", None, 1, {"raw": True}])
    def test_wrong_types(self, pretrain, views, data):
        with pytest.raises(TypeError, match="pretrain must be True, False or a list"):
            joined(pretrain=pretrain).fit(views, data.votes)

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"fusion": "sum"}, "fusion"),
            ({"contrastive": ("raw", "spec")}, r"no branches \['spec'\]"),
            ({"frozen": ["spec"]}, r"no branches \['spec'\]"),
            ({"image__lr": -1.0}, r"branch 'image', trained alone: .*lr"),
            ({"image__backbone": "resnet_none"}, r"branch 'image', .*resnet_none"),
            ({"image__weights": "nowhere.pt"}, "nowhere.pt"),
        ],
    )
    def test_found_before_anything_is_trained(self, params, message, views, data):
        recorder = Recorder()
        clf = joined()
        clf.set_params(raw__callbacks=[recorder], **params)
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            clf.fit(views, data.votes)
        assert recorder.nets == []
        assert not hasattr(clf, "net_")

    def test_a_branch_that_diverges(self, views, data):
        clf = joined().set_params(raw__lr=1e30, raw__optimizer="sgd")
        with pytest.raises(
            ValueError, match=r"MultiViewClassifier: branch 'raw', trained alone: .*nan"
        ):
            clf.fit(views, data.votes)

    def test_frozen_says_so(self, views, data):
        clf = joined(pretrain=["image"], frozen=["raw"])
        with pytest.raises(ValueError, match=r"\['raw'\].*pretrain=\['raw'\]"):
            clf.fit(views, data.votes)
