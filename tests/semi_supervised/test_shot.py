"""SHOTClassifier: what is adapted, what is left alone, and whether it helps."""

import copy

import joblib
import numpy as np
import pytest
import sklearn
import torch
from shifted_windows import rhythms, small_net
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from hmsklearn.metrics import kl_divergence, kl_scorer
from hmsklearn.neural import MultiViewClassifier, TimmClassifier
from hmsklearn.preprocessing import AmplitudeScaler
from hmsklearn.semi_supervised import (
    HMS_CLASS_PRIOR,
    PseudoLabelClassifier,
    SHOTClassifier,
)
from hmsklearn.testing import check_signal_estimator, make_check_data
from hmsklearn.views import WindowViews
from hmsklearn.votes import CLASSES

X, Y, _ = rhythms(0)
TARGET = rhythms(1, gain=2.5, offset=1.0)
FEW = TARGET[0][:40]


@pytest.fixture(scope="module")
def source():
    return small_net(max_epochs=12).fit(X, Y)


def shot(source, **params):
    params = {"max_epochs": 3, "random_state": 0, **params}
    return SHOTClassifier(FrozenEstimator(source), **params)


def state_of(estimator):
    state = estimator.net_.module_.state_dict()
    return {name: value.clone() for name, value in state.items()}


def kl_of(estimator, windows):
    return kl_divergence(windows[2], estimator.predict_proba(windows[0]))


def accuracy(estimator, windows):
    return (
        estimator.predict_proba(windows[0]).argmax(1) == windows[2].argmax(1)
    ).mean()


# Whether it helps ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "shift",
    [
        {"gain": 2.5, "offset": 1.0},
        {"gain": 0.4},
        {"gain": 0.5, "offset": 0.5, "noise": 0.5},
    ],
    ids=str,
)
def test_another_amplifier(source, shift):
    target, unseen = rhythms(1, **shift), rhythms(2, **shift)
    adapted = shot(source, max_epochs=8).adapt(target[0])
    assert kl_of(source, target) > 0.5
    for windows in (target, unseen):
        assert kl_of(adapted, windows) < 0.25 * kl_of(source, windows)
        assert accuracy(adapted, windows) > 0.9
        assert accuracy(adapted, windows) > accuracy(source, windows) + 0.1


def test_training_helps_beyond_the_batch_norms(source):
    """Without a loss only the statistics of batch norms follow the new windows."""
    target, unseen = rhythms(1, noise=0.9), rhythms(2, noise=0.9)
    params = {"max_epochs": 15, "lr": 0.02}
    nothing = {"beta": 0, "entropy_weight": 0, "diversity_weight": 0}
    still = shot(source, weight_decay=0, **nothing, **params).adapt(target[0])
    trained = shot(source, **params).adapt(target[0])
    assert kl_of(still, target) < kl_of(source, target)
    assert kl_of(trained, target) < 0.75 * kl_of(still, target)
    assert kl_of(trained, unseen) < 0.9 * kl_of(still, unseen)


def test_a_floor_keeps_predictions_as_undecided_as_votes(source):
    params = {"max_epochs": 15, "lr": 0.05}
    surer = shot(source, **params).adapt(TARGET[0])
    floored = shot(source, entropy_floor=0.55, **params).adapt(TARGET[0])
    entropy = [one.history_["entropy"].iloc[-1] for one in (surer, floored)]
    assert entropy[0] < 0.3 < entropy[1]
    assert kl_of(floored, TARGET) < 0.7 * kl_of(surer, TARGET)


def test_soft_centroid_labels_cost_less_than_hard_ones(source):
    params = {"entropy_weight": 0, "beta": 1.0, "max_epochs": 8, "lr": 0.02}
    hard = shot(source, centroid_labels="hard", **params).adapt(TARGET[0])
    soft = shot(source, **params).adapt(TARGET[0])
    assert kl_of(soft, TARGET) < kl_of(hard, TARGET)
    entropy = [one.history_["entropy"].iloc[-1] for one in (hard, soft)]
    assert entropy[0] < entropy[1]


def test_a_prior_keeps_rare_classes_rare(source):
    chances = np.array([0.02, 0.02, 0.02, 0.02, 0.02, 0.9])
    target = rhythms(1, gain=2.5, chances=chances)
    mean = target[2].mean(axis=0)
    params = {"max_epochs": 8, "lr": 0.02, "diversity_weight": 3.0}
    even = shot(source, **params).adapt(target[0])
    told = shot(source, class_prior=mean, **params).adapt(target[0])
    far = [
        np.abs(one.predict_proba(target[0]).mean(axis=0) - mean).sum()
        for one in (even, told)
    ]
    assert far[1] < 0.7 * far[0]
    assert kl_of(told, target) < kl_of(even, target)


def test_statistics_of_the_input(source):
    plain, adapted = (
        shot(source, adapt_input_norm=flag, max_epochs=1).adapt(TARGET[0])
        for flag in (False, True)
    )
    norm = adapted.estimator_.net_.module_.norm
    assert norm.mean.item() == pytest.approx(TARGET[0].mean(), rel=1e-4)
    assert norm.std.item() == pytest.approx(TARGET[0].std(), rel=1e-4)
    assert plain.estimator_.net_.module_.norm.mean.item() == pytest.approx(
        source.net_.module_.norm.mean.item()
    )
    assert kl_of(adapted, TARGET) < kl_of(source, TARGET)
    windowed = small_net(input_norm="window", max_epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match="adapt_input_norm"):
        shot(windowed, adapt_input_norm=True).adapt(FEW)


# What is left alone -------------------------------------------------------------------


@pytest.mark.parametrize(
    "head", [None, {"hidden": 8, "drop_rate": 0.5, "n_samples": 3}]
)
def test_the_head_stays_bit_by_bit(head):
    source = small_net(head=head, max_epochs=2).fit(X, Y)
    before = state_of(source)
    adapted = shot(source, lr=0.05).adapt(FEW)
    after = state_of(adapted.estimator_)
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert not {name for name in moved if name.startswith("body.head")}
    assert {name for name in before if name.startswith("body.head")}
    assert {name for name in moved if name.endswith("running_mean")}
    convolutions = {name for name, value in before.items() if value.ndim == 3}
    assert convolutions <= moved
    assert not {name for name in moved if name.startswith("norm.")}


def test_the_source_stays_bit_by_bit(source):
    before, expected = state_of(source), source.predict_proba(FEW)
    adapted = shot(source, lr=0.05).adapt(FEW)
    for one in (source, adapted.source_):
        after = state_of(one)
        assert all(torch.equal(before[name], after[name]) for name in before)
        np.testing.assert_array_equal(one.predict_proba(FEW), expected)
        assert all(p.requires_grad for p in one.net_.module_.parameters())
    assert adapted.source_ is not source
    assert (adapted.predict_proba(FEW) != expected).any()
    assert all(p.requires_grad for p in adapted.estimator_.net_.module_.parameters())


def test_input_is_not_written(source):
    closed = FEW.copy()
    closed.setflags(write=False)
    shot(source).adapt(closed)
    np.testing.assert_array_equal(closed, FEW)


def test_bit_by_bit_reproducible_and_from_the_source_each_time(source):
    state = torch.get_rng_state()
    first = shot(source).adapt(FEW)
    expected = first.predict_proba(FEW)
    torch.rand(3)
    np.testing.assert_array_equal(shot(source).adapt(FEW).predict_proba(FEW), expected)
    np.testing.assert_array_equal(first.adapt(FEW).predict_proba(FEW), expected)
    other = shot(source, random_state=1).adapt(FEW)
    assert (other.predict_proba(FEW) != expected).any()
    torch.set_rng_state(state)
    shot(source).adapt(FEW)
    assert torch.equal(torch.get_rng_state(), state)


# An estimator like any other ----------------------------------------------------------


def test_fit_then_adapt_is_fit_with_a_target(source):
    net = small_net(max_epochs=2)
    together = SHOTClassifier(net, max_epochs=2, random_state=0)
    together.fit(X, Y, X_target=FEW)
    apart = clone(together).fit(X, Y)
    assert apart.estimator_ is apart.source_
    assert apart.history_.empty
    np.testing.assert_array_equal(
        apart.predict_proba(X), clone(net).fit(X, Y).predict_proba(X)
    )
    apart.adapt(FEW)
    np.testing.assert_array_equal(apart.predict_proba(FEW), together.predict_proba(FEW))
    columns = ["epoch", "loss", "entropy", "divergence", "pseudo_loss", "moved"]
    assert list(apart.history_) == columns
    assert len(apart.history_) == 2
    assert apart.n_features_in_ == 2
    assert apart.classes_.tolist() == list(CLASSES)
    assert not hasattr(net, "net_")


def test_a_fitted_estimator_needs_no_fit(source):
    plain = SHOTClassifier(copy.deepcopy(source), max_epochs=3, random_state=0)
    np.testing.assert_array_equal(
        plain.adapt(FEW).predict_proba(FEW), shot(source).adapt(FEW).predict_proba(FEW)
    )
    frozen = shot(source).fit(X, Y)
    np.testing.assert_array_equal(frozen.predict_proba(X), source.predict_proba(X))


def test_another_estimator_is_another_source(source, tmp_path):
    """Not the net that was given before, also where the classifier was dumped."""
    other = small_net(max_epochs=1, random_state=5).fit(X, Y)
    clf = shot(source).adapt(FEW)
    joblib.dump(clf, tmp_path / "clf.joblib")
    loaded = joblib.load(tmp_path / "clf.joblib")
    kept = loaded.source_
    assert loaded.adapt(FEW).source_ is kept
    for one in (clf, loaded):
        one.set_params(estimator=FrozenEstimator(other)).adapt(FEW)
        np.testing.assert_array_equal(
            one.predict_proba(FEW), shot(other).adapt(FEW).predict_proba(FEW)
        )
        np.testing.assert_array_equal(
            one.source_.predict_proba(FEW), other.predict_proba(FEW)
        )
    clf.set_params(estimator=small_net())
    with pytest.raises(NotFittedError, match="no source_ is made of it"):
        clf.adapt(FEW)


def test_a_frozen_source_is_a_copy(source):
    given = copy.deepcopy(source)
    clf = shot(given).fit(X, Y)
    before = clf.predict_proba(X)
    given.set_params(random_state=7).fit(X, Y)
    assert not np.array_equal(given.predict_proba(X), before)
    np.testing.assert_array_equal(clf.predict_proba(X), before)


def test_dumps_and_loads(source, tmp_path):
    adapted = shot(source).adapt(FEW)
    for what in (adapted, adapted.estimator_):
        joblib.dump(what, tmp_path / "clf.joblib")
        loaded = joblib.load(tmp_path / "clf.joblib")
        np.testing.assert_array_equal(
            loaded.predict_proba(FEW), adapted.predict_proba(FEW)
        )
    again = joblib.load(tmp_path / "clf.joblib")
    again.set_params(weights=None, max_epochs=1).fit(X, Y)


def test_onnx_follows_the_weights(source):
    pytest.importorskip("onnxruntime")
    onnx = copy.deepcopy(source).set_params(engine="onnx")
    onnx.predict_proba(FEW)
    adapted = shot(onnx, lr=0.05).adapt(FEW)
    with_torch = copy.deepcopy(adapted.estimator_).set_params(engine="torch")
    np.testing.assert_allclose(
        adapted.predict_proba(FEW), with_torch.predict_proba(FEW), atol=1e-5
    )


def test_in_a_pipeline_and_around_one():
    scale = AmplitudeScaler(scale=2.0)
    net = small_net(max_epochs=2)
    around = SHOTClassifier(make_pipeline(scale, net), max_epochs=2, random_state=0)
    around.fit(X, Y, X_target=FEW)
    alone = SHOTClassifier(net, max_epochs=2, random_state=0)
    scaled = scale.fit_transform(X), scale.transform(FEW)
    alone.fit(scaled[0], Y, X_target=scaled[1])
    np.testing.assert_array_equal(
        around.predict_proba(FEW), alone.predict_proba(scaled[1])
    )
    within = make_pipeline(scale, clone(alone))
    within.fit(X, Y, shotclassifier__X_target=scaled[1])
    np.testing.assert_array_equal(within.predict_proba(FEW), around.predict_proba(FEW))


def test_images(rng):
    X = rng.normal(size=(24, 2, 32, 32)).astype(np.float32)
    y = np.eye(6, dtype=int)[np.arange(24) % 6] * 10
    net = TimmClassifier(
        "test_efficientnet", max_epochs=1, batch_size=8, random_state=0, device="cpu"
    ).fit(X, y)
    before = state_of(net)
    adapted = shot(net, max_epochs=1, batch_size=8).adapt(3 * X)
    after = state_of(adapted.estimator_)
    head = [name for name in before if name.startswith("body.head")]
    assert head
    assert all(torch.equal(before[name], after[name]) for name in head)
    assert adapted.predict_proba(X).shape == (24, 6)


def test_several_views():
    views = WindowViews(near=X, far=X[:, :, ::2].copy())
    more = WindowViews(near=FEW, far=FEW[:, :, ::2].copy())
    branches = [("near", small_net()), ("far", small_net())]
    net = MultiViewClassifier(
        branches, max_epochs=1, batch_size=16, random_state=0, device="cpu"
    )
    adapted = SHOTClassifier(net, max_epochs=2, random_state=0)
    adapted.fit(views, Y, X_target=more)
    assert len(adapted.history_) == 2
    assert adapted.predict_proba(more).shape == (40, 6)


@pytest.mark.parametrize("routing", [False, True])
def test_cross_validation_with_metadata(routing):
    patient = np.arange(120) // 4
    weight = np.linspace(1, 2, 120)
    with sklearn.config_context(enable_metadata_routing=routing):
        net = small_net(max_epochs=1)
        clf = SHOTClassifier(net, max_epochs=1, random_state=0)
        outer = {"groups": patient}
        if routing:
            net.set_fit_request(sample_weight=True)
            clf.set_fit_request(sample_weight=True)
            outer = {}
        params = {"groups": patient, "sample_weight": weight, "X_target": FEW}
        kl = kl_scorer.set_score_request(sample_weight=False) if routing else kl_scorer
        scores = cross_val_score(
            clf,
            X,
            Y,
            cv=GroupKFold(2),
            scoring=kl,
            params=params,
            error_score="raise",
            **outer,
        )
    expected = []
    for train, test in GroupKFold(2).split(X, Y, patient):
        alone = small_net(max_epochs=1).fit(X[train], Y[train], weight[train])
        adapted = SHOTClassifier(FrozenEstimator(alone), max_epochs=1, random_state=0)
        expected.append(adapted.adapt(FEW).score(X[test], Y[test]))
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


class AdaptedToTraining(SHOTClassifier):
    """Adapts to what it is trained on, so that checks of ``fit`` see the adaptation."""

    def fit(self, X, y, sample_weight=None, groups=None):
        return super().fit(X, y, sample_weight, groups, X_target=X)


@pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")
@pytest.mark.filterwarnings("ignore:.*is larger than the data")
def test_conventions_hold_after_adaptation():
    net = small_net(max_epochs=1, batch_size=8)
    clf = AdaptedToTraining(net, max_epochs=1, batch_size=8)
    data = make_check_data("windows", shape=(2, 64))
    results = check_signal_estimator(clf, data=data)
    assert {result["status"] for result in results} == {"passed"}


# As a student -------------------------------------------------------------------------


def two_kinds_of_votes(n_many=36, n_few=36):
    """Twelve votes on some windows, two on others that the raters hardly look at."""
    good, poor = rhythms(0, n_many, noise=0.5), rhythms(50, n_few, noise=0.5)
    rng = np.random.default_rng(0)
    few = np.array([rng.multinomial(2, 0.28 * p + 0.12) for p in poor[2]])
    X = np.concatenate([good[0], poor[0]])
    return X, np.concatenate([good[1], few]), np.arange(n_many + n_few) // 3


def test_a_net_learns_from_pseudo_labels():
    X, y, patient = two_kinds_of_votes(60, 120)
    test = rhythms(99, 120, noise=0.5)
    net = small_net(max_epochs=12)
    many = y.sum(axis=1) >= 10
    alone = clone(net).fit(X[many], y[many])
    together = clone(net).fit(X, y)
    clf = PseudoLabelClassifier(net, teacher_cv="all").fit(X, y, groups=patient)
    history = clf.estimator_.history_["train_loss"]
    assert history.iloc[-1] < 0.3 * history.iloc[0]
    assert kl_of(clf, test) < 0.9 * kl_of(alone, test)
    assert kl_of(clf, test) < 0.5 * kl_of(together, test)


def test_nets_in_workers_give_the_same_bits():
    X, y, patient = two_kinds_of_votes()
    net = small_net(max_epochs=1)
    with joblib.parallel_config(backend="threading"):
        one, two = (
            PseudoLabelClassifier(net, teacher_cv=2, n_jobs=n_jobs)
            .fit(X, y, groups=patient)
            .predict_proba(FEW)
            for n_jobs in (None, 2)
        )
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "params",
    [
        {"vote_weight": "linear"},
        {"head": {"vote_threshold": 10}},
        {"stages": [{"max_epochs": 1}, {"min_votes": 10, "max_epochs": 1}]},
        {"stages": [{"vote_weight": "log", "max_epochs": 1}]},
        {"sampling": "votes"},
        {"target": "eeg_votes"},
        {"loss": "dirichlet_multinomial"},
        {"validation_min_votes": 10},
    ],
    ids=str,
)
def test_a_student_that_needs_votes_is_refused_early(params):
    X, y, patient = two_kinds_of_votes()
    student = small_net(**params)
    for estimator in (student, make_pipeline(AmplitudeScaler(), student)):
        with pytest.raises(ValueError, match="how many votes they stand for"):
            PseudoLabelClassifier(estimator, teachers=small_net()).fit(
                X, y, groups=patient
            )


def test_teachers_may_need_votes():
    X, y, patient = two_kinds_of_votes()
    teacher = small_net(max_epochs=1, vote_weight="linear")
    clf = PseudoLabelClassifier(
        small_net(max_epochs=1), teachers=teacher, teacher_cv=2, pseudo_weight=0.5
    )
    clf.fit(X, y, groups=patient)
    assert clf.n_pseudo_ == 36


def test_a_student_that_stops_early_gets_groups():
    X, y, patient = two_kinds_of_votes()
    student = small_net(max_epochs=2, early_stopping=True, validation_fraction=0.2)
    clf = PseudoLabelClassifier(student, teachers=small_net(max_epochs=1), teacher_cv=2)
    clf.fit(X, y, groups=patient, estimator__groups=patient)
    assert clf.estimator_.history_["valid_kl"].notna().all()


# What it refuses ----------------------------------------------------------------------


def test_not_fitted(source):
    clf = SHOTClassifier(small_net())
    with pytest.raises(NotFittedError, match="nothing to adapt"):
        clf.adapt(FEW)
    with pytest.raises(NotFittedError):
        clf.predict_proba(FEW)
    with pytest.raises(TypeError, match="neural classifier"):
        SHOTClassifier(LogisticRegression()).fit(X[:, 0], Y.argmax(axis=1))


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"beta": -1}, "beta"),
        ({"entropy_weight": -1}, "entropy_weight"),
        ({"entropy_floor": np.nan}, "entropy_floor"),
        ({"diversity_weight": "much"}, "diversity_weight"),
        ({"lr": 0}, "lr"),
        ({"weight_decay": -1}, "weight_decay"),
        ({"max_epochs": 0}, "max_epochs"),
        ({"batch_size": 1}, "batch_size"),
        ({"centroid_labels": "firm"}, "centroid_labels"),
        ({"class_prior": "hsm"}, "class_prior.*hms"),
        ({"class_prior": [0.5, 0.5]}, "class_prior has shape"),
        ({"class_prior": [0, 0.2, 0.2, 0.2, 0.2, 0.2]}, "above zero"),
        ({"class_prior": [0.5] * 6}, "sums to 3"),
        ({"optimizer": "sdg"}, "optimizer"),
    ],
)
def test_wrong_parameters(source, params, match):
    with pytest.raises(ValueError, match=f"SHOTClassifier.*{match}"):
        shot(source, **params).adapt(FEW)


def test_wrong_windows(source):
    for windows, match in (
        (FEW[:1], "1 windows"),
        (FEW[:, :1], "channels|shape"),
        (FEW[:, :, :32], "shape"),
        (np.full_like(FEW, np.nan), "NaN"),
    ):
        with pytest.raises(ValueError, match=match):
            shot(source).adapt(windows)
    with pytest.raises(ValueError, match="Lower lr"):
        shot(source, lr=1e30).adapt(FEW)
    with pytest.raises(TypeError, match="unexpected"):
        SHOTClassifier(small_net()).fit(X, Y, colour=1)


def test_the_prior_of_the_competition(source):
    assert sum(HMS_CLASS_PRIOR) == pytest.approx(1)
    named, given = (
        shot(source, class_prior=prior, max_epochs=1).adapt(FEW).predict_proba(FEW)
        for prior in ("hms", HMS_CLASS_PRIOR)
    )
    np.testing.assert_array_equal(named, given)
    inferred = small_net(classes="infer", max_epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match="class_prior='hms' is for the classes"):
        shot(inferred, class_prior="hms").adapt(FEW)


class NoParts(torch.nn.Module):
    """A net that does not tell its features from its head."""

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.head = torch.nn.Linear(n_chans * n_times, n_outputs)
        self.stem = torch.nn.Linear(n_chans * n_times, n_chans * n_times)

    def forward(self, x):
        return self.head(self.stem(x.flatten(1)))


class OtherPath(NoParts):
    """A net whose forward is more than its two parts."""

    def forward_features(self, x):
        return x.flatten(1)

    def forward_head(self, x, pre_logits=False):
        return x if pre_logits else self.head(x)


@pytest.mark.parametrize(
    ("net", "match"),
    [(NoParts, "no forward_features"), (OtherPath, "are not those of")],
)
def test_nets_without_two_parts_are_refused(net, match):
    source = small_net(architecture=net, architecture_params=None, max_epochs=1)
    source.fit(X, Y)
    with pytest.raises(ValueError, match=match):
        shot(source).adapt(FEW)


def test_progress_is_told(source, capsys):
    shot(source, verbose=1).adapt(FEW)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "epoch 1/3" in lines[0]
