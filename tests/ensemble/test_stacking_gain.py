"""What a stack says that it gains, and rare classes that count more in its blend."""

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import GroupKFold
from soft_labels import SoftLogistic, Spy, make_votes

from hmsklearn.ensemble import KLBlender, StackingKLClassifier
from hmsklearn.ensemble._cross_fit import Target
from hmsklearn.ensemble._gain import Answers, estimate_gain
from hmsklearn.ensemble._upsample import upsampled_weight
from hmsklearn.metrics import kl_divergence
from hmsklearn.votes import CLASSES, check_votes

X, Y, PATIENT = make_votes(n_rows=160, n_patients=14)
WEIGHT = np.random.default_rng(0).uniform(0.1, 3, size=160)
SHARE = Y / Y.sum(axis=1, keepdims=True)
FOLDS = list(GroupKFold(4).split(X, Y, PATIENT))


def stack_of(**kwargs):
    members = [
        ("left", SoftLogistic(columns=[0, 1])),
        ("right", SoftLogistic(columns=[2, 3])),
        ("all", SoftLogistic(C=0.01)),
    ]
    kwargs = {"cv": GroupKFold(4), "store_oof": True, "random_state": 0, **kwargs}
    return StackingKLClassifier(members, **kwargs)


@pytest.fixture(scope="module")
def fitted():
    return stack_of().fit(X, Y, groups=PATIENT)


def crossed_by_hand(oof, weight=None):
    proba = np.empty((160, 6))
    for train, test in FOLDS:
        w = None if weight is None else weight[train]
        blender = KLBlender().fit(oof[train], Y[train], sample_weight=w)
        proba[test] = blender.predict_proba(oof[test])
    return proba


# Gain --------------------------------------------------------------------------------


def test_gain_of_the_cross_fitted_blend(fitted):
    gain, oof = fitted.gain_, fitted.oof_
    assert gain.kl == pytest.approx(fitted.kl_)
    assert gain.kl_mean == pytest.approx(kl_divergence(Y, oof.mean(axis=1)))
    best = np.empty((160, 6))
    for number, (train, test) in enumerate(FOLDS):
        kl = [kl_divergence(Y[train], oof[train, m]) for m in range(3)]
        chosen = int(np.argmin(kl))
        best[test] = oof[test, chosen]
        assert gain.folds["best_member"][number] == ["left", "right", "all"][chosen]
        assert gain.folds["kl_best_member"][number] == pytest.approx(
            kl_divergence(Y[test], oof[test, chosen])
        )
        assert gain.folds["kl_mean"][number] == pytest.approx(
            kl_divergence(Y[test], oof[test].mean(axis=1))
        )
    assert gain.kl_best_member == pytest.approx(kl_divergence(Y, best))
    assert gain.over_best_member == pytest.approx(gain.kl_best_member - gain.kl)
    assert gain.over_mean == pytest.approx(gain.kl_mean - gain.kl)
    np.testing.assert_array_equal(gain.folds["kl"], fitted.cv_results_["kl"])
    np.testing.assert_allclose(
        gain.folds["over_mean"], gain.folds["kl_mean"] - gain.folds["kl"]
    )


def test_interval_is_a_bootstrap_of_patients(fitted):
    """Against drawing the rows of whole patients one draw at a time."""
    gain, oof = fitted.gain_, fitted.oof_
    rows = kl_divergence(Y, oof.mean(axis=1), average=None) - kl_divergence(
        Y, crossed_by_hand(oof), average=None
    )
    rng = np.random.default_rng(0)
    names = np.unique(PATIENT)
    parts = [rows[name == PATIENT] for name in names]
    means = []
    for _ in range(4000):
        drawn = rng.integers(len(names), size=len(names))
        means.append(np.concatenate([parts[k] for k in drawn]).mean())
    low, high = np.quantile(means, [0.025, 0.975])
    spread = high - low
    found = gain.over_mean_interval
    np.testing.assert_allclose(found, [low, high], atol=0.12 * spread)
    assert found[0] < gain.over_mean < found[1]
    # Rows of a patient go together, so it is not the interval of drawn rows.
    alone = stack_of(cv=FOLDS).fit(X, Y).gain_.over_mean_interval
    assert np.ptp(alone) != pytest.approx(np.ptp(found), rel=0.02)


def test_interval_depends_on_the_seed_alone(fitted):
    again = stack_of().fit(X, Y, groups=PATIENT)
    other = stack_of(random_state=1).fit(X, Y, groups=PATIENT)
    np.testing.assert_array_equal(
        again.gain_.over_mean_interval, fitted.gain_.over_mean_interval
    )
    assert (other.gain_.over_mean_interval != fitted.gain_.over_mean_interval).any()
    none = stack_of(n_bootstrap=0).fit(X, Y, groups=PATIENT)
    assert np.isnan(none.gain_.over_best_member_interval).all()
    assert none.gain_.over_mean == fitted.gain_.over_mean


def test_gain_is_weighted():
    stack = stack_of().fit(X, Y, groups=PATIENT, sample_weight=WEIGHT)
    mean = stack.oof_.mean(axis=1)
    assert stack.gain_.kl_mean == pytest.approx(
        kl_divergence(Y, mean, sample_weight=WEIGHT)
    )
    low, high = stack.gain_.over_mean_interval
    assert low < stack.gain_.over_mean < high


def test_a_single_member_gains_nothing():
    stack = StackingKLClassifier([("a", SoftLogistic())], cv=4).fit(X, Y, PATIENT)
    assert stack.gain_.over_best_member == pytest.approx(0, abs=1e-12)
    assert stack.gain_.over_mean_interval == pytest.approx([0, 0], abs=1e-12)


def test_draws_without_any_weight_are_left_out():
    rng = np.random.default_rng(0)
    stack, mean = (rng.dirichlet(np.ones(6), size=160) for _ in range(2))
    weight = np.where(PATIENT[0] == PATIENT, 1.0, 0.0)
    target = Target(check_votes(Y), weight)
    answers = Answers(stack, mean, mean, ["a"])
    seed = np.random.RandomState(0)
    gain = estimate_gain(
        answers, target, PATIENT, [np.arange(160)], n_bootstrap=50, random_state=seed
    )
    # One patient weighs anything: every draw that has it gives the same mean.
    np.testing.assert_allclose(gain.over_mean_interval, gain.over_mean)


# Nested ------------------------------------------------------------------------------


@pytest.mark.parametrize("routing", [False, True])
def test_nested_gain_by_hand(routing):
    stack = stack_of(nested_cv=GroupKFold(3), cv=4)
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            for _, member in stack.estimators:
                member.set_fit_request(sample_weight=True)
            stack.set_fit_request(sample_weight=True)
        stack.fit(X, Y, groups=PATIENT, sample_weight=WEIGHT)
    blend, best, mean = (np.empty((160, 6)) for _ in range(3))
    for train, test in GroupKFold(3).split(X, Y, PATIENT):
        inner = stack_of(cv=4)
        inner.fit(
            X[train], Y[train], groups=PATIENT[train], sample_weight=WEIGHT[train]
        )
        blend[test] = inner.predict_proba(X[test])
        proba = [member.predict_proba(X[test]) for member in inner.estimators_]
        best[test] = proba[int(np.argmin(list(inner.member_kl_.values())))]
        mean[test] = np.mean(proba, axis=0)
    gain = stack.nested_gain_
    for kl, proba in (
        (gain.kl, blend),
        (gain.kl_best_member, best),
        (gain.kl_mean, mean),
    ):
        assert kl == pytest.approx(kl_divergence(Y, proba, sample_weight=WEIGHT))
    assert gain.folds["kl"].shape == (3,)
    assert gain.over_mean_interval[0] < gain.over_mean < gain.over_mean_interval[1]


def test_patients_are_whole_at_both_levels_of_nesting():
    seen = []

    class Listening(Spy):
        def fit(self, X, y):
            self.trained = set(PATIENT[X[:, 0]])
            seen.append(self.trained)
            return super().fit(X, y)

        def predict_proba(self, X):
            assert self.trained.isdisjoint(PATIENT[X[:, 0]])
            return super().predict_proba(X)

    ids = np.arange(160)[:, None]
    stack = StackingKLClassifier(
        [("a", Listening()), ("b", Listening())], cv=3, nested_cv=4
    )
    stack.fit(ids, Y, groups=PATIENT)
    # Two members: three folds and a refit, and the same in each of four outer folds.
    assert len(seen) == 2 * (3 + 1) * (1 + 4)
    assert not hasattr(stack_of().fit(X, Y, PATIENT), "nested_gain_")


def test_nested_lines_are_told_apart(capsys):
    stack_of(nested_cv=2, cv=2, verbose=1).fit(X, Y, groups=PATIENT)
    out = capsys.readouterr().out
    assert "[StackingKLClassifier] nested 2/2: right: fold 1/2" in out
    assert "] nested: KL " in out


def test_fold_models_in_the_nested_stacks():
    stack = stack_of(nested_cv=2, cv=3, refit=False).fit(X, Y, groups=PATIENT)
    proba = np.empty((160, 6))
    for train, test in GroupKFold(2).split(X, Y, PATIENT):
        inner = stack_of(cv=3, refit=False).fit(X[train], Y[train], PATIENT[train])
        proba[test] = inner.predict_proba(X[test])
    assert stack.nested_gain_.kl == pytest.approx(kl_divergence(Y, proba))


# Upsampling --------------------------------------------------------------------------

RARE = {"Seizure": 4.0, "LRDA": 2.0, "GRDA": 2.0}


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_upsampling_enters_the_blend_only(weight):
    stack = stack_of(upsample=RARE).fit(X, Y, PATIENT, weight)
    plain = stack_of().fit(X, Y, PATIENT, weight)
    np.testing.assert_array_equal(stack.oof_, plain.oof_)
    assert stack.member_kl_ == plain.member_kl_
    factor = np.array([RARE.get(name, 1.0) for name in CLASSES])
    rows = (SHARE @ factor) * (1 if weight is None else weight)
    blender = KLBlender().fit(stack.oof_, Y, sample_weight=rows)
    np.testing.assert_allclose(stack.weights_, blender.weights_, atol=1e-7)
    assert not np.allclose(stack.weights_, plain.weights_, atol=1e-3)
    # Scores stay those of the rows as they are.
    crossed = crossed_by_hand(stack.oof_, rows)
    assert stack.kl_ == pytest.approx(kl_divergence(Y, crossed, sample_weight=weight))
    assert stack.kl_in_sample_ >= plain.kl_in_sample_


def test_factors_are_copies_of_rows():
    """A factor of three for a class is three copies of the rows that are all of it."""
    hard = Y.argmax(axis=1)
    stack = stack_of(upsample={"LPD": 3.0}).fit(X, hard, groups=PATIENT)
    copies = np.repeat(np.arange(160), np.where(hard == 1, 3, 1))
    blender = KLBlender().fit(stack.oof_[copies], hard[copies])
    np.testing.assert_allclose(stack.weights_, blender.weights_, atol=1e-7)


def test_balanced_classes():
    stack = stack_of(upsample="balanced").fit(X, Y, groups=PATIENT)
    rows = SHARE @ (1 / SHARE.mean(axis=0))
    blender = KLBlender().fit(stack.oof_, Y, sample_weight=rows)
    np.testing.assert_allclose(stack.weights_, blender.weights_, atol=1e-7)
    weight = upsampled_weight("balanced", np.array(CLASSES), np.eye(6)[[0, 1, 1]], None)
    np.testing.assert_allclose(weight, [1.5, 0.75, 0.75])
    assert upsampled_weight(None, np.array(CLASSES), SHARE, None) is None


@pytest.mark.parametrize("routing", [False, True])
def test_upsampling_needs_no_request(routing):
    expected = stack_of(upsample=RARE).fit(X, Y, groups=PATIENT).weights_
    final = KLBlender()
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            final.set_fit_request(sample_weight=False)
        stack = stack_of(upsample=RARE, final_estimator=final)
        stack.fit(X, Y, groups=PATIENT)
    np.testing.assert_array_equal(stack.weights_, expected)
