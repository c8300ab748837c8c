"""The adapters hand scikit-learn's tables over without adding or losing anything."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

from hmsklearn.ensemble import KLBlender
from hmsklearn.testing import (
    ChannelPowerClassifier,
    StackAdapter,
    WeightedWindowAdapter,
    WindowAdapter,
)


class Spy(TransformerMixin, BaseEstimator):
    """Gives back what it gets."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X


SHAPES = [(4, 50), (2, 8, 6), (3, 64)]


def handed_over(X, shape):
    return WindowAdapter(Spy(), shape=shape).fit(X).transform(X)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_features", [1, 3, 20])
def test_window_adapter_is_row_wise_and_keeps_dtype(shape, dtype, n_features, rng):
    X = rng.normal(size=(9, n_features)).astype(dtype)
    windows = handed_over(X, shape)
    assert windows.dtype == dtype
    assert windows.shape == (9, np.prod(shape))
    one_by_one = np.concatenate([handed_over(row[None], shape) for row in X])
    np.testing.assert_array_equal(windows, one_by_one)


@pytest.mark.parametrize("n_features", [1, 3, 20])
def test_window_adapter_loses_no_feature(n_features, rng):
    X = rng.normal(size=(1, n_features))
    plain = handed_over(X, (4, 50))
    for feature in range(n_features):
        other = X.copy()
        other[0, feature] += 1.0
        assert not np.array_equal(handed_over(other, (4, 50)), plain)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_window_adapter_passes_bad_numbers_on(value):
    X = np.zeros((3, 5))
    X[1, 2] = value
    windows = handed_over(X, (4, 50))
    assert np.isfinite(windows[[0, 2]]).all()
    assert not np.isfinite(windows[1]).all()


def test_adapters_take_over_tags_and_methods():
    transformer = WindowAdapter(Spy())
    assert hasattr(transformer, "transform")
    assert not hasattr(transformer, "predict")
    classifier = WeightedWindowAdapter(ChannelPowerClassifier())
    assert hasattr(classifier, "predict_proba")
    assert not hasattr(classifier, "transform")
    tags, inner = get_tags(classifier), get_tags(ChannelPowerClassifier())
    assert tags.estimator_type == "classifier"
    assert tags.target_tags == inner.target_tags
    assert tags.input_tags.two_d_array
    assert not inner.input_tags.two_d_array


def test_adapter_asks_for_an_estimator():
    with pytest.raises(ValueError, match="estimator is None"):
        WindowAdapter().fit([[0.0]])


def test_adapter_leaves_the_estimator_unfitted():
    inner = ChannelPowerClassifier(classes="infer")
    adapter = WindowAdapter(inner).fit([[0.0], [1.0]], [0, 1])
    assert not hasattr(inner, "coef_")
    assert adapter.estimator_.coef_.shape == (2, 8)
    assert adapter.score([[0.0], [1.0]], [0, 1]) < 0


def test_stack_adapter_gives_probabilities(rng):
    X = rng.normal(size=(30, 2)) + np.arange(30)[:, None] % 3 * 4.0
    y = np.array(["a", "b", "c"])[np.arange(30) % 3]
    adapter = StackAdapter(KLBlender(classes="infer")).fit(X, y)
    stack = adapter._hand_over(X)
    assert stack.shape == (30, 3, 3)
    np.testing.assert_allclose(stack.sum(axis=2), 1.0)
    assert (adapter.predict(X) == y).mean() > 0.9


def test_far_more_checks_run_through_the_adapter():
    adapter = WeightedWindowAdapter(ChannelPowerClassifier(classes="infer"))
    expected = {"check_classifier_multioutput": "votes are the columns of one target"}
    results = check_estimator(adapter, expected_failed_checks=expected, on_skip=None)
    assert len(results) > 50
    assert {r["status"] for r in results} <= {"passed", "xfail", "skipped"}
