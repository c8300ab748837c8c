"""The parts of the adaptation's loss, and labels by centroids."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from scipy.stats import entropy

from hmsklearn.semi_supervised._centroids import centroid_labels
from hmsklearn.semi_supervised._information import (
    divergence_from_prior,
    mean_entropy,
)


@st.composite
def probabilities(draw, zeros=False):
    n, k = draw(st.integers(1, 6)), draw(st.integers(2, 6))
    low = 0.0 if zeros else 0.01
    raw = draw(arrays(float, (n, k), elements=st.floats(low, 1)))
    raw[:, 0] += 0.01
    return raw / raw.sum(axis=1, keepdims=True)


@given(probabilities(zeros=True))
def test_mean_entropy(proba):
    found = mean_entropy(torch.from_numpy(proba)).item()
    assert found == pytest.approx(entropy(proba, axis=1).mean(), abs=1e-9)


@given(probabilities(zeros=True))
def test_divergence_from_equal_shares(proba):
    found = divergence_from_prior(torch.from_numpy(proba)).item()
    k = proba.shape[1]
    expected = np.log(k) - entropy(proba.mean(axis=0))
    assert found == pytest.approx(expected, abs=1e-9)


@given(probabilities())
def test_divergence_from_a_prior(proba):
    mean = proba.mean(axis=0)
    prior = np.arange(1.0, mean.size + 1) / np.arange(1.0, mean.size + 1).sum()
    found = divergence_from_prior(torch.from_numpy(proba), torch.from_numpy(prior))
    assert found.item() == pytest.approx(entropy(mean, prior), abs=1e-9)
    same = divergence_from_prior(torch.from_numpy(proba), torch.from_numpy(mean))
    assert same.item() == pytest.approx(0, abs=1e-9)


def test_gradients_are_finite_where_a_class_is_ruled_out():
    logits = torch.tensor([[300.0, 0.0], [0.0, 300.0]], requires_grad=True)
    proba = logits.double().softmax(dim=1)
    (mean_entropy(proba) + divergence_from_prior(proba)).backward()
    assert torch.isfinite(logits.grad).all()


def by_hand(features, proba):
    """Twice: centroids, then the nearest one by cosine."""
    weight = proba
    present = np.unique(proba.argmax(axis=1))
    for _ in range(2):
        centroids = (weight.T @ features / weight.sum(axis=0)[:, None])[present]
        nearest = present[cdist(features, centroids, "cosine").argmin(axis=1)]
        present = np.unique(nearest)
        weight = np.eye(proba.shape[1])[nearest] + 1e-300
    return nearest


@pytest.mark.parametrize("seed", range(5))
def test_labels_by_the_nearest_centroid(seed):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(60, 5))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    proba = rng.dirichlet(np.full(4, 0.5), size=60)
    proba[:, 3] *= 0.01  # the most probable class of no window
    proba /= proba.sum(axis=1, keepdims=True)
    hard, nearest = centroid_labels(features, proba, kind="hard")
    np.testing.assert_array_equal(nearest, by_hand(features, proba))
    np.testing.assert_array_equal(hard, np.eye(4)[nearest])
    assert not (nearest == 3).any()
    soft, same = centroid_labels(features, proba)
    np.testing.assert_array_equal(same, nearest)
    for k in np.unique(nearest):
        mine = nearest == k
        expected = np.tile(proba[mine].mean(axis=0), (mine.sum(), 1))
        np.testing.assert_allclose(soft[mine], expected, rtol=1e-12)
    # Lengths of features do not count.
    longer = features * rng.uniform(0.1, 9, size=(60, 1))
    np.testing.assert_allclose(centroid_labels(longer, proba)[0], soft)


def test_clusters_outvote_a_head_that_is_off():
    """Windows of one cluster get one label, also those beyond the boundary."""
    rng = np.random.default_rng(0)
    label = np.arange(90) % 3
    features = 4 * np.eye(3)[label] + 0.3 * rng.normal(size=(90, 3))
    proba = 0.55 * np.eye(3)[label] + 0.15
    wrong = rng.uniform(size=90) < 0.2
    proba[wrong] = np.roll(proba[wrong], 1, axis=1)
    _, nearest = centroid_labels(features, proba, kind="hard")
    np.testing.assert_array_equal(nearest, label)


def test_features_of_no_length_and_unknown_kinds():
    proba = np.array([[0.9, 0.1], [0.2, 0.8]])
    targets, _ = centroid_labels(np.zeros((2, 3)), proba)
    assert np.isfinite(targets).all()
    with pytest.raises(ValueError, match="centroid_labels"):
        centroid_labels(np.eye(2), proba, kind="firm")
