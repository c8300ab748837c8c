"""CentreCrop."""

import numpy as np
import pytest

from hmsklearn.preprocessing import CentreCrop

RAMP = np.arange(10_000, dtype=np.float32)[None, None]


@pytest.mark.parametrize(
    ("params", "first", "last"),
    [
        ({}, 4000, 5999),
        ({"seconds": 30}, 2000, 7999),
        ({"seconds": 50}, 0, 9999),
        ({"seconds": 0.005}, 4999, 4999),
        ({"n_times": 9600}, 200, 9799),
        ({"n_times": 9601}, 199, 9799),
        ({"seconds": 10, "sfreq": 100}, 4500, 5499),
        ({"seconds": None, "n_times": 1}, 4999, 4999),
    ],
)
def test_which_samples(params, first, last):
    crop = CentreCrop(**params).fit(RAMP)
    result = crop.transform(RAMP)[0, 0]
    assert (result[0], result[-1], len(result)) == (first, last, last - first + 1)
    assert crop.n_times_ == len(result)


def test_copy_names_nan_and_dtype(signals):
    X = signals.copy()
    X[0, 0, 200] = np.nan
    crop = CentreCrop(n_times=400).fit(X)
    result = crop.transform(X)
    assert not np.shares_memory(result, X)
    np.testing.assert_array_equal(result, X)
    names = [f"c{i}" for i in range(20)]
    assert crop.get_feature_names_out(names).tolist() == names


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"seconds": 50.5}, "10000 samples.*10100 are to be kept.*longer windows"),
        ({"n_times": 10_001}, "10001 are to be kept"),
        ({"seconds": 0}, "seconds must be .*above 0"),
        ({"seconds": None}, "seconds must be"),
        ({"seconds": "10"}, "seconds must be"),
        ({"seconds": 0.0049}, "not a whole number of samples.*n_times"),
        ({"n_times": 0}, "n_times must be an integer at least 1"),
        ({"n_times": 10.0}, "n_times must be an integer"),
        ({"sfreq": 0}, "sfreq must be"),
    ],
)
def test_errors_come_in_fit(params, text):
    with pytest.raises(ValueError, match=f"^CentreCrop: .*{text}"):
        CentreCrop(**params).fit(RAMP)


def test_shorter_windows_later():
    crop = CentreCrop().fit(RAMP)
    with pytest.raises(ValueError, match=r"1000 samples"):
        crop.transform(RAMP[..., :1000])
    assert crop.transform(RAMP[..., :4000])[0, 0, 0] == 1000
