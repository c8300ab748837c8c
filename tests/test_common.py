"""Every public estimator under every check: this package's and scikit-learn's."""

from functools import partial

import numpy as np
import pytest
from sklearn.utils import estimator_checks as sklearn_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from hmsklearn import _base
from hmsklearn._base import BaseSignalTransformer
from hmsklearn.testing import all_estimators, parametrize_with_signal_checks
from hmsklearn.testing._generator import name_of_check
from hmsklearn.testing._instances import CASES, find_case

# Checks fit to few windows: fewer than a batch, or none of some class.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
    # Nor do they know of groups.
    pytest.mark.filterwarnings("ignore:.*got no groups, so that every row stands"),
]

# What scikit-learn compares to 1e-7; float32 sums keep five digits.
ROUNDING_CHECKS = {
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
}


@parametrize_with_signal_checks(
    [case.make_estimator() for case in CASES],
    expected_failed_checks=lambda estimator: find_case(estimator).expected,
)
def test_signal_checks(estimator, check):
    check(estimator)


def case_of(adapter):
    [case] = [c for c in CASES if repr(c.make_adapted()) == repr(adapter)]
    return case


@parametrize_with_checks(
    [case.make_adapted() for case in CASES],
    expected_failed_checks=lambda adapter: case_of(adapter).adapted_expected,
)
def test_sklearn_checks(estimator, check, monkeypatch):
    if case_of(estimator).single_precision and name_of_check(check) in ROUNDING_CHECKS:
        for name in ("assert_allclose", "assert_allclose_dense_sparse"):
            exact = getattr(sklearn_checks, name)
            in_float32 = partial(_call_in_float32, exact)
            monkeypatch.setattr(sklearn_checks, name, in_float32)
    check(estimator)


def _call_in_float32(exact, actual, desired, rtol=0, atol=0, err_msg=""):
    exact(actual, desired, rtol=1e-5, atol=1e-6, err_msg=err_msg)


def test_every_public_estimator_is_checked():
    assert {case.path for case in CASES} == set(dict(all_estimators()))


def test_expected_failures_state_reasons():
    for case in CASES:
        for reasons in (case.expected, case.adapted_expected):
            for check, reason in reasons.items():
                assert case.expected is reasons or hasattr(sklearn_checks, check)
                assert len(reason.split()) >= 5, (case.path, check)


TRANSFORMERS = [
    pytest.param(case, id=repr(case.make_estimator()))
    for case in CASES
    if issubclass(case.estimator_class, BaseSignalTransformer)
]


@pytest.mark.parametrize("case", TRANSFORMERS)
def test_chunks_make_no_difference(case, monkeypatch):
    """The checks' data fit into one chunk, users' data do not."""
    X = case.make_data().X
    estimator = case.make_estimator()
    whole = estimator.fit_transform(X)
    for n_bytes in (1, 5 * X[:1].nbytes):
        monkeypatch.setattr(_base, "_CHUNK_BYTES", n_bytes)
        in_chunks = estimator.fit(X).transform(X)
        scale = np.abs(whole).max()
        np.testing.assert_allclose(in_chunks, whole, rtol=0, atol=1e-5 * scale)
        assert in_chunks.dtype == whole.dtype
