"""KaggleSpectrogramImager: every published variant against its formula in NumPy."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from hmsklearn import _base
from hmsklearn.datasets import HMSReader, load_hms
from hmsklearn.imaging import (
    ImageResizer,
    ImageStandardizer,
    ImageTiler,
    KaggleSpectrogramImager,
)


@pytest.fixture
def power(rng):
    """Rounded to two decimals and with zeros, as in the files; some of it missing."""
    X = np.round(rng.gamma(0.3, 3.0, size=(3, 4, 100, 300)), 2).astype(np.float32)
    X[0, :, :, 100:120] = np.nan
    X[1, 2] = np.nan
    X[2, 3] = 1.5
    assert (X == 0).any()
    return X


def crop(X, width=256):
    start = (X.shape[-1] - width) // 2
    return X[..., start : start + width].astype(np.float64)


def log_levels(x, low=-4.0, high=8.0):
    return np.log(np.clip(x, np.exp(low), np.exp(high)))


def agree(step, X, expected, atol=2e-5):
    """Arrays and tensors give what is expected, in their type, without NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = step.fit(X).transform(X)
    assert result.dtype == X.dtype
    assert np.isfinite(result).all()
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=atol)
    tensor = step.transform(torch.from_numpy(X)).numpy()
    scale = np.abs(result).max()
    np.testing.assert_allclose(tensor, result, rtol=1e-4, atol=1e-4 * scale)
    return result


def test_notebooks(power):
    """Each panel by itself, NaN left out and zero in the end."""
    expected = np.zeros((3, 4, 100, 256))
    for where in np.ndindex(3, 4):
        if where == (1, 2):
            continue  # nothing there
        img = log_levels(crop(power)[where])
        img = (img - np.nanmean(img)) / (np.nanstd(img) + 1e-6)
        expected[where] = np.nan_to_num(img, nan=0.0)
    result = agree(KaggleSpectrogramImager(), power, expected)
    assert (result[1, 2] == 0).all()
    assert (result[2, 3] == 0).all()  # constant


def test_the_crop_is_22_columns_at_both_ends(power):
    step = KaggleSpectrogramImager(standardize=None, output="linear")
    expected = np.nan_to_num(power[..., 22:-22])
    np.testing.assert_array_equal(step.fit_transform(power), expected)
    central = step.set_params(width=100).fit_transform(power)
    np.testing.assert_array_equal(central, np.nan_to_num(power[..., 100:200]))
    every = step.set_params(width=None).fit_transform(power)
    np.testing.assert_array_equal(every, np.nan_to_num(power))


def test_one_mean_for_all_panels(power):
    expected = []
    for x in log_levels(crop(power)):
        y = (x - np.nanmean(x)) / (np.nanstd(x) + 1e-6)
        expected.append(np.nan_to_num(y, nan=0.0))
    agree(KaggleSpectrogramImager(standardize="window"), power, expected)


def test_nan_to_zero_before_the_standardisation(power):
    levels = np.nan_to_num(log_levels(crop(power)), nan=0.0)
    mean = levels.mean(axis=(2, 3), keepdims=True)
    expected = (levels - mean) / (levels.std(axis=(2, 3), keepdims=True) + 1e-6)
    agree(KaggleSpectrogramImager(missing="levels"), power, expected, atol=1e-4)


def test_nan_to_zero_power(power):
    """``fillna(0)`` first: missing cells are the darkest ones."""
    levels = log_levels(np.nan_to_num(crop(power)))
    mean = levels.mean(axis=(2, 3), keepdims=True)
    expected = (levels - mean) / (levels.std(axis=(2, 3), keepdims=True) + 1e-6)
    agree(KaggleSpectrogramImager(missing="power"), power, expected, atol=1e-4)


def test_canvas_of_128_rows(power):
    plain = KaggleSpectrogramImager().fit_transform(power)
    expected = np.zeros((3, 4, 128, 256), dtype=np.float32)
    expected[:, :, 14:114] = plain
    agree(KaggleSpectrogramImager(height=128), power, expected, atol=0)


def test_fixed_numbers_of_the_5th_place(power):
    expected = np.nan_to_num((log_levels(crop(power)) - 2) / 12)
    step = KaggleSpectrogramImager(offset=-2, scale=12, standardize=None)
    agree(step, power, expected)
    fixed = ImageStandardizer("fixed", mean=2, std=12)
    agree(KaggleSpectrogramImager(standardize=fixed), power, expected)


def test_bytes(power):
    levels = log_levels(crop(power))
    expected = []
    for x in levels:
        low, high = np.nanmin(x), np.nanmax(x)
        expected.append(np.nan_to_num((x - low) / (high - low + 1e-6) * 255))
    to_bytes = ImageStandardizer("minmax", value_range=(0, 255))
    step = KaggleSpectrogramImager(standardize=to_bytes)
    agree(step, power, expected, atol=1e-3)


@pytest.mark.parametrize("bounds", [(-7, 10), (-6, 10)])
def test_other_bounds(power, bounds):
    expected = np.nan_to_num(log_levels(crop(power), *bounds))
    agree(KaggleSpectrogramImager(clip=bounds, standardize=None), power, expected)


def test_fifteenth_place_has_ten_images(power):
    """Differences of the power; one mean and deviation of all ten planes."""
    seq = power.astype(np.float64)
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    differences = np.stack([seq[:, i] - seq[:, j] for i, j in pairs], axis=1)
    both = np.concatenate([seq, differences], axis=1)
    levels = log_levels(both, -7, 10)
    axes = (1, 2, 3)
    expected = levels - np.nanmean(levels, axis=axes, keepdims=True)
    expected /= np.nanstd(levels, axis=axes, keepdims=True) + 1e-6
    params = {"differences": "power", "clip": (-7, 10), "width": None}
    step = KaggleSpectrogramImager(**params, standardize="window")
    result = agree(step, power, np.nan_to_num(expected), atol=1e-3)
    assert result.shape == (3, 10, 100, 300)
    # What is negative ends at the lower bound.
    plain = KaggleSpectrogramImager(**params, standardize=None)
    result = agree(plain, power, np.nan_to_num(levels), atol=1e-3)
    assert (result[:, 4:] == -7).mean() > 0.4
    names = step.get_feature_names_out(["LL", "RL", "LP", "RP"]).tolist()
    assert names[4:] == ["LL-RL", "LL-LP", "LL-RP", "RL-LP", "RL-RP", "LP-RP"]


def test_differences_of_levels(power):
    levels = log_levels(crop(power))
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    differences = np.stack([levels[:, i] - levels[:, j] for i, j in pairs], axis=1)
    expected = np.nan_to_num(np.concatenate([levels, differences], axis=1))
    step = KaggleSpectrogramImager(differences="levels", standardize=None)
    agree(step, power, expected)


def test_quantiles_of_the_16th_place(power):
    levels = np.log10(crop(power) + 1e-6)
    expected = []
    for x in levels:
        low, high = np.nanquantile(x, (0.01, 0.99))
        scaled = (np.clip(x, low, high) - low) / (high - low + 1e-6)
        expected.append(np.nan_to_num(scaled))
    step = KaggleSpectrogramImager(
        output="log10", eps=1e-6, standardize=ImageStandardizer("quantile")
    )
    result = agree(step, power, expected)
    resized = ImageResizer(320).fit_transform(result)
    assert resized.shape == (3, 4, 320, 320)


def test_decibels_of_the_4th_place(power):
    """librosa.power_to_db(ref=np.max), each panel an image."""
    librosa = pytest.importorskip("librosa")
    expected = np.zeros((3, 4, 100, 256))
    for where in np.ndindex(3, 4):
        filled = np.nan_to_num(crop(power)[where])
        expected[where] = librosa.power_to_db(filled, ref=np.max)
    expected[np.isnan(crop(power))] = 0.0
    step = KaggleSpectrogramImager(output="db", standardize=None)
    agree(step, power, expected, atol=1e-4)
    central = KaggleSpectrogramImager(width=100, output="db", standardize=None)
    for where in np.ndindex(3, 4):
        filled = np.nan_to_num(crop(power, 100)[where])
        expected[where][:, :100] = librosa.power_to_db(filled, ref=np.max)
    expected = np.where(np.isnan(crop(power, 100)), 0.0, expected[..., :100])
    agree(central, power, expected, atol=1e-4)


def test_other_decibels_of_the_4th_place(power):
    expected = np.nan_to_num(10 * np.log10(crop(power) + 1e-4) - 30)
    step = KaggleSpectrogramImager(
        output="log10", eps=1e-4, offset=-3, scale=0.1, standardize=None
    )
    agree(step, power, expected, atol=1e-4)


def test_clip_of_other_bases_and_exponents(power):
    magnitude = np.sqrt(crop(power))
    expected = np.clip(np.log10(np.maximum(magnitude, 1e-30)), -2, 0.5)
    step = KaggleSpectrogramImager(
        output="log10", exponent=1, clip=(-2, 0.5), standardize=None
    )
    expected[np.isnan(magnitude)] = 0
    agree(step, power, expected)
    log1p = KaggleSpectrogramImager(output="log1p", clip=(None, 1), standardize=None)
    expected = np.nan_to_num(np.minimum(np.log1p(crop(power)), 1))
    agree(log1p, power, expected)


def test_sixth_place_resizes_first(power):
    levels = np.nan_to_num(log_levels(crop(power)))
    pipe = make_pipeline(
        KaggleSpectrogramImager(["LL", "LP", "RL", "RP"], standardize=None),
        ImageTiler(),
        ImageResizer(518),
        ImageStandardizer(),
    )
    stacked = levels[:, [0, 2, 1, 3]].reshape(3, 1, 400, 256)
    resized = ImageResizer(518).fit_transform(stacked)
    mean = resized.mean(axis=(1, 2, 3), keepdims=True)
    expected = (resized - mean) / (resized.std(axis=(1, 2, 3), keepdims=True) + 1e-6)
    np.testing.assert_allclose(pipe.fit_transform(power), expected, atol=1e-4)


def test_order_of_panels(power):
    plain = KaggleSpectrogramImager().fit_transform(power)
    for panels in (["LL", "LP", "RL", "RP"], [0, 2, 1, 3]):
        step = KaggleSpectrogramImager(panels).fit(power)
        np.testing.assert_array_equal(step.transform(power), plain[:, [0, 2, 1, 3]])
        names = step.get_feature_names_out(["LL", "RL", "LP", "RP"]).tolist()
        assert names == ["LL", "LP", "RL", "RP"]
    two = KaggleSpectrogramImager([3, 0]).fit_transform(power)
    np.testing.assert_array_equal(two, plain[:, [3, 0]])


@pytest.mark.parametrize("missing", ["output", "levels", "power"])
@pytest.mark.parametrize("value", [0.0, 1.5, np.nan])
@pytest.mark.parametrize("standardize", [None, "plane", "window"])
def test_constant_and_missing_windows(missing, value, standardize):
    X = np.full((2, 4, 10, 20), value, dtype=np.float32)
    step = KaggleSpectrogramImager(
        width=16, height=12, missing=missing, standardize=standardize
    )
    result = step.fit_transform(X)
    assert np.isfinite(result).all()
    if standardize is not None:
        assert (result == 0).all()


def test_gradient_passes_zeros_of_the_power(power):
    tensor = torch.tensor(np.nan_to_num(power[:1]), requires_grad=True)
    KaggleSpectrogramImager().fit(power).transform(tensor).square().sum().backward()
    assert torch.isfinite(tensor.grad).all()


def test_behind_the_reader(hms_root):
    rows = load_hms(hms_root, "train").data.iloc[:2]
    pipe = make_pipeline(HMSReader(view="spectrogram"), KaggleSpectrogramImager())
    images = pipe.fit_transform(rows)
    assert images.shape == (2, 4, 100, 256)
    assert images.dtype == np.float32
    names = pipe.get_feature_names_out().tolist()
    assert names == ["LL", "RL", "LP", "RP"]


def test_real_files(hms_data):
    paths = sorted(hms_data.glob("*/train_spectrograms/*.parquet"))
    assert paths
    for path in paths:
        columns = pd.read_parquet(path).iloc[:300, 1:].to_numpy(np.float32)
        X = columns.reshape(300, 4, 100).transpose(1, 2, 0)[None]
        result = KaggleSpectrogramImager().fit_transform(X)[0]
        for panel, image in zip(X[0, :, :, 22:-22].astype(float), result, strict=True):
            img = log_levels(panel)
            img = (img - np.nanmean(img)) / (np.nanstd(img) + 1e-6)
            np.testing.assert_allclose(image, np.nan_to_num(img), atol=2e-5)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"panels": "LL"}, "panels must be a list"),
        ({"panels": []}, "panels must be a list"),
        ({"panels": 3}, "panels must be a list of positions or names, got 3"),
        ({"panels": np.array(3)}, "panels must be a list of positions or names"),
        ({"panels": ["LL", "LR"]}, r"panels\[1\] must be one of.*got 'LR'"),
        ({"panels": [0, 4]}, r"panels\[1\] must be an integer.*at most 3, got 4"),
        ({"panels": [0, "LL"]}, "holds a panel twice"),
        ({"width": 301}, "300 columns .*fewer than width=301"),
        ({"width": 0}, "width must be an integer at least 1"),
        ({"height": 99}, "100 rows .*more than height=99"),
        ({"differences": "all"}, "differences must be one of None, 'power', 'levels'"),
        ({"differences": "power", "eps": 1e-6}, "negative in part"),
        ({"differences": "power", "output": "db"}, "negative in part"),
        ({"output": "ln"}, "output must be one of"),
        ({"clip": None}, "power that is 0 is infinite.*Give eps"),
        ({"clip": (None, 8)}, "power that is 0 is infinite.*Give eps"),
        ({"output": "log10"}, "power that is 0 is infinite.*Give eps"),
        ({"clip": None, "eps": 1e-50}, "power that is 0 is infinite.*Give eps"),
        ({"clip": (8, -4)}, "clip=.*below"),
        ({"clip": "notebook"}, "clip must be 'auto', None or a pair .*got 'notebook'"),
        ({"clip": (-1000, 8)}, "power that single precision does not hold"),
        ({"clip": (1000, None)}, "power that single precision does not hold"),
        ({"clip": (-4, 8), "exponent": 1e-3}, "single precision does not hold"),
        ({"scale": 0}, "scale must be a finite number above 0"),
        ({"missing": "zero"}, "missing must be one of 'output', 'levels', 'power'"),
        ({"standardize": "panel"}, "standardize must be one of.*Did you mean 'plane'"),
        (
            {"standardize": "image"},
            "standardize must be one of None, 'window', 'plane'",
        ),
        ({"standardize": 1}, "standardize must be None, 'window', 'plane' or an"),
        ({"standardize": ImageStandardizer}, "standardize must be None"),
    ],
)
def test_errors_come_in_fit(power, params, text):
    with pytest.raises(ValueError, match=f"^KaggleSpectrogramImager: .*{text}"):
        KaggleSpectrogramImager(**params).fit(power)


@pytest.mark.parametrize(
    ("params", "levels"),
    [
        ({"output": "db"}, lambda x: 10 * np.log10(np.maximum(x / x.max(), 1e-8))),
        ({"output": "linear"}, lambda x: x),
        ({"output": "log1p"}, np.log1p),
        ({"output": "log10", "eps": 1e-6}, lambda x: np.log10(x + 1e-6)),
        ({"output": "log"}, log_levels),
        ({"output": "log", "eps": 1e-3}, lambda x: np.clip(np.log(x + 1e-3), -4, 8)),
    ],
)
def test_bounds_of_the_notebooks_are_those_of_log_alone(power, params, levels):
    """Decibels end at -80 and raw power at thousands, not at -4 and 8."""
    X = np.nan_to_num(power, nan=0.5) * 1000
    expected = np.stack([[levels(panel) for panel in x] for x in crop(X)])
    outside = expected.min() < -4 or expected.max() > 8
    assert outside == (params["output"] != "log")
    agree(KaggleSpectrogramImager(standardize=None, **params), X, expected, atol=1e-3)


def test_no_bound_overflows(power):
    step = KaggleSpectrogramImager(clip=(-4, 1000), standardize=None)
    expected = np.nan_to_num(log_levels(crop(power), -4, 700))
    agree(step, power, expected)
    agree(step, power.astype(np.float64), expected)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_negative_power_is_an_error(power, monkeypatch, n_threads):
    monkeypatch.setattr(_base, "_CHUNK_BYTES", power[:1].nbytes)
    step = KaggleSpectrogramImager().fit(power)
    bad = power.copy()
    bad[2, 1, 7, 150] = -0.5
    text = r"^KaggleSpectrogramImager: Negative values.*window 2, panel 1\)\. Give the"
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        for call in (step.transform, step.fit, step.fit_transform):
            with pytest.raises(ValueError, match=text):
                call(bad)
    finally:
        torch.set_num_threads(before)
    assert get_tags(step).input_tags.positive_only


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"output": "db"},
        {"output": "linear"},
        {"output": "log1p"},
        {"output": "log", "eps": 0.5},
        {"output": "log10", "eps": 1e-6},
        {"exponent": 1},
        {"differences": "power"},
    ],
)
def test_negative_power_of_tensors_counts_as_none(power, params):
    X = np.where(np.arange(300) % 3 == 0, -0.5, power).astype(np.float32)
    step = KaggleSpectrogramImager(standardize=None, **params).fit(power)
    result = step.transform(torch.from_numpy(X)).numpy()
    assert np.isfinite(result).all()
    np.testing.assert_allclose(
        result, step.transform(np.maximum(X, 0)), rtol=1e-4, atol=1e-4
    )


def test_errors_of_the_standardizer_come_in_fit(power):
    wrong = ImageStandardizer("fixed", mean=[1, 2, 3, 4])
    with pytest.raises(ValueError, match=r"^ImageStandardizer: mean has 4.*10 planes"):
        KaggleSpectrogramImager(differences="levels", standardize=wrong).fit(power)
    with pytest.raises(ValueError, match=r"names, which X with 3 planes"):
        KaggleSpectrogramImager(["LL"]).fit(power[:, :3])
    with pytest.raises(ValueError, match=r"infinity"):
        KaggleSpectrogramImager().fit(np.where(power == 1.5, np.inf, power))
