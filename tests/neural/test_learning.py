"""That the classifiers learn, and learn the same thing from the same seed."""

import numpy as np
import pytest
import torch

from hmsklearn.metrics import kl_divergence
from hmsklearn.votes import CLASSES

# Small parts of the data hold no votes for some classes, and less than a batch.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
]


def test_waveform_classifier_learns(waveform, data, more_data):
    clf = waveform(max_epochs=15).fit(data.X, data.votes)
    # Of patients never seen; a tenth of the baseline is near what votes allow.
    kl = kl_divergence(more_data.votes, clf.predict_proba(more_data.X))
    assert kl < 0.4 * more_data.baseline_kl
    accuracy = np.mean(clf.predict(more_data.X) == np.take(CLASSES, more_data.label))
    assert accuracy > 0.9


def test_timm_classifier_learns(timm_classifier, data, more_data):
    clf = timm_classifier(max_epochs=15).fit(data.images, data.votes)
    kl = kl_divergence(more_data.votes, clf.predict_proba(more_data.images))
    assert kl < 0.4 * more_data.baseline_kl


@pytest.mark.parametrize("backbone", ["test_vit", "resnet10t"])
def test_other_families(timm_classifier, data, backbone):
    clf = timm_classifier(backbone, max_epochs=1).fit(data.images, data.votes)
    prob = clf.predict_proba(data.images[:5])
    np.testing.assert_allclose(prob.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(clf.predict_proba(data.images[:1]), prob[:1], atol=1e-5)


def test_two_classes_named_by_the_data(waveform):
    rng = np.random.default_rng(0)
    y = np.array(["no", "yes"] * 20)
    X = rng.standard_normal((40, 2, 64))
    X[y == "yes"] *= 3
    clf = waveform(classes="infer", max_epochs=10).fit(X, y)
    assert clf.classes_.tolist() == ["no", "yes"]
    assert clf.predict_proba(X).shape == (40, 2)
    assert np.mean(clf.predict(X) == y) > 0.9
    assert clf.score(X, y) > -0.4


def test_three_classes_by_list(waveform):
    rng = np.random.default_rng(0)
    y = np.arange(30) % 3
    X = rng.standard_normal((30, 2, 64)) * (1 + 3 * y[:, None, None])
    clf = waveform(classes=["a", "b", "c", "never"], max_epochs=1).fit(X, y)
    assert clf.classes_.tolist() == ["a", "b", "c", "never"]
    assert clf.predict_proba(X).shape == (30, 4)


class TestReproducible:
    def test_same_seed_same_bits(self, each, data):
        make, X = each
        first, again = (make().fit(X, data.votes).predict_proba(X) for _ in range(2))
        assert np.array_equal(first, again)
        other = make(random_state=1).fit(X, data.votes).predict_proba(X)
        assert not np.allclose(first, other)

    def test_random_state_instance(self, waveform, data):
        def run(state):
            return waveform(random_state=state).fit(data.X, data.votes)

        first = run(np.random.RandomState(5)).predict_proba(data.X)
        assert np.array_equal(
            first, run(np.random.RandomState(5)).predict_proba(data.X)
        )

    def test_dropout_is_seeded_too(self, timm_classifier, data):
        def run():
            clf = timm_classifier(max_epochs=1, drop_rate=0.5, drop_path_rate=0.2)
            return clf.fit(data.images, data.votes).predict_proba(data.images)

        assert np.array_equal(run(), run())

    def test_the_callers_random_state_is_left_alone(self, each, data):
        make, X = each
        torch.manual_seed(3)
        np.random.seed(3)  # noqa: NPY002
        before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        make().fit(X, data.votes).predict_proba(X)
        assert torch.equal(before[0], torch.get_rng_state())
        assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002

    def test_the_callers_random_state_does_not_matter(self, waveform, data):
        probabilities = []
        for seed in (0, 1):
            torch.manual_seed(seed)
            clf = waveform(max_epochs=1).fit(data.X, data.votes)
            probabilities.append(clf.predict_proba(data.X))
        assert np.array_equal(*probabilities)


class TestPrediction:
    @pytest.fixture
    def fitted(self, each, data):
        make, X = each
        return make().fit(X, data.votes), X

    def test_rows_sum_to_one(self, fitted):
        clf, X = fitted
        prob = clf.predict_proba(X)
        assert prob.dtype == np.float64
        assert prob.shape == (len(X), 6)
        np.testing.assert_allclose(prob.sum(axis=1), 1, atol=1e-12)
        assert (prob > 0).all()

    def test_batch_size_and_order_do_not_matter(self, fitted):
        clf, X = fitted
        whole = clf.predict_proba(X)
        for size in (1, 7, 1000):
            clf.set_params(batch_size=size)
            np.testing.assert_allclose(clf.predict_proba(X), whole, atol=1e-5)
        order = np.random.default_rng(0).permutation(len(X))
        np.testing.assert_allclose(clf.predict_proba(X[order]), whole[order], atol=1e-5)

    def test_predict_and_score(self, fitted, data):
        clf, X = fitted
        prob = clf.predict_proba(X)
        assert np.array_equal(clf.predict(X), np.take(CLASSES, prob.argmax(axis=1)))
        weight = np.arange(len(X))
        assert clf.score(X, data.votes) == -kl_divergence(data.votes, prob)
        assert clf.score(X, data.votes, sample_weight=weight) == -kl_divergence(
            data.votes, prob, sample_weight=weight
        )

    @pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int16, np.uint16])
    def test_number_types(self, fitted, dtype):
        clf, X = fitted
        converted = np.abs(X * (1 if np.issubdtype(dtype, np.floating) else 10))
        converted = converted.astype(dtype)
        same = converted.astype(np.float32)
        assert np.array_equal(clf.predict_proba(converted), clf.predict_proba(same))

    def test_strides_and_read_only(self, fitted):
        clf, X = fitted
        whole = clf.predict_proba(X)
        backwards = clf.predict_proba(X[::-1])[::-1]
        np.testing.assert_allclose(backwards, whole, atol=1e-5)
        frozen = np.asfortranarray(X)
        frozen.flags.writeable = False
        assert np.array_equal(clf.predict_proba(frozen), whole)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int16])
def test_fit_on_number_types(waveform, data, dtype):
    X = data.X.astype(dtype)
    clf = waveform().fit(X, data.votes)
    same = waveform().fit(X.astype(np.float32), data.votes)
    assert np.array_equal(clf.predict_proba(X), same.predict_proba(X))


@pytest.mark.gpu
class TestGpu:
    @pytest.mark.parametrize("amp", ["auto", "fp16", None])
    def test_learns(self, each, data, amp):
        make, X = each
        clf = make(device="auto", amp=amp, max_epochs=15).fit(X, data.votes)
        assert clf.device_ == "cuda"
        kl = kl_divergence(data.votes, clf.predict_proba(X))
        assert kl < 0.4 * data.baseline_kl

    def test_agrees_with_the_cpu(self, each, data):
        make, X = each
        clf = make(device="cuda").fit(X, data.votes)
        on_gpu = clf.predict_proba(X)
        clf.net_.move_to("cpu")
        np.testing.assert_allclose(clf.predict_proba(X), on_gpu, atol=5e-3)

    def test_random_state_of_the_gpu_is_left_alone(self, waveform, data):
        torch.cuda.manual_seed(3)
        before = torch.cuda.get_rng_state()
        waveform(device="cuda").fit(data.X, data.votes)
        assert torch.equal(before, torch.cuda.get_rng_state())
