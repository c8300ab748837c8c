"""BackgroundNormalizer."""

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline

from hmsklearn.datasets import SETIReader, load_seti, make_seti
from hmsklearn.imaging import BackgroundNormalizer, ImageResizer, ImageTiler
from hmsklearn.neural import TimmClassifier
from hmsklearn.signal import normalize_background


@pytest.fixture
def images(rng):
    return rng.normal(3, 5, size=(3, 6, 21, 10)).astype(np.float32)


@pytest.mark.parametrize(
    "params", [{}, {"clip": 2}, {"reference": (1, 3, 5)}, {"reference": np.arange(2)}]
)
def test_the_function_behind_it(images, params):
    step = BackgroundNormalizer(**params).fit(images)
    result = step.transform(images)
    np.testing.assert_array_equal(result, normalize_background(images, **params))
    assert result.dtype == np.float32
    tensor = step.transform(torch.from_numpy(images))
    np.testing.assert_allclose(tensor.numpy(), result, rtol=1e-4, atol=1e-4)
    assert step.get_feature_names_out("abcdef").tolist() == list("abcdef")


def test_a_net_runs_it_on_its_device(rng):
    """As a frontend it sees the same numbers as in a pipeline."""
    images = rng.normal(3, 5, size=(3, 6, 21, 40)).astype(np.float32)
    y = np.array([0, 1, 0])
    steps = make_pipeline(
        BackgroundNormalizer((1, 3, 5), clip=8), ImageTiler([[0], [2], [4]])
    )
    params = {"classes": [0, 1], "max_epochs": 1, "batch_size": 2}
    params |= {"random_state": 0, "device": "cpu"}
    inside = TimmClassifier("test_resnet", frontend=steps, **params).fit(images, y)
    before = TimmClassifier("test_resnet", **params)
    before.fit(steps.fit_transform(images), y)
    np.testing.assert_allclose(
        inside.predict_proba(images),
        before.predict_proba(steps.transform(images)),
        atol=1e-4,
    )


def test_observations_of_the_star_above_each_other_in_the_published_size(tmp_path):
    rows = load_seti(make_seti(tmp_path / "seti", 1, n_test=1, random_state=0)).data
    tall = make_pipeline(SETIReader(), BackgroundNormalizer(), ImageTiler("column"))
    image = tall.fit_transform(rows)
    assert image.shape == (1, 1, 819, 256)
    assert np.abs(np.median(image[:, :, :273], axis=2)).max() < 1e-6
    assert ImageResizer(512).fit_transform(image).shape == (1, 1, 512, 512)
    beside = make_pipeline(
        SETIReader(channels="all"),
        BackgroundNormalizer((1, 3, 5)),
        ImageTiler([[0], [2], [4]]),
    )
    assert beside.fit_transform(rows).shape == (1, 1, 819, 256)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"reference": (1, 6)}, "reference must name planes out of 0 .. 5"),
        ({"reference": (-1,)}, "reference must name planes"),
        ({"reference": ()}, "reference must name planes"),
        ({"reference": (1, 1)}, "each once"),
        ({"reference": "off"}, "reference must name planes"),
        ({"reference": (1.5,)}, "reference must name planes"),
        ({"reference": (True,)}, "reference must name planes"),
        ({"clip": 0}, "clip must be a finite number above 0"),
    ],
)
def test_errors_come_in_fit(images, params, text):
    with pytest.raises(ValueError, match=f"^BackgroundNormalizer: .*{text}"):
        BackgroundNormalizer(**params).fit(images)


def test_nan_is_refused(images):
    images[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        BackgroundNormalizer().fit(images)
