"""PanelStatistics."""

import numpy as np
import pytest
import torch
from sklearn.pipeline import FeatureUnion, make_pipeline

from hmsklearn.imaging import (
    ImageTiler,
    KaggleSpectrogramImager,
    PanelStatistics,
)


@pytest.fixture
def panels(rng):
    return rng.gamma(0.5, 3.0, size=(3, 4, 20, 30)).astype(np.float32)


def test_global_features(panels):
    step = PanelStatistics().fit(panels)
    result = step.transform(panels)
    low, high = panels.min(axis=1), panels.max(axis=1)
    expected = np.stack([low, high, panels.mean(axis=1), high - low], axis=1)
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert result.dtype == np.float32
    names = step.get_feature_names_out().tolist()
    assert names == ["min", "max", "mean", "range"]


def test_global_features_beside_the_panels(panels):
    """The "input ensemble": eight planes, here stacked in two columns."""
    step = PanelStatistics(output="appended").fit(panels)
    result = step.transform(panels)
    np.testing.assert_array_equal(result[:, :4], panels)
    np.testing.assert_array_equal(
        result[:, 4:], PanelStatistics().fit_transform(panels)
    )
    names = step.get_feature_names_out(["LL", "RL", "LP", "RP"]).tolist()
    assert names == ["LL", "RL", "LP", "RP", "min", "max", "mean", "range"]
    image = ImageTiler((4, 2), order="columns").fit_transform(result)
    baseline = panels.reshape(3, 80, 30)
    features = result[:, 4:].reshape(3, 80, 30)
    expected = np.stack([np.hstack(pair) for pair in zip(baseline, features)])  # noqa: B905
    np.testing.assert_array_equal(image[:, 0], expected)


def test_percentiles_over_time_appended(panels):
    step = PanelStatistics((20, 40, 60, 80), over="time", output="appended")
    result = step.fit_transform(panels)
    assert result.shape == (3, 4, 20, 34)
    np.testing.assert_array_equal(result[..., :30], panels)
    for column, q in enumerate((20, 40, 60, 80), start=30):
        expected = np.percentile(panels, q, axis=3)
        np.testing.assert_allclose(result[..., column], expected, rtol=1e-5)
    assert step.get_feature_names_out("abcd").tolist() == list("abcd")


def test_over_frequency(panels):
    result = PanelStatistics(("max", 50), over="frequency").fit_transform(panels)
    assert result.shape == (3, 4, 2, 30)
    np.testing.assert_array_equal(result[:, :, 0], panels.max(axis=2))
    np.testing.assert_allclose(result[:, :, 1], np.median(panels, axis=2), rtol=1e-6)


def test_table_of_the_public_notebooks(rng):
    """Mean and minimum of 400 columns over 10 min and over the central 20 s."""
    power = rng.gamma(0.5, 3.0, size=(2, 4, 100, 300))
    power[0, 1, 5, 7] = np.nan
    levels = {"output": "linear", "clip": None, "standardize": None}
    features = PanelStatistics(("mean", "min"), over="time", output="table")
    union = FeatureUnion(
        [
            ("10min", features),
            (
                "20s",
                make_pipeline(
                    KaggleSpectrogramImager(width=10, **levels),
                    PanelStatistics(("mean", "min"), over="time", output="table"),
                ),
            ),
        ]
    ).fit(power)
    table = union.transform(power)
    assert table.shape == (2, 1600)
    columns = power.transpose(0, 3, 1, 2).reshape(2, 300, 400)  # as in the files
    np.testing.assert_allclose(table[:, :800:2], np.nanmean(columns, axis=1))
    np.testing.assert_allclose(table[:, 1:800:2], np.nanmin(columns, axis=1))
    central = columns[:, 145:155]
    np.testing.assert_allclose(table[:, 800::2], central.mean(axis=1))
    names = union.get_feature_names_out(["LL", "RL", "LP", "RP"])
    assert len(set(names)) == 1600
    assert names[0] == "10min__LL_0_mean"
    assert names[803] == "20s__LL_1_min"


@pytest.mark.parametrize(
    ("over", "width"), [("panels", 1200), ("time", 160), ("frequency", 240)]
)
def test_tables_hold_the_images_values(panels, over, width):
    images = PanelStatistics(("min", 30), over=over).fit_transform(panels)
    step = PanelStatistics(("min", 30), over=over, output="table").fit(panels)
    table = step.transform(panels)
    assert table.shape == (3, width)
    axis = {"panels": 1, "frequency": 2, "time": 3}[over]
    np.testing.assert_array_equal(
        table.reshape(3, -1, 2), np.moveaxis(images, axis, -1).reshape(3, -1, 2)
    )
    assert len(set(step.get_feature_names_out())) == width


@pytest.mark.parametrize("over", ["panels", "time", "frequency"])
@pytest.mark.parametrize("output", ["images", "appended", "table"])
def test_tensors(panels, over, output):
    panels[0, 1, 2] = np.nan
    step = PanelStatistics(("min", "mean", "std", 25), over=over, output=output)
    array = step.fit(panels).transform(panels)
    tensor = step.transform(torch.from_numpy(panels))
    np.testing.assert_allclose(tensor.numpy(), array, rtol=1e-4, atol=1e-5)


def test_nan_is_left_out(panels):
    panels[0, 1] = np.nan
    panels[1] = np.nan
    result = PanelStatistics().fit_transform(panels)
    expected = panels[0, [0, 2, 3]]
    np.testing.assert_array_equal(result[0, 0], expected.min(axis=0))
    np.testing.assert_allclose(result[0, 2], expected.mean(axis=0), rtol=1e-6)
    assert np.isnan(result[1]).all()
    assert not np.isnan(result[2]).any()


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"statistics": ()}, "statistics must be a list"),
        ({"statistics": "mean"}, "statistics must be a list"),
        (
            {"statistics": ("average",)},
            r"statistics\[0\] must be one of.*got 'average'",
        ),
        ({"statistics": (20, 120)}, r"statistics\[1\] must be .*at most 100"),
        ({"statistics": ("min", "min")}, "holds one twice"),
        ({"over": "channels"}, "over must be one of 'panels', 'frequency', 'time'"),
        ({"output": "append"}, "output must be one of.*Did you mean 'appended'"),
    ],
)
def test_errors_come_in_fit(panels, params, text):
    with pytest.raises(ValueError, match=f"^PanelStatistics: .*{text}"):
        PanelStatistics(**params).fit(panels)
