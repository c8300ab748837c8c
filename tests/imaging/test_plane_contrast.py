"""PlaneContrast."""

import numpy as np
import pytest
import torch

from hmsklearn.imaging import PlaneContrast
from hmsklearn.montage import get_montage
from hmsklearn.preprocessing import MontageTransformer


@pytest.fixture
def images(rng):
    return rng.normal(size=(2, 16, 3, 4)).astype(np.float32)


def test_all_others(images):
    step = PlaneContrast().fit(images)
    result = step.transform(images)
    for plane in range(16):
        others = np.delete(images, plane, axis=1).mean(axis=1)
        np.testing.assert_allclose(
            result[:, plane], images[:, plane] - others, atol=1e-6
        )
    assert result.dtype == np.float32
    tensor = step.transform(torch.from_numpy(images))
    np.testing.assert_allclose(tensor.numpy(), result, atol=1e-6)


def test_neighbours(images):
    references = [[(i + 1) % 16, (i - 1) % 16] for i in range(15)] + [[]]
    result = PlaneContrast(references).fit_transform(images)
    for plane in range(15):
        pair = images[:, references[plane]].mean(axis=1)
        np.testing.assert_allclose(result[:, plane], images[:, plane] - pair, atol=1e-6)
    np.testing.assert_array_equal(result[:, 15], images[:, 15])


def test_signals_and_a_single_plane(images):
    X = images.reshape(2, 16, 12)
    np.testing.assert_array_equal(
        PlaneContrast().fit_transform(X).reshape(images.shape),
        PlaneContrast().fit_transform(images),
    )
    np.testing.assert_array_equal(
        PlaneContrast().fit_transform(images[:, :1]), images[:, :1]
    )


def test_nan_goes_where_it_is_referred_to(images):
    images[0, 3, 1, 2] = np.nan
    assert np.isnan(PlaneContrast().fit_transform(images)).sum() == 16
    one = PlaneContrast([[3], *[[]] * 15]).fit_transform(images)
    assert np.argwhere(np.isnan(one)).tolist() == [[0, 0, 1, 2], [0, 3, 1, 2]]


def test_agrees_with_the_montages_of_contrasts(rng):
    """The 3rd place's two contrasts, by position and by name, of signals and images."""
    montage = get_montage("3rd")
    names = list(montage.names)
    neighbours = [
        [names.index(other) for other, weight in line.weights if weight < 0]
        for line in montage.minus_neighbours().derivations
    ]
    assert all(len(near) == 2 for near in neighbours)
    electrodes = rng.normal(0, 30, (2, 20, 50))
    for contrast, by_name in (
        (PlaneContrast(), montage.minus_others()),
        (PlaneContrast(neighbours), montage.minus_neighbours()),
    ):
        signals = MontageTransformer(montage).fit_transform(electrodes)
        images = signals.reshape(2, 16, 5, 10)
        step = MontageTransformer(by_name, ch_names=names)
        for data in (signals, images):
            expected = contrast.fit_transform(data)
            np.testing.assert_allclose(step.fit_transform(data), expected, atol=1e-9)
        direct = MontageTransformer(montage.then(by_name)).fit_transform(electrodes)
        np.testing.assert_allclose(direct, contrast.fit_transform(signals), atol=1e-9)


@pytest.mark.parametrize(
    ("references", "text"),
    [
        ("neighbours", "references must be one of 'others'"),
        ([[1]], "X has 16 planes .*references has 1 entries"),
        ([[16], *[[]] * 15], r"references\[0\] must be an integer.*at most 15, got 16"),
        ([[0.5], *[[]] * 15], r"references\[0\] must be an integer"),
        (3, "must be 'others' or lists of positions"),
    ],
)
def test_errors_come_in_fit(images, references, text):
    with pytest.raises(ValueError, match=f"^PlaneContrast: .*{text}"):
        PlaneContrast(references).fit(images)
