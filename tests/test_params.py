"""Checks of single parameters and the errors they give."""

import numpy as np
import pytest

from hmsklearn._params import check_choice, check_integer, check_real


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int64(2)])
def test_real_accepts_numbers_and_gives_floats(value):
    result = check_real(value, "scale", caller="Name", low=2, high=2)
    assert type(result) is float
    assert result == 2


@pytest.mark.parametrize("value", ["2", None, True, np.True_, np.nan, np.inf, 2j, [2]])
def test_real_refuses_what_is_no_number(value):
    with pytest.raises(ValueError, match=r"^Name: scale must be a finite number, got "):
        check_real(value, "scale", caller="Name")


@pytest.mark.parametrize(
    ("value", "bounds", "text"),
    [
        (-1, {"low": 0}, "at least 0, got -1"),
        (0, {"low": 0, "low_open": True}, "above 0, got 0"),
        (3, {"high": 2}, "at most 2, got 3"),
        (5, {"low": 0, "high": 2}, "at least 0 and at most 2, got 5"),
    ],
)
def test_real_names_the_bounds(value, bounds, text):
    with pytest.raises(ValueError, match=text):
        check_real(value, "scale", caller="Name", **bounds)


def test_remedies_end_the_messages():
    with pytest.raises(ValueError, match=r"got -1\. Give more\.$"):
        check_real(-1, "a", caller="Name", low=0, remedy="Give more.")
    with pytest.raises(ValueError, match=r"got -1\. Give more\.$"):
        check_integer(-1, "a", caller="Name", low=0, remedy="Give more.")


def test_integer():
    result = check_integer(np.int16(3), "factor", caller="Name", low=1)
    assert type(result) is int
    assert result == 3
    for value in (2.0, "2", True, None):
        with pytest.raises(ValueError, match=r"^Name: factor must be an integer, got"):
            check_integer(value, "factor", caller="Name")
    with pytest.raises(ValueError, match=r"at least 1 and at most 8, got 9"):
        check_integer(9, "factor", caller="Name", low=1, high=8)


def test_choice_names_the_nearest():
    assert check_choice("zero", "phase", ("zero", "causal"), caller="Name") == "zero"
    with pytest.raises(ValueError, match=r"'zero', 'causal', got 'casual'.*'causal'"):
        check_choice("casual", "phase", ("zero", "causal"), caller="Name")
    with pytest.raises(ValueError, match=r"got 3\.$"):
        check_choice(3, "phase", ("zero", "causal"), caller="Name")
    with pytest.raises(ValueError, match=r"must be one of"):
        check_choice(["zero"], "phase", ("zero", "causal"), caller="Name")
