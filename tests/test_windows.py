"""What may enter as windows, and what the errors say about the rest."""

import numpy as np
import pytest
import scipy.sparse
import torch

from hmsklearn._windows import admit, check_windows

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_pass_without_a_copy(dtype):
    given = X.astype(dtype)
    assert np.shares_memory(check_windows(given, caller="Name"), given)


@pytest.mark.parametrize("dtype", ["int16", "uint8", "bool", "float16", ">f4", object])
def test_other_numbers_become_float32(dtype):
    result = check_windows((X % 2).astype(dtype), caller="Name")
    assert result.dtype == np.dtype(np.float32)
    np.testing.assert_array_equal(result, X % 2)


def test_lists_and_tensors_are_arrays_too():
    for given in (X.tolist(), torch.from_numpy(X)):
        np.testing.assert_array_equal(check_windows(given, caller="Name"), X)


def test_lazy_leaves_the_values_for_admit():
    given = (X * 3).astype(np.int16)
    assert check_windows(given, caller="Name", lazy=True).dtype == np.int16
    assert admit(given, caller="Name").dtype == np.float32
    bad = X.copy()
    bad[1, 2, 0] = np.inf
    check_windows(bad, caller="Name", lazy=True)
    with pytest.raises(ValueError, match=r"infinity .first in window 11, channel 2"):
        admit(bad, caller="Name", first=10)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        (X[0], ValueError, r"2 dimensions.*X\[None\]"),
        (X[None, None], ValueError, "5 dimensions.*order of the pipeline"),
        (X[:0], ValueError, "0 sample"),
        (X[:, :0], ValueError, "no channels"),
        (X[..., :0], ValueError, "0 samples in time.*longer windows"),
        (X + 1j, ValueError, "[Cc]omplex"),
        (np.full((1, 2, 3), "Fp1"), ValueError, "Name|convert"),
        (scipy.sparse.csr_matrix(X[0]), TypeError, "[Ss]parse"),
    ],
)
def test_errors_name_cause_and_remedy(given, error, text):
    with pytest.raises(error, match=text):
        check_windows(given, caller="Name")


def test_images_need_a_height():
    with pytest.raises(ValueError, match=r"no values in it"):
        check_windows(np.ones((2, 3, 0, 4)), caller="Name", ndim=(4,))


def test_number_of_channels_and_samples():
    check_windows(X, caller="Name", n_channels=3, min_times=4)
    with pytest.raises(ValueError, match=r"Name: X has 3 channels.*expecting 2"):
        check_windows(X, caller="Name", n_channels=2)
    with pytest.raises(ValueError, match=r"4 samples.*at least 5"):
        check_windows(X, caller="Name", min_times=5)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("allow_nan", [False, True])
def test_infinity_is_found_beside_nan(value, allow_nan):
    bad = X.copy()
    bad[1, 1, 3] = value
    if allow_nan:
        bad[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"infinity .first in window 1, channel 1"):
        check_windows(bad, caller="Name", allow_nan=allow_nan)


def test_nan_is_refused_with_a_remedy_or_passes():
    bad = X.copy()
    bad[1, 2, 0] = np.nan
    with pytest.raises(ValueError, match=r"NaN .*window 1, channel 2.*NaNImputer"):
        check_windows(bad, caller="Name")
    with pytest.raises(ValueError, match=r"Mend it"):
        check_windows(bad, caller="Name", nan_remedy="Mend it.")
    assert np.isnan(check_windows(bad, caller="Name", allow_nan=True)).sum() == 1


def test_the_largest_floats_are_finite():
    big = np.full((1, 2, 100), np.finfo(np.float32).max)
    check_windows(big, caller="Name")
    check_windows(big.astype(np.float64) * 1e200, caller="Name")


def test_tensors_stay_with_lazy_only():
    X = torch.ones(2, 3, 4)
    assert check_windows(X, caller="me", lazy=True) is X
    assert isinstance(check_windows(X, caller="me"), np.ndarray)
    with pytest.raises(ValueError, match=r"me: X is a tensor of torch.float16.*float"):
        check_windows(X.half(), caller="me", lazy=True)
    with pytest.raises(ValueError, match=r"me: X has 2 dimensions"):
        check_windows(X[0], caller="me", lazy=True)
    with pytest.raises(ValueError, match=r"me: X has 3 samples.*at least 4"):
        check_windows(X[..., :3], caller="me", lazy=True, min_times=4)
