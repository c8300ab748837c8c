"""MultiViewClassifier: views in, branches described by classifiers of one view."""

import io
import operator

import joblib
import numpy as np
import pytest
import timm
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_html_repr, get_tags
from skorch.callbacks import Callback
from skorch.helper import SliceDict
from torch.nn import functional

from hmsklearn.augmentation import BaseAugmentation
from hmsklearn.datasets import HMSReader, load_hms
from hmsklearn.ensemble import StackingKLClassifier
from hmsklearn.imaging import (
    ImageResizer,
    KaggleSpectrogramImager,
    ViewUnion,
    WaveformImager,
)
from hmsklearn.neural import MultiViewClassifier, TimmClassifier, WaveformClassifier
from hmsklearn.preprocessing import CentreCrop, Decimator, NaNImputer
from hmsklearn.views import WindowViews

# Small parts of the data hold no votes for some classes.
pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")

SMALL_NET = {"width": 8, "kernels": (3, 9), "n_blocks": 3, "gru_hidden": 0}
TRAINING = {
    "max_epochs": 2,
    "batch_size": 8,
    "lr": 5e-3,
    "device": "cpu",
    "random_state": 0,
}
# Nothing moves, so that the epoch's loss is that of the fitted net.
STILL = {"max_epochs": 1, "batch_size": 48, "lr": 1e-30, "weight_decay": 0.0}


def raw_branch(**params):
    return WaveformClassifier(architecture_params=SMALL_NET, **params)


def image_branch(**params):
    return TimmClassifier("test_efficientnet", **params)


def two_branches(**params):
    branches = [("raw", raw_branch()), ("image", image_branch())]
    return MultiViewClassifier(branches, **{**TRAINING, **params})


def body_of(clf):
    return clf.net_.module_.body


def branch_of(clf, name):
    return body_of(clf).branches[name].body


def tensors(X):
    return {name: torch.from_numpy(np.asarray(view)) for name, view in X.items()}


def same_state(a, b):
    return all(torch.equal(value, b[name]) for name, value in a.items())


@pytest.fixture(scope="module")
def data(data):
    """Fewer windows."""
    return type(data)(n=48)


@pytest.fixture(scope="module")
def views(data):
    return WindowViews(raw=data.X, image=data.images)


@pytest.fixture(scope="module")
def more_data(more_data):
    return type(more_data)(n=48, seed=1)


@pytest.fixture(scope="module")
def more_views(more_data):
    return WindowViews(raw=more_data.X, image=more_data.images)


@pytest.fixture(scope="module")
def fitted(views, data):
    """Two branches; do not fit it again."""
    return two_branches().fit(views, data.votes)


@pytest.fixture(scope="module")
def single(data):
    """The same nets trained alone, on their own view each."""
    return {
        "raw": raw_branch(**TRAINING).fit(data.X, data.votes),
        "image": image_branch(**TRAINING).fit(data.images, data.votes),
    }


class Spy(BaseAugmentation):
    """Change nothing and keep what was seen."""

    seen: list = []  # of the class: estimators are cloned, what was seen must stay

    def __init__(self, after_frontend=False):
        super().__init__(p=1.0)
        self.after_frontend = after_frontend

    def apply(self, batch, generator=None):
        self.seen.append((self.after_frontend, dict(batch)))
        return batch


@pytest.fixture
def spied():
    Spy.seen.clear()
    yield Spy.seen
    Spy.seen.clear()


class TestInput:
    def test_learns(self, fitted, more_views, more_data):
        prob = fitted.predict_proba(more_views)
        np.testing.assert_allclose(prob.sum(axis=1), 1)
        assert -fitted.score(more_views, more_data.votes) < more_data.baseline_kl
        assert fitted.input_shape_ == {"raw": (3, 128), "image": (3, 32, 32)}
        assert fitted.n_features_in_ == 6
        assert fitted.predict(more_views[:2]).shape == (2,)
        assert fitted.predict_logits(more_views[5:6]).dtype == np.float32

    @pytest.mark.parametrize("kind", [dict, SliceDict])
    def test_kinds_of_containers(self, kind, fitted, views, data):
        other = kind(**dict(views.items()))
        again = two_branches().fit(other, data.votes)
        assert np.array_equal(again.predict_proba(other), fitted.predict_proba(views))

    def test_order_and_number_of_views_do_not_matter(self, fitted, views):
        more = {"unused": np.zeros((48, 2, 5)), "image": views["image"]}
        X = WindowViews(more, raw=views["raw"])
        assert np.array_equal(fitted.predict_proba(X), fitted.predict_proba(views))

    def test_views_by_another_name(self, fitted, views, data):
        X = WindowViews(eeg=views["raw"], picture=views["image"])
        clf = two_branches(views={"raw": "eeg", "image": "picture"})
        prob = clf.fit(X, data.votes).predict_proba(X)
        assert np.array_equal(prob, fitted.predict_proba(views))
        assert clf.input_shape_ == {"eeg": (3, 128), "picture": (3, 32, 32)}

    def test_two_branches_look_at_one_view(self, data):
        branches = [
            ("whole", raw_branch()),
            ("short", raw_branch(frontend=Decimator(2))),
        ]
        clf = MultiViewClassifier(
            branches, views={"whole": "eeg", "short": "eeg"}, **TRAINING
        )
        clf.fit({"eeg": data.X}, data.votes)
        assert branch_of(clf, "whole").n_times == 128
        assert branch_of(clf, "short").n_times == 64

    def test_one_array_for_all_branches(self, data, more_data):
        branches = [
            ("raw", raw_branch()),
            ("short", raw_branch(frontend=Decimator(2))),
            (
                "image",
                image_branch(
                    frontend=make_pipeline(WaveformImager(rows=8), ImageResizer(32))
                ),
            ),
        ]
        clf = MultiViewClassifier(branches, **{**TRAINING, **STILL}).fit(
            data.X, data.votes
        )
        assert clf.input_shape_ == (3, 128)
        assert clf.n_features_in_ == 3
        assert clf.predict_proba(more_data.X).shape == (48, 6)
        # The same as preparing the views by hand.
        X = WindowViews(
            raw=data.X,
            short=Decimator(2).fit_transform(data.X),
            image=make_pipeline(WaveformImager(rows=8), ImageResizer(32)).fit_transform(
                data.X
            ),
        )
        plain = [(name, clone(b).set_params(frontend=None)) for name, b in branches]
        apart = MultiViewClassifier(plain, **{**TRAINING, **STILL}).fit(X, data.votes)
        np.testing.assert_allclose(
            clf.predict_proba(data.X), apart.predict_proba(X), atol=1e-5
        )

    def test_shared_frontend(self, data):
        branches = [("raw", raw_branch()), ("short", raw_branch(frontend=Decimator(2)))]
        clf = MultiViewClassifier(branches, frontend=CentreCrop(n_times=96), **TRAINING)
        clf.fit(data.X, data.votes)
        assert branch_of(clf, "raw").n_times == 96
        assert branch_of(clf, "short").n_times == 48
        cropped = MultiViewClassifier(branches, **TRAINING)
        cropped.fit(data.X[..., 16:112], data.votes)
        np.testing.assert_allclose(
            clf.predict_proba(data.X),
            cropped.predict_proba(data.X[..., 16:112]),
            atol=1e-5,
        )

    def test_shared_frontend_is_for_one_array(self, views, data):
        clf = two_branches(frontend=Decimator(2))
        with pytest.raises(ValueError, match="one array that all branches look at"):
            clf.fit(views, data.votes)

    def test_validation_by_patient(self, views, data):
        clf = two_branches(early_stopping=True, validation_fraction=0.25)
        clf.fit(views, data.votes, groups=data.groups)
        assert np.isfinite(clf.history_["valid_kl"]).all()

    def test_given_validation(self, views, more_views, data, more_data):
        clf = two_branches().fit(
            views, data.votes, X_val=more_views, y_val=more_data.votes
        )
        assert clf.history_["valid_kl"].iloc[-1] == pytest.approx(
            -clf.score(more_views, more_data.votes), abs=1e-5
        )


class TestNaN:
    @pytest.fixture
    def gappy(self, views):
        raw = views["raw"].copy()
        raw[::3, 1, 10:40] = np.nan
        return WindowViews(raw=raw, image=views["image"])

    def test_filled_by_the_branch(self, gappy, data):
        branches = [
            ("raw", raw_branch(frontend=NaNImputer())),
            ("image", image_branch()),
        ]
        clf = MultiViewClassifier(branches, **TRAINING).fit(gappy, data.votes)
        filled = WindowViews(
            raw=NaNImputer().fit_transform(gappy["raw"]), image=gappy["image"]
        )
        np.testing.assert_allclose(
            clf.predict_proba(gappy), clf.predict_proba(filled), atol=1e-6
        )

    def test_refused_without(self, gappy, fitted, data):
        with pytest.raises(ValueError, match=r"view 'raw'.*NaN"):
            two_branches().fit(gappy, data.votes)
        with pytest.raises(ValueError, match=r"view 'raw'.*NaN"):
            fitted.predict_proba(gappy)

    def test_refused_if_one_of_two_branches_cannot(self, gappy, data):
        branches = [("a", raw_branch(frontend=NaNImputer())), ("b", raw_branch())]
        clf = MultiViewClassifier(branches, **TRAINING)
        with pytest.raises(ValueError, match=r"MultiViewClassifier: .*NaN"):
            clf.fit(gappy["raw"], data.votes)
        clf.set_params(b__frontend=NaNImputer()).fit(gappy["raw"], data.votes)
        assert np.isfinite(clf.predict_proba(gappy["raw"])).all()


class TestParameters:
    def test_nested(self):
        clf = two_branches()
        params = clf.get_params()
        assert params["raw__architecture_params"] == SMALL_NET
        assert params["image"].backbone == "test_efficientnet"
        clf.set_params(
            raw__input_norm="window", image__drop_rate=0.1, fusion="attention"
        )
        assert clf.branches[0][1].input_norm == "window"
        assert clf.branches[1][1].drop_rate == 0.1
        clf.set_params(raw=raw_branch(input_norm=None))
        assert clf.get_params()["raw__input_norm"] is None
        with pytest.raises(ValueError, match="Invalid parameter 'epochs'"):
            clf.set_params(epochs=3)
        with pytest.raises(ValueError, match="Invalid parameter 'widht'"):
            clf.set_params(raw__widht=3)

    def test_clone(self, fitted):
        copy = clone(fitted)
        assert not hasattr(copy, "net_")
        assert copy.branches[0][1] is not fitted.branches[0][1]
        own = {k: v for k, v in fitted.get_params().items() if not hasattr(v, "fit")}
        theirs = {k: v for k, v in copy.get_params().items() if not hasattr(v, "fit")}
        own.pop("branches")
        theirs.pop("branches")
        assert own == theirs

    def test_has_no_normalisation_of_its_own(self):
        assert "input_norm" not in MultiViewClassifier([]).get_params()
        with pytest.raises(TypeError, match="no parameter 'input_norm'"):
            two_branches(input_norm="window")

    def test_normalisation_is_the_branches(self, views, data):
        clf = two_branches()
        clf.set_params(raw__input_norm="window", image__input_norm=None)
        clf.fit(views, data.votes)
        assert clf.net_.module_.norm["raw"].mode == "window"
        assert clf.net_.module_.norm["image"].mode is None

    def test_head(self, views, data):
        clf = two_branches(max_epochs=1, head={"vote_threshold": 10, "drop_rate": 0.2})
        clf.fit(views, data.votes)
        assert type(body_of(clf).head).__name__ == "VoteHead"

    def test_attention(self, views, data):
        clf = two_branches(fusion="attention", fusion_width=32).fit(views, data.votes)
        assert body_of(clf).num_features == 32

    @pytest.mark.parametrize(
        ("branches", "message"),
        [
            ([], "must be a list of"),
            (None, "must be a list of"),
            ([("raw", raw_branch(), 1)], "must be a list of"),
            ([("a", raw_branch()), ("a", raw_branch())], "not unique"),
            ([("lr", raw_branch())], "conflict"),
            ([("a__b", raw_branch())], "__"),
            ([("half", raw_branch())], "'half' cannot be the name of a branch"),
            ([("a.b", raw_branch())], "'a.b' cannot be the name of a branch"),
        ],
    )
    def test_unusable_branches(self, branches, message, data):
        clf = MultiViewClassifier(branches, **TRAINING)
        with pytest.raises(ValueError, match=message):
            clf.fit(data.X, data.votes)

    @pytest.mark.parametrize(
        "branch", ["resnet1d_gru", Decimator(2), WaveformClassifier, two_branches()]
    )
    def test_wrong_branches(self, branch, data):
        clf = MultiViewClassifier([("raw", branch)], **TRAINING)
        with pytest.raises(TypeError, match="branch 'raw' must be a neural classifier"):
            clf.fit(data.X, data.votes)

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"fusion": "sum"}, "fusion"),
            ({"contrastive": ("raw", "spec")}, r"no branches \['spec'\]"),
            ({"contrastive": ("raw", "raw")}, "two branches"),
            ({"frozen": ["spec"]}, r"no branches \['spec'\]"),
            ({"nan_loss": ["spec"]}, r"\['spec'\]"),
            ({"views": {"spec": "raw"}}, r"\['spec'\], which are no branches"),
            ({"contrastive": ("raw", "image"), "temperature": 0.0}, "temperature"),
            ({"aux_weight": -1.0}, "aux_weight"),
            ({"aux_weight": {"rwa": 1.0}}, "rwa"),
        ],
    )
    def test_unusable(self, params, message, views, data):
        with pytest.raises(ValueError, match=f"MultiViewClassifier: .*{message}"):
            two_branches(**params).fit(views, data.votes)


class TestShapes:
    def test_missing_view(self, fitted, views, data):
        X = WindowViews(raw=views["raw"])
        with pytest.raises(ValueError, match=r"views \['raw'\].*look at \['image'\]"):
            two_branches().fit(X, data.votes)
        with pytest.raises(ValueError, match=r"views \['raw'\].*look at \['image'\]"):
            fitted.predict_proba(X)

    @pytest.mark.parametrize(
        ("name", "cut"),
        [
            ("raw", lambda x: x[:, :2]),
            ("raw", lambda x: x[..., :100]),
            ("image", lambda x: x[:, :2]),
            ("image", lambda x: x[..., :16]),
        ],
    )
    def test_another_shape_than_in_fit(self, name, cut, fitted, views):
        X = WindowViews({**dict(views.items()), name: cut(views[name])})
        with pytest.raises(ValueError, match="was fitted on windows of shape"):
            fitted.predict_proba(X)

    def test_one_array_instead_of_views(self, fitted, views):
        with pytest.raises(ValueError, match="was fitted on windows of shape"):
            fitted.predict_proba(views["raw"])

    def test_different_numbers_of_windows(self, views, data):
        X = {"raw": views["raw"], "image": views["image"][:40]}
        with pytest.raises(ValueError, match="different numbers of windows"):
            two_branches().fit(X, data.votes)

    def test_wrong_number_of_votes(self, views, data):
        with pytest.raises(ValueError, match="X has 48 windows, y has 40 rows"):
            two_branches().fit(views, data.votes[:40])

    def test_a_view_of_the_wrong_kind(self, views, data):
        X = WindowViews(raw=views["image"], image=views["image"])
        with pytest.raises(ValueError, match=r"branch 'raw'.*takes 2 axes"):
            two_branches().fit(X, data.votes)

    @pytest.mark.parametrize("X", [None, "eeg", [1, 2, 3], np.zeros((48, 3))])
    def test_wrong_types(self, X, data):
        with pytest.raises((TypeError, ValueError), match="MultiViewClassifier"):
            two_branches().fit(X, data.votes)

    def test_not_fitted(self, views):
        with pytest.raises(NotFittedError):
            two_branches().predict_proba(views)


class TestPretrainedBranches:
    def check(self, clf, single, data, names=("raw", "image")):
        x = {"raw": torch.from_numpy(data.X), "image": torch.from_numpy(data.images)}
        clf.net_.module_.eval()
        for name in names:
            alone = single[name].net_.module_.eval()
            with torch.no_grad():
                expected = alone.body.forward_features(alone.norm(x[name]))
                normed = clf.net_.module_.norm[name](x[name])
                actual = body_of(clf).branches[name](normed)
            torch.testing.assert_close(actual, expected, rtol=0, atol=0)

    @pytest.mark.parametrize("wrap", [FrozenEstimator, lambda clf: clf])
    def test_weights_and_statistics(self, wrap, single, more_data):
        # Other data: statistics learned from them would differ.
        X = WindowViews(raw=3 * more_data.X + 1, image=2 * more_data.images)
        branches = [(name, wrap(clf)) for name, clf in single.items()]
        clf = MultiViewClassifier(branches, **{**TRAINING, **STILL})
        clf.set_params(frozen=["raw", "image"]).fit(X, more_data.votes)
        self.check(clf, single, more_data)
        assert clf.net_.module_.norm["raw"].mean == single["raw"].net_.module_.norm.mean

    def test_survives_clone_and_cross_validation(self, single, views, data):
        branches = [(name, FrozenEstimator(clf)) for name, clf in single.items()]
        clf = clone(MultiViewClassifier(branches, frozen=["raw"], **TRAINING))
        scores = cross_val_score(
            clf,
            views,
            data.votes,
            groups=data.groups,
            cv=GroupKFold(2),
            error_score="raise",
        )
        assert (-scores < data.baseline_kl).all()
        assert clf.get_params()["raw__estimator"] is single["raw"]

    def test_frozen_branches_do_not_move(self, single, views, data):
        branches = [(name, FrozenEstimator(clf)) for name, clf in single.items()]
        clf = MultiViewClassifier(branches, frozen=["raw"], **TRAINING)
        clf.fit(views, data.votes)
        self.check(clf, single, data, names=["raw"])
        for name, still in (("raw", True), ("image", False)):
            before = single[name].net_.module_.body.state_dict()
            before = {k: v for k, v in before.items() if not k.startswith("head.")}
            assert same_state(before, branch_of(clf, name).state_dict()) is still

    def test_frozen_in_a_stage(self, single, views, data):
        branches = [(name, FrozenEstimator(clf)) for name, clf in single.items()]
        clf = MultiViewClassifier(
            branches,
            stages=[{"max_epochs": 1, "freeze": ["branches.image"]}],
            **TRAINING,
        )
        clf.fit(views, data.votes)
        self.check(clf, single, data, names=["image"])

    def test_weights_of_a_file(self, single, views, data, tmp_path):
        path = tmp_path / "raw.pt"
        torch.save(single["raw"].net_.module_.body.state_dict(), path)
        clf = two_branches(frozen=["raw"])
        clf.set_params(raw__weights=str(path)).fit(views, data.votes)
        self.check(clf, single, data, names=["raw"])

    def test_weights_of_another_estimator(self, single, views, data):
        clf = two_branches(frozen=["image"])
        clf.set_params(image__weights=FrozenEstimator(single["image"]))
        clf.fit(views, data.votes)
        self.check(clf, single, data, names=["image"])

    def test_weights_that_do_not_fit(self, single, views, data, tmp_path):
        clf = two_branches()
        clf.set_params(raw__architecture_params={**SMALL_NET, "width": 4})
        clf.set_params(raw__weights=FrozenEstimator(single["raw"]))
        with pytest.raises(ValueError, match=r"branch 'raw'.*do not fit"):
            clf.fit(views, data.votes)
        clf.set_params(raw__weights=str(tmp_path / "none.pt"))
        with pytest.raises(FileNotFoundError, match=r"branch 'raw'.*does not exist"):
            clf.fit(views, data.votes)

    @pytest.mark.parametrize("weights", ["file", "folder"])
    def test_weights_for_some_branches(self, weights, data, tmp_path):
        """The others would start at random without a word."""
        state = timm.create_model("test_resnet", in_chans=3).state_dict()
        torch.save(state, tmp_path / "test_resnet.pth")
        path = tmp_path / "test_resnet.pth" if weights == "file" else tmp_path
        other = image_branch() if weights == "file" else raw_branch()
        branches = [("a", other), ("b", TimmClassifier("test_resnet"))]
        X = WindowViews(a=data.images if weights == "file" else data.X, b=data.images)
        clf = MultiViewClassifier(branches, weights=path, **{**TRAINING, **STILL})
        with pytest.raises(
            ValueError,
            match=r"are for branches\.b\.body alone, and branches\.a.* would start at "
            r"random.*name__weights",
        ):
            clf.fit(X, data.votes)
        clf.set_params(weights=None, b__weights=path).fit(X, data.votes)
        kernel = branch_of(clf, "b").backbone.conv1[0].weight
        torch.testing.assert_close(kernel, state["conv1.0.weight"])

    def test_one_file_for_all_branches(self, data, tmp_path):
        state = timm.create_model("test_resnet", in_chans=3).state_dict()
        torch.save(state, tmp_path / "test_resnet.pth")
        branches = [(name, TimmClassifier("test_resnet")) for name in "ab"]
        clf = MultiViewClassifier(
            branches,
            weights=tmp_path / "test_resnet.pth",
            frozen=["a"],
            **{**TRAINING, **STILL},
        ).fit(data.images, data.votes)
        for name in "ab":
            kernel = branch_of(clf, name).backbone.conv1[0].weight
            torch.testing.assert_close(kernel, state["conv1.0.weight"])

    def test_frozen_without_weights(self, views, data):
        clf = two_branches(frozen=["raw"])
        cause = r"frozen names \['raw'\].*stay random.*FrozenEstimator.*raw__weights"
        with pytest.raises(ValueError, match=cause):
            clf.fit(views, data.votes)
        with pytest.raises(ValueError, match=cause):
            clf.partial_fit(views, data.votes)
        clf.set_params(raw=FrozenEstimator(raw_branch()))
        with pytest.raises(ValueError, match=cause):
            clf.fit(views, data.votes)
        # The net is no model of timm, for which alone such weights are.
        clf = two_branches(frozen=["raw"], weights="pretrained")
        with pytest.raises(ValueError, match=cause):
            clf.fit(views, data.votes)

    def test_clone_empties_plain_branches(self, single, views, data):
        branches = [("raw", single["raw"]), ("image", FrozenEstimator(single["image"]))]
        clf = MultiViewClassifier(branches, frozen=["raw"], **TRAINING)
        with pytest.warns(UserWarning, match=r"branches \['raw'\] are fitted.*Frozen"):
            copy = clone(clf)
        assert not hasattr(copy.branches[0][1], "net_")
        assert copy.branches[1][1].estimator is single["image"]
        with pytest.raises(ValueError, match=r"frozen names \['raw'\].*plain one"):
            copy.fit(views, data.votes)
        clf.fit(views, data.votes)
        self.check(clf, single, data, names=["raw"])

    @pytest.mark.parametrize("branches", [None, [], "ab", [1], [("a", 1, 2)]])
    def test_clone_takes_what_fit_will_refuse(self, branches):
        assert clone(MultiViewClassifier(branches)).branches == branches

    def test_frozen_goes_on_warm(self, single, views, data):
        clf = two_branches(frozen=["raw"], warm_start=True)
        clf.set_params(raw__weights=FrozenEstimator(single["raw"]))
        clf.fit(views, data.votes)
        clf.set_params(raw__weights=None).fit(views, data.votes)
        self.check(clf, single, data, names=["raw"])

    def test_saved_without_the_source(self, single, views, data):
        branches = [(name, FrozenEstimator(clf)) for name, clf in single.items()]
        clf = MultiViewClassifier(branches, **TRAINING).fit(views, data.votes)
        file = io.BytesIO()
        joblib.dump(clf, file)
        file.seek(0)
        again = joblib.load(file)
        assert np.array_equal(again.predict_proba(views), clf.predict_proba(views))


def output_in_training(clf, x, nan_share=None):
    module = clf.net_.module_.train()
    x = module.normalize(module.prepare(x))
    with torch.no_grad():
        output = module.body(x, nan_share=nan_share)
        module.train()
        features = module.body.branch_features(x)
    return output, features


def kl(logits, fractions):
    y = torch.from_numpy(fractions)
    log = functional.log_softmax(logits.double(), dim=1)
    return float((torch.xlogy(y, y) - y * log).sum(dim=1).mean())


class TestLosses:
    @pytest.mark.parametrize(
        ("aux_weight", "weights"),
        [
            (1.0, {"raw": 1.0, "image": 1.0}),
            (0.25, {"raw": 0.25, "image": 0.25}),
            (0.0, {"raw": 0.0, "image": 0.0}),
            ({"raw": 2.0, "image": 0.5}, {"raw": 2.0, "image": 0.5}),
            ({"image": 0.3}, {"raw": 0.0, "image": 0.3}),
        ],
    )
    def test_auxiliary_heads(self, aux_weight, weights, views, data):
        clf = two_branches(**STILL, aux_weight=aux_weight).fit(views, data.votes)
        output, _ = output_in_training(clf, tensors(views))
        assert set(output.aux) == {"raw", "image"}
        total = kl(output.logits, data.fractions)
        for name, weight in weights.items():
            total += weight * kl(output.aux[name], data.fractions)
        expected = total / (1 + sum(weights.values()))
        assert clf.history_["train_loss"][0] == pytest.approx(expected, rel=1e-4)

    def test_without_auxiliary_heads(self, views, data):
        clf = two_branches(**STILL, aux=False).fit(views, data.votes)
        output, _ = output_in_training(clf, tensors(views))
        assert output.aux == {}
        expected = kl(output.logits, data.fractions)
        assert clf.history_["train_loss"][0] == pytest.approx(expected, rel=1e-4)

    def test_contrastive(self, views, data):
        clf = two_branches(
            **STILL,
            aux=False,
            contrastive=("raw", "image"),
            contrastive_weight=0.7,
            contrastive_width=16,
            temperature=0.2,
        ).fit(views, data.votes)
        output, features = output_in_training(clf, tensors(views))
        nce = body_of(clf).info_nce
        a, b = (
            functional.normalize(project(features[name]), dim=1).detach()
            for name, project in (("raw", nce.project_a), ("image", nce.project_b))
        )
        assert a.shape == (48, 16)
        scores = torch.exp(a @ b.T / 0.2)
        rows = (scores.diag() / scores.sum(dim=0)).log().mean()
        columns = (scores.diag() / scores.sum(dim=1)).log().mean()
        expected = kl(output.logits, data.fractions) - 0.7 * float(rows + columns) / 2
        assert clf.history_["train_loss"][0] == pytest.approx(expected, rel=1e-4)

    def test_nan(self, views, data):
        raw = views["raw"].copy()
        raw[::2, 0, :32] = np.nan
        raw[::3, 2] = np.nan
        X = WindowViews(raw=raw, image=views["image"])
        clf = two_branches(**STILL, aux=False, nan_loss=["raw"], nan_weight=0.4)
        clf.set_params(raw__frontend=NaNImputer()).fit(X, data.votes)
        share = torch.from_numpy(np.isnan(raw).mean(axis=2)).float()
        assert share[0].tolist() == [0.25, 0.0, 1.0]
        output, features = output_in_training(clf, tensors(X), {"raw": share})
        logits = body_of(clf).nan_heads["raw"].linear(features["raw"]).detach()
        prob = torch.sigmoid(logits)
        cost = -(share * prob.log() + (1 - share) * (1 - prob).log()).mean()
        expected = kl(output.logits, data.fractions) + 0.4 * float(cost)
        assert clf.history_["train_loss"][0] == pytest.approx(expected, rel=1e-4)

    def test_nan_with_one_array_and_a_shared_frontend(self, data):
        raw = data.X.copy()
        raw[::2, 0, :32] = np.nan
        branches = [("a", raw_branch()), ("b", raw_branch(frontend=Decimator(2)))]
        clf = MultiViewClassifier(
            branches,
            frontend=NaNImputer(),
            nan_loss=["a", "b"],
            **{**TRAINING, **STILL, "aux": False},
        ).fit(raw, data.votes)
        share = torch.from_numpy(np.isnan(raw).mean(axis=2)).float()
        shares = {"a": share, "b": share}
        output, _ = output_in_training(clf, torch.from_numpy(raw), shares)
        expected = kl(output.logits, data.fractions) + float(output.losses["nan"])
        assert clf.history_["train_loss"][0] == pytest.approx(expected, rel=1e-4)

    def test_blanked_by_an_augmentation(self, views, data, spied):
        """What an augmentation takes away counts as missing."""
        blank = (
            "random_nan_blocks",
            {"views": ["raw"], "n_blocks": 1, "n_channels": 1, "p": 1.0},
        )
        clf = two_branches(
            max_epochs=1, nan_loss=["raw"], augment=[blank, Spy(), Spy(True)]
        )
        clf.set_params(raw__frontend=NaNImputer()).fit(views, data.votes)
        assert len(spied) == 12
        for after, batch in spied:
            gaps = torch.isnan(batch["x"]["raw"]).any(dim=2).sum(dim=1)
            assert (gaps == (0 if after else 1)).all()
            assert not torch.isnan(batch["x"]["image"]).any()
            if after:
                assert (batch["nan_share"]["raw"].gt(0).sum(dim=1) == 1).all()


class TestAugmentation:
    def test_names_before_and_behind_the_frontends(self, data, spied):
        branches = [
            ("whole", raw_branch()),
            ("short", raw_branch(frontend=Decimator(2))),
        ]
        clf = MultiViewClassifier(
            branches,
            views={"whole": "eeg", "short": "eeg"},
            augment=[Spy(True), Spy()],
            **{**TRAINING, "max_epochs": 1},
        ).fit({"eeg": data.X}, data.votes)
        assert [after for after, _ in spied] == 6 * [False, True]
        for after, batch in spied:
            shapes = {name: tuple(x.shape[1:]) for name, x in batch["x"].items()}
            behind = {"whole": (3, 128), "short": (3, 64)}
            assert shapes == (behind if after else {"eeg": (3, 128)})
        assert clf.predict_proba({"eeg": data.X[:2]}).shape == (2, 6)

    @pytest.mark.parametrize("after", [False, True])
    def test_one_draw_for_all_views(self, after, data, spied):
        """Windows of both views are mixed with the same partners in the same shares."""
        number = np.arange(48, dtype=np.float32)
        raw = np.broadcast_to(number[:, None, None], (48, 3, 128))
        image = np.broadcast_to(10 * number[:, None, None, None], (48, 3, 32, 32))
        # Fractions that tell which window a row comes from.
        votes = np.zeros((48, 6))
        votes[:, 0], votes[:, 1] = number, 47 - number
        mixup = ("mixup", {"p": 1.0, "after_frontend": after})
        clf = two_branches(max_epochs=1, augment=[mixup, Spy(after)])
        clf.fit(WindowViews(raw=raw, image=image), votes)
        assert len(spied) == 6
        values = []
        for _, batch in spied:
            mixed = batch["x"]["raw"][:, 0, 0]
            values.append(mixed)
            torch.testing.assert_close(batch["x"]["image"][:, 1, 2, 3], 10 * mixed)
            torch.testing.assert_close(batch["fractions"][:, 0], mixed / 47)
        values = torch.cat(values)
        assert (values != values.round()).float().mean() > 0.5  # mixed in truth

    def test_of_one_view_only(self, views, data, spied):
        flip = ("polarity_flip", {"views": ["raw"], "p": 1.0})
        clf = two_branches(max_epochs=1, batch_size=48, augment=[flip, Spy()])
        clf.fit(views, data.votes)
        [(_, batch)] = spied
        assert sorted(batch["x"]["raw"].sum(dim=(1, 2)).tolist()) == pytest.approx(
            sorted(-views["raw"].sum(axis=(1, 2))), abs=1e-2
        )
        assert sorted(batch["x"]["image"].sum(dim=(1, 2, 3)).tolist()) == pytest.approx(
            sorted(views["image"].sum(axis=(1, 2, 3))), rel=1e-4
        )

    def test_unknown_view(self, views, data):
        clf = two_branches(augment=[("polarity_flip", {"views": ["spec"]})])
        with pytest.raises(ValueError, match="no view 'spec'"):
            clf.fit(views, data.votes)

    def test_window_jitter_of_one_view(self, views, data, spied):
        cut = ("window_jitter", {"n_times": 96, "views": ["raw"]})
        clf = two_branches(max_epochs=1, augment=[cut, Spy()]).fit(views, data.votes)
        assert branch_of(clf, "raw").n_times == 96
        assert spied[0][1]["x"]["raw"].shape == (8, 3, 96)
        middle = {"raw": views["raw"].copy(), "image": views["image"]}
        middle["raw"][..., :16] = 0
        middle["raw"][..., 112:] = 0
        assert np.array_equal(clf.predict_proba(middle), clf.predict_proba(views))


class TestTraining:
    def test_everything_together(self, views, data, more_views, more_data):
        clf = two_branches(
            max_epochs=4,
            contrastive=("raw", "image"),
            nan_loss=["raw"],
            fusion="attention",
            fusion_width=32,
            augment=[("random_nan_blocks", {"views": ["raw"], "n_channels": 1})],
            ema=0.9,
            backbone_lr=2e-3,
            clip_grad=5.0,
            stages=[{"max_epochs": 3}, {"max_epochs": 2, "min_votes": 6, "lr": 1e-3}],
        )
        clf.set_params(raw__frontend=NaNImputer(), raw__input_norm="window")
        clf.fit(views, data.votes)
        assert clf.history_["stage"].tolist() == [1, 1, 1, 2, 2]
        assert -clf.score(more_views, more_data.votes) < more_data.baseline_kl

    def test_rates_by_depth(self, views, data):
        clf = two_branches(layer_decay=0.8, max_epochs=1).fit(views, data.votes)
        assert clf.n_iter_ == 1

    def test_gradient_checkpointing(self, fitted, views, data):
        clf = two_branches(grad_checkpointing=True)
        prob = clf.fit(views, data.votes).predict_proba(views)
        np.testing.assert_allclose(prob, fitted.predict_proba(views), atol=1e-5)

    def test_same_seed_same_result(self, fitted, views, data):
        again = two_branches().fit(views, data.votes)
        assert np.array_equal(again.predict_proba(views), fitted.predict_proba(views))
        other = two_branches(random_state=1).fit(views, data.votes)
        assert not np.array_equal(
            other.predict_proba(views), fitted.predict_proba(views)
        )

    def test_partial_fit(self, views, data):
        clf = two_branches()
        first = clf.partial_fit(views, data.votes).predict_proba(views)
        second = clf.partial_fit(views, data.votes).predict_proba(views)
        assert not np.array_equal(first, second)

    def test_warm_start(self, views, data):
        clf = two_branches(**{**STILL, "warm_start": True}).fit(views, data.votes)
        before = body_of(clf).state_dict()
        before = {k: v.clone() for k, v in before.items() if "running" not in k}
        clf.fit(views, data.votes)
        for name, value in before.items():
            if "num_batches" not in name:
                torch.testing.assert_close(body_of(clf).state_dict()[name], value)

    def test_goes_on_after_a_crash(self, views, data, tmp_path):
        class PowerFailure(Callback):
            def on_epoch_end(self, net, **kwargs):
                if len(net.history) == 2:
                    raise RuntimeError("power failure")

        plain = two_branches(max_epochs=3).fit(views, data.votes)
        params = {"checkpoint": tmp_path, "max_epochs": 3}
        broken = two_branches(**params, callbacks=[PowerFailure()])
        with pytest.raises(RuntimeError, match="power failure"):
            broken.fit(views, data.votes)
        resumed = two_branches(**params, resume=True).fit(views, data.votes)
        assert np.array_equal(resumed.predict_proba(views), plain.predict_proba(views))


class TestSaving:
    def test_joblib(self, fitted, views, tmp_path):
        joblib.dump(fitted, tmp_path / "clf.joblib")
        again = joblib.load(tmp_path / "clf.joblib")
        assert np.array_equal(again.predict_proba(views), fitted.predict_proba(views))
        assert again.input_shape_ == fitted.input_shape_
        with pytest.raises(ValueError, match="was fitted on windows of shape"):
            again.predict_proba(views["raw"])

    def test_with_frontends(self, data):
        branches = [
            ("raw", raw_branch(frontend=NaNImputer())),
            ("short", raw_branch(frontend=Pipeline([("half", Decimator(2))]))),
        ]
        clf = MultiViewClassifier(branches, nan_loss=["raw"], **TRAINING)
        clf.set_params(short__frontend__half__factor=4)
        clf.set_params(short__frontend=make_pipeline(NaNImputer(), Decimator(4)))
        clf.fit(data.X, data.votes)
        file = io.BytesIO()
        joblib.dump(clf, file)
        file.seek(0)
        again = joblib.load(file)
        assert np.array_equal(again.predict_proba(data.X), clf.predict_proba(data.X))


class TestWithScikitLearn:
    def test_cross_validation_by_patient(self, views, data):
        scores = cross_val_score(
            two_branches(),
            views,
            data.votes,
            groups=data.groups,
            cv=GroupKFold(3),
            error_score="raise",
        )
        assert scores.shape == (3,)
        assert (-scores < data.baseline_kl).all()

    def test_pipeline_from_files(self, hms_root):
        """From the rows of train.csv to branches, files read by each view."""
        hms = load_hms(hms_root, "train")
        union = ViewUnion(
            [
                ("raw", make_pipeline(HMSReader(), NaNImputer(), Decimator(50))),
                (
                    "image",
                    make_pipeline(
                        HMSReader(view="spectrogram"),
                        KaggleSpectrogramImager(width=64, height=100),
                    ),
                ),
            ]
        )
        pipe = make_pipeline(union, two_branches(max_epochs=1, batch_size=4))
        pipe.fit(hms.data[:12], hms.target[:12])
        prob = pipe.predict_proba(hms.data[:12])
        assert prob.shape == (12, 6)
        assert pipe[-1].input_shape_["raw"] == (20, 200)
        assert set(pipe[-1].input_shape_) == {"raw", "image"}
        file = io.BytesIO()
        joblib.dump(pipe, file)
        file.seek(0)
        np.testing.assert_allclose(
            joblib.load(file).predict_proba(hms.data[:12]), prob, atol=1e-6
        )

    def test_member_of_a_stack(self, views, data):
        alone = make_pipeline(
            FunctionTransformer(operator.itemgetter("raw")), raw_branch(**TRAINING)
        )
        stack = StackingKLClassifier(
            [("alone", alone), ("both", two_branches())], cv=GroupKFold(2)
        )
        stack.fit(views, data.votes, groups=data.groups)
        assert set(stack.member_kl_) == {"alone", "both"}
        assert stack.kl_ < data.baseline_kl
        np.testing.assert_allclose(stack.predict_proba(views).sum(axis=1), 1)

    def test_html(self, fitted):
        html = estimator_html_repr(fitted)
        for word in ("MultiViewClassifier", "WaveformClassifier", "raw", "image"):
            assert word in html
        assert "TimmClassifier" in repr(fitted)

    def test_tags(self):
        tags = get_tags(two_branches())
        assert tags.estimator_type == "classifier"
        assert tags.input_tags.dict
        assert tags.input_tags.three_d_array
        assert not tags.input_tags.two_d_array
        assert not tags.input_tags.allow_nan
        assert get_tags(two_branches(frontend=NaNImputer())).input_tags.allow_nan
